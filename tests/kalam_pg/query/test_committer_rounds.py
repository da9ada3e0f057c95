"""Which groups the committer writes in the round that brought them, and which its thread writes."""

from contextlib import asynccontextmanager

import pytest
import trio

from kalam_pg.query.committer import (
    CALM_S,
    GROUP_BYTES_MAX,
    QUICK_SYNC_S,
    STALL_S,
    Committer,
)
from storage.engine import Engine, Group, Write, WriteSet
from storage.ids import TabletId
from storage.keys import encode_key
from storage.log.log_entry import Op
from tests.kalam_pg.wire.clients import Rounds

TABLET = TabletId(3, 20)


def insert(*keys: int, sync: bool = False, system: bool = False, weight: int = 0) -> WriteSet:
    writes = [
        Write(TABLET, Op.INSERT, encode_key((key,), ("int",)), (key,), None, 1, 0) for key in keys
    ]
    return WriteSet(writes, [], [(b"\x01Stest", b"")] if system else [], sync, weight=weight)


class SlowEngine:
    """An engine whose writes take as long, on a clock of its own, as the test says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.now_s = 100.0
        self.took_s = 0.0

    def write_group(self, sets: list[WriteSet]) -> Group:
        self.now_s += self.took_s
        return self._engine.write_group(sets)

    def publish(self, group: Group) -> None:
        self._engine.publish(group)


class Running:
    """A committer whose rounds end when the test says so."""

    def __init__(self, engine: SlowEngine, committer: Committer) -> None:
        self.engine = engine
        self.committer = committer
        self.rounds = Rounds()
        self.groups: list[Group] = []
        committer.attach(self.rounds)
        committer.after_publish.append(self.groups.append)

    async def commit(self, write_set: WriteSet) -> bool:
        """Whether the round that brought the set wrote it."""
        done = trio.Event()
        self.committer.submit(write_set, lambda _set: done.set())
        self.rounds.end()
        at_once = done.is_set()
        await done.wait()
        assert write_set.error is None
        return at_once


@asynccontextmanager
async def running(path):
    engine = Engine.open(path)
    slow = SlowEngine(engine)
    committer = Committer(slow, clock=lambda: slow.now_s)
    committer.start()
    try:
        yield Running(slow, committer)
    finally:
        await committer.stop()
        engine.close()


async def test_while_writers_are_to_wait_the_thread_pauses_before_each_group(tmp_path):
    pauses: list[float] = []
    engine = Engine.open(tmp_path)
    committer = Committer(engine, sleep=pauses.append)
    committer.start()
    test = Running(SlowEngine(engine), committer)
    assert await test.commit(insert(1))
    committer.pause_s = 0.02
    assert not await test.commit(insert(2))
    assert not await test.commit(insert(3))
    assert pauses == [0.02, 0.02]
    committer.pause_s = 0.0
    assert await test.commit(insert(4))
    assert pauses == [0.02, 0.02]
    await committer.stop()
    engine.close()


async def test_what_a_round_submits_is_one_group_written_at_its_end(tmp_path):
    async with running(tmp_path) as test:
        told: list[int] = []
        for key in range(10):
            test.committer.submit(insert(key), lambda write_set: told.append(write_set.seq))
        assert told == []
        test.rounds.end()
        assert told == sorted(told)
        assert [len(group.sets) for group in test.groups] == [10]


@pytest.mark.parametrize(
    "slow", [{"system": True}, {"keys": range(1000)}, {"sync": True}, {"weight": 2_000_000}]
)
async def test_definitions_large_groups_and_the_first_syncs_are_the_threads(tmp_path, slow):
    async with running(tmp_path) as test:
        assert not await test.commit(insert(*slow.pop("keys", [1]), **slow))
        assert await test.commit(insert(2000))


@pytest.mark.parametrize("synced", [{"sync": True}, {"system": True}], ids=["rows", "definitions"])
async def test_syncs_are_waited_for_in_the_round_while_the_disk_is_quick(tmp_path, synced):
    async with running(tmp_path) as test:
        test.engine.took_s = QUICK_SYNC_S / 4
        at_once = [await test.commit(insert(key, **synced)) for key in range(40)]
        assert not at_once[0]
        assert at_once[-1]
        test.engine.took_s = QUICK_SYNC_S * 3
        at_once = [await test.commit(insert(key, **synced)) for key in range(40, 80)]
        assert at_once[0]
        assert not at_once[-1]


async def test_what_is_told_when_it_is_durable_is_synced_as_it_is_written_if_the_disk_is_quick(
    tmp_path,
):
    async with running(tmp_path) as test:
        test.committer.is_followed = lambda write_set: write_set.writes[0].row != (1000,)
        assert await test.commit(insert(1))
        assert not test.groups[-1].synced  # How quick the disk is nobody knows yet.
        test.engine.took_s = QUICK_SYNC_S / 4
        for key in range(2, 40):
            await test.commit(insert(key, sync=True))
        assert await test.commit(insert(40))
        assert test.groups[-1].synced
        assert await test.commit(insert(1000))
        assert not test.groups[-1].synced


async def test_one_slow_sync_among_quick_ones_changes_nothing_for_long(tmp_path):
    async with running(tmp_path) as test:
        test.engine.took_s = QUICK_SYNC_S / 4
        for key in range(40):
            await test.commit(insert(key, sync=True))
        test.engine.took_s = STALL_S * 10
        assert await test.commit(insert(40, sync=True))
        test.engine.took_s = QUICK_SYNC_S / 4
        assert not await test.commit(insert(41, sync=True))
        test.engine.now_s += CALM_S
        assert await test.commit(insert(42, sync=True))


async def test_after_a_stall_the_thread_writes_for_a_while(tmp_path):
    async with running(tmp_path) as test:
        test.engine.took_s = STALL_S * 2
        assert await test.commit(insert(1))
        test.engine.took_s = 0.0
        assert not await test.commit(insert(2))
        test.engine.now_s += CALM_S / 2
        assert not await test.commit(insert(4))
        test.engine.now_s += CALM_S
        assert await test.commit(insert(3))


async def test_whoever_writes_groups_are_published_in_the_order_of_their_numbers(tmp_path):
    async with running(tmp_path) as test:
        ended = trio.Event()
        told: list[int] = []

        def done(write_set: WriteSet) -> None:
            told.append(write_set.seq)
            if len(told) == 60:
                ended.set()

        for key in range(60):
            test.committer.submit(insert(key, system=key % 7 == 0), done)
            test.rounds.end()
        await ended.wait()
        seqs = [write_set.seq for group in test.groups for write_set in group.sets]
        assert seqs == sorted(seqs)
        assert len(seqs) == 60


async def test_a_group_has_no_more_than_so_many_bytes_beside_its_last_member(tmp_path):
    async with running(tmp_path) as test:
        done = []
        for key in range(5):
            weight = GROUP_BYTES_MAX // 2 + 1
            test.committer.submit(insert(key, weight=weight), done.append)
        test.rounds.end()
        await test.committer.commit(insert(9))
        assert [write_set.error for write_set in done] == [None] * 5
        assert [len(group.sets) for group in test.groups][:2] == [2, 2]
        seqs = [write_set.seq for group in test.groups for write_set in group.sets]
        assert seqs == sorted(seqs)
