"""Definitions change the catalog as PostgreSQL's would, and are read again as they were written."""

from itertools import count

import pytest

from catalog import changes, changes_drop, changes_table, changes_user
from catalog.changes_table import NewColumn, NewConstraint, NewTable
from catalog.codec import sequence_key
from catalog.errors import (
    DependentObjectsStillExistError,
    DuplicateColumnError,
    DuplicateObjectError,
    DuplicateSchemaError,
    DuplicateTableError,
    FeatureNotSupportedError,
    InsufficientPrivilegeError,
    InsufficientResourcesError,
    InvalidSchemaNameError,
    InvalidTableDefinitionError,
    ReservedNameError,
    UndefinedColumnError,
    UndefinedObjectError,
    WrongObjectTypeError,
)
from catalog.ids import FIRST_OID, Ids
from catalog.model import Column, Role, Table, TableKind, TableOptions, User, View
from catalog.snapshot import Snapshot
from catalog.store import Store, first_start
from catalog.types.registry import INT4, INT8, JSON, JSONB, NUMERIC, RECORD, TEXT, VARCHAR, array_of
from catalog.uses import sequences_used
from tests.catalog.fakes import FakeKeys

NOW = 1_700_000_000_000_000


class World:
    """A catalog that is written after each change, as the committer would."""

    def __init__(self) -> None:
        self.keys = FakeKeys(first_start(NOW).puts)
        self.store = Store(self.keys)
        self.ids = Ids(self.store.first_oid(), count(1 << 40).__next__)
        self.snapshot: Snapshot = self.store.load()

    def apply(self, change: changes.CatalogChange) -> changes.CatalogChange:
        end, put = self.ids.reservation()
        self.keys.write([put, *change.puts])
        self.ids.reserved(end)
        self.store.forget(change.users + change.purged)
        self.snapshot = change.snapshot
        return change

    def namespace(self, name: str) -> changes.CatalogChange:
        return self.apply(
            changes.create_namespace(self.snapshot, self.ids, name, owner=10, now_us=NOW)
        )

    def table(self, *columns: NewColumn, name: str = "t", constraints=(), namespace="public"):
        new = NewTable(namespace, name, TableKind.USER, columns, tuple(constraints), TableOptions())
        self.apply(changes_table.create_table(self.snapshot, self.ids, new, owner=10, now_us=NOW))
        found = self.snapshot.find(namespace, name, ())
        assert isinstance(found, Table)
        return found

    def user(self, name: str, role: Role = Role.USER) -> User:
        change = changes_user.create_user(
            self.snapshot, self.ids, self.store.reader(), User(0, name, role), now_us=NOW
        )
        self.apply(change)
        return change.users[0]


@pytest.fixture
def world():
    return World()


A, B = NewColumn("a", INT4), NewColumn("b", TEXT)


def test_a_first_start_has_public_and_root(world):
    assert list(world.snapshot.namespaces) == ["public"]
    root = world.store.user_by_name("root")
    assert root is not None
    assert root.role is Role.SYSTEM


def test_a_namespace_is_created_once(world):
    world.namespace("app")
    with pytest.raises(DuplicateSchemaError, match='schema "app" already exists'):
        world.namespace("app")
    again = changes.create_namespace(
        world.snapshot, world.ids, "app", owner=10, now_us=NOW, if_not_exists=True
    )
    assert again.notices == ('schema "app" already exists, skipping',)
    assert again.snapshot is world.snapshot


@pytest.mark.parametrize("name", ["pg_mine", "system", "pg_catalog", "information_schema"])
def test_reserved_namespaces_are_refused(world, name):
    with pytest.raises((ReservedNameError, DuplicateSchemaError)):
        world.namespace(name)


def test_a_table_without_a_key_gets_a_hidden_one(world):
    table = world.table(A, B)
    assert table.hidden_key
    assert [c.name for c in table.columns] == ["a", "b", "_rowid"]
    assert table.primary_key == (3,)
    assert table.layout.key == (2,)
    assert table.columns[2].default == "SNOWFLAKE_ID()"


def test_a_composite_key_is_not_null_and_in_its_own_order(world):
    table = world.table(A, B, constraints=[NewConstraint("p", columns=("b", "a"))])
    assert not table.hidden_key
    assert table.primary_key == (2, 1)
    assert table.layout.key == (1, 0)
    assert all(c.not_null for c in table.columns)


def test_constraints_are_named_as_postgresql_names_them(world):
    table = world.table(
        A,
        B,
        constraints=[
            NewConstraint("p", columns=("a",)),
            NewConstraint("u", columns=("b",)),
            NewConstraint("u", columns=("a", "b")),
            NewConstraint("c", columns=("a",), check="a > 0"),
            NewConstraint("c", columns=("a",), check="a < 9"),
            NewConstraint("c", columns=("a", "b"), check="a < length(b)"),
            NewConstraint("c", name="mine", check="true"),
        ],
    )
    assert [c.name for c in table.constraints] == [
        "t_pkey", "t_b_key", "t_a_b_key", "t_a_check", "t_a_check1", "t_check", "mine",
    ]  # fmt: skip
    assert len({c.id for c in table.constraints} | {table.id}) == 8


def test_long_names_are_cut_to_63_bytes_the_longer_part_first(world):
    column = "c" * 60
    table = world.table(
        NewColumn(column, INT4), name="t" * 63, constraints=[NewConstraint("u", columns=(column,))]
    )
    name = table.constraints[0].name
    assert name == "t" * 29 + "_" + "c" * 29 + "_key"
    assert len(name) == 63


@pytest.mark.parametrize(
    ("columns", "constraints", "error", "text"),
    [
        ((A, A), (), DuplicateColumnError, 'column "a" specified more than once'),
        ((NewColumn("_seq", INT8),), (), DuplicateColumnError, "conflicts with a system column"),
        ((NewColumn("r", RECORD),), (), InvalidTableDefinitionError, "pseudo-type record"),
        ((A,), (NewConstraint("p", columns=("x",)),), UndefinedColumnError, "named in key"),
        ((A,), (NewConstraint("u", columns=("a", "a")),), DuplicateColumnError, "appears twice"),
        (
            (A, B),
            (NewConstraint("p", columns=("a",)), NewConstraint("p", columns=("b",))),
            InvalidTableDefinitionError,
            'multiple primary keys for table "t" are not allowed',
        ),
        (
            (NewColumn("j", JSONB),),
            (NewConstraint("p", columns=("j",)),),
            FeatureNotSupportedError,
            "a key or an index over jsonb is not supported",
        ),
        (
            (NewColumn("j", JSON),),
            (NewConstraint("u", columns=("j",)),),
            UndefinedObjectError,
            "data type json has no default operator class",
        ),
        (
            (A,),
            (NewConstraint("c", "x", check="a>0"), NewConstraint("c", "x", check="a>1")),
            DuplicateObjectError,
            'constraint "x" for relation "t" already exists',
        ),
    ],
)
def test_a_table_that_cannot_be_is_refused_in_postgresqls_words(
    world, columns, constraints, error, text
):
    with pytest.raises(error, match=text):
        world.table(*columns, constraints=constraints)


def test_a_relation_of_that_name_or_a_missing_namespace_is_refused(world):
    world.table(A)
    with pytest.raises(DuplicateTableError, match='relation "t" already exists'):
        world.table(A)
    with pytest.raises(InvalidSchemaNameError, match='schema "nope" does not exist'):
        world.table(A, namespace="nope")
    with pytest.raises(InsufficientPrivilegeError, match="permission denied for schema system"):
        world.table(A, namespace="system")


def test_serial_columns_take_their_numbers_from_sequences_that_go_with_them(world):
    columns = (NewColumn("id", INT4, identity="s"), NewColumn("n", INT8, identity="a"))
    new = NewTable("public", "s", TableKind.USER, columns, (), TableOptions())
    change = changes_table.create_table(world.snapshot, world.ids, new, owner=10, now_us=NOW)
    table = change.snapshot.find("public", "s", ())
    assert table is not None
    serial, identity = change.snapshot.sequences_of(table.id)
    assert (serial.name, serial.type, serial.maximum) == ("s_id_seq", INT4, (1 << 31) - 1)
    assert (identity.name, identity.type, identity.internal) == ("s_n_seq", INT8, True)
    for column, sequence in zip(table.columns, (serial, identity), strict=False):
        assert column.not_null
        assert sequences_used(column.default) == {sequence.id}
        assert sequence.owned_by == (table.id, column.id)
    gone = changes_drop.drop_relations(change.snapshot, [table], "table")
    assert not gone.snapshot.sequences
    assert {sequence_key(s.id) for s in (serial, identity)} <= {
        key for key, value in gone.puts if not value
    }


def test_what_was_written_is_read_again(world):
    world.namespace("app")
    array = array_of(NUMERIC)
    assert array is not None
    world.table(
        NewColumn("id", INT8, default="SNOWFLAKE_ID()"),
        NewColumn("name", VARCHAR, 14, not_null=True, default="'x'"),
        NewColumn("many", array),
        constraints=[NewConstraint("p", columns=("id",)), NewConstraint("c", check="id > 0")],
        namespace="app",
    )
    world.apply(
        changes.create_view(
            world.snapshot,
            world.ids,
            "app",
            "v",
            query="SELECT 1 AS one",
            columns=[Column(1, "one", INT4)],
            search_path=("app", "public"),
            owner=10,
            now_us=NOW,
        )
    )
    table = world.snapshot.find("app", "t", ())
    assert isinstance(table, Table)
    world.apply(
        changes.change_grants(
            world.snapshot,
            table,
            privileges=("SELECT",),
            grantees=("PUBLIC", 16384),
            grantor=10,
            grant=True,
        )
    )
    again = Store(world.keys).load()
    assert again.version == world.snapshot.version
    assert again.namespaces == world.snapshot.namespaces
    assert again.tables == world.snapshot.tables
    assert again.views == world.snapshot.views


def test_dropping_a_namespace_needs_cascade_when_something_is_in_it(world):
    world.namespace("app")
    table = world.table(A, namespace="app")
    with pytest.raises(DependentObjectsStillExistError) as raised:
        changes_drop.drop_namespaces(world.snapshot, ["app"])
    assert raised.value.detail == "table app.t depends on schema app"
    change = world.apply(changes_drop.drop_namespaces(world.snapshot, ["app"], cascade=True))
    assert change.dropped == (table,)
    assert change.notices == ("drop cascades to table app.t",)
    assert Store(world.keys).load().tables == {}


def test_ids_are_not_used_again(world):
    first = world.table(A)
    world.apply(changes_drop.drop_relations(world.snapshot, [first], "table"))
    world.snapshot = Store(world.keys).load()
    assert world.table(A).id > first.id


def test_renaming_a_namespace_takes_its_tables_along(world):
    world.namespace("app")
    table = world.table(A, namespace="app")
    world.apply(changes.rename_namespace(world.snapshot, "app", "shop"))
    assert world.snapshot.find("app", "t", ()) is None
    moved = Store(world.keys).load().find("shop", "t", ())
    assert moved is not None
    assert moved.id == table.id


def test_a_view_is_replaced_only_by_one_with_the_same_columns(world):
    def view(*columns: Column, or_replace: bool = True) -> changes.CatalogChange:
        return changes.create_view(
            world.snapshot,
            world.ids,
            "public",
            "v",
            query="…",
            columns=columns,
            search_path=(),
            owner=10,
            now_us=NOW,
            or_replace=or_replace,
        )

    world.apply(view(Column(1, "a", INT4)))
    first = world.snapshot.find("public", "v", ())
    with pytest.raises(DuplicateTableError):
        view(Column(1, "a", INT4), or_replace=False)
    with pytest.raises(InvalidTableDefinitionError, match='name of view column "a" to "b"'):
        view(Column(1, "b", INT4))
    with pytest.raises(InvalidTableDefinitionError, match="cannot drop columns from view"):
        view()
    world.apply(view(Column(1, "a", INT4), Column(2, "b", TEXT)))
    second = world.snapshot.find("public", "v", ())
    assert isinstance(first, View)
    assert isinstance(second, View)
    assert first.id == second.id


def test_drop_table_and_drop_view_know_each_other(world):
    table = world.table(A)
    with pytest.raises(WrongObjectTypeError, match='"t" is not a view'):
        changes_drop.drop_relations(world.snapshot, [table], "view")


def test_an_unqualified_name_is_found_along_the_search_path(world):
    world.namespace("app")
    here = world.table(A)
    there = world.table(A, namespace="app")
    assert world.snapshot.find("", "t", ("app", "public")) is there
    assert world.snapshot.find("", "t", ("public", "app")) is here
    assert world.snapshot.find("", "t", ("nowhere",)) is None


def test_comments_are_kept(world):
    table = world.table(A)
    world.apply(changes.comment_on_relation(world.snapshot, table, "hello"))
    table = world.snapshot.tables[table.id]
    assert table is not None
    world.apply(changes.comment_on_relation(world.snapshot, table, "first", "a"))
    again = Store(world.keys).load().tables[table.id]
    assert again is not None
    assert (again.comment, again.columns[0].comment) == ("hello", "first")
    with pytest.raises(UndefinedColumnError, match='column "z" of relation "t" does not exist'):
        changes.comment_on_relation(world.snapshot, table, "x", "z")


# ------------------------------------------------------------------ users


def test_users_are_numbered_and_found_by_name_and_by_their_roles_oids(world):
    alice, bob = world.user("alice"), world.user("bob", Role.SERVICE)
    assert len({alice.id, bob.id, alice.oid, bob.oid}) == 4
    assert alice.id > 0xFFFFFFFF >= alice.oid
    assert world.store.user_by_oid(bob.oid) == bob
    assert world.store.user_by_oid(10) == world.store.user_by_name("root")
    assert world.store.user_by_oid(11) is None
    assert world.store.user_by_name("bob") == bob
    assert [u.name for u in Store(world.keys).users()] == ["root", "alice", "bob"]
    with pytest.raises(DuplicateObjectError, match='role "alice" already exists'):
        world.user("alice")
    with pytest.raises(ReservedNameError, match='role name "pg_x" is reserved'):
        world.user("pg_x")


def test_two_users_of_one_transaction_get_two_ids(world):
    one = changes_user.create_user(
        world.snapshot, world.ids, world.store.reader(), User(0, "a", Role.USER), now_us=NOW
    )
    two = changes_user.create_user(
        world.snapshot, world.ids, world.store.reader(one.puts), User(0, "b", Role.USER), now_us=NOW
    )
    assert one.users[0].id != two.users[0].id
    with pytest.raises(DuplicateObjectError):
        changes_user.create_user(
            world.snapshot,
            world.ids,
            world.store.reader(one.puts),
            User(0, "a", Role.USER),
            now_us=NOW,
        )


def test_a_dropped_users_name_is_free_and_the_record_stays_until_purged(world):
    alice = world.user("alice")
    world.apply(changes_user.delete_user(world.snapshot, alice, now_us=NOW + 1))
    gone = world.store.user_by_name("alice")
    assert gone is not None
    assert gone.deleted_at_us == NOW + 1
    with pytest.raises(UndefinedObjectError, match='role "alice" does not exist'):
        changes_user.require_user(world.store.reader(), "alice")
    again = world.user("alice")
    assert (again.id, again.oid) > (alice.id, alice.oid)
    with pytest.raises(DuplicateObjectError):
        world.user("alice")
    change = world.apply(changes_user.purge_user(world.snapshot, world.store.reader(), gone))
    assert change.purged == (gone,)
    assert world.store.user_by_oid(alice.oid) is None
    assert world.store.user_by_name("alice") == again
    world.apply(changes_user.purge_user(world.snapshot, world.store.reader(), again))
    assert world.store.user_by_name("alice") is None


def test_a_user_is_read_from_the_engine_once(world):
    world.user("alice")
    world.store.user_by_name("alice")
    before = world.keys.reads
    for _ in range(5):
        world.store.user_by_name("alice")
    assert world.keys.reads == before


@pytest.mark.parametrize(
    ("word", "role"),
    [("user", Role.USER), ("admin", Role.DBA), ("Analyst", Role.SERVICE), ("readonly", Role.USER)],
)
def test_older_role_names_mean_todays(word, role):
    assert changes_user.parse_role(word) is role


# ------------------------------------------------------------------ numbers


def test_a_number_is_given_once_whatever_becomes_of_what_it_was_for(world):
    given: list[int] = []
    for _ in range(3):  # None of them is kept.
        new = NewTable("public", "t", TableKind.USER, (A,), (), TableOptions())
        change = changes_table.create_table(world.snapshot, world.ids, new, owner=10, now_us=NOW)
        (table,) = change.created
        given += [table.id, *(c.id for c in table.constraints)]
        user = changes_user.create_user(
            world.snapshot, world.ids, world.store.reader(), User(0, "u", Role.USER), now_us=NOW
        )
        given += [user.users[0].oid, user.users[0].id]
    table = world.table(A)
    given += [table.id, world.user("u").id]
    assert len(set(given)) == len(given)


def test_a_restart_begins_above_every_number_that_was_covered(world):
    last = FIRST_OID
    for number in range(600):
        last = world.ids.oids()
        if not world.ids.covered:
            end, put = world.ids.reservation()
            world.keys.write([put])
            world.ids.reserved(end)
        assert Store(world.keys).first_oid() > last, number
    assert Store(world.keys).first_oid() <= last + 2 * 256


def test_oids_end_at_32_bits():
    ids = Ids((1 << 32) - 3, count(1).__next__)
    ids.oids()
    with pytest.raises(InsufficientResourcesError):
        ids.oids(2)
