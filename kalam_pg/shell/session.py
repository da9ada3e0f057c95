"""A session with the server: statements in, answers laid out, through psycopg like any other client.

psycopg is here already for `kalam user create`, and has what a client of one's own would need again: SCRAM,
TLS, cancel requests, COPY, libpq's variables and files. Values are shown as the server's text.
"""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus

from kalam_pg.shell import tables
from kalam_pg.shell.output import Output, error_text, notice_text

Connection = psycopg.Connection[Any]
Connect = Callable[[], Connection]

_COMMENTS: Final = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_COPY: Final = re.compile(_COMMENTS + r"COPY\b", re.IGNORECASE | re.DOTALL)
_FROM_STDIN: Final = re.compile(r"\bFROM\s+STDIN\b", re.IGNORECASE)
_DEFINES: Final = re.compile(
    _COMMENTS + r"(?:CREATE|ALTER|DROP|USE|SET)\b", re.IGNORECASE | re.DOTALL
)


class Session:
    """One connection, made anew when it is lost.

    failed: whether anything went wrong. defined: whether names may be others since this was set to False.
    """

    def __init__(self, connect: Connect, output: Output) -> None:
        self._connect = connect
        self._output = output
        self.is_expanded = False
        self.is_timed = False
        self.failed = False
        self.defined = True
        self.connection = self._begin()

    def _begin(self) -> Connection:
        connection = self._connect()
        connection.add_notice_handler(lambda diag: self._output.error(notice_text(diag)))
        return connection

    @property
    def prompt(self) -> str:
        """The database, how the transaction is, and whether this is a superuser: as psql shows it."""
        info = self.connection.info
        status = {TransactionStatus.INTRANS: "*", TransactionStatus.INERROR: "!"}
        mark = status.get(info.transaction_status, "")
        end = "#" if info.parameter_status("is_superuser") == "on" else ">"
        return f"{info.dbname}={mark}{end} "

    def another(self) -> Connection:
        """A connection beside this one, with its role and search path, for what goes on for long."""
        ask = "SELECT current_setting('role'), current_setting('search_path')"
        (role, path) = self.connection.execute(ask).fetchone() or ("none", "")
        connection = self._connect()
        try:
            connection.execute("SELECT set_config('search_path', %s, false)", [path])
            if role != "none":
                connection.execute(
                    psycopg.sql.SQL("SET ROLE {}").format(psycopg.sql.Identifier(role))
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def run(self, text: str) -> None:
        """One statement: its answer, or its error. Raises KeyboardInterrupt when it was canceled."""
        began = time.monotonic()
        try:
            if _COPY.match(text):
                self._copy(text)
            else:
                with self.connection.cursor() as cursor:
                    cursor.execute(_bytes(text))
                    self._show(cursor)
            self._hear()
        except KeyboardInterrupt:
            self.failed = True
            self._output.error("canceled")
            raise
        except psycopg.Error as exc:
            self.failed = True
            self._output.error(error_text(exc, text))
        if self.connection.closed:
            self._begin_anew()
        if _DEFINES.match(text):
            self.defined = True
        if self.is_timed:
            self._output.line(f"Time: {(time.monotonic() - began) * 1000:.3f} ms")

    def ask(self, text: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows for the shell itself. Raises psycopg.Error."""
        return self.connection.execute(text.encode(), parameters or None).fetchall()

    def show(self, text: str, parameters: Sequence[object] = ()) -> int:
        """Show the rows of a query; how many there are. Raises psycopg.Error."""
        with self.connection.cursor() as cursor:
            cursor.execute(text.encode(), parameters or None)
            if cursor.rowcount:
                self._show(cursor)
            return cursor.rowcount

    def _show(self, cursor: psycopg.Cursor[Any]) -> None:
        while True:
            result = cursor.pgresult
            if result is not None and result.status == ExecStatus.TUPLES_OK:
                self._output.write(laid_out(cursor, is_expanded=self.is_expanded))
                if not (cursor.statusmessage or "").startswith(
                    ("SELECT", "SHOW", "FETCH", "EXPLAIN")
                ):
                    self._output.line(cursor.statusmessage or "")
            elif cursor.statusmessage:
                self._output.line(cursor.statusmessage)
            if not cursor.nextset():
                return

    def _copy(self, text: str) -> None:
        if _FROM_STDIN.search(text):
            raise psycopg.NotSupportedError("COPY FROM STDIN is not understood here: use psql")
        with self.connection.cursor() as cursor, cursor.copy(_bytes(text)) as copy:
            for block in copy:
                self._output.bytes(bytes(block))

    def _hear(self) -> None:
        """Notifications that came with the answer."""
        for one in self.connection.notifies(timeout=0):
            payload = f' with payload "{one.payload}"' if one.payload else ""
            self._output.line(
                f'Asynchronous notification "{one.channel}"{payload}'
                f" received from server process with PID {one.pid}."
            )

    def _begin_anew(self) -> None:
        self._output.error("The connection to the server was lost. Connecting again …")
        with suppress(psycopg.Error):
            self.connection = self._begin()
            self._output.error("Connected; settings and whatever was open are gone.")

    def close(self) -> None:
        self.connection.close()


def _bytes(text: str) -> bytes:
    """A statement as it is sent: bytes that are no UTF-8 are for the server to refuse."""
    if "\0" in text:  # libpq would send what stands before it.
        raise psycopg.DataError("a statement cannot have a NUL character in it")
    return text.encode(errors="surrogateescape")


def laid_out(cursor: psycopg.Cursor[Any], *, is_expanded: bool = False) -> str:
    """The rows of a cursor, as the server wrote them."""
    result = cursor.pgresult
    assert result is not None
    columns = range(result.nfields)
    names = [(result.fname(at) or b"").decode() for at in columns]
    rows = [
        [
            None if (v := result.get_value(row, at)) is None else v.decode(errors="replace")
            for at in columns
        ]
        for row in range(result.ntuples)
    ]
    if is_expanded:
        return tables.expanded(names, rows)
    return tables.aligned(names, [result.ftype(at) for at in columns], rows)
