"""Stored values of a type out of whatever Arrow form an engine gives it in.

A type's own Arrow type is `PgType.arrow`, between which and stored values `storage.arrow` converts. An
engine's result may come in others: string views, dictionaries, wider integers, decimals of any scale.
`plain` makes one of them.
"""

from typing import Any

import pyarrow as pa

from catalog.errors import NumericValueOutOfRangeError
from catalog.types.numeric import from_decimal, parse_numeric
from catalog.types.registry import (
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    NUMERIC,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    VECTOR,
)
from catalog.types.table import PgType
from storage.arrow import list_values, to_values
from storage.layout import Value
from storage.shaped import is_shaped, shaped_values

_INTEGERS = {INT2: pa.int16(), INT4: pa.int32(), INT8: pa.int64()}
_COUNTS = {DATE: pa.int32(), TIME: pa.int64(), TIMESTAMP: pa.int64(), TIMESTAMPTZ: pa.int64()}
_UNITS = {
    DATE: pa.date32(),
    TIME: pa.time64("us"),
    TIMESTAMP: pa.timestamp("us"),
    TIMESTAMPTZ: pa.timestamp("us", "UTC"),
}
# From this many decimals on Arrow may write a decimal with an exponent.
_PLAIN_SCALE_MAX = 6


def plain(array: Any, type_: PgType) -> pa.Array:  # noqa: ANN401  # Array or ChunkedArray
    """Return `array` in the one Arrow type that the type's values are read from.

    Dictionaries and views are resolved, integers and times brought to the type's width and unit;
    timestamps of both kinds become naive int64 microseconds, dates int32 days, times int64, numerics
    canonical strings.

    Raises:
        NumericValueOutOfRangeError: 22003, an integer that the type cannot hold.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if type_ in _COUNTS:
        return _count(array, type_)
    if type_ is NUMERIC:
        return _numeric_text(array)
    if type_.element is not None or type_ is VECTOR:
        return array
    wanted = type_.arrow(-1)
    if array.type.equals(wanted):
        return array
    if type_ in {FLOAT4, FLOAT8}:
        return array.cast(wanted, safe=False)
    try:
        return array.cast(wanted)
    except pa.ArrowInvalid:
        if type_ in _INTEGERS:
            raise NumericValueOutOfRangeError(f"{type_.sql_name} out of range") from None
        raise


def _count(array: pa.Array, type_: PgType) -> pa.Array:
    if not pa.types.is_integer(array.type) and not array.type.equals(_UNITS[type_]):
        array = array.cast(_UNITS[type_], safe=False)
    return array.cast(_COUNTS[type_])


def _numeric_text(array: pa.Array) -> pa.Array:
    if pa.types.is_decimal(array.type):
        text = array.cast(pa.string())
        if array.type.scale > _PLAIN_SCALE_MAX or array.type.scale < 0:
            written = [
                None if value is None else from_decimal(value) for value in array.to_pylist()
            ]
            return pa.array(written, pa.string())
        return text
    if pa.types.is_integer(array.type):
        return array.cast(pa.string())
    if pa.types.is_floating(array.type):
        numbers = [
            None if value is None else parse_numeric(repr(value)) for value in array.to_pylist()
        ]
        return pa.array(numbers, pa.string())
    return array.cast(pa.string())


def arrow_to_values(array: Any, type_: PgType) -> list[Value]:  # noqa: ANN401
    """Return the stored values of an Arrow array or chunked array, as an engine may give the type."""
    array = plain(array, type_)
    element = type_.element
    if element is None or pa.types.is_null(array.type):
        return to_values(array)
    return _items(array, element)


def _items(array: pa.Array, element: PgType) -> list[Value]:
    """The arrays of an element type, in lists as deep as they are, or in shaped form."""
    if is_shaped(array.type):
        return shaped_values(array, lambda lists: _items(lists, element))
    if pa.types.is_fixed_size_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    if pa.types.is_nested(array.type.value_type) and element is not VECTOR:
        return list_values(array, lambda items: _items(items, element))
    return list_values(array, lambda items: arrow_to_values(items, element))
