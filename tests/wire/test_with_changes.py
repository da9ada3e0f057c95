"""WITH items that change data, and subqueries among the values of a data change, as in PostgreSQL 15."""

# ruff: noqa: E501 -- one statement a line

import psycopg
import pytest

from tests.wire.interleaved import differences
from tests.wire.server import PASSWORD

pytestmark = pytest.mark.slow

SCRIPTS = {
    "rows are moved": """
        a: WITH gone AS (DELETE FROM t WHERE n > 10 RETURNING *) INSERT INTO u SELECT id + 10, n FROM gone RETURNING *
        a: TABLE t
        a: SELECT * FROM u ORDER BY id
        a: WITH g AS (DELETE FROM u WHERE id > 10 RETURNING *) SELECT count(*), sum(n), min(g.id) FROM g
        a: WITH g(x, y) AS (DELETE FROM u RETURNING id, n) SELECT y, x FROM g ORDER BY x
        a: SELECT * FROM u
    """,
    "what is inserted is told, and not seen": """
        a: WITH new AS (INSERT INTO t VALUES (7, 70, 'g') RETURNING id) SELECT id, (SELECT count(*) FROM t) FROM new
        a: WITH new AS (INSERT INTO t VALUES (8, 80, 'h') RETURNING *) SELECT * FROM t UNION ALL TABLE new ORDER BY 1
        a: WITH new AS (INSERT INTO t VALUES (9, 90, 'i')) SELECT count(*) FROM t
        a: BEGIN
        a: INSERT INTO t VALUES (10, 100, 'j')
        a: WITH new AS (UPDATE t SET n = n + 1 RETURNING id, n) SELECT t.id, t.n, new.n FROM t JOIN new USING (id) ORDER BY 1
        a: WITH d AS (DELETE FROM t WHERE id = 10) SELECT n FROM t WHERE id = 10
        a: SELECT n FROM t WHERE id = 10
        a: ROLLBACK
        a: SELECT count(*) FROM t
    """,
    "nothing is changed twice": """
        a: WITH w AS (UPDATE t SET n = 0 WHERE id = 1 RETURNING id) UPDATE t SET n = 5 WHERE id IN (1, 2) RETURNING *
        a: TABLE t ORDER BY id
        a: WITH w AS (DELETE FROM t WHERE id = 2) UPDATE t SET n = 6 WHERE id >= 2
        a: TABLE t ORDER BY id
        a: WITH w AS (UPDATE t SET n = 9 RETURNING id) DELETE FROM t
        a: TABLE t ORDER BY id
        a: WITH w AS (UPDATE t SET n = 9) SELECT id FROM t ORDER BY id FOR UPDATE
        a: WITH w AS (INSERT INTO u VALUES (5, 5)) INSERT INTO u VALUES (5, 6)
        a: WITH w AS (INSERT INTO u VALUES (5, 5)) INSERT INTO u VALUES (5, 6) ON CONFLICT (id) DO UPDATE SET n = 0
        a: WITH w AS (UPDATE u SET n = 7 WHERE id = 1) INSERT INTO u VALUES (1, 6) ON CONFLICT (id) DO UPDATE SET n = 0
        a: TABLE u ORDER BY id
    """,
    "several changes, each in its turn": """
        a: WITH x AS (INSERT INTO t VALUES (4, 40, 'd') RETURNING id), y AS (INSERT INTO u SELECT id, 4 FROM x RETURNING id) SELECT * FROM y
        a: WITH k AS (SELECT max(id) AS m FROM t), x AS (UPDATE u SET n = m FROM k RETURNING u.id, u.n) SELECT * FROM x ORDER BY 1
        a: WITH x AS (WITH k AS (SELECT 2 AS i) DELETE FROM u USING k WHERE id = i RETURNING id) DELETE FROM t USING x WHERE t.id = x.id RETURNING t.*
        a: WITH x AS (INSERT INTO u VALUES (1, 1) ON CONFLICT DO NOTHING RETURNING id) SELECT count(*) FROM x
        a: WITH x AS (INSERT INTO u VALUES (1, 3) ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING id, n) TABLE x
        a: TABLE t ORDER BY id
        a: TABLE u ORDER BY id
    """,
    "an error undoes everything": """
        a: WITH x AS (DELETE FROM t RETURNING id) INSERT INTO u SELECT 1, 1 FROM x
        a: WITH x AS (DELETE FROM t RETURNING id) SELECT 1 / (id - 2) FROM x ORDER BY id
        a: WITH x AS (DELETE FROM t RETURNING id) SELECT (SELECT id FROM x)
        a: TABLE t ORDER BY id
        a: BEGIN READ ONLY
        a: WITH x AS (DELETE FROM t RETURNING id) SELECT 1
        a: ROLLBACK
    """,
    "what is refused": """
        a: SELECT * FROM (WITH x AS (DELETE FROM t RETURNING id) SELECT * FROM x) y
        a: WITH x AS (DELETE FROM t) SELECT * FROM x
        a: WITH x AS (DELETE FROM t) SELECT 1
        a: CREATE VIEW w AS WITH x AS (DELETE FROM t RETURNING id) SELECT * FROM x
        a: WITH x AS (DELETE FROM t RETURNING id, id) SELECT id FROM x
        a: WITH x(a, b, c) AS (DELETE FROM t RETURNING id) SELECT a FROM x
        a: INSERT INTO u WITH x AS (DELETE FROM t RETURNING id) SELECT id, 1 FROM x
        a: BEGIN
        a: DECLARE c CURSOR FOR WITH x AS (DELETE FROM t RETURNING id) SELECT * FROM x
        a: ROLLBACK
    """,
    "WITH before INSERT": """
        a: WITH x AS (SELECT 5 AS i) INSERT INTO u SELECT i, i + 1 FROM x RETURNING *
        a: WITH x AS (SELECT 6 AS i) INSERT INTO u VALUES ((SELECT i FROM x), 1), (7, (SELECT i FROM x)) RETURNING *
        a: WITH x AS (SELECT 1 AS i), y AS (SELECT i + 7 AS i FROM x) INSERT INTO u WITH z AS (TABLE y) SELECT i, 0 FROM z
        a: WITH RECURSIVE r(i) AS (SELECT 20 UNION ALL SELECT i + 1 FROM r WHERE i < 22) INSERT INTO u SELECT i, i FROM r
        a: TABLE u ORDER BY id
    """,
    "subqueries among values": """
        a: INSERT INTO u VALUES ((SELECT max(id) + 1 FROM u), (SELECT n FROM t WHERE id = 2)) RETURNING *
        a: INSERT INTO u VALUES ((SELECT max(id) + 1 FROM u), (SELECT n FROM t WHERE id = 99)) RETURNING *
        a: INSERT INTO u VALUES (8, (SELECT id FROM t))
        a: INSERT INTO u VALUES (9, CASE WHEN EXISTS (SELECT 1 FROM t WHERE id = 3) THEN 1 ELSE 0 END) RETURNING n
        a: INSERT INTO u VALUES (10, CASE WHEN 3 IN (SELECT id FROM t) THEN cardinality(ARRAY(SELECT id FROM t)) END) RETURNING n
        a: INSERT INTO u VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = (SELECT max(n) FROM t) + excluded.n RETURNING n
        a: INSERT INTO u VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = 0 WHERE u.n < (SELECT min(n) FROM t) RETURNING n
        a: INSERT INTO u VALUES (11, 1) RETURNING id, (SELECT count(*) FROM u)
        a: UPDATE u SET n = 2 WHERE id = 11 RETURNING id, (SELECT max(n) FROM t)
        a: DELETE FROM u WHERE id = 11 RETURNING (SELECT count(*) FROM u)
        a: TABLE u ORDER BY id
    """,
}  # fmt: skip


@pytest.mark.parametrize(
    "then", ["", "STORAGE FLUSH TABLE t\nSTORAGE FLUSH TABLE u"], ids=["hot", "cold"]
)
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_statement_of_several_parts_does_what_postgresqls_does(servers, script, then):
    assert differences(servers, script, then=then) == ""


RIGHTS = {
    "WITH x AS (DELETE FROM spread RETURNING id) SELECT * FROM x": "DELETE, SELECT",
    "WITH x AS (DELETE FROM spread) SELECT 1": "DELETE",
    "WITH x AS (UPDATE spread SET n = 1) SELECT 1": "UPDATE",
    "WITH x AS (INSERT INTO spread VALUES (9, 9)) SELECT 1": "INSERT",
    "WITH x AS (INSERT INTO spread VALUES (9, 9)) SELECT count(*) FROM spread": "INSERT, SELECT",
    "WITH x AS (INSERT INTO spread VALUES (1, 9) ON CONFLICT (id) DO UPDATE SET n = 2) SELECT 1": "INSERT, UPDATE",
    "WITH x AS (DELETE FROM spread) INSERT INTO spread VALUES (8, 8)": "INSERT, DELETE",
    "INSERT INTO spread VALUES (7, (SELECT max(n) FROM spread))": "INSERT, SELECT",
    "SELECT (SELECT n FROM spread WHERE id = 1 FOR SHARE)": "SELECT, UPDATE",
}  # fmt: skip


@pytest.fixture(scope="module")
def guest(servers):
    server, _ = servers
    with server.root() as root:
        options = "TYPE = 'SHARED', ACCESS_LEVEL = 'RESTRICTED'"
        root.execute(f"CREATE TABLE spread (id INT PRIMARY KEY, n INT) WITH ({options})")
        root.execute("INSERT INTO spread VALUES (1, 1)")
        root.execute(f"CREATE USER guest PASSWORD '{PASSWORD}'")
        with server.connect("guest") as connection:
            yield connection, root
        root.execute("DROP TABLE spread")
        root.execute("DROP USER guest")


@pytest.mark.parametrize("statement", RIGHTS)
def test_every_part_takes_its_own_right(guest, statement):
    connection, root = guest
    needed = RIGHTS[statement].split(", ")
    for missing in needed:
        root.execute("REVOKE ALL ON spread FROM guest")
        for right in needed:
            if right != missing:
                root.execute(f"GRANT {right} ON spread TO guest")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
    root.execute(f"GRANT {RIGHTS[statement]} ON spread TO guest")
    connection.execute("BEGIN")
    connection.execute(statement)
    connection.execute("ROLLBACK")


def test_parameters_reach_every_part(servers):
    server, _ = servers
    with server.root() as root:
        root.execute("CREATE TABLE given (id INT PRIMARY KEY, n INT)")
        root.execute("INSERT INTO given SELECT g, g FROM generate_series(1, 9) g")
        statement = (
            "WITH x AS (DELETE FROM given WHERE n > %s RETURNING n), y AS (SELECT %s::int AS more) "
            "INSERT INTO given SELECT n + more, %s FROM x, y RETURNING *"
        )
        for binary in (False, True):
            with root.transaction(force_rollback=True):
                found = root.execute(statement, (7, 100, -1), prepare=True, binary=binary)
                assert sorted(found.fetchall()) == [(108, -1), (109, -1)]
        root.execute("DROP TABLE given")
