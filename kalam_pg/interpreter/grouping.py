"""GROUP BY and aggregates: rows are put into groups by a hash of their keys, then each group is computed.

An aggregate is what `functions.aggregates` says it is: it takes a group's arguments in input order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kalam_pg.functions.pythonkey import python_key
from kalam_pg.interpreter.aggregates import Computed, Places, computed
from kalam_pg.interpreter.expressions import Expressions, QueryCompiler
from kalam_pg.interpreter.level import Level
from kalam_pg.interpreter.membership import Membership
from kalam_pg.interpreter.number_groups import NumberGroups, number_groups
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import Run, spans
from kalam_pg.interpreter.values import Key, keys, values
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.datafusion_state import fingerprint
from kalam_pg.sql.tree import (
    Aggregate,
    ColumnRef,
    Expr,
    Grouping,
    OuterAggregate,
    Select,
    SetOp,
    ValuesQuery,
)
from kalam_pg.sql.walk import children
from storage.layout import Row, Value


class Grouped:
    """Compiles the grouping of one SELECT. level: of its joined rows.

    A group becomes a row: the keys, columns that depend on them (of a table whose key they have), the
    aggregates, the GROUPING()s.
    """

    def __init__(self, query: Select, level: Level, queries: QueryCompiler) -> None:
        self._query = query
        self._expressions = Expressions(level, queries)
        self._below = level
        self._keys = {fingerprint(expr): at for at, expr in enumerate(query.group_by)}
        self._dependent: dict[tuple[int, int], int] = {}
        self._aggregates: dict[Any, Aggregate] = {}
        self._groupings: dict[Any, Grouping] = {}
        for expr in after_grouping(query):
            self._collect(expr, 0)

    def _collect(self, node: Any, depth: int) -> None:  # noqa: ANN401 -- any node
        """What is computed of a group. depth: in how many queries inside this one the node stands."""
        mark = fingerprint(node)
        if mark in self._keys:
            return
        if isinstance(node, OuterAggregate):
            if node.up == depth:
                found: dict[Any, Any] = (
                    self._groupings if isinstance(node.aggregate, Grouping) else self._aggregates
                )
                found[fingerprint(node.aggregate)] = node.aggregate
            return
        if isinstance(node, Aggregate) and not depth:
            self._aggregates[mark] = node
            return
        if isinstance(node, Grouping) and not depth:
            self._groupings[mark] = node
            return
        if isinstance(node, ColumnRef):
            slot = self._below.slot(node)
            if slot is not None:
                self._dependent[node.relation, node.column] = slot
            return
        depth += isinstance(node, Select | SetOp | ValuesQuery)
        for child in children(node):
            self._collect(child, depth)

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
        numbers: NumberGroups | None = None
        if not query.grouping_sets and not self._groupings:
            numbers = number_groups(
                query.group_by,
                tuple(self._aggregates.values()),
                tuple(self._dependent.values()),
                self._expressions,
            )
        groups = Groups(
            tuple([self._expressions.compile(expr) for expr in query.group_by]),
            tuple([python_key(expr.type) for expr in query.group_by]),
            tuple(self._dependent.values()),
            tuple([computed(one, self._expressions) for one in self._aggregates.values()]),
            tuple(
                [
                    tuple([self._keys[fingerprint(arg)] for arg in one.args])
                    for one in self._groupings.values()
                ]
            ),
            query.grouping_sets or (tuple(range(len(query.group_by))),),
            numbers,
        )
        return groups, Level(self._below.depth, self._below.parent, {}, columns, nodes, width)


@dataclass(frozen=True, slots=True)
class Groups:
    """How rows are grouped. sets: which of the keys make the groups, for each grouping set.

    numbers: another way, where there is one.
    """

    keys: Sequence[Closure]
    by: Sequence[Key]
    dependent: Sequence[int]
    aggregates: Sequence[Computed]
    groupings: Sequence[Sequence[int]]
    sets: Sequence[Sequence[int]]
    numbers: NumberGroups | None = None

    @property
    def whole(self) -> bool:
        """Whether there is one group, of all rows, of which nothing but aggregates is asked."""
        return not (self.keys or self.dependent or self.groupings) and len(self.sets) == 1

    def __call__(self, relation: Relation, run: Run) -> list[Row]:
        """One row for each group, in the order of their first rows."""
        run.budget.check()
        found = None if self.numbers is None else self.numbers(relation)
        if found is not None:
            run.budget.check()
            return found
        columns = [values(key, relation, run) for key in self.keys]
        computing = [aggregate.of(relation, run) for aggregate in self.aggregates]
        if self.whole:
            return [tuple([aggregate(None) for aggregate in computing])]
        rows: list[Row] = []
        for members in self.sets:
            levels = tuple(
                [
                    sum(1 << n for n, key in enumerate(reversed(args)) if key not in members)
                    for args in self.groupings
                ]
            )
            groups = self._members(columns, members)
            count = 1 if groups is None else len(groups.keys)  # None: of all rows, if any.
            made = self._keys_of(columns, members, groups, count)
            for slot in self.dependent:
                column = relation.column(slot)
                made.append([column[at] for at in ((0,) if groups is None else groups.first)])
            for aggregate, one in zip(self.aggregates, computing, strict=True):
                of_all = None if groups is None else aggregate.of_groups(groups, relation, run)
                made.append(of_all if of_all is not None else _of_each(one, groups, run))
            made += [[level] * count for level in levels]
            rows += zip(*made, strict=True) if made else [()] * count
        return rows

    def _keys_of(
        self,
        columns: Sequence[Sequence[Value]],
        members: Sequence[int],
        groups: Membership | None,
        count: int,
    ) -> list[Sequence[Value]]:
        """The columns of the keys; NULL in those that do not make the groups."""
        if groups is None:
            return [[None] * count for _ in columns]
        if len(columns) == 1 and self.by[0] is None:
            return [groups.keys]  # They stand for themselves.
        return [
            [column[at] for at in groups.first] if key in members else [None] * count
            for key, column in enumerate(columns)
        ]

    def _members(
        self, columns: Sequence[Sequence[Value]], members: Sequence[int]
    ) -> Membership | None:
        """Which group each row is in; None: all are in one."""
        if not members:
            return None
        return Membership(
            keys([columns[at] for at in members], [self.by[at] for at in members], nulls=True)
        )


def _of_each(
    aggregate: Callable[[Places], Value], groups: Membership | None, run: Run
) -> list[Value]:
    """An aggregate of each group."""
    if groups is None:
        run.budget.check()
        return [aggregate(None)]
    found, every = list[Value](), groups.places
    for part in spans(len(every)):
        run.budget.check()
        found += [aggregate(places) for places in every[part]]
    return found


def after_grouping(query: Select) -> list[Expr]:
    """The expressions that are evaluated for a group."""
    late = [target.expr for target in query.targets]
    late += [*query.distinct_on, *[key.expr for key in query.order_by]]
    if query.having is not None:
        late.append(query.having)
    return late
