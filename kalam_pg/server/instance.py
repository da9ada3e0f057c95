"""The composition root: configuration in, a running server out.

`run` is the process (`kalam serve`), `serve` the server inside a trio program that already has its
services, which is what tests use. What a session is and what it needs open (engine, workers, jobs)
comes from `kalam_pg.server.factory.open_services`, imported only when `run` is called.
"""

import importlib
import resource
import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import structlog
import trio

from catalog.errors import AdminShutdownError
from kalam_pg.config import Config, ConfigError
from kalam_pg.engines.fork_server import leave_out_pandas
from kalam_pg.engines.forked import FLUSH_WORKER, WORKER, ForkServer
from kalam_pg.server import heap, logs
from kalam_pg.server.certificate import self_signed
from kalam_pg.server.limits import ConnectionLimits
from kalam_pg.server.listeners import Listeners, open_listeners
from kalam_pg.server.loop import Loop
from kalam_pg.server.loop_options import LoopOptions
from kalam_pg.server.shutdown import Mode, watch_signals
from kalam_pg.server.tls import TlsServer
from kalam_pg.wire.protocols import Peer, ServedSession, Transport
from storage.errors import KalamError

FAST_SHUTDOWN_S: Final = 10.0
"""How long clients that were told may take to read it."""

SWITCH_INTERVAL_S: Final = 0.0002
"""One busy thread makes every LevelDB call of another wait for the interpreter this long."""

log = structlog.get_logger("kalam_pg.server")


class Services(Protocol):
    """What a server offers to its connections."""

    def session_factory(self, transport: Transport, peer: Peer) -> ServedSession:
        """A session for a connection whose StartupMessage has come."""

    def attach(self, loop: Loop) -> None:
        """The loop that the sessions will live in is about to run."""

    def settle(self) -> None:
        """Everything has been made that is there from the start."""

    def on_shutdown(self, mode: Mode) -> None:
        """The end begins: start nothing new. Called again if the mode gets faster."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A server that accepts connections."""

    host: str
    port: int
    unix_path: Path
    loop: Loop
    shut_down: Callable[[Mode], None]

    @property
    def address(self) -> str:
        """HOST:PORT, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def psql(self) -> str:
        """The command that connects, as the user who started the server."""
        directory = shlex.quote(str(self.unix_path.parent.absolute()))
        return f"psql -h {directory} -p {self.port} kalam"


async def serve(
    config: Config,
    services: Services,
    *,
    signals: bool = False,
    task_status: trio.TaskStatus[Ready] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until shut down (by `Ready.shut_down`, a signal, or cancellation).

    signals: obey SIGTERM, SIGINT and SIGQUIT (main thread only).

    Raises:
        ConfigError: it cannot listen, or TLS cannot be set up.
    """
    tls = _tls(config)
    listeners = open_listeners(config.host, config.port, config.socket_directory)
    try:
        async with trio.open_nursery() as nursery:
            loop = _loop(config, services, tls)
            services.attach(loop)
            shutdown = _Shutdown(loop, services, nursery.cancel_scope)
            await nursery.start(loop.run)
            if signals:
                await nursery.start(watch_signals, shutdown.begin)
            for sock in listeners.sockets:
                loop.listen(sock)
            nursery.start_soon(shutdown.run)
            log.info("ready", host=listeners.host, port=listeners.port)
            task_status.started(_ready(listeners, loop, shutdown.begin))
    finally:
        listeners.close()
    log.info("stopped")


def run(config: Config) -> None:
    """Serve as a process: from opening the data to the end of the last connection.

    Prints `ready HOST:PORT` and the psql command to standard output when connections are accepted.

    Raises:
        KalamError: it could not start; the message is for the person who started it.
    """
    logs.configure(config.log_level)
    heap.prepare()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _raise_file_limit(config.max_connections)
    leave_out_pandas()
    try:
        # It imports what it forks while this process imports the server.
        with ForkServer(WORKER, FLUSH_WORKER) as forks:
            trio.run(_run, config, forks)
    except KeyboardInterrupt:
        log.info("interrupted before it was ready")
    except BaseExceptionGroup as group:
        cause = _only(group)
        if isinstance(cause, KalamError | OSError):
            raise cause from group
        raise


async def _run(config: Config, forks: ForkServer) -> None:
    # Imported here: the layers below cannot know the sessions, and `--version` need not load them.
    factory = importlib.import_module("kalam_pg.server.factory")
    opened: AbstractAsyncContextManager[Services] = factory.open_services(config, forks)
    async with opened as services, trio.open_nursery() as nursery:
        ready = await nursery.start(partial(serve, config, services, signals=True))
        services.settle()
        sys.stdout.write(f"ready {ready.address}\n{ready.psql}\n")
        sys.stdout.flush()


def _only(group: BaseException) -> BaseException:
    """What the nurseries wrapped, if it is one exception."""
    while isinstance(group, BaseExceptionGroup) and len(group.exceptions) == 1:
        group = group.exceptions[0]
    return group


class _Shutdown:
    """One server's end: `begin` may be called by anyone, `run` does it."""

    def __init__(self, loop: Loop, services: Services, scope: trio.CancelScope) -> None:
        self._loop = loop
        self._services = services
        self._scope = scope
        self._mode: Mode | None = None
        self._begun = trio.Event()
        self._hurry = trio.Event()

    def begin(self, mode: Mode) -> None:
        """Start to end, or end faster."""
        if self._mode is not None and mode.rank <= self._mode.rank:
            return
        self._mode = mode
        log.info("shutting down", mode=mode.value, connections=self._loop.connections)
        self._services.on_shutdown(mode)
        self._loop.stop_accepting()
        self._begun.set()
        if mode is Mode.FAST:
            self._hurry.set()
            self._loop.terminate_all(
                AdminShutdownError("terminating connection due to administrator command")
            )
        elif mode is Mode.IMMEDIATE:
            self._scope.cancel()

    async def run(self) -> None:
        """Wait for the end and bring it about."""
        await self._begun.wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._grace, nursery.cancel_scope)
            await self._loop.wait_empty()
            nursery.cancel_scope.cancel()
        self._scope.cancel()

    async def _grace(self, scope: trio.CancelScope) -> None:
        await self._hurry.wait()
        await trio.sleep(FAST_SHUTDOWN_S)
        scope.cancel()


def _loop(config: Config, services: Services, tls: TlsServer | None) -> Loop:
    options = LoopOptions(
        tls=tls,
        tls_required=config.tls == "require",
        authentication_timeout_s=config.authentication_timeout_s,
        reader_patience_s=config.reader_patience_s,
    )
    limits = ConnectionLimits(
        total=config.max_connections,
        pre_authentication=config.max_unauthenticated_connections,
        per_address=config.max_connections_per_address
        or config.max_connections - config.max_connections // 10,
        reserved=config.reserved_connections,
        per_user=config.max_connections_per_user,
    )
    return Loop(services.session_factory, options=options, limits=limits)


def _tls(config: Config) -> TlsServer | None:
    if config.tls == "off":
        return None
    if config.tls_certificate is not None and config.tls_key is not None:
        return TlsServer(config.tls_certificate, config.tls_key)
    if config.tls_certificate is not None or config.tls_key is not None:
        raise ConfigError("tls_certificate and tls_key go together")
    if not config.tls_self_signed:
        raise ConfigError(
            f"tls = {config.tls} needs tls_certificate and tls_key, or tls_self_signed = true"
        )
    config.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return TlsServer(*self_signed(config.data_directory))


def _ready(listeners: Listeners, loop: Loop, begin: Callable[[Mode], None]) -> Ready:
    return Ready(listeners.host, listeners.port, listeners.unix_path, loop, begin)


def _raise_file_limit(connections: int) -> None:
    """A connection is an open file; the usual soft limit of 1024 is for programs using select."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 1024
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
