"""Subscriptions read as rows, attacked: cancelled, cut, killed, not read, overtaken by their server's end."""

from contextlib import ExitStack

import pytest

from tests.wire.followers import (
    FORMS,
    ByCopy,
    ByExecute,
    ByPortal,
    ByResult,
    EndedError,
    apply,
)
from tests.wire.raw import RawClient, query, row_values
from tests.wire.server import KalamServer
from tests.wire.test_cursors_at_size import memory_mb
from tests.wire.test_lock_faults import cancel

pytestmark = pytest.mark.slow


@pytest.fixture
def table(server, chat):
    with server.root() as root:
        root.execute(f"CREATE TABLE {chat}.m (id int PRIMARY KEY, body text) WITH (TYPE = 'USER')")
    return f"{chat}.m"


@pytest.mark.parametrize("form", [ByCopy, ByResult, ByExecute])
def test_it_is_cancelled_and_the_session_goes_on(server, table, form):
    with form(server, "alice", table, progress="100ms") as follower:
        follower.next(1)  # It has begun.
        cancel(server, follower.client)
        with pytest.raises(EndedError) as ended:
            follower.next(100)
        assert ended.value.sqlstate == "57014"
        assert follower.client.answer().kinds == "Z"
        assert follower.client.simple("SELECT 1").rows == [("1",)]


def test_a_cancelled_fetch_consumes_nothing(server, writer, table):
    """Cancelled while it waits, and while its client does not read what it has been sent already."""
    with RawClient(server, "alice") as client:
        client.simple(f"DECLARE c CURSOR FOR SUBSCRIBE TO SELECT id, body FROM {table}")
        client.send(query("FETCH 2 FROM c"))
        cancel(server, client)
        assert client.answer().sqlstate == "57014"
        count = 300
        many = f"SELECT g, repeat('x', 100000) FROM generate_series(0, {count - 1}) g"
        writer.execute(f"INSERT INTO {table} {many}")
        seen: list[int] = []
        cancelled = 0
        while cancelled < 2:
            client.send(query("FETCH ALL FROM c"))
            assert client.receive()[0] == "T"
            kind, first = client.receive()
            assert kind == "D"
            # Some of its 30 MB have been sent, and no more are taken.
            cancel(server, client)
            answer = client.answer()
            if answer.sqlstate is None:  # What was ready at once had been sent whole.
                seen += [int(row[3]) for row in (row_values(first), *answer.rows)]
                continue
            cancelled += 1
            assert answer.sqlstate == "57014"
            assert len(answer.rows) < count - 1
        while len(seen) < count:
            seen += [int(row[3]) for row in client.simple("FETCH 40 FROM c").rows]
        assert seen == list(range(count))
        assert client.simple("FETCH c WITH (timeout = 0)").tags == ["FETCH 0"]


def test_a_client_goes_on_in_the_middle_of_a_transaction_after_kill_9(tmp_path):
    """Whatever form it reads and wherever it was cut: the rest of the transaction, then what follows."""
    server = KalamServer(tmp_path / "data").start()
    try:
        with server.root() as root:
            root.execute("CREATE TABLE t (id int PRIMARY KEY, v text) WITH (TYPE = 'SHARED')")
            root.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
            with ByCopy(server, "root", "t") as follower:
                rows = follower.next(2)
                with root.transaction():
                    root.execute("INSERT INTO t VALUES (3, 'c'), (4, 'd')")
                    root.execute("UPDATE t SET v = 'A' WHERE id = 1")
                root.execute("DELETE FROM t WHERE id = 2")
                rows += follower.next(4)
            root.execute("STORAGE FLUSH TABLE t")
            # The newest commit is one that no start knows of: no token may be its.
            root.execute(
                "CREATE TABLE typing (id int PRIMARY KEY) WITH (TYPE = 'STREAM', TTL_SECONDS = 60)"
            )
            root.execute("INSERT INTO typing VALUES (1)")
            with ByCopy(server, "root", "t", progress="100ms") as idle:
                *_, newest, silence = idle.next(4)
        server.kill()
        server.start()
        with server.root() as root:
            root.execute("INSERT INTO t VALUES (5, 'e')")
            assert silence[1] == "progress"
            for token in (newest[2], silence[2]):
                with ByCopy(server, "root", "t", from_seq=token) as again:
                    assert again.next(1)[0][3:] == ("5", "e")
            contents = {str(key): (str(key), v) for key, v in root.execute("SELECT id, v FROM t")}
            for at, form in zip(range(1, 6), FORMS, strict=False):
                token = rows[at][2]
                with form(server, "root", "t", from_seq=token) as again:
                    rest = again.next(len(rows) - at)
                    assert rest[:-1] == rows[at + 1 :]
                    held = {}
                    apply(rows[: at + 1] + rest, held)
                    assert held == contents
    finally:
        server.stop()


@pytest.mark.parametrize("form", [ByCopy, ByPortal])
def test_a_client_that_does_not_read_costs_nothing_and_misses_nothing(server, writer, table, form):
    """30 MB are written while it stands still; it has them all, the others notice nothing."""
    with form(server, "alice", table, progress="100ms") as slow:
        slow.next(1)
        before, count = memory_mb(server), 1500
        for start in range(0, count, 100):
            many = f"SELECT g, repeat('x', 20000) FROM generate_series({start}, {start + 99}) g"
            writer.execute(f"INSERT INTO {table} {many}")
        writer.execute(f"STORAGE FLUSH TABLE {table}")
        grown = memory_mb(server) - before
        seen = []
        while len(seen) < count:
            seen += [int(row[3]) for row in slow.next(1) if row[1] != "progress"]
        assert seen == list(range(count))
        # What was written is in LevelDB's buffer and in the tail, whoever follows.
        assert grown < 150, grown


def test_a_server_that_ends_says_so(tmp_path):
    server = KalamServer(tmp_path / "data").start()
    with ExitStack() as stack:
        root = stack.enter_context(RawClient(server))
        root.simple("CREATE TABLE t (id int PRIMARY KEY) WITH (TYPE = 'SHARED')")
        root.simple("INSERT INTO t VALUES (1)")
        forms = (ByCopy, ByResult, ByExecute)
        followers = [stack.enter_context(form(server, "root", "t")) for form in forms]
        for follower in followers:
            follower.next(1)
        root.simple("DECLARE c CURSOR FOR SUBSCRIBE TO t")
        root.simple("FETCH c")
        root.send(query("FETCH c"))
        server.stop()
        assert root.answer().errors[0]["C"] == "57P01"
        for follower in followers:
            with pytest.raises(EndedError) as ended:
                follower.next(1)
            assert (ended.value.sqlstate, ended.value.severity) == ("57P01", "FATAL")
            assert follower.client.closed_by_server()


def test_roles_and_rights_end_it(server, table, chat):
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {chat}.s (id int PRIMARY KEY) WITH (ACCESS_LEVEL = 'RESTRICTED')"
        )
        root.execute(f"GRANT SELECT ON {chat}.s TO alice")
        root.execute(f"INSERT INTO {chat}.s VALUES (1)")
        followers = [form(server, "alice", f"{chat}.s") for form in FORMS]
        for follower in followers:
            follower.next(1)
        root.execute(f"REVOKE SELECT ON {chat}.s FROM alice")
        for follower in followers:
            with pytest.raises(EndedError) as ended:
                follower.next(1)
            assert ended.value.sqlstate == "42501"
            follower.client.close()
        with RawClient(server, "alice") as client:
            assert client.simple(f"COPY (SUBSCRIBE TO {chat}.s) TO STDOUT").sqlstate == "42501"
    with RawClient(server) as root:
        root.simple(f"DECLARE c CURSOR FOR SUBSCRIBE TO {table}")
        root.simple("SET ROLE alice")
        assert root.simple("FETCH c").errors[0]["M"] == "the session has another role now"
        for statement in (
            f"COPY (SUBSCRIBE TO {table}) TO STDOUT",
            f"DECLARE d CURSOR FOR SUBSCRIBE TO {table}",
        ):
            root.simple("RESET ROLE")
            assert root.simple(f"EXECUTE AS USER 'bob' ({statement})").sqlstate == "0A000"


@pytest.mark.parametrize("form", FORMS)
def test_a_transaction_larger_than_any_buffer_is_told_whole_and_resumed_within(
    server, writer, table, form
):
    with form(server, "alice", table, progress="10s") as follower:
        follower.next(1)
        with writer.transaction():
            writer.execute(
                f"INSERT INTO {table} SELECT i, 'x' FROM generate_series(1, 3000) AS s(i)"
            )
            writer.execute(f"INSERT INTO {table} SELECT 3001, repeat('y', 3000000)")
        writer.execute(f"INSERT INTO {table} VALUES (3002, 'z')")
        rows = follower.next(3002)
    assert [int(row[3]) for row in rows] == list(range(1, 3003))
    (seq,) = {row[0] for row in rows[:-1]}
    assert [row[2] for row in rows[:-1]] == [f"{seq}.{n}" for n in range(3001)]
    with form(server, "alice", table, from_seq=rows[1234][2]) as resumed:
        assert resumed.next(3002 - 1235) == rows[1235:]
