"""The newest rows with a value, held against rows in a dict: in one step, message by message, in a block."""

import random
from typing import ClassVar

import pytest

from kalam_pg.pgwire.messages import DataRow
from tests import frontend
from tests.kalam_pg.wire.clients import Client, pipeline, serving, tags

TABLE = "CREATE USER TABLE chat.messages (id bigint PRIMARY KEY, room int, at bigint NOT NULL, body text)"
SELECT = "SELECT id, room, at, body FROM chat.messages WHERE room = $1"


def newest(rows, *, key=lambda row: row[2], end=3):
    return sorted(rows, key=key, reverse=True)[:end]


class Chat:
    """Changes at random, and questions about them."""

    # What is asked, with how many numbers; and of the room's rows, those that the answer is.
    QUESTIONS: ClassVar = {
        "ORDER BY at DESC LIMIT 3": newest,
        "ORDER BY at LIMIT 3": lambda rows: sorted(rows, key=lambda row: row[2])[:3],
        "ORDER BY id DESC LIMIT 2 OFFSET 1": lambda rows: newest(rows, key=lambda row: row[0])[1:3],
        "ORDER BY at DESC, id LIMIT 3": lambda rows: newest(
            rows, key=lambda row: (row[2], -row[0])
        ),
        "AND at < $2 ORDER BY at DESC LIMIT 3": lambda rows, a: newest(r for r in rows if r[2] < a),
        "AND $2 >= at ORDER BY at DESC LIMIT 3": lambda rows, a: newest(
            r for r in rows if r[2] <= a
        ),
        "AND at > $2 AND at < $3 ORDER BY at LIMIT 3": lambda rows, a, b: sorted(
            (r for r in rows if a < r[2] < b), key=lambda row: row[2]
        )[:3],
        "ORDER BY at DESC LIMIT $2": lambda rows, a: newest(rows, end=a),
        "AND body <> 'b' ORDER BY at DESC LIMIT 3": lambda rows: newest(
            r for r in rows if r[3] != "b"
        ),
        "AND body = 'b' ORDER BY at DESC LIMIT 1": lambda rows: newest(
            (r for r in rows if r[3] == "b"), end=1
        ),
        "ORDER BY body, at DESC": lambda rows: sorted(rows, key=lambda row: (row[3], -row[2])),
        "": lambda rows: [*rows],
    }

    def __init__(self, server, client, seed):
        self.server = server
        self.client = client
        self.random = random.Random(seed)
        self.rows = {}

    async def change(self):
        number = self.random.randrange(30)
        row = (
            number,
            self.random.randrange(3),
            self.random.randrange(8),
            self.random.choice("abc"),
        )
        if number not in self.rows:
            values = ", ".join(map(repr, row))
            await self.client.query(f"INSERT INTO chat.messages VALUES ({values})")
        elif self.random.random() < 0.3:
            await self.client.query(f"DELETE FROM chat.messages WHERE id = {number}")
            del self.rows[number]
            return
        else:
            await self.client.query(
                f"UPDATE chat.messages SET room = {row[1]}, at = {row[2]}, body = '{row[3]}' "
                f"WHERE id = {number}"
            )
        self.rows[number] = row

    async def ask(self):
        for name, (question, answer) in enumerate(self.QUESTIONS.items()):
            room = self.random.randrange(4)
            count = answer.__code__.co_argcount - 1
            numbers = [self.random.randrange(9) for _ in range(count)]
            expected = answer([r for r in self.rows.values() if r[1] == room], *numbers)
            step = pipeline(str(name), str(room), *map(str, numbers))
            by_portal = pipeline(str(name), str(room), *map(str, numbers), max_rows=100)
            for found in (
                await self.client.ask(*step),
                await self.in_bytes(step),
                await self.client.ask(*by_portal),
            ):
                assert tags(found) == [f"SELECT {len(expected)}"], question
                rows = [decoded(m) for m in found if isinstance(m, DataRow)]
                assert all(self.rows.get(row[0]) == row for row in rows)
                assert len(set(rows)) == len(rows)
                self.compare(question, rows, expected)

    def compare(self, question, rows, expected):
        """Among rows with equal sort keys any order is right."""
        if "ORDER BY id" in question or "id LIMIT" in question:
            assert rows == expected
        elif not question:
            assert sorted(rows) == sorted(expected)
        else:
            assert [row[2] for row in rows] == [row[2] for row in expected], question

    async def in_bytes(self, step):
        wire = b"".join(map(frontend.encode, step))
        for at in range(len(wire)):
            self.client.feed(wire[at : at + 1])
            await self.server.settle()
        return self.client.answers()

    async def prepare(self):
        for name, question in enumerate(self.QUESTIONS):
            await self.client.prepare(str(name), f"{SELECT} {question}")


def decoded(message):
    first, room, at, body = message.values
    return int(first), int(room), int(at), body.decode()


@pytest.mark.parametrize("seed", range(4))
async def test_every_answer_is_that_of_the_rows_as_they_are_now(tmp_path, seed):
    async with serving(tmp_path) as server:
        client = Client(server)
        await client.query("CREATE NAMESPACE chat")
        await client.query(TABLE)
        chat = Chat(server, client, seed)
        await chat.prepare()
        for step in range(60):
            await chat.change()
            if step % 3 == 0:
                await chat.ask()
