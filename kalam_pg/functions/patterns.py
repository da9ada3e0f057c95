"""LIKE and ILIKE: patterns become compiled expressions once and are then cached."""

import re
from collections.abc import Callable

from catalog.errors import InvalidEscapeSequenceError
from catalog.memo import kept
from catalog.types.registry import BOOL, BPCHAR, BYTEA, NAME, TEXT
from kalam_pg.functions.define import Datum, function, operator
from kalam_pg.functions.table import Overload


def _pieces(pattern: str) -> list[str]:
    """The pattern's elements: "%", "_" or a backslash and one literal character (none at its end)."""
    result = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            result.append("\\" + next(characters, ""))
        elif character in "%_":
            result.append(character)
        else:
            result.append("\\" + character)
    return result


def _simple(pieces: list[str]) -> Callable[[str], bool] | None:
    """A plain string test for patterns such as 'abc', 'abc%', '%abc' and '%abc%'."""
    inner = pieces
    leading = bool(inner) and inner[0] == "%"
    if leading:
        inner = inner[1:]
    trailing = bool(inner) and inner[-1] == "%"
    if trailing:
        inner = inner[:-1]
    if any(len(piece) == 1 for piece in inner):
        return None
    text = "".join(piece[1:] for piece in inner)
    if leading and trailing:
        return lambda value: text in value
    if leading:
        return lambda value: value.endswith(text)
    if trailing:
        return lambda value: value.startswith(text)
    return lambda value: value == text


@kept(512, 1000)
def matcher(pattern: str, *, ignore_case: bool = False) -> Callable[[str], Datum]:
    """A test for one pattern; its result is truthy when a value matches as a whole."""
    pieces = _pieces(pattern)
    if pieces and pieces[-1] == "\\":
        return _Unfinished(pieces[:-1], ignore_case=ignore_case).match
    if not ignore_case and (simple := _simple(pieces)) is not None:
        return simple
    return _Segments(pieces, ignore_case=ignore_case).match


def part_of(pattern: str) -> str:
    """The rarest text of a pattern that escapes nothing: all matches contain it. "" if it is the only one.

    An engine looks for a text many times as fast as for a pattern of several, and for the pattern only where
    few rows have the text.
    """
    texts = [text for text in re.split("[%_]", pattern) if text]
    return max(texts, key=_rarity) if len(texts) > 1 else ""


_FREQUENT, _RATHER, _RARE = 3.7, 5.3, 9.0
"""Bits of a character of English texts: of the ten most frequent ones, of other small letters, of others."""


def _rarity(text: str) -> float:
    """About how many bits it takes to say where a text is."""
    return sum(
        _FREQUENT if c in " etaoinsrh" else _RATHER if "a" <= c <= "z" else _RARE for c in text
    )


def _segments(pieces: list[str]) -> list[list[str]]:
    """What lies between the "%" of a pattern, as pieces of regular expressions."""
    segments: list[list[str]] = [[]]
    for piece in pieces:
        if piece == "%":
            segments.append([])
        else:
            segments[-1].append("." if piece == "_" else re.escape(piece[1:]))
    return segments


def _compiled(segment: list[str], *, ignore_case: bool) -> re.Pattern[str]:
    return re.compile("".join(segment), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


class _Unfinished:
    """A pattern that ends in an escape: it matches nothing, and is an error where a value gets so far."""

    def __init__(self, pieces: list[str], *, ignore_case: bool) -> None:
        plain = len(pieces)
        while plain and len(pieces[plain - 1]) == 1:
            plain -= 1
        run = pieces[plain:]
        at = plain + (run.index("%") if "%" in run else len(run))
        # From a "%" on, "_" are passed over before what follows is looked at.
        self._least = max(pieces[at:].count("_"), 1)
        self._before = [_compiled(s, ignore_case=ignore_case) for s in _segments(pieces[:at])]

    def match(self, value: str) -> bool:
        """False. Raises 22025 as PostgreSQL does: when there is something left for the escape."""
        first, *others = self._before
        found = first.match(value)
        for segment in others:
            if found is None:
                break
            found = segment.search(value, found.end())
        if found is not None and len(value) - found.end() >= self._least:
            raise InvalidEscapeSequenceError("LIKE pattern must not end with escape character")
        return False


class _Segments:
    """What lies between the "%" of a pattern, each found leftmost after the one before it.

    One expression with a ".*" for each "%" would try every way to share the value out among them:
    `'%a%a%a%a%b'` on a few thousand letters takes hours.
    """

    def __init__(self, pieces: list[str], *, ignore_case: bool) -> None:
        segments = _segments(pieces)
        self._first, *middle, self._last = [
            _compiled(segment, ignore_case=ignore_case)
            for segment in (segments * 2)[: max(len(segments), 2)]
        ]
        self._whole = len(segments) == 1
        self._middle = [segment for segment in middle if segment.pattern]
        self._last_length = len(segments[-1])

    def match(self, value: str) -> bool:
        """Whether the value matches as a whole."""
        if self._whole:
            return self._first.fullmatch(value) is not None
        found = self._first.match(value)
        for segment in self._middle:
            if found is None:
                return False
            found = segment.search(value, found.end())
        start = len(value) - self._last_length
        if found is None or start < found.end():
            return False
        return self._last.fullmatch(value, start) is not None


def like(value: str, pattern: str) -> bool:
    """Value LIKE pattern."""
    return bool(matcher(pattern)(value))


def ilike(value: str, pattern: str) -> bool:
    """Value ILIKE pattern."""
    return bool(matcher(pattern, ignore_case=True)(value))


def not_like(value: str, pattern: str) -> bool:
    """The negation of `like`."""
    return not matcher(pattern)(value)


def _not_ilike(value: str, pattern: str) -> bool:
    return not matcher(pattern, ignore_case=True)(value)


def _bytes_like(value: bytes, pattern: bytes) -> bool:
    return bool(matcher(pattern.decode("latin-1"))(value.decode("latin-1")))


def like_escape(pattern: str, escape: str) -> str:
    """LIKE ... ESCAPE: the pattern with backslash as its escape character."""
    if len(escape) > 1:
        raise InvalidEscapeSequenceError(
            "invalid escape string", hint="Escape string must be empty or one character."
        )
    if escape == "\\":
        return pattern
    result = []
    characters = iter(pattern)
    for character in characters:
        if escape and character == escape:
            result.append("\\" + next(characters, ""))
        elif character == "\\":
            result.append("\\\\")
        else:
            result.append(character)
    return "".join(result)


OVERLOADS: tuple[Overload, ...] = (
    *(
        o
        for t in (TEXT, NAME, BPCHAR)
        for o in (
            operator("~~", (t, TEXT), BOOL, like),
            operator("!~~", (t, TEXT), BOOL, not_like),
            operator("~~*", (t, TEXT), BOOL, ilike),
            operator("!~~*", (t, TEXT), BOOL, _not_ilike),
        )
    ),
    operator("~~", (BYTEA, BYTEA), BOOL, _bytes_like),
    operator("!~~", (BYTEA, BYTEA), BOOL, lambda a, b: not _bytes_like(a, b)),
    function("like", (TEXT, TEXT), BOOL, like),
    function("notlike", (TEXT, TEXT), BOOL, not_like),
    function("like_escape", (TEXT, TEXT), TEXT, like_escape),
)
