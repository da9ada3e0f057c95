"""One socket: what its session left to send, the Work it waits for, and how it ends.

A `Connection` is its session's `Transport`. The loop calls `readable` and `writable` when the
operating system says so and `turn` when something else did; all in one thread. Back-pressure is in
two places: while bytes are unsent nothing is read and the session is not advanced, and while the session
has not come to `READ_AHEAD_BYTES_MAX` of what was read, no more is.
"""

import socket
from collections.abc import Awaitable, Callable
from select import EPOLLIN
from typing import TYPE_CHECKING, Final

import structlog

from kalam_pg.pgwire.notices import error_bytes
from kalam_pg.server.channel import Channel
from kalam_pg.server.opening import OpeningRefusedError
from kalam_pg.server.resume import Resume
from kalam_pg.server.timers import Entry
from kalam_pg.wire.protocols import PAUSE, PENDING, Peer, ServedSession, Work
from storage.errors import KalamError

if TYPE_CHECKING:
    from kalam_pg.server.loop import Loop

READ_BYTES: Final = 32_768
"""One read, and so the most input that one connection has handled in its turn."""

READ_AHEAD_BYTES_MAX: Final = 65_536
WRITE_BYTES_MIN: Final = 65_536
"""What a streaming Work gathers before a send in the middle of it is worth a system call."""

STEPS_PER_TURN: Final = 16
"""How often one turn asks again after Work that was done at once."""

GOODBYE_S: Final = 2.0
"""How long a closed connection waits for its peer to see it. Closing with unread input would send
a reset, which makes the peer forget the error message it has not read yet."""

log = structlog.get_logger("kalam_pg.server")


class Connection(Channel):
    """See the module. `session` is None until the StartupMessage came and after the end."""

    __slots__ = (
        "_closing_at",
        "_linger",
        "_opening",
        "_refusal",
        "_released",
        "_timers",
        "canceled",
        "eof",
        "held_work",
        "in_turn",
        "loop",
        "peer",
        "process_id",
        "queued",
        "user",
        "waiting_for",
        "work",
    )

    def __init__(
        self, loop: "Loop", sock: socket.socket, peer: Peer, refusal: KalamError | None
    ) -> None:
        super().__init__(sock, loop.epoll)
        self.loop = loop
        self.peer = peer
        self.process_id = loop.cancels.register(self.cancel_work)
        self.work: Work | None = None
        self.waiting_for: Resume | None = None
        self.held_work: Work | None = None
        self.user: str | None = None
        self.in_turn = False
        self.queued = False
        self.canceled = False
        self.eof = False
        self._opening = loop.opening(peer)
        self._refusal = refusal
        self._released = False
        self._linger = True
        self._timers: set[Entry] = set()

    # What the operating system says -------------------------------------------------------------

    def readable(self) -> None:
        """Read once, and do what can be done with it."""
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.lost()
            return
        if self.ending:
            if not data:
                self.lost()
            return
        session = self.session
        if session is None or self.tls is not None:
            self._readable_slowly(data)
        elif not data:
            self._end_of_input()
        else:
            session.feed(data)
            if self.work is None:
                self.advance(session)
            else:
                self._stop_far_ahead(session)

    def writable(self) -> None:
        """The peer took bytes: send more, and go on where that had to wait."""
        self.flush()
        if self.closed or self._blocked or self.ending:
            return
        session = self.session
        if session is not None and self.work is None:
            self.advance(session)

    def turn(self) -> None:
        """Go on after Work, after `write`, or because the last turn was long enough."""
        self.queued = False
        session = self.session
        if self.closed or session is None:
            return
        if self.work is not None or self._blocked or self.ending:
            self.flush()
            # When this sent the last of what was unsent, no event will ask the session to go on.
            if self.work is not None or self._blocked or self.ending:  # So it is when closed.
                return
        self.advance(session)

    # The session --------------------------------------------------------------------------------

    def advance(self, session: ServedSession) -> None:
        """Ask the session to go on until it needs input, or Work that is not done at once."""
        self.in_turn = True
        steps = 0
        while True:
            work = session.advance()
            if work is None or self.closed:
                break
            steps += 1
            if work is PENDING:
                self.work = work
            elif work is PAUSE or steps > STEPS_PER_TURN:
                if work is not PAUSE:
                    self._start(work)
                self.want_turn()
                self._stop_far_ahead(session)
                break
            if work is PENDING or self._start(work):
                # What is already answered goes out together with what the Work adds.
                self.in_turn = False
                if session.outbox:
                    self.loop.hold(self)
                if self._mask != EPOLLIN or self._blocked:
                    self.watch()
                return
        self.in_turn = False
        if self.closed:
            return
        if work is None:
            self.canceled = False  # There is nothing to cancel any more.
        if work is None and (session.closing or self.eof):
            self.end()
        elif session.outbox:
            self.loop.send_later(self)
        elif self._mask != EPOLLIN:
            self.watch()

    def finished(self) -> None:
        """See `Transport`."""
        if self.work is PENDING:
            self.work = None
            session = self.session
            if session is not None and session.resting and not self.eof:
                self.loop.send_later(self)  # Its answer is all that is left.
            else:
                self.want_turn()

    def _start(self, work: Work) -> bool:
        """Start Work; whether it is still running."""
        resume = Resume(self)
        self.work = work
        self.waiting_for = resume
        work.start(resume, self.spawn)
        if self.canceled or self.gone:
            self.canceled = False
            work.cancel()
        return self.work is not None

    def spawn(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run `function` in the server's nursery; what it raises ends this connection only."""
        self.loop.spawn(self, function)

    def wants_input(self) -> bool:
        """Not after the peer's last byte, and not far ahead of the session."""
        session = self.session
        return not self.eof and (session is None or session.unread < READ_AHEAD_BYTES_MAX)

    def became_blocked(self) -> None:
        """From now on the peer's patience with reading is measured."""
        self.loop.blocked.add(self)

    def cancel_work(self) -> None:
        """CancelRequest: stop the Work, if any, or the next one of a statement that goes on just now."""
        if self.work is not None:
            self.work.cancel()
        else:
            # One that waits for its turn, or until the peer has read.
            self.canceled = self.queued or self._blocked

    def want_turn(self) -> None:
        """Have `turn` called soon."""
        if not self.queued:
            self.queued = True
            self.loop.enqueue(self)

    def _end_of_input(self) -> None:
        self.eof = self.gone = True
        session = self.session
        if session is None:
            self.lost()
            return
        session.eof()
        if self.closed:
            return
        if self.work is None and not self._blocked:
            self.advance(session)
        self.watch()

    def _stop_far_ahead(self, session: ServedSession) -> None:
        """Read no more until the session has come to what was read: `advance` watches again."""
        if session.unread >= READ_AHEAD_BYTES_MAX:
            self.watch()

    # Before the session, and under TLS ----------------------------------------------------------

    def _readable_slowly(self, data: bytes) -> None:
        if not data:
            self._end_of_input()
            return
        try:
            session = self.session
            if session is None:
                self._open(data)
                return
            if self.tls is not None:
                data = self.tls.feed(data)
        except OpeningRefusedError as exc:
            self._refuse(exc.error)
            return
        except OSError as exc:  # ssl.SSLError is one.
            log.info("tls failed", connection=self.process_id, reason=str(exc))
            self.flush()
            self.lost()
            return
        if data:
            session.feed(data)
        if self.tls is not None and self.tls.ended:
            self._end_of_input()
        elif self.work is None:
            self.advance(session)
        else:
            self._stop_far_ahead(session)
        if self.tls is not None and self.tls.outbox and not self.closed:
            self.flush()

    def _open(self, data: bytes) -> None:
        opening = self._opening
        try:
            opened = opening.feed(data)
        finally:
            self.tls = opening.tls
            self._early += opening.answer
            opening.answer.clear()
        if opened is None:
            self.flush()
            return
        if self._refusal is not None:
            raise OpeningRefusedError(self._refusal)
        self.peer = opened.peer
        self.session = session = self.loop.factory(self, opened.peer)
        session.feed(opened.data)
        self.advance(session)

    def _refuse(self, error: KalamError | None) -> None:
        if error is not None:
            self._early += error_bytes(error, "FATAL")
        self.end()

    # Output -------------------------------------------------------------------------------------

    @property
    def awaited(self) -> bool:
        """Whether something waits until the peer has read."""
        if self.queued or self.ending or (self._drained is not None and not self._patient):
            return True
        return self.work is not None and not self.work.patient

    def write(self, data: bytes | memoryview) -> None:
        """See `Transport`."""
        if self.ending or self.session is None:
            return
        if len(data) >= WRITE_BYTES_MIN and not self._blocked and not self.in_turn:
            data = self._send_uncopied(self.session, data)
            if self.closed or not data:
                return
        outbox = self.session.outbox
        outbox += data
        if len(outbox) >= WRITE_BYTES_MIN and not self._blocked and not self.in_turn:
            self.flush()
        else:
            self.want_turn()

    def _send_uncopied(
        self, session: ServedSession, data: bytes | memoryview
    ) -> bytes | memoryview:
        """Send what the operating system takes of much at once; what it left is returned."""
        if session.outbox:
            self.flush()
        if self._blocked or self.closed or self.tls is not None:
            return data
        try:
            return memoryview(data)[self.sock.send(data) :]
        except BlockingIOError:
            return data
        except OSError:
            self.lost()
            return data

    # What the server knows ----------------------------------------------------------------------

    def backend_key(self, minor: int) -> bytes:
        """See `Transport`."""
        return self.loop.cancels.key(self.process_id, minor)

    def authenticated(self, user: str) -> None:
        """See `Transport`."""
        self.loop.limits.authenticate(user, self.peer.address)
        self.loop.strangers.known(self)
        self.loop.backoff.succeeded(self.peer.address, user)
        self.user = user

    def authentication_failed(self, user: str) -> float:
        """See `Transport`."""
        address, loop = self.peer.address, self.loop
        loop.backoff.failed(address, user)
        delay_s = loop.backoff.delay_s(address, user)
        # It counts for so long, whether it waits to be told or goes and tries again.
        loop.limits.hold(address)
        loop.timers.call_later(delay_s, lambda: loop.limits.let_go(address))
        return delay_s

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Entry:
        """See `Transport`."""

        def due() -> None:
            self._timers.discard(entry)
            if not self.closed:
                self.loop.guarded(self, callback)

        entry = self.loop.timers.call_later(delay_s, due)
        self._timers.add(entry)
        return entry

    def schedule(self) -> None:
        """See `Transport`."""
        if not self.closed and not self.in_turn:
            self.want_turn()

    @property
    def idles(self) -> bool:
        """See `Transport`."""
        return not (self._blocked or self.in_turn or self.ending) and self.work is None

    def push(self) -> None:
        """See `Transport`."""
        if self.unsent < WRITE_BYTES_MIN:
            self.loop.send_later(self)
        else:
            self.flush()  # It would be kept for all who are told the same until the round ends.

    def run_sync_soon(self, callback: Callable[[], None]) -> None:
        """See `Transport`."""
        self.loop.run_sync_soon(callback)

    # The end ------------------------------------------------------------------------------------

    def terminate(self, error: KalamError, *, at_once: bool = False) -> None:
        """See `Transport`."""
        if self.closed or self.ending:
            return
        session, idle = self.session, self.work is None and not self.in_turn
        self._stop_work()
        if session is not None and idle:
            session.farewell(error)
        out = self._early if session is None else session.outbox
        out += error_bytes(error, "FATAL")
        # The client said nothing that could be unread, and may not look for hours.
        self._linger = False
        self.end()
        if at_once:
            self.lost()

    def fail(self, error: bytes) -> None:
        """A bug ended the session: stop its Work, send an ErrorResponse if one can be, close."""
        self.in_turn = False
        self._stop_work()
        if not self.ending:
            out = self._early if self.session is None else self.session.outbox
            out += error
            self.end()

    def end(self) -> None:
        """Send what is unsent, then close."""
        if self.ending or self.closed:
            return
        self.ending = True
        self.flush()

    def sent_all(self) -> None:
        self._release()
        if self.eof:
            self.lost()
            return
        try:
            if self.tls is not None and self.tls.established:
                self.tls.close()
                self.sock.send(self.tls.outbox)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.lost()
            return
        if not self._linger:
            self.lost()
            return
        self.watch()
        self.loop.timers.call_later(GOODBYE_S, self.lost)

    def lost(self) -> None:
        """Close now, whatever is unsent."""
        if self.closed:
            return
        self.closed = True
        self.ending = True
        self.loop.forget(self)
        self.sock.close()
        self._lent = None  # Before who has lent it takes it back: nobody reads it.
        self._stop_work()
        self._release()
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def _stop_work(self) -> None:
        # Its resume is still to come and will mean nothing.
        self.waiting_for = None
        work, self.work = self.work, None
        if work is not None:
            self.loop.guarded(self, work.cancel)

    def _release(self) -> None:
        """What must happen once, as soon as the session has no more to say."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        session, self.session = self.session, None
        if not self._released:
            self._released = True
            self.loop.release(self)
        if session is not None:
            self.loop.guarded(self, session.disconnected)
