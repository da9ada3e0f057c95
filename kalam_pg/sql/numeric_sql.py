"""numeric as Decimal128: the calls that stay native while precision and scale are known."""

from collections.abc import Sequence

import pyarrow as pa

from catalog.types import registry as types
from kalam_pg.functions import decimals
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.datafusion_state import converted
from kalam_pg.sql.physical import Sql, decimal, decimal_type, is_decimal
from kalam_pg.sql.tree import Call

_DIGITS = {pa.int16(): 5, pa.int32(): 10, pa.int64(): 19}


def emit(call: Call, args: Sequence[Sql]) -> Sql | None:
    """A call on numerics without leaving Decimal128, None when it cannot be (or is no such call)."""
    overload = call.overload
    if call.type is not types.NUMERIC or not args:
        return None
    if overload.kind is OverloadKind.CAST:
        return _cast(call, args[0])
    if overload.kind is not OverloadKind.OPERATOR or not all(is_decimal(a.physical) for a in args):
        return None
    if len(args) == 1:
        return _negated(args[0]) if overload.name == "-" else None
    if overload.row in {decimals.add, decimals.subtract, decimals.multiply}:
        return _arithmetic(overload.name, args[0], args[1])
    return None


def _cast(call: Call, arg: Sql) -> Sql | None:
    source = call.args[0].type
    if source in {types.INT2, types.INT4, types.INT8}:
        physical = decimal(_DIGITS[arg.physical], 0)
        return converted(arg, physical) if physical is not None else None
    if source is types.NUMERIC and is_decimal(arg.physical):
        target = decimal_type(call.typmod)
        if target is None:
            return None
        wider = target.precision - target.scale >= arg.physical.precision - arg.physical.scale
        if wider and target.scale >= arg.physical.scale:
            return converted(arg, target)
    return None


def _negated(arg: Sql) -> Sql:
    return Sql(f"(- {arg.text})", arg.physical, arg.fallible)


def _arithmetic(symbol: str, left: Sql, right: Sql) -> Sql | None:
    """The result type is DataFusion's own rule, kept only while it loses nothing."""
    p1, s1 = left.physical.precision, left.physical.scale
    p2, s2 = right.physical.precision, right.physical.scale
    if symbol == "*":
        physical = decimal(p1 + p2 + 1, s1 + s2)
    else:
        scale = max(s1, s2)
        physical = decimal(max(p1 - s1, p2 - s2) + scale + 1, scale)
    if physical is None:
        return None
    return Sql(f"({left.text} {symbol} {right.text})", physical, left.fallible or right.fallible)


def comparable(left: Sql, right: Sql) -> tuple[Sql, Sql] | None:
    """Both as one Decimal128, None when there is none that holds both."""
    physical = _holding([left, right])
    if physical is None:
        return None
    return converted(left, physical), converted(right, physical)


def common(values: Sequence[Sql]) -> pa.DataType | None:
    """One Decimal128 for values whose display scale is the same."""
    scales = {v.physical.scale for v in values if is_decimal(v.physical)}
    return _holding(values) if len(scales) == 1 else None


def _holding(values: Sequence[Sql]) -> pa.DataType | None:
    if not all(is_decimal(v.physical) for v in values):
        return None
    scale = max(v.physical.scale for v in values)
    whole = max(v.physical.precision - v.physical.scale for v in values)
    return decimal(whole + scale, scale)
