"""Reads that are made once for many: who takes what, in which order they are made, what is left of them."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from kalam_pg.query import shared_reads
from kalam_pg.query.row_store import Spills
from kalam_pg.query.shared_reads import AT_ONCE, KEPT_BYTES_MAX, SharedReads
from kalam_pg.query.waits import drive, run_async
from storage.errors import DiskFullError
from storage.fs import OsFileSystem
from storage.ids import TabletId

TABLET = TabletId(7, 1)


@dataclass
class Written:
    """As much of a write as is looked at when it is published."""

    tablet: TabletId


@dataclass
class Committed:
    seq: int
    writes: list[Written]
    loads: tuple[Any, ...] = ()


@dataclass
class Published:
    sets: list[Committed]


def published(*commits):
    """A group of commits, each of one tablet."""
    return Published([Committed(seq, [Written(tablet)]) for seq, tablet in commits])


@dataclass
class Table:
    """What is read: pieces as of a commit, no faster than the test says."""

    pieces: list = field(default_factory=lambda: [b"one", b"two", b"three"])
    seq: int = 10
    made: int = 0
    ended: int = 0
    may: trio.Event | None = None
    fails: Exception | None = None

    def make(self, read):
        self.made += 1
        try:
            read.seen(self.seq)
            if self.may is not None:
                yield from run_async(self.may.wait)
            for piece in self.pieces:
                yield from read.add(piece, 1)
            if self.fails is not None:
                raise self.fails
        finally:
            self.ended += 1


@pytest.fixture
def reads(tmp_path):
    return SharedReads(Spills(OsFileSystem(), tmp_path))


def ask(reads, table, *, key="k", tablet=TABLET, user=7):
    return reads.ask(key, tablet, user, table.make)


async def rest(taker):
    """What a taker has not taken yet."""
    found = []
    while (piece := await drive(taker.next(0.0))) is not None:
        found.append(bytes(piece.data))
    return found


async def everything(taker):
    await drive(taker.begun(0.0))
    try:
        return await rest(taker)
    finally:
        taker.close()


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_it_is_made_once_for_all_who_ask_meanwhile(reads):
    table = Table(may=trio.Event())
    found = []

    async def take():
        found.append(await everything(ask(reads, table)))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(take)
        await trio.testing.wait_all_tasks_blocked()
        table.may.set()
    assert found == [table.pieces] * 5
    assert (table.made, table.ended) == (1, 1)


async def test_who_comes_later_takes_it_from_its_beginning_at_its_own_pace(reads):
    table = Table()
    first = ask(reads, table)
    assert await drive(first.begun(0.0)) == 10
    assert bytes((await drive(first.next(0.0))).data) == b"one"
    second = ask(reads, table)
    assert await everything(second) == [b"one", b"two", b"three"]
    assert await rest(first) == [b"two", b"three"]
    first.close()
    assert await everything(ask(reads, table)) == table.pieces
    assert table.made == 1


async def test_a_later_commit_of_its_tablet_ends_the_sharing_and_no_other_does(reads):
    table = Table(may=trio.Event())
    async with trio.open_nursery() as nursery:
        before = ask(reads, table)
        begun = trio.Event()

        async def take():
            begun.set()
            assert await everything(before) == [b"one", b"two", b"three"]

        nursery.start_soon(take)
        await begun.wait()
        reads.published(published((11, TabletId(8, 1)), (12, TabletId(7, 2))))
        same = ask(reads, table)
        assert table.made == 1
        reads.published(published((13, TABLET)))
        newer = Table(pieces=[b"four"], seq=13)
        assert await everything(ask(reads, newer)) == [b"four"]
        table.may.set()
        assert await everything(same) == [b"one", b"two", b"three"]
    assert (table.made, newer.made) == (1, 1)


async def test_what_is_kept_for_later_goes_with_the_next_commit(reads):
    table = Table()
    assert await everything(ask(reads, table)) == table.pieces
    reads.published(published((11, TABLET)))
    assert reads.memory.bytes_held == 0
    newer = Table(pieces=[], seq=11)
    assert await everything(ask(reads, newer)) == []


async def test_what_is_not_the_same_is_not_shared(reads):
    first, second = Table(), Table(pieces=[b"other"])
    assert await everything(ask(reads, first, key="a")) == first.pieces
    assert await everything(ask(reads, second, key="b")) == [b"other"]


async def test_the_first_to_ask_may_go_and_the_others_have_it_all(reads):
    table = Table(may=trio.Event())
    async with trio.open_nursery() as server:
        first = ask(reads, table)
        await lend(first, server)
        second = ask(reads, table)
        await lend(second, server)
        first.close()
        table.may.set()
        assert await rest(second) == table.pieces
        second.close()
    assert (table.made, table.ended) == (1, 1)


async def test_nobody_wants_it_any_more_and_it_is_stopped(reads):
    table = Table(may=trio.Event())
    async with trio.open_nursery() as nursery:
        taker = ask(reads, table)
        await lend(taker, nursery)
        assert (table.made, table.ended) == (1, 0)
        taker.close()
        taker.close()
    assert table.ended == 1
    again = Table()
    assert await everything(ask(reads, again)) == again.pieces


async def lend(taker, nursery):
    """Wait as a session does: its server's nursery runs what it lends."""
    steps = taker.begun(0.0)
    for step in steps:
        ended = trio.Event()
        step.start(ended.set, nursery.start_soon)
        await ended.wait()


async def test_so_many_are_made_at_a_time_and_the_users_take_turns(reads):
    order = []
    tables = {}

    def make(name, may):
        def steps(read):
            read.seen(1)
            yield from run_async(trio.lowlevel.checkpoint)
            order.append(name)
            yield from run_async(may.wait)
            yield from read.add(name.encode(), 1)

        return steps

    async with trio.open_nursery() as nursery:
        names = [f"a{n}" for n in range(AT_ONCE + 3)] + ["b0", "b1", "c0"]
        for name in names:
            may = tables[name] = trio.Event()
            user = ord(name[0])
            taker = reads.ask(name, TabletId(user, 1), user, make(name, may))
            nursery.start_soon(lend, taker, nursery)
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(order) == names[:AT_ONCE]
        for name in names:
            tables[name].set()
            await trio.testing.wait_all_tasks_blocked()
    waited = order[AT_ONCE:]
    assert waited == [f"a{AT_ONCE}", "b0", "c0", f"a{AT_ONCE + 1}", "b1", f"a{AT_ONCE + 2}"]


async def test_one_in_line_whom_nobody_wants_is_never_made(reads):
    may = trio.Event()
    unwanted = Table(may=may)
    async with trio.open_nursery() as nursery:
        for n in range(AT_ONCE):
            taker = ask(reads, Table(may=may), key=n)
            nursery.start_soon(lend, taker, nursery)
        await trio.testing.wait_all_tasks_blocked()
        ask(reads, unwanted, key="unwanted").close()
        may.set()
        assert (unwanted.made, unwanted.ended) == (1, 1)
    assert not reads._in_line


async def test_one_that_needs_no_wait_does_not_wait_for_those_that_do(reads):
    may = trio.Event()
    async with trio.open_nursery() as nursery:
        for n in range(AT_ONCE + 1):
            nursery.start_soon(lend, ask(reads, Table(may=may), key=n), nursery)
        await trio.testing.wait_all_tasks_blocked()
        assert await everything(ask(reads, Table(), key="small")) == [b"one", b"two", b"three"]
        may.set()


async def test_one_in_line_whose_table_changes_is_as_it_is_at_its_turn(reads):
    may = trio.Event()
    table = Table(may=may)
    found = []

    async def take():
        taker = ask(reads, table, key="in line")
        seq = await drive(taker.begun(0.0))
        found.append((seq, await rest(taker)))
        taker.close()

    async with trio.open_nursery() as nursery:
        for n in range(AT_ONCE):
            nursery.start_soon(lend, ask(reads, Table(may=may), key=n), nursery)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(take)
        await trio.testing.wait_all_tasks_blocked()
        reads.published(published((11, TABLET)))
        table.seq, table.pieces = 11, [b"newer"]
        nursery.start_soon(take)
        await trio.testing.wait_all_tasks_blocked()
        may.set()
    assert found == [(11, [b"newer"])] * 2
    assert table.made == 2


async def test_what_it_raises_is_told_to_all_and_not_kept(reads):
    table = Table(may=trio.Event(), fails=DiskFullError("no room"))
    told = Counter()

    async def take():
        try:
            await everything(ask(reads, table))
        except* DiskFullError:
            told["error"] += 1

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(take)
        await trio.testing.wait_all_tasks_blocked()
        table.may.set()
    assert told["error"] == 3
    assert await everything(ask(reads, Table())) == [b"one", b"two", b"three"]


async def test_more_than_memory_takes_is_in_a_file_that_goes_with_it(reads):
    reads.memory.bytes_max = 1000
    pieces = [bytes([n]) * 400 for n in range(6)]
    table = Table(pieces=pieces)
    files = open_files()
    async with trio.open_nursery() as nursery:
        first, second = ask(reads, table), ask(reads, table)
        await lend(first, nursery)
        await trio.testing.wait_all_tasks_blocked()
        assert await rest(first) == pieces
        assert await rest(second) == pieces
        assert reads.memory.bytes_held == 800
        assert open_files() == files + 1
        first.close()
        second.close()
    assert (reads.memory.bytes_held, open_files(), reads.memory.spills.open) == (0, files, 0)


async def test_a_large_one_is_made_no_faster_than_somebody_takes_it(reads, monkeypatch):
    monkeypatch.setattr(shared_reads, "JOINABLE_BYTES_MAX", 100)
    pieces = [bytes([n]) * 60 for n in range(20)]
    table = Table(pieces=pieces, may=trio.Event())
    async with trio.open_nursery() as nursery:
        quick, slow = ask(reads, table), ask(reads, table)
        await lend(quick, nursery)
        table.may.set()
        await trio.testing.wait_all_tasks_blocked()
        assert reads.memory.bytes_held <= 60 * (shared_reads.LEAD + 2)
        other = Table(pieces=[b"x"])
        assert await everything(ask(reads, other)) == [b"x"]  # Who comes now has one of his own.
        assert await rest(quick) == pieces
        quick.close()
        assert await rest(slow) == pieces  # What only the slow one has not had is still there.
        slow.close()
    assert reads.memory.bytes_held <= 1


async def test_what_is_kept_is_bounded(reads):
    piece = b"x" * (KEPT_BYTES_MAX // 3)
    for key in range(5):
        assert await everything(ask(reads, Table(pieces=[piece]), key=key)) == [piece]
    assert reads.memory.bytes_held <= KEPT_BYTES_MAX
    oldest = Table(pieces=[piece])
    await everything(ask(reads, oldest, key=0))
    newest = Table(pieces=[piece])
    await everything(ask(reads, newest, key=4))
    assert (oldest.made, newest.made) == (1, 0)
    reads.forget_all()
    assert reads.memory.bytes_held == 0
