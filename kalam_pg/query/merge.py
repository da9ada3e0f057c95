"""MERGE: find what joins, lock what will change, look again where it has changed meanwhile, then act.

Each row that the source gives comes with the target row it is joined to, or with none; the first WHEN that
holds says what becomes of it. The rows that will be changed are locked before the first is. Where one of them
is another by then, it is asked again, as in PostgreSQL, whether ON and which WHEN holds of it, and it is not
matched any more if ON does not, or if it has gone; what only a query can tell (a subquery) is found again as
a whole, as `query.change` does for joins. Above READ COMMITTED that is a 40001.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from catalog.errors import CardinalityViolationError, FeatureNotSupportedError
from catalog.model import Table
from kalam_pg.functions.cost import TakesLongError
from kalam_pg.functions.table import OverloadKind
from kalam_pg.query import elsewhere, row_changes
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.found_slots import FoundSlots
from kalam_pg.query.insert import open_target
from kalam_pg.query.locks.modes import FOR_NO_KEY_UPDATE, FOR_UPDATE, Mode
from kalam_pg.query.portion import Portion, RowPortion
from kalam_pg.query.predicates import is_volatile, key_lookup
from kalam_pg.query.row_source import Gathered, RowSource
from kalam_pg.query.rows import Found, Target, is_newest, lock_key, newest, visible
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.waits import Pace, Steps
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import (
    Call,
    ColumnRef,
    Expr,
    FromItem,
    Join,
    Merge,
    OutputColumn,
    Query,
    Select,
    SubqueryScan,
    TableScan,
    ValuesQuery,
    ValuesScan,
    When,
)
from kalam_pg.sql.tree import (
    Target as TargetItem,
)
from kalam_pg.sql.walk import walk
from storage.keys import encode_key
from storage.layout import Row


@dataclass(frozen=True, slots=True)
class MergeAction:
    """A compiled WHEN. `kind` as of `When`; closures see a found row.

    assignments: of an UPDATE, None is the default. builders: of an INSERT, one for each column of the table.
    """

    matched: bool
    condition: Closure | None
    kind: str
    assignments: tuple[tuple[int, Closure | None], ...]
    builders: tuple[Closure | None, ...]

    @property
    def mode(self) -> Mode:
        """How the row that it is for is locked."""
        return FOR_UPDATE if self.kind == "delete" else FOR_NO_KEY_UPDATE


@dataclass(frozen=True, slots=True)
class MergePlan:
    """A compiled MERGE. The finder gives the target's columns, `_seq`, `_deleted`, then what else is needed;
    of a row without a target row the first are NULL, the key too.

    on: asks a found row again whether it is joined; None: only the finder can tell. by_key: where the source
    has few rows and ON says which key each is for, what gives the source's rows, and the key of a row.
    """

    table: Table
    rules: RowRules
    finder: SelectPlan
    on: Closure | None
    actions: tuple[MergeAction, ...]
    by_key: "SourceByKey | None" = None
    columns: tuple[OutputColumn, ...] = ()
    returning: tuple[Closure, ...] = ()
    """There is no RETURNING: as of other data changes."""

    def run(self, x: Execution) -> Steps[Result]:
        """Do what the WHENs say to every row that joins; raises and leaves the undoing to the caller."""
        target = open_target(x, self.rules)
        found = yield from self._settled(x, target)
        count, pace = 0, Pace()
        done: set[bytes] = set()
        while len(rows := (yield from x.taken(found))):
            for row in rows:
                number = row[-1]
                assert isinstance(number, int)
                action = self.actions[number]
                if action.matched:
                    yield from self._change(x, target, action, row, done)
                else:
                    yield from self._insert(x, target, action, row)
                count += 1
                if pace.is_due():
                    yield from elsewhere.rest(x, pace)
        return Result("MERGE", count)

    # ------------------------------------------------------------------ finding

    def _settled(self, x: Execution, target: Target) -> Steps[RowSource]:
        """The rows that something is done for, each with its action's number behind, as they are now."""
        while True:
            kept = x.gathered()
            source = yield from self._found(x, target)
            if (yield from self._lock_all(x, target, source, kept)):
                return (yield from kept.source())
            kept.close()
            source.close()
            x.look_again((self.table,))

    def _found(self, x: Execution, target: Target) -> Steps[RowSource]:
        if self.by_key is None:
            return (yield from self.finder.source(x))
        return _LookedUp(self, self.by_key, x, target, (yield from self.by_key.plan.source(x)))

    def look_up(
        self, x: Execution, target: Target, key: Sequence[Closure], given: Row
    ) -> Steps[Row]:
        """A row of the source with the target row that it is joined to."""
        width = len(self.table.columns)
        row: Row = (*[None] * (width + 2), *given)
        try:
            values = [closure(row, x.context) for closure in key]
        except TakesLongError:
            values = yield from elsewhere.values(x, key, row)
        if None in values:
            return row
        there = yield from visible(x, target, encode_key(values, self.rules.kinds))
        return row if there.row is None else (yield from self._joined(x, _now(there, row, width)))

    def _lock_all(
        self, x: Execution, target: Target, source: RowSource, kept: Gathered
    ) -> Steps[bool]:
        """Lock what will be changed, and keep it; False as soon as everything must be found again."""
        pace = Pace()
        while len(rows := (yield from x.taken(source))):
            for found in rows:
                row: Row = found
                number = yield from self._chosen(x, row)
                while number is not None and self.actions[number].matched:
                    if self.actions[number].kind == "nothing":
                        break
                    again = yield from self._locked(x, target, row, self.actions[number].mode)
                    if again is row:
                        break
                    if self.on is None:
                        return False
                    row = yield from self._joined(x, again)
                    number = yield from self._chosen(x, row)
                if number is not None and self.actions[number].kind != "nothing":
                    yield from kept.add((*row, number))
                if pace.is_due():
                    yield from elsewhere.rest(x, pace)
        return True

    def _locked(self, x: Execution, target: Target, row: Row, mode: Mode) -> Steps[Row]:
        """The row itself, its target row locked; or it with that as it is now, NULLs where it has gone."""
        key, width = self.rules.key_of(row), len(self.table.columns)
        yield from lock_key(x, target, key, mode)
        current = yield from newest(x, target, key)
        if x.changed(target.id, key):
            raise _second_time()
        if current.row is not None and is_newest(x, target, row, row[width], current):
            return row
        return _now(current, row, width)

    def _joined(self, x: Execution, row: Row) -> Steps[Row]:
        """A row, without its target row where ON does not hold."""
        assert self.on is not None
        width = len(self.table.columns)
        gone = row[self.rules.key[0]] is None
        if gone or (yield from elsewhere.evaluated(x, self.on, row)) is not True:
            return _now(_NONE, row, width)
        return row

    def _chosen(self, x: Execution, row: Row) -> Steps[int | None]:
        """The number of the first WHEN that holds for a row."""
        matched = row[self.rules.key[0]] is not None
        for number, action in enumerate(self.actions):
            if action.matched is matched:
                condition = action.condition
                if condition is None or (yield from elsewhere.evaluated(x, condition, row)) is True:
                    return number
        return None

    # ------------------------------------------------------------------ acting

    def _change(
        self, x: Execution, target: Target, action: MergeAction, row: Row, done: set[bytes]
    ) -> Steps[None]:
        """Update or delete a locked row."""
        key = self.rules.key_of(row)
        if key in done:
            raise _second_time()
        done.add(key)
        current = yield from newest(x, target, key)
        old = current.row
        assert old is not None
        if action.kind == "delete":
            yield from row_changes.remove(x, target, old, current.seq)
            return
        seen = _now(current, row, len(old))
        changed = list(old)
        for at, closure in action.assignments:
            source = self.rules.defaults[at] if closure is None else closure
            changed[at] = yield from elsewhere.evaluated(x, source, seen)
        made = yield from self._checked(x, tuple(changed))
        yield from row_changes.replace(x, target, old, current.seq, made)

    def _insert(self, x: Execution, target: Target, action: MergeAction, row: Row) -> Steps[None]:
        try:
            values = [None if b is None else b(row, x.context) for b in action.builders]
        except TakesLongError:
            values = yield from elsewhere.values(x, action.builders, row)
        made = yield from self._checked(x, tuple(values))
        yield from row_changes.insert(x, target, made)

    def _checked(self, x: Execution, row: Row) -> Steps[Row]:
        """A new row with what is generated of it. Raises unless it satisfies its table."""
        if self.rules.generated:
            row = yield from elsewhere.generated(x, self.rules, row)
        yield from elsewhere.checked(x, self.rules, row)
        return row


@dataclass(frozen=True, slots=True)
class SourceByKey:
    """The source's rows, and what computes the key of the target row that one is for."""

    plan: SelectPlan
    key: tuple[Closure, ...]
    texts: tuple[Expr, ...]


class _LookedUp(RowSource):
    """Rows of the source, each with the target row of its key."""

    __slots__ = ("_by_key", "_merge", "_source", "_target", "_x")

    def __init__(
        self, merge: MergePlan, by_key: SourceByKey, x: Execution, target: Target, source: RowSource
    ) -> None:
        super().__init__()
        self._merge = merge
        self._by_key = by_key
        self._x = x
        self._target = target
        self._source = source

    def next_portion(self) -> Steps[Portion | None]:
        given = yield from self._x.taken(self._source)
        if not given:
            return None
        rows = []
        for one in given:
            found = self._merge.look_up(self._x, self._target, self._by_key.key, one)
            rows.append((yield from found))
        return RowPortion(rows)

    def close(self) -> None:
        self._source.close()


_NONE = Found(None, 0)


def _now(current: Found, row: Row, width: int) -> Row:
    """A found row with its target row, of so many columns, as it is now."""
    if current.row is None:
        return (*[None] * (width + 2), *row[width + 2 :])
    return (*current.row, current.seq, False, *row[width + 2 :])


def _second_time() -> CardinalityViolationError:
    return CardinalityViolationError(
        "MERGE command cannot affect row a second time",
        hint="Ensure that not more than one source row matches any one target row.",
    )


def plan_merge(
    statement: Merge, rules: RowRules, plan_query: Callable[[Query], SelectPlan]
) -> MergePlan:
    """Compile a bound MERGE."""
    slots = FoundSlots(statement.target, statement.target_columns, statement.using)
    actions = tuple([_action(when, rules, slots) for when in statement.whens])
    on = None if slots.computed else _compiled(statement.on, slots)
    finder = plan_query(_finder(statement, slots))
    by_key = None if on is None else _by_key(statement, slots, plan_query)
    return MergePlan(statement.table, rules, finder, on, actions, by_key)


SOURCE_ROWS_MAX = 1000
"""Of so many rows of VALUES each is looked up; a join of more costs less."""


def _by_key(
    statement: Merge, slots: FoundSlots, plan_query: Callable[[Query], SelectPlan]
) -> SourceByKey | None:
    """How to look up the target's rows, where the source has a few and reads no relation for them."""
    (source,) = statement.using
    if statement.with_ or not _is_small(source):
        return None
    key = key_lookup(statement.on, statement.table, statement.target, partial(_is_given, statement))
    if key is None:
        return None
    query = _select((source,), slots.extra)
    values = tuple([compile_expr(value, slots.slot) for value in key.values])
    return SourceByKey(plan_query(query), values, key.values)


def _is_small(source: FromItem) -> bool:
    if isinstance(source, ValuesScan):
        return len(source.rows) <= SOURCE_ROWS_MAX
    if not isinstance(source, SubqueryScan) or source.query.with_:
        return False
    query = source.query
    if isinstance(query, ValuesQuery):
        return len(query.rows) <= SOURCE_ROWS_MAX
    if not isinstance(query, Select) or query.from_:
        return False
    # Without FROM there is one row, unless a function gives several.
    calls = (node for target in query.targets for node in walk(target.expr))
    return not any(isinstance(c, Call) and c.overload.kind is OverloadKind.SET for c in calls)


def _is_given(statement: Merge, value: Expr) -> bool:
    """Whether the source's row is all that a value needs, and it has one value for it."""
    return not is_volatile(value) and not any(
        isinstance(node, ColumnRef) and node.relation == statement.target for node in walk(value)
    )


def _compiled(on: Expr, slots: FoundSlots) -> Closure | None:
    try:
        return compile_expr(on, slots.slot)
    except FeatureNotSupportedError:
        return None


def _action(when: When, rules: RowRules, slots: FoundSlots) -> MergeAction:
    given = [
        (a.column, None if a.expr is None else slots.compile(a.expr)) for a in when.assignments
    ]
    builders: Sequence[Closure | None] = ()
    if when.action == "insert":
        builders = list(rules.defaults)
        for at, closure in given:
            builders[at] = rules.defaults[at] if closure is None else closure
    condition = None if when.condition is None else slots.compile(when.condition)
    return MergeAction(when.matched, condition, when.action, tuple(given), tuple(builders))


def _finder(statement: Merge, slots: FoundSlots) -> Select:
    """The query that joins: the source's rows are all there where an INSERT may ask for them."""
    (source,) = statement.using
    inserts = any(when.action == "insert" for when in statement.whens)
    scan = TableScan(statement.target, statement.table, statement.target_columns)
    join = Join("left" if inserts else "inner", source, scan, statement.on)
    return replace(_select((join,), [*slots.target_items(), *slots.extra]), with_=statement.with_)


def _select(from_: tuple[FromItem, ...], items: Sequence[TargetItem]) -> Select:
    columns = [OutputColumn(item.name, item.expr.type, item.expr.typmod) for item in items]
    return Select(tuple(items), tuple(columns), from_)
