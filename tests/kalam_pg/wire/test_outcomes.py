"""A transaction ends once, and means the same whatever has become of its client.

The client is lost at each wait of a script in turn: as soon as it waits, and again just when what it waits
for has ended and its turn has not come. Afterwards memory says what the disk says, nothing is locked, and
what others do next has numbers of its own.
"""

from contextlib import AbstractContextManager

import pytest
import trio

from kalam_pg.pgwire.messages import Parse, Query, Sync
from storage import failpoints
from storage.engine import WriteSet
from storage.errors import DiskFullError, IoError
from tests.kalam_pg.wire.clients import Client, Server, pipeline, serving, tags

SCHEMA = """
    CREATE NAMESPACE shop;
    CREATE TABLE shop.keep (id bigint PRIMARY KEY, a text) WITH (TYPE = 'USER');
    CREATE TABLE shop.notes (id bigint PRIMARY KEY) WITH (TYPE = 'SHARED', ACCESS_LEVEL = 'RESTRICTED');
    CREATE USER carol WITH PASSWORD 'x' ROLE 'service';
    GRANT SELECT ON shop.notes TO carol;
    INSERT INTO shop.keep VALUES (1, 'one'), (2, 'two')
"""

SCRIPTS = {
    "create table": ["CREATE TABLE shop.new (id bigint PRIMARY KEY)"],
    "create and fill": [
        "BEGIN",
        "CREATE TABLE shop.new (id bigint PRIMARY KEY)",
        "INSERT INTO shop.new VALUES (1)",
        "COMMIT",
    ],
    "several at once": ["CREATE TABLE shop.new (id bigint); INSERT INTO shop.new VALUES (1)"],
    "stream": [
        "CREATE TABLE shop.s (id bigint PRIMARY KEY) WITH (TYPE = 'STREAM', TTL_SECONDS = 30);"
        "INSERT INTO shop.s VALUES (1)"
    ],
    "drop table": ["DROP TABLE shop.keep"],
    "drop namespace": ["DROP NAMESPACE shop CASCADE"],
    "view": ["CREATE VIEW shop.v AS SELECT id FROM shop.keep"],
    "revoke": ["REVOKE SELECT ON shop.notes FROM carol"],
    "create user": ["CREATE USER dave"],
    "alter user": ["ALTER USER carol SET ROLE 'user'"],
    "drop user": ["DROP USER carol"],
    "insert": ["INSERT INTO shop.keep VALUES (3, 'three')"],
    "update": ["UPDATE shop.keep SET a = 'more' WHERE id = 1"],
    "delete in a block": [
        "BEGIN",
        "DELETE FROM shop.keep WHERE id = 1",
        "SAVEPOINT a",
        "INSERT INTO shop.keep VALUES (1, 'again')",
        "ROLLBACK TO a",
        "COMMIT",
    ],
    "truncate": ["TRUNCATE shop.keep"],
}


def lose(client: Client) -> None:
    """What the loop does with a connection that is gone (`server.connection.Connection.lost`)."""
    wait = client.session._wait
    if wait is not None:
        wait.cancel()
    client.session.disconnected()


class FragileServer(Server):
    """Loses one client at its n-th wait. late: when that has ended, before the client's turn."""

    fragile: Client | None = None
    at = 0
    late = False
    waits = 0

    def go_on(self, client: Client) -> None:
        if client.session.closing:
            return
        if client is self.fragile and self.late and self.waits == self.at + 1:
            lose(client)
            return
        super().go_on(client)
        if client is self.fragile and self._waiting:
            self.waits += 1
            if not self.late and self.waits == self.at + 1:
                lose(client)

    @property
    def lost(self) -> bool:
        return self.fragile is not None and self.fragile.session.closing


def held(server: Server) -> int:
    """How many locks somebody has."""
    return server.services.database.locks.statistics().locks


async def in_order(server: Server) -> None:
    """Memory is what the disk says, and nobody holds anything."""
    await server.settle()
    database = server.services.database
    behind = trio.Event()  # All that are in flight.
    database.committer.submit(WriteSet([], [], [], sync=False), lambda _set: behind.set())
    server.rounds.end()
    with trio.fail_after(10):
        await behind.wait()
    await trio.testing.wait_all_tasks_blocked()
    assert database.differences() == []
    assert held(server) == 0
    assert not database.doubt


def ids(server: Server) -> list[int]:
    """Every number that the catalogue has given to something."""
    catalog = server.services.database.catalog
    relations = [*catalog.tables.values(), *catalog.views.values()]
    numbers = [relation.id for relation in relations]
    numbers += [namespace.id for namespace in catalog.namespaces.values()]
    numbers += [c.id for table in catalog.tables.values() for c in table.constraints]
    return numbers


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True], ids=["waiting", "just answered"])
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
async def test_a_client_lost_at_any_wait_leaves_memory_and_disk_alike(tmp_path, script, late):
    at = 0
    while True:
        async with serving(tmp_path / str(at), kind=FragileServer) as server:
            other, client = Client(server), Client(server)
            assert "ERROR" not in tags(await other.ask(Query(SCHEMA)))
            server.fragile, server.at, server.late = client, at, late
            for text in script:
                if not server.lost:
                    client.send(Query(text))
                    await server.settle()
            await in_order(server)
            before = ids(server)
            assert tags(await other.ask(Query("CREATE NAMESPACE later"))) == ["CREATE SCHEMA"]
            new = "CREATE TABLE later.t (id bigint PRIMARY KEY, a text); INSERT INTO later.t VALUES (9)"
            assert tags(await other.ask(Query(new))) == ["CREATE TABLE", "INSERT 0 1"]
            assert len(set(ids(server))) == len(ids(server))
            assert set(before) < set(ids(server))
            assert tags(await other.ask(Query("SELECT * FROM later.t"))) == ["SELECT 1"]
            await in_order(server)
        if not server.lost:
            break
        at += 1
    assert at > 0 or late, "it waited for its commit at least"


async def test_a_definition_is_everybodys_though_its_client_was_lost_while_it_committed(tmp_path):
    async with serving(tmp_path, kind=FragileServer) as server:
        other, client = Client(server), Client(server)
        await other.ask(Query(SCHEMA))
        server.fragile = client
        client.send(Query("DROP TABLE shop.keep"))
        await server.settle()
        assert server.lost
        await in_order(server)
        assert tags(await other.ask(Query("INSERT INTO shop.keep VALUES (3)"))) == ["42P01"]
        assert tags(await other.ask(Query("CREATE TABLE shop.keep (id int)"))) == ["CREATE TABLE"]
        assert tags(await other.ask(Query("SELECT * FROM shop.keep"))) == ["SELECT 0"]


async def test_a_quick_commit_of_a_lost_client_gives_its_row_back_when_it_is_published(tmp_path):
    async with serving(tmp_path) as server:
        other, client = Client(server), Client(server)
        await other.ask(Query(SCHEMA))
        insert = "INSERT INTO shop.keep VALUES ($1, $2)"
        await client.ask(Parse("s", insert, ()), Sync())
        await client.ask(*pipeline("s", "10", "warm"))
        client.send(*pipeline("s", "11", "lost"))
        assert held(server)
        client.transport.finished = lambda: None
        server._waiting -= 1
        lose(client)
        assert held(server), "the commit is still in flight"
        server.rounds.end()
        await in_order(server)
        again = await other.ask(Query("INSERT INTO shop.keep VALUES (11, 'again')"))
        assert tags(again) == ["23505"]


class Trouble(Exception):  # noqa: N818 -- its name is the point
    pass


def trouble(*_arguments: object) -> None:
    raise Trouble


async def test_what_hooks_and_other_members_raise_costs_nobody_their_commit(tmp_path):
    async with serving(tmp_path) as server:
        one, two = Client(server), Client(server)
        await one.ask(Query(SCHEMA))
        database = server.services.database
        database.engine.on_publish.append(trouble)
        database.committer.after_publish.append(trouble)
        database.on_catalog_change.append(trouble)
        one.send(Query("CREATE TABLE shop.t (id int PRIMARY KEY)"))
        transaction = one.session.sql.transaction
        assert transaction is not None
        transaction.on_end.insert(0, trouble)
        two.send(Query("INSERT INTO shop.keep VALUES (3, 'three')"))
        await server.settle()
        assert tags(one.answers()) == ["CREATE TABLE"]
        assert tags(two.answers()) == ["INSERT 0 1"]
        await in_order(server)
        assert tags(await two.ask(Query("SELECT * FROM shop.t"))) == ["SELECT 0"]


async def test_a_tail_that_takes_no_rows_is_dropped_and_every_commit_is_answered(
    tmp_path, monkeypatch
):
    async with serving(tmp_path) as server:
        one, two = Client(server), Client(server)
        await one.ask(Query(SCHEMA))
        newest = Query("SELECT * FROM shop.keep WHERE a = 'three' ORDER BY id DESC LIMIT 3")
        assert tags(await one.ask(newest)) == ["SELECT 0"]
        (tablet,) = server.services.database.engine.open_tablets()
        assert tablet._tail is not None
        with monkeypatch.context() as patch:
            patch.setattr("storage.tail.tail.Tail.append", trouble)
            one.send(Query("INSERT INTO shop.keep VALUES (3, 'three')"))
            two.send(Query("INSERT INTO shop.notes VALUES (1)"))
            await server.settle()
            assert tags(one.answers()) == ["INSERT 0 1"]
            assert tags(two.answers()) == ["INSERT 0 1"]
        assert tablet._tail is None
        assert tags(await one.ask(newest)) == ["SELECT 1"]
        await in_order(server)


async def test_one_transaction_that_cannot_be_encoded_fails_alone(tmp_path, monkeypatch):
    from storage.log import writes

    encode = writes.encode_entry

    def picky(op, version, row, old):
        if row[0] == 4:
            raise Trouble
        return encode(op, version, row, old)

    async with serving(tmp_path) as server:
        clients = [Client(server) for _ in range(3)]
        await clients[0].ask(Query(SCHEMA))
        monkeypatch.setattr(writes, "encode_entry", picky)
        for client, keys in zip(clients, ["(3)", "(5), (4)", "(6)"], strict=True):
            client.send(Query(f"INSERT INTO shop.keep (id) VALUES {keys}"))
        await server.settle()
        answers = [tags(client.answers()) for client in clients]
        assert answers == [["INSERT 0 1"], ["XX000"], ["INSERT 0 1"]]
        await in_order(server)
        assert tags(await clients[0].ask(Query("SELECT * FROM shop.keep"))) == ["SELECT 4"]


def break_log(server: Server, *, written: bool) -> AbstractContextManager[None]:
    """The next group's write fails, after it was done or instead; inside, the log cannot be reopened."""
    store = server.services.database.engine._log.store

    def broken(puts, *, sync):
        if written:
            type(store).write(store, puts, sync=sync)
        store.failed = IoError("could not write the log: Input/output error (test)")
        raise store.failed

    store.write = broken
    return failpoints.armed("commit.reopen", "eio")


async def until_known(server: Server) -> None:
    """Until the log was asked what became of the commits in doubt."""
    with trio.fail_after(5):
        while server.services.database.doubt:
            await trio.sleep(0.01)
            server.rounds.end()


@pytest.mark.parametrize("written", [False, True], ids=["not written", "written"])
async def test_a_commit_of_unknown_outcome_is_told_so_and_memory_becomes_the_disk(
    tmp_path, written
):
    async with serving(tmp_path) as server:
        one, two = Client(server), Client(server)
        await one.ask(Query(SCHEMA))
        await one.ask(Query("BEGIN; CREATE TABLE shop.t (id int PRIMARY KEY)"))
        await one.ask(Query("INSERT INTO shop.t VALUES (1); INSERT INTO shop.keep VALUES (3)"))
        with break_log(server, written=written):
            assert tags(await one.ask(Query("COMMIT"))) == ["08007"]
        assert held(server), "what it did may have been done"
        await until_known(server)
        await in_order(server)
        there = tags(await two.ask(Query("SELECT * FROM shop.t")))
        assert there == (["SELECT 1"] if written else ["42P01"])
        rows = tags(await two.ask(Query("SELECT * FROM shop.keep")))
        assert rows == (["SELECT 3"] if written else ["SELECT 2"])
        made = await two.ask(Query("CREATE TABLE shop.t2 (id int); INSERT INTO shop.t2 VALUES (1)"))
        assert tags(made) == ["CREATE TABLE", "INSERT 0 1"]
        await in_order(server)


@pytest.mark.parametrize("written", [False, True], ids=["not written", "written"])
async def test_a_key_whose_quick_insert_is_in_doubt_stays_locked_until_that_is_known(
    tmp_path, written
):
    async with serving(tmp_path) as server:
        one, two = Client(server), Client(server)
        await one.ask(Query(SCHEMA))
        insert = "INSERT INTO shop.keep VALUES ($1, $2)"
        for client in (one, two):
            await client.ask(Parse("s", insert, ()), Sync())
        await one.ask(*pipeline("s", "10", "warm"))
        await two.ask(*pipeline("s", "11", "warm"))
        with break_log(server, written=written):
            assert tags(await one.ask(*pipeline("s", "12", "doubt")))[-1] == "08007"
            two.send(*pipeline("s", "12", "again"))
        assert not tags(two.answers())
        await until_known(server)
        await server.settle()
        assert tags(two.answers()) == (["23505"] if written else ["INSERT 0 1"])
        assert tags(await one.ask(*pipeline("s", "13", "on"))) == ["INSERT 0 1"]
        await in_order(server)


def no_room() -> None:
    raise DiskFullError("could not write: No space left on device (test)")


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
async def test_a_commit_that_cannot_be_written_leaves_nothing(tmp_path, script, monkeypatch):
    async with serving(tmp_path) as server:
        client = Client(server)
        await client.ask(Query(SCHEMA))
        for text in script[:-1]:
            await client.ask(Query(text))
        database = server.services.database
        before, users = database.catalog, list(database.store.users())
        with monkeypatch.context() as patch:
            patch.setattr(database.engine._log, "_next_room_check", 0.0)
            patch.setattr(database.engine._log._room, "check", no_room)
            assert "53100" in tags(await client.ask(Query(script[-1])))
        await in_order(server)
        assert database.catalog is before
        assert list(database.store.users()) == users
        assert client.session.sql.status == "I"
        assert tags(await client.ask(Query("SELECT a FROM shop.keep"))) == ["SELECT 2"]


CONTENDED = {
    "a row": ("UPDATE shop.keep SET a = 'x' WHERE id = 1", "DELETE FROM shop.keep WHERE id = 1"),
    "a key": ("INSERT INTO shop.keep VALUES (5)", "INSERT INTO shop.keep VALUES (5)"),
    "a table": ("INSERT INTO shop.keep VALUES (5)", "DROP TABLE shop.keep"),
    "a dropped table": ("DROP TABLE shop.keep", "INSERT INTO shop.keep VALUES (5)"),
    "the catalogue": ("CREATE VIEW shop.v AS SELECT 1", "CREATE TABLE shop.new (id int)"),
    "a user": ("ALTER USER carol SET ROLE 'user'", "DROP USER carol"),
}


@pytest.mark.parametrize("late", [False, True], ids=["waiting", "just granted"])
@pytest.mark.parametrize(("first", "second"), CONTENDED.values(), ids=CONTENDED)
async def test_a_client_lost_while_it_waits_for_another_leaves_no_lock(
    tmp_path, first, second, late
):
    async with serving(tmp_path, kind=FragileServer) as server:
        holder, waiter = Client(server), Client(server)
        await holder.ask(Query(SCHEMA))
        begun = tags(await holder.ask(Query(f"BEGIN; {first}")))
        assert begun[0] == "BEGIN"
        assert len(begun) == 2
        server.fragile, server.late = waiter, late
        waiter.send(Query(second))
        await trio.testing.wait_all_tasks_blocked()
        assert server.lost is not late
        assert tags(await holder.ask(Query("COMMIT"))) == ["COMMIT"]
        await server.settle()
        assert server.lost
        await in_order(server)
        assert tags(await holder.ask(Query("CREATE TABLE shop.after (id int)"))) == ["CREATE TABLE"]


async def test_what_a_lost_client_has_sent_is_heard_when_it_was_committed(tmp_path):
    async with serving(tmp_path, kind=FragileServer) as server:
        ear, other = Client(server), Client(server)
        await ear.ask(Query(SCHEMA))
        ear.transport.schedule = lambda: None
        await ear.ask(Query("LISTEN news"))
        # On a busy machine it may have to wait before its COMMIT, which has not been heard of then.
        while not tags(await other.ask(Query("SELECT FROM shop.keep WHERE id = 9")))[0].endswith(
            "1"
        ):
            assert not ear.session.sql.listener.waits
            client = server.fragile = Client(server)
            server.waits = 0
            client.send(
                Query(
                    "BEGIN; LISTEN other; NOTIFY news, 'x'; INSERT INTO shop.keep VALUES (9); COMMIT"
                )
            )
            await server.settle()
            assert server.lost
            await in_order(server)
            server.at += 1
        assert ear.session.sql.listener.waits
        assert client.session.sql.listener is None


HURRIED = {
    "CREATE TABLE shop.new (id bigint PRIMARY KEY)": False,
    "ALTER TABLE shop.keep ADD COLUMN more int DEFAULT 7": False,
    "CREATE INDEX named ON shop.keep (a)": False,
    "CREATE USER dave": False,
    "DROP USER carol": False,
    "REVOKE SELECT ON shop.notes FROM carol": False,
    # Files go, or are to: the disk must not have a catalogue that counts on them.
    "DROP TABLE shop.keep": True,
    "BEGIN; SAVEPOINT a; DROP TABLE shop.keep; ROLLBACK TO a; CREATE SCHEMA kept; COMMIT": True,
    "DROP USER carol PURGE": True,
    "CREATE SCHEMA told; NOTIFY told; INSERT INTO shop.keep VALUES (3, 'three')": True,
}


@pytest.mark.parametrize("text", HURRIED)
async def test_a_definition_waits_for_the_disk_if_its_session_does_or_something_goes(
    tmp_path, text
):
    async with serving(tmp_path) as server:
        client = Client(server)
        await client.ask(Query(SCHEMA))
        engine = server.services.database.engine
        assert engine.durable_seq == engine.current.seq
        answers = tags(await client.ask(Query(f"SET synchronous_commit = off;{text}")))
        assert not [answer for answer in answers if answer[0].isdigit()], answers
        assert (engine.durable_seq == engine.current.seq) == HURRIED[text]
        await in_order(server)
        await client.ask(Query("SET synchronous_commit = on; CREATE SCHEMA behind"))
        assert engine.durable_seq == engine.current.seq
