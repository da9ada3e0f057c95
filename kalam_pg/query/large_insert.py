"""INSERT of what a query answers: where that is a lot, it becomes segments at once."""

from typing import Final

from kalam_pg.query import elsewhere
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.insert import InsertPlan, open_target
from kalam_pg.query.loads import LARGE_BYTES, Road, put_before
from kalam_pg.query.portion import Portion
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.row_spool import Portions, RowSpool
from kalam_pg.query.waits import Pace, Steps

LARGE_ROWS: Final = 20_000
"""As many are a lot, however short they are."""

_TOGETHER: Final = 4096
"""Rows that are packed before others may have a turn: some milliseconds where they come as objects."""


def is_for(plan: InsertPlan) -> bool:
    """Whether nobody asks for each row that is put."""
    return plan.conflict is None and not (plan.returning or plan.checks)


def run(x: Execution, plan: InsertPlan, road: Road) -> Steps[Result]:
    """As `InsertPlan.run`. road: what loads many rows. Raises 53100 and 53400, too."""
    assert plan.source is not None
    target = open_target(x, plan.rules)
    if not road.may(x, target):
        yield from put_before(x, target)
        return (yield from plan.run(x))
    source = yield from plan.source.source(x)
    begun: list[Portion] = []
    spool = yield from many(x, source, begun)
    if spool is None:
        yield from put_before(x, target)
        return (yield from _put(x, plan, Portions(begun)))
    loaded = yield from road.load(x, target, spool)
    result = Result("INSERT", loaded)
    if loaded is None:
        result = yield from _put(x, plan, spool.source())
    spool.close()
    return result


def many(x: Execution, source: RowSource, begun: list[Portion]) -> Steps[RowSpool | None]:
    """What keeps all rows of a source until the transaction ends; None: they are few, and in `begun`.

    Raises 53100, 53400, 57014.
    """
    rows = size = 0
    while rows < LARGE_ROWS and size < LARGE_BYTES:
        portion = yield from source.take(_TOGETHER)
        if not len(portion):
            return None
        begun.append(portion)
        rows += len(portion)
        size += portion.size
    spool = RowSpool(x.database.spills)
    x.transaction.on_end.append(spool.close)
    yield from _keep(x, spool, begun, source)
    return spool


def _keep(x: Execution, spool: RowSpool, begun: list[Portion], source: RowSource) -> Steps[None]:
    """Have all rows in the spool; the list is emptied. Raises 57014."""
    pace = Pace()
    begun.reverse()
    while len(portion := begun.pop() if begun else (yield from source.take(_TOGETHER))):
        yield from spool.add(portion)
        if pace.is_due():
            yield from elsewhere.rest(x, pace)
    yield from spool.write()


def _put(x: Execution, plan: InsertPlan, source: RowSource) -> Steps[Result]:
    return Result("INSERT", (yield from plan.put_all(x, source)))
