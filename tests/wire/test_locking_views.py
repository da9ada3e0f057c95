"""FOR UPDATE and its kin of views and derived tables: who waits, and what is looked at again.

What each form of view answers is told by `conformance/files/own/views_locked.sql`.
"""

import psycopg
import pytest

from tests.wire.interleaved import differences

pytestmark = pytest.mark.slow

VIEWS = """
    CREATE VIEW v AS SELECT id, n + 1 AS m, s FROM t WHERE n > 5
    CREATE VIEW vv AS SELECT id, m FROM v WHERE s <> 'x'
    CREATE VIEW j AS SELECT t.id, t.s, u.n FROM t JOIN u ON u.id = t.id
"""
SCRIPTS = {
    "a row of a view that is no more in it": """
        a: BEGIN
        a: UPDATE t SET n = 0 WHERE id = 1
        b: SELECT * FROM v ORDER BY id FOR UPDATE
        a: COMMIT
        a: BEGIN
        a: UPDATE t SET s = 'x', n = 50 WHERE id = 2
        b: SELECT * FROM vv WHERE id = 2 FOR SHARE
        c: SELECT m FROM v WHERE id = 2 FOR UPDATE
        a: COMMIT
    """,
    "rows of a view are locked, and passed over": """
        a: BEGIN
        a: SELECT id FROM vv ORDER BY id LIMIT 1 FOR UPDATE
        b: SELECT id FROM v ORDER BY id FOR UPDATE SKIP LOCKED
        b: SELECT id FROM v WHERE id = 1 FOR UPDATE NOWAIT
        c: UPDATE t SET n = 7 WHERE id = 1
        a: COMMIT
        c: SELECT * FROM v ORDER BY id
    """,
    "the tables of a join are locked, both": """
        a: BEGIN
        a: SELECT * FROM j WHERE id = 1 FOR UPDATE
        b: UPDATE u SET n = 5 WHERE id = 1
        c: UPDATE t SET n = 5 WHERE id = 1
        a: COMMIT
        a: BEGIN
        a: UPDATE u SET n = 9 WHERE id = 2
        b: SELECT * FROM j ORDER BY id FOR SHARE
        a: COMMIT
    """,
    "one of several views is meant": """
        a: BEGIN
        a: SELECT v.id, u.n FROM v JOIN u ON u.id = v.id ORDER BY 1 FOR UPDATE OF v
        b: UPDATE u SET n = 8 WHERE id = 1
        c: UPDATE t SET n = 8 WHERE id = 2
        a: ROLLBACK
        a: SELECT q.id FROM (SELECT id, s FROM t WHERE n > 10) q WHERE q.s = 'b' FOR UPDATE
        a: UPDATE t SET s = 'taken' WHERE id = (SELECT id FROM v ORDER BY m LIMIT 1 FOR UPDATE) RETURNING *
    """,
    "above READ COMMITTED": """
        a: BEGIN ISOLATION LEVEL REPEATABLE READ
        a: SELECT count(*) FROM v
        b: UPDATE t SET n = 100 WHERE id = 3
        a: SELECT id FROM v WHERE id < 3 ORDER BY id FOR UPDATE
        a: SELECT id FROM v WHERE id = 3 FOR UPDATE
        a: ROLLBACK
    """,
}


def test_rows_that_lie_elsewhere_since_their_table_got_another_key_are_looked_at_again(servers):
    script = """
        a: BEGIN
        a: UPDATE t SET n = 0 WHERE id = 1
        b: SELECT t.id, t.n, u.n FROM t JOIN u ON u.id = t.id ORDER BY 1 FOR UPDATE OF t
        a: COMMIT
    """
    moved = "ALTER TABLE t DROP CONSTRAINT t_pkey\nALTER TABLE t ADD PRIMARY KEY (id)"
    assert differences(servers, script, more=moved) == ""


@pytest.mark.parametrize("cold", [False, True], ids=["hot", "cold"])
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_views_rows_are_locked_as_by_postgresql(servers, script, cold):
    then = "\nSTORAGE FLUSH TABLE t\nSTORAGE FLUSH TABLE u" if cold else ""
    assert differences(servers, script, more=VIEWS, then=then) == ""


def test_a_view_that_is_more_than_tables_and_conditions_is_refused(servers):
    server, _ = servers
    with server.root() as root:
        root.execute("CREATE TABLE outside (id INT PRIMARY KEY)")
        root.execute("CREATE VIEW few AS SELECT id FROM outside LIMIT 3")
        root.execute("CREATE VIEW drawn AS SELECT id, random() FROM outside")
        root.execute("CREATE VIEW more AS SELECT id FROM outside UNION ALL SELECT id FROM outside")
        for view in ("few", "drawn", "more"):
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="more than tables"):
                root.execute(f'SELECT * FROM "{view}" FOR UPDATE')
        root.execute("DROP TABLE outside CASCADE")
