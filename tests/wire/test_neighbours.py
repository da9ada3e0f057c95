"""What one client asks for does not hold the others: its cost on the event loop's thread is bounded.

Time of that thread is what is measured, not of a clock: the machine may be busy. The long form, with a victim
that measures beside some two hundred attacks, is `python -m conformance.neighbours`.
"""

from collections.abc import Iterator

import pytest

from conformance.neighbours.statements import HEAVY, PLACES
from conformance.neighbours.victim import schedule
from tests.wire.raw import SYNC, RawClient, bind, execute, parse
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

LOOP_S = 0.03
"""What a statement may cost the loop, all in all, here where each would cost 40 ms and more."""


@pytest.fixture(scope="module")
def tables(server: KalamServer) -> KalamServer:
    with server.root() as root:
        root.execute("CREATE NAMESPACE kin")
        root.execute("CREATE TABLE kin.own (id INT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER')")
        root.execute(
            "CREATE TABLE kin.checked (id INT PRIMARY KEY, v TEXT CHECK (replace(v, 'a', 'bcd') <> ''),"
            f" n INT DEFAULT {HEAVY['replace']}) WITH (TYPE = 'USER')"
        )
        root.execute("CREATE USER mallory WITH PASSWORD 'a password'")
    return server


@pytest.fixture
def client(tables: KalamServer) -> Iterator[RawClient]:
    with RawClient(tables, "mallory") as client:
        client.simple("DELETE FROM kin.own; INSERT INTO kin.own VALUES (1, 'one')")
        yield client


def loop_s(server: KalamServer) -> float:
    assert server.process is not None
    return schedule(server.process.pid)[0]


@pytest.mark.parametrize("place", sorted(set(PLACES) - {"default", "catalogue"}))
def test_an_expression_that_takes_long_does_not_hold_the_loop(
    client: RawClient, tables: KalamServer, place: str
):
    text = PLACES[place].format(HEAVY["replace"])
    before = loop_s(tables)
    answer = client.simple(text)
    assert answer.sqlstate is None, answer.errors
    assert loop_s(tables) - before < LOOP_S


def test_a_default_and_a_check_that_take_long_are_computed_elsewhere(
    client: RawClient, tables: KalamServer
):
    before = loop_s(tables)
    answer = client.simple(
        "INSERT INTO kin.checked (id, v) VALUES (1, repeat('a', 2000000)) RETURNING n, length(v)"
    )
    assert answer.rows == [("21000000", "2000000")]
    answer = client.simple(
        "INSERT INTO kin.checked VALUES (2, replace(repeat('a', 2000000), 'a', ''), 1)"
    )
    assert answer.sqlstate == "23514"
    assert loop_s(tables) - before < 2 * LOOP_S


def test_what_a_call_of_the_servers_own_is_given_is_computed_elsewhere(
    client: RawClient, tables: KalamServer
):
    before = loop_s(tables)
    text = f"SELECT set_config('my.x', ({HEAVY['replace']})::text, false), current_user"
    assert client.simple(text).rows == [("21000000", "mallory")]
    assert client.simple("SHOW my.x").rows == [("21000000",)]
    assert loop_s(tables) - before < LOOP_S


def test_large_parameters_are_read_beside_the_loop(client: RawClient, tables: KalamServer):
    json = b"[" + b"1," * 200_000 + b"1]"
    client.send(parse("SELECT jsonb_array_length($1)") + bind((json,)) + execute() + SYNC)
    assert client.answer().rows == [("200001",)]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 2.5 ^ 60000.5",
        f"INSERT INTO kin.own VALUES (2, ({HEAVY['power']})::text)",
        "SELECT count(*) FROM pg_type WHERE typname <> (2.5 ^ 60000.5)::text",
        f"UPDATE kin.own SET v = ({HEAVY['power']})::text WHERE id = 1",
    ],
)
def test_what_takes_long_ends_with_its_timeout(client: RawClient, tables: KalamServer, text: str):
    client.simple("SET statement_timeout = 100")
    before = loop_s(tables)
    assert client.simple(text).sqlstate == "57014"
    assert loop_s(tables) - before < LOOP_S
    assert client.simple("SELECT 1").rows == [("1",)]


@pytest.mark.parametrize(
    ("text", "parameter", "expected"),
    [
        ("SELECT length(replace(repeat('a', $1::int), 'a', 'bcd'))", b"2000000", "6000000"),
        ("SELECT array_position('{{1,2}}'::int[], $1::int)", b"1", "0A000"),
        ("SELECT v ~ $1 FROM kin.own WHERE id = 1", rb"(a)\1", "0A000"),
        ("SELECT v ~ $1 FROM kin.own", rb"(a)\1", "0A000"),
    ],
)
def test_what_takes_long_or_is_refused_is_told_as_such_in_one_step_too(
    client: RawClient, text: str, parameter: bytes, expected: str
):
    """Parsed before and bound again and again: the short way of a statement knows when it is none."""
    client.send(parse(text, name="again") + SYNC)
    client.answer()
    for _ in range(3):
        client.send(bind((parameter,), statement="again") + execute() + SYNC)
        answer = client.answer()
        assert (answer.sqlstate or answer.rows[0][0]) == expected
