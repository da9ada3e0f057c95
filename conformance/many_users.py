"""Many users with a few rows each: created, filled, read, flushed and read again over the wire.

    python -m conformance.many_users [USERS]

Every user's rows are a tablet, with its own log, segment and manifest: what a tablet costs shows here,
whatever its rows cost. Each user is read hot, after the flush and after a restart; a row of each by its key,
and all rows of every twentieth. Ten thousand users take less than a minute.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg

from tests.wire.server import KalamServer

ROWS = 10
_AT_ONCE = 500
_WHOLE_EVERY = 20


class ManyUsers:
    """`users` users on a fresh server, served by the system role acting for each."""

    def __init__(self, server: KalamServer, users: int) -> None:
        self.server = server
        self.names = [f"user{number:06}" for number in range(users)]

    def create(self) -> None:
        """The table, and its users."""
        with self.server.root() as root:
            root.execute(
                "CREATE TABLE notes (id BIGINT PRIMARY KEY, body TEXT NOT NULL)"
                " WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:1000000')"
            )
            for names in _parts(self.names, _AT_ONCE):
                root.execute("; ".join(f"CREATE USER {name} ROLE 'user'" for name in names))

    def insert(self) -> None:
        """Each user's rows, in one statement."""
        statements = (
            f"INSERT INTO notes (id, body) VALUES {', '.join(map(str, self.rows(number)))}"
            for number in range(len(self.names))
        )
        for _ in self._as_each(range(len(self.names)), statements):
            pass

    def read(self) -> int:
        """Read everybody; returns how many statements that took. Fails on a wrong answer."""
        everybody = range(len(self.names))
        keys = [number % ROWS for number in everybody]
        by_key = self._as_each(
            everybody, (f"SELECT id, body FROM notes WHERE id = {k}" for k in keys)
        )
        for number, rows in by_key:
            assert rows == [self.rows(number)[keys[number]]], self.names[number]
        some = everybody[::_WHOLE_EVERY]
        for number, rows in self._as_each(
            some, ("SELECT id, body FROM notes ORDER BY id" for _ in some)
        ):
            assert rows == self.rows(number), self.names[number]
        return len(everybody) + len(some)

    def flush(self) -> None:
        """Every tablet, as one job, which must say so."""
        with self.server.root() as root:
            root.execute("STORAGE FLUSH TABLE notes")
            found = root.execute(
                "SELECT status, result FROM system.jobs WHERE job_type = 'flush'"
            ).fetchall()
        assert found == [("completed", f"{len(self.names) * ROWS} rows")], found

    def restart(self) -> None:
        """Stop the server, and start it on the same directory."""
        self.server.stop()
        self.server.start()

    @staticmethod
    def rows(number: int) -> list[tuple[int, str]]:
        """The rows of one user, told from anybody else's."""
        return [(row, f"note {row} of user {number}") for row in range(ROWS)]

    def _as_each(
        self, numbers: Sequence[int], statements: Iterator[str]
    ) -> Iterator[tuple[int, list[tuple[object, ...]]]]:
        """(user, rows) of one statement each, many on the way at a time."""
        with self.server.root() as root:
            for part in _parts(numbers, _AT_ONCE):
                with root.pipeline():
                    cursors = [
                        root.execute(f"EXECUTE AS USER '{self.names[number]}' ({next(statements)})")
                        for number in part
                    ]
                for number, cursor in zip(part, cursors, strict=True):
                    yield number, cursor.fetchall() if cursor.description else []


def _parts(items: Sequence, size: int) -> Iterator[Sequence]:
    return (items[start : start + size] for start in range(0, len(items), size))


def main(arguments: list[str]) -> None:
    users = int(arguments[0]) if arguments else 10_000
    with tempfile.TemporaryDirectory() as directory:
        server = KalamServer(Path(directory)).start()
        many = ManyUsers(server, users)
        try:
            print(f"{users} users, {ROWS} rows each; seconds, and ms a user", flush=True)
            steps: list[tuple[str, Callable[[], object]]] = [
                ("create", many.create),
                ("insert", many.insert),
                ("read hot", many.read),
                ("flush", many.flush),
                ("read cold", many.read),
                ("restart", many.restart),
                ("read after restart", many.read),
            ]
            for name, step in steps:
                start = time.perf_counter()
                step()
                took_s = time.perf_counter() - start
                print(f"{name:20} {took_s:7.2f} {took_s / users * 1000:8.3f}", flush=True)
        finally:
            server.stop()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except psycopg.OperationalError as exc:
        sys.exit(str(exc))
