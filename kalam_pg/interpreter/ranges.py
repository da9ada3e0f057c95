"""RANGE frames with offsets: whether a value lies within so much of another (PostgreSQL's in_range)."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from catalog.errors import InvalidPrecedingOrFollowingSizeError
from catalog.types.interval import pack_interval, unpack_interval
from catalog.types.registry import (
    DATE,
    FLOAT4,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    NUMERIC,
    TIME,
    TIMESTAMP,
)
from catalog.types.table import PgType
from kalam_pg.functions import lookup
from kalam_pg.functions.decimals import EXACT
from kalam_pg.functions.define import Datum
from kalam_pg.functions.pythonkey import python_key
from kalam_pg.functions.table import EvalContext, Overload
from kalam_pg.sql.to_python import row_function
from storage.layout import Value

InRange = Callable[[Any, Any, Any, bool, bool, EvalContext], bool]
"""(value, base, offset, sub, less, context): whether the value is, with `less`, at most the base and the
offset (with `sub`: without it), else at least that. No argument is NULL.
"""


def in_range(kind: PgType) -> InRange:
    """Of values of a type that the binder lets RANGE offsets go with."""
    if kind in {INT2, INT4, INT8}:
        return _integers
    if kind in {FLOAT4, FLOAT8}:
        return _floats
    if kind is NUMERIC:
        return _numerics
    if kind is TIME:
        return _times
    return _with_intervals(kind)


def _invalid() -> InvalidPrecedingOrFollowingSizeError:
    return InvalidPrecedingOrFollowingSizeError(
        "invalid preceding or following size in window function"
    )


def _integers(
    value: int, base: int, offset: int, sub: bool, less: bool, _context: EvalContext
) -> bool:
    if offset < 0:
        raise _invalid()
    end = base - offset if sub else base + offset
    return value <= end if less else value >= end


def _floats(
    value: float, base: float, offset: float, sub: bool, less: bool, _context: EvalContext
) -> bool:
    if math.isnan(offset) or offset < 0:
        raise _invalid()
    if math.isnan(value):
        return math.isnan(base) or not less
    if math.isnan(base):
        return less
    if math.isinf(offset) and math.isinf(base) and (base > 0 if sub else base < 0):
        return True  # The end is NaN: all of the other sign's side is as near as can be.
    end = base - offset if sub else base + offset
    return value <= end if less else value >= end


def _numerics(
    value: str, base: str, offset: str, sub: bool, less: bool, _context: EvalContext
) -> bool:
    v, b, o = Decimal(value), Decimal(base), Decimal(offset)
    if o.is_nan() or o < 0:
        raise _invalid()
    if v.is_nan():
        return b.is_nan() or not less
    if b.is_nan():
        return less
    if o.is_infinite() and b.is_infinite() and (b > 0 if sub else b < 0):
        return True
    end = EXACT.subtract(b, o) if sub else EXACT.add(b, o)
    return v <= end if less else v >= end


def _times(
    value: int,
    base: int,
    offset: bytes,
    sub: bool,
    less: bool,
    _context: EvalContext,
) -> bool:
    # Only the interval's own time counts, and midnight is no bound.
    _, _, microseconds = unpack_interval(offset)
    if microseconds < 0:
        raise _invalid()
    end = base - microseconds if sub else base + microseconds
    return value <= end if less else value >= end


def _with_intervals(kind: PgType) -> InRange:
    """By the type's own addition of intervals; dates are compared as timestamps."""
    plus, minus = _operator("+", kind), _operator("-", kind)
    key: Callable[[Any], Any] = python_key(TIMESTAMP if kind is DATE else kind) or _itself
    size: Callable[[Any], Any] = python_key(INTERVAL) or _itself
    zero = size(pack_interval(0, 0, 0))
    widened = _function(lookup.cast(DATE, TIMESTAMP), (DATE,)) if kind is DATE else _plain

    def within(
        value: Value, base: Value, offset: Value, sub: bool, less: bool, context: EvalContext
    ) -> bool:
        if size(offset) < zero:
            raise _invalid()
        end = key((minus if sub else plus)(context, base, offset))
        here = key(widened(context, value))
        return bool(here <= end if less else here >= end)

    return within


def _operator(symbol: str, kind: PgType) -> Callable[..., Datum]:
    args = (kind, INTERVAL)
    return _function(next(o for o in lookup.operators(symbol) if o.args == args), args)


def _function(overload: Overload | None, types: tuple[PgType, ...]) -> Callable[..., Datum]:
    """The overload as a function of (context, values)."""
    assert overload is not None
    function = row_function(overload, types)
    if overload.needs_context:
        return function
    return lambda _context, *values: function(*values)


def _plain(_context: EvalContext, value: Value) -> Value:
    return value


def _itself(value: Any) -> Any:  # noqa: ANN401 -- any value
    return value
