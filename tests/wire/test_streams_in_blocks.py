"""Streams that are opened and ended inside transaction blocks: SUBSCRIBE and LISTEN on tables."""

import json
from random import Random

import psycopg
import pytest

from tests.wire.listening import channel_of, hear, hears_nothing_more, listen, ops, rows_of
from tests.wire.raw import SYNC, RawClient, bind, execute, parse


@pytest.mark.parametrize(
    "opening", ["SUBSCRIBE TO {m}", 'LISTEN "{m}"', 'LISTEN "{m}?where=room%3D1"']
)
def test_a_stream_that_is_opened_in_a_block_is_told_after_its_commit(
    server, writer, table, opening
):
    with RawClient(server, "alice") as client:
        client.simple("BEGIN")
        answer = client.simple(opening.format(m=table))
        assert "after COMMIT" in answer.notices[0]["M"]
        writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
        assert "A" not in client.simple("SELECT 1").kinds
        assert "A" not in client.simple(f"INSERT INTO {table} VALUES (2, 1, 'own')").kinds
        assert "A" not in client.simple("COMMIT").kinds
        keys = [json.loads(client.receive()[1][4:].split(b"\0")[1])["key"] for _ in range(2)]
        assert keys == [["1"], ["2"]]


@pytest.mark.parametrize("undo", ["ROLLBACK", "ROLLBACK TO s; COMMIT", "SELECT 1/0; COMMIT"])
@pytest.mark.parametrize(
    "opening", ["SUBSCRIBE TO {m} OPTIONS (channel = '{m}')", 'LISTEN "{m}?last_rows=5"']
)
def test_rolling_back_undoes_a_stream(alice, writer, table, opening, undo):
    listen(alice, table)
    alice.execute("BEGIN; SAVEPOINT s")
    alice.execute(opening.format(m=table))
    alice.execute(f'UNLISTEN "{table}"')
    for part in undo.split(";"):
        if "1/0" in part:
            with pytest.raises(psycopg.Error):
                alice.execute(part)
        else:
            alice.execute(part)
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    assert [(channel, *ops([(channel, one)])) for channel, one in hear(alice, 1)] == [
        (table, ("insert", "1"))
    ]
    hears_nothing_more(alice)


def test_what_a_block_asks_of_a_channel_counts_in_its_order(alice, writer, table):
    with alice.transaction():
        alice.execute(f"SUBSCRIBE TO {table} WHERE room = 1")
        alice.execute(f'UNLISTEN "{table}"')
        listen(alice, table)
        alice.execute(f"SUBSCRIBE TO {table} WHERE room = 2 OPTIONS (channel = 'x')")
        alice.execute("UNLISTEN *")
        alice.execute(f"SUBSCRIBE TO {table} WHERE room = 3")
        listen(alice, table)
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x'), (2, 2, 'x'), (3, 3, 'x')")
    assert ops(hear(alice, 1)) == [("insert", "3")]
    hears_nothing_more(alice)


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
@pytest.mark.parametrize("newest", ["", "OPTIONS (last_rows = 10)"])
def test_a_blocks_own_changes_are_told_and_not_shown(alice, writer, table, level, newest):
    """A row that is shown and then deleted by the block would stay for ever."""
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x'), (2, 1, 'x')")
    with alice.transaction():
        alice.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        alice.execute(f"INSERT INTO {table} VALUES (3, 1, 'own'), (4, 1, 'own')")
        alice.execute(f"DELETE FROM {table} WHERE id = 1")
        writer.execute(f"UPDATE {table} SET body = 'y' WHERE id = 2")
        shown = {row[0]: row[2] for row in alice.execute(f"SUBSCRIBE TO {table} {newest}")}
        assert set(shown) == {1, 2}
        alice.execute(f"DELETE FROM {table} WHERE id = 3")
    told = hear(alice, 2 if shown[2] == "y" else 3)
    keys = set(map(str, shown)) | {one["key"][0] for _, one in told if one["op"] == "insert"}
    keys -= {one["key"][0] for _, one in told if one["op"] == "delete"}
    assert keys == {"2", "4"}
    hears_nothing_more(alice)


class Held:
    """What a session listens to by PostgreSQL's rules: a block's wishes count when it is committed."""

    def __init__(self):
        self.now, self.block, self.savepoints = set(), None, []

    @property
    def asked(self):
        return self.now if self.block is None else self.block

    def run(self, step, channel, choose):
        """The statement of a step, done here too; "" where it would mean nothing."""
        match step:
            case "LISTEN" | "SUBSCRIBE":
                self.asked.add(channel)
            case "UNLISTEN":
                self.asked.discard(channel)
            case "UNLISTEN *":
                self.asked.clear()
            case "BEGIN" if self.block is None:
                self.block, self.savepoints = set(self.now), []
            case "COMMIT" if self.block is not None:
                self.now, self.block = self.block, None
            case "ROLLBACK" if self.block is not None:
                self.block = None
            case "SAVEPOINT" if self.block is not None:
                self.savepoints.append(set(self.block))
                return f"SAVEPOINT s{len(self.savepoints) - 1}"
            case "ROLLBACK TO" if self.block is not None and self.savepoints:
                at = choose(range(len(self.savepoints)))
                self.block = set(self.savepoints[at])
                del self.savepoints[at + 1 :]
                return f"ROLLBACK TO s{at}"
            case _:
                return ""
        return step


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_asked_of_channels_in_blocks_counts_as_in_postgresql(
    server, alice, table, seed
):
    random = Random(seed)
    channels = [table, f"{table}?where=room=1", "plain"]
    steps = ["LISTEN", "SUBSCRIBE", "UNLISTEN", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT"]
    steps += ["ROLLBACK TO", "UNLISTEN *", "BEGIN"]
    held = Held()
    for _ in range(100):
        step, channel = random.choice(steps), random.choice(channels)
        statement = held.run(step, channel, random.choice)
        if step == "SUBSCRIBE":
            alice.execute(f"SUBSCRIBE TO {table} OPTIONS (channel = '{channel}')")
        elif step in ("LISTEN", "UNLISTEN"):
            alice.execute(f'{step} "{channel}"')
        elif statement:
            alice.execute(statement)
        if held.block is None:
            found = alice.execute("SELECT pg_listening_channels()").fetchall()
            assert {name for (name,) in found} == held.now
    alice.execute("ROLLBACK" if held.block is not None else "SELECT 1")
    open_now = alice.execute(
        "SELECT count(*) FROM system.live_queries WHERE pid = pg_backend_pid()"
    ).fetchone()
    assert open_now[0] in (len(held.now), len(held.now - {"plain"}))


def test_a_table_that_the_block_made_can_be_followed(server, chat):
    with server.connect("carol") as carol:
        with carol.transaction():
            carol.execute(f"CREATE TABLE {chat}.t (id int PRIMARY KEY) WITH (TYPE = 'USER')")
            listen(carol, channel_of(f"{chat}.t", snapshot="true"))
            carol.execute(f"SUBSCRIBE TO {chat}.t")
            carol.execute(f"INSERT INTO {chat}.t VALUES (1)")
        told = hear(carol, 4)
        assert ops([one for one in told if one[0] == f"{chat}.t"]) == [("insert", "1")]
        with_rows = [one for one in told if one[0] != f"{chat}.t"]
        assert rows_of(with_rows) == {"1": {"id": 1}}


def test_nothing_is_left_of_a_client_that_is_lost_in_a_block(server, table, writer):
    with RawClient(server, "alice") as client:
        client.simple(f"BEGIN; LISTEN \"{table}\"; SUBSCRIBE TO {table} OPTIONS (channel = 'x')")
    with RawClient(server, "alice") as client:
        client.send(parse(f'LISTEN "{table}"') + bind() + execute())  # No Sync: nobody commits it.
    writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
    assert writer.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


def test_nothing_is_told_between_execute_and_sync(server, table, writer):
    with RawClient(server, "alice") as client:
        client.simple(f"SUBSCRIBE TO {table}")
        client.send(parse("SELECT 1") + bind() + execute() + b"H\0\0\0\x04")
        assert [client.receive()[0] for _ in range(4)] == ["1", "2", "D", "C"]
        writer.execute(f"INSERT INTO {table} VALUES (1, 1, 'x')")
        client.send(SYNC)
        assert [client.receive()[0] for _ in range(2)] == ["Z", "A"]
