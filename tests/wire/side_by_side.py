"""The same statements to us and to PostgreSQL 15: everything a client is told must be the same."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.wire import postgresql
from tests.wire.server import KalamServer


class Side:
    """One of the two, with a connection of its own."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self._notices: list[tuple[str | None, ...]] = []
        connection.add_notice_handler(self._note)

    def _note(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        d = diagnostic
        self._notices.append((d.severity, d.sqlstate, d.message_primary, d.message_detail))

    def ask(self, statement: str) -> tuple[Any, ...]:
        """Tag, columns and rows, or the error; then the notices."""
        self._notices.clear()
        try:
            cursor = self.connection.execute(statement)  # type: ignore[call-overload]
        except psycopg.Error as exc:
            d = exc.diag
            told: tuple[Any, ...] = (
                *(d.sqlstate, d.message_primary, d.message_detail, d.message_hint),
                d.statement_position,
            )
        else:
            told = (cursor.statusmessage,)
            if cursor.description is not None:
                # The numbers of types that a script made are each side's own.
                columns = [(c.name, min(c.type_code, 16384)) for c in cursor.description]
                told = (*told, columns, [tuple(map(str, row)) for row in cursor.fetchall()])
        return (*told, list(self._notices))


@contextmanager
def both(directory: Path) -> Iterator[tuple[Side, Side]]:
    """Ours and theirs, started for a module of tests."""
    with ExitStack() as stack:
        server = KalamServer(directory / "kalam").start()
        stack.callback(server.stop)
        oracle = stack.enter_context(postgresql.running(directory))
        theirs = stack.enter_context(psycopg.connect(oracle, autocommit=True))
        yield Side(stack.enter_context(server.root())), Side(theirs)


def differences(sides: tuple[Side, Side], script: str) -> list[tuple[str, Any, Any]]:
    """(statement, ours, theirs) of each statement, one a line, that is not answered alike."""
    ours, theirs = sides
    found = []
    for line in script.splitlines():
        statement = line.strip().rstrip(";")
        if statement and not statement.startswith("--"):
            answers = ours.ask(statement), theirs.ask(statement)
            if answers[0] != answers[1]:
                found.append((statement, *answers))
    return found
