"""The newest rows of a conversation, hot, flushed, and half of each: as all rows sorted would say."""

import random

import pytest

from tests.wire.server import KalamServer

pytestmark = pytest.mark.slow

SELECT = "SELECT id, room, at, body FROM chat.messages WHERE room = %s"


def greatest(rows, key, end):
    return [key(row) for row in sorted(rows, key=key, reverse=True)[:end]]


class Chat:
    """Messages, and the same in a dict."""

    def __init__(self, server, seed):
        self.server = server
        self.random = random.Random(seed)
        self.rows = {}
        self.connection = server.root(prepare_threshold=0)
        self.connection.execute("CREATE NAMESPACE IF NOT EXISTS chat")
        self.connection.execute("DROP TABLE IF EXISTS chat.messages")
        self.connection.execute(
            "CREATE USER TABLE chat.messages"
            " (id bigint PRIMARY KEY, room int NOT NULL, at bigint, body text)"
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def write(self, first, count, at=lambda number: number):
        for number in range(first, first + count):
            row = (number, number % 3, at(number), f"message {number}")
            self.connection.execute("INSERT INTO chat.messages VALUES (%s, %s, %s, %s)", row)
            self.rows[number] = row

    def change_some(self, count):
        for number in self.random.sample(sorted(self.rows), count):
            if self.random.random() < 0.4:
                self.connection.execute("DELETE FROM chat.messages WHERE id = %s", (number,))
                del self.rows[number]
                continue
            at, body = self.random.randrange(500), self.random.choice("ab")
            self.connection.execute(
                "UPDATE chat.messages SET at = %s, body = %s WHERE id = %s", (at, body, number)
            )
            self.rows[number] = (number, number % 3, at, body)

    def make_cold(self):
        """In a segment, and in no tail: that of a server that starts reaches back by 256 rows."""
        self.connection.execute(
            "INSERT INTO chat.messages"
            " SELECT 1000000 + g, 99, g, 'of another room' FROM generate_series(1, 300) g"
        )
        self.connection.execute("STORAGE FLUSH TABLE chat.messages")
        self.connection.close()
        self.server.stop()
        self.connection = self.server.start().root(prepare_threshold=0)

    def newest(self):
        found = self.connection.execute(f"{SELECT} ORDER BY at DESC LIMIT 2", (0,))
        return [row[2] for row in found]

    def check(self):
        for room in range(4):
            rows = [row for row in self.rows.values() if row[1] == room]
            for end in (1, 5, 1000):
                self.check_order(rows, room, end)
            found = self.connection.execute(SELECT, (room,)).fetchall()
            assert sorted(found) == sorted(rows)

    def check_order(self, rows, room, end):
        ask = self.connection.execute
        edge = self.random.randrange(500)

        def at(row):
            return row[2]

        def at_and_id(row):
            return row[2], row[0]

        found = ask(f"{SELECT} ORDER BY at DESC LIMIT {end}", (room,)).fetchall()
        assert [at(row) for row in found] == greatest(rows, at, end)
        assert all(self.rows[row[0]] == row for row in found)
        found = ask(f"{SELECT} ORDER BY at DESC, id DESC LIMIT {end}", (room,)).fetchall()
        assert [at_and_id(row) for row in found] == greatest(rows, at_and_id, end)
        found = ask(f"{SELECT} AND at < %s ORDER BY at DESC LIMIT {end}", (room, edge)).fetchall()
        assert [at(row) for row in found] == greatest([r for r in rows if r[2] < edge], at, end)
        found = ask(f"{SELECT} AND at > %s ORDER BY at LIMIT {end}", (room, edge)).fetchall()
        assert [at(row) for row in found] == sorted(at(r) for r in rows if r[2] > edge)[:end]
        found = ask(f"{SELECT} AND body <> 'a' ORDER BY id DESC LIMIT {end}", (room,)).fetchall()
        assert [row[0] for row in found] == greatest(
            [r for r in rows if r[3] != "a"], lambda row: row[0], end
        )


@pytest.mark.parametrize("seed", range(2))
def test_whether_rows_are_hot_or_cold_is_not_to_be_seen(server: KalamServer, seed):
    with Chat(server, seed) as chat:
        chat.write(0, 120)
        chat.check()
        chat.change_some(20)
        chat.check()
        chat.make_cold()
        chat.check()  # All is in a segment.
        chat.write(200, 60)
        chat.check()  # The newest are not.
        chat.write(300, 30, at=lambda number: number - 250)
        chat.change_some(40)
        chat.check()  # What is in the tail is neither newer nor all.
        chat.connection.execute("STORAGE FLUSH TABLE chat.messages")
        chat.write(400, 9)
        chat.check()  # What is in a segment is in the tail too.


def test_a_message_without_a_time_comes_first_as_null_does(server: KalamServer):
    with Chat(server, 0) as chat:
        chat.write(0, 30)
        assert chat.newest() == [27, 24]
        chat.connection.execute("INSERT INTO chat.messages VALUES (100, 0, NULL, 'when?')")
        assert chat.newest() == [None, 27]
        chat.make_cold()
        assert chat.newest() == [None, 27]
        chat.write(201, 6)
        assert chat.newest() == [None, 204]


def test_a_transaction_sees_what_it_wrote_and_an_older_view_what_was(server: KalamServer):
    with Chat(server, 0) as chat, server.root(prepare_threshold=0) as other:

        def newest():
            found = other.execute(f"{SELECT} ORDER BY at DESC LIMIT 2", (0,))
            return [row[2] for row in found]

        chat.write(0, 30)
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert newest() == [27, 24]
        chat.write(30, 30)
        chat.connection.execute("DELETE FROM chat.messages WHERE id = 27")
        assert chat.newest() == [57, 54]
        assert newest() == [27, 24]
        other.execute("COMMIT")
        assert newest() == [57, 54]
        other.execute("BEGIN")
        other.execute("INSERT INTO chat.messages VALUES (99, 0, 99, '')")
        assert newest() == [99, 57]
        assert chat.newest() == [57, 54]
        other.execute("ROLLBACK")
        assert newest() == [57, 54]
