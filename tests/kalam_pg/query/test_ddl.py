"""Statements become catalog changes: names, rights, notices and command tags are PostgreSQL's."""

from collections.abc import Sequence
from itertools import count

import pytest

from catalog.errors import (
    DuplicateColumnError,
    DuplicateTableError,
    InsufficientPrivilegeError,
    InvalidGrantOperationError,
    InvalidParameterValueError,
    InvalidSchemaNameError,
    ObjectInUseError,
    SqlSyntaxError,
    UndefinedObjectError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.ids import Ids
from catalog.model import Role, Table, TableKind, User, View
from catalog.privileges import Action, allowed
from catalog.store import Store, first_start
from catalog.types.registry import INT4, INT8, TEXT, UNKNOWN, VARCHAR
from kalam_pg.query.ddl import DdlContext, DdlPlan, plan_ddl
from kalam_pg.sql.parse import parse
from kalam_pg.sql.tree import OutputColumn
from tests.catalog.fakes import FakeKeys

NOW = 1_700_000_000_000_000


class World:
    """A catalog in which statements are run one after the other, each written at once."""

    def __init__(self) -> None:
        self.keys = FakeKeys(first_start(NOW).puts)
        self.store = Store(self.keys)
        self.ids = Ids(self.store.first_oid(), count(1 << 40).__next__)
        self.snapshot = self.store.load()
        self.user = self.found("root")
        self.search_path: tuple[str, ...] = ("public",)
        self.bound: list[tuple[str, str]] = []
        self.output: Sequence[OutputColumn] = ()

    def found(self, name: str) -> User:
        user = self.store.user_by_name(name)
        assert user is not None
        return user

    def run(self, text: str) -> DdlPlan:
        (statement,) = parse(text)
        context = DdlContext(
            snapshot=self.snapshot,
            ids=self.ids,
            user=self.user,
            now_us=NOW,
            search_path=self.search_path,
            get=self.store.reader(),
            check_expression=lambda text, table, kind: self.bound.append((text, kind.name)),
            check_indexed=lambda text, _table, kind: (kind, text),
            describe=lambda query: self.output,
            make_verifier=lambda password: f"verifier of {password}",
        )
        plan = plan_ddl(statement, context)
        self.keys.write(plan.change.puts)
        self.store.forget(plan.change.users + plan.change.purged)
        self.snapshot = plan.change.snapshot
        return plan

    def table(self, name: str, schema: str = "public") -> Table:
        table = self.snapshot.find(schema, name, ())
        assert isinstance(table, Table)
        return table

    def become(self, name: str, role: str) -> None:
        user = self.user
        self.user = self.found("root")
        if self.store.user_by_name(name) is None:
            self.run(f"CREATE USER {name} ROLE '{role}'")
        self.user = user if name == user.name else self.found(name)


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize(
    ("texts", "tag"),
    [
        (["CREATE NAMESPACE app"], "CREATE SCHEMA"),
        (["CREATE SCHEMA app", "DROP NAMESPACE app"], "DROP SCHEMA"),
        (["CREATE SCHEMA app", "ALTER NAMESPACE app RENAME TO shop"], "ALTER SCHEMA"),
        (["CREATE TABLE t (a int)"], "CREATE TABLE"),
        (["CREATE TABLE t (a int)", "DROP TABLE t"], "DROP TABLE"),
        (["CREATE VIEW v AS SELECT 1"], "CREATE VIEW"),
        (["CREATE VIEW v AS SELECT 1", "DROP VIEW v"], "DROP VIEW"),
        (["CREATE USER alice PASSWORD 'x'"], "CREATE ROLE"),
        (["CREATE USER alice", "ALTER USER alice EMAIL 'a@b'"], "ALTER ROLE"),
        (["CREATE USER alice", "DROP USER alice"], "DROP ROLE"),
        (["CREATE TABLE t (a int)", "GRANT SELECT ON t TO PUBLIC"], "GRANT"),
        (["CREATE TABLE t (a int)", "REVOKE ALL ON t FROM PUBLIC"], "REVOKE"),
        (["COMMENT ON SCHEMA public IS 'x'"], "COMMENT"),
    ],
)
def test_command_tags_are_postgresqls(world, texts, tag):
    assert [world.run(text).tag for text in texts][-1] == tag


def test_the_walk_throughs_schema_becomes_three_tables(world):
    world.run("CREATE NAMESPACE IF NOT EXISTS chat")
    world.run(
        "CREATE TABLE chat.messages (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), "
        "role_id TEXT NOT NULL, created_at TIMESTAMP DEFAULT NOW()) "
        "WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:1000')"
    )
    world.run(
        "CREATE TABLE chat.typing_events (id BIGINT PRIMARY KEY, event TEXT) "
        "WITH (TYPE = 'STREAM', TTL_SECONDS = 30)"
    )
    messages, events = world.table("messages", "chat"), world.table("typing_events", "chat")
    assert messages.kind is TableKind.USER
    assert messages.options.flush_rows == 1000
    assert [c.type.name for c in messages.columns] == ["int8", "text", "timestamp"]
    assert messages.primary_key == (1,)
    assert world.bound == [("SNOWFLAKE_ID()", "int8"), ("NOW()", "timestamp")]
    assert events.kind is TableKind.STREAM
    assert events.options.ttl_s == 30


def test_checks_are_bound_and_named(world):
    world.run("CREATE TABLE t (a int CHECK (a > 0), b int, CHECK (a < b), CHECK (length('a') = 1))")
    assert [c.name for c in world.table("t").constraints] == ["t_a_check", "t_check", "t_check1"]
    assert ("a < b", "bool") in world.bound


def test_if_exists_and_if_not_exists_answer_with_a_notice(world):
    world.run("CREATE TABLE t (a int)")
    again = world.run("CREATE TABLE IF NOT EXISTS t (b text)")
    assert again.change.notices == ('relation "t" already exists, skipping',)
    assert again.change.puts == ()
    gone = world.run("DROP TABLE IF EXISTS t, nope, no.such")
    assert gone.change.notices == (
        'table "nope" does not exist, skipping',
        'schema "no" does not exist, skipping',
    )
    assert [t.name for t in gone.change.dropped] == ["t"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("CREATE TABLE t (a nope)", UndefinedObjectError, 'type "nope" does not exist'),
        ("CREATE TABLE no.t (a int)", InvalidSchemaNameError, 'schema "no" does not exist'),
        ("CREATE TABLE system.t (a int)", InsufficientPrivilegeError, "permission denied"),
        ("CREATE TABLE t (a int) WITH (x = 1)", InvalidParameterValueError, "unrecognized"),
        ("CREATE TABLE t (a int, a int)", DuplicateColumnError, "more than once"),
        ("CREATE TABLE there (a int)", DuplicateTableError, 'relation "there" already exists'),
        ("DROP TABLE nope", UndefinedTableError, 'table "nope" does not exist'),
        ("DROP VIEW there", WrongObjectTypeError, '"there" is not a view'),
        ("GRANT SELECT ON nope TO PUBLIC", UndefinedTableError, 'relation "nope" does not exist'),
        ("GRANT SELECT ON there TO bob", UndefinedObjectError, 'role "bob" does not exist'),
        ("GRANT CREATE ON there TO PUBLIC", InvalidGrantOperationError, "invalid privilege type"),
        ("COMMENT ON VIEW there IS 'x'", WrongObjectTypeError, "is not a view"),
        ("CREATE VIEW v (a, b) AS SELECT 1", SqlSyntaxError, "more column names than columns"),
        ("DROP USER root", ObjectInUseError, "current user cannot be dropped"),
        ("CREATE USER x ROLE 'king'", InvalidParameterValueError, 'unrecognized role "king"'),
    ],
)
def test_what_cannot_be_is_refused_in_postgresqls_words(world, text, error, message):
    world.run("CREATE TABLE there (a int)")
    with pytest.raises(error, match=message):
        world.run(text)


def test_an_unqualified_table_goes_where_the_search_path_says(world):
    world.run("CREATE NAMESPACE app")
    world.search_path = ("nowhere", "app", "public")
    world.run("CREATE TABLE t (a int)")
    assert world.table("t", "app")
    world.search_path = ("nowhere",)
    with pytest.raises(InvalidSchemaNameError, match="no schema has been selected to create in"):
        world.run("CREATE TABLE t (a int)")


def test_a_view_keeps_its_text_its_columns_and_its_search_path(world):
    world.output = (
        OutputColumn("a", INT4),
        OutputColumn("b", UNKNOWN),
        OutputColumn("c", VARCHAR, 14),
        OutputColumn("_seq", INT8, hidden=True),
    )
    world.run("CREATE VIEW v (x) AS  SELECT a, 'b' AS b, c FROM t ;")
    view = world.snapshot.find("public", "v", ())
    assert isinstance(view, View)
    assert view.query == "SELECT a, 'b' AS b, c FROM t"
    assert [(c.name, c.type) for c in view.columns] == [("x", INT4), ("b", TEXT), ("c", VARCHAR)]
    assert view.search_path == ("public",)
    world.output = (OutputColumn("a", INT4), OutputColumn("a", INT4))
    with pytest.raises(DuplicateColumnError, match='column "a" specified more than once'):
        world.run("CREATE VIEW w AS SELECT 1 AS a, 2 AS a")


def test_grants_reach_users_roles_and_everyone(world):
    world.run("CREATE USER bob")
    world.run("CREATE TABLE t (a int) WITH (ACCESS_LEVEL = 'RESTRICTED')")
    bob = world.found("bob")
    assert not allowed(bob, Action.SELECT, world.table("t"))
    world.run("GRANT SELECT, INSERT ON t TO bob, service")
    assert allowed(bob, Action.SELECT, world.table("t"))
    world.run("GRANT SELECT ON TABLE t TO bob")
    assert len(world.table("t").grants) == 4
    world.run("REVOKE ALL PRIVILEGES ON t FROM bob")
    assert not allowed(bob, Action.SELECT, world.table("t"))
    world.run("GRANT CREATE ON SCHEMA public TO bob")
    world.user = bob
    world.run("CREATE TABLE mine (a int) WITH (TYPE = 'USER')")
    with pytest.raises(InsufficientPrivilegeError, match="permission denied for schema public"):
        world.run("CREATE TABLE ours (a int)")


def test_user_tables_take_no_grants(world):
    world.run("CREATE USER TABLE t (a int)")
    with pytest.raises(WrongObjectTypeError, match="is not a SHARED table"):
        world.run("GRANT SELECT ON t TO PUBLIC")


# ------------------------------------------------------------------ users


def test_passwords_are_stored_as_verifiers(world):
    world.run("CREATE USER 'alice' WITH PASSWORD 'Secret123!' ROLE 'user' EMAIL 'a@b.c'")
    alice = world.found("alice")
    assert (alice.verifier, alice.role, alice.email) == (
        "verifier of Secret123!",
        Role.USER,
        "a@b.c",
    )
    assert not any(b"Secret123!" in data.replace(b"verifier of Secret123!", b"")
                   for data in world.keys.data.values())  # fmt: skip
    world.run("ALTER USER alice PASSWORD NULL")
    assert world.found("alice").verifier == ""
    kept = "SCRAM-SHA-256$4096:c2FsdA==$a:b"
    world.run(f"ALTER USER alice PASSWORD '{kept}'")
    assert world.found("alice").verifier == kept
    empty = world.run("ALTER USER alice PASSWORD ''")
    assert empty.change.notices == ("empty string is not a valid password, clearing password",)


def test_everyone_changes_their_own_password_and_nothing_else(world):
    world.run("CREATE USER eve")
    world.become("alice", "user")
    world.run("ALTER USER alice SET PASSWORD 'new'")
    for text in (
        "ALTER USER alice SET ROLE 'dba'",
        "ALTER USER alice EMAIL 'x'",
        "ALTER USER eve PASSWORD 'x'",
        "ALTER USER nobody PASSWORD 'x'",
        "CREATE USER mallory",
        "DROP USER eve",
    ):
        with pytest.raises(InsufficientPrivilegeError):
            world.run(text)


def test_nobody_grants_a_role_above_their_own(world):
    world.become("boss", "dba")
    world.run("CREATE USER clerk ROLE 'service'")
    world.run("CREATE USER deputy ROLE 'dba'")
    with pytest.raises(InsufficientPrivilegeError):
        world.run("CREATE USER king ROLE 'system'")
    with pytest.raises(InsufficientPrivilegeError):
        world.run("ALTER USER clerk ROLE 'system'")
    with pytest.raises(InsufficientPrivilegeError):
        world.run("ALTER USER root PASSWORD 'mine'")
    with pytest.raises(InsufficientPrivilegeError):
        world.run("DROP USER clerk, root")


def test_a_dropped_user_can_be_restored_or_purged(world):
    world.run("CREATE USER alice")
    world.run("DROP USER alice")
    assert world.found("alice").deleted_at_us == NOW
    with pytest.raises(UndefinedObjectError):
        world.run("DROP USER alice")
    world.run("ALTER USER alice RESTORE")
    assert world.found("alice").deleted_at_us is None
    purged = world.run("DROP USER alice PURGE").change.purged
    assert [user.name for user in purged] == ["alice"]
    assert world.store.user_by_name("alice") is None
    notice = world.run("DROP USER IF EXISTS alice").change.notices
    assert notice == ('role "alice" does not exist, skipping',)


def test_a_plain_user_may_define_nothing(world):
    world.run("CREATE TABLE t (a int)")
    world.become("alice", "user")
    for text in (
        "CREATE NAMESPACE mine",
        "DROP NAMESPACE public",
        "CREATE TABLE x (a int)",
        "CREATE USER TABLE x (a int)",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE t",
        "GRANT SELECT ON t TO alice",
        "COMMENT ON TABLE t IS 'x'",
        "ALTER NAMESPACE public RENAME TO private",
    ):
        with pytest.raises(InsufficientPrivilegeError):
            world.run(text)
