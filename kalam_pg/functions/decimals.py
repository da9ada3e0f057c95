"""Arithmetic on numeric's stored form (canonical text), by PostgreSQL's rules of scale.

The display scale is the number of digits after the point in the text. Decimal keeps it as its
exponent, so sums and products get PostgreSQL's scale for nothing; quotients and roots are scaled as
`select_div_scale` and its neighbours in PostgreSQL's numeric.c do, in base-10000 digits.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal

from catalog.errors import (
    DivisionByZeroError,
    FeatureNotSupportedError,
    NumericValueOutOfRangeError,
)

# Room for the 131072 digits before and 16383 after the point that PostgreSQL allows. No traps:
# NaN and the infinities take part as values.
EXACT = Context(prec=300_000, rounding=ROUND_HALF_UP, Emax=999_999, Emin=-999_999, traps=[])
_MAX_WEIGHT = 131_071  # the highest power of ten a numeric can hold
_MIN_SIGNIFICANT = 16  # NUMERIC_MIN_SIG_DIGITS
_MAX_SCALE = 1000  # NUMERIC_MAX_DISPLAY_SCALE
_LIMIT_SCALE = 16383  # NUMERIC_DSCALE_MAX


def to_text(value: Decimal) -> str:
    """The canonical text of a result; 22003 when it is too large."""
    if value.is_finite():
        if not value:
            value = value.copy_abs()
        elif value.adjusted() > _MAX_WEIGHT:
            raise NumericValueOutOfRangeError("value overflows numeric format")
        if value.as_tuple().exponent > 0:  # type: ignore[operator] # finite: an int
            value = value.quantize(Decimal(1), context=EXACT)
        return format(value, "f")
    return "NaN" if value.is_nan() else ("Infinity" if value > 0 else "-Infinity")


def scale_of(text: str) -> int:
    """The display scale."""
    point = text.find(".")
    return 0 if point < 0 else len(text) - point - 1


def round_to(value: Decimal, scale: int, rounding: str = ROUND_HALF_UP) -> Decimal:
    """Round to `scale` digits after the point (negative: before it); never keeps a negative scale."""
    if not value.is_finite():
        return value
    if scale < 0 and -scale > value.adjusted() + 2:
        return Decimal(0)
    result = value.quantize(Decimal(1).scaleb(-scale), rounding=rounding, context=EXACT)
    return result if scale >= 0 else result.quantize(Decimal(1), context=EXACT)


def add(a: str, b: str) -> str:
    """A + b."""
    return to_text(EXACT.add(Decimal(a), Decimal(b)))


def subtract(a: str, b: str) -> str:
    """A - b."""
    return to_text(EXACT.subtract(Decimal(a), Decimal(b)))


def multiply(a: str, b: str) -> str:
    """A * b."""
    result = EXACT.multiply(Decimal(a), Decimal(b))
    if result.is_finite() and -result.as_tuple().exponent > _LIMIT_SCALE:  # type: ignore[operator]
        result = round_to(result, _LIMIT_SCALE)
    return to_text(result)


def _weight(value: Decimal) -> tuple[int, int]:
    """Weight and value of the first base-10000 digit."""
    if not value:
        return 0, 0
    power = value.adjusted()
    weight = power // 4
    digits = "".join(map(str, value.as_tuple().digits))
    count = power - 4 * weight + 1
    return weight, int(digits[:count].ljust(count, "0"))


def division_scale(a: Decimal, b: Decimal) -> int:
    """The scale PostgreSQL gives the quotient."""
    weight_a, first_a = _weight(a)
    weight_b, first_b = _weight(b)
    weight = weight_a - weight_b - (first_a <= first_b)
    scale = max(_MIN_SIGNIFICANT - 4 * weight, _scale(a), _scale(b), 0)
    return min(scale, _MAX_SCALE)


def _scale(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def quotient(a: Decimal, b: Decimal, scale: int, *, truncate: bool = False) -> Decimal:
    """A / b rounded half away from zero (or truncated) to `scale` digits; both finite, b not 0."""
    sign_a, _, exponent_a = a.as_tuple()
    sign_b, _, exponent_b = b.as_tuple()
    assert isinstance(exponent_a, int)
    assert isinstance(exponent_b, int)
    top = int(a.copy_abs().scaleb(-exponent_a, context=EXACT))
    bottom = int(b.copy_abs().scaleb(-exponent_b, context=EXACT))
    shift = exponent_a - exponent_b + scale
    if shift >= 0:
        top *= 10**shift
    else:
        bottom *= 10**-shift
    whole, rest = divmod(top, bottom)
    if not truncate and 2 * rest >= bottom:
        whole += 1
    result = Decimal(whole).scaleb(-scale, context=EXACT)
    return result.copy_negate() if sign_a != sign_b else result


def divide(a: str, b: str) -> str:
    """A / b."""
    x, y = Decimal(a), Decimal(b)
    if not x.is_finite() or not y.is_finite():
        if not x.is_nan() and not y:
            raise DivisionByZeroError("division by zero")
        if x.is_finite() and y.is_infinite():
            return "0"
        return to_text(EXACT.divide(x, y))
    if not y:
        raise DivisionByZeroError("division by zero")
    return to_text(quotient(x, y, division_scale(x, y)))


def modulo(a: str, b: str) -> str:
    """A % b, with the sign of a."""
    x, y = Decimal(a), Decimal(b)
    if not x.is_nan() and not y.is_nan():
        if not y:
            raise DivisionByZeroError("division by zero")
        if x.is_infinite():
            return "NaN"
        if y.is_infinite():
            return a
        scale = max(_scale(x), _scale(y))
        return to_text(round_to(EXACT.remainder(x, y), scale))
    return "NaN"


def divide_integer(a: str, b: str) -> str:
    """What SQL calls div: the quotient truncated to an integer."""
    x, y = Decimal(a), Decimal(b)
    if x.is_nan() or y.is_nan():
        return "NaN"
    if not y:
        raise DivisionByZeroError("division by zero")
    if x.is_infinite():
        return to_text(EXACT.divide(x, y))
    if y.is_infinite():
        return "0"
    return to_text(quotient(x, y, 0, truncate=True))


def negate(a: str) -> str:
    """-a."""
    return to_text(Decimal(a).copy_negate()) if a != "NaN" else a


def absolute(a: str) -> str:
    """abs(a)."""
    return a.lstrip("-")


def round_text(a: str, digits: int = 0) -> str:
    """round(a, digits): half away from zero."""
    return to_text(round_to(Decimal(a), max(-_MAX_WEIGHT - 2, min(_LIMIT_SCALE, digits))))


def truncate_text(a: str, digits: int = 0) -> str:
    """trunc(a, digits)."""
    scale = max(-_MAX_WEIGHT - 1, min(_LIMIT_SCALE, digits))
    return to_text(round_to(Decimal(a), scale, ROUND_DOWN))


def ceiling(a: str) -> str:
    """The smallest integer not below a."""
    return to_text(round_to(Decimal(a), 0, ROUND_CEILING))


def floor(a: str) -> str:
    """The largest integer not above a."""
    return to_text(round_to(Decimal(a), 0, ROUND_FLOOR))


def apply_typmod(a: str, typmod: int) -> str:
    """Round to numeric(p, s) and check its range: 22003 `numeric field overflow`."""
    if typmod < 4:
        return a
    precision, scale = (typmod - 4) >> 16 & 0xFFFF, (typmod - 4) & 0x7FF
    if scale > 1023:  # PostgreSQL 15's negative scales: eleven bits, signed
        scale -= 2048
    value = Decimal(a)
    if value.is_nan():
        return a
    if value.is_infinite():
        raise NumericValueOutOfRangeError(
            "numeric field overflow",
            detail=f"A field with precision {precision}, scale {scale}"
            " cannot hold an infinite value.",
        )
    rounded = round_to(value, scale)
    if rounded and rounded.adjusted() >= precision - scale:
        bound = f"10^{precision - scale}" if precision != scale else "1"
        raise NumericValueOutOfRangeError(
            "numeric field overflow",
            detail=f"A field with precision {precision}, scale {scale}"
            f" must round to an absolute value less than {bound}.",
        )
    return to_text(rounded)


def compare(a: str, b: str) -> int:
    """-1, 0 or 1; NaN equals itself and is above everything."""
    if a == b:
        return 0
    x, y = Decimal(a), Decimal(b)
    if x.is_nan() or y.is_nan():
        return int(x.is_nan()) - int(y.is_nan())
    return (x > y) - (x < y)


def to_integer(a: str, low: int, high: int, name: str) -> int:
    """Round to an integer type's range; the words are PostgreSQL's own."""
    value = Decimal(a)
    if not value.is_finite():
        what = "NaN" if value.is_nan() else "infinity"
        raise FeatureNotSupportedError(f"cannot convert {what} to {name}")
    result = int(round_to(value, 0))
    if not low <= result <= high:
        raise NumericValueOutOfRangeError(f"{name} out of range")
    return result


def from_float(value: float, digits: int) -> str:
    """A real (6 digits) or double precision (15 digits) as numeric."""
    if value != value:  # noqa: PLR0124 # NaN is the one value unequal to itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return to_text(Decimal(f"{value:.{digits}g}"))
