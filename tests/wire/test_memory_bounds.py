"""What a session may hold of the server's memory: refused beyond, and the session goes on."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.neighbours.attacker import half_bind
from conformance.neighbours.run import Memory
from tests.wire.raw import SYNC, RawClient, bind, execute, message, parse, query
from tests.wire.server import PASSWORD, KalamServer

pytestmark = pytest.mark.slow

SESSION_MB, SERVER_MB = 32, 80


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KalamServer]:
    """A server in which sessions may hold little."""
    server = KalamServer(
        tmp_path_factory.mktemp("small"),
        KALAM_SESSION_MEMORY_MAX=f"{SESSION_MB}MB",
        KALAM_MEMORY_MAX=f"{SERVER_MB}MB",
    ).start()
    with server.root() as root:
        root.execute("CREATE NAMESPACE kin")
        root.execute("CREATE TABLE kin.own (id INT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER')")
        for name in ("alice", "bob"):
            root.execute(f"CREATE USER {name} WITH PASSWORD '{PASSWORD}'")
    yield server
    server.stop()


@pytest.fixture
def client(small: KalamServer) -> Iterator[RawClient]:
    with RawClient(small, "alice") as found:
        yield found


def large(size: int) -> bytes:
    return bind((b"x" * size,), statement="s")


def held(mb: int, first: int = 1) -> str:
    """A statement that makes a block hold so many megabytes, in rows from number `first` on."""
    series = f"generate_series({first}, {first + mb - 1})"
    # One by one: as a load they would be in files.
    return (
        f"INSERT INTO kin.own SELECT g, repeat('x', 1000000) FROM {series} g ON CONFLICT DO NOTHING"
    )


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO kin.own VALUES "
        + ",".join(f"({n}, repeat('x', 3000000))" for n in range(1, 41)),
        held(60),
        "UPDATE kin.own SET v = repeat('x', 60000000) WHERE id = 0",
        "SELECT repeat('x', 60000000)",
        "SELECT " + ", ".join(["repeat('x', 3000000)"] * 20),
        "INSERT INTO kin.own VALUES (-1, 'a') RETURNING repeat('x', 60000000)",
        ";".join(f"SAVEPOINT s{n}" for n in range(4000)) + ";" + held(31),
        "SELECT count(pg_notify('c' || g, repeat('x', 7000))) FROM generate_series(1, 6000) g",
    ],
    ids=["values", "select", "update", "value", "row", "returning", "savepoints", "notify"],
)
def test_what_is_too_much_is_53200_and_the_session_goes_on(client: RawClient, text: str):
    client.simple("BEGIN; INSERT INTO kin.own VALUES (0, 'zero')")
    answer = client.simple(text)
    assert answer.sqlstate == "53200"
    assert answer.errors[0]["M"] == "out of memory"
    assert client.simple("SELECT 1").sqlstate == "25P02"
    assert client.simple("ROLLBACK").sqlstate is None
    assert client.simple("SELECT count(*) FROM kin.own").rows == [("0",)]
    # And all of it was given back.
    assert client.simple(f"BEGIN; {held(6)}; ROLLBACK").sqlstate is None


def test_a_refusal_says_what_holds_how_much(client: RawClient):
    client.simple(f"BEGIN; {held(20)}")
    error = client.simple(held(20, 101)).errors[0]
    assert "changed rows 1" in error["D"] or "changed rows 2" in error["D"]
    assert f"it may hold {SESSION_MB} MB" in error["D"]
    assert "session_memory_max" in error["H"]
    client.simple("ROLLBACK")


def test_what_a_serializable_transaction_has_read_counts(client: RawClient):
    client.simple("BEGIN ISOLATION LEVEL SERIALIZABLE")
    client.send(parse("SELECT id FROM kin.own WHERE v = $1", "s") + large(6_000_000))
    client.send(execute() + SYNC)
    assert client.answer().sqlstate is None
    error = client.simple(held(40)).errors[0]
    assert error["C"] == "53200"
    assert "rows read 5 MB" in error["D"]
    client.simple("ROLLBACK; DEALLOCATE ALL")
    assert "rows read" not in client.simple(f"BEGIN; {held(40)}").errors[0]["D"]
    client.simple("ROLLBACK")


def test_prepared_statements_are_refused_when_they_are_too_many(client: RawClient):
    text = "SELECT " + ", ".join(f"$1 + {n}" for n in range(300))
    found = None
    for n in range(40):
        client.send(parse(text, f"s{n}") + SYNC)
        found = client.answer().sqlstate
        if found is not None:
            break
    assert found == "53200"
    assert n > 5
    client.simple("DEALLOCATE ALL")
    client.send(parse(text, "again") + SYNC)
    assert client.answer().sqlstate is None


def test_portals_are_refused_when_their_parameters_are_too_large(client: RawClient):
    client.simple("BEGIN")
    client.send(parse("SELECT length($1::text)", "s") + SYNC)
    client.answer()
    for n in range(60):
        client.send(bind((b"x" * 900_000,), statement="s", portal=f"p{n}"))
    client.send(SYNC)
    assert client.answer().sqlstate == "53200"
    client.simple("ROLLBACK")
    client.send(large(900_000) + execute() + SYNC)
    assert client.answer().rows == [("900000",)]


def test_a_message_that_is_announced_too_large_is_skipped_in_step(client: RawClient):
    client.send(parse("SELECT length($1::text)", "s") + SYNC)
    client.answer()
    client.send(large(60_000_000) + execute() + SYNC + query("SELECT 2"))
    refused, answered = client.answer(), client.answer()
    assert (refused.sqlstate, refused.rows) == ("53200", [])
    assert answered.rows == [("2",)]
    client.send(query("SELECT '" + "x" * 60_000_000 + "'") + query("SELECT 3"))
    refused, answered = client.answer(), client.answer()
    assert (refused.sqlstate, refused.kinds) == ("53200", "EZ")
    assert answered.rows == [("3",)]
    client.send(large(2_000_000) + execute() + SYNC)
    assert client.answer().rows == [("2000000",)]


def test_a_text_that_is_too_long_is_refused_before_it_has_come(client: RawClient):
    whole = query("SELECT '" + "x" * 4_000_000 + "'")
    client.send(whole[:3_000_000])
    client.send(whole[3_000_000:] + query("SELECT 5"))
    refused, answered = client.answer(), client.answer()
    assert (refused.sqlstate, refused.kinds) == ("54000", "EZ")
    assert "bytes of SQL" in refused.errors[0]["D"]
    assert answered.rows == [("5",)]


def test_a_piece_of_copy_that_is_too_large_ends_the_copy(client: RawClient):
    client.send(query("COPY kin.own FROM STDIN"))
    assert client.receive()[0] == "G"
    client.send(message(b"d", b"1\t" + b"x" * 60_000_000) + message(b"c") + query("SELECT 4"))
    assert client.answer().sqlstate == "53200"
    assert client.answer().rows == [("4",)]


def test_an_array_is_weighed_by_what_reading_it_takes(client: RawClient):
    client.send(parse("SELECT array_length($1::int[], 1)", "a") + SYNC)
    client.answer()
    few, many = b"{" + b"1," * 50_000 + b"1}", b"{" + b"1," * 1_000_000 + b"1}"
    for array, expected in ((few, None), (many, "53200"), (few, None)):
        client.send(bind((array,), statement="a") + execute() + SYNC)
        assert client.answer().sqlstate == expected


def test_beyond_the_servers_bound_the_user_who_holds_most_gives_way(
    small: KalamServer, client: RawClient
):
    second, third = RawClient(small, "alice"), RawClient(small, "alice")
    with second, third, RawClient(small, "bob") as bob:
        bob.simple(f"BEGIN; {held(10)}")
        assert client.simple(f"BEGIN; {held(24)}").sqlstate is None
        assert second.simple(f"BEGIN; {held(28, 101)}").sqlstate is None
        # Alice holds most: what she asks for is refused, and nobody is ended.
        error = third.simple(f"BEGIN; {held(26, 201)}").errors[0]
        assert error["C"] == "53200"
        assert f"all sessions together may hold {SERVER_MB} MB" in error["D"]
        third.simple("ROLLBACK")
        # When bob needs it, her largest session goes.
        assert bob.simple(held(21, 101)).sqlstate is None
        assert second.answer().sqlstate == "57P01"
        assert client.simple("SELECT 1").rows == [("1",)]
        assert third.simple("SELECT 1").rows == [("1",)]


def test_large_rows_are_read_and_changed_as_others_are(client: RawClient):
    text = "x" * 3_000_000
    client.simple(f"INSERT INTO kin.own VALUES (800, '{text[:900_000]}'), (801, 'small')")
    assert (
        client.simple("UPDATE kin.own SET v = repeat('x', 3000000) WHERE id = 800").sqlstate is None
    )
    for _ in range(2):
        assert client.simple("SELECT v, 7 FROM kin.own WHERE id = 800").rows == [(text, "7")]
        found = client.simple("SELECT id, v FROM kin.own WHERE id IN (800, 801) ORDER BY id").rows
        assert found == [("800", text), ("801", "small")]
        three = (
            "SELECT v FROM kin.own WHERE id IN (800, 801) UNION ALL SELECT 'last' ORDER BY 1 DESC"
        )
        assert client.simple(three).rows == [(text,), ("small",), ("last",)]
        # Along the key, where rows are read one by one in memory.
        for along in ("id > 799", "id BETWEEN 800 AND 900", "id >= 800 AND length(v) > 3"):
            asked = f"SELECT id FROM kin.own WHERE {along} ORDER BY id"
            assert client.simple(asked).rows == [("800",), ("801",)]
    client.send(parse("SELECT v FROM kin.own WHERE id = $1", "one") + SYNC)
    client.answer()
    again = bind((b"800",), statement="one") + execute()
    client.send(again + bind((b"801",), statement="one") + execute() + again + SYNC)
    assert client.answer().rows == [(text,), ("small",), (text,)]
    client.simple("BEGIN; UPDATE kin.own SET v = v || 'y' WHERE id = 800; SAVEPOINT s")
    assert client.simple("SELECT v FROM kin.own WHERE id = 800").rows == [(text + "y",)]
    assert client.simple("ROLLBACK; SELECT length(v) FROM kin.own WHERE id = 800").rows == [
        ("3000000",)
    ]
    assert client.simple("UPDATE kin.own SET v = 'short' WHERE id = 800 RETURNING v").rows == [
        ("short",)
    ]
    assert client.simple("UPDATE kin.own SET v = 'shorter' WHERE id = 800").sqlstate is None
    client.send(again + SYNC)
    assert client.answer().rows == [("shorter",)]
    client.simple("UPDATE kin.own SET v = repeat('z', 2000000) WHERE id = 800")
    deleted = client.simple("DELETE FROM kin.own WHERE id IN (800, 801) RETURNING v").rows
    assert sorted(deleted) == [("small",), ("z" * 2_000_000,)]
    client.send(again + SYNC)
    assert client.answer().rows == []


def test_what_was_sent_by_halves_is_given_back(small: KalamServer):
    memory = Memory(small)
    with RawClient(small, "alice") as first:
        assert first.simple("SELECT 1").rows == [("1",)]
    before = memory.now()
    clients = [RawClient(small, "alice") for _ in range(8)]
    for client in clients:
        client.send(half_bind(15_000_000, 12_000_000))
    with RawClient(small, "bob") as other:
        assert other.simple("SELECT 1").rows == [("1",)]
        assert other.simple(f"BEGIN; {held(20)}; ROLLBACK").sqlstate is None
    assert memory.now() - before < SERVER_MB + 40
    for client in clients:
        client.socket.close()
    deadline = time.monotonic() + 10
    while memory.now() - before > 40 and time.monotonic() < deadline:
        time.sleep(0.05)  # Nobody tells when a server has noticed that a client is gone.
    assert memory.now() - before <= 40
    assert Path(small.directory).exists()


def test_what_a_statement_was_given_is_free_when_it_has_been_answered(
    small: KalamServer, client: RawClient
):
    memory = Memory(small)
    texts = (
        "SELECT length(replace($1, 'a', 'bb'))",
        "SELECT count(*) FROM kin.own WHERE v > $1",
        "SELECT replace($1, 'x', 'b')::int",
    )
    for size in (100, 6_000_000):
        before = memory.now()
        for text in texts:
            client.send(parse(text) + bind((b"x" * size,)) + execute() + SYNC)
            assert client.answer().sqlstate == ("22P02" if "int" in text else None)
    # Each was kept until the next statement, or until the collector came.
    assert memory.now() - before < 5
