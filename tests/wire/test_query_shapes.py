# ruff: noqa: E501 - statements stand on one line each
"""Shapes of queries, side by side with PostgreSQL 15: over rows in memory, by a program in a worker, and
over flushed rows. DataFusion answers few of them right; the others are programs over rows
(`kalam_pg.interpreter`).
"""

from collections.abc import Iterator

import pytest

from tests.wire import postgresql
from tests.wire.side_by_side import Side, both, differences

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not postgresql.installed(), reason="needs Debian's package postgresql-15"),
]

SETUP = """
    CREATE TABLE t (id int PRIMARY KEY, k int, n numeric, s text, f float8, d date, ts timestamp, a int[], b boolean, j jsonb)
    INSERT INTO t VALUES (1, 1, 1.5, 'a', 0.5, '2024-01-01', '2024-01-01 10:00', '{1,2,3}', true, '{"x":1}'), (2, 1, 2.5, 'b', 1.5, '2024-01-05', '2024-01-01 11:00', '{2}', false, '[1,2]'), (3, 2, NULL, 'c', 'NaN', '2024-01-05', '2024-01-02 10:00', '{}', NULL, NULL)
    INSERT INTO t VALUES (4, 2, 4.5, NULL, -1, '2024-02-01', NULL, NULL, true, '{"x":null}'), (5, NULL, 4.5, 'e', 'Infinity', NULL, '2024-01-03 10:30', '{5,NULL,7}', false, '"z"'), (6, 3, -1.0, 'a', 0.5, '2023-12-31', '2024-01-01 09:00', '{9,8}', true, '7')
    CREATE TABLE u (id int PRIMARY KEY, k int, v text, p int)
    INSERT INTO u VALUES (1, 1, 'p', NULL), (2, 1, 'q', 1), (3, 2, 'r', 1), (4, 2, NULL, 3), (5, 4, 's', 4), (6, NULL, 't', 2)
    """
"""Both servers' tables: with NULLs, ties, NaN, and keys that are in one of them only."""

PLACES = {
    "in this process": ("hot", "on"),
    "in a worker": ("hot", "off"),
    "flushed": ("cold", "on"),
}
"""By what rows are read: the schema of the tables, and whether this process may answer."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("shapes")) as found:
        for schema in ("hot", "cold"):
            assert not differences(found, f"CREATE SCHEMA {schema}\nSET search_path TO {schema}")
            assert not differences(found, SETUP)
        for table in ("t", "u"):
            found[0].ask(f"STORAGE FLUSH TABLE cold.{table}")
        yield found


@pytest.fixture(params=PLACES)
def sides(request, servers) -> tuple[Side, Side]:
    schema, in_process = PLACES[request.param]
    assert not differences(servers, f"SET search_path TO {schema}")
    servers[0].ask(f"SET kalam.in_process_queries = {in_process}")
    return servers


SCRIPTS = {
    "joins of nothing": """
        SELECT z.v, count(*) FROM t JOIN u ON u.k = t.id * 1000 JOIN u z ON z.id = u.id GROUP BY z.v
        SELECT z.v, count(*) FROM t JOIN u ON u.k = t.id JOIN u z ON z.id = u.id * 1000 JOIN t x ON x.id = z.id GROUP BY z.v
        SELECT u.v, z.p, count(*) FROM t LEFT JOIN (u JOIN u z ON z.id = u.id * 1000) ON u.k = t.k GROUP BY u.v, z.p
        SELECT max(z.v), count(z.p) FROM (SELECT t.id FROM t JOIN u ON u.id = t.id * 1000) x(id) JOIN u z ON z.id = x.id FULL JOIN t ON t.id = z.id
        SELECT x.s, z.v FROM (t JOIN u ON u.id = t.id * 1000) RIGHT JOIN t x ON x.id = t.id LEFT JOIN u z ON z.id = u.id ORDER BY x.id
        """,
    "correlated subqueries": """
        SELECT id, (SELECT v FROM u WHERE u.k = t.k ORDER BY u.id LIMIT 1) FROM t ORDER BY id
        SELECT id, (SELECT v FROM u WHERE u.k = t.k ORDER BY u.id OFFSET 1 LIMIT 1) FROM t ORDER BY id
        SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k GROUP BY u.k HAVING count(*) > 1) ORDER BY id
        SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k UNION SELECT 1 WHERE t.id = 5) ORDER BY id
        SELECT id FROM t WHERE id IN (SELECT u.id FROM u WHERE u.k = t.k UNION ALL SELECT t.id FROM u WHERE u.p = t.k) ORDER BY id
        SELECT id, (SELECT count(*) FROM (SELECT v FROM u WHERE u.k = t.k LIMIT 1) s) FROM t ORDER BY id
        SELECT id, ARRAY(SELECT v FROM u WHERE u.k = t.k ORDER BY v DESC LIMIT 2) FROM t ORDER BY id
        SELECT id, ARRAY(SELECT DISTINCT v FROM u WHERE u.k = t.k ORDER BY v) FROM t ORDER BY id
        SELECT id, (SELECT max(x) FROM (SELECT u.id AS x FROM u WHERE u.k = t.k UNION SELECT t.id * 10) s) FROM t ORDER BY id
        SELECT id, (SELECT string_agg(v, ',') FROM (SELECT v FROM u WHERE u.k = t.k ORDER BY id DESC) s) FROM t ORDER BY id
        SELECT id, (SELECT json_agg(json_build_object('v', v, 'id', t.id) ORDER BY u.id) FROM u WHERE u.k = t.k) FROM t ORDER BY id
        SELECT id, (SELECT jsonb_agg(x) FROM (SELECT v, id FROM u WHERE u.k = t.k ORDER BY id LIMIT 2) x) FROM t ORDER BY id
        SELECT id, (SELECT row_to_json(x) FROM (SELECT v, u.id, t.s FROM u WHERE u.k = t.k ORDER BY u.id LIMIT 1) x) FROM t ORDER BY id
        SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND EXISTS (SELECT 1 FROM u z WHERE z.p = u.id AND z.id > t.id)) ORDER BY id
        SELECT id FROM t WHERE k = ANY (SELECT u.k FROM u WHERE u.id > ALL (SELECT z.p FROM u z WHERE z.k = t.k AND z.p IS NOT NULL)) ORDER BY id
        SELECT id, (SELECT (SELECT (SELECT t.s || u.v || z.id FROM u z WHERE z.id = u.p)) FROM u WHERE u.id = t.id) FROM t ORDER BY id
        SELECT id FROM t WHERE n > (SELECT avg(n) FROM t x WHERE x.k = t.k) ORDER BY id
        SELECT id FROM t ORDER BY (SELECT v FROM u WHERE u.id = t.id) DESC NULLS LAST, id
        SELECT id, (SELECT v FROM u WHERE u.k = t.k) FROM t ORDER BY id
        SELECT id FROM t WHERE random() < 2 AND id = (SELECT id FROM u WHERE u.id = t.id AND random() < 2) ORDER BY id
        """,
    "subqueries in aggregates, joins and bounds": """
        SELECT sum((SELECT count(*) FROM u WHERE u.k = t.k)) FROM t
        SELECT k, sum((SELECT max(u.id) FROM u WHERE u.k = t.k ORDER BY 1 LIMIT 1)) FROM t GROUP BY k ORDER BY k
        SELECT max((SELECT v FROM u WHERE u.id = t.id)) FROM t
        SELECT t.id, u.id FROM t JOIN u ON u.id = (SELECT max(id) FROM u u2 WHERE u2.k = t.k) ORDER BY 1
        SELECT t.id, u.id FROM t LEFT JOIN u ON u.k = t.k AND u.id IN (SELECT p FROM u) ORDER BY 1, 2
        SELECT t.id, u.id FROM t LEFT JOIN u ON EXISTS (SELECT 1 FROM u z WHERE z.p = u.id AND z.k = t.k) ORDER BY 1, 2
        SELECT t.id, u.id FROM t FULL JOIN u ON u.k = t.k AND u.id > (SELECT min(id) FROM u) ORDER BY 1, 2
        SELECT id FROM t ORDER BY id LIMIT (SELECT count(*) FROM u WHERE k = 1)
        SELECT id FROM t ORDER BY id LIMIT (SELECT 2) OFFSET (SELECT 1)
        """,
    "recursion": """
        WITH RECURSIVE r(id, p, path) AS (SELECT id, p, ARRAY[id] FROM u WHERE p IS NULL UNION ALL SELECT u.id, u.p, r.path || u.id FROM u JOIN r ON u.p = r.id) SELECT * FROM r ORDER BY path
        WITH RECURSIVE r AS ((SELECT id FROM t ORDER BY id LIMIT 1) UNION ALL SELECT (SELECT t.id FROM t WHERE t.id > r.id ORDER BY t.id LIMIT 1) FROM r WHERE r.id IS NOT NULL) SELECT * FROM r ORDER BY 1
        WITH RECURSIVE r AS (SELECT 1.0 AS n UNION SELECT n / 2 FROM r WHERE n > 0.2) SELECT * FROM r ORDER BY 1
        WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a WHERE n < 3), b AS (SELECT n FROM a UNION ALL SELECT n * 10 FROM b WHERE n < 100) SELECT * FROM b ORDER BY 1
        """,
    "windows": """
        SELECT id, sum(id) OVER (ORDER BY id RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM t ORDER BY id
        SELECT id, count(*) OVER (ORDER BY n RANGE BETWEEN 1.5 PRECEDING AND CURRENT ROW) FROM t ORDER BY id
        SELECT id, count(*) OVER (ORDER BY f RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM t ORDER BY id
        SELECT id, count(*) OVER (ORDER BY d RANGE BETWEEN '4 days' PRECEDING AND '1 month' FOLLOWING) FROM t ORDER BY id
        SELECT id, count(*) OVER (ORDER BY ts DESC RANGE BETWEEN '1 hour' PRECEDING AND '90 minutes' FOLLOWING) FROM t ORDER BY id
        SELECT id, array_agg(id) OVER (ORDER BY k GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM t ORDER BY id
        SELECT id, array_agg(id) OVER (ORDER BY k, id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM t ORDER BY id
        SELECT id, array_agg(id) OVER (ORDER BY k RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP) FROM t ORDER BY id
        SELECT id, array_agg(id) OVER (ORDER BY k GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES) FROM t ORDER BY id
        SELECT id, string_agg(s, ',') OVER (ORDER BY id), jsonb_agg(s) OVER (PARTITION BY k ORDER BY id) FROM t ORDER BY id
        SELECT id, stddev(id) OVER (ORDER BY id), var_pop(n) OVER (ORDER BY id) FROM t ORDER BY id
        SELECT id, bool_and(b) OVER (ORDER BY id), every(b) OVER (PARTITION BY k) FROM t ORDER BY id
        SELECT id, max(a) OVER (ORDER BY id), min(j) OVER () FROM t ORDER BY id
        SELECT id, max(a) OVER (ORDER BY id) FROM t ORDER BY id
        SELECT id, lag(s, id) OVER (ORDER BY id), lead(s, 1, 'none') OVER (ORDER BY id), nth_value(s, k) OVER (ORDER BY id) FROM t ORDER BY id
        SELECT id, lag(n, 1, 0) OVER w, ntile(4) OVER w, percent_rank() OVER (ORDER BY k), cume_dist() OVER (ORDER BY k) FROM t WINDOW w AS (ORDER BY id) ORDER BY id
        SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN (SELECT 1) PRECEDING AND CURRENT ROW) FROM t ORDER BY id
        SELECT id, rank() OVER (ORDER BY sum(id)) FROM t GROUP BY id ORDER BY id
        SELECT k, sum(sum(id)) OVER (ORDER BY k), count(*) FILTER (WHERE k > 1) OVER () FROM t GROUP BY k ORDER BY k
        SELECT id, sum(id) FILTER (WHERE b) OVER (ORDER BY id ROWS 2 PRECEDING) FROM t ORDER BY id
        SELECT id, first_value(s) OVER (PARTITION BY k ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) FROM t ORDER BY id
        SELECT id, sum(f) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t ORDER BY id
        SELECT id, count(DISTINCT k) OVER () FROM t
        SELECT id FROM t WHERE row_number() OVER () = 1
        SELECT id, sum(id) OVER (ORDER BY id RANGE BETWEEN -1 PRECEDING AND CURRENT ROW) FROM t
        SELECT id, sum(id) OVER (ORDER BY s RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t
        SELECT id, sum(id) OVER (ORDER BY id, k RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t
        SELECT id, sum(id) OVER (GROUPS 1 PRECEDING) FROM t
        SELECT id, row_number() OVER (ORDER BY id), unnest(a) FROM t ORDER BY id, 3
        SELECT x, sum(x) OVER (ORDER BY x) FROM (SELECT unnest(a) AS x FROM t) s ORDER BY 1
        SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY k ORDER BY n DESC, id) AS r FROM t) s WHERE r = 1 ORDER BY id
        WITH x AS (SELECT k, sum(id) AS s FROM t GROUP BY k) SELECT k, s, rank() OVER (ORDER BY s), lag(s) OVER (ORDER BY s) FROM x ORDER BY 1
        SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES), avg(n) OVER (ORDER BY k NULLS FIRST GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING EXCLUDE GROUP) FROM t ORDER BY id
        SELECT id, array_agg(id) OVER (ORDER BY n DESC NULLS LAST RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING) FROM t ORDER BY id
        SELECT id, array_agg(id) OVER (ORDER BY n NULLS FIRST RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) FROM t ORDER BY id
        SELECT id, array_agg(id) OVER (ORDER BY f DESC RANGE BETWEEN UNBOUNDED PRECEDING AND 0.5 PRECEDING) FROM t ORDER BY id
        SELECT id, array_agg(id) OVER (ORDER BY ts RANGE BETWEEN '1 day' PRECEDING AND '-1 day' FOLLOWING) FROM t ORDER BY id
        SELECT id, array_agg(id) OVER (ORDER BY ts - timestamp '2024-01-01' RANGE BETWEEN '1 day' PRECEDING AND '1 hour' FOLLOWING) FROM t ORDER BY id
        SELECT id, array_agg(id) OVER (ORDER BY ts::time RANGE BETWEEN '1 hour' PRECEDING AND '30 min' FOLLOWING) FROM t ORDER BY id
        SELECT id, array_agg(id) OVER (ORDER BY ts::timestamptz RANGE BETWEEN '1 hour' PRECEDING AND CURRENT ROW) FROM t ORDER BY id
        SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN NULL PRECEDING AND CURRENT ROW) FROM t
        SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN -1 PRECEDING AND CURRENT ROW) FROM t
        SELECT id, sum(id) OVER (ORDER BY id GROUPS BETWEEN 1 PRECEDING AND -1 FOLLOWING) FROM t
        SELECT id, ntile(0) OVER () FROM t
        SELECT id, nth_value(id, 0) OVER () FROM t
        SELECT id, ntile(k) OVER (ORDER BY id) FROM t ORDER BY 1
        SELECT id, nth_value(s, 2) OVER (PARTITION BY k ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW) FROM t ORDER BY 1
        SELECT id, json_agg(s) OVER (ORDER BY id ROWS 1 PRECEDING), json_object_agg(id, k) OVER (PARTITION BY b) FROM t ORDER BY id
        SELECT id, bit_or(id) OVER (ORDER BY id), max(s) OVER (ORDER BY id ROWS 1 PRECEDING), min(n) OVER (PARTITION BY k) FROM t ORDER BY id
        SELECT id, string_agg(DISTINCT s, ',') OVER () FROM t
        SELECT id, string_agg(s, ',' ORDER BY s) OVER () FROM t
        SELECT id, row_number() FILTER (WHERE b) OVER () FROM t
        """,
    "LATERAL": """
        SELECT t.id, x.v FROM t, LATERAL (SELECT v FROM u WHERE u.k = t.k ORDER BY u.id DESC LIMIT 1) x ORDER BY 1
        SELECT t.id, x.c FROM t LEFT JOIN LATERAL (SELECT count(*) AS c, max(v) FROM u WHERE u.k = t.k HAVING count(*) > 1) x ON true ORDER BY 1
        SELECT t.id, x.v FROM t LEFT JOIN LATERAL (SELECT v FROM u WHERE u.k = t.k UNION SELECT 'zz' WHERE t.id = 3) x ON true ORDER BY 1, 2
        SELECT t.id, x.v, y.w FROM t, LATERAL (SELECT v, id AS uid FROM u WHERE u.k = t.k) x, LATERAL (SELECT x.v || t.s AS w) y ORDER BY 1, 2
        SELECT t.id, g FROM t, generate_series(1, t.k) g ORDER BY 1, 2
        SELECT count(*) FROM t, LATERAL jsonb_each(CASE WHEN jsonb_typeof(j) = 'object' THEN j ELSE '{}' END) e
        SELECT t.id, v.x FROM t, LATERAL (VALUES (t.id), (t.k)) v(x) ORDER BY 1, 2
        SELECT t.id, x.v, y.w FROM t, LATERAL (SELECT v, id AS uid FROM u WHERE u.k = t.k) x, LATERAL (SELECT x.v || t.s AS w) y ORDER BY 1, 2
        SELECT t.id, y.q FROM t LEFT JOIN (u LEFT JOIN LATERAL (SELECT u.v || 'x' AS q) z ON true) y ON y.k = t.k ORDER BY 1, 2
        SELECT t.id, z.q FROM t LEFT JOIN (u JOIN LATERAL (SELECT u.v || t.s AS q) z ON true) ON u.k = t.k ORDER BY 1, 2
        SELECT t.id, g, h FROM t, generate_series(1, t.k) g, generate_series(g, 3) h ORDER BY 1, 2, 3
        SELECT t.id, (SELECT array_agg(h) FROM generate_series(1, t.k) g, generate_series(g, 3) h) FROM t ORDER BY 1
        SELECT t.id, g.n, g.o FROM t CROSS JOIN LATERAL unnest(a) WITH ORDINALITY AS g(n, o) WHERE g.o > 1 ORDER BY 1, 3
        SELECT t.id, x.c FROM t LEFT JOIN LATERAL (SELECT count(*) AS c FROM u WHERE u.k = t.k AND u.id > t.id) x ON x.c > 0 ORDER BY 1
        SELECT t.id, x.* FROM t, ROWS FROM (unnest(t.a), generate_series(1, t.k)) AS x(p, q) ORDER BY 1, 2, 3
        """,
    "functions that give sets": """
        SELECT * FROM unnest(ARRAY[1,2], ARRAY['a','b','c']) ORDER BY 1
        SELECT * FROM unnest(ARRAY[1,2], ARRAY['a','b','c']) WITH ORDINALITY AS x(p, q, r)
        SELECT * FROM ROWS FROM (generate_series(1, 2), generate_series(5, 9)) AS x(a, b)
        SELECT * FROM ROWS FROM (generate_series(1, 2), jsonb_each('{"a":1}')) WITH ORDINALITY
        SELECT t.id, x.* FROM t LEFT JOIN unnest(t.a, ARRAY[t.s]) AS x(v, w) ON true ORDER BY 1, 2
        SELECT t.id, (SELECT sum(x) FROM unnest(t.a) x) FROM t ORDER BY id
        SELECT unnest(a), id FROM t ORDER BY id
        SELECT id, unnest(a), generate_series(1, 2) FROM t ORDER BY id
        SELECT id, generate_series(1, k) FROM t ORDER BY id LIMIT 3
        SELECT * FROM generate_series(1, 3) g(x) JOIN t ON t.id = g.x ORDER BY 1
        SELECT unnest(a), count(*) FROM t GROUP BY 1 ORDER BY 1
        SELECT id, unnest(a) AS x FROM t ORDER BY x DESC NULLS LAST, id LIMIT 4
        SELECT DISTINCT unnest(a) FROM t ORDER BY 1
        SELECT generate_series(1, generate_series(1, 3)), id FROM t WHERE id < 3 ORDER BY id, 1
        SELECT unnest(array_agg(id ORDER BY id)) FROM t
        SELECT k, unnest(array_agg(id ORDER BY id)) FROM t GROUP BY k ORDER BY k, 2
        SELECT unnest(a) * 2, unnest(a) FROM t WHERE id = 1
        SELECT sum(unnest(a)) FROM t
        SELECT id FROM t WHERE unnest(a) = 1
        SELECT CASE WHEN id = 1 THEN generate_series(1, 2) END FROM t
        SELECT coalesce(unnest(a), 0) FROM t
        SELECT * FROM ROWS FROM (unnest(ARRAY[1,2]), upper('a'), generate_series(1,3)) x
        SELECT x FROM ROWS FROM (generate_series(1,2)) x
        SELECT count(*) FROM t, unnest(t.a, t.a, ARRAY[1]) AS z(a, b, c)
        """,
    "rows that tie": """
        SELECT id, n FROM t ORDER BY n NULLS FIRST FETCH FIRST 4 ROWS WITH TIES
        SELECT id, n FROM t ORDER BY n DESC FETCH FIRST 2 ROWS WITH TIES
        SELECT id FROM t FETCH FIRST 2 ROWS WITH TIES
        SELECT id, n FROM t ORDER BY n OFFSET 2 FETCH NEXT 1 ROWS WITH TIES
        SELECT k, count(*) FROM t GROUP BY k ORDER BY 2 DESC, 1 FETCH FIRST 2 ROWS WITH TIES
        (SELECT k FROM t UNION ALL SELECT k FROM u) ORDER BY k FETCH FIRST 2 ROWS WITH TIES
        SELECT DISTINCT k, b FROM t ORDER BY k FETCH FIRST 1 ROW WITH TIES
        SELECT * FROM (SELECT id, n FROM t ORDER BY n DESC FETCH FIRST 2 ROWS WITH TIES) x ORDER BY id
        SELECT id FROM t ORDER BY k FETCH FIRST 0 ROWS WITH TIES
        SELECT id FROM t ORDER BY k FETCH FIRST NULL ROWS WITH TIES
        SELECT id FROM t ORDER BY k FETCH FIRST 2 ROWS WITH TIES FOR UPDATE SKIP LOCKED
        VALUES (1), (2), (2), (3) ORDER BY 1 FETCH FIRST 2 ROWS WITH TIES
        SELECT id, (SELECT array_agg(u.id) FROM (SELECT id FROM u WHERE u.k = t.k ORDER BY v FETCH FIRST 1 ROW WITH TIES) u) FROM t ORDER BY id
        """,
    "recursion and WITH": """
        WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT (n + 1) % 4 FROM r) SELECT * FROM r ORDER BY 1
        WITH RECURSIVE r AS (SELECT id, s, 1 AS d FROM t WHERE id = 1 UNION ALL SELECT t.id, t.s, d + 1 FROM t, r WHERE t.id = r.id + 1 AND d < 4) SELECT * FROM r ORDER BY 1
        WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL (WITH x AS (SELECT n FROM r) SELECT n + 1 FROM x WHERE n < 5)) SELECT * FROM r ORDER BY 1
        WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT * FROM r LIMIT 3
        SELECT id, (WITH RECURSIVE r AS (SELECT t.id AS n UNION ALL SELECT n - 1 FROM r WHERE n > 1) SELECT sum(n) FROM r) FROM t ORDER BY id
        SELECT id, (WITH x AS (SELECT * FROM u WHERE u.k = t.k) SELECT count(*) FROM x a, x b) FROM t ORDER BY id
        WITH RECURSIVE r(x) AS (SELECT 'a'::text UNION SELECT x || 'b' FROM r WHERE length(x) < 4) SELECT * FROM r ORDER BY 1
        WITH RECURSIVE g(a, b) AS (VALUES (1, 2), (2, 3), (3, 1), (3, 4)), r(n, path) AS (SELECT 1, ARRAY[1] UNION ALL SELECT g.b, path || g.b FROM r JOIN g ON g.a = r.n WHERE NOT g.b = ANY (path)) SELECT * FROM r ORDER BY path
        WITH RECURSIVE r AS (SELECT id, k FROM t WHERE id = 1 UNION SELECT t.id, t.k FROM t, r WHERE t.k = r.k OR t.id = r.id + 2) SELECT count(*), sum(id) FROM r
        WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < (SELECT max(id) FROM t)) SELECT r.n, t.s FROM r LEFT JOIN t ON t.id = r.n ORDER BY 1
        WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT x.n + 1 FROM (SELECT n FROM r WHERE n < 5) x) SELECT array_agg(n) FROM r
        WITH RECURSIVE r(n, s) AS (SELECT 1, 'a'::text UNION ALL SELECT n + 1, s || n FROM r WHERE n < 4) SELECT * FROM r ORDER BY n
        SELECT id, (WITH RECURSIVE r(n) AS (SELECT t.k UNION ALL SELECT n - 1 FROM r WHERE n > 0), q AS (SELECT count(*) AS c FROM r) SELECT c FROM q) FROM t ORDER BY id
        SELECT id, EXISTS (WITH q AS (SELECT id FROM u WHERE u.k = t.k) SELECT 1 FROM q WHERE q.id > t.id) FROM t ORDER BY id
        WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3), s AS (SELECT a.n, b.n AS m FROM r a, r b) SELECT count(*) FROM s
        """,
    "aggregates of a query around": """
        SELECT k, (SELECT sum(t.id)) FROM t GROUP BY k ORDER BY k
        SELECT id, (SELECT sum(t.id) FROM u WHERE u.k = 1) FROM t ORDER BY id
        SELECT k, (SELECT max(v) FROM u WHERE u.id = sum(t.id)) FROM t GROUP BY k ORDER BY k
        SELECT (SELECT count(t.id) FROM u WHERE u.id = 1) FROM t
        SELECT k FROM t GROUP BY k HAVING EXISTS (SELECT 1 FROM u WHERE u.id = max(t.id)) ORDER BY k
        SELECT k, (SELECT count(*) + sum(t.id) FROM u WHERE u.k = t.k) FROM t GROUP BY k ORDER BY k
        SELECT k, (SELECT (SELECT max(t.id) + count(u.id) FROM u z WHERE z.id = 1) FROM u) FROM t GROUP BY k ORDER BY k
        SELECT k, ARRAY(SELECT v FROM u WHERE u.id <= count(t.id) ORDER BY v) FROM t GROUP BY k ORDER BY (SELECT min(t.id)) DESC
        SELECT id FROM t WHERE id = (SELECT max(t.id) FROM u) ORDER BY id
        SELECT sum((SELECT sum(t.id) FROM u)) FROM t
        SELECT (SELECT sum(u.id) FILTER (WHERE t.b) FROM u WHERE u.k = t.k) FROM t ORDER BY 1
        """,
    "catalogue relations and tables": """
        SELECT t.id, c.relname FROM t JOIN pg_class c ON c.relname = 't' WHERE t.id = 1
        SELECT count(*) FROM t WHERE EXISTS (SELECT 1 FROM pg_type WHERE typname = 'int4')
        SELECT c.relname, (SELECT count(*) FROM t) FROM pg_class c WHERE c.relname IN ('t', 'u') ORDER BY 1
        SELECT x.id, y.typname FROM t x LEFT JOIN pg_type y ON y.oid = x.id + 20 ORDER BY 1
        SELECT s FROM t UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname = 'public' ORDER BY 1
        SELECT a.attname, a.attnum, max(t.id) FROM pg_attribute a, t WHERE a.attrelid = 't'::regclass AND a.attnum BETWEEN 1 AND 3 GROUP BY 1, 2 ORDER BY 2
        SELECT t.id, (SELECT count(*) FROM information_schema.columns c WHERE c.table_name = 'u' AND c.ordinal_position <= t.id) FROM t ORDER BY 1
        WITH q AS (SELECT attname FROM pg_attribute WHERE attrelid = 'u'::regclass AND attnum > 0) SELECT u.id, string_agg(q.attname::text, ',' ORDER BY q.attname) FROM u, q GROUP BY u.id ORDER BY u.id
        """,
    "subqueries in arrays and choices": """
        SELECT ARRAY[(SELECT v FROM u WHERE false)] FROM t WHERE id < 3
        SELECT ARRAY[(SELECT v FROM u ORDER BY v LIMIT 1)] FROM t WHERE id < 3
        SELECT ARRAY[(SELECT v FROM u WHERE u.id = t.id + 3)] FROM t ORDER BY id
        SELECT id, CASE WHEN EXISTS (SELECT 1 FROM unnest(t.a) z WHERE z = 2) THEN 1 END FROM t ORDER BY id
        SELECT id, coalesce((SELECT max(g) FROM generate_series(1, t.k) g), 0) FROM t ORDER BY id
        """,
    "slices of arrays": """
        SELECT a[1:2], a[2:], a[:1], a[:] FROM t ORDER BY id
        SELECT (ARRAY[1,2,3,4])[2:3], (ARRAY[[1,2],[3,4]])[1:1][2:2], (ARRAY[[1,2],[3,4]])[2:2], (ARRAY[[1,2],[3,4]])[1:2][1]
        SELECT (ARRAY[1,2,3])[0:5], (ARRAY[1,2,3])[3:2], (ARRAY[1,2,3])[NULL:2], (ARRAY[1,2,3])[-1:1], (ARRAY[1,2,3])[7:9]
        SELECT ('{{1,2},{3,4}}'::int[])[1:2][2:2], ('{{1,2},{3,4}}'::int[])[1:2][5:6], (ARRAY[1,2])[1:1][1:1]
        SELECT id FROM t WHERE a[1:1] = ARRAY[2] ORDER BY id
        SELECT id, a[id:k + 2], cardinality(a[2:]), array_length(a[:k], 1) FROM t ORDER BY id
        SELECT a[1:'x'] FROM t
        SELECT (s)[1:2] FROM t
        """,
}


@pytest.mark.parametrize("subject", SCRIPTS)
def test_a_shape_is_answered_as_postgresql_does(sides, subject):
    for statement, ours, theirs in differences(sides, SCRIPTS[subject]):
        assert (statement, ours) == (statement, theirs)
