"""Compaction as users and operators meet it: nothing changes but the number of segments."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from conformance.soak.processes import COMPACTION_PROCESS
from tests.wire.server import PASSWORD, KalamServer
from tests.wire.test_kill_job import encoding_process

pytestmark = pytest.mark.slow

USERS = ("alice", "bob")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = KalamServer(tmp_path_factory.mktemp("compacted") / "data").start()
    with server.root() as root:
        for name in USERS:
            root.execute(f"CREATE USER '{name}' WITH PASSWORD '{PASSWORD}' ROLE 'user'")
        root.execute(f"CREATE USER 'help' WITH PASSWORD '{PASSWORD}' ROLE 'service'")
    yield server
    server.stop()


@pytest.fixture
def root(server):
    with server.root() as root:
        root.execute("DROP TABLE IF EXISTS t")
        root.execute("CREATE TABLE t (id INT PRIMARY KEY, v TEXT) WITH (TYPE = 'USER')")
        yield root


def flushes(session, number, rows=20):
    """So many flushes of new rows, with an old one edited and one deleted."""
    for flush in range(number):
        first = flush * rows
        session.execute(
            f"INSERT INTO t SELECT g, 'v{flush}' FROM generate_series({first}, {first + rows - 1}) g"
            f" ON CONFLICT (id) DO UPDATE SET v = excluded.v"
        )
        session.execute(f"UPDATE t SET v = 'edited {flush}' WHERE id = {first // 2}")
        session.execute(f"DELETE FROM t WHERE id = {first // 3}")
        session.execute("STORAGE FLUSH TABLE t")


def rows_of(session):
    return session.execute("SELECT id, v, _seq FROM t ORDER BY id").fetchall()


def segments(session):
    return session.execute("SHOW STATS FOR TABLE t").fetchone()[4]


def until(found):
    """Ask until it is so."""
    pause = threading.Event()
    for _ in range(400):
        if (answer := found()) is not None:
            return answer
        pause.wait(0.05)
    raise AssertionError("it never came")


def test_a_tablet_is_one_segment_afterwards_and_reads_as_before(server, root):
    flushes(root, 6)
    rows = rows_of(root)
    with server.root() as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert rows_of(other) == rows
        root.execute("STORAGE COMPACT TABLE t")
        assert segments(root) == 1
        assert rows_of(root) == rows_of(other) == rows
        root.execute("UPDATE t SET v = 'later' WHERE id = 7")
        root.execute("STORAGE FLUSH TABLE t")
        root.execute("STORAGE COMPACT TABLE t")
        assert rows_of(other) == rows
        other.execute("COMMIT")
    assert root.execute("SELECT count(*), max(v) FROM t WHERE id = 7").fetchone() == (1, "later")
    jobs = root.execute(
        "SELECT status, progress, parameters, result FROM system.jobs WHERE job_type = 'compact'"
        " ORDER BY started_at"
    ).fetchall()
    assert jobs[-2][:3] == ("completed", 1.0, {"table": "public.t"})
    assert jobs[-2][3].startswith("6 segments became 1, ")


def test_a_tablet_with_many_segments_is_compacted_by_itself(root):
    flushes(root, 11)
    rows = rows_of(root)
    until(lambda: True if segments(root) < 10 else None)
    assert rows_of(root) == rows


def test_users_compact_what_is_theirs_and_services_what_is_everybodys(server, root):
    def counts():
        return [
            root.execute(f"EXECUTE AS USER '{n}' (SHOW STATS FOR TABLE t)").fetchone()[4]
            for n in USERS
        ]

    for name in USERS:
        with server.connect(user=name) as session:
            flushes(session, 3)
    with server.connect(user="alice") as alice:
        alice.execute("STORAGE COMPACT TABLE t")
        assert counts() == [1, 3]
        for statement in ("STORAGE COMPACT ALL", "STORAGE COMPACT ALL IN public"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                alice.execute(statement)
    root.execute("EXECUTE AS USER 'bob' (STORAGE COMPACT TABLE t)")
    assert counts() == [1, 1]
    for name in USERS:
        with server.connect(user=name) as session:
            flushes(session, 2)
    with server.connect(user="help") as service:
        cursor = service.execute("STORAGE COMPACT ALL IN public")
        assert cursor.statusmessage == "STORAGE COMPACT"
    assert counts() == [1, 1]


@pytest.mark.parametrize(("hours", "left"), [(0, 6), (1, 10)])
def test_deleted_rows_leave_the_segments_when_their_time_has_come(root, hours, left):
    root.execute("DROP TABLE t")
    root.execute(f"CREATE TABLE t (id INT PRIMARY KEY) WITH (DELETED_RETENTION_HOURS = {hours})")
    root.execute("INSERT INTO t SELECT g FROM generate_series(1, 10) g")
    root.execute("STORAGE FLUSH TABLE t")
    root.execute("DELETE FROM t WHERE id <= 4")
    root.execute("STORAGE FLUSH TABLE t")
    root.execute("STORAGE COMPACT TABLE t")
    assert [row[3] for row in root.execute("SHOW MANIFEST FOR t").fetchall()] == [left]
    assert root.execute("SELECT count(*), min(id) FROM t").fetchone() == (6, 5)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("STORAGE COMPACT TABLE missing", psycopg.errors.UndefinedTable),
        ("STORAGE COMPACT TABLE presence", psycopg.errors.WrongObjectType),
        ("STORAGE COMPACT TABLE", psycopg.errors.SyntaxError),
        ("STORAGE COMPACT ALL IN", psycopg.errors.SyntaxError),
        ("STORAGE COMPACT TABLE t now", psycopg.errors.SyntaxError),
    ],
)
def test_what_cannot_be_compacted_is_told(root, statement, error):
    root.execute(
        "CREATE TABLE IF NOT EXISTS presence (id INT) WITH (TYPE = 'STREAM', TTL_SECONDS = 9)"
    )
    with pytest.raises(error):
        root.execute(statement)


def test_a_compaction_is_killed_from_another_session_or_loses_its_process_and_is_done_again(
    server, root
):
    def compact():
        with server.root() as session:
            try:
                session.execute("STORAGE COMPACT TABLE t")
            except psycopg.Error as exc:
                return exc.sqlstate

    def running():
        found = root.execute(
            "SELECT job_id FROM system.jobs WHERE job_type = 'compact' AND status = 'running'"
        )
        return found.fetchone()

    pool = ThreadPoolExecutor(1)
    flushes(root, 3, rows=3000)
    rows = rows_of(root)
    for kill in (True, False):
        flushes(root, 1, rows=10)
        compacting = pool.submit(compact)
        process = until(lambda: encoding_process(server, COMPACTION_PROCESS))
        os.kill(process, signal.SIGSTOP)
        (job,) = until(running)
        if kill:
            root.execute(f"KILL JOB '{job}'")
        else:
            os.kill(process, signal.SIGKILL)
        assert compacting.result(timeout=20) == ("57014" if kill else "58000")
    rows = rows_of(root)
    assert compact() is None
    assert segments(root) == 1
    assert rows_of(root) == rows
    pool.shutdown()


def test_a_server_killed_amid_a_compaction_has_every_row_afterwards(tmp_path):
    server = KalamServer(tmp_path / "data").start(KALAM_FAILPOINTS="compact.merged:kill")
    with server.root() as root:
        root.execute("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)")
        flushes(root, 3)
        rows = rows_of(root)
        with pytest.raises(psycopg.OperationalError):
            root.execute("STORAGE COMPACT TABLE t")
    server.process.wait()
    server.start(KALAM_FAILPOINTS="")
    with server.root() as root:
        assert rows_of(root) == rows
        root.execute("STORAGE COMPACT TABLE t")
        assert (segments(root), rows_of(root)) == (1, rows)
    server.stop()
