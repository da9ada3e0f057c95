"""CREATE INDEX and DROP INDEX, as PostgreSQL 15 answers; unique ones over rows that are there, everybody's."""

# ruff: noqa: E501 -- one statement a line

import psycopg
import pytest

from tests.wire.server import KalamServer
from tests.wire.side_by_side import Side, differences

pytestmark = pytest.mark.slow

STATEMENTS = r"""
CREATE TABLE t (id int PRIMARY KEY, email text, a int, b int, j json)
INSERT INTO t VALUES (1, 'One', 1, 1, NULL), (2, 'two', 1, 2, NULL), (3, NULL, 2, NULL, NULL)
CREATE INDEX ON t (a)
CREATE INDEX ON t (a)
CREATE INDEX ON t (a, b DESC)
CREATE INDEX ON t (lower(email))
CREATE INDEX ON t ((a + b))
CREATE INDEX ON t (a DESC NULLS LAST, b NULLS FIRST, id DESC) INCLUDE (email)
CREATE INDEX named ON t (email text_pattern_ops) WHERE a > 1
CREATE INDEX named ON t (b)
CREATE INDEX t ON t (b)
CREATE INDEX ON t (z)
CREATE INDEX ON t (j)
CREATE INDEX ON nothere (z)
CREATE INDEX ON t ((random()))
CREATE INDEX ON t (a) WHERE random() > 1
CREATE INDEX ON t ((now()))
CREATE INDEX ON t (a) WHERE z > 1
CREATE INDEX ON t (sum(a))
CREATE INDEX ON t USING btree (a)
CREATE INDEX ON t USING nothing (a)
CREATE INDEX CONCURRENTLY conc ON t (b)
CREATE UNIQUE INDEX ua ON t (a)
CREATE UNIQUE INDEX uab ON t (a, b)
CREATE UNIQUE INDEX uemail ON t (lower(email))
CREATE UNIQUE INDEX upart ON t (b) WHERE a = 1
INSERT INTO t VALUES (4, 'ONE', 9, 9)
INSERT INTO t VALUES (4, 'four', 1, 2)
INSERT INTO t VALUES (4, 'four', 3, 2)
UPDATE t SET a = 1 WHERE id = 4
INSERT INTO t VALUES (5, 'ONE', 1, 1) ON CONFLICT (lower(email)) DO UPDATE SET b = 7 RETURNING *
INSERT INTO t VALUES (5, 'x', 1, 7) ON CONFLICT (b) WHERE a = 1 DO UPDATE SET b = 8 RETURNING *
INSERT INTO t VALUES (5, 'x', 1, 8) ON CONFLICT (b) DO NOTHING
INSERT INTO t VALUES (5, 'x', 1, 8) ON CONFLICT DO NOTHING
INSERT INTO t VALUES (5, 'x', 1, 8) ON CONFLICT ON CONSTRAINT upart DO NOTHING
INSERT INTO t VALUES (5, 'x', 1, 8) ON CONFLICT (a, b) DO NOTHING
SELECT * FROM t ORDER BY id
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY 1
SELECT c.relname, i.indisunique, i.indisprimary, i.indnatts, i.indnkeyatts, i.indkey, i.indoption, i.indexprs IS NULL, i.indpred IS NULL FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 't'::regclass ORDER BY 1
SELECT c.relname, pg_get_indexdef(c.oid, 1, true), pg_get_indexdef(c.oid, 2, true), pg_get_indexdef(c.oid, 9, false) FROM pg_class c WHERE relkind = 'i' AND relname LIKE 't\_%' ORDER BY 1
SELECT c.relname, a.attnum, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relkind = 'i' AND relname LIKE 't\_%' ORDER BY 1, 2
DROP INDEX named, conc
DROP INDEX named
DROP INDEX IF EXISTS named
DROP INDEX t_pkey
DROP INDEX t
DROP INDEX uemail
INSERT INTO t VALUES (6, 'ONE', 9, 9)
CREATE UNIQUE INDEX uemail ON t (lower(email))
BEGIN
CREATE INDEX CONCURRENTLY x ON t (a)
ROLLBACK
BEGIN
DELETE FROM t WHERE id = 6
CREATE UNIQUE INDEX uemail ON t (lower(email))
INSERT INTO t VALUES (7, 'one', 19, 19)
ROLLBACK
BEGIN
DELETE FROM t WHERE id = 6
INSERT INTO t VALUES (8, 'seven', 29, 29)
CREATE UNIQUE INDEX uemail ON t (lower(email))
SAVEPOINT s
INSERT INTO t VALUES (7, 'SEVEN', 19, 19)
ROLLBACK TO s
INSERT INTO t VALUES (7, 'seven7', 19, 19)
COMMIT
INSERT INTO t VALUES (9, 'SEVEN7', 39, 19)
DROP INDEX uemail
CREATE UNIQUE INDEX again ON t (email)
DROP TABLE t
CREATE TABLE u (id int UNIQUE NULLS NOT DISTINCT, x int)
INSERT INTO u VALUES (NULL, 1)
CREATE UNIQUE INDEX ux ON u (x) NULLS NOT DISTINCT
DROP INDEX u_id_key
CREATE VIEW vv AS SELECT 1 AS one
CREATE INDEX ON vv (one)
DROP INDEX vv
SELECT indexdef FROM pg_indexes WHERE tablename = 'u' ORDER BY 1
CREATE TABLE l (LIKE u INCLUDING ALL)
SELECT indexdef FROM pg_indexes WHERE tablename = 'l' ORDER BY 1
"""


def test_statements_are_answered_as_postgresql_answers_them(
    servers: tuple[KalamServer, str],
) -> None:
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as oracle:
        both = Side(ours), Side(oracle)
        for side in both:
            side.ask("DROP TABLE IF EXISTS t, u, l CASCADE")
        different = differences(both, STATEMENTS)
        for side in both:
            side.ask("DROP TABLE IF EXISTS t, u, l CASCADE")
            side.ask("DROP VIEW vv")
        assert not different, "\n".join(f"{s}\n  {a}\n  {b}" for s, a, b in different)


def test_a_unique_index_is_made_over_every_users_rows_hot_and_cold(server, chat):
    table = f"{chat}.words"
    with server.root() as root, server.connect("alice") as alice, server.connect("bob") as bob:
        root.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, word text) WITH (TYPE = 'USER')")
        alice.execute(f"INSERT INTO {table} SELECT n, 'w' || n FROM generate_series(1, 1200) n")
        bob.execute(f"INSERT INTO {table} VALUES (1, 'w1'), (2, 'twice')")
        root.execute(f"STORAGE FLUSH TABLE {table}")
        bob.execute(f"INSERT INTO {table} VALUES (3, 'twice')")
        with pytest.raises(psycopg.errors.UniqueViolation) as caught:
            root.execute(f"CREATE UNIQUE INDEX words_word ON {table} (word)")
        assert caught.value.diag.message_primary == 'could not create unique index "words_word"'
        assert caught.value.diag.message_detail == "Another user has a key twice."
        bob.execute(f"DELETE FROM {table} WHERE id = 3")
        root.execute(f"CREATE UNIQUE INDEX words_word ON {table} (word)")
        for step in ("hot", "cold"):
            if step == "cold":
                root.execute(f"STORAGE FLUSH TABLE {table}")
            for who, word in ((alice, "w1"), (alice, "w1200"), (bob, "twice"), (bob, "w1")):
                with pytest.raises(psycopg.errors.UniqueViolation):
                    who.execute(f"INSERT INTO {table} VALUES (5000, %s)", (word,))
        bob.execute(f"INSERT INTO {table} VALUES (5000, 'w2')")
        root.execute(f"DROP INDEX {chat}.words_word")
        bob.execute(f"INSERT INTO {table} VALUES (5001, 'w2')")


def test_who_writes_waits_for_an_index_that_is_made_and_finds_it(
    servers: tuple[KalamServer, str],
) -> None:
    from tests.wire.interleaved import differences as told_differently

    script = """
        a: BEGIN
        a: UPDATE t SET n = 20 WHERE id = 1
        b: CREATE UNIQUE INDEX tn ON t (n)
        c: INSERT INTO u VALUES (9, 9)
        a: UPDATE t SET n = 21 WHERE id = 1
        a: COMMIT
        a: INSERT INTO t VALUES (9, 21, 'x')
        a: BEGIN
        a: DROP INDEX tn
        b: INSERT INTO t VALUES (9, 21, 'x')
        a: ROLLBACK
        b: SELECT id, n FROM t ORDER BY id
    """
    different = told_differently(servers, script)
    assert not different, different
