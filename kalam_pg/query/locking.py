"""SELECT … FOR UPDATE and its kin: the rows found are locked until the transaction ends, then read again.

A row lock has one strength here: FOR NO KEY UPDATE, FOR SHARE and FOR KEY SHARE lock as FOR UPDATE does,
which keeps out more than PostgreSQL would and never less.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace

from catalog.errors import FeatureNotSupportedError, LockNotAvailableError
from catalog.types.registry import BOOL
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.insert import open_target
from kalam_pg.query.portion import Portion, RowPortion
from kalam_pg.query.row_source import RowSource
from kalam_pg.query.rows import Target, lock_key, newest
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.waits import STRIDE, Steps, breathe
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import (
    ColumnRef,
    Const,
    OutputColumn,
    Query,
    Select,
    TableScan,
)
from kalam_pg.sql.tree import Target as TargetItem
from storage.layout import Row


@dataclass(frozen=True, slots=True)
class LockingPlan:
    """Find, lock, read again, project. Closures see the table's columns, `_seq` and `_deleted`.

    skip, nowait: what to do about a row that another transaction has locked, instead of waiting.
    """

    columns: tuple[OutputColumn, ...]
    rules: RowRules
    finder: SelectPlan
    recheck: Closure | None
    targets: tuple[Closure, ...]
    skip: bool
    nowait: bool

    def run(self, x: Execution) -> Steps[Result]:
        """Answer for the client."""
        return Result("SELECT", None, self.columns, source=(yield from self.source(x)))

    def source(self, x: Execution) -> Steps[RowSource]:
        """Rows are locked as they are taken."""
        x.transaction.check_writable("SELECT FOR UPDATE")
        x.context = copy(x.context)  # which is the session's, and of its next statement by then
        target = open_target(x, self.rules)
        return _LockedRows(self, x, target, (yield from self.finder.source(x)))

    def locked(self, x: Execution, target: Target, rows: Sequence[Row]) -> Steps[list[Row]]:
        """Of rows found, those that are still wanted once they are locked. Raises 55P03, 40P01, 40001."""
        answers: list[Row] = []
        for found in rows:
            key = self.rules.key_of(found)
            if not (yield from self._lock(x, target, key)):
                continue
            current = yield from newest(x, target, key)
            if current.row is None:
                continue
            row = (*current.row, current.seq, False)
            if self.recheck is not None and self.recheck(row, x.context) is not True:
                continue
            answers.append(tuple([closure(row, x.context) for closure in self.targets]))
        return answers

    def _lock(self, x: Execution, target: Target, key: bytes) -> Steps[bool]:
        """Whether the row is ours now."""
        if x.database.locks.lock_nowait(x.transaction, (target.id, key)):
            return True
        if self.skip:
            return False
        if self.nowait:
            raise LockNotAvailableError(
                f'could not obtain lock on row in relation "{self.rules.table.name}"'
            )
        yield from lock_key(x, target, key)
        return True


class _LockedRows(RowSource):
    """The rows of a `LockingPlan`."""

    __slots__ = ("_found", "_plan", "_target", "_x")

    def __init__(self, plan: LockingPlan, x: Execution, target: Target, found: RowSource) -> None:
        super().__init__()
        self._plan = plan
        self._x = x
        self._target = target
        self._found = found

    def next_portion(self) -> Steps[Portion | None]:
        while len(found := (yield from self._found.take(STRIDE))):
            rows = yield from self._plan.locked(self._x, self._target, found.rows())
            if len(found) == STRIDE:
                yield from breathe()
            if rows:
                return RowPortion(rows)
        return None


def plan_locking(
    query: Select,
    rules_of: Callable[[TableScan], RowRules],
    plan_query: Callable[[Query], SelectPlan],
) -> LockingPlan:
    """Compile a bound SELECT … FOR UPDATE. Raises 0A000 for more than one table or a grouped query."""
    scan = query.from_[0] if len(query.from_) == 1 else None
    if not isinstance(scan, TableScan) or query.grouped or query.distinct or query.distinct_on:
        raise FeatureNotSupportedError(
            f"{query.locking.upper() or 'FOR UPDATE'} is supported for one table without grouping only"
        )
    references = [
        TargetItem(ColumnRef(scan.relation, at, c.name, c.type, c.typmod), c.name)
        for at, c in enumerate(scan.columns[:-1])
    ]
    items = (*references, TargetItem(Const(False, BOOL), scan.columns[-1].name))
    finder = replace(query, targets=items, columns=scan.columns, locking="")
    words = query.locking.lower()
    return LockingPlan(
        query.columns,
        rules_of(scan),
        plan_query(finder),
        None if query.where is None else compile_expr(query.where, _slot),
        tuple(compile_expr(item.expr, _slot) for item in query.targets),
        "skip locked" in words,
        "nowait" in words,
    )


def _slot(reference: ColumnRef) -> int:
    if reference.outer:
        raise FeatureNotSupportedError("a correlated reference cannot be locked")
    return reference.column
