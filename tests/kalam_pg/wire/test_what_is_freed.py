"""What a session held is gone when it ends, and what a transaction held with the transaction: at once, not
when the collector of cyclic garbage comes."""

import gc
import weakref
from contextlib import contextmanager

import pytest

from catalog.errors import QueryCanceledError
from kalam_pg.pgwire.messages import Bind, ErrorResponse, Execute, Parse, Query, Sync
from kalam_pg.query import leaving, net_change, transaction
from kalam_pg.query.net_change import NetChange
from kalam_pg.query.waits import Wait, wait
from kalam_pg.sessions.prepared import PreparedStatement
from tests.kalam_pg.wire.clients import Client, serving, tags

TABLE = "CREATE SHARED TABLE shop.items (id bigint PRIMARY KEY, name text)"
MANY = "INSERT INTO shop.items VALUES " + ", ".join(f"({n}, 'item {n}')" for n in range(30))


@contextmanager
def uncollected():
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Counted(NetChange, gc=True):
    """A change that the collector has a list of."""


def alive(kind):
    return sum(type(one) is kind for one in gc.get_objects())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "at_once"), [("COMMIT", 4000), ("ROLLBACK", 7), ("SELECT 1/0; ROLLBACK", 4000)]
)
async def test_a_transactions_rows_are_freed_when_it_ends(tmp_path, monkeypatch, end, at_once):
    monkeypatch.setattr(leaving, "AT_ONCE", at_once)
    for module in (net_change, transaction):
        monkeypatch.setattr(module, "NetChange", Counted)
    async with serving(tmp_path) as server:
        client, other = Client(server), Client(server)
        await client.query("CREATE NAMESPACE shop")
        await client.query(TABLE)
        with uncollected():
            before = alive(Counted)
            await client.query("BEGIN")
            await client.query("SAVEPOINT s")
            await client.query(MANY)
            await client.query("SELECT id FROM shop.items FOR UPDATE")
            assert alive(Counted) == before + 30
            for text in end.split("; "):
                await client.ask(Query(text))
            assert server.services.database.locks.statistics().locks == 0
            await other.query("INSERT INTO shop.items VALUES (99, 'the next commit')")
            assert alive(Counted) == before


async def test_rolling_back_to_a_savepoint_gives_back_what_came_after_it(tmp_path, monkeypatch):
    monkeypatch.setattr(leaving, "AT_ONCE", 7)
    async with serving(tmp_path) as server:
        client, other = Client(server), Client(server)
        await client.query("CREATE NAMESPACE shop")
        await client.query(TABLE)
        await client.query("BEGIN")
        await client.query("INSERT INTO shop.items VALUES (100, 'kept')")
        await client.query("SAVEPOINT s")
        await client.query(MANY)
        await client.query("UPDATE shop.items SET name = 'changed'")
        await client.query("ROLLBACK TO s")
        await client.query(MANY.replace("'item", "'anew"))
        assert tags(await client.ask(Query("SELECT 1/0"))) == ["22012"]
        await client.query("ROLLBACK TO s")
        assert tags(await client.ask(Query("SELECT name FROM shop.items WHERE id = 100"))) == [
            "SELECT 1"
        ]
        await other.query(MANY)  # It waits for nobody.
        await client.query("COMMIT")
        assert tags(await other.ask(Query("SELECT * FROM shop.items"))) == ["SELECT 31"]
        assert server.services.database.locks.statistics().locks == 0


async def test_a_sessions_statements_are_freed_when_it_ends(tmp_path):
    async with serving(tmp_path) as server:
        Client(server)
        with uncollected():
            before = alive(PreparedStatement)
            client = Client(server)
            for number in range(20):
                await client.prepare(f"s{number}", f"SELECT {number} + $1::int")
                found = await client.ask(
                    Bind("", f"s{number}", (), (b"1",), ()), Execute("", 0), Sync()
                )
                assert tags(found) == ["SELECT 1"]
            client.session.disconnected()
            del client
            assert alive(PreparedStatement) <= before


async def test_as_many_formats_as_values_that_the_statement_does_not_have_are_a_protocol_violation(
    tmp_path,
):
    async with serving(tmp_path) as server:
        client = Client(server)
        parsed = Parse("", "SELECT $1::int8, $2::text", ())
        bound = Bind("", "", (0, 1, 0), (b"1", b"x", b"y"), ())
        found = await client.ask(parsed, bound, Execute("", 0), Sync())
        assert tags(found) == ["08P01"]
        assert "supplies 3 parameters" in str([m for m in found if isinstance(m, ErrorResponse)])


def test_what_a_statement_that_waits_in_vain_had_is_freed_with_it():
    """An error that a wait ended with knows, by its traceback, all that its statement has: no circle."""

    class Large:
        pass

    class Failing(Wait):
        def start(self, resume, spawn):
            self.error = QueryCanceledError("canceling statement due to user request")

    def statement(large):
        yield from wait(Failing())
        return large

    def run(large):
        steps = statement(large)
        step = next(steps)
        step.start(None, None)
        with pytest.raises(QueryCanceledError):
            next(steps)
        return step

    large = Large()
    seen = weakref.ref(large)
    with uncollected():
        kept = run(large)
        del large
        assert seen() is None
        assert kept.error is None
