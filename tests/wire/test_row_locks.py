"""Rows that are locked, shared, skipped and looked at again: as on PostgreSQL 15, and among workers."""

import threading
from itertools import chain
from typing import Any

import psycopg
import pytest

from tests.wire.interleaved import differences

pytestmark = pytest.mark.slow

STRENGTHS = ("FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR KEY SHARE")


ROWS = {
    **{
        f"{held} and {wanted}": f"""
            a: BEGIN
            a: SELECT n FROM t WHERE id = 1 {held}
            b: SELECT n FROM t WHERE id = 1 {wanted} NOWAIT
            b: SELECT id FROM t ORDER BY id {wanted} SKIP LOCKED
            b: SELECT n FROM t WHERE id = 1 {wanted}
            a: COMMIT
        """
        for held in STRENGTHS
        for wanted in STRENGTHS
    },
    **{
        f"{change} and {strength}": f"""
            a: BEGIN
            a: {change}
            b: SELECT n FROM t WHERE id = 1 {strength} SKIP LOCKED
            b: SELECT n FROM t WHERE id = 1 {strength}
            a: COMMIT
            a: BEGIN
            a: SELECT id FROM t WHERE id = 2 {strength}
            b: {change.replace("id = 1", "id = 2").replace("id = 7", "id = 8")}
            a: COMMIT
            a: SELECT * FROM t ORDER BY id
        """
        for change in (
            "UPDATE t SET n = 11 WHERE id = 1",
            "UPDATE t SET id = 1, n = 11 WHERE id = 1",
            "UPDATE t SET id = 7 WHERE id = 1",
            "DELETE FROM t WHERE id = 1",
        )
        for strength in STRENGTHS
    },
    "four workers take what nobody else has": """
        a: BEGIN
        b: BEGIN
        c: BEGIN
        d: BEGIN
        a: SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        c: SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        d: SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        b: DELETE FROM t WHERE id = 2
        b: COMMIT
        d: SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        a: ROLLBACK
        d: SELECT id FROM t ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED
    """,
    "LIMIT and OFFSET count what was locked": """
        a: BEGIN
        a: SELECT id FROM t ORDER BY id OFFSET 1 LIMIT 1 FOR UPDATE
        b: SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t ORDER BY id OFFSET 1 FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t ORDER BY id OFFSET 0 LIMIT 1 FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t ORDER BY id LIMIT 0 FOR UPDATE
        a: COMMIT
    """,
    "LIMIT counts rows that are still wanted": """
        a: BEGIN
        a: UPDATE t SET s = 'gone' WHERE id = 1
        b: SELECT id, s FROM t WHERE s <> 'gone' ORDER BY id LIMIT 1 FOR UPDATE
        a: COMMIT
    """,
    "a row that has changed is given as it is, or not at all": """
        a: BEGIN
        a: UPDATE t SET n = n + 1 WHERE id = 1
        a: UPDATE t SET s = 'x' WHERE id = 2
        a: DELETE FROM t WHERE id = 3
        b: SELECT id, n, s FROM t WHERE s <> 'x' ORDER BY id FOR UPDATE
        c: UPDATE t SET n = n * 2 WHERE s <> 'x' RETURNING id, n
        d: DELETE FROM t WHERE n = 10
        a: COMMIT
        a: SELECT * FROM t ORDER BY id
    """,
    "a join is found again": """
        a: BEGIN
        a: UPDATE u SET n = 100 WHERE id = 1
        a: UPDATE t SET n = 77 WHERE id = 2
        b: UPDATE t SET n = t.n + u.n FROM u WHERE u.id = t.id RETURNING t.id, t.n
        a: COMMIT
        a: SELECT * FROM t ORDER BY id
    """,
    "a value that a subquery gives is computed again": """
        a: BEGIN
        a: UPDATE t SET n = n + 1 WHERE id = 1
        b: UPDATE t SET n = n + (SELECT count(*)::int FROM u) WHERE id = 1
        c: UPDATE t SET n = n + (SELECT count(*)::int FROM u)
        a: COMMIT
        a: SELECT * FROM t ORDER BY id
    """,
    "OF names the table whose rows are locked": """
        a: BEGIN
        a: SELECT t.id, u.n FROM t JOIN u ON u.id = t.id ORDER BY t.id FOR UPDATE OF t
        b: SELECT id FROM u ORDER BY id FOR UPDATE NOWAIT
        b: SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t WHERE id = 1 FOR UPDATE NOWAIT
        a: COMMIT
    """,
    "several clauses": """
        a: BEGIN
        a: SELECT t.id FROM t JOIN u ON u.id = t.id ORDER BY t.id FOR SHARE OF u FOR UPDATE OF t
        b: SELECT id FROM u ORDER BY id FOR SHARE NOWAIT
        b: SELECT id FROM u ORDER BY id FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t ORDER BY id FOR KEY SHARE SKIP LOCKED
        b: SELECT t.id FROM t, u WHERE t.id = u.id FOR SHARE OF u FOR KEY SHARE OF t NOWAIT
        a: COMMIT
        b: SELECT t.id FROM t LEFT JOIN u ON u.id = t.id ORDER BY t.id FOR UPDATE OF t
        b: SELECT x.id FROM t AS x ORDER BY x.id FOR UPDATE OF x
        b: SELECT t.id FROM t, (VALUES (1)) AS v(x), (SELECT 1) AS w ORDER BY t.id FOR UPDATE OF v, w
        b: SELECT t.id FROM t, generate_series(1, 2) g ORDER BY t.id, g LIMIT 3 FOR UPDATE
    """,
    "a joined row that changed meanwhile": """
        a: BEGIN
        a: UPDATE u SET n = 50 WHERE id = 1
        b: SELECT t.id, u.n FROM t JOIN u ON u.id = t.id ORDER BY t.id FOR UPDATE
        c: SELECT t.id, u.n FROM t JOIN u ON u.id = t.id AND u.n < 10 ORDER BY t.id FOR UPDATE
        a: COMMIT
    """,
    "what cannot be locked is refused": """
        a: SELECT count(*) FROM t FOR UPDATE
        a: SELECT n FROM t GROUP BY n FOR UPDATE
        a: SELECT n FROM t GROUP BY n HAVING n > 1 FOR SHARE
        a: SELECT DISTINCT n FROM t FOR NO KEY UPDATE
        a: SELECT rank() OVER (ORDER BY n) FROM t FOR KEY SHARE
        a: SELECT generate_series(1, n) FROM t FOR UPDATE
        a: SELECT n FROM t UNION SELECT n FROM u FOR UPDATE
        a: SELECT t.id FROM t LEFT JOIN u ON u.id = t.id FOR UPDATE
        a: SELECT t.id FROM t RIGHT JOIN u ON u.id = t.id FOR UPDATE OF t
        a: SELECT t.id FROM t FULL JOIN u ON u.id = t.id FOR UPDATE OF u
        a: SELECT id FROM t FOR UPDATE OF nosuch
        a: SELECT t.id FROM t, generate_series(1, 2) g FOR UPDATE OF g
        a: WITH w AS (SELECT 1 AS x) SELECT t.id FROM t, w FOR UPDATE OF w
        a: SELECT j.id FROM (t JOIN u USING (id)) AS j FOR UPDATE OF j
        a: BEGIN READ ONLY
        a: SELECT id FROM t FOR KEY SHARE
        a: ROLLBACK
        a: SELECT 1 FOR UPDATE
    """,
    "a row that is only locked is in the way of its key at once": """
        a: BEGIN
        a: SELECT id FROM t WHERE id = 1 FOR UPDATE
        b: INSERT INTO t VALUES (1, 0, 'x')
        b: INSERT INTO t VALUES (1, 0, 'x') ON CONFLICT DO NOTHING
        b: INSERT INTO t VALUES (1, 0, 'x') ON CONFLICT (id) DO UPDATE SET n = t.n + 1 RETURNING n
        a: UPDATE t SET n = 100 WHERE id = 1
        a: COMMIT
        b: BEGIN
        b: INSERT INTO t VALUES (1, 0, 'x') ON CONFLICT DO NOTHING
        a: UPDATE t SET n = 5 WHERE id = 1
        b: COMMIT
    """,
    "a key that somebody inserts or deletes": """
        a: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'a')
        b: INSERT INTO t VALUES (7, 8, 'b')
        c: INSERT INTO t VALUES (7, 9, 'c') ON CONFLICT DO NOTHING
        d: INSERT INTO t VALUES (7, 9, 'd') ON CONFLICT (id) DO UPDATE SET n = t.n + 1 RETURNING n
        e: UPDATE t SET n = 0 WHERE id = 7
        f: DELETE FROM t WHERE id = 8
        a: COMMIT
        a: BEGIN
        a: DELETE FROM t WHERE id = 7
        b: INSERT INTO t VALUES (7, 8, 'b') RETURNING n
        a: COMMIT
        a: BEGIN
        a: DELETE FROM t WHERE id = 7
        b: INSERT INTO t VALUES (7, 9, 'b') ON CONFLICT DO NOTHING
        a: ROLLBACK
    """,
    "an update that waits for nothing that it does not see": """
        a: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'a')
        b: UPDATE t SET n = 0 WHERE id = 7
        b: DELETE FROM t WHERE id = 7
        b: SELECT id FROM t WHERE id = 7 FOR UPDATE
        b: BEGIN
        b: DELETE FROM t WHERE id = 9
        a: INSERT INTO t VALUES (9, 9, 'a')
        a: COMMIT
        b: COMMIT
    """,
    "a stronger lock of one's own": """
        a: BEGIN
        b: BEGIN
        a: SELECT id FROM t WHERE id = 1 FOR SHARE
        b: SELECT id FROM t WHERE id = 1 FOR KEY SHARE
        a: UPDATE t SET n = 0 WHERE id = 1
        b: SELECT id FROM t WHERE id = 1 FOR SHARE
        a: ROLLBACK
        b: ROLLBACK
    """,
    "two that share a row and both change it": """
        a: BEGIN
        b: BEGIN
        a: SELECT id FROM t WHERE id = 1 FOR SHARE
        b: SELECT id FROM t WHERE id = 1 FOR SHARE
        a: UPDATE t SET n = 1 WHERE id = 1
        b: UPDATE t SET n = 2 WHERE id = 1
        b: ROLLBACK
        a: COMMIT
        a: SELECT n FROM t WHERE id = 1
    """,
    "ROLLBACK TO gives back a stronger mode": """
        a: BEGIN
        a: SELECT id FROM t WHERE id = 1 FOR KEY SHARE
        a: SAVEPOINT s
        a: SELECT id FROM t WHERE id = 1 FOR UPDATE
        b: UPDATE t SET n = 1 WHERE id = 1
        a: ROLLBACK TO s
        b: DELETE FROM t WHERE id = 1
        a: COMMIT
    """,
    "cursors lock what is fetched": """
        a: BEGIN
        a: DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id FOR UPDATE
        a: FETCH 1 FROM c
        b: SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
        a: FETCH 1 FROM c
        b: SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
        a: FETCH ALL FROM c
        a: FETCH PRIOR FROM c
        a: ROLLBACK
        a: BEGIN
        a: DECLARE c SCROLL CURSOR FOR SELECT id FROM t FOR KEY SHARE
        a: ROLLBACK
    """,
}
"""Row locks, answered alike."""


@pytest.mark.parametrize("script", ROWS.values(), ids=ROWS)
def test_rows_are_locked_as_in_postgresql(servers, script):
    assert differences(servers, script) == ""


def take_in_two(connection: psycopg.Connection[Any], number: int) -> int | None:
    with connection.transaction():
        row = connection.execute(
            "SELECT id FROM jobs WHERE worker IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
        ).fetchone()
        if row is None:
            return None
        connection.execute("UPDATE jobs SET worker = %s WHERE id = %s", (number, *row))
        return int(row[0])


def take_in_one(connection: psycopg.Connection[Any], number: int) -> int | None:
    row = connection.execute(
        "UPDATE jobs SET worker = %s WHERE id = (SELECT id FROM jobs WHERE worker IS NULL AND id <= %s "
        "ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id",
        (number, 40),
        prepare=True,
        binary=True,
    ).fetchone()
    return None if row is None else int(row[0])


@pytest.mark.parametrize("take", [take_in_two, take_in_one])
def test_four_workers_take_forty_jobs_and_none_twice(servers, take):
    server, _ = servers
    with server.root() as root:
        root.execute("CREATE TABLE jobs (id INT PRIMARY KEY, worker INT)")
        root.execute("INSERT INTO jobs SELECT g FROM generate_series(1, 40) g")
    taken: list[list[int]] = [[] for _ in range(4)]
    together = threading.Barrier(4)

    def work(number: int) -> None:
        with server.root() as connection:
            together.wait()
            while (job := take(connection, number)) is not None:
                taken[number].append(job)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(chain.from_iterable(taken)) == list(range(1, 41))
    with server.root() as root:
        found = root.execute("SELECT worker, id FROM jobs ORDER BY worker, id").fetchall()
        assert found == [(number, job) for number in range(4) for job in sorted(taken[number])]
        root.execute("DROP TABLE jobs")
