"""Who may do what: the table of sql.md, "Users, roles, contexts", as one table of rules.

A rule says from which role on an action is allowed to everyone; what else allows it (a grant, being the
owner, the table's ACCESS_LEVEL) is looked up only below that role.
"""

from enum import Enum

from catalog.errors import InsufficientPrivilegeError
from catalog.functions import Function
from catalog.model import (
    Namespace,
    NumberSequence,
    Role,
    Table,
    TableKind,
    User,
    UserType,
    View,
    kind_of,
)

Object = Table | View | UserType | NumberSequence | Function | Namespace | User | None


class Action(Enum):
    """What a statement asks to be allowed. The value is how the refusal of a plain action reads."""

    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    TRUNCATE = "TRUNCATE"
    FLUSH = "flush tables"
    COMPACT = "compact tables"
    CREATE_USER_TABLE = "create tables"
    CREATE_SHARED_TABLE = "create SHARED tables"
    ALTER_TABLE = "alter tables"
    DROP_TABLE = "drop tables"
    CREATE_VIEW = "create views"
    DROP_VIEW = "drop views"
    CREATE_TYPE = "create types"
    ALTER_TYPE = "alter types"
    DROP_TYPE = "drop types"
    CREATE_FUNCTION = "create functions"
    ALTER_FUNCTION = "alter functions"
    DROP_FUNCTION = "drop functions"
    ALTER_SEQUENCE = "alter sequences"
    DROP_SEQUENCE = "drop sequences"
    COMMENT = "comment on objects"
    GRANT = "grant privileges"
    CREATE_NAMESPACE = "create schema"
    DROP_NAMESPACE = "drop schema"
    ALTER_NAMESPACE = "alter schema"
    CREATE_ROLE = "create role"
    ALTER_ROLE = "alter role"
    DROP_ROLE = "drop role"
    ADMINISTER_STORAGE = "administer storages"
    BACKUP = "back up or restore databases"
    SEE_JOBS = "see or end jobs"
    SEE_USERS = "see other users"
    READ_ALL_USERS = "read all users' rows"


_EVERYONE, _SERVICE, _DBA = Role.USER.rank, Role.SERVICE.rank, Role.DBA.rank

# From which rank on an action is allowed whatever the object. Data actions depend on the table.
_FROM: dict[Action, int] = {
    Action.FLUSH: _SERVICE,
    Action.COMPACT: _SERVICE,
    Action.CREATE_USER_TABLE: _SERVICE,
    Action.CREATE_SHARED_TABLE: _SERVICE,
    Action.ALTER_TABLE: _SERVICE,
    Action.DROP_TABLE: _DBA,
    Action.CREATE_VIEW: _SERVICE,
    Action.DROP_VIEW: _DBA,
    Action.CREATE_TYPE: _SERVICE,
    Action.ALTER_TYPE: _DBA,
    Action.DROP_TYPE: _DBA,
    Action.CREATE_FUNCTION: _SERVICE,
    Action.ALTER_FUNCTION: _DBA,
    Action.DROP_FUNCTION: _DBA,
    Action.ALTER_SEQUENCE: _DBA,
    Action.DROP_SEQUENCE: _DBA,
    Action.COMMENT: _DBA,
    Action.GRANT: _DBA,
    Action.CREATE_NAMESPACE: _DBA,
    Action.DROP_NAMESPACE: _DBA,
    Action.ALTER_NAMESPACE: _DBA,
    Action.CREATE_ROLE: _DBA,
    Action.ALTER_ROLE: _DBA,
    Action.DROP_ROLE: _DBA,
    Action.ADMINISTER_STORAGE: _DBA,
    Action.BACKUP: _DBA,
    Action.SEE_JOBS: _SERVICE,
    Action.SEE_USERS: _SERVICE,
    Action.READ_ALL_USERS: _DBA,
}
_DATA = {Action.SELECT, Action.INSERT, Action.UPDATE, Action.DELETE, Action.TRUNCATE}
_OWNED = {
    Action.DROP_VIEW,
    Action.COMMENT,
    Action.GRANT,
    Action.ALTER_TYPE,
    Action.DROP_TYPE,
    Action.ALTER_FUNCTION,
    Action.DROP_FUNCTION,
    Action.ALTER_SEQUENCE,
    Action.DROP_SEQUENCE,
}
_WITH_OWNERS = Table | View | UserType | NumberSequence | Function
_IN_NAMESPACE = {
    Action.CREATE_USER_TABLE,
    Action.CREATE_VIEW,
    Action.CREATE_TYPE,
    Action.CREATE_FUNCTION,
}


def check(user: User, action: Action, target: Object = None) -> InsufficientPrivilegeError | None:
    """Why `user` may not do `action` (to `target`), None when they may."""
    return None if allowed(user, action, target) else _refusal(action, target)


def require(user: User, action: Action, target: Object = None) -> None:
    """Raise 42501 unless `user` may do `action` (to `target`)."""
    if not allowed(user, action, target):
        raise _refusal(action, target)


def check_table(user: User, action: Action, table: Table) -> None:
    """Raise 42501 unless `user` may read or change the rows that they see of `table`."""
    if not table.per_user and not _may_data(user, action, table):
        raise _refusal(action, table)


def allowed(user: User, action: Action, target: Object = None) -> bool:
    """Whether `user` may do `action` (to `target`)."""
    rank = user.role.rank
    if action in _DATA:
        # A view is read with its caller's rights: the tables in it are checked one by one.
        return not isinstance(target, Table) or table_allows(user, action, target)
    if isinstance(target, Table | View | NumberSequence) and target.temporary:
        return target.owner == user.id or rank >= _DBA
    if rank >= _FROM[action]:
        return not isinstance(target, User) or rank >= target.role.rank
    if action in _OWNED and isinstance(target, _WITH_OWNERS):
        return target.owner == user.id
    if action in _IN_NAMESPACE and isinstance(target, Namespace):
        return _granted(user, "CREATE", target)
    if isinstance(target, Table) and target.kind is not TableKind.SHARED:
        # Their own tablets of a USER table; a table they were granted to create.
        if action in {Action.FLUSH, Action.COMPACT}:
            return target.kind is TableKind.USER
        return action is Action.ALTER_TABLE and target.owner == user.id
    return False


def check_usage(user: User, made: UserType) -> None:
    """Raise 42501 unless `user` may use a type that somebody made in what they define."""
    if not may_use(user, made):
        raise InsufficientPrivilegeError(f"permission denied for type {made.name}")


def may_use(user: User, made: UserType) -> bool:
    """Whether `user` may use a type that somebody made in what they define."""
    if made.public or user.role.rank >= _DBA or made.owner == user.id:
        return True
    return _granted(user, "USAGE", made)


def check_execute(user: User, function: Function) -> None:
    """Raise 42501 unless `user` may call a function."""
    if not may_execute(user, function):
        raise InsufficientPrivilegeError(f"permission denied for {function.what} {function.name}")


def may_execute(user: User, function: Function) -> bool:
    """Whether `user` may call a function."""
    if function.public or user.role.rank >= _DBA or function.owner == user.id:
        return True
    return _granted(user, "EXECUTE", function)


def table_allows(user: User, action: Action, table: Table) -> bool:
    """Whether `user` may read or change the rows that they see of `table`."""
    return table.per_user or _may_data(user, action, table)


def sequence_allows(
    user: User, privileges: tuple[str, ...], sequence: NumberSequence, owner: Table | None
) -> bool:
    """Whether `user` has one of the privileges on a sequence; owner: the table that owns it.

    A sequence that belongs to a table goes with it: who may add rows takes numbers.
    """
    if user.role.rank >= _DBA or sequence.owner == user.id:
        return True
    if owner is not None and table_allows(user, Action.INSERT, owner):
        return True
    return any(_granted(user, privilege, sequence) for privilege in privileges)


def _may_data(user: User, action: Action, table: Table) -> bool:
    """The rows of a SHARED table or SHARED-scope stream."""
    rank = user.role.rank
    if rank >= _DBA or table.owner == user.id:
        return True
    if table.temporary:
        by_level = False  # Its session's, as who made it: nobody else can name it.
    elif table.kind is TableKind.STREAM:
        # Presence and typing events cross users: everyone reads and adds, services do the rest.
        by_level = action in (Action.SELECT, Action.INSERT) or rank >= _SERVICE
    else:
        level = table.options.access_level
        readable = level == "PUBLIC" and action is Action.SELECT
        by_level = readable or (level != "RESTRICTED" and rank >= _SERVICE)
    privilege = "DELETE" if action is Action.TRUNCATE else action.value
    return by_level or _granted(user, privilege, table)


def _granted(
    user: User, privilege: str, target: Table | NumberSequence | Namespace | UserType | Function
) -> bool:
    names = (user.id, user.role.value, "PUBLIC")
    return any(g.privilege == privilege and g.grantee in names for g in target.grants)


def _refusal(action: Action, target: Object) -> InsufficientPrivilegeError:
    """42501 in PostgreSQL's words."""
    match target:
        case Table() if action in _DATA:
            return InsufficientPrivilegeError(
                f"permission denied for {kind_of(target)} {target.name}"
            )
        case Table() | View():
            return InsufficientPrivilegeError(f"must be owner of {kind_of(target)} {target.name}")
        case UserType():
            return InsufficientPrivilegeError(f"must be owner of type {target.name}")
        case Function():
            return InsufficientPrivilegeError(f"must be owner of {target.what} {target.name}")
        case NumberSequence():
            return InsufficientPrivilegeError(f"must be owner of sequence {target.name}")
        case Namespace() if action in (Action.DROP_NAMESPACE, Action.ALTER_NAMESPACE):
            return InsufficientPrivilegeError(f"must be owner of schema {target.name}")
        case Namespace():
            return InsufficientPrivilegeError(f"permission denied for schema {target.name}")
        case User():
            return InsufficientPrivilegeError(f"permission denied to {action.value}")
        case None:
            return InsufficientPrivilegeError(f"permission denied to {action.value}")
