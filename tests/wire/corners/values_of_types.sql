-- a row of NULLs is a value
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

-- sizes for people
SELECT pg_size_pretty(11258449312612351), pg_size_pretty(-11258449312612351), pg_size_pretty(11258449312612352), pg_size_pretty(9223372036854775807)
SELECT pg_size_pretty(v) FROM (VALUES (1e15::numeric), (-1.5), (1536.5), (10239.999), (10240.0), (1e20), ('NaN'), ('-Infinity')) x(v)

-- casts of arrays to domains, and lengths within arrays
CREATE DOMAIN ordered_pair AS int[] CHECK (VALUE[1] < VALUE[2])
SELECT ARRAY[1, 2]::ordered_pair
SELECT ARRAY[2, 1]::ordered_pair
SELECT CAST(ARRAY[2, 1] AS ordered_pair)
SELECT (ARRAY['2', '1'])::ordered_pair
SELECT ARRAY[i, 5]::ordered_pair FROM generate_series(4, 5) i
SELECT ARRAY['abc']::varchar(2)[], ARRAY['abc', 'd']::char(2)[], ARRAY[1.234, NULL]::numeric(4,1)[], ARRAY[ARRAY['abc']]::varchar(2)[]

-- networks
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

-- ranges
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

-- assignment to elements
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

-- what functions give has no length
CREATE TABLE sized (id int PRIMARY KEY, v varchar(6), n numeric(6,2), c char(4))
INSERT INTO sized VALUES (1, 'abcdef', 12.34, 'x')
CREATE FUNCTION sized_rows() RETURNS TABLE (v varchar(2), n numeric(3,1)) LANGUAGE sql STABLE AS 'SELECT v, n FROM sized'
CREATE FUNCTION sized_set() RETURNS SETOF varchar(3) LANGUAGE sql STABLE AS 'SELECT v FROM sized'
CREATE FUNCTION sized_char() RETURNS char(2) LANGUAGE sql STABLE AS 'SELECT c FROM sized'
CREATE FUNCTION sized_cast(n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT n::numeric(6,1)'
CREATE TABLE sizes AS SELECT *, sized_char() AS one, sized_cast(n) AS cast FROM sized_rows(), sized_set() AS s
SELECT attname, atttypmod FROM pg_attribute WHERE attrelid = 'sizes'::regclass AND attnum > 0 ORDER BY attnum
SELECT * FROM sizes

-- a record of a query is no composite value
CREATE TYPE duo AS (a int, b text)
CREATE TABLE duos (id int PRIMARY KEY, d duo)
INSERT INTO duos SELECT 1, row(1, 'x')
INSERT INTO duos SELECT 1, r FROM (SELECT row(1, 'x') AS r) s
INSERT INTO duos SELECT 1, row(1, 'x')::duo
INSERT INTO duos VALUES (2, row(2, 'y')), (3, (3, 'z'))
UPDATE duos SET d = (SELECT row(1, 'x'))
SELECT * FROM duos ORDER BY id

-- rows as values in what is kept
CREATE TYPE couple AS (a int, b text)
CREATE TABLE couples (id int PRIMARY KEY, n int, g bool GENERATED ALWAYS AS (ROW(97, 'ab')::couple < ROW(n, 'z')::couple) STORED, m int GENERATED ALWAYS AS (num_nulls(VARIADIC ARRAY[n, NULL])) STORED)
INSERT INTO couples (id, n) VALUES (1, 1), (2, NULL), (3, 300) RETURNING *
UPDATE couples SET n = NULL WHERE id = 1 RETURNING *

-- networks in short
SELECT c, abbrev(c::cidr) FROM unnest('{::/0,2001:db8::/32,2001:db8::/48,2001:db8:0:1::/64,::ffff:0:0/96,1:0:3:0:0:0:7::/112,0:0:3:4:5::/112,::1.2.3.4/128,fe80::/10}'::text[]) c

-- a field of a domain is its base to clients
CREATE DOMAIN of_three AS int[] CHECK (array_length(VALUE, 1) = 3)
CREATE TYPE with_three AS (a int, b of_three)
SELECT (NULL::with_three).b
SELECT (r).* FROM (SELECT NULL::with_three AS r) s

-- what functions give back has the precision of its type
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

-- numbers become money by a setting
CREATE TABLE in_money (a int, g money GENERATED ALWAYS AS (a::money) STORED)
CREATE TABLE in_money (g numeric GENERATED ALWAYS AS ('-0.05'::money::numeric) STORED)

-- values as they are sent in binary
SELECT int2send(1::int2), int4send(-2), int8send(3), float4send(1.5), float8send('NaN'), boolsend(true)
SELECT textsend('aé'), varcharsend('b'), bpcharsend('c'::char(3)), namesend('d'), byteasend('\x01ff'), charsend('x')
SELECT uuid_send('00000000-0000-0000-0000-000000000002'), numeric_send(12345.678), date_send('2024-02-29'), time_send('12:30'), timetz_send('12:30+02'), timestamp_send('2024-02-29 12:00'), timestamptz_send('2024-02-29 12:00+00'), interval_send('1 mon 2 days 3 sec')
SELECT json_send('{"a": 1}'), jsonb_send('{"a":1}'), inet_send('10.0.0.1/8'), cidr_send('10.0.0.0/8'), macaddr_send('08:00:2b:01:02:03'), bit_send(B'101'), varbit_send(B'1011'), cash_send(12.34::money), oidsend(42)
SELECT encode(int8send(g), 'hex'), md5(textsend(g::text)) FROM generate_series(1, 3) g
CREATE TABLE snd (a int, b numeric, c float4, t text, u uuid, d date, ts timestamptz)
INSERT INTO snd VALUES (1, 1.50, 2.5, 'x', '00000000-0000-0000-0000-000000000002', '2024-01-01', '2024-01-01 00:00+00'), (2, NULL, NULL, NULL, NULL, NULL, NULL)
SELECT int4send(a), numeric_send(b), float4send(c), textsend(t), uuid_send(u), date_send(d), timestamptz_send(ts) FROM snd ORDER BY a
SELECT DISTINCT ON (s.a) int4send(s.a), numeric_send(s.b), float4send(s.c), uuid_send(s.u), timestamptz_send(s.ts) FROM snd s, generate_series(1, 3000) g ORDER BY s.a

-- tableoid
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
-- numbers of very many digits
SELECT format('%' || repeat('9', 5000) || '$s', 1)
SELECT format('%' || repeat('9', 5000) || 's', 1)
SELECT format('%*' || repeat('9', 5000) || '$s', 1)
SELECT format('%*s', repeat('9', 5000), 1)
SELECT (repeat('9', 5000) || '.0.0.0')::inet
SELECT ('(' || repeat('9', 5000) || ',1)')::tid
SELECT split_part('a', 'b', 1), to_timestamp('2000' || repeat('9', 5000), 'YYYY')
SELECT to_timestamp(repeat('0', 5000) || '2000', 'YYYY')
SELECT to_timestamp('-' || repeat('1', 5000), 'YYYY')
SELECT to_date(repeat('1', 5000), 'J')
SELECT to_timestamp(repeat('1', 5000), 'SSSSS')
SELECT to_timestamp('1 ' || repeat('1', 5000), 'D MS')
SELECT '$.**{99999999999}'::jsonpath
SELECT '$.**{2147483648}'::jsonpath
SELECT ('$.**{' || repeat('9', 5000) || '}')::jsonpath
SELECT format('%*s|', 5, 'a'), format('%*s|', -5, 'a'), format('%-*2$s|', 'a', 5), format('%*s|', NULL, 'a'), format('%3$*2$s|', 1, 6, 'x')
SELECT format('%*s|', 'x', 'a')
SELECT format('%*s|', 5000000000, 'a')
SELECT format('%*s|', '7', 'a')
SELECT format('%٣$s|', 'a', 'b', 'c')
SELECT format('%5.5s|', 'a')
SELECT format('%00005s|', 'a')
SELECT format('%0$s|', 'a')
SELECT format('%*0$s|', 'a')
SELECT format('%2147483648$s', 'a')
SELECT ('(' || repeat('0', 5000) || '7,1)')::tid, '(4294967295,65535)'::tid
SELECT '(4294967296,1)'::tid
