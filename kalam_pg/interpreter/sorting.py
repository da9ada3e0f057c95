"""ORDER BY, LIMIT and OFFSET over rows in memory, as PostgreSQL compares and counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isnan
from typing import Any, cast

from catalog.errors import (
    InvalidRowCountInLimitClauseError,
    InvalidRowCountInResultOffsetClauseError,
)
from kalam_pg.functions.pythonkey import FLOAT_KEY, python_key
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
    return _sorted(_all_sortable(columns, order), order)


def _all_sortable(
    columns: Sequence[Sequence[Value]], order: Sequence[Order]
) -> list[Sequence[Any]]:
    return [_sortable(item, column) for item, column in zip(order, columns, strict=True)]


def _sorted(made: Sequence[Sequence[Any]], order: Sequence[Order]) -> list[int]:
    places = list(range(len(made[0]) if made else 0))
    for item, column in zip(reversed(order), reversed(made), strict=True):
        places.sort(key=column.__getitem__, reverse=item.descending)
    return places


def places_as_postgresql(
    columns: Sequence[Sequence[Value]], order: Sequence[Order]
) -> Sequence[int]:
    """As `sorted_places`; where few rows tie they are left in the order in which PostgreSQL leaves them."""
    made = _all_sortable(columns, order)
    places = _sorted(made, order)
    if not ties.ROWS_MIN <= len(places) <= ties.ROWS_MAX or _tells_all(order[0], made[0]):
        return places
    values = list(zip(*made, strict=True))
    ranks, rank = [0] * len(places), 0
    for before, at in pairwise(places):
        rank += values[before] != values[at]
        ranks[at] = rank
    return places if rank == len(places) - 1 else ties.as_postgresql(ranks)


def _tells_all(item: Order, made: Sequence[Any]) -> bool:
    """Whether no two rows tie by the first key, as far as hashes tell that at once."""
    return (item.key is None or item.key is FLOAT_KEY) and len(set(made)) == len(made)


def _sortable(item: Order, column: Sequence[Value]) -> Sequence[Any]:
    """What Python compares in place of the values."""
    key = item.key
    if None not in column:
        if key is None or (key is FLOAT_KEY and not any(map(isnan, cast("list[float]", column)))):
            return column
        return list(map(key, column))
    # In a reversed sort what must come first must be greatest.
    nulls_high = item.nulls_first == item.descending
    null, there = (nulls_high,), not nulls_high
    return [
        null if value is None else (there, value if key is None else key(value)) for value in column
    ]
