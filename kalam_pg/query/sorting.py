"""ORDER BY over rows in memory, as PostgreSQL compares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kalam_pg.functions.table import EvalContext
from kalam_pg.query.rules import Closure
from storage.keys import encode_key
from storage.layout import Row


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key over the rows a plan has read. kind: see `storage.keys.KINDS`."""

    closure: Closure
    kind: str
    descending: bool
    nulls_first: bool


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
