-- infinity and the dates beyond every timestamp
CREATE TABLE far (id int PRIMARY KEY, d date, n int, t timestamp, z timestamptz, i interval, w text)
INSERT INTO far VALUES (1, '5874897-12-31', 0, 'infinity', 'infinity', '1 mon', 'nowhere'), (2, '4713-11-24 BC', 1, '-infinity', '-infinity', '-1 sec', 'abc'), (3, 'infinity', -5, '290000-01-01', '290000-01-01+00', '0', '5'), (4, '-infinity', 5, '0001-01-01 BC', '0001-01-01+00 BC', '-00:00:01.5', '')
SELECT id, d < t, d <= t, d = t, d >= t, d > t, t < d, t <= d, t >= d, t > d, d < z, d > z, z < d, z > d FROM far ORDER BY id
SELECT id, (d + n)::text, (d - n)::text, (n + d)::text FROM far WHERE id <> 2 ORDER BY id
SELECT a.id, b.id FROM far a JOIN far b ON a.d < b.t ORDER BY 1, 2
SELECT id, date_trunc(w, t)::text, date_trunc(w, z, w)::text, (t AT TIME ZONE w)::text, (z AT TIME ZONE w)::text, timezone(i, t)::text, timezone(i, z)::text FROM far WHERE id <= 2 ORDER BY id
SELECT id, date_bin(i, t, t)::text, date_bin(i, z, z)::text FROM far WHERE id <= 2 ORDER BY id
SELECT id, age(t, '2000-01-01')::text, age('2000-01-01', t)::text FROM far WHERE id <> 2 ORDER BY id
SELECT age(t) FROM far WHERE id = 2
SELECT id, to_json(t), to_json(z), to_jsonb(z), to_json(d) FROM far ORDER BY id
SELECT json_agg(z ORDER BY id), row_to_json(f) FROM far f GROUP BY f ORDER BY f.id
SELECT timezone(i, timetz '12:00+00') FROM far WHERE id = 4
SELECT timezone(i, timestamp '2000-01-01') FROM far WHERE id = 1
SELECT timezone(i, timetz '12:00+00') FROM far WHERE id = 1
SET timezone = 'America/New_York'
SELECT id, d < z, d > z, z < d, z > d, t < z, t > z FROM far ORDER BY id
SELECT timestamp '4713-11-24 00:00 BC' < timestamptz '4713-11-24 12:00+00 BC', date '4713-11-24 BC' > '-infinity'::timestamptz
SET timezone = 'Asia/Tokyo'
SELECT timestamp '4713-11-24 00:00 BC' < timestamptz '4713-11-24 12:00+00 BC', date '4713-11-24 BC' < timestamptz '4713-11-24 12:00+00 BC'
RESET timezone
-- sums that overflow before a NaN comes, and deviations whose squares do
CREATE TABLE sums (id int PRIMARY KEY, x float8, y float8, i interval, a numeric[])
INSERT INTO sums VALUES (1, 1.7e308, 1e200, '1 mon', '{1.0}'), (2, 1.7e308, -1e200, '3 days 04:05:06.789', '{1.00}'), (3, 'NaN', 1, '1 day', '{1}'), (4, 0, 'Infinity', '-1 mon 3 days', '{1.000}')
SELECT sum(x ORDER BY id) FROM sums WHERE id < 3
SELECT var_pop(x ORDER BY id) FROM sums
SELECT stddev(y ORDER BY id) FROM sums
SELECT variance(y ORDER BY id) FROM sums WHERE id > 2
SELECT avg(i) FROM sums
SELECT sum(m ORDER BY n) FROM (VALUES (1, '92233720368547758.07'::money), (2, '1'), (3, '-2')) v(n, m)
SELECT avg(i) OVER (ORDER BY id) FROM sums
SELECT max(a ORDER BY id), min(a ORDER BY id) FROM sums
SELECT float8larger('0', '-0'), float8larger('-0', '0'), float8smaller('0', '-0'), float8smaller('-0', '0'), max(v), min(v) FROM (VALUES (0::float8), ('-0')) v(v)
-- paths that are arrays of several dimensions, or begin elsewhere
CREATE TABLE paths (id int PRIMARY KEY, j jsonb, o json, p text[])
INSERT INTO paths VALUES (1, '[[1, 2], 3]', ' [[1, 2], 3] ', '{{0,1}}'), (2, '[[1, 2], 3]', '[[1, 2], 3]', '[0:1]={0,1}'), (3, '{"a": 1}', '{"a": 1}', '{}'), (4, '["a", "b"]', ' "s" ', '{{a,b},{c,NULL}}'), (5, '[1]', '[1]', '{"0 "}')
SELECT id, j #> p, j #>> p, o #> p, o #>> p, j ?| p, j ?& p, jsonb_extract_path(j, VARIADIC p), json_extract_path(o, VARIADIC p) FROM paths ORDER BY id
SELECT id, j #- p, jsonb_set(j, p, '9'), jsonb_insert(j, p, '9'), j - p FROM paths WHERE id IN (2, 3) ORDER BY id
SELECT j #- p FROM paths WHERE id = 1
SELECT j - p FROM paths WHERE id = 1
SELECT jsonb_set(j, p, '9') FROM paths WHERE id = 4
SELECT jsonb_insert(j, p, '9') FROM paths WHERE id = 5
SELECT json_extract_path(o, p) FROM paths
SELECT jsonb_delete(j, p) FROM paths
SELECT jsonb_delete(j, VARIADIC p), jsonb_delete(j, 'a', 'b') FROM paths WHERE id = 2
SELECT array_fill(id, ARRAY[2, id], '[0:1]={5,6}'), array_fill(id, '[3:4]={1,2}') FROM paths ORDER BY id
-- names of relations as text
CREATE TABLE "Ä b" (id int PRIMARY KEY)
CREATE TABLE Ö (id int PRIMARY KEY)
SELECT '"Ä b"'::regclass, 'Ö'::regclass, 'Ö'::text::regclass, to_regclass('ö')
SELECT '12'::regclass, '-'::regclass, 0::regoper, 0::regoperator
SELECT '12'::text::regclass
SELECT '-'::varchar::regclass
SELECT 'Hello World'::text::regclass
SELECT to_regclass('Hello World')
SELECT ''::text::regclass
SELECT 'a.b.c.d'::text::regclass
SELECT 'nowhere.x'::text::regclass
SELECT to_regclass('nowhere.x'), to_regclass('x')
SELECT to_regnamespace('a b')
SELECT parse_ident('äÖß€.Ä.a$1')
SELECT format_type(25, 31), format_type(1009, 31), format_type(18, 5), format_type(23, 5)
SELECT to_char(n, ''), to_char(n::numeric, ''), to_char('NaN'::float8, '9,99'), to_char('-Infinity'::float8, '099') FROM (VALUES (5)) v(n)
