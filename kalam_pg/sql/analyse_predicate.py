"""Analysed predicates: IS, LIKE, BETWEEN, IN."""

from collections.abc import Sequence

from sqlglot import exp

from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.sql import analysed as a
from kalam_pg.sql import tree
from kalam_pg.sql.analyse import Analysis, Unshown, cast
from kalam_pg.sql.analyse_expr import (
    among,
    analyse,
    compared,
    is_written_row,
    operands,
    pair,
    passed,
    quantified,
    rows_compared,
    shows,
    typed,
)
from kalam_pg.sql.overloads import common_type
from kalam_pg.sql.rule_expr import is_row_type
from kalam_pg.sql.walk import column_refs

_LIKE: dict[type[exp.Expr], str] = {exp.Like: "~~", exp.ILike: "~~*"}
_NOT_LIKE = {"~~": "!~~", "~~*": "!~~*", "~": "!~"}
_TURNED = {">=": "<", "<=": ">"}


# ------------------------------------------------------------------ predicates


@shows(exp.Is)
def _is(an: Analysis, node: exp.Is) -> a.Node:
    what, negated = node.args["expression"], "NOT " if node.args.get("negate") else ""
    arg = node.args["this"]
    if type(what) is exp.Null:
        return a.Test(analyse(an, arg), f"{negated}NULL", shows=True)
    word = "UNKNOWN"
    if type(what) is exp.Boolean:
        word = "TRUE" if what.args["this"] else "FALSE"
    return a.Test(typed(an, arg, types.BOOL), negated + word, shows=False)


@shows(exp.NullSafeEQ, exp.NullSafeNEQ)
def _distinct(an: Analysis, node: exp.Expr) -> a.Node:
    left, right, same = node.args["this"], node.args["expression"], type(node) is exp.NullSafeEQ
    bound = an.bound(node)
    if isinstance(bound, tree.IsNull):
        one, other = (left, right) if type(right) is exp.Null else (right, left)
        assert type(other) is exp.Null
        row = is_row_type(an.bound(one).type)
        words = "NULL" if same else "NOT NULL"
        if row:
            words = f"{'NOT ' if same else ''}DISTINCT FROM NULL"
        return a.Test(analyse(an, one), words, shows=True)
    if not isinstance(bound, tree.IsDistinct):
        return _distinct_rows(an, left, right, same=same)
    shown = a.Distinct(typed(an, left, bound.left.type), typed(an, right, bound.right.type))
    return a.Logic("NOT", (shown,)) if same else shown


def _distinct_rows(an: Analysis, left: exp.Expr, right: exp.Expr, *, same: bool) -> a.Node:
    """ROW(…) IS DISTINCT FROM ROW(…): any of their fields is."""
    if type(left) is not exp.Tuple or type(right) is not exp.Tuple:
        raise Unshown("distinct rows")
    parts: list[a.Node] = []
    for one, other in zip(left.expressions, right.expressions, strict=True):
        if is_written_row(an.bound(one)) or exp.Null in (type(one), type(other)):
            raise Unshown("distinct rows")
        made = compared(an, "=", one, other)
        assert made.left is not None
        parts.append(a.Distinct(made.left, made.right))
    whole = parts[0] if len(parts) == 1 else a.Logic("OR", tuple(parts))
    return a.Logic("NOT", (whole,)) if same else whole


@shows(exp.Like, exp.ILike, exp.SimilarTo, exp.Escape)
def _like(an: Analysis, node: exp.Expr) -> a.Node:
    whole, escape = node, None
    if type(node) is exp.Escape:
        node, escape = node.args["this"], node.args["expression"]
    symbol = _LIKE.get(type(node), "~")
    if node.args.get("negate"):
        symbol = _NOT_LIKE[symbol]
    bound, pattern = an.bound(whole), node.args["expression"]
    if type(pattern) in (exp.Any, exp.All):
        return quantified(an, node.args["this"], pattern, symbol, bound)
    left, right = operands(bound)
    if type(node) is not exp.SimilarTo and escape is None:
        shown = typed(an, pattern, right)
    else:
        assert isinstance(bound, tree.Call)
        made = bound.args[1]
        if not isinstance(made, tree.Call):
            raise Unshown("like")
        kinds = [arg.type for arg in made.args]
        parts = [pattern] if escape is None else [pattern, escape]
        args = tuple([typed(an, p, k) for p, k in zip(parts, kinds, strict=True)])
        name = "similar_to_escape" if type(node) is exp.SimilarTo else "like_escape"
        shown = a.Func(name, args)
    return a.Op(symbol, passed(an, node.args["this"], left), shown)


@shows(exp.Between)
def _between(an: Analysis, node: exp.Between) -> a.Node:
    args, negated = node.args, bool(node.args.get("negate"))

    def within(low: exp.Expr, high: exp.Expr) -> a.Logic:
        parts = []
        for symbol, edge in ((">=", low), ("<=", high)):
            made = compared(an, symbol, args["this"], edge)
            parts.append(a.Op(_TURNED[symbol] if negated else symbol, made.left, made.right))
        return a.Logic("OR" if negated else "AND", tuple(parts))

    shown = within(args["low"], args["high"])
    if not args.get("symmetric"):
        return shown
    return a.Logic("AND" if negated else "OR", (shown, within(args["high"], args["low"])))


@shows(exp.In)
def _in(an: Analysis, node: exp.In) -> a.Node:
    args, negated = node.args, bool(node.args.get("negate"))
    arg, bound = args["this"], an.bound(node)
    if (query := args.get("query")) is not None:
        shown = among(an, arg, query, "=", "any", bound)
        return a.Logic("NOT", (shown,)) if negated else shown
    symbol = "<>" if negated else "="
    if args.get("listed") is not None:
        return _listing(an, node, arg, bound, symbol)
    items: Sequence[exp.Expr] = args["expressions"]
    if is_written_row(an.bound(arg)):
        parts = [rows_compared(an, symbol, arg, item) for item in items]
        return parts[0] if len(parts) == 1 else _chain(parts, negated=negated)
    fixed = [e for e in items if all(up != 0 for up, _ in column_refs(an.bound(e)))]
    parts = []
    kinds = [an.bound(e).type for e in (arg, *fixed)]
    common = common_type(kinds)
    if len(fixed) > 1 and common is not None and types.array_of(common) is not None:
        parts.append(_in_array(an, arg, [typed(an, e, common) for e in fixed], common, symbol))
        items = [e for e in items if e not in fixed]
    parts += [compared(an, symbol, arg, item) for item in items]
    return parts[0] if len(parts) == 1 else _chain(parts, negated=negated)


def _chain(parts: Sequence[a.Node], *, negated: bool) -> a.Node:
    shown = parts[0]
    for part in parts[1:]:
        shown = a.Logic("AND" if negated else "OR", (shown, part))
    return shown


def _in_array(
    an: Analysis, arg: exp.Expr, items: list[a.Node], common: PgType, symbol: str
) -> a.Node:
    left, element = pair(symbol, an.bound(arg).type, common)
    array, wanted = types.array_of(common), types.array_of(element)
    assert array is not None
    shown: a.Node = a.ArrayOf(tuple(items), array)
    if element is not common and wanted is not None:
        shown = cast(shown, array, wanted, implicit=True)
    word = "ALL" if symbol == "<>" else "ANY"
    return a.ArrayOp(passed(an, arg, left), symbol, word, shown)


def _listing(an: Analysis, node: exp.Expr, arg: exp.Expr, bound: tree.Expr, symbol: str) -> a.Node:
    """A long list, whose items are no nodes."""
    if not isinstance(bound, tree.AnyAll) or not isinstance(bound.array, tree.Const):
        raise Unshown("list")
    values, element = bound.array.value, bound.array.type.element
    if not isinstance(values, tuple | list) or element not in (types.INT4, types.TEXT):
        raise Unshown("list")
    items: list[a.Node] = [a.Constant(value, element) for value in values]
    assert element is not None
    shown = a.ArrayOf(tuple(items), bound.array.type)
    own = an.bound(arg).type
    if own is types.VARCHAR:
        raise Unshown("list")
    return a.ArrayOp(
        typed(an, arg, bound.arg.type), symbol, "ALL" if symbol == "<>" else "ANY", shown
    )
