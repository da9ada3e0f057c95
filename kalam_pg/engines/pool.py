"""A pool of worker processes that run engine queries, under trio.

    async with Pool(size=4) as pool:
        stream = await pool.run(query, Limits(timeout_s=30))
        async for chunk in stream:
            ...

Each worker runs one query at a time; who finds none idle waits in line, one line for each user, which are
served in turn. No user has more than `size` workers at a time, and there may be more of them: whatever one
user runs, another user's query begins at once. A query that fails hard takes its worker with it and nobody
else: the pool starts another.
"""

import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Self

import structlog
import trio

from catalog.errors import InsufficientResourcesError
from catalog.types.table import TypeContext
from kalam_pg.engines.errors import canceled
from kalam_pg.engines.forked import WORKER, ForkServer
from kalam_pg.engines.lines import Lines, Waiter
from kalam_pg.engines.pool_stream import PoolStream
from kalam_pg.engines.process import WorkerLostError, WorkerProcess
from kalam_pg.engines.protocol import (
    QueryBody,
    SharedBatch,
    TableBody,
    WorkerFrame,
    decode_done,
    encode_query,
)
from kalam_pg.engines.request import (
    ArrowResult,
    BatchRef,
    EngineQuery,
    EngineSettings,
    Limits,
    TableInput,
    WireResult,
)
from kalam_pg.engines.shared import INLINE_BYTES_MAX, SharedBatches, to_ipc, write
from kalam_pg.failures import last_words, report
from kalam_pg.functions.cost import volume
from kalam_pg.memory import UNBOUNDED, Lease
from kalam_pg.supervision import Supervisor
from storage.fs import OS

QUEUE_MAX = 1000
"""Queries of one user that may wait for a worker; more are refused (53000) rather than kept for minutes."""

CANCEL_GRACE_S = 0.1
"""A worker that has not stopped this long after CANCEL is killed."""

PARK_AFTER_S = 0.2
"""An answer that nobody has read on for so long makes room for others, and who waits so long asks for it."""

LARGE_QUERY_BYTES = 256 << 10
"""A query with more is encoded in a thread, and counted until it is sent."""

LARGE_BATCH_BYTES = 2 << 20
"""The memory file of a larger batch is made in a thread: to copy it takes a millisecond and more."""

ROW_BYTES = 50
"""Of a row that is brought, beside its large values."""

START_TIMEOUT_S = 60.0
"""A worker that has not reported by then never will."""

_log = structlog.get_logger(__name__)
_NOBODYS = UNBOUNDED.open(0).holding("queries")


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """workers: ready ones. waiting: queries in line. lost: workers that ended by themselves."""

    workers: int
    idle: int
    waiting: int
    lost: int


class Pool:
    """`size` worker processes. An async context manager; implements `request.Engine`."""

    def __init__(
        self,
        size: int,
        *,
        settings: EngineSettings | None = None,
        queue_max: int = QUEUE_MAX,
        spare: int = 0,
        forks: ForkServer | None = None,
    ) -> None:
        """size: the most workers of one user. spare: further ones, for users who have none of these.

        forks: what forks the workers; by default a fork server of the pool's own.
        """
        assert size >= 1
        self._size = size
        self._spare = spare
        self._settings = settings or EngineSettings()
        self._forks = forks or ForkServer(WORKER)
        self._own_forks: AbstractContextManager[object] = nullcontext() if forks else self._forks
        self._queue_max = queue_max
        self._idle: list[WorkerProcess] = []
        self._busy: dict[WorkerProcess, int] = {}
        """And for which user."""
        self._waiting = Lines()
        self._shared = SharedBatches()
        self.resting: dict[PoolStream, float] = {}
        """Answers whose next chunk nobody asks for, since when, the longest first."""
        self._lost = 0
        self._tasks = Supervisor()
        self._first_ready = trio.Event()

    async def __aenter__(self) -> Self:
        self._own_forks.__enter__()
        await self._tasks.__aenter__()
        for _ in range(self._size + self._spare):
            self._tasks.every("engine worker", 0.0, self._keep_worker)
        try:
            with trio.fail_after(START_TIMEOUT_S):
                await self._first_ready.wait()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._tasks.__aexit__(kind, value, traceback)
        finally:
            for worker in self._busy:  # Each is gone; somebody still meant to read its answer.
                worker.close()
            self._shared.close()
            self._own_forks.__exit__(None, None, None)

    async def run(self, query: EngineQuery, limits: Limits) -> "PoolStream":
        """Run `query` when a worker is free; the answer may not have begun when this returns.

        Cancelling the caller's scope stops the query.

        Raises:
            KalamError: 53000 the queue is full, 57014 the timeout passed while it waited.
        """
        deadline = trio.current_time() + limits.timeout_s if limits.timeout_s else math.inf
        worker = await self.assign(query, limits, deadline)
        return PoolStream(self, worker, query, limits, deadline)

    async def assign(self, query: EngineQuery, limits: Limits, deadline: float) -> WorkerProcess:
        """A worker that was sent `query`, or was lost meanwhile. Raises as `run`."""
        size = _volume(query)
        worker = await self._acquire(limits.user, deadline)
        try:
            lease = _counted(size, limits)
        except BaseException:
            self.release(worker, usable=True)
            raise
        try:
            await self._send_query(worker, query, limits, large=size > LARGE_QUERY_BYTES)
        except WorkerLostError:
            pass  # Who reads the answer finds out, and knows what to do.
        except BaseException:
            # Part of a frame may have been sent: the worker is of no further use.
            self.release(worker, usable=False)
            raise
        finally:
            lease.end()
        return worker

    def statistics(self) -> PoolStatistics:
        """Counts of this moment."""
        ready = len(self._idle) + len(self._busy)
        return PoolStatistics(ready, len(self._idle), len(self._waiting), self._lost)

    def release(self, worker: WorkerProcess, *, usable: bool) -> None:
        """Take back a worker whose query is over; an unusable one is killed."""
        if worker.gone.is_set():
            self._leave(worker)
            worker.close()
        elif usable:
            worker.forget_words()
            self._give(worker)
        else:
            self._leave(worker)
            worker.kill()

    def soon(self, function: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """Run an async function beside everything else."""
        self._tasks.soon("engine query", function, *arguments)

    def stop(self, worker: WorkerProcess) -> None:
        """Take back a worker whose answer nobody wants any more, as soon as it has stopped."""
        self.soon(self._stop, worker)

    async def _stop(self, worker: WorkerProcess) -> None:
        """Ask it to stop, read away what it still sends, and kill it when it takes too long."""
        worker.send_nowait(WorkerFrame.CANCEL)
        usable = False
        try:
            with trio.move_on_after(CANCEL_GRACE_S):
                while not usable:
                    kind, body = await worker.receive()
                    if kind is WorkerFrame.DONE:
                        worker.held.difference_update(decode_done(body).dropped)
                        usable = True
        except WorkerLostError:
            pass
        except Exception as exc:  # noqa: BLE001 -- whatever it is, see below
            # It sends nonsense. That costs this worker, and must not cost the server.
            report("worker_unreadable", exc)
        self.release(worker, usable=usable)

    def _make_room(self) -> None:
        """Somebody waits: free the worker of the answer that nobody has read on for the longest time."""
        directory = self._settings.spill_directory
        if directory is None or not self.resting:
            return
        stream, since = next(iter(self.resting.items()))
        if since + PARK_AFTER_S <= trio.current_time():
            del self.resting[stream]
            stream.park(partial(OS.open_scratch, directory))

    def _has_room(self, user: int) -> bool:
        """Whether a user may have one more worker."""
        return sum([of == user for of in self._busy.values()]) < self._size

    def _leave(self, worker: WorkerProcess) -> None:
        """A worker is lost to whom it served, who may have another one that is idle."""
        if self._busy.pop(worker, None) is not None:
            self._serve()

    async def _acquire(self, user: int, deadline: float) -> WorkerProcess:
        while self._idle and self._has_room(user):
            worker = self._idle.pop()  # The last used: its caches are warm.
            if worker.alive:  # Else `_keep_worker` is about to notice.
                self._busy[worker] = user
                return worker
        if self._waiting.of(user) >= self._queue_max:
            raise InsufficientResourcesError(
                "too many queries are waiting for the query engine",
                hint="Try again later, or raise the number of engine workers.",
            )
        waiter = Waiter(user)
        self._waiting.add(waiter)
        try:
            while not waiter.event.is_set() and trio.current_time() < deadline:
                with trio.move_on_at(min(deadline, trio.current_time() + PARK_AFTER_S)):
                    await waiter.event.wait()
                if not waiter.event.is_set():
                    self._make_room()
        except BaseException:
            if waiter.worker is None:
                self._waiting.remove(waiter)
            else:  # Given and cancelled at once: pass it on.
                self._give(waiter.worker)
            raise
        if waiter.worker is None:
            self._waiting.remove(waiter)
            raise canceled("statement timeout")
        return waiter.worker

    def _give(self, worker: WorkerProcess) -> None:
        self._busy.pop(worker, None)
        self._idle.append(worker)
        self._serve()

    def _serve(self) -> None:
        """Give idle workers to those who wait and may have one."""
        while self._idle and (waiter := self._waiting.next(self._has_room)) is not None:
            worker = waiter.worker = self._idle.pop()
            self._busy[worker] = waiter.user
            waiter.event.set()

    async def _send_query(
        self, worker: WorkerProcess, query: EngineQuery, limits: Limits, *, large: bool
    ) -> None:
        descriptors: list[int] = []
        tables = [await self._table(worker, table, descriptors) for table in query.tables]
        body = QueryBody(
            query.sql,
            tuple(tables),
            query.udfs,
            _without_objects(query.result),
            _context(query.context),
            replace(limits, answers=None),
            query.direct,
            query.steps,
            query.program,
        )
        if large:
            # Who gives up does not wait for the thread, which ends soon.
            data = await trio.to_thread.run_sync(encode_query, body, abandon_on_cancel=True)
        else:
            data = encode_query(body)
        worker.asked += 1
        await worker.send(WorkerFrame.QUERY, data, descriptors)
        self._shared.trim()

    async def _table(
        self, worker: WorkerProcess, table: TableInput, descriptors: list[int]
    ) -> TableBody:
        hot = [await self._batch(worker, ref, descriptors) for ref in table.hot]
        return TableBody(
            table.name,
            table.schema,
            tuple(hot),
            table.segments,
            table.key_columns,
            table.key_kinds,
            table.superseded,
            table.overlapping,
            table.missing,
            table.prefix,
            table.deleted,
        )

    async def _batch(
        self, worker: WorkerProcess, ref: BatchRef, descriptors: list[int]
    ) -> SharedBatch | bytes:
        if ref.id in worker.held:
            return SharedBatch(ref.id)
        if ref.batch.nbytes <= INLINE_BYTES_MAX:
            return to_ipc(ref.batch)
        if ref.batch.nbytes > LARGE_BATCH_BYTES and not self._shared.known(ref):
            # Who gives up waits for it: the file has to be somebody's.
            with trio.CancelScope(shield=True):
                file = self._shared.put(ref, await trio.to_thread.run_sync(write, ref.batch))
        else:
            file = self._shared.get(ref)
        descriptors.append(file.fd)
        worker.held.add(ref.id)
        return SharedBatch(ref.id, file.size)

    # ------------------------------------------------------------------ workers come and go

    async def _keep_worker(self) -> None:
        """The life of the worker in one place of the pool; another follows it.

        Raises:
            OSError: It cannot be started.
            WorkerLostError: It has not reported: what stopped it may stop the next one too.
        """
        worker = WorkerProcess.start(self._forks, self._settings)
        started = False
        try:
            started = await self._is_ready(worker)
            if not started:
                raise WorkerLostError
            self._first_ready.set()
            self._give(worker)
            await worker.wait()
        finally:
            if not started:
                worker.kill()
            self._ended(worker)

    async def _is_ready(self, worker: WorkerProcess) -> bool:
        """Whether a new worker has reported in time."""
        try:
            with trio.move_on_after(START_TIMEOUT_S):
                kind, _ = await worker.receive()
                return kind is WorkerFrame.READY
        except WorkerLostError:
            worker.put_down()
            await worker.wait()
        status = worker.process.poll()
        _log.error("worker_start_failed", status=status, stderr=last_words(worker.last_words()))
        return False

    def _ended(self, worker: WorkerProcess) -> None:
        """A worker has ended, or the pool does. Who reads its answer closes it; nobody else would."""
        if worker.alive:
            worker.kill()
        worker.bury()
        if not worker.killed:
            self._lost += 1
            _log.warning("worker_lost", status=worker.status, idle=worker in self._idle)
        if worker in self._idle:
            self._idle.remove(worker)
        if worker not in self._busy:
            worker.close()


def _volume(query: EngineQuery) -> float:
    """About the bytes of what may be large of it: its program, its parameters, rows that are brought."""
    total = volume(query.context.get("params", ()))
    if query.program is not None:
        total += len(query.program.query)
        for _, rows in query.program.rows:
            total += len(rows) * (volume(rows[:1]) + ROW_BYTES)
    return total


def _counted(size: float, limits: Limits) -> Lease:
    """The memory that a query takes while it is encoded and sent, if it is much. Raises 53200."""
    if size <= LARGE_QUERY_BYTES or limits.answers is None:
        return _NOBODYS.lease(0)
    return limits.answers.lease(int(2 * size))


def _without_objects(result: WireResult | ArrowResult) -> WireResult | None:
    """Names of catalogue objects do not cross to a worker (`types.table.TypeContext`)."""
    if not isinstance(result, WireResult):
        return None
    if result.context.objects is None:
        return result
    return replace(result, context=replace(result.context, objects=None))


def _context(context: dict[str, Any]) -> dict[str, Any]:
    types = context.get("types")
    if isinstance(types, TypeContext) and types.objects is not None:
        return {**context, "types": replace(types, objects=None)}
    return context
