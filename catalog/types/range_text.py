"""The text of ranges and multiranges: where bounds begin and end, whatever their type."""

from collections.abc import Callable
from typing import NamedTuple, NoReturn

from catalog.errors import InvalidTextRepresentationError
from catalog.types.common import SPACES

_NEEDS_QUOTES = frozenset('"\\()[],' + SPACES)


class RangeText(NamedTuple):
    """The bounds as they were written, without quotes; None where there is none."""

    lower: str | None
    upper: str | None
    lower_in: bool
    upper_in: bool


def quoted(bound: str) -> str:
    """A bound as a range's text has it."""
    if bound and _NEEDS_QUOTES.isdisjoint(bound):
        return bound
    return '"' + bound.replace("\\", "\\\\").replace('"', '""') + '"'


def read_range(text: str) -> RangeText | None:
    """The bounds of a range literal; None for `empty`.

    Raises:
        InvalidTextRepresentationError: 22P02, with what is wrong as its detail.
    """

    def malformed(detail: str) -> NoReturn:
        raise InvalidTextRepresentationError(f'malformed range literal: "{text}"', detail=detail)

    inner = text.strip(SPACES)
    if inner[:5].lower() == "empty":
        if len(inner) > 5:
            malformed('Junk after "empty" key word.')
        return None
    if not inner or inner[0] not in "[(":
        malformed("Missing left parenthesis or bracket.")
    lower, at = _bound(inner, 1, ",", malformed)
    if inner[at] != ",":
        malformed("Missing comma after lower bound.")
    upper, at = _bound(inner, at + 1, ")]", malformed)
    if inner[at] == ",":
        malformed("Too many commas.")
    if at + 1 < len(inner):
        malformed("Junk after right parenthesis or bracket.")
    return RangeText(lower, upper, inner[0] == "[", inner[at] == "]")


def _bound(
    text: str, at: int, absent: str, malformed: Callable[[str], NoReturn]
) -> tuple[str | None, int]:
    """The bound that begins there (None where one of `absent` stands), and where it ends."""
    if at < len(text) and text[at] in absent:
        return None, at
    found: list[str] = []
    within = False
    while at < len(text) and (within or text[at] not in ",)]"):
        char = text[at]
        at += 1
        if char == "\\":
            found.append(text[at : at + 1] or malformed("Unexpected end of input."))
            at += 1
        elif char != '"':
            found.append(char)
        elif within and text[at : at + 1] == '"':
            found.append('"')
            at += 1
        else:
            within = not within
    if at >= len(text):
        malformed("Unexpected end of input.")
    return "".join(found), at


def read_multirange(text: str) -> list[str]:
    """The literals of the ranges in a multirange literal.

    Raises:
        InvalidTextRepresentationError: 22P02, with what is wrong as its detail.
    """

    def malformed(detail: str) -> NoReturn:
        raise InvalidTextRepresentationError(
            f'malformed multirange literal: "{text}"', detail=detail
        )

    inner = text.strip(SPACES)
    if not inner.startswith("{"):
        malformed("Missing left brace.")
    ranges: list[str] = []
    at = _behind_spaces(inner, 1)
    if inner[at : at + 1] == "}":
        at += 1
    else:
        while True:
            at = _behind_spaces(inner, at)
            end = _range_end(inner, at)
            if end == at:
                malformed(
                    "Expected range start." if at < len(inner) else "Unexpected end of input."
                )
            if end < 0:
                malformed("Unexpected end of input.")
            ranges.append(inner[at:end])
            at = _behind_spaces(inner, end)
            mark = inner[at : at + 1]
            at += 1
            if mark == "}":
                break
            if mark != ",":
                malformed(
                    "Expected comma or end of multirange." if mark else "Unexpected end of input."
                )
    if at < len(inner):
        malformed("Junk after closing right brace.")
    return ranges


def _behind_spaces(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACES:
        at += 1
    return at


def _range_end(text: str, at: int) -> int:
    """Where the range that begins there ends: `at` if none does, -1 if it has no end."""
    if text[at : at + 5].lower() == "empty":
        return at + 5
    if text[at : at + 1] not in {"[", "("}:
        return at
    within = False
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\":
            at += 1
        elif char == '"':
            within = not within
        elif not within and char in ")]":
            return at
    return -1
