"""IS [NOT] DISTINCT FROM between columns of two relations, which DataFusion may join by.

A join by `a IS NOT DISTINCT FROM b` is a hash join for which NULL equals NULL, until DataFusion puts joins
into another order: then it joins by `a = b` and loses the rows whose columns are NULL. Said as two equalities
that are never NULL, it is a join by these in any order.
"""

import pyarrow as pa

from catalog.types import registry as types
from kalam_pg.sql.datafusion_state import Rendering
from kalam_pg.sql.physical import BOOLEAN, Sql, arrow_cast
from kalam_pg.sql.tree import ColumnRef, Expr
from kalam_pg.sql.walk import walk

_TWICE_MAX = 400
"""Characters of a comparison whose operands are said twice: in one another that would be without end."""


def joins(left: Expr, right: Expr) -> bool:
    """Whether a comparison may be what two relations are joined by."""
    sides = [
        {node.relation for node in walk(side) if isinstance(node, ColumnRef)}
        for side in (left, right)
    ]
    return bool(sides[0] and sides[1]) and sides[0] != sides[1]


def distinct(state: Rendering, left: Sql, right: Sql, *, negated: bool, joins: bool) -> Sql:
    """`left IS [NOT] DISTINCT FROM right`. joins: see `joins`."""
    fallible = left.fallible or right.fallible
    word = "IS NOT DISTINCT FROM" if negated else "IS DISTINCT FROM"
    plain = Sql(f"({left.text} {word} {right.text})", BOOLEAN, fallible)
    if not joins:
        return plain
    if len(plain.text) > _TWICE_MAX:
        return state.opaque(plain, types.BOOL)
    if negated:
        return not_distinct(left, right)
    # What DataFusion makes of its negation is the same.
    nulls = f"({left.text} IS NULL) <> ({right.text} IS NULL)"
    return Sql(f"({nulls} OR {_values(left, right, '<>') or plain.text})", BOOLEAN, fallible)


def not_distinct(left: Sql, right: Sql) -> Sql:
    """`left IS NOT DISTINCT FROM right`, to join by."""
    nulls = f"({left.text} IS NULL) = ({right.text} IS NULL)"
    values = _values(left, right, "=") or f"({left.text} IS NOT DISTINCT FROM {right.text})"
    return Sql(f"({nulls} AND {values})", BOOLEAN, left.fallible or right.fallible)


def _values(left: Sql, right: Sql, operator: str) -> str:
    """Both compared with something in the place of NULL; "" where there is nothing of such a type."""
    something = _something(left.physical)
    if not something or left.physical != right.physical:
        return ""
    a, b = f"coalesce({left.text}, {something})", f"coalesce({right.text}, {something})"
    return f"({a} {operator} {b})"


def _something(physical: pa.DataType) -> str:
    """Any value of a type."""
    kinds = pa.types
    if kinds.is_boolean(physical):
        return "false"
    if kinds.is_string(physical) or kinds.is_binary(physical):
        return arrow_cast("''", physical)
    if kinds.is_fixed_size_binary(physical):
        return arrow_cast(f"X'{'00' * physical.byte_width}'", physical)
    if kinds.is_date32(physical):
        return arrow_cast(arrow_cast("0", pa.int32()), physical)
    numbers = (
        kinds.is_integer(physical) or kinds.is_floating(physical) or kinds.is_decimal(physical)
    )
    if numbers or kinds.is_timestamp(physical) or kinds.is_time(physical):
        return arrow_cast("0", physical)
    return ""
