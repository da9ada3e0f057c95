"""Flushing as jobs: on demand, by each table's FLUSH_POLICY, and STREAM eviction beside it.

Every second: `rows:N` flushes a tablet with N unflushed entries, `interval:S` one whose oldest unflushed
entry is S seconds old. A table without a policy is flushed when it has a great many, so that the log does
not grow for ever.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import count

import structlog
import trio

from catalog.model import Table, TableKind
from kalam_pg.jobs.host import FlushHost
from kalam_pg.jobs.registry import Job, Jobs
from kalam_pg.query.database import Database
from storage.cold.flush import FlushResult, flush_together
from storage.errors import KalamError
from storage.ids import TabletId
from storage.tablet import Tablet

TICK_S = 1.0
MEMORY_TICKS = 10
"""How many ticks from one look at the memory of all tails to the next; commits look too."""

DEFAULT_FLUSH_ROWS = 100_000
"""Unflushed entries of a tablet without a policy: about 10 MB of messages, one good segment."""

TOGETHER_TABLETS = 128
TOGETHER_ROWS = 16_384
"""Small tablets are flushed by so many at a time: they share some ten waits for the disk, and all appear
within a second."""

_LOOKS_AT_ONCE = 500
"""Dirty tablets that are asked whether they are due before others have their turn: 0.5 ms."""

LARGE_ROWS = 4096
"""A tablet with more unflushed entries is flushed by itself."""

FLUSHES_AT_ONCE = 2
"""Groups of one job under way at a time: while one waits for the disk, the other's rows are encoded."""

log = structlog.get_logger()


async def flush_table(
    database: Database, jobs: Jobs, table: Table, tablets: Iterable[TabletId]
) -> int:
    """Flush tablets of a table as one job; how many rows were written to segments."""
    todo = list(tablets)

    async def work(job: Job) -> int:
        answers: list[FlushResult | KalamError] = []
        left = _groups(database, todo)

        async def flush_some() -> None:
            for group in left:
                answers.extend(await _flush_group(database, jobs, table, group))
                job.progress = len(answers) / len(todo)

        async with trio.open_nursery() as nursery:
            for _ in range(FLUSHES_AT_ONCE):
                nursery.start_soon(flush_some)
        rows = sum(answer.rows for answer in answers if isinstance(answer, FlushResult))
        job.result = f"{rows} rows"
        failed = [answer for answer in answers if isinstance(answer, KalamError)]
        if failed:
            raise failed[0]
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
) -> list[FlushResult | KalamError]:
    """Flush some tablets; what became of each."""
    answers: list[FlushResult | KalamError] = []
    tablets: list[Tablet] = []
    for tablet_id in group:
        try:
            tablet = database.tablet_of_anyone(table, tablet_id)
        except KalamError as exc:
            # The other tablets are other people's: theirs are flushed all the same.
            answers.append(exc)
            continue
        assert isinstance(tablet, Tablet)
        tablets.append(tablet)
        await trio.lowlevel.checkpoint()  # Opening one reads its directory.
    host = FlushHost(database)
    call = partial(flush_together, host, encoder=jobs.flush_process.encode)
    try:
        return answers + await trio.to_thread.run_sync(call, tablets)
    except KalamError as exc:
        if len(tablets) == 1:
            return [*answers, exc]
    # Perhaps only one of them has trouble with the disk: each by itself.
    for tablet in tablets:
        try:
            answers += await trio.to_thread.run_sync(call, [tablet])
        except KalamError as exc:
            answers.append(exc)
    return answers


def dirty_tablets(database: Database, table: Table) -> list[TabletId]:
    """Every tablet of a table with unflushed entries."""
    return [t for t in database.engine.dirty_tablets() if t.table == table.id]


async def due_tablets(database: Database, now_s: float) -> dict[int, list[TabletId]]:
    """By table id, the tablets whose policy asks for a flush at `now_s` (monotonic seconds)."""
    due: dict[int, list[TabletId]] = {}
    for number, (tablet_id, dirty) in enumerate(list(database.engine.dirty_tablets().items())):
        if number % _LOOKS_AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
        table = database.catalog.table_by_id(tablet_id.table)
        if table is None or table.kind is TableKind.STREAM:
            continue
        options = table.options
        rows, interval_s = options.flush_rows, options.flush_interval_s
        if not rows and not interval_s:
            rows = DEFAULT_FLUSH_ROWS
        if (rows and dirty.rows >= rows) or (interval_s and now_s - dirty.since_s >= interval_s):
            due.setdefault(tablet_id.table, []).append(tablet_id)
    return due


async def run_policies(database: Database, jobs: Jobs) -> None:
    """Flush what is due, evict what has expired, keep the high-water mark durable; for ever."""
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep_house, database, jobs)
            nursery.start_soon(_flush_due, database, jobs)
    finally:
        jobs.flush_process.close()


async def _keep_house(database: Database, jobs: Jobs) -> None:
    """What must not wait for a flush."""
    for tick in count(1):
        await trio.sleep(TICK_S)
        now_us = time.time_ns() // 1000
        for stream in database.engine.open_streams():
            stream.evict(now_us)
        await trio.to_thread.run_sync(database.engine.sync_slots)
        if not tick % MEMORY_TICKS:
            database.engine.relieve_memory()
        if jobs.flush_process.idle:
            await trio.to_thread.run_sync(jobs.flush_process.end_idle)


async def _flush_due(database: Database, jobs: Jobs) -> None:
    while True:
        await trio.sleep(TICK_S)
        for table_id, tablets in (await due_tablets(database, time.monotonic())).items():
            table = database.catalog.table_by_id(table_id)
            if table is None:
                continue
            try:
                await flush_table(database, jobs, table, tablets)
            except KalamError as exc:
                # The job says what went wrong; the log is as it was, and the next tick tries again.
                log.warning("flush failed", table=table.id, sqlstate=exc.sqlstate)
