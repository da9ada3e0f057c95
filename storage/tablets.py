"""The tablets in use, and what of each tablet is in no segment yet. For the event loop."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from storage.ids import TabletId
from storage.layout import Layout
from storage.log.clock import us_of
from storage.log.writes import Part, Write, WriteSet, by_tablet
from storage.readings import Readings
from storage.schema import Versions
from storage.streams import StreamRegistry

if TYPE_CHECKING:
    from storage.tablet import Tablet

TabletFactory = Callable[[TabletId, Layout, Versions, Readings | None], "Tablet"]
"""Opens a tablet: anew, or as another reading of one that is in use."""

_MEMORY_CHECK_COMMITS = 1024
"""Commits between two looks at the tails' memory."""

_LOOKS = 30
"""So many looks (`rest_tails`), some five minutes, a large tail stays that is not used."""

_LARGE_TAIL = 16 << 20
"""More bytes are not kept for somebody who may come."""

_MEMORY_CHECK_BYTES = 64 << 20
"""Or bytes of rows."""

APPENDED_MAX = 20_000
"""Changes of one commit that a tail takes in: some 40 ms. Of more it is dropped, and loaded when wanted."""

APPENDED_BYTES_MAX = 4 << 20
"""Bytes of a commit's changes of a tablet that its tail takes in: some 10 ms to make columns. Of more a short
tail is dropped."""

RELOADED_MAX = 2000
"""Entries of a tablet's log beyond which its tail is kept all the same: readers would load them all again."""


@dataclass(slots=True)
class Dirty:
    """What of a tablet is in no segment.

    rows: entries; as long as they are not counted, at least so many. since_s: of the oldest, or before, in
    `time.monotonic` seconds. bytes: what the entries take in the log that have come since the start.
    """

    rows: int
    since_s: float
    bytes: int = 0


class TabletRegistry:
    """Tablets by id: one object each, as long as anybody uses it.

    The least recently used are let go beyond `tablets_max`, and lose their tails beyond
    `tail_bytes_max`. streams: those of STREAM tables, which take part in publishing.
    """

    def __init__(
        self,
        factory: TabletFactory,
        unflushed: Mapping[TabletId, int],
        streams: StreamRegistry,
        *,
        now_us: int,
        tablets_max: int,
        tail_bytes_max: int,
        on_failure: Callable[[str, Exception], None],
    ) -> None:
        self._factory = factory
        self._on_failure = on_failure
        self._tablets_max = tablets_max
        self._tail_bytes_max = tail_bytes_max
        self._tablets: WeakValueDictionary[TabletId, Tablet] = WeakValueDictionary()
        # What it is may have gone while somebody goes on in an older version, or is about to publish.
        self._readings: WeakValueDictionary[TabletId, Readings] = WeakValueDictionary()
        self._recent: OrderedDict[TabletId, Tablet] = OrderedDict()
        self.streams = streams
        self._versions: dict[int, dict[int, Layout]] = {}
        self._commits = self._grown = 0
        self._used: deque[int] = deque()
        self.tail_bytes = 0
        """What all tails took when they were looked at last."""
        now_s = time.monotonic()
        self.dirty = {
            tablet: Dirty(1, now_s - max(0, now_us - us_of(oldest)) / 1e6)
            for tablet, oldest in unflushed.items()
        }
        self.uncounted = dict(self.dirty)

    def learn(self, table: int, layouts: Iterable[Layout]) -> None:
        """These schema versions of a table are committed; the last one is its newest from here on."""
        known = self._versions.setdefault(table, {})
        for layout in layouts:
            known[layout.version] = layout
        self.streams.learn(table, known[max(known)])

    def versions(self, table: int) -> Versions:
        """The committed schema versions of a table; it grows."""
        return self._versions.setdefault(table, {})

    def tablet(self, tablet_id: TabletId, layout: Layout) -> "Tablet":
        """The tablet, opened at its first use, in a committed layout, or in a newer one that it has.

        Who has used it in an older one before goes on so (`storage.readings`).
        """
        recent = self._recent
        tablet = self._tablets.get(tablet_id)
        if tablet is None:
            known = self._versions.setdefault(tablet_id.table, {})
            known.setdefault(layout.version, layout)
            shared = self._readings.get(tablet_id)
            tablet = self._tablets[tablet_id] = self._factory(tablet_id, layout, known, shared)
            self._readings[tablet_id] = tablet.readings
        elif layout is not tablet.layout and layout.version > tablet.layout.version:
            self._versions.setdefault(tablet_id.table, {}).setdefault(layout.version, layout)
            tablet = self._tablets[tablet_id] = tablet.reading(layout)
            if tablet_id in recent:
                recent[tablet_id] = tablet
        if tablet_id in recent:
            recent.move_to_end(tablet_id)
        else:
            recent[tablet_id] = tablet
            if len(recent) > self._tablets_max:
                recent.popitem(last=False)
        return tablet

    def opened(self, tablet_id: TabletId) -> "Tablet | None":
        """The tablet, if anybody uses it."""
        return self._tablets.get(tablet_id)

    def tablets(self) -> list["Tablet"]:
        """Every open tablet."""
        return list(self._tablets.values())

    def append(self, sets: Sequence[WriteSet], now_us: int) -> None:
        """Take in the commits that are being published; what cannot be taken in, is dropped."""
        for write_set in sets:
            if write_set.layouts:
                for table, layouts in write_set.layouts:
                    self.learn(table, layouts)
            writes = write_set.writes
            if len(writes) == 1:
                self._append(writes[0].tablet, write_set.seq, writes)
            elif write_set.parts:
                for tablet_id, part in write_set.parts.items():
                    self._append_part(tablet_id, write_set.seq, part)
            else:
                for tablet_id, changes in by_tablet(writes).items():
                    self._append(tablet_id, write_set.seq, changes)
            if write_set.streams:
                for exc in self.streams.append(write_set.seq, write_set.streams, now_us):
                    self._on_failure("stream", exc)
        before, self._commits = self._commits, self._commits + len(sets)
        commits = before // _MEMORY_CHECK_COMMITS != self._commits // _MEMORY_CHECK_COMMITS
        if commits or self._grown > _MEMORY_CHECK_BYTES:
            self._grown = 0
            try:
                self.relieve_memory()
            except Exception as exc:  # noqa: BLE001 -- the commits are done, whatever it is
                self._on_failure("memory", exc)

    def doubt(self, write_set: WriteSet) -> None:
        """The commit may be in the log, unpublished: tails that lack it are dropped."""
        for tablet_id, changes in by_tablet(write_set.writes).items():
            self._note_dirty(tablet_id, len(changes))
            tablet = self._tablets.get(tablet_id)
            if tablet is not None:
                tablet.drop_tails()

    def _note_dirty(self, tablet_id: TabletId, rows: int) -> None:
        dirty = self.dirty.get(tablet_id)
        if dirty is None:
            self.dirty[tablet_id] = Dirty(rows, time.monotonic())
        else:
            dirty.rows += rows

    def _append_part(self, tablet_id: TabletId, seq: int, part: Part) -> None:
        """The same as `_append`; what would take long is left to whoever reads the log next."""
        if len(part.writes) <= APPENDED_MAX:
            self._append(tablet_id, seq, part.writes)
            return
        self._count(tablet_id, len(part.writes), part.size)
        tablet = self._tablets.get(tablet_id)
        if tablet is not None:
            tablet.readings.pass_over(tablet, seq, part)

    def _count(self, tablet_id: TabletId, rows: int, size: int) -> None:
        """So many entries, of so many bytes, have come to a tablet's log."""
        dirty = self.dirty.get(tablet_id)
        if dirty is None:
            dirty = self.dirty[tablet_id] = Dirty(rows, time.monotonic())
        else:
            dirty.rows += rows
        dirty.bytes += size
        self._grown += size

    def _append(self, tablet_id: TabletId, seq: int, writes: list[Write]) -> None:
        size = writes[0].size if len(writes) == 1 else sum([write.size for write in writes])
        self._count(tablet_id, len(writes), size)
        # Most are among the recent ones, where looking costs a tenth.
        tablet = self._recent.get(tablet_id) or self._tablets.get(tablet_id)
        if tablet is not None:
            try:
                if size > APPENDED_BYTES_MAX and self.dirty[tablet_id].rows < RELOADED_MAX:
                    tablet.drop_tails()
                tablet.append(seq, writes)
            except Exception as exc:  # noqa: BLE001 -- it may be half in: the log has all of it
                tablet.drop_tails()
                self._on_failure(f"tail of tablet {tablet_id.user}/{tablet_id.table}", exc)

    def counted(self, tablet_id: TabletId, dirty: Dirty, entries: int) -> None:
        """So many entries were found of what the start knew of, which may be flushed meanwhile."""
        if self.uncounted.get(tablet_id) is dirty:
            del self.uncounted[tablet_id]
            # A flush that found nothing has to end, too: what looks like one entry is one.
            dirty.rows += max(entries, 1) - 1

    def flushed(self, tablet_id: TabletId, left: int, oldest_s: float) -> None:
        """A flush has ended: `left` entries came after it, the first at `oldest_s` (monotonic)."""
        self.uncounted.pop(tablet_id, None)
        if left:
            before = self.dirty.get(tablet_id)
            # What has come meanwhile is as large as all, on average.
            size = 0 if before is None else before.bytes * left // max(before.rows, left)
            self.dirty[tablet_id] = Dirty(left, oldest_s, size)
        else:
            self.dirty.pop(tablet_id, None)

    def relieve_memory(self, bytes_max: int | None = None) -> None:
        """Drop the tails of the tablets used least recently, beyond their limit, or a lower one."""
        limit = self._tail_bytes_max
        if bytes_max is not None:
            limit = min(limit, bytes_max)
        self.tail_bytes = shrink_tails(self.tablets(), limit)

    def rest_tails(self) -> None:
        """Drop the large tails that nobody has used since this was called last but `_LOOKS`."""
        self._used.append(max([tablet.last_used for tablet in self._tablets.values()], default=0))
        if len(self._used) > _LOOKS:
            since = self._used.popleft()
            for tablet in self.tablets():
                if tablet.last_used <= since and tablet.tail_bytes > _LARGE_TAIL:
                    tablet.drop_tail()
        self.relieve_memory()

    def forget_table(self, table: int) -> None:
        """A table was dropped: let go of its tablets."""
        self._forget(lambda tablet_id: tablet_id.table == table)
        self._versions.pop(table, None)
        self.streams.forget_table(table)

    def forget_user(self, user: int) -> None:
        """A user is erased: let go of their tablets."""
        self._forget(lambda tablet_id: tablet_id.user == user)
        self.streams.forget_user(user)

    def _forget(self, is_gone: Callable[[TabletId], bool]) -> None:
        for registry in (
            *(self._tablets, self._recent, self._readings),
            *(self.dirty, self.uncounted),
        ):
            for tablet_id in [found for found in registry if is_gone(found)]:
                registry.pop(tablet_id, None)


def shrink_tails(tablets: Iterable["Tablet"], bytes_max: int) -> int:
    """Drop the tails least lately used until all take at most `bytes_max`; returns bytes left."""
    loaded = [(tablet.last_used, tablet.tail_bytes, tablet) for tablet in tablets]
    total = sum(size for _, size, _ in loaded)
    for _, size, tablet in sorted(loaded, key=lambda item: item[0]):
        if total <= bytes_max:
            break
        if size:
            tablet.drop_tail()
            total -= size
    return total
