"""Binding of predicates: IS, LIKE, BETWEEN, IN, ANY/ALL over arrays, comparison of rows."""

from collections.abc import Sequence

from sqlglot import exp

from catalog.errors import (
    AmbiguousFunctionError,
    DatatypeMismatchError,
    FeatureNotSupportedError,
    SqlSyntaxError,
    WrongObjectTypeError,
)
from catalog.types import registry as types
from kalam_pg.functions.table import Overload
from kalam_pg.sql.bind_call import call_function
from kalam_pg.sql.bind_expr import (
    COMPARE_ROWS,
    QUANTIFIED,
    SPECIAL_OPERANDS,
    apply_operator,
    bind_expr,
    consumed,
    handles,
    no_operator,
    unsupported,
)
from kalam_pg.sql.bind_lists import bind_in
from kalam_pg.sql.coerce import argument, coerce, to_boolean
from kalam_pg.sql.listings import Listing
from kalam_pg.sql.overloads import Ambiguous, common_type, resolve_operator
from kalam_pg.sql.positions import position
from kalam_pg.sql.row_values import (
    is_written_row,
    null_test,
)
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import (
    AnyAll,
    BoolKind,
    BoolOp,
    Call,
    Const,
    Expr,
    InList,
    IsDistinct,
    IsNull,
    IsTruth,
    RowExpr,
)
from kalam_pg.sql.walk import walk


@handles(exp.Is)
def _is(level: Level, node: exp.Is) -> Expr:
    consumed(node, "this", "expression", "negate")
    arg = bind_expr(level, node.args["this"])
    what, negated, at = node.args["expression"], bool(node.args.get("negate")), position(node)
    if type(what) is exp.Null:
        return null_test(arg, at, negated=negated)
    if type(what) is exp.Boolean:
        value, word = bool(what.args["this"]), "TRUE" if what.args["this"] else "FALSE"
    else:
        value, word = None, "UNKNOWN"
    construct = f"IS {'NOT ' if negated else ''}{word}"
    return IsTruth(to_boolean(level.state, arg, construct), value, negated, types.BOOL, -1, at)


# ------------------------------------------------------------------------------ IS DISTINCT FROM


@handles(exp.NullSafeEQ, exp.NullSafeNEQ)
def _distinct(level: Level, node: exp.Expr) -> Expr:
    left = bind_expr(level, node.args["this"])
    right = bind_expr(level, node.args["expression"])
    return distinct(level, left, right, type(node) is exp.NullSafeEQ, position(node))


def distinct(level: Level, left: Expr, right: Expr, negated: bool, at: int) -> Expr:
    """`left IS [NOT] DISTINCT FROM right`; of rows, field by field."""
    if is_written_row(left) and is_written_row(right):
        assert type(left) is type(right) is RowExpr
        _same_length(left, right, at)
        pairs = zip(left.items, right.items, strict=True)
        parts = tuple(distinct(level, a, b, negated, at) for a, b in pairs)
        return _combine(BoolKind.AND if negated else BoolKind.OR, parts, at)
    for one, other in ((left, right), (right, left)):
        if isinstance(other, Const) and other.value is None and other.type is types.UNKNOWN:
            return IsNull(one, not negated, types.BOOL, -1, at, whole=True)
    call = apply_operator(level, "=", (left, right), at)
    assert isinstance(call, Call)
    a, b = call.args
    return IsDistinct(a, b, call.overload, negated, types.BOOL, -1, at)


def _combine(kind: BoolKind, parts: tuple[Expr, ...], at: int) -> Expr:
    return parts[0] if len(parts) == 1 else BoolOp(kind, parts, types.BOOL, -1, at)


def _negate(expr: Expr, at: int) -> Expr:
    return BoolOp(BoolKind.NOT, (expr,), types.BOOL, -1, at)


# ------------------------------------------------------------------------------ comparison of rows


def _compare_rows(level: Level, symbol: str, left: RowExpr, right: RowExpr, at: int) -> Expr:
    """(a, b) = (c, d) as a = c AND b = d; (a, b) < (c, d) as a < c OR (a = c AND b < d)."""
    _same_length(left, right, at)
    if not left.items:
        raise FeatureNotSupportedError("cannot compare rows of zero length", position=at)
    pairs = list(zip(left.items, right.items, strict=True))
    if symbol in ("=", "<>"):
        parts = tuple(apply_operator(level, symbol, pair, at) for pair in pairs)
        return _combine(BoolKind.AND if symbol == "=" else BoolKind.OR, parts, at)
    if symbol not in ("<", "<=", ">", ">="):
        raise FeatureNotSupportedError(
            f"could not determine interpretation of row comparison operator {symbol}",
            hint="Row comparison operators must be associated with btree operator families.",
            position=at,
        )
    result = apply_operator(level, symbol, pairs[-1], at)
    for pair in reversed(pairs[:-1]):
        here = apply_operator(level, symbol[0], pair, at)
        assert isinstance(here, Call)
        # Of the same operands: each is coerced once, and a parameter has one type.
        for operand in here.args:
            _repeat(level, operand)
        equal = apply_operator(level, "=", here.args, at)
        rest = _combine(BoolKind.AND, (equal, result), at)
        result = _combine(BoolKind.OR, (here, rest), at)
    return result


def _repeat(level: Level, operand: Expr) -> None:
    """Note that an operand is computed once more. Raises 54001."""
    for _ in walk(operand):
        level.state.spend(1)


def _same_length(left: RowExpr, right: RowExpr, at: int) -> None:
    if len(left.items) != len(right.items):
        raise SqlSyntaxError("unequal number of entries in row expressions", position=at)


COMPARE_ROWS.append(_compare_rows)


def _compare(level: Level, symbol: str, left: Expr, right: Expr, at: int) -> Expr:
    """`left = right` or `left <> right`, of rows too."""
    if is_written_row(left) and is_written_row(right):
        assert type(left) is type(right) is RowExpr
        return _compare_rows(level, symbol, left, right, at)
    return apply_operator(level, symbol, (left, right), at)


# ----------------------------------------------------------------------------- LIKE and BETWEEN

_LIKE: dict[type[exp.Expr], str] = {exp.Like: "~~", exp.ILike: "~~*"}
_NOT_LIKE = {"~~": "!~~", "~~*": "!~~*", "~": "!~"}


@handles(exp.Like, exp.ILike, exp.SimilarTo)
def _like(level: Level, node: exp.Expr) -> Expr:
    return _pattern(level, node, None)


@handles(exp.Escape)
def _escape(level: Level, node: exp.Escape) -> Expr:
    return _pattern(level, node.args["this"], node.args["expression"])


def _pattern(level: Level, node: exp.Expr, escape: exp.Expr | None) -> Expr:
    consumed(node, "this", "expression", "negate")
    at = position(node)
    symbol = _LIKE.get(type(node), "~")
    if node.args.get("negate"):
        symbol = _NOT_LIKE[symbol]
    right_node = node.args["expression"]
    special = SPECIAL_OPERANDS.get(type(right_node))
    if special is not None:
        return special(level, node, symbol)
    left = bind_expr(level, node.args["this"])
    right = bind_expr(level, right_node)
    operands: tuple[Expr, ...] = (right,)
    if escape is not None:
        operands = (right, bind_expr(level, escape))
    if type(node) is exp.SimilarTo:
        right = call_function(level, "similar_to_escape", operands, at)
    elif escape is not None:
        right = call_function(level, "like_escape", operands, at)
    return apply_operator(level, symbol, (left, right), at)


@handles(exp.Between)
def _between(level: Level, node: exp.Between) -> Expr:
    consumed(node, "this", "low", "high", "symmetric", "negate")
    args, at = node.args, position(node)

    def within(low: exp.Expr, high: exp.Expr) -> Expr:
        # Bound afresh for each comparison, as each may give a parameter or literal its type.
        parts = tuple(
            apply_operator(
                level, symbol, (bind_expr(level, args["this"]), bind_expr(level, bound)), at
            )
            for symbol, bound in ((">=", low), ("<=", high))
        )
        return BoolOp(BoolKind.AND, parts, types.BOOL, -1, at)

    result = within(args["low"], args["high"])
    if args.get("symmetric"):
        swapped = within(args["high"], args["low"])
        result = BoolOp(BoolKind.OR, (result, swapped), types.BOOL, -1, at)
    return _negate(result, at) if args.get("negate") else result


# -------------------------------------------------------------------------------------------- IN


@handles(exp.In)
def _in(level: Level, node: exp.In) -> Expr:
    consumed(node, "this", "expressions", "listed", "query", "negate")
    args = node.args
    negated, at = bool(args.get("negate")), position(node)
    if (query := args.get("query")) is not None:
        symbol = "<>" if negated else "="
        return QUANTIFIED[0](level, args["this"], query, symbol, negated, at)
    arg = bind_expr(level, args["this"])
    listed: Listing | None = args.get("listed")
    if listed is not None:
        made = bind_in(level, arg, listed, negated, at)
        if made is not None:
            return made
    nodes = args["expressions"] if listed is None else listed.nodes()
    items = [bind_expr(level, e) for e in nodes]
    if not is_written_row(arg):
        by_hash = in_list(level, arg, items, negated, at)
        if by_hash is not None:
            return by_hash
    for _ in items[1:]:
        _repeat(level, arg)
    symbol, kind = ("<>", BoolKind.AND) if negated else ("=", BoolKind.OR)
    parts = tuple([_compare(level, symbol, arg, item, at) for item in items])
    return _combine(kind, parts, at)


def in_list(level: Level, arg: Expr, items: Sequence[Expr], negated: bool, at: int) -> Expr | None:
    """IN over values that have one common type; None when each needs its own operator."""
    state = level.state
    if len(items) == 1:
        return apply_operator(level, "<>" if negated else "=", (arg, items[0]), at)
    target = common_type([arg.type, *(e.type for e in items)])
    if target is None:
        return None
    cast = [coerce(state, e, target) for e in items]
    kinds = (arg.type, target)
    try:
        found = resolve_operator("=", kinds)
    except Ambiguous:
        return None
    if found is None:
        raise no_operator("<>" if negated else "=", kinds, at)
    left = argument(state, arg, found.args[0])
    right = tuple(argument(state, e, found.args[1]) for e in cast if e is not None)
    if len(right) < len(items):
        return None
    return InList(left, right, found.overload, negated, types.BOOL, -1, at)


# ---------------------------------------------------------------------- quantifiers over arrays


def _any_all(level: Level, node: exp.Expr, symbol: str) -> Expr:
    right_node = node.args["expression"]
    is_all = type(right_node) is exp.All
    inner = right_node.args["this"]
    if type(inner) is exp.Subquery:
        return QUANTIFIED[0](level, node.args["this"], inner, symbol, is_all, position(node))
    state, at = level.state, position(node)
    left, right = bind_expr(level, node.args["this"]), bind_expr(level, inner)
    if right.type is types.UNKNOWN:
        element = types.UNKNOWN
    elif right.type.element is None:
        raise WrongObjectTypeError("op ANY/ALL (array) requires array on right side", position=at)
    else:
        element = right.type.element
    try:
        found = resolve_operator(symbol, (left.type, element))
    except Ambiguous:
        raise AmbiguousFunctionError(
            f"operator is not unique: {left.type.sql_name} {symbol} {element.sql_name}", position=at
        ) from None
    if found is None:
        raise no_operator(symbol, (left.type, element), at)
    if found.result is not types.BOOL:
        raise WrongObjectTypeError("op ANY/ALL (array) requires operator to yield boolean",
                                   position=at)  # fmt: skip
    array = types.array_of(found.args[1])
    cast = None if array is None else coerce(state, right, array)
    if cast is None:
        raise unsupported(f"{symbol} ANY/ALL over {right.type.sql_name}", node)
    arg = argument(state, left, found.args[0])
    return AnyAll(arg, cast, found.overload, is_all, types.BOOL, -1, at)


SPECIAL_OPERANDS[exp.Any] = _any_all
SPECIAL_OPERANDS[exp.All] = _any_all


def equality(level: Level, left: Expr, right: Expr, at: int) -> tuple[Overload, Expr, Expr]:
    """The equality operator of two values, and both cast to what it takes."""
    call = apply_operator(level, "=", (left, right), at)
    if not isinstance(call, Call) or call.type is not types.BOOL:
        raise DatatypeMismatchError("= does not yield a boolean", position=at)
    return call.overload, call.args[0], call.args[1]
