-- first rows of a recursion without an end
WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t) SELECT * FROM t LIMIT 10
WITH RECURSIVE t(n) AS (SELECT 1 UNION SELECT n + 1 FROM t) SELECT n * 2 FROM t LIMIT 3 OFFSET 2
WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t) SELECT * FROM t LIMIT 0
SELECT * FROM (WITH RECURSIVE t(n) AS (VALUES (1), (2) UNION ALL SELECT n + 2 FROM t) SELECT * FROM t LIMIT 9) s WHERE n > 3
CREATE TABLE parents (id int PRIMARY KEY, parent int)
INSERT INTO parents VALUES (1, NULL), (2, 1), (3, 2), (4, 3)
WITH RECURSIVE t AS (SELECT id FROM parents WHERE parent IS NULL UNION ALL SELECT r.id FROM parents r JOIN t ON r.parent = t.id) SELECT id FROM t LIMIT 2
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5), u AS (SELECT count(*) c FROM t) SELECT n, (SELECT c FROM u) FROM t LIMIT 2
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n, (SELECT count(*) FROM t) FROM t LIMIT 2
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT count(*) FROM t LIMIT 2
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n, count(*) OVER () FROM t LIMIT 2
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n, generate_series(1, n - 1) FROM t LIMIT 2
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t ORDER BY n DESC LIMIT 2

-- a view that another one reads gets columns
CREATE TABLE under_views (id int PRIMARY KEY, stuff text)
INSERT INTO under_views VALUES (23, 'x')
CREATE VIEW lower_view AS SELECT * FROM under_views
CREATE VIEW upper_view AS SELECT *, id + 1 AS j FROM lower_view
CREATE MATERIALIZED VIEW kept_view AS SELECT * FROM lower_view
CREATE OR REPLACE VIEW lower_view AS SELECT *, 2 + 2 AS more FROM under_views
SELECT * FROM upper_view
SELECT * FROM lower_view
REFRESH MATERIALIZED VIEW kept_view
SELECT * FROM kept_view
CREATE OR REPLACE VIEW lower_view AS SELECT *, 2 + 2 AS more, id AS again FROM under_views
SELECT u.*, l.again FROM upper_view u JOIN lower_view l ON l.id = u.id

-- what a condition that is not read names
CREATE TABLE read_or_not (a int PRIMARY KEY, b int)
INSERT INTO read_or_not VALUES (1, 2)
SELECT (SELECT 1 FROM (VALUES (1)) v(i) WHERE i = r.b HAVING max(r.a) = 1) FROM read_or_not r
SELECT (SELECT 1 FROM (VALUES (1)) v(i) WHERE (SELECT r.b = i) HAVING max(r.a) = 1) FROM read_or_not r
SELECT (SELECT 1 FROM (VALUES (1)) v(i) WHERE i = r.b HAVING true) FROM read_or_not r
SELECT min(a) FILTER (WHERE b >= ALL (SELECT 1 FROM (VALUES (1)) v(i) WHERE i <> r.b HAVING false)) FROM read_or_not r
SELECT sum((SELECT 1 FROM (VALUES (1)) v(i) WHERE i <> r.b HAVING true)) FROM read_or_not r
SELECT sum(a) OVER (ORDER BY (SELECT 1 FROM (VALUES (1)) v(i) WHERE i <> r.b HAVING true)), max(b) FROM read_or_not r GROUP BY a
SELECT (SELECT 1 FROM (VALUES (1)) v(i) WHERE i = r.b HAVING max(r.a) = 1) FROM read_or_not r GROUP BY r.b

-- sleeping
SELECT pg_sleep(0.05)
SELECT pg_sleep_for('10 milliseconds'), pg_sleep_until(clock_timestamp() + interval '20 ms')
SELECT clock_timestamp() - now() < interval '0.05 s', pg_sleep(0.1), clock_timestamp() - now() >= interval '0.1 s'
SELECT pg_sleep(NULL), pg_sleep(-1), pg_sleep(0)
SELECT CASE WHEN false THEN pg_sleep(5) END
SET statement_timeout = '50ms'
SELECT pg_sleep(10)
SET statement_timeout = 0
SELECT pg_sleep(10) LIMIT 0
BEGIN
SELECT pg_sleep(0.01)
ROLLBACK

-- arguments by name and VARIADIC arrays
SELECT make_interval(days => id, secs => x) FROM pairs WHERE id < 3 ORDER BY id
SELECT * FROM jsonb_array_elements(from_json => '[1, 2]')
SELECT concat(VARIADIC a), concat_ws('-', VARIADIC a), json_build_array(VARIADIC a) FROM (VALUES (ARRAY['x', 'y', NULL]), (NULL), ('{}')) v(a)
SELECT format('%s %s', VARIADIC a), jsonb_extract_path_text('{"x": {"y": 5}}', VARIADIC a) FROM (VALUES (ARRAY['x', 'y'])) v(a)
SELECT make_interval(days => 3, 4)
SELECT make_interval(days => 3, days => 4)
SELECT concat(VARIADIC 5)
SELECT * FROM string_to_table('xx^^yy^^zz', '^^', 'yy') WITH ORDINALITY
SELECT string_to_table('a,b,,c', ','), string_to_table('abc', NULL)
SELECT txid_current() = txid_current(), txid_current_if_assigned() IS NOT NULL

-- what is no table
CREATE TABLE only_me (id int primary key)
TRUNCATE ONLY only_me *
TRUNCATE only_me *, ONLY only_me *
LOCK TABLE ONLY only_me *
TRUNCATE only_me *
TRUNCATE ONLY only_me, only_me

-- rows in lines
SELECT row_to_json(q, true) FROM (SELECT 'a' || x AS b, y AS c, ARRAY[ROW(x, ARRAY[1,2]), ROW(y, ARRAY[4])] AS z FROM generate_series(1, 2) x, generate_series(4, 5) y) q
SELECT row_to_json(ROW(1, 'x'), false), row_to_json(ROW(1, 'x'), true), row_to_json(NULL, true)

-- recursive views
CREATE RECURSIVE VIEW five (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM five WHERE n < 5
SELECT * FROM five
CREATE OR REPLACE RECURSIVE VIEW five (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM five WHERE n < 6
SELECT * FROM five
CREATE TEMP RECURSIVE VIEW "Fi ve" (n, "M x") AS SELECT 1, 'a' UNION ALL SELECT n + 1, "M x" || 'b' FROM "Fi ve" WHERE n < 3
SELECT * FROM "Fi ve"
CREATE RECURSIVE VIEW none AS VALUES (1)

-- the side of a join that is kept whole does not depend on the other
CREATE TABLE side (a int)
SELECT * FROM side s RIGHT JOIN LATERAL generate_series(0, s.a) g ON true
SELECT * FROM side s FULL JOIN LATERAL (SELECT s.a + 1) g(b) ON true
SELECT * FROM side s RIGHT JOIN LATERAL (SELECT 1) g(b) ON true

-- WITH in a recursive query
CREATE TABLE recursed (x int)
INSERT INTO recursed VALUES (1), (2)
WITH RECURSIVE t(j) AS (WITH RECURSIVE s(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM s WHERE i < 10) SELECT i FROM s UNION ALL SELECT j + 1 FROM t WHERE j < 10) SELECT * FROM t
WITH RECURSIVE t(x) AS (WITH own AS (SELECT 2 FROM t) SELECT * FROM own UNION SELECT * FROM t) SELECT * FROM t ORDER BY 1
WITH RECURSIVE t(x) AS (SELECT 1 UNION (WITH own AS (SELECT 2) SELECT * FROM own UNION SELECT * FROM t)) SELECT * FROM t ORDER BY 1
WITH RECURSIVE a(x) AS (WITH a(x) AS (WITH b(y) AS (SELECT 1) SELECT * FROM b) SELECT * FROM a) SELECT * FROM a
WITH RECURSIVE a AS (SELECT 7 AS q), t(j) AS (WITH s AS (SELECT x + q AS i FROM recursed, a) SELECT i FROM s UNION ALL SELECT j + 1 FROM t, s WHERE j < 10 AND s.i = 8) SELECT * FROM t ORDER BY 1
WITH RECURSIVE a AS (SELECT 7 AS q), t(j) AS (WITH a AS (SELECT x AS i FROM recursed) SELECT i FROM a UNION ALL SELECT j + 1 FROM t WHERE j < 4) SELECT * FROM t, a ORDER BY 1
SELECT x, (WITH RECURSIVE t(j) AS (WITH s AS (SELECT r.x AS i) SELECT i FROM s UNION ALL SELECT j + 1 FROM t WHERE j < 4 + r.x) SELECT sum(j) FROM t) FROM recursed r ORDER BY 1
WITH RECURSIVE t(j) AS (WITH s AS (DELETE FROM recursed RETURNING x) SELECT x FROM s UNION ALL SELECT j + 1 FROM t WHERE j < 4) SELECT * FROM t
WITH RECURSIVE x(n) AS (SELECT x FROM recursed UNION ALL SELECT n + 1 FROM x WHERE n IN (WITH x AS (SELECT 1 AS z) SELECT z FROM x)) SELECT * FROM x
INSERT INTO recursed WITH RECURSIVE t(j) AS (WITH s AS (SELECT 1 AS i) SELECT i FROM s UNION ALL SELECT j + 1 FROM t WHERE j < 4) SELECT * FROM t
WITH RECURSIVE t AS (INSERT INTO recursed SELECT * FROM t) VALUES (FALSE)
WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x FOR UPDATE) SELECT * FROM x
WITH RECURSIVE x(col) AS (SELECT 1 UNION (WITH x AS (SELECT * FROM x) SELECT * FROM x)) SEARCH DEPTH FIRST BY col SET seq SELECT * FROM x
WITH RECURSIVE t(f) AS (SELECT 1 UNION ALL (SELECT 3 UNION ALL SELECT f FROM t)) SEARCH DEPTH FIRST BY f SET seq SELECT * FROM t
SELECT 1 EXCEPT ALL SELECT 2 FOR NO KEY UPDATE
SELECT x FROM recursed UNION (SELECT x FROM recursed FOR SHARE)
