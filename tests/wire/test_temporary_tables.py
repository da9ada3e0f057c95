"""Temporary tables, views and sequences: what is told beside PostgreSQL 15, and whose they are."""

import threading

import psycopg
import pytest

from tests.wire import interleaved
from tests.wire.server import PASSWORD, KalamServer
from tests.wire.side_by_side import Side, differences

pytestmark = pytest.mark.slow

MADE = """
CREATE TABLE t (id int PRIMARY KEY, who text)
INSERT INTO t VALUES (1,'stored')
SELECT * FROM t
CREATE TEMP TABLE t (id serial PRIMARY KEY, who text UNIQUE, n int CHECK (n > 0) DEFAULT 5)
SELECT * FROM t
INSERT INTO t (who) VALUES ('a'), ('b') RETURNING *
INSERT INTO t (who) VALUES ('a')
INSERT INTO t (who,n) VALUES ('c', -1)
SELECT * FROM t ORDER BY id
SELECT * FROM public.t
SELECT * FROM pg_temp.t ORDER BY id
UPDATE t SET n = 7 WHERE who='a'
DELETE FROM t WHERE who='b'
SELECT t.id, p.who FROM t JOIN public.t p ON true ORDER BY 1
SELECT relname, relpersistence, relkind FROM pg_class WHERE relnamespace = pg_my_temp_schema() ORDER BY 1
SELECT nspname LIKE 'pg_temp_%' FROM pg_namespace WHERE oid = pg_my_temp_schema()
SELECT table_name, table_type FROM information_schema.tables WHERE table_schema LIKE 'pg_temp%'
SELECT count(*) FROM pg_class WHERE relname = 't'
CREATE TEMP TABLE t (a int)
CREATE TEMP TABLE IF NOT EXISTS t (a int)
CREATE TEMP TABLE public.x (a int)
CREATE TEMPORARY TABLE nosuch.x (a int)
CREATE TEMP TABLE pg_temp.x (a int)
CREATE TABLE pg_temp.y (a int)
SELECT relname, relpersistence FROM pg_class WHERE relname IN ('x','y') ORDER BY 1
DROP TABLE x, y
CREATE TABLE z (a int) ON COMMIT DROP
BEGIN
CREATE TEMP TABLE od (a int) ON COMMIT DROP
INSERT INTO od SELECT generate_series(1,10)
SELECT count(*), sum(a) FROM od
COMMIT
SELECT * FROM od
CREATE LOCAL TEMP TABLE dr (a int PRIMARY KEY) ON COMMIT DELETE ROWS
INSERT INTO dr VALUES (1)
SELECT * FROM dr
BEGIN
INSERT INTO dr VALUES (1),(2)
SELECT * FROM dr ORDER BY a
COMMIT
SELECT * FROM dr
BEGIN
CREATE TEMP TABLE rb (a int)
INSERT INTO rb VALUES (1)
SAVEPOINT s
CREATE TEMP TABLE rb2 (a int)
INSERT INTO rb VALUES (2)
DROP TABLE t
SELECT * FROM t
ROLLBACK TO s
SELECT * FROM rb
SELECT * FROM rb2
SELECT * FROM t ORDER BY id
ROLLBACK
SELECT * FROM rb
SELECT * FROM t ORDER BY id
CREATE TEMP TABLE c AS SELECT * FROM public.t UNION ALL SELECT 2,'x'
SELECT * FROM c ORDER BY 1
SELECT id*2 AS d INTO TEMP c2 FROM c
SELECT * FROM c2 ORDER BY 1
SELECT 1 AS one INTO TEMPORARY TABLE c3
TABLE c3
CREATE TABLE c AS SELECT 42 AS answer
SELECT * FROM public.c
SELECT * FROM c ORDER BY 1
CREATE TEMP VIEW v AS SELECT * FROM public.t
SELECT * FROM v
CREATE VIEW v2 AS SELECT * FROM t
SELECT * FROM v2 ORDER BY 1
CREATE OR REPLACE TEMP VIEW v AS SELECT id, who FROM public.t WHERE id > 0
DROP TABLE t
DROP TABLE t CASCADE
SELECT * FROM t
SELECT * FROM v2
CREATE TEMP SEQUENCE sq START 10
SELECT nextval('sq'), nextval('pg_temp.sq'), currval('sq')
CREATE TEMP TABLE par (id int PRIMARY KEY)
CREATE TEMP TABLE chi (id int REFERENCES par ON DELETE CASCADE)
INSERT INTO chi VALUES (1)
INSERT INTO par VALUES (1)
INSERT INTO chi VALUES (1)
DELETE FROM par
SELECT * FROM chi
CREATE TEMP TABLE chi2 (id int REFERENCES public.t)
CREATE TABLE chi2 (id int REFERENCES par)
ALTER TABLE chi ADD COLUMN more text DEFAULT 'm'
INSERT INTO chi VALUES (NULL)
SELECT * FROM chi
ALTER TABLE chi RENAME COLUMN more TO less
SELECT less FROM chi
ALTER TABLE chi SET SCHEMA public
ALTER TABLE public.t SET SCHEMA pg_temp
ALTER TABLE chi RENAME TO child
SELECT * FROM child
BEGIN
ALTER TABLE child DROP COLUMN less
INSERT INTO child VALUES (NULL)
SELECT * FROM child
ROLLBACK
SELECT * FROM child
BEGIN
ALTER TABLE child DROP COLUMN less
INSERT INTO child VALUES (NULL)
COMMIT
SELECT * FROM child
CREATE INDEX ON child (id)
CREATE UNIQUE INDEX cu ON child (id)
SELECT indexname FROM pg_indexes WHERE tablename='child' ORDER BY 1
TRUNCATE child
SELECT count(*) FROM child
BEGIN READ ONLY
INSERT INTO par VALUES (77)
SELECT nextval('sq')
SELECT * FROM par
CREATE TEMP TABLE ro (a int)
ROLLBACK
DISCARD TEMP
SELECT * FROM par
SELECT * FROM t
SET search_path = pg_temp, public
CREATE TABLE intemp (a int)
SELECT relpersistence FROM pg_class WHERE relname='intemp'
SELECT current_schemas(false) = ARRAY['public'], current_schema() LIKE 'pg_temp_%'
SET search_path = public, pg_temp
CREATE TEMP TABLE t (hidden int)
SELECT * FROM t
SELECT * FROM pg_temp.t
RESET search_path
SELECT * FROM t
DISCARD ALL
SELECT * FROM t
SELECT count(*) FROM pg_class WHERE relpersistence = 't'
CREATE TEMP TABLE x1 (LIKE t INCLUDING ALL)
INSERT INTO x1 VALUES (1,'a'),(1,'b')
INSERT INTO x1 VALUES (1,'a') ON CONFLICT (id) DO UPDATE SET who = 'upd' RETURNING *
INSERT INTO x1 VALUES (1,'a') ON CONFLICT (id) DO UPDATE SET who = 'upd' RETURNING *
WITH d AS (DELETE FROM x1 RETURNING *) SELECT * FROM d
SELECT (SELECT count(*) FROM x1), EXISTS (SELECT 1 FROM x1)
EXPLAIN (COSTS OFF) SELECT 1
CREATE TEMP TABLE g (k int, v text);
INSERT INTO g SELECT i % 3, 'v'||i FROM generate_series(1,1000) i
SELECT k, count(*), min(v) FROM g GROUP BY k ORDER BY k
SELECT count(*) FROM g a JOIN g b USING (v)
SELECT g.k, t.who FROM g JOIN t ON t.id = g.k WHERE g.v IN ('v1','v4') ORDER BY g.v
DROP TABLE g
DROP TABLE IF EXISTS g
CREATE TEMP TABLE idt (id int GENERATED ALWAYS AS IDENTITY, b text)
INSERT INTO idt (b) VALUES ('x'),('y')
SELECT * FROM idt ORDER BY id
SELECT lastval()
DROP SCHEMA pg_temp
SELECT pg_is_other_temp_schema(pg_my_temp_schema())
COMMENT ON TABLE idt IS 'temp'
SELECT obj_description('idt'::regclass)
SELECT 'idt'::regclass, 'pg_temp.idt'::regclass, to_regclass('pg_temp.nosuch')
"""

USED = """
CREATE TABLE t (id int PRIMARY KEY, who text)
INSERT INTO t SELECT i, 'stored'||i FROM generate_series(1,5) i
PREPARE p AS SELECT count(*) FROM t
PREPARE q (int) AS SELECT who FROM t WHERE id = $1
PREPARE ins (int, text) AS INSERT INTO t VALUES ($1, $2)
EXECUTE p
EXECUTE q(1)
CREATE TEMP TABLE t (id int PRIMARY KEY, who text)
EXECUTE p
EXECUTE q(1)
EXECUTE ins(1,'temp')
EXECUTE q(1)
DROP TABLE t
EXECUTE q(1)
EXECUTE ins(9,'nine')
EXECUTE p
EXECUTE q(9)
CREATE TEMP TABLE m (a int, b text, c numeric(8,2), d date, e text[], f jsonb)
INSERT INTO m SELECT i, 'b'||i, i, '2024-01-01', '{y}', '{"i": 1}' FROM generate_series(1,3000) i
SELECT count(*), sum(c), max(d), min(f->>'i') FROM m
SELECT * FROM m WHERE a BETWEEN 10 AND 12 ORDER BY a
SELECT * FROM m ORDER BY a DESC LIMIT 3
SELECT b, row_number() OVER (ORDER BY a DESC) FROM m LIMIT 3
SELECT a FROM m WHERE a IN (SELECT id FROM t) ORDER BY 1
SELECT count(*) FROM m WHERE EXISTS (SELECT 1 FROM t WHERE t.id = m.a)
UPDATE m SET c = c + 1 WHERE a % 2 = 0
SELECT sum(c) FROM m
UPDATE m SET b = t.who FROM t WHERE t.id = m.a
SELECT b FROM m WHERE a <= 6 ORDER BY a
DELETE FROM m USING t WHERE t.id = m.a
SELECT count(*) FROM m
INSERT INTO t SELECT a, b FROM m WHERE a = 4000 OR a = 17
SELECT * FROM t ORDER BY id
BEGIN
DECLARE c1 CURSOR FOR SELECT a FROM m ORDER BY a
FETCH 2 FROM c1
UPDATE m SET a = -a
FETCH 2 FROM c1
CLOSE c1
ROLLBACK
BEGIN
DECLARE c2 CURSOR WITH HOLD FOR SELECT a FROM m ORDER BY a
COMMIT
DELETE FROM m
FETCH 2 FROM c2
CLOSE c2
SELECT count(*) FROM m
BEGIN
INSERT INTO m (a) VALUES (1)
SAVEPOINT a
INSERT INTO m (a) VALUES (2)
SELECT count(*) FROM m
ROLLBACK TO a
SELECT count(*) FROM m
TRUNCATE m
SELECT count(*) FROM m
ROLLBACK
SELECT count(*) FROM m
BEGIN ISOLATION LEVEL REPEATABLE READ
INSERT INTO m (a) VALUES (1)
SELECT count(*) FROM m
COMMIT
SELECT count(*) FROM m
ALTER TABLE m ADD CONSTRAINT mu UNIQUE (b)
ALTER TABLE m ADD CHECK (a > 0)
INSERT INTO m (a) VALUES (0)
INSERT INTO m (a, b) VALUES (5, 'x')
INSERT INTO m (a, b) VALUES (6, 'x')
ALTER TABLE m ALTER COLUMN a TYPE bigint
SELECT a, pg_typeof(a) FROM m ORDER BY a
ALTER TABLE m ALTER COLUMN a SET DEFAULT 7
ALTER TABLE m DROP COLUMN f
INSERT INTO m (b) VALUES ('y')
SELECT a, b FROM m ORDER BY a
CREATE TEMP TABLE sl (x int)
SELECT * FROM sl FOR UPDATE
INSERT INTO sl VALUES (1)
SELECT * FROM sl FOR UPDATE
LOCK TABLE sl
BEGIN
LOCK TABLE sl
COMMIT
CREATE TEMP VIEW vv AS SELECT x, x*2 AS y FROM sl
SELECT * FROM vv
SELECT table_name, table_type FROM information_schema.tables WHERE table_name IN ('vv','sl') ORDER BY 1
DROP VIEW vv
SELECT * FROM vv
CREATE TEMP TABLE big AS SELECT generate_series(1,20000) AS n
SELECT count(*), sum(n) FROM big
SELECT count(*) FROM big a JOIN big b ON a.n = b.n
WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n+1 FROM r WHERE n < 9) SELECT sum(n) FROM r JOIN big USING (n)
CREATE VIEW stays AS SELECT * FROM t
CREATE TEMP TABLE t (nothing int)
SELECT count(*) FROM stays
SELECT * FROM t
DROP TABLE t
CREATE TEMP TABLE oc1 (id int PRIMARY KEY) ON COMMIT DELETE ROWS
CREATE TEMP TABLE oc2 (id int REFERENCES oc1)
BEGIN
INSERT INTO oc1 VALUES (1)
COMMIT
DROP TABLE oc2
CREATE TEMP TABLE oc3 ON COMMIT DROP AS SELECT 1 AS x
SELECT * FROM oc3
CREATE TEMP TABLE oc4 ON COMMIT DELETE ROWS AS SELECT 1 AS x
SELECT * FROM oc4
BEGIN
CREATE TEMP TABLE oc5 ON COMMIT DELETE ROWS AS SELECT 1 AS x
SELECT * FROM oc5
COMMIT
SELECT * FROM oc5
BEGIN
DROP TABLE big
SELECT count(*) FROM big
ROLLBACK
SELECT count(*) FROM big
BEGIN
DROP TABLE big
CREATE TEMP TABLE big (a text)
INSERT INTO big VALUES ('new')
SELECT * FROM big
COMMIT
SELECT * FROM big
CREATE TEMP TABLE w2 (a int) ON COMMIT PRESERVE ROWS
INSERT INTO w2 VALUES (1)
SELECT * FROM w2
CREATE TEMPORARY VIEW wv (q) AS VALUES (1),(2)
SELECT * FROM wv
CREATE TEMP TABLE nocols ()
SELECT count(*) FROM nocols
GRANT SELECT ON w2 TO PUBLIC
"""

HIDDEN = """
1: CREATE TABLE both (id int)
1: INSERT INTO both VALUES (1)
1: CREATE TEMP TABLE both (id int, own text)
1: CREATE TEMP TABLE mine (id int)
2: SELECT * FROM both
2: SELECT * FROM mine
2: SELECT * FROM pg_temp.mine
2: CREATE TEMP TABLE mine (other text)
2: INSERT INTO mine VALUES ('other')
1: INSERT INTO mine VALUES (1)
2: SELECT * FROM mine
1: SELECT * FROM mine
1: BEGIN
1: DROP TABLE both
1: SELECT * FROM both
2: SELECT * FROM both
1: ROLLBACK
1: SELECT * FROM both
2: DROP TABLE both
2: SELECT * FROM both
1: SELECT * FROM both
1: SELECT * FROM public.both
"""


@pytest.mark.parametrize("script", [MADE, USED], ids=["made", "used"])
def test_temporary_objects_are_those_of_postgresql(servers, script):
    server, theirs = servers
    with server.root() as root, psycopg.connect(theirs, autocommit=True) as other:
        try:
            assert differences((Side(root), Side(other)), script) == []
        finally:
            for connection in root, other:
                connection.execute("DROP TABLE IF EXISTS public.t, public.c CASCADE")


def test_nobody_else_sees_them(servers):
    assert interleaved.differences(servers, HIDDEN) == ""


def test_prepared_statements_mean_the_table_that_is_there_now(servers: tuple[KalamServer, str]):
    """In four sessions at a time, each with a table that hides everybody's; the plans are not mixed up."""
    server, _ = servers
    with server.root() as root:
        root.execute("CREATE TABLE hidden (id int PRIMARY KEY, who text)")
        root.execute("INSERT INTO hidden VALUES (1, 'everybody')")
    wrong: list[object] = []
    row = "SELECT who FROM hidden WHERE id = %s"

    def live(name: str) -> None:
        with server.root() as mine:
            mine.prepare_threshold = 0
            for _ in range(5):
                seen = [mine.execute(row, (1,)).fetchone()]
                mine.execute("CREATE TEMP TABLE hidden (id int PRIMARY KEY, who text)")
                for id_ in range(2):
                    mine.execute("INSERT INTO hidden VALUES (%s, %s)", (id_, name))
                seen.append(mine.execute(row, (1,)).fetchone())
                seen.append(mine.execute("SELECT count(*) FROM hidden").fetchone())
                mine.execute("DROP TABLE hidden")
                seen.append(mine.execute(row, (1,)).fetchone())
                if seen != [("everybody",), (name,), (2,), ("everybody",)]:
                    wrong.append(seen)

    threads = [threading.Thread(target=live, args=(f"session {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_engine_and_this_process_answer_alike(servers: tuple[KalamServer, str]):
    server, _ = servers
    questions = [
        "SELECT count(*), sum(n), max(s.body) FROM own JOIN kept s USING (id)",
        "SELECT n % 3, count(*) FROM own GROUP BY 1 ORDER BY 1",
        "SELECT id FROM own o WHERE n = (SELECT max(n) FROM own i WHERE i.n % 7 = o.n % 7) ORDER BY 1",
    ]
    with server.root() as root:
        root.execute(
            "CREATE TABLE kept AS SELECT i AS id, 'b' || i AS body FROM generate_series(1, 90) i"
        )
        root.execute(
            "CREATE TEMP TABLE own AS SELECT i AS id, i * 2 AS n FROM generate_series(1, 40) i"
        )
        answers = []
        for change in (
            "SELECT 1",
            "INSERT INTO own VALUES (41, 5)",
            "DELETE FROM own WHERE id < 9",
        ):
            root.execute(change)
            for where in ("on", "off"):
                root.execute(f"SET kalam.in_process_queries = {where}")
                answers.append([root.execute(question).fetchall() for question in questions])
    assert answers[::2] == answers[1::2]
    assert [answer[0][0][0] for answer in answers] == [40, 40, 41, 41, 33, 33]


def test_another_role_of_the_session_may_not_read_them(servers: tuple[KalamServer, str]):
    server, _ = servers
    with server.root() as root:
        root.execute(f"CREATE USER tess WITH PASSWORD '{PASSWORD}' ROLE 'user'")
        root.execute("CREATE TEMP TABLE private (a int)")
        root.execute("SET ROLE tess")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="for table private"):
            root.execute("SELECT * FROM private")
        root.execute("CREATE TEMP TABLE hers (a serial, b text)")
        assert root.execute("INSERT INTO hers (b) VALUES ('x') RETURNING a").fetchone() == (1,)
        root.execute("ALTER TABLE hers ADD COLUMN c int")
        root.execute("DROP TABLE hers")


def test_what_a_temporary_view_reads_is_not_taken_away(servers: tuple[KalamServer, str]):
    server, _ = servers
    with server.root() as root, server.root() as other:
        root.execute("CREATE TABLE read (a int)")
        root.execute("CREATE TEMP VIEW reading AS SELECT a FROM read")
        for change in ("DROP TABLE read", "ALTER TABLE read RENAME TO gone"):
            with pytest.raises(psycopg.errors.ObjectInUse, match='cannot change "read"'):
                other.execute(change)
        other.execute("ALTER TABLE read ADD CHECK (a > 0)")
        assert root.execute("SELECT * FROM reading").fetchall() == []
        with pytest.raises(psycopg.errors.DependentObjectsStillExist, match="drop table read"):
            root.execute("DROP TABLE read")
        root.execute("DROP TABLE read CASCADE")


def test_copy_and_cursors_take_them(servers: tuple[KalamServer, str]):
    server, _ = servers
    with server.root() as root:
        root.execute("CREATE TEMP TABLE copied (a int PRIMARY KEY, b text)")
        with root.cursor().copy("COPY copied FROM STDIN") as copy:
            for n in range(500):
                copy.write_row((n, f"row {n}"))
        with root.transaction(), root.cursor(name="some") as some:
            some.execute("SELECT a FROM copied ORDER BY a")
            assert some.fetchmany(3) == [(0,), (1,), (2,)]
        with root.cursor().copy("COPY copied TO STDOUT") as copy:
            assert sum(1 for _ in copy.rows()) == 500


def test_a_temporary_table_is_not_followed(servers: tuple[KalamServer, str]):
    server, _ = servers
    with server.root() as root:
        root.execute("CREATE TEMP TABLE followed (a int PRIMARY KEY)")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="temporary table"):
            root.execute("SUBSCRIBE TO SELECT * FROM followed")
