"""Assignment to a part of a column: `a[1] = x`, `a[1:2] = x`, `j['k'] = x` make these calls of it.

Their names have blanks in them: no SQL text can call them.
"""

from collections.abc import Iterator

from catalog.errors import (
    ArraySubscriptError,
    FeatureNotSupportedError,
    InvalidParameterValueError,
    InvalidTextRepresentationError,
    NullValueNotAllowedError,
)
from catalog.types.array import nest
from catalog.types.registry import ANYARRAY, ANYELEMENT, BOOL, INT4, JSONB, TEXT, array_of
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.dimensions import array_shape, flatten
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


def _slice_with(array: Datum, source: Datum, *bounds: int | None) -> tuple[Datum, ...] | None:
    """An array with a slice of it from another one. bounds: of each dimension whether its lower one is
    written, and it; then the same of the upper one.
    """
    edges = [(bounds[i], bounds[i + 1]) for i in range(0, len(bounds), 2)]
    if any(given and edge is None for given, edge in edges):
        raise NullValueNotAllowedError("array subscript in assignment must not be null")
    if source is None:
        return array  # type: ignore[no-any-return] # PostgreSQL leaves it as it is
    items: tuple[Datum, ...] = array or ()
    shape = array_shape(items)
    if not items and not all(given for given, _ in edges):
        raise ArraySubscriptError(
            "array slice subscript must provide both boundaries",
            detail="When assigning to a slice of an empty array value, slice boundaries must be "
            "fully specified.",
        )
    if items and len(shape) != len(edges) // 2:
        raise ArraySubscriptError("wrong number of array subscripts")
    ranges: list[tuple[int, int]] = []
    for at in range(0, len(edges), 2):
        length = shape[at // 2] if items else 0
        lower = edges[at][1] if edges[at][0] else 1
        upper = edges[at + 1][1] if edges[at + 1][0] else length
        assert lower is not None
        assert upper is not None
        ranges.append((lower, upper))
    for lower, upper in ranges:
        if lower > upper and not (len(ranges) > 1 and items):
            raise ArraySubscriptError("upper bound cannot be less than lower bound")
        if lower < 1 or (not items and lower != 1):
            raise FeatureNotSupportedError("arrays that do not begin at 1 are not supported")
        if upper > LONGEST // 64:
            raise too_long()
    count = 1
    for lower, upper in ranges:
        count *= upper - lower + 1
    given = list(flatten(source))
    if len(given) < count:
        raise ArraySubscriptError("source array too small")
    if not items:
        return nest(given[:count], tuple(upper for _, upper in ranges))
    if len(ranges) == 1:
        (lower, upper), length = ranges[0], len(items)
        gap = (None,) * (lower - 1 - length)
        return (*items[: lower - 1], *gap, *given[:count], *items[upper:])
    if any(upper > length for (_, upper), length in zip(ranges, shape, strict=True)):
        raise ArraySubscriptError("array subscript out of range")
    return _block_with(items, ranges, iter(given))


def _block_with(
    items: tuple[Datum, ...], ranges: list[tuple[int, int]], given: Iterator[Datum]
) -> tuple[Datum, ...]:
    (lower, upper), rest = ranges[0], ranges[1:]
    new = [
        _block_with(item, rest, given) if rest else next(given) for item in items[lower - 1 : upper]
    ]
    return (*items[: lower - 1], *new, *items[upper:])


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
SLICE_WITH = function(
    "array with slice", (ANYARRAY, ANYARRAY, _INTS), ANYARRAY, _slice_with,
    variadic=True, strict=False,
)  # fmt: skip
OVERLOADS: tuple[Overload, ...] = (ARRAY_WITH, DOCUMENT_WITH, SLICE_WITH)
