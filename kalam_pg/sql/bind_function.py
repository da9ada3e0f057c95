"""Calls of functions that people made: the body is bound where the call stands.

What PostgreSQL inlines is inlined here, and so is everything else that is one query: an expression becomes an
expression, any other query a subquery whose first row is meant. So each engine runs what it runs of plain
queries. While the body is bound a relation of its own stands for the arguments; then they are put in its
place, or, where one is worth computing once, a FROM item is.
"""

from dataclasses import replace
from typing import cast

from sqlglot import exp

from catalog.errors import (
    FeatureNotSupportedError,
)
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions.table import OverloadKind, Volatility
from kalam_pg.sql.bind_call import (
    USER_CALL,
    USER_CALL_OF,
    check_set,
)
from kalam_pg.sql.bind_expr import CALL_OF_ROW, bind_expr, unsupported
from kalam_pg.sql.bind_from import BIND_QUERY
from kalam_pg.sql.bind_targets import output_name
from kalam_pg.sql.function_body import statements
from kalam_pg.sql.function_call import (
    Called,
    arguments_level,
    body_of,
    body_scope,
    called,
    enter,
    overload_call,
)
from kalam_pg.sql.function_choice import Given
from kalam_pg.sql.function_result import as_value, fitted, fitted_row, one_column, without_typmod
from kalam_pg.sql.function_runs import is_run, run_before
from kalam_pg.sql.overloads import resolve_function
from kalam_pg.sql.row_values import fields_of
from kalam_pg.sql.scope import Binding, Level
from kalam_pg.sql.tree import (
    ArraySubquery,
    BoolKind,
    BoolOp,
    Call,
    Case,
    ColumnRef,
    Const,
    Expr,
    IsNull,
    OutputColumn,
    Param,
    Query,
    ScalarSubquery,
    Select,
    SubqueryScan,
    TableScan,
    Target,
)
from kalam_pg.sql.walk import column_refs, raise_levels, substituted, walk

# ------------------------------------------------------------------ arguments in their places


def _is_cheap(expr: Expr) -> bool:
    """Whether it may as well be computed several times."""
    if isinstance(expr, Const | Param | ColumnRef):
        return True
    return (
        isinstance(expr, Call)
        and expr.overload.kind is OverloadKind.CAST
        and all(_is_cheap(arg) for arg in expr.args)
    )


def put_in_place(
    state: Binding, made: Query | Expr, level: Level, call: Called
) -> tuple[Query | Expr, SubqueryScan | None]:
    """A bound body with the values of a call for its arguments.

    Where one is worth computing once, with the FROM item that they are columns of, as seen by a query that
    stands where the body does.
    """
    given = level.arguments
    assert given is not None
    if call.function.volatility == "v":
        scans = [node for node in walk(made) if isinstance(node, TableScan)]
        state.read_anew.update({scan.table.id: (call.function.name, call.at) for scan in scans})
    uses = [0] * len(call.values)
    for _, ref in column_refs(made):
        if ref.relation == given.relation:
            uses[ref.column] += 1
    once = all(n < 2 or _is_cheap(e) for n, e in zip(uses, call.values, strict=True))
    unused = [e for n, e in zip(uses, call.values, strict=True) if not n and _is_volatile(e)]
    if once and not unused:
        return substituted(made, given.relation, call.values), None
    values = tuple([raise_levels(e, 2) for e in call.values])
    targets = tuple([Target(e, c.name) for e, c in zip(values, given.columns, strict=True)])
    query = Select(targets, given.columns)
    return made, SubqueryScan(given.relation, query, given.columns, call.function.name, True)


def _is_volatile(expr: Expr) -> bool:
    return any(
        isinstance(node, Call) and node.overload.volatility is Volatility.VOLATILE
        for node in walk(expr)
    )


def check_once(level: Level, call: Called) -> None:
    """Raise 0A000 where what is computed once for a statement would have to be for each row."""
    if _over_rows(level) and any(_is_volatile(e) for e in call.values):
        raise FeatureNotSupportedError(
            f"an argument of {call.function.name} that calls a volatile function is not supported over rows",
            position=call.at,
        )


def _over_rows(level: Level) -> bool:
    """Whether a call is computed for each of several rows, as far as is known."""
    return level.state.over_rows or any(
        around.items for _, around in level.levels() if around.arguments is None
    )


def not_null(level: Level, call: Called) -> Expr | None:
    """Of a STRICT function: whether no argument is NULL, where that is not sure; over the arguments."""
    given = level.arguments
    assert given is not None
    if not call.function.strict:
        return None
    tests: list[Expr] = [
        IsNull(given.ref(at, 0), True, types.BOOL, whole=True)
        for at, value in enumerate(call.values)
        if not (isinstance(value, Const) and value.value is not None)
    ]
    if len(tests) < 2:
        return tests[0] if tests else None
    return BoolOp(BoolKind.AND, tuple(tests), types.BOOL)


# ------------------------------------------------------------------ a call as a value


def _call(level: Level, node: exp.Anonymous) -> Expr | None:
    plain = not node.args.get("schema") and not node.args.get("variadic")
    if plain and all(type(item) is not exp.Kwarg for item in node.expressions):
        return None  # `_call_of` is asked.
    found = called(level, node)
    return None if found is None else value_of(level, found)


def _call_of(level: Level, name: str, operands: tuple[Expr, ...], at: int) -> Expr | None:
    scope = level.state.scope
    functions = scope.snapshot.functions_named("", name, scope.search_path)
    if not functions:
        return None
    given = Given(tuple([e.type for e in operands]))
    found = overload_call(level, list(functions), name, operands, given, at)
    return None if found is None else value_of(level, found)


def value_of(level: Level, call: Called) -> Expr:
    """What a call stands for as a value."""
    if is_run(call, level):
        return _run(level, call)
    enter(level, call)
    function, state = call.function, level.state
    nothing = any(isinstance(e, Const) and e.value is None for e in call.values)
    if function.strict and nothing and not function.returns_set:
        return Const(None, call.chosen.result, -1, call.at)
    if function.returns_set:
        check_set(level, call.at)
        return _set_of(level, call)
    over = state.over_rows
    state.over_rows = _over_rows(level)
    with body_scope(state, function):
        around = arguments_level(state, call)
        made = _value(around, call)
        state.over_rows = over
        known = not_null(around, call)
        if known is not None and not _is_strict(made, around, call):
            none = Const(None, made.type)
            made = Case(((known, made),), none, made.type, -1, call.at)
    put, source = put_in_place(state, made, around, call)
    assert not isinstance(put, Query)
    if source is None:
        return replace(put, position=call.at)
    check_once(level, call)
    state.nested = True
    targets = (Target(put, function.name),)
    columns = (OutputColumn(function.name, put.type, fields=fields_of(state, put)),)
    return ScalarSubquery(Select(targets, columns, (source,)), put.type, -1, call.at)


def _run(level: Level, call: Called) -> Expr:
    """The value of a call that is run before its statement."""
    if not call.function.returns_set:
        return run_before(level, call)
    check_set(level, call.at)
    return unnest(run_before(level, call), call.chosen.result, call.at)


def _is_strict(made: Expr, around: Level, call: Called) -> bool:
    """Whether the value is NULL anyway where an argument is NULL (PostgreSQL's inline_function)."""
    given = around.arguments
    assert given is not None
    found = _nulls(made, given.relation)
    sure = {at for at, e in enumerate(call.values) if isinstance(e, Const) and e.value is not None}
    return found | sure >= set(range(len(call.values)))


def _nulls(expr: Expr, relation: int) -> set[int]:
    """The arguments whose NULL makes an expression NULL."""
    if isinstance(expr, ColumnRef) and expr.relation == relation:
        return {expr.column}
    if (
        isinstance(expr, Call)
        and expr.overload.strict
        and expr.overload.volatility is not Volatility.VOLATILE
    ):
        return set().union(*[_nulls(arg, relation) for arg in expr.args])
    return set()


def _value(around: Level, call: Called) -> Expr:
    """The body as a value over the arguments of the level around it."""
    if not statements(call.function) and call.chosen.result is types.VOID:
        return Const(None, types.VOID)
    tree, state = body_of(call), around.state
    if _is_expression(tree):
        targets = [
            item.args["this"] if type(item) is exp.Alias else item for item in tree.expressions
        ]
        exprs = [bind_expr(around, target) for target in targets]
        if not (around.has_aggregates or around.has_windows or around.sets):
            names = [output_name(item) for item in tree.expressions]
            return without_typmod(fitted_row(state, call.chosen, exprs, names))
        around.sets.clear()
        around.has_aggregates = around.has_windows = False
    before = state.volatile
    state.volatile = False
    query = BIND_QUERY[0](around, tree)
    moves = state.volatile
    state.volatile = moves or before
    if moves and state.over_rows:
        raise FeatureNotSupportedError(
            f"function {call.function.name} is not supported over rows",
            detail="It reads rows and calls a volatile function.",
        )
    return as_value(state, call.chosen, query)


_PLAIN = frozenset(("expressions", "kind"))


def _is_expression(tree: exp.Expr) -> bool:
    """Whether a query is a list of values alone."""
    if type(tree) is not exp.Select or any(v and n not in _PLAIN for n, v in tree.args.items()):
        return False
    return bool(tree.expressions) and not any(
        type(item) is exp.Star or (type(item) in (exp.Column, exp.Dot) and _is_star(item))
        for item in tree.expressions
    )


def _is_star(item: exp.Expr) -> bool:
    part = item.args["this"] if type(item) is exp.Column else item.args["expression"]
    return type(part) is exp.Star


def _set_of(level: Level, call: Called) -> Expr:
    """A set in a select list: the elements of the array of it."""
    state, function = level.state, call.function
    with body_scope(state, function):
        around = arguments_level(state, call)
        query = fitted(state, call.chosen, BIND_QUERY[0](around, body_of(call)))
        query = one_column(state, call.chosen, query)
        known = not_null(around, call)
    kind = query.columns[0].type
    array = types.array_of(kind)
    if array is None or kind.element is not None or kind is types.RECORD:
        raise unsupported(f"a set of {kind.sql_name} in a select list", at=call.at)
    if known is not None:
        query = only_where(state, query, raise_levels(known, 1))
    put, source = put_in_place(state, query, around, call)
    assert isinstance(put, Query)
    if source is not None:
        check_once(level, call)
        put = behind(state, put, source)
    state.nested = True
    return unnest(ArraySubquery(put, array, -1, call.at), kind, call.at)


def unnest(array: Expr, kind: PgType, at: int) -> Expr:
    """The elements of an array, a row each."""
    found = resolve_function("unnest", (array.type,))
    assert found is not None
    return Call(found.overload, (array,), kind, -1, at)


def only_where(state: Binding, query: Query, condition: Expr) -> Query:
    """The rows of a query where a condition holds, that is about what is around it."""
    relation = state.relation(query.columns)
    refs = _refs(relation, query.columns)
    # The query stands one level further in.
    scan = SubqueryScan(relation, deeper(query), query.columns, "rows")
    return Select(refs, query.columns, (scan,), condition)


def behind(state: Binding, query: Query, source: SubqueryScan) -> Query:
    """A query with the FROM item that its arguments are columns of."""
    relation = state.relation(query.columns)
    refs = _refs(relation, query.columns)
    scan = SubqueryScan(relation, query, query.columns, "rows", lateral=True)
    return Select(refs, query.columns, (source, scan))


def deeper(query: Query) -> Query:
    """A query with what is around it one level further out."""
    return cast("Query", raise_levels(query, 1))  # type: ignore[arg-type]


def _refs(relation: int, columns: tuple[OutputColumn, ...]) -> tuple[Target, ...]:
    return tuple(
        [
            Target(ColumnRef(relation, at, c.name, c.type, c.typmod), c.name)
            for at, c in enumerate(columns)
        ]
    )


USER_CALL.append(_call)
USER_CALL_OF.append(_call_of)
CALL_OF_ROW.append(_call_of)
