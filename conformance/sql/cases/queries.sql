-- Queries over one table: filters, joins, groups, windows, subqueries, set operations.
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

SELECT id, name FROM t WHERE name IS DISTINCT FROM 'Bob' ORDER BY id;
--: ["id int4", "name text"]
--: ["1", "Alice"]
--: ["3", "Carol"]
--: ["4", null]
--: ["5", "Eve"]

SELECT id FROM t WHERE NOT (flag) ORDER BY id;
--: ["id int4"]
--: ["2"]
--: ["5"]

SELECT id FROM t WHERE flag IS NOT TRUE ORDER BY id;
--: ["id int4"]
--: ["2"]
--: ["4"]
--: ["5"]

SELECT id FROM t WHERE amt BETWEEN 10 AND 25 ORDER BY id;
--: ["id int4"]
--: ["1"]
--: ["2"]

SELECT id FROM t WHERE amt NOT BETWEEN SYMMETRIC 25 AND 10 ORDER BY id;
--: ["id int4"]
--: ["3"]
--: ["5"]

SELECT id FROM t WHERE d BETWEEN '2024-01-01' AND '2024-01-31' ORDER BY id;
--: ["id int4"]
--: ["1"]
--: ["3"]

SELECT id FROM t WHERE ts >= '2024-01-20' ORDER BY id;
--: ["id int4"]
--: ["2"]
--: ["3"]

SELECT id FROM t WHERE ts::date = '2024-01-15';
--: ["id int4"]
--: ["1"]

SELECT id, d - date '2024-01-01' AS days FROM t ORDER BY id;
--: ["id int4", "days int4"]
--: ["1", "14"]
--: ["2", "45"]
--: ["3", "19"]
--: ["4", null]
--: ["5", "-1"]

SELECT id, ts - timestamp '2024-01-01' FROM t ORDER BY id;
--: ["id int4", "?column? interval"]
--: ["1", "14 days 10:00:00"]
--: ["2", "45 days 11:30:15.123456"]
--: ["3", "19 days 12:00:00"]
--: ["4", null]
--: ["5", "-00:00:01"]

SELECT id, age(timestamp '2024-06-01', ts) FROM t ORDER BY id;
--: ["id int4", "age interval"]
--: ["1", "4 mons 16 days 14:00:00"]
--: ["2", "3 mons 14 days 12:29:44.876544"]
--: ["3", "4 mons 11 days 12:00:00"]
--: ["4", null]
--: ["5", "5 mons 00:00:01"]

SELECT id, d + 7, d + interval '1 month', ts + interval '1 day 2 hours' FROM t ORDER BY id;
--: ["id int4", "?column? date", "?column? timestamp", "?column? timestamp"]
--: ["1", "2024-01-22", "2024-02-15 00:00:00", "2024-01-16 12:00:00"]
--: ["2", "2024-02-22", "2024-03-15 00:00:00", "2024-02-16 13:30:15.123456"]
--: ["3", "2024-01-27", "2024-02-20 00:00:00", "2024-01-21 14:00:00"]
--: ["4", null, null, null]
--: ["5", "2024-01-07", "2024-01-31 00:00:00", "2024-01-02 01:59:59"]

SELECT id, extract(epoch from ts), extract(dow from d), extract(week from d), extract(doy from d), extract(quarter from ts) FROM t ORDER BY id;
--: ["id int4", "extract numeric", "extract numeric", "extract numeric", "extract numeric", "extract numeric"]
--: ["1", "1705312800.000000", "1", "3", "15", "1"]
--: ["2", "1707996615.123456", "4", "7", "46", "1"]
--: ["3", "1705752000.000000", "6", "3", "20", "1"]
--: ["4", null, null, null, null, null]
--: ["5", "1704067199.000000", "0", "52", "365", "4"]

SELECT id, date_part('year', d), date_part('month', ts), date_part('second', ts) FROM t ORDER BY id;
--: ["id int4", "date_part float8", "date_part float8", "date_part float8"]
--: ["1", "2024", "1", "0"]
--: ["2", "2024", "2", "15.123456"]
--: ["3", "2024", "1", "0"]
--: ["4", null, null, null]
--: ["5", "2023", "12", "59"]

SELECT id, date_trunc('month', ts), date_trunc('week', d), date_trunc('hour', tstz) FROM t ORDER BY id;
--: ["id int4", "date_trunc timestamp", "date_trunc timestamptz", "date_trunc timestamptz"]
--: ["1", "2024-01-01 00:00:00", "2024-01-15 00:00:00+00", "2024-01-15 10:00:00+00"]
--: ["2", "2024-02-01 00:00:00", "2024-02-12 00:00:00+00", "2024-02-15 11:00:00+00"]
--: ["3", "2024-01-01 00:00:00", "2024-01-15 00:00:00+00", "2024-01-20 12:00:00+00"]
--: ["4", null, null, null]
--: ["5", "2023-12-01 00:00:00", "2023-12-25 00:00:00+00", "2023-12-31 23:00:00+00"]

SELECT id, to_char(ts, 'DD Mon YYYY HH12:MI:SS AM'), to_char(d, 'Day, FMMonth DDth'), to_char(tstz, 'IYYY-IW-ID TZ') FROM t ORDER BY id;
--: ["id int4", "to_char text", "to_char text", "to_char text"]
--: ["1", "15 Jan 2024 10:00:00 AM", "Monday   , January 15th", "2024-03-1 UTC"]
--: ["2", "15 Feb 2024 11:30:15 AM", "Thursday , February 15th", "2024-07-4 UTC"]
--: ["3", "20 Jan 2024 12:00:00 PM", "Saturday , January 20th", "2024-03-6 UTC"]
--: ["4", null, null, null]
--: ["5", "31 Dec 2023 11:59:59 PM", "Sunday   , December 31st", "2023-52-7 UTC"]

SELECT id, amt * 1.1, amt / 3, amt % 7, -amt, @ amt, round(amt), trunc(amt, 1), ceil(amt), floor(amt) FROM t ORDER BY id;
--: ["id int4", "?column? numeric", "?column? numeric", "?column? numeric", "?column? numeric", "?column? numeric", "round numeric", "trunc numeric", "ceil numeric", "floor numeric"]
--: ["1", "11.550", "3.5000000000000000", "3.50", "-10.50", "10.50", "11", "10.5", "11", "10"]
--: ["2", "22.275", "6.7500000000000000", "6.25", "-20.25", "20.25", "20", "20.2", "21", "20"]
--: ["3", "33.000", "10.0000000000000000", "2.00", "-30.00", "30.00", "30", "30.0", "30", "30"]
--: ["4", null, null, null, null, null, null, null, null, null]
--: ["5", "0.011", "0.00333333333333333333", "0.01", "-0.01", "0.01", "0", "0.0", "1", "0"]

SELECT id, val * 2, val / 3, val ^ 2, sqrt(abs(val)), cbrt(val), exp(val), sign(val), round(val), trunc(val::numeric, 0) FROM t ORDER BY id;
--: ["id int4", "?column? float8", "?column? float8", "?column? float8", "sqrt float8", "cbrt float8", "exp float8", "sign float8", "round float8", "trunc numeric"]
--: ["1", "3", "0.5", "2.25", "1.224744871391589", "1.1447142425533317", "4.4816890703380645", "1", "2", "1"]
--: ["2", "5", "0.8333333333333334", "6.25", "1.5811388300841898", "1.3572088082974532", "12.182493960703473", "1", "2", "2"]
--: ["3", "7", "1.1666666666666667", "12.25", "1.8708286933869707", "1.5182944859378316", "33.11545195869231", "1", "4", "3"]
--: ["4", null, null, null, null, null, null, null, null, null]
--: ["5", "-2", "-0.3333333333333333", "1", "1", "-1", "0.36787944117144233", "-1", "-1", "-1"]

SELECT id, id / 2, id % 2, id * 1.0 / 2, id::float8 / 2, -id, id & 1, id | 4, id # 3, ~id, id << 2, id >> 1 FROM t ORDER BY id;
--: ["id int4", "?column? int4", "?column? int4", "?column? numeric", "?column? float8", "?column? int4", "?column? int4", "?column? int4", "?column? int4", "?column? int4", "?column? int4", "?column? int4"]
--: ["1", "0", "1", "0.50000000000000000000", "0.5", "-1", "1", "5", "2", "-2", "4", "0"]
--: ["2", "1", "0", "1.00000000000000000000", "1", "-2", "0", "6", "1", "-3", "8", "1"]
--: ["3", "1", "1", "1.5000000000000000", "1.5", "-3", "1", "7", "0", "-4", "12", "1"]
--: ["4", "2", "0", "2.0000000000000000", "2", "-4", "0", "4", "7", "-5", "16", "2"]
--: ["5", "2", "1", "2.5000000000000000", "2.5", "-5", "1", "5", "6", "-6", "20", "2"]

SELECT id, name || ' ' || coalesce(grp, '?'), concat(name, '-', grp, id), concat_ws('/', name, grp, id) FROM t ORDER BY id;
--: ["id int4", "?column? text", "concat text", "concat_ws text"]
--: ["1", "Alice a", "Alice-a1", "Alice/a/1"]
--: ["2", "Bob b", "Bob-b2", "Bob/b/2"]
--: ["3", "Carol a", "Carol-a3", "Carol/a/3"]
--: ["4", null, "-b4", "b/4"]
--: ["5", "Eve ?", "Eve-5", "Eve/5"]

SELECT id, lower(name), upper(name), length(name), substr(name, 2, 2), lpad(name, 7, '*'), rpad(name, 3), ltrim(name, 'A'), btrim(name, 'e'), repeat(grp, 3) FROM t ORDER BY id;
--: ["id int4", "lower text", "upper text", "length int4", "substr text", "lpad text", "rpad text", "ltrim text", "btrim text", "repeat text"]
--: ["1", "alice", "ALICE", "5", "li", "**Alice", "Ali", "lice", "Alic", "aaa"]
--: ["2", "bob", "BOB", "3", "ob", "****Bob", "Bob", "Bob", "Bob", "bbb"]
--: ["3", "carol", "CAROL", "5", "ar", "**Carol", "Car", "Carol", "Carol", "aaa"]
--: ["4", null, null, null, null, null, null, null, null, "bbb"]
--: ["5", "eve", "EVE", "3", "ve", "****Eve", "Eve", "Eve", "Ev", null]

SELECT id, translate(name, 'ae', 'AE'), overlay(name placing 'XX' from 2 for 1), position('o' in name), starts_with(name, 'C'), ascii(name), chr(64 + id), quote_literal(name), quote_ident(name) FROM t ORDER BY id;
--: ["id int4", "translate text", "overlay text", "position int4", "starts_with bool", "ascii int4", "chr text", "quote_literal text", "quote_ident text"]
--: ["1", "AlicE", "AXXice", "0", "f", "65", "A", "'Alice'", "\"Alice\""]
--: ["2", "Bob", "BXXb", "2", "f", "66", "B", "'Bob'", "\"Bob\""]
--: ["3", "CArol", "CXXrol", "4", "t", "67", "C", "'Carol'", "\"Carol\""]
--: ["4", null, null, null, null, null, "D", null, null]
--: ["5", "EvE", "EXXe", "0", "f", "69", "E", "'Eve'", "\"Eve\""]

SELECT id, CASE WHEN id < 3 THEN 'low' WHEN id = 3 THEN 'mid' END, CASE grp WHEN 'a' THEN 1 WHEN 'b' THEN 2 ELSE 0 END FROM t ORDER BY id;
--: ["id int4", "case text", "case int4"]
--: ["1", "low", "1"]
--: ["2", "low", "2"]
--: ["3", "mid", "1"]
--: ["4", null, "2"]
--: ["5", null, "0"]

SELECT id, nullif(grp, 'a'), greatest(id, 3), least(amt, 15), greatest(NULL, id, NULL) FROM t ORDER BY id;
--: ["id int4", "nullif text", "greatest int4", "least numeric", "greatest int4"]
--: ["1", null, "3", "10.50", "1"]
--: ["2", "b", "3", "15", "2"]
--: ["3", null, "3", "15", "3"]
--: ["4", "b", "4", "15", "4"]
--: ["5", null, "5", "0.01", "5"]

SELECT id, 'x' = ANY(tags), 'x' <> ALL(tags), tags @> '{x}', tags <@ '{x,y,z}', tags && '{y}', tags = '{x,y}', tags < '{y}' FROM t ORDER BY id;
--: ["id int4", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool"]
--: ["1", "t", "f", "t", "t", "t", "t", "t"]
--: ["2", "f", "t", "f", "t", "f", "f", "t"]
--: ["3", "t", "f", "t", "t", "f", "f", "t"]
--: ["4", null, null, null, null, null, null, null]
--: ["5", null, null, "f", "f", "f", "f", "f"]

SELECT id, j, j->'k', j->>'k', j->'n', (j->>'n')::int + 1, j ? 'k', j ?| array['n','z'], j ?& array['k','n'], j @> '{"n":1}', j - 'k', j || '{"z":null}' FROM t ORDER BY id;
--: ["id int4", "j jsonb", "?column? jsonb", "?column? text", "?column? jsonb", "?column? int4", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? jsonb", "?column? jsonb"]
--: ["1", "{\"k\": \"v1\", \"n\": 1}", "\"v1\"", "v1", "1", "2", "t", "t", "t", "t", "{\"n\": 1}", "{\"k\": \"v1\", \"n\": 1, \"z\": null}"]
--: ["2", "{\"k\": \"v2\", \"n\": 2}", "\"v2\"", "v2", "2", "3", "t", "t", "t", "f", "{\"n\": 2}", "{\"k\": \"v2\", \"n\": 2, \"z\": null}"]
--: ["3", "{\"k\": \"v1\"}", "\"v1\"", "v1", null, null, "t", "f", "f", "f", "{}", "{\"k\": \"v1\", \"z\": null}"]
--: ["4", null, null, null, null, null, null, null, null, null, null, null]
--: ["5", "{\"n\": 5}", null, null, "5", "6", "f", "t", "f", "f", "{\"n\": 5}", "{\"n\": 5, \"z\": null}"]

SELECT id, jsonb_typeof(j->'n'), jsonb_object_keys(j) FROM t WHERE id <= 2 ORDER BY 1,3;
--: ["id int4", "jsonb_typeof text", "jsonb_object_keys text"]
--: ["1", "number", "k"]
--: ["1", "number", "n"]
--: ["2", "number", "k"]
--: ["2", "number", "n"]

SELECT id, jsonb_pretty(j) FROM t WHERE id = 1;
--: ["id int4", "jsonb_pretty text"]
--: ["1", "{\n    \"k\": \"v1\",\n    \"n\": 1\n}"]

SELECT id, u, u::text, u = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' FROM t ORDER BY id;
--: ["id int4", "u uuid", "u text", "?column? bool"]
--: ["1", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "t"]
--: ["2", "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "f"]
--: ["3", null, null, null]
--: ["4", null, null, null]
--: ["5", "c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "f"]

SELECT id, b, length(b), encode(b, 'hex'), encode(b, 'base64'), b || '\xff', substring(b from 2), get_byte(b, 0) FROM t WHERE length(b) > 0 ORDER BY id;
--: ["id int4", "b bytea", "length int4", "encode text", "encode text", "?column? bytea", "substring bytea", "get_byte int4"]
--: ["1", "\\x0102", "2", "0102", "AQI=", "\\x0102ff", "\\x02", "1"]
--: ["2", "\\xdead", "2", "dead", "3q0=", "\\xdeadff", "\\xad", "222"]

SELECT grp, count(*), count(name), sum(id), avg(id), min(name), max(ts), sum(amt), avg(amt), avg(val), sum(val) FROM t GROUP BY grp ORDER BY grp;
--: ["grp text", "count int8", "count int8", "sum int8", "avg numeric", "min text", "max timestamp", "sum numeric", "avg numeric", "avg float8", "sum float8"]
--: ["a", "2", "2", "4", "2.0000000000000000", "Alice", "2024-01-20 12:00:00", "40.50", "20.2500000000000000", "2.5", "5"]
--: ["b", "2", "1", "6", "3.0000000000000000", "Bob", "2024-02-15 11:30:15.123456", "20.25", "20.2500000000000000", "2.5", "2.5"]
--: [null, "1", "1", "5", "5.0000000000000000", "Eve", "2023-12-31 23:59:59", "0.01", "0.01000000000000000000", "-1", "-1"]

SELECT grp, array_agg(id ORDER BY id DESC), string_agg(name, ', ' ORDER BY name), json_agg(id ORDER BY id), jsonb_object_agg(id, name), bool_and(flag), bool_or(flag) FROM t GROUP BY grp ORDER BY grp NULLS FIRST;
--: ["grp text", "array_agg _int4", "string_agg text", "json_agg json", "jsonb_object_agg jsonb", "bool_and bool", "bool_or bool"]
--: [null, "{5}", "Eve", "[5]", "{\"5\": \"Eve\"}", "f", "f"]
--: ["a", "{3,1}", "Alice, Carol", "[1, 3]", "{\"1\": \"Alice\", \"3\": \"Carol\"}", "t", "t"]
--: ["b", "{4,2}", "Bob", "[2, 4]", "{\"2\": \"Bob\", \"4\": null}", "f", "f"]

SELECT flag, grp, count(*) FROM t GROUP BY flag, grp ORDER BY flag, grp;
--: ["flag bool", "grp text", "count int8"]
--: ["f", "b", "1"]
--: ["f", null, "1"]
--: ["t", "a", "2"]
--: [null, "b", "1"]

SELECT flag, grp, count(*), grouping(flag), grouping(flag, grp) FROM t GROUP BY CUBE (flag, grp) ORDER BY 4, 5, 1, 2;
--: ["flag bool", "grp text", "count int8", "grouping int4", "grouping int4"]
--: ["f", "b", "1", "0", "0"]
--: ["f", null, "1", "0", "0"]
--: ["t", "a", "2", "0", "0"]
--: [null, "b", "1", "0", "0"]
--: ["f", null, "2", "0", "1"]
--: ["t", null, "2", "0", "1"]
--: [null, null, "1", "0", "1"]
--: [null, "a", "2", "1", "2"]
--: [null, "b", "2", "1", "2"]
--: [null, null, "1", "1", "2"]
--: [null, null, "5", "1", "3"]

SELECT count(*) FROM t HAVING count(*) > 10;
--: ["count int8"]

SELECT sum(id) FROM t HAVING sum(id) > 10;
--: ["sum int8"]
--: ["15"]

SELECT grp FROM t GROUP BY grp HAVING max(id) > 3 ORDER BY 1;
--: ["grp text"]
--: ["b"]
--: [null]

SELECT DISTINCT grp FROM t ORDER BY grp;
--: ["grp text"]
--: ["a"]
--: ["b"]
--: [null]

SELECT DISTINCT grp, flag FROM t ORDER BY 1, 2;
--: ["grp text", "flag bool"]
--: ["a", "t"]
--: ["b", "f"]
--: ["b", null]
--: [null, "f"]

SELECT DISTINCT ON (grp) grp, id, name FROM t ORDER BY grp, id DESC;
--: ["grp text", "id int4", "name text"]
--: ["a", "3", "Carol"]
--: ["b", "4", null]
--: [null, "5", "Eve"]

SELECT count(DISTINCT grp), count(DISTINCT flag), sum(DISTINCT id % 2) FROM t;
--: ["count int8", "count int8", "sum int8"]
--: ["2", "2", "1"]

SELECT a.id, b.id FROM t a JOIN t b ON a.grp = b.grp AND a.id < b.id ORDER BY 1, 2;
--: ["id int4", "id int4"]
--: ["1", "3"]
--: ["2", "4"]

SELECT a.id, b.id FROM t a LEFT JOIN t b ON a.grp = b.grp AND a.id <> b.id ORDER BY 1, 2;
--: ["id int4", "id int4"]
--: ["1", "3"]
--: ["2", "4"]
--: ["3", "1"]
--: ["4", "2"]
--: ["5", null]

SELECT a.id, b.id FROM t a FULL OUTER JOIN t b ON a.id = b.id + 3 ORDER BY 1, 2;
--: ["id int4", "id int4"]
--: ["1", null]
--: ["2", null]
--: ["3", null]
--: ["4", "1"]
--: ["5", "2"]
--: [null, "3"]
--: [null, "4"]
--: [null, "5"]

SELECT a.id, b.id FROM t a RIGHT JOIN t b ON a.id = b.id * 2 ORDER BY 2;
--: ["id int4", "id int4"]
--: ["2", "1"]
--: ["4", "2"]
--: [null, "3"]
--: [null, "4"]
--: [null, "5"]

SELECT id, x FROM t CROSS JOIN (VALUES (1), (2)) v(x) WHERE id < 3 ORDER BY 1, 2;
--: ["id int4", "x int4"]
--: ["1", "1"]
--: ["1", "2"]
--: ["2", "1"]
--: ["2", "2"]

SELECT id, grp, b.name FROM t JOIN t b USING (id, grp) ORDER BY id;
--: ["id int4", "grp text", "name text"]
--: ["1", "a", "Alice"]
--: ["2", "b", "Bob"]
--: ["3", "a", "Carol"]
--: ["4", "b", null]

SELECT * FROM (SELECT id, grp FROM t) a NATURAL JOIN (SELECT grp, name FROM t) b ORDER BY id, name;
--: ["grp text", "id int4", "name text"]
--: ["a", "1", "Alice"]
--: ["a", "1", "Carol"]
--: ["b", "2", "Bob"]
--: ["b", "2", null]
--: ["a", "3", "Alice"]
--: ["a", "3", "Carol"]
--: ["b", "4", "Bob"]
--: ["b", "4", null]

SELECT id FROM t WHERE id = (SELECT max(id) FROM t);
--: ["id int4"]
--: ["5"]

SELECT id FROM t a WHERE EXISTS (SELECT FROM t b WHERE b.grp = a.grp AND b.id <> a.id) ORDER BY id;
--: ["id int4"]
--: ["1"]
--: ["2"]
--: ["3"]
--: ["4"]

SELECT id FROM t WHERE id > ALL (SELECT id FROM t WHERE grp = 'a') ORDER BY id;
--: ["id int4"]
--: ["4"]
--: ["5"]

SELECT id FROM t WHERE id < ANY (SELECT id FROM t WHERE grp = 'b') ORDER BY id;
--: ["id int4"]
--: ["1"]
--: ["2"]
--: ["3"]

SELECT id FROM t WHERE grp IN (SELECT grp FROM t WHERE flag) ORDER BY id;
--: ["id int4"]
--: ["1"]
--: ["3"]

SELECT id, (SELECT name FROM t x WHERE x.id = t.id + 1) FROM t ORDER BY id;
--: ["id int4", "name text"]
--: ["1", "Bob"]
--: ["2", "Carol"]
--: ["3", null]
--: ["4", "Eve"]
--: ["5", null]

SELECT id, ARRAY(SELECT b.id FROM t b WHERE b.grp = t.grp ORDER BY b.id) FROM t ORDER BY id;
--: ["id int4", "array _int4"]
--: ["1", "{1,3}"]
--: ["2", "{2,4}"]
--: ["3", "{1,3}"]
--: ["4", "{2,4}"]
--: ["5", "{}"]

SELECT x.id FROM (SELECT id, amt FROM t WHERE amt > 5) x WHERE x.id > 1 ORDER BY x.amt DESC;
--: ["id int4"]
--: ["3"]
--: ["2"]

WITH a AS (SELECT id, grp FROM t), b AS (SELECT grp, count(*) c FROM a GROUP BY grp) SELECT a.id, b.c FROM a JOIN b ON a.grp = b.grp ORDER BY a.id;
--: ["id int4", "c int8"]
--: ["1", "2"]
--: ["2", "2"]
--: ["3", "2"]
--: ["4", "2"]

WITH RECURSIVE n AS (SELECT id, 1 AS depth FROM t WHERE id = 1 UNION ALL SELECT t.id, depth + 1 FROM t JOIN n ON t.id = n.id + 1) SELECT * FROM n ORDER BY depth;
--: ["id int4", "depth int4"]
--: ["1", "1"]
--: ["2", "2"]
--: ["3", "3"]
--: ["4", "4"]
--: ["5", "5"]

SELECT id FROM t UNION SELECT 10 ORDER BY 1;
--: ["id int4"]
--: ["1"]
--: ["2"]
--: ["3"]
--: ["4"]
--: ["5"]
--: ["10"]

SELECT id, name FROM t WHERE id < 3 UNION ALL SELECT id, grp FROM t WHERE id < 3 ORDER BY 1, 2;
--: ["id int4", "name text"]
--: ["1", "Alice"]
--: ["1", "a"]
--: ["2", "Bob"]
--: ["2", "b"]

SELECT grp FROM t EXCEPT SELECT 'a' ORDER BY 1;
--: ["grp text"]
--: ["b"]
--: [null]

SELECT grp FROM t INTERSECT ALL SELECT grp FROM t WHERE id > 2 ORDER BY 1;
--: ["grp text"]
--: ["a"]
--: ["b"]
--: [null]

SELECT id, row_number() OVER (ORDER BY amt DESC NULLS LAST), rank() OVER (PARTITION BY grp ORDER BY id), sum(amt) OVER (PARTITION BY grp), count(*) OVER () FROM t ORDER BY id;
--: ["id int4", "row_number int8", "rank int8", "sum numeric", "count int8"]
--: ["1", "3", "1", "40.50", "5"]
--: ["2", "2", "1", "20.25", "5"]
--: ["3", "1", "2", "40.50", "5"]
--: ["4", "5", "2", "20.25", "5"]
--: ["5", "4", "1", "0.01", "5"]

SELECT id, lag(name) OVER (ORDER BY id), lead(name, 2, 'none') OVER (ORDER BY id), first_value(id) OVER (PARTITION BY grp ORDER BY id DESC), last_value(id) OVER (ORDER BY id) FROM t ORDER BY id;
--: ["id int4", "lag text", "lead text", "first_value int4", "last_value int4"]
--: ["1", null, "Carol", "3", "1"]
--: ["2", "Alice", null, "4", "2"]
--: ["3", "Bob", "Eve", "3", "3"]
--: ["4", "Carol", "none", "4", "4"]
--: ["5", null, "none", "5", "5"]

SELECT id, sum(id) OVER (ORDER BY id ROWS 2 PRECEDING), avg(id) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), max(amt) OVER (ORDER BY id RANGE UNBOUNDED PRECEDING) FROM t ORDER BY id;
--: ["id int4", "sum int8", "avg numeric", "max numeric"]
--: ["1", "1", "3.0000000000000000", "10.50"]
--: ["2", "3", "3.5000000000000000", "20.25"]
--: ["3", "6", "4.0000000000000000", "30.00"]
--: ["4", "9", "4.5000000000000000", "30.00"]
--: ["5", "12", "5.0000000000000000", "30.00"]

SELECT grp, sum(count(*)) OVER () FROM t GROUP BY grp ORDER BY 1;
--: ["grp text", "sum numeric"]
--: ["a", "5"]
--: ["b", "5"]
--: [null, "5"]

SELECT id FROM t ORDER BY grp NULLS FIRST, id DESC;
--: ["id int4"]
--: ["5"]
--: ["3"]
--: ["1"]
--: ["4"]
--: ["2"]

SELECT id FROM t ORDER BY lower(name) DESC NULLS LAST;
--: ["id int4"]
--: ["5"]
--: ["3"]
--: ["2"]
--: ["1"]
--: ["4"]

SELECT id AS n FROM t ORDER BY n DESC LIMIT 2;
--: ["n int4"]
--: ["5"]
--: ["4"]

SELECT id FROM t ORDER BY 1 OFFSET 3;
--: ["id int4"]
--: ["4"]
--: ["5"]

SELECT id FROM t ORDER BY id FETCH FIRST 2 ROWS ONLY;
--: ["id int4"]
--: ["1"]
--: ["2"]

SELECT id FROM t ORDER BY amt DESC NULLS LAST LIMIT ALL;
--: ["id int4"]
--: ["3"]
--: ["2"]
--: ["1"]
--: ["5"]
--: ["4"]

SELECT id FROM t ORDER BY id LIMIT 1 + 1 OFFSET 1 * 2;
--: ["id int4"]
--: ["3"]
--: ["4"]

SELECT * FROM t WHERE id = 4;
--: ["id int4", "name text", "grp text", "amt numeric", "val float8", "ts timestamp", "tstz timestamptz", "d date", "flag bool", "tags _text", "j jsonb", "u uuid", "b bytea"]
--: ["4", null, "b", null, null, null, null, null, null, null, null, null, null]

SELECT t.*, 1 AS one FROM t WHERE id = 3;
--: ["id int4", "name text", "grp text", "amt numeric", "val float8", "ts timestamp", "tstz timestamptz", "d date", "flag bool", "tags _text", "j jsonb", "u uuid", "b bytea", "one int4"]
--: ["3", "Carol", "a", "30.00", "3.5", "2024-01-20 12:00:00", "2024-01-20 12:00:00+00", "2024-01-20", "t", "{x}", "{\"k\": \"v1\"}", null, null, "1"]

SELECT t.id, t.name AS "Name", T.GRP FROM t WHERE ID = 1;
--: ["id int4", "Name text", "grp text"]
--: ["1", "Alice", "a"]

SELECT id id2, "id" FROM t WHERE id = 1;
--: ["id2 int4", "id int4"]
--: ["1", "1"]

SELECT id, tag FROM t, unnest(tags) tag ORDER BY 1, 2;
--: ["id int4", "tag text"]
--: ["1", "x"]
--: ["1", "y"]
--: ["3", "x"]
--: ["5", "z"]
--: ["5", null]

SELECT id, tag FROM t LEFT JOIN LATERAL unnest(tags) tag ON true ORDER BY 1, 2;
--: ["id int4", "tag text"]
--: ["1", "x"]
--: ["1", "y"]
--: ["2", null]
--: ["3", "x"]
--: ["4", null]
--: ["5", "z"]
--: ["5", null]

SELECT id, e.* FROM t, jsonb_each_text(j) e ORDER BY 1, 2;
--: ["id int4", "key text", "value text"]
--: ["1", "k", "v1"]
--: ["1", "n", "1"]
--: ["2", "k", "v2"]
--: ["2", "n", "2"]
--: ["3", "k", "v1"]
--: ["5", "n", "5"]

SELECT count(*) FILTER (WHERE id > 2), sum(id) FILTER (WHERE grp = 'a') FROM t;
--: ["count int8", "sum int8"]
--: ["3", "4"]

SELECT stddev(id), variance(amt), stddev_pop(val), var_samp(id) FROM t;
--: ["stddev numeric", "variance numeric", "stddev_pop float8", "var_samp numeric"]
--: ["1.5811388300841897", "165.7894000000000000", "1.6723860200324565", "2.5000000000000000"]

SELECT bit_and(id), bit_or(id), bit_xor(id), every(id > 0) FROM t;
--: ["bit_and int4", "bit_or int4", "bit_xor int4", "every bool"]
--: ["0", "7", "1", "t"]

SELECT sum(interval '1 hour' * id), avg(interval '1 hour' * id), max(ts - timestamp '2024-01-01') FROM t;
--: ["sum interval", "avg interval", "max interval"]
--: ["15:00:00", "03:00:00", "45 days 11:30:15.123456"]

SELECT array_agg(DISTINCT grp), string_agg(DISTINCT grp, ','), array_agg(name) FILTER (WHERE name IS NOT NULL) FROM t;
--: ["array_agg _text", "string_agg text", "array_agg _text"]
--: ["{a,b,NULL}", "a,b", "{Alice,Bob,Carol,Eve}"]

SELECT id FROM t WHERE name = 'alice' OR lower(name) = 'alice';
--: ["id int4"]
--: ["1"]

SELECT id FROM t WHERE (id, grp) = (1, 'a');
--: ["id int4"]
--: ["1"]

SELECT id FROM t WHERE (grp, id) > ('a', 1) ORDER BY id;
--: ["id int4"]
--: ["2"]
--: ["3"]
--: ["4"]

SELECT id FROM t WHERE (id, grp) IN ((1, 'a'), (2, 'b'), (3, 'x')) ORDER BY id;
--: ["id int4"]
--: ["1"]
--: ["2"]

SELECT id FROM t WHERE id IN (1, NULL) ORDER BY id;
--: ["id int4"]
--: ["1"]

SELECT id FROM t WHERE id NOT IN (1, NULL);
--: ["id int4"]

SELECT 1 FROM t WHERE id = 1 AND true;
--: ["?column? int4"]
--: ["1"]

SELECT FROM t WHERE id < 3;
--: []
--: []
--: []

SELECT id, ts::text, ts::date, ts::time, ts::timestamptz, tstz::timestamp, tstz::date, d::timestamp, d::text, d::timestamptz FROM t ORDER BY id;
--: ["id int4", "ts text", "ts date", "ts time", "ts timestamptz", "tstz timestamp", "tstz date", "d timestamp", "d text", "d timestamptz"]
--: ["1", "2024-01-15 10:00:00", "2024-01-15", "10:00:00", "2024-01-15 10:00:00+00", "2024-01-15 10:00:00", "2024-01-15", "2024-01-15 00:00:00", "2024-01-15", "2024-01-15 00:00:00+00"]
--: ["2", "2024-02-15 11:30:15.123456", "2024-02-15", "11:30:15.123456", "2024-02-15 11:30:15.123456+00", "2024-02-15 11:30:00", "2024-02-15", "2024-02-15 00:00:00", "2024-02-15", "2024-02-15 00:00:00+00"]
--: ["3", "2024-01-20 12:00:00", "2024-01-20", "12:00:00", "2024-01-20 12:00:00+00", "2024-01-20 12:00:00", "2024-01-20", "2024-01-20 00:00:00", "2024-01-20", "2024-01-20 00:00:00+00"]
--: ["4", null, null, null, null, null, null, null, null, null]
--: ["5", "2023-12-31 23:59:59", "2023-12-31", "23:59:59", "2023-12-31 23:59:59+00", "2023-12-31 23:59:59", "2023-12-31", "2023-12-31 00:00:00", "2023-12-31", "2023-12-31 00:00:00+00"]

SELECT id, flag::int, flag::text, j::text, u::text, b::text, tags::text FROM t ORDER BY id;
--: ["id int4", "flag int4", "flag text", "j text", "u text", "b text", "tags text"]
--: ["1", "1", "true", "{\"k\": \"v1\", \"n\": 1}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\\x0102", "{x,y}"]
--: ["2", "0", "false", "{\"k\": \"v2\", \"n\": 2}", "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\\xdead", "{}"]
--: ["3", "1", "true", "{\"k\": \"v1\"}", null, null, "{x}"]
--: ["4", null, null, null, null, null, null]
--: ["5", "0", "false", "{\"n\": 5}", "c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\\x", "{NULL,z}"]

SELECT id, name::varchar(3), name::char(7), name::bytea, amt::numeric(6,1), val::real FROM t ORDER BY id;
--: ["id int4", "name varchar", "name bpchar", "name bytea", "amt numeric", "val float4"]
--: ["1", "Ali", "Alice  ", "\\x416c696365", "10.5", "1.5"]
--: ["2", "Bob", "Bob    ", "\\x426f62", "20.3", "2.5"]
--: ["3", "Car", "Carol  ", "\\x4361726f6c", "30.0", "3.5"]
--: ["4", null, null, null, null, null]
--: ["5", "Eve", "Eve    ", "\\x457665", "0.0", "-1"]

SELECT id, amt = 10.5, amt <> 20.25, amt < 15, val >= 2.5, name < 'Bob', ts < tstz, d = ts, flag = true, b < '\xaa', u > 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' FROM t ORDER BY id;
--: ["id int4", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool", "?column? bool"]
--: ["1", "t", "t", "t", "f", "t", "f", "f", "t", "t", "f"]
--: ["2", "f", "f", "f", "t", "f", "f", "f", "f", "f", "t"]
--: ["3", "f", "t", "f", "t", "f", "f", "f", "t", null, null]
--: ["4", null, null, null, null, null, null, null, null, null, null]
--: ["5", "f", "t", "t", "f", "f", "f", "f", "f", "t", "t"]

SELECT id FROM t WHERE amt IN (10.5, 30) ORDER BY id;
--: ["id int4"]
--: ["1"]
--: ["3"]

SELECT id FROM t WHERE d IN ('2024-01-15', '2024-02-15') ORDER BY id;
--: ["id int4"]
--: ["1"]
--: ["2"]

SELECT id FROM t WHERE u = ANY(ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']::uuid[]);
--: ["id int4"]
--: ["1"]

SELECT id FROM t WHERE ts > timestamp '2024-01-15' + interval '1 hour' * 10 ORDER BY id;
--: ["id int4"]
--: ["2"]
--: ["3"]

SELECT id, round(amt / 7, 4), round(val::numeric, 1), amt / 0.3, (amt + 1) / (amt - 1), amt ^ 2, power(amt, 0.5), div(amt, 3), mod(amt, 4), log(amt), ln(val + 2), exp(amt / 10) FROM t WHERE amt > 0 ORDER BY id;
--: ["id int4", "round numeric", "round numeric", "?column? numeric", "?column? numeric", "?column? numeric", "power numeric", "div numeric", "mod numeric", "log numeric", "ln float8", "exp numeric"]
--: ["1", "1.5000", "1.5", "35.0000000000000000", "1.2105263157894737", "110.2500000000000000", "3.2403703492039301", "3", "2.50", "1.0211892990699381", "1.252762968495368", "2.85765111806316378986"]
--: ["2", "2.8929", "2.5", "67.5000000000000000", "1.1038961038961039", "410.0625000000000000", "4.5000000000000000", "6", "0.25", "1.3064250275506874", "1.5040773967762742", "7.5761109446368456"]
--: ["3", "4.2857", "3.5", "100.0000000000000000", "1.0689655172413793", "900.0000000000000000", "5.4772255750516611", "10", "2.00", "1.4771212547196624", "1.7047480922384253", "20.0855369231876677"]
--: ["5", "0.0014", "-1.0", "0.03333333333333333333", "-1.0202020202020202", "0.0001000000000000", "0.10000000000000000", "0", "0.01", "-2.0000000000000000", "0", "1.00100050016670834167"]

SELECT id, width_bucket(val, 0, 4, 4), degrees(val), radians(val), sin(val), cos(val), tan(val), atan2(val, 2), pi() FROM t ORDER BY id;
--: ["id int4", "width_bucket int4", "degrees float8", "radians float8", "sin float8", "cos float8", "tan float8", "atan2 float8", "pi float8"]
--: ["1", "2", "85.94366926962348", "0.026179938779914945", "0.9974949866040544", "0.0707372016677029", "14.101419947171719", "0.6435011087932844", "3.141592653589793"]
--: ["2", "3", "143.2394487827058", "0.04363323129985824", "0.5984721441039565", "-0.8011436155469337", "-0.7470222972386603", "0.8960553845713439", "3.141592653589793"]
--: ["3", "4", "200.53522829578813", "0.061086523819801536", "-0.35078322768961984", "-0.9364566872907963", "0.3745856401585947", "1.0516502125483738", "3.141592653589793"]
--: ["4", null, null, null, null, null, null, null, "3.141592653589793"]
--: ["5", "0", "-57.29577951308232", "-0.017453292519943295", "-0.8414709848078965", "0.5403023058681398", "-1.5574077246549023", "-0.4636476090008061", "3.141592653589793"]

SELECT json_agg(t) FROM (SELECT id, name FROM t WHERE id < 3 ORDER BY id) t;
--: ["json_agg json"]
--: ["[{\"id\":1,\"name\":\"Alice\"}, \n {\"id\":2,\"name\":\"Bob\"}]"]

SELECT jsonb_object_agg(name, amt) FROM t WHERE name IS NOT NULL;
--: ["jsonb_object_agg jsonb"]
--: ["{\"Bob\": 20.25, \"Eve\": 0.01, \"Alice\": 10.50, \"Carol\": 30.00}"]

SELECT 't'::bool, 'yes'::bool, 'off'::bool, '1'::bool, 1::bool, 'f'::bool::int, true::text, bool 'n';
--: ["bool bool", "bool bool", "bool bool", "bool bool", "bool bool", "int4 int4", "text text", "bool bool"]
--: ["t", "t", "f", "t", "t", "0", "true", "f"]

SELECT sum(id::int2), sum(id::int8), avg(id::float4), sum(val::float4), max(name), min(flag::int), avg(amt), sum(amt * id), count(*) * 2, max(id) - min(id) FROM t;
--: ["sum int8", "sum numeric", "avg float8", "sum float4", "max text", "min int4", "avg numeric", "sum numeric", "?column? int8", "?column? int4"]
--: ["15", "15", "3", "6.5", "Eve", "0", "15.1900000000000000", "141.05", "10", "4"]

SELECT grp, max(amt) FILTER (WHERE flag), count(*) FILTER (WHERE NOT flag) FROM t GROUP BY grp ORDER BY grp;
--: ["grp text", "max numeric", "count int8"]
--: ["a", "30.00", "0"]
--: ["b", null, "1"]
--: [null, null, "1"]

SELECT id % 2 AS odd, count(*) FROM t GROUP BY odd ORDER BY odd;
--: ["odd int4", "count int8"]
--: ["0", "2"]
--: ["1", "3"]

SELECT id % 2, count(*) FROM t GROUP BY id % 2 HAVING count(*) > 2 ORDER BY 1;
--: ["?column? int4", "count int8"]
--: ["1", "3"]

SELECT upper(grp) AS g, sum(id) FROM t GROUP BY upper(grp) ORDER BY g;
--: ["g text", "sum int8"]
--: ["A", "4"]
--: ["B", "6"]
--: [null, "5"]

SELECT t.grp, count(*), (SELECT max(id) FROM t x WHERE x.grp = t.grp) FROM t GROUP BY t.grp ORDER BY 1;
--: ["grp text", "count int8", "max int4"]
--: ["a", "2", "3"]
--: ["b", "2", "4"]
--: [null, "1", null]

SELECT grp, name FROM t GROUP BY id ORDER BY id;
--: ["grp text", "name text"]
--: ["a", "Alice"]
--: ["b", "Bob"]
--: ["a", "Carol"]
--: ["b", null]
--: [null, "Eve"]

SELECT date_trunc('month', ts) m, count(*), sum(amt), avg(val) FROM t GROUP BY m ORDER BY m;
--: ["m timestamp", "count int8", "sum numeric", "avg float8"]
--: ["2023-12-01 00:00:00", "1", "0.01", "-1"]
--: ["2024-01-01 00:00:00", "2", "40.50", "2.5"]
--: ["2024-02-01 00:00:00", "1", "20.25", "2.5"]
--: [null, "1", null, null]

SELECT grp, array_agg(name), array_agg(amt ORDER BY amt), string_agg(name, '') FROM t GROUP BY grp ORDER BY grp;
--: ["grp text", "array_agg _text", "array_agg _numeric", "string_agg text"]
--: ["a", "{Alice,Carol}", "{10.50,30.00}", "AliceCarol"]
--: ["b", "{Bob,NULL}", "{20.25,NULL}", "Bob"]
--: [null, "{Eve}", "{0.01}", "Eve"]

SELECT id, count(*) OVER (PARTITION BY grp), sum(val) OVER (ORDER BY id), avg(amt) OVER (PARTITION BY grp ORDER BY id), min(name) OVER (), row_number() OVER (PARTITION BY grp ORDER BY name DESC) FROM t ORDER BY id;
--: ["id int4", "count int8", "sum float8", "avg numeric", "min text", "row_number int8"]
--: ["1", "2", "1.5", "10.5000000000000000", "Alice", "2"]
--: ["2", "2", "4", "20.2500000000000000", "Alice", "2"]
--: ["3", "2", "7.5", "20.2500000000000000", "Alice", "1"]
--: ["4", "2", "7.5", "20.2500000000000000", "Alice", "1"]
--: ["5", "1", "6.5", "0.01000000000000000000", "Alice", "1"]

SELECT id, lag(amt, 1, 0) OVER (ORDER BY id), lead(ts) OVER (ORDER BY id), ntile(2) OVER (ORDER BY id), first_value(tags) OVER (ORDER BY id), last_value(name) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM t ORDER BY id;
--: ["id int4", "lag numeric", "lead timestamp", "ntile int4", "first_value _text", "last_value text"]
--: ["1", "0", "2024-02-15 11:30:15.123456", "1", "{x,y}", "Eve"]
--: ["2", "10.50", "2024-01-20 12:00:00", "1", "{x,y}", "Eve"]
--: ["3", "20.25", null, "1", "{x,y}", "Eve"]
--: ["4", "30.00", "2023-12-31 23:59:59", "2", "{x,y}", "Eve"]
--: ["5", null, null, "2", "{x,y}", "Eve"]

SELECT id, sum(amt) OVER (ORDER BY d RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), count(*) OVER (ORDER BY grp GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t ORDER BY id;
--: ["id int4", "sum numeric", "count int8"]
--: ["1", "10.51", "2"]
--: ["2", "60.76", "4"]
--: ["3", "40.51", "2"]
--: ["4", "60.76", "4"]
--: ["5", "0.01", "3"]

SELECT id, sum(id) FILTER (WHERE flag) OVER (ORDER BY id) FROM t ORDER BY id;
--: ["id int4", "sum int8"]
--: ["1", "1"]
--: ["2", "1"]
--: ["3", "4"]
--: ["4", "4"]
--: ["5", "4"]

SELECT name, rank() OVER (ORDER BY sum(amt) DESC NULLS LAST) FROM t GROUP BY name ORDER BY 2, 1;
--: ["name text", "rank int8"]
--: ["Carol", "1"]
--: ["Bob", "2"]
--: ["Alice", "3"]
--: ["Eve", "4"]
--: [null, "5"]

SELECT * FROM (SELECT id, rank() OVER (PARTITION BY grp ORDER BY amt DESC) r FROM t) x WHERE r = 1 ORDER BY id;
--: ["id int4", "r int8"]
--: ["3", "1"]
--: ["4", "1"]
--: ["5", "1"]

SELECT a.id, b.id, c.id FROM t a JOIN t b ON b.id = a.id + 1 LEFT JOIN t c ON c.id = b.id + 1 ORDER BY 1;
--: ["id int4", "id int4", "id int4"]
--: ["1", "2", "3"]
--: ["2", "3", "4"]
--: ["3", "4", "5"]
--: ["4", "5", null]

SELECT a.id, s.n FROM t a LEFT JOIN (SELECT grp, count(*) n FROM t GROUP BY grp) s ON s.grp = a.grp ORDER BY a.id;
--: ["id int4", "n int8"]
--: ["1", "2"]
--: ["2", "2"]
--: ["3", "2"]
--: ["4", "2"]
--: ["5", null]

SELECT a.grp, b.grp FROM (SELECT DISTINCT grp FROM t) a FULL JOIN (SELECT 'a' AS grp UNION SELECT 'z') b USING (grp) ORDER BY 1, 2;
--: ["grp text", "grp text"]
--: ["a", "a"]
--: ["b", null]
--: [null, "z"]
--: [null, null]

SELECT grp FROM t a FULL JOIN (VALUES ('a'), ('q')) v(grp) USING (grp) ORDER BY 1;
--: ["grp text"]
--: ["a"]
--: ["a"]
--: ["b"]
--: ["b"]
--: ["q"]
--: [null]

SELECT * FROM t a JOIN t b USING (id) WHERE a.id = 1;
--: ["id int4", "name text", "grp text", "amt numeric", "val float8", "ts timestamp", "tstz timestamptz", "d date", "flag bool", "tags _text", "j jsonb", "u uuid", "b bytea", "name text", "grp text", "amt numeric", "val float8", "ts timestamp", "tstz timestamptz", "d date", "flag bool", "tags _text", "j jsonb", "u uuid", "b bytea"]
--: ["1", "Alice", "a", "10.50", "1.5", "2024-01-15 10:00:00", "2024-01-15 10:00:00+00", "2024-01-15", "t", "{x,y}", "{\"k\": \"v1\", \"n\": 1}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\\x0102", "Alice", "a", "10.50", "1.5", "2024-01-15 10:00:00", "2024-01-15 10:00:00+00", "2024-01-15", "t", "{x,y}", "{\"k\": \"v1\", \"n\": 1}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\\x0102"]

SELECT a.* FROM t a, t b WHERE a.id = b.id AND b.grp = 'a' ORDER BY a.id;
--: ["id int4", "name text", "grp text", "amt numeric", "val float8", "ts timestamp", "tstz timestamptz", "d date", "flag bool", "tags _text", "j jsonb", "u uuid", "b bytea"]
--: ["1", "Alice", "a", "10.50", "1.5", "2024-01-15 10:00:00", "2024-01-15 10:00:00+00", "2024-01-15", "t", "{x,y}", "{\"k\": \"v1\", \"n\": 1}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\\x0102"]
--: ["3", "Carol", "a", "30.00", "3.5", "2024-01-20 12:00:00", "2024-01-20 12:00:00+00", "2024-01-20", "t", "{x}", "{\"k\": \"v1\"}", null, null]

SELECT count(*) FROM t a, t b, t c;
--: ["count int8"]
--: ["125"]

SELECT a.id, x.m FROM t a CROSS JOIN LATERAL (SELECT max(b.id) AS m FROM t b WHERE b.id < a.id) x ORDER BY 1;
--: ["id int4", "m int4"]
--: ["1", null]
--: ["2", "1"]
--: ["3", "2"]
--: ["4", "3"]
--: ["5", "4"]

SELECT a.id, x.id FROM t a LEFT JOIN LATERAL (SELECT b.id FROM t b WHERE b.grp = a.grp AND b.id > a.id ORDER BY b.id LIMIT 1) x ON true ORDER BY 1;
--: ["id int4", "id int4"]
--: ["1", "3"]
--: ["2", "4"]
--: ["3", null]
--: ["4", null]
--: ["5", null]

SELECT id FROM t WHERE amt > (SELECT avg(amt) FROM t) ORDER BY id;
--: ["id int4"]
--: ["2"]
--: ["3"]

SELECT id FROM t a WHERE amt = (SELECT max(amt) FROM t b WHERE b.grp = a.grp) ORDER BY id;
--: ["id int4"]
--: ["2"]
--: ["3"]

SELECT id FROM t WHERE (grp, id) IN (SELECT grp, max(id) FROM t GROUP BY grp) ORDER BY id;
--: ["id int4"]
--: ["3"]
--: ["4"]

SELECT id FROM t WHERE id IN (SELECT unnest(ARRAY[1, 3])) ORDER BY id;
--: ["id int4"]
--: ["1"]
--: ["3"]

SELECT EXISTS (SELECT 1 FROM t WHERE id = 99), NOT EXISTS (SELECT 1 FROM t), (SELECT count(*) FROM t) > 3;
--: ["exists bool", "?column? bool", "?column? bool"]
--: ["f", "f", "t"]

SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM t b WHERE b.id = t.id + 1);
--: ["id int4"]
--: ["5"]

SELECT id, (SELECT string_agg(name, ',' ORDER BY name) FROM t b WHERE b.grp = t.grp) FROM t ORDER BY id;
--: ["id int4", "string_agg text"]
--: ["1", "Alice,Carol"]
--: ["2", "Bob"]
--: ["3", "Alice,Carol"]
--: ["4", "Bob"]
--: ["5", null]

SELECT sum((SELECT 1)) FROM t;
--: ["sum int8"]
--: ["5"]

SELECT id FROM t WHERE id = ANY(SELECT id FROM t WHERE grp = 'a') ORDER BY id;
--: ["id int4"]
--: ["1"]
--: ["3"]

WITH x AS (SELECT * FROM t WHERE id < 4) SELECT count(*) FROM x a JOIN x b ON a.grp = b.grp;
--: ["count int8"]
--: ["5"]

(SELECT id FROM t ORDER BY id DESC LIMIT 2) UNION ALL (SELECT id FROM t ORDER BY id LIMIT 1) ORDER BY 1;
--: ["id int4"]
--: ["1"]
--: ["4"]
--: ["5"]

SELECT id FROM t EXCEPT ALL SELECT id FROM t WHERE id > 2 ORDER BY id;
--: ["id int4"]
--: ["1"]
--: ["2"]

SELECT 'a' AS x UNION SELECT name FROM t WHERE id = 1 ORDER BY x;
--: ["x text"]
--: ["Alice"]
--: ["a"]

SELECT id, name FROM t ORDER BY grp DESC NULLS LAST, amt;
--: ["id int4", "name text"]
--: ["2", "Bob"]
--: ["4", null]
--: ["1", "Alice"]
--: ["3", "Carol"]
--: ["5", "Eve"]

SELECT id FROM t ORDER BY amt IS NULL, amt DESC;
--: ["id int4"]
--: ["3"]
--: ["2"]
--: ["1"]
--: ["5"]
--: ["4"]

SELECT name AS id FROM t ORDER BY id;
--: ["id text"]
--: ["Alice"]
--: ["Bob"]
--: ["Carol"]
--: ["Eve"]
--: [null]

SELECT id FROM t ORDER BY -id LIMIT 2;
--: ["id int4"]
--: ["5"]
--: ["4"]

SELECT id FROM t ORDER BY name COLLATE "C" DESC NULLS LAST;
--: ["id int4"]
--: ["5"]
--: ["3"]
--: ["2"]
--: ["1"]
--: ["4"]

SELECT id FROM t OFFSET 2 ROWS FETCH NEXT 1 ROW ONLY;
--: ["id int4"]
--: ["3"]

TABLE t ORDER BY id LIMIT 1;
--: ["id int4", "name text", "grp text", "amt numeric", "val float8", "ts timestamp", "tstz timestamptz", "d date", "flag bool", "tags _text", "j jsonb", "u uuid", "b bytea"]
--: ["1", "Alice", "a", "10.50", "1.5", "2024-01-15 10:00:00", "2024-01-15 10:00:00+00", "2024-01-15", "t", "{x,y}", "{\"k\": \"v1\", \"n\": 1}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\\x0102"]

SELECT t.id AS t FROM t WHERE id = 2;
--: ["t int4"]
--: ["2"]

SELECT count(*) AS "count", sum(id) "Sum" FROM t;
--: ["count int8", "Sum int8"]
--: ["5", "15"]

SELECT id, * FROM t WHERE id = 4;
--: ["id int4", "id int4", "name text", "grp text", "amt numeric", "val float8", "ts timestamp", "tstz timestamptz", "d date", "flag bool", "tags _text", "j jsonb", "u uuid", "b bytea"]
--: ["4", "4", null, "b", null, null, null, null, null, null, null, null, null, null]

SELECT (t).id FROM t WHERE id = 1;
--: ["id int4"]
--: ["1"]

SELECT * FROM t WHERE id = 1 OR id = 2 AND grp = 'z' ORDER BY id;
--: ["id int4", "name text", "grp text", "amt numeric", "val float8", "ts timestamp", "tstz timestamptz", "d date", "flag bool", "tags _text", "j jsonb", "u uuid", "b bytea"]
--: ["1", "Alice", "a", "10.50", "1.5", "2024-01-15 10:00:00", "2024-01-15 10:00:00+00", "2024-01-15", "t", "{x,y}", "{\"k\": \"v1\", \"n\": 1}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\\x0102"]
