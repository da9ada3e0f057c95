"""Portals, message by message: what comes back is what PostgreSQL 15 sends back."""

# ruff: noqa: E501 -- one sequence a line

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack

import asyncpg
import psycopg
import pytest

from tests.wire import postgresql
from tests.wire.raw import SYNC, Answer, RawClient, bind, execute, message, parse, query
from tests.wire.server import KalamServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not postgresql.installed(), reason="needs Debian's package postgresql-15"),
]


def describe(kind: str, name: str = "") -> bytes:
    """A Describe message of a portal (P) or statement (S)."""
    return message(b"D", kind.encode() + name.encode() + b"\0")


def close(kind: str, name: str = "") -> bytes:
    """A Close message."""
    return message(b"C", kind.encode() + name.encode() + b"\0")


def whole(text: str, max_rows: int = 0, portal: str = "", name: str = "") -> bytes:
    """Parse, Bind and Execute of one statement."""
    return parse(text, name) + bind(statement=name, portal=portal) + execute(max_rows, portal)


SELECT = "SELECT a FROM s.t ORDER BY a"
CURSORS = (
    "SELECT name, statement, is_holdable, is_binary, is_scrollable FROM pg_cursors ORDER BY name"
)
BEGIN = query("BEGIN")

# Each is a list of what is sent at once; a str is a simple query, bytes end with a Sync of their own.
SEQUENCES: dict[str, list[str | bytes]] = {
    "a finished data change cannot be run again": [
        whole("INSERT INTO s.t VALUES (100, 'y')", 0, "p") + execute(0, "p"),
        "BEGIN", whole("DELETE FROM s.t WHERE a = 1") + execute(), "ROLLBACK",
        "BEGIN", whole("SET DateStyle TO ISO", 1, "p") + execute(1, "p"), "ROLLBACK",
        "BEGIN", whole("SAVEPOINT a", 0, "p") + execute(0, "p"), "ROLLBACK",
    ],
    "tags count the rows of each Execute": [
        "BEGIN", whole("INSERT INTO s.t VALUES (102, 'y'), (103, 'z'), (104, 'z') RETURNING a", 2, "p") + execute(0, "p") + execute(0, "p"), "ROLLBACK",
        "BEGIN", whole("UPDATE s.t SET b = 'q' WHERE a < 4 RETURNING a", 0, "p") + execute(0, "p") + execute(1, "p"), "ROLLBACK",
        "BEGIN", whole("DELETE FROM s.t WHERE a < 3 RETURNING a", 2, "p") + execute(2, "p"), "ROLLBACK",
        "BEGIN", whole(SELECT, 2, "p") + execute(2, "p") + execute(9, "p") + execute(9, "p") + execute(0, "p"), "ROLLBACK",
        "BEGIN", whole("SELECT a FROM s.t WHERE a < 3 ORDER BY a", 2, "p") + execute(2, "p") + execute(2, "p"), "ROLLBACK",
        "BEGIN", whole("SHOW DateStyle", 1, "p") + execute(1, "p") + execute(0, "p"), "ROLLBACK",
        "BEGIN", whole("SELECT a FROM s.t WHERE false", 1, "p") + execute(1, "p"), "ROLLBACK",
        whole("", 0, "p") + execute(0, "p"),
        "BEGIN", whole("VALUES (1), (2), (3)", 1, "p") + execute(1, "p") + execute(-1, "p"), "ROLLBACK",
        "BEGIN", whole("SELECT g FROM generate_series(1, 2500) g", 1200, "p") + execute(0, "p"), "ROLLBACK",
    ],
    "a portal is a cursor": [
        parse(SELECT, "s"),
        "BEGIN", bind(statement="s", portal="p"), CURSORS, "FETCH 2 FROM p", execute(1, "p"), "MOVE 1 FROM p", "FETCH BACKWARD 1 FROM p", "ROLLBACK",
        "BEGIN", bind(statement="s", portal="p") + execute(2, "p"), "FETCH ALL FROM p", execute(0, "p"), "DECLARE p CURSOR FOR SELECT 1", "ROLLBACK",
        "BEGIN", bind(statement="s", portal="p") + execute(0, "p"), "FETCH p", "FETCH 0 FROM p", "ROLLBACK",
        "BEGIN", bind(statement="s", portal="p"), "FETCH ABSOLUTE 2 FROM p", "FETCH RELATIVE 2 FROM p", execute(0, "p"), "ROLLBACK",
        "BEGIN", bind(statement="s", portal="p"), "CLOSE p", execute(0, "p"), "ROLLBACK",
        "BEGIN", bind(statement="s", portal="p"), "CLOSE ALL", execute(0, "p"), "ROLLBACK",
        "BEGIN", parse("DELETE FROM s.t WHERE a = 5 RETURNING a") + bind(portal="d"), "FETCH d", "SELECT count(*) FROM s.t WHERE a = 5", "FETCH BACKWARD 1 FROM d", "ROLLBACK",
        "BEGIN", parse("SHOW DateStyle") + bind(portal="d"), "FETCH d", CURSORS, "ROLLBACK",
        "BEGIN", bind(statement="s", portal="p", results=(1,)) + execute(1, "p"), "FETCH 1 FROM p", execute(1, "p"), "ROLLBACK",
        "BEGIN", bind(statement="s", portal="p") + bind(statement="s", portal="p"), "ROLLBACK",
        CURSORS,
        parse("SELECT $1::int, $2::text", "two") + parse("SELECT 1"), "PREPARE three (int) AS SELECT $1",
        "SELECT name, statement, parameter_types, from_sql FROM pg_prepared_statements ORDER BY name",
    ],
    "a cursor is a portal": [
        "BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT a FROM s.t ORDER BY a", execute(2, "c") + execute(0, "c") + execute(0, "c"), "FETCH PRIOR FROM c",
        describe("P", "c"), CURSORS, close("P", "c"), "FETCH c", "ROLLBACK",
        "BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT a FROM s.t ORDER BY a", "FETCH LAST FROM c", "FETCH BACKWARD 2 FROM c", execute(1, "c"), bind(statement="", portal="c"), "ROLLBACK",
        "DECLARE h SCROLL CURSOR WITH HOLD FOR SELECT a FROM s.t ORDER BY a", CURSORS, execute(2, "h"), execute(0, "h"), parse("SELECT 1") + bind(portal="h"), "FETCH FIRST FROM h", close("P", "h"), "FETCH h",
        whole("DECLARE k NO SCROLL CURSOR WITH HOLD FOR SELECT a FROM s.t ORDER BY a"), whole("FETCH 2 FROM k"), whole("FETCH ALL FROM k", 2, "f") + execute(0, "f"), "FETCH k", "CLOSE k",
        "BEGIN", whole("DECLARE c CURSOR FOR SELECT a FROM s.t ORDER BY a"), parse("FETCH 3 FROM c") + bind(portal="f", results=(1,)) + describe("P", "f") + execute(1, "f"), "FETCH c", execute(0, "f"), "ROLLBACK",
        "BEGIN", "DECLARE c CURSOR FOR SELECT a FROM s.t ORDER BY a", "DECLARE f CURSOR FOR SELECT 1", parse("MOVE 2 FROM c") + bind() + describe("P") + execute(), "FETCH c", "ROLLBACK",
    ],
    "the unnamed portal": [
        parse(SELECT, "s"),
        "BEGIN", bind(statement="s") + execute(1), execute(1), "ROLLBACK",
        "BEGIN", bind(statement="s") + execute(1), "SELECT 1", execute(1), "ROLLBACK",
        "BEGIN", bind(statement="s") + execute(1) + bind(statement="s") + execute(1) + describe("P") + close("P") + execute(1), "ROLLBACK",
        bind(statement="s") + execute(2), execute(2),
        whole(SELECT, 2, "z"), execute(2, "z"),
        "BEGIN", bind(statement="s") + close("S", "s") + execute(1), execute(1), "ROLLBACK", bind(statement="s"),
    ],
    "a failed transaction": [
        parse(SELECT, "s") + parse("DELETE FROM s.t", "d") + parse("COMMIT", "x") + parse("", "e"),
        "BEGIN", bind(statement="s", portal="p") + bind(statement="d", portal="dp"), "SELECT 1/0",
        describe("P", "p"), describe("P", "dp"), describe("S", "s"), describe("S", "d"), bind(statement="s", portal="r"),
        bind(statement="x") + describe("P"), parse("SELECT 1"), parse("ROLLBACK"), execute(1, "p"), execute(1, "nope"), describe("P", "nope"),
        close("P", "p") + close("S", "s"), "FETCH p", "CLOSE ALL", "DECLARE c CURSOR FOR SELECT 1", whole("ROLLBACK"), describe("S", "d"),
    ],
    "savepoints": [
        "BEGIN", "DECLARE c CURSOR FOR SELECT 10 / (90000 - g) AS x FROM generate_series(1, 100000) g", "FETCH 1 FROM c", "SAVEPOINT s", "MOVE ALL FROM c", "ROLLBACK TO s", "FETCH 1 FROM c", execute(1, "c"), "ROLLBACK",
        "BEGIN", "SAVEPOINT a", parse(SELECT) + bind(portal="p"), "ROLLBACK TO a", execute(1, "p"), "ROLLBACK",
        "BEGIN", parse(SELECT) + bind(portal="p") + execute(1, "p"), "SAVEPOINT a", "SELECT 1/0", "ROLLBACK TO a", execute(1, "p"), "FETCH p", "ROLLBACK",
        "BEGIN", "SAVEPOINT a", parse(SELECT) + bind(portal="p") + execute(1, "p"), "RELEASE a", execute(1, "p"), "ROLLBACK",
        "BEGIN", "SAVEPOINT a", "DECLARE c CURSOR FOR SELECT 1 AS one", "SELECT 1/0", "FETCH c", "ROLLBACK TO a", "FETCH c", "ROLLBACK",
    ],
    "held": [
        "BEGIN", "DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 3000) g", "FETCH 2 FROM c", "COMMIT", "FETCH 1 FROM c", "FETCH ABSOLUTE 2999 FROM c", "FETCH FIRST FROM c", "FETCH LAST FROM c", "FETCH c", "FETCH BACKWARD 3 FROM c", "CLOSE c",
        "BEGIN", "DECLARE c NO SCROLL CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 3000) g", "FETCH 2 FROM c", "COMMIT", "FETCH 1 FROM c", "MOVE 2000 FROM c", "FETCH c", "FETCH PRIOR FROM c", "CLOSE c",
        "BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT 10 / (90000 - g) AS x FROM generate_series(1, 100000) g", "FETCH c", "COMMIT", "FETCH c", CURSORS,
        "BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT 1 AS one", "ROLLBACK", "FETCH c",
        "BEGIN", "SAVEPOINT a", "DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 1 AS one", "RELEASE a", "COMMIT", "FETCH c", "BEGIN", "SELECT 1/0", "ROLLBACK", "FETCH BACKWARD 1 FROM c", "CLOSE c",
    ],
    "only forward": [
        "BEGIN", "DECLARE c NO SCROLL CURSOR FOR SELECT g FROM generate_series(1, 5) g", "FETCH ABSOLUTE 2 FROM c", "FETCH RELATIVE 2 FROM c", "FETCH FORWARD ALL FROM c", "FETCH c", "ROLLBACK",
        *("BEGIN", "DECLARE c NO SCROLL CURSOR FOR SELECT g FROM generate_series(1, 5) g", "FETCH LAST FROM c", "ROLLBACK"),
        *("BEGIN", "DECLARE c NO SCROLL CURSOR FOR SELECT g FROM generate_series(1, 5) g", "FETCH ABSOLUTE 9 FROM c", "FETCH c", "ROLLBACK"),
        *("BEGIN", "DECLARE c NO SCROLL CURSOR FOR SELECT g FROM generate_series(1, 5) g", "FETCH 0 FROM c", "FETCH BACKWARD 1 FROM c", "ROLLBACK"),
        *("BEGIN", "DECLARE c NO SCROLL CURSOR FOR SELECT g FROM generate_series(1, 5) g", "FETCH 1 FROM c", "FETCH 0 FROM c", "ROLLBACK"),
        *("BEGIN", "DECLARE c NO SCROLL CURSOR FOR SELECT g FROM generate_series(1, 5) g", "FETCH ABSOLUTE 0 FROM c", "FETCH ABSOLUTE 1 FROM c", "MOVE ABSOLUTE 4 FROM c", "FETCH c", "ROLLBACK"),
    ],
}  # fmt: skip


def told(answer: Answer) -> tuple[object, ...]:
    """Everything but where in PostgreSQL's source an error was raised."""
    errors = [(e["S"], e["C"], e["M"], e.get("D"), e.get("H")) for e in answer.errors]
    return answer.kinds, answer.tags, answer.rows, errors, [n["M"] for n in answer.notices]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KalamServer]:
    """PostgreSQL where a `RawClient` looks for us: database kalam, role alice."""
    directory = tmp_path_factory.mktemp("oracle")
    with postgresql.running(directory) as dsn:
        with psycopg.connect(dsn, autocommit=True) as setup:
            setup.execute("CREATE DATABASE kalam")
            setup.execute("CREATE ROLE alice SUPERUSER LOGIN")
        found = KalamServer(directory)
        port = re.search(r"port=(\d+)", dsn)
        assert port is not None
        found.port = int(port[1])
        yield found


@pytest.fixture(scope="module")
def _tables(server: KalamServer, oracle: KalamServer) -> None:
    table = "s.t (a int PRIMARY KEY, b text)"
    with RawClient(server) as root, RawClient(oracle, "alice") as alice:
        root.simple(f"CREATE NAMESPACE s; CREATE TABLE {table} WITH (TYPE = 'SHARED')")
        root.simple("GRANT SELECT, INSERT, UPDATE, DELETE ON s.t TO PUBLIC")
        alice.simple(f"CREATE SCHEMA s; CREATE TABLE {table}")


@pytest.fixture
def sides(server: KalamServer, oracle: KalamServer, _tables: None) -> Iterator[list[RawClient]]:
    """Ours and theirs, with the same five rows."""
    with ExitStack() as stack:
        found = [stack.enter_context(RawClient(s, "alice")) for s in (server, oracle)]
        for client in found:
            client.simple("DELETE FROM s.t")
            client.simple("INSERT INTO s.t VALUES (1,'x'), (2,'x'), (3,'x'), (4,'x'), (5,'x')")
        yield found


@pytest.mark.parametrize("name", SEQUENCES)
def test_portals_are_postgresqls(sides: list[RawClient], name: str):
    different = []
    for step in SEQUENCES[name]:
        answers = []
        for client in sides:
            client.send(query(step) if isinstance(step, str) else step + SYNC)
            answers.append(told(client.answer()))
        if answers[0] != answers[1]:
            different.append((step, *answers))
    assert different == []


OWN_VALUES = (
    "SELECT nextval('n') * 0 + $1::int FROM s.t JOIN s.t u USING (a) WHERE a < $2::int",
    "SELECT nextval('n') * 0 + $1::int FROM generate_series(1, $2::int - 1)",
    "SELECT a * 0 + $1::int FROM s.t WHERE a < $2::int FOR UPDATE",
    "SELECT a * 0 + $1::int FROM s.t WHERE a < $2::int",
    "SELECT array_length(ARRAY[[a, 1]], 1) * 0 + $1::int FROM s.t WHERE a < $2::int",
)


@pytest.mark.parametrize("in_process", ["on", "off"])
def test_each_portal_has_its_own_parameters(sides: list[RawClient], in_process: str):
    client = sides[0]
    client.simple(f"SET kalam.in_process_queries = {in_process}; CREATE TEMP SEQUENCE n")
    for text in OWN_VALUES:
        client.simple("BEGIN")
        client.send(
            parse(text, "s")
            + bind((b"1000", b"4"), statement="s", portal="p")
            + (execute(1, "p") + bind((b"5", b"3"), statement="s") + execute() + execute(1, "p"))
            + SYNC
        )
        rows = client.answer().rows
        client.send(execute(0, "p") + SYNC)
        rows += client.answer().rows
        assert [value for (value,) in rows] == ["1000", "5", "5", "1000", "1000"], text
        client.send(
            parse(f"DECLARE c CURSOR FOR {text}") + bind((b"1000", b"4")) + execute() + SYNC
        )
        client.answer()
        client.send(bind((b"5", b"2"), statement="s") + execute() + SYNC)
        assert client.answer().rows == [("5",)]
        assert client.simple("FETCH ALL FROM c").rows == [("1000",)] * 3, text
        client.send(close("S", "s") + SYNC)
        client.answer()
        client.simple("ROLLBACK")


def kinds_so_far(client: RawClient, other: RawClient) -> str:
    """Types of the messages that have come; what was sent has been dealt with by then."""
    for _ in range(5):
        other.simple("SELECT 1")
    kinds = ""
    client.socket.setblocking(False)
    try:
        while True:
            kinds += client.receive()[0]
    except BlockingIOError:
        return kinds
    finally:
        client.socket.settimeout(20)


FLUSH = message(b"H")


@pytest.mark.parametrize("which", [0, 1])
def test_answers_wait_for_sync_or_flush_and_errors_do_not(
    sides: list[RawClient], server: KalamServer, oracle: KalamServer, which: int
):
    client = sides[which]
    with RawClient((server, oracle)[which], "alice") as other:
        client.send(parse(SELECT) + bind() + describe("P") + execute(2))
        assert kinds_so_far(client, other) == ""
        client.send(FLUSH)
        assert [client.receive()[0] for _ in range(6)] == list("12TDDs")
        client.send(execute(0))
        assert kinds_so_far(client, other) == ""
        client.send(bind(statement="nobody"))
        assert [client.receive()[0] for _ in range(5)] == list("DDDCE")
        client.send(execute(0))
        assert kinds_so_far(client, other) == ""
        client.send(SYNC)
        assert client.answer().kinds == "Z"
        client.send(parse(SELECT, "late"))
        client.send(bind(statement="late") + execute(0) + SYNC)
        assert client.answer().kinds == "12DDDDDCZ"
        client.send(parse("SELECT 1") + query("SELECT 2"))
        assert client.answer().kinds == "1TDCZ"


def test_much_does_not_wait(sides: list[RawClient]):
    for client in sides:
        client.send(parse("SELECT g FROM generate_series(1, 10000) g") + bind() + execute(0))
        assert [client.receive()[0] for _ in range(9000)] == [*"12", *("D" * 8998)]
        client.send(SYNC)
        assert client.answer().kinds.endswith("DCZ")


def test_a_parameter_declared_void_is_no_argument(sides: list[RawClient]):
    for text, types, values in (
        ("SELECT length($1, $2)", (2278, 25), (None, b"abc")),
        ("SELECT * FROM upper($1, $2) AS r", (2278, 25), (b"", b"abc")),
        ("SELECT $1", (2278,), (None,)),
    ):
        answers = []
        for client in sides:
            client.send(parse(text, types=types) + describe("S") + bind(values) + execute() + SYNC)
            answers.append(client.answer())
        assert told(answers[0]) == told(answers[1])
        assert answers[0].sqlstate is None


def test_a_plan_whose_columns_changed_is_told_by_the_routines_name(server: KalamServer):
    with RawClient(server) as root:
        root.simple("CREATE NAMESPACE changed; CREATE TABLE changed.t (id int PRIMARY KEY, v int)")
        root.send(parse("SELECT * FROM changed.t", "s") + SYNC)
        root.answer()
        root.simple("DROP TABLE changed.t; CREATE TABLE changed.t (id int PRIMARY KEY, v text)")
        root.send(bind(statement="s") + execute() + SYNC)
        (error,) = root.answer().errors
        assert (error["C"], error["R"]) == ("0A000", "RevalidateCachedQuery")


def test_asyncpg_prepares_again_what_changed(server: KalamServer):
    async def main() -> list[tuple[object, ...]]:
        alice = await asyncpg.connect(server.dsn("dora"))
        try:
            await alice.execute("CREATE NAMESPACE again")
            await alice.execute("CREATE TABLE again.t (id int PRIMARY KEY, v int)")
            text = "SELECT * FROM again.t"
            found = [tuple(await alice.fetch(text))]
            await alice.execute("DROP TABLE again.t")
            await alice.execute("CREATE TABLE again.t (id int PRIMARY KEY, v text)")
            await alice.execute("INSERT INTO again.t VALUES (1, 'x')")
            return [*found, *map(tuple, await alice.fetch(text))]
        finally:
            await alice.close()

    assert asyncio.run(main()) == [(), (1, "x")]
