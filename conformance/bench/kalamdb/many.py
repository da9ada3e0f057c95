"""Scenarios of many clients at once: until the last of them has its answer."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from conformance.bench.kalamdb.client import Client, Scenario, Work
from conformance.bench.kalamdb.statements import NOTES, note
from conformance.bench.notify import Session

CLIENTS = 10
_THOUSAND = 1000
_STORM = 100


def _at_once(sessions: Sequence[Session], text: Callable[[int, int], str]) -> Work:
    """A statement from each session at once; text: by (number, session)."""

    def once(number: int) -> None:
        for at, session in enumerate(sessions):
            session.send(text(number, at))
        for session in sessions:
            session.wait(b"Z")

    return Work(once)


def _table(client: Client, name: str) -> tuple[str, list[Session]]:
    """A table of 1000 rows, and sessions of one user."""
    table = f"k.{name}"
    sessions = [Session(client.server) for _ in range(CLIENTS)]
    rows = ", ".join(f"({note(n)})" for n in range(1000))
    for text in (
        f"DROP TABLE IF EXISTS {table}",
        f"CREATE TABLE {table} ({NOTES}){client.kind}",
        f"INSERT INTO {table} VALUES {rows}",
    ):
        sessions[0].run(text)
    for session in sessions:
        session.run("SET synchronous_commit = off")
    return table, sessions


def _insert(table: str, number: int, at: int) -> str:
    return f"INSERT INTO {table} VALUES ({note(1000 + number * CLIENTS + at)})"


def concurrent_insert(client: Client) -> Work:
    """A row from each of ten clients."""
    table, sessions = _table(client, "inserted_at_once")
    return _at_once(sessions, lambda n, at: _insert(table, n, at))


def concurrent_select(client: Client) -> Work:
    """A row by its key for each of ten clients."""
    table, sessions = _table(client, "selected_at_once")
    return _at_once(
        sessions, lambda n, at: f"SELECT * FROM {table} WHERE id = {(n * 7 + at * 90) % 1000}"
    )


def concurrent_update(client: Client) -> Work:
    """A row by its key from each of ten clients."""
    table, sessions = _table(client, "updated_at_once")
    return _at_once(
        sessions,
        lambda n, at: f"UPDATE {table} SET body = 'edited {n}' WHERE id = {n % 90 + at * 100}",
    )


def concurrent_mixed_dml(client: Client) -> Work:
    """INSERTs, UPDATEs, DELETEs and SELECTs of ten clients."""
    table, sessions = _table(client, "mixed_at_once")

    def text(number: int, at: int) -> str:
        key = number % 90 + at * 100
        return (
            _insert(table, number, at),
            f"UPDATE {table} SET body = 'edited {number}' WHERE id = {key}",
            f"DELETE FROM {table} WHERE id = {1000 + (number - 1) * CLIENTS + at - 2}",
            f"SELECT * FROM {table} WHERE id = {key}",
        )[at % 4]

    return _at_once(sessions, text)


def sql_1k_concurrent(client: Client) -> Work:
    """1000 SELECTs by key, ten from each of a hundred clients, all on the way at once."""
    table, _ = _table(client, "thousand")
    sessions = [Session(client.server) for _ in range(_THOUSAND // 10)]

    def once(number: int) -> None:
        for at, session in enumerate(sessions):
            for key in range(10):
                session.send(f"SELECT * FROM {table} WHERE id = {(number + at * 10 + key) % 1000}")
        for session in sessions:
            for _ in range(10):
                session.wait(b"Z")

    return Work(once)


def connection_storm(client: Client) -> Work:
    """A hundred clients who log in by password, twenty at a time, ask something and go."""
    pool = ThreadPoolExecutor(20)

    def visit(_at: int) -> None:
        with client.server.connect() as connection:
            connection.execute("SELECT 1").fetchall()

    return Work(lambda _: list(pool.map(visit, range(_STORM))))


SCENARIOS: Final[tuple[Scenario, ...]] = (
    *(concurrent_insert, concurrent_select, concurrent_update, concurrent_mixed_dml),
    *(sql_1k_concurrent, connection_storm),
)
