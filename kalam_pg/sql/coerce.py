"""Making an expression have the type its place asks for, as parse_coerce.c does.

Literals without a type are read by the target type's input function here, at bind time; parameters
without one take the target type. Casts of constants are folded when the cast is immutable.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from catalog.errors import (
    AmbiguousParameterError,
    CannotCoerceError,
    DatatypeMismatchError,
    FeatureNotSupportedError,
)
from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.table import PgType
from kalam_pg.functions import lookup
from kalam_pg.functions.table import Overload, Volatility
from kalam_pg.sql.overloads import common_type, find_cast
from kalam_pg.sql.row_values import as_value, cast_row
from kalam_pg.sql.scope import Binding
from kalam_pg.sql.tree import (
    Aggregate,
    Call,
    ColumnRef,
    Const,
    Expr,
    OuterAggregate,
    Param,
    RowExpr,
    Window,
)
from kalam_pg.sql.walk import location
from storage.errors import KalamError

# Literals of these words depend on when they are read: they stay casts, evaluated at run time.
_MOMENTS = frozenset(("now", "today", "tomorrow", "yesterday", "allballs"))
_DATE_TIME = frozenset(("date", "time", "timetz", "timestamp", "timestamptz"))


def coerce(state: Binding, expr: Expr, target: PgType, context: str = "i") -> Expr | None:
    """The expression as `target`, through a cast that `context` allows; None when there is none."""
    source = expr.type
    if source is target or target is types.ANY:
        return expr
    if type(expr) is RowExpr and (row := _row_as(state, expr, target, context)) is not None:
        return row
    if source is types.UNKNOWN:
        if isinstance(expr, Const):
            return read_literal(state, expr, target)
        if isinstance(expr, Param):
            return _infer(state, expr, target)
        text = replace(expr, type=types.TEXT)
        found = find_cast(types.TEXT, target, "e")
        if target is types.TEXT or found is None:
            return text if target is types.TEXT else None
        return call_cast(found, text, target)
    overload = find_cast(source, target, context)
    return None if overload is None else _noted(state, call_cast(overload, expr, target))


_LATE = frozenset((Aggregate, ColumnRef, OuterAggregate, Param, Window))
_LOOKED_INTO = 4
"""Calls in calls: what lies deeper is taken for a constant."""


def note_call(state: Binding, call: Call) -> Call:
    """The call; of constants, it may be an error before any row is read (`folding`)."""
    if not state.early and not _is_late(call, _LOOKED_INTO):
        state.early = True
    return call


def _is_late(call: Call, deep: int) -> bool:
    """Whether a row or a parameter has to be there before it can be computed."""
    for arg in call.args:
        kind = type(arg)
        if kind in _LATE or (kind is Call and deep and _is_late(arg, deep - 1)):  # type: ignore[arg-type]
            return True
    return not call.args


def _noted(state: Binding, expr: Expr) -> Expr:
    return note_call(state, expr) if type(expr) is Call else expr


def _row_as(state: Binding, row: RowExpr, target: PgType, context: str) -> RowExpr | None:
    """ROW(…) as a composite type, or such a one as record; None where there is no such way.

    A relation's own row is left as it is, under a cast: it may be what a query groups by.
    """
    if target is types.RECORD:
        return None if row.whole else replace(row, type=types.RECORD)
    if row.type is not types.RECORD or composite_of(target) is None:
        return None

    def fit(item: Expr, kind: PgType, typmod: int) -> Expr | None:
        made = coerce(state, item, kind, context)
        return None if made is None else with_typmod(made, typmod, explicit=context == "e")

    return cast_row(row, target, fit)


def call_cast(overload: Overload, expr: Expr, target: PgType, typmod: int = -1) -> Expr:
    """Apply a cast; of a constant at once where the cast depends on nothing else."""
    if (
        isinstance(expr, Const)
        and overload.row is not None
        and overload.volatility is Volatility.IMMUTABLE
        and not overload.needs_context
    ):
        if expr.value is None:
            return Const(None, target, typmod, expr.position)
        arguments: list[object] = [expr.value]
        if overload.needs_types:
            arguments.insert(0, (expr.type,))
        if overload.needs_typmod:
            arguments.append(typmod)
        try:
            return Const(overload.row(*arguments), target, typmod, expr.position)
        except KalamError:
            # The error belongs to the row that is evaluated, if one ever is.
            pass
    return Call(overload, (expr,), target, typmod, location(expr))


def is_moment(target: PgType, text: str) -> bool:
    """Whether a literal means another time each time that it is read."""
    return target.name in _DATE_TIME and text.strip().lower() in _MOMENTS


_OID = re.compile("-|[0-9]+")


def read_literal(state: Binding, const: Const, target: PgType, typmod: int = -1) -> Expr:
    """An untyped literal as a constant of `target`; 22P02 and its kin carry the position."""
    if const.value is None:
        return Const(None, target, typmod, const.position)
    text = const.value
    assert isinstance(text, str)
    # What a name means depends on what exists by then; a number is an OID whatever exists.
    named = target.names_objects and not _OID.fullmatch(text)
    if named or is_moment(target, text):
        overload = lookup.cast(types.TEXT, target)
        if overload is not None:
            return Call(overload, (replace(const, type=types.TEXT),), target, -1, const.position)
    if target.pseudo and target is not types.RECORD:
        raise FeatureNotSupportedError(
            f"cannot accept a value of type {target.sql_name}", position=const.position
        )
    try:
        value = target.input(text, typmod, state.scope.types)
    except KalamError as error:
        error.position = error.position or const.position
        raise
    return Const(value, target, typmod, const.position)


def _infer(state: Binding, param: Param, target: PgType) -> Param:
    known = state.params[param.index]
    if known is None:
        state.params[param.index] = target
    elif known is not target:
        raise AmbiguousParameterError(
            f"inconsistent types deduced for parameter ${param.index + 1}",
            detail=f"{known.sql_name} versus {target.sql_name}",
            position=param.position,
        )
    state.pending[param.index].remove(param.position)
    return Param(param.index, target, -1, param.position)


def with_typmod(expr: Expr, typmod: int, *, explicit: bool) -> Expr:
    """Coerce to a length or precision, as in varchar(n), numeric(p,s) or timestamp(p).

    An explicit cast cuts text that is too long, an assignment refuses it (22001).
    """
    if typmod < 0 or expr.typmod == typmod:
        return expr
    kind = expr.type
    overload = lookup.length_cast(kind, explicit=explicit)
    if overload is None:
        return expr
    if isinstance(expr, Const) and expr.value is None:
        return replace(expr, typmod=typmod)
    return call_cast(overload, expr, kind, typmod)


def _read_with_typmod(expr: Expr, target: PgType, typmod: int) -> bool:
    """Whether it is a literal whose meaning the typmod tells: '5' as INTERVAL MINUTE."""
    return (
        typmod >= 0
        and target is types.INTERVAL
        and type(expr) is Const
        and expr.type is types.UNKNOWN
    )


def explicit_cast(
    state: Binding, expr: Expr, target: PgType, typmod: int = -1, position: int = 0
) -> Expr:
    """CAST(expr AS target(typmod)); 42846 when PostgreSQL has no such cast."""
    if target is types.BIT and expr.type in (types.INT4, types.INT8):
        cast = find_cast(expr.type, target, "e")
        assert cast is not None
        return _noted(
            state, call_cast(cast, expr, target, typmod)
        )  # A number's last bits, so many.
    if _read_with_typmod(expr, target, typmod):
        assert isinstance(expr, Const)
        return read_literal(state, expr, target, typmod)
    try:
        result = coerce(state, expr, target, "e")
    except CannotCoerceError as error:
        error.position = position or error.position
        raise
    if result is None:
        raise CannotCoerceError(
            f"cannot cast type {expr.type.sql_name} to {target.sql_name}",
            position=position or location(expr),
        )
    return _noted(state, with_typmod(result, typmod, explicit=True))


def assign(
    state: Binding, expr: Expr, target: PgType, typmod: int, column: str, position: int = 0
) -> Expr:
    """The expression as the value of a column (assignment cast); 42804 when it does not fit."""
    if expr.type is target and (typmod < 0 or expr.typmod == typmod):
        return expr
    if _read_with_typmod(expr, target, typmod):
        assert isinstance(expr, Const)
        return read_literal(state, expr, target, typmod)
    result = coerce(state, expr, target, "a")
    if result is None and expr.type is types.RECORD and composite_of(target) is not None:
        raise no_record_cast(expr, target)
    if result is None:
        raise DatatypeMismatchError(
            f'column "{column}" is of type {target.sql_name} but expression is of type '
            f"{expr.type.sql_name}",
            hint="You will need to rewrite or cast the expression.",
            position=location(expr) or position,
        )
    return _noted(state, with_typmod(result, typmod, explicit=False))


def no_record_cast(expr: Expr, target: PgType) -> CannotCoerceError:
    """The error of a row that is no ROW(…) any more where a composite type is wanted."""
    return CannotCoerceError(
        f"cannot cast type record to {target.sql_name}", position=location(expr)
    )


def settled_row(state: Binding, row: RowExpr) -> RowExpr:
    """The row as a value: its parameters have types, its literals may have none, as in PostgreSQL."""
    items = []
    for item in row.items:
        if type(item) is RowExpr or (type(item) is Param and item.type is types.UNKNOWN):
            items.append(settle(state, item))
        else:
            items.append(item)
    return replace(as_value(row), items=tuple(items))


def argument(state: Binding, expr: Expr, declared: PgType) -> Expr:
    """A function or operator argument as its declared type, which resolution found to fit."""
    if type(expr) is RowExpr and expr.type is declared:
        return settled_row(state, expr)
    if expr.type is declared or declared is types.ANY:
        return settled_row(state, expr) if type(expr) is RowExpr else expr
    result = coerce(state, expr, declared, "i")
    if result is None and expr.type is types.RECORD:
        raise no_record_cast(expr, declared)
    assert result is not None, f"{expr.type} was found to fit {declared}"
    return result


def to_boolean(state: Binding, expr: Expr, construct: str) -> Expr:
    """A condition; 42804 `argument of WHERE must be type boolean, not type integer`."""
    if expr.type is types.BOOL:
        return expr
    result = coerce(state, expr, types.BOOL, "a")
    if result is None:
        raise DatatypeMismatchError(
            f"argument of {construct} must be type boolean, not type {expr.type.sql_name}",
            position=location(expr),
        )
    return result


def to_bigint(state: Binding, expr: Expr, construct: str) -> Expr:
    """LIMIT and OFFSET."""
    result = coerce(state, expr, types.INT8, "a")
    if result is None:
        raise DatatypeMismatchError(
            f"argument of {construct} must be type bigint, not type {expr.type.sql_name}",
            position=location(expr),
        )
    return result


def unify(
    state: Binding, exprs: Sequence[Expr], construct: str
) -> tuple[PgType, int, tuple[Expr, ...]]:
    """Give all of them one type: (type, common typmod or -1, the expressions cast to it).

    Raises:
        DatatypeMismatchError: `CASE types integer and text cannot be matched`, or a cast is missing.
    """
    exprs = [settled_row(state, e) if type(e) is RowExpr else e for e in exprs]
    kind = exprs[0].type
    if kind is not types.UNKNOWN and all(e.type is kind for e in exprs):
        return kind, common_typmod(exprs), tuple(exprs)
    target = common_type([e.type for e in exprs])
    if target is None:
        raise mismatch(exprs, construct)
    result = []
    for expr in exprs:
        cast = coerce(state, expr, target, "i")
        if cast is None:
            raise CannotCoerceError(
                f"{construct} could not convert type {expr.type.sql_name} to {target.sql_name}",
                position=location(expr),
            )
        result.append(cast)
    return target, common_typmod(result), tuple(result)


def mismatch(exprs: Sequence[Expr], construct: str) -> DatatypeMismatchError:
    """The error of types that do not unify: it names the first pair of different categories."""
    chosen = exprs[0].type
    for expr in exprs[1:]:
        kind = expr.type
        if kind is types.UNKNOWN or kind is chosen:
            continue
        if chosen is types.UNKNOWN:
            chosen = kind
        elif kind.category != chosen.category:
            return DatatypeMismatchError(
                f"{construct} types {chosen.sql_name} and {kind.sql_name} cannot be matched",
                position=location(expr),
            )
        else:
            chosen = common_type([chosen, kind]) or chosen
    return DatatypeMismatchError(f"{construct} types cannot be matched")


def common_typmod(exprs: Sequence[Expr]) -> int:
    """The typmod that all share, else -1."""
    typmod = exprs[0].typmod
    return typmod if all(e.typmod == typmod for e in exprs) else -1


def settle(state: Binding, expr: Expr) -> Expr:
    """An output column that still has no type becomes text; so do the parameters in a row."""
    if type(expr) is RowExpr:
        return settled_row(state, expr)
    if expr.type is not types.UNKNOWN:
        return expr
    return coerce(state, expr, types.TEXT) or expr
