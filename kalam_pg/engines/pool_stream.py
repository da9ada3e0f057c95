"""The answer of one query, as it comes from its worker."""

from collections.abc import AsyncIterator, Callable
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import trio

from catalog.errors import OutOfMemoryError
from kalam_pg.engines.errors import canceled, from_failure, internal_error
from kalam_pg.engines.parked import Parked
from kalam_pg.engines.process import (
    LONG_CHARACTERS,
    WorkerLostError,
    WorkerProcess,
    may_be_anothers,
    why_lost,
)
from kalam_pg.engines.protocol import WorkerFrame, decode_done, decode_failure, decode_placed
from kalam_pg.engines.request import EngineQuery, Limits, WireChunk, WireResult
from storage.errors import KalamError
from storage.fs import ScratchFile

if TYPE_CHECKING:
    from kalam_pg.engines.pool import Pool


class PoolStream:
    """The answer of one query: iterate it once, or `aclose` it. `cancel` ends it from elsewhere."""

    def __init__(
        self,
        pool: "Pool",
        worker: WorkerProcess,
        query: EngineQuery,
        limits: Limits,
        deadline: float,
    ) -> None:
        self._pool = pool
        self._worker: WorkerProcess | None = worker
        self._wire = isinstance(query.result, WireResult)
        self._request: tuple[EngineQuery, Limits] | None = (query, limits)
        """What to ask of another worker when this one is lost; None once an answer has begun."""
        self._long = sum(map(len, (query.sql, *chain(*query.steps)))) > LONG_CHARACTERS
        self._deadline = deadline
        self._scope: trio.CancelScope | None = None
        self._canceled = ""
        self._tried = False
        self._lends = False
        self._lent = False
        self._parked: Parked | None = None
        self._memory = limits.answers
        self._held = 0
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
            if kind is WorkerFrame.PLACED:
                return self._placed(body)
            if kind is WorkerFrame.ROWS:
                return WireChunk(memoryview(body)[4:], int.from_bytes(body[:4], "little"))
            if kind is WorkerFrame.BATCH:
                return pa.ipc.read_record_batch(pa.py_buffer(body), self.schema)
            if kind is WorkerFrame.SCHEMA:
                self.schema = pa.ipc.read_schema(pa.py_buffer(body))
            elif kind is WorkerFrame.ERROR:
                error = from_failure(decode_failure(body))
                await self._finish()
                raise error
            elif kind is WorkerFrame.DONE:
                self._done(body)
                raise StopAsyncIteration
            else:
                raise internal_error(f"unexpected frame {kind}")

    def _placed(self, body: bytes) -> WireChunk:
        worker = self._worker
        assert worker is not None
        try:
            placed = decode_placed(body, len(worker.area.rows))
        except ValueError as exc:
            raise internal_error(str(exc)) from exc
        data = worker.area.rows[placed.start : placed.start + placed.size]
        if self._lends:
            self._lent = True
            return WireChunk(data, placed.rows)
        owned = bytes(data)
        worker.send_nowait(WorkerFrame.TAKEN)
        return WireChunk(owned, placed.rows)

    async def read_schema(self) -> pa.Schema:
        """The schema of an Arrow result, which comes before its batches."""
        assert not self._wire
        while self.schema is None:
            kind, body = await self._receive()
            if kind is WorkerFrame.SCHEMA:
                self.schema = pa.ipc.read_schema(pa.py_buffer(body))
            else:
                assert kind is WorkerFrame.ERROR
                error = from_failure(decode_failure(body))
                await self._finish()
                raise error
        return self.schema

    async def aclose(self) -> None:
        """Stop the query if it still runs; the worker is freed or killed soon after."""
        self._abandon()
        await trio.lowlevel.checkpoint()

    def park(self, new_file: Callable[[], ScratchFile]) -> bool:
        """Let the rest of the answer be read from a file, which frees the worker. Whether that is so now.

        Only while nobody waits for the next chunk: the one before has been made use of then.
        """
        worker = self._worker
        if worker is None or self._scope is not None:
            return False
        if self._lent:
            self._lent = False
            worker.send_nowait(WorkerFrame.TAKEN)
        self._worker = None
        self._parked = Parked(self._pool, worker, new_file, long=self._long)
        self._pool.soon(self._parked.fill)
        return True

    async def _receive(self) -> tuple[WorkerFrame, bytes]:
        worker, parked = self._worker, self._parked
        if parked is None and worker is None:
            raise StopAsyncIteration
        self._pool.resting.pop(self, None)
        self._hold(0)
        if self._lent:
            assert worker is not None
            self._lent = False
            worker.send_nowait(WorkerFrame.TAKEN)
        frame = None
        try:
            if not self._canceled:
                with trio.CancelScope(deadline=self._deadline) as self._scope:
                    frame = await self._frame()
        except OutOfMemoryError:
            # There is no room for the frame that comes next, so it cannot be read away either.
            worker, self._worker = self._worker, None
            if worker is not None:
                self._pool.release(worker, usable=False)
            self._abandon()
            raise
        except BaseException:
            self._abandon()
            raise
        finally:
            self._scope = None
        if frame is None:
            reason = self._canceled or "statement timeout"
            self._abandon()
            raise canceled(reason)
        if frame[0] is not WorkerFrame.SCHEMA:  # Another worker would send the same one.
            self._request = None
            if parked is None:
                self._pool.resting[self] = trio.current_time()
        return frame

    async def _frame(self) -> tuple[WorkerFrame, bytes]:
        """The next frame, of another worker if this one was lost and is not the query's victim."""
        if self._parked is not None:
            return await self._parked.frame(self._hold)
        worker = self._worker
        assert worker is not None
        while True:
            try:
                return await worker.receive(self._hold)
            except WorkerLostError:
                again = await self._lost(worker)
            # In a variable first: cancelled in between, `_abandon` finds the stream without a worker.
            worker = self._worker = await self._pool.assign(*again, self._deadline)

    async def _lost(self, worker: WorkerProcess) -> tuple[EngineQuery, Limits]:
        """What to ask of another worker. Raises why this one is gone when the query is to blame for it.

        One that had not begun the query is not its victim. One that a signal has ended, which somebody
        else may have sent, may not be; that is tried once.
        """
        worker.put_down()
        with trio.CancelScope(shield=True):
            await worker.gone.wait()
        error = why_lost(worker, long=self._long)
        again, blameless = self._request, worker.blameless
        worth = blameless or may_be_anothers(worker)
        self._worker = None
        self._pool.release(worker, usable=False)
        if again is None or not worth:
            raise error
        if not blameless:
            if self._tried:
                raise error
            self._tried = True
        return again

    def _hold(self, size: int) -> None:
        """A frame of so many bytes is going to be here, and what is made of it. Raises 53200."""
        if self._memory is not None and size != self._held:
            self._memory.add(2 * (size - self._held))
            self._held = size

    def _abandon(self) -> None:
        self._hold(0)
        self._pool.resting.pop(self, None)
        worker, self._worker = self._worker, None
        if worker is not None:
            self._pool.stop(worker)
        if self._parked is not None:
            self._parked.close()
            self._parked = None

    async def _finish(self) -> None:
        """After ERROR: DONE follows at once."""
        try:
            kind, body = await self._receive()
        except KalamError:
            return
        assert kind is WorkerFrame.DONE
        self._done(body)

    def _done(self, body: bytes) -> None:
        worker, self._worker = self._worker, None
        self._abandon()
        if worker is None:
            return  # It was given back when the last frame was parked.
        worker.held.difference_update(decode_done(body).dropped)
        self._pool.release(worker, usable=True)
