"""TRUNCATE: all rows at once, one entry of the log, one event; undone with its block, kept by kill -9."""

import threading

import psycopg
import pytest

from tests.wire.followers import FORMS, ByCopy, apply
from tests.wire.listening import channel_of, hear, listen, ops, rows_of
from tests.wire.server import KalamServer

each_form = pytest.mark.parametrize("form", FORMS)

KINDS = {
    "USER": "WITH (TYPE = 'USER')",
    "SHARED": "WITH (TYPE = 'SHARED')",
    "STREAM": "WITH (TYPE = 'STREAM', TTL_SECONDS = 3600)",
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def tables(server, chat):
    """One table of each kind, by kind; alice may do everything with them."""
    made = {}
    with server.root() as root:
        for kind, options in KINDS.items():
            made[kind] = f"{chat}.{kind.lower()}_rows"
            root.execute(
                f"CREATE TABLE {made[kind]} (id int PRIMARY KEY, room int, body text) {options}"
            )
        root.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {made['SHARED']} TO alice, bob")
    return made


def ids(connection, table):
    """What it sees, however it is asked."""
    whole = [row[0] for row in connection.execute(f"SELECT id FROM {table} ORDER BY id")]
    assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (len(whole),)
    assert connection.execute(f"SELECT sum(id), max(body) FROM {table}").fetchone()[0] == (
        sum(whole) if whole else None
    )
    newest = connection.execute(f"SELECT id FROM {table} WHERE room = 1 ORDER BY id DESC LIMIT 3")
    assert [row[0] for row in newest] == whole[-3:][::-1]
    for number in range(1, 8):
        found = connection.execute(f"SELECT id FROM {table} WHERE id = %s", (number,)).fetchall()
        assert [row[0] for row in found] == [number] * (number in whole)
    return whole


def fill(connection, table, *numbers):
    rows = ", ".join(f"({number}, 1, 'r{number}')" for number in numbers)
    connection.execute(f"INSERT INTO {table} VALUES {rows}")


@each_kind
def test_every_row_of_the_callers_goes_and_others_keep_theirs(server, tables, writer, kind):
    table = tables[kind]
    with server.connect("bob") as bob:
        if kind != "SHARED":
            fill(bob, table, 1)
        fill(writer, table, 1, 2, 3)
        assert writer.execute(f"TRUNCATE TABLE {table}").statusmessage == "TRUNCATE TABLE"
        assert ids(writer, table) == []
        assert ids(bob, table) == ([] if kind == "SHARED" else [1])
        fill(writer, table, 2)
        assert ids(writer, table) == [2]


@each_kind
def test_in_a_block_it_is_seen_at_once_and_undone_as_a_whole(server, tables, writer, kind):
    table = tables[kind]
    fill(writer, table, 1, 2)
    with server.connect("alice") as other:
        with writer.transaction(force_rollback=True):
            fill(writer, table, 3)
            writer.execute(f"TRUNCATE {table}")
            assert ids(writer, table) == []
            assert ids(other, table) == [1, 2]
            fill(writer, table, 1, 5)  # 1 was there: it is new now.
            assert ids(writer, table) == [1, 5]
        assert ids(writer, table) == [1, 2]
        with writer.transaction():
            fill(writer, table, 3)
            writer.execute("SAVEPOINT a")
            writer.execute(f"UPDATE {table} SET body = 'changed' WHERE id = 3")
            writer.execute(f"TRUNCATE {table}")
            fill(writer, table, 4)
            writer.execute("SAVEPOINT b")
            writer.execute(f"TRUNCATE {table}")
            assert ids(writer, table) == []
            writer.execute("ROLLBACK TO b")
            assert ids(writer, table) == [4]
            writer.execute("ROLLBACK TO a")
            assert ids(writer, table) == [1, 2, 3]
            assert writer.execute(f"SELECT body FROM {table} WHERE id = 3").fetchone() == ("r3",)
            writer.execute(f"TRUNCATE {table}")
            fill(writer, table, 2, 6)
            writer.execute(f"DELETE FROM {table} WHERE id = 2")
            writer.execute(f"UPDATE {table} SET id = 7 WHERE id = 6")
            assert ids(writer, table) == [7]
        assert ids(writer, table) == ids(other, table) == [7]


def test_it_is_kept_by_kill_9_flush_compaction_and_what_comes_later(tmp_path):
    server = KalamServer(tmp_path).start()
    try:
        with server.root() as root:
            root.execute("CREATE NAMESPACE t")
            root.execute(
                "CREATE TABLE t.m (id int PRIMARY KEY, room int, body text) WITH (TYPE = 'USER')"
            )

        def again(expected):
            server.kill()
            server.start()
            with server.root() as root:
                assert ids(root, "t.m") == expected
                root.execute("STORAGE FLUSH TABLE t.m")
                assert ids(root, "t.m") == expected

        with server.root() as root:
            fill(root, "t.m", *range(1, 400))
            root.execute("STORAGE FLUSH TABLE t.m")
            fill(root, "t.m", 400)
            with root.transaction():
                root.execute("TRUNCATE t.m")
                fill(root, "t.m", 3, 401)
        again([3, 401])
        with server.root() as root:
            root.execute("TRUNCATE t.m")
            root.execute("STORAGE FLUSH TABLE t.m")
        again([])
        with server.root() as root:
            fill(root, "t.m", 1, 2)
            root.execute("STORAGE FLUSH TABLE t.m")
            fill(root, "t.m", 3)
            root.execute("STORAGE FLUSH TABLE t.m")
            root.execute("STORAGE COMPACT TABLE t.m")
        again([1, 2, 3])
    finally:
        server.stop()


# ------------------------------------------------------------------ who follows the table


@each_form
@each_kind
def test_it_is_one_row_for_who_reads_rows_and_a_place_to_resume_from(
    server, tables, writer, form, kind
):
    table = tables[kind]
    fill(writer, table, 1, 2, 3)
    wanted = f"SELECT id, body FROM {table} WHERE id <> 2"
    shown = {}
    with form(server, "alice", wanted) as follower:
        apply(follower.next(2), shown)
        with writer.transaction():
            fill(writer, table, 9)
            writer.execute(f"TRUNCATE {table}")
            fill(writer, table, 2, 3, 4)
        rows = follower.next(3)
        seq = rows[0][0]
        assert rows == [
            (seq, "truncate", f"{seq}.0", None, None),
            (seq, "insert", f"{seq}.2", "3", "r3"),
            (seq, "insert", f"{seq}.3", "4", "r4"),
        ]
        apply(rows, shown)
    assert shown == {"3": ("3", "r3"), "4": ("4", "r4")}
    with form(server, "alice", wanted, from_seq=rows[0][2]) as resumed:
        assert resumed.next(2) == rows[1:]
    with form(server, "alice", wanted, from_seq=int(seq) - 1) as resumed:
        assert resumed.next(3) == rows


@each_kind
def test_it_is_one_object_for_who_is_notified(server, tables, alice, writer, kind):
    table = tables[kind]
    fill(writer, table, 1, 2, 3)
    channel = channel_of(table, where="id <> 2", last_rows=9)
    listen(alice, channel)
    told = hear(alice, 4)
    with writer.transaction():
        writer.execute(f"TRUNCATE {table}")
    writer.execute(f"TRUNCATE {table}")
    with writer.transaction():
        writer.execute(f"TRUNCATE {table}")
        fill(writer, table, 2)
        fill(writer, table, 4)
    told += hear(alice, 4)
    assert ops(told[4:]) == [("truncate",), ("truncate",), ("truncate",), ("insert", "4")]
    assert rows_of(told) == {"4": {"id": 4, "room": 1, "body": "r4"}}
    objects = [one for _, one in told[4:]]
    assert [one["last"] for one in objects] == [True, True, False, True]
    assert [one["token"] for one in objects] == [
        f"{one['seq']}.{n}" for one, n in zip(objects, (0, 0, 0, 2), strict=True)
    ]
    alice.execute("UNLISTEN *")
    listen(alice, f"{table}", since=objects[1]["token"])
    assert ops(hear(alice, 3)) == [("truncate",), ("insert", "2"), ("insert", "4")]


def test_who_follows_it_is_told_after_kill_9_what_the_log_has(tmp_path):
    server = KalamServer(tmp_path).start()
    try:
        with server.root() as root:
            root.execute("CREATE NAMESPACE t")
            root.execute("CREATE TABLE t.m (id int PRIMARY KEY, body text) WITH (TYPE = 'USER')")
            root.execute("INSERT INTO t.m SELECT i, 'x' FROM generate_series(1, 500) AS s(i)")
            (seq,) = root.execute("SELECT max(_seq) FROM t.m").fetchone()
            root.execute("TRUNCATE t.m")
            root.execute("INSERT INTO t.m VALUES (1, 'y')")
            root.execute("STORAGE FLUSH TABLE t.m")
        server.kill()
        server.start()
        with ByCopy(server, "root", "t.m", from_seq=seq) as follower:
            assert [row[1] for row in follower.next(2)] == ["truncate", "insert"]
    finally:
        server.stop()


# ------------------------------------------------------------------ who writes at the same time


class Aside(threading.Thread):
    """A statement in a thread of its own."""

    def __init__(self, connection, statement):
        super().__init__()
        self.connection, self.statement = connection, statement
        self.error = self.count = None
        self.start()

    def run(self):
        try:
            self.count = self.connection.execute(self.statement).rowcount
        except psycopg.Error as exc:
            self.error = exc

    def until_it_waits(self, server):
        pid = self.connection.info.backend_pid
        with server.root() as root:
            while not root.execute(
                "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", (pid,)
            ).fetchall():
                assert self.is_alive(), (self.error, self.count)
        return self

    def ended(self):
        self.join(20)
        assert not self.is_alive()
        return self


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO {} VALUES (5, 1, 'r5')",
        "UPDATE {} SET body = 'u' WHERE id = 1",
        "UPDATE {} SET body = 'u'",
        "DELETE FROM {} WHERE room = 1",
        "SELECT id FROM {} FOR UPDATE",
        "SELECT id FROM {} FOR SHARE SKIP LOCKED",
        "TRUNCATE {}",
    ],
)
def test_it_waits_for_who_writes_there_and_who_comes_later_waits_for_it(
    server, tables, alice, writer, statement
):
    table = tables["USER"]
    fill(writer, table, 1, 2)
    with server.connect("bob") as bob, bob.transaction():
        fill(bob, table, 7)  # Rows of bob's own keep nobody waiting.
        alice.execute("BEGIN")
        alice.execute(statement.format(table))
        truncating = Aside(
            writer, f"BEGIN; TRUNCATE {table}; INSERT INTO {table} VALUES (6, 1, '')"
        )
        truncating.until_it_waits(server)
        alice.execute(f"INSERT INTO {table} VALUES (8, 1, 'r8')")  # It need not wait again.
        alice.execute("COMMIT")
        assert truncating.ended().error is None
        later = Aside(alice, statement.format(table)).until_it_waits(server)
        assert ids(bob, table) == [7]
        writer.execute("COMMIT")
        assert later.ended().error is None
    expected = {"I": [5, 6], "T": [], "D": [6], "U": [6], "S": [6]}[statement[0]]
    assert ids(writer, table) == expected


def test_a_savepoint_that_is_undone_lets_go_of_what_it_locked_and_of_nothing_else(
    server, tables, alice, writer
):
    table = tables["USER"]
    fill(writer, table, 1, 2)
    alice.execute("BEGIN")
    alice.execute(f"UPDATE {table} SET body = 'mine' WHERE id = 1")
    alice.execute("SAVEPOINT s")
    alice.execute(f"TRUNCATE {table}")
    alice.execute("ROLLBACK TO s")
    assert Aside(writer, f"UPDATE {table} SET body = 'theirs' WHERE id = 2").ended().count == 1
    truncating = Aside(writer, f"TRUNCATE {table}").until_it_waits(server)
    alice.execute("SAVEPOINT t")
    alice.execute(f"DELETE FROM {table} WHERE id = 2")
    alice.execute("ROLLBACK TO t")
    assert truncating.is_alive()
    alice.execute("COMMIT")
    assert truncating.ended().error is None
    assert ids(writer, table) == []


def test_a_wait_ends_with_its_time_and_a_circle_with_a_deadlock(server, tables, alice, writer):
    table, other = tables["USER"], tables["SHARED"]
    fill(writer, table, 1)
    writer.execute("BEGIN")
    writer.execute(f"TRUNCATE {table}")
    alice.execute("SET lock_timeout = '50ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        fill(alice, table, 2)
    alice.execute("SET lock_timeout = 0")
    alice.execute("BEGIN")
    alice.execute(f"TRUNCATE {other}")
    waiting = Aside(alice, f"DELETE FROM {table}").until_it_waits(server)
    with pytest.raises(psycopg.errors.DeadlockDetected):
        fill(writer, other, 1)
    writer.execute("ROLLBACK")
    assert waiting.ended().count == 1
    alice.execute("COMMIT")
    fill(writer, table, 1)
    with server.root() as root:
        assert root.execute("SELECT * FROM pg_locks").fetchall() == []


def test_repeatable_read_keeps_what_it_saw_and_changes_nothing_of_it(server, tables, alice, writer):
    table = tables["USER"]
    fill(writer, table, 1, 2)
    alice.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert ids(alice, table) == [1, 2]
    writer.execute(f"TRUNCATE {table}")
    fill(writer, table, 2)
    assert ids(alice, table) == [1, 2]
    with pytest.raises(psycopg.errors.SerializationFailure):
        alice.execute(f"UPDATE {table} SET body = 'u' WHERE id = 1")
    alice.execute("ROLLBACK")


def test_what_it_cannot_truncate_is_refused_by_name(server, tables, writer, chat):
    table = tables["SHARED"]
    with server.root() as root:
        root.execute(f"CREATE VIEW {chat}.v AS SELECT 1")
        root.execute(f"REVOKE DELETE ON {table} FROM alice")
    for statement, error in (
        (f"TRUNCATE {table}", psycopg.errors.InsufficientPrivilege),
        (f"TRUNCATE {chat}.v", psycopg.errors.WrongObjectType),
        (f"TRUNCATE {chat}.nosuch", psycopg.errors.UndefinedTable),
        ("TRUNCATE pg_catalog.pg_class", psycopg.errors.InsufficientPrivilege),
    ):
        with pytest.raises(error):
            writer.execute(statement)
    writer.execute("BEGIN READ ONLY")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as caught:
        writer.execute(f"TRUNCATE {tables['USER']}")
    assert str(caught.value) == "cannot execute TRUNCATE TABLE in a read-only transaction"


def test_several_tables_go_together_or_not_at_all(server, tables, writer):
    user, shared, stream = (tables[kind] for kind in KINDS)
    for table in (user, shared, stream):
        fill(writer, table, 1)
    with pytest.raises(psycopg.errors.UndefinedTable):
        writer.execute(f"TRUNCATE {user}, {shared}, nosuch")
    assert [ids(writer, table) for table in (user, shared, stream)] == [[1], [1], [1]]
    writer.execute(f"TRUNCATE {user}, {shared}, {stream}, {user}")
    assert [ids(writer, table) for table in (user, shared, stream)] == [[], [], []]
