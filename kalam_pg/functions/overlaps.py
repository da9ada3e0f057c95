"""OVERLAPS: whether two periods have a moment in common, each given by its ends or by start and length."""

from catalog.types.registry import (
    BOOL,
    INTERVAL,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    TIMETZ,
)
from catalog.types.table import PgType
from kalam_pg.functions.datetimes import plus_interval, plus_interval_zoned, time_plus_interval
from kalam_pg.functions.define import Datum, Row
from kalam_pg.functions.table import EvalContext, Overload, OverloadKind, Volatility
from kalam_pg.functions.zoned_times import plus


def _overlaps(a: Datum, b: Datum, c: Datum, d: Datum) -> bool | None:
    """(a, b) OVERLAPS (c, d): half-open periods, the ends of each in any order.

    An unknown end is unknown only where it matters (overlaps_timestamp of PostgreSQL).
    """
    a, b = _ordered(a, b)
    c, d = _ordered(c, d)
    if a is None or c is None:
        return None
    if a == c:
        return None if b is None or d is None else True
    if a > c:
        (a, b), (c, d) = (c, d), (a, b)
    # The first begins earlier: all depends on whether it lasts until the second begins.
    if b is None:
        return None
    if c < b:
        return True
    return None if d is None else False


def _ordered(start: Datum, end: Datum) -> tuple[Datum, Datum]:
    """The ends of a period, the earlier first; None last."""
    if start is None or (end is not None and start > end):
        return end, start
    return start, end


def _with_lengths(plus: Row, *, first: bool, second: bool, zoned: bool) -> Row:
    """`_overlaps` for periods given by their lengths; `plus` adds one to a start."""

    def end(context: EvalContext, start: Datum, length: Datum) -> Datum:
        if start is None or length is None:
            return None
        return plus(context, start, length) if zoned else plus(start, length)

    def overlaps(context: EvalContext, a: Datum, b: Datum, c: Datum, d: Datum) -> bool | None:
        b = end(context, a, b) if first else b
        d = end(context, c, d) if second else d
        return _overlaps(a, b, c, d)

    return overlaps


def _overloads(kind: PgType, plus: Row, *, zoned: bool = False) -> list[Overload]:
    made = [
        Overload("overlaps", OverloadKind.FUNCTION, (kind,) * 4, BOOL, _overlaps, strict=False),
    ]
    for first, second in ((True, True), (True, False), (False, True)):
        args = (kind, INTERVAL if first else kind, kind, INTERVAL if second else kind)
        made.append(
            Overload(
                "overlaps",
                OverloadKind.FUNCTION,
                args,
                BOOL,
                _with_lengths(plus, first=first, second=second, zoned=zoned),
                strict=False,
                needs_context=True,
                volatility=Volatility.STABLE if zoned else Volatility.IMMUTABLE,
            )
        )
    return made


OVERLOADS: tuple[Overload, ...] = (
    *_overloads(TIMESTAMP, plus_interval),
    *_overloads(TIMESTAMPTZ, plus_interval_zoned, zoned=True),
    *_overloads(TIME, time_plus_interval),
    *_overloads(TIMETZ, plus)[:1],
)
