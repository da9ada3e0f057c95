"""Long lists of literals or parameters, read as one: of IN, and the rows of VALUES.

A statement may have tens of thousands of them. A token, a node and an expression for each cost some 20 µs
of a thread that everybody shares; found by one regular expression, and taken apart by another, they cost
one. What is not exactly such a list is read item by item, as short ones are; so is one in which an error is,
for its position.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sqlglot import exp

from kalam_pg.sql.leaves import literal_at, row

ITEMS_MIN: Final = 64
"""Items of the shortest list that is read so. IN of fewer stays a list also where it is shown."""

WIDTH_MAX: Final = 64
"""Columns of the widest rows."""

_W = r"[ \t\n\r\f\v]*+"
_PARAM = r"\$[0-9]++(?![A-Za-z_\x80-\U0010ffff])"
_NUMBER = r"-?[0-9]++(?:\.[0-9]++)?+"
_STRING = r"'[^'\0]*+(?:''[^'\0]*+)*+'"
_NULL = r"(?i:null)(?![A-Za-z0-9_$\x80-\U0010ffff])"
_LITERAL = rf"{_STRING}|{_NUMBER}|{_NULL}"

_LIST = re.compile(
    "|".join(
        rf"\({_W}(?:{item})(?:{_W},{_W}(?:{item}))*+{_W}\)" for item in (_PARAM, _NUMBER, _STRING)
    )
)
_ITEM = re.compile(rf"{_PARAM}|{_LITERAL}")
_CELL = re.compile(rf"{_W}({_PARAM})|{_W}(?:{_LITERAL})")
_FIRST = re.compile(rf"\((?:{_W}(?:{_PARAM}|{_LITERAL}){_W},)*+{_W}(?:{_PARAM}|{_LITERAL}){_W}\)")
_OTHER_FIRST = re.compile(rf"\([^()']*+\){_W},{_W}(?=\()")
_MORE = re.compile(rf"{_W},")


@dataclass(frozen=True, slots=True)
class Listing:
    """The text of a list, parentheses and all, or of the rows of VALUES, and where it begins (from 0)."""

    text: str
    start: int

    def items(self) -> list[str]:
        """The items of a list as they are written."""
        return _ITEM.findall(self.text)

    def columns(self) -> list[Sequence[str]]:
        """The items of rows, column by column."""
        cells = _ITEM.findall(self.text)
        width = _width(self.text)
        return [cells[at::width] for at in range(width)]

    def nodes(self) -> list[exp.Expr]:
        """The items of a list, a node each."""
        return [literal_at(m[0], self.start + m.start()) for m in _ITEM.finditer(self.text)]

    def rows(self) -> list[exp.Expr]:
        """The rows, a node each."""
        nodes = self.nodes()
        width = _width(self.text)
        return [
            row(tuple(nodes[at : at + width]), self._opening(nodes[at]))
            for at in range(0, len(nodes), width)
        ]

    def _opening(self, first: exp.Expr) -> int:
        """Where the parenthesis before a row's first item stands."""
        return self.start + self.text.rindex("(", 0, first.meta["start"] - self.start)


def list_end(text: str, at: int) -> int | None:
    """Where the list ends that begins with the parenthesis at `at`; None if it is short, or no such list."""
    found = _LIST.match(text, at)
    if found is None or not _has_many(text, at, found.end()):
        return None
    return found.end()


def rows_end(text: str, at: int) -> int | None:
    """Where rows end that begin with the parenthesis at `at` and are the last; None: there are others."""
    first = _FIRST.match(text, at)
    if first is None:
        return None
    kinds = "".join(["p" if m[1] else "l" for m in _CELL.finditer(first[0].strip("()"))])
    if len(kinds) > WIDTH_MAX:
        return None
    found = _rows(kinds).match(text, at)
    assert found is not None
    if _MORE.match(text, found.end()) is not None or not _has_many(text, at, found.end()):
        return None
    return found.end()


def first_row_end(text: str, at: int) -> int | None:
    """Where the second row begins, when the first says more than literals; None: that is not to be seen."""
    found = _OTHER_FIRST.match(text, at)
    return None if found is None else found.end()


def _has_many(text: str, start: int, end: int) -> bool:
    if end - start < 2 * ITEMS_MIN:
        return False
    return sum(
        1 for _ in zip(range(ITEMS_MIN), _ITEM.finditer(text, start, end), strict=False)
    ) == (ITEMS_MIN)


def _width(text: str) -> int:
    first = _FIRST.match(text)
    assert first is not None
    return len(_ITEM.findall(first[0]))


@lru_cache(maxsize=64)
def _rows(kinds: str) -> re.Pattern[str]:
    """Rows of so many cells, each a parameter (p) or a literal (l)."""
    cells = rf"{_W},{_W}".join([_PARAM if kind == "p" else f"(?:{_LITERAL})" for kind in kinds])
    one = rf"\({_W}{cells}{_W}\)"
    return re.compile(rf"{one}(?:{_W},{_W}{one})*+")
