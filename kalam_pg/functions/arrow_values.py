"""Stored values out of Arrow arrays and into them, by the Arrow type alone."""

from collections.abc import Sequence

import pyarrow as pa

from kalam_pg.functions.define import Datum


def to_values(array: Datum) -> list[Datum]:
    """An array (or chunked array) as stored values; a struct gives tuples of its fields."""
    kind = array.type
    if pa.types.is_date32(kind):
        return array.cast(pa.int32()).to_pylist()  # type: ignore[no-any-return]
    if pa.types.is_time64(kind) or pa.types.is_timestamp(kind):
        return array.cast(pa.int64()).to_pylist()  # type: ignore[no-any-return]
    if pa.types.is_decimal(kind):
        return array.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
    if pa.types.is_list(kind):
        return _lists(array)
    if pa.types.is_struct(kind):
        columns = [to_values(array.field(i)) for i in range(kind.num_fields)]
        return list(zip(*columns, strict=True)) if columns else [()] * len(array)
    return array.to_pylist()  # type: ignore[no-any-return]


def _lists(array: Datum) -> list[Datum]:
    items = to_values(array.values)
    offsets = array.offsets.to_pylist()
    valid = array.is_valid().to_pylist()
    return [
        tuple(items[offsets[i] : offsets[i + 1]]) if valid[i] else None for i in range(len(valid))
    ]


def from_values(values: Sequence[Datum], kind: pa.DataType) -> Datum:
    """Stored values as an array of a type."""
    if pa.types.is_date32(kind):
        return pa.array(values, pa.int32()).cast(kind)
    if pa.types.is_time64(kind) or pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    if pa.types.is_list(kind):
        return _from_lists(values, kind)
    if pa.types.is_struct(kind):
        columns = list(zip(*values, strict=True)) or [()] * kind.num_fields
        arrays = [from_values(c, kind.field(i).type) for i, c in enumerate(columns)]
        return pa.StructArray.from_arrays(arrays, fields=list(kind))
    return pa.array(values, kind)


def _from_lists(values: Sequence[Datum], kind: pa.DataType) -> Datum:
    items: list[Datum] = []
    offsets: list[int | None] = []
    for value in values:
        if value is None:
            offsets.append(None)
        else:
            offsets.append(len(items))
            items.extend(value)
    offsets.append(len(items))
    if any(isinstance(item, tuple) for item in items) and not pa.types.is_struct(kind.value_type):
        from catalog.errors import FeatureNotSupportedError  # noqa: PLC0415

        raise FeatureNotSupportedError("multidimensional arrays are not supported here")
    array = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), from_values(items, kind.value_type)
    )
    return array if array.type == kind else array.cast(kind)
