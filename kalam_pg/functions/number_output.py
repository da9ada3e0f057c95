"""to_char of numbers, as PostgreSQL's NUM_processor writes them in the C locale.

There the point is a point, groups are parted by a comma and the currency symbol is a blank.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from catalog.types.registry import FLOAT4, FLOAT8, INT4, INT8, NUMERIC, TEXT
from kalam_pg.functions import decimals
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.integers import out_of_range
from kalam_pg.functions.number_pictures import Summary, summed_up
from kalam_pg.functions.pictures import Kind, Part, ordinal
from kalam_pg.functions.table import Overload

_ROMAN_WIDTH = 15
_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
    (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


@dataclass(slots=True)
class _Writer:
    """The walk over a picture. number: digits without a sign; at: the next of them.

    spaces: places before the first digit. last: place in `number` of the last digit (or point) that
    fill mode keeps; None when it keeps all. places: how many of the picture's digits were passed.
    """

    summary: Summary
    number: str
    sign: str
    spaces: int
    at: int = 0
    last: int | None = None
    signed: bool = False
    inside: bool = False
    places: int = 0
    count: int = 0
    out: list[str] | None = None

    def run(self, parts: tuple[Part, ...]) -> str:
        """The whole picture."""
        out = self.out = []
        for part in parts:
            if part.kind is not Kind.FIELD:
                out.append(part.text)
            elif part.text in ("9", "0", ".", "D"):
                self._digit(part.text)
            else:
                out.append(self._other(part))
        # Where the number has run out, C writes the zero that ends its text, and with it the result's.
        return "".join(out).partition("\0")[0]

    def prepare(self) -> None:
        """What is decided before the first field (NUM_processor's beginning)."""
        s = self.summary
        if s.plus or s.minus:
            self.signed = s.minus
        else:
            if self.sign != "-" and s.fill:
                s.bracket = False
            self.signed = self.sign == "+" and s.fill and not s.sign
            if s.sign == "before" and s.before == s.sign_place:
                s.sign = "after"
        self.count = s.after + s.before - 1
        if s.fill and s.point and "." in self.number:
            point = self.number.index(".")
            self.last = max(len(self.number.rstrip("0")) - 1, point)
            if s.zero_end > self.spaces:
                zero = min(len(self.number) - 1, s.zero_end - self.spaces)
                self.last = max(self.last, zero)
        if not self.signed and self.spaces == 0:
            self.count += 1

    def _before_point(self) -> bool:
        """Whether this is the zero of 0.1, which 9.9 does not write."""
        s = self.summary
        return not s.zero_start and self.at == 0 and self.number[:1] == "0" and s.after != 0

    def _ends_at_point(self) -> bool:
        return self.last is not None and self.number[self.last] == "."

    def _digit(self, name: str) -> None:
        s, out = self.summary, self.out
        assert out is not None
        if s.roman:
            return
        self.inside = False
        start = s.zero_start - 1 if s.zero_start else 0
        reached = self.places >= self.spaces or (s.zero_start and start == self.places)
        if not self.signed and reached and (not self._before_point() or self._ends_at_point()):
            self._write_sign()
        if self.places < self.spaces and (not s.zero_start or start > self.places):
            if not s.fill:
                out.append(" ")
        elif self.places < self.spaces:
            out.append("0")
            self.inside = True
        else:
            self._write_digit(name)
        end = self.count + (1 if self.spaces else 0) + (1 if s.point else 0)
        if self.last is not None and self.last == self.at:
            end = self.places
        if self.places + 1 == end:
            self._close()
        self.places += 1

    def _write_sign(self) -> None:
        s, out = self.summary, self.out
        assert out is not None
        if s.sign:
            if s.sign == "before":
                out.append("-" if self.sign == "-" else "+")
                self.signed = True
        elif s.bracket:
            out.append(" " if self.sign == "+" else "<")
            self.signed = True
        elif self.sign == "+":
            if not s.fill:
                out.append(" ")
            self.signed = True
        else:
            out.append("-")
            self.signed = True

    def _write_digit(self, name: str) -> None:
        s, out = self.summary, self.out
        assert out is not None
        here = self.number[self.at : self.at + 1]
        if here == ".":
            if not self._ends_at_point() or s.fill:
                out.append(".")
        elif self.last is not None and self.at > self.last and name != "0":
            pass
        elif self._before_point():
            if not s.fill:
                out.append(" ")
            elif self._ends_at_point():
                out.append("0")
        else:
            out.append(here or "\0")
            self.inside = True
        if here:
            self.at += 1

    def _close(self) -> None:
        s, out = self.summary, self.out
        assert out is not None
        if self.signed and s.bracket:
            out.append(" " if self.sign == "+" else ">")
        elif s.sign == "after":
            out.append("-" if self.sign == "-" else "+")

    def _other(self, part: Part) -> str:
        s = self.summary
        match part.text:
            case "," | "G":
                return "," if self.inside else "" if s.fill else " "
            case "L":
                return " "
            case "RN":
                text = self.number if part.written == "RN" else self.number.lower()
                return text if s.fill else text.rjust(_ROMAN_WIDTH)
            case "TH":
                if s.roman or self.number[:1] == "#" or self.sign == "-" or s.point:
                    return ""
                return ordinal(self.number, part.written)
            case "MI":
                return "-" if self.sign == "-" else "" if s.fill else " "
            case "PL":
                return "+" if self.sign == "+" else "" if s.fill else " "
            case "SG":
                return self.sign or "\0"
            case _:
                return ""


def _written(parts: tuple[Part, ...], summary: Summary, number: str) -> str:
    """A number's text, with a minus or without, in its picture."""
    sign = "-" if number.startswith("-") else "+"
    number = number.removeprefix("-")
    whole = len(number.partition(".")[0])
    spaces = max(summary.before - whole, 0)
    if whole > summary.before:
        number = "#" * summary.before + "." + "#" * summary.after
    writer = _Writer(summary, number, sign, spaces)
    writer.prepare()
    return writer.run(parts)


def _roman(parts: tuple[Part, ...], summary: Summary, value: int) -> str:
    only = Summary(roman=True, fill=summary.fill)
    text = ""
    if not 1 <= value <= 3999:
        text = "#" * _ROMAN_WIDTH
    else:
        for size, letters in _ROMAN:
            text += letters * (value // size)
            value %= size
    return _Writer(only, text, "", 0, signed=True).run(parts)


def _hashes(summary: Summary) -> str:
    """What stands for NaN and infinity in scientific notation."""
    text = "#" * (summary.before + summary.after + 6)
    return " " + text[1 : summary.before + 1] + "." + text[summary.before + 2 :]


def _scientific_decimal(text: str, summary: Summary) -> str:
    number = Decimal(text)
    if not number.is_finite():
        return _hashes(summary)
    # numeric_out_sci: the first digit, so many after it, and an exponent of two digits or more.
    exponent = number.adjusted() if number else 0
    scaled = decimals.EXACT.scaleb(number, -exponent)
    rounded = scaled.quantize(Decimal(1).scaleb(-summary.after), ROUND_HALF_UP, decimals.EXACT)
    shown = f"{rounded:f}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    return shown if shown.startswith("-") else " " + shown


def _scientific_float(value: float, summary: Summary) -> str:
    if not math.isfinite(value):
        return _hashes(summary)
    shown = f"{value:.{summary.after}e}"
    return shown if shown.startswith("-") else " " + shown


def _char(
    plain: Callable[[Datum, Summary], str],
    scientific: Callable[[Datum, Summary], str],
    to_integer: Callable[[Datum], int],
) -> Callable[[Datum, str], str]:
    """to_char of one type.

    plain: the number's text with the digits that the summary has after the point, shifted.
    """

    def run(value: Datum, picture: str) -> str:
        if not picture:
            return ""
        parts, kept = summed_up(picture)
        summary = replace(kept)
        if summary.roman:
            return _roman(parts, summary, to_integer(value))
        if summary.scientific:
            return scientific(value, summary)
        if summary.multi:
            summary.before += summary.shift
        return _written(parts, summary, plain(value, summary))

    return run


def _decimal(text: str, summary: Summary) -> str:
    if summary.multi:
        text = decimals.multiply(text, "1" + "0" * summary.shift)
    return decimals.round_text(text, summary.after)


def _integer(low: int, high: int) -> Callable[[int, Summary], str]:
    def run(value: int, summary: Summary) -> str:
        if summary.multi:
            value *= 10**summary.shift
            if not low <= value <= high:
                raise out_of_range(INT4 if high < 2**32 else INT8)
        return str(value) + ("." + "0" * summary.after if summary.after else "")

    return run


def _float(digits: int) -> Callable[[float, Summary], str]:
    def run(value: float, summary: Summary) -> str:
        if summary.multi:
            value *= 10.0**summary.shift
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        whole = len(f"{abs(value):.0f}")
        if whole >= digits:
            summary.after = 0
        elif whole + summary.after > digits:
            summary.after = digits - whole
        return f"{value:.{summary.after}f}"

    return run


def _whole_numeric(text: str) -> int:
    return decimals.to_integer(text, -(2**31), 2**31 - 1, "integer")


def _whole_float(value: float) -> int:
    return int(Decimal(value).to_integral_value(ROUND_HALF_EVEN)) if math.isfinite(value) else 0


OVERLOADS: tuple[Overload, ...] = (
    function(
        "to_char", (INT4, TEXT), TEXT,
        _char(_integer(-(2**31), 2**31 - 1), lambda v, s: _scientific_float(float(v), s), int),
    ),
    function(
        "to_char", (INT8, TEXT), TEXT,
        _char(
            _integer(-(2**63), 2**63 - 1),
            lambda v, s: _scientific_decimal(str(v), s),
            lambda v: _whole_numeric(str(v)),
        ),
    ),
    function("to_char", (NUMERIC, TEXT), TEXT, _char(_decimal, _scientific_decimal, _whole_numeric)),
    function("to_char", (FLOAT4, TEXT), TEXT, _char(_float(6), _scientific_float, _whole_float)),
    function("to_char", (FLOAT8, TEXT), TEXT, _char(_float(15), _scientific_float, _whole_float)),
)  # fmt: skip
