"""A statement of which something runs once and before the rest (`sql.parts`)."""

from dataclasses import dataclass, replace
from typing import TypeAlias

from catalog.errors import CardinalityViolationError
from kalam_pg.query.change import ChangePlan
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.insert import InsertPlan
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.waits import STRIDE, Steps
from kalam_pg.sql.parts import Form, value_of
from kalam_pg.sql.tree import Dml, OutputColumn, Query
from storage.errors import KeyTooLongError
from storage.layout import Row

ROWS_MAX = 20_000
"""Most rows of a part that the rest of its statement is given: they are all in memory."""

WholePlan: TypeAlias = SelectPlan | InsertPlan | ChangePlan
"""The plan of a statement that has no parts."""


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """A part's plan, and what its rows become. name: of the WITH item, "" of a subquery."""

    plan: SelectPlan
    form: Form
    name: str


@dataclass(frozen=True, slots=True)
class PartedPlan:
    """Run the parts in their order, then the rest with their values as further parameters.

    params: how many the statement itself has. rest: what is left of it, which `plan` answers.
    """

    params: int
    parts: tuple[PlannedPart, ...]
    plan: WholePlan
    rest: Query | Dml

    @property
    def columns(self) -> tuple[OutputColumn, ...]:
        return self.plan.columns

    def run(self, x: Execution) -> Steps[Result]:
        """As the rest's plan. Raises 21000 for a value of more than one row."""
        yield from self._run_parts(x)
        return (yield from self.plan.run(x))

    def source(self, x: Execution) -> Steps[RowSource]:
        """As `run`; only a query has one."""
        assert not isinstance(self.plan, InsertPlan | ChangePlan)
        yield from self._run_parts(x)
        return (yield from self.plan.source(x))

    def _run_parts(self, x: Execution) -> Steps[None]:
        given = tuple(x.context.params[: self.params])
        for part in self.parts:
            x.context = replace(x.context, params=given)
            source = yield from part.plan.source(x)
            try:
                rows = yield from _wanted(part.form, source)
            finally:
                source.close()
            given = (*given, value_of(part.form, rows))
        x.context = replace(x.context, params=given)


def _wanted(form: Form, source: RowSource) -> Steps[list[Row]]:
    """As many of a part's rows as count."""
    if form is Form.EXISTENCE:
        return list((yield from source.take(1)).rows())
    if form is not Form.VALUE:
        found: list[Row] = []
        while len(portion := (yield from source.take(STRIDE))):
            found += portion.rows()
            if len(found) > ROWS_MAX:
                raise KeyTooLongError(
                    f"a subquery that locks rows can give at most {ROWS_MAX} of them"
                )
        return found
    rows = list((yield from source.take(1)).rows())
    if rows and len((yield from source.take(1))):
        raise CardinalityViolationError(
            "more than one row returned by a subquery used as an expression"
        )
    return rows
