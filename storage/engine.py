"""The engine: one data directory's log, index and views, and the tablets in use.

Two threads meet here. The committer's thread calls `write_group` and `sync_log`; everything else is the
event loop's. A group becomes visible in `publish`: the one place where the current view changes.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage import failpoints, recovery
from storage.clock import Clock, SystemClock
from storage.clock import Sequence as SeqSequence
from storage.errors import KalamError, SerializationError
from storage.fs import OS, FileSystem
from storage.ids import TabletId
from storage.keys import index_key, log_key, pack_position, system_key, unpack_position
from storage.layout import Layout, Row
from storage.rows import Op, encode_entry
from storage.stream import StreamTablet
from storage.view import View

if TYPE_CHECKING:
    from storage.manifest import Manifest
    from storage.tablet import Tablet
    from storage.trim import LogEntry

LAST = system_key("last")
RESERVED = system_key("reserved")
_DELETED_MARK = bytes((Op.DELETE,))
_LIVE_MARK = bytes((Op.INSERT,))


@dataclass(slots=True)
class Write:
    """The net change of one key. row: what it holds now; of DELETE the row deleted.

    assumed: `_seq` of the version it replaces, 0 if there was none, None to skip the check.
    """

    tablet: TabletId
    op: Op
    key: bytes
    row: Row
    old: Row | None
    version: int
    assumed: int | None = None


@dataclass(slots=True)
class WriteSet:
    """What one transaction commits. seq or error is filled in by `write_group`.

    validate: called in the committer's thread with the `_seq` about to be given; may raise. context: the
    submitter's own.
    """

    writes: list[Write]
    streams: list[Write]
    system: list[tuple[bytes, bytes | None]]
    sync: bool
    validate: Callable[[int], None] | None = None
    seq: int = 0
    error: KalamError | None = None
    context: Any = None


@dataclass(frozen=True, slots=True)
class Group:
    """Sets that were written as one batch, in `_seq` order, and the view that shows them."""

    sets: tuple[WriteSet, ...]
    view: View
    synced: bool


@dataclass(slots=True)
class Dirty:
    """What of a tablet is in no segment: entries, and since when (monotonic seconds)."""

    rows: int
    since_s: float


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """node: this server's number, 0 … 1023."""

    node: int = 0


class Engine:
    """See the module. Make one with `Engine.open`."""

    def __init__(
        self,
        directory: Path,
        opened: "recovery.Opened",
        *,
        fs: FileSystem,
        clock: Clock,
        options: StorageOptions,
    ) -> None:
        self.directory = directory
        self.fs = fs
        self.clock = clock
        self._opened = opened
        self._store = opened.store
        start = max(opened.last, opened.reserved)
        self._sequence = SeqSequence(clock, node=options.node, last=start, reserve=self._reserve)
        self._snowflakes = SeqSequence(
            clock, node=options.node, last=start, reserve=lambda _limit: None
        )
        self._current = View(opened.last, self._store.snapshot())
        self._views: dict[int, View] = {id(self._current): self._current}
        self._tablets: dict[TabletId, Tablet] = {}
        self._streams: dict[TabletId, StreamTablet] = {}
        now = time.monotonic()
        self._dirty = {tablet: Dirty(rows, now) for tablet, rows in opened.dirty.items()}
        self.durable_seq = opened.last
        self._logged = opened.last
        self.on_publish: list[Callable[[Group], None]] = []

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        fs: FileSystem = OS,
        clock: Clock | None = None,
        options: StorageOptions = StorageOptions(),
    ) -> "Engine":
        """Open (or create) a data directory.

        Raises:
            DirectoryInUseError: Another process has it open.
            DataCorruptedError: What is there is older than what was recorded as durable.
        """
        clock = clock or SystemClock()
        opened = recovery.open_directory(path, fs)
        engine = cls(path, opened, fs=fs, clock=clock, options=options)
        engine._sequence.next()  # above every number that may have been used before
        return engine

    # ------------------------------------------------------------------ the committer's thread

    def write_group(self, sets: Sequence[WriteSet]) -> Group:
        """Check, number and write; a set that fails its checks gets an error and is left out."""
        batch: list[tuple[bytes, bytes | None]] = []
        newest: dict[bytes, tuple[int, bool]] = {}
        written: list[WriteSet] = []
        sync = False
        for write_set in sets:
            try:
                self._add(write_set, batch, newest)
            except KalamError as exc:
                write_set.error = exc
                continue
            written.append(write_set)
            sync = sync or write_set.sync or bool(write_set.system)
        seq = self._sequence.last
        if batch:
            batch.append((LAST, seq.to_bytes(8, "big")))
            self._logged = seq
            failpoints.hit("commit.before_batch")
            self._store.write(batch, sync=sync)
            failpoints.hit("commit.after_batch")
            if sync:
                self._opened.slots.record(seq)
        if written:
            seq = written[-1].seq
        view = View(
            max(seq, self._current.seq) if written else self._current.seq, self._store.snapshot()
        )
        return Group(tuple(written), view, sync)

    def _add(
        self,
        write_set: WriteSet,
        batch: list[tuple[bytes, bytes | None]],
        newest: dict[bytes, tuple[int, bool]],
    ) -> None:
        """Append one set's entries to the batch, if what it assumed still holds."""
        keys: list[bytes] = []
        for write in write_set.writes:
            key = index_key(write.tablet, write.key)
            keys.append(key)
            if write.assumed is not None:
                self._check_assumption(write, key, newest)
        seq = self._sequence.next()
        if write_set.validate is not None:
            write_set.validate(seq)
        write_set.seq = seq
        n = 0
        for write, key in zip(write_set.writes, keys, strict=True):
            entry = encode_entry(write.op, write.version, write.row, write.old)
            batch.append((log_key(write.tablet, seq, n), entry))
            deleted = write.op is Op.DELETE
            mark = _DELETED_MARK if deleted else _LIVE_MARK
            batch.append((key, pack_position(seq, n) + mark))
            newest[key] = (seq, deleted)
            n += 1
        batch.extend(write_set.system)

    def _check_assumption(
        self, write: Write, key: bytes, newest: dict[bytes, tuple[int, bool]]
    ) -> None:
        found = newest.get(key)
        if found is None:
            data = self._store.get(key)
            if data is None:
                return  # absent, or in a segment: flush and compaction change no row
            found = (unpack_position(data)[0], data[12:] == _DELETED_MARK)
        seq, deleted = found
        if seq != write.assumed and not (deleted and write.op is Op.INSERT):
            raise SerializationError("could not serialize access due to concurrent update")

    def trim_puts(
        self, tablet: TabletId, entries: "Sequence[LogEntry]"
    ) -> list[tuple[bytes, bytes | None]]:
        """Deletions of log entries, and of the index entries that point at them now."""
        puts: list[tuple[bytes, bytes | None]] = []
        for entry in entries:
            puts.append((log_key(tablet, entry.seq, entry.n), None))
            if entry.key is not None:
                key = index_key(tablet, entry.key)
                position = self._store.get(key)
                if position is not None and unpack_position(position) == (entry.seq, entry.n):
                    puts.append((key, None))
        return puts

    def sync_log(self) -> None:
        """Make every batch written so far durable."""
        self._store.sync()
        # Not the newest number given: one that no batch carried (a STREAM's commit) is in no log.
        self._opened.slots.record(self._logged)

    def _reserve(self, limit: int) -> None:
        self._store.write([(RESERVED, limit.to_bytes(8, "big"))], sync=True)

    # ------------------------------------------------------------------ the event loop

    def publish(self, group: Group) -> None:
        """Make a group visible to every later view."""
        previous, self._current = self._current, group.view
        self._views[id(group.view)] = group.view
        self._give_back(previous)
        if group.synced:
            self.durable_seq = group.view.seq
        for write_set in group.sets:
            if write_set.writes:
                self._append(write_set)
            if write_set.streams:
                self._append_streams(write_set)
        for hook in self.on_publish:
            hook(group)

    def _append(self, write_set: WriteSet) -> None:
        by_tablet: dict[TabletId, list[Write]] = {}
        for write in write_set.writes:
            by_tablet.setdefault(write.tablet, []).append(write)
        for tablet_id, writes in by_tablet.items():
            dirty = self._dirty.get(tablet_id)
            if dirty is None:
                self._dirty[tablet_id] = Dirty(len(writes), time.monotonic())
            else:
                dirty.rows += len(writes)
            tablet = self._tablets.get(tablet_id)
            if tablet is not None:
                tablet.append(write_set.seq, writes)

    def _append_streams(self, write_set: WriteSet) -> None:
        now_us = time.time_ns() // 1000
        by_tablet: dict[TabletId, list[Write]] = {}
        for write in write_set.streams:
            by_tablet.setdefault(write.tablet, []).append(write)
        for tablet_id, writes in by_tablet.items():
            stream = self._streams.get(tablet_id)
            if stream is not None:
                stream.append(write_set.seq, writes, now_us)

    @property
    def current(self) -> View:
        """The published view, for use until control goes back to the loop; hold on with `acquire`."""
        return self._current

    def acquire(self) -> View:
        """The published view, held: release it (or use `with`)."""
        return self._current.acquire()

    def _give_back(self, view: View) -> None:
        view.release()
        self._views = {key: v for key, v in self._views.items() if not v.closed}

    def oldest_view_seq(self) -> int:
        """The least seq of every view that somebody holds."""
        return min((v.seq for v in self._views.values() if not v.closed), default=self._current.seq)

    def tablet(self, tablet_id: TabletId, layout: Layout) -> "Tablet":
        """The open tablet, opening it at its first use."""
        found = self._tablets.get(tablet_id)
        if found is not None:
            if found.layout is not layout:
                found.set_layout(layout)
            return found
        from storage.tablet import Tablet  # noqa: PLC0415

        found = self._tablets[tablet_id] = Tablet(
            tablet_id,
            layout,
            fs=self.fs,
            directory=self.tablet_directory(tablet_id),
            current=self.acquire,
        )
        return found

    def tablet_directory(self, tablet_id: TabletId) -> Path:
        """Where a tablet's cold files are: ids only, never a user's text."""
        return self.directory / "cold" / str(tablet_id.user) / str(tablet_id.table)

    def stream(
        self, tablet_id: TabletId, layout: Layout, ttl_us: int, max_buffer: int
    ) -> StreamTablet:
        """A STREAM table's tablet, in memory alone."""
        found = self._streams.get(tablet_id)
        if found is None:
            found = self._streams[tablet_id] = StreamTablet(tablet_id, layout, ttl_us, max_buffer)
        return found

    def open_streams(self) -> Iterator[StreamTablet]:
        """Every STREAM tablet that has been used."""
        return iter(list(self._streams.values()))

    def open_tablets(self) -> Iterator["Tablet"]:
        """Every tablet that has been used."""
        return iter(list(self._tablets.values()))

    def forget_table(self, table: int) -> None:
        """A table was dropped: let go of its tablets in memory."""
        for registry in (self._tablets, self._streams, self._dirty):
            for tablet_id in [t for t in registry if t.table == table]:
                del registry[tablet_id]

    def next_snowflake(self) -> int:
        """A fresh id; its order is not commit order."""
        number = self._snowflakes.next()
        return number

    def dirty_tablets(self) -> Mapping[TabletId, Dirty]:
        """Tablets with entries in no segment."""
        return self._dirty

    def flushed(self, tablet_id: TabletId, manifest: "Manifest") -> None:
        """A flush has published a manifest: only later entries are dirty."""
        tablet = self._tablets.get(tablet_id)
        left = 0
        if tablet is not None:
            log = self._current.log(tablet_id, manifest.flushed_through)
            left = sum(1 for _ in log)
        if left:
            self._dirty[tablet_id] = Dirty(left, time.monotonic())
        else:
            self._dirty.pop(tablet_id, None)

    def system_get(self, key: bytes, view: View | None = None) -> bytes | None:
        """A value of the system range."""
        return (view or self._current).system_get(key)

    def system_scan(self, prefix: bytes, view: View | None = None) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of everything with a prefix, in order."""
        return (view or self._current).system_scan(prefix)

    def sync_slots(self) -> None:
        """Make the high-water mark durable (each second, before a manifest, at shutdown)."""
        self._opened.slots.sync()

    def close(self) -> None:
        """Sync and close. Every view ends."""
        self._store.sync()
        # Not the newest number given: one that no batch carried (a STREAM's commit) is in no log.
        self._opened.slots.record(self._logged)
        self._opened.slots.sync()
        for view in list(self._views.values()):
            if not view.closed:
                view._snapshot.close()  # noqa: SLF001 -- the engine minted it
        self._store.close()
        self._opened.close()
