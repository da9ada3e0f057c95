"""Some rows of an answer in one piece, in the form in which they came: stored rows or an Arrow batch."""

import marshal
import pickle
from collections.abc import Callable, Sequence
from typing import Protocol, Self

import pyarrow as pa

from catalog.types.table import PgType
from kalam_pg.query.sizes import text_bytes
from kalam_pg.rows import arrow_to_values, encode_batch
from kalam_pg.rows.arrow_values import plain
from kalam_pg.rows.copy_columns import Field
from kalam_pg.rows.form import RowForm
from storage.layout import Row

ROWWISE_MAX = 90
"""Rows of a batch up to which encoding row by row is faster than column by column."""


class Portion(Protocol):
    """Rows in their order. What it holds never changes."""

    def __len__(self) -> int: ...

    @property
    def size(self) -> int:
        """About how many bytes its values have that are of any length."""

    def rows(self) -> Sequence[Row]:
        """As stored values."""

    def part(self, start: int, stop: int) -> Self:
        """Some of them."""

    def narrow(self, width: int) -> Self:
        """With so many of its columns, the first ones."""

    def messages(self, form: RowForm) -> bytes | memoryview:
        """As DataRow messages."""

    def pack(self) -> bytes | memoryview:
        """As bytes for `unpacker` to read, in this process."""

    @property
    def unpacker(self) -> "Callable[[bytes | memoryview], Portion]":
        """What makes a portion of such bytes."""


class RowPortion:
    """Stored rows."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size(self) -> int:
        return text_bytes(self._rows)

    def rows(self) -> Sequence[Row]:
        return self._rows

    def part(self, start: int, stop: int) -> "RowPortion":
        return RowPortion(self._rows[start:stop])

    def narrow(self, width: int) -> "RowPortion":
        return RowPortion([row[:width] for row in self._rows])

    def messages(self, form: RowForm) -> bytes:
        return b"".join(map(form.encode, self._rows))

    def pack(self) -> bytes:
        try:
            return marshal.dumps(list(self._rows))
        except ValueError:  # Rows as values, or arrays with bounds of their own.
            return pickle.dumps(list(self._rows))

    @property
    def unpacker(self) -> "Callable[[bytes | memoryview], RowPortion]":
        return unpack_rows


def unpack_rows(data: bytes | memoryview) -> RowPortion:
    """What `RowPortion.pack` made bytes of."""
    # What this process wrote, where nobody else can.
    rows: Sequence[Row] = pickle.loads(data) if data[0] == _PICKLED else marshal.loads(data)  # noqa: S301, S302
    return RowPortion(rows)


_PICKLED = pickle.PROTO[0]
"""With what no list begins in marshal."""


NO_ROWS = RowPortion(())


class ArrowPortion:
    """An engine's batch; types: of its columns."""

    __slots__ = ("_batch", "_types")

    def __init__(self, batch: pa.RecordBatch, types: Sequence[PgType]) -> None:
        self._batch = batch
        self._types = types

    def __len__(self) -> int:
        count: int = self._batch.num_rows
        return count

    @property
    def size(self) -> int:
        size: int = self._batch.nbytes
        return size

    @property
    def parts(self) -> tuple[pa.RecordBatch, Sequence[PgType]]:
        """The batch, and the types of its columns."""
        return self._batch, self._types

    def stored(self, fields: Sequence[Field | None]) -> list[pa.Array]:
        """The columns as those of a table hold them. Raises RefusedError: there is one that cannot."""
        return [
            column if field is None else _stored(column, of, field)
            for column, of, field in zip(self._batch.columns, self._types, fields, strict=True)
        ]

    def rows(self) -> Sequence[Row]:
        if not self._types:
            return [()] * len(self)  # SELECT FROM t: an engine's batch has a column for its length.
        columns = [
            arrow_to_values(column, of)
            for column, of in zip(self._batch.columns, self._types, strict=True)
        ]
        return list(zip(*columns, strict=True))

    def part(self, start: int, stop: int) -> "ArrowPortion":
        return ArrowPortion(self._batch.slice(start, stop - start), self._types)

    def narrow(self, width: int) -> "ArrowPortion":
        return ArrowPortion(self._batch.select(range(width)), self._types[:width])

    def messages(self, form: RowForm) -> bytes | memoryview:
        if form.names_objects or not self._types or len(self) <= ROWWISE_MAX:
            return b"".join(map(form.encode, self.rows()))
        return encode_batch(self._batch, form)

    def pack(self) -> memoryview:
        return memoryview(self._batch.serialize())

    @property
    def unpacker(self) -> "Callable[[bytes | memoryview], ArrowPortion]":
        schema, types = self._batch.schema, self._types
        return lambda data: ArrowPortion(
            pa.ipc.read_record_batch(pa.py_buffer(data), schema), types
        )


def _stored(column: pa.Array, of: PgType, into: Field) -> pa.Array:
    if of is into.type and of.element is None and of.storable(into.typmod) is None:
        found = plain(column, of)
        if found.type == into.arrow:
            return found
    return into.stored(arrow_to_values(column, of))
