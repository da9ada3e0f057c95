# ruff: noqa: S608 - text comes from this package; user text is in quoted literals alone
"""What depends on columns of other FROM items: computed per distinct binding of them, then joined.

The bindings (a *domain*) are told apart by their physical values, which is finer than SQL's equality
and so never wrong.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidRowCountInLimitClauseError,
    InvalidRowCountInResultOffsetClauseError,
)
from catalog.types import registry as types
from kalam_pg.functions import lookup
from kalam_pg.functions.lookup import key_of
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.datafusion_expr import Expressions
from kalam_pg.sql.datafusion_state import (
    Relation,
    Rendering,
    Scope,
    converted,
    derived,
    derived_column,
)
from kalam_pg.sql.physical import Sql, canonical, literal
from kalam_pg.sql.same_values import not_distinct
from kalam_pg.sql.to_python import evaluate
from kalam_pg.sql.tree import (
    Aggregate,
    Call,
    ColumnRef,
    Expr,
    FunctionScan,
    OutputColumn,
    Query,
    Select,
    SetOp,
    Target,
    ValuesQuery,
    Window,
)
from kalam_pg.sql.walk import children, map_children, walk

EmitQuery = Callable[..., Relation]
_FIRST_OWN_RELATION = 1_000_000  # the binder counts its relations from 0


@dataclass(frozen=True, slots=True)
class Domain:
    """The distinct bindings of outer columns: a FROM item, and where each column stands in it."""

    sql: str
    columns: tuple[tuple[ColumnRef, Sql], ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """Rows per binding: SQL with columns d0, d1 and so on (the binding), m (true, if `marked`), c0, c1
    and so on.
    """

    sql: str
    physical: tuple[pa.DataType, ...]
    bindings: int
    marked: bool = False

    def names(self) -> tuple[str, ...]:
        """The columns in order."""
        return (
            *[f"d{i}" for i in range(self.bindings)],
            *(["m"] if self.marked else []),
            *[f"c{i}" for i in range(len(self.physical))],
        )


def outer_columns(node: object, inside: frozenset[int] | set[int] = frozenset()) -> list[ColumnRef]:
    """The columns that a node reads of relations outside it, each once."""
    found: dict[tuple[int, int], ColumnRef] = {}
    for part in walk(node):
        if isinstance(part, ColumnRef) and part.relation not in inside:
            found.setdefault((part.relation, part.column), part)
    return list(found.values())


def relations_of(query: object) -> set[int]:
    """The numbers of the relations in a query."""
    return {
        part.relation
        for part in walk(query)
        if hasattr(part, "relation") and not isinstance(part, ColumnRef)
    }


def own_relation(state: Rendering) -> int:
    """A relation number that the binder does not use."""
    return _FIRST_OWN_RELATION + int(state.alias()[1:])


def make_domain(state: Rendering, scope: Scope, base: str, refs: Sequence[ColumnRef]) -> Domain:
    """The bindings of `refs` among the rows of a FROM clause."""
    alias = state.alias()
    items, columns = [], []
    for i, ref in enumerate(refs):
        try:
            outer = scope.column(ref)
        except KeyError:
            raise FeatureNotSupportedError(
                f'a reference to column "{ref.name}" from this depth is not supported'
            ) from None
        items.append(f"{outer.text} AS d{i}")
        columns.append((ref, derived_column(alias, f"d{i}", outer.physical)))
    sql = f"SELECT DISTINCT {', '.join(items)} FROM {base}"
    return Domain(derived(sql, alias, [f"d{i}" for i in range(len(items))]), tuple(columns))


def binding_condition(scope: Scope, refs: Sequence[ColumnRef], alias: str) -> str:
    """The join condition between the outer rows and the rows per binding."""
    return " AND ".join(
        [
            not_distinct(outer, derived_column(alias, f"d{i}", outer.physical)).text
            for i, outer in enumerate([scope.column(ref) for ref in refs])
        ]
    )


def rows_per_binding(
    state: Rendering, emit_query: EmitQuery, query: Query, refs: Sequence[ColumnRef], domain: Domain
) -> Bound:
    """A correlated query's rows for each binding, its LIMIT and OFFSET counted per binding."""
    if not isinstance(query, Select) or query.with_ or query.distinct_on or query.distinct:
        raise FeatureNotSupportedError("this form of correlated subquery is not supported")
    one_row = query.grouped and not query.group_by
    if query.grouping_sets or query.locking or (one_row and (query.limit or query.offset)):
        raise FeatureNotSupportedError("this form of correlated subquery is not supported")
    own = [Target(replace(ref, outer=0), "") for ref in refs]
    group_by = (*[t.expr for t in own], *query.group_by) if query.grouped else ()
    query = _windows_per_binding(query, tuple([t.expr for t in own]))
    alias = state.alias()
    count, outputs = len(refs), len(query.targets)
    named = [f"{alias}.c{i} AS d{i}" for i in range(count)]
    named += ["true AS m", *[f"{alias}.c{count + i} AS c{i}" for i in range(outputs)]]
    targets = [*own, *query.targets]
    where = ""
    if query.limit is not None or query.offset is not None:
        if any(isinstance(n, Window) for k in query.order_by for n in _of_this_level(k.expr)):
            raise FeatureNotSupportedError(
                "LIMIT by a window function in a correlated subquery is not supported"
            )
        number = Window(
            lookup.windows("row_number")[0], (), types.INT8,
            partition_by=tuple([t.expr for t in own]), order_by=query.order_by,
        )  # fmt: skip
        targets.append(Target(number, ""))
        limit, offset = limits(state, query)
        place = f"{alias}.c{count + outputs}"
        where = f" WHERE {place} > {offset}"
        if limit is not None:
            where += f" AND {place} <= {offset + limit}"
    changed = replace(
        query, targets=tuple(targets), group_by=group_by, order_by=(), limit=None, offset=None
    )
    emitted = emit_query(changed, None, domain)
    sql = f"SELECT {', '.join(named)} FROM ({emitted.sql}) AS {alias}{where}"
    return Bound(sql, emitted.physical[count : count + outputs], count, marked=True)


def _windows_per_binding(query: Select, bindings: tuple[Expr, ...]) -> Select:
    """A query whose windows see the rows of their own binding only."""

    def change(node: Expr) -> Expr:
        if isinstance(node, Select | SetOp | ValuesQuery):
            return node
        changed = map_children(node, change)
        if isinstance(changed, Window):
            changed = replace(changed, partition_by=(*bindings, *changed.partition_by))
        return changed  # type: ignore[no-any-return]

    return replace(
        query,
        targets=tuple([replace(t, expr=change(t.expr)) for t in query.targets]),
        order_by=tuple([replace(k, expr=change(k.expr)) for k in query.order_by]),
    )


def over_no_rows(state: Rendering, scope: Scope, expr: Expr, having: Expr | None) -> Sql:
    """What an aggregate query gives where there are no rows: counts are 0, the others are NULL."""
    empty = Scope(scope)
    for whole in (expr, having):
        for node in walk(whole) if whole is not None else ():
            if isinstance(node, Aggregate):
                value = 0 if node.overload.name in {"count", "regr_count"} else None
                empty.add_node(node, literal(value, node.type))
    expressions = Expressions(state, empty)
    result = expressions.emit(expr)
    if having is None:
        return result
    test = expressions.emit(having)
    return Sql(f"CASE WHEN {test.text} THEN {result.text} END", result.physical)


def lateral_query(
    state: Rendering, emit_query: EmitQuery, query: Query, refs: Sequence[ColumnRef], domain: Domain
) -> Bound:
    """A LATERAL subquery's rows for each binding; one that aggregates has a row for every binding."""
    bound = rows_per_binding(state, emit_query, query, refs, domain)
    assert isinstance(query, Select)
    if not query.grouped or query.group_by:
        return bound
    if query.having is not None:
        raise FeatureNotSupportedError("HAVING in this LATERAL subquery is not supported")
    scope = Scope()
    for ref, known in domain.columns:
        scope.add_column(ref.relation, ref.column, lambda known=known: known)  # type: ignore[misc]
    alias = state.alias()
    items = [f"{known.text} AS d{i}" for i, (_, known) in enumerate(domain.columns)]
    for i, (target, physical) in enumerate(zip(query.targets, bound.physical, strict=True)):
        empty = converted(over_no_rows(state, scope, target.expr, None), physical)
        items.append(
            f"CASE WHEN {alias}.{alias}m IS NULL THEN {empty.text} ELSE {alias}.{alias}c{i} END AS c{i}"
        )
    on = binding_condition(scope, refs, alias)
    right = derived(bound.sql, alias, bound.names())
    sql = f"SELECT {', '.join(items)} FROM {domain.sql} LEFT JOIN {right} ON {on}"
    return Bound(sql, bound.physical, len(refs))


def lateral_function(state: Rendering, scan: FunctionScan, domain: Domain) -> Bound:
    """A set-returning function's rows for each binding of the columns it is given."""
    call = scan.call
    if not isinstance(call, Call):
        raise FeatureNotSupportedError("this function in FROM is not supported here")
    scope = Scope()
    for ref, known in domain.columns:
        scope.add_column(ref.relation, ref.column, lambda known=known: known)  # type: ignore[misc]
    expressions = Expressions(state, scope)
    bindings = [f"{known.text} AS d{i}" for i, (_, known) in enumerate(domain.columns)]
    physical = tuple([canonical(c.type) for c in scan.columns])
    if call.overload.kind is not OverloadKind.SET:
        value = expressions.canonical(call)
        items = ", ".join([*bindings, f"{value.text} AS c0"])
        if scan.ordinality:
            items += ", arrow_cast(1, 'Int64') AS c1"
        return Bound(f"SELECT {items} FROM {domain.sql}", physical, len(bindings))
    plain = len(physical) == 1
    fields = [(f"c{i}", p) for i, p in enumerate(physical)]
    item = physical[0] if plain else pa.struct(fields)
    args = [expressions.canonical(a) for a in call.args]
    key = f"{'~seto' if scan.ordinality else '~set'}:{key_of(call.overload)}"
    made = state.call(
        key, args, pa.list_(item), tuple([a.type for a in call.args]), scan.columns[0].type
    )
    # DataFusion would take a binding for unique among the rows of its list.
    bindings = [
        f"{state.opaque(known, ref.type).text} AS d{i}"
        for i, (ref, known) in enumerate(domain.columns)
    ]
    a, b = state.alias(), state.alias()
    kept = ", ".join([f"{a}.d{i}" for i in range(len(bindings))])
    lists = f"SELECT {', '.join([*bindings, f'{made.text} AS l'])} FROM {domain.sql}"
    name = "c0" if plain else "u"
    # No list is NULL (of which DataFusion would keep a row), and an empty one has no rows. So there is
    # no condition on the lists: it would be computed together with those that guard them.
    sql = f"SELECT {kept}, unnest({a}.l) AS {name} FROM ({lists}) AS {a}"
    if not plain:
        kept = ", ".join([f"{b}.d{i}" for i in range(len(bindings))])
        columns = ", ".join([f"get_field({b}.u, 'c{i}') AS c{i}" for i in range(len(physical))])
        sql = f"SELECT {kept}, {columns} FROM ({sql}) AS {b}"
    return Bound(sql, physical, len(bindings))


def _of_this_level(node: object) -> Iterator[object]:
    """An expression's nodes, not those of its subqueries."""
    yield node
    for child in children(node):
        if not isinstance(child, Select | SetOp | ValuesQuery):
            yield from _of_this_level(child)


def expand_sets(state: Rendering, query: Select) -> Select:
    """A set-returning function in the select list becomes a function in FROM."""
    calls: dict[Call, None] = {}
    for target in query.targets:
        for node in _of_this_level(target.expr):
            if isinstance(node, Call) and node.overload.kind is OverloadKind.SET:
                calls[node] = None
    if not calls:
        return query
    windows = any(isinstance(n, Window) for t in query.targets for n in _of_this_level(t.expr))
    (call,) = calls if len(calls) == 1 else (None,)
    if call is None or query.grouped or windows or len(call.overload.out_names) > 1:
        raise FeatureNotSupportedError(
            "set-returning functions are not supported in this select list",
            position=next(iter(calls)).position,
        )
    if query.order_by and not any(n == call for k in query.order_by for n in walk(k.expr)):
        # Rows are sorted before they are expanded: each one's values stay together, in their order.
        raise FeatureNotSupportedError("sorted rows with set-returning functions are not supported")
    relation = own_relation(state)
    output = OutputColumn(call.overload.name, call.type)
    value = ColumnRef(relation, 0, call.overload.name, call.type)

    def change(node: Expr) -> Expr:
        if node == call:
            return value
        if isinstance(node, Select | SetOp | ValuesQuery):
            return node
        return map_children(node, change)  # type: ignore[no-any-return]

    lateral = bool(outer_columns(call))
    scan = FunctionScan(relation, call, (output,), lateral=lateral)
    return replace(
        query,
        targets=tuple([Target(change(t.expr), t.name) for t in query.targets]),
        order_by=tuple([replace(k, expr=change(k.expr)) for k in query.order_by]),
        distinct_on=tuple([change(e) for e in query.distinct_on]),
        from_=(*query.from_, scan),
    )


def limits(state: Rendering, query: Query) -> tuple[int | None, int]:
    """LIMIT (None for none) and OFFSET; negative ones are 2201W and 2201X."""
    limit = evaluate(query.limit, state.context) if query.limit is not None else None
    offset = evaluate(query.offset, state.context) if query.offset is not None else None
    if limit is not None:
        assert isinstance(limit, int)
        if limit < 0:
            raise InvalidRowCountInLimitClauseError("LIMIT must not be negative")
    if offset is not None:
        assert isinstance(offset, int)
        if offset < 0:
            raise InvalidRowCountInResultOffsetClauseError("OFFSET must not be negative")
    return limit, offset or 0
