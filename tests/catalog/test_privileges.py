"""The table of sql.md, "Users, roles, contexts", row by row."""

import pytest

from catalog.errors import InsufficientPrivilegeError
from catalog.model import Grant, Namespace, Role, Table, TableKind, TableOptions, User
from catalog.privileges import Action, allowed, check, check_table, require
from storage.layout import Layout

USERS = {role: User(100 + role.rank, role.value, role) for role in Role}


def table(kind: TableKind, *, owner: int = 10, grants: tuple[Grant, ...] = (), **options) -> Table:
    return Table(
        1, "public", "t", kind, (), (), (), TableOptions(**options), Layout(1, (), ()), owner,
        grants=grants,
    )  # fmt: skip


NAMESPACE = Namespace(1, "app")
USER_TABLE = table(TableKind.USER)
PUBLIC = table(TableKind.SHARED)
PRIVATE = table(TableKind.SHARED, access_level="PRIVATE")
RESTRICTED = table(TableKind.SHARED, access_level="RESTRICTED")
EVENTS = table(TableKind.STREAM, scope="SHARED")

# From which role on each may be done.
RULES = [
    (Action.SELECT, USER_TABLE, Role.USER),
    (Action.DELETE, USER_TABLE, Role.USER),
    (Action.TRUNCATE, USER_TABLE, Role.USER),
    (Action.INSERT, table(TableKind.STREAM), Role.USER),
    (Action.SELECT, PUBLIC, Role.USER),
    (Action.INSERT, PUBLIC, Role.SERVICE),
    (Action.SELECT, PRIVATE, Role.SERVICE),
    (Action.UPDATE, PRIVATE, Role.SERVICE),
    (Action.SELECT, RESTRICTED, Role.DBA),
    (Action.DELETE, RESTRICTED, Role.DBA),
    (Action.SELECT, EVENTS, Role.USER),
    (Action.INSERT, EVENTS, Role.USER),
    (Action.DELETE, EVENTS, Role.SERVICE),
    (Action.CREATE_USER_TABLE, NAMESPACE, Role.SERVICE),
    (Action.CREATE_SHARED_TABLE, NAMESPACE, Role.SERVICE),
    (Action.ALTER_TABLE, PUBLIC, Role.SERVICE),
    (Action.FLUSH, PUBLIC, Role.SERVICE),
    (Action.FLUSH, USER_TABLE, Role.USER),
    (Action.COMPACT, PUBLIC, Role.SERVICE),
    (Action.COMPACT, USER_TABLE, Role.USER),
    (Action.DROP_TABLE, USER_TABLE, Role.DBA),
    (Action.CREATE_NAMESPACE, None, Role.DBA),
    (Action.DROP_NAMESPACE, NAMESPACE, Role.DBA),
    (Action.CREATE_ROLE, None, Role.DBA),
    (Action.BACKUP, None, Role.DBA),
    (Action.READ_ALL_USERS, USER_TABLE, Role.DBA),
    (Action.SEE_USERS, None, Role.SERVICE),
]


@pytest.mark.parametrize(("action", "target", "least"), RULES)
def test_an_action_is_allowed_from_a_role_on(action, target, least):
    for role, user in USERS.items():
        assert allowed(user, action, target) is (role.rank >= least.rank), role


@pytest.mark.parametrize("grantee", [100, "user", "PUBLIC"])
def test_a_grant_opens_a_restricted_table(grantee):
    granted = table(
        TableKind.SHARED, access_level="RESTRICTED", grants=(Grant(grantee, "SELECT", 10),)
    )
    assert allowed(USERS[Role.USER], Action.SELECT, granted)
    assert not allowed(USERS[Role.USER], Action.INSERT, granted)


def test_a_grant_to_somebody_else_opens_nothing():
    granted = table(TableKind.SHARED, access_level="RESTRICTED", grants=(Grant(999, "SELECT", 10),))
    assert not allowed(USERS[Role.USER], Action.SELECT, granted)


def test_create_on_a_namespace_lets_a_user_create_their_kinds_of_table():
    namespace = Namespace(1, "app", grants=(Grant("user", "CREATE", 10),))
    assert allowed(USERS[Role.USER], Action.CREATE_USER_TABLE, namespace)
    assert not allowed(USERS[Role.USER], Action.CREATE_SHARED_TABLE, namespace)


def test_nobody_changes_a_user_above_their_own_role():
    assert allowed(USERS[Role.SYSTEM], Action.ALTER_ROLE, USERS[Role.DBA])
    assert not allowed(USERS[Role.DBA], Action.ALTER_ROLE, USERS[Role.SYSTEM])


def test_refusals_are_in_postgresqls_words():
    error = check(USERS[Role.USER], Action.INSERT, PUBLIC)
    assert error is not None
    assert (error.sqlstate, error.message) == ("42501", "permission denied for table t")
    with pytest.raises(InsufficientPrivilegeError, match="permission denied for table t"):
        check_table(USERS[Role.USER], Action.SELECT, PRIVATE)
    with pytest.raises(InsufficientPrivilegeError, match="must be owner of table t"):
        require(USERS[Role.SERVICE], Action.DROP_TABLE, PUBLIC)
    with pytest.raises(InsufficientPrivilegeError, match="permission denied to create role"):
        require(USERS[Role.SERVICE], Action.CREATE_ROLE)
