"""Materialized views: what is told beside PostgreSQL 15, whose rows they have, and what becomes of them."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from tests.wire import interleaved
from tests.wire.server import KalamServer
from tests.wire.side_by_side import Side, both, differences

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("materialized")) as found:
        yield found


MADE = """
CREATE TABLE t(id int PRIMARY KEY, g text, n int)
INSERT INTO t VALUES (1,'a',10),(2,'a',20),(3,'b',5)
CREATE MATERIALIZED VIEW mv AS SELECT g, sum(n) AS total FROM t GROUP BY g
SELECT * FROM mv ORDER BY g
CREATE MATERIALIZED VIEW mv AS SELECT 1
CREATE MATERIALIZED VIEW IF NOT EXISTS mv AS SELECT 1
CREATE MATERIALIZED VIEW t AS SELECT 1
INSERT INTO t VALUES (4,'c',1)
SELECT * FROM mv ORDER BY g
REFRESH MATERIALIZED VIEW mv
SELECT * FROM mv ORDER BY g
REFRESH MATERIALIZED VIEW CONCURRENTLY mv
REFRESH MATERIALIZED VIEW CONCURRENTLY mv WITH NO DATA
CREATE UNIQUE INDEX ON mv (g)
REFRESH MATERIALIZED VIEW CONCURRENTLY mv
CREATE INDEX ON mv (total)
SELECT matviewname, hasindexes, ispopulated, tablespace FROM pg_matviews WHERE schemaname='public'
SELECT relname, relkind, relispopulated, relhasindex, relnatts FROM pg_class WHERE relname in ('mv','t')
REFRESH MATERIALIZED VIEW mv WITH NO DATA
SELECT * FROM mv
SELECT count(*) FROM mv, t
REFRESH MATERIALIZED VIEW CONCURRENTLY mv
SELECT matviewname, ispopulated FROM pg_matviews WHERE schemaname='public'
PREPARE q AS SELECT * FROM mv
EXECUTE q
REFRESH MATERIALIZED VIEW mv
EXECUTE q
CREATE MATERIALIZED VIEW mv2 (x, y) AS SELECT g, total FROM mv WITH NO DATA
SELECT * FROM mv2
DROP MATERIALIZED VIEW mv
DROP TABLE t
DROP TABLE mv
DROP VIEW mv
DROP MATERIALIZED VIEW t
DROP MATERIALIZED VIEW nope
DROP MATERIALIZED VIEW IF EXISTS nope
CREATE VIEW v AS SELECT * FROM mv
SELECT * FROM v ORDER BY 1
DROP MATERIALIZED VIEW v
INSERT INTO mv VALUES ('z', 1)
UPDATE mv SET total = 1
DELETE FROM mv
TRUNCATE mv
LOCK TABLE mv
SELECT * FROM mv FOR UPDATE
ALTER MATERIALIZED VIEW mv RENAME TO mw
ALTER MATERIALIZED VIEW mw RENAME COLUMN total TO tot
ALTER TABLE mw RENAME COLUMN tot TO total2
SELECT * FROM mw ORDER BY 1
SELECT * FROM v ORDER BY 1
REFRESH MATERIALIZED VIEW mw
REFRESH MATERIALIZED VIEW mv2
SELECT * FROM mv2 ORDER BY 1
ALTER TABLE mw ADD COLUMN c int
ALTER TABLE mw ALTER COLUMN g DROP NOT NULL
ALTER TABLE mw DROP COLUMN g
ALTER TABLE mw ADD PRIMARY KEY (g)
ALTER TABLE mw ADD CHECK (true)
ALTER VIEW mw RENAME TO z
ALTER MATERIALIZED VIEW t RENAME TO z
ALTER MATERIALIZED VIEW nope RENAME TO z
ALTER MATERIALIZED VIEW IF EXISTS nope RENAME TO z
COMMENT ON MATERIALIZED VIEW mw IS 'hello'
COMMENT ON TABLE mw IS 'x'
COMMENT ON VIEW mw IS 'x'
COMMENT ON MATERIALIZED VIEW t IS 'x'
SELECT obj_description('mw'::regclass)
ALTER TABLE t DROP COLUMN n
ALTER TABLE t DROP COLUMN g CASCADE
CREATE TABLE t2(id int PRIMARY KEY, a text)
CREATE MATERIALIZED VIEW m3 AS SELECT * FROM t2
ALTER TABLE t2 RENAME TO t3
ALTER TABLE t3 ADD COLUMN b int
ALTER TABLE t3 RENAME COLUMN a TO aa
INSERT INTO t3 VALUES (1,'x',2)
REFRESH MATERIALIZED VIEW m3
SELECT * FROM m3
DROP TABLE t3 CASCADE
CREATE MATERIALIZED VIEW m4 AS SELECT nope
CREATE MATERIALIZED VIEW m4 (a,b) AS SELECT 1
CREATE MATERIALIZED VIEW m4 AS SELECT 1 AS a, 2 AS a
CREATE MATERIALIZED VIEW m4 AS INSERT INTO t VALUES (1)
CREATE TEMP MATERIALIZED VIEW m4 AS SELECT 1
CREATE TEMP TABLE tt(a int)
CREATE MATERIALIZED VIEW m4 AS SELECT * FROM tt
REFRESH MATERIALIZED VIEW t
REFRESH MATERIALIZED VIEW nope
CREATE MATERIALIZED VIEW m5 AS SELECT generate_series(1,3) a, NULL::int b WITH DATA
CREATE UNIQUE INDEX m5u ON m5 (a)
BEGIN
REFRESH MATERIALIZED VIEW m5 WITH NO DATA
SELECT * FROM m5
ROLLBACK
SELECT * FROM m5 ORDER BY 1
BEGIN
CREATE MATERIALIZED VIEW m6 AS SELECT 1 a
SELECT * FROM m6
REFRESH MATERIALIZED VIEW m6
SAVEPOINT x
REFRESH MATERIALIZED VIEW m6 WITH NO DATA
SELECT relispopulated FROM pg_class WHERE relname='m6'
ROLLBACK TO x
SELECT relispopulated FROM pg_class WHERE relname='m6'
SELECT * FROM m6
COMMIT
SELECT * FROM m6
CREATE TABLE dup(a int, b int)
INSERT INTO dup VALUES (1,1),(1,1)
CREATE MATERIALIZED VIEW md AS SELECT * FROM dup
CREATE UNIQUE INDEX ON md(a)
CREATE MATERIALIZED VIEW md2 AS SELECT * FROM dup WITH NO DATA
CREATE UNIQUE INDEX md2u ON md2(a)
REFRESH MATERIALIZED VIEW md2
CREATE TABLE dup2(a int, b int)
INSERT INTO dup2 VALUES (1,1)
CREATE MATERIALIZED VIEW md3 AS SELECT * FROM dup2
CREATE UNIQUE INDEX md3u ON md3(a)
INSERT INTO dup2 VALUES (1,1)
REFRESH MATERIALIZED VIEW CONCURRENTLY md3
DELETE FROM dup2; INSERT INTO dup2 VALUES (1,1),(1,NULL)
REFRESH MATERIALIZED VIEW CONCURRENTLY md3
REFRESH MATERIALIZED VIEW md3
SELECT * FROM md3
BEGIN READ ONLY
REFRESH MATERIALIZED VIEW md3
ROLLBACK
CREATE TABLE fk(a int REFERENCES md3(a))
CREATE TABLE lk (LIKE md3)
SELECT table_name, table_type FROM information_schema.tables WHERE table_schema='public' ORDER BY 1
SELECT table_name FROM information_schema.columns WHERE table_schema='public' AND table_name LIKE 'm%'
SELECT pg_get_viewdef('md3'::regclass) LIKE '%dup2%'
SELECT tablename FROM pg_tables WHERE schemaname='public' ORDER BY 1
SELECT viewname FROM pg_views WHERE schemaname='public' ORDER BY 1
ANALYZE md3
VACUUM md3
"""


def test_every_statement_is_answered_as_postgresql_does(sides: tuple[Side, Side]) -> None:
    assert differences(sides, MADE) == []


CONCURRENT = """
a: CREATE MATERIALIZED VIEW mv AS SELECT id, n FROM t
a: CREATE UNIQUE INDEX mi ON mv (id)
a: INSERT INTO t VALUES (9, 90, 'z')
a: BEGIN
a: REFRESH MATERIALIZED VIEW CONCURRENTLY mv
b: SELECT count(*) FROM mv
b: REFRESH MATERIALIZED VIEW CONCURRENTLY mv
a: COMMIT
b: SELECT count(*) FROM mv
a: DROP MATERIALIZED VIEW mv
"""


def test_a_second_refresh_waits_and_readers_do_not(servers: tuple[KalamServer, str]) -> None:
    assert interleaved.differences(servers, CONCURRENT) == ""


def test_of_a_user_tables_rows_each_user_has_contents_of_their_own(server: KalamServer) -> None:
    with server.root() as root, server.connect("alice") as alice, server.connect("bob") as bob:
        root.execute("CREATE NAMESPACE own")
        root.execute("CREATE TABLE own.m (id INT PRIMARY KEY, body TEXT) WITH (TYPE = 'USER')")
        alice.execute("INSERT INTO own.m VALUES (1, 'of alice')")
        bob.execute("INSERT INTO own.m VALUES (1, 'of bob'), (2, 'of bob too')")
        root.execute("CREATE VIEW own.v AS SELECT * FROM own.m")
        root.execute("CREATE MATERIALIZED VIEW own.mv AS SELECT id, body FROM own.v")
        assert root.execute("SELECT * FROM own.mv").fetchall() == []
        for user in (alice, bob):
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as told:
                user.execute("SELECT * FROM own.mv")
            assert told.value.diag.message_primary == (
                'materialized view "mv" has not been populated'
            )
        alice.execute("REFRESH MATERIALIZED VIEW own.mv")
        assert alice.execute("SELECT * FROM own.mv").fetchall() == [(1, "of alice")]
        populated = "SELECT ispopulated FROM pg_matviews WHERE schemaname = 'own'"
        assert alice.execute(populated).fetchall() == [(True,)]
        assert bob.execute(populated).fetchall() == [(False,)]
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            bob.execute("SELECT * FROM own.mv")
        bob.execute("REFRESH MATERIALIZED VIEW own.mv")
        assert bob.execute("SELECT count(*) FROM own.mv").fetchall() == [(2,)]
        bob.execute("REFRESH MATERIALIZED VIEW own.mv WITH NO DATA")
        assert alice.execute("SELECT * FROM own.mv").fetchall() == [(1, "of alice")]
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            bob.execute("SELECT * FROM own.mv")
        kinds = "SELECT table_type FROM system.tables WHERE table_name = 'mv'"
        assert root.execute(kinds).fetchall() == [("MATERIALIZED VIEW",)]


def test_what_all_share_is_refreshed_by_its_owner_and_read_as_what_it_reads(
    server: KalamServer,
) -> None:
    with server.root() as root, server.connect("alice") as alice:
        root.execute("CREATE NAMESPACE shared")
        root.execute("CREATE TABLE shared.open (id INT PRIMARY KEY)")
        root.execute(
            "CREATE TABLE shared.closed (id INT PRIMARY KEY) WITH (ACCESS_LEVEL = 'RESTRICTED')"
        )
        root.execute("CREATE MATERIALIZED VIEW shared.mo AS SELECT * FROM shared.open")
        root.execute(
            "CREATE MATERIALIZED VIEW shared.mc AS SELECT o.id FROM shared.open o, shared.closed"
        )
        assert alice.execute("SELECT * FROM shared.mo").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as told:
            alice.execute("SELECT * FROM shared.mc")
        assert told.value.diag.message_primary == "permission denied for materialized view mc"
        root.execute("GRANT SELECT ON shared.mc TO alice")
        assert alice.execute("SELECT * FROM shared.mc").fetchall() == []
        for statement in (
            "REFRESH MATERIALIZED VIEW shared.mo",
            "DROP MATERIALIZED VIEW shared.mo",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as told:
                alice.execute(statement)
            assert told.value.diag.message_primary == "must be owner of materialized view mo"
        with pytest.raises(psycopg.errors.InvalidTableDefinition):
            root.execute(
                "CREATE MATERIALIZED VIEW shared.mu WITH (TYPE = 'USER') AS SELECT * FROM shared.open"
            )


def test_a_prepared_statement_and_an_older_snapshot_know_whether_it_is_populated(
    server: KalamServer,
) -> None:
    with server.root() as root, server.root() as other:
        root.execute("CREATE TABLE pt (id INT PRIMARY KEY)")
        root.execute("CREATE MATERIALIZED VIEW pm AS SELECT * FROM pt WITH NO DATA")
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM pt")
        root.execute("REFRESH MATERIALIZED VIEW pm")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            other.execute("SELECT * FROM pm")  # It has no rows that this transaction could see.
        other.execute("ROLLBACK")
        for _ in range(3):
            other.execute("SELECT id FROM pm WHERE id = %s", (1,), prepare=True)
        root.execute("REFRESH MATERIALIZED VIEW pm WITH NO DATA")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            other.execute("SELECT id FROM pm WHERE id = %s", (1,), prepare=True)
        root.execute("DROP TABLE pt CASCADE")


def test_who_follows_one_hears_what_a_refresh_has_changed(server: KalamServer) -> None:
    with server.root() as root, server.root() as follower:
        root.execute("CREATE TABLE ft (id INT PRIMARY KEY, n INT)")
        root.execute("INSERT INTO ft SELECT i, i FROM generate_series(1, 50) i")
        root.execute("CREATE MATERIALIZED VIEW fm AS SELECT id, n FROM ft")
        root.execute("CREATE UNIQUE INDEX ON fm (id)")
        rows = follower.execute("SUBSCRIBE TO SELECT id, n FROM fm").fetchall()
        assert len(rows) == 50
        root.execute("UPDATE ft SET n = 100 WHERE id = 7")
        root.execute("DELETE FROM ft WHERE id = 8")
        root.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY fm")
        told = [one.payload for one in follower.notifies(timeout=20, stop_after=3)]
        assert ['"op":"delete"' in one for one in told] == [True, True, False]
        assert '"n":100' in told[2]
        root.execute("DROP TABLE ft CASCADE")


def test_it_is_kept_over_flush_kill_and_start(server: KalamServer) -> None:
    with server.root() as root:
        root.execute("CREATE TABLE kt (id INT PRIMARY KEY, n INT)")
        root.execute("INSERT INTO kt SELECT i, i % 10 FROM generate_series(1, 3000) i")
        root.execute("CREATE MATERIALIZED VIEW km AS SELECT n, count(*) AS c FROM kt GROUP BY n")
        root.execute("CREATE UNIQUE INDEX ku ON km (n)")
        root.execute("STORAGE FLUSH TABLE km")
        root.execute("STORAGE FLUSH TABLE kt")
        root.execute("INSERT INTO kt VALUES (0, 77)")
        root.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY km")
        root.execute("CREATE MATERIALIZED VIEW kn AS SELECT * FROM kt WITH NO DATA")
        wanted = root.execute("SELECT * FROM km ORDER BY n").fetchall()
        assert len(wanted) == 11
    lost = server.root()
    lost.execute("BEGIN")
    lost.execute("REFRESH MATERIALIZED VIEW kn")
    server.kill()
    lost.close()
    server.start()
    with server.root() as root:
        assert root.execute("SELECT * FROM km ORDER BY n").fetchall() == wanted
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            root.execute("SELECT * FROM kn")
        root.execute("REFRESH MATERIALIZED VIEW kn")
        root.execute("STORAGE FLUSH TABLE kn")
        root.execute("DELETE FROM kt WHERE id > 10")
        root.execute("REFRESH MATERIALIZED VIEW kn")
        root.execute("REFRESH MATERIALIZED VIEW km")
        assert root.execute("SELECT count(*) FROM kn").fetchall() == [(11,)]
        assert root.execute("SELECT sum(c) FROM km").fetchall() == [(11,)]
        with pytest.raises(psycopg.errors.UniqueViolation):
            root.execute("CREATE UNIQUE INDEX ON km (c)")
        root.execute("DROP TABLE kt CASCADE")


def test_refreshes_beside_writers_and_readers_show_whole_answers(server: KalamServer) -> None:
    with server.root() as root:
        root.execute("CREATE TABLE wt (id INT PRIMARY KEY, n INT)")
        root.execute("INSERT INTO wt SELECT i, 0 FROM generate_series(1, 200) i")
        root.execute("CREATE MATERIALIZED VIEW wm AS SELECT id, n FROM wt")
        root.execute("CREATE UNIQUE INDEX ON wm (id)")
    seen: list[tuple[int, int, int]] = []
    failed: list[psycopg.Error] = []

    def repeat(times: int, *statements: str) -> None:
        try:
            with server.root() as connection:
                for _ in range(times):
                    for statement in statements:
                        found = connection.execute(statement)
                        if found.description is not None:
                            seen.extend(found.fetchall())
        except psycopg.Error as exc:
            failed.append(exc)

    threads = [
        threading.Thread(target=repeat, args=args)
        for args in (
            (10, "UPDATE wt SET n = n + 1"),
            (10, "REFRESH MATERIALIZED VIEW CONCURRENTLY wm"),
            (10, "REFRESH MATERIALIZED VIEW wm"),
            (20, "SELECT count(*), min(n), max(n) FROM wm"),
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert {(count, low == high) for count, low, high in seen} == {(200, True)}
    with server.root() as root:
        root.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY wm")
        assert root.execute("SELECT count(*), min(n) FROM wm").fetchall() == [(200, 10)]
        root.execute("DROP TABLE wt CASCADE")
