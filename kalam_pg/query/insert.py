"""INSERT: rows from VALUES or a query, defaults, constraints, ON CONFLICT, RETURNING."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from catalog.errors import (
    CardinalityViolationError,
    FeatureNotSupportedError,
)
from catalog.model import Table, TableKind
from catalog.uses import sequences_used
from kalam_pg.functions.cost import TakesLongError
from kalam_pg.functions.table import EvalContext
from kalam_pg.query import asked_anew, elsewhere
from kalam_pg.query.at_once import AtOnce
from kalam_pg.query.conflict_rule import (
    ConflictRule,
    conflict_rule,
    immediate,
    refuse_deferrable,
)
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.given_rows import given_rows
from kalam_pg.query.last_numbers import takes_numbers
from kalam_pg.query.locks.modes import FOR_NO_KEY_UPDATE
from kalam_pg.query.quick_rows import picker
from kalam_pg.query.row_changes import in_the_way, insert, replace
from kalam_pg.query.row_source import Gathered, RowSource
from kalam_pg.query.rows import Entries, Found, Target, lock_key
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.select import SelectPlan
from kalam_pg.query.view_checks import CompiledCheck, check_row, compile_checks
from kalam_pg.query.waits import STRIDE, Pace, Steps, breathe
from kalam_pg.sql.constancy import is_fixed
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import (
    LOCKER,
    Call,
    ColumnRef,
    Expr,
    Insert,
    OutputColumn,
    Param,
    Query,
)
from kalam_pg.sql.walk import walk
from storage.errors import KalamError
from storage.layout import Row, Value

_NO_ROW: Row = ()


class ParamRows(tuple[Value, ...]):
    """The parameters of an INSERT of one row that is to be run for several: the first row's, and `rows`.

    All of them are one statement.
    """

    rows: Sequence[tuple[Value, ...]]

    def __new__(cls, rows: Sequence[tuple[Value, ...]]) -> Self:
        """rows: at least one."""
        made = super().__new__(cls, rows[0])
        made.rows = rows
        return made


@dataclass(frozen=True, slots=True)
class InsertPlan:
    """A compiled INSERT. `builders[i]` makes the i-th column of a row; None is NULL.

    numbered: its rows take numbers from sequences, each when it is put. checks: of the views that it is
    written through.

    literal_rows: one tuple of builders for each row of VALUES; or else `source` gives the rows, and
    `from_source` says for each table column which source column fills it (None: its default). fixed: of
    several rows, or numbered ones, what is computed of parameters alone, with the last of these: PostgreSQL
    does when it plans.
    """

    table: Table
    rules: RowRules
    literal_rows: tuple[tuple[Closure | None, ...], ...]
    source: SelectPlan | None
    from_source: tuple[int | None, ...]
    conflict: ConflictRule | None
    returning: tuple[Closure, ...]
    columns: tuple[OutputColumn, ...]
    numbered: bool = False
    checks: tuple[CompiledCheck, ...] = ()
    tells_locker: bool = False
    fixed: tuple[tuple[Closure, int], ...] = ()

    def run(self, x: Execution) -> Steps[Result]:
        """Insert every row, or raise and leave the statement's caller to undo."""
        if self.conflict is not None and self.conflict.asked:
            x.keep_seeing()
        progress = self._progress(x, x.gathered() if self.returning else None)
        if self.source is None:
            yield from self._put_literals(x, progress)
        else:
            source = yield from self.source.source(x)
            yield from self._put_all(x, progress, source)
        count, answers = progress.count, progress.answers
        if answers is None:
            return Result("INSERT", count)
        return Result.of("INSERT", self.columns, (yield from answers.source()), count)

    def put_all(self, x: Execution, source: RowSource) -> Steps[int]:
        """Put the rows that `source` would give; how many were put. Nobody asks for RETURNING."""
        progress = self._progress(x)
        yield from self._put_all(x, progress, source)
        return progress.count

    def _progress(self, x: Execution, answers: Gathered | None = None) -> "_Progress":
        target = open_target(x, self.rules)
        at_once = AtOnce.of(x, target) if self.conflict is None and not self.checks else None
        return _Progress(target, at_once, answers)

    def _put_all(self, x: Execution, progress: "_Progress", source: RowSource) -> Steps[None]:
        while len(rows := (yield from x.taken(source))):
            step = 1 if self.numbered else len(rows)
            for at in range(0, len(rows), step):
                made = yield from self._from_source(x, rows[at : at + step])
                yield from self._put_rows(x, progress, made)

    def _put_literals(self, x: Execution, progress: "_Progress") -> Steps[None]:
        """Put the rows of VALUES, or the one there is, for each row of parameters."""
        context, given = x.context, x.context.params
        # The literals of a text: one that has no value is told before any row is put, as where it is planned.
        literal = isinstance(given, ParamRows) and not self.numbered
        if isinstance(given, ParamRows) and literal:
            rows = given_rows(self.literal_rows[0])
            if rows is not None:
                made = rows(given.rows)
                for at in range(0, len(made), STRIDE):
                    yield from self._put_rows(x, progress, made[at : at + STRIDE])
                return
        if self.fixed and not literal:
            self._compute_fixed(context)
        ready: list[Row] = []
        for builders in self._literal(context):
            try:
                row = self._made(builders, context)
            except KalamError:
                if not literal:  # One of those before it may be refused.
                    yield from self._put_rows(x, progress, ready)
                raise
            if row is None:
                if not literal:
                    yield from self._put_rows(x, progress, ready)
                    ready = []
                row = tuple((yield from elsewhere.values(x, builders, _NO_ROW)))
            ready.append(row)
            if literal:
                if progress.pace.is_due():
                    yield from elsewhere.rest(x, progress.pace)
            elif self.numbered or len(ready) == STRIDE or progress.pace.is_due():
                yield from self._put_rows(x, progress, ready)
                ready = []
        yield from self._put_rows(x, progress, ready)

    def _compute_fixed(self, context: EvalContext) -> None:
        """Raise what a value of parameters alone raises, before any row is put and any number taken."""
        given = context.params
        with suppress(TakesLongError):
            if isinstance(given, ParamRows):
                for context.params in given.rows:
                    for closure, _ in self.fixed:
                        closure(_NO_ROW, context)
            elif self.numbered or len(self.literal_rows) > 1:
                for closure, _ in self.fixed:
                    closure(_NO_ROW, context)
        context.params = given

    def _put_rows(self, x: Execution, progress: "_Progress", rows: Sequence[Row]) -> Steps[None]:
        """Put rows, in their order, as many at a time as need not wait."""
        target, at_once, answers = progress.target, progress.at_once, progress.answers
        at = 0
        while at < len(rows):
            count = 0 if at_once is None else at_once.insert(rows, at)
            put, changed = rows[at : at + count], False
            if not count:
                row, count = rows[at], 1
                if self.rules.generated:
                    row = yield from elsewhere.generated(x, self.rules, row)
                kept = yield from self._put(x, target, row, progress.touched)
                put, changed = () if kept is None else (kept,), kept is not row
            at += count
            progress.count += len(put)
            if answers is not None:
                for row in put:
                    yield from self._answer(x, row, answers, changed=changed)
            if progress.pace.is_due():
                yield from elsewhere.rest(x, progress.pace)

    def _made(self, builders: Sequence[Closure | None], context: EvalContext) -> Row | None:
        """A row of VALUES; None where it takes long: its numbers are then for who makes it."""
        services = context.services if self.numbered else None
        if services is not None:
            services["begin_numbers"]()
        try:
            return tuple([None if b is None else b(_NO_ROW, context) for b in builders])
        except TakesLongError:
            if services is not None:
                services["spare_numbers"]()
            return None
        finally:
            if services is not None:
                services["end_numbers"]()

    def _answer(
        self, x: Execution, row: Row, answers: Gathered, *, changed: bool = False
    ) -> Steps[None]:
        """Keep what RETURNING answers of a row. changed: it is no new one."""
        if self.tells_locker:
            row = (*row, _number(x) if changed else 0)
        try:
            answer = [c(row, x.context) for c in self.returning]
        except TakesLongError:
            answer = yield from elsewhere.values(x, self.returning, row)
        yield from answers.add(tuple(answer))

    def _literal(self, context: EvalContext) -> Iterator[tuple[Closure | None, ...]]:
        """What makes the rows of VALUES, or the one there is, for each row of parameters."""
        params = context.params
        if isinstance(params, ParamRows):
            (builders,) = self.literal_rows
            for given in params.rows:
                context.params = given
                yield builders
        else:
            yield from self.literal_rows

    def _from_source(self, x: Execution, given: Sequence[Row]) -> Steps[Sequence[Row]]:
        """Rows of the table, of those that the source gave."""
        places, width = self.from_source, len(given[0])
        if places == tuple(range(width)):
            return given
        if not any(d for at, d in zip(places, self.rules.defaults, strict=True) if at is None):
            pick = picker([width if at is None else at for at in places])
            return [pick((*row, None)) for row in given]
        rows: list[Row] = []
        for one in given:
            values: list[Value] = []
            for at, default in zip(self.from_source, self.rules.defaults, strict=True):
                if at is not None:
                    values.append(one[at])
                else:
                    values.append((yield from elsewhere.evaluated(x, default, _NO_ROW)))
            rows.append(tuple(values))
        return rows

    def _put(
        self, x: Execution, target: Target, row: Row, touched: set[bytes]
    ) -> Steps[Row | None]:
        """Put one row; the row that now stands, or None when ON CONFLICT left it out."""
        yield from elsewhere.checked(x, self.rules, row)
        conflict = self.conflict
        if conflict is not None:
            arbiters = conflict.arbiters_of(target)
            first = immediate(arbiters)
            while True:
                current = x.database.engine.current
                there = yield from in_the_way(x, target, row, first)
                if there is None:
                    if len(first) < len(arbiters):
                        raise refuse_deferrable()
                    break
                if not conflict.assignments:
                    return None
                if there.row is None:
                    yield from breathe()
                    continue  # It has gone just now.
                key = self.rules.key_of(there.row)
                waited = yield from lock_key(x, target, key, FOR_NO_KEY_UPDATE)
                if not waited and x.database.engine.current is current:
                    return (yield from self._on_conflict(x, target, row, there, touched))
                # Else it may have changed, or gone: look again.
            touched.add(self.rules.key_of(row))
        yield from insert(x, target, row)
        if self.checks:
            yield from check_row(x, self.checks, self.rules, row)
        return row

    def _on_conflict(
        self, x: Execution, target: Target, proposed: Row, there: Found, touched: set[bytes]
    ) -> Steps[Row | None]:
        conflict = self.conflict
        assert conflict is not None
        assert there.row is not None
        key = self.rules.key_of(there.row)
        if key in touched or x.changed(target.id, key):
            raise CardinalityViolationError(
                "ON CONFLICT DO UPDATE command cannot affect row a second time",
                hint="Ensure that no rows proposed for insertion within the same command have "
                "duplicate constrained values.",
            )
        touched.add(key)
        row = yield from self._changed(x, conflict, there.row, proposed)
        if row is None:
            return None
        if self.rules.generated:
            row = yield from elsewhere.generated(x, self.rules, row)
        yield from elsewhere.checked(x, self.rules, row)
        yield from replace(x, target, there.row, there.seq, row)
        if self.checks:
            yield from check_row(x, self.checks, self.rules, row)
        return row

    def _changed(
        self, x: Execution, conflict: ConflictRule, there: Row, proposed: Row
    ) -> Steps[Row | None]:
        """What becomes of the row there, None: WHERE leaves it as it is."""
        both, own = there + proposed, x.context
        if conflict.asked:
            given = yield from asked_anew.ask(x, conflict.asked, both)
            x.context = dataclasses.replace(own, params=given)
        try:
            where = conflict.where
            if where and (yield from elsewhere.evaluated(x, where, both)) is not True:
                return None
            changed = list(there)
            for at, closure in conflict.assignments:
                source = self.rules.defaults[at] if closure is None else closure
                changed[at] = yield from elsewhere.evaluated(x, source, both)
        finally:
            x.context = own
        return tuple(changed)


@dataclass(slots=True)
class _Progress:
    """Where an INSERT stands. touched: keys of what ON CONFLICT has put or changed."""

    target: Target
    at_once: AtOnce | None
    answers: Gathered | None
    count: int = 0
    touched: set[bytes] = field(default_factory=set)
    pace: Pace = field(default_factory=Pace)


def _number(x: Execution) -> Value:
    """The transaction's, as an xid."""
    number = x.context.services["txid_current"]()
    assert isinstance(number, int)
    return number % 2**32 or 1


def open_target(x: Execution, rules: RowRules) -> Target:
    """The tablet a statement will write; its table is locked (`Planned.locks`)."""
    table, tablet = rules.table, x.tablet(rules.table)
    stream = table.kind is TableKind.STREAM
    indexes: tuple[Entries, ...] = ()
    if rules.unique:
        indexes = tuple(
            Entries(there.id, there, stream, rule.entries.version, rule)
            for rule in rules.unique
            for there in [x.tablet(rule.entries)]
        )
    return Target(tablet.id, tablet, stream, table.version, rules, indexes)


def target_slots(relation: int, width: int) -> Callable[[ColumnRef], int]:
    """Slots of a row of the target table alone; its system columns have no value before COMMIT."""

    def slot(reference: ColumnRef) -> int:
        if reference.relation != relation or reference.outer:
            raise FeatureNotSupportedError("RETURNING can only refer to the target table")
        if reference.name == LOCKER:
            return width
        if reference.column >= width:
            raise FeatureNotSupportedError(
                f'column "{reference.name}" has no value before the transaction commits',
                position=reference.position,
            )
        return reference.column

    return slot


def plan_insert(
    statement: Insert, rules: RowRules, plan_query: Callable[[Query], SelectPlan]
) -> InsertPlan:
    """Compile a bound INSERT."""
    table = statement.table
    width = len(table.columns)
    slot = target_slots(statement.target, width)
    literal_rows: list[tuple[Closure | None, ...]] = []
    source: SelectPlan | None = None
    from_source: tuple[int | None, ...] = ()
    if isinstance(statement.source, tuple):
        literal_rows = [_builders(rules, statement.columns, row) for row in statement.source]
    else:
        source = plan_query(statement.source)
        given = {at: place for place, at in enumerate(statement.columns)}
        if statement.overriding == "user":
            given = {at: place for at, place in given.items() if not table.columns[at].identity}
        from_source = tuple([given.get(at) for at in range(width)])
    numbered = _is_numbered(statement)
    fixed: list[tuple[Closure, int]] = []
    if isinstance(statement.source, tuple) and (numbered or len(literal_rows) > 1):
        items = [item for row in statement.source for item in row]
        fixed = [
            (compile_expr(item, _no_columns), last)
            for item in items
            if isinstance(item, Call) and (last := _last_parameter(item)) >= 0 and is_fixed(item)
        ]
    return InsertPlan(
        table,
        rules,
        tuple(literal_rows),
        source,
        from_source,
        conflict_rule(statement, width, plan_query),
        tuple(compile_expr(item.expr, slot) for item in statement.returning),
        statement.returning_columns,
        numbered,
        compile_checks(statement.checks, slot),
        any(
            isinstance(node, ColumnRef) and node.name == LOCKER
            for item in statement.returning
            for node in walk(item.expr)
        ),
        tuple(fixed),
    )


def _last_parameter(expr: Expr) -> int:
    return max([node.index for node in walk(expr) if isinstance(node, Param)], default=-1)


def _is_numbered(statement: Insert) -> bool:
    """Whether rows ask sequences for numbers, those of VALUES themselves or by a default."""
    if not isinstance(statement.source, tuple):
        user = statement.overriding == "user"
        return any(
            (at not in statement.columns or (user and column.identity))
            and sequences_used(column.default)
            for at, column in enumerate(statement.table.columns)
        )
    for row in statement.source:
        given = dict(zip(statement.columns, row, strict=True))
        for at, column in enumerate(statement.table.columns):
            expr = given.get(at)
            if expr is None and sequences_used(column.default):
                return True
            if expr is not None and takes_numbers(expr):
                return True
    return False


def _builders(
    rules: RowRules, columns: Sequence[int], row: Sequence[Expr | None]
) -> tuple[Closure | None, ...]:
    builders = list(rules.defaults)
    for at, item in zip(columns, row, strict=True):
        if item is not None:
            builders[at] = compile_expr(item, _no_columns)
    return tuple(builders)


def _no_columns(reference: ColumnRef) -> int:
    raise FeatureNotSupportedError(
        f'column "{reference.name}" cannot be referenced in VALUES', position=reference.position
    )
