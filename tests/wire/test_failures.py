"""Jobs that fail or are killed, seen by clients: the server stays, and the next round does the work."""

import re
import time

import psycopg
import pytest

from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow  # Each starts servers of its own.


@pytest.fixture
def server(tmp_path):
    """A server that is not started yet."""
    server = KalamServer(tmp_path / "data")
    yield server
    server.stop()


def jobs(root: psycopg.Connection, type_: str) -> list[tuple]:
    return root.execute(
        "SELECT status, result, error, job_id FROM system.jobs WHERE job_type = %s ORDER BY started_at",
        (type_,),
    ).fetchall()


def wait_for(root: psycopg.Connection, type_: str, status: str, *, timeout_s: float = 20) -> tuple:
    """The first job of that type and status, once there is one."""
    give_up = time.monotonic() + timeout_s
    while time.monotonic() < give_up:
        for job in jobs(root, type_):
            if job[0] == status:
                return job
        root.execute("SELECT 1 FROM generate_series(1, 200000) LIMIT 1")
    raise AssertionError(f"no {status} {type_} among {jobs(root, type_)}")


def make(root: psycopg.Connection, policy: str = "FLUSH_POLICY = 'rows:1'") -> None:
    root.execute(
        f"CREATE TABLE t (id INT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER'{policy and ', ' + policy})"
    )


def test_a_bug_in_a_flush_is_that_jobs_failure_and_its_reference_leads_to_the_place(server):
    server.start(KALAM_FAILPOINTS="flush.encoded:crash")
    with server.root() as root:
        make(root)
        root.execute("INSERT INTO t VALUES (1, 'private')")
        _, _, error, _ = wait_for(root, "flush", "failed")
        found = re.fullmatch(r"XX000: internal error \(reference ([0-9a-f]{8})\)", error)
        assert found is not None
        line = server.wait_for_log(f"reference={found[1]}")
        assert "error=FailpointError" in line
        assert re.search(r'at="storage/\w+\.py:\d+ \w+"', line)
        assert "flush.py" in line
        assert "private" not in line
        assert root.execute("SELECT * FROM t").fetchall() == [(1, "private")]
        assert wait_for(root, "flush", "completed")[1] == "1 rows"
        root.execute("INSERT INTO t VALUES (2, 'b')")
        assert root.execute("SELECT count(*) FROM t").fetchone() == (2,)


def test_a_disk_that_is_full_fails_the_flush_and_not_the_server(server):
    server.start(KALAM_FAILPOINTS="publish.files_durable:enospc")
    with server.root() as root:
        make(root, "")
        root.execute("INSERT INTO t VALUES (1, 'a')")
        with pytest.raises(psycopg.errors.DiskFull):
            root.execute("STORAGE FLUSH TABLE t")
        assert jobs(root, "flush")[0][2].startswith("53100: ")
        root.execute("STORAGE FLUSH TABLE t")
        assert root.execute("SELECT * FROM t").fetchall() == [(1, "a")]


@pytest.mark.parametrize("action", ["enospc", "crash"])
def test_a_cleanup_that_fails_ends_nobody_and_is_done_again(server, action):
    server.start(KALAM_FAILPOINTS=f"erase.unlinked:{action}")
    with server.root() as root:
        make(root, "")
        root.execute("INSERT INTO t VALUES (1, 'a')")
        root.execute("STORAGE FLUSH TABLE t")
        root.execute("DROP TABLE t")
        wait_for(root, "table_cleanup", "failed")
        wait_for(root, "table_cleanup", "completed")
        assert not list((server.directory / "cold").rglob("segment-*"))


def test_tables_that_are_flushed_changed_and_dropped_in_a_loop_end_no_server(server):
    server.start()
    with server.root() as root:
        for number in range(15):
            make(root)
            root.execute("INSERT INTO t SELECT g, 'x' FROM generate_series(1, 50) AS g")
            root.execute("STORAGE FLUSH TABLE t")
            root.execute("UPDATE t SET v = 'y'")
            root.execute("DELETE FROM t WHERE id < 10")
            if number % 3:
                root.execute("STORAGE FLUSH TABLE t")
            root.execute("DROP TABLE t")
        assert root.execute("SELECT 1").fetchone() == (1,)
    assert not [line for line in server.errors if "internal error" in line]


def test_killing_a_job_that_has_ended_says_so_and_one_that_never_was_is_an_error(server):
    server.start()
    with server.root() as root:
        notices = []
        root.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
        make(root, "")
        root.execute("INSERT INTO t VALUES (1, 'a')")
        root.execute("STORAGE FLUSH TABLE t")
        job = jobs(root, "flush")[0][3]
        for _ in range(2):
            root.execute(f"KILL JOB '{job}'")
        assert notices == [f'job "{job}" has already ended'] * 2
        assert jobs(root, "flush")[0][0] == "completed"
        with pytest.raises(psycopg.errors.UndefinedObject):
            root.execute("KILL JOB 'flush-0-0'")
