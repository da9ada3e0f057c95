"""What is known of subscriptions while they live: heartbeats, flushes, `system.live_queries`, KILL."""

import json

import psycopg
import pytest

from tests.wire.raw import RawClient

HEARD_S = 20.0


def hear(connection, count):
    told = connection.notifies(timeout=HEARD_S, stop_after=count)
    found = [json.loads(one.payload) for one in told]
    assert len(found) >= count, found
    return found


def hear_until(connection, op):
    """Everything up to the first object of that kind."""
    found = []
    while not found or found[-1]["op"] != op:
        found += hear(connection, 1)
    return found


OPENINGS = [
    "SUBSCRIBE TO {m} WHERE room = 1 OPTIONS ({name} = '{value}')",
    'LISTEN "{m}?where=room%3D1&{name}={value}"',
]


def opened(connection, opening, table, name, value):
    connection.execute(opening.format(m=table, name=name, value=value))


# ------------------------------------------------------------------ heartbeats


@pytest.mark.slow
@pytest.mark.parametrize("opening", OPENINGS)
def test_a_silent_subscription_says_how_far_it_is(server, alice, writer, table, opening):
    opened(alice, opening, table, "progress", "100ms")
    first, second = hear(alice, 2)
    assert first["op"] == second["op"] == "progress"
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'shown'), (2, 2, 'not shown')")
    change = hear_until(alice, "insert")[-1]
    writer.execute(f"INSERT INTO {table} VALUES (3, 2, 'not shown')")
    seq = writer.execute(f"SELECT max(_seq) FROM {table}").fetchone()[0]
    progress = hear(alice, 1)[-1]
    while int(progress["seq"]) < seq:
        progress = hear(alice, 1)[-1]
    assert int(first["seq"]) <= int(change["seq"]) < seq
    with server.connect("alice") as again:  # It is a position like any other.
        again.execute(f'LISTEN "{table}" SINCE {progress["seq"]}')
        writer.execute(f"DELETE FROM {table} WHERE id = 3")
        assert [(one["op"], one["key"]) for one in hear(again, 1)] == [("delete", ["3"])]


@pytest.mark.slow
def test_no_heartbeat_comes_inside_a_block_and_one_after_it(server, table):
    with RawClient(server, "alice") as client:
        client.simple(f"SUBSCRIBE TO {table} OPTIONS (progress = '100ms', channel = 'x')")
        assert client.receive()[0] == "A"
        client.simple("BEGIN")
        for _ in range(4):
            assert "A" not in client.simple("SELECT pg_sleep(0.1)").kinds
        client.simple("COMMIT")
        assert client.receive()[0] == "A"


# ------------------------------------------------------------------ flushes


@pytest.mark.slow
@pytest.mark.parametrize("opening", OPENINGS)
def test_a_flush_is_told_to_whoever_asks(server, alice, writer, table, opening):
    with server.connect("alice") as other, server.connect("bob") as bob:
        other.execute(f"SUBSCRIBE TO {table}")
        bob.execute(f"SUBSCRIBE TO {table} OPTIONS (flush = true)")
        opened(alice, opening, table, "flush", "true")
        writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
        seq = writer.execute(f"SELECT _seq FROM {table}").fetchone()[0]
        with server.root() as root:
            root.execute(f"STORAGE FLUSH TABLE {table}")
        insert, flush = hear(alice, 2)
        assert insert["op"] == "insert"
        assert (flush["op"], flush["table"]) == ("flush", table)
        assert int(flush["seq"]) >= seq
        writer.execute(f"DELETE FROM {table}")
        assert [one["op"] for one in hear(other, 2)] == ["insert", "delete"]
        bob.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
        assert [one["op"] for one in hear(bob, 1)] == ["insert"]


# ------------------------------------------------------------------ system.live_queries


def live(connection, table):
    namespace, _, name = table.partition(".")
    cursor = connection.execute(
        "SELECT live_id, pid, user_name, query, form, channel, position, lag_rows, lag_ms,"
        " delivered, last_reason FROM system.live_queries"
        " WHERE namespace = %s AND table_name = %s ORDER BY live_id::bigint",
        [namespace, name],
    )
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def test_live_queries_show_what_each_user_may_see(server, alice, writer, table):
    alice.execute(f"SUBSCRIBE TO {table} WHERE room = 1")
    channel = f"{table}?where=room%3D2"
    with server.connect("bob") as bob:
        bob.execute(f'LISTEN "{channel}"')
        (own,) = live(alice, table)
        assert (own["user_name"], own["form"], own["channel"]) == ("alice", "subscribe", table)
        assert own["query"].endswith("WHERE room = 1")
        assert own["pid"] == alice.info.backend_pid
        assert (own["lag_rows"], own["lag_ms"], own["delivered"]) == (0, 0, 0)
        assert own["last_reason"] == "nothing has changed"
        (his,) = live(bob, table)
        assert (his["user_name"], his["form"], his["query"]) == ("bob", "listen", channel)
        with server.connect("carol") as carol:
            assert [one["user_name"] for one in live(carol, table)] == ["alice", "bob"]
        writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
        (change,) = hear(alice, 1)
        (own,) = live(alice, table)
        assert (own["delivered"], own["last_reason"]) == (1, None)
        assert own["position"] == change["seq"]
        writer.execute(f"INSERT INTO {table} VALUES (2, 2, 'x'), (3, 2, 'x')")
        assert "2 changes are not shown" in live(writer, table)[0]["last_reason"]
    alice.execute("UNLISTEN *")
    assert live(alice, table) == []


def test_live_queries_say_why_a_change_is_not_told(server, alice, writer, table):
    alice.execute(f"SUBSCRIBE TO {table}")
    alice.execute("BEGIN")
    for number in range(3):
        writer.execute(f"INSERT INTO {table} VALUES ({number}, 1, 'x')")
    (one,) = live(writer, table)
    assert (one["lag_rows"], one["last_reason"]) == (3, "its session is in a transaction block")
    assert one["lag_ms"] >= 0
    alice.execute("COMMIT")
    hear(alice, 3)
    assert live(writer, table)[0]["lag_rows"] == 0


@pytest.mark.slow
def test_live_queries_count_what_a_slow_reader_has_to_read(server, writer, table):
    with RawClient(server, "alice") as slow:
        slow.simple(f"SUBSCRIBE TO {table}")
        number = 0
        # There may be a moment between a commit and the turn of the session that is to tell it.
        while (found := live(writer, table)[0])["last_reason"] in (None, "nothing has changed"):
            assert number < 10_000
            with writer.transaction():
                for _ in range(100):
                    number += 1
                    writer.execute(f"INSERT INTO {table} VALUES ({number}, 1, repeat('x', 50000))")
        assert found["last_reason"] == "its client does not read"
        assert live(writer, table)[0]["lag_rows"] > 0


# ------------------------------------------------------------------ KILL LIVE QUERY


@pytest.mark.parametrize(
    "opening", ["SUBSCRIBE TO {m}", 'LISTEN "{m}"', 'LISTEN "{m}?snapshot=true"']
)
@pytest.mark.parametrize("killer", ["alice", "carol"])
def test_a_killed_subscription_ends_with_the_reason(server, alice, writer, table, opening, killer):
    alice.execute(opening.format(m=table))
    with server.connect(killer) as other:
        (one,) = live(other, table)
        other.execute(f"KILL LIVE QUERY '{one['live_id']}'")
        told = hear_until(alice, "error")
        assert told[-1]["code"] == "57014"
        assert live(other, table) == []
        with pytest.raises(psycopg.Error):
            other.execute(f"KILL LIVE QUERY '{one['live_id']}'")
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    alice.execute("LISTEN y; NOTIFY y, '1'")
    assert hear(alice, 1) == [1]


def test_who_may_end_a_subscription(server, alice, table):
    alice.execute(f"SUBSCRIBE TO {table}")
    (one,) = live(alice, table)
    with server.connect("bob") as bob, server.connect("carol") as carol:
        for number in (one["live_id"], "999999", "x"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                bob.execute(f"KILL LIVE QUERY '{number}'")
        for number in ("999999", "x", "9" * 5000, "-1"):
            with pytest.raises(psycopg.errors.UndefinedObject):
                carol.execute(f"KILL LIVE QUERY '{number}'")
        with pytest.raises(psycopg.errors.UndefinedObject):
            carol.execute("KILL LIVE QUERY 999999")
        with pytest.raises(psycopg.errors.SyntaxError):
            carol.execute("KILL LIVE QUERY -1")
    assert len(live(alice, table)) == 1
    alice.execute(f"KILL LIVE QUERY {one['live_id']}")
    assert live(alice, table) == []


def test_a_subscription_that_is_killed_in_a_block_is_told_so_after_it(server, alice, table):
    alice.execute(f"BEGIN; SUBSCRIBE TO {table}")
    with server.connect("carol") as carol:
        carol.execute(f"KILL LIVE QUERY '{live(carol, table)[0]['live_id']}'")
    alice.execute("COMMIT")
    assert hear(alice, 1)[0]["code"] == "57014"


def test_nothing_is_listed_of_sessions_that_have_gone(server, table, writer):
    with RawClient(server, "alice") as client:
        client.simple(f"SUBSCRIBE TO {table}")
        client.simple(f'BEGIN; LISTEN "{table}?snapshot=on"')
        assert len(live(writer, table)) == 2
        client.simple("ROLLBACK")
        assert len(live(writer, table)) == 1
        client.close()
    while live(writer, table):
        writer.execute("SELECT 1")


# ------------------------------------------------------------------ EXPLAIN SUBSCRIBE


def explained(connection, statement, params=None):
    return [line for (line,) in connection.execute(f"EXPLAIN {statement}", params)]


def test_explain_says_whose_changes_and_which(server, alice, table, chat):
    name = table.partition(".")[2]
    assert explained(
        alice, f"SUBSCRIBE TO {table} WHERE room = %s OPTIONS (last_rows = 5, channel = 'x')", [1]
    )[:6] == [
        f"Subscribe on {name}",
        "  Channel: x",
        "  Changes: alice's own, in the log",
        "  Filter: (room = $1)",
        "  Key: id",
        "  Begins: with the newest 5",
    ]
    assert explained(alice, f"SUBSCRIBE TO {chat}.notes OPTIONS (snapshot = false)") == [
        "Subscribe on notes",
        f"  Channel: {chat}.notes",
        "  Changes: everybody's, in the log",
        "  Key: id",
        "  Begins: now",
    ]
    moving = f"SUBSCRIBE TO {chat}.conversations WHERE created_at > NOW() - INTERVAL '1 h'"
    assert any(line.startswith("  Filter Depends On:") for line in explained(alice, moving))
    assert live(alice, table) == []  # It has begun nothing.


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("EXPLAIN ANALYZE SUBSCRIBE TO {m}", "0A000"),
        ("EXPLAIN SUBSCRIBE TO {m} WHERE nope = 1", "42703"),
        ("EXPLAIN SUBSCRIBE TO {m} OPTIONS (nope = 1)", "42601"),
        ("EXPLAIN LISTEN x", "42601"),
        ("EXPLAIN SUBSCRIBE TO {chat}.secret", "42501"),
    ],
)
def test_explain_refuses_what_subscribe_does(server, alice, table, statement, state):
    chat = table.partition(".")[0]
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {chat}.secret (id int PRIMARY KEY)"
            " WITH (TYPE = 'SHARED', ACCESS_LEVEL = 'RESTRICTED')"
        )
    with pytest.raises(psycopg.Error) as raised:
        alice.execute(statement.format(m=table, chat=chat))
    assert raised.value.sqlstate == state
