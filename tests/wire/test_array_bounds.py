"""Arrays of any shape: random ones beside PostgreSQL, through drivers, in composites and in columns."""

import asyncio
from random import Random

import asyncpg
import psycopg
import pytest

from conformance.fuzz import stored_arrays
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


def test_random_arrays_in_columns_are_answered_as_by_postgresql(servers):
    server, theirs = servers
    sides = Side(theirs), Side(f"host={server.directory} port={server.port} user=root dbname=kalam")
    try:
        asked, differences = stored_arrays.compare(*sides, Random(5), 4)
        assert differences == []
        assert asked > 60
    finally:
        for side in sides:
            side.run("DROP TABLE held, kept")
            side.close()


SHAPES = ["{{1,2},{3,4}}", "[0:2]={1,2,3}", "{1,2}", "{}", None, "[0:0][5:6][2:2]={{{1},{NULL}}}"]
ALL = "SELECT id, a::text FROM shapes ORDER BY id"


@pytest.mark.parametrize("kind", ["USER", "SHARED", "STREAM"])
def test_every_kind_of_table_keeps_every_shape_in_memory_and_in_segments(servers, kind):
    with servers[0].root() as client, client.cursor(binary=True) as cursor:
        client.execute(
            "CREATE TABLE shapes (id integer PRIMARY KEY, a integer[], b integer[] DEFAULT '{{7}}') "
            f"WITH (TYPE = '{kind}'{', TTL_SECONDS = 60' if kind == 'STREAM' else ''})"
        )
        cursor.executemany("INSERT INTO shapes VALUES (%s, %s::text::integer[])", enumerate(SHAPES))
        if kind != "STREAM":
            client.execute("STORAGE FLUSH TABLE shapes")
        client.execute("INSERT INTO shapes VALUES (9, '{{9}}')")
        client.execute("SET kalam.in_process_queries = off")
        expected = [*enumerate(SHAPES), (9, "{{9}}")]
        assert client.execute(ALL).fetchall() == expected
        rows = client.execute("SELECT id, a, b FROM shapes WHERE id < 2 ORDER BY id", binary=True)
        assert rows.fetchall() == [(0, [[1, 2], [3, 4]], [[7]]), (1, [1, 2, 3], [[7]])]
        flat = (
            "SELECT id FROM shapes WHERE a = '{1,2}' OR a[0] = 1 OR array_ndims(a) = 3 ORDER BY id"
        )
        assert client.execute(flat).fetchall() == [(1,), (2,), (5,)]
        # DataFusion carries them, through a derived table too; what looks at one is a program's.
        inner = (
            "SELECT s.a, s.id FROM (SELECT a, id FROM shapes WHERE id IN (0, 9)) s ORDER BY s.id"
        )
        assert client.execute(inner).fetchall() == [([[1, 2], [3, 4]], 0), ([[9]], 9)]
        taken = (
            "SELECT DISTINCT s.a FROM (SELECT a, id FROM shapes WHERE id IN (0, 2)) s ORDER BY s.a"
        )
        assert client.execute(taken).fetchall() == [([1, 2],), ([[1, 2], [3, 4]],)]
        client.execute("DROP TABLE shapes")


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
def test_copy_carries_shapes_out_and_in(servers, form):
    with servers[0].root() as client:
        for name in "there", "back":
            client.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY, a integer[])")
        client.cursor().executemany(
            "INSERT INTO there VALUES (%s, %s::integer[])", enumerate(SHAPES)
        )
        with client.cursor().copy(f"COPY there TO STDOUT (FORMAT {form})") as copy:
            data = b"".join(copy)
        with client.cursor().copy(f"COPY back FROM STDIN (FORMAT {form})") as copy:
            copy.write(data)
        unlike = (
            "SELECT count(*) FROM there t JOIN back b USING (id) WHERE t.a IS DISTINCT FROM b.a"
        )
        assert client.execute(unlike).fetchone() == (0,)
        assert client.execute("SELECT count(*) FROM back").fetchone() == (len(SHAPES),)
        client.execute("DROP TABLE there, back")


def test_a_unique_array_is_its_elements_dimensions_and_bounds(servers):
    with servers[0].root() as client:
        client.execute(
            "CREATE TABLE unlike (id integer PRIMARY KEY, a integer[] UNIQUE, n numeric[])"
        )
        client.execute("CREATE UNIQUE INDEX scaled ON unlike (n, (a[1]))")
        client.execute("CREATE INDEX ordered ON unlike (a DESC)")
        for number, a in enumerate(("{1,2}", "{{1,2}}", "[0:1]={1,2}", "{}", None, None)):
            client.execute("INSERT INTO unlike VALUES (%s, %s, %s)", (number, a, f"{{1.{number}}}"))
            if number == 2:
                client.execute("STORAGE FLUSH TABLE unlike")
        for a in "{1,2}", "{{1,2}}", "[0:1]={1,2}", "{}":
            with pytest.raises(psycopg.errors.UniqueViolation) as caught:
                client.execute("INSERT INTO unlike VALUES (9, %s)", (a,))
            assert caught.value.diag.message_detail == f"Key (a)=({a}) already exists."
        with pytest.raises(
            psycopg.errors.UniqueViolation, match=r"\(n, \(a\[1\]\)\)=\({1.00}, 1\)"
        ):
            client.execute("INSERT INTO unlike VALUES (9, '{1,3}', '{1.00}')")
        found = client.execute(
            "INSERT INTO unlike VALUES (9, '{{1,2}}') ON CONFLICT (a) DO UPDATE SET a[1][1] = 7 "
            "RETURNING id, a"
        )
        assert found.fetchone() == (1, [[7, 2]])
        client.execute("INSERT INTO unlike VALUES (9, '{{1,2}}')")
        for refused in "(a integer[] PRIMARY KEY)", "(a integer[] REFERENCES unlike (a))":
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                client.execute(f"CREATE TABLE others {refused}")
        client.execute("DROP TABLE unlike")


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
