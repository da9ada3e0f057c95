"""The STREAM tablets that hold anything, and when the oldest change of each is too old.

An empty one takes no memory: it is made anew when it is asked for. One heap says which are due, so that a
look at the time costs what is due and not what there is.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from typing import Final
from weakref import WeakValueDictionary

from storage.ids import NO_USER, TabletId
from storage.layout import Layout
from storage.log.writes import Write, by_tablet
from storage.stream import (
    END,
    EVICTED_AT_ONCE,
    Discarded,
    Place,
    StreamLimits,
    StreamTablet,
)

EMPTIED_MAX: Final = 10_000
"""Tablets whose last change is remembered when it is gone, so that its followers are known to have all."""

FREED_AT_ONCE: Final = 20_000
"""Changes that are freed in one step: some 3 ms."""

_LOOKS_AT_ONCE: Final = 500
"""Tablets that one look at the time asks: some 1 ms."""


class StreamRegistry:
    """Every STREAM tablet in use, one object each. For the event loop.

    size: about how many bytes they all take, but for those that are lasting: lasting_size. bytes_max: where
    the size is more, the oldest changes of the largest go, as those beyond MAX_BUFFER do; 0 is no limit.
    on_excess: called when there is something for `relieve` to do.
    """

    def __init__(self, now_us: Callable[[], int], began: int) -> None:
        """began: the newest commit before this start; nothing is known of what came before."""
        self._now_us = now_us
        self._limits: dict[int, StreamLimits] = {}  # By table, as last given.
        self._open: WeakValueDictionary[TabletId, StreamTablet] = WeakValueDictionary()
        self._filled: dict[TabletId, StreamTablet] = {}
        self._due: list[tuple[int, TabletId]] = []  # One entry for each filled one.
        self._emptied: OrderedDict[TabletId, Place] = OrderedDict()
        self._forgotten: Place = (began, END)  # Of all that are neither open nor among those.
        self.size = self.lasting_size = 0
        self.bytes_max = 0
        self.on_excess: Callable[[], object] = _do_nothing
        self._by_size: dict[int, dict[TabletId, None]] = {}
        """Those that hold anything, by the binary logarithm of their size."""
        self._sizes: dict[TabletId, int] = {}
        self._discarded: list[Discarded] = []

    def __len__(self) -> int:
        """How many hold anything."""
        return len(self._filled)

    def tablet(self, tablet_id: TabletId, limits: StreamLimits) -> StreamTablet:
        """A STREAM table's tablet, with its table's limits from now on."""
        known = self._limits.get(tablet_id.table)
        if known is None or (limits != known and limits.layout.version >= known.layout.version):
            self._limits[tablet_id.table] = known = limits
        return self._opened(tablet_id, known)

    def learn(self, table: int, layout: Layout) -> None:
        """A table has this layout from the commit on that is being published."""
        known = self._limits.get(table)
        if known is not None:
            self._limits[table] = replace(known, layout=layout)

    def _opened(self, tablet_id: TabletId, limits: StreamLimits) -> StreamTablet:
        tablet = self._open.get(tablet_id)
        if tablet is None:
            forgotten = self.forgotten(tablet_id)
            tablet = StreamTablet(tablet_id, limits, self._now_us, forgotten)
            self._open[tablet_id] = tablet
        elif tablet.limits is not limits:
            tablet.configure(limits)
        return tablet

    def size_of_all(self, table: int) -> int:
        """About how many bytes the rows of a table take that are everybody's."""
        return self._sizes.get(TabletId(NO_USER, table), 0)

    def ids(self) -> list[TabletId]:
        """Every tablet that holds anything."""
        return list(self._filled)

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

    def newest_change(self, tablet_id: TabletId) -> int:
        """No change of a tablet is of a later commit. From any thread."""
        tablet = self._open.get(tablet_id)
        forgotten = self.forgotten(tablet_id)[0]
        return forgotten if tablet is None else max(forgotten, tablet.newest_change)

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
                    self._weigh(tablet)
            except Exception as exc:  # noqa: BLE001 -- other tablets' rows come all the same
                failures.append(exc)
        return failures

    def _weigh(self, tablet: StreamTablet) -> None:
        """A tablet has another size, perhaps none."""
        tablet_id, size = tablet.id, tablet.size
        before = self._sizes.get(tablet_id, 0)
        if size:
            self._sizes[tablet_id] = size
        else:
            self._sizes.pop(tablet_id, None)
        if tablet.limits.lasting:
            self.lasting_size += size - before
        else:
            self.size += size - before
            self._rank(tablet_id, before.bit_length(), size.bit_length())
        if tablet.discarded:
            self._discarded += tablet.discarded
            tablet.discarded.clear()
            self.on_excess()
        elif self.bytes_max and self.size > self.bytes_max:
            self.on_excess()

    def _rank(self, tablet_id: TabletId, was: int, now: int) -> None:
        if was == now:
            return
        if was:
            del self._by_size[was][tablet_id]
            if not self._by_size[was]:
                del self._by_size[was]
        if now:
            self._by_size.setdefault(now, {})[tablet_id] = None

    def relieve(self) -> bool:
        """Free some of what was let go of, or let go of what all have too much; whether there is more."""
        for at, discarded in enumerate(self._discarded):
            if not discarded.is_read:
                if not discarded.free_some(FREED_AT_ONCE):
                    del self._discarded[at]
                return True
        excess = self.size - self.bytes_max
        if not self.bytes_max or excess <= 0:
            return False
        tablet_id = next(iter(self._by_size[max(self._by_size)]))
        tablet = self._filled[tablet_id]
        tablet.drop(EVICTED_AT_ONCE, tablet.size - excess)
        self._weigh(tablet)  # Where it has nothing now, it goes when its time in the heap has come.
        return True

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
            self._weigh(tablet)
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
        self._forget(lambda tablet_id: tablet_id.table == table)

    def forget_user(self, user: int) -> None:
        """A user is erased: let go of their tablets."""
        self._forget(lambda tablet_id: tablet_id.user == user)

    def _forget(self, is_gone: Callable[[TabletId], bool]) -> None:
        for tablet in [one for one in self._filled.values() if is_gone(one.id)]:
            discarded = tablet.discard()
            tablet.size = 0
            self._weigh(tablet)
            self._discarded.append(discarded)
            self.on_excess()
        for found in (self._open, self._filled, self._emptied):
            for tablet_id in [one for one in found if is_gone(one)]:
                found.pop(tablet_id, None)


def _do_nothing() -> None:
    """Nobody sees to it."""
