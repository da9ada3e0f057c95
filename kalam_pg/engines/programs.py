"""A query that DataFusion cannot answer right, run as a program over rows (`kalam_pg.interpreter`).

DataFusion only reads its tables. What this costs is bounded as all of a worker is: by its memory, and by
whoever cancels it.
"""

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import pyarrow as pa

from catalog.types.bounded import BoundedArray
from catalog.types.records import Record, Shape
from catalog.types.table import PgType
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

FindType: TypeAlias = Callable[[int], PgType | None]


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


def rows_of(batch: pa.RecordBatch, find_type: FindType) -> list[Row]:
    """The rows of one batch of an answer in Arrow; to be called with what a worker sent.

    find_type: the type of an OID. Raises ValueError, msgspec.DecodeError: the worker sent anything else.
    """
    (data,) = batch.column(0).to_pylist()
    decode = msgspec.msgpack.Decoder(list[list[Any]], ext_hook=_Unpacker(find_type)).decode
    return [tuple([_value(value) for value in row]) for row in decode(data)]


_ROW, _BOUNDED = 1, 2
"""The codes of a row value, and of an array with other lower bounds, among what MessagePack has not."""


def _extension(value: object) -> msgspec.msgpack.Ext:
    """What MessagePack has for it: a row's names, OIDs of types and fields; lower bounds and elements."""
    if isinstance(value, Record):
        shape = value.shape
        oids = [type_.oid for type_ in shape.types]
        return msgspec.msgpack.Ext(_ROW, _encode((shape.names, oids, value.fields)))
    if isinstance(value, BoundedArray):
        return msgspec.msgpack.Ext(_BOUNDED, _encode((value.lower, value.items)))
    raise TypeError(type(value).__name__)


_encode = msgspec.msgpack.Encoder(enc_hook=_extension).encode


class _Unpacker:
    """The inverse of `_extension`. No pickle: what a worker sends is not trusted (`engines.protocol`)."""

    def __init__(self, find_type: FindType) -> None:
        self._find_type = find_type
        self._shapes: dict[tuple[tuple[str, ...], tuple[int, ...]], Shape] = {}
        self._row = msgspec.msgpack.Decoder(
            tuple[tuple[str, ...], tuple[int, ...], list[Any]], ext_hook=self
        ).decode
        self._array = msgspec.msgpack.Decoder(
            tuple[tuple[int, ...], list[Any]], ext_hook=self
        ).decode

    def __call__(self, code: int, data: memoryview) -> object:
        if code == _ROW:
            names, oids, fields = self._row(data)
            shape = self._shape(names, oids)
            if len(fields) != len(shape.types):
                raise ValueError(f"a row of {len(fields)} fields, not {len(shape.types)}")
            return Record(tuple([_value(field) for field in fields]), shape)
        if code == _BOUNDED:
            lower, items = self._array(data)
            return BoundedArray(tuple([_value(item) for item in items]), lower)
        raise ValueError(code)

    def _shape(self, names: tuple[str, ...], oids: tuple[int, ...]) -> Shape:
        found = self._shapes.get((names, oids))
        if found is None:
            types = [type_ for oid in oids if (type_ := self._find_type(oid)) is not None]
            if not len(types) == len(oids) == len(names):
                raise ValueError(f"a row of types {oids}")
            found = self._shapes[names, oids] = Shape(names, tuple(types))
        return found


def _value(value: Any) -> Value:  # noqa: ANN401 -- as msgpack has it
    """A stored value: lists are what msgpack has for tuples."""
    if isinstance(value, list):
        nested = list in set(map(type, value))
        return tuple([_value(item) for item in value]) if nested else tuple(value)
    found: Value = value
    return found
