"""ALTER TABLE of primary keys: told beside PostgreSQL 15, over rows of every kind, writers and crashes."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.wire import interleaved
from tests.wire.server import KalamServer
from tests.wire.side_by_side import Side, both, differences

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("primary-keys")) as found:
        yield found


MADE = """
CREATE TABLE t(id int, g text, n int)
INSERT INTO t VALUES (1,'a',10),(2,'a',20),(3,'b',5)
ALTER TABLE t ADD PRIMARY KEY (id)
SELECT * FROM t ORDER BY id
INSERT INTO t VALUES (1,'x',1)
INSERT INTO t VALUES (NULL,'x',1)
UPDATE t SET n = 11 WHERE id = 1
DELETE FROM t WHERE id = 2
INSERT INTO t VALUES (2,'again',1) ON CONFLICT (id) DO UPDATE SET g = 'no'
INSERT INTO t VALUES (2,'again',1) ON CONFLICT (id) DO UPDATE SET g = 'yes' RETURNING *
SELECT * FROM t ORDER BY id
ALTER TABLE t ADD PRIMARY KEY (n)
ALTER TABLE t DROP CONSTRAINT t_pkey
INSERT INTO t VALUES (1,'dup',1)
SELECT * FROM t ORDER BY id, n
ALTER TABLE t ADD PRIMARY KEY (id)
ALTER TABLE t ADD PRIMARY KEY (zz)
ALTER TABLE t ADD CONSTRAINT foo PRIMARY KEY (id, n)
ALTER TABLE t DROP CONSTRAINT IF EXISTS nope
ALTER TABLE t DROP CONSTRAINT foo
BEGIN
DELETE FROM t WHERE n = 1
INSERT INTO t VALUES (100,'own',100)
ALTER TABLE t ADD PRIMARY KEY (id)
SELECT * FROM t ORDER BY id
INSERT INTO t VALUES (100,'own',100)
ROLLBACK
SELECT * FROM t ORDER BY id, n
BEGIN
DELETE FROM t WHERE n = 1
INSERT INTO t VALUES (100,'own',100)
SAVEPOINT s
ALTER TABLE t ADD PRIMARY KEY (id)
INSERT INTO t VALUES (101,'own',101)
ROLLBACK TO s
SELECT * FROM t ORDER BY id, n
ALTER TABLE t ADD PRIMARY KEY (id)
INSERT INTO t VALUES (101,'own',101)
COMMIT
SELECT * FROM t ORDER BY id, n
ALTER TABLE t ADD COLUMN m SERIAL UNIQUE
SELECT * FROM t ORDER BY id
ALTER TABLE t DROP CONSTRAINT t_pkey
INSERT INTO t(id,g,n) VALUES (1,'b',2)
SELECT * FROM t ORDER BY m
INSERT INTO t VALUES (1,'b',2,1)
CREATE TABLE e()
ALTER TABLE e ADD COLUMN id SERIAL PRIMARY KEY
INSERT INTO e DEFAULT VALUES
SELECT * FROM e
CREATE TABLE s1(a text)
INSERT INTO s1 VALUES ('x'),('y')
ALTER TABLE s1 ADD COLUMN id BIGSERIAL PRIMARY KEY
SELECT * FROM s1 ORDER BY id
INSERT INTO s1(a) VALUES ('z') RETURNING *
ALTER TABLE s1 DROP COLUMN id
SELECT * FROM s1 ORDER BY a
CREATE TABLE a(id int PRIMARY KEY, b int UNIQUE)
CREATE TABLE b(id int REFERENCES a)
CREATE TABLE c(id int, p int REFERENCES a(b), q int REFERENCES a(id))
INSERT INTO a VALUES (1,10),(2,20)
INSERT INTO b VALUES (1)
INSERT INTO c VALUES (1,10,2)
ALTER TABLE a DROP CONSTRAINT a_pkey
ALTER TABLE a DROP CONSTRAINT a_b_key
ALTER TABLE a DROP CONSTRAINT a_pkey CASCADE
INSERT INTO c VALUES (5,99,7)
INSERT INTO c VALUES (5,20,7)
DELETE FROM a WHERE b = 10
ALTER TABLE a DROP COLUMN b
ALTER TABLE a DROP COLUMN b CASCADE
CREATE TABLE c2(id int PRIMARY KEY, b int)
CREATE VIEW v AS SELECT id, b FROM c2 GROUP BY id
ALTER TABLE c2 DROP CONSTRAINT c2_pkey
ALTER TABLE c2 DROP COLUMN id
DROP VIEW v
ALTER TABLE c2 DROP COLUMN id
CREATE TABLE d(a int, b int)
INSERT INTO d VALUES (NULL,1),(2,2),(2,3)
ALTER TABLE d ADD PRIMARY KEY (a)
DELETE FROM d WHERE b = 3
ALTER TABLE d ADD PRIMARY KEY (a)
DELETE FROM d WHERE a is NULL
ALTER TABLE d ADD PRIMARY KEY (a)
ALTER TABLE d ALTER COLUMN a TYPE text USING 'k' || a
SELECT * FROM d
INSERT INTO d VALUES ('k2', 5)
ALTER TABLE d ALTER a TYPE bigint USING substr(a,2)::bigint * 10
SELECT * FROM d
INSERT INTO d VALUES (20, 5)
ALTER TABLE d RENAME COLUMN a TO aa
SELECT * FROM d WHERE aa = 20
SELECT conname, contype, conkey FROM pg_constraint WHERE conrelid = 'd'::regclass
SELECT indisprimary, indisunique, indkey FROM pg_index WHERE indrelid = 'd'::regclass
ALTER TABLE d DROP CONSTRAINT d_pkey, ADD PRIMARY KEY (b)
SELECT * FROM d WHERE b = 2
ALTER TABLE d ADD CONSTRAINT d_b_u UNIQUE (b), DROP CONSTRAINT d_pkey
INSERT INTO d VALUES (7,2)
CREATE TABLE self(id int PRIMARY KEY, p int REFERENCES self)
INSERT INTO self VALUES (1,1),(2,1)
ALTER TABLE self DROP CONSTRAINT self_pkey
ALTER TABLE self DROP CONSTRAINT self_pkey CASCADE
CREATE TABLE jj(a json)
ALTER TABLE jj ADD PRIMARY KEY (a)
CREATE VIEW vv AS SELECT * FROM d
ALTER TABLE d ADD PRIMARY KEY (aa)
SELECT * FROM vv
ALTER TABLE d DROP CONSTRAINT d_pkey
INSERT INTO d VALUES (1,1)
SELECT * FROM vv ORDER BY 1
SELECT attname, attnum, attnotnull FROM pg_attribute WHERE attrelid='d'::regclass AND attnum > 0 ORDER BY 2
"""


def test_every_statement_is_answered_as_postgresql_does(sides: tuple[Side, Side]) -> None:
    assert differences(sides, MADE) == []


WAITING = """
a: CREATE TABLE k (id INT, n INT)
a: INSERT INTO k VALUES (1, 1)
b: BEGIN
b: INSERT INTO k VALUES (2, 2)
a: ALTER TABLE k ADD PRIMARY KEY (id)
b: COMMIT
b: INSERT INTO k VALUES (2, 3)
b: BEGIN
b: SELECT count(*) FROM k
a: ALTER TABLE k DROP CONSTRAINT k_pkey
c: INSERT INTO k VALUES (2, 4)
b: COMMIT
c: SELECT * FROM k ORDER BY id, n
a: DROP TABLE k
"""


def test_it_waits_for_writers_and_readers_and_they_for_it(
    servers: tuple[KalamServer, str],
) -> None:
    assert interleaved.differences(servers, WAITING) == ""


def test_rows_of_every_user_cold_and_hot_are_rekeyed_and_what_was_there_is_erased(
    server: KalamServer,
) -> None:
    with server.root() as root, server.connect("alice") as alice, server.connect("bob") as bob:
        root.execute("CREATE NAMESPACE rk")
        root.execute(
            "CREATE TABLE rk.m (id BIGSERIAL, body TEXT UNIQUE, n INT) WITH (TYPE = 'USER')"
        )
        for user, count in ((alice, 1500), (bob, 700)):
            user.execute(
                f"INSERT INTO rk.m (body, n) SELECT 'b' || i, i FROM generate_series(1, {count}) i"
            )
        root.execute("STORAGE FLUSH TABLE rk.m")
        alice.execute("UPDATE rk.m SET n = -1 WHERE id = 7")
        alice.execute("DELETE FROM rk.m WHERE id = 8")
        bob.execute("INSERT INTO rk.m (body) VALUES ('late')")
        root.execute("ALTER TABLE rk.m ADD PRIMARY KEY (id)")
        for again in range(2):
            assert alice.execute(
                "SELECT count(*), sum(n), min(id), max(id) FROM rk.m"
            ).fetchall() == [(1499, 1125750 - 7 - 8 - 1, 1, 1500)]
            assert bob.execute("SELECT count(*), max(id) FROM rk.m").fetchall() == [(701, 701)]
            assert alice.execute("SELECT n FROM rk.m WHERE id = 7").fetchall() == [(-1,)]
            assert bob.execute("SELECT id FROM rk.m WHERE body = 'late'").fetchall() == [(701,)]
            with pytest.raises(psycopg.errors.UniqueViolation):
                alice.execute("INSERT INTO rk.m VALUES (7, 'x')")
            with pytest.raises(psycopg.errors.UniqueViolation):
                alice.execute("INSERT INTO rk.m VALUES (70000, 'b9')")
            if not again:
                root.execute("STORAGE FLUSH TABLE rk.m")
                root.execute("STORAGE COMPACT TABLE rk.m")
        stored = """
            SELECT user_name, sum(rows) FROM system.segments WHERE table_name = 'm' GROUP BY 1 ORDER BY 1
        """
        assert root.execute(stored).fetchall() == [("alice", 1499), ("bob", 701)]
        erased = (
            "SELECT count(*) FROM system.jobs WHERE job_type = 'table_cleanup' AND progress = 1"
        )
        deadline = time.monotonic() + 20
        while not root.execute(erased).fetchall()[0][0]:
            assert time.monotonic() < deadline
        alice.execute("INSERT INTO rk.m (body) VALUES ('next')")
        assert alice.execute("SELECT id FROM rk.m WHERE body = 'next'").fetchall() == [(1501,)]
    server.kill()
    server.start()
    with server.root() as root, server.connect("alice") as alice:
        assert alice.execute("SELECT count(*) FROM rk.m").fetchall() == [(1500,)]
        (after,) = alice.execute("INSERT INTO rk.m (body) VALUES ('more') RETURNING id").fetchall()
        assert after[0] > 1501, "what the sequence has counted stays when old rows are erased"
        root.execute("ALTER TABLE rk.m DROP CONSTRAINT m_pkey")
        alice.execute("INSERT INTO rk.m VALUES (7, 'twice')")
        assert alice.execute("SELECT count(*) FROM rk.m WHERE id = 7").fetchall() == [(2,)]
        with pytest.raises(psycopg.errors.UniqueViolation) as told:
            root.execute("ALTER TABLE rk.m ADD PRIMARY KEY (id)")
        assert told.value.diag.message_detail == "Another user has a key twice."
        root.execute("DROP NAMESPACE rk CASCADE")


def test_a_crash_in_the_middle_leaves_the_table_as_it_was(server: KalamServer) -> None:
    with server.root() as root:
        root.execute("CREATE TABLE cr (id INT, n INT)")
        root.execute("INSERT INTO cr SELECT i, i FROM generate_series(1, 3000) i")
        root.execute("STORAGE FLUSH TABLE cr")
    lost = server.root()
    lost.execute("BEGIN")
    lost.execute("INSERT INTO cr VALUES (0, 0)")
    lost.execute("ALTER TABLE cr ADD PRIMARY KEY (id)")
    server.kill()
    lost.close()
    server.start()
    with server.root() as root:
        assert root.execute("SELECT count(*), sum(n) FROM cr").fetchall() == [(3000, 4501500)]
        root.execute("INSERT INTO cr VALUES (1, 1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            root.execute("ALTER TABLE cr ADD PRIMARY KEY (id)")
        root.execute("DELETE FROM cr WHERE id = 1")
        root.execute("ALTER TABLE cr ADD PRIMARY KEY (id)")
    server.kill()
    server.start()
    with server.root() as root:
        assert root.execute("SELECT count(*) FROM cr").fetchall() == [(2999,)]
        assert root.execute("SELECT n FROM cr WHERE id = 2999").fetchall() == [(2999,)]
        root.execute("DROP TABLE cr")


def test_an_older_snapshot_is_told_and_a_follower_ends(server: KalamServer) -> None:
    with server.root() as root, server.root() as older, server.root() as follower:
        root.execute("CREATE TABLE os (id INT, n INT)")
        root.execute("CREATE TABLE other (id INT)")
        root.execute("INSERT INTO os VALUES (1, 1)")
        older.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        older.execute("SELECT * FROM other")
        assert follower.execute("SUBSCRIBE TO SELECT n FROM os").fetchall()
        (token,) = follower.execute(
            "SELECT position FROM system.live_queries WHERE table_name = 'os'"
        ).fetchall()
        root.execute("ALTER TABLE os ADD PRIMARY KEY (id)")
        with pytest.raises(psycopg.errors.SerializationFailure):
            older.execute("SELECT * FROM os")
        older.execute("ROLLBACK")
        told = [one.payload for one in follower.notifies(timeout=20, stop_after=1)]
        assert "The primary key of table" in told[0]
        with pytest.raises(psycopg.errors.SnapshotTooOld):
            follower.execute(f"SUBSCRIBE TO SELECT n FROM os OPTIONS (from_seq = '{token[0]}')")
        older.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        older.execute("SELECT * FROM os")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            older.execute("ALTER TABLE os DROP CONSTRAINT os_pkey")
        older.execute("ROLLBACK")
        root.execute("DROP TABLE os, other")


def test_temporary_and_stream_tables_are_rekeyed_too(server: KalamServer) -> None:
    with server.root() as root, server.connect("alice") as alice:
        root.execute("CREATE TEMP TABLE tt (id INT, n INT UNIQUE)")
        root.execute("INSERT INTO tt VALUES (1, 10), (2, 20)")
        root.execute("ALTER TABLE tt ADD PRIMARY KEY (id)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            root.execute("INSERT INTO tt VALUES (1, 30)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            root.execute("INSERT INTO tt VALUES (3, 20)")
        root.execute("ALTER TABLE tt DROP CONSTRAINT tt_pkey")
        root.execute("INSERT INTO tt VALUES (1, 30)")
        assert root.execute("SELECT * FROM tt ORDER BY n").fetchall() == [(1, 10), (2, 20), (1, 30)]
        root.execute("CREATE STREAM TABLE st (id INT, n INT) TTL 1000")
        alice.execute("INSERT INTO st VALUES (1, 1), (2, 2)")
        root.execute("ALTER TABLE st ADD PRIMARY KEY (id)")
        assert alice.execute("SELECT * FROM st ORDER BY id").fetchall() == [(1, 1), (2, 2)]
        with pytest.raises(psycopg.errors.UniqueViolation):
            alice.execute("INSERT INTO st VALUES (1, 1)")
        root.execute("DROP TABLE st")


def test_writers_lose_nothing_while_keys_come_and_go(server: KalamServer) -> None:
    with server.root() as root:
        root.execute("CREATE TABLE wr (id INT NOT NULL, n INT)")
    failed: list[psycopg.Error] = []

    def write(first: int) -> None:
        with server.root() as connection:
            for number in range(first, first + 150):
                try:
                    connection.execute("INSERT INTO wr VALUES (%s, %s)", (number, number))
                except psycopg.Error as exc:
                    failed.append(exc)

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    with server.root() as root:
        for _ in range(5):
            root.execute("ALTER TABLE wr ADD PRIMARY KEY (id)")
            root.execute("STORAGE FLUSH TABLE wr")
            root.execute("ALTER TABLE wr DROP CONSTRAINT wr_pkey")
    for thread in threads:
        thread.join()
    assert failed == []
    with server.root() as root:
        assert root.execute("SELECT count(*), count(DISTINCT id) FROM wr").fetchall() == [
            (450, 450)
        ]
        root.execute("DROP TABLE wr")


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [("numeric(8, 2)", "numeric(12, 2)"), ("int", "bigint"), ("real", "double precision")],
)
def test_keys_that_were_written_in_a_narrower_type_hide_and_are_hidden(server, narrow, wide):
    """Rows that are flushed with either type, edited in both; files that are too large to be kept whole."""
    with server.root() as root:
        root.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (k {narrow} PRIMARY KEY, n int)")
        root.execute("INSERT INTO t SELECT g, 0 FROM generate_series(1, 4000) g")
        for change in "UPDATE t SET n = 1 WHERE k < 11", "DELETE FROM t WHERE k BETWEEN 11 AND 20":
            root.execute(f"STORAGE FLUSH TABLE t; {change}")
        root.execute(f"STORAGE FLUSH TABLE t; ALTER TABLE t ALTER k TYPE {wide}")
        root.execute("INSERT INTO t SELECT g, 2 FROM generate_series(11, 15) g")
        root.execute("UPDATE t SET n = 5 WHERE k < 6 OR k > 3990")
        for step in "SELECT", "STORAGE FLUSH TABLE t", "STORAGE COMPACT TABLE t":
            root.execute(step)
            found = root.execute("SELECT count(*), sum(n) FROM t WHERE n >= 0").fetchone()
            assert found == (3995, 5 * 5 + 5 + 5 * 2 + 10 * 5)
            assert root.execute("SELECT count(*) FROM t").fetchone() == (3995,)
            by_key = "SELECT k::int, n FROM t WHERE k IN (5, 6, 15, 16, 4000) ORDER BY k"
            assert root.execute(by_key).fetchall() == [(5, 5), (6, 1), (15, 2), (4000, 5)]
        root.execute("DROP TABLE t")
