"""About what the parts of a transaction take in memory, as measured."""

from collections.abc import Sequence
from typing import Final

from catalog.types.bounded import BoundedArray
from storage.layout import VALUE_BYTES, Row, array_bytes, row_bytes

CHANGE_BYTES: Final = 300
"""A changed row, beside its values: itself, its key, its lock, their places."""

LOCK_BYTES: Final = 250
"""The lock of a row, with its name."""

ENTRY_BYTES: Final = 300
"""What is noted of a savepoint, or of a question for the end."""

COMMITTED_BYTES: Final = 350
COMMITTED_VALUE_BYTES: Final = 16
COMMITTED_COPIES: Final = 2.5
"""The commit of a change, of each of its values, and of the bytes of those that are texts: as a write, in the
log's batch and buffer, and in the tail."""


def change_bytes(row: Row | None) -> int:
    """A change to `row`; None: to no row."""
    return CHANGE_BYTES if row is None else CHANGE_BYTES + row_bytes(row)


def rows_bytes(rows: Sequence[Row]) -> int:
    """`row_bytes` of all of them, which are alike: a tenth of its time."""
    return VALUE_BYTES * len(rows) * len(rows[0]) + text_bytes(rows) if rows else 0


def text_bytes(rows: Sequence[Row]) -> int:
    """About how many bytes the values of rows have that are of any length: 0.1 to 0.3 µs a row."""
    try:
        return _column_bytes(rows)
    except TypeError:  # A column has values of several types.
        return sum(map(row_bytes, rows))


def _column_bytes(rows: Sequence[Row]) -> int:
    size = 0
    for column in zip(*rows, strict=True):
        first = next(filter(None, column), None)
        kind = first.__class__
        if kind is str or kind is bytes:
            size += sum(map(len, filter(None, column)))
        elif kind is tuple or kind is BoundedArray:
            size += sum([_items_bytes(value) for value in column if value])
    return size


def _items_bytes(value: object) -> int:
    """What the elements of an array take, as `row_bytes` has it."""
    return array_bytes(value.items if isinstance(value, BoundedArray) else value)  # type: ignore[arg-type]  # told by its class
