"""Binding of scalar expressions. Each node class has a handler; an unknown class is refused (0A000).

Calls, aggregates and windows are in `bind_call`, comparisons and predicates in `bind_predicate`,
subqueries in `bind_subquery`: they register their handlers here with `handles`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlglot import exp

from catalog.errors import (
    AmbiguousFunctionError,
    FeatureNotSupportedError,
    SqlSyntaxError,
    UndefinedColumnError,
    UndefinedFunctionError,
    UndefinedParameterError,
)
from catalog.types import registry as types
from catalog.types.table import DEFAULT_CONTEXT, PgType
from kalam_pg.functions.table import Volatility
from kalam_pg.sql.coerce import argument, note_call, to_boolean
from kalam_pg.sql.overloads import Ambiguous, resolve_operator
from kalam_pg.sql.positions import position
from kalam_pg.sql.row_values import field, fields_of, is_written_row, row_of
from kalam_pg.sql.scope import (
    Level,
    find_item,
    resolve_column,
    resolve_item,
    resolve_qualified,
    undefined_column,
)
from kalam_pg.sql.tree import (
    BoolKind,
    BoolOp,
    Call,
    Const,
    Expr,
    Param,
    RowExpr,
)
from kalam_pg.sql.walk import raise_levels

PARAMETERS_MAX = 65535  # an int16 on the wire
_INT4 = range(-(2**31), 2**31)
_INT8 = range(-(2**63), 2**63)

# Expressions that are kept with a table, or stand alone: how two kinds of error messages name them.
STORED = {
    "DEFAULT expressions": "DEFAULT expression",
    "check constraints": "check constraint",
    "column generation expressions": "column generation expression",
    "index expressions": "index expression",
    "index predicates": "index predicate",
    "EXECUTE parameters": "EXECUTE parameter",
    "COPY FROM WHERE conditions": "COPY FROM WHERE condition",
}

Handler = Callable[[Level, Any], Expr]
HANDLERS: dict[type[exp.Expr], Handler] = {}
H = TypeVar("H", bound=Handler)


def handles(*kinds: type[exp.Expr]) -> Callable[[H], H]:
    """Make a function the handler of these node classes."""

    def register(handler: H) -> H:
        for kind in kinds:
            HANDLERS[kind] = handler
        return handler

    return register


def bind_expr(level: Level, node: exp.Expr) -> Expr:
    """The typed expression of a node, as seen from `level`.

    Its type is UNKNOWN for a literal, NULL or parameter that nothing has given a type yet.
    """
    level.state.spend(1)
    handler = HANDLERS.get(type(node))
    if handler is None:
        if type(node) is exp.Star:
            raise SqlSyntaxError('syntax error at or near "*"', position=position(node))
        raise unsupported(type(node).__name__.upper(), node)
    bound = handler(level, node)
    trace = level.state.trace
    if trace is not None:
        trace.note(node, bound)
    return bound


def bind_condition(level: Level, node: exp.Expr, construct: str) -> Expr:
    """A boolean expression; construct is as in `argument of WHERE must be type boolean`."""
    before, level.clause = level.clause, construct
    result = to_boolean(level.state, bind_expr(level, node), construct)
    level.clause = before
    return result


def unsupported(
    what: str, node: exp.Expr | None = None, *, at: int = 0
) -> FeatureNotSupportedError:
    """0A000 for something PostgreSQL has and this binder has not; at the node, or at a position."""
    return FeatureNotSupportedError(f"{what} is not supported", position=at or position(node))


def consumed(node: exp.Expr, *known: str) -> None:
    """Refuse a node with an argument that its handler does not read: nothing is ever ignored."""
    for name, value in node.args.items():
        if value and name not in known:
            raise unsupported(f"{name.strip('_').upper()} of {type(node).__name__.upper()}", node)


# ------------------------------------------------------------------------------------- leaves


@handles(exp.Literal)
def _literal(_level: Level, node: exp.Literal) -> Expr:
    text = node.args["this"]
    if node.args["is_string"]:
        return Const(text, types.UNKNOWN, -1, position(node))
    return number(text, position(node))


def number(text: str, at: int) -> Const:
    """A numeric literal: the smallest of integer and bigint that holds it, else numeric."""
    if text.isdigit():
        value = int(text)
        if value in _INT4:
            return Const(value, types.INT4, -1, at)
        if value in _INT8:
            return Const(value, types.INT8, -1, at)
    return Const(types.NUMERIC.input(text, -1, DEFAULT_CONTEXT), types.NUMERIC, -1, at)


@handles(exp.Null)
def _null(_level: Level, node: exp.Null) -> Expr:
    return Const(None, types.UNKNOWN, -1, position(node))


@handles(exp.Boolean)
def _boolean(_level: Level, node: exp.Boolean) -> Expr:
    return Const(bool(node.args["this"]), types.BOOL, -1, position(node))


@handles(exp.Parameter)
def _parameter(level: Level, node: exp.Parameter) -> Expr:
    state, at = level.state, position(node)
    index = int(node.args["this"]) - 1
    if not 0 <= index < PARAMETERS_MAX:
        raise UndefinedParameterError(f"there is no parameter ${index + 1}", position=at)
    if state.scope.function and index >= len(state.scope.param_types):
        raise UndefinedParameterError(f"there is no parameter ${index + 1}", position=at)
    if state.inside:
        return argument_of_function(level, index, at)
    params = state.params
    if index >= len(params):
        params.extend([None] * (index + 1 - len(params)))
    known = params[index]
    if known is None:
        state.pending.setdefault(index, []).append(at)
        return Param(index, types.UNKNOWN, -1, at)
    return Param(index, known, -1, at)


def argument_of_function(level: Level, index: int, at: int) -> Expr:
    """$n in the body of a function: an argument of the call. Raises 42P02."""
    for up, around in level.levels():
        given = around.arguments
        if given is not None and index < len(given.columns):
            found = given.ref(index, at)
            return raise_levels(found, up) if up else found
    raise UndefinedParameterError(f"there is no parameter ${index + 1}", position=at)


@handles(exp.Column)
def _column(level: Level, node: exp.Column) -> Expr:
    args = node.args
    at = position(node)
    if type(args["this"]) is exp.Star:
        return _row_of_star(level, node)
    name: str = args["this"].args["this"]
    table = args.get("table")
    if table is None:
        found = resolve_column(level, name, at)
        if found is not None:
            return found
        row = named_parameter(level, "", name, at) or whole_row(level, (name,), at)
        if row is None and level.clause == "DEFAULT expressions":
            raise FeatureNotSupportedError(
                "cannot use column reference in DEFAULT expression", position=at
            )
        if row is None:
            raise undefined_column(level, name, at)
        return row
    path = [table.args["this"]]
    if (schema := args.get("db")) is not None:
        path.insert(0, schema.args["this"])
    if len(path) == 1 and (found := named_parameter(level, path[0], name, at)) is not None:
        return found
    try:
        return resolve_qualified(level, path, name, at)
    except UndefinedColumnError:
        called = _called_of_row(level, path, name, at)
        if called is None:
            raise
        return called


def _called_of_row(level: Level, path: list[str], name: str, at: int) -> Expr | None:
    """`t.f`, where `f(t)` is a call of a function that somebody made."""
    row = whole_row(level, tuple(path), at)
    return None if row is None else CALL_OF_ROW[0](level, name, (row,), at)


# Filled by `bind_function`: a call by its name and arguments, None where there is no such function.
CALL_OF_ROW: list[Callable[[Level, str, tuple[Expr, ...], int], Expr | None]] = []


def named_parameter(level: Level, function: str, name: str, at: int) -> Expr | None:
    """A parameter of the function that a statement stands in, by its name; None where it is none."""
    scope = level.state.scope
    if not scope.function or (function and find_item(level, (function,), at) is not None):
        return None
    if function in scope.param_names and function != scope.function:
        row = _parameter_of(level, function, at)
        for place, column in enumerate(fields_of(level.state, row)):
            if column.name == name:
                return field(row, place, column, at)
        return None
    if name not in scope.param_names or function not in ("", scope.function):
        return None
    return _parameter_of(level, name, at)


def _parameter_of(level: Level, name: str, at: int) -> Expr:
    index = level.state.scope.param_names.index(name)
    kind = level.state.params[index]
    assert kind is not None  # Those of a function are declared.
    return Param(index, kind, -1, at)


def whole_row(level: Level, path: tuple[str, ...], at: int) -> Expr | None:
    """A relation's name used as a value."""
    found = find_item(level, path, at)
    if found is None:
        return None
    up, item = found
    return row_of(item, up, at)


def _row_of_star(level: Level, node: exp.Column) -> Expr:
    """`t.*` where one value stands: the row."""
    args, at = node.args, position(node)
    path = [args["table"].args["this"]]
    if args.get("db") is not None:
        path.insert(0, args["db"].args["this"])
    up, item = resolve_item(level, path, at)
    return row_of(item, up, at)


# --------------------------------------------------------------------------------- operators


@handles(
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Pow, exp.DPipe,
    exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Operator,
)  # fmt: skip
def _operator(level: Level, node: exp.Expr) -> Expr:
    args, meta = node.args, node.meta
    symbol: str = meta["operator"]
    if meta.get("operator_schema", "pg_catalog") != "pg_catalog":
        raise UndefinedFunctionError(
            f"operator does not exist: {meta['operator_schema']}.{symbol}", position=position(node)
        )
    right_node = args["expression"]
    if args.get("this") is None:
        return apply_operator(level, symbol, (bind_expr(level, right_node),), position(node))
    special = SPECIAL_OPERANDS.get(type(right_node))
    if special is not None:
        return special(level, node, symbol)
    left = bind_expr(level, args["this"])
    if is_written_row(left) and type(right_node) is exp.Subquery:
        assert type(left) is RowExpr
        right: Expr = ROW_SUBQUERY[0](level, right_node, len(left.items))
    else:
        right = bind_expr(level, right_node)
    if is_written_row(left) and is_written_row(right):
        assert type(left) is type(right) is RowExpr
        return COMPARE_ROWS[0](level, symbol, left, right, position(node))
    return apply_operator(level, symbol, (left, right), position(node))


# Filled by `bind_predicate`: ANY and ALL as right operands, and comparison of rows; by `bind_subquery`:
# `left op ANY|ALL (query)` from level, left, query, symbol, whether ALL, position; and the one row of a
# query that a row is compared with.
QUANTIFIED: list[Callable[[Level, exp.Expr, exp.Expr, str, bool, int], Expr]] = []
SPECIAL_OPERANDS: dict[type[exp.Expr], Callable[[Level, exp.Expr, str], Expr]] = {}
ROW_SUBQUERY: list[Callable[[Level, exp.Subquery, int], Expr]] = []
COMPARE_ROWS: list[Callable[[Level, str, RowExpr, RowExpr, int], Expr]] = []


@handles(exp.Neg)
def _negative(level: Level, node: exp.Neg) -> Expr:
    inner = node.args["this"]
    if (twice := _negated_twice(inner)) is not None:
        return twice
    if type(inner) is exp.Literal and not inner.args["is_string"]:
        constant = number(inner.args["this"], position(node))
        value = constant.value
        if isinstance(value, int):
            if constant.type is types.INT8 and -value in _INT4:
                return Const(-value, types.INT4, -1, constant.position)
            return Const(-value, constant.type, -1, constant.position)
        if inner.args["this"] == "9223372036854775808":
            return Const(-(2**63), types.INT8, -1, constant.position)
    return apply_operator(level, "-", (bind_expr(level, inner),), position(node))


def _negated_twice(inner: exp.Expr) -> Const | None:
    """The constant of `- - 5`: its sign belongs to the number as it is written (gram.y's doNegate)."""
    if type(inner) is not exp.Neg:
        return None
    operand = inner.args["this"]
    if type(operand) is exp.Neg:
        return None
    if type(operand) is exp.Literal and not operand.args["is_string"]:
        return number(operand.args["this"], position(operand))
    return None


def apply_operator(level: Level, symbol: str, operands: tuple[Expr, ...], at: int) -> Expr:
    """The call of the operator that these operands select; 42883 or 42725 when none is."""
    state = level.state
    kinds = tuple(e.type for e in operands)
    try:
        found = resolve_operator(symbol, kinds)
    except Ambiguous:
        raise AmbiguousFunctionError(
            f"operator is not unique: {_described(symbol, kinds)}",
            hint="Could not choose a best candidate operator. You might need to add explicit "
            "type casts.",
            position=at,
        ) from None
    if found is None:
        raise no_operator(symbol, kinds, at)
    overload = found.overload
    if overload.volatility is Volatility.VOLATILE:
        state.volatile = True
    cast = tuple(argument(state, e, d) for e, d in zip(operands, found.args, strict=True))
    return note_call(state, Call(overload, cast, found.result, -1, at))


def no_operator(symbol: str, kinds: tuple[PgType, ...], at: int) -> UndefinedFunctionError:
    """42883 in PostgreSQL's words, for one or two operands."""
    one = len(kinds) == 1
    return UndefinedFunctionError(
        f"operator does not exist: {_described(symbol, kinds)}",
        hint="No operator matches the given name and argument "
        + ("type. You might need to add an explicit type cast." if one else _HINT_TYPES),
        position=at,
    )


_HINT_TYPES = "types. You might need to add explicit type casts."


def _described(symbol: str, kinds: tuple[PgType, ...]) -> str:
    names = [k.sql_name for k in kinds]
    return f"{symbol} {names[0]}" if len(names) == 1 else f"{names[0]} {symbol} {names[1]}"


@handles(exp.And, exp.Or)
def _and_or(level: Level, node: exp.Expr) -> Expr:
    kind = type(node)
    word = "AND" if kind is exp.And else "OR"
    # Nested to the left: gathered in a loop, for a chain may be thousands of terms long.
    terms: list[exp.Expr] = []
    while type(node) is kind:
        terms.append(node.args["expression"])
        node = node.args["this"]
    terms.append(node)
    state = level.state
    bound = tuple(to_boolean(state, bind_expr(level, t), word) for t in reversed(terms))
    return BoolOp(BoolKind(word), bound, types.BOOL, -1, bound[0].position)


@handles(exp.Not)
def _not(level: Level, node: exp.Not) -> Expr:
    arg = to_boolean(level.state, bind_expr(level, node.args["this"]), "NOT")
    return BoolOp(BoolKind.NOT, (arg,), types.BOOL, -1, position(node))
