"""pg_sleep waits for one session alone, and can be cancelled."""

import psycopg

from tests.wire.raw import RawClient, query
from tests.wire.server import PASSWORD

SLEEP = b"SELECT pg_sleep(600)"


def test_others_are_answered_while_one_sleeps_and_a_cancel_wakes_it(server):
    with server.root() as sleeper, server.root() as other:
        sleeper.pgconn.send_query(SLEEP)
        assert other.execute("SELECT 1").fetchone() == (1,)
        sleeper.cancel_safe()
        result = sleeper.pgconn.get_result()
        assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"57014"
        assert sleeper.pgconn.get_result() is None
        assert sleeper.execute("SELECT 2").fetchone() == (2,)


def test_a_client_that_is_lost_while_it_sleeps_leaves_nothing(server):
    with server.root() as sleeper:
        sleeper.pgconn.send_query(SLEEP)
        process = sleeper.info.backend_pid
        sleeper.pgconn.finish()
    with server.root() as other:
        gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        while other.execute(gone, (process,)).fetchone() != (0,):
            other.execute("SELECT pg_sleep(0.01)")


def test_a_client_that_is_lost_is_missed_though_not_all_that_it_said_was_read(server):
    with server.root() as other:
        other.execute(f"CREATE USER IF NOT EXISTS sleeper PASSWORD '{PASSWORD}'")
        # By TCP, where the end of one half tells nothing of the other.
        with RawClient(server, "sleeper") as client:
            process = int.from_bytes(client.key[:4])
            behind = query("SELECT 1 --" + "x" * 1000) * 100  # More than is read ahead.
            client.send(query(SLEEP.decode()) + behind)
            there = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND query LIKE %s"
            while other.execute(there, (process, SLEEP.decode())).fetchone() != (1,):
                other.execute("SELECT pg_sleep(0.01)")
        while other.execute(there, (process, "%")).fetchone() != (0,):
            other.execute("SELECT pg_sleep(0.01)")
