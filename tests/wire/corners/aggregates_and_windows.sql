-- aggregates of literals, and of many rows
SELECT count(DISTINCT 'x'), count(DISTINCT NULL), count('x')
SELECT sum(x), avg(x) FROM (VALUES ('-0'::float8), ('-0')) v(x)
SELECT sum(x) OVER (ORDER BY i), avg(x) OVER (ORDER BY i) FROM (VALUES (1, '-0'::float8), (2, '-0'), (3, '0'), (4, '1.5')) v(i, x)
CREATE TABLE summed (id int PRIMARY KEY, k smallint, f float8, r real, b bigint NOT NULL, s text, d date)
INSERT INTO summed SELECT g, g % 7, nullif(g % 11, 3) * 0.1, g % 3, g * 3000000000, 'x' || g % 5, '2000-01-01'::date + g % 9 FROM generate_series(1, 3000) g
SELECT k, count(*), count(f), sum(f), avg(f), min(f), max(f), sum(r), avg(r), sum(b), avg(b), min(b), sum(id), avg(k) FROM summed GROUP BY k ORDER BY k
SELECT count(f), sum(f), avg(f), sum(r), sum(b), avg(b), max(id), min(r) FROM summed
SELECT s, k, sum(f), count(*) FROM summed WHERE f >= 0.5 AND d < '2000-01-05' GROUP BY s, k ORDER BY s, k
SELECT count(*), min(id) FROM summed WHERE 0.3 > f
SELECT count(*) FROM summed WHERE b > 4000000000000 AND id <> 2999
SELECT d, max(r) FROM summed GROUP BY d HAVING count(*) > 300 ORDER BY max(id) DESC
UPDATE summed SET f = 'NaN' WHERE id IN (7, 14)
SELECT k, min(f), max(f), sum(f) FROM summed GROUP BY k ORDER BY k
SELECT count(*) FROM summed WHERE f > 0.5
UPDATE summed SET b = 9000000000000000000 WHERE k = 1
SELECT k, sum(b), avg(b) FROM summed GROUP BY k ORDER BY k

-- rows of json, and offsets of RANGE
SELECT '[]'::jsonb #- '{a}', '{}'::jsonb #- '{1}'
SELECT '[1]'::jsonb #- '{a}'
SELECT * FROM json_populate_record(NULL::record, '{"x": 776}') AS (x int, y int)
SELECT * FROM jsonb_populate_recordset(NULL::record, '[{"x": 1}, {"y": 2}]') AS (x int, y int)
SELECT jsonb_populate_record(NULL::record, '{"x": 0}')
SELECT json_populate_recordset(NULL::record, '[]')
SELECT json_populate_recordset(row(1, 2), '[{"f1": 0, "f2": 1}]')
SELECT sum(i) OVER (ORDER BY i RANGE '1 year'::interval PRECEDING) FROM (VALUES (1)) v(i)
SELECT sum(1) OVER (ORDER BY d RANGE 1 PRECEDING) FROM (VALUES (date '2000-01-01')) v(d)
SELECT sum(1) OVER (ORDER BY n RANGE 1::float8 PRECEDING) FROM (VALUES (1.5)) v(n)

-- grouping sets of output columns that are equal
CREATE TABLE grouped (a int PRIMARY KEY, b int, c text, n numeric, f float8)
INSERT INTO grouped VALUES (1, 1, 'x', 1.0, 0.0), (2, 1, 'y', 1.00, '-0'), (3, 2, 'x', NULL, 'nan'), (4, NULL, 'x', 2, 'nan')
SELECT b AS x, b AS y, count(*) FROM grouped GROUP BY x, rollup(y) ORDER BY 1, 3, y
SELECT b AS x, b AS y, grouping(b), count(*) FROM grouped WHERE b > 0 GROUP BY x, cube(y) ORDER BY 1, 2
SELECT b AS x, b AS y, b AS z, count(*) FROM grouped WHERE b = 1 GROUP BY cube(x, y, z) ORDER BY concat(x), concat(y), concat(z)
SELECT n AS x, n AS y, count(*), sum(f) FROM grouped GROUP BY x, rollup(y) ORDER BY 1, 2, 3, 4
SELECT b + 1 AS x, b + 1 AS y, count(*) FROM grouped WHERE b > 0 GROUP BY x, rollup(y) ORDER BY 1, concat(y)
SELECT 1 AS x, 1 AS y, count(*) FROM grouped GROUP BY rollup(x), rollup(y) ORDER BY concat(x), concat(y)
SELECT * FROM (SELECT b AS x, b AS y, count(*) FROM grouped GROUP BY rollup(x), rollup(y)) s WHERE y = 1 ORDER BY 1, 3
SELECT count(*) FROM (SELECT c AS x, c AS y FROM grouped GROUP BY rollup(x), rollup(y)) s WHERE x IS NULL AND y IS NOT NULL

-- GROUPING of an outer query
SELECT (SELECT grouping(b)) FROM grouped GROUP BY rollup(b) ORDER BY 1
SELECT b, (SELECT grouping(g.b) + i FROM (VALUES (1)) v(i)) FROM grouped g WHERE b > 0 GROUP BY rollup(b) ORDER BY 1
SELECT b, (SELECT grouping(g.b, g.c) FROM grouped o WHERE o.a = 1) FROM grouped g WHERE b > 0 GROUP BY rollup(b, c) ORDER BY 1, 2
SELECT (SELECT max(i) + grouping(g.b) FROM (VALUES (1)) v(i)) FROM grouped g GROUP BY cube(b) ORDER BY 1
SELECT b, count(*) FROM grouped g GROUP BY rollup(b) HAVING EXISTS (SELECT 1 FROM (VALUES (1)) v(i) WHERE i = grouping(g.b)) ORDER BY 1
SELECT (SELECT (SELECT grouping(g.b))) FROM grouped g GROUP BY cube(b) ORDER BY 1
SELECT (SELECT array_agg((SELECT grouping(g.b, g.c)) + i) FROM (VALUES (1), (2)) v(i)) FROM grouped g GROUP BY cube(b, c) ORDER BY 1
SELECT b, sum(a) FROM grouped g WHERE b > 0 GROUP BY rollup(b) ORDER BY (SELECT grouping(g.b)) DESC, 1
SELECT (SELECT grouping(grouped.a)) FROM grouped GROUP BY rollup(b)
SELECT (SELECT grouping(b)) FROM grouped
SELECT 1 FROM grouped WHERE grouping(b) = 0
UPDATE grouped SET b = grouping(b)

-- aggregates of pairs and of ordered sets
CREATE TABLE pairs (id int PRIMARY KEY, g int, x float8, y float8, i interval, d date)
INSERT INTO pairs SELECT n, n % 3, n * 1.5 + (n % 7), n * n * 0.25 - (n % 5) * 3, n * interval '1 hour' + (n % 4) * interval '1 month', date '2020-01-01' + n FROM generate_series(1, 40) n
INSERT INTO pairs VALUES (100, 1, NULL, 5), (101, 2, 5, NULL), (102, 7, 1, 1), (103, 8, 'NaN', 1), (104, 8, 2, 3), (105, 9, 'inf', 1), (106, 9, 2, 3), (107, 10, NULL, NULL)
SELECT g, corr(y,x), covar_pop(y,x), covar_samp(y,x), regr_count(y,x), regr_sxx(y,x), regr_syy(y,x), regr_sxy(y,x), regr_avgx(y,x), regr_avgy(y,x), regr_r2(y,x), regr_slope(y,x), regr_intercept(y,x) FROM pairs GROUP BY g ORDER BY g
SELECT corr(y, x) FILTER (WHERE id < 20), regr_slope(y, x), corr(id, g) FROM pairs WHERE id < 90
SELECT corr(DISTINCT y, x) FROM pairs WHERE id < 50
SELECT corr(1e308, 1), covar_pop(1e200, 1e200) FROM generate_series(1, 3)
SELECT regr_sxx(x, y) FROM (VALUES (1e200::float8, 1e200::float8), (-1e200, -1e200)) v(x, y)
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x), percentile_cont(ARRAY[0, 0.25, NULL, 1]) WITHIN GROUP (ORDER BY x), percentile_disc(ARRAY[0.5, 0.1]) WITHIN GROUP (ORDER BY id) FROM pairs WHERE id < 90
SELECT g, percentile_cont(0.3) WITHIN GROUP (ORDER BY i), percentile_cont(ARRAY[0.3, 0.9]) WITHIN GROUP (ORDER BY i), percentile_disc(0.4) WITHIN GROUP (ORDER BY d DESC), mode() WITHIN GROUP (ORDER BY d) FROM pairs WHERE id < 90 GROUP BY g ORDER BY g
SELECT percentile_cont(1.5) WITHIN GROUP (ORDER BY x) FROM pairs
SELECT percentile_disc(ARRAY[0.5, -1]) WITHIN GROUP (ORDER BY x) FROM pairs
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM pairs WHERE false
SELECT id FROM pairs WHERE to_char(d, 'YYYY-MM') = '2020-02' ORDER BY id LIMIT 3
SELECT id, to_char(x, 'S999.99'), to_date(to_char(d, 'DD Mon YYYY'), 'DD Mon YYYY') = d FROM pairs WHERE id < 4 ORDER BY id

-- HAVING over no rows that are read
CREATE TABLE zeroes (id int primary key, a int)
INSERT INTO zeroes VALUES (1, 0), (2, 1)
SELECT 1 AS one FROM zeroes WHERE 1 / a = 1 HAVING 1 < 2
SELECT 1 AS one FROM zeroes WHERE 1 / a = 1 HAVING 1 > 2
SELECT 1 AS one FROM zeroes WHERE 1 / a = 1 HAVING count(*) > 0

-- two keys of grouping sets
CREATE TABLE twins (id int primary key, a int)
INSERT INTO twins VALUES (1, 1), (2, 1), (3, NULL)
SELECT a AS x, a AS y, count(*) FROM twins GROUP BY a, ROLLUP(a) ORDER BY 1, 2, 3
SELECT a AS x, a AS y, grouping(a), count(*) FROM twins GROUP BY x, ROLLUP(x) ORDER BY 1, 2, 3, 4
SELECT a AS x, a AS y, count(*) FROM twins GROUP BY x, y ORDER BY 1, 2
SELECT a + 1 AS p, a + 1 AS q, count(*) FROM twins GROUP BY a + 1, CUBE(a + 1) ORDER BY 1, 2, 3

-- GROUPING in windows
CREATE TABLE grouped (id int PRIMARY KEY, a int, b text)
INSERT INTO grouped VALUES (1, 1, 'x'), (2, 1, 'y'), (3, 2, 'x'), (4, NULL, NULL)
SELECT a, b, count(*), rank() OVER (PARTITION BY grouping(a, b) ORDER BY count(*) DESC), sum(count(*)) OVER (ORDER BY grouping(a), a NULLS LAST) FROM grouped GROUP BY ROLLUP (a, b) ORDER BY grouping(a, b), a, b

-- steps of aggregates
SELECT float8_accum('{4,140,2900}'::float8[], 100), float8_accum('{0,0,0}', 'Infinity'), float8_accum('{1,2,0}', 'NaN')
SELECT float8_regr_accum('{4,140,2900,1290,83075,15050}'::float8[], 200, 100)
SELECT float8_combine('{3,60,200}'::float8[], '{0,0,0}'), float8_combine('{0,0,0}'::float8[], '{2,180,200}'), float8_combine('{3,60,200}'::float8[], '{2,180,200}')
SELECT float8_regr_combine('{3,60,200,750,20000,2000}'::float8[], '{2,180,200,740,57800,-3400}'), float8_regr_combine('{0,0,0,0,0,0}'::float8[], '{2,180,200,740,57800,-3400}')
SELECT booland_statefunc(a, b), boolor_statefunc(a, b) FROM unnest('{t,f,t,NULL}'::bool[], '{t,t,f,t}'::bool[]) u(a, b)

-- aggregates of the query around, in others of it
CREATE TABLE inner_of (x int)
CREATE TABLE outer_of (u int, ten int)
INSERT INTO outer_of VALUES (1, 2)
SELECT (SELECT max(u) FILTER (WHERE sum(ten) > 0) FROM inner_of) FROM outer_of
SELECT (SELECT max(x) FILTER (WHERE sum(ten) > 0) FROM inner_of) FROM outer_of
SELECT (SELECT max((SELECT sum(ten))) FROM inner_of) FROM outer_of
SELECT (SELECT max(u + (SELECT sum(ten) FROM inner_of r)) FROM inner_of) FROM outer_of

-- what is of a query's groups, and what of its rows
CREATE TABLE grouped_rows (a int PRIMARY KEY, b int, c int[])
CREATE TABLE no_rows (x int)
INSERT INTO grouped_rows VALUES (1, 1, '{1}'), (2, 1, '{2}')
SELECT b, max(a) FROM grouped_rows g WHERE a NOT IN (SELECT 5 FROM no_rows WHERE g.a > 0 HAVING false) GROUP BY b
SELECT b, max(a) FROM grouped_rows g JOIN no_rows ON a = (SELECT 5 FROM no_rows WHERE g.c[1] > 0 HAVING false) GROUP BY b
SELECT b, (SELECT 1 FROM no_rows WHERE g.a > 0 HAVING true) FROM grouped_rows g GROUP BY b
CREATE FUNCTION greatest_of_none() RETURNS int LANGUAGE sql AS 'SELECT max(x) FROM no_rows'
SELECT greatest_of_none() AS v, count(*) FROM grouped_rows GROUP BY 1
SELECT (SELECT max(x) FROM no_rows) AS v, count(*) FROM grouped_rows GROUP BY 1
SELECT (SELECT max(g.a) FROM no_rows) AS v, count(*) FROM grouped_rows g GROUP BY 1
SELECT (SELECT row_number() OVER () FROM no_rows) AS v, count(*) FROM grouped_rows GROUP BY 1
SELECT max(a) AS v, count(*) FROM grouped_rows GROUP BY 1
SELECT row_number() OVER () AS v, count(*) FROM grouped_rows GROUP BY 1

-- rows that tie in a window
CREATE TABLE tying (id int PRIMARY KEY, a int, b text)
INSERT INTO tying SELECT i, i * 7 % 3, 'v' || i * 5 % 4 FROM generate_series(1, 60) i
SELECT id, a, row_number() OVER (ORDER BY a), lag(id) OVER (ORDER BY a DESC) FROM tying WHERE id < 11
SELECT id, row_number() OVER (PARTITION BY b ORDER BY a), first_value(id) OVER (PARTITION BY b ORDER BY a ROWS 1 PRECEDING) FROM tying
SELECT array_agg(id) OVER (ORDER BY a GROUPS CURRENT ROW) FROM tying WHERE id % 2 = 0
SELECT id, a FROM (SELECT id, a FROM tying ORDER BY b LIMIT 60) s ORDER BY a
