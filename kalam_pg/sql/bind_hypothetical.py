"""`rank(3) WITHIN GROUP (ORDER BY x)`: which rows of the group a row with these values would follow.

The aggregate is sorted by what tells that of each row, so that whoever computes ordered-set aggregates
computes these.
"""

from collections.abc import Sequence
from dataclasses import replace

from catalog.errors import UndefinedFunctionError
from catalog.types import registry as types
from kalam_pg.functions import lookup
from kalam_pg.sql.bind_expr import apply_operator
from kalam_pg.sql.coerce import unify
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import (
    Aggregate,
    BoolKind,
    BoolOp,
    Call,
    Case,
    Const,
    Expr,
    IsDistinct,
    IsNull,
    RowExpr,
    SortKey,
)

NAMES = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})
_TRUE = Const(value=True, type=types.BOOL)
_FALSE = Const(value=False, type=types.BOOL)


def hypothetical(
    level: Level, name: str, args: Sequence[Expr], keys: Sequence[SortKey],
    filter_: Expr | None, at: int,
) -> Aggregate:  # fmt: skip
    """The aggregate. Raises 42883: not as many arguments as keys; 42804: of other types."""
    if len(args) != len(keys):
        kinds = ", ".join([e.type.sql_name for e in (*args, *[k.expr for k in keys])])
        raise UndefinedFunctionError(
            f"function {name}({kinds}) does not exist",
            hint=f"To use the hypothetical-set aggregate {name}, the number of hypothetical direct "
            f"arguments (here {len(args)}) must match the number of ordering columns (here "
            f"{len(keys)}).",
            position=at,
        )
    direct: list[Expr] = []
    sorted_by: list[SortKey] = []
    for arg, key in zip(args, keys, strict=True):
        _, _, (value, given) = unify(level.state, [key.expr, arg], "WITHIN GROUP")
        sorted_by.append(replace(key, expr=value))
        direct.append(given)
    before: Expr = _FALSE
    tied: Expr = _TRUE
    for key, given in zip(reversed(sorted_by), reversed(direct), strict=True):
        here, same = _before(level, key, given, at), _same(level, key.expr, given, at)
        before = _either(here, _both(same, before))
        tied = _both(same, tied)
    row = RowExpr(
        tuple([key.expr for key in sorted_by]), types.RECORD, -1, at,
        tuple([f"f{n + 1}" for n in range(len(sorted_by))]),
    )  # fmt: skip
    order = [SortKey(e, False, False) for e in (before, _either(before, tied), row)]
    overload = lookup.aggregates(f"{name} within group")[0]
    return Aggregate(
        overload, tuple(direct), overload.result, -1, at, False, filter_, tuple(order), True
    )


def _before(level: Level, key: SortKey, given: Expr, at: int) -> Expr:
    """Whether the row's value stands before the given one."""
    less = apply_operator(level, ">" if key.descending else "<", (key.expr, given), at)
    there = IsNull(given, True, types.BOOL, whole=True)
    whens = (
        (IsNull(key.expr, False, types.BOOL, whole=True), there if key.nulls_first else _FALSE),
        (IsNull(given, False, types.BOOL, whole=True), _FALSE if key.nulls_first else _TRUE),
    )
    return Case(whens, less, types.BOOL)


def _same(level: Level, value: Expr, given: Expr, at: int) -> Expr:
    call = apply_operator(level, "=", (value, given), at)
    assert isinstance(call, Call)
    return IsDistinct(call.args[0], call.args[1], call.overload, True, types.BOOL)


def _both(a: Expr, b: Expr) -> Expr:
    return BoolOp(BoolKind.AND, (a, b), types.BOOL)


def _either(a: Expr, b: Expr) -> Expr:
    return BoolOp(BoolKind.OR, (a, b), types.BOOL)
