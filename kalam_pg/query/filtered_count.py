"""count(*) of one table's rows that meet conditions, from the columns of the conditions alone.

Where some of the rows are in segments; what is in memory others count as fast.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from catalog.model import Table
from kalam_pg.query.counting import counts_rows
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.first_rows import (
    BRIEF,
    BRIEF_BY_INDEX,
    BRIEF_ROWS_MAX,
    Compared,
    compared,
    in_thread,
    reads_few,
    sight_of,
    values_of,
)
from kalam_pg.query.index_definitions import IndexDefinition
from kalam_pg.query.index_use import IndexUse, index_uses
from kalam_pg.query.predicates import conjuncts
from kalam_pg.query.row_source import RowSource, Whole
from kalam_pg.query.select import AtHand, SelectPlan
from kalam_pg.query.waits import Steps
from kalam_pg.sql.tree import OutputColumn, Select, TableScan
from storage.cold.counting import count_rows
from storage.cold.extents import Condition
from storage.cold.first_rows import Limits, TooMuchError, Work
from storage.cold.index_reader import IndexLostError
from storage.cold.indexed_rows import Walk
from storage.cold.indexing import drop_index_file
from storage.cold.point_read import NotInMemoryError
from storage.cold.sight import Sight
from storage.layout import Row
from storage.tablet import Tablet


@dataclass(frozen=True, slots=True)
class FilteredCountPlan:
    """SELECT count(*) … WHERE conditions, in a thread; `general` answers where that is not the way.

    use: an index that knows of all the conditions.
    """

    columns: tuple[OutputColumn, ...]
    query: Select
    table: Table
    conditions: tuple[Compared, ...]
    general: SelectPlan
    use: IndexUse | None = None

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
        walk = None
        if conditions is not None and self.use is not None:
            walk = self.use.walk((), x.context)
            work.index = self.use.definition.name
        if conditions is None or (walk is None and self.use is not None):
            return 0, work
        sight = yield from sight_of(x, tablet)
        if sight is None:
            return None
        few = sum(batch.num_rows for batch in sight.batches) <= BRIEF_ROWS_MAX
        if few and sight.was_read_lately:
            with suppress(NotInMemoryError, TooMuchError, IndexLostError):
                memory = replace(sight, in_memory=True)
                brief = Work(BRIEF if walk is None else BRIEF_BY_INDEX, index=work.index)
                return count_rows(memory, conditions, brief, _no_breath, walk), brief
        try:
            found = yield from in_thread(x, partial(_count, sight, conditions, work, walk))
        except TooMuchError:
            return None
        if work.lacking:
            x.database.unindexed.add(tablet.id)
        return found, work


def _count(
    sight: Sight,
    conditions: Sequence[Condition],
    work: Work,
    walk: Walk | None,
    breathe: Callable[[], None],
) -> int:
    try:
        return count_rows(sight, conditions, work, breathe, walk)
    except IndexLostError as exc:
        drop_index_file(sight, exc)
        work.lacking, work.index = True, ""
        return count_rows(sight, conditions, work, breathe)


def _no_breath() -> None:
    """It is over too soon to be ended."""


def plan_filtered_count(
    query: Select, general: SelectPlan, indexes_of: Callable[[Table], Sequence[IndexDefinition]]
) -> FilteredCountPlan | None:
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
    uses = index_uses(query, scan, indexes_of(scan.table))
    parts = len(conjuncts(query.where))
    whole = next((one for one in uses if len(one.covered) == parts), None)
    return FilteredCountPlan(query.columns, query, scan.table, conditions, general, whole)
