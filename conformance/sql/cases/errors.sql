-- What PostgreSQL refuses, with its SQLSTATE and words.
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

SELECT (SELECT id FROM t);
--! 21000 more than one row returned by a subquery used as an expression

SELECT id FROM t LIMIT -1;
--! 2201W LIMIT must not be negative

SELECT min(d), max(tstz), min(u::text), max(tags), min(amt), max(b) FROM t;
--! 42883 function max(bytea) does not exist

SELECT nosuch FROM t;
--! 42703 column "nosuch" does not exist

SELECT t.nosuch FROM t;
--! 42703 column t.nosuch does not exist

SELECT x.id FROM t;
--! 42P01 missing FROM-clause entry for table "x"

SELECT id FROM t a, t b;
--! 42702 column reference "id" is ambiguous

SELECT nosuch(1);
--! 42883 function nosuch(integer) does not exist

SELECT upper(1, 2);
--! 42883 function upper(integer, integer) does not exist

SELECT 'a' + 1;
--! 22P02 invalid input syntax for type integer: "a"

SELECT 1 + 'a';
--! 22P02 invalid input syntax for type integer: "a"

SELECT 'a'::int;
--! 22P02 invalid input syntax for type integer: "a"

SELECT '2024-13-01'::date;
--! 22008 date/time field value out of range: "2024-13-01"

SELECT '2024-02-30'::date;
--! 22008 date/time field value out of range: "2024-02-30"

SELECT 'x'::bool;
--! 22P02 invalid input syntax for type boolean: "x"

SELECT 'x'::uuid;
--! 22P02 invalid input syntax for type uuid: "x"

SELECT '{1,2'::int[];
--! 22P02 malformed array literal: "{1,2"

SELECT '{"a":'::jsonb;
--! 22P02 invalid input syntax for type json

SELECT 300::int2 * 300::int2;
--! 22003 smallint out of range

SELECT 1 / 0.0;
--! 22012 division by zero

SELECT 5 % 0;
--! 22012 division by zero

SELECT sqrt(-1);
--! 2201F cannot take square root of a negative number

SELECT ln(0);
--! 2201E cannot take logarithm of zero

SELECT log(-1);
--! 2201E cannot take logarithm of a negative number

SELECT 1e400::float8;
--! 22003 "10000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" is out of range for type double precision

SELECT 1e40::float4;
--! 22003 "10000000000000000000000000000000000000000" is out of range for type real

SELECT 12345.678::numeric(5,2);
--! 22003 numeric field overflow

SELECT substring('abc' from 0 for -1);
--! 22011 negative substring length not allowed

SELECT chr(0);
--! 54000 null character not permitted

SELECT id FROM t GROUP BY grp;
--! 42803 column "t.id" must appear in the GROUP BY clause or be used in an aggregate function

SELECT id, count(*) FROM t;
--! 42803 column "t.id" must appear in the GROUP BY clause or be used in an aggregate function

SELECT max(count(*)) FROM t;
--! 42803 aggregate function calls cannot be nested

SELECT id FROM t WHERE row_number() OVER () = 1;
--! 42P20 window functions are not allowed in WHERE

SELECT id FROM t ORDER BY 5;
--! 42P10 ORDER BY position 5 is not in select list

SELECT id FROM t UNION SELECT id, name FROM t;
--! 42601 each UNION query must have the same number of columns

SELECT id FROM t UNION SELECT name FROM t;
--! 42804 UNION types integer and text cannot be matched

SELECT CASE WHEN 1 THEN 2 END;
--! 42804 argument of CASE/WHEN must be type boolean, not type integer

SELECT id FROM t WHERE id;
--! 42804 argument of WHERE must be type boolean, not type integer

SELECT id FROM t WHERE name = 1;
--! 42883 operator does not exist: text = integer

SELECT 1 FROM t JOIN t ON true;
--! 42712 table name "t" specified more than once

SELECT id FROM t LIMIT 'x';
--! 22P02 invalid input syntax for type bigint: "x"

SELECT (SELECT 1, 2);
--! 42601 subquery must return only one column

SELECT 1 = (SELECT 1, 2);
--! 42601 subquery must return only one column

SELECT ARRAY[1, 'a'];
--! 22P02 invalid input syntax for type integer: "a"

SELECT ARRAY[];
--! 42P18 cannot determine type of empty array

SELECT coalesce(1, 'a');
--! 22P02 invalid input syntax for type integer: "a"

SELECT id, amt::int, amt::bigint, amt::float8, amt::text, val::int, val::numeric, val::text, id::text, id::numeric(5,2), id::bool FROM t ORDER BY id;
--! 42702 ORDER BY "id" is ambiguous

SELECT (2147483648)::int;
--! 22003 integer out of range

SELECT id, (amt * 100000000)::int FROM t WHERE id = 3;
--! 22003 integer out of range

SELECT id, gcd(id, 6), lcm(id, 4), factorial(id), id !~ '1' FROM t WHERE id < 0;
--! 42883 operator does not exist: integer !~ unknown

SELECT int '5', '5'::int2, 5::int8, '0x1A'::int, ' 7 '::int, '1_000'::int;
--! 22P02 invalid input syntax for type integer: "0x1A"

SELECT '5.5'::int;
--! 22P02 invalid input syntax for type integer: "5.5"

SELECT 32767.5::int2;
--! 22003 smallint out of range

SELECT DISTINCT grp FROM t ORDER BY id;
--! 42P10 for SELECT DISTINCT, ORDER BY expressions must appear in select list

SELECT DISTINCT ON (grp) id FROM t ORDER BY id;
--! 42P10 SELECT DISTINCT ON expressions must match initial ORDER BY expressions

SELECT 1 AS "1", 'x' "", 2;
--! 42601 zero-length delimited identifier at or near """"

SELECT 5 BETWEEN 1 AND 10 AND true, NOT 1 = 2, 1 + 2 * 3, 2 ^ 3 ^ 2, -2 ^ 2, 10 - 5 - 2, 'a' || 'b' || 'c' = 'abc', 1 < 2 = true;
--! 42601 syntax error at or near "="
