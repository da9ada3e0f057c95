"""A wait for a lock and what may end it, in the same turn as the grant: a lock has one owner, or none."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.wire.raw import RawClient, message, query
from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

ROUNDS = 24
PATIENCE_S = 10.0


@pytest.fixture(scope="module")
def root(server: KalamServer) -> Iterator[RawClient]:
    """Watches the locks, and has made the table."""
    with RawClient(server) as root:
        root.simple("CREATE TABLE held (id INT PRIMARY KEY, n INT)")
        root.simple("GRANT SELECT, INSERT, UPDATE, DELETE ON held TO PUBLIC")
        root.simple("INSERT INTO held VALUES (1, 0)")
        yield root
        root.simple("DROP TABLE held")


def until(root: RawClient, condition: str, count: int) -> None:
    """Wait until so many locks are as the condition says."""
    deadline = time.monotonic() + PATIENCE_S
    while root.simple(f"SELECT count(*) FROM pg_locks WHERE {condition}").rows != [(str(count),)]:
        assert time.monotonic() < deadline, root.simple("SELECT * FROM pg_locks").rows


def let_run(time_ms: float) -> None:
    """Let the waiter's time run. Nothing could be asked for instead: the grant is to come when the time
    is up, some rounds before and some after, and whichever is first the end is to be the same.
    """
    time.sleep(time_ms / 1000)


def cancel(server: KalamServer, client: RawClient) -> None:
    """Send a CancelRequest."""
    with socket.create_connection(("127.0.0.1", server.port)) as other:
        other.sendall(message(b"", (80877102).to_bytes(4) + client.key))
        other.recv(1)


Way = Callable[[KalamServer, RawClient, RawClient], None]

WAYS: dict[str, Way] = {
    "cancelled": lambda server, _root, waiter: cancel(server, waiter),
    "disconnected": lambda _server, _root, waiter: waiter.close(),
    "terminated": lambda _server, root, _waiter: root.send(query("ALTER USER bob NOLOGIN")),
    "out of time": lambda _server, _root, _waiter: None,
}

LOCK_TIMEOUT_MS = 20

WAITS = {
    "a row": ("UPDATE held SET n = n + 1 WHERE id = 1", "UPDATE held SET n = n + 1 WHERE id = 1"),
    "a row to share": ("UPDATE held SET n = n + 1", "SELECT n FROM held FOR SHARE"),
    "a key": ("INSERT INTO held VALUES (2, 0)", "INSERT INTO held VALUES (2, 1)"),
    "a table": ("LOCKED", "UPDATE held SET n = n + 1"),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_grant_meets_the_end_of_the_wait(server, root, way, wait):
    first, second = wait
    holder = RawClient(server) if first == "LOCKED" else RawClient(server, "alice")
    with holder:
        for number in range(ROUNDS):
            waiter = RawClient(server, "bob")
            if way is WAYS["out of time"]:
                waiter.simple(f"SET lock_timeout = '{LOCK_TIMEOUT_MS}ms'")
            assert holder.simple("BEGIN").sqlstate is None
            took = "DROP TABLE held" if first == "LOCKED" else first
            assert holder.simple(took).sqlstate is None
            waiter.send(query(second))
            if way is WAYS["out of time"]:
                let_run(LOCK_TIMEOUT_MS - 2 + 4 * number / ROUNDS)
            else:
                until(root, "NOT granted", 1)
            end = query("ROLLBACK")
            if number % 2:
                way(server, root, waiter)
                holder.send(end)
            else:
                holder.send(end)
                way(server, root, waiter)
            assert holder.answer().tags == ["ROLLBACK"]
            if way is WAYS["terminated"]:
                assert root.answer().sqlstate is None
                assert root.simple("ALTER USER bob LOGIN").sqlstate is None
            elif way is not WAYS["disconnected"]:
                waiter.answer()
            until(root, "true", 0)
            waiter.close()
            root.simple("DELETE FROM held WHERE id = 2")  # The waiter may have been faster.
    assert root.simple("SELECT id FROM held FOR UPDATE NOWAIT").rows == [("1",)]


def test_a_deadlock_names_the_sessions_and_no_rows(server, root):
    with RawClient(server, "alice") as alice, RawClient(server, "bob") as bob:
        root.simple("INSERT INTO held VALUES (2, 0)")
        for client, number in ((alice, 1), (bob, 2)):
            client.simple("BEGIN")
            client.simple(f"UPDATE held SET n = 1 WHERE id = {number}")
        alice.send(query("UPDATE held SET n = 1 WHERE id = 2"))
        until(root, "NOT granted", 1)
        (error,) = bob.simple("UPDATE held SET n = 1 WHERE id = 1").errors
        assert alice.answer().tags == ["UPDATE 1"]  # before bob has said ROLLBACK
        relation = root.simple("SELECT 'held'::regclass::oid").rows[0][0]
        pids = [int.from_bytes(client.key[:4]) for client in (bob, alice)]
        on = f"ExclusiveLock on tuple of relation {relation}"
        assert (error["C"], error["M"]) == ("40P01", "deadlock detected")
        assert error["D"] == (
            f"Process {pids[0]} waits for {on}; blocked by process {pids[1]}.\n"
            f"Process {pids[1]} waits for {on}; blocked by process {pids[0]}."
        )
        assert error["H"] == "See server log for query details."


def test_a_user_sees_their_own_locks_and_nobody_elses(server, root):
    with RawClient(server, "alice") as alice, RawClient(server, "bob") as bob:
        bob.simple("BEGIN; UPDATE held SET n = 1 WHERE id = 1")
        alice.send(query("UPDATE held SET n = 2 WHERE id = 1"))
        until(root, "NOT granted", 1)
        assert bob.simple("SELECT DISTINCT pid = pg_backend_pid() FROM pg_locks").rows == [("t",)]
        seen = root.simple("SELECT locktype, mode, granted FROM pg_locks ORDER BY 1, 3").rows
        assert seen == [
            ("relation", "RowExclusiveLock", "t"),
            ("relation", "RowExclusiveLock", "t"),
            ("tuple", "ExclusiveLock", "f"),
            ("tuple", "ExclusiveLock", "t"),
        ]
        bob.simple("ROLLBACK")
        assert alice.answer().tags == ["UPDATE 1"]
