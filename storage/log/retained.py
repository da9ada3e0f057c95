"""What trim has left of a tablet's log, as a meta record says."""

from struct import Struct
from typing import NamedTuple

from storage.errors import DataCorruptedError
from storage.ids import TabletId
from storage.keys import meta_key
from storage.log.view import View

RETAINED = "retained_from"
"""Name of the meta record: two commits, 8 bytes each (`Retained`)."""

_RETAINED = Struct(">QQ")


class Retained(NamedTuple):
    """What trim has left of a log.

    complete_from: every entry from this commit on is there. oldest: no entry is older than this.
    """

    complete_from: int
    oldest: int

    def behind(self, other: "Retained") -> "Retained":
        """The same where something else may be missing, too: of a load, say, since this was worked out."""
        return Retained(max(self.complete_from, other.complete_from), self.oldest)

    def pack(self) -> bytes:
        """As a meta record."""
        return _RETAINED.pack(*self)


WHOLE = Retained(0, 0)
"""Of a log from which nothing was ever taken."""


def unpack_retained(data: bytes | None) -> Retained:
    """What a meta record of trim says, if there is one. Raises DataCorruptedError."""
    if data is None:
        return WHOLE
    if len(data) != _RETAINED.size:
        raise DataCorruptedError("a record of what the log retains cannot be read")
    return Retained(*_RETAINED.unpack(data))


def is_whole(view: View, tablet: TabletId) -> bool:
    """Whether a view's log and index have all that was ever written to a tablet.

    Trim notes in the same commit what it takes away; a tail forgets it a moment later.
    """
    return view.system_get(meta_key(tablet, RETAINED)) is None
