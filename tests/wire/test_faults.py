"""Faults that were found with real clients, each as the session that showed it."""

import psycopg
import pytest

from tests.wire.server import KalamServer


def sqlstate(connection: psycopg.Connection, statement: str, *arguments) -> str | None:
    try:
        connection.execute(statement, *arguments)  # type: ignore[call-overload]
    except psycopg.Error as exc:
        return exc.sqlstate
    return None


def test_dates_that_python_does_not_know_are_read_from_cold_segments(server: KalamServer):
    with server.root() as root:
        root.execute(
            "CREATE TABLE ages (id INT PRIMARY KEY, d DATE, t TIMESTAMP) WITH (TYPE = 'USER')"
        )
        root.execute(
            """INSERT INTO ages VALUES (1, '0044-03-15 BC', '12000-01-01'), (2, 'infinity', '-infinity'),
                 (3, '2024-02-29', '2024-02-29 12:00')"""
        )
        expected = [
            ("0044-03-15 BC", "12000-01-01 00:00:00"),
            ("infinity", "-infinity"),
            ("2024-02-29", "2024-02-29 12:00:00"),
        ]
        query = "SELECT d::text, t::text FROM ages ORDER BY id"
        assert root.execute(query).fetchall() == expected
        root.execute("STORAGE FLUSH TABLE ages")
        assert root.execute(query).fetchall() == expected
        assert root.execute("SELECT count(*) FROM ages WHERE d < '2024-01-01'").fetchone() == (1,)
        root.execute("DROP TABLE ages")


UNSTORABLE = [
    ("numeric(10, 2)", "'NaN'", "0A000"),
    ("vector(3)", "'[1,2]'", "22000"),
]


@pytest.mark.parametrize(("column", "value", "expected"), UNSTORABLE)
def test_a_value_that_no_segment_could_hold_is_refused_at_once(server, column, value, expected):
    with server.root() as root:
        root.execute(f"CREATE TABLE odd (id INT PRIMARY KEY, v {column}) WITH (TYPE = 'USER')")
        assert sqlstate(root, f"INSERT INTO odd VALUES (1, {value})") == expected
        assert sqlstate(root, "STORAGE FLUSH TABLE odd") is None
        root.execute("DROP TABLE odd")


def test_a_parameter_that_nobody_gives_is_undefined(server: KalamServer):
    with server.root() as root:
        assert sqlstate(root, "SELECT $1") == "42P02"
        assert sqlstate(root, "SELECT $1::int + $2") == "42P02"


def test_a_hidden_key_is_hidden_from_the_catalogue_too(server: KalamServer):
    with server.root() as root:
        root.execute("CREATE TABLE keyless (a INT, b TEXT)")
        names = root.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'keyless'::regclass AND attnum > 0"
        ).fetchall()
        assert [name for (name,) in names] == ["a", "b"]
        root.execute("INSERT INTO keyless VALUES (1, 'x')")
        assert root.execute("SELECT * FROM keyless").fetchall() == [(1, "x")]
        root.execute("DROP TABLE keyless")


def test_names_of_objects_are_printed_as_names(server: KalamServer):
    printed = server.psql("SELECT 'pg_class'::regclass, pg_typeof(1), 'int4'::regtype;")
    assert printed == "pg_class|integer|integer\n"


def test_select_for_update_locks_what_it_shows(server: KalamServer):
    with server.root() as one, server.root() as two:
        one.execute("CREATE TABLE jobs (id INT PRIMARY KEY, state TEXT) WITH (TYPE = 'USER')")
        one.execute("INSERT INTO jobs VALUES (1, 'new'), (2, 'new'), (3, 'done')")
        one.execute("BEGIN")
        take = "SELECT id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
        assert one.execute(take).fetchall() == [(1,)]
        two.execute("BEGIN")
        assert sqlstate(two, "SELECT * FROM jobs WHERE id = 1 FOR UPDATE NOWAIT") == "55P03"
        two.execute("ROLLBACK")
        two.execute("SET lock_timeout = '50ms'")
        assert sqlstate(two, "UPDATE jobs SET state = 'mine' WHERE id = 1") == "55P03"
        one.execute("UPDATE jobs SET state = 'done' WHERE id = 1")
        one.execute("COMMIT")
        assert two.execute("SELECT id FROM jobs WHERE state = 'new' FOR UPDATE").fetchall() == [
            (2,)
        ]
        assert sqlstate(two, "SELECT count(*) FROM jobs FOR UPDATE") == "0A000"
        one.execute("DROP TABLE jobs")
