"""The log as the committer sees it: sequence numbers, one batch a group, and what to do when it fails.

Everything here is for the committer's thread, but for what says otherwise.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from storage import failpoints
from storage.errors import DiskFullError, IoError, KalamError, OutcomeUnknownError
from storage.ids import TabletId
from storage.keys import index_key, log_key, log_range, tablet_ranges
from storage.log import recovery
from storage.log.absent_keys import AbsentKeys
from storage.log.clock import Clock, HybridClock, Reservation
from storage.log.erasure import forget_text_log, is_named, unread_tables
from storage.log.hot import HotOptions, Put
from storage.log.recovery import Epoch, Opened
from storage.log.unflushed import Noted, make_list
from storage.log.view import View
from storage.log.writes import Group, GroupWriter, WriteSet

if TYPE_CHECKING:
    from storage.cold.trim import LogEntry

_ROOM_CHECK_S = 0.1
"""How often a busy committer asks for the disk's free space."""


class Log:
    """The open log and its one writer.

    store: replaced when it failed. epoch: this opening of the directory. durable_seq: the newest
    commit known to be on disk. view: the newest minted.
    """

    def __init__(
        self,
        opened: Opened,
        clock: Clock,
        *,
        node: int,
        hot: HotOptions,
        on_view_closed: Callable[[View], None],
    ) -> None:
        self.store = opened.store
        self._absent = AbsentKeys(self.store)
        self._noted = Noted()
        self._erased: frozenset[int] = frozenset()
        self.durable_seq = opened.last
        self._opened = opened
        self._room = opened.room
        self._hot = hot
        self._on_view_closed = on_view_closed
        self._reservation = Reservation(clock, opened.reserved, self._make_reserved)
        self._sequence = HybridClock(self._reservation, node, opened.reserved)
        self._snowflakes = HybridClock(self._reservation, node, opened.reserved)
        self._next_room_check = 0.0
        self._group: GroupWriter | None = None
        self._closed = False
        self._written = opened.last  # The newest commit; `_logged`: that has anything in the log.
        self._logged = opened.last
        self._catalog_version = opened.last
        self.epoch = Epoch(len(opened.epochs), opened.last, self._sequence.next())
        self.view: View

    def write_group(self, sets: Sequence[WriteSet]) -> Group:
        """See `Engine.write_group`."""
        try:
            self._make_ready()
        except KalamError as exc:
            return self._refused(sets, exc)
        self._absent.begin_group()
        group = self._gather(sets)
        if not group.written:
            return Group((), self.view, synced=False)
        logged = not group.writes_nothing
        if logged:
            failpoints.hit("commit.before_batch")
        try:
            if logged:
                self.store.write(group.batch(), sync=group.sync)
                failpoints.hit("commit.after_batch")
            elif group.sync and self.store.unsynced:
                self.store.sync()  # A set without writes that asks for it: all before it is durable.
            return self._finished(group, logged=logged)
        except KalamError as exc:
            return self._after_failure(group, exc)

    def _gather(self, sets: Sequence[WriteSet]) -> GroupWriter:
        """The sets that may be written, as one batch; the others have their error."""
        while True:
            group = self._group = GroupWriter(
                self.store, self._sequence, self._absent, self._noted, self._erased
            )
            for write_set in sets:
                if write_set.error is not None:
                    continue
                try:
                    group.add(write_set)
                except KalamError as exc:
                    write_set.error = exc
                except Exception as exc:  # noqa: BLE001 -- a bug with one set is not the others' fault
                    error = KalamError("internal error")
                    error.__cause__ = exc
                    write_set.error = error
                    self._noted.forget_all()
                    break  # It may be half in the batch: the others' batch is made anew.
            else:
                return group

    def begin(self, puts: Sequence[Put]) -> View:
        """Write system records that belong to no commit, synced; mint the first view."""
        if not self._opened.listed:
            puts = [*puts, *make_list(self._opened.unflushed)]
        self.store.write([recovery.epoch_record(self.epoch), *puts], sync=True)
        return self._mint(self._written)

    def trim_puts(self, tablet: TabletId, entries: "Sequence[LogEntry]") -> list[Put]:
        """See `Engine.trim_puts`."""
        assert self._group is not None
        self._absent.forget(tablet)
        puts: list[Put] = []
        for entry in entries:
            puts.append((log_key(tablet, entry.seq, entry.n), None))
            if entry.key is not None:
                key = index_key(tablet, entry.key)
                position = self._group.position(key)
                if position is not None and position[:2] == (entry.seq, entry.n):
                    puts.append((key, None))
        return puts

    def newest_commit(self, tablet: TabletId) -> int:
        """See `Engine.newest_commit`."""
        assert self._group is not None
        return self._group.newest_commit(tablet)

    def earlier_sets(self) -> Sequence[WriteSet]:
        """See `Engine.earlier_sets`."""
        assert self._group is not None
        return self._group.written

    def flushed_put(self, tablet: TabletId, through: int) -> Put:
        """See `Engine.flushed_put`."""
        assert self._group is not None
        return self._noted.settle(tablet, self._group.newest_commit(tablet), through)

    def unlist(self, tablets: Iterable[TabletId]) -> None:
        """See `Engine.unlist`."""
        self._noted.tablets.difference_update(tablets)

    def committed(self, key: bytes) -> bytes | None:
        """See `Engine.committed`."""
        assert self._group is not None
        for put, value in reversed(self._group.puts):
            if put == key:
                return value
        return self.store.get(key)

    def sync(self) -> None:
        """Make every batch written so far durable."""
        if self.store.unsynced:
            self.store.sync()
        self._note_durable()

    def sync_slots(self) -> None:
        """See `Engine.sync_slots`. From any one thread."""
        self._opened.last_file.sync()
        self._reservation.extend_early(max(self._sequence.last, self._snowflakes.last))

    def size(self, tablet: TabletId | None = None) -> int:
        """See `Engine.log_bytes`."""
        start, stop = log_range() if tablet is None else tablet_ranges(tablet)[0]
        return self.store.size(start, stop)

    def give_back(self, tablet: TabletId) -> None:
        """See `Engine.give_back`."""
        for start, stop in tablet_ranges(tablet)[:2]:
            self.store.compact(start, stop)

    def compact(self, start: bytes, stop: bytes) -> None:
        """See `Engine.compact`."""
        self.store.compact(start, stop)

    def left_of(self, user: int) -> str:
        """See `Engine.left_of`."""
        path = self._opened.directory / recovery.LOG
        if unread_tables(self._opened.fs, path, self.store):
            return "tables"
        return "names" if is_named(self._opened.fs, path, user) else ""

    def renew(self) -> Group:
        """See `Engine.renew_log`. Nobody writes."""
        self._reopen()
        forget_text_log(self._opened.fs, self._opened.directory / recovery.LOG)
        return Group((), self.view, synced=True)

    def keep_room(self) -> None:
        """See `Engine.keep_room`."""
        self._room.keep()

    @property
    def broken(self) -> bool:
        """See `Engine.broken`."""
        return self.store.closed

    def next_snowflake(self) -> int:
        """See `Engine.next_snowflake`. On the event loop."""
        return self._snowflakes.next()

    def close(self) -> None:
        """Sync and close."""
        self._closed = True
        try:
            if self.store.failed is None and not self.store.closed:
                self.sync()
                self._opened.last_file.sync()
        finally:
            self.store.close()
            self._opened.close()

    # Helpers.

    def _make_ready(self) -> None:
        """Raise what keeps the log from being written; reopen it if it failed before."""
        if self._closed:
            raise IoError("the log is closed")
        if self.store.failed is not None or self.store.closed:
            self._reopen()
        now = time.monotonic()
        if now >= self._next_room_check:
            self._room.check()
            self._next_room_check = now + _ROOM_CHECK_S

    def _finished(self, group: GroupWriter, *, logged: bool) -> Group:
        self._written = group.last
        if logged:
            self._logged = group.last
        self._catalog_version = group.system_seq or self._catalog_version
        self._erased = group.erased
        synced = not self.store.unsynced
        if synced:
            self._note_durable()
        return Group(tuple(group.written), self._mint(group.last), synced)

    def _refused(self, sets: Sequence[WriteSet], error: KalamError) -> Group:
        for write_set in sets:
            write_set.error = error
        return Group((), self.view, synced=False)

    def _after_failure(self, group: GroupWriter, error: KalamError) -> Group:
        """The batch failed: open the log again, and answer from what it holds."""
        self._noted.forget_all()
        try:
            if isinstance(error, DiskFullError):
                self._room.give_back()
            last = self._reopen()
            if last == group.last:
                return self._finished(group, logged=not group.writes_nothing)
        except KalamError as exc:
            unknown = OutcomeUnknownError(
                "could not find out whether the transaction was committed",
                detail=f"{error.message}; then {exc.message}",
            )
            return self._refused(group.written, unknown)
        return self._refused(group.written, error)

    def _reopen(self) -> int:
        """Close the log, which ends every view, and open it again; returns its newest commit.

        What it holds then is durable: LevelDB makes a synced table of the log files it finds.
        """
        self.store.close()
        failpoints.hit("commit.reopen")
        opened = self._opened
        store = recovery.open_store(
            opened.fs, opened.directory, self._room, create=False, hot=self._hot
        )
        try:
            last = recovery.recovered_last(store, self._logged)
        except KalamError:
            store.close()
            raise
        self.store = store
        self._absent = AbsentKeys(store)
        self._logged = last
        if last > self._written:
            # A batch of unknown outcome was written after all: it may have had system records.
            self._written = self._catalog_version = last
        self._note_durable()
        self._mint(self._written)
        return last

    def _mint(self, seq: int) -> View:
        snapshot = self.store.snapshot()
        self.view = View(
            seq, snapshot, self._catalog_version, self._on_view_closed, stored_seq=self._logged
        )
        return self.view

    def _note_durable(self) -> None:
        """All that was written is on disk."""
        if self._logged > self._opened.last_file.value:
            self._opened.last_file.record(self._logged)
        self.durable_seq = self._written

    def _make_reserved(self, through: int) -> None:
        file = self._opened.reserved_file
        file.record(through)
        file.sync()
