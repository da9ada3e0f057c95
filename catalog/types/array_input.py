"""The text form of arrays: braces, quotes, NULLs and `[1:2]=` decoration, with PostgreSQL's errors."""

import re
from typing import NoReturn

from catalog.errors import (
    ArraySubscriptError,
    InvalidTextRepresentationError,
)
from catalog.types.common import SPACES
from storage.errors import KeyTooLongError

DIMENSIONS_MAX = 6
ARRAY_SIZE_MAX = 134217727
"""Elements of an array, in PostgreSQL: what a gigabyte of pointers holds."""

_BOUNDS = re.compile(r"[ \t\n\v\f\r]*\[([+-]?[0-9]+)(?::([+-]?[0-9]+))?\]")
# A run of plain characters, a quoted text, or one character that means something.
_TOKEN = re.compile(r'[ \t\n\v\f\r]+|"(?:[^"\\]|\\.)*"|(?:[^"\\{},\s]|\\.)+|.', re.DOTALL)
_UNESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PLAIN = frozenset('"\\{}')


Parsed = tuple[list[str | None], tuple[int, ...], tuple[int, ...]]


def parse_array(text: str) -> Parsed:
    """Return an array's elements in order, None for NULL, its sizes, and its lower bounds. Sizes are () if it
    is empty, bounds if no dimensions are written.

    Raises:
        InvalidTextRepresentationError: 22P02, `malformed array literal: …`.
        ArraySubscriptError: 2202E, an upper bound below the lower one.
    """
    if text[:1] == "{" and text[-1:] == "}" and len(text) > 2:
        inside = text[1:-1]
        if _PLAIN.isdisjoint(inside):
            # The common case: one dimension, nothing quoted.
            parts = [part.strip(SPACES) for part in inside.split(",")]
            if all(parts):
                return (
                    [None if part.lower() == "null" else part for part in parts],
                    (len(parts),),
                    (),
                )
    return _Parser(text).parse()


def too_long_array() -> KeyTooLongError:
    """Return the 54000 error for a size that no array has."""
    return KeyTooLongError(f"array size exceeds the maximum allowed ({ARRAY_SIZE_MAX})")


def too_many_dimensions(depth: int) -> KeyTooLongError:
    """Return the 54000 error."""
    message = f"number of array dimensions ({depth}) exceeds the maximum allowed ({DIMENSIONS_MAX})"
    return KeyTooLongError(message)


class _Parser:
    """One run over one text. `before` is what came last: "", "{", "}", ",", "},", "element"."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.shown = text  # in errors: what follows the dimensions
        self.items: list[str | None] = []
        self.open: list[int] = []  # members so far of each open brace
        self.sizes: list[int | None] = []
        self.before = ""
        self.element: list[str] = []  # the text of the element being read …
        self.plain = True  # … and whether nothing of it was quoted

    def fail(self, detail: str) -> NoReturn:
        message = f'malformed array literal: "{self.shown}"'
        raise InvalidTextRepresentationError(message, detail=detail)

    def parse(self) -> Parsed:
        declared, lower, at = self._decoration()
        if self.text[at : at + 1] != "{":
            if declared:
                self.fail('Array contents must start with "{".')
            self.fail('Array value must start with "{" or dimension information.')
        self.shown = self.text[at:]
        end = at
        for match in _TOKEN.finditer(self.text, at):
            self._take(match[0])
            if self.before == "}" and not self.open:
                end = match.end()
                break
        else:
            self.fail("Unexpected end of input.")
        if self.text[end:].strip(SPACES):
            self.fail("Junk after closing right brace.")
        if not self.items:
            sizes: tuple[int, ...] = ()
        else:
            sizes = tuple([size or 0 for size in self.sizes])
        if declared and declared != sizes:
            self.shown = self.text
            self.fail("Specified array dimensions do not match array contents.")
        return self.items, sizes, lower

    def _decoration(self) -> tuple[tuple[int, ...], tuple[int, ...], int]:
        """Read `[1:2][0:3]=`; return sizes and lower bounds it declares, and where the braces begin."""
        sizes: list[int] = []
        lower: list[int] = []
        at = 0
        while match := _BOUNDS.match(self.text, at):
            if len(sizes) >= DIMENSIONS_MAX:
                raise too_many_dimensions(len(sizes) + 1)
            low, high = (
                (1, _int4(match[1])) if match[2] is None else (_int4(match[1]), _int4(match[2]))
            )
            if high < low:
                raise ArraySubscriptError("upper bound cannot be less than lower bound")
            sizes.append(high - low + 1)
            lower.append(low)
            at = match.end()
        rest = self.text[at:]
        at += len(rest) - len(rest.lstrip(SPACES))
        if self.text[at : at + 1] == "[":
            self._bad_bounds(at)
        if sizes:
            if self.text[at : at + 1] != "=":
                self.fail('Missing "=" after array dimensions.')
            rest = self.text[at + 1 :]
            at += 1 + len(rest) - len(rest.lstrip(SPACES))
        return tuple(sizes), tuple(lower), at

    def _bad_bounds(self, at: int) -> NoReturn:
        inside = self.text[at + 1 :]
        if re.match(r"[0-9+-]+:(?![0-9+-])", inside):
            self.fail("Missing array dimension value.")
        if re.match(r"[0-9+-]", inside):
            self.fail('Missing "]" after array dimensions.')
        self.fail('"[" must introduce explicitly-specified array dimensions.')

    def _take(self, token: str) -> None:
        first = token[0]
        if first == "{":
            self._open()
        elif first == "}":
            self._close()
        elif first == ",":
            self._delimit()
        elif first in SPACES:
            if self.before == "element":
                self.element.append(token)
        elif first == '"' and len(token) > 1:
            if self.before not in {"{", ","}:
                self.fail("Unexpected array element.")
            self.element, self.plain = [_UNESCAPE.sub(r"\1", token[1:-1])], False
            self.before = "quoted"
        elif first in '"\\' and len(token) == 1:
            # An opening quote or a backslash with nothing after it.
            if first == '"' and self.before not in {"{", ","}:
                self.fail("Unexpected array element.")
            self.fail("Unexpected end of input.")
        else:
            self._unquoted(token)

    def _unquoted(self, token: str) -> None:
        if self.before == "quoted" or self.before not in {"{", ",", "element"}:
            if token[0] == "\\":
                self.fail('Unexpected "\\" character.')
            self.fail("Unexpected array element.")
        if self.before != "element":
            self.element, self.plain, self.before = [], True, "element"
        if "\\" in token:
            self.plain = False
            token = _UNESCAPE.sub(r"\1", token)
            self.element = ["".join(self.element) + token]
        else:
            self.element.append(token)

    def _open(self) -> None:
        if self.before not in {"", "{", "},"}:
            self.fail('Unexpected "{" character.')
        self.before = "{"
        if len(self.open) >= DIMENSIONS_MAX:
            raise too_many_dimensions(len(self.open) + 1)
        self.open.append(0)
        if len(self.sizes) < len(self.open):
            if self.items:
                self.fail(_RAGGED)
            self.sizes.append(None)

    def _close(self) -> None:
        empty = len(self.open) == 1 and self.before == "{" and not self.items
        if self.before not in {"element", "quoted", "}"} and not empty:
            self.fail('Unexpected "}" character.')
        self._finish_element()
        members = self.open.pop()
        level = len(self.open)
        if self.sizes[level] not in {None, members}:
            self.fail(_RAGGED)
        self.sizes[level] = members
        if self.open:
            self.open[-1] += 1
        self.before = "}"

    def _delimit(self) -> None:
        if self.before not in {"element", "quoted", "}"}:
            self.fail('Unexpected "," character.')
        self.before = "}," if not self._finish_element() else ","

    def _finish_element(self) -> bool:
        if self.before not in {"element", "quoted"}:
            return False
        if len(self.open) != len(self.sizes):
            self.fail(_RAGGED)
        if self.plain:
            text = "".join(self.element).rstrip(SPACES)
            self.items.append(None if text.lower() == "null" else text)
        else:
            # Only what was written plainly loses its trailing spaces.
            while len(self.element) > 1 and not self.element[-1].strip(SPACES):
                self.element.pop()
            self.items.append("".join(self.element))
        self.open[-1] += 1
        return True


def _int4(digits: str) -> int:
    """What PostgreSQL makes of a bound, which it cuts to 32 bits."""
    return (int(digits) + 2**31) % 2**32 - 2**31


_RAGGED = "Multidimensional arrays must have sub-arrays with matching dimensions."
