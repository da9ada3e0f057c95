"""Arrays of several dimensions: tuples of tuples, all as long as their neighbours; and their bounds."""

from collections.abc import Callable, Sequence

from catalog.errors import ArraySubscriptError, NullValueNotAllowedError
from catalog.types.bounded import BoundedArray, bounded, items_of
from kalam_pg.functions.define import Datum


def array_shape(array: Datum) -> list[int]:
    """Length of each dimension; [] for an empty array."""
    shape: list[int] = []
    if array.__class__ is BoundedArray:
        array = array.items
    while isinstance(array, tuple) and array:
        shape.append(len(array))
        array = array[0]
    return shape


def lower_bounds(array: Datum) -> list[int]:
    """Where each dimension begins; [] for an empty array."""
    if isinstance(array, BoundedArray):
        return list(array.lower)
    return [1] * len(array_shape(array))


def with_bounds(items: tuple[Datum, ...], lower: Sequence[int]) -> Datum:
    """The array of these elements that begins there.

    Raises:
        KeyTooLongError: 54000, an upper bound would be no integer.
    """
    if all(bound == 1 for bound in lower):
        return items
    return bounded(items, tuple(lower), tuple(array_shape(items)))


def flatten(items: Datum) -> Sequence[Datum]:
    """The elements of an array of any dimension, in storage order."""
    if items.__class__ is BoundedArray:
        items = items.items
    if not items or not isinstance(items[0], tuple):
        return items  # type: ignore[no-any-return]  # a tuple
    return [leaf for item in items for leaf in flatten(item)]


def with_each(array: Datum, change: Callable[[Datum], Datum]) -> Datum:
    """The array with each of its elements changed."""
    if array.__class__ is BoundedArray:
        return BoundedArray(_with_each(array.items, change), array.lower)
    return _with_each(array, change)


def _with_each(items: Sequence[Datum], change: Callable[[Datum], Datum]) -> tuple[Datum, ...]:
    return tuple([_with_each(i, change) if isinstance(i, tuple) else change(i) for i in items])


def stacked(arrays: Sequence[Datum]) -> Datum:
    """Arrays of one shape and the same bounds, at least one, as one of one dimension more."""
    items = tuple([items_of(array) for array in arrays])
    return with_bounds(items, (1, *lower_bounds(arrays[0])))


def gathered(arrays: Sequence[Datum]) -> Datum:
    """What array_agg and ARRAY(query) make of arrays, which are of one shape and the same bounds.

    Raises:
        ArraySubscriptError: 2202E, they are not, or empty.
        NullValueNotAllowedError: 22004, one is NULL.
    """
    places = set()
    for array in arrays:
        if array is None:
            raise NullValueNotAllowedError("cannot accumulate null arrays")
        if not array:
            raise ArraySubscriptError("cannot accumulate empty arrays")
        places.add((*array_shape(array), *lower_bounds(array)))
        if len(places) > 1:
            raise ArraySubscriptError("cannot accumulate arrays of different dimensionality")
    return stacked(arrays) if arrays else ()


__all__ = [
    "array_shape", "flatten", "gathered", "items_of", "lower_bounds", "stacked", "with_bounds",
    "with_each",
]  # fmt: skip
