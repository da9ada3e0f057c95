"""A socket's way out: what is unsent, TLS around it, and when the operating system takes it.

`Channel` knows nothing of sessions beyond their outbox; `connection.Connection` is built on it.
"""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, epoll
from typing import Final

import trio

from kalam_pg.server.errors import ConnectionLostError
from kalam_pg.server.tls import TlsStream
from kalam_pg.wire.protocols import ServedSession

HIGH_WATER_BYTES: Final = 262_144


LENT_BYTES: Final = 65_536
"""Of what is lent so much is encrypted at a time: all of it would be a copy for each peer."""


class Lent:
    """Bytes that are sent from where they are. done: called when the operating system has taken them all."""

    __slots__ = ("done", "rest")

    def __init__(self, data: bytes | memoryview, done: Callable[[], None]) -> None:
        self.rest = memoryview(data)
        self.done = done


class Channel(ABC):
    """Bytes on their way to one peer. `session` is None before the first and after the last."""

    __slots__ = (
        "_blocked",
        "_drained",
        "_early",
        "_epoll",
        "_lent",
        "_mask",
        "_patient",
        "closed",
        "ending",
        "fd",
        "gone",
        "progress_at",
        "session",
        "sock",
        "tls",
    )

    def __init__(self, sock: socket.socket, poller: epoll) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.session: ServedSession | None = None
        self.tls: TlsStream | None = None
        self.progress_at = 0.0  # When the peer last took bytes, while some are unsent.
        self.ending = False  # Nothing more is read for the session; what is unsent still goes.
        self.closed = False
        self.gone = False  # The peer says no more: whatever would be waited for is stopped.
        self._epoll = poller
        self._blocked = False
        self._mask = EPOLLIN
        self._early = bytearray()  # The outbox of a connection that has no session.
        self._lent: Lent | None = None
        self._drained: trio.Event | None = None
        self._patient = False  # Who waits for `_drained` does so for as long as it takes.

    @abstractmethod
    def wants_input(self) -> bool:
        """Whether to watch for bytes of the peer, as far as output does not forbid it."""

    @abstractmethod
    def became_blocked(self) -> None:
        """The operating system took less than there was to send."""

    @abstractmethod
    def sent_all(self) -> None:
        """Everything is sent and the connection is ending."""

    @abstractmethod
    def lost(self) -> None:
        """Close now, whatever is unsent."""

    @property
    def unsent(self) -> int:
        """See `Transport`."""
        size = len(self._early) if self.session is None else len(self.session.outbox)
        return size if self.tls is None else size + len(self.tls.outbox)

    @property
    def is_blocked(self) -> bool:
        """Whether the operating system took less than there was to send."""
        return self._blocked

    async def drain(self, *, patient: bool = False) -> None:
        """See `Transport`."""
        self._patient = patient
        await trio.lowlevel.checkpoint()
        if not self._blocked:
            self.flush()
        while self.unsent > HIGH_WATER_BYTES and not self.closed:
            if self._drained is None:
                self._drained = trio.Event()
            await self._drained.wait()
        if self.closed:
            raise ConnectionLostError("connection to client lost")

    def flush(self) -> None:
        """One send of what is there."""
        out = self._early if self.session is None else self.session.outbox
        if self.tls is not None and self.tls.established:
            if out:
                self.tls.write(out)
                out.clear()
            out = self.tls.outbox
        elif self.tls is not None and not out:
            out = self.tls.outbox
        if out:
            try:
                sent = self.sock.send(out)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.lost()
                return
            if sent == len(out):
                out.clear()
                awaited = self._drained is not None or self._lent is not None
                if self._mask == EPOLLIN and not awaited and not self.ending:
                    return  # As nearly always: nothing waits for this, and nothing changes.
                self._blocked = False
            else:
                if sent or not self._blocked:
                    self.progress_at = trio.current_time()
                del out[:sent]
                if not self._blocked:
                    self._blocked = True
                    self.became_blocked()
        else:
            self._blocked = False
        if self._lent is not None and not self._blocked:
            self._send_lent(self._lent)
        if self._drained is not None and self.unsent <= HIGH_WATER_BYTES:
            self._drained.set()
            self._drained = None
        if self.ending and not self._blocked:
            self.sent_all()
        else:
            self.watch()

    def lend(self, data: bytes | memoryview, done: Callable[[], None]) -> None:
        """See `Transport`."""
        assert self._lent is None, "one at a time"
        self._lent = Lent(data, done)
        if not self._blocked:
            self.flush()

    def take_back(self) -> None:
        """See `Transport`."""
        lent, self._lent = self._lent, None
        if lent is not None and self.session is not None:
            self.session.outbox += lent.rest

    def _send_lent(self, lent: Lent) -> None:
        """Send of what is lent as much as the operating system takes now."""
        tls = self.tls
        while lent.rest:
            if tls is None:
                data: bytearray | memoryview = lent.rest
            else:
                tls.write(lent.rest[:LENT_BYTES])
                lent.rest = lent.rest[LENT_BYTES:]
                data = tls.outbox
            try:
                sent = self.sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.lost()
                return
            if isinstance(data, bytearray):
                whole = sent == len(data)
                del data[:sent]
            else:
                whole = sent == len(data)
                lent.rest = data[sent:]
            if not whole:
                self.progress_at = trio.current_time()
                self._blocked = True
                self.became_blocked()
                return
        self._lent = None
        lent.done()

    def hung_up(self, mask: int) -> None:
        """The peer has ended, or said its last and not all of it is read yet: nobody waits for an answer."""
        if mask & (EPOLLHUP | EPOLLERR):
            self.lost()
            return
        self.gone = True
        if self.session is not None:
            self.session.eof()
        self.watch()

    def watch(self) -> None:
        """Tell the operating system what is waited for now."""
        if self.closed:
            return
        mask = EPOLLOUT if self._blocked else EPOLLIN
        if mask == EPOLLIN and not self.wants_input():
            mask = 0 if self.gone else EPOLLRDHUP
        if mask != self._mask:
            self._mask = mask
            self._epoll.modify(self.fd, mask)
