"""A load beside what goes on in its tablet meanwhile.

The server is held at one of its steps until the other thing is done.
"""

import os
import threading

import psycopg
import pytest

from tests.wire.loading import COLUMNS, ROWS, copy, count, lines, sqlstate
from tests.wire.server import KalamServer, files_of
from tests.wire.test_compaction import until

pytestmark = pytest.mark.slow


@pytest.fixture
def held(tmp_path):
    """A server that waits at a step, once, until it is let go; how that is done."""
    path = tmp_path / "hold"
    os.mkfifo(path)
    server = KalamServer(tmp_path / "kalam", KALAM_HOLD=str(path))

    def let_go():
        os.close(os.open(path, os.O_WRONLY))

    yield server, let_go
    server.stop()


def goes_on_from(session, seq):
    """Whether a subscription may go on from there."""
    try:
        session.execute(f"SUBSCRIBE TO t OPTIONS (from_seq = '{seq}'); UNSUBSCRIBE \"public.t\"")
    except psycopg.errors.SnapshotTooOld:
        return False
    return True


def test_a_trim_that_was_under_way_does_not_say_that_the_log_has_what_was_loaded(held):
    server, let_go = held
    server.start(KALAM_FAILPOINTS="trim.batch:hold", KALAM_RETENTION_INTERVAL_S="0.2")
    with server.root() as root, server.root() as reader:
        root.execute(
            f"CREATE TABLE t ({COLUMNS}) WITH (TYPE = 'SHARED', CHANGE_RETENTION_HOURS = 0)"
        )
        root.execute("INSERT INTO t SELECT -g, 1, 'x' FROM generate_series(1, 1200) g")
        (first,) = root.execute("SELECT max(_seq) FROM t").fetchone()
        root.execute("INSERT INTO t SELECT -g, 1, 'x' FROM generate_series(1201, 1300) g")
        root.execute("STORAGE FLUSH TABLE t")

        until(lambda: None if goes_on_from(reader, first - 1) else True)
        root.execute("INSERT INTO t VALUES (-2000, 1, 'not flushed')")
        (last,) = root.execute("SELECT max(_seq) FROM t").fetchone()
        assert goes_on_from(reader, last)
        copy(root, lines())
        let_go()
        ended = "SELECT 1 FROM system.jobs WHERE job_type = 'retention' AND status = 'completed'"
        until(lambda: root.execute(ended).fetchone())
        assert not goes_on_from(reader, last)
        assert count(root) == ROWS + 1301


def test_a_key_that_is_deleted_while_it_is_loaded_is_the_loaded_row(held):
    """No segment knows of its tombstone any more when the load looks which keys are free; the log does."""
    server, let_go = held
    server.start(KALAM_FAILPOINTS="load.named:hold")
    with server.root() as root, server.root() as other:
        root.execute(
            f"CREATE TABLE t ({COLUMNS}) WITH (TYPE = 'SHARED', DELETED_RETENTION_HOURS = 0)"
        )
        root.execute("INSERT INTO t VALUES (5, 1, 'old')")
        loading = threading.Thread(target=lambda: copy(root, lines()))
        loading.start()
        until(lambda: "/segment-" in str(files_of(server.data / "cold")) or None)
        other.execute("DELETE FROM t WHERE id = 5")
        other.execute("STORAGE FLUSH TABLE t")
        other.execute("STORAGE COMPACT TABLE t")
        let_go()
        loading.join()
        for query in "WHERE id = 5", "WHERE id + 0 = 5":
            assert root.execute(f"SELECT room FROM t {query}").fetchall() == [(5,)]
        assert count(root) == ROWS
        root.execute("UPDATE t SET room = 9 WHERE id = 5")
        assert sqlstate(root.execute, "INSERT INTO t VALUES (5, 1, 'again')") == "23505"
        root.execute("DELETE FROM t WHERE id + 0 = 5")
        assert count(root) == ROWS - 1
