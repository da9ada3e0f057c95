"""What goes: log entries that are cold and no longer retained, files nothing names, dropped tables.

Runs beside the flushes. Everything here may be cut off anywhere and is simply done again: what it
removes, nobody can see any more.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

import structlog
import trio

from kalam_pg.jobs.host import FlushHost
from kalam_pg.jobs.registry import Job, Jobs
from kalam_pg.query.database import Database
from storage.cold.trim import collect, erase, trim
from storage.engine import WriteSet
from storage.errors import KalamError
from storage.ids import TabletId
from storage.keys import log_prefix, log_range, split_log_key, successor, tablet_ranges
from storage.log.clock import seq_at
from storage.log.view import View
from storage.tablet import Tablet

TICK_S = 60.0
GRACE_S = 600
"""Age of a file that nothing names before it is removed: a statement may still be reading it."""

ERASE_BATCH = 2000
"""Keys deleted in one batch: what a commit waits behind it stays short."""

log = structlog.get_logger()


async def run_retention(database: Database, jobs: Jobs) -> None:
    """Trim and collect, every minute, for ever; first erase what an earlier server did not."""
    await erase_orphans(database, jobs)
    while True:
        await trio.sleep(TICK_S)
        for tablet in database.engine.open_tablets():
            try:
                await _retain(database, tablet)
            except KalamError as exc:
                log.warning("retention failed", table=tablet.id.table, sqlstate=exc.sqlstate)


async def _retain(database: Database, tablet: Tablet) -> None:
    table = database.catalog.table_by_id(tablet.id.table)
    if table is None or not tablet.manifest.version:
        return
    retention_us = table.options.change_retention_h * 3_600_000_000
    retained_from = seq_at(time.time_ns() // 1000 - retention_us)
    host = FlushHost(database)
    if tablet.manifest.segments:
        await trio.to_thread.run_sync(partial(trim, host, tablet, retained_from=retained_from))
    older_than_ns = time.time_ns() - GRACE_S * 1_000_000_000
    await trio.to_thread.run_sync(partial(collect, host, tablet, older_than_ns=older_than_ns))


async def erase_orphans(database: Database, jobs: Jobs) -> None:
    """Erase tablets whose table is in the catalog no more."""
    with database.engine.acquire() as view:
        found = await trio.to_thread.run_sync(lambda: list(find_tablets(view)))
    orphans = [t for t in found if database.catalog.table_by_id(t.table) is None]
    if orphans:
        await erase_tablets(database, jobs, orphans)


async def erase_tablets(database: Database, jobs: Jobs, tablets: Sequence[TabletId]) -> None:
    """Delete everything of tablets that no catalog names, as one job."""

    async def work(job: Job) -> None:
        for done, tablet in enumerate(tablets):
            await _erase(database, tablet)
            job.progress = (done + 1) / len(tablets)
        job.result = f"{len(tablets)} tablets"

    await jobs.run("table_cleanup", {"tablets": str(len(tablets))}, work)


async def _erase(database: Database, tablet: TabletId) -> None:
    engine = database.engine
    with engine.acquire() as view:
        keys = _keys_of(view, tablet)
        while True:
            part = await trio.to_thread.run_sync(lambda: list(islice(keys, ERASE_BATCH)))
            if not part:
                break
            puts: list[tuple[bytes, bytes | None]] = [(key, None) for key in part]
            await database.committer.commit(WriteSet([], [], puts, sync=False))
    await trio.to_thread.run_sync(erase, engine.fs, engine.tablet_directory(tablet))


def _keys_of(view: View, tablet: TabletId) -> Iterator[bytes]:
    for start, stop in tablet_ranges(tablet):
        for key, _ in view.scan(start, stop):
            yield key


def find_tablets(view: View) -> Iterator[TabletId]:
    """Every tablet that has log entries, in order: one seek for each."""
    start, stop = log_range()
    while True:
        first = next(iter(view.scan(start, stop)), None)
        if first is None:
            return
        tablet, _, _ = split_log_key(first[0])
        yield tablet
        start = successor(log_prefix(tablet))
