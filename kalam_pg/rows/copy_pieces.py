"""What a COPY sends, in pieces: columns of whole rows, by Arrow where that can be, else row by row."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import pyarrow as pa

from catalog.model import Column
from catalog.types.table import TypeContext
from kalam_pg.rows.copy_columns import ColumnReader, Field, RefusedError, fields_of
from kalam_pg.rows.copy_reading import CopyReader, Values
from kalam_pg.sql.copy_options import CopyFormat
from storage.errors import KalamError

Columns = list[pa.Array]
"""Of some rows, all columns that are sent."""

_LINE_BYTES_MAX: Final = 16 << 20
"""A line that is longer is looked for by who looks at no byte twice."""


class CopyText(NamedTuple):
    """How what one COPY sends is read. It travels to another process.

    columns: those that are sent. context: what their values depend on, without `objects`.
    """

    columns: tuple[Column, ...]
    form: CopyFormat
    context: TypeContext

    def read(self, pieces: Iterable[bytes]) -> Iterator[Columns]:
        """The rows. Raises RefusedError: something is wrong, and who reads row by row says what."""
        reader = _PieceReader(self)
        try:
            for piece in pieces:
                yield from reader.take(piece)
            yield from reader.end()
        except KalamError as exc:
            raise RefusedError(str(exc)) from exc


class _PieceReader:
    """Lines by columns, and those that cannot be read so by rows, up to the next that begins a piece."""

    def __init__(self, text: CopyText) -> None:
        self._fields: Sequence[Field] = fields_of(text.columns)
        self._columns = ColumnReader(self._fields, text.form, text.context)
        self._rows = CopyReader("", text.columns, text.form, text.context)
        self._header = text.form.header
        self._by_rows = not self._columns.is_able
        self._rest = b""

    def take(self, piece: bytes) -> Iterator[Columns]:
        """What is whole with these bytes."""
        if self._rows.lines is None:
            yield from self._stored(self._rows.rows(piece))
            return
        data = self._rest + piece
        end = data.rfind(b"\n") + 1 if self._by_rows else self._columns.whole(data)
        if not end and len(data) > _LINE_BYTES_MAX:
            self._by_rows, end = True, len(data)
        whole, self._rest = data[:end], data[end:]
        if whole:
            yield from self._slowly(whole) if self._by_rows else self._quickly(whole)

    def end(self) -> Iterator[Columns]:
        """What is left."""
        rest, self._rest = self._rest, b""
        yield from self._stored(self._rows.rows(rest))
        yield from self._stored(self._rows.end())

    def _quickly(self, data: bytes) -> Iterator[Columns]:
        """Whole lines, when those before them were whole."""
        if self._header:
            self._header = False
            end = self._columns.whole(data[: data.index(b"\n") + 1])
            if not end:
                yield from self._slowly(data)
                return
            for _ in self._rows.rows(data[:end]):
                raise RefusedError("a header that is none")
            data = data[end:]
            if not data:
                return
        try:
            found = self._columns.read(data)
        except RefusedError:
            yield from self._slowly(data)
            return
        if self._rows.lines is not None:
            self._rows.lines.expect_newlines()
        yield found

    def _slowly(self, data: bytes) -> Iterator[Columns]:
        """Lines of which the last may go on; the next ones may be read quickly if it does not."""
        yield from self._stored(self._rows.rows(data))
        lines = self._rows.lines
        between = lines is not None and lines.is_between and data.endswith(b"\n")
        self._by_rows = not (between and self._columns.is_able)

    def _stored(self, rows: Iterable[Values]) -> Iterator[Columns]:
        columns = list(zip(*rows, strict=True))
        if columns:
            yield [
                field.stored(values) for field, values in zip(self._fields, columns, strict=True)
            ]


def travelling(columns: Sequence[Column], form: CopyFormat, context: TypeContext) -> CopyText:
    """How a COPY is read elsewhere."""
    return CopyText(tuple(columns), form, replace(context, objects=None))
