"""Flushing as jobs: on demand, by each table's FLUSH_POLICY, and STREAM eviction beside it.

Every second: `rows:N` flushes a tablet with N unflushed entries, `interval:S` one whose oldest unflushed
entry is S seconds old. A table without a policy is flushed when it has a great many, so that the log does
not grow for ever.
"""

import time
from collections.abc import Iterable

import structlog
import trio

from catalog.model import Table, TableKind
from kalam_pg.jobs.host import FlushHost
from kalam_pg.jobs.registry import Job, Jobs
from kalam_pg.query.database import Database
from storage.errors import KalamError
from storage.flush import FlushResult, flush
from storage.ids import TabletId
from storage.tablet import Tablet

TICK_S = 1.0
DEFAULT_FLUSH_ROWS = 100_000
"""Unflushed entries of a tablet without a policy: about 10 MB of messages, one good segment."""

FLUSHES_AT_ONCE = 8
"""Tablets of one job that are flushed side by side: a flush mostly waits for five fsyncs."""

log = structlog.get_logger()


async def flush_tablet(database: Database, table: Table, tablet_id: TabletId) -> FlushResult:
    """Flush one tablet now. Raises what `storage.flush.flush` raises."""
    tablet = database.tablet(table, tablet_id)
    assert isinstance(tablet, Tablet)
    host = FlushHost(database)
    return await trio.to_thread.run_sync(flush, host, tablet)


async def flush_table(
    database: Database, jobs: Jobs, table: Table, tablets: Iterable[TabletId]
) -> int:
    """Flush tablets of a table as one job; how many rows were written to segments."""
    todo = list(tablets)

    async def work(job: Job) -> int:
        written: list[int] = []
        failed: list[KalamError] = []
        left = iter(todo)

        async def flush_some() -> None:
            for tablet_id in left:
                try:
                    result = await flush_tablet(database, table, tablet_id)
                except KalamError as exc:
                    # The other tablets are other people's: theirs are flushed all the same.
                    failed.append(exc)
                    continue
                written.append(result.rows)
                job.progress = len(written) / len(todo)

        async with trio.open_nursery() as nursery:
            for _ in range(min(FLUSHES_AT_ONCE, len(todo))):
                nursery.start_soon(flush_some)
        job.result = f"{sum(written)} rows"
        if failed:
            raise failed[0]
        return sum(written)

    return await jobs.run("flush", {"table": table.qualified_name}, work)


def dirty_tablets(database: Database, table: Table) -> list[TabletId]:
    """Every tablet of a table with unflushed entries."""
    return [t for t in database.engine.dirty_tablets() if t.table == table.id]


def due_tablets(database: Database, now_s: float) -> dict[int, list[TabletId]]:
    """By table id, the tablets whose policy asks for a flush at `now_s` (monotonic seconds)."""
    due: dict[int, list[TabletId]] = {}
    for tablet_id, dirty in database.engine.dirty_tablets().items():
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
    while True:
        await trio.sleep(TICK_S)
        now_us = time.time_ns() // 1000
        for stream in database.engine.open_streams():
            stream.evict(now_us)
        await trio.to_thread.run_sync(database.engine.sync_slots)
        for table_id, tablets in due_tablets(database, time.monotonic()).items():
            table = database.catalog.table_by_id(table_id)
            if table is None:
                continue
            try:
                await flush_table(database, jobs, table, tablets)
            except KalamError as exc:
                # The job says what went wrong; the log is as it was, and the next tick tries again.
                log.warning("flush failed", table=table.id, sqlstate=exc.sqlstate)
