"""What goes: log entries that are cold and no longer retained, files nothing names, dropped tables.

Runs beside the flushes. Everything here may be cut off anywhere and is simply done again: what it
removes, nobody can see any more.
"""

import math
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

import trio

from kalam_pg.failures import known
from kalam_pg.jobs.host import FlushHost
from kalam_pg.jobs.registry import Job, Jobs
from kalam_pg.query.database import Database
from kalam_pg.supervision import Supervisor, ending_of
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


def start_retention(database: Database, jobs: Jobs, supervisor: Supervisor) -> None:
    """Trim and collect, every minute; erase what was dropped, also by an earlier server."""
    jobs.cleanup = supervisor.every(
        "table cleanup", math.inf, partial(erase_orphans, database, jobs), at_once=True
    )
    supervisor.every("retention", TICK_S, partial(retain, database, jobs))


async def retain(database: Database, jobs: Jobs) -> None:
    """Trim and collect every tablet in use, as one job; one that fails has its turn again next time."""

    async def work(job: Job) -> None:
        errors: list[KalamError] = []
        entries = files = 0
        for tablet in list(database.engine.open_tablets()):
            try:
                found = await _retain(database, tablet)
            except BaseException as exc:
                if ending_of(exc) is not None:
                    raise
                errors.append(known(exc, user=tablet.id.user, table=tablet.id.table))
                continue
            entries, files = entries + found[0], files + found[1]
            job.result = f"{entries} entries, {files} files"
        if errors:
            raise errors[0]
        job.nothing_done = not (entries or files)

    await jobs.run("retention", {}, work)


async def _retain(database: Database, tablet: Tablet) -> tuple[int, int]:
    """Trim and collect one tablet: how many log entries and files went."""
    table = database.catalog.table_by_id(tablet.id.table)
    if table is None or not tablet.manifest.version:
        return 0, 0
    retention_us = table.options.change_retention_h * 3_600_000_000
    retained_from = seq_at(time.time_ns() // 1000 - retention_us)
    host = FlushHost(database)
    entries = 0
    if tablet.manifest.segments:
        trimming = partial(trim, host, tablet, retained_from=retained_from)
        entries = (await trio.to_thread.run_sync(trimming)).entries
    older_than_ns = time.time_ns() - GRACE_S * 1_000_000_000
    collecting = partial(collect, host, tablet, older_than_ns=older_than_ns)
    return entries, len(await trio.to_thread.run_sync(collecting))


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
    """Files first: that needs no room, and as long as the log has entries the tablet is found again."""
    engine = database.engine
    await trio.to_thread.run_sync(erase, engine.fs, engine.tablet_directory(tablet))
    with engine.acquire() as view:
        keys = _keys_of(view, tablet)
        while True:
            part = await trio.to_thread.run_sync(lambda: list(islice(keys, ERASE_BATCH)))
            if not part:
                break
            puts: list[tuple[bytes, bytes | None]] = [(key, None) for key in part]
            await database.committer.commit(WriteSet([], [], puts, sync=False))


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
