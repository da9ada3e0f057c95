"""DROP USER … PURGE: what a person wrote is in no file any more, and nobody else notices."""

import threading
import time
from pathlib import Path

import psycopg
import pytest

from tests.wire.server import PASSWORD, KalamServer

pytestmark = pytest.mark.slow

CANARY = "canary-of-a-person"
PATIENCE_S = 40

TABLES = (
    "CREATE TABLE chat.notes (id TEXT PRIMARY KEY, body TEXT, tag TEXT UNIQUE) WITH (TYPE = 'USER')",
    "CREATE TABLE chat.log (id BIGINT PRIMARY KEY, body TEXT) WITH (TYPE = 'USER')",
    "CREATE TABLE chat.seen (id SERIAL PRIMARY KEY, body TEXT) WITH (TYPE = 'USER')",
    "CREATE TABLE chat.typing (id BIGINT PRIMARY KEY, body TEXT) WITH (TYPE = 'STREAM', TTL_SECONDS = 60)",
)


def furnish(server: KalamServer) -> None:
    with server.root() as root:
        root.execute("CREATE NAMESPACE chat")
        for table in TABLES:
            root.execute(table)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    server = KalamServer(tmp_path_factory.mktemp("purged") / "data").start()
    furnish(server)
    yield server
    server.stop()


@pytest.fixture
def server(shared):
    yield shared
    with shared.root() as root:
        root.execute("DROP USER IF EXISTS alice, bob PURGE")


def live(server: KalamServer, name: str) -> None:
    """A person's ordinary life: rows hot and cold, changed, deleted, and as keys."""
    with server.root() as root:
        root.execute(f"CREATE USER {name} WITH PASSWORD '{PASSWORD}' EMAIL '{name}-{CANARY}@x.org'")
    with server.connect(name) as client:
        for part in range(3):
            with client.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO chat.notes VALUES (%s, %s, %s)",
                    [
                        (f"{name} {CANARY} {part} {n}", f"{CANARY} {n} " * 9, f"{CANARY}{part}{n}")
                        for n in range(300)
                    ],
                )
            client.execute(
                "INSERT INTO chat.log SELECT g, %s || g FROM generate_series(%s::int, %s) g",
                (CANARY, part * 1000, part * 1000 + 999),
            )
            client.execute("UPDATE chat.notes SET body = body || '!' WHERE body LIKE '%7%'")
            client.execute("DELETE FROM chat.notes WHERE body LIKE '%3%'")
            if part < 2:
                client.execute("STORAGE FLUSH TABLE chat.notes")
                client.execute("STORAGE FLUSH TABLE chat.log")
        client.execute("INSERT INTO chat.seen (body) VALUES (%s)", (CANARY,))
        client.execute("INSERT INTO chat.typing VALUES (1, %s)", (CANARY,))


def canaries(directory: Path) -> list[str]:
    found = []
    for path in sorted(directory.rglob("*")):
        try:
            if path.is_file() and CANARY.encode() in path.read_bytes():
                found.append(str(path.relative_to(directory)))
        except FileNotFoundError:
            continue
    return found


def user_id(root, name: str) -> int:
    return root.execute("SELECT user_id FROM system.users WHERE username = %s", (name,)).fetchone()[
        0
    ]


def wait_for_erasure(root, number: int) -> None:
    """Until the user of that id is erased, by this server."""
    until = time.monotonic() + PATIENCE_S
    while True:
        jobs = root.execute(
            "SELECT status, error FROM system.jobs"
            " WHERE job_type = 'user_erasure' AND parameters ->> 'user_id' = %s::text",
            (number,),
        ).fetchall()
        if "completed" in [status for status, _ in jobs]:
            return
        assert time.monotonic() < until, jobs
        threading.Event().wait(0.05)


def purge(root, name: str) -> int:
    """DROP USER … PURGE, and wait; the id that they had."""
    number = user_id(root, name)
    root.execute(f"DROP USER {name} PURGE")
    wait_for_erasure(root, number)
    return number


def test_no_byte_of_a_person_is_left_and_others_have_theirs(server: KalamServer):
    live(server, "alice")
    with server.root() as root:
        root.execute(f"CREATE USER bob WITH PASSWORD '{PASSWORD}'")
        with server.connect("bob") as bob:
            bob.execute(
                "INSERT INTO chat.notes SELECT g::text, 'bob', g FROM generate_series(1, 500) g"
            )
            bob.execute("STORAGE FLUSH TABLE chat.notes")
            bob.execute("INSERT INTO chat.notes VALUES ('hot', 'bob', 'hot')")
            assert canaries(server.directory)
            number = purge(root, "alice")
            assert canaries(server.directory) == []
            assert not (server.directory / "cold" / str(number)).exists()
            assert bob.execute("SELECT count(*) FROM chat.notes").fetchone() == (501,)
        assert root.execute(
            "SELECT count(*) FROM system.users WHERE username = 'alice'"
        ).fetchone() == (0,)
        # Somebody new of that name is somebody else.
        root.execute(f"CREATE USER alice WITH PASSWORD '{PASSWORD}'")
        assert user_id(root, "alice") != number
        with server.connect("alice") as alice:
            assert alice.execute("SELECT * FROM chat.notes").fetchall() == []
            assert alice.execute(
                "INSERT INTO chat.seen (body) VALUES ('x') RETURNING id"
            ).fetchone() == (1,)
    server.kill()
    server.start()
    assert canaries(server.directory) == []


def test_an_erasure_that_is_cut_off_is_begun_anew(tmp_path):
    server = KalamServer(tmp_path / "data").start(KALAM_FAILPOINTS="erase_user.begun:kill")
    furnish(server)
    live(server, "alice")
    with server.root() as root:
        gone = user_id(root, "alice")
        root.execute("DROP USER alice PURGE")
        assert server.process is not None
        server.process.wait(PATIENCE_S)
    for point in ("surrounded:kill@2", "merged:kill"):
        server.kill()
        server.start(KALAM_FAILPOINTS=f"erase_user.{point}")
        server.process.wait(PATIENCE_S)
    server.kill()
    server.start()
    with server.root() as root:
        wait_for_erasure(root, gone)
        assert not (server.directory / "cold" / str(gone)).exists()
        assert canaries(server.directory) == []
        assert refused(root, "ALTER USER alice RESTORE").sqlstate == "42704"
    server.stop()


def test_it_may_be_taken_back_until_it_is_committed(server: KalamServer):
    live(server, "alice")
    with server.root() as root, server.connect("alice") as alice:
        before = alice.execute("SELECT count(*), max(body) FROM chat.notes").fetchone()
        with root.transaction(force_rollback=True):
            root.execute("DROP USER alice PURGE")
            assert root.execute(
                "SELECT count(*) FROM system.users WHERE username = 'alice'"
            ).fetchone()
        assert alice.execute("SELECT count(*), max(body) FROM chat.notes").fetchone() == before
        alice.execute("INSERT INTO chat.notes VALUES ('later', 'b', 'c')")


def refused(root, statement: str) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        root.execute(statement)
    return caught.value


def test_who_owns_something_or_is_needed_stays(server: KalamServer):
    with server.root() as root:
        root.execute(f"CREATE USER dora WITH PASSWORD '{PASSWORD}' ROLE 'dba'")
        with server.connect("dora") as dora:
            dora.execute("CREATE TABLE chat.owned (id INT PRIMARY KEY)")
            dora.execute("CREATE VIEW chat.seen_by_dora AS SELECT 1 AS one")
            assert refused(dora, "DROP USER dora PURGE").sqlstate == "55006"
            assert refused(dora, "DROP USER root PURGE").sqlstate in ("2BP01", "42501")
        error = refused(root, "DROP USER dora PURGE")
        assert error.sqlstate == "2BP01"
        assert error.diag.message_primary == (
            'role "dora" cannot be dropped because some objects depend on it'
        )
        assert (
            error.diag.message_detail
            == "owner of table chat.owned\nowner of view chat.seen_by_dora"
        )
        root.execute("DROP USER dora")
        assert refused(root, "DROP USER dora PURGE").sqlstate == "2BP01"
        root.execute("ALTER TABLE chat.owned OWNER TO root; DROP VIEW chat.seen_by_dora")
        purge(root, "dora")
        assert refused(root, "ALTER USER dora RESTORE").sqlstate == "42704"
        assert refused(root, "DROP USER dora PURGE").sqlstate == "42704"
        root.execute("DROP USER IF EXISTS dora PURGE")


def test_whoever_is_connected_is_ended_and_what_they_had_begun_is_lost(server: KalamServer):
    live(server, "alice")
    with (
        server.connect("alice", autocommit=False) as writer,
        server.connect("alice") as reader,
        server.root() as root,
        server.root() as acting,
    ):
        writer.execute("INSERT INTO chat.notes VALUES (%s, %s, %s)", ("open", CANARY, "open"))
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("DECLARE c CURSOR FOR SELECT * FROM chat.notes")
        assert len(reader.execute("FETCH 5 FROM c").fetchall()) == 5
        number = user_id(root, "alice")
        acting.execute("SET ROLE alice")
        assert acting.execute("SELECT count(*) > 0 FROM chat.notes").fetchone() == (True,)
        root.execute("DROP USER alice PURGE")
        for session, statement in (
            (writer, "COMMIT"),
            (reader, "FETCH 5 FROM c"),
            (acting, "SELECT 1"),
        ):
            assert refused(session, statement).sqlstate == "57P01"
        wait_for_erasure(root, number)
        assert canaries(server.directory) == []


def test_others_notice_nothing(server: KalamServer):
    """They read and write all the while, some in long transactions: no error, and nobody waits for long."""
    live(server, "alice")
    stop, errors, slowest = threading.Event(), [], [0.0]
    with server.root() as root:
        root.execute(f"CREATE USER bob WITH PASSWORD '{PASSWORD}'")

        def work(number: int) -> None:
            try:
                with server.connect("bob") as bob:
                    for n in range(100_000):
                        if stop.is_set():
                            return
                        began = time.monotonic()
                        bob.execute(
                            "INSERT INTO chat.log VALUES (%s, 'b')", (number * 100_000 + n,)
                        )
                        assert bob.execute(
                            "SELECT count(*) FROM chat.log WHERE id = %s", (number * 100_000 + n,)
                        ).fetchone() == (1,)
                        slowest[0] = max(slowest[0], time.monotonic() - began)
            except Exception as exc:  # noqa: BLE001 -- told to the test's own thread
                errors.append(exc)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        try:
            purge(root, "alice")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert errors == []
        assert slowest[0] < 2.0
        assert canaries(server.directory) == []
