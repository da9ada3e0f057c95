-- Expressions that need no table: operators, functions, casts, literals.
CREATE TABLE t (
  id int PRIMARY KEY, name text, grp text, amt numeric(12,2), val float8, ts timestamp,
  tstz timestamptz, d date, flag boolean, tags text[], j jsonb, u uuid, b bytea
);
--: CREATE TABLE

INSERT INTO t VALUES
(1, 'Alice', 'a', 10.50, 1.5, '2024-01-15 10:00', '2024-01-15 10:00+00', '2024-01-15', true,
 '{x,y}', '{"k":"v1","n":1}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\x0102'),
(2, 'Bob', 'b', 20.25, 2.5, '2024-02-15 11:30:15.123456', '2024-02-15 11:30+00', '2024-02-15',
 false, '{}', '{"k":"v2","n":2}', 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\xdead'),
(3, 'Carol', 'a', 30.00, 3.5, '2024-01-20 12:00', '2024-01-20 12:00+00', '2024-01-20', true,
 '{x}', '{"k":"v1"}', NULL, NULL),
(4, NULL, 'b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
(5, 'Eve', NULL, 0.01, -1, '2023-12-31 23:59:59', '2023-12-31 23:59:59+00', '2023-12-31', false,
 '{NULL,z}', '{"n":5}', 'c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\x');
--: INSERT 0 5

WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT x, x * x FROM n ORDER BY x;
--: ["x int4", "?column? int4"]
--: ["1", "1"]
--: ["2", "4"]
--: ["3", "9"]
--: ["4", "16"]
--: ["5", "25"]

SELECT 1 AS a UNION SELECT 2.5 UNION SELECT 1 ORDER BY a;
--: ["a numeric"]
--: ["1"]
--: ["2.5"]

VALUES (1, 'a'), (2, NULL), (3, 'c') ORDER BY 1 DESC;
--: ["column1 int4", "column2 text"]
--: ["3", "c"]
--: ["2", null]
--: ["1", "a"]

SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, s) WHERE n > 1;
--: ["n int4", "s text"]
--: ["2", "b"]

SELECT v.column1 FROM (VALUES (1), (NULL), (2.5)) v ORDER BY 1;
--: ["column1 numeric"]
--: ["1"]
--: ["2.5"]
--: [null]

SELECT * FROM generate_series(1, 10, 3);
--: ["generate_series int4"]
--: ["1"]
--: ["4"]
--: ["7"]
--: ["10"]

SELECT * FROM generate_series(5, 1, -2) AS g(x);
--: ["x int4"]
--: ["5"]
--: ["3"]
--: ["1"]

SELECT * FROM generate_series(timestamp '2024-01-01', '2024-01-03', '12 hours');
--: ["generate_series timestamp"]
--: ["2024-01-01 00:00:00"]
--: ["2024-01-01 12:00:00"]
--: ["2024-01-02 00:00:00"]
--: ["2024-01-02 12:00:00"]
--: ["2024-01-03 00:00:00"]

SELECT generate_series(1, 3), 'x';
--: ["generate_series int4", "?column? text"]
--: ["1", "x"]
--: ["2", "x"]
--: ["3", "x"]

SELECT * FROM unnest(ARRAY['x', 'y']) WITH ORDINALITY;
--: ["unnest text", "ordinality int8"]
--: ["x", "1"]
--: ["y", "2"]

SELECT string_to_array('a,b,,c', ','), string_to_array('a,b,,c', ',', ''), array_to_string(ARRAY[1, NULL, 3], ',', '*');
--: ["string_to_array _text", "string_to_array _text", "array_to_string text"]
--: ["{a,b,\"\",c}", "{a,b,NULL,c}", "1,*,3"]

SELECT regexp_split_to_array('a1b22c', '\d+'), regexp_match('foobar', '(o+)(b)'), regexp_replace('abc', '(b)', '[\1]'), regexp_matches('a1b2', '\d', 'g');
--: ["regexp_split_to_array _text", "regexp_match _text", "regexp_replace text", "regexp_matches _text"]
--: ["{a,b,c}", "{oo,b}", "a[b]c", "{1}"]
--: ["{a,b,c}", "{oo,b}", "a[b]c", "{2}"]

SELECT NULL IN (1, 2), 1 IN (1, NULL), 3 IN (1, NULL), NULL = NULL, NULL <> 1, NULL AND false, NULL OR true, NOT NULL::bool;
--: ["?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool"]
--: [null, "t", null, null, null, "f", "t", null]

SELECT 1 WHERE false;
--: ["?column? int4"]

SELECT;
--: []
--: []

SELECT 'abcdef'::varchar(3), 'abc'::char(5) || '|', 'toolong'::char(3);
--: ["varchar varchar", "?column? text", "bpchar bpchar"]
--: ["abc", "abc|", "too"]

SELECT ARRAY[]::int[], '{}'::text[], ARRAY[1, 2.5], ARRAY[[1, 2], [3, 4]], ARRAY['a', NULL];
--: ["array _int4", "text _text", "array _numeric", "array _int4", "array _text"]
--: ["{}", "{}", "{1,2.5}", "{{1,2},{3,4}}", "{a,NULL}"]

SELECT coalesce(1, 2.5), greatest(1, 2.5), CASE WHEN true THEN 1 ELSE 2.5 END, nullif(1, 1.0);
--: ["coalesce numeric", "greatest numeric", "case numeric", "nullif numeric"]
--: ["1", "2.5", "1", null]

SELECT 'select' AS "select", 1 AS "A b", 2 AS "x""y";
--: ["select text", "A b int4", "x\"y int4"]
--: ["select", "1", "2"]

SELECT gcd(12, 18), lcm(4, 6), factorial(5), trunc(-1.5), trunc(-1.5::float8), round(2.5), round(-2.5), round(2.5::float8), round(3.5::float8), ceil(-0.5), sign(-3);
--: ["gcd int4", "lcm int4", "factorial numeric", "trunc numeric", "trunc float8", "round numeric", "round numeric", "round float8", "round float8", "ceil numeric", "sign float8"]
--: ["6", "12", "120", "-1", "-1", "3", "-3", "2", "4", "0", "-1"]

SELECT 7 / 2, -7 / 2, 7 % -3, -7 % 3, 7.0 / 2, 7 / 2.0, 2 ^ 10, 2 ^ -1, |/ 16, ||/ 27, @ -5, 5 # 1, 91 & 15, 32 | 3, ~1, 1 << 4, 8 >> 2;
--: ["?column? int4", "?column? int4", "?column? int4", "?column? int4", "?column? numeric", "?column? numeric", "?column? float8", "?column? float8", "?column? float8", "?column? float8", "?column? int4", "?column? int4", "?column? int4", "?column? int4", "?column? int4", "?column? int4", "?column? int4"]
--: ["3", "-3", "1", "-1", "3.5000000000000000", "3.5000000000000000", "1024", "0.5", "4", "3.0000000000000004", "5", "4", "11", "35", "-2", "16", "2"]

SELECT 0.1 + 0.2, 0.1::float8 + 0.2::float8, 1e20::numeric, 1e-10, 123456789012345678901234567890 * 2, 1.10 + 1, 1.10 * 1.10, 10 / 3.0, 1 / 3::numeric, 2 / 3.0000;
--: ["?column? numeric", "?column? float8", "numeric numeric", "?column? numeric", "?column? numeric", "?column? numeric", "?column? numeric", "?column? numeric", "?column? numeric", "?column? numeric"]
--: ["0.3", "0.30000000000000004", "100000000000000000000", "0.0000000001", "246913578024691357802469135780", "2.10", "1.2100", "3.3333333333333333", "0.33333333333333333333", "0.66666666666666666667"]

SELECT 100::numeric / 3, 1000000 / 7.0, 0.001 / 3, 12345.6789 / 0.0001, 1.5e10 / 3;
--: ["?column? numeric", "?column? numeric", "?column? numeric", "?column? numeric", "?column? numeric"]
--: ["33.3333333333333333", "142857.142857142857", "0.00033333333333333333", "123456789.000000000000", "5000000000.00000000"]

SELECT 9007199254740993::float8, 1e15::float8, 1e16::float8, 123456.789::float4, 0.1::float4::float8, 1.0::float8, 100000000000000000000::float8, -0.0::float8;
--: ["float8 float8", "float8 float8", "float8 float8", "float4 float4", "float8 float8", "float8 float8", "float8 float8", "?column? float8"]
--: ["9.007199254740992e+15", "1e+15", "1e+16", "123456.79", "0.10000000149011612", "1", "1e+20", "-0"]

SELECT upper('straße'), lower('ÀÉ'), initcap('hello wORLD-foo'), length('日本語'), octet_length('日本語'), char_length('e'), reverse('abc'), repeat('ab', 3), left('abc', -1), right('abc', -1), lpad('x', 3, 'ab'), rpad('xyz', 2);
--: ["upper text", "lower text", "initcap text", "length int4", "octet_length int4", "char_length int4", "reverse text", "repeat text", "left text", "right text", "lpad text", "rpad text"]
--: ["STRAßE", "àé", "Hello World-Foo", "3", "9", "1", "cba", "ababab", "ab", "bc", "abx", "xy"]

SELECT substring('hello' from 2), substring('hello' for 2), substring('hello' from 2 for 2), substring('hello' from '[a-h]'), substr('hello', -1, 4), substr('hello', 0), position('l' in 'hello'), strpos('hello', 'z'), overlay('abcdef' placing 'zz' from 2);
--: ["substring text", "substring text", "substring text", "substring text", "substr text", "substr text", "position int4", "strpos int4", "overlay text"]
--: ["ello", "he", "el", "h", "he", "hello", "3", "0", "azzdef"]

SELECT trim('  a '), trim(both 'x' from 'xax'), trim(leading from ' a'), trim(trailing 'a' from 'baa'), ltrim('xxa', 'x'), rtrim('axx', 'x'), btrim('xyaxy', 'yx');
--: ["btrim text", "btrim text", "ltrim text", "rtrim text", "ltrim text", "rtrim text", "btrim text"]
--: ["a", "a", "a", "b", "a", "a", "a"]

SELECT split_part('a,b,c', ',', 2), split_part('a,b,c', ',', -1), split_part('abc', ',', 5), translate('12345', '143', 'ax'), replace('aaa', 'a', 'bb'), concat('a', NULL, 1, true), concat_ws(',', 'a', NULL, 'b'), format('%s-%I-%L', 'a', 'b c', 'd''e');
--: ["split_part text", "split_part text", "split_part text", "translate text", "replace text", "concat text", "concat_ws text", "format text"]
--: ["b", "c", "", "a2x5", "bbbbbb", "a1t", "a,b", "a-\"b c\"-'d''e'"]

SELECT md5('x'), encode(sha256('x'), 'hex'), encode('abc'::bytea, 'base64'), decode('YWJj', 'base64'), encode('\x01ff', 'escape'), to_hex(255), ascii('é'), chr(233);
--: ["md5 text", "encode text", "encode text", "decode bytea", "encode text", "to_hex text", "ascii int4", "chr text"]
--: ["9dd4e461268c8034f5c8564e155c67a6", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", "YWJj", "\\x616263", "\u0001\\377", "ff", "233", "é"]

SELECT 'abc' < 'abd', 'a' < 'B', 'Z' < 'a', '' < 'a', 'a' || NULL, 'a' LIKE 'A', 'a_c' LIKE 'a\_c', 'abc' LIKE 'a%c', 'a' ILIKE 'A', 'ab' LIKE 'a', '100%' LIKE '100\%';
--: ["?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? text", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool"]
--: ["t", "f", "t", "t", null, "f", "t", "t", "t", "f", "t"]

SELECT date '2024-01-31' + interval '1 month', date '2024-03-31' - interval '1 month', date '2024-02-29' + 365, date '2024-03-01' - date '2024-02-01', timestamp '2024-01-01' - interval '1 second', time '10:00' + interval '15 hours', interval '1 day' * 1.5, interval '1 hour' / 4, -interval '1 day', interval '1 year' + interval '1 month';
--: ["?column? timestamp", "?column? timestamp", "?column? date", "?column? int4", "?column? timestamp", "?column? time", "?column? interval", "?column? interval", "?column? interval", "?column? interval"]
--: ["2024-02-29 00:00:00", "2024-02-29 00:00:00", "2025-02-28", "29", "2023-12-31 23:59:59", "01:00:00", "1 day 12:00:00", "00:15:00", "-1 days", "1 year 1 mon"]

SELECT age(timestamp '2024-03-01', timestamp '2023-01-15'), age(date '2024-01-01', date '2024-02-01'), extract(epoch from interval '1 day'), extract(day from interval '40 days'), extract(month from interval '14 months'), extract(millennium from date '2024-01-01'), extract(isodow from date '2024-03-03'), extract(isoyear from date '2024-12-30'), extract(decade from date '2024-01-01'), extract(century from date '2000-01-01');
--: ["age interval", "age interval", "extract numeric", "extract numeric", "extract numeric", "extract numeric", "extract numeric", "extract numeric", "extract numeric", "extract numeric"]
--: ["1 year 1 mon 17 days", "-1 mons", "86400.000000", "40", "2", "3", "7", "2025", "202", "20"]

SELECT extract(second from timestamp '2024-01-01 00:00:01.5'), extract(milliseconds from time '00:00:01.5'), extract(microseconds from time '00:00:01.5'), extract(julian from date '2024-01-01'), extract(timezone from timestamptz '2024-01-01 00:00+02'), date_part('epoch', timestamp '1970-01-02');
--: ["extract numeric", "extract numeric", "extract numeric", "extract numeric", "extract numeric", "date_part float8"]
--: ["1.500000", "1500.000", "1500000", "2460311", "0", "86400"]

SELECT date_trunc('quarter', timestamp '2024-05-17 10:20:30'), date_trunc('year', date '2024-05-17'), date_trunc('minute', timestamptz '2024-05-17 10:20:30+00'), date_trunc('day', interval '1 day 5 hours'), date_bin('15 minutes', timestamp '2024-01-01 10:20', timestamp '2024-01-01'), date_trunc('century', timestamp '2024-01-01');
--: ["date_trunc timestamp", "date_trunc timestamptz", "date_trunc timestamptz", "date_trunc interval", "date_bin timestamp", "date_trunc timestamp"]
--: ["2024-04-01 00:00:00", "2024-01-01 00:00:00+00", "2024-05-17 10:20:00+00", "1 day", "2024-01-01 10:15:00", "2001-01-01 00:00:00"]

SELECT make_date(2024, 2, 29), make_time(1, 2, 3.5), make_timestamp(2024, 1, 2, 3, 4, 5), make_timestamptz(2024, 1, 2, 3, 4, 5, 'UTC'), timestamp '2024-01-01' at time zone 'Europe/Paris', timestamptz '2024-07-01 00:00+00' at time zone 'Europe/Paris', isfinite(date 'infinity');
--: ["make_date date", "make_time time", "make_timestamp timestamp", "make_timestamptz timestamptz", "timezone timestamptz", "timezone timestamp", "isfinite bool"]
--: ["2024-02-29", "01:02:03.5", "2024-01-02 03:04:05", "2024-01-02 03:04:05+00", "2023-12-31 23:00:00+00", "2024-07-01 02:00:00", "f"]

SELECT timestamptz '2024-01-01 12:00+05:30', timestamptz '2024-01-01 12:00 America/New_York', timestamp '2024-01-01T10:00:00', date 'Jan 5 2024', date '5/1/2024', time '10:30 PM', timestamp '2024-01-01 24:00', date '2024-060';
--: ["timestamptz timestamptz", "timestamptz timestamptz", "timestamp timestamp", "date date", "date date", "time time", "timestamp timestamp", "date date"]
--: ["2024-01-01 06:30:00+00", "2024-01-01 17:00:00+00", "2024-01-01 10:00:00", "2024-01-05", "2024-05-01", "22:30:00", "2024-01-02 00:00:00", "2024-02-29"]

SELECT generate_series(date '2024-01-01', date '2024-01-03', interval '1 day');
--: ["generate_series timestamptz"]
--: ["2024-01-01 00:00:00+00"]
--: ["2024-01-02 00:00:00+00"]
--: ["2024-01-03 00:00:00+00"]

SELECT ARRAY[1,2,3] @> ARRAY[2], ARRAY[1] <@ ARRAY[1,2], ARRAY[1] && ARRAY[2], ARRAY[1,2] = ARRAY[1,2], ARRAY[1,2] < ARRAY[1,3], ARRAY[1,NULL] = ARRAY[1,NULL], 1 = ANY(ARRAY[1,2]), 3 > ALL(ARRAY[1,2]), (ARRAY[1,2,3])[2], (ARRAY[1,2,3])[5], ARRAY(SELECT 1), trim_array(ARRAY[1,2,3], 1);
--: ["?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "array int4", "array int4", "array _int4", "trim_array _int4"]
--: ["t", "t", "f", "t", "t", "t", "t", "t", "2", null, "{1}", "{1,2}"]

SELECT '{"a":1,"b":[1,2,{"c":3}]}'::jsonb #> '{b,2,c}', '{"a":1}'::jsonb->'x', '[1,2]'::jsonb->0, '[1,2]'::jsonb->-1, '{"a":"x"}'::json->>'a', '{"a":{"b":1}}'::jsonb @> '{"a":{}}', '[1,2]'::jsonb @> '1', '{"a":1}'::jsonb || '{"b":2}', '[1]'::jsonb || '2', '{"a":1,"b":2}'::jsonb - 'a', '[1,2,3]'::jsonb - 1, '{"a":{"b":1}}'::jsonb #- '{a,b}';
--: ["?column? jsonb", "?column? jsonb", "?column? jsonb", "?column? jsonb", "?column? text", "?column? bool", "?column? bool", "?column? jsonb", "?column? jsonb", "?column? jsonb", "?column? jsonb", "?column? jsonb"]
--: ["3", null, "1", "2", "x", "t", "t", "{\"a\": 1, \"b\": 2}", "[1, 2]", "{\"b\": 2}", "[1, 3]", "{\"a\": {}}"]

SELECT * FROM jsonb_each('{"a":1,"b":"x"}');
--: ["key text", "value jsonb"]
--: ["a", "1"]
--: ["b", "\"x\""]

SELECT * FROM jsonb_array_elements('[1,"a",null]');
--: ["value jsonb"]
--: ["1"]
--: ["\"a\""]
--: ["null"]

SELECT * FROM jsonb_array_elements_text('[1,"a",null]');
--: ["value text"]
--: ["1"]
--: ["a"]
--: [null]

SELECT * FROM json_object_keys('{"b":1,"a":2}');
--: ["json_object_keys text"]
--: ["b"]
--: ["a"]

SELECT jsonb_agg(x) FROM (VALUES (1), (NULL), (3)) v(x);
--: ["jsonb_agg jsonb"]
--: ["[1, null, 3]"]

SELECT '{"b":1,"a":1,"b":2}'::jsonb, '{"b":1,"a":1,"b":2}'::json, '1.0'::jsonb, '1e2'::jsonb, '"\u00e9"'::jsonb, ' [ 1 , 2 ] '::jsonb, '{"a" : 1}'::jsonb = '{"a":1}';
--: ["jsonb jsonb", "json json", "jsonb jsonb", "jsonb jsonb", "jsonb jsonb", "jsonb jsonb", "?column? bool"]
--: ["{\"a\": 1, \"b\": 2}", "{\"b\":1,\"a\":1,\"b\":2}", "1.0", "100", "\"é\"", "[1, 2]", "t"]

SELECT '1'::jsonb < '2', '[]'::jsonb < '{}', '"a"'::jsonb::text, '1'::jsonb::int, 'true'::jsonb::bool, '"x"'::jsonb #>> '{}', '1.5'::jsonb::numeric;
--: ["?column? bool", "?column? bool", "text text", "int4 int4", "bool bool", "?column? text", "numeric numeric"]
--: ["t", "t", "\"a\"", "1", "t", "x", "1.5"]

SELECT '\x00ff'::bytea, 'abc'::bytea, E'\\\\x41'::bytea, length('\x0102'::bytea), '\x01'::bytea || '\x02', substring('\x010203'::bytea from 2 for 1), get_byte('\x0102', 1), set_byte('\x0102', 0, 255), position('\x02'::bytea in '\x0102'), md5('\x01'::bytea);
--: ["bytea bytea", "bytea bytea", "bytea bytea", "length int4", "?column? bytea", "substring bytea", "get_byte int4", "set_byte bytea", "position int4", "md5 text"]
--: ["\\x00ff", "\\x616263", "\\x5c783431", "2", "\\x0102", "\\x02", "2", "\\xff02", "2", "55a54008ad1ba589aa210d2629c1df41"]

SELECT coalesce(NULL, 2), coalesce(NULL::text, 'x'), nullif('a', 'b'), greatest('a', 'b'), least(1, NULL), num_nulls(1, NULL), num_nonnulls(1, NULL);
--: ["coalesce int4", "coalesce text", "nullif text", "greatest text", "least int4", "num_nulls int4", "num_nonnulls int4"]
--: ["2", "x", "a", "b", "1", "1", "1"]

SELECT CASE 1 WHEN 1 THEN 'a' END, CASE WHEN NULL THEN 1 ELSE 2 END, CASE WHEN 1 = 0 THEN 1 / 0 ELSE 0 END;
--: ["case text", "case int4", "case int4"]
--: ["a", "2", "0"]

SELECT true AND NULL, false OR NULL, NOT NULL::bool, NULL IS NULL, NULL IS NOT DISTINCT FROM NULL, 1 IS DISTINCT FROM NULL, true IS UNKNOWN, NULL::bool IS NOT TRUE, (1, NULL) IS NULL, ROW(NULL, NULL) IS NULL, (1, 2) = (1, 2), (1, 2) < (1, 3);
--: ["?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool"]
--: [null, null, null, "t", "t", "t", "f", "t", "f", "t", "t", "t"]

SELECT 5.5::int, 6.5::int, -5.5::int, 5.5::float8::int, 6.5::float8::int, 1e10::bigint, 32767.4::int2;
--: ["int4 int4", "int4 int4", "?column? int4", "int4 int4", "int4 int4", "int8 int8", "int2 int2"]
--: ["6", "7", "-6", "6", "6", "10000000000", "32767"]

WITH x(a, b) AS (VALUES (1, 'p'), (2, 'q')) SELECT b FROM x WHERE a = 2;
--: ["b text"]
--: ["q"]

WITH x AS MATERIALIZED (SELECT 1 AS n), y AS NOT MATERIALIZED (SELECT n + 1 AS n FROM x) SELECT * FROM y;
--: ["n int4"]
--: ["2"]

WITH RECURSIVE fib(a, b) AS (SELECT 0, 1 UNION ALL SELECT b, a + b FROM fib WHERE b < 50) SELECT a FROM fib ORDER BY a;
--: ["a int4"]
--: ["0"]
--: ["1"]
--: ["1"]
--: ["2"]
--: ["3"]
--: ["5"]
--: ["8"]
--: ["13"]
--: ["21"]
--: ["34"]

WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT (n % 3) + 1 FROM r) SELECT * FROM r ORDER BY n;
--: ["n int4"]
--: ["1"]
--: ["2"]
--: ["3"]

SELECT 1 UNION ALL SELECT 1 INTERSECT SELECT 2;
--: ["?column? int4"]
--: ["1"]

SELECT NULL UNION SELECT 1 ORDER BY 1;
--: ["?column? int4"]
--: ["1"]
--: [null]

SELECT 1::numeric(10,2), 'x'::char, 'x'::"char", 'abc'::name, 1::oid, 'a'::varchar, null, array[null];
--: ["numeric numeric", "bpchar bpchar", "char char", "name name", "oid oid", "varchar varchar", "?column? text", "array _text"]
--: ["1.00", "x", "x", "abc", "1", "a", null, "{NULL}"]

SELECT 1 AS a, 2 AS a;
--: ["a int4", "a int4"]
--: ["1", "2"]

SELECT 1 = 1.0, 1 = '1', '1' = 1, 1.0::float8 = 1, 'a' = 'a '::char(3), date '2024-01-01' = timestamp '2024-01-01', 1 < '2';
--: ["?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool"]
--: ["t", "t", "t", "t", "t", "t", "t"]

SELECT bit_length('abc'), length(''), '' = ' ', 'a'::char(3) = 'a', length('a  '::char(3)), 'a'::char(3) || 'b';
--: ["bit_length int4", "length int4", "?column? bool", "?column? bool", "length int4", "?column? text"]
--: ["24", "0", "f", "t", "1", "ab"]

SELECT -2147483648, - -5, +5, 2147483648, -9223372036854775808, 9223372036854775808;
--: ["?column? int4", "?column? int4", "?column? int4", "?column? int8", "?column? int8", "?column? numeric"]
--: ["-2147483648", "5", "5", "2147483648", "-9223372036854775808", "9223372036854775808"]

SELECT typname FROM pg_type WHERE oid = 23;
--: ["typname name"]
--: ["int4"]
