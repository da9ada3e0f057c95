-- What the time is, and who asks.
SELECT 'now'::timestamptz = now(), 'today'::date = current_date, 'tomorrow'::date - 'yesterday'::date AS days, timestamp 'now' = localtimestamp;
--: ["?column? bool", "?column? bool", "days int4", "?column? bool"]
--: ["t", "t", "2", "t"]

SELECT now() = transaction_timestamp(), now() = statement_timestamp(), clock_timestamp() >= now();
--: ["?column? bool", "?column? bool", "?column? bool"]
--: ["t", "t", "t"]

SELECT now() - now() AS nothing, current_timestamp = now(), localtime = now()::time;
--: ["nothing interval", "?column? bool", "?column? bool"]
--: ["00:00:00", "t", "t"]

SELECT extract(year FROM now()) > 2020, date_part('year', current_date) > 2020, now() > '2024-01-01', age(now()) IS NOT NULL;
--: ["?column? bool", "?column? bool", "?column? bool", "?column? bool"]
--: ["t", "t", "t", "t"]

CREATE TABLE seen (id int PRIMARY KEY, at timestamptz DEFAULT now(), day date DEFAULT 'today', until timestamp DEFAULT now() + interval '1 day');
--: CREATE TABLE

INSERT INTO seen (id) VALUES (1), (2) RETURNING at = now(), day = current_date, until > now();
--: ["?column? bool", "?column? bool", "?column? bool"]
--: ["t", "t", "t"]
--: ["t", "t", "t"]

INSERT INTO seen VALUES (3, 'now', 'tomorrow', 'infinity') RETURNING at = now(), day - current_date, until;
--: ["?column? bool", "?column? int4", "until timestamp"]
--: ["t", "1", "infinity"]

SELECT count(DISTINCT at) FROM seen WHERE id < 3;
--: ["count int8"]
--: ["1"]

SELECT count(*) FROM seen WHERE at > now() - interval '1 hour' AND day >= 'today';
--: ["count int8"]
--: ["3"]

BEGIN;
--: BEGIN

SELECT now() = transaction_timestamp(), statement_timestamp() >= now();
--: ["?column? bool", "?column? bool"]
--: ["t", "t"]

INSERT INTO seen (id) VALUES (4) RETURNING at = now();
--: ["?column? bool"]
--: ["t"]

SELECT at = now() FROM seen WHERE id = 4;
--: ["?column? bool"]
--: ["t"]

COMMIT;
--: COMMIT

SELECT pg_typeof(1), pg_typeof('a'), pg_typeof(now()), pg_typeof(NULL), pg_typeof(ARRAY[1]), pg_typeof(1.5::float4);
--: ["pg_typeof regtype", "pg_typeof regtype", "pg_typeof regtype", "pg_typeof regtype", "pg_typeof regtype", "pg_typeof regtype"]
--: ["integer", "unknown", "timestamp with time zone", "unknown", "integer[]", "real"]

SELECT 'int4'::regtype, 'integer'::regtype::oid, 23::regtype, 'timestamptz'::regtype::text;
--: ["regtype regtype", "oid oid", "regtype regtype", "text text"]
--: ["integer", "23", "integer", "timestamp with time zone"]

SELECT 'pg_class'::regclass, 'pg_catalog.pg_type'::regclass::oid, 'pg_catalog'::regnamespace;
--: ["regclass regclass", "oid oid", "regnamespace regnamespace"]
--: ["pg_class", "1247", "pg_catalog"]

SELECT 'nowhere'::regclass;
--! 42P01 relation "nowhere" does not exist

SELECT current_database() IS NOT NULL, current_schema = current_schemas(false)[1], current_user = session_user;
--! 42601 syntax error at or near "["
