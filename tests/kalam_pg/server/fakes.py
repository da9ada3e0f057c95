"""A session that answers everything with one row, and a client that speaks raw messages.

What a Query asks the fake for:

    SELECT 1     one row        wait     Work that the test resumes     now    Work done at once
    stream N     N chunks of 64 KiB by Work that drains                 pause  PAUSE between two rows
    rows N       N chunks of 64 KiB in the outbox                       later  a row after a timer
    boom         an exception   boom work  one in spawned Work          die    FATAL, closing
    lend N       one piece of N chunks of 64 KiB that is lent; cancelled, the rest is taken back
"""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from catalog.errors import InvalidPasswordError
from kalam_pg.pgwire import encode, scram
from kalam_pg.pgwire.bodies import sasl_initial_response
from kalam_pg.pgwire.codec import FrontendDecoder
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import (
    AuthenticationData,
    BackendKeyData,
    BackendMessage,
    Describe,
    Execute,
    FieldDescription,
    FrontendMessage,
    Parse,
    Query,
    ReadyForQuery,
    Sync,
    Terminate,
)
from kalam_pg.pgwire.notices import error_bytes
from kalam_pg.pgwire.startup import StartupMessage
from kalam_pg.server.loop import Loop
from kalam_pg.server.shutdown import Mode
from kalam_pg.wire.protocols import PAUSE, Peer, Resume, Spawn, Transport, Work
from storage.errors import KalamError
from tests import frontend

COLUMNS = encode.row_description([FieldDescription("?column?", 23, 4)])
ROW = encode.data_row([b"1"])
DONE = encode.command_complete("SELECT 1")
READY = encode.ready_for_query("I")
ANSWER = COLUMNS + ROW + DONE + READY
CHUNK = encode.data_row([b"x" * (65_536 - 11)])
PASSWORD = "correct horse"
VERIFIER = scram.make_verifier(PASSWORD)


@dataclass
class Wait:
    """Work that ends when the test says so."""

    resume: Callable[[], None] = lambda: None
    spawn: Spawn = lambda function: None
    cancelled: int = 0
    patient: bool = False

    def start(self, resume: Resume, spawn: Spawn) -> None:
        self.resume, self.spawn = resume, spawn

    def cancel(self) -> None:
        self.cancelled += 1
        self.resume()


@dataclass
class Run:
    """Work that runs a coroutine function, or nothing."""

    function: Callable[[], Awaitable[None]] | None = None
    cancelled: bool = False
    patient: bool = False

    def start(self, resume: Resume, spawn: Spawn) -> None:
        if self.function is None:
            resume()
            return
        function = self.function

        async def run() -> None:
            await function()
            resume()

        spawn(run)

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Lending:
    """Work that has bytes sent from where they are."""

    transport: Transport
    data: bytes
    done: int = 0
    patient: bool = False

    def start(self, resume: Resume, spawn: Spawn) -> None:
        def done() -> None:
            self.done += 1
            resume()

        self.resume = resume
        self.transport.lend(self.data, done)

    def cancel(self) -> None:
        self.transport.take_back()
        self.resume()


@dataclass
class FakeServices:
    """What the sessions of one test share, and what they noted."""

    scram: bool = False
    sessions: list["FakeSession"] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    lent: list[Lending] = field(default_factory=list)
    modes: list[Mode] = field(default_factory=list)

    def session_factory(self, transport: Transport, peer: Peer) -> "FakeSession":
        session = FakeSession(self, transport, peer)
        self.sessions.append(session)
        return session

    def attach(self, loop: Loop) -> None:
        pass

    def settle(self) -> None:
        pass

    def on_shutdown(self, mode: Mode) -> None:
        self.modes.append(mode)


class FakeSession:
    """See the module; implements `Session`."""

    def __init__(self, services: FakeServices, transport: Transport, peer: Peer) -> None:
        self.services = services
        self.transport = transport
        self.peer = peer
        self.outbox = bytearray()
        self.closing = False
        self.fed = 0
        self.ended = 0
        self.saw_eof = False
        self._decoder = FrontendDecoder()
        self._startup: StartupMessage | None = None
        self._scram: scram.ScramServer | None = None
        self._begun = False
        self._after = b""

    @property
    def resting(self) -> bool:
        """It may have more to say whenever it is asked."""
        return False

    @property
    def unread(self) -> int:
        return self._decoder.unread

    def feed(self, data: bytes) -> None:
        assert data
        self.fed += len(data)
        self._decoder.feed(data)

    def eof(self) -> None:
        self.saw_eof = True

    def farewell(self, error: KalamError) -> None:
        """It has nothing to say."""

    def disconnected(self) -> None:
        self.ended += 1

    def advance(self) -> Work | None:
        self.outbox += self._after
        self._after = b""
        try:
            if self._startup is None:
                packet = self._decoder.next_startup()
                if packet is None:
                    return None
                assert isinstance(packet, StartupMessage)
                self._startup = packet
                self._begin()
            while not self.closing and (message := self._decoder.next()) is not None:
                work = self._handle(message)
                if work is not None:
                    return work
        except ProtocolViolationError as exc:
            self.outbox += error_bytes(exc, "FATAL")
            self.closing = True
        return None

    @property
    def user(self) -> str:
        assert self._startup is not None
        return self._startup.parameters["user"]

    def _begin(self) -> None:
        if self.services.scram and self.peer.kind == "tcp":
            offered = scram.mechanisms(channel_binding=self.peer.tls is not None)
            self.outbox += encode.authentication_sasl(offered)
        else:
            self._welcome()

    def _welcome(self) -> None:
        assert self._startup is not None
        self.transport.authenticated(self.user)
        self._decoder.authenticated()
        self.outbox += encode.AUTHENTICATION_OK
        self.outbox += encode.parameter_status("server_version", "15.0")
        self.outbox += encode.parameter_status("client_encoding", "UTF8")
        key = self.transport.backend_key(self._startup.minor)
        self.outbox += encode.backend_key_data(self.transport.process_id, key) + READY

    def _authenticate(self, message: AuthenticationData) -> None:
        if self._scram is None:
            initial = sasl_initial_response(message)
            tls = self.peer.tls
            binding = tls.channel_binding if tls is not None else None
            known = self.user == "alice"
            self._scram = scram.ScramServer(
                initial.mechanism, VERIFIER, known=known, channel_binding=binding
            )
            first = self._scram.first(initial.data or b"")
            self.outbox += encode.authentication_sasl_continue(first)
            return
        final = self._scram.final(message.data)
        if final is None:
            self.transport.authentication_failed(self.user)
            error = InvalidPasswordError(scram.password_failed(self.user))
            self.outbox += error_bytes(error, "FATAL")
            self.closing = True
            return
        self.outbox += encode.authentication_sasl_final(final)
        self._welcome()

    def _handle(self, message: FrontendMessage) -> Work | None:
        match message:
            case AuthenticationData():
                self._authenticate(message)
            case Query(query):
                return self._query(query)
            case Parse():
                self.outbox += encode.PARSE_COMPLETE
            case Describe("S"):
                self.outbox += encode.parameter_description([]) + COLUMNS
            case Describe():
                self.outbox += COLUMNS
            case Execute():
                self.outbox += ROW + DONE
            case Sync():
                self.outbox += READY
            case Terminate():
                self.closing = True
            case _:
                self.outbox += encode.BIND_COMPLETE
        return None

    def _query(self, query: str) -> Work | None:
        word, _, rest = query.partition(" ")
        match word:
            case "wait":
                self._after = ANSWER
                wait = Wait()
                self.services.waits.append(wait)
                return wait
            case "now":
                self._after = ANSWER
                return Run()
            case "pause":
                self._after = ANSWER
                return PAUSE
            case "stream":
                self._after = DONE + READY

                async def stream() -> None:
                    for _ in range(int(rest)):
                        self.transport.write(CHUNK)
                        await self.transport.drain()

                return Run(stream)
            case "lend":
                self._after = DONE + READY
                self.services.lent.append(Lending(self.transport, CHUNK * int(rest)))
                return self.services.lent[-1]
            case "patient":
                self._after = DONE + READY

                async def patient() -> None:
                    for _ in range(int(rest)):
                        self.transport.write(CHUNK)
                        await self.transport.drain(patient=True)

                return Run(patient, patient=True)
            case "rows":
                self.outbox += CHUNK * int(rest) + DONE + READY
                return None
            case "later":
                self.transport.call_later(0, self._ring)
                return None
            case "boom":
                if not rest:
                    raise RuntimeError("a secret")

                async def boom() -> None:
                    await trio.lowlevel.checkpoint()
                    raise RuntimeError("a secret")

                return Run(boom)
            case "die":
                self.outbox += error_bytes(InvalidPasswordError("die"), "FATAL")
                self.closing = True
                return None
            case _:
                self.outbox += ANSWER
                return None

    def _ring(self) -> None:
        self.transport.write(ANSWER)


class Client:
    """One connection, message by message."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.decoder = frontend.BackendDecoder()
        self.process_id = 0
        self.secret_key = b""

    async def send(self, *messages: FrontendMessage) -> None:
        await self.stream.send_all(b"".join(map(frontend.encode, messages)))

    async def receive(self) -> BackendMessage | None:
        """The next message; None at the end of the stream."""
        while (message := self.decoder.next()) is None:
            data = await self.stream.receive_some()
            if not data:
                return None
            self.decoder.feed(data)
        return message

    async def until_ready(self) -> list[BackendMessage]:
        messages: list[BackendMessage] = []
        while True:
            message = await self.receive()
            assert message is not None, messages
            messages.append(message)
            if isinstance(message, BackendKeyData):
                self.process_id, self.secret_key = message.process_id, message.secret_key
            if isinstance(message, ReadyForQuery):
                return messages

    async def until_end(self) -> list[BackendMessage]:
        messages = []
        while (message := await self.receive()) is not None:
            messages.append(message)
        return messages

    async def query(self, text: str) -> list[BackendMessage]:
        await self.send(Query(text))
        return await self.until_ready()


@dataclass
class Served:
    """A server on a free port of 127.0.0.1, and the clients it was given."""

    port: int
    loop: Loop
    services: FakeServices
    clients: list[Client] = field(default_factory=list)

    async def open(self) -> Client:
        """A client that said nothing yet."""
        client = Client(await trio.open_tcp_stream("127.0.0.1", self.port))
        self.clients.append(client)
        return client

    async def connect(self, *, user: str = "alice", minor: int = 0) -> Client:
        """A client that is ready for its first query."""
        client = await self.open()
        await client.stream.send_all(frontend.startup_message({"user": user}, minor=minor))
        await client.until_ready()
        return client

    def close(self) -> None:
        for client in self.clients:
            client.stream.socket.close()


@asynccontextmanager
async def serving(services: FakeServices | None = None, **options: object) -> AsyncIterator[Served]:
    """A running loop around fake sessions."""
    services = services or FakeServices()
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    sock.setblocking(False)
    port = sock.getsockname()[1]
    async with trio.open_nursery() as nursery:
        loop = Loop(services.session_factory, **options)
        await nursery.start(loop.run)
        loop.listen(sock)
        served = Served(port, loop, services)
        try:
            yield served
        finally:
            served.close()
            nursery.cancel_scope.cancel()
