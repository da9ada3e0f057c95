"""What a view reads cannot be dropped from under it: refused and cascaded as PostgreSQL does."""

import pytest

from tests.wire import postgresql
from tests.wire.side_by_side import both, differences

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not postgresql.installed(), reason="needs Debian's package postgresql-15"),
]


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    with both(tmp_path_factory.mktemp("dependents")) as found:
        yield found


SCRIPTS = {
    "a table under a view": """
        CREATE TABLE t (a int PRIMARY KEY)
        CREATE VIEW v AS SELECT a FROM t
        DROP TABLE t
        DROP TABLE t RESTRICT
        SELECT * FROM v
        DROP TABLE t CASCADE
        SELECT * FROM v
        """,
    "views over views": """
        CREATE TABLE t (a int PRIMARY KEY)
        CREATE VIEW v1 AS SELECT a FROM t
        CREATE VIEW v2 AS SELECT a FROM v1
        CREATE VIEW v3 AS SELECT x.a FROM t x, v2 y WHERE x.a = y.a
        CREATE VIEW v4 AS SELECT a FROM v1 WHERE a IN (SELECT a FROM v3)
        DROP TABLE t
        DROP VIEW v1
        DROP VIEW v2
        DROP VIEW v4, v3
        CREATE VIEW v3 AS WITH w AS (SELECT a FROM v2) SELECT a FROM w
        DROP VIEW v1, v2
        DROP VIEW v1 CASCADE
        SELECT * FROM v3
        SELECT * FROM t
        DROP TABLE t
        """,
    "several at once": """
        CREATE TABLE t (a int PRIMARY KEY)
        CREATE TABLE u (a int PRIMARY KEY)
        CREATE VIEW v AS SELECT t.a FROM t JOIN u ON t.a = u.a
        DROP TABLE t, u
        DROP TABLE u, t CASCADE
        CREATE TABLE t (a int PRIMARY KEY)
        CREATE VIEW v AS SELECT a FROM t
        CREATE VIEW w AS SELECT a FROM v
        DROP VIEW w, v
        DROP TABLE IF EXISTS t, nothing
        """,
    "a replaced view depends on what it reads now": """
        CREATE TABLE t (a int PRIMARY KEY)
        CREATE TABLE u (a int PRIMARY KEY)
        CREATE VIEW v AS SELECT a FROM t
        CREATE OR REPLACE VIEW v AS SELECT a FROM u
        DROP TABLE t
        DROP TABLE u
        DROP VIEW v
        DROP TABLE u
        """,
    "namespaces": """
        CREATE SCHEMA one
        CREATE SCHEMA two
        CREATE TABLE one.t (a int PRIMARY KEY)
        CREATE VIEW one.v AS SELECT a FROM one.t
        CREATE VIEW two.w AS SELECT a FROM one.t
        CREATE VIEW two.x AS SELECT a FROM two.w
        DROP SCHEMA one
        DROP SCHEMA one, two
        DROP TABLE one.t
        SET search_path TO two
        DROP SCHEMA one
        DROP TABLE one.t
        SET search_path TO public
        DROP SCHEMA one CASCADE
        DROP SCHEMA two
        """,
    "in a transaction, undone": """
        CREATE TABLE t (a int PRIMARY KEY)
        BEGIN
        CREATE VIEW v AS SELECT a FROM t
        DROP TABLE t CASCADE
        ROLLBACK
        SELECT * FROM t
        SELECT * FROM v
        DROP TABLE t
        """,
    "a name that a WITH item hides is not a dependency": """
        CREATE TABLE t (a int PRIMARY KEY)
        CREATE VIEW v AS WITH t AS (SELECT 1 AS a) SELECT a FROM t
        DROP TABLE t
        SELECT * FROM v
        DROP VIEW v
        """,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_dropping_is_refused_and_cascades_as_in_postgresql(sides, name):
    assert differences(sides, SCRIPTS[name]) == []


def test_dependencies_outlive_a_restart(tmp_path):
    from tests.wire.server import KalamServer

    server = KalamServer(tmp_path / "kalam").start()
    with server.root() as root:
        root.execute("CREATE TABLE t (a int PRIMARY KEY); CREATE VIEW v AS SELECT a FROM t")
    server.kill()
    server.start()
    try:
        assert "cannot drop table t because other objects depend on it" in server.psql(
            "DROP TABLE t"
        )
    finally:
        server.stop()
