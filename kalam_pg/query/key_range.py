"""Rows of one table along its primary key: from one value to another, the first N of them.

A page by ids, yesterday's rows, what is older than a month. The log's index has the keys in order, so this
costs what is found, and nothing for all the rows beside. Only where all rows are in memory or in the log.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from kalam_pg.interpreter.sorting import sort_rows
from kalam_pg.query.indexed import MISSES_MAX, ROWS_MAX, Indexed, Wanted
from storage.answers import ColdNeeded
from storage.keys import encode_key
from storage.layout import Row
from storage.log.retained import is_whole
from storage.log.view import View
from storage.tablet import Tablet
from storage.tail.value_index import Range

_INT_LEAST, _INT_MOST = -(1 << 63), (1 << 63) - 1
_CHUNK_MAX: Final = 256
"""Keys that are looked up at a time."""

_BEHIND_ALL: Final = b"\x02"
"""Behind every key that begins with an int which is not NULL, and none in a primary key is."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """How a query is answered along its table's key, whose first column is stored as an int.

    how: what the WHERE says of that column, and whether its order is what the ORDER BY asks for.
    """

    how: Indexed

    def rows(self, tablet: Tablet, view: View, wanted: Wanted) -> Sequence[Row] | None:
        """Rows with their system columns, in order, at least the first `wanted.end` if there are so many.

        None when they would be too many, too many would be looked at in vain, one is large, or some are in
        segments alone.
        """
        if tablet.manifest_at(view.seq).segments and not is_whole(view, tablet.id):
            return None
        how = self.how
        within = how.range(ROWS_MAX + 1, wanted.context)
        if within is None:
            return ()
        end = wanted.end if how.ordered else None
        if end == 0 or not _is_any(within):
            return ()
        keys: Iterable[bytes] = _keys(tablet, view, within)
        if end is None or end > ROWS_MAX:
            # Told by the keys alone, before any row is read.
            keys = list(islice(keys, ROWS_MAX + 1))
            if len(keys) > ROWS_MAX:
                return None
        rows = _found(tablet, view, keys, wanted, ROWS_MAX if end is None else end)
        if rows is None or how.ordered:
            return rows
        return sort_rows(rows, wanted.order, wanted.context)


def _is_any(within: Range) -> bool:
    """Whether an int may lie in a range, from `low` on to before `high`."""
    low = _INT_LEAST if within.low is None else within.low
    high = _INT_MOST + 1 if within.high is None else within.high
    return low < high and low <= _INT_MOST and high > _INT_LEAST


def _keys(tablet: Tablet, view: View, within: Range) -> Iterator[bytes]:
    """The keys of a range in their order, those of deleted rows too."""
    low, high = within.low, within.high
    first = None if low is None else encode_key((low,), ("int",))
    behind = _BEHIND_ALL if high is None or high > _INT_MOST else encode_key((high,), ("int",))
    return view.keys(tablet.id, first, behind, reverse=within.descending)


def _found(
    tablet: Tablet, view: View, keys: Iterable[bytes], wanted: Wanted, most: int
) -> list[Row] | None:
    """The first rows of these keys that pass the WHERE. None: one is large, or too many were in vain."""
    where, context = wanted.where, wanted.context
    rows: list[Row] = []
    misses = 0
    left, size = iter(keys), min(most, _CHUNK_MAX)
    while chunk := list(islice(left, size)):
        size = min(2 * size, _CHUNK_MAX)
        for version in tablet.get_all(view, chunk):
            if isinstance(version, ColdNeeded):
                return None  # It is there, and too large to be read here.
            if version is not None:
                row = (*version.row, version.seq, False)
                if where is None or where(row, context) is True:
                    rows.append(row)
                    if len(rows) == most:
                        return rows
                    continue
            misses += 1  # No file is needed to know: the log has the newest version of every key.
            if misses > MISSES_MAX:
                return None
    return rows
