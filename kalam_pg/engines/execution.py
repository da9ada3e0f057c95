"""Running one query in this process, from registered inputs to encoded chunks.

`worker` does it in a process of its own, `inprocess` in a thread.
"""

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from datafusion import RecordBatchStream, SessionContext, udaf, udf

from catalog.types.registry import by_oid
from kalam_pg.engines import inputs
from kalam_pg.engines.context import EngineSettings, new_session, partitions_for, plan
from kalam_pg.engines.errors import from_datafusion
from kalam_pg.engines.request import UdfSpec, WireChunk, WireResult
from kalam_pg.engines.segments import VerifiedSegments
from kalam_pg.functions import arrow_udf
from kalam_pg.rows import arrow_to_values, encode_batch, encode_rows
from storage.errors import KalamError

CHUNK_BYTES = 256 << 10
"""DataRow messages are sent on in pieces of about this size: the connection's own buffer bound."""

ROWWISE_MAX = 90
"""Rows of a batch up to which encoding row by row is faster than column by column (230 µs)."""

BATCH_BYTES_MAX = 1 << 20
"""A larger batch is encoded in slices, so that a chunk never grows to many times `CHUNK_BYTES`."""

FIRST_BYTES = 64 << 10
"""Size of the first slice; each is twice the one before."""

_MARK = "kalam-error#"


@dataclass(slots=True)
class Execution:
    """One query. `chunks` may be iterated once; dropping the iterator stops DataFusion."""

    sql: str
    tables: tuple[inputs.Input, ...]
    udfs: tuple[UdfSpec, ...]
    result: WireResult | None
    context: dict[str, Any]
    settings: EngineSettings
    verified: VerifiedSegments
    _raised: list[KalamError] = field(default_factory=list)

    def chunks(self) -> "Generator[pa.Schema | pa.RecordBatch | WireChunk]":
        """`WireChunk`s when DataRow messages were asked for; else a schema, then its batches.

        Raises:
            KalamError: The query failed, in PostgreSQL's words.
        """
        try:
            stream, schema = self._start()
            if self.result is None:
                yield schema
                for batch in stream:
                    yield batch.to_pyarrow()
            else:
                yield from _encode(stream, self.result)
        except GeneratorExit:
            raise
        except BaseException as exc:
            raise self._translate(exc) from exc

    def _start(self) -> tuple[RecordBatchStream, pa.Schema]:
        rows = sum(table.rows() for table in self.tables)
        session = new_session(self.settings, rows)
        partitions = partitions_for(self.settings, rows)
        for spec in self.udfs:
            _register_function(session, spec, self.context, self._raised)
        for table in self.tables:
            inputs.register(session, table, self.verified, partitions)
        frame = plan(session, self.sql)
        return frame.execute_stream(), frame.schema()

    def _translate(self, exc: BaseException) -> BaseException:
        if isinstance(exc, KalamError | KeyboardInterrupt | SystemExit):
            return exc
        # DataFusion turns a function's exception into text; the mark in it says which one it was.
        if found := re.search(rf"{_MARK}(\d+)#", str(exc)):
            return self._raised[int(found[1])]
        return from_datafusion(exc)


def _encode(stream: RecordBatchStream, wire: WireResult) -> Iterator[WireChunk]:
    encode = _encoder(wire)
    pending: list[bytes | memoryview] = []
    size = rows = 0
    chunk_bytes = FIRST_BYTES
    for batch in _bounded(stream):
        data = encode(batch)
        pending.append(data)
        size += len(data)
        rows += batch.num_rows
        if size >= chunk_bytes:
            chunk_bytes = CHUNK_BYTES
            yield WireChunk(b"".join(pending), rows)
            pending, size, rows = [], 0, 0
    if pending:
        yield WireChunk(b"".join(pending), rows)


def _encoder(wire: WireResult) -> Callable[[pa.RecordBatch], bytes | memoryview]:
    types = [by_oid(oid) for oid in wire.type_oids]

    def encode(batch: pa.RecordBatch) -> bytes | memoryview:
        if batch.num_rows > ROWWISE_MAX or not types:
            return encode_batch(batch, wire)
        columns = [arrow_to_values(c, of) for c, of in zip(batch.columns, types, strict=True)]
        rows = zip(*columns, strict=True)
        return encode_rows(rows, types, wire.typmods, wire.formats, wire.context)

    return encode


def _bounded(stream: RecordBatchStream) -> Iterator[pa.RecordBatch]:
    """The stream's rows in slices that begin small: the client reads while the next one is encoded."""
    limit = FIRST_BYTES
    for item in stream:
        batch = item.to_pyarrow()
        start, bytes_per_row = 0, max(1, batch.nbytes // max(1, batch.num_rows))
        while start < batch.num_rows:
            rows = max(1, limit // bytes_per_row)
            yield batch.slice(start, rows)
            start += rows
            limit = min(limit * 2, BATCH_BYTES_MAX)


def _register_function(
    session: SessionContext, spec: UdfSpec, context: dict[str, Any], raised: list[KalamError]
) -> None:
    if spec.aggregate:
        accumulator, state = arrow_udf.make_udaf(spec, context)
        session.register_udaf(
            udaf(accumulator, list(spec.arg_types), spec.result, state, "immutable", spec.name)
        )
        return
    function = _marking(arrow_udf.make_udf_callable(spec, context), raised)
    kind = "volatile" if arrow_udf.is_volatile(spec) else "immutable"
    session.register_udf(udf(function, list(spec.arg_types), spec.result, kind, spec.name))


def _marking(
    function: Callable[..., pa.Array], raised: list[KalamError]
) -> Callable[..., pa.Array]:
    """`function`, keeping what it raises, so that the error can be told from DataFusion's text."""

    def call(*arrays: pa.Array) -> pa.Array:
        try:
            return function(*arrays)
        except KalamError as exc:
            raised.append(exc)
            raise RuntimeError(f"{_MARK}{len(raised) - 1}#") from exc

    return call
