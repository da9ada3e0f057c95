# ruff: noqa: S608 - text comes from this package; user text is in quoted literals alone
"""Subqueries in expressions, as joins.

DataFusion runs few of them itself, and some of those wrongly (it takes any of several rows for a
scalar subquery's value). EXISTS and [NOT] IN that stand alone in WHERE stay semi and anti joins.
Every other one is joined to the FROM clause: an uncorrelated one as a relation of one row; a
correlated one is computed for each distinct binding of the outer columns it reads (its *domain*)
and then joined by them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions import lookup
from kalam_pg.functions.dimensions import flatten
from kalam_pg.functions.table import Overload
from kalam_pg.sql.constancy import is_constant, is_volatile
from kalam_pg.sql.datafusion_expr import Expressions
from kalam_pg.sql.datafusion_lateral import (
    Bound,
    Domain,
    binding_condition,
    limits,
    make_domain,
    outer_columns,
    over_no_rows,
    own_relation,
    relations_of,
    rows_per_binding,
)
from kalam_pg.sql.datafusion_state import (
    Relation,
    Rendering,
    Scope,
    column,
    converted,
    derived,
    derived_column,
)
from kalam_pg.sql.physical import BOOLEAN, INT64, Sql, canonical, literal
from kalam_pg.sql.to_python import evaluate
from kalam_pg.sql.tree import (
    Aggregate,
    AnyAll,
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
    FromItem,
    FunctionScan,
    InList,
    InSubquery,
    IsTruth,
    Join,
    OutputColumn,
    Query,
    ScalarSubquery,
    Select,
    SetOp,
    SortKey,
    SubqueryScan,
    TableScan,
    Target,
    ValuesQuery,
    Window,
)
from kalam_pg.sql.walk import children, conjuncts, walk

(_UNNEST,) = [each for each in lookup.functions("unnest") if each.args == (types.ANYARRAY,)]

LISTED_MAX = 500
"""A longer list of constants is joined: DataFusion plans each item of a list."""

EmitQuery = Callable[..., Relation]
Subquery = ScalarSubquery | ArraySubquery | Exists | InSubquery
_SUBQUERIES = (ScalarSubquery, ArraySubquery, Exists, InSubquery)
_QUERIES = (Select, SetOp, ValuesQuery)


class Subqueries:
    """The subqueries of one query level."""

    def __init__(self, state: Rendering, scope: Scope, emit_query: EmitQuery) -> None:
        self._state = state
        self._scope = scope
        self._emit_query = emit_query
        self._expressions = Expressions(state, scope)

    def attach(self, from_: str, where: Expr | None, exprs: Sequence[Expr | None]) -> str:
        """The FROM clause with a join for each subquery that needs one."""
        alone = [c for c in self._terms(where) if not self._stays(c)]
        base = from_
        for expr in (*alone, *exprs):
            for node in self._subqueries(expr):
                if self._scope.node(node) is None:
                    from_ = self._join(base, from_, node)
        return from_

    def _subqueries(self, node: Any) -> Iterator[Subquery]:  # noqa: ANN401 # any node
        """The subqueries of an expression, not those inside them or in what is computed already."""
        if node is None or self._scope.node(node) is not None:
            return
        if isinstance(node, _SUBQUERIES):
            yield node
            if isinstance(node, InSubquery):
                for arg in node.args:
                    yield from self._subqueries(arg)
            return
        for child in children(node):
            yield from self._subqueries(child)

    def condition(self, where: Expr | None) -> Sql | None:
        """WHERE or HAVING as one condition."""
        tests = [
            self._semi_join(c) if self._stays(c) else self._expressions.test(c)
            for c in self._terms(where)
        ]
        if not tests:
            return None
        # What cannot raise goes first: it may become a join's condition, the rest waits for it.
        tests.sort(key=lambda t: t.fallible)
        return self._expressions.conjunction(tests)

    def _terms(self, where: Expr | None) -> list[Expr]:
        """The conjuncts; one of a long list of constants as one of the rows of a set."""
        return [self._of_rows(c) for c in conjuncts(where)]

    def _of_rows(self, conjunct: Expr) -> Expr:
        match conjunct:
            case InList(arg, items, equals, False) if len(items) > LISTED_MAX:
                if not all(map(is_constant, items)):
                    return conjunct
                element = items[0].type
                values = tuple([evaluate(item, self._state.context) for item in items])
            case AnyAll(arg, array, equals, False) if equals.name == "=" and is_constant(array):
                given = evaluate(array, self._state.context)
                values = tuple(flatten(given)) if given is not None else ()
                if len(values) <= LISTED_MAX or array.type.element is None:
                    return conjunct
                element = array.type.element
            case _:
                return conjunct
        kind = types.array_of(element)
        if is_constant(arg) or kind is None:
            return conjunct
        relation, output = own_relation(self._state), OutputColumn("unnest", element)
        call = Call(_UNNEST, (Const(values, kind),), element)
        ref = Target(ColumnRef(relation, 0, output.name, element), output.name)
        query = Select((ref,), (output,), (FunctionScan(relation, call, (output,)),))
        return InSubquery((arg,), query, (equals,), False, types.BOOL, -1, conjunct.position)

    # -------------------------------------------------------------- semi and anti joins

    def _stays(self, conjunct: Expr) -> bool:
        """Whether DataFusion runs this conjunct as a join of its own, and does so right."""
        node, negated = _without_not(conjunct)
        match node:
            case Exists(query):
                return _is_plain(query) and _reads_tables(query) and bool(self._outer(query))
            case InSubquery(args, query, operators, every):
                name = "<>" if every else "="
                return (
                    len(args) == 1
                    and not negated
                    # DataFusion takes NOT IN of what is no column for an anti-join without NULLs.
                    and not is_constant(args[0])
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
            if is_volatile(query):
                emitted = self._state.step(emitted)
            self._scope.add_node(node, derived_column(alias, "c0", emitted.physical[0]))
            return f"{from_} LEFT JOIN {derived(emitted.sql, alias, ['c0'])} ON true"
        if is_volatile(query):
            raise FeatureNotSupportedError(
                "a volatile function in a correlated subquery is not supported"
            )
        domain = make_domain(self._state, self._scope, base, refs)
        bound = self._one_per_binding(query, refs, domain)
        value = derived_column(alias, "c0", bound.physical[0])
        if default is not None:
            assert isinstance(query, Select)
            empty = over_no_rows(self._state, self._scope, default, query.having)
            if empty.text != literal(None, query.columns[0].type).text:
                empty = converted(empty, value.physical)
                value = Sql(
                    f"CASE WHEN {alias}.{alias}m IS NULL THEN {empty.text} ELSE {value.text} END",
                    value.physical,
                )
        self._scope.add_node(node, value)
        on = binding_condition(self._scope, refs, alias)
        return f"{from_} LEFT JOIN {derived(bound.sql, alias, bound.names())} ON {on}"

    def _one_per_binding(self, query: Query, refs: Sequence[ColumnRef], domain: Domain) -> Bound:
        """The query's value for each binding; several values for one are 21000."""
        bound = rows_per_binding(self._state, self._emit_query, query, refs, domain)
        assert isinstance(query, Select)
        limit, _ = limits(self._state, query)
        if (query.grouped and not query.group_by) or (limit is not None and limit <= 1):
            return bound
        alias = self._state.alias()
        keys = [f"{alias}.d{i}" for i in range(len(refs))]
        one = self._state.call("~one", [Sql("count(*)", INT64)], BOOLEAN, (types.INT8,), types.BOOL)
        items = [*[f"{key} AS d{i}" for i, key in enumerate(keys)], "true AS m"]
        sql = (
            f"SELECT {', '.join(items)}, first_value({alias}.c0) AS c0"
            f" FROM ({bound.sql}) AS {alias} GROUP BY {', '.join(keys)} HAVING {one.text}"
        )
        return Bound(sql, bound.physical, len(refs), marked=True)

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

    # -------------------------------------------------------------- all forms as scalar ones

    def _as_scalar(self, node: Subquery) -> tuple[Query, Expr | None]:
        """A query of one value for any subquery, and its target if it gives one over no rows."""
        match node:
            case ScalarSubquery(query):
                if isinstance(query, Select) and query.grouped and not query.group_by:
                    query = _always_one_row(query)
                    return query, query.targets[0].expr
                return query, None
            case Exists(query):
                inner = self._countable(query) if self._outer(query) else self._first_row(query)
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
        relation = own_relation(self._state)
        scan = SubqueryScan(relation, query, query.columns)
        targets = tuple(
            [
                Target(ColumnRef(relation, i, c.name, c.type, c.typmod), c.name)
                for i, c in enumerate(query.columns)
            ]
        )
        return Select(targets, query.columns, (scan,))

    def _first_row(self, query: Query) -> Select:
        """A query's first row, of any."""
        if query.limit is None and query.offset is None and not query.order_by:
            query = replace(query, limit=Const(1, types.INT8))
        return self._wrapped(query)

    def _array(self, node: ArraySubquery, query: Query) -> tuple[Query, Expr]:
        keys: tuple[SortKey, ...] = ()
        if isinstance(query, Select) and _is_plain(query) and not query.distinct:
            keys, inner = query.order_by, replace(query, order_by=())
        elif not query.order_by and not self._outer(query):
            inner = self._wrapped(query)
        else:
            raise FeatureNotSupportedError("this form of ARRAY(subquery) is not supported")
        value = inner.targets[0].expr
        gathered = Aggregate(_array_agg(value.type), (value,), node.type, order_by=keys)
        target = Coalesce((gathered, Const((), node.type)), node.type)
        return _aggregated(inner, target), target

    @staticmethod
    def _outer(query: Query) -> list[ColumnRef]:
        """The columns of this level (or further out) that a query reads, each once."""
        return outer_columns(query, relations_of(query))


def _without_not(expr: Expr) -> tuple[Expr, bool]:
    if isinstance(expr, BoolOp) and expr.kind is BoolKind.NOT:
        return expr.args[0], True
    return expr, False


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


def _reads_tables(query: Query) -> bool:
    """Whether its FROM clause has but tables: DataFusion loses conditions over what is computed."""
    return isinstance(query, Select) and all(
        isinstance(node, TableScan | Join)
        for item in query.from_
        for node in (item, *_joined(item))
    )


def _joined(item: FromItem) -> Iterator[FromItem]:
    if isinstance(item, Join):
        for side in (item.left, item.right):
            yield side
            yield from _joined(side)


def _aggregated(query: Select, target: Expr) -> Select:
    output = OutputColumn("value", target.type)
    return replace(query, targets=(Target(target, "value"),), columns=(output,), grouped=True)


def _always_one_row(query: Select) -> Select:
    """An aggregate query whose value is NULL where HAVING leaves no row."""
    if query.having is None:
        return query
    ((value, name),) = [(t.expr, t.name) for t in query.targets]
    kept = Case(((query.having, value),), Const(None, value.type), value.type, value.typmod)
    # Of one row at most nothing is sorted or twice, and neither knows the new target.
    return replace(query, targets=(Target(kept, name),), having=None, order_by=(), distinct=False)


def _operator(symbol: str, kind: PgType) -> Overload:
    return next(o for o in lookup.operators(symbol) if o.args == (kind, kind))


def _count(arg: Expr | None = None) -> Aggregate:
    args = () if arg is None else (arg,)
    overload = next(o for o in lookup.aggregates("count") if len(o.args) == len(args))
    return Aggregate(overload, args, types.INT8)


def _array_agg(kind: PgType) -> Overload:
    plain, of_arrays = lookup.aggregates("array_agg")
    return plain if kind.element is None else of_arrays


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
    decided = Aggregate(lookup.aggregates(name)[0], (test,), types.BOOL)
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
