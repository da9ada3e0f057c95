"""Flushing as jobs: on demand, by each table's FLUSH_POLICY, and STREAM eviction beside it.

Every second: `rows:N` flushes a tablet with N unflushed entries, as HOT_ROW_LIMIT does, `interval:S` one
whose oldest unflushed entry is S seconds old. A table without a policy is flushed when it has a great many,
so that the log does not grow for ever; and every tablet that has so many bytes unflushed that memory matters.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import trio

from catalog.model import Table, TableKind
from kalam_pg.failures import report
from kalam_pg.jobs.compacting import note_flushed
from kalam_pg.jobs.host import FlushHost, open_tablets, together_or_each
from kalam_pg.jobs.indexing import note_segments
from kalam_pg.jobs.job_list import Job, Jobs
from kalam_pg.jobs.pauses import Pauses
from kalam_pg.jobs.pressure import due_rows, late_rows, pause_s, press
from kalam_pg.query.database import Database
from kalam_pg.supervision import Supervisor
from storage.cold.flush import FlushResult, flush_together
from storage.engine import Engine, WriteSet
from storage.errors import KalamError
from storage.ids import TabletId
from storage.log.view import View

TICK_S = 1.0
MEMORY_S = 10.0
"""From one look at the memory of all tails to the next; commits look too."""

DEFAULT_FLUSH_ROWS = 100_000
"""Unflushed entries of a tablet without a policy: about 10 MB of messages, one good segment."""

FLUSH_BYTES = 64 << 20
"""Or so many bytes of rows, whatever the policy: a tail has them all in memory when they are asked for."""

TOGETHER_TABLETS = 128
TOGETHER_ROWS = 16_384
"""Small tablets are flushed by so many at a time: they share some ten waits for the disk, and all appear
within a second."""

_LOOKS_AT_ONCE = 500
"""Dirty tablets that are asked whether they are due before others have their turn: 0.5 ms."""

_COUNTED_TOGETHER = 256
"""Tablets counted in one go of the worker thread."""

LARGE_ROWS = 4096
"""A tablet with more unflushed entries is flushed by itself."""

FLUSHES_AT_ONCE = 2
"""Groups of one job under way at a time: while one waits for the disk, the other's rows are encoded."""


Told = Callable[[TabletId, FlushResult | KalamError], None]


def _tell_nobody(_tablet: TabletId, _answer: FlushResult | KalamError) -> None:
    """The job's own result is enough."""


async def flush_table(
    database: Database,
    jobs: Jobs,
    table: Table,
    tablets: Iterable[TabletId],
    tell: Told = _tell_nobody,
) -> int:
    """Flush tablets of a table as one job; how many rows were written to segments.

    What one tablet raises is its own: the others are flushed all the same, and then it is the job's
    error. tell: called with what became of each tablet.

    Raises:
        KalamError: A tablet could not be flushed, or the job was killed.
    """
    todo = list(tablets)

    async def work(job: Job) -> int:
        await count_unflushed(database, todo)
        left = _groups(database, todo)
        errors: list[KalamError] = []
        done = rows = 0

        async def flush_some() -> None:
            nonlocal done, rows
            for group in left:
                for tablet, answer in await _flush_group(database, jobs, table, group):
                    tell(tablet, answer)
                    done += 1
                    if isinstance(answer, FlushResult):
                        rows += answer.rows
                    else:
                        errors.append(answer)
                job.progress = done / len(todo)
                job.result = f"{rows} rows"

        async with trio.open_nursery() as nursery:
            for _ in range(FLUSHES_AT_ONCE):
                nursery.start_soon(flush_some)
        job.result = f"{rows} rows"
        if errors:
            raise errors[0]
        return rows

    return await jobs.run("flush", {"table": table.qualified_name}, work)


def _groups(database: Database, tablets: Iterable[TabletId]) -> Iterator[list[TabletId]]:
    """Small tablets together, large ones alone."""
    together: list[TabletId] = []
    rows = 0
    for tablet_id in tablets:
        count = database.engine.unflushed(tablet_id)
        if count > LARGE_ROWS:
            yield [tablet_id]
            continue
        together.append(tablet_id)
        rows += count
        if len(together) == TOGETHER_TABLETS or rows >= TOGETHER_ROWS:
            yield together
            together, rows = [], 0
    if together:
        yield together


async def _flush_group(
    database: Database, jobs: Jobs, table: Table, group: Sequence[TabletId]
) -> list[tuple[TabletId, FlushResult | KalamError]]:
    """Flush some tablets; what became of each."""
    tablets, answers = await open_tablets(database, table, group)
    call = partial(flush_together, FlushHost(database), encoder=jobs.flush_process.encode)
    results: list[tuple[TabletId, FlushResult | KalamError]] = [*answers]
    for tablet, answer in await together_or_each(call, tablets):
        results.append((tablet.id, answer))
        if isinstance(answer, FlushResult):
            note_flushed(database, jobs, table, tablet)
            note_segments(database, tablet.newest_reading())
    return results


def dirty_tablets(database: Database, table: Table) -> list[TabletId]:
    """Every tablet of a table with unflushed entries."""
    return [t for t in database.engine.dirty_tablets() if t.table == table.storage_id]


async def count_unflushed(database: Database, tablets: Iterable[TabletId] | None = None) -> None:
    """Count the entries of those tablets, or all, that the start found and nobody has counted yet."""
    engine = database.engine
    uncounted = engine.uncounted()
    wanted = [t for t in (uncounted if tablets is None else tablets) if t in uncounted]
    for at in range(0, len(wanted), _COUNTED_TOGETHER):
        some = [(t, uncounted[t]) for t in wanted[at : at + _COUNTED_TOGETHER] if t in uncounted]
        with engine.acquire() as view:
            count = partial(_count, engine, view, [tablet for tablet, _ in some])
            entries = await trio.to_thread.run_sync(count)
        for (tablet, dirty), found in zip(some, entries, strict=True):
            engine.counted(tablet, dirty, found)


def _count(engine: Engine, view: View, tablets: Sequence[TabletId]) -> list[int]:
    return [engine.count_unflushed(view, tablet) for tablet in tablets]


class Policies:
    """Flushes what each table's policy asks for. A tablet that fails is tried again ever more seldom."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs
        self._pauses = Pauses()

    async def flush_due(self, now_s: float | None = None) -> None:
        """Flush what is due, table by table; what fails is told by its job.

        now_s: the time by `time.monotonic`.
        """
        database = self._database
        await count_unflushed(database)
        now_s = time.monotonic() if now_s is None else now_s
        for table_id, tablets in (await self._due(now_s)).items():
            table = database.catalog.stored_as(table_id)
            if table is None:
                continue
            left = set(tablets)

            def tell(
                tablet: TabletId, answer: FlushResult | KalamError, left: set[TabletId] = left
            ) -> None:
                left.discard(tablet)
                if isinstance(answer, KalamError):
                    self._pauses.failed(tablet)
                else:
                    self._pauses.succeeded(tablet)

            try:
                await flush_table(database, self._jobs, table, tablets, tell)
            except KalamError as exc:
                # The log is as it was. Who killed the job does not want it back at once, either.
                for tablet in left:
                    self._pauses.failed(tablet)
                report("flush failed", exc, table=table.id)

    async def _due(self, now_s: float) -> dict[int, list[TabletId]]:
        """By table id, the tablets whose policy asks for a flush at `now_s`, and that do not pause."""
        due: dict[int, list[TabletId]] = {}
        dirty_tablets = dict(self._database.engine.dirty_tablets())
        self._pauses.keep(dirty_tablets)
        late = 0
        for number, (tablet_id, dirty) in enumerate(dirty_tablets.items()):
            if number % _LOOKS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            table = self._database.catalog.stored_as(tablet_id.table)
            if table is None or table.kind is TableKind.STREAM:
                continue
            options = table.options
            interval_s = options.flush_interval_s
            # What HOT_ROW_LIMIT flushes stays in the log, too, up to the limit: trim keeps the newest.
            by_rows = options.flush_rows or options.hot_row_limit or not interval_s
            rows = due_rows(table, DEFAULT_FLUSH_ROWS)
            late += late_rows(dirty.rows, rows)
            if self._pauses.has(tablet_id, now_s):
                continue
            if (
                (by_rows and dirty.rows >= rows)
                or dirty.bytes >= FLUSH_BYTES
                or (interval_s and now_s - dirty.since_s >= interval_s)
            ):
                due.setdefault(tablet_id.table, []).append(tablet_id)
        self._press(late)
        return due

    def _press(self, late: int) -> None:
        """Have writers wait, or no more. late: rows that should have been flushed long ago."""
        engine = self._database.engine
        found = (engine.opened(tablet) for tablet in self._jobs.crowded)
        crowded = [tablet for tablet in found if tablet is not None]
        press(self._database.committer, pause_s(late, crowded))


def start_policies(database: Database, jobs: Jobs, supervisor: Supervisor) -> None:
    """Flush what is due, evict what has expired, keep the high-water mark durable; from now on."""
    engine = database.engine
    processes = jobs.flush_process, jobs.load_process

    async def evict_streams() -> None:
        while engine.streams.evict() or engine.streams.relieve():
            await trio.lowlevel.checkpoint()

    async def sync_slots() -> None:
        await trio.to_thread.run_sync(engine.sync_slots)

    async def keep_room() -> None:
        await trio.to_thread.run_sync(engine.keep_room)
        if engine.broken:
            # Whoever reads waits for it; a group opens it again, if that can be done.
            await database.committer.commit(WriteSet([], [], [], sync=False))

    async def relieve_memory() -> None:
        engine.rest_tails()

    async def end_idle() -> None:
        for process in processes:
            if process.idle:
                await trio.to_thread.run_sync(process.end_idle)

    supervisor.every("flush policies", TICK_S, Policies(database, jobs).flush_due)
    engine.streams.on_excess = supervisor.every("stream eviction", TICK_S, evict_streams).wake
    supervisor.every("high-water mark", TICK_S, sync_slots)
    supervisor.every("room on the disk", TICK_S, keep_room)
    supervisor.every("memory of tails", MEMORY_S, relieve_memory)
    supervisor.every("idle flush process", TICK_S, end_idle)
