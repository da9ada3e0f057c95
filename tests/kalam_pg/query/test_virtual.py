"""psql's backslash commands over the virtual relations, as roles of different ranks."""

import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.errors import InsufficientPrivilegeError
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
from catalog.snapshot import Snapshot
from catalog.types import registry
from catalog.types.table import DEFAULT_CONTEXT
from kalam_pg.functions.table import EvalContext
from kalam_pg.query import perspective, virtual
from kalam_pg.query.perspective import Perspective, Room, virtual_columns
from kalam_pg.query.virtual import Catalogue
from kalam_pg.sql.bind import BindScope, bind
from kalam_pg.sql.parse import parse
from storage.layout import Column as StoredColumn
from storage.layout import Layout

ROOT = User(1, "root", Role.SYSTEM, oid=10)
ALICE = User(16385, "alice", Role.USER, oid=17385)
BOB = User(16386, "bob", Role.DBA, oid=17386)
USERS = {u.id: u for u in (ROOT, ALICE, BOB)}
PATH = ("chat", "public")

MESSAGES = Table(
    id=20000,
    namespace="chat",
    name="messages",
    kind=TableKind.USER,
    columns=(
        Column(1, "id", registry.INT8, not_null=True, default="snowflake_id()"),
        Column(2, "body", registry.VARCHAR, 24, not_null=True),
        Column(3, "tags", registry.array_of(registry.TEXT) or registry.TEXT),
    ),
    primary_key=(1,),
    constraints=(
        Constraint(20001, "messages_pkey", "p", (1,)),
        Constraint(20002, "messages_body_check", "c", (2,), "body <> ''"),
    ),
    options=TableOptions(),
    layout=Layout(1, (StoredColumn(1, "id", "int", pa.int64()),), (0,)),
    owner=16386,
    comment="what people said",
)
VIEW = View(20010, "public", "latest", "SELECT 1 AS one", (Column(1, "one", registry.INT4),), 1)
SNAPSHOT = Snapshot(
    version=3,
    namespaces={"public": Namespace(2200, "public"), "chat": Namespace(16390, "chat", 16386)},
    tables={MESSAGES.id: MESSAGES},
    views={VIEW.id: VIEW},
)


def queries() -> dict[str, list[str]]:
    """psql's texts by its command."""
    text = (Path(__file__).parent / "psql_queries.sql").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for command, sql in re.findall(r"^-- (\\.*)\n((?:(?!^-- \\).*\n)*)", text, re.MULTILINE):
        found.setdefault(command, []).append(sql.replace("':oid'", f"'{MESSAGES.id}'"))
    return found


PSQL = queries()
catalogue = Catalogue(USERS.values, USERS.get, {u.oid: u for u in USERS.values()}.get)


_SESSION = {
    "has_database_privilege": lambda *_: True,
    "pg_table_size": lambda _: 4711,
    "pg_database_size": lambda _: 4711,
    "pg_tablespace_size": lambda _: 4711,
}
"""What only a session can answer."""


def ask(sql: str, user: User = BOB) -> list[tuple]:
    """Rows as their text, as a client sees them."""
    seen = catalogue.perspective(SNAPSHOT, user, PATH)
    context = seen.bind(
        EvalContext(
            user=user.name,
            search_path=PATH,
            types=DEFAULT_CONTEXT,
            services=_SESSION,
        )
    )
    bound = bind(parse(sql)[0], BindScope(SNAPSHOT, PATH, virtual_columns, (), context.types))  # type: ignore[arg-type]
    rows = catalogue.run(bound.statement, SNAPSHOT, user, context)  # type: ignore[arg-type]
    types = [c.type for c in bound.columns]
    return [
        tuple(
            None if value is None else of.output(value, context.types)
            for value, of in zip(row, types, strict=True)
        )
        for row in rows
    ]


@pytest.mark.parametrize("command", PSQL)
def test_every_query_of_psqls_commands_is_answered(command):
    for sql in PSQL[command]:
        ask(sql)
        ask(sql, ALICE)


def test_dn_lists_the_namespaces_and_their_owners():
    assert ask(PSQL["\\dn"][0]) == [("chat", "bob"), ("public", "root"), ("system", "root")]


def test_dt_lists_tables_and_dv_views():
    assert ask(PSQL["\\dt"][0]) == [("chat", "messages", "table", "bob")]
    assert ask(PSQL["\\dv"][0]) == [("public", "latest", "view", "root")]
    assert ask(PSQL["\\di"][0]) == [("chat", "messages_pkey", "index", "bob", "messages")]


def test_d_name_describes_columns_keys_and_checks():
    found, kind, columns, indexes, checks = [ask(sql) for sql in PSQL["\\d parent"][:5]]
    assert found == [("20000", "chat", "messages")]
    assert kind[0][:4] == ("1", "r", "t", "f")
    assert columns == [
        ("id", "bigint", "snowflake_id()", "t", None, "", ""),
        ("body", "character varying(20)", None, "t", None, "", ""),
        ("tags", "text[]", None, "f", None, "", ""),
    ]
    assert indexes[0][:6] == (
        "messages_pkey", "t", "t", "f", "t",
        "CREATE UNIQUE INDEX messages_pkey ON messages USING btree (id)",
    )  # fmt: skip
    assert checks == [("messages_body_check", "CHECK (body::text <> ''::text)")]


def test_du_shows_all_users_to_a_dba_and_only_oneself_to_a_user():
    everyone = ask(PSQL["\\du"][0])
    assert [row[0] for row in everyone] == ["alice", "bob", "root"]
    assert everyone[0][8] == "{}"
    assert [row[0] for row in ask(PSQL["\\du"][0], ALICE)] == ["alice"]


def test_l_lists_the_one_database():
    assert ask(PSQL["\\l"][0])[0][:3] == ("kalam", "root", "UTF8")


def test_an_owner_that_may_not_be_seen_is_shown_as_the_system():
    assert ask(PSQL["\\dt"][0], ALICE) == [("chat", "messages", "table", "root")]
    assert ask("SELECT pg_get_userbyid(16386::oid)", ALICE) == [("unknown (OID=16386)",)]


def test_names_become_oids_by_the_search_path():
    assert ask("SELECT 'messages'::regclass::oid") == [("20000",)]
    assert ask("SELECT oid::regclass FROM pg_class WHERE relname = 'latest'") == [("latest",)]
    sql = (
        "SELECT attname FROM pg_attribute WHERE attrelid = 'chat.messages'::regclass AND attnum > 1"
    )
    assert ask(sql) == [("body",), ("tags",)]


def test_system_relations_are_read_by_rank():
    assert ask("SELECT table_name, table_type FROM system.tables") == [("messages", "USER")]
    assert ask("SELECT username FROM system.users ORDER BY 1", ALICE) == [("alice",)]
    with pytest.raises(InsufficientPrivilegeError):
        ask("SELECT * FROM system.jobs", ALICE)


def test_a_registered_source_gives_rows_of_what_runs():
    own = Catalogue(
        USERS.values,
        USERS.get,
        USERS.get,
        {"pg_stat_activity": lambda v: [{"pid": 7, "usename": v.user.name}]},
    )
    seen = own.perspective(SNAPSHOT, ALICE)
    (row,) = seen.rows("pg_catalog", "pg_stat_activity")
    assert 7 in row
    assert "alice" in row


def test_a_changed_user_or_catalog_is_seen_at_once():
    before = catalogue.perspective(SNAPSHOT, ALICE, PATH)
    assert catalogue.perspective(SNAPSHOT, ALICE, PATH) is before
    promoted = User(ALICE.id, "alice", Role.DBA)
    assert catalogue.perspective(SNAPSHOT, promoted, PATH).visible.sees_users
    empty = Snapshot(4, SNAPSHOT.namespaces, {}, {})
    assert catalogue.perspective(empty, ALICE, PATH).visible.tables == ()


def test_functions_that_exist_are_in_pg_proc_only_with_postgresqls_oid():
    assert ask("SELECT count(*) FROM pg_proc WHERE oid = 0") == [("0",)]
    assert int(ask("SELECT count(*) FROM pg_cast")[0][0]) > 50


def test_kept_rows_take_room_by_their_texts_and_give_it_back(monkeypatch):
    check = replace(MESSAGES.constraints[1], check=f"body <> '{'x' * 100_000}'")
    table = replace(MESSAGES, constraints=(MESSAGES.constraints[0], check))
    large = replace(SNAPSHOT, version=5, tables={table.id: table})
    own = Catalogue(USERS.values, USERS.get, lambda _oid: None)
    own.perspective(large, ROOT, PATH)
    room = own._room = Room(1000)
    kept = []
    for number in range(5):
        seen = own.perspective(large, BOB, (*PATH, f"path{number}"))
        whole = [list(seen.rows("pg_catalog", "pg_constraint")) for _ in range(2)]
        assert whole[0] == whole[1]
        kept.append("pg_constraint" in seen._defined)
    assert kept.count(True) in (1, 2, 3)
    assert kept == sorted(kept, reverse=True)
    left = room.left
    other = own.perspective(large, User(BOB.id, "bob", Role.USER), (*PATH, "path0"))
    assert room.left > left + 200
    list(other.rows("pg_catalog", "pg_constraint"))
    monkeypatch.setattr(virtual, "PERSPECTIVES_MAX", 1)
    own.perspective(large, ALICE, PATH)
    assert room.left == 1000


def test_rows_that_follow_from_definitions_are_made_once_where_there_is_room():
    visible = (
        Catalogue(USERS.values, USERS.get, lambda _oid: None).perspective(SNAPSHOT, BOB).visible
    )
    constraints = []
    for room in (0, 10_000):
        seen = Perspective(visible, {}, Room(room))
        whole = [list(seen.rows("pg_catalog", "pg_constraint")) for _ in range(2)]
        assert whole[0] == whole[1] != []
        # conname is the second column.
        found = list(seen.rows("pg_catalog", "pg_constraint", {1: "messages_pkey"}))
        assert found == [row for row in whole[0] if row[1] == "messages_pkey"] != []
        next(iter(seen.rows("pg_catalog", "pg_attrdef")))  # What is read in part is not kept.
        next(iter(seen.rows("pg_catalog", "pg_attribute")))
        assert len(list(seen.rows("pg_catalog", "pg_attribute"))) > 1
        constraints.append(whole[0])
    assert constraints[0] == constraints[1]
    assert seen._room.left < 10_000


def test_what_takes_long_among_many_tables_is_made_before_its_rows_are_asked_for(monkeypatch):
    def asked(text):
        return bind(parse(text)[0], BindScope(SNAPSHOT, PATH, virtual_columns)).statement

    own = Catalogue(USERS.values, USERS.get, lambda _oid: None)
    seen = own.perspective(SNAPSHOT, BOB, PATH)
    query = asked("SELECT 1 FROM pg_type t, pg_index i, pg_class c WHERE c.oid = i.indrelid")
    assert seen.lacking(query) == set()
    monkeypatch.setattr(perspective, "LARGE_TABLES", 1)
    assert seen.lacking(asked("SELECT 1 FROM pg_class")) == set()
    lacking = seen.lacking(query)
    assert lacking == {"indexes_by_oid", "types_by_oid"}
    seen.make(lacking)
    assert seen.lacking(query) == set()


def test_relations_about_definitions_are_read_as_far_as_they_are_wanted():
    """In a thread too: what is about what runs is read whole, on the event loop."""
    live = {"jobs": lambda _visible: iter(()), "pg_settings": lambda _visible: iter(())}
    own = Catalogue(USERS.values, USERS.get, lambda _oid: None, live)
    seen = own.perspective(SNAPSHOT, BOB, PATH)
    assert [seen.is_live("system", name) for name in ("jobs", "users", "tables")] == [
        *(True, False, False),
    ]
    assert [seen.is_live("pg_catalog", name) for name in ("pg_settings", "pg_class")] == [
        True,
        False,
    ]
