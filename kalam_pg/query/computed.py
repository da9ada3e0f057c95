"""SELECT and VALUES without tables whose expressions take too long for the event loop."""

from collections.abc import Sequence
from dataclasses import dataclass

from kalam_pg.interpreter.sorting import Bounds
from kalam_pg.query import elsewhere
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.program_plan import ProgramPlan
from kalam_pg.query.row_source import RowSource, Whole
from kalam_pg.query.rules import Closure
from kalam_pg.query.waits import Steps
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Row


@dataclass(frozen=True, slots=True)
class ComputedPlan:
    """The query as a program in a worker, which also encodes what it answers.

    What asks the session for something stays here, and only what that is given is computed there: `lines`,
    `where` and `bounds` are the closures of `constant_plan.ConstantPlan`. program: None where that cannot be.
    """

    columns: tuple[OutputColumn, ...]
    lines: tuple[tuple[Closure, ...], ...]
    where: Closure | None
    bounds: Bounds
    program: ProgramPlan | None

    def run(self, x: Execution) -> Steps[Result]:
        """Messages of the worker's, or rows."""
        if self.program is not None:
            return (yield from self.program.run(x))
        rows = yield from self._rows(x)
        return Result("SELECT", len(rows), self.columns, rows)

    def source(self, x: Execution) -> Steps[RowSource]:
        """As stored values."""
        if self.program is not None:
            return (yield from self.program.source(x))
        return Whole((yield from self._rows(x)))

    def _rows(self, x: Execution) -> Steps[Sequence[Row]]:
        elsewhere.renew(x)
        where = self.where
        if where and (yield from elsewhere.evaluated(x, where, elsewhere.NO_ROW)) is not True:
            return ()
        limit, offset = self.bounds.values(x.context)
        rows: list[Row] = []
        for line in self.lines[offset : None if limit is None else offset + limit]:
            row = yield from elsewhere.values(x, line, elsewhere.NO_ROW)
            rows.append(tuple(row))
        return rows
