"""Arrays that a list of Arrow has no room for: of several dimensions, or that do not begin at 1.

An array is a tuple of its elements, of tuples if it has several dimensions; with other lower bounds it is a
`BoundedArray`. Nearly all have one dimension and begin at 1, and are lists in Arrow. A column of which some
row of a batch or file has any other is there the *shaped* form of its list, which says it of each row:

    struct<items: list<T>, sizes: list<int32>, lower: list<int32>>

items: the elements in storage order. sizes: of each dimension, null for an array of one that begins at 1.
lower: where each begins, null where all are 1. So equal arrays are equal structs, and whoever knows lists
only finds no list: it fails, and never answers as if the array were flat.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec
import pyarrow as pa

_NUMBERS = pa.list_(pa.int32())
_FIELDS = ("items", "sizes", "lower")

_CODE = 2
"""Of a `BoundedArray` among what MessagePack has not. Stored: DO NOT CHANGE."""

Rows = TypeVar("Rows", pa.RecordBatch, pa.Table)


class BoundedArray:
    """An array with its elements as others have them, and the lower bound of each of its dimensions.

    Never empty, and one of the bounds is not 1: two arrays that are equal are so in Python too. Its length,
    and what it gives one by one, are those of the first dimension. It has no `[…]`: whoever takes an
    element must know from where it counts.
    """

    __slots__ = ("items", "lower")

    def __init__(self, items: tuple[Any, ...], lower: tuple[int, ...]) -> None:
        self.items = items
        self.lower = lower

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundedArray):
            return NotImplemented
        return (self.items, self.lower) == (other.items, other.lower)

    def __hash__(self) -> int:
        return hash((self.items, self.lower))

    def __repr__(self) -> str:
        return f"BoundedArray({self.items!r}, {self.lower!r})"

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def to_extension(value: object) -> msgspec.msgpack.Ext:
    """What MessagePack has for such an array; TypeError for anything else."""
    if not isinstance(value, BoundedArray):
        raise TypeError(type(value).__name__)
    return msgspec.msgpack.Ext(_CODE, msgspec.msgpack.encode((value.lower, value.items)))


def from_extension(code: int, data: memoryview) -> BoundedArray:
    """The inverse of `to_extension`."""
    if code != _CODE:
        raise ValueError(code)
    lower, items = msgspec.msgpack.decode(data)
    return BoundedArray(_tuples(items), tuple(lower))


def _tuples(items: list[Any]) -> tuple[Any, ...]:
    return tuple([_tuples(item) if isinstance(item, list) else item for item in items])


# ------------------------------------------------------------------ types


@lru_cache(maxsize=256)
def shaped(kind: pa.DataType) -> pa.DataType:
    """The shaped form of a list type; of a shaped one itself."""
    if is_shaped(kind):
        return kind
    return pa.struct([("items", kind), ("sizes", _NUMBERS), ("lower", _NUMBERS)])


def is_shaped(kind: pa.DataType) -> bool:
    """Whether a type is the shaped form of a list."""
    if not pa.types.is_struct(kind) or kind.num_fields != len(_FIELDS):
        return False
    return tuple(field.name for field in kind) == _FIELDS


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is that of lists of any length."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def shaped_columns(schema: pa.Schema) -> frozenset[str]:
    """The names of the columns that are in shaped form."""
    return frozenset([field.name for field in schema if is_shaped(field.type)])


def with_shaped(schema: pa.Schema, names: Iterable[str]) -> pa.Schema:
    """The schema with these columns, as far as it has them, in shaped form."""
    for name in names:
        at = schema.get_field_index(name)
        if at >= 0:
            field = schema.field(at)
            schema = schema.set(at, field.with_type(shaped(field.type)))
    return schema


# ------------------------------------------------------------------ values


def holds(items: Sequence[object], kind: pa.DataType) -> bool:
    """Whether these elements are a plain list of `kind`: all of an array's are arrays, or none is."""
    nested = bool(items) and items[0].__class__ is tuple
    return not nested or pa.types.is_nested(kind.value_type)


def shaped_array(
    values: Sequence[Any], kind: pa.DataType, of_lists: Callable[[list[Any], pa.DataType], pa.Array]
) -> pa.Array:
    """Arrays, or None, in the shaped form `kind`. of_lists: makes plain ones an array of lists."""
    lists = kind.field("items").type
    items: list[Any] = []
    sizes: list[Sequence[int] | None] = []
    lower: list[tuple[int, ...] | None] = []
    for value in values:
        bounded = isinstance(value, BoundedArray)
        array, bounds = (value.items, value.lower) if bounded else (value, None)
        plain = array is None or (not bounded and holds(array, lists))
        found, size = (array, None) if plain else _flat(array, lists)
        items.append(found)
        sizes.append(size)
        lower.append(bounds)
    missing = pa.array([value is None for value in values], pa.bool_())
    parts = [of_lists(items, lists), pa.array(sizes, _NUMBERS), pa.array(lower, _NUMBERS)]
    return pa.StructArray.from_arrays(parts, fields=list(kind), mask=missing)


def _flat(items: tuple[Any, ...], lists: pa.DataType) -> tuple[tuple[Any, ...], list[int]]:
    """An array's elements in one row, and its sizes."""
    sizes = [len(items)]
    while not holds(items, lists):
        sizes.append(len(items[0]))
        items = tuple([item for row in items for item in row])
    return items, sizes


def shaped_values(array: pa.Array, of_lists: Callable[[pa.Array], list[Any]]) -> list[Any]:
    """The arrays of a shaped column, None for null. of_lists: gives the values of an array of lists."""
    values = of_lists(array.field(0))
    if array.null_count:
        there = array.is_valid().to_pylist()
        values = [value if valid else None for value, valid in zip(values, there, strict=True)]
    sizes = array.field(1)
    if sizes.null_count == len(sizes):
        return values
    shapes = zip(values, sizes.to_pylist(), array.field(2).to_pylist(), strict=True)
    return [
        items if items is None or size is None else _nested(items, size, lower)
        for items, size, lower in shapes
    ]


def _nested(items: tuple[Any, ...], sizes: list[int], lower: list[int] | None) -> Any:  # noqa: ANN401
    for size in reversed(sizes[1:]):
        items = tuple([items[at : at + size] for at in range(0, len(items), size)])
    return items if lower is None else BoundedArray(items, tuple(lower))


# ------------------------------------------------------------------ columns


def in_form(column: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """A stored column as one of type `kind`, which may be wider than what it was written with.

    Lists get room for shapes where `kind` has it. What is in shaped form remains so: no list has room.
    """
    of = column.type
    if is_shaped(of):
        kind = shaped(kind)
    elif is_shaped(kind):
        return _with_room(in_form(column, kind.field("items").type), kind)
    return column if of == kind else column.cast(kind)


def _with_room(column: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if isinstance(column, pa.ChunkedArray):
        return pa.chunked_array([_with_room(chunk, kind) for chunk in column.chunks], kind)
    none = pa.nulls(len(column), _NUMBERS)
    parts = [column, none, none]
    return pa.StructArray.from_arrays(parts, fields=list(kind), mask=column.is_null())


def alike(parts: Sequence[Rows]) -> Sequence[Rows]:
    """Batches or tables of one layout in one form: a column that is shaped in one is so in all."""
    if len(parts) < 2 or all(part.schema.equals(parts[0].schema) for part in parts[1:]):
        return parts
    names = frozenset[str]().union(*[shaped_columns(part.schema) for part in parts])
    return [in_shaped(part, names) for part in parts] if names else parts


def in_shaped(part: Rows, names: Iterable[str]) -> Rows:
    """A batch or table with these columns, as far as it has them, in shaped form."""
    for name in names:
        at = part.schema.get_field_index(name)
        if at >= 0 and not is_shaped(part.schema.field(at).type):
            field = part.schema.field(at)
            kind = shaped(field.type)
            part = part.set_column(at, field.with_type(kind), in_form(part.column(at), kind))
    return part


def alike_arrays(parts: Sequence[pa.Array]) -> Sequence[pa.Array]:
    """Arrays of one column in one form, as `alike`."""
    form = next((shaped(part.type) for part in parts if is_shaped(part.type)), None)
    if form is None:
        return parts
    return cast("Sequence[pa.Array]", [in_form(part, form) for part in parts])
