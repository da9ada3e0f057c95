"""CREATE, ALTER and DROP USER: who may change whom, and what is stored of it."""

from collections.abc import Iterator
from dataclasses import replace

from catalog import changes_user, codec, role_settings
from catalog.changes import CatalogChange
from catalog.erasing import check_owns_nothing
from catalog.errors import (
    DependentObjectsStillExistError,
    DuplicateObjectError,
    InsufficientPrivilegeError,
    ObjectInUseError,
    UndefinedObjectError,
)
from catalog.model import Role, User
from catalog.pg_catalog.oids import DATABASE_NAME
from catalog.privileges import Action, require
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, plan
from kalam_pg.sql import statements_users as st

_EMPTY = "empty string is not a valid password, clearing password"


@plan.register
def _(statement: st.CreateUser, context: DdlContext) -> DdlPlan:
    require(context.user, Action.CREATE_ROLE)
    role = _granted_role(statement.role or Role.USER.value, context.user, "create")
    user = User(
        0,
        statement.name,
        role,
        _verifier(statement.password, context),
        statement.email,
        statement.oauth_provider,
        statement.oauth_subject,
        statement.login,
    )
    change = changes_user.create_user(
        context.snapshot,
        context.ids,
        context.get,
        user,
        now_us=context.now_us,
        if_not_exists=statement.if_not_exists,
    )
    return DdlPlan(_with_notice(change, statement.password), "CREATE ROLE")


@plan.register
def _(statement: st.AlterUser, context: DdlContext) -> DdlPlan:
    own = statement.name == context.user.name
    if not (own and _only_password(statement)):
        # Before the name is looked up: who may not change users learns nothing of who exists.
        require(context.user, Action.ALTER_ROLE)
    if statement.restore:
        return DdlPlan(_restored(statement.name, context), "ALTER ROLE")
    user = changes_user.require_user(context.get, statement.name)
    if not own:
        require(context.user, Action.ALTER_ROLE, user)
    if statement.role is not None:
        user = replace(user, role=_granted_role(statement.role, context.user, "alter"))
    if statement.password is not None or statement.clear_password:
        user = replace(user, verifier=_verifier(statement.password, context))
    if statement.email is not None:
        user = replace(user, email=statement.email)
    if statement.login is not None:
        user = replace(user, can_login=statement.login)
    change = changes_user.change_user(context.snapshot, user)
    return DdlPlan(_with_notice(change, statement.password), "ALTER ROLE")


@plan.register
def _(statement: st.AlterSettings, context: DdlContext) -> DdlPlan:
    tag = "ALTER DATABASE" if statement.of_database else "ALTER ROLE"
    user = role_settings.EVERYBODY
    if not statement.role:
        if context.user.role.rank < Role.DBA.rank:
            raise InsufficientPrivilegeError(
                f"must be owner of database {statement.database}"
                if statement.of_database
                else "must be superuser to alter settings globally"
            )
    else:
        own = statement.role == context.user.name
        if not own:
            require(context.user, Action.ALTER_ROLE)
        named = changes_user.require_user(context.get, statement.role)
        if not own:
            require(context.user, Action.ALTER_ROLE, named)
        user = named.id
    database = role_settings.THIS_DATABASE if statement.database else role_settings.ANY_DATABASE
    values = {statement.name: statement.value}
    if statement.name == "all":
        values = dict.fromkeys(role_settings.read(context.get, database, user))
    change = role_settings.change(context.snapshot, context.get, database, user, values)
    return DdlPlan(change, tag)


@plan.register
def _(statement: st.DropUser, context: DdlContext) -> DdlPlan:
    require(context.user, Action.DROP_ROLE)
    change = CatalogChange(context.snapshot)
    for name in dict.fromkeys(statement.names):
        user = changes_user.find_user(context.get, name)
        living = user is not None and user.deleted_at_us is None
        if user is None or not (living or statement.purge):
            if not statement.if_exists:
                raise UndefinedObjectError(f'role "{name}" does not exist')
            notice = f'role "{name}" does not exist, skipping'
            change = replace(change, notices=(*change.notices, notice))
            continue
        _check_droppable(user, context)
        for step in _purged(user, context) if statement.purge else [_deleted(user, context)]:
            change = replace(
                change,
                puts=(*change.puts, *step.puts),
                users=(*change.users, *step.users),
                purged=(*change.purged, *step.purged),
            )
    return DdlPlan(change, "DROP ROLE")


def _deleted(user: User, context: DdlContext) -> CatalogChange:
    return changes_user.delete_user(context.snapshot, user, now_us=context.now_us)


def _purged(named: User, context: DdlContext) -> Iterator[CatalogChange]:
    """A user goes with the dropped ones who had the name before: nobody could name them."""
    for user in changes_user.same_named(context.get, named):
        check_owns_nothing(context.snapshot, user, context.search_path)
        yield changes_user.purge_user(context.snapshot, context.get, user)


def _check_droppable(user: User, context: DdlContext) -> None:
    require(context.user, Action.DROP_ROLE, user)
    if user.id == context.user.id:
        raise ObjectInUseError("current user cannot be dropped")
    if user.id == changes_user.ROOT_ID:
        raise DependentObjectsStillExistError(
            f"cannot drop role {user.name} because it is required by the database system"
        )


def _restored(name: str, context: DdlContext) -> CatalogChange:
    user = changes_user.find_user(context.get, name)
    if user is None:
        raise UndefinedObjectError(f'role "{name}" does not exist')
    require(context.user, Action.ALTER_ROLE, user)
    if user.deleted_at_us is None and len(changes_user.same_named(context.get, user)) > 1:
        raise DuplicateObjectError(f'role "{name}" already exists')
    return changes_user.restore_user(context.snapshot, user)


def _only_password(statement: st.AlterUser) -> bool:
    others = (statement.role, statement.email, statement.login)
    return all(value is None for value in others) and not statement.restore


def _granted_role(written: str, actor: User, verb: str) -> Role:
    """The role asked for, if it is not above the actor's own."""
    role = changes_user.parse_role(written)
    if role.rank > actor.role.rank:
        raise InsufficientPrivilegeError(
            f"permission denied to {verb} role",
            detail=f"Only roles with the role {role.value} may give it.",
        )
    return role


def _verifier(password: str | None, context: DdlContext) -> str:
    """What is stored of a password: never itself; "" for none."""
    if not password:
        return ""
    if password.startswith("SCRAM-SHA-256$"):
        return password  # A verifier already, as pg_dumpall writes it.
    return context.make_verifier(password)


def _with_notice(change: CatalogChange, password: str | None) -> CatalogChange:
    if password != "" or not change.puts:
        return change
    return replace(change, notices=(*change.notices, _EMPTY))


def comment_on_role(name: str, comment: str, context: DdlContext) -> DdlPlan:
    """COMMENT ON ROLE. Raises 42704, 42501."""
    user = changes_user.require_user(context.get, name)
    require(context.user, Action.ALTER_ROLE, user)
    change = changes_user.change_user(context.snapshot, replace(user, comment=comment))
    return DdlPlan(change, "COMMENT")


def comment_on_database(name: str, comment: str, context: DdlContext) -> DdlPlan:
    """COMMENT ON DATABASE. Raises 42501; of another one it only warns, as a dump may have any name's."""
    if name != DATABASE_NAME:
        notice = f'database "{name}" does not exist'
        return DdlPlan(CatalogChange(context.snapshot, notices=(notice,)), "COMMENT")
    if context.user.role.rank < Role.DBA.rank:
        raise InsufficientPrivilegeError(f"must be owner of database {name}")
    stored = codec.encode(comment) if comment else None
    return DdlPlan(
        CatalogChange(context.snapshot, ((codec.DATABASE_COMMENT_KEY, stored),)), "COMMENT"
    )
