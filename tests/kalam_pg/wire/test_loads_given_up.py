"""Loads whose client is gone, or that are cancelled, at each of their waits: all rows are there or none, and
nothing is left that somebody else would need.
"""

import pytest

from kalam_pg.pgwire.messages import CopyData, CopyDone, Query
from kalam_pg.query import copy_in, large_insert, loads
from kalam_pg.wire.protocols import PAUSE, PENDING
from tests.kalam_pg.wire.clients import Client, Server, serving, tags

pytestmark = pytest.mark.slow

ROWS = 60

SCHEMA = """
CREATE NAMESPACE shop;
CREATE SHARED TABLE shop.owners (id bigint PRIMARY KEY);
INSERT INTO shop.owners VALUES (1);
CREATE SHARED TABLE shop.items
    (id bigint PRIMARY KEY, code int UNIQUE, owner bigint REFERENCES shop.owners, name text)
"""
QUERY = f"SELECT g, g, 1, 'item ' || g FROM generate_series(1, {ROWS}) g"
LINES = "".join(f"{n}\t{n}\t1\titem {n}\n" for n in range(1, ROWS + 1)).encode()
COPY = (Query("COPY shop.items FROM STDIN"), CopyData(LINES), CopyDone())
WAYS = {
    "COPY": COPY,
    "COPY in a block": (
        Query("BEGIN"),
        *COPY,
        Query(
            "SELECT count(*) FROM shop.items; UPDATE shop.items SET code = -code WHERE id = 7; COMMIT"
        ),
    ),
    "INSERT … SELECT": (Query(f"INSERT INTO shop.items {QUERY}"),),
    "behind a TRUNCATE": (
        Query(f"BEGIN; TRUNCATE shop.items; INSERT INTO shop.items {QUERY}; SAVEPOINT s; COMMIT"),
    ),
    "CREATE TABLE AS": (Query(f"CREATE TABLE shop.made (id, code, owner, name) AS {QUERY}"),),
}


class Losing(Server):
    """A server that loses one client, or has it cancelled, at one of its waits."""

    victim: Client | None = None
    at = 0
    lost = False
    waits = 0

    def go_on(self, client: Client) -> None:
        if client is not self.victim:
            super().go_on(client)
            return
        if self.lost:
            return
        while (work := client.session.advance()) is PAUSE:
            pass
        if work is None:
            return
        self._waiting += 1

        def resume() -> None:
            self._waiting -= 1
            self._resumed.append(client)
            self._progress.set()

        self.waits += 1
        gone = self.waits == self.at
        if work is PENDING:
            client.transport.finished = resume
        else:
            work.start(resume, self.nursery.start_soon)
        if gone:
            self.lost = True
            if work is PENDING:  # Nobody is told of its end.
                self._waiting -= 1
                client.transport.finished = lambda: None
            else:
                work.cancel()
            client.session.disconnected()


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_is_gone_at_any_wait_leaves_all_or_nothing(tmp_path, monkeypatch, way):
    monkeypatch.setattr(large_insert, "LARGE_ROWS", 20)
    for module in (copy_in, large_insert, loads):
        monkeypatch.setattr(module, "LARGE_BYTES", 500)
    async with serving(tmp_path, workers=1, kind=Losing) as server:
        other = Client(server)
        await other.query(SCHEMA)
        database = server.services.database
        at = 1
        found = set()
        while True:
            server.victim, server.at, server.lost, server.waits = Client(server), at, False, 0
            await server.victim.ask(*WAYS[way])
            count = await rows_there(other, way)
            assert count in (0, ROWS)
            found.add(count)
            if not server.lost:
                server.victim.session.disconnected()
                break
            assert database.locks.statistics().locks == 0
            assert not database.building
            at += 1
        server.services.jobs.close_processes()
        assert found == {0, ROWS}
        assert at > 5


async def rows_there(client: Client, way: str) -> int:
    name = "made" if way == "CREATE TABLE AS" else "items"
    answers = await client.ask(Query(f"SELECT * FROM shop.{name}"))
    (tag,) = tags(answers)
    if tag == "42P01":
        return 0
    if name == "made":
        await client.query("DROP TABLE shop.made")
    else:
        await client.query("STORAGE FLUSH TABLE shop.items")
        await client.query("DELETE FROM shop.items")
    return int(tag.split()[1])
