"""Arrays that do not begin at 1: random ones beside PostgreSQL, through drivers, kept in composites."""

import asyncio
from random import Random

import asyncpg
import psycopg
import pytest

from conformance.fuzz.arrays import compare
from conformance.fuzz.sides import Side

pytestmark = pytest.mark.slow


def test_random_arrays_are_answered_as_by_postgresql(servers):
    server, theirs = servers
    sides = Side(theirs), Side(f"host={server.directory} port={server.port} user=root dbname=kalam")
    try:
        assert compare(*sides, Random(11), 150) == []
    finally:
        for side in sides:
            side.run("DROP TABLE shaped")
            side.run("DROP TYPE shapes")
            side.close()


def test_a_composite_value_keeps_bounds_hot_and_cold_and_a_worker_answers_them(servers):
    with servers[0].root() as client:
        client.execute("CREATE TYPE ranks AS (of integer[], by text[])")
        client.execute("CREATE TABLE ranked (id integer PRIMARY KEY, r ranks)")
        client.execute(
            "INSERT INTO ranked SELECT n, ROW('[0:1][5:6]={{1,2},{3,4}}', '[-1:0]={a,NULL}')::ranks "
            "FROM generate_series(1, 3) n"
        )
        client.execute("STORAGE FLUSH TABLE ranked")
        client.execute("UPDATE ranked SET r.of[0][6] = 9 WHERE id = 2")
        client.execute("SET kalam.in_process_queries = off")
        query = "SELECT (r).of::text, (r).of[0][6], array_dims((r).by) FROM ranked ORDER BY id"
        cold = ("[0:1][5:6]={{1,2},{3,4}}", 2, "[-1:0]")
        hot = ("[0:1][5:6]={{1,9},{3,4}}", 9, "[-1:0]")
        assert client.execute(query).fetchall() == [cold, hot, cold]
        grouped = client.execute("SELECT (r).of[0:0], count(*) FROM ranked GROUP BY 1 ORDER BY 2")
        assert grouped.fetchall() == [([[1, 9]], 1), ([[1, 2]], 2)]
        client.execute("DROP TABLE ranked")
        client.execute("DROP TYPE ranks")


def test_a_column_of_arrays_refuses_other_bounds_and_keeps_what_it_had(servers):
    with servers[0].root() as client:
        client.execute("CREATE TABLE flat (id integer PRIMARY KEY, a integer[])")
        client.execute("INSERT INTO flat VALUES (1, '[1:2]={1,2}')")
        for change in (
            "UPDATE flat SET a[0] = 5",
            "UPDATE flat SET a = '[2:3]={1,2}'",
            "INSERT INTO flat VALUES (2, array_fill(1, '{2}', '{0}'))",
            "INSERT INTO flat SELECT 2, '[0:0]={1}' FROM flat",
            "CREATE TABLE flats AS SELECT id, '[0:0]={1}'::integer[] AS a FROM flat",
        ):
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="do not begin at 1"):
                client.execute(change)
        assert client.execute("SELECT * FROM flat").fetchall() == [(1, [1, 2])]
        client.execute("DROP TABLE flat")


async def _binary(server):
    """What asyncpg, which asks for everything in binary, makes of them."""
    link = await asyncpg.connect(
        host=str(server.directory), port=server.port, user="root", database="kalam"
    )
    try:
        return await link.fetchrow(
            "SELECT '[0:1]={1,2}'::int[], array_prepend($1::int, '[4:4]={1}')", 3
        )
    finally:
        await link.close()


def test_drivers_read_them_in_text_and_binary(servers):
    with servers[0].root() as client:
        for binary in (False, True):
            row = client.execute("SELECT '[0:1]={1,2}'::int[], %s::int[]", ([7],), binary=binary)
            assert row.fetchone() == ([1, 2], [7])
        sent = client.execute("SELECT array_dims(%s::int[])", ("[3:4]={1,2}",))
        assert sent.fetchone() == ("[3:4]",)
    row = asyncio.run(_binary(servers[0]))
    assert tuple(row) == ([1, 2], [3, 1])
