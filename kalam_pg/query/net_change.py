"""What a transaction has done to one key, or to a whole tablet."""

from dataclasses import dataclass
from typing import NamedTuple

from storage.layout import Row


@dataclass(slots=True)
class NetChange:
    """The net change of one key: from `base` (None: no row) to `row` (None: no row).

    base_seq: `_seq` of the version it replaces, a tombstone's too; 0 when the key was never there.
    """

    base: Row | None
    base_seq: int
    row: Row | None
    version: int
    stream: bool


class Emptied(NamedTuple):
    """A tablet that the transaction has truncated. version: of the table. stream: it is a STREAM table's."""

    version: int
    stream: bool
