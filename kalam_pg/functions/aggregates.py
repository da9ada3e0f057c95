"""Aggregates. `row` takes one group as a list of argument tuples, NULLs included, in input order.

DISTINCT, FILTER and ORDER BY are the caller's: it gives the rows that count, in the order asked.
"""

import math
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate, islice
from operator import and_, or_, xor

from catalog.types.registry import (
    ANY,
    ANYARRAY,
    ANYENUM,
    ANYNONARRAY,
    BOOL,
    BPCHAR,
    BYTEA,
    DATE,
    FLOAT4,
    FLOAT8,
    INET,
    INT2,
    INT4,
    INT8,
    INTERVAL,
    MONEY,
    NUMERIC,
    OID,
    PG_LSN,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    TIMETZ,
)
from catalog.types.table import PgType
from kalam_pg.functions import decimals
from kalam_pg.functions.clock import pack_interval, unpack_interval
from kalam_pg.functions.comparison import compare_floats, comparer, three_way
from kalam_pg.functions.datetimes import divide_interval
from kalam_pg.functions.define import Datum, aggregate
from kalam_pg.functions.dimensions import gathered
from kalam_pg.functions.floats import overflow, to_real
from kalam_pg.functions.integers import out_of_range
from kalam_pg.functions.numeric_columns import average_lists, extreme_lists, sum_lists
from kalam_pg.functions.table import Overload

Group = list[tuple[Datum, ...]]


def values_of(rows: Iterable[tuple[Datum, ...]]) -> list[Datum]:
    """The first arguments that are not NULL."""
    return [row[0] for row in rows if row[0] is not None]


class OfValues:
    """An aggregate of the values that are not NULL; NULL when there are none.

    compute: of at least one such value.
    """

    __slots__ = ("compute",)

    def __init__(self, compute: Callable[[list[Datum]], Datum]) -> None:
        self.compute = compute

    def __call__(self, rows: Group) -> Datum:
        values = values_of(rows)
        return self.compute(values) if values else None


def _sum_bigint(values: list[int]) -> int:
    total = sum(values)
    if not -(2**63) <= total < 2**63:
        raise out_of_range(INT8)
    return total


def _total(values: Iterable[Datum]) -> Decimal:
    total = Decimal(0)
    scale = 0
    for value in values:
        number = Decimal(value)
        total = decimals.EXACT.add(total, number)
        if number.is_finite():
            scale = max(scale, -number.as_tuple().exponent)  # type: ignore[operator]
    return total if not total.is_finite() else decimals.round_to(total, scale)


def _sum_numeric(values: list[Datum]) -> str:
    return decimals.to_text(_total(values))


def _sum_integers(values: list[int]) -> str:
    return str(sum(values))


def _avg_integers(values: list[int]) -> str:
    return decimals.divide(str(sum(values)), str(len(values)))


def _avg_numeric(values: list[Datum]) -> str:
    return decimals.divide(_sum_numeric(values), str(len(values)))


def sum_floats(values: list[float]) -> float:
    """The plain running sum, as PostgreSQL adds; 22003 when it overflows, though NaN may follow."""
    total = values[0]  # -0 stays what it is.
    for value in values[1:]:
        total += value
    if not math.isfinite(total):
        for value in islice(accumulate(values), _until_not_finite(values)):
            if math.isinf(value):
                raise overflow()
    return total


def _until_not_finite(values: list[float]) -> int:
    return next((at for at, value in enumerate(values) if not math.isfinite(value)), len(values))


def mean_of_floats(total: float, count: int) -> float:
    """avg() begins with 0, so that -0 alone is 0; sum() with its first value."""
    return (0.0 + total) / count


def _avg_floats(values: list[float]) -> float:
    return mean_of_floats(sum_floats(values), len(values))


def _sum_intervals(values: list[bytes]) -> bytes:
    parts = [unpack_interval(v) for v in values]
    return pack_interval(*(sum(column) for column in zip(*parts, strict=True)))


def _extreme(pg_type: PgType, sign: int) -> Callable[[list[Datum]], Datum]:
    compare = comparer(pg_type)

    of_floats = compare is compare_floats
    if compare is three_way:
        return max if sign > 0 else min
    # Equal values may look different, 0 and -0, 1.0 and 1.00: all but bpchar_larger and bpchar_smaller
    # answer the last of them.
    least = 1 if pg_type is BPCHAR else 0

    def run(values: list[Datum]) -> Datum:
        if of_floats and not any(map(math.isnan, values)):
            best = max(values) if sign > 0 else min(values)
            return best or next(value for value in reversed(values) if value == 0)
        best = values[0]
        for value in values:
            if compare(value, best) * sign >= least:
                best = value
        return best

    return run


def _extreme_array(sign: int) -> Callable[..., Datum]:
    def run(types: tuple[PgType, ...], rows: Group) -> Datum:
        values = values_of(rows)
        return _extreme(types[0], sign)(values) if values else None

    return run


def _string_agg(rows: Group) -> Datum:
    pieces = [row for row in rows if row[0] is not None]
    if not pieces:
        return None
    result = pieces[0][0]
    parts = [result]
    for value, separator in pieces[1:]:
        if separator is not None:
            parts.append(separator)
        parts.append(value)
    return result[:0].join(parts)


def _array_agg(rows: Group) -> Datum:
    return tuple([row[0] for row in rows]) if rows else None


def _array_of_arrays(rows: Group) -> Datum:
    return gathered([array for (array,) in rows]) if rows else None


def _bits(combine: Callable[[int, int], int]) -> Callable[[list[int]], int]:
    def run(values: list[int]) -> int:
        result = values[0]
        for value in values[1:]:
            result = combine(result, value)
        return result

    return run


# ------------------------------------------------------------------ variance


def youngs_cramer(
    before: float, total: float, squares: float, value: float
) -> tuple[float, float, float]:
    """One value more of the number, the sum and the squared deviations of some: Youngs and Cramer.

    Raises:
        NumericValueOutOfRangeError: 22003, of finite values the sum or the squares are infinite.
    """
    count, new = before + 1.0, total + value
    if not before > 0.0:  # Nor is NaN, which a state can have.
        return count, new, squares if math.isfinite(value) else math.nan
    off = value * count - new
    squares += off * off / (count * before)
    if math.isinf(new) or math.isinf(squares):
        if not math.isinf(total) and not math.isinf(value):
            raise overflow()
        squares = math.nan
    return count, new, squares


def _float_variance(sample: bool, root: bool) -> Callable[[list[float]], float | None]:
    def run(values: list[float]) -> float | None:
        count = total = squares = 0.0
        for value in values:
            count, total, squares = youngs_cramer(count, total, squares, value)
        if sample and count < 2:
            return None
        result = squares / (count - 1 if sample else count)
        return math.sqrt(result) if root else result

    return run


def _numeric_variance(sample: bool, root: bool) -> Callable[[list[Datum]], str | None]:
    def run(values: list[Datum]) -> str | None:
        count = len(values)
        if sample and count < 2:
            return None
        numbers = [Decimal(v) for v in values]
        if not all(n.is_finite() for n in numbers):
            return "NaN"
        total = _total(numbers)
        squares = _total([decimals.EXACT.multiply(n, n) for n in numbers])
        top = decimals.EXACT.subtract(
            decimals.EXACT.multiply(squares, Decimal(count)), decimals.EXACT.multiply(total, total)
        )
        if top <= 0:
            return "0"
        bottom = Decimal(count * (count - 1) if sample else count * count)
        scale = decimals.division_scale(top, bottom)
        result = decimals.quotient(top, bottom, scale)
        if root:
            # With as many places as the variance has, which is rounded already.
            digits = decimals.EXACT.scaleb(result, 2 * scale + 4)
            half = Decimal(math.isqrt(int(digits))).scaleb(-scale - 2, context=decimals.EXACT)
            result = half.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, decimals.EXACT)
        return decimals.to_text(result)

    return run


_SPREADS = (
    ("variance", True, False),
    ("var_samp", True, False),
    ("var_pop", False, False),
    ("stddev", True, True),
    ("stddev_samp", True, True),
    ("stddev_pop", False, True),
)


def _spread() -> list[Overload]:
    rows = []
    for name, sample, root in _SPREADS:
        in_floats = OfValues(_float_variance(sample, root))
        in_numeric = OfValues(_numeric_variance(sample, root))
        rows += [aggregate(name, (t,), FLOAT8, in_floats) for t in (FLOAT4, FLOAT8)]
        rows += [aggregate(name, (t,), NUMERIC, in_numeric) for t in (INT2, INT4, INT8, NUMERIC)]
    return rows


_ORDERED = (
    INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC, TEXT, BPCHAR, OID,
    DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL, INET, ANYENUM, TIMETZ, MONEY, PG_LSN,
)  # fmt: skip

OVERLOADS: tuple[Overload, ...] = (
    aggregate("count", (), INT8, len),
    aggregate("count", (ANY,), INT8, lambda rows: len([1 for row in rows if row[0] is not None])),
    *(aggregate("sum", (t,), INT8, OfValues(_sum_bigint)) for t in (INT2, INT4)),
    aggregate("sum", (INT8,), NUMERIC, OfValues(_sum_integers)),
    aggregate("sum", (NUMERIC,), NUMERIC, OfValues(_sum_numeric), arrow=sum_lists),
    aggregate("sum", (FLOAT8,), FLOAT8, OfValues(sum_floats)),
    aggregate("sum", (FLOAT4,), FLOAT4, OfValues(lambda values: to_real(sum_floats(values)))),
    aggregate("sum", (INTERVAL,), INTERVAL, OfValues(_sum_intervals)),
    *(aggregate("avg", (t,), NUMERIC, OfValues(_avg_integers)) for t in (INT2, INT4, INT8)),
    aggregate("avg", (NUMERIC,), NUMERIC, OfValues(_avg_numeric), arrow=average_lists),
    *(aggregate("avg", (t,), FLOAT8, OfValues(_avg_floats)) for t in (FLOAT4, FLOAT8)),
    aggregate(
        "avg", (INTERVAL,), INTERVAL, OfValues(lambda v: divide_interval(_sum_intervals(v), len(v)))
    ),
    *(
        aggregate(
            name,
            (t,),
            t,
            OfValues(_extreme(t, sign)),
            arrow=extreme_lists(sign) if t is NUMERIC else None,
        )
        for name, sign in (("max", 1), ("min", -1))
        for t in _ORDERED
    ),
    aggregate("max", (ANYARRAY,), ANYARRAY, _extreme_array(1), needs_types=True),
    aggregate("min", (ANYARRAY,), ANYARRAY, _extreme_array(-1), needs_types=True),
    aggregate("bool_and", (BOOL,), BOOL, OfValues(all)),
    aggregate("every", (BOOL,), BOOL, OfValues(all)),
    aggregate("bool_or", (BOOL,), BOOL, OfValues(any)),
    aggregate("string_agg", (TEXT, TEXT), TEXT, _string_agg),
    aggregate("string_agg", (BYTEA, BYTEA), BYTEA, _string_agg),
    aggregate("array_agg", (ANYNONARRAY,), ANYARRAY, _array_agg),
    aggregate("array_agg", (ANYARRAY,), ANYARRAY, _array_of_arrays),
    *(
        aggregate(name, (t,), t, OfValues(_bits(combine)))
        for name, combine in (("bit_and", and_), ("bit_or", or_), ("bit_xor", xor))
        for t in (INT2, INT4, INT8)
    ),
    *_spread(),
)
