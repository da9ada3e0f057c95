"""Operators and functions on numeric; `decimals` has the arithmetic."""

from decimal import Context, Decimal
from fractions import Fraction
from math import factorial, gcd, isqrt

from catalog.errors import (
    DivisionByZeroError,
    InvalidArgumentForPowerFunctionError,
    NumericValueOutOfRangeError,
)
from catalog.types.registry import FLOAT8, INT4, INT8, NUMERIC
from kalam_pg.functions import decimals
from kalam_pg.functions.define import function, operator
from kalam_pg.functions.floats import check_logarithm
from kalam_pg.functions.integers import width_bucket
from kalam_pg.functions.numeric_columns import arithmetic
from kalam_pg.functions.table import Overload

_N = NUMERIC


def _scale(text: str) -> int | None:
    return None if text[-1] in "Ny" else decimals.scale_of(text)


def trim_scale(text: str) -> str:
    """Drop zeros after the point."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _min_scale(text: str) -> int | None:
    return None if text[-1] in "Ny" else decimals.scale_of(trim_scale(text))


def _sign(text: str) -> str:
    value = Decimal(text)
    if value.is_nan():
        return text
    return str((value > 0) - (value < 0))


def _factorial(n: int) -> str:
    if n < 0:
        raise NumericValueOutOfRangeError("factorial of a negative number is undefined")
    if n > 32177:
        raise NumericValueOutOfRangeError("value overflows numeric format")
    return str(Decimal(factorial(n)))


def sqrt(text: str) -> str:
    """Square root with at least 16 significant digits, as numeric_sqrt scales it."""
    value = Decimal(text)
    if value.is_nan() or value == Decimal("Infinity"):
        return text
    if value < 0:
        raise InvalidArgumentForPowerFunctionError("cannot take square root of a negative number")
    weight = value.adjusted() // 4 if value else 0
    # numeric_sqrt: sweight = (weight + 1) * DEC_DIGITS / 2 - 1, rscale = 16 - sweight.
    half = (weight + 1) * 4 // 2 - 1 if weight >= -1 else -((-(weight + 1) * 4) // 2) - 1
    scale = max(16 - half, decimals.scale_of(text), 0)
    scale = min(scale, 1000)
    shifted = int(value.scaleb(2 * scale + 2, context=decimals.EXACT))
    root = isqrt(shifted)  # one digit more than asked
    return decimals.to_text(
        decimals.round_to(Decimal(root).scaleb(-scale - 1, context=decimals.EXACT), scale)
    )


def _power(a: str, b: str) -> str:
    x, y = Decimal(a), Decimal(b)
    if x.is_nan() or y.is_nan():
        return "1" if y == 0 or x == 1 else "NaN"
    if not x and y < 0:
        raise InvalidArgumentForPowerFunctionError("zero raised to a negative power is undefined")
    whole = y.is_infinite() or y == y.to_integral_value()
    if x < 0 and not whole:
        raise InvalidArgumentForPowerFunctionError(
            "a negative number raised to a non-integer power yields a complex result"
        )
    if x.is_infinite() or y.is_infinite():
        return _infinite_power(x, y)
    if not y:
        return decimals.round_text("1", max(decimals.scale_of(a), 16))
    return power_finite(x, y, whole=whole)


def _infinite_power(x: Decimal, y: Decimal) -> str:
    """With an infinity on either side, as POSIX has it for pow(); numeric has no -0."""
    size = x.copy_abs()
    if size == 1 or not y:
        return "1"
    if y.is_infinite():
        return "Infinity" if (size > 1) == (y > 0) else "0"
    if y < 0:
        return "0"
    return "-Infinity" if x < 0 and int(y) % 2 else "Infinity"


_EXP_MAX_DIGITS = Decimal(6020) * Decimal("0.434294481903252")
"""PostgreSQL's guard against an overflow where it goes by the logarithm, in decimal digits."""


def power_finite(x: Decimal, y: Decimal, *, whole: bool) -> str:
    """X ^ y by numeric_power's rules of scale."""
    scale = max(decimals.scale_of(format(x, "f")), decimals.scale_of(format(y, "f")))
    base_scale = decimals.scale_of(format(x, "f"))
    odd = whole and int(y) % 2
    whole = whole and -(2**31) <= y < 2**31  # Multiplied; others go by the logarithm.
    if not x:
        return decimals.to_text(decimals.round_to(Decimal(0), max(base_scale, 16) if whole else 16))
    # The logarithm of what is near 1 is in the base's last digits.
    work = Context(prec=60 + len(x.as_tuple().digits), Emax=999_999, Emin=-999_999, traps=[])
    estimate = work.multiply(work.log10(x.copy_abs()), y)
    if estimate > (131_072 if whole else _EXP_MAX_DIGITS):
        raise NumericValueOutOfRangeError("value overflows numeric format")
    if not whole and estimate < -_EXP_MAX_DIGITS:
        return decimals.round_text("0", 1000)
    digits = int(estimate)
    rscale = max(16, base_scale) if whole else max(16 - digits, scale, 0)
    rscale = min(rscale, 1000)
    work = Context(
        prec=max(60, rscale + max(0, digits) + 30), Emax=999_999, Emin=-999_999, traps=[]
    )
    result = work.power(x.copy_abs(), y)
    if x < 0 and odd:
        result = result.copy_negate()
    return decimals.to_text(decimals.round_to(result, rscale))


def _estimate_ln(x: Decimal) -> int:
    """Weight in decimal digits of ln(x), as estimate_ln_dweight guesses it."""
    if Decimal("0.9") <= x <= Decimal("1.1"):
        y = decimals.EXACT.subtract(x, Decimal(1))
        return y.adjusted() if y else 0
    work = Context(prec=20, Emax=999_999, Emin=-999_999, traps=[])
    value = abs(work.ln(x))
    return int(work.log10(value)) if value else 0


def ln(text: str) -> str:
    """Natural logarithm."""
    x = Decimal(text)
    if x.is_nan():
        return text
    check_logarithm(x)
    if x.is_infinite():
        return text
    scale = min(max(16 - _estimate_ln(x), decimals.scale_of(text), 0), 1000)
    work = Context(prec=scale + 40, Emax=999_999, Emin=-999_999, traps=[])
    return decimals.to_text(decimals.round_to(work.ln(x), scale))


def log(base: str, text: str) -> str:
    """Logarithm to a base."""
    x, b = Decimal(text), Decimal(base)
    if x.is_nan() or b.is_nan():
        return "NaN"
    check_logarithm(b)
    check_logarithm(x)
    if x.is_infinite() or b.is_infinite():
        if x.is_infinite() and b.is_infinite():
            return "NaN"
        return "Infinity" if x.is_infinite() else "0"
    # log_var: the scale goes by the difference of both estimated weights.
    digits = _estimate_ln(x) - _estimate_ln(b)
    scale = min(max(16 - digits, decimals.scale_of(text), decimals.scale_of(base), 0), 1000)
    work = Context(prec=scale + 60, Emax=999_999, Emin=-999_999, traps=[])
    bottom = work.ln(b)
    if not bottom:
        raise DivisionByZeroError("division by zero")
    return decimals.to_text(decimals.round_to(work.divide(work.ln(x), bottom), scale))


_EXP_MAX = 6000
"""PostgreSQL's guard against an overflow, NUMERIC_MAX_RESULT_SCALE times 3."""


def exp(text: str) -> str:
    """E to the power of x."""
    x = Decimal(text)
    if x.is_nan():
        return text
    if x.is_infinite():
        return "Infinity" if x > 0 else "0"
    if x >= _EXP_MAX:
        raise NumericValueOutOfRangeError("value overflows numeric format")
    digits = float(x) * 0.434294481903252
    scale = min(max(16 - int(max(digits, -1000)), decimals.scale_of(text), 0), 1000)
    work = Context(prec=scale + max(0, int(digits)) + 40, Emax=999_999, Emin=-999_999, traps=[])
    return decimals.to_text(decimals.round_to(work.exp(x), scale))


def _width_bucket(operand: str, low: str, high: str, count: int) -> int:
    """By fractions, which are exact; what is not finite stays what it is."""
    a, b, c = [
        Fraction(value) if value.is_finite() else float(value)
        for value in (Decimal(operand), Decimal(low), Decimal(high))
    ]
    return width_bucket(a, b, c, count)


def _gcd(a: str, b: str) -> str:
    """The greatest common divisor, with the larger scale of the two."""
    x, y = Decimal(a), Decimal(b)
    if not (x.is_finite() and y.is_finite()):
        return "NaN"
    scale = max(decimals.scale_of(a), decimals.scale_of(b))
    whole = gcd(int(decimals.EXACT.scaleb(x, scale)), int(decimals.EXACT.scaleb(y, scale)))
    return decimals.to_text(decimals.round_to(decimals.EXACT.scaleb(Decimal(whole), -scale), scale))


def _lcm(a: str, b: str) -> str:
    if not (Decimal(a).is_finite() and Decimal(b).is_finite()):
        return "NaN"
    scale = max(decimals.scale_of(a), decimals.scale_of(b))
    if Decimal(a) == 0 or Decimal(b) == 0:
        return decimals.round_text("0", scale)
    times = decimals.EXACT.divide(Decimal(a), Decimal(_gcd(a, b)))
    product = decimals.EXACT.multiply(times, Decimal(b))
    return decimals.to_text(decimals.round_to(abs(product), scale))


OVERLOADS: tuple[Overload, ...] = (
    operator("+", (_N, _N), _N, decimals.add, arrow=arithmetic("add")),
    operator("-", (_N, _N), _N, decimals.subtract, arrow=arithmetic("subtract")),
    operator("*", (_N, _N), _N, decimals.multiply, arrow=arithmetic("multiply")),
    operator("/", (_N, _N), _N, decimals.divide),
    operator("%", (_N, _N), _N, decimals.modulo),
    operator("^", (_N, _N), _N, _power),
    operator("+", (_N,), _N, lambda a: a, native="{0}"),
    operator("-", (_N,), _N, decimals.negate),
    operator("@", (_N,), _N, decimals.absolute),
    function("abs", (_N,), _N, decimals.absolute),
    function("mod", (_N, _N), _N, decimals.modulo),
    function("div", (_N, _N), _N, decimals.divide_integer),
    function("power", (_N, _N), _N, _power),
    function("pow", (_N, _N), _N, _power),
    function("round", (_N,), _N, decimals.round_text),
    function("round", (_N, INT4), _N, decimals.round_text),
    function("trunc", (_N,), _N, decimals.truncate_text),
    function("trunc", (_N, INT4), _N, decimals.truncate_text),
    function("ceil", (_N,), _N, decimals.ceiling),
    function("ceiling", (_N,), _N, decimals.ceiling),
    function("floor", (_N,), _N, decimals.floor),
    function("sign", (_N,), _N, _sign),
    function("sqrt", (_N,), _N, sqrt),
    function("ln", (_N,), _N, ln),
    function("log", (_N,), _N, lambda a: log("10", a)),
    function("log10", (_N,), _N, lambda a: log("10", a)),
    function("log", (_N, _N), _N, log),
    function("exp", (_N,), _N, exp),
    function("scale", (_N,), INT4, _scale),
    function("min_scale", (_N,), INT4, _min_scale),
    function("trim_scale", (_N,), _N, trim_scale),
    function("factorial", (INT8,), _N, _factorial),
    function("gcd", (_N, _N), _N, _gcd),
    function("lcm", (_N, _N), _N, _lcm),
    function("width_bucket", (_N, _N, _N, INT4), INT4, _width_bucket),
    function("width_bucket", (FLOAT8, FLOAT8, FLOAT8, INT4), INT4, width_bucket),
)
