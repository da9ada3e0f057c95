"""Tuples to Arrow and back: the one module that knows both forms of a stored value.

A column's Arrow type alone says how its values are stored in a row (`storage.layout.Row`): times
are ints, decimals are strings, lists are tuples, everything else is itself. A column of arrays is a list in
its layout; in batches and files that have an array of another shape it is the shaped form of that list
(`storage.shaped`), so whoever reads arrays looks at the type that the column has there.

No datetime or Decimal object is ever built: int columns are made and viewed as times, so 100 000 rows of
five columns take some 0.1 s.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import cast

import pyarrow as pa

from storage.errors import FeatureNotSupportedError
from storage.layout import Column, Layout, Row, Value
from storage.shaped import (
    BoundedArray,
    is_list,
    is_shaped,
    shaped,
    shaped_array,
    shaped_values,
)

SEQ = "_seq"
"""int64: the commit that wrote the row."""
DELETED = "_deleted"
"""bool: the row is a tombstone; its columns hold the row that was deleted."""


def column_name(column: Column) -> str:
    """Name of a column in every batch and Parquet file; it survives renames."""
    return f"c{column.id}"


@lru_cache(maxsize=4096)
def schema_of(layout: Layout) -> pa.Schema:
    """Arrow schema of a tablet's batches: the layout's columns, then `_seq` and `_deleted`."""
    fields = [pa.field(column_name(column), column.arrow) for column in layout.columns]
    return pa.schema(
        [
            *fields,
            pa.field(SEQ, pa.int64(), nullable=False),
            pa.field(DELETED, pa.bool_(), nullable=False),
        ]
    )


@lru_cache(maxsize=4096)
def key_schema_of(layout: Layout) -> pa.Schema:
    """Arrow schema of a set of primary keys: the key's columns in key order."""
    columns = [layout.columns[position] for position in layout.key]
    return pa.schema([pa.field(column_name(column), column.arrow) for column in columns])


def to_batch(
    rows: Sequence[Row], layout: Layout, seqs: Sequence[int], deleted: Sequence[bool]
) -> pa.RecordBatch:
    """Rows of one layout as a record batch with the schema `schema_of(layout)`, or shaped columns in it.

    Args:
        rows: n rows of `layout`.
        layout: The schema version that every row has.
        seqs: n commit sequence numbers.
        deleted: n flags: the row is a tombstone.
    """
    columns = zip(*rows, strict=True) if rows else [()] * len(layout.columns)
    arrays = [
        to_column(values, column.arrow)
        for values, column in zip(columns, layout.columns, strict=True)
    ]
    arrays += [pa.array(seqs, pa.int64()), pa.array(deleted, pa.bool_())]
    return pa.record_batch(arrays, schema=_as_they_are(schema_of(layout), arrays))


def _as_they_are(schema: pa.Schema, arrays: Sequence[pa.Array]) -> pa.Schema:
    """The schema with the columns in shaped form that these are."""
    for at, array in enumerate(arrays):
        if is_shaped(array.type):
            schema = schema.set(at, schema.field(at).with_type(array.type))
    return schema


def to_batches(
    rows: Sequence[Row], layout: Layout, seqs: Sequence[int], deleted: Sequence[bool]
) -> Iterator[pa.RecordBatch]:
    """As `to_batch`, in more than one when a column of them all is larger than Arrow's 2 GiB."""
    try:
        yield to_batch(rows, layout, seqs, deleted)
    except (pa.ArrowException, TypeError, ValueError):
        # A column that is too large comes in chunks, of which no batch can be made.
        half = len(rows) // 2
        if not half:
            raise
        yield from to_batches(rows[:half], layout, seqs[:half], deleted[:half])
        yield from to_batches(rows[half:], layout, seqs[half:], deleted[half:])


def key_batch(keys: Sequence[Row], layout: Layout) -> pa.RecordBatch:
    """Primary keys (each a tuple of the key's values, in key order) as a record batch."""
    schema = key_schema_of(layout)
    columns = zip(*keys, strict=True) if keys else [()] * len(schema)
    arrays = [to_array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def to_rows(batch: pa.RecordBatch, layout: Layout) -> list[Row]:
    """The rows of a batch (or table) in the form of `layout`.

    Columns that the batch lacks hold their missing value, columns that the layout lacks are left
    out, so this also projects from the layout that the batch was written with.
    """
    count = batch.num_rows
    names = set(batch.schema.names)
    columns: list[Sequence[Value]] = []
    for column in layout.columns:
        name = column_name(column)
        if name in names:
            columns.append(to_values(batch.column(name)))
        else:
            columns.append((column.missing,) * count)
    return list(zip(*columns, strict=True))


@lru_cache(maxsize=4096)
def projector(source: Layout, target: Layout) -> Callable[[Row], Row] | None:
    """A function from rows of one layout to rows of another, by column id; None if they are alike."""
    at = {column.id: position for position, column in enumerate(source.columns)}
    picks = [(at.get(column.id, -1), column.missing) for column in target.columns]
    if [position for position, _ in picks] == list(range(len(source.columns))):
        return None

    def move(row: Row) -> Row:
        return tuple([row[position] if position >= 0 else missing for position, missing in picks])

    return move


def project(row: Row, source: Layout, target: Layout) -> Row:
    """A row of layout `source` in the form of `target`: new columns hold their missing value."""
    move = projector(source, target)
    return row if move is None else move(row)


def to_column(values: Sequence[Value], kind: pa.DataType) -> pa.Array:
    """Stored values (or None) as a column that a layout has as `kind`: in shaped form if need be."""
    try:
        return to_array(values, kind)
    except FeatureNotSupportedError:
        if not is_list(kind):
            raise
        return to_array(values, shaped(kind))


def to_array(values: Sequence[Value], kind: pa.DataType) -> pa.Array:
    """Stored values (or None) as an Arrow array of type `kind`; a struct's are tuples of its fields.

    Raises:
        FeatureNotSupportedError: An array of several dimensions, or one that does not begin at 1, for a
            list: Arrow's list type says how deep it is, PostgreSQL's array type does not.
    """
    plain = _plain_of(kind)
    if plain is not None:
        return pa.array(values, plain).view(kind)
    if pa.types.is_decimal(kind):
        return pa.array(values, pa.string()).cast(kind)
    if is_list(kind) and _converted(kind.value_type):
        return _list_array(cast("Sequence[tuple[Value, ...] | None]", values), kind)
    if is_shaped(kind):
        return shaped_array(values, kind, to_array)
    if pa.types.is_struct(kind):
        return _struct_array(cast("Sequence[tuple[Value, ...]]", values), kind)
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        if is_list(kind):
            _refuse_shaped(values, kind)
        raise


def to_values(array: pa.Array | pa.ChunkedArray) -> list[Value]:
    """The stored values of an Arrow array, None for null; of a struct, tuples of its fields."""
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in to_values(chunk)]
    kind = array.type
    plain = _plain_of(kind)
    if plain is not None:
        return cast("list[Value]", array.view(plain).to_pylist())
    if pa.types.is_decimal(kind):
        return [_plain_decimal(text) for text in array.cast(pa.string()).to_pylist()]
    if is_list(kind):
        return list_values(array, to_values)
    if pa.types.is_fixed_size_list(kind):
        return [None if items is None else tuple(items) for items in array.to_pylist()]
    if is_shaped(kind):
        return shaped_values(array, to_values)
    if pa.types.is_struct(kind):
        columns = [to_values(array.field(at)) for at in range(kind.num_fields)]
        return list(zip(*columns, strict=True)) if columns else [()] * len(array)
    return cast("list[Value]", array.to_pylist())


def list_values(array: pa.Array, of_items: Callable[[pa.Array], list[Value]]) -> list[Value]:
    """The tuples of an array of lists; `of_items` gives the values of all items."""
    offsets = array.offsets.to_pylist()
    items = of_items(array.values)
    valid = array.is_valid().to_pylist()
    return [
        tuple(items[offsets[position] : offsets[position + 1]]) if there else None
        for position, there in enumerate(valid)
    ]


def value_getter(array: pa.Array) -> Callable[[int], Value]:
    """A function from position to stored value: for a few values out of many, 1 µs each."""
    plain = _plain_of(array.type)
    if plain is None and (pa.types.is_nested(array.type) or pa.types.is_decimal(array.type)):
        return lambda at: to_values(array.slice(at, 1))[0]
    whole = array if plain is None else array.view(plain)
    return lambda at: cast("Value", whole[at].as_py())


def _plain_of(kind: pa.DataType) -> pa.DataType | None:
    """The integer type that a time type is a view of; None for other types."""
    if pa.types.is_timestamp(kind) or pa.types.is_time64(kind):
        return pa.int64()
    if pa.types.is_date32(kind):
        return pa.int32()
    return None


def _converted(kind: pa.DataType) -> bool:
    """Whether values of this type differ in form from what pyarrow takes as they are."""
    if is_list(kind):
        return _converted(kind.value_type)
    if pa.types.is_struct(kind):
        return True
    return _plain_of(kind) is not None or bool(pa.types.is_decimal(kind))


def _list_array(values: Sequence[tuple[Value, ...] | None], kind: pa.DataType) -> pa.Array:
    _refuse_shaped(values, kind)
    offsets: list[int | None] = []
    items: list[Value] = []
    for value in values:
        # pyarrow reads a null offset as a null list.
        offsets.append(None if value is None else len(items))
        if value is not None:
            items.extend(value)
    offsets.append(len(items))
    children = to_array(items, kind.value_type)
    large = pa.types.is_large_list(kind)
    width, build = (pa.int64(), pa.LargeListArray) if large else (pa.int32(), pa.ListArray)
    return build.from_arrays(pa.array(offsets, width), children, type=kind)


def _struct_array(values: Sequence[tuple[Value, ...]], kind: pa.DataType) -> pa.Array:
    columns = list(zip(*values, strict=True)) or [()] * kind.num_fields
    arrays = [to_array(column, field.type) for column, field in zip(columns, kind, strict=True)]
    return pa.StructArray.from_arrays(arrays, fields=list(kind))


def _refuse_shaped(values: Sequence[Value], kind: pa.DataType) -> None:
    """Raise if one of these arrays is none that a list has room for."""
    flat = not pa.types.is_nested(kind.value_type)
    for value in values:
        if isinstance(value, BoundedArray):
            raise FeatureNotSupportedError("arrays that do not begin at 1 are not supported here")
        if flat and isinstance(value, tuple) and value and isinstance(value[0], tuple):
            raise FeatureNotSupportedError("multidimensional arrays are not supported here")


def _plain_decimal(text: str | None) -> str | None:
    # Arrow writes small values as 1.000E-7; the stored form has no exponent.
    if text is not None and "E" in text:
        return format(Decimal(text), "f")
    return text
