"""Connections and sessions: statements of one role, run one after the other."""

from collections.abc import Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Self, TypeVar

import trio
from buenavista.core import Connection as BuenaVistaConnection
from buenavista.core import Session as BuenaVistaSession

from catalog.errors import AdminShutdownError, FeatureNotSupportedError
from catalog.model import User
from catalog.types.table import PgType
from kalam_pg.embed.result import QueryResult, parameter_text
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.query.execution import Result
from kalam_pg.query.live_rows import LiveRows
from kalam_pg.query.waits import Steps, Wait
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions.run_text import run_text
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.embed.database import Database

T = TypeVar("T")


class Connection(BuenaVistaConnection):  # type: ignore[misc]  # it has no types
    """One role's connection; `create_session` makes sessions, `close_session` ends them."""

    def __init__(self, database: "Database", user: User) -> None:
        super().__init__()
        self._database = database
        self._user = user

    def new_session(self) -> "Session":
        """A session of this role."""
        return Session(self._database, self._user)

    def parameters(self) -> dict[str, str]:
        """What a PostgreSQL front end reports at start."""
        return {"server_version": "15.0", "client_encoding": "UTF8", "DateStyle": "ISO, MDY"}


class Session(BuenaVistaSession):  # type: ignore[misc]  # it has no types
    """SQL text in, results out; the transaction that BEGIN opens lasts until COMMIT or ROLLBACK."""

    def __init__(self, database: "Database", user: User) -> None:
        super().__init__()
        self._database = database
        self._turn = trio.Lock()
        self._waiting: Wait | None = None
        self._ended = ""
        self._sql = database.call(lambda: database.begin(self, user))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    def cursor(self) -> "Session":
        """The session itself."""
        return self

    def close(self) -> None:
        """End the session; its open transaction is rolled back. Again is no error."""
        with suppress(AdminShutdownError):
            self._database.call(lambda: self.end("the session is closed"))

    def in_transaction(self) -> bool:
        """Whether BEGIN has opened a block."""
        return self._sql.status != "I"

    def execute_sql(self, sql: str, params: Sequence[object] | None = None) -> QueryResult:
        """Run every statement of a text as one transaction; the last one's result.

        Args:
            sql: The text. With `params` it must be one statement.
            params: Values of $1, $2 …: text in PostgreSQL's form, Python values
                (`parameter_text`), None for NULL.

        Raises:
            KalamError: With the SQLSTATE and words that a client would get.
        """
        try:
            return self._database.wait(lambda: self._run(sql, params or ()))
        except KeyboardInterrupt:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Stop the statement that runs in another thread, as a client's CancelRequest does.

        It raises 57014 there. Nothing happens when none runs, or when it is being committed.
        """
        self._database.call(self._cancel)

    def load_df_function(self, table: str) -> None:
        """Not offered: data comes in by SQL."""
        raise NotImplementedError

    # ------------------------------------------------------------------ on the database's thread

    def end(self, why: str) -> None:
        """Stop what runs and roll back; every later call raises 57P01 with this reason."""
        if not self._ended:
            self._ended = why
            self._cancel()
            self._database.forget(self)
            if not self._turn.locked():
                self._sql.close()

    async def wait_idle(self) -> None:
        """Wait until no statement runs."""
        async with self._turn:
            pass

    def _cancel(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def _run(self, text: str, params: Sequence[object]) -> QueryResult:
        async with self._turn:
            if self._ended:
                raise AdminShutdownError(self._ended)
            sql = self._sql
            try:
                return await self._drive(self._steps(text, params))
            except BaseException:
                sql.fail()
                sql.notices.clear()
                raise
            finally:
                if self._ended:
                    sql.close()

    async def _drive(self, steps: Steps[T]) -> T:
        """As `query.waits.drive`, but what it waits for can be cancelled, and what it begins may last."""
        with closing(steps):
            while True:
                try:
                    step = next(steps)
                except StopIteration as stop:
                    value: T = stop.value
                    return value
                ended = trio.Event()
                self._waiting = step
                step.start(ended.set, self._database.spawn)
                await ended.wait()
                self._waiting = None

    def _steps(self, text: str, params: Sequence[object]) -> Steps[QueryResult]:
        sql = self._sql
        client = _Client(sql, params)
        yield from run_text(sql, text, client, single=bool(params))
        notices = tuple(sql.notices)
        sql.notices.clear()
        sql.settings.changed.clear()
        types = [column.type for column in client.result.columns]
        return QueryResult(client.result, notices, sql.types_for(types), has_rows=client.has_rows)


class _Client:
    """Who called, as `sessions.run_text` sees it: only the last statement's answer is kept."""

    def __init__(self, sql: SqlSession, params: Sequence[object]) -> None:
        self._sql = sql
        self._params = params
        self.result = Result("")
        self.has_rows = False

    def parameters(self, types: Sequence[PgType]) -> Sequence[Value]:
        params = self._params
        if len(params) != len(types):
            raise ProtocolViolationError(
                f"{len(params)} parameters are given, but the statement requires {len(types)}"
            )
        context = self._sql.types_for(types)
        texts = [parameter_text(value) for value in params]
        return [
            None if text is None else type_.input(text, -1, context)
            for text, type_ in zip(texts, types, strict=True)
        ]

    def form(self, columns: tuple[OutputColumn, ...]) -> None:
        """Stored values will do."""

    def notices(self) -> None:
        """They are told with the result."""

    def take(self, result: Result, form: RowForm | None, *, has_rows: bool) -> Steps[int | None]:
        if result.copy is not None:
            raise FeatureNotSupportedError(
                "COPY ... TO STDOUT needs a client of the protocol", hint="Use the query itself."
            )
        if result.copy_in is not None:
            raise FeatureNotSupportedError(
                "COPY ... FROM STDIN needs a client of the protocol", hint="Use INSERT."
            )
        if isinstance(result.source, LiveRows):
            raise FeatureNotSupportedError(
                "an endless result needs a client of the protocol", hint="Use DECLARE and FETCH."
            )
        self.result, self.has_rows = result, has_rows
        if result.source is None:
            return None
        result.rows = yield from result.source.every()
        result.source = None
        if result.count is None:
            result.count = len(result.rows)
        return None

    def complete(self, tag: str) -> None:
        """The result knows its tag."""
