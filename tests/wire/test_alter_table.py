"""ALTER TABLE as clients see it: PostgreSQL's answers, over rows of every user, hot and cold, and a crash."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.wire import interleaved
from tests.wire.listening import hear, hears_nothing_more, listen
from tests.wire.server import KalamServer
from tests.wire.side_by_side import Side, differences

COLUMNS = """
    DROP TABLE IF EXISTS t, u CASCADE
    CREATE TABLE t (id int primary key, a int, b text not null default 'x', check (a > 0))
    INSERT INTO t VALUES (1,1,'one'),(2,2,'two')
    ALTER TABLE t ADD COLUMN c int
    SELECT * FROM t ORDER BY id
    ALTER TABLE t ADD COLUMN d text DEFAULT 'dd' NOT NULL
    SELECT * FROM t ORDER BY id
    INSERT INTO t (id, a) VALUES (3, 3)
    SELECT * FROM t ORDER BY id
    ALTER TABLE t ADD COLUMN c int
    ALTER TABLE t ADD COLUMN IF NOT EXISTS c int
    ALTER TABLE t DROP COLUMN zz
    ALTER TABLE t DROP COLUMN IF EXISTS zz
    ALTER TABLE t DROP COLUMN b
    SELECT * FROM t ORDER BY id
    ALTER TABLE t ADD COLUMN b int
    SELECT * FROM t ORDER BY id
    ALTER TABLE t RENAME COLUMN a TO aa
    INSERT INTO t (id, aa) VALUES (4, -1)
    SELECT * FROM t WHERE aa = 2
    ALTER TABLE t RENAME aa TO c
    ALTER TABLE t RENAME nope TO c
    ALTER TABLE nope ADD COLUMN a int
    ALTER TABLE IF EXISTS nope ADD COLUMN a int
    ALTER TABLE t ALTER COLUMN c SET NOT NULL
    UPDATE t SET c = id
    ALTER TABLE t ALTER COLUMN c SET NOT NULL
    INSERT INTO t (id, aa) VALUES (4, 4)
    ALTER TABLE t ALTER COLUMN c DROP NOT NULL
    INSERT INTO t (id, aa) VALUES (4, 4)
    ALTER TABLE t ALTER id DROP NOT NULL
    ALTER TABLE t ALTER COLUMN c SET DEFAULT 7
    INSERT INTO t (id, aa) VALUES (5, 5) RETURNING c
    ALTER TABLE t ALTER COLUMN c DROP DEFAULT
    INSERT INTO t (id, aa) VALUES (6, 6) RETURNING c
    ALTER TABLE t ALTER COLUMN c SET DEFAULT 'x'
    ALTER TABLE t ALTER COLUMN c SET DEFAULT id
    ALTER TABLE t ADD CONSTRAINT big CHECK (aa > 100)
    ALTER TABLE t ADD CONSTRAINT big CHECK (aa > 100) NOT VALID
    ALTER TABLE t ADD CONSTRAINT big CHECK (aa > 1)
    ALTER TABLE t VALIDATE CONSTRAINT big
    INSERT INTO t (id, aa) VALUES (7, 7)
    ALTER TABLE t DROP CONSTRAINT big
    ALTER TABLE t DROP CONSTRAINT big
    ALTER TABLE t DROP CONSTRAINT IF EXISTS big
    ALTER TABLE t ADD CHECK (aa < 100)
    ALTER TABLE t RENAME CONSTRAINT t_aa_check TO small
    INSERT INTO t (id, aa) VALUES (7, 700)
    ALTER TABLE t RENAME CONSTRAINT nope TO small
    ALTER TABLE t VALIDATE CONSTRAINT small
    ALTER TABLE t VALIDATE CONSTRAINT t_pkey
    ALTER TABLE t VALIDATE CONSTRAINT nope
    ALTER TABLE t ALTER aa TYPE bigint
    SELECT * FROM t ORDER BY id
    INSERT INTO t (id, aa) VALUES (8, 30000000000)
    ALTER TABLE t ALTER c TYPE text
    SELECT * FROM t ORDER BY id
    ALTER TABLE t ALTER c TYPE int
    ALTER TABLE t ALTER c TYPE int USING c::int + 1
    SELECT * FROM t ORDER BY id
    ALTER TABLE t ALTER c TYPE boolean
    ALTER TABLE t ALTER c TYPE boolean USING c
    ALTER TABLE t ALTER d TYPE varchar(1)
    ALTER TABLE t ALTER d TYPE varchar(10)
    ALTER TABLE t ALTER d TYPE varchar(20), ALTER b TYPE numeric(10,2), ADD e int DEFAULT 3, DROP COLUMN c
    SELECT * FROM t ORDER BY id
    ALTER TABLE t RENAME TO u
    SELECT count(*) FROM u
    SELECT count(*) FROM t
    CREATE TABLE t (x int)
    ALTER TABLE u RENAME TO t
    DROP TABLE t
    ALTER TABLE u RENAME TO t
    CREATE SCHEMA s1
    ALTER TABLE t SET SCHEMA s1
    SELECT count(*) FROM s1.t
    ALTER TABLE s1.t SET SCHEMA public
    ALTER TABLE t SET SCHEMA public
    BEGIN
    ALTER TABLE t ADD COLUMN f int DEFAULT 9
    INSERT INTO t (id, aa, f) VALUES (20, 20, 1)
    SELECT id, f FROM t ORDER BY id
    SAVEPOINT s
    ALTER TABLE t DROP COLUMN f
    SELECT * FROM t ORDER BY id
    ROLLBACK TO s
    SELECT id, f FROM t ORDER BY id
    ROLLBACK
    SELECT * FROM t ORDER BY id
    BEGIN
    INSERT INTO t (id, aa) VALUES (30, 30)
    ALTER TABLE t ADD COLUMN g int DEFAULT 9, DROP COLUMN b
    SELECT * FROM t ORDER BY id
    UPDATE t SET g = 1 WHERE id = 30
    COMMIT
    SELECT * FROM t ORDER BY id
    ALTER TABLE t ADD COLUMN r float8 DEFAULT random()
    SELECT count(DISTINCT r) > 3 FROM t
    ALTER TABLE t ADD COLUMN nn int NOT NULL
    ALTER TABLE t ALTER COLUMN xmin SET NOT NULL
    ALTER TABLE t ADD COLUMN xmin int
    ALTER TABLE t ADD COLUMN q nosuchtype
    ALTER TABLE t ADD COLUMN ck int CHECK (ck > 5) DEFAULT 3
    ALTER TABLE t ADD COLUMN ck int CHECK (ck > 5) DEFAULT 30
    DROP TABLE t
    DROP SCHEMA s1
"""

VIEWS = """
    CREATE TABLE t (id int primary key, a int, b text)
    INSERT INTO t VALUES (1,1,'one'),(2,2,'two')
    CREATE VIEW v AS SELECT * FROM t
    CREATE VIEW va AS SELECT id, a + 1 AS n FROM t WHERE b <> 'zz'
    CREATE VIEW vv AS SELECT n FROM va
    ALTER TABLE t ADD COLUMN c int DEFAULT 5
    SELECT * FROM v ORDER BY id
    SELECT * FROM va ORDER BY id
    ALTER TABLE t RENAME COLUMN a TO x
    SELECT * FROM v ORDER BY id
    SELECT * FROM vv ORDER BY n
    ALTER TABLE t RENAME TO tt
    SELECT * FROM v ORDER BY id
    SELECT * FROM vv ORDER BY n
    CREATE TABLE t (id int primary key, a text)
    SELECT * FROM vv ORDER BY n
    ALTER TABLE tt DROP COLUMN x
    ALTER TABLE tt DROP COLUMN c
    ALTER TABLE tt ALTER b TYPE varchar(10)
    ALTER TABLE tt ALTER b TYPE int USING 1
    ALTER VIEW va RENAME TO vb
    SELECT * FROM vv ORDER BY n
    ALTER VIEW vb RENAME COLUMN n TO m
    SELECT * FROM vv ORDER BY n
    SELECT * FROM vb ORDER BY id
    ALTER TABLE vb RENAME TO va
    ALTER VIEW tt RENAME TO x
    ALTER TABLE va ADD COLUMN q int
    ALTER VIEW nope RENAME TO x
    ALTER VIEW IF EXISTS nope RENAME TO x
    ALTER TABLE tt DROP COLUMN x CASCADE
    SELECT * FROM tt ORDER BY id
    SELECT * FROM va
    SELECT * FROM v
    CREATE SCHEMA s2
    CREATE VIEW w AS SELECT id FROM tt
    ALTER TABLE tt SET SCHEMA s2
    SELECT * FROM w ORDER BY id
    ALTER VIEW w SET SCHEMA s2
    SELECT * FROM s2.w ORDER BY id
    ALTER SCHEMA s2 RENAME TO s3
    SELECT * FROM s3.w ORDER BY id
    DROP SCHEMA s3 CASCADE
    CREATE TABLE m (id int primary key, n int)
    BEGIN
    DECLARE c CURSOR FOR SELECT * FROM m
    ALTER TABLE m ADD COLUMN z int
    ROLLBACK
    ALTER TABLE m ADD CHECK (nope > 1)
    ALTER TABLE m ADD CHECK (n + 1)
    ALTER TABLE m ADD COLUMN z int DEFAULT nope
    ALTER TABLE m ADD COLUMN z int DEFAULT 'x'
    ALTER TABLE m ALTER n TYPE nosuch
    ALTER TABLE m ALTER nope TYPE int
    ALTER TABLE m ALTER n TYPE date USING n
    ALTER TABLE m ALTER n TYPE date
    ALTER TABLE m ALTER n SET DEFAULT 4
    ALTER TABLE m ALTER n TYPE boolean USING n > 1
    ALTER TABLE m ALTER n DROP DEFAULT, ALTER n TYPE boolean USING n > 1
    INSERT INTO m VALUES (1, true)
    ALTER TABLE m ALTER n TYPE text, ADD CHECK (n <> 'false'), ALTER n SET NOT NULL
    SELECT * FROM m
    ALTER TABLE m ADD UNIQUE (n), DROP COLUMN nope
    ALTER TABLE ONLY m ADD COLUMN z int, ADD COLUMN y int DEFAULT 3
    ALTER TABLE m ADD z int, DROP z
    ALTER TABLE m DROP z, ADD z text DEFAULT 'new'
    SELECT * FROM m
    ALTER TABLE m RENAME id TO "Id Of"
    ALTER TABLE m ADD CONSTRAINT c1 CHECK ("Id Of" > 0 AND z <> '')
    ALTER TABLE m RENAME "Id Of" TO id
    INSERT INTO m VALUES (0, 'x')
    ALTER TABLE m DROP COLUMN z
    INSERT INTO m VALUES (0, 'x')
    DROP TABLE t, m
"""


@pytest.fixture
def sides(servers: tuple[KalamServer, str]) -> Iterator[tuple[Side, Side]]:
    server, theirs = servers
    with ExitStack() as stack:
        ours = stack.enter_context(server.root())
        yield Side(ours), Side(stack.enter_context(psycopg.connect(theirs, autocommit=True)))


@pytest.mark.slow
@pytest.mark.parametrize("script", [COLUMNS, VIEWS], ids=["columns", "views"])
def test_every_action_is_answered_as_by_postgresql(sides, script):
    assert differences(sides, script) == []


SCRIPTS = {
    "readers and writers of an open block are waited for": """
        a: BEGIN
        a: SELECT * FROM t WHERE id = 1
        b: ALTER TABLE t ADD COLUMN x INT DEFAULT 5
        c: SELECT * FROM t WHERE id = 2
        d: INSERT INTO t VALUES (9, 9, 'i')
        a: COMMIT
    """,
    "nobody reads or writes until it is committed, or not": """
        a: BEGIN
        a: ALTER TABLE t DROP COLUMN n
        b: SELECT * FROM t WHERE id = 1
        c: INSERT INTO t VALUES (7, 7, 'x')
        a: ROLLBACK
        c: SELECT * FROM t ORDER BY id
    """,
    "who waits for one who waits for them is told": """
        a: BEGIN
        a: SELECT * FROM t WHERE id = 1
        b: BEGIN
        b: SELECT * FROM u WHERE id = 1
        a: ALTER TABLE u ADD COLUMN x INT
        b: ALTER TABLE t ADD COLUMN x INT
    """,
    "prepared statements": """
        a: PREPARE p AS SELECT * FROM t WHERE id = 1
        a: PREPARE q AS SELECT id, n FROM t WHERE id = 1
        b: ALTER TABLE t ADD COLUMN x INT DEFAULT 5
        a: EXECUTE p
        b: ALTER TABLE t DROP COLUMN s
        a: EXECUTE q
        b: ALTER TABLE t RENAME n TO m
        a: EXECUTE q
    """,
}


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_everybody_waits_as_in_postgresql(servers, script):
    assert interleaved.differences(servers, script) == ""


def acting_for(server: KalamServer, user: str) -> psycopg.Connection:
    """A session of root's, as that user; the user is made."""
    root = server.root()
    root.execute(f"CREATE USER {user} PASSWORD 'secret'")
    root.execute(f"SET ROLE {user}")
    return root


@pytest.mark.slow
def test_rows_of_every_user_are_read_written_and_checked_hot_cold_and_after_a_crash(tmp_path: Path):
    server = KalamServer(tmp_path / "kalam").start()
    root = server.root()
    with acting_for(server, "ann") as ann, acting_for(server, "bob") as bob:
        root.execute(
            "CREATE TABLE m (id INT PRIMARY KEY, n INT, s VARCHAR(9)) WITH (TYPE = 'USER')"
        )
        for session, first in ((ann, 1), (bob, 1001)):
            session.execute(
                f"INSERT INTO m SELECT g, g, 's' FROM generate_series({first}, {first + 299}) g"
            )
        root.execute("STORAGE FLUSH TABLE m")
        ann.execute("INSERT INTO m VALUES (400, 400, 'hot')")
        root.execute("ALTER TABLE m ADD x INT DEFAULT 5, ADD gone TEXT DEFAULT 'g', ADD y INT")
        root.execute("ALTER TABLE m DROP gone, ALTER n TYPE BIGINT, ALTER id TYPE BIGINT")
        root.execute("ALTER TABLE m ADD gone INT, ALTER x TYPE TEXT USING x || ':' || id")
        ann.execute("UPDATE m SET n = 5000000000 WHERE id = 1")
        with pytest.raises(psycopg.errors.CheckViolation, match="violated by some row"):
            root.execute("ALTER TABLE m ADD CHECK (n < 1300)")
        with pytest.raises(psycopg.errors.NotNullViolation, match='column "y" of relation "m"'):
            root.execute("ALTER TABLE m ALTER y SET NOT NULL")
        expected = _read(ann), _read(bob)
        assert expected[0] == (
            [(1, 5000000000, "s", "5:1", None, None), (400, 400, "hot", "5:400", None, None)],
            (301, 5000045549, 301),
        )
        for step in ("FLUSH", "COMPACT"):
            root.execute(f"STORAGE {step} TABLE m")
            assert (_read(ann), _read(bob)) == expected, step
    root.close()
    server.kill()
    server.start()
    try:
        with server.root() as root, server.root() as again:
            root.execute("SET ROLE ann")
            again.execute("SET ROLE bob")
            assert (_read(root), _read(again)) == expected
    finally:
        server.stop()


def _read(session: psycopg.Connection) -> tuple[list[tuple[object, ...]], tuple[object, ...]]:
    """Two rows by key, and what an engine makes of all."""
    rows = session.execute("SELECT * FROM m WHERE id IN (1, 400, 1001) ORDER BY id").fetchall()
    every = session.execute("SELECT count(*), sum(n)::bigint, count(x) FROM m").fetchone()
    assert every is not None
    return rows, every


@pytest.mark.slow
def test_a_subscriber_goes_on_in_the_version_it_began_with_or_is_told_why_not(server: KalamServer):
    with server.root() as root, server.root() as listener, server.root() as narrow:
        root.execute(
            "CREATE TABLE followed (id INT PRIMARY KEY, a INT, b INT) WITH (TYPE='SHARED')"
        )
        listen(listener, "public.followed")
        narrow.execute("SUBSCRIBE TO SELECT id, a FROM followed OPTIONS (channel = 'n')")
        root.execute("ALTER TABLE followed ADD COLUMN c INT DEFAULT 7")
        root.execute("INSERT INTO followed VALUES (1, 2, 3, 4)")
        ((_, told),) = hear(listener, 1)
        assert told["row"] == {"id": 1, "a": 2, "b": 3}
        root.execute("ALTER TABLE followed DROP COLUMN b")
        ((_, told),) = hear(listener, 1)
        assert (told["op"], told["code"]) == ("error", "0A000")
        root.execute("UPDATE followed SET a = 9")
        (_, inserted), (_, updated) = hear(narrow, 2)
        assert (inserted["row"], updated["row"]) == ({"id": 1, "a": 2}, {"id": 1, "a": 9})
        hears_nothing_more(narrow)
        root.execute("DROP TABLE followed")
