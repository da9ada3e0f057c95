"""How far back a new tail reaches: over what segments have already and the log still holds.

A tail that was there when rows were flushed keeps them. One that is made anew, after a start or when
memory was short, begins with some of them too: the newest rows are asked for most, and those of a small
tablet are all.
"""

from typing import Final

from storage.ids import TabletId
from storage.keys import meta_key
from storage.log.retained import RETAINED, unpack_retained
from storage.log.view import View

INLINE: Final = 256, 1 << 20
"""A tail of up to this many log entries, and bytes, is built on the event loop: about 1 ms."""

REACH: Final = 2048, 32 << 20
"""So many older entries are taken into a long tail that is loaded: some 10 ms of a thread."""


def beginning(
    view: View, tablet: TabletId, flushed_through: int, entries_max: int, bytes_max: int
) -> int:
    """The seq that a tail may begin behind: the log has every entry from there to `flushed_through`.

    These are at most `entries_max` entries, and `bytes_max` bytes, of whole commits.
    """
    retained = unpack_retained(view.system_get(meta_key(tablet, RETAINED)))
    least = max(0, retained.complete_from - 1)
    if least >= flushed_through:
        return flushed_through
    older = view.log(tablet, least, upto=flushed_through, reverse=True)
    held = 0
    for number, (seq, _, entry) in enumerate(older):
        held += len(entry)
        if number == entries_max or held > bytes_max:
            return seq  # Of this commit some entries may be further back.
    return least


def short_beginning(
    view: View, tablet: TabletId, flushed_through: int, entries_max: int, bytes_max: int
) -> int | None:
    """The same for a tail that is made at once; None: there are more entries, or bytes, than that anyway."""
    entries = held = 0
    for _, _, entry in view.log(tablet, flushed_through):
        entries += 1
        held += len(entry)
        if entries > entries_max or held > bytes_max:
            return None
    return beginning(view, tablet, flushed_through, entries_max - entries, bytes_max - held)
