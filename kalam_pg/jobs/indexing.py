"""Index files as jobs: what declared indexes lack over segments is made soon after it is noticed.

It is noticed when a flush or compaction has made segments, when an index was created, by a read that would
have used one (`Database.unindexed`), and at the start and every hour. Files are made in the process of the
compactions, one after the other; a tablet that fails is tried again ever more seldom, and is read as if it
had no index meanwhile.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import trio

from catalog.model import Table, TableKind
from catalog.snapshot import Snapshot
from kalam_pg.failures import report
from kalam_pg.jobs.host import FlushHost, open_tablets
from kalam_pg.jobs.job_list import Job, Jobs
from kalam_pg.jobs.pauses import Pauses
from kalam_pg.query.database import Database
from kalam_pg.supervision import Supervisor
from storage.cold.directories import tablets_in
from storage.cold.index_file import ROWS_MIN
from storage.cold.index_reader import has_file
from storage.cold.indexing import IndexJob, publish_index
from storage.cold.manifest import newest_on_disk
from storage.engine import Engine
from storage.errors import KalamError
from storage.ids import TabletId
from storage.tablet import Tablet

TICK_S = 1.0

LOOK_S = 3600.0
"""How often all tablets of tables with indexes are looked at: for what an earlier server has left."""

_LOOKS_AT_ONCE = 200
"""Tablets that are looked at before others have their turn."""


def note_segments(database: Database, tablet: Tablet) -> None:
    """A flush or compaction has made segments: they lack what the table's indexes have of them."""
    if any(segment.rows >= ROWS_MIN for segment in tablet.manifest.segments) and (
        database.indexes_of(tablet.id.table)
    ):
        database.unindexed.add(tablet.id)


@dataclass(frozen=True, slots=True)
class _Lacking:
    """An index file that is to be made."""

    tablet: Tablet
    job: IndexJob


class IndexFiles:
    """Makes what is lacking."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs
        self._pauses = Pauses()
        self._catalog: Snapshot | None = None
        self._known: dict[int, Table] = {}

    async def build_due(self) -> None:
        """Make the files of the tablets that were noted, table by table; what fails is told by its job."""
        await self._look_at_definitions()
        unindexed, now_s = self._database.unindexed, time.monotonic()
        self._pauses.keep(unindexed)
        tables: dict[int, list[TabletId]] = {}
        for tablet in sorted(unindexed):
            if not self._pauses.has(tablet, now_s):
                tables.setdefault(tablet.table, []).append(tablet)
        for table_id, tablets in tables.items():
            # What is noted from here on, of segments that come meanwhile, is looked at again.
            unindexed.difference_update(tablets)
            table = self._database.stored_as(table_id)
            if table is None:
                continue
            try:
                await self._build(table, tablets)
            except KalamError as exc:
                for tablet in tablets:
                    self._pauses.failed(tablet)
                unindexed.update(tablets)
                report("index files could not be made", exc, table=table.id)

    async def _build(self, table: Table, tablets: Sequence[TabletId]) -> None:
        database = self._database
        opened, _ = await open_tablets(database, table, tablets)  # Who opens another is told why.
        todo: list[_Lacking] = []
        for tablet in opened:
            found = await trio.to_thread.run_sync(self._lacking, tablet, self._definitions(table))
            todo += found
        if not todo:
            return

        async def work(job: Job) -> None:
            host = FlushHost(database)
            for done, one in enumerate(todo):
                job.progress = done / len(todo)
                await trio.to_thread.run_sync(self._make, host, one)
            job.result = f"{len(todo)} files"

        await self._jobs.run("index", {"table": table.qualified_name}, work)

    def _definitions(self, table: Table) -> Sequence[tuple[str, tuple[int, ...], bytes]]:
        return [
            (one.mark, one.reads, one.packed())
            for one in self._database.indexes_of(table.storage_id)
        ]

    def _lacking(
        self, tablet: Tablet, definitions: Sequence[tuple[str, tuple[int, ...], bytes]]
    ) -> list[_Lacking]:
        """What a tablet lacks, the newest segments first. For a worker thread."""
        fs, layout = self._database.engine.fs, tablet.newest_reading().layout
        return [
            _Lacking(tablet, IndexJob(tablet.id, segment, layout, reads, mark, definition))
            for segment in reversed(tablet.manifest.segments)
            for mark, reads, definition in definitions
            if not has_file(fs, segment, mark)
        ]

    def _make(self, host: FlushHost, lacking: _Lacking) -> None:
        """Make one file, unless its segment has gone meanwhile. For a worker thread."""
        host.check()
        if lacking.job.segment not in lacking.tablet.newest_reading().manifest.segments:
            return
        with self._jobs.compaction_process.index(lacking.job) as (size, pieces):
            publish_index(host, lacking.job, size, pieces)

    async def _look_at_definitions(self) -> None:
        """Note the open tablets of tables whose indexes are others than they were."""
        database = self._database
        snapshot = database.catalog
        if snapshot is self._catalog:
            return
        self._catalog = snapshot
        known: dict[int, Table] = {}
        for number, tablet in enumerate(list(database.engine.open_tablets())):
            table = snapshot.stored_as(tablet.id.table)
            if table is None or not table.indexes:
                continue
            known[table.id] = table
            before = self._known.get(table.id)
            if before is None or before.indexes is not table.indexes:
                note_segments(database, tablet)
            if number % _LOOKS_AT_ONCE == _LOOKS_AT_ONCE - 1:
                await trio.lowlevel.checkpoint()
        self._known = known

    async def look_everywhere(self) -> None:
        """Note every tablet on disk, open or not, that lacks a file."""
        database, engine = self._database, self._database.engine
        marks = {
            table.storage_id: [one.mark for one in database.indexes_of(table.storage_id)]
            for table in database.catalog.tables.values()
            if table.indexes and table.kind is not TableKind.STREAM
        }
        if not marks:
            return
        found = (t for t in tablets_in(engine.fs, engine.cold_directory) if t.table in marks)
        step: list[TabletId] = []
        more = True

        def look() -> list[TabletId]:
            step[:] = islice(found, _LOOKS_AT_ONCE)
            return [tablet for tablet in step if _lacks(engine, tablet, marks[tablet.table])]

        while more:
            database.unindexed |= set(await trio.to_thread.run_sync(look))
            more = len(step) == _LOOKS_AT_ONCE


def _lacks(engine: Engine, tablet: TabletId, marks: Sequence[str]) -> bool:
    """Whether a segment has no file of an index. For a worker thread."""
    try:
        manifest = newest_on_disk(engine.fs, engine.tablet_directory(tablet), tablet)
    except KalamError:
        return False  # Who opens it is told what is wrong with it.
    return any(
        not has_file(engine.fs, segment, mark) for segment in manifest.segments for mark in marks
    )


def start_index_files(database: Database, jobs: Jobs, supervisor: Supervisor) -> None:
    """Make the index files that are lacking from now on, and what an earlier server has left."""
    files = IndexFiles(database, jobs)
    supervisor.every("index files", TICK_S, files.build_due)
    supervisor.every("look for index files", LOOK_S, files.look_everywhere, at_once=True)
