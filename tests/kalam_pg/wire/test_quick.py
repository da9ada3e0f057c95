"""One step or many: a statement's pipeline is answered alike, and so is a text with literals.

A pipeline that comes whole may be done in one step (`wire.quick`); cut into bytes it never is.
"""

from contextlib import asynccontextmanager

import pytest

from kalam_pg.pgwire.messages import (
    Bind,
    BindComplete,
    CommandComplete,
    DataRow,
    Describe,
    ErrorResponse,
    Execute,
    NoData,
    Parse,
    PortalSuspended,
    Query,
    ReadyForQuery,
    RowDescription,
    Sync,
)
from kalam_pg.wire import extended
from tests import frontend
from tests.kalam_pg.wire.clients import Client, pipeline, serving, tags

TABLE = (
    "CREATE USER TABLE shop.items (id bigint PRIMARY KEY, name varchar(8) NOT NULL, "
    "price numeric(6,2) CHECK (price >= 0), at timestamptz DEFAULT '2026-01-01 12:00:00+00')"
)
INSERT = "INSERT INTO shop.items (id, name, price) VALUES ($1, $2, $3)"
SELECT = "SELECT name, price, id FROM shop.items WHERE id = $1"
SYSTEM = "SELECT id + 1, _seq > 0 FROM shop.items WHERE id = $1 AND price > 1"

STEPS = [
    pipeline("insert", "1", "one", "1.50"),
    pipeline("insert", "1", "again", "2"),  # 23505
    pipeline("insert", "2", None, "2"),  # 23502
    pipeline("insert", "3", "three", "-1"),  # 23514
    pipeline("insert", "3", "far too long", "3"),  # 22001
    pipeline("insert", "three", "three", "3"),  # 22P02
    pipeline("insert", "9223372036854775808", "big", "3"),  # 22003
    pipeline("insert", " 9223372036854775807 ", "big", "3"),
    pipeline("insert", "-4", "four", None, described=False),
    pipeline("insert", "5", "five"),  # 08P01: a parameter is missing
    pipeline("nobody", "5"),  # 26000
    pipeline("select", "1"),
    pipeline("select", "1", described=False, result_format=1),
    pipeline("select", "1", max_rows=1),
    pipeline("select", "77"),
    pipeline("select", None),
    pipeline("select", "-4"),
    pipeline("system", "1"),
    pipeline("system", "-4"),
    pipeline("delete", "1"),
    pipeline("select", "1"),
    pipeline("insert", "1", "anew", "0"),
    pipeline("select", "1"),
]


@asynccontextmanager
async def shop(path):
    async with serving(path) as server:
        client = Client(server)
        await client.query("CREATE NAMESPACE shop")
        await client.query(TABLE)
        yield server, client


async def prepare(client: Client) -> None:
    await client.prepare("insert", INSERT)
    await client.prepare("select", SELECT)
    await client.prepare("system", SYSTEM)
    await client.prepare("delete", "DELETE FROM shop.items WHERE id = $1")


async def test_a_pipeline_is_answered_alike_whole_and_byte_by_byte(tmp_path):
    answers = []
    for way in ("whole", "bytes"):
        (tmp_path / way).mkdir()
        async with shop(tmp_path / way) as (server, client):
            await prepare(client)
            found = []
            for step in STEPS:
                wire = b"".join(map(frontend.encode, step))
                for at in range(len(wire)) if way == "bytes" else ():
                    client.feed(wire[at : at + 1])
                    await server.settle()
                if way == "whole":
                    client.feed(wire)
                    await server.settle()
                found.append(client.answers())
            answers.append(found)
    for whole, in_bytes in zip(*answers, strict=True):
        assert whole == in_bytes
    assert [(tags(found) or ["suspended"])[0] for found in answers[0]] == [
        "INSERT 0 1", "23505", "23502", "23514", "22001", "22P02", "22003", "INSERT 0 1", "INSERT 0 1",
        "08P01", "26000", "SELECT 1", "SELECT 1", "suspended", "SELECT 0", "SELECT 0", "SELECT 1",
        "SELECT 1", "SELECT 0", "DELETE 1", "SELECT 0", "INSERT 0 1", "SELECT 1",
    ]  # fmt: skip


async def test_an_insert_is_answered_with_each_message_of_its_pipeline(tmp_path):
    async with shop(tmp_path) as (_, client):
        await prepare(client)
        found = await client.ask(*pipeline("insert", "1", "one", "1"))
        assert found == [
            BindComplete(),
            NoData(),
            CommandComplete("INSERT 0 1"),
            ReadyForQuery("I"),
        ]
        described, row = (await client.ask(*pipeline("select", "1")))[1:3]
        assert isinstance(described, RowDescription)
        assert row == DataRow((b"one", b"1.00", b"1"))


async def test_two_sessions_that_insert_one_key_in_one_round_get_one_row_and_one_error(tmp_path):
    async with shop(tmp_path) as (server, first):
        second = Client(server)
        for client in (first, second):
            await prepare(client)
        for client in (first, second):
            client.send(*pipeline("insert", "1", "mine", "1"))
        assert tags(first.answers()) == tags(second.answers()) == []
        await server.settle()
        assert tags(first.answers()) == ["INSERT 0 1"]
        assert tags(second.answers()) == ["23505"]


async def test_a_row_that_a_transaction_has_written_is_waited_for(tmp_path):
    async with shop(tmp_path) as (server, first):
        second = Client(server)
        await prepare(second)
        await first.query("BEGIN")
        await first.query("INSERT INTO shop.items (id, name) VALUES (1, 'first')")
        second.send(*pipeline("insert", "1", "second", "2"))
        assert tags(second.answers()) == []
        await first.query("ROLLBACK")
        await server.settle()
        assert tags(second.answers()) == ["INSERT 0 1"]


async def test_a_definition_waits_for_an_insert_that_is_being_committed(tmp_path):
    async with shop(tmp_path) as (server, first):
        second = Client(server)
        await prepare(first)
        first.send(*pipeline("insert", "1", "one", "1"))
        second.send(Query("DROP TABLE shop.items"))
        assert tags(second.answers()) == []
        await server.settle()
        assert tags(first.answers()) == ["INSERT 0 1"]
        assert tags(second.answers()) == ["DROP TABLE"]
        assert tags(await first.ask(*pipeline("insert", "2", "two", "2"))) == ["42P01"]


async def test_a_client_that_leaves_before_its_commit_keeps_nothing_locked(tmp_path):
    async with shop(tmp_path) as (server, first):
        second = Client(server)
        await prepare(first)
        first.send(*pipeline("insert", "1", "one", "1"))
        first.session.disconnected()
        server.rounds.end()
        # It waits for the key, not knowing yet whether the row will be there.
        again = await second.ask(Query("INSERT INTO shop.items VALUES (1, 'other', 1)"))
        assert tags(again) == ["23505"]
        await second.query("UPDATE shop.items SET name = 'two' WHERE id = 1")
        found = await second.query("SELECT name FROM shop.items WHERE id = 1")
        assert DataRow((b"two",)) in found


async def test_inside_a_block_nothing_is_committed_by_a_pipeline(tmp_path):
    async with shop(tmp_path) as (server, first):
        second = Client(server)
        for client in (first, second):
            await prepare(client)
        await first.query("BEGIN")
        found = await first.ask(*pipeline("insert", "1", "one", "1"))
        assert found[-1] == ReadyForQuery("T")
        assert tags(await second.ask(*pipeline("select", "1"))) == ["SELECT 0"]
        await first.query("COMMIT")
        assert tags(await second.ask(*pipeline("select", "1"))) == ["SELECT 1"]


@pytest.mark.parametrize(
    "setting",
    ["default_transaction_read_only = on", "default_transaction_isolation = 'repeatable read'"],
)
async def test_settings_that_change_what_a_transaction_is_are_kept(tmp_path, setting):
    async with shop(tmp_path) as (_, client):
        await prepare(client)
        await client.query(f"SET {setting}")
        expected = "25006" if "read_only" in setting else "INSERT 0 1"
        assert tags(await client.ask(*pipeline("insert", "1", "one", "1"))) == [expected]
        await client.query("RESET ALL")
        assert tags(await client.ask(*pipeline("insert", "2", "two", "1"))) == ["INSERT 0 1"]


async def test_after_set_role_rows_are_the_other_users(tmp_path):
    async with shop(tmp_path) as (_, client):
        await prepare(client)
        await client.query("CREATE USER 'ann' WITH PASSWORD 'secret of ann' ROLE 'user'")
        await client.ask(*pipeline("insert", "1", "root's", "1"))
        assert tags(await client.ask(*pipeline("select", "1"))) == ["SELECT 1"]
        await client.query("SET ROLE ann")
        assert tags(await client.ask(*pipeline("select", "1"))) == ["SELECT 0"]
        await client.ask(*pipeline("insert", "1", "ann's", "1"))
        await client.query("RESET ROLE")
        found = await client.ask(*pipeline("select", "1"))
        assert DataRow((b"root's", b"1.00", b"1")) in found


async def test_now_as_a_parameter_is_the_time_of_the_statement(tmp_path):
    async with shop(tmp_path) as (_, client):
        await client.prepare("at", "INSERT INTO shop.items (id, name, at) VALUES ($1, 'x', $2)")
        await client.ask(*pipeline("at", "1", "now"))
        found = await client.query(
            "SELECT now() - at < interval '1 minute' FROM shop.items WHERE id = 1"
        )
        assert DataRow((b"t",)) in found


TEXTS = [
    ("INSERT INTO shop.items (id, name, price) VALUES (1, 'o''ne', 1.5)", "INSERT 0 1"),
    ("INSERT INTO shop.items (id, name, price) VALUES (1, 'one', 1.5)", "23505"),
    ("INSERT INTO shop.items (id, name, price) VALUES (2, 'two', -1.5)", "23514"),
    ("INSERT INTO shop.items (id, name, price) VALUES (2, 'far too long', 1.5)", "22001"),
    (
        "INSERT INTO shop.items (id, name, price) VALUES (-2, 'two', 3), (3, 'three', 4)",
        "INSERT 0 2",
    ),
    ("INSERT INTO shop.items (id, name, price) VALUES (99999999999, 'big', 1)", "INSERT 0 1"),
    ("INSERT INTO shop.items (id, name, price) VALUES (99999999999999999999, 'big', 1)", "22003"),
    ("INSERT INTO shop.items (id, name, price) VALUES ('four', 'four', 1)", "22P02"),
    ("INSERT INTO shop.items (id, name, at) VALUES (5, 'five', 'now')", "INSERT 0 1"),
    ("INSERT INTO shop.items (id, name, at) VALUES (6, 'six', '2026-02-30')", "22008"),
    ("SELECT name FROM shop.items WHERE id = 1", "SELECT 1"),
    ("SELECT name FROM shop.items WHERE id = 8", "SELECT 0"),
    ("SELECT name FROM shop.items WHERE id = 'x'", "22P02"),
    ("SELECT name FROM shop.items WHERE id = 1.5", "SELECT 0"),
    ("UPDATE shop.items SET price = 7 WHERE id = 1", "UPDATE 1"),
    ("SELECT nothing FROM shop.items WHERE id = 1", "42703"),
    ("SELECT price FROM shop.items WHERE id = 1", "SELECT 1"),
]


async def test_texts_that_differ_in_their_literals_are_answered_as_they_stand(tmp_path):
    """A comment gives a text no shape, so that it is parsed and bound as it is written."""
    answers = []
    for mark in ("", " -- as it stands"):
        (tmp_path / (mark.strip(" -") or "shaped")).mkdir()
        async with shop(tmp_path / (mark.strip(" -") or "shaped")) as (_, client):
            await client.query("INSERT INTO shop.items (id, name, price) VALUES (77, 'a', 0.5)")
            answers.append([await client.ask(Query(text + mark)) for text, _ in TEXTS])
    for (text, tag), shaped, plain in zip(TEXTS, *answers, strict=True):
        assert tags(shaped) == [tag], text
        assert shaped == plain, text


async def test_a_row_that_was_sent_before_is_sent_as_it_is_now(tmp_path):
    async with shop(tmp_path) as (server, client):
        await prepare(client)
        other = Client(server)
        await prepare(other)
        await client.ask(*pipeline("insert", "1", "one", "1.50"))

        async def asked(who: Client, result_format: int = 0) -> list[tuple[bytes | None, ...]]:
            found = await who.ask(*pipeline("select", "1", result_format=result_format))
            return [message.values for message in found if isinstance(message, DataRow)]

        assert await asked(client) == await asked(other) == [(b"one", b"1.50", b"1")]
        assert (await asked(client, 1))[0][2] == (1).to_bytes(8)
        await other.query("UPDATE shop.items SET name = 'two' WHERE id = 1")
        assert await asked(client) == await asked(other) == [(b"two", b"1.50", b"1")]
        await other.query("BEGIN; UPDATE shop.items SET name = 'three' WHERE id = 1; ROLLBACK")
        assert await asked(client) == [(b"two", b"1.50", b"1")]
        await other.query("DELETE FROM shop.items WHERE id = 1")
        assert await asked(client) == await asked(other) == []
        await other.ask(*pipeline("insert", "1", "four", "4"))
        assert await asked(client) == [(b"four", b"4.00", b"1")]
        await other.query("TRUNCATE shop.items")
        assert await asked(client) == []


LITERALS = [
    *("5", "-5", "007", "2147483647", "2147483648", "-2147483649", "99999999999", "1.50", "-0.25"),
    *(
        "9223372036854775807",
        "9223372036854775808",
        "1e3",
        "'a'",
        "'o''ne'",
        "'a\\b'",
        "'--'",
        "'é'",
    ),
    *("''", "'/*'", "NULL", "TRUE", "$1", "-", "5 + 1", '"price"', "x'41'", "E'a'", "'1' '2'"),
]


async def test_a_text_formed_as_one_before_it_is_taken_apart_as_if_it_were_the_first(tmp_path):
    async with shop(tmp_path) as (_, client):
        session = client.session
        known = 0
        for first in ("5", "99999999999", "1.50", "'a'"):
            for name in ("name", "price"):
                select = f"SELECT id FROM shop.items WHERE {name} = %s AND id > 0;"
                for number in range(3):
                    session.shapes.find(session.sql, select % first.replace("5", str(number + 5)))
                for literal in LITERALS:
                    text = select % literal
                    again = session.shapes.again(session.sql, text)
                    assert again in (None, session.shapes.find(session.sql, text))
                    known += again is not None
        assert known > 20


async def test_a_malformed_query_is_answered_and_the_session_goes_on(tmp_path):
    async with shop(tmp_path) as (server, client):
        client.feed(b"Q\0\0\0\x08a\0b\0")
        await server.settle()
        found = client.answers()
        assert tags(found) == ["08P01"]
        assert found[-1] == ReadyForQuery("I")
        assert tags(await client.query("SELECT 1")) == ["SELECT 1"]


async def test_statements_before_one_sync_are_one_transaction(tmp_path):
    async with shop(tmp_path) as (_, client):
        await prepare(client)
        one = pipeline("insert", "1", "one", "1")[:-1]
        found = await client.ask(*one, *pipeline("insert", "1", "twice", "1"))
        assert tags(found) == ["INSERT 0 1", "23505"]
        assert tags(await client.ask(*pipeline("select", "1"))) == ["SELECT 0"]


async def test_an_error_skips_to_sync(tmp_path):
    async with shop(tmp_path) as (_, client):
        await prepare(client)
        found = await client.ask(
            Bind("", "insert", (), (b"x", b"x", b"1"), ()),
            Execute("", 0),
            Parse("never", "SELECT 1", ()),
            Describe("S", "never"),
            Sync(),
            *pipeline("insert", "1", "one", "1"),
        )
        assert tags(found) == ["22P02", "INSERT 0 1"]
        assert isinstance(found[0], ErrorResponse)
        assert found[1] == ReadyForQuery("I")


BIND = frontend.encode(Bind("", "insert", (), (b"7", b"seven", b"7"), (0,)))
REST = b"".join(map(frontend.encode, (Execute("", 0), Sync())))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"\0\0\0\x05seven", b"\xff\xff\xff\xfeseven"),  # a length of -2
        (b"\0\0\0\x05seven", b"\0\0\0\x06seven"),
        (b"\0\0\0\x05seven", b"\0\0\0\x04seven"),
        (b"\0\0\0\x05seven", b"\x7f\0\0\x05seven"),
        (b"\0\x03\0\0\0\x01", b"\0\x02\0\0\0\x01"),
    ],
)
async def test_a_bind_that_breaks_off_is_refused_after_a_good_one_too(tmp_path, good, bad):
    async with shop(tmp_path) as (server, client):
        await prepare(client)
        client.feed(BIND + REST)
        await server.settle()
        assert tags(client.answers()) == ["INSERT 0 1"]
        assert good in BIND
        client.feed(BIND.replace(good, bad) + REST)
        await server.settle()
        assert tags(client.answers()) == ["08P01"]
        assert tags(await client.ask(*pipeline("select", "7"))) == ["SELECT 1"]


async def test_a_statement_prepared_anew_under_its_name_is_the_new_one(tmp_path):
    async with shop(tmp_path) as (_, client):
        await client.query("INSERT INTO shop.items (id, name, price) VALUES (1, 'one', 1)")
        for column in ("name", "price"):
            await client.prepare("", f"SELECT {column} FROM shop.items WHERE id = $1")
            found = await client.ask(*pipeline("", "1", described=False))
            assert DataRow((b"one",) if column == "name" else (b"1.00",)) in found


async def test_a_portal_with_a_row_limit_goes_on_where_it_stopped(tmp_path):
    async with shop(tmp_path) as (_, client):
        await client.query("INSERT INTO shop.items (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')")
        await client.prepare("all", "SELECT name FROM shop.items ORDER BY id LIMIT 10")
        found = await client.ask(
            Bind("p", "all", (), (), ()), Execute("p", 2), Execute("p", 2), Execute("p", 2), Sync()
        )
        assert found[1:] == [
            DataRow((b"a",)), DataRow((b"b",)), PortalSuspended(),
            DataRow((b"c",)), CommandComplete("SELECT 1"),
            CommandComplete("SELECT 0"), ReadyForQuery("I"),
        ]  # fmt: skip


async def test_a_named_portal_keeps_others_from_being_quick_and_stays_usable(tmp_path):
    async with shop(tmp_path) as (_, client):
        await prepare(client)
        await client.query("INSERT INTO shop.items (id, name, price) VALUES (1, 'one', 1)")
        found = await client.ask(
            Bind("mine", "select", (), (b"1",), ()), *pipeline("insert", "2", "two", "2")
        )
        assert tags(found) == ["INSERT 0 1"]


async def test_a_block_that_was_begun_in_extended_form_has_its_statements_in_one_step(
    tmp_path, monkeypatch
):
    async with shop(tmp_path) as (_, client):
        await prepare(client)
        await client.prepare("begin", "BEGIN")
        await client.prepare("both", "SELECT id FROM shop.items ORDER BY id")
        for number in "12":  # A way is taken from the second time on.
            await client.ask(*pipeline("insert", number, "one", "1"))
        await client.ask(*pipeline("begin"))
        with monkeypatch.context() as patch:
            patch.setattr(extended, "execute", lambda *_: pytest.fail("it goes the long way"))
            found = await client.ask(*pipeline("insert", "3", "three", "3"))
        assert tags(found) == ["INSERT 0 1"]
        found = await client.ask(Bind("", "both", (), (), ()), Execute("", 1), Sync())
        assert found[1:-1] == [DataRow((b"1",)), PortalSuspended()]
        assert tags(await client.ask(*pipeline("insert", "4", "four", "4"))) == ["INSERT 0 1"]
        # Another statement has taken the portal's place.
        assert tags(await client.ask(Execute("", 1), Sync())) == ["34000"]
        await client.query("ROLLBACK")
        assert tags(await client.query("SELECT FROM shop.items")) == ["SELECT 2"]


async def test_newest_rows_of_one_value_are_those_of_the_whole_order(tmp_path):
    async with shop(tmp_path) as (_, client):
        for at in range(0, 900, 90):
            rows = ", ".join(f"({i}, 'n{i % 7}', {i})" for i in range(at, at + 90))
            await client.query(f"INSERT INTO shop.items (id, name, price) VALUES {rows}")
        await client.prepare(
            "newest", "SELECT id FROM shop.items WHERE name = $1 ORDER BY id DESC LIMIT 3"
        )
        for _ in range(2):  # Without the tail, which the first one loads, and with it.
            found = await client.ask(*pipeline("newest", "n3", described=False))
            assert [m.values for m in found if isinstance(m, DataRow)] == [
                (b"899",), (b"892",), (b"885",),
            ]  # fmt: skip
        assert tags(await client.ask(*pipeline("newest", None))) == ["SELECT 0"]


NAMED = [
    "SELECT o::regclass FROM shop.objects WHERE id = $1",
    "SELECT ARRAY[o, o]::regclass[] FROM shop.objects WHERE id = $1",
    "SELECT o::regclass::text, id FROM shop.objects WHERE id = $1",
    "SELECT r, rs FROM shop.objects WHERE id = $1",
    "SELECT n::regnamespace, t::regtype, f::regproc, u::regrole FROM shop.objects WHERE id = $1",
]


def rows(messages):
    return [m for m in messages if isinstance(m, RowDescription | DataRow | ErrorResponse)]


async def test_objects_have_their_names_in_one_step_as_in_many(tmp_path):
    async with serving(tmp_path) as server:
        client, other = Client(server), Client(server)
        await client.query("CREATE NAMESPACE shop")
        await client.query(
            "CREATE USER TABLE shop.objects (id bigint PRIMARY KEY, o bigint, n oid, t oid, f oid, "
            "u oid, r regclass, rs regclass[])"
        )
        await client.query(
            "INSERT INTO shop.objects VALUES (1, 'shop.objects'::regclass::oid, "
            "'shop'::regnamespace, 'int4'::regtype, 'boolin'::regproc, 'root'::regrole, "
            "'shop.objects', '{shop.objects,pg_class}')"
        )
        for number, text in enumerate(NAMED):
            await client.prepare(f"s{number}", text)
        seen = []
        for change in (
            None,
            "SET search_path TO first, shop",
            # What another defines hides the name, so that its schema must be told.
            "CREATE NAMESPACE first; CREATE USER TABLE first.objects (id int PRIMARY KEY)",
            "DROP TABLE first.objects",
            "SET search_path TO public",
        ):
            if change is not None:
                await (client if change.startswith("SET") else other).query(change)
            for number, text in enumerate(NAMED):
                for _ in range(2):
                    quick = rows(await client.ask(*pipeline(f"s{number}", "1")))
                    named = [
                        Bind("named", f"s{number}", (), (b"1",), (0,)),
                        Describe("P", "named"),
                        Execute("named", 0),
                        Sync(),
                    ]
                    assert quick == rows(await client.ask(*named)), (change, text)
                    simple = await client.ask(Query(text.replace("$1", "1")))
                    assert rows(simple)[1:] == quick[1:], (change, text)
                if number == 0:
                    seen.append(quick[1].values[0])
        assert seen == [
            b"shop.objects", b"objects", b"shop.objects", b"objects", b"shop.objects"
        ]  # fmt: skip


async def test_a_user_whom_another_acts_for_sees_names_as_if_it_asked(tmp_path):
    async with serving(tmp_path) as server:
        client = Client(server)
        await client.query("CREATE NAMESPACE alice")
        await client.query("CREATE TABLE alice.t (id bigint PRIMARY KEY)")
        await client.query("CREATE USER alice WITH PASSWORD 'a password' ROLE 'user'")
        inside = await client.query("EXECUTE AS USER 'alice' (SELECT 'alice.t'::regclass)")
        assert DataRow((b"t",)) in inside  # "$user" is on the search path.
        assert DataRow((b"alice.t",)) in await client.query("SELECT 'alice.t'::regclass")


async def test_a_parameter_may_name_an_object(tmp_path):
    async with serving(tmp_path) as server:
        client = Client(server)
        await client.query("CREATE NAMESPACE shop")
        await client.query("CREATE USER TABLE shop.objects (id bigint PRIMARY KEY, r regclass)")
        await client.prepare("insert", "INSERT INTO shop.objects VALUES ($1, $2)")
        await client.prepare("select", "SELECT r FROM shop.objects WHERE id = $1")
        assert tags(await client.ask(*pipeline("insert", "1", "shop.objects"))) == ["INSERT 0 1"]
        assert tags(await client.ask(*pipeline("insert", "2", "nosuch"))) == ["42P01"]
        await client.query("SET search_path TO shop")
        assert tags(await client.ask(*pipeline("insert", "3", "objects"))) == ["INSERT 0 1"]
        for key in ("1", "3"):
            assert DataRow((b"objects",)) in await client.ask(*pipeline("select", key))


async def test_rows_without_columns_are_counted(tmp_path):
    async with serving(tmp_path) as server:
        client = Client(server)
        await client.query("CREATE NAMESPACE shop")
        await client.query("CREATE USER TABLE shop.t (id bigint PRIMARY KEY)")
        await client.query("INSERT INTO shop.t VALUES (1), (2)")
        await client.prepare("none", "SELECT FROM shop.t WHERE id = $1")
        empty = [RowDescription(()), DataRow(())]
        for found in (
            await client.ask(*pipeline("none", "1")),
            await client.ask(Query("SELECT FROM shop.t WHERE id = 1")),
            await client.ask(Query("SELECT FROM shop.t WHERE id = 1; SELECT FROM shop.t LIMIT 0")),
        ):
            assert rows(found)[:2] == empty


async def test_a_read_that_meets_a_fault_is_told_and_the_session_stays(tmp_path, monkeypatch):
    def fault(*_):
        raise IndexError

    async with shop(tmp_path) as (_, client):
        await prepare(client)
        await client.ask(*pipeline("insert", "1", "one", "1"))
        with monkeypatch.context() as patch:
            patch.setattr("storage.tablet.Tablet.get", fault)
            assert tags(await client.ask(*pipeline("select", "1"))) == ["XX000"]
        assert tags(await client.ask(*pipeline("select", "1"))) == ["SELECT 1"]
