"""Enumerated types: side by side with PostgreSQL 15, hot and cold, and through the drivers."""

# ruff: noqa: E501 -- one statement a line

import asyncio
from enum import StrEnum
from threading import Thread

import asyncpg
import psycopg
import pytest
from psycopg.types.enum import EnumInfo, register_enum

from tests.wire.server import PASSWORD
from tests.wire.side_by_side import Side, differences


class Mood(StrEnum):
    """The labels that the drivers' tests use: psycopg takes the members' names."""

    sad = "sad"
    ok = "ok"
    happy = "happy"


DEFINITIONS = """
    CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')
    CREATE TABLE person (id int PRIMARY KEY, name text, m mood DEFAULT 'ok')
    INSERT INTO person VALUES (1, 'Larry', 'sad'), (2, 'Moe', 'happy'), (3, 'Curly', 'ok')
    INSERT INTO person VALUES (5, 'x', 'bad')
    SELECT enum_first(null::mood), enum_last(null::mood), enum_range(null::mood), enum_range('ok'::mood, null), enum_range(null, 'ok'::mood)
    SELECT m = 'ok'::text FROM person
    SELECT upper(m) FROM person
    ALTER TYPE mood ADD VALUE 'ecstatic'
    ALTER TYPE mood ADD VALUE 'meh' BEFORE 'ok'
    ALTER TYPE mood ADD VALUE 'fine' AFTER 'ok'
    ALTER TYPE mood ADD VALUE 'fine' AFTER 'ok'
    ALTER TYPE mood ADD VALUE 'q' AFTER 'zzz'
    SELECT enumlabel, enumsortorder FROM pg_enum WHERE enumtypid = 'mood'::regtype ORDER BY enumsortorder
    ALTER TYPE mood RENAME VALUE 'ok' TO 'okay'
    ALTER TYPE mood RENAME VALUE 'ok' TO 'okay'
    ALTER TYPE mood RENAME VALUE 'sad' TO 'okay'
    SELECT * FROM person ORDER BY m, id
    INSERT INTO person (id, name) VALUES (6, 'Def') RETURNING *
    CREATE TYPE mood AS ENUM ('a')
    CREATE TYPE empty AS ENUM ()
    SELECT enum_range(null::empty)
    SELECT enum_first(null::empty)
    DROP TYPE mood
    DROP TYPE nosuch
    DROP TYPE IF EXISTS nosuch, nowhere.nosuch
    CREATE TABLE mood (a int)
    CREATE TYPE person AS ENUM ('a')
    BEGIN
    CREATE TYPE t2 AS ENUM ('x', 'y')
    CREATE TABLE u2 (a t2)
    INSERT INTO u2 VALUES ('x')
    ALTER TYPE t2 RENAME VALUE 'x' TO 'z'
    SELECT * FROM u2
    ROLLBACK
    SELECT 'x'::t2
    BEGIN
    ALTER TYPE mood RENAME VALUE 'okay' TO 'good'
    SELECT m FROM person WHERE id = 3
    ROLLBACK
    SELECT m FROM person WHERE id = 3
    PREPARE q(mood) AS SELECT count(*) FROM person WHERE m = $1
    EXECUTE q('sad')
    ALTER TYPE mood ADD VALUE 'gone'
    EXECUTE q('gone')
    PREPARE r AS INSERT INTO person VALUES ($1, 'r', $2) RETURNING m
    ALTER TYPE mood RENAME VALUE 'gone' TO 'lost'
    EXECUTE r(1002, 'lost')
    CREATE VIEW v AS SELECT m, count(*) AS n FROM person WHERE m <> 'okay' GROUP BY m
    SELECT * FROM v ORDER BY m
    DROP TYPE mood
    CREATE SCHEMA app
    CREATE TYPE app.color AS ENUM ('red')
    SELECT 'red'::app.color
    SELECT 'red'::color
    SET search_path = app, public
    SELECT 'red'::color, pg_typeof('red'::color), format_type('color'::regtype, NULL), to_regtype('app.color[]')::text
    RESET search_path
    SELECT pg_typeof('red'::app.color), format_type('app.color'::regtype, -1)
    ALTER TYPE app.color SET SCHEMA public
    ALTER TYPE color RENAME TO colour
    SELECT 'red'::colour
    COMMENT ON TYPE colour IS 'british'
    SELECT obj_description('colour'::regtype, 'pg_type')
    SELECT typname, typtype, typcategory, typlen, typbyval, typelem::regtype, typarray::regtype, typinput, typoutput, typreceive, typsend FROM pg_type WHERE typname IN ('mood', '_mood') ORDER BY 1
    SELECT column_name, data_type, udt_schema, udt_name FROM information_schema.columns WHERE table_name = 'person' ORDER BY ordinal_position
    DROP VIEW v
    DROP TABLE person
    DROP TYPE mood, colour, empty
    DROP SCHEMA app
    SELECT 'sad'::mood
    """

MADE = """
    CREATE TYPE st AS ENUM ('draft', 'open', 'closed')
    CREATE TABLE o (id int PRIMARY KEY, s st NOT NULL, p st, ss st[])
    CREATE TABLE k (m st PRIMARY KEY)
    INSERT INTO k VALUES ('closed'), ('draft')
    INSERT INTO k VALUES ('draft')
    INSERT INTO o SELECT g, (ARRAY['draft','open','closed'])[g % 3 + 1]::st, CASE WHEN g % 5 = 0 THEN NULL ELSE 'open'::st END, ARRAY['open','draft']::st[] FROM generate_series(1, 600) g
    """

QUESTIONS = """
    SELECT s, count(*), min(id), max(p) FROM o GROUP BY s ORDER BY s DESC
    SELECT s, p, rank() OVER (ORDER BY s, id) FROM o WHERE id < 8 ORDER BY 3
    SELECT a.s, count(*) FROM o a JOIN o b ON a.s = b.p GROUP BY a.s ORDER BY 1
    SELECT s::text, length(s::text), s::text LIKE 'o%', s || '!' FROM o WHERE id < 5 ORDER BY id
    SELECT count(*) FROM o WHERE s::text = 'open'
    SELECT count(*) FROM o WHERE s >= 'open' AND p IS NOT NULL
    SELECT count(DISTINCT s), string_agg(DISTINCT s::text, ',') FROM o
    SELECT DISTINCT ON (s) s, id FROM o ORDER BY s, id DESC
    SELECT mode() WITHIN GROUP (ORDER BY s) FROM o
    SELECT max(s) OVER (PARTITION BY p ORDER BY id), lag(s) OVER (ORDER BY id), first_value(s) OVER (ORDER BY id) FROM o WHERE id < 6 ORDER BY id
    SELECT s FROM o WHERE id < 3 UNION SELECT 'closed' ORDER BY 1
    SELECT s FROM o WHERE id < 3 UNION SELECT 'closed'::text ORDER BY 1
    SELECT id, ss, ss[1], ss @> ARRAY['open']::st[] FROM o WHERE id < 3 ORDER BY id
    SELECT x, count(*) FROM o, unnest(ss) x GROUP BY x ORDER BY x
    SELECT to_jsonb(o) FROM o WHERE id = 5
    SELECT json_agg(s ORDER BY s), jsonb_object_agg(id, s) FROM o WHERE id < 4
    SELECT array_to_string(ss, '-'), array_position(ss, 'draft'), cardinality(ss) FROM o WHERE id = 1
    SELECT id FROM o WHERE s = (SELECT max(s) FROM o) AND id < 9 ORDER BY id
    SELECT (SELECT b.s FROM o b WHERE b.id = a.id + 1) FROM o a WHERE id < 4 ORDER BY id
    SELECT s FROM o a WHERE EXISTS (SELECT 1 FROM o b WHERE b.s > a.s AND b.id = a.id + 1) AND id < 9 ORDER BY s, id
    WITH x AS (SELECT s, count(*) n FROM o GROUP BY s) SELECT * FROM x WHERE s <> 'open' ORDER BY s
    SELECT s, count(*) FROM o GROUP BY GROUPING SETS ((s), ()) ORDER BY s NULLS FIRST
    SELECT CASE s WHEN 'open' THEN 1 WHEN 'draft' THEN 2 END, coalesce(p, 'draft'), nullif(s, 'open'), greatest(s, p) FROM o WHERE id < 6 ORDER BY id
    SELECT enum_range(s, p), enum_first(s), enum_last(p) FROM o WHERE id < 4 ORDER BY id
    SELECT count(*) FROM o WHERE s IN ('draft', 'closed') AND p = ANY ('{open,draft}')
    SELECT * FROM k ORDER BY m
    SELECT * FROM k WHERE m = 'draft'
    SELECT * FROM k WHERE m > 'draft'
    """

CHANGES = """
    UPDATE o SET s = 'closed', ss = ss || 'closed'::st WHERE s = 'draft' AND id < 10
    SELECT id, s, ss FROM o WHERE id < 10 ORDER BY s, id
    UPDATE o SET s = 'nope' WHERE id = 1
    UPDATE o SET s = 'open'::text WHERE id = 1
    UPDATE o SET s = ('op' || 'en')::st WHERE id = 1 RETURNING s
    UPDATE o SET s = ('op' || 'e')::st WHERE id = 1 RETURNING s
    INSERT INTO o VALUES (1, 'open') ON CONFLICT (id) DO UPDATE SET s = EXCLUDED.s, p = o.s RETURNING *
    ALTER TYPE st ADD VALUE 'paused' AFTER 'open'
    ALTER TYPE st RENAME VALUE 'open' TO 'running'
    SELECT s, count(*) FROM o GROUP BY s ORDER BY s
    UPDATE o SET s = 'paused' WHERE id BETWEEN 100 AND 110
    SELECT s, count(*) FROM o GROUP BY s ORDER BY s
    SELECT s, id FROM o WHERE s > 'running' AND id < 112 AND id > 98 ORDER BY s, id
    DELETE FROM k WHERE m < 'running' RETURNING m
    """


@pytest.fixture(scope="module")
def server(servers):
    return servers[0]


@pytest.fixture
def sides(servers):
    server, theirs = servers
    with server.root() as ours, psycopg.connect(theirs, autocommit=True) as other:
        yield Side(ours), Side(other)


@pytest.mark.slow
def test_definitions_are_postgresqls(sides):
    assert differences(sides, DEFINITIONS) == []


@pytest.mark.slow
def test_questions_and_changes_are_answered_alike_hot_and_cold(sides):
    ours, _ = sides
    assert differences(sides, MADE) == []
    assert differences(sides, QUESTIONS) == []
    ours.ask("STORAGE FLUSH TABLE o")
    ours.ask("STORAGE FLUSH TABLE k")
    assert differences(sides, QUESTIONS) == []
    assert differences(sides, CHANGES) == []


def moods(connection: psycopg.Connection) -> None:
    connection.execute("DROP TABLE IF EXISTS moods")
    connection.execute("DROP TYPE IF EXISTS mood")
    connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
    connection.execute("CREATE TABLE moods (id int PRIMARY KEY, m mood, ms mood[])")


@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_registers_the_type_and_reads_what_it_wrote(server, binary):
    with server.root() as root:
        moods(root)
        info = EnumInfo.fetch(root, "mood")
        assert info is not None
        assert list(info.labels) == ["sad", "ok", "happy"]
        register_enum(info, root, Mood)
        form = "%b, %b, %b" if binary else "%t, %t, %t"
        for at, mood in enumerate(Mood):
            root.execute(f"INSERT INTO moods VALUES ({form})", (at, mood, [Mood.sad, mood]))
        asked = root.cursor(binary=binary)
        for _ in ("hot", "cold"):
            rows = asked.execute("SELECT m, ms FROM moods ORDER BY m DESC").fetchall()
            assert rows == [(mood, [Mood.sad, mood]) for mood in reversed(Mood)]
            found = asked.execute("SELECT id FROM moods WHERE m = %s", (Mood.ok,)).fetchall()
            assert found == [(1,)]
            root.execute("STORAGE FLUSH TABLE moods")


def test_asyncpg_finds_the_type_by_itself(server):
    async def talk() -> None:
        connection = await asyncpg.connect(
            host=str(server.directory), port=server.port, user="root", database="kalam"
        )
        try:
            put = "INSERT INTO moods VALUES ($1, $2, $3)"
            await connection.execute(put, 7, "happy", ["sad", None])
            row = await connection.fetchrow("SELECT m, ms FROM moods WHERE m = $1", "happy")
            assert tuple(row) == ("happy", ["sad", None])
            with pytest.raises(asyncpg.InvalidTextRepresentationError):
                await connection.execute(put, 8, "glad", [])
        finally:
            await connection.close()

    with server.root() as root:
        moods(root)
    asyncio.run(talk())


def test_a_label_that_another_session_adds_or_renames_is_known_to_statements_prepared_before(
    server,
):
    with server.root() as root, server.root() as other:
        moods(root)
        put, ask = "INSERT INTO moods VALUES (%s, %s)", "SELECT m FROM moods ORDER BY m"
        root.execute(put, (1, "ok"), prepare=True)
        assert root.execute(ask, prepare=True).fetchall() == [("ok",)]
        other.execute("ALTER TYPE mood ADD VALUE 'meh' BEFORE 'ok'")
        root.execute(put, (2, "meh"), prepare=True)
        assert root.execute(ask, prepare=True).fetchall() == [("meh",), ("ok",)]
        other.execute("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'")
        assert root.execute(ask, prepare=True).fetchall() == [("meh",), ("fine",)]
        root.execute(put, (3, "fine"), prepare=True)
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            root.execute(put, (4, "ok"), prepare=True)


def test_copy_takes_and_gives_labels(server):
    with server.root() as root:
        moods(root)
        with root.cursor().copy("COPY moods FROM STDIN") as copy:
            copy.write("1\thappy\t{sad,ok}\n2\t\\N\t\\N\n")
        with root.cursor().copy("COPY moods TO STDOUT (FORMAT csv)") as copy:
            told = b"".join(bytes(data) for data in copy)
        assert told == b'1,happy,"{sad,ok}"\n2,,\n'
        with (
            pytest.raises(psycopg.errors.InvalidTextRepresentation) as error,
            root.cursor().copy("COPY moods FROM STDIN (FORMAT csv)") as copy,
        ):
            copy.write("3,glad,\n")
        assert "COPY moods, line 1, column m" in (error.value.diag.context or "")


@pytest.mark.parametrize("kind", ["USER", "STREAM"])
def test_a_subscriber_is_told_labels_new_ones_too_and_of_no_old_name(server, kind):
    options = "TYPE = 'STREAM', TTL_SECONDS = 60" if kind == "STREAM" else "TYPE = 'USER'"
    with server.root() as root:
        moods(root)
        root.execute("DROP TABLE moods")
        root.execute(f"CREATE TABLE moods (id int PRIMARY KEY, m mood, ms mood[]) WITH ({options})")
        root.execute('LISTEN "public.moods"')
        root.execute("INSERT INTO moods VALUES (1, 'happy', '{sad}')")
        root.execute("ALTER TYPE mood ADD VALUE 'new'")
        root.execute("INSERT INTO moods VALUES (2, 'new', '{new}')")
        told = [notice.payload for notice in root.notifies(timeout=10, stop_after=2)]
        root.execute("ALTER TYPE mood RENAME VALUE 'happy' TO 'glad'")
        root.execute("INSERT INTO moods VALUES (3, 'glad', NULL)")
        (ended,) = [notice.payload for notice in root.notifies(timeout=10, stop_after=1)]
    assert '"m":"happy","ms":["sad"]' in told[0].replace(" ", "")
    assert '"m":"new","ms":["new"]' in told[1].replace(" ", "")
    assert '"op":"error","code":"0A000"' in ended


def test_a_table_and_a_drop_of_its_type_wait_for_each_other(server):
    with server.root() as root, server.root() as other:
        moods(root)
        root.execute("DROP TABLE moods")
        root.execute("BEGIN")
        root.execute("CREATE TABLE moods (m mood)")
        told: list[str] = []

        def drop() -> None:
            try:
                other.execute("DROP TYPE mood")
            except psycopg.errors.DependentObjectsStillExist as exc:
                told.append(str(exc.diag.message_detail))

        dropping = Thread(target=drop)
        dropping.start()
        root.execute("COMMIT")
        dropping.join(20)
        assert told == ["column m of table moods depends on type mood"]


def test_rights_on_types_are_asked_where_they_are_used(server):
    with server.root() as root:
        moods(root)
        root.execute(f"CREATE USER worker WITH PASSWORD '{PASSWORD}' ROLE 'service'")
        root.execute("REVOKE USAGE ON TYPE mood FROM PUBLIC")
        with server.connect("worker") as worker:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="for type mood"):
                worker.execute("CREATE TABLE w (m mood)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="owner of type mood"):
                worker.execute("ALTER TYPE mood ADD VALUE 'x'")
            root.execute("GRANT USAGE ON TYPE mood TO worker")
            worker.execute("CREATE TABLE w (m mood)")
            worker.execute("CREATE TYPE own AS ENUM ('a')")
            worker.execute("DROP TYPE own")
