-- Arrays that begin elsewhere than at 1, and assignments that make them.

CREATE TYPE boxes AS (numbers integer[], words text[]);
CREATE TABLE boxed (id integer PRIMARY KEY, b boxes);
INSERT INTO boxed VALUES (1, ROW('[0:2]={7,8,9}', NULL)), (2, ROW('{1,2}', '[5:6][0:1]={{a,b},{c,NULL}}')), (3, ROW('{}', '{x}'));

SELECT id, b, (b).numbers, array_dims((b).words), (b).words[5][1] FROM boxed ORDER BY id;
SELECT id FROM boxed WHERE (b).numbers = '[0:2]={7,8,9}' OR (b).numbers[0] = 7;
SELECT id, (b).numbers[1:], (b).words[:][0:0] FROM boxed ORDER BY b;
UPDATE boxed SET b.numbers[-2] = 5;
UPDATE boxed SET b.numbers[4:5] = '{10,11,12}';
SELECT id, (b).numbers, cardinality((b).numbers) FROM boxed ORDER BY id;
UPDATE boxed SET b.words[5:5][:] = '{y,z}' WHERE id = 2 RETURNING b;
UPDATE boxed SET b.words[4][0] = 'q' WHERE id = 2;
UPDATE boxed SET b.words[7] = 'q' WHERE id = 2;
UPDATE boxed SET b.words[-1:0] = '{m,n}' WHERE id = 3 RETURNING b;
UPDATE boxed SET b.numbers = NULL;
UPDATE boxed SET b.numbers[0:1][3:4] = '{1,2,3,4}' WHERE id = 1;
UPDATE boxed SET b.numbers[3][3] = 1 WHERE id = 2;
UPDATE boxed SET b.numbers[2:1] = '{1}' WHERE id = 3;
UPDATE boxed SET b.numbers[1:] = '{1}' WHERE id = 3;
SELECT b FROM boxed ORDER BY id;
UPDATE boxed SET b.numbers[-2147483648] = 1 WHERE id = 1;
UPDATE boxed SET b.numbers = '{1}';
UPDATE boxed SET b.numbers[-2147483648] = 1 WHERE id = 1;
UPDATE boxed SET b.numbers[2147483647] = 1 WHERE id = 1;

SELECT '[0:1]={1,2}'::integer[], '[ +2 : 3 ]={1,2}'::integer[];
SELECT '[+2:3] = {1,2}'::integer[], '[-1:-1][4]={{1,2,3,4}}'::integer[], '[1:2]={3,4}'::integer[];
SELECT '[2:1]={}'::integer[];
SELECT '[0:2]={1,2}'::integer[];
SELECT '[0:0]={}'::integer[];
SELECT '[2147483647:2147483647]={1}'::integer[];
SELECT '[-2147483648:-2147483647]={1,2}'::integer[];
SELECT array_prepend(1, '[-2147483648:-2147483647]={1,2}'::integer[]);
SELECT array_append('[2147483645:2147483646]={1,2}'::integer[], 3);
SELECT 0 || '[5:6]={1,2}'::integer[], '[5:6]={1,2}'::integer[] || 3, '[5:6]={1,2}' || '[0:0]={4}'::integer[];
SELECT '[5:6][1:2]={{1,2},{3,4}}'::integer[] || '{5,6}', '{5,6}' || '[5:6][1:2]={{1,2},{3,4}}'::integer[];
SELECT '[5:6][0:1]={{1,2},{3,4}}'::integer[] || '{5,6}';
SELECT array_fill(7, '{2,2}', '{0,-3}'), array_fill(7, '{0}', '{5}'), array_fill(7, '{1}', '{2147483647}');
SELECT array_position('[5:7]={a,b,a}'::text[], 'a'), array_position('[5:7]={a,b,a}'::text[], 'a', 6), array_positions('[5:7]={a,b,a}'::text[], 'a');
SELECT array_position('{a}'::text[], 'a', NULL);
SELECT array_remove('[5:7]={1,2,1}'::integer[], 2), array_replace('[5:7]={1,2,1}'::integer[], 1, 9), trim_array('[5:7]={1,2,1}'::integer[], 1);
SELECT v, count(*) FROM (VALUES ('[0:1]={1,2}'::integer[]), ('{1,2}'), ('[2:3]={1,2}'), ('[0:1]={1,2}')) x (v) GROUP BY v ORDER BY v;
SELECT array_agg(v) FROM (VALUES ('[0:1]={1,2}'::integer[]), ('[0:1]={3,4}')) x (v);
SELECT ARRAY['[0:1]={1,2}'::integer[], '{1,2}'];
SELECT '[0:1]={1,2}'::integer[]::numeric(4,1)[], '[0:1]={1,2}'::integer[]::text, ROW('[0:1]={1,2}'::integer[]);
SELECT to_jsonb('[3:4][0:1]={{1,2},{3,4}}'::integer[]), json_object('[0:1]={a,b}'), concat('[0:1]={a,b}'::text[]);
SELECT percentile_disc('[0:1]={0.1,1}'::float8[]) WITHIN GROUP (ORDER BY n) FROM generate_series(1, 5) n;
SELECT generate_subscripts('[-1:1]={a,b,c}'::text[], 1, true), unnest('[-1:1]={a,b,c}'::text[]);
SELECT '1 2 3'::int2vector::int2[], '1 2 3'::oidvector::oid[], array_lower('1 2'::int2vector, 1);
SELECT '1 2 3'::int2vector || 4::int2, ('1 2 3'::int2vector)[0:1], ('1 2 3'::int2vector)[2];
SELECT a.attname, i.indkey::int2[] FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE indrelid = 'boxed'::regclass;

-- ARRAY(query) of arrays is one of one dimension more, as array_agg's.

SELECT id, ARRAY(SELECT ARRAY[id, k] FROM generate_series(1, 2) k), ARRAY(SELECT '[0:0]={7}'::integer[] FROM boxed) FROM boxed ORDER BY id;
SELECT ARRAY(SELECT ARRAY[id, 1] FROM boxed ORDER BY id DESC), ARRAY(SELECT ARRAY[id] FROM boxed WHERE id > 9);
SELECT ARRAY(SELECT NULL::integer[] FROM generate_series(1, 2) k);
SELECT ARRAY(SELECT '{}'::integer[] FROM boxed);
SELECT ARRAY(SELECT array_fill(1, ARRAY[k]) FROM generate_series(1, 2) k);
SELECT ARRAY(SELECT conkey FROM pg_constraint WHERE conrelid = 'boxed'::regclass AND contype = 'p');
SELECT ARRAY(SELECT NULL::int2[] FROM pg_constraint WHERE conrelid = 'boxed'::regclass AND contype = 'p');
SELECT quote_literal(ARRAY[1, 2]), quote_literal(DATE '2024-01-02'), quote_nullable(NULL::integer), quote_literal(1.50), quote_nullable(true), quote_literal(NULL), quote_literal(E'a\\b');
SELECT quote_literal('a  '::char(5)), quote_literal(false), quote_literal('x'), quote_nullable('x'::varchar), quote_literal(interval '1 day');
