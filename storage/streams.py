"""The STREAM tablets that hold anything, and when the oldest change of each is too old.

An empty one takes no memory: it is made anew when it is asked for. One heap says which are due, so that a
look at the time costs what is due and not what there is.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Final
from weakref import WeakValueDictionary

from storage.ids import TabletId
from storage.log.writes import Write, by_tablet
from storage.stream import END, Place, StreamLimits, StreamTablet

EMPTIED_MAX: Final = 10_000
"""Tablets whose last change is remembered when it is gone, so that its followers are known to have all."""

_LOOKS_AT_ONCE: Final = 500
"""Tablets that one look at the time asks: some 1 ms."""


class StreamRegistry:
    """Every STREAM tablet in use, one object each. For the event loop."""

    def __init__(self, now_us: Callable[[], int], began: int) -> None:
        """began: the newest commit before this start; nothing is known of what came before."""
        self._now_us = now_us
        self._limits: dict[int, StreamLimits] = {}  # By table, as last given.
        self._open: WeakValueDictionary[TabletId, StreamTablet] = WeakValueDictionary()
        self._filled: dict[TabletId, StreamTablet] = {}
        self._due: list[tuple[int, TabletId]] = []  # One entry for each filled one.
        self._emptied: OrderedDict[TabletId, Place] = OrderedDict()
        self._forgotten: Place = (began, END)  # Of all that are neither open nor among those.

    def __len__(self) -> int:
        """How many hold anything."""
        return len(self._filled)

    def tablet(self, tablet_id: TabletId, limits: StreamLimits) -> StreamTablet:
        """A STREAM table's tablet, with its table's limits from now on."""
        known = self._limits.get(tablet_id.table)
        if known is None or (limits != known and limits.layout.version >= known.layout.version):
            self._limits[tablet_id.table] = known = limits
        return self._opened(tablet_id, known)

    def _opened(self, tablet_id: TabletId, limits: StreamLimits) -> StreamTablet:
        tablet = self._open.get(tablet_id)
        if tablet is None:
            forgotten = self.forgotten(tablet_id)
            tablet = StreamTablet(tablet_id, limits, self._now_us, forgotten)
            self._open[tablet_id] = tablet
        elif tablet.limits is not limits:
            tablet.configure(limits)
        return tablet

    def find(self, tablet_id: TabletId) -> StreamTablet | None:
        """The tablet, if its table was used since the start and is not dropped."""
        limits = self._limits.get(tablet_id.table)
        return None if limits is None else self._opened(tablet_id, limits)

    def forgotten(self, tablet_id: TabletId) -> Place:
        """Of a tablet's changes up to here nothing may be known any more; of all later ones everything."""
        tablet = self._open.get(tablet_id)
        if tablet is not None:
            return tablet.forgotten
        return self._emptied.get(tablet_id, self._forgotten)

    def append(self, seq: int, writes: Sequence[Write], now_us: int) -> list[Exception]:
        """Take in a published commit's changes; what a tablet raises costs that one alone."""
        failures: list[Exception] = []
        for tablet_id, changes in by_tablet(writes).items():
            try:
                tablet = self.find(tablet_id)
                if tablet is not None:  # None: the table was dropped meanwhile.
                    tablet.append(seq, changes, now_us)
                    if tablet_id not in self._filled:
                        self._filled[tablet_id] = tablet
                        heappush(self._due, (tablet.due_us, tablet_id))
            except Exception as exc:  # noqa: BLE001 -- other tablets' rows come all the same
                failures.append(exc)
        return failures

    def evict(self) -> bool:
        """Let go of some of what is too old; whether there is more."""
        now_us, due = self._now_us(), self._due
        for _ in range(_LOOKS_AT_ONCE):
            if not due or due[0][0] > now_us:
                return False
            _, tablet_id = heappop(due)
            tablet = self.find(tablet_id)
            if tablet is None or tablet_id not in self._filled:
                continue
            more = tablet.evict(now_us)
            if len(tablet):
                heappush(due, (tablet.due_us, tablet_id))
            else:
                del self._filled[tablet_id]
                self._remember(tablet)
            if more:
                return True
        return True

    def _remember(self, tablet: StreamTablet) -> None:
        emptied = self._emptied
        emptied[tablet.id] = tablet.forgotten
        emptied.move_to_end(tablet.id)
        if len(emptied) > EMPTIED_MAX:
            self._forgotten = max(self._forgotten, emptied.popitem(last=False)[1])

    def forget_table(self, table: int) -> None:
        """A table was dropped: let go of its tablets."""
        self._limits.pop(table, None)
        for found in (self._open, self._filled, self._emptied):
            for tablet_id in [one for one in found if one.table == table]:
                found.pop(tablet_id, None)
