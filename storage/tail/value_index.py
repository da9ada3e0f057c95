"""Rows of a tail by the value of one column, in the order of another: the newest of a conversation.

An index is made when a read first asks for it, a chunk of the older rows at a time, and kept by
`add` from then on. It names rows by their *ordinals* (`storage.tail.tail`), all versions of them that
are no tombstones; which of these a view sees is asked of the tail when it is read.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from storage.layout import Value

_VALUE_BYTES = 150
"""Measured: a dict slot, an int as its key, an int as its value."""
_ARRAY_BYTES = 100

_SWEEP = 64
"""Dead rows that one read may pass before they are taken out of its way."""

VALUE_KINDS = frozenset({"bool", "int", "text", "uuid"})
"""Kinds whose equality is that of their stored form."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What a view sees of a tail: rows with first <= ordinal < end that did not die up to `upto`.

    deaths: ordinal to the seq that replaced it, as the tail has it now. whole: every row of the
    tail that is not in `deaths` is seen.
    """

    first: int
    end: int
    upto: int
    deaths: Mapping[int, int]
    whole: bool

    def sees(self, ordinal: int) -> bool:
        """Whether the view sees this row."""
        return self.first <= ordinal < self.end and not (
            0 < self.deaths.get(ordinal, 0) <= self.upto
        )


@dataclass(frozen=True, slots=True)
class Range:
    """Rows asked for: low <= key < high, None where there is no bound, at most `wanted`.

    descending: those with the greatest keys, greatest first; among equal keys the last written.
    """

    wanted: int
    low: int | None = None
    high: int | None = None
    descending: bool = True


class ValueIndex:
    """One index. equal: position of the column looked up; by: of the one that gives the order.

    by None: the order is that of the commits. taken: rows of lower ordinals are in it. usable: not
    once `by` had a NULL, which has no place in the order.
    """

    __slots__ = (
        "_first",
        "_keys",
        "_ordinals",
        "_swept",
        "by",
        "equal",
        "size_bytes",
        "taken",
        "usable",
    )

    def __init__(self, equal: int, by: int | None, first: int) -> None:
        """An index without rows, of a tail whose rows begin with ordinal `first`."""
        self.equal = equal
        self.by = by
        self.taken = first
        self.usable = True
        self.size_bytes = 0
        self._first = first
        self._keys = array("q")  # Of every row, so that a bisection needs no batch.
        # A value of one row, which may be each of many, has no array.
        self._ordinals: dict[Value, int | array[int]] = {}
        self._swept: dict[Value, array[int]] = {}

    def take(
        self,
        values: Sequence[Value],
        keys: Sequence[Value] | None,
        gone: Sequence[bool] | None,
    ) -> None:
        """Take in the rows that follow. gone: which are tombstones, None: none is."""
        if gone is not None:
            values = [None if dead else value for value, dead in zip(values, gone, strict=True)]
        if keys is not None:
            if None in keys:
                alive = (
                    keys if gone is None else [k for k, d in zip(keys, gone, strict=True) if not d]
                )
                self.usable = self.usable and None not in alive
                keys = [0 if key is None else key for key in keys]
            self._keys.extend(keys)  # type: ignore[arg-type]
            self.size_bytes += 8 * len(keys)
        get, in_order = self._ordinals.get, self._in_order
        for ordinal, value in enumerate(values, self.taken):
            found = get(value)
            if found.__class__ is array and in_order(found, ordinal):
                found.append(ordinal)
            elif value is not None:
                self._place(value, ordinal)
        self.taken += len(values)
        self.size_bytes += 8 * len(values)

    def add(self, value: Value, key: Value, *, gone: bool) -> None:
        """Take in the next row."""
        ordinal = self.taken
        self.taken = ordinal + 1
        self.size_bytes += 16
        if self.by is not None:
            if key.__class__ is not int:
                self.usable = self.usable and gone
                key = 0
            self._keys.append(key)
        if not gone and value is not None:
            self._place(value, ordinal)

    def _place(self, value: Value, ordinal: int) -> None:
        found = self._ordinals.get(value)
        if found is None:
            self._ordinals[value] = ordinal
            self.size_bytes += _VALUE_BYTES + (len(value) if isinstance(value, str) else 0)
            return
        if isinstance(found, int):
            found = self._ordinals[value] = array("q", (found,))
            self.size_bytes += _ARRAY_BYTES
        if self._in_order(found, ordinal):
            found.append(ordinal)
        else:
            found.insert(bisect_right(found, self.key(ordinal), key=self.key), ordinal)

    def _in_order(self, found: "array[int]", ordinal: int) -> bool:
        """Whether a row comes behind all of these."""
        if self.by is None or not found:
            return True
        first, keys = self._first, self._keys
        return keys[found[-1] - first] <= keys[ordinal - first]

    @property
    def values(self) -> int:
        """How many values there are."""
        return len(self._ordinals)

    def count(self, value: Value) -> int:
        """How many rows have the value, some of them replaced meanwhile."""
        found = self._ordinals.get(value)
        if found is None:
            return 0
        return 1 if isinstance(found, int) else len(found)

    def find(self, value: Value, wanted: Range, cut: Cut) -> Sequence[int]:
        """Ordinals of the rows with the value that a view sees, in the order asked for."""
        found = self._ordinals.get(value)
        if found is None:
            return ()
        rows = array("q", (found,)) if isinstance(found, int) else found
        if self._swept and not cut.whole:
            rows = self._unswept(value, rows, cut)
        start, stop = 0, len(rows)
        if wanted.high is not None:
            stop = bisect_left(rows, wanted.high, key=self.key)
        if wanted.low is not None:
            start = bisect_left(rows, wanted.low, key=self.key)
        if start >= stop or wanted.wanted <= 0:
            return ()
        if cut.whole:
            if wanted.descending:
                part = rows[max(start, stop - wanted.wanted) : stop]
                part.reverse()
            else:
                part = rows[start : min(stop, start + wanted.wanted)]
            deaths = cut.deaths
            if not deaths or deaths.keys().isdisjoint(part):
                return part
        return self._walk(value, rows, range(start, stop), wanted, cut)

    def _walk(
        self, value: Value, rows: "array[int]", within: range, wanted: Range, cut: Cut
    ) -> list[int]:
        """Row by row, since some are not seen."""
        found: list[int] = []
        passed = -1
        ordinals: Iterable[int] = reversed(within) if wanted.descending else within
        deaths, dead = cut.deaths, 0
        for at in ordinals:
            ordinal = rows[at]
            dead += ordinal in deaths
            if cut.sees(ordinal):
                found.append(ordinal)
            passed = at
            if len(found) == wanted.wanted:
                break
        if dead > _SWEEP and rows is self._ordinals[value]:
            walked = (
                range(passed, within.stop) if wanted.descending else range(within.start, passed + 1)
            )
            self._sweep(value, rows, walked, deaths)
        return found

    def _sweep(
        self, value: Value, rows: "array[int]", within: range, deaths: Mapping[int, int]
    ) -> None:
        """Take the dead out of a part of the rows, so that the next read does not pass them."""
        part = rows[within.start : within.stop]
        rows[within.start : within.stop] = array("q", [o for o in part if o not in deaths])
        swept = self._swept.setdefault(value, array("q"))
        swept.extend([o for o in part if o in deaths])

    def _unswept(self, value: Value, rows: "array[int]", cut: Cut) -> "array[int]":
        """With the rows that were swept but lived at the view's time."""
        alive = [o for o in self._swept.get(value, ()) if cut.sees(o)]
        if not alive:
            return rows
        alive += rows
        if self.by is None:
            return array("q", sorted(alive))
        return array("q", sorted(alive, key=lambda ordinal: (self.key(ordinal), ordinal)))

    def key(self, ordinal: int) -> int:
        """A row's value of `by`."""
        return self._keys[ordinal - self._first]
