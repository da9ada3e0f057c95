-- Blocks: what they keep, what they drop, what they say.
CREATE TABLE t (id int PRIMARY KEY, v text);
--: CREATE TABLE

BEGIN;
--: BEGIN

INSERT INTO t VALUES (1, 'one'), (2, 'two');
--: INSERT 0 2

UPDATE t SET v = 'uno' WHERE id = 1;
--: UPDATE 1

SELECT * FROM t ORDER BY id;
--: ["id int4", "v text"]
--: ["1", "uno"]
--: ["2", "two"]

DELETE FROM t WHERE id = 2;
--: DELETE 1

SELECT count(*) FROM t;
--: ["count int8"]
--: ["1"]

COMMIT;
--: COMMIT

SELECT * FROM t ORDER BY id;
--: ["id int4", "v text"]
--: ["1", "uno"]

START TRANSACTION;
--: START TRANSACTION

INSERT INTO t VALUES (3, 'three');
--: INSERT 0 1

INSERT INTO t VALUES (1, 'again');
--! 23505 duplicate key value violates unique constraint "t_pkey"

SELECT 1;
--! 25P02 current transaction is aborted, commands ignored until end of transaction block

COMMIT;
--: ROLLBACK

SELECT * FROM t ORDER BY id;
--: ["id int4", "v text"]
--: ["1", "uno"]

BEGIN;
--: BEGIN

DELETE FROM t;
--: DELETE 1

SELECT count(*) FROM t;
--: ["count int8"]
--: ["0"]

INSERT INTO t VALUES (1, 'new');
--: INSERT 0 1

SELECT * FROM t;
--: ["id int4", "v text"]
--: ["1", "new"]

ROLLBACK;
--: ROLLBACK

SELECT * FROM t;
--: ["id int4", "v text"]
--: ["1", "uno"]

COMMIT;
--: COMMIT

ROLLBACK;
--: ROLLBACK

BEGIN READ ONLY;
--: BEGIN

SELECT count(*) FROM t;
--: ["count int8"]
--: ["1"]

INSERT INTO t VALUES (9, 'x');
--! 25006 cannot execute INSERT in a read-only transaction

END;
--: ROLLBACK

BEGIN ISOLATION LEVEL REPEATABLE READ;
--: BEGIN

SHOW transaction_isolation;
--: ["transaction_isolation text"]
--: ["repeatable read"]

SELECT * FROM t;
--: ["id int4", "v text"]
--: ["1", "uno"]

ABORT;
--: ROLLBACK

BEGIN;
--: BEGIN

CREATE TABLE made (id int PRIMARY KEY);
--: CREATE TABLE

INSERT INTO made VALUES (1);
--: INSERT 0 1

SELECT * FROM made;
--: ["id int4"]
--: ["1"]

ROLLBACK;
--: ROLLBACK

SELECT * FROM made;
--! 42P01 relation "made" does not exist

BEGIN;
--: BEGIN

UPDATE t SET id = id + 10;
--: UPDATE 1

UPDATE t SET id = id + 10;
--: UPDATE 1

SELECT * FROM t;
--: ["id int4", "v text"]
--: ["21", "uno"]

INSERT INTO t VALUES (1, 'free again');
--: INSERT 0 1

COMMIT;
--: COMMIT

SELECT * FROM t ORDER BY id;
--: ["id int4", "v text"]
--: ["1", "free again"]
--: ["21", "uno"]

PREPARE p (int) AS SELECT v FROM t WHERE id = $1;
--: PREPARE

EXECUTE p (21);
--: ["v text"]
--: ["uno"]

EXECUTE p ('1');
--: ["v text"]
--: ["free again"]

EXECUTE p (1, 2);
--! 42601 wrong number of parameters for prepared statement "p"

EXECUTE p ('x');
--! 22P02 invalid input syntax for type integer: "x"

DEALLOCATE p;
--: DEALLOCATE

EXECUTE p (1);
--! 26000 prepared statement "p" does not exist

PREPARE q AS INSERT INTO t VALUES ($1, $2) RETURNING *;
--: PREPARE

EXECUTE q (30, 'thirty');
--: ["id int4", "v text"]
--: ["30", "thirty"]

EXECUTE q (30, 'thirty');
--! 23505 duplicate key value violates unique constraint "t_pkey"

DEALLOCATE ALL;
--: DEALLOCATE ALL

SELECT * FROM t ORDER BY id;
--: ["id int4", "v text"]
--: ["1", "free again"]
--: ["21", "uno"]
--: ["30", "thirty"]

TRUNCATE t;
--: TRUNCATE TABLE

SELECT count(*) FROM t;
--: ["count int8"]
--: ["0"]

DROP TABLE t;
--: DROP TABLE

SELECT * FROM t;
--! 42P01 relation "t" does not exist

DROP TABLE t;
--! 42P01 table "t" does not exist
