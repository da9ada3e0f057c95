"""pg_sleep, pg_sleep_for, pg_sleep_until. `query.waiting` waits for them; elsewhere they are refused."""

from catalog.errors import FeatureNotSupportedError
from catalog.types.registry import FLOAT8, INTERVAL, TIMESTAMPTZ, VOID
from kalam_pg.functions.clock import SECOND_US, span_us
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.table import EvalContext, Overload, Volatility
from storage.wall_clock import now_us

SLEEPS = frozenset(("pg_sleep", "pg_sleep_for", "pg_sleep_until"))


def _sleep(context: EvalContext, seconds: float) -> Datum:
    ask = context.services.get("pg_sleep")
    if ask is None:
        raise FeatureNotSupportedError(
            "pg_sleep is supported in a SELECT without FROM, or from it alone"
        )
    return ask(seconds)


_HOW = {"needs_context": True, "volatility": Volatility.VOLATILE, "server_only": True}

OVERLOADS: tuple[Overload, ...] = (
    function("pg_sleep", (FLOAT8,), VOID, _sleep, **_HOW),
    function(
        "pg_sleep_for", (INTERVAL,), VOID, lambda c, i: _sleep(c, span_us(i) / SECOND_US), **_HOW
    ),
    function(
        "pg_sleep_until", (TIMESTAMPTZ,), VOID,
        lambda c, at: _sleep(c, (at - now_us()) / SECOND_US), **_HOW,
    ),
)  # fmt: skip
