"""A query that DataFusion cannot answer right, run as a program over rows (`kalam_pg.interpreter`).

DataFusion only reads its tables. What this costs is bounded as all of a worker is: by its memory, and by
whoever cancels it.
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import pyarrow as pa

from kalam_pg.engines.request import Program, WireChunk, WireResult
from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.program import CompiledQuery, compiled
from kalam_pg.interpreter.relation import Columns, Relation
from kalam_pg.interpreter.shipping import unpacked
from kalam_pg.rows import arrow_to_values, encode_rows
from storage.layout import Row, Value

if TYPE_CHECKING:  # The server knows what a program answers, and runs none.
    from datafusion import DataFrame

SLICE_ROWS = 4096
"""Rows of one chunk of the answer."""

ROWS_SCHEMA = pa.schema([("rows", pa.binary())])
"""An answer in Arrow: one value a batch, some rows as msgpack."""

Read: TypeAlias = "Callable[[str], DataFrame]"


def program_chunks(
    program: Program, read: Read, result: WireResult | None, context: EvalContext
) -> "Iterator[pa.Schema | pa.RecordBatch | WireChunk]":
    """The answer as `Execution.chunks` gives it. read: plans one query in SQL."""
    query = compiled(unpacked(program.query))
    assert query is not None, "it was compiled where it comes from"
    tables: dict[int, Relation] = {number: Relation(rows) for number, rows in program.rows}
    for number, sql in program.reads:
        tables[number] = _table(query, number, read(sql))
    rows = query.run(tables, context, seconds=inf)
    del tables
    if result is None:
        yield ROWS_SCHEMA
    for start in range(0, len(rows), SLICE_ROWS):
        part = rows[start : start + SLICE_ROWS]
        yield _packed(part) if result is None else _encoded(part, result)


def _table(query: CompiledQuery, number: int, frame: "DataFrame") -> Relation:
    """The rows of a stored table, of which the SQL selects the columns that are read."""
    use = next(use for use in query.uses if use.relation == number)
    read = pa.Table.from_batches(frame.collect(), schema=frame.schema())
    types = use.types
    columns: dict[int, Sequence[Value]] = {
        at: arrow_to_values(read.column(n), types[at]) for n, at in enumerate(sorted(use.columns))
    }
    return Columns(columns, use.width, read.num_rows)


def _encoded(rows: Sequence[Row], wire: WireResult) -> WireChunk:
    return WireChunk(
        encode_rows(rows, wire.types, wire.typmods, wire.formats, wire.context), len(rows)
    )


def _packed(rows: Sequence[Row]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([_encode(rows)], pa.binary())], schema=ROWS_SCHEMA)


def rows_of(batch: pa.RecordBatch) -> list[Row]:
    """The rows of one batch of an answer in Arrow; to be called with what a worker sent."""
    (data,) = batch.column(0).to_pylist()
    return [tuple([_value(value) for value in row]) for row in _decode(data)]


_ROW = 1
"""The code of a row value among what MessagePack has not."""


def _packed_row(value: object) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(_ROW, pickle.dumps(value))


def _unpacked_row(_code: int, data: memoryview) -> object:
    return pickle.loads(data)  # noqa: S301 -- of a worker's own


_encode = msgspec.msgpack.Encoder(enc_hook=_packed_row).encode
_decode = msgspec.msgpack.Decoder(list[list[Any]], ext_hook=_unpacked_row).decode


def _value(value: Any) -> Value:  # noqa: ANN401 -- as msgpack has it
    """A stored value: lists are what msgpack has for tuples."""
    if isinstance(value, list):
        nested = list in set(map(type, value))
        return tuple([_value(item) for item in value]) if nested else tuple(value)
    found: Value = value
    return found
