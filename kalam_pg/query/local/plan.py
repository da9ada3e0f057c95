"""Small questions answered at once, in the server's process, where all rows that they read are in memory.

A worker takes milliseconds to plan and answer whatever it is asked; a few thousand rows take less here.
What would take longer than the event loop may be held is an engine's, as is what is only in segments.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from catalog.errors import FeatureNotSupportedError
from kalam_pg.interpreter.program import CompiledQuery
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import TooLargeError
from kalam_pg.interpreter.shipping import crosses
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.local.tables import live_rows
from kalam_pg.query.row_source import RowSource, Whole
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.waits import Steps, breathe
from kalam_pg.sql.tree import OutputColumn, Query
from storage.ids import TabletId
from storage.layout import Row
from storage.tail.live_rows import LiveRows

BUDGET_S = 0.006
"""A run is given up after so long: what it has made is to be freed then, which takes about half as long, and
the event loop is held no longer than 10 ms."""

COST_US_MAX = 8000
"""A run that would cost more is not begun."""

ROWS_MAX = 20_000
"""No table is read here that has more rows."""

RESULT_ROWS_MAX = 1000
"""Longer answers are encoded by a worker, column by column: here it would take some 4 µs a row."""

RETRY_AFTER = 64
"""Runs that are left to the engine after one that took too long, with as many rows or more."""


@dataclass(slots=True)
class _Experience:
    """What a plan has learned. rows: as many were too much lately. skip: for so many runs more.

    answerable: whether a worker can answer it at all, None: nobody has asked.
    """

    rows: int = 0
    skip: int = 0
    answerable: bool | None = None

    def deters(self, rows: int) -> bool:
        """Whether it is not worth trying with so many rows."""
        if self.skip and rows >= self.rows:
            self.skip -= 1
            return True
        return False

    def too_large(self, rows: int) -> None:
        """It was too much."""
        self.rows, self.skip = rows, RETRY_AFTER


@dataclass(frozen=True, slots=True)
class LocalPlan:
    """A query as a program over rows in memory; `general` answers when they are not, or too many."""

    columns: tuple[OutputColumn, ...]
    query: Query
    program: CompiledQuery
    general: SelectPlan
    experience: _Experience = field(default_factory=_Experience, compare=False)

    def run(self, x: Execution) -> Steps[Result]:
        """Rows, or what the general plan answers."""
        found = yield from self.at_hand(x)
        return found if found is not None else (yield from self.general.run(x))

    def at_hand(self, x: Execution) -> Steps[Result | None]:
        """See `select.AtHand`."""
        rows = yield from self.rows(x)
        return None if rows is None else Result("SELECT", len(rows), self.columns, rows)

    def source(self, x: Execution) -> Steps[RowSource]:
        rows = yield from self.rows(x)
        return Whole(rows) if rows is not None else (yield from self.general.source(x))

    def rows(self, x: Execution) -> Steps[Sequence[Row] | None]:
        """The answer; None: the general plan must be asked."""
        tables = yield from self.tables(x)
        if tables is None:
            return None
        count = sum(map(len, tables.values()))
        if self.experience.deters(count):
            return None
        try:
            rows = self.program.run(tables, x.context, seconds=BUDGET_S)
        except FeatureNotSupportedError:
            rows = None  # A call in it takes long.
        except TooLargeError:
            rows = None
            yield from breathe(x.statement_timeout_s)
        if rows is None or len(rows) > RESULT_ROWS_MAX:
            self.experience.too_large(count)
            return None
        return rows

    def tables(self, x: Execution) -> Steps[dict[int, Relation] | None]:
        """All rows of the tables that are read, by relation; None: not in memory, or too many."""
        if not x.in_process or not self._is_answerable(x):
            return None
        found: dict[TabletId, LiveRows] = {}
        tables: dict[int, Relation] = {}
        left_us = float(COST_US_MAX)
        for use in self.program.uses:
            tablet = x.tablet(use.table)
            live = found.get(tablet.id)
            if live is None:
                live = yield from live_rows(x, tablet, ROWS_MAX)
                if live is None:
                    return None
                found[tablet.id] = live
            left_us -= len(live) * self.program.row_cost_us
            if left_us < 0:
                return None
            tables[use.relation] = use.rows(live)
        return tables

    def _is_answerable(self, x: Execution) -> bool:
        """Whether a worker would answer it too: what it refuses is not answered when rows are few."""
        known = self.experience.answerable
        if known is None:
            known = not self.program.uses or crosses(self.query, x.context)
            self.experience.answerable = known
        return known
