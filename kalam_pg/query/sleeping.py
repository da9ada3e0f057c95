"""pg_sleep and its kin: the statement waits, and nobody else does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import trio

from kalam_pg.functions.sleeps import SLEEPS
from kalam_pg.interpreter.sorting import Bounds
from kalam_pg.query.execution import Execution
from kalam_pg.query.rules import Closure
from kalam_pg.query.select import RowPlan
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.sql.tree import Call, Expr, OutputColumn
from kalam_pg.sql.walk import walk
from storage.layout import Row, Value

_NO_ROW: Row = ()


def sleeps(expr: Expr) -> bool:
    """Whether an expression calls one of these functions."""
    return any(isinstance(node, Call) and node.overload.name in SLEEPS for node in walk(expr))


@dataclass(frozen=True, slots=True)
class SleepingPlan(RowPlan):
    """SELECT without tables, its expressions one after another; each waits where it sleeps."""

    columns: tuple[OutputColumn, ...]
    targets: tuple[Closure, ...]
    where: Closure | None
    bounds: Bounds

    def rows(self, x: Execution) -> Steps[Sequence[Row]]:
        asked: list[float] = []

        def sleep(seconds: float) -> str:
            asked.append(seconds)
            return ""

        services = {**x.context.services, "pg_sleep": sleep}
        context = replace(x.context, services=services)
        if self.where is not None and self.where(_NO_ROW, context) is not True:
            return ()
        limit, offset = self.bounds.values(context)
        if offset or limit == 0:
            return ()
        values: list[Value] = []
        for target in self.targets:
            values.append(target(_NO_ROW, context))
            seconds, asked[:] = sum(asked), []
            if seconds > 0:
                nap = partial(trio.sleep, seconds)
                yield from run_async(nap, timeout_s=x.statement_timeout_s)
        return [tuple(values)]
