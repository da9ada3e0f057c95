"""Who waits for whom, and what they are told then: the same scripts on ours and on PostgreSQL 15."""

import pytest

from tests.wire.interleaved import differences

pytestmark = pytest.mark.slow

AFTER_A_DROP = [
    "INSERT INTO t VALUES (9, 9, 'z')",
    "INSERT INTO t VALUES (9, 9, 'z'), (8, 8, 'y')",
    "INSERT INTO t VALUES (9, 9, 'z') RETURNING id",
    "INSERT INTO t VALUES (9, 9, 'z') ON CONFLICT DO NOTHING",
    "INSERT INTO t SELECT id + 20, n, 'q' FROM u",
    "UPDATE t SET n = 0",
    "UPDATE t SET n = 0 WHERE id = 1",
    "UPDATE t SET n = u.n FROM u WHERE u.id = t.id",
    "DELETE FROM t WHERE id = 1",
    "DELETE FROM t USING u WHERE u.id = t.id",
    "SELECT id FROM t WHERE id = 1 FOR UPDATE",
    "SELECT id FROM t ORDER BY id FOR SHARE",
    "TRUNCATE t",
    "EXPLAIN ANALYZE DELETE FROM t",
    "EXECUTE p",
]
"""What waits for a table that somebody is dropping."""


SCRIPTS = {
    **{
        f"behind a DROP: {statement}": f"""
            b: PREPARE p AS UPDATE t SET n = n + 1
            a: BEGIN
            a: DROP TABLE t
            b: {statement}
            a: COMMIT
            b: SELECT 1
        """
        for statement in AFTER_A_DROP
    },
    **{
        f"behind a DROP that is taken back: {statement}": f"""
            b: PREPARE p AS UPDATE t SET n = n + 1
            a: BEGIN
            a: DROP TABLE t
            b: {statement}
            a: ROLLBACK
            b: SELECT id, n FROM t ORDER BY id
        """
        for statement in AFTER_A_DROP
        if "EXPLAIN" not in statement and "TRUNCATE" not in statement
    },
    "behind a DROP and a CREATE": """
        b: PREPARE p AS INSERT INTO t VALUES (77, 7)
        a: BEGIN
        a: DROP TABLE t
        a: CREATE TABLE t (id INT PRIMARY KEY, other INT)
        b: INSERT INTO t VALUES (7, 7) RETURNING *
        c: EXECUTE p
        d: UPDATE t SET n = 1
        a: COMMIT
        a: SELECT * FROM t
    """,
    "an EXECUTE behind a DROP and a CREATE": """
        b: PREPARE p AS INSERT INTO t VALUES (77, 7)
        a: BEGIN
        a: DROP TABLE t
        a: CREATE TABLE t (id INT PRIMARY KEY, other INT)
        b: EXECUTE p
        a: COMMIT
        a: SELECT * FROM t
    """,
    "in a block, behind a DROP": """
        a: BEGIN
        a: DROP TABLE t
        b: BEGIN
        b: INSERT INTO u VALUES (7, 7)
        b: INSERT INTO t VALUES (7, 7, 'x')
        a: COMMIT
        b: COMMIT
        b: SELECT * FROM u ORDER BY id
    """,
    "two DROPs of one table": """
        a: BEGIN
        a: DROP TABLE t
        b: DROP TABLE t
        c: DROP TABLE IF EXISTS t
        a: COMMIT
    """,
    "a DROP waits for a writer, and later writers wait behind it": """
        a: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'x')
        b: DROP TABLE t
        c: INSERT INTO t VALUES (8, 8, 'y')
        a: UPDATE t SET n = 0 WHERE id = 7
        a: INSERT INTO t VALUES (9, 9, 'z')
        a: COMMIT
    """,
    "a DROP that waits holds up nobody's other definitions": """
        a: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'x')
        b: DROP TABLE t
        c: CREATE TABLE w (id INT PRIMARY KEY)
        a: CREATE TABLE w2 (id INT PRIMARY KEY)
        a: ROLLBACK
    """,
    "a DROP of two tables waits for both": """
        a: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'x')
        b: BEGIN
        b: INSERT INTO u VALUES (7, 7)
        c: DROP TABLE t, u
        a: COMMIT
        d: INSERT INTO t VALUES (8, 8, 'x')
        b: COMMIT
    """,
    "two that drop each other's tables": """
        a: BEGIN
        b: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'x')
        b: INSERT INTO u VALUES (7, 7)
        a: DROP TABLE u
        b: DROP TABLE t
        b: ROLLBACK
        a: COMMIT
    """,
    "a circle through a row and a table": """
        a: BEGIN
        b: BEGIN
        a: UPDATE t SET n = 0 WHERE id = 1
        b: UPDATE u SET n = 0 WHERE id = 1
        b: UPDATE t SET n = 0 WHERE id = 1
        a: DROP TABLE u
        a: ROLLBACK
        b: COMMIT
    """,
    "the victim of a deadlock lets go before it says ROLLBACK": """
        a: BEGIN
        b: BEGIN
        a: UPDATE t SET n = 0 WHERE id = 1
        b: UPDATE t SET n = 0 WHERE id = 2
        a: UPDATE t SET n = 0 WHERE id = 2
        b: UPDATE t SET n = 0 WHERE id = 1
        b: SELECT 1
        a: COMMIT
        b: COMMIT
    """,
    "a failed statement gives back what was locked since the savepoint": """
        a: BEGIN
        a: UPDATE t SET n = 0 WHERE id = 1
        a: SAVEPOINT s
        a: UPDATE t SET n = 0 WHERE id = 2
        a: SELECT 1 / 0
        b: UPDATE t SET n = 5 WHERE id = 2
        b: UPDATE t SET n = 5 WHERE id = 1
        a: ROLLBACK TO s
        a: COMMIT
        a: SELECT id, n FROM t ORDER BY id
    """,
    "ROLLBACK TO gives back rows": """
        a: BEGIN
        a: SAVEPOINT s
        a: UPDATE t SET n = 0 WHERE id = 1
        b: UPDATE t SET n = 5 WHERE id = 1
        a: ROLLBACK TO s
        a: COMMIT
        a: SELECT n FROM t WHERE id = 1
    """,
    "lock_timeout": """
        a: BEGIN
        a: DROP TABLE t
        b: SET lock_timeout = '1ms'
        b: INSERT INTO t VALUES (7, 7, 'x')
        b: UPDATE t SET n = 0 WHERE id = 1
        b: DROP TABLE t
        b: SET lock_timeout = 0
        b: SET statement_timeout = '1ms'
        b: INSERT INTO t VALUES (7, 7, 'x')
        b: DROP TABLE t
        a: ROLLBACK
        a: BEGIN
        a: UPDATE t SET n = 0 WHERE id = 1
        b: UPDATE t SET n = 0 WHERE id = 1
        b: SET statement_timeout = 0
        b: SET lock_timeout = '1ms'
        b: UPDATE t SET n = 0 WHERE id = 1
        b: DELETE FROM t
        a: COMMIT
        b: UPDATE t SET n = 1 WHERE id = 1
    """,
}
"""They are answered alike."""


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_everybody_waits_and_is_told_as_in_postgresql(servers, script):
    assert differences(servers, script) == ""


def test_nothing_is_locked_when_every_session_has_ended(servers):
    server, _ = servers
    with server.root() as root:
        assert root.execute("SELECT * FROM pg_locks").fetchall() == []
