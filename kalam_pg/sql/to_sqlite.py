"""The typed tree as sqlite SQL, for statements over catalogue relations only.

A relation r<n> of the tree is the alias r<n>, its columns are c0, c1 … A catalogue relation is a
table named "schema.name" that the caller has filled. What sqlite does as PostgreSQL does is said in
SQL; every other expression becomes one Python function of the columns in it, made by `to_python`.
"""

import operator as py
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry
from catalog.types.table import PgType
from kalam_pg.functions.table import EvalContext, Kind, Overload, Volatility
from kalam_pg.sql import tree
from kalam_pg.sql.sqlite_functions import (
    AggregateCall,
    Functions,
    Single,
    SqliteValue,
    aggregate_class,
    compute,
    json_rows,
    scalar,
    set_of,
    to_sqlite,
    zip_sets,
)
from kalam_pg.sql.to_python import compile_expr
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
    FromItem,
    InList,
    InSubquery,
    IsDistinct,
    IsNull,
    IsTruth,
    Join,
    NullIf,
    OutputColumn,
    Param,
    Query,
    RowExpr,
    ScalarSubquery,
    Select,
    SetOp,
    SortKey,
    ValuesQuery,
    Window,
)
from kalam_pg.sql.walk import children, map_children, walk
from storage.layout import Value

_COMPARISONS = {py.eq: "=", py.ne: "<>", py.lt: "<", py.le: "<=", py.gt: ">", py.ge: ">="}
_NATIVE_KINDS = frozenset(("bool", "int", "text", "bytes", "uuid"))
_WINDOWS = frozenset(
    "row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value".split()  # noqa: SIM905
)
_OPAQUE = (ColumnRef, ScalarSubquery, ArraySubquery, Exists, InSubquery, Aggregate, Window)
_ARGUMENTS_MAX = 100  # SQLITE_MAX_FUNCTION_ARG is 127.


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """A catalogue relation that the SQL reads.

    equal: values by column position; the query looks at no rows but those.
    """

    schema: str
    name: str
    columns: tuple[OutputColumn, ...]
    equal: Mapping[int, Value]


@dataclass(slots=True)
class Emitted:
    """sqlite SQL, its parameters, the tables it reads by their names, and the functions it calls."""

    sql: str
    parameters: dict[str, SqliteValue]
    relations: dict[str, CatalogTable]
    functions: Functions
    types: tuple[PgType, ...]


def emit(query: Query, context: EvalContext) -> Emitted:
    """Say `query` in sqlite's SQL.

    Raises:
        FeatureNotSupportedError: It reads a stored table, or uses what is not built here.
    """
    emitter = _Emitter(Functions(context))
    sql = emitter.query(query)
    return Emitted(
        sql,
        emitter.parameters,
        emitter.relations,
        emitter.functions,
        tuple(column.type for column in query.columns),
    )


def reads_only_catalogue(query: Query) -> bool:
    """Whether every relation that the query reads is virtual, and at least one is."""
    kinds = [type(node) for node in walk(query)]
    return tree.VirtualScan in kinds and tree.TableScan not in kinds


@dataclass(slots=True)
class _Emitter:
    functions: Functions
    parameters: dict[str, SqliteValue] = field(default_factory=dict)
    relations: dict[str, CatalogTable] = field(default_factory=dict)
    _equal: dict[int, dict[int, Value]] = field(default_factory=dict)
    # How columns of relations that are JSON rows are read, by relation number.
    _json: dict[int, tuple[str, ...]] = field(default_factory=dict)
    # Set-returning calls of the select list being written: node id -> SQL of its value.
    _sets: dict[int, str] = field(default_factory=dict)

    # ------------------------------------------------------------------ queries

    def query(self, query: Query) -> str:
        match query:
            case Select():
                return self._with(query) + self._select(query)
            case SetOp():
                return self._with(query) + self._set_operation(query)
            case ValuesQuery():
                body = self._values(query.rows, len(query.columns))
                return self._with(query) + self._ordered(body, query)
            case _:
                assert_never(query)

    def _with(self, query: Query) -> str:
        if not query.with_:
            return ""
        items = []
        for cte in query.with_:
            names = ", ".join(f"c{i}" for i in range(len(cte.columns)))
            body = self._recursive(cte.query) if cte.recursive else self.query(cte.query)
            hint = {True: "MATERIALIZED ", False: "NOT MATERIALIZED ", None: ""}[cte.materialized]
            items.append(f"q{cte.number}({names}) AS {hint}({body})")
        word = "RECURSIVE " if any(cte.recursive for cte in query.with_) else ""
        return f"WITH {word}{', '.join(items)} "

    def _recursive(self, query: Query) -> str:
        if not isinstance(query, SetOp) or query.order_by or query.limit or query.with_:
            raise FeatureNotSupportedError("this WITH RECURSIVE is not implemented for catalogues")
        union = "UNION ALL" if query.all else "UNION"
        return f"{self.query(query.left)} {union} {self.query(query.right)}"

    def _select(self, q: Select) -> str:
        if q.grouping_sets or q.distinct_on:
            what = "GROUPING SETS" if q.grouping_sets else "DISTINCT ON"
            raise FeatureNotSupportedError(f"{what} is not implemented for catalogue queries")
        self._note_equalities(q.where)
        sources = [self._source(item, first=i == 0) for i, item in enumerate(q.from_)]
        sources += self._select_list_sets(q)
        targets = ", ".join(
            f"{self.expr(t.expr)}{self._collated(t.expr) if q.distinct else ''} AS c{i}"
            for i, t in enumerate(q.targets)
        )
        parts = [f"SELECT {'DISTINCT ' if q.distinct else ''}{targets or 'NULL'}"]
        if sources:
            parts.append(f"FROM {', '.join(sources)}")
        if q.where is not None:
            parts.append(f"WHERE {self.expr(q.where)}")
        if q.group_by:
            keys = ", ".join(self.expr(e) + self._collated(e) for e in q.group_by)
            parts.append(f"GROUP BY {keys}")
        if q.having is not None:
            if not q.group_by:  # sqlite wants a GROUP BY before HAVING.
                parts.append("GROUP BY NULL")
            parts.append(f"HAVING {self.expr(q.having)}")
        return " ".join(parts) + self._tail(q)

    def _note_equalities(self, where: Expr | None) -> None:
        """Which rows WHERE asks for by `column = constant`: others need not be made."""
        for part in _conjuncts(where):
            match part:
                case Call(overload, (ColumnRef(relation, column, outer=0), other)) if (
                    _is_native(overload) and overload.name == "="
                ):
                    pass
                case _:
                    continue
            if isinstance(other, Const):
                self._equal.setdefault(relation, {})[column] = other.value
            elif isinstance(other, Param):
                value = self.functions.context.params[other.index]
                self._equal.setdefault(relation, {})[column] = value

    def _select_list_sets(self, q: Select) -> list[str]:
        """A set-returning function in the select list is a lateral FROM item."""
        found = [
            node
            for target in q.targets
            for node in _own_nodes(target.expr)
            if isinstance(node, Call) and node.overload.kind is Kind.SET
        ]
        if not found:
            return []
        if q.grouped:
            raise FeatureNotSupportedError(
                "set-returning functions are not implemented here in catalogue queries"
            )
        alias = f"s{len(self._sets)}"
        calls = [self._set_call(node, (node.type,)) for node in found]
        if len(found) == 1:
            self._sets[id(found[0])] = f"{alias}.value"
            return [f"json_each({calls[0]}) AS {alias}"]
        # Several go in step, the shorter ones filled up with NULL.
        name = self.functions.add(len(calls), zip_sets)
        for i, node in enumerate(found):
            self._sets[id(node)] = f"json_extract({alias}.value, '$[{i}]')"
        return [f"json_each({name}({', '.join(calls)})) AS {alias}"]

    def _set_operation(self, q: SetOp) -> str:
        word = {"union": "UNION", "intersect": "INTERSECT", "except": "EXCEPT"}[q.kind]
        if q.all and q.kind != "union":
            raise FeatureNotSupportedError(f"{word} ALL is not implemented for catalogue queries")
        word += " ALL" if q.all else ""
        collated = ", ".join(
            f"c{i}{self.functions.collation(c.type)} AS c{i}" for i, c in enumerate(q.columns)
        )
        body = (
            f"SELECT {collated} FROM ({self.query(q.left)}) "  # noqa: S608
            f"{word} SELECT * FROM ({self.query(q.right)})"
        )
        return self._ordered(body, q)

    def _ordered(self, body: str, q: SetOp | ValuesQuery) -> str:
        if not (q.order_by or q.limit or q.offset):
            return body
        return f"SELECT * FROM ({body}) AS r{q.relation}{self._tail(q)}"  # noqa: S608

    def _tail(self, q: Query) -> str:
        sql = ""
        if q.order_by:
            sql += f" ORDER BY {', '.join(self._sort(k) for k in q.order_by)}"
        if q.limit is not None:
            sql += f" LIMIT coalesce({self.expr(q.limit)}, -1)"
        elif q.offset is not None or q.order_by:
            # With a LIMIT sqlite keeps the order of a subquery for whoever reads it.
            sql += " LIMIT -1"
        if q.offset is not None:
            sql += f" OFFSET coalesce({self.expr(q.offset)}, 0)"
        return sql

    def _sort(self, key: SortKey) -> str:
        if key.expr.type is registry.INTERVAL:
            raise FeatureNotSupportedError("intervals cannot be sorted in a catalogue query")
        return (
            f"{self._sort_expr(key.expr)}{self._collated(key.expr)}"
            f" {'DESC' if key.descending else 'ASC'}"
            f" NULLS {'FIRST' if key.nulls_first else 'LAST'}"
        )

    def _sort_expr(self, expr: Expr) -> str:
        # A bare number would be taken for a column's place.
        return f"({self.expr(expr)} + 0)" if isinstance(expr, Const) else self.expr(expr)

    def _collated(self, expr: Expr) -> str:
        return self.functions.collation(expr.type)

    def _values(self, rows: tuple[tuple[Expr, ...], ...], width: int) -> str:
        if not rows:
            nulls = ", ".join(f"NULL AS c{i}" for i in range(width))
            return f"SELECT {nulls} WHERE 0"
        return " UNION ALL ".join(
            "SELECT " + ", ".join(f"{self.expr(e)} AS c{i}" for i, e in enumerate(row))
            for row in rows
        )

    # ------------------------------------------------------------------ FROM

    def _source(self, item: FromItem, *, first: bool) -> str:
        match item:
            case tree.VirtualScan(relation, schema, name, columns):
                equal = self._equal.get(relation, {})
                table = f"{schema}.{name}" + (f"#{relation}" if equal else "")
                self.relations[table] = CatalogTable(schema, name, columns, equal)
                return f"{_quote(table)} AS r{relation}"
            case tree.SubqueryScan(relation, query, columns, _, lateral):
                if lateral:
                    return self._lateral(relation, query, columns)
                return f"({self.query(query)}) AS r{relation}"
            case tree.CteScan(relation, cte):
                return f"q{cte} AS r{relation}"
            case tree.ValuesScan(relation, rows, columns):
                return f"({self._values(rows, len(columns))}) AS r{relation}"
            case tree.FunctionScan():
                return self._function_scan(item)
            case Join():
                sql = self._join(item)
                return sql if first else f"({sql})"
            case tree.TableScan():
                raise FeatureNotSupportedError(
                    "a query over catalogue relations and tables together is not implemented"
                )
            case _:
                assert_never(item)

    def _join(self, join: Join) -> str:
        left = self._source(join.left, first=True)
        right = self._source(join.right, first=False)
        word = {"inner": "JOIN", "cross": "CROSS JOIN"}.get(join.kind, f"{join.kind.upper()} JOIN")
        on = f" ON {self.expr(join.condition)}" if join.condition is not None else ""
        return f"{left} {word} {right}{on}"

    def _lateral(self, relation: int, query: Query, columns: tuple[OutputColumn, ...]) -> str:
        """SQLite has no LATERAL but for table functions: the rows travel as JSON."""
        fields = ", ".join(f"c{i}" for i in range(len(columns)))
        body = f"SELECT json_group_array(json_array({fields})) FROM ({self.query(query)})"  # noqa: S608
        self._json[relation] = tuple(
            f"json_extract(r{relation}.value, '$[{i}]')" for i in range(len(columns))
        )
        return f"json_each(({body})) AS r{relation}"

    def _function_scan(self, scan: tree.FunctionScan) -> str:
        width = len(scan.columns) - scan.ordinality
        types = tuple(c.type for c in scan.columns[:width])
        call = scan.call
        alias = f"r{scan.relation}"
        if isinstance(call, Call) and call.overload.kind is Kind.SET:
            rows = self._set_call(call, types)
        else:
            of = call.type
            name = self.functions.add(1, lambda value: json_rows([_plain(value, of)], types))
            rows = f"{name}({self.expr(call)})"
        fields = (
            [f"{alias}.value"]
            if width == 1
            else [f"json_extract({alias}.value, '$[{i}]')" for i in range(width)]
        )
        if scan.ordinality:
            fields.append(f"({alias}.key + 1)")
        self._json[scan.relation] = tuple(fields)
        return f"json_each({rows}) AS {alias}"

    def _set_call(self, call: Call, columns: tuple[PgType, ...]) -> str:
        leaves = _Leaves(self)
        arguments = [compile_expr(leaves.replace(a), _slot) for a in call.args]
        function = set_of(
            call.overload,
            arguments,
            [a.type for a in call.args],
            leaves.types,
            columns,
            self.functions.context,
        )
        return self._registered(leaves, function, deterministic=_is_stable(call))

    # ------------------------------------------------------------------ expressions

    def expr(self, e: Expr) -> str:  # noqa: C901 - one line per kind of node
        """An expression; its value is what `sqlite_functions.to_sqlite` would make of it."""
        match e:
            case Const(value, of):
                return self._literal(to_sqlite(value, of))
            case Param(index, of):
                return self._literal(to_sqlite(self.functions.context.params[index], of))
            case ColumnRef(relation, column):
                fields = self._json.get(relation)
                return fields[column] if fields else f"r{relation}.c{column}"
            case Call() if id(e) in self._sets:
                return self._sets[id(e)]
            case Call():
                return self._call(e)
            case BoolOp(BoolKind.NOT, (arg,)):
                return f"(NOT {self.expr(arg)})"
            case BoolOp(kind, args):
                return "(" + f" {kind.value} ".join(self.expr(a) for a in args) + ")"
            case IsNull(RowExpr(items), negated):
                word = "IS NOT NULL" if negated else "IS NULL"
                return "(" + " AND ".join(f"{self.expr(i)} {word}" for i in items) + ")"
            case IsNull(arg, negated):
                return f"({self.expr(arg)} IS {'NOT ' if negated else ''}NULL)"
            case IsTruth(arg, value, negated):
                wanted = "NULL" if value is None else str(int(value))
                return f"({self.expr(arg)} IS {'NOT ' if negated else ''}{wanted})"
            case IsDistinct(left, right, equals, negated) if _is_native(equals):
                word = "IS" if negated else "IS NOT"
                return f"({self.expr(left)} {word} {self.expr(right)})"
            case NullIf(left, right, equals) if _is_native(equals):
                return f"nullif({self.expr(left)}, {self.expr(right)})"
            case Case(whens, default):
                arms = " ".join(f"WHEN {self.expr(w)} THEN {self.expr(t)}" for w, t in whens)
                return f"(CASE {arms} ELSE {self.expr(default)} END)"
            case Coalesce(args):
                if len(args) == 1:
                    return self.expr(args[0])
                return f"coalesce({', '.join(self.expr(a) for a in args)})"
            case InList(arg, items, equals, negated) if _is_native(equals):
                listed = ", ".join(self.expr(i) for i in items)
                return f"({self.expr(arg)} {'NOT ' if negated else ''}IN ({listed}))"
            case ScalarSubquery(query):
                return self._scalar_subquery(query)
            case ArraySubquery(query):
                return self._array_subquery(e)
            case Exists(query):
                return f"EXISTS ({self.query(query)})"
            case InSubquery():
                return self._in_subquery(e)
            case Aggregate():
                return self._aggregate(e)
            case Window():
                return self._window(e)
            case _:
                return self._python(e)

    def _call(self, e: Call) -> str:
        if e.overload.kind is Kind.SET:
            raise FeatureNotSupportedError("set-returning functions are not allowed here")
        if e.overload.sqlite is not None:
            return e.overload.sqlite.format(*(self.expr(a) for a in e.args))
        if _is_native(e.overload):
            left, right = e.args
            symbol = _COMPARISONS[e.overload.row]  # type: ignore[index]
            return f"({self.expr(left)} {symbol} {self.expr(right)})"
        return self._python(e)

    def _python(self, e: Expr) -> str:
        """The expression as one Python function of the columns (and subqueries) in it."""
        leaves = _Leaves(self)
        closure = compile_expr(leaves.replace(e), _slot)
        function = scalar(closure, leaves.types, e.type, self.functions.context)
        return self._registered(leaves, function, deterministic=_is_stable(e))

    def _registered(self, leaves: "_Leaves", function: object, *, deterministic: bool) -> str:
        if len(leaves.sql) > _ARGUMENTS_MAX:
            raise FeatureNotSupportedError("this expression reads too many columns")
        assert callable(function)
        name = self.functions.add(len(leaves.sql), function, deterministic=deterministic)
        return f"{name}({', '.join(leaves.sql)})"

    def _literal(self, value: SqliteValue) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, int):
            return str(int(value))
        # By name: a piece of SQL may stand in the statement twice.
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def _scalar_subquery(self, query: Query) -> str:
        sql = self.query(query)
        if _is_single(query):
            return f"({sql})"
        name = self.functions.add_aggregate(1, self._single())
        return f"(SELECT {name}(c0) FROM ({sql}))"  # noqa: S608

    def _single(self) -> type[Single]:
        raised = self.functions.raised

        class Kept(Single):
            def step(self, value: SqliteValue) -> None:
                raised.keep(super().step)(value)

        return Kept

    def _array_subquery(self, e: ArraySubquery) -> str:
        element = e.query.columns[0].type
        call = AggregateCall(
            Overload("array", Kind.AGGREGATE, (element,), e.type, _array_of_rows),
            (element,),
            e.type,
            (),
            distinct=False,
            context=self.functions.context,
        )
        name = self.functions.add_aggregate(1, aggregate_class(call, self.functions.raised))
        # Python's aggregates are not asked when there are no rows.
        return f"(SELECT coalesce({name}(c0), '{{}}') FROM ({self.query(e.query)}))"  # noqa: S608

    def _in_subquery(self, e: InSubquery) -> str:
        query = self.query(e.query)
        symbols = {_COMPARISONS.get(o.row) if _is_native(o) else None for o in e.operators}  # type: ignore[arg-type]
        if symbols == {"="} and not e.all:
            return f"({self._row(e.args)} IN ({query}))"
        if symbols == {"<>"} and e.all:
            return f"({self._row(e.args)} NOT IN ({query}))"
        relation = -1 - len(self._json)
        self._json[relation] = tuple(f"c{i}" for i in range(len(e.args)))
        tests = []
        for i, (arg, operator) in enumerate(zip(e.args, e.operators, strict=True)):
            item = ColumnRef(relation, i, "", e.query.columns[i].type)
            tests.append(self.expr(Call(operator, (arg, item), registry.BOOL)))
        test = " AND ".join(tests)
        # ANY is true when one is, else NULL when one is NULL; ALL is the same with false.
        found, other = ("NOT", 0) if e.all else ("", 1)
        return (
            f"(CASE WHEN EXISTS (SELECT 1 FROM ({query}) WHERE {found} ({test})) THEN {other} "  # noqa: S608
            f"WHEN EXISTS (SELECT 1 FROM ({query}) WHERE ({test}) IS NULL) THEN NULL "
            f"ELSE {1 - other} END)"
        )

    def _row(self, args: tuple[Expr, ...]) -> str:
        items = ", ".join(self.expr(a) for a in args)
        return items if len(args) == 1 else f"({items})"

    def _aggregate(self, e: Aggregate) -> str:
        if e.within_group:
            raise FeatureNotSupportedError(f"{e.overload.name} is not implemented for catalogues")
        where = f" FILTER (WHERE {self.expr(e.filter)})" if e.filter is not None else ""
        if e.overload.name == "count" and not e.args:
            return f"count(*){where}"
        types = tuple(a.type for a in e.args)
        call = AggregateCall(
            e.overload, types, e.type, e.order_by, e.distinct, self.functions.context
        )
        args = [*(self.expr(a) for a in e.args), *(self.expr(k.expr) for k in e.order_by)]
        cls = aggregate_class(call, self.functions.raised)
        name = self.functions.add_aggregate(len(args), cls)
        sql = f"{name}({', '.join(args)}){where}"
        nothing = compute(call, [])
        return sql if nothing is None else f"coalesce({sql}, {self._literal(nothing)})"

    def _window(self, e: Window) -> str:
        if e.overload.name not in _WINDOWS or e.frame is not None or e.filter is not None:
            raise FeatureNotSupportedError(
                f"{e.overload.name} as a window function is not implemented for catalogue queries"
            )
        parts = []
        if e.partition_by:
            parts.append(f"PARTITION BY {', '.join(self.expr(p) for p in e.partition_by)}")
        if e.order_by:
            parts.append(f"ORDER BY {', '.join(self._sort(k) for k in e.order_by)}")
        args = ", ".join(self.expr(a) for a in e.args)
        return f"{e.overload.name}({args}) OVER ({' '.join(parts)})"


@dataclass(slots=True)
class _Leaves:
    """The parts of an expression that sqlite computes; the rest is done in Python over them."""

    emitter: _Emitter
    sql: list[str] = field(default_factory=list)
    types: list[PgType] = field(default_factory=list)

    def replace(self, node: Expr) -> Expr:
        """The expression with each such part as column -1.<n>."""
        is_set = isinstance(node, Call) and node.overload.kind is Kind.SET
        if not (isinstance(node, _OPAQUE) or is_set):
            found: Expr = map_children(node, self.replace)
            return found
        sql = self.emitter.expr(node)
        if sql not in self.sql:
            self.sql.append(sql)
            self.types.append(node.type)
        return ColumnRef(-1, self.sql.index(sql), "", node.type, node.typmod)


def _slot(column: ColumnRef) -> int:
    return column.column


def _array_of_rows(rows: list[tuple[object, ...]]) -> tuple[object, ...]:
    return tuple(row[0] for row in rows)


def _plain(value: object, of: PgType) -> object:
    from kalam_pg.sql.sqlite_functions import from_sqlite  # noqa: PLC0415

    return from_sqlite(value, of)


def _conjuncts(where: Expr | None) -> Iterator[Expr]:
    if isinstance(where, BoolOp) and where.kind is BoolKind.AND:
        for arg in where.args:
            yield from _conjuncts(arg)
    elif where is not None:
        yield where


def _is_native(overload: Overload) -> bool:
    """A comparison that sqlite makes as PostgreSQL does."""
    return overload.row in _COMPARISONS and all(
        a.key_kind in _NATIVE_KINDS and a.element is None for a in overload.args
    )


def _is_stable(e: Expr) -> bool:
    return not any(
        isinstance(node, Call) and node.overload.volatility is Volatility.VOLATILE
        for node in walk(e)
    )


def _is_single(query: Query) -> bool:
    """Whether a query gives at most one row by its form."""
    if isinstance(query.limit, Const) and query.limit.value in {0, 1}:
        return True
    if not isinstance(query, Select):
        return False
    sets = any(
        isinstance(node, Call) and node.overload.kind is Kind.SET
        for target in query.targets
        for node in _own_nodes(target.expr)
    )
    return not sets and (not query.from_ or (query.grouped and not query.group_by))


def _own_nodes(node: object) -> Iterator[object]:
    """The node and what is in it, but for subqueries."""
    yield node
    for child in children(node):
        if not isinstance(child, Select | SetOp | ValuesQuery):
            yield from _own_nodes(child)


def _quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
