"""Arrays that do not begin at 1: `'[0:2]={1,2,3}'`.

Every other array is a tuple, of tuples if it has several dimensions. One with other lower bounds is no
tuple: what would take it for one of those, and lose its bounds, fails instead.
"""

from typing import Any, cast

from catalog.errors import NumericValueOutOfRangeError
from storage.errors import KeyTooLongError
from storage.layout import Value
from storage.shaped import BoundedArray, from_extension, to_extension

__all__ = [
    "BoundedArray", "bounded", "from_extension", "items_of", "next_index", "to_extension",
]  # fmt: skip

_INT4_MAX = 2**31 - 1


def bounded(items: tuple[Value, ...], lower: tuple[int, ...], sizes: tuple[int, ...]) -> Value:
    """The array of these elements and sizes that begins there: a plain one where that is 1.

    Raises:
        KeyTooLongError: 54000, an upper bound would be no integer.
    """
    if not items or all(bound == 1 for bound in lower):
        return items
    for bound, size in zip(lower, sizes, strict=True):
        if bound + size > _INT4_MAX:
            raise KeyTooLongError(f"array lower bound is too large: {bound}")
    return cast("Value", BoundedArray(items, lower))  # No `Value`, so that what knows none is told.


def items_of(array: Any) -> tuple[Any, ...]:  # noqa: ANN401 -- a stored value
    """The elements of an array as one that begins at 1 has them."""
    found: tuple[Any, ...] = array.items if array.__class__ is BoundedArray else array
    return found


def next_index(last: int, step: int) -> int:
    """The index beside another one. Raises 22003 where that is no integer."""
    index = last + step
    if not -_INT4_MAX - 1 <= index <= _INT4_MAX:
        raise NumericValueOutOfRangeError("integer out of range")
    return index
