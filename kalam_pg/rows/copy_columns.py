"""The text that COPY FROM reads, column by column: Arrow's arrays without an object for each value.

Lines are cut into fields by Arrow, where that is known to mean the same to PostgreSQL; whatever else there is
(another line end, a quote in the middle of a field, a delimiter behind a backslash) is `RefusedError`, and
these lines are for the way that reads row by row (`rows.copy_reading`). A field in the form that nearly all
have becomes a value by Arrow too; a column that has any other is read by its type, value by value.
"""

import codecs
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from catalog.model import Column
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
from catalog.types.table import PgType, TypeContext
from kalam_pg.rows.copy_lines import unescaped
from kalam_pg.sql.copy_options import CopyFormat
from storage.arrow import to_array
from storage.errors import KalamError
from storage.layout import Value


class RefusedError(Exception):
    """The text is not for this way."""


class Field(NamedTuple):
    """A column that is sent. arrow: how its values are stored."""

    type: PgType
    typmod: int
    arrow: pa.DataType

    def stored(self, values: Sequence[Value]) -> pa.Array:
        """Values as an array. Raises RefusedError: there is one that a column does not hold."""
        check = self.type.storable(self.typmod)
        try:
            if check is not None:
                for value in values:
                    if value is not None:
                        check(value)
            found = to_array(values, self.arrow)
        except (KalamError, pa.ArrowException, ValueError, OverflowError) as exc:
            raise RefusedError(str(exc)) from exc
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def fields_of(columns: Sequence[Column]) -> tuple[Field, ...]:
    """What columns hold."""
    return tuple([Field(one.type, one.typmod, one.type.arrow(one.typmod)) for one in columns])


class ColumnReader:
    """Reads whole lines of a text or csv. context: what their values' types depend on."""

    def __init__(self, fields: Sequence[Field], form: CopyFormat, context: TypeContext) -> None:
        self._form = form
        self._names = [f"f{at}" for at in range(len(fields))]
        self._csv = form.format == "csv"
        self._readers = [_Reader(field, context) for field in fields]
        self._refused = () if self._csv else _escaped_ends(form.delimiter)
        self._quoted = _quoted(form)
        self.is_able = _is_able(form)

    def read(self, data: bytes) -> list[pa.Array]:
        """The columns of lines, the last of which is whole. Raises RefusedError."""
        self._check(data)
        table = self._parsed(data)
        found: list[pa.Array] = []
        try:
            for read, column in zip(self._readers, table.columns, strict=True):
                texts = column.combine_chunks()
                found.append(read(texts if self._csv else _unescaped(texts)))
        except (KalamError, pa.ArrowException) as exc:
            raise RefusedError(str(exc)) from exc
        return found

    def whole(self, data: bytes) -> int:
        """Where the last line ends that is whole, if these bytes begin with one; 0: none is."""
        quote = self._form.quote.encode()
        end = data.rfind(b"\n") + 1
        if not self._csv:
            return end
        inside = data.count(quote, 0, end) % 2
        while inside and end:
            start = data.rfind(b"\n", 0, end - 1) + 1
            inside ^= data.count(quote, start, end) % 2
            end = start
        return end

    def _check(self, data: bytes) -> None:
        """Raise RefusedError where a line may be something else than its fields with delimiters between."""
        if b"\r" in data or b"\0" in data:
            raise RefusedError("a line end, or a zero")
        if data.startswith(codecs.BOM_UTF8):
            raise RefusedError("a byte order mark, which Arrow leaves out and PostgreSQL keeps")
        if len(self._names) > 1 and (b"\n\n" in data or data.startswith(b"\n")):
            raise RefusedError("an empty line, which Arrow takes for a row of NULLs")
        if not self._csv:
            if b"\\" in data and any(one in data for one in self._refused):
                raise RefusedError("a backslash at the end of a field, or a mark of the end")
            return
        if b"\n\\.\n" in data or data.startswith(b"\\.\n"):
            raise RefusedError("the mark of the end")
        if self._form.quote.encode() in data and not self._is_quoted_well(data):
            raise RefusedError("a quote within a field")

    def _is_quoted_well(self, data: bytes) -> bool:
        """Whether each quote is of a field that is quoted from its first character to its last."""
        if self._form.quote != self._form.escape:
            return False
        rest, fields = self._quoted.subn(b"\0", data)
        if self._form.quote.encode() in rest:
            return False
        delimiter = self._form.delimiter.encode()
        begun = rest.count(delimiter + b"\0") + rest.count(b"\n\0") + rest.startswith(b"\0")
        return fields == begun

    def _parsed(self, data: bytes) -> pa.Table:
        form, names = self._form, self._names
        quoted = self._csv and form.quote.encode() in data
        try:
            return csv.read_csv(
                pa.BufferReader(data),
                csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
                csv.ParseOptions(
                    delimiter=form.delimiter,
                    quote_char=form.quote if quoted else False,
                    double_quote=quoted,
                    escape_char=False,
                    newlines_in_values=quoted,
                    ignore_empty_lines=False,
                ),
                csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[form.null],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowException as exc:
            raise RefusedError(str(exc)) from exc


def _is_able(form: CopyFormat) -> bool:
    """Whether a format's lines can be cut by Arrow at all."""
    if form.format == "binary" or form.match or form.force_not_null or form.force_null:
        return False
    return form.format == "csv" or "\\" not in form.null or form.null == "\\N"


def _escaped_ends(delimiter: str) -> tuple[bytes, ...]:
    """What stands where a field of text does not end with its delimiter, or the text before its end."""
    return (b"\\" + delimiter.encode(), b"\\\n", b"\\.")


def _quoted(form: CopyFormat) -> re.Pattern[bytes]:
    """A field in quotes, and what ends it."""
    q, d = re.escape(form.quote.encode()), re.escape(form.delimiter.encode())
    return re.compile(b"%b[^%b]*+(?:%b%b[^%b]*+)*+%b(?=[%b\n])" % (q, q, q, q, q, q, d))


def _unescaped(column: pa.Array) -> pa.Array:
    """Texts with what their backslashes mean. Raises what that raises."""
    escaped = pc.match_substring(column, "\\")
    if not pc.any(escaped).as_py():
        return column
    meant = [unescaped(text) for text in column.filter(escaped).to_pylist()]
    return pc.replace_with_mask(column, pc.fill_null(escaped, False), pa.array(meant, pa.string()))


class _OtherFormError(Exception):
    """A text is not in the form that nearly all have."""


class _Reader:
    """From the texts of a column to its values."""

    def __init__(self, field: Field, context: TypeContext) -> None:
        self._field = field
        self._context = context
        self._fast = None
        if field.typmod < 0 or field.type is VARCHAR:  # Of times it says how they are rounded.
            self._fast = _by_type(_READERS, field.type)

    def __call__(self, texts: pa.Array) -> pa.Array:
        field = self._field
        if self._fast is not None:
            try:
                found = self._fast(texts, field, self._context)
                return found if found.type == field.arrow else found.cast(field.arrow)
            except (_OtherFormError, pa.ArrowException):
                pass  # Whoever reads it value by value knows what it means.
        read, typmod, context = field.type.input, field.typmod, self._context
        return field.stored(
            [None if text is None else read(text, typmod, context) for text in texts.to_pylist()]
        )


def _matching(column: pa.Array, pattern: str) -> pa.Array:
    """The column, all of whose texts match. Raises _OtherFormError."""
    if pc.all(pc.match_substring_regex(column, pattern)).as_py() is False:
        raise _OtherFormError
    return column


def _int(column: pa.Array, _field: Field, _context: TypeContext) -> pa.Array:
    return _matching(column, "^-?[0-9]{1,18}$").cast(pa.int64())


def _float(column: pa.Array, _field: Field, _context: TypeContext) -> pa.Array:
    pattern = r"^-?[0-9]{1,15}(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,2})?$"
    return _matching(column, pattern).cast(pa.float64())


def _bool(column: pa.Array, _field: Field, _context: TypeContext) -> pa.Array:
    return pc.starts_with(_matching(column, "^(t|f|true|false)$"), "t")


def _text(column: pa.Array, field: Field, _context: TypeContext) -> pa.Array:
    if field.typmod >= 0:
        longest = pc.max(pc.utf8_length(column)).as_py()
        if longest is not None and longest > field.typmod - 4:
            raise _OtherFormError
    return column


def _uuid(column: pa.Array, _field: Field, _context: TypeContext) -> pa.Array:
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


def _date(column: pa.Array, _field: Field, _context: TypeContext) -> pa.Array:
    return _matching(column, f"^{_DAY}$").cast(pa.date32())


def _timestamp(column: pa.Array, _field: Field, _context: TypeContext) -> pa.Array:
    return _matching(column, f"^{_MOMENT}$").cast(pa.timestamp("us"))


def _timestamptz(column: pa.Array, _field: Field, context: TypeContext) -> pa.Array:
    zone = "(Z|[+]00(:?00)?)" + ("?" if context.timezone_name == "UTC" else "")
    _matching(column, f"^{_MOMENT}{zone}$")
    bare = pc.replace_substring_regex(column, "(Z|[+]00(:?00)?)$", "")
    return bare.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))


_READERS: Final[tuple[tuple[PgType, Callable[[pa.Array, Field, TypeContext], pa.Array]], ...]] = (
    (INT2, _int),
    (INT4, _int),
    (INT8, _int),
    (FLOAT8, _float),
    (BOOL, _bool),
    (TEXT, _text),
    (VARCHAR, _text),
    (UUID, _uuid),
    (DATE, _date),
    (TIMESTAMP, _timestamp),
    (TIMESTAMPTZ, _timestamptz),
)

T = TypeVar("T")


def _by_type(table: Sequence[tuple[PgType, T]], type_: PgType) -> T | None:
    return next((found for known, found in table if known is type_), None)
