# ruff: noqa: S608 - text comes from this package; user text is in quoted literals alone
"""Queries as DataFusion SQL: the levels of a SELECT, set operations, ORDER BY and LIMIT.

A SELECT becomes nested levels, each with columns that nothing else is called: grouping (g0 …, a0 …),
then targets and sort keys (c0 …, s0 …), then DISTINCT, then ORDER BY and LIMIT.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, assert_never

import pyarrow as pa

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.sql.constancy import is_constant, is_volatile
from kalam_pg.sql.datafusion_expr import Expressions
from kalam_pg.sql.datafusion_from import FromClause, values
from kalam_pg.sql.datafusion_group import Grouped
from kalam_pg.sql.datafusion_lateral import (
    Domain,
    expand_sets,
    limits,
    outer_columns,
    relations_of,
)
from kalam_pg.sql.datafusion_setop import SetOperations, in_form
from kalam_pg.sql.datafusion_state import (
    ORDER,
    WHOLE,
    Order,
    Relation,
    Rendering,
    Scope,
    column,
    fingerprint,
)
from kalam_pg.sql.datafusion_subquery import Subqueries
from kalam_pg.sql.datafusion_window import add_windows
from kalam_pg.sql.physical import INT64, Sql, canonical
from kalam_pg.sql.tree import (
    ColumnRef,
    Cte,
    CteScan,
    Expr,
    Query,
    Select,
    SetOp,
    SortKey,
    ValuesQuery,
)
from kalam_pg.sql.walk import column_refs, walk


class Queries:
    """Translates the queries of one statement."""

    def __init__(self, state: Rendering) -> None:
        self._state = state

    def emit(
        self,
        query: Query,
        parent: Scope | None = None,
        domain: Domain | None = None,
        order: Order = Order.ANY,
    ) -> Relation:
        """The query as SQL whose columns are c0, c1 …; a domain is joined to its FROM clause."""
        for item in query.with_:
            self._state.ctes[item.number] = self._common(item, query, parent)
        match query:
            case Select():
                return self._select(query, parent, domain, order)
            case SetOp():
                return self._set_operation(query, parent, order)
            case ValuesQuery(relation, rows, columns):
                inner = values(self._state, Scope(parent), rows, columns)
                return self._of_finished(inner, (), relation, query, parent, order)
            case _:
                assert_never(query)

    # -------------------------------------------------------------- WITH

    def _common(self, item: Cte, query: Query, parent: Scope | None) -> Relation:
        """A WITH item: computed once if it is read more than once or if that could be noticed."""
        if item.recursive:
            return self._state.step(self._recursive(item, parent))
        emitted = self.emit(item.query, parent, order=Order.COLUMN)
        uses = sum(isinstance(n, CteScan) and n.cte == item.number for n in walk(query))
        if uses < 2 and not is_volatile(item.query) and item.materialized is not True:
            return emitted
        if outer_columns(item.query, relations_of(item.query)):
            raise FeatureNotSupportedError("this use of WITH in a subquery is not supported")
        return self._state.step(emitted)

    def _recursive(self, item: Cte, parent: Scope | None) -> Relation:
        query = item.query
        if not isinstance(query, SetOp) or query.kind != "union" or query.order_by or query.limit:
            raise FeatureNotSupportedError("this form of WITH RECURSIVE is not supported")
        if item.rows_max is not None:  # DataFusion would go on to the end, which there may be none.
            raise FeatureNotSupportedError("LIMIT of WITH RECURSIVE is not supported")
        # Both terms in canonical forms: the recursive one feeds itself.
        physical = tuple([canonical(c.type) for c in item.columns])
        first = in_form(self._state, self.emit(query.left, parent), physical)
        names = ", ".join([f"c{i}" for i in range(len(physical))])
        name = f"w{item.number}"
        self._state.ctes[item.number] = Relation(f"SELECT {names or '*'} FROM {name}", physical)
        again = in_form(self._state, self.emit(query.right, parent), physical)
        if not query.all:
            self._require_plain([c.type for c in item.columns], physical)
        word = "UNION ALL" if query.all else "UNION"
        return Relation(
            f"WITH RECURSIVE {name}({names}) AS ({first} {word} {again}) SELECT {names} FROM {name}",
            physical,
        )

    def _require_plain(self, kinds: Sequence[PgType], physical: Sequence[pa.DataType]) -> None:
        expressions = Expressions(self._state, Scope())
        for kind, form in zip(kinds, physical, strict=True):
            if expressions.comparable_form(Sql("x", form), kind).physical != form:
                raise FeatureNotSupportedError(
                    f"WITH RECURSIVE with UNION over {kind.sql_name} is not supported"
                )

    # -------------------------------------------------------------- SELECT

    def _select(
        self, query: Select, parent: Scope | None, domain: Domain | None, order: Order
    ) -> Relation:
        query = expand_sets(self._state, query)
        scope = Scope(parent)
        for ref, sql in domain.columns if domain is not None else ():
            scope.add_column(ref.relation, ref.column, lambda sql=sql: sql)  # type: ignore[misc]
        clause = FromClause(self._state, scope, self.emit, query)
        from_ = clause.emit(query.from_, domain.sql if domain is not None else "")
        before = Subqueries(self._state, scope, self.emit)
        if not query.grouped:
            from_ = before.attach(from_, query.where, _late(query))
            where = before.condition(query.where)
            return self._targets(query, scope, from_, where, order)
        grouped = Grouped(self._state, scope, query)
        from_ = before.attach(from_, query.where, [*query.group_by, *grouped.inputs()])
        scope, from_ = grouped.emit(from_, before.condition(query.where), parent)
        after = Subqueries(self._state, scope, self.emit)
        from_ = after.attach(from_, query.having, _late(query))
        return self._targets(query, scope, from_, after.condition(query.having), order)

    def _targets(
        self, query: Select, scope: Scope, from_: str, where: Sql | None, order: Order
    ) -> Relation:
        expressions = Expressions(self._state, scope, once=not from_)
        add_windows(self._state, scope, expressions, _late(query), query.from_)
        outputs = [expressions.emit(t.expr) for t in query.targets]
        if scope.single is not None and order is not Order.ROWS:
            # A condition on what is constant would be put below the aggregate, which has a row always.
            row = (scope.single, types.INT8)
            outputs = [
                self._state.opaque(o, t.expr.type, row) if is_constant(t.expr) else o
                for o, t in zip(outputs, query.targets, strict=True)
            ]
        items = [f"{o.text} AS c{i}" for i, o in enumerate(outputs)]
        terms, hidden = self._sort_items(query, expressions)
        distinct_on = [expressions.sortable(e) for e in query.distinct_on]
        if not (query.order_by or query.distinct or distinct_on):
            hidden = [(f"s{i}", key.text) for i, key in enumerate(scope.order)]
            terms = [name for name, _ in hidden]
        items += [f"{text} AS {name}" for name, text in hidden]
        items += [f"{d.text} AS d{i}" for i, d in enumerate(distinct_on)]
        sql = f"SELECT {', '.join(items) or '1 AS none'}"
        if from_:
            sql += f" FROM {from_}"
        if where is not None:
            sql += f" WHERE {where.text}{_staying(query, expressions)}"
        inner = Relation(sql, tuple([o.physical for o in outputs]))
        if query.distinct_on:
            inner = self._distinct_on(inner, len(distinct_on), terms, hidden)
        elif query.distinct:
            kinds = [t.expr.type for t in query.targets]
            inner, terms = self._distinct(inner, kinds, query)
            hidden = []
        plain = not (hidden or query.distinct_on or query.distinct)
        return self._finished(inner, terms, query, order, plain=plain)

    def _finished(
        self, inner: Relation, terms: Sequence[str], query: Query, order: Order, *, plain: bool
    ) -> Relation:
        """A level's rows in order, as many as are wanted. plain: it has its columns alone."""
        limit, offset = limits(self._state, query)
        limited = f" LIMIT {limit}" if limit is not None else ""
        names = list(inner.names())
        listed = ", ".join(names) or "none"
        if order is Order.ROWS:
            if offset:
                limited += f" OFFSET {offset}"
            if plain and not terms:
                return replace(inner, sql=inner.sql + limited)
            sql = f"SELECT {listed} FROM ({inner.sql}) AS {self._state.alias()}"
            return replace(inner, sql=sql + _order(terms) + limited)
        if order is Order.ANY and not limited and not offset:
            terms = ()
        if plain and not terms and not offset:
            return replace(inner, sql=inner.sql + limited)
        if limited:
            # An OFFSET in here would be lost where the rows are sorted once more.
            limited = f" LIMIT {(limit or 0) + offset}"
            few = f"SELECT * FROM ({inner.sql}) AS {self._state.alias()}{_order(terms)}{limited}"
            inner = replace(inner, sql=few)
        if not offset and (order is Order.ANY or not terms):
            sql = f"SELECT {listed} FROM ({inner.sql}) AS {self._state.alias()}"
            return replace(inner, sql=sql)
        items = [
            *names,
            f"arrow_cast(row_number() OVER ({_order(terms)} {WHOLE}), 'Int64') AS {ORDER}",
        ]
        sql = f"SELECT {', '.join(items)} FROM ({inner.sql}) AS {self._state.alias()}"
        shown = [*names, ORDER] if order is Order.COLUMN and terms else names
        if offset:
            sql = (
                f"SELECT {', '.join(shown) or '1 AS none'} FROM ({sql}) AS {self._state.alias()}"
                f" WHERE {ORDER} > {offset}"
            )
        has = INT64 if order is Order.COLUMN and terms else None
        return Relation(sql, inner.physical, has)

    def _sort_items(
        self, query: Select, expressions: Expressions
    ) -> tuple[list[str], list[tuple[str, str]]]:
        """ORDER BY terms over c… and s…, and the hidden columns s… they need."""
        order: list[str] = []
        hidden: list[tuple[str, str]] = []
        emitted = _places(query)
        for key in query.order_by:
            sortable = expressions.sortable(key.expr)
            target = emitted.get(fingerprint(key.expr))
            if target is not None and sortable == expressions.emit(key.expr):
                name = f"c{target}"
            else:
                name = f"s{len(hidden)}"
                hidden.append((name, sortable.text))
            order.append(name + direction(key))
        return order, hidden

    def _distinct(
        self, inner: Relation, kinds: Sequence[PgType], query: Select
    ) -> tuple[Relation, list[str]]:
        """DISTINCT: by keys where Arrow's equality is not SQL's, showing one of the equal rows."""
        alias = self._state.alias()
        expressions = Expressions(self._state, Scope())
        columns = [column(alias, f"c{i}", p) for i, p in enumerate(inner.physical)]
        keys = [expressions.comparable_form(c, k) for c, k in zip(columns, kinds, strict=True)]
        targets = _places(query)
        # The binder has checked that ORDER BY names targets only.
        places = [targets[fingerprint(key.expr)] for key in query.order_by]
        if all(k == c for k, c in zip(keys, columns, strict=True)):
            names = ", ".join([f"c{i}" for i in range(len(columns))])
            terms = [f"c{p}{direction(k)}" for p, k in zip(places, query.order_by, strict=True)]
            sql = f"SELECT DISTINCT {names or 'none'} FROM ({inner.sql}) AS {alias}"
            return replace(inner, sql=sql), terms
        items = [
            f"{c.text} AS c{i}" if k == c else f"first_value({c.text}) AS c{i}"
            for i, (c, k) in enumerate(zip(columns, keys, strict=True))
        ]
        items += [f"{keys[p].text} AS o{n}" for n, p in enumerate(places)]
        grouped = ", ".join([k.text for k in keys])
        terms = [f"o{n}{direction(k)}" for n, k in enumerate(query.order_by)]
        sql = f"SELECT {', '.join(items)} FROM ({inner.sql}) AS {alias} GROUP BY {grouped}"
        return replace(inner, sql=sql), terms

    def _distinct_on(
        self, inner: Relation, keys: int, order: list[str], hidden: list[tuple[str, str]]
    ) -> Relation:
        alias = self._state.alias()
        partition = ", ".join([f"d{i}" for i in range(keys)])
        names = [*inner.names(), *[name for name, _ in hidden]]
        ranked = (
            f"SELECT *, row_number() OVER (PARTITION BY {partition}{_order(order)} {WHOLE}) AS n"
            f" FROM ({inner.sql}) AS {alias}"
        )
        sql = f"SELECT {', '.join(names)} FROM ({ranked}) AS {self._state.alias()} WHERE n = 1"
        return replace(inner, sql=sql)

    # -------------------------------------------------------------- set operations and VALUES

    def _set_operation(self, query: SetOp, parent: Scope | None, order: Order) -> Relation:
        inner, keys = SetOperations(self._state, self.emit).emit(query, parent)
        return self._of_finished(inner, keys, query.relation, query, parent, order)

    def _of_finished(
        self,
        inner: Relation,
        keys: Sequence[str],
        relation: int,
        query: SetOp | ValuesQuery,
        parent: Scope | None,
        order: Order,
    ) -> Relation:
        """ORDER BY and LIMIT over a finished relation. keys: columns with the order that it has."""
        terms = list(keys)
        if query.order_by:
            scope = Scope(parent)
            for i, form in enumerate(inner.physical):
                sql = Sql(f"c{i}", form)
                scope.add_column(relation, i, lambda sql=sql: sql)  # type: ignore[misc]
            expressions = Expressions(self._state, scope)
            terms = [expressions.sortable(k.expr).text + direction(k) for k in query.order_by]
        return self._finished(inner, terms, query, order, plain=not keys)


def _late(query: Select) -> list[Expr]:
    """The expressions that are evaluated after grouping."""
    return [
        *[t.expr for t in query.targets],
        *query.distinct_on,
        *[k.expr for k in query.order_by],
    ]


def _staying(query: Select, expressions: Expressions) -> str:
    """A condition true of every row that keeps the filter below the outputs, or nothing.

    DataFusion computes the outputs of all rows, and leaves out rows afterwards, where outputs are fewer than
    the columns they are made of and the filter's columns are among them. This condition reads a column
    that is in none of them as it is.
    """
    if query.grouped:
        return ""
    outputs = _late(query)
    shown = {(o.relation, o.column) for o in outputs if isinstance(o, ColumnRef)}
    for output in outputs:
        for level, ref in column_refs(output):
            if level == 0 and (ref.relation, ref.column) not in shown:
                text = expressions.emit(ref).text
                return f" AND ({text} IS NULL OR {text} IS NOT NULL)"
    return ""


def _places(query: Select) -> dict[Any, int]:
    """Where in the select list an expression first stands."""
    return {fingerprint(t.expr): i for i, t in reversed(list(enumerate(query.targets)))}


def _order(terms: Sequence[str]) -> str:
    return f" ORDER BY {', '.join(terms)}" if terms else ""


def direction(key: SortKey) -> str:
    """ASC or DESC and where NULLs go, spelled out."""
    return f" {'DESC' if key.descending else 'ASC'} NULLS {'FIRST' if key.nulls_first else 'LAST'}"
