"""STREAM tables: a tablet's rows in memory, until their time to live or the buffer's end.

Rows come at publish with their transaction's seq and never touch the disk. Reads cut at the view's seq, but
eviction may take rows that an old view would still show.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from storage.arrow import to_batch
from storage.ids import TabletId
from storage.layout import Layout, Row
from storage.rows import Op
from storage.tablet import Change, Scan, TabletStats
from storage.view import Version, View

_batch_ids = count(-1_000_000_000, -1)
"""Below every other batch id: a stream's batches are made for one statement each."""


@dataclass(slots=True)
class _Event:
    seq: int
    op: Op
    key: bytes
    row: Row
    version: int
    expires_us: int


class StreamTablet:
    """The same reads as `storage.tablet.Tablet`; every method is for the event loop.

    ttl_us: how long a row lives. max_buffer: how many versions are kept, 0 for no limit.
    """

    def __init__(self, tablet: TabletId, layout: Layout, ttl_us: int, max_buffer: int) -> None:
        self.id = tablet
        self.layout = layout
        self._ttl_us = ttl_us
        self._max_buffer = max_buffer
        self._events: deque[_Event] = deque()
        self._newest: dict[bytes, _Event] = {}
        self.evicted = 0

    def append(self, seq: int, writes: Sequence[Change], now_us: int) -> None:
        """Take in a published commit's changes."""
        for write in writes:
            event = _Event(
                seq, write.op, write.key, write.row, write.version, now_us + self._ttl_us
            )
            self._events.append(event)
            self._newest[write.key] = event
        self.evict(now_us)

    def evict(self, now_us: int) -> int:
        """Drop what has outlived its time or the buffer; how many versions went."""
        events = self._events
        before = len(events)
        while events and (
            events[0].expires_us <= now_us or (self._max_buffer and len(events) > self._max_buffer)
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
        if event is None or event.op is Op.DELETE or event.expires_us <= _now_us():
            return None
        if event.seq > view.seq:
            return next((v for v in self.newest(view) if v.row == event.row), None)
        return Version(event.seq, 0, event.op, event.row, event.version, None)

    def newest(self, view: View) -> Iterator[Version]:
        """Live versions, newest commit first."""
        now_us = _now_us()
        seen: set[bytes] = set()
        for event in reversed(self._events):
            if event.seq > view.seq:
                continue
            if event.expires_us <= now_us:
                return
            if event.key not in seen:
                seen.add(event.key)
                if event.op is not Op.DELETE:
                    yield Version(event.seq, 0, event.op, event.row, event.version, None)

    def newest_floor(self, _view: View) -> int:
        """0: `newest` gives every row there is."""
        return 0

    def in_order(self, _column_position: int) -> bool:
        """No column is known to be in order."""
        return False

    def scan(self, view: View) -> Scan:
        """Everything that the view sees, as one batch."""
        versions = list(self.newest(view))
        versions.reverse()
        batch = to_batch(
            [v.row for v in versions],
            self.layout,
            [v.seq for v in versions],
            [False] * len(versions),
        )
        return Scan(((next(_batch_ids), batch),), (), None, False, len(versions))

    def stats(self, view: View) -> TabletStats:
        """Counts for SHOW STATS."""
        rows = sum(1 for _ in self.newest(view))
        return TabletStats(rows, 0, 0, 0, 0)


def _now_us() -> int:
    return time.time_ns() // 1000
