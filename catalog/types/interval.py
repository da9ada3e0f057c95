"""interval: months, days and microseconds, stored as 16 bytes."""

from struct import Struct
from typing import cast

import pyarrow as pa

from catalog.errors import DatetimeFieldOverflowError
from catalog.types.calendar import US_PER_SECOND
from catalog.types.common import bad_binary, fixed
from catalog.types.interval_fields import FULL_PRECISION, cut, fields_of
from catalog.types.interval_input import read_interval
from catalog.types.table import PgType, TypeContext
from storage.layout import Value

_STORED = Struct("!iiq")
_WIRE = Struct("!qii")
_DIGITS_MAX = 6


def pack_interval(months: int, days: int, us: int) -> bytes:
    """Return the stored form. The caller has checked the ranges (22008 `interval out of range`)."""
    return _STORED.pack(months, days, us)


def unpack_interval(value: bytes) -> tuple[int, int, int]:
    """Return (months, days, microseconds)."""
    return cast("tuple[int, int, int]", _STORED.unpack(value))


def parse_interval(text: str, typmod: int, context: TypeContext) -> bytes:
    """Return the stored form of PostgreSQL's, SQL's or ISO 8601's text."""
    if typmod < 0:
        return pack_interval(*read_interval(text, context))
    return fit_interval(pack_interval(*read_interval(text, context, fields_of(typmod))), typmod)


def fit_interval(value: bytes, typmod: int) -> bytes:
    """Return an interval with the fields and the digits of seconds that a typmod allows. Raises 22008."""
    if typmod < 0:
        return value
    months, days, us = cut(*unpack_interval(value), fields_of(typmod))
    digits = typmod & FULL_PRECISION
    if digits < _DIGITS_MAX:
        unit = 10 ** (_DIGITS_MAX - digits)
        us = (us + unit // 2) // unit * unit if us >= 0 else -((-us + unit // 2) // unit * unit)
        if not -(2**63) <= us < 2**63:  # Where PostgreSQL 15 goes on at the other end.
            raise DatetimeFieldOverflowError("interval out of range")
    return pack_interval(months, days, us)


def interval_output(value: Value, context: TypeContext) -> str:
    """Return the text in the session's IntervalStyle."""
    months, days, us = unpack_interval(cast("bytes", value))
    if context.interval_style == "iso_8601":
        return _iso_8601(months, days, us)
    if context.interval_style == "sql_standard":
        return _sql_standard(months, days, us)
    return _postgres(months, days, us, verbose=context.interval_style == "postgres_verbose")


def _split_months(months: int) -> tuple[int, int]:
    # C's division: towards zero, both parts with the sign of the whole.
    years, rest = divmod(abs(months), 12)
    return (-years, -rest) if months < 0 else (years, rest)


def _clock_parts(us: int) -> tuple[int, int, str]:
    seconds, fraction = divmod(abs(us), US_PER_SECOND)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return hours, minute, f"{second}.{fraction:06d}".rstrip("0") if fraction else str(second)


def _postgres(months: int, days: int, us: int, *, verbose: bool) -> str:
    if verbose:
        return _postgres_verbose(months, days, us)
    years, months = _split_months(months)
    parts: list[str] = []
    before_negative = False
    for number, unit in ((years, "year"), (months, "mon"), (days, "day")):
        if number:
            sign = "+" if before_negative and number > 0 else ""
            parts.append(f"{sign}{number} {unit}{'s' if number != 1 else ''}")
            before_negative = number < 0
    if us or not parts:
        hours, minute, second = _clock_parts(us)
        sign = "-" if us < 0 else "+" if before_negative else ""
        whole, dot, fraction = second.partition(".")
        parts.append(f"{sign}{hours:02d}:{minute:02d}:{whole.zfill(2)}{dot}{fraction}")
    return " ".join(parts)


def _postgres_verbose(months: int, days: int, us: int) -> str:
    years, months = _split_months(months)
    hours, minutes, second = _clock_parts(us)
    seconds = second if us >= 0 else "-" + second
    if us < 0:
        hours, minutes = -hours, -minutes
    parts: list[str] = []
    ago = False
    for number, unit in (
        (years, "year"),
        (months, "mon"),
        (days, "day"),
        (hours, "hour"),
        (minutes, "min"),
    ):
        if number:
            if not parts:
                ago = number < 0
            shown = -number if ago else number
            parts.append(f"{shown} {unit}{'s' if shown != 1 else ''}")
    if seconds not in {"0", "-0"}:
        if not parts:
            ago = us < 0
        shown_seconds = seconds
        if ago:
            shown_seconds = seconds[1:] if us < 0 else "-" + seconds
        plural = "" if second == "1" else "s"
        parts.append(f"{shown_seconds} sec{plural}")
    if not parts:
        return "@ 0"
    return "@ " + " ".join(parts) + (" ago" if ago else "")


def _sql_standard(months: int, days: int, us: int) -> str:
    negative = months < 0 or days < 0 or us < 0
    positive = months > 0 or days > 0 or us > 0
    has_year_month, has_day_time = months != 0, days != 0 or us != 0
    years, rest = _split_months(months)
    hours, minute, second = _clock_parts(us)
    whole, dot, fraction = second.partition(".")
    clock = f"{hours}:{minute:02d}:{whole.zfill(2)}{dot}{fraction}"
    if not (negative or positive):
        return "0"
    if (negative and positive) or (has_year_month and has_day_time):
        # Not what the standard's types can hold: every part gets a sign of its own.
        year_sign = "-" if months < 0 else "+"
        day_sign = "-" if days < 0 else "+"
        clock_sign = "-" if us < 0 else "+"
        return f"{year_sign}{abs(years)}-{abs(rest)} {day_sign}{abs(days)} {clock_sign}{clock}"
    sign = "-" if negative else ""
    if has_year_month:
        return f"{sign}{abs(years)}-{abs(rest)}"
    return f"{sign}{abs(days)} {clock}" if days else sign + clock


def _iso_8601(months: int, days: int, us: int) -> str:
    if months == days == us == 0:
        return "PT0S"
    years, months = _split_months(months)
    text = "P"
    for number, unit in ((years, "Y"), (months, "M"), (days, "D")):
        if number:
            text += f"{number}{unit}"
    if us:
        hours, minutes, second = _clock_parts(us)
        sign = "-" if us < 0 else ""
        text += "T"
        text += f"{sign}{hours}H" if hours else ""
        text += f"{sign}{minutes}M" if minutes else ""
        text += f"{sign}{second}S" if second != "0" else ""
    return text


def _receive(data: bytes, typmod: int) -> bytes:
    if len(data) != 16:
        raise bad_binary()
    us, days, months = _WIRE.unpack(data)
    return fit_interval(pack_interval(months, days, us), typmod)


def _send(value: Value) -> bytes:
    months, days, us = unpack_interval(cast("bytes", value))
    return _WIRE.pack(us, days, months)


INTERVAL = PgType(
    oid=1186,
    name="interval",
    sql_name="interval",
    length=16,
    category="T",
    preferred=True,
    array_oid=1187,
    key_kind="interval",
    arrow=fixed(pa.binary(16)),
    input=parse_interval,
    output=interval_output,
    receive=_receive,
    send=_send,
)
