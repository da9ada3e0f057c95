"""The indexes of one tail: made when a read asks for one, dropped when they would take too much."""

from collections.abc import Callable, Sequence

from storage.layout import Layout, Row, Value
from storage.tail.sparse_index import Read, SparseIndex
from storage.tail.value_index import VALUE_KINDS, ValueIndex

TailIndex = ValueIndex | SparseIndex

_INDEXES_MAX = 8
_BYTES_FREE = 1 << 20
"""Indexes may take as much memory as the tail's rows, and this."""

Columns = tuple[Sequence[Sequence[Value]], Sequence[bool] | None]
"""Values of some rows by column, and which rows are tombstones (None: none is)."""


class Indexes:
    """Indexes by (column looked up, column that gives the order or None)."""

    def __init__(
        self,
        layout: Layout,
        columns: Callable[[int, int, Sequence[int]], Columns],
        read: Read,
        chunk: int,
        sparse: int,
    ) -> None:
        """columns: reads (first ordinal, most rows, positions). chunk: rows that one `find` may read.

        sparse: after so many rows whose values hardly repeat an index is made the sparse way.
        """
        self._layout = layout
        self._columns = columns
        self._read = read
        self._chunk = chunk
        self._sparse = sparse
        self._made: dict[tuple[int, int | None], TailIndex | None] = {}  # None: not made again.

    def __bool__(self) -> bool:
        return bool(self._made)

    @property
    def size_bytes(self) -> int:
        """Memory in use, roughly."""
        return sum(index.size_bytes for index in self._made.values() if index is not None)

    def find(
        self, equal: int, by: int | None, first: int, end: int, rows_bytes: int
    ) -> TailIndex | None:
        """The index of column `equal` in the order of column `by`, of the rows first <= ordinal < end.

        None while it is being made, at each call with a chunk more of the rows. And for ever when it
        would be too large, when the order's column has a NULL, and for kinds of columns that it does
        not know. rows_bytes: memory of the rows.
        """
        key = (equal, by)
        index = self._made.get(key)
        if index is None:
            if key in self._made or len(self._made) >= _INDEXES_MAX or not self._fits(equal, by):
                return None
            index = self._made[key] = ValueIndex(equal, by, first)
            if not self._sparse:
                index = self._made[key] = SparseIndex(equal, by, first, self._read)
        if index.taken < end:
            self._take(index, end)
            if self._hardly_repeats(index, first):
                index = self._made[key] = SparseIndex(equal, by, first, self._read)
            self.limit(rows_bytes)
        if not index.usable:
            self._made[key] = None
        return index if index.taken == end and self._made[key] is index else None

    def is_coming(self, equal: int, by: int | None, end: int) -> bool:
        """Whether `find` gives an index when it has been asked often enough."""
        index = self._made.get((equal, by))
        return index is not None and index.taken < end

    def add(self, ordinal: int, row: Row, *, gone: bool) -> None:
        """A row was written."""
        for index in self._made.values():
            if index is not None and index.taken == ordinal:
                by = index.by
                index.add(row[index.equal], None if by is None else row[by], gone=gone)

    def limit(self, rows_bytes: int) -> None:
        """Let go of the largest while they take too much."""
        while self.size_bytes > rows_bytes + _BYTES_FREE:
            sizes = {
                key: index.size_bytes for key, index in self._made.items() if index is not None
            }
            self._made[max(sizes, key=sizes.__getitem__)] = None

    def clear(self) -> None:
        """Rows have gone: those that are asked for again are made anew."""
        self._made.clear()

    def _fits(self, equal: int, by: int | None) -> bool:
        columns = self._layout.columns
        return columns[equal].kind in VALUE_KINDS and (by is None or columns[by].kind == "int")

    def _hardly_repeats(self, index: TailIndex, first: int) -> bool:
        """Whether an index by value would take more memory than its rows."""
        rows = index.taken - first
        return isinstance(index, ValueIndex) and rows >= self._sparse and 2 * index.values > rows

    def _take(self, index: TailIndex, end: int) -> None:
        most, by = min(end, index.taken + self._chunk), index.by
        positions = (index.equal,) if by is None else (index.equal, by)
        while index.taken < most:
            values, gone = self._columns(index.taken, most - index.taken, positions)
            index.take(values[0], None if by is None else values[1], gone)
