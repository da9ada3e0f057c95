# ruff: noqa: E501 - statements stand on one line each
"""Constants that have no value: errors where PostgreSQL 15 finds them when it plans, and nowhere else."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.wire.side_by_side import Side, differences

pytestmark = pytest.mark.slow

SETUP = """
    CREATE TABLE e (a int PRIMARY KEY, b text, c numeric(4,2))
    CREATE TABLE t (a int PRIMARY KEY, b text, c numeric(4,2))
    INSERT INTO t VALUES (1, 'x', 1), (2, 'y', 2), (3, NULL, NULL)
    CREATE FUNCTION inv(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1 / $1'
    CREATE FUNCTION inv_s(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1 / $1'
    CREATE FUNCTION inv_v(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1 / $1'
    CREATE FUNCTION zero() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0'
    CREATE FUNCTION pick(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN $1 > 0 THEN $2 ELSE 1 END'
    CREATE VIEW v AS SELECT a, 1/0 AS bad FROM t
    CREATE VIEW vz AS SELECT a, 0 AS z FROM e
    """

SCRIPTS = {
    "literals that could be parameters": """
        SELECT CASE WHEN d = 0 THEN 0 ELSE 10/d END FROM (SELECT 0 AS d) s
        SELECT CASE WHEN (d = 0) IS TRUE THEN 0 ELSE 10/d END FROM (SELECT 0 AS d) s
        SELECT CASE WHEN (d > 0) IS UNKNOWN THEN 1 WHEN (d > 0) IS FALSE THEN 2 ELSE 10/d END FROM (SELECT 0 AS d) s
        SELECT CASE WHEN (d > 1) IS UNKNOWN THEN 1 WHEN (d = 1) IS FALSE THEN 2 ELSE 10/d END FROM (SELECT 0 AS d) s
        SELECT COALESCE((d=0)::int, 10/d), (d=0) IS TRUE OR 10/d > 1 FROM (SELECT 0 AS d) s
        SELECT CASE WHEN d = 1 THEN 0 ELSE 10/d END FROM (SELECT 0 AS d) s
        """,
    "expressions": """
        SELECT * FROM e WHERE 1/0 = 1
        SELECT 1/0 FROM e
        SELECT a, 1/0 FROM e
        SELECT 1 IN (1, 1/0) FROM e
        SELECT a FROM e WHERE a = ANY (ARRAY[1, 1/0])
        SELECT ARRAY[a, 1/0] FROM e
        SELECT ROW(a, 1/0) FROM e
        SELECT (ARRAY[1, 2])[1/0] FROM e
        SELECT NULL::int + 1/0 FROM e
        SELECT sum(1/0) FROM e
        SELECT sum(a) FILTER (WHERE 1/0 = 1) FROM e
        SELECT count(*) FROM e HAVING 1/0 = 1
        SELECT count(*) FROM e GROUP BY 1/0
        SELECT a FROM e GROUP BY a, 1/0
        SELECT a FROM e ORDER BY 1/0
        SELECT a FROM e ORDER BY a, 1/0 + a
        SELECT a FROM e LIMIT 1/0
        SELECT 1/0 FROM t LIMIT 0
        SELECT 1/0 FROM t WHERE false
        SELECT rank() OVER (ORDER BY 1/0) FROM e
        SELECT sum(a) OVER (ROWS 1/0 PRECEDING) FROM e
        SELECT sum(a) OVER (PARTITION BY a, 1/0) FROM e
        SELECT random() / 0 FROM e
        SELECT now() + interval '1 day' * (1/0) FROM e
        SELECT length('abc') / 0 FROM e
        SELECT 'abc'::text::int FROM e
        SELECT ('a' || 'b')::int FROM e
        SELECT 12345::numeric(3,1) FROM e
        SELECT 100000::smallint FROM e
        SELECT 2147483647 + 1 FROM e
        SELECT sqrt(-1) FROM e
        SELECT substr('abc', 1, -1) FROM e
        SELECT '2024-13-01'::text::date FROM e
        SELECT '{'::text::jsonb FROM e
        SELECT ('{1,x}'::text[])::int[] FROM e
        SELECT '(' ~ a::text FROM t WHERE false
        SELECT b ~ '(' FROM e
        SELECT 'a' ~ '(' FROM e
        SELECT a FROM e WHERE (a, 1) = (1, 1/0)
        SELECT a FROM e WHERE (a, 1) < (1, 1/0)
        SELECT array_agg(a ORDER BY 1/0) FROM e
        SELECT GROUPING(a) FROM e GROUP BY ROLLUP (a) HAVING 1/0 > 1
        SELECT 1/0 WHERE false
        SELECT 1 FROM e WHERE current_setting('x.y')::int = 1/0
        SELECT ('{"a": 1}'::jsonb ->> 'a')::int / 0 FROM e
        SELECT a FROM e WHERE c = 1.5 / 0
        SELECT '1'::bit(3) & '1'::bit(2) FROM e
        SELECT timestamp '2024-01-01' AT TIME ZONE 'nowhere' FROM e
        SELECT date_trunc('nonsense', timestamp '2024-01-01') FROM e
        SELECT date_trunc('nonsense', timestamptz '2024-01-01') FROM e
        """,
    "choices": """
        SELECT a FROM e WHERE a > 1 AND 1/0 = 1
        SELECT a FROM e WHERE false AND 1/0 = 1
        SELECT a FROM e WHERE 1/0 = 1 AND false
        SELECT a FROM e WHERE NULL AND 1/0 = 1
        SELECT a FROM e WHERE true OR 1/0 = 1
        SELECT a FROM e WHERE a = 1 OR 1/0 = 1
        SELECT a FROM e WHERE NOT (1/0 = 1)
        SELECT CASE WHEN true THEN 1 ELSE 1/0 END FROM e
        SELECT CASE WHEN false THEN 1/0 ELSE 2 END FROM e
        SELECT CASE WHEN a > 0 THEN 1 ELSE 1/0 END FROM t
        SELECT CASE WHEN a > 0 THEN 1 WHEN true THEN 2 ELSE 1/0 END FROM t
        SELECT CASE WHEN NULL THEN 1/0 ELSE 2 END FROM t
        SELECT CASE 1 WHEN 1 THEN 5 ELSE 1/0 END FROM t
        SELECT CASE 2 WHEN 1 THEN 1/0 ELSE 5 END FROM t
        SELECT CASE a WHEN 1 THEN 5 WHEN 7 THEN 1/0 END FROM t
        SELECT CASE WHEN 1/0 = 1 THEN 5 END FROM e
        SELECT CASE 1/0 WHEN 1 THEN 5 END FROM e
        SELECT COALESCE(1, 1/0) FROM t
        SELECT COALESCE(NULL, 1, 1/0) FROM t
        SELECT COALESCE(a, 1/0) FROM t
        SELECT COALESCE(NULL, 1/0) FROM e
        SELECT COALESCE(b, 'x', (1/0)::text) FROM t
        SELECT NULLIF(1, 1/0) FROM e
        SELECT a FROM t WHERE a = 1 AND (a = 1 OR 1/0 = 1)
        SELECT a FROM t WHERE a = 1 AND b = (1/0)::text
        SELECT a, b FROM t WHERE a = 99 AND 1/0 = 2
        SELECT a FROM t WHERE (a, 1) = (1, 1/0) AND false
        SELECT a FROM e WHERE a BETWEEN 1 AND 1/0
        SELECT a FROM e WHERE a BETWEEN 1/0 AND 2
        SELECT 1 WHERE false AND 1/0 = 1
        SELECT a FROM t WHERE a > 0 OR 'x'::text::boolean
        """,
    "subqueries": """
        SELECT EXISTS (SELECT 1/0)
        SELECT EXISTS (SELECT 1/0 FROM t)
        SELECT EXISTS (SELECT 1/0 FROM t WHERE a = 9)
        SELECT EXISTS (SELECT a FROM e WHERE 1/0 = 1)
        SELECT EXISTS (SELECT count(1/0) FROM e)
        SELECT a FROM t WHERE EXISTS (SELECT 1/0 FROM e WHERE e.a = t.a)
        SELECT a FROM t WHERE a IN (SELECT 1/0 FROM e)
        SELECT a FROM e WHERE a IN (SELECT 1/0)
        SELECT (SELECT 1/0) FROM e
        SELECT (SELECT 1/0 FROM e)
        SELECT (SELECT 1/0 FROM e) FROM e
        SELECT CASE WHEN a > 0 THEN 1 ELSE (SELECT 1/0) END FROM t
        SELECT CASE WHEN true THEN 1 ELSE (SELECT 1/0) END FROM t
        SELECT ARRAY(SELECT 1/0 FROM e)
        """,
    "queries in FROM": """
        SELECT a FROM (SELECT a, 1/0 AS x FROM t) s ORDER BY a
        SELECT a FROM (SELECT a, 1/0 AS x FROM t OFFSET 0) s ORDER BY a
        SELECT a FROM (SELECT DISTINCT a, 1/0 AS x FROM e) s
        SELECT a FROM (SELECT a, 1/0 AS x FROM e ORDER BY x) s
        SELECT a FROM (SELECT a, 1/0 AS x FROM e GROUP BY a) s
        SELECT x FROM (SELECT a, 1/0 AS x FROM e) s
        SELECT count(*) FROM (SELECT 1/0 FROM t) s
        SELECT count(*) FROM (SELECT 1/0 FROM t OFFSET 0) s
        SELECT count(x) FROM (SELECT 1/0 AS x FROM e) s
        SELECT a FROM (SELECT 1 AS a, 1/0 UNION ALL SELECT 2, 3) s
        SELECT a FROM (SELECT 1 AS a, 1/0 UNION SELECT 2, 3) s
        SELECT a FROM e UNION ALL SELECT 1/0 FROM e
        SELECT a FROM e EXCEPT SELECT 1/0 FROM e
        SELECT s.z FROM (SELECT 0 AS z) s, e WHERE 1/s.z = 1
        SELECT e.a FROM e, (SELECT 0 AS z) s WHERE 1/s.z = e.a
        SELECT e.a FROM e LEFT JOIN (SELECT 0 AS z) s ON true WHERE 1/s.z = e.a
        SELECT e.a FROM e LEFT JOIN (SELECT 1/0 AS z) s ON true
        SELECT e.a, s.z FROM e LEFT JOIN (SELECT 1/0 AS z) s ON true
        SELECT e.a FROM e JOIN t ON 1/0 = 1
        SELECT e.a FROM e LEFT JOIN t ON 1/0 = 1
        SELECT e.a FROM e JOIN t ON e.a = t.a AND 1/0 = t.a
        SELECT e.a FROM e, LATERAL (SELECT e.a + 1/0 AS y) s
        SELECT s.y FROM e, LATERAL (SELECT e.a + 1/0 AS y) s
        SELECT g FROM e, generate_series(1, 1/0) g
        SELECT e.a FROM e, generate_series(1, 1/0) g
        SELECT v.x FROM e, (VALUES (1), (1/0)) v(x)
        SELECT e.a FROM e, (VALUES (1), (1/0)) v(x)
        SELECT v.x FROM e, (VALUES (1/0)) v(x)
        SELECT e.a FROM e, (VALUES (0)) v(x) WHERE 1 / x = 1
        WITH w AS (SELECT 1/0 AS x FROM e) SELECT 1
        WITH w AS (SELECT 1/0 AS x FROM e) SELECT x FROM w
        WITH w AS (SELECT 1 AS a, 1/0 AS x FROM e) SELECT a FROM w
        WITH w AS MATERIALIZED (SELECT 1 AS a, 1/0 AS x FROM e) SELECT a FROM w
        WITH w AS (SELECT 1 AS a, 1/0 AS x FROM e) SELECT p.a FROM w p, w q
        WITH w AS (SELECT 0 AS z) SELECT e.a FROM e, w WHERE 1/z = a
        WITH RECURSIVE w(n) AS (SELECT 1 UNION ALL SELECT n + 1/0 FROM w WHERE n < 0) SELECT * FROM w
        SELECT a FROM v ORDER BY a
        SELECT bad FROM v LIMIT 0
        SELECT a FROM vz WHERE 1/z = 1
        """,
    "functions in SQL": """
        SELECT inv(0) FROM e
        SELECT inv_s(0) FROM e
        SELECT inv_v(0) FROM e
        SELECT inv(zero()) FROM e
        SELECT 1/zero() FROM e
        SELECT pick(a, 1/0) FROM e
        SELECT pick(1, 1/0) FROM e
        SELECT pick(a, 1) FROM e
        """,
    "constants from queries in FROM": """
        WITH p AS (SELECT 0 AS d) SELECT CASE WHEN d IN (0, -1) THEN 0 ELSE 10/d END FROM p
        SELECT CASE WHEN d IS NULL OR d = ANY ('{0,1}'::int[]) THEN 0 ELSE 10/d END FROM (SELECT 0 AS d) s
        SELECT CASE WHEN nullif(d, 0) IS NULL THEN 0 ELSE 10/d END FROM (SELECT 0 AS d) s
        SELECT CASE WHEN d IS NOT DISTINCT FROM 0 THEN 0 ELSE 10/d END FROM (SELECT 0 AS d) s
        SELECT CASE WHEN d IS DISTINCT FROM 0 THEN 10/d ELSE 0 END FROM (SELECT 0 AS d) s
        SELECT CASE WHEN x IS NULL THEN 1 ELSE 1/0 END FROM (SELECT NULL::int x) s
        SELECT CASE WHEN greatest(d, -1) = 0 THEN 0 ELSE 10/d END FROM (SELECT 0 AS d) s
        SELECT CASE WHEN (ARRAY[d, 1])[1] = 0 THEN 0 ELSE 10/d END FROM (SELECT 0 AS d) s
        SELECT CASE WHEN (ARRAY[1, d])[d+2:2] = '{0}' THEN 0 ELSE 10/d END FROM (SELECT 0 AS d) s
        SELECT CASE WHEN d IN (0, 1) THEN 10/d ELSE 0 END FROM (SELECT 0 AS d) s, e
        SELECT nullif(1/d, 1) FROM (SELECT 0 AS d) s, e
        SELECT CASE WHEN d IS NULL THEN 0 ELSE 1/0 END FROM e LEFT JOIN (SELECT NULL::int AS d) s ON true
        SELECT CASE WHEN d IS DISTINCT FROM timestamptz '2024-01-02' THEN 0 ELSE 1/0 END FROM (SELECT date '2024-01-01' AS d) s, e
        SELECT s.y FROM e LEFT JOIN (SELECT CASE WHEN x = 0 THEN 0 ELSE 1/x END AS y FROM (SELECT 0 AS x) i) s ON true
        SELECT s.y FROM e LEFT JOIN (SELECT x AS y FROM (SELECT 0 AS x) i WHERE 1/x = 1) s ON true
        """,
    "WITH items that are shared": """
        WITH p AS NOT MATERIALIZED (SELECT x FROM (SELECT 0 AS x) i) SELECT CASE WHEN q.x = 0 THEN 0 ELSE 1/0 END FROM e LEFT JOIN p ON true CROSS JOIN p q
        WITH p AS NOT MATERIALIZED (SELECT x FROM (SELECT 0 AS x) i) SELECT CASE WHEN q.x = 0 THEN 0 ELSE 1/0 END FROM p q, e LEFT JOIN p ON true
        WITH p AS NOT MATERIALIZED (SELECT y, a FROM (SELECT 1/0 AS y, a FROM e LIMIT 1) i) SELECT q.a, r.y FROM p q, p r
        WITH p AS NOT MATERIALIZED (SELECT y, a FROM (SELECT 1/0 AS y, a FROM e LIMIT 1) i) SELECT q.y, r.a FROM p q, p r
        WITH p AS NOT MATERIALIZED (SELECT y, a FROM (SELECT 1/0 AS y, a FROM e LIMIT 1) i) SELECT q.a, r.a FROM p q, p r
        WITH p AS NOT MATERIALIZED (WITH q AS (SELECT 0 AS z) SELECT z FROM q) SELECT CASE WHEN r.z = 0 THEN 0 ELSE 1/0 END FROM p r, p s
        """,
    "columns of set operations that nothing asks for": """
        SELECT count(*) FROM (SELECT a, a+1 AS x FROM t UNION ALL (SELECT a, a+1 FROM t UNION SELECT a, a+2 FROM t)) s
        SELECT count(*) FROM (SELECT a, a+1 AS x FROM t UNION ALL (SELECT 1, a+1 FROM t INTERSECT SELECT 1, a+2 FROM t)) s
        SELECT count(*) FROM (SELECT a, a+1 AS x FROM t UNION ALL (SELECT 1, a+1 FROM t EXCEPT SELECT 1, a+2 FROM t)) s
        SELECT count(*) FROM (SELECT a, a+1 AS x FROM t UNION ALL SELECT DISTINCT 1, a % 2 + 1 FROM t) s
        SELECT a FROM (SELECT a, a+1 AS x FROM e UNION ALL (SELECT a, 0-a FROM t UNION ALL SELECT a+5, 9-a FROM t ORDER BY 2 LIMIT 2)) s ORDER BY a
        WITH w AS (SELECT a, a+1 AS x FROM t UNION ALL (SELECT a, a+1 FROM t UNION SELECT a, a+2 FROM t)) SELECT count(a) FROM w
        SELECT a FROM (SELECT a, a+1 AS x FROM t UNION ALL VALUES (1, 2)) s ORDER BY a
        SELECT a FROM (SELECT a, 1/(a-a) AS x FROM t UNION ALL (VALUES (1, 2) UNION ALL VALUES (3, 1+3))) s ORDER BY a
        SELECT count(*) FROM (SELECT a, 1/(a-a) AS x FROM t UNION ALL (SELECT a, 1/(a-a) FROM t UNION ALL SELECT 1, 2)) s
        """,
    "data changes": """
        INSERT INTO e SELECT 1/0 FROM e
        INSERT INTO e SELECT a, b, 12345 FROM e
        INSERT INTO e (a, c) SELECT a, 12345 FROM e
        INSERT INTO t VALUES (1, 'z') ON CONFLICT (a) DO NOTHING RETURNING 1/0
        INSERT INTO e VALUES (1, 'z') ON CONFLICT (a) DO UPDATE SET a = 1/0
        INSERT INTO e VALUES (1, 'z') ON CONFLICT (a) DO UPDATE SET b = 'q' WHERE 1/0 = 1
        UPDATE t SET a = 1/0 WHERE false
        UPDATE t SET a = 1/0 WHERE a = 99
        UPDATE e SET c = 12345 WHERE a = 1
        UPDATE e SET c = 12346 WHERE a = 2
        UPDATE e SET c = 12347 WHERE b = 'x'
        UPDATE e SET c = 12348 WHERE b = 'y'
        UPDATE e SET c = 1 WHERE b = 'z'
        INSERT INTO t (a, c) VALUES (9, 1), (9, 1), (8, 12345)
        INSERT INTO t (a, c) VALUES (9, 2), (9, 2), (8, 12346)
        UPDATE e SET b = 'x' WHERE 1/0 = 1
        UPDATE e SET b = 'x' WHERE a = 5 AND 1/0 = 1
        UPDATE e SET b = 'x' RETURNING 1/0
        DELETE FROM e WHERE 1/0 = 1
        DELETE FROM e WHERE a = 1 RETURNING a / 0, 1/0
        DELETE FROM e USING t WHERE e.a = t.a AND 1/0 = 1
        MERGE INTO e USING t ON e.a = t.a AND 1/0 = 1 WHEN MATCHED THEN DELETE
        MERGE INTO t USING e ON e.a = t.a WHEN MATCHED AND 1/0 = 1 THEN DELETE
        MERGE INTO t USING e ON e.a = t.a WHEN MATCHED THEN UPDATE SET b = (1/0)::text
        MERGE INTO t USING e ON e.a = t.a WHEN NOT MATCHED THEN INSERT VALUES (1/0)
        WITH d AS (DELETE FROM e WHERE 1/0 = 1 RETURNING a) SELECT 1
        """,
    "other statements": """
        PREPARE p AS SELECT a FROM e WHERE 1/0 = 1
        EXECUTE p
        DEALLOCATE p
        CREATE TABLE c AS SELECT 1/0 AS x FROM e
        CREATE VIEW v2 AS SELECT 1/0 AS x FROM e
        SELECT * FROM v2
        BEGIN
        DECLARE q CURSOR FOR SELECT 1/0 FROM e
        ROLLBACK
        DO $$ BEGIN PERFORM 1/0 FROM e; END $$
        """,
}


@pytest.fixture(scope="module")
def sides(servers) -> Iterator[tuple[Side, Side]]:
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as other:
        found = Side(ours), Side(other)
        assert not differences(found, SETUP)
        yield found


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_has_no_value_is_an_error_where_it_is_in_postgresql(sides, script):
    assert differences(sides, SCRIPTS[script]) == []


def test_it_is_found_when_the_statement_runs_and_not_when_it_is_prepared(sides):
    for side in sides:
        told = side.connection.pgconn.prepare(b"p", b"SELECT a FROM e WHERE 1/0 = a")
        assert not told.error_message
        for _ in range(2):  # The plan is kept; what it raises is not used up.
            told = side.connection.pgconn.exec_prepared(b"p", [])
            assert b"division by zero" in told.error_message
