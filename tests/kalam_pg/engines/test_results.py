"""Answers as DataRow messages and functions of our own, in a thread and in a worker alike."""

from dataclasses import dataclass, replace

import pyarrow as pa
import pytest

from catalog.types.registry import INT4, INT8, TEXT
from catalog.types.table import DEFAULT_CONTEXT
from kalam_pg.engines.encoding import FIRST_BYTES, ROWWISE_MAX, SLICE_BYTES_MAX
from kalam_pg.engines.pool import Pool
from kalam_pg.engines.request import (
    BatchRef,
    Engine,
    EngineQuery,
    Limits,
    TableInput,
    WireResult,
)
from kalam_pg.functions import lookup
from kalam_pg.functions.udf import UdfSpec
from kalam_pg.rows import encode_rows
from storage.errors import KalamError
from tests.kalam_pg.engines.inprocess import InProcess

WIRE = WireResult((INT8, TEXT), (-1, -1), (0, 1), DEFAULT_CONTEXT)


@pytest.fixture(params=["pool", "in process"])
async def engine(request):
    async with Pool(1) if request.param == "pool" else InProcess() as engine:
        yield engine


def table(rows: int) -> TableInput:
    texts = [None if i % 7 == 0 else "x" * (i % 50) for i in range(rows)]
    batch = pa.record_batch({"c1": pa.array(range(rows), pa.int64()), "c2": pa.array(texts)})
    return TableInput("t", batch.schema, (BatchRef(rows, batch),))


@pytest.mark.slow
@pytest.mark.parametrize("rows", [0, 1, ROWWISE_MAX, ROWWISE_MAX + 1, 30_000])
async def test_rows_come_as_the_messages_that_row_by_row_encoding_makes(engine, rows):
    asked = table(rows)
    query = EngineQuery("SELECT c1, c2 FROM t ORDER BY c1", (asked,), (), WIRE)
    chunks = [chunk async for chunk in await engine.run(query, Limits())]
    stored = [(row["c1"], row["c2"]) for row in asked.hot[0].batch.to_pylist()]
    data = encode_rows(stored, [INT8, TEXT], WIRE.typmods, WIRE.formats, DEFAULT_CONTEXT)
    assert b"".join(chunk.data for chunk in chunks) == data
    assert sum(chunk.rows for chunk in chunks) == rows
    assert all(len(chunk.data) < 2 * FIRST_BYTES for chunk in chunks[:1])
    assert all(len(chunk.data) < 2 * SLICE_BYTES_MAX for chunk in chunks)


@dataclass(frozen=True)
class Names:
    """What a session knows of catalogue objects; it cannot cross a process boundary."""

    lock: object

    def object_oid(self, kind: str, name: str) -> int | None:
        raise NotImplementedError

    def object_name(self, kind: str, oid: int) -> str | None:
        raise NotImplementedError


@pytest.mark.slow
async def test_names_of_catalogue_objects_stay_in_the_server():
    types = replace(DEFAULT_CONTEXT, objects=Names(lambda: None))
    query = EngineQuery(
        "SELECT c1, c2 FROM t", (table(1),), (), replace(WIRE, context=types), {"types": types}
    )
    async with Pool(1) as pool:
        assert [chunk.rows async for chunk in await pool.run(query, Limits())] == [1]


def spec(symbol: str, name: str) -> UdfSpec:
    (overload,) = [o for o in lookup.operators(symbol) if o.args == (INT4, INT4)]
    int32 = pa.int32()
    return UdfSpec(name, lookup.key_of(overload), (int32, int32), int32, (INT4, INT4), INT4)


async def numbers(engine: Engine, sql: str, *specs: UdfSpec) -> list[int | None]:
    batch = pa.record_batch({"c1": pa.array([1, None, 2_147_483_647], pa.int32())})
    asked = TableInput("t", batch.schema, (BatchRef(-1, batch),))
    wire = WireResult((INT4,), (-1,), (0,), DEFAULT_CONTEXT)
    chunks = [c async for c in await engine.run(EngineQuery(sql, (asked,), specs, wire), Limits())]
    messages = b"".join(chunk.data for chunk in chunks)
    found: list[int | None] = []
    while messages:
        size = int.from_bytes(messages[7:11], "big", signed=True)
        found.append(None if size < 0 else int(messages[11 : 11 + size]))
        messages = messages[11 + max(size, 0) :]
    return found


@pytest.mark.slow
async def test_a_function_of_ours_is_called_with_postgresqls_meaning(engine):
    sql = "SELECT minus(c1, arrow_cast(1, 'Int32')) AS x FROM t"
    assert await numbers(engine, sql, spec("-", "minus")) == [0, None, 2_147_483_646]


@pytest.mark.slow
async def test_a_functions_error_keeps_its_class_and_words(engine):
    with pytest.raises(KalamError, match="integer out of range") as caught:
        await numbers(engine, "SELECT plus(c1, c1) AS x FROM t", spec("+", "plus"))
    assert caught.value.sqlstate == "22003"
