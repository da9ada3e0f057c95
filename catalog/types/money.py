"""money: hundredths, as an integer of 64 bits. Text is as PostgreSQL writes it where lc_monetary is C."""

from struct import Struct
from typing import cast

import pyarrow as pa

from catalog.errors import NumericValueOutOfRangeError
from catalog.types.common import SPACES, bad_binary, bad_text, fixed
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_INT64 = Struct(">q")
MONEY_MIN, MONEY_MAX = -(1 << 63), (1 << 63) - 1
DIGITS = 2
"""Behind the point."""


def _read(text: str, _typmod: int, _context: TypeContext) -> int:
    """As cash_in: signs, `$` and parentheses about digits, in which commas do not count."""
    at, negative = _head(text)
    value: int = 0
    seen, point = 0, False
    while at < len(text):
        character = text[at]
        if character.isascii() and character.isdigit() and (not point or seen < DIGITS):
            value = value * 10 + int(character)
            seen += point
        elif character == "." and not point:
            point = True
        elif character != ",":
            break
        at += 1
    # What is cut off counts as a half or more, or not.
    if at < len(text) and text[at].isascii() and text[at].isdigit() and text[at] >= "5":
        value += 1
    value *= 10 ** (DIGITS - seen)
    while at < len(text) and text[at].isascii() and text[at].isdigit():
        at += 1
    for character in text[at:]:
        if character == "-":
            negative = True
        elif character not in SPACES + ")+$":
            raise bad_text("money", text)
    value = -value if negative else value
    if not MONEY_MIN <= value <= MONEY_MAX:
        raise NumericValueOutOfRangeError(f'value "{text}" is out of range for type money')
    return value


def _head(text: str) -> tuple[int, bool]:
    """Where the digits begin, and whether a sign before them is negative."""
    at = _skip(text, 0)
    if text[at : at + 1] == "$":
        at = _skip(text, at + 1)
    negative = text[at : at + 1] in ("-", "(") and at < len(text)
    if negative or text[at : at + 1] == "+":
        at += 1
    at = _skip(text, at)
    if text[at : at + 1] == "$":
        at += 1
    return _skip(text, at), negative


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACES:
        at += 1
    return at


def money_text(value: Value, _context: TypeContext | None = None) -> str:
    """As cash_out: `-$1,234.50`."""
    cents = cast("int", value)
    whole, rest = divmod(abs(cents), 10**DIGITS)
    return f"{'-' if cents < 0 else ''}${whole:,}.{rest:0{DIGITS}d}"


def _receive(data: bytes, _typmod: int) -> int:
    if len(data) != _INT64.size:
        raise bad_binary()
    return int(_INT64.unpack(data)[0])


MONEY = PgType(
    oid=790,
    name="money",
    sql_name="money",
    length=8,
    category="N",
    preferred=False,
    array_oid=791,
    key_kind="int",
    arrow=fixed(pa.int64()),
    input=_read,
    output=money_text,
    receive=_receive,
    send=_INT64.pack,
)
