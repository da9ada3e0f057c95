"""Format pictures, the second argument of to_char, to_date, to_timestamp and to_number, taken apart.

PostgreSQL's rules (its manual, 9.8): the longest field name that fits, case and all; FM, TM and FX
before a field, TH and SP behind it; "quoted" text; every other character for itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from catalog.errors import InvalidTextRepresentationError
from catalog.memo import kept


class Kind(Enum):
    """What a part of a picture is."""

    FIELD = "field"
    SPACE = "space"
    SEPARATOR = "separator"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Part:
    """One field or one other character of a picture.

    text: a field's name in upper case, or the character. written: the name as it was written.
    fill: FM before it. ordinal: "", "TH" or "th" behind it.
    """

    kind: Kind
    text: str
    written: str = ""
    fill: bool = False
    ordinal: str = ""


_MOMENT_WORDS = "A.D. A.M. AD AM B.C. BC DAY Day DY Dy MONTH Month MON Mon P.M. PM RM"
_MOMENT_NUMBERS = """
    CC DDD DD D FF1 FF2 FF3 FF4 FF5 FF6 FX HH24 HH12 HH IDDD ID IW IYYY IYY IY I J MI MM MS OF Q
    SSSSS SSSS SS TZH TZM TZ US WW W Y,YYY YYYY YYY YY Y
"""
_NUMBER_FIELDS = ", . 0 9 B C D EEEE FM G L MI PL PR RN SG SP S TH V"


def _alternatives(names: Iterable[str]) -> str:
    longest_first = sorted(names, key=len, reverse=True)
    return "|".join([re.escape(name) for name in longest_first])


def _both_cases(text: str) -> set[str]:
    names = set(text.split())
    return names | {name.lower() for name in names}


_MOMENT_PART = re.compile(
    r"(?P<prefix>FM|fm|TM|tm)?(?:"
    rf"(?P<field>{_alternatives(_both_cases(_MOMENT_WORDS + _MOMENT_NUMBERS))})(?P<suffix>TH|th|SP)?"
    r'|"(?P<quoted>(?:[^"\\]|\\.|\\$)*)"?|\\(?P<quote>")|(?P<other>.)|$)',
    re.DOTALL,
)
_NUMBER_PART = re.compile(
    rf"(?P<field>{_alternatives(_both_cases(_NUMBER_FIELDS))})"
    r'|"(?P<quoted>(?:[^"\\]|\\.|\\$)*)"?|\\(?P<quote>")|(?P<other>.)',
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BLANKS = " \t\n\v\f\r"


def is_separator(character: str) -> bool:
    """A printable ASCII character that is neither letter nor digit."""
    return "!" <= character <= "~" and not character.isalnum()


@kept(256, 1000)
def moment_picture(picture: str) -> tuple[Part, ...]:
    """A picture of dates and times."""
    return tuple(_parts(_MOMENT_PART, picture, separators=True))


@kept(256, 1000)
def number_picture(picture: str) -> tuple[Part, ...]:
    """A picture of numbers; only fields and texts."""
    return tuple(_parts(_NUMBER_PART, picture, separators=False))


def _parts(pattern: re.Pattern[str], picture: str, *, separators: bool) -> Iterable[Part]:
    for found in pattern.finditer(picture):
        groups = found.groupdict()
        field = groups["field"]
        if field:
            prefix, suffix = groups.get("prefix") or "", groups.get("suffix") or ""
            yield Part(
                Kind.FIELD, field.upper(), field,
                fill=prefix.upper() == "FM", ordinal=suffix if suffix != "SP" else "",
            )  # fmt: skip
        elif groups["quoted"] is not None:
            yield from [Part(Kind.TEXT, c) for c in _ESCAPED.sub(r"\1", groups["quoted"])]
        else:
            character = groups["quote"] or groups["other"]
            if character:
                yield Part(_kind(character, separators=separators), character)


def _kind(character: str, *, separators: bool) -> Kind:
    if separators and is_separator(character):
        return Kind.SEPARATOR
    return Kind.SPACE if character in _BLANKS else Kind.TEXT


def ordinal(number: str, suffix: str) -> str:
    """`st`, `nd`, `rd` or `th` of a number's text, in the suffix's case.

    Raises:
        InvalidTextRepresentationError: 22P02, the text does not end in a digit.
    """
    if not number or number[-1] not in "0123456789":
        raise InvalidTextRepresentationError(f'"{number}" is not a number')
    tens = number[-2:-1] == "1"
    word = "th" if tens else {"1": "st", "2": "nd", "3": "rd"}.get(number[-1], "th")
    return word.upper() if suffix == "TH" else word
