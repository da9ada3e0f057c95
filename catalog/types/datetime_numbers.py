"""What a number in a date or time text means, given what was found before it and the date order.

`Numbers` is the state of one reading: the parts found so far, and the methods that read numbers into
them. `datetime_fields` adds words and whole fields, `datetime_input` the final checks.
"""

from datetime import tzinfo

from catalog.errors import InvalidParameterValueError
from catalog.types.calendar import (
    JULIAN_1970,
    US_PER_DAY,
    US_PER_HOUR,
    US_PER_MINUTE,
    US_PER_SECOND,
    date_of,
)
from catalog.types.datetime_lex import (
    INT32_MAX,
    MONTHS,
    TOKEN_MAX,
    WORDS,
    Fault,
    Reason,
    fraction_of,
    leading_int,
)
from catalog.types.table import TypeContext

# Parts of a date and time, as bits.
YEAR, MONTH, DAY, DOY, ZONE, DAYLIGHT, HALF, ERA, WEEKDAY, SPECIAL = (1 << i for i in range(10))
HOUR, MINUTE, SECOND, FRACTION = (1 << i for i in range(10, 14))
DATE = YEAR | MONTH | DAY
TIME = HOUR | MINUTE | SECOND | FRACTION


class Numbers:
    """The parts of a date and time found so far, in one reading of one text."""

    def __init__(self, context: TypeContext, *, time_only: bool = False) -> None:
        self.context = context
        self.time_only = time_only
        self.found = 0
        self.year = self.month = self.day = self.day_of_year = 0
        self.hour = self.minute = self.second = self.us = 0
        self.half = ""
        self.bc = self.is_julian = self.two_digits = self.text_month = False
        self.special = ""  # epoch, infinity, -infinity
        self.zone: tzinfo | None = None
        self.zone_named = False  # by its full name
        self.daylight = 0
        self.label = ""  # what the field before said of this one: "julian", "time", "unit"

    def clock(self) -> int:
        """Return microseconds since midnight."""
        whole = self.hour * US_PER_HOUR + self.minute * US_PER_MINUTE + self.second * US_PER_SECOND
        return whole + self.us

    def check_clock(self) -> None:
        """Refuse a time after 24:00:00."""
        if (
            self.hour > 24
            or self.minute > 59
            or self.second > 60
            or self.us > US_PER_SECOND
            or self.clock() > US_PER_DAY
        ):
            raise Fault(Reason.OVERFLOW)

    def julian(self, value: int) -> None:
        """Take a Julian day number for the date."""
        if value < 0:
            raise Fault(Reason.OVERFLOW)
        self.year, self.month, self.day = date_of(value - JULIAN_1970)
        self.is_julian = True

    def whole_date(self, field: str) -> int:
        """Read a date's numbers and month name: 2024-01-15, 15/1/24, 15-jan-2024."""
        words: list[str] = []
        numbers: list[str] = []
        at = 0
        while at < len(field):
            while at < len(field) and not field[at].isalnum():
                at += 1
            if at == len(field):
                raise Fault
            end = at
            while (
                end < len(field)
                and field[end].isalnum()
                and (field[end].isdigit() == field[at].isdigit())
            ):
                end += 1
            (numbers if field[at].isdigit() else words).append(field[at:end])
            at = end + 1
        given = 0
        for word in words:
            kind = WORDS.get(word[:TOKEN_MAX])
            if kind != "month" or (self.found | given) & MONTH:
                raise Fault
            self.month, given = MONTHS[word], given | MONTH
        text_month = bool(given)
        for number in numbers:
            parts = self.number(number, self.found | given, text_month=text_month)
            if parts & (self.found | given):
                raise Fault
            given |= parts
        if (self.found | given) & ~(DOY | ZONE) != DATE:
            raise Fault
        return given

    def number(self, field: str, found: int, *, text_month: bool | None = None) -> int:
        """Read one number, whose meaning depends on what was found and on the date order."""
        value, rest = leading_int(field)
        if rest == field:
            raise Fault
        if rest.startswith("."):
            if len(field) - len(rest) > 2:
                return self.run_together(field, found | DATE)
            self.us = round(fraction_of(rest) * US_PER_SECOND)
        elif rest:
            raise Fault
        length = len(field)
        if length == 3 and found & DATE == YEAR and 1 <= value <= 366:
            self.day_of_year = value
            return DOY | MONTH | DAY
        named = self.text_month if text_month is None else text_month
        part = self._meaning(length, found & DATE, named=named)
        if part == DATE:
            return self.run_together(field, found)
        if part == YEAR:
            self.year, self.two_digits = value, length <= 2
        elif part == MONTH:
            self.month = value
        elif named and found & DATE == YEAR | MONTH and length >= 3 and self.two_digits:
            # Taking the first number for the year was wrong: it was the day.
            self.day, self.year, self.two_digits = self.year, value, False
        else:
            self.day = value
        return part

    def _meaning(self, length: int, found: int, *, named: bool) -> int:
        order = self.context.date_order
        if found == 0:
            if length >= 3 or order == "YMD":
                return YEAR
            return DAY if order == "DMY" else MONTH
        if found == MONTH:
            return YEAR if named and (length >= 3 or order == "YMD") else DAY
        # With the whole date there, it is part of a time (DATE stands for that).
        after = {YEAR: MONTH, YEAR | MONTH: DAY, DAY: MONTH, MONTH | DAY: YEAR}
        after[DATE] = DATE
        if found not in after:
            raise Fault
        return after[found]

    def run_together(self, field: str, found: int) -> int:
        """Read yyyymmdd, yymmdd, hhmmss or hhmm, with a fraction of a second if it has a point."""
        digits, point, fraction = field.partition(".")
        if point:
            self.us = round(fraction_of(point + fraction) * US_PER_SECOND)
        elif found & DATE != DATE and len(digits) >= 6:
            self.day = int(digits[-2:])
            self.month = int(digits[-4:-2])
            self.year = _wrapped(digits[:-4])
            if len(digits) == 6:
                self.two_digits = True
            return DATE
        if found & TIME == TIME or len(digits) not in {4, 6} or not digits.isdigit():
            raise Fault
        self.hour, self.minute = int(digits[:2]), int(digits[2:4])
        self.second = int(digits[4:] or "0")
        return TIME

    def read_clock(self, field: str) -> None:
        """Read h:m:s.f."""
        self.hour, self.minute, self.second, self.us = parse_clock(field)


def _wrapped(digits: str) -> int:
    # C's atoi: clipped to 64 bits, of which the lower 32 count.
    value = min(int(digits), (1 << 63) - 1) & 0xFFFFFFFF
    return value - (1 << 32) if value > INT32_MAX else value


def parse_clock(field: str) -> tuple[int, int, int, int]:
    """Return (hour, minute, second, microsecond) of h:m, h:m:s.f or m:s.f.

    Raises:
        Fault.
    """
    hour, rest = leading_int(field)
    if not rest.startswith(":"):
        raise Fault
    minute, rest = leading_int(rest[1:])
    second = us = 0
    if rest.startswith("."):
        us = round(fraction_of(rest) * US_PER_SECOND)
        hour, minute, second = 0, hour, minute
    elif rest.startswith(":"):
        second, rest = leading_int(rest[1:])
        if rest:
            us = round(fraction_of(rest) * US_PER_SECOND)
    elif rest:
        raise Fault
    if hour < 0 or not 0 <= minute <= 59 or not 0 <= second <= 60 or us > US_PER_SECOND:
        raise Fault(Reason.OVERFLOW)
    return hour, minute, second, us


def parse_displacement(field: str) -> int:
    """Return the seconds east of Greenwich that +hh, +hhmm or +hh:mm:ss stands for.

    Raises:
        Fault.
    """
    if field[:1] not in {"+", "-"}:
        raise Fault
    try:
        hours, rest = leading_int(field[1:])
        minutes = seconds = 0
        if rest.startswith(":"):
            minutes, rest = leading_int(rest[1:])
            if rest.startswith(":"):
                seconds, rest = leading_int(rest[1:])
        elif not rest and len(field) > 3:
            hours, minutes = divmod(hours, 100)
    except Fault as fault:
        raise Fault(Reason.ZONE_OVERFLOW) from fault
    if not 0 <= hours <= 15 or not 0 <= minutes <= 59 or not 0 <= seconds <= 59:
        raise Fault(Reason.ZONE_OVERFLOW)
    if rest:
        raise Fault
    offset = hours * 3600 + minutes * 60 + seconds
    return offset if field[0] == "+" else -offset


def numeric_zone(text: str) -> int | None:
    """Return what `parse_displacement` does, None if that is not what the text is.

    Raises:
        InvalidParameterValueError: 22023, it is out of range.
    """
    try:
        return parse_displacement(text)
    except Fault as fault:
        if fault.reason is Reason.ZONE_OVERFLOW:
            raise InvalidParameterValueError(f'numeric time zone "{text}" out of range') from None
        return None
