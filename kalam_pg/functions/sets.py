"""Sets besides those of arrays: generate_series of numeric and of timestamps."""

from collections.abc import Iterator
from decimal import Decimal

from catalog.errors import InvalidParameterValueError
from catalog.types.registry import INTERVAL, NUMERIC, TIMESTAMP, TIMESTAMPTZ
from kalam_pg.functions import decimals
from kalam_pg.functions.clock import add_interval, add_interval_zoned, span_us
from kalam_pg.functions.define import returns_set
from kalam_pg.functions.table import EvalContext, Overload, Volatility


def _numeric(start: str, stop: str, step: str = "1") -> Iterator[str]:
    for name, text in (("start", start), ("stop", stop), ("step", step)):
        if not Decimal(text).is_finite():
            what = "NaN" if text == "NaN" else "infinity"
            noun = "size" if name == "step" else "value"
            raise InvalidParameterValueError(f"{name} {noun} cannot be {what}")
    by = Decimal(step)
    if not by:
        raise InvalidParameterValueError("step size cannot equal zero")
    current, last = start, Decimal(stop)
    while Decimal(current) <= last if by > 0 else Decimal(current) >= last:
        yield current
        current = decimals.add(current, step)


def _direction(step: bytes) -> bool:
    span = span_us(step)
    if span == 0:
        raise InvalidParameterValueError("step size cannot equal zero")
    return span > 0


def _timestamps(start: int, stop: int, step: bytes) -> Iterator[int]:
    upward = _direction(step)
    while start <= stop if upward else start >= stop:
        yield start
        start = add_interval(start, step)


def _zoned(context: EvalContext, start: int, stop: int, step: bytes) -> Iterator[int]:
    upward = _direction(step)
    while start <= stop if upward else start >= stop:
        yield start
        start = add_interval_zoned(start, step, context.types.timezone)


OVERLOADS: tuple[Overload, ...] = (
    returns_set("generate_series", (NUMERIC, NUMERIC), NUMERIC, _numeric),
    returns_set("generate_series", (NUMERIC, NUMERIC, NUMERIC), NUMERIC, _numeric),
    returns_set("generate_series", (TIMESTAMP, TIMESTAMP, INTERVAL), TIMESTAMP, _timestamps),
    returns_set(
        "generate_series", (TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL), TIMESTAMPTZ, _zoned,
        needs_context=True, volatility=Volatility.STABLE,
    ),
)  # fmt: skip
