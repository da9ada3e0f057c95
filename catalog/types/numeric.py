"""numeric: exact decimals of any precision, stored as canonical text that keeps its display scale.

Canonical: a minus sign only before a value that is not zero, no leading zeros but one before the
point, as many decimals as the display scale says; or "NaN", "Infinity", "-Infinity". It is what
PostgreSQL prints, so that text output is the stored value itself.
"""

import re
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal
from struct import Struct
from typing import cast

import pyarrow as pa

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidParameterValueError,
    NumericValueOutOfRangeError,
)
from catalog.types.common import SPACES, bad_binary, bad_text
from catalog.types.table import PgType, Storable, TypeContext
from storage.errors import KalamError
from storage.layout import Value

PRECISION_MAX = 1000
SCALE_MIN, SCALE_MAX = -1000, 1000
DIGITS_MAX = 131072
"""Digits before the decimal point."""
DISPLAY_SCALE_MAX = 16383
ARROW_PRECISION_MAX = 38

EXACT = Context(
    prec=DIGITS_MAX + 2 * DISPLAY_SCALE_MAX,
    rounding=ROUND_HALF_UP,
    Emax=MAX_EMAX,
    Emin=MIN_EMIN,
    traps=[],
)
"""A context in which no numeric is ever rounded unless asked to; half goes away from zero."""

SPECIAL = frozenset({"NaN", "Infinity", "-Infinity"})

_CANONICAL = re.compile(r"(?!-0(?:\.0+)?$)-?(?:0|[1-9][0-9]{0,999})(?:\.[0-9]{1,999})?")
_NUMBER = re.compile(
    r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE][ \t\n\v\f\r]*([+-]?[0-9]+))?"
)
_WORDS = {
    "nan": "NaN",
    "inf": "Infinity",
    "+inf": "Infinity",
    "infinity": "Infinity",
    "+infinity": "Infinity",
    "-inf": "-Infinity",
    "-infinity": "-Infinity",
}
_HEADER = Struct("!hhHH")
_POSITIVE, _NEGATIVE = 0x0000, 0x4000
_SIGNS = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}
_SPECIAL_SIGNS = {word: sign for sign, word in _SIGNS.items()}


def numeric_typmod(precision: int, scale: int = 0) -> int:
    """Return the typmod of numeric(precision, scale).

    Raises:
        InvalidParameterValueError: 22023, out of PostgreSQL's range.
    """
    if not 1 <= precision <= PRECISION_MAX:
        message = f"NUMERIC precision {precision} must be between 1 and {PRECISION_MAX}"
        raise InvalidParameterValueError(message)
    if not SCALE_MIN <= scale <= SCALE_MAX:
        message = f"NUMERIC scale {scale} must be between {SCALE_MIN} and {SCALE_MAX}"
        raise InvalidParameterValueError(message)
    return (precision << 16 | scale & 0x7FF) + 4


def precision_and_scale(typmod: int) -> tuple[int, int] | None:
    """Return what `numeric_typmod` was given, None for a numeric without them."""
    if typmod < 4:
        return None
    scale = (typmod - 4) & 0x7FF
    return (typmod - 4) >> 16 & 0xFFFF, scale - 0x800 if scale & 0x400 else scale


def parse_numeric(text: str, typmod: int = -1, _context: TypeContext | None = None) -> str:
    """Return the canonical form of a number's text."""
    if _CANONICAL.fullmatch(text):
        return text if typmod < 4 else apply_typmod(text, typmod)
    stripped = text.strip(SPACES)
    word = _WORDS.get(stripped.lower())
    if word is not None:
        return word if typmod < 4 else apply_typmod(word, typmod)
    match = _NUMBER.fullmatch(stripped)
    if match is None:
        raise bad_text("numeric", text)
    sign, whole, fraction, only_fraction, exponent = match.groups()
    value = _canonical(sign == "-", whole or "", fraction or only_fraction or "", exponent or "0")
    return value if typmod < 4 else apply_typmod(value, typmod)


def _canonical(negative: bool, whole: str, fraction: str, exponent: str) -> str:
    # The bounds keep a hostile exponent from making gigabytes of zeros; a larger one overflows.
    sized = exponent.lstrip("+-").lstrip("0")
    if len(sized) > 6:
        raise overflow()
    shift = int(exponent)
    scale = max(len(fraction) - shift, 0)
    if scale > DISPLAY_SCALE_MAX:
        raise overflow()
    if shift > 0:
        moved = fraction[:shift]
        whole += moved + "0" * (shift - len(moved) if (whole + fraction).strip("0") else 0)
        fraction = fraction[shift:]
    elif shift < 0:
        padded = whole.rjust(-shift, "0")
        whole, fraction = padded[: len(padded) + shift], padded[len(padded) + shift :] + fraction
    whole = whole.lstrip("0") or "0"
    if len(whole) > DIGITS_MAX:
        raise overflow()
    text = f"{whole}.{fraction}" if fraction else whole
    return "-" + text if negative and text.strip("0.") else text


def overflow() -> NumericValueOutOfRangeError:
    """Return the error for a number that no numeric can hold."""
    return NumericValueOutOfRangeError("value overflows numeric format")


def from_decimal(number: Decimal, scale: int | None = None) -> str:
    """Return the stored form of a decimal, rounded half away from zero to `scale` decimals if given.

    Raises:
        NumericValueOutOfRangeError: 22003, too large for any numeric.
    """
    if not number.is_finite():
        return "NaN" if number.is_nan() else ("-Infinity" if number < 0 else "Infinity")
    if scale is not None:
        if number.adjusted() > DIGITS_MAX:
            raise overflow()
        number = EXACT.quantize(number, Decimal((0, (1,), -scale)))
    text = f"{number:f}"
    if number.adjusted() >= DIGITS_MAX or len(text) - text.find(".") - 1 > DIGITS_MAX:
        raise overflow()
    return text.removeprefix("-") if number.is_zero() else text


def apply_typmod(value: str, typmod: int) -> str:
    """Return a stored numeric as numeric(p, s) holds it: rounded half away from zero to s decimals.

    Raises:
        NumericValueOutOfRangeError: 22003, more than p - s digits before the point.
        FeatureNotSupportedError: 0A000, NaN in a numeric(p, s) that Arrow keeps as a decimal.
    """
    parts = precision_and_scale(typmod)
    if parts is None:
        return value
    precision, scale = parts
    if value in SPECIAL:
        return _special(value, precision, scale)
    whole, _, fraction = value.lstrip("-").partition(".")
    if scale >= 0 and len(fraction) <= scale:
        # The common case, on the text: nothing to round, only zeros to append.
        if len(whole) <= precision - scale or (whole == "0" and precision >= scale):
            if len(fraction) == scale:
                return value
            return value + ("" if fraction else ".") + "0" * (scale - len(fraction))
        rounded = value + ("" if fraction else ".") + "0" * (scale - len(fraction))
        rounded = rounded.removesuffix(".")
    else:
        rounded = _round(value, scale)
    number = Decimal(rounded)
    if number and number.adjusted() >= precision - scale:
        raise _field_overflow(precision, scale)
    return rounded


def _field_overflow(precision: int, scale: int) -> NumericValueOutOfRangeError:
    limit = f"10^{precision - scale}" if precision != scale else "1"
    detail = (
        f"A field with precision {precision}, scale {scale} "
        f"must round to an absolute value less than {limit}."
    )
    return NumericValueOutOfRangeError("numeric field overflow", detail=detail)


def _special(value: str, precision: int, scale: int) -> str:
    if value != "NaN":
        detail = f"A field with precision {precision}, scale {scale} cannot hold an infinite value."
        raise NumericValueOutOfRangeError("numeric field overflow", detail=detail)
    if pa.types.is_decimal(arrow_type(numeric_typmod(precision, scale))):
        raise FeatureNotSupportedError(f"numeric({precision},{scale}) cannot hold NaN here")
    return value


def _round(value: str, scale: int) -> str:
    number = EXACT.quantize(Decimal(value), Decimal((0, (1,), -scale)))
    if scale < 0:
        number = EXACT.quantize(number, Decimal(1))  # shown without an exponent
    return from_decimal(number)


def arrow_type(typmod: int) -> pa.DataType:
    """Return decimal128 for numeric(p <= 38, 0 <= s <= p), else string."""
    parts = precision_and_scale(typmod)
    if parts is None:
        return pa.string()
    precision, scale = parts
    if precision <= ARROW_PRECISION_MAX and 0 <= scale <= precision:
        return pa.decimal128(precision, scale)
    return pa.string()


def _storable(typmod: int) -> Storable | None:
    """A decimal column holds what `apply_typmod` makes, and no NaN."""
    kind = arrow_type(typmod)
    if not pa.types.is_decimal(kind):
        return None
    precision, scale = kind.precision, kind.scale
    whole = f"|[1-9][0-9]{{0,{precision - scale - 1}}}" if precision > scale else ""
    fraction = rf"\.[0-9]{{{scale}}}" if scale else ""
    held = re.compile(f"-?(?:0{whole}){fraction}").fullmatch

    def check(value: Value) -> None:
        text = cast("str", value)
        if held(text) is None:
            raise _not_held(text, precision, scale)

    return check


def _not_held(text: str, precision: int, scale: int) -> KalamError:
    if text in SPECIAL:
        return FeatureNotSupportedError(
            f"storing {text} in numeric({precision},{scale}) is not supported",
            hint="Use numeric without a precision.",
        )
    apply_typmod(text, numeric_typmod(precision, scale))  # Too large is its error.
    return NumericValueOutOfRangeError(
        "numeric field overflow", detail=f"The value has not {scale} decimals."
    )


def _output(value: Value, _context: TypeContext) -> str:
    return cast("str", value)


def send_numeric(value: Value) -> bytes:
    """Write the binary format: digits to base 10000, weight of the first, sign, display scale."""
    text = cast("str", value)
    special = _SPECIAL_SIGNS.get(text)
    if special is not None:
        # PostgreSQL reads the display scale of an infinity out of the bits that mark it.
        return _HEADER.pack(0, 0, special, 0 if text == "NaN" else 0x20)
    sign = _POSITIVE
    if text[0] == "-":
        sign, text = _NEGATIVE, text[1:]
    whole, _, fraction = text.partition(".")
    scale = len(fraction)
    whole = whole.lstrip("0")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    fraction = fraction.ljust(-(-scale // 4) * 4, "0")
    figures = whole + fraction
    digits = [int(figures[i : i + 4]) for i in range(0, len(figures), 4)]
    weight = len(whole) // 4 - 1
    while digits and digits[-1] == 0:
        digits.pop()
    first = next((i for i, digit in enumerate(digits) if digit), 0)
    digits, weight = digits[first:], weight - first
    if not digits:
        weight = 0
    count = len(digits)
    return _HEADER.pack(count, weight, sign, scale) + Struct(f"!{count}h").pack(*digits)


def receive_numeric(data: bytes, typmod: int = -1) -> str:
    """Read the binary format.

    Raises:
        InvalidBinaryRepresentationError: 22P03.
    """
    if len(data) < 8:
        raise bad_binary()
    count, weight, sign, scale = _HEADER.unpack_from(data)
    if len(data) != 8 + 2 * count or count < 0:
        raise bad_binary()
    if sign in _SIGNS:
        value = _SIGNS[sign]
        return value if typmod < 4 else apply_typmod(value, typmod)
    if sign not in {_POSITIVE, _NEGATIVE}:
        raise bad_binary('invalid sign in external "numeric" value')
    if scale > DISPLAY_SCALE_MAX:
        raise bad_binary('invalid scale in external "numeric" value')
    digits = Struct(f"!{count}h").unpack_from(data, 8)
    if not all(0 <= digit < 10000 for digit in digits):
        raise bad_binary('invalid digit in external "numeric" value')
    figures = "".join([f"{digit:04d}" for digit in digits])
    point = 4 * (weight + 1)  # where in `figures` the decimal point lies
    if point > 0:
        whole, fraction = figures[:point].ljust(point, "0"), figures[point:]
    else:
        whole, fraction = "", "0" * -point + figures
    whole = whole.lstrip("0") or "0"
    # Digits beyond the display scale are cut off, as PostgreSQL does for clients that disagree.
    text = f"{whole}.{fraction[:scale].ljust(scale, '0')}" if scale else whole
    value = "-" + text if sign == _NEGATIVE and text.strip("0.") else text
    return value if typmod < 4 else apply_typmod(value, typmod)


NUMERIC = PgType(
    oid=1700,
    name="numeric",
    sql_name="numeric",
    length=-1,
    category="N",
    preferred=False,
    array_oid=1231,
    key_kind="numeric",
    arrow=arrow_type,
    input=parse_numeric,
    output=_output,
    receive=receive_numeric,
    send=send_numeric,
    storable=_storable,
    aliases=("decimal", "dec"),
)
