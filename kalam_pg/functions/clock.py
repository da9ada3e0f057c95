"""Calendar arithmetic on stored dates, timestamps and intervals (proleptic Gregorian, any year).

Days and microseconds count from 1970-01-01. The extremes of int32 and int64 are the infinities.
"""

import struct
from datetime import UTC, tzinfo

from catalog.errors import DatetimeFieldOverflowError
from catalog.types.zones import local_offset, utc_offset

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
SECOND_US = 1_000_000
DATE_INFINITY, DATE_MINUS_INFINITY = 2**31 - 1, -(2**31)
INFINITY, MINUS_INFINITY = 2**63 - 1, -(2**63)
# From 4713-11-24 BC (Julian day 0); before 294277-01-01, dates before 5874898-01-01.
MIN_DAY, END_DATE = -2_440_588, 2_145_042_906
MIN_TIMESTAMP = MIN_DAY * DAY_US
END_TIMESTAMP = 9_224_318_016_000_000_000
_INTERVAL = struct.Struct(">iiq")


def pack_interval(months: int, days: int, micros: int) -> bytes:
    """The stored form; 22008 when a field is too large."""
    try:
        return _INTERVAL.pack(months, days, micros)
    except struct.error:
        raise DatetimeFieldOverflowError("interval out of range") from None


def unpack_interval(value: bytes) -> tuple[int, int, int]:
    """(months, days, microseconds)."""
    return _INTERVAL.unpack(value)


def span_us(value: bytes) -> int:
    """The length that interval comparison goes by: 30-day months, 24-hour days."""
    months, days, micros = _INTERVAL.unpack(value)
    return int((months * 30 + days) * DAY_US + micros)


def to_days(year: int, month: int, day: int) -> int:
    """Days since 1970 of a civil date; years are astronomical (0 is 1 BC)."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def from_days(days: int) -> tuple[int, int, int]:
    """(astronomical year, month, day)."""
    days += 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def month_length(year: int, month: int) -> int:
    """Days in a month."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in {4, 6, 9, 11} else 31


def weekday(days: int) -> int:
    """0 is Sunday."""
    return (days + 4) % 7


def iso_week(days: int) -> tuple[int, int]:
    """(ISO year, week)."""
    year = from_days(days - (days + 3) % 7 + 3)[0]  # the year of this week's Thursday
    first = to_days(year, 1, 4)
    return year, (days - (first - (first + 3) % 7)) // 7 + 1


def date_to_timestamp(days: int, *, clamp: bool = False) -> int:
    """Midnight; out of timestamp's range is 22008, or with `clamp` after every timestamp but infinity."""
    if days == DATE_INFINITY:
        return INFINITY
    if days == DATE_MINUS_INFINITY:
        return MINUS_INFINITY
    result = days * DAY_US
    if not MIN_TIMESTAMP <= result < END_TIMESTAMP and not clamp:
        raise DatetimeFieldOverflowError("date out of range for timestamp")
    return min(result, INFINITY - 1)


def timestamp_to_date(value: int) -> int:
    """The day a timestamp falls on."""
    if value == INFINITY:
        return DATE_INFINITY
    if value == MINUS_INFINITY:
        return DATE_MINUS_INFINITY
    return value // DAY_US


def check_timestamp(value: int) -> int:
    """The value, if a timestamp can hold it."""
    if MIN_TIMESTAMP <= value < END_TIMESTAMP:
        return value
    raise DatetimeFieldOverflowError("timestamp out of range")


def is_finite(value: int) -> bool:
    """Whether a timestamp is neither infinity."""
    return MINUS_INFINITY < value < INFINITY


def local_to_utc(value: int, zone: tzinfo, *, clamp: bool = False) -> int:
    """A wall-clock reading in `zone` as UTC, in gaps and overlaps as PostgreSQL reads it.

    Out of timestamp's range is 22008, or with `clamp` beyond every timestamp but the infinities.
    """
    if zone is UTC or not is_finite(value):
        return value
    moved = value - local_offset(zone, value) * SECOND_US
    if clamp:
        return min(max(moved, MINUS_INFINITY + 1), INFINITY - 1)
    return check_timestamp(moved)


def utc_to_local(value: int, zone: tzinfo) -> int:
    """The wall-clock reading in `zone`."""
    if zone is UTC or not is_finite(value):
        return value
    return value + utc_offset(zone, value) * SECOND_US


def add_months(value: int, months: int) -> int:
    """Move a timestamp by months; the day is cut to the month's length."""
    days, micros = divmod(value, DAY_US)
    year, month, day = from_days(days)
    index = year * 12 + month - 1 + months
    year, month = index // 12, index % 12 + 1
    return to_days(year, month, min(day, month_length(year, month))) * DAY_US + micros


def add_interval(value: int, interval: bytes, sign: int = 1) -> int:
    """Timestamp + sign * interval: months, then days, then time."""
    if not is_finite(value):
        return value
    months, days, micros = unpack_interval(interval)
    if months:
        value = add_months(value, sign * months)
    return check_timestamp(value + sign * (days * DAY_US + micros))


def add_interval_zoned(value: int, interval: bytes, zone: tzinfo, sign: int = 1) -> int:
    """Timestamptz + sign * interval: months and days in the session's zone, then time in UTC."""
    if not is_finite(value):
        return value
    months, days, micros = unpack_interval(interval)
    if months or days:
        local = utc_to_local(value, zone)
        if months:
            local = add_months(local, sign * months)
        value = local_to_utc(local + sign * days * DAY_US, zone)
    return check_timestamp(value + sign * micros)


def subtract_timestamps(a: int, b: int) -> bytes:
    """A - b: days and time, hours justified into days."""
    if not is_finite(a) or not is_finite(b):
        raise DatetimeFieldOverflowError("cannot subtract infinite timestamps")
    micros = a - b
    days = abs(micros) // DAY_US * (1 if micros >= 0 else -1)
    return pack_interval(0, days, micros - days * DAY_US)
