"""An open data directory, on a thread of its own where trio runs."""

import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import trio

from catalog.errors import AdminShutdownError, InvalidAuthorizationSpecificationError
from catalog.model import User
from kalam_pg.config import load
from kalam_pg.embed.session import Connection, Session
from kalam_pg.engines.forked import FLUSH_WORKER, WORKER, ForkServer
from kalam_pg.server.factory import open_services
from kalam_pg.sessions import role_settings
from kalam_pg.sessions.services import Services
from kalam_pg.sessions.settings import Settings
from kalam_pg.sessions.sql_session import SqlSession
from storage.errors import KalamError

T = TypeVar("T")

_CLOSED = "terminating connection because the database is closed"


def open(directory: str | Path, **settings: object) -> "Database":  # noqa: A001 -- as in dbm.open
    """Open a data directory in this process, making it if there is none.

    Args:
        directory: Where everything is kept. One process at a time has it open.
        settings: Those of `kalam_pg.config.Config` that concern the database, such as `workers=1`
            (query workers are processes here too). The environment is not looked at.

    Raises:
        ConfigError: A setting is unknown or unusable.
        DirectoryInUseError: A server, or another `Database`, has the directory.
        DataCorruptedError: It is damaged.
    """
    return Database({"data_directory": str(directory), **settings})


class Database(AbstractContextManager["Database"]):
    """An open data directory, its engine and its workers. `open` makes one."""

    def __init__(self, settings: dict[str, object]) -> None:
        self._config = load(environ={}, flags=settings)
        self._services: Services | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None
        self._stop = trio.Event()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._sessions: dict[Session, SqlSession] = {}
        self._thread = threading.Thread(target=self._run, name="kalam_pg.embed", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def connect(self, role: str = "root") -> "Connection":
        """A connection as an existing role. Raises 28000 when there is none of that name."""
        user = self.call(lambda: self._user(role))
        if user is None or user.deleted_at_us is not None:
            raise InvalidAuthorizationSpecificationError(f'role "{role}" does not exist')
        return Connection(self, user)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the database's thread. Raises 57P01 when the database is closed."""
        try:
            return trio.from_thread.run_sync(function, trio_token=self._token)
        except trio.RunFinishedError:
            raise _closed() from None

    def wait(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine function on the database's thread. Raises 57P01 when that ends first."""
        try:
            return trio.from_thread.run(function, trio_token=self._token)
        except (trio.RunFinishedError, trio.Cancelled):
            raise _closed() from None

    def close(self) -> None:
        """Close the directory; open transactions are rolled back. Again is no error.

        Raises whatever the database died of, if it did.
        """
        if self._thread.is_alive():
            with suppress(AdminShutdownError):
                self.call(self._stop.set)
            self._thread.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ on the database's thread

    def spawn(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine function that may last longer than the statement that begins it."""
        assert self._nursery is not None
        self._nursery.start_soon(function)

    def begin(self, session: "Session", user: User) -> SqlSession:
        """The conversation of a new session, which is kept until `forget`."""
        services = self._services
        assert services is not None
        settings = Settings(services.setting_defaults)
        role_settings.begin_with(settings, services.database.store, user)
        sql = SqlSession(services.database, services.cache, services.jobs, user, settings)
        sql.services["pg_backend_pid"] = os.getpid
        sql.end = session.end
        self._sessions[session] = sql
        return sql

    def forget(self, session: "Session") -> None:
        """A session has ended."""
        self._sessions.pop(session, None)

    def _user(self, role: str) -> User | None:
        assert self._services is not None
        return self._services.database.store.user_by_name(role)

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as exc:  # noqa: BLE001 -- raised again by `open` or `close`
            self._failure = exc
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        with ForkServer(WORKER, FLUSH_WORKER) as forks:
            await self._serve_with(forks)

    async def _serve_with(self, forks: ForkServer) -> None:
        async with (
            open_services(self._config, forks) as opened,
            trio.open_nursery() as self._nursery,
        ):
            self._services = opened.services
            self._token = trio.lowlevel.current_trio_token()
            self._ready.set()
            await self._stop.wait()
            for session in list(self._sessions):
                session.end(_CLOSED)
                await session.wait_idle()
            self._nursery.cancel_scope.cancel()


def _closed() -> KalamError:
    return AdminShutdownError(_CLOSED)
