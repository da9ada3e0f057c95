"""vector(n), also spelt embedding(n): n reals, in pgvector's text and binary forms."""

import math
import re
from struct import Struct
from typing import cast

import pyarrow as pa

from catalog.errors import (
    DataExceptionError,
    InvalidParameterValueError,
    InvalidTextRepresentationError,
    NumericValueOutOfRangeError,
)
from catalog.types.common import SPACES, bad_binary, bad_text
from catalog.types.float import float4_output, is_tie, pack_reals, parse_float4, unpack_reals
from catalog.types.table import DEFAULT_CONTEXT, PgType, Storable, TypeContext
from storage.layout import Value

DIMENSIONS_MAX = 16000

_HEADER = Struct("!HH")


def vector_typmod(dimensions: int) -> int:
    """Return the typmod of vector(dimensions), which is the number itself.

    Raises:
        InvalidParameterValueError: 22023.
    """
    if dimensions < 1:
        raise InvalidParameterValueError("dimensions for type vector must be at least 1")
    if dimensions > DIMENSIONS_MAX:
        message = f"dimensions for type vector cannot exceed {DIMENSIONS_MAX}"
        raise InvalidParameterValueError(message)
    return dimensions


def parse_vector(text: str, typmod: int, _context: TypeContext) -> tuple[float, ...]:
    """Return the reals of `[1,2,3]`."""
    stripped = text.strip(SPACES)
    if not (stripped.startswith("[") and stripped.endswith("]") and len(stripped) > 1):
        raise bad_text("vector", text, _HINT)
    inside = stripped[1:-1].strip(SPACES)
    if not inside:
        raise DataExceptionError("vector must have at least 1 dimension")
    parts = inside.split(",")
    values = _parse_all(parts) if _PLAIN.fullmatch(inside) else None
    if values is None:
        values = tuple([_element(part, text) for part in parts])
    return check_vector(values, typmod)


_PLAIN = re.compile(r"[-+0-9eE., ]*")


def _parse_all(parts: list[str]) -> tuple[float, ...] | None:
    """Return all reals at once; None where one of them needs a closer look."""
    try:
        wide = list(map(float, parts))
        values: tuple[float, ...] = unpack_reals(pack_reals(wide))
    except (ValueError, OverflowError):
        return None
    for value, double in zip(values, wide, strict=True):
        # A double between two reals may lie on the wrong side of the text that it was read from.
        if value != double and (value == 0.0 or is_tie(double)):
            return None
    return values


_HINT = 'Vector contents must start with "[" and end with "]".'


def _element(part: str, text: str) -> float:
    try:
        return parse_float4(part)
    except NumericValueOutOfRangeError:
        message = f'"{part.strip(SPACES)}" is out of range for type vector'
        raise NumericValueOutOfRangeError(message) from None
    except InvalidTextRepresentationError:
        raise bad_text("vector", text) from None


def check_vector(values: tuple[float, ...], typmod: int = -1) -> tuple[float, ...]:
    """Return `values` if a vector of that typmod may have them.

    Raises:
        DataExceptionError: 22000, the wrong number of dimensions, NaN or infinite.
    """
    if typmod > 0 and len(values) != typmod:
        raise DataExceptionError(f"expected {typmod} dimensions, not {len(values)}")
    if len(values) > DIMENSIONS_MAX:
        raise DataExceptionError(f"vector cannot have more than {DIMENSIONS_MAX} dimensions")
    if not values:
        raise DataExceptionError("vector must have at least 1 dimension")
    if not math.isfinite(sum(values)):
        for value in values:
            if math.isnan(value):
                raise DataExceptionError("NaN not allowed in vector")
            if math.isinf(value):
                raise DataExceptionError("infinite value not allowed in vector")
    return values


def vector_output(value: Value, _context: TypeContext) -> str:
    """Return `[1,2,3]`, without spaces."""
    items = cast("tuple[float, ...]", value)
    return f"[{','.join([float4_output(item, DEFAULT_CONTEXT) for item in items])}]"


def _receive(data: bytes, typmod: int) -> tuple[float, ...]:
    if len(data) < 4:
        raise bad_binary()
    count, unused = _HEADER.unpack_from(data)
    if unused:
        raise DataExceptionError(f"expected unused to be 0, not {unused}")
    if len(data) != 4 + 4 * count:
        raise bad_binary()
    return check_vector(unpack_reals(data[4:]), typmod)


def _send(value: Value) -> bytes:
    items = cast("tuple[float, ...]", value)
    return _HEADER.pack(len(items), 0) + pack_reals(items)


def _arrow(typmod: int) -> pa.DataType:
    return pa.list_(pa.float32(), typmod) if typmod > 0 else pa.list_(pa.float32())


def _storable(typmod: int) -> Storable:
    def check(value: Value) -> None:
        check_vector(cast("tuple[float, ...]", value), typmod)

    return check


# PostgreSQL gives an extension's types whatever OID is next; ours are fixed, above its last
# built-in object and below the first of its users'.
VECTOR = PgType(
    oid=16001,
    name="vector",
    sql_name="vector",
    length=-1,
    category="U",
    preferred=False,
    array_oid=16002,
    key_kind="none",
    arrow=_arrow,
    input=parse_vector,
    output=vector_output,
    receive=_receive,
    send=_send,
    storable=_storable,
    is_vector=True,
    aliases=("embedding",),
)
