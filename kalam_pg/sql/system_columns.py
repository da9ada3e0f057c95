"""Columns that every stored table has and nobody declared: `tableoid` and `xmin`, made of its own."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from catalog.errors import FeatureNotSupportedError
from catalog.model import Table
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions.row_versions import ROW_VERSION
from kalam_pg.sql.tree import Call, Case, Const, Expr, IsNull

_TABLE_OID, _ROW_VERSION = -2, -3

INDEXES: Final[Mapping[str, int]] = MappingProxyType({"tableoid": _TABLE_OID, "xmin": _ROW_VERSION})
"""What stands for a column's index, by name."""


def system_column(
    index: int, table: Table, column: Callable[[int, int], Expr], position: int
) -> Expr:
    """One of INDEXES. column: (index, position) to the reference of a column of the table.

    NULL where an outer join has made up the row, as its key is NULL then.
    """
    if index == _TABLE_OID:
        return _of_row(table, column, Const(table.id, types.OID, -1, position), position)
    columns = tuple([column(at, position) for at in range(len(table.columns))])
    version = Call(ROW_VERSION, columns, types.XID, -1, position)
    return _of_row(table, column, version, position)


def _of_row(table: Table, column: Callable[[int, int], Expr], value: Expr, position: int) -> Expr:
    of: PgType = value.type
    key = next(i for i, c in enumerate(table.columns) if c.id == table.primary_key[0])
    made_up = IsNull(column(key, position), False, types.BOOL, -1, position)
    return Case(((made_up, Const(None, of, -1, position)),), value, of, -1, position)


def unsupported(name: str, position: int) -> FeatureNotSupportedError:
    """Rows have no place here, and no transactions' numbers that a client could compare."""
    return FeatureNotSupportedError(
        f'system column "{name}" is not supported',
        hint="xmin, or a column of the table's own that each UPDATE changes, tells versions apart.",
        position=position,
    )
