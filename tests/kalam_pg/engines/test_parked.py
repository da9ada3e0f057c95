"""Answers that nobody reads on give their worker to who waits for one, and lose nothing by it."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from catalog.types.registry import INT8
from catalog.types.table import TypeContext
from kalam_pg.engines import pool as pools
from kalam_pg.engines.pool import Pool
from kalam_pg.engines.request import ArrowResult, EngineQuery, EngineSettings, Limits, WireResult
from storage.errors import DiskFullError, KalamError

pytestmark = pytest.mark.slow

ROWS = 1_000_000
MANY = f"SELECT value FROM range({ROWS}) ORDER BY value"
FAILS = f"SELECT 1 / (value - {ROWS - 10}) AS x FROM range({ROWS})"


def query(sql: str, *, wire: bool = False) -> EngineQuery:
    form = WireResult((INT8,), (-1,), (1,), TypeContext())
    return EngineQuery(sql, (), (), form if wire else ArrowResult())


def one_worker(tmp_path: Path) -> Pool:
    return Pool(1, settings=EngineSettings(partitions=1, spill_directory=tmp_path))


async def answer(pool: Pool) -> list[dict]:
    """Another query, which needs the one worker."""
    with trio.fail_after(20):
        stream = await pool.run(query("SELECT 1 AS a"), Limits())
        return [row async for batch in stream for row in batch.to_pylist()]


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(20):
        while not holds():  # noqa: ASYNC110 -- nobody tells
            await trio.sleep(0.01)


def files() -> set[str]:
    """Open files without a name, each by its number on its file system."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            if "(deleted)" in os.readlink(descriptor):  # noqa: PTH115 -- it is no path
                found.add(str(descriptor.stat().st_ino))
    return found


@pytest.mark.parametrize("wire", [False, True])
@pytest.mark.parametrize("lends", [False, True])
async def test_an_answer_that_rests_is_parked_for_who_waits_and_goes_on(tmp_path, wire, lends):
    async with one_worker(tmp_path) as pool:
        before = files()
        stream = await pool.run(query(MANY, wire=wire), Limits())
        chunks = stream.lend() if lends else aiter(stream)
        first = await anext(chunks)
        data = [bytes(first.data)] if wire else []
        count = first.rows if wire else first.num_rows
        for _ in range(2):
            assert await answer(pool) == [{"a": 1}]
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
        async for chunk in chunks:
            count += chunk.rows if wire else chunk.num_rows
            if wire:
                data.append(bytes(chunk.data))
        assert count == ROWS
        if wire:
            expected = b"".join(
                b"D\0\0\0\x12\0\x01\0\0\0\x08" + n.to_bytes(8, "big") for n in range(ROWS)
            )
            assert b"".join(data) == expected
        await stream.aclose()
        assert files() <= before  # what an earlier test left may be gone
        assert pool.statistics().lost == 0


async def test_an_answer_that_is_read_is_not_parked(tmp_path):
    async with one_worker(tmp_path) as pool, trio.open_nursery() as nursery:
        stream = await pool.run(query(MANY), Limits())
        await anext(aiter(stream))
        nursery.start_soon(answer, pool)
        async for _ in stream:
            assert stream._parked is None


async def test_an_error_behind_what_was_read_is_told_where_it_stands(tmp_path):
    async with one_worker(tmp_path) as pool:
        stream = await pool.run(query(FAILS), Limits())
        count = (await anext(aiter(stream))).num_rows
        await answer(pool)
        with pytest.raises(KalamError) as caught:  # noqa: PT012 -- a loop is one thing
            async for batch in stream:
                count += batch.num_rows
        assert caught.value.sqlstate == "22012"
        assert 0 < count < ROWS
        assert await answer(pool) == [{"a": 1}]


async def test_a_parked_answer_may_be_closed_at_any_time(tmp_path):
    async with one_worker(tmp_path) as pool:
        before = files()
        for reads in (0, 1):
            stream = await pool.run(query(MANY), Limits())
            await anext(aiter(stream))
            await answer(pool)
            for _ in range(reads):
                await anext(aiter(stream))
            await stream.aclose()
            await stream.aclose()
            await until(lambda: files() <= before)


async def test_closing_an_answer_that_is_being_parked_frees_the_worker(tmp_path, monkeypatch):
    monkeypatch.setattr(pools, "PARK_AFTER_S", 0.01)
    async with one_worker(tmp_path) as pool, trio.open_nursery() as nursery:
        before = files()
        stream = await pool.run(query("SELECT value FROM range(100000000)"), Limits())
        await anext(aiter(stream))
        nursery.start_soon(answer, pool)
        await until(lambda: stream._parked is not None)
        await stream.aclose()
        await until(lambda: files() <= before)


async def test_a_worker_lost_while_its_answer_is_parked_fails_that_answer_only(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(pools, "PARK_AFTER_S", 0.01)
    async with one_worker(tmp_path) as pool, trio.open_nursery() as nursery:
        stream = await pool.run(query("SELECT value FROM range(100000000)"), Limits())
        await anext(aiter(stream))
        (worker,) = pool._busy
        nursery.start_soon(answer, pool)
        await until(lambda: stream._parked is not None)
        worker.process.send_signal(signal.SIGKILL)
        with pytest.raises(KalamError) as caught:
            async for _ in stream:
                pass
        assert caught.value.sqlstate == "58000"


async def test_a_full_disk_fails_the_answer_that_is_parked_and_frees_its_worker(
    tmp_path, monkeypatch
):
    def full(_directory):
        raise DiskFullError("No space left on device")

    monkeypatch.setattr(pools.OS, "open_scratch", full, raising=False)
    async with one_worker(tmp_path) as pool:
        stream = await pool.run(query(MANY), Limits())
        await anext(aiter(stream))
        assert await answer(pool) == [{"a": 1}]
        with pytest.raises(DiskFullError):
            await anext(aiter(stream))
