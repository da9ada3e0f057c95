"""A tablet's live rows in memory, all of them, as one view sees them."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

import pyarrow as pa

from storage.arrow import SEQ, to_values
from storage.layout import Row, Value
from storage.tail.encodings import Encodings

Numbers = Literal["q", "d"]
"""Columns of integers and of floating point, by the letters that the C library's and Python's arrays have."""

NUMBERS: Final[dict[Numbers, pa.DataType]] = {"q": pa.int64(), "d": pa.float64()}

_CHUNK: Final = 1024
"""Rows of a tail whose numbers are kept together."""


@dataclass(frozen=True, slots=True)
class LiveRows:
    """Rows in the order of their commits: those of `batches`, then `rows`.

    batches: with the columns of the layout in their order. row_seqs: the commits of `rows`. ordinals:
    their numbers in a tail, of which `encodings` keeps what was made of rows; () and None without one.
    columns: what has been asked for, of few rows that are asked again; None: it is not kept.
    """

    batches: Sequence[pa.RecordBatch]
    rows: Sequence[Row]
    row_seqs: Sequence[int]
    ordinals: Sequence[int] = ()
    encodings: Encodings | None = None
    columns: dict[int, Sequence[Value]] | None = None

    def __len__(self) -> int:
        count = len(self.rows)
        for batch in self.batches:
            count += batch.num_rows
        return count

    def column(self, position: int) -> Sequence[Value]:
        """The values of one column."""
        if self.columns is None:
            return self._column(position)
        found = self.columns.get(position)
        if found is None:
            found = self.columns[position] = tuple(self._column(position))
        return found

    def _column(self, position: int) -> list[Value]:
        values: list[Value] = []
        for batch in self.batches:
            values += to_values(batch.column(position))
        values += [row[position] for row in self.rows]
        return values

    def numbers(self, position: int, kind: Numbers) -> pa.Array | None:
        """One column of numbers as an array of 64 bits each; None: it has NULLs.

        Numbers of a tail's rows are kept, 8 bytes each: to put those of 10 000 rows together takes 20 µs, to
        take them out of tuples 400.
        """
        try:
            arrays = [_full(batch.column(position)) for batch in self.batches]
            data = b"".join(self._numbers(position, kind))
        except TypeError:
            return None
        type_ = NUMBERS[kind]
        own = pa.Array.from_buffers(type_, len(self.rows), [None, pa.py_buffer(data)])
        if not arrays:
            return own
        return pa.concat_arrays([*[one.cast(type_) for one in arrays], own])

    def _numbers(self, position: int, kind: Numbers) -> list[bytes]:
        """Those of `rows`, in pieces. Raises TypeError."""
        ordinals, rows = self.ordinals, self.rows
        if self.encodings is None or not isinstance(ordinals, range):
            return [_packed(rows, position, kind)]
        shape = (position, kind)
        known = self.encodings.of(shape)
        parts, fresh = list[bytes](), dict[int, bytes]()
        at = ordinals.start
        while at < ordinals.stop:
            end = min(at - at % _CHUNK + _CHUNK, ordinals.stop)
            part = known.get(at) if end - at == _CHUNK else None
            if part is None:
                piece = rows[at - ordinals.start : end - ordinals.start]
                part = _packed(piece, position, kind)
                if end - at == _CHUNK:
                    fresh[at] = part
            parts.append(part)
            at = end
        if fresh:
            self.encodings.put(shape, list(fresh), list(fresh.values()))
        return parts

    def is_full(self, position: int) -> bool:
        """Whether no value of a column is NULL."""
        return not any(batch.column(position).null_count for batch in self.batches) and not any(
            row[position] is None for row in self.rows
        )

    def whole(self, width: int) -> Iterable[tuple[Row, int]]:
        """(row, commit) of each; rows have `width` columns."""
        if not self.batches:
            return zip(self.rows, self.row_seqs, strict=True)
        rows = zip(*[self.column(at) for at in range(width)], strict=True)
        return zip(rows, cast("list[int]", self.seqs()), strict=True)

    def with_system(self, width: int) -> list[Row]:
        """The rows with `_seq` and `_deleted` behind."""
        return [(*row, seq, False) for row, seq in self.whole(width)]

    def seqs(self) -> list[Value]:
        """The commit of each row."""
        values: list[Value] = []
        for batch in self.batches:
            values += to_values(batch.column(SEQ))
        values += self.row_seqs
        return values


KEPT_ROWS_MAX: Final = 1024
"""Of so many rows of a tail what was asked for last is kept: 8 kB for each column, and as much of it all."""


class LastRows:
    """The rows of a tail that were asked for last, until it is another one."""

    __slots__ = ("_rows", "_state")

    def __init__(self) -> None:
        self._state: tuple[int, ...] = ()
        self._rows: LiveRows | None = None

    def get(self, state: tuple[int, ...]) -> LiveRows | None:
        """Those of a state: whatever tells what is there and who sees it."""
        return self._rows if self._state == state else None

    def keep(self, state: tuple[int, ...], rows: LiveRows) -> LiveRows:
        """The rows; to be given again if they are few, of which columns are kept."""
        if rows.columns is not None:
            self._state, self._rows = state, rows
        return rows

    @property
    def size_bytes(self) -> int:
        """What is kept of them beside what they are: places in lists."""
        rows = self._rows
        return 0 if rows is None else 8 * len(rows) * (2 + len(rows.columns or ()))

    def clear(self) -> None:
        """Rows are to be forgotten."""
        self._state, self._rows = (), None


def picked(
    places: Sequence[int], rows: Sequence[Row], seqs: Sequence[int], first: int
) -> tuple[Sequence[Row], Sequence[int], Sequence[int]]:
    """(row, commit, ordinal) of rows at some places, in a list each. first: the ordinal of place 0."""
    if isinstance(places, range):
        start, stop = places.start, places.stop
        return rows[start:stop], seqs[start:stop], range(first + start, first + stop)
    return (
        [rows[at] for at in places],
        [seqs[at] for at in places],
        [first + at for at in places],
    )


def _packed(rows: Sequence[Row], position: int, kind: Numbers) -> bytes:
    """The numbers of a column as they lie in an array. Raises TypeError: there are NULLs."""
    numbers = cast("list[int]", [row[position] for row in rows])
    return array(kind, numbers).tobytes()


def _full(column: pa.Array) -> pa.Array:
    """The column. Raises TypeError: it has NULLs."""
    if column.null_count:
        raise TypeError
    return column
