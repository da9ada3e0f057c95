# ruff: noqa: S608 - text comes from this package; user text is in quoted literals alone
"""GROUP BY as two levels: one that computes keys and arguments, one that groups plain columns."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from catalog.types import registry as types
from kalam_pg.sql.constancy import is_constant
from kalam_pg.sql.datafusion_aggregate import Aggregates, Parts
from kalam_pg.sql.datafusion_expr import Expressions
from kalam_pg.sql.datafusion_state import Rendering, Scope, column, fingerprint
from kalam_pg.sql.physical import Sql, arrow_cast
from kalam_pg.sql.tree import (
    Aggregate,
    ColumnRef,
    Expr,
    Grouping,
    Select,
    SetOp,
    ValuesQuery,
)
from kalam_pg.sql.walk import children

_ALL_ROWS = 1 << 62
_FLOATS = (types.FLOAT4, types.FLOAT8)


class Grouped:
    """The grouping levels of one SELECT."""

    def __init__(self, state: Rendering, scope: Scope, query: Select) -> None:
        self._state = state
        self._query = query
        self._order = scope.order
        self._expressions = Expressions(state, scope)
        self._keys = {fingerprint(e): i for i, e in enumerate(query.group_by)}
        self._aggregates: dict[Any, Aggregate] = {}
        self._groupings: dict[Any, Grouping] = {}
        self._dependent: dict[tuple[int, int], ColumnRef] = {}
        self._rows = state.alias()
        self._input: dict[str, tuple[str, Sql]] = {}
        self._results: dict[str, tuple[str, pa.DataType]] = {}
        self._groups = state.alias()
        for expr in _after_grouping(query):
            self._collect(expr, scope, inner=False)
        # A running sum must add in the order of the rows: DataFusion does so within a group only.
        self._forced = not query.group_by and any(
            a.overload.name in {"sum", "avg"} and a.args[0].type in _FLOATS
            for a in self._aggregates.values()
        )

    def inputs(self) -> list[Expr]:
        """What aggregates read of each row."""
        found: list[Expr] = []
        for aggregate in self._aggregates.values():
            found += [*aggregate.args, *[k.expr for k in aggregate.order_by]]
            if aggregate.filter is not None:
                found.append(aggregate.filter)
        return found

    def _collect(self, node: Any, scope: Scope, *, inner: bool) -> None:  # noqa: ANN401
        """Find aggregates, GROUPING and columns that depend on the keys (a table's primary key)."""
        if fingerprint(node) in self._keys:
            return
        if isinstance(node, Aggregate) and not inner:
            self._aggregates[fingerprint(node)] = node
            return
        if isinstance(node, Grouping) and not inner:
            self._groupings[fingerprint(node)] = node
            return
        if isinstance(node, ColumnRef):
            if scope.knows(node):
                self._dependent[node.relation, node.column] = node
            return
        inner = inner or isinstance(node, Select | SetOp | ValuesQuery)
        for child in children(node):
            self._collect(child, scope, inner=inner)

    def emit(self, from_: str, where: Sql | None, parent: Scope | None) -> tuple[Scope, str]:
        """The grouped relation and a scope in which its keys and aggregates are computed."""
        scope = Scope(parent)
        keys = self._emit_keys(scope)
        for ref in self._dependent.values():
            value = self._as_input(self._expressions.emit(ref))
            shown = self._as_result(f"first_value({value.text})", value.physical)
            scope.add_column(ref.relation, ref.column, lambda shown=shown: shown)  # type: ignore[misc]
        aggregates = Aggregates(
            self._state,
            self._expressions,
            Parts(self._as_input, self._as_result),
            self._order,
            keep_order=any(a.order_by or a.distinct for a in self._aggregates.values()),
            keyed=bool(self._query.group_by),
        )
        for aggregate in self._aggregates.values():
            scope.add_node(aggregate, aggregates.emit(aggregate))
        whole = not self._query.group_by or () in self._query.grouping_sets
        if whole and any(is_constant(t.expr) for t in self._query.targets):
            scope.single = self._as_result("count(*)", pa.int64())
        for grouping in self._groupings.values():
            scope.add_node(grouping, self._grouping(grouping))
        return scope, self._relation(from_, where, keys)

    def _emit_keys(self, scope: Scope) -> list[str]:
        keys = []
        for expr in self._query.group_by:
            value, key, is_value = self._key(expr)
            stored = self._as_input(key)
            keys.append(stored.text)
            if is_value:
                shown = self._as_result(stored.text, key.physical)
            else:
                one = self._as_input(value)
                shown = self._as_result(f"first_value({one.text})", value.physical)
                if self._query.grouping_sets:
                    away = self._as_result(f"grouping({stored.text})", pa.int32())
                    shown = Sql(f"CASE WHEN {away.text} = 0 THEN {shown.text} END", value.physical)
            scope.add_node(expr, shown)
            if isinstance(expr, ColumnRef):
                scope.add_column(expr.relation, expr.column, lambda shown=shown: shown)  # type: ignore[misc]
        return keys

    def _key(self, expr: Expr) -> tuple[Sql, Sql, bool]:
        """A grouping expression's value in each row, and what stands for it in the grouping; whether that
        can be shown for it.
        """
        value = self._expressions.emit(expr)
        key = self._expressions.comparable_form(value, expr.type)
        is_value = key == value
        if self._query.grouping_sets:
            # What is constant below would be taken for constant in every set.
            number = Sql("row_number() OVER ()", pa.uint64())
            key = self._state.opaque(key, expr.type, (number, types.INT8))
        return value, key, is_value

    def _relation(self, from_: str, where: Sql | None, keys: list[str]) -> str:
        items = [f"{sql.text} AS {name}" for name, (_, sql) in _named(self._input)]
        if self._forced:
            items.append("arrow_cast(1, 'Int32') AS z")
        sql = f"SELECT {', '.join(items) or '1 AS none'}"
        if from_:
            sql += f" FROM {from_}"
        if where is not None:
            sql += f" WHERE {where.text}"
        results = [f"{text} AS {name}" for text, (name, _) in self._results.items()]
        grouping = self._group_clause(keys)
        # Without keys there is one row, which only an aggregate makes.
        selected = ", ".join(results) or ("1 AS none" if grouping else "count(*) AS none")
        sql = f"SELECT {selected} FROM ({sql}) AS {self._rows}{grouping}"
        if not self._query.group_by or () in self._query.grouping_sets:
            # It has a row of no rows: no condition may be put below it, and none goes below a LIMIT.
            sql += f" LIMIT {_ALL_ROWS}"
        if self._forced:
            # No rows make no group: the one row of an ungrouped aggregate comes from outside.
            one, groups = self._state.alias(), self._state.alias()
            shown = ", ".join(
                [
                    f"coalesce({groups}.{name}, 0) AS {name}"
                    if text.startswith("count(")
                    else f"{groups}.{name} AS {name}"
                    for text, (name, _) in self._results.items()
                ]
            )
            sql = f"SELECT {shown} FROM (SELECT 1 AS u) AS {one} LEFT JOIN ({sql}) AS {groups} ON true"
        return f"({sql}) AS {self._groups}"

    def _group_clause(self, keys: list[str]) -> str:
        if self._forced:
            return f" GROUP BY {self._rows}.z"
        if self._query.grouping_sets:
            sets = [
                "(" + ", ".join([keys[i] for i in members]) + ")"
                for members in self._query.grouping_sets
            ]
            return f" GROUP BY GROUPING SETS ({', '.join(sets)})"
        return f" GROUP BY {', '.join(keys)}" if keys else ""

    def _grouping(self, grouping: Grouping) -> Sql:
        if not self._query.grouping_sets:
            return Sql("arrow_cast(0, 'Int32')", pa.int32())
        bits = []
        for expr in grouping.args:
            index = self._keys[fingerprint(expr)]
            key = self._as_input(self._key(self._query.group_by[index])[1])
            bits.append(self._as_result(f"grouping({key.text})", pa.int32()).text)
        total = bits[0]
        for bit in bits[1:]:
            total = f"({total} * 2 + {bit})"
        return Sql(arrow_cast(total, pa.int32()), pa.int32())

    def _as_input(self, sql: Sql) -> Sql:
        """A value of each row, as a column of the lower level."""
        name, _ = self._input.setdefault(sql.text, (f"x{len(self._input)}", sql))
        return column(self._rows, name, sql.physical)

    def _as_result(self, text: str, physical: pa.DataType) -> Sql:
        """A value of each group, as a column of the upper level."""
        name, _ = self._results.setdefault(text, (f"a{len(self._results)}", physical))
        return column(self._groups, name, physical)


def _named(inputs: dict[str, tuple[str, Sql]]) -> Iterator[tuple[str, tuple[str, Sql]]]:
    for text, (name, sql) in inputs.items():
        yield name, (text, sql)


def _after_grouping(query: Select) -> list[Expr]:
    late = [t.expr for t in query.targets]
    late += [*query.distinct_on, *[k.expr for k in query.order_by]]
    if query.having is not None:
        late.append(query.having)
    return late
