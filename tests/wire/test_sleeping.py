"""pg_sleep waits for one session alone, and can be cancelled."""

import psycopg

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
