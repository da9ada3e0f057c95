"""python -m conformance.histories.refusals: how often SERIALIZABLE refuses ordinary work; beside PostgreSQL.

Sessions run the same kind of transaction at the same time, each of its own count; a refused one (`40001`,
`40P01`) is tried again. What is told: refused tries of a hundred, transactions a second, for both servers.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.wire import postgresql
from tests.wire.server import KalamServer

Connect = Callable[[], psycopg.Connection[Any]]

_SETUP = (
    "DROP TABLE IF EXISTS messages",
    "DROP TABLE IF EXISTS counters",
    "CREATE TABLE messages (id bigint PRIMARY KEY, conversation int NOT NULL, body text)",
    "CREATE INDEX ON messages (conversation, id)",
    "CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL)",
    "INSERT INTO messages SELECT n, n % 6, 'text ' || n FROM generate_series(1, 6000) n",
    "INSERT INTO counters SELECT n, 0 FROM generate_series(0, 5) n",
)


def _append(session: int, turn: int) -> list[str]:
    """The newest messages of one's own conversation, and one more."""
    return [
        f"SELECT id, body FROM messages WHERE conversation = {session} ORDER BY id DESC LIMIT 50",
        f"INSERT INTO messages VALUES ({(session + 1) * 1_000_000 + turn}, {session}, 'new')",
    ]


def _append_together(session: int, turn: int) -> list[str]:
    """The same in one conversation that all have."""
    return [
        "SELECT id, body FROM messages WHERE conversation = 1 ORDER BY id DESC LIMIT 50",
        f"INSERT INTO messages VALUES ({(session + 1) * 1_000_000 + turn}, 1, 'new')",
    ]


def _count_apart(session: int, _turn: int) -> list[str]:
    """A counter of one's own is read and written."""
    return [
        f"SELECT n FROM counters WHERE id = {session}",
        f"UPDATE counters SET n = n + 1 WHERE id = {session}",
    ]


def _count_together(_session: int, _turn: int) -> list[str]:
    """One counter is read and written by all."""
    return [
        "SELECT n FROM counters WHERE id = 0",
        "UPDATE counters SET n = n + 1 WHERE id = 0",
    ]


def _read(session: int, turn: int) -> list[str]:
    """Half of the sessions read all that the others write."""
    if session % 2:
        return _append(session, turn)
    return ["SELECT conversation, count(*) FROM messages GROUP BY 1", "SELECT n FROM counters"]


_WORK = {
    "append, conversations apart": _append,
    "append, one conversation": _append_together,
    "read and write, rows apart": _count_apart,
    "read and write, one row": _count_together,
    "read all beside writers": _read,
}


def measure(
    connect: Connect, work: Callable[[int, int], list[str]], sessions: int, turns: int
) -> str:
    """Refused tries of a hundred, and transactions a second."""
    with connect() as control:
        for statement in _SETUP:
            control.execute(statement.encode())
    refused = [0] * sessions

    def run(session: int) -> None:
        with connect() as connection:
            for turn in range(turns):
                while not _try(connection, work(session, turn)):
                    refused[session] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(sessions)]
    since = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = sessions * turns
    share = 100 * sum(refused) / (done + sum(refused))
    return f"{share:5.1f} % refused, {done / (time.monotonic() - since):6.0f}/s"


def _try(connection: psycopg.Connection[Any], statements: list[str]) -> bool:
    try:
        connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
        for statement in statements:
            connection.execute(statement.encode())
        connection.execute("COMMIT")
    except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
        connection.execute("ROLLBACK")
        return False
    return True


def main() -> None:
    """Print a line for each kind of work."""
    parser = argparse.ArgumentParser(prog="conformance.histories.refusals", description=__doc__)
    parser.add_argument("--sessions", type=int, default=6)
    parser.add_argument("--turns", type=int, default=300, help="transactions of each session")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        server = KalamServer(Path(scratch) / "data").start(options.port)
        try:
            with postgresql.running(Path(scratch)) as dsn:
                sides: dict[str, Connect] = {
                    "KalamDB": server.root,
                    "PostgreSQL": lambda: psycopg.connect(dsn, autocommit=True),
                }
                for name, work in _WORK.items():
                    for side, connect in sides.items():
                        told = measure(connect, work, options.sessions, options.turns)
                        print(f"{name:30} {side:11} {told}", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
