"""Rows of a tail by the value of a column whose values hardly repeat: an address, an id of somebody else's.

`storage.tail.value_index` takes some 150 bytes for each value, which is more than most rows take. Here a row
is 8 bytes: half of its value's hash and its place, in runs of sorted numbers. So rows are found that may have
the value, and which do is seen in the rows themselves; few are looked at, or it is not answered.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from storage.layout import Value
from storage.tail.value_index import Cut, Range

MATCHES_MAX: Final = 1000
"""Rows of a value, and of others with its hash, that a read looks at: more of them are not answered."""

RUN_MAX: Final = 1 << 16
"""Entries of a run: merging two of half that size takes some milliseconds, and so does no more."""

_RECENT_MAX: Final = 1024
"""Entries that are not in a run yet."""

Read = Callable[[Sequence[int], Sequence[int]], Sequence[Sequence[Value]]]
"""Gives the values of the columns at some positions, of the rows with some ordinals."""


class SparseIndex:
    """One index. equal, by, taken, usable, size_bytes: as of a `ValueIndex`."""

    __slots__ = ("_first", "_read", "_recent", "_runs", "by", "equal", "taken", "usable")

    def __init__(self, equal: int, by: int | None, first: int, read: Read) -> None:
        """An index without rows, of a tail whose rows begin with ordinal `first`."""
        self.equal = equal
        self.by = by
        self.taken = first
        self.usable = True
        self._first = first
        self._read = read
        self._runs: list[array[int]] = []
        self._recent: dict[int, list[int]] = {}  # By hash, of rows behind the runs.

    @property
    def size_bytes(self) -> int:
        """Memory in use, roughly."""
        return sum(8 * len(run) for run in self._runs) + 200 * len(self._recent)

    def take(
        self,
        values: Sequence[Value],
        keys: Sequence[Value] | None,
        gone: Sequence[bool] | None,
    ) -> None:
        """Take in the rows that follow. gone: which are tombstones, None: none is."""
        self._flush()
        if keys is not None and None in keys:
            dead = [False] * len(keys) if gone is None else gone
            self.usable = all(d for key, d in zip(keys, dead, strict=True) if key is None)
        start = self.taken - self._first
        entries = [
            _entry(value, place) for place, value in enumerate(values, start) if value is not None
        ]
        if gone is not None and any(gone):
            entries = [entry for entry in entries if not gone[(entry & _PLACE) - start]]
        self.taken += len(values)
        self._add_run(entries)

    def add(self, value: Value, key: Value, *, gone: bool) -> None:
        """Take in the next row."""
        place = self.taken - self._first
        self.taken += 1
        if gone:
            return
        if self.by is not None and key is None:
            self.usable = False
        if value is not None:
            self._recent.setdefault(hash(value) & _HASH, []).append(place)
            if len(self._recent) > _RECENT_MAX:
                self._flush()

    def count(self, value: Value) -> int:
        """How many rows may have the value, some of them replaced meanwhile."""
        hashed = hash(value) & _HASH
        found = len(self._recent.get(hashed, ()))
        low = hashed << 32
        return found + sum(
            bisect_left(run, low + _PLACE + 1) - bisect_left(run, low) for run in self._runs
        )

    def find(self, value: Value, wanted: Range, cut: Cut) -> Sequence[int]:
        """Ordinals of the rows with the value that a view sees, in the order asked for."""
        seen = [ordinal for ordinal in self._places(value) if cut.sees(ordinal)]
        if not seen or wanted.wanted <= 0:
            return ()
        by = self.by
        positions = (self.equal,) if by is None else (self.equal, by)
        rows = self._read(seen, positions)
        keyed = [
            (row[-1] if by is not None else ordinal, ordinal)
            for ordinal, row in zip(seen, rows, strict=True)
            if row[0] == value
        ]
        found = sorted([(key, ordinal) for key, ordinal in keyed if _within(key, wanted, by)])
        if wanted.descending:
            found.reverse()
        return [ordinal for _, ordinal in found[: wanted.wanted]]

    def key(self, ordinal: int) -> int:
        """A row's value of `by`."""
        assert self.by is not None
        ((key,),) = self._read((ordinal,), (self.by,))
        assert isinstance(key, int)
        return key

    def _places(self, value: Value) -> Iterator[int]:
        """Ordinals of the rows whose value has the same hash."""
        hashed, first = hash(value) & _HASH, self._first
        low = hashed << 32
        for run in self._runs:
            at = bisect_left(run, low)
            while at < len(run) and run[at] <= low + _PLACE:
                yield first + (run[at] & _PLACE)
                at += 1
        for place in self._recent.get(hashed, ()):
            yield first + place

    def _flush(self) -> None:
        recent, self._recent = self._recent, {}
        self._add_run([h << 32 | place for h, places in recent.items() for place in places])

    def _add_run(self, entries: list[int]) -> None:
        if not entries:
            return
        runs = self._runs
        runs.append(array("Q", sorted(entries)))
        while len(runs) > 1:
            older, newer = runs[-2], runs[-1]
            if len(older) >= 2 * len(newer) or len(older) + len(newer) > RUN_MAX:
                return
            runs[-2:] = [array("Q", sorted([*older, *newer]))]


_HASH: Final = (1 << 32) - 1
_PLACE: Final = (1 << 32) - 1


def _entry(value: Value, place: int) -> int:
    return (hash(value) & _HASH) << 32 | place


def _within(key: Value, wanted: Range, by: int | None) -> bool:
    if by is None:
        return True
    assert isinstance(key, int)
    return (wanted.low is None or wanted.low <= key) and (wanted.high is None or key < wanted.high)
