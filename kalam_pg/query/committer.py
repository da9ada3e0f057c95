"""The committer: the one writer. It gathers what waits, writes it as one group, then publishes it.

Sessions submit write sets on the event loop. A thread of its own takes all that wait, lets the engine
check, number and write them as one batch (`Engine.write_group`), and hands the group back to the event
loop, where it becomes visible and its submitters are told. Commit order, `_seq` order and publication
order are therefore one order, and group commit and back-pressure need no further code.
"""

import threading
from collections import deque
from collections.abc import Callable

import structlog
import trio

from storage.engine import Engine, Group, WriteSet
from storage.errors import IoError, KalamError

Done = Callable[[WriteSet], None]

log = structlog.get_logger()


class Committer:
    """Schedules groups. Everything but `_write` runs on the event loop.

    A write set is *submitted* once, and `done` is called once, on the event loop, after the set is
    visible to every later view (or with `error` set, when it was left out of the group).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[tuple[WriteSet, Done]] = []
        self._queue: deque[list[tuple[WriteSet, Done]] | None] = deque()
        self._ready = threading.Semaphore(0)
        self._token: trio.lowlevel.TrioToken | None = None
        self._thread: threading.Thread | None = None
        self._in_flight = 0
        self._idle = trio.Event()
        self.after_publish: list[Callable[[Group], None]] = []
        """Called on the event loop after each group is visible and before its submitters hear of it."""

    def start(self) -> None:
        """Start the writing thread; call inside trio, before the first submission."""
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._write_groups, name="committer", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Wait until all that was submitted is published, then end the thread."""
        while self._in_flight or self._waiting:
            self.flush()
            self._idle = trio.Event()
            await self._idle.wait()
        self._queue.append(None)
        self._ready.release()
        thread = self._thread
        if thread is not None:
            await trio.to_thread.run_sync(thread.join)

    def submit(self, write_set: WriteSet, done: Done) -> None:
        """Queue a write set. It is written at the next `flush`, which the event loop's turn brings."""
        if not self._waiting:
            assert self._token is not None, "submitted before start"
            self._token.run_sync_soon(self.flush, idempotent=True)
        self._waiting.append((write_set, done))

    def flush(self) -> None:
        """Hand what waits to the writing thread, unless it is busy: then it becomes the next group."""
        if self._waiting and not self._in_flight:
            group, self._waiting = self._waiting, []
            self._in_flight = 1
            self._queue.append(group)
            self._ready.release()

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
            members = self._queue.popleft()
            if members is None:
                return
            group = self._write([write_set for write_set, _ in members])
            assert self._token is not None
            self._token.run_sync_soon(self._publish, group, members)

    def _write(self, sets: list[WriteSet]) -> Group | None:
        try:
            return self._engine.write_group(sets)
        except KalamError as exc:
            error: KalamError = exc
        except Exception as exc:
            log.exception("commit failed")
            error = IoError(f"could not write the commit: {type(exc).__name__}")
        for write_set in sets:
            write_set.error = write_set.error or error
        return None

    def _publish(self, group: Group | None, members: list[tuple[WriteSet, Done]]) -> None:
        if group is not None:
            self._engine.publish(group)
            for hook in self.after_publish:
                hook(group)
        self._in_flight = 0
        # Start the next group before telling this one's submitters: the disk works meanwhile.
        self.flush()
        for write_set, done in members:
            done(write_set)
        if not self._in_flight and not self._waiting:
            self._idle.set()
        elif self._waiting:
            self.flush()
