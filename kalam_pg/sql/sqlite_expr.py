"""Expressions as sqlite SQL: what sqlite does as PostgreSQL does is said in SQL.

Every other expression becomes one Python function of the columns in it, made by `to_python`.
"""

from abc import abstractmethod
from dataclasses import dataclass, field

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry
from catalog.types.table import PgType
from kalam_pg.functions.dimensions import gathered
from kalam_pg.functions.table import Overload, OverloadKind
from kalam_pg.sql.simple_case import searched
from kalam_pg.sql.sqlite_functions import (
    AggregateCall,
    Functions,
    Single,
    SqliteValue,
    aggregate_class,
    compute,
    refuse_rows,
    scalar,
    to_sqlite,
)
from kalam_pg.sql.sqlite_nodes import COMPARISONS, is_native, is_single, is_stable
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
    InList,
    InSubquery,
    IsDistinct,
    IsNull,
    IsTruth,
    NullIf,
    Numbered,
    Param,
    Query,
    RowExpr,
    ScalarSubquery,
    SortKey,
    Window,
)
from kalam_pg.sql.user_aggregates import refuse_of_people
from kalam_pg.sql.walk import map_children

_WINDOWS = frozenset(
    "row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value".split()  # noqa: SIM905
)
_OPAQUE = (ColumnRef, ScalarSubquery, ArraySubquery, Exists, InSubquery, Aggregate, Window)
_ARGUMENTS_MAX = 100  # SQLITE_MAX_FUNCTION_ARG is 127.


@dataclass(slots=True)
class ExpressionEmitter:
    """Writes expressions. `parameters`: values that the SQL names.

    json: how columns of relations that are JSON rows are read, by relation number. sets: set-returning
    calls of the select list being written: node id -> SQL of its value.
    """

    functions: Functions
    parameters: dict[str, SqliteValue] = field(default_factory=dict)
    json: dict[int, tuple[str, ...]] = field(default_factory=dict)
    sets: dict[int, str] = field(default_factory=dict)

    @abstractmethod
    def query(self, query: Query) -> str:
        """A query."""

    def expr(self, e: Expr) -> str:  # noqa: C901 - one line per kind of node
        """An expression; its value is what `sqlite_functions.to_sqlite` would make of it."""
        match e:
            case Const(value, of):
                return self._literal(to_sqlite(value, of))
            case Param(index, of):
                return self._literal(to_sqlite(self.functions.context.params[index], of))
            case Numbered(indexes, of):
                params = self.functions.context.params
                return self._literal(to_sqlite(tuple([params[index] for index in indexes]), of))
            case ColumnRef(relation, column):
                fields = self.json.get(relation)
                return fields[column] if fields else f"r{relation}.c{column}"
            case Call() if id(e) in self.sets:
                return self.sets[id(e)]
            case Call():
                return self._call(e)
            case BoolOp(BoolKind.NOT, (arg,)):
                return f"(NOT {self.expr(arg)})"
            case BoolOp(kind, args):
                return "(" + f" {kind.value} ".join(self.expr(a) for a in args) + ")"
            case IsNull(RowExpr(), negated, whole=True):
                return str(int(negated))
            case IsNull(RowExpr(items), negated):
                word = "IS NOT NULL" if negated else "IS NULL"
                return "(" + " AND ".join(f"{self.expr(i)} {word}" for i in items) + ")"
            case IsNull(arg, negated):
                return f"({self.expr(arg)} IS {'NOT ' if negated else ''}NULL)"
            case IsTruth(arg, value, negated):
                wanted = "NULL" if value is None else str(int(value))
                return f"({self.expr(arg)} IS {'NOT ' if negated else ''}{wanted})"
            case IsDistinct(left, right, equals, negated) if is_native(equals):
                word = "IS" if negated else "IS NOT"
                return f"({self.expr(left)} {word} {self.expr(right)})"
            case NullIf(left, right, equals) if is_native(equals):
                return f"nullif({self.expr(left)}, {self.expr(right)})"
            case Case(operand=None, whens=whens, default=default):
                arms = " ".join(f"WHEN {self.expr(w)} THEN {self.expr(t)}" for w, t in whens)
                return f"(CASE {arms} ELSE {self.expr(default)} END)"
            case Case() as case:
                return self.expr(searched(case))
            case Coalesce(args):
                if len(args) == 1:
                    return self.expr(args[0])
                return f"coalesce({', '.join(self.expr(a) for a in args)})"
            case InList(arg, items, equals, negated) if is_native(equals):
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
        if e.overload.kind is OverloadKind.SET:
            raise FeatureNotSupportedError("set-returning functions are not allowed here")
        if e.overload.sqlite is not None:
            return e.overload.sqlite.format(*(self.expr(a) for a in e.args))
        if is_native(e.overload):
            left, right = e.args
            symbol = COMPARISONS[e.overload.row]  # type: ignore[index]
            return f"({self.expr(left)} {symbol} {self.expr(right)})"
        return self._python(e)

    def _python(self, e: Expr) -> str:
        """The expression as one Python function of the columns (and subqueries) in it."""
        refuse_rows(e.type)
        leaves = Leaves(self)
        closure = compile_expr(leaves.replace(e), slot)
        function = scalar(closure, leaves.types, e.type, self.functions.context)
        return self.registered(leaves, function, deterministic=is_stable(e))

    def registered(self, leaves: "Leaves", function: object, *, deterministic: bool) -> str:
        """The call of a Python function with these leaves as its arguments."""
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
        if is_single(query):
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
        made = _array_of_rows if element.element is None else _array_of_arrays
        call = AggregateCall(
            Overload("array", OverloadKind.AGGREGATE, (element,), e.type, made),
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
        symbols = {COMPARISONS.get(o.row) if is_native(o) else None for o in e.operators}  # type: ignore[arg-type]
        if symbols == {"="} and not e.all:
            return f"({self._row(e.args)} IN ({query}))"
        if symbols == {"<>"} and e.all:
            return f"({self._row(e.args)} NOT IN ({query}))"
        relation = -1 - len(self.json)
        self.json[relation] = tuple(f"c{i}" for i in range(len(e.args)))
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
        refuse_of_people(e.overload)
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
            parts.append(f"ORDER BY {', '.join(self.sort(k) for k in e.order_by)}")
        args = ", ".join(self.expr(a) for a in e.args)
        return f"{e.overload.name}({args}) OVER ({' '.join(parts)})"

    def sort(self, key: SortKey) -> str:
        """An ORDER BY item."""
        if key.expr.type is registry.INTERVAL:
            raise FeatureNotSupportedError("intervals cannot be sorted in a catalogue query")
        return (
            f"{self._sort_expr(key.expr)}{self.collated(key.expr)}"
            f" {'DESC' if key.descending else 'ASC'}"
            f" NULLS {'FIRST' if key.nulls_first else 'LAST'}"
        )

    def _sort_expr(self, expr: Expr) -> str:
        # A bare number would be taken for a column's place.
        return f"({self.expr(expr)} + 0)" if isinstance(expr, Const) else self.expr(expr)

    def collated(self, expr: Expr) -> str:
        """The collation that an expression needs to be equal and sorted as its type is; "" if none."""
        return self.functions.collation(expr.type)


@dataclass(slots=True)
class Leaves:
    """The parts of an expression that sqlite computes; the rest is done in Python over them."""

    emitter: ExpressionEmitter
    sql: list[str] = field(default_factory=list)
    types: list[PgType] = field(default_factory=list)

    def replace(self, node: Expr) -> Expr:
        """The expression with each such part as column -1.<n>."""
        is_set = isinstance(node, Call) and node.overload.kind is OverloadKind.SET
        if not (isinstance(node, _OPAQUE) or is_set):
            found: Expr = map_children(node, self.replace)
            return found
        sql = self.emitter.expr(node)
        if sql not in self.sql:
            self.sql.append(sql)
            self.types.append(node.type)
        return ColumnRef(-1, self.sql.index(sql), "", node.type, node.typmod)


def slot(column: ColumnRef) -> int:
    """Where a leaf lies among the arguments."""
    return column.column


def _array_of_rows(rows: list[tuple[object, ...]]) -> object:
    return tuple(row[0] for row in rows)


def _array_of_arrays(rows: list[tuple[object, ...]]) -> object:
    return gathered([row[0] for row in rows])
