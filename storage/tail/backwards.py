"""Reading a batch of versions newest first, where no index says which rows are wanted."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import DELETED, to_array, to_rows
from storage.layout import Layout, Row, Value
from storage.tail.versions import VersionBatch

Equals = Sequence[tuple[int, Value]]
"""(position, value) pairs that rows must have."""


_DECODED_BYTES = 1 << 20
"""About so much of a batch is decoded at a time, at most."""


def newest_kept(
    seqs: Sequence[int],
    rows: Sequence[Row],
    gone: Sequence[bool],
    deaths: Mapping[int, int],
    within: tuple[int, int, int],
    equals: Equals,
) -> Iterator[tuple[int, Row]]:
    """(seq, row) of those live rows that are kept as tuples, newest first.

    within: the ordinal of the first, after < seq <= upto. deaths: by ordinal.
    """
    first, after, upto = within
    at = bisect_right(seqs, upto)
    while at:
        at -= 1
        seq = seqs[at]
        if seq <= after:
            return
        row = rows[at]
        for position, value in equals:
            if row[position] != value:
                break
        else:
            if not gone[at] and not 0 < deaths.get(first + at, 0) <= upto:
                yield seq, row


def newest_of(
    batch: VersionBatch,
    layout: Layout,
    deaths: Mapping[int, int],
    within: tuple[int, int, int],
    equals: Equals,
    rows_max: int,
) -> Iterator[tuple[int, Row]]:
    """(seq, row) of a batch's live rows, newest first, so many decoded at a time at most.

    within: rows below this ordinal, after < seq <= upto. deaths: by ordinal.
    """
    end, after, upto = within
    low = bisect_right(batch.seqs, after)
    high = min(end - batch.first, bisect_right(batch.seqs, upto))
    if low >= high:
        return
    record = batch.batch.slice(low, high - low)
    chunk = min(rows_max, 1 + _DECODED_BYTES // batch.row_bytes)
    wanted = _matching(record, layout, equals)
    left = len(wanted) if wanted is not None else high - low
    while left > 0:
        start = max(0, left - chunk)
        if wanted is None:
            at: Sequence[int] = range(start, left)
            part = record.slice(start, left - start)
        else:
            picks = wanted.slice(start, left - start)
            at, part = picks.to_pylist(), record.take(picks)
        gone = part.column(DELETED).to_pylist() if batch.tombstones else None
        rows = to_rows(part, layout)
        for number in range(len(rows) - 1, -1, -1):
            if gone is not None and gone[number]:
                continue
            ordinal = batch.first + low + at[number]
            if not 0 < deaths.get(ordinal, 0) <= upto:
                yield batch.seqs[low + at[number]], rows[number]
        left = start


def _matching(record: pa.RecordBatch, layout: Layout, equals: Equals) -> pa.UInt64Array | None:
    """Positions of the rows that have all the values, None for every row."""
    mask = None
    for position, value in equals:
        kind = layout.columns[position].arrow
        same = pc.equal(record.column(position), to_array([value], kind)[0])
        mask = same if mask is None else pc.and_(mask, same)
    return None if mask is None else pc.indices_nonzero(mask)
