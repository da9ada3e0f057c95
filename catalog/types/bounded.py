"""Arrays that do not begin at 1: `'[0:2]={1,2,3}'`.

Every other array is a tuple, of tuples if it has several dimensions. One with other lower bounds is no
tuple: what would take it for one of those, and lose its bounds, fails instead.
"""

from collections.abc import Iterator
from typing import Any, cast

import msgspec

from catalog.errors import NumericValueOutOfRangeError
from storage.errors import KeyTooLongError
from storage.layout import Value

_INT4_MAX = 2**31 - 1
_CODE = 2
"""Of these values among what MessagePack has not."""


class BoundedArray:
    """An array with its elements as others have them, and the lower bound of each of its dimensions.

    Never empty, and one of the bounds is not 1: two arrays that are equal are so in Python too. Its length,
    and what it gives one by one, are those of the first dimension. It has no `[…]`: whoever takes an
    element must know from where it counts.
    """

    __slots__ = ("items", "lower")

    def __init__(self, items: tuple[Value, ...], lower: tuple[int, ...]) -> None:
        self.items = items
        self.lower = lower

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundedArray):
            return NotImplemented
        return (self.items, self.lower) == (other.items, other.lower)

    def __hash__(self) -> int:
        return hash((self.items, self.lower))

    def __repr__(self) -> str:
        return f"BoundedArray({self.items!r}, {self.lower!r})"

    def __iter__(self) -> Iterator[Value]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


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


def to_extension(value: object) -> msgspec.msgpack.Ext:
    """What MessagePack has for such an array; TypeError for anything else."""
    if not isinstance(value, BoundedArray):
        raise TypeError(type(value).__name__)
    return msgspec.msgpack.Ext(_CODE, msgspec.msgpack.encode((value.lower, value.items)))


def from_extension(code: int, data: memoryview) -> BoundedArray:
    """The inverse of `to_extension`."""
    if code != _CODE:
        raise ValueError(code)
    lower, items = msgspec.msgpack.decode(data)
    return BoundedArray(_tuples(items), tuple(lower))


def _tuples(items: list[Any]) -> tuple[Value, ...]:
    return tuple([_tuples(item) if isinstance(item, list) else item for item in items])
