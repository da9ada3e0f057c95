"""ORDER BY, LIMIT and OFFSET over rows in memory, as PostgreSQL compares and counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.errors import (
    InvalidRowCountInLimitClauseError,
    InvalidRowCountInResultOffsetClauseError,
)
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.rules import Closure
from kalam_pg.sql.closures import Constant
from storage.keys import encode_key
from storage.layout import Row

_NO_ROW: Row = ()


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key over the rows a plan has read. kind: see `storage.keys.KINDS`."""

    closure: Closure
    kind: str
    descending: bool
    nulls_first: bool


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


def sort_rows(rows: list[Row], order: Sequence[Order], context: EvalContext) -> list[Row]:
    """Sort by several keys: one stable sort each, the last key first."""
    for item in reversed(order):
        rows.sort(key=_sort_key(item, context), reverse=item.descending)
    return rows


def _sort_key(item: Order, context: EvalContext) -> Callable[[Row], tuple[bool, bytes]]:
    closure, kinds = item.closure, (item.kind,)
    # In a reversed sort what must come first must be greatest.
    nulls_high = item.nulls_first == item.descending

    def key(row: Row) -> tuple[bool, bytes]:
        value = closure(row, context)
        if value is None:
            return (nulls_high, b"")
        return (not nulls_high, encode_key((value,), kinds))

    return key
