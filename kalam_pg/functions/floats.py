"""Arithmetic and mathematics on real and double precision, with PostgreSQL's overflow errors."""

import math
import operator as py
import random
import struct
from collections.abc import Callable

from catalog.errors import (
    DivisionByZeroError,
    InvalidArgumentForLogarithmError,
    InvalidArgumentForPowerFunctionError,
    NumericValueOutOfRangeError,
)
from catalog.types.registry import FLOAT4, FLOAT8
from catalog.types.table import PgType
from kalam_pg.functions import vectors
from kalam_pg.functions.define import Datum, function, operator
from kalam_pg.functions.table import Overload, Volatility

_REAL = struct.Struct("<f")
_INF = math.inf


def overflow() -> NumericValueOutOfRangeError:
    """22003, as float.c words it."""
    return NumericValueOutOfRangeError("value out of range: overflow")


def underflow() -> NumericValueOutOfRangeError:
    """22003, as float.c words it."""
    return NumericValueOutOfRangeError("value out of range: underflow")


def to_real(value: float) -> float:
    """Round to 32 bits; 22003 when that overflows or underflows."""
    try:
        (result,) = _REAL.unpack(_REAL.pack(value))
    except OverflowError:
        raise overflow() from None
    if result == 0.0 and value != 0.0:
        raise underflow()
    return float(result)


def _finite(result: float, *args: float) -> float:
    """The result, unless finite arguments overflowed."""
    if result in (_INF, -_INF) and not any(a in (_INF, -_INF) for a in args):
        raise overflow()
    return result


def _add(a: float, b: float) -> float:
    return _finite(a + b, a, b)


def _subtract(a: float, b: float) -> float:
    return _finite(a - b, a, b)


def _multiply(a: float, b: float) -> float:
    result = _finite(a * b, a, b)
    if result == 0.0 and a != 0.0 and b != 0.0:
        raise underflow()
    return result


def _divide(a: float, b: float) -> float:
    if b == 0.0:
        if a != a:  # noqa: PLR0124 # NaN / 0 is NaN
            return a
        raise DivisionByZeroError("division by zero")
    result = _finite(a / b, a)
    if result == 0.0 and a != 0.0 and b not in (_INF, -_INF):
        raise underflow()
    return result


def _in_real(compute: Callable[[float, float], float]) -> Callable[[float, float], float]:
    return lambda a, b: to_real(compute(a, b))


def _arithmetic() -> list[Overload]:
    table: list[tuple[str, Callable[[float, float], float], str]] = [
        ("+", _add, "add"), ("-", _subtract, "subtract"),
        ("*", _multiply, "multiply"), ("/", _divide, "divide"),
    ]  # fmt: skip
    return [
        operator(
            symbol,
            (a, b),
            FLOAT4 if real else FLOAT8,
            _in_real(compute) if real else compute,
            arrow=vectors.floating(kernel, real=real),
        )
        for symbol, compute, kernel in table
        for a in (FLOAT4, FLOAT8)
        for b in (FLOAT4, FLOAT8)
        for real in (a is FLOAT4 and b is FLOAT4,)
    ]


def _signs(t: PgType) -> list[Overload]:
    return [
        operator("+", (t,), t, py.pos, native="{0}"),
        operator("-", (t,), t, py.neg),
        operator("@", (t,), t, math.fabs),
        function("abs", (t,), t, math.fabs),
    ]


def power(a: float, b: float) -> float:
    """A ^ b, with PostgreSQL's errors."""
    if a == 0 and b < 0:
        raise InvalidArgumentForPowerFunctionError("zero raised to a negative power is undefined")
    if a < 0 and math.isfinite(b) and b != math.floor(b):
        raise InvalidArgumentForPowerFunctionError(
            "a negative number raised to a non-integer power yields a complex result"
        )
    try:
        result = math.pow(a, b)
    except OverflowError:
        raise overflow() from None
    if result == 0.0 and a != 0.0 and math.isfinite(a) and math.isfinite(b):
        raise underflow()
    return result


def _sqrt(a: float) -> float:
    if a < 0:
        raise InvalidArgumentForPowerFunctionError("cannot take square root of a negative number")
    return math.sqrt(a)


def check_logarithm(a: Datum) -> None:
    """2201E for zero and below."""
    if a == 0:
        raise InvalidArgumentForLogarithmError("cannot take logarithm of zero")
    if a < 0:
        raise InvalidArgumentForLogarithmError("cannot take logarithm of a negative number")


def _logarithm(compute: Callable[[float], float]) -> Callable[[float], float]:
    def run(a: float) -> float:
        check_logarithm(a)
        return compute(a)

    return run


def _exp(a: float) -> float:
    try:
        result = math.exp(a)
    except OverflowError:
        raise overflow() from None
    if result == 0.0 and a != -_INF:
        raise underflow()
    return result


def round_half_even(a: float) -> float:
    """round(double precision): to the nearest integer, halves to even."""
    if not math.isfinite(a):
        return a
    return math.copysign(float(round(a)), a)


def _whole(compute: Callable[[float], int]) -> Callable[[float], float]:
    """An integer function that keeps NaN, the infinities and the sign of zero."""
    return lambda a: math.copysign(float(compute(a)), a) if math.isfinite(a) else a


def _ceil(a: float) -> float:
    return float(math.ceil(a)) if math.isfinite(a) and (a <= -1 or a > 0) else (
        math.copysign(0.0, a) if math.isfinite(a) else a
    )  # fmt: skip


def _floor(a: float) -> float:
    return float(math.floor(a)) if math.isfinite(a) and a != 0 else a


def _sign(a: float) -> float:
    return float((a > 0) - (a < 0))


def _domain(compute: Callable[[float], float]) -> Callable[[float], float]:
    """A function whose arguments outside its domain are `input is out of range`."""

    def run(a: float) -> float:
        try:
            return compute(a)
        except ValueError:
            raise NumericValueOutOfRangeError("input is out of range") from None
        except OverflowError:
            raise overflow() from None

    return run


def _hyperbolic(compute: Callable[[float], float]) -> Callable[[float], float]:
    """A function that is infinite where it overflows, which is not an error of these two."""

    def run(a: float) -> float:
        try:
            return compute(a)
        except OverflowError:
            return math.copysign(_INF, compute(math.copysign(1.0, a)))

    return run


def _atanh(a: float) -> float:
    return math.copysign(_INF, a) if abs(a) == 1.0 else _domain(math.atanh)(a)


_RADIANS_PER_DEGREE = 0.0174532925199432957692

_ONE: list[tuple[str, Callable[[float], float]]] = [
    ("sqrt", _sqrt),
    ("cbrt", math.cbrt),
    ("exp", _exp),
    ("ln", _logarithm(math.log)),
    ("log", _logarithm(math.log10)),
    ("log10", _logarithm(math.log10)),
    ("round", round_half_even),
    ("trunc", _whole(math.trunc)),
    ("ceil", _ceil),
    ("ceiling", _ceil),
    ("floor", _floor),
    ("sign", _sign),
    ("degrees", lambda a: _divide(a, _RADIANS_PER_DEGREE)),
    ("radians", lambda a: _multiply(a, _RADIANS_PER_DEGREE)),
    *(
        (name, _domain(getattr(math, name)))
        for name in (
            "sin", "cos", "tan", "asin", "acos", "atan",
            "tanh", "asinh", "acosh",
        )
    ),
    ("sinh", _hyperbolic(math.sinh)),
    ("cosh", _hyperbolic(math.cosh)),
    ("atanh", _atanh),
]  # fmt: skip

OVERLOADS: tuple[Overload, ...] = (
    *_arithmetic(),
    *(o for t in (FLOAT4, FLOAT8) for o in _signs(t)),
    *(function(name, (FLOAT8,), FLOAT8, row) for name, row in _ONE),
    operator("^", (FLOAT8, FLOAT8), FLOAT8, power),
    operator("|/", (FLOAT8,), FLOAT8, _sqrt),
    operator("||/", (FLOAT8,), FLOAT8, math.cbrt),
    function("power", (FLOAT8, FLOAT8), FLOAT8, power),
    function("pow", (FLOAT8, FLOAT8), FLOAT8, power),
    function("atan2", (FLOAT8, FLOAT8), FLOAT8, math.atan2),
    function("pi", (), FLOAT8, lambda: math.pi),
    function("random", (), FLOAT8, random.random, volatility=Volatility.VOLATILE),
)
