"""Statements made to hurt: deep, wide, endless, enormous. Each is an answer or an error; nobody else waits.

While one session runs such a statement another asks a small question again and again, and must be
answered each time within `PATIENCE_S`.
"""

# ruff: noqa: E501 -- one statement a line

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.wire.raw import RawClient
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

PATIENCE_S = 1.5
"""A stall is a bug from tenths of a second on; the machine that runs this may be busy."""

TIMEOUT = "57014"
TOO_DEEP = "54001"
TOO_LARGE = "54000"


@pytest.fixture(scope="module")
def bystander(server: KalamServer) -> Iterator[RawClient]:
    """Who must not be hurt."""
    with RawClient(server) as root:
        root.simple("CREATE NAMESPACE hurt; CREATE TABLE hurt.t (id INT PRIMARY KEY, v TEXT)")
        root.simple("INSERT INTO hurt.t VALUES (1, 'a')")
        root.simple("CREATE TABLE hurt.own (id INT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER')")
    with RawClient(server, "bob") as bob:
        yield bob


@pytest.fixture
def sessions(server: KalamServer, bystander: RawClient) -> Iterator[tuple[RawClient, RawClient]]:
    """Who hurts, and who must not be hurt."""
    bob = bystander
    with RawClient(server, "alice") as alice:
        alice.simple("SET statement_timeout = '500ms'")
        yield alice, bob


def ask_meanwhile(client: RawClient, stop: threading.Event, waits: list[float]) -> None:
    """Ask until told to stop; how long each answer took."""
    while not stop.is_set():
        start = time.monotonic()
        assert client.simple("SELECT 1").rows == [("1",)]
        waits.append(time.monotonic() - start)
        stop.wait(0.01)


DEEP = {
    "brackets": "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "open brackets": "SELECT " + "(" * 50_000,
    "OR terms": "SELECT " + " OR ".join(["1 = 1"] * 20_000),
    "AND terms over a table": "SELECT 1 FROM hurt.t WHERE " + " AND ".join(["id = 1"] * 20_000),
    "UNIONs": " UNION ALL ".join(["SELECT 1"] * 20_000),
    "additions": "SELECT " + "+".join(["1"] * 20_000),
    "concatenations": "SELECT " + " || ".join(["'a'"] * 20_000),
    "NOTs": "SELECT " + "NOT " * 20_000 + "true",
    "minuses": "SELECT " + "- " * 20_000 + "1",
    "casts": "SELECT 1" + "::int" * 20_000,
    "CASEs": "SELECT " + "CASE WHEN true THEN " * 3000 + "1" + " END" * 3000,
    "arrays": "SELECT " + "ARRAY[" * 500 + "1" + "]" * 500,
    "subqueries": "SELECT * FROM " + "(SELECT * FROM " * 300 + "hurt.t" + ") x" * 300,
    "scalar subqueries": "SELECT " + "(SELECT " * 300 + "1" + ")" * 300,
    "joins": "SELECT 1 FROM hurt.t " + "JOIN hurt.t USING (id) " * 3000,
    "calls": "SELECT " + "abs(" * 5000 + "1" + ")" * 5000,
    "names": "SELECT " + "a." * 10_000 + "b",
    "arrows": "SELECT '{}'::jsonb" + "->'a'" * 20_000,
    "INs": "SELECT 1 WHERE 1 IN (" * 300 + "SELECT 1" + ")" * 300,
    "CTEs": "WITH a AS (" * 300 + "SELECT 1" + ") SELECT 1" * 300,
}


def _hurt(sessions: tuple[RawClient, RawClient], text: str) -> tuple[str | None, float]:
    """Run a statement; its SQLSTATE, and the longest that the other session waited meanwhile."""
    alice, bob = sessions
    stop, waits = threading.Event(), list[float]()
    other = threading.Thread(target=ask_meanwhile, args=(bob, stop, waits))
    other.start()
    try:
        answer = alice.simple(text)
    finally:
        stop.set()
        other.join()
    assert answer.kinds.endswith("Z"), "the connection is gone"
    assert alice.simple("SELECT 2").rows == [("2",)]
    return answer.sqlstate, max(waits)


@pytest.mark.parametrize("what", DEEP)
def test_a_statement_that_nests_too_deep_is_refused(
    sessions: tuple[RawClient, RawClient], what: str
):
    sessions[0].simple("SET statement_timeout = 0")
    sqlstate, wait = _hurt(sessions, DEEP[what])
    assert sqlstate == "42601" if what == "names" else sqlstate in (TOO_DEEP, TOO_LARGE)
    assert wait < PATIENCE_S


def test_a_very_long_statement_is_refused(sessions: tuple[RawClient, RawClient]):
    sqlstate, wait = _hurt(sessions, "SELECT '" + "x" * 3_000_000 + "'")
    assert sqlstate == TOO_LARGE
    assert wait < PATIENCE_S
    sqlstate, _ = _hurt(sessions, "SELECT length('" + "x" * 900_000 + "')")
    assert sqlstate is None


LONG = {
    "rows to insert": "INSERT INTO hurt.own VALUES "
    + ",".join(f"({i}, 'value')" for i in range(50_000)),
    "a list": "SELECT v FROM hurt.t WHERE id IN (" + ",".join(map(str, range(130_000))) + ")",
    "rows": "VALUES " + ",".join(f"({i}, 'value {i}')" for i in range(40_000)),
    "rows to prepare": "PREPARE p AS VALUES " + ",".join(f"({i}, 'value')" for i in range(40_000)),
    "rows of a cursor": "DECLARE c CURSOR WITH HOLD FOR VALUES "
    + ",".join(f"({i}, 'value')" for i in range(40_000)),
    "rows to explain": "EXPLAIN VALUES " + ",".join(f"({i}, 'value')" for i in range(40_000)),
    "statements": ";".join(f"SELECT {i}+1" for i in range(40_000)),
}


@pytest.mark.parametrize("what", LONG)
def test_while_a_very_long_text_is_read_the_others_are_served(
    sessions: tuple[RawClient, RawClient], what: str
):
    sessions[0].simple("SET statement_timeout = 0")
    sqlstate, wait = _hurt(sessions, LONG[what])
    assert sqlstate is None
    assert wait < PATIENCE_S


def test_a_text_can_be_cancelled_while_it_is_read(server: KalamServer, bystander: RawClient):
    with server.connect("alice") as alice:
        cancel = threading.Timer(0.3, alice.cancel)
        cancel.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            alice.execute("SELECT " + ",".join(f"({i}, 'value')" for i in range(50_000)))
        cancel.join()
        assert alice.execute("SELECT 1").fetchall() == [(1,)]


ENDLESS: list[tuple[str, set[str | None]]] = [
    # Endless, or as good as: ended by statement_timeout.
    ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r", {TIMEOUT}),
    ("WITH RECURSIVE r AS (SELECT oid FROM pg_class UNION ALL SELECT oid FROM r) SELECT count(*) FROM r", {TIMEOUT}),
    ("SELECT count(*) FROM pg_class a, pg_class b, pg_class c, pg_class d", {TIMEOUT}),
    ("SELECT count(*) FROM pg_type a, pg_type b, pg_type c WHERE a.typname ~ b.typname OR c.typname LIKE '%a%b'", {TIMEOUT}),
    # Its worker's memory may be at an end before its time: the join keeps one side, since `%` is the engine's own.
    ("SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 100000) b WHERE a % 7 = b % 11", {TIMEOUT, "53200", None}),
    ("SELECT count(*) FROM generate_series(1, 10000000000)", {TOO_LARGE, TIMEOUT}),
    # Read to its end by a client that takes each message apart: so many rows, and no more.
    ("SELECT generate_series(1, 100000000) LIMIT 200000", {TIMEOUT, None}),
    ("SELECT generate_series(timestamp '2000-01-01', timestamp '9999-01-01', interval '1 microsecond')", {TOO_LARGE, TIMEOUT}),
    # Larger than memory: refused before it is made.
    ("SELECT repeat('x', 1000000000)", {TOO_LARGE}),
    ("SELECT length(repeat(repeat('x', 1000000), 1000))", {TOO_LARGE}),
    ("SELECT v || repeat('x', 1000000000) FROM hurt.t", {TOO_LARGE}),
    ("SELECT lpad('', 1000000000, 'x')", {TOO_LARGE}),
    ("SELECT rpad('x', 2147483647)", {TOO_LARGE}),
    ("SELECT format('%1000000000s', 'x')", {TOO_LARGE}),
    ("SELECT format('%-*s', 2147483647, 'x')", {TOO_LARGE}),
    ("SELECT replace(repeat('a', 1000000), 'a', repeat('b', 10000))", {TOO_LARGE}),
    ("SELECT array_fill(0, array[1000000000])", {TOO_LARGE}),
    ("SELECT 10::numeric ^ 1000000000", {"22003"}),
    ("SELECT '1e999999999'::numeric", {"22003"}),
    ("SELECT repeat('1', 200000)::numeric", {"22003"}),
    ("SELECT factorial(1000000)", {"22003"}),
    ("SELECT exp(1000000::numeric)", {"22003"}),
    # Long to compute, where nothing can interrupt.
    ("SELECT exp(100000::numeric)", {"22003"}),
    ("SELECT repeat('a', 5000) LIKE '%a%a%a%a%a%a%a%a%a%b'", {None}),
    ("SELECT repeat('a', 5000) ILIKE '%A%a%A%a%A%a%A%a%A%b'", {None}),
    ("SELECT v FROM hurt.t WHERE repeat(v, 5000) LIKE '%a%a%a%a%a%a%a%a%a%b'", {None}),
    ("SELECT repeat('a', 40) ~ '(a+)+$b'", {None}),
    ("SELECT repeat('a', 40) || 'b' ~ '^(a|a|aa)+$'", {None}),
    ("SELECT regexp_matches(repeat('a', 40), '((((a*)*)*)*)*b')", {None}),
    ("SELECT regexp_replace(repeat('a', 3000000), 'a', 'b', 'g')", {TOO_LARGE, TIMEOUT}),
    ("SELECT regexp_split_to_table(repeat('a', 3000000), '')", {TOO_LARGE, TIMEOUT}),
    ("SELECT 'a' ~ '((a{1,100}){1,100}){1,100}'", {"2201B"}),
    ("SELECT (repeat('[', 100000) || repeat(']', 100000))::jsonb", {TOO_DEEP}),
    ("SELECT repeat('{', 100000)::int[]", {TOO_LARGE, "22P02"}),
    # At the edges of their types.
    ("SELECT 1 / 0", {"22012"}),
    ("SELECT (-2147483648) / (-1)", {"22003"}),
    ("SELECT (-9223372036854775808) / (-1)", {"22003"}),
    ("SELECT (-9223372036854775808) % (-1)", {None}),
    ("SELECT abs((-2147483648)::int)", {"22003"}),
    ("SELECT 'Infinity'::float8::int", {"22003"}),
    ("SELECT 1e300::float8 * 1e300", {"22003"}),
    ("SELECT interval '178000000 years' + interval '178000000 years'", {"22008"}),
    ("SELECT '12:00'::interval * 1e300", {"22008"}),
    ("SELECT '12:00'::interval * 'NaN'::float8", {"22008"}),
    ("SELECT '12:00'::interval / 0", {"22012"}),
    ("SELECT to_timestamp(1e300)", {"22008"}),
    ("SELECT chr(0)", {TOO_LARGE}),
    ("SELECT chr(1114112)", {TOO_LARGE}),
    ("SELECT repeat('1', 5000)::int", {"22003"}),
    ("SELECT substring('abc' FROM -2147483648 FOR 2147483647)", {None, "22011"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ENDLESS, ids=[text for text, _ in ENDLESS])
def test_an_endless_or_enormous_statement_hurts_nobody_else(
    sessions: tuple[RawClient, RawClient], text: str, expected: set[str | None]
):
    sqlstate, wait = _hurt(sessions, text)
    assert sqlstate in expected
    assert wait < PATIENCE_S


FILES = (
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    'SELECT * FROM "file:///etc/passwd"',
    "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
    "COPY hurt.t FROM '/etc/passwd'",
    "COPY hurt.t TO '/tmp/hurt'",
    "COPY hurt.t FROM PROGRAM 'id'",
    "COPY hurt.t FROM STDIN",
    "COPY hurt.t TO PROGRAM 'id'",
    "COPY (SELECT 1) TO '/tmp/hurt' (FORMAT csv)",
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/lib/libc.so.6', 'system'",
    "CREATE EXTENSION dblink",
    "DO $$ DECLARE x text; BEGIN RAISE NOTICE 'x'; END $$",
    "DO $$ BEGIN COPY hurt.t FROM PROGRAM 'id'; END $$",
    "DO LANGUAGE plpython3u 'import os'",
    "LOAD '/lib/libc.so.6'",
    "ATTACH DATABASE '/etc/passwd' AS x",
    "PRAGMA database_list",
    "SELECT load_extension('x')",
    "SET datafusion.execution.batch_size = 1; SELECT 1 FROM x.y",
    "SELECT * FROM information_schema.df_settings",
    "SELECT * FROM sqlite_master",
    "SELECT sqlite_version()",
    "ALTER SYSTEM SET x = 1",
)


@pytest.mark.parametrize("text", FILES)
def test_no_statement_reaches_a_file_a_programme_or_an_engine(
    sessions: tuple[RawClient, RawClient], text: str
):
    alice, bob = sessions
    for run in (alice.simple, alice.extended):
        answer = run(text)
        assert answer.sqlstate is not None, answer
        assert answer.sqlstate[:2] in ("42", "0A", "3F"), answer.errors
        assert b"root:x:" not in answer.raw
    assert bob.simple("SELECT 1").rows == [("1",)]
