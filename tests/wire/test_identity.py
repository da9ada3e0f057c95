"""Over the wire, with workers, flushes and restarts: what is no more leaves nothing to what comes next."""

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from tests.wire.server import PASSWORD, KalamServer

pytestmark = pytest.mark.slow


@pytest.fixture
def own(tmp_path) -> Iterator[KalamServer]:
    server = KalamServer(tmp_path).start()
    with server.root() as root:
        root.execute("CREATE NAMESPACE shop")
        root.execute(f"CREATE USER alice WITH PASSWORD '{PASSWORD}'")
        root.execute(f"CREATE USER carol WITH PASSWORD '{PASSWORD}' ROLE 'service'")
    yield server
    server.stop()


DEAD = """
    CREATE TABLE shop.r (a text, id text PRIMARY KEY, b text);
    INSERT INTO shop.r VALUES ('x', '1', 'y'), ('z', '2', 'w');
"""


@pytest.mark.parametrize(
    "way",
    [
        f"BEGIN; {DEAD} ROLLBACK",
        f"BEGIN; SAVEPOINT s; {DEAD} ROLLBACK TO s; COMMIT",
        f"{DEAD} SELECT 1/0",
        f"BEGIN; {DEAD} SELECT count(*), max(a) FROM shop.r; DELETE FROM shop.r WHERE id = '1'; ROLLBACK",
    ],
    ids=["rollback", "rollback to", "a text that fails", "read by a worker"],
)
def test_the_next_table_has_its_own_rows_hot_and_cold_and_after_a_restart(own, way):
    with own.root() as root:
        for _ in range(3):
            with suppress(psycopg.errors.DivisionByZero):
                root.execute(way)
        root.execute("CREATE TABLE shop.t (id int PRIMARY KEY, n numeric(10, 2), b bytea)")
        root.execute("INSERT INTO shop.t SELECT i, i / 4.0, '\\x00' FROM generate_series(1, 10) i")
        root.execute("DELETE FROM shop.t WHERE id > 8")
        expected = [(8, 9)]
        question = "SELECT count(*), sum(n)::int FROM shop.t"
        assert root.execute(question).fetchall() == expected
        root.execute("STORAGE FLUSH TABLE shop.t")
        assert root.execute(question).fetchall() == expected
    own.kill()
    own.start()
    with own.root() as root:
        assert root.execute(question).fetchall() == expected
        old = root.execute("SELECT max(oid) FROM pg_class WHERE oid >= 16384").fetchone()
        root.execute("CREATE TABLE shop.later (id int PRIMARY KEY)")
        (new,) = root.execute("SELECT 'shop.later'::regclass::oid").fetchone()
        assert int(new) > int(old[0])
        assert root.execute("SELECT * FROM shop.later").fetchall() == []


def test_roles_have_oids_of_32_bits_wherever_an_oid_is_shown(own):
    with own.root() as root:
        rows = root.execute("SELECT rolname, oid FROM pg_roles ORDER BY oid").fetchall()
        assert [name for name, _ in rows] == ["root", "alice", "carol"]
        assert all(int(oid) < 1 << 32 for _, oid in rows)
        assert int(rows[0][1]) == 10
        alice = int(rows[1][1])
        ids = root.execute("SELECT user_id FROM system.users WHERE username = 'alice'").fetchone()
        assert ids[0] > 1 << 40
        root.execute("CREATE NAMESPACE hers AUTHORIZATION alice")
        for question in (
            "SELECT nspowner FROM pg_namespace WHERE nspname = 'hers'",
            "SELECT 'alice'::regrole::oid",
            "SELECT usesysid FROM pg_user WHERE usename = 'alice'",
            "SELECT oid FROM pg_authid WHERE rolname = 'alice'",
        ):
            assert int(root.execute(question).fetchone()[0]) == alice, question
        named = root.execute("SELECT pg_get_userbyid(%s), %s::oid::regrole::text", (alice, alice))
        assert named.fetchone() == ("alice", "alice")
    with own.connect("alice") as session, own.root() as root:
        seen = root.execute("SELECT usesysid FROM pg_stat_activity WHERE usename = 'alice'")
        assert int(seen.fetchone()[0]) == alice
        assert session.execute("SELECT 'alice'::regrole::oid::bigint").fetchone() == (alice,)


def test_a_user_who_is_made_after_a_rollback_has_nobodys_rows(own):
    with own.root() as root:
        root.execute("CREATE TABLE shop.mine (id int PRIMARY KEY) WITH (TYPE = 'USER')")
        lost = "EXECUTE AS USER 'alice' (INSERT INTO shop.mine VALUES (1))"
        root.execute(f"BEGIN; CREATE USER dave; {lost}; ROLLBACK")
        root.execute(f"CREATE USER dave WITH PASSWORD '{PASSWORD}'")
    with own.connect("dave") as dave:
        assert dave.execute("SELECT * FROM shop.mine").fetchall() == []
        dave.execute("INSERT INTO shop.mine VALUES (7)")
    with own.connect("alice") as alice:
        assert alice.execute("SELECT * FROM shop.mine").fetchall() == []
