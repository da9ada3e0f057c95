"""Definitions as the catalogue shows them, which migration tools compare, beside PostgreSQL 15."""

# ruff: noqa: E501 - a statement of a script is one line

from collections.abc import Iterator

import pytest

from tests.wire.side_by_side import Side, both, differences

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    with both(tmp_path_factory.mktemp("defaults")) as found:
        yield found


DEFAULTS = (
    ("int", "3"),
    ("int", "'3'"),
    ("int", "-3"),
    ("smallint", "0"),
    ("bigint", "0"),
    ("bigint", "9999999999"),
    ("bigint", "'-5'"),
    ("numeric", "1"),
    ("numeric", "'1'"),
    ("numeric(10,2)", "1.50"),
    ("numeric(4,2)", "'12.345'"),
    ("float8", "1.5"),
    ("float8", "'2.5'"),
    ("real", "0"),
    ("bool", "true"),
    ("bool", "'t'"),
    ("bool", "false"),
    ("varchar(50)", "'x'"),
    ("varchar(2)", "'abc'"),
    ("char(5)", "'abc'"),
    ("text", "'x'"),
    ("text", "''"),
    ("text", "'it''s'"),
    ("text", "'a\\b'"),
    ("text", "E'x\\ny'"),
    ("text", "NULL"),
    ("jsonb", "'{}'"),
    ("jsonb", "'{}'::jsonb"),
    ("date", "'2020-01-01'"),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
    ("bytea", "'\\x01'"),
    ("int[]", "'{1,2}'"),
    ("timestamptz", "now()"),
)

SHOWN = "SELECT column_name, column_default FROM information_schema.columns WHERE table_name = 't'"


def test_they_are_shown_and_taken_as_by_postgresql(sides: tuple[Side, Side]) -> None:
    columns = ", ".join(f"c{n} {of} DEFAULT {text}" for n, (of, text) in enumerate(DEFAULTS))
    alters = "\n".join(
        f"ALTER TABLE u ADD COLUMN d{n} {of} DEFAULT {text}"
        for n, (of, text) in enumerate(DEFAULTS)
        if text != "'abc'" or of != "varchar(2)"  # Refused for the rows that are there.
    )
    script = f"""
        CREATE TABLE t ({columns})
        {SHOWN} ORDER BY ordinal_position
        INSERT INTO t DEFAULT VALUES
        INSERT INTO t (c18) VALUES ('ab')
        SELECT c0, c1, c2, c5, c6, c9, c10, c12, c15, c17, c19, c20, c23, c24, c25, c28, c30, c31 FROM t
        ALTER TABLE t ALTER COLUMN c1 SET DEFAULT '77'
        ALTER TABLE t ALTER COLUMN c20 SET DEFAULT 'other'
        ALTER TABLE t ALTER COLUMN c21 SET DEFAULT NULL
        {SHOWN} AND column_name IN ('c1', 'c20', 'c21') ORDER BY 1
        INSERT INTO t (c18) VALUES ('cd') RETURNING c1, c20, c21
        CREATE TABLE u (id int)
        INSERT INTO u VALUES (1)
        {alters}
        SELECT d0, d1, d8, d9, d15, d17, d20, d22, d26, d28, d31 FROM u
        {SHOWN.replace("'t'", "'u'")} ORDER BY ordinal_position
        CREATE TABLE v (a int DEFAULT 'x')
        CREATE TABLE v (a timestamp DEFAULT 'epoch', b text DEFAULT lower('A'))
        INSERT INTO v DEFAULT VALUES RETURNING *
    """
    found = [(s, a[:3], b[:3]) for s, a, b in differences(sides, script) if a[:3] != b[:3]]
    assert found == []


def test_definitions_are_shown_as_tools_read_them(sides: tuple[Side, Side]) -> None:
    long, parent = "c" * 63, "p" * 63
    script = f"""
        CREATE TYPE mood AS ENUM ('sad', 'it''s')
        CREATE SCHEMA far
        CREATE TYPE far.mood AS ENUM ('sad')
        CREATE TABLE d (a mood DEFAULT 'it''s', b timestamptz DEFAULT current_timestamp, c far.mood DEFAULT 'sad'::far.mood, n numeric, e int, CHECK (e > 1 AND n > 0 AND e < 9), CHECK (true))
        SELECT adnum, pg_get_expr(adbin, adrelid), pg_get_expr(adbin, adrelid, true) FROM pg_attrdef WHERE adrelid = 'd'::regclass ORDER BY 1
        SELECT column_default FROM information_schema.columns WHERE table_name = 'd' ORDER BY ordinal_position
        ALTER TYPE mood RENAME VALUE 'it''s' TO 'fine'
        ALTER TYPE far.mood RENAME VALUE 'sad' TO 'low'
        INSERT INTO d DEFAULT VALUES RETURNING a, c
        SELECT conname, conkey, pg_get_expr(conbin, conrelid), pg_get_expr(conbin, conrelid, true) FROM pg_constraint WHERE conrelid = 'd'::regclass ORDER BY 1
        SELECT column_name, constraint_name FROM information_schema.constraint_column_usage WHERE table_name = 'd' ORDER BY 1, 2
        CREATE TABLE i (v varchar(9), n numeric, "select" int)
        CREATE INDEX i_e ON i (lower(v), (n + 1), (v || '(n)::x')) WHERE n > 1 AND "select" > 0
        SELECT pg_get_indexdef('i_e'::regclass, k, true), pg_get_indexdef('i_e'::regclass, k, false) FROM generate_series(1, 3) k
        CREATE TABLE {parent} ({parent} int PRIMARY KEY)
        CREATE TABLE {long} (a int, {long} int)
        ALTER TABLE {long} ADD FOREIGN KEY ({long}) REFERENCES {parent} ({parent}) DEFERRABLE INITIALLY DEFERRED
        CREATE TABLE s (id serial)
        SELECT setval(pg_get_serial_sequence('s', 'id'), coalesce(max(id), 5), max(id) IS NOT NULL) FROM s
        SELECT nextval(pg_get_serial_sequence('s'::varchar, 'id'))
        SELECT setval('s_id_seq', (SELECT max(adnum) FROM pg_attrdef WHERE adrelid = 'd'::regclass))
        INSERT INTO s VALUES (40), (41), (42)
        SELECT setval('s_id_seq', coalesce((SELECT max(id) FROM s), 1), false)
        SELECT id % 2, nextval('s_id_seq') + sum(id) FROM s GROUP BY 1 ORDER BY 1
        SELECT count(nextval('s_id_seq')) FROM generate_series(1, 3)
        SELECT count(pg_notify('c' || g, 'x')), max(g) FROM generate_series(1, 3) g
        SELECT count(pg_advisory_lock(g)) FROM generate_series(1, 3) g
        SELECT setval('s_id_seq', max(id) + 5) FROM s HAVING count(*) > 1
        SELECT relname, relid = 'd'::regclass FROM pg_stat_user_tables WHERE relname = 'd'
        SELECT grantor = grantee, privilege_type, is_grantable, with_hierarchy FROM information_schema.table_privileges WHERE table_name = 'd' ORDER BY 2
    """
    assert differences(sides, script) == []


def test_names_may_begin_with_the_database(sides: tuple[Side, Side]) -> None:
    script = """
        CREATE TABLE postgres.public.q (a int PRIMARY KEY)
        COMMENT ON COLUMN postgres.public.q.a IS 'x'
        CREATE FUNCTION postgres.public.one() RETURNS int LANGUAGE sql AS 'SELECT 1'
        INSERT INTO postgres.public.q AS z VALUES (1) RETURNING z.a
        UPDATE postgres.public.q SET a = 2 WHERE postgres.public.q.a = 1
        SELECT postgres.public.q.*, postgres.public.q.a, col_description('q'::regclass, 1) FROM postgres.public.q
        SELECT count(*) FROM postgres.information_schema.tables WHERE table_name = 'q'
        DELETE FROM postgres.public.q WHERE postgres.public.q.a = 2
        SELECT postgres.public.q.a FROM other.public.q
        SELECT other.public.q.a FROM q
        SELECT other.public.q.* FROM q
        SELECT 1 FROM a.b.c.d
        ALTER TABLE postgres.public.q RENAME TO r
        DROP TABLE postgres.public.r
    """
    # Where a name is too long for a relation the two point at different places of it.
    found = [(s, a[:4], b[:4]) for s, a, b in differences(sides, script) if a[:2] != b[:2]]
    assert found == []


def test_what_is_an_extension_here_is_so_from_the_start(sides: tuple[Side, Side]) -> None:
    ours, theirs = sides
    script = """
        CREATE EXTENSION IF NOT EXISTS plpgsql SCHEMA pg_catalog
        CREATE EXTENSION plpgsql
        DROP EXTENSION IF EXISTS nothing, nothing CASCADE
        DROP EXTENSION nothing
        COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language'
        ALTER EXTENSION plpgsql UPDATE
    """
    assert [(s, a[:2], b[:2]) for s, a, b in differences(sides, script) if a[:2] != b[:2]] == []
    assert ours.ask('CREATE EXTENSION "uuid-ossp"')[0] == "CREATE EXTENSION"
    assert ours.ask("CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public")[0] == (
        "CREATE EXTENSION"
    )
    assert ours.ask("CREATE EXTENSION postgis")[0] == "0A000"
    assert ours.ask("DROP EXTENSION pgcrypto")[0] == "2BP01"
    assert theirs.ask('CREATE EXTENSION "uuid-ossp"')[0] == "CREATE EXTENSION"
    assert theirs.ask("CREATE EXTENSION pgcrypto")[0] == "CREATE EXTENSION"
    digests = ", ".join(
        f"encode(digest('a', '{of}'), 'hex'), encode(hmac('\\x01'::bytea, 'k'::bytea, '{of}'), 'hex')"
        for of in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
    )
    script = f"""
        SELECT uuid_nil(), uuid_ns_dns(), uuid_ns_url(), uuid_ns_oid(), uuid_ns_x500()
        SELECT uuid_generate_v3(uuid_ns_url(), 'é'), public.uuid_generate_v5(uuid_ns_dns(), 'python.org')
        SELECT substr(uuid_generate_v1()::text, 15, 1), substr(uuid_generate_v1mc()::text, 15, 1)
        SELECT substr(uuid_generate_v4()::text, 15, 1), length(gen_random_bytes(1024)), digest(NULL, 'md5')
        SELECT {digests}
        CREATE TABLE e (id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), b int)
        INSERT INTO e (b) VALUES (1), (2) RETURNING id IS NOT NULL, b
        SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'e'::regclass
        SELECT name, installed_version FROM pg_available_extensions WHERE name IN ('plpgsql', 'pgcrypto') ORDER BY 1
        SELECT extname, nspname, extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname <> 'kalam_pg' ORDER BY 1
        SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'plpgsql'
        SELECT gen_random_bytes(1025)
    """
    assert [(s, a[:4], b[:4]) for s, a, b in differences(sides, script) if a[:3] != b[:3]] == []
