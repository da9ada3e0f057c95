# ruff: noqa: S608 - text comes from this package; user text is in quoted literals alone
"""Queries as DataFusion SQL: the levels of a SELECT, set operations, ORDER BY and LIMIT.

A SELECT becomes nested levels, each with columns that nothing else is called: grouping (g0 …, a0 …),
then targets and sort keys (c0 …, s0 …), then DISTINCT, then ORDER BY and LIMIT.
"""

from collections.abc import Sequence
from typing import Any, assert_never

import pyarrow as pa

from catalog.errors import FeatureNotSupportedError
from catalog.types.table import PgType
from kalam_pg.sql.datafusion_expr import Expressions, unified
from kalam_pg.sql.datafusion_from import FromClause, values
from kalam_pg.sql.datafusion_group import Grouped
from kalam_pg.sql.datafusion_lateral import Domain, expand_sets, limits
from kalam_pg.sql.datafusion_state import Relation, Rendering, Scope, column, converted, fingerprint
from kalam_pg.sql.datafusion_subquery import Subqueries
from kalam_pg.sql.datafusion_window import add_windows
from kalam_pg.sql.physical import Sql, canonical
from kalam_pg.sql.tree import (
    Cte,
    Expr,
    OutputColumn,
    Query,
    Select,
    SetOp,
    SortKey,
    ValuesQuery,
)


class Queries:
    """Translates the queries of one statement."""

    def __init__(self, state: Rendering) -> None:
        self._state = state

    def emit(
        self, query: Query, parent: Scope | None = None, domain: Domain | None = None
    ) -> Relation:
        """The query as SQL whose columns are c0, c1 …; a domain is joined to its FROM clause."""
        prefix = self._with(query.with_, parent)
        match query:
            case Select():
                result = self._select(query, parent, domain)
            case SetOp():
                result = self._set_operation(query, parent)
            case ValuesQuery(relation, rows, columns):
                inner = values(self._state, Scope(parent), rows, columns)
                result = self._ordered(inner, relation, columns, query, parent)
            case _:
                assert_never(query)
        return Relation(prefix + result.sql, result.physical)

    # -------------------------------------------------------------- WITH

    def _with(self, items: Sequence[Cte], parent: Scope | None) -> str:
        if not items:
            return ""
        parts = []
        recursive = False
        for item in items:
            if item.recursive:
                recursive = True
                parts.append(self._recursive(item, parent))
                continue
            emitted = self.emit(item.query, parent)
            self._state.ctes[item.number] = emitted.physical
            parts.append(f"k{item.number} AS ({emitted.sql})")
        return f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(parts)} "

    def _recursive(self, item: Cte, parent: Scope | None) -> str:
        query = item.query
        if not isinstance(query, SetOp) or query.kind != "union" or query.order_by or query.limit:
            raise FeatureNotSupportedError("this form of WITH RECURSIVE is not supported")
        # Both terms in canonical forms: the recursive one feeds itself.
        physical = tuple([canonical(c.type) for c in item.columns])
        first = self._in_form(self.emit(query.left, parent), physical)
        self._state.ctes[item.number] = physical
        again = self._in_form(self.emit(query.right, parent), physical)
        if not query.all:
            self._require_plain([c.type for c in item.columns], physical)
        word = "UNION ALL" if query.all else "UNION"
        names = ", ".join([f"c{i}" for i in range(len(physical))])
        return f"k{item.number}({names}) AS ({first} {word} {again})"

    def _in_form(self, relation: Relation, physical: tuple[pa.DataType, ...]) -> str:
        """The relation with its columns converted."""
        if relation.physical == physical:
            return relation.sql
        alias = self._state.alias()
        items = [
            f"{converted(column(alias, f'c{i}', have), want).text} AS c{i}"
            for i, (have, want) in enumerate(zip(relation.physical, physical, strict=True))
        ]
        return f"SELECT {', '.join(items)} FROM ({relation.sql}) AS {alias}"

    def _require_plain(self, kinds: Sequence[PgType], physical: Sequence[pa.DataType]) -> None:
        expressions = Expressions(self._state, Scope())
        for kind, form in zip(kinds, physical, strict=True):
            if expressions.comparable_form(Sql("x", form), kind).physical != form:
                raise FeatureNotSupportedError(
                    f"WITH RECURSIVE with UNION over {kind.sql_name} is not supported"
                )

    # -------------------------------------------------------------- SELECT

    def _select(self, query: Select, parent: Scope | None, domain: Domain | None) -> Relation:
        query = expand_sets(self._state, query)
        scope = Scope(parent)
        for ref, sql in domain.columns if domain is not None else ():
            scope.add_column(ref.relation, ref.column, lambda sql=sql: sql)  # type: ignore[misc]
        clause = FromClause(self._state, scope, self.emit)
        from_ = clause.emit(query.from_, domain.sql if domain is not None else "")
        before = Subqueries(self._state, scope, self.emit)
        if not query.grouped:
            from_ = before.attach(from_, query.where, _late(query))
            return self._targets(query, scope, from_, before.condition(query.where))
        grouped = Grouped(self._state, scope, query)
        from_ = before.attach(from_, query.where, [*query.group_by, *grouped.inputs()])
        scope, from_ = grouped.emit(from_, before.condition(query.where), parent)
        after = Subqueries(self._state, scope, self.emit)
        from_ = after.attach(from_, query.having, _late(query))
        return self._targets(query, scope, from_, after.condition(query.having))

    def _targets(self, query: Select, scope: Scope, from_: str, where: Sql | None) -> Relation:
        expressions = Expressions(self._state, scope, once=not from_)
        add_windows(self._state, scope, expressions, _late(query))
        outputs = [expressions.emit(t.expr) for t in query.targets]
        items = [f"{o.text} AS c{i}" for i, o in enumerate(outputs)]
        order, hidden = self._sort_items(query, expressions)
        distinct_on = [expressions.sortable(e) for e in query.distinct_on]
        items += [f"{text} AS {name}" for name, text in hidden]
        items += [f"{d.text} AS d{i}" for i, d in enumerate(distinct_on)]
        sql = f"SELECT {', '.join(items) or '1 AS none'}"
        if from_:
            sql += f" FROM {from_}"
        if where is not None:
            sql += f" WHERE {where.text}"
        physical = tuple([o.physical for o in outputs])
        kinds = [t.expr.type for t in query.targets]
        if query.distinct_on:
            sql = self._distinct_on(sql, len(outputs), len(distinct_on), order, hidden)
        elif query.distinct:
            sql, order = self._distinct(sql, kinds, physical, query, order)
            hidden = []
        limited = self._limits(query)
        if order or hidden or query.distinct_on:
            names = ", ".join([f"c{i}" for i in range(len(outputs))]) or "none"
            sql = f"SELECT {names} FROM ({sql}) AS {self._state.alias()}{_order(order)}"
        return Relation(sql + limited, physical)

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
        self,
        sql: str,
        kinds: Sequence[PgType],
        physical: Sequence[pa.DataType],
        query: Select,
        order: list[str],
    ) -> tuple[str, list[str]]:
        """DISTINCT: by keys where Arrow's equality is not SQL's, showing one of the equal rows."""
        alias = self._state.alias()
        expressions = Expressions(self._state, Scope())
        columns = [column(alias, f"c{i}", p) for i, p in enumerate(physical)]
        keys = [expressions.comparable_form(c, k) for c, k in zip(columns, kinds, strict=True)]
        targets = _places(query)
        # The binder has checked that ORDER BY names targets only.
        places = [targets[fingerprint(key.expr)] for key in query.order_by]
        del order
        if all(k == c for k, c in zip(keys, columns, strict=True)):
            names = ", ".join([f"c{i}" for i in range(len(columns))])
            terms = [f"c{p}{direction(k)}" for p, k in zip(places, query.order_by, strict=True)]
            return f"SELECT DISTINCT {names} FROM ({sql}) AS {alias}", terms
        items = [
            f"{c.text} AS c{i}" if k == c else f"first_value({c.text}) AS c{i}"
            for i, (c, k) in enumerate(zip(columns, keys, strict=True))
        ]
        items += [f"{keys[p].text} AS o{n}" for n, p in enumerate(places)]
        grouped = ", ".join([k.text for k in keys])
        terms = [f"o{n}{direction(k)}" for n, k in enumerate(query.order_by)]
        return f"SELECT {', '.join(items)} FROM ({sql}) AS {alias} GROUP BY {grouped}", terms

    def _distinct_on(
        self,
        sql: str,
        outputs: int,
        keys: int,
        order: list[str],
        hidden: list[tuple[str, str]],
    ) -> str:
        alias = self._state.alias()
        partition = ", ".join([f"d{i}" for i in range(keys)])
        names = [f"c{i}" for i in range(outputs)] + [name for name, _ in hidden]
        ranked = (
            f"SELECT *, row_number() OVER (PARTITION BY {partition}{_order(order)}) AS n"
            f" FROM ({sql}) AS {alias}"
        )
        return f"SELECT {', '.join(names)} FROM ({ranked}) AS {self._state.alias()} WHERE n = 1"

    def _limits(self, query: Query) -> str:
        limit, offset = limits(self._state, query)
        text = f" LIMIT {limit}" if limit is not None else ""
        return text + (f" OFFSET {offset}" if offset else "")

    # -------------------------------------------------------------- set operations

    def _set_operation(self, query: SetOp, parent: Scope | None) -> Relation:
        left, right = self.emit(query.left, parent), self.emit(query.right, parent)
        physical = tuple(
            [
                unified([Sql("l", a), Sql("r", b)], output.type)[1]
                for a, b, output in zip(left.physical, right.physical, query.columns, strict=True)
            ]
        )
        first, second = self._in_form(left, physical), self._in_form(right, physical)
        names = [f"c{i}" for i in range(len(physical))]
        kinds = [c.type for c in query.columns]
        if query.kind == "union":
            a, b = _nested(first, names, self._state, 0), _nested(second, names, self._state, 1)
            sql = f"{a} UNION ALL {b}"
            if not query.all:
                sql = self._deduplicated(sql, kinds, physical)
            else:
                sql = f"SELECT {', '.join(names) or 'side'} FROM ({sql}) AS {self._state.alias()}"
        else:
            sql = self._counted(query, first, second, kinds, physical)
        inner = Relation(sql, physical)
        return self._ordered(inner, query.relation, query.columns, query, parent)

    def _deduplicated(
        self, sql: str, kinds: Sequence[PgType], physical: Sequence[pa.DataType]
    ) -> str:
        alias = self._state.alias()
        items, keys = self._keyed(alias, kinds, physical)
        if not keys:
            return f"SELECT side FROM ({sql}) AS {alias} LIMIT 1"
        return f"SELECT {', '.join(items)} FROM ({sql}) AS {alias} GROUP BY {', '.join(keys)}"

    def _keyed(
        self, alias: str, kinds: Sequence[PgType], physical: Sequence[pa.DataType]
    ) -> tuple[list[str], list[str]]:
        """Select items that show each column of a group, and the keys to group by."""
        expressions = Expressions(self._state, Scope())
        items, keys = [], []
        for i, (kind, form) in enumerate(zip(kinds, physical, strict=True)):
            plain = column(alias, f"c{i}", form)
            key = expressions.comparable_form(plain, kind)
            shown = (
                plain.text if key == plain else f"first_value({plain.text} ORDER BY {alias}.side)"
            )
            items.append(f"{shown} AS c{i}")
            keys.append(key.text)
        return items, keys

    def _counted(
        self,
        query: SetOp,
        first: str,
        second: str,
        kinds: Sequence[PgType],
        physical: Sequence[pa.DataType],
    ) -> str:
        """INTERSECT and EXCEPT [ALL], by numbering equal rows of both sides."""
        names = [f"c{i}" for i in range(len(physical))]
        listed = ", ".join(names)
        alias = self._state.alias()
        _, keys = self._keyed(alias, kinds, physical)
        partition = ", ".join(keys)
        a, b = self._state.alias(), self._state.alias()
        union = (
            f"SELECT {listed}, 0 AS side FROM ({first}) AS {a} UNION ALL"
            f" SELECT {listed}, 1 AS side FROM ({second}) AS {b}"
        )
        numbered = (
            f"SELECT {listed}, side, row_number() OVER (PARTITION BY {partition}, side) AS n,"
            f" sum(side) OVER (PARTITION BY {partition}) AS others FROM ({union}) AS {alias}"
        )
        if query.kind == "intersect":
            test = "n <= others" if query.all else "n = 1 AND others > 0"
        else:
            test = "n > others" if query.all else "n = 1 AND others = 0"
        return (
            f"SELECT {listed} FROM ({numbered}) AS {self._state.alias()} WHERE side = 0 AND {test}"
        )

    def _ordered(
        self,
        inner: Relation,
        relation: int,
        columns: Sequence[OutputColumn],
        query: SetOp | ValuesQuery,
        parent: Scope | None,
    ) -> Relation:
        """ORDER BY and LIMIT over a finished relation."""
        limited = self._limits(query)
        if not query.order_by and not limited:
            return inner
        scope = Scope(parent)
        alias = f"r{relation}"
        for i, form in enumerate(inner.physical):
            sql = column(alias, f"c{i}", form)
            scope.add_column(relation, i, lambda sql=sql: sql)  # type: ignore[misc]
        expressions = Expressions(self._state, scope)
        terms = [expressions.sortable(k.expr).text + direction(k) for k in query.order_by]
        names = ", ".join([f"{alias}.c{i} AS c{i}" for i in range(len(columns))])
        return Relation(
            f"SELECT {names} FROM ({inner.sql}) AS {alias}{_order(terms)}{limited}", inner.physical
        )


def _nested(sql: str, names: Sequence[str], state: Rendering, side: int) -> str:
    """A branch of UNION, safe whatever ORDER BY, LIMIT or WITH it ends or begins with."""
    return f"SELECT {', '.join([*names, f'{side} AS side'])} FROM ({sql}) AS {state.alias()}"


def _late(query: Select) -> list[Expr]:
    """The expressions that are evaluated after grouping."""
    return [
        *[t.expr for t in query.targets],
        *query.distinct_on,
        *[k.expr for k in query.order_by],
    ]


def _places(query: Select) -> dict[Any, int]:
    """Where in the select list an expression first stands."""
    return {fingerprint(t.expr): i for i, t in reversed(list(enumerate(query.targets)))}


def _order(terms: Sequence[str]) -> str:
    return f" ORDER BY {', '.join(terms)}" if terms else ""


def direction(key: SortKey) -> str:
    """ASC or DESC and where NULLs go, spelled out."""
    return f" {'DESC' if key.descending else 'ASC'} NULLS {'FIRST' if key.nulls_first else 'LAST'}"
