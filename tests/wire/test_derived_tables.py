"""CREATE TABLE AS, SELECT INTO, LIKE and LOCK TABLE: what they make and refuse is what PostgreSQL does."""

import psycopg
import pytest

from tests.wire.interleaved import differences
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

SETUP = """
CREATE TABLE source (
  id int PRIMARY KEY, name varchar(9) NOT NULL DEFAULT 'none', price numeric(6, 2) CHECK (price > 0), at date
);
INSERT INTO source VALUES (1, 'one', 1.5, '2024-01-01'), (2, 'two', NULL, NULL), (3, 'three', 3, NULL);
CREATE VIEW seen AS SELECT id, name FROM source;
"""

STATEMENTS = """
CREATE TABLE a1 AS SELECT * FROM source WHERE id < 3
TABLE a1 ORDER BY id
CREATE TABLE a2 (x, y) AS SELECT id, name, price * 2 AS twice FROM source
SELECT * FROM a2 ORDER BY x
CREATE TABLE a3 AS SELECT id FROM source WITH NO DATA
SELECT count(*) FROM a3
CREATE TABLE a4 AS (VALUES (1, 'a'), (2, NULL)) WITH DATA
SELECT column1, column2 FROM a4 ORDER BY 1
CREATE TABLE IF NOT EXISTS a4 AS SELECT 1
CREATE TABLE a4 AS SELECT 1
CREATE TABLE a5 AS SELECT 1, 2
CREATE TABLE a5 AS SELECT 1 AS one, 2 AS one
CREATE TABLE a5 (a, b) AS SELECT 1
CREATE TABLE a5 AS SELECT 'text', NULL AS nothing, 1.5 AS n, now() IS NULL AS b
SELECT pg_typeof(n), pg_typeof(b), pg_typeof(nothing) FROM a5
CREATE TABLE a6 AS WITH x AS (SELECT max(id) AS m FROM source) SELECT m FROM x
TABLE a6
CREATE TABLE a7 AS TABLE source
SELECT sum(price) FROM a7
CREATE TABLE a8 AS SELECT nothing FROM source
CREATE TABLE a8 AS SELECT 1 / 0 AS x
SELECT * FROM a8
CREATE TABLE a8 AS INSERT INTO source VALUES (4)
SELECT id, name INTO b1 FROM source WHERE id > 1
TABLE b1 ORDER BY id
SELECT id INTO TABLE b2 FROM source UNION ALL SELECT 7 ORDER BY 1
TABLE b2
SELECT id INTO b1 FROM source
SELECT 1 UNION SELECT 2 INTO b3
SELECT * FROM (SELECT 1 INTO b3) x
INSERT INTO b1 SELECT 1, 'x' INTO b3
WITH x AS (SELECT 5 AS five) SELECT five INTO b4 FROM x
TABLE b4
CREATE TABLE c1 (LIKE source)
INSERT INTO c1 (id) VALUES (1)
INSERT INTO c1 VALUES (1, 'a', -1), (1, 'b', NULL)
SELECT * FROM c1 ORDER BY name
CREATE TABLE c2 (LIKE source INCLUDING ALL, more text)
INSERT INTO c2 (id, more) VALUES (1, 'x')
INSERT INTO c2 VALUES (2, 'a', -1)
INSERT INTO c2 VALUES (1, 'b')
TABLE c2
CREATE TABLE c3 (first int, LIKE source INCLUDING DEFAULTS EXCLUDING CONSTRAINTS)
INSERT INTO c3 (first, id, price) VALUES (1, 2, -3)
TABLE c3
CREATE TABLE c4 (LIKE seen, LIKE source)
CREATE TABLE c5 (LIKE seen)
INSERT INTO c5 VALUES (1)
TABLE c5
CREATE TABLE c6 (LIKE nowhere)
CREATE TABLE c6 (LIKE source INCLUDING nothing)
LOCK TABLE source
BEGIN
LOCK source
LOCK TABLE source, a1 IN ROW EXCLUSIVE MODE NOWAIT
LOCK TABLE ONLY source IN SHARE UPDATE EXCLUSIVE MODE
COMMIT
BEGIN
LOCK TABLE nowhere IN SHARE MODE
ROLLBACK
BEGIN
LOCK TABLE source IN NO MODE
ROLLBACK
BEGIN
LOCK TABLE ONLY source * IN SHARE MODE
ROLLBACK
"""


def told(connection, statement):
    """Rows or tag, names and notices, or the error."""
    notices = []

    def note(notice):
        notices.append(notice.message_primary)

    connection.add_notice_handler(note)
    try:
        cursor = connection.execute(statement)
        names = [column.name for column in cursor.description or ()]
        return names, cursor.fetchall() if names else cursor.statusmessage, notices
    except psycopg.Error as exc:
        d = exc.diag
        return d.sqlstate, d.message_primary, d.message_hint, d.statement_position
    finally:
        connection.remove_notice_handler(note)


def test_everything_is_as_in_postgresql(servers):
    server, theirs = servers
    names = [f"{letter}{n}" for letter in "abc" for n in range(1, 9)]
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as postgres:
        for connection in (ours, postgres):
            connection.execute(SETUP)
        found = [
            (statement, *answers)
            for statement in STATEMENTS.strip().splitlines()
            if (answers := (told(ours, statement), told(postgres, statement)))[0] != answers[1]
        ]
        for connection in (ours, postgres):
            connection.execute("DROP VIEW seen")
            connection.execute(f"DROP TABLE IF EXISTS source, {', '.join(names)}")
    assert found == [], "\n".join(map(repr, found))


def test_locked_tables_keep_writers_out_as_in_postgresql(servers):
    script = """
    0: CREATE TABLE locked (id int PRIMARY KEY)
    1: BEGIN
    1: LOCK TABLE locked IN EXCLUSIVE MODE
    2: BEGIN
    2: LOCK TABLE locked IN ROW EXCLUSIVE MODE NOWAIT
    2: ROLLBACK
    2: INSERT INTO locked VALUES (1)
    3: SELECT * FROM locked
    1: COMMIT
    2: SELECT * FROM locked
    1: BEGIN
    1: LOCK locked IN SHARE MODE
    3: BEGIN
    3: LOCK locked IN SHARE MODE NOWAIT
    3: ROLLBACK
    2: DELETE FROM locked
    1: ROLLBACK
    0: DROP TABLE locked
    """
    assert differences(servers, script) == ""


def test_a_table_of_a_query_is_everybodys_own(server: KalamServer, chat: str) -> None:
    """A USER table made of one's own rows has no row of others; rights are asked of what is read."""
    with server.connect("alice") as alice, server.connect("bob") as bob, server.root() as root:
        alice.execute(f"INSERT INTO {chat}.conversations VALUES (1, 'alice''s')")
        bob.execute(f"INSERT INTO {chat}.conversations VALUES (2, 'bob''s')")
        root.execute(f"INSERT INTO {chat}.conversations VALUES (3, 'root''s')")
        root.execute(
            f"CREATE TABLE {chat}.mine WITH (TYPE = 'USER') AS SELECT id FROM {chat}.conversations"
        )
        rows = [c.execute(f"TABLE {chat}.mine").fetchall() for c in (root, alice, bob)]
        assert rows == [[(3,)], [], []]
        root.execute(
            f"CREATE TABLE {chat}.closed (id int PRIMARY KEY) WITH (ACCESS_LEVEL = 'PRIVATE')"
        )
        for statement in (
            f"LOCK TABLE {chat}.closed",
            f"LOCK TABLE {chat}.closed IN ACCESS SHARE MODE",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), alice.transaction():
                alice.execute(statement)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            alice.execute(f"SELECT 1 AS one INTO {chat}.shared")


def test_unlogged_is_taken_and_said_to_have_no_effect(server: KalamServer) -> None:
    with server.root() as root:
        told: list[str | None] = []
        root.add_notice_handler(lambda diagnostic: told.append(diagnostic.message_primary))
        root.execute("CREATE UNLOGGED TABLE ul (id int PRIMARY KEY)")
        root.execute("CREATE UNLOGGED TABLE IF NOT EXISTS ul2 AS SELECT 1 AS id")
        root.execute("SELECT 2 AS id INTO UNLOGGED ul3")
        assert told == [
            f'table "{name}" is logged as every table is: UNLOGGED has no effect'
            for name in ("ul", "ul2", "ul3")
        ]
        kinds = "SELECT DISTINCT relpersistence::text FROM pg_class WHERE relname LIKE 'ul%'"
        assert root.execute(kinds).fetchall() == [("p",)]
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            root.execute("CREATE UNLOGGED MATERIALIZED VIEW ulm AS SELECT 1")
        root.execute("DROP TABLE ul, ul2, ul3")
