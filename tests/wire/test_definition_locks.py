"""Definitions that meet: side by side, after each other, and looked at again after a wait."""

from contextlib import suppress
from itertools import count

import psycopg
import pytest

from tests.wire.interleaved import SETUP, differences, transcript

pytestmark = pytest.mark.slow

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
