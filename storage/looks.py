"""What tablets hold, for who only looks at them: all there are, whether or not somebody has them open.

Nothing is opened for it: what is looked at pushes nobody else's tablet out of memory. For any thread.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from storage.answers import TabletStats, stats_of
from storage.cold.manifest import Manifest, newest_on_disk
from storage.engine import Engine
from storage.ids import TabletId
from storage.keys import meta_key, meta_range, split_index_key, user_ranges
from storage.log.log_count import LogCount
from storage.log.recovery import INCARNATION
from storage.log.view import View


@dataclass(frozen=True, slots=True)
class Look:
    """One tablet as a view sees it. Counting its log is for who asks."""

    id: TabletId
    manifest: Manifest
    view: View
    count: LogCount

    def stats(self) -> TabletStats:
        """Its counts."""
        return stats_of(self.view, self.manifest, self.count)


def tablets_of(engine: Engine, view: View, user: int | None = None) -> Iterator[TabletId]:
    """Every tablet, or a user's, that was flushed or truncated once, has something unflushed, or is open.

    Each once, in no order; lazily, some microseconds each.
    """
    others = {*list(engine.dirty_tablets()), *(tablet.id for tablet in engine.open_tablets())}
    last: TabletId | None = None
    for key in view.scan_keys(*(meta_range() if user is None else user_ranges(user)[2])):
        tablet, _ = split_index_key(key)
        if tablet != last:
            last = tablet
            others.discard(tablet)
            yield tablet
    yield from (tablet for tablet in others if user is None or tablet.user == user)


def look(engine: Engine, view: View, tablet_id: TabletId) -> Look:
    """Look at a tablet. Raises DataCorruptedError when its manifest is damaged, IoError."""
    tablet = engine.opened(tablet_id)
    if tablet is not None:
        return Look(tablet_id, tablet.manifest_at(view.seq), view, tablet.readings.log_count)
    manifest = newest_on_disk(engine.fs, engine.tablet_directory(tablet_id), tablet_id)
    begun = view.system_get(meta_key(tablet_id, INCARNATION))
    if begun is not None and (seq := int.from_bytes(begun)) > manifest.incarnation:
        manifest = Manifest(tablet_id, incarnation=seq, flushed_through=seq - 1)
    return Look(tablet_id, manifest, view, LogCount())
