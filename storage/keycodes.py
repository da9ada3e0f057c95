"""The encoding of one key column, by kind: `storage.keys` says what each is and joins them.

An encoder takes a value (never None) and gives PRESENT and its bytes. A decoder takes the data and
where the value begins, behind PRESENT, and gives the value and where it ends.
"""

from collections.abc import Callable
from struct import Struct
from typing import Any

from storage.layout import Value

PRESENT = 0x01
NULL = 0xFF
"""NULL sorts last, as in PostgreSQL's indexes."""

Encoder = Callable[[Any], bytes]
Decoder = Callable[[bytes, int], tuple[Any, int]]

_U64 = Struct(">BQ")
_pack_u64 = _U64.pack
_BARE_U64 = Struct(">Q")
_BARE_U32 = Struct(">I")
_FLOAT = Struct(">d")
_SIGN = 1 << 63
_ALL = (1 << 64) - 1
_NAN = _ALL
_INTERVAL = Struct(">iiq")
_DAY_US = 86_400_000_000
_MONTH_DAYS = 30
_INT32_MIN, _INT32_MAX = -(1 << 31), (1 << 31) - 1


def _int(value: int) -> bytes:
    return _pack_u64(PRESENT, value + _SIGN)


def _int_from(data: bytes, at: int) -> tuple[int, int]:
    return _BARE_U64.unpack_from(data, at)[0] - _SIGN, at + 8


def _bool(value: bool) -> bytes:
    return b"\x01\x01" if value else b"\x01\x00"


def _bool_from(data: bytes, at: int) -> tuple[bool, int]:
    if data[at] > 1:
        raise ValueError
    return data[at] == 1, at + 1


def _float(value: float) -> bytes:
    if value != value:  # noqa: PLR0124 -- NaN, which differs from itself
        return _pack_u64(PRESENT, _NAN)
    # Adding zero makes -0.0 into 0.0. Negative numbers are complemented, so larger ones come first.
    bits: int = _BARE_U64.unpack(_FLOAT.pack(value + 0.0))[0]
    return _pack_u64(PRESENT, bits ^ _ALL if bits & _SIGN else bits | _SIGN)


def _float_from(data: bytes, at: int) -> tuple[float, int]:
    bits: int = _BARE_U64.unpack_from(data, at)[0]
    if bits == _NAN:
        return float("nan"), at + 8
    bits = bits ^ _SIGN if bits & _SIGN else bits ^ _ALL
    return _FLOAT.unpack(_BARE_U64.pack(bits))[0], at + 8


def _text(value: str) -> bytes:
    data = value.encode()
    if b"\0" in data:
        raise ValueError("text with a zero character, which no type lets through")
    return b"\x01" + data + b"\0"


def _text_from(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1


def _bytes(value: bytes) -> bytes:
    return b"\x01" + value.replace(b"\0", b"\0\xff") + b"\0\x01"


def _bytes_from(data: bytes, at: int) -> tuple[bytes, int]:
    end = at
    while True:
        end = data.index(b"\0", end)
        if data[end + 1] == 1:
            return data[at:end].replace(b"\0\xff", b"\0"), end + 2
        if data[end + 1] != 0xFF:
            raise ValueError
        end += 2


def trimmed(value: bytes) -> bytes:
    """Of a value that ends with bytes that do not count, and how many they are: those before them."""
    (length,) = _BARE_U32.unpack_from(value, len(value) - _BARE_U32.size)
    return value[: len(value) - _BARE_U32.size - length]


def _trimmed(value: bytes) -> bytes:
    return _bytes(trimmed(value))


def _trimmed_from(data: bytes, at: int) -> tuple[bytes, int]:
    value, at = _bytes_from(data, at)
    return value + bytes(_BARE_U32.size), at


def _uuid(value: bytes) -> bytes:
    assert len(value) == 16
    return b"\x01" + value


def _uuid_from(data: bytes, at: int) -> tuple[bytes, int]:
    if len(data) < at + 16:
        raise ValueError
    return data[at : at + 16], at + 16


def _interval(value: bytes) -> bytes:
    # As PostgreSQL's interval_cmp_value: a month counts 30 days, a day 24 hours.
    months, days, us = _INTERVAL.unpack(value)
    span: int = (months * _MONTH_DAYS + days) * _DAY_US + us
    return b"\x01" + (span + (1 << 127)).to_bytes(16)


def _interval_from(data: bytes, at: int) -> tuple[bytes, int]:
    if len(data) < at + 16:
        raise ValueError
    span = int.from_bytes(data[at : at + 16]) - (1 << 127)
    # One of the intervals that are equal: months first, as far as they go, then days, then the rest.
    all_days, us = divmod(span, _DAY_US)
    months = min(max(all_days // _MONTH_DAYS, _INT32_MIN), _INT32_MAX)
    left = all_days - months * _MONTH_DAYS
    days = min(max(left, _INT32_MIN), _INT32_MAX)
    return _INTERVAL.pack(months, days, us + (left - days) * _DAY_US), at + 16


# numeric: class, then for a number other than zero its decimal exponent and its digits. The
# exponent is that of 0.d1d2d3… * 10**exponent, offset by 2**31 in 4 bytes; digits are ASCII
# without trailing zeros, ended by 00. Of a negative number all bytes after the class are
# complemented, so that a greater magnitude sorts first.
_MINUS_INFINITY, _NEGATIVE, _ZERO, _POSITIVE, _INFINITY, _NUMERIC_NAN = range(6)
_EXPONENT_OFFSET = 1 << 31
_COMPLEMENT = bytes(255 - byte for byte in range(256))
_SPECIALS = {"NaN": _NUMERIC_NAN, "Infinity": _INFINITY, "-Infinity": _MINUS_INFINITY}
_SPECIAL_TEXTS = {_ZERO: "0", **{code: text for text, code in _SPECIALS.items()}}


def _numeric(value: str) -> bytes:
    if (special := _SPECIALS.get(value)) is not None:
        return bytes((PRESENT, special))
    negative = value.startswith("-")
    whole, _, fraction = (value[1:] if negative else value).partition(".")
    digits = (whole + fraction).lstrip("0")
    exponent = len(digits) - len(fraction)
    digits = digits.rstrip("0")
    if not digits:
        return bytes((PRESENT, _ZERO))
    body = (exponent + _EXPONENT_OFFSET).to_bytes(4) + digits.encode() + b"\0"
    if negative:
        return bytes((PRESENT, _NEGATIVE)) + body.translate(_COMPLEMENT)
    return bytes((PRESENT, _POSITIVE)) + body


def _numeric_from(data: bytes, at: int) -> tuple[str, int]:
    code = data[at]
    if (special := _SPECIAL_TEXTS.get(code)) is not None:
        return special, at + 1
    if code not in {_NEGATIVE, _POSITIVE}:
        raise ValueError
    end = data.index(b"\xff" if code == _NEGATIVE else b"\0", at + 5)
    body = data[at + 1 : end]
    if code == _NEGATIVE:
        body = body.translate(_COMPLEMENT)
    exponent = int.from_bytes(body[:4]) - _EXPONENT_OFFSET
    digits = body[4:].decode("ascii")
    if exponent <= 0:
        text = "0." + "0" * -exponent + digits
    elif exponent >= len(digits):
        text = digits + "0" * (exponent - len(digits))
    else:
        text = f"{digits[:exponent]}.{digits[exponent:]}"
    return ("-" if code == _NEGATIVE else "") + text, end + 1


def _none(value: Value) -> bytes:
    raise ValueError(f"a {type(value).__name__} of a kind that can be in no key")


def _none_from(data: bytes, at: int) -> tuple[Value, int]:
    raise ValueError


ENCODERS: dict[str, Encoder] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "numeric": _numeric,
    "text": _text,
    "bytes": _bytes,
    "trimmed": _trimmed,
    "uuid": _uuid,
    "interval": _interval,
    "none": _none,
}

DECODERS: dict[str, Decoder] = {
    "bool": _bool_from,
    "int": _int_from,
    "float": _float_from,
    "numeric": _numeric_from,
    "text": _text_from,
    "bytes": _bytes_from,
    "trimmed": _trimmed_from,
    "uuid": _uuid_from,
    "interval": _interval_from,
    "none": _none_from,
}
