"""Immutable batches of row versions, and which of their rows have been replaced since.

A batch is never changed; what changes is which of its rows live, and a batch without dead rows is
handed out as it is.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import DELETED, SEQ, to_values
from storage.layout import Row, Value
from storage.shaped import alike
from storage.tail.sizes import Sizes

BatchWithId = tuple[int, pa.RecordBatch]

_LARGE_BYTES = 1 << 20
"""To leave out rows of a larger batch takes half a millisecond and more."""

_IDS = count(1)  # Unique for the life of the process, so that a worker may keep a batch by its id.


@dataclass(slots=True, eq=False)
class VersionBatch:
    """An immutable batch and which of its rows died when.

    first: ordinal of its first row. seqs: its `_seq` column. dead_at, dead: rows replaced since
    (position), with the replacing version's seq, in the order of those.
    """

    first: int
    id: int
    batch: pa.RecordBatch
    seqs: "memoryview[int]"
    tombstones: bool
    dead: list[int] = field(default_factory=list)
    dead_at: list[int] = field(default_factory=list)
    _cut: tuple[int, int, int] = (-1, -1, -1)
    _cut_result: BatchWithId | None = None
    _views: "dict[int, memoryview[int] | memoryview[float] | None]" = field(default_factory=dict)

    @property
    def row_bytes(self) -> int:
        """What a row of it takes, about; at least 1."""
        size, rows = int(self.batch.nbytes), int(self.batch.num_rows)
        return max(1, size // max(1, rows))

    def live(self, after: int, upto: int) -> BatchWithId | None:
        """The live rows with after < seq <= upto as a view at `upto` sees them, None when none."""
        rows = self.batch.num_rows
        low = 0 if self.seqs[0] > after else bisect_right(self.seqs, after)
        high = rows if self.seqs[-1] <= upto else bisect_right(self.seqs, upto)
        if low >= high:
            return None
        deaths = len(self.dead)
        if deaths and self.dead_at[-1] > upto:
            deaths = bisect_right(self.dead_at, upto)
        if not deaths and not self.tombstones and low == 0 and high == rows:
            return self.id, self.batch
        if self._cut != (low, high, deaths):
            self._cut_result = self._filtered(low, high, self.dead[:deaths])
            self._cut = (low, high, deaths)
        return self._cut_result

    def prepare(self, after: int, upto: int) -> bool:
        """Do what `live` needs to be quick, if the batch is large; whether there was anything to do."""
        before = self._cut
        if self.batch.nbytes < _LARGE_BYTES or self.live(after, upto) is None:
            return False
        return self._cut != before

    def count(self, after: int, upto: int) -> int:
        """How many rows `live` gives; where nothing was deleted nobody looks at them."""
        if self.tombstones:
            found = self.live(after, upto)
            return 0 if found is None else int(found[1].num_rows)
        low = 0 if self.seqs[0] > after else bisect_right(self.seqs, after)
        high = self.batch.num_rows if self.seqs[-1] <= upto else bisect_right(self.seqs, upto)
        if low >= high:
            return 0
        dead = self.dead
        if dead and self.dead_at[-1] > upto:
            dead = dead[: bisect_right(self.dead_at, upto)]
        if low or high < self.batch.num_rows:
            dead = [at for at in dead if low <= at < high]
        return high - low - len(dead)

    def take(self, at: Sequence[int], positions: Sequence[int]) -> Iterator[tuple[int, Row]]:
        """(seq, values of the columns at `positions`) of the rows at `at`."""
        indices: pa.Array | None = None
        columns: list[Sequence[Value]] = []
        for position in positions:
            if position not in self._views:
                self._views[position] = _view(self.batch.column(position))
            view = self._views[position]
            if view is not None:
                columns.append([view[row] for row in at])
            else:
                indices = pa.array(at, pa.int64()) if indices is None else indices
                columns.append(to_values(self.batch.column(position).take(indices)))
        seqs = self.seqs
        return zip([seqs[row] for row in at], zip(*columns, strict=True), strict=True)

    def _filtered(self, low: int, high: int, dead: list[int]) -> BatchWithId | None:
        alive = self._newest_mask(low, high, dead)
        if self.tombstones:
            alive = pc.and_not(alive, self.batch.column(DELETED))
        batch = self.batch.filter(alive)
        return (next(_IDS), batch) if batch.num_rows else None

    def _newest_mask(self, low: int, high: int, dead: list[int]) -> pa.BooleanArray:
        mask = bytearray(self.batch.num_rows)
        mask[low:high] = b"\x01" * (high - low)
        for position in dead:
            mask[position] = 0
        flags = pa.Array.from_buffers(pa.uint8(), len(mask), [None, pa.py_buffer(mask)])
        return flags.cast(pa.bool_())

    def newest(self, after: int, upto: int) -> pa.RecordBatch | None:
        """Newest versions with after < seq <= upto, tombstones included: what a flush writes."""
        low = bisect_right(self.seqs, after)
        high = bisect_right(self.seqs, upto)
        dead = self.dead[: bisect_right(self.dead_at, upto)]
        if low >= high:
            return None
        if not dead:
            return self.batch.slice(low, high - low)
        return self.batch.filter(self._newest_mask(low, high, dead))


def make_batch(
    first: int, record: pa.RecordBatch, dead: Sequence[tuple[int, int]], *, tombstones: bool
) -> VersionBatch:
    """A batch with a new id. dead: (seq of the replacing version, position), in any order."""
    seqs = _int64s(record.column(SEQ))
    batch = VersionBatch(first, next(_IDS), record, seqs, tombstones)
    for seq, position in sorted(dead):
        batch.dead.append(position)
        batch.dead_at.append(seq)
    return batch


def dead_among(deaths: Mapping[int, int], first: int, rows: int) -> list[tuple[int, int]]:
    """(seq of the replacing version, position) of the dead among `rows` rows from ordinal `first` on."""
    if not deaths:
        return []
    ordinals = range(first, first + rows)
    return [(seq, ordinal - first) for ordinal in ordinals if (seq := deaths.get(ordinal, 0))]


def coalesce(batches: list[VersionBatch], sizes: Sizes) -> None:
    """Merge the last two as long as their sizes are alike: each row is copied once per doubling."""
    while len(batches) > 1:
        left, right = batches[-2], batches[-1]
        rows = left.batch.num_rows, right.batch.num_rows
        if rows[0] >= 2 * rows[1] or sum(rows) > sizes.batch:
            return
        if left.batch.nbytes + right.batch.nbytes > sizes.batch_bytes:
            return
        dead = list(zip(left.dead_at, left.dead, strict=True))
        dead += [(s, at + rows[0]) for s, at in zip(right.dead_at, right.dead, strict=True)]
        record = pa.concat_batches(alike([left.batch, right.batch]))
        batches[-2:] = [
            make_batch(left.first, record, dead, tombstones=left.tombstones or right.tombstones)
        ]


def _int64s(column: pa.Int64Array) -> "memoryview[int]":
    """The values of a column without nulls, where they lie: bisection needs no copy."""
    return _lying(column, "q")


def _view(column: pa.Array) -> "memoryview[int] | memoryview[float] | None":
    """The stored values of a column where they lie, None when they cannot be read so."""
    kind = column.type
    if column.null_count:
        return None
    if pa.types.is_int64(kind) or pa.types.is_timestamp(kind) or pa.types.is_time64(kind):
        return _lying(column, "q")
    if pa.types.is_int32(kind) or pa.types.is_date32(kind):
        return _lying(column, "i")
    return _lying(column, "d") if pa.types.is_float64(kind) else None


def _lying(column: pa.Array, code: Literal["q", "i", "d"]) -> "memoryview[Any]":
    values = memoryview(column.buffers()[1]).cast("b").cast(code)
    return values[column.offset : column.offset + len(column)]
