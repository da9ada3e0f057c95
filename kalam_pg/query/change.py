"""UPDATE and DELETE: find the rows, lock each, look again, change it.

Rows are found by key when the WHERE pins the primary key, and by a query else. Between finding and
locking, another transaction may have committed a change: at READ COMMITTED the row is read again under
its lock and the WHERE is asked again of what it is now, as PostgreSQL does, and what only a query can
find (a join, a subquery) is found again as a whole; above that the newest version must be the one the
view shows (`rows.newest`).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from catalog.model import Table
from catalog.uses import sequences_used
from kalam_pg.functions.cost import TakesLongError
from kalam_pg.functions.table import EvalContext
from kalam_pg.query import elsewhere
from kalam_pg.query.at_once import AtOnce
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.found_slots import FoundSlots
from kalam_pg.query.insert import open_target
from kalam_pg.query.last_numbers import takes_numbers
from kalam_pg.query.locks.modes import FOR_NO_KEY_UPDATE, FOR_UPDATE, Mode
from kalam_pg.query.predicates import key_lookup
from kalam_pg.query.read_ahead import AHEAD, FEW, read_ahead
from kalam_pg.query.row_changes import remove, replace
from kalam_pg.query.row_source import Gathered, RowSource, Whole
from kalam_pg.query.rows import Found, Target, is_newest, lock_key, newest, visible
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.view_checks import CompiledCheck, check_row, compile_checks
from kalam_pg.query.waits import Pace, Steps
from kalam_pg.sql.constancy import is_fixed
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import (
    BoolKind,
    BoolOp,
    Call,
    Delete,
    Expr,
    OutputColumn,
    Query,
    Select,
    TableScan,
    Update,
)
from storage.keys import encode_key
from storage.layout import Row

_NO_ROW: Row = ()


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """A compiled UPDATE (`assignments`) or DELETE (None).

    Closures see a found row: the target's columns, `_seq`, `_deleted`, then what else the query gave
    (the columns of FROM, or values that need an engine). key: how to find the row without a query.
    mode: how each row is locked. recheck: what must hold of a row that has changed since, None:
    nothing. whole: only the finder can tell that. checks: of the views that it is written through. numbered:
    SET takes numbers of sequences, which RETURNING of the same row may ask for. fixed: what SET computes of
    parameters alone.
    """

    tag: str
    table: Table
    rules: RowRules
    key: tuple[Closure, ...] | None
    finder: SelectPlan | None
    recheck: Closure | None
    assignments: tuple[tuple[int, Closure | None], ...] | None
    returning: tuple[Closure, ...]
    columns: tuple[OutputColumn, ...]
    mode: Mode
    whole: bool
    checks: tuple[CompiledCheck, ...] = ()
    numbered: bool = False
    fixed: tuple[Closure, ...] = ()

    def ask_fixed(self, context: EvalContext) -> None:
        """No row was found: raise what SET raises whatever a row has. PostgreSQL finds it as it plans."""
        for closure in self.fixed:
            with suppress(TakesLongError):
                closure(_NO_ROW, context)

    def run(self, x: Execution) -> Steps[Result]:
        """Change every row that the WHERE finds; raises and leaves the undoing to the caller."""
        target = open_target(x, self.rules)
        if self.key is not None:
            found: RowSource = Whole((yield from self._find_by_key(x, target)))
        elif self.whole:
            found = yield from self._settled(x, target)
        else:
            assert self.finder is not None
            found = yield from self.finder.source(x)
        count, pace = 0, Pace()
        answers = x.gathered() if self.returning else None
        done: set[bytes] = set()
        width = len(self.table.columns)
        general = self.checks or self.numbered
        at_once, key_of = None if general else AtOnce.of(x, target), self.rules.key_of
        while len(rows := (yield from x.taken(found))):
            at, ahead, keys = 0, 0, list(map(key_of, rows))
            while at < len(rows):
                if at >= ahead and len(rows) - at >= FEW:
                    ahead = at + AHEAD
                    yield from read_ahead(x, target, keys[at:ahead], self.mode)
                changed: Sequence[Row] = ()
                if at_once is not None:
                    known = rows[:ahead] if x.cold else rows
                    changed = at_once.change(known, keys, at, self.mode, self.assignments)
                if not changed:
                    row, key = rows[at], keys[at]
                    if key in done:  # FROM matched the row more than once: the first match counts
                        current = None
                    else:
                        current = yield from self._lock_again(x, target, row, key, width)
                    if current is None:
                        at += 1
                        continue
                    changed = ((yield from self._change(x, target, current, row[width + 2 :])),)
                done.update(keys[at : at + len(changed)])
                at += len(changed)
                count += len(changed)
                if answers is not None:
                    for row in changed:
                        yield from self._answer(x, row, answers)
                if pace.is_due():
                    yield from elsewhere.rest(x, pace)
        if not count:
            self.ask_fixed(x.context)
        if answers is None:
            return Result(self.tag, count)
        return Result.of(self.tag, self.columns, (yield from answers.source()), count)

    def _answer(self, x: Execution, row: Row, answers: Gathered) -> Steps[None]:
        """Keep what RETURNING answers of a row."""
        try:
            answer = [c(row, x.context) for c in self.returning]
        except TakesLongError:
            answer = yield from elsewhere.values(x, self.returning, row)
        yield from answers.add(tuple(answer))

    def _find_by_key(self, x: Execution, target: Target) -> Steps[Sequence[Row]]:
        assert self.key is not None
        try:
            values = [closure(_NO_ROW, x.context) for closure in self.key]
        except TakesLongError:
            values = yield from elsewhere.values(x, self.key, _NO_ROW)
        if None in values:
            return ()
        key = encode_key(values, self.rules.kinds)
        found = yield from visible(x, target, key)
        if found.row is None:
            return ()
        row = (*found.row, found.seq, False)
        if self.recheck and (yield from elsewhere.evaluated(x, self.recheck, row)) is not True:
            return ()
        return (row,)

    def _settled(self, x: Execution, target: Target) -> Steps[RowSource]:
        """What the finder finds, every row of it locked and found as it is now."""
        assert self.finder is not None
        width = len(self.table.columns)
        while True:
            kept = x.gathered()
            source = yield from self.finder.source(x)
            if (yield from self._lock_all(x, target, source, kept, width)):
                return (yield from kept.source())
            kept.close()
            source.close()
            x.look_again((self.table,))

    def _lock_all(
        self, x: Execution, target: Target, source: RowSource, kept: Gathered, width: int
    ) -> Steps[bool]:
        """Lock what is found and keep it; False as soon as a row was another one by then."""
        pace = Pace()
        while len(rows := (yield from x.taken(source))):
            for row in rows:
                key = self.rules.key_of(row)
                yield from lock_key(x, target, key, self.mode)
                current = yield from newest(x, target, key)
                if current.row is None or x.changed(target.id, key):
                    continue
                if not is_newest(x, target, row, row[width], current):
                    return False
                yield from kept.add(row)
                if pace.is_due():
                    yield from elsewhere.rest(x, pace)
        return True

    def _lock_again(
        self, x: Execution, target: Target, row: Row, key: bytes, width: int
    ) -> Steps[Found | None]:
        """The locked row as it is now, or None if it is gone or no longer wanted."""
        waited = yield from lock_key(x, target, key, self.mode)
        if x.changed(target.id, key):
            return None
        if self.key is not None and not waited and x.view is x.database.engine.current:
            return Found(row[:width], cast("int", row[width]))  # It was read at this very moment.
        current = yield from newest(x, target, key)
        if current.row is None:
            return None
        if self.recheck is None or is_newest(x, target, row, row[width], current):
            return current
        again = (*current.row, current.seq, False, *row[width + 2 :])
        wanted = yield from elsewhere.evaluated(x, self.recheck, again)
        return current if wanted is True else None

    def _change(self, x: Execution, target: Target, current: Found, extra: Row) -> Steps[Row]:
        """Update or delete one locked row; the row that RETURNING sees."""
        old = current.row
        assert old is not None
        seen = (*old, current.seq, False, *extra)
        if self.assignments is None:
            yield from remove(x, target, old, current.seq)
            return seen
        changed = list(old)
        for at, closure in self.assignments:
            source = self.rules.defaults[at] if closure is None else closure
            changed[at] = yield from elsewhere.evaluated(x, source, seen)
        row = tuple(changed)
        if self.rules.generated:
            row = yield from elsewhere.generated(x, self.rules, row)
        yield from elsewhere.checked(x, self.rules, row)
        yield from replace(x, target, old, current.seq, row)
        if self.checks:
            yield from check_row(x, self.checks, self.rules, row)
        return (*row, current.seq, False, *extra)


def plan_change(
    statement: Update | Delete,
    rules: RowRules,
    plan_query: Callable[[Query], SelectPlan],
) -> ChangePlan:
    """Compile a bound UPDATE or DELETE."""
    table = statement.table
    items = statement.from_ if isinstance(statement, Update) else statement.using
    slots = FoundSlots(statement.target, statement.target_columns, items)
    assignments: tuple[tuple[int, Closure | None], ...] | None = None
    if isinstance(statement, Update):
        assignments = tuple(
            (a.column, None if a.expr is None else slots.compile(a.expr))
            for a in statement.assignments
        )
    returning = tuple(slots.compile_returning(item.expr) for item in statement.returning)
    # Values that only a query can compute come with the rows that it finds.
    by_key = not items and not statement.with_ and not slots.extra
    key = key_lookup(statement.where, table, statement.target) if by_key else None
    if key is not None and key.rest and slots.computed_where(_all_of(key.rest)):
        key = None
    recheck = None
    whole = False
    if key is not None:
        keys: tuple[Closure, ...] | None = tuple(compile_expr(v, slots.slot) for v in key.values)
        recheck = None if not key.rest else compile_expr(_all_of(key.rest), slots.slot)
        finder = None
    else:
        keys = None
        finder = plan_query(_finder(statement, slots))
        where = statement.where
        whole = bool(items) or bool(slots.extra)
        whole = whole or (where is not None and slots.computed_where(where))
        if where is not None and not whole:
            recheck = compile_expr(where, slots.slot)
    return ChangePlan(
        "DELETE" if assignments is None else "UPDATE",
        table,
        rules,
        keys,
        finder,
        recheck,
        assignments,
        returning,
        statement.returning_columns,
        FOR_UPDATE if assignments is None else FOR_NO_KEY_UPDATE,
        whole,
        compile_checks(statement.checks, slots.slot) if isinstance(statement, Update) else (),
        isinstance(statement, Update) and _is_numbered(statement),
        tuple(
            [
                compile_expr(one.expr, slots.slot)
                for one in getattr(statement, "assignments", ())
                if isinstance(one.expr, Call) and is_fixed(one.expr)
            ]
        ),
    )


def _is_numbered(statement: Update) -> bool:
    """Whether SET takes numbers of sequences, by itself or by a default."""
    return any(
        bool(sequences_used(statement.table.columns[one.column].default))
        if one.expr is None
        else takes_numbers(one.expr)
        for one in statement.assignments
    )


def _all_of(parts: Sequence[Expr]) -> Expr:
    if len(parts) == 1:
        return parts[0]
    return BoolOp(BoolKind.AND, tuple(parts), parts[0].type)


def _finder(statement: Update | Delete, slots: FoundSlots) -> Select:
    """The query that finds the rows: the target's columns, then everything else that is needed."""
    items = statement.from_ if isinstance(statement, Update) else statement.using
    scan = TableScan(statement.target, statement.table, statement.target_columns)
    targets = [*slots.target_items(), *slots.extra]
    return Select(
        targets=tuple(targets),
        columns=tuple(
            OutputColumn(item.name, item.expr.type, item.expr.typmod) for item in targets
        ),
        from_=(scan, *items),
        where=statement.where,
        with_=statement.with_,
    )
