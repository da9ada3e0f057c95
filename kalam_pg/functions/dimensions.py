"""Arrays of several dimensions: stored as tuples of tuples, all as long as their neighbours."""

from collections.abc import Callable, Sequence

from kalam_pg.functions.define import Datum


def array_shape(array: Datum) -> list[int]:
    """Length of each dimension; [] for an empty array."""
    shape: list[int] = []
    while isinstance(array, tuple) and array:
        shape.append(len(array))
        array = array[0]
    return shape


def flatten(items: Sequence[Datum]) -> Sequence[Datum]:
    """The elements of an array of any dimension, in storage order."""
    if not items or not isinstance(items[0], tuple):
        return items
    return [leaf for item in items for leaf in flatten(item)]


def with_each(items: Sequence[Datum], change: Callable[[Datum], Datum]) -> tuple[Datum, ...]:
    """The array with each of its elements changed."""
    return tuple([with_each(i, change) if isinstance(i, tuple) else change(i) for i in items])
