"""Which queries DataFusion may answer over arrays of several dimensions, or that do not begin at 1.

In DataFusion an array is a list. Where rows of a table have others, the table's columns come in shaped form
(`storage.shaped`), in which they are carried as they are and no function of the translation takes them.
"""

from collections.abc import Iterable, Iterator, Sequence

from kalam_pg.engines.request import TableInput
from kalam_pg.sql.tree import ColumnRef, FromItem, Join, Query, Select, SubqueryScan
from kalam_pg.sql.walk import walk
from storage.shaped import shaped_columns


def has_shapes(inputs: Iterable[TableInput]) -> bool:
    """Whether a column that is read is in shaped form."""
    return any(shaped_columns(one.schema) for one in inputs)


def carries_arrays(query: Query) -> bool:
    """Whether all that a query does with arrays of its tables is to give them as they are."""
    return sum(map(_is_array, walk(query))) == _carried(query)


def _carried(query: Query) -> int:
    """How many arrays a query gives as they are, those from derived tables there and here."""
    if not isinstance(query, Select) or query.grouped or query.distinct or query.distinct_on:
        return 0
    inside = sum([_carried(scan.query) for scan in _derived(query.from_)])
    return inside + sum([_is_array(target.expr) for target in query.targets])


def _derived(items: Sequence[FromItem]) -> Iterator[SubqueryScan]:
    for item in items:
        if isinstance(item, Join):
            yield from _derived((item.left, item.right))
        elif isinstance(item, SubqueryScan) and not item.lateral:
            yield item


def _is_array(node: object) -> bool:
    return isinstance(node, ColumnRef) and node.type.element is not None
