"""count(*) of one table's rows that meet conditions, from the columns of the conditions alone.

Where some of the rows are in segments; what is in memory others count as fast.
"""

from dataclasses import dataclass
from functools import partial

from catalog.model import Table
from kalam_pg.query.counting import counts_rows
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.first_rows import Compared, compared, in_thread, reads_few, sight_of, values_of
from kalam_pg.query.row_source import RowSource, Whole
from kalam_pg.query.select import AtHand, SelectPlan
from kalam_pg.query.waits import Steps
from kalam_pg.sql.tree import OutputColumn, Select, TableScan
from storage.cold.counting import count_rows
from storage.cold.first_rows import Limits, TooMuchError, Work
from storage.layout import Row
from storage.tablet import Tablet


@dataclass(frozen=True, slots=True)
class FilteredCountPlan:
    """SELECT count(*) … WHERE conditions, in a thread; `general` answers where that is not the way."""

    columns: tuple[OutputColumn, ...]
    query: Select
    table: Table
    conditions: tuple[Compared, ...]
    general: SelectPlan

    def run(self, x: Execution) -> Steps[Result]:
        """One row, or what the general plan answers."""
        rows = yield from self._rows(x)
        if rows is None:
            return (yield from self.general.run(x))
        return Result("SELECT", len(rows), self.columns, rows)

    def at_hand(self, x: Execution) -> Steps[Result | None]:
        """See `select.AtHand`."""
        rows = yield from self._rows(x)
        if rows is not None:
            return Result("SELECT", len(rows), self.columns, rows)
        return (yield from self.general.at_hand(x)) if isinstance(self.general, AtHand) else None

    def source(self, x: Execution) -> Steps[RowSource]:
        """The same as stored values."""
        rows = yield from self._rows(x)
        return Whole(rows) if rows is not None else (yield from self.general.source(x))

    def _rows(self, x: Execution) -> Steps[list[Row] | None]:
        found = yield from self.count(x)
        return None if found is None else [(found[0],) * len(self.columns)]

    def count(self, x: Execution) -> Steps[tuple[int, Work] | None]:
        """How many rows there are, and what it took to know it; None: ask the general plan."""
        tablet = x.tablet(self.table)
        if not isinstance(tablet, Tablet) or not reads_few(x, tablet):
            return None
        conditions = values_of(self.conditions, x.context)
        work = Work(Limits())
        if conditions is None:
            return 0, work
        sight = yield from sight_of(x, tablet)
        if sight is None:
            return None
        try:
            found = yield from in_thread(x, partial(count_rows, sight, conditions, work))
        except TooMuchError:
            return None
        return found, work


def plan_filtered_count(query: Select, general: SelectPlan) -> FilteredCountPlan | None:
    """The plan of such a query, None for any other."""
    if len(query.from_) != 1 or not isinstance(query.from_[0], TableScan):
        return None
    plain = Select(query.targets, query.columns, query.from_, query.where, grouped=True)
    scan = query.from_[0]
    if query != plain or not all(counts_rows(target.expr, scan) for target in query.targets):
        return None
    conditions, exact = compared(query, scan)
    if not exact or not conditions:
        return None
    return FilteredCountPlan(query.columns, query, scan.table, conditions, general)
