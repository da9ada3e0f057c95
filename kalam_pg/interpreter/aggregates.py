"""Aggregates over some rows of a relation: of a group, or of a window's frame.

An aggregate is what `functions.aggregates` says it is: it takes its rows' arguments in their order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from catalog.errors import FeatureNotSupportedError
from kalam_pg.functions.aggregates import OfValues
from kalam_pg.functions.cost import pay_rows
from kalam_pg.functions.pythonkey import python_key
from kalam_pg.interpreter.accumulated import Accumulated
from kalam_pg.interpreter.expressions import Expressions
from kalam_pg.interpreter.membership import Membership, OfAll, of_all
from kalam_pg.interpreter.relation import Relation
from kalam_pg.interpreter.running import Run
from kalam_pg.interpreter.running_totals import Total, running_total
from kalam_pg.interpreter.sorting import Order, order_of, sort_rows
from kalam_pg.interpreter.values import Key, keys, over, values
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.closures import Slot
from kalam_pg.sql.tree import Aggregate, Expr, SortKey
from kalam_pg.sql.user_aggregates import UserAggregate
from storage.layout import Row, Value

Places = Sequence[int] | None
"""Which rows an aggregate is of, in their order; None: all of them."""


def computed(aggregate: Aggregate, expressions: Expressions) -> "Computed":
    """The aggregate over rows of the level that the expressions are of."""
    row, made = aggregate.overload.row, aggregate.overload
    if row is None and not isinstance(made, UserAggregate):
        raise FeatureNotSupportedError(f"{aggregate.overload.name} needs an engine")
    compile_ = expressions.compile
    sorted_by = aggregate.order_by if aggregate.within_group else ()
    exprs: list[Expr] = [*aggregate.args, *[key.expr for key in sorted_by]]
    order = [order_of(key, compile_(key.expr)) for key in aggregate.order_by]
    if aggregate.distinct:
        # As PostgreSQL finds them: sorted by ORDER BY, then by the arguments.
        order += [order_of(SortKey(e, False, False), compile_(e)) for e in aggregate.args]
    return Computed(
        aggregate.overload.name,
        expressions.accumulated(made)
        if isinstance(made, UserAggregate)
        else _function(aggregate, tuple([e.type for e in exprs])),
        row.compute if isinstance(row, OfValues) else None,
        tuple([compile_(e) for e in exprs]),
        tuple([python_key(e.type) for e in exprs]) if aggregate.distinct else (),
        None if aggregate.filter is None else compile_(aggregate.filter),
        tuple(order),
        made.name == "count" and not aggregate.args,
        running_total(made),
        _of_all(aggregate),
    )


def _of_all(aggregate: Aggregate) -> OfAll | None:
    if len(aggregate.args) != 1 or isinstance(aggregate.overload, UserAggregate):
        return None
    return of_all(aggregate.overload, aggregate.args[0].type)


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
    of which each counts once, () when all do. order: in which they are given. counts: it is of no arguments
    and its value is how many rows there are. total: what begins it over rows that come, if it can be.
    of_all: makes it of all groups at once, if it can be.
    """

    name: str
    function: Callable[..., Value]
    by_values: Callable[..., Value] | None
    args: Sequence[Closure]
    distinct: Sequence[Key]
    filter: Closure | None
    order: Sequence[Order]
    counts: bool
    total: Callable[[], Total] | None
    of_all: OfAll | None

    def of_groups(self, groups: Membership, relation: Relation, run: Run) -> Sequence[Value] | None:
        """The aggregate's value for each group of a relation; None: it is to be asked of one by one."""
        if self.filter is not None or self.order or self.distinct:
            return None
        if self.counts:
            return groups.sizes
        if self.of_all is None or not isinstance(self.args[0], Slot):
            return None
        at = self.args[0].index
        return self.of_all(groups, relation.column(at)) if relation.is_full(at) else None

    def of(self, relation: Relation, run: Run) -> "Callable[[Places], Value]":
        """The aggregate's value for some rows of a relation."""
        if self.filter is None and not self.order and not self.distinct:
            if self.counts:
                return lambda places: len(relation) if places is None else len(places)
            if len(self.args) == 1:
                return self._of_column(self.args[0], relation, run)
        rows = relation.rows

        def compute(places: Places) -> Value:
            run.budget.check()
            group = rows if places is None else [rows[at] for at in places]
            return self._of_rows(group, run)

        return compute

    def growing(
        self, relation: Relation, run: Run, *, from_first: bool
    ) -> "Callable[[], Growing] | None":
        """What makes a value of rows that come one after another; None: of all of them at once.

        from_first: no row goes out again, so that none comes twice.
        """
        function, total, rows = self.function, self.total, relation.rows
        if self.order or self.distinct:
            return None
        if isinstance(function, Accumulated):
            return lambda: Growing(function.begin(run), lambda some: self._given(some, run), rows)
        if total is None or not from_first:
            return None
        return lambda: Growing(total(), lambda some: self._given(some, run), rows)

    def _given(self, rows: Sequence[Row], run: Run) -> Sequence[Row]:
        """The arguments of those rows that FILTER lets pass."""
        if self.filter is not None:
            test = self.filter
            rows = [row for row in rows if test(row, run) is True]
        columns = [over(arg, rows, run) for arg in self.args]
        given = list(zip(*columns, strict=True)) if columns else [()] * len(rows)
        pay_rows(run, given)
        return given

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

            def of_rows(places: Places) -> Value:
                rows = [(value,) for value in _picked(column, places)]
                pay_rows(run, rows)
                return function(run, rows)

            return of_rows

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
        if self.counts:
            return len(rows)
        columns = [over(arg, rows, run) for arg in self.args]
        given = list(zip(*columns, strict=True)) if columns else [()] * len(rows)
        if self.distinct:
            made = keys(columns, self.distinct, nulls=True)
            first: dict[Value, Row] = {}
            for key, one in zip(made, given, strict=True):
                first.setdefault(key, one)
            given = list(first.values())
        pay_rows(run, given)
        return self.function(run, given)


@dataclass(frozen=True, slots=True)
class Growing:
    """An aggregate of a frame that grows. given: the arguments of rows."""

    state: Total
    given: Callable[[Sequence[Row]], Sequence[Row]]
    rows: Sequence[Row]

    def add(self, places: Sequence[int]) -> None:
        """Take in more rows."""
        self.state.add(self.given([self.rows[at] for at in places]))

    def value(self) -> Value:
        """Of all rows so far."""
        return self.state.value()


def _picked(column: Sequence[Value], places: Places) -> Sequence[Value]:
    if places is None:
        return column
    return itemgetter(*places)(column) if len(places) > 1 else [column[at] for at in places]
