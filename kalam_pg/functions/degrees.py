"""The trigonometric functions that take or give degrees, exact where the answer is (float.c)."""

import math
from collections.abc import Callable

from catalog.errors import NumericValueOutOfRangeError
from catalog.types.registry import FLOAT8
from kalam_pg.functions.define import function
from kalam_pg.functions.table import Overload

_RADIAN = math.pi / 180.0
_SIN_30 = math.sin(30.0 * _RADIAN)
_ONE_MINUS_COS_60 = 1.0 - math.cos(60.0 * _RADIAN)
_ASIN_HALF = math.asin(0.5)
_ACOS_HALF = math.acos(0.5)
_ATAN_1 = math.atan(1.0)


def _out_of_range() -> NumericValueOutOfRangeError:
    return NumericValueOutOfRangeError("input is out of range")


def _sin_to_30(x: float) -> float:
    return (math.sin(x * _RADIAN) / _SIN_30) / 2.0


def _cos_to_60(x: float) -> float:
    return 1.0 - ((1.0 - math.cos(x * _RADIAN)) / _ONE_MINUS_COS_60) / 2.0


def _sin_to_90(x: float) -> float:
    return _sin_to_30(x) if x <= 30.0 else _cos_to_60(90.0 - x)


def _cos_to_90(x: float) -> float:
    return _cos_to_60(x) if x <= 60.0 else _sin_to_30(90.0 - x)


_TAN_45 = _sin_to_90(45.0) / _cos_to_90(45.0)
_COT_45 = _cos_to_90(45.0) / _sin_to_90(45.0)


def _turned(compute: Callable[[float], float]) -> Callable[[float], float]:
    """Of finite angles; NaN stays, an infinity is out of range."""

    def run(x: float) -> float:
        if math.isnan(x):
            return x
        if math.isinf(x):
            raise _out_of_range()
        return compute(math.fmod(x, 360.0))

    return run


def _sind(x: float) -> float:
    sign = 1.0
    if x < 0.0:
        x, sign = -x, -sign
    if x > 180.0:
        x, sign = 360.0 - x, -sign
    if x > 90.0:
        x = 180.0 - x
    return sign * _sin_to_90(x)


def _cosd(x: float) -> float:
    sign = 1.0
    x = abs(x)
    if x > 180.0:
        x = 360.0 - x
    if x > 90.0:
        x, sign = 180.0 - x, -sign
    return sign * _cos_to_90(x)


def _quarter(x: float) -> tuple[float, float]:
    """The angle brought to 0…90, and the sign of its tangent."""
    sign = 1.0
    if x < 0.0:
        x, sign = -x, -sign
    if x > 180.0:
        x, sign = 360.0 - x, -sign
    if x > 90.0:
        x, sign = 180.0 - x, -sign
    return x, sign


def _tand(x: float) -> float:
    x, sign = _quarter(x)
    below = _cos_to_90(x)
    if below == 0.0:
        return sign * math.copysign(math.inf, below)
    result = sign * ((_sin_to_90(x) / below) / _TAN_45)
    return result or 0.0  # never -0


def _cotd(x: float) -> float:
    x, sign = _quarter(x)
    below = _sin_to_90(x)
    if below == 0.0:
        return sign * math.copysign(math.inf, below)
    result = sign * ((_cos_to_90(x) / below) / _COT_45)
    return result or 0.0


def _asin_quarter(x: float) -> float:
    if x <= 0.5:
        return (math.asin(x) / _ASIN_HALF) * 30.0
    return 90.0 - (math.acos(x) / _ACOS_HALF) * 60.0


def _acos_quarter(x: float) -> float:
    if x <= 0.5:
        return 90.0 - (math.asin(x) / _ASIN_HALF) * 30.0
    return (math.acos(x) / _ACOS_HALF) * 60.0


def _asind(x: float) -> float:
    if math.isnan(x):
        return x
    if not -1.0 <= x <= 1.0:
        raise _out_of_range()
    return _asin_quarter(x) if x >= 0.0 else -_asin_quarter(-x)


def _acosd(x: float) -> float:
    if math.isnan(x):
        return x
    if not -1.0 <= x <= 1.0:
        raise _out_of_range()
    return _acos_quarter(x) if x >= 0.0 else 90.0 + _asin_quarter(-x)


def _atand(x: float) -> float:
    return x if math.isnan(x) else (math.atan(x) / _ATAN_1) * 45.0


def _atan2d(y: float, x: float) -> float:
    if math.isnan(x) or math.isnan(y):
        return math.nan
    return (math.atan2(y, x) / _ATAN_1) * 45.0


def _cot(x: float) -> float:
    if math.isnan(x):
        return x
    if math.isinf(x):
        raise _out_of_range()
    tangent = math.tan(x)
    return 1.0 / tangent if tangent else math.copysign(math.inf, tangent)


OVERLOADS: tuple[Overload, ...] = (
    function("sind", (FLOAT8,), FLOAT8, _turned(_sind)),
    function("cosd", (FLOAT8,), FLOAT8, _turned(_cosd)),
    function("tand", (FLOAT8,), FLOAT8, _turned(_tand)),
    function("cotd", (FLOAT8,), FLOAT8, _turned(_cotd)),
    function("asind", (FLOAT8,), FLOAT8, _asind),
    function("acosd", (FLOAT8,), FLOAT8, _acosd),
    function("atand", (FLOAT8,), FLOAT8, _atand),
    function("atan2d", (FLOAT8, FLOAT8), FLOAT8, _atan2d),
    function("cot", (FLOAT8,), FLOAT8, _cot),
)
