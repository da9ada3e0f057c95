# ruff: noqa: S608 - text comes from this package; user text is in quoted literals alone
"""Subqueries in expressions, as joins.

DataFusion runs few of them itself, and some of those wrongly (it takes any of several rows for a
scalar subquery's value). EXISTS and [NOT] IN that stand alone in WHERE stay semi and anti joins.
Every other one is joined to the FROM clause: an uncorrelated one as a relation of one row; a
correlated one is computed for each distinct binding of the outer columns it reads (its *domain*)
and then joined by them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions import registry
from kalam_pg.functions.sortkey import ordered_in_arrow
from kalam_pg.functions.table import Overload
from kalam_pg.sql.datafusion_expr import Expressions
from kalam_pg.sql.datafusion_state import Relation, Scope, State, column, converted
from kalam_pg.sql.physical import BOOLEAN, INT64, Sql, canonical, is_decimal, literal
from kalam_pg.sql.tree import (
    Aggregate,
    ArraySubquery,
    BoolKind,
    BoolOp,
    Call,
    Case,
    Coalesce,
    ColumnRef,
    Const,
    Exists,
    Expr,
    InSubquery,
    IsTruth,
    OutputColumn,
    Query,
    ScalarSubquery,
    Select,
    SetOp,
    SortKey,
    SubqueryScan,
    Target,
    ValuesQuery,
    Window,
)
from kalam_pg.sql.walk import children, walk

EmitQuery = Callable[..., Relation]
Subquery = ScalarSubquery | ArraySubquery | Exists | InSubquery
_SUBQUERIES = (ScalarSubquery, ArraySubquery, Exists, InSubquery)
_QUERIES = (Select, SetOp, ValuesQuery)
_FIRST_OWN_RELATION = 1_000_000  # the binder counts its relations from 0


@dataclass(frozen=True, slots=True)
class Domain:
    """The distinct bindings of outer columns: a FROM item, and where each column stands in it."""

    sql: str
    columns: tuple[tuple[ColumnRef, Sql], ...]


class Subqueries:
    """The subqueries of one query level."""

    def __init__(self, state: State, scope: Scope, emit_query: EmitQuery) -> None:
        self._state = state
        self._scope = scope
        self._emit_query = emit_query
        self._expressions = Expressions(state, scope)

    def attach(self, from_: str, where: Expr | None, exprs: Sequence[Expr | None]) -> str:
        """The FROM clause with a join for each subquery that needs one."""
        alone = [c for c in conjuncts(where) if not self._stays(c)]
        base = from_
        for expr in (*alone, *exprs):
            for node in _subqueries(expr):
                if self._scope.node(node) is None:
                    from_ = self._join(base, from_, node)
        return from_

    def condition(self, where: Expr | None) -> Sql | None:
        """WHERE or HAVING as one condition."""
        tests = [
            self._semi_join(c) if self._stays(c) else self._expressions.emit(c)
            for c in conjuncts(where)
        ]
        if not tests:
            return None
        # What cannot raise goes first: it may become a join's condition, the rest waits for it.
        tests.sort(key=lambda t: t.fallible)
        return self._expressions.conjunction(tests)

    # -------------------------------------------------------------- semi and anti joins

    def _stays(self, conjunct: Expr) -> bool:
        """Whether DataFusion runs this conjunct as a join of its own, and does so right."""
        node, negated = _without_not(conjunct)
        match node:
            case Exists(query):
                return _is_plain(query) or not self._outer(query)
            case InSubquery(args, query, operators, every):
                name = "<>" if every else "="
                return (
                    len(args) == 1
                    and not negated
                    and operators[0].name == name
                    and not self._outer(query)
                )
            case _:
                return False

    def _semi_join(self, conjunct: Expr) -> Sql:
        node, negated = _without_not(conjunct)
        if isinstance(node, Exists):
            query = node.query
            if isinstance(query, Select) and _is_plain(query):
                query = replace(query, targets=(), order_by=(), distinct=False, distinct_on=())
            word = "NOT EXISTS" if negated else "EXISTS"
            return Sql(f"{word} ({self._emit_query(query, self._scope).sql})", BOOLEAN)
        assert isinstance(node, InSubquery)
        emitted = self._emit_query(node.query, self._scope)
        alias = self._state.alias()
        kind = node.query.columns[0].type
        arg = self._expressions.emit(node.args[0])
        item = column(alias, "c0", emitted.physical[0])
        if arg.physical != item.physical:
            physical = canonical(kind)
            arg, item = converted(arg, canonical(node.args[0].type)), converted(item, physical)
        left = self._expressions.comparable_form(arg, node.args[0].type)
        right = self._expressions.comparable_form(item, kind)
        word = "NOT IN" if node.all else "IN"
        return Sql(
            f"({left.text} {word} (SELECT {right.text} FROM ({emitted.sql}) AS {alias}))", BOOLEAN
        )

    # -------------------------------------------------------------- joins

    def _join(self, base: str, from_: str, node: Subquery) -> str:
        query, default = self._as_scalar(node)
        refs = self._outer(query)
        alias = self._state.alias()
        from_ = from_ or f"(SELECT 1 AS u) AS {self._state.alias()}"
        if not refs:
            emitted = self._one_row(query)
            self._scope.add_node(node, column(alias, "c0", emitted.physical[0]))
            return f"{from_} LEFT JOIN ({emitted.sql}) AS {alias} ON true"
        domain = self._domain(base, refs)
        emitted = self._per_binding(query, refs, domain)
        value = column(alias, "v", emitted.physical[-1])
        if default is not None:
            empty = self._on_empty(query, default)
            if empty.text != literal(None, query.columns[0].type).text:
                empty = converted(empty, value.physical)
                value = Sql(
                    f"CASE WHEN {alias}.m IS NULL THEN {empty.text} ELSE {value.text} END",
                    value.physical,
                )
        self._scope.add_node(node, value)
        on = " AND ".join(
            [
                f"({self._scope.column(ref).text} IS NOT DISTINCT FROM {alias}.d{i})"
                for i, ref in enumerate(refs)
            ]
        )
        return f"{from_} LEFT JOIN ({emitted.sql}) AS {alias} ON {on}"

    def _domain(self, base: str, refs: Sequence[ColumnRef]) -> Domain:
        alias = self._state.alias()
        items, columns = [], []
        for i, ref in enumerate(refs):
            outer = self._scope.column(ref)
            if not ordered_in_arrow(ref.type) and not is_decimal(outer.physical):
                raise FeatureNotSupportedError(
                    f"a correlated subquery over {ref.type.sql_name} is not supported"
                )
            items.append(f"{outer.text} AS d{i}")
            columns.append((ref, column(alias, f"d{i}", outer.physical)))
        sql = f"(SELECT DISTINCT {', '.join(items)} FROM {base}) AS {alias}"
        return Domain(sql, tuple(columns))

    def _per_binding(self, query: Query, refs: Sequence[ColumnRef], domain: Domain) -> Relation:
        """The query's value for each binding: columns d0 …, m (true), v."""
        if not isinstance(query, Select) or query.with_ or query.distinct_on:
            raise FeatureNotSupportedError("this form of correlated subquery is not supported")
        if query.distinct or query.grouping_sets or query.locking:
            raise FeatureNotSupportedError("this form of correlated subquery is not supported")
        own = [Target(replace(ref, outer=0), "") for ref in refs]
        target = query.targets[0]
        one_group = query.grouped and not query.group_by
        group_by = (*[t.expr for t in own], *query.group_by) if query.grouped else ()
        if one_group:
            changed = replace(
                query, targets=(*own, target), group_by=group_by, order_by=(), limit=None,
                offset=None,
            )  # fmt: skip
            emitted = self._emit_query(changed, None, domain)
            return self._numbered(emitted, len(refs), None)
        number = Window(
            registry.windows("row_number")[0], (), types.INT8,
            partition_by=tuple([t.expr for t in own]), order_by=query.order_by,
        )  # fmt: skip
        changed = replace(
            query, targets=(*own, target, Target(number, "")), group_by=group_by, order_by=(),
            limit=None, offset=None,
        )  # fmt: skip
        emitted = self._emit_query(changed, None, domain)
        return self._numbered(emitted, len(refs), query)

    def _numbered(self, emitted: Relation, count: int, query: Select | None) -> Relation:
        """Name the columns; keep the rows that LIMIT and OFFSET ask for, at most one a binding."""
        alias = self._state.alias()
        physical = (*emitted.physical[:count], BOOLEAN, emitted.physical[count])
        keys = [f"{alias}.c{i}" for i in range(count)]
        named = [f"{key} AS d{i}" for i, key in enumerate(keys)]
        if query is None:
            sql = f"SELECT {', '.join(named)}, true AS m, {alias}.c{count} AS v"
            return Relation(f"{sql} FROM ({emitted.sql}) AS {alias}", physical)
        from kalam_pg.sql.datafusion_query import limits  # noqa: PLC0415 # it imports this module

        limit, offset = limits(self._state, query)
        where = f" WHERE {alias}.c{count + 1} > {offset}"
        if limit is not None:
            where += f" AND {alias}.c{count + 1} <= {offset + limit}"
        if limit is not None and limit <= 1:
            sql = f"SELECT {', '.join(named)}, true AS m, {alias}.c{count} AS v"
            return Relation(f"{sql} FROM ({emitted.sql}) AS {alias}{where}", physical)
        one = self._state.call("~one", [Sql("count(*)", INT64)], BOOLEAN, (types.INT8,), types.BOOL)
        sql = (
            f"SELECT {', '.join(named)}, true AS m, first_value({alias}.c{count}) AS v"
            f" FROM ({emitted.sql}) AS {alias}{where} GROUP BY {', '.join(keys)}"
            f" HAVING {one.text}"
        )
        return Relation(sql, physical)

    def _one_row(self, query: Query) -> Relation:
        """An uncorrelated query as at most one row; more are 21000."""
        emitted = self._emit_query(query, None)
        if isinstance(query, Select) and (
            (query.grouped and not query.group_by)
            or not query.from_
            or (isinstance(query.limit, Const) and query.limit.value in {0, 1})
        ):
            return emitted
        alias = self._state.alias()
        one = self._state.call("~one", [Sql("count(*)", INT64)], BOOLEAN, (types.INT8,), types.BOOL)
        return Relation(
            f"SELECT first_value({alias}.c0) AS c0 FROM ({emitted.sql}) AS {alias}"
            f" HAVING {one.text}",
            emitted.physical,
        )

    def _on_empty(self, query: Query, default: Expr) -> Sql:
        """What an aggregate query gives over no rows: count is 0, the others are NULL."""
        assert isinstance(query, Select)
        scope = Scope(self._scope)
        having = query.having
        for expr in (default, having):
            for node in walk(expr) if expr is not None else ():
                if isinstance(node, Aggregate):
                    value = 0 if node.overload.name == "count" else None
                    scope.add_node(node, literal(value, node.type))
        expressions = Expressions(self._state, scope)
        result = expressions.emit(default)
        if having is None:
            return result
        test = expressions.emit(having)
        return Sql(f"CASE WHEN {test.text} THEN {result.text} END", result.physical)

    # -------------------------------------------------------------- all forms as scalar ones

    def _as_scalar(self, node: Subquery) -> tuple[Query, Expr | None]:
        """A query of one value for any subquery, and its target if it gives one over no rows."""
        match node:
            case ScalarSubquery(query):
                if isinstance(query, Select) and query.grouped and not query.group_by:
                    return query, query.targets[0].expr
                return query, None
            case Exists(query):
                inner = self._countable(query)
                target: Expr = Call(
                    _operator(">", types.INT8), (_count(), Const(0, types.INT8)), types.BOOL
                )
                return _aggregated(inner, target), target
            case InSubquery(args, query, operators, every):
                inner = self._countable(query)
                target = _quantified(args, inner, operators, every=every)
                return _aggregated(inner, target), target
            case ArraySubquery(query):
                return self._array(node, query)

    def _countable(self, query: Query) -> Select:
        """The query as one whose rows an aggregate may be computed over in the same level."""
        if isinstance(query, Select) and _is_plain(query):
            return replace(query, order_by=(), distinct=False)
        if self._outer(query):
            raise FeatureNotSupportedError("this form of correlated subquery is not supported")
        return self._wrapped(query)

    def _wrapped(self, query: Query) -> Select:
        relation = _FIRST_OWN_RELATION + int(self._state.alias()[1:])
        scan = SubqueryScan(relation, query, query.columns)
        targets = tuple(
            [
                Target(ColumnRef(relation, i, c.name, c.type, c.typmod), c.name)
                for i, c in enumerate(query.columns)
            ]
        )
        return Select(targets, query.columns, (scan,))

    def _array(self, node: ArraySubquery, query: Query) -> tuple[Query, Expr]:
        keys: tuple[SortKey, ...] = ()
        if isinstance(query, Select) and _is_plain(query) and not query.distinct:
            keys, inner = query.order_by, replace(query, order_by=())
        elif not query.order_by and not self._outer(query):
            inner = self._wrapped(query)
        else:
            raise FeatureNotSupportedError("this form of ARRAY(subquery) is not supported")
        value = inner.targets[0].expr
        gathered = Aggregate(_array_agg(), (value,), node.type, order_by=keys)
        target = Coalesce((gathered, Const((), node.type)), node.type)
        return _aggregated(inner, target), target

    def _outer(self, query: Query) -> list[ColumnRef]:
        """The columns of this level (or further out) that a query reads, each once."""
        inside = _relations(query)
        found: dict[tuple[int, int], ColumnRef] = {}
        for node in walk(query):
            if isinstance(node, ColumnRef) and node.relation not in inside:
                found.setdefault((node.relation, node.column), node)
        return list(found.values())


def conjuncts(expr: Expr | None) -> list[Expr]:
    """The terms of a conjunction."""
    if expr is None:
        return []
    if isinstance(expr, BoolOp) and expr.kind is BoolKind.AND:
        return [term for arg in expr.args for term in conjuncts(arg)]
    return [expr]


def _without_not(expr: Expr) -> tuple[Expr, bool]:
    if isinstance(expr, BoolOp) and expr.kind is BoolKind.NOT:
        return expr.args[0], True
    return expr, False


def _subqueries(node: Any) -> Iterator[Subquery]:  # noqa: ANN401 # any node
    """The subqueries of an expression, not those inside them."""
    if node is None:
        return
    if isinstance(node, _SUBQUERIES):
        yield node
        if isinstance(node, InSubquery):
            for arg in node.args:
                yield from _subqueries(arg)
        return
    for child in children(node):
        yield from _subqueries(child)


def _relations(query: Query) -> set[int]:
    return {
        node.relation
        for node in walk(query)
        if hasattr(node, "relation") and not isinstance(node, ColumnRef)
    }


def _is_plain(query: Query) -> bool:
    """A SELECT whose rows are its FROM clause's, filtered (DISTINCT and ORDER BY aside)."""
    return (
        isinstance(query, Select)
        and not query.grouped
        and not query.distinct_on
        and query.limit is None
        and query.offset is None
        and not query.with_
        and not any(isinstance(n, Window) for t in query.targets for n in walk(t.expr))
    )


def _aggregated(query: Select, target: Expr) -> Select:
    output = OutputColumn("value", target.type)
    return replace(query, targets=(Target(target, "value"),), columns=(output,), grouped=True)


def _operator(symbol: str, kind: PgType) -> Overload:
    return next(o for o in registry.operators(symbol) if o.args == (kind, kind))


def _count(arg: Expr | None = None) -> Aggregate:
    args = () if arg is None else (arg,)
    overload = next(o for o in registry.aggregates("count") if len(o.args) == len(args))
    return Aggregate(overload, args, types.INT8)


def _array_agg() -> Overload:
    return registry.aggregates("array_agg")[0]


def _quantified(
    args: Sequence[Expr], query: Select, operators: Sequence[Overload], *, every: bool
) -> Expr:
    """`args operator ANY|ALL (query)` over the query's rows, three-valued."""
    terms: list[Expr] = [
        Call(operator, (arg, target.expr), types.BOOL)
        for arg, operator, target in zip(args, operators, query.targets, strict=True)
    ]
    kind = BoolKind.OR if every else BoolKind.AND
    test = terms[0] if len(terms) == 1 else BoolOp(kind, tuple(terms), types.BOOL)
    name = "bool_and" if every else "bool_or"
    decided = Aggregate(registry.aggregates(name)[0], (test,), types.BOOL)
    unknown = Call(_operator(">", types.INT8), (_count(), _count(test)), types.BOOL)
    return Case(
        (
            (
                IsTruth(decided, not every, negated=False, type=types.BOOL),
                Const(not every, types.BOOL),
            ),
            (unknown, Const(None, types.BOOL)),
        ),
        Const(every, types.BOOL),
        types.BOOL,
    )
