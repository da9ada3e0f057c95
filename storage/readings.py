"""One tablet in several schema versions at once: who began in one keeps it, later ones have the newest.

A `Tablet` never changes its layout. When its table has a new one another tablet takes its place, over the
same manifests; the old one lives as long as somebody uses it, and is told of every commit until then, in
its own layout. A transaction that has altered its table reads in a layout that nobody else knows yet, and
may never know: such a reading is its own as well.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from weakref import WeakSet

from storage.layout import Layout
from storage.log.log_count import LogCount
from storage.log.view import LARGE_ENTRY_BYTES

if TYPE_CHECKING:
    from storage.cold.kept_manifests import KeptManifests
    from storage.log.writes import Part
    from storage.schema import Versions
    from storage.tablet import Tablet
    from storage.tail.changes import TabletChange


class Readings:
    """What the tablets that are one in different layouts have in common. For the event loop.

    versions: the committed ones of its table. kept: its manifests. large: keys of which it is known that
    their newest log entry is not for the event loop (`View.find`).
    """

    __slots__ = ("__weakref__", "_all", "kept", "large", "log_count", "versions")

    def __init__(self, versions: "Versions", kept: "KeptManifests") -> None:
        self.versions = versions
        self.kept = kept
        self.log_count = LogCount()
        self.large: set[bytes] = set()
        self._all: WeakSet[Tablet] | None = None  # Hardly any has more than one.

    def add(self, first: "Tablet", other: "Tablet") -> None:
        """A second one of a tablet, in another layout."""
        if self._all is None:
            self._all = WeakSet((first,))
        self._all.add(other)

    def join(self, tablet: "Tablet") -> None:
        """One more of a tablet of which some are in use, and that nobody told of commits meanwhile."""
        self._all = WeakSet([tablet, *self.others(tablet)])
        self.drop_tails(tablet)

    def others(self, tablet: "Tablet") -> "Iterator[Tablet]":
        """Those in use beside this one."""
        if self._all is not None:
            yield from [one for one in self._all if one is not tablet]

    def append(self, tablet: "Tablet", seq: int, writes: "Sequence[TabletChange]") -> None:
        """Tell the others of a commit."""
        for write in writes:
            if write.size > LARGE_ENTRY_BYTES:
                self.large.add(write.key)
            elif self.large:
                self.large.discard(write.key)
        if self._all is None:
            return
        for other in self.others(tablet):
            try:
                other.append_own(seq, writes)
            except BaseException:
                other.drop_tail()  # It may be half in: the log has all of it.
                raise

    def pass_over(self, tablet: "Tablet", seq: int, part: "Part") -> None:
        """A commit of very many changes: whoever reads next, in any layout, reads them from the log."""
        if self.large:
            self.large.difference_update([write.key for write in part.writes])
        self.large.update(part.large)
        tablet.drop_tails()
        if part.truncates:
            self.kept.learn_truncations([seq])

    def drop_tails(self, tablet: "Tablet") -> None:
        """Have the others read the log again."""
        for other in self.others(tablet):
            other.drop_tail()

    def newest(self, layout: Layout) -> Layout:
        """The newest committed layout; `layout` is one that is known."""
        number = max(self.versions, default=0)
        return self.versions[number] if number > layout.version else layout
