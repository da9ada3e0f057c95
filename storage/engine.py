"""The engine: one data directory's log, index and views, and the tablets in use.

Two threads meet here. The committer's thread calls `write_group`, `trim_puts`, `newest_commit` and
`sync_log`; any one thread may call `sync_slots`; everything else is the event loop's. A group
becomes visible in `publish`, the one place where the current view changes.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from storage import failpoints
from storage.cold.directories import Directories, directory_of
from storage.cold.kept_manifests import Reads
from storage.errors import DataCorruptedError
from storage.fs import OS, FileSystem
from storage.ids import TabletId
from storage.keys import meta_key
from storage.layout import Layout
from storage.log import latest, recovery
from storage.log.clock import Clock, SystemClock
from storage.log.hot import HotOptions, Put
from storage.log.log import Log
from storage.log.manifest_note import ManifestNote, unpack_note
from storage.log.unflushed import count_entries
from storage.log.view import View
from storage.log.writes import Group, Write, WriteSet
from storage.readings import Readings
from storage.schema import Versions
from storage.streams import StreamRegistry
from storage.tablets import Dirty, TabletFactory, TabletRegistry

if TYPE_CHECKING:
    from storage.cold.trim import LogEntry
    from storage.tablet import Tablet

__all__ = ["Dirty", "Engine", "Group", "StorageOptions", "Write", "WriteSet"]


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """node: this server's number, 0 … 1023, in every `_seq` and SNOWFLAKE_ID().

    reserve_bytes: size of the file that is freed when the disk is full, for the log to be opened:
    LevelDB makes tables of up to two write buffers then. low_water_bytes: writes
    are refused with 53100 while less is free. tablets_max: open tablets kept when nobody uses
    them. tail_bytes_max: memory of all tablets' Arrow tails. stream_bytes_max: of all STREAM tablets.
    """

    node: int = 0
    reserve_bytes: int = 40 << 20
    low_water_bytes: int = 32 << 20
    tablets_max: int = 10_000
    tail_bytes_max: int = 1 << 30
    stream_bytes_max: int = 1 << 30
    hot: HotOptions = field(default_factory=HotOptions)


class Engine:
    """One open data directory; make one with `Engine.open`.

    on_publish: called on the event loop with each group that became visible. on_failure: told what a
    tail, a stream or such a hook raised at that, and where; raises it again until somebody logs it.
    epochs: the times that the directory was opened, this one last. streams: the tablets of STREAM tables.
    """

    def __init__(
        self,
        opened: recovery.Opened,
        clock: Clock,
        options: StorageOptions,
        tablet_factory: TabletFactory | None,
    ) -> None:
        self.directory = opened.directory
        self.fs = opened.fs
        self.clock = clock
        self.directories = Directories()
        """Who is at work in which tablet's directory."""
        self.on_publish: list[Callable[[Group], None]] = []
        self.on_failure: Callable[[str, Exception], None] = _raise
        self._views: dict[int, View] = {}
        self._log = Log(
            opened,
            clock,
            node=options.node,
            hot=options.hot,
            on_view_closed=self._view_closed,
        )
        self.epochs = (*opened.epochs, self._log.epoch)
        self._current = self._begin(opened)
        self._opened_at = self._taken_in = self._current.seq
        self._views[id(self._current)] = self._current
        # A commit to streams alone is not in the log: the last one may be newer than what was recovered.
        self.streams = StreamRegistry(clock.now_us, self._log.epoch.first - 1)
        self.streams.bytes_max = options.stream_bytes_max
        self._tablets = TabletRegistry(
            tablet_factory or self._open_tablet,
            opened.unflushed,
            self.streams,
            now_us=clock.now_us(),
            tablets_max=options.tablets_max,
            tail_bytes_max=options.tail_bytes_max,
            on_failure=self._publishing_failed,
        )

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        fs: FileSystem = OS,
        clock: Clock | None = None,
        options: StorageOptions = StorageOptions(),
        tablet_factory: TabletFactory | None = None,
    ) -> "Engine":
        """Open a data directory, making one if there is none.

        tablet_factory: makes the tablets, by default `storage.tablet.Tablet`s.

        Raises:
            DirectoryInUseError: Another process has it open.
            DataCorruptedError: It is damaged, or older than what was recorded as durable.
        """
        opened = recovery.open_directory(
            path,
            fs,
            hot=options.hot,
            reserve_bytes=options.reserve_bytes,
            low_water_bytes=options.low_water_bytes,
        )
        try:
            return cls(opened, clock or SystemClock(), options, tablet_factory)
        except BaseException:
            opened.close()
            raise

    # The committer's thread.

    def write_group(self, sets: Sequence[WriteSet]) -> Group:
        """Check, number and write sets as one batch; mint the view that shows them.

        A set that fails its checks has its error and is left out. If the log cannot be written it
        is opened again and asked what became of the batch: its sets then have the error, or were
        written after all, or have OutcomeUnknownError when nobody can tell. Reopening ends every
        view; until the group is published reads raise SerializationError.
        """
        return self._log.write_group(sets)

    def trim_puts(self, tablet: TabletId, entries: "Sequence[LogEntry]") -> list[Put]:
        """Deletions of log entries, and of the index entries that point at them now.

        For a `validate` callback: what earlier sets of the group write counts.
        """
        return self._log.trim_puts(tablet, entries)

    def newest_commit(self, tablet: TabletId) -> int:
        """The newest commit of a tablet that the log still has, 0 if none.

        For a `validate` callback: what earlier sets of the group write counts.
        """
        return self._log.newest_commit(tablet)

    def earlier_sets(self) -> Sequence[WriteSet]:
        """The sets of the group that is being made which come first, for a `validate` callback."""
        return self._log.earlier_sets()

    def flushed_put(self, tablet: TabletId, through: int) -> Put:
        """What a flush that has ended does to the list of tablets with something unflushed.

        For a `validate` callback: what earlier sets of the group write counts.
        """
        return self._log.flushed_put(tablet, through)

    def unlist(self, tablets: Iterable[TabletId]) -> None:
        """Nobody writes to these any more, and their records on that list go. For a `validate` callback."""
        self._log.unlist(tablets)

    def committed(self, key: bytes) -> bytes | None:
        """A system record as it will be when this group is written, as far as it goes now.

        For a `validate` callback: what earlier sets of the group write counts.
        """
        return self._log.committed(key)

    def sync_log(self) -> None:
        """Make every batch written so far durable."""
        self._log.sync()

    # The event loop.

    def publish(self, group: Group) -> None:
        """Make a group visible to every later view, then tell who wants to know.

        The group is committed, so this does not fail: what a tail or a hook raises costs that tail
        or hook alone, and is for `on_failure`. Had it raised all the same, it may be called again.
        """
        failpoints.hit("commit.before_publish")
        previous, current = self._current, group.view
        if current is not previous and current.seq >= previous.seq and not current.closed:
            self._views[id(current)] = current
            self._current = current
            previous.release()
        for write_set in group.sets:
            for load in write_set.loads:
                load.publish()
        if group.sets and group.sets[-1].seq > self._taken_in:
            self._taken_in = group.sets[-1].seq
            self._tablets.append(group.sets, self.clock.now_us())
        for hook in self.on_publish:
            try:
                hook(group)
            except Exception as exc:  # noqa: BLE001 -- whatever it is, the group is committed
                self.on_failure("on_publish", exc)

    def doubt(self, write_set: WriteSet) -> None:
        """Nobody knows whether a set was written: what is kept of its tablets is read again."""
        self._tablets.doubt(write_set)

    @property
    def durable_seq(self) -> int:
        """The newest commit known to be on disk; it may not be published yet."""
        return self._log.durable_seq

    @property
    def current(self) -> View:
        """The published view, until control goes back to the loop; `acquire` it to keep it."""
        return self._current

    def acquire(self) -> View:
        """The published view, held: release it, or use `with`."""
        view = self._current
        if view.reads and not view.shared:
            view.reads.clear()  # Of holders that are gone.
        return view.acquire()

    def oldest_view_seq(self) -> int:
        """The least seq of all views that somebody holds and may still read."""
        open_views = [view.seq for view in self._views.values() if not view.ended]
        return min(open_views, default=self._current.seq)

    def reads(self, tablet_id: TabletId) -> Reads:
        """What views may read of a tablet: those that somebody holds, and those yet to come."""
        current = self._current
        # The one that nobody but the engine holds is read by those only that come next.
        held = [view for view in self._views.values() if view is not current or view.shared]
        manifests = [m for view in held for m in list(view.reads.get(tablet_id, {}).values())]
        seqs = (*(view.seq for view in held), current.seq)
        return Reads(seqs, tuple(manifests), self.noted_manifest(tablet_id))

    def flushed_through(self, tablets: Iterable[TabletId]) -> list[int]:
        """For each tablet the newest commit that is durably in segments for every open view."""
        views = [view for view in self._views.values() if not view.ended]
        oldest = min(views, key=lambda view: view.seq, default=self._current)
        return [
            unpack_note(oldest.system_get(meta_key(tablet))).flushed_through for tablet in tablets
        ]

    def noted_manifest(self, tablet: TabletId) -> ManifestNote:
        """What the published log knows of a tablet's newest manifest. Raises DataCorruptedError."""
        return unpack_note(self._current.system_get(meta_key(tablet)))

    def learn_layouts(self, table: int, layouts: Iterable[Layout]) -> None:
        """The schema versions that a table has had, its newest last; those committed later come with it."""
        self._tablets.learn(table, layouts)

    def layouts(self, table: int) -> Versions:
        """The committed schema versions of a table that are known; later ones come to it."""
        return self._tablets.versions(table)

    def tablet(self, tablet_id: TabletId, layout: Layout) -> "Tablet":
        """The open tablet, in a committed layout of its table: the newest that anybody has asked for.

        Raises:
            DataCorruptedError: Its manifests are damaged, or reach beyond the log.
        """
        return self._tablets.tablet(tablet_id, layout)

    @property
    def cold_directory(self) -> Path:
        """Where the directories of all tablets are."""
        return self.directory / "cold"

    def tablet_directory(self, tablet_id: TabletId) -> Path:
        """Where a tablet's cold files are."""
        return directory_of(self.cold_directory, tablet_id)

    def opened(self, tablet_id: TabletId) -> "Tablet | None":
        """The tablet, if it is open."""
        return self._tablets.opened(tablet_id)

    def open_tablets(self) -> Iterator["Tablet"]:
        """Every tablet in use."""
        return iter(self._tablets.tablets())

    def relieve_memory(self, bytes_max: int | None = None) -> None:
        """Drop tails beyond their limit, or a lower one; commits do that too, reads alone do not."""
        self._tablets.relieve_memory(bytes_max)

    def rest_tails(self) -> None:
        """Drop the large tails that were not used lately; to be called now and then."""
        self._tablets.rest_tails()

    @property
    def tail_bytes(self) -> int:
        """What all tails took when they were looked at last."""
        return self._tablets.tail_bytes

    def forget_table(self, table: int) -> None:
        """A table was dropped: let go of its tablets in memory."""
        self._tablets.forget_table(table)

    def forget_user(self, user: int) -> None:
        """A user is erased: let go of their tablets in memory."""
        self._tablets.forget_user(user)

    def next_snowflake(self) -> int:
        """A fresh id. Its order is not commit order."""
        return self._log.next_snowflake()

    def dirty_tablets(self) -> Mapping[TabletId, Dirty]:
        """Tablets with log entries that no segment holds."""
        return self._tablets.dirty

    def unflushed(self, tablet_id: TabletId) -> int:
        """How many log entries of a tablet no segment holds, up to the published view."""
        dirty = self._tablets.dirty.get(tablet_id)
        return dirty.rows if dirty is not None else 0

    def uncounted(self) -> Mapping[TabletId, Dirty]:
        """Those of `dirty_tablets` that the start found, and of which only new entries are counted yet."""
        return self._tablets.uncounted

    def count_unflushed(self, view: View, tablet_id: TabletId) -> int:
        """How many entries the start found of such a tablet. For a worker thread."""
        return count_entries(view, tablet_id, self._opened_at)

    def counted(self, tablet_id: TabletId, dirty: Dirty, entries: int) -> None:
        """So many were found of a tablet; dirty: its `uncounted`, before they were."""
        self._tablets.counted(tablet_id, dirty, entries)

    def flushed(self, tablet_id: TabletId, entries: int) -> None:
        """A flush has ended that began with so many `unflushed`: only later ones are dirty.

        They are not looked for in the log: there may be many, and everybody waits for this.
        """
        left = max(0, self.unflushed(tablet_id) - entries)
        self._tablets.flushed(tablet_id, left, time.monotonic())

    def system_get(self, key: bytes, view: View | None = None) -> bytes | None:
        """A system record, of the published view if none is given: so from any thread."""
        return view.system_get(key) if view is not None else latest.system_get(self._latest, key)

    def system_scan(self, prefix: bytes, view: View | None = None) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of the system records with a prefix, in key order; views and threads as above."""
        if view is not None:
            return view.system_scan(prefix)
        return latest.system_scan(self._latest, prefix)

    def _latest(self) -> View:
        return self._current

    def check_token(self, seq: int) -> None:
        """Raise SnapshotTooOldError if a feed position is among commits that a crash has taken."""
        recovery.check_token(self.epochs, seq)

    def sync_slots(self) -> None:
        """Make the high-water mark durable; reserve sequence numbers ahead of the time.

        To be called every second, and before a manifest is published.
        """
        self._log.sync_slots()

    def log_bytes(self, tablet: TabletId | None = None) -> int:
        """About how many bytes of the disk the log takes, or one tablet's. From any thread.

        What was written last is in memory, and not counted.
        """
        return self._log.size(tablet)

    def give_back(self, tablet: TabletId) -> None:
        """Give the disk back what was deleted of a tablet's log, as far as no view sees it; slow."""
        self._log.give_back(tablet)

    def compact(self, start: bytes, stop: bytes) -> None:
        """Merge what the log's files have of [start, stop) into each other; slow. From any thread."""
        self._log.compact(start, stop)

    def left_of(self, user: int) -> str:
        """What LevelDB's files may still show of a user whose rows were erased; slow. From any thread.

        "tables": those from before the last compaction, which are being read; "names": keys in the lists
        of its tables; "": nothing.
        """
        return self._log.left_of(user)

    @property
    def is_held(self) -> bool:
        """Whether somebody holds a view that can be read."""
        current = self._current
        return current.shared or any(
            view is not current and not view.ended for view in self._views.values()
        )

    @property
    def is_used(self) -> bool:
        """Whether some thread is reading the log or compacting it just now."""
        return not self._log.store.idle

    def renew_log(self) -> None:
        """Close the log and open it again, which writes LevelDB's lists of tables anew.

        Every view ends. On the event loop, while no group is being written and no thread uses the log; takes
        some milliseconds when what was written last is compacted.
        """
        self.publish(self._log.renew())

    def keep_room(self) -> None:
        """See that the reserve is on the disk if there is room for it. From any thread."""
        self._log.keep_room()

    @property
    def broken(self) -> bool:
        """Whether the log failed and could not be opened again: the next group tries it once more."""
        return self._log.broken

    def close(self) -> None:
        """Sync and close. Every view ends. The committer has stopped."""
        self._log.close()

    # Helpers.

    def _publishing_failed(self, where: str, exc: Exception) -> None:
        self.on_failure(where, exc)

    def _view_closed(self, view: View) -> None:
        self._views.pop(id(view), None)

    def _begin(self, opened: recovery.Opened) -> View:
        """Settle what was under way in cold parts, and note that numbers begin anew."""
        puts: list[Put] = []
        if opened.intents or opened.loads:
            from storage.cold.restart import settle  # noqa: PLC0415 -- needs Arrow, which the log does not

            puts = settle(self.fs, self.cold_directory, opened)
        failpoints.hit("recovery.epoch")
        return self._log.begin(puts)

    def _open_tablet(
        self, tablet_id: TabletId, layout: Layout, versions: Versions, shared: Readings | None
    ) -> "Tablet":
        from storage.tablet import Tablet  # noqa: PLC0415 -- needs Arrow, which the log does not

        tablet = Tablet(
            *(tablet_id, layout),
            fs=self.fs,
            directory=self.tablet_directory(tablet_id),
            current=self.acquire,
            versions=versions,
            reads=self.reads(tablet_id),
            shared=shared,
        )
        if shared is not None:
            shared.join(tablet)
        if tablet.manifest.flushed_through > self._current.seq:
            raise DataCorruptedError(
                f"tablet {tablet_id.user}/{tablet_id.table}: its segments reach commit "
                f"{tablet.manifest.flushed_through}, the log only {self._current.seq}"
            )
        begun = recovery.truncations(self._current, self._views.values(), tablet_id)
        tablet.learn_truncations(begun)
        return tablet


def _raise(_where: str, exc: Exception) -> None:
    raise exc
