"""What others may see of what a session does: pg_stat_activity, and how a session is ended from inside."""

import psycopg
import pytest
from psycopg import pq

from tests.wire.server import PASSWORD

QUERY = """
SELECT query, state, wait_event, client_addr::text, xact_start IS NULL FROM pg_stat_activity WHERE pid = %s
"""


@pytest.fixture(scope="module")
def roles(server):
    with server.root() as root:
        for role in ("user", "service", "dba"):
            root.execute(f"CREATE USER seen_{role} WITH PASSWORD '{PASSWORD}' ROLE '{role}'")
        root.execute("CREATE TABLE watched (id int PRIMARY KEY, body text)")


def test_the_statement_that_runs_or_ran_is_shown(server, roles):
    with server.connect("seen_dba") as one, server.connect("seen_dba") as other:
        pid = one.info.backend_pid

        def seen():
            return other.execute(QUERY, (pid,)).fetchall()

        one.execute("SELECT 1 AS shown")
        assert seen() == [("SELECT 1 AS shown", "idle", "ClientRead", "127.0.0.1/32", True)]
        for number in (1, 2, 3):
            one.execute(f"INSERT INTO watched VALUES ({number}, 'text')")
            assert seen()[0][0] == f"INSERT INTO watched VALUES ({number}, 'text')"
            one.execute("SELECT body FROM watched WHERE id = %s", (number,), prepare=True)
            assert seen()[0][0] == "SELECT body FROM watched WHERE id = $1"
        one.execute("BEGIN")
        assert (seen()[0][1], seen()[0][4]) == ("idle in transaction", False)
        one.execute("ROLLBACK")
        one.execute("SELECT '" + "é" * 2000 + "'")
        assert seen()[0][0] == "SELECT '" + "é" * 507
        one.pgconn.send_query(b"SELECT pg_sleep(60)")
        while seen()[0][:3] != ("SELECT pg_sleep(60)", "active", None):
            other.execute("SELECT pg_sleep(0.01)")
        one.cancel_safe()
        assert one.pgconn.get_result().status == pq.ExecStatus.FATAL_ERROR
        assert one.pgconn.get_result() is None


def test_texts_are_shown_to_those_who_may_read_what_is_in_them(server, roles):
    users = ("seen_user", "seen_service", "seen_dba")
    links = {user: server.connect(user) for user in users}
    links["root"] = server.root()
    try:
        for user, link in links.items():
            link.execute(f"SELECT 'secret of {user}'")
        read = "SELECT usename, query FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        hidden = "<insufficient privilege>"
        told = {}
        for user in users:
            with server.connect(user) as link:
                told[user] = dict(link.execute(read).fetchall())
        texts = {user: f"SELECT 'secret of {user}'" for user in links}
        assert told["seen_user"] == {"seen_user": texts["seen_user"]}
        assert told["seen_service"] == {
            **dict.fromkeys(links, hidden),
            "seen_service": texts["seen_service"],
        }
        assert told["seen_dba"] == {**texts, "root": hidden}
    finally:
        for link in links.values():
            link.close()


def test_a_session_that_ends_itself_is_told_so_and_nothing_else(server, roles):
    with server.connect("seen_dba") as link:
        with pytest.raises(psycopg.errors.AdminShutdown) as caught:
            link.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        assert caught.value.diag.severity == "FATAL"
        assert link.closed


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT 'ok' FROM pg_sleep(0.01)", [("ok",)]),
        ("SELECT * FROM pg_sleep(0.01)", [("",)]),
        ("SELECT 1 FROM pg_sleep(0.01) WHERE false", []),
        ("SELECT 1 FROM pg_sleep_for('1 ms') LIMIT 0", []),
        ("SELECT count(*) FROM pg_advisory_lock(77), pg_sleep(0)", None),
    ],
)
def test_from_may_wait(server, query, rows):
    with server.root() as root:
        if rows is None:
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                root.execute(query)
        else:
            assert root.execute(query).fetchall() == rows


def test_a_wait_in_from_can_be_cancelled(server):
    with server.root() as sleeper:
        sleeper.execute("SET statement_timeout = 50")
        with pytest.raises(psycopg.errors.QueryCanceled):
            sleeper.execute("SELECT 1 FROM pg_sleep(60)")


def test_read_uncommitted_is_shown_by_its_name(server):
    with server.root() as root:
        shown = "SHOW transaction_isolation"
        root.execute("BEGIN ISOLATION LEVEL READ UNCOMMITTED")
        root.execute("SET TRANSACTION READ ONLY")
        seen = [root.execute(shown).fetchone()]
        root.execute("COMMIT")
        root.execute("SET default_transaction_isolation = 'read uncommitted'")
        root.execute("BEGIN")
        seen.append(root.execute(shown).fetchone())
        root.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        seen.append(root.execute(shown).fetchone())
        root.execute("ROLLBACK")
        seen.append(root.execute(shown).fetchone())
        assert [level for (level,) in seen] == [
            "read uncommitted", "read uncommitted", "read committed", "read uncommitted",
        ]  # fmt: skip


def test_what_nobody_counts_is_unknown(server):
    with server.root() as root:
        asked = (
            "SELECT pg_stat_get_numscans(oid), pg_stat_get_live_tuples(oid) FROM pg_class LIMIT 1"
        )
        assert root.execute(asked).fetchone() == (None, None)
