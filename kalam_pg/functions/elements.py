"""Assignment to a part of a column: `a[1] = x`, `a[1:2] = x`, `j['k'] = x` make these calls of it.

Their names have blanks in them: no SQL text can call them.
"""

from collections.abc import Iterator, Sequence
from math import prod

from catalog.errors import (
    ArraySubscriptError,
    InvalidParameterValueError,
    InvalidTextRepresentationError,
    NullValueNotAllowedError,
)
from catalog.types.array import nest
from catalog.types.array_input import ARRAY_SIZE_MAX, too_long_array
from catalog.types.registry import ANYARRAY, ANYELEMENT, BOOL, INT4, JSONB, TEXT, array_of
from kalam_pg.functions.define import Datum, function
from kalam_pg.functions.dimensions import array_shape, flatten, items_of, lower_bounds, with_bounds
from kalam_pg.functions.jsonvalues import dump, parse
from kalam_pg.functions.strings import LONGEST, too_long
from kalam_pg.functions.table import Overload

_INTS, _TEXTS = array_of(INT4) or INT4, array_of(TEXT) or TEXT


def _array_with(array: Datum, value: Datum, *places: int | None) -> Datum:
    """An array with another element; one dimension grows either way, with NULLs between."""
    at = [place for place in places if place is not None]
    if len(at) < len(places):
        raise NullValueNotAllowedError("array subscript in assignment must not be null")
    if not array:
        return with_bounds(nest([value], (1,) * len(at)), at)
    items, lower = items_of(array), lower_bounds(array)
    if len(at) != len(lower):
        raise ArraySubscriptError("wrong number of array subscripts")
    if len(at) == 1:
        return _stretched(items, lower[0], at[0], (value,))
    inside = [place - first + 1 for place, first in zip(at, lower, strict=True)]
    return with_bounds(_nested_with(items, value, tuple(inside)), lower)


def _stretched(
    items: tuple[Datum, ...], first: int, at: int, new: tuple[Datum, ...]
) -> tuple[Datum, ...]:
    """Elements that begin at `first`, of which some from `at` on are others: there may be none so far."""
    end, new_end = first + len(items), at + len(new)
    _check_size(max(end, new_end) - min(first, at))
    before = (None,) * (at - end)
    behind = (None,) * (first - new_end)
    result = (
        *items[: max(at - first, 0)], *before, *new, *behind, *items[max(new_end - first, 0) :]
    )  # fmt: skip
    return with_bounds(result, (min(first, at),))  # type: ignore[no-any-return]


def _check_size(size: int) -> None:
    if size > ARRAY_SIZE_MAX:
        raise too_long_array()
    if size > LONGEST // 64:
        raise too_long()


def _slice_with(array: Datum, source: Datum, *bounds: int | None) -> Datum:
    """An array with a slice of it from another one. bounds: of each dimension whether its lower one is
    written, and it; then the same of the upper one.
    """
    edges = [(bounds[i], bounds[i + 1]) for i in range(0, len(bounds), 2)]
    if any(given and edge is None for given, edge in edges):
        raise NullValueNotAllowedError("array subscript in assignment must not be null")
    if source is None:
        return array  # PostgreSQL leaves it as it is.
    given = flatten(source)
    if not array:
        return _array_of_slice(edges, given)
    items, shape, lower = items_of(array), array_shape(array), lower_bounds(array)
    if len(shape) < len(edges) // 2:
        raise ArraySubscriptError("wrong number of array subscripts")
    edges += [(0, None)] * (2 * len(shape) - len(edges))
    ranges: list[tuple[int, int]] = []
    for at, (first, length) in enumerate(zip(lower, shape, strict=True)):
        (has_low, low), (has_high, high) = edges[2 * at : 2 * at + 2]
        ranges.append(
            (first if not has_low else low or 0, first + length - 1 if not has_high else high or 0)
        )
    if len(ranges) == 1:
        ((low, high),) = ranges
        if low > high:
            raise _no_slice()
        _check_size(max(high, lower[0] + len(items) - 1) - min(low, lower[0]) + 1)
        return _stretched(items, lower[0], low, _taken(given, high - low + 1))
    for (low, high), first, length in zip(ranges, lower, shape, strict=True):
        if low > high:
            raise _no_slice()
        if low < first or high >= first + length:
            raise ArraySubscriptError("array subscript out of range")
    inside = [(a - first + 1, b - first + 1) for (a, b), first in zip(ranges, lower, strict=True)]
    count = prod([high - low + 1 for low, high in ranges])
    return with_bounds(_block_with(items, inside, iter(_taken(given, count))), lower)


def _array_of_slice(edges: list[tuple[int | None, int | None]], given: Sequence[Datum]) -> Datum:
    """What an empty array becomes: the slice, of which all boundaries must be written."""
    if not all(written for written, _ in edges):
        raise ArraySubscriptError(
            "array slice subscript must provide both boundaries",
            detail="When assigning to a slice of an empty array value, slice boundaries must be "
            "fully specified.",
        )
    written = [edge or 0 for _, edge in edges]
    lower, upper = written[::2], written[1::2]
    sizes = tuple([high - low + 1 for low, high in zip(lower, upper, strict=True)])
    if any(size < 0 for size in sizes):
        raise too_long_array()
    count = prod(sizes)
    _check_size(count)
    taken = _taken(given, count)
    return with_bounds(nest(list(taken), sizes), lower) if count else ()


def _taken(given: Sequence[Datum], count: int) -> tuple[Datum, ...]:
    if len(given) < count:
        raise ArraySubscriptError("source array too small")
    return tuple(given[:count])


def _no_slice() -> ArraySubscriptError:
    return ArraySubscriptError("upper bound cannot be less than lower bound")


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
