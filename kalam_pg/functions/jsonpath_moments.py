"""Dates and times in a jsonpath: `.datetime()` of a string, how they compare, and how JSON shows them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from catalog.errors import (
    DatetimeFieldOverflowError,
    FeatureNotSupportedError,
    InvalidArgumentForSqlJsonDatetimeFunctionError,
    InvalidDatetimeFormatError,
)
from catalog.types.datetime_output import date_text, offset_text, time_text, timestamp_text
from catalog.types.registry import DATE, TIME, TIMESTAMP, TIMESTAMPTZ, TIMETZ
from catalog.types.table import DEFAULT_CONTEXT, PgType
from catalog.types.timetz import unpack_timetz
from kalam_pg.functions.clock import (
    DAY_US,
    END_DATE,
    END_TIMESTAMP,
    MIN_DAY,
    MIN_TIMESTAMP,
    SECOND_US,
    check_timestamp,
    date_to_timestamp,
    local_to_utc,
)
from kalam_pg.functions.define import Datum
from kalam_pg.functions.moment_input import read_moment
from kalam_pg.functions.pictures import Kind, moment_picture
from kalam_pg.functions.table import EvalContext
from kalam_pg.functions.zoned_times import of_time
from storage.errors import KalamError


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or time. value: days of a date, else microseconds: of the day, or since 1970 where it is.

    offset_s: seconds east of UTC, of those with a time zone.
    """

    kind: PgType
    value: int
    offset_s: int = 0

    @property
    def instant_us(self) -> int:
        """Microseconds in UTC."""
        return self.value - self.offset_s * SECOND_US


_DATED = frozenset(
    """
    A.D. AD B.C. BC MONTH MON DAY DY DDD IDDD DD D ID WW W Q IW CC MM RM J Y,YYY YYYY YYY YY Y IYYY IYY IY I
    """.split()  # noqa: SIM905 - a table of words
)
_ZONED = frozenset(("TZ", "OF", "TZH", "TZM"))
_SEPARATORS = frozenset("-./,':; ")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_WRONG_SEPARATOR = "invalid datetime format separator"
_DATE = re.compile(r"\s*[+-]?[0-9]+-")


def _templates(text: str) -> Iterator[str]:
    """What PostgreSQL tries where no template is given, but for those that this text cannot be of."""
    dated, timed = _DATE.match(text), text.count(":") > 1
    date = "yyyy-mm-dd" if dated else ""
    if dated and timed:
        date += '"T"' if "T" in text else " "
    if not timed:
        yield from [date] if dated else []
        return
    time = "HH24:MI:SS.US" if "." in text else "HH24:MI:SS"
    for zone in ("TZH:TZM", "TZH", ""):
        yield date + time + zone


def is_misfit(error: KalamError) -> bool:
    """Whether an error tells that a text does not fit its template, and not that this is none."""
    fits_not = error.sqlstate in ("22007", "22008", "22009")
    return fits_not and not error.message.startswith(_WRONG_SEPARATOR)


def moment_of(item: Datum, template: str | None) -> Moment:
    """`.datetime(template)`. Raises 22031, 22007, 22008."""
    if not isinstance(item, str):
        raise InvalidArgumentForSqlJsonDatetimeFunctionError(
            "jsonpath item method .datetime() can only be applied to a string"
        )
    if template is not None:
        return _read(item, template)
    for one in _templates(item):
        try:
            return _read(item, one)
        except KalamError as error:
            if not is_misfit(error):
                raise
    raise InvalidArgumentForSqlJsonDatetimeFunctionError(
        f'datetime format is not recognized: "{item}"',
        hint="Use a datetime template argument to specify the input data format.",
    )


def _read(text: str, template: str) -> Moment:
    _check_separators(template)
    fields = {part.text for part in moment_picture(template) if part.kind is Kind.FIELD}
    dated, zoned = bool(fields & _DATED), bool(fields & _ZONED)
    timed = bool(fields - _DATED - _ZONED - {"FX"})
    days, us, offset_s = read_moment(text, template, standard=True)
    if not dated and not timed:
        raise InvalidDatetimeFormatError("datetime format is not dated and not timed")
    if zoned and not timed:
        raise InvalidDatetimeFormatError("datetime format is zoned but not timed")
    if not timed:
        if not MIN_DAY <= days < END_DATE:
            raise DatetimeFieldOverflowError(f'date out of range: "{text}"')
        return Moment(DATE, days)
    if not dated:
        return Moment(TIMETZ if zoned else TIME, us, offset_s or 0)
    local = check_timestamp(days * DAY_US + us)
    if not zoned:
        return Moment(TIMESTAMP, local)
    check_timestamp(local - (offset_s or 0) * SECOND_US)
    return Moment(TIMESTAMPTZ, local, offset_s or 0)


def _check_separators(template: str) -> None:
    """Raise 22007 for what stands between fields and is neither quoted nor a separator of SQL's standard."""
    for part in moment_picture(_QUOTED.sub("", template)):
        if part.kind is not Kind.FIELD and part.text not in _SEPARATORS:
            raise InvalidDatetimeFormatError(f'{_WRONG_SEPARATOR}: "{part.text}"')


def as_json(item: Datum) -> Datum:
    """An item as JSON has it: a date or time is a string of ISO 8601."""
    if not isinstance(item, Moment):
        return item
    match item.kind:
        case kind if kind is DATE:
            return date_text(item.value, DEFAULT_CONTEXT)
        case kind if kind is TIME:
            return time_text(item.value)
        case kind if kind is TIMETZ:
            return time_text(item.value) + _zone_text(item.offset_s)
    text = timestamp_text(item.value, DEFAULT_CONTEXT).replace(" ", "T", 1)
    if item.kind is TIMESTAMP:
        return text
    era = " BC" if text.endswith(" BC") else ""
    return text.removesuffix(era) + _zone_text(item.offset_s) + era


def _zone_text(offset_s: int) -> str:
    """As XML Schema wants it: with minutes."""
    text = offset_text(offset_s)
    return text if ":" in text else f"{text}:00"


# ------------------------------------------------------------------ comparing

_OF_DAYS = (DATE, TIMESTAMP, TIMESTAMPTZ)


def compare_moments(one: Moment, other: Moment, zoned: EvalContext | None) -> int | None:
    """Less than 0, 0, or more; None where a time of day meets a date.

    Raises 0A000 where one has a time zone, the other none, and nobody may be asked for it.
    """
    if (one.kind in _OF_DAYS) != (other.kind in _OF_DAYS):
        return None
    if one.kind not in _OF_DAYS:
        a, b = _of_day(one, other, zoned), _of_day(other, one, zoned)
        return (a > b) - (a < b)
    x, y = _of_days(one, other, zoned), _of_days(other, one, zoned)
    return (x > y) - (x < y)


def _of_day(one: Moment, beside: Moment, zoned: EvalContext | None) -> tuple[int, int]:
    """A time of day as it is compared: the instant, and of equal ones what is further east first."""
    if one.kind is TIMETZ:
        return one.instant_us, -one.offset_s
    if beside.kind is TIME:
        return one.value, 0
    us, offset_s = unpack_timetz(of_time(_zone(one, beside, zoned), one.value))
    return us - offset_s * SECOND_US, -offset_s


def _of_days(one: Moment, beside: Moment, zoned: EvalContext | None) -> int:
    if one.kind is DATE and beside.kind is DATE:
        return one.value
    if one.kind is TIMESTAMPTZ:
        return one.instant_us
    local = one.value if one.kind is TIMESTAMP else date_to_timestamp(one.value, clamp=True)
    if beside.kind is not TIMESTAMPTZ:
        return local
    _zone(one, beside, zoned)
    if not MIN_TIMESTAMP <= local < END_TIMESTAMP:
        return local
    return local_to_utc(local, _zone(one, beside, zoned).types.timezone)


def _zone(one: Moment, beside: Moment, zoned: EvalContext | None) -> EvalContext:
    if zoned is None:
        raise FeatureNotSupportedError(
            f"cannot convert value from {one.kind.name} to {beside.kind.name} without time zone usage",
            hint="Use *_tz() function for time zone support.",
        )
    return zoned
