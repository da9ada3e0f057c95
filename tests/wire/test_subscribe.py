"""SUBSCRIBE: rows as of one commit, then every later change once and in order, or an end with its reason.

The client of these tests does what every client does: it applies what it is told to a dict, by key.
"""

import asyncio
import json
import threading

import asyncpg
import psycopg
import pytest

from tests.wire.raw import SYNC, RawClient, bind, execute, parse, query
from tests.wire.server import PASSWORD, KalamServer

HEARD_S = 20.0


class Follower:
    """A connection that keeps what a subscription shows, by key."""

    def __init__(self, connection, statement, params=None):
        self.connection = connection
        self.rows = {}
        self.told = []
        cursor = connection.execute(statement, params)
        names = [column.name for column in cursor.description]
        assert names[-1] == "_seq"
        self.snapshot = cursor.fetchall()
        self.tag = cursor.statusmessage
        for row in self.snapshot:
            self.rows[str(row[0])] = dict(zip(names[:-1], row[:-1], strict=True))

    def hear(self, count):
        """The next `count` objects, applied."""
        found = [
            json.loads(notification.payload)
            for notification in self.connection.notifies(timeout=HEARD_S, stop_after=count)
        ]
        assert len(found) >= count, found
        for one in found:
            self.apply(one)
        return found

    def apply(self, one):
        self.told.append(one)
        match one["op"]:
            case "insert" | "update":
                self.rows[one["key"][0]] = one["row"]
            case "delete":
                self.rows.pop(one["key"][0], None)
            case _:
                raise AssertionError(one)

    def hear_until(self, seq):
        """Everything up to a commit of this subscription."""
        while not self.told or int(self.told[-1]["seq"]) < seq or not self.told[-1]["last"]:
            self.hear(1)


def ops(objects):
    return [(one["op"], one["key"][0], one.get("why", "")) for one in objects]


def test_a_snapshot_is_followed_by_every_change(alice, writer, table):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'a'), (2, 2, 'b')")
    follower = Follower(alice, f"SUBSCRIBE TO {table}")
    assert (follower.tag, [row[:3] for row in follower.snapshot]) == (
        "SUBSCRIBE 2",
        [(1, 1, "a"), (2, 2, "b")],
    )
    writer.execute(f"INSERT INTO {table} VALUES (3, 1, NULL)")
    writer.execute(f"UPDATE {table} SET body = 'B' WHERE id = 2")
    writer.execute(f"DELETE FROM {table} WHERE id = 1")
    insert, update, delete = follower.hear(3)
    assert insert["row"] == {"id": 3, "room": 1, "body": None}
    assert (update["row"]["body"], update["old"]["body"]) == ("B", "b")
    assert delete["old"] == {"id": 1, "room": 1, "body": "a"}
    assert {one["table"] for one in follower.told} == {table}
    assert sorted(follower.rows) == ["2", "3"]


def test_rows_enter_and_leave_a_filter_and_a_projection_shows_what_it_names(alice, writer, table):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'a'), (2, 2, 'b')")
    follower = Follower(
        alice, f"SUBSCRIBE TO SELECT id, upper(body) AS loud FROM {table} WHERE room = %s", [1]
    )
    assert follower.rows == {"1": {"id": 1, "loud": "A"}}
    writer.execute(f"UPDATE {table} SET room = 1 WHERE id = 2")
    writer.execute(f"UPDATE {table} SET room = 3 WHERE id = 1")
    writer.execute(f"INSERT INTO {table} VALUES (4, 3, 'not shown')")
    writer.execute(f"INSERT INTO {table} VALUES (5, 1, 'e')")
    assert ops(follower.hear(3)) == [
        ("insert", "2", "filter"),
        ("delete", "1", "filter"),
        ("insert", "5", ""),
    ]
    assert follower.rows == {"2": {"id": 2, "loud": "B"}, "5": {"id": 5, "loud": "E"}}


def test_a_transaction_is_told_together_when_it_is_committed(alice, writer, table):
    follower = Follower(alice, f"SUBSCRIBE TO {table}")
    with writer.transaction():
        writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'a')")
        writer.execute(f"INSERT INTO {table} VALUES (2, 1, 'b')")
        writer.execute("SAVEPOINT s")
        writer.execute(f"INSERT INTO {table} VALUES (3, 1, 'rolled back')")
        writer.execute("ROLLBACK TO s")
        assert list(alice.notifies(timeout=0)) == []
    told = follower.hear(2)
    assert len({one["seq"] for one in told}) == 1
    assert [one["last"] for one in told] == [False, True]
    assert sorted(follower.rows) == ["1", "2"]


def test_the_newest_rows_come_oldest_first(alice, writer, table):
    for number in range(10):
        writer.execute(f"INSERT INTO {table} VALUES ({number}, {number % 2}, 'x')")
    statement = f"SUBSCRIBE TO {table} WHERE room = 0 OPTIONS (last_rows = 3, channel = 'even')"
    follower = Follower(alice, statement)
    assert [row[0] for row in follower.snapshot] == [4, 6, 8]
    writer.execute(f"INSERT INTO {table} VALUES (10, 0, 'x')")
    (notification,) = alice.notifies(timeout=HEARD_S, stop_after=1)
    assert notification.channel == "even"


def test_bigints_and_old_rows_as_asked_for(alice, writer, chat):
    with_options = f"SUBSCRIBE TO {chat}.conversations OPTIONS (bigint = number, old = off)"
    follower = Follower(alice, with_options)
    writer.execute(f"INSERT INTO {chat}.conversations VALUES (712345678901234568, 'a')")
    writer.execute(f"UPDATE {chat}.conversations SET title = 'b'")
    insert, update = follower.hear(2)
    assert insert["row"]["id"] == 712345678901234568
    assert (insert["key"], "old" in update) == (["712345678901234568"], False)


def test_a_sessions_own_changes_follow_the_end_of_its_statement(server, table):
    with RawClient(server, "alice") as client:
        client.simple(f"SUBSCRIBE TO {table}")
        for number in range(5):
            answer = client.simple(f"INSERT INTO {table} VALUES ({number}, 1, 'x')")
            assert answer.kinds == "CZ"
            assert client.receive()[0] == "A"


def test_nothing_crosses_between_users_and_shared_tables_tell_all(server, table, chat):
    with server.connect("alice") as alice, server.connect("bob") as bob, server.root() as root:
        own = Follower(alice, f"SUBSCRIBE TO {table}")
        his = Follower(bob, f"SUBSCRIBE TO {table}")
        bob.execute(f"INSERT INTO {table} VALUES (1, 1, 'bob''s')")
        alice.execute(f"INSERT INTO {table} VALUES (1, 1, 'alice''s')")
        assert own.hear(1)[0]["row"]["body"] == "alice's"
        assert his.hear(1)[0]["row"]["body"] == "bob's"
        notes = [Follower(each, f"SUBSCRIBE TO {chat}.notes") for each in (alice, bob)]
        root.execute(f"INSERT INTO {chat}.notes VALUES (7, 'for all')")
        for each in notes:
            assert each.hear(1)[0]["row"] == {"id": 7, "body": "for all"}
        assert all(len(each.told) == 1 for each in (own, his, *notes))


def test_what_a_service_writes_for_a_user_reaches_the_user(server, table):
    with server.connect("alice") as alice, server.connect("carol") as carol:
        follower = Follower(alice, f"SUBSCRIBE TO {table}")
        carol.execute(f"EXECUTE AS USER 'alice' (INSERT INTO {table} VALUES (1, 1, 'by carol'))")
        carol.execute(f"INSERT INTO {table} VALUES (2, 1, 'her own')")
        alice.execute(f"INSERT INTO {table} VALUES (3, 1, 'x')")
        assert ops(follower.hear(2)) == [("insert", "1", ""), ("insert", "3", "")]


def test_commits_that_did_not_wait_for_the_disk_are_told_soon(alice, server, table):
    follower = Follower(alice, f"SUBSCRIBE TO {table}")
    with server.connect("alice", options="-c synchronous_commit=off") as writer:
        for number in range(50):
            writer.execute(f"INSERT INTO {table} VALUES ({number}, 1, 'x')")
        assert [one["key"][0] for one in follower.hear(50)] == [str(n) for n in range(50)]


def test_a_literal_that_means_now_is_read_when_it_is_subscribed(alice, writer, table):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    where = "'today'::date > '2020-01-01' AND 'now'::timestamptz > '2020-01-01'"
    follower = Follower(alice, f"SUBSCRIBE TO {table} WHERE {where}")
    assert list(follower.rows) == ["1"]
    writer.execute(f"INSERT INTO {table} VALUES (2, 1, 'x')")
    assert ops(follower.hear(1)) == [("insert", "2", "")]


def test_a_prepared_subscription_is_refused_when_its_columns_are_others(server, table):
    with server.connect("alice") as alice, server.root() as root, RawClient(server, "alice") as raw:
        raw.send(parse(f"SUBSCRIBE TO {table}", "s") + SYNC)
        assert raw.answer().kinds == "1Z"
        root.execute(f"DROP TABLE {table}")
        root.execute(f"CREATE TABLE {table} (id text PRIMARY KEY) WITH (TYPE = 'USER')")
        raw.send(bind(statement="s") + execute() + SYNC)
        assert raw.answer().sqlstate == "0A000"
        # Nothing is left of it.
        alice.execute(f"INSERT INTO {table} VALUES ('a')")
        assert raw.simple("SELECT 1").kinds == "TDCZ"


# ------------------------------------------------------------------ no gap, nothing twice


@pytest.mark.slow
def test_whoever_subscribes_while_others_write_has_the_tables_contents(server, table):
    """Many subscribe at any moment of two writers' work; in the end each has what the table has."""
    stop = threading.Event()

    def write(first: int) -> None:
        with server.connect("alice") as writer:
            number = first
            while not stop.is_set():
                with writer.transaction():
                    writer.execute(
                        f"INSERT INTO {table} VALUES (%s, %s, 'x')", [number, number % 3]
                    )
                    writer.execute(
                        f"UPDATE {table} SET room = (room + 1) %% 3 WHERE id = %s", [number - 4]
                    )
                writer.execute(f"DELETE FROM {table} WHERE id = %s", [number - 8])
                number += 2

    threads = [threading.Thread(target=write, args=(first,)) for first in (100, 101)]
    for thread in threads:
        thread.start()
    connections, followers = [], []
    try:
        for _ in range(12):
            connections.append(server.connect("alice"))
            followers.append(Follower(connections[-1], f"SUBSCRIBE TO {table} WHERE room < 2"))
            followers[-1].hear(5)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    with server.connect("alice") as last:
        last.execute(f"INSERT INTO {table} VALUES (1, 0, 'the end')")
        rows = last.execute(f"SELECT id, room, _seq FROM {table} WHERE room < 2").fetchall()
    expected = {str(number): room for number, room, _ in rows}
    for follower in followers:
        follower.hear_until(max(seq for *_, seq in rows))
        assert {key: row["room"] for key, row in follower.rows.items()} == expected
        tokens = [tuple(map(int, one["token"].split("."))) for one in follower.told]
        assert tokens == sorted(set(tokens))
    for connection in connections:
        connection.close()


def test_a_client_goes_on_where_it_was_whatever_happened_meanwhile(tmp_path):
    server = KalamServer(tmp_path / "data").start()
    try:
        with server.root() as root:
            root.execute("CREATE TABLE t (id int PRIMARY KEY, v text) WITH (TYPE = 'SHARED')")
            root.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
            follower = Follower(root, "SUBSCRIBE TO public.t")
            root.execute("UPDATE t SET v = 'A' WHERE id = 1")
            (update,) = follower.hear(1)
            root.execute("CREATE STREAM TABLE s (id int PRIMARY KEY) WITH (TTL_SECONDS = 600)")
            events = Follower(root, "SUBSCRIBE TO s")
            root.execute("INSERT INTO s VALUES (1)")
            (event,) = events.hear(1)
        with server.root() as root:
            root.execute("DELETE FROM t WHERE id = 2")
            root.execute("STORAGE FLUSH TABLE t")
        server.kill()
        server.start()
        with server.root() as root:
            root.execute("INSERT INTO t VALUES (3, 'c')")
            again = Follower(
                root, f"SUBSCRIBE TO public.t OPTIONS (from_seq = '{update['token']}')"
            )
            assert again.snapshot == []
            assert ops(again.hear(2)) == [("delete", "2", ""), ("insert", "3", "")]
            root.execute("INSERT INTO t VALUES (4, 'd')")
            assert ops(again.hear(1)) == [("insert", "4", "")]
            # A STREAM table's changes are gone with the server that had them.
            with pytest.raises(psycopg.Error) as raised:
                root.execute(f"SUBSCRIBE TO s OPTIONS (from_seq = '{event['token']}')")
            assert raised.value.sqlstate == "72000"
        with server.root() as root:
            root.execute(f"LISTEN \"public.t\" SINCE '{update['token']}'")
            told = [json.loads(n.payload) for n in root.notifies(timeout=HEARD_S, stop_after=3)]
            assert ops(told) == [("delete", "2", ""), ("insert", "3", ""), ("insert", "4", "")]
        with RawClient(server) as idle, RawClient(server) as busy:
            for client in (idle, busy):
                client.simple("SUBSCRIBE TO public.t")
            busy.simple("BEGIN")  # It may be told nothing: its error says it all.
            server.stop()
            assert last_words(idle)[0]["public.t"]["code"] == "57P01"
            assert last_words(busy)[0] == {}
    finally:
        server.stop()


def test_a_token_in_the_middle_of_a_transaction_gives_the_rest_of_it(server, alice, writer, table):
    follower = Follower(alice, f"SUBSCRIBE TO {table}")
    with writer.transaction():
        for number in range(4):
            writer.execute(f"INSERT INTO {table} VALUES ({number}, 1, 'x')")
    told = follower.hear(4)
    for at, one in enumerate(told):
        with server.connect("alice") as connection:
            options = f"OPTIONS (from_seq = '{one['token']}')"
            rest = Follower(connection, f"SUBSCRIBE TO {table} {options}")
            if told[at + 1 :]:
                assert rest.hear(3 - at) == told[at + 1 :]
    with server.connect("alice") as connection:
        after = Follower(connection, f"SUBSCRIBE TO {table} OPTIONS (from_seq = {told[0]['seq']})")
        writer.execute(f"DELETE FROM {table} WHERE id = 0")
        assert ops(after.hear(1)) == [("delete", "0", "")]


def test_without_a_snapshot_it_begins_now(alice, writer, table):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    follower = Follower(alice, f"SUBSCRIBE TO {table} OPTIONS (snapshot = false)")
    assert follower.snapshot == []
    writer.execute(f"INSERT INTO {table} VALUES (2, 1, 'x')")
    assert ops(follower.hear(1)) == [("insert", "2", "")]


@pytest.mark.slow
def test_a_client_that_does_not_read_gets_everything_when_it_does(server, table):
    """Far more than is kept for it: it reads on in the log. Others notice nothing."""
    with RawClient(server, "alice") as slow, server.connect("alice") as writer:
        slow.simple(f"SUBSCRIBE TO SELECT id, body FROM {table}")
        other_connection = server.connect("alice")
        other = Follower(other_connection, f"SUBSCRIBE TO SELECT id FROM {table}")
        text, count = "x" * 10_000, 3000
        for start in range(0, count, 100):
            with writer.transaction():
                for number in range(start, start + 100):
                    writer.execute(f"INSERT INTO {table} VALUES (%s, 1, %s)", [number, text])
            assert len(other.hear(100)) == 100
        other_connection.close()
        told = []
        while len(told) < count:
            kind, body = slow.receive()
            assert kind == "A"
            told.append(json.loads(body[4:].split(b"\0")[1]))
        assert [int(one["key"][0]) for one in told] == list(range(count))
        writer.execute(f"INSERT INTO {table} VALUES ({count}, 1, 'y')")
        assert json.loads(slow.receive()[1][4:].split(b"\0")[1])["key"] == [str(count)]


# ------------------------------------------------------------------ the end


def ended(connection):
    """The reason that a subscription ends with."""
    (notification,) = connection.notifies(timeout=HEARD_S, stop_after=1)
    one = json.loads(notification.payload)
    assert one["op"] == "error", one
    return one["code"]


def test_a_dropped_table_ends_it_with_the_reason(server, alice, table):
    follower = Follower(alice, f"SUBSCRIBE TO {table}")
    alice.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    follower.hear(1)
    with server.root() as root:
        root.execute(f"DROP TABLE {table}")
    assert ended(alice) == "42P01"
    with pytest.raises(psycopg.errors.UndefinedTable):
        alice.execute(f"SUBSCRIBE TO {table}")


@pytest.mark.parametrize("type_", ["smallint", "text", "bigint"])
def test_another_type_of_a_column_ends_it_before_its_rows_are_told(
    server, alice, writer, table, type_
):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    all_of_it = Follower(alice, f"SUBSCRIBE TO {table}")
    with server.connect("alice") as other, server.root() as root:
        not_of_it = Follower(other, f"SUBSCRIBE TO SELECT id, body FROM {table}")
        root.execute(f"ALTER TABLE {table} ALTER COLUMN room TYPE {type_}")
        assert ended(alice) == "0A000"
        writer.execute(f"INSERT INTO {table} VALUES (2, 1, 'x')")
        while "2" not in not_of_it.rows:
            not_of_it.hear(1)
    assert not_of_it.rows == {one: {"id": int(one), "body": "x"} for one in "12"}
    assert all_of_it.rows == {"1": {"id": 1, "room": 1, "body": "x"}}


def test_a_token_from_before_a_column_got_another_type_is_too_old_for_who_looks_at_it(
    server, alice, writer, table
):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x'), (2, 2, 'x'), (3, 3, 'x')")
    seq = Follower(alice, f"SUBSCRIBE TO {table}").snapshot[0][-1]
    writer.execute(f"DELETE FROM {table} WHERE id = 1")
    writer.execute(f"UPDATE {table} SET room = 9 WHERE id = 2")
    with server.root() as root:
        root.execute(f"ALTER TABLE {table} ALTER COLUMN room TYPE smallint")
    options = f"OPTIONS (from_seq = '{seq}')"
    with server.connect("alice") as looking, server.connect("alice") as other:
        looking.execute(f"SUBSCRIBE TO SELECT id FROM {table} WHERE room < 5 {options}")
        assert ended(looking) == "72000"
        with pytest.raises(psycopg.errors.SnapshotTooOld):
            looking.execute(
                f"SUBSCRIBE TO SELECT id, room FROM {table} OPTIONS (stream = true, from_seq = '{seq}')"
            )
        after = Follower(other, f"SUBSCRIBE TO SELECT id, body FROM {table} {options}")
        assert ops(after.hear(2))[:2] == [("delete", "1", ""), ("update", "2", "")]


def test_a_right_that_is_taken_away_ends_it_with_the_reason(server, alice, chat):
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {chat}.secret (id int PRIMARY KEY)"
            " WITH (TYPE = 'SHARED', ACCESS_LEVEL = 'RESTRICTED')"
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            alice.execute(f"SUBSCRIBE TO {chat}.secret")
        root.execute(f"GRANT SELECT ON {chat}.secret TO alice")
        follower = Follower(alice, f"SUBSCRIBE TO {chat}.secret")
        root.execute(f"INSERT INTO {chat}.secret VALUES (1)")
        follower.hear(1)
        root.execute(f"REVOKE SELECT ON {chat}.secret FROM alice")
        root.execute(f"INSERT INTO {chat}.secret VALUES (2)")
    assert ended(alice) == "42501"
    assert list(alice.notifies(timeout=0)) == []


def test_another_role_ends_it_with_the_reason(server, table):
    with server.connect("carol") as carol:
        Follower(carol, f"SUBSCRIBE TO {table}")
        carol.execute("BEGIN; SET LOCAL ROLE alice; COMMIT")
        carol.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
        assert json.loads(next(carol.notifies(timeout=HEARD_S)).payload)["op"] == "insert"
        carol.execute("SET ROLE alice")
        assert ended(carol) == "42501"


def last_words(client):
    """The last objects that a client is told, by channel, and the error that ends its connection."""
    last = {}
    while True:
        kind, body = client.receive()
        if kind == "E":
            return last, body
        channel, payload = body[4:].split(b"\0")[:2]
        last[channel.decode()] = json.loads(payload)


@pytest.mark.parametrize(
    ("user", "statement", "why"),
    [
        ("gone", "DROP USER gone", "was dropped"),
        ("barred", "ALTER USER barred NOLOGIN", "is not permitted to log in"),
    ],
)
def test_a_user_who_is_no_more_is_disconnected_with_the_reason(server, table, user, statement, why):
    with server.root() as root:
        root.execute(f"CREATE USER {user} WITH PASSWORD '{PASSWORD}'")
        with RawClient(server, user) as client:
            client.simple(f'SUBSCRIBE TO {table}; LISTEN "{table}?snapshot=on"; LISTEN plain')
            root.execute(statement)
            last, body = last_words(client)
            assert set(last) == {table, f"{table}?snapshot=on"}
            assert {(one["op"], one["code"]) for one in last.values()} == {("error", "57P01")}
            assert all(one["message"].endswith(f"the role {why}") for one in last.values())
            assert b"57P01" in body
            assert client.closed_by_server()


def test_what_a_filter_cannot_compute_ends_it_with_the_error(alice, writer, table):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    follower = Follower(alice, f"SUBSCRIBE TO {table} WHERE 1 / room = 1")
    writer.execute(f"INSERT INTO {table} VALUES (2, 1, 'x')")
    follower.hear(1)
    writer.execute(f"INSERT INTO {table} VALUES (3, 0, 'x')")
    assert ended(alice) == "22012"
    writer.execute(f"INSERT INTO {table} VALUES (4, 1, 'x')")
    assert list(alice.notifies(timeout=0)) == []


@pytest.mark.parametrize("statement", ["UNSUBSCRIBE x", "UNLISTEN x", "UNLISTEN *", "DISCARD ALL"])
def test_a_client_ends_it_itself(alice, writer, table, statement):
    Follower(alice, f"SUBSCRIBE TO {table} OPTIONS (channel = 'x')")
    alice.execute("BEGIN; UNLISTEN *; ROLLBACK; RESET ALL")
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    assert len(list(alice.notifies(timeout=HEARD_S, stop_after=1))) == 1
    alice.execute(statement)
    writer.execute(f"INSERT INTO {table} VALUES (2, 1, 'x')")
    alice.execute("LISTEN y; NOTIFY y")
    (only,) = alice.notifies(timeout=HEARD_S, stop_after=1)
    assert only.channel == "y"


def test_one_stream_for_each_channel(alice, writer, table):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    Follower(alice, f"SUBSCRIBE TO {table} OPTIONS (channel = 'x')")
    alice.execute("LISTEN x")  # It has a stream already.
    again = Follower(alice, f"SUBSCRIBE TO {table} WHERE room = 2 OPTIONS (channel = 'x')")
    writer.execute(f"INSERT INTO {table} VALUES (2, 1, 'x')")
    writer.execute(f"INSERT INTO {table} VALUES (3, 2, 'x')")
    assert ops(again.hear(1)) == [("insert", "3", "")]


def test_a_failed_text_subscribes_to_nothing(server, alice, writer, table):
    with pytest.raises(psycopg.errors.DivisionByZero):
        alice.execute(f"SUBSCRIBE TO {table} OPTIONS (channel = 'x'); SELECT 1 / 0")
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    alice.execute("LISTEN y; NOTIFY y")
    (only,) = alice.notifies(timeout=HEARD_S, stop_after=1)
    assert only.channel == "y"


def test_describe_starts_nothing(server, table):
    async def run():
        connection = await asyncpg.connect(server.dsn("alice"))
        heard: asyncio.Queue[str] = asyncio.Queue()
        await connection.add_listener("m1", lambda *told: heard.put_nowait(told[-1]))
        statement = await connection.prepare(
            f"SUBSCRIBE TO {table} WHERE room = $1 OPTIONS (channel = 'm1')"
        )
        assert [a.name for a in statement.get_attributes()] == ["id", "room", "body", "_seq"]
        await connection.execute(f"INSERT INTO {table} VALUES (1, 1, 'before')")
        rows = await statement.fetch(1)
        assert [row["body"] for row in rows] == ["before"]
        await connection.execute(f"INSERT INTO {table} VALUES (2, 1, 'after')")
        told = json.loads(await heard.get())
        assert (told["op"], told["row"]["body"]) == ("insert", "after")
        await connection.close()

    asyncio.run(asyncio.wait_for(run(), HEARD_S))


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("SUBSCRIBE TO {chat}.nothing", "42P01"),
        ("SUBSCRIBE TO {chat}.m WHERE nope = 1", "42703"),
        ("SUBSCRIBE TO {chat}.m WHERE id IN (SELECT 1)", "0A000"),
        ("COPY (SUBSCRIBE TO {chat}.m OPTIONS (channel = 'x')) TO STDOUT", "0A000"),
        ("SUBSCRIBE TO {chat}.m OPTIONS (progress = '5 parsecs')", "22023"),
        ("SUBSCRIBE TO {chat}.m OPTIONS (progress = '1ms')", "22023"),
        ("SUBSCRIBE TO {chat}.m OPTIONS (flush = perhaps)", "22023"),
        ("SUBSCRIBE TO {chat}.m OPTIONS (progess = '5s')", "42601"),
        ("SUBSCRIBE TO {chat}.m OPTIONS (batch_size = 10)", "0A000"),
        ("SUBSCRIBE TO {chat}.m OPTIONS (from_seq = 9000000000000000000)", "22023"),
        ("EXECUTE AS USER 'alice' (SUBSCRIBE TO {chat}.m)", "0A000"),
        ("SUBSCRIBE TO pg_catalog.pg_class", "0A000"),
    ],
)
def test_what_cannot_be_subscribed_to_is_refused(server, chat, table, statement, state):
    with server.connect("carol") as carol:
        with pytest.raises(psycopg.Error) as raised:
            carol.execute(statement.format(chat=chat))
        assert raised.value.sqlstate == state


def test_a_name_that_is_not_there_is_pointed_at(alice, table):
    statement = f"SUBSCRIBE TO {table} WHERE nope = 1"
    with pytest.raises(psycopg.errors.UndefinedColumn) as raised:
        alice.execute(statement)
    assert raised.value.diag.statement_position == str(statement.index("nope") + 1)


def test_a_text_may_be_sent_by_the_simple_protocol(server, table):
    with RawClient(server, "alice") as client:
        client.send(query(f"SUBSCRIBE TO {table}"))
        answer = client.answer()
        assert (answer.kinds, answer.tags) == ("TCZ", ["SUBSCRIBE 0"])


def test_a_transaction_larger_than_any_buffer_is_told_whole_and_ends_once(alice, writer, table):
    """Its last row that the condition shows is the last, though others follow that it does not show."""
    follower = Follower(alice, f"SUBSCRIBE TO {table} WHERE room = 1")
    writer.execute(
        f"INSERT INTO {table} SELECT i, CASE WHEN i <= 2000 THEN 1 ELSE 2 END, 'x'"
        " FROM generate_series(1, 5000) AS s(i)"
    )
    told = follower.hear(2000)
    assert [int(one["key"][0]) for one in told] == list(range(1, 2001))
    assert [one["last"] for one in told] == [False] * 1999 + [True]
    assert len({one["seq"] for one in told}) == 1
    writer.execute(f"DELETE FROM {table} WHERE room = 2")  # Nothing of it is shown.
    writer.execute(f"INSERT INTO {table} VALUES (9999, 1, 'y')")
    (after,) = follower.hear(1)
    assert (after["key"], after["last"]) == (["9999"], True)
    resumed = Follower(
        alice, f"SUBSCRIBE TO {table} WHERE room = 1 OPTIONS (from_seq = '{told[700]['token']}')"
    )
    assert resumed.hear(1299 + 1) == [*told[701:], after]
