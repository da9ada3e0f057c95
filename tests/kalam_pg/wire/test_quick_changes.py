"""UPDATE, DELETE, blocks and reads from memory in one step: alike, whole and byte by byte."""

from contextlib import asynccontextmanager

from kalam_pg.pgwire.messages import CommandComplete, DataRow, ErrorResponse, Query, ReadyForQuery
from tests import frontend
from tests.kalam_pg.wire.clients import Client, pipeline, serving, tags

TABLE = (
    "CREATE USER TABLE shop.items (id bigint PRIMARY KEY, name varchar(8) NOT NULL, "
    "stock int DEFAULT 7 CHECK (stock >= 0))"
)
STATEMENTS = {
    "insert": "INSERT INTO shop.items VALUES ($1, $2, $3)",
    "rename": "UPDATE shop.items SET name = $1 WHERE id = $2",
    "take": "UPDATE shop.items SET stock = stock - 1 WHERE id = $1 AND stock > 1",
    "sell": "UPDATE shop.items SET stock = stock - 1 WHERE id = $1",
    "refill": "UPDATE shop.items SET stock = DEFAULT WHERE id = $1",
    "move": "UPDATE shop.items SET id = id + 100 WHERE id = $1",
    "told": "UPDATE shop.items SET name = 'told' WHERE id = $1 RETURNING name",
    "delete": "DELETE FROM shop.items WHERE id = $1 AND _seq > 0",
    "one": "SELECT name, stock FROM shop.items WHERE id = $1",
    "all": "SELECT * FROM shop.items",
    "first": "SELECT id FROM shop.items ORDER BY stock DESC, id LIMIT 2",
    "count": "SELECT count(*) FROM shop.items",
    "groups": "SELECT stock, count(*) FROM shop.items GROUP BY stock ORDER BY 1",
    "seen": "SELECT a.id FROM shop.items a JOIN shop.items b ON a.id = b.id + 1 ORDER BY 1",
    "divided": "SELECT 10 / sum(stock - 7) FROM shop.items",
    "answer": "SELECT 6 * $1::int",
    "locked": "SELECT pg_try_advisory_lock(id), 1 / (stock - 7) FROM shop.items WHERE id = $1",
    "asked": "SELECT pg_try_advisory_lock(id), set_config('work_mem', name, false) "
    "FROM shop.items WHERE id = $1",
}
READS = [pipeline(name) for name in ("all", "first", "count", "groups", "seen", "divided")]
STEPS = [
    *READS,
    *(pipeline("insert", str(n), f"item {n}", str(n)) for n in range(1, 6)),
    *READS,
    pipeline("answer", "7"),
    pipeline("rename", "anew", "1"),
    pipeline("rename", "anew", "77"),
    pipeline("rename", "anew", None),
    pipeline("rename", None, "1"),  # 23502
    pipeline("rename", "far too long", "1"),  # 22001
    pipeline("take", "3", described=False),
    pipeline("take", "1"),
    pipeline("sell", "1"),
    pipeline("sell", "1"),  # 23514
    pipeline("refill", "2"),
    pipeline("move", "3"),
    pipeline("told", "4"),
    pipeline("delete", "5"),
    pipeline("delete", "5"),
    pipeline("insert", "5", "again", "7"),
    pipeline("locked", "5"),  # 22012
    *READS,
    (Query("UPDATE shop.items SET name = 'simple' WHERE id = 5"),),
    (Query("UPDATE shop.items SET name = 'texts' WHERE id = 6"),),
    (Query("SELECT name FROM shop.items WHERE stock = 7 ORDER BY id"),),
    (Query("SELECT name FROM shop.items WHERE stock = 4 ORDER BY id"),),
]


@asynccontextmanager
async def shop(path):
    async with serving(path) as server:
        client = Client(server)
        await client.query("CREATE NAMESPACE shop")
        await client.query(TABLE)
        yield server, client


async def prepare(client: Client) -> None:
    for name, text in STATEMENTS.items():
        await client.prepare(name, text)


def in_block(steps):
    """Each step between savepoints, so that its error ends nothing but itself."""
    for step in steps:
        yield (Query("SAVEPOINT s"),)
        yield step
        yield (Query("ROLLBACK TO s") if tuple(step) in FAILING else Query("RELEASE s"),)


FAILING = {
    tuple(step)
    for step in (
        pipeline("rename", None, "1"),
        pipeline("rename", "far too long", "1"),
        pipeline("locked", "5"),
        pipeline("divided"),
    )
}


async def test_changes_and_reads_are_answered_alike_whole_and_byte_by_byte(tmp_path):
    answers = []
    steps = [*STEPS, Query("TRUNCATE shop.items"), (Query("BEGIN"),)]
    steps += [*in_block(STEPS[6:-4]), pipeline("one", "1"), (Query("COMMIT"),), *READS]
    for way in ("whole", "bytes"):
        (tmp_path / way).mkdir()
        async with shop(tmp_path / way) as (server, client):
            await prepare(client)
            found = []
            for step in steps:
                messages = step if isinstance(step, list | tuple) else (step,)
                wire = b"".join(map(frontend.encode, messages))
                size = 1 if way == "bytes" else len(wire)
                for at in range(0, len(wire), size):
                    client.feed(wire[at : at + size])
                    await server.settle()
                found.append(client.answers())
            answers.append(found)
    for step, whole, in_bytes in zip(steps, *answers, strict=True):
        assert whole == in_bytes, step
    found = [tag for answer in answers[0] for tag in tags(answer)]
    for tag in (
        "UPDATE 1",
        "UPDATE 0",
        "DELETE 1",
        "DELETE 0",
        "SELECT 5",
        "23502",
        "23514",
        "22012",
    ):
        assert tag in found


async def test_a_block_sees_what_it_has_done_in_one_step_and_rollback_takes_it_back(tmp_path):
    async with shop(tmp_path) as (server, client):
        other = Client(server)
        for one in (client, other):
            await prepare(one)
        await client.ask(*pipeline("insert", "1", "one", "5"))
        await client.query("BEGIN")
        assert (await client.ask(*pipeline("sell", "1")))[-1] == ReadyForQuery("T")
        await client.query("SAVEPOINT here")
        for _ in range(2):
            await client.ask(*pipeline("sell", "1"))
        await client.ask(*pipeline("insert", "2", "two", "9"))
        assert DataRow((b"one", b"2")) in await client.ask(*pipeline("one", "1"))
        assert DataRow((b"2",)) in await client.ask(*pipeline("count"))
        assert DataRow((b"1",)) in await other.ask(*pipeline("count"))
        await client.query("ROLLBACK TO here")
        assert DataRow((b"one", b"4")) in await client.ask(*pipeline("one", "1"))
        assert tags(await client.ask(*pipeline("delete", "1"))) == ["DELETE 1"]
        assert tags(await client.ask(*pipeline("delete", "1"))) == ["DELETE 0"]
        await client.query("ROLLBACK")
        assert DataRow((b"one", b"5")) in await client.ask(*pipeline("one", "1"))


async def test_a_change_waits_for_who_has_the_row_and_looks_again(tmp_path):
    async with shop(tmp_path) as (server, first):
        second = Client(server)
        for client in (first, second):
            await prepare(client)
        await first.ask(*pipeline("insert", "1", "one", "5"))
        await first.query("BEGIN")
        await first.ask(*pipeline("sell", "1"))
        second.send(*pipeline("sell", "1"))
        assert tags(second.answers()) == []
        await first.query("COMMIT")
        await server.settle()
        assert tags(second.answers()) == ["UPDATE 1"]
        assert DataRow((b"one", b"3")) in await first.ask(*pipeline("one", "1"))


async def test_two_changes_of_one_row_in_one_round_are_both_done(tmp_path):
    async with shop(tmp_path) as (server, first):
        second = Client(server)
        for client in (first, second):
            await prepare(client)
        await first.ask(*pipeline("insert", "1", "one", "5"))
        for client in (first, second):
            client.send(*pipeline("sell", "1"))
        await server.settle()
        assert tags(first.answers()) == tags(second.answers()) == ["UPDATE 1"]
        assert DataRow((b"one", b"3")) in await first.ask(*pipeline("one", "1"))


async def test_a_row_that_is_locked_in_vain_in_a_block_is_free_again(tmp_path):
    async with shop(tmp_path) as (server, first):
        second = Client(server)
        for client in (first, second):
            await prepare(client)
        await first.ask(*pipeline("insert", "1", "one", "1"))
        await first.query("BEGIN")
        for statement in (pipeline("take", "1"), pipeline("delete", "2")):
            assert tags(await first.ask(*statement))[0].endswith(" 0")
        second.send(*pipeline("rename", "other", "1"))
        await server.settle()
        assert tags(second.answers()) == ["UPDATE 1"]
        second.send(Query("DROP TABLE shop.items"))
        assert tags(second.answers()) == []  # The table is another matter.
        await first.query("COMMIT")
        await server.settle()
        assert CommandComplete("DROP TABLE") in second.answers()


async def test_what_a_statement_asks_of_the_session_it_asks_once(tmp_path):
    async with shop(tmp_path) as (_, client):
        await prepare(client)
        await client.ask(*pipeline("insert", "5", "five", "7"))
        await client.query("BEGIN")
        failed = await client.ask(*pipeline("asked", "5"))
        assert any(isinstance(message, ErrorResponse) for message in failed)
        await client.query("ROLLBACK")
        unlock = "SELECT pg_advisory_unlock(5)"
        assert DataRow((b"t",)) in await client.query(unlock)
        assert DataRow((b"f",)) in await client.query(unlock)


async def test_a_value_that_is_unique_is_looked_for(tmp_path):
    async with shop(tmp_path) as (_, client):
        await client.query("CREATE USER TABLE shop.named (id int PRIMARY KEY, name text UNIQUE)")
        await client.query("INSERT INTO shop.named VALUES (1, 'one'), (2, 'two')")
        await client.prepare("name", "UPDATE shop.named SET name = $1 WHERE id = $2")
        await client.prepare("drop", "DELETE FROM shop.named WHERE id = $1")
        assert tags(await client.ask(*pipeline("name", "two", "1"))) == ["23505"]
        assert tags(await client.ask(*pipeline("drop", "2"))) == ["DELETE 1"]
        assert tags(await client.ask(*pipeline("name", "two", "1"))) == ["UPDATE 1"]
