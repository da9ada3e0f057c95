"""Physical forms: which Arrow type holds a PostgreSQL value in a query, and literals of each.

numeric is Decimal128 where precision and scale are statically known (typmods, literals), else its
canonical text; every other type has one form.
"""

from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry as types
from catalog.types.bounded import BoundedArray
from catalog.types.table import PgType
from storage.layout import Value

TEXT = pa.string()
BINARY = pa.binary()
BOOLEAN = pa.bool_()
INT64 = pa.int64()
_MAX_PRECISION = 38


@dataclass(frozen=True, slots=True)
class Sql:
    """DataFusion SQL of a value, and its physical type.

    fallible: evaluating it may raise, so it must not run where PostgreSQL would not reach it.
    """

    text: str
    physical: pa.DataType
    fallible: bool = False


def canonical(pg_type: PgType) -> pa.DataType:
    """The form that functions take and give."""
    if pg_type.pseudo and pg_type not in {types.VOID, types.CSTRING}:
        raise FeatureNotSupportedError(f"{pg_type.sql_name} values are not supported here")
    return pg_type.arrow(-1)


def decimal_type(typmod: int) -> pa.DataType | None:
    """Decimal128 of a numeric typmod, None when it does not fit one."""
    if typmod < 4:
        return None
    precision, scale = (typmod - 4) >> 16 & 0xFFFF, (typmod - 4) & 0x7FF
    return decimal(precision, scale)


def decimal(precision: int, scale: int) -> pa.DataType | None:
    """Decimal128(p, s) if there is one."""
    if not 0 < precision <= _MAX_PRECISION or not 0 <= scale <= precision:
        return None
    return pa.decimal128(precision, scale)


def is_decimal(physical: pa.DataType) -> bool:
    """Whether a numeric is held as Decimal128."""
    return bool(pa.types.is_decimal128(physical))


def type_name(physical: pa.DataType) -> str:
    """The type as arrow_cast spells it."""
    if is_decimal(physical):
        return f"Decimal128({physical.precision}, {physical.scale})"
    if pa.types.is_list(physical):
        return f"List({type_name(physical.value_type)})"
    if pa.types.is_fixed_size_binary(physical):
        return f"FixedSizeBinary({physical.byte_width})"
    return _NAMES[physical]


_NAMES = {
    pa.bool_(): "Boolean",
    pa.int16(): "Int16",
    pa.int32(): "Int32",
    pa.int64(): "Int64",
    pa.float32(): "Float32",
    pa.float64(): "Float64",
    pa.string(): "Utf8",
    pa.binary(): "Binary",
    pa.date32(): "Date32",
    pa.time64("us"): "Time64(Microsecond)",
    pa.timestamp("us"): "Timestamp(Microsecond, None)",
    pa.timestamp("us", "UTC"): 'Timestamp(Microsecond, Some("UTC"))',
}


def quote(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def arrow_cast(text: str, physical: pa.DataType) -> str:
    """A conversion to a physical type."""
    return f"arrow_cast({text}, '{type_name(physical)}')"


def literal(value: Value, pg_type: PgType) -> Sql:
    """A constant in its best form: a numeric as Decimal128 when it fits."""
    if pg_type is types.NUMERIC and isinstance(value, str) and value[-1].isdigit():
        digits = Decimal(value).as_tuple()
        scale = -int(digits.exponent)
        physical = decimal(max(len(digits.digits), scale, 1), scale)
        if physical is not None:
            return Sql(arrow_cast(quote(value), physical), physical)
    physical = canonical(pg_type)
    return Sql(_text(value, physical), physical)


def null(physical: pa.DataType) -> str:
    """NULL of a type."""
    return arrow_cast("NULL", physical)


def _text(value: Value, physical: pa.DataType) -> str:
    if value is None:
        return null(physical)
    if physical == BOOLEAN:
        return "true" if value else "false"
    if isinstance(value, str):
        return arrow_cast(quote(value), TEXT)
    if isinstance(value, bytes):
        return arrow_cast(f"X'{value.hex()}'", physical)
    if isinstance(value, float):
        return arrow_cast(quote(repr(value)), physical)
    if isinstance(value, BoundedArray):
        raise FeatureNotSupportedError("arrays that do not begin at 1 are not supported here")
    if isinstance(value, tuple):
        if any(isinstance(item, tuple) for item in value):
            raise FeatureNotSupportedError("multidimensional arrays are not supported here")
        items = ", ".join([_text(item, physical.value_type) for item in value])
        return arrow_cast(f"make_array({items})", physical)
    return arrow_cast(str(value), physical)
