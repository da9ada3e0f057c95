"""What the event loop and a session expect of each other; nothing here does anything.

The loop owns the socket, TLS and the clock; a session owns the protocol. They meet in four calls:
the loop feeds bytes, asks the session to advance, starts the `Work` it may have to wait for, and
sends what the session left in its outbox, one send for a turn.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from storage.errors import KalamError

Resume = Callable[[], None]
Spawn = Callable[[Callable[[], Awaitable[None]]], None]


@dataclass(frozen=True, slots=True)
class TlsInfo:
    """How a connection is encrypted.

    channel_binding: `tls-server-end-point` data (RFC 5929): the hash of our certificate.
    """

    version: str
    cipher: str
    bits: int
    channel_binding: bytes


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as far as the operating system and TLS can say.

    kind: "unix" or "tcp".
    uid: the operating-system user of a Unix socket's client (SO_PEERCRED), None for TCP.
    address, port: the client's; "" and 0 for a Unix socket.
    tls: None when the bytes travel in clear (always so on a Unix socket).
    """

    kind: Literal["unix", "tcp"]
    uid: int | None = None
    address: str = ""
    port: int = 0
    tls: TlsInfo | None = None


class Work(Protocol):
    """Something a session has to wait for: a commit, a worker, a lock, a timer."""

    @property
    def patient(self) -> bool:
        """Whether the peer may leave unread what it likes meanwhile, for as long as it likes."""

    def start(self, resume: Resume, spawn: Spawn) -> None:
        """Begin. `resume()` makes the loop call `ServedSession.advance` again.

        resume: to be called once, from the loop's thread (`Transport.run_sync_soon` gets there
            from another one), also from inside `start`. Later calls do nothing.
        spawn: runs a coroutine function in the server's nursery. An exception that leaves it is
            logged and ends this connection only.
        """

    def cancel(self) -> None:
        """Stop early (CancelRequest, statement timeout, the peer is gone); resume is still due.

        May come at any time after `start`, more than once, and too late.
        """


class Timer(Protocol):
    """A callback that is due later."""

    def cancel(self) -> None:
        """Forget it; nothing happens when it already ran."""


class Transport(Protocol):
    """A session's way to its connection: output outside of a turn, and what the server knows."""

    @property
    def process_id(self) -> int:
        """This connection's number: BackendKeyData's, pg_backend_pid()'s, the log's."""

    def backend_key(self, minor: int) -> bytes:
        """The secret of BackendKeyData: 4 bytes up to protocol 3.1, 32 from 3.2 on."""

    def write(self, data: bytes | memoryview) -> None:
        """Queue bytes behind `ServedSession.outbox` and start sending. For Work that streams, and for
        what was not asked for (a notification, a notice) at a time when the protocol allows it.
        """

    async def drain(self, *, patient: bool = False) -> None:
        """Wait until less than the high-water mark (256 KiB) is unsent.

        Raises:
            ConnectionLostError: the connection ended, or (unless `patient`) the peer read nothing for 60 s.
        """

    def lend(self, data: bytes | memoryview, done: Callable[[], None]) -> None:
        """Send bytes behind the outbox without copying them, one piece at a time. For Work, which writes
        nothing else before `done`: the operating system has taken them all.
        """

    def take_back(self) -> None:
        """What is left of the bytes that were lent goes to the outbox: nobody waits for `done` any more."""

    @property
    def unsent(self) -> int:
        """Bytes queued and not yet taken by the operating system, the outbox included."""

    @property
    def closed(self) -> bool:
        """Whether the connection is gone: nothing written will arrive."""

    def authenticated(self, user: str) -> None:
        """The peer is `user`: lifts the start-up deadline, counts it against the user's limit.

        Raises:
            TooManyConnectionsError: the user has as many connections as it may.
        """

    def authentication_failed(self, user: str) -> float:
        """The peer is not `user`: seconds to wait before it is told so, more each time (back-off)."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` in the loop's thread `delay_s` seconds from now, unless the connection
        ends first.
        """

    def schedule(self) -> None:
        """Have `ServedSession.advance` called soon though no byte came (a notification is waiting).
        Does nothing while Work runs: advance comes after it anyway.
        """

    @property
    def idles(self) -> bool:
        """Whether no turn and no Work runs, and the peer has read all that it was sent."""

    def push(self) -> None:
        """Send what was put into the outbox while it `idles`."""

    def finished(self) -> None:
        """What the session returned `PENDING` for has ended: from the loop's thread, never from inside
        `advance`.
        """

    def terminate(self, error: KalamError, *, at_once: bool = False) -> None:
        """End the connection: cancel its Work, send `error` as FATAL, close.

        at_once: what the peer has not read is not waited for.
        """

    def run_sync_soon(self, callback: Callable[[], None]) -> None:
        """From any thread: run `callback` in the loop's thread, soon."""


class ServedSession(Protocol):
    """One client's conversation. It sees decrypted bytes, from the StartupMessage on.

    SSLRequest, GSSENCRequest and CancelRequest are answered before a session exists. All calls
    come from the loop's thread, never one inside another.
    """

    outbox: bytearray
    closing: bool

    @property
    def resting(self) -> bool:
        """Whether `advance` would do nothing now, so that the outbox may be sent without it."""

    @property
    def unread(self) -> int:
        """Bytes that were fed and that it has not come to, without those of a message that is not whole."""

    def feed(self, data: bytes) -> None:
        """Bytes from the peer; only to be kept. Also called while Work runs, until 64 KiB are unread."""

    def advance(self) -> Work | None:
        """Handle what was fed until input (None) or Work is needed. Never while Work runs.

        Bytes for the peer go to `outbox`. `closing` means: send the outbox, then close.
        """

    def eof(self) -> None:
        """The peer sends no more; the connection closes when what was fed is dealt with. Work
        that only the peer could want (a stream without end) may be cancelled now.
        """

    def farewell(self, error: KalamError) -> None:
        """The connection is about to be ended with `error`: last words go to `outbox`, before it. Never
        while Work runs.
        """

    def disconnected(self) -> None:
        """The connection is gone: release everything. The last call, and it comes exactly once."""


SessionFactory = Callable[[Transport, Peer], ServedSession]


class Pause:
    """Work that is done at once: advance comes again after the other connections had their turn.

    A session returns it when it has handled many messages in one call, or when its outbox holds
    more than it likes: the loop asks again when the peer has read enough.
    """

    __slots__ = ()

    patient = False

    def start(self, resume: Resume, spawn: Spawn) -> None:
        resume()

    def cancel(self) -> None:
        """Nothing to stop."""


PAUSE = Pause()


class Pending:
    """Work that the session has begun by itself, and tells the end of by `Transport.finished`.

    For what is too frequent to have an object of its own: a commit that can neither be refused nor
    cancelled.
    """

    __slots__ = ()

    patient = False

    def start(self, resume: Resume, spawn: Spawn) -> None:
        """It is running."""

    def cancel(self) -> None:
        """It is too late."""


PENDING = Pending()
