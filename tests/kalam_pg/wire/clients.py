"""Sessions without sockets: a database in a temporary directory, and clients that speak messages.

`Rounds` is the event loop as the committer sees it: a round ends when `talk` says so, so that several
clients can have sent something before anything is committed.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from kalam_pg.config import Config
from kalam_pg.engines.pool import Pool
from kalam_pg.pgwire.messages import (
    BackendMessage,
    Bind,
    CommandComplete,
    Describe,
    ErrorResponse,
    Execute,
    FrontendMessage,
    Parse,
    ParseComplete,
    Query,
    ReadyForQuery,
    Sync,
)
from kalam_pg.server.factory import build_services, open_database
from kalam_pg.sessions.services import Services
from kalam_pg.wire.protocols import PAUSE, PENDING, Peer
from kalam_pg.wire.session import WireSession
from storage.engine import Engine, StorageOptions
from tests import frontend
from tests.kalam_pg.jobs.forks import FORKS


class Rounds:
    """What the committer asks of a loop."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []
        self._token = trio.lowlevel.current_trio_token()
        self.wake: Callable[[], None] = lambda: None
        """Called when there is something that the end of a round will do."""

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)
        self.wake()

    def run_sync_soon(self, callback: Callable[[], None]) -> None:
        self._token.run_sync_soon(callback)

    def end(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class _Transport:
    """What a session asks of its connection, as far as these tests go."""

    process_id = 1

    def __init__(self) -> None:
        self.finished: Callable[[], None] = _nobody_waits
        self.outbox = bytearray()

    def backend_key(self, _minor: int) -> bytes:
        return b"key!"

    def authenticated(self, _user: str) -> None:
        pass

    def write(self, data: bytes | memoryview) -> None:
        self.outbox += data

    async def drain(self) -> None:
        await trio.lowlevel.checkpoint()

    def run_sync_soon(self, callback: Callable[[], None]) -> None:
        trio.lowlevel.current_trio_token().run_sync_soon(callback)


def _nobody_waits() -> None:
    raise AssertionError("finished without having been pending")


class Client:
    """One session. `send` hands it messages, `answers` is what came back."""

    def __init__(self, server: "Server", options: str = "") -> None:
        self.transport = _Transport()
        self.session = WireSession(server.services, self.transport, Peer("unix", uid=os.getuid()))
        self.transport.outbox = self.session.outbox
        self._server = server
        self._decoder = frontend.BackendDecoder()
        startup = {"user": "root", "database": "kalam"}
        if options:
            startup["options"] = options
        self.session.feed(frontend.startup_message(startup))
        self.session.advance()
        self.session.outbox.clear()

    def send(self, *messages: FrontendMessage) -> None:
        """Messages in one piece."""
        self.feed(b"".join(frontend.encode(message) for message in messages))

    def feed(self, data: bytes) -> None:
        """Bytes; what they ask for is begun, and what must wait waits for `Server.settle`."""
        self.session.feed(data)
        self._server.go_on(self)

    def answers(self) -> list[BackendMessage]:
        """What came since the last call."""
        self._decoder.feed(bytes(self.session.outbox))
        self.session.outbox.clear()
        found = []
        while (message := self._decoder.next()) is not None:
            found.append(message)
        return found

    async def ask(self, *messages: FrontendMessage) -> list[BackendMessage]:
        """Send messages, end rounds until nothing waits, and return the answers."""
        self.send(*messages)
        await self._server.settle()
        return self.answers()

    async def query(self, text: str) -> list[BackendMessage]:
        """One simple Query that must succeed."""
        found = await self.ask(Query(text))
        assert not [m for m in found if isinstance(m, ErrorResponse)], found
        return found

    async def prepare(self, name: str, text: str) -> None:
        found = await self.ask(Parse(name, text, ()), Sync())
        assert found == [ParseComplete(), ReadyForQuery("I")]


class Server:
    """Everything that sessions share."""

    def __init__(self, services: Services, rounds: Rounds, nursery: trio.Nursery) -> None:
        self.services = services
        self.rounds = rounds
        self.nursery = nursery
        self._waiting = 0
        self._resumed: list[Client] = []
        self._progress = trio.Event()
        rounds.wake = self._something_happened

    def go_on(self, client: Client) -> None:
        while (work := client.session.advance()) is PAUSE:
            pass
        if work is not None:
            self._waiting += 1

            def resume() -> None:
                self._waiting -= 1
                self._resumed.append(client)
                self._progress.set()

            if work is PENDING:
                client.transport.finished = resume
            else:
                work.start(resume, self.nursery.start_soon)

    def _something_happened(self) -> None:
        self._progress.set()

    async def settle(self) -> None:
        """End rounds until no session waits."""
        while self._waiting or self._resumed:
            self.rounds.end()
            if not self._resumed:
                self._progress = trio.Event()
                await self._progress.wait()
            resumed, self._resumed = self._resumed, []
            for client in resumed:
                self.go_on(client)


@asynccontextmanager
async def serving(
    path: Path, workers: int = 0, kind: type[Server] = Server, **options: Any
) -> AsyncIterator[Server]:
    """A database; without workers, what needs one is not for its clients. options: of the storage."""
    data = path / "data"
    data.mkdir(parents=True, exist_ok=True)
    engine = Engine.open(data, options=StorageOptions(**options))
    try:
        async with AsyncExitStack() as stack:
            pool = Pool(max(workers, 1))
            if workers:
                await stack.enter_async_context(pool)
            database = await stack.enter_async_context(open_database(engine, pool))
            nursery = await stack.enter_async_context(trio.open_nursery())
            rounds = Rounds()
            database.committer.attach(rounds)
            services = build_services(Config(data_directory=data), database, FORKS)
            try:
                yield kind(services, rounds, nursery)
            finally:
                nursery.cancel_scope.cancel()
                database.committer.detach()  # What the end writes of sequences has no rounds.
    finally:
        engine.close()


def pipeline(
    statement: str,
    *parameters: str | None,
    described: bool = True,
    result_format: int = 0,
    max_rows: int = 0,
) -> tuple[FrontendMessage, ...]:
    """Bind, perhaps Describe, Execute, Sync, as libpq sends them; parameters as text."""
    raw = tuple(None if p is None else p.encode() for p in parameters)
    messages: list[FrontendMessage] = [Bind("", statement, (), raw, (result_format,))]
    if described:
        messages.append(Describe("P", ""))
    return (*messages, Execute("", max_rows), Sync())


def tags(messages: list[BackendMessage]) -> list[str]:
    """Command tags and SQLSTATEs, in their order."""
    return [
        m.tag if isinstance(m, CommandComplete) else dict(m.fields)["C"]
        for m in messages
        if isinstance(m, CommandComplete | ErrorResponse)
    ]
