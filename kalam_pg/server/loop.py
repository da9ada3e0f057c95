"""The event loop of all connections: one trio task over an epoll of its own.

trio wakes this task when the epoll has something (an epoll is itself a file descriptor that can be
waited for), so a turn of many ready sockets costs trio one wake-up, and everything else, the
committer's task, timers, signals and supervision, stays trio's.

Whatever a session raises is caught here (each `noqa: BLE001` below) and ends that session only.

A *round* handles every socket that is ready, then what waited for the end of the round (the committer
makes one group of all commits that the round asked for), then gives turns to the connections which
that made ready; so a commit that needs no disk is answered in the round that brought it. A second task
does the same for what something other than the network made ready: finished Work, a notification.
`enqueue` only ever appends to a queue, so a `resume` called from inside anything, even a turn, never
nests.
"""

import errno
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from select import EPOLLIN, EPOLLOUT, epoll
from typing import Final

import structlog
import trio

from kalam_pg.failures import known, report
from kalam_pg.pgwire.notices import error_bytes
from kalam_pg.server.cancel import CancelRegistry
from kalam_pg.server.connection import Connection
from kalam_pg.server.errors import ConnectionLostError
from kalam_pg.server.limits import ConnectionLimits, FailureBackoff
from kalam_pg.server.listeners import peer_of
from kalam_pg.server.loop_options import LoopOptions
from kalam_pg.server.opening import Opening
from kalam_pg.server.shares import Shares
from kalam_pg.server.strangers import Strangers, too_late
from kalam_pg.server.timers import Timers
from kalam_pg.supervision import guarded
from kalam_pg.wire.protocols import Peer, SessionFactory
from storage.errors import KalamError

EVENTS_PER_TURN: Final = 256
ACCEPTS_PER_TURN: Final = 64
ROUNDS_S: Final = 0.001
"""How long the epoll, and what a round made ready, is looked at again before others have their turn."""

LINGER_S: Final = 0.001
"""How long a loop that had work waits in its own epoll before it goes back to trio's. A client that
talks without a pause costs no trio wake-up then (some 50 µs); timers are late by no more than this."""

SPIN_S: Final = 0.00005
"""How long a loop that had work asks again before it sleeps: to be woken takes both sides some 20 us each."""

GATHERS_PER_ROUND: Final = 16
"""How often a round that has a commit to write looks for more: 0.5 us each, 10 for a group of its own."""
SETTLES_PER_ROUND: Final = 8
"""How often one round looks again for that, at most."""
HELD_S: Final = 0.01
"""Answers wait for those of later messages of the same pipeline, but not much longer than this."""
SWEEP_S: Final = 5.0
OVERLOADED_S: Final = 0.1
_OVERLOADED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""accept() cannot now, and can later; every other error of it concerns one connection only."""

_REFUSED_MAX: Final = 256  # Connections over the limit that may wait for their refusal.

log = structlog.get_logger("kalam_pg.server")


class Loop:
    """Every connection of one server, and the listeners they come from."""

    def __init__(
        self,
        factory: SessionFactory,
        *,
        options: LoopOptions | None = None,
        limits: ConnectionLimits | None = None,
        backoff: FailureBackoff | None = None,
    ) -> None:
        """Only under trio, and only in the thread that will `run` it."""
        self.factory = factory
        self.options = options or LoopOptions()
        self.limits = limits or ConnectionLimits()
        self.backoff = backoff or FailureBackoff(trio.current_time)
        self.cancels = CancelRegistry()
        self.timers = Timers()
        self.epoll = epoll()
        self.blocked: set[Connection] = set()
        self._connections: dict[int, Connection] = {}
        self.strangers = Strangers(self.limits)
        self._processes: dict[int, Connection] = {}
        self._listeners: dict[int, socket.socket] = {}
        self._ready: deque[Connection] = deque()
        self._shares = Shares()
        self._held: list[Connection] = []
        self._turn_ends: list[Callable[[], None]] = []
        self._from_threads: deque[Callable[[], None]] = deque()
        self._thread_lock = threading.Lock()
        self._wake_up = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.epoll.register(self._wake_up, EPOLLIN)
        self._settling = False
        self._unsent: list[Connection] = []
        self._spawned = 0
        self._turns_parked: trio.lowlevel.Task | None = None
        self._token = trio.lowlevel.current_trio_token()
        self._nursery: trio.Nursery | None = None
        self._empty = trio.Event()
        self._ended = False

    # For the owner ------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; then every socket is closed. Once only."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self.timers.run)
                nursery.start_soon(self._run_turns)
                self._sweep()
                task_status.started()
                try:
                    await self._run_io()
                finally:
                    self._leave_rounds_to_trio()
        finally:
            for connection in list(self._connections.values()):
                self.guarded(connection, connection.lost)
            self.stop_accepting()
            self.epoll.close()
            os.close(self._wake_up)

    def _leave_rounds_to_trio(self) -> None:
        """No more rounds of our own; Work that must come to its end (a commit) still needs them."""
        with self._thread_lock:
            self._ended = True
        self._call_from_threads()
        self._token.run_sync_soon(self._settle)

    def listen(self, sock: socket.socket) -> None:
        """Accept connections of a listening, non-blocking socket from now on."""
        self._listeners[sock.fileno()] = sock
        self.epoll.register(sock.fileno(), EPOLLIN)

    def stop_accepting(self) -> None:
        """Close the listeners; connections go on."""
        for fd, sock in self._listeners.items():
            self.epoll.unregister(fd)
            sock.close()
        self._listeners.clear()
        if not self._connections:
            self._empty.set()

    async def wait_empty(self) -> None:
        """Until the last connection is gone, after `stop_accepting`."""
        await self._empty.wait()

    def terminate_all(self, error: KalamError) -> None:
        """End every connection with a FATAL error."""
        for connection in list(self._connections.values()):
            self.guarded(connection, partial(connection.terminate, error))

    def terminate(self, process_id: int, error: KalamError) -> bool:
        """End one connection (pg_terminate_backend); whether it existed."""
        connection = self._processes.get(process_id)
        if connection is not None:
            self.guarded(connection, partial(connection.terminate, error))
        return connection is not None

    def cancel(self, process_id: int) -> bool:
        """Stop what one connection runs (pg_cancel_backend); whether it existed."""
        connection = self._processes.get(process_id)
        if connection is not None:
            self.guarded(connection, connection.cancel_work)
        return connection is not None

    def run_sync_soon(self, callback: Callable[[], None]) -> None:
        """From any thread: run `callback` in the loop's thread; after trio's end, do nothing."""
        with self._thread_lock:
            if not self._ended:
                self._from_threads.append(callback)
                os.eventfd_write(self._wake_up, 1)
                return
        try:
            self._token.run_sync_soon(guarded, callback)
        except trio.RunFinishedError:
            log.debug("callback after the end of the loop")

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        """In the loop's thread: run `callback` when everything that is ready now was handled."""
        self._turn_ends.append(callback)
        if not self._settling:
            self._wake_turns()

    @property
    def connections(self) -> int:
        """How many sockets are open."""
        return len(self._connections)

    # For connections ----------------------------------------------------------------------------

    def opening(self, peer: Peer) -> Opening:
        """What a new connection begins with."""
        return Opening(peer, self.cancels, self.options.tls, self.options.tls_required)

    def enqueue(self, connection: Connection) -> None:
        """Give `connection` a turn soon."""
        self._ready.append(connection)
        if not self._settling:
            self._wake_turns()

    def send_later(self, connection: Connection) -> None:
        """Send what a connection has to say, at the end of the round if this is one.

        A peer on the same machine that is woken for each answer takes the processor away for each;
        woken once, it finds them all.
        """
        if self._settling:
            self._unsent.append(connection)
        else:
            connection.flush()

    def spawn(self, connection: Connection, function: Callable[[], Awaitable[None]]) -> None:
        """Run `function` beside everything else; its failure ends `connection` only."""
        assert self._nursery is not None
        self._nursery.start_soon(self._supervise, connection, function)

    def hold(self, connection: Connection) -> None:
        """`connection` has answers that wait for its Work; send them if that takes long."""
        if connection.held_work is None:
            if not self._held:
                self.timers.call_later(HELD_S, self._flush_held)
            self._held.append(connection)
        connection.held_work = connection.work

    def guarded(self, connection: Connection, callback: Callable[[], None]) -> None:
        """Call something of a session's; what it raises ends that connection only."""
        try:
            callback()
        except Exception as exc:  # noqa: BLE001
            self._failed(connection, exc)

    def forget(self, connection: Connection) -> None:
        """The socket of `connection` is about to be closed."""
        if self._connections.pop(connection.fd, None) is not None:
            self.epoll.unregister(connection.fd)
        self.blocked.discard(connection)
        if not self._connections and not self._listeners:
            self._empty.set()

    def release(self, connection: Connection) -> None:
        """The session of `connection` ended: it counts no more and cannot be cancelled."""
        self.strangers.known(connection)
        self.limits.disconnect(connection.peer.address, connection.user)
        self.cancels.unregister(connection.process_id)
        self._processes.pop(connection.process_id, None)

    # Turns --------------------------------------------------------------------------------------

    async def _run_io(self) -> None:
        poll, now, shares = self.epoll.poll, time.perf_counter, self._shares
        since = now()
        # On one processor the client could not come while we ask.
        spins = may_spin = len(os.sched_getaffinity(0)) > 1
        while True:
            events = poll(0, EVENTS_PER_TURN)
            if not events and not self._spawned:
                began = now()
                if spins:
                    while not events and now() - began < SPIN_S:
                        events = poll(0, EVENTS_PER_TURN)
                    spins = bool(events)
                if not events:
                    events = poll(LINGER_S, EVENTS_PER_TURN)
                    # What would have helped now helps next time; what would not is not tried.
                    spins = may_spin and bool(events) and now() - began < 2 * SPIN_S
            if not events:
                if shares.crowded:
                    shares.rest()
                await trio.lowlevel.wait_readable(self.epoll.fileno())
                since = now()
                continue
            self._settling = True
            if shares.crowded:
                shares.begin()
            self._handle(events)
            for _ in range(GATHERS_PER_ROUND):
                # What came in meanwhile joins the group that the end of this round makes.
                more = poll(0, EVENTS_PER_TURN) if self._turn_ends else None
                if not more:
                    break
                self._handle(more)
            self._settle()
            if now() - since > ROUNDS_S:
                shares.took(now() - since)
                await trio.lowlevel.checkpoint()
                since = now()

    async def _run_turns(self) -> None:
        def abort(_: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            self._turns_parked = None
            return trio.lowlevel.Abort.SUCCEEDED

        while True:
            if self._ready or self._turn_ends:
                self._settle()
                await trio.lowlevel.checkpoint()
            else:
                self._turns_parked = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(abort)

    def _settle(self) -> None:
        """End the round: what waited for its end, and turns for those who are ready."""
        self._settling = True
        since, shares = time.perf_counter(), self._shares
        if shares.crowded:
            shares.begin()
        for _ in range(SETTLES_PER_ROUND):
            if self._turn_ends:
                shares.stop()  # They are everybody's.
                callbacks, self._turn_ends = self._turn_ends, []
                for callback in callbacks:
                    guarded(callback)
            if self._ready:
                self._give_turns()
                if time.perf_counter() - since > ROUNDS_S:
                    shares.took(time.perf_counter() - since)
                    break  # Who has just come has waited for so long.
            elif not self._turn_ends:
                break
        self._settling = False
        unsent, self._unsent = self._unsent, []
        for connection in unsent:
            if not connection.closed:
                try:
                    connection.flush()
                except Exception as exc:  # noqa: BLE001
                    self._failed(connection, exc)
        if self._ready or self._turn_ends:
            self._wake_turns()

    def _wake_turns(self) -> None:
        if self._turns_parked is not None:
            trio.lowlevel.reschedule(self._turns_parked)
            self._turns_parked = None
        elif self._ended:
            self._token.run_sync_soon(self._settle)

    def _call_from_threads(self) -> None:
        for _ in range(len(self._from_threads)):
            guarded(self._from_threads.popleft())

    def _handle(self, events: Sequence[tuple[int, int]]) -> None:
        get, shares = self._connections.get, self._shares
        accepting: list[socket.socket] = []
        for fd, mask in events:
            connection = get(fd)
            if connection is None:
                # New connections come last: one may get the number of a socket closed just now.
                if fd in self._listeners:
                    accepting.append(self._listeners[fd])
                elif fd == self._wake_up:
                    os.eventfd_read(fd)
                    self._call_from_threads()
                continue
            if shares.crowded and not shares.may(connection.user, connection.peer.address):
                continue  # The epoll tells of it again.
            try:
                if mask & EPOLLIN:
                    connection.readable()
                elif mask & EPOLLOUT:
                    connection.writable()
                elif mask:
                    connection.hung_up(mask)
            except Exception as exc:  # noqa: BLE001
                self._failed(connection, exc)
        for sock in accepting:
            self._accept(sock)

    def _give_turns(self) -> None:
        # Only those that wait now: what they make ready waits for the next round.
        shares, refused = self._shares, list[Connection]()  # They come first in the next round.
        for _ in range(len(self._ready)):
            connection = self._ready.popleft()
            if shares.crowded and not shares.may(connection.user, connection.peer.address):
                refused.append(connection)
            else:
                self.guarded(connection, connection.turn)
        self._ready.extendleft(reversed(refused))

    async def _supervise(
        self, connection: Connection, function: Callable[[], Awaitable[None]]
    ) -> None:
        self._spawned += 1
        try:
            await function()
        except Exception as exc:  # noqa: BLE001
            self._failed(connection, exc)
        finally:
            self._spawned -= 1

    def _failed(self, connection: Connection, exc: Exception) -> None:
        if isinstance(exc, ConnectionLostError):
            connection.lost()
            return
        error = known(exc, process=connection.process_id)
        try:
            connection.fail(error_bytes(error, "FATAL"))
        except Exception as again:  # noqa: BLE001
            report("connection failed twice", again, process=connection.process_id)
            connection.lost()

    # Coming and being swept ---------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as exc:
                if exc.errno in _OVERLOADED:
                    log.warning("cannot accept connections now", reason=exc.strerror)
                    self._rest(listener)
                    return
                continue
            try:
                self._welcome(sock, address)
            except OSError:
                sock.close()  # It was gone before it was looked at.
            except Exception as exc:  # noqa: BLE001
                report("connection not accepted", exc)
                sock.close()

    def _welcome(self, sock: socket.socket, address: object) -> None:
        sock.setblocking(False)
        peer = peer_of(sock, address)
        self.strangers.make_room(peer.address)
        refusal = self.limits.connect(peer.address)
        connection = Connection(self, sock, peer, refusal)
        self.strangers.came(connection)
        self._connections[connection.fd] = connection
        self._processes[connection.process_id] = connection
        self.epoll.register(connection.fd, EPOLLIN)
        if refusal is not None and self.limits.is_beyond(_REFUSED_MAX):
            connection.lost()
            return
        self.timers.call_later(self.options.authentication_timeout_s, lambda: too_late(connection))

    def _rest(self, listener: socket.socket) -> None:
        fd = listener.fileno()
        self.epoll.modify(fd, 0)

        def again() -> None:
            if fd in self._listeners:
                self.epoll.modify(fd, EPOLLIN)

        self.timers.call_later(OVERLOADED_S, again)

    def _flush_held(self) -> None:
        held, self._held = self._held, []
        for connection in held:
            work, connection.held_work = connection.held_work, None
            if work is not None and connection.work is work and not connection.closed:
                self.guarded(connection, connection.flush)

    def _sweep(self) -> None:
        patience = self.options.reader_patience_s
        for connection in list(self.blocked):
            if not connection.is_blocked:
                self.blocked.discard(connection)
            elif connection.awaited and trio.current_time() - connection.progress_at > patience:
                log.info("client does not read", connection=connection.process_id)
                self.guarded(connection, connection.lost)
        self.timers.call_later(min(SWEEP_S, patience), self._sweep)
