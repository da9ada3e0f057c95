"""Days and microseconds: the proleptic Gregorian calendar by arithmetic, for all of PostgreSQL's years.

Years are astronomical: 0 is 1 BC, -1 is 2 BC. Days and times count from 1970-01-01.
"""

from functools import lru_cache

US_PER_SECOND = 1_000_000
US_PER_MINUTE = 60 * US_PER_SECOND
US_PER_HOUR = 3600 * US_PER_SECOND
US_PER_DAY = 86400 * US_PER_SECOND
EPOCH_2000_DAYS = 10957
"""2000-01-01, from which the binary formats count."""
EPOCH_2000_US = EPOCH_2000_DAYS * US_PER_DAY
JULIAN_1970 = 2440588
"""The Julian day number of 1970-01-01."""

DATE_MIN = -JULIAN_1970
"""4714-11-24 BC, Julian day 0."""
DATE_END = 2147483494 - JULIAN_1970
"""The day after 5874897-12-31."""
TIMESTAMP_MIN = DATE_MIN * US_PER_DAY
DATE_NEG_INFINITY, DATE_INFINITY = -(1 << 31), (1 << 31) - 1
NEG_INFINITY, INFINITY = -(1 << 63), (1 << 63) - 1
TIMESTAMP_END = INFINITY
"""The first number that is no timestamp: in January 294247. PostgreSQL, which counts from 2000, goes on
for another 30 years; those do not fit the stored form."""

MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_leap(year: int) -> bool:
    """Return whether February has 29 days."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    """Return 28 to 31."""
    return 29 if month == 2 and is_leap(year) else MONTH_DAYS[month - 1]


@lru_cache(maxsize=4096)
def days_of(year: int, month: int, day: int) -> int:
    """Return the day number of a date; `day` may lie outside its month and counts on."""
    # The year begins in March, so that the leap day is its last.
    if month <= 2:
        year -= 1
        month += 12
    months = (153 * (month - 3) + 2) // 5
    return 365 * year + year // 4 - year // 100 + year // 400 + months + day - 719469


@lru_cache(maxsize=4096)
def date_of(days: int) -> tuple[int, int, int]:
    """Return (year, month, day) of a day number."""
    days += 719468
    era, rest = divmod(days, 146097)
    year = (rest - rest // 1460 + rest // 36524 - rest // 146096) // 365
    rest -= 365 * year + year // 4 - year // 100
    month = (5 * rest + 2) // 153
    day = rest - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return year + 400 * era + (month <= 2), month, day


def day_of_week(days: int) -> int:
    """Return 0 for Sunday to 6 for Saturday."""
    return (days + 4) % 7


def clock_of(us: int) -> tuple[int, int, int, int]:
    """Return (hour, minute, second, microsecond) of microseconds since midnight."""
    seconds, fraction = divmod(us, US_PER_SECOND)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return hour, minute, second, fraction
