"""Domains: side by side with PostgreSQL 15, hot and cold, and through the drivers."""

# ruff: noqa: E501 -- one statement a line

import asyncio

import asyncpg
import psycopg
import pytest

from tests.wire.server import PASSWORD
from tests.wire.side_by_side import Side, differences

MADE = r"""
    CREATE DOMAIN posint AS int CHECK (VALUE > 0)
    CREATE DOMAIN us_zip AS text CONSTRAINT zip_form CHECK (VALUE ~ '^\d{5}$' OR VALUE ~ '^\d{5}-\d{4}$') NOT NULL DEFAULT '00000'
    CREATE DOMAIN short AS varchar(5)
    CREATE DOMAIN amount AS numeric(6,2) DEFAULT 1.5 CHECK (VALUE >= 0) CHECK (VALUE < 1000) NULL
    CREATE TABLE d (id posint PRIMARY KEY, zip us_zip, s short, a amount)
    INSERT INTO d VALUES (1, '12345', 'abc', 3.456)
    INSERT INTO d (id) VALUES (2)
    """

RULES = """
    INSERT INTO d VALUES (0, '12345')
    INSERT INTO d VALUES (3, '1234')
    INSERT INTO d VALUES (3, NULL)
    INSERT INTO d VALUES (3, '12345', 'abcdefg')
    INSERT INTO d VALUES (3, '12345', 'abc', 1000), (4, '12345', 'abc', 1)
    INSERT INTO d SELECT g, '12345' FROM generate_series(-1, 9) g
    INSERT INTO d VALUES (1, '12345') ON CONFLICT (id) DO UPDATE SET zip = 'bad'
    UPDATE d SET id = -1 WHERE id = 1
    UPDATE d SET zip = NULL WHERE id = 1
    UPDATE d SET a = a + 1 WHERE id = 1 RETURNING *
    SELECT * FROM d ORDER BY id
    SELECT id + 1, zip || 'x', length(s), a * 2 FROM d ORDER BY id
    SELECT 5::posint, '5'::posint, '12345'::us_zip, 'abcdefgh'::short, 2.345::amount
    SELECT (-5)::posint
    SELECT '-5'::posint
    SELECT NULL::posint
    SELECT NULL::us_zip
    SELECT 'x'::us_zip
    SELECT x::posint FROM generate_series(1, 3) x
    SELECT x::posint FROM generate_series(-1, 3) x
    SELECT id::posint FROM d ORDER BY 1
    SELECT (id - 1)::posint FROM d
    SELECT CAST('ab' AS posint)
    """

DEFINITIONS = """
    CREATE DOMAIN posint AS int
    CREATE DOMAIN bad AS nosuch
    CREATE DOMAIN bad AS record
    ALTER DOMAIN posint DROP CONSTRAINT posint_check
    ALTER DOMAIN posint DROP CONSTRAINT posint_check
    ALTER DOMAIN posint DROP CONSTRAINT IF EXISTS posint_check
    INSERT INTO d VALUES (-7, '12345')
    ALTER DOMAIN posint ADD CONSTRAINT pos2 CHECK (VALUE > 0) NOT VALID
    INSERT INTO d VALUES (-8, '12345')
    ALTER DOMAIN posint RENAME CONSTRAINT pos2 TO pos3
    INSERT INTO d VALUES (-8, '12345')
    ALTER DOMAIN us_zip DROP NOT NULL
    ALTER DOMAIN us_zip DROP DEFAULT
    INSERT INTO d (id) VALUES (8) RETURNING *
    ALTER DOMAIN us_zip SET DEFAULT '99999'
    INSERT INTO d (id) VALUES (9) RETURNING *
    ALTER DOMAIN us_zip RENAME TO zipcode
    INSERT INTO d VALUES (10, 'x')
    DROP DOMAIN zipcode
    DROP DOMAIN nosuch
    DROP DOMAIN IF EXISTS nosuch
    CREATE TYPE e AS ENUM ('a')
    DROP DOMAIN e
    ALTER DOMAIN e DROP DEFAULT
    SELECT column_name, data_type, domain_schema, domain_name, udt_name, numeric_precision FROM information_schema.columns WHERE table_name = 'd' ORDER BY ordinal_position
    SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE attrelid = 'd'::regclass AND attnum > 0 ORDER BY attnum
    SELECT typname, typtype, typbasetype::regtype, typtypmod, typnotnull, typcategory FROM pg_type WHERE typtype = 'd' AND typnamespace = 'public'::regnamespace ORDER BY 1
    SELECT conname, contype, contypid::regtype, convalidated FROM pg_constraint WHERE contypid <> 0 AND connamespace = 'public'::regnamespace ORDER BY 1
    CREATE TABLE like_d (LIKE d INCLUDING ALL)
    INSERT INTO like_d VALUES (-1)
    BEGIN
    CREATE DOMAIN dd AS int CHECK (VALUE < 10)
    CREATE TABLE ddt (x dd)
    INSERT INTO ddt VALUES (10)
    ROLLBACK
    SELECT 1::dd
    DROP TABLE d, like_d
    DROP DOMAIN posint, zipcode, short, amount
    DROP TYPE e
    """

ASKED = """
    CREATE DOMAIN dn AS int CHECK (VALUE > 0)
    CREATE TABLE td (id int PRIMARY KEY, d dn, e dn)
    INSERT INTO td VALUES (1, 1, NULL), (2, 1000, 5)
    """

ASKING = """
    INSERT INTO td VALUES (3, 7, 7)
    ALTER DOMAIN dn ADD CHECK (VALUE < 500)
    ALTER DOMAIN dn ADD CONSTRAINT c2 CHECK (VALUE < 5000)
    INSERT INTO td VALUES (4, 6000)
    ALTER DOMAIN dn SET NOT NULL
    ALTER DOMAIN dn ADD CONSTRAINT c3 CHECK (VALUE < 500) NOT VALID
    INSERT INTO td VALUES (4, 600)
    ALTER DOMAIN dn VALIDATE CONSTRAINT c3
    DELETE FROM td WHERE id = 2
    ALTER DOMAIN dn VALIDATE CONSTRAINT c3
    ALTER DOMAIN dn VALIDATE CONSTRAINT c3
    ALTER DOMAIN dn VALIDATE CONSTRAINT nope
    UPDATE td SET e = 1 WHERE e IS NULL
    ALTER DOMAIN dn SET NOT NULL
    ALTER DOMAIN dn SET NOT NULL
    INSERT INTO td VALUES (9, 9, NULL)
    ALTER DOMAIN dn ADD CONSTRAINT c2 CHECK (VALUE < 5000)
    ALTER DOMAIN dn ADD CONSTRAINT c4 CHECK (nope < 5000)
    BEGIN
    INSERT INTO td VALUES (10, 10, 10)
    ALTER DOMAIN dn ADD CONSTRAINT c5 CHECK (VALUE <> 10)
    ROLLBACK
    BEGIN
    ALTER DOMAIN dn ADD CONSTRAINT c5 CHECK (VALUE <> 10)
    INSERT INTO td VALUES (10, 10, 10)
    ROLLBACK
    INSERT INTO td VALUES (10, 10, 10)
    SELECT conname, convalidated FROM pg_constraint WHERE contypid = 'dn'::regtype ORDER BY 1
    SELECT * FROM td ORDER BY 1
    DROP TABLE td
    DROP DOMAIN dn
    """


@pytest.fixture(scope="module")
def server(servers):
    return servers[0]


@pytest.mark.slow
def test_domains_are_postgresqls(servers):
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as other:
        sides = Side(ours), Side(other)
        assert differences(sides, MADE) == []
        assert differences(sides, RULES) == []
        ours.execute("STORAGE FLUSH TABLE d")
        assert differences(sides, RULES) == []
        assert differences(sides, DEFINITIONS) == []


@pytest.mark.slow
def test_stored_values_are_asked_whether_they_satisfy_a_new_constraint(servers):
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as other:
        sides = Side(ours), Side(other)
        assert differences(sides, ASKED) == []
        ours.execute("STORAGE FLUSH TABLE td")
        assert differences(sides, ASKING) == []


def test_values_of_every_user_are_asked_and_writers_waited_for(server):
    with server.root() as root:
        root.execute(f"CREATE USER dora PASSWORD '{PASSWORD}'")
    with server.root() as root, server.connect("dora") as dora:
        root.execute("CREATE DOMAIN even AS int")
        root.execute("CREATE TABLE numbers (n even PRIMARY KEY) WITH (TYPE = 'USER')")
        dora.execute("INSERT INTO numbers VALUES (2), (3)")
        with pytest.raises(psycopg.errors.CheckViolation, match='column "n" of table "numbers"'):
            root.execute("ALTER DOMAIN even ADD CHECK (VALUE % 2 = 0)")
        dora.execute("DELETE FROM numbers WHERE n = 3")
        dora.execute("BEGIN")
        dora.execute("INSERT INTO numbers VALUES (5)")
        root.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            root.execute("ALTER DOMAIN even ADD CHECK (VALUE % 2 = 0)")
        dora.execute("ROLLBACK")
        root.execute("ALTER DOMAIN even ADD CHECK (VALUE % 2 = 0)")
        with pytest.raises(psycopg.errors.CheckViolation):
            dora.execute("INSERT INTO numbers VALUES (5)")
        root.execute("DROP TABLE numbers")
        root.execute("DROP DOMAIN even")


def test_drivers_write_and_copy_values_of_a_domain_and_are_refused_others(server):
    async def talk() -> None:
        connection = await asyncpg.connect(
            host=str(server.directory), port=server.port, user="root", database="kalam"
        )
        try:
            put = "INSERT INTO scores VALUES ($1) RETURNING n"
            assert await connection.fetchval(put, 7) == 7
            with pytest.raises(asyncpg.CheckViolationError, match="value for domain score"):
                await connection.fetchval(put, 101)
            with pytest.raises(asyncpg.CheckViolationError):
                await connection.copy_records_to_table("scores", records=[(1,), (-1,)])
        finally:
            await connection.close()

    with server.root() as root:
        root.execute("CREATE DOMAIN score AS smallint CHECK (VALUE BETWEEN 0 AND 100)")
        root.execute("CREATE TABLE scores (n score) WITH (TYPE = 'USER')")
        asyncio.run(talk())
        with pytest.raises(psycopg.errors.CheckViolation) as error:
            root.execute("INSERT INTO scores VALUES (%b)", (500,))
        diag = error.value.diag
        named = (diag.schema_name, diag.datatype_name, diag.constraint_name)
        assert named == ("public", "score", "score_check")
        rows = root.cursor(binary=True).execute("SELECT n FROM scores").fetchall()
        assert rows == [(7,)]
        root.execute("ALTER DOMAIN score SET NOT NULL")
        with pytest.raises(psycopg.errors.CheckViolation, match='column "n" of table "scores"'):
            root.execute("ALTER DOMAIN score ADD CHECK (VALUE <> 7)")
        for asked in ("ARRAY[1]::score[]", "score(1)"):
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                root.execute(f"SELECT {asked}")
