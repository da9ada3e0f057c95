"""The text that COPY FROM reads, column by column: Arrow's arrays without an object for each value.

Only what is plain is read here, and only where it means the same to PostgreSQL: whatever else there is
(a backslash or a quote, another line end, a value in a form that is seldom, one that its column does not
hold) is `RefusedError`, and all of the text is for the way that reads value by value: it knows what it means,
or which line is wrong (`rows.copy_reading`).
"""

import codecs
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from catalog.model import Column, Table
from catalog.types.registry import (
    BOOL,
    DATE,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    VARCHAR,
)
from catalog.types.table import PgType
from kalam_pg.functions.encodings import UTF8
from kalam_pg.sql.copy_options import CopyFormat
from storage.arrow import DELETED, SEQ, schema_of
from storage.layout import Layout


class RefusedError(Exception):
    """The text is not for this way."""


class Field(NamedTuple):
    """A column that is sent. kind: how its text is read. not_null: NULL is none of its values.

    length_max: characters it may have, 0: any.
    """

    kind: str
    not_null: bool
    length_max: int = 0


class CopyColumns(NamedTuple):
    """How the lines of one COPY are read. It travels to another process.

    fields: those that are sent, in their order. places: for each column of the table its place among
    these; -1: it is NULL; -2: it is a new id.
    """

    csv: bool
    delimiter: str
    null: str
    quote: str
    header: bool
    fields: tuple[Field, ...]
    places: tuple[int, ...]

    @property
    def has_ids(self) -> bool:
        """Whether each row is given a new id."""
        return NEW_ID in self.places


NULL: Final = -1
NEW_ID: Final = -2

_KINDS: Final = (
    (INT2, "int"),
    (INT4, "int"),
    (INT8, "int"),
    (FLOAT8, "float"),
    (BOOL, "bool"),
    (TEXT, "text"),
    (VARCHAR, "text"),
    (UUID, "uuid"),
    (DATE, "date"),
    (TIMESTAMP, "timestamp"),
    (TIMESTAMPTZ, "timestamptz"),
)


def columns_of(
    table: Table, sent: Sequence[int], form: CopyFormat, *, utc: bool
) -> CopyColumns | None:
    """How a COPY is read column by column; None where one of its columns or options is not for that.

    sent: places in the table of what is sent. utc: whether times without a zone are of UTC.
    """
    plain = form.encoding in (None, UTF8) and not (
        form.match or form.force_not_null or form.force_null
    )
    if form.format == "binary" or not plain or len(form.delimiter.encode()) != 1:
        return None
    if form.format == "text" and "\\" in form.null and form.null != "\\N":
        return None
    fields: list[Field] = []
    for at in sent:
        field = _field(table.columns[at], form, utc=utc)
        if field is None:
            return None
        fields.append(field)
    places: list[int] = []
    for at, column in enumerate(table.columns):
        if at in sent:
            places.append(list(sent).index(at))
        elif column.default.upper() == "SNOWFLAKE_ID()" and column.type is INT8:
            places.append(NEW_ID)
        elif column.default or column.not_null or column.identity or column.generated:
            return None
        else:
            places.append(NULL)
    return CopyColumns(
        form.format == "csv",
        form.delimiter,
        form.null,
        form.quote,
        form.header,
        tuple(fields),
        tuple(places),
    )


def _field(column: Column, form: CopyFormat, *, utc: bool) -> Field | None:
    kind = _kind_of(column.type)
    if kind is None or column.domain:
        return None
    if kind == "text" and form.format == "text":
        kind = "plain text"
    if kind == "timestamptz" and utc:
        kind = "timestamp utc"
    if column.typmod >= 0 and column.type is not VARCHAR:
        return None  # Of times it says how they are rounded.
    length_max = column.typmod - 4 if column.typmod >= 0 else 0
    return Field(kind, column.not_null, length_max)


def _kind_of(type_: PgType) -> str | None:
    return next((kind for known, kind in _KINDS if known is type_), None)


class ColumnReader:
    """Makes record batches of a tablet out of whole lines. ids: those that new rows are given, in order."""

    def __init__(
        self, columns: CopyColumns, layout: Layout, seq: int, ids: "memoryview[int] | None" = None
    ) -> None:
        self._columns = columns
        self._layout = layout
        self._seq = seq
        self._ids = ids
        self._given = 0
        self._rest = b""
        self._header = columns.header
        self._names = [f"f{at}" for at in range(len(columns.fields))]

    def read(self, pieces: Iterator[bytes]) -> Iterator[pa.RecordBatch]:
        """The rows of a text that comes in pieces. Raises RefusedError."""
        for piece in pieces:
            end = piece.rfind(b"\n") + 1
            if not end:
                self._rest += piece
                continue
            data, self._rest = self._rest + piece[:end], piece[end:]
            yield from self._batch(data)
        if self._rest:
            yield from self._batch(self._rest + b"\n")

    def _batch(self, data: bytes) -> Iterator[pa.RecordBatch]:
        if self._header:
            self._header = False
            data = data[data.index(b"\n") + 1 :]
        if not data:
            return
        self._check(data)
        table = self._parsed(data)
        count = table.num_rows
        try:
            sent = [
                _READERS[field.kind](column.combine_chunks(), field)
                for field, column in zip(self._columns.fields, table.columns, strict=True)
            ]
            arrays = [
                self._column(place, column.arrow, sent, count)
                for place, column in zip(self._columns.places, self._layout.columns, strict=True)
            ]
        except pa.ArrowException as exc:
            raise RefusedError(str(exc)) from exc
        arrays.append(pa.repeat(pa.scalar(self._seq, pa.int64()), count))
        arrays.append(pa.repeat(pa.scalar(False, pa.bool_()), count))
        schema = schema_of(self._layout)
        assert schema.names[-2:] == [SEQ, DELETED]
        yield pa.record_batch(arrays, schema=schema)

    def _check(self, data: bytes) -> None:
        """Raise RefusedError where a line may be something else than its fields with delimiters between."""
        columns = self._columns
        if b"\r" in data or b"\0" in data:
            raise RefusedError("a line end, or a zero")
        if data.startswith(codecs.BOM_UTF8):
            raise RefusedError("a byte order mark, which Arrow leaves out and PostgreSQL keeps")
        if columns.csv:
            if columns.quote.encode() in data:
                raise RefusedError("a quote")
            if b"\n\\.\n" in data or data.startswith(b"\\.\n"):
                raise RefusedError("the mark of the end")

    def _parsed(self, data: bytes) -> pa.Table:
        columns, names = self._columns, self._names
        try:
            return csv.read_csv(
                pa.BufferReader(data),
                csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
                csv.ParseOptions(
                    delimiter=columns.delimiter,
                    quote_char=False,
                    escape_char=False,
                    newlines_in_values=False,
                    ignore_empty_lines=False,
                ),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[columns.null],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowException as exc:
            raise RefusedError(str(exc)) from exc

    def _column(
        self, place: int, kind: pa.DataType, sent: Sequence[pa.Array], count: int
    ) -> pa.Array:
        if place >= 0:
            column = sent[place]
            if column.null_count and self._columns.fields[place].not_null:
                raise RefusedError("a NULL")
            return column if column.type == kind else column.cast(kind)
        if place == NULL:
            return pa.nulls(count, kind)
        ids = self._ids
        if ids is None or len(ids) < self._given + count:
            raise RefusedError("more lines than were counted")
        own = ids[self._given : self._given + count]
        self._given += count
        return pa.array(own, pa.int64())


def _matching(column: pa.Array, pattern: str) -> pa.Array:
    """The column, all of whose texts match. Raises RefusedError."""
    if pc.all(pc.match_substring_regex(column, pattern)).as_py() is False:
        raise RefusedError(f"a text that is not like {pattern}")
    return column


def _int(column: pa.Array, _field: Field) -> pa.Array:
    return _matching(column, "^-?[0-9]{1,18}$").cast(pa.int64())


def _float(column: pa.Array, _field: Field) -> pa.Array:
    pattern = r"^-?[0-9]{1,15}(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,2})?$"
    return _matching(column, pattern).cast(pa.float64())


def _bool(column: pa.Array, _field: Field) -> pa.Array:
    return pc.starts_with(_matching(column, "^(t|f|true|false)$"), "t")


def _text(column: pa.Array, field: Field) -> pa.Array:
    if field.length_max:
        longest = pc.max(pc.utf8_length(column)).as_py()
        if longest is not None and longest > field.length_max:
            raise RefusedError("a long text")
    return column


def _plain_text(column: pa.Array, field: Field) -> pa.Array:
    if pc.any(pc.match_substring(column, "\\")).as_py():
        raise RefusedError("a backslash")
    return _text(column, field)


def _uuid(column: pa.Array, _field: Field) -> pa.Array:
    pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
    digits = pc.replace_substring(_matching(column, pattern), "-", "")
    there = bytes.fromhex("".join(digits.drop_null().to_pylist()))
    whole = pa.Array.from_buffers(pa.binary(16), len(there) // 16, [None, pa.py_buffer(there)])
    if not column.null_count:
        return whole
    places = pc.subtract(pc.cumulative_sum(pc.cast(column.is_valid(), pa.int64())), 1)
    return whole.take(pc.if_else(column.is_valid(), places, pa.scalar(None, pa.int64())))


_DAY = "[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
_MOMENT = _DAY + r"[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"


def _date(column: pa.Array, _field: Field) -> pa.Array:
    return _matching(column, f"^{_DAY}$").cast(pa.date32())


def _timestamp(column: pa.Array, _field: Field) -> pa.Array:
    return _matching(column, f"^{_MOMENT}$").cast(pa.timestamp("us"))


def _timestamptz(column: pa.Array, field: Field) -> pa.Array:
    zone = "(Z|[+]00(:?00)?)" + ("?" if field.kind == "timestamp utc" else "")
    _matching(column, f"^{_MOMENT}{zone}$")
    bare = pc.replace_substring_regex(column, "(Z|[+]00(:?00)?)$", "")
    return bare.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))


_READERS: Final[dict[str, Callable[[pa.Array, Field], pa.Array]]] = {
    "int": _int,
    "float": _float,
    "bool": _bool,
    "plain text": _plain_text,
    "text": _text,
    "uuid": _uuid,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
    "timestamp utc": _timestamptz,
}
