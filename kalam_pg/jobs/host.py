"""What flush, compaction, trim and collect need of a database: its tablets, the event loop, the log."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import trio

from catalog.model import Table
from kalam_pg.failures import known
from kalam_pg.query.database import Database
from kalam_pg.supervision import ending_of, guarded
from storage.cold.flush import Flushed
from storage.cold.kept_manifests import Reads
from storage.cold.manifest import Manifest
from storage.cold.trim import Cut
from storage.engine import WriteSet
from storage.errors import KalamError
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.keys import meta_key
from storage.log.manifest_note import ManifestNote
from storage.log.recovery import intent_key, load_puts
from storage.log.retained import RETAINED, unpack_retained
from storage.log.view import View
from storage.tablet import Tablet

T = TypeVar("T")


async def open_tablets(
    database: Database, table: Table, tablets: Iterable[TabletId]
) -> tuple[list[Tablet], list[tuple[TabletId, KalamError]]]:
    """Tablets of a table, whoever they belong to, and what ails those that cannot be opened."""
    opened: list[Tablet] = []
    failed: list[tuple[TabletId, KalamError]] = []
    for tablet_id in tablets:
        if (
            database.catalog.stored_as(tablet_id.table) is None
            or tablet_id.user in database.erasing
        ):
            continue  # It was dropped: its files go, and nobody misses them.
        try:
            tablet = database.tablet_of_anyone(table, tablet_id)
        except Exception as exc:  # noqa: BLE001 -- the other tablets are other people's
            failed.append((tablet_id, _told(exc, tablet_id)))
            continue
        assert isinstance(tablet, Tablet)
        opened.append(tablet)
        await trio.lowlevel.checkpoint()  # Opening one reads its directory.
    return opened, failed


async def together_or_each(
    call: Callable[[Sequence[Tablet]], Sequence[T | KalamError]], tablets: Sequence[Tablet]
) -> list[tuple[Tablet, T | KalamError]]:
    """Do something for tablets together, in a thread; what became of each.

    When that raises, perhaps only one of them has trouble: then each by itself.
    """
    if len(tablets) > 1:
        try:
            found = await trio.to_thread.run_sync(call, tablets)
        except BaseException as exc:
            if ending_of(exc) is not None:
                raise
        else:
            return list(zip(tablets, found, strict=True))
    answers: list[tuple[Tablet, T | KalamError]] = []
    for tablet in tablets:
        answer: T | KalamError
        try:
            (answer,) = await trio.to_thread.run_sync(call, [tablet])
        except BaseException as exc:
            if ending_of(exc) is not None:
                raise
            answer = _told(exc, tablet.id)
        answers.append((tablet, answer))
    return answers


def _told(exc: BaseException, tablet: TabletId) -> KalamError:
    return known(exc, user=tablet.user, table=tablet.table)


class FlushHost:
    """`FlushHost`, `TrimHost` and `CollectHost` of `storage.cold` over a database.

    Made on the event loop, used from a worker thread of `trio.to_thread`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._token = trio.lowlevel.current_trio_token()
        self.fs: FileSystem = database.engine.fs
        self.directories = database.engine.directories

    def check(self) -> None:
        """Raises Cancelled when the job was killed."""
        trio.from_thread.check_cancelled()

    def run_on_loop(self, call: Callable[[], T]) -> T:
        """Call on the event loop and wait for its answer; a killed job too, amid what it does."""
        return trio.from_thread.run_sync(call)

    def call_soon(self, call: Callable[[], object]) -> None:
        """Call on the event loop some time, even if the job was cancelled."""
        self._token.run_sync_soon(guarded, call)  # What it raises would end the event loop.

    def acquire(self) -> View:
        """The published view; on the loop."""
        return self._database.engine.acquire()

    def unflushed(self, tablet: TabletId) -> int:
        """Published entries that no segment holds; on the loop."""
        return self._database.engine.unflushed(tablet)

    def begin_flush(self, tablets: Sequence[TabletId], seq: int) -> None:
        """Write the intents, synced: every commit up to `seq` is durable then."""
        self._write([(intent_key(tablet), seq.to_bytes(8, "big")) for tablet in tablets])

    def before_manifest(self) -> None:
        """Make the high-water mark durable."""
        self._database.engine.sync_slots()

    def noted(self, tablet: TabletId) -> ManifestNote:
        """What the published log knows of a tablet's newest manifest; on the loop."""
        return self._database.engine.noted_manifest(tablet)

    def note(self, manifests: Sequence[Manifest], ended: Sequence[TabletId]) -> None:
        """Write which manifests are the newest, and that some flushes have ended; synced."""
        puts: list[tuple[bytes, bytes | None]] = [(intent_key(tablet), None) for tablet in ended]
        puts += [(meta_key(manifest.tablet), manifest.note.pack()) for manifest in manifests]
        engine = self._database.engine

        def settle_list(_seq: int) -> None:
            for manifest in manifests:
                if manifest.tablet in ended:
                    puts.append(engine.flushed_put(manifest.tablet, manifest.flushed_through))

        self._write(puts, settle_list)

    def loaded(self, manifest: Manifest) -> None:
        """Write, synced, that a load has its name; it is the newest unless a later one is noted."""
        puts = load_puts(manifest.tablet, None)
        if self.run_on_loop(lambda: self.noted(manifest.tablet)).version < manifest.version:
            puts.append((meta_key(manifest.tablet), manifest.note.pack()))
        self._write(puts)
        live_queries = self._database.live_queries
        self.run_on_loop(lambda: live_queries.flushed(manifest.tablet, manifest.flushed_through))

    def end_flush(self, flushed: Sequence[Flushed]) -> None:
        """What is flushed is dirty no more."""
        engine, live_queries = self._database.engine, self._database.live_queries

        def settle() -> None:
            for tablet, manifest, entries in flushed:
                engine.flushed(tablet, entries)
                live_queries.flushed(tablet, manifest.flushed_through)

        self.run_on_loop(settle)

    def cancel_flush(self, tablets: Sequence[TabletId]) -> None:
        """Remove the intents of flushes that have published nothing."""
        self._write([(intent_key(tablet), None) for tablet in tablets])

    def exists(self, tablet: TabletId) -> bool:
        """Whether the catalog has the tablet's table, and its user is not erased; on the loop."""
        database = self._database
        if tablet.user in database.erasing:
            return False
        return database.catalog.stored_as(tablet.table) is not None

    def opened(self, tablet: TabletId) -> Tablet | None:
        """The tablet, if it is open; on the loop."""
        return self._database.engine.opened(tablet)

    def reads(self, tablet: TabletId) -> Reads:
        """What open views may read of a tablet; on the loop."""
        return self._database.engine.reads(tablet)

    def index_marks(self, tablet: TabletId) -> frozenset[str]:
        """The marks of its table's indexes; on the loop."""
        return frozenset(one.mark for one in self._database.indexes_of(tablet.table))

    def flushed_through(self, tablets: Sequence[TabletId]) -> list[int]:
        """For each the newest commit that is durably in segments for every open view; on the loop."""
        return self._database.engine.flushed_through(tablets)

    def delete_entries(self, cuts: Sequence[Cut]) -> None:
        """Delete log entries and the index entries that still point at them, in the committer's turn."""
        # Not empty when it is submitted: so the committer's thread does it, and not the event loop.
        write_set = WriteSet([], [], [(meta_key(cuts[0].tablet, RETAINED), None)], sync=False)
        engine = self._database.engine

        def find(_seq: int) -> None:
            puts: list[tuple[bytes, bytes | None]] = []
            for cut in cuts:
                key = meta_key(cut.tablet, RETAINED)
                noted = unpack_retained(engine.committed(key))
                puts.append((key, cut.retained.behind(noted).pack()))
                puts.extend(engine.trim_puts(cut.tablet, cut.entries))
            write_set.system = puts

        write_set.validate = find
        trio.from_thread.run(self._database.committer.commit, write_set)

    def trimmed(self, tablet: TabletId, through: int) -> None:
        """The log has no entry up to `through`; on the loop."""
        opened = self._database.engine.opened(tablet)
        if opened is not None:
            opened.trimmed(through)

    def _write(
        self, puts: list[tuple[bytes, bytes | None]], validate: Callable[[int], None] | None = None
    ) -> None:
        write_set = WriteSet([], [], puts, sync=True, validate=validate)
        trio.from_thread.run(self._database.committer.commit, write_set)


class LoadHost(FlushHost):
    """`storage.cold.load.LoadHost` over a database: what a transaction has made exists for its loads."""

    def exists(self, tablet: TabletId) -> bool:
        """As `FlushHost.exists`."""
        if tablet.user in self._database.erasing:
            return False
        return super().exists(tablet) or tablet.table in self._database.building
