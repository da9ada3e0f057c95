"""Advisory locks: who waits, who does not, and what is given back when, beside PostgreSQL 15."""

import psycopg
import pytest

from tests.wire.interleaved import differences
from tests.wire.raw import RawClient, query
from tests.wire.server import KalamServer
from tests.wire.test_lock_faults import cancel

pytestmark = pytest.mark.slow

SCRIPTS = {
    "a session's lock outlives its transaction, and is counted": """
        1: SELECT pg_advisory_lock(1)
        1: BEGIN
        1: SELECT pg_advisory_lock(1), pg_advisory_lock(2)
        1: ROLLBACK
        2: SELECT pg_try_advisory_lock(1), pg_try_advisory_lock(2), pg_try_advisory_lock(3)
        1: SELECT pg_advisory_unlock(1)
        2: SELECT pg_try_advisory_lock(1)
        1: SELECT pg_advisory_unlock(1)
        2: SELECT pg_try_advisory_lock(1)
        1: SELECT pg_advisory_unlock(1)
        1: SELECT pg_advisory_unlock_all()
        2: SELECT pg_advisory_lock(2)
        2: SELECT pg_advisory_unlock_all()
    """,
    "who waits is next": """
        1: SELECT pg_advisory_lock(7, -1)
        2: SELECT pg_advisory_lock(7, -1)
        3: SELECT pg_advisory_lock_shared(7, -1)
        0: SELECT pg_try_advisory_lock(7), pg_try_advisory_lock(7, 1), pg_try_advisory_lock(-1)
        0: SELECT pg_advisory_unlock_all()
        1: SELECT pg_advisory_unlock(7, -1)
        2: SELECT pg_advisory_unlock(7, -1)
        1: SELECT pg_try_advisory_lock(7, -1), pg_try_advisory_lock_shared(7, -1)
        1: SELECT pg_advisory_unlock(7, -1), pg_advisory_unlock_shared(7, -1)
        3: SELECT pg_advisory_unlock_shared(7, -1)
    """,
    "those of a transaction end with it, and with its savepoints": """
        1: BEGIN
        1: SELECT pg_advisory_xact_lock(1)
        1: SAVEPOINT a
        1: SELECT pg_advisory_xact_lock(2), pg_advisory_lock(3)
        1: SAVEPOINT b
        1: SELECT pg_advisory_xact_lock_shared(4)
        1: RELEASE b
        2: SELECT pg_try_advisory_lock(n) FROM generate_series(1, 4) n
        1: ROLLBACK TO a
        2: SELECT pg_try_advisory_lock(n) FROM generate_series(1, 4) n
        1: SELECT pg_advisory_unlock(1), pg_advisory_unlock(3)
        1: COMMIT
        2: SELECT pg_try_advisory_lock(n) FROM generate_series(1, 4) n
        2: SELECT pg_advisory_unlock_all()
        1: BEGIN
        1: SELECT pg_try_advisory_xact_lock(5)
        1: SELECT 1 / 0
        2: SELECT pg_try_advisory_xact_lock(5)
        1: ROLLBACK
        1: SELECT pg_advisory_xact_lock(6)
        2: SELECT pg_try_advisory_xact_lock(6)
    """,
    "a circle over rows and advisory locks is a deadlock": """
        1: BEGIN
        1: UPDATE t SET v = 1 WHERE id = 1
        2: SELECT pg_advisory_lock(9)
        2: BEGIN
        1: SELECT pg_advisory_lock(9)
        2: UPDATE t SET v = 2 WHERE id = 1
        2: ROLLBACK
        2: SELECT pg_advisory_unlock(9)
        1: COMMIT
        1: SELECT pg_advisory_unlock_all()
    """,
    "time is up": """
        1: SELECT pg_advisory_lock(1)
        2: SET lock_timeout = 10
        2: SELECT pg_advisory_lock(1)
        2: SET lock_timeout = 0
        2: SET statement_timeout = 10
        2: SELECT pg_advisory_xact_lock_shared(1)
        2: DISCARD ALL
        1: DISCARD ALL
        2: SELECT pg_try_advisory_lock(1)
        2: SELECT pg_advisory_unlock(1)
    """,
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_the_transcript_is_that_of_postgresql(servers, script):
    assert differences(servers, script) == ""


def test_everybody_has_their_own_keys_and_a_lost_session_holds_none(server: KalamServer) -> None:
    with server.connect("alice") as alice, server.connect("bob") as bob, server.root() as root:
        assert alice.execute("SELECT pg_try_advisory_lock(1)").fetchone() == (True,)
        assert bob.execute("SELECT pg_try_advisory_lock(1)").fetchone() == (True,)
        shown = root.execute(
            "SELECT locktype, classid, objid, objsubid, mode, granted FROM pg_locks ORDER BY pid"
        ).fetchall()
        assert shown == [("advisory", 0, 1, 1, "ExclusiveLock", True)] * 2
        with RawClient(server, "alice") as gone, RawClient(server, "alice") as stopped:
            gone.send(query("SELECT pg_advisory_lock(2), pg_advisory_lock(1)"))
            stopped.send(query("SELECT pg_advisory_lock(1)"))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while root.execute(waiting).fetchone() != (2,):
                pass
            cancel(server, stopped)
            assert stopped.answer().sqlstate == "57014"
        alice.execute("SET lock_timeout = '10s'")
        alice.execute("SELECT pg_advisory_lock(2)")
        for _ in range(2):
            alice.execute("SELECT pg_advisory_lock(n) FROM generate_series(3, 4) n")
        with pytest.raises(psycopg.errors.FeatureNotSupported), server.connect("alice") as other:
            other.execute("SELECT pg_advisory_lock(n) FROM generate_series(3, 4) n")
        alice.execute("SELECT pg_advisory_unlock_all()")
        bob.execute("SELECT pg_advisory_unlock_all()")
        assert root.execute("SELECT count(*) FROM pg_locks").fetchone() == (0,)
