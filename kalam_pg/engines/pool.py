"""A pool of worker processes that run engine queries, under trio.

    async with Pool(size=4) as pool:
        stream = await pool.run(query, Limits(timeout_s=30))
        async for chunk in stream:
            ...

Each worker runs one query at a time; who finds none idle waits in line. A query that fails hard
takes its worker with it and nobody else: the pool starts another.
"""

import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import structlog
import trio

from catalog.errors import InsufficientResourcesError
from catalog.types.table import TypeContext
from kalam_pg.engines.context import EngineSettings
from kalam_pg.engines.errors import canceled, from_failure, internal_error
from kalam_pg.engines.process import WorkerLostError, WorkerProcess, why_lost
from kalam_pg.engines.protocol import (
    Kind,
    QueryBody,
    SharedBatch,
    TableBody,
    decode_done,
    decode_failure,
    decode_placed,
    encode_query,
)
from kalam_pg.engines.request import (
    ArrowResult,
    BatchRef,
    EngineQuery,
    Limits,
    TableInput,
    WireChunk,
    WireResult,
)
from kalam_pg.engines.shared import INLINE_BYTES_MAX, SharedBatches, to_ipc
from storage.errors import KalamError

QUEUE_MAX = 1000
"""Queries that may wait for a worker; more are refused (53000) rather than kept for minutes."""

CANCEL_GRACE_S = 0.1
"""A worker that has not stopped this long after CANCEL is killed."""

START_TIMEOUT_S = 60.0
"""A worker that has not reported by then never will."""

RESTART_PAUSE_S = 1.0
"""After a worker that ended before it was ready: what stopped it may stop the next one too."""

_log = structlog.get_logger(__name__)


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
        self, size: int, *, settings: EngineSettings | None = None, queue_max: int = QUEUE_MAX
    ) -> None:
        assert size >= 1
        self._size = size
        self._settings = settings or EngineSettings()
        self._queue_max = queue_max
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._waiting: deque[_Waiter] = deque()
        self._shared = SharedBatches()
        self._lost = 0
        self._manager: Any = None
        self._nursery: trio.Nursery | None = None
        self._first_ready = trio.Event()

    async def __aenter__(self) -> Self:
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        for _ in range(self._size):
            self._nursery.start_soon(self._start_worker)
        try:
            with trio.fail_after(START_TIMEOUT_S):
                await self._first_ready.wait()
        except BaseException:
            self._nursery.cancel_scope.cancel()
            await self._manager.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._nursery is not None
        self._nursery.cancel_scope.cancel()
        try:
            # The caller's own exception passes by itself, not wrapped in the nursery's group.
            await self._manager.__aexit__(None, None, None)
        finally:
            for worker in [*self._idle, *self._busy]:
                worker.kill()
                worker.process.wait()
                worker.close()
            self._shared.close()

    async def run(self, query: EngineQuery, limits: Limits) -> "PoolStream":
        """Run `query` when a worker is free; the answer may not have begun when this returns.

        Cancelling the caller's scope stops the query.

        Raises:
            KalamError: 53000 the queue is full, 57014 the timeout passed while it waited.
        """
        deadline = trio.current_time() + limits.timeout_s if limits.timeout_s else math.inf
        worker = await self._acquire(deadline)
        stream = PoolStream(self, worker, query.result, deadline)
        try:
            await self._send_query(worker, query, limits)
        except WorkerLostError:
            await stream.fail_lost()
        except BaseException:
            # Part of a frame may have been sent: the worker is of no further use.
            worker.kill()
            self.release(worker, usable=False)
            raise
        return stream

    def statistics(self) -> PoolStatistics:
        """Counts of this moment."""
        ready = len(self._idle) + len(self._busy)
        return PoolStatistics(ready, len(self._idle), len(self._waiting), self._lost)

    def release(self, worker: WorkerProcess, *, usable: bool) -> None:
        """Take back a worker whose query is over; an unusable one is replaced."""
        if usable:
            worker.forget_words()
            self._give(worker)
            return
        self._busy.discard(worker)
        if self._nursery is not None:
            self._nursery.start_soon(self._replace, worker)

    def soon(self, function: Callable[..., Awaitable[None]], *arguments: object) -> None:
        """Run an async function in the pool's own nursery."""
        assert self._nursery is not None
        self._nursery.start_soon(function, *arguments)

    def count_lost(self) -> None:
        """A worker has ended by itself."""
        self._lost += 1

    async def _acquire(self, deadline: float) -> WorkerProcess:
        if self._idle:
            worker = self._idle.pop()  # The last used: its caches are warm.
            self._busy.add(worker)
            return worker
        if len(self._waiting) >= self._queue_max:
            raise InsufficientResourcesError(
                "too many queries are waiting for the query engine",
                hint="Try again later, or raise the number of engine workers.",
            )
        waiter = _Waiter()
        self._waiting.append(waiter)
        try:
            with trio.move_on_at(deadline):
                await waiter.event.wait()
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
        self._busy.discard(worker)
        if self._waiting:
            waiter = self._waiting.popleft()
            waiter.worker = worker
            self._busy.add(worker)
            waiter.event.set()
        else:
            self._idle.append(worker)

    async def _send_query(self, worker: WorkerProcess, query: EngineQuery, limits: Limits) -> None:
        descriptors: list[int] = []
        tables = [await self._table(worker, table, descriptors) for table in query.tables]
        body = QueryBody(
            query.sql,
            tuple(tables),
            query.udfs,
            _without_objects(query.result),
            _context(query.context),
            limits,
            query.direct,
        )
        await worker.send(Kind.QUERY, encode_query(body), descriptors)
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
        )

    async def _batch(
        self, worker: WorkerProcess, ref: BatchRef, descriptors: list[int]
    ) -> SharedBatch | bytes:
        if ref.id in worker.held:
            return SharedBatch(ref.id)
        if ref.batch.nbytes <= INLINE_BYTES_MAX:
            return to_ipc(ref.batch)
        file = self._shared.get(ref)
        descriptors.append(file.fd)
        worker.held.add(ref.id)
        return SharedBatch(ref.id, file.size)

    # ------------------------------------------------------------------ workers come and go

    async def _start_worker(self) -> None:
        while True:
            worker = WorkerProcess.start(self._settings)
            try:
                with trio.move_on_after(START_TIMEOUT_S):
                    kind, _ = await worker.receive()
                    assert kind is Kind.READY
                    self._first_ready.set()
                    self._give(worker)
                    return
            except WorkerLostError:
                pass
            except BaseException:
                worker.kill()
                worker.process.wait()
                worker.close()
                raise
            worker.kill()
            status = await worker.wait()
            _log.error("worker_start_failed", status=status, stderr=worker.last_words()[-2000:])
            worker.close()
            await trio.sleep(RESTART_PAUSE_S)

    async def _replace(self, worker: WorkerProcess) -> None:
        worker.kill()
        await worker.wait()
        worker.close()
        await self._start_worker()


@dataclass(slots=True, eq=False)
class _Waiter:
    event: trio.Event = field(default_factory=trio.Event)
    worker: WorkerProcess | None = None


class PoolStream:
    """The answer of one query: iterate it once, or `aclose` it. `cancel` ends it from elsewhere."""

    def __init__(
        self,
        pool: Pool,
        worker: WorkerProcess,
        result: WireResult | ArrowResult,
        deadline: float,
    ) -> None:
        self._pool = pool
        self._worker: WorkerProcess | None = worker
        self._wire = isinstance(result, WireResult)
        self._deadline = deadline
        self._scope: trio.CancelScope | None = None
        self._canceled = ""
        self._lends = False
        self._lent = False
        self.schema: pa.Schema | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    def lend(self) -> AsyncIterator[Any]:
        """See `request.ResultStream`: chunks in the worker's area are not copied out of it."""
        self._lends = True
        return self

    def cancel(self, reason: str = "user request") -> None:
        """End the query: whoever iterates gets 57014. May be called at any time, more than once."""
        self._canceled = self._canceled or reason
        if self._scope is not None:
            self._scope.cancel()

    async def __anext__(self) -> WireChunk | pa.RecordBatch:
        while True:
            kind, body = await self._receive()
            if kind is Kind.PLACED:
                return self._placed(body)
            if kind is Kind.ROWS:
                return WireChunk(memoryview(body)[4:], int.from_bytes(body[:4], "little"))
            if kind is Kind.BATCH:
                return pa.ipc.read_record_batch(pa.py_buffer(body), self.schema)
            if kind is Kind.SCHEMA:
                self.schema = pa.ipc.read_schema(pa.py_buffer(body))
            elif kind is Kind.ERROR:
                error = from_failure(decode_failure(body))
                await self._finish()
                raise error
            elif kind is Kind.DONE:
                self._done(body)
                raise StopAsyncIteration
            else:
                raise internal_error(f"unexpected frame {kind}")

    def _placed(self, body: bytes) -> WireChunk:
        worker = self._worker
        assert worker is not None
        try:
            placed = decode_placed(body, len(worker.area))
        except ValueError as exc:
            raise internal_error(str(exc)) from exc
        data = worker.area[placed.start : placed.start + placed.size]
        if self._lends:
            self._lent = True
            return WireChunk(data, placed.rows)
        owned = bytes(data)
        worker.send_nowait(Kind.TAKEN)
        return WireChunk(owned, placed.rows)

    async def read_schema(self) -> pa.Schema:
        """The schema of an Arrow result, which comes before its batches."""
        assert not self._wire
        while self.schema is None:
            kind, body = await self._receive()
            if kind is Kind.SCHEMA:
                self.schema = pa.ipc.read_schema(pa.py_buffer(body))
            else:
                assert kind is Kind.ERROR
                error = from_failure(decode_failure(body))
                await self._finish()
                raise error
        return self.schema

    async def aclose(self) -> None:
        """Stop the query if it still runs; the worker is freed or killed soon after."""
        worker, self._worker = self._worker, None
        if worker is not None:
            self._pool.soon(_stop, self._pool, worker)
        await trio.lowlevel.checkpoint()

    async def fail_lost(self) -> None:
        """Raise why the worker is gone."""
        worker, self._worker = self._worker, None
        assert worker is not None
        with trio.CancelScope(shield=True):
            status = await worker.wait()
        error = why_lost(worker, status)
        self._pool.count_lost()
        _log.warning("worker_lost", status=status, sqlstate=error.sqlstate)
        self._pool.release(worker, usable=False)
        raise error

    async def _receive(self) -> tuple[Kind, bytes]:
        if self._worker is None:
            raise StopAsyncIteration
        if self._lent:
            self._lent = False
            self._worker.send_nowait(Kind.TAKEN)
        frame = None
        try:
            if not self._canceled:
                with trio.CancelScope(deadline=self._deadline) as self._scope:
                    frame = await self._worker.receive()
        except WorkerLostError:
            await self.fail_lost()
        except BaseException:
            await self._abandon()
            raise
        finally:
            self._scope = None
        if frame is None:
            reason = self._canceled or "statement timeout"
            await self._abandon()
            raise canceled(reason)
        return frame

    async def _abandon(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            self._pool.soon(_stop, self._pool, worker)

    async def _finish(self) -> None:
        """After ERROR: DONE follows at once."""
        try:
            kind, body = await self._receive()
        except KalamError:
            return
        assert kind is Kind.DONE
        self._done(body)

    def _done(self, body: bytes) -> None:
        worker, self._worker = self._worker, None
        assert worker is not None
        worker.held.difference_update(decode_done(body).dropped)
        self._pool.release(worker, usable=True)


async def _stop(pool: Pool, worker: WorkerProcess) -> None:
    """Ask a worker to stop, read away what it still sends, and kill it when it takes too long."""
    worker.send_nowait(Kind.CANCEL)
    usable = False
    try:
        with trio.move_on_after(CANCEL_GRACE_S):
            while not usable:
                kind, body = await worker.receive()
                if kind is Kind.DONE:
                    worker.held.difference_update(decode_done(body).dropped)
                    usable = True
    except WorkerLostError:
        pool.count_lost()
    except Exception:  # noqa: BLE001 -- whatever it is, see below
        # It sends nonsense. That costs this worker, and must not cost the server.
        _log.exception("worker_unreadable")
    pool.release(worker, usable=usable)


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
