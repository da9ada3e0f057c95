"""to_char of dates, timestamps and intervals, field by field as PostgreSQL's DCH_to_char."""

from collections.abc import Callable
from dataclasses import dataclass

from catalog.errors import InvalidDatetimeFormatError
from catalog.types.registry import INTERVAL, TEXT, TIMESTAMP, TIMESTAMPTZ
from catalog.types.zones import called_at, utc_offset
from kalam_pg.functions.clock import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    from_days,
    is_finite,
    iso_week,
    to_days,
    unpack_interval,
    utc_to_local,
    weekday,
)
from kalam_pg.functions.define import function, stable
from kalam_pg.functions.pictures import Kind, Part, moment_picture, ordinal
from kalam_pg.functions.table import EvalContext, Overload

DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")


@dataclass(frozen=True, slots=True)
class _Fields:
    """A moment or an interval taken apart. year is astronomical, or the interval's.

    days: since 1970; None for an interval, which has no place in a calendar. zone, offset_s: of a
    timestamptz.
    """

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    micros: int
    day_of_year: int
    days: int | None
    offset_s: int = 0
    zone: str = ""

    @property
    def julian(self) -> int:
        """The Julian day, which intervals have too: of the date that their fields would be."""
        if self.days is not None:
            return self.days + 2_440_588
        year, month = self.year, self.month
        if month > 2:
            month, year = month + 1, year + 4800
        else:
            month, year = month + 13, year + 4799
        century = _quotient(year, 100)
        julian = year * 365 - 32167
        julian += _quotient(year, 4) - century + _quotient(century, 4)
        return julian + _quotient(7834 * month, 256) + self.day

    @property
    def iso(self) -> tuple[int, int]:
        """(ISO year, week)."""
        return iso_week(self.julian - 2_440_588)


def _quotient(a: int, b: int) -> int:
    """C's division, towards zero."""
    return -(-a // b) if a < 0 else a // b


def _remainder(a: int, b: int) -> int:
    return a - _quotient(a, b) * b


def _render(fields: _Fields, picture: str) -> str:
    shown = []
    for part in moment_picture(picture):
        if part.kind is not Kind.FIELD:
            shown.append(part.text)
            continue
        if fields.days is None and part.text in _OF_MOMENTS:
            raise InvalidDatetimeFormatError(
                "invalid format specification for an interval value",
                hint="Intervals are not tied to specific calendar dates.",
            )
        text = _FIELDS[part.text](fields, part)
        shown.append(text + ordinal(text, part.ordinal) if part.ordinal and text else text)
    return "".join(shown)


def _padded(number: int, width: int, part: Part) -> str:
    """`%0*d`, without padding in fill mode; the sign takes a place of its own."""
    if part.fill:
        return str(number)
    return f"{number:0{width + (number < 0)}d}"


def _word(word: str, part: Part, width: int = 0) -> str:
    written = part.written
    cased = word.upper() if written.isupper() else word.lower() if written.islower() else word
    return cased if part.fill else cased.ljust(width)


def _half(fields: _Fields, part: Part) -> str:
    afternoon = _remainder(fields.hour, 24) >= 12
    dots = "." in part.text
    return _word(("P.M." if dots else "PM") if afternoon else ("A.M." if dots else "AM"), part)


def _era(fields: _Fields, part: Part) -> str:
    before = fields.year <= 0
    dots = "." in part.text
    return _word(("B.C." if dots else "BC") if before else ("A.D." if dots else "AD"), part)


def _twelve(fields: _Fields, part: Part) -> str:
    width = 2 if fields.hour >= 0 else 3
    hour = _remainder(fields.hour, 12) or 12
    return str(hour) if part.fill else f"{hour:0{width}d}"


def _month_name(width: int, cut: int | None) -> Callable[[_Fields, Part], str]:
    return lambda f, p: _word(MONTHS[f.month - 1][:cut], p, width) if f.month else ""


def _day_name(width: int, cut: int | None) -> Callable[[_Fields, Part], str]:
    return lambda f, p: _word(DAYS[weekday(f.days or 0)][:cut], p, width)


def _roman(fields: _Fields, part: Part) -> str:
    if not fields.month and not fields.year:
        return ""
    if not fields.month:
        month = 11 if fields.year >= 0 else 0
    else:
        month = fields.month + 12 if fields.month < 0 else fields.month - 1
    return _word(ROMAN[month], part, 4)


def _shown_year(fields: _Fields, year: int) -> int:
    """Years before Christ count from 1; those of intervals are what they are."""
    return year if fields.days is None or year > 0 else 1 - year


def _year(digits: int, *, iso: bool) -> Callable[[_Fields, Part], str]:
    def run(fields: _Fields, part: Part) -> str:
        year = _shown_year(fields, fields.iso[0] if iso else fields.year)
        short = year if digits == 4 else _remainder(year, 10**digits)
        if part.fill or digits == 1:
            return str(short)
        # The sign of the year itself, not the ISO one's, has a place.
        return f"{short:0{digits + (_shown_year(fields, fields.year) < 0)}d}"

    return run


def _comma_year(fields: _Fields, _part: Part) -> str:
    year = _shown_year(fields, fields.year)
    thousands = _quotient(year, 1000)
    return f"{thousands},{year - thousands * 1000:03d}"


def _century(fields: _Fields, part: Part) -> str:
    year = fields.year
    if fields.days is None:
        century = _quotient(year, 100)
    else:
        century = (year - 1) // 100 + 1 if year > 0 else _quotient(year, 100) - 1
    return _padded(century, 2, part) if abs(century) <= 99 else str(century)


def _iso_day_of_year(fields: _Fields, part: Part) -> str:
    days = fields.julian - 2_440_588
    return _padded((iso_week(days)[1] - 1) * 7 + (weekday(days) or 7), 3, part)


def _offset(fields: _Fields, part: Part) -> str:
    size = abs(fields.offset_s)
    hours = str(size // 3600) if part.fill else f"{size // 3600:02d}"
    minutes = f":{size % 3600 // 60:02d}" if size % 3600 else ""
    return f"{'-' if fields.offset_s < 0 else '+'}{hours}{minutes}"


def _fraction(digits: int) -> Callable[[_Fields, Part], str]:
    return lambda f, _p: f"{_quotient(f.micros, 10 ** (6 - digits)):0{digits}d}"


_FIELDS: dict[str, Callable[[_Fields, Part], str]] = {
    **dict.fromkeys(("A.M.", "P.M.", "AM", "PM"), _half),
    **dict.fromkeys(("A.D.", "B.C.", "AD", "BC"), _era),
    "HH": _twelve,
    "HH12": _twelve,
    "HH24": lambda f, p: _padded(f.hour, 2, p),
    "MI": lambda f, p: _padded(f.minute, 2, p),
    "SS": lambda f, p: _padded(f.second, 2, p),
    "MS": _fraction(3),
    "US": _fraction(6),
    **{f"FF{digits}": _fraction(digits) for digits in range(1, 7)},
    **dict.fromkeys(("SSSS", "SSSSS"), lambda f, _: str(f.hour * 3600 + f.minute * 60 + f.second)),
    "TZ": lambda f, p: f.zone.lower() if p.written == "tz" else f.zone.upper(),
    "TZH": lambda f, _: f"{'-' if f.offset_s < 0 else '+'}{abs(f.offset_s) // 3600:02d}",
    "TZM": lambda f, _: f"{abs(f.offset_s) % 3600 // 60:02d}",
    "OF": _offset,
    "MONTH": _month_name(9, None),
    "MON": _month_name(0, 3),
    "MM": lambda f, p: _padded(f.month, 2, p),
    "DAY": _day_name(9, None),
    "DY": _day_name(0, 3),
    "DDD": lambda f, p: str(f.day_of_year) if p.fill else f"{f.day_of_year:03d}",
    "IDDD": _iso_day_of_year,
    "DD": lambda f, p: str(f.day) if p.fill else f"{f.day:02d}",
    "D": lambda f, _: str(weekday(f.days or 0) + 1),
    "ID": lambda f, _: str(weekday(f.days or 0) or 7),
    "WW": lambda f, p: _padded(_quotient(f.day_of_year - 1, 7) + 1, 2, p),
    "IW": lambda f, p: _padded(f.iso[1], 2, p),
    "W": lambda f, _: str(_quotient(f.day - 1, 7) + 1),
    "Q": lambda f, _: str(_quotient(f.month - 1, 3) + 1) if f.month else "",
    "CC": _century,
    "Y,YYY": _comma_year,
    **{"Y" * n: _year(n, iso=False) for n in range(1, 5)},
    **{"I" + "Y" * n: _year(n + 1, iso=True) for n in range(4)},
    "RM": _roman,
    "J": lambda f, _: str(f.julian),
    "FX": lambda _f, _p: "",
}
_OF_MOMENTS = frozenset(
    """
    A.D. B.C. AD BC MONTH MON DAY DY D ID TZ TZH TZM OF
    """.split()  # noqa: SIM905 - one line reads better
)


def _of_timestamp(value: int, offset_s: int = 0, zone: str = "") -> _Fields:
    days, micros = divmod(value, DAY_US)
    year, month, day = from_days(days)
    return _Fields(
        year, month, day,
        micros // HOUR_US, micros % HOUR_US // MINUTE_US, micros % MINUTE_US // SECOND_US,
        micros % SECOND_US, days - to_days(year, 1, 1) + 1, days, offset_s, zone,
    )  # fmt: skip


def _timestamp_char(value: int, picture: str) -> str | None:
    if not picture or not is_finite(value):
        return None
    return _render(_of_timestamp(value), picture)


def _zoned_char(context: EvalContext, value: int, picture: str) -> str | None:
    if not picture or not is_finite(value):
        return None
    zone = context.types.timezone
    offset_s = utc_offset(zone, value)
    name = called_at(zone, value)
    return _render(_of_timestamp(utc_to_local(value, zone), offset_s, name), picture)


def _interval_char(value: bytes, picture: str) -> str | None:
    if not picture:
        return None
    months, days, micros = unpack_interval(value)
    year = _quotient(months, 12)
    hour = _quotient(micros, HOUR_US)
    minute = _quotient(micros - hour * HOUR_US, MINUTE_US)
    rest = micros - hour * HOUR_US - minute * MINUTE_US
    second = _quotient(rest, SECOND_US)
    fields = _Fields(
        year, months - year * 12, days, hour, minute, second, rest - second * SECOND_US,
        months * 30 + days, None,
    )  # fmt: skip
    return _render(fields, picture)


OVERLOADS: tuple[Overload, ...] = (
    function("to_char", (TIMESTAMP, TEXT), TEXT, _timestamp_char),
    stable("to_char", (TIMESTAMPTZ, TEXT), TEXT, _zoned_char),
    function("to_char", (INTERVAL, TEXT), TEXT, _interval_char),
)
