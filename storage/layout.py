"""How a table's rows lie: the columns of one schema version, as storage sees them."""

from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

Value: TypeAlias = "bool | int | float | str | bytes | tuple[Value, ...] | None"
"""A stored value. `catalog.types` says which form each SQL type takes."""

Row: TypeAlias = tuple[Value, ...]
"""One value for each column of a layout, in column-id order."""


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
