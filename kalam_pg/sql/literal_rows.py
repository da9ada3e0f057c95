"""The shape of an INSERT of several rows of literals: that of the same statement with one row.

A client that inserts fifty rows in one text sends a new text each time. All its rows are alike, so the
statement with one row, its values taken out as in `literals`, serves for any number of them. NULL, true
and false are values here, too. What is not exactly rows of literals has no shape.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kalam_pg.sql.literals import Shape, classified

TEXT_MAX = 1 << 16
ROWS_MAX = 1000
"""Longer texts are read in a thread: here they would hold the event loop for some ten milliseconds."""

WIDTH_MAX: Final = 64
"""Columns. The pattern of so many takes some 5 ms to make, once."""


@dataclass(frozen=True, slots=True)
class RowsShape:
    """shape: of the statement with one row, "b" among its classes for booleans; its values are none.

    rows: the values of each row as `Shape` has them, None for NULL.
    """

    shape: Shape
    rows: Sequence[tuple[str | None, ...]]


# A quoted name, and what stands between quotes, is passed over whole.
_HEAD = re.compile(
    r"""insert\s+into\s+(?:"[^"]*"|[\w.])+\s*(?:\((?:"[^"]*"|[\w\s,])*\))?\s*values\s*(?=\()""",
    re.IGNORECASE,
)
_WORD = r"('[^']*(?:''[^']*)*'|-?[0-9][0-9.]*|(?i:null|true|false))"
"""A string, a word, or what looks like a number: `_value` tells."""

_FIRST_ROW = re.compile(rf"\(\s*{_WORD}(?:\s*,\s*{_WORD})*\s*\)")
_WORDS = re.compile(_WORD)
_BETWEEN = re.compile(r"\s*,\s*")
_END = re.compile(
    r"\s*(?:;\s*|(?:on\s+conflict|returning)\b(?:(?!--|/\*)[^;'$\0])*)?", re.IGNORECASE
)


def rows_shape(text: str) -> RowsShape | None:
    """The shape of an INSERT of two rows or more; None when in doubt."""
    if len(text) > TEXT_MAX:
        return None
    head = _HEAD.match(text)
    if head is None:
        return None
    first = _FIRST_ROW.match(text, head.end())
    width = 0 if first is None else len(_WORDS.findall(first.group()))
    if not 0 < width <= WIDTH_MAX:
        return None
    pieces = _row_pattern(width).split(text[head.end() :])
    around, end = pieces[: -1 : width + 1], pieces[-1]
    if around[0] or not 1 < len(around) <= ROWS_MAX or _END.fullmatch(end) is None:
        return None
    if not all(map(_BETWEEN.fullmatch, set(around[1:]))):
        return None
    columns = [_column(pieces[at :: width + 1]) for at in range(1, width + 1)]
    classes = "".join([letter for letter, _ in columns])
    if "?" in classes:
        return None
    row = ", ".join(["\0" + letter for letter in classes])
    rows = list(zip(*[values for _, values in columns], strict=True))
    return RowsShape(Shape(f"{head.group()}({row}){end}", (), classes), rows)


@lru_cache(maxsize=128)
def _row_pattern(width: int) -> re.Pattern[str]:
    """A row of so many words, a group for each."""
    words = r"\s*,\s*".join([_WORD] * width)
    return re.compile(rf"\(\s*{words}\s*\)")


_NUMBERS = "iIn"
"""As int4, int8 and numeric: a column has the widest of its values."""

_ALIKE = {
    # What most columns are: one look at all of one's values, each with a comma behind it.
    "i": re.compile(r"(?:-?[0-9]{1,9},)+"),
    "n": re.compile(r"(?:-?[0-9]+\.[0-9]+,)+"),
    "s": re.compile(r"(?:'[^']*',)+"),
}


def _column(literals: Sequence[str]) -> tuple[str, Sequence[str | None]]:
    """The class that all values of a column have, "?" when there is none, and the values."""
    together = ",".join(literals) + ","
    for letter, pattern in _ALIKE.items():
        if pattern.fullmatch(together) is not None:
            return letter, [one[1:-1] for one in literals] if letter == "s" else literals
    found = ""
    values: list[str | None] = []
    for literal in literals:
        letter, value = _value(literal)
        if letter == "?":
            return "?", []
        values.append(value)
        if letter == found or not letter:
            continue
        if not found:
            found = letter
        elif letter in _NUMBERS and found in _NUMBERS:
            found = max(letter, found, key=_NUMBERS.index)
        else:
            return "?", []
    return found or "s", values


_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def _value(literal: str) -> tuple[str, str | None]:
    """A word's class, "" for NULL and "?" when it is no literal, and its value."""
    word = literal.lower()
    if word == "null":
        return "", None
    if word in ("true", "false"):
        return "b", word
    if literal[0] == "'" or _NUMBER.fullmatch(literal) is not None:
        return classified(literal)
    return "?", None
