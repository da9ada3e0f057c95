"""Tables with UNIQUE in one step: changes, upserts and lookups, alike both ways, and in races."""

from itertools import permutations, product
from random import Random

import pytest

from kalam_pg.pgwire.messages import DataRow, ErrorResponse, Parse, Query, ReadyForQuery, Sync
from kalam_pg.query.quick import QuickUnique
from kalam_pg.query.quick_upsert import QuickUpsert
from kalam_pg.query.quick_writes import QuickChange, QuickInsert
from tests.kalam_pg.wire.clients import Client, pipeline, serving, tags
from tests.kalam_pg.wire.test_one_meaning import pair

TABLES = {
    "plain": "id bigint PRIMARY KEY, code bigint UNIQUE, name text",
    "two": "id bigint PRIMARY KEY, code bigint UNIQUE, name text NOT NULL CHECK (name <> 'no'), "
    "UNIQUE NULLS NOT DISTINCT (name, code)",
    "hidden": "code bigint UNIQUE, name varchar(4) UNIQUE, id bigint PRIMARY KEY",
    "partial": "id bigint PRIMARY KEY, code bigint, name text",
    "late": "id bigint PRIMARY KEY, code bigint UNIQUE DEFERRABLE, name text",
}
INDEXES = {
    "partial": (
        "CREATE UNIQUE INDEX ON shop.t (code) WHERE name <> 'free'",
        "CREATE UNIQUE INDEX ON shop.t (lower(name))",
    )
}
STATEMENTS = {
    "insert": "INSERT INTO shop.t (id, code, name) VALUES ($1, $2, $3)",
    "no_code": "INSERT INTO shop.t (id, name) VALUES ($1, $2)",
    "leave": "INSERT INTO shop.t (id, code, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    "leave_key": "INSERT INTO shop.t (id, code, name) VALUES ($1, $2, $3) "
    "ON CONFLICT (id) DO NOTHING",
    "upsert": "INSERT INTO shop.t (id, code, name) VALUES ($1, $2, $3) "
    "ON CONFLICT (id) DO UPDATE SET code = excluded.code, name = t.name || excluded.name",
    "upsert_name": "INSERT INTO shop.t (id, code, name) VALUES ($1, $2, 'new') "
    "ON CONFLICT (id) DO UPDATE SET name = $3 WHERE t.code > 1 OR t.name = 'free'",
    "upsert_code": "INSERT INTO shop.t (id, code, name) VALUES ($1, $2, $3) "
    "ON CONFLICT (id) DO UPDATE SET code = DEFAULT",
    "rename": "UPDATE shop.t SET name = $2 WHERE id = $1",
    "recode": "UPDATE shop.t SET code = $2 WHERE id = $1",
    "swap": "UPDATE shop.t SET code = code + 1 WHERE id = $1 AND code < 4",
    "delete": "DELETE FROM shop.t WHERE id = $1",
    "by_code": "SELECT id, name FROM shop.t WHERE code = $1",
    "by_code_more": "SELECT id + 0, name FROM shop.t WHERE code = $1 AND name <> 'free'",
    "by_name": "SELECT id, code FROM shop.t WHERE name = $1 AND code = $2",
    "all": "SELECT id, code, name FROM shop.t ORDER BY id",
}
ARGUMENTS = {"recode": "ic", "rename": "in", "no_code": "in", "swap": "i", "delete": "i", "all": ""}
ARGUMENTS |= {"by_code": "c", "by_code_more": "c", "by_name": "nc"}
VALUES = {
    "i": ("1", "2", "3", "4", "5"),
    "c": ("1", "2", "3", "4", None),
    "n": ("a", "b", "A", "free", "no", None, "long name"),
}
STEPS_OF_A_ROUND = 500


async def make(ask, kind):
    await ask(Query("CREATE NAMESPACE shop"))
    await ask(Query(f"CREATE SHARED TABLE shop.t ({TABLES[kind]})"))
    for text in INDEXES.get(kind, ()):
        await ask(Query(text))


async def prepare(ask):
    for name, text in STATEMENTS.items():
        found = await ask(Parse(name, text, ()), Sync())
        assert not [m for m in found if isinstance(m, ErrorResponse)], found


def form(client, name):
    """The short way that a prepared statement has."""
    quick = client.session.sql.prepared.get(name).quick
    return None if quick is None else quick.form


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), [*product(TABLES, (1,)), ("plain", 2), ("two", 2)])
async def test_random_statements_are_answered_alike(tmp_path, kind, seed):
    random = Random(seed)
    async with pair(tmp_path) as both:
        await make(both.ask, kind)
        await prepare(both.ask)
        seen = set()
        for step in range(STEPS_OF_A_ROUND):
            status = both.quick.session.sql.transaction
            chance = random.random()
            if status is None and chance < 0.04:
                await both.ask(Query("BEGIN"))
                continue
            if status is not None and chance < 0.3:
                await both.ask(Query(random.choice(("COMMIT", "ROLLBACK", "SAVEPOINT s"))))
                continue
            if status is not None and (status.failed or chance < 0.35):
                found = await both.ask(Query("ROLLBACK TO s"))
                if tags(found) == ["3B001"]:
                    await both.ask(Query("ROLLBACK"))
                continue
            if status is None and chance < 0.05:
                await both.ask(Query("STORAGE FLUSH TABLE shop.t"))
                continue
            if status is None and step % 200 == 150:
                await both.ask(Query("ALTER TABLE shop.t ADD COLUMN more int DEFAULT 7"))
                await both.ask(Query("ALTER TABLE shop.t DROP COLUMN more"))
                continue
            name = random.choice(list(STATEMENTS))
            given = [random.choice(VALUES[one]) for one in ARGUMENTS.get(name, "icn")]
            found = await both.ask(*pipeline(name, *given))
            seen |= {(name, tag) for tag in tags(found)}
        await both.ask(Query("ROLLBACK"))
        await both.ask(*pipeline("all"))
        assert {tag for _, tag in seen} >= {"INSERT 0 0", "INSERT 0 1", "UPDATE 0", "UPDATE 1"}
        assert {tag for _, tag in seen} >= {"23505", "DELETE 1", "SELECT 1"}


async def test_each_statement_takes_the_short_way(tmp_path):
    async with serving(tmp_path) as server:
        client = Client(server)
        await make(client.ask, "plain")
        await prepare(client.ask)
        for name in STATEMENTS:
            values = [VALUES[one][0] for one in ARGUMENTS.get(name, "icn")]
            await client.ask(*pipeline(name, *values))
        for names, kind in (
            (("insert", "no_code"), QuickInsert),
            (("leave", "leave_key", "upsert", "upsert_name", "upsert_code"), QuickUpsert),
            (("rename", "recode", "swap", "delete"), QuickChange),
            (("by_code", "by_code_more", "by_name"), QuickUnique),
        ):
            for name in names:
                assert isinstance(form(client, name), kind), name


async def test_a_value_that_a_block_has_put_is_waited_for(tmp_path):
    async with serving(tmp_path) as server:
        first, second = Client(server), Client(server)
        await make(first.ask, "plain")
        for client in (first, second):
            await prepare(client.ask)
        for end, wanted in (("COMMIT", "23505"), ("ROLLBACK", "INSERT 0 1")):
            await first.query("BEGIN")
            await first.ask(*pipeline("insert", "1", "7", "mine"))
            second.send(*pipeline("insert", "2", "7", "other"))
            assert second.answers() == []
            await first.query(end)
            await server.settle()
            assert tags(second.answers()) == [wanted]
            await first.ask(*pipeline("delete", "1"))


async def test_two_blocks_that_want_each_others_values_are_a_deadlock(tmp_path):
    async with serving(tmp_path) as server:
        first, second = Client(server), Client(server)
        await make(first.ask, "plain")
        for client in (first, second):
            await prepare(client.ask)
            await client.query("BEGIN")
        await first.ask(*pipeline("insert", "1", "1", "a"))
        await second.ask(*pipeline("insert", "2", "2", "b"))
        first.send(*pipeline("upsert", "3", "2", "c"))
        assert first.answers() == []
        second.send(*pipeline("insert", "4", "1", "d"))
        assert tags(second.answers()) == ["40P01"]
        await second.query("ROLLBACK")
        await server.settle()
        assert tags(first.answers()) == ["INSERT 0 1"]
        await first.query("COMMIT")
        assert DataRow((b"3", b"c")) in await second.ask(*pipeline("by_code", "2"))


async def test_a_value_given_up_and_taken_by_another_row_in_one_block_is_that_rows(tmp_path):
    async with serving(tmp_path) as server:
        client = Client(server)
        await make(client.ask, "plain")
        await prepare(client.ask)
        await client.ask(*pipeline("insert", "1", "1", "one"))
        await client.query("BEGIN")
        await client.ask(*pipeline("recode", "1", "2"))
        await client.query("SAVEPOINT here")
        await client.ask(*pipeline("insert", "2", "1", "two"))
        await client.query("ROLLBACK TO here")
        assert tags(await client.ask(*pipeline("insert", "3", "1", "three"))) == ["INSERT 0 1"]
        found = await client.ask(*pipeline("delete", "1"))
        assert found[-1] == ReadyForQuery("T")
        await client.query("COMMIT")
        assert DataRow((b"3", b"three")) in await client.ask(*pipeline("by_code", "1"))
        assert tags(await client.ask(*pipeline("by_code", "2"))) == ["SELECT 0"]


def _outcome(rows, name, given):
    """What the model says: the tag, and the rows afterwards."""
    at, code = given[0], given[1] if len(given) > 1 else None
    others = {c for key, (c, _) in rows.items() if key != at and c is not None}
    if name == "delete":
        return f"DELETE {int(at in rows)}", {k: v for k, v in rows.items() if k != at}
    if name == "recode":
        if at not in rows:
            return "UPDATE 0", rows
        if code in others:
            return "23505", rows
        return "UPDATE 1", {**rows, at: (code, rows[at][1])}
    if at in rows and name == "insert":
        return "23505", rows
    if name == "leave" and (at in rows or code in others):
        return "INSERT 0 0", rows
    if code in others:
        return "23505", rows
    kept = rows[at][1] if at in rows else ""
    return "INSERT 0 1", {**rows, at: (code, kept + given[2])}


@pytest.mark.slow
async def test_whoever_races_for_a_value_the_outcome_is_that_of_some_order(tmp_path):
    random = Random(5)
    async with serving(tmp_path) as server:
        clients = [Client(server) for _ in range(3)]
        await make(clients[0].ask, "plain")
        for client in clients:
            await prepare(client.ask)
        rows, lost = {}, 0
        for turn in range(250):
            asked = []
            for _ in clients:
                name = random.choice(("insert", "upsert", "leave", "recode", "delete"))
                given = [random.choice(VALUES[one]) for one in ARGUMENTS.get(name, "ic")]
                asked.append((name, [*given, "x"] if name not in ARGUMENTS else given))
            for client, (name, given) in zip(clients, asked, strict=True):
                client.send(*pipeline(name, *given))
            await server.settle()
            told = [tags(client.answers())[0] for client in clients]
            lost += told.count("23505")
            everything = await clients[0].ask(*pipeline("all"))
            there = {m.values[0]: m.values[1:] for m in everything if isinstance(m, DataRow)}
            possible = []
            for order in permutations(range(len(clients))):
                after, says = rows, {}
                for one in order:
                    says[one], after = _outcome(after, *asked[one])
                if told == [says[one] for one in range(len(clients))]:
                    possible.append(after)
            shown = [
                {
                    key.encode(): (None if c is None else c.encode(), name.encode())
                    for key, (c, name) in after.items()
                }
                for after in possible
            ]
            assert there in shown, (turn, asked, told)
            rows = possible[shown.index(there)]
            for code in VALUES["c"][:-1]:
                wanted = [k.encode() for k, (c, _) in rows.items() if c == code]
                found = await clients[1].ask(*pipeline("by_code", code))
                assert [m.values[0] for m in found if isinstance(m, DataRow)] == wanted
            if turn % 60 == 59:
                await clients[2].query("STORAGE FLUSH TABLE shop.t")
        assert lost > 50
        assert server.services.database.locks.statistics().locks == 0
