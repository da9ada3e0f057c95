"""Subscriptions as rows in real drivers: each reads the snapshot, then changes as they come, then stops."""

import asyncio
from contextlib import ExitStack, suppress

import asyncpg
import pg8000.dbapi
import psycopg
import pytest

from tests.wire.server import PASSWORD

pytestmark = pytest.mark.slow


@pytest.fixture
def table(server, chat):
    with server.root() as root:
        root.execute(
            f"CREATE TABLE {chat}.m (id bigint PRIMARY KEY, v text, at timestamptz) WITH (TYPE = 'USER')"
        )
    with server.connect("alice") as alice:
        alice.execute(f"INSERT INTO {chat}.m VALUES (1, 'a', '2024-01-01'), (2, NULL, NULL)")
    return f"{chat}.m"


def change(writer, table):
    with writer.transaction():
        writer.execute(f"INSERT INTO {table} VALUES (3, 'c', NULL)")
        writer.execute(f"UPDATE {table} SET v = 'B' WHERE id = 2")
    writer.execute(f"DELETE FROM {table} WHERE id = 1")


SNAPSHOT = [("insert", 1, "a"), ("insert", 2, None)]
CHANGES = [("insert", 3, "c"), ("update", 2, "B"), ("delete", 1, "a")]
"""(_op, id, v) of what `table` and `change` write."""


def seen(rows):
    return [(row[1], row[3], row[4]) for row in rows]


@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_streams_a_result(server, writer, table, binary):
    with server.connect("alice") as alice, alice.cursor() as cursor:
        statement = f"SUBSCRIBE TO {table} WHERE id > %s OPTIONS (stream = true)"
        rows = cursor.stream(statement, [0], binary=binary, size=1)
        assert seen([next(rows), next(rows)]) == SNAPSHOT
        change(writer, table)
        assert seen([next(rows), next(rows), next(rows)]) == CHANGES
        rows.close()  # It cancels.
        assert alice.execute("SELECT 1").fetchone() == (1,)


def test_psycopg_copies_in_text_and_binary(server, writer, table):
    for form in ("text", "binary"):
        writer.execute(f"DELETE FROM {table}")
        writer.execute(f"INSERT INTO {table} VALUES (1, 'a', '2024-01-01'), (2, NULL, NULL)")
        with server.connect("alice") as alice:
            statement = f"COPY (SUBSCRIBE TO {table} WHERE id > %s) TO STDOUT (FORMAT {form})"
            stack = ExitStack()
            copy = stack.enter_context(alice.cursor().copy(statement, [0]))
            copy.set_types(["int8", "text", "text", "int8", "text", "timestamptz"])
            rows = copy.rows()
            assert seen([next(rows), next(rows)]) == SNAPSHOT
            change(writer, table)
            assert seen([next(rows), next(rows), next(rows)]) == CHANGES
            alice.cancel()
            with pytest.raises(psycopg.errors.QueryCanceled):
                next(rows)
            with suppress(psycopg.errors.QueryCanceled):
                stack.close()
            assert alice.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("hold", [False, True])
def test_psycopgs_server_cursor_fetches(server, writer, table, hold):
    with server.connect("alice", autocommit=hold) as alice:
        with alice.cursor("changes", withhold=hold) as cursor:
            cursor.execute(f"SUBSCRIBE TO {table}")
            assert seen(cursor.fetchmany(10)) == SNAPSHOT
            change(writer, table)
            found = []
            while len(found) < 3:
                found += cursor.fetchmany(2)
            assert seen(found) == CHANGES
        alice.rollback()


def test_asyncpgs_cursor_and_copy(server, writer, table):
    async def run() -> None:
        connection = await asyncpg.connect(server.dsn("alice"))
        async with connection.transaction():
            statement = f"SUBSCRIBE TO {table} WHERE id > $1 OPTIONS (stream = true)"
            rows = aiter(connection.cursor(statement, 0))
            assert seen([await anext(rows) for _ in SNAPSHOT]) == SNAPSHOT
            await asyncio.to_thread(change, writer, table)
            assert seen([await anext(rows) for _ in CHANGES]) == CHANGES
            later = asyncio.ensure_future(anext(rows))
            await asyncio.to_thread(
                writer.execute, f"INSERT INTO {table} VALUES (9, 'later', NULL)"
            )
            assert seen([await later]) == [("insert", 9, "later")]
        heard = asyncio.Queue()

        async def hear(data):
            for line in data.decode().splitlines():
                await heard.put(line.split(",")[1:5])

        copying = asyncio.create_task(
            connection.copy_from_query(
                f"SUBSCRIBE TO {table} WHERE id > $1", 8, output=hear, format="csv"
            )
        )
        assert (await heard.get())[2:] == ["9", "later"]
        await asyncio.to_thread(writer.execute, f"DELETE FROM {table} WHERE id = 9")
        op, _, *values = await heard.get()
        assert (op, values) == ("delete", ["9", "later"])
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_pg8000_asks_again_and_again(server, writer, table):
    connection = pg8000.dbapi.connect(
        user="alice", password=PASSWORD, host="127.0.0.1", port=server.port, database="kalam"
    )
    connection.autocommit = True
    try:
        cursor = connection.cursor()
        cursor.execute(f"DECLARE c CURSOR FOR SUBSCRIBE TO {table}")
        cursor.execute("FETCH 10 FROM c WITH (timeout = '5s')")
        assert seen(cursor.fetchall()) == SNAPSHOT
        cursor.execute("FETCH 10 FROM c WITH (timeout = '10ms')")
        assert list(cursor.fetchall()) == []
        change(writer, table)
        found = []
        while len(found) < 3:
            cursor.execute("FETCH 10 FROM c WITH (timeout = '5s')")
            found += cursor.fetchall()
        assert seen(found) == CHANGES
    finally:
        connection.close()


def test_psql_copies_and_watches(server, table):
    watched = server.psql(
        f"DECLARE c CURSOR FOR SUBSCRIBE TO SELECT id, v FROM {table};\n"
        "FETCH 1 FROM c;\nFETCH 5 FROM c WITH (timeout = '1s');\nFETCH 5 FROM c WITH (timeout = 0);\n"
        "MOVE 5 IN c WITH (timeout = 0);\nCLOSE c;\nFETCH c;\n",
        user="alice",
    )
    lines = watched.splitlines()
    assert [line.split("|")[1] for line in lines[:2]] == ["insert", "insert"]
    assert lines[2:] == ['ERROR:  cursor "c" does not exist']
