"""Dates and times as text: PostgreSQL's ISO style, and its SQL, Postgres and German styles."""

from functools import lru_cache

from catalog.types.calendar import (
    DATE_INFINITY,
    DATE_NEG_INFINITY,
    INFINITY,
    NEG_INFINITY,
    US_PER_DAY,
    US_PER_SECOND,
    date_of,
    day_of_week,
)
from catalog.types.table import TypeContext
from catalog.types.zones import abbreviation_at, utc_offset

MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY_NAMES = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


_US_PER_MINUTE = 60 * US_PER_SECOND
_MINUTES = [f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60 + 1)]
_SECONDS = [f"{second:02d}" for second in range(60)]


def date_text(days: int, context: TypeContext) -> str:
    """Return a date's text."""
    if days == DATE_INFINITY:
        return "infinity"
    if days == DATE_NEG_INFINITY:
        return "-infinity"
    if context.date_style == "ISO":
        return _iso_date(days) if days >= _YEAR_1 else _iso_date(days) + " BC"
    year, month, day = date_of(days)
    text = _styled_date(year if year > 0 else 1 - year, month, day, context)
    return text if year > 0 else text + " BC"


def time_text(us: int) -> str:
    """Return a time of day's text, microseconds since midnight, without trailing zeros."""
    minutes, rest = divmod(us, _US_PER_MINUTE)
    second, fraction = divmod(rest, US_PER_SECOND)
    if fraction:
        return f"{_MINUTES[minutes]}{_SECONDS[second]}.{fraction:06d}".rstrip("0")
    return _MINUTES[minutes] + _SECONDS[second]


def timestamp_text(us: int, context: TypeContext) -> str:
    """Return the text of a timestamp without time zone."""
    if us in _INFINITIES:
        return _INFINITIES[us]
    return _timestamp(us, context, "", "")


def timestamptz_text(us: int, context: TypeContext) -> str:
    """Return the text of an instant in the session's time zone."""
    if us in _INFINITIES:
        return _INFINITIES[us]
    offset = utc_offset(context.timezone, us)
    local = us + offset * US_PER_SECOND
    if context.date_style == "ISO":
        return _timestamp(local, context, offset_text(offset), "")
    name = abbreviation_at(context.timezone, us)
    if name is None:
        return _timestamp(local, context, offset_text(offset), " ")
    return _timestamp(local, context, name, " ")


@lru_cache(maxsize=256)
def offset_text(offset: int) -> str:
    """Return an offset as +01, -03:30 or +00:53:28."""
    hours, rest = divmod(abs(offset), 3600)
    text = f"{'-' if offset < 0 else '+'}{hours:02d}"
    minutes, seconds = divmod(rest, 60)
    if seconds:
        return f"{text}:{minutes:02d}:{seconds:02d}"
    return f"{text}:{minutes:02d}" if minutes else text


_INFINITIES = {INFINITY: "infinity", NEG_INFINITY: "-infinity"}
_YEAR_1 = -719162
"""0001-01-01; before it, years are written with BC."""


def _timestamp(local: int, context: TypeContext, zone: str, gap: str) -> str:
    days, us = divmod(local, US_PER_DAY)
    if context.date_style == "ISO":
        text = f"{_iso_date(days)} {time_text(us)}{zone}"
        return text if days >= _YEAR_1 else text + " BC"
    year, month, day = date_of(days)
    shown = year if year > 0 else 1 - year
    era = "" if year > 0 else " BC"
    if context.date_style.upper() == "POSTGRES":
        name = DAY_NAMES[day_of_week(days)]
        middle = (
            f"{day:02d} {MONTH_NAMES[month - 1]}"
            if context.date_order == "DMY"
            else f"{MONTH_NAMES[month - 1]} {day:02d}"
        )
        # An offset follows a space here, or it would read as part of the year.
        return f"{name} {middle} {time_text(us)} {shown:04d}{gap}{zone}{era}"
    text = f"{_styled_date(shown, month, day, context)} {time_text(us)}"
    if context.date_style.upper() in {"SQL", "GERMAN"}:
        return f"{text}{gap if zone[:1].isalpha() else ''}{zone}{era}"
    return f"{text}{zone}{era}"


@lru_cache(maxsize=4096)
def _iso_date(days: int) -> str:
    year, month, day = date_of(days)
    return f"{year if year > 0 else 1 - year:04d}-{month:02d}-{day:02d}"


def _styled_date(year: int, month: int, day: int, context: TypeContext) -> str:
    style = context.date_style.upper()
    if style == "GERMAN":
        return f"{day:02d}.{month:02d}.{year:04d}"
    first, second = (day, month) if context.date_order == "DMY" else (month, day)
    separator = "/" if style == "SQL" else "-"
    if style == "POSTGRES" and context.date_order == "YMD":
        first, second = month, day
    return f"{first:02d}{separator}{second:02d}{separator}{year:04d}"
