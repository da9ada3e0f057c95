-- INSERT, UPDATE and DELETE: what they change, return and refuse.
CREATE TABLE item (id int PRIMARY KEY, name varchar(10) NOT NULL, price numeric(8,2) DEFAULT 9.99 CHECK (price >= 0), qty smallint DEFAULT 1, note text, added date DEFAULT '2024-01-01', CONSTRAINT cheap_or_few CHECK (price < 1000 OR qty < 10));
--: CREATE TABLE

CREATE TABLE part (a int, b text, n bigint DEFAULT 0, PRIMARY KEY (a, b));
--: CREATE TABLE

INSERT INTO item (id, name) VALUES (1, 'one');
--: INSERT 0 1

INSERT INTO item VALUES (2, 'two', 1.005, 2, 'n', '2024-02-02'), (3, 'three', DEFAULT, DEFAULT, NULL, DEFAULT) RETURNING *;
--: ["id int4", "name varchar", "price numeric", "qty int2", "note text", "added date"]
--: ["2", "two", "1.01", "2", "n", "2024-02-02"]
--: ["3", "three", "9.99", "1", null, "2024-01-01"]

INSERT INTO item (name, id) VALUES ('four', 4) RETURNING id, upper(name) AS up, price * qty, added + 1;
--: ["id int4", "up text", "?column? numeric", "?column? date"]
--: ["4", "FOUR", "9.99", "2024-01-02"]

INSERT INTO item VALUES (5, 'five', 1.999);
--: INSERT 0 1

SELECT id, price FROM item ORDER BY id;
--: ["id int4", "price numeric"]
--: ["1", "9.99"]
--: ["2", "1.01"]
--: ["3", "9.99"]
--: ["4", "9.99"]
--: ["5", "2.00"]

INSERT INTO item (id, name, price) VALUES (6, 'six', '12.345'), (7, 'seven', 1e3::float8 / 3);
--: INSERT 0 2

SELECT id, price FROM item WHERE id > 5 ORDER BY id;
--: ["id int4", "price numeric"]
--: ["6", "12.35"]
--: ["7", "333.33"]

INSERT INTO item (id, name, qty) VALUES (8, 'eight', 32768);
--! 22003 smallint out of range

INSERT INTO item (id, name, qty) VALUES (8, 'eight', 2.5), (9, 'nine', '7');
--: INSERT 0 2

SELECT id, qty FROM item WHERE id IN (8, 9) ORDER BY id;
--: ["id int4", "qty int2"]
--: ["8", "3"]
--: ["9", "7"]

INSERT INTO item (id, name, qty) VALUES (10, 'ten', 'x');
--! 22P02 invalid input syntax for type smallint: "x"

INSERT INTO item (id, name, price) VALUES (10, 'ten', 1234567.89);
--! 22003 numeric field overflow

INSERT INTO item (id, name, price) VALUES (10, 'ten', -1);
--! 23514 new row for relation "item" violates check constraint "item_price_check"

INSERT INTO item (id, name, price, qty) VALUES (10, 'ten', 1000, 10);
--! 23514 new row for relation "item" violates check constraint "cheap_or_few"

INSERT INTO item (id, name) VALUES (10, 'a name that is too long');
--! 22001 value too long for type character varying(10)

INSERT INTO item (id, name) VALUES (10, 'spaces              ');
--: INSERT 0 1

INSERT INTO item (id, name) VALUES (11, NULL);
--! 23502 null value in column "name" of relation "item" violates not-null constraint

INSERT INTO item (name) VALUES ('no key');
--! 23502 null value in column "id" of relation "item" violates not-null constraint

INSERT INTO item (id, name) VALUES (12, 'a'), (12, 'b');
--! 23505 duplicate key value violates unique constraint "item_pkey"

INSERT INTO item (id, name, added) VALUES (12, 'a', 'not a date');
--! 22007 invalid input syntax for type date: "not a date"

INSERT INTO item (id, name, price) VALUES (12, 'a', true);
--! 42804 column "price" is of type numeric but expression is of type boolean

INSERT INTO item (id, name, id) VALUES (12, 'a', 13);
--! 42701 column "id" specified more than once

INSERT INTO item (id, name) VALUES (12);
--! 42601 INSERT has more target columns than expressions

INSERT INTO item (id) VALUES (12, 'a');
--! 42601 INSERT has more expressions than target columns

INSERT INTO nowhere VALUES (1);
--! 42P01 relation "nowhere" does not exist

INSERT INTO item DEFAULT VALUES;
--! 23502 null value in column "id" of relation "item" violates not-null constraint

SELECT count(*) FROM item;
--: ["count int8"]
--: ["10"]

-- From a query.
INSERT INTO item (id, name, price) SELECT id + 100, 'c' || id, price + 1 FROM item WHERE id <= 3 RETURNING id, name, price;
--: ["id int4", "name varchar", "price numeric"]
--: ["101", "c1", "10.99"]
--: ["102", "c2", "2.01"]
--: ["103", "c3", "10.99"]

INSERT INTO item (id, name) SELECT g, 'g' || g FROM generate_series(201, 203) g;
--: INSERT 0 3

INSERT INTO item (id, name) WITH x AS (SELECT 300 AS id) SELECT id, 'w' FROM x RETURNING id;
--: ["id int4"]
--: ["300"]

INSERT INTO item (id, name) SELECT id, name FROM item WHERE false;
--: INSERT 0 0

INSERT INTO item (id, name) SELECT id, name FROM item;
--! 23505 duplicate key value violates unique constraint "item_pkey"

INSERT INTO part VALUES (1, 'x'), (1, 'y', 5), (2, 'x', 7);
--! 42601 VALUES lists must all be the same length

INSERT INTO part VALUES (1, 'x', 9);
--: INSERT 0 1

INSERT INTO part VALUES (NULL, 'x', 9);
--! 23502 null value in column "a" of relation "part" violates not-null constraint

SELECT * FROM part WHERE a = 1 AND b = 'y';
--: ["a int4", "b text", "n int8"]

SELECT * FROM part WHERE a = 1 ORDER BY b;
--: ["a int4", "b text", "n int8"]
--: ["1", "x", "9"]

SELECT * FROM part WHERE (a, b) = (2, 'x');
--: ["a int4", "b text", "n int8"]

-- ON CONFLICT.
INSERT INTO part VALUES (1, 'x', 1), (3, 'z', 3) ON CONFLICT DO NOTHING RETURNING *;
--: ["a int4", "b text", "n int8"]
--: ["3", "z", "3"]

INSERT INTO part AS p VALUES (1, 'x', 10), (4, 'q', 4) ON CONFLICT (a, b) DO UPDATE SET n = p.n + excluded.n RETURNING a, b, n;
--: ["a int4", "b text", "n int8"]
--: ["1", "x", "19"]
--: ["4", "q", "4"]

INSERT INTO part VALUES (1, 'x', 100) ON CONFLICT (a, b) DO UPDATE SET n = excluded.n WHERE part.n > 50;
--: INSERT 0 0

SELECT n FROM part WHERE a = 1 AND b = 'x';
--: ["n int8"]
--: ["19"]

INSERT INTO part VALUES (1, 'x', 1), (1, 'x', 2) ON CONFLICT (a, b) DO UPDATE SET n = excluded.n;
--! 21000 ON CONFLICT DO UPDATE command cannot affect row a second time

INSERT INTO part VALUES (1, 'x', 1) ON CONFLICT (a) DO NOTHING;
--! 42P10 there is no unique or exclusion constraint matching the ON CONFLICT specification

INSERT INTO item (id, name) VALUES (1, 'uno') ON CONFLICT (id) DO UPDATE SET name = excluded.name, qty = item.qty + 1 RETURNING id, name, qty, price;
--: ["id int4", "name varchar", "qty int2", "price numeric"]
--: ["1", "uno", "2", "9.99"]

INSERT INTO item (id, name, price) VALUES (1, 'uno', -5) ON CONFLICT (id) DO UPDATE SET price = excluded.price;
--! 23514 new row for relation "item" violates check constraint "item_price_check"

-- UPDATE.
UPDATE item SET price = price * 1.1, note = 'up' WHERE id = 1 RETURNING id, price, note;
--: ["id int4", "price numeric", "note text"]
--: ["1", "10.99", "up"]

UPDATE item SET qty = qty + 1 WHERE name LIKE 'g%';
--: UPDATE 3

UPDATE item SET note = name || '!' WHERE note IS NULL AND id < 5 RETURNING id, note;
--: ["id int4", "note text"]
--: ["3", "three!"]
--: ["4", "four!"]

UPDATE item SET price = DEFAULT, qty = DEFAULT WHERE id = 2 RETURNING price, qty;
--: ["price numeric", "qty int2"]
--: ["9.99", "1"]

UPDATE item SET qty = 40000 WHERE id = 2;
--! 22003 smallint out of range

UPDATE item SET name = 'far too long a name' WHERE id = 2;
--! 22001 value too long for type character varying(10)

UPDATE item SET price = 2000, qty = 20 WHERE id = 2;
--! 23514 new row for relation "item" violates check constraint "cheap_or_few"

UPDATE item SET name = NULL;
--! 23502 null value in column "name" of relation "item" violates not-null constraint

UPDATE item SET nonsense = 1;
--! 42703 column "nonsense" of relation "item" does not exist

UPDATE item SET id = 1 WHERE id = 2;
--! 23505 duplicate key value violates unique constraint "item_pkey"

UPDATE item SET id = 22 WHERE id = 2 RETURNING id;
--: ["id int4"]
--: ["22"]

UPDATE item i SET note = p.b FROM part p WHERE p.a = i.id AND p.b IN ('y', 'z') RETURNING i.id, i.note, p.n;
--: ["id int4", "note text", "n int8"]
--: ["3", "z", "3"]

UPDATE item SET note = (SELECT max(b) FROM part), qty = (SELECT count(*) FROM part) WHERE id = 3 RETURNING note, qty;
--: ["note text", "qty int2"]
--: ["z", "3"]

UPDATE item SET (name, qty) = (SELECT 'sub', 9) WHERE id = 4 RETURNING name, qty;
--: ["name varchar", "qty int2"]
--: ["sub", "9"]

UPDATE item SET qty = 1, qty = 2;
--! 42601 multiple assignments to same column "qty"

UPDATE item SET price = price + 1 WHERE id IN (SELECT a FROM part) RETURNING id;
--: ["id int4"]
--: ["1"]
--: ["3"]
--: ["4"]

UPDATE item SET id = id + 1000 WHERE id > 200 RETURNING id;
--: ["id int4"]
--: ["1300"]
--: ["1201"]
--: ["1202"]
--: ["1203"]

UPDATE part SET n = n + 1, b = b || 'b' WHERE a = 1 RETURNING *;
--: ["a int4", "b text", "n int8"]
--: ["1", "xb", "20"]

UPDATE part SET a = 9, b = 'same';
--! 23505 duplicate key value violates unique constraint "part_pkey"

SELECT * FROM part ORDER BY a, b;
--: ["a int4", "b text", "n int8"]
--: ["1", "xb", "20"]
--: ["3", "z", "3"]
--: ["4", "q", "4"]

WITH big AS (SELECT id FROM item WHERE id > 1000) UPDATE item SET note = 'big' FROM big WHERE big.id = item.id RETURNING item.id;
--: ["id int4"]
--: ["1300"]
--: ["1201"]
--: ["1202"]
--: ["1203"]

-- DELETE.
DELETE FROM item WHERE id = 1 RETURNING *;
--: ["id int4", "name varchar", "price numeric", "qty int2", "note text", "added date"]
--: ["1", "uno", "11.99", "2", "up", "2024-01-01"]

DELETE FROM item WHERE id = 1;
--: DELETE 0

DELETE FROM item USING part WHERE part.a = item.id RETURNING item.id, part.b;
--: ["id int4", "b text"]
--: ["3", "z"]
--: ["4", "q"]

DELETE FROM item WHERE id IN (SELECT max(id) FROM item);
--: DELETE 1

DELETE FROM item i WHERE NOT EXISTS (SELECT 1 FROM part p WHERE p.a = i.id) AND i.id BETWEEN 100 AND 200;
--: DELETE 3

DELETE FROM nowhere;
--! 42P01 relation "nowhere" does not exist

SELECT id, name, price, qty, note, added FROM item ORDER BY id;
--: ["id int4", "name varchar", "price numeric", "qty int2", "note text", "added date"]
--: ["5", "five", "2.00", "1", null, "2024-01-01"]
--: ["6", "six", "12.35", "1", null, "2024-01-01"]
--: ["7", "seven", "333.33", "1", null, "2024-01-01"]
--: ["8", "eight", "9.99", "3", null, "2024-01-01"]
--: ["9", "nine", "9.99", "7", null, "2024-01-01"]
--: ["10", "spaces    ", "9.99", "1", null, "2024-01-01"]
--: ["22", "two", "9.99", "1", "n", "2024-02-02"]
--: ["1201", "g201", "9.99", "2", "big", "2024-01-01"]
--: ["1202", "g202", "9.99", "2", "big", "2024-01-01"]
--: ["1203", "g203", "9.99", "2", "big", "2024-01-01"]

DELETE FROM part;
--: DELETE 3

SELECT count(*) FROM part;
--: ["count int8"]
--: ["0"]
