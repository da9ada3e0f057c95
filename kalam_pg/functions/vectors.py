"""Arrow implementations: whole columns at once, with the same answers and errors as the rows'."""

import math
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from catalog.errors import DivisionByZeroError, NumericValueOutOfRangeError
from kalam_pg.functions.define import Datum

_NAMES = {pa.int16(): "smallint", pa.int32(): "integer", pa.int64(): "bigint"}
_INTEGERS = {21: pa.int16(), 23: pa.int32(), 20: pa.int64()}  # int2, int4, int8 by OID


_STEPS_US = {
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
}
_CALENDAR = {"week": "week", "month": "month", "quarter": "quarter", "year": "year"}
# What Arrow's calendar is known to be right for: years 1 to 9999.
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999


def truncated_timestamps(units: Datum, values: Datum) -> Datum | None:
    """date_trunc of a column of timestamps; None when the rows must do it one by one."""
    unit = units[0].as_py() if len(units) else None
    if unit is None or units.null_count or not pc.all(pc.equal(units, unit)).as_py():
        return None
    unit = unit.lower()
    plain = values.cast(pa.int64())
    if unit in _STEPS_US and len(values):
        # Integer division truncates; timestamps before 1970 must go down.
        step = _STEPS_US[unit]
        bounds = pc.min_max(plain)
        low, high = bounds["min"].as_py(), bounds["max"].as_py()
        if low is None or (low >= 0 and high <= _LAST_US):
            return pc.multiply(pc.divide(plain, step), step).cast(values.type)
    if unit not in _STEPS_US and unit not in _CALENDAR:
        return None
    bounds = pc.min_max(plain)
    low, high = bounds["min"].as_py(), bounds["max"].as_py()
    if low is not None and (low < _FIRST_US or high > _LAST_US):
        return None
    floor = pc.floor_temporal(plain.cast(pa.timestamp("us")), unit=unit, week_starts_monday=True)
    return floor.cast(values.type)


def integer(kernel: str, result_oid: int) -> Callable[..., Datum]:
    """An overflow-checked arithmetic kernel ("add", "subtract" …) on one integer type."""
    compute = getattr(pc, f"{kernel}_checked")
    target = _INTEGERS[result_oid]

    def run(*args: Datum) -> Datum:
        try:
            return compute(*[a if a.type == target else a.cast(target) for a in args])
        except pa.ArrowInvalid as error:
            if "divide by zero" in str(error):
                raise DivisionByZeroError("division by zero") from None
            raise NumericValueOutOfRangeError(f"{_NAMES[target]} out of range") from None

    return run


def remainder(left: Datum, right: Datum) -> Datum:
    """The remainder of integers of one type, with the sign of the left ones."""
    # By -1 it is 0, and the quotient of the least integer would overflow.
    least = pc.equal(right, -1)
    divisor = pc.if_else(least, pa.scalar(1, right.type), right) if _any(least) else right
    try:
        return pc.subtract(left, pc.multiply(pc.divide_checked(left, divisor), divisor))
    except pa.ArrowInvalid:
        raise DivisionByZeroError("division by zero") from None


def floating(kernel: str, *, real: bool) -> Callable[[Datum, Datum], Datum | None]:
    """Arithmetic of floats ("add", "subtract", "multiply", "divide"); real: with a result of 32 bits.

    None where a result is infinite, or zero of what is not, or a divisor is zero: the rows know the error.
    """
    compute = getattr(pc, kernel)

    def run(left: Datum, right: Datum) -> Datum | None:
        a, b = _double(left), _double(right)
        if kernel == "divide" and _any(pc.equal(b, 0.0)):
            return None
        exact = compute(a, b)
        result = exact.cast(pa.float32(), safe=False) if real else exact
        if not _has_finite_sum(result) and _any(pc.is_inf(result)):
            return None
        if not real and kernel not in _MAY_VANISH:
            return result
        zero = pc.equal(result, 0.0)
        if not _any(zero):
            return result
        if real and _any(pc.and_(zero, pc.not_equal(exact, 0.0))):
            return None
        if kernel in _MAY_VANISH:
            vanished = pc.and_(zero, pc.not_equal(a, 0.0))
            if kernel == "multiply":
                vanished = pc.and_(vanished, pc.not_equal(b, 0.0))
            if _any(vanished):
                return None
        return result

    return run


def _double(values: Datum) -> Datum:
    return values if values.type == pa.float64() else values.cast(pa.float64())


def _has_finite_sum(values: Datum) -> bool:
    """Whether surely none of them is infinite or NaN: the sum is the quickest look at all."""
    total = pc.sum(values).as_py()
    return total is None or math.isfinite(total)


_MAY_VANISH = frozenset({"multiply", "divide"})


def _any(mask: Datum) -> bool:
    return pc.any(mask).as_py() is True
