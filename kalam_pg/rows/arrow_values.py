"""Between Arrow arrays and stored values, type by type.

The stored form of a type is `catalog.types.table`'s; its Arrow type is `PgType.arrow`, but an engine's
result may come in others: string views, dictionaries, wider integers, decimals of any scale.
"""

from collections.abc import Sequence
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import FeatureNotSupportedError, NumericValueOutOfRangeError
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
from storage.layout import Value

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
    """Return the stored values of an Arrow array or chunked array."""
    array = plain(array, type_)
    element = type_.element
    if type_ is VECTOR:
        return [None if value is None else tuple(value) for value in array.to_pylist()]
    if element is None:
        return cast("list[Value]", array.to_pylist())
    return _list_values(array, element)


def _list_values(array: pa.Array, element: PgType) -> list[Value]:
    if pa.types.is_null(array.type):
        return [None] * len(array)
    if pa.types.is_fixed_size_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    start = array.offsets[0].as_py() if len(array) else 0
    items = array.values
    if _is_list(items.type) and element is not VECTOR:
        flat = _list_values(items, element)
    else:
        flat = arrow_to_values(items, element)
    del start
    offsets = array.offsets.to_pylist()
    valid = array.is_valid().to_pylist()
    return [
        tuple(flat[offsets[i] : offsets[i + 1]]) if valid[i] else None for i in range(len(array))
    ]


def _is_list(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(type_)
        or pa.types.is_large_list(type_)
        or pa.types.is_fixed_size_list(type_)
    )


def values_to_arrow(values: Sequence[Value], type_: PgType, typmod: int = -1) -> pa.Array:
    """Return stored values as the type's Arrow array, `type_.arrow(typmod)`.

    Raises:
        FeatureNotSupportedError: 0A000, an array of several dimensions, which Arrow's lists of one
            element type have no room for.
    """
    wanted = type_.arrow(typmod)
    if type_ in _COUNTS:
        return pa.array(values, _COUNTS[type_]).cast(wanted)
    if type_ is NUMERIC:
        return _numeric_array(values, wanted)
    if type_.element is None or type_ is VECTOR:
        return pa.array(values, wanted)
    flat: list[Value] = []
    offsets: list[int | None] = []
    for value in values:
        offsets.append(None if value is None else len(flat))
        if value is not None:
            flat.extend(cast("tuple[Value, ...]", value))
    offsets.append(len(flat))
    element = type_.element
    if element is not VECTOR and any(isinstance(item, tuple) for item in flat):
        raise FeatureNotSupportedError("arrays of several dimensions cannot be stored")
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), values_to_arrow(flat, element, typmod), type=wanted
    )


def _numeric_array(values: Sequence[Value], wanted: pa.DataType) -> pa.Array:
    text = pa.array(values, pa.string())
    return pc.cast(text, wanted) if pa.types.is_decimal(wanted) else text
