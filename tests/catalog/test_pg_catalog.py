"""Rows of pg_catalog, information_schema and system, as one role may see them."""

import pyarrow as pa
import pytest

from catalog.errors import InsufficientPrivilegeError, InvalidSchemaNameError, UndefinedTableError
from catalog.model import (
    Column,
    Constraint,
    Namespace,
    Role,
    Table,
    TableKind,
    TableOptions,
    User,
    View,
)
from catalog.pg_catalog.objects import CatalogObjects, split_name
from catalog.pg_catalog.relations import all_relations, relation
from catalog.pg_catalog.rows import rows
from catalog.pg_catalog.text import quote_identifier
from catalog.pg_catalog.visible import Visible
from catalog.row_types import row_type
from catalog.system import SYSTEM_RELATIONS, SystemRows, system_relation
from catalog.types import registry
from storage.layout import Column as StoredColumn
from storage.layout import Layout

ROOT = User(10, "root", Role.SYSTEM, oid=10)
ALICE = User(1 << 50 | 5, "alice", Role.USER, oid=17005)
BOB = User(1 << 50 | 6, "bob", Role.USER, oid=17006)
SAM = User(1 << 50 | 7, "sam", Role.SERVICE, oid=17007)
USERS = {u.id: u for u in (ROOT, ALICE, BOB, SAM)}

MESSAGES = Table(
    id=20000,
    namespace="chat",
    name="messages",
    kind=TableKind.USER,
    columns=(
        Column(1, "id", registry.INT8, not_null=True, default="snowflake_id()"),
        Column(2, "Body", registry.TEXT, not_null=True, comment="what was said"),
        Column(4, "price", registry.NUMERIC, registry.numeric_typmod(10, 2)),
    ),
    primary_key=(1,),
    constraints=(
        Constraint(20001, "messages_pkey", "p", (1,)),
        Constraint(20002, "messages_price_check", "c", (4,), "price > 0"),
        Constraint(20003, "messages_body_key", "u", (2, 4)),
    ),
    options=TableOptions(flush_rows=1000, flush_interval_s=300),
    layout=Layout(1, (StoredColumn(1, "id", "int", pa.int64()),), (0,)),
    owner=BOB.id,
    comment="the chat",
)
VIEW = View(20010, "public", "v", "SELECT 1 AS one", (Column(1, "one", registry.INT4),), ROOT.id)


def visible(user: User = ROOT, path: tuple[str, ...] = ("public",)) -> Visible:
    return Visible(
        user,
        (Namespace(2200, "public"), Namespace(16390, "chat", owner=ROOT.id, comment="rooms")),
        (MESSAGES,),
        (VIEW,),
        USERS.values,
        USERS.get,
        {u.oid: u for u in USERS.values()}.get,
        path,
        system_relations=SYSTEM_RELATIONS,
    )


def dicts(name: str, *, user: User = ROOT, schema: str = "pg_catalog") -> list[dict]:
    shape = relation(schema, name)
    assert shape is not None
    names = [c.name for c in shape.columns]
    return [dict(zip(names, row, strict=True)) for row in rows(visible(user), schema, name)]


def only(found: list[dict], **wanted: object) -> dict:
    (row,) = [r for r in found if all(r[k] == v for k, v in wanted.items())]
    return row


def test_the_relations_that_clients_ask_for_have_postgresqls_columns():
    pg_class = relation("pg_catalog", "pg_class")
    assert pg_class is not None
    assert (pg_class.oid, pg_class.kind) == (1259, "r")
    assert [c.name for c in pg_class.columns[:4]] == ["oid", "relname", "relnamespace", "reltype"]
    assert pg_class.columns[1].type is registry.NAME
    assert relation("pg_catalog", "pg_nonsense") is None
    assert len(all_relations()) == 208


@pytest.mark.parametrize("shape", all_relations().values(), ids=lambda r: f"{r.schema}.{r.name}")
def test_every_row_has_a_value_of_its_columns_type_or_null_where_it_may(shape):
    for row in rows(visible(), shape.schema, shape.name):
        for column, value in zip(shape.columns, row, strict=True):
            assert value is not None or not column.not_null, column
            if value is not None:
                assert column.type.output(value, registry_context()) is not None


def registry_context():
    from catalog.types.table import DEFAULT_CONTEXT

    return DEFAULT_CONTEXT


def test_a_user_table_appears_once_as_an_ordinary_table_without_a_row_count():
    row = only(dicts("pg_class"), relname="messages")
    assert (row["oid"], row["relkind"], row["reltuples"]) == (20000, "r", -1.0)
    assert (row["relchecks"], row["relhasindex"], row["relnatts"]) == (1, True, 4)


def test_keys_are_indexes_under_the_oid_of_their_constraint():
    index = only(dicts("pg_class"), relname="messages_body_key")
    assert (index["oid"], index["relkind"], index["relnatts"]) == (20003, "i", 2)
    row = only(dicts("pg_index"), indexrelid=20003)
    assert (row["indrelid"], row["indkey"], row["indisunique"], row["indisprimary"]) == (
        20000, (2, 4), True, False,
    )  # fmt: skip
    assert only(dicts("pg_constraint"), conname="messages_pkey")["conindid"] == 20001


def test_attributes_are_numbered_by_column_id_so_that_dropped_ones_leave_a_gap():
    found = [r for r in dicts("pg_attribute") if r["attrelid"] == 20000]
    assert [(r["attnum"], r["attname"], r["atttypid"]) for r in found] == [
        (1, "id", 20), (2, "Body", 25), (4, "price", 1700),
    ]  # fmt: skip
    assert [r["atthasdef"] for r in found] == [True, False, False]


def test_asking_for_one_relations_attributes_gives_the_same_rows_as_asking_for_all():
    for oid in (20000, 20001, 20003, 20002, 20010, 1259, 13201, 1):
        every = [row for row in rows(visible(), "pg_catalog", "pg_attribute") if row[0] == oid]
        assert list(rows(visible(), "pg_catalog", "pg_attribute", {0: oid})) == every


def test_equality_with_a_constant_leaves_out_rows_that_have_another_value():
    found = list(rows(visible(), "pg_catalog", "pg_class", {1: "messages"}))
    assert [row[1] for row in found] == ["messages"]


def test_a_role_of_users_rank_sees_no_name_of_another_user():
    assert [r["rolname"] for r in dicts("pg_roles", user=ALICE)] == ["alice"]
    assert [r["usename"] for r in dicts("pg_user", user=ALICE)] == ["alice"]
    owners = {r["tableowner"] for r in dicts("pg_tables", user=ALICE)}
    assert owners == {"root"}
    for schema, name in all_relations():
        for row in rows(visible(ALICE), schema, name):
            assert "bob" not in row
            assert "sam" not in row


def test_service_and_up_see_every_user_but_no_secret():
    found = dicts("pg_roles", user=SAM)
    assert {r["rolname"] for r in found} == {"root", "alice", "bob", "sam"}
    assert {r["rolpassword"] for r in found} == {"********"}
    assert {r["rolpassword"] for r in dicts("pg_authid", user=ROOT)} == {None}
    assert only(dicts("pg_tables", user=SAM), tablename="messages")["tableowner"] == "bob"


def test_types_have_postgresqls_oids_and_arrays():
    row = only(dicts("pg_type"), typname="int4")
    assert (row["oid"], row["typarray"], row["typlen"], row["typcategory"]) == (23, 1007, 4, "N")
    rows = [t for r in (MESSAGES, VIEW) for t in (row_type(r), registry.array_of(row_type(r)))]
    assert {r["oid"] for r in dicts("pg_type")} == {t.oid for t in (*registry.TYPES, *rows)}


def test_information_schema_describes_columns_as_postgresql_does():
    found = dicts("columns", schema="information_schema")
    row = only(found, table_name="messages", column_name="price")
    assert row["data_type"] == "numeric"
    assert (row["numeric_precision"], row["numeric_scale"]) == (10, 2)
    assert (row["is_nullable"], row["ordinal_position"]) == ("YES", 3)
    usage = dicts("key_column_usage", schema="information_schema")
    assert [(r["constraint_name"], r["column_name"], r["ordinal_position"]) for r in usage] == [
        ("messages_pkey", "id", 1), ("messages_body_key", "Body", 1),
        ("messages_body_key", "price", 2),
    ]  # fmt: skip


# ------------------------------------------------------------------ objects


def objects(user: User = ROOT, *path: str) -> CatalogObjects:
    return CatalogObjects(visible(user, path or ("public",)))


def test_regclass_is_qualified_unless_the_search_path_finds_it():
    assert objects().object_name("regclass", 20000) == "chat.messages"
    assert objects(ROOT, "chat").object_name("regclass", 20000) == "messages"
    assert objects().object_name("regclass", 1259) == "pg_class"
    assert objects().object_name("regclass", 99) is None


def test_names_give_oids_folded_and_quoted_as_sql_reads_them():
    assert objects().object_oid("regclass", "Chat.MESSAGES") == 20000
    assert objects().object_oid("regclass", 'chat."messages"') == 20000
    with pytest.raises(UndefinedTableError, match='relation "messages" does not exist'):
        objects().object_oid("regclass", "messages")
    with pytest.raises(InvalidSchemaNameError, match='schema "nowhere" does not exist'):
        objects().object_oid("regclass", "nowhere.messages")
    assert objects().functions["to_regclass"]("messages") is None
    assert objects(ROOT, "chat").object_oid("regclass", "messages") == 20000
    assert objects().object_oid("regtype", "double precision") == 701
    assert objects().object_oid("regnamespace", "chat") == 16390


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ("a",)),
        ('A."B c".d', ("a", "B c", "d")),
        ('"a""b"', ('a"b',)),
        ("", None),
        ("a.", None),
        ('"a', None),
        ('"a"b', None),
    ],
)
def test_a_name_is_split_at_its_dots(text, parts):
    assert split_name(text) == parts


def test_definitions_are_printed_as_postgresql_prints_them():
    functions = objects().functions
    assert functions["pg_get_constraintdef"](20001) == "PRIMARY KEY (id)"
    assert functions["pg_get_constraintdef"](20003, True) == 'UNIQUE ("Body", price)'
    assert functions["pg_get_constraintdef"](20002) == "CHECK ((price > 0))"
    assert functions["pg_get_constraintdef"](20002, True) == "CHECK (price > 0)"
    assert functions["pg_get_indexdef"](20003) == (
        'CREATE UNIQUE INDEX messages_body_key ON chat.messages USING btree ("Body", price)'
    )
    assert functions["pg_get_indexdef"](20003, 1, True) == '"Body"'
    assert functions["pg_get_viewdef"](20010) == " SELECT 1 AS one;"
    assert functions["obj_description"](20000, "pg_class") == "the chat"
    assert functions["col_description"](20000, 2) == "what was said"
    assert functions["pg_get_userbyid"](BOB.oid) == "bob"
    assert functions["pg_get_userbyid"](4_000_000_000) == "unknown (OID=4000000000)"


def test_an_unknown_role_and_one_that_may_not_be_seen_look_alike():
    shown = objects(ALICE).functions["pg_get_userbyid"]
    assert shown(BOB.oid) == f"unknown (OID={BOB.oid})"
    assert objects(ALICE).object_oid("regrole", "bob") is None
    assert objects(ALICE).object_oid("regrole", "nobody") is None


@pytest.mark.parametrize(
    ("name", "quoted"), [("a_1", "a_1"), ("A", '"A"'), ("user", '"user"'), ('a"b', '"a""b"')]
)
def test_an_identifier_is_quoted_where_it_must_be(name, quoted):
    assert quote_identifier(name) == quoted


# ------------------------------------------------------------------ system


def system(name: str, user: User = ROOT, **sources: object) -> list[dict]:
    shape = system_relation(name)
    assert shape is not None
    names = [c.name for c in shape.columns]
    found = SystemRows(sources).rows(visible(user), name)  # type: ignore[arg-type]
    return [dict(zip(names, row, strict=True)) for row in found]


def test_system_tables_shows_the_definitions():
    (row,) = system("tables")
    assert (row["namespace"], row["table_name"], row["table_type"]) == ("chat", "messages", "USER")
    assert row["flush_policy"] == "rows:1000,interval:300"
    assert system("columns")[2]["data_type"] == "numeric(10,2)"
    assert {r["name"] for r in system("namespaces")} == {"public", "chat"}


def test_a_role_of_users_rank_reads_its_own_user_row_and_no_servers_rows():
    assert [r["username"] for r in system("users", ALICE)] == ["alice"]
    for name in ("jobs", "sessions", "segments", "audit_log", "stats", "settings"):
        with pytest.raises(InsufficientPrivilegeError):
            system(name, ALICE)


def test_rows_of_what_runs_come_from_the_registered_source():
    def jobs(of: Visible) -> list[dict]:
        return [{"job_id": "1", "status": "running", "user_name": of.user.name}]

    assert system("jobs", ROOT, jobs=jobs)[0]["user_name"] == "root"
    assert system("jobs") == []
    assert system("live", ROOT, live_queries=lambda _v: [{"live_id": "x"}])[0]["live_id"] == "x"
