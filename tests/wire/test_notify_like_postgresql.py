"""LISTEN and NOTIFY message by message: the same bytes to us and to PostgreSQL 15, the same answers.

What counts is where a NotificationResponse comes among the other messages, and that none comes twice.
"""

import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from tests.wire import postgresql
from tests.wire.raw import (
    DESCRIBE,
    SYNC,
    RawClient,
    bind,
    execute,
    message,
    parse,
    query,
)
from tests.wire.side_by_side import Side, both, differences

pytestmark = pytest.mark.skipif(
    not postgresql.installed(), reason="PostgreSQL 15 is the oracle: Debian's package postgresql-15"
)

FLUSH = message(b"H")

FAILS = "SELECT 1 / (pg_backend_pid() * 0)"
"""Only when it runs: PostgreSQL computes 1/0 already at Bind."""

Said = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("notify")) as sides:
        ours, theirs = sides
        ours.connection.execute("CREATE USER listener WITH PASSWORD 'a password' ROLE 'user'")
        theirs.connection.execute("CREATE DATABASE kalam")
        theirs.connection.execute("CREATE USER listener")
        yield sides


class Client:
    """A connection to one of the two, and what it is told."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        at = SimpleNamespace(port=connection.info.port)
        self.raw = RawClient(at, "listener")  # type: ignore[arg-type]  # only the port is asked for

    def told(self, until: str = "Z", count: int = 1) -> Said:
        """Messages up to the `count`th of a kind; of each what two servers must agree on."""
        said: Said = []
        while count:
            kind, body = self.raw.receive()
            count -= kind == until
            if kind == "A":
                channel, payload, _ = body[4:].split(b"\0")
                said.append(("A", channel.decode(), payload.decode()))
            elif kind == "C":
                said.append(("C", body[:-1].decode()))
            elif kind == "Z":
                said.append(("Z", body.decode()))
            elif kind == "E":
                fields = {part[:1]: part[1:] for part in body.split(b"\0")}
                said.append(("E", fields[b"C"].decode(), fields[b"M"].decode()))
            elif kind == "":
                said.append(("the end",))
                return said
            elif kind not in "NST":
                said.append((kind,))
        return said


def parsed(text: str, *parameters: bytes | None) -> bytes:
    return parse(text) + bind(parameters) + DESCRIBE + execute()


ONE_SESSION = {
    "its own": [query("LISTEN a"), query("NOTIFY a, '1'")],
    "in one text": [query("LISTEN a; NOTIFY a, '1'")],
    "sent before it listens, in one transaction": [query("NOTIFY a, '1'; LISTEN a")],
    "not before COMMIT": [
        query("LISTEN a"),
        query("BEGIN"),
        query("NOTIFY a, '1'"),
        query("SELECT 1"),
        query("COMMIT"),
    ],
    "LISTEN counts from COMMIT": [
        query("BEGIN; LISTEN a"),
        query("SELECT pg_listening_channels()"),
        query("NOTIFY a, '1'"),
        query("COMMIT"),
        query("SELECT pg_listening_channels()"),
    ],
    "ROLLBACK undoes": [
        query("LISTEN b"),
        query("BEGIN; LISTEN a; UNLISTEN b; NOTIFY a; NOTIFY b"),
        query("ROLLBACK"),
        query("SELECT pg_listening_channels()"),
        query("NOTIFY a; NOTIFY b"),
    ],
    "a failed text undoes": [query("LISTEN a"), query("NOTIFY a; SELECT 1/0"), query("SELECT 1")],
    "a failed block undoes": [
        query("LISTEN a"),
        query("BEGIN; NOTIFY a"),
        query("SELECT 1/0"),
        query("COMMIT"),
    ],
    "the same once, in order": [
        query("LISTEN a; LISTEN b"),
        query(
            "BEGIN; NOTIFY a, '1'; NOTIFY b, '1'; NOTIFY a, '2'; NOTIFY a, '1'; NOTIFY b; COMMIT"
        ),
        query("NOTIFY a, '1'"),
    ],
    "savepoints": [
        query("LISTEN a"),
        query("BEGIN; NOTIFY a, '1'; SAVEPOINT s; NOTIFY a, '2'; LISTEN b"),
        query("ROLLBACK TO s; NOTIFY a, '3'; SAVEPOINT t; NOTIFY a, '4'; RELEASE t"),
        query("COMMIT"),
        query("SELECT pg_listening_channels()"),
    ],
    "UNLISTEN counts from COMMIT": [
        query("LISTEN a; LISTEN b"),
        query("BEGIN; UNLISTEN a; NOTIFY a; NOTIFY b; COMMIT"),
        query("UNLISTEN *; NOTIFY b"),
        query("UNLISTEN nobody"),
        query("NOTIFY b"),
    ],
    "LISTEN twice, told once": [query("LISTEN a; LISTEN a"), query("LISTEN a"), query("NOTIFY a")],
    "as functions": [
        query("LISTEN a"),
        query("SELECT pg_notify('a', 'x'), pg_notify('a', NULL), pg_notify('a', 'x')"),
        query("SELECT pg_notify('a', g::text) FROM generate_series(1, 3) g"),
        query("SELECT pg_notify('', 'x')"),
        query("SELECT pg_notify(NULL, NULL)"),
        query(f"SELECT pg_notify('{'x' * 64}', 'x')"),
        query("SELECT pg_notify('a', repeat('x', 8000))"),
        query("SELECT pg_notify('a', repeat('x', 7999))"),
        query("SELECT pg_notification_queue_usage()"),
        query("SELECT * FROM pg_listening_channels()"),
    ],
    "the extended protocol": [
        parsed("LISTEN a") + SYNC,
        parsed("NOTIFY a, 'x'") + SYNC,
        parsed("SELECT pg_notify($1, $2)", b"a", b"y") + SYNC,
        parsed("SELECT pg_listening_channels()") + SYNC,
        parsed("UNLISTEN *") + SYNC,
        parsed("NOTIFY a, 'x'") + SYNC,
    ],
    "Parse and Describe start nothing": [
        parse("LISTEN a") + bind() + DESCRIBE + SYNC,
        query("NOTIFY a"),
    ],
    "one pipeline, told at Sync": [
        query("LISTEN a"),
        parsed("NOTIFY a, '1'") + parsed("SELECT 1") + parsed("NOTIFY a, '2'") + SYNC,
    ],
    "a failed pipeline undoes": [
        query("LISTEN a"),
        parsed("NOTIFY a, '1'") + parsed(FAILS) + parsed("NOTIFY a, '2'") + SYNC,
    ],
    "COMMIT AND CHAIN tells when the next ends": [
        query("LISTEN a"),
        query("BEGIN; NOTIFY a, '1'; COMMIT AND CHAIN"),
        query("ROLLBACK"),
    ],
    "DISCARD ALL": [
        query("LISTEN a"),
        query("DISCARD ALL"),
        query("SELECT pg_listening_channels()"),
        query("NOTIFY a"),
    ],
    "RESET ALL leaves channels": [query("LISTEN a"), query("RESET ALL"), query("NOTIFY a")],
    "in a transaction that may not write": [
        query("BEGIN READ ONLY; LISTEN a; NOTIFY a; COMMIT"),
        query("UNLISTEN *"),
    ],
    "an empty text tells too": [query("LISTEN a"), query(""), query("NOTIFY a; ; ")],
    "a pool's reset": [
        query("LISTEN a"),
        query("SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;"),
        query("NOTIFY a"),
    ],
}


@pytest.mark.parametrize("name", ONE_SESSION)
def test_a_session_is_told_what_postgresql_tells(sides, name):
    told = []
    for side in sides:
        client = Client(side.connection)
        with client.raw:
            said = []
            for sent in ONE_SESSION[name]:
                client.raw.send(sent)
                said.append(client.told())
            told.append(said)
    ours, theirs = told
    assert ours == theirs


def test_texts_sent_at_once_are_answered_in_their_order(sides):
    told = []
    for side in sides:
        client = Client(side.connection)
        with client.raw:
            texts = ("LISTEN a", "NOTIFY a, '1'", "SELECT 1", "NOTIFY a, '2'")
            client.raw.send(b"".join(query(text) for text in texts))
            told.append(client.told(count=4))
    assert told[0] == told[1]


def asleep(client: Client, other: Client) -> Iterator[Said]:
    client.raw.send(query("LISTEN a"))
    yield client.told()
    other.raw.send(query("NOTIFY a, '1'"))
    yield other.told()
    yield client.told("A")  # Nothing was asked.


def in_a_block(client: Client, other: Client) -> Iterator[Said]:
    client.raw.send(query("LISTEN a"))
    yield client.told()
    client.raw.send(query("BEGIN"))
    yield client.told()
    other.raw.send(query("NOTIFY a, '1'; NOTIFY a, '2'"))
    yield other.told()
    client.raw.send(query("SELECT 1"))
    yield client.told()
    client.raw.send(query("SELECT 1/0"))
    yield client.told()
    client.raw.send(query("ROLLBACK"))
    yield client.told()


def in_the_middle_of_a_pipeline(client: Client, other: Client) -> Iterator[Said]:
    client.raw.send(query("LISTEN a"))
    yield client.told()
    client.raw.send(parse("SELECT 1") + FLUSH)
    yield client.told("1")
    other.raw.send(query("NOTIFY a, '1'"))
    yield other.told()
    client.raw.send(bind() + FLUSH)
    yield client.told("2")
    client.raw.send(execute() + FLUSH)
    yield client.told("C")
    client.raw.send(SYNC)
    yield client.told()


def after_an_error_in_a_pipeline(client: Client, other: Client) -> Iterator[Said]:
    client.raw.send(query("LISTEN a"))
    yield client.told()
    client.raw.send(parsed(FAILS) + FLUSH)
    yield client.told("E")
    other.raw.send(query("NOTIFY a, '1'"))
    yield other.told()
    client.raw.send(SYNC)
    yield client.told()


def in_the_middle_of_a_message(client: Client, other: Client) -> Iterator[Said]:
    client.raw.send(query("LISTEN a"))
    yield client.told()
    text = query("SELECT 1")
    client.raw.send(text[:7])
    other.raw.send(query("NOTIFY a, '1'"))
    yield other.told()
    client.raw.send(text[7:])
    # Before the answer or after it, but never inside.
    yield sorted(client.told(), key=lambda one: one[0] != "A")


def unlistened_before_it_was_told(client: Client, other: Client) -> Iterator[Said]:
    client.raw.send(query("LISTEN a; LISTEN b"))
    yield client.told()
    client.raw.send(query("BEGIN"))
    yield client.told()
    other.raw.send(query("NOTIFY a, '1'; NOTIFY b, '2'"))
    yield other.told()
    client.raw.send(query("UNLISTEN a; COMMIT"))
    yield client.told()


@pytest.mark.parametrize(
    "script",
    [
        asleep,
        in_a_block,
        in_the_middle_of_a_pipeline,
        after_an_error_in_a_pipeline,
        in_the_middle_of_a_message,
        unlistened_before_it_was_told,
    ],
    ids=lambda script: script.__name__.replace("_", " "),
)
def test_another_session_is_told_when_postgresql_tells_it(sides, script):
    told = []
    for side in sides:
        client, other = Client(side.connection), Client(side.connection)
        with client.raw, other.raw:
            told.append(list(script(client, other)))
    assert told[0] == told[1]


def test_the_sender_is_named_by_its_process_number(sides):
    for side in sides:
        client, other = Client(side.connection), Client(side.connection)
        with client.raw, other.raw:
            client.raw.send(query("LISTEN a"))
            client.told()
            other.raw.send(query("SELECT pg_backend_pid(); NOTIFY a, 'x'"))
            (pid,) = other.raw.answer().rows[0]
            kind, body = client.raw.receive()
            assert (kind, struct.unpack("!i", body[:4])[0]) == ("A", int(pid or 0))


STATEMENTS = f"""
LISTEN a
LISTEN "A b"
SELECT pg_listening_channels()
SELECT * FROM pg_listening_channels() AS c ORDER BY 1
UNLISTEN a
UNLISTEN *
UNLISTEN "no such channel"
NOTIFY {"x" * 70}
LISTEN {"x" * 70}
UNLISTEN "{"é" * 40}"
NOTIFY a, '{"x" * 8000}'
NOTIFY a, '{"é" * 4000}'
NOTIFY a, '{"x" * 7999}'
NOTIFY ""
NOTIFY a b
NOTIFY a.b
NOTIFY a, NULL
LISTEN
LISTEN *
UNLISTEN
NOTIFY
LISTEN 'a'
SELECT pg_notify('a')
SELECT pg_notify('a', 'b', 'c')
SELECT pg_notify('a', 1)
SELECT pg_notification_queue_usage(), pg_advisory_unlock_all()
PREPARE n AS SELECT pg_notify('a', $1)
EXECUTE n('x')
EXECUTE n('x')
"""


def test_statements_are_answered_as_postgresql_answers_them(sides):
    assert differences(sides, STATEMENTS) == []
