"""to_timestamp and to_date: the fields that a picture finds in a text, made one moment."""

from dataclasses import dataclass, field

from catalog.errors import (
    DatetimeFieldOverflowError,
    InvalidDatetimeFormatError,
    InvalidTimeZoneDisplacementValueError,
)
from catalog.types.registry import DATE, TEXT, TIMESTAMPTZ
from kalam_pg.functions.clock import (
    DAY_US,
    END_DATE,
    MIN_DAY,
    SECOND_US,
    check_timestamp,
    from_days,
    local_to_utc,
    month_length,
    to_days,
)
from kalam_pg.functions.define import stable
from kalam_pg.functions.moment_reading import Read, read
from kalam_pg.functions.table import EvalContext, Overload

_EPOCH_JULIAN = 2_440_588


@dataclass(slots=True)
class _Moment:
    """What the fields come to. fixed: which of year, month and day were said."""

    year: int = 0
    month: int = 1
    day: int = 1
    fixed: set[str] = field(default_factory=set)

    def place(self, days: int) -> None:
        """Be that day."""
        self.year, self.month, self.day = from_days(days)
        self.fixed |= {"year", "month", "day"}


def _overflow(text: str) -> DatetimeFieldOverflowError:
    return DatetimeFieldOverflowError(f'date/time field value out of range: "{text}"')


def read_moment(text: str, picture: str, *, standard: bool = False) -> tuple[int, int, int | None]:
    """(days since 1970, microseconds of the day, offset east in seconds or None).

    standard: see `moment_reading.read`.
    """
    found = read(text, picture, standard=standard)
    clock = _clock(found)
    moment = _Moment()
    _set_year(found, moment)
    _set_day(found, moment)
    _check(moment, text)
    micros = _time_of_day(clock, text)
    step = 10 ** (6 - found.digits)
    micros = (micros + step // 2) // step * step
    return to_days(moment.year, moment.month, moment.day), micros, _zone(found, text)


def _clock(found: Read) -> tuple[int, int, int, int]:
    """Hour, minute, second and its fraction, as they were said."""
    seconds = found["ssss"]
    hour = found["hh"] or seconds // 3600
    minute = found["mi"] or seconds % 3600 // 60
    second = found["ss"] or seconds % 60
    if found.twelve:
        if not 1 <= hour <= 12:
            raise InvalidDatetimeFormatError(
                f'hour "{hour}" is invalid for the 12-hour clock',
                hint="Use the 24-hour clock, or give an hour between 1 and 12.",
            )
        hour = hour % 12 + (12 if found["pm"] else 0)
    return hour, minute, second, found["ms"] * 1000 + found["us"]


def _time_of_day(clock: tuple[int, int, int, int], text: str) -> int:
    hour, minute, second, fraction = clock
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= fraction < SECOND_US):
        raise _overflow(text)
    return ((hour * 60 + minute) * 60 + second) * SECOND_US + fraction


def _set_year(found: Read, moment: _Moment) -> None:
    year, century = found["year"], found["cc"]
    if found["bc"]:
        century = -century
    if year and century and found.short_year <= 2:
        low = year % 100
        if low:
            moment.year = (century - 1) * 100 + low if century >= 0 else century * 100 + 101 - low
        else:
            moment.year = century * 100 + (0 if century >= 0 else 1)
    elif year:
        moment.year = -year if found["bc"] else year
        if moment.year < 0:
            moment.year += 1
    elif century:
        moment.year = (century - 1) * 100 + 1 if century >= 0 else century * 100 + 1
    else:
        return
    moment.fixed.add("year")


def _set_day(found: Read, moment: _Moment) -> None:
    day_of_year, day = found["ddd"], found["dd"]
    if found["j"]:
        moment.place(found["j"] - _EPOCH_JULIAN)
    if found["ww"] and found.iso:
        weekday = found["d"]
        offset = 0 if not weekday else weekday - 2 if weekday > 1 else 6
        moment.place(_iso_start(moment.year) + (found["ww"] - 1) * 7 + offset)
    elif found["ww"]:
        day_of_year = (found["ww"] - 1) * 7 + 1
    if found["w"]:
        day = (found["w"] - 1) * 7 + 1
    if day:
        moment.day = day
        moment.fixed.add("day")
    if found["mm"]:
        moment.month = found["mm"]
        moment.fixed.add("month")
    if day_of_year and (moment.month <= 1 or moment.day <= 1):
        _set_day_of_year(found, moment, day_of_year)


def _iso_start(year: int) -> int:
    """The Monday of an ISO year's first week."""
    fourth = to_days(year, 1, 4)
    return fourth - (fourth + 3) % 7


def _set_day_of_year(found: Read, moment: _Moment, day_of_year: int) -> None:
    if not moment.year and not found["bc"]:
        raise InvalidDatetimeFormatError("cannot calculate day of year without year information")
    if found.iso:
        moment.place(_iso_start(moment.year) + day_of_year - 1)
        return
    passed, month = 0, 1
    while month <= 12 and day_of_year > passed + month_length(moment.year, month):
        passed += month_length(moment.year, month)
        month += 1
    if moment.month <= 1:
        moment.month = month
    if moment.day <= 1:
        moment.day = day_of_year - passed
    moment.fixed |= {"month", "day"}


def _check(moment: _Moment, text: str) -> None:
    said = moment.fixed
    if "month" in said and not 1 <= moment.month <= 12:
        raise _overflow(text)
    if "day" in said and not 1 <= moment.day <= 31:
        raise _overflow(text)
    if len(said) == 3 and moment.day > month_length(moment.year, moment.month):
        raise _overflow(text)


def _zone(found: Read, text: str) -> int | None:
    if not found.zone_sign:
        return None
    hours, minutes = found["tzh"], found["tzm"]
    if not 0 <= hours <= 15 or not 0 <= minutes < 60:
        raise InvalidTimeZoneDisplacementValueError(
            f'time zone displacement out of range: "{text}"'
        )
    return found.zone_sign * (hours * 3600 + minutes * 60)


def _to_timestamp(context: EvalContext, text: str, picture: str) -> int:
    days, micros, offset_s = read_moment(text, picture)
    local = check_timestamp(days * DAY_US + micros)
    if offset_s is not None:
        return check_timestamp(local - offset_s * SECOND_US)
    return local_to_utc(local, context.types.timezone)


def _to_date(_context: EvalContext, text: str, picture: str) -> int:
    days, _, _ = read_moment(text, picture)
    if not MIN_DAY <= days < END_DATE:
        raise DatetimeFieldOverflowError(f'date out of range: "{text}"')
    return days


OVERLOADS: tuple[Overload, ...] = (
    stable("to_timestamp", (TEXT, TEXT), TIMESTAMPTZ, _to_timestamp),
    stable("to_date", (TEXT, TEXT), DATE, _to_date),
)
