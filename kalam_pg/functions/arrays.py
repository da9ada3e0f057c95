"""Functions of arrays, and the sets that go with them: unnest, generate_series, generate_subscripts."""

from collections.abc import Callable, Iterable

from catalog.errors import (
    ArraySubscriptError,
    DataExceptionError,
    FeatureNotSupportedError,
    InvalidParameterValueError,
    NullValueNotAllowedError,
)
from catalog.types import registry as t
from catalog.types.array_input import DIMENSIONS_MAX, too_long_array, too_many_dimensions
from catalog.types.bounded import BoundedArray, next_index
from catalog.types.registry import (
    ANYARRAY,
    ANYCOMPATIBLE,
    ANYCOMPATIBLEARRAY,
    ANYELEMENT,
    BOOL,
    INT2VECTOR,
    INT4,
    INT8,
    OIDVECTOR,
    TEXT,
)
from catalog.types.table import PgType
from kalam_pg.functions.comparison import comparer
from kalam_pg.functions.define import Datum, cast, function, operator, returns_set
from kalam_pg.functions.dimensions import (
    array_shape,
    flatten,
    items_of,
    lower_bounds,
    with_bounds,
    with_each,
)
from kalam_pg.functions.strings import LONGEST, too_long
from kalam_pg.functions.table import EvalContext, Overload, Volatility

Array = tuple[Datum, ...]
"""Or a `BoundedArray`, where only what both have is used."""


def _bounds(types: tuple[PgType, ...], array: Array) -> list[int]:
    """Where each dimension begins; int2vector and oidvector count from 0."""
    bounds = lower_bounds(array)
    return [0] * len(bounds) if types[0] in _VECTORS else bounds


def _bound(types: tuple[PgType, ...], array: Array, dimension: int) -> int:
    """Where a dimension begins that there is."""
    return _bounds(types, array)[dimension - 1]


def _length(array: Array, dimension: int) -> int | None:
    shape = array_shape(array)
    return shape[dimension - 1] if 0 < dimension <= len(shape) else None


def _upper(types: tuple[PgType, ...], array: Array, dimension: int) -> int | None:
    length = _length(array, dimension)
    return None if length is None else length - 1 + _bound(types, array, dimension)


def _lower(types: tuple[PgType, ...], array: Array, dimension: int) -> int | None:
    return None if _length(array, dimension) is None else _bound(types, array, dimension)


def _cardinality(array: Array) -> int:
    return len(flatten(array))


def _to_string(
    context: EvalContext, types: tuple[PgType, ...], array: Array | None, separator: str | None,
    null: str | None = None,
) -> str | None:  # fmt: skip
    if array is None or separator is None:
        return None
    element = types[0].element
    assert element is not None
    words = [
        null if item is None else element.output(item, context.types) for item in flatten(array)
    ]
    return separator.join(word for word in words if word is not None)


def _from_string(text: str | None, separator: str | None, null: str | None = None) -> Array | None:
    if text is None:
        return None
    if text == "":
        return ()
    words = list(text) if separator is None else [text]
    if separator:
        words = text.split(separator)
    return tuple(None if null is not None and word == null else word for word in words)


def _append(array: Datum, item: Datum) -> Datum:
    items = _list(array)
    if array.__class__ is not BoundedArray:
        return (*items, item)
    next_index(array.lower[0], len(items))
    return with_bounds((*items, item), array.lower)


def _prepend(item: Datum, array: Datum) -> Datum:
    """The element comes first, and the array begins where it began."""
    items = _list(array)
    if array.__class__ is not BoundedArray:
        return (item, *items)
    next_index(array.lower[0], -1)
    return with_bounds((item, *items), array.lower)


def _list(array: Datum) -> Array:
    if len(array_shape(array)) > 1:
        raise DataExceptionError("argument must be empty or one-dimensional array")
    return items_of(array) if array else ()


def _cat(a: Datum, b: Datum) -> Datum:
    if a is None or b is None:
        return b if a is None else a
    if not a or not b:
        return a or b
    left, right = _places(a), _places(b)
    a_items, b_items = items_of(a), items_of(b)
    if left[1:] == right[1:]:
        return with_bounds((*a_items, *b_items), lower_bounds(a))
    if left[1:] == right:
        return with_bounds((*a_items, b_items), lower_bounds(a))
    if right[1:] == left:
        return with_bounds((a_items, *b_items), lower_bounds(b))
    kind = "dimensions"
    if len(left) == len(right):
        kind = "element dimensions"
    elif abs(len(left) - len(right)) > 1:
        raise ArraySubscriptError(
            "cannot concatenate incompatible arrays",
            detail=f"Arrays of {len(left)} and {len(right)} dimensions "
            "are not compatible for concatenation.",
        )
    raise ArraySubscriptError(
        "cannot concatenate incompatible arrays",
        detail=f"Arrays with differing {kind} are not compatible for concatenation.",
    )


def _places(array: Array) -> list[tuple[int, int]]:
    """The length of each dimension, and where it begins."""
    return list(zip(array_shape(array), lower_bounds(array), strict=True))


def _position(
    types: tuple[PgType, ...], array: Array | None, item: Datum, *start: int | None
) -> int | None:
    if array is None:
        return None
    _require_one_dimension(array, "searching for elements in")
    if not array or (item is None and None not in items_of(array)):
        return None
    if None in start:
        raise NullValueNotAllowedError("initial position must not be null")
    compare = comparer(types[1])
    for number, found in enumerate(array, _first_of(types, array)):
        if start and number < (start[0] or 0):
            continue
        if found is None or item is None:
            if found is item:
                return number
        elif compare(found, item) == 0:
            return number
    return None


def _require_one_dimension(array: Array, what: str) -> None:
    if len(array_shape(array)) > 1:
        raise FeatureNotSupportedError(f"{what} multidimensional arrays is not supported")


def _first_of(types: tuple[PgType, ...], array: Array) -> int:
    """Where an array of at most one dimension begins."""
    return _bounds(types, array)[0] if array else 1


def _remove(types: tuple[PgType, ...], array: Datum, item: Datum) -> Datum:
    if array is None:
        return None
    _require_one_dimension(array, "removing elements from")
    compare = comparer(types[1])
    left = tuple(
        found
        for found in array
        if not (found is item if found is None or item is None else compare(found, item) == 0)
    )
    return with_bounds(left, lower_bounds(array)) if left else ()


def _replace(types: tuple[PgType, ...], array: Datum, old: Datum, new: Datum) -> Datum:
    if array is None:
        return None
    same_as = _equality(types[0])
    return with_each(array, lambda item: new if same_as(item, old) else item)


def _positions(types: tuple[PgType, ...], array: Array | None, item: Datum) -> Array | None:
    if array is None:
        return None
    _require_one_dimension(array, "searching for elements in")
    same_as = _equality(types[0])
    numbered = enumerate(array, _first_of(types, array))
    return tuple([n for n, found in numbered if same_as(found, item)])


def _equality(array: PgType) -> Callable[[Datum, Datum], bool]:
    """Equality of elements, NULL being equal to NULL."""
    assert array.element is not None
    compare = comparer(array.element)
    return lambda a, b: a is b if a is None or b is None else compare(a, b) == 0


def _contains(types: tuple[PgType, ...], a: Array, b: Array) -> bool:
    """Every element of b stands in a; a NULL is in nothing."""
    return _found_in(types, b, a, every=True)


def _overlap(types: tuple[PgType, ...], a: Array, b: Array) -> bool:
    return _found_in(types, a, b, every=False)


def _found_in(types: tuple[PgType, ...], some: Array, others: Array, *, every: bool) -> bool:
    assert types[0].element is not None
    compare = comparer(types[0].element)
    known = [x for x in flatten(others) if x is not None]
    found = (x is not None and any(compare(x, y) == 0 for y in known) for x in flatten(some))
    return all(found) if every else any(found)


def _dimension_values(numbers: Datum) -> tuple[int, ...]:
    if len(array_shape(numbers)) > 1:
        raise ArraySubscriptError(
            "wrong number of array subscripts", detail="Dimension array must be one dimensional."
        )
    items: tuple[int, ...] = items_of(numbers)
    if None in items:
        raise NullValueNotAllowedError("dimension values cannot be null")
    return items


def _fill(value: Datum, sizes: Datum, *lowest: Datum) -> Datum:
    first = lowest[0] if lowest else (1,) * len(sizes or ())
    if sizes is None or first is None:
        raise NullValueNotAllowedError("dimension array or low bound array cannot be null")
    sizes, first = _dimension_values(sizes), _dimension_values(first)
    if len(sizes) > DIMENSIONS_MAX:
        raise too_many_dimensions(len(sizes))
    if len(first) != len(sizes):
        raise ArraySubscriptError(
            "wrong number of array subscripts",
            detail="Low bound array has different size than dimensions array.",
        )
    total = 1
    for size in sizes:
        if size < 0:
            raise too_long_array()
        total *= size
    if total > LONGEST // 64:
        raise too_long()
    result = value
    for size in reversed(sizes):
        result = (result,) * size
    return with_bounds(result, tuple(first)) if sizes and total else ()


def _trim(array: Array, count: int) -> Array:
    if not 0 <= count <= len(array):
        raise ArraySubscriptError(f"number of elements to trim must be between 0 and {len(array)}")
    return items_of(array)[: len(array) - count]


def _unnest(array: Datum) -> Iterable[Datum]:
    return flatten(array)


def _series(start: int, stop: int, step: int = 1) -> Iterable[int]:
    if step == 0:
        raise InvalidParameterValueError("step size cannot equal zero")
    return range(start, stop + (1 if step > 0 else -1), step)


def _subscripts(
    types: tuple[PgType, ...], array: Array, dimension: int, reverse: Datum = False
) -> Iterable[int]:
    length = _length(array, dimension) or 0
    first = _bound(types, array, dimension) if length else 1
    indexes = range(first, first + length)
    return reversed(indexes) if reverse else indexes


def _dims(types: tuple[PgType, ...], array: Array) -> str | None:
    both = zip(_bounds(types, array), array_shape(array), strict=True)
    return "".join([f"[{first}:{size - 1 + first}]" for first, size in both]) or None


def _bucket(types: tuple[PgType, ...], operand: Datum, thresholds: Array) -> int:
    """width_bucket by lower bounds: how many of the sorted thresholds are not above the operand."""
    if len(array_shape(thresholds)) > 1:
        raise ArraySubscriptError("thresholds must be one-dimensional array")
    thresholds = items_of(thresholds)
    if None in thresholds:
        raise NullValueNotAllowedError("thresholds array must not contain NULLs")
    assert types[1].element is not None
    compare = comparer(types[1].element)
    low, high = 0, len(thresholds)
    while low < high:
        middle = (low + high) // 2
        if compare(operand, thresholds[middle]) < 0:
            high = middle
        else:
            low = middle + 1
    return low


def _to_table(text: str | None, separator: str | None, null: str | None = None) -> Array:
    return _from_string(text, separator, null) or ()


def _from_zero(vector: Array) -> Datum:
    """An int2vector or oidvector as an array, of the same bounds."""
    return with_bounds(vector, (0,))


_ARRAYS = ANYCOMPATIBLEARRAY
_VECTORS = (INT2VECTOR, OIDVECTOR)
_TEXT_ARRAY = t.array_of(TEXT) or TEXT
_INT4_ARRAY = t.array_of(INT4) or TEXT
_INT2_ARRAY = t.array_of(t.INT2) or TEXT
_OID_ARRAY = t.array_of(t.OID) or TEXT
_STABLE = Volatility.STABLE

OVERLOADS: tuple[Overload, ...] = (
    function("array_length", (ANYARRAY, INT4), INT4, _length),
    function("array_upper", (ANYARRAY, INT4), INT4, _upper, needs_types=True),
    function("array_lower", (ANYARRAY, INT4), INT4, _lower, needs_types=True),
    function("array_ndims", (ANYARRAY,), INT4, lambda a: len(array_shape(a)) or None),
    function("array_dims", (ANYARRAY,), TEXT, _dims, needs_types=True),
    function("width_bucket", (ANYCOMPATIBLE, _ARRAYS), INT4, _bucket, needs_types=True),
    *(
        returns_set("string_to_table", (TEXT,) * count, TEXT, _to_table, strict=False)
        for count in (2, 3)
    ),
    function("cardinality", (ANYARRAY,), INT4, _cardinality),
    *(
        function(
            "array_to_string", (ANYARRAY, *(TEXT,) * count), TEXT, _to_string,
            strict=False, needs_context=True, needs_types=True, volatility=_STABLE,
        )
        for count in (1, 2)
    ),
    *(
        function("string_to_array", (TEXT,) * count, _TEXT_ARRAY, _from_string, strict=False)
        for count in (2, 3)
    ),
    function("array_append", (_ARRAYS, ANYCOMPATIBLE), _ARRAYS, _append, strict=False),
    function("array_prepend", (ANYCOMPATIBLE, _ARRAYS), _ARRAYS, _prepend, strict=False),
    function("array_cat", (_ARRAYS, _ARRAYS), _ARRAYS, _cat, strict=False),
    *(
        function(
            "array_position", (_ARRAYS, ANYCOMPATIBLE, *(INT4,) * count), INT4, _position,
            strict=False, needs_types=True,
        )
        for count in (0, 1)
    ),
    function(
        "array_remove", (_ARRAYS, ANYCOMPATIBLE), _ARRAYS, _remove,
        strict=False, needs_types=True,
    ),
    function(
        "array_replace", (_ARRAYS, ANYCOMPATIBLE, ANYCOMPATIBLE), _ARRAYS, _replace,
        strict=False, needs_types=True,
    ),
    function(
        "array_positions", (_ARRAYS, ANYCOMPATIBLE), t.array_of(INT4) or TEXT, _positions,
        strict=False, needs_types=True,
    ),
    *(
        function("array_fill", (ANYELEMENT, *(_INT4_ARRAY,) * n), ANYARRAY, _fill, strict=False)
        for n in (1, 2)
    ),
    function("trim_array", (ANYARRAY, INT4), ANYARRAY, _trim),
    operator("||", (_ARRAYS, ANYCOMPATIBLE), _ARRAYS, _append, strict=False),
    operator("||", (ANYCOMPATIBLE, _ARRAYS), _ARRAYS, _prepend, strict=False),
    operator("||", (_ARRAYS, _ARRAYS), _ARRAYS, _cat, strict=False),
    operator("@>", (ANYARRAY, ANYARRAY), BOOL, _contains, needs_types=True),
    operator("<@", (ANYARRAY, ANYARRAY), BOOL, lambda y, a, b: _contains(y, b, a), needs_types=True),
    operator("&&", (ANYARRAY, ANYARRAY), BOOL, _overlap, needs_types=True),
    returns_set("unnest", (ANYARRAY,), ANYELEMENT, _unnest),
    *(
        returns_set("generate_series", (of,) * count, of, _series)
        for of in (INT4, INT8)
        for count in (2, 3)
    ),
    *(
        returns_set(
            "generate_subscripts", (ANYARRAY, INT4, *(t.BOOL,) * count), INT4, _subscripts,
            needs_types=True,
        )
        for count in (0, 1)
    ),
    cast(INT2VECTOR, _INT2_ARRAY, "i", _from_zero),
    cast(OIDVECTOR, _OID_ARRAY, "i", _from_zero),
)  # fmt: skip
