"""Large results: the memory that a worker shares, columns without an engine, rows kept encoded."""

import os
import signal
from dataclasses import replace
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from catalog.types.registry import INT8, TEXT, TIMESTAMPTZ
from catalog.types.table import DEFAULT_CONTEXT
from kalam_pg.engines import area
from kalam_pg.engines.area import Area
from kalam_pg.engines.encoded import EncodedRows, Key
from kalam_pg.engines.encoding import SLICE_BYTES_MAX, slices
from kalam_pg.engines.pool import Pool
from kalam_pg.engines.protocol import Placed, decode_placed, encode_placed
from kalam_pg.engines.request import (
    BatchRef,
    Engine,
    EngineQuery,
    Limits,
    TableInput,
    WireChunk,
    WireResult,
)
from storage.errors import KalamError
from tests.kalam_pg.engines.inprocess import InProcess

WIRE = WireResult((TEXT, INT8, TIMESTAMPTZ), (-1, -1, -1), (0, 1, 0), DEFAULT_CONTEXT)
SQL = "SELECT c2, c1, c3 FROM t"


def table(*counts: int, first_id: int = 1) -> TableInput:
    refs = []
    for number, count in enumerate(counts):
        batch = pa.record_batch(
            {
                "c1": pa.array(range(count), pa.int64()),
                "c2": pa.array(
                    [None if i % 7 == 0 else f"row {i} of {number}" for i in range(count)]
                ),
                "c3": pa.array([i * 1_000_000 + number for i in range(count)], pa.int64()),
            }
        )
        refs.append(BatchRef(first_id + number, batch))
    return TableInput("t", refs[0].batch.schema, tuple(refs))


def asked(of: TableInput, *, direct: bool = True, wire: WireResult = WIRE) -> EngineQuery:
    return EngineQuery(SQL, (of,), (), wire, direct=("c2", "c1", "c3") if direct else ())


async def answer(engine: Engine, query: EngineQuery, *, lend: bool = False) -> bytes:
    stream = await engine.run(query, Limits())
    data = b""
    async for chunk in stream.lend() if lend else stream:
        data += chunk.data
    return data


@pytest.fixture(params=["pool", "in process"])
async def engine(request):
    async with Pool(1) if request.param == "pool" else InProcess() as engine:
        yield engine


@pytest.mark.slow
@pytest.mark.parametrize("counts", [(1,), (50, 50), (3, 40_000, 9_000, 2)])
async def test_columns_without_an_engine_are_what_the_engine_answers(engine, counts):
    of = table(*counts)
    expected = await answer(engine, asked(of, direct=False))
    assert expected.count(b"D\0") >= sum(counts)
    for lend in (False, True, True):
        assert await answer(engine, asked(of), lend=lend) == expected


@pytest.mark.slow
async def test_kept_rows_are_those_of_the_same_batch_columns_and_settings():
    of, zone = table(30_000), replace(WIRE, context=replace(DEFAULT_CONTEXT, now_us=7))
    there = replace(
        WIRE,
        context=replace(
            DEFAULT_CONTEXT, timezone=ZoneInfo("Asia/Tokyo"), timezone_name="Asia/Tokyo"
        ),
    )
    async with Pool(1) as pool:
        first = await answer(pool, asked(of))
        assert await answer(pool, asked(of, wire=zone)) == first
        changed = await answer(pool, asked(of, wire=there))
        assert b"+09" in changed
        assert changed == await answer(pool, asked(of, direct=False, wire=there))
        binary = await answer(pool, asked(of, wire=replace(WIRE, formats=(0, 1, 1))))
        assert binary == await answer(
            pool, asked(of, direct=False, wire=replace(WIRE, formats=(0, 1, 1)))
        )
        other = TableInput("t", of.schema, table(30_000, 5, first_id=2).hot[:1])
        assert await answer(pool, asked(other)) == first


@pytest.mark.slow
async def test_a_result_larger_than_the_shared_memory_waits_for_its_reader():
    of = table(*[60_000] * 8)
    async with Pool(1) as pool:
        stream = await pool.run(asked(of), Limits())
        await trio.testing.wait_all_tasks_blocked(0.01)
        size = rows = 0
        async for chunk in stream.lend():
            size, rows = size + len(chunk.data), rows + chunk.rows
        assert rows == 480_000
        assert size > 2 * area.AREA_BYTES


@pytest.mark.slow
async def test_a_query_is_cancelled_while_it_waits_for_its_reader():
    async with Pool(1) as pool:
        for _ in range(3):
            stream = await pool.run(asked(table(*[60_000] * 8)), Limits())
            async for _chunk in stream.lend():
                # Until the worker has filled the memory and stands.
                await trio.testing.wait_all_tasks_blocked(0.05)
                break
            await stream.aclose()
        assert await answer(pool, asked(table(5)))
        assert pool.statistics().lost == 0


@pytest.mark.slow
async def test_what_was_lent_outlives_its_worker():
    async with Pool(1) as pool:
        expected = await answer(pool, asked(table(*[60_000] * 8)))
        stream = await pool.run(asked(table(*[60_000] * 8)), Limits())
        got = bytearray()

        async def read_and_kill() -> None:
            async for chunk in stream.lend():
                if not got:
                    (worker,) = pool._busy
                    os.kill(worker.process.pid, signal.SIGKILL)
                    await worker.gone.wait()
                got.extend(chunk.data)

        with pytest.raises(KalamError):
            await read_and_kill()
        # Whole messages, and the right ones: an ErrorResponse may follow.
        assert got
        assert expected.startswith(got)
        assert expected[len(got) :][:1] == b"D"


def test_a_worker_cannot_name_memory_that_it_does_not_share():
    assert decode_placed(encode_placed(Placed(3, 10, 90)), 100) == (3, 10, 90)
    for body in (encode_placed(Placed(3, 11, 90)), encode_placed(Placed(3, 2**63, 1)), b"x"):
        with pytest.raises(ValueError, match=r"PLACED|area"):
            decode_placed(body, 100)


@given(st.lists(st.one_of(st.none(), st.integers(1, 60)), max_size=60))
def test_pieces_lie_apart_until_they_are_taken_in_order(steps):
    """None takes the oldest; a number places a piece of that size."""
    memory = Area(memoryview(bytearray(100)))
    placed: list[tuple[int, bytes]] = []
    for number, size in enumerate(steps):
        if size is None:
            if placed:
                placed.pop(0)
                memory.taken()
            continue
        data = bytes([number + 1]) * size
        start = memory.place(data)
        if start is not None:
            placed.append((start, data))
        else:
            assert placed  # There is always room for a piece when nothing is in the way.
        for at, kept in placed:
            assert memory.memory[at : at + len(kept)] == kept


def key(batch: int, start: int = 0) -> Key:
    return Key(batch, start, 1, ("c1",), WIRE)


def test_kept_rows_are_bounded_by_bytes_and_the_least_recently_used_go_first():
    kept = EncodedRows(10)
    for number in (1, 2):
        kept.put(key(number), WireChunk(b"12345", 1))
    assert kept.get(key(1))
    kept.put(key(3), WireChunk(b"1234", 1))
    assert [kept.get(key(n)) is not None for n in (1, 2, 3)] == [True, False, True]
    assert kept.bytes_held == 9
    kept.put(key(4), WireChunk(b"x" * 11, 1))
    kept.put(key(0), WireChunk(b"x", 1))
    kept.put(key(-1), WireChunk(b"x", 1))
    assert kept.bytes_held == 9


@given(st.integers(0, 5000), st.integers(0, 1 << 32), st.integers(1, 1 << 20))
def test_slices_are_all_rows_in_order(rows, size, limit):
    at = 0
    for start, count in slices(rows, size, limit):
        assert start == at
        assert count == 1 or count * (size // rows) <= SLICE_BYTES_MAX
        at += count
    assert at == rows
