"""KILL JOB ends that job and nothing else, whatever it waits for; so does the death of its process."""

import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest

from conformance.soak.processes import FLUSH_PROCESS, children
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

ROWS = 6000
"""More than are encoded in the server itself."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server for all tests: what one of them kills must cost the next nothing."""
    server = KalamServer(tmp_path_factory.mktemp("killed") / "data").start()
    yield server
    server.stop()


@pytest.fixture
def server(shared):
    """A server whose flush process has worked once and waits."""
    with shared.root() as root:
        root.execute("DROP TABLE IF EXISTS t, p")
        root.execute("CREATE TABLE t (id INT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER')")
        insert(root, 0)
        root.execute("STORAGE FLUSH TABLE t")
    return shared


@pytest.fixture
def threads():
    pool = ThreadPoolExecutor(4)
    yield pool
    pool.shutdown(wait=False, cancel_futures=True)


def insert(root: psycopg.Connection, start: int) -> None:
    root.execute(
        f"INSERT INTO t SELECT g, 'x' FROM generate_series({start}, {start + ROWS - 1}) AS g"
    )


def count(root: psycopg.Connection) -> int:
    return root.execute("SELECT count(*) FROM t").fetchone()[0]


def flush_process(server: KalamServer) -> int:
    """The process's id."""
    found = encoding_process(server, FLUSH_PROCESS)
    assert found is not None, "there is no flush process"
    return found


def encoding_process(server: KalamServer, name: str) -> int | None:
    """The id of the process that encodes flushes, or compactions, by what `ps` calls it."""
    assert server.process is not None
    return next(iter(children(server.process.pid, name)), None)


def flush(server: KalamServer) -> str | None:
    """Flush in a session of its own; the SQLSTATE of its error."""
    with server.root() as session:
        try:
            session.execute("STORAGE FLUSH TABLE t")
        except psycopg.Error as exc:
            return exc.sqlstate
    return None


def running(root: psycopg.Connection, number: int) -> list[str]:
    """The ids of the flushes that run, once there are so many."""
    pause = threading.Event()
    for _ in range(200):
        found = root.execute(
            "SELECT job_id FROM system.jobs WHERE job_type = 'flush' AND status = 'running'"
            " ORDER BY started_at"
        ).fetchall()
        if len(found) == number:
            return [job for (job,) in found]
        pause.wait(0.05)
    raise AssertionError(f"{found} run")


def result(future: "Future[str | None]") -> str | None:
    return future.result(timeout=20)


def test_a_job_that_waits_for_the_flush_process_is_killed_from_another_session(server, threads):
    with server.root() as root:
        insert(root, ROWS)
        os.kill(flush_process(server), signal.SIGSTOP)
        waiting = threads.submit(flush, server)
        (job,) = running(root, 1)
        assert count(root) == 2 * ROWS
        root.execute(f"KILL JOB '{job}'")
        root.execute(f"KILL JOB '{job}'")
        assert result(waiting) == "57014"
        found = root.execute("SELECT status, error FROM system.jobs WHERE job_id = %s", (job,))
        assert found.fetchone() == ("cancelled", f"57014: job {job} was killed")
        assert flush(server) is None
        assert count(root) == 2 * ROWS
        assert root.execute("SELECT sum(hot_rows) FROM system.stats").fetchone() == (0,)


def test_a_job_that_waits_for_another_flush_is_killed_and_the_other_goes_on(server, threads):
    with server.root() as root:
        insert(root, ROWS)
        process = flush_process(server)
        os.kill(process, signal.SIGSTOP)
        first = threads.submit(flush, server)
        (one,) = running(root, 1)
        second = threads.submit(flush, server)
        (two,) = [job for job in running(root, 2) if job != one]
        root.execute(f"KILL JOB '{two}'")
        assert result(second) == "57014"
        assert running(root, 1) == [one]
        os.kill(process, signal.SIGCONT)
        assert result(first) is None
        assert count(root) == 2 * ROWS


def test_who_waits_for_a_job_may_be_cancelled_and_the_job_with_them(server, threads):
    with server.root() as root, server.root() as session:
        insert(root, ROWS)
        os.kill(flush_process(server), signal.SIGSTOP)

        def waiting() -> str | None:
            try:
                session.execute("STORAGE FLUSH TABLE t")
            except psycopg.Error as exc:
                return exc.sqlstate
            return None

        future = threads.submit(waiting)
        (job,) = running(root, 1)
        session.cancel_safe()
        assert result(future) == "57014"
        assert running(root, 0) == []
        status = root.execute("SELECT status FROM system.jobs WHERE job_id = %s", (job,)).fetchone()
        assert status == ("cancelled",)
        assert flush(server) is None


def test_a_flush_process_killed_while_idle_costs_nobody_an_error(server):
    with server.root() as root:
        for start in (ROWS, 2 * ROWS):
            process = flush_process(server)
            os.kill(process, signal.SIGKILL)
            insert(root, start)
            assert flush(server) is None
            assert flush_process(server) != process
        assert count(root) == 3 * ROWS


def test_a_flush_process_killed_at_work_fails_its_job_and_the_next_one_has_another(server, threads):
    with server.root() as root:
        insert(root, ROWS)
        process = flush_process(server)
        os.kill(process, signal.SIGSTOP)
        waiting = threads.submit(flush, server)
        running(root, 1)
        os.kill(process, signal.SIGKILL)
        assert result(waiting) == "58000"
        assert count(root) == 2 * ROWS
        assert flush(server) is None
        assert count(root) == 2 * ROWS


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_server_ends_in_the_middle_of_a_flush_and_nothing_is_lost(server, how, threads):
    with server.root() as root:
        insert(root, ROWS)
        root.execute(
            "CREATE TABLE p (id INT PRIMARY KEY) WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:1')"
        )
        process = flush_process(server)
        os.kill(process, signal.SIGSTOP)
        root.execute(f"INSERT INTO p SELECT g FROM generate_series(1, {ROWS}) AS g")
        running(root, 1)  # By policy: nobody waits for it.
    ending = server.process
    ending.send_signal(how)
    assert ending.wait(timeout=15) == 0
    server.process = None
    assert not [line for line in server.errors if "Traceback" in line]
    server.start()
    with server.root() as root:
        assert count(root) == 2 * ROWS
        assert root.execute("SELECT count(*) FROM p").fetchone() == (ROWS,)
