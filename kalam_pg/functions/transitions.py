"""The steps of PostgreSQL's aggregates that its catalogue has as functions.

The sums are those of Youngs and Cramer, in PostgreSQL's order of operations, so that the last bit agrees.
"""

import math

from catalog.errors import InvalidParameterValueError
from catalog.types.registry import (
    ANY,
    BOOL,
    BPCHAR,
    DATE,
    FLOAT4,
    FLOAT8,
    INET,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    NUMERIC,
    OID,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    TIMETZ,
    array_of,
)
from kalam_pg.functions import decimals
from kalam_pg.functions.aggregates import OVERLOADS as AGGREGATES
from kalam_pg.functions.aggregates import youngs_cramer
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.dimensions import array_shape, items_of, lower_bounds, with_bounds
from kalam_pg.functions.floats import overflow
from kalam_pg.functions.integers import out_of_range
from kalam_pg.functions.regressions import Sums
from kalam_pg.functions.table import Overload

_FLOATS = array_of(FLOAT8) or FLOAT8
_BIGINTS = array_of(INT8) or INT8


def _state(state: Datum, name: str, size: int) -> tuple[float, ...]:
    items: tuple[float, ...] = items_of(state)
    if array_shape(state) != [size] or None in items:
        raise InvalidParameterValueError(f"{name}: expected {size}-element float8 array")
    return items


def _accum(state: Datum, value: float) -> tuple[float, ...]:
    before, total, squares = _state(state, "float8_accum", 3)
    return youngs_cramer(before, total, squares, value)


def _combine(one: Datum, other: Datum) -> tuple[float, ...]:
    n, x, xx = _state(one, "float8_combine", 3)
    m, y, yy = _state(other, "float8_combine", 3)
    if n == 0.0:
        return m, y, yy
    if m == 0.0:
        return n, x, xx
    return n + m, _sum(x, y), _squares(n, m, (x, x, xx), (y, y, yy))


def _sum(x: float, y: float) -> float:
    total = x + y
    if math.isinf(total) and not math.isinf(x) and not math.isinf(y):
        raise overflow()
    return total


_Part = tuple[float, float, float]
"""Of some rows: two sums, and the sum of the products of their deviations."""


def _squares(n: float, m: float, one: _Part, other: _Part) -> float:
    """The products of deviations of n rows and of m others together."""
    first = one[0] / n - other[0] / m
    second = one[1] / n - other[1] / m
    total = one[2] + other[2] + n * m * first * second / (n + m)
    if math.isinf(total) and not math.isinf(one[2]) and not math.isinf(other[2]):
        raise overflow()
    return total


def _pairs_accum(state: Datum, y: float, x: float) -> tuple[float, ...]:
    n, sum_x, xx, sum_y, yy, xy = _state(state, "float8_regr_accum", 6)
    sums = Sums(n, sum_x, xx, sum_y, yy, xy)
    sums.add(y, x)
    return sums.count, sums.x, sums.xx, sums.y, sums.yy, sums.xy


def _pairs_combine(one: Datum, other: Datum) -> tuple[float, ...]:
    a, b = _state(one, "float8_regr_combine", 6), _state(other, "float8_regr_combine", 6)
    if a[0] == 0.0:
        return b
    if b[0] == 0.0:
        return a
    n, m = a[0], b[0]
    return (
        n + m,
        _sum(a[1], b[1]),
        _squares(n, m, (a[1], a[1], a[2]), (b[1], b[1], b[2])),
        _sum(a[3], b[3]),
        _squares(n, m, (a[3], a[3], a[4]), (b[3], b[3], b[4])),
        _squares(n, m, (a[1], a[3], a[5]), (b[1], b[3], b[5])),
    )


# ------------------------------------------------------------------ counting and adding whole numbers


def _bigint(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise out_of_range(INT8)
    return value


def _integer(value: int) -> int:
    if not -(2**31) <= value < 2**31:
        raise out_of_range(INT4)
    return value


def _wrapped(value: int) -> int:
    """A sum as PostgreSQL's aggregates keep it, without a look at its 64 bits: no table has so many rows."""
    return (value + 2**63) % 2**64 - 2**63


def _count_and_total(state: Datum) -> tuple[int, int]:
    items: tuple[int, int] = items_of(state)
    if array_shape(state) != [2] or None in items:
        raise InvalidParameterValueError("expected 2-element int8 array")
    return items


def _average_accum(state: Datum, value: int) -> Datum:
    before, sum_before = _count_and_total(state)
    # PostgreSQL changes the array in its place, which begins where it began.
    count, total = _wrapped(before + 1), _wrapped(sum_before + value)
    return with_bounds((count, total), lower_bounds(state))


def _average(state: Datum) -> str | None:
    count, total = _count_and_total(state)
    return decimals.divide(str(total), str(count)) if count else None


def _summed(total: int | None, value: int | None) -> int | None:
    """Not STRICT: a sum of nothing but NULLs is NULL."""
    if total is None or value is None:
        return value if total is None else total
    return _wrapped(total + value)


_COUNTS: tuple[Overload, ...] = (
    function("int4inc", (INT4,), INT4, lambda n: _integer(n + 1)),
    function("int8inc", (INT8,), INT8, lambda n: _bigint(n + 1)),
    function("int8dec", (INT8,), INT8, lambda n: _bigint(n - 1)),
    function("int8inc_any", (INT8, ANY), INT8, lambda n, _value: _bigint(n + 1)),
    function("int8dec_any", (INT8, ANY), INT8, lambda n, _value: _bigint(n - 1)),
    function("int8_avg", (_BIGINTS,), NUMERIC, _average),
    *(
        function(f"{t.name}_avg_accum", (_BIGINTS, t), _BIGINTS, _average_accum)
        for t in (INT2, INT4)
    ),
    *(function(f"{t.name}_sum", (INT8, t), INT8, _summed, strict=False) for t in (INT2, INT4)),
)


# ------------------------------------------------------------------ the larger and the smaller of two

_NAMES = {
    **{t: f"{t.name}{{}}" for t in (INT2, INT4, INT8, FLOAT4, FLOAT8, OID)},
    **{t: f"{t.name}_{{}}" for t in (NUMERIC, TEXT, BPCHAR, DATE, TIME, TIMETZ)},
    **{t: f"{t.name}_{{}}" for t in (TIMESTAMP, TIMESTAMPTZ, INTERVAL)},
    INET: "network_{}",
}
"""How PostgreSQL calls the functions behind MIN and MAX of a type."""


def _of_two(made: Overload) -> Overload:
    """The function that an extreme is made with."""
    of, row = made.args[0], made.row
    assert row is not None
    name = _NAMES[of].format("larger" if made.name == "max" else "smaller")
    return function(name, (of, of), of, lambda one, other: row([(one,), (other,)]))


_OF_TWO = tuple(
    [_of_two(a) for a in AGGREGATES if a.name in {"min", "max"} and a.args[0] in _NAMES]
)

OVERLOADS: tuple[Overload, ...] = (
    *_COUNTS,
    *_OF_TWO,
    function("float8_accum", (_FLOATS, FLOAT8), _FLOATS, _accum),
    function("float8_combine", (_FLOATS, _FLOATS), _FLOATS, _combine),
    function("float8_regr_accum", (_FLOATS, FLOAT8, FLOAT8), _FLOATS, _pairs_accum),
    function("float8_regr_combine", (_FLOATS, _FLOATS), _FLOATS, _pairs_combine),
    function("booland_statefunc", (BOOL, BOOL), BOOL, lambda a, b: a and b),
    function("boolor_statefunc", (BOOL, BOOL), BOOL, lambda a, b: a or b),
)
