"""Background work as jobs: what `system.jobs` and SHOW JOBS list, and KILL JOB ends.

Whatever a job's work raises is that job's result, and nobody else's: it is told to who waits for the
job. A job is remembered for this server's life, the newest thousand of them.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

import trio

from catalog.errors import QueryCanceledError
from kalam_pg.engines.forked import ForkServer
from kalam_pg.failures import known
from kalam_pg.jobs.flush_process import FlushProcess
from kalam_pg.query.user_threads import UserThreads
from kalam_pg.supervision import Periodic, ending_of, failure_of
from storage.errors import KalamError
from storage.ids import TabletId
from storage.wall_clock import now_us

T = TypeVar("T")
Work = Callable[["Job"], Awaitable[T]]

JOBS_KEPT = 1000

LINK_S = 10.0

LOADS_MAX = 2
"""Loads that have a thread, one of a user: the process that encodes them does one at a time."""

ENTERING_MAX = 16
"""COMMITs of loads that wait for a flush of their tablet to end."""

COMPACTION_NICENESS = 10
"""Sessions and flushes come first: a compaction may take as long as it likes."""


@dataclass(slots=True)
class Job:
    """One piece of background work.

    type: flush, table_cleanup, retention … status: running | completed | failed | cancelled.
    progress: 0 … 1. error: SQLSTATE and message. Times are microseconds since 1970 UTC, None while
    it runs. nothing_done: set by a round that had nothing to do; when it has ended nobody need see it.
    """

    id: str
    type: str
    parameters: dict[str, str]
    started_us: int
    status: str = "running"
    progress: float = 0.0
    result: str = ""
    error: str = ""
    ended_us: int | None = None
    nothing_done: bool = False
    scope: trio.CancelScope = field(default_factory=trio.CancelScope, repr=False)

    def kill(self) -> bool:
        """Ask the job to end; False if it has ended already."""
        self.scope.cancel()
        return self.status == "running"

    def end(self, status: str, error: KalamError | None = None) -> None:
        """What became of it."""
        self.status = status
        self.ended_us = now_us()
        if error is not None:
            self.error = f"{error.sqlstate}: {error.message}"


class Jobs:
    """Every job that runs, and those that ran lately.

    flush_process: encodes what large flushes write, compaction_process what compactions do, and
    load_process what COPY sends. load_threads: of those that wait for its answer; enter_threads: of those
    whose COMMIT waits for a tablet's turn.
    crowded: tablets to compact. cleanup: erases what was dropped, erasure who was purged; None where
    nothing runs in the background.
    """

    def __init__(self, forks: ForkServer) -> None:
        """forks: what forks these processes."""
        self._jobs: dict[str, Job] = {}
        self._numbers = count(1)
        self._epoch = now_us() // 1_000_000
        self.flush_process = FlushProcess(forks, trio.from_thread.check_cancelled)
        self.compaction_process = FlushProcess(
            forks,
            trio.from_thread.check_cancelled,
            work="compaction",
            niceness=COMPACTION_NICENESS,
        )
        self.load_process = FlushProcess(
            forks, trio.from_thread.check_cancelled, work="load", niceness=0
        )
        self.load_threads = UserThreads(LOADS_MAX)
        self.enter_threads = UserThreads(ENTERING_MAX)
        self.links: set[trio.Event] = set()
        """Loads that are committed and not linked yet."""
        self.crowded: set[TabletId] = set()
        self.cleanup: Periodic | None = None
        self.erasure: Periodic | None = None

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def close_processes(self) -> None:
        """End them, for good: who waits for one has an error."""
        self.flush_process.close()
        self.compaction_process.close()
        self.load_process.close()

    async def wait_for_links(self) -> None:
        """Wait, not for ever, until what is committed has its names: else the next start gives them."""
        with trio.move_on_after(LINK_S, shield=True):
            for linked in tuple(self.links):
                await linked.wait()

    def find(self, job_id: str) -> Job | None:
        """A job by its id."""
        return self._jobs.get(job_id)

    def clean_up_soon(self) -> None:
        """Something was dropped. The start of every server looks for it too."""
        if self.cleanup is not None:
            self.cleanup.wake()

    def erase_soon(self) -> None:
        """A user was purged. The start of every server looks for it too."""
        if self.erasure is not None:
            self.erasure.wake()

    async def run(self, type_: str, parameters: dict[str, str], work: Work[T]) -> T:
        """Run `work` as a job and return its answer; its error is recorded and raised.

        Raises:
            QueryCanceledError: The job was killed.
            KalamError: It failed; of a bug InternalError, which was logged.
        """
        job = self._add(type_, parameters)
        try:
            with job.scope:
                answer = await work(job)
                job.progress = 1.0
                job.end("completed")
                if job.nothing_done:
                    del self._jobs[job.id]
                return answer
        except BaseException as exc:
            failure = failure_of(exc)
            if failure is None or ending_of(exc) is not None:
                job.end("cancelled", QueryCanceledError("who waited for the job has ended"))
                raise
            error = known(failure, job=job.id)
            job.end("failed", error)
            raise error from exc
        killed = QueryCanceledError(f"job {job.id} was killed")
        job.end("cancelled", killed)
        raise killed

    def _add(self, type_: str, parameters: dict[str, str]) -> Job:
        job = Job(f"{type_}-{self._epoch:x}-{next(self._numbers)}", type_, parameters, now_us())
        if len(self._jobs) >= JOBS_KEPT:
            # One that runs stays: it is to be seen, and killed.
            oldest = next((old for old in self._jobs.values() if old.status != "running"), None)
            if oldest is not None:
                del self._jobs[oldest.id]
        self._jobs[job.id] = job
        return job
