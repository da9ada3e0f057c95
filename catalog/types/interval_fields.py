"""The fields that an interval may be restricted to: INTERVAL DAY TO SECOND(2), in a typmod.

A typmod has the fields above and the digits of seconds below (timestamp.h, INTERVAL_TYPMOD).
"""

FULL_RANGE = 0x7FFF
FULL_PRECISION = 0xFFFF
YEAR, MONTH, DAY, HOUR, MINUTE, SECOND = 4, 2, 8, 1 << 10, 1 << 11, 1 << 12
MINUTE_TO_SECOND = MINUTE | SECOND

_NAMES = (
    (YEAR, "year"), (MONTH, "month"), (DAY, "day"),
    (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"),
)  # fmt: skip


def fields_of(typmod: int) -> int:
    """Which fields a typmod allows."""
    return FULL_RANGE if typmod < 0 else typmod >> 16 & FULL_RANGE


def last_unit(fields: int) -> str:
    """What a number without a unit counts: the last field."""
    if fields == FULL_RANGE:
        return "second"
    return next((name for field, name in reversed(_NAMES) if fields & field), "second")


def cut(months: int, days: int, us: int, fields: int) -> tuple[int, int, int]:
    """An interval without what is smaller than the last field: as AdjustIntervalForTypmod."""
    if fields == FULL_RANGE or fields & SECOND:
        return months, days, us
    if fields & MINUTE:
        return months, days, _whole(us, 60_000_000)
    if fields & HOUR:
        return months, days, _whole(us, 3_600_000_000)
    if fields & DAY:
        return months, days, 0
    if fields & MONTH:
        return months, 0, 0
    return _whole(months, 12), 0, 0


def _whole(value: int, unit: int) -> int:
    """As C divides: towards zero."""
    return value // unit * unit if value >= 0 else -(-value // unit * unit)


def interval_modifiers(typmod: int) -> str:
    """What stands behind `interval` for a typmod: ` day to second(2)`, `(3)`."""
    fields, digits = fields_of(typmod), typmod & FULL_PRECISION
    text = ""
    if fields != FULL_RANGE:
        named = [name for field, name in _NAMES if fields & field]
        text = f" {named[0]}" if len(named) == 1 else f" {named[0]} to {named[-1]}"
    return text if digits == FULL_PRECISION else f"{text}({digits})"
