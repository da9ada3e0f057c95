"""One column of a result as the bytes of its cells, in text or binary format, vectorised by type."""

import sys
from array import array as numbers
from dataclasses import dataclass
from datetime import UTC
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from catalog.types.calendar import EPOCH_2000_DAYS, EPOCH_2000_US, US_PER_DAY, US_PER_SECOND
from catalog.types.datetime_output import offset_text
from catalog.types.registry import (
    BOOL,
    BPCHAR,
    BYTEA,
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    JSON,
    JSONB,
    NAME,
    NUMERIC,
    OID,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNKNOWN,
    UUID,
    VARCHAR,
)
from catalog.types.table import DEFAULT_CONTEXT, PgType, TypeContext
from catalog.types.zones import utc_offset
from kalam_pg.rows.arrow_values import arrow_to_values, plain

_TEXTS = frozenset({TEXT, VARCHAR, BPCHAR, NAME, UNKNOWN, JSON})
_INTEGERS = frozenset({INT2, INT4, INT8, OID})
_WIDTHS = {INT2: 2, INT4: 4, INT8: 8, OID: 4, FLOAT4: 4, FLOAT8: 8, DATE: 4}
_CODES = {2: "h", 4: "i", 8: "q"}

# Arrow writes years 0001 to 9999 as PostgreSQL does; other ones are left to the type's own output.
_DAYS_MIN, _DAYS_MAX = -719162, 2932896
_US_MIN, _US_MAX = _DAYS_MIN * US_PER_DAY, (_DAYS_MAX + 1) * US_PER_DAY - 1
# Outside, PostgreSQL and Arrow lay floats out differently.
_FLOAT_PLAIN = {FLOAT4: (1e-4, 1e6), FLOAT8: (1e-4, 1e10)}
_QUARTER_US = 900 * US_PER_SECOND

assert sys.byteorder == "little", "Arrow's buffers are read as little-endian"


@dataclass(slots=True)
class Fixed:
    """Cells of one width, none of them null: `data` has them one after the other."""

    width: int
    data: bytes | memoryview


@dataclass(slots=True)
class Varying:
    """Cells of any width. data: Arrow binary without nulls (a null's cell is empty); sizes: int32,
    null where the cell is null. nulls: how many, None when there are none. size: the size of every
    cell, None when they differ or one is null. suffix: what ends every cell, counted in the sizes
    and not in `data`; empty when there are nulls.
    """

    data: pa.Array
    sizes: pa.Array
    nulls: int | None
    size: int | None = None
    suffix: bytes = b""


def cells_of(
    column: Any,  # noqa: ANN401  # Array or ChunkedArray
    type_: PgType,
    format_: int,
    context: TypeContext,
) -> Fixed | Varying:
    """Return the cells of a column. `column` may be of any Arrow type that `plain` takes."""
    if pa.types.is_null(column.type):
        return _varying(pa.nulls(len(column), pa.binary()))
    if type_ is UUID or type_ is INTERVAL:
        column = column.cast(pa.binary(16)) if not _is_16(column) else column
    array = plain(column, type_)
    if format_ == 1:
        return _binary_cells(array, type_)
    if type_ is TIMESTAMPTZ:
        return _timestamptz_cells(array, context)
    return _varying(_text_cells(array, type_, context))


def _is_16(column: Any) -> bool:  # noqa: ANN401
    return bool(pa.types.is_fixed_size_binary(column.type))


def _varying(array: pa.Array, suffix: bytes = b"") -> Varying:
    sizes = pc.binary_length(array)
    if array.null_count:
        return Varying(pc.fill_null(_bytes_of(array), b""), sizes, array.null_count)
    if suffix:
        sizes = pc.add(sizes, pa.scalar(len(suffix), pa.int32()))
    extremes = pc.min_max(sizes)
    least = extremes["min"].as_py()
    size = least if least == extremes["max"].as_py() else None
    return Varying(_bytes_of(array), sizes, None, size, suffix)


def _bytes_of(array: pa.Array) -> pa.Array:
    """Strings as binary. A cast would do, and take six times as long for the few rows of a slice."""
    if not pa.types.is_string(array.type):
        return array.cast(pa.binary())
    return pa.Array.from_buffers(
        pa.binary(), len(array), array.buffers(), array.null_count, array.offset
    )


# --------------------------------------------------------------------------------- text format


def _text_cells(array: pa.Array, type_: PgType, context: TypeContext) -> pa.Array:
    if type_ in _TEXTS or type_ is JSONB or type_ is NUMERIC:
        return array
    if type_ in _INTEGERS:
        return array.cast(pa.string())
    if type_ is BOOL:
        return pc.if_else(array, pa.scalar("t"), pa.scalar("f"))
    if type_ is UUID:
        return _uuid_text(array)
    if type_.category == "E":
        return _labels(array, type_, context)
    if type_ is BYTEA and context.bytea_output == "hex":
        return _hex_text(array)
    if type_ is FLOAT8 or type_ is FLOAT4:
        return _float_text(array, type_, context)
    if context.date_style == "ISO":
        if type_ is DATE and _within(array, _DAYS_MIN, _DAYS_MAX):
            return array.cast(pa.date32()).cast(pa.string())
        if type_ is TIMESTAMP and _within(array, _US_MIN, _US_MAX):
            return _timestamp_text(array)
    if type_ is TIME and _within(array, 0, US_PER_DAY - 1):
        return _trim(array.cast(pa.time64("us")).cast(pa.string()))
    return _written(array, type_, context)


def _written(array: pa.Array, type_: PgType, context: TypeContext) -> pa.Array:
    # The types that are rare in large results, and values that Arrow writes otherwise.
    write = type_.output
    values = arrow_to_values(array, type_)
    return pa.array([None if v is None else write(v, context) for v in values], pa.string())


def _labels(array: pa.Array, type_: PgType, context: TypeContext) -> pa.Array:
    """An enum's labels: there are few."""
    encoded = array.dictionary_encode()
    return _written(encoded.dictionary, type_, context).take(encoded.indices)


def _within(array: pa.Array, low: int, high: int) -> bool:
    extremes = pc.min_max(array).as_py()
    return extremes["min"] is None or (low <= extremes["min"] and extremes["max"] <= high)


def _trim(text: pa.Array) -> pa.Array:
    """Drop the zeros that Arrow writes behind a second, and a point with nothing behind it."""
    return pc.ascii_rtrim(pc.ascii_rtrim(text, "0"), ".")


def _timestamp_text(array: pa.Array) -> pa.Array:
    seconds = pc.divide(array, US_PER_SECOND)
    if pc.all(pc.equal(pc.multiply(seconds, US_PER_SECOND), array)).as_py() is not False:
        return seconds.cast(pa.timestamp("s")).cast(pa.string())
    return _trim(array.cast(pa.timestamp("us")).cast(pa.string()))


def _timestamptz_cells(array: pa.Array, context: TypeContext) -> Varying:
    in_range = _within(array, _US_MIN + US_PER_DAY, _US_MAX - US_PER_DAY)
    if context.date_style != "ISO" or not in_range:
        return _varying(_written(array, TIMESTAMPTZ, context))
    # Offsets change at quarters of an hour, if at all; so one look-up a quarter does for all rows.
    quarters = _quarters(array, context)
    offsets: list[int] = []
    for quarter in quarters.dictionary.to_pylist():
        first = utc_offset(context.timezone, quarter * _QUARTER_US)
        if first != utc_offset(context.timezone, (quarter + 1) * _QUARTER_US - 1):
            return _varying(_written(array, TIMESTAMPTZ, context))
        offsets.append(first)
    if len(set(offsets)) == 1:
        shift, suffix = offsets[0], offset_text(offsets[0])
        text = _timestamp_text(pc.add(array, shift * US_PER_SECOND) if shift else array)
        if array.null_count == 0:
            return _varying(text, suffix.encode())
        return _varying(pc.binary_join_element_wise(text, suffix, ""))
    shifts = pa.array([offset * US_PER_SECOND for offset in offsets], pa.int64())
    local = pc.add(array, shifts.take(quarters.indices))
    texts = pa.array([offset_text(offset) for offset in offsets], pa.string())
    suffixes = texts.take(quarters.indices)
    return _varying(pc.binary_join_element_wise(_timestamp_text(local), suffixes, ""))


def _quarters(array: pa.Array, context: TypeContext) -> pa.DictionaryArray:
    """The quarter of an hour, since the epoch, of each instant."""
    first_us = pc.min(array).as_py() or 0
    base = first_us // _QUARTER_US
    if context.timezone is UTC:  # Any instant does for all of them.
        zeros = pa.repeat(pa.scalar(0, pa.int32()), len(array))
        return pa.DictionaryArray.from_arrays(zeros, pa.array([base], pa.int64()))
    since = pc.divide(pc.subtract(array, base * _QUARTER_US), _QUARTER_US)
    quarters = pc.dictionary_encode(since)
    return pa.DictionaryArray.from_arrays(quarters.indices, pc.add(quarters.dictionary, base))


def _float_text(array: pa.Array, type_: PgType, context: TypeContext) -> pa.Array:
    if context.extra_float_digits <= 0:
        return _written(array, type_, context)
    low, high = _FLOAT_PLAIN[type_]
    size = pc.abs(array)
    is_plain = pc.and_(pc.greater_equal(size, low), pc.less(size, high))
    text = array.cast(pa.string())
    if pc.all(is_plain).as_py() is not False:
        return text
    is_plain = pc.or_(is_plain, pc.equal(size, 0.0))
    if pc.all(is_plain).as_py() is not False:
        return text
    others = pc.invert(pc.fill_null(is_plain, True))
    return pc.replace_with_mask(text, others, _written(array.filter(others), type_, context))


def _uuid_text(array: pa.Array) -> pa.Array:
    count = len(array)
    digits = bytes(_fixed_bytes(array, 16)).hex().encode()
    text = bytearray(b"-" * (36 * count))
    at = 0
    for i in range(32):
        if i in {8, 12, 16, 20}:
            at += 1
        text[at::36] = digits[i::32]
        at += 1
    cells = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(36), count, [None, pa.py_buffer(bytes(text))]
    )
    return _with_nulls_of(array, cells.cast(pa.binary()))


def _hex_text(array: pa.Array) -> pa.Array:
    array = array.cast(pa.binary())
    offsets = pa.Array.from_buffers(
        pa.int32(), len(array) + 1, [None, array.buffers()[1]], offset=array.offset
    )
    start, end = offsets[0].as_py(), offsets[-1].as_py()
    data = array.buffers()[2]
    digits = b"" if data is None else memoryview(data)[start:end].hex().encode()
    two = pa.scalar(2, pa.int32())  # a plain 2 would make 64-bit offsets
    doubled = pc.multiply(pc.subtract(offsets, pa.scalar(start, pa.int32())), two)
    cells = pa.Array.from_buffers(
        pa.binary(), len(array), [None, doubled.buffers()[1], pa.py_buffer(digits)]
    )
    return _with_nulls_of(array, pc.binary_join_element_wise(b"\\x", cells, b""))


def _with_nulls_of(source: pa.Array, cells: pa.Array) -> pa.Array:
    if source.null_count == 0:
        return cells
    return pc.if_else(source.is_valid(), cells, pa.scalar(None, cells.type))


# ------------------------------------------------------------------------------- binary format


def _binary_cells(array: pa.Array, type_: PgType) -> Fixed | Varying:
    if type_ in _TEXTS or type_ is BYTEA:
        return _varying(array)
    if type_.category == "E":
        return _varying(_labels(array, type_, DEFAULT_CONTEXT))
    if type_ is JSONB:
        return _varying(pc.binary_join_element_wise(b"\x01", array.cast(pa.binary()), b""))
    if type_ in _WIDTHS or type_ in {TIME, TIMESTAMP, TIMESTAMPTZ}:
        return _number_cells(_since_2000(array, type_), _WIDTHS.get(type_, 8))
    if type_ is BOOL:
        return _number_cells(array.cast(pa.uint8()), 1)
    if type_ is UUID:
        return _fixed(array, _fixed_bytes(array, 16), 16)
    if type_ is INTERVAL:
        return _fixed(array, _interval_bytes(array), 16)
    send = type_.send
    sent = [None if value is None else send(value) for value in arrow_to_values(array, type_)]
    return _varying(pa.array(sent, pa.binary()))


def _since_2000(array: pa.Array, type_: PgType) -> pa.Array:
    if type_ is OID:
        return array.cast(pa.uint32())
    if type_ is DATE:
        shift, infinity = EPOCH_2000_DAYS, (1 << 31) - 1
    elif type_ in {TIMESTAMP, TIMESTAMPTZ}:
        shift, infinity = EPOCH_2000_US, (1 << 63) - 1
    else:
        return array
    if _within(array, -infinity, infinity - 1):
        return pc.subtract(array, pa.scalar(shift, array.type))
    extremes = pa.array([infinity, -infinity - 1], array.type)
    return pc.if_else(
        pc.is_in(array, extremes), array, pc.subtract(array, pa.scalar(shift, array.type))
    )


def _number_cells(array: pa.Array, width: int) -> Fixed | Varying:
    raw = _raw(array, width)
    if width > 1:
        words = numbers(_CODES[width])
        words.frombytes(raw)
        words.byteswap()
        raw = memoryview(words).cast("B")
    return _fixed(array, raw, width)


def _raw(array: pa.Array, width: int) -> memoryview:
    buffer = array.buffers()[1]
    return memoryview(buffer)[width * array.offset : width * (array.offset + len(array))]


def _fixed_bytes(array: pa.Array, width: int) -> memoryview:
    return _raw(array, width)


def _interval_bytes(array: pa.Array) -> bytes:
    # Stored as months, days, microseconds; sent as microseconds, days, months.
    stored = _raw(array, 16)
    sent = bytearray(len(stored))
    for to, start, size in ((0, 8, 8), (8, 4, 4), (12, 0, 4)):
        for i in range(size):
            sent[to + i :: 16] = stored[start + i :: 16]
    return bytes(sent)


def _fixed(source: pa.Array, data: bytes | memoryview, width: int) -> Fixed | Varying:
    if source.null_count == 0:
        return Fixed(width, data)
    cells = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(source), [None, pa.py_buffer(bytes(data))]
    )
    return _varying(_with_nulls_of(source, cast("pa.Array", cells.cast(pa.binary()))))
