"""Queries in worker processes: answers, errors, cancellation, and workers that are lost."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import trio

from kalam_pg.engines.pool import Pool
from kalam_pg.engines.process import WorkerProcess
from kalam_pg.engines.request import (
    ArrowResult,
    BatchRef,
    Engine,
    EngineQuery,
    EngineSettings,
    Limits,
    TableInput,
)
from storage.errors import KalamError
from tests.kalam_pg.engines.inprocess import InProcess

ENDLESS = (
    "SELECT count(*) AS n FROM range(1000000) a, range(1000000) b WHERE a.value * b.value % 7 = 9"
)


def query(sql: str, *tables: TableInput) -> EngineQuery:
    return EngineQuery(sql, tables, (), ArrowResult())


async def rows(engine: Engine, asked: EngineQuery, limits: Limits | None = None) -> list[dict]:
    stream = await engine.run(asked, limits or Limits())
    return [row async for batch in stream for row in batch.to_pylist()]


async def failure(engine: Engine, asked: EngineQuery, limits: Limits | None = None) -> KalamError:
    with pytest.raises(KalamError) as caught:
        await rows(engine, asked, limits)
    return caught.value


def numbers(count: int, *, id: int = 1, name: str = "t") -> TableInput:  # noqa: A002
    batch = pa.record_batch({"c1": pa.array(range(count)), "c2": pa.array(["x"] * count)})
    return TableInput(name, batch.schema, (BatchRef(id, batch),))


@pytest.fixture(params=["pool", "in process"])
async def engine(request):
    async with Pool(1) if request.param == "pool" else InProcess() as engine:
        yield engine


@pytest.mark.slow
async def test_a_query_without_tables_is_answered(engine):
    assert await rows(engine, query("SELECT 1 AS a, 'x' AS b")) == [{"a": 1, "b": "x"}]


@pytest.mark.slow
async def test_a_query_sees_small_and_large_batches_and_asks_for_some_of_their_columns(engine):
    small, large = numbers(10), numbers(20_000, id=2, name="u")
    sql = "SELECT (SELECT sum(c1) FROM t) AS s, (SELECT count(*) FROM u) AS n"
    for _ in range(3):
        assert await rows(engine, query(sql, small, large)) == [{"s": 45, "n": 20_000}]
    only = pa.schema([("c1", pa.int64())])
    assert await rows(engine, query("SELECT * FROM t", TableInput("t", only, small.hot)))


@pytest.mark.slow
async def test_a_table_without_rows_has_its_columns(engine):
    empty = TableInput("t", pa.schema([("c1", pa.int64())]))
    assert await rows(engine, query("SELECT count(c1) AS n FROM t", empty)) == [{"n": 0}]


@pytest.mark.slow
async def test_a_query_knows_no_table_that_its_request_does_not_name(engine):
    await rows(engine, query("SELECT * FROM t", numbers(3)))
    assert (await failure(engine, query("SELECT * FROM t"))).sqlstate == "XX000"
    assert (
        await failure(engine, query("SELECT * FROM information_schema.tables"))
    ).sqlstate == "XX000"


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE x AS SELECT 1",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "INSERT INTO t VALUES (1, 'x')",
    ],
)
async def test_nothing_but_queries_is_run(sql):
    error = await failure(InProcess(), query(sql, numbers(1)))
    assert "not supported" in "".join(error.__notes__)


@pytest.mark.slow
async def test_errors_of_data_have_postgresqls_class_and_words(engine):
    error = await failure(engine, query("SELECT 1 / (c1 - 1) AS a FROM t", numbers(3)))
    assert (error.sqlstate, error.message) == ("22012", "division by zero")


@pytest.mark.slow
async def test_an_engine_goes_on_after_a_failed_query(engine):
    await failure(engine, query("SELECT nonsense"))
    assert await rows(engine, query("SELECT 1 AS a")) == [{"a": 1}]


@pytest.mark.slow
async def test_a_statement_timeout_ends_the_query_and_its_worker_serves_the_next():
    async with Pool(1) as pool:
        error = await failure(pool, query(ENDLESS), Limits(timeout_s=0.05))
        assert (error.sqlstate, error.message) == (
            "57014",
            "canceling statement due to statement timeout",
        )
        assert await rows(pool, query("SELECT 1 AS a")) == [{"a": 1}]


@pytest.mark.slow
async def test_cancel_ends_a_query_that_someone_waits_for():
    async with Pool(1) as pool, trio.open_nursery() as nursery:
        stream = await pool.run(query(ENDLESS), Limits())

        async def wait_for_rows() -> None:
            with pytest.raises(KalamError, match="due to user request") as caught:
                await anext(aiter(stream))
            assert caught.value.sqlstate == "57014"

        nursery.start_soon(wait_for_rows)
        await trio.testing.wait_all_tasks_blocked()
        stream.cancel()


@pytest.mark.slow
async def test_a_stream_closed_early_frees_its_worker():
    async with Pool(1) as pool:
        stream = await pool.run(query("SELECT value FROM range(100000000)"), Limits())
        assert (await anext(aiter(stream))).num_rows > 0
        await stream.aclose()
        with trio.fail_after(5):
            assert await rows(pool, query("SELECT 1 AS a")) == [{"a": 1}]
        assert pool.statistics().lost == 0


@pytest.mark.slow
async def test_a_cancelled_task_frees_its_worker_or_its_place_in_line():
    async with Pool(1) as pool:
        with trio.move_on_after(0.05):
            await rows(pool, query(ENDLESS))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rows, pool, query(ENDLESS))
            nursery.start_soon(rows, pool, query(ENDLESS))
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        with trio.fail_after(5):
            assert await rows(pool, query("SELECT 1 AS a")) == [{"a": 1}]
        assert pool.statistics().waiting == 0


@pytest.mark.slow
async def test_a_statement_that_crashes_its_worker_is_54001_and_touches_no_other():
    deep = "SELECT 1 AS a WHERE " + " OR ".join(f"1 = {i}" for i in range(2, 20_000))
    async with Pool(2) as pool:
        held = await pool.run(query("SELECT value FROM range(1000000)"), Limits())
        first = await anext(aiter(held))
        assert (await failure(pool, query(deep))).sqlstate == "54001"
        assert first.num_rows + sum([batch.num_rows async for batch in held]) == 1_000_000
        assert pool.statistics().lost == 2, "it is tried again, in case that somebody else did it"
        for _ in range(3):
            assert await rows(pool, query("SELECT 1 AS a")) == [{"a": 1}]


def is_at_work(worker: WorkerProcess) -> bool:
    return worker.asked > 0 and not worker.blameless and not worker.gone.is_set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "oom_kills", "sqlstate", "words"),
    [
        (signal.SIGSEGV, 0, "58000", "signal 11: Segmentation fault"),
        (signal.SIGTERM, 0, "58000", "signal 15: Terminated"),
        (signal.SIGKILL, 0, "58000", "signal 9: Killed"),
        (signal.SIGKILL, 1, "53200", "out of memory"),
    ],
)
async def test_a_worker_that_a_signal_ends_is_tried_again_and_then_told_as_that(
    number, oom_kills, sqlstate, words
):
    async with Pool(2) as pool:
        found = []

        async def ask() -> None:
            found.append(await failure(pool, query(ENDLESS)))

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                for _ in range(2):  # The second is the one that goes on with it.
                    while not (busy := [one for one in pool._busy if is_at_work(one)]):
                        await trio.lowlevel.checkpoint()
                    assert not found
                    assert busy[0].oom_kills is not None
                    busy[0].oom_kills -= oom_kills  # As if the kernel had ended somebody since.
                    os.kill(busy[0].process.pid, number)
                    await busy[0].gone.wait()
        assert (found[0].sqlstate, words in found[0].message) == (sqlstate, True)
        assert await rows(pool, query("SELECT 1 AS a")) == [{"a": 1}]


@pytest.mark.slow
async def test_a_query_beyond_its_memory_limit_is_53200():
    sql = "SELECT length(repeat('x', 1500000000) || repeat('y', 500000000)) AS n"
    async with Pool(1) as pool:
        error = await failure(pool, query(sql), Limits(memory_bytes=256 << 20))
        assert error.sqlstate == "53200"
        assert await rows(pool, query("SELECT 1 AS a")) == [{"a": 1}]


@pytest.mark.slow
async def test_whatever_one_user_runs_another_users_query_begins():
    one, two = Limits(user=1), Limits(user=2)
    async with Pool(1, spare=1) as pool, trio.open_nursery() as nursery:
        endless = [await pool.run(query(ENDLESS), one)]
        begun = trio.Event()

        async def more() -> None:
            endless.append(await pool.run(query(ENDLESS), one))
            begun.set()

        nursery.start_soon(more)
        await trio.testing.wait_all_tasks_blocked()
        assert await rows(pool, query("SELECT 1 AS a"), two) == [{"a": 1}]
        assert await rows(pool, query("SELECT 2 AS a"), two) == [{"a": 2}]
        assert (len(endless), pool.statistics().waiting) == (1, 1)
        await endless[0].aclose()
        with trio.fail_after(20):
            await begun.wait()
        await endless[1].aclose()


@pytest.mark.slow
async def test_a_full_line_refuses_the_next_query_with_53000():
    async with Pool(1, spare=1, queue_max=1) as pool, trio.open_nursery() as nursery:
        stream = await pool.run(query(ENDLESS), Limits())
        nursery.start_soon(rows, pool, query("SELECT 1 AS a"))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(KalamError) as caught:
            await pool.run(query("SELECT 1 AS a"), Limits())
        assert caught.value.sqlstate == "53000"
        waiting = await pool.run(query("SELECT 1 AS a"), Limits(user=2))  # Has a line of its own.
        await waiting.aclose()
        await stream.aclose()


@pytest.mark.slow
async def test_batches_dropped_by_a_worker_are_sent_again():
    # Each table is 32 MiB: ten of them pass the worker's bound of 256 MiB.
    def wide(number: int) -> TableInput:
        batch = pa.record_batch({"c1": pa.array([number], pa.int64()).take([0] * (4 << 20))})
        return TableInput("t", batch.schema, (BatchRef(number, batch),))

    tables = [wide(number) for number in range(10)]
    async with Pool(1) as pool:
        for number in [*range(10), *range(10)]:
            found = await rows(pool, query("SELECT max(c1) AS m FROM t", tables[number]))
            assert found == [{"m": number}]


@pytest.mark.slow
async def test_workers_die_with_the_server(tmp_path: Path):
    program = tmp_path / "server.py"
    program.write_text(
        "import trio, sys\n"
        "from kalam_pg.engines.pool import Pool\n"
        "async def main():\n"
        "    async with Pool(1) as pool:\n"
        "        print(pool._idle[0].process.pid, flush=True)\n"
        "        await trio.sleep_forever()\n"
        "trio.run(main)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, program], stdout=subprocess.PIPE, env=environment
    ) as server:
        assert server.stdout is not None
        worker = int(server.stdout.readline())
        descriptor = os.pidfd_open(worker)
        server.send_signal(signal.SIGKILL)
    with trio.fail_after(5):
        await trio.lowlevel.wait_readable(descriptor)
    os.close(descriptor)


@pytest.mark.slow
async def test_settings_reach_the_worker(tmp_path: Path):
    settings = EngineSettings(partitions=1, pool_bytes=32 << 20, spill_directory=tmp_path)
    async with Pool(1, settings=settings) as pool:
        sql = "SELECT value, repeat('x', 100) AS s FROM range(200000) ORDER BY s, value DESC"
        assert len(await rows(pool, query(sql))) == 200_000


def kill_workers(pool: Pool) -> int:
    """kill -9 of every idle worker, by somebody else; how many."""
    workers = list(pool._idle)
    for worker in workers:
        worker.process.send_signal(signal.SIGKILL)
    return len(workers)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what processes do by themselves."""
    with trio.fail_after(30):
        while not holds():  # noqa: ASYNC110 -- nobody tells
            await trio.sleep(0.01)


async def all_ready(pool: Pool, size: int) -> None:
    await until(lambda: pool.statistics().idle == size)


@pytest.mark.slow
async def test_idle_workers_that_are_killed_cost_nobody_an_error_and_are_replaced():
    async with Pool(2) as pool:
        await all_ready(pool, 2)
        for _ in range(3):
            killed = kill_workers(pool)
            assert await rows(pool, query("SELECT 1 AS a")) == [{"a": 1}]
            lost = pool.statistics().lost
            assert killed == 2
            await all_ready(pool, 2)
        assert pool.statistics().lost == lost == 6


@pytest.mark.slow
async def test_an_idle_worker_that_was_killed_is_noticed_before_anybody_asks():
    async with Pool(1) as pool:
        await all_ready(pool, 1)
        kill_workers(pool)
        await until(lambda: pool.statistics().lost == 1)
        assert pool.statistics().idle == 0
        await all_ready(pool, 1)


@pytest.mark.slow
async def test_a_query_whose_worker_is_killed_before_it_answered_is_tried_on_another_once():
    slow = "SELECT count(*) AS n FROM range(3000) a, range(3000) b WHERE a.value * b.value % 7 = 9"
    async with Pool(2) as pool, trio.open_nursery() as nursery:
        await all_ready(pool, 2)
        found: list[dict] = []

        async def ask() -> None:
            found.extend(await rows(pool, query(slow)))

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked(0.01)
        (worker,) = pool._busy
        worker.process.send_signal(signal.SIGKILL)
        await until(lambda: bool(found))
        assert found == [{"n": 0}]
        assert pool.statistics().lost == 1


@pytest.mark.slow
async def test_a_query_that_loses_every_worker_that_runs_it_fails_after_two():
    async with Pool(3) as pool, trio.open_nursery() as nursery:
        await all_ready(pool, 3)

        async def kill_busy() -> None:
            while True:
                for worker in pool._busy:
                    if not worker.blameless and worker.alive:
                        worker.process.send_signal(signal.SIGKILL)
                await trio.sleep(0.01)

        nursery.start_soon(kill_busy)
        assert (await failure(pool, query(ENDLESS))).sqlstate == "58000"
        nursery.cancel_scope.cancel()
        assert pool.statistics().lost == 2


@pytest.mark.slow
async def test_a_worker_killed_in_the_middle_of_its_answer_fails_that_query():
    async with Pool(1) as pool:
        stream = await pool.run(query("SELECT value FROM range(100000000)"), Limits())
        await anext(aiter(stream))
        (worker,) = pool._busy
        worker.process.send_signal(signal.SIGKILL)
        with pytest.raises(KalamError) as caught:
            async for _ in stream:
                pass
        assert caught.value.sqlstate == "58000"
        assert await rows(pool, query("SELECT 1 AS a")) == [{"a": 1}]
