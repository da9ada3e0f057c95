"""Statements that change many rows, of which others have changed or locked some: as on PostgreSQL 15.

Rows that need not wait are written by plain calls (`query.at_once`), the others between them in
the general way: which of the two a row goes must not be seen.
"""

import pytest

from tests.wire.interleaved import differences

pytestmark = pytest.mark.slow

CHANGES = {
    "some are changed meanwhile, one so that it is not wanted, one is deleted": """
        a: BEGIN
        a: UPDATE t SET n = n + 1 WHERE id = 3
        a: UPDATE t SET n = 99 WHERE id = 5
        a: DELETE FROM t WHERE id = 7
        a: INSERT INTO t VALUES (100, 50, 'new')
        b: UPDATE t SET s = s || '!' WHERE n <= 80
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "the rows between those locked are deleted": """
        a: BEGIN
        a: SELECT id FROM t WHERE id IN (2, 6) FOR SHARE
        b: DELETE FROM t WHERE id BETWEEN 1 AND 7
        a: ROLLBACK
        b: SELECT id FROM t ORDER BY id
    """,
    "above READ COMMITTED a row that has changed ends it": """
        a: BEGIN ISOLATION LEVEL REPEATABLE READ
        a: SELECT count(*) FROM t
        b: UPDATE t SET n = 0 WHERE id = 6
        a: UPDATE t SET n = 1 WHERE id < 9
        a: ROLLBACK
        b: SELECT sum(n) FROM t
    """,
    "a block's own changes are among them": """
        a: BEGIN
        a: INSERT INTO t SELECT g, g, 'own' FROM generate_series(20, 24) g
        a: DELETE FROM t WHERE id = 2
        a: UPDATE t SET n = n + 1000 WHERE id > 1
        a: UPDATE t SET n = n + 1000 WHERE s = 'own' RETURNING n
        a: SAVEPOINT p
        a: DELETE FROM t WHERE id >= 3
        a: INSERT INTO t VALUES (2, 2, 'again'), (3, 3, 'again'), (30, 30, 'other')
        a: SELECT * FROM t ORDER BY id
        a: ROLLBACK TO p
        a: SELECT * FROM t ORDER BY id
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "a row that breaks a rule undoes those before it": """
        a: ALTER TABLE t ADD CHECK (n < 1000)
        a: ALTER TABLE t ALTER s SET NOT NULL
        a: UPDATE t SET n = n * id * 20
        a: UPDATE t SET s = nullif(s, 'row 6')
        a: INSERT INTO t VALUES (20, 1, 'a'), (21, 1, 'a'), (20, 1, 'b')
        a: INSERT INTO t VALUES (30, 1, 'a'), (31, 2000, 'a')
        a: INSERT INTO t VALUES (40, 1, 'a'), (4, 1, 'a')
        a: UPDATE t SET n = 100 / (id - 5)
        a: SELECT * FROM t ORDER BY id
    """,
    "keys that move, over each other's places": """
        a: UPDATE t SET id = id + 100, n = id WHERE id > 4
        a: UPDATE t SET id = id WHERE id < 4
        a: UPDATE t SET id = id + 1 WHERE id = 3
        a: SELECT * FROM t ORDER BY id
    """,
    "two insert the same keys": """
        a: BEGIN
        a: INSERT INTO t VALUES (51, 1, 'a'), (52, 1, 'a')
        b: INSERT INTO t VALUES (50, 2, 'b'), (51, 2, 'b'), (53, 2, 'b')
        c: INSERT INTO t SELECT g, 3, 'c' FROM generate_series(53, 55) g
        a: ROLLBACK
        a: SELECT * FROM t WHERE id > 20 ORDER BY id
    """,
    "a row is found twice": """
        a: UPDATE t SET n = t.n + u.n FROM u WHERE t.id > u.id
        a: DELETE FROM t USING u WHERE t.id <> u.id AND t.id > 3 RETURNING t.id
        a: WITH gone AS (DELETE FROM t WHERE id = 1 RETURNING id) UPDATE t SET n = -1 RETURNING id
        a: SELECT id FROM t ORDER BY id
    """,
    "of very many some are locked, changed or there by then": """
        a: INSERT INTO t SELECT g, g, 'many' FROM generate_series(1000, 2600) g
        a: BEGIN
        a: UPDATE t SET n = 0 WHERE id IN (1700, 1701, 2300)
        a: DELETE FROM t WHERE id = 1900
        a: INSERT INTO t VALUES (2900, 1, 'between')
        b: UPDATE t SET n = n + 1 WHERE id >= 1000 AND n > 0
        c: INSERT INTO t SELECT g, 1, 'new' FROM generate_series(2601, 3300) g
        a: COMMIT
        c: SELECT count(*), sum(n), min(n) FROM t WHERE id >= 1000
        a: BEGIN
        a: SELECT id FROM t WHERE id = 1600 FOR UPDATE
        b: DELETE FROM t WHERE id BETWEEN 1000 AND 2500 RETURNING n % 100 > 98 AND id % 7 = 0
        a: UPDATE t SET n = -5 WHERE id = 1600
        a: COMMIT
        b: SELECT count(*), sum(n), min(id) FROM t WHERE id >= 1000
    """,
    "the first error is told, and what came before it is undone": """
        a: INSERT INTO t VALUES (20, 1, 'a'), (4, 1, 'a'), (21, 1 / (SELECT 0), 'a')
        a: INSERT INTO t VALUES (20, 1, 'a'), (21, 10 / (20 - 20), 'a'), (4, 1, 'a')
        a: INSERT INTO t SELECT g, 10 / (6 - g), 'a' FROM generate_series(11, 30) g
        a: UPDATE t SET n = 100 / (id - 8)
        a: UPDATE t SET id = id + 1, n = 5 WHERE id IN (9, 10)
        a: DELETE FROM t WHERE 100 / (id - 8) < 5
        a: SELECT * FROM t ORDER BY id
    """,
    "numbers are taken when rows are put": """
        a: CREATE SEQUENCE s
        a: ALTER TABLE t ALTER n SET DEFAULT nextval('s')
        a: INSERT INTO t (id, s) VALUES (20, 'a'), (21, 'a'), (4, 'a'), (22, 'a')
        a: INSERT INTO t (id, s) SELECT g, 'a' FROM generate_series(20, 22) g
        a: INSERT INTO t (id, s) SELECT 24 - g, 'a' FROM generate_series(1, 3) g
        a: UPDATE t SET n = nextval('s') WHERE id < 8
        a: UPDATE t SET n = nextval('s') WHERE id IN (1, 2) RETURNING n - currval('s')
        a: UPDATE t SET n = nextval('s') + 1 / (2 - id) WHERE id > 1 AND id < 3
        a: SELECT id, n FROM t ORDER BY id
        a: SELECT nextval('s')
    """,
    "a truncated tablet has none of its older rows": """
        a: BEGIN
        a: TRUNCATE t
        a: INSERT INTO t VALUES (1, 1, 'x'), (2, 2, 'y')
        a: UPDATE t SET n = n + 5 WHERE id < 10
        a: COMMIT
        a: UPDATE t SET n = n + 5 WHERE id < 10
        a: INSERT INTO t VALUES (3, 3, 'z'), (4, 4, 'z')
        a: SELECT * FROM t ORDER BY id
    """,
}

MORE_ROWS = "INSERT INTO t SELECT g, g * 10, 'row ' || g FROM generate_series(4, 10) g\n"


@pytest.mark.parametrize("cold", [False, True], ids=["hot", "cold"])
@pytest.mark.parametrize("script", CHANGES.values(), ids=CHANGES)
def test_many_rows_are_changed_as_in_postgresql(servers, script, cold):
    then = "\nSTORAGE FLUSH TABLE t" if cold else ""
    assert differences(servers, script, more=MORE_ROWS, then=then) == ""
