"""ORDER BY, LIMIT and OFFSET over rows in memory, as PostgreSQL compares and counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from catalog.errors import (
    InvalidRowCountInLimitClauseError,
    InvalidRowCountInResultOffsetClauseError,
)
from kalam_pg.functions.pythonkey import python_key
from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter import ties
from kalam_pg.sql.closures import Constant
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.tree import SortKey
from storage.layout import Row, Value

_NO_ROW: Row = ()


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key over the rows a plan has read. key: as `functions.pythonkey` gives it."""

    closure: Closure
    key: Callable[[Value], Any] | None
    descending: bool
    nulls_first: bool


def order_of(item: SortKey, closure: Closure) -> Order:
    """A sort key that `closure` computes. Raises UndefinedFunctionError: its values do not compare."""
    return Order(closure, python_key(item.expr.type), item.descending, item.nulls_first)


@dataclass(frozen=True, slots=True)
class Bounds:
    """LIMIT and OFFSET as closures, None where absent."""

    limit: Closure | None
    offset: Closure | None

    @property
    def settled(self) -> bool:
        """Whether they are the same each time."""
        return all(c is None or isinstance(c, Constant) for c in (self.limit, self.offset))

    def values(self, context: EvalContext) -> tuple[int | None, int]:
        """(limit or None, offset). Raises 2201W, 2201X for negative ones."""
        limit = None if self.limit is None else self.limit(_NO_ROW, context)
        offset = None if self.offset is None else self.offset(_NO_ROW, context)
        # The binder has cast both to bigint.
        assert limit is None or isinstance(limit, int)
        assert offset is None or isinstance(offset, int)
        if limit is not None and limit < 0:
            raise InvalidRowCountInLimitClauseError("LIMIT must not be negative")
        if offset is not None and offset < 0:
            raise InvalidRowCountInResultOffsetClauseError("OFFSET must not be negative")
        return limit, offset or 0


def sort_rows(rows: Sequence[Row], order: Sequence[Order], context: EvalContext) -> list[Row]:
    """The rows sorted by several keys."""
    columns = [[item.closure(row, context) for row in rows] for item in order]
    return [rows[at] for at in sorted_places(columns, order)]


def sorted_places(columns: Sequence[Sequence[Value]], order: Sequence[Order]) -> Sequence[int]:
    """Where the rows of each place are found, from the values of the keys; rows that tie stay in order."""
    places = list(range(len(columns[0]) if columns else 0))
    for item, column in zip(reversed(order), reversed(columns), strict=True):
        places.sort(key=_sortable(item, column).__getitem__, reverse=item.descending)
    return places


def places_as_postgresql(
    columns: Sequence[Sequence[Value]], order: Sequence[Order]
) -> Sequence[int]:
    """As `sorted_places`; where few rows tie they are left in the order in which PostgreSQL leaves them."""
    places = sorted_places(columns, order)
    if not ties.ROWS_MIN <= len(places) <= ties.ROWS_MAX:
        return places
    values = list(
        zip(*[_sortable(item, c) for item, c in zip(order, columns, strict=True)], strict=True)
    )
    ranks, rank = [0] * len(places), 0
    for before, at in pairwise(places):
        rank += values[before] != values[at]
        ranks[at] = rank
    return places if rank == len(places) - 1 else ties.as_postgresql(ranks)


def _sortable(item: Order, column: Sequence[Value]) -> Sequence[Any]:
    """What Python compares in place of the values."""
    key = item.key
    if None not in column:
        return column if key is None else list(map(key, column))
    # In a reversed sort what must come first must be greatest.
    nulls_high = item.nulls_first == item.descending
    null, there = (nulls_high,), not nulls_high
    return [
        null if value is None else (there, value if key is None else key(value)) for value in column
    ]
