"""A statement of which something runs once and before the rest (`sql.parts`).

All of it sees the database as it was when the statement began: what a part changes, the rest knows only from
its RETURNING, and a row that one part has changed no other changes again. So it matters which comes first:
as in PostgreSQL the statement itself, before the changes that it asks nothing of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from kalam_pg.query.change import ChangePlan
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.insert import InsertPlan, ParamRows
from kalam_pg.query.locking import LockingPlan
from kalam_pg.query.merge import MergePlan
from kalam_pg.query.parted_rows import wanted
from kalam_pg.query.row_source import RowSource, Whole
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.waits import STRIDE, Steps
from kalam_pg.sql.parts import Form, value_of
from kalam_pg.sql.tree import Dml, OutputColumn, Query
from storage.layout import Value

DataChange: TypeAlias = InsertPlan | ChangePlan | MergePlan
"""The plan of a statement that changes data."""

WholePlan: TypeAlias = SelectPlan | DataChange
"""The plan of a statement that has no parts."""


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """The plan of a part, and what its rows become. name: of the WITH item, "" of a subquery."""

    plan: WholePlan
    form: Form
    name: str
    statement: Query | Dml


@dataclass(frozen=True, slots=True)
class PartedPlan:
    """Run the parts in their order, then the rest with their values as further parameters.

    params: how many the statement itself has. rest: what is left of it, which `plan` answers. tag: the
    command's, where the rest is a query.
    """

    params: int
    parts: tuple[PlannedPart, ...]
    plan: WholePlan
    rest: Query | Dml
    tag: str = "SELECT"

    @property
    def columns(self) -> tuple[OutputColumn, ...]:
        """Of the rest's plan."""
        return self.plan.columns

    def run(self, x: Execution) -> Steps[Result]:
        """As the rest's plan. Raises 21000 for a value of more than one row, 54000."""
        if not isinstance(self.plan, DataChange):
            return Result.of(self.tag, self.columns, (yield from self.source(x)))
        given = yield from self._begin(x)
        result = yield from self.plan.run(x)
        yield from self._run_parts(x, self._unasked, given)
        return result

    def source(self, x: Execution) -> Steps[RowSource]:
        """As `run`; only a query has one."""
        assert not isinstance(self.plan, DataChange)
        given = yield from self._begin(x)
        source = yield from self.plan.source(x)
        if self._unasked and isinstance(self.plan, LockingPlan):
            # Which locks rows as they are taken.
            kept = x.gathered()
            while len(portion := (yield from source.take(STRIDE))):
                for row in portion.rows():
                    yield from kept.add(row)
            source = yield from kept.source()
        yield from self._run_parts(x, self._unasked, given)
        return source

    @property
    def _unasked(self) -> tuple[PlannedPart, ...]:
        return tuple([part for part in self.parts if part.form is Form.NOTHING])

    def _begin(self, x: Execution) -> Steps[tuple[Value, ...]]:
        """What the statement needs to run: its parameters, and the parts that it asks for something."""
        if any(isinstance(part.plan, DataChange) for part in self.parts):
            x.keep_seeing()
        params = x.context.params
        given = params if isinstance(params, ParamRows) else tuple(params[: self.params])
        asked = [part for part in self.parts if part.form is not Form.NOTHING]
        return (yield from self._run_parts(x, asked, given))

    def _run_parts(
        self, x: Execution, parts: Sequence[PlannedPart], given: tuple[Value, ...]
    ) -> Steps[tuple[Value, ...]]:
        """Run parts, which may ask for what is given; their values are given to whatever comes next."""
        for part in parts:
            x.context = replace(x.context, params=given)
            source = yield from _run(part.plan, x)
            try:
                rows = yield from wanted(part.form, source)
            finally:
                source.close()
            given = _with(given, value_of(part.form, rows))
        x.context = replace(x.context, params=given)
        return given


def _with(given: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
    """The parameters and one more, which is each row's where there are rows of them."""
    if isinstance(given, ParamRows):
        return ParamRows([(*row, value) for row in given.rows])
    return (*given, value)


def _run(plan: WholePlan, x: Execution) -> Steps[RowSource]:
    if not isinstance(plan, DataChange):
        return (yield from plan.source(x))
    result = yield from plan.run(x)
    return Whole(result.rows) if result.source is None else result.source
