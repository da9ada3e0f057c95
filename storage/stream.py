"""STREAM tables: a tablet's rows in memory, until their time to live or the buffer's end.

Rows come at publish with their transaction's seq and never touch the disk. Reads are cut at the
view's seq, but eviction may take rows that an old view would still show.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from storage.answers import Scan, TabletChange, TabletStats
from storage.arrow import projector, to_batch
from storage.ids import TabletId
from storage.layout import Layout, Row, Value
from storage.log.log_entry import Op
from storage.log.view import Version, View
from storage.tail.live_rows import LiveRows
from storage.wall_clock import now_us

_batch_ids = count(-1_000_000_000, -1)
"""Below every other batch id: a stream's batches are made for one statement each."""


@dataclass(slots=True)
class _Event:
    """One version. at_us: when it was published."""

    seq: int
    op: Op
    key: bytes
    row: Row
    at_us: int


class StreamTablet:
    """The same reads as `storage.tablet.Tablet`; for the event loop. Its length is its versions.

    evicted: versions that have outlived their time or the buffer so far.
    """

    def __init__(
        self,
        tablet: TabletId,
        layout: Layout,
        ttl_us: int,
        max_buffer: int,
        now_us: Callable[[], int] = now_us,
    ) -> None:
        """An empty tablet.

        Args:
            tablet: Whose rows of which table.
            layout: The newest schema version.
            ttl_us: How long a row is seen, 0 for ever.
            max_buffer: How many versions are kept, 0 for no limit.
            now_us: The time, in µs since 1970.
        """
        self.id = tablet
        self.layout = layout
        self.evicted = 0
        self._ttl_us = ttl_us
        self._max_buffer = max_buffer
        self._now_us = now_us
        self._events: deque[_Event] = deque()
        self._newest: dict[bytes, _Event] = {}

    def __len__(self) -> int:
        return len(self._events)

    def __bool__(self) -> bool:
        return True

    def configure(self, layout: Layout, ttl_us: int, max_buffer: int) -> None:
        """The table's definition may have changed: these hold from now on."""
        self._ttl_us, self._max_buffer = ttl_us, max_buffer
        if layout.version > self.layout.version:
            move = projector(self.layout, layout)
            if move is not None:
                for event in self._events:
                    event.row = move(event.row)
            self.layout = layout

    def append(self, seq: int, writes: Sequence[TabletChange], now_us: int) -> None:
        """Take in a published commit's changes, in commit order."""
        events = self._events
        if events:
            now_us = max(now_us, events[-1].at_us)  # The clock may step back; expiry is in order.
        for write in writes:
            if write.op is Op.TRUNCATE:
                events.clear()
                self._newest.clear()
                continue
            event = _Event(seq, write.op, write.key, write.row, now_us)
            events.append(event)
            self._newest[write.key] = event
        self.evict(now_us)

    def evict(self, now_us: int) -> int:
        """Drop what has outlived its time or the buffer; returns how many versions went."""
        events = self._events
        before = len(events)
        expired_us = self._expired_us(now_us)
        while events and (
            events[0].at_us <= expired_us or (self._max_buffer and len(events) > self._max_buffer)
        ):
            event = events.popleft()
            if self._newest.get(event.key) is event:
                del self._newest[event.key]
        gone = before - len(events)
        self.evicted += gone
        return gone

    def get(self, view: View, key: bytes) -> Version | None:
        """The live row of a key."""
        event = self._newest.get(key)
        if event is not None and event.seq > view.seq:
            older = (e for e in reversed(self._events) if e.key == key and e.seq <= view.seq)
            event = next(older, None)
        if (
            event is None
            or event.op is Op.DELETE
            or event.at_us <= self._expired_us(self._now_us())
        ):
            return None
        return self._version(event)

    def newest(self, view: View, equals: Sequence[tuple[int, Value]] = ()) -> Iterator[Version]:
        """Live versions with these values at these positions, newest commit first."""
        expired_us = self._expired_us(self._now_us())
        seen: set[bytes] = set()
        for event in reversed(self._events):
            if event.at_us <= expired_us:
                return
            if event.seq <= view.seq and event.key not in seen:
                seen.add(event.key)
                row = event.row
                if event.op is not Op.DELETE and all(row[at] == value for at, value in equals):
                    yield self._version(event)

    def newest_floor(self, view: View) -> int:
        """0: `newest` gives every row there is."""
        return 0

    def in_order(self, column_position: int) -> bool:
        """No column is known to be in order."""
        return False

    def scan(self, view: View) -> Scan:
        """Everything that the view sees, as one batch in commit order."""
        versions = list(self.newest(view))
        versions.reverse()
        batch = to_batch(
            [version.row for version in versions],
            self.layout,
            [version.seq for version in versions],
            [False] * len(versions),
        )
        batches = ((next(_batch_ids), batch),) if versions else ()
        return Scan(batches, (), None, overlapping=False, rows=len(versions))

    def count(self, view: View) -> int:
        """How many rows the view sees."""
        return sum(1 for _ in self.newest(view))

    def live_rows(self, view: View, rows_max: int) -> LiveRows | None:
        """Everything that the view sees, in commit order; None when it may be more than `rows_max`."""
        if len(self._newest) > rows_max:
            return None
        versions = list(self.newest(view))
        versions.reverse()
        return LiveRows((), [v.row for v in versions], [v.seq for v in versions])

    def hot_rows(self, view: View) -> int:
        """At most how many rows `newest` gives."""
        return len(self._newest)

    def stats(self, view: View) -> TabletStats:
        """Counts for SHOW STATS; bytes are not known."""
        return TabletStats(sum(1 for _ in self.newest(view)), 0, 0, 0, 0)

    def _expired_us(self, now_us: int) -> int:
        """What was published at this time or before is seen no more."""
        return now_us - self._ttl_us if self._ttl_us else -1

    def _version(self, event: _Event) -> Version:
        return Version(event.seq, 0, event.op, event.row, self.layout.version, None)
