"""Arithmetic and functions on dates, times, timestamps and intervals."""

import math
from collections.abc import Callable
from decimal import Decimal

from catalog.errors import (
    DatetimeFieldOverflowError,
    DivisionByZeroError,
    FeatureNotSupportedError,
    InvalidParameterValueError,
)
from catalog.types.registry import (
    BOOL,
    DATE,
    FLOAT8,
    INT4,
    INTERVAL,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
)
from kalam_pg.functions.clock import (
    DATE_INFINITY,
    DATE_MINUS_INFINITY,
    DAY_US,
    END_DATE,
    INFINITY,
    MIN_DAY,
    MINUS_INFINITY,
    SECOND_US,
    add_interval,
    add_interval_zoned,
    check_timestamp,
    date_to_timestamp,
    from_days,
    is_finite,
    local_to_utc,
    month_length,
    pack_interval,
    subtract_timestamps,
    to_days,
    unpack_interval,
    utc_to_local,
)
from kalam_pg.functions.define import Datum, function, operator, stable
from kalam_pg.functions.table import EvalContext, Overload, Volatility
from kalam_pg.functions.zones import stated_zone, zone_of


def check_date(days: int) -> int:
    """The value, if a date can hold it."""
    if MIN_DAY <= days < END_DATE:
        return days
    raise DatetimeFieldOverflowError("date out of range")


def _is_finite_date(days: int) -> bool:
    return days not in {DATE_INFINITY, DATE_MINUS_INFINITY}


# ------------------------------------------------------------------ arithmetic


def _date_plus(days: int, count: int) -> int:
    return check_date(days + count) if _is_finite_date(days) else days


def _date_minus(days: int, count: int) -> int:
    return check_date(days - count) if _is_finite_date(days) else days


def _date_difference(a: int, b: int) -> int:
    if not _is_finite_date(a) or not _is_finite_date(b):
        raise DatetimeFieldOverflowError("cannot subtract infinite dates")
    return a - b


def _date_interval(sign: int) -> Callable[[int, bytes], int]:
    return lambda days, interval: add_interval(date_to_timestamp(days), interval, sign)


def _date_time(days: int, micros: int) -> int:
    base = date_to_timestamp(days)
    return check_timestamp(base + micros) if is_finite(base) else base


def plus_interval(value: int, interval: bytes) -> int:
    """Timestamp + interval."""
    return add_interval(value, interval)


def _minus(value: int, interval: bytes) -> int:
    return add_interval(value, interval, -1)


def plus_interval_zoned(context: EvalContext, value: int, interval: bytes) -> int:
    """Timestamptz + interval: days and months are those of the session's zone."""
    return add_interval_zoned(value, interval, context.types.timezone)


def _zoned_minus(context: EvalContext, value: int, interval: bytes) -> int:
    return add_interval_zoned(value, interval, context.types.timezone, -1)


def time_plus_interval(value: int, interval: bytes) -> int:
    """Time + interval, around the clock."""
    return (value + unpack_interval(interval)[2]) % DAY_US


def _time_minus(value: int, interval: bytes) -> int:
    return (value - unpack_interval(interval)[2]) % DAY_US


def _swap(row: Callable[..., Datum]) -> Callable[..., Datum]:
    return lambda *args: row(*args[:-2], args[-1], args[-2])


def _add_intervals(a: bytes, b: bytes) -> bytes:
    x, y = unpack_interval(a), unpack_interval(b)
    return pack_interval(x[0] + y[0], x[1] + y[1], x[2] + y[2])


def _subtract_intervals(a: bytes, b: bytes) -> bytes:
    x, y = unpack_interval(a), unpack_interval(b)
    return pack_interval(x[0] - y[0], x[1] - y[1], x[2] - y[2])


def _negate(a: bytes) -> bytes:
    months, days, micros = unpack_interval(a)
    return pack_interval(-months, -days, -micros)


_FIELD_MAX, _MICROS_MAX = 2.0**31, 2.0**63


def scale_interval(value: bytes, factor: float) -> bytes:
    """Interval * number: fractions of months become days, those of days become time."""
    months, days, micros = unpack_interval(value)
    return _spread(months, days, micros, lambda x: x * factor)


def divide_interval(value: bytes, divisor: float) -> bytes:
    """Interval / number."""
    if divisor == 0:
        raise DivisionByZeroError("division by zero")
    months, days, micros = unpack_interval(value)
    return _spread(months, days, micros, lambda x: x / divisor)


def _spread(months: int, days: int, micros: int, change: Callable[[float], float]) -> bytes:
    """What interval_mul and interval_div in timestamp.c do with the fractions."""
    # Asked so that NaN is out of range, too: of a factor that is none, or of 0 times infinity.
    if not (
        abs(change(months)) <= _FIELD_MAX
        and abs(change(days)) <= _FIELD_MAX
        and abs(change(micros)) <= _MICROS_MAX
    ):
        raise DatetimeFieldOverflowError("interval out of range")
    whole_months = math.trunc(change(months))
    whole_days = math.trunc(change(days))
    month_days = _microsecond_days((change(months) - whole_months) * 30)
    seconds = (change(days) - whole_days + month_days - math.trunc(month_days)) * 86_400
    seconds = round(seconds * 1e6) / 1e6
    if abs(seconds) >= 86_400:
        whole_days += math.trunc(seconds / 86_400)
        seconds -= math.trunc(seconds / 86_400) * 86_400
    whole_days += math.trunc(month_days)
    return pack_interval(whole_months, whole_days, round(change(micros) + seconds * 1e6))


def _microsecond_days(days: float) -> float:
    return round(days * 1e6) / 1e6


# ------------------------------------------------------------------ age, justify, make


_FAR = INFINITY + 946_684_800_000_000
"""What infinity is where PostgreSQL, which counts from 2000, takes it for a date."""


def _age(a: int, b: int) -> bytes:
    """Years, months, days and time between two timestamps, as timestamp_age counts them."""
    if MINUS_INFINITY in {a, b}:
        raise DatetimeFieldOverflowError("timestamp out of range")
    a, b = [_FAR if value == INFINITY else value for value in (a, b)]
    sign = 1
    if a < b:
        a, b, sign = b, a, -1
    (y1, m1, d1), t1 = from_days(a // DAY_US), a % DAY_US
    (y2, m2, d2), t2 = from_days(b // DAY_US), b % DAY_US
    months, days, micros = (y1 - y2) * 12 + m1 - m2, d1 - d2, t1 - t2
    if micros < 0:
        micros += DAY_US
        days -= 1
    while days < 0:
        days += month_length(y2, m2)  # Borrowed from the month of the earlier one.
        months -= 1
    return pack_interval(sign * months, sign * days, sign * micros)


def _today(context: EvalContext) -> int:
    local = utc_to_local(context.now_us, context.types.timezone)
    return local // DAY_US * DAY_US


def _age_zoned(context: EvalContext, a: int, b: int) -> bytes:
    zone = context.types.timezone
    return _age(utc_to_local(a, zone), utc_to_local(b, zone))


def _justify_hours(value: bytes) -> bytes:
    months, days, micros = unpack_interval(value)
    more = int(micros / DAY_US) if abs(micros) < 2**52 else abs(micros) // DAY_US * (
        1 if micros > 0 else -1
    )  # fmt: skip
    days, micros = days + more, micros - more * DAY_US
    if days > 0 > micros:
        days, micros = days - 1, micros + DAY_US
    elif days < 0 < micros:
        days, micros = days + 1, micros - DAY_US
    return pack_interval(months, days, micros)


def _justify_days(value: bytes) -> bytes:
    months, days, micros = unpack_interval(value)
    more = abs(days) // 30 * (1 if days >= 0 else -1)
    months, days = months + more, days - more * 30
    if months > 0 > days:
        months, days = months - 1, days + 30
    elif months < 0 < days:
        months, days = months + 1, days - 30
    return pack_interval(months, days, micros)


def _justify(value: bytes) -> bytes:
    months, days, micros = unpack_interval(_justify_days(_justify_hours(value)))
    if months > 0 and (days < 0 or (days == 0 and micros < 0)):
        months, days = months - 1, days + 30
    elif months < 0 and (days > 0 or (days == 0 and micros > 0)):
        months, days = months + 1, days - 30
    if days > 0 > micros:
        days, micros = days - 1, micros + DAY_US
    elif days < 0 < micros:
        days, micros = days + 1, micros - DAY_US
    return pack_interval(months, days, micros)


def _make_interval(
    years: int = 0, months: int = 0, weeks: int = 0, days: int = 0, hours: int = 0, mins: int = 0,
    secs: float = 0.0,
) -> bytes:  # fmt: skip
    if not math.isfinite(secs):
        raise DatetimeFieldOverflowError("interval out of range")
    if abs(secs * 1e6) > _MICROS_MAX:
        raise DatetimeFieldOverflowError("interval out of range")
    micros = (hours * 60 + mins) * 60_000_000 + round(secs * 1e6)
    return pack_interval(years * 12 + months, weeks * 7 + days, micros)


def _make_date(year: int, month: int, day: int) -> int:
    bad = DatetimeFieldOverflowError(f"date field value out of range: {year}-{month:02}-{day:02}")
    if year == 0 or not 1 <= month <= 12:
        raise bad
    civil = year + 1 if year < 0 else year
    if not 1 <= day <= month_length(civil, month):
        raise bad
    return check_date(to_days(civil, month, day))


def _make_time(hour: int, minute: int, second: float) -> int:
    bad = DatetimeFieldOverflowError(
        f"time field value out of range: {hour}:{minute:02}:{second:02g}"
    )
    if not (0 <= hour <= 24 and 0 <= minute <= 59 and 0 <= second <= 60):
        raise bad
    time = (hour * 60 + minute) * 60_000_000 + round(second * 1e6)
    if time > DAY_US:
        raise bad
    return time


def _make_timestamp(year: int, month: int, day: int, hour: int, minute: int, second: float) -> int:
    return check_timestamp(_make_date(year, month, day) * DAY_US + _make_time(hour, minute, second))


def _make_timestamptz(context: EvalContext, *args: Datum) -> int:
    local = _make_timestamp(*args[:6])
    zone = context.types.timezone if len(args) < 7 else stated_zone(args[6])
    return local_to_utc(local, zone)


def _to_timestamp(seconds: float) -> int:
    if math.isinf(seconds):
        return INFINITY if seconds > 0 else -(2**63)
    if math.isnan(seconds):
        raise DatetimeFieldOverflowError("timestamp cannot be NaN")
    return check_timestamp(round(Decimal(seconds) * 1_000_000))


# ------------------------------------------------------------------ time zones


def _moved(sign: int) -> Callable[[EvalContext, bytes, int], int]:
    """A timestamp moved by a zone that is an interval; an infinite one asks nothing of the zone."""

    def run(context: EvalContext, zone: bytes, value: int) -> int:
        if not is_finite(value):
            return value
        return check_timestamp(value + sign * interval_offset(context, zone) * SECOND_US)

    return run


def _at_zone(zone: str, value: int) -> int:
    """A timestamptz as the wall clock in a zone."""
    return utc_to_local(value, zone_of(zone)) if is_finite(value) else value


def _from_zone(zone: str, value: int) -> int:
    """A wall-clock reading of a zone as a timestamptz."""
    return local_to_utc(value, zone_of(zone)) if is_finite(value) else value


def interval_offset(context: EvalContext, interval: bytes) -> int:
    """An interval as how far a zone is from UTC, in whole seconds. Raises 22023."""
    months, days, micros = unpack_interval(interval)
    if months or days:
        shown = INTERVAL.output(interval, context.types)
        raise InvalidParameterValueError(
            f'interval time zone "{shown}" must not include months or days'
        )
    return math.trunc(micros / SECOND_US)


def _date_bin(stride: bytes, value: int, origin: int) -> int:
    if not is_finite(value):
        return value
    if not is_finite(origin):
        raise DatetimeFieldOverflowError("origin out of range")
    months, days, micros = unpack_interval(stride)
    if months:
        raise FeatureNotSupportedError(
            "timestamps cannot be binned into intervals containing months or years"
        )
    step = days * DAY_US + micros
    if abs(step) > INFINITY or abs(value - origin) > INFINITY:
        raise DatetimeFieldOverflowError("interval out of range")
    if step <= 0:
        raise DatetimeFieldOverflowError("stride must be greater than zero")
    return check_timestamp(origin + (value - origin) // step * step)


_I, _TS, _TZ = INTERVAL, TIMESTAMP, TIMESTAMPTZ
_STABLE = {"needs_context": True, "volatility": Volatility.STABLE}

OVERLOADS: tuple[Overload, ...] = (
    operator("+", (DATE, INT4), DATE, _date_plus),
    operator("+", (INT4, DATE), DATE, _swap(_date_plus)),
    operator("-", (DATE, INT4), DATE, _date_minus),
    operator("-", (DATE, DATE), INT4, _date_difference),
    operator("+", (DATE, _I), _TS, _date_interval(1)),
    operator("+", (_I, DATE), _TS, _swap(_date_interval(1))),
    operator("-", (DATE, _I), _TS, _date_interval(-1)),
    operator("+", (DATE, TIME), _TS, _date_time),
    operator("+", (TIME, DATE), _TS, _swap(_date_time)),
    operator("+", (_TS, _I), _TS, plus_interval),
    operator("+", (_I, _TS), _TS, _swap(plus_interval)),
    operator("-", (_TS, _I), _TS, _minus),
    operator("+", (_TZ, _I), _TZ, plus_interval_zoned, **_STABLE),
    operator("+", (_I, _TZ), _TZ, _swap(plus_interval_zoned), **_STABLE),
    operator("-", (_TZ, _I), _TZ, _zoned_minus, **_STABLE),
    operator("-", (_TS, _TS), _I, subtract_timestamps),
    operator("-", (_TZ, _TZ), _I, subtract_timestamps),
    operator("+", (TIME, _I), TIME, time_plus_interval),
    operator("+", (_I, TIME), TIME, _swap(time_plus_interval)),
    operator("-", (TIME, _I), TIME, _time_minus),
    operator("-", (TIME, TIME), _I, lambda a, b: pack_interval(0, 0, a - b)),
    operator("+", (_I, _I), _I, _add_intervals),
    operator("-", (_I, _I), _I, _subtract_intervals),
    operator("-", (_I,), _I, _negate),
    operator("*", (_I, FLOAT8), _I, scale_interval),
    operator("*", (FLOAT8, _I), _I, _swap(scale_interval)),
    operator("/", (_I, FLOAT8), _I, divide_interval),
    function("age", (_TS, _TS), _I, _age),
    stable("age", (_TS,), _I, lambda c, a: _age(_today(c), a)),
    stable("age", (_TZ, _TZ), _I, _age_zoned),
    stable("age", (_TZ,), _I, lambda c, a: _age(_today(c), utc_to_local(a, c.types.timezone))),
    function("justify_hours", (_I,), _I, _justify_hours),
    function("justify_days", (_I,), _I, _justify_days),
    function("justify_interval", (_I,), _I, _justify),
    function("make_interval", (*(INT4,) * 6, FLOAT8), _I, _make_interval, defaults=7),
    function("make_date", (INT4,) * 3, DATE, _make_date),
    function("make_time", (INT4, INT4, FLOAT8), TIME, _make_time),
    function("make_timestamp", (*(INT4,) * 5, FLOAT8), _TS, _make_timestamp),
    stable("make_timestamptz", (*(INT4,) * 5, FLOAT8), _TZ, _make_timestamptz),
    stable("make_timestamptz", (*(INT4,) * 5, FLOAT8, TEXT), _TZ, _make_timestamptz),
    function("to_timestamp", (FLOAT8,), _TZ, _to_timestamp),
    function("isfinite", (DATE,), BOOL, _is_finite_date),
    function("isfinite", (_TS,), BOOL, is_finite),
    function("isfinite", (_TZ,), BOOL, is_finite),
    function("isfinite", (_I,), BOOL, lambda _a: True),
    function("timezone", (TEXT, _TZ), _TS, _at_zone),
    function("timezone", (TEXT, _TS), _TZ, _from_zone),
    function("timezone", (_I, _TZ), _TS, _moved(1), needs_context=True),
    function("timezone", (_I, _TS), _TZ, _moved(-1), needs_context=True),
    function("date_bin", (_I, _TS, _TS), _TS, _date_bin),
    function("date_bin", (_I, _TZ, _TZ), _TZ, _date_bin),
)  # fmt: skip
