"""The shape of an INSERT of several rows of literals: that of the same statement with one row.

A client that inserts fifty rows in one text sends a new text each time. All its rows are alike, so the
statement with one row, its values taken out as in `literals`, serves for any number of them. NULL, true
and false are values here, too. What is not exactly rows of literals has no shape.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kalam_pg.sql.literals import Shape, classified

TEXT_MAX = 1 << 16
ROWS_MAX = 1000
"""Longer texts are read in a thread: here they would hold the event loop for some ten milliseconds."""


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
# Strings, numbers, words. A number inside a word, or with an exponent, is none.
_LITERAL = re.compile(
    r"('[^']*(?:''[^']*)*'|-?\b\d+(?:\.\d+)?\b|\b(?:null|true|false)\b)", re.IGNORECASE
)
_OPENING = re.compile(r"\(\s*")
_COMMA = re.compile(r"\s*,\s*")
_BETWEEN = re.compile(r"\s*\)\s*,\s*\(\s*")
_END = re.compile(
    r"\s*\)\s*(?:;\s*|(?:on\s+conflict|returning)\b(?:(?!--|/\*)[^;'$\0])*)?", re.IGNORECASE
)


def rows_shape(text: str) -> RowsShape | None:
    """The shape of an INSERT of two rows or more; None when in doubt."""
    if len(text) > TEXT_MAX:
        return None
    head = _HEAD.match(text)
    if head is None:
        return None
    pieces = _LITERAL.split(text[head.end() :])
    literals, around = pieces[1::2], pieces[::2]
    width = next((at for at, piece in enumerate(around) if ")" in piece), 0)
    if not width or len(literals) % width or not width < len(literals) <= width * ROWS_MAX:
        return None
    commas, between, end = around[1:width], around[width], around[-1]
    if _END.fullmatch(end) is None or _OPENING.fullmatch(around[0]) is None:
        return None
    if _BETWEEN.fullmatch(between) is None or not all(map(_COMMA.fullmatch, commas)):
        return None
    if around[1:-1] != ([*commas, between] * (len(literals) // width))[:-1]:
        return None
    columns = [_column(literals[at::width]) for at in range(width)]
    classes = "".join([letter for letter, _ in columns])
    if "?" in classes:
        return None
    row = ", ".join(["\0" + letter for letter in classes])
    rows = list(zip(*[values for _, values in columns], strict=True))
    return RowsShape(Shape(f"{head.group()}({row}{end}", (), classes), rows)


_NUMBERS = "iIn"
"""As int4, int8 and numeric: a column has the widest of its values."""


def _column(literals: Sequence[str]) -> tuple[str, list[str | None]]:
    """The class that all values of a column have, "?" when there is none, and the values."""
    found = ""
    values: list[str | None] = []
    for literal in literals:
        letter, value = _value(literal)
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


def _value(literal: str) -> tuple[str, str | None]:
    first = literal[0]
    if first == "'":
        return "s", literal[1:-1].replace("''", "'")
    if first in "nN":
        return "", None
    if first in "tTfF":
        return "b", literal.lower()
    return classified(literal)
