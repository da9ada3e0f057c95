"""Compaction as jobs: by itself, after flushes that leave a tablet with many runs, and on demand.

One tablet at a time is compacted (small ones some at a time), in a process of its own beside that of
flushes, which gets what sessions and flushes leave of a processor. Which tablets there are is found on
disk: those that nobody has open are looked at too, at the start and every hour.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

import trio

from catalog.model import Table, TableKind
from kalam_pg.failures import report
from kalam_pg.jobs.host import FlushHost, open_tablets, together_or_each
from kalam_pg.jobs.indexing import note_segments
from kalam_pg.jobs.job_list import Job, Jobs
from kalam_pg.jobs.pauses import Pauses
from kalam_pg.query.database import Database
from kalam_pg.supervision import Supervisor
from storage.cold.compaction import Choice, CompactionResult, compact_together
from storage.cold.directories import tablets_in
from storage.cold.manifest import newest_on_disk
from storage.cold.tiering import due, overdue
from storage.errors import KalamError
from storage.ids import TabletId
from storage.log.clock import seq_at
from storage.tablet import Tablet

TICK_S = 1.0

LOOK_S = 3600.0
"""How often all tablets are looked at: for what was left by an earlier server, and for tombstones."""

TOGETHER_TABLETS = 32
SMALL_BYTES = 1 << 20
"""Tablets up to this are compacted together: they share the waits for the disk."""

_STEP_TABLETS = 256
"""Manifests read in one go of the worker thread, after which it can be cancelled."""

Told = Callable[[TabletId, CompactionResult | KalamError], None]


def _tell_nobody(_tablet: TabletId, _answer: CompactionResult | KalamError) -> None:
    """The job's own result is enough."""


def tombstones_before(database: Database, table: Table) -> int:
    """Deletes by commits before this one need not be kept any more."""
    return seq_at(database.now_us() - table.options.deleted_retention_h * 3_600_000_000)


def note_flushed(database: Database, jobs: Jobs, table: Table, tablet: Tablet) -> None:
    """A flush has added to the tablet: compact it soon if it has many runs now."""
    if due(tablet.manifest.segments, tombstones_before(database, table)):
        jobs.crowded.add(tablet.id)


async def compact_table(
    database: Database,
    jobs: Jobs,
    table: Table,
    tablets: Iterable[TabletId],
    choose: Choice,
    tell: Told = _tell_nobody,
) -> None:
    """Compact tablets of a table as one job, until there is nothing left to `choose`.

    What one tablet raises is its own: the others are compacted all the same, and then it is the job's
    error. tell: called with what became of each tablet.

    Raises:
        KalamError: A tablet could not be compacted, or the job was killed.
    """
    todo = list(tablets)

    async def work(job: Job) -> None:
        progress = _Progress(job, len(todo))
        for group in _groups(todo):
            for tablet_id, answer in await _compact_some(
                database, jobs, table, group, choose, progress
            ):
                tell(tablet_id, answer)
        if progress.errors:
            raise progress.errors[0]

    await jobs.run("compact", {"table": table.qualified_name}, work)


class _Progress:
    """How far a job has come: tablets that are done, and rows of the one at hand."""

    def __init__(self, job: Job, tablets: int) -> None:
        self._job = job
        self._tablets = max(1, tablets)
        self._done = self._before = self._after = self._bytes = 0
        self.errors: list[KalamError] = []

    def rows(self, done: int, of: int) -> None:
        """So many rows of the tablet at hand are written; from any thread."""
        self._job.progress = (self._done + min(1.0, done / max(1, of))) / self._tablets

    def answered(self, answer: CompactionResult | KalamError, *, last: bool) -> None:
        """A stretch of a tablet was compacted, or could not be. last: the tablet is done."""
        self._done += last
        if isinstance(answer, KalamError):
            self.errors.append(answer)
        else:
            self._before += answer.segments_before
            self._after += answer.segments
            self._bytes += answer.size
        self._job.progress = self._done / self._tablets
        self._job.result = f"{self._before} segments became {self._after}, {self._bytes} bytes"


def _groups(tablets: Sequence[TabletId]) -> Iterator[Sequence[TabletId]]:
    for at in range(0, len(tablets), TOGETHER_TABLETS):
        yield tablets[at : at + TOGETHER_TABLETS]


async def _compact_some(
    database: Database,
    jobs: Jobs,
    table: Table,
    group: Sequence[TabletId],
    choose: Choice,
    progress: _Progress,
) -> list[tuple[TabletId, CompactionResult | KalamError]]:
    """Compact some tablets; what became of each."""
    tablets, failed = await open_tablets(database, table, group)
    answers: list[tuple[TabletId, CompactionResult | KalamError]] = [*failed]
    for _, error in failed:
        progress.answered(error, last=True)
    small = [tablet for tablet in tablets if tablet.manifest.size <= SMALL_BYTES]
    large = [tablet for tablet in tablets if tablet not in small]
    before = tombstones_before(database, table)
    for together in ([small] if small else []) + [[tablet] for tablet in large]:
        left = together
        while left:
            found = await _compact_together(database, jobs, left, choose, before, progress)
            again: list[Tablet] = []
            for tablet, answer in found:
                more = isinstance(answer, CompactionResult) and answer.version > 0
                progress.answered(answer, last=not more)
                if more:
                    again.append(tablet)
                else:
                    answers.append((tablet.id, answer))
            left = again
    return answers


async def _compact_together(
    database: Database,
    jobs: Jobs,
    tablets: Sequence[Tablet],
    choose: Choice,
    before: int,
    progress: _Progress,
) -> Sequence[tuple[Tablet, CompactionResult | KalamError]]:
    host = FlushHost(database)
    rows = sum(segment.rows for tablet in tablets for segment in tablet.manifest.segments)
    call = partial(
        compact_together,
        host,
        choose=choose,
        tombstones_before=before,
        encoder=jobs.compaction_process.encode,
        told=lambda done: progress.rows(done, rows),
    )
    found = await together_or_each(call, tablets)
    for tablet, answer in found:
        if isinstance(answer, CompactionResult) and answer.version > 0:
            note_segments(database, tablet.newest_reading())
    return found


# ------------------------------------------------------------------ which tablets


async def find_tablets(
    database: Database, choose: Choice, wanted: Callable[[TabletId], bool]
) -> list[TabletId]:
    """The wanted tablets, open or not, of which there is something to choose."""
    engine = database.engine
    found = (tablet for tablet in tablets_in(engine.fs, engine.cold_directory) if wanted(tablet))
    some, count = list[TabletId](), _STEP_TABLETS

    def look() -> tuple[int, list[TabletId]]:
        step = list(islice(found, _STEP_TABLETS))
        return len(step), [tablet for tablet in step if _is_due(database, tablet, choose)]

    while count == _STEP_TABLETS:
        count, more = await trio.to_thread.run_sync(look)
        some += more
    return some


def _is_due(database: Database, tablet: TabletId, choose: Choice) -> bool:
    engine, table = database.engine, database.catalog.stored_as(tablet.table)
    if table is None or table.kind is TableKind.STREAM:
        return False
    try:
        manifest = newest_on_disk(engine.fs, engine.tablet_directory(tablet), tablet)
    except KalamError:
        return True  # Who opens it will tell what is wrong with it.
    return bool(choose(manifest.segments, tombstones_before(database, table)))


# ------------------------------------------------------------------ by itself


class Compactions:
    """Compacts what is due. A tablet that fails is tried again ever more seldom."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs
        self._pauses = Pauses()

    async def compact_due(self) -> None:
        """Compact the tablets that were noted, table by table; what fails is told by its job."""
        crowded, now_s = self._jobs.crowded, time.monotonic()
        self._pauses.keep(crowded)
        tables: dict[int, list[TabletId]] = {}
        for tablet in sorted(crowded):
            if not self._pauses.has(tablet, now_s):
                tables.setdefault(tablet.table, []).append(tablet)
        for table_id, tablets in tables.items():
            table = self._database.catalog.stored_as(table_id)
            if table is None:
                crowded.difference_update(tablets)
                continue
            left = set(tablets)

            def tell(
                tablet: TabletId, answer: CompactionResult | KalamError, left: set[TabletId] = left
            ) -> None:
                left.discard(tablet)
                if isinstance(answer, KalamError):
                    self._pauses.failed(tablet)
                else:
                    self._pauses.succeeded(tablet)
                    crowded.discard(tablet)

            try:
                await compact_table(self._database, self._jobs, table, tablets, overdue, tell)
            except KalamError as exc:
                # Segments are as they were. Who killed the job does not want it back at once, either.
                for tablet in left:
                    self._pauses.failed(tablet)
                report("compaction failed", exc, table=table.id)

    async def look_everywhere(self) -> None:
        """Note every tablet on disk that is due."""
        self._jobs.crowded |= set(await find_tablets(self._database, overdue, lambda _: True))


def start_compactions(database: Database, jobs: Jobs, supervisor: Supervisor) -> None:
    """Compact what is due from now on, and what an earlier server has left."""
    compactions, process = Compactions(database, jobs), jobs.compaction_process

    async def end_idle() -> None:
        if process.idle:
            await trio.to_thread.run_sync(process.end_idle)

    supervisor.every("compaction", TICK_S, compactions.compact_due)
    supervisor.every("look at all segments", LOOK_S, compactions.look_everywhere, at_once=True)
    supervisor.every("idle compaction process", TICK_S, end_idle)
