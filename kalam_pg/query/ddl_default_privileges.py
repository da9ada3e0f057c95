"""ALTER DEFAULT PRIVILEGES."""

from catalog import changes, changes_user, default_privileges
from catalog.changes import CatalogChange
from catalog.default_privileges import Said
from catalog.errors import (
    FeatureNotSupportedError,
    InsufficientPrivilegeError,
    InvalidGrantOperationError,
)
from catalog.model import User
from catalog.privileges import Action, allowed
from kalam_pg.query.ddl_context import DdlContext, DdlPlan, grantee_or_role, plan
from kalam_pg.query.ddl_grants import privileges_of
from kalam_pg.sql.statements_users import AlterDefaultPrivileges
from kalam_pg.sql.token_reader import CURRENT, SESSION

_KINDS = {
    "table": default_privileges.TABLES,
    "sequence": default_privileges.SEQUENCES,
    "function": default_privileges.FUNCTIONS,
    "type": default_privileges.TYPES,
    "namespace": default_privileges.SCHEMAS,
}


@plan.register
def _(statement: AlterDefaultPrivileges, context: DdlContext) -> DdlPlan:
    given = statement.given
    if statement.schemas and given.on == "namespace":
        raise InvalidGrantOperationError(
            "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS"
        )
    privileges = privileges_of(given)
    grantees = [grantee_or_role(context, name) for name in given.grantees]
    owners = [_owner(name, context) for name in statement.roles] or [context.user]
    named = [changes.require_namespace(context.snapshot, n.name).id for n in statement.schemas]
    change = CatalogChange(context.snapshot)
    for owner in dict.fromkeys(owners):
        if owner.id in grantees and not given.grant:
            raise FeatureNotSupportedError(
                "revoking default privileges of the owner is not supported",
                detail="Who owns an object may do all with it.",
            )
        said = Said(
            namespaces=tuple(named) or (default_privileges.EVERYWHERE,),
            kind=_KINDS[given.on],
            grant=given.grant,
            privileges=privileges,
            grantees=[who for who in grantees if who != owner.id],
            grantor=context.user.id,
        )
        step = default_privileges.change(context.snapshot, context.get, context.ids, owner.id, said)
        change = CatalogChange(context.snapshot, (*change.puts, *step.puts))
    return DdlPlan(change, "ALTER DEFAULT PRIVILEGES")


def _owner(name: str, context: DdlContext) -> User:
    """Of whose objects it is said. Raises 42704, 42501."""
    if name == CURRENT:
        return context.user
    if name == SESSION:
        return context.session_user or context.user
    user = changes_user.require_user(context.get, name)
    if user.id != context.user.id and not allowed(context.user, Action.ALTER_ROLE, user):
        raise InsufficientPrivilegeError("permission denied to change default privileges")
    return user
