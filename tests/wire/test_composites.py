"""Composite types and rows as values: side by side with PostgreSQL 15, hot and cold, and through the drivers."""

# ruff: noqa: E501 -- one statement a line

import asyncio
from datetime import date
from decimal import Decimal

import asyncpg
import pg8000.native
import psycopg
import pytest
from psycopg.types.composite import CompositeInfo, register_composite

from tests.wire.server import PASSWORD, KalamServer
from tests.wire.side_by_side import Side, differences

USED = r"""
    CREATE TYPE complex AS (r float8, i float8)
    CREATE TYPE fullname AS (first text, last text)
    CREATE TYPE quad AS (c1 complex, c2 complex)
    CREATE TYPE empty AS ()
    CREATE TYPE complex AS (a int)
    CREATE TYPE bad AS (a nosuch)
    CREATE TYPE bad AS (a int, a text)
    CREATE TYPE bad AS (a serial)
    SELECT (1.1,2.2)::complex, row((3.3,4.4),(5.5,null))::quad
    SELECT row('Joe', 'Blow')::fullname, '(Joe,Blow)'::fullname
    SELECT '(Joe,von Blow)'::fullname, '(Joe,d''Blow)'::fullname
    SELECT '(Joe,"von""Blow")'::fullname, E'(Joe,d\\\\Blow)'::fullname
    SELECT '(Joe,"Blow,Jr")'::fullname
    SELECT '(Joe,)'::fullname
    SELECT '(Joe)'::fullname
    SELECT '(Joe,,)'::fullname
    SELECT '[]'::fullname
    SELECT ' (Joe,Blow)  '::fullname
    SELECT '(Joe,Blow) /'::fullname
    SELECT '(1,x)'::complex
    SELECT ''::fullname
    SELECT '(Joe,"Blow)'::fullname
    SELECT '(Joe,Blow'::fullname
    SELECT row(1,2,3)::complex
    SELECT row(1)::complex
    SELECT row('a','b')::complex
    SELECT row(true,1)::complex
    SELECT 1::complex
    SELECT (SELECT row(1,2))::complex
    SELECT ('(1,2)'::text)::complex
    SELECT (row(1,2)::complex)::text, (row(1,2)::complex)::varchar
    SELECT (row(1,2)::complex)::fullname
    SELECT (row(1,2)::complex)::int
    CREATE TABLE quadtable (f1 int PRIMARY KEY, q quad)
    INSERT INTO quadtable VALUES (1, ((3.3,4.4),(5.5,6.6)))
    INSERT INTO quadtable VALUES (2, ((null,4.4),(5.5,6.6)))
    INSERT INTO quadtable VALUES (3, null)
    SELECT * FROM quadtable ORDER BY f1
    SELECT f1, q.c1 FROM quadtable ORDER BY f1
    SELECT f1, (q).c1, (qq.q).c1.i FROM quadtable qq ORDER BY f1
    SELECT f1, ((q).c1).r, (q).c2 FROM quadtable ORDER BY 1
    SELECT (q).nosuch FROM quadtable
    SELECT (q).* FROM quadtable ORDER BY f1
    SELECT ((q).c1).* FROM quadtable ORDER BY f1
    SELECT (f1).x FROM quadtable
    CREATE TABLE people (id int PRIMARY KEY, fn fullname, bd date)
    INSERT INTO people VALUES (1, '(Joe,Blow)', '1984-01-10')
    INSERT INTO people VALUES (2, row('Jim','Blow'), '1985-01-10'), (3, ('Ann',null), '1986-01-10')
    INSERT INTO people VALUES (4, 5, null)
    INSERT INTO people VALUES (4, row('a'), null)
    INSERT INTO people VALUES (4, 'x', null)
    SELECT * FROM people ORDER BY id
    UPDATE people SET fn.first = 'Jack' WHERE (fn).first = 'Jim' RETURNING *
    UPDATE people SET fn.first = 'x', fn.last = 'y' WHERE id = 3 RETURNING fn
    UPDATE people SET fn.nosuch = 'Jack'
    UPDATE people SET bd.first = 'Jack'
    UPDATE people SET fn.first = 1, fn.first = 2
    UPDATE people SET fn.first = 'a', fn = null
    UPDATE people SET fn = null WHERE id = 3
    UPDATE people SET fn.last = 'only' WHERE id = 3 RETURNING fn
    UPDATE quadtable SET q.c1.r = 12 WHERE f1 = 2 RETURNING *
    UPDATE quadtable SET q.c1.r = 13 WHERE f1 = 3 RETURNING *
    INSERT INTO people (id, fn.first) VALUES (10, 'Part') RETURNING *
    INSERT INTO people (id, fn.first, fn.last) VALUES (11, 'Part', 'Two') RETURNING *
    INSERT INTO people (id, fn.first) SELECT 12, 'sel' RETURNING *
    INSERT INTO quadtable (f1, q.c1.r, q.c2.i) VALUES (44, 55, 66) RETURNING *
    INSERT INTO people (id, fn.first, fn) VALUES (13, 'Part', null)
    SELECT fn FROM people ORDER BY fn, id
    SELECT fn FROM people ORDER BY fn DESC NULLS LAST, id
    SELECT fn, count(*) FROM people GROUP BY fn ORDER BY fn
    SELECT DISTINCT fn FROM people ORDER BY 1
    SELECT id FROM people WHERE fn = row('Joe','Blow') ORDER BY id
    SELECT id FROM people WHERE fn = row('Joe'::text,'Blow'::text) ORDER BY id
    SELECT id FROM people WHERE fn = row('Joe','Blow')::fullname ORDER BY id
    SELECT id FROM people WHERE fn = '(Joe,Blow)' ORDER BY id
    SELECT id FROM people WHERE fn > '(Joe,Blow)'::fullname ORDER BY id
    SELECT id FROM people WHERE fn IN ('(Joe,Blow)'::fullname, row('Jack','Blow')::fullname) ORDER BY id
    SELECT id, fn IS NULL, fn IS NOT NULL FROM people ORDER BY id
    SELECT row(null,null)::fullname IS NULL, row(null,1)::complex IS NULL, row(null,1)::complex IS NOT NULL
    SELECT fn IS DISTINCT FROM row('Joe','Blow')::fullname FROM people ORDER BY id
    SELECT count(fn), count(*) FROM people
    SELECT min(fn) FROM people
    SELECT row_to_json(fn), to_jsonb(fn) FROM people ORDER BY id
    SELECT json_agg(fn ORDER BY id) FROM people
    SELECT array_agg(fn ORDER BY id) FROM people
    SELECT pg_typeof(fn), pg_typeof(array[fn]) FROM people WHERE id = 1
    SELECT coalesce(fn, row('no','one')::fullname) FROM people ORDER BY id
    SELECT case when id = 1 then fn end FROM people ORDER BY id
    SELECT fn FROM people WHERE id = 1 UNION SELECT row('z','y')::fullname ORDER BY 1
    CREATE TABLE arrs (id int PRIMARY KEY, a complex[])
    INSERT INTO arrs VALUES (1, array[row(1,2)::complex, row(3,4)::complex]), (2, '{"(5,6)","(7,)"}'), (3, array[(1,2),(3,4)]::complex[]), (4, null), (5, '{}')
    SELECT id, a, a[1], (a[1]).r, array_length(a, 1), cardinality(a) FROM arrs ORDER BY id
    SELECT id, u FROM arrs, unnest(a) u ORDER BY id, u
    SELECT id, u.* FROM arrs, unnest(a) u ORDER BY id, r
    SELECT id, r, i FROM arrs, unnest(a) ORDER BY id, r
    SELECT * FROM unnest(array[row(1,2)::complex, null, row(3,null)::complex])
    SELECT * FROM unnest(array[row(1,2)::complex]) WITH ORDINALITY
    SELECT * FROM unnest(array[row(1,2)::complex]) AS x(a, b)
    SELECT unnest(a) FROM arrs ORDER BY 1
    UPDATE arrs SET a[1] = row(9,9) WHERE id = 1 RETURNING a
    UPDATE arrs SET a[1].r = 10 WHERE id = 1 RETURNING a
    UPDATE arrs SET a[2] = '(8,8)' WHERE id = 2 RETURNING a
    SELECT row(1,2)::complex = any(a) FROM arrs ORDER BY id
    SELECT a || row(0,0)::complex FROM arrs ORDER BY id
    CREATE DOMAIN posc AS complex CHECK ((VALUE).r > 0)
    SELECT row(1,2)::posc
    SELECT row(-1,2)::posc
    CREATE TABLE dt (id int PRIMARY KEY, d posc)
    INSERT INTO dt VALUES (1, row(1,2)), (2, null)
    INSERT INTO dt VALUES (3, row(-1,2))
    SELECT *, (d).r FROM dt ORDER BY id
    DROP TYPE complex
    DROP TYPE fullname
    DROP TYPE empty
    CREATE TEMP TABLE tt (id int, c complex)
    INSERT INTO tt VALUES (1, row(1,2))
    SELECT (c).* FROM tt
    CREATE VIEW vq AS SELECT f1, (q).c1 AS c1 FROM quadtable
    SELECT * FROM vq ORDER BY 1
    SELECT (c1).r FROM vq ORDER BY f1
    CREATE TABLE ctas AS SELECT 1 AS id, row(1,2)::complex AS c
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
    select q.a, q.b = row(2), q.c = array[row(3)], q.d = row(row(4)) from unnest(array[row(1, row(2), array[row(3)], row(row(4))), row(2, row(3), array[row(4)], row(row(5)))]) as q(a int, b record, c record[], d record)
    select * from json_populate_record(row(1,2), '{"f1":5}') AS x(a int, b int)
    select * from json_populate_recordset(row(1,2), '[{"f1":5},{"f2":6}]') AS x(a int, b int)
    select * from unnest(array[row(1,2)])
    select x from unnest(array[row(1,2)]) AS x(a int, b int)
    select a.id, x.b from (values (1),(2)) a(id), unnest(array[row(a.id, a.id * 2)]) as x(a int, b int) order by 1
    select * from (select array_agg(row(g, g::text)) as r from generate_series(1,3) g) s, unnest(r) as x(n int, t text) order by n
    """

MORE_ROWS = r"""
    create temp table fullname (first text, last text)
    create table int8_tbl (q1 int8, q2 int8)
    insert into int8_tbl values (123,456),(123,4567890123456789),(4567890123456789,123)
    create type fn2 as (first text, last text)
    select row('Joe', 'Blow')::fullname, '(Joe,Blow)'::fullname
    select ROW('ABC','DEF') ~~ ROW('DEF','ABC') as fail
    select ROW(1,2) in (ROW(3,4), ROW(1,2::int8))
    select * from int8_tbl i8 where i8 in (row(123,456))
    select * from int8_tbl i8 where i8 in (row(123,456)::int8_tbl, '(4567890123456789,123)') order by 1
    select (row(1, 2.0)).f1, (row(1, 2.0)).f2
    select (row(1, 2.0)).nosuch
    select (row(1, 2.0)).*
    select (r).f1 from (select row(1, 2.0) as r) ss
    select (r).f3 from (select row(1, 2.0) as r) ss
    select (r).* from (select row(1, 2.0) as r) ss
    select ROW()
    select ROW() IS NULL
    select ROW() = ROW()
    select row(1,1.1) = any (array[ row(7,7.7), row(1,1.1), row(0,0.0) ])
    select row(1,1.1) = any (array[ row(7,7.7), row(1,1.0), row(0,0.0) ])
    create type cantcompare as (p json, r float8)
    create temp table cc (f1 cantcompare)
    insert into cc values('("{}",3)'), ('("[1]",6)')
    select * from cc order by f1
    select distinct f1 from cc
    select f1 = f1 from cc
    create type testtype1 as (a int, b int)
    create type testtype3 as (a int, b text)
    create type testtype5 as (a int)
    select row(1, 2)::testtype1 < row(1, 'abc')::testtype3
    select row(1, 2)::testtype1 <> row(1, 'abc')::testtype3
    select row(1, 2)::testtype1 < row(1)::testtype5
    create table price (id serial primary key, active boolean not null, price numeric)
    create type price_input as (id integer, price numeric)
    insert into price values (1,false,42), (10,false,100), (11,true,17.99)
    update price set active = true, price = input_prices.price from unnest(array[(10, 123.00), (11, 99.99)]::price_input[]) input_prices where price.id = input_prices.id
    select * from price order by id
    create temp table compos (f1 int, f2 text)
    insert into compos values (row(1,'x'))
    insert into compos values ((row(1,'x')::compos).*)
    select cast (fullname as text) from fullname
    select text(fullname) from fullname
    select fullname.text from fullname
    select (row('Jim', 'Beam'))::text
    select text(row('Jim', 'Beam'))
    select (row('Jim', 'Beam')).text
    select row_to_json(i) from int8_tbl i order by q1, q2 limit 1
    select row_to_json(i) from int8_tbl i(x,y) order by 1::text limit 1
    select row_to_json(ss) from (select q1, q2 from int8_tbl order by 1, 2 limit 1) as ss
    select row_to_json(ss) from (select q1 as a, q2 as b from int8_tbl order by 1, 2 limit 1) as ss(x,y)
    select r, r is null as isnull, r is not null as isnotnull from (values (1,row(1,2)), (1,row(null,null)), (1,null), (null,row(1,2)), (null,row(null,null)), (null,null) ) r(a,b)
    with r(a,b) as materialized (values (1,row(1,2)), (1,row(null,null)), (1,null), (null,row(1,2)), (null,row(null,null)), (null,null) ) select r, r is null as isnull, r is not null as isnotnull from r
    create table compositetable(a text, b text)
    insert into compositetable(a, b) values('fa', 'fb')
    select d.a from (select compositetable as d from compositetable) s
    select (d).a, (d).b from (select compositetable as d from compositetable) s
    select (d).ctid from (select compositetable as d from compositetable) s
    select (NULL::compositetable).nonexistent
    select (NULL::compositetable).a
    select (NULL::compositetable).oid
    select array_agg(i) from int8_tbl i where q1 = 5
    create domain dtype as testtype1 check ((value).a > 0)
    select (row(1,2)::dtype).b
    select * from (select int8_tbl from int8_tbl) x order by 1
    select i.* = i from int8_tbl i
    select count(*) from int8_tbl a join int8_tbl b on a = b
    select int8_tbl is distinct from null from int8_tbl limit 1
    insert into int8_tbl select (i).* from int8_tbl i where q1 = 123 returning int8_tbl
    select cashlarger('$1'::money, '$124.00'), cashsmaller('$1'::money, '$124.00')
    select '$1'::money + '123.45', '878.08'::money / 11::float4, '90000000000000099.00'::money / 10::bigint
    select overlay(B'0101011100' placing '001' from 2 for 3), overlay(B'0101011100' placing '001' from 20)
    select substring('01010101'::bit(8) from -10 for 2147483646), substring('01010101'::varbit from 2 for 2147483646)
    select substring('01010101'::bit(8) from -10 for -2147483646)
    SELECT b' 0'
    SELECT x'0 '
    create table bit_defaults(b1 bit(4) default '1001', b2 bit(4) default B'0101', b3 bit varying(5) default '1001', b4 bit varying(5) default B'0101')
    insert into bit_defaults default values
    table bit_defaults
    SELECT '24:00:00.01 PDT'::timetz
    SELECT timetz '10:00+0' + time with time zone '00:01'
    SELECT EXTRACT(FORTNIGHT FROM TIME WITH TIME ZONE '2020-05-26 13:30:25.575401-04')
    SELECT date_part('microsecond', TIME WITH TIME ZONE '2020-05-26 13:30:25.575401-04')
    create type pp as (a int, b text)
    create table star (a int, b text, c int)
    insert into star values ((row(1,'x')::pp).*, 5), ((row(2,'y')::pp).*, 6) returning *
    insert into star values ((row(1,'x')::pp).*) returning *
    insert into star values ((row(1,'x')::pp).*, 2, 3)
    values ((row(1,'x')::pp).*), (2, 'z')
    values ((row(1,'x')::pp).*, 1)
    select * from (values ((row(1,'x')::pp).*)) v
    select v.* from star p, lateral (values (p.*)) v order by 1, 3
    insert into star (a, b) values ((row(3,'w')::pp).*) returning *
    insert into star values (1,'x',2),((row(3,'w')::pp).*, 3)
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


@pytest.fixture
def sides(servers):
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as other:
        yield Side(ours), Side(other)


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [USED, ALTERED, PARTS, ROWS, MORE_ROWS, DEFINED],
    ids=["used", "altered", "parts", "rows", "more", "defined"],
)
def test_composite_types_are_postgresqls(sides, script):
    assert differences(sides, script) == []


@pytest.mark.slow
def test_questions_are_answered_alike_hot_and_cold(sides):
    ours, _ = sides
    assert differences(sides, MADE) == []
    ours.ask("STORAGE FLUSH TABLE big")
    assert differences(sides, MORE) == []
    ours.ask("STORAGE FLUSH TABLE big")
    assert differences(sides, CHANGED) == []
    assert differences(sides, QUESTIONS) == []
    ours.ask("STORAGE FLUSH TABLE big")
    assert differences(sides, QUESTIONS) == []
    assert differences(sides, LATER) == []


def points(connection: psycopg.Connection) -> None:
    connection.execute("DROP SCHEMA IF EXISTS app CASCADE")
    connection.execute("CREATE SCHEMA app")
    connection.execute("CREATE TYPE app.point3 AS (x float8, y text, z int)")
    connection.execute(
        "CREATE TYPE app.seg AS (a app.point3, b app.point3[], d date, n numeric(6,2))"
    )
    connection.execute(
        "CREATE TABLE app.r (id int PRIMARY KEY, p app.point3, s app.seg, ps app.point3[])"
    )


@pytest.fixture
def server(servers):
    with servers[0].root() as root:
        points(root)
        yield servers[0]
        root.execute("DROP SCHEMA app CASCADE")


@pytest.mark.parametrize("form", ["%t", "%b"])
def test_psycopg_registers_types_and_tables_and_reads_what_it_wrote(server, form):
    with server.root() as root:
        found = [CompositeInfo.fetch(root, name) for name in ("app.point3", "app.seg", "app.r")]
        assert [info.field_names for info in found if info] == [
            ("x", "y", "z"),
            ("a", "b", "d", "n"),
            ("id", "p", "s", "ps"),
        ]
        for info in found:
            register_composite(info, root)
        point, seg, row = [info.python_type for info in found if info]
        p = point(1.0, 'é "q" \\, (', None)
        s = seg(p, [point(2.0, "", 3), None], date(2020, 1, 2), Decimal("1.50"))
        root.execute(
            f"INSERT INTO app.r VALUES (1, {form}, {form}, {form})", (p, s, [p, point(0.5, "x", 7)])
        )
        for _ in ("hot", "cold"):
            for binary in (False, True):
                asked = root.cursor(binary=binary)
                whole = row(1, p, s, [p, point(0.5, "x", 7)])
                assert asked.execute("SELECT p, s, r FROM app.r r").fetchone() == (p, s, whole)
                back = asked.execute(f"SELECT ({form}).s, pg_typeof({form})::text", (whole, whole))
                assert back.fetchone() == (s, "app.r")
                found_by = asked.execute(f"SELECT id FROM app.r WHERE p = {form}", (p,))
                assert found_by.fetchall() == [(1,)]
            root.execute("STORAGE FLUSH TABLE app.r")
        with root.cursor().copy("COPY app.r (id, p) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "app.point3"])
            copy.write_row((9, point(9.5, "nine", 9)))
        with root.cursor().copy("COPY (SELECT p FROM app.r WHERE id = 9) TO STDOUT") as copy:
            assert list(copy.rows()) == [("(9.5,nine,9)",)]


def test_asyncpg_finds_the_types_by_itself(server):
    async def talk() -> None:
        connection = await asyncpg.connect(
            host=str(server.directory), port=server.port, user="root", database="kalam"
        )
        try:
            seg = ((1.0, "s", 2), [(3.0, "t", 4), None], None, Decimal("2.00"))
            put = "INSERT INTO app.r VALUES ($1, $2, $3, $4)"
            await connection.execute(put, 20, (2.0, "async", None), seg, [])
            row = await connection.fetchrow(
                "SELECT p, s, ps, r FROM app.r r WHERE p = $1::app.point3", (2.0, "async", None)
            )
            assert tuple(row[0]) == (2.0, "async", None)
            assert [tuple(row[1]["a"]), row[1]["b"][1], row[1]["n"]] == [
                (1.0, "s", 2),
                None,
                Decimal("2.00"),
            ]
            assert row[3]["p"]["y"] == "async"
            with pytest.raises(asyncpg.DatatypeMismatchError):
                await connection.execute(put, 21, (2.0, "one too few"), None, [])
            await connection.set_type_codec(
                "point3", schema="app", format="tuple",
                encoder=lambda v: (v, "enc", 1), decoder=lambda v: f"point {tuple(v)}",
            )  # fmt: skip
            assert (
                await connection.fetchval("SELECT $1::app.point3", 4.5) == "point (4.5, 'enc', 1)"
            )
        finally:
            await connection.close()

    asyncio.run(talk())


def test_pg8000_writes_and_reads_texts(server):
    with server.root() as root:
        root.execute("DROP USER IF EXISTS pointer")
        root.execute(f"CREATE USER pointer WITH PASSWORD '{PASSWORD}' ROLE 'dba'")
    connection = pg8000.native.Connection(
        "pointer", host="127.0.0.1", port=server.port, database="kalam", password=PASSWORD
    )
    try:
        connection.run("INSERT INTO app.r (id, p) VALUES (:i, :p)", i=30, p=(1.5, "pg8000", 4))
        row = connection.run("SELECT p, (p).y, p = row(1.5::float8, 'pg8000'::text, 4) FROM app.r")
        assert row == [["(1.5,pg8000,4)", "pg8000", True]]
    finally:
        connection.close()


BAD = {
    "22P03": b"\0\0\0",
    "42804": b"\0\0\0\1\0\0\0\x17\0\0\0\4\0\0\0\1",
}


@pytest.mark.parametrize("sqlstate", BAD)
def test_bytes_that_are_no_row_are_refused(server, sqlstate):
    with server.root() as root:
        row = root.execute("SELECT 'app.point3'::regtype::oid").fetchone()
        assert row is not None
        answer = root.pgconn.exec_params(
            b"SELECT $1", [BAD[sqlstate]], param_types=[row[0]], param_formats=[1]
        )
        assert answer.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == sqlstate.encode()
        assert root.execute("SELECT 1").fetchone() == (1,)


def test_a_statement_prepared_before_sees_an_attribute_that_another_session_adds(server):
    with server.root() as root, server.root() as other:
        ask, put = "SELECT p FROM app.r ORDER BY id", "INSERT INTO app.r (id, p) VALUES (%s, %s)"
        root.execute(put, (1, "(1,a,2)"), prepare=True)
        assert root.execute(ask, prepare=True).fetchall() == [("(1,a,2)",)]
        other.execute("ALTER TYPE app.point3 ADD ATTRIBUTE w bool, DROP ATTRIBUTE y")
        assert root.execute(ask, prepare=True).fetchall() == [("(1,2,)",)]
        root.execute(put, (2, "(2,3,t)"), prepare=True)
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            root.execute(put, (3, "(1,a,2)"), prepare=True)
        assert root.execute(ask, prepare=True).fetchall() == [("(1,2,)",), ("(2,3,t)",)]


def test_rows_in_rows_whose_quotes_would_double_without_end_are_refused(server):
    with server.root() as root:
        root.execute("CREATE TYPE app.in0 AS (a text)")
        value = "row('\"')"
        for at in range(1, 40):
            root.execute(f"CREATE TYPE app.in{at} AS (p app.in{at - 1}, q int)")  # type: ignore[arg-type]
            value = f"row({value}, 1)"
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            root.execute(f"SELECT {value}::app.in39")  # type: ignore[arg-type]
        assert root.execute(f"SELECT ({value}::app.in39).q").fetchone() == (1,)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "first", ["DROP TYPE app.part", "ALTER TYPE app.part ALTER ATTRIBUTE n TYPE text"]
)
def test_what_others_are_being_made_of_does_not_change_meanwhile(server, first):
    with server.root() as root, server.root() as other:
        root.execute("CREATE TYPE app.part AS (n int)")
        if first.startswith("ALTER"):
            root.execute("CREATE TYPE app.whole AS (p app.part)")
            second = ["CREATE TABLE app.t (w app.whole)"]
        else:
            second = ["CREATE TYPE app.whole AS (p app.part)", "CREATE DOMAIN app.d AS app.part"]
        other.execute("SET lock_timeout = '50ms'")
        root.execute("BEGIN")
        root.execute(first)  # type: ignore[arg-type]
        for statement in second:
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute(statement)  # type: ignore[arg-type]
        root.execute("ROLLBACK")
        for statement in second:
            other.execute(statement)  # type: ignore[arg-type]


def test_types_and_rows_of_every_kind_of_table_are_kept_over_kill_and_restart(tmp_path):
    server = KalamServer(tmp_path / "data").start()
    try:
        with server.root() as root:
            root.execute(f"CREATE USER anna WITH PASSWORD '{PASSWORD}'")
            root.execute("CREATE TYPE outside AS (n int)")
            root.execute("CREATE TYPE item AS (name text, at timestamptz)")
            root.execute("ALTER TYPE outside ADD ATTRIBUTE items item[]")  # made of a later type
            root.execute("CREATE DOMAIN named AS item CHECK ((VALUE).name <> '')")
            root.execute("CREATE USER TABLE mine (id int PRIMARY KEY, o outside, d named)")
            root.execute("CREATE SHARED TABLE ours (id int PRIMARY KEY, o outside)")
            root.execute(
                "CREATE STREAM TABLE runs (id int PRIMARY KEY, o outside) WITH (TTL_SECONDS = 600)"
            )
        value = r'(1,"{""(a,\\""2020-01-02 00:00:00+00\\"")"",NULL}")'
        with server.connect("anna", autocommit=True) as anna:
            for table in ("mine", "runs"):
                anna.execute(f"INSERT INTO {table} (id, o) VALUES (1, %s)", (value,))  # type: ignore[arg-type]
                assert anna.execute(f"SELECT o, (o).items[1].name FROM {table}").fetchall() == [
                    (value, "a")
                ]  # type: ignore[arg-type]
            with pytest.raises(psycopg.errors.CheckViolation):
                anna.execute("INSERT INTO mine (id, d) VALUES (2, row('', null))")
        with server.root() as root:
            root.execute("INSERT INTO ours VALUES (1, %s), (2, row(2, null))", (value,))
            root.execute("STORAGE FLUSH TABLE ours")
            root.execute("UPDATE ours SET o.n = 3 WHERE id = 2")
            assert root.execute("SELECT * FROM mine").fetchall() == []
        server.kill()
        server.start()
        with server.root() as root:
            asked = "SELECT o FROM ours ORDER BY id"
            assert root.execute(asked).fetchall() == [(value,), ("(3,)",)]
            root.execute("ALTER TYPE item RENAME ATTRIBUTE at TO moment")
            asked = "SELECT (o).items[1].moment IS NULL FROM ours WHERE id = 1"
            assert root.execute(asked).fetchall() == [(False,)]
            with pytest.raises(psycopg.errors.DependentObjectsStillExist) as told:
                root.execute("DROP TYPE item")
            assert "column items of composite type outside depends on type item[]" in str(
                told.value.diag.message_detail
            )
        with server.connect("anna", autocommit=True) as anna:
            assert anna.execute("SELECT o FROM mine").fetchall() == [(value,)]
    finally:
        server.stop()
