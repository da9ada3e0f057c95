"""One row by its key, sent again and again: always as the asker may see it now.

Clients write, roll back, act for others and hold snapshots at random; who asks has kept what was sent
before. A dict for each user, and a copy of it for each open block, say what is right.
"""

import copy
import random

import pytest

from kalam_pg.pgwire.messages import DataRow
from tests.kalam_pg.wire.clients import Client, pipeline, serving, tags

KEYS = 6
SELECTS = {
    "whole": "SELECT id, a, b FROM s.{} WHERE id = $1",
    "turned": "SELECT b, id FROM s.{} WHERE id = $1",
    "made": "SELECT a || '!', id FROM s.{} WHERE id = $1",
}
TABLES = ("mine", "ours")


class Who:
    """A client, and what it sees: (user, table) to {id: (a, b)}; its own block's changes included."""

    def __init__(self, client):
        self.client = client
        self.user = "root"
        self.block = None
        self.frozen = False

    async def prepare(self):
        for table in TABLES:
            for name, text in SELECTS.items():
                await self.client.prepare(f"{name} {table}", text.format(table))


class World:
    def __init__(self, seed, clients):
        self.random = random.Random(seed)
        self.who = [Who(client) for client in clients]
        self.rows = {}

    def of(self, rows, who, table):
        return rows.setdefault(("all" if table == "ours" else who.user, table), {})

    async def step(self):
        who = self.random.choice(self.who)
        choice = self.random.random()
        if who.block is not None and choice < 0.25:
            await self.end(who)
        elif who.block is None and choice < 0.1:
            who.frozen = self.random.random() < 0.5
            level = "REPEATABLE READ" if who.frozen else "READ COMMITTED"
            # No two write at once, so that nobody waits.
            if all(other.block is None for other in self.who):
                await who.client.query(f"BEGIN ISOLATION LEVEL {level}")
                await who.client.query("SELECT id FROM s.mine WHERE id = 0")
                who.block = copy.deepcopy(self.rows)
        elif who.block is None and choice < 0.2:
            who.user = "alice" if who.user == "root" else "root"
            await who.client.query(f"SET ROLE {who.user}" if who.user != "root" else "RESET ROLE")
        elif choice < 0.6:
            await self.change(who)
        await self.ask()

    async def end(self, who):
        if self.random.random() < 0.5:
            await who.client.query("COMMIT")
            self.rows = who.block
        else:
            await who.client.query("ROLLBACK")
        who.block = None

    async def change(self, who):
        if any(other.block is not None for other in self.who if other is not who):
            return
        table = self.random.choice(TABLES)
        rows = self.of(self.rows if who.block is None else who.block, who, table)
        key, a, b = (
            self.random.randrange(KEYS),
            self.random.choice("xyz"),
            self.random.randrange(99),
        )
        if key not in rows:
            await who.client.query(f"INSERT INTO s.{table} VALUES ({key}, '{a}', {b})")
            rows[key] = (a, b)
            return
        match self.random.randrange(5):
            case 0:
                await who.client.query(f"DELETE FROM s.{table} WHERE id = {key}")
                del rows[key]
            case 1 if who.block is None and who.user == "root" and table == "mine":
                await who.client.query(f"TRUNCATE s.{table}")
                rows.clear()
            case 2 if (to := (key + 1) % KEYS) not in rows:
                await who.client.query(f"UPDATE s.{table} SET id = {to} WHERE id = {key}")
                rows[to] = rows.pop(key)
            case 3 if who.block is None:  # In a block with changes it would ask an engine.
                await who.client.query(f"UPDATE s.{table} SET b = {b} WHERE b % 2 = {b % 2}")
                for at, (old, number) in rows.items():
                    rows[at] = (old, b) if number % 2 == b % 2 else (old, number)
            case _:
                await who.client.query(
                    f"INSERT INTO s.{table} VALUES ({key}, '{a}', {b}) "
                    "ON CONFLICT (id) DO UPDATE SET a = excluded.a, b = excluded.b"
                )
                rows[key] = (a, b)

    async def ask(self):
        for who in self.who:
            rows = self.of(
                self.rows if who.block is None else who.block, who, table := self.table()
            )
            key = self.random.randrange(KEYS)
            name = self.random.choice(list(SELECTS))
            row = rows.get(key)
            expected = []
            if row is not None:
                a, b = row[0].encode(), str(row[1]).encode()
                at = str(key).encode()
                shown = {"whole": (at, a, b), "turned": (b, at), "made": (a + b"!", at)}
                expected = [shown[name]]
            if self.random.random() < 0.5:
                found = await who.client.ask(*pipeline(f"{name} {table}", str(key)))
            else:
                text = SELECTS[name].format(table).replace("$1", str(key))
                found = await who.client.query(text)
            assert tags(found) == [f"SELECT {len(expected)}"]
            assert [m.values for m in found if isinstance(m, DataRow)] == expected

    def table(self):
        return self.random.choice(TABLES)


@pytest.mark.parametrize("seed", range(6))
async def test_a_row_is_sent_as_its_asker_may_see_it_now(tmp_path, seed):
    async with serving(tmp_path, tablets_max=1 + seed % 2 * 100) as server:
        client = Client(server)
        await client.query("CREATE NAMESPACE s")
        await client.query("CREATE USER alice WITH PASSWORD 'a password' ROLE 'user'")
        await client.query("CREATE USER TABLE s.mine (id bigint PRIMARY KEY, a text, b int)")
        await client.query(
            "CREATE SHARED TABLE s.ours (id bigint PRIMARY KEY, a text, b int) "
            "WITH (ACCESS_LEVEL = 'PUBLIC')"
        )
        await client.query("GRANT ALL ON s.ours TO PUBLIC")
        world = World(seed, [client, Client(server), Client(server)])
        for who in world.who:
            await who.prepare()
        for _ in range(150):
            await world.step()


async def test_who_may_no_longer_read_is_not_sent_what_was_sent_before(tmp_path):
    async with serving(tmp_path) as server:
        client, owner = Client(server), Client(server)
        await owner.query("CREATE NAMESPACE s")
        await owner.query("CREATE USER alice WITH PASSWORD 'a password' ROLE 'user'")
        await owner.query(
            "CREATE SHARED TABLE s.ours (id bigint PRIMARY KEY, a text) "
            "WITH (ACCESS_LEVEL = 'PRIVATE')"
        )
        await owner.query("INSERT INTO s.ours VALUES (1, 'a')")
        await owner.query("GRANT SELECT ON s.ours TO alice")
        await client.query("SET ROLE alice")
        await client.prepare("it", "SELECT a FROM s.ours WHERE id = $1")
        for _ in range(3):
            assert tags(await client.ask(*pipeline("it", "1"))) == ["SELECT 1"]
        await owner.query("REVOKE SELECT ON s.ours FROM alice")
        assert tags(await client.ask(*pipeline("it", "1"))) == ["42501"]
