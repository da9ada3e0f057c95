"""Dates and times from text: every form that PostgreSQL reads, by its rules.

The text is cut into fields (`datetime_lex`); each field gives parts of a date and time
(`datetime_fields`), a part given twice is an error; what was found must make a whole in the end.
Source: PostgreSQL's DecodeDateTime, DecodeTimeOnly and ValidateDate.
"""

from catalog.errors import DatetimeFieldOverflowError
from catalog.types.calendar import (
    DATE_END,
    DATE_INFINITY,
    DATE_MIN,
    DATE_NEG_INFINITY,
    INFINITY,
    NEG_INFINITY,
    TIMESTAMP_END,
    TIMESTAMP_MIN,
    US_PER_DAY,
    US_PER_SECOND,
    date_of,
    days_in_month,
    days_of,
)
from catalog.types.datetime_fields import Fields
from catalog.types.datetime_lex import Fault, Reason, error_of, split_fields
from catalog.types.datetime_numbers import DATE, DAY, DAYLIGHT, DOY, MONTH, TIME, YEAR, ZONE
from catalog.types.table import TypeContext
from catalog.types.zones import is_fixed, local_offset, utc_offset

_LENGTH_MAX = 152


def read_date(text: str, context: TypeContext) -> int:
    """Return the day number of a date's text.

    Raises:
        InvalidDatetimeFormatError: 22007.
        DatetimeFieldOverflowError: 22008.
    """
    try:
        reader = _Reader(context)
        reader.read(text)
        if reader.special:
            if reader.special == "epoch":
                return 0
            return DATE_INFINITY if reader.special == "infinity" else DATE_NEG_INFINITY
    except Fault as fault:
        raise error_of(fault, "date", text) from None
    days = reader.days()
    if not DATE_MIN <= days < DATE_END:
        raise DatetimeFieldOverflowError(f'date out of range: "{text}"')
    return days


def read_time(text: str, context: TypeContext) -> int:
    """Return microseconds since midnight of a time's text.

    Raises:
        InvalidDatetimeFormatError: 22007.
        DatetimeFieldOverflowError: 22008.
    """
    try:
        reader = _Reader(context, time_only=True)
        reader.read(text)
    except Fault as fault:
        raise error_of(fault, "time", text) from None
    return reader.clock()


def read_timetz(text: str, context: TypeContext) -> tuple[int, int]:
    """Return microseconds since midnight of a time's text, and its zone's seconds east of UTC.

    Raises:
        InvalidDatetimeFormatError: 22007.
        DatetimeFieldOverflowError: 22008.
    """
    try:
        reader = _Reader(context, time_only=True)
        reader.read(text)
        return reader.clock(), reader.offset_of_time()
    except Fault as fault:
        raise error_of(fault, "time with time zone", text) from None


def read_timestamp(text: str, context: TypeContext, *, zoned: bool) -> int:
    """Return microseconds since 1970: of the instant if `zoned`, else of the wall clock.

    Raises:
        InvalidDatetimeFormatError: 22007.
        DatetimeFieldOverflowError: 22008.
    """
    name = "timestamp with time zone" if zoned else "timestamp"
    try:
        reader = _Reader(context)
        reader.read(text)
    except Fault as fault:
        raise error_of(fault, name, text) from None
    if reader.special:
        return {"epoch": 0, "infinity": INFINITY}.get(reader.special, NEG_INFINITY)
    us = reader.days() * US_PER_DAY + reader.clock()
    if zoned:
        us -= reader.offset() * US_PER_SECOND
    if not TIMESTAMP_MIN <= us < TIMESTAMP_END:
        raise DatetimeFieldOverflowError(f'timestamp out of range: "{text}"')
    return us


class _Reader(Fields):
    """One reading of one text."""

    def read(self, text: str) -> None:
        fields = split_fields(text, _LENGTH_MAX)
        for i, (kind, field) in enumerate(fields):
            parts = self.field(kind, field, fields, i)
            if parts & self.found:
                raise Fault
            self.found |= parts
        self._check_date()
        self._apply_half()
        if self.time_only:
            self.check_clock()
            if self.found & TIME != TIME:
                raise Fault
            self._check_zone_of_time()
        elif not self.special and self.found & DATE != DATE:
            raise Fault
        if (
            self.found & DAYLIGHT
            and not self.special
            and (self.zone_named or not self.found & ZONE)
        ):
            raise Fault

    def days(self) -> int:
        return days_of(self.year, self.month, self.day)

    def offset(self) -> int:
        local = self.days() * US_PER_DAY + self.clock()
        return local_offset(self.zone or self.context.timezone, local) + self.daylight

    def offset_of_time(self) -> int:
        """As `offset`; a time without a date is one of today."""
        if self.found & DATE == DATE:
            return self.offset()
        if self.found & DATE and (self.zone is None or not is_fixed(self.zone)):
            raise Fault  # Part of a date, and the offset depends on all of it.
        zone = self.context.timezone
        now = self.context.now_us
        today = (now + utc_offset(zone, now) * US_PER_SECOND) // US_PER_DAY * US_PER_DAY
        return local_offset(self.zone or zone, today + self.clock()) + self.daylight

    def _check_date(self) -> None:
        if self.found & YEAR and not self.is_julian:
            if self.two_digits and not self.bc:
                self.year += 2000 if self.year < 70 else 1900 if self.year < 100 else 0
            elif self.year <= 0:
                raise Fault(Reason.OVERFLOW)
            elif self.bc:
                self.year = 1 - self.year
        if self.found & DOY:
            january = days_of(self.year, 1, 1)
            self.year, self.month, self.day = date_of(january + self.day_of_year - 1)
        if self.found & MONTH and not 1 <= self.month <= 12:
            raise Fault(Reason.ORDER_OVERFLOW)
        if self.found & DAY and not 1 <= self.day <= 31:
            raise Fault(Reason.ORDER_OVERFLOW)
        if self.found & DATE == DATE and self.day > days_in_month(self.year, self.month):
            raise Fault(Reason.OVERFLOW)

    def _apply_half(self) -> None:
        if not self.half:
            return
        if self.hour > 12:
            raise Fault(Reason.OVERFLOW)
        if self.half == "am" and self.hour == 12:
            self.hour = 0
        elif self.half == "pm" and self.hour != 12:
            self.hour += 12

    def _check_zone_of_time(self) -> None:
        # Whether a named zone keeps summer time depends on the date.
        if self.zone_named and self.zone and not is_fixed(self.zone) and self.found & DATE != DATE:
            raise Fault
