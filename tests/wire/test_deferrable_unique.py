"""UNIQUE … DEFERRABLE beside PostgreSQL 15: two sessions, random changes of every kind of table hot and cold.

What each clause means is told by `conformance/files/own/deferrable.sql`.
"""

# ruff: noqa: E501 -- one statement a line

import random

import psycopg
import pytest

from tests.wire import interleaved
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

MADE = """
    DROP TABLE IF EXISTS d
    CREATE TABLE d (id int PRIMARY KEY, u int UNIQUE DEFERRABLE)
    INSERT INTO d VALUES (1, 1), (2, 2)
"""
TOGETHER = {
    "who puts a value waits for who has just put it": """
        a: BEGIN
        a: INSERT INTO d VALUES (3, 3)
        b: INSERT INTO d VALUES (4, 3)
        a: COMMIT
        b: SELECT * FROM d ORDER BY id
    """,
    "and gets it when that one gives it up": """
        a: BEGIN
        a: UPDATE d SET u = 9 WHERE id = 1
        b: INSERT INTO d VALUES (4, 9)
        a: ROLLBACK
        b: SELECT * FROM d ORDER BY id
    """,
    "a value that has been taken is told at COMMIT": """
        a: BEGIN
        a: SET CONSTRAINTS ALL DEFERRED
        b: INSERT INTO d VALUES (4, 3)
        a: INSERT INTO d VALUES (3, 3)
        a: COMMIT
        a: SELECT * FROM d ORDER BY id
    """,
    "values change places in a block": """
        a: BEGIN
        a: SET CONSTRAINTS ALL DEFERRED
        a: UPDATE d SET u = 2 WHERE id = 1
        a: UPDATE d SET u = 1 WHERE id = 2
        b: SELECT * FROM d ORDER BY id
        a: COMMIT
        b: INSERT INTO d VALUES (5, 1)
        b: INSERT INTO d VALUES (5, 2)
        b: SELECT * FROM d ORDER BY id
    """,
}


@pytest.mark.parametrize("cold", [False, True], ids=["hot", "cold"])
@pytest.mark.parametrize("script", TOGETHER.values(), ids=TOGETHER)
def test_two_sessions_are_told_what_postgresql_tells(servers, script, cold):
    then = "\nSTORAGE FLUSH TABLE d" if cold else ""
    assert interleaved.differences(servers, script, more=MADE, then=then) == ""


def _change(choose: random.Random) -> str:
    n, m = choose.randrange(1, 9), choose.randrange(1, 9)
    return choose.choice(
        (
            f"INSERT INTO m VALUES ({n + choose.randrange(40)}, {m}, {n})",
            f"UPDATE m SET u = u + {choose.choice((-1, 1, 2))} WHERE id % 3 <> {choose.randrange(3)}",
            f"UPDATE m SET u = {m} WHERE u = {n}",
            f"UPDATE m SET v = 9 - v, id = id + {choose.choice((0, 0, 100))} WHERE id < {n * 3}",
            f"DELETE FROM m WHERE u = {n} OR v = {m}",
            f"MERGE INTO m USING (VALUES ({n}, {m})) s(i, x) ON m.id = s.i WHEN MATCHED THEN UPDATE SET u = s.x WHEN NOT MATCHED THEN INSERT VALUES (s.i, s.x, s.x)",
            "SAVEPOINT s",
            "ROLLBACK TO s",
            f"SET CONSTRAINTS ALL {choose.choice(('IMMEDIATE', 'DEFERRED'))}",
            "COMMIT",
            "ROLLBACK",
            "BEGIN",
            f"UPDATE m SET id = id + {choose.choice((-1, 1, 2))} WHERE v % 3 <> {choose.randrange(3)}",
        )
    )


@pytest.mark.parametrize("key", ["PRIMARY KEY", "PRIMARY KEY DEFERRABLE"])
@pytest.mark.parametrize("kind", ["USER", "SHARED", "STREAM"])
def test_random_changes_leave_what_postgresqls_leave(servers, kind, key):
    server, theirs = servers
    choose = random.Random(f"deferrable {kind}")
    options = f" WITH (TYPE = '{kind}'{', TTL_SECONDS = 100000' if kind == 'STREAM' else ''})"
    made = f"CREATE TABLE m (id int {key}, u int UNIQUE DEFERRABLE, v int, UNIQUE (v) DEFERRABLE INITIALLY DEFERRED)"
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as other:
        ours.execute(made + options)
        other.execute(made)
        for turn in range(220):
            if kind != "STREAM" and turn % 50 == 20:
                for both in ours, other:
                    both.execute("ROLLBACK")
                ours.execute("STORAGE FLUSH TABLE m")
            statement = _change(choose)
            told = []
            for both in ours, other:
                try:
                    tag = both.execute(statement).statusmessage
                except psycopg.Error as exc:
                    tag = exc.sqlstate
                told.append(tag)
            assert told[0] == told[1], statement
            if ours.info.transaction_status == psycopg.pq.TransactionStatus.INERROR:
                for both in ours, other:
                    both.execute("ROLLBACK")
            everything = "SELECT * FROM m ORDER BY id, u, v"
            rows = [both.execute(everything).fetchall() for both in (ours, other)]
            assert rows[0] == rows[1], statement
        for both in ours, other:
            both.execute("ROLLBACK")
            both.execute("DROP TABLE m")


def test_what_is_deferred_is_kept_over_a_restart(tmp_path):
    server = KalamServer(tmp_path / "kalam").start()
    try:
        with server.root() as root:
            root.execute(
                "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
            )
            root.execute("INSERT INTO t VALUES (1, 1), (2, 2)")
            root.execute("UPDATE t SET u = 3 - u")
        server.kill()
        server.start()
        with server.root() as root:
            root.execute(
                "BEGIN; INSERT INTO t VALUES (3, 1); UPDATE t SET u = 9 WHERE id = 2; COMMIT"
            )
            root.execute("BEGIN; INSERT INTO t VALUES (4, 1)")
            with pytest.raises(psycopg.errors.UniqueViolation):
                root.execute("COMMIT")
            assert root.execute("SELECT * FROM t ORDER BY id").fetchall() == [
                (1, 2),
                (2, 9),
                (3, 1),
            ]
    finally:
        server.stop()
