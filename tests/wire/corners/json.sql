-- records of json
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

-- jsonpath over rows
SELECT * FROM jsonb_path_query('[1,2,3]', '$[*] ? (@ > 1)')
SELECT jsonb_path_query('[1,2,3]', '$[*] ? (@ > 1)'), 1
CREATE TABLE paths (id int PRIMARY KEY, j jsonb, p jsonpath)
INSERT INTO paths SELECT n, jsonb_build_object('a', n, 'b', jsonb_build_array(n, n*2)), ('$.a ? (@ > ' || n % 3 || ')')::jsonpath FROM generate_series(1,10) n
SELECT id FROM paths WHERE j @? '$.b[*] ? (@ > 10)' ORDER BY id
SELECT id, p, j @? p, jsonb_path_query_array(j, p) FROM paths ORDER BY id
SELECT id FROM paths WHERE j @@ '$.a > 7' ORDER BY id
SELECT id, q FROM paths, jsonb_path_query(j, '$.b[*]') q ORDER BY id, q

-- subscripts of jsonb
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

-- rows of documents, by the rules of domains
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

-- escapes in paths of documents
SELECT '"\u"'::jsonpath
SELECT '"\u00"'::jsonpath
SELECT '$."\u000g"'::jsonpath
SELECT '"\u0000"'::jsonpath
SELECT '"\ud83d\ud83d"'::jsonpath
SELECT '$."\ude04\ud83d"'::jsonpath
SELECT '"\ud83dX"'::jsonpath, '"\ude04X"'::jsonpath
SELECT '"\ud83d\ude04\ud83d\udc36"'::jsonpath, '$."\u{41}\u{1F600}"'::jsonpath, '"\\u0024 \\u00"'::jsonpath
SELECT '$."\u{"'::jsonpath
