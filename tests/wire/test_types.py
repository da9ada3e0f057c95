"""Every type of the SQL surface goes in and comes out over the wire: text and binary, psycopg, asyncpg
and pg8000, as a column of a USER table, hot and cold, and as a primary key where it can be one.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pg8000.native
import psycopg
import pytest

from tests.wire.server import PASSWORD, KalamServer

BIG = Decimal("12345678901234567890.123456789012345678")


@dataclass(frozen=True, slots=True)
class Of:
    """A type and values of it in text form, as PostgreSQL shows them. key: it may be a primary key."""

    type: str
    texts: tuple[str, ...]
    key: bool = True

    def __str__(self) -> str:
        return self.type


TYPES = (
    Of("boolean", ("t", "f")),
    Of("smallint", ("-32768", "0", "32767")),
    Of("integer", ("-2147483648", "0", "2147483647")),
    Of("bigint", ("-9223372036854775808", "0", "9223372036854775807")),
    Of("real", ("-3.4028235e+38", "1e-45", "0", "0.1", "NaN", "Infinity", "-Infinity")),
    Of(
        "double precision",
        ("-1.7976931348623157e+308", "5e-324", "0", "0.1", "1e+15", "NaN", "Infinity", "-Infinity"),
    ),
    Of("numeric", ("0", "-1.50", str(BIG), "1" + "0" * 60, "0." + "0" * 40 + "1", "NaN")),
    Of("numeric(12,2)", ("0.00", "-9999999999.99", "9999999999.99", "1.50")),
    Of("numeric(38,10)", ("0.0000000000", "-1234567890123456789012345678.0123456789")),
    Of("text", ("", " ", "a", "It's \"é\" 🙂\t\n\\", "x" * 500, "null", "NULL")),
    Of("varchar(5)", ("", "abc", "ééééé")),
    Of("char(5)", ("     ", "abc  ", "ééééé")),
    Of("bytea", ("\\x", "\\x00", "\\x00ff7f80", "\\x" + "ab" * 300)),
    Of("date", ("infinity", "-infinity", "0001-01-01", "2024-02-29", "9999-12-31", "4713-01-01 BC")),
    Of("time", ("00:00:00", "23:59:59.999999", "24:00:00", "12:34:56.5")),
    Of(
        "timestamp",
        ("infinity", "-infinity", "2024-02-29 23:59:59.999999", "1969-12-31 23:59:59", "0001-01-01 00:00:00",
         "294246-12-31 23:59:59.999999", "4713-01-01 00:00:00 BC"),
    ),
    Of(
        "timestamptz",
        ("infinity", "-infinity", "2024-02-29 23:59:59.999999+00", "1969-12-31 23:59:59+00"),
    ),
    Of(
        "interval",
        ("00:00:00", "1 year 2 mons 3 days 04:05:06.789", "-1 days +02:03:04", "-178000000 years"),
    ),
    Of("uuid", ("00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    Of("json", ('{"b": 1,  "a": [null]}', "null", '"é🙂"', "[]", "1e2"), key=False),
    Of("jsonb", ('{"a": [null, {}], "b": 1.50}', "null", '"é🙂"', "[]", "{}", "100"), key=False),
    Of("vector(3)", ("[1,2.5,-3]", "[0,0,0]"), key=False),
    Of("boolean[]", ("{}", "{t,f,NULL}"), key=False),
    Of("integer[]", ("{}", "{1,NULL,-2147483648}"), key=False),
    Of("bigint[]", ("{}", "{9223372036854775807}"), key=False),
    Of("double precision[]", ("{}", "{0.1,NaN,-Infinity}"), key=False),
    Of("numeric[]", ("{}", "{1.50,NaN}"), key=False),
    Of("text[]", ("{}", '{"",NULL,"NULL","a,b","\\"q\\"","\\\\",é}'), key=False),
    Of("timestamptz[]", ("{}", '{"2024-02-29 00:00:00+00",infinity}'), key=False),
    Of("uuid[]", ("{}", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"), key=False),
    Of("bytea[]", ("{}", '{"\\\\x00ff","\\\\x"}'), key=False),
    Of("jsonb[]", ("{}", '{"{\\"a\\": 1}",NULL}'), key=False),
)  # fmt: skip


@pytest.fixture(scope="module")
def root(server: KalamServer) -> Iterator[psycopg.Connection[Any]]:
    with server.root() as root:
        root.execute("CREATE NAMESPACE types")
        yield root


@pytest.fixture(scope="module")
def alice(server: KalamServer, root: object) -> Iterator[psycopg.Connection[Any]]:
    with server.connect("alice") as alice:
        yield alice


def name_of(of: Of, what: str) -> str:
    return f"types.{what}_" + "".join(c if c.isalnum() else "_" for c in of.type)


def texts(alice: psycopg.Connection[Any], sql: str) -> list[str | None]:
    """The first column as the wire has it in text."""
    result = alice.pgconn.exec_(sql.encode())
    assert not result.error_message, result.error_message.decode()
    values = [result.get_value(row, 0) for row in range(result.ntuples)]
    return [None if value is None else value.decode() for value in values]


def binary_again(alice: psycopg.Connection[Any], sql: str, of: Of) -> list[str | None]:
    """The first column in binary, sent back as a binary parameter, in text."""
    result = alice.pgconn.exec_params(sql.encode(), None, result_format=1)
    assert not result.error_message, result.error_message.decode()
    found = []
    for row in range(result.ntuples):
        value = result.get_value(row, 0)
        again = alice.pgconn.exec_params(
            f"SELECT $1::{of.type}".encode(), [value], [result.ftype(0)], [1], 0
        )
        assert not again.error_message, again.error_message.decode()
        text = again.get_value(0, 0)
        found.append(None if text is None else text.decode())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("of", TYPES, ids=str)
def test_values_of_a_column_come_back_hot_and_cold_in_both_formats(root, alice, of: Of):
    table = name_of(of, "c")
    root.execute(
        f"CREATE TABLE {table} (id int PRIMARY KEY, v {of.type}, w {of.type}) WITH (TYPE = 'USER')"
    )
    wanted = [*of.texts, None]
    insert = f"INSERT INTO {table} VALUES ($1, $2, NULL)".encode()
    for n, text in enumerate(wanted):
        value = None if text is None else text.encode()
        result = alice.pgconn.exec_params(insert, [str(n).encode(), value])
        assert not result.error_message, result.error_message.decode()
    whole = f"SELECT v FROM {table} ORDER BY id"
    filtered = f"SELECT v FROM {table} WHERE v IS NOT NULL ORDER BY id"
    for _temperature in ("hot", "cold"):
        assert texts(alice, whole) == wanted
        assert texts(alice, filtered) == wanted[:-1]
        assert texts(alice, f"SELECT w FROM {table}") == [None] * len(wanted)
        assert binary_again(alice, whole, of) == wanted
        for n, text in enumerate(wanted):
            assert texts(alice, f"SELECT v FROM {table} WHERE id = {n}") == [text]
        root.execute(f"STORAGE FLUSH TABLE {table}")
    # A cold row's other columns stay what they are when one changes, and can be given to another.
    alice.execute(f"UPDATE {table} SET w = v")
    assert texts(alice, f"SELECT w FROM {table} ORDER BY id") == wanted
    alice.execute(f"UPDATE {table} SET v = NULL WHERE id = 0")
    root.execute(f"STORAGE FLUSH TABLE {table}")
    assert texts(alice, whole) == [None, *wanted[1:]]
    assert texts(alice, f"SELECT w FROM {table} ORDER BY id") == wanted


@pytest.mark.slow
@pytest.mark.parametrize("of", [of for of in TYPES if of.key], ids=str)
def test_a_key_is_found_updated_and_deleted_hot_and_cold(root, alice, of: Of):
    table = name_of(of, "k")
    root.execute(f"CREATE TABLE {table} (k {of.type} PRIMARY KEY, n int) WITH (TYPE = 'USER')")

    def at(text: str, sql: str) -> list[str | None]:
        result = alice.pgconn.exec_params(sql.encode(), [text.encode()])
        assert not result.error_message, result.error_message.decode()
        return [(result.get_value(r, 0) or b"").decode() for r in range(result.ntuples)]

    def flush() -> None:
        root.execute(f"STORAGE FLUSH TABLE {table}")

    for n, text in enumerate(of.texts):
        at(text, f"INSERT INTO {table} VALUES ($1, {n})")
    twice = f"INSERT INTO {table} VALUES ($1, 99)".encode()
    for change in (lambda: None, flush):
        change()
        for n, text in enumerate(of.texts):
            assert at(text, f"SELECT k FROM {table} WHERE k = $1") == [text]
            assert at(text, f"SELECT n FROM {table} WHERE k = $1 AND n < 1000") == [str(n)]
            result = alice.pgconn.exec_params(twice, [text.encode()])
            assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"23505"
    for n, text in enumerate(of.texts):
        assert at(text, f"UPDATE {table} SET n = n + 100 WHERE k = $1 RETURNING n") == [
            str(n + 100)
        ]
    flush()
    first, *rest = of.texts
    assert at(first, f"DELETE FROM {table} WHERE k = $1 RETURNING k") == [first]
    for change in (lambda: None, flush):
        change()
        assert at(first, f"SELECT n FROM {table} WHERE k = $1") == []
        assert sorted(texts(alice, f"SELECT n FROM {table}")) == [
            str(n + 101) for n in range(len(rest))
        ]
    at(first, f"INSERT INTO {table} VALUES ($1, 7)")
    flush()
    assert at(first, f"SELECT n FROM {table} WHERE k = $1") == ["7"]
    ordered = texts(alice, f"SELECT k FROM {table} ORDER BY k")
    assert ordered == texts(alice, f"SELECT k FROM {table} ORDER BY k DESC")[::-1]
    assert sorted(map(str, ordered)) == sorted(of.texts)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of", "one", "other"),
    [
        ("numeric", "1.50", "1.5"),
        ("numeric", "100", "1e2"),
        ("interval", "1 day", "24:00:00"),
        ("interval", "1 mon", "30 days"),
        ("double precision", "0", "-0"),
        ("char(5)", "a", "a    "),
    ],
)
def test_two_spellings_of_a_key_are_one_key_hot_and_cold(
    root, alice, of: str, one: str, other: str
):
    table = "types.respelt"
    for flushed in (False, True):
        root.execute(f"DROP TABLE IF EXISTS {table}")
        root.execute(f"CREATE TABLE {table} (k {of} PRIMARY KEY, n int) WITH (TYPE = 'USER')")
        alice.execute(f"INSERT INTO {table} VALUES ('{one}', 1)")
        for change in (
            f"UPDATE {table} SET n = n + 1 WHERE k = '{other}'",
            f"UPDATE {table} SET k = '{other}', n = n + 1",
            f"DELETE FROM {table} WHERE k = '{one}'; INSERT INTO {table} VALUES ('{one}', 4)",
        ):
            if flushed:
                root.execute(f"STORAGE FLUSH TABLE {table}")
            with pytest.raises(psycopg.errors.UniqueViolation):
                alice.execute(f"INSERT INTO {table} VALUES ('{other}', 9)")
            alice.execute(change)
            assert len(texts(alice, f"SELECT n FROM {table}")) == 1
        if flushed:
            root.execute(f"STORAGE FLUSH TABLE {table}")
        assert texts(alice, f"SELECT n FROM {table} WHERE k = '{other}'") == ["4"]
        assert texts(alice, f"SELECT n FROM {table}") == ["4"]
        assert texts(alice, f"SELECT count(*) FROM {table}") == ["1"]


def test_an_array_of_several_dimensions_is_a_column_value(root, alice):
    root.execute("CREATE TABLE types.matrix (id int PRIMARY KEY, v int[]) WITH (TYPE = 'USER')")
    alice.execute("INSERT INTO types.matrix VALUES (1, '{{1,2},{3,4}}')")
    assert texts(alice, "SELECT v FROM types.matrix") == ["{{1,2},{3,4}}"]
    assert texts(alice, "SELECT '{{1,2},{3,4}}'::int[]") == ["{{1,2},{3,4}}"]


# ---------------------------------------------------------------------- drivers

# One value of each type as Python's drivers have it.
VALUES: list[tuple[str, Any]] = [
    ("boolean", True),
    ("smallint", -32768),
    ("integer", 2**31 - 1),
    ("bigint", -(2**63)),
    ("real", 1.5),
    ("double precision", 0.1),
    ("numeric", BIG),
    ("numeric(12,2)", Decimal("-1.50")),
    ("text", "It's 🙂"),
    ("varchar(20)", "é"),
    ("bytea", b"\x00\xff"),
    ("date", date(2024, 2, 29)),
    ("time", time(23, 59, 59, 999999)),
    ("timestamp", datetime(2024, 2, 29, 1, 2, 3, 4)),  # noqa: DTZ001
    ("timestamptz", datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC)),
    ("interval", timedelta(days=-3, seconds=5, microseconds=6)),
    ("uuid", UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("integer[]", [1, None, 3]),
    ("text[]", ["a", 'b"', "", None]),
    ("timestamptz[]", [datetime(2024, 1, 1, tzinfo=UTC)]),
]
IDS = [of for of, _ in VALUES]


def create_wide(root: psycopg.Connection[Any], table: str) -> None:
    columns = ", ".join(f"c{n} {of}" for n, (of, _) in enumerate(VALUES))
    root.execute(f"CREATE TABLE types.{table} (id int PRIMARY KEY, {columns}) WITH (TYPE = 'USER')")


WIDE = [value for _, value in VALUES]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize(("of", "value"), VALUES, ids=IDS)
def test_psycopg_sends_and_reads_each_type(alice, of: str, value: Any, binary: bool):
    marker = "%b" if binary else "%t"
    cursor = alice.cursor(binary=binary)
    cursor.execute(f"SELECT {marker}::{of}, NULL::{of}", (value,))
    assert cursor.fetchone() == (value, None)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_psycopg_many_rows_of_every_type(root, alice, binary: bool):
    table = f"psycopg_{'binary' if binary else 'text'}"
    create_wide(root, table)
    markers = ", ".join(["%b" if binary else "%t"] * (len(WIDE) + 1))
    with alice.cursor(binary=binary) as cursor:
        rows = [(n, *WIDE) for n in range(10)] + [(10, *[None] * len(WIDE))]
        cursor.executemany(f"INSERT INTO types.{table} VALUES ({markers})", rows)
        for _temperature in ("hot", "cold"):
            assert cursor.execute(f"SELECT * FROM types.{table} ORDER BY id").fetchall() == rows
            root.execute(f"STORAGE FLUSH TABLE types.{table}")


def test_psycopg_reads_json_both_ways(alice):
    value = {"a": [1, None, "é"]}
    for binary in (False, True):
        for of in ("json", "jsonb"):
            cursor = alice.cursor(binary=binary)
            cursor.execute(f"SELECT %s::{of}", (psycopg.types.json.Jsonb(value),))
            assert cursor.fetchone() == (value,)


@pytest.mark.slow
def test_asyncpg_sends_and_reads_each_type(server, root):
    create_wide(root, "asyncpg_")

    async def talk() -> None:
        connection = await asyncpg.connect(server.dsn("alice"))
        try:
            for of, value in VALUES:
                assert await connection.fetchval(f"SELECT $1::{of}", value) == value, of
                assert await connection.fetchval(f"SELECT $1::{of}", None) is None
            markers = ", ".join(f"${n + 1}" for n in range(len(WIDE) + 1))
            await connection.executemany(
                f"INSERT INTO types.asyncpg_ VALUES ({markers})", [(n, *WIDE) for n in range(10)]
            )
            wanted = [(n, *WIDE) for n in range(10)]
            for _temperature in ("hot", "cold"):
                rows = await connection.fetch("SELECT * FROM types.asyncpg_ ORDER BY id")
                assert [tuple(row) for row in rows] == wanted
                root.execute("STORAGE FLUSH TABLE types.asyncpg_")
            text = await connection.fetchval("SELECT $1::jsonb", json.dumps({"a": [1]}))
            assert json.loads(text) == {"a": [1]}
        finally:
            await connection.close()

    run_asyncio(talk)


@pytest.mark.slow
def test_pg8000_sends_and_reads_each_type(server, root):
    create_wide(root, "pg8000_")
    connection = pg8000.native.Connection(
        "alice", password=PASSWORD, host="127.0.0.1", port=server.port, database="kalam"
    )
    try:
        for of, value in VALUES:
            answer = connection.run(f"SELECT CAST(:v AS {of})", v=value)
            assert answer == [[value]], of
            assert connection.run(f"SELECT CAST(:v AS {of})", v=None) == [[None]]
        markers = ", ".join([":id", *(f":c{n}" for n in range(len(WIDE)))])
        given = {f"c{n}": value for n, value in enumerate(WIDE)}
        for n in range(3):
            connection.run(f"INSERT INTO types.pg8000_ VALUES ({markers})", id=n, **given)
        for _temperature in ("hot", "cold"):
            rows = connection.run("SELECT * FROM types.pg8000_ ORDER BY id")
            assert rows == [[n, *WIDE] for n in range(3)]
            root.execute("STORAGE FLUSH TABLE types.pg8000_")
    finally:
        connection.close()


def test_a_named_cursor_gives_values_of_every_type_in_both_formats(server):
    with server.connect("alice", autocommit=False) as connection:
        for binary in (False, True):
            with connection.cursor("c", binary=binary) as cursor:
                cursor.execute(
                    "SELECT 1::int2, 2.50::numeric, DATE '2024-02-29', ARRAY['a', NULL], NULL"
                )
                assert cursor.fetchall() == [
                    (1, Decimal("2.50"), date(2024, 2, 29), ["a", None], None)
                ]
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("of", "text", "sqlstate"),
    [
        ("boolean", "perhaps", "22P02"), ("smallint", "32768", "22003"), ("integer", "1.5", "22P02"),
        ("bigint", "9223372036854775808", "22003"), ("real", "1e39", "22003"),
        ("double precision", "1e309", "22003"), ("numeric", "1,5", "22P02"),
        ("numeric(4,2)", "100", "22003"), ("varchar(3)", "abcd", "22001"), ("char(3)", "abcd", "22001"),
        ("bytea", "\\x0", "22023"), ("bytea", "\\400", "22P02"), ("date", "2023-02-29", "22008"),
        ("date", "soon", "22007"), ("time", "25:00", "22008"), ("timestamp", "2024-01-01 25:00", "22008"),
        ("timestamptz", "2024-01-01 00:00 Nowhere/Land", "22023"), ("interval", "a while", "22007"),
        ("uuid", "a0eebc99", "22P02"), ("json", "{", "22P02"), ("jsonb", "{a: 1}", "22P02"),
        ("jsonb", '"\\u0000"', "22P05"), ("integer[]", "1,2", "22P02"), ("integer[]", "{1,{2}}", "22P02"),
    ],
)  # fmt: skip
def test_a_bad_value_is_postgresqls_error(root, alice, of: str, text: str, sqlstate: str):
    result = alice.pgconn.exec_params(f"SELECT $1::{of}".encode(), [text.encode()])
    if "(" in of and of != "numeric(4,2)":  # an explicit cast cuts; an assignment does not
        table = "types.bad_" + of.partition("(")[0]
        root.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, v {of}) WITH (TYPE = 'USER')")
        insert = f"INSERT INTO {table} VALUES (1, $1)".encode()
        result = alice.pgconn.exec_params(insert, [text.encode()])
    state = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
    assert (state or b"").decode() == sqlstate


def run_asyncio(function: Callable[[], Any]) -> None:
    asyncio.run(function())
