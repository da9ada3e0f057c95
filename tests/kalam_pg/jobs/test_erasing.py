"""Erasing a user beside who reads, who writes late, and when a dropped one's time is up."""

import pytest

from catalog.erasing import KEPT_US
from kalam_pg.jobs import erasing
from kalam_pg.pgwire.messages import Query
from storage.engine import Write, WriteSet
from storage.errors import SerializationError
from storage.log.log_entry import Op
from tests.kalam_pg.wire.clients import Client, serving, tags

CANARY = "canary-of-a-person"
TABLE = "CREATE TABLE chat.notes (id TEXT PRIMARY KEY, body TEXT) WITH (TYPE = 'USER')"
ROW = f"INSERT INTO chat.notes VALUES ('{CANARY}', '{CANARY}')"


def canaries(path):
    return [f.name for f in path.rglob("*") if f.is_file() and CANARY.encode() in f.read_bytes()]


async def with_alice(server):
    """A client of root's, and alice with a row, whose only tablet this is."""
    root = Client(server)
    for text in (
        "CREATE NAMESPACE chat",
        TABLE,
        "CREATE USER alice",
        f"EXECUTE AS USER 'alice' ({ROW})",
    ):
        await root.query(text)
    database = server.services.database
    database.committer.detach()  # Jobs write without clients, whose rounds nobody ends then.
    alice = database.store.user_by_name("alice")
    (tablet,) = set(database.engine.current.tablets(alice.id))
    return root, alice, tablet


async def test_who_reads_from_before_is_waited_for_and_then_loses_the_view(tmp_path, monkeypatch):
    monkeypatch.setattr(erasing, "VIEWS_S", 0.2)
    async with serving(tmp_path) as server:
        root, alice, tablet = await with_alice(server)
        database = server.services.database
        held = database.engine.acquire()
        await root.query("DROP USER alice PURGE")
        assert list(held.log(tablet))
        await erasing.erase_users(database, server.services.jobs)
        assert held.ended
        with pytest.raises(SerializationError):
            list(held.log(tablet))
        held.release()
        assert not database.erasing
        assert not list(database.engine.current.tablets(alice.id))
        assert canaries(tmp_path) == []
        assert tags(await root.query("SELECT * FROM chat.notes")) == ["SELECT 0"]


async def test_nobody_writes_for_who_is_erased(tmp_path):
    """Not even what was on its way when the user was dropped."""
    async with serving(tmp_path) as server:
        root, _, tablet = await with_alice(server)
        database = server.services.database
        await root.query("DROP USER alice PURGE")
        late = Write(tablet, Op.INSERT, b"k", ("k", "b"), None, 1)
        mixed = Write(tablet._replace(user=10), Op.INSERT, b"k", ("k", "b"), None, 1)
        for writes in ([late], [mixed, late]):
            with pytest.raises(SerializationError):
                await database.committer.commit(WriteSet(writes, [], [], sync=False))
        await database.committer.commit(WriteSet([mixed], [], [], sync=False))
        await erasing.erase_users(database, server.services.jobs)
        assert set(database.engine.current.tablets()) == {mixed.tablet}


async def test_who_was_dropped_goes_when_the_time_is_up_unless_restored(tmp_path):
    async with serving(tmp_path) as server:
        root, alice, _tablet = await with_alice(server)
        database, jobs = server.services.database, server.services.jobs
        now_us = database.now_us()
        await root.query("DROP USER alice")
        database.now_us = lambda: now_us + KEPT_US // 2
        await erasing.erase_users(database, jobs)
        await root.query("ALTER USER alice RESTORE")
        database.now_us = lambda: now_us + 2 * KEPT_US
        await erasing.erase_users(database, jobs)
        assert list(database.engine.current.tablets(alice.id))
        await root.query("DROP USER alice")
        await erasing.erase_users(database, jobs)
        database.now_us = lambda: now_us + 4 * KEPT_US
        await erasing.erase_users(database, jobs)
        assert database.store.user_by_name("alice") is None
        assert canaries(tmp_path) == []


async def test_who_was_restored_in_the_last_moment_stays(tmp_path, monkeypatch):
    async with serving(tmp_path) as server:
        root, alice, _tablet = await with_alice(server)
        database = server.services.database
        now_us = database.now_us()
        await root.query("DROP USER alice")
        database.now_us = lambda: now_us + 2 * KEPT_US
        dropped = database.store.read_user(alice.id)
        await root.query("ALTER USER alice RESTORE")
        monkeypatch.setattr(database.store, "read_user", lambda _id: dropped)
        await database.committer.commit(WriteSet([], [], [(b"\1S-none", None)], sync=False))
        await erasing._purge(database, dropped)
        assert not database.erasing
        assert list(database.engine.current.tablets(alice.id))


async def test_somebody_new_of_that_name_is_somebody_else_and_stays(tmp_path):
    async with serving(tmp_path) as server:
        root, alice, _tablet = await with_alice(server)
        database, jobs = server.services.database, server.services.jobs
        await root.query("DROP USER alice PURGE")
        await root.query("CREATE USER alice")
        other = database.store.user_by_name("alice")
        assert other.id != alice.id
        await erasing.erase_users(database, jobs)
        assert database.store.read_user(other.id) == other
        database.store.forget_all()
        assert database.store.user_by_name("alice") == other
        assert database.store.user_by_oid(other.oid) == other
        assert database.store.user_by_oid(alice.oid) is None


async def test_a_dropped_users_name_is_free_and_purge_takes_who_had_it_before(tmp_path):
    async with serving(tmp_path) as server:
        root, _alice, _tablet = await with_alice(server)
        database, jobs = server.services.database, server.services.jobs
        for _ in range(2):
            await root.query("DROP USER alice")
            await root.query("CREATE USER alice")
            await root.query(f"EXECUTE AS USER 'alice' ({ROW})")
        assert tags(await root.query("SELECT * FROM system.users")) == ["SELECT 4"]
        assert tags(await root.query("SELECT * FROM pg_roles WHERE rolname = 'alice'")) == [
            "SELECT 1"
        ]
        assert tags(await root.ask(Query("ALTER USER alice RESTORE"))) == ["42710"]
        now_us = database.now_us()
        database.now_us = lambda: now_us + 2 * KEPT_US
        await root.query("DROP USER alice")
        database.now_us = lambda: now_us + KEPT_US - 1_000_000
        await erasing.erase_users(database, jobs)
        assert len(list(database.store.users())) == 4
        await root.query("DROP USER alice PURGE")
        await erasing.erase_users(database, jobs)
        assert [user.name for user in database.store.users()] == ["root"]
        assert canaries(tmp_path) == []


async def test_the_time_of_one_is_up_before_that_of_who_had_the_name_next(tmp_path):
    async with serving(tmp_path) as server:
        root, first, _tablet = await with_alice(server)
        database, jobs = server.services.database, server.services.jobs
        await root.query("DROP USER alice")
        await root.query("CREATE USER alice")
        second = database.store.user_by_name("alice")
        now_us = database.now_us()
        database.now_us = lambda: now_us + 2 * KEPT_US
        await erasing.erase_users(database, jobs)
        assert database.store.read_user(first.id) is None
        database.store.forget_all()
        assert database.store.user_by_name("alice") == second
        await root.query("DROP USER alice PURGE")
        await erasing.erase_users(database, jobs)
        assert [user.name for user in database.store.users()] == ["root"]
