"""DataRow messages from stored rows, one at a time: the hot path of small results.

An encoder is a closure specialised to the result's types and formats. Each column has one, which
returns a value's length word and bytes in one piece.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, TypeAlias

from catalog.types.datetime_output import date_text, timestamp_text, timestamptz_text
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
    VARCHAR,
)
from catalog.types.table import PgType, TypeContext
from storage.layout import Row, Value

TEXT_FORMAT, BINARY_FORMAT = 0, 1

Encoder: TypeAlias = Callable[[Row], bytes]
"""Returns the DataRow message of one row."""

_Cell: TypeAlias = Callable[[Any], bytes]  # Of a stored value of the column's type.

_HEADER = Struct("!BiH")
_LENGTH = Struct("!i")
_NULL = b"\xff\xff\xff\xff"
# Length words of short values, which most are.
_LENGTHS = [length.to_bytes(4, "big") for length in range(1024)]

# Types whose stored text is their wire text, in both formats but for jsonb.
_TEXTS = frozenset({TEXT, VARCHAR, BPCHAR, NAME, UNKNOWN, JSON})
_FIXED = {
    (INT2, BINARY_FORMAT): Struct("!ih"),
    (INT4, BINARY_FORMAT): Struct("!ii"),
    (INT8, BINARY_FORMAT): Struct("!iq"),
    (OID, BINARY_FORMAT): Struct("!iI"),
    (FLOAT4, BINARY_FORMAT): Struct("!if"),
    (FLOAT8, BINARY_FORMAT): Struct("!id"),
}


def encode_rows(
    rows: Iterable[Row],
    types: Sequence[PgType],
    typmods: Sequence[int],
    formats: Sequence[int],
    context: TypeContext,
) -> bytes:
    """Return the DataRow messages of `rows`; formats are 0 text, 1 binary, one for each column."""
    return b"".join(map(row_encoder(types, typmods, formats, context), rows))


def row_encoder(
    types: Sequence[PgType],
    typmods: Sequence[int],
    formats: Sequence[int],
    context: TypeContext,
) -> Encoder:
    """Return the encoder of rows of these types in these formats. Equal requests share one."""
    if context.objects is not None:
        # Names of catalogue objects change under equal settings.
        return _build(tuple(types), tuple(formats), context)
    return _cached(tuple(types), tuple(typmods), tuple(formats), context)


@lru_cache(maxsize=256)
def _cached(
    types: tuple[PgType, ...],
    _typmods: tuple[int, ...],
    formats: tuple[int, ...],
    context: TypeContext,
) -> Encoder:
    return _build(types, formats, context)


def _build(types: tuple[PgType, ...], formats: tuple[int, ...], context: TypeContext) -> Encoder:
    cells = [
        cell_encoder(type_, format_, context) for type_, format_ in zip(types, formats, strict=True)
    ]
    columns = len(cells)
    header = _HEADER.pack
    join = b"".join

    def encode(row: Row) -> bytes:
        body = join(
            [_NULL if value is None else cell(value) for cell, value in zip(cells, row)]  # noqa: B905
        )
        return header(68, len(body) + 6, columns) + body  # 68 is 'D'

    return encode


def cell_encoder(type_: PgType, format_: int, context: TypeContext) -> _Cell:
    """Return the function from a value that is not None to its length word and bytes."""
    if type_ in _TEXTS or (type_ in {JSONB, NUMERIC} and format_ == TEXT_FORMAT):
        return _text_cell
    if type_ is BOOL:
        return _binary_bool if format_ == BINARY_FORMAT else _text_bool
    fixed = _FIXED.get((type_, format_))
    if fixed is not None:
        return _fixed_cell(fixed)
    if format_ == BINARY_FORMAT:
        return _sent(type_.send)
    if type_ in {INT2, INT4, INT8, OID}:
        return _integer_cell
    if type_ is TIMESTAMP:
        return _written(timestamp_text, context)
    if type_ is TIMESTAMPTZ:
        return _written(timestamptz_text, context)
    if type_ is DATE:
        return _written(date_text, context)
    return _written(type_.output, context)


def _text_cell(value: str) -> bytes:
    data = value.encode()
    length = len(data)
    return (_LENGTHS[length] if length < 1024 else _LENGTH.pack(length)) + data


def _integer_cell(value: int) -> bytes:
    data = b"%d" % value
    return _LENGTHS[len(data)] + data


def _text_bool(value: Value) -> bytes:
    return b"\0\0\0\x01t" if value else b"\0\0\0\x01f"


def _binary_bool(value: Value) -> bytes:
    return b"\0\0\0\x01\x01" if value else b"\0\0\0\x01\0"


def _fixed_cell(layout: Struct) -> _Cell:
    pack = layout.pack
    size = layout.size - 4
    return lambda value: pack(size, value)


def _sent(send: Callable[[Value], bytes]) -> _Cell:
    def cell(value: Value) -> bytes:
        data = send(value)
        return _LENGTH.pack(len(data)) + data

    return cell


def _written(write: Callable[..., str], context: TypeContext) -> _Cell:
    def cell(value: Value) -> bytes:
        data = write(value, context).encode()
        length = len(data)
        return (_LENGTHS[length] if length < 1024 else _LENGTH.pack(length)) + data

    return cell
