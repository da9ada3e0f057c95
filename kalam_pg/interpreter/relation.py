"""Rows that are all there: as tuples, or column by column where nothing needs a whole row."""

from collections.abc import Collection, Sequence
from itertools import repeat

from storage.layout import Row, Value
from storage.tail.live_rows import LiveRows


class Relation:
    """Rows in their order."""

    __slots__ = ("_columns", "_rows")

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows: Sequence[Row] | None = rows
        self._columns: dict[int, Sequence[Value]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def rows(self) -> Sequence[Row]:
        """All of them."""
        assert self._rows is not None
        return self._rows

    def column(self, at: int) -> Sequence[Value]:
        """The values of one column."""
        found = self._columns.get(at)
        if found is None:
            found = self._columns[at] = [row[at] for row in self.rows]
        return found

    def is_full(self, at: int) -> bool:
        """Whether it is known that no value of a column is NULL."""
        return False


class StoredRows(Relation):
    """The rows of a table: its columns, then `_seq` and `_deleted`.

    Of the columns only those that were named have values; that is what makes many rows quick to read.
    """

    __slots__ = ("_live", "_own", "_used", "_width")

    def __init__(self, live: LiveRows, own: int, width: int, used: Collection[int]) -> None:
        """own: how many columns the table has, `width` its rows here. used: which are read."""
        super().__init__(())
        self._rows = None if live.batches or width > own else live.rows
        self._live = live
        self._own = own
        self._width = width
        self._used = used

    def __len__(self) -> int:
        return len(self._live)

    @property
    def rows(self) -> Sequence[Row]:
        rows = self._rows
        if rows is None:
            columns = [
                self.column(at) if at in self._used else repeat(None, len(self))
                for at in range(self._width)
            ]
            rows = self._rows = list(zip(*columns, strict=True))
        return rows

    def column(self, at: int) -> Sequence[Value]:
        found = self._columns.get(at)
        if found is None:
            live, own = self._live, self._own
            if at == own:
                found = live.seqs()
            elif at > own:
                found = [False] * len(self)
            else:
                found = live.column(at)
            self._columns[at] = found
        return found

    def is_full(self, at: int) -> bool:
        return at >= self._own or self._live.is_full(at)


class Columns(Relation):
    """Rows that come column by column; those that nobody reads are not there."""

    __slots__ = ("_count", "_width")

    def __init__(self, columns: dict[int, Sequence[Value]], width: int, count: int) -> None:
        """width: how many columns its rows have here, with those that are not there."""
        super().__init__(())
        self._rows = None
        self._columns = columns
        self._width = width
        self._count = count

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> Sequence[Row]:
        rows = self._rows
        if rows is None:
            columns = [
                self._columns.get(at) or repeat(None, self._count) for at in range(self._width)
            ]
            rows = self._rows = list(zip(*columns, strict=True)) if columns else [()] * self._count
        return rows

    def is_full(self, at: int) -> bool:
        column = self._columns.get(at)
        return column is not None and None not in column
