"""Which tablets have log entries that no segment holds: a list in the log's system records.

A start reads this list and looks at no other tablet, however many there are. So it must never lack one:

- The batch that gives a tablet such an entry has its note too, unless the committer knows that it is there.
- A flush that has ended takes the note away in the committer's turn, unless the tablet has a commit beyond
  what was flushed; with that the committer knows of no note any more.

It may name too many: a crash may come between a flush's manifest and its end. `conformance.model` has both
rules. How many entries there are is not on the list; they are counted when the server has started
(`count_entries`).
"""

from collections.abc import Iterator, Mapping

from storage.ids import TabletId
from storage.keys import (
    log_key,
    log_prefix,
    log_range,
    meta_key,
    split_log_key,
    successor,
    system_key,
)
from storage.log.hot import HotSnapshot, Put
from storage.log.manifest_note import unpack_note
from storage.log.view import View

_NAME = "unflushed"

COMPLETE = system_key("unflushed_complete")
"""System record: the list has every tablet that should be on it. Directories had none before it was kept."""

_INT_OFFSET = 1 << 63  # As `system_key` writes ints: a tag byte, then 8 bytes offset by this.


def note_key(tablet: TabletId) -> bytes:
    """System record of a tablet on the list: its oldest unflushed entry's seq or a lower one, 8 bytes."""
    return system_key(_NAME, tablet.user, tablet.table)


def tablet_of(key: bytes) -> TabletId:
    """The tablet of a system record whose name is followed by a tablet's user and table."""
    user = int.from_bytes(key[-17:-9]) - _INT_OFFSET
    return TabletId(user, int.from_bytes(key[-8:]) - _INT_OFFSET)


def read_list(snapshot: HotSnapshot) -> dict[TabletId, int]:
    """The tablets on the list, with the seq of their oldest unflushed entry or a lower one."""
    prefix = system_key(_NAME)
    scanned = snapshot.scan(prefix, successor(prefix))
    return {tablet_of(key): int.from_bytes(value) for key, value in scanned}


def make_list(found: Mapping[TabletId, int]) -> list[Put]:
    """The records of a list, for a directory that has none."""
    notes = [(note_key(tablet), seq.to_bytes(8)) for tablet, seq in found.items()]
    return [*notes, (COMPLETE, b"\1")]


def find_unflushed(snapshot: HotSnapshot) -> Iterator[tuple[TabletId, int]]:
    """What the list should have, without it: some seeks for every tablet that has a log."""
    start, stop = log_range()
    while (key := next(snapshot.scan_keys(start, stop), None)) is not None:
        tablet, _, _ = split_log_key(key)
        start = successor(log_prefix(tablet))
        after = unpack_note(snapshot.get(meta_key(tablet))).flushed_through
        oldest = next(snapshot.scan_keys(log_key(tablet, after + 1, 0), start), None)
        if oldest is not None:
            yield tablet, split_log_key(oldest)[1]


def count_entries(view: View, tablet: TabletId, upto: int) -> int:
    """How many entries up to a commit a tablet's log has beyond its flush hint. For any thread."""
    after = unpack_note(view.system_get(meta_key(tablet))).flushed_through
    keys = view.scan_keys(log_key(tablet, after + 1, 0), log_key(tablet, upto + 1, 0))
    return sum(1 for _ in keys)


class Noted:
    """The tablets of which the committer knows that they are on the list. For its thread.

    What it does not know costs a put, so it may forget at any time.
    """

    def __init__(self) -> None:
        self.tablets: set[TabletId] = set()

    def forget_all(self) -> None:
        """A batch may not have been written."""
        self.tablets.clear()

    def settle(self, tablet: TabletId, newest: int, flushed_through: int) -> Put:
        """What becomes of a tablet's record when it is flushed. newest: its newest commit."""
        if newest > flushed_through:
            return note_key(tablet), (flushed_through + 1).to_bytes(8)
        self.tablets.discard(tablet)
        return note_key(tablet), None
