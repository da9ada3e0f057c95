"""Rows as COPY TO writes them: text, csv, binary; one CopyData message for each row."""

import re
from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Final

from catalog.types.registry import (
    BOOL,
    BPCHAR,
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    JSON,
    JSONB,
    NAME,
    NUMERIC,
    OID,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    UUID,
    VARCHAR,
)
from catalog.types.table import PgType, TypeContext
from kalam_pg.functions.encodings import UTF8, Encoding
from kalam_pg.pgwire.encode import copy_data, copy_out_response
from kalam_pg.rows.rowwise import BINARY_FORMAT, cell_encoder
from kalam_pg.rows.transcoding import Transcoder
from kalam_pg.sql.copy_options import CopyFormat
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Row, Value

_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # No flags, no header extension.
_TRAILER: Final = b"\xff\xff"
_NULL_CELL: Final = b"\xff\xff\xff\xff"
_HEADER = Struct("!ci").pack
_COUNT = Struct("!h").pack

_PLAIN = frozenset(
    (BOOL, INT2, INT4, INT8, OID, FLOAT4, FLOAT8, NUMERIC, DATE, TIMESTAMP, TIMESTAMPTZ, UUID)
)
"""Types whose text has letters, digits and `_PLAIN_MARKS` only."""

_PLAIN_MARKS = " +-.:"
_TEXTS = frozenset((TEXT, VARCHAR, BPCHAR, NAME, UNKNOWN, JSON, JSONB, NUMERIC))
"""Types whose stored value is their text."""

_LETTERS = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}

Text = Callable[[Value], str]
Encode = Callable[[Row], bytes]


class CopyWriter:
    """The stream of one COPY TO: `response`, then rows, then `end`.

    Of a text or csv stream the header line is a message of its own. That of a binary one rides in the first
    message: drivers (asyncpg) look for it there, as PostgreSQL sends it.
    """

    __slots__ = ("_encode", "_lead", "_trailer", "response")

    def __init__(
        self, columns: Sequence[OutputColumn], form: CopyFormat, context: TypeContext
    ) -> None:
        binary = form.format == "binary"
        self.response = copy_out_response(int(binary), [int(binary)] * len(columns))
        self._encode: Encode
        if binary:
            types = [column.type for column in columns]
            encoding = form.encoding or UTF8
            self._encode = _binary_row(types, context, None if encoding is UTF8 else encoding)
            self._lead, self._trailer = _SIGNATURE, _TRAILER
            return
        lines = _Lines(columns, form, context)
        self._encode = lines.row
        self._lead = self._trailer = b""
        if form.header:
            self.response += copy_data(lines.header([column.name for column in columns]))

    def rows(self, rows: Iterable[Row]) -> bytes:
        """The messages of some rows, the next ones."""
        encode = self._encode
        if not self._lead:
            return b"".join([_message(encode(row)) for row in rows])
        bodies = list(map(encode, rows))
        if bodies:
            bodies[0] = self._lead + bodies[0]
            self._lead = b""
        return b"".join(map(_message, bodies))

    @property
    def end(self) -> bytes:
        """What follows the last row."""
        body = self._lead + self._trailer
        return copy_data(body) if body else b""


def _message(body: bytes) -> bytes:
    return _HEADER(b"d", len(body) + 4) + body


def _binary_row(types: Sequence[PgType], context: TypeContext, encoding: Encoding | None) -> Encode:
    cells = [cell_encoder(type_, BINARY_FORMAT, context) for type_ in types]
    if encoding is not None:
        coder = Transcoder(encoding)
        cells = list(map(coder.cell, types, cells))
    count = _COUNT(len(types))

    def encode(row: Row) -> bytes:
        return count + b"".join(
            [
                _NULL_CELL if value is None else cell(value)
                for cell, value in zip(cells, row, strict=True)
            ]
        )

    return encode


class _Lines:
    """Rows as lines of text or csv."""

    __slots__ = ("_cells", "_encode", "_form", "_null", "_quoted")

    def __init__(
        self, columns: Sequence[OutputColumn], form: CopyFormat, context: TypeContext
    ) -> None:
        self._form = form
        self._encode = (form.encoding or UTF8).encode
        alone = len(columns) == 1
        self._quoted = _quoting(form, alone=alone) if form.format == "csv" else _escaping(form)
        self._cells = [self._cell(column, context, alone=alone) for column in columns]

    def _cell(self, column: OutputColumn, context: TypeContext, *, alone: bool) -> Text:
        form, text = self._form, _text_of(column.type, context)
        force = form.force_quote
        if force is None or column.name in force:
            quoted = _quoting(form, alone=alone, always=True)
        elif column.type in _PLAIN and _is_apart(form):
            return text
        else:
            quoted = self._quoted
        return lambda value: quoted(text(value))

    def row(self, row: Row) -> bytes:
        null = self._form.null
        return self._line(
            [
                null if value is None else cell(value)
                for cell, value in zip(self._cells, row, strict=True)
            ]
        )

    def header(self, names: Sequence[str]) -> bytes:
        """The line of the columns' names, which no FORCE_QUOTE is about."""
        return self._line(list(map(self._quoted, names)))

    def _line(self, cells: list[str]) -> bytes:
        line = self._form.delimiter.join(cells) + "\n"
        return self._encode(line)


def _is_apart(form: CopyFormat) -> bool:
    """Whether the texts of `_PLAIN` types can have nothing that is special in this format."""
    marks = (form.delimiter, form.quote, form.escape) if form.format == "csv" else (form.delimiter,)
    if any(mark.isalnum() or mark in _PLAIN_MARKS for mark in marks):
        return False
    return form.format == "text" or not form.null


def _text_of(type_: PgType, context: TypeContext) -> Text:
    if type_ in _TEXTS:
        return _same
    if type_ in (INT2, INT4, INT8, OID):
        return str
    output = type_.output
    return lambda value: output(value, context)


def _same(value: Value) -> str:
    return value  # type: ignore[return-value]  # as the type says


def _escaping(form: CopyFormat) -> Callable[[str], str]:
    """Backslashes as in PostgreSQL's CopyAttributeOutText."""
    special = re.compile(r"[\b\f\n\r\t\v\\" + re.escape(form.delimiter) + "]")

    def escape(found: re.Match[str]) -> str:
        return "\\" + _LETTERS.get(found[0], found[0])

    def escaped(text: str) -> str:
        return special.sub(escape, text) if special.search(text) is not None else text

    return escaped


def _quoting(form: CopyFormat, *, alone: bool, always: bool = False) -> Callable[[str], str]:
    """Quotes as in PostgreSQL's CopyAttributeOutCSV. alone: it is the only column."""
    quote, null = form.quote, form.null
    special = re.compile("[\n\r" + re.escape(form.delimiter) + re.escape(quote) + "]")
    inner = re.compile("[" + re.escape(quote) + re.escape(form.escape) + "]")
    escape = form.escape.replace("\\", "\\\\") + r"\g<0>"

    def quoted(text: str) -> str:
        if not (
            always
            or text == null
            or special.search(text) is not None
            # Alone on a line it would be the end of the data.
            or (alone and text == "\\.")
        ):
            return text
        return quote + inner.sub(escape, text) + quote

    return quoted
