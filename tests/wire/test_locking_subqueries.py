"""Subqueries and WITH items that lock rows run once, before the rest of their statement, as in
PostgreSQL 15."""

import psycopg
import pytest

from tests.wire.interleaved import differences

pytestmark = pytest.mark.slow

NEXT = "(SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)"
UNTAKEN = "(SELECT id FROM t WHERE s <> 'x' FOR UPDATE)"
REST = "(SELECT id FROM t WHERE id > 1 FOR UPDATE)"

SCRIPTS = {
    "workers take the next job in one statement": f"""
        a: BEGIN
        b: BEGIN
        c: BEGIN
        a: UPDATE t SET n = 0 WHERE id = {NEXT} RETURNING *
        b: DELETE FROM t WHERE id = {NEXT} RETURNING *
        c: UPDATE t SET s = 'c' WHERE id IN {NEXT} RETURNING *
        d: UPDATE t SET s = 'd' WHERE id = {NEXT} RETURNING *
        d: UPDATE t SET s = 'd' WHERE id IN (SELECT id FROM t FOR UPDATE SKIP LOCKED) RETURNING *
        d: UPDATE t SET s = 'd' WHERE id = ANY (SELECT id FROM t FOR UPDATE SKIP LOCKED) RETURNING *
        a: ROLLBACK
        d: WITH w AS (SELECT * FROM t FOR UPDATE SKIP LOCKED) UPDATE t SET n = 9 FROM w WHERE t.id = w.id
        b: COMMIT
        c: COMMIT
        a: SELECT * FROM t ORDER BY id
    """,
    "a WITH item locks, and says what it locked": """
        a: BEGIN
        a: WITH w AS (SELECT id, s FROM t WHERE n > 10 ORDER BY id FOR UPDATE) SELECT count(*), max(s) FROM w
        b: SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
        a: COMMIT
        a: BEGIN
        a: WITH w AS (SELECT id FROM t FOR UPDATE) SELECT 1
        b: SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
        a: WITH w AS (SELECT id FROM t WHERE id < 2 FOR UPDATE) SELECT id FROM w JOIN w x USING (id)
        a: WITH w AS (SELECT id FROM t WHERE id = 3 FOR UPDATE) DELETE FROM t WHERE id IN (SELECT id FROM w)
        a: WITH l(m) AS (SELECT 3), w AS (SELECT id FROM t WHERE id = (SELECT m FROM l) FOR UPDATE) TABLE w
        a: COMMIT
    """,
    "a row of a subquery that changed meanwhile": """
        a: BEGIN
        a: UPDATE t SET s = 'x' WHERE id = 1
        b: UPDATE t SET s = 'b' WHERE id = (SELECT min(id) FROM {UNTAKEN} x)
        c: SELECT x.n FROM (SELECT n FROM t WHERE id = 1 FOR SHARE) x
        a: COMMIT
        a: SELECT * FROM t ORDER BY id
    """,
    "every place of a subquery that locks": f"""
        a: SELECT (SELECT s FROM t WHERE id = 2 FOR UPDATE), EXISTS (SELECT 1 FROM t WHERE id = 9 FOR UPDATE)
        a: SELECT ARRAY(SELECT id FROM t ORDER BY id FOR SHARE)
        a: SELECT (SELECT s FROM t WHERE id = 9 FOR UPDATE) IS NULL
        a: SELECT (SELECT s FROM t FOR UPDATE)
        a: SELECT id FROM u WHERE id NOT IN (SELECT id FROM t WHERE id <> 2 FOR UPDATE) ORDER BY id
        a: SELECT id FROM u WHERE id > ALL (SELECT id FROM t WHERE id > 9 FOR UPDATE) ORDER BY id
        a: SELECT id, s FROM u LEFT JOIN (SELECT * FROM t WHERE id = 2 FOR UPDATE) x USING (id) ORDER BY 1
        a: SELECT * FROM (SELECT * FROM t WHERE id = 9 FOR UPDATE) x
        a: SELECT x.id + 1 FROM (SELECT id FROM t ORDER BY id DESC LIMIT 2 FOR UPDATE) x ORDER BY 1
        a: SELECT id FROM t WHERE n > (SELECT n FROM t WHERE id < ALL {REST} FOR UPDATE) FOR UPDATE
        a: INSERT INTO u SELECT id + 10, n FROM (SELECT id, n FROM t FOR UPDATE) x RETURNING id
        a: INSERT INTO u VALUES (50, (SELECT n FROM t WHERE id = 3 FOR UPDATE)) RETURNING n
        a: SELECT id FROM t UNION ALL (SELECT id FROM u WHERE id > 20 FOR UPDATE)
        a: BEGIN READ ONLY
        a: SELECT (SELECT s FROM t WHERE id = 2 FOR UPDATE)
        a: ROLLBACK
    """,
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_subquery_locks_what_it_finds_as_in_postgresql(servers, script):
    assert differences(servers, script) == ""


def test_a_subquery_that_locks_and_depends_on_the_row_around_it_is_refused(servers):
    server, _ = servers
    with server.root() as root:
        root.execute("CREATE TABLE outside (id INT PRIMARY KEY)")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="depends on the rows around"):
            root.execute(
                "SELECT (SELECT i.id FROM outside i WHERE i.id = o.id FOR UPDATE) FROM outside o"
            )
        root.execute("DROP TABLE outside")
