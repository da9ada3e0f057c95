"""Intervals from text: PostgreSQL's units, SQL's year-month and day-time forms, and ISO 8601.

Source: PostgreSQL's DecodeInterval and DecodeISO8601Interval. Fields are read from the right, so that
a unit is known before its number; fractions of a unit go to smaller ones (half a month is 15 days).
"""

import re

from catalog.errors import DatetimeFieldOverflowError
from catalog.types.calendar import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND
from catalog.types.datetime_lex import (
    INT32_MAX,
    TOKEN_MAX,
    Fault,
    Lexeme,
    Reason,
    error_of,
    fraction_of,
    leading_int,
    leading_long,
    split_fields,
)
from catalog.types.interval_fields import FULL_RANGE, MINUTE_TO_SECOND, last_unit
from catalog.types.table import TypeContext

_LENGTH_MAX = 255
_DAYS_PER_MONTH = 30
_MONTHS_PER_YEAR = 12
_INT64_MAX = (1 << 63) - 1

_UNITS = {
    word: unit
    for unit, words in {
        "microsecond": "us usec usecs usecond useconds microsecon",
        "millisecond": "ms msec msecs msecond mseconds millisecon",
        "second": "s sec secs second seconds",
        "minute": "m min mins minute minutes",
        "hour": "h hr hrs hour hours",
        "day": "d day days",
        "week": "w week weeks",
        "month": "mon mons month months",
        "year": "y yr yrs year years",
        "decade": "dec decs decade decades",
        "century": "c cent century centuries",
        "millennium": "mil mils millennia millennium",
    }.items()
    for word in words.split()
}
_US = {
    "microsecond": 1,
    "millisecond": 1000,
    "second": US_PER_SECOND,
    "minute": US_PER_MINUTE,
    "hour": US_PER_HOUR,
}
_YEARS = {"year": 1, "decade": 10, "century": 100, "millennium": 1000}


def read_interval(
    text: str, context: TypeContext, fields: int = FULL_RANGE
) -> tuple[int, int, int]:
    """Return (months, days, microseconds). fields: what the interval is restricted to.

    Raises:
        InvalidDatetimeFormatError: 22007.
        IntervalFieldOverflowError: 22015, a number is too large.
        DatetimeFieldOverflowError: 22008, the whole is.
    """
    try:
        try:
            total = _Reader(context.interval_style == "sql_standard", fields)
            total.read(text)
        except Fault as fault:
            if fault.reason is not Reason.FORMAT:
                raise
            total = _Iso8601(text)
            total.read_iso()
    except Fault as fault:
        raise error_of(fault, "interval", text) from None
    months = total.years * _MONTHS_PER_YEAR + total.months
    if not -INT32_MAX - 1 <= months <= INT32_MAX:
        raise DatetimeFieldOverflowError("interval out of range")
    return months, total.days, total.us


def _truncate(value: float) -> int:
    return int(value)  # towards zero, as C


class _Sum:
    """An interval being added up. Every part is checked at each step, as PostgreSQL does."""

    def __init__(self) -> None:
        self.years = self.months = self.days = self.us = 0

    def add(self, unit: str, value: int, fraction: float) -> None:
        if unit in _US:
            self._add_us(value * _US[unit])
            self._add_fraction_us(fraction, _US[unit])
        elif unit == "day":
            self._add_days(value, 1)
            self._add_fraction_us(fraction, US_PER_DAY)
        elif unit == "week":
            self._add_days(value, 7)
            self._add_fraction_days(fraction, 7)
        elif unit == "month":
            self.months = self._int32(self.months + self._int32(value))
            self._add_fraction_days(fraction, _DAYS_PER_MONTH)
        elif unit in _YEARS:
            years = self._int32(self._int32(value) * _YEARS[unit])
            self.years = self._int32(self.years + years)
            extra = round(fraction * _YEARS[unit] * _MONTHS_PER_YEAR)
            self.months = self._int32(self.months + extra)
        else:
            raise Fault

    def negate(self) -> None:
        self.years, self.months = self._int32(-self.years), self._int32(-self.months)
        self.days, self.us = self._int32(-self.days), self._int64(-self.us)

    def _add_days(self, value: int, scale: int) -> None:
        self.days = self._int32(self.days + self._int32(self._int32(value) * scale))

    def _add_us(self, us: int) -> None:
        self.us = self._int64(self.us + self._int64(us))

    def _add_fraction_days(self, fraction: float, scale: int) -> None:
        if fraction == 0:
            return
        days = fraction * scale
        whole = _truncate(days)
        self.days = self._int32(self.days + whole)
        self._add_fraction_us(days - whole, US_PER_DAY)

    def _add_fraction_us(self, fraction: float, scale: int) -> None:
        if fraction == 0:
            return
        us = fraction * scale
        whole = _truncate(us)
        rest = us - whole
        whole += 1 if rest > 0.5 else -1 if rest < -0.5 else 0
        self._add_us(whole)

    @staticmethod
    def _int32(value: int) -> int:
        if not -INT32_MAX - 1 <= value <= INT32_MAX:
            raise Fault(Reason.OVERFLOW)
        return value

    @staticmethod
    def _int64(value: int) -> int:
        if not -_INT64_MAX - 1 <= value <= _INT64_MAX:
            raise Fault(Reason.OVERFLOW)
        return value


class _Reader(_Sum):
    """PostgreSQL's and SQL's forms."""

    def __init__(self, sql_standard: bool = False, fields: int = FULL_RANGE) -> None:
        super().__init__()
        self.sql_standard = sql_standard
        self.bare = last_unit(fields)
        self.short = fields == MINUTE_TO_SECOND
        self.unit = ""  # of the number to the left
        self.found: set[str] = set()

    def read(self, text: str) -> None:
        fields = split_fields(text, _LENGTH_MAX)
        signs = [field[0] for _, field in fields if field[0] in "+-"]
        # In SQL's form one leading minus, with no other sign, is for all fields.
        all_negative = (
            self.sql_standard and fields[:1] != [] and fields[0][1][0] == "-" == "".join(signs)
        )
        ago = False
        for kind, field in reversed(fields):
            if kind is Lexeme.TIME:
                self._clock(field, -1 if all_negative else 1)
                self.unit = "day"
            elif kind in {Lexeme.WORD, Lexeme.SPECIAL}:
                word = field[:TOKEN_MAX]
                ago = ago or word == "ago"
                if word == "ago":
                    self.unit = "ago"
                elif word in _UNITS:
                    self.unit = _UNITS[word]
                else:
                    raise Fault
            elif kind is Lexeme.SIGNED and ":" in field and self._signed_clock(field, all_negative):
                self.unit = "day"
            else:
                self._number(field, all_negative)
        if not self.found:
            raise Fault
        if ago:
            self.negate()

    def _note(self, units: set[str]) -> None:
        if units & self.found:
            raise Fault
        self.found |= units

    def _clock(self, field: str, sign: int) -> None:
        # As in PostgreSQL, a clock replaces smaller parts of a week or month behind it.
        self.us = sign * _clock_us(field, short=self.short)
        self._note({"hour", "minute", "second", "millisecond", "microsecond"})

    def _signed_clock(self, field: str, all_negative: bool) -> bool:
        try:
            us = _clock_us(field[1:], short=self.short)
        except Fault:
            return False
        self.us = -us if field[0] == "-" or all_negative else us
        self._note({"hour", "minute", "second", "millisecond", "microsecond"})
        return True

    def _number(self, field: str, all_negative: bool) -> None:
        unit = self.unit or self.bare
        value, rest = leading_long(field)
        fraction = 0.0
        if rest.startswith("-"):
            # SQL's years-months.
            months, rest = leading_int(rest[1:])
            if not 0 <= months < _MONTHS_PER_YEAR:
                raise Fault(Reason.OVERFLOW)
            if rest:
                raise Fault
            unit = "month"
            value = value * _MONTHS_PER_YEAR + (-months if field[0] == "-" else months)
            self._int64(value)
        elif rest.startswith("."):
            fraction = fraction_of(rest)
            if field[0] == "-":
                fraction = -fraction
        elif rest:
            raise Fault
        if all_negative:
            value, fraction = -abs(value), -abs(fraction)
        self.add(unit, value, fraction)
        if unit == "second" and fraction:
            self._note({"second", "millisecond", "microsecond"})
        else:
            self._note({unit})
        # What stands left of a clock or hours without a unit is days; otherwise the unit stays.
        self.unit = "day" if unit == "hour" else unit


def _clock_us(field: str, *, short: bool) -> int:
    """short: two parts are minutes and seconds."""
    hour, rest = leading_long(field)
    if not rest.startswith(":"):
        raise Fault
    minute, rest = leading_int(rest[1:])
    second = us = 0
    if rest.startswith("."):
        us = round(fraction_of(rest) * US_PER_SECOND)
        if hour > INT32_MAX:
            raise Fault(Reason.OVERFLOW)
        hour, minute, second = 0, hour, minute
    elif rest.startswith(":"):
        second, rest = leading_int(rest[1:])
        if rest:
            us = round(fraction_of(rest) * US_PER_SECOND)
    elif rest:
        raise Fault
    elif short:
        hour, minute, second = 0, hour, minute
    if hour < 0 or not 0 <= minute <= 59 or not 0 <= second <= 60 or us > US_PER_SECOND:
        raise Fault(Reason.OVERFLOW)
    total = hour * US_PER_HOUR + minute * US_PER_MINUTE + second * US_PER_SECOND + us
    if total > _INT64_MAX:
        raise Fault(Reason.OVERFLOW)
    return total


_FLOAT = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ISO_RANGE = 1.0e15
_BEFORE_T = {"Y": "year", "M": "month", "W": "week", "D": "day"}
_AFTER_T = {"H": "hour", "M": "minute", "S": "second"}


class _Iso8601(_Reader):
    """P1Y2M3DT4H5M6S, P0001-02-03T04:05:06 and P00010203T040506."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.at = 1

    def read_iso(self) -> None:
        text = self.text
        if len(text) < 2 or text[0] != "P":
            raise Fault
        is_date, started = True, False
        while self.at < len(text):
            if text[self.at] == "T":
                is_date, started = False, False
                self.at += 1
                continue
            start = self.at
            value, fraction = self._iso_number()
            unit = text[self.at : self.at + 1]
            named = (_BEFORE_T if is_date else _AFTER_T).get(unit)
            if named:
                self.at += 1
                self.add(named, value, fraction)
            else:
                self._alternative(start, value, fraction, is_date=is_date, started=started)
            started = True

    def _iso_number(self) -> tuple[int, float]:
        match = _FLOAT.match(self.text, self.at)
        if match is None:
            raise Fault
        self.at = match.end()
        number = float(match[0])
        if not -_ISO_RANGE <= number <= _ISO_RANGE:
            raise Fault(Reason.OVERFLOW)
        whole = _truncate(number)
        return whole, number - whole

    def _alternative(
        self, start: int, value: int, fraction: float, *, is_date: bool, started: bool
    ) -> None:
        """Read the rest of a date (or time) without unit letters, whose first number is `value`."""
        text = self.text
        unit = text[self.at : self.at + 1]
        if unit not in ({"", "T", "-"} if is_date else {"", ":"}) or started:
            raise Fault
        digits = len(re.match(r"-?([0-9]*)", text[start:])[1])  # type: ignore[index]
        if unit in {"", "T"} and digits == (8 if is_date else 6):
            high, middle, low = _basic(value)
            units = ("year", "month", "day") if is_date else ("hour", "minute", "second")
            for name, number in zip(units, (high, middle, low), strict=True):
                self.add(name, number, 0.0)
            self._add_fraction_us(fraction, US_PER_DAY if is_date else 1)
            return
        separator = "-" if is_date else ":"
        units = ("year", "month", "day") if is_date else ("hour", "minute", "second")
        self.add(units[0], value, fraction)
        for name in units[1:]:
            if text[self.at : self.at + 1] in {"", "T"}:
                return
            if text[self.at] != separator:
                raise Fault
            self.at += 1
            value, fraction = self._iso_number()
            self.add(name, value, fraction)
        if text[self.at : self.at + 1] not in ({"", "T"} if is_date else {""}):
            raise Fault


def _basic(value: int) -> tuple[int, int, int]:
    sign = -1 if value < 0 else 1
    value = abs(value)
    return sign * (value // 10000), sign * (value // 100 % 100), sign * (value % 100)
