"""KalamDB in process: the same SQL without a socket, for one authenticated role.

`Database` opens a data directory on a thread of its own; `Database.connect(role)` gives Buena Vista's
`Connection` for that role, whose sessions run SQL text and answer with rows of Python values:

    with embed.open("data") as database:
        session = database.connect("alice").create_session()
        result = session.execute_sql("SELECT id, content FROM chat.messages")
        print(list(result.rows()), result.status())

Values are as PostgreSQL's text output for every type but boolean, integers and floating point, which are
Python's own. A session belongs to one thread at a time.
"""

import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import trio
from buenavista.core import BVType
from buenavista.core import Connection as BuenaVistaConnection
from buenavista.core import QueryResult as BuenaVistaResult
from buenavista.core import Session as BuenaVistaSession

from catalog.errors import InvalidAuthorizationSpecificationError, SqlSyntaxError
from catalog.model import User
from catalog.types.table import PgType
from kalam_pg.config import Config
from kalam_pg.pgwire.notices import Notice
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps, drive
from kalam_pg.sessions import dispatch
from kalam_pg.sessions.factory import open_services
from kalam_pg.sessions.services import Services
from kalam_pg.sessions.settings import Settings
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.tree import OutputColumn
from storage.errors import KalamError
from storage.layout import Row, Value

T = TypeVar("T")

_PLAIN = {
    "bool": BVType.BOOL,
    "int2": BVType.INTEGER,
    "int4": BVType.INTEGER,
    "int8": BVType.BIGINT,
    "float4": BVType.FLOAT,
    "float8": BVType.FLOAT,
}


def open(directory: str | Path, **settings: Any) -> "Database":  # noqa: A001, ANN401 -- as dbm.open
    """Open a data directory in this process; `settings` are those of `kalam_pg.config.Config`."""
    return Database(Config(data_directory=Path(directory), **settings))


class Database(AbstractContextManager["Database"]):
    """An open data directory, its engine and workers, on a thread of its own."""

    def __init__(self, config: Config) -> None:
        """Open it; raises what opening raises (it is in use, it is damaged)."""
        self._config = config
        self._services: Services | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._stop = trio.Event()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="kalam_pg.embed", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def connect(self, role: str) -> "Connection":
        """A connection as an existing role. Raises 28000 when there is none of that name."""
        services = self._services
        assert services is not None
        user = self.call(lambda: services.database.store.user_by_name(role))
        if user is None or user.deleted_at_us is not None:
            raise InvalidAuthorizationSpecificationError(f'role "{role}" does not exist')
        return Connection(self, services, user)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the database's thread."""
        return trio.from_thread.run_sync(function, trio_token=self._token)

    def wait(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine function on the database's thread and wait for its answer."""
        return trio.from_thread.run(function, trio_token=self._token)

    def close(self) -> None:
        """Close the directory. Open transactions are rolled back."""
        if self._thread.is_alive():
            self.call(self._stop.set)
            self._thread.join()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as exc:  # noqa: BLE001 -- raised again by whoever opened us
            self._failure = exc
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        async with open_services(self._config) as opened:
            self._services = opened.services
            self._token = trio.lowlevel.current_trio_token()
            self._ready.set()
            await self._stop.wait()


class Connection(BuenaVistaConnection):  # type: ignore[misc]  # it has no types
    """One role's connection; makes sessions."""

    def __init__(self, database: Database, services: Services, user: User) -> None:
        super().__init__()
        self._database = database
        self._services = services
        self._user = user

    def new_session(self) -> "Session":
        """A session of this role."""
        return Session(self._database, self._services, self._user)

    def parameters(self) -> dict[str, str]:
        """What a PostgreSQL front end reports at start."""
        return {"server_version": "15.0", "client_encoding": "UTF8"}


class Session(BuenaVistaSession):  # type: ignore[misc]  # it has no types
    """SQL text in, results out; the transaction that BEGIN opens lasts until COMMIT or ROLLBACK."""

    def __init__(self, database: Database, services: Services, user: User) -> None:
        super().__init__()
        self._database = database
        settings = Settings(services.setting_defaults)
        self._sql = database.call(
            lambda: SqlSession(services.database, services.cache, services.jobs, user, settings)
        )

    def cursor(self) -> "Session":
        """The session itself."""
        return self

    def close(self) -> None:
        """End the session; its open transaction is rolled back."""
        self._database.call(self._sql.close)

    def in_transaction(self) -> bool:
        """Whether BEGIN has opened a block."""
        return self._sql.status != "I"

    def execute_sql(self, sql: str, params: Sequence[str | None] | None = None) -> "QueryResult":
        """Run every statement of a text as one transaction; the last one's result.

        Args:
            sql: The text. With `params` it must be one statement.
            params: Values of $1, $2 … in their text form.

        Raises:
            KalamError: With the SQLSTATE and words that a client would get.
        """
        return self._database.wait(lambda: drive(self._steps(sql, params)))

    def load_df_function(self, table: str) -> None:
        """Not offered: data comes in by SQL."""
        raise NotImplementedError

    def _steps(self, text: str, params: Sequence[str | None] | None) -> Steps["QueryResult"]:
        sql = self._sql
        result = Result("")
        try:
            statements = sql.cache.statements(text)
            if params and len(statements) != 1:
                raise SqlSyntaxError("cannot insert multiple commands into a prepared statement")
            for statement in statements:
                dispatch.check_allowed(sql, statement)
                prepared = dispatch.prepare(sql, statement, ())
                values = self._values(params or (), prepared.param_types)
                result = yield from dispatch.run(sql, statement, values, prepared, None)
            if sql.transaction is not None and not sql.transaction.block:
                yield from sql.commit()
        except KalamError:
            sql.fail()
            raise
        notices = tuple(sql.notices)
        sql.notices.clear()
        return QueryResult(sql, result, notices)

    def _values(self, params: Sequence[str | None], types: Sequence[PgType]) -> list[Value]:
        context = self._sql.settings.types
        return [
            None if text is None else type_.input(text, -1, context)
            for text, type_ in zip(params, types, strict=True)
        ]


class QueryResult(BuenaVistaResult):  # type: ignore[misc]  # it has no types
    """One statement's answer. `notices` are those of the whole text."""

    def __init__(self, sql: SqlSession, result: Result, notices: tuple[Notice, ...]) -> None:
        super().__init__()
        self._result = result
        self._context = sql.settings.types
        self.notices = notices

    @property
    def columns(self) -> tuple[OutputColumn, ...]:
        """Names and PostgreSQL types of the columns."""
        return self._result.columns

    def has_results(self) -> bool:
        """Whether the statement returns rows (maybe none)."""
        return bool(self._result.columns)

    def column_count(self) -> int:
        """How many columns."""
        return len(self._result.columns)

    def column(self, index: int) -> tuple[str, BVType]:
        """Name and Buena Vista type of a column."""
        column = self._result.columns[index]
        return column.name, _PLAIN.get(column.type.name, BVType.TEXT)

    def rows(self) -> Iterator[list[Any]]:
        """The rows; see the module for what their values are."""
        types = [column.type for column in self._result.columns]
        for row in self._result.rows:
            yield [self._plain(value, of) for value, of in zip(row, types, strict=True)]

    def stored_rows(self) -> Sequence[Row]:
        """The rows in stored form (`storage.layout`)."""
        return self._result.rows

    def status(self) -> str:
        """The command tag."""
        return self._result.command_tag

    def _plain(self, value: Value, of: PgType) -> Any:  # noqa: ANN401 -- whatever the column holds
        if value is None or of.name in _PLAIN:
            return value
        return of.output(value, self._context)
