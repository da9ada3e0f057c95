"""LISTEN on a table, with what its name may say.

The channel's name is all that many drivers can send, so everything is tried through names.
"""

import asyncio
import json
from urllib.parse import quote, unquote

import asyncpg
import pg8000.native
import psycopg
import pytest

from tests.wire.listening import HEARD_S, channel_of, hear, hears_nothing_more, listen, ops, rows_of
from tests.wire.raw import RawClient
from tests.wire.server import PASSWORD

# ------------------------------------------------------------------ what a name says


def test_a_tables_channel_tells_its_changes(alice, writer, table):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'before')")
    listen(alice, table)
    writer.execute(f"INSERT INTO {table} VALUES (2, 1, 'a')")
    writer.execute(f"UPDATE {table} SET body = 'b' WHERE id = 2")
    writer.execute(f"DELETE FROM {table} WHERE id = 1")
    told = hear(alice, 3)
    assert ops(told) == [("insert", "2"), ("update", "2"), ("delete", "1")]
    assert {channel for channel, _ in told} == {table}
    assert told[1][1]["old"]["body"] == "a"
    alice.execute(f'UNLISTEN "{table}"')
    writer.execute(f"DELETE FROM {table}")
    hears_nothing_more(alice)


def test_a_name_says_which_rows_and_its_bytes_come_back(alice, writer, table):
    for number in range(8):
        writer.execute(f"INSERT INTO {table} VALUES ({number}, {number % 2}, 'é & = ? %')")
    where = "room = 1 AND body LIKE 'é & = ? %%'"
    channel = f"{table}?last%5Frows=2&where={quote(where)}&old=off"
    listen(alice, channel)
    told = hear(alice, 4)
    assert ops(told) == [
        ("reset",),
        ("insert", "5", "snapshot"),
        ("insert", "7", "snapshot"),
        ("ready",),
    ]
    assert told[0][1]["seq"] == told[3][1]["seq"]
    writer.execute(f"INSERT INTO {table} VALUES (10, 0, 'é & = ? %')")
    writer.execute(f"UPDATE {table} SET room = 1 WHERE id = 10")
    writer.execute(f"UPDATE {table} SET body = 'other' WHERE id = 7")
    told += hear(alice, 2)
    assert ops(told[4:]) == [("insert", "10", "filter"), ("delete", "7", "filter")]
    assert {heard for heard, _ in told} == {channel}
    assert "old" not in told[5][1]
    alice.execute(f'UNLISTEN "{channel}"')
    writer.execute(f"DELETE FROM {table}")
    hears_nothing_more(alice)


def test_a_long_name_is_kept_whole(alice, writer, table):
    numbers = ",".join(map(str, range(600)))
    channel = channel_of(table, where=f"id IN ({numbers})", snapshot="true")
    assert 3000 < len(channel) <= 4096
    listen(alice, channel)
    writer.execute(f"INSERT INTO {table} VALUES (599, 1, 'x'), (600, 1, 'x')")
    assert "599" in rows_of(told := hear(alice, 3)), told
    assert alice.execute("SELECT pg_listening_channels()").fetchall() == [(channel,)]
    alice.execute(f'UNLISTEN "{channel}"')
    assert alice.execute("SELECT pg_listening_channels()").fetchall() == []


def test_a_table_without_a_key_has_one_in_its_objects(server, chat):
    with server.root() as root:
        root.execute(f"CREATE TABLE {chat}.log (a int, n bigint) WITH (TYPE = 'SHARED')")
        root.execute(f"INSERT INTO {chat}.log VALUES (1, 1), (1, 1)")
        listen(root, channel_of(f"{chat}.log", snapshot="true", bigint="number"))
        root.execute(f"DELETE FROM {chat}.log WHERE a = 1")
        root.execute(f"INSERT INTO {chat}.log VALUES (2, 2)")
        told = []
        while (2, 2) not in [(row["a"], row["n"]) for row in rows_of(told).values()]:
            told += hear(root, 1)
        assert list(rows_of(told).values()) == [{"a": 2, "n": 2}]


def test_a_name_with_options_is_looked_for_on_the_search_path(server, table, writer):
    schema, name = table.split(".")
    with server.connect("alice", options=f"-c search_path={schema}") as alice:
        listen(alice, name)  # A channel like any other.
        listen(alice, f"{name}?snapshot=on")
        writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
        writer.execute(f"NOTIFY {name}, '1'")
        heard = hear(alice, 4)
        assert [channel for channel, _ in heard].count(name) == 1
        assert rows_of([one for one in heard if one[0] != name]) == {
            "1": {"id": 1, "room": 1, "body": "x"}
        }


REFUSED = [
    ("{m}?where=room%3", "22023"),
    ("{m}?where=room%zz1", "22023"),
    ("{m}?where=%ff", "22023"),
    ("{m}?where=room%3D1%00", "22023"),
    ("{m}?nope=1", "42601"),
    ("{m}?channel=x", "42601"),
    ("{m}?stream=true", "42601"),
    ("{m}?batch_size=5", "42601"),
    ("{m}?snapshot", "42601"),
    ("{m}?last_rows=5&", "42601"),
    ("{m}?last_rows=5&last_rows=5", "42601"),
    ("{m}?where=true&where=true", "42601"),
    ("{m}?last_rows=5&from_seq=1", "42601"),
    ("{m}?last_rows=five", "22023"),
    ("{m}?from_seq=9000000000000000000", "22023"),
    ("{m}?where=", "42601"),
    ("{m}?where=nope=1", "42703"),
    ("{m}?where=id = $1", "42P02"),
    ("{m}?where=body", "42804"),
    ("{m}?where=true)", "42601"),
    ("{m}?where=true; DROP TABLE {m}", "42601"),
    ("{m}?where=true ORDER BY id", "0A000"),
    ("{m}?where=true LIMIT 1", "0A000"),
    ("{m}?where=true FOR UPDATE", "0A000"),
    ("{m}?where=true UNION SELECT 1, 1, 'x'", "0A000"),
    ("{m}?where=id IN (SELECT id FROM {m})", "0A000"),
    ("{m}?where=random() < 2", "0A000"),
    ("{m}?where=true OPTIONS (last_rows=3)", "42601"),
    ("{chat}.nothing?last_rows=5", "42P01"),
    ("nothing?last_rows=5", "42P01"),
    ("{chat}.secret", "42501"),
    ("{chat}.secret?last_rows=5", "42501"),
    ("{chat}.secret?bad=%", "42501"),
    ("{chat}.seen", "0A000"),
    ("{chat}.seen?last_rows=5", "0A000"),
    ("system.tables", "0A000"),
    ("pg_catalog.pg_class?last_rows=5", "0A000"),
]


@pytest.mark.parametrize(
    ("where", "message", "at"),
    [
        ("room = = 1", 'syntax error at or near "="', 8),
        ("room%20%3D%201%20AND", "syntax error at end of input", 13),
        ("nope = 1", 'column "nope" does not exist', 1),
        ("room = 1 AND body > 5", None, 19),
        ("body = 'ä' AND nope(room)", None, 16),
    ],
)
def test_a_bad_condition_is_pointed_at(alice, table, where, message, at):
    with pytest.raises(psycopg.Error) as caught:
        listen(alice, f"{table}?where={where}&last_rows=5")
    diag = caught.value.diag
    assert message is None or diag.message_primary == message
    assert diag.statement_position is None
    assert diag.message_detail == (
        f"At character {at} of the channel's condition: {unquote(where)}"
    )


@pytest.mark.parametrize(("name", "state"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_could_not_be_told_is_not_acknowledged(server, alice, writer, table, name, state):
    chat = table.partition(".")[0]
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {chat}.secret (id int PRIMARY KEY)"
            " WITH (TYPE = 'SHARED', ACCESS_LEVEL = 'RESTRICTED')"
        )
        root.execute(f"CREATE VIEW {chat}.seen AS SELECT id FROM {table}")
    with pytest.raises(psycopg.Error) as raised:
        listen(alice, name.format(m=table, chat=chat))
    assert raised.value.sqlstate == state
    assert raised.value.diag.statement_position is None
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    assert alice.execute("SELECT pg_listening_channels()").fetchall() == []
    hears_nothing_more(alice)


def test_a_name_has_an_end(alice, table):
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        listen(alice, channel_of(table, where=f"body = '{'x' * 4096}'"))


def test_a_name_that_is_no_tables_is_postgresqls(alice, writer, chat):
    """Dots and question marks mean nothing where there is no such table; 63 bytes are kept."""
    for channel in (f"{chat}.nothing", "what?", "a.b.c", f"{chat}.{'x' * 70}"):
        listen(alice, channel)
        writer.execute(f"NOTIFY \"{channel}\", '1'")
        assert hear(alice, 1) == [(channel[:63], 1)]


def test_what_cannot_be_computed_ends_the_stream_with_the_error(alice, writer, table):
    writer.execute(f"INSERT INTO {table} VALUES (1, 0, 'x')")
    listen(alice, channel_of(table, where="1 / room = 1", snapshot="true"))
    listen(alice, channel_of(table, where="1 / room = 1"))
    writer.execute(f"INSERT INTO {table} VALUES (2, 0, 'x')")
    told = hear(alice, 2)
    assert [one["code"] for _, one in told if one["op"] == "error"] == ["22012"] * 2, told
    assert alice.execute("SELECT pg_listening_channels()").fetchall() == []
    hears_nothing_more(alice)


# ------------------------------------------------------------------ SINCE


def test_listen_since_a_token_replays_first(alice, writer, table, server):
    listen(alice, table)
    with writer.transaction():
        for number in range(3):
            writer.execute(f"INSERT INTO {table} VALUES ({number}, 1, 'x')")
    told = hear(alice, 3)
    for at, (_, one) in enumerate(told[:-1]):
        for by_name in (False, True):
            with server.connect("alice") as again:
                channel = channel_of(table, from_seq=one["token"]) if by_name else table
                listen(again, channel, "" if by_name else one["token"])
                rest = [object_ for _, object_ in hear(again, 2 - at)]
                assert rest == [object_ for _, object_ in told[at + 1 :]]
    with server.connect("alice") as after:
        listen(after, table, told[-1][1]["seq"])
        writer.execute(f"UPDATE {table} SET body = 'y' WHERE id = 0")
        assert ops(hear(after, 1)) == [("update", "0")]


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("LISTEN somewhere SINCE 1", "0A000"),
        ('LISTEN "{m}" SINCE 9000000000000000000', "22023"),
        ("LISTEN \"{m}?last_rows=1\" SINCE '1'", "42601"),
        ("LISTEN \"{m}?from_seq=1\" SINCE '1'", "42601"),
    ],
)
def test_since_is_refused_where_it_means_nothing(alice, table, statement, state):
    with pytest.raises(psycopg.Error) as raised:
        alice.execute(statement.format(m=table))
    assert raised.value.sqlstate == state


# ------------------------------------------------------------------ one stream for each channel


def test_a_subscribed_channel_goes_on_as_it_was(alice, writer, table):
    alice.execute(f"SUBSCRIBE TO {table} WHERE room = 2")
    listen(alice, table)
    with alice.transaction():
        listen(alice, table)
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x'), (2, 2, 'x')")
    assert ops(hear(alice, 1)) == [("insert", "2")]
    notices = []
    alice.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    listen(alice, table, "0")
    assert "goes on" in notices[0]
    hears_nothing_more(alice)
    alice.execute(f'UNLISTEN "{table}"')
    writer.execute(f"INSERT INTO {table} VALUES (3, 2, 'x')")
    hears_nothing_more(alice)


def test_subscribe_takes_a_listened_channel_over(alice, writer, table):
    listen(alice, table)
    alice.execute(f"SUBSCRIBE TO {table} WHERE room = 2")
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x'), (2, 2, 'x')")
    assert ops(hear(alice, 1)) == [("insert", "2")]


def test_listening_again_begins_a_snapshot_anew_and_changes_nothing_else(alice, writer, table):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    with_rows = channel_of(table, snapshot="true")
    for _ in range(2):
        listen(alice, with_rows)
        assert ops(hear(alice, 3)) == [("reset",), ("insert", "1", "snapshot"), ("ready",)]
    for _ in range(2):
        listen(alice, table)
    alice.execute(f'UNLISTEN "{with_rows}"')
    writer.execute(f"DELETE FROM {table}")
    assert ops(hear(alice, 1)) == [("delete", "1")]
    hears_nothing_more(alice)


def test_two_names_of_a_table_are_two_streams(alice, writer, table):
    names = [channel_of(table, where=f"room = {room}") for room in (1, 2)]
    for name in names:
        listen(alice, name)
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x'), (2, 2, 'x')")
    assert sorted((channel, one["key"]) for channel, one in hear(alice, 2)) == [
        (names[0], ["1"]),
        (names[1], ["2"]),
    ]


@pytest.mark.parametrize("statement", ["UNLISTEN *", "DISCARD ALL"])
def test_what_ends_all_ends_these_too(alice, writer, table, statement):
    listen(alice, table)
    listen(alice, channel_of(table, last_rows=5))
    alice.execute(statement)
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    assert alice.execute("SELECT pg_listening_channels()").fetchall() == []
    hears_nothing_more(alice)


def test_another_role_ends_it_with_the_reason(server, table):
    with server.connect("carol") as carol:
        listen(carol, table)
        listen(carol, channel_of(table, snapshot="true"))
        carol.execute("SET ROLE alice")
        told = hear(carol, 2)
        assert {(one["op"], one.get("code")) for _, one in told} == {("error", "42501")}
        listen(carol, table)
        with server.connect("alice") as alice:
            alice.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
        assert ops(hear(carol, 1)) == [("insert", "1")]


# ------------------------------------------------------------------ drivers


def test_asyncpg_hears_the_rows_by_a_listener_alone(server, table, writer):
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x'), (2, 1, 'x')")
    channel = channel_of(table, last_rows=1)

    async def run():
        heard: asyncio.Queue[dict] = asyncio.Queue()

        def note(_connection, _pid, _channel, payload):
            heard.put_nowait(json.loads(payload))

        async with asyncpg.create_pool(server.dsn("alice"), min_size=1, max_size=1) as pool:
            for again in range(2):
                async with pool.acquire() as connection:
                    if again:  # The sure way: it is told after COMMIT.
                        async with connection.transaction():
                            await connection.add_listener(channel, note)
                    else:
                        await connection.add_listener(channel, note)
                    told = [await heard.get() for _ in range(3)]
                    assert [one["op"] for one in told] == ["reset", "insert", "ready"]
                    await connection.execute(f"DELETE FROM {table} WHERE id = {again}")
                    if again:
                        assert (await heard.get())["op"] == "delete"
                        await connection.remove_listener(channel, note)
                        await connection.execute(f"DELETE FROM {table}")
                    else:
                        await connection.reset()  # The pool does it, too.
                        await connection.remove_listener(channel, note)
            async with pool.acquire() as connection:
                assert await connection.fetch("SELECT pg_listening_channels()") == []
        assert heard.empty()

    asyncio.run(asyncio.wait_for(run(), HEARD_S))


def test_pg8000_hears_while_it_asks(server, table, writer):
    connection = pg8000.native.Connection(
        "alice", host="127.0.0.1", port=server.port, database="kalam", password=PASSWORD
    )
    try:
        connection.run(f'LISTEN "{channel_of(table, snapshot="true")}"')
        writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
        while len(connection.notifications) < 3:
            connection.run("SELECT 1")
        assert "1" in rows_of([(None, json.loads(one[2])) for one in connection.notifications])
    finally:
        connection.close()


# ------------------------------------------------------------------ slow readers, lost links


@pytest.mark.slow
def test_a_snapshot_waits_for_a_client_that_reads_slowly_and_nobody_else_does(server, table):
    """20 MB of rows for a client that does not read; then it does, and has every row and change."""
    with RawClient(server, "alice") as slow, server.connect("alice") as writer:
        text = "x" * 20_000
        for start in range(0, 1000, 100):
            with writer.transaction():
                for number in range(start, start + 100):
                    writer.execute(f"INSERT INTO {table} VALUES (%s, 1, %s)", [number, text])
        slow.simple(f'LISTEN "{table}?snapshot=true"')
        assert json.loads(slow.receive()[1][4:].split(b"\0")[1])["op"] == "reset"
        for number in range(100):
            writer.execute(f"UPDATE {table} SET room = 2, body = '' WHERE id = {number}")
        with RawClient(server, "alice") as lost:  # A link that is cut in the middle of it.
            lost.simple(f'LISTEN "{table}?snapshot=true"')
            lost.receive()
        told = []
        while not told or told[-1][1]["key"] != ["99"] or told[-1][1]["op"] != "update":
            kind, body = slow.receive()
            assert kind == "A"
            one = json.loads(body[4:].split(b"\0")[1])
            told.append((None, {"key": None, **one}))
        assert [one["op"] for _, one in told].count("ready") == 1
        rows = rows_of(told)
        assert len(rows) == 1000
        assert all((row["room"] == 2) == (int(key) < 100) for key, row in rows.items())
