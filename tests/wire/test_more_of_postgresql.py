"""Corners of the language, side by side with PostgreSQL 15: each was once answered otherwise."""

# ruff: noqa: E501 -- one statement a line

import pytest

from tests.wire import postgresql
from tests.wire.raw import RawClient, message
from tests.wire.side_by_side import both, differences

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not postgresql.installed(), reason="needs Debian's package postgresql-15"),
]


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    with both(tmp_path_factory.mktemp("corners")) as found:
        yield found


SCRIPTS = {
    "a row of NULLs is a value": """
        CREATE TYPE halves AS (a int, b text)
        CREATE TABLE halved (id int PRIMARY KEY, h halves)
        INSERT INTO halved VALUES (1, '(,)'), (2, '(1,)'), (3, NULL)
        ALTER TABLE halved ALTER COLUMN h SET NOT NULL
        DELETE FROM halved WHERE id = 3
        ALTER TABLE halved ALTER COLUMN h SET NOT NULL
        INSERT INTO halved VALUES (4, NULL)
        INSERT INTO halved VALUES (5, ROW(NULL, NULL))
        SELECT count(*) FROM halved WHERE h IS NULL
        SELECT ROW(NULL, NULL) IS DISTINCT FROM NULL, ROW(NULL, NULL)::halves IS NOT DISTINCT FROM NULL, NULL IS DISTINCT FROM ROW(1)
        SELECT halved IS DISTINCT FROM NULL, h IS NOT DISTINCT FROM NULL FROM halved ORDER BY id
        CREATE FUNCTION of_halves(h halves) RETURNS int LANGUAGE sql STRICT AS 'SELECT 4'
        SELECT of_halves(ROW(id, NULL)::halves), of_halves(h), of_halves(NULL) FROM halved ORDER BY id
        SELECT id, ROW(id, NULL) IS NULL, ROW(id, NULL) IS NOT DISTINCT FROM NULL, count(*) FROM halved GROUP BY id, ROW(id, NULL) ORDER BY 1
        SELECT (SELECT ROW(NULL, NULL)) IS DISTINCT FROM NULL, (SELECT ROW(NULL, NULL) LIMIT 0) IS DISTINCT FROM NULL
        SELECT typname FROM pg_type WHERE ROW(oid, NULL) IS DISTINCT FROM NULL AND typname = 'bool'
        CREATE DOMAIN both_halves AS halves NOT NULL
        SELECT '(,)'::both_halves, ROW(NULL, NULL)::halves::both_halves
        """,
    "aggregates of literals, and of many rows": """
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
        """,
    "zones by number and by name": """
        SET TIME ZONE 'UTC'
        SELECT '15:36:39 m2'::timetz
        SELECT '15:36:39 MSK m2'::timetz
        SELECT '15:36:39 EST5EDT'::timetz
        SELECT make_timestamptz(1973, 07, 15, 08, 15, 55.33, '2')
        SELECT make_timestamptz(2014, 12, 10, 10, 10, 10, '+16')
        SELECT make_timestamptz(2014, 12, 10, 10, 10, 10, '+2:30:99')
        SELECT make_timestamptz(2014, 12, 10, 10, 10, 10, '+15:59:59'), make_timestamptz(2014, 12, 10, 10, 10, 10, '-2:30'), make_timestamptz(2014, 12, 10, 10, 10, 10, '+230')
        SELECT make_timestamptz(2014, 12, 10, 10, 10, 10, 'UTC+1'), make_timestamptz(2014, 12, 10, 10, 10, 10, 'EST')
        SELECT make_timestamptz(2014, 12, 10, 10, 10, 10, 'nosuch')
        SET TIME ZONE '-1.5'
        SELECT to_char('2012-12-12 12:00'::timestamptz, 'TZ tz OF TZH TZM')
        SET TIME ZONE 'America/Sao_Paulo'
        SELECT to_char('2012-07-12 12:00'::timestamptz, 'TZ tz OF')
        SET TIME ZONE 'FOO+3'
        SELECT to_char('2012-12-12 12:00'::timestamptz, 'TZ tz OF')
        SET TIME ZONE '<xyz>-3:15'
        SELECT to_char('2012-12-12 12:00'::timestamptz, 'TZ tz OF')
        SET TIME ZONE 'UTC'
        SELECT power(float8 '-inf', 3.5)
        SELECT power(float8 '-inf', 3), power(float8 '-inf', 'inf'::float8), power(-2::float8, 'nan'::float8)
        """,
    "sizes for people": """
        SELECT pg_size_pretty(11258449312612351), pg_size_pretty(-11258449312612351), pg_size_pretty(11258449312612352), pg_size_pretty(9223372036854775807)
        SELECT pg_size_pretty(v) FROM (VALUES (1e15::numeric), (-1.5), (1536.5), (10239.999), (10240.0), (1e20), ('NaN'), ('-Infinity')) x(v)
        """,
    "first rows of a recursion without an end": """
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
        """,
    "a view that another one reads gets columns": """
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
        """,
    "casts of arrays to domains, and lengths within arrays": """
        CREATE DOMAIN ordered_pair AS int[] CHECK (VALUE[1] < VALUE[2])
        SELECT ARRAY[1, 2]::ordered_pair
        SELECT ARRAY[2, 1]::ordered_pair
        SELECT CAST(ARRAY[2, 1] AS ordered_pair)
        SELECT (ARRAY['2', '1'])::ordered_pair
        SELECT ARRAY[i, 5]::ordered_pair FROM generate_series(4, 5) i
        SELECT ARRAY['abc']::varchar(2)[], ARRAY['abc', 'd']::char(2)[], ARRAY[1.234, NULL]::numeric(4,1)[], ARRAY[ARRAY['abc']]::varchar(2)[]
        """,
    "what a condition that is not read names": """
        CREATE TABLE read_or_not (a int PRIMARY KEY, b int)
        INSERT INTO read_or_not VALUES (1, 2)
        SELECT (SELECT 1 FROM (VALUES (1)) v(i) WHERE i = r.b HAVING max(r.a) = 1) FROM read_or_not r
        SELECT (SELECT 1 FROM (VALUES (1)) v(i) WHERE (SELECT r.b = i) HAVING max(r.a) = 1) FROM read_or_not r
        SELECT (SELECT 1 FROM (VALUES (1)) v(i) WHERE i = r.b HAVING true) FROM read_or_not r
        SELECT min(a) FILTER (WHERE b >= ALL (SELECT 1 FROM (VALUES (1)) v(i) WHERE i <> r.b HAVING false)) FROM read_or_not r
        SELECT sum((SELECT 1 FROM (VALUES (1)) v(i) WHERE i <> r.b HAVING true)) FROM read_or_not r
        SELECT sum(a) OVER (ORDER BY (SELECT 1 FROM (VALUES (1)) v(i) WHERE i <> r.b HAVING true)), max(b) FROM read_or_not r GROUP BY a
        SELECT (SELECT 1 FROM (VALUES (1)) v(i) WHERE i = r.b HAVING max(r.a) = 1) FROM read_or_not r GROUP BY r.b
        """,
    "rows of json, and offsets of RANGE": """
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
        """,
    "grouping sets of output columns that are equal": """
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
        """,
    "GROUPING of an outer query": """
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
        """,
    "OVERLAPS": """
        SELECT (DATE '2001-02-16', DATE '2001-12-21') OVERLAPS (DATE '2001-10-30', DATE '2002-10-30')
        SELECT (DATE '2001-02-16', INTERVAL '100 days') OVERLAPS (DATE '2001-10-30', DATE '2002-10-30')
        SELECT (DATE '2001-10-29', DATE '2001-10-30') OVERLAPS (DATE '2001-10-30', DATE '2001-10-31')
        SELECT (DATE '2001-10-30', DATE '2001-10-30') OVERLAPS (DATE '2001-10-30', DATE '2001-10-31')
        SELECT (TIME '10:00', TIME '12:00') OVERLAPS (TIME '11:00', INTERVAL '2 hours')
        SELECT (timestamp '2020-01-01', timestamp '2020-01-03') OVERLAPS (timestamp '2020-01-05', timestamp '2020-01-02')
        SELECT (timestamp '2020-01-01', interval '1 mon') OVERLAPS (timestamp '2020-01-31', interval '1 day')
        SELECT (timestamptz '2020-01-01 UTC', interval '1 mon') OVERLAPS (timestamptz '2020-01-31 UTC', timestamptz '2020-03-01 UTC')
        SELECT ROW(timestamp '2020-01-01', NULL) OVERLAPS ROW(timestamp '2020-01-01', timestamp '2020-01-02')
        SELECT (timestamp '2020-01-05', NULL) OVERLAPS (timestamp '2020-01-01', timestamp '2020-01-06')
        SELECT (timestamp '2020-01-05', NULL) OVERLAPS (timestamp '2020-01-01', timestamp '2020-01-02')
        SELECT (NULL, timestamp '2020-01-05') OVERLAPS (timestamp '2020-01-06', NULL)
        SELECT (NULL::timestamp, NULL) OVERLAPS (timestamp '2020-01-06', timestamp '2020-01-08')
        SELECT (timestamp '2020-01-01', timestamp '2020-01-03') OVERLAPS (NULL::timestamp, NULL::timestamp)
        SELECT NOT (TIME '10:00', TIME '12:00') OVERLAPS (TIME '13:00', TIME '14:00') AND true
        SELECT (DATE '2001-02-16', 1, 2) OVERLAPS (DATE '2001-10-30', DATE '2002-10-30')
        SELECT (DATE '2001-02-16', DATE '2001-02-16') OVERLAPS (DATE '2001-10-30', 1, 2)
        SELECT (DATE '2001-02-16', DATE '2001-02-16') OVERLAPS DATE '2001-10-30'
        SELECT 1 OVERLAPS 2
        CREATE TABLE spans (id int PRIMARY KEY, a timestamp, b timestamp)
        INSERT INTO spans SELECT g, timestamp '2020-01-01' + g * interval '1 day', timestamp '2020-01-01' + (g + 1) * interval '1 day' FROM generate_series(1, 9) g
        SELECT id FROM spans WHERE (a, b) OVERLAPS (timestamp '2020-01-03', timestamp '2020-01-05') ORDER BY id
        SELECT count(*) FROM spans x JOIN spans y ON (x.a, x.b) OVERLAPS (y.a, y.b)
        """,
    "aggregates of pairs and of ordered sets": """
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
        """,
    "sleeping": """
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
        """,
    "networks": """
        CREATE TABLE hosts (ip inet PRIMARY KEY, net cidr, mac macaddr, m8 macaddr8, ips inet[])
        INSERT INTO hosts SELECT ('10.0.' || n % 4 || '.' || n)::inet, ('10.' || n % 3 || '.0.0/16')::cidr, ('08:00:2b:01:02:' || lpad(to_hex(n), 2, '0'))::macaddr, NULL, ARRAY[('10.0.0.' || n)::inet, NULL, '::1'] FROM generate_series(1, 30) n
        INSERT INTO hosts VALUES ('::1', '2001:db8::/32', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '{}'), ('10.0.0.0/8', NULL, NULL, NULL, NULL), ('10.0.0.0/24', '10.0.0.0/8', NULL, NULL, NULL)
        INSERT INTO hosts VALUES ('10.0.1.1')
        SELECT * FROM hosts ORDER BY ip
        SELECT net, count(*), min(ip), max(ip) FROM hosts GROUP BY net ORDER BY net
        SELECT ip FROM hosts WHERE ip << '10.0.1.0/24' ORDER BY ip DESC
        SELECT ip FROM hosts WHERE ip = '10.0.1.5'
        SELECT ip FROM hosts WHERE ip >= '10.0.2.0' AND ip < '10.0.3.0' ORDER BY 1
        SELECT count(DISTINCT net), count(DISTINCT mac) FROM hosts
        SELECT a.ip, b.mac FROM hosts a JOIN hosts b ON a.net = b.net AND a.mac = b.mac WHERE host(a.ip) LIKE '10.0.0.%' ORDER BY 1, 2
        SELECT ip FROM hosts WHERE net = '10.1.0.0/16' ORDER BY mac DESC LIMIT 3
        UPDATE hosts SET net = set_masklen(net, 8) WHERE ip = '10.0.1.1'
        SELECT ip, net, ips[1] FROM hosts WHERE ip IN ('10.0.1.1', '::1') ORDER BY ip
        DELETE FROM hosts WHERE ip <<= '10.0.0.0/24'
        SELECT count(*) FROM hosts
        SELECT to_json(ip), json_agg(net) FROM hosts WHERE ip = '::1' GROUP BY ip
        SELECT row_to_json(h) FROM hosts h WHERE ip = '::1'
        SELECT pg_typeof(ip), ip::text || 'x', ip || 'x' FROM hosts WHERE ip = '::1'
        """,
    "ranges": """
        SELECT '[1,5)'::int4range, int4range(1, 5, '[]'), '(1,2)'::int4range, '[2020-01-01,infinity]'::daterange::text, numrange(1, 2.50), '["2020-01-01 01:00",)'::tsrange, '{[1,2),[2,5)}'::int4multirange, 'empty'::int8range
        SELECT '[1,5)'::int4range @> 3, '[1,5)'::int4range && '[4,9)', int4range(1, 3) + int4range(3, 6), int4range(1, 9) - int4range(1, 3), '{[1,9)}'::int4multirange - '{[2,3)}', int4range(1, 10) * int4range(5, 20)
        SELECT numrange(1.1, 2.2) <@ numrange(1, 3), int8range(1, 2) << int8range(5, 6), '[1,5)'::int4range -|- '[5,6)', '[1,2)'::numrange &< '[1,2]', 5 <@ '{[1,3),[5,6)}'::int4multirange, '[1,3]'::numrange &> '(1,2)'
        SELECT lower('[1,3)'::int4range), upper('{[1,3),[7,9)}'::int4multirange), lower('ABC'), isempty('empty'::daterange), lower_inc('(1,2)'::numrange), upper_inf('[1,)'::int4range), range_merge(int4range(1, 2), int4range(5, 6))
        SELECT int4multirange(), int4multirange(int4range(1, 3), int4range(5, 9)), ARRAY[int4range(1, 3)], '{"[1,3)",empty}'::int4range[], multirange(numrange(1.0, 2)), int4range(NULL, 5)
        SELECT unnest('{[1,3),[5,9)}'::int4multirange)
        SELECT '[5,1)'::int4range
        SELECT '[5,1'::int4range
        SELECT '[5;1]'::numrange
        SELECT '{[1,2}'::nummultirange
        SELECT '[1,2147483647]'::int4range
        SELECT int4range(1, 2, 'x')
        SELECT int4range(1, 3) + int4range(5, 6)
        SELECT int4range(1, 9) - int4range(3, 5)
        CREATE TABLE reaches (id int PRIMARY KEY, d int4range UNIQUE, n numrange, t tstzrange, m datemultirange, a int4range[])
        INSERT INTO reaches VALUES (1, '[1,5)', '[1.0,2)', '[2020-01-01,2020-02-02)', '{[2020-01-01,2020-02-02),(2021-01-01,)}', '{"[1,2)"}'), (2, 'empty', '[1.00,2.0)', NULL, '{}', NULL), (3, NULL, '(,)', '(,)', NULL, '{NULL,empty}')
        INSERT INTO reaches VALUES (4, '[1,4]')
        SELECT * FROM reaches ORDER BY id
        SELECT min(id), count(*) FROM reaches GROUP BY n ORDER BY n
        SELECT id FROM reaches ORDER BY d DESC, n
        SELECT id FROM reaches WHERE d @> 2 OR n = '[1,2)' OR t @> '2020-01-05'::timestamptz ORDER BY id
        SELECT a.id, b.id FROM reaches a JOIN reaches b ON a.n && b.n AND a.id < b.id ORDER BY 1, 2
        SELECT range_agg(d), range_intersect_agg(n), count(DISTINCT n) FROM reaches
        CREATE TABLE keyed (n numrange PRIMARY KEY, m nummultirange UNIQUE, v int)
        INSERT INTO keyed VALUES ('[1.0,2)', '{[1.0,2)}', 1), ('empty', '{}', 2), ('(,5]', '{(,5],[7.50,)}', 3)
        INSERT INTO keyed VALUES ('[1.00,2.0)', '{}', 4) ON CONFLICT (n) DO UPDATE SET v = 5, n = excluded.n RETURNING n, v
        INSERT INTO keyed SELECT '[8,9]', '{(,5.0],[7.5,)}', 6 ON CONFLICT DO NOTHING
        UPDATE keyed SET v = 7 WHERE n = '[1,2.000)'
        SELECT * FROM keyed ORDER BY n DESC
        SELECT v FROM keyed WHERE n = 'empty' OR m = '{(,5],[7.5,)}' ORDER BY v
        DELETE FROM keyed WHERE n = '(,5.00]' RETURNING *
        UPDATE reaches SET d = d + '[5,8)' WHERE id = 1 RETURNING d, lower(d), upper(d)
        SELECT to_json(d), d::text || '!', pg_typeof(m) FROM reaches WHERE id = 1
        SELECT t.typname, t.typtype, r.rngsubtype::regtype, r.rngmultitypid::regtype FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid WHERE t.oid < 16384 ORDER BY 1
        """,
    "what clients ask": """
        SELECT catcode, catdesc, count(*), count(*) FILTER (WHERE barelabel), min(word), max(word) FROM pg_get_keywords() GROUP BY 1, 2 ORDER BY 1
        CREATE TABLE asked (a int CONSTRAINT a_pos CHECK (a > 0), b text, PRIMARY KEY (a))
        CREATE INDEX asked_b ON asked (b, a DESC)
        COMMENT ON CONSTRAINT a_pos ON asked IS 'positive'
        COMMENT ON CONSTRAINT asked_pkey ON asked IS 'key'
        COMMENT ON CONSTRAINT asked_pkey ON asked IS NULL
        COMMENT ON CONSTRAINT nix ON asked IS 'x'
        SELECT conname, obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conrelid = 'asked'::regclass ORDER BY 1
        SELECT d.description FROM pg_description d JOIN pg_constraint c ON c.oid = d.objoid AND d.classoid = 'pg_constraint'::regclass
        SELECT c.relname, k.key, k.option, k.n FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid, unnest(i.indkey, i.indoption) WITH ORDINALITY k(key, option, n) WHERE indrelid = 'asked'::regclass ORDER BY 1, n
        SET client_encoding = 'SQL_ASCII'
        SHOW client_encoding
        SELECT 'plain'
        SET client_encoding = 'UTF8'
        SELECT pg_terminate_backend(999999999), pg_cancel_backend(999999998)
        """,
    "assignment to elements": """
        CREATE TABLE parts (id int PRIMARY KEY, a int[], t text[], j jsonb, n int, v varchar(3)[])
        INSERT INTO parts VALUES (1, '{1,2,3}', '{x}', '{"k": [1, 2], "o": {"p": 1}}', 5, '{}'), (2, NULL, NULL, NULL, 6, NULL), (3, '{}', '{a,NULL}', '[1, 2]', 7, '{ab}')
        UPDATE parts SET a[1] = 10, a[2] = a[1] + n WHERE id = 1 RETURNING *
        UPDATE parts SET a[1] = n, t[1] = 'new' WHERE id = 2 RETURNING *
        UPDATE parts SET a[6] = 6 WHERE id = 1 RETURNING a
        UPDATE parts SET a[NULL] = 6 WHERE id = 1
        UPDATE parts SET a['x'] = 6 WHERE id = 1
        UPDATE parts SET a[1] = 'x' WHERE id = 1
        UPDATE parts SET a[1] = NULL WHERE id = 1 RETURNING a
        UPDATE parts SET a[1][1] = 5 WHERE id = 1
        UPDATE parts SET t[2] = upper(t[1]) WHERE id = 3 RETURNING t
        UPDATE parts SET n[1] = 5
        UPDATE parts SET nosuch[1] = 5
        UPDATE parts SET a = '{9}', a[1] = 5 WHERE id = 1
        UPDATE parts SET a[1] = 5, a = '{9}' WHERE id = 1
        UPDATE parts SET j['k'] = '"new"', j['z']['y'] = '{"q": 1}' WHERE id = 1 RETURNING j
        UPDATE parts SET j['o']['p'] = to_jsonb(n) WHERE id = 1 RETURNING j
        UPDATE parts SET j['a'] = '1' WHERE id = 2 RETURNING j
        UPDATE parts SET j[4] = '5' WHERE id = 3 RETURNING j
        UPDATE parts SET j[0]['a'] = '5' WHERE id = 3
        UPDATE parts SET j[-1] = '"last"' WHERE id = 3 RETURNING j
        UPDATE parts SET j[-9] = '"last"' WHERE id = 3
        UPDATE parts SET j['x'] = '1' WHERE id = 3
        UPDATE parts SET j['k'] = 5 WHERE id = 1
        UPDATE parts SET j['k'] = NULL WHERE id = 1 RETURNING j
        UPDATE parts SET j = NULL WHERE id = 2
        UPDATE parts SET j[2]['a'][1] = '7' WHERE id = 2 RETURNING j
        UPDATE parts SET v[1] = 'abcd' WHERE id = 3
        UPDATE parts SET v[2] = 'abc' WHERE id = 3 RETURNING v
        UPDATE parts p SET a[1] = q.n FROM parts q WHERE q.id = p.id AND p.id < 3 RETURNING p.id, p.a
        INSERT INTO parts (id, a) VALUES (1, '{7}') ON CONFLICT (id) DO UPDATE SET a[1] = excluded.a[1], j['up'] = 'true' RETURNING a, j
        SELECT * FROM parts ORDER BY id
        """,
    "records of json": """
        SELECT * FROM jsonb_to_recordset('[{"a":1,"b":"x"},{"a":"2"},{"b":null,"c":5}]') AS t(a int, b text)
        SELECT * FROM json_to_recordset('[{"a":1,"b":{"x": 1}},{"a":2,"b":[1, 2]}]') AS t(a int, b json)
        SELECT * FROM json_to_recordset('[{"a":1,"b":{"x": 1}},{"a":2,"b":[1, 2]}]') t(a int, b text)
        SELECT * FROM jsonb_to_record('{"a":1,"b":[1,2,null],"c":{"d":5},"e":"2020-01-02","f":true}') AS x(a numeric(5,2), b int[], c jsonb, e date, f bool, g text)
        SELECT x.a + 1 FROM json_to_record('{"a": 5}') AS x(a int)
        SELECT * FROM json_to_record('[1]') AS x(a int)
        SELECT * FROM json_to_record('1') AS x(a int)
        SELECT * FROM json_to_recordset('{"a":1}') AS x(a int)
        SELECT * FROM json_to_recordset('1') AS x(a int)
        SELECT * FROM json_to_recordset('[1]') AS x(a int)
        SELECT * FROM jsonb_to_record('[1]') AS x(a int)
        SELECT * FROM jsonb_to_record('1') AS x(a int)
        SELECT * FROM jsonb_to_recordset('{"a":1}') AS x(a int)
        SELECT * FROM jsonb_to_recordset('1') AS x(a int)
        SELECT * FROM jsonb_to_recordset('[1]') AS x(a int)
        SELECT * FROM jsonb_to_record('{"a":"x"}') AS x(a int)
        SELECT * FROM jsonb_to_record('{"a":5}') AS x(a int[])
        SELECT * FROM jsonb_to_record('{"a":"{1,2}"}') AS x(a int[])
        SELECT * FROM json_to_record(NULL) AS x(a int)
        SELECT * FROM jsonb_to_recordset(NULL) AS x(a int)
        SELECT * FROM jsonb_to_recordset('[]') AS x(a int)
        SELECT * FROM jsonb_to_recordset('[]')
        CREATE TABLE tt (id int PRIMARY KEY, v text, n numeric(6,2), tags text[], j jsonb)
        INSERT INTO tt SELECT * FROM jsonb_populate_recordset(NULL::tt, '[{"id":1,"v":"a","n":1.234,"tags":["x","y z"],"j":{"k":[1]}},{"id":2}]')
        SELECT * FROM tt ORDER BY id
        SELECT * FROM json_populate_record(NULL::tt, '{"id":7,"v":"q","x":1}')
        SELECT t.id, r.* FROM tt t, jsonb_to_record(t.j) AS r(k jsonb) ORDER BY 1
        SELECT t.id, r.* FROM tt t LEFT JOIN LATERAL jsonb_to_recordset(jsonb_build_array(t.j)) AS r(k int[]) ON true ORDER BY 1
        SELECT count(*) FROM jsonb_to_recordset((SELECT jsonb_agg(to_jsonb(t)) FROM tt t)) AS r(id int, v text) WHERE r.id > 0
        SELECT * FROM jsonb_to_recordset('[{"a":1}]') AS (a int)
        SELECT "A b" FROM json_to_record('{"A b": 5}') AS x("A b" int)
        SELECT * FROM json_to_record('{"a":"abcdef"}') AS x(a varchar(3))
        SELECT * FROM json_to_record('{"a":"ab ", "b":"x", "n": 1.555}') AS x(a varchar(2), b char(3), n numeric(3,1))
        """,
    "jsonpath over rows": """
        SELECT * FROM jsonb_path_query('[1,2,3]', '$[*] ? (@ > 1)')
        SELECT jsonb_path_query('[1,2,3]', '$[*] ? (@ > 1)'), 1
        CREATE TABLE paths (id int PRIMARY KEY, j jsonb, p jsonpath)
        INSERT INTO paths SELECT n, jsonb_build_object('a', n, 'b', jsonb_build_array(n, n*2)), ('$.a ? (@ > ' || n % 3 || ')')::jsonpath FROM generate_series(1,10) n
        SELECT id FROM paths WHERE j @? '$.b[*] ? (@ > 10)' ORDER BY id
        SELECT id, p, j @? p, jsonb_path_query_array(j, p) FROM paths ORDER BY id
        SELECT id FROM paths WHERE j @@ '$.a > 7' ORDER BY id
        SELECT id, q FROM paths, jsonb_path_query(j, '$.b[*]') q ORDER BY id, q
        """,
    "TimeZone in every form": """
        SET TIME ZONE '+02:00'
        SHOW timezone
        SELECT (timestamptz '2020-06-01 12:00+00')::text
        SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE
        SHOW timezone
        SELECT (timestamptz '2020-06-01 12:00+00')::text
        SET TIME ZONE INTERVAL '+05:30'
        SHOW timezone
        SET TIME ZONE INTERVAL '1 month'
        SET TIME ZONE INTERVAL '3' HOUR
        SHOW timezone
        SET TIME ZONE INTERVAL '1 day'
        SHOW timezone
        SET TIME ZONE -7
        SHOW timezone
        SET TIME ZONE 5.5
        SHOW timezone
        SET TIME ZONE '5.5'
        SHOW timezone
        SET TIME ZONE LOCAL
        SET TIME ZONE DEFAULT
        SET TIME ZONE 'EST5EDT'
        SHOW timezone
        SET TIME ZONE 'EST5EDT,M3.2.0,M11.1.0'
        SHOW timezone
        SET TIME ZONE 'FOO5'
        SHOW timezone
        SELECT (timestamptz '2020-06-01 12:00+00')::text
        SET TIME ZONE '<+03>-3'
        SHOW timezone
        SELECT (timestamptz '2020-06-01 12:00+00')::text
        SET TIME ZONE 'UTC+3'
        SHOW timezone
        SELECT (timestamptz '2020-06-01 12:00+00')::text
        SET TIME ZONE 'europe/paris'
        SHOW timezone
        SELECT (timestamptz '2020-06-01 12:00+00')::text
        SET TIME ZONE 'nosuch'
        SET timezone TO 'America/New_York'
        SHOW TIME ZONE
        SET timezone = 'PST8PDT'
        SHOW timezone
        SET timezone = '-3'
        SHOW timezone
        SELECT (timestamptz '2020-06-01 12:00+00')::text
        SET timezone = '-03:30'
        SHOW timezone
        SELECT (timestamptz '2020-06-01 12:00+00')::text
        SET timezone = 'UTC'
        SET TIME ZONE 200
        SET TIME ZONE 'Z'
        SET TIME ZONE 'utc'
        SHOW timezone
        SET TIME ZONE 'zulu'
        SHOW timezone
        SET timezone = 'UTC'
        """,
    "styles of dates, intervals, floats and bytea": """
        SET datestyle = 'SQL'
        SHOW datestyle
        SELECT (date '2020-03-04')::text, (timestamp '2020-03-04 05:06:07.5')::text, (timestamptz '2020-03-04 05:06:07.5+00')::text
        SET datestyle = 'DMY'
        SHOW datestyle
        SELECT (date '2020-03-04')::text, (timestamp '2020-03-04 05:06:07.5')::text, (timestamptz '2020-03-04 05:06:07.5+00')::text, ('01/02/2003'::date)::text
        SET datestyle = 'German'
        SHOW datestyle
        SELECT (date '2020-03-04')::text, (timestamp '2020-03-04 05:06:07.5')::text, (timestamptz '2020-03-04 05:06:07.5+00')::text
        SET datestyle TO postgres, mdy
        SHOW datestyle
        SELECT (date '2020-03-04')::text, (timestamp '2020-03-04 05:06:07.5')::text, (timestamptz '2020-03-04 05:06:07.5+00')::text, (timestamp '0044-03-15 BC')::text, ('infinity'::date)::text
        SET datestyle TO 'postgres, dmy'
        SELECT (date '2020-03-04')::text, (timestamp '2020-03-04 05:06:07.5')::text, (timestamptz '2020-03-04 05:06:07.5+00')::text
        SET datestyle = 'ISO, SQL'
        SET datestyle = 'MDY, DMY'
        SET datestyle = 'foo'
        SET datestyle = ''
        SHOW datestyle
        SET datestyle = 'YMD'
        SHOW datestyle
        SET datestyle = DEFAULT
        SHOW datestyle
        SET datestyle = 'iso, ymd'
        SHOW datestyle
        RESET datestyle
        SET intervalstyle = 'postgres_verbose'
        SHOW intervalstyle
        SELECT (interval '1 year 2 mons -3 days 04:05:06.7')::text, (interval '0')::text, (interval '-1 day')::text
        SET intervalstyle = 'sql_standard'
        SELECT (interval '1 year 2 mons -3 days 04:05:06.7')::text, (interval '0')::text, (interval '-1 day')::text, (interval '-1 2:03:04')::text
        SET intervalstyle = iso_8601
        SELECT (interval '1 year 2 mons -3 days 04:05:06.7')::text, (interval '0')::text, (interval '-1 day')::text
        SET intervalstyle = foo
        RESET intervalstyle
        SET bytea_output = escape
        SELECT '\x00415c'::bytea
        SET bytea_output = foo
        RESET bytea_output
        SET extra_float_digits = 0
        SELECT 0.1::float8 + 0.2::float8, 1.1::float4
        SET extra_float_digits = -5
        SELECT 0.1::float8 + 0.2::float8, pi(), 1.1::float4
        SET extra_float_digits = 3
        SELECT 0.1::float8 + 0.2::float8
        SET extra_float_digits = 4
        RESET extra_float_digits
        RESET ALL
        """,
    "settings that change no answer": """
        SET enable_seqscan off
        SHOW enable_seqscan
        SET enable_hashjoin = 0
        SHOW enable_hashjoin
        SET enable_sort = tr
        SHOW enable_sort
        SET enable_sort = o
        SHOW enable_sort
        SET enable_sort = maybe
        SHOW enable_sort
        SET random_page_cost = 1.1
        SHOW random_page_cost
        SET random_page_cost = -1
        SHOW random_page_cost
        SET random_page_cost = abc
        SHOW random_page_cost
        SET work_mem = '64MB'
        SHOW work_mem
        SET work_mem = '64mb'
        SHOW work_mem
        SET work_mem = '1.5GB'
        SHOW work_mem
        SET work_mem = 10
        SHOW work_mem
        SET work_mem = '32kB'
        SHOW work_mem
        SET effective_cache_size = '4GB'
        SHOW effective_cache_size
        SET effective_cache_size='100 MB'
        SHOW effective_cache_size
        SET maintenance_work_mem = '1TB'
        SHOW maintenance_work_mem
        SET maintenance_work_mem='10TB'
        SHOW maintenance_work_mem
        SET join_collapse_limit = 1
        SHOW join_collapse_limit
        SET join_collapse_limit = 0
        SHOW join_collapse_limit
        SET plan_cache_mode = force_generic_plan
        SHOW plan_cache_mode
        SET plan_cache_mode = x
        SHOW plan_cache_mode
        SET geqo_seed = 0.5
        SHOW geqo_seed
        SET geqo_seed = 2
        SHOW geqo_seed
        SET constraint_exclusion = partition
        SHOW constraint_exclusion
        SET constraint_exclusion = 'ON'
        SHOW constraint_exclusion
        SET default_statistics_target = 500
        SHOW default_statistics_target
        SET shared_buffers = 5
        SET max_connections = 5
        SET autovacuum = off
        SET log_connections = on
        SET block_size = 5
        SHOW block_size
        SET cpu_tuple_cost = 1e-3
        SHOW cpu_tuple_cost
        SET jit_above_cost = -1
        SHOW jit_above_cost
        SET jit_above_cost = 1e6
        SHOW jit_above_cost
        SET max_parallel_workers_per_gather = 0
        SET cursor_tuple_fraction = 0.05
        SHOW cursor_tuple_fraction
        SET hash_mem_multiplier = 0.5
        SHOW hash_mem_multiplier
        SET hash_mem_multiplier=3.25
        SHOW hash_mem_multiplier
        SET statement_timeout = '1.5s'
        SHOW statement_timeout
        SET statement_timeout = '10 parsecs'
        SHOW statement_timeout
        SET statement_timeout = '1d'
        SHOW statement_timeout
        SHOW statement_timeout
        SET vacuum_cost_delay = '1.5ms'
        SHOW vacuum_cost_delay
        SET vacuum_cost_delay = 0.5
        SHOW vacuum_cost_delay
        SET seq_page_cost = 0
        SHOW seq_page_cost
        SET min_parallel_table_scan_size = '16MB'
        SHOW min_parallel_table_scan_size
        SET min_parallel_table_scan_size = 10
        SHOW min_parallel_table_scan_size
        SET temp_buffers=100
        SHOW temp_buffers
        SET wal_sender_timeout='1min'
        SHOW wal_sender_timeout
        SET nosuch = 1
        SET statement_timeout = 99999999999
        SHOW statement_timeout
        SET gin_pending_list_limit = 128
        SHOW gin_pending_list_limit
        SHOW random_page_cost
        SET LOCAL enable_seqscan = off
        SHOW enable_seqscan
        SHOW enable_seqscan
        SHOW nosuch
        SET search_path TO public
        SELECT current_setting('enable_hashjoin'), current_setting('random_page_cost')
        SELECT name, setting, unit, category, context, vartype, min_val, max_val, enumvals, boot_val, reset_val FROM pg_settings WHERE name IN ('enable_hashjoin', 'random_page_cost', 'work_mem', 'plan_cache_mode', 'geqo_seed') ORDER BY name
        RESET ALL
        SHOW random_page_cost
        """,
    "arguments by name and VARIADIC arrays": """
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
        """,
    "SET ROLE NONE": """
        SET ROLE NONE
        SET LOCAL ROLE NONE
        SET ROLE TO DEFAULT
        RESET ROLE
        SET SESSION AUTHORIZATION DEFAULT
        RESET SESSION AUTHORIZATION
        """,
    "subscripts of jsonb": """
        SELECT ('{"a": 1}'::jsonb)['a']
        SELECT ('{"a": {"b": [1, "x", null]}}'::jsonb)['a']['b'][1]
        SELECT ('{"a": {"b": [1, "x", null]}}'::jsonb)['a']['b'][-1]
        SELECT ('{"a": {"b": [1, "x", null]}}'::jsonb)['a']['b']['1']
        SELECT ('[1, "x"]'::jsonb)[0], ('[1, "x"]'::jsonb)[5], ('[1, "x"]'::jsonb)['a']
        SELECT ('{"a": 1}'::jsonb)['z'], ('{"a": 1}'::jsonb)[0], ('1'::jsonb)['a']
        SELECT ('{"a": 1}'::jsonb)[NULL], (NULL::jsonb)['a']
        SELECT ('{"1": 7}'::jsonb)[1]
        SELECT ('{"a": 1}'::jsonb)['a':'b']
        SELECT ('{"a": 1}'::jsonb)[:]
        SELECT ('{"a": 1}'::jsonb)[1.5]
        SELECT ('{"a": 1}'::jsonb)[true]
        SELECT ('{"a": 1}'::json)['a']
        SELECT (1)[1]
        CREATE TABLE docs (id int PRIMARY KEY, j jsonb)
        INSERT INTO docs VALUES (1, '{"a": [10, 20], "k": "v"}'), (2, '{"k": "w"}'), (3, NULL)
        SELECT id, j['a'][1], j['k'] FROM docs ORDER BY id
        SELECT id FROM docs WHERE j['k'] = '"v"'
        SELECT j['k'], count(*) FROM docs GROUP BY j['k'] ORDER BY 2, 1
        SELECT x.j['a'][x.id - 1] FROM docs x ORDER BY id
        """,
    "tableoid": """
        CREATE TABLE one (id int PRIMARY KEY, v text)
        INSERT INTO one VALUES (1, 'a')
        SELECT tableoid::regclass, id FROM one
        SELECT one.tableoid::regclass::text FROM one WHERE id = 1
        SELECT count(*) FROM one WHERE tableoid = 'one'::regclass
        SELECT count(*) FROM one WHERE tableoid = 'spans'::regclass
        SELECT DISTINCT x.tableoid::regclass FROM one x JOIN one y USING (id)
        SELECT * FROM one
        SELECT tableoid FROM nothing
        SELECT tableoid FROM (SELECT 1) x
        """,
    "abbreviations that a zone has meant differently": """
        SELECT '2024-07-01 12:00 MSK'::timestamptz, '2013-07-01 12:00 MSK'::timestamptz, '2005-07-01 12:00 MSK'::timestamptz, '2005-07-01 12:00 MSD'::timestamptz, '2011-01-01 12:00 MSK'::timestamptz
        SELECT timestamp '2012-01-01 12:00' AT TIME ZONE 'MSK', timestamp '2024-01-01 12:00' AT TIME ZONE 'msk', timestamptz '2012-01-01 12:00+00' AT TIME ZONE 'MSK', timestamptz '2009-07-01 12:00+00' AT TIME ZONE 'MSK'
        SELECT '2014-10-26 01:30 MSK'::timestamptz, '2014-10-26 00:59:59 MSK'::timestamptz, '2011-03-27 02:00 MSK'::timestamptz, '1900-01-01 MSK'::timestamptz, '30000-01-01 MSK'::timestamptz::text, '0044-03-15 12:00 MSK BC'::timestamptz::text
        SELECT '1995-01-01 12:00 AZT'::timestamptz, '2024-01-01 12:00 AZT'::timestamptz, '2024-01-01 12:00 VOLT'::timestamptz
    """,
    "what is no table": """
        CREATE TABLE only_me (id int primary key)
        TRUNCATE ONLY only_me *
        TRUNCATE only_me *, ONLY only_me *
        LOCK TABLE ONLY only_me *
        TRUNCATE only_me *
        TRUNCATE ONLY only_me, only_me
    """,
    "HAVING over no rows that are read": """
        CREATE TABLE zeroes (id int primary key, a int)
        INSERT INTO zeroes VALUES (1, 0), (2, 1)
        SELECT 1 AS one FROM zeroes WHERE 1 / a = 1 HAVING 1 < 2
        SELECT 1 AS one FROM zeroes WHERE 1 / a = 1 HAVING 1 > 2
        SELECT 1 AS one FROM zeroes WHERE 1 / a = 1 HAVING count(*) > 0
    """,
    "two keys of grouping sets": """
        CREATE TABLE twins (id int primary key, a int)
        INSERT INTO twins VALUES (1, 1), (2, 1), (3, NULL)
        SELECT a AS x, a AS y, count(*) FROM twins GROUP BY a, ROLLUP(a) ORDER BY 1, 2, 3
        SELECT a AS x, a AS y, grouping(a), count(*) FROM twins GROUP BY x, ROLLUP(x) ORDER BY 1, 2, 3, 4
        SELECT a AS x, a AS y, count(*) FROM twins GROUP BY x, y ORDER BY 1, 2
        SELECT a + 1 AS p, a + 1 AS q, count(*) FROM twins GROUP BY a + 1, CUBE(a + 1) ORDER BY 1, 2, 3
    """,
    "what functions give has no length": """
        CREATE TABLE sized (id int PRIMARY KEY, v varchar(6), n numeric(6,2), c char(4))
        INSERT INTO sized VALUES (1, 'abcdef', 12.34, 'x')
        CREATE FUNCTION sized_rows() RETURNS TABLE (v varchar(2), n numeric(3,1)) LANGUAGE sql STABLE AS 'SELECT v, n FROM sized'
        CREATE FUNCTION sized_set() RETURNS SETOF varchar(3) LANGUAGE sql STABLE AS 'SELECT v FROM sized'
        CREATE FUNCTION sized_char() RETURNS char(2) LANGUAGE sql STABLE AS 'SELECT c FROM sized'
        CREATE FUNCTION sized_cast(n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT n::numeric(6,1)'
        CREATE TABLE sizes AS SELECT *, sized_char() AS one, sized_cast(n) AS cast FROM sized_rows(), sized_set() AS s
        SELECT attname, atttypmod FROM pg_attribute WHERE attrelid = 'sizes'::regclass AND attnum > 0 ORDER BY attnum
        SELECT * FROM sizes
        """,
    "what a client wants to be told of": """
        SET client_min_messages = warning
        DROP TABLE IF EXISTS never_there
        ROLLBACK
        SET client_min_messages = error
        ROLLBACK
        DO $$ BEGIN RAISE WARNING 'w'; RAISE INFO 'i'; END $$
        RESET client_min_messages
        ALTER TABLE sized ALTER COLUMN v SET STATISTICS 20000
        """,
    "a record of a query is no composite value": """
        CREATE TYPE duo AS (a int, b text)
        CREATE TABLE duos (id int PRIMARY KEY, d duo)
        INSERT INTO duos SELECT 1, row(1, 'x')
        INSERT INTO duos SELECT 1, r FROM (SELECT row(1, 'x') AS r) s
        INSERT INTO duos SELECT 1, row(1, 'x')::duo
        INSERT INTO duos VALUES (2, row(2, 'y')), (3, (3, 'z'))
        UPDATE duos SET d = (SELECT row(1, 'x'))
        SELECT * FROM duos ORDER BY id
        """,
    "rows as values in what is kept": """
        CREATE TYPE couple AS (a int, b text)
        CREATE TABLE couples (id int PRIMARY KEY, n int, g bool GENERATED ALWAYS AS (ROW(97, 'ab')::couple < ROW(n, 'z')::couple) STORED, m int GENERATED ALWAYS AS (num_nulls(VARIADIC ARRAY[n, NULL])) STORED)
        INSERT INTO couples (id, n) VALUES (1, 1), (2, NULL), (3, 300) RETURNING *
        UPDATE couples SET n = NULL WHERE id = 1 RETURNING *
        """,
    "an hour that a clock shows twice": """
        SET TIME ZONE 'Europe/Berlin'
        SELECT t, date_trunc('hour', t), date_trunc('minute', t), date_trunc('day', t), date_trunc('hour', t, 'America/New_York') FROM generate_series('2024-10-27 00:30+02'::timestamptz, '2024-10-27 04:00+01', '45 minutes') t
        SELECT date_trunc('hour', t), count(*) FROM generate_series('2024-10-27 00:00+02'::timestamptz, '2024-10-27 04:00+01', '20 minutes') t GROUP BY 1 ORDER BY 1
        RESET TIME ZONE
        """,
    "GROUPING in windows": """
        CREATE TABLE grouped (id int PRIMARY KEY, a int, b text)
        INSERT INTO grouped VALUES (1, 1, 'x'), (2, 1, 'y'), (3, 2, 'x'), (4, NULL, NULL)
        SELECT a, b, count(*), rank() OVER (PARTITION BY grouping(a, b) ORDER BY count(*) DESC), sum(count(*)) OVER (ORDER BY grouping(a), a NULLS LAST) FROM grouped GROUP BY ROLLUP (a, b) ORDER BY grouping(a, b), a, b
        """,
    "networks in short": """
        SELECT c, abbrev(c::cidr) FROM unnest('{::/0,2001:db8::/32,2001:db8::/48,2001:db8:0:1::/64,::ffff:0:0/96,1:0:3:0:0:0:7::/112,0:0:3:4:5::/112,::1.2.3.4/128,fe80::/10}'::text[]) c
        """,
    "rows in lines": """
        SELECT row_to_json(q, true) FROM (SELECT 'a' || x AS b, y AS c, ARRAY[ROW(x, ARRAY[1,2]), ROW(y, ARRAY[4])] AS z FROM generate_series(1, 2) x, generate_series(4, 5) y) q
        SELECT row_to_json(ROW(1, 'x'), false), row_to_json(ROW(1, 'x'), true), row_to_json(NULL, true)
        """,
    "steps of aggregates": """
        SELECT float8_accum('{4,140,2900}'::float8[], 100), float8_accum('{0,0,0}', 'Infinity'), float8_accum('{1,2,0}', 'NaN')
        SELECT float8_regr_accum('{4,140,2900,1290,83075,15050}'::float8[], 200, 100)
        SELECT float8_combine('{3,60,200}'::float8[], '{0,0,0}'), float8_combine('{0,0,0}'::float8[], '{2,180,200}'), float8_combine('{3,60,200}'::float8[], '{2,180,200}')
        SELECT float8_regr_combine('{3,60,200,750,20000,2000}'::float8[], '{2,180,200,740,57800,-3400}'), float8_regr_combine('{0,0,0,0,0,0}'::float8[], '{2,180,200,740,57800,-3400}')
        SELECT booland_statefunc(a, b), boolor_statefunc(a, b) FROM unnest('{t,f,t,NULL}'::bool[], '{t,t,f,t}'::bool[]) u(a, b)
        """,
    "recursive views": """
        CREATE RECURSIVE VIEW five (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM five WHERE n < 5
        SELECT * FROM five
        CREATE OR REPLACE RECURSIVE VIEW five (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM five WHERE n < 6
        SELECT * FROM five
        CREATE TEMP RECURSIVE VIEW "Fi ve" (n, "M x") AS SELECT 1, 'a' UNION ALL SELECT n + 1, "M x" || 'b' FROM "Fi ve" WHERE n < 3
        SELECT * FROM "Fi ve"
        CREATE RECURSIVE VIEW none AS VALUES (1)
        """,
    "aggregates of the query around, in others of it": """
        CREATE TABLE inner_of (x int)
        CREATE TABLE outer_of (u int, ten int)
        INSERT INTO outer_of VALUES (1, 2)
        SELECT (SELECT max(u) FILTER (WHERE sum(ten) > 0) FROM inner_of) FROM outer_of
        SELECT (SELECT max(x) FILTER (WHERE sum(ten) > 0) FROM inner_of) FROM outer_of
        SELECT (SELECT max((SELECT sum(ten))) FROM inner_of) FROM outer_of
        SELECT (SELECT max(u + (SELECT sum(ten) FROM inner_of r)) FROM inner_of) FROM outer_of
        """,
    "the side of a join that is kept whole does not depend on the other": """
        CREATE TABLE side (a int)
        SELECT * FROM side s RIGHT JOIN LATERAL generate_series(0, s.a) g ON true
        SELECT * FROM side s FULL JOIN LATERAL (SELECT s.a + 1) g(b) ON true
        SELECT * FROM side s RIGHT JOIN LATERAL (SELECT 1) g(b) ON true
        """,
    "a field of a domain is its base to clients": """
        CREATE DOMAIN of_three AS int[] CHECK (array_length(VALUE, 1) = 3)
        CREATE TYPE with_three AS (a int, b of_three)
        SELECT (NULL::with_three).b
        SELECT (r).* FROM (SELECT NULL::with_three AS r) s
        """,
    "WITH in a recursive query": """
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
        """,
    "rows of documents, by the rules of domains": """
        CREATE DOMAIN three AS int[] CHECK (array_length(VALUE, 1) = 3)
        CREATE TYPE has_three AS (i int, three three, t text)
        SELECT three FROM json_populate_record(NULL::has_three, '{"three": null}') q
        SELECT three FROM json_populate_record(NULL::has_three, '{"three": 123}') q
        SELECT three FROM json_populate_record(NULL::has_three, '{"three": [1, "2", null, 4]}') q
        SELECT three FROM json_populate_record(NULL::has_three, '{"three": [1, "2", null]}') q
        SELECT * FROM jsonb_populate_record(NULL::has_three, '{"i": 1, "three": [1,2,3], "t": "x"}') q
        SELECT jsonb_populate_record(NULL::has_three, NULL)
        SELECT (json_populate_record(NULL::has_three, js)).* FROM (VALUES ('{"i": 1}'::json), ('{"three": [1,2,4]}')) v(js)
        CREATE TYPE two_ints AS (x int, y int)
        CREATE DOMAIN rising AS two_ints CHECK ((VALUE).x <= (VALUE).y)
        SELECT * FROM json_populate_recordset(NULL::three, '[{"x": 0}]')
        SELECT json_populate_record(NULL::rising, '{"x": 0, "y": 1}'), json_populate_record(ROW(1,2)::rising, '{"x": 0}')
        SELECT json_populate_record(ROW(1,2)::rising, '{"x": 1, "y": 0}')
        SELECT * FROM jsonb_populate_record(NULL::rising, '{"x": 0, "y": 1}')
        SELECT * FROM json_populate_record(NULL::rising, '{"x": 2, "y": 1}')
        SELECT json_populate_recordset(ROW(1,2)::rising, '[{"x": 0}, {"y": 3}]')
        SELECT jsonb_populate_recordset(ROW(1,2)::rising, '[{"x": 1, "y": 0}]')
        SELECT * FROM json_populate_recordset(NULL::rising, '[{"x": 0, "y": 1}, {"x": 3, "y": 5}]')
        """,
    "what functions give back has the precision of its type": """
        CREATE TYPE precise AS (f1 numeric(35,6), f2 numeric(35,2))
        CREATE FUNCTION precise() RETURNS precise AS 'SELECT 7.136178319899999964, 7.136178319899999964' LANGUAGE sql IMMUTABLE
        SELECT precise()
        SELECT * FROM precise()
        CREATE FUNCTION precise_set() RETURNS SETOF precise AS 'SELECT 1, 2 UNION SELECT 3, 4 ORDER BY 1' LANGUAGE sql
        SELECT precise_set()
        SELECT * FROM precise_set()
        CREATE FUNCTION precise_row() RETURNS SETOF precise AS 'SELECT ROW(1.23456789, 2.3456)' LANGUAGE sql
        SELECT * FROM precise_row()
        CREATE FUNCTION precise_last() RETURNS precise AS 'SELECT 1; SELECT 1.234567891, 1.239' LANGUAGE sql
        SELECT * FROM precise_last()
        CREATE TABLE short_of (a varchar(3), b numeric(5,1))
        CREATE FUNCTION short_of(text) RETURNS SETOF short_of AS 'SELECT $1, 1.26' LANGUAGE sql
        SELECT * FROM short_of('abc')
        SELECT * FROM short_of('abcd')
        CREATE FUNCTION indexed(anyarray) RETURNS SETOF record AS 'SELECT i, $1[i] FROM generate_subscripts($1, 1) i' LANGUAGE sql STRICT IMMUTABLE
        SELECT * FROM indexed(ARRAY['one', 'two']) AS t(f1 numeric(4,2), f2 text)
        CREATE FUNCTION voids(a int) RETURNS SETOF void LANGUAGE sql AS 'SELECT generate_series(1, a)' STABLE
        SELECT * FROM voids(3)
        CREATE FUNCTION twice_there(x int) RETURNS int LANGUAGE sql AS 'SELECT x * 2' RETURN x * 3
        CREATE FUNCTION any_of(x anyarray) RETURNS anyelement LANGUAGE sql RETURN x[1]
        """,
    "a chain follows a block": """
        COMMIT AND CHAIN
        ROLLBACK AND CHAIN
        SELECT 1; COMMIT AND CHAIN
        """,
    "names of settings of one's own": """
        SET custom."bad-guc" = 42
        SHOW custom."bad-guc"
        SET special."weird name" = 'foo'
        SET special.fine.too = 'foo'
        SHOW special.fine.too
        SELECT set_config('a.b c', 'x', false)
        """,
    "escapes in paths of documents": r"""
        SELECT '"\u"'::jsonpath
        SELECT '"\u00"'::jsonpath
        SELECT '$."\u000g"'::jsonpath
        SELECT '"\u0000"'::jsonpath
        SELECT '"\ud83d\ud83d"'::jsonpath
        SELECT '$."\ude04\ud83d"'::jsonpath
        SELECT '"\ud83dX"'::jsonpath, '"\ude04X"'::jsonpath
        SELECT '"\ud83d\ude04\ud83d\udc36"'::jsonpath, '$."\u{41}\u{1F600}"'::jsonpath, '"\\u0024 \\u00"'::jsonpath
        SELECT '$."\u{"'::jsonpath
        """,
    "a row that is an error takes no numbers": """
        CREATE TABLE numbered_rows (f1 text, f2 serial, f3 smallserial, f4 smallint)
        INSERT INTO numbered_rows VALUES ('a', DEFAULT, DEFAULT, 1)
        INSERT INTO numbered_rows VALUES ('a', DEFAULT, DEFAULT, 99999)
        INSERT INTO numbered_rows (f1, f4) VALUES ('a', -99999)
        INSERT INTO numbered_rows (f1, f3) VALUES ('a', 88888)
        INSERT INTO numbered_rows (f1, f4) VALUES ('a', 'x')
        INSERT INTO numbered_rows (f1, f4) VALUES ('a', 1), ('b', -99999)
        INSERT INTO numbered_rows (f1, f4) VALUES ('a', 1), ('b', 1 + 99999)
        SELECT nextval('numbered_rows_f2_seq'), nextval('numbered_rows_f3_seq')
        """,
    "what is of a query's groups, and what of its rows": """
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
        """,
    "a deferrable constraint is asked where no other is in the way": """
        CREATE TABLE deferring (a int PRIMARY KEY, b int UNIQUE DEFERRABLE, c int)
        INSERT INTO deferring VALUES (1, 1, 1) ON CONFLICT DO NOTHING
        INSERT INTO deferring VALUES (1, 1, 1)
        INSERT INTO deferring VALUES (1, 2, 1) ON CONFLICT DO NOTHING
        INSERT INTO deferring VALUES (2, 1, 1) ON CONFLICT DO NOTHING
        INSERT INTO deferring VALUES (1, 2, 5) ON CONFLICT (a) DO UPDATE SET c = excluded.c RETURNING *
        INSERT INTO deferring VALUES (1, 2, 5) ON CONFLICT ON CONSTRAINT deferring_b_key DO NOTHING
        INSERT INTO deferring VALUES (1, 2, 5), (NULL, 3, 3) ON CONFLICT DO NOTHING
        """,
    "literals of later rows are told before a conflict of earlier ones": """
        CREATE TABLE conflicting (id int PRIMARY KEY, name text, size int)
        INSERT INTO conflicting VALUES (0, 'a', 1), (1 + 1, 'b', 1), (1 + 1, 'c', 99999999999999999999) ON CONFLICT (id) DO UPDATE SET size = 3
        INSERT INTO conflicting VALUES (0, 'a', 2), (1 + 1, 'b', 1), (1 + 1, 'c', 88888888888888888888) ON CONFLICT (id) DO UPDATE SET size = 3
        INSERT INTO conflicting VALUES (0, 'a', 2), (1 + 1, 'b', 1), (1 + 1, 'c', 8) ON CONFLICT (id) DO UPDATE SET size = 3
        """,
    "numbers become money by a setting": """
        CREATE TABLE in_money (a int, g money GENERATED ALWAYS AS (a::money) STORED)
        CREATE TABLE in_money (g numeric GENERATED ALWAYS AS ('-0.05'::money::numeric) STORED)
        """,
    "values as they are sent in binary": r"""
        SELECT int2send(1::int2), int4send(-2), int8send(3), float4send(1.5), float8send('NaN'), boolsend(true)
        SELECT textsend('aé'), varcharsend('b'), bpcharsend('c'::char(3)), namesend('d'), byteasend('\x01ff'), charsend('x')
        SELECT uuid_send('00000000-0000-0000-0000-000000000002'), numeric_send(12345.678), date_send('2024-02-29'), time_send('12:30'), timetz_send('12:30+02'), timestamp_send('2024-02-29 12:00'), timestamptz_send('2024-02-29 12:00+00'), interval_send('1 mon 2 days 3 sec')
        SELECT json_send('{"a": 1}'), jsonb_send('{"a":1}'), inet_send('10.0.0.1/8'), cidr_send('10.0.0.0/8'), macaddr_send('08:00:2b:01:02:03'), bit_send(B'101'), varbit_send(B'1011'), cash_send(12.34::money), oidsend(42)
        SELECT encode(int8send(g), 'hex'), md5(textsend(g::text)) FROM generate_series(1, 3) g
        CREATE TABLE snd (a int, b numeric, c float4, t text, u uuid, d date, ts timestamptz)
        INSERT INTO snd VALUES (1, 1.50, 2.5, 'x', '00000000-0000-0000-0000-000000000002', '2024-01-01', '2024-01-01 00:00+00'), (2, NULL, NULL, NULL, NULL, NULL, NULL)
        SELECT int4send(a), numeric_send(b), float4send(c), textsend(t), uuid_send(u), date_send(d), timestamptz_send(ts) FROM snd ORDER BY a
        SELECT DISTINCT ON (s.a) int4send(s.a), numeric_send(s.b), float4send(s.c), uuid_send(s.u), timestamptz_send(s.ts) FROM snd s, generate_series(1, 3000) g ORDER BY s.a
        """,
    "rows that tie in a window": """
        CREATE TABLE tying (id int PRIMARY KEY, a int, b text)
        INSERT INTO tying SELECT i, i * 7 % 3, 'v' || i * 5 % 4 FROM generate_series(1, 60) i
        SELECT id, a, row_number() OVER (ORDER BY a), lag(id) OVER (ORDER BY a DESC) FROM tying WHERE id < 11
        SELECT id, row_number() OVER (PARTITION BY b ORDER BY a), first_value(id) OVER (PARTITION BY b ORDER BY a ROWS 1 PRECEDING) FROM tying
        SELECT array_agg(id) OVER (ORDER BY a GROUPS CURRENT ROW) FROM tying WHERE id % 2 = 0
        SELECT id, a FROM (SELECT id, a FROM tying ORDER BY b LIMIT 60) s ORDER BY a
        """,
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_answers_are_postgresqls(sides, name):
    assert differences(sides, SCRIPTS[name]) == []


@pytest.mark.parametrize(
    "sent",
    [
        message(b"Q", b"SELECT '\xff'\0"),
        message(b"P", b"\0SELECT '\xff'\0\0\0") + message(b"S"),
    ],
    ids=["simple", "extended"],
)
def test_text_that_is_not_utf8_is_an_error_of_the_statement(server, sent):
    with RawClient(server) as client:
        client.send(sent)
        answer = client.answer()
        assert answer.sqlstate == "22021"
        assert answer.errors[0]["M"] == 'invalid byte sequence for encoding "UTF8": 0xff'
        assert client.simple("SELECT 1").rows == [("1",)]


def test_what_the_server_says_of_its_version_is_one_story(server):
    with server.root() as root:
        (number,) = root.execute("SHOW server_version").fetchone()
        (words,) = root.execute("SELECT version()").fetchone()
        assert words.split()[1] == number.split()[0]
        assert root.info.server_version == int(
            root.execute("SHOW server_version_num").fetchone()[0]
        )
        assert root.info.parameter_status("server_version") == number
