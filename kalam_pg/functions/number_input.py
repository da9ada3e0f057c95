"""to_number: text read by a picture, as PostgreSQL's NUM_processor does it in the C locale."""

from dataclasses import dataclass
from decimal import Decimal

from catalog.errors import FeatureNotSupportedError, NumericValueOutOfRangeError
from catalog.types.registry import NUMERIC, TEXT, numeric_typmod
from catalog.types.table import DEFAULT_CONTEXT
from kalam_pg.functions import decimals
from kalam_pg.functions.define import function
from kalam_pg.functions.number_pictures import Summary, summed_up
from kalam_pg.functions.pictures import Kind, Part
from kalam_pg.functions.table import Overload

_DATA = "0123456789.,+-"


def _is_digit(character: str) -> bool:
    return character != "" and character in "0123456789"


@dataclass(slots=True)
class _Reader:
    """The walk over a picture. sign: " " until one is found. digits: what was read, a point too."""

    summary: Summary
    text: str
    at: int = 0
    sign: str = " "
    digits: str = ""
    before: int = 0
    after: int = 0
    point: bool = False

    def run(self, parts: tuple[Part, ...]) -> str:
        """The number's text."""
        for part in parts:
            if self.at >= len(self.text):
                break
            if part.kind is not Kind.FIELD:
                self.at += 1  # a character for a character, whichever it is
            else:
                self._field(part.text)
        return self.sign + self.digits.removesuffix(".")

    def _field(self, name: str) -> None:
        here = self.text[self.at]
        match name:
            case "9" | "0" | "." | "D":
                self._digit(name)
                self.at += 1
            case "," | "G":
                if here == "," and not self.summary.fill:
                    self.at += 1
            case "L":
                self._pass(1)
            case "TH":
                if not (self.summary.roman or self.summary.point):
                    self._pass(2)
            case "MI" | "PL" | "SG":
                wanted = {"MI": "-", "PL": "+", "SG": "+-"}[name]
                if here in wanted:
                    self.sign = here
                    self.at += 1
                else:
                    self._pass(1)
            case _:
                pass

    def _pass(self, count: int) -> None:
        """Pass over characters that are no part of a number."""
        for _ in range(count):
            if self.at >= len(self.text) or self.text[self.at] in _DATA:
                return
            self.at += 1

    def _digit(self, name: str) -> None:
        s, text = self.summary, self.text
        if text[self.at : self.at + 1] == " ":
            self.at += 1
        here = text[self.at : self.at + 1]
        if not here:
            return
        if self.sign == " " and name in "09" and not self.before + self.after:
            if s.sign == "before":
                if here in "+-":
                    self.sign = here
                    self.at += 1
            elif here == "-" or (s.bracket and here == "<"):
                self.sign = "-"
                self.at += 1
            elif here == "+":
                self.sign = here
                self.at += 1
        here = text[self.at : self.at + 1]
        if not here:
            return
        read = False
        if _is_digit(here):
            if self.point and self.after == s.after:
                return
            self.digits += here
            self.after += self.point
            self.before += not self.point
            read = True
        elif s.point and not self.point and here == ".":
            self.digits += here
            self.point = True
            read = True
        if self.sign == " " and self.before + self.after > 0:
            self._sign_behind(read=read)

    def _sign_behind(self, *, read: bool) -> None:
        s = self.summary
        after = self.text[self.at + 1 : self.at + 2]
        if s.sign and read and after and not _is_digit(after):
            if after in "+-":
                self.sign = after
                self.at += 1
        elif not read and (s.plus or s.minus):
            here = self.text[self.at : self.at + 1]
            if here and here in "+-":
                self.sign = here


def _to_number(text: str, picture: str) -> str | None:
    if not picture:
        return None
    parts, summary = summed_up(picture)
    if summary.scientific:
        raise FeatureNotSupportedError('"EEEE" not supported for input')
    if summary.roman:
        raise FeatureNotSupportedError('"RN" not supported for input')
    reader = _Reader(summary, text)
    number = reader.run(parts)
    scale = reader.after
    precision = summary.before + summary.shift + scale
    typmod = numeric_typmod(min(max(precision, 1), 1000), scale)
    value = NUMERIC.input(number, typmod, DEFAULT_CONTEXT)
    if not precision and Decimal(str(value)):
        raise NumericValueOutOfRangeError("numeric field overflow")
    assert isinstance(value, str)
    if summary.multi:
        # 10 ^ -n as numeric's power gives it, with 16 digits behind the point.
        shift = f"{Decimal(1).scaleb(-summary.shift):.{max(16, summary.shift)}f}"
        return decimals.multiply(value, shift)
    return value


OVERLOADS: tuple[Overload, ...] = (function("to_number", (TEXT, TEXT), NUMERIC, _to_number),)
