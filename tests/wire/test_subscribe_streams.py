"""SUBSCRIBE of STREAM tables: what is in the buffer, then every change, and a gap where some were lost."""

import json

import psycopg
import pytest

from tests.wire.raw import RawClient
from tests.wire.test_subscribe import HEARD_S, Follower, ops


@pytest.fixture
def typing(chat):
    """The STREAM table of the walk-through: each user's events are their own."""
    return f"{chat}.typing_events"


@pytest.fixture
def presence(server, chat):
    """One for everybody."""
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {chat}.presence (name text PRIMARY KEY, state text)"
            " WITH (TYPE = 'STREAM', TTL_SECONDS = 60, SCOPE = 'SHARED', MAX_BUFFER = 3)"
        )
        root.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {chat}.presence TO PUBLIC")
    return f"{chat}.presence"


def type_in(connection, typing, *numbers):
    for number in numbers:
        connection.execute(f"INSERT INTO {typing} VALUES ({number}, 1, 'alice', 'typing')")


def test_typing_events_are_told_to_who_watches_the_conversation(server, typing):
    with server.connect("alice") as alice, server.connect("alice") as phone:
        type_in(phone, typing, 1)
        watching = f"SUBSCRIBE TO {typing} WHERE conversation_id = 1 OPTIONS (last_rows = 50)"
        follower = Follower(alice, watching)
        assert list(follower.rows) == ["1"]
        phone.execute(f"INSERT INTO {typing} VALUES (2, 2, 'alice', 'typing')")
        with phone.transaction():
            type_in(phone, typing, 3, 4)
        phone.execute(f"UPDATE {typing} SET event_type = 'thinking' WHERE id = 3")
        phone.execute(f"DELETE FROM {typing} WHERE id = 4")
        told = follower.hear(4)
        assert ops(told) == [
            ("insert", "3", ""),
            ("insert", "4", ""),
            ("update", "3", ""),
            ("delete", "4", ""),
        ]
        assert [one["last"] for one in told] == [False, True, True, True]
        assert (told[2]["old"]["event_type"], told[2]["row"]["event_type"]) == (
            "typing",
            "thinking",
        )


def test_a_channel_of_its_name_tells_it_too(server, typing):
    with server.connect("alice") as alice, server.connect("alice") as phone:
        type_in(phone, typing, 1)
        alice.execute(f'LISTEN "{typing}?last_rows=5"')

        def hear(count):
            heard = alice.notifies(timeout=HEARD_S, stop_after=count)
            return [(one["op"], one.get("key")) for one in (json.loads(n.payload) for n in heard)]

        assert hear(3) == [("reset", None), ("insert", ["1"]), ("ready", None)]
        type_in(phone, typing, 2)
        assert hear(1) == [("insert", ["2"])]


def test_nothing_crosses_between_users_but_what_is_for_all(server, typing, presence):
    with server.connect("alice") as alice, server.connect("bob") as bob:
        own = Follower(alice, f"SUBSCRIBE TO {typing}")
        type_in(bob, typing, 1)
        type_in(alice, typing, 2)
        assert ops(own.hear(1)) == [("insert", "2", "")]
        all_of_us = [Follower(each, f"SUBSCRIBE TO {presence}") for each in (alice, bob)]
        bob.execute(f"INSERT INTO {presence} VALUES ('bob', 'here')")
        for each in all_of_us:
            assert ops(each.hear(1)) == [("insert", "bob", "")]


def test_a_dropped_table_ends_it_with_the_reason(server, presence):
    with server.connect("alice") as alice, server.root() as root:
        follower = Follower(alice, f"SUBSCRIBE TO {presence}")
        alice.execute(f"INSERT INTO {presence} VALUES ('alice', 'here')")
        follower.hear(1)
        root.execute(f"DROP TABLE {presence}")
        (ended,) = alice.notifies(timeout=HEARD_S, stop_after=1)
        assert json.loads(ended.payload)["code"] == "42P01"


def test_a_transaction_of_several_tables_is_told_when_it_is_committed(server, typing, chat):
    with server.connect("alice") as alice, server.connect("alice") as writer:
        events = Follower(alice, f"SUBSCRIBE TO {typing} OPTIONS (channel = 'e')")
        rows = Follower(alice, f"SUBSCRIBE TO {chat}.messages OPTIONS (channel = 'm')")
        with writer.transaction():
            type_in(writer, typing, 1)
            writer.execute(f"INSERT INTO {chat}.messages VALUES (1, 1, 'r', 'hello')")
            type_in(writer, typing, 2)
            assert list(alice.notifies(timeout=0)) == []
        told = {"e": [], "m": []}
        for notification in alice.notifies(timeout=HEARD_S, stop_after=3):
            told[notification.channel].append(json.loads(notification.payload))
        events.told, rows.told = told["e"], told["m"]
        assert [one["token"].partition(".")[2] for one in events.told] == ["0", "1"]
        assert len({one["seq"] for one in events.told + rows.told}) == 1


def test_a_client_goes_on_behind_its_token_as_long_as_the_buffer_has_what_follows(server, presence):
    with server.connect("alice") as writer:
        with server.connect("alice") as alice:
            follower = Follower(alice, f"SUBSCRIBE TO {presence}")
            with writer.transaction():
                for name in "abc":
                    writer.execute(f"INSERT INTO {presence} VALUES ('{name}', 'here')")
            told = follower.hear(3)
        tokens = [one["token"] for one in told]
        with server.connect("alice") as alice:
            rest = Follower(alice, f"SUBSCRIBE TO {presence} OPTIONS (from_seq = '{tokens[0]}')")
            assert rest.hear(2) == told[1:]
            writer.execute(f"DELETE FROM {presence} WHERE name = 'a'")
            assert ops(rest.hear(1)) == [("delete", "a", "")]
        for name in "defg":
            writer.execute(f"INSERT INTO {presence} VALUES ('{name}', 'here')")
        with (
            server.connect("alice") as alice,
            pytest.raises(psycopg.Error) as raised,
        ):
            alice.execute(f"SUBSCRIBE TO {presence} OPTIONS (from_seq = '{tokens[0]}')")
        assert raised.value.sqlstate == "72000"


def test_a_full_buffer_pushes_out_the_oldest_and_tells_nobody(server, presence):
    with server.connect("alice") as alice, server.connect("alice") as writer:
        for name in "ab":
            writer.execute(f"INSERT INTO {presence} VALUES ('{name}', 'here')")
        follower = Follower(alice, f"SUBSCRIBE TO {presence}")
        writer.execute(f"UPDATE {presence} SET state = 'still' WHERE name = 'a'")
        for name in "cd":
            writer.execute(f"INSERT INTO {presence} VALUES ('{name}', 'here')")
        assert ops(follower.hear(3)) == [
            ("update", "a", ""),
            ("insert", "c", ""),
            ("insert", "d", ""),
        ]
        rows = writer.execute(f"SELECT name FROM {presence} ORDER BY name").fetchall()
        assert rows == [("a",), ("c",), ("d",)]
        assert writer.execute(f"SHOW STATS FOR TABLE {presence}").fetchone()[0] == 3


def test_a_row_whose_time_is_over_goes_and_tells_nobody(server, chat):
    with server.connect("alice") as alice, server.connect("alice") as writer, server.root() as root:
        root.execute(
            f"CREATE STREAM TABLE {chat}.brief (id int PRIMARY KEY) WITH (TTL_SECONDS = 0.05)"
        )
        follower = Follower(alice, f"SUBSCRIBE TO {chat}.brief")
        writer.execute(f"INSERT INTO {chat}.brief VALUES (1)")
        while writer.execute(f"SELECT * FROM {chat}.brief").fetchall():
            pass
        writer.execute(f"INSERT INTO {chat}.brief VALUES (1)")
        assert ops(follower.hear(2)) == [("insert", "1", ""), ("insert", "1", "")]
        assert follower.told[1].get("old") is None


@pytest.mark.slow
def test_a_client_that_does_not_read_is_told_how_much_it_has_missed(server, presence):
    """Its buffer has three rows, and far more is written: nobody else notices, nothing is silent."""
    with RawClient(server, "alice") as slow, server.connect("alice") as writer:
        slow.simple(f"SUBSCRIBE TO {presence}")
        text, commits, each = "x" * 100_000, 60, 5
        for commit in range(commits):
            with writer.transaction():
                for number in range(each):
                    writer.execute(
                        f"INSERT INTO {presence} VALUES (%s, %s)", [f"{commit}.{number}", text]
                    )
        writer.execute(f"INSERT INTO {presence} VALUES ('the end', '')")
        told, dropped, gaps = [], 0, 0
        while not told or told[-1] != "the end":
            kind, body = slow.receive()
            assert kind == "A"
            one = json.loads(body[4:].split(b"\0")[1])
            if one["op"] == "gap":
                dropped += one["dropped"]
                gaps += 1
            else:
                told.append(one["key"][0])
        assert gaps
        assert len(told) + dropped == commits * each + 1
        places = [tuple(map(int, name.split("."))) for name in told[:-1]]
        assert places == sorted(places)


def test_subscriptions_that_are_equal_and_those_that_only_look_so_are_told_their_own(server, chat):
    """Told by one and the same commit, whatever they share."""
    with server.root() as root, server.connect("alice") as alice, server.connect("bob") as bob:
        root.execute(f"CREATE TABLE {chat}.board (id bigint PRIMARY KEY, who text, at timestamptz)")
        asked = {
            "plain": (f"SUBSCRIBE TO {chat}.board", None, ""),
            "mine": (f"SUBSCRIBE TO {chat}.board WHERE who = CURRENT_USER", None, ""),
            "numbers": (f"SUBSCRIBE TO {chat}.board", None, "bigint = 'number', "),
            "first": (f"SUBSCRIBE TO SELECT id FROM {chat}.board WHERE id = %s", [1], ""),
            "second": (f"SUBSCRIBE TO SELECT id FROM {chat}.board WHERE id = %s", [2], ""),
            "minus": (f"SUBSCRIBE TO SELECT id, %s::float8 AS z FROM {chat}.board", [-0.0], ""),
            "zero": (f"SUBSCRIBE TO SELECT id, %s::float8 AS z FROM {chat}.board", [0.0], ""),
        }
        bob.execute("SET TimeZone = 'Asia/Tokyo'")
        for each in (alice, bob):
            for channel, (text, params, options) in asked.items():
                each.execute(f"{text} OPTIONS ({options}channel = '{channel}')", params)
        with root.transaction():
            root.execute(f"INSERT INTO {chat}.board VALUES (1, 'alice', '2026-01-01 00:00Z')")
            root.execute(f"INSERT INTO {chat}.board VALUES (2, 'bob', '2026-01-01 00:00Z')")
        seen = {}
        for name, each, mine in (("alice", alice, 1), ("bob", bob, 2)):
            told = {channel: [] for channel in asked}
            for one in each.notifies(timeout=HEARD_S, stop_after=11):
                told[one.channel].append(json.loads(one.payload)["row"])
                if one.channel in ("minus", "zero"):  # A minus sign is lost in Python's int.
                    assert ('"z":-0' in one.payload) == (one.channel == "minus")
            assert [row["id"] for row in told["plain"]] == ["1", "2"]
            assert [row["id"] for row in told["mine"]] == [str(mine)]
            assert [row["id"] for row in told["numbers"]] == [1, 2]
            assert [told["first"], told["second"]] == [[{"id": "1"}], [{"id": "2"}]]
            seen[name] = told["plain"][0]["at"]
        assert seen["alice"] != seen["bob"], "each in its own time zone"
