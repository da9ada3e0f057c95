"""Which queries DataFusion may answer over arrays of several dimensions, or that do not begin at 1.

In DataFusion an array is a list. Where rows of a table have others, the table's columns come in shaped form
(`storage.shaped`), in which they are carried as they are and no function of the translation takes them.
"""

from collections.abc import Iterable

from kalam_pg.engines.request import TableInput
from kalam_pg.sql.tree import ColumnRef, Query, Select
from kalam_pg.sql.walk import walk
from storage.shaped import shaped_columns


def has_shapes(inputs: Iterable[TableInput]) -> bool:
    """Whether a column that is read is in shaped form."""
    return any(shaped_columns(one.schema) for one in inputs)


def carries_arrays(query: Query) -> bool:
    """Whether all that a query does with arrays of its tables is to give them as they are."""
    if not isinstance(query, Select) or query.grouped or query.distinct or query.distinct_on:
        return False
    carried = sum(_is_array(target.expr) for target in query.targets)
    return sum(map(_is_array, walk(query))) == carried


def _is_array(node: object) -> bool:
    return isinstance(node, ColumnRef) and node.type.element is not None
