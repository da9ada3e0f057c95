"""FOREIGN KEY: what a client is told and who waits, as on PostgreSQL 15; users' rows that refer to everybody's."""

# ruff: noqa: E501 -- one statement a line

import psycopg
import pytest
from psycopg.errors import ForeignKeyViolation

from tests.wire.interleaved import differences as told_differently
from tests.wire.server import KalamServer
from tests.wire.side_by_side import Side, differences

pytestmark = pytest.mark.slow

STATEMENTS = r"""
CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE, x int, y int, UNIQUE (x, y))
CREATE TABLE c (id int PRIMARY KEY, pid int REFERENCES p, code text REFERENCES p (code) ON DELETE SET NULL ON UPDATE CASCADE)
INSERT INTO p VALUES (1, 'one', 1, 1), (2, 'two', 1, 2)
INSERT INTO c VALUES (1, 1, 'one'), (2, NULL, NULL)
INSERT INTO c VALUES (3, 3, 'one')
INSERT INTO c VALUES (3, 2, 'three')
UPDATE c SET pid = 9 WHERE id = 1
UPDATE c SET pid = 2 WHERE id = 1
DELETE FROM p WHERE id = 2
UPDATE p SET id = 5 WHERE id = 2
UPDATE p SET id = 5 WHERE id = 1
UPDATE p SET code = 'ONE' WHERE id = 5
SELECT * FROM c ORDER BY id
DELETE FROM p WHERE code = 'ONE'
SELECT * FROM c ORDER BY id
SELECT conname, contype, conkey, confkey, confupdtype, confdeltype, confmatchtype, condeferrable, condeferred, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'c'::regclass ORDER BY conname
SELECT constraint_name, unique_constraint_name, match_option, update_rule, delete_rule FROM information_schema.referential_constraints ORDER BY 1
SELECT constraint_name, column_name, ordinal_position, position_in_unique_constraint FROM information_schema.key_column_usage WHERE table_name = 'c' ORDER BY 1, 3
SELECT table_name, column_name, constraint_name FROM information_schema.constraint_column_usage WHERE constraint_name LIKE 'c\_%' ORDER BY 3, 2
SELECT relname, relhastriggers FROM pg_class WHERE relname IN ('p', 'c') ORDER BY 1
DROP TABLE p
TRUNCATE p
TRUNCATE p CASCADE
SELECT * FROM c
INSERT INTO c VALUES (1, 1, NULL)
DROP TABLE p CASCADE
INSERT INTO c VALUES (1, 1, NULL)
DROP TABLE c
CREATE TABLE bad (a int REFERENCES nothing)
CREATE TABLE bad (a int REFERENCES bad2 (z))
CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE, x int, y int, UNIQUE (x, y), n numeric UNIQUE, z int)
CREATE TABLE bad (a int REFERENCES p (nocol))
CREATE TABLE bad (a int REFERENCES p (z))
CREATE TABLE bad (a int, FOREIGN KEY (b) REFERENCES p)
CREATE TABLE bad (a int, FOREIGN KEY (a) REFERENCES p (x, y))
CREATE TABLE bad (a text REFERENCES p)
CREATE TABLE bad (a int REFERENCES p (code))
CREATE TABLE bad (a int, b int, FOREIGN KEY (a, b) REFERENCES p (y, x), CONSTRAINT k FOREIGN KEY (a) REFERENCES p, CONSTRAINT k FOREIGN KEY (b) REFERENCES p)
CREATE TABLE c (a int, b int, s smallint REFERENCES p, big bigint REFERENCES p, n int REFERENCES p (n), CONSTRAINT k FOREIGN KEY (a, b) REFERENCES p (y, x) MATCH FULL)
INSERT INTO p VALUES (1, 'a', 1, 2, 7.0, 1)
INSERT INTO c VALUES (1, 2)
INSERT INTO c VALUES (2, 1)
INSERT INTO c VALUES (2, NULL)
INSERT INTO c VALUES (NULL, NULL, 1, 1, 7)
INSERT INTO c VALUES (NULL, NULL, 1, 5000000000, 7)
INSERT INTO c VALUES (NULL, NULL, 1, 1, 8)
DELETE FROM p
UPDATE p SET x = 3
UPDATE p SET z = 9, x = 1
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'c'::regclass ORDER BY conname
DROP TABLE c, p
CREATE TABLE p (x int, y int, PRIMARY KEY (x, y))
CREATE TABLE c (id int PRIMARY KEY, a int, b int, z int CHECK (z > 0), CONSTRAINT k FOREIGN KEY (a, b) REFERENCES p MATCH FULL DEFERRABLE INITIALLY DEFERRED)
INSERT INTO p VALUES (1, 2)
INSERT INTO c VALUES (1, 1, NULL)
BEGIN
INSERT INTO c VALUES (1, 1, NULL), (2, NULL, NULL), (3, 1, 2)
UPDATE c SET b = 2 WHERE id = 1
COMMIT
BEGIN
INSERT INTO c VALUES (4, 7, NULL)
SET CONSTRAINTS k IMMEDIATE
ROLLBACK
BEGIN
INSERT INTO c VALUES (4, NULL, 7)
DELETE FROM c WHERE id = 4
COMMIT
BEGIN
UPDATE c SET a = NULL WHERE id = 3
SAVEPOINT s
COMMIT
SELECT * FROM c ORDER BY id
ALTER TABLE c DROP CONSTRAINT k, ADD CONSTRAINT k FOREIGN KEY (a, b) REFERENCES p MATCH FULL
INSERT INTO c VALUES (5, 1, NULL, 1), (6, 1, 2, -1)
UPDATE c SET a = NULL WHERE id = 3
DROP TABLE c, p
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE)
INSERT INTO tree VALUES (2, 1), (1, NULL), (3, 2), (4, 3), (5, 1)
INSERT INTO tree VALUES (7, 8)
DELETE FROM tree WHERE id = 2
SELECT * FROM tree ORDER BY id
UPDATE tree SET id = 9, up = 9 WHERE id = 5
DELETE FROM tree
SELECT * FROM tree
DROP TABLE tree
CREATE TABLE p (id int PRIMARY KEY)
CREATE TABLE r (id int PRIMARY KEY, p int REFERENCES p ON DELETE RESTRICT ON UPDATE CASCADE)
CREATE TABLE d (id int PRIMARY KEY, p int DEFAULT 0 REFERENCES p ON DELETE SET DEFAULT ON UPDATE SET DEFAULT)
CREATE TABLE n (id int PRIMARY KEY, p int, q int, FOREIGN KEY (p) REFERENCES p ON DELETE SET NULL (p) ON UPDATE SET NULL)
INSERT INTO p VALUES (0), (1), (2), (3), (4)
INSERT INTO r VALUES (1, 1), (2, 2)
INSERT INTO d VALUES (1, 3), (2, 4)
INSERT INTO n VALUES (1, 3, 7), (2, 4, 8)
DELETE FROM p WHERE id = 1
UPDATE p SET id = id + 10
SELECT * FROM r ORDER BY id
SELECT * FROM d ORDER BY id
SELECT * FROM n ORDER BY id
UPDATE p SET id = id + 10 WHERE id > 0
INSERT INTO d VALUES (3, 14)
INSERT INTO n VALUES (3, 14, 1)
DELETE FROM p WHERE id = 14
SELECT * FROM d ORDER BY id
SELECT * FROM n ORDER BY id
DELETE FROM p WHERE id = 0
DROP TABLE r, d, n
DROP TABLE p
CREATE TABLE p (id int PRIMARY KEY)
CREATE TABLE f (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED, q int CONSTRAINT fq REFERENCES p DEFERRABLE)
BEGIN
INSERT INTO f VALUES (1, 1, NULL)
INSERT INTO p VALUES (1)
COMMIT
BEGIN
INSERT INTO f VALUES (2, 2, NULL)
COMMIT
BEGIN
INSERT INTO f VALUES (2, 2, NULL)
DELETE FROM f WHERE id = 2
COMMIT
INSERT INTO f VALUES (2, 2, NULL)
BEGIN
INSERT INTO f VALUES (2, NULL, 2)
ROLLBACK
BEGIN
SET CONSTRAINTS fq DEFERRED
INSERT INTO f VALUES (2, NULL, 2)
SET CONSTRAINTS ALL IMMEDIATE
ROLLBACK
BEGIN
SET CONSTRAINTS ALL DEFERRED
INSERT INTO f VALUES (2, 2, NULL)
SET CONSTRAINTS fq IMMEDIATE
INSERT INTO f VALUES (3, NULL, 2)
INSERT INTO p VALUES (2)
SET CONSTRAINTS ALL IMMEDIATE
ROLLBACK
BEGIN
SET CONSTRAINTS ALL DEFERRED
INSERT INTO f VALUES (2, NULL, 2)
SAVEPOINT s
INSERT INTO f VALUES (3, 3, 3)
ROLLBACK TO s
INSERT INTO p VALUES (2)
SET CONSTRAINTS ALL IMMEDIATE
INSERT INTO f VALUES (4, NULL, 4)
COMMIT
BEGIN
DELETE FROM p WHERE id = 1
INSERT INTO p VALUES (1)
COMMIT
BEGIN
DELETE FROM p WHERE id = 1
COMMIT
SET CONSTRAINTS ALL DEFERRED
BEGIN
SET CONSTRAINTS nothere DEFERRED
ROLLBACK
BEGIN
SET CONSTRAINTS f_pkey DEFERRED
ROLLBACK
SELECT * FROM f ORDER BY id
SELECT pg_get_constraintdef(oid), condeferrable, condeferred FROM pg_constraint WHERE conrelid = 'f'::regclass AND contype = 'f' ORDER BY conname
WITH a AS (INSERT INTO p VALUES (50) RETURNING id) INSERT INTO f SELECT 50, id, id FROM a
WITH a AS (INSERT INTO f VALUES (51, 51, 51)) INSERT INTO p VALUES (51)
CREATE VIEW v AS SELECT * FROM p
CREATE TABLE w (a int REFERENCES v)
DROP VIEW v
CREATE TABLE w (a int REFERENCES p ON DELETE CASCADE ON DELETE CASCADE)
CREATE TABLE w (a int REFERENCES p NOT DEFERRABLE INITIALLY DEFERRED)
CREATE TABLE w (a int, b int, FOREIGN KEY (a, b) REFERENCES p)
CREATE TABLE w (a int, FOREIGN KEY (a) REFERENCES p ON DELETE SET NULL (z))
CREATE TABLE w (a int, b int, FOREIGN KEY (a) REFERENCES p ON DELETE SET NULL (b))
CREATE TABLE nokey (a int)
CREATE TABLE w (a int REFERENCES nokey)
CREATE TABLE w (a int REFERENCES nokey (a))
CREATE TABLE w (a int, CONSTRAINT ff FOREIGN KEY (a) REFERENCES p, CONSTRAINT ff CHECK (a > 1))
DROP TABLE p, f
"""


def test_statements_are_answered_as_postgresql_answers_them(
    servers: tuple[KalamServer, str],
) -> None:
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as oracle:
        both = Side(ours), Side(oracle)
        for side in both:
            side.ask("DROP TABLE IF EXISTS c, p, d, r, n, f, tree, nokey, bad, bad2, w CASCADE")
        different = differences(both, STATEMENTS)
        for side in both:
            side.ask("DROP TABLE nokey")
        assert not different, "\n".join(f"{s}\n  {a}\n  {b}" for s, a, b in different)


SETUP = """
    a: DROP TABLE IF EXISTS c, p CASCADE
    a: CREATE TABLE p (id int PRIMARY KEY, code int UNIQUE, n int)
    a: CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p, code int REFERENCES p (code) ON DELETE CASCADE ON UPDATE CASCADE)
    a: INSERT INTO p VALUES (1, 10, 0), (2, 20, 0), (3, 30, 0)
    a: INSERT INTO c VALUES (1, 1, 10), (2, NULL, 20)
"""


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("INSERT INTO c VALUES (5, 3, NULL)", "DELETE FROM p WHERE id = 3"),
        ("INSERT INTO c VALUES (5, NULL, 30)", "UPDATE p SET code = 31 WHERE id = 3"),
        ("DELETE FROM p WHERE id = 3", "INSERT INTO c VALUES (6, 3, NULL)"),
        ("UPDATE p SET code = 31 WHERE id = 3", "INSERT INTO c VALUES (6, NULL, 30)"),
        ("INSERT INTO p VALUES (9, 90, 0)", "INSERT INTO c VALUES (6, 9, 90)"),
        ("UPDATE p SET code = 31 WHERE id = 3", "INSERT INTO c VALUES (6, 3, NULL)"),
        ("UPDATE p SET code = 31 WHERE id = 3", "SELECT * FROM p WHERE id = 3 FOR KEY SHARE"),
        ("UPDATE p SET n = 1", "INSERT INTO c VALUES (6, 3, 30)"),
        ("DELETE FROM c WHERE id = 1", "DELETE FROM p WHERE id = 1"),
    ],
)
def test_sessions_wait_for_each_other_as_on_postgresql(
    servers: tuple[KalamServer, str], first: str, then: str
) -> None:
    ends = [
        f"{SETUP}\na: BEGIN\na: {first}\nb: {then}\na: {end}\na: SELECT * FROM c ORDER BY id"
        for end in ("COMMIT", "ROLLBACK")
    ]
    different = told_differently(servers, "\n".join(ends))
    assert not different, different


def test_rows_of_all_users_refer_to_rows_that_all_have(server, chat):
    rooms, notes, marks = (f"{chat}.{name}" for name in ("rooms", "remarks", "marks"))
    with server.root() as root, server.connect("alice") as alice, server.connect("bob") as bob:
        root.execute(
            f"""
            CREATE TABLE {rooms} (id int PRIMARY KEY, name text UNIQUE) WITH (TYPE = 'SHARED');
            CREATE TABLE {notes} (id int PRIMARY KEY, room int REFERENCES {rooms} ON DELETE CASCADE)
                WITH (TYPE = 'USER');
            CREATE TABLE {marks} (id int PRIMARY KEY, room text REFERENCES {rooms} (name))
                WITH (TYPE = 'USER');
            INSERT INTO {rooms} SELECT n, 'room' || n FROM generate_series(1, 300) n;
            """
        )
        for table, error in (
            (f"CREATE TABLE {chat}.x (r int REFERENCES {notes})", "42P16"),
            (f"CREATE TABLE {chat}.x (r bigint REFERENCES {chat}.typing_events)", "0A000"),
        ):
            with pytest.raises(psycopg.Error) as caught:
                root.execute(table.encode())
            assert caught.value.sqlstate == error
        for who in (alice, bob):
            who.execute(f"INSERT INTO {notes} SELECT n, n FROM generate_series(1, 3) n")
            with pytest.raises(ForeignKeyViolation):
                who.execute(f"INSERT INTO {notes} VALUES (9, 301)")
        bob.execute(f"INSERT INTO {marks} VALUES (1, 'room2')")
        for table in (rooms, notes, marks):
            root.execute(f"STORAGE FLUSH TABLE {table}")
        alice.execute(f"INSERT INTO {notes} VALUES (4, 2)")
        root.execute(f"DELETE FROM {rooms} WHERE id = 1")
        with pytest.raises(ForeignKeyViolation) as caught:
            root.execute(f"DELETE FROM {rooms} WHERE id = 2")
        assert caught.value.diag.constraint_name == "marks_room_fkey"
        bob.execute(f"DELETE FROM {marks}")
        root.execute(f"DELETE FROM {rooms} WHERE id = 2")
        for who in (alice, bob):
            assert who.execute(f"SELECT id FROM {notes}").fetchall() == [(3,)]
        root.execute(f"TRUNCATE {rooms} CASCADE")
        for who in (alice, bob):
            assert who.execute(f"SELECT count(*) FROM {notes}").fetchone() == (0,)


def test_what_is_deferred_is_looked_after_at_commit_hot_and_cold(server, chat):
    parent, child = f"{chat}.parent", f"{chat}.child"
    with server.root() as root:
        root.execute(
            f"""
            CREATE TABLE {parent} (id int PRIMARY KEY);
            CREATE TABLE {child} (id int PRIMARY KEY, p int REFERENCES {parent} INITIALLY DEFERRED);
            INSERT INTO {parent} SELECT generate_series(1, 300);
            INSERT INTO {child} SELECT n, n FROM generate_series(1, 300) n;
            STORAGE FLUSH TABLE {parent};
            STORAGE FLUSH TABLE {child};
            """
        )
        root.execute(
            f"BEGIN; DELETE FROM {parent} WHERE id = 7; UPDATE {child} SET p = 8 WHERE id = 7"
        )
        root.execute("COMMIT")
        root.execute(f"BEGIN; DELETE FROM {parent} WHERE id = 9")
        with pytest.raises(ForeignKeyViolation, match="still referenced"):
            root.execute("COMMIT")
        assert root.execute(f"SELECT count(*) FROM {parent}").fetchone() == (299,)
        assert root.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
