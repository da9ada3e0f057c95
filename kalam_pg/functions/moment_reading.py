"""Text read by a picture, field by field, as PostgreSQL's DCH_from_char reads it.

Outside of FX a blank or separator of the picture stands for one, or none, of the text; blanks before
fields are skipped; a number takes as many digits as its field has, or all there are when what comes
next in the picture cannot be a digit.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from catalog.errors import (
    DatetimeFieldOverflowError,
    FeatureNotSupportedError,
    InvalidDatetimeFormatError,
)
from kalam_pg.functions.moment_output import DAYS, MONTHS, ROMAN
from kalam_pg.functions.pictures import Kind, Part, is_separator, moment_picture

_BLANKS = " \t\n\v\f\r"
_INTEGER = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+")
_COMMA_YEAR = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+),[ \t\n\v\f\r]*([+-]?[0-9]{1,3})")
_DIGITS_MAX = 20
"""More than any number in range has."""

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1


def _whole(text: str) -> int:
    """The number that is written; of one with very many digits, some number that is too large as well."""
    digits = text.strip(_BLANKS)
    value = int(digits.lstrip("+-0")[:_DIGITS_MAX] or "0")
    return -value if digits.startswith("-") else value


@dataclass(slots=True)
class Read:
    """What the text said, field by field; 0 is "nothing said", as PostgreSQL has it.

    numbers: by field. iso: whether dates are ISO weeks' (True), the calendar's (False), or open.
    zone_sign: of an offset, 0 without one. short_year: digits of the year's field. digits: that the
    last FFn asks of the second's fraction.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    iso: bool | None = None
    twelve: bool = False
    zone_sign: int = 0
    short_year: int = 0
    digits: int = 6

    def __getitem__(self, name: str) -> int:
        return self.numbers.get(name, 0)

    def put(self, name: str, value: int, written: str) -> None:
        """Keep a field's value; 22007 when it had another one."""
        if self[name] not in (0, value):
            raise InvalidDatetimeFormatError(
                f'conflicting values for "{written}" field in formatting string',
                detail="This value contradicts a previous setting for the same field type.",
            )
        self.numbers[name] = value


def _bad(value: str, part: Part, detail: str, hint: str = "") -> InvalidDatetimeFormatError:
    message = f'invalid value "{value}" for "{part.written}"'
    return InvalidDatetimeFormatError(message, detail=detail, hint=hint)


_FIXED_WIDTH = 'If your source string is not fixed-width, try using the "FM" modifier.'
_NOT_DIGITS = frozenset(
    """
    A.D. A.M. AD AM B.C. BC DAY DY FX MONTH MON OF P.M. PM RM TZH TZ
    """.split()  # noqa: SIM905 - one line reads better
)


class _Reader:
    """One text and the place in it."""

    def __init__(self, text: str, picture: tuple[Part, ...], *, standard: bool = False) -> None:
        self.text = text
        self.at = 0
        self.picture = picture
        self.found = Read()
        self.standard = standard
        self.exact = standard
        self.skipped = 0
        """Blanks and separators passed over beyond those that the picture has."""

    def run(self) -> Read:
        """Read what the picture asks for, until the text ends."""
        for index, part in enumerate(self.picture):
            if self.at >= len(self.text):
                if self.standard:
                    raise InvalidDatetimeFormatError(
                        "input string is too short for datetime format"
                    )
                break
            is_field = part.kind is Kind.FIELD
            if not self.exact and part.text != "FX" and (is_field or index == 0):
                self._skip_blanks()
            if is_field:
                self._mode(part)
                _READERS[part.text](self, part, index)
                if not self.exact:
                    self.skipped = 0
                    self._skip_blanks()
            elif self.standard:
                self._same(part)
            elif part.kind is Kind.TEXT:
                # A character of the picture stands for one of the text, whichever it is.
                if not self.exact and self.skipped > 0:
                    self.skipped -= 1
                else:
                    self.at += 1
            elif self.exact:
                self.at += 1
            else:
                self.skipped -= 1
                here = self.text[self.at : self.at + 1]
                if here and (here in _BLANKS or is_separator(here)):
                    self.at += 1
                    self.skipped += 1
        if self.standard and self.text[self.at :].strip(_BLANKS):
            raise InvalidDatetimeFormatError(
                "trailing characters remain in input string after datetime format"
            )
        return self.found

    def _same(self, part: Part) -> None:
        """SQL's standard wants the characters of the picture in the text as they are."""
        if self.text[self.at] != part.text:
            what = "character" if part.kind is Kind.TEXT else "separator"
            raise InvalidDatetimeFormatError(f'unmatched format {what} "{part.text}"')
        self.at += 1

    def _skip_blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _BLANKS:
            self.at += 1
            self.skipped += 1

    def _mode(self, part: Part) -> None:
        iso = _IS_ISO.get(part.text)
        if iso is None:
            return
        if self.found.iso not in (None, iso):
            raise InvalidDatetimeFormatError(
                "invalid combination of date conventions",
                hint="Do not mix Gregorian and ISO week date conventions in a formatting template.",
            )
        self.found.iso = iso

    def _open_ended(self, index: int) -> bool:
        """Whether a number may take all digits there are: what follows it cannot be one."""
        part = self.picture[index]
        if part.fill or part.ordinal:
            return True
        if index + 1 == len(self.picture):
            return True
        after = self.picture[index + 1]
        if after.kind is Kind.FIELD:
            return after.text in _NOT_DIGITS
        return not ("0" <= after.text <= "9")

    def integer(self, part: Part, index: int, length: int) -> tuple[int, int]:
        """A number and how many characters it took. Raises 22007, 22008."""
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in _BLANKS:
            self.at += 1
        copy = self.text[self.at : self.at + length]
        if self._open_ended(index):
            match = _INTEGER.match(self.text, start)
            self.at = match.end() if match else start
            result = _whole(match[0]) if match else 0
        else:
            if len(copy) < length:
                raise InvalidDatetimeFormatError(
                    f'source string too short for "{part.written}" formatting field',
                    detail=f"Field requires {length} characters, but only {len(copy)} remain.",
                    hint=_FIXED_WIDTH,
                )
            match = _INTEGER.match(copy)
            used = match.end() if match else 0
            if 0 < used < length:
                detail = f"Field requires {length} characters, but only {used} could be parsed."
                raise _bad(copy, part, detail, _FIXED_WIDTH)
            result = _whole(match[0]) if match else 0
            self.at += used
        if self.at == start:
            raise _bad(copy, part, "Value must be an integer.")
        if not _INT_MIN <= result <= _INT_MAX:
            raise DatetimeFieldOverflowError(
                f'value for "{part.written}" in source string is out of range',
                detail=f"Value must be in the range {_INT_MIN} to {_INT_MAX}.",
            )
        return result, self.at - start

    def number(self, name: str, part: Part, index: int, length: int = 0) -> int:
        """Read a number into a field; returns how many characters it took."""
        value, used = self.integer(part, index, length or len(part.text))
        self.found.put(name, value, part.written)
        self.skip_ordinal(part)
        return used

    def skip_ordinal(self, part: Part) -> None:
        """TH behind a field stands for two characters."""
        if part.ordinal:
            self.at = min(self.at + 2, len(self.text))

    def word(self, part: Part, words: tuple[str, ...]) -> int:
        """Which of the words the text goes on with. Raises 22007."""
        rest = self.text[self.at :].lower()
        for place, word in enumerate(words):
            if rest.startswith(word.lower()):
                self.at += len(word)
                return place
        shown = re.split(r"[ \t\n\r\f]", self.text[self.at :], maxsplit=1)[0]
        raise _bad(
            shown, part, "The given value did not match any of the allowed values for this field."
        )


_Field = Callable[[_Reader, Part, int], object]


def _plain(name: str, length: int = 0) -> _Field:
    return lambda reader, part, index: reader.number(name, part, index, length)


def _half(reader: _Reader, part: Part, _index: int) -> None:
    words = ("A.M.", "P.M.") if "." in part.text else ("AM", "PM")
    reader.found.put("pm", reader.word(part, words), part.written)
    reader.found.twelve = True


def _hour12(reader: _Reader, part: Part, index: int) -> None:
    reader.number("hh", part, index, 2)
    reader.found.twelve = True


def _era(reader: _Reader, part: Part, _index: int) -> None:
    words = ("A.D.", "B.C.") if "." in part.text else ("AD", "BC")
    reader.found.put("bc", reader.word(part, words), part.written)


def _fraction(name: str, digits: int) -> _Field:
    """25 is a quarter of a second, and so is 250."""

    def run(reader: _Reader, part: Part, index: int) -> None:
        value, used = reader.integer(part, index, digits)
        reader.found.put(name, value, part.written)
        whole = 3 if name == "ms" else 6
        reader.found.numbers[name] *= 10 ** max(whole - used, 0)
        if part.text.startswith("FF"):
            reader.found.digits = digits
        reader.skip_ordinal(part)

    return run


def _only_output(_reader: _Reader, part: Part, _index: int) -> None:
    raise FeatureNotSupportedError(
        f'formatting field "{part.written}" is only supported in to_char'
    )


def _zone_hours(reader: _Reader, part: Part, index: int) -> None:
    here = reader.text[reader.at : reader.at + 1]
    if here in ("+", "-", " "):
        reader.found.zone_sign = -1 if here == "-" else 1
        reader.at += 1
    else:
        # The minus may have been passed over as a separator.
        minus = reader.skipped > 0 and reader.text[reader.at - 1 : reader.at] == "-"
        reader.found.zone_sign = -1 if minus else 1
    value, _ = reader.integer(part, index, 2)
    reader.found.put("tzh", value, part.written)


def _zone_minutes(reader: _Reader, part: Part, index: int) -> None:
    reader.found.zone_sign = reader.found.zone_sign or 1
    value, _ = reader.integer(part, index, 2)
    reader.found.put("tzm", value, part.written)


def _month_name(cut: int | None) -> _Field:
    words = tuple([name[:cut] for name in MONTHS])
    return lambda r, p, _i: r.found.put("mm", r.word(p, words) + 1, p.written)


def _day_name(cut: int | None) -> _Field:
    words = tuple([name[:cut] for name in DAYS])

    def run(reader: _Reader, part: Part, _index: int) -> None:
        reader.found.put("d", reader.word(part, words), part.written)
        reader.found.numbers["d"] += 1

    return run


def _iso_weekday(reader: _Reader, part: Part, index: int) -> None:
    reader.number("d", part, index, 1)
    # Counted as the calendar's are, from Sunday = 1.
    day = reader.found["d"] + 1
    reader.found.numbers["d"] = 1 if day > 7 else day


def _quarter(reader: _Reader, part: Part, index: int) -> None:
    reader.integer(part, index, 1)  # read, and no date follows from it
    reader.skip_ordinal(part)


def _comma_year(reader: _Reader, part: Part, _index: int) -> None:
    match = _COMMA_YEAR.match(reader.text, reader.at)
    if match is None:
        raise InvalidDatetimeFormatError('invalid input string for "Y,YYY"')
    reader.found.put("year", _whole(match[1]) * 1000 + int(match[2]), part.written)
    reader.found.short_year = 4
    reader.at = match.end()
    reader.skip_ordinal(part)


def _year(digits: int) -> _Field:
    def run(reader: _Reader, part: Part, index: int) -> None:
        value, used = reader.integer(part, index, digits)
        reader.found.put("year", value, part.written)
        if digits < 4 and used < 4:
            reader.found.numbers["year"] = _near_2020(value)
        reader.found.short_year = digits
        reader.skip_ordinal(part)

    return run


def _near_2020(year: int) -> int:
    for below, more in ((70, 2000), (100, 1900), (520, 2000), (1000, 1000)):
        if year < below:
            return year + more
    return year


def _roman(reader: _Reader, part: Part, _index: int) -> None:
    # Longer ones first, so that XII is not read as X.
    place = reader.word(part, ROMAN[::-1])
    reader.found.put("mm", 12 - place, part.written)


def _exact(reader: _Reader, _part: Part, _index: int) -> None:
    reader.exact = True


_READERS: dict[str, _Field] = {
    **dict.fromkeys(("A.M.", "P.M.", "AM", "PM"), _half),
    **dict.fromkeys(("A.D.", "B.C.", "AD", "BC"), _era),
    **dict.fromkeys(("HH", "HH12"), _hour12),
    "HH24": _plain("hh", 2),
    "MI": _plain("mi"),
    "SS": _plain("ss"),
    "MS": _fraction("ms", 3),
    "US": _fraction("us", 6),
    **{f"FF{digits}": _fraction("us", digits) for digits in range(1, 7)},
    **dict.fromkeys(("SSSS", "SSSSS"), _plain("ssss")),
    **dict.fromkeys(("TZ", "OF"), _only_output),
    "TZH": _zone_hours,
    "TZM": _zone_minutes,
    "MONTH": _month_name(None),
    "MON": _month_name(3),
    "MM": _plain("mm"),
    "DAY": _day_name(None),
    "DY": _day_name(3),
    "DDD": _plain("ddd"),
    "IDDD": _plain("ddd", 3),
    "DD": _plain("dd"),
    "D": _plain("d"),
    "ID": _iso_weekday,
    **dict.fromkeys(("WW", "IW"), _plain("ww")),
    "W": _plain("w"),
    "Q": _quarter,
    "CC": _plain("cc"),
    "Y,YYY": _comma_year,
    **{"Y" * n: _year(n) for n in range(1, 5)},
    **{"I" + "Y" * n: _year(n + 1) for n in range(4)},
    "RM": _roman,
    "J": _plain("j"),
    "FX": _exact,
}
_IS_ISO = {
    **dict.fromkeys(
        [
            "DDD",
            "DD",
            "D",
            "MM",
            "MONTH",
            "MON",
            "RM",
            "WW",
            "W",
            "Y,YYY",
            "YYYY",
            "YYY",
            "YY",
            "Y",
        ],
        False,
    ),
    **dict.fromkeys(["IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I"], True),
}


def read(text: str, picture: str, *, standard: bool = False) -> Read:
    """What a text says where a picture has fields. standard: as strictly as SQL's standard wants it.

    Raises:
        InvalidDatetimeFormatError: 22007, it does not fit.
        DatetimeFieldOverflowError: 22008, a number is no integer.
        FeatureNotSupportedError: 0A000, a field is for output only.
    """
    return _Reader(text, moment_picture(picture), standard=standard).run()
