"""The words and numbers of date, time and interval texts, told apart by their form alone.

A field is (kind, text): NUMBER `20240115` or `.5`; WORD `jan`; DATE `2024-01-15`, `15-jan-2024` or
`america/new_york`; TIME `10:30`; SIGNED `-05`, `+1:30`, `-1.5`; SPECIAL `-infinity`. Letters are folded.
Source: PostgreSQL's ParseDateTime, whose choices decide what each later step is asked.
"""

import re
from enum import Enum

from catalog.errors import (
    DatetimeFieldOverflowError,
    IntervalFieldOverflowError,
    InvalidDatetimeFormatError,
    InvalidTimeZoneDisplacementValueError,
)
from storage.errors import KalamError

FIELDS_MAX = 25
INT32_MAX = (1 << 31) - 1
# More digits than any number of a date or an interval has.
_DIGITS_MAX = 40


class Lexeme(Enum):
    """What a field looks like."""

    NUMBER = 0
    WORD = 1
    DATE = 2
    TIME = 3
    SIGNED = 4
    SPECIAL = 6


class Reason(Enum):
    """Why a text is no date, time or interval."""

    FORMAT = 0
    OVERFLOW = 1
    ORDER_OVERFLOW = 2  # another datestyle might read it
    ZONE_OVERFLOW = 3


class Fault(Exception):  # noqa: N818  # never leaves these modules: `error_of` makes the error
    """What a step found wrong. `None` as text means the whole input."""

    def __init__(self, reason: Reason = Reason.FORMAT) -> None:
        super().__init__(reason)
        self.reason = reason


def error_of(fault: Fault, sql_name: str, text: str) -> KalamError:
    """Return PostgreSQL's error for a fault in a `sql_name`'s text."""
    if fault.reason is Reason.FORMAT:
        return InvalidDatetimeFormatError(f'invalid input syntax for type {sql_name}: "{text}"')
    if fault.reason is Reason.ZONE_OVERFLOW:
        message = f'time zone displacement out of range: "{text}"'
        return InvalidTimeZoneDisplacementValueError(message)
    if sql_name == "interval":
        return IntervalFieldOverflowError(f'interval field value out of range: "{text}"')
    hint = ""
    if fault.reason is Reason.ORDER_OVERFLOW:
        hint = 'Perhaps you need a different "datestyle" setting.'
    return DatetimeFieldOverflowError(f'date/time field value out of range: "{text}"', hint=hint)


_CLOCK = re.compile(r"[0-9]+:[0-9:.]*")
_THREE_PART_DATE = re.compile(r"[0-9]+([-/.])[0-9]+(?:\1(?:[0-9]|\1)*)?")
_TEXT_DATE = re.compile(r"[0-9]+([-/.])(?![0-9])(?:[0-9A-Za-z]|\1)*")
_NUMBER = re.compile(r"[0-9]+|\.[0-9]*")
_WORD = re.compile(r"[A-Za-z]+")
_ZONE_NAME = re.compile(r"[-+/_.:0-9A-Za-z]*")
_SIGNED = re.compile(r"([+-])[ \t\n\v\f\r]*([0-9][0-9:.-]*)")
_SPECIAL = re.compile(r"([+-])[ \t\n\v\f\r]*([A-Za-z]+)")
_SKIPPED = re.compile(r"[ \t\n\v\f\r!\"#$%&'()*,/:;<=>?@\[\\\]^_`{|}~]+")


def split_fields(text: str, length_max: int) -> list[tuple[Lexeme, str]]:
    """Return the fields of a text.

    Raises:
        Fault: a character, or a number of them, that no such text has.
    """
    fields: list[tuple[Lexeme, str]] = []
    at = 0
    used = 0
    while at < len(text):
        skipped = _SKIPPED.match(text, at)
        if skipped:
            at = skipped.end()
            continue
        if len(fields) >= FIELDS_MAX:
            raise Fault
        kind, field, at = _next_field(text, at)
        used += len(field) + 1
        if used > length_max:
            raise Fault
        fields.append((kind, field.lower()))
    return fields


def _next_field(text: str, at: int) -> tuple[Lexeme, str, int]:
    first = text[at]
    if "0" <= first <= "9":
        if match := _CLOCK.match(text, at):
            return Lexeme.TIME, match[0], match.end()
        if match := _THREE_PART_DATE.match(text, at):
            delimiters = match[0].count(match[1])
            kind = Lexeme.NUMBER if match[1] == "." and delimiters == 1 else Lexeme.DATE
            return kind, match[0], match.end()
        if match := _TEXT_DATE.match(text, at):
            return Lexeme.DATE, match[0], match.end()
    if match := _NUMBER.match(text, at):
        return Lexeme.NUMBER, match[0], match.end()
    if match := _WORD.match(text, at):
        end = match.end()
        after = text[end : end + 1]
        if (after and after in "-/.") or (
            (after == "+" or "0" <= after <= "9") and match[0].lower()[:TOKEN_MAX] not in WORDS
        ):
            named = _ZONE_NAME.match(text, end)
            assert named is not None
            return Lexeme.DATE, match[0] + named[0], named.end()
        return Lexeme.WORD, match[0], end
    if match := _SIGNED.match(text, at):
        return Lexeme.SIGNED, match[1] + match[2], match.end()
    if match := _SPECIAL.match(text, at):
        return Lexeme.SPECIAL, match[1] + match[2], match.end()
    raise Fault


def leading_int(text: str) -> tuple[int, str]:
    """Return the int32 at the start of a text, 0 if there is none, and what follows it.

    Raises:
        Fault: it overflows.
    """
    value, rest = leading_long(text)
    if not -INT32_MAX - 1 <= value <= INT32_MAX:
        raise Fault(Reason.OVERFLOW)
    return value, rest


_INTEGER = re.compile(r"[+-]?[0-9]+")


def leading_long(text: str) -> tuple[int, str]:
    """Return the integer at the start of a text, 0 if there is none, and what follows it.

    Raises:
        Fault: it does not fit 64 bits.
    """
    match = _INTEGER.match(text)
    if match is None:
        return 0, text
    if len(match[0].lstrip("+-0")) > _DIGITS_MAX:
        raise Fault(Reason.OVERFLOW)
    digits = match[0].lstrip("+-").lstrip("0") or "0"
    value = -int(digits) if text[0] == "-" else int(digits)
    if not -(1 << 63) <= value < 1 << 63:
        raise Fault(Reason.OVERFLOW)
    return value, text[match.end() :]


_FRACTION = re.compile(r"\.[0-9]*")


def fraction_of(text: str) -> float:
    """Return the value of `.25`; "." is 0.

    Raises:
        Fault: anything else.
    """
    if _FRACTION.fullmatch(text) is None:
        raise Fault
    return float(f"0{text}0")


TOKEN_MAX = 10
"""Words are compared in their first ten letters."""

MONTHS = {
    name: number + 1
    for number, names in enumerate(
        (
            "jan january",
            "feb february",
            "mar march",
            "apr april",
            "may",
            "jun june",
            "jul july",
            "aug august",
            "sep sept september",
            "oct october",
            "nov november",
            "dec december",
        )
    )
    for name in names.split()
}
_DAYS = (
    "sun sunday mon monday tue tues tuesday wed weds wednesday",
    "thu thur thurs thursday fri friday sat saturday",
)
# What a word in a date or time is.
WORDS: dict[str, str] = {
    **dict.fromkeys(MONTHS, "month"),
    **dict.fromkeys(" ".join(_DAYS).split(), "weekday"),
    **dict.fromkeys(("at", "on"), "ignored"),
    **dict.fromkeys(("am", "pm"), "half"),
    **dict.fromkeys(("ad", "bc"), "era"),
    **dict.fromkeys(("j", "jd", "julian"), "julian"),
    **dict.fromkeys(("d", "dow", "doy", "h", "isodow", "isoyear", "m", "mm", "s", "y"), "unit"),
    **dict.fromkeys(("now", "today", "tomorrow", "yesterday", "allballs"), "reserved"),
    **dict.fromkeys(("epoch", "infinity", "-infinity"), "reserved"),
    "dst": "daylight",
    "t": "iso time",
}
