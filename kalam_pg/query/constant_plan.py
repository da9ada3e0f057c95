"""SELECT or VALUES of expressions that read no table: computed here, in turns, or in a worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from kalam_pg.interpreter.sorting import Bounds
from kalam_pg.large_trees import large_trees
from kalam_pg.query.aside import LARGE_NODES, aside
from kalam_pg.query.computed import ComputedPlan
from kalam_pg.query.execution import Execution
from kalam_pg.query.program_plan import ProgramPlan
from kalam_pg.query.rules import Closure
from kalam_pg.query.select import RowPlan, SelectPlan
from kalam_pg.query.waits import STRIDE, Pace, Steps
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Row

_NO_ROW: Final[Row] = ()


@dataclass(frozen=True, slots=True)
class ConstantPlan(RowPlan):
    """SELECT or VALUES of expressions that read no table."""

    columns: tuple[OutputColumn, ...]
    lines: tuple[tuple[Closure, ...], ...]
    where: Closure | None
    bounds: Bounds
    program: Callable[[], ProgramPlan | None]

    def general(self, x: Execution) -> Steps[SelectPlan]:
        if len(self.lines) * len(self.columns) <= LARGE_NODES:
            return self._computed(x)
        making = partial(self._computed, x)
        made = yield from aside(making, user=x.payer, timeout_s=x.statement_timeout_s)
        large_trees.keep((made,))
        return made

    def _computed(self, x: Execution) -> ComputedPlan:
        program = self.program()
        if program is not None and not program.crosses(x):
            program = None
        return ComputedPlan(self.columns, self.lines, self.where, self.bounds, program)

    def rows(self, x: Execution) -> Steps[Sequence[Row]]:
        context = x.context
        if self.where is not None and self.where(_NO_ROW, context) is not True:
            return ()
        limit, offset = self.bounds.values(context)
        lines = self.lines[offset : None if limit is None else offset + limit]
        if len(lines) <= STRIDE:
            return [tuple([c(_NO_ROW, context) for c in line]) for line in lines]
        rows, pace = list[Row](), Pace()
        for at in range(0, len(lines), STRIDE):
            rows += [tuple([c(_NO_ROW, context) for c in line]) for line in lines[at : at + STRIDE]]
            if pace.is_due():
                yield from pace.rest(x.statement_timeout_s)
        return rows
