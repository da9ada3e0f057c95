"""A client that is nearly libpq alone, and what a scenario is made of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import pq

from conformance.bench.notify import Session
from conformance.bench.servers import Server

NAMESPACE = "k"
_GOOD = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


class RefusedError(Exception):
    """The server refuses what the scenario does: its message."""


class Client:
    """One user's connection, with synchronous_commit off, and root's beside it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._connection = server.connect()
        self._pgconn = self._connection.pgconn
        self._prepared: dict[str, bytes] = {}
        self.root = Session(server)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
        self.root.socket.close()

    def run(self, text: str) -> pq.abc.PGresult:
        """A text by the simple protocol."""
        return _checked(self._pgconn.exec_(text.encode()))

    def ask(self, text: str, *values: object) -> pq.abc.PGresult:
        """A prepared statement, its values as text."""
        name = self._prepared.get(text)
        if name is None:
            name = self._prepared[text] = b"s%d" % len(self._prepared)
            _checked(self._pgconn.prepare(name, text.encode()))
        return _checked(self._pgconn.exec_prepared(name, [str(v).encode() for v in values]))

    def admin(self) -> psycopg.Connection:
        """The superuser's connection, which may make users."""
        server = self.server
        return psycopg.connect(
            host=str(server.unix_path.parent),
            port=server.port,
            user="root" if server.is_kalam else server.owner,
            dbname=server.database,
            autocommit=True,
        )

    def make(self, table: str, columns: str) -> str:
        """A new table of its user's own; returns its name."""
        name = f"{NAMESPACE}.{table}"
        self.run(f"DROP TABLE IF EXISTS {name}")
        self.run(f"CREATE TABLE {name} ({columns}){self.kind}")
        return name

    @property
    def kind(self) -> str:
        """What a table's definition ends with."""
        return " WITH (TYPE = 'USER')" if self.server.is_kalam else ""

    def fill(self, table: str, count: int, row: Callable[[int], str]) -> None:
        """Rows 0 … count - 1 of a table, by INSERTs of 500."""
        for begin in range(0, count, 500):
            rows = ", ".join(f"({row(n)})" for n in range(begin, min(count, begin + 500)))
            self.run(f"INSERT INTO {table} VALUES {rows}")
        if not self.server.is_kalam:
            self.run(f"ANALYZE {table}")

    @contextmanager
    def beside(self, count: int) -> Iterator[list[Session]]:
        """More connections, each nearly without a client's own cost."""
        sessions = [Session(self.server) for _ in range(count)]
        try:
            yield sessions
        finally:
            for session in sessions:
                session.socket.close()


def _checked(result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status not in _GOOD:
        state = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
        message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b""
        raise RefusedError(f"{state.decode()} {message.decode()}")
    return result


def nothing(_number: int) -> None:
    """There is nothing to do before."""


@dataclass(frozen=True, slots=True)
class Work:
    """once: what is timed, with a number that no other time has. before: what it needs, untimed."""

    once: Callable[[int], object]
    before: Callable[[int], object] = nothing


Scenario = Callable[[Client], Work]
"""Makes what it needs in a server, once."""
