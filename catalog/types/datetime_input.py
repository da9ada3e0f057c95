"""Dates and times from text: every form that PostgreSQL reads, by its rules.

`_Reader` takes the fields of `datetime_lex` one by one and notes which parts of a date and time each
gave; a part given twice is an error. What a bare number means depends on the parts so far.
Source: PostgreSQL's DecodeDateTime, DecodeTimeOnly and their helpers.
"""

from datetime import tzinfo

from catalog.errors import DatetimeFieldOverflowError, InvalidParameterValueError
from catalog.types.calendar import (
    DATE_END,
    DATE_INFINITY,
    DATE_MIN,
    DATE_NEG_INFINITY,
    INFINITY,
    JULIAN_1970,
    NEG_INFINITY,
    TIMESTAMP_END,
    TIMESTAMP_MIN,
    US_PER_DAY,
    US_PER_HOUR,
    US_PER_MINUTE,
    US_PER_SECOND,
    clock_of,
    date_of,
    days_in_month,
    days_of,
)
from catalog.types.datetime_lex import (
    INT32_MAX,
    MONTHS,
    TOKEN_MAX,
    WORDS,
    Fault,
    Kind,
    Reason,
    error_of,
    fraction_of,
    leading_int,
    split_fields,
)
from catalog.types.table import TypeContext
from catalog.types.zones import (
    find_abbreviation,
    find_zone,
    fixed_zone,
    is_fixed,
    local_offset,
    utc_offset,
)

_LENGTH_MAX = 152

# Parts of a date and time, as bits.
_YEAR, _MONTH, _DAY, _DOY, _ZONE, _DAYLIGHT, _HALF, _ERA, _WEEKDAY, _SPECIAL = (
    1 << i for i in range(10)
)
_HOUR, _MINUTE, _SECOND, _FRACTION = (1 << i for i in range(10, 14))
_DATE = _YEAR | _MONTH | _DAY
_TIME = _HOUR | _MINUTE | _SECOND | _FRACTION


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


class _Reader:
    """One reading of one text: the parts found so far."""

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

    # ------------------------------------------------------------------------------ the whole text

    def read(self, text: str) -> None:
        fields = split_fields(text, _LENGTH_MAX)
        for i, (kind, field) in enumerate(fields):
            parts = self._field(kind, field, fields, i)
            if parts & self.found:
                raise Fault
            self.found |= parts
        self._check_date()
        self._apply_half()
        if self.time_only:
            self._check_clock()
            if self.found & _TIME != _TIME:
                raise Fault
            self._check_zone_of_time()
        elif not self.special and self.found & _DATE != _DATE:
            raise Fault
        if (
            self.found & _DAYLIGHT
            and not self.special
            and (self.zone_named or not self.found & _ZONE)
        ):
            raise Fault

    def days(self) -> int:
        return days_of(self.year, self.month, self.day)

    def clock(self) -> int:
        whole = self.hour * US_PER_HOUR + self.minute * US_PER_MINUTE + self.second * US_PER_SECOND
        return whole + self.us

    def offset(self) -> int:
        local = self.days() * US_PER_DAY + self.clock()
        return local_offset(self.zone or self.context.timezone, local) + self.daylight

    # -------------------------------------------------------------------------------- one field

    def _field(self, kind: Kind, field: str, fields: list[tuple[Kind, str]], i: int) -> int:
        match kind:
            case Kind.DATE:
                return self._date_field(field, fields, i)
            case Kind.TIME:
                if self.label not in {"", "time"}:
                    raise Fault
                self.label = ""
                self._read_clock(field)
                if not self.time_only:
                    self._check_clock()
                return _TIME
            case Kind.SIGNED:
                self.zone = fixed_zone(parse_displacement(field))
                return _ZONE
            case Kind.NUMBER:
                if self.label:
                    return self._labelled(field)
                return (
                    self._number_in_time(field, fields, i)
                    if self.time_only
                    else (self._number_in_date(field))
                )
            case _:
                return self._word(field, fields, i)

    def _date_field(self, field: str, fields: list[tuple[Kind, str]], i: int) -> int:
        if self.label == "julian" and not self.time_only:
            value, rest = leading_int(field)
            self._julian(value)
            self.zone = fixed_zone(parse_displacement(rest))
            self.label = ""
            return _DATE | _TIME | _ZONE
        if self.time_only:
            is_date = (
                i == 0
                and len(fields) >= 2
                and (fields[-1][0] is Kind.DATE or fields[1][0] is Kind.TIME)
            )
        else:
            is_date = not self.label and self.found & (_MONTH | _DAY) != _MONTH | _DAY
        if is_date:
            return self._whole_date(field)
        if field[0].isdigit() or (self.label and not self.time_only):
            return self._clock_with_zone(field)
        self._name_zone(field)
        return _ZONE

    def _clock_with_zone(self, field: str) -> int:
        """Read hhmmss-zz, a time run together with its zone."""
        if self.label not in {"", "time"}:
            raise Fault
        self.label = ""
        clock, dash, zone = field.partition("-")
        if self.found & _TIME == _TIME or not dash:
            raise Fault
        self.zone = fixed_zone(parse_displacement(dash + zone))
        extra = _DATE if self.time_only else 0
        return self._run_together(clock, self.found | extra) | _ZONE

    def _name_zone(self, name: str) -> None:
        found = find_zone(name)
        if found is None:
            raise InvalidParameterValueError(f'time zone "{name}" not recognized')
        self.zone, self.zone_named = found[0], True

    def _labelled(self, field: str) -> int:
        label, self.label, self.special = self.label, "", ""
        value, rest = leading_int(field)
        if rest and not (rest.startswith(".") and label in {"julian", "time", "s"}):
            raise Fault
        if label == "time":
            parts = self._run_together(field, self.found | _DATE)
            if parts != _TIME:
                raise Fault
            return parts
        if label == "julian":
            self._julian(value)
            if not rest:
                return _DATE
            us = round(fraction_of(rest) * US_PER_DAY)
            self.hour, self.minute, self.second, self.us = clock_of(us)
            return _DATE | _TIME
        return self._labelled_part(label, value, rest)

    def _labelled_part(self, label: str, value: int, rest: str) -> int:
        """Read the number behind a letter: y2024 m1 d15 h10 mm30 s15.5."""
        if label == "m" and self.found & _MONTH and self.found & _HOUR:
            label = "mm"
        match label:
            case "y":
                self.year = value
                return _YEAR
            case "m":
                self.month = value
                return _MONTH
            case "d":
                self.day = value
                return _DAY
            case "h":
                self.hour = value
                return _HOUR
            case "mm":
                self.minute = value
                return _MINUTE
            case "s":
                self.second = value
                if not rest:
                    return _SECOND
                self.us = round(fraction_of(rest) * US_PER_SECOND)
                return _SECOND | _FRACTION
            case _:
                raise Fault

    def _julian(self, value: int) -> None:
        if value < 0:
            raise Fault(Reason.OVERFLOW)
        self.year, self.month, self.day = date_of(value - JULIAN_1970)
        self.is_julian = True

    def _number_in_date(self, field: str) -> int:
        whole, point, _ = field.partition(".")
        if point and not self.found & _DATE:
            return self._whole_date(field)
        if point and len(whole) > 2:
            return self._run_together(field, self.found)
        if len(field) >= 6 and (not self.found & _DATE or self.found & _TIME != _TIME):
            return self._run_together(field, self.found)
        return self._number(field, self.found)

    def _number_in_time(self, field: str, fields: list[tuple[Kind, str]], i: int) -> int:
        whole, point, _ = field.partition(".")
        if point:
            if i == 0 and len(fields) >= 2 and fields[-1][0] is Kind.DATE:
                return self._whole_date(field)
            if len(whole) <= 2:
                raise Fault
            return self._run_together(field, self.found | _DATE)
        if len(field) > 4:
            return self._run_together(field, self.found | _DATE)
        return self._number(field, self.found | _DATE)

    # ------------------------------------------------------------------------------------ words

    def _word(self, word: str, fields: list[tuple[Kind, str]], i: int) -> int:
        abbreviation = find_abbreviation(word[:TOKEN_MAX])
        if abbreviation is not None:
            self.zone = abbreviation[0]
            return _ZONE
        match WORDS.get(word[:TOKEN_MAX]):
            case "ignored":
                return 0
            case "reserved":
                return self._reserved(word)
            case "month" if not self.time_only:
                return self._month(MONTHS[word])
            case "weekday" if not self.time_only:
                return _WEEKDAY
            case "half":
                self.half = word
                return _HALF
            case "era":
                self.bc = word == "bc"
                return _ERA
            case "daylight":
                self.daylight = 3600
                return _DAYLIGHT
            case "julian" as label:
                self.label = label
                return 0
            case "unit":
                self.label = word
                return 0
            case "iso time":
                self._expect_time(fields, i)
                return 0
            case None:
                found = find_zone(word)
                if found is None:
                    raise Fault
                self.zone, self.zone_named = found[0], True
                return _ZONE
            case _:
                raise Fault

    def _expect_time(self, fields: list[tuple[Kind, str]], i: int) -> None:
        if not self.time_only and self.found & _DATE != _DATE:
            raise Fault
        following = fields[i + 1][0] if i + 1 < len(fields) else None
        if following not in {Kind.NUMBER, Kind.TIME, Kind.DATE}:
            raise Fault
        self.label = "time"

    def _month(self, month: int) -> int:
        parts = _MONTH
        if (
            self.found & _MONTH
            and not self.text_month
            and not self.found & _DAY
            and 1 <= self.month <= 31
        ):
            # The number taken for a month was the day: `15 Jan 2024`.
            self.day = self.month
            parts = _DAY
        self.text_month = True
        self.month = month
        return parts

    def _reserved(self, word: str) -> int:
        zone = self.context.timezone
        now = self.context.now_us
        now += utc_offset(zone, now) * US_PER_SECOND
        days, us = divmod(now, US_PER_DAY)
        self.special = ""
        if word == "allballs":
            self.hour = self.minute = self.second = 0
            self.zone = fixed_zone(0)
            return _TIME | _ZONE
        if self.time_only:
            if word != "now":
                raise Fault
            self.hour, self.minute, self.second, self.us = clock_of(us)
            return _TIME
        if word == "now":
            self.year, self.month, self.day = date_of(days)
            self.hour, self.minute, self.second, self.us = clock_of(us)
            self.zone = fixed_zone(utc_offset(zone, self.context.now_us))
            return _DATE | _TIME | _ZONE
        if word in {"epoch", "infinity", "-infinity"}:
            self.special = word
            return _SPECIAL
        days += {"yesterday": -1, "today": 0, "tomorrow": 1}[word]
        self.year, self.month, self.day = date_of(days)
        return _DATE

    # ---------------------------------------------------------------------------------- numbers

    def _whole_date(self, field: str) -> int:
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
            if kind != "month" or (self.found | given) & _MONTH:
                raise Fault
            self.month, given = MONTHS[word], given | _MONTH
        text_month = bool(given)
        for number in numbers:
            parts = self._number(number, self.found | given, text_month=text_month)
            if parts & (self.found | given):
                raise Fault
            given |= parts
        if (self.found | given) & ~(_DOY | _ZONE) != _DATE:
            raise Fault
        return given

    def _number(self, field: str, found: int, *, text_month: bool | None = None) -> int:
        """Read one number, whose meaning depends on what was found and on the date order."""
        value, rest = leading_int(field)
        if rest == field:
            raise Fault
        if rest.startswith("."):
            if len(field) - len(rest) > 2:
                return self._run_together(field, found | _DATE)
            self.us = round(fraction_of(rest) * US_PER_SECOND)
        elif rest:
            raise Fault
        length = len(field)
        if length == 3 and found & _DATE == _YEAR and 1 <= value <= 366:
            self.day_of_year = value
            return _DOY | _MONTH | _DAY
        named = self.text_month if text_month is None else text_month
        part = self._meaning(length, found & _DATE, named=named)
        if part == _DATE:
            return self._run_together(field, found)
        if part == _YEAR:
            self.year, self.two_digits = value, length <= 2
        elif part == _MONTH:
            self.month = value
        elif named and found & _DATE == _YEAR | _MONTH and length >= 3 and self.two_digits:
            # Taking the first number for the year was wrong: it was the day.
            self.day, self.year, self.two_digits = self.year, value, False
        else:
            self.day = value
        return part

    def _meaning(self, length: int, found: int, *, named: bool) -> int:
        order = self.context.date_order
        if found == 0:
            if length >= 3 or order == "YMD":
                return _YEAR
            return _DAY if order == "DMY" else _MONTH
        if found == _MONTH:
            return _YEAR if named and (length >= 3 or order == "YMD") else _DAY
        # With the whole date there, it is part of a time (_DATE stands for that).
        after = {_YEAR: _MONTH, _YEAR | _MONTH: _DAY, _DAY: _MONTH, _MONTH | _DAY: _YEAR}
        after[_DATE] = _DATE
        if found not in after:
            raise Fault
        return after[found]

    def _run_together(self, field: str, found: int) -> int:
        """Read yyyymmdd, yymmdd, hhmmss or hhmm, with a fraction of a second if it has a point."""
        digits, point, fraction = field.partition(".")
        if point:
            self.us = round(fraction_of(point + fraction) * US_PER_SECOND)
        elif found & _DATE != _DATE and len(digits) >= 6:
            self.day = int(digits[-2:])
            self.month = int(digits[-4:-2])
            self.year = _wrapped(digits[:-4])
            if len(digits) == 6:
                self.two_digits = True
            return _DATE
        if found & _TIME == _TIME or len(digits) not in {4, 6} or not digits.isdigit():
            raise Fault
        self.hour, self.minute = int(digits[:2]), int(digits[2:4])
        self.second = int(digits[4:] or "0")
        return _TIME

    def _read_clock(self, field: str) -> None:
        self.hour, self.minute, self.second, self.us = parse_clock(field)

    # ------------------------------------------------------------------------------ final checks

    def _check_date(self) -> None:
        if self.found & _YEAR and not self.is_julian:
            if self.two_digits and not self.bc:
                self.year += 2000 if self.year < 70 else 1900 if self.year < 100 else 0
            elif self.year <= 0:
                raise Fault(Reason.OVERFLOW)
            elif self.bc:
                self.year = 1 - self.year
        if self.found & _DOY:
            january = days_of(self.year, 1, 1)
            self.year, self.month, self.day = date_of(january + self.day_of_year - 1)
        if self.found & _MONTH and not 1 <= self.month <= 12:
            raise Fault(Reason.ORDER_OVERFLOW)
        if self.found & _DAY and not 1 <= self.day <= 31:
            raise Fault(Reason.ORDER_OVERFLOW)
        if self.found & _DATE == _DATE and self.day > days_in_month(self.year, self.month):
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

    def _check_clock(self) -> None:
        if (
            self.hour > 24
            or self.minute > 59
            or self.second > 60
            or self.us > US_PER_SECOND
            or self.clock() > US_PER_DAY
        ):
            raise Fault(Reason.OVERFLOW)

    def _check_zone_of_time(self) -> None:
        # Whether a named zone keeps summer time depends on the date.
        if (
            self.zone_named
            and self.zone
            and not is_fixed(self.zone)
            and self.found & _DATE != _DATE
        ):
            raise Fault


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
