"""Functions of the moment and of who asks: now(), current_user and their like."""

import time

from catalog.types.registry import DATE, INT4, NAME, TEXT, TIME, TIMESTAMP, TIMESTAMPTZ
from kalam_pg.functions.clock import DAY_US, utc_to_local
from kalam_pg.functions.define import function, stable
from kalam_pg.functions.table import EvalContext, Overload, Volatility
from storage.wall_clock import now_us


def _now(context: EvalContext) -> int:
    return context.now_us


def _rounded(value: int, digits: int) -> int:
    step = 10 ** (6 - max(0, min(6, digits)))
    return int((value + step // 2) // step * step)


def _local(context: EvalContext) -> int:
    return utc_to_local(context.now_us, context.types.timezone)


def _local_time(context: EvalContext) -> int:
    return _local(context) % DAY_US


def _user(context: EvalContext) -> str:
    return context.user


OVERLOADS: tuple[Overload, ...] = (
    stable("now", (), TIMESTAMPTZ, _now),
    stable("transaction_timestamp", (), TIMESTAMPTZ, _now),
    stable("current_timestamp", (), TIMESTAMPTZ, _now),
    stable("current_timestamp", (INT4,), TIMESTAMPTZ, lambda c, p: _rounded(c.now_us, p)),
    stable("statement_timestamp", (), TIMESTAMPTZ, lambda c: c.statement_us),
    function("clock_timestamp", (), TIMESTAMPTZ, now_us, volatility=Volatility.VOLATILE),
    stable("current_date", (), DATE, lambda c: _local(c) // DAY_US),
    stable("localtimestamp", (), TIMESTAMP, _local),
    stable("localtimestamp", (INT4,), TIMESTAMP, lambda c, p: _rounded(_local(c), p)),
    stable("localtime", (), TIME, _local_time),
    stable("localtime", (INT4,), TIME, lambda c, p: _rounded(_local_time(c), p)),
    stable("current_user", (), NAME, _user),
    stable("current_role", (), NAME, _user),
    stable("user", (), NAME, _user),
    stable("session_user", (), NAME, lambda c: c.session_user or c.user),
    stable("current_catalog", (), NAME, lambda c: c.database),
    stable("current_database", (), NAME, lambda c: c.database),
    stable(
        "timeofday",
        (),
        TEXT,
        lambda _c: time.strftime("%a %b %d %H:%M:%S %Y UTC", time.gmtime(now_us() // 1_000_000)),
    ),
)
