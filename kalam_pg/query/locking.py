"""SELECT … FOR UPDATE and its kin: rows are found, locked, and looked at again.

LIMIT and OFFSET count the rows that were locked: a row that SKIP LOCKED passes over, or that is not
wanted any more once it is ours, is replaced by the next. Between finding and locking another transaction
may have committed a change. Above READ COMMITTED that is 40001. At READ COMMITTED a query of one table
asks its WHERE again of the row as it is now, as PostgreSQL does; any other query is asked again as a
whole, what is locked staying locked, until no row has changed between finding and locking.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from catalog.errors import FeatureNotSupportedError, LockNotAvailableError
from catalog.types.registry import BOOL
from kalam_pg.functions.cost import TakesLongError
from kalam_pg.interpreter.sorting import Bounds
from kalam_pg.query import elsewhere
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.insert import open_target
from kalam_pg.query.locks.modes import (
    FOR_KEY_SHARE,
    FOR_NO_KEY_UPDATE,
    FOR_SHARE,
    FOR_UPDATE,
    Mode,
)
from kalam_pg.query.portion import NO_ROWS, Portion, RowPortion
from kalam_pg.query.row_source import RowSource, Whole
from kalam_pg.query.rows import Found, Target, enter, is_newest, lock_key, newest, still_there
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.sizes import LOCK_BYTES
from kalam_pg.query.waits import STRIDE, Pace, Steps
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import (
    ColumnRef,
    Const,
    FromItem,
    Join,
    LockClause,
    OutputColumn,
    Query,
    Select,
    TableScan,
)
from kalam_pg.sql.tree import Target as TargetItem
from storage.layout import Row

_MODES = {
    "FOR KEY SHARE": FOR_KEY_SHARE,
    "FOR SHARE": FOR_SHARE,
    "FOR NO KEY UPDATE": FOR_NO_KEY_UPDATE,
    "FOR UPDATE": FOR_UPDATE,
}
_WAITS = ("", "SKIP LOCKED", "NOWAIT")


@dataclass(frozen=True, slots=True)
class RowLock:
    """The rows of one table that are locked, and how. wait: "", SKIP LOCKED or NOWAIT.

    start, stop: where a found row has the table's columns; its `_seq` is at `stop`.
    """

    rules: RowRules
    mode: Mode
    wait: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class LockingPlan:
    """Find, lock, look again, project. The finder has no LIMIT.

    strength: FOR UPDATE or what else was said first. locks: in the order of FROM. recheck, targets: the
    WHERE and the select list as closures over the one table's columns, `_seq` and `_deleted`; targets
    None: the finder gives them, behind the tables' columns.
    """

    columns: tuple[OutputColumn, ...]
    strength: str
    locks: tuple[RowLock, ...]
    finder: SelectPlan
    recheck: Closure | None
    targets: tuple[Closure, ...] | None
    bounds: Bounds

    def run(self, x: Execution) -> Steps[Result]:
        """Answer for the client."""
        return Result.of("SELECT", self.columns, (yield from self.source(x)))

    def source(self, x: Execution) -> Steps[RowSource]:
        """The rows of one table are locked as they are taken. Raises 25006."""
        x.transaction.check_writable(f"SELECT {self.strength}")
        limit, offset = self.bounds.values(x.context)
        if self.targets is None:
            return Whole((yield from self._settled(x, limit, offset)))
        target = open_target(x, self.locks[0].rules)
        found = yield from self.finder.source(x)
        rows = _LockedRows(self, x, target, found, None if limit is None else limit + offset)
        while offset and (passed := len((yield from rows.take(offset)))):
            offset -= passed
        return rows

    def lock_one(self, x: Execution, target: Target, found: Row) -> Steps[Row | None]:
        """Lock a found row; what it is in the answer, None if it has no place there.

        Raises 55P03, 40P01, 40001.
        """
        (lock,) = self.locks
        assert self.targets is not None
        current = yield from _lock(x, lock, target, found)
        if current is None or current.row is None:
            return None
        row = (*current.row, current.seq, False)
        if self.recheck and (yield from elsewhere.evaluated(x, self.recheck, row)) is not True:
            return None
        try:
            return tuple([closure(row, x.context) for closure in self.targets])
        except TakesLongError:
            return tuple((yield from elsewhere.values(x, self.targets, row)))

    def _settled(self, x: Execution, limit: int | None, offset: int) -> Steps[list[Row]]:
        """The answer, all its rows locked and found as they are now."""
        targets = [open_target(x, lock.rules) for lock in self.locks]
        while True:
            rows: list[Row] = []
            source = yield from self.finder.source(x)
            try:
                settled = yield from self._lock_all(x, targets, source, rows, limit, offset)
            finally:
                source.close()
            if settled:
                return rows[offset:]
            x.look_again(lock.rules.table for lock in self.locks)

    def _lock_all(
        self,
        x: Execution,
        targets: Sequence[Target],
        source: RowSource,
        rows: list[Row],
        limit: int | None,
        offset: int,
    ) -> Steps[bool]:
        """Lock what is found, and put it into `rows`; False as soon as a row was another one by then."""
        width = self.locks[-1].stop + 1
        end = None if limit is None else limit + offset
        pace = Pace()
        while (end is None or len(rows) < end) and len(taken := (yield from x.taken(source))):
            for found in taken:
                for lock, target in zip(self.locks, targets, strict=True):
                    current = yield from _lock(x, lock, target, found)
                    if current is None or current.row is None:
                        break
                    if not is_newest(
                        x, target, found[lock.start : lock.stop], found[lock.stop], current
                    ):
                        return False
                else:
                    rows.append(found[width:])
                    if len(rows) == end:
                        break
                if pace.is_due():
                    yield from elsewhere.rest(x, pace)
        return True


class _LockedRows(RowSource):
    """The rows of one table, locked as they are taken."""

    __slots__ = ("_found", "_left", "_plan", "_target", "_x")

    def __init__(
        self, plan: LockingPlan, x: Execution, target: Target, found: RowSource, limit: int | None
    ) -> None:
        super().__init__()
        self._plan = plan
        self._x = x
        self._target = target
        self._found = found
        self._left = limit

    def take(self, limit: int) -> Steps[Portion]:
        wanted = min(limit, STRIDE)
        if self._left is not None:
            wanted = min(wanted, self._left)
        rows: list[Row] = []
        pace = Pace()
        while len(rows) < wanted:
            taken = yield from self._x.taken(self._found, wanted - len(rows))
            if not taken:
                break
            for found in taken:
                row = yield from self._plan.lock_one(self._x, self._target, found)
                if row is not None:
                    rows.append(row)
                if pace.is_due():
                    yield from elsewhere.rest(self._x, pace)
        if self._left is not None:
            self._left -= len(rows)
        if len(rows) < wanted or self._left == 0:
            self._found.close()
        return RowPortion(rows) if rows else NO_ROWS

    def close(self) -> None:
        self._found.close()


def _lock(x: Execution, lock: RowLock, target: Target, found: Row) -> Steps[Found | None]:
    """The row as it is once it is ours; None: it is to be skipped."""
    was = found[lock.start : lock.stop]
    key = lock.rules.key_of(was)
    locks, name = x.database.locks, (target.id, key)
    if locks.is_guarded(target.id):
        yield from enter(x, target.id)  # Also with SKIP LOCKED and NOWAIT, as for a table.
    waited = False
    x.transaction.memory.add(LOCK_BYTES)
    if not locks.lock_nowait(x.transaction, name, lock.mode):
        if lock.wait == "SKIP LOCKED":
            return None
        if lock.wait == "NOWAIT":
            raise LockNotAvailableError(
                f'could not obtain lock on row in relation "{lock.rules.table.name}"'
            )
        waited = yield from lock_key(x, target, key, lock.mode)
    if x.changed(target.id, key):
        return None
    if lock.mode == FOR_KEY_SHARE and not waited:
        seq = found[lock.stop]
        assert isinstance(seq, int)
        # It is kept from being deleted: whatever else of it has changed is left out of account.
        return (yield from still_there(x, target, Found(was, seq)))
    return (yield from newest(x, target, key, deleted="update"))


def plan_locking(
    query: Select,
    rules_of: Callable[[TableScan], RowRules],
    plan_query: Callable[[Query], SelectPlan],
    bounds: Bounds,
) -> LockingPlan:
    """Compile a bound SELECT … FOR UPDATE. Raises 0A000 for what cannot be found again."""
    modes = _row_modes(query.locking)
    scans = [scan for scan in _tables(query.from_) if scan.relation in modes]
    locks: list[RowLock] = []
    items: list[TargetItem] = []
    for scan in scans:
        start, stop = len(items), len(items) + len(scan.columns) - 2
        locks.append(RowLock(rules_of(scan), *modes[scan.relation], start, stop))
        items += [
            TargetItem(ColumnRef(scan.relation, at, c.name, c.type, c.typmod), c.name)
            for at, c in enumerate(scan.columns[:-1])
        ]
    finder = replace(query, locking=(), limit=None, offset=None)
    strength = query.locking[0].strength
    try:
        recheck, targets = _closures(query)
    except FeatureNotSupportedError:
        finder = _finding(finder, [*items, *query.targets])
        return LockingPlan(
            query.columns, strength, tuple(locks), plan_query(finder), None, None, bounds
        )
    finder = _finding(finder, [*items, TargetItem(Const(False, BOOL), "_deleted")])
    return LockingPlan(
        query.columns, strength, tuple(locks), plan_query(finder), recheck, targets, bounds
    )


def _finding(query: Select, items: Sequence[TargetItem]) -> Select:
    columns = [OutputColumn(item.name, item.expr.type, item.expr.typmod) for item in items]
    return replace(query, targets=tuple(items), columns=tuple(columns))


def _row_modes(clauses: Sequence[LockClause]) -> dict[int, tuple[Mode, str]]:
    """How each relation is locked: the strongest mode, and the least patience, of those asked for."""
    found: dict[int, tuple[Mode, str]] = {}
    for clause in clauses:
        for relation in clause.relations:
            mode, wait = found.get(relation, (0, ""))
            found[relation] = (
                max(mode, _MODES[clause.strength]),
                max(wait, clause.wait, key=_WAITS.index),
            )
    return found


def _tables(items: Sequence[FromItem]) -> list[TableScan]:
    found: list[TableScan] = []
    for item in items:
        if isinstance(item, Join):
            found += _tables((item.left, item.right))
        elif isinstance(item, TableScan):
            found.append(item)
    return found


def _closures(query: Select) -> tuple[Closure | None, tuple[Closure, ...]]:
    """WHERE and select list over a row of the one table. Raises 0A000 when that cannot be."""
    if len(query.from_) != 1 or not isinstance(query.from_[0], TableScan) or query.with_:
        raise FeatureNotSupportedError("not one table")

    def slot(reference: ColumnRef) -> int:
        if reference.outer:
            raise FeatureNotSupportedError("a correlated reference cannot be locked")
        return reference.column

    where = None if query.where is None else compile_expr(query.where, slot)
    return where, tuple(compile_expr(item.expr, slot) for item in query.targets)
