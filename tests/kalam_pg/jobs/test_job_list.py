"""What a job raises is its result; killing it ends it, whatever it does, and nothing else."""

import threading

import pytest
import structlog
import trio

from catalog.errors import QueryCanceledError
from kalam_pg.jobs import job_list
from kalam_pg.jobs.job_list import Jobs
from storage.errors import DiskFullError, InternalError
from tests.kalam_pg.jobs.forks import FORKS


async def run(jobs, work):
    return await jobs.run("flush", {"table": "public.t"}, work)


async def forever(_job):
    await trio.sleep_forever()


async def test_a_job_that_ends_well_is_completed():
    jobs = Jobs(FORKS)

    async def work(job):
        job.result = "3 rows"
        await trio.lowlevel.checkpoint()
        return 3

    assert await run(jobs, work) == 3
    (job,) = jobs
    assert (job.type, job.status, job.progress, job.result) == ("flush", "completed", 1.0, "3 rows")
    assert job.ended_us >= job.started_us
    assert jobs.find(job.id) is job


async def test_an_error_is_the_jobs_and_told_to_who_waits():
    jobs = Jobs(FORKS)

    async def work(_job):
        await trio.lowlevel.checkpoint()
        raise DiskFullError("No space left on device")

    with pytest.raises(DiskFullError):
        await run(jobs, work)
    (job,) = jobs
    assert (job.status, job.error) == ("failed", "53100: No space left on device")
    assert job.ended_us


@pytest.mark.parametrize("bug", [ValueError("secret"), OSError(5, "secret"), KeyError("secret")])
async def test_a_bug_is_logged_and_told_by_its_reference(bug):
    jobs = Jobs(FORKS)

    async def work(_job):
        async with trio.open_nursery() as nursery:  # Which wraps it in a group.
            nursery.start_soon(trio.sleep_forever)
            raise bug

    with structlog.testing.capture_logs() as lines, pytest.raises(InternalError) as raised:
        await run(jobs, work)
    (job,) = jobs
    assert job.status == "failed"
    assert job.error == f"XX000: internal error (reference {raised.value.reference})"
    (line,) = lines
    assert line["error"].startswith(type(bug).__name__)
    assert (line["reference"], line["job"]) == (raised.value.reference, job.id)


async def killed(jobs, work):
    """Run work as a job, kill it once all stand still, and return its error."""
    raised = []

    async def waiting():
        with pytest.raises(QueryCanceledError) as caught:
            await run(jobs, work)
        raised.append(caught.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting)
        await trio.testing.wait_all_tasks_blocked()
        (job,) = jobs
        assert job.kill()
        assert job.kill()  # Twice is once.
    assert not job.kill()
    assert job.status == "cancelled"
    assert job.error == f"57014: job {job.id} was killed"
    return raised[0]


async def test_a_job_between_its_steps_is_killed():
    error = await killed(Jobs(FORKS), forever)
    assert error.sqlstate == "57014"


async def test_a_job_with_tasks_of_its_own_is_killed():
    async def work(_job):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)

    await killed(Jobs(FORKS), work)


async def test_a_job_in_a_thread_is_killed_at_its_next_look():
    seen = []

    def in_thread():
        try:
            while not trio.from_thread.check_cancelled():
                pass
        finally:
            seen.append(threading.current_thread())

    await killed(Jobs(FORKS), lambda _job: trio.to_thread.run_sync(in_thread))
    assert seen


async def test_a_failure_on_the_way_out_of_a_killed_job_is_what_it_failed_with():
    jobs = Jobs(FORKS)

    async def work(_job):
        try:
            await trio.sleep_forever()
        finally:
            raise DiskFullError("No space left on device")

    async with trio.open_nursery() as nursery:

        async def waiting():
            with pytest.raises(DiskFullError):
                await run(jobs, work)

        nursery.start_soon(waiting)
        await trio.testing.wait_all_tasks_blocked()
        (job,) = jobs
        job.kill()
    assert job.status == "failed"


async def test_a_job_whose_caller_is_cancelled_is_cancelled():
    jobs = Jobs(FORKS)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, jobs, forever)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    (job,) = jobs
    assert (job.status, job.error) == ("cancelled", "57014: who waited for the job has ended")


async def test_killing_one_job_leaves_the_others(autojump_clock):
    jobs = Jobs(FORKS)
    ended = []

    async def other(_job):
        await trio.sleep(1)
        ended.append(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, jobs, other)
        await trio.testing.wait_all_tasks_blocked()
        (first,) = jobs

        async def doomed():
            with pytest.raises(QueryCanceledError):
                await run(jobs, forever)

        nursery.start_soon(doomed)
        await trio.testing.wait_all_tasks_blocked()
        list(jobs)[1].kill()
    assert ended
    assert first.status == "completed"


async def test_a_round_that_had_nothing_to_do_is_not_listed():
    jobs = Jobs(FORKS)

    async def work(job):
        assert jobs.find(job.id) is job
        job.nothing_done = True
        await trio.lowlevel.checkpoint()

    await run(jobs, work)
    assert not list(jobs)


async def test_the_oldest_are_forgotten_but_not_those_that_run(monkeypatch):
    monkeypatch.setattr(job_list, "JOBS_KEPT", 2)
    jobs = Jobs(FORKS)

    async def quick(_job):
        await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, jobs, forever)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(3):
            await run(jobs, quick)
        assert [job.status for job in jobs] == ["running", "completed"]
        nursery.cancel_scope.cancel()
