"""Which keys of cold rows the log has replaced: what a scan must not take from the segments."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from storage.arrow import key_batch
from storage.layout import Layout, Row

_MANY_SPELLINGS = frozenset({"numeric", "interval", "trimmed"})
"""Kinds of which unlike stored values may be equal keys: 1.0 and 1.00, 1 day and 24 hours.

Not float: a merge takes 0 and -0 for one value.
"""


def has_spellings(layout: Layout) -> bool:
    """Whether one primary key of this layout can be written in several ways."""
    key = [layout.columns[position] for position in layout.key]
    return any(c.kind in _MANY_SPELLINGS and not pa.types.is_decimal(c.arrow) for c in key)


class Changes:
    """Updates and deletes in commit order: what they replaced, and that row's key.

    The keys superseded in cold are asked for again and again with the same `after`, so the answer
    for the last one grows by what was added.
    """

    def __init__(self) -> None:
        self._seqs: list[int] = []
        self._before: list[int] = []
        self._keys: list[Row] = []
        self._after = -1
        self._done = 0
        self._found: list[int] = []
        self._batch: pa.RecordBatch | None = None

    def __len__(self) -> int:
        return len(self._seqs)

    def add(self, seq: int, before: int, key: Row) -> None:
        """`before`: seq of the version replaced, 0 when the tail does not have it."""
        self._seqs.append(seq)
        self._before.append(before)
        self._keys.append(key)

    def since(self, base: int) -> "Changes":
        kept = Changes()
        for seq, before, key in zip(self._seqs, self._before, self._keys, strict=True):
            if seq > base:
                kept.add(seq, before, key)
        return kept

    def keys(self, after: int, upto: int, layout: Layout) -> pa.RecordBatch | None:
        """Keys whose first change in (after, upto] replaced a version at or below `after`."""
        self._begin(after)
        self._extend(layout, len(self._seqs))
        if self._batch is None:
            return None
        shown = bisect_right(self._found, upto)
        if not shown:
            return None
        return self._batch if shown == len(self._found) else self._batch.slice(0, shown)

    def prepare(self, after: int, layout: Layout, most: int) -> bool:
        """Do up to `most` changes' part of what `keys` does; whether that was all."""
        self._begin(after)
        if len(self._seqs) - self._done > most:
            self._extend(layout, self._done + most)
            return False
        return True

    def until_now(self) -> "Replaced":
        """The changes so far, for another thread."""
        return Replaced(self._seqs, self._before, self._keys, len(self._keys))

    def _begin(self, after: int) -> None:
        if after != self._after:
            self._after, self._done, self._found, self._batch = after, 0, [], None

    def _extend(self, layout: Layout, stop: int) -> None:
        keys: list[Row] = []
        for at in range(self._done, stop):
            if self._before[at] <= self._after < self._seqs[at]:
                self._found.append(self._seqs[at])
                keys.append(self._keys[at])
        self._done = stop
        if keys:
            more = key_batch(keys, layout)
            self._batch = more if self._batch is None else pa.concat_batches([self._batch, more])


@dataclass(frozen=True, slots=True)
class Replaced:
    """`Changes` as they were at one moment. Its lists only grow, so any thread may read that far."""

    seqs: list[int]
    before: list[int]
    keys: list[Row]
    count: int

    def superseded(self, after: int, upto: int) -> Iterator[tuple[int, Row]]:
        """(seq, key) of each first change in (after, upto] of a version at or below `after`."""
        first = bisect_right(self.seqs, after, hi=self.count)
        last = bisect_right(self.seqs, upto, hi=self.count)
        before = self.before
        for at in range(first, last):
            if before[at] <= after:
                yield self.seqs[at], self.keys[at]
