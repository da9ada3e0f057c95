"""Rows that are all there: as tuples, or column by column where nothing needs a whole row."""

from collections.abc import Collection, Sequence
from itertools import repeat
from operator import itemgetter

import pyarrow as pa

from storage.layout import Row, Value
from storage.tail.live_rows import NUMBERS, LiveRows, Numbers


class Relation:
    """Rows in their order."""

    __slots__ = ("_columns", "_rows")

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows: Sequence[Row] | None = rows
        self._columns: dict[int, Sequence[Value]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def has_rows(self) -> bool:
        """Whether they are there as tuples already."""
        return self._rows is not None

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

    def numbers(self, at: int, kind: Numbers) -> pa.Array:
        """One column of numbers, NULLs included."""
        return pa.array(self.column(at), NUMBERS[kind])

    def taken(self, places: Sequence[int]) -> "Relation":
        """The rows at these places, in their order."""
        rows = self.rows
        return Relation([rows[at] for at in places])

    def picked(self, slots: Sequence[int]) -> Sequence[Row]:
        """Rows of these columns, of which there is at least one."""
        if len(slots) == 1:
            return [(value,) for value in self.column(slots[0])]
        return list(map(itemgetter(*slots), self.rows))


class StoredRows(Relation):
    """The rows of a table: its columns, then `_seq` and `_deleted`.

    Of the columns only those that were named have values; that is what makes many rows quick to read.
    """

    __slots__ = ("_full", "_live", "_own", "_used", "_width")

    def __init__(
        self,
        live: LiveRows,
        own: int,
        width: int,
        used: Collection[int],
        full: Collection[int] = (),
    ) -> None:
        """own: how many columns the table has, `width` its rows here. used: those read. full: NOT NULL."""
        super().__init__(())
        self._rows = None if live.batches or width > own else live.rows
        self._live = live
        self._own = own
        self._width = width
        self._used = used
        self._full = full

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

    def numbers(self, at: int, kind: Numbers) -> pa.Array:
        found = self._live.numbers(at, kind) if at < self._own else None
        return super().numbers(at, kind) if found is None else found

    def is_full(self, at: int) -> bool:
        return at >= self._own or at in self._full or None not in self.column(at)

    def taken(self, places: Sequence[int]) -> Relation:
        if self._rows is not None:
            return super().taken(places)
        columns: dict[int, Sequence[Value]] = {}
        for at in self._used:
            column = self.column(at)
            columns[at] = [column[place] for place in places]
        return Columns(columns, self._width, len(places))

    def picked(self, slots: Sequence[int]) -> Sequence[Row]:
        if self._rows is not None:
            return super().picked(slots)
        return list(zip(*[self.column(at) for at in slots], strict=True))


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

    def taken(self, places: Sequence[int]) -> Relation:
        columns: dict[int, Sequence[Value]] = {}
        for at, column in self._columns.items():
            columns[at] = [column[place] for place in places]
        return Columns(columns, self._width, len(places))

    def picked(self, slots: Sequence[int]) -> Sequence[Row]:
        return list(zip(*[self.column(at) for at in slots], strict=True))


class Joined(Relation):
    """Rows of two relations put together, as the places of both: a column is made when it is read.

    No left row is missing; of the right one -1 is a row of NULLs. Places that are a range are of all rows.
    """

    __slots__ = ("_left", "_outer", "_places", "_right", "_split", "_width")

    def __init__(
        self,
        left: Relation,
        right: Relation,
        places: tuple[Sequence[int], Sequence[int]],
        widths: tuple[int, int],
        *,
        outer: bool = True,
    ) -> None:
        """places, widths: of the left and of the right side. outer: of the right one -1 may be among them."""
        super().__init__(())
        self._outer = outer
        self._rows = None
        self._left = left
        self._right = right
        self._places = places
        self._split, self._width = widths[0], sum(widths)

    def __len__(self) -> int:
        return len(self._places[0])

    @property
    def rows(self) -> Sequence[Row]:
        rows = self._rows
        if rows is None:
            mine, theirs = self._left.rows, self._right.rows
            theirs = [*theirs, (None,) * (self._width - self._split)]  # Which is at -1, too.
            rows = self._rows = [
                mine[at] + theirs[other] for at, other in zip(*self._places, strict=True)
            ]
        return rows

    def column(self, at: int) -> Sequence[Value]:
        found = self._columns.get(at)
        if found is None:
            if at < self._split:
                column = self._left.column(at)
                whole = isinstance(self._places[0], range)  # Each row once, in their order.
                found = column if whole else [column[place] for place in self._places[0]]
            else:
                column = self._right.column(at - self._split)
                column = [*column, None] if self._outer else column
                found = [column[place] for place in self._places[1]]
            self._columns[at] = found
        return found

    def is_full(self, at: int) -> bool:
        if at < self._split:
            known = self._left.is_full(at)
        else:
            known = not self._outer and self._right.is_full(at - self._split)
        return known or None not in self.column(at)

    def taken(self, places: Sequence[int]) -> Relation:
        mine, theirs = self._places
        kept = [mine[at] for at in places], [theirs[at] for at in places]
        widths = self._split, self._width - self._split
        return Joined(self._left, self._right, kept, widths, outer=self._outer)

    def picked(self, slots: Sequence[int]) -> Sequence[Row]:
        return list(zip(*[self.column(at) for at in slots], strict=True))
