"""SELECT count(*) of a whole table: known without reading a row, hot or cold, in any view.

A tail knows its versions and which of them live, a manifest how many live rows each segment has and
hides of older ones, and a transaction what it has changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from catalog.model import Table
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.row_source import RowSource, Whole
from kalam_pg.query.tail_loads import load
from kalam_pg.query.waits import STRIDE, Pace, Steps, breathe
from kalam_pg.sql.tree import (
    Aggregate,
    ColumnRef,
    Const,
    Expr,
    OutputColumn,
    Query,
    Select,
    TableScan,
)
from storage.layout import Row
from storage.tablet import Tablet


@dataclass(frozen=True, slots=True)
class CountPlan:
    """How many rows a table has, in each of the columns."""

    columns: tuple[OutputColumn, ...]
    query: Select
    table: Table

    def run(self, x: Execution) -> Steps[Result]:
        """One row."""
        return Result("SELECT", 1, self.columns, (yield from self._rows(x)))

    def at_hand(self, x: Execution) -> Steps[Result | None]:
        """See `select.AtHand`."""
        return (yield from self.run(x))

    def source(self, x: Execution) -> Steps[RowSource]:
        return Whole((yield from self._rows(x)))

    def _rows(self, x: Execution) -> Steps[Sequence[Row]]:
        tablet = x.tablet(self.table)
        view = x.view_of(self.table.id)
        if isinstance(tablet, Tablet):
            while not tablet.warm(view):
                yield from load(x, tablet, view)
            for _ in tablet.preparing(view):
                yield from breathe(x.statement_timeout_s)
            while not tablet.warm(view):  # It may have been forgotten meanwhile.
                yield from load(x, tablet, view)
        count = tablet.count(view)
        assert count is not None, "it is warm"
        pace = Pace()
        rest = iter((x.own_changes(tablet.id) or {}).values())
        while some := list(islice(rest, STRIDE)):
            for change in some:
                count += (change.row is not None) - (change.base is not None)
            if pace.is_due():
                yield from pace.rest(x.statement_timeout_s)
        return [(count,) * len(self.columns)]


def plan_count(query: Query) -> CountPlan | None:
    """The plan of a query that asks for nothing else."""
    if not isinstance(query, Select) or not query.grouped or len(query.from_) != 1:
        return None
    (scan,) = query.from_
    if not isinstance(scan, TableScan):
        return None
    plain = Select(query.targets, query.columns, query.from_, grouped=True)
    if query != plain or not query.targets:
        return None
    if not all(counts_rows(target.expr, scan) for target in query.targets):
        return None
    return CountPlan(query.columns, query, scan.table)


def counts_rows(expr: Expr, scan: TableScan) -> bool:
    """Whether it is count(*), or the count of what is never NULL."""
    if not isinstance(expr, Aggregate) or expr.overload.name != "count":
        return False
    if expr.distinct or expr.filter is not None or expr.order_by:
        return False
    if not expr.args:
        return True
    (arg,) = expr.args
    if isinstance(arg, ColumnRef) and arg.relation == scan.relation:
        own = scan.table.columns
        return arg.column < len(own) and own[arg.column].not_null
    return isinstance(arg, Const) and arg.value is not None
