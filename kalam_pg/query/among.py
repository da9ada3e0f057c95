"""Rows with one of some values in a column, by an index of the tail: IN and = ANY, a search for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from catalog.errors import FeatureNotSupportedError
from catalog.model import Table
from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.sorting import Order, sort_rows
from kalam_pg.query.indexed import ROWS_MAX, NoIndexError
from kalam_pg.query.predicates import listed
from kalam_pg.query.rules import Closure
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef, Expr
from storage.layout import Row, Value
from storage.log.view import View
from storage.tablet import Tablet
from storage.tail.ranked import Ranked
from storage.tail.value_index import Range

_NO_ROW: Row = ()

VALUES_MAX: Final = 100
"""Values that are searched for one by one."""


@dataclass(frozen=True, slots=True)
class Among:
    """What a WHERE lists of a column. is_array: the only closure gives all of them."""

    position: int
    items: tuple[Closure, ...]
    is_array: bool

    def values(self, context: EvalContext) -> Sequence[Value] | None:
        """Each value once, without NULL; None: they are too many for this."""
        given: Sequence[Value] = [item(_NO_ROW, context) for item in self.items]
        if self.is_array:
            array = given[0]
            if array is None:
                return ()
            if not isinstance(array, tuple) or any(isinstance(v, tuple) for v in array):
                return None
            given = array
        found = [value for value in dict.fromkeys(given) if value is not None]
        return found if len(found) <= VALUES_MAX else None

    def rows(
        self,
        tablet: Tablet,
        view: View,
        where: Closure | None,
        order: Sequence[Order],
        context: EvalContext,
    ) -> Sequence[Row] | None:
        """The rows that the whole WHERE lets pass, with their system columns, in order.

        None when they would be too many, or may be in segments. Raises NoIndexError.
        """
        values = self.values(context)
        if values is None:
            return None
        ordinals: list[int] = []
        ranked: Ranked | None = None
        for value in values:
            ranked = tablet.ranked(view, self.position, value, None)
            if ranked is None:
                raise NoIndexError
            if ranked.cold:
                return None
            ordinals += ranked.find(Range(ROWS_MAX + 1 - len(ordinals), descending=False))
            if len(ordinals) > ROWS_MAX:
                return None
        if ranked is None:
            return ()
        rows = [(*row, seq, False) for seq, row in ranked.rows(sorted(ordinals))]
        if where is not None:
            rows = [row for row in rows if where(row, context) is True]
        return sort_rows(rows, order, context) if order else rows


def among(where: Expr | None, table: Table, relation: int) -> Among | None:
    """What a query lists of a column of its table, if it does."""
    found = listed(where, table, relation)
    if found is None:
        return None
    items = tuple([compile_expr(item, _no_column) for item in found.items])
    return Among(found.column, items, found.is_array)


def _no_column(reference: ColumnRef) -> int:
    raise FeatureNotSupportedError(f'column "{reference.name}" is not constant')
