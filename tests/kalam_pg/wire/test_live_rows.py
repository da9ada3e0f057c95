"""Subscriptions read as rows, from inside: whoever stops reading, and wherever, leaves nothing behind."""

from collections.abc import Callable

import pytest
import trio
import trio.testing

from kalam_pg.pgwire import messages as m
from tests.kalam_pg.wire.clients import Client, Server, serving

pytestmark = pytest.mark.slow

TABLE = "CREATE TABLE t (id int PRIMARY KEY, v text) WITH (TYPE = 'SHARED')"


def copy(client: Client) -> None:
    client.send(m.Query("COPY (SUBSCRIBE TO t OPTIONS (progress = '1h')) TO STDOUT"))


def cursor(client: Client) -> None:
    client.send(m.Query("DECLARE c CURSOR FOR SUBSCRIBE TO t; FETCH ALL FROM c; FETCH c"))


def portal(client: Client) -> None:
    client.send(
        m.Parse("", "SUBSCRIBE TO t OPTIONS (stream = true)", ()),
        m.Bind("p", "", (), (), ()),
        *[m.Execute("p", 1000)] * 5,
        m.Flush(),
    )


class Turns(Server):
    """Gives one turn at a time, so that a test can stop between any two."""

    async def turn(self, client: Client) -> bool:
        """The next turn, whoever's it is; False: the client waits for what may never come."""
        while not self._resumed:
            wait = client.session._wait
            if wait is not None and wait.patient:
                return False
            self.rounds.end()
            if not self._resumed:
                self._progress = trio.Event()
                await self._progress.wait()
        self.go_on(self._resumed.pop(0))
        return True


@pytest.mark.parametrize("begin", [copy, cursor, portal])
async def test_a_client_lost_at_any_wait_leaves_nothing(tmp_path, begin: Callable[[Client], None]):
    async with serving(tmp_path, workers=1, kind=Turns) as server:
        database = server.services.database
        writer = Client(server)
        await writer.query(TABLE)
        await writer.query("INSERT INTO t SELECT g, 'x' FROM generate_series(1, 2500) g")
        turns, rests = 0, False
        while not rests:
            client = Client(server)
            begin(client)
            rests = not all([await server.turn(client) for _ in range(turns)])
            assert len(database.hub) == 1
            client.session.disconnected()
            assert (len(database.hub), len(database.live_queries)) == (0, 0)
            await trio.testing.wait_all_tasks_blocked()
            server._resumed.clear()
            assert len(database.engine._views) == 1
            turns += 1
        assert turns > 4, turns
