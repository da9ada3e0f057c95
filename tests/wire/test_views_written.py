"""Data changes through views: rows of every kind of table hot and cold, prepared, rights, kept over a restart.

What PostgreSQL answers is told by `conformance/files/own/views_written.sql` and `views_checked.sql`.
"""

# ruff: noqa: E501 -- one statement a line

import psycopg
import pytest

from tests.wire import interleaved
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

TOGETHER = {
    "a row that the view shows no more is left alone": """
        a: CREATE VIEW small AS SELECT id, n FROM t WHERE n < 25
        a: BEGIN
        a: UPDATE t SET n = 99 WHERE id = 1
        b: UPDATE small SET n = n + 1
        a: COMMIT
        b: SELECT * FROM t ORDER BY id
    """,
    "a row that is changed meanwhile is checked as it is then": """
        a: CREATE VIEW small AS SELECT id, n, s FROM t WHERE n < 25 OR s = 'q' WITH CHECK OPTION
        a: BEGIN
        a: UPDATE t SET s = 'q' WHERE id = 1
        b: UPDATE small SET n = 99 WHERE id = 1
        a: COMMIT
        b: UPDATE small SET n = 99 WHERE id = 2
        b: DELETE FROM small WHERE id < 3
        b: SELECT * FROM t ORDER BY id
    """,
}


@pytest.mark.parametrize("cold", [False, True], ids=["hot", "cold"])
@pytest.mark.parametrize("script", TOGETHER.values(), ids=TOGETHER)
def test_who_waits_for_whom_is_as_in_postgresql(servers, script, cold):
    then = "\nSTORAGE FLUSH TABLE t" if cold else ""
    assert interleaved.differences(servers, script, then=then) == ""


@pytest.fixture(scope="module")
def views(server: KalamServer) -> KalamServer:
    with server.root() as root:
        root.execute("CREATE SCHEMA w")
        for kind, options in (("user", ""), ("shared", ""), ("stream", ", TTL_SECONDS = 10000")):
            root.execute(
                f"CREATE TABLE w.{kind}_t (id int PRIMARY KEY, n int DEFAULT 5, s text, hidden int DEFAULT 1) "
                f"WITH (TYPE = '{kind.upper()}'{options})"
            )
            root.execute(
                f"CREATE VIEW w.{kind}_v AS SELECT id AS key, n AS number, upper(s) AS loud, s FROM w.{kind}_t "
                "WHERE n > 0 WITH CHECK OPTION"
            )
    return server


@pytest.mark.parametrize("kind", ["user", "shared", "stream"])
def test_the_rows_of_every_kind_of_table_are_written_through_its_views(views, kind):
    view, table = f"w.{kind}_v", f"w.{kind}_t"
    with views.root() as root:
        for cold in (False, True):
            if cold and kind != "stream":
                root.execute(f"STORAGE FLUSH TABLE {table}")
            for key in range(1, 9):
                # The same text again and again: as drivers send what they have prepared.
                root.execute(
                    f"INSERT INTO {view} (key, s) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET s = excluded.s || 'x'",
                    (key, "a"),
                    prepare=True,
                )
                root.execute(
                    f"UPDATE {view} SET number = %s WHERE key = %s", (key, key), prepare=True
                )
            with pytest.raises(psycopg.errors.WithCheckOptionViolation):
                root.execute(f"UPDATE {view} SET number = %s WHERE key = %s", (-1, 3), prepare=True)
            found = root.execute(f"DELETE FROM {view} WHERE loud = 'AX' AND key > 6 RETURNING key")
            assert found.fetchall() == ([(7,), (8,)] if cold else [])
        rows = root.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
        assert rows == [(key, key, "ax", 1) for key in range(1, 7)]
        root.execute(f"DELETE FROM {view}")


def test_what_breaks_a_check_option_is_refused_however_it_is_sent(views):
    with views.root() as root:
        for _ in range(10):
            with pytest.raises(psycopg.errors.WithCheckOptionViolation) as raised:
                root.execute(
                    "INSERT INTO w.shared_v (key, number) VALUES (%s, %s)", (50, -1), prepare=True
                )
        assert raised.value.diag.message_detail == "Failing row contains (50, -1, null, 1)."
        root.execute("BEGIN")
        root.execute("INSERT INTO w.shared_v (key, number) VALUES (60, 1)")
        with pytest.raises(psycopg.errors.WithCheckOptionViolation):
            root.execute("INSERT INTO w.shared_v (key, number) VALUES (61, 1), (62, 0)")
        root.execute("ROLLBACK")
        assert root.execute("SELECT count(*) FROM w.shared_t").fetchone() == (0,)


def test_each_user_writes_rows_of_their_own_and_needs_the_tables_rights(views):
    with views.connect("alice") as alice, views.connect("bob") as bob, views.root() as root:
        alice.execute("INSERT INTO w.user_v (key, s) VALUES (1, 'hers')")
        bob.execute("INSERT INTO w.user_v (key, s) VALUES (1, 'his')")
        bob.execute("UPDATE w.user_v SET s = 'changed'")
        assert alice.execute("SELECT s FROM w.user_v").fetchall() == [("hers",)]
        for statement in (
            "INSERT INTO w.shared_v (key) VALUES (1)",
            "UPDATE w.shared_v SET s = 'x'",
            "DELETE FROM w.shared_v",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                alice.execute(statement)
        root.execute("GRANT INSERT ON w.shared_t TO alice")
        alice.execute("INSERT INTO w.shared_v (key) VALUES (1)")
        root.execute("DELETE FROM w.shared_t")


def test_a_check_option_is_kept(tmp_path):
    server = KalamServer(tmp_path / "kalam").start()
    try:
        with server.root() as root:
            root.execute("CREATE TABLE t (id int PRIMARY KEY)")
            root.execute("CREATE VIEW v AS SELECT * FROM t WHERE id > 0 WITH LOCAL CHECK OPTION")
        server.kill()
        server.start()
        with server.root() as root, pytest.raises(psycopg.errors.WithCheckOptionViolation):
            root.execute("INSERT INTO v VALUES (0)")
    finally:
        server.stop()
