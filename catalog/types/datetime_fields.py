"""The fields of a date or time text, one after the other: dates, clocks, zones, labels and words.

Source: the field loops of PostgreSQL's DecodeDateTime and DecodeTimeOnly.
"""

from catalog.errors import InvalidParameterValueError
from catalog.types.calendar import US_PER_DAY, US_PER_SECOND, clock_of, date_of
from catalog.types.datetime_lex import (
    MONTHS,
    TOKEN_MAX,
    WORDS,
    Fault,
    Lexeme,
    fraction_of,
    leading_int,
)
from catalog.types.datetime_numbers import (
    DATE,
    DAY,
    DAYLIGHT,
    ERA,
    FRACTION,
    HALF,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    SPECIAL,
    TIME,
    WEEKDAY,
    YEAR,
    ZONE,
    Numbers,
    parse_displacement,
)
from catalog.types.zones import find_abbreviation, find_zone, fixed_zone, utc_offset


class Fields(Numbers):
    """Reads fields into parts; each method returns the parts that its field gave, as bits."""

    def field(self, kind: Lexeme, field: str, fields: list[tuple[Lexeme, str]], i: int) -> int:
        match kind:
            case Lexeme.DATE:
                return self._date_field(field, fields, i)
            case Lexeme.TIME:
                if self.label not in {"", "time"}:
                    raise Fault
                self.label = ""
                self.read_clock(field)
                if not self.time_only:
                    self.check_clock()
                return TIME
            case Lexeme.SIGNED:
                self.zone = fixed_zone(parse_displacement(field))
                return ZONE
            case Lexeme.NUMBER:
                if self.label:
                    return self._labelled(field)
                return (
                    self._number_in_time(field, fields, i)
                    if self.time_only
                    else (self._number_in_date(field))
                )
            case _:
                return self._word(field, fields, i)

    def _date_field(self, field: str, fields: list[tuple[Lexeme, str]], i: int) -> int:
        if self.label == "julian" and not self.time_only:
            value, rest = leading_int(field)
            self.julian(value)
            self.zone = fixed_zone(parse_displacement(rest))
            self.label = ""
            return DATE | TIME | ZONE
        if self.time_only:
            is_date = (
                i == 0
                and len(fields) >= 2
                and (fields[-1][0] is Lexeme.DATE or fields[1][0] is Lexeme.TIME)
            )
        else:
            is_date = not self.label and self.found & (MONTH | DAY) != MONTH | DAY
        if is_date:
            return self.whole_date(field)
        if field[0].isdigit() or (self.label and not self.time_only):
            return self._clock_with_zone(field)
        self._name_zone(field)
        return ZONE

    def _clock_with_zone(self, field: str) -> int:
        """Read hhmmss-zz, a time run together with its zone."""
        if self.label not in {"", "time"}:
            raise Fault
        self.label = ""
        clock, dash, zone = field.partition("-")
        if self.found & TIME == TIME or not dash:
            raise Fault
        self.zone = fixed_zone(parse_displacement(dash + zone))
        extra = DATE if self.time_only else 0
        return self.run_together(clock, self.found | extra) | ZONE

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
            parts = self.run_together(field, self.found | DATE)
            if parts != TIME:
                raise Fault
            return parts
        if label == "julian":
            self.julian(value)
            if not rest:
                return DATE
            us = round(fraction_of(rest) * US_PER_DAY)
            self.hour, self.minute, self.second, self.us = clock_of(us)
            return DATE | TIME
        return self._labelled_part(label, value, rest)

    def _labelled_part(self, label: str, value: int, rest: str) -> int:
        """Read the number behind a letter: y2024 m1 d15 h10 mm30 s15.5."""
        if label == "m" and self.found & MONTH and self.found & HOUR:
            label = "mm"
        match label:
            case "y":
                self.year = value
                return YEAR
            case "m":
                self.month = value
                return MONTH
            case "d":
                self.day = value
                return DAY
            case "h":
                self.hour = value
                return HOUR
            case "mm":
                self.minute = value
                return MINUTE
            case "s":
                self.second = value
                if not rest:
                    return SECOND
                self.us = round(fraction_of(rest) * US_PER_SECOND)
                return SECOND | FRACTION
            case _:
                raise Fault

    def _number_in_date(self, field: str) -> int:
        whole, point, _ = field.partition(".")
        if point and not self.found & DATE:
            return self.whole_date(field)
        if point and len(whole) > 2:
            return self.run_together(field, self.found)
        if len(field) >= 6 and (not self.found & DATE or self.found & TIME != TIME):
            return self.run_together(field, self.found)
        return self.number(field, self.found)

    def _number_in_time(self, field: str, fields: list[tuple[Lexeme, str]], i: int) -> int:
        whole, point, _ = field.partition(".")
        if point:
            if i == 0 and len(fields) >= 2 and fields[-1][0] is Lexeme.DATE:
                return self.whole_date(field)
            if len(whole) <= 2:
                raise Fault
            return self.run_together(field, self.found | DATE)
        if len(field) > 4:
            return self.run_together(field, self.found | DATE)
        return self.number(field, self.found | DATE)

    def _word(self, word: str, fields: list[tuple[Lexeme, str]], i: int) -> int:
        abbreviation = find_abbreviation(word[:TOKEN_MAX])
        if abbreviation is not None:
            self.zone = abbreviation[0]
            return ZONE
        match WORDS.get(word[:TOKEN_MAX]):
            case "ignored":
                return 0
            case "reserved":
                return self._reserved(word)
            case "month" if not self.time_only:
                return self._month(MONTHS[word])
            case "weekday" if not self.time_only:
                return WEEKDAY
            case "half":
                self.half = word
                return HALF
            case "era":
                self.bc = word == "bc"
                return ERA
            case "daylight":
                self.daylight = 3600
                return DAYLIGHT
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
                return ZONE
            case _:
                raise Fault

    def _expect_time(self, fields: list[tuple[Lexeme, str]], i: int) -> None:
        if not self.time_only and self.found & DATE != DATE:
            raise Fault
        following = fields[i + 1][0] if i + 1 < len(fields) else None
        if following not in {Lexeme.NUMBER, Lexeme.TIME, Lexeme.DATE}:
            raise Fault
        self.label = "time"

    def _month(self, month: int) -> int:
        parts = MONTH
        if (
            self.found & MONTH
            and not self.text_month
            and not self.found & DAY
            and 1 <= self.month <= 31
        ):
            # The number taken for a month was the day: `15 Jan 2024`.
            self.day = self.month
            parts = DAY
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
            return TIME | ZONE
        if self.time_only:
            if word != "now":
                raise Fault
            self.hour, self.minute, self.second, self.us = clock_of(us)
            return TIME
        if word == "now":
            self.year, self.month, self.day = date_of(days)
            self.hour, self.minute, self.second, self.us = clock_of(us)
            self.zone = fixed_zone(utc_offset(zone, self.context.now_us))
            return DATE | TIME | ZONE
        if word in {"epoch", "infinity", "-infinity"}:
            self.special = word
            return SPECIAL
        days += {"yesterday": -1, "today": 0, "tomorrow": 1}[word]
        self.year, self.month, self.day = date_of(days)
        return DATE
