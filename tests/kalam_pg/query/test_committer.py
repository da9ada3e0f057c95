"""The committer: groups, order, errors of one member, and stopping."""

import errno
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from kalam_pg.query.committer import Committer
from storage import failpoints
from storage.engine import Engine, Write, WriteSet
from storage.errors import DiskFullError, InternalError, SerializationError
from storage.ids import TabletId
from storage.keys import encode_key
from storage.log.hot import HotStore
from storage.log.log_entry import Op
from tests.storage.engine_fixtures import LAYOUT

TABLET = TabletId(3, 20)


def insert(key: int, *, sync: bool = False, assumed: int = 0) -> WriteSet:
    write = Write(TABLET, Op.INSERT, encode_key((key,), ("int",)), (key, "row"), None, 1, assumed)
    return WriteSet([write], [], [], sync)


def rows_of(tablet, engine) -> int:
    if tablet.scan(engine.current) is None:
        tablet.install(tablet.load(engine.current))
    return sum(batch.num_rows for _, batch in tablet.scan(engine.current).batches)


@asynccontextmanager
async def running(path):
    engine = Engine.open(path)
    committer = Committer(engine)
    committer.start()
    try:
        yield engine, committer
    finally:
        await committer.stop()
        engine.close()


async def test_what_is_committed_is_visible_when_the_submitter_hears_of_it(tmp_path):
    async with running(tmp_path) as (engine, committer):
        done = await committer.commit(insert(1))
        version = engine.current.find(TABLET, encode_key((1,), ("int",)))
        assert version is not None
        assert (version.seq, version.row) == (done.seq, (1, "row"))


async def test_what_waits_together_is_published_in_the_order_of_submission(tmp_path):
    async with running(tmp_path) as (_, committer):
        seqs: list[int] = []
        ended = trio.Event()

        def done(write_set: WriteSet) -> None:
            seqs.append(write_set.seq)
            if len(seqs) == 100:
                ended.set()

        for key in range(100):
            committer.submit(insert(key), done)
        await ended.wait()
        assert seqs == sorted(seqs)
        assert len(set(seqs)) == 100


async def test_a_member_that_may_not_be_written_fails_alone(tmp_path):
    async with running(tmp_path) as (engine, committer):
        await committer.commit(insert(1))
        outcomes: dict[int, object] = {}
        ended = trio.Event()

        def done(write_set: WriteSet) -> None:
            outcomes[write_set.context] = write_set.error
            if len(outcomes) == 3:
                ended.set()

        for key in (2, 1, 3):
            write_set = insert(key)
            write_set.context = key
            committer.submit(write_set, done)
        await ended.wait()
        assert outcomes[2] is None
        assert outcomes[3] is None
        assert isinstance(outcomes[1], SerializationError)
        assert engine.current.find(TABLET, encode_key((3,), ("int",))) is not None


async def test_what_is_committed_is_seen_though_publishing_it_failed(tmp_path):
    async with running(tmp_path) as (engine, committer):
        await committer.commit(insert(1))
        tablet = engine.tablet(TABLET, LAYOUT)
        assert rows_of(tablet, engine) == 1  # Its tail is in memory from here on.
        for key, action in enumerate(("eio", "enospc", "crash"), 2):
            with failpoints.armed("commit.before_publish", action):
                done = await committer.commit(insert(key))
            version = engine.current.find(TABLET, encode_key((key,), ("int",)))
            assert version is not None
            assert (version.seq, version.row) == (done.seq, (key, "row"))
            assert rows_of(tablet, engine) == key


async def test_an_error_of_validation_is_raised_to_its_submitter(tmp_path):
    def refuse(_seq: int) -> None:
        raise SerializationError("no")

    async with running(tmp_path) as (_, committer):
        write_set = insert(1)
        write_set.validate = refuse
        with pytest.raises(SerializationError, match="no"):
            await committer.commit(write_set)


async def test_a_disk_that_is_full_is_no_bug(tmp_path, monkeypatch):
    """LevelDB's own exception is the cause of the error, and the error is the one to tell."""
    write = HotStore.write

    def refuses(store: HotStore, puts: object, *, sync: bool) -> None:
        monkeypatch.setattr(HotStore, "write", write)
        raise DiskFullError("could not write the log") from OSError(errno.ENOSPC, "no space")

    async with running(tmp_path) as (_, committer):
        monkeypatch.setattr(HotStore, "write", refuses)
        with pytest.raises(DiskFullError, match="could not write the log"):
            await committer.commit(insert(1))
        await committer.commit(insert(1))


async def test_a_bug_with_one_member_is_told_with_a_reference(tmp_path, capsys):
    async with running(tmp_path) as (_, committer):
        write_set = insert(1)
        write_set.validate = lambda _seq: 1 // 0
        with pytest.raises(InternalError) as raised:
            await committer.commit(write_set)
    assert raised.value.reference in capsys.readouterr().out


async def test_stopping_waits_for_what_was_submitted(tmp_path):
    heard: list[int] = []
    async with running(tmp_path) as (_, committer):
        for key in range(10):
            committer.submit(insert(key), lambda write_set: heard.append(write_set.seq))
    assert len(heard) == 10


class EndingLoop:
    """An event loop that ends: it takes callbacks and never calls them."""

    def at_turn_end(self, callback):
        pass

    def run_sync_soon(self, callback):
        pass


async def test_a_commit_outlives_the_loop_that_its_submitter_lived_in(tmp_path, nursery):
    async with running(tmp_path) as (_, committer):
        committer.attach(EndingLoop())
        done: list[int] = []

        async def commit(key: int) -> None:
            done.append((await committer.commit(insert(key, sync=True))).seq)

        nursery.start_soon(commit, 1)
        nursery.start_soon(commit, 2)
        await trio.testing.wait_all_tasks_blocked()
        assert not done
        committer.detach()
        with trio.fail_after(10):
            while len(done) < 2:
                await trio.lowlevel.checkpoint()
