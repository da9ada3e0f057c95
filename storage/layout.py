"""How a table's rows lie: the columns of one schema version, as storage sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import pyarrow as pa

from storage.shaped import BoundedArray

Value: TypeAlias = "bool | int | float | str | bytes | tuple[Value, ...] | None"
"""A stored value. `catalog.types` says which form each SQL type takes.

Beside these there is `storage.shaped.BoundedArray`, which is no `Value`, so that what knows none is told.
"""

Row: TypeAlias = tuple[Value, ...]
"""One value for each column of a layout, in column-id order."""


VALUE_BYTES: Final = 40
"""About what a value takes beside its characters, with its place in the row."""

_LOOKED_AT_MAX: Final = 256
"""Of a longer array only so many elements are looked at."""


def row_bytes(row: Sequence[Value]) -> int:
    """About how many bytes a row takes in memory."""
    size = VALUE_BYTES * len(row)
    for value in row:
        kind = value.__class__
        if kind is str or kind is bytes:
            size += len(value)  # type: ignore[arg-type]  # told by its class
        elif kind is tuple:
            size += array_bytes(value)  # type: ignore[arg-type]  # told by its class
        elif isinstance(value, BoundedArray):  # Seldom comes so far: the others have no length.
            size += array_bytes(value.items)
    return size


def array_bytes(items: Row) -> int:
    """The same of an array's elements, of which the first tell of all."""
    if len(items) <= _LOOKED_AT_MAX:
        return row_bytes(items)
    return row_bytes(items[:_LOOKED_AT_MAX]) * len(items) // _LOOKED_AT_MAX


@dataclass(frozen=True, slots=True)
class Column:
    """One column as storage sees it.

    id: stable through renames, never reused within its table, from 1.
    kind: how the value sorts in a key, one of `storage.keys.KINDS`; for a column that can never be
        in a key (json, arrays) it is "none".
    arrow: type of its Arrow and Parquet column.
    missing: what rows written before the column existed hold.
    """

    id: int
    name: str
    kind: str
    arrow: pa.DataType
    missing: Value = None


@dataclass(frozen=True, slots=True)
class Layout:
    """One schema version of a table.

    key: positions in `columns` of the primary key's columns, at least one, in key order.
    """

    version: int
    columns: tuple[Column, ...]
    key: tuple[int, ...]
