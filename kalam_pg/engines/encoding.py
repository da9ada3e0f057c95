"""Making DataRow messages of batches, slice by slice: the client reads one while the next is made."""

from collections.abc import Callable, Iterator

import pyarrow as pa

from kalam_pg.engines.request import WireChunk, WireResult
from kalam_pg.rows import arrow_to_values, encode_batch, encode_rows

ROWWISE_MAX = 90
"""Rows of a batch up to which encoding row by row is faster than column by column (230 µs)."""

FIRST_BYTES = 64 << 10
"""Size in Arrow of the first slice that is encoded; the client reads it while the next one is."""

SLICE_BYTES_MAX = 3 << 19
"""Most of a slice. Larger ones cost less a row, but the client waits for the last one meanwhile."""

_GROWTH = 6


def encoder(wire: WireResult) -> Callable[[pa.RecordBatch], WireChunk]:
    """What makes DataRow messages of a batch, whichever way is the faster."""
    types = wire.types

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
