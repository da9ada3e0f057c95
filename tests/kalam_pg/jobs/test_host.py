"""What flush and trim ask of a running database is done without holding up the event loop."""

import threading
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace

import pytest
import trio

from kalam_pg.jobs import flushing
from kalam_pg.jobs.host import FlushHost
from kalam_pg.jobs.job_list import Jobs
from kalam_pg.live.subscription import LiveQueries
from kalam_pg.query.committer import Committer
from storage import failpoints
from storage.cold.trim import trim
from storage.errors import IoError, KalamError
from storage.ids import TabletId
from storage.wall_clock import now_us
from tests.kalam_pg.jobs.forks import FORKS
from tests.storage.engine_fixtures import LAYOUT, commit, insert, open_engine

TABLETS = [TabletId(user, 3) for user in range(5)]
TABLE = SimpleNamespace(
    id=3,
    layout=LAYOUT,
    qualified_name="public.t",
    options=SimpleNamespace(deleted_retention_h=168),
)


@asynccontextmanager
async def database(path):
    """As much of a database as jobs use: an engine, its committer, its tablets."""
    engine = open_engine(path, tablet_factory=None)
    committer = Committer(engine)
    committer.start()
    found = SimpleNamespace(
        engine=engine,
        committer=committer,
        live_queries=LiveQueries(),
        catalog=SimpleNamespace(stored_as={TABLE.id: TABLE}.get),
        now_us=now_us,
        building=set(),
        erasing={},
        log_bytes_max=0,
        tablet_of_anyone=lambda table, tablet: engine.tablet(tablet, table.layout),
    )
    try:
        yield found
    finally:
        await committer.stop()
        engine.close()


async def test_trim_deletes_in_the_committers_thread(tmp_path, monkeypatch):
    monkeypatch.setattr("storage.cold.trim._BATCH_ENTRIES", 2)
    async with database(tmp_path) as db:
        for number in range(5):
            commit(db.engine, insert(number, tablet=TABLETS[0]))
        await flushing.flush_table(db, Jobs(FORKS), TABLE, TABLETS[:1])
        threads = set()
        puts = db.engine.trim_puts

        def noted(tablet, entries):
            threads.add(threading.get_ident())
            return puts(tablet, entries)

        monkeypatch.setattr(db.engine, "trim_puts", noted)
        tablet = db.tablet_of_anyone(TABLE, TABLETS[0])
        call = partial(trim, FlushHost(db), tablet.id, tablet.schema, retained_from=2**62)
        assert (await trio.to_thread.run_sync(call)).entries == 5
        assert len(threads) == 1
        assert threading.get_ident() not in threads
        assert db.engine.current.log_length(TABLETS[0]) == 0


async def test_a_refused_group_is_flushed_one_by_one(tmp_path):
    async with database(tmp_path) as db:
        for tablet in TABLETS:
            commit(db.engine, insert(1, tablet=tablet))
        jobs = Jobs(FORKS)
        hits = []

        def refuse():
            hits.append(1)
            raise IoError("could not write: Input/output error")

        # The group's first file, and that of the second one flushed by itself.
        with (
            failpoints.armed("flush.file_written", refuse),
            failpoints.armed("publish.names_durable", refuse, at=2),
            pytest.raises(IoError),
        ):
            await flushing.flush_table(db, jobs, TABLE, TABLETS)
        assert len(hits) == 2
        assert list(db.engine.dirty_tablets()) == [TABLETS[1]]
        (job,) = jobs
        assert (job.status, job.result) == ("failed", "4 rows")


async def test_large_tablets_are_flushed_alone_and_small_ones_in_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(flushing, "LARGE_ROWS", 3)
    monkeypatch.setattr(flushing, "TOGETHER_TABLETS", 2)
    groups = []
    together = flushing.flush_together

    def noted(host, tablets, **how):
        groups.append([tablet.id.user for tablet in tablets])
        return together(host, tablets, **how)

    monkeypatch.setattr(flushing, "flush_together", noted)
    async with database(tmp_path) as db:
        for tablet in TABLETS:
            for number in range(4 if tablet.user == 1 else 1):
                commit(db.engine, insert(number, tablet=tablet))
        assert await flushing.flush_table(db, Jobs(FORKS), TABLE, TABLETS) == 8
        assert sorted(groups) == [[0, 2], [1], [3, 4]]
        assert not db.engine.dirty_tablets()


async def test_a_tablet_that_cannot_be_opened_does_not_keep_the_others_hot(tmp_path):
    async with database(tmp_path) as db:
        for tablet in TABLETS:
            commit(db.engine, insert(1, tablet=tablet))
        directory = db.engine.tablet_directory(TABLETS[2])
        directory.mkdir(parents=True)
        (directory / "manifest-0000000001.json").write_bytes(b"{")
        with pytest.raises(KalamError, match="manifest"):
            await flushing.flush_table(db, Jobs(FORKS), TABLE, TABLETS)
        assert list(db.engine.dirty_tablets()) == [TABLETS[2]]
