"""format, quote_ident, and to_char of dates, times, intervals and numbers.

Patterns that are not built here are refused by name, never passed through.
"""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidParameterValueError,
    NullValueNotAllowedError,
)
from catalog.memo import kept
from catalog.types.registry import (
    ANY,
    DATE,
    FLOAT4,
    FLOAT8,
    INT4,
    INT8,
    INTERVAL,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
)
from catalog.types.table import PgType
from catalog.types.zones import abbreviation_at, utc_offset
from kalam_pg.functions.clock import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    date_to_timestamp,
    from_days,
    is_finite,
    iso_week,
    to_days,
    unpack_interval,
    utc_to_local,
    weekday,
)
from kalam_pg.functions.define import Datum, function, stable
from kalam_pg.functions.output import to_text
from kalam_pg.functions.reserved import needs_quotes
from kalam_pg.functions.strings import LONGEST, quote_literal, too_long
from kalam_pg.functions.table import EvalContext, Overload, Volatility

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")


def quote_ident(name: str) -> str:
    """A name as SQL must write it: quoted only where it has to be."""
    if not needs_quotes(name):
        return name
    return '"' + name.replace('"', '""') + '"'


# ------------------------------------------------------------------ format

_PLACE = re.compile(r"%(?:(\d+)\$)?(-?)(?:(\d+)|\*(?:(\d+)\$)?)?(.)?", re.DOTALL)


def _format(
    context: EvalContext, types: tuple[PgType, ...], text: str | None, *args: Datum
) -> str | None:
    if text is None:
        return None
    following = 0

    def take(index: str | None) -> tuple[Datum, PgType]:
        nonlocal following
        following = int(index) if index else following + 1
        if following < 1:
            raise InvalidParameterValueError(
                "format specifies argument 0, but arguments are numbered from 1"
            )
        if following > len(args):
            raise InvalidParameterValueError("too few arguments for format()")
        return args[following - 1], types[following]

    def one(match: re.Match[str]) -> str:
        index, minus, width, star, kind = match.groups()
        if kind == "%" and not index:
            return "%"
        if kind is None:
            raise InvalidParameterValueError("unterminated format() type specifier")
        size = int(width or 0)
        if "*" in match[0]:
            value, _ = take(star)
            size = int(value or 0)
        if kind not in "sIL":
            raise InvalidParameterValueError(f'unrecognized format() type specifier "{kind}"')
        value, pg_type = take(index)
        shown = _formatted(kind, value, pg_type, context)
        if abs(size) > LONGEST:
            raise too_long()
        left = bool(minus) or size < 0
        return shown.ljust(abs(size)) if left else shown.rjust(abs(size))

    return _PLACE.sub(one, text)


def _formatted(kind: str, value: Datum, pg_type: PgType, context: EvalContext) -> str:
    if value is None:
        if kind == "I":
            raise NullValueNotAllowedError("null values cannot be formatted as an SQL identifier")
        return "NULL" if kind == "L" else ""
    text = to_text(value, pg_type, context.types)
    if kind == "s":
        return text
    return quote_ident(text) if kind == "I" else quote_literal(text)


# ------------------------------------------------------------------ to_char of moments

# Longest first, as PostgreSQL's keyword search; upper and mixed case have their own entries.
_FIELDS = (
    "Y,YYY", "YYYY", "IYYY", "MONTH", "Month", "month", "HH24", "HH12", "SSSSS", "SSSS", "BC", "AD",
    "B.C.", "A.D.", "bc", "ad", "b.c.", "a.d.", "A.M.", "P.M.", "a.m.", "p.m.", "AM", "PM", "am",
    "pm", "DAY", "Day", "day", "IDDD", "DDD", "DD", "DY", "Dy", "dy", "ID", "D", "FF1", "FF2", "FF3",
    "FF4", "FF5", "FF6", "HH", "IW", "IYY", "IY", "I", "J", "MI", "MM", "MON", "Mon", "mon", "MS",
    "OF", "of", "Q", "RM", "rm", "SS", "TZH", "TZM", "TZ", "tz", "US", "WW", "W", "YYY", "YY", "Y", "CC",
)  # fmt: skip
_TOKENS = re.compile(
    r'"((?:[^"\\]|\\.)*)"?|\\(.)|(FM|fm|TM|FX|fx)|('
    + "|".join(re.escape(f) for f in sorted(_FIELDS, key=len, reverse=True))
    + r")(TH|th|SP)?|(.)",
    re.DOTALL,
)


@kept(256, 1000)
def _tokens(pattern: str) -> tuple[tuple[str, str, bool, str], ...]:
    """(kind, text, fill mode, suffix): kind "" is text, "f" a field."""
    # Lower-case field names mean the upper-case ones, save where case says how to write words.
    found = []
    fill = False
    for match in re.finditer(_TOKENS, _upper_fields(pattern)):
        quoted, escaped, modifier, field, suffix, other = match.groups()
        if modifier:
            if modifier.upper() != "FM":
                raise FeatureNotSupportedError(f'to_char with "{modifier}" is not supported')
            fill = True
        elif field:
            if suffix == "SP":
                raise FeatureNotSupportedError('to_char with "SP" is not supported')
            found.append(("f", field, fill, suffix or ""))
            fill = False
        else:
            text = quoted if quoted is not None else escaped or other or ""
            found.append(("", text.replace("\\", "") if quoted else text, False, ""))
    return tuple(found)


_LOWER = re.compile(
    r'("(?:[^"\\]|\\.)*"?|\\.)|(y,yyy|yyyy|iyyy|yyy|iyy|yy|iy|hh24|hh12|hh|mi|mm|sssss|ssss|ss|ms|us'
    r"|ddd|iddd|dd|id|iw|ww|w|ff[1-6]|tzh|tzm|cc|q|j|y)",
    re.DOTALL,
)


def _upper_fields(pattern: str) -> str:
    if pattern.isupper():
        return pattern
    protected = re.sub(_LOWER, lambda m: m[1] or m[2].upper(), _mask_words(pattern))
    return protected.translate(_UNMASK)


# Words whose case is their own (day, mon, am …) are hidden from the upper-casing.
_WORDS = re.compile(
    r"month|Month|MONTH|day|Day|DAY|mon|Mon|MON|dy|Dy|DY|a\.m\.|p\.m\.|am|pm|b\.c\.|bc|ad|a\.d\.|rm|tz(?![hHmM])"
)
_OFFSET = 0xE000
_UNMASK = {_OFFSET + code: chr(code) for code in range(128)}


def _mask_words(pattern: str) -> str:
    return _WORDS.sub(lambda m: "".join([chr(_OFFSET + ord(c)) for c in m[0]]), pattern)


def _moment(value: int, pattern: str, offset_s: int, zone: str) -> str:
    """Format a wall-clock reading."""
    days, micros = divmod(value, DAY_US)
    parts = _Moment(days, micros, offset_s, zone)
    return "".join(
        [
            parts.field(text, fill, suffix) if kind else text
            for kind, text, fill, suffix in _tokens(pattern)
        ]
    )


class _Moment:
    """One timestamp taken apart."""

    def __init__(self, days: int, micros: int, offset_s: int, zone: str) -> None:
        self.days = days
        self.civil, self.month, self.day = from_days(days)
        self.year = self.civil if self.civil > 0 else 1 - self.civil
        self.micros = micros
        self.hour = micros // HOUR_US
        self.offset_s = offset_s
        self.zone = zone

    def field(self, name: str, fill: bool, suffix: str) -> str:
        """One field's text."""
        word = self._word(name, fill)
        if word is not None:
            return word
        number, width = self._number(name)
        sign = "-" if number < 0 else ""
        text = str(number) if fill else sign + str(abs(number)).rjust(width, "0")
        return text + _ordinal(number, suffix) if suffix else text

    def _word(self, name: str, fill: bool) -> str | None:  # one line per field
        folded = name.upper()
        match folded:
            case "MONTH":
                return _cased(_MONTHS[self.month - 1], name, 0 if fill else 9)
            case "MON":
                return _cased(_MONTHS[self.month - 1][:3], name, 0)
            case "DAY":
                return _cased(_DAYS[weekday(self.days)], name, 0 if fill else 9)
            case "DY":
                return _cased(_DAYS[weekday(self.days)][:3], name, 0)
            case "AM" | "PM":
                return _like("AM" if self.hour < 12 else "PM", name)
            case "A.M." | "P.M.":
                return _like("A.M." if self.hour < 12 else "P.M.", name)
            case "BC" | "AD":
                return _like("AD" if self.civil > 0 else "BC", name)
            case "B.C." | "A.D.":
                return _like("A.D." if self.civil > 0 else "B.C.", name)
            case "RM":
                text = _like(_ROMAN[self.month - 1], name)
                return text if fill else text.ljust(4)
            case "Y,YYY":
                return f"{self.year // 1000},{self.year % 1000:03d}"
            case "TZ":
                return _like(self.zone, name)
            case "OF" | "of":
                hours, minutes = divmod(abs(self.offset_s) // 60, 60)
                sign = "-" if self.offset_s < 0 else "+"
                return f"{sign}{hours:02d}" + (f":{minutes:02d}" if minutes else "")
            case "TZH":
                return f"{'-' if self.offset_s < 0 else '+'}{abs(self.offset_s) // 3600:02d}"
            case _:
                return None

    def _number(self, name: str) -> tuple[int, int]:  # noqa: C901 # one line per field
        """(value, width)."""
        micros = self.micros
        iso = iso_week(self.days)
        match name:
            case "HH24":
                return self.hour, 2
            case "HH12" | "HH":
                return (self.hour - 1) % 12 + 1, 2
            case "MI":
                return micros % HOUR_US // MINUTE_US, 2
            case "SS":
                return micros % MINUTE_US // SECOND_US, 2
            case "MS":
                return micros % SECOND_US // 1000, 3
            case "US":
                return micros % SECOND_US, 6
            case "SSSS" | "SSSSS":
                return micros // SECOND_US, 0
            case "YYYY" | "YYY" | "YY" | "Y":
                return self.year % 10 ** len(name) if len(name) < 4 else self.year, len(name)
            case "IYYY" | "IYY" | "IY" | "I":
                year = iso[0] if iso[0] > 0 else 1 - iso[0]
                return year % 10 ** len(name) if len(name) < 4 else year, len(name)
            case "MM":
                return self.month, 2
            case "DD":
                return self.day, 2
            case "DDD":
                return self.days - to_days(self.civil, 1, 1) + 1, 3
            case "IDDD":
                return (iso[1] - 1) * 7 + (weekday(self.days) or 7), 3
            case "D":
                return weekday(self.days) + 1, 1
            case "ID":
                return weekday(self.days) or 7, 1
            case "IW":
                return iso[1], 2
            case "WW":
                return (self.days - to_days(self.civil, 1, 1)) // 7 + 1, 2
            case "W":
                return (self.day - 1) // 7 + 1, 1
            case "Q":
                return (self.month - 1) // 3 + 1, 1
            case "J":
                return self.days + 2_440_588, 0
            case "CC":
                if self.civil > 0:
                    return (self.civil + 99) // 100, 2
                return -(-self.civil // 100) - 1, 2
            case "TZM":
                return abs(self.offset_s) % 3600 // 60, 2
            case _:
                digits = int(name[2])  # FF1 … FF6
                return micros % SECOND_US // 10 ** (6 - digits), digits


def _cased(word: str, name: str, width: int) -> str:
    shown = word.upper() if name.isupper() else word.lower() if name.islower() else word
    return shown.ljust(width)


def _like(word: str, name: str) -> str:
    return word.upper() if name.isupper() else word.lower()


def _ordinal(number: int, suffix: str) -> str:
    tens, ones = divmod(number % 100, 10)
    word = "th" if tens == 1 else {1: "st", 2: "nd", 3: "rd"}.get(ones, "th")
    return word.upper() if suffix == "TH" else word


def _timestamp_char(value: int, pattern: str) -> str | None:
    return _moment(value, pattern, 0, "") if is_finite(value) else None


def _zoned_char(context: EvalContext, value: int, pattern: str) -> str | None:
    if not is_finite(value):
        return None
    zone = context.types.timezone
    name = abbreviation_at(zone, value) or ""
    return _moment(utc_to_local(value, zone), pattern, utc_offset(zone, value), name)


def _date_char(days: int, pattern: str) -> str | None:
    return _timestamp_char(date_to_timestamp(days), pattern)


_INTERVAL_FIELDS = frozenset(
    {"HH24", "HH12", "HH", "MI", "SS", "MS", "US", "YYYY", "MM", "DD", "SSSS", "SSSSS"}
)


def _interval_char(value: bytes, pattern: str) -> str:
    months, days, micros = unpack_interval(value)
    if months < 0 or days < 0 or micros < 0:
        raise FeatureNotSupportedError("to_char of negative intervals is not supported")
    numbers = {
        "HH24": (micros // HOUR_US, 2), "HH12": ((micros // HOUR_US - 1) % 12 + 1, 2),
        "HH": ((micros // HOUR_US - 1) % 12 + 1, 2), "MI": (micros % HOUR_US // MINUTE_US, 2),
        "SS": (micros % MINUTE_US // SECOND_US, 2), "MS": (micros % SECOND_US // 1000, 3),
        "US": (micros % SECOND_US, 6), "YYYY": (months // 12, 4), "MM": (months % 12, 2),
        "DD": (days, 2), "SSSS": (micros // SECOND_US, 0), "SSSSS": (micros // SECOND_US, 0),
    }  # fmt: skip
    parts = []
    for kind, text, fill, suffix in _tokens(pattern):
        if not kind:
            parts.append(text)
            continue
        if text not in _INTERVAL_FIELDS:
            raise FeatureNotSupportedError(f'to_char of an interval with "{text}" is not supported')
        number, width = numbers[text]
        parts.append(
            (str(number) if fill else str(number).rjust(width, "0")) + _suffix(number, suffix)
        )
    return "".join(parts)


def _suffix(number: int, suffix: str) -> str:
    return _ordinal(number, suffix) if suffix else ""


# ------------------------------------------------------------------ to_char of numbers

_NUMBER = re.compile(
    r"(FM|fm)?(S|s|MI|mi|PL|pl|SG|sg)?([\$L]?)([09,GgDd.]+)(S|s|MI|mi|PR|pr|SG|sg)?", re.DOTALL
)


def _number_char(value: Decimal, pattern: str) -> str:
    """Digits, a point and groups; signs by S, MI and PR; FM. What else there is, is refused."""
    match = _NUMBER.fullmatch(pattern)
    if (
        match is None
        or match[3]
        or (match[2] or "").upper() in {"PL", "SG"}
        or match[5] in {"SG", "sg"}
    ):
        raise FeatureNotSupportedError(f'to_char of a number with "{pattern}" is not supported')
    fill, before, body, after = (
        bool(match[1]),
        (match[2] or "").upper(),
        match[4],
        (match[5] or "").upper(),
    )
    if before == "MI":
        raise FeatureNotSupportedError(f'to_char of a number with "{pattern}" is not supported')
    whole, _, fraction = re.sub("[Dd]", ".", re.sub("[Gg]", ",", body)).partition(".")
    has_point = bool(re.search("[Dd.]", body))
    if "." in fraction or "," in fraction:
        raise InvalidParameterValueError("multiple decimal points")
    if not value.is_finite():
        raise FeatureNotSupportedError("to_char of NaN and infinity is not supported")
    places = len(fraction)
    rounded = abs(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    digits, _, decimals = format(rounded, "f").partition(".")
    slots = sum(c in "09" for c in whole)
    digits = "" if digits == "0" else digits
    overflow = len(digits) > slots
    shown = _whole(whole, "#" * slots if overflow else digits, keep_zero=not has_point)
    if has_point:
        decimals = "#" * places if overflow else decimals
        if fill and not overflow:
            keep = fraction.rfind("0") + 1
            decimals = decimals[:keep] + decimals[keep:].rstrip("0")
        if fill and slots and not rounded and not decimals and not re.search("[0-9]", shown):
            shown = "0"  # of nothing but zeros one is shown
        shown += "." + decimals
    return _signed(shown, negative=value < 0 and (bool(rounded) or not overflow) and value != 0,
                   fill=fill, before=before, after=after)  # fmt: skip


def _whole(pattern: str, digits: str, *, keep_zero: bool) -> str:
    """The part before the point: blanks, or zeros from the first 0 of the pattern on."""
    slots = sum(c in "09" for c in pattern)
    padded = digits.rjust(slots)
    first_zero = next((i for i, c in enumerate(pattern.replace(",", "")) if c == "0"), slots)
    padded = "".join(["0" if c == " " and i >= first_zero else c for i, c in enumerate(padded)])
    if keep_zero and padded and padded[-1] == " ":
        padded = padded[:-1] + "0"
    result, at = [], 0
    for character in pattern:
        if character == ",":
            started = at > 0 and padded[at - 1] != " "
            result.append("," if started else " ")
        else:
            result.append(padded[at])
            at += 1
    return "".join(result)


def _signed(shown: str, *, negative: bool, fill: bool, before: str, after: str) -> str:
    if after == "PR":
        body = shown.lstrip(" ")
        text = f"<{body}>" if negative else (body if fill else f" {body} ")
        return text if fill else text.rjust(len(shown) + 2)
    if after == "MI":
        text = shown + ("-" if negative else " ")
        return text.strip(" ") if fill else text
    if after == "S":
        text = shown + ("-" if negative else "+")
        return text.lstrip(" ") if fill else text
    body = shown.lstrip(" ")
    sign = "-" if negative else "+" if before == "S" else "" if fill else " "
    return sign + body if fill else (sign + body).rjust(len(shown) + 1)


def _char(convert: Callable[[Datum], Decimal]) -> Callable[[Datum, str], str]:
    return lambda value, pattern: _number_char(convert(value), pattern)


def _from_float(value: float) -> Decimal:
    return Decimal(repr(value))


OVERLOADS: tuple[Overload, ...] = (
    function("quote_ident", (TEXT,), TEXT, quote_ident),
    *(
        function(
            "format", args, TEXT, _format, variadic=len(args) > 1, strict=False,
            needs_context=True, needs_types=True, volatility=Volatility.STABLE,
        )
        for args in ((TEXT,), (TEXT, ANY))
    ),
    function("to_char", (TIMESTAMP, TEXT), TEXT, _timestamp_char),
    stable("to_char", (TIMESTAMPTZ, TEXT), TEXT, _zoned_char),
    function("to_char", (DATE, TEXT), TEXT, _date_char),
    function("to_char", (INTERVAL, TEXT), TEXT, _interval_char),
    function("to_char", (INT4, TEXT), TEXT, _char(Decimal)),
    function("to_char", (INT8, TEXT), TEXT, _char(Decimal)),
    function("to_char", (NUMERIC, TEXT), TEXT, _char(Decimal)),
    function("to_char", (FLOAT4, TEXT), TEXT, _char(_from_float)),
    function("to_char", (FLOAT8, TEXT), TEXT, _char(_from_float)),
)  # fmt: skip
