"""Policies and cleanups under the supervisor: a tablet's trouble is its own, and ends no server."""

import math
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pyarrow as pa
import pytest
import structlog
import trio

from catalog.model import TableKind
from kalam_pg.jobs import flushing, retention
from kalam_pg.jobs.flushing import Policies, start_policies
from kalam_pg.jobs.job_list import Jobs
from kalam_pg.supervision import Supervisor
from storage import failpoints
from storage.cold import trim as trim_module
from storage.errors import DiskFullError, InternalError
from storage.ids import TabletId
from tests.kalam_pg.jobs.forks import FORKS
from tests.kalam_pg.jobs.test_host import TABLE, TABLETS, database
from tests.storage.engine_fixtures import LAYOUT, commit, insert

pytestmark = pytest.mark.slow  # Each opens a directory; pauses take their second.

OPTIONS = SimpleNamespace(
    flush_rows=1,
    flush_interval_s=0,
    hot_row_limit=0,
    change_retention_h=1,
    deleted_retention_h=168,
)
OTHER = TabletId(1, 4)


def table_of(number):
    return SimpleNamespace(
        id=number,
        layout=LAYOUT,
        qualified_name=f"public.t{number}",
        options=OPTIONS,
        kind=TableKind.USER,
    )


@pytest.fixture
def lines():
    with structlog.testing.capture_logs() as found:
        yield found


@asynccontextmanager
async def policies(path):
    """A database with two tables whose tablets are flushed at every row, and its jobs."""
    async with database(path) as db:
        tables = {number: table_of(number) for number in (3, 4)}
        db.catalog = SimpleNamespace(tables=tables, stored_as=tables.get)
        for tablet in (*TABLETS, OTHER):
            commit(db.engine, insert(1, tablet=tablet))
        yield db, Jobs(FORKS)


@pytest.fixture
def broken(monkeypatch):
    """Tablets whose flush raises what no flush should; the test says which, and how often it was tried."""
    found = {}
    tries = []
    together = flushing.flush_together

    def flush(host, tablets, **how):
        for tablet in tablets:
            if len(tablets) == 1:
                tries.append(tablet.id)
            if tablet.id in found:
                raise found[tablet.id]
        return together(host, tablets, **how)

    monkeypatch.setattr(flushing, "flush_together", flush)
    return SimpleNamespace(tablets=found, tries=tries)


@pytest.mark.parametrize(
    "error", [pa.ArrowInvalid("secret"), FileNotFoundError("secret"), DiskFullError("No space")]
)
async def test_a_tablet_whose_flush_raises_is_the_jobs_failure_and_nobody_elses(
    tmp_path, broken, error, lines
):
    async with policies(tmp_path) as (db, jobs):
        broken.tablets[TABLETS[2]] = error
        rounds = Policies(db, jobs)
        await rounds.flush_due(0.0)
        assert set(db.engine.dirty_tablets()) == {TABLETS[2]}
        failed, completed = jobs
        assert (failed.status, failed.result) == ("failed", "4 rows")
        assert (completed.status, completed.parameters) == ("completed", {"table": "public.t4"})
        assert "secret" not in failed.error
        broken.tablets.clear()
        await rounds.flush_due(math.inf)
        assert not db.engine.dirty_tablets()


async def test_a_tablet_is_flushed_when_much_of_it_is_unflushed_whatever_its_policy(
    tmp_path, monkeypatch
):
    async with policies(tmp_path) as (db, jobs):
        options = {**vars(OPTIONS), "flush_rows": 0, "flush_interval_s": 3600, "hot_row_limit": 0}
        db.catalog.stored_as(3).options = SimpleNamespace(**options)
        large = db.engine.dirty_tablets()[TABLETS[0]].bytes
        assert large > 0
        monkeypatch.setattr(flushing, "FLUSH_BYTES", large + 1)
        await Policies(db, jobs).flush_due(0.0)
        assert TABLETS[0] in db.engine.dirty_tablets()
        commit(db.engine, insert(100, tablet=TABLETS[0]))
        await Policies(db, jobs).flush_due(0.0)
        assert TABLETS[0] not in db.engine.dirty_tablets()


async def test_a_tablet_is_flushed_when_it_has_as_many_rows_as_may_be_hot(tmp_path):
    async with policies(tmp_path) as (db, jobs):
        for rows, interval_s in ((0, 0), (0, 3600), (100, 0)):
            db.catalog.stored_as(3).options = SimpleNamespace(
                **{
                    **vars(OPTIONS),
                    "flush_rows": rows,
                    "flush_interval_s": interval_s,
                    "hot_row_limit": 5,
                }
            )
            for number in range(2, 6):
                await Policies(db, jobs).flush_due(0.0)
                assert TABLETS[0] in db.engine.dirty_tablets()
                commit(db.engine, insert(number + 10 * rows + interval_s, tablet=TABLETS[0]))
            await Policies(db, jobs).flush_due(0.0)
            assert TABLETS[0] not in db.engine.dirty_tablets()
            assert TABLETS[1] in db.engine.dirty_tablets()
            commit(db.engine, insert(10_000 + rows + interval_s, tablet=TABLETS[0]))


async def test_a_tablet_that_fails_is_tried_ever_more_seldom(tmp_path, broken, monkeypatch, lines):
    now = [1000.0]
    monkeypatch.setattr(flushing.time, "monotonic", lambda: now[0])
    async with policies(tmp_path) as (db, jobs):
        broken.tablets[TABLETS[2]] = OSError("broken")
        rounds = Policies(db, jobs)
        tried = []
        for _ in range(70):
            before = len(broken.tries)
            await rounds.flush_due()
            if TABLETS[2] in broken.tries[before:]:
                tried.append(now[0] - 1000.0)
            now[0] += 1.0
        assert tried == [0, 1, 3, 7, 15, 31, 63]
        # Who writes into another tablet meanwhile is served at once.
        commit(db.engine, insert(2, tablet=OTHER))
        await rounds.flush_due()
        assert set(db.engine.dirty_tablets()) == {TABLETS[2]}
        broken.tablets.clear()
        now[0] += 60.0
        await rounds.flush_due()
        assert not db.engine.dirty_tablets()


async def test_a_flush_that_a_statement_asks_for_does_not_wait_for_the_pause(
    tmp_path, broken, lines
):
    async with policies(tmp_path) as (db, jobs):
        broken.tablets[TABLETS[2]] = OSError("broken")
        await Policies(db, jobs).flush_due(0.0)
        broken.tablets.clear()
        assert await flushing.flush_table(db, jobs, TABLE, [TABLETS[2]]) == 1


async def test_a_killed_flush_ends_and_the_policy_goes_on(tmp_path, monkeypatch, lines):
    async with policies(tmp_path) as (db, jobs):
        with monkeypatch.context() as patched, trio.CancelScope() as scope:

            async def forever(*_arguments):
                await trio.sleep_forever()

            patched.setattr(flushing, "_flush_group", forever)
            rounds = Policies(db, jobs)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(rounds.flush_due, 0.0)
                for _ in range(2):
                    await trio.testing.wait_all_tasks_blocked()
                    job = next(job for job in jobs if job.status == "running")
                    assert job.kill()
        assert not scope.cancelled_caught
        assert [job.status for job in jobs] == ["cancelled", "cancelled"]
        await rounds.flush_due(math.inf)
        assert not db.engine.dirty_tablets()
        assert [job.status for job in jobs][2:] == ["completed", "completed"]


async def test_every_kind_of_housekeeping_fails_alone(autojump_clock, monkeypatch, lines):
    calls = {}

    async def inline(call, *arguments):
        await trio.lowlevel.checkpoint()
        return call(*arguments)

    # The clock does not wait for threads.
    monkeypatch.setattr(trio.to_thread, "run_sync", inline)

    def noted(name, *, fails):
        def call(*_arguments):
            calls[name] = calls.get(name, 0) + 1
            if fails:
                raise OSError(28, "secret")
            return ()

        return call

    names = ("sync_slots", "relieve_memory", "keep_room")
    for bad in (*names, "dirty_tablets", "evict", "end_idle"):
        calls.clear()
        engine = SimpleNamespace(**{name: noted(name, fails=name == bad) for name in names})
        engine.broken = False
        dirty = noted("dirty_tablets", fails=bad == "dirty_tablets")
        engine.streams = SimpleNamespace(
            evict=noted("evict", fails=bad == "evict"), relieve=lambda: False
        )
        engine.dirty_tablets = lambda dirty=dirty: dict(dirty())
        engine.uncounted = dict
        jobs = Jobs(FORKS)
        jobs.flush_process = SimpleNamespace(
            idle=True, end_idle=noted("end_idle", fails=bad == "end_idle")
        )
        async with Supervisor() as supervisor:
            database = SimpleNamespace(
                engine=engine, now_us=int, committer=SimpleNamespace(pause_s=0.0)
            )
            start_policies(database, jobs, supervisor)
            await trio.sleep(30)
        assert all(1 <= count < 10 for name, count in calls.items() if name == bad)
        others = {name: count for name, count in calls.items() if name != bad}
        assert others.pop("relieve_memory", 2) >= 2
        assert all(count > 20 for count in others.values())
        assert len(others) >= 4


@asynccontextmanager
async def cleaning(path):
    """A database whose table 3 was dropped, and the supervisor of its cleanups."""
    async with database(path) as db:
        tables = {3: table_of(3), 4: table_of(4)}
        db.catalog = SimpleNamespace(tables=tables, stored_as=tables.get)
        for tablet in (TABLETS[0], OTHER):
            commit(db.engine, insert(1, tablet=tablet))
            await flushing.flush_table(db, Jobs(FORKS), table_of(tablet.table), [tablet])
        del tables[3]
        async with Supervisor() as supervisor:
            yield db, supervisor


def entries(db):
    return [db.engine.current.log_length(tablet) for tablet in (TABLETS[0], OTHER)]


async def until(condition):
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 -- what threads do is seen by looking
            await trio.sleep(0.01)


async def test_what_was_dropped_is_erased_at_start_and_when_something_is_dropped(tmp_path):
    async with cleaning(tmp_path) as (db, supervisor):
        jobs = Jobs(FORKS)
        retention.start_retention(db, jobs, supervisor)
        await until(lambda: [job.status for job in jobs] == ["completed"])
        assert entries(db) == [0, 1]
        commit(db.engine, insert(2, tablet=TABLETS[0]))
        jobs.clean_up_soon()
        await until(lambda: [job.status for job in jobs] == ["completed", "completed"])
        assert entries(db) == [0, 1]


async def test_a_killed_cleanup_ends_and_is_begun_again(tmp_path, monkeypatch, lines):
    erase = retention._erase
    stuck = [True]

    async def slow(database, tablet):
        if stuck:
            await trio.sleep_forever()
        await erase(database, tablet)

    monkeypatch.setattr(retention, "_erase", slow)
    async with cleaning(tmp_path) as (db, supervisor):
        jobs = Jobs(FORKS)
        retention.start_retention(db, jobs, supervisor)
        await until(lambda: list(jobs))
        (job,) = jobs
        job.kill()
        stuck.clear()
        await until(lambda: len(list(jobs)) == 2 and entries(db) == [0, 1])
        assert job.status == "cancelled"
        assert supervisor.running


@pytest.mark.parametrize("action", ["enospc", "eio", "crash"])
async def test_a_cleanup_that_fails_is_tried_again(tmp_path, action, lines):
    async with cleaning(tmp_path) as (db, supervisor):
        jobs = Jobs(FORKS)
        with failpoints.armed("erase.unlinked", action):
            retention.start_retention(db, jobs, supervisor)
            await until(lambda: [job.status for job in jobs] == ["failed", "completed"])
        assert entries(db) == [0, 1]
        assert not list(db.engine.tablet_directory(TABLETS[0]).glob("*"))


async def test_a_tablet_that_cannot_be_trimmed_keeps_none_from_it(tmp_path, monkeypatch, lines):
    trimming = trim_module.trim_together

    def trim(host, todo):
        if any(one.tablet == OTHER for one in todo) and broken:
            raise KeyError("a bug")
        return trimming(host, todo)

    broken = [True]
    monkeypatch.setattr(retention, "trim_together", trim)
    async with cleaning(tmp_path) as (db, _):
        db.catalog = SimpleNamespace(
            tables={3: table_of(3), 4: table_of(4)}, stored_as={3: table_of(3), 4: table_of(4)}.get
        )
        OPTIONS.change_retention_h, kept = -1, OPTIONS.change_retention_h
        try:
            jobs = Jobs(FORKS)
            with pytest.raises(InternalError):
                await retention.retain(db, jobs)
            assert entries(db) == [0, 1]
            broken.clear()
            await retention.retain(db, jobs)
            assert entries(db) == [0, 0]
            await retention.retain(db, jobs)
        finally:
            OPTIONS.change_retention_h = kept
        # The third round had nothing to do.
        assert [job.status for job in jobs] == ["failed", "completed"]
