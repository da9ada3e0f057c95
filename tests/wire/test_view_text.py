"""What views are shown as: PostgreSQL's text, in each of its forms, which means the same when it is read."""

import pytest

from conformance.fuzz import view_texts
from conformance.fuzz.sides import Side

TABLES = """
CREATE TABLE t (id int PRIMARY KEY, n numeric(10,2), v varchar(20), s text, ts timestamptz, d date,
  a int[], j jsonb, f float8, b bool, c char(5), i8 bigint, iv interval);
CREATE TABLE u (id int PRIMARY KEY, t_id bigint, s text, x int);
CREATE TABLE w (id int PRIMARY KEY, s text);
CREATE VIEW tv AS SELECT id, s FROM t;
CREATE FUNCTION f1(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT a + length(b)';
CREATE FUNCTION fset(a int) RETURNS SETOF u LANGUAGE sql AS 'SELECT * FROM u WHERE id < a';
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE FUNCTION told(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION listed(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1 || $2';
CREATE AGGREGATE own_list (text) (sfunc = listed, stype = text, finalfunc = told);
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE SCHEMA other;
CREATE TABLE p (id int PRIMARY KEY, c posint);
CREATE TABLE other.o (id int PRIMARY KEY, "Mixed Case" text);
"""

VIEWS = r"""
SELECT own_list(DISTINCT s) AS a, own_list(s ORDER BY id DESC) FILTER (WHERE b) AS c,
  own_list(v) OVER (ORDER BY id) AS o FROM t GROUP BY v, id;
SELECT * FROM t;
SELECT id, s FROM t WHERE id > 1 AND s = 'a' ORDER BY 1 LIMIT 3;
SELECT id + 1, id::bigint AS big, n * 2, n + 1.5, -5, - id, 'x', NULL, NULL::int, true FROM t;
SELECT v, v || 'a', v = 'b', s LIKE 'a%', s NOT LIKE 'b%' ESCAPE '\', s ILIKE 'q',
  s SIMILAR TO 'x%' FROM t;
SELECT CASE id WHEN 1 THEN 'a' WHEN 2 THEN v ELSE 'z' END, CASE WHEN b THEN 1 ELSE 2.5 END,
  CASE WHEN b IS TRUE THEN id END AS q FROM t;
SELECT * FROM t NATURAL JOIN w;
SELECT id, t.s FROM t FULL JOIN u USING (id);
SELECT * FROM u FULL JOIN w USING (id, s);
SELECT a.id FROM t a, u b, LATERAL (SELECT w.s FROM w WHERE w.id = a.id) x WHERE a.id = b.id;
SELECT x.a, x.b FROM (SELECT id, s FROM t) AS x(a, b);
SELECT DISTINCT id, s FROM t;
SELECT DISTINCT ON (s, id) id, s, d FROM t ORDER BY s, id DESC, d NULLS FIRST;
SELECT s, count(*), sum(id), avg(n) FILTER (WHERE id > 2), count(DISTINCT v), string_agg(s,
  ',' ORDER BY id DESC) FROM t GROUP BY s HAVING count(*) > 1;
SELECT s, v, count(*), GROUPING(s, v) FROM t GROUP BY ROLLUP(s, v);
SELECT s, v, count(*) FROM t GROUP BY GROUPING SETS ((s), (v), (s, v), ());
SELECT s, v, id, count(*) FROM t GROUP BY id, CUBE(s, (v, id));
SELECT s, v FROM t GROUP BY s, 2;
SELECT upper(s) AS up, count(*) FROM t GROUP BY up ORDER BY up, 2 DESC;
SELECT id, rank() OVER (ORDER BY s), sum(id) OVER w, lag(id,
  1) OVER (PARTITION BY v ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t
  WINDOW w AS (PARTITION BY s ORDER BY id);
SELECT sum(id) OVER (ORDER BY id RANGE BETWEEN UNBOUNDED PRECEDING AND 2 FOLLOWING EXCLUDE TIES),
  count(*) OVER (), first_value(s) OVER (w2 ROWS 3 PRECEDING) FROM t WINDOW w2 AS (ORDER BY d);
SELECT sum(id) OVER (ORDER BY ts RANGE BETWEEN '1 day' PRECEDING AND '2 hours' FOLLOWING) FROM t;
SELECT id FROM t UNION SELECT x FROM u;
SELECT id, 'a' FROM t UNION ALL SELECT x, s FROM u UNION ALL SELECT 3, 'c' ORDER BY 1,
  2 DESC LIMIT 5 OFFSET 2;
(SELECT id FROM t ORDER BY id LIMIT 1) UNION (SELECT x FROM u INTERSECT SELECT id
  FROM w) EXCEPT SELECT 7;
SELECT 1 AS a UNION SELECT 2.5;
WITH q AS (SELECT id, s FROM t), r(z) AS MATERIALIZED (SELECT x FROM u) SELECT q.id, r.z
  FROM q JOIN r ON q.id = r.z;
WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 5) SELECT n FROM g;
VALUES (1, 'a'), (2, 'b');
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS x(n, s);
SELECT g FROM generate_series(1, 3) g;
SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS g(a, b);
SELECT t.id, e FROM t, unnest(t.a) e;
SELECT * FROM unnest(ARRAY[1,2], ARRAY['a','b']) AS x(p, q);
SELECT * FROM ROWS FROM (generate_series(1,2), generate_series(5,7)) AS r(a, b);
SELECT a[1], a[1:2], a[id], j -> 'k', j ->> 'k', j #>> '{a,b}', j @> '{"a":1}', j['k'] FROM t;
SELECT id IN (1, 2, 3), id NOT IN (4, 5), v IN ('a', 'b'), s IN ('q'), id IN (1, x.y), i8 IN (1,
  2) FROM t, (SELECT 1 AS y) x;
SELECT id BETWEEN 1 AND 3, id NOT BETWEEN 1 AND 3, id BETWEEN SYMMETRIC 5 AND 2 FROM t;
SELECT s IS NULL, s IS NOT NULL, b IS TRUE, b IS NOT FALSE, b IS UNKNOWN, s IS DISTINCT FROM v,
  s IS NOT DISTINCT FROM 'a', s IS DISTINCT FROM NULL FROM t;
SELECT EXISTS (SELECT 1 FROM u WHERE u.id = t.id), id IN (SELECT x FROM u), id NOT IN (SELECT x
  FROM u), id = ANY (SELECT x FROM u), id > ALL (SELECT x FROM u), (SELECT max(x) FROM u) FROM t;
SELECT (id, s) IN (SELECT x, s FROM u), id = ANY (a), id = ANY (ARRAY[1,2]), id <> ALL ('{1,2}')
  FROM t;
SELECT (id, n) < (1, 2), (id, s) = (1, 'a'), (id, s) <> (2, 'b') FROM t;
SELECT COALESCE(s, v, 'x'), NULLIF(id, 0), GREATEST(id, 5), LEAST(n, 2.5, id) FROM t;
SELECT extract(year FROM ts), ts AT TIME ZONE 'UTC', position('a' in s),
  substring(s from 1 for 2), substring(s, 1, 2), trim(s), trim(both 'x' from s), ltrim(s),
  overlay(s placing 'q' from 2), CURRENT_DATE, CURRENT_TIMESTAMP, current_user, now(), localtime
  FROM t;
SELECT date '2020-01-01', timestamp '2020-01-01 10:00', interval '1 day', '2020-1-1'::date,
  '1 mon'::interval, 'abc'::varchar(2), n::int, s::int, id::text, id::varchar(5),
  f::numeric(5,1), '5'::numeric(4,1), 1.0::float8 FROM t;
SELECT NOT b, b AND id > 1 OR id < 0, NOT (b OR id = 1), (b OR id = 1) AND b FROM t;
SELECT f1(id), f1(id, 'q'), f1(b => 'z', a => 3) FROM t;
SELECT * FROM fset(3);
SELECT x.s FROM t, fset(t.id) AS x WHERE x.id > 0;
SELECT 'sad'::mood, 5::posint, id::posint FROM t;
SELECT o.id, "Mixed Case" FROM other.o;
SELECT o."Mixed Case" AS "select" FROM other.o AS o;
SELECT row_to_json(w) FROM w;
SELECT id AS x, id x2, s AS "Q" FROM w;
SELECT a.id, b.id AS bid FROM w a, w b;
SELECT w.id FROM w WHERE EXISTS (SELECT 1 FROM w WHERE w.id = 3);
SELECT s COLLATE "C" FROM t ORDER BY s COLLATE "C";
SELECT id FROM t FOR UPDATE;
SELECT t.id FROM t, u FOR SHARE OF u NOWAIT;
SELECT id FROM t ORDER BY id FETCH FIRST 3 ROWS WITH TIES;
SELECT id FROM t LIMIT ALL;
SELECT id + 1 * 2 - 3, (id + 1) * 2, id - (2 - 1), id / 2 % 3, -(-id), 2 ^ 3, id || s FROM t;
SELECT * FROM (t JOIN u ON t.id = u.x) j;
SELECT * FROM (t JOIN u USING (id)) AS j(k, l);
SELECT t1.id FROM t t1 JOIN (u u1 JOIN w w1 ON u1.id = w1.id) ON t1.id = u1.x;
SELECT t1.id FROM t t1 CROSS JOIN u, w;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY f), mode() WITHIN GROUP (ORDER BY s DESC)
  FROM t;
SELECT array_agg(id ORDER BY s, id DESC), json_agg(s), bool_and(b) FROM t;
SELECT 1;
SELECT 'a' || 'b', 1 + 2, 1/2.0;
SELECT oid, relname FROM pg_class;
SELECT id FROM tv WHERE s = 'x';
SELECT concat(s, v, 'x'), concat_ws(',', s, v), json_build_object('a', id), jsonb_extract_path(j,
  'a', 'b'), format('%s', s), left(s, 2) FROM t;
SELECT * FROM t TABLESAMPLE bernoulli (10) REPEATABLE (3);
SELECT * FROM json_to_recordset('[]') AS x(a int, b text);
SELECT make_interval(days => 3), round(f), date_trunc('day', ts), to_char(ts, 'YYYY'), length(s),
  lower(v), c = 'x', c FROM t;
SELECT ts > '2020-01-01', d - 3, ts - interval '1 day', ts::date, iv * 2, d + 1 FROM t;
SELECT s ~ 'a', s !~* 'b', s ^@ 'c', s < 'd', v < v FROM t;
SELECT x.id FROM t AS x(i, n, id, q);
SELECT count(*), max(s) FROM t HAVING count(*) > 0;
SELECT id FROM t WHERE true AND id = 1 OR false;
SELECT a.id FROM t a LEFT JOIN u b ON a.id = b.id AND b.x > 3 RIGHT JOIN w c ON true;
SELECT sum(sum(id)) OVER (PARTITION BY s) FROM t GROUP BY s;
SELECT (SELECT count(*) FROM u WHERE u.id = t.id) AS c FROM t ORDER BY c;
SELECT B'101', X'1F', '\x01'::bytea, 'nan'::float8, 'infinity'::timestamp, 1e10, 12345678901, 0.5
  FROM t;
SELECT id = 1::bigint, id = 1.5, i8 = id, f = 1, f = n, i8 + 1, n = 3, f + 2 FROM t;
SELECT 3::posint = 4, '3'::posint + 1, abs(p.c), p.c = q.c AS z FROM p p JOIN p q ON p.c = q.c;
SELECT id IS DISTINCT FROM 3, ROW(id, s) IS DISTINCT FROM ROW(1, 'a'),
  (ts + iv) AT TIME ZONE 'UTC' FROM t;
SELECT CASE WHEN b THEN 1 END, upper(CASE WHEN b THEN 'a' END),
  sum(id) OVER (PARTITION BY CASE WHEN b THEN 1 END ORDER BY CASE WHEN b THEN 1 END) FROM t;
SELECT * FROM json_to_recordset('[]') AS x(a int, b text);
SELECT "substring"('101'::varbit, 2, 3), substring('0001'::bit(4), 2), int4(f), text(id),
  date(ts), f1(3) FROM t;
SELECT sum(x) FROM unnest(ARRAY[1,2], ARRAY[3,4]) AS k(x, y);
SELECT a FROM pg_class AS c(a, b);
SELECT t.id FROM t ORDER BY t.id + 1, upper(t.s), t.id, t.id + 1;
SELECT ROW(1, 'x')::pair, ARRAY[id, 2] AS q, ARRAY[1,2]::bigint[], ARRAY(SELECT x FROM u),
  '{1,2}'::int[] FROM t;
"""

ALTERED = """
CREATE VIEW x1 AS SELECT t.id, u.x, u.s FROM t JOIN u ON t.id = u.x WHERE t.s > 'a';
CREATE VIEW x2 AS SELECT * FROM t JOIN w USING (id);
CREATE VIEW x3 AS SELECT w.id, count(*) FROM w GROUP BY w.id ORDER BY 2;
CREATE VIEW x4 AS SELECT * FROM (u JOIN w USING (id)) j(k, l, m, o);
ALTER TABLE w RENAME TO "W w";
ALTER TABLE u RENAME COLUMN x TO y;
ALTER TABLE t RENAME COLUMN s TO new_s;
ALTER TABLE "W w" ADD COLUMN more int;
ALTER TABLE u ADD COLUMN l text;
ALTER VIEW x3 RENAME COLUMN count TO many;
ALTER TABLE u SET SCHEMA other;
"""


@pytest.fixture
def sides(servers):
    server, theirs = servers
    ours = f"host={server.directory} port={server.port} user=root dbname=kalam"
    found = Side(theirs), Side(ours)
    for side in found:
        side.run("DROP SCHEMA IF EXISTS other CASCADE; DROP SCHEMA public CASCADE")
        side.run("CREATE SCHEMA public")
        for statement in TABLES.split(";\n"):
            if statement.strip():
                assert side.run(statement).error is None, statement
    yield found
    for side in found:
        side.run("DROP SCHEMA other CASCADE")
        side.close()


def test_a_view_is_shown_as_postgresql_shows_it_and_its_text_is_read_as_it_reads_it(sides):
    told = [
        (query, verdict, detail)
        for query in VIEWS.strip().removesuffix(";").split(";\n")
        for verdict, detail in [view_texts.compare(*sides, query)]
        if verdict != "same"
    ]
    assert told == []


def test_names_that_have_changed_are_followed_by_the_text(sides):
    for statement in ALTERED.strip().split("\n"):
        answers = [side.run(statement) for side in sides]
        assert answers[0] == answers[1], statement
    for view in ("x1", "x2", "x3", "x4"):
        for form in ("", ", true"):
            asked = f"SELECT pg_get_viewdef('{view}'::regclass{form})"
            theirs, ours = [side.run(asked) for side in sides]
            assert theirs == ours, view


def test_the_lists_of_views_have_the_text(sides):
    for side in sides:
        side.run("CREATE VIEW x1 AS SELECT id, s FROM w WHERE s = 'a' UNION SELECT 1, NULL")
        side.run("CREATE MATERIALIZED VIEW x2 AS VALUES (1, 'b'), (2, NULL)")
    for asked in (
        "SELECT viewname, definition FROM pg_views WHERE viewname = 'x1'",
        "SELECT matviewname, definition FROM pg_matviews WHERE matviewname = 'x2'",
        "SELECT view_definition FROM information_schema.views WHERE table_name = 'x1'",
    ):
        theirs, ours = [side.run(asked) for side in sides]
        assert theirs == ours


@pytest.mark.slow
def test_random_queries_are_shown_as_postgresql_shows_them(servers):
    server, theirs = servers
    ours = f"host={server.directory} port={server.port} user=root dbname=kalam"
    found = Side(theirs), Side(ours)
    told: list[str] = []
    counts = view_texts.run_round(3, 1, *found, told.append, views=15)
    for side in found:
        side.close()
    assert told == []
    assert counts["same"] >= 8
