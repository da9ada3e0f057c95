"""Who waits for whom, and what they are told then: the same scripts on ours and on PostgreSQL 15."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from difflib import unified_diff
from itertools import chain, count
from pathlib import Path

import psycopg
import pytest

from tests.wire import postgresql
from tests.wire.interleaved import transcript
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

SETUP = """
    DROP TABLE IF EXISTS t CASCADE
    DROP TABLE IF EXISTS u CASCADE
    DROP TABLE IF EXISTS w CASCADE
    DROP TABLE IF EXISTS w2 CASCADE
    DROP SCHEMA IF EXISTS s1 CASCADE
    CREATE TABLE t (id INT PRIMARY KEY, n INT, s TEXT)
    CREATE TABLE u (id INT PRIMARY KEY, n INT)
    INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c')
    INSERT INTO u VALUES (1, 1), (2, 2)
"""

AFTER_A_DROP = [
    "INSERT INTO t VALUES (9, 9, 'z')",
    "INSERT INTO t VALUES (9, 9, 'z'), (8, 8, 'y')",
    "INSERT INTO t VALUES (9, 9, 'z') RETURNING id",
    "INSERT INTO t VALUES (9, 9, 'z') ON CONFLICT DO NOTHING",
    "INSERT INTO t SELECT id + 20, n, 'q' FROM u",
    "UPDATE t SET n = 0",
    "UPDATE t SET n = 0 WHERE id = 1",
    "UPDATE t SET n = u.n FROM u WHERE u.id = t.id",
    "DELETE FROM t WHERE id = 1",
    "DELETE FROM t USING u WHERE u.id = t.id",
    "SELECT id FROM t WHERE id = 1 FOR UPDATE",
    "SELECT id FROM t ORDER BY id FOR SHARE",
    "TRUNCATE t",
    "EXPLAIN ANALYZE DELETE FROM t",
    "EXECUTE p",
]
"""What waits for a table that somebody is dropping."""

STRENGTHS = ("FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR KEY SHARE")

SCRIPTS = {
    **{
        f"behind a DROP: {statement}": f"""
            b: PREPARE p AS UPDATE t SET n = n + 1
            a: BEGIN
            a: DROP TABLE t
            b: {statement}
            a: COMMIT
            b: SELECT 1
        """
        for statement in AFTER_A_DROP
    },
    **{
        f"behind a DROP that is taken back: {statement}": f"""
            b: PREPARE p AS UPDATE t SET n = n + 1
            a: BEGIN
            a: DROP TABLE t
            b: {statement}
            a: ROLLBACK
            b: SELECT id, n FROM t ORDER BY id
        """
        for statement in AFTER_A_DROP
        if "EXPLAIN" not in statement and "TRUNCATE" not in statement
    },
    "behind a DROP and a CREATE": """
        b: PREPARE p AS INSERT INTO t VALUES (77, 7)
        a: BEGIN
        a: DROP TABLE t
        a: CREATE TABLE t (id INT PRIMARY KEY, other INT)
        b: INSERT INTO t VALUES (7, 7) RETURNING *
        c: EXECUTE p
        d: UPDATE t SET n = 1
        a: COMMIT
        a: SELECT * FROM t
    """,
    "an EXECUTE behind a DROP and a CREATE": """
        b: PREPARE p AS INSERT INTO t VALUES (77, 7)
        a: BEGIN
        a: DROP TABLE t
        a: CREATE TABLE t (id INT PRIMARY KEY, other INT)
        b: EXECUTE p
        a: COMMIT
        a: SELECT * FROM t
    """,
    "in a block, behind a DROP": """
        a: BEGIN
        a: DROP TABLE t
        b: BEGIN
        b: INSERT INTO u VALUES (7, 7)
        b: INSERT INTO t VALUES (7, 7, 'x')
        a: COMMIT
        b: COMMIT
        b: SELECT * FROM u ORDER BY id
    """,
    "two DROPs of one table": """
        a: BEGIN
        a: DROP TABLE t
        b: DROP TABLE t
        c: DROP TABLE IF EXISTS t
        a: COMMIT
    """,
    "a DROP waits for a writer, and later writers wait behind it": """
        a: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'x')
        b: DROP TABLE t
        c: INSERT INTO t VALUES (8, 8, 'y')
        a: UPDATE t SET n = 0 WHERE id = 7
        a: INSERT INTO t VALUES (9, 9, 'z')
        a: COMMIT
    """,
    "a DROP that waits holds up nobody's other definitions": """
        a: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'x')
        b: DROP TABLE t
        c: CREATE TABLE w (id INT PRIMARY KEY)
        a: CREATE TABLE w2 (id INT PRIMARY KEY)
        a: ROLLBACK
    """,
    "a DROP of two tables waits for both": """
        a: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'x')
        b: BEGIN
        b: INSERT INTO u VALUES (7, 7)
        c: DROP TABLE t, u
        a: COMMIT
        d: INSERT INTO t VALUES (8, 8, 'x')
        b: COMMIT
    """,
    "two that drop each other's tables": """
        a: BEGIN
        b: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'x')
        b: INSERT INTO u VALUES (7, 7)
        a: DROP TABLE u
        b: DROP TABLE t
        b: ROLLBACK
        a: COMMIT
    """,
    "a circle through a row and a table": """
        a: BEGIN
        b: BEGIN
        a: UPDATE t SET n = 0 WHERE id = 1
        b: UPDATE u SET n = 0 WHERE id = 1
        b: UPDATE t SET n = 0 WHERE id = 1
        a: DROP TABLE u
        a: ROLLBACK
        b: COMMIT
    """,
    "the victim of a deadlock lets go before it says ROLLBACK": """
        a: BEGIN
        b: BEGIN
        a: UPDATE t SET n = 0 WHERE id = 1
        b: UPDATE t SET n = 0 WHERE id = 2
        a: UPDATE t SET n = 0 WHERE id = 2
        b: UPDATE t SET n = 0 WHERE id = 1
        b: SELECT 1
        a: COMMIT
        b: COMMIT
    """,
    "a failed statement gives back what was locked since the savepoint": """
        a: BEGIN
        a: UPDATE t SET n = 0 WHERE id = 1
        a: SAVEPOINT s
        a: UPDATE t SET n = 0 WHERE id = 2
        a: SELECT 1 / 0
        b: UPDATE t SET n = 5 WHERE id = 2
        b: UPDATE t SET n = 5 WHERE id = 1
        a: ROLLBACK TO s
        a: COMMIT
        a: SELECT id, n FROM t ORDER BY id
    """,
    "ROLLBACK TO gives back rows": """
        a: BEGIN
        a: SAVEPOINT s
        a: UPDATE t SET n = 0 WHERE id = 1
        b: UPDATE t SET n = 5 WHERE id = 1
        a: ROLLBACK TO s
        a: COMMIT
        a: SELECT n FROM t WHERE id = 1
    """,
    "lock_timeout": """
        a: BEGIN
        a: DROP TABLE t
        b: SET lock_timeout = '1ms'
        b: INSERT INTO t VALUES (7, 7, 'x')
        b: UPDATE t SET n = 0 WHERE id = 1
        b: DROP TABLE t
        b: SET lock_timeout = 0
        b: SET statement_timeout = '1ms'
        b: INSERT INTO t VALUES (7, 7, 'x')
        b: DROP TABLE t
        a: ROLLBACK
        a: BEGIN
        a: UPDATE t SET n = 0 WHERE id = 1
        b: UPDATE t SET n = 0 WHERE id = 1
        b: SET statement_timeout = 0
        b: SET lock_timeout = '1ms'
        b: UPDATE t SET n = 0 WHERE id = 1
        b: DELETE FROM t
        a: COMMIT
        b: UPDATE t SET n = 1 WHERE id = 1
    """,
}
"""They are answered alike."""

ROWS = {
    **{
        f"{held} and {wanted}": f"""
            a: BEGIN
            a: SELECT n FROM t WHERE id = 1 {held}
            b: SELECT n FROM t WHERE id = 1 {wanted} NOWAIT
            b: SELECT id FROM t ORDER BY id {wanted} SKIP LOCKED
            b: SELECT n FROM t WHERE id = 1 {wanted}
            a: COMMIT
        """
        for held in STRENGTHS
        for wanted in STRENGTHS
    },
    **{
        f"{change} and {strength}": f"""
            a: BEGIN
            a: {change}
            b: SELECT n FROM t WHERE id = 1 {strength} SKIP LOCKED
            b: SELECT n FROM t WHERE id = 1 {strength}
            a: COMMIT
            a: BEGIN
            a: SELECT id FROM t WHERE id = 2 {strength}
            b: {change.replace("id = 1", "id = 2").replace("id = 7", "id = 8")}
            a: COMMIT
            a: SELECT * FROM t ORDER BY id
        """
        for change in (
            "UPDATE t SET n = 11 WHERE id = 1",
            "UPDATE t SET id = 1, n = 11 WHERE id = 1",
            "UPDATE t SET id = 7 WHERE id = 1",
            "DELETE FROM t WHERE id = 1",
        )
        for strength in STRENGTHS
    },
    "four workers take what nobody else has": """
        a: BEGIN
        b: BEGIN
        c: BEGIN
        d: BEGIN
        a: SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        c: SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        d: SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        b: DELETE FROM t WHERE id = 2
        b: COMMIT
        d: SELECT id FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        a: ROLLBACK
        d: SELECT id FROM t ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED
    """,
    "LIMIT and OFFSET count what was locked": """
        a: BEGIN
        a: SELECT id FROM t ORDER BY id OFFSET 1 LIMIT 1 FOR UPDATE
        b: SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t ORDER BY id OFFSET 1 FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t ORDER BY id OFFSET 0 LIMIT 1 FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t ORDER BY id LIMIT 0 FOR UPDATE
        a: COMMIT
    """,
    "LIMIT counts rows that are still wanted": """
        a: BEGIN
        a: UPDATE t SET s = 'gone' WHERE id = 1
        b: SELECT id, s FROM t WHERE s <> 'gone' ORDER BY id LIMIT 1 FOR UPDATE
        a: COMMIT
    """,
    "a row that has changed is given as it is, or not at all": """
        a: BEGIN
        a: UPDATE t SET n = n + 1 WHERE id = 1
        a: UPDATE t SET s = 'x' WHERE id = 2
        a: DELETE FROM t WHERE id = 3
        b: SELECT id, n, s FROM t WHERE s <> 'x' ORDER BY id FOR UPDATE
        c: UPDATE t SET n = n * 2 WHERE s <> 'x' RETURNING id, n
        d: DELETE FROM t WHERE n = 10
        a: COMMIT
        a: SELECT * FROM t ORDER BY id
    """,
    "a join is found again": """
        a: BEGIN
        a: UPDATE u SET n = 100 WHERE id = 1
        a: UPDATE t SET n = 77 WHERE id = 2
        b: UPDATE t SET n = t.n + u.n FROM u WHERE u.id = t.id RETURNING t.id, t.n
        a: COMMIT
        a: SELECT * FROM t ORDER BY id
    """,
    "a value that a subquery gives is computed again": """
        a: BEGIN
        a: UPDATE t SET n = n + 1 WHERE id = 1
        b: UPDATE t SET n = n + (SELECT count(*)::int FROM u) WHERE id = 1
        c: UPDATE t SET n = n + (SELECT count(*)::int FROM u)
        a: COMMIT
        a: SELECT * FROM t ORDER BY id
    """,
    "OF names the table whose rows are locked": """
        a: BEGIN
        a: SELECT t.id, u.n FROM t JOIN u ON u.id = t.id ORDER BY t.id FOR UPDATE OF t
        b: SELECT id FROM u ORDER BY id FOR UPDATE NOWAIT
        b: SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t WHERE id = 1 FOR UPDATE NOWAIT
        a: COMMIT
    """,
    "several clauses": """
        a: BEGIN
        a: SELECT t.id FROM t JOIN u ON u.id = t.id ORDER BY t.id FOR SHARE OF u FOR UPDATE OF t
        b: SELECT id FROM u ORDER BY id FOR SHARE NOWAIT
        b: SELECT id FROM u ORDER BY id FOR UPDATE SKIP LOCKED
        b: SELECT id FROM t ORDER BY id FOR KEY SHARE SKIP LOCKED
        b: SELECT t.id FROM t, u WHERE t.id = u.id FOR SHARE OF u FOR KEY SHARE OF t NOWAIT
        a: COMMIT
        b: SELECT t.id FROM t LEFT JOIN u ON u.id = t.id ORDER BY t.id FOR UPDATE OF t
        b: SELECT x.id FROM t AS x ORDER BY x.id FOR UPDATE OF x
        b: SELECT t.id FROM t, (VALUES (1)) AS v(x), (SELECT 1) AS w ORDER BY t.id FOR UPDATE OF v, w
        b: SELECT t.id FROM t, generate_series(1, 2) g ORDER BY t.id, g LIMIT 3 FOR UPDATE
    """,
    "a joined row that changed meanwhile": """
        a: BEGIN
        a: UPDATE u SET n = 50 WHERE id = 1
        b: SELECT t.id, u.n FROM t JOIN u ON u.id = t.id ORDER BY t.id FOR UPDATE
        c: SELECT t.id, u.n FROM t JOIN u ON u.id = t.id AND u.n < 10 ORDER BY t.id FOR UPDATE
        a: COMMIT
    """,
    "what cannot be locked is refused": """
        a: SELECT count(*) FROM t FOR UPDATE
        a: SELECT n FROM t GROUP BY n FOR UPDATE
        a: SELECT n FROM t GROUP BY n HAVING n > 1 FOR SHARE
        a: SELECT DISTINCT n FROM t FOR NO KEY UPDATE
        a: SELECT rank() OVER (ORDER BY n) FROM t FOR KEY SHARE
        a: SELECT generate_series(1, n) FROM t FOR UPDATE
        a: SELECT n FROM t UNION SELECT n FROM u FOR UPDATE
        a: SELECT t.id FROM t LEFT JOIN u ON u.id = t.id FOR UPDATE
        a: SELECT t.id FROM t RIGHT JOIN u ON u.id = t.id FOR UPDATE OF t
        a: SELECT t.id FROM t FULL JOIN u ON u.id = t.id FOR UPDATE OF u
        a: SELECT id FROM t FOR UPDATE OF nosuch
        a: SELECT t.id FROM t, generate_series(1, 2) g FOR UPDATE OF g
        a: WITH w AS (SELECT 1 AS x) SELECT t.id FROM t, w FOR UPDATE OF w
        a: SELECT j.id FROM (t JOIN u USING (id)) AS j FOR UPDATE OF j
        a: BEGIN READ ONLY
        a: SELECT id FROM t FOR KEY SHARE
        a: ROLLBACK
        a: SELECT 1 FOR UPDATE
    """,
    "a row that is only locked is in the way of its key at once": """
        a: BEGIN
        a: SELECT id FROM t WHERE id = 1 FOR UPDATE
        b: INSERT INTO t VALUES (1, 0, 'x')
        b: INSERT INTO t VALUES (1, 0, 'x') ON CONFLICT DO NOTHING
        b: INSERT INTO t VALUES (1, 0, 'x') ON CONFLICT (id) DO UPDATE SET n = t.n + 1 RETURNING n
        a: UPDATE t SET n = 100 WHERE id = 1
        a: COMMIT
        b: BEGIN
        b: INSERT INTO t VALUES (1, 0, 'x') ON CONFLICT DO NOTHING
        a: UPDATE t SET n = 5 WHERE id = 1
        b: COMMIT
    """,
    "a key that somebody inserts or deletes": """
        a: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'a')
        b: INSERT INTO t VALUES (7, 8, 'b')
        c: INSERT INTO t VALUES (7, 9, 'c') ON CONFLICT DO NOTHING
        d: INSERT INTO t VALUES (7, 9, 'd') ON CONFLICT (id) DO UPDATE SET n = t.n + 1 RETURNING n
        e: UPDATE t SET n = 0 WHERE id = 7
        f: DELETE FROM t WHERE id = 8
        a: COMMIT
        a: BEGIN
        a: DELETE FROM t WHERE id = 7
        b: INSERT INTO t VALUES (7, 8, 'b') RETURNING n
        a: COMMIT
        a: BEGIN
        a: DELETE FROM t WHERE id = 7
        b: INSERT INTO t VALUES (7, 9, 'b') ON CONFLICT DO NOTHING
        a: ROLLBACK
    """,
    "an update that waits for nothing that it does not see": """
        a: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'a')
        b: UPDATE t SET n = 0 WHERE id = 7
        b: DELETE FROM t WHERE id = 7
        b: SELECT id FROM t WHERE id = 7 FOR UPDATE
        b: BEGIN
        b: DELETE FROM t WHERE id = 9
        a: INSERT INTO t VALUES (9, 9, 'a')
        a: COMMIT
        b: COMMIT
    """,
    "a stronger lock of one's own": """
        a: BEGIN
        b: BEGIN
        a: SELECT id FROM t WHERE id = 1 FOR SHARE
        b: SELECT id FROM t WHERE id = 1 FOR KEY SHARE
        a: UPDATE t SET n = 0 WHERE id = 1
        b: SELECT id FROM t WHERE id = 1 FOR SHARE
        a: ROLLBACK
        b: ROLLBACK
    """,
    "two that share a row and both change it": """
        a: BEGIN
        b: BEGIN
        a: SELECT id FROM t WHERE id = 1 FOR SHARE
        b: SELECT id FROM t WHERE id = 1 FOR SHARE
        a: UPDATE t SET n = 1 WHERE id = 1
        b: UPDATE t SET n = 2 WHERE id = 1
        b: ROLLBACK
        a: COMMIT
        a: SELECT n FROM t WHERE id = 1
    """,
    "ROLLBACK TO gives back a stronger mode": """
        a: BEGIN
        a: SELECT id FROM t WHERE id = 1 FOR KEY SHARE
        a: SAVEPOINT s
        a: SELECT id FROM t WHERE id = 1 FOR UPDATE
        b: UPDATE t SET n = 1 WHERE id = 1
        a: ROLLBACK TO s
        b: DELETE FROM t WHERE id = 1
        a: COMMIT
    """,
    "cursors lock what is fetched": """
        a: BEGIN
        a: DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id FOR UPDATE
        a: FETCH 1 FROM c
        b: SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
        a: FETCH 1 FROM c
        b: SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED
        a: FETCH ALL FROM c
        a: FETCH PRIOR FROM c
        a: ROLLBACK
        a: BEGIN
        a: DECLARE c SCROLL CURSOR FOR SELECT id FROM t FOR KEY SHARE
        a: ROLLBACK
    """,
}
"""Row locks, answered alike."""

DEFINITIONS = {
    "of different things, side by side": """
        a: BEGIN
        a: CREATE TABLE w (id INT PRIMARY KEY)
        b: BEGIN
        b: CREATE TABLE w2 (id INT PRIMARY KEY)
        b: DROP TABLE u
        c: CREATE SCHEMA s1
        a: INSERT INTO w VALUES (1)
        b: COMMIT
        a: SELECT * FROM u
        a: ROLLBACK
        a: SELECT * FROM w
        a: SELECT * FROM w2
        a: BEGIN
        a: COMMENT ON TABLE t IS 'a'
        b: CREATE VIEW v AS SELECT id FROM w2
        b: SELECT * FROM v
        a: COMMIT
        a: SELECT obj_description('t'::regclass, 'pg_class')
        a: SELECT * FROM v
    """,
    "one that waits for a table keeps nobody waiting": """
        a: BEGIN
        a: INSERT INTO t VALUES (7, 7, 'x')
        b: BEGIN
        b: CREATE TABLE w (id INT PRIMARY KEY)
        b: DROP TABLE t
        c: CREATE TABLE w2 (id INT PRIMARY KEY)
        a: CREATE VIEW v AS SELECT id FROM u
        c: DROP TABLE w2
        a: COMMIT
        b: COMMIT
        c: SELECT * FROM v, w
    """,
    "a view keeps what it reads": """
        a: BEGIN
        a: CREATE VIEW v AS SELECT id FROM t
        b: DROP TABLE t
        a: COMMIT
        a: BEGIN
        a: DROP VIEW v
        b: CREATE VIEW v2 AS SELECT * FROM v
        a: ROLLBACK
        a: SELECT count(*) FROM v2
    """,
    "a table that goes has no view": """
        a: BEGIN
        a: DROP TABLE t
        b: CREATE VIEW v AS SELECT id FROM t
        a: COMMIT
    """,
    "a schema that goes has no table": """
        a: CREATE SCHEMA s1
        a: BEGIN
        a: CREATE TABLE s1.x (id INT PRIMARY KEY)
        b: DROP SCHEMA s1
        a: COMMIT
        a: BEGIN
        a: DROP SCHEMA s1 CASCADE
        b: CREATE TABLE s1.y (id INT PRIMARY KEY)
        a: COMMIT
    """,
    "savepoints take back what was locked": """
        a: BEGIN
        a: CREATE TABLE w (id INT PRIMARY KEY)
        a: SAVEPOINT s
        a: DROP TABLE t
        b: INSERT INTO t VALUES (7, 7, 'x')
        a: ROLLBACK TO s
        c: DROP TABLE u
        a: COMMIT
        c: SELECT * FROM w, t WHERE t.id = 7
    """,
    "a circle of definitions": """
        a: BEGIN
        b: BEGIN
        a: DROP TABLE t
        b: DROP TABLE u
        a: DROP TABLE u
        b: DROP TABLE t
        b: ROLLBACK
        a: COMMIT
    """,
}
"""Definitions, answered alike."""

RR = "BEGIN ISOLATION LEVEL REPEATABLE READ"
BY_SNAPSHOT = {
    f"{name}: {statement}": f"""
        a: {RR}
        a: SELECT id, n FROM t ORDER BY id
        b: {change}
        a: {statement}
        a: ROLLBACK
        a: {RR}
        a: SELECT id, n FROM t ORDER BY id
        b: BEGIN
        b: {change.replace("= 1", "= 2").replace("(7", "(8")}
        a: {statement.replace("= 1", "= 2").replace("(7", "(8")}
        b: COMMIT
        a: SELECT id, n FROM t ORDER BY id
        a: ROLLBACK
    """
    for name, change, statements in (
        (
            "changed",
            "UPDATE t SET n = 99 WHERE id = 1",
            [
                "UPDATE t SET n = 0 WHERE id = 1",
                "UPDATE t SET n = 0",
                "DELETE FROM t WHERE id = 1",
                "SELECT id FROM t WHERE id = 1 FOR UPDATE",
                "SELECT id FROM t ORDER BY id FOR SHARE",
                "SELECT id FROM t WHERE id = 1 FOR KEY SHARE",
                "SELECT id FROM t ORDER BY id FOR UPDATE SKIP LOCKED",
                "UPDATE t SET n = u.n FROM u WHERE u.id = t.id",
                "SELECT t.id FROM t JOIN u ON u.id = t.id ORDER BY t.id FOR UPDATE OF t",
                "INSERT INTO t VALUES (3, 0, 'x') ON CONFLICT DO NOTHING",
            ],
        ),
        (
            "deleted",
            "DELETE FROM t WHERE id = 1",
            [
                "UPDATE t SET n = 0 WHERE id = 1",
                "UPDATE t SET n = 0",
                "DELETE FROM t WHERE id = 1",
                "DELETE FROM t",
                "SELECT id FROM t WHERE id = 1 FOR UPDATE",
                "SELECT id FROM t ORDER BY id FOR NO KEY UPDATE",
                "DELETE FROM t USING u WHERE u.id = t.id",
            ],
        ),
        (
            "inserted",
            "INSERT INTO t VALUES (7, 7, 'x')",
            [
                "INSERT INTO t VALUES (7, 0, 'y')",
                "INSERT INTO t VALUES (7, 0, 'y') ON CONFLICT DO NOTHING",
                "INSERT INTO t VALUES (7, 0, 'y') ON CONFLICT (id) DO UPDATE SET n = 0",
                "UPDATE t SET n = 0 WHERE id = 7",
                "UPDATE t SET id = 7 WHERE id = 3",
                "SELECT id FROM t WHERE id = 7 FOR UPDATE",
                "INSERT INTO t SELECT 7, 1, 'z'",
            ],
        ),
    )
    for statement in statements
}
"""What a REPEATABLE READ transaction is told of what it does not see."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KalamServer, str]]:
    """Ours, and what psycopg connects to PostgreSQL with."""
    if not postgresql.installed():
        pytest.skip("PostgreSQL 15 is not installed")
    directory: Path = tmp_path_factory.mktemp("locks")
    server = KalamServer(directory / "kalam").start()
    try:
        with postgresql.running(directory) as theirs:
            yield server, theirs
    finally:
        server.stop()


def differences(servers: tuple[KalamServer, str], script: str, *, then: str = "") -> str:
    """Where our transcript differs from PostgreSQL's. then: what ours does once the tables are there."""
    server, theirs = servers
    wanted = transcript(
        lambda: psycopg.connect(theirs, autocommit=True, options="-c deadlock_timeout=1ms"),
        SETUP,
        script,
    )
    ours = transcript(server.root, SETUP + then, script)
    return "\n".join(unified_diff(wanted, ours, "PostgreSQL", "ours", n=2, lineterm=""))


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_everybody_waits_and_is_told_as_in_postgresql(servers, script):
    assert differences(servers, script) == ""


@pytest.mark.parametrize("script", ROWS.values(), ids=ROWS)
def test_rows_are_locked_as_in_postgresql(servers, script):
    assert differences(servers, script) == ""


@pytest.mark.parametrize("script", DEFINITIONS.values(), ids=DEFINITIONS)
def test_definitions_wait_for_each_other_as_in_postgresql(servers, script):
    assert differences(servers, script) == ""


TWICE = [  # (what is committed, what waits for it, and what it is told then)
    ("CREATE TABLE x (id INT)", "CREATE TABLE x (id INT)", '42P07 relation "x" already exists'),
    ("CREATE TABLE x (id INT)", "CREATE TABLE IF NOT EXISTS x (id INT)", "CREATE TABLE"),
    (
        "CREATE TABLE x (id INT)",
        "CREATE VIEW x AS SELECT 1 AS i",
        '42P07 relation "x" already exists',
    ),
    ("CREATE SCHEMA s1", "CREATE SCHEMA s1", '42P06 schema "s1" already exists'),
    ("CREATE USER {new}", "CREATE USER {new}", '42710 role "{new}" already exists'),
    ("DROP USER {old}", "DROP USER {old}", '42704 role "{old}" does not exist'),
    ("DROP USER {old}", "ALTER USER {old} WITH PASSWORD 'x'", '42704 role "{old}" does not exist'),
    ("DROP USER {old}", "GRANT SELECT ON t TO {old}", '42704 role "{old}" does not exist'),
    ("DROP TABLE t", "COMMENT ON TABLE t IS 'x'", '42P01 relation "t" does not exist'),
    ("DROP TABLE t", "GRANT SELECT ON t TO PUBLIC", '42P01 relation "t" does not exist'),
    ("DROP SCHEMA s0", "CREATE TABLE s0.y (id INT)", '3F000 schema "s0" does not exist'),
    ("ALTER SCHEMA s0 RENAME TO s1", "DROP SCHEMA s0", '3F000 schema "s0" does not exist'),
]

_numbers = count(1)


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
@pytest.mark.parametrize(("first", "second", "told"), TWICE)
def test_a_definition_that_waited_for_another_looks_again(servers, first, second, told, end):
    server, _ = servers
    names = {"new": f"new{next(_numbers)}", "old": f"old{next(_numbers)}"}
    with server.root() as root:
        root.execute(f"CREATE USER {names['old']}")
        root.execute("CREATE SCHEMA s0")
    script = f"""
        a: BEGIN
        a: {first.format(**names)}
        b: {second.format(**names)}
        c: CREATE TABLE w2 (id INT PRIMARY KEY)
        a: {end}
    """
    answers = transcript(server.root, SETUP, script)
    with server.root() as root:
        for what in ("VIEW x", "TABLE x", "SCHEMA s0 CASCADE"):
            with suppress(psycopg.Error):
                root.execute(f"DROP {what}")
    assert "b waits" in answers
    assert "c: CREATE TABLE" in answers
    (answer,) = [line for line in answers if line.startswith("b: ")]
    if end == "COMMIT":
        assert answer == f"b: {told.format(**names)}"
    else:
        assert answer.removeprefix("b: ").split()[0] == second.replace("USER", "ROLE").split()[0]


COLD = """
    STORAGE FLUSH TABLE t
    STORAGE FLUSH TABLE u
"""


@pytest.mark.parametrize("then", ["", COLD], ids=["hot", "cold"])
@pytest.mark.parametrize("script", BY_SNAPSHOT.values(), ids=BY_SNAPSHOT)
def test_what_a_snapshot_does_not_show_is_told_as_in_postgresql(servers, script, then):
    assert differences(servers, script, then=then) == ""


def test_four_workers_take_forty_jobs_and_none_twice(servers):
    server, _ = servers
    with server.root() as root:
        root.execute("CREATE TABLE jobs (id INT PRIMARY KEY, worker INT)")
        root.execute("INSERT INTO jobs SELECT g FROM generate_series(1, 40) g")
    taken: list[list[int]] = [[] for _ in range(4)]
    together = threading.Barrier(4)

    def work(number: int) -> None:
        with server.root() as connection:
            together.wait()
            while True:
                with connection.transaction():
                    row = connection.execute(
                        "SELECT id FROM jobs WHERE worker IS NULL ORDER BY id LIMIT 1 "
                        "FOR UPDATE SKIP LOCKED"
                    ).fetchone()
                    if row is None:
                        return
                    taken[number].append(row[0])
                    connection.execute("UPDATE jobs SET worker = %s WHERE id = %s", (number, *row))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(chain.from_iterable(taken)) == list(range(1, 41))
    with server.root() as root:
        assert root.execute("SELECT count(worker) FROM jobs").fetchone() == (40,)
        root.execute("DROP TABLE jobs")


def test_nothing_is_locked_when_every_session_has_ended(servers):
    server, _ = servers
    with server.root() as root:
        assert root.execute("SELECT * FROM pg_locks").fetchall() == []
