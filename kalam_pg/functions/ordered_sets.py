"""Ordered-set aggregates: percentile_cont, percentile_disc and mode.

In every row the direct argument comes first, then the value; rows arrive sorted by it.
"""

import math
from collections.abc import Callable

from catalog.errors import NumericValueOutOfRangeError
from catalog.types.registry import ANYARRAY, ANYELEMENT, FLOAT8, INTERVAL, array_of
from catalog.types.table import PgType
from kalam_pg.functions.clock import pack_interval, unpack_interval
from kalam_pg.functions.comparison import comparer
from kalam_pg.functions.datetimes import scale_interval
from kalam_pg.functions.define import Datum, aggregate
from kalam_pg.functions.dimensions import with_each
from kalam_pg.functions.table import Overload

Group = list[tuple[Datum, ...]]
_FRACTIONS = array_of(FLOAT8) or FLOAT8


def _fraction(value: float) -> float:
    if not 0 <= value <= 1:
        shown = "NaN" if math.isnan(value) else f"{value:g}"
        raise NumericValueOutOfRangeError(f"percentile value {shown} is not between 0 and 1")
    return value


def _discrete(values: list[Datum], fraction: float) -> Datum:
    """The first value whose place reaches the fraction of all."""
    return values[max(1, math.ceil(fraction * len(values))) - 1]


def _continuous(between: Callable[[Datum, Datum, float], Datum]) -> Callable[..., Datum]:
    def run(values: list[Datum], fraction: float) -> Datum:
        place = fraction * (len(values) - 1)
        low, high = math.floor(place), math.ceil(place)
        if low == high:
            return values[low]
        return between(values[low], values[high], place - low)

    return run


def _between_floats(low: float, high: float, part: float) -> float:
    return low + part * (high - low)


def _between_intervals(low: bytes, high: bytes, part: float) -> bytes:
    a, b = unpack_interval(low), unpack_interval(high)
    whole = pack_interval(*(y - x for x, y in zip(a, b, strict=True)))
    step = unpack_interval(scale_interval(whole, part))
    return pack_interval(*(x + y for x, y in zip(a, step, strict=True)))


Pick = Callable[[list[Datum], float], Datum]


def _percentile(pick: Pick) -> Callable[[Group], Datum]:
    def run(rows: Group) -> Datum:
        if not rows or rows[0][0] is None:
            return None
        fraction = _fraction(rows[0][0])
        values = [row[1] for row in rows if row[1] is not None]
        return pick(values, fraction) if values else None

    return run


def _percentiles(pick: Pick) -> Callable[[Group], Datum]:
    """One value for each fraction of an array, in its shape; NULL for NULL."""

    def run(rows: Group) -> Datum:
        if not rows or rows[0][0] is None:
            return None
        values = [row[1] for row in rows if row[1] is not None]

        def of(item: Datum) -> Datum:
            return None if item is None else pick(values, _fraction(item))

        return with_each(rows[0][0], of) if values else None

    return run


def _mode(types: tuple[PgType, ...], rows: Group) -> Datum:
    compare = comparer(types[0])
    best, best_count, current, count = None, 0, None, 0
    for (value,) in rows:
        if value is None:
            continue
        count = count + 1 if count and compare(value, current) == 0 else 1
        current = value
        if count > best_count:
            best, best_count = value, count
    return best


_FLOATS, _SPANS = _continuous(_between_floats), _continuous(_between_intervals)
_SPAN_LIST = array_of(INTERVAL) or INTERVAL

OVERLOADS: tuple[Overload, ...] = (
    aggregate("percentile_disc", (FLOAT8, ANYELEMENT), ANYELEMENT, _percentile(_discrete)),
    aggregate("percentile_disc", (_FRACTIONS, ANYELEMENT), ANYARRAY, _percentiles(_discrete)),
    aggregate("percentile_cont", (FLOAT8, FLOAT8), FLOAT8, _percentile(_FLOATS)),
    aggregate("percentile_cont", (FLOAT8, INTERVAL), INTERVAL, _percentile(_SPANS)),
    aggregate("percentile_cont", (_FRACTIONS, FLOAT8), _FRACTIONS, _percentiles(_FLOATS)),
    aggregate("percentile_cont", (_FRACTIONS, INTERVAL), _SPAN_LIST, _percentiles(_SPANS)),
    aggregate("mode", (ANYELEMENT,), ANYELEMENT, _mode, needs_types=True),
)
