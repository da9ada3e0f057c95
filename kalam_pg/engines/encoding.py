"""Making DataRow messages of batches, several at a time where there are processors for it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from threading import Barrier

import pyarrow as pa

from catalog.types.registry import by_oid
from kalam_pg.engines.request import WireChunk, WireResult
from kalam_pg.rows import arrow_to_values, encode_batch, encode_rows

ROWWISE_MAX = 90
"""Rows of a batch up to which encoding row by row is faster than column by column (230 µs)."""

FIRST_BYTES = 64 << 10
"""Size in Arrow of the first slice that is encoded; the client reads it while the next one is."""

SLICE_BYTES_MAX = 3 << 19
"""Most of a slice. Larger ones cost less a row, but the client waits for the last one meanwhile."""

_GROWTH = 4

Job = Callable[[], WireChunk]


def encoder(wire: WireResult) -> Callable[[pa.RecordBatch], WireChunk]:
    """What makes DataRow messages of a batch, whichever way is the faster."""
    types = [by_oid(oid) for oid in wire.type_oids]

    def encode(batch: pa.RecordBatch) -> WireChunk:
        count = batch.num_rows
        if count > ROWWISE_MAX or not types:
            return WireChunk(encode_batch(batch, wire), count)
        columns = [arrow_to_values(c, of) for c, of in zip(batch.columns, types, strict=True)]
        rows = zip(*columns, strict=True)
        data = encode_rows(rows, types, wire.typmods, wire.formats, wire.context)
        return WireChunk(data, count)

    return encode


def slices(rows: int, size: int, limit: int) -> Iterator[tuple[int, int]]:
    """(first row, number of rows) of slices of a batch of `rows` rows and `size` bytes, which grow from
    `limit` bytes.
    """
    start, bytes_per_row = 0, max(1, size // max(1, rows))
    while start < rows:
        count = min(rows - start, max(1, limit // bytes_per_row))
        yield start, count
        start += count
        limit = grown(limit)


def grown(limit: int) -> int:
    """The size of the slice after one of `limit` bytes."""
    return min(limit * _GROWTH, SLICE_BYTES_MAX)


class Encoders:
    """Threads that encode; Arrow's kernels let them run side by side. `count` 1 is none but ours."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads: Executor | None = None
        if count > 1:
            self._threads = ThreadPoolExecutor(count, "encode")
            # All at once: their stacks belong to what an idle worker takes, not to a query.
            started = Barrier(count + 1)
            for _ in range(count):
                self._threads.submit(started.wait)
            started.wait()

    def close(self) -> None:
        """End the threads, when what they do now is done."""
        if self._threads is not None:
            self._threads.shutdown()

    def run(self, jobs: Iterable[Job | WireChunk]) -> Iterator[WireChunk]:
        """The chunks of `jobs`, some of which are there already, in order; a few are made ahead.

        The first one is not kept waiting for others.
        """
        waiting: deque[Future[WireChunk] | WireChunk] = deque()
        threads, is_first = self._threads, True
        try:
            for job in jobs:
                if isinstance(job, WireChunk):
                    waiting.append(job)
                elif threads is None or is_first:
                    waiting.append(job())
                else:
                    waiting.append(threads.submit(job))
                is_first = False
                while waiting and (len(waiting) > self._count or _is_done(waiting[0])):
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        finally:
            for chunk in waiting:
                if isinstance(chunk, Future):
                    chunk.cancel()


def _is_done(chunk: Future[WireChunk] | WireChunk) -> bool:
    return isinstance(chunk, WireChunk) or chunk.done()


def _result(chunk: Future[WireChunk] | WireChunk) -> WireChunk:
    return chunk if isinstance(chunk, WireChunk) else chunk.result()
