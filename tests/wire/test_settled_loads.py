"""Loads of definitions, and of tables with unique indexes of every form, beside PostgreSQL 15 (decision 0125).

To the server of this file forty rows are many (`conformance.fuzz.small_loads`).
"""

# ruff: noqa: E501 -- one statement a line

from contextlib import closing

import pytest

from conformance.fuzz import loads
from conformance.fuzz.sides import Side
from conformance.fuzz.verdicts import RIGHT, verdict

pytestmark = pytest.mark.slow

FORMS = """
    CREATE TABLE u (id int PRIMARY KEY DEFERRABLE, e text, n int, d int UNIQUE DEFERRABLE INITIALLY DEFERRED, g int)
    CREATE UNIQUE INDEX ON u (lower(e))
    CREATE UNIQUE INDEX ON u (n) WHERE g > 0
    CREATE UNIQUE INDEX ON u (n, g) NULLS NOT DISTINCT
    INSERT INTO u SELECT i, 'E' || i, i % 200, i, i % 3 - 1 FROM generate_series(1, 60) i
"""
SCRIPTS = {
    "a handler keeps what was written ahead": """
        CREATE TABLE t (id int PRIMARY KEY, n int)
        INSERT INTO t SELECT g, g FROM generate_series(1, 100) g
        DO $$ BEGIN CREATE UNIQUE INDEX ti ON t (n); BEGIN INSERT INTO t VALUES (1000, 1000); INSERT INTO t VALUES (1001, 1000); EXCEPTION WHEN unique_violation THEN NULL; END; INSERT INTO t VALUES (1002, 1002); END $$
        SELECT count(*) FROM t
        INSERT INTO t VALUES (1003, 1002)
        INSERT INTO t VALUES (1003, 50)
        DROP INDEX ti
        DO $$ BEGIN CREATE UNIQUE INDEX ti ON t (n); BEGIN INSERT INTO t VALUES (1010, 1010); PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN NULL; END; END $$
        INSERT INTO t VALUES (1013, 50)
        DROP INDEX ti
        DO $$ BEGIN ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (n); BEGIN INSERT INTO t VALUES (1, 2000); PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN NULL; END; INSERT INTO t VALUES (1, 2001); END $$
        SELECT count(*), max(n) FROM t
        INSERT INTO t VALUES (1, 50)
        DROP TABLE t
    """,
    "several statements of one message": """
        CREATE TABLE u (id int, n int)
        INSERT INTO u SELECT g, g FROM generate_series(1, 60) g; CREATE UNIQUE INDEX ui ON u (n); INSERT INTO u SELECT g, g FROM generate_series(61, 160) g; UPDATE u SET id = id + 1 WHERE n < 10
        SELECT count(*), sum(id) FROM u
        INSERT INTO u VALUES (1, 50)
        INSERT INTO u VALUES (1, 150)
        DROP INDEX ui
        CREATE UNIQUE INDEX ui ON u (n); INSERT INTO u SELECT g, g FROM generate_series(161, 260) g; UPDATE u SET id = id + 1 WHERE n < 10
        INSERT INTO u VALUES (1, 50)
        INSERT INTO u VALUES (1, 250)
        SELECT count(*), sum(id) FROM u
        DROP TABLE u
    """,
    "savepoints of a block": """
        CREATE TABLE b (id int, n int)
        BEGIN
        INSERT INTO b SELECT g, g FROM generate_series(1, 90) g
        SAVEPOINT before
        ALTER TABLE b ADD PRIMARY KEY (id)
        CREATE UNIQUE INDEX bi ON b (n)
        SAVEPOINT made
        UPDATE b SET n = n + 1000 WHERE id < 5
        INSERT INTO b VALUES (5, 5)
        ROLLBACK TO made
        SELECT count(*), sum(n) FROM b
        INSERT INTO b SELECT g, g FROM generate_series(101, 190) g
        ROLLBACK TO made
        UPDATE b SET n = -n WHERE id = 7
        SELECT n FROM b WHERE id = 7
        COMMIT
        INSERT INTO b VALUES (200, 50)
        INSERT INTO b VALUES (50, 200)
        INSERT INTO b VALUES (200, 7)
        BEGIN
        SAVEPOINT before
        CREATE UNIQUE INDEX bj ON b ((n % 1000))
        INSERT INTO b VALUES (300, 300)
        ROLLBACK TO before
        INSERT INTO b SELECT g, g FROM generate_series(301, 390) g
        CREATE UNIQUE INDEX bj ON b ((n % 1000))
        COMMIT
        INSERT INTO b VALUES (1001, 1350)
        SELECT count(*), sum(n) FROM b
        DROP TABLE b
    """,
    "a snapshot that is taken later": """
        CREATE TABLE r (id int PRIMARY KEY, n int)
        INSERT INTO r SELECT g, g FROM generate_series(1, 90) g
        BEGIN ISOLATION LEVEL REPEATABLE READ
        ALTER TABLE r DROP CONSTRAINT r_pkey
        ALTER TABLE r ADD PRIMARY KEY (n)
        SAVEPOINT s
        UPDATE r SET id = -id WHERE n < 5
        SELECT count(*), sum(id) FROM r
        ROLLBACK TO s
        SELECT count(*), sum(id) FROM r
        COMMIT
        DROP TABLE r
    """,
    "unique indexes of every form": f"""
        {FORMS.strip()}
        SELECT count(*), sum(n) FROM u
        INSERT INTO u SELECT i, 'e' || i, i % 200, i, i % 3 - 1 FROM generate_series(61, 160) i
        INSERT INTO u SELECT i, 'e' || (i - 150), i, i, 0 FROM generate_series(200, 260) i
        INSERT INTO u SELECT i, 'e' || i, i - 199, i, 1 FROM generate_series(200, 260) i
        INSERT INTO u SELECT i, 'e' || i, i - 199, i, -1 FROM generate_series(200, 260) i
        INSERT INTO u SELECT i, 'e' || i, 10000 + i, i, NULL FROM generate_series(200, 260) i
        INSERT INTO u SELECT i, 'e' || i, NULL, i, NULL FROM generate_series(300, 360) i
        INSERT INTO u SELECT i, 'e' || i, NULL, i, i FROM generate_series(300, 360) i
        INSERT INTO u SELECT i, 'e' || i, i, 1, i FROM generate_series(400, 460) i
        INSERT INTO u SELECT 5, 'e' || i, i, i, i FROM generate_series(400, 460) i
        BEGIN
        INSERT INTO u SELECT i, 'e' || i, i, 401, i FROM generate_series(401, 460) i
        UPDATE u SET d = id WHERE id > 400
        COMMIT
        SELECT count(*), sum(n), sum(d) FROM u
        INSERT INTO u VALUES (1, 'x', -1, -1, -1)
        INSERT INTO u VALUES (-1, 'E7', -1, -1, -1)
        INSERT INTO u VALUES (-1, 'x', 2, -1, 1)
        INSERT INTO u VALUES (-1, 'x', 2, -1, 5)
        INSERT INTO u VALUES (-1, 'x', NULL, -1, 305)
        INSERT INTO u VALUES (-1, 'x', -1, 7, -1)
        SELECT * FROM u WHERE lower(e) = 'e77'
        DROP TABLE u
    """,
    "SERIALIZABLE": f"""
        {FORMS.strip()}
        BEGIN ISOLATION LEVEL SERIALIZABLE
        SELECT count(*) FROM u
        INSERT INTO u SELECT i, 'e' || i, i, i, i FROM generate_series(1000, 1100) i
        SELECT count(*) FROM u
        COMMIT
        BEGIN ISOLATION LEVEL SERIALIZABLE
        INSERT INTO u SELECT i, 'e' || i, i, i, i FROM generate_series(2000, 2100) i
        COMMIT
        SELECT count(*), sum(d) FROM u
        INSERT INTO u VALUES (-2, 'E2050', -1, -1, -1)
        DROP TABLE u
    """,
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    with loads.small_server(tmp_path_factory.mktemp("small") / "data") as ours:
        yield ours


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_what_is_loaded_ends_as_in_postgresql(servers, small, script):
    with closing(Side(servers[1])) as theirs:
        for text in (line.strip() for line in script.strip().splitlines()):
            expected, found = theirs.run(text), small.run(text)
            assert verdict(expected, found, ordered=False, statement=text) == RIGHT, (
                f"{text}\n{expected}\n{found}"
            )


def test_tables_with_unique_indexes_of_every_form_are_loaded(small):
    for statement in FORMS.strip().splitlines():
        assert small.run(statement.strip()).error is None
    for begin in ("BEGIN", "BEGIN ISOLATION LEVEL SERIALIZABLE"):
        small.run(begin)
        small.run("INSERT INTO u SELECT i, 'e' || i, i, i, i FROM generate_series(1000, 1100) i")
        small.run("ROLLBACK" if begin == "BEGIN" else "COMMIT")
    shown = small.run("SHOW STATS FOR TABLE u").rows
    assert shown is not None
    hot, _, cold, _, segments = [int(value or 0) for value in shown[0]]
    assert (hot, cold, segments) == (0, 161, 2)
    small.run("DROP TABLE u")


def test_who_has_read_what_a_serializable_load_brings_is_refused(servers, small):
    """Two loads that count each other's table: one of them is 40001."""
    for statement in ("CREATE TABLE x (id int PRIMARY KEY)", "CREATE TABLE y (id int PRIMARY KEY)"):
        small.run(statement)
    other = Side(small.dsn)
    for side, reads, writes in ((small, "x", "y"), (other, "y", "x")):
        side.run("BEGIN ISOLATION LEVEL SERIALIZABLE")
        side.run(f"SELECT count(*) FROM {reads}")
        side.run(f"INSERT INTO {writes} SELECT generate_series(1, 90)")
    told = [side.run("COMMIT").error for side in (small, other)]
    assert told[0] is None
    assert told[1] is not None
    assert told[1][0] == "40001"
    other.close()
    small.run("DROP TABLE x, y")
