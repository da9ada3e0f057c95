"""pg_dump reads everything that people made, and what it writes is restored into PostgreSQL 15, and back."""

import shutil
import subprocess
from collections.abc import Iterator

import psycopg
import pytest

from tests.wire import postgresql
from tests.wire.server import KalamServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not postgresql.installed(), reason="postgresql-15 is not installed"),
]

SCHEMA = """
CREATE SCHEMA chat;
CREATE TYPE chat.mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN chat.size AS int CHECK (VALUE > 0);
CREATE DOMAIN chat.few AS chat.size CHECK (VALUE < 9);
CREATE DOMAIN chat.a_mood AS chat.mood;
CREATE TYPE chat.a_part AS (x int, mood chat.mood);
CREATE TYPE chat.a_pair AS (y chat.a_part, n int);
CREATE TABLE chat.rooms (
  id serial PRIMARY KEY, name text NOT NULL UNIQUE, created timestamptz DEFAULT now(),
  mood chat.mood DEFAULT 'ok', size chat.size, price numeric(10,2) DEFAULT 1.5 CHECK (price >= 0));
CREATE TABLE chat.messages (
  id bigint PRIMARY KEY, room int REFERENCES chat.rooms ON DELETE CASCADE, body text, tags text[],
  meta jsonb, at timestamp, b bytea);
CREATE TABLE public.keyless (a int, b text);
CREATE TABLE public.typed (id int PRIMARY KEY, f chat.few, m chat.a_mood, p chat.a_pair);
INSERT INTO typed VALUES (1, 3, 'ok', ROW(ROW(1, 'sad')::chat.a_part, 5));
CREATE TABLE chat.numbered (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v varchar(10) DEFAULT 'x');
CREATE INDEX messages_room ON chat.messages (room, at DESC);
CREATE UNIQUE INDEX rooms_lower ON chat.rooms (lower(name)) WHERE size > 3;
CREATE VIEW chat.recent AS SELECT m.id, body FROM chat.messages m WHERE room = 1;
CREATE SEQUENCE chat.counter START 5 INCREMENT 2;
COMMENT ON TABLE chat.rooms IS 'where people are';
COMMENT ON COLUMN chat.rooms.name IS 'what it''s called';
GRANT SELECT ON chat.rooms TO alice;
GRANT USAGE ON SCHEMA chat TO alice;
INSERT INTO chat.rooms (name, size) VALUES ('a', 4), ('B', 5);
INSERT INTO chat.messages VALUES
  (1, 1, E'tab\\there \\\\ nl\\nx', '{a,"b c"}', '{"k": 1}', '2026-01-01 10:00', '\\x00ff'),
  (2, 2, NULL, NULL, NULL, NULL, NULL);
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (NULL, '');
INSERT INTO chat.numbered (v) VALUES ('p'), ('q');
SELECT nextval('chat.counter');
CREATE VIEW chat.written AS SELECT id, room FROM chat.messages WHERE room > 0 WITH LOCAL CHECK OPTION;
CREATE VIEW of_keyless AS SELECT a AS first, b FROM keyless WHERE a IS NOT NULL;
CREATE VIEW beside AS WITH keyless AS (SELECT 1 AS a) SELECT k.a, keyless.a AS b
  FROM keyless JOIN public.keyless k USING (a);
CREATE FUNCTION chat.price_of(room int, rate numeric DEFAULT 1.5) RETURNS numeric LANGUAGE sql STABLE STRICT
  AS $$ SELECT price * rate FROM chat.rooms WHERE id = price_of.room $$;
CREATE FUNCTION chat.in_room(chat.rooms) RETURNS SETOF chat.messages LANGUAGE sql
  AS 'SELECT * FROM chat.messages WHERE room = $1.id';
CREATE FUNCTION chat.doubled(a int) RETURNS int IMMUTABLE RETURN a * 2;
CREATE FUNCTION chat.outs(INOUT a int, OUT b text, VARIADIC c int[] DEFAULT '{}') LANGUAGE sql
  AS $$ SELECT a, 'it''s ' || cardinality(c) $$;
COMMENT ON FUNCTION chat.doubled IS 'twice as much';
REVOKE ALL ON FUNCTION chat.doubled FROM PUBLIC;
GRANT EXECUTE ON FUNCTION chat.doubled TO alice;
CREATE AGGREGATE chat.total (int) (sfunc = int4pl, stype = int, initcond = '5', parallel = safe);
CREATE FUNCTION chat.joined(text, text) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws('/', $1, $2) $$;
CREATE AGGREGATE chat.list (t text) (sfunc = chat.joined, stype = text, finalfunc = upper,
  combinefunc = chat.joined);
CREATE AGGREGATE chat.least_of (VARIADIC anycompatiblearray) (sfunc = array_cat, stype = anycompatiblearray);
CREATE AGGREGATE chat.counted (*) (sfunc = int8inc, stype = int8, initcond = 0, mstype = int8,
  msfunc = int8inc, minvfunc = int8dec, minitcond = 0);
COMMENT ON AGGREGATE chat.total (int) IS 'adds up';
REVOKE ALL ON FUNCTION chat.list(text) FROM PUBLIC;
CREATE VIEW chat.lists AS SELECT room, chat.list(body ORDER BY id) AS bodies FROM chat.messages GROUP BY room;
CREATE VIEW chat.prices AS SELECT id, chat.price_of(id) AS price FROM chat.rooms;
ALTER TABLE chat.numbered ADD CHECK (chat.doubled(id) < 100);
ALTER TABLE keyless RENAME TO without_key;
ALTER TABLE without_key RENAME COLUMN b TO label;
"""

OURS = """
CREATE TABLE chat.own (id bigint PRIMARY KEY DEFAULT SNOWFLAKE_ID(), t text) WITH (TYPE = 'USER');
INSERT INTO chat.own VALUES (1, 'one''s own');
"""

QUESTIONS = (
    "SELECT id, f, m, p FROM typed",
    "SELECT * FROM chat.prices ORDER BY id",
    "SELECT chat.outs(1, 2, 3), chat.doubled(4), count(*) FROM chat.rooms r, chat.in_room(r)",
    "SELECT proname, pg_get_function_arguments(oid), pg_get_function_result(oid), proacl IS NULL, "
    "obj_description(oid, 'pg_proc') FROM pg_proc WHERE pronamespace = 'chat'::regnamespace ORDER BY 1",
    "SELECT id, name, mood, size, price FROM chat.rooms ORDER BY id",
    "SELECT * FROM chat.messages ORDER BY id",
    "SELECT * FROM without_key ORDER BY a, label",
    "SELECT * FROM of_keyless ORDER BY 1, 2",
    "SELECT * FROM beside ORDER BY 1, 2",
    "SELECT * FROM chat.recent",
    "INSERT INTO chat.rooms (name) VALUES ('next') RETURNING id, mood, price",
    "INSERT INTO chat.numbered DEFAULT VALUES RETURNING *",
    "SELECT nextval('chat.counter')",
    "SELECT obj_description('chat.rooms'::regclass), col_description('chat.rooms'::regclass, 2)",
    "SELECT has_table_privilege('alice', 'chat.rooms', 'SELECT')",
    "SELECT has_schema_privilege('alice', 'chat', 'USAGE')",
    "SELECT count(*) FROM pg_constraint"
    " WHERE connamespace = 'chat'::regnamespace AND contype IN ('p', 'u', 'f', 'c')",
)
REFUSED = {
    "INSERT INTO chat.rooms (name) VALUES ('a')": "23505",
    "INSERT INTO chat.rooms (name, size) VALUES ('A', 7)": "23505",
    "INSERT INTO chat.rooms (name, price) VALUES ('z', -1)": "23514",
    "INSERT INTO chat.rooms (name, size) VALUES ('z', -1)": "23514",
    "INSERT INTO chat.messages (id, room) VALUES (9, 99)": "23503",
}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgresql.running(tmp_path_factory.mktemp("postgresql")) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE ROLE root SUPERUSER; CREATE ROLE alice")
        yield dsn


@pytest.fixture
def server(tmp_path) -> Iterator[KalamServer]:
    server = KalamServer(tmp_path / "data").start()
    with server.root() as root:
        root.execute("CREATE USER alice; CREATE USER postgres")
    yield server
    server.stop()


def dumped(dsn: str, *options: str) -> str:
    done = subprocess.run(
        [str(postgresql.PROGRAMS / "pg_dump"), *options, "-d", dsn],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def restored(dsn: str, text: str) -> None:
    """psql reads it, and ends at the first error."""
    psql = shutil.which("psql")
    assert psql is not None
    done = subprocess.run(
        [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn],
        input=text, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def new_database(oracle: str, name: str) -> str:
    with psycopg.connect(oracle, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return oracle.replace("dbname=postgres", f"dbname={name}")


def dsn_of(server: KalamServer) -> str:
    return f"host={server.directory} port={server.port} user=root dbname=kalam"


def answers(dsn: str) -> list[object]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement, sqlstate in REFUSED.items():
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(statement)
            assert caught.value.sqlstate == sqlstate, statement
        return [connection.execute(question).fetchall() for question in QUESTIONS]


def test_what_is_here_is_restored_into_postgresql_and_what_is_there_here(
    server: KalamServer, oracle: str, tmp_path
):
    with server.root() as root:
        root.execute(SCHEMA)
    text = dumped(dsn_of(server))
    assert "\nGRANT SELECT ON TABLE chat.rooms TO alice;" in text
    assert "system." not in text
    there = new_database(oracle, "there")
    restored(there, text)
    again = dumped(there)
    here = answers(dsn_of(server))
    assert answers(there) == here
    back = KalamServer(tmp_path / "back").start()
    try:
        with back.root() as root:
            root.execute("CREATE USER alice")
        restored(dsn_of(back), again)
        assert answers(dsn_of(back)) == here
    finally:
        back.stop()


def test_a_table_is_of_its_kind_in_the_dump_and_pg_dump_can_leave_that_out(
    server: KalamServer, oracle: str, tmp_path
):
    with server.root() as root:
        root.execute("CREATE SCHEMA chat")
        root.execute(OURS)
    text = dumped(dsn_of(server))
    assert "SET default_table_access_method = kalam_user;" in text
    back = KalamServer(tmp_path / "back").start()
    try:
        restored(dsn_of(back), text)
        with back.root() as root:
            root.execute("CREATE USER bob")
            assert root.execute("SELECT * FROM chat.own").fetchall() == [(1, "one's own")]
            assert root.execute(
                "EXECUTE AS USER 'bob' (SELECT count(*) FROM chat.own)"
            ).fetchone() == (0,)
            assert root.execute(
                "INSERT INTO chat.own (t) VALUES ('x') RETURNING id > 1"
            ).fetchone() == (True,)
    finally:
        back.stop()
    there = new_database(oracle, "own")
    with psycopg.connect(there, autocommit=True) as connection:
        connection.execute(
            "CREATE SCHEMA system; CREATE FUNCTION system.snowflake_id() RETURNS bigint LANGUAGE sql"
            " AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint'"
        )
    restored(there, dumped(dsn_of(server), "--no-table-access-method"))
    with psycopg.connect(there) as connection:
        assert connection.execute("SELECT * FROM chat.own").fetchall() == [(1, "one's own")]


def test_access_lists_are_what_was_granted(server: KalamServer):
    with server.root() as root:
        root.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE SEQUENCE s; CREATE SCHEMA n")

        def acl(kind: str, name: str) -> object:
            column, relation, called = {
                "table": ("relacl", "pg_class", "relname"),
                "schema": ("nspacl", "pg_namespace", "nspname"),
            }[kind]
            found = root.execute(
                f"SELECT {column}::text FROM {relation} WHERE {called} = '{name}'"
            ).fetchone()
            assert found is not None
            return found[0]

        assert (acl("table", "t"), acl("table", "s"), acl("schema", "n")) == (None, None, None)
        assert acl("schema", "public") == "{root=UC/root,=U/root}"
        root.execute("GRANT SELECT, INSERT ON t TO alice; GRANT SELECT ON t TO PUBLIC")
        root.execute("GRANT USAGE ON SEQUENCE s TO alice; GRANT CREATE ON SCHEMA n TO alice")
        assert acl("table", "t") == "{root=arwdDxt/root,alice=ar/root,=r/root}"
        assert acl("table", "s") == "{root=rwU/root,alice=U/root}"
        assert acl("schema", "n") == "{root=UC/root,alice=C/root}"
        found = root.execute(
            "SELECT grantee::regrole::text, privilege_type, is_grantable FROM pg_class, aclexplode(relacl)"
            " WHERE relname = 's' ORDER BY 1, 2"
        ).fetchall()
        assert found == [
            ("alice", "USAGE", False), ("root", "SELECT", False), ("root", "UPDATE", False),
            ("root", "USAGE", False),
        ]  # fmt: skip
        assert root.execute("SELECT acldefault('T', 10), acldefault('r', 10)").fetchone() == (
            ["=U/root", "root=U/root"], ["root=arwdDxt/root"],
        )  # fmt: skip
        assert root.execute("SELECT * FROM pg_options_to_table('{a=1,b,c=d=e}')").fetchall() == [
            ("a", "1"),
            ("b", None),
            ("c", "d=e"),
        ]
        root.execute("REVOKE ALL ON t FROM alice; REVOKE ALL ON t FROM PUBLIC")
        assert acl("table", "t") is None
