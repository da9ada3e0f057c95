"""Arrays of any type: text and binary form. Tuples, nested once per further dimension, or `bounded` ones."""

from collections.abc import Callable
from struct import Struct
from typing import cast

import pyarrow as pa

from catalog.errors import (
    ArraySubscriptError,
    DatatypeMismatchError,
    FeatureNotSupportedError,
)
from catalog.types.array_input import DIMENSIONS_MAX, parse_array, too_many_dimensions
from catalog.types.bounded import BoundedArray, bounded, items_of
from catalog.types.common import SPACES, bad_binary
from catalog.types.table import PgType, Storable, TypeContext
from storage.layout import Value

_HEADER = Struct("!iiI")
_DIMENSION = Struct("!ii")
_LENGTH = Struct("!i")
_NULL = b"\xff\xff\xff\xff"
_NEEDS_QUOTES = frozenset('{},"\\' + SPACES)


def dimensions(value: Value, element: PgType) -> tuple[int, ...]:
    """Return an array's size in each dimension, () for an empty one."""
    sizes = []
    if isinstance(value, BoundedArray):
        value = value.items
    while isinstance(value, tuple) and value:
        sizes.append(len(value))
        if element.is_vector:  # its values are tuples themselves
            break
        value = value[0]
    return tuple(sizes)


def flatten(value: Value, depth: int) -> list[Value]:
    """Return the elements of an array of `depth` dimensions, in order."""
    items = list(cast("tuple[Value, ...]", items_of(value)))
    for _ in range(depth - 1):
        items = [item for row in items for item in cast("tuple[Value, ...]", row)]
    return items


def nest(items: list[Value], sizes: tuple[int, ...]) -> tuple[Value, ...]:
    """Return the array that has `items` in `sizes`: the inverse of `flatten`."""
    for size in reversed(sizes[1:]):
        items = [tuple(items[i : i + size]) for i in range(0, len(items), size)]
    return tuple(items)


def array_output(value: Value, context: TypeContext, element: PgType) -> str:
    """Return `{1,NULL,"two words"}`; `[0:1]={1,2}` where a lower bound is not 1."""
    if isinstance(value, BoundedArray):
        both = zip(value.lower, dimensions(value, element), strict=True)
        bounds = "".join([f"[{first}:{first + size - 1}]" for first, size in both])
        return f"{bounds}={array_output(value.items, context, element)}"
    depth = len(dimensions(value, element))
    return _brace(cast("tuple[Value, ...]", value), depth, context, element)


def _brace(items: tuple[Value, ...], depth: int, context: TypeContext, element: PgType) -> str:
    if depth > 1:
        parts = [
            _brace(cast("tuple[Value, ...]", item), depth - 1, context, element) for item in items
        ]
    else:
        write = element.output
        parts = ["NULL" if item is None else _quoted(write(item, context)) for item in items]
    return "{" + ",".join(parts) + "}"


def _quoted(text: str) -> str:
    if text and _NEEDS_QUOTES.isdisjoint(text) and (len(text) != 4 or text.lower() != "null"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def send_array(value: Value, element: PgType, *, lower_bound: int = 1) -> bytes:
    """Write the binary format: dimensions, null flag, element OID, sizes, then each element."""
    sizes = dimensions(value, element)
    if not sizes:
        return _HEADER.pack(0, 0, element.oid)
    lower: tuple[int, ...] = (lower_bound,) * len(sizes)
    if isinstance(value, BoundedArray):
        value, lower = value.items, value.lower
    items = flatten(value, len(sizes))
    parts = [_HEADER.pack(len(sizes), int(None in items), element.oid)]
    parts += [_DIMENSION.pack(*both) for both in zip(sizes, lower, strict=True)]
    send, length = element.send, _LENGTH.pack
    for item in items:
        if item is None:
            parts.append(_NULL)
        else:
            data = send(item)
            parts.append(length(len(data)))
            parts.append(data)
    return b"".join(parts)


def receive_array(
    data: bytes, typmod: int, element: PgType, *, lower_bound: int | None = None
) -> Value:
    """Read the binary format; `lower_bound` is the only one of a type that has no other.

    Raises:
        InvalidBinaryRepresentationError: 22P03.
        DatatypeMismatchError: 42804, elements of another type.
        KeyTooLongError: 54000, an upper bound that is no integer.
    """
    sizes, lower, at = _read_header(data, element)
    count = 1
    for size in sizes:
        count *= size
    if not sizes or count == 0:
        return ()
    if lower_bound is not None and lower != (lower_bound,):
        raise bad_binary("invalid array bounds")
    if count * 4 > len(data) - at:
        raise bad_binary("insufficient data left in message")
    items: list[Value] = []
    for _ in range(count):
        if at + 4 > len(data):
            raise bad_binary("insufficient data left in message")
        (length,) = _LENGTH.unpack_from(data, at)
        at += 4
        if length == -1:
            items.append(None)
            continue
        if length < 0 or at + length > len(data):
            raise bad_binary("insufficient data left in message")
        items.append(element.receive(data[at : at + length], typmod))
        at += length
    if at != len(data):
        raise bad_binary()
    nested = nest(items, sizes)
    return nested if lower_bound is not None else bounded(nested, lower, sizes)


_Header = tuple[tuple[int, ...], tuple[int, ...], int]
"""Sizes, lower bounds, and where the elements begin."""


def _read_header(data: bytes, element: PgType) -> _Header:
    if len(data) < _HEADER.size:
        raise bad_binary("insufficient data left in message")
    depth, flags, oid = _HEADER.unpack_from(data)
    if depth < 0:
        raise bad_binary(f"invalid number of dimensions: {depth}")
    if depth > DIMENSIONS_MAX:
        raise too_many_dimensions(depth)
    if flags not in {0, 1}:
        raise bad_binary("invalid array flags")
    if oid != element.oid:
        message = (
            f"binary data has array element type {oid} "
            f"instead of expected {element.oid} ({element.sql_name})"
        )
        raise DatatypeMismatchError(message)
    at = _HEADER.size
    if len(data) < at + depth * _DIMENSION.size:
        raise bad_binary("insufficient data left in message")
    sizes, lower = [], []
    for _ in range(depth):
        size, bound = _DIMENSION.unpack_from(data, at)
        at += _DIMENSION.size
        if size < 0:
            raise ArraySubscriptError(f"invalid array size: {size}")
        sizes.append(size)
        lower.append(bound)
    return tuple(sizes), tuple(lower), at


def array_storable(element: PgType) -> Callable[[int], Storable | None]:
    """A column of arrays holds those whose elements a column of their type holds."""

    def storable(typmod: int) -> Storable | None:
        check_item = element.storable(typmod)
        if check_item is None:
            return None

        def check(value: Value) -> None:
            for item in flatten(value, len(dimensions(value, element))):
                if item is not None:
                    check_item(item)

        return check

    return storable


def array_type(element: PgType) -> PgType:
    """Return the type of arrays of `element`."""

    def read(text: str, typmod: int, context: TypeContext) -> Value:
        items, sizes, lower = parse_array(text)
        if not sizes:
            return ()
        if element.is_vector and len(sizes) > 1:
            raise FeatureNotSupportedError("arrays of vectors have one dimension")
        convert = element.input
        values: list[Value] = [
            None if item is None else convert(item, typmod, context) for item in items
        ]
        nested = nest(values, sizes)
        return bounded(nested, lower, sizes) if lower else nested

    def output(value: Value, context: TypeContext) -> str:
        return array_output(value, context, element)

    def receive(data: bytes, typmod: int) -> Value:
        return receive_array(data, typmod, element)

    def send(value: Value) -> bytes:
        return send_array(value, element)

    def arrow(typmod: int) -> pa.DataType:
        return pa.list_(element.arrow(typmod))

    return PgType(
        oid=element.array_oid,
        name="_" + element.name,
        sql_name=element.sql_name + "[]",
        length=-1,
        category="A",
        preferred=False,
        array_oid=0,
        key_kind="none",
        arrow=arrow,
        input=read,
        output=output,
        receive=receive,
        send=send,
        storable=array_storable(element),
        element=element,
        collatable=element.collatable,
        names_objects=element.names_objects,
    )
