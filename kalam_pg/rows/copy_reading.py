"""The rows that COPY FROM reads: fields become values of their columns, and errors say where they are."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from catalog.errors import BadCopyFileFormatError
from catalog.model import Column
from catalog.types.registry import INT2, INT4, INT8, TEXT, VARCHAR
from catalog.types.table import PgType, TypeContext
from kalam_pg.functions.encodings import UTF8, Encoding
from kalam_pg.pgwire.encode import copy_in_response
from kalam_pg.rows.copy_lines import Fields, Lines, field_splitter
from kalam_pg.rows.copy_tuples import Tuples
from kalam_pg.rows.transcoding import Transcoder
from kalam_pg.sql.copy_options import CopyFormat
from storage.errors import KalamError
from storage.layout import Value

SHOWN_MAX: Final = 100
"""Characters of a line or value that an error shows; MAX_COPY_DATA_DISPLAY."""

_GREATEST = {INT2: 32_767, INT4: 2_147_483_647, INT8: 9_223_372_036_854_775_807}

Values = tuple[Value, ...]

Place = tuple[int, str | None]
"""A row's number in what is read, and its line, or (in the binary format) the column that is being read."""


class CopyReader:
    """The stream of one COPY FROM.

    response: what asks the client for it.
    """

    __slots__ = ("_source", "response")

    def __init__(
        self, table: str, columns: Sequence[Column], form: CopyFormat, context: TypeContext
    ) -> None:
        """table: its name, for errors. columns: those that are sent, in their order."""
        binary = form.format == "binary"
        self.response = copy_in_response(int(binary), [int(binary)] * len(columns))
        self._source: _Text | _Binary = (
            _Binary(table, columns, form.encoding or UTF8)
            if binary
            else _Text(table, columns, form, context)
        )

    def rows(self, data: bytes) -> Iterator[Values]:
        """The rows that are whole with these bytes, each as it is read.

        Raises 22P04, 22021, what values' types raise, each with its `context`.
        """
        return self._source.rows(data, final=False)

    def end(self) -> Iterator[Values]:
        """The rows that are left: there are no more bytes. Raises as `rows`."""
        return self._source.rows(b"", final=True)

    @property
    def place(self) -> "Place":
        """Of the row that was given last."""
        return self._source.place

    def where(self, place: "Place", *, line: bool = True) -> str:
        """Where a row is, for an error. line: with its text, if it has one."""
        return self._source.where(place, line=line)

    @property
    def waiting(self) -> int:
        """Characters of a line that is not whole yet."""
        lines = self.lines
        return 0 if lines is None else lines.waiting

    @property
    def lines(self) -> Lines | None:
        """What cuts a text into lines; None where it is none."""
        return self._source.lines if isinstance(self._source, _Text) else None


class _Text:
    """Rows of lines: text and csv."""

    __slots__ = (
        "_columns", "_forced", "_form", "_header", "_line", "_readers", "_split", "_table", "_width",
        "lines",
    )  # fmt: skip

    def __init__(
        self, table: str, columns: Sequence[Column], form: CopyFormat, context: TypeContext
    ) -> None:
        self._table = table
        self._columns = columns
        self._form = form
        self._header = form.header
        self.lines = Lines(form)
        self._split = field_splitter(form)
        self._readers = [_reader(column, context) for column in columns]
        self._width = len(columns)
        self._line: str | None = None
        self._forced = [
            (at, column.name in form.force_not_null)
            for at, column in enumerate(columns)
            if column.name in form.force_not_null or column.name in form.force_null
        ]

    def rows(self, data: bytes, *, final: bool) -> Iterator[Values]:
        width, readers = self._width, self._readers
        lines = self.lines.feed(data, final=final)
        while True:
            self._line = None
            try:
                line = next(lines)
            except StopIteration:
                return
            except KalamError as exc:
                add_context(exc, self.where())
                raise
            self._line = line
            if self._header:
                self._header = False
                if self._form.match:
                    self._check_header(line)
                continue
            try:
                fields = self._split(line)
                if len(fields) > width:
                    raise BadCopyFileFormatError("extra data after last expected column")
            except KalamError as exc:
                add_context(exc, self.where())
                raise
            if self._forced:
                self._force(fields)
            try:
                row = tuple(
                    [
                        None if text is None else read(text)
                        for text, read in zip(fields, readers, strict=False)
                    ]
                )
            except KalamError as exc:
                add_context(exc, self._where_in(fields))
                exc.position = 0
                raise
            if len(row) < width:
                missing = f'missing data for column "{self._columns[len(row)].name}"'
                raise BadCopyFileFormatError(missing, context=self.where())
            yield row

    @property
    def place(self) -> "Place":
        return self.lines.number, self._line

    def where(self, place: "Place | None" = None, *, line: bool = True) -> str:
        number, text = place or self.place
        at = f"COPY {self._table}, line {number}"
        return f'{at}: "{_shown(text)}"' if line and text is not None else at

    def _where_in(self, fields: Fields) -> str:
        """The field that its type does not take."""
        for column, text, read in zip(self._columns, fields, self._readers, strict=False):
            try:
                if text is not None:
                    read(text)
            except KalamError:
                assert text is not None
                return f'{self.where(line=False)}, column {column.name}: "{_shown(text)}"'
        return self.where()

    def _check_header(self, line: str) -> None:
        """Raise 22P04 unless the header has the columns' names."""
        fields = self._split(line)
        wrong = ""
        if len(fields) != self._width:
            wrong = (
                f"wrong number of fields in header line: got {len(fields)}, expected {self._width}"
            )
        for at, (column, name) in enumerate(zip(self._columns, fields, strict=False), 1):
            if not wrong and name != column.name:
                got = f'"{name}"' if name is not None else f'null value ("{self._form.null}")'
                wrong = (
                    f"column name mismatch in header line field {at}: got {got}, expected "
                    f'"{column.name}"'
                )
        if wrong:
            raise BadCopyFileFormatError(wrong, context=self.where())

    def _force(self, fields: Fields) -> None:
        null = self._form.null
        for at, not_null in self._forced:
            if at >= len(fields):
                return
            if fields[at] is None:
                if not_null:
                    fields[at] = null
            elif fields[at] == null and self._columns[at].name in self._form.force_null:
                fields[at] = None


class _Binary:
    """Rows of the binary format."""

    __slots__ = ("_column", "_columns", "_receivers", "_table", "_tuples")

    def __init__(self, table: str, columns: Sequence[Column], encoding: Encoding) -> None:
        self._table = table
        self._columns = columns
        self._column = ""
        self._tuples = Tuples(len(columns))
        receivers = [column.type.receive for column in columns]
        if encoding is not UTF8:
            types = [column.type for column in columns]
            receivers = list(map(Transcoder(encoding).receiver, types, receivers))
        self._receivers = [
            (column, receive, column.typmod)
            for column, receive in zip(columns, receivers, strict=True)
        ]

    def rows(self, data: bytes, *, final: bool) -> Iterator[Values]:
        receivers = self._receivers
        tuples = self._tuples.feed(data, final=final)
        try:
            for fields in tuples:
                row: list[Value] = []
                for (column, receive, typmod), field in zip(receivers, fields, strict=True):
                    self._column = column.name
                    row.append(None if field is None else receive(field, typmod))
                self._column = ""
                yield tuple(row)
        except KalamError as exc:
            if self._tuples.number:
                add_context(exc, self.where())
            raise

    @property
    def place(self) -> "Place":
        column = self._column
        if self._tuples.field >= 0:
            column = self._columns[self._tuples.field].name
        return self._tuples.number, column or None

    def where(self, place: "Place | None" = None, *, line: bool = True) -> str:
        number, column = place or self.place
        at = f"COPY {self._table}, line {number}"
        return f"{at}, column {column}" if column and line else at


def add_context(error: KalamError, where: str) -> None:
    """Say where in what was read an error is, behind what it says itself."""
    error.context = f"{error.context}\n{where}" if error.context else where


def _shown(text: str | None) -> str:
    assert text is not None
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."


def _reader(column: Column, context: TypeContext) -> Callable[[str], Value]:
    """From a field's text to the column's value."""
    type_, typmod = column.type, column.typmod
    if type_ is TEXT or (type_ is VARCHAR and typmod < 0):
        return _same
    read = type_.input
    greatest = _GREATEST.get(type_)
    if greatest is None:
        return lambda text: read(text, typmod, context)
    return _integer(type_, greatest, context)


def _integer(type_: PgType, greatest: int, context: TypeContext) -> Callable[[str], Value]:
    digits, read = len(str(greatest)), type_.input

    def integer(text: str) -> Value:
        if text.isdecimal() and text.isascii() and len(text) <= digits:
            value = int(text)
            if value <= greatest:
                return value
        return read(text, -1, context)

    return integer


def _same(text: str) -> Value:
    return text
