"""What goes is found on disk, waits for who still reads or writes it, and goes in batches."""

import gc
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
import trio

from catalog import codec
from kalam_pg.jobs import retention
from kalam_pg.jobs.host import FlushHost
from kalam_pg.jobs.job_list import Jobs
from kalam_pg.live.subscription import LiveQueries
from kalam_pg.query.committer import Committer
from storage.cold.directories import tablets_in
from storage.cold.flush import flush_together
from storage.engine import Engine
from storage.errors import DataCorruptedError
from storage.fs import OS
from storage.ids import TabletId
from storage.log.recovery import intent_key
from storage.wall_clock import now_us
from tests.kalam_pg.jobs.forks import FORKS
from tests.storage.engine_fixtures import LAYOUT, OPTIONS, commit, insert

TABLE = SimpleNamespace(
    id=3,
    layout=LAYOUT,
    options=SimpleNamespace(change_retention_h=0, deleted_retention_h=168, hot_row_limit=0),
)
TABLETS = [TabletId(user, 3) for user in range(40)]


@asynccontextmanager
async def database(path, *, tablets_max=2):
    """As much of a database as retention uses, with one table and few of its tablets open."""
    engine = Engine.open(path, options=replace(OPTIONS, tablets_max=tablets_max))
    committer = Committer(engine)
    committer.start()
    tables = {TABLE.id: TABLE}
    found = SimpleNamespace(
        engine=engine,
        committer=committer,
        catalog=SimpleNamespace(tables=tables, stored_as=tables.get),
        now_us=now_us,
        building=set(),
        erasing={},
        log_bytes_max=0,
        live_queries=LiveQueries(),
    )
    try:
        yield found
    finally:
        await committer.stop()
        engine.close()


def fill(db, tablets, *numbers):
    for number in numbers:
        for tablet in tablets:
            commit(db.engine, insert(number, "a", tablet=tablet))


async def flush(db, tablets):
    """Flush; a few of them stay open."""
    host = FlushHost(db)
    for at in range(0, len(tablets), 100):
        some = [db.engine.tablet(tablet, LAYOUT) for tablet in tablets[at : at + 100]]
        await trio.to_thread.run_sync(flush_together, host, some)
    del some
    gc.collect()


async def until(holds):
    with trio.fail_after(30):
        while True:
            if holds():
                return
            await trio.sleep(0.005)


def on_disk(db):
    return set(tablets_in(OS, db.engine.cold_directory)), set(db.engine.current.tablets())


async def test_logs_are_trimmed_and_files_collected_whether_or_not_their_tablets_are_open(tmp_path):
    async with database(tmp_path) as db:
        fill(db, TABLETS, 1)
        await flush(db, TABLETS)
        fill(db, TABLETS, 2)
        await flush(db, TABLETS)
        assert len(list(db.engine.open_tablets())) <= 2
        await trio.sleep(0.005)  # What is retained are commits of this very millisecond.
        jobs = Jobs(FORKS)
        await retention.retain(db, jobs)
        assert [job.result for job in jobs] == ["80 entries, 40 files"]
        assert all(db.engine.current.log_length(tablet) == 0 for tablet in TABLETS)
        await retention.retain(db, jobs)  # One that did nothing is not told of.
        assert len(list(jobs)) == 1
        assert len(list(db.engine.open_tablets())) <= 2


async def test_a_tablet_that_fails_costs_only_its_own_collection(tmp_path):
    async with database(tmp_path) as db:
        fill(db, TABLETS[:3], 1)
        await flush(db, TABLETS[:3])
        await trio.sleep(0.005)
        for tablet in TABLETS[:3]:
            (db.engine.tablet_directory(tablet) / "tmp-left").write_bytes(b"x")
        hurt = db.engine.tablet_directory(TABLETS[1]) / "manifest-0000000001.json"
        hurt.write_bytes(b"{")
        jobs = Jobs(FORKS)
        with pytest.raises(DataCorruptedError):
            await retention.retain(db, jobs)
        assert [job.result for job in jobs] == ["3 entries, 2 files"]


async def test_half_erased_files_of_a_dropped_table_are_no_damage(tmp_path):
    async with database(tmp_path) as db:
        fill(db, TABLETS[:1], 1)
        await flush(db, TABLETS[:1])
        (db.engine.tablet_directory(TABLETS[0]) / "manifest-0000000001.json").unlink()
        jobs = Jobs(FORKS)
        with pytest.raises(DataCorruptedError, match="has lost its newest manifest"):
            await retention.retain(db, jobs)
        db.catalog.tables.clear()
        await retention.retain(db, jobs)
        await retention.erase_orphans(db, jobs)
        assert on_disk(db) == (set(), set())


async def test_dropped_tables_leave_nothing_that_was_not_open(tmp_path):
    async with database(tmp_path) as db:
        fill(db, TABLETS, 1)
        await flush(db, TABLETS)
        await trio.sleep(0.005)
        await retention.retain(db, Jobs(FORKS))  # Now nothing is left of them in the log.
        fill(db, TABLETS[:5], 2)
        commit(db.engine, system=[(intent_key(TABLETS[0]), bytes(8))])
        db.catalog.tables.clear()
        jobs = Jobs(FORKS)
        await retention.erase_orphans(db, jobs)
        assert on_disk(db) == (set(), set())
        assert db.engine.system_get(intent_key(TABLETS[0])) is None
        (job,) = jobs
        assert (job.type, job.status, job.result) == ("table_cleanup", "completed", "40 tablets")


async def test_a_table_that_is_committed_and_not_yet_installed_is_not_dropped(tmp_path):
    async with database(tmp_path) as db:
        fill(db, TABLETS, 1)
        db.catalog.tables.clear()
        commit(db.engine, system=[(codec.table_key(TABLE.id), b"a table")])
        assert await retention.find_orphans(db) == []


async def test_nothing_is_erased_that_a_view_from_before_the_drop_reads(tmp_path, autojump_clock):
    async with database(tmp_path) as db:
        fill(db, TABLETS, 1)
        await flush(db, TABLETS)
        before = on_disk(db)
        with db.engine.acquire() as held:
            commit(db.engine, system=[(codec.table_key(TABLE.id), None)])
            db.catalog.tables.clear()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(retention.erase_orphans, db, Jobs(FORKS))
                for _ in range(20):
                    await trio.sleep(retention.RETRY_S)
                assert on_disk(db) == before
                held.acquire()
                held.release()
                nursery.cancel_scope.cancel()
        await retention.erase_orphans(db, Jobs(FORKS))
        assert on_disk(db) == (set(), set())


async def test_a_tablet_that_somebody_writes_is_erased_after_he_has_noticed(tmp_path):
    async with database(tmp_path) as db:
        fill(db, TABLETS[:2], 1)
        await flush(db, TABLETS[:2])
        db.catalog.tables.clear()
        async with trio.open_nursery() as nursery:
            with db.engine.directories.writer(TABLETS[0]):
                nursery.start_soon(retention.erase_orphans, db, Jobs(FORKS))
                await until(lambda: on_disk(db) == ({TABLETS[0]}, {TABLETS[0]}))
        assert on_disk(db) == (set(), set())


@pytest.mark.slow
async def test_many_dropped_tablets_share_their_batches(tmp_path):
    """1 000 tablets with a log entry, an index entry and a note each, and three files."""
    tablets = [TabletId(user, 3) for user in range(1, 1001)]
    async with database(tmp_path, tablets_max=10) as db:
        fill(db, tablets, 1)
        await flush(db, tablets)
        db.catalog.tables.clear()
        batches = []
        write = db.engine.write_group

        def counted(sets):
            batches.append(len(sets))
            return write(sets)

        db.engine.write_group = counted
        await retention.erase_orphans(db, Jobs(FORKS))
        assert on_disk(db) == (set(), set())
        assert len(batches) <= 4


@pytest.mark.slow
async def test_tables_are_flushed_collected_trimmed_and_dropped_all_at_once(tmp_path):
    """As a server does, by threads: no step of one is an error of another, and nothing is left."""
    async with database(tmp_path) as db:
        jobs, left = Jobs(FORKS), [3]

        async def live(first):
            for number in range(first, first + 5):
                table = db.catalog.tables[number] = SimpleNamespace(
                    id=number, layout=LAYOUT, options=TABLE.options
                )
                tablets = [TabletId(user, number) for user in (1, 2)]
                fill(db, tablets, 1)
                await flush(db, tablets)
                fill(db, tablets, 2)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(flush, db, tablets)
                    await trio.sleep(0.001 * (number % 5))
                    del db.catalog.tables[table.id]
                    db.engine.forget_table(table.id)
                    nursery.start_soon(retention.erase_orphans, db, jobs)
            left[0] -= 1

        async def retain():
            while left[0]:
                await retention.retain(db, jobs)
                await retention.erase_orphans(db, jobs)

        async with trio.open_nursery() as nursery:
            for first in (100, 200, 300):
                nursery.start_soon(live, first)
            nursery.start_soon(retain)
            nursery.start_soon(retain)
        await retention.erase_orphans(db, jobs)
        assert on_disk(db) == (set(), set())
        assert {job.status for job in jobs} == {"completed"}
        assert not db.engine.directories._places


@pytest.mark.slow
async def test_a_log_that_is_too_large_loses_what_is_in_segments_and_nobody_follows(
    tmp_path, monkeypatch
):
    large, followed, small = TABLETS[:3]
    async with database(tmp_path) as db:
        live = SimpleNamespace(subscriber=SimpleNamespace(tablet=followed))
        db.live_queries.add(live)
        monkeypatch.setattr(TABLE.options, "change_retention_h", 24)
        for tablet, rows in ((large, 600), (followed, 600), (small, 3)):
            for number in range(rows):
                commit(db.engine, insert(number, f"{number}" * 700, tablet=tablet))
        await flush(db, [large, followed, small])
        commit(db.engine, insert(999, "not flushed", tablet=large))
        await trio.to_thread.run_sync(db.engine.give_back, small)  # Out of LevelDB's memory.
        before = db.engine.log_bytes()
        assert before > 1_000_000
        for limit, left in ((0, 601), (before + 1, 601), (before - 100_000, 1)):
            db.log_bytes_max = limit
            await retention.retain(db, Jobs(FORKS))
            assert db.engine.current.log_length(large) == left
        assert db.engine.current.log_length(followed) == 600
        assert db.engine.current.log_length(small) == 3
        assert db.engine.log_bytes() < before - 100_000
        db.log_bytes_max = 1
        await retention.retain(db, Jobs(FORKS))
        assert db.engine.current.log_length(followed) == 600
        assert db.engine.current.log_length(small) == 0
