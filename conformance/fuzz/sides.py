"""A server as the comparison sees it: statements in every form, answers as data."""

import struct
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq

from catalog.pg_catalog.oids import FIRST_NORMAL
from conformance.fuzz.pieces import Parameter, Rendered

_TIMEOUT = "SET statement_timeout = '20s'"
_NO_JIT = "SET jit = off"
"""Compiling takes PostgreSQL longer than most of these statements."""
LOST = "LOST"
"""Where a SQLSTATE would stand: the connection has ended."""
_BINARY = {
    "smallint": lambda text: struct.pack(">h", int(text)),
    "integer": lambda text: struct.pack(">i", int(text)),
    "bigint": lambda text: struct.pack(">q", int(text)),
    "real": lambda text: struct.pack(">f", float(text)),
    "double precision": lambda text: struct.pack(">d", float(text)),
    "boolean": lambda text: b"\1" if text == "true" else b"\0",
    "text": str.encode,
    "uuid": lambda text: bytes.fromhex(text.replace("-", "")),
    "bytea": lambda text: bytes.fromhex(text[2:]),
}
FORMS = ("simple", "text", "binary")
"""How a statement is sent: the simple protocol, or with parameters and rows in text or binary."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is told. rows: None when there are none to tell; error: (SQLSTATE, message). The types
    that a script made have one OID.
    """

    tag: str = ""
    columns: tuple[tuple[str, int, int], ...] = ()
    rows: tuple[tuple[bytes | None, ...], ...] | None = None
    error: tuple[str, str] | None = None

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self.error[0]} {self.error[1]}"
        if self.rows is None:
            return self.tag
        shown = [
            tuple([None if v is None else v.decode("utf-8", "replace") for v in row])
            for row in self.rows[:12]
        ]
        return f"{len(self.rows)} rows {shown}"


def ask_both(theirs: "Side", ours: "Side", statement: Rendered, form: str) -> tuple[Answer, Answer]:
    """A statement asked of both at once: it takes as long as the slower of the two."""
    theirs.begin(statement, form)
    ours.begin(statement, form)
    return theirs.answer(), ours.answer()


class Side:
    """One of the two servers. log: what it writes to standard error, as far as that is known."""

    def __init__(self, dsn: str, log: list[str] | None = None) -> None:
        self.dsn = dsn
        self._lost = ""
        self.log = [] if log is None else log
        self._open()

    def _open(self) -> None:
        self.connection = psycopg.connect(self.dsn, autocommit=True)
        self.run("SET TIME ZONE 'UTC'")
        self.run(_TIMEOUT)
        self.run(_NO_JIT)

    def close(self) -> None:
        self.connection.close()

    def run(self, text: str) -> Answer:
        """A statement by the simple protocol."""
        return self.ask(Rendered(text), "simple")

    def ask(self, statement: Rendered, form: str) -> Answer:
        """A statement in one of FORMS."""
        self.begin(statement, form)
        return self.answer()

    def copy(self, text: str, lines: str, *, failing: bool = False) -> Answer:
        """COPY FROM STDIN of these lines. failing: the client fails at their end."""
        self.begin(Rendered(text), "simple")
        pgconn = self.connection.pgconn
        result = pgconn.get_result()
        if result is None or result.status != pq.ExecStatus.COPY_IN:
            first = Answer(error=(LOST, "")) if result is None else self._answer(result)
            while pgconn.get_result() is not None:
                pass
            return first
        if lines:
            pgconn.put_copy_data(lines.encode())
        pgconn.put_copy_end(b"the client fails" if failing else None)
        return self.answer()

    def copied(self, text: str) -> tuple[tuple[str, str] | None, list[bytes]]:
        """COPY TO STDOUT: its error, and its lines."""
        self.begin(Rendered(text), "simple")
        pgconn = self.connection.pgconn
        result = pgconn.get_result()
        lines: list[bytes] = []
        if result is not None and result.status == pq.ExecStatus.COPY_OUT:
            while (taken := pgconn.get_copy_data(0))[0] > 0:
                lines.append(bytes(taken[1]))
            result = pgconn.get_result()
        error = None if result is None else self._answer(result).error
        while pgconn.get_result() is not None:
            pass
        return error, lines

    def begin(self, statement: Rendered, form: str) -> None:
        """Begin a statement, whose answer is taken by `answer`."""
        pgconn = self.connection.pgconn
        try:
            if form == "simple":
                pgconn.send_query(statement.text.encode())
            else:
                binary = form == "binary"
                values, formats = [], []
                for parameter in statement.parameters:
                    value, is_binary = _sent(parameter, binary=binary)
                    values.append(value)
                    formats.append(1 if is_binary else 0)
                pgconn.send_query_params(
                    statement.text.encode(), values, None, formats, 1 if binary else 0
                )
        except psycopg.OperationalError as error:
            self._lost = str(error)

    def answer(self) -> Answer:
        """The answer to what was sent: its last, where it was several statements."""
        lost, self._lost = self._lost, ""
        last: Answer | None = None
        while not lost and (result := self.connection.pgconn.get_result()) is not None:
            last = self._answer(result)
            if last.error is not None and last.error[0] == LOST:
                lost = last.error[1]
        if lost or last is None:
            self._open()
            return Answer(error=(LOST, lost))
        return last

    def _answer(self, result: Any) -> Answer:
        if result.status == pq.ExecStatus.TUPLES_OK:
            count = range(result.nfields)
            columns = tuple(
                [
                    (
                        (result.fname(i) or b"").decode(),
                        min(result.ftype(i), FIRST_NORMAL),
                        result.fmod(i),
                    )
                    for i in count
                ]
            )
            rows = tuple(
                [tuple([result.get_value(r, c) for c in count]) for r in range(result.ntuples)]
            )
            return Answer((result.command_status or b"").decode(), columns, rows)
        if result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY):
            return Answer((result.command_status or b"").decode())
        state = result.error_field(pq.DiagnosticField.SQLSTATE)
        if state is None:
            return Answer(error=(LOST, str(result.error_message, "utf-8", "replace")))
        message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b""
        return Answer(error=(state.decode(), message.decode()))


def _sent(parameter: Parameter, *, binary: bool) -> tuple[bytes | None, bool]:
    if parameter.text is None:
        return None, False
    make = _BINARY.get(parameter.type)
    if binary and make is not None:
        return make(parameter.text), True
    return parameter.text.encode(), False
