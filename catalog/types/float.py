"""real and double precision."""

import math
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from struct import Struct, pack, unpack
from typing import cast

import pyarrow as pa

from catalog.errors import NumericValueOutOfRangeError
from catalog.types.common import SPACES, bad_binary, bad_text, fixed
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_HEX = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?[0-9]+)?")
_WORDS = {
    sign + word: value
    for sign, factor in (("", 1.0), ("+", 1.0), ("-", -1.0))
    for word, value in (
        ("nan", math.nan),
        ("inf", math.inf * factor),
        ("infinity", math.inf * factor),
    )
}
_FLOAT4 = Struct("!f")
_FLOAT8 = Struct("!d")
_FLOAT4_NORMAL = 2.0**-126
# Integers from here on may lie exactly between two floats, see _shortest.
_EXACT8 = 2.0**53
_EXACT4 = 2.0**24


def round_real(value: float) -> float:
    """Return `value` rounded to 32 bits (beyond their range: an infinity)."""
    try:
        return float(_FLOAT4.unpack(_FLOAT4.pack(value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def parse_float8(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> float:
    """Return the double that `text` is."""
    return _parse(text, "double precision")


def parse_float4(text: str, _typmod: int = -1, _context: TypeContext | None = None) -> float:
    """Return the real that `text` is, rounded once, straight from the text."""
    wide = _parse(text, "real")
    if not math.isfinite(wide) or wide == 0.0:
        return wide
    value = round_real(wide)
    if value != wide and is_tie(wide):
        # The double was rounded already; only the text says on which side of the tie it lay.
        value = _break_tie(text, wide, value)
    if value == 0.0 or math.isinf(value):
        raise _range_error(text, "real")
    return value


def _parse(text: str, sql_name: str) -> float:
    start = text.lstrip(SPACES)
    match = _HEX.match(start) or _NUMBER.match(start)
    if match is None:
        word = _WORDS.get(start.rstrip(SPACES).lower())
        if word is None:
            raise bad_text(sql_name, text)
        return word
    # As C's strtod: the range is looked at before what follows the number.
    number = match[0]
    try:
        value = float.fromhex(number) if match.re is _HEX else float(number)
    except OverflowError:
        value = math.inf
    if math.isinf(value) or (value == 0.0 and _has_nonzero_digit(number)):
        raise _range_error(text if sql_name == "real" else number, sql_name)
    if start[match.end() :].strip(SPACES):
        raise bad_text(sql_name, text)
    return value


def _has_nonzero_digit(number: str) -> bool:
    if number.lstrip("+-")[:2].lower() == "0x":
        return bool(re.split("[pP]", number)[0].lstrip("+-")[2:].strip("0."))
    return bool(re.split("[eE]", number)[0].strip("+-0."))


def _range_error(text: str, sql_name: str) -> NumericValueOutOfRangeError:
    return NumericValueOutOfRangeError(f'"{text}" is out of range for type {sql_name}')


def is_tie(wide: float) -> bool:
    """Return whether a double lies exactly between two reals."""
    return int.from_bytes(_FLOAT8.pack(wide), "big") & 0x1FFFFFFF == 0x10000000


def pack_reals(values: Sequence[float]) -> bytes:
    """Return reals in their binary format, one after the other.

    Raises:
        OverflowError: one is out of a real's range.
    """
    return pack(f"!{len(values)}f", *values)


def unpack_reals(data: bytes) -> tuple[float, ...]:
    """Return what `pack_reals` was given, rounded."""
    return unpack(f"!{len(data) // 4}f", data)


def _break_tie(text: str, wide: float, even: float) -> float:
    stripped = text.strip(SPACES)
    if not _NUMBER.fullmatch(stripped):
        return even
    exact = Decimal(stripped)
    if exact == Decimal(wide):
        return even
    toward = math.copysign(math.inf, 1.0 if exact > Decimal(wide) else -1.0)
    return round_real(math.nextafter(wide, toward))


def float8_output(value: Value, context: TypeContext) -> str:
    """Return the shortest text that reads back as this double, in PostgreSQL's form."""
    number = cast("float", value)
    if context.extra_float_digits <= 0:
        return _printf(number, 15 + context.extra_float_digits)
    text = repr(number)
    if "e" not in text and abs(number) < 1e15:
        return text.removesuffix(".0") if math.isfinite(number) else _word(number)
    if not math.isfinite(number):
        return _word(number)
    if abs(number) >= _EXACT8:
        text = _off_the_tie(text, number, math.ulp(number), 15)
    return _layout(text, 15)


def float4_output(value: Value, context: TypeContext) -> str:
    """Return the shortest text that reads back as this real, in PostgreSQL's form."""
    number = cast("float", value)
    if context.extra_float_digits <= 0:
        return _printf(number, 6 + context.extra_float_digits)
    if not math.isfinite(number):
        return _word(number)
    text = _shortest_real(number)
    if "e" not in text and abs(number) < 1e6:
        return text
    if abs(number) >= _EXACT4:
        ulp = math.ldexp(1.0, math.frexp(number)[1] - 24)
        text = _off_the_tie(text, number, ulp, 6)
    return _layout(text, 6)


def _shortest_real(number: float) -> str:
    # Nine digits always identify a real; fewer do when they read back as it. Six always survive,
    # but for subnormals, which have less.
    if 0 < abs(number) < _FLOAT4_NORMAL:
        return next(text for text in _ever_longer(number) if round_real(float(text)) == number)
    text = f"{number:.8g}"
    if round_real(float(text)) != number:
        return _above_a_power_of_two(number) or f"{number:.9g}"
    for digits in (7, 6):
        shorter = f"{number:.{digits}g}"
        if round_real(float(shorter)) != number:
            break
        text = shorter
    return text


def _above_a_power_of_two(number: float) -> str:
    # The reals above a power of two lie twice as far apart as those below it, so that eight digits
    # may identify one that the nearest eight digits do not.
    if abs(math.frexp(number)[0]) != 0.5:
        return ""
    mantissa, exponent = f"{abs(number):.7e}".split("e")
    sign = "-" if number < 0 else ""
    text = f"{sign}{Decimal(mantissa) + Decimal('1e-7')}e{exponent}"
    return text if round_real(float(text)) == number else ""


def _ever_longer(number: float) -> Iterator[str]:
    return (f"{number:.{digits}g}" for digits in range(1, 10))


def _word(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _off_the_tie(text: str, number: float, ulp: float, digits: int) -> str:
    # A text that lies exactly between two floats reads back as the even one. Python prints it,
    # PostgreSQL prints the next longer text instead.
    exact = Decimal(number)
    half = Decimal(ulp) / 2
    while abs(Decimal(text) - exact) >= half:
        text = f"{number:.{digits}g}"
        digits += 1
    return text


def _layout(text: str, exponent_from: int) -> str:
    """Return a number's digits as PostgreSQL lays them out: 1e+20, 0.0001, 1.5e-05."""
    if "e" not in text and "." not in text and len(text) <= 5:
        return text
    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    assert isinstance(exponent, int)
    prefix = "-" if sign else ""
    figures = "".join(map(str, digits))
    point = len(figures) + exponent  # digits before the decimal point
    if figures == "0":
        return prefix + "0"
    if not -4 < point <= exponent_from:
        mantissa = figures[0] + ("." + figures[1:] if len(figures) > 1 else "")
        return f"{prefix}{mantissa}e{point - 1:+03d}"
    if point <= 0:
        return f"{prefix}0.{'0' * -point}{figures}"
    if point >= len(figures):
        return prefix + figures + "0" * (point - len(figures))
    return f"{prefix}{figures[:point]}.{figures[point:]}"


def _printf(number: float, digits: int) -> str:
    if not math.isfinite(number):
        return _word(number)
    return f"{number:.{max(digits, 1)}g}"


def _receive4(data: bytes, _typmod: int) -> float:
    if len(data) != 4:
        raise bad_binary()
    return float(_FLOAT4.unpack(data)[0])


def _receive8(data: bytes, _typmod: int) -> float:
    if len(data) != 8:
        raise bad_binary()
    return float(_FLOAT8.unpack(data)[0])


def _send4(value: Value) -> bytes:
    return _FLOAT4.pack(value)


def _send8(value: Value) -> bytes:
    return _FLOAT8.pack(value)


FLOAT4 = PgType(
    oid=700,
    name="float4",
    sql_name="real",
    length=4,
    category="N",
    preferred=False,
    array_oid=1021,
    key_kind="float",
    arrow=fixed(pa.float32()),
    input=parse_float4,
    output=float4_output,
    receive=_receive4,
    send=_send4,
    aliases=("float4",),
)
FLOAT8 = PgType(
    oid=701,
    name="float8",
    sql_name="double precision",
    length=8,
    category="N",
    preferred=True,
    array_oid=1022,
    key_kind="float",
    arrow=fixed(pa.float64()),
    input=parse_float8,
    output=float8_output,
    receive=_receive8,
    send=_send8,
    aliases=("float8", "float", "double"),
)
