"""ALTER DEFAULT PRIVILEGES: what new objects are granted, as PostgreSQL 15 shows it, and what that allows."""

# ruff: noqa: E501 -- one statement a line

import re

import psycopg
import pytest

from tests.wire.server import PASSWORD, KalamServer

pytestmark = pytest.mark.slow

DEFAULTS = """
    CREATE SCHEMA da
    CREATE SCHEMA db
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO dp_reader
    ALTER DEFAULT PRIVILEGES IN SCHEMA da GRANT INSERT, UPDATE ON TABLES TO dp_writer, PUBLIC
    ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO dp_reader
    ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC
    ALTER DEFAULT PRIVILEGES IN SCHEMA da GRANT EXECUTE ON ROUTINES TO dp_reader
    ALTER DEFAULT PRIVILEGES IN SCHEMA db GRANT EXECUTE ON FUNCTIONS TO PUBLIC
    ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC
    ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO dp_writer
    ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO dp_reader
    ALTER DEFAULT PRIVILEGES FOR ROLE dp_writer IN SCHEMA da, db GRANT SELECT ON TABLES TO dp_reader
    ALTER DEFAULT PRIVILEGES FOR ROLE dp_writer IN SCHEMA db REVOKE SELECT ON TABLES FROM dp_reader
"""
MADE = """
    CREATE TABLE da.t (id int, n serial)
    CREATE TABLE db.t (id int)
    CREATE TABLE da.as_asked AS SELECT 1 AS a
    CREATE MATERIALIZED VIEW da.m AS SELECT 1 AS a
    CREATE SEQUENCE da.s
    CREATE FUNCTION da.f() RETURNS int LANGUAGE sql AS 'SELECT 1'
    CREATE FUNCTION db.f() RETURNS int LANGUAGE sql AS 'SELECT 1'
    CREATE FUNCTION public.dp_f() RETURNS int LANGUAGE sql AS 'SELECT 1'
    CREATE TYPE da.e AS ENUM ('a')
    CREATE DOMAIN da.d AS int
    CREATE SCHEMA dc
"""
ASKED = (
    "SELECT defaclrole::regrole::text, CASE defaclnamespace WHEN 0 THEN '' ELSE defaclnamespace::regnamespace::text END, defaclobjtype, defaclacl::text FROM pg_default_acl ORDER BY 1, 2, 3",
    "SELECT relname, relkind, relacl::text FROM pg_class WHERE relnamespace::regnamespace::text IN ('da', 'db') AND relkind IN ('r', 'm', 'S') ORDER BY 1, 3",
    "SELECT proname, pronamespace::regnamespace::text, proacl::text FROM pg_proc WHERE proname IN ('f', 'dp_f') ORDER BY 1, 2",
    "SELECT typname, typacl::text FROM pg_type WHERE typnamespace = 'da'::regnamespace AND typtype IN ('e', 'd') ORDER BY 1",
    "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname IN ('da', 'db', 'dc') ORDER BY 1",
)
TAKEN_BACK = """
    ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM dp_reader
    ALTER DEFAULT PRIVILEGES IN SCHEMA da REVOKE ALL ON TABLES FROM dp_writer, PUBLIC
    ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC
    DROP SCHEMA db CASCADE
    CREATE TABLE da.t2 (id int)
    CREATE FUNCTION public.dp_g() RETURNS int LANGUAGE sql AS 'SELECT 1'
"""
WRONG = """
    ALTER DEFAULT PRIVILEGES IN SCHEMA nowhere GRANT SELECT ON TABLES TO PUBLIC
    ALTER DEFAULT PRIVILEGES FOR ROLE nobody GRANT SELECT ON TABLES TO PUBLIC
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO nobody
    ALTER DEFAULT PRIVILEGES IN SCHEMA da GRANT USAGE ON SCHEMAS TO PUBLIC
    ALTER DEFAULT PRIVILEGES GRANT USAGE ON TABLES TO PUBLIC
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON FUNCTIONS TO PUBLIC
    ALTER DEFAULT PRIVILEGES IN SCHEMA da IN SCHEMA da GRANT SELECT ON TABLES TO PUBLIC
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON t TO PUBLIC
    ALTER DEFAULT PRIVILEGES
"""


def _statements(script: str) -> list[str]:
    return [line.strip() for line in script.strip().splitlines()]


def _comparable(rows: list[tuple[object, ...]], owner: str) -> list[str]:
    """The rows with lists of grants in one order, and the owner by one name."""
    text = re.sub(r"{([^}]*)}", lambda m: ",".join(sorted(m[1].split(","))), repr(rows))
    return text.replace(owner, "me").split("), (")


def test_new_objects_are_granted_what_postgresql_grants_them(servers):
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as other:
        for role in ("dp_reader", "dp_writer"):
            ours.execute(f"CREATE USER {role} PASSWORD '{PASSWORD}'")
            other.execute(f"CREATE USER {role}")
        for script in (DEFAULTS, MADE, TAKEN_BACK):
            for statement in _statements(script):
                ours.execute(statement)
                other.execute(statement)
            for query in ASKED:
                found = _comparable(ours.execute(query).fetchall(), "root")
                wanted = _comparable(other.execute(query).fetchall(), "postgres")
                assert found == wanted, query
        for statement in _statements(WRONG):
            told = []
            for both in ours, other:
                with pytest.raises(psycopg.Error) as raised:
                    both.execute(statement)
                told.append((raised.value.sqlstate, raised.value.diag.message_primary))
            assert told[0] == told[1], statement
        ours.execute("DROP SCHEMA da, dc CASCADE; DROP FUNCTION dp_f(), dp_g()")
        for kind, what in (("TYPES", "USAGE"), ("SEQUENCES", "USAGE"), ("SCHEMAS", "USAGE")):
            ours.execute(
                f"ALTER DEFAULT PRIVILEGES REVOKE {what} ON {kind} FROM dp_reader, dp_writer"
            )
        ours.execute("ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO PUBLIC")
        assert ours.execute("SELECT * FROM pg_default_acl").fetchall() == []


def test_default_privileges_are_transactional_each_roles_own_and_kept(tmp_path):
    server = KalamServer(tmp_path / "kalam").start()
    try:
        with server.root() as root:
            for role in ("reader", "maker"):
                root.execute(f"CREATE USER {role} PASSWORD '{PASSWORD}'")
            root.execute("CREATE SCHEMA app")
            root.execute("BEGIN")
            root.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO reader")
            root.execute("ROLLBACK")
            hidden = "WITH (ACCESS_LEVEL = 'RESTRICTED')"
            root.execute(f"CREATE TABLE app.a (id int) {hidden}")
            root.execute("BEGIN")
            root.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO reader")
            root.execute(f"CREATE TABLE app.b (id int) {hidden}")
            root.execute("COMMIT")
        with server.connect("maker") as maker, pytest.raises(psycopg.errors.InsufficientPrivilege):
            maker.execute("ALTER DEFAULT PRIVILEGES FOR ROLE root GRANT SELECT ON TABLES TO maker")
        server.kill()
        server.start()
        with server.root() as root:
            root.execute(f"CREATE TABLE app.c (id int) {hidden}")
            root.execute(f"CREATE TABLE public.c (id int) {hidden}")
            root.execute("CREATE TABLE app.own (id int) WITH (TYPE = 'USER')")
            root.execute("CREATE TEMP TABLE own (id int)")
        with server.connect("reader") as reader:
            for table, seen in (("app.a", False), ("app.b", True), ("app.c", True), ("c", False)):
                if seen:
                    assert reader.execute(f"SELECT * FROM {table}").fetchall() == []
                else:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        reader.execute(f"SELECT * FROM {table}")
            assert reader.execute("SELECT * FROM pg_default_acl").fetchall() == []
    finally:
        server.stop()


def test_a_comment_on_the_database_is_kept_and_shown(tmp_path):
    asked = """SELECT shobj_description(d.oid, 'pg_database'), s.description FROM pg_database d
        LEFT JOIN pg_shdescription s ON s.objoid = d.oid AND s.classoid = 'pg_database'::regclass
        WHERE datname = current_database()"""
    server = KalamServer(tmp_path / "kalam").start()
    try:
        with server.root() as root:
            warned: list[tuple[str | None, ...]] = []
            root.add_notice_handler(
                lambda d: warned.append((d.severity, d.sqlstate, d.message_primary))
            )
            root.execute("COMMENT ON DATABASE elsewhere IS 'not here'")
            assert warned == [("WARNING", "3D000", 'database "elsewhere" does not exist')]
            assert root.execute(asked).fetchall() == [(None, None)]
            root.execute("COMMENT ON DATABASE kalam IS 'all that is said'")
            root.execute(f"CREATE USER someone PASSWORD '{PASSWORD}'")
        refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
        with server.connect("someone") as someone, refused:
            someone.execute("COMMENT ON DATABASE kalam IS 'mine'")
        server.kill()
        server.start()
        with server.root() as root:
            assert root.execute(asked).fetchall() == [("all that is said", "all that is said")]
            root.execute("COMMENT ON DATABASE kalam IS NULL")
            assert root.execute(asked).fetchall() == [(None, None)]
    finally:
        server.stop()
