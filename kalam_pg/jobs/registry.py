"""Background work as jobs: what `system.jobs` and SHOW JOBS list.

A job is remembered for this server's life, the newest thousand of them.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

import structlog
import trio

from catalog.errors import QueryCanceledError
from kalam_pg.jobs.flush_process import FlushProcess
from storage.errors import KalamError

T = TypeVar("T")

JOBS_KEPT = 1000

log = structlog.get_logger()


@dataclass(slots=True)
class Job:
    """One piece of background work.

    type: flush, compact, stream_eviction, retention … status: running | completed | failed | cancelled.
    progress: 0 … 1. Times are microseconds since 1970 UTC, None while it runs.
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
    scope: trio.CancelScope = field(default_factory=trio.CancelScope, repr=False)


class Jobs:
    """Every job that runs or ran lately. nursery: where `start` runs them.

    flush_process: encodes what large flushes write; `flushing.run_policies` ends it.
    """

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque(maxlen=JOBS_KEPT)
        self._numbers = count(1)
        self.nursery: trio.Nursery | None = None
        self.flush_process = FlushProcess(trio.from_thread.check_cancelled)
        self._epoch = time.time_ns() // 1_000_000_000

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs))

    def find(self, job_id: str) -> Job | None:
        """A job by its id."""
        return next((job for job in self._jobs if job.id == job_id), None)

    async def run(
        self, type_: str, parameters: dict[str, str], work: Callable[[Job], Awaitable[T]]
    ) -> T:
        """Run `work` as a job and return its answer; its error is recorded and raised.

        Raises:
            QueryCanceledError: The job was killed.
        """
        job = Job(f"{type_}-{self._epoch:x}-{next(self._numbers)}", type_, parameters, _now_us())
        self._jobs.append(job)
        try:
            with job.scope:
                answer = await work(job)
                job.status, job.progress = "completed", 1.0
                return answer
        except BaseException as exc:
            if job.status == "running":
                job.status = "failed"
                job.error = exc.message if isinstance(exc, KalamError) else type(exc).__name__
                if not isinstance(exc, KalamError | trio.Cancelled):
                    log.exception("job failed", job=job.id)
            raise
        finally:
            job.ended_us = _now_us()
        job.status = "cancelled"
        raise QueryCanceledError(f"job {job.id} was killed")

    def start(
        self, type_: str, parameters: dict[str, str], work: Callable[[Job], Awaitable[object]]
    ) -> None:
        """Run `work` as a job in the background; an error is the job's and nobody else's."""
        assert self.nursery is not None, "the server is not running"
        self.nursery.start_soon(self._run_alone, type_, parameters, work)

    async def _run_alone(
        self, type_: str, parameters: dict[str, str], work: Callable[[Job], Awaitable[object]]
    ) -> None:
        try:
            await self.run(type_, parameters, work)
        except KalamError as exc:
            log.warning("job failed", type=type_, sqlstate=exc.sqlstate)


def _now_us() -> int:
    return time.time_ns() // 1000
