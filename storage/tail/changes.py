"""What a commit does to the rows of a tail."""

from collections.abc import Sequence
from typing import Protocol

from storage.layout import VALUE_BYTES, Row, row_bytes
from storage.log.log_entry import Op


class TabletChange(Protocol):
    """What `Tablet.append` needs of a write. size: bytes of its log entry; 0: nobody has counted."""

    op: Op
    key: bytes
    row: Row
    old: Row | None
    version: int
    size: int


def rows_sizes(changes: Sequence[TabletChange], width: int) -> list[int]:
    """About the bytes of each row, as its log entry tells: one without an older row has this one alone."""
    fixed = VALUE_BYTES * width
    return [
        change.size + fixed
        if change.size and (change.old is None or change.old is change.row)
        else row_bytes(change.row)
        for change in changes
    ]
