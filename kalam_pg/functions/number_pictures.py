"""A picture of a number, checked and summed up, as PostgreSQL's NUMDesc_prepare does it."""

from dataclasses import dataclass
from typing import NoReturn

from catalog.errors import SqlSyntaxError
from catalog.memo import kept
from kalam_pg.functions.pictures import Kind, Part, number_picture


@dataclass(slots=True)
class Summary:
    """What the fields of a picture say together.

    before, after: digits around the point. shift: digits behind V. zero_start, zero_end: the places
    of the first (from 1; 0 for none) and the last 0. sign: "" or "before" or "after" for S.
    sign_place: digits before it. blank, fill, plus, minus, bracket, roman, multi, scientific,
    point: whether B, FM, PL, MI, PR, RN, V, EEEE and a decimal point are there (SG is PL and MI).
    """

    before: int = 0
    after: int = 0
    shift: int = 0
    zero_start: int = 0
    zero_end: int = 0
    sign: str = ""
    sign_place: int = 0
    blank: bool = False
    fill: bool = False
    plus: bool = False
    minus: bool = False
    bracket: bool = False
    roman: bool = False
    multi: bool = False
    scientific: bool = False
    point: bool = False


def _refuse(message: str, detail: str = "") -> NoReturn:
    raise SqlSyntaxError(message, detail=detail)


@kept(256, 1000)
def summed_up(picture: str) -> tuple[tuple[Part, ...], Summary]:
    """The parts of a picture and their summary, which callers do not change.

    Raises:
        SqlSyntaxError: 42601, fields that do not go together.
    """
    parts = number_picture(picture)
    found = Summary()
    for part in parts:
        if part.kind is Kind.FIELD:
            _add(found, part.text)
    return parts, found


def _add(found: Summary, name: str) -> None:
    if found.scientific and name != "EEEE":
        _refuse('"EEEE" must be the last pattern used')
    match name:
        case "9" | "0":
            _add_digit(found, name)
        case "B":
            if not found.before and not found.after and not found.zero_start:
                found.blank = True
        case "D" | ".":
            if found.point:
                _refuse("multiple decimal points")
            if found.multi:
                _refuse('cannot use "V" and decimal point together')
            found.point = True
        case "FM":
            found.fill = True
        case "S" | "MI" | "PL" | "SG" | "PR":
            _add_sign(found, name)
        case "RN":
            found.roman = True
        case "V":
            if found.point:
                _refuse('cannot use "V" and decimal point together')
            found.multi = True
        case "EEEE":
            _add_exponent(found)
        case _:
            pass


def _add_digit(found: Summary, name: str) -> None:
    if found.bracket:
        _refuse(f'"{name}" must be ahead of "PR"')
    if name == "9" and found.multi:
        found.shift += 1
        return
    if name == "0" and not found.zero_start and not found.point:
        found.zero_start = found.before + 1
    if found.point:
        found.after += 1
    else:
        found.before += 1
    if name == "0":
        found.zero_end = found.before + found.after


def _add_sign(found: Summary, name: str) -> None:
    if name == "S":
        if found.sign:
            _refuse('cannot use "S" twice')
        if found.plus or found.minus or found.bracket:
            _refuse('cannot use "S" and "PL"/"MI"/"SG"/"PR" together')
        found.sign = "after" if found.point else "before"
        if not found.point:
            found.sign_place = found.before
    elif name == "PR":
        if found.sign or found.plus or found.minus:
            _refuse('cannot use "PR" and "S"/"PL"/"MI"/"SG" together')
        found.bracket = True
    else:
        if found.sign:
            _refuse(f'cannot use "S" and "{name}" together')
        found.minus |= name in ("MI", "SG")
        found.plus |= name in ("PL", "SG")


def _add_exponent(found: Summary) -> None:
    if found.scientific:
        _refuse('cannot use "EEEE" twice')
    others = (
        found.blank, found.fill, found.sign, found.bracket, found.minus, found.plus, found.roman,
        found.multi,
    )  # fmt: skip
    if any(others):
        _refuse(
            '"EEEE" is incompatible with other formats',
            '"EEEE" may only be used together with digit and decimal point patterns.',
        )
    found.scientific = True
