"""Sets of characters: of one, of a range, of a class, in any case."""

from bisect import bisect_right
from collections.abc import Iterable
from functools import cache
from typing import Final

from kalam_pg.functions.regexes import class_tables
from kalam_pg.functions.strings import lower, upper

Range = tuple[int, int]
"""The first and the last code point."""

LAST: Final = 0x10FFFF


class CharacterSet:
    """Some characters. Equal sets are equal, however they were made."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[Range]) -> None:
        firsts: list[int] = []
        lasts: list[int] = []
        for first, last in sorted(ranges):
            if lasts and first <= lasts[-1] + 1:
                lasts[-1] = max(lasts[-1], last)
            else:
                firsts.append(first)
                lasts.append(last)
        self._firsts = tuple(firsts)
        self._lasts = tuple(lasts)

    def __contains__(self, character: str) -> bool:
        at = bisect_right(self._firsts, ord(character)) - 1
        return at >= 0 and ord(character) <= self._lasts[at]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, CharacterSet)
            and self._firsts == other._firsts
            and self._lasts == other._lasts
        )

    def __hash__(self) -> int:
        return hash((self._firsts, self._lasts))

    @property
    def ranges(self) -> tuple[Range, ...]:
        return tuple(zip(self._firsts, self._lasts, strict=True))

    @property
    def only(self) -> str | None:
        """The character that it has alone."""
        is_one = len(self._firsts) == 1 and self._firsts == self._lasts
        return chr(self._firsts[0]) if is_one else None

    def complement(self) -> "CharacterSet":
        """All others."""
        ends = [-1, *self._lasts]
        starts = [*self._firsts, LAST + 1]
        gaps = zip(ends, starts, strict=True)
        return CharacterSet([(a + 1, b - 1) for a, b in gaps if a + 1 < b])

    def without(self, character: str) -> "CharacterSet":
        """All of these but one."""
        return CharacterSet((*self.complement().ranges, (ord(character),) * 2)).complement()


ANY: Final = CharacterSet([(0, LAST)])


def union(sets: Iterable[CharacterSet]) -> CharacterSet:
    """What is in any of them."""
    return CharacterSet([one for of in sets for one in of.ranges])


def single(character: str, *, any_case: bool) -> CharacterSet:
    """A character, or (as PostgreSQL has it) its small letter and its capital."""
    letters = {lower(character), upper(character)} if any_case else {character}
    return CharacterSet([(ord(c), ord(c)) for c in letters])


@cache
def _cases() -> tuple[tuple[int, int], ...]:
    """Each letter that has another case, and the other one."""
    letters = [chr(at) for first, last in named("alpha").ranges for at in range(first, last + 1)]
    return tuple(
        [
            (ord(c), ord(other))
            for c in letters
            for convert in (lower, upper)
            if (other := convert(c)) != c
        ]
    )


def span(first: str, last: str, *, any_case: bool) -> CharacterSet:
    """All from one character to another."""
    low, high = ord(first), ord(last)
    others: list[Range] = []
    if any_case and high < 128:
        letters = [chr(at) for at in range(low, high + 1)]
        others = [(ord(o), ord(o)) for c in letters for o in (lower(c), upper(c))]
    elif any_case:
        others = [(other, other) for of, other in _cases() if low <= of <= high]
    return CharacterSet([(low, high), *others])


def _table(text: str) -> list[Range]:
    ranges: list[Range] = []
    at = 0
    for token in text.split():
        step, _, times = token.partition("*")
        gap, _, run = step.partition(".")
        for _ in range(int(times or 1)):
            first = at + int(gap)
            at = first + int(run or 1)
            ranges.append((first, at - 1))
    return ranges


_DIGITS = [(48, 57)]
_BLANKS = [(32, 32), (0x1680, 0x1680), (0x2000, 0x2006), (0x2008, 0x200A), (0x205F, 0x205F)]
_BLANKS.append((0x3000, 0x3000))

CLASSES: Final = (
    *("alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print"),
    *("punct", "space", "upper", "xdigit", "word"),
)


@cache
def named(name: str, *, any_case: bool = False) -> CharacterSet:
    """A class of `CLASSES`."""
    if any_case and name in {"lower", "upper"}:
        return named("alpha")
    ranges: list[Range]
    match name:
        case "alpha" | "upper" | "lower" | "graph":
            ranges = _table(getattr(class_tables, name.upper()))
        case "alnum":
            ranges = [*named("alpha").ranges, *_DIGITS]
        case "word":
            ranges = [*named("alnum").ranges, (95, 95)]
        case "punct":
            others = CharacterSet([*named("graph").complement().ranges, *named("alnum").ranges])
            return others.complement()
        case "print":
            ranges = [*named("graph").ranges, *_BLANKS]
        case "space":
            ranges = [(9, 13), (0x2028, 0x2029), *_BLANKS]
        case "digit":
            ranges = _DIGITS
        case "xdigit":
            ranges = [*_DIGITS, (65, 70), (97, 102)]
        case "blank":
            ranges = [(9, 9), (32, 32)]
        case "cntrl":
            ranges = [(0, 31), (127, 159)]
        case _:
            ranges = [(0, 127)]
    return CharacterSet(ranges)


COLLATING: Final[dict[str, str]] = {
    name: chr(code)
    for code, names in enumerate(
        (
            *("NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL alert", "BS backspace"),
            *("HT tab", "LF newline", "VT vertical-tab", "FF form-feed", "CR carriage-return"),
            *("SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM"),
            *("SUB", "ESC", "IS4 FS", "IS3 GS", "IS2 RS", "IS1 US", "space", "exclamation-mark"),
            *("quotation-mark", "number-sign", "dollar-sign", "percent-sign", "ampersand"),
            *("apostrophe", "left-parenthesis", "right-parenthesis", "asterisk", "plus-sign"),
            *("comma", "hyphen hyphen-minus", "period full-stop", "slash solidus", "zero", "one"),
            *("two", "three", "four", "five", "six", "seven", "eight", "nine", "colon"),
            *("semicolon", "less-than-sign", "equals-sign", "greater-than-sign", "question-mark"),
            "commercial-at",
            *[""] * 26,
            *("left-square-bracket", "backslash reverse-solidus", "right-square-bracket"),
            *("circumflex circumflex-accent", "underscore low-line", "grave-accent"),
            *[""] * 26,
            *("left-brace left-curly-bracket", "vertical-line", "right-brace right-curly-bracket"),
            *("tilde", "DEL"),
        )
    )
    for name in names.split()
}
"""Names of characters that [[.name.]] and [[=name=]] know."""
