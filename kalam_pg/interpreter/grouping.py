"""GROUP BY and aggregates: rows are put into groups by a hash of their keys, then each group is computed.

An aggregate is what `functions.aggregates` says it is: it takes a group's arguments in input order.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from catalog.errors import FeatureNotSupportedError
from kalam_pg.functions.aggregates import OfValues
from kalam_pg.functions.pythonkey import python_key
from kalam_pg.interpreter.expressions import CompileQuery, Expressions
from kalam_pg.interpreter.level import Level
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import STRIDE, Run
from kalam_pg.interpreter.sorting import Order, order_of, sort_rows
from kalam_pg.interpreter.values import Key, keys, over, values
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.closures import Slot
from kalam_pg.sql.datafusion_state import fingerprint
from kalam_pg.sql.json_rows import with_json_rows
from kalam_pg.sql.tree import (
    Aggregate,
    ColumnRef,
    Expr,
    Grouping,
    Select,
    SetOp,
    SortKey,
    ValuesQuery,
)
from kalam_pg.sql.walk import children
from storage.layout import Row, Value

Places = Sequence[int] | None
"""Which rows are in a group, in their order; None: all of them."""


class Grouped:
    """Compiles the grouping of one SELECT. level: of its joined rows.

    A group becomes a row: the keys, columns that depend on them (of a table whose key they have), the
    aggregates, the GROUPING()s.
    """

    def __init__(self, query: Select, level: Level, compile_query: CompileQuery) -> None:
        self._query = query
        self._expressions = Expressions(level, compile_query)
        self._below = level
        self._keys = {fingerprint(expr): at for at, expr in enumerate(query.group_by)}
        self._dependent: dict[tuple[int, int], int] = {}
        self._aggregates: dict[Any, Aggregate] = {}
        self._groupings: dict[Any, Grouping] = {}
        for expr in after_grouping(query):
            self._collect(expr, inner=False)

    def _collect(self, node: Any, *, inner: bool) -> None:  # noqa: ANN401 -- any node
        mark = fingerprint(node)
        if mark in self._keys:
            return
        if isinstance(node, Aggregate) and not inner:
            self._aggregates[mark] = node
            return
        if isinstance(node, Grouping) and not inner:
            self._groupings[mark] = node
            return
        if isinstance(node, ColumnRef):
            slot = self._below.slot(node)
            if slot is not None:
                self._dependent[node.relation, node.column] = slot
            return
        inner = inner or isinstance(node, Select | SetOp | ValuesQuery)
        for child in children(node):
            self._collect(child, inner=inner)

    def compile(self) -> tuple["Groups", Level]:
        """How the rows are grouped, and the level of the groups. Raises FeatureNotSupportedError."""
        query = self._query
        width = len(query.group_by)
        columns = {at: width + n for n, at in enumerate(self._dependent)}
        for at, expr in enumerate(query.group_by):
            if isinstance(expr, ColumnRef):
                columns.setdefault((expr.relation, expr.column), at)
        width += len(self._dependent)
        nodes = dict(self._keys)
        for mark in (*self._aggregates, *self._groupings):
            nodes[mark] = width
            width += 1
        groups = Groups(
            tuple([self._expressions.compile(expr) for expr in query.group_by]),
            tuple([python_key(expr.type) for expr in query.group_by]),
            tuple(self._dependent.values()),
            tuple([self._aggregate(one) for one in self._aggregates.values()]),
            tuple(
                [
                    tuple([self._keys[fingerprint(arg)] for arg in one.args])
                    for one in self._groupings.values()
                ]
            ),
            query.grouping_sets or (tuple(range(len(query.group_by))),),
        )
        return groups, Level(self._below.depth, self._below.parent, {}, columns, nodes)

    def _aggregate(self, aggregate: Aggregate) -> "Computed":
        aggregate = with_json_rows(aggregate)
        row = aggregate.overload.row
        if row is None:
            raise FeatureNotSupportedError(f"{aggregate.overload.name} needs an engine")
        compile_ = self._expressions.compile
        sorted_by = aggregate.order_by if aggregate.within_group else ()
        exprs: list[Expr] = [*aggregate.args, *[key.expr for key in sorted_by]]
        order = [order_of(key, compile_(key.expr)) for key in aggregate.order_by]
        if aggregate.distinct:
            # As PostgreSQL finds them: sorted by ORDER BY, then by the arguments.
            order += [order_of(SortKey(e, False, False), compile_(e)) for e in aggregate.args]
        return Computed(
            aggregate.overload.name,
            _function(aggregate, tuple([e.type for e in exprs])),
            row.compute if isinstance(row, OfValues) else None,
            tuple([compile_(e) for e in exprs]),
            tuple([python_key(e.type) for e in exprs]) if aggregate.distinct else (),
            None if aggregate.filter is None else compile_(aggregate.filter),
            tuple(order),
        )


def _function(aggregate: Aggregate, types: tuple[Any, ...]) -> Callable[..., Value]:
    """The aggregate of (run, rows of arguments)."""
    overload = aggregate.overload
    row = overload.row
    assert row is not None
    if overload.needs_context:
        if overload.needs_types:
            return lambda run, rows: row(run, types, rows)
        return row
    if overload.needs_types:
        return lambda _run, rows: row(types, rows)
    return lambda _run, rows: row(rows)


@dataclass(frozen=True, slots=True)
class Computed:
    """One aggregate.

    function: takes the run and rows of arguments. by_values: the same of the values that are not NULL
    of the only argument, if that is what it is. args: what makes these. distinct: keys of the arguments
    of which each counts once, () when all do. order: in which they are given.
    """

    name: str
    function: Callable[..., Value]
    by_values: Callable[..., Value] | None
    args: Sequence[Closure]
    distinct: Sequence[Key]
    filter: Closure | None
    order: Sequence[Order]

    def of(self, relation: Relation, run: Run) -> "Callable[[Places], Value]":
        """The aggregate's value for some rows of a relation."""
        if self.filter is None and not self.order and not self.distinct:
            if not self.args:
                return lambda places: len(relation) if places is None else len(places)
            if len(self.args) == 1:
                return self._of_column(self.args[0], relation, run)
        rows = relation.rows

        def compute(places: Places) -> Value:
            run.budget.check()
            group = rows if places is None else [rows[at] for at in places]
            return self._of_rows(group, run)

        return compute

    def _of_column(self, arg: Closure, relation: Relation, run: Run) -> "Callable[[Places], Value]":
        """By the values of the only argument."""
        column = values(arg, relation, run)
        full = isinstance(arg, Slot) and relation.is_full(arg.index)
        function, by_values = self.function, self.by_values

        def known(places: Places) -> Sequence[Value]:
            picked = _picked(column, places)
            return picked if full else [value for value in picked if value is not None]

        if self.name == "count":
            return lambda places: len(known(places))
        if by_values is None:
            return lambda places: function(run, [(v,) for v in _picked(column, places)])

        def compute(places: Places) -> Value:
            found = known(places)
            return by_values(found) if found else None

        return compute

    def _of_rows(self, rows: Sequence[Row], run: Run) -> Value:
        if self.filter is not None:
            test = self.filter
            rows = [row for row in rows if test(row, run) is True]
        if self.order:
            rows = sort_rows(rows, self.order, run)
        if not self.args:
            return len(rows)
        columns = [over(arg, rows, run) for arg in self.args]
        given = list(zip(*columns, strict=True))
        if self.distinct:
            made = keys(columns, self.distinct, nulls=True)
            first: dict[Value, Row] = {}
            for key, one in zip(made, given, strict=True):
                first.setdefault(key, one)
            given = list(first.values())
        return self.function(run, given)


def _picked(column: Sequence[Value], places: Places) -> Sequence[Value]:
    if places is None:
        return column
    return itemgetter(*places)(column) if len(places) > 1 else (column[places[0]],)


@dataclass(frozen=True, slots=True)
class Groups:
    """How rows are grouped. sets: which of the keys make the groups, for each grouping set."""

    keys: Sequence[Closure]
    by: Sequence[Key]
    dependent: Sequence[int]
    aggregates: Sequence[Computed]
    groupings: Sequence[Sequence[int]]
    sets: Sequence[Sequence[int]]

    def __call__(self, relation: Relation, run: Run) -> list[Row]:
        """One row for each group, in the order of their first rows."""
        columns = [values(key, relation, run) for key in self.keys]
        computing = [aggregate.of(relation, run) for aggregate in self.aggregates]
        rows: list[Row] = []
        for members in self.sets:
            levels = tuple(
                [
                    sum(1 << n for n, key in enumerate(reversed(args)) if key not in members)
                    for args in self.groupings
                ]
            )
            for number, places in enumerate(self._places(columns, members, len(relation))):
                if number % STRIDE == 0:
                    run.budget.check()
                first = 0 if places is None else places[0]
                head = [
                    column[first] if at in members else None for at, column in enumerate(columns)
                ]
                tail = [relation.rows[first][slot] for slot in self.dependent]
                rows.append((*head, *tail, *[one(places) for one in computing], *levels))
        return rows

    def _places(
        self, columns: Sequence[Sequence[Value]], members: Sequence[int], count: int
    ) -> Sequence[Places]:
        if not members:
            return (None,)  # All rows, and though there are none.
        made = keys([columns[at] for at in members], [self.by[at] for at in members], nulls=True)
        groups: defaultdict[Value, list[int]] = defaultdict(list)
        for at, key in enumerate(made):
            groups[key].append(at)
        return list(groups.values())


def after_grouping(query: Select) -> list[Expr]:
    """The expressions that are evaluated for a group."""
    late = [target.expr for target in query.targets]
    late += [*query.distinct_on, *[key.expr for key in query.order_by]]
    if query.having is not None:
        late.append(query.having)
    return late
