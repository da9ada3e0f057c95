"""extract, date_part and date_trunc: the fields of dates, times, timestamps and intervals."""

from collections.abc import Callable
from datetime import UTC

from catalog.errors import FeatureNotSupportedError, InvalidParameterValueError
from catalog.types.registry import (
    DATE,
    FLOAT8,
    INTERVAL,
    NUMERIC,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    TIMETZ,
)
from catalog.types.table import PgType
from catalog.types.timetz import unpack_timetz
from catalog.types.zones import utc_offset
from kalam_pg.functions.clock import (
    DATE_INFINITY,
    DATE_MINUS_INFINITY,
    DAY_US,
    HOUR_US,
    INFINITY,
    MINUTE_US,
    SECOND_US,
    date_to_timestamp,
    from_days,
    is_finite,
    iso_week,
    local_to_utc,
    pack_interval,
    to_days,
    unpack_interval,
    utc_to_local,
    weekday,
)
from kalam_pg.functions.define import Datum, function, stable
from kalam_pg.functions.table import EvalContext, Overload
from kalam_pg.functions.vectors import truncated_timestamps
from kalam_pg.functions.zones import zone_of

# PostgreSQL's spellings of each unit (deltatktbl in datetime.c).
_UNITS = {
    spelling: unit
    for unit, spellings in {
        "microseconds": "microseconds microsecond microsecon us usec usecs useconds usecond",
        "milliseconds": "milliseconds millisecond millisecon ms msec msecs mseconds msecond",
        "second": "second seconds sec secs s",
        "minute": "minute minutes min mins m",
        "hour": "hour hours hr hrs h",
        "day": "day days d",
        "week": "week weeks w",
        "month": "month months mon mons",
        "quarter": "quarter qtr quarters",
        "year": "year years yr yrs y",
        "decade": "decade decades dec decs",
        "century": "century centuries cent c",
        "millennium": "millennium millennia mil mils millenia",
        "dow": "dow",
        "isodow": "isodow",
        "doy": "doy",
        "isoyear": "isoyear",
        "epoch": "epoch",
        "julian": "julian jd j",
        "timezone": "timezone timezon",
        "timezone_hour": "timezone_hour timezone_h",
        "timezone_minute": "timezone_minute timezone_m",
    }.items()
    for spelling in spellings.split()
}
_OF_TIME = frozenset({"microseconds", "milliseconds", "second", "minute", "hour"})
_OF_ZONE = frozenset({"timezone", "timezone_hour", "timezone_minute"})
# Fields that grow with time have an answer for the infinities, the others are NULL.
_MONOTONIC = frozenset({"year", "decade", "century", "millennium", "isoyear", "epoch", "julian"})


def _unit(name: str, pg_type: PgType) -> str:
    unit = _UNITS.get(name.lower())
    if unit is None:
        raise InvalidParameterValueError(
            f'unit "{name}" not recognized for type {pg_type.sql_name}'
        )
    return unit


def _unsupported(name: str, pg_type: PgType) -> FeatureNotSupportedError:
    return FeatureNotSupportedError(
        f'unit "{name.lower()}" not supported for type {pg_type.sql_name}'
    )


def _decimal(micros: int, digits: int) -> str:
    """Microseconds as a number with `digits` (3 or 6) digits after the point."""
    whole, rest = divmod(abs(micros), 10**digits)
    return f"{'-' if micros < 0 else ''}{whole}.{rest:0{digits}d}"


def _time_field(unit: str, micros: int) -> str:
    """A field of the time of day."""
    match unit:
        case "microseconds":
            return str(micros % MINUTE_US)
        case "milliseconds":
            return _decimal(micros % MINUTE_US, 3)
        case "second":
            return _decimal(micros % MINUTE_US, 6)
        case "minute":
            return str(micros % HOUR_US // MINUTE_US)
        case _:
            return str(micros // HOUR_US)


def _day_field(unit: str, days: int) -> str | None:  # one line per field
    """A field of the date; None when it is none."""
    year, month, day = from_days(days)
    shown = year if year > 0 else year - 1
    match unit:
        case "day":
            return str(day)
        case "month":
            return str(month)
        case "quarter":
            return str((month - 1) // 3 + 1)
        case "year":
            return str(shown)
        case "decade":
            return str(year // 10)
        case "century":
            return str((year + 99) // 100 if year > 0 else -((100 - year) // 100))
        case "millennium":
            return str((year + 999) // 1000 if year > 0 else -((1000 - year) // 1000))
        case "week":
            return str(iso_week(days)[1])
        case "isoyear":
            iso = iso_week(days)[0]
            return str(iso if iso > 0 else iso - 1)
        case "dow":
            return str(weekday(days))
        case "isodow":
            return str(weekday(days) or 7)
        case "doy":
            return str(days - to_days(year, 1, 1) + 1)
        case _:
            return None


def _of_timestamp(name: str, value: int, pg_type: PgType) -> str | None:
    unit = _unit(name, pg_type)
    if unit in _OF_ZONE:
        raise _unsupported(name, pg_type)
    if not is_finite(value):
        if unit not in _MONOTONIC:
            return None
        return "Infinity" if value == INFINITY else "-Infinity"
    if unit in _OF_TIME:
        return _time_field(unit, value % DAY_US)
    if unit == "epoch":
        return _decimal(value, 6)
    if unit == "julian":
        return _julian(value)
    found = _day_field(unit, value // DAY_US)
    if found is None:
        raise _unsupported(name, pg_type)
    return found


def _julian(value: int) -> str:
    from kalam_pg.functions import decimals  # noqa: PLC0415

    days, micros = divmod(value, DAY_US)
    return decimals.add(str(days + 2_440_588), decimals.divide(str(micros), str(DAY_US)))


def _timestamp(name: str, value: int) -> str | None:
    return _of_timestamp(name, value, TIMESTAMP)


def _zoned(context: EvalContext, name: str, value: int) -> str | None:
    unit = _unit(name, TIMESTAMPTZ)
    if unit in _OF_ZONE and not is_finite(value):
        return None
    if unit == "epoch" or not is_finite(value):
        return _of_timestamp(name, value, TIMESTAMPTZ)
    offset = utc_offset(context.types.timezone, value)
    match unit:
        case "timezone":
            return str(offset)
        case "timezone_hour":
            return str(int(offset / 3600))
        case "timezone_minute":
            return str(int((offset - int(offset / 3600) * 3600) / 60))
        case _:
            return _of_timestamp(name, value + offset * SECOND_US, TIMESTAMPTZ)


def _date(name: str, days: int) -> str | None:
    unit = _unit(name, DATE)
    if unit in _OF_TIME or unit in _OF_ZONE:
        raise _unsupported(name, DATE)
    if days in {DATE_INFINITY, DATE_MINUS_INFINITY}:
        if unit not in _MONOTONIC:
            return None
        return "Infinity" if days == DATE_INFINITY else "-Infinity"
    if unit == "epoch":
        return str(days * 86_400)
    return str(days + 2_440_588) if unit == "julian" else _day_field(unit, days)


def _time(name: str, micros: int) -> str:
    unit = _unit(name, TIME)
    if unit == "epoch":
        return _decimal(micros, 6)
    if unit not in _OF_TIME:
        raise _unsupported(name, TIME)
    return _time_field(unit, micros)


def _zoned_time(name: str, value: bytes) -> str:
    unit = _unit(name, TIMETZ)
    us, offset = unpack_timetz(value)
    match unit:
        case "epoch":
            return _decimal(us - offset * SECOND_US, 6)
        case "timezone":
            return str(offset)
        case "timezone_hour":
            return str(_truncated(offset, 3600))
        case "timezone_minute":
            return str(_truncated(offset - _truncated(offset, 3600) * 3600, 60))
        case _:
            pass
    if unit not in _OF_TIME:
        raise _unsupported(name, TIMETZ)
    return _time_field(unit, us)


def _truncated(a: int, b: int) -> int:
    return abs(a) // b * (1 if a >= 0 else -1)


def _interval(name: str, value: bytes) -> str:  # one line per field
    unit = _unit(name, INTERVAL)
    months, days, micros = unpack_interval(value)
    years = _truncated(months, 12)
    rest = months - years * 12
    seconds = micros - _truncated(micros, MINUTE_US) * MINUTE_US
    match unit:
        case "microseconds":
            return str(seconds)
        case "milliseconds":
            return _decimal(seconds, 3)
        case "second":
            return _decimal(seconds, 6)
        case "minute":
            return str(_truncated(micros - _truncated(micros, HOUR_US) * HOUR_US, MINUTE_US))
        case "hour":
            return str(_truncated(micros, HOUR_US))
        case "day":
            return str(days)
        case "month":
            return str(rest)
        case "quarter":
            return str(_truncated(rest, 3) + 1)
        case "year":
            return str(years)
        case "decade":
            return str(_truncated(years, 10))
        case "century":
            return str(_truncated(years, 100))
        case "millennium":
            return str(_truncated(years, 1000))
        case "epoch":
            # A year is 365.25 days here, a month 30.
            total = years * 31_557_600 + rest * 2_592_000 + days * 86_400
            return _decimal(total * SECOND_US + micros, 6)
        case _:
            raise _unsupported(name, INTERVAL)


# ------------------------------------------------------------------ date_trunc

_STEPS = {
    "microseconds": 1,
    "milliseconds": 1000,
    "second": SECOND_US,
    "minute": MINUTE_US,
    "hour": HOUR_US,
    "day": DAY_US,
}


def _first_year(unit: str, year: int) -> int | None:
    """The year in which a decade, century or millennium begins (astronomical)."""
    match unit:
        case "year":
            return year
        case "decade":
            return year // 10 * 10
        case "century":
            return (year + 99) // 100 * 100 - 99
        case "millennium":
            return (year + 999) // 1000 * 1000 - 999
        case _:
            return None


def truncate(name: str, value: int, pg_type: PgType = TIMESTAMP) -> int:
    """date_trunc of a timestamp."""
    if not is_finite(value):
        return value
    unit = _unit(name, pg_type)
    if unit in _STEPS:
        return value - value % _STEPS[unit]
    days = value // DAY_US
    if unit == "week":
        return (days - (days + 3) % 7) * DAY_US
    year, month, _ = from_days(days)
    if unit == "month":
        return to_days(year, month, 1) * DAY_US
    if unit == "quarter":
        return to_days(year, (month - 1) // 3 * 3 + 1, 1) * DAY_US
    first = _first_year(unit, year)
    if first is None:
        raise _unsupported(name, pg_type)
    return to_days(first, 1, 1) * DAY_US


def _truncate_zoned(context: EvalContext, name: str, value: int, *zone: str) -> int:
    if not is_finite(value):
        return value
    where = zone_of(zone[0]) if zone else context.types.timezone
    local = utc_to_local(value, where)
    begun = truncate(name, local, TIMESTAMPTZ)
    unit = _unit(name, TIMESTAMPTZ)
    if unit in _STEPS and unit != "day":
        return value - (local - begun)  # An hour that a clock shows twice is two hours.
    return local_to_utc(begun, where)


def _truncate_column(context: EvalContext, units: Datum, values: Datum) -> Datum | None:
    """Columns of timestamptz in UTC, where the wall clock is the value itself."""
    return truncated_timestamps(units, values) if context.types.timezone is UTC else None


def _truncate_interval(name: str, value: bytes) -> bytes:
    unit = _unit(name, INTERVAL)
    months, days, micros = unpack_interval(value)
    if unit in _STEPS and unit != "day":
        return pack_interval(months, days, _truncated(micros, _STEPS[unit]) * _STEPS[unit])
    if unit == "day":
        return pack_interval(months, days, 0)
    size = {
        "month": 1,
        "quarter": 3,
        "year": 12,
        "decade": 120,
        "century": 1200,
        "millennium": 12_000,
    }
    if unit not in size:
        detail = "Months usually have fractional weeks." if unit == "week" else ""
        error = _unsupported(name, INTERVAL)
        error.detail = detail
        raise error
    return pack_interval(_truncated(months, size[unit]) * size[unit], 0, 0)


def _as_float(row: Callable[..., str | None]) -> Callable[..., float | None]:
    def run(*args: Datum) -> float | None:
        text = row(*args)
        return None if text is None else float(text)

    return run


def _part_of_date(name: str, days: int) -> str | None:
    return _timestamp(name, date_to_timestamp(days))


OVERLOADS: tuple[Overload, ...] = (
    function("extract", (TEXT, TIMESTAMP), NUMERIC, _timestamp),
    stable("extract", (TEXT, TIMESTAMPTZ), NUMERIC, _zoned),
    function("extract", (TEXT, DATE), NUMERIC, _date),
    function("extract", (TEXT, TIME), NUMERIC, _time),
    function("extract", (TEXT, INTERVAL), NUMERIC, _interval),
    function("date_part", (TEXT, TIMESTAMP), FLOAT8, _as_float(_timestamp)),
    stable("date_part", (TEXT, TIMESTAMPTZ), FLOAT8, _as_float(_zoned)),
    function("date_part", (TEXT, DATE), FLOAT8, _as_float(_part_of_date)),
    function("date_part", (TEXT, TIME), FLOAT8, _as_float(_time)),
    function("extract", (TEXT, TIMETZ), NUMERIC, _zoned_time),
    function("date_part", (TEXT, TIMETZ), FLOAT8, _as_float(_zoned_time)),
    function("date_part", (TEXT, INTERVAL), FLOAT8, _as_float(_interval)),
    function("date_trunc", (TEXT, TIMESTAMP), TIMESTAMP, truncate, arrow=truncated_timestamps),
    stable("date_trunc", (TEXT, TIMESTAMPTZ), TIMESTAMPTZ, _truncate_zoned, arrow=_truncate_column),
    stable("date_trunc", (TEXT, TIMESTAMPTZ, TEXT), TIMESTAMPTZ, _truncate_zoned),
    function("date_trunc", (TEXT, INTERVAL), INTERVAL, _truncate_interval),
)
