"""An engine's answer always has an owner: whatever becomes of its statement, the worker is given back."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pyarrow as pa
import pytest
import trio

from catalog.errors import QueryCanceledError
from kalam_pg.engines.request import EngineQuery, Limits
from kalam_pg.pgwire.messages import Bind, Execute, Parse, Query, Sync
from tests.kalam_pg.wire.clients import Client, Server, serving, tags


class Stream:
    """An answer of `batches` of rows, each of which waits for the test's leave."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._left = engine.batches
        self.closed = False

    def __aiter__(self) -> AsyncIterator[object]:
        return self

    def lend(self) -> AsyncIterator[object]:
        return self

    async def __anext__(self) -> object:
        await self._engine.next_chunk()
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return pa.record_batch([pa.array([1], pa.int64())], names=["n"])

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()


class Engine:
    """A query engine with one worker that never hurries."""

    def __init__(self, batches: int = 0) -> None:
        self.batches = batches
        self.streams: list[Stream] = []
        self.asked = trio.Event()
        self.go_on = trio.Event()
        self.chunk: Callable[[], object] = lambda: None

    async def run(self, query: EngineQuery, limits: Limits) -> Stream:
        self.asked.set()
        await self.go_on.wait()
        stream = Stream(self)
        self.streams.append(stream)
        return stream

    async def next_chunk(self) -> None:
        await trio.lowlevel.checkpoint()
        self.chunk()
        await trio.lowlevel.checkpoint()

    @property
    def busy(self) -> int:
        """Workers that somebody still has."""
        return sum(not stream.closed for stream in self.streams)


@asynccontextmanager
async def asking(tmp_path, engine: Engine) -> AsyncIterator[tuple[Server, Client]]:
    async with serving(tmp_path) as server:
        server.services.database.query_engine = engine
        client = Client(server)
        await client.query("CREATE NAMESPACE shop")
        await client.query("CREATE USER TABLE shop.t (id bigint PRIMARY KEY)")
        await client.query("SET kalam.in_process_queries = off")  # Few rows need no engine else.
        yield server, client


COUNT = "SELECT count(*) OVER () FROM shop.t"
"""What an engine answers."""
STATEMENTS = [
    (Query(COUNT),),
    (Parse("", COUNT, ()), Bind("", "", (), (), ()), Execute("", 0), Sync()),
    (Parse("", COUNT, ()), Bind("", "", (), (), ()), Execute("", 1), Sync()),
    (Query(f"INSERT INTO shop.t {COUNT}"),),
    (Query(f"DELETE FROM shop.t WHERE id IN ({COUNT})"),),
    (Query(f"BEGIN; DECLARE c CURSOR FOR {COUNT}; FETCH ALL FROM c"),),
    (Query(f"CREATE NAMESPACE never; {COUNT}"),),
]


def held_views(server: Server) -> int:
    """Views that somebody holds beside the engine, which holds the current one."""
    return sum(view._references for view in server.services.database.engine._views.values()) - 1


async def until(server: Server, holds: Callable[[], bool]) -> None:
    with trio.fail_after(5):
        while not holds():
            server.rounds.end()
            await trio.sleep(0.001)


async def until_asked(server: Server, engine: Engine) -> None:
    """Let the statement go on until it has asked the engine, and no further."""
    with trio.fail_after(5):
        while not engine.asked.is_set():
            resumed, server._resumed = server._resumed, []
            for client in resumed:
                server.go_on(client)
            server.rounds.end()
            await trio.sleep(0.001)


@pytest.mark.slow
@pytest.mark.parametrize("messages", STATEMENTS)
@pytest.mark.parametrize("when", ["asked", "given", "at the first chunk", "resumed"])
async def test_a_worker_is_given_back_when_its_client_is_lost(tmp_path, messages, when):
    engine = Engine()
    async with asking(tmp_path, engine) as (server, client):
        if when != "asked":
            engine.go_on.set()
        if when == "at the first chunk":
            engine.chunk = client.session.disconnected
        client.send(*messages)
        await until_asked(server, engine)
        if when == "given":
            await until(server, lambda: bool(engine.streams))
        elif when == "resumed":
            await until(server, lambda: client in server._resumed)
        if when != "at the first chunk":
            client.session.disconnected()
        engine.go_on.set()
        await until(server, lambda: bool(engine.streams) or when == "asked")
        await until(server, lambda: not engine.busy)
        assert held_views(server) == 0


@pytest.mark.slow
@pytest.mark.parametrize("messages", STATEMENTS)
@pytest.mark.parametrize("given", [False, True])
async def test_a_worker_is_given_back_when_its_statement_is_canceled(tmp_path, messages, given):
    engine = Engine()
    async with asking(tmp_path, engine) as (server, client):
        client.send(*messages)
        await until_asked(server, engine)
        if given:
            engine.chunk = lambda: client.session.cancel(QueryCanceledError("enough"))
            engine.go_on.set()
        else:
            client.session.cancel(QueryCanceledError("enough"))
        await until(server, lambda: client in server._resumed)
        await server.settle()
        assert tags(client.answers())[-1] == "57014"
        assert not engine.busy
