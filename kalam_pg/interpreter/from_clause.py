"""FROM and WHERE: what each condition says of one table goes to its scan, what says of two joins them.

Inner joins and comma lists are joined in the order in which they stand, but for a table that nothing
joins to those before it, which waits. Outer joins stay where they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from catalog.errors import FeatureNotSupportedError
from kalam_pg.interpreter.conditions import Compared, leading
from kalam_pg.interpreter.expressions import Expressions, QueryCompiler
from kalam_pg.interpreter.joins import DependentJoin, HashJoin, JoinKey, Source
from kalam_pg.interpreter.level import Level
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import Run
from kalam_pg.interpreter.scans import (
    CteRows,
    Derived,
    Listed,
    Scan,
    Selection,
    SelectionBy,
)
from kalam_pg.interpreter.sets import FunctionRows, function_of
from kalam_pg.interpreter.values import equality_key, kept
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.closures import both
from kalam_pg.sql.constancy import is_volatile
from kalam_pg.sql.datafusion_lateral import outer_columns, relations_of
from kalam_pg.sql.tree import (
    BoolKind,
    BoolOp,
    Call,
    ColumnRef,
    CteScan,
    Expr,
    FromItem,
    FunctionScan,
    Join,
    RowsFrom,
    SubqueryScan,
    TableScan,
    ValuesScan,
    VirtualScan,
)
from kalam_pg.sql.walk import conjuncts, walk


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An item that is still to be joined. needs: the relations that it reads; part: where these are none."""

    item: FromItem
    conditions: Sequence[Expr]
    needs: frozenset[int]
    part: "Part | None"


@dataclass(frozen=True, slots=True)
class Part:
    """Some joined items. offsets: where in its rows the columns of each relation begin."""

    source: Source
    offsets: dict[int, int]
    width: int

    @property
    def relations(self) -> frozenset[int]:
        """The numbers of its relations."""
        return frozenset(self.offsets)


class FromClause:
    """Compiles the FROM clause of one query.

    level: of the query, without its own columns. widths: how many columns a table's rows have.
    """

    def __init__(self, level: Level, queries: QueryCompiler, widths: Mapping[int, int]) -> None:
        self._level = level
        self._widths = widths
        self._queries = queries
        self._own: frozenset[int] = frozenset()

    def compile(self, items: Sequence[FromItem], where: Expr | None) -> Part:
        """The rows that the WHERE lets pass. Raises FeatureNotSupportedError."""
        self._own = frozenset(n for item in items for n in _leaves(item))
        conditions = conjuncts(where)
        if not items:
            return self._filtered(Part(_no_tables, {}, 0), conditions)
        once = [c for c in conditions if not self._of(c) and not is_volatile(c)]
        part = self._inner(items, [c for c in conditions if not any(c is one for one in once)])
        test = self._all(once, {})
        return part if test is None else Part(_gate(part.source, test), part.offsets, part.width)

    # ------------------------------------------------------------------ joins

    def _inner(self, items: Sequence[FromItem], conditions: Sequence[Expr]) -> Part:
        items, conditions = _flattened(items, conditions)
        left = list(conditions)
        waiting: list[_Waiting] = []
        for item in items:
            mine = frozenset(_leaves(item))
            own = [c for c in left if self._of(c) and self._of(c) <= mine]
            left = [c for c in left if not any(c is one for one in own)]
            needs = self._needs(item)
            waiting.append(_Waiting(item, own, needs, None if needs else self._item(item, own)))
        first = waiting.pop(0)
        part = self._item(first.item, first.conditions) if first.part is None else first.part
        while waiting:
            ready = [i for i, other in enumerate(waiting) if other.needs <= part.relations]
            if not ready:
                raise FeatureNotSupportedError("LATERAL of this form is not supported")
            at = next((i for i in ready if self._joins(left, part, waiting[i].part)), ready[0])
            other = waiting.pop(at)
            both_sides = part.relations | frozenset(_leaves(other.item))
            here = [c for c in left if self._of(c) and self._of(c) <= both_sides]
            left = [c for c in left if not any(c is one for one in here)]
            if other.part is not None:
                part = self._joined(part, other.part, here)
            else:
                part = self._dependent(part, other.item, other.conditions, here, keep_left=False)
        return self._filtered(part, left)

    # ------------------------------------------------------------------ LATERAL

    def _needs(self, item: FromItem) -> frozenset[int]:
        """Which other relations of this FROM clause an item reads."""
        free = outer_columns(item, relations_of(item))
        return frozenset(ref.relation for ref in free if ref.relation in self._own)

    def _dependent(
        self,
        left: Part,
        item: FromItem,
        conditions: Sequence[Expr],
        on: Sequence[Expr],
        *,
        keep_left: bool,
    ) -> Part:
        """A join with an item that is evaluated for each row of the left side.

        It is compiled as if it stood in a query inside this one: its own level is one further in.
        """
        depth = self._level.depth
        around = Level(depth, self._level.parent, left.offsets)
        within = Level(depth + 1, around)
        inside = FromClause(within, self._queries, self._widths)
        right = inside.compile((item,), None if not conditions else _conjunction(conditions))
        offsets = left.offsets | {n: left.width + at for n, at in right.offsets.items()}
        free = outer_columns(item, relations_of(item))
        by: list[Closure] | None = None
        if not (is_volatile(item) or self._queries.reads_changing(item)):
            expressions = Expressions(around, self._queries)
            by = [expressions.binding(ref) for ref in free]
        join = DependentJoin(
            left.source, right.source, depth, by, self._all(on, offsets), right.width, keep_left
        )
        return Part(join, offsets, left.width + right.width)

    def _item(self, item: FromItem, conditions: Sequence[Expr]) -> Part:
        """One item of FROM, filtered."""
        if not isinstance(item, Join):
            return self._leaf(item, conditions)
        match item.kind:
            case "left":
                return self._outer(item.left, item.right, item.condition, conditions)
            case "right":
                return self._outer(item.right, item.left, item.condition, conditions)
            case "full":
                left, right = self._item(item.left, ()), self._item(item.right, ())
                on = conjuncts(item.condition)
                return self._filtered(
                    self._joined(left, right, on, keep_left=True, keep_right=True), conditions
                )
            case _:
                return self._inner((item,), conditions)

    def _outer(
        self, left: FromItem, right: FromItem, on: Expr | None, conditions: Sequence[Expr]
    ) -> Part:
        """A join that keeps all rows of `left`."""
        kept, added = frozenset(_leaves(left)), frozenset(_leaves(right))
        before = [c for c in conditions if self._of(c) and self._of(c) <= kept]
        after = [c for c in conditions if not any(c is one for one in before)]
        on_parts = conjuncts(on)
        inside = [c for c in on_parts if self._of(c) and self._of(c) <= added]
        on_parts = [c for c in on_parts if not any(c is one for one in inside)]
        kept_part = self._item(left, before)
        if self._needs(right) & kept:
            joined = self._dependent(kept_part, right, inside, on_parts, keep_left=True)
        else:
            joined = self._joined(kept_part, self._item(right, inside), on_parts, keep_left=True)
        return self._filtered(joined, after)

    def _joined(
        self,
        left: Part,
        right: Part,
        conditions: Sequence[Expr],
        *,
        keep_left: bool = False,
        keep_right: bool = False,
    ) -> Part:
        offsets = left.offsets | {n: left.width + at for n, at in right.offsets.items()}
        found: list[JoinKey] = []
        rest: list[Expr] = []
        for condition in conditions:
            key = self._key(condition, left, right)
            if key is None:
                rest.append(condition)
            else:
                found.append(key)
        join = HashJoin(
            left.source,
            right.source,
            found,
            self._all(rest, offsets),
            left.width,
            right.width,
            keep_left,
            keep_right,
        )
        return Part(join, offsets, left.width + right.width)

    def _joins(self, conditions: Sequence[Expr], left: Part, right: Part | None) -> bool:
        return right is not None and any(
            self._key(condition, left, right) is not None for condition in conditions
        )

    def _key(self, condition: Expr, left: Part, right: Part) -> JoinKey | None:
        """The condition as an equality of something of either side."""
        if not isinstance(condition, Call) or len(condition.args) != 2:
            return None
        for a, b in (condition.args, condition.args[::-1]):
            of_a, of_b = self._of(a), self._of(b)
            if of_a and of_b and of_a <= left.relations and of_b <= right.relations:
                key = equality_key(condition.overload, a.type, b.type)
                if key is None or condition.overload.name != "=":
                    return None
                return JoinKey(
                    self._expressions(left.offsets).compile(a),
                    self._expressions(right.offsets).compile(b),
                    key[0],
                )
        return None

    # ------------------------------------------------------------------ leaves

    def _leaf(self, item: FromItem, conditions: Sequence[Expr]) -> Part:
        assert not isinstance(item, Join)
        width = self._widths.get(item.relation, len(item.columns))
        part = Part(self._rows(item), {item.relation: 0}, width)
        by = [c for c in conditions if self._reads_outer(c)]
        found = next((s for c in by if (s := self._selection(c, part, item)) is not None), None)
        if found is None:
            return self._filtered(part, conditions)
        condition, selection = found
        rest = [c for c in conditions if c is not condition]
        return self._filtered(Part(selection, part.offsets, part.width), rest)

    def _rows(self, item: FromItem) -> Source:
        expressions = self._expressions({})
        match item:
            case TableScan(relation) | VirtualScan(relation):
                return Scan(relation)
            case CteScan(_, cte):
                return CteRows(cte)
            case SubqueryScan(_, query):
                free = outer_columns(query, relations_of(query))
                changing = bool(free) or self._queries.reads_changing(query)
                return Derived(self._queries.compile(query, self._level), fixed=not changing)
            case ValuesScan(_, rows):
                return Listed([[expressions.compile(e) for e in line] for line in rows])
            case FunctionScan(_, call, ordinality=ordinality):
                return FunctionRows([function_of(call, expressions)], ordinality=ordinality)
            case RowsFrom(_, calls, ordinality=ordinality):
                made = [function_of(call, expressions) for call in calls]
                return FunctionRows(made, ordinality=ordinality)
            case Join():
                raise AssertionError("a join is no leaf")
            case _:
                assert_never(item)

    def _selection(
        self, condition: Expr, part: Part, item: FromItem
    ) -> tuple[Expr, Selection] | None:
        """How the rows are found for which a column is what a query around this one says.

        Only where the rows are the same all the time: then a hash of them is made once in a run.
        """
        if not isinstance(item, TableScan | VirtualScan | CteScan) or not isinstance(
            condition, Call
        ):
            return None
        if self._queries.reads_changing(item):
            return None
        if condition.overload.name != "=" or len(condition.args) != 2:
            return None
        key = equality_key(condition.overload, condition.args[0].type, condition.args[1].type)
        for mine, given in (condition.args, condition.args[::-1]):
            if key is not None and self._of(mine) and not self._of(given):
                if self._reads_outer(mine):
                    return None
                by = SelectionBy(
                    self._expressions(part.offsets).compile(mine),
                    self._expressions({}).compile(given),
                    key[0],
                )
                return condition, Selection(part.source, by)
        return None

    # ------------------------------------------------------------------ conditions

    def _of(self, expr: Expr) -> frozenset[int]:
        """Which relations of this FROM clause an expression reads."""
        return frozenset(
            node.relation
            for node in walk(expr)
            if isinstance(node, ColumnRef) and node.relation in self._own
        )

    def _reads_outer(self, expr: Expr) -> bool:
        """Whether it reads a query around this one."""
        inside = relations_of(expr) | self._own
        return bool(outer_columns(expr, inside))

    def _expressions(self, offsets: dict[int, int]) -> Expressions:
        level = Level(self._level.depth, self._level.parent, offsets)
        return Expressions(level, self._queries)

    def _all(self, conditions: Sequence[Expr], offsets: dict[int, int]) -> Closure | None:
        if not conditions:
            return None
        tests = [self._expressions(offsets).compile(c) for c in conditions]
        return tests[0] if len(tests) == 1 else both(tests)

    def _filtered(self, part: Part, conditions: Sequence[Expr]) -> Part:
        source = part.source
        comparisons = leading(conditions, self._expressions(part.offsets).compile)
        if comparisons:
            source = Compared(source, comparisons)
        test = self._all(conditions[len(comparisons) :], part.offsets)
        if test is not None:
            source = _filter(source, test)
        return Part(source, part.offsets, part.width)


def _filter(source: Source, test: Closure) -> Source:
    return lambda run: Relation(kept(source(run).rows, test, run))


def _gate(source: Source, test: Closure) -> Source:
    """The rows of a source if a condition without columns holds: as in PostgreSQL it is asked first."""
    return lambda run: source(run) if test((), run) is True else Relation(())


def _conjunction(conditions: Sequence[Expr]) -> Expr:
    if len(conditions) == 1:
        return conditions[0]
    return BoolOp(BoolKind.AND, tuple(conditions), conditions[0].type)


_ONE_ROW = Relation(((),))


def _no_tables(_run: Run) -> Relation:
    """What a SELECT without FROM reads: one row of no columns."""
    return _ONE_ROW


def _leaves(item: FromItem) -> list[int]:
    """The numbers of the relations of an item."""
    if isinstance(item, Join):
        return [*_leaves(item.left), *_leaves(item.right)]
    return [item.relation]


def _flattened(
    items: Sequence[FromItem], conditions: Sequence[Expr]
) -> tuple[list[FromItem], list[Expr]]:
    """The items of inner joins and comma lists one by one, with all of their conditions."""
    found: list[FromItem] = []
    every = list(conditions)
    for item in items:
        if isinstance(item, Join) and item.kind in {"inner", "cross"}:
            inner, more = _flattened((item.left, item.right), conjuncts(item.condition))
            found += inner
            every += more
        else:
            found.append(item)
    return found, every
