"""The committer: the one writer. It gathers what waits, writes it as one group, then publishes it.

Sessions submit write sets on the event loop. At the end of the loop's round all that wait become a
group: the engine checks, numbers and writes it as one batch (`Engine.write_group`), it becomes visible,
and its submitters are told. There is one group at a time, so commit order, `_seq` order and publication
order are one order, and group commit needs no further code. When flush or compaction has fallen far
behind, groups are written further apart (`pause_s`): who writes waits for them.

What a commit means is done here, by what its submitter left as `done`, whatever has become of the
submitter's client (decision 0020). Every member of a group is told, once, whatever another one's `done`
or a hook raises: that is logged, and ends neither the group nor the committer.

A small group is written where it stands, on the event loop, as long as that takes less than handing it
over and back: always when it need not reach the disk, and when it must, while the disk has been quick.
Then what somebody waits to be told of is synced as it is written, too: it would be at once otherwise.
Large groups and what meets a slow disk or a busy LevelDB are written by a thread of the committer's own, and
the event loop goes on meanwhile (decisions 0011, 0131).
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import trio

from kalam_pg.failures import known, report
from storage.engine import Engine, Group, WriteSet
from storage.errors import KalamError, OutcomeUnknownError

Done = Callable[[WriteSet], None]
Member = tuple[WriteSet, Done]

INLINE_WRITES_MAX: Final = 512
"""Changes that a group written on the event loop may have: about 5 ms."""

INLINE_BYTES_MAX: Final = 1 << 20
"""Or bytes of rows: to encode, check and copy these takes about as long."""

GROUP_BYTES_MAX: Final = 32 << 20
"""So many bytes of rows are in one group, beside those of its last member: while it is written they are in
memory some four times more."""

LARGE_BYTES: Final = 16 << 20
"""LevelDB keeps so much in memory of commits of any size; more is told of (`Committer.after_large`)."""

STALL_S: Final = 0.01
"""A write that took longer was held up by LevelDB, which turns its buffer over or merges its files."""

CALM_S: Final = 0.2
"""For so long after a stall every group goes to the thread."""

WRITE_S: Final = 10e-6
"""About what one change costs without the disk."""

QUICK_SYNC_S: Final = 0.001
"""A disk that syncs faster, as a rule, is waited for on the event loop: the way to the thread and back
takes two wake-ups, which cost as much, and everybody who could run meanwhile waits for this group."""


_PUBLICATIONS_MAX: Final = 2
"""So often a group is published. It is durable, and its submitters are going to be told: what raised there
must not leave their rows unseen until the log is read anew."""


class EventLoop(Protocol):
    """What the committer asks of the loop that its submitters live in (`server.loop.Loop`)."""

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        """In its thread: run `callback` when all that is ready now was handled."""

    def run_sync_soon(self, callback: Callable[[], None]) -> None:
        """From any thread: run `callback` in its thread."""


class _Trio:
    """trio as an `EventLoop`, for a database without a server."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        self._token.run_sync_soon(callback, idempotent=True)

    def run_sync_soon(self, callback: Callable[[], None]) -> None:
        with suppress(trio.RunFinishedError):  # Nobody is left to be told.
            self._token.run_sync_soon(callback)


class Committer:
    """Schedules groups. Everything but `_write` runs on the event loop.

    A write set is *submitted* once, and `done` is called once, on the event loop, after the set is
    visible to every later view (or with `error` set, when it was left out of the group).
    """

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """clock: seconds, to tell how long writes take. sleep: in the committer's thread."""
        self._engine = engine
        self._clock = clock
        self._sleep = sleep
        self._waiting: list[Member] = []
        # Changes, and bytes, of those that wait, together; `_sync`: one of them waits for the disk.
        self._changes = self._weight = 0
        self._sync = False
        self._queue: deque[tuple[int, list[Member]] | None] = deque()
        self._written: deque[tuple[Group | None, list[Member]]] = deque()
        self._ready = threading.Semaphore(0)
        self._loop: EventLoop | None = None
        self._thread: threading.Thread | None = None
        self._in_flight = False
        self._stalled_until = 0.0
        self._sync_s = 2 * QUICK_SYNC_S  # Until the thread has seen how long it takes.
        self._idle = trio.Event()
        self.pause_s = 0.0
        """Before each group: how long writers are to wait for flush and compaction (`jobs.pressure`)."""
        self.is_followed: Callable[[WriteSet], bool] = lambda _write_set: False
        """Whether somebody is told of a set as soon as it is durable."""
        self.after_publish: list[Callable[[Group], None]] = []
        """Called on the event loop after each group is visible and before its submitters hear of it."""
        self.after_large: Callable[[int], None] = lambda _size: None
        """Called on the event loop with the bytes of a large group that is visible."""

    def start(self) -> None:
        """Start the writing thread; call inside trio, before the first submission."""
        self._loop = _Trio()
        self._thread = threading.Thread(target=self._write_groups, name="committer", daemon=True)
        self._thread.start()

    def attach(self, loop: EventLoop) -> None:
        """From now on groups are formed by the rounds of `loop`, whose thread this is."""
        self._loop = loop

    def detach(self) -> None:
        """The loop of `attach` has ended: what it would have called comes from trio again."""
        self._loop = _Trio()
        self._publish_written()
        self.flush()

    async def stop(self) -> None:
        """Wait until all that was submitted is published, then end the thread."""
        self.detach()
        while self._in_flight or self._waiting:
            self.flush()
            if self._in_flight:
                self._idle = trio.Event()
                await self._idle.wait()
        self._queue.append(None)
        self._ready.release()
        thread = self._thread
        if thread is not None:
            await trio.to_thread.run_sync(thread.join)

    def soon(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the event loop, when the others have had a turn."""
        assert self._loop is not None, "asked before start"
        self._loop.run_sync_soon(callback)

    def submit(self, write_set: WriteSet, done: Done) -> None:
        """Queue a write set. It is written at the next `flush`, which the event loop's turn brings."""
        if not self._waiting and not self._in_flight:
            assert self._loop is not None, "submitted before start"
            self._loop.at_turn_end(self.flush)
        self._add(write_set, done)

    def _add(self, write_set: WriteSet, done: Done) -> None:
        self._waiting.append((write_set, done))
        self._changes += len(write_set.writes) + len(write_set.system)
        self._weight += write_set.weight
        if write_set.sync or (write_set.system and write_set.system_sync):
            self._sync = True

    def flush(self) -> None:
        """Write what waits, unless the thread is busy: then it becomes the next group."""
        if not self._waiting or self._in_flight:
            return
        if self._is_quick():
            self._write_here()
        else:
            self._hand_over()

    def _write_here(self) -> None:
        changes, synced = self._changes, self._sync
        members = self._take()
        sets = [write_set for write_set, _ in members]
        if not synced and self._sync_s <= QUICK_SYNC_S:
            for write_set in sets:
                if self.is_followed(write_set):
                    # Else the log would be synced by itself, before any of them is answered.
                    write_set.sync = True
                    break
        group = self._write(sets, changes)
        self._make_visible(group)
        _tell(members)

    def _hand_over(self) -> None:
        self._in_flight = True
        members = self._take()
        changes = sum([len(write_set.writes) for write_set, _ in members])
        self._queue.append((changes, members))
        self._ready.release()

    def _take(self) -> list[Member]:
        """Those that wait; nobody does from here on, unless together they are too large for a group."""
        members, self._waiting = self._waiting, []
        heavy = self._weight > GROUP_BYTES_MAX
        self._changes = self._weight = 0
        self._sync = False
        if heavy:
            weight = 0
            for at, (write_set, _) in enumerate(members):
                if weight > GROUP_BYTES_MAX:
                    for member in members[at:]:
                        self._add(*member)
                    return members[:at]
                weight += write_set.weight
        return members

    def _is_quick(self) -> bool:
        """Whether the group that waits is best written on the event loop."""
        if self._changes > INLINE_WRITES_MAX or self.pause_s:
            return False
        if self._weight > INLINE_BYTES_MAX:
            return False
        if self._sync and self._sync_s > QUICK_SYNC_S:
            return False
        return self._clock() >= self._stalled_until

    @property
    def is_writing(self) -> bool:
        """Whether the thread has a group in hand that is not published yet."""
        return self._in_flight

    async def commit(self, write_set: WriteSet) -> WriteSet:
        """Submit and wait until the set is visible. Raises the set's error.

        A cancelled wait does not undo the commit: the caller then knows nothing of its outcome.
        """
        event = trio.Event()
        self.submit(write_set, lambda _set: event.set())
        with trio.CancelScope(shield=True):
            await event.wait()
        if write_set.error is not None:
            raise write_set.error
        return write_set

    def _write_groups(self) -> None:
        while True:
            self._ready.acquire()
            if not self._write_next():
                return

    def _write_next(self) -> bool:
        """Write one group, and keep nothing of it; False when it was the last."""
        queued = self._queue.popleft()
        if queued is None:
            return False
        changes, members = queued
        if self.pause_s:
            self._sleep(self.pause_s)
        group = self._write([write_set for write_set, _ in members], changes)
        self._written.append((group, members))
        loop = self._loop
        assert loop is not None
        loop.run_sync_soon(self._publish_written)
        now = self._loop
        if now is not None and now is not loop:
            now.run_sync_soon(self._publish_written)  # the other was ending: it may not call
        return True

    def _write(self, sets: list[WriteSet], changes: int) -> Group | None:
        start = self._clock()
        try:
            group = self._engine.write_group(sets)
        except KalamError as exc:
            error: KalamError = exc
        except Exception as exc:  # noqa: BLE001 -- its members hear of it
            report("commit failed", exc)
            # It may have been before the batch or after: never say that nothing was written.
            error = OutcomeUnknownError(
                "could not find out whether the transaction was committed",
                detail=f"{type(exc).__name__} in the committer.",
            )
        else:
            took_s = self._clock() - start - changes * WRITE_S
            self._note_pace(took_s, synced=group.synced)
            if len(group.sets) < len(sets):
                _tell_bugs(sets)
            return group
        for write_set in sets:
            write_set.error = write_set.error or error
        return None

    def _note_pace(self, took_s: float, *, synced: bool) -> None:
        """Remember how long a write took: a stall, and about the median of the synced ones."""
        if took_s > STALL_S:
            self._stalled_until = self._clock() + CALM_S
        if synced:
            # Up or down by a step, so that one sync of 10 ms counts no more than one of 1 ms.
            step = 1.1 if took_s > self._sync_s else 1 / 1.1
            self._sync_s = min(max(self._sync_s * step, 0.1 * QUICK_SYNC_S), 4 * QUICK_SYNC_S)

    def _publish_written(self) -> None:
        """Publish what the thread has written; called once or more for each group."""
        while self._written:
            self._publish_from_thread(*self._written.popleft())

    def _publish_from_thread(self, group: Group | None, members: list[Member]) -> None:
        self._make_visible(group)
        size = sum([write_set.weight for write_set, _ in members])
        if size > LARGE_BYTES:
            self.after_large(size)
        self._in_flight = False
        if self._waiting and not self._is_quick():
            # Start the next group before telling this one's submitters: the disk works meanwhile.
            self._hand_over()
        _tell(members)
        if self._waiting and not self._in_flight:
            self.flush()
        if not self._in_flight:
            self._idle.set()

    def _make_visible(self, group: Group | None) -> None:
        if group is None:
            return
        for _ in range(_PUBLICATIONS_MAX):
            try:
                self._engine.publish(group)
                break
            except Exception as exc:  # noqa: BLE001 -- the group is committed all the same
                report("publishing failed", exc)
        for hook in self.after_publish:
            try:
                hook(group)
            except Exception as exc:  # noqa: BLE001
                report("hook after publishing failed", exc)


def _tell_bugs(sets: list[WriteSet]) -> None:
    """What a bug did to a set is told by its reference, and logged."""
    for write_set in sets:
        if write_set.error is not None:
            write_set.error = known(write_set.error)


def _tell(members: list[Member]) -> None:
    """Call what every submitter left, in the order of submission."""
    for write_set, done in members:
        try:
            done(write_set)
        except Exception as exc:  # noqa: BLE001 -- the others are told all the same
            report("what a commit means was not all done", exc)
