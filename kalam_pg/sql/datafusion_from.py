# ruff: noqa: S608 - text comes from this package; user text is in quoted literals alone
"""FROM items as DataFusion SQL, and where their columns are found."""

from collections.abc import Callable, Iterable
from typing import assert_never

import pyarrow as pa

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry as types
from kalam_pg.functions.cost import ITEM_US, pay, pay_call, weight_of
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.constancy import is_constant, is_volatile
from kalam_pg.sql.datafusion_choice import unified
from kalam_pg.sql.datafusion_expr import Expressions
from kalam_pg.sql.datafusion_lateral import (
    binding_condition,
    lateral_function,
    lateral_query,
    make_domain,
    outer_columns,
    relations_of,
)
from kalam_pg.sql.datafusion_rows import SPELLED_ROWS_MAX, computed_rows
from kalam_pg.sql.datafusion_state import (
    ORDER,
    Order,
    Relation,
    Rendering,
    Scope,
    column,
    derived,
    derived_column,
)
from kalam_pg.sql.physical import Sql, arrow_cast, canonical
from kalam_pg.sql.to_python import evaluate
from kalam_pg.sql.tree import (
    ArraySubquery,
    Call,
    ColumnRef,
    CteScan,
    Exists,
    Expr,
    FromItem,
    FunctionScan,
    InSubquery,
    Join,
    OutputColumn,
    Query,
    RowsFrom,
    ScalarSubquery,
    Select,
    SubqueryScan,
    TableScan,
    ValuesScan,
    VirtualScan,
    Window,
)
from kalam_pg.sql.walk import conjuncts, walk
from storage.errors import KeyTooLongError
from storage.layout import Value

EmitQuery = Callable[..., Relation]

# Most rows of a set that is computed here, in the memory of all.
_INLINE_ROWS = 100_000
_SUBQUERIES = (ScalarSubquery, ArraySubquery, Exists, InSubquery)
_HIDDEN = ("_seq", "_deleted")
_JOINS = {"inner": "INNER JOIN", "left": "LEFT JOIN", "right": "RIGHT JOIN", "full": "FULL JOIN"}


class FromClause:
    """The FROM clause of one query; fills the scope as it goes."""

    def __init__(
        self, state: Rendering, scope: Scope, emit_query: EmitQuery, query: Select
    ) -> None:
        self._state = state
        self._scope = scope
        self._emit_query = emit_query
        self._query = query

    def emit(self, items: Iterable[FromItem], before: str = "") -> str:
        """The items, cross joined in order, after what already stands in the clause."""
        text = before
        for item in items:
            dependent = self._dependent(item)
            if dependent:
                right, on = self._lateral(item, text, dependent)
                text = f"({text} INNER JOIN {right} ON {on})"
            else:
                right = self._item(item, text)
                text = f"{text} CROSS JOIN {right}" if text else right
        return text

    def _item(self, item: FromItem, before: str) -> str:
        match item:
            case TableScan():
                return self._table(item)
            case SubqueryScan():
                return self._subquery(item)
            case CteScan(relation, cte):
                common = self._state.ctes.get(cte)
                if common is None:
                    raise FeatureNotSupportedError("this use of WITH is not supported")
                return self._derived(relation, common)
            case ValuesScan(relation, rows, columns):
                emitted = values(self._state, self._scope, rows, columns)
                return self._derived(relation, emitted)
            case FunctionScan():
                return self._function(item)
            case RowsFrom():
                raise FeatureNotSupportedError("functions side by side are not supported here")
            case Join():
                return self._join(item, before)
            case VirtualScan(_, schema, name):
                raise FeatureNotSupportedError(
                    f"reading {schema}.{name} together with stored tables is not supported"
                )
            case _:
                assert_never(item)

    def _subquery(self, item: SubqueryScan) -> str:
        """A derived table; computed once where computing it again could be noticed."""
        order = Order.COLUMN if self._is_alone(item.relation) else Order.ANY
        emitted = self._emit_query(item.query, self._scope.parent, order=order)
        if is_volatile(item.query) or (_picks(item.query) and _rereads(self._query)):
            if outer_columns(item.query, relations_of(item.query)):
                raise FeatureNotSupportedError("this form of correlated subquery is not supported")
            emitted = self._state.step(emitted)
        return self._derived(item.relation, emitted)

    def _is_alone(self, relation: int) -> bool:
        """Whether the query reads nothing else, so that its rows are in that relation's order."""
        (first, *others) = self._query.from_
        return not others and getattr(first, "relation", -1) == relation

    # -------------------------------------------------------------- items that depend on others

    def _dependent(self, item: FromItem) -> list[ColumnRef]:
        """The columns of earlier items (or of a domain) that a lateral item reads."""
        if isinstance(item, SubqueryScan):
            refs = outer_columns(item.query, relations_of(item.query)) if item.lateral else []
        elif isinstance(item, FunctionScan):
            refs = outer_columns(item.call, relations_of(item.call))
        else:
            return []
        return refs if any(self._scope.knows(ref) for ref in refs) else []

    def _lateral(self, item: FromItem, base: str, refs: list[ColumnRef]) -> tuple[str, str]:
        """The item's rows per binding as a FROM item, and the condition that joins them."""
        domain = make_domain(self._state, self._scope, self._kept(base), refs)
        if isinstance(item, SubqueryScan):
            bound = lateral_query(self._state, self._emit_query, item.query, refs, domain)
        else:
            assert isinstance(item, FunctionScan)
            bound = lateral_function(self._state, item, domain)
        alias = f"r{item.relation}"
        on = binding_condition(self._scope, refs, alias)
        self._bind(item.relation, bound.physical)
        return derived(bound.sql, alias, bound.names()), on

    def _kept(self, base: str) -> str:
        """The rows of a FROM clause that WHERE keeps, as far as it can be told from them alone.

        What depends on the others is not computed (and does not raise) of any other row.
        """
        expressions = Expressions(self._state, self._scope)
        tests = []
        for term in conjuncts(self._query.where):
            parts = list(walk(term))
            refs = [part for part in parts if isinstance(part, ColumnRef)]
            plain = not any(isinstance(part, _SUBQUERIES) for part in parts)
            if refs and plain and not is_volatile(term) and all(map(self._scope.knows, refs)):
                tests.append(expressions.test(term))
        return f"{base} WHERE {expressions.conjunction(tests).text}" if tests else base

    def _bind(self, relation: int, physical: tuple[pa.DataType, ...]) -> None:
        """Columns c0, c1 … of a relation."""
        alias = f"r{relation}"
        for index, kind in enumerate(physical):
            sql = derived_column(alias, f"c{index}", kind)
            self._scope.add_column(relation, index, lambda sql=sql: sql)  # type: ignore[misc]

    def _derived(self, relation: int, emitted: Relation) -> str:
        alias = f"r{relation}"
        self._bind(relation, emitted.physical)
        if emitted.order is not None and self._is_alone(relation):
            self._scope.order = (derived_column(alias, ORDER, emitted.order),)
        return derived(emitted.sql, alias, emitted.names())

    def _table(self, scan: TableScan) -> str:
        name, read = self._state.scan(scan)
        alias = f"r{scan.relation}"
        arrow = {f"c{c.id}": c.arrow for c in scan.table.layout.columns}
        hidden = {"_seq": pa.int64(), "_deleted": pa.bool_()}
        own = scan.table.layout.columns
        for index in range(len(scan.columns)):
            # `_seq` and `_deleted` follow the table's own columns.
            stored = f"c{own[index].id}" if index < len(own) else _HIDDEN[index - len(own)]
            physical = arrow.get(stored) or hidden[stored]

            def sql(stored: str = stored, physical: pa.DataType = physical) -> Sql:
                read[stored] = None
                return column(alias, f"{name}_{stored}", physical)

            self._scope.add_column(scan.relation, index, sql)
        return f"{name} AS {alias}"

    def _join(self, join: Join, before: str) -> str:
        left = self._item(join.left, before)
        base = f"{before} CROSS JOIN {left}" if before else left
        dependent = self._dependent(join.right)
        on = ""
        if dependent:
            if join.kind in {"right", "full"}:
                raise FeatureNotSupportedError(
                    "the combining JOIN type must be INNER or LEFT for a LATERAL reference"
                )
            right, on = self._lateral(join.right, base, dependent)
        else:
            right = self._item(join.right, base)
        if join.kind == "cross" and not on:
            return f"({left} CROSS JOIN {right})"
        terms = [on] if on else []
        if join.condition is not None:
            terms.append(Expressions(self._state, self._scope).emit(join.condition).text)
        word = _JOINS["inner" if join.kind == "cross" else join.kind]
        return f"({left} {word} {right} ON {' AND '.join(terms) or 'true'})"

    # -------------------------------------------------------------- sets

    def _function(self, scan: FunctionScan) -> str:
        series = _integer_series(self._state, scan)
        if series is not None:
            return self._derived(scan.relation, series)
        if not is_constant_set(scan.call):
            raise FeatureNotSupportedError(
                "a function in FROM that depends on other tables is not supported here"
            )
        rows = set_rows(self._state, scan)
        physical = tuple([canonical(c.type) for c in scan.columns])
        emitted = computed_rows(self._state, rows, scan.columns, physical)
        return self._derived(scan.relation, emitted)


def _picks(query: Query) -> bool:
    """Whether which rows it has may depend on their order, which nothing tells."""
    return any(
        getattr(node, "limit", None) is not None
        or getattr(node, "offset", None) is not None
        or getattr(node, "distinct_on", ())
        or isinstance(node, Window)
        for node in walk(query)
    )


def _rereads(query: Select) -> bool:
    """Whether something in it is computed for each distinct row of its FROM clause."""
    return any(
        isinstance(node, _SUBQUERIES) or getattr(node, "lateral", False) for node in walk(query)
    )


def values(
    state: Rendering,
    scope: Scope,
    rows: tuple[tuple[Expr, ...], ...],
    columns: tuple[OutputColumn, ...],
) -> Relation:
    """VALUES as a relation."""
    if len(rows) > SPELLED_ROWS_MAX and all(is_constant(item) for row in rows for item in row):
        computed = [tuple([evaluate(item, state.context) for item in row]) for row in rows]
        return computed_rows(state, computed, columns, tuple([canonical(c.type) for c in columns]))
    expressions = Expressions(state, scope)
    emitted = [[expressions.emit(item) for item in row] for row in rows]
    physical = []
    for index, output in enumerate(columns):
        same, kind = unified([row[index] for row in emitted], output.type)
        physical.append(kind)
        for row, item in zip(emitted, same, strict=True):
            row[index] = item
    names = ", ".join([f"c{i}" for i in range(len(columns))])
    text = ", ".join(["(" + ", ".join([item.text for item in row]) + ")" for row in emitted])
    return Relation(f"SELECT {names} FROM (VALUES {text}) AS v({names})", tuple(physical))


def is_constant_set(call: Expr) -> bool:
    """Whether a function in FROM depends on nothing but literals, parameters and the session."""
    if isinstance(call, Call):
        return all(is_constant(a) for a in call.args)
    return is_constant(call)


def set_rows(state: Rendering, scan: FunctionScan) -> list[tuple[Value, ...]]:
    """The rows of a function in FROM."""
    call = scan.call
    rows: list[tuple[Value, ...]]
    if isinstance(call, Call) and call.overload.kind is OverloadKind.SET:
        arguments = [evaluate(a, state.context) for a in call.args]
        rows = set_values(call, arguments, state)
    else:
        rows = [(evaluate(call, state.context),)]
    if scan.ordinality:
        rows = [(*row, number) for number, row in enumerate(rows, 1)]
    return rows


def set_values(call: Call, arguments: list[Value], state: Rendering) -> list[tuple[Value, ...]]:
    """Call a set-returning function."""
    overload = call.overload
    if overload.strict and None in arguments:
        return []
    function = overload.row
    assert function is not None
    before: list[object] = [state.context] if overload.needs_context else []
    if overload.needs_types:
        before.append(tuple([a.type for a in call.args]))
    weight = weight_of(overload)
    if weight is not None:
        pay_call(state.context, weight, arguments)
    rows: list[tuple[Value, ...]] = []
    for item in function(*before, *arguments):
        pay(state.context, ITEM_US)
        rows.append(item if len(overload.out_names) > 1 else (item,))
        if len(rows) > _INLINE_ROWS:
            raise KeyTooLongError(f"a function in FROM may return at most {_INLINE_ROWS} rows here")
    return rows


def _integer_series(state: Rendering, scan: FunctionScan) -> Relation | None:
    """generate_series of integers, which DataFusion has too."""
    call = scan.call
    if (
        not isinstance(call, Call)
        or call.overload.name != "generate_series"
        or call.type not in {types.INT4, types.INT8}
        or scan.ordinality
        or not is_constant_set(call)
    ):
        return None
    arguments = [evaluate(a, state.context) for a in call.args]
    if None in arguments:
        return None
    start, stop, *rest = arguments
    step = rest[0] if rest else 1
    assert isinstance(start, int)
    assert isinstance(stop, int)
    assert isinstance(step, int)
    if step == 0 or (stop - start) // step < 0:
        return None  # computed here: an error or no rows
    if (stop - start) // step > 100_000_000:
        raise KeyTooLongError("generate_series would return more than 100000000 rows")
    physical = canonical(call.type)
    return Relation(
        f"SELECT {arrow_cast('value', physical)} AS c0"
        f" FROM generate_series({start}, {stop}, {step})",
        (physical,),
    )
