"""Statements about composite types and rows, one a line, for `test_composites`."""

# ruff: noqa: E501 -- one statement a line

USED = r"""
    CREATE TYPE pair AS (r float8, i float8)
    CREATE TYPE author AS (given text, family text)
    CREATE TYPE box2 AS (low pair, high pair)
    CREATE TYPE empty AS ()
    CREATE TYPE pair AS (a int)
    CREATE TYPE bad AS (a missing)
    CREATE TYPE bad AS (a int, a text)
    CREATE TYPE bad AS (a serial)
    SELECT (0.5,8.25)::pair, row((1.5,2.5),(3.5,null))::box2
    SELECT row('Ada', 'Byron')::author, '(Ada,Byron)'::author
    SELECT '(Ada,de Byron)'::author, '(Ada,O''Byron)'::author
    SELECT '(Ada,"de""Byron")'::author, E'(Ada,d\\\\Byron)'::author
    SELECT '(Ada,"Byron,Jr")'::author
    SELECT '(Ada,)'::author
    SELECT '(Ada)'::author
    SELECT '(Ada,,)'::author
    SELECT '[]'::author
    SELECT ' (Ada,Byron)  '::author
    SELECT '(Ada,Byron) /'::author
    SELECT '(1,x)'::pair
    SELECT ''::author
    SELECT '(Ada,"Byron)'::author
    SELECT '(Ada,Byron'::author
    SELECT row(1,2,3)::pair
    SELECT row(1)::pair
    SELECT row('a','b')::pair
    SELECT row(true,1)::pair
    SELECT 1::pair
    SELECT (SELECT row(1,2))::pair
    SELECT ('(1,2)'::text)::pair
    SELECT (row(1,2)::pair)::text, (row(1,2)::pair)::varchar
    SELECT (row(1,2)::pair)::author
    SELECT (row(1,2)::pair)::int
    CREATE TABLE boxes (n int PRIMARY KEY, q box2)
    INSERT INTO boxes VALUES (1, ((1.5,2.5),(3.5,4.25)))
    INSERT INTO boxes VALUES (2, ((null,2.5),(3.5,4.25)))
    INSERT INTO boxes VALUES (3, null)
    SELECT * FROM boxes ORDER BY n
    SELECT n, q.low FROM boxes ORDER BY n
    SELECT n, (q).low, (x.q).low.i FROM boxes x ORDER BY n
    SELECT n, ((q).low).r, (q).high FROM boxes ORDER BY 1
    SELECT (q).missing FROM boxes
    SELECT (q).* FROM boxes ORDER BY n
    SELECT ((q).low).* FROM boxes ORDER BY n
    SELECT (n).x FROM boxes
    CREATE TABLE writers (id int PRIMARY KEY, who author, born date)
    INSERT INTO writers VALUES (1, '(Ada,Byron)', '1915-12-10')
    INSERT INTO writers VALUES (2, row('Mary','Byron'), '1897-08-30'), (3, ('Ann',null), '1913-05-02')
    INSERT INTO writers VALUES (4, 5, null)
    INSERT INTO writers VALUES (4, row('a'), null)
    INSERT INTO writers VALUES (4, 'x', null)
    SELECT * FROM writers ORDER BY id
    UPDATE writers SET who.given = 'Zoe' WHERE (who).given = 'Mary' RETURNING *
    UPDATE writers SET who.given = 'x', who.family = 'y' WHERE id = 3 RETURNING who
    UPDATE writers SET who.missing = 'Zoe'
    UPDATE writers SET born.given = 'Zoe'
    UPDATE writers SET who.given = 1, who.given = 2
    UPDATE writers SET who.given = 'a', who = null
    UPDATE writers SET who = null WHERE id = 3
    UPDATE writers SET who.family = 'only' WHERE id = 3 RETURNING who
    UPDATE boxes SET q.low.r = 21 WHERE n = 2 RETURNING *
    UPDATE boxes SET q.low.r = 31 WHERE n = 3 RETURNING *
    INSERT INTO writers (id, who.given) VALUES (10, 'Half') RETURNING *
    INSERT INTO writers (id, who.given, who.family) VALUES (11, 'Half', 'Rest') RETURNING *
    INSERT INTO writers (id, who.given) SELECT 12, 'sel' RETURNING *
    INSERT INTO boxes (n, q.low.r, q.high.i) VALUES (7, 71, 73) RETURNING *
    INSERT INTO writers (id, who.given, who) VALUES (13, 'Half', null)
    SELECT who FROM writers ORDER BY who, id
    SELECT who FROM writers ORDER BY who DESC NULLS LAST, id
    SELECT who, count(*) FROM writers GROUP BY who ORDER BY who
    SELECT DISTINCT who FROM writers ORDER BY 1
    SELECT id FROM writers WHERE who = row('Ada','Byron') ORDER BY id
    SELECT id FROM writers WHERE who = row('Ada'::text,'Byron'::text) ORDER BY id
    SELECT id FROM writers WHERE who = row('Ada','Byron')::author ORDER BY id
    SELECT id FROM writers WHERE who = '(Ada,Byron)' ORDER BY id
    SELECT id FROM writers WHERE who > '(Ada,Byron)'::author ORDER BY id
    SELECT id FROM writers WHERE who IN ('(Ada,Byron)'::author, row('Zoe','Byron')::author) ORDER BY id
    SELECT id, who IS NULL, who IS NOT NULL FROM writers ORDER BY id
    SELECT row(null,null)::author IS NULL, row(null,1)::pair IS NULL, row(null,1)::pair IS NOT NULL
    SELECT who IS DISTINCT FROM row('Ada','Byron')::author FROM writers ORDER BY id
    SELECT count(who), count(*) FROM writers
    SELECT min(who) FROM writers
    SELECT row_to_json(who), to_jsonb(who) FROM writers ORDER BY id
    SELECT json_agg(who ORDER BY id) FROM writers
    SELECT array_agg(who ORDER BY id) FROM writers
    SELECT pg_typeof(who), pg_typeof(array[who]) FROM writers WHERE id = 1
    SELECT coalesce(who, row('no','one')::author) FROM writers ORDER BY id
    SELECT case when id = 1 then who end FROM writers ORDER BY id
    SELECT who FROM writers WHERE id = 1 UNION SELECT row('z','y')::author ORDER BY 1
    CREATE TABLE arrs (id int PRIMARY KEY, a pair[])
    INSERT INTO arrs VALUES (1, array[row(1,2)::pair, row(3,4)::pair]), (2, '{"(5,6)","(7,)"}'), (3, array[(1,2),(3,4)]::pair[]), (4, null), (5, '{}')
    SELECT id, a, a[1], (a[1]).r, array_length(a, 1), cardinality(a) FROM arrs ORDER BY id
    SELECT id, u FROM arrs, unnest(a) u ORDER BY id, u
    SELECT id, u.* FROM arrs, unnest(a) u ORDER BY id, r
    SELECT id, r, i FROM arrs, unnest(a) ORDER BY id, r
    SELECT * FROM unnest(array[row(1,2)::pair, null, row(3,null)::pair])
    SELECT * FROM unnest(array[row(1,2)::pair]) WITH ORDINALITY
    SELECT * FROM unnest(array[row(1,2)::pair]) AS x(a, b)
    SELECT unnest(a) FROM arrs ORDER BY 1
    UPDATE arrs SET a[1] = row(9,9) WHERE id = 1 RETURNING a
    UPDATE arrs SET a[1].r = 10 WHERE id = 1 RETURNING a
    UPDATE arrs SET a[2] = '(8,8)' WHERE id = 2 RETURNING a
    SELECT row(1,2)::pair = any(a) FROM arrs ORDER BY id
    SELECT a || row(0,0)::pair FROM arrs ORDER BY id
    CREATE DOMAIN posc AS pair CHECK ((VALUE).r > 0)
    SELECT row(1,2)::posc
    SELECT row(-1,2)::posc
    CREATE TABLE dt (id int PRIMARY KEY, d posc)
    INSERT INTO dt VALUES (1, row(1,2)), (2, null)
    INSERT INTO dt VALUES (3, row(-1,2))
    SELECT *, (d).r FROM dt ORDER BY id
    DROP TYPE pair
    DROP TYPE author
    DROP TYPE empty
    CREATE TEMP TABLE tt (id int, c pair)
    INSERT INTO tt VALUES (1, row(1,2))
    SELECT (c).* FROM tt
    CREATE VIEW vq AS SELECT n, (q).low AS low FROM boxes
    SELECT * FROM vq ORDER BY 1
    SELECT (low).r FROM vq ORDER BY n
    CREATE TABLE ctas AS SELECT 1 AS id, row(1,2)::pair AS c
    SELECT * FROM ctas
    CREATE TABLE ctas2 AS SELECT row(1,2) AS c
    """

ALTERED = r"""
    CREATE TYPE c1 AS (a int, b text)
    CREATE TABLE t (id int PRIMARY KEY, c c1)
    INSERT INTO t VALUES (1, row(1,'x'))
    ALTER TYPE c1 ADD ATTRIBUTE d numeric(6,2)
    SELECT * FROM t
    INSERT INTO t VALUES (2, row(2,'y',3.456))
    SELECT * FROM t ORDER BY id
    ALTER TYPE c1 ADD ATTRIBUTE d int
    ALTER TYPE c1 DROP ATTRIBUTE b
    SELECT * FROM t ORDER BY id
    SELECT (c).d FROM t ORDER BY id
    SELECT (c).b FROM t ORDER BY id
    ALTER TYPE c1 DROP ATTRIBUTE b
    ALTER TYPE c1 DROP ATTRIBUTE IF EXISTS b
    ALTER TYPE c1 RENAME ATTRIBUTE a TO aa
    ALTER TYPE c1 RENAME ATTRIBUTE a TO aa
    ALTER TYPE c1 RENAME ATTRIBUTE aa TO d
    SELECT (c).aa FROM t ORDER BY id
    ALTER TYPE c1 ALTER ATTRIBUTE aa TYPE bigint
    ALTER TYPE c1 ALTER ATTRIBUTE aa SET DATA TYPE text
    CREATE TYPE c2 AS (a int, b text)
    ALTER TYPE c2 ALTER ATTRIBUTE a TYPE bigint, ADD ATTRIBUTE z date, DROP ATTRIBUTE b
    SELECT row(1,'2020-01-01')::c2
    ALTER TYPE c2 RENAME TO c3
    SELECT row(1,null)::c2
    SELECT row(1,null)::c3
    CREATE SCHEMA s
    ALTER TYPE c3 SET SCHEMA s
    SELECT row(1,null)::s.c3
    DROP TYPE s.c3
    CREATE TYPE inner1 AS (x int)
    CREATE TYPE outer1 AS (i inner1, n int)
    DROP TYPE inner1
    ALTER TYPE inner1 ADD ATTRIBUTE y int
    SELECT row(row(1,2),3)::outer1
    DROP TYPE inner1, outer1
    DROP TYPE IF EXISTS nosuch1
    ALTER TYPE nosuch1 ADD ATTRIBUTE x int
    CREATE TYPE en AS ENUM ('a','b')
    ALTER TYPE en ADD ATTRIBUTE x int
    ALTER TYPE c1 ADD VALUE 'x'
    CREATE TYPE we AS (e en, n int)
    SELECT row('a', 1)::we
    SELECT row('q', 1)::we
    ALTER TYPE en RENAME VALUE 'a' TO 'aa'
    SELECT row('aa', 1)::we
    DROP TYPE en
    SELECT typname, typtype, typcategory, typlen, typrelid <> 0 AS rel, typarray <> 0 AS arr, typinput::text, typoutput::text, typreceive::text, typsend::text, typalign, typstorage FROM pg_type WHERE typname IN ('we', '_we', 't', '_t', 'outer1') ORDER BY typname
    SELECT relname, relkind, relnatts, reltype <> 0 AS t FROM pg_class WHERE relname IN ('we', 't') ORDER BY relname
    SELECT attname, attnum, atttypid::regtype, atttypmod, attisdropped FROM pg_attribute WHERE attrelid = (SELECT typrelid FROM pg_type WHERE typname = 'we') AND attnum > 0 ORDER BY attnum
    SELECT 'we'::regtype, 't'::regtype, 't[]'::regtype, 'we'::regclass
    SELECT t FROM t ORDER BY id
    SELECT t.* FROM t ORDER BY id
    SELECT pg_typeof(t) FROM t LIMIT 1
    SELECT NULL::t, (NULL::t).id
    SELECT (t).id, (t).c FROM t ORDER BY id
    SELECT row(5, row(1, 2.5))::t
    SELECT (row(5, row(1, 2.5))::t).*
    SELECT '(7,"(8,9.999)")'::t
    SELECT array_agg(t ORDER BY id) FROM t
    SELECT pg_typeof(array_agg(t)) FROM t
    SELECT row_to_json(t) FROM t ORDER BY id
    SELECT row_to_json(row(1,'a'))
    SELECT row_to_json(row(1,'a')::s.c3)
    SELECT * FROM json_populate_record(null::t, '{"id": 5, "c": {"aa": 1, "d": 2.345}}')
    SELECT * FROM jsonb_populate_record(null::t, '{"id": 5, "c": {"aa": 1, "d": 2.345}}')
    SELECT json_populate_record(null::t, '{"id": 5, "c": {"aa": 1, "d": 2.345}}')
    SELECT (json_populate_record(null::t, '{"id": 5, "c": {"aa": 1, "d": 2.345}}')).*
    SELECT json_populate_record(row(1,row(2,3))::t, '{"id": 5}')
    SELECT json_populate_record(row(1,row(2,3))::t, '{"c": {"d": 4}}')
    SELECT jsonb_populate_record(row(1,row(2,3))::t, '{"c": null}')
    SELECT * FROM json_populate_recordset(null::t, '[{"id": 5}, {"c": {"aa": 3}}, {"c": "(1,2)"}]')
    SELECT * FROM jsonb_populate_recordset(row(1,null)::t, '[{"id": 5}, {"c": {"aa": 3}}]')
    SELECT * FROM json_populate_record(null::t, '{"c": [1]}')
    SELECT * FROM json_populate_record(null::t, '{"id": "x"}')
    SELECT * FROM json_populate_record(null::c1, '{"aa": "12", "d": [1]}')
    SELECT json_populate_record(1, '{"c": [1]}')
    SELECT json_populate_record(null::t, '[1]')
    SELECT json_populate_record(null::t, '3')
    SELECT * FROM jsonb_to_record('{"a": 1, "b": {"aa": 3, "d": 4}, "c": [{"aa": 1}]}') AS x(a int, b c1, c c1[])
    SELECT * FROM json_to_recordset('[{"a": 1, "b": {"aa": 3, "d": 4}}]') AS x(a int, b c1)
    CREATE VIEW tv AS SELECT id, c FROM t
    SELECT tv FROM tv ORDER BY id
    SELECT pg_typeof(tv) FROM tv LIMIT 1
    SELECT null::tv
    SELECT x FROM (SELECT 1 AS a, 'q' AS b) x
    SELECT pg_typeof(x) FROM (SELECT 1 AS a, 'q' AS b) x
    SELECT array[row(1,'a'), row(2,'b')]
    SELECT array_agg(row(1,'a'))
    SELECT array_agg(row(x, 'a') ORDER BY x DESC) FROM generate_series(1,3) x
    SELECT array_agg(x) FROM (SELECT 1 AS a, 'q' AS b) x
    SELECT pg_typeof(array[row(1,'a')])
    SELECT row(1,2) = any(array[row(1,2), row(3,4)])
    SELECT row(1,2) = any(array[row(1,3), row(3,4)])
    SELECT array[row(1,2), row(3,4)] = array[row(1,2), row(3,4)]
    SELECT unnest(array[row(1,2), row(3,4)])
    SELECT * FROM unnest(array[row(1,2)])
    SELECT cardinality(array[row(1,2), row(3,4)]), array_length(array[array[row(1,2)], array[row(3,4)]], 2)
    SELECT array[row(1,2)] || row(3,4)
    SELECT (array[row(1,2), row(3,4)])[2]
    SELECT array_to_json(array[row(1,2), row(3,4)])
    SELECT row_to_json(row(1, array[row(2,3)]))
    SELECT count(distinct row(a, b)) FROM (VALUES (1,2),(1,2),(2,3)) v(a,b)
    SELECT row(1,row(2,3)), row(row()), row()
    DROP TABLE t CASCADE
    DROP TYPE c1 CASCADE
    CREATE TYPE cc AS (a int)
    CREATE TABLE ccu (id int, x cc, y cc[])
    DROP TYPE cc
    COMMENT ON TYPE we IS 'hello'
    SELECT obj_description('we'::regtype, 'pg_type')
    CREATE TABLE we (a int)
    CREATE TYPE ccu AS (a int)
    """

PARTS = r"""
    CREATE TYPE addr AS (street text, no int, tags text[])
    CREATE TABLE home (id int PRIMARY KEY, a addr, as_ addr[])
    INSERT INTO home VALUES (1, row('x y', 3, '{a,b}'), array[row('q',1,null)::addr])
    UPDATE home SET a.tags[2] = 'z', a.no = 4 RETURNING *
    UPDATE home SET as_[1].street = 'r', as_[2] = row('s', 2, '{}') RETURNING *
    UPDATE home SET a.tags[2:3] = array['m','n'] RETURNING *
    UPDATE home SET a.tags[1:3] = array['m','n']
    UPDATE home SET a.tags[5:5] = array['m','n'] RETURNING *
    UPDATE home SET a = DEFAULT, as_[1].no = 5 RETURNING *
    UPDATE home SET a.no = DEFAULT
    SELECT (a).tags[2], (as_[2]).street, (as_[1]).* FROM home
    INSERT INTO home (id, a.tags[1], a.no) VALUES (2, 't', 9) RETURNING *
    INSERT INTO home (id, as_[1].no) VALUES (3, 9) RETURNING *
    INSERT INTO home (id, a.street, a.street) VALUES (4, 'x', 'y') RETURNING *
    INSERT INTO home (id, a.street) VALUES (5, DEFAULT)
    INSERT INTO home (id, a.street) SELECT 6, 'a' UNION ALL SELECT 7, 'b' ORDER BY 1 RETURNING *
    INSERT INTO home (id, a.no) SELECT DISTINCT 8, 3 RETURNING *
    CREATE TEMP TABLE tmp (a addr)
    INSERT INTO tmp SELECT a FROM home WHERE id = 2
    SELECT * FROM tmp
    DROP TYPE home
    ALTER TYPE home RENAME TO x
    ALTER TYPE home ADD ATTRIBUTE x int
    ALTER TABLE home ADD COLUMN z int DEFAULT 7
    SELECT home FROM home WHERE id IN (2, 3) ORDER BY id
    ALTER TABLE home RENAME TO house
    SELECT null::house, pg_typeof(null::house)
    SELECT null::home
    ALTER TYPE addr RENAME ATTRIBUTE no TO number
    SELECT (a).number, (house).z FROM house WHERE id = 2
    CREATE TABLE slices (id int PRIMARY KEY, a int[], m int[][])
    INSERT INTO slices VALUES (1, '{1,2,3,4}', null), (2, null, null), (3, '{}', null)
    UPDATE slices SET a[2:3] = '{20,30}' WHERE id = 1 RETURNING a
    UPDATE slices SET a[3:6] = '{7,8,9,10,11}' WHERE id = 1 RETURNING a
    UPDATE slices SET a[9:10] = '{1,2}' WHERE id = 1 RETURNING a
    UPDATE slices SET a[1:2] = '{5,6}' WHERE id > 1 RETURNING a
    UPDATE slices SET a[:2] = '{50,60}' WHERE id = 2 RETURNING a
    UPDATE slices SET a[2:] = '{70}' WHERE id = 2 RETURNING a
    UPDATE slices SET a[:] = '{8,9}' WHERE id = 2 RETURNING a
    UPDATE slices SET a[2:1] = '{1}'
    UPDATE slices SET a[1:2] = '{1}'
    UPDATE slices SET a[1:2] = null WHERE id = 2 RETURNING a
    UPDATE slices SET a[null:2] = '{1,2}'
    UPDATE slices SET a[1:2] = 5
    UPDATE slices SET a[1:2][1:1] = '{1,2}' WHERE id = 2
    UPDATE slices SET a = null WHERE id = 3
    UPDATE slices SET a[:2] = '{1,2}' WHERE id = 3
    INSERT INTO slices (id, a[1:2]) VALUES (4, '{1,2,3}') RETURNING a
    INSERT INTO slices VALUES (1) ON CONFLICT (id) DO UPDATE SET a[1:1] = '{99}' RETURNING a
    """

ROWS = r"""
    CREATE TABLE t (id int PRIMARY KEY, name text)
    INSERT INTO t VALUES (1,'a'),(2,null)
    SELECT ARRAY[t, t] FROM t ORDER BY id
    SELECT ARRAY[ROW(1)]::record[] FROM t
    SELECT ARRAY(SELECT ROW(id, name) FROM t ORDER BY id) FROM t
    SELECT ARRAY(SELECT x FROM t x ORDER BY id) FROM t
    SELECT array_agg(t) OVER (ORDER BY id) FROM t ORDER BY id
    SELECT array_append(NULL, ROW(1, 2)) FROM t
    SELECT NULL::record[] || ROW(1) FROM t
    SELECT ROW(1) = ANY (ARRAY[ROW(1)]) FROM t
    SELECT ARRAY[ROW(1,2), ROW(1,'x')] FROM t
    SELECT ARRAY[ROW(1,2), NULL, ROW(3,4)] FROM t
    SELECT ARRAY[ARRAY[ROW(1,2)], ARRAY[ROW(3,4)]] FROM t
    SELECT (ARRAY[ROW(1,2)])[1] FROM t
    SELECT array_agg(ROW(id, name) ORDER BY id) FROM t
    SELECT array_agg(t ORDER BY id) FROM t
    SELECT ARRAY[ROW(id, 1)] AS a FROM t ORDER BY a DESC
    SELECT count(*) FROM t a JOIN t b ON ARRAY[a] = ARRAY[b]
    SELECT row_to_json(ROW(ARRAY[t], t)) FROM t ORDER BY id
    SELECT to_jsonb(ARRAY[t, t]) FROM t ORDER BY id
    SELECT x FROM unnest((SELECT array_agg(t ORDER BY id) FROM t)) x
    SELECT (x).name, x.id FROM unnest((SELECT array_agg(t ORDER BY id) FROM t)) x ORDER BY 2
    SELECT array_position(ARRAY[ROW(1,2), ROW(3,4)], ROW(3,4))
    SELECT array_to_string(ARRAY[ROW(1,2), ROW(3,4)], ';')
    SELECT ROW(1,2) IN (SELECT id, 2 FROM t), ROW(1,2) = (SELECT 1, 2)
    SELECT max(t.*::text), count(t.*) FROM t
    SELECT t.*::t FROM t ORDER BY id
    SELECT (t.*)::text FROM t ORDER BY id
    SELECT t::text::t FROM t ORDER BY id
    SELECT t = ROW(1,'a')::t, t <> t, t IS NOT DISTINCT FROM t FROM t ORDER BY id
    SELECT t FROM t GROUP BY t ORDER BY t DESC
    SELECT t IS NULL, t IS NOT NULL FROM t ORDER BY id
    SELECT a FROM t a ORDER BY a.name NULLS FIRST
    UPDATE t SET name = 'z' WHERE t = ROW(1,'a') RETURNING t
    DELETE FROM t WHERE t = '(2,)'::t RETURNING t, t.*
    INSERT INTO t SELECT (ROW(9,'n')::t).* RETURNING t
    INSERT INTO t VALUES (9, 'm') ON CONFLICT (id) DO UPDATE SET name = (excluded).name || (t).name RETURNING t
    SELECT (SELECT t FROM t WHERE id = 9)
    SELECT ((SELECT t FROM t WHERE id = 9)).name
    WITH w AS (SELECT t FROM t) SELECT (t).id, w FROM w ORDER BY 1
    SELECT CASE WHEN true THEN ROW(1,2) END
    SELECT coalesce(NULL::t, ROW(1,'x')::t)
    SELECT lag(t) OVER (ORDER BY id) FROM t ORDER BY id
    SELECT t FROM t UNION ALL SELECT ROW(7,'u')::t ORDER BY 1
    SELECT t FROM t UNION ALL SELECT ROW(7,'u') ORDER BY 1
    SELECT ROW(1, 2) UNION SELECT ROW(1, 2)
    SELECT pg_typeof(ROW(1,2)), pg_typeof(t), pg_typeof(t.*) FROM t LIMIT 1
    SELECT * FROM t x, LATERAL (SELECT x) y ORDER BY x.id
    SELECT json_populate_record(t, '{"name":"jp"}') FROM t ORDER BY id
    SELECT (json_populate_recordset(NULL::t, '[{"id":1},{"name":"q"}]')).*
    SELECT jsonb_populate_record(ROW(1,2), '{"f1":5}')
    SELECT (ROW(1,2)).f3
    SELECT ROW(1,2).f1
    SELECT ROW(t.*, 5), ROW(t, 5) FROM t ORDER BY id
    SELECT num_nulls(t.*) FROM t
    SELECT format('%s %s', t, t.name) FROM t ORDER BY id
    """

DEFINED = r"""
    select * from unnest(array[row(1,2), row(3,4)]) AS x(a int, b int)
    select * from unnest(array[row(1,'p'), row(3,'q')]) AS x(a int, b text)
    select * from unnest(array[row(1,'p'::text), row(3,'q'::text)]) AS x(a int, b text)
    select * from unnest(array[row(1,2)]) AS x(a int)
    select * from unnest(array[row(1,2)]) AS x(a int, b text)
    select * from unnest(array[row(1,2)]) AS x(a int, b bigint)
    select * from unnest(array[row(1,2), null]) AS x(a int, b int)
    select * from unnest(array[row(1)]) AS x(a int, b bigint)
    select * from json_populate_record(row(1,2), '{"f1":5}') AS x(a int, b int)
    select * from json_populate_recordset(row(1,2), '[{"f1":5},{"f2":6}]') AS x(a int, b int)
    select * from unnest(array[row(1,2)])
    select x from unnest(array[row(1,2)]) AS x(a int, b int)
    select a.id, x.b from (values (1),(2)) a(id), unnest(array[row(a.id, a.id * 2)]) as x(a int, b int) order by 1
    select * from (select array_agg(row(g, g::text)) as r from generate_series(1,3) g) s, unnest(r) as x(n int, t text) order by n
    """

MORE_ROWS = r"""
    CREATE TEMP TABLE label (head text, tail text)
    CREATE TABLE counts (low int8, high int8)
    INSERT INTO counts VALUES (7, 70), (7, 9000000000000000000), (9000000000000000000, 7)
    CREATE TYPE tag AS (head text, tail text)
    SELECT row('a', 'b')::label, '(a,b)'::label, '(a,b)'::tag
    SELECT ROW('x', 'y') ~~ ROW('y', 'x')
    SELECT ROW(5, 6) IN (ROW(7, 8), ROW(5, 6::int8))
    SELECT * FROM counts c WHERE c IN (row(7, 70))
    SELECT * FROM counts c WHERE c IN (row(7, 70)::counts, '(9000000000000000000,7)') ORDER BY 1
    SELECT (row(4, 3.5)).f1, (row(4, 3.5)).f2
    SELECT (row(4, 3.5)).missing
    SELECT (row(4, 3.5)).*
    SELECT (v).f1 FROM (SELECT row(4, 3.5) AS v) x
    SELECT (v).f3 FROM (SELECT row(4, 3.5) AS v) x
    SELECT (v).* FROM (SELECT row(4, 3.5) AS v) x
    SELECT ROW()
    SELECT ROW() IS NULL
    SELECT ROW() = ROW()
    SELECT row(2, 'b') = any (array[row(1, 'a'), row(2, 'b')]), row(2, 'b') = any (array[row(2, 'c')])
    CREATE TYPE holds_json AS (j json, n int)
    CREATE TEMP TABLE holders (h holds_json)
    INSERT INTO holders VALUES ('("{}",3)'), ('("[1]",6)')
    SELECT * FROM holders ORDER BY h
    SELECT DISTINCT h FROM holders
    SELECT h = h FROM holders
    CREATE TYPE two_numbers AS (a int, b int)
    CREATE TYPE number_text AS (a int, b text)
    CREATE TYPE one_number AS (a int)
    SELECT row(3, 4)::two_numbers < row(3, 'q')::number_text
    SELECT row(3, 4)::two_numbers <> row(3, 'q')::number_text
    SELECT row(3, 4)::two_numbers < row(3)::one_number
    CREATE TABLE stock (id int PRIMARY KEY, left_over numeric)
    CREATE TYPE delivery AS (id int, n numeric)
    INSERT INTO stock VALUES (1, 5), (2, 6), (3, 7.5)
    UPDATE stock SET left_over = left_over + d.n FROM unnest(array[(2, 10), (3, 0.25)]::delivery[]) d WHERE stock.id = d.id
    SELECT * FROM stock ORDER BY id
    CREATE TEMP TABLE narrow (n int, t text)
    INSERT INTO narrow VALUES (row(4, 'q'))
    INSERT INTO narrow VALUES ((row(4, 'q')::narrow).*)
    SELECT cast(label AS text) FROM label
    SELECT text(narrow), narrow.text FROM narrow
    SELECT (row('a b', 'c'))::text, text(row('a b', 'c')), (row('a b', 'c')).text
    SELECT row_to_json(c) FROM counts c ORDER BY low, high LIMIT 1
    SELECT row_to_json(c) FROM counts c(x, y) ORDER BY 1::text LIMIT 1
    SELECT row_to_json(s) FROM (SELECT low AS one, high FROM counts ORDER BY 1, 2 LIMIT 1) AS s(x, y)
    SELECT v, v IS NULL, v IS NOT NULL FROM (VALUES (5, row(6, 7)), (5, row(null, null)), (null, null), (null, row(6, null))) v(n, r)
    WITH v(n, r) AS MATERIALIZED (VALUES (5, row(6, 7)), (null, null)) SELECT v, v IS NULL, v IS NOT NULL FROM v
    SELECT s.n FROM (SELECT narrow AS s FROM narrow) x
    SELECT (s).n, (s).t FROM (SELECT narrow AS s FROM narrow) x
    SELECT (s).ctid FROM (SELECT narrow AS s FROM narrow) x
    SELECT (NULL::narrow).missing
    SELECT (NULL::narrow).n
    SELECT (NULL::narrow).oid
    SELECT array_agg(c) FROM counts c WHERE low = 1
    CREATE DOMAIN positive AS two_numbers CHECK ((VALUE).a > 0)
    SELECT (row(3, 4)::positive).b
    SELECT * FROM (SELECT counts FROM counts) x ORDER BY 1
    SELECT c.* = c FROM counts c
    SELECT count(*) FROM counts a JOIN counts b ON a = b
    SELECT counts IS DISTINCT FROM null FROM counts LIMIT 1
    INSERT INTO counts SELECT (c).* FROM counts c WHERE low = 7 RETURNING counts
    SELECT cashlarger('$3'::money, '$4.50'), cashsmaller('$3'::money, '$4.50')
    SELECT '$3'::money + '4.5', '100.10'::money / 3::float4, '70000000000000.07'::money / 7::bigint
    SELECT overlay(B'111000' placing '01' from 3 for 1), overlay(B'111000' placing '01' from 9)
    SELECT substring('1100'::bit(4) from -1 for 2147483646), substring('1100'::varbit from 3 for 2147483646)
    SELECT substring('1100'::bit(4) from -1 for -3)
    SELECT b' 1'
    SELECT x'f '
    CREATE TABLE flags (a bit(3) DEFAULT '101', b bit(3) DEFAULT B'010', c varbit(4) DEFAULT '11', d varbit(4) DEFAULT B'0')
    INSERT INTO flags DEFAULT VALUES
    TABLE flags
    SELECT '24:00:00.5 PST'::timetz
    SELECT timetz '11:30+01' + time with time zone '00:05'
    SELECT extract(fortnight FROM timetz '11:30:15.25+01'), date_part('microsecond', timetz '11:30:15.25+01')
    CREATE TYPE pp AS (a int, b text)
    CREATE TABLE star (a int, b text, c int)
    INSERT INTO star VALUES ((row(1,'x')::pp).*, 5), ((row(2,'y')::pp).*, 6) RETURNING *
    INSERT INTO star VALUES ((row(1,'x')::pp).*) RETURNING *
    INSERT INTO star VALUES ((row(1,'x')::pp).*, 2, 3)
    VALUES ((row(1,'x')::pp).*), (2, 'z')
    VALUES ((row(1,'x')::pp).*, 1)
    SELECT * FROM (VALUES ((row(1,'x')::pp).*)) v
    SELECT v.* FROM star p, LATERAL (VALUES (p.*)) v ORDER BY 1, 3
    INSERT INTO star (a, b) VALUES ((row(3,'w')::pp).*) RETURNING *
    INSERT INTO star VALUES (1,'x',2),((row(3,'w')::pp).*, 3)
    """

MADE = r"""
    CREATE TYPE pt AS (x int, y numeric, s text)
    CREATE TABLE big (id int PRIMARY KEY, p pt, ps pt[], u text)
    INSERT INTO big SELECT g, row(g % 7, (g % 5)::numeric / 10, case when g % 3 = 0 then null else 's' || g % 4 end)::pt, array[row(g, 1, 'a')::pt, null], 'u' FROM generate_series(1, 2000) g
    INSERT INTO big VALUES (5001, null, null, 'n'), (5002, row(null,null,null), '{}', 'n'), (5003, row(1, 1.0, 'x'), null, 'n'), (5004, row(1, 1.00, 'x'), null, 'n')
    """

MORE = r"""
    INSERT INTO big SELECT g, row(g % 7, (g % 5)::numeric / 10, 's' || g % 4)::pt, null, 'v' FROM generate_series(3001, 3300) g
    """

CHANGED = r"""
    UPDATE big SET p.x = 100 WHERE id % 100 = 0
    """

QUESTIONS = r"""
    SELECT count(*), count(p) FROM big
    SELECT p, count(*) FROM big GROUP BY p ORDER BY p
    SELECT DISTINCT p FROM big ORDER BY p DESC LIMIT 20
    SELECT p FROM big WHERE (p).x = 100 ORDER BY id LIMIT 5
    SELECT (p).x, sum((p).y), count(distinct p) FROM big GROUP BY 1 ORDER BY 1
    SELECT id FROM big WHERE p IS NULL ORDER BY id
    SELECT count(*) FROM big WHERE p IS NOT NULL
    SELECT id FROM big WHERE p = row(1, 1.0::numeric, 'x'::text)::pt ORDER BY id
    SELECT id FROM big WHERE p = row(1, 1.0, 'x'::text) ORDER BY id
    SELECT id FROM big WHERE p >= row(100, 0, 'a')::pt ORDER BY id LIMIT 3
    SELECT a.id, b.id FROM big a JOIN big b ON a.p = b.p WHERE a.id IN (5003, 5004, 100) AND b.id > 1500 ORDER BY 1, 2 LIMIT 10
    SELECT id, (ps[1]).x FROM big WHERE (ps[1]).x < 5 ORDER BY id
    SELECT id, u.x, u.s FROM big, unnest(ps) u WHERE id < 4 ORDER BY id, u.x
    SELECT big FROM big WHERE id IN (1, 3100, 5001) ORDER BY id
    SELECT (big).p FROM big WHERE id IN (1, 3100, 5001) ORDER BY id
    SELECT array_agg(p ORDER BY p, id) FROM big WHERE id < 12
    SELECT row_to_json(big) FROM big WHERE id = 3
    SELECT max(id) FROM big GROUP BY (p).s ORDER BY 1
    SELECT p, row_number() OVER (PARTITION BY (p).x ORDER BY p, id) FROM big WHERE id < 30 ORDER BY id
    SELECT rank() OVER (ORDER BY p) FROM big WHERE id < 10 ORDER BY id
    SELECT p FROM big WHERE id < 4 EXCEPT SELECT row(1, 0.1, 's1')::pt ORDER BY 1
    SELECT (SELECT b.p FROM big b WHERE b.id = a.id + 1) FROM big a WHERE a.id < 4 ORDER BY a.id
    SELECT id FROM big WHERE p IN (SELECT p FROM big WHERE id = 7) ORDER BY id LIMIT 3
    SELECT coalesce(p, row(0,0,'none')::pt) FROM big WHERE id > 5000 ORDER BY id
    SELECT count(*) FROM big a FULL JOIN (SELECT * FROM big WHERE id < 10) b ON a.p = b.p
    SELECT b FROM big a LEFT JOIN (SELECT * FROM big WHERE id < 3) b USING (id) WHERE a.id < 5 ORDER BY a.id
    SELECT b FROM (VALUES (1),(9999)) v(id) LEFT JOIN big b ON v.id = b.id ORDER BY v.id
    SELECT b IS NULL FROM (VALUES (1),(9999)) v(id) LEFT JOIN big b ON v.id = b.id ORDER BY v.id
    """

LATER = r"""
    ALTER TYPE pt ADD ATTRIBUTE z int
    SELECT p, (p).z FROM big WHERE id IN (1, 100, 3100, 5001) ORDER BY id
    UPDATE big SET p.z = 5 WHERE id = 100 RETURNING p
    ALTER TYPE pt DROP ATTRIBUTE y
    SELECT p FROM big WHERE id IN (1, 100, 3100, 5001, 5003) ORDER BY id
    SELECT count(*) FROM big WHERE p = row(1, 'x', null)::pt
    INSERT INTO big VALUES (1, row(1,'up',1)) ON CONFLICT (id) DO UPDATE SET p = excluded.p, u = (excluded.p).s RETURNING *
    INSERT INTO big VALUES (1, row(1,'up',1)) ON CONFLICT (id) DO UPDATE SET p.s = 'conf' RETURNING *
    DELETE FROM big WHERE (p).x = 1 AND id < 20
    WITH c AS (SELECT p FROM big WHERE id = 2) SELECT (p).*, c FROM c
    PREPARE q(pt) AS SELECT id FROM big WHERE p = $1 ORDER BY id LIMIT 2
    EXECUTE q('(2,s2,)')
    EXECUTE q(row(2,'s2',null))
    PREPARE ins AS INSERT INTO big (id, p) VALUES ($1, $2) RETURNING p
    EXECUTE ins(7001, '(1,q,2)')
    EXECUTE ins(7002, row(1,'q',2))
    CREATE TABLE defs (id int PRIMARY KEY, p pt DEFAULT row(1,'d',2) NOT NULL, CHECK ((p).x > 0))
    INSERT INTO defs VALUES (1)
    INSERT INTO defs VALUES (2, row(-1,'d',2))
    INSERT INTO defs VALUES (3, null)
    INSERT INTO defs VALUES (4, row(null,null,null))
    SELECT * FROM defs ORDER BY id
    ALTER TABLE defs ADD COLUMN q pt DEFAULT row(9,'q',null)
    SELECT * FROM defs ORDER BY id
    ALTER TABLE defs ALTER COLUMN q TYPE text
    SELECT * FROM defs ORDER BY id
    ALTER TABLE defs ALTER COLUMN q DROP DEFAULT
    ALTER TABLE defs ALTER COLUMN q TYPE pt USING q::pt
    SELECT (q).s FROM defs ORDER BY id
    BEGIN
    CREATE TYPE tx AS (a int)
    CREATE TABLE txt (t tx)
    INSERT INTO txt VALUES (row(1))
    ALTER TYPE tx ADD ATTRIBUTE b int
    SELECT * FROM txt
    ROLLBACK
    SELECT row(1)::tx
    SELECT * FROM (VALUES (row(1,'a',2)::pt), (null)) v(c) ORDER BY c
    SELECT (array[row(1,'a',2)::pt])[1].x
    SELECT ((array[row(1,'a',2)::pt])[1]).x
    SELECT (p).x + 1, upper((p).s) FROM big WHERE id = 3
    SELECT x.p.x FROM big x WHERE id = 3
    SELECT p.x FROM big WHERE id = 3
    SELECT p(big) FROM big WHERE id = 3
    SELECT big.p FROM big WHERE id = 3
    SELECT x(p) FROM big WHERE id = 3
    SELECT (pt '(1,a,2)').s
    SELECT row(1,2)::pt
    SELECT jsonb_agg(p) FROM big WHERE id < 4
    SELECT to_json(array_agg(p)) FROM big WHERE id < 4
    SELECT json_build_object('p', p) FROM big WHERE id = 3
    SELECT concat(p, '!'), format('%s', p), p::text || 'x' FROM big WHERE id = 3
    SELECT p || 'x' FROM big WHERE id = 3
    SELECT length(p::text), md5(p::text) FROM big WHERE id = 3
    SELECT string_agg(p::text, ';' ORDER BY id) FROM big WHERE id < 6
    SELECT nullif(p, row(1,'a',2)::pt) FROM big WHERE id = 3
    SELECT greatest(p, row(1,'a',2)::pt) FROM big WHERE id = 3
    SELECT p BETWEEN row(1,'a',2)::pt AND row(4,'a',2)::pt FROM big WHERE id = 3
    SELECT row(p, 1) FROM big WHERE id = 3
    SELECT num_nulls(p), num_nonnulls(p) FROM big WHERE id > 5000 ORDER BY id
    SELECT first_value(p) OVER (ORDER BY id), lag(p) OVER (ORDER BY id) FROM big WHERE id < 5 ORDER BY id
    SELECT array_position(ps, null), array_length(ps, 1) FROM big WHERE id = 3
    SELECT array_remove(ps, null) FROM big WHERE id = 3
    SELECT ps[1:1] FROM big WHERE id = 3
    SELECT * FROM generate_series(1,2) g, LATERAL (SELECT row(g,'x',g)::pt AS c) l
    SELECT (l.c).* FROM generate_series(1,2) g, LATERAL (SELECT row(g,'x',g)::pt AS c) l
    """

PASSED = r"""
    CREATE TYPE couple AS (a int, b text)
    CREATE TYPE couples AS (p couple, n numeric(6,2))
    CREATE FUNCTION fp(p couple) RETURNS text LANGUAGE sql AS 'SELECT (p).a || coalesce((p).b, ''?'')'
    CREATE FUNCTION fd(p couples) RETURNS text LANGUAGE sql AS 'SELECT (p).n::text || fp((p).p)'
    CREATE FUNCTION over(p couple) RETURNS text LANGUAGE sql AS 'SELECT ''couple'''
    CREATE FUNCTION over(p couples) RETURNS text LANGUAGE sql AS 'SELECT ''couples'''
    CREATE FUNCTION fany(p anyelement) RETURNS anyelement LANGUAGE sql AS 'SELECT p'
    CREATE TABLE given (id int PRIMARY KEY, b text)
    INSERT INTO given VALUES (1, 'x'), (2, NULL)
    CREATE FUNCTION fw(p given) RETURNS int LANGUAGE sql AS 'SELECT (p).id'
    SELECT fp(ROW(1, 'x'))
    SELECT fp((1, 'x'))
    SELECT fp(ROW(1, NULL))
    SELECT fp(ROW(1))
    SELECT fp(ROW(1, 2))
    SELECT fp(ROW(1, 'x', 3))
    SELECT fp(ROW('1', 'x'))
    SELECT fp(ROW(1.5, 'x'))
    SELECT fp(ROW('q', 'x'))
    SELECT fp(p => ROW(3, 'z'))
    SELECT fd(ROW(ROW(1, 'x'), 2.345))
    SELECT fd(ROW(ROW(1, 'x')::couple, 2))
    SELECT over(ROW(1, 'x'))
    SELECT fp(ROW(id, b)) FROM given ORDER BY id
    SELECT fw(ROW(1, 'x'))
    SELECT fw(given) FROM given ORDER BY 1
    SELECT fp(r) FROM (SELECT ROW(1, 'x') AS r) s
    SELECT fp((SELECT ROW(1, 'x')))
    SELECT fp(ROW(given.*)) FROM given ORDER BY 1
    SELECT fp(given.*) FROM given
    SELECT fp(NULL)
    SELECT fp('(4,r)')
    SELECT * FROM fp(ROW(1, 'x'))
    SELECT fp(CASE WHEN true THEN ROW(1, 'x') END)
    SELECT fp(ROW())
    SELECT pg_typeof(fp(ROW(1, 'x')))
    SELECT count(fp(ROW(id, b))) FROM given
    PREPARE q(int) AS SELECT fp(ROW($1, 'x'))
    EXECUTE q(5)
    """
