"""time with time zone: arithmetic, casts, and what is taken out of one."""

from catalog.types.calendar import US_PER_DAY, US_PER_SECOND
from catalog.types.registry import (
    DATE,
    INT4,
    INTERVAL,
    TEXT,
    TIME,
    TIMESTAMPTZ,
    TIMETZ,
)
from catalog.types.timetz import pack_timetz, unpack_timetz
from catalog.types.zones import utc_offset
from kalam_pg.functions.clock import (
    INFINITY,
    MINUS_INFINITY,
    check_timestamp,
    date_to_timestamp,
    is_finite,
    local_to_utc,
    unpack_interval,
    utc_to_local,
)
from kalam_pg.functions.datetimes import interval_offset, time_plus_interval
from kalam_pg.functions.define import Datum, cast, function, operator, stable
from kalam_pg.functions.table import EvalContext, Overload, Volatility
from kalam_pg.functions.zones import zone_of


def plus(value: bytes, interval: bytes) -> bytes:
    """The time later by the hours and less of an interval, round the clock."""
    us, offset = unpack_timetz(value)
    return pack_timetz(time_plus_interval(us, interval), offset)


def _minus(value: bytes, interval: bytes) -> bytes:
    us, offset = unpack_timetz(value)
    return pack_timetz((us - unpack_interval(interval)[2]) % US_PER_DAY, offset)


def _with_date(days: int, value: bytes) -> int:
    us, offset = unpack_timetz(value)
    midnight = date_to_timestamp(days)
    return (
        check_timestamp(midnight + us - offset * US_PER_SECOND) if is_finite(midnight) else midnight
    )


def _moved(value: bytes, offset: int) -> bytes:
    """The same instant where the offset is another one."""
    us, before = unpack_timetz(value)
    return pack_timetz((us + (offset - before) * US_PER_SECOND) % US_PER_DAY, offset)


def of_instant(instant: int, context: EvalContext) -> bytes | None:
    """The time of an instant in the session's zone."""
    if instant in {INFINITY, MINUS_INFINITY}:
        return None
    local = utc_to_local(instant, context.types.timezone)
    return pack_timetz(local % US_PER_DAY, (local - instant) // US_PER_SECOND)


def of_time(context: EvalContext, us: int) -> bytes:
    """A time in the session's zone, as it is today there."""
    zone = context.types.timezone
    today = utc_to_local(context.now_us, zone) // US_PER_DAY * US_PER_DAY
    local = today + us
    return pack_timetz(us, (local - local_to_utc(local, zone)) // US_PER_SECOND)


def _current(context: EvalContext, digits: int = 6) -> bytes | None:
    step = 10 ** (6 - max(0, min(6, digits)))
    return of_instant((context.now_us + step // 2) // step * step, context)


def _stable_cast(source: Datum, target: Datum, how: str, row: Datum) -> Overload:
    return cast(source, target, how, row, needs_context=True, volatility=Volatility.STABLE)


def _named(context: EvalContext, name: str) -> int:
    """Seconds east of UTC that a zone is now."""
    return utc_offset(zone_of(name), context.now_us)


OVERLOADS: tuple[Overload, ...] = (
    operator("+", (TIMETZ, INTERVAL), TIMETZ, plus),
    operator("+", (INTERVAL, TIMETZ), TIMETZ, lambda i, v: plus(v, i)),
    operator("-", (TIMETZ, INTERVAL), TIMETZ, _minus),
    operator("+", (DATE, TIMETZ), TIMESTAMPTZ, _with_date),
    operator("+", (TIMETZ, DATE), TIMESTAMPTZ, lambda v, days: _with_date(days, v)),
    _stable_cast(TIME, TIMETZ, "i", of_time),
    cast(TIMETZ, TIME, "a", lambda v: unpack_timetz(v)[0]),
    _stable_cast(TIMESTAMPTZ, TIMETZ, "a", lambda c, v: of_instant(v, c)),
    stable("current_time", (), TIMETZ, _current),
    stable("current_time", (INT4,), TIMETZ, _current),
    function(
        "timezone", (INTERVAL, TIMETZ), TIMETZ,
        lambda c, zone, v: _moved(v, interval_offset(c, zone)), needs_context=True,
    ),
    stable("timezone", (TEXT, TIMETZ), TIMETZ, lambda c, name, v: _moved(v, _named(c, name))),
)  # fmt: skip
