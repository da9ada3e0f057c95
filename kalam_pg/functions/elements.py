"""Assignment to a part of a column: `a[1] = x`, `j['k'] = x` make these calls of it.

Their names have blanks in them: no SQL text can call them.
"""

from catalog.errors import (
    ArraySubscriptError,
    FeatureNotSupportedError,
    InvalidParameterValueError,
    InvalidTextRepresentationError,
    NullValueNotAllowedError,
)
from catalog.types.registry import ANYARRAY, ANYELEMENT, BOOL, INT4, JSONB, TEXT, array_of
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.jsonvalues import dump, parse
from kalam_pg.functions.strings import LONGEST, too_long
from kalam_pg.functions.table import Overload

_INTS, _TEXTS = array_of(INT4) or INT4, array_of(TEXT) or TEXT


def _array_with(array: Datum, value: Datum, *places: int | None) -> tuple[Datum, ...]:
    """An array with another element; one dimension grows, with NULLs between."""
    if None in places:
        raise NullValueNotAllowedError("array subscript in assignment must not be null")
    items: tuple[Datum, ...] = array or ()
    first = places[0]
    assert first is not None
    if len(places) == 1 and not any(isinstance(item, tuple) for item in items):
        if first < 1 or (not items and first != 1):
            raise FeatureNotSupportedError("arrays that do not begin at 1 are not supported")
        if first > LONGEST // 64:
            raise too_long()
        gap = (None,) * (first - 1 - len(items))
        return (*items[: first - 1], *gap, value, *items[first:])
    return _nested_with(items, value, places)


def _nested_with(
    items: tuple[Datum, ...], value: Datum, places: tuple[int | None, ...]
) -> tuple[Datum, ...]:
    place, rest = places[0], places[1:]
    assert place is not None
    deeper = bool(items) and isinstance(items[0], tuple)
    if deeper is not bool(rest):
        raise ArraySubscriptError("wrong number of array subscripts")
    if not 1 <= place <= len(items):
        raise ArraySubscriptError("array subscript out of range")
    new = _nested_with(items[place - 1], value, rest) if rest else value
    return (*items[: place - 1], new, *items[place:])


def _document_with(
    document: str | None, value: str | None, by_number: bool, *path: str | None
) -> str:
    """A jsonb with another value where a path leads; what is missing on the way is made.

    by_number: the first subscript is an integer, so that a NULL becomes an array.
    """
    if None in path:
        raise NullValueNotAllowedError("jsonb subscript in assignment must not be null")
    words = [word for word in path if word is not None]
    if document is None:
        root: Datum = [] if by_number else {}
    else:
        root = parse(document)
    new = None if value is None else parse(value)
    return dump(_set(root, words, 0, new))


def _set(value: Datum, words: list[str], depth: int, new: Datum) -> Datum:
    if depth == len(words):
        return new
    word = words[depth]
    if isinstance(value, dict):
        known = word in value
        value[word] = (
            _set(value[word], words, depth + 1, new) if known else _made(words, depth + 1, new)
        )
        return value
    if not isinstance(value, list):
        raise InvalidParameterValueError(
            "cannot replace existing key",
            detail="The path assumes key is a composite object, but it is a scalar value.",
        )
    index = _number(word)
    if index is None:
        raise InvalidTextRepresentationError(
            f'path element at position {depth + 1} is not an integer: "{word}"'
        )
    if index < 0:
        index += len(value)
        if index < 0:
            raise InvalidParameterValueError(
                f"path element at position {depth + 1} is out of range: {word}"
            )
    if index < len(value):
        value[index] = _set(value[index], words, depth + 1, new)
        return value
    return [*_filled(value, index), _made(words, depth + 1, new)]


def _made(words: list[str], depth: int, new: Datum) -> Datum:
    """What a path makes where there is nothing: arrays for numbers, objects for names."""
    if depth == len(words):
        return new
    index = _number(words[depth])
    inner = _made(words, depth + 1, new)
    if index is None or index < 0:
        return {words[depth]: inner}
    return [*_filled([], index), inner]


def _filled(items: list[Datum], size: int) -> list[Datum]:
    if size > LONGEST // 64:
        raise too_long()
    return [*items, *([None] * (size - len(items)))]


def _number(word: str) -> int | None:
    try:
        return int(word)
    except ValueError:
        return None


ARRAY_WITH = function(
    "array with element", (ANYARRAY, ANYELEMENT, _INTS), ANYARRAY, _array_with,
    variadic=True, strict=False,
)  # fmt: skip
DOCUMENT_WITH = function(
    "jsonb with element", (JSONB, JSONB, BOOL, _TEXTS), JSONB, _document_with,
    variadic=True, strict=False,
)  # fmt: skip
OVERLOADS: tuple[Overload, ...] = (ARRAY_WITH, DOCUMENT_WITH)
