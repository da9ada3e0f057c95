"""Expressions with subqueries, aggregates' results and outer columns, as closures over the rows of a level.

A subquery runs when an expression first asks for it: once in a run when it reads nothing of the queries
around it, else for each row.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from catalog.errors import CardinalityViolationError
from catalog.types.composite import composite_of
from catalog.types.registry import (
    BOOL,
    FLOAT4,
    FLOAT8,
)
from kalam_pg.functions.define import Datum
from kalam_pg.functions.dimensions import gathered
from kalam_pg.functions.records import ALL_NULL, NONE_NULL
from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.accumulated import Accumulated
from kalam_pg.interpreter.level import Level
from kalam_pg.interpreter.running import Run
from kalam_pg.interpreter.values import Key, equality_key, keys
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.closures import Slot, record_null_test
from kalam_pg.sql.constancy import is_volatile
from kalam_pg.sql.datafusion_lateral import outer_columns, relations_of
from kalam_pg.sql.datafusion_state import fingerprint
from kalam_pg.sql.to_python import Compiler, comparison
from kalam_pg.sql.tree import (
    ArraySubquery,
    Call,
    ColumnRef,
    Exists,
    Expr,
    InSubquery,
    IsNull,
    OuterAggregate,
    Query,
    RowExpr,
    ScalarSubquery,
    Select,
)
from kalam_pg.sql.user_aggregates import UserAggregate
from kalam_pg.sql.walk import walk
from storage.layout import Row, Value

Program = Callable[[Run], Sequence[Row]]
"""A query that can be run: its rows, in their order."""


class QueryCompiler(Protocol):
    """Who compiles the queries of a statement (`interpreter.queries`)."""

    def compile(self, query: Query, parent: Level | None = None) -> Program:
        """The query as a program. Raises FeatureNotSupportedError."""

    def reads_changing(self, query: object) -> bool:
        """Whether it scans a WITH item of a query around it whose rows are not the same all the time."""


class Expressions(Compiler):
    """Compiles the expressions of one level."""

    def __init__(self, level: Level, queries: QueryCompiler) -> None:
        super().__init__(_no_slot)
        self._level = level
        self._queries = queries

    def compile(self, expr: Expr) -> Closure:
        """As in `to_python`, and what it refuses."""
        if self._level.nodes:
            found = self._level.nodes.get(fingerprint(expr))
            if found is not None:
                return Slot(found)
        match expr:
            case ColumnRef():
                slot = self._level.slot(expr)
                return self._level.outer(expr) if slot is None else Slot(slot)
            case IsNull(RowExpr() as row, negated, whole=False) if (
                fingerprint(row) in self._level.nodes
            ):
                test = ALL_NULL if not negated else NONE_NULL
                if composite_of(row.type) is not None:
                    return self.compile(Call(test, (row,), BOOL))
                return record_null_test(self.compile(row), negated=negated)
            case OuterAggregate(aggregate):
                return self._level.computed_outside(fingerprint(aggregate))
            case ScalarSubquery(query):
                return _scalar(self._subquery(query))
            case ArraySubquery(query):
                nested = query.columns[0].type.element is not None
                return _array(self._subquery(query), gathered if nested else tuple)
            case Exists(query):
                return _exists(self._subquery(_bare(query)))
            case InSubquery():
                return self._membership(expr)
            case _:
                return super().compile(expr)

    def _subquery(self, query: Query) -> "Subquery":
        program = self._queries.compile(query, self._level)
        free = outer_columns(query, relations_of(query))
        aggregates = any(isinstance(node, OuterAggregate) for node in walk(query))
        if aggregates or self._queries.reads_changing(query) or (free and is_volatile(query)):
            return Subquery(program, self._level.depth, None)
        if not free:
            return Subquery(program, -1, None)
        return Subquery(program, self._level.depth, [self.binding(ref) for ref in free])

    def accumulated(self, made: UserAggregate) -> Callable[[Any, Sequence[Row]], Value]:
        """An aggregate that somebody made, of (run, rows of arguments)."""
        depth, width = self._level.depth, len(made.args) + 1
        over = Expressions(Level(depth, None, {made.relation: 0}, width=width), self._queries)
        last = Expressions(Level(depth, None, {made.ends: 0}, width=width), self._queries)
        final = None if made.final is None else last.compile(made.final)
        return Accumulated(made, over.compile(made.initial), over.compile(made.step), final)

    def binding(self, ref: ColumnRef) -> Closure:
        """A column as what tells its values apart, -0 and 0 too."""
        value = self.compile(ref)
        if ref.type in {FLOAT4, FLOAT8}:
            return lambda row, run: repr(value(row, run))
        return value

    def _membership(self, expr: InSubquery) -> Closure:
        subquery = self._subquery(expr.query)
        types = [column.type for column in expr.query.columns]
        args = [self.compile(arg) for arg in expr.args]
        tests = [
            comparison(operator, arg.type, kind)
            for operator, arg, kind in zip(expr.operators, expr.args, types, strict=True)
        ]
        wanted = "<>" if expr.all else "="
        found = [
            equality_key(operator, arg.type, kind) if operator.name == wanted else None
            for operator, arg, kind in zip(expr.operators, expr.args, types, strict=True)
        ]
        member = Membership(subquery, args, tests, every=expr.all)
        known = [key[0] for key in found if key is not None]
        return HashedMembership(member, known) if len(known) == len(found) else member


def _no_slot(_ref: ColumnRef) -> int:
    raise AssertionError("the level says where columns stand")


def _bare(query: Query) -> Query:
    """What tells whether a query has rows: nothing of them is computed."""
    if isinstance(query, Select) and not (query.grouped or query.distinct or query.distinct_on):
        return replace(query, targets=(), columns=(), order_by=())
    return query


class Subquery:
    """A query inside an expression. depth: of the query whose rows it depends on; -1: of no rows.

    by: what of these tells its rows; None: it runs for each row, as it may find others each time.
    """

    __slots__ = ("_by", "_depth", "_program")

    def __init__(self, program: Program, depth: int, by: Sequence[Closure] | None) -> None:
        self._program = program
        self._depth = depth
        self._by = by

    @property
    def fixed(self) -> bool:
        """Whether its rows are the same all the time."""
        return self._depth < 0

    def rows(self, row: Row, run: EvalContext) -> Sequence[Row]:
        """Its rows, for this row of the query around it."""
        assert isinstance(run, Run)
        if self._depth >= 0:
            if self._by is None:
                run.outer[self._depth] = row
                return self._program(run)
            binding = tuple([value(row, run) for value in self._by])
            remembered = run.remembered(self)
            known: Sequence[Row] | None = remembered.get(binding)
            if known is None:
                run.outer[self._depth] = row
                known = self._program(run)
                remembered.put(binding, known)
            return known
        found: Sequence[Row] | None = run.kept.get(self)
        if found is None:
            found = run.kept[self] = self._program(run)
        return found


def _scalar(subquery: Subquery) -> Closure:
    def value(row: Row, run: EvalContext) -> Datum:
        rows = subquery.rows(row, run)
        if len(rows) > 1:
            raise CardinalityViolationError(
                "more than one row returned by a subquery used as an expression"
            )
        return rows[0][0] if rows else None

    return value


def _array(subquery: Subquery, made: Callable[[list[Datum]], Datum]) -> Closure:
    return lambda row, run: made([found[0] for found in subquery.rows(row, run)])


def _exists(subquery: Subquery) -> Closure:
    return lambda row, run: bool(subquery.rows(row, run))


class Membership:
    """`(args) op ANY|ALL (subquery)`, three-valued, row by row."""

    __slots__ = ("args", "every", "subquery", "tests")

    def __init__(
        self,
        subquery: Subquery,
        args: Sequence[Closure],
        tests: Sequence[Callable[..., Datum]],
        *,
        every: bool,
    ) -> None:
        self.subquery = subquery
        self.args = args
        self.tests = tests
        self.every = every

    def __call__(self, row: Row, run: EvalContext) -> bool | None:
        given = [arg(row, run) for arg in self.args]
        return self.among(given, self.subquery.rows(row, run), run)

    def among(self, given: Sequence[Value], rows: Sequence[Row], run: EvalContext) -> bool | None:
        """Whether the test is true of any (of all) of these rows."""
        unknown = False
        for found in rows:
            answer = self._test(given, found, run)
            if answer is None:
                unknown = True
            elif answer is not self.every:
                return not self.every
        return None if unknown else self.every

    def _test(self, given: Sequence[Value], found: Row, run: EvalContext) -> bool | None:
        # Of several columns, all must be equal, or any different.
        ends = self.every
        unknown = False
        for test, a, b in zip(self.tests, given, found, strict=True):
            answer: bool | None = None if a is None or b is None else test(run, a, b)
            if answer is ends:
                return ends
            if answer is None:
                unknown = True
        return None if unknown else not ends


class HashedMembership:
    """The same by a hash of the subquery's rows, for [NOT] IN."""

    __slots__ = ("_by", "_member", "_subquery")

    def __init__(self, member: Membership, by: Sequence[Key]) -> None:
        self._member = member
        self._subquery = member.subquery
        self._by = by

    def __call__(self, row: Row, run: EvalContext) -> bool | None:
        member = self._member
        rows = self._subquery.rows(row, run)
        given = [arg(row, run) for arg in member.args]
        if not self._subquery.fixed or None in given:
            return member.among(given, rows, run)
        whole, partly = self._hashed(rows, run)
        if keys([[value] for value in given], self._by, nulls=False)[0] in whole:
            return not member.every
        return member.among(given, partly, run) if partly else member.every

    def _hashed(self, rows: Sequence[Row], run: EvalContext) -> tuple[frozenset[Any], list[Row]]:
        """The keys of the rows without NULLs, and the rows with."""
        assert isinstance(run, Run)
        found: tuple[frozenset[Any], list[Row]] | None = run.kept.get(self)
        if found is None:
            columns = [[row[at] for row in rows] for at in range(len(self._by))]
            made = keys(columns, self._by, nulls=False)
            whole = frozenset([key for key in made if key is not None])
            partly = [row for row, key in zip(rows, made, strict=True) if key is None]
            found = run.kept[self] = whole, partly
        return found
