"""Subqueries that are asked anew for each row that ON CONFLICT DO UPDATE changes (`sql.parts`).

The columns that one asks for, and its value after them, are parameters behind the statement's own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kalam_pg.query import elsewhere
from kalam_pg.query.execution import Execution
from kalam_pg.query.parted_rows import wanted
from kalam_pg.query.rules import Closure
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.waits import Steps
from kalam_pg.sql.parts import Form, form_of, value_of
from kalam_pg.sql.to_python import Slots, compile_expr
from kalam_pg.sql.tree import AskedAnew, Query
from storage.layout import Row, Value


@dataclass(frozen=True, slots=True)
class AnewPlan:
    """One such subquery. refs: what it asks of the row. place: of the first one's parameter."""

    plan: SelectPlan
    form: Form
    refs: tuple[Closure, ...]
    place: int


def plan_anew(
    asked: Sequence[AskedAnew], slot: Slots, plan_query: Callable[[Query], SelectPlan]
) -> tuple[AnewPlan, ...]:
    """Plan them. slot: where in a row the columns stand that they ask for."""
    return tuple(
        AnewPlan(
            plan_query(one.subquery.query),
            form_of(one.subquery),
            tuple([compile_expr(ref, slot) for ref in one.refs]),
            one.place,
        )
        for one in asked
    )


def ask(x: Execution, plans: Sequence[AnewPlan], row: Row) -> Steps[tuple[Value, ...]]:
    """The parameters that a row's expressions are computed with. Raises what the subqueries raise."""
    own = x.context
    given = tuple(own.params)
    try:
        for one in plans:
            refs = yield from elsewhere.values(x, one.refs, row)
            given = (*given, *[None] * (one.place - len(given)), *refs)
            x.context = replace(own, params=given)
            source = yield from one.plan.source(x)
            try:
                rows = yield from wanted(one.form, source)
            finally:
                source.close()
            given = (*given, value_of(one.form, rows))
    finally:
        x.context = own
    return given
