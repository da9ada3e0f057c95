"""money: arithmetic, casts, and the amount in words."""

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal

from catalog.errors import (
    DivisionByZeroError,
    FeatureNotSupportedError,
    NumericValueOutOfRangeError,
)
from catalog.types.money import DIGITS, MONEY_MAX, MONEY_MIN
from catalog.types.registry import FLOAT4, FLOAT8, INT2, INT4, INT8, MONEY, NUMERIC, TEXT
from catalog.types.table import PgType
from kalam_pg.functions.define import Datum, aggregate, cast, function, operator
from kalam_pg.functions.table import Overload, Volatility

_SCALE = 10**DIGITS


def _checked(cents: int) -> int:
    """Raise 22003 where PostgreSQL 15 would go on with other digits."""
    if not MONEY_MIN <= cents <= MONEY_MAX:
        raise NumericValueOutOfRangeError("money out of range")
    return cents


def _rounded(value: float) -> int:
    """As rint(): to the nearest even."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 -- NaN
        raise NumericValueOutOfRangeError("money out of range")
    return _checked(round(value))


def _times_float(cents: int, factor: float) -> int:
    return _rounded(cents * factor)


def _times_integer(cents: int, factor: int) -> int:
    return _checked(cents * factor)


def _by_float(cents: int, divisor: float) -> int:
    if divisor == 0:
        raise DivisionByZeroError("division by zero")
    return _rounded(cents / divisor)


def _by_integer(cents: int, divisor: int) -> int:
    if divisor == 0:
        raise DivisionByZeroError("division by zero")
    quotient = abs(cents) // abs(divisor)
    return _checked(quotient if (cents < 0) == (divisor < 0) else -quotient)


def _ratio(cents: int, others: int) -> float:
    if others == 0:
        raise DivisionByZeroError("division by zero")
    return float(cents) / float(others)


def _from_numeric(text: str) -> int:
    number = Decimal(text)
    if not number.is_finite():
        what = "NaN" if number.is_nan() else "infinity"
        raise FeatureNotSupportedError(f"cannot convert {what} to bigint")
    cents = int((number * _SCALE).to_integral_value(ROUND_HALF_UP))
    if not MONEY_MIN <= cents <= MONEY_MAX:
        raise NumericValueOutOfRangeError("bigint out of range")
    return cents


def _to_numeric(cents: int) -> str:
    whole, rest = divmod(abs(cents), _SCALE)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:0{DIGITS}d}"


def _from_integer(units: int) -> int:
    cents: int = units * _SCALE
    if not MONEY_MIN <= cents <= MONEY_MAX:
        raise NumericValueOutOfRangeError("bigint out of range")
    return cents


def _sum(rows: Sequence[tuple[Datum, ...]]) -> int | None:
    found: list[int] = [value for (value,) in rows if value is not None]
    if not found:
        return None
    total = 0
    for value in found:  # Each sum on the way has to be money, as PostgreSQL adds.
        total = _checked(total + value)
    return total


# ------------------------------------------------------------------ in words

_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = (
    "zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
_GROUPS = ("", " thousand", " million", " billion", " trillion", " quadrillion")


def _below_thousand(number: int) -> str:
    """As num_word(): 123 is "one hundred twenty three", 121 of a hundred "twenty-one"."""
    tens = number % 100
    if number <= 20:
        return _small(number)
    if not tens:
        return f"{_SMALL[number // 100]} hundred"
    if number > 99:
        head = f"{_SMALL[number // 100]} hundred"
        if number % 10 == 0 and tens > 10:
            return f"{head} {_TENS[tens // 10]}"
        if tens < 20:
            return f"{head} and {_small(tens)}"
        return f"{head} {_TENS[tens // 10]} {_SMALL[tens % 10]}"
    if number % 10 == 0 and tens > 10:
        return _TENS[tens // 10]
    if tens < 20:
        return _small(tens)
    return f"{_TENS[tens // 10]} {_SMALL[tens % 10]}"


def _small(number: int) -> str:
    return "twenty" if number == 20 else _SMALL[number]


def _words(cents: int) -> str:
    """As cash_words()."""
    whole, rest = divmod(abs(cents), _SCALE)
    groups = [whole // 1000**power % 1000 for power in range(5, -1, -1)]
    parts = ["minus "] if cents < 0 else []
    for number, name in zip(groups[:-1], _GROUPS[:0:-1], strict=True):
        if number:
            parts.append(f"{_below_thousand(number)}{name} ")
    if groups[-1]:
        parts.append(_below_thousand(groups[-1]))
    if not whole:
        parts.append("zero")
    parts.append(" dollar and " if whole == 1 else " dollars and ")
    parts.append(_below_thousand(rest))
    parts.append(" cent" if rest == 1 else " cents")
    text = "".join(parts)
    return text[0].upper() + text[1:]


# ------------------------------------------------------------------ operators


def _products() -> list[Overload]:
    found: list[Overload] = []
    kinds: tuple[tuple[tuple[PgType, ...], Callable[..., int], Callable[..., int]], ...] = (
        ((FLOAT4, FLOAT8), _times_float, _by_float),
        ((INT2, INT4, INT8), _times_integer, _by_integer),
    )
    for types, times, by in kinds:
        for other in types:
            found += [
                operator("*", (MONEY, other), MONEY, times),
                operator("*", (other, MONEY), MONEY, lambda a, b, times=times: times(b, a)),
                operator("/", (MONEY, other), MONEY, by),
            ]
    return found


OVERLOADS: tuple[Overload, ...] = (
    operator("+", (MONEY, MONEY), MONEY, lambda a, b: _checked(a + b)),
    operator("-", (MONEY, MONEY), MONEY, lambda a, b: _checked(a - b)),
    operator("/", (MONEY, MONEY), FLOAT8, _ratio),
    *_products(),
    cast(NUMERIC, MONEY, "a", _from_numeric, volatility=Volatility.STABLE),
    cast(MONEY, NUMERIC, "a", _to_numeric, volatility=Volatility.STABLE),
    cast(INT4, MONEY, "a", _from_integer, volatility=Volatility.STABLE),
    cast(INT8, MONEY, "a", _from_integer, volatility=Volatility.STABLE),
    function("cash_words", (MONEY,), TEXT, _words),
    function("cashlarger", (MONEY, MONEY), MONEY, max),
    function("cashsmaller", (MONEY, MONEY), MONEY, min),
    function("money", (NUMERIC,), MONEY, _from_numeric, volatility=Volatility.STABLE),
    aggregate("sum", (MONEY,), MONEY, _sum),
)
