"""SELECT without tables that waits: for a while (pg_sleep), or for an advisory lock. Nobody else does.

The function may also be all that FROM has: its one row is there when it was waited for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import trio

from kalam_pg.functions.advisory import OVERLOADS as LOCKS
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
_WAITING = SLEEPS | {overload.name for overload in LOCKS}

Wanted = Callable[[Execution], Steps[None]]
"""What a function that was called is to wait for."""


def waits(expr: Expr) -> bool:
    """Whether an expression calls one of these functions."""
    return any(is_waiting(node) for node in walk(expr))


def is_waiting(node: object) -> bool:
    """Whether it is a call of one of them."""
    return isinstance(node, Call) and node.overload.name in _WAITING


@dataclass(frozen=True, slots=True)
class WaitingPlan(RowPlan):
    """SELECT without tables, its expressions one after another; each waits for what it asked for."""

    columns: tuple[OutputColumn, ...]
    targets: tuple[Closure, ...]
    where: Closure | None
    bounds: Bounds
    from_: Closure | None = None
    """What FROM has; its value is the one column of the one row."""

    def rows(self, x: Execution) -> Steps[Sequence[Row]]:
        asked: list[Wanted] = []

        def sleep(seconds: float) -> str:
            asked.append(partial(_sleep, seconds))
            return ""

        services = {**x.context.services, "pg_sleep": sleep, "wait": asked.append}
        context = replace(x.context, services=services)
        row = _NO_ROW
        if self.from_ is not None:
            row = (self.from_(_NO_ROW, context),)
            yield from _waited(asked, x)
        if self.where is not None and self.where(row, context) is not True:
            return ()
        limit, offset = self.bounds.values(context)
        if offset or limit == 0:
            return ()
        values: list[Value] = []
        for target in self.targets:
            values.append(target(row, context))
            yield from _waited(asked, x)
        return [tuple(values)]


def _waited(asked: list[Wanted], x: Execution) -> Steps[None]:
    """Wait for what was asked for, which is forgotten then."""
    wanted, asked[:] = list(asked), []
    for each in wanted:
        yield from each(x)


def _sleep(seconds: float, x: Execution) -> Steps[None]:
    if seconds > 0:
        yield from run_async(partial(trio.sleep, seconds), timeout_s=x.statement_timeout_s)
