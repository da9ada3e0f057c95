"""Sequences: what is told beside PostgreSQL 15, for whom they count, and that no number comes twice."""

import asyncio

import asyncpg
import psycopg
import pytest

from tests.wire.interleaved import differences
from tests.wire.server import PASSWORD, KalamServer

pytestmark = pytest.mark.slow

SCRIPTS = {
    "serial and identity columns count 1, 2, 3": """
        1: CREATE TABLE w (a serial PRIMARY KEY, b bigserial, c smallserial, d int GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 5), v text)
        1: INSERT INTO w (v) VALUES ('x'), ('y') RETURNING *
        1: INSERT INTO w VALUES (DEFAULT, DEFAULT, 7, DEFAULT, 'z') RETURNING *
        1: INSERT INTO w (v) SELECT s FROM t ORDER BY id RETURNING a, b, c, d
        1: INSERT INTO w (a, v) VALUES (8, 'taken'), (9, 'taken')
        1: INSERT INTO w (v) VALUES ('once')
        1: INSERT INTO w (v) VALUES ('again')
        1: INSERT INTO w (v) VALUES ('not') RETURNING a
        1: INSERT INTO w (d) VALUES (1)
        1: INSERT INTO w (d) OVERRIDING SYSTEM VALUE VALUES (1) RETURNING d
        1: SELECT lastval(), currval('w_a_seq'), currval('w_b_seq'::regclass), currval('public.w_c_seq')
        2: SELECT currval('w_a_seq')
        2: SELECT lastval()
        2: INSERT INTO w (v) VALUES ('two') RETURNING a
        2: SELECT lastval() = currval('w_d_seq')
        1: SELECT pg_get_serial_sequence('w', 'a'), pg_get_serial_sequence('w', 'd'), pg_get_serial_sequence('w', 'v')
        1: SELECT pg_get_serial_sequence('w', 'nope')
        1: SELECT column_name, data_type, column_default, is_identity, identity_start, identity_increment, identity_maximum FROM information_schema.columns WHERE table_name = 'w' ORDER BY ordinal_position
        1: SELECT sequence_name, data_type, start_value, increment FROM information_schema.sequences WHERE sequence_name LIKE 'w_%' ORDER BY 1
        1: SELECT sequencename, data_type, start_value, increment_by, last_value FROM pg_sequences WHERE sequencename LIKE 'w_%' ORDER BY 1
        1: SELECT adnum, pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'w'::regclass ORDER BY 1
        1: SELECT c.relname, d.deptype, d.refobjsubid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid WHERE d.refobjid = 'w'::regclass AND c.relkind = 'S' ORDER BY 1
        1: DROP SEQUENCE w_a_seq
        1: DROP SEQUENCE w_d_seq CASCADE
        1: DROP SEQUENCE w_a_seq CASCADE
        1: INSERT INTO w (v) VALUES ('no key')
        1: DROP TABLE w
        1: SELECT nextval('w_b_seq')
    """,  # noqa: E501
    "a table that counts may refer to others, and be like one": """
        1: CREATE TABLE p (id serial PRIMARY KEY, n text UNIQUE)
        1: CREATE TABLE w (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, p int REFERENCES p, k serial, CHECK (k > 0))
        1: INSERT INTO p (n) VALUES ('one') RETURNING id
        1: INSERT INTO w (p) VALUES (1), (1) RETURNING *
        1: INSERT INTO w (p) VALUES (2)
        1: INSERT INTO w (p) VALUES (1) RETURNING *
        1: CREATE INDEX ON w (p)
        1: CREATE TABLE v (LIKE w INCLUDING ALL, p2 int REFERENCES w)
        1: INSERT INTO v (p, p2) VALUES (1, 1) RETURNING *
        1: SELECT sequencename, last_value FROM pg_sequences ORDER BY 1
        1: DROP TABLE p, w, v CASCADE
        1: SELECT count(*) FROM pg_sequences
    """,  # noqa: E501
    "what a sequence may be": """
        1: CREATE SEQUENCE q
        1: CREATE SEQUENCE q
        1: CREATE SEQUENCE IF NOT EXISTS q
        1: CREATE SEQUENCE t
        1: CREATE TABLE q (a int)
        1: CREATE VIEW q AS SELECT 1
        1: SELECT * FROM q
        1: SELECT nextval('q'), nextval('q'), currval('q')
        1: SELECT last_value, is_called FROM q
        1: ALTER SEQUENCE q INCREMENT -3 MINVALUE -5 MAXVALUE 5 START 5 RESTART
        1: SELECT nextval('q'), nextval('q'), nextval('q'), nextval('q')
        1: SELECT nextval('q')
        1: ALTER SEQUENCE q CYCLE
        1: SELECT nextval('q')
        1: SELECT setval('q', 6)
        1: SELECT setval('q', 3, false), nextval('q'), setval('q', 3), nextval('q')
        1: ALTER SEQUENCE q RESTART 9
        1: ALTER SEQUENCE q AS smallint NO MAXVALUE NO MINVALUE INCREMENT 1 CACHE 20
        1: SELECT seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle FROM pg_sequence WHERE seqrelid = 'q'::regclass
        1: ALTER SEQUENCE q INCREMENT 0
        1: ALTER SEQUENCE q CACHE 0
        1: ALTER SEQUENCE q MAXVALUE 100000
        1: ALTER SEQUENCE q MINVALUE 10 MAXVALUE 5
        1: ALTER SEQUENCE q START 40000
        1: ALTER SEQUENCE q MINVALUE 1 MINVALUE 2
        1: CREATE SEQUENCE q2 AS text
        1: CREATE SEQUENCE q2 OWNED BY nope
        1: CREATE SEQUENCE q2 OWNED BY t.nope
        1: CREATE SEQUENCE q2 OWNED BY t.id
        1: ALTER SEQUENCE q2 RENAME TO q3
        1: ALTER SEQUENCE q2 RENAME TO q3
        1: ALTER SEQUENCE IF EXISTS q2 RESTART
        1: ALTER SEQUENCE q3 SET SCHEMA s1
        1: ALTER SEQUENCE q3 OWNED BY NONE
        1: SELECT nextval('t')
        1: SELECT nextval('nope')
        1: SELECT nextval(NULL)
        1: COMMENT ON SEQUENCE q IS 'numbers'
        1: SELECT obj_description('q'::regclass, 'pg_class')
        1: COMMENT ON SEQUENCE t IS 'x'
        1: SELECT 'q3'::regclass, to_regclass('q3') IS NULL, to_regclass('q2') IS NULL
        1: DROP SEQUENCE t
        1: DROP TABLE q
        1: DROP SEQUENCE q, q3
        1: DROP SEQUENCE q
        1: DROP SEQUENCE IF EXISTS q
        1: ALTER SEQUENCE q RESTART
        1: INSERT INTO t (id) VALUES (nextval('q'))
    """,  # noqa: E501
    "numbers stay taken, RESTART does not": """
        1: CREATE SEQUENCE q
        1: BEGIN
        1: SELECT nextval('q')
        2: SELECT nextval('q')
        1: ROLLBACK
        1: SELECT nextval('q')
        1: BEGIN
        1: ALTER SEQUENCE q RESTART 100
        1: SELECT nextval('q'), nextval('q')
        1: SAVEPOINT a
        1: ALTER SEQUENCE q RESTART 500
        1: SELECT nextval('q')
        1: ROLLBACK TO a
        1: SELECT nextval('q')
        1: ROLLBACK
        2: SELECT nextval('q')
        1: BEGIN
        1: ALTER SEQUENCE q RESTART
        1: SELECT nextval('q')
        1: COMMIT
        2: SELECT nextval('q')
        1: BEGIN READ ONLY
        1: SELECT currval('q')
        1: SELECT nextval('q')
        1: ROLLBACK
        1: BEGIN READ ONLY
        1: SELECT setval('q', 1)
        1: ROLLBACK
        1: DISCARD SEQUENCES
        1: SELECT currval('q')
        1: SELECT lastval()
        1: BEGIN
        1: SELECT setval('q', 50)
        1: ROLLBACK
        2: SELECT nextval('q')
        1: DROP SEQUENCE q
    """,
    "a table is begun anew": """
        1: CREATE TABLE w (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v int)
        1: INSERT INTO w (v) VALUES (1), (2), (3)
        1: TRUNCATE w
        1: INSERT INTO w (v) VALUES (4) RETURNING id
        1: TRUNCATE w RESTART IDENTITY
        1: INSERT INTO w (v) VALUES (4) RETURNING id
        1: BEGIN
        1: TRUNCATE w RESTART IDENTITY
        1: INSERT INTO w (v) VALUES (5) RETURNING id
        1: ROLLBACK
        1: INSERT INTO w (v) VALUES (6) RETURNING id
        1: TRUNCATE w CONTINUE IDENTITY
        1: INSERT INTO w (v) VALUES (6) RETURNING id
        1: CREATE TABLE w2 (LIKE w INCLUDING ALL)
        1: INSERT INTO w2 (v) VALUES (1) RETURNING id
        1: DROP TABLE w, w2
    """,
    "a table is altered": """
        1: CREATE SCHEMA s1
        1: CREATE TABLE w (k int PRIMARY KEY, a serial, b int GENERATED ALWAYS AS IDENTITY, c int, d int)
        1: ALTER TABLE w ALTER c SET DEFAULT nextval('nope')
        1: CREATE SEQUENCE q START 70
        1: ALTER TABLE w ALTER c SET DEFAULT nextval('q'), ALTER d SET DEFAULT nextval('w_a_seq')
        1: ALTER SEQUENCE q RENAME TO q2
        1: INSERT INTO w VALUES (1) RETURNING *
        1: ALTER TABLE w ADD e int DEFAULT nextval('q2')
        1: SELECT * FROM w
        1: DROP SEQUENCE q2
        1: ALTER TABLE w DROP COLUMN a
        1: ALTER TABLE w DROP COLUMN a CASCADE
        1: SELECT nextval('w_a_seq')
        1: INSERT INTO w VALUES (2) RETURNING *
        1: ALTER TABLE w RENAME TO q2
        1: ALTER TABLE w RENAME COLUMN b TO bb
        1: ALTER TABLE w RENAME TO v
        1: SELECT pg_get_serial_sequence('v', 'bb')
        1: ALTER TABLE v SET SCHEMA s1
        1: SELECT pg_get_serial_sequence('s1.v', 'bb')
        1: INSERT INTO s1.v VALUES (3) RETURNING *
        1: ALTER TABLE s1.v ALTER bb TYPE bigint
        1: SELECT data_type FROM information_schema.sequences WHERE sequence_name = 'w_b_seq'
        1: INSERT INTO s1.v VALUES (4) RETURNING *
        1: BEGIN
        1: ALTER TABLE s1.v DROP COLUMN bb
        1: SELECT count(*) FROM pg_class WHERE relname = 'w_b_seq'
        1: ROLLBACK
        1: INSERT INTO s1.v VALUES (5) RETURNING *
        1: ALTER TABLE s1.v DROP COLUMN bb
        1: SELECT count(*) FROM pg_class WHERE relname = 'w_b_seq'
        1: ALTER TABLE s1.v ALTER c DROP DEFAULT
        1: INSERT INTO s1.v VALUES (6) RETURNING *
        1: DROP TABLE s1.v
        1: DROP SEQUENCE q2
        1: DROP SCHEMA s1
    """,
    "defaults that take numbers go with what they are of": """
        1: CREATE SCHEMA s1
        1: CREATE SEQUENCE s1.q
        1: CREATE TABLE w (id int DEFAULT nextval('s1.q'), v text DEFAULT 'n' || nextval('s1.q'::regclass))
        1: INSERT INTO w DEFAULT VALUES RETURNING *
        1: SELECT column_default FROM information_schema.columns WHERE table_name = 'w' AND column_name = 'id'
        1: ALTER SEQUENCE s1.q RENAME TO "Odd name"
        1: SELECT column_default FROM information_schema.columns WHERE table_name = 'w' AND column_name = 'id'
        1: INSERT INTO w DEFAULT VALUES RETURNING *
        1: DROP SEQUENCE s1."Odd name"
        1: DROP SCHEMA s1
        1: DROP SCHEMA s1 CASCADE
        1: INSERT INTO w DEFAULT VALUES RETURNING *
        1: DROP TABLE w
    """,
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_the_transcript_is_that_of_postgresql(servers, script):
    assert differences(servers, script) == ""


def taken(connection, statement, times):
    return [connection.execute(statement).fetchone()[0] for _ in range(times)]


def test_a_user_tables_count_for_each_user_and_others_for_all(server, chat):
    with server.root() as root, server.connect("alice") as alice, server.connect("bob") as bob:
        root.execute(f"CREATE TABLE {chat}.mine (id serial PRIMARY KEY, v int) WITH (TYPE=USER)")
        root.execute(
            f"CREATE TABLE {chat}.ours (id serial PRIMARY KEY, v int) WITH (TYPE = SHARED)"
        )
        root.execute(
            f"CREATE TABLE {chat}.seen (id serial, v int) WITH (TYPE=STREAM, TTL_SECONDS=9)"
        )
        root.execute(f"CREATE SEQUENCE {chat}.all")
        root.execute(f"GRANT INSERT, SELECT ON {chat}.ours TO alice, bob")
        add = "INSERT INTO {}.{} (v) VALUES (0) RETURNING id"
        for table, bobs in (("mine", [1, 2]), ("seen", [1, 2]), ("ours", [4, 5])):
            assert taken(alice, add.format(chat, table), 3) == [1, 2, 3]
            assert taken(bob, add.format(chat, table), 2) == bobs
        assert alice.execute(f"SELECT currval('{chat}.mine_id_seq')").fetchone() == (3,)
        assert alice.execute(f"SELECT last_value FROM {chat}.mine_id_seq").fetchone() == (3,)
        assert bob.execute(f"SELECT last_value FROM {chat}.mine_id_seq").fetchone() == (2,)
        for statement in (f"SELECT nextval('{chat}.all')", f"SELECT * FROM {chat}.all"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="for sequence all"):
                alice.execute(statement)
        root.execute(f"GRANT USAGE ON SEQUENCE {chat}.all TO alice")
        assert taken(alice, f"SELECT nextval('{chat}.all')", 2) == [1, 2]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            alice.execute(f"SELECT setval('{chat}.all', 1)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="must be owner of sequence"):
            alice.execute(f"ALTER SEQUENCE {chat}.all RESTART")
        root.execute(f"EXECUTE AS USER 'alice' (INSERT INTO {chat}.mine (v) VALUES (9))")
        assert alice.execute(f"SELECT max(id) FROM {chat}.mine").fetchone() == (4,)


def test_the_quick_way_takes_the_numbers_that_the_general_way_does(server, chat):
    """Prepared INSERTs of one row, more than one record covers; some find their key taken."""

    async def run():
        connection = await asyncpg.connect(
            host="127.0.0.1", port=server.port, user="alice", password=PASSWORD, database="kalam"
        )
        try:
            add = await connection.prepare(f"INSERT INTO {chat}.q (v) VALUES ($1)")
            for number in range(1, 101):
                if number in (
                    40,
                    41,
                    80,
                ):  # Its key is there: the number is gone, as in PostgreSQL.
                    await connection.execute(f"INSERT INTO {chat}.q VALUES ({number}, 0)")
                    with pytest.raises(asyncpg.UniqueViolationError):
                        await add.fetch(number)
                else:
                    await add.fetch(number)
            return await connection.fetch(f"SELECT id, v FROM {chat}.q WHERE v > 0 ORDER BY id")
        finally:
            await connection.close()

    with server.root() as root:
        root.execute(f"CREATE TABLE {chat}.q (id bigserial PRIMARY KEY, v int) WITH (TYPE = USER)")
    rows = asyncio.run(run())
    assert [(row["id"], row["v"]) for row in rows] == [
        (number, number) for number in range(1, 101) if number not in (40, 41, 80)
    ]


def test_no_number_comes_twice_after_kill_9_and_a_stop_leaves_no_gap(tmp_path):
    server = KalamServer(tmp_path).start()
    given: list[int] = []
    try:
        with server.root() as root:
            root.execute("CREATE TABLE t (id serial PRIMARY KEY, v int)")
            root.execute("CREATE SEQUENCE s")
        for how, times in ((server.kill, 40), (server.stop, 5)):
            with server.root() as root:
                given += taken(root, "INSERT INTO t (v) VALUES (0) RETURNING id", times)
                root.execute("BEGIN")
                taken(root, "INSERT INTO t (v) VALUES (0) RETURNING id", 40)
                root.execute("ROLLBACK")
                given += taken(root, "SELECT nextval('t_id_seq')", 2)
                alone = taken(root, "SELECT nextval('s')", 2)
            how()
            server.start()
            with server.root() as root:
                (after,) = taken(root, "SELECT nextval('s')", 1)
            assert after > alone[-1]
            if how == server.stop:
                assert after == alone[-1] + 1
        with server.root() as root:
            last = root.execute("INSERT INTO t (v) VALUES (0) RETURNING id").fetchone()[0]
        assert given == sorted(set(given))
        assert given[-1] < last <= given[-1] + 40
    finally:
        server.stop()


def test_what_is_dropped_leaves_no_number(server, chat):
    with server.root() as root:
        root.execute(f"SET search_path = {chat}")
        for _ in range(2):
            root.execute("CREATE TABLE gone (id serial, v int)")
            assert taken(root, "INSERT INTO gone (v) VALUES (0) RETURNING id", 3) == [1, 2, 3]
            root.execute("DROP TABLE gone")
            root.execute("CREATE SEQUENCE s")
            assert taken(root, "SELECT nextval('s')", 2) == [1, 2]
            root.execute("DROP SEQUENCE s")


def test_a_number_that_was_not_used_does_not_come_late(server, chat):
    """Whoever reads on from the last id that they saw would never see it."""
    with server.root() as one, server.root() as other:
        one.execute(
            f"CREATE TABLE {chat}.late (id bigserial PRIMARY KEY, v int) WITH (TYPE = SHARED)"
        )
        put = f"INSERT INTO {chat}.late (v) VALUES (10 / %s) RETURNING id"
        assert one.execute(put, (1,)).fetchone() == (1,)
        for wrong in (put, put.replace("VALUES (", "VALUES ((random() * 0)::int + ")):
            with pytest.raises(psycopg.errors.DivisionByZero):
                one.execute(wrong, (0,))
            for _ in range(3):
                (newest,) = other.execute(put, (1,), prepare=True).fetchone()
            assert one.execute(put, (1,)).fetchone() == (newest + 1,)
