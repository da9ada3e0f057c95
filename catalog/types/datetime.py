"""date, time, timestamp and timestamptz."""

import re
from struct import Struct
from typing import cast

import pyarrow as pa

from catalog.errors import DatetimeFieldOverflowError
from catalog.types.calendar import (
    DATE_END,
    DATE_INFINITY,
    DATE_MIN,
    DATE_NEG_INFINITY,
    EPOCH_2000_DAYS,
    EPOCH_2000_US,
    INFINITY,
    NEG_INFINITY,
    TIMESTAMP_END,
    TIMESTAMP_MIN,
    US_PER_DAY,
    US_PER_SECOND,
    days_in_month,
    days_of,
)
from catalog.types.common import bad_binary, fixed
from catalog.types.datetime_input import read_date, read_time, read_timestamp
from catalog.types.datetime_output import date_text, time_text, timestamp_text, timestamptz_text
from catalog.types.table import PgType, TypeContext
from catalog.types.zones import local_offset
from storage.layout import Value

PRECISION_MAX = 6

_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?")
_INT32 = Struct("!i")
_INT64 = Struct("!q")
_UNIT = (1_000_000, 100_000, 10_000, 1_000, 100, 10, 1)


def parse_date(text: str, _typmod: int, context: TypeContext) -> int:
    """Return the day number of any date that PostgreSQL reads."""
    match = _ISO.fullmatch(text)
    if match is not None and match[4] is None:
        days = _iso_days(match)
        if days is not None:
            return days
    return read_date(text, context)


def parse_time(text: str, typmod: int, context: TypeContext) -> int:
    """Return microseconds since midnight, 24:00:00 included."""
    match = _CLOCK.fullmatch(text)
    us = None if match is None else _clock(match[1], match[2], match[3], match[4])
    if us is None:
        us = read_time(text, context)
    return us if typmod < 0 else fit_time(us, typmod)


def parse_timestamp(text: str, typmod: int, context: TypeContext) -> int:
    """Return local microseconds; a time zone in the text is ignored, as in PostgreSQL."""
    us = _iso_timestamp(text, None)
    if us is None:
        us = read_timestamp(text, context, zoned=False)
    return us if typmod < 0 else fit_timestamp(us, typmod)


def parse_timestamptz(text: str, typmod: int, context: TypeContext) -> int:
    """Return the instant; a text without a time zone is in the session's."""
    us = _iso_timestamp(text, context)
    if us is None:
        us = read_timestamp(text, context, zoned=True)
    return us if typmod < 0 else fit_timestamp(us, typmod)


def fit_time(us: int, typmod: int) -> int:
    """Return a time rounded to `typmod` decimals of a second."""
    if typmod >= PRECISION_MAX:
        return us
    unit = _UNIT[typmod]
    return (us + unit // 2) // unit * unit


def fit_timestamp(us: int, typmod: int) -> int:
    """Return a timestamp rounded to `typmod` decimals of a second, half away from 2000-01-01."""
    if not 0 <= typmod < PRECISION_MAX or us in {INFINITY, NEG_INFINITY}:
        return us
    unit = _UNIT[typmod]
    since = us - EPOCH_2000_US
    if since >= 0:
        return (since + unit // 2) // unit * unit + EPOCH_2000_US
    return -((-since + unit // 2) // unit * unit) + EPOCH_2000_US


def check_date(days: int) -> int:
    """Return a finite day number that is in PostgreSQL's range.

    Raises:
        DatetimeFieldOverflowError: 22008.
    """
    if not DATE_MIN <= days < DATE_END:
        raise DatetimeFieldOverflowError("date out of range")
    return days


def check_timestamp(us: int) -> int:
    """Return a finite timestamp that is in PostgreSQL's range.

    Raises:
        DatetimeFieldOverflowError: 22008.
    """
    if not TIMESTAMP_MIN <= us < TIMESTAMP_END:
        raise DatetimeFieldOverflowError("timestamp out of range")
    return us


def _iso_days(match: re.Match[str]) -> int | None:
    # Anything unusual is left to the full parser, which knows the right error.
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    if year and 1 <= month <= 12 and 1 <= day <= days_in_month(year, month):
        return days_of(year, month, day)
    return None


def _clock(hour: str, minute: str, second: str, fraction: str | None) -> int | None:
    hours, minutes, seconds = int(hour), int(minute), int(second)
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    us = ((hours * 60 + minutes) * 60 + seconds) * US_PER_SECOND
    return us + int(fraction.ljust(6, "0")) if fraction else us


def _iso_timestamp(text: str, zoned: TypeContext | None) -> int | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    days = _iso_days(match)
    if days is None:
        return None
    us = days * US_PER_DAY
    if match[4] is not None:
        clock = _clock(match[4], match[5], match[6], match[7])
        if clock is None:
            return None
        us += clock
    if zoned is None:
        return us
    zone = match[8]
    if zone is None:
        return us - local_offset(zoned.timezone, us) * US_PER_SECOND
    if zone == "Z":
        return us
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
    if hours > 15 or minutes > 59:
        return None
    offset = (hours * 3600 + minutes * 60) * US_PER_SECOND
    return us - offset if zone[0] == "+" else us + offset


def _date_output(value: Value, context: TypeContext) -> str:
    return date_text(cast("int", value), context)


def _time_output(value: Value, _context: TypeContext) -> str:
    return time_text(cast("int", value))


def _timestamp_output(value: Value, context: TypeContext) -> str:
    return timestamp_text(cast("int", value), context)


def _timestamptz_output(value: Value, context: TypeContext) -> str:
    return timestamptz_text(cast("int", value), context)


def _receive_date(data: bytes, _typmod: int) -> int:
    if len(data) != 4:
        raise bad_binary()
    days = int(_INT32.unpack(data)[0])
    if days in {DATE_INFINITY, DATE_NEG_INFINITY}:
        return days
    return check_date(days + EPOCH_2000_DAYS)


def _send_date(value: Value) -> bytes:
    days = cast("int", value)
    if days in {DATE_INFINITY, DATE_NEG_INFINITY}:
        return _INT32.pack(days)
    return _INT32.pack(days - EPOCH_2000_DAYS)


def _receive_time(data: bytes, typmod: int) -> int:
    if len(data) != 8:
        raise bad_binary()
    us = int(_INT64.unpack(data)[0])
    if not 0 <= us <= US_PER_DAY:
        raise DatetimeFieldOverflowError("time out of range")
    return us if typmod < 0 else fit_time(us, typmod)


def _send_time(value: Value) -> bytes:
    return _INT64.pack(value)


def _receive_timestamp(data: bytes, typmod: int) -> int:
    if len(data) != 8:
        raise bad_binary()
    us = int(_INT64.unpack(data)[0])
    if us in {INFINITY, NEG_INFINITY}:
        return us
    us = check_timestamp(us + EPOCH_2000_US)
    return us if typmod < 0 else fit_timestamp(us, typmod)


def _send_timestamp(value: Value) -> bytes:
    us = cast("int", value)
    if us in {INFINITY, NEG_INFINITY}:
        return _INT64.pack(us)
    return _INT64.pack(us - EPOCH_2000_US)


DATE = PgType(
    oid=1082,
    name="date",
    sql_name="date",
    length=4,
    category="D",
    preferred=False,
    array_oid=1182,
    key_kind="int",
    arrow=fixed(pa.date32()),
    input=parse_date,
    output=_date_output,
    receive=_receive_date,
    send=_send_date,
)
TIME = PgType(
    oid=1083,
    name="time",
    sql_name="time without time zone",
    length=8,
    category="D",
    preferred=False,
    array_oid=1183,
    key_kind="int",
    arrow=fixed(pa.time64("us")),
    input=parse_time,
    output=_time_output,
    receive=_receive_time,
    send=_send_time,
    aliases=("time",),
)
TIMESTAMP = PgType(
    oid=1114,
    name="timestamp",
    sql_name="timestamp without time zone",
    length=8,
    category="D",
    preferred=False,
    array_oid=1115,
    key_kind="int",
    arrow=fixed(pa.timestamp("us")),
    input=parse_timestamp,
    output=_timestamp_output,
    receive=_receive_timestamp,
    send=_send_timestamp,
    aliases=("timestamp",),
)
TIMESTAMPTZ = PgType(
    oid=1184,
    name="timestamptz",
    sql_name="timestamp with time zone",
    length=8,
    category="D",
    preferred=True,
    array_oid=1185,
    key_kind="int",
    arrow=fixed(pa.timestamp("us", "UTC")),
    input=parse_timestamptz,
    output=_timestamptz_output,
    receive=_receive_timestamp,
    send=_send_timestamp,
    aliases=("timestamptz", "datetime"),
)
