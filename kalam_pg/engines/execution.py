"""Running one query in this process, from registered inputs to encoded chunks.

`worker` does it in a process of its own, `inprocess` in a thread.
"""

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa
from datafusion import RecordBatchStream, SessionContext, udaf, udf

from kalam_pg.engines import inputs
from kalam_pg.engines.context import EngineSettings, new_session, partitions_for, plan
from kalam_pg.engines.direct import direct_chunks
from kalam_pg.engines.encoded import EncodedRows
from kalam_pg.engines.encoding import FIRST_BYTES, Encoders, encoder, grown, slices
from kalam_pg.engines.errors import from_datafusion
from kalam_pg.engines.request import UdfSpec, WireChunk, WireResult
from kalam_pg.engines.segments import VerifiedSegments
from kalam_pg.functions import arrow_udf
from storage.errors import KalamError

CHUNK_BYTES = 1 << 20
"""DataRow messages are sent on in pieces of about this size: what is done for each piece (some 0.2 ms
of the event loop) is then little beside sending it."""

_MARK = "kalam-error#"


@dataclass(slots=True)
class Execution:
    """One query. `chunks` may be iterated once; dropping the iterator stops DataFusion.

    direct: see `request.EngineQuery`. encoded: where the rows of immutable batches are kept.
    """

    sql: str
    tables: tuple[inputs.Input, ...]
    udfs: tuple[UdfSpec, ...]
    result: WireResult | None
    context: dict[str, Any]
    settings: EngineSettings
    verified: VerifiedSegments
    direct: tuple[str, ...] = ()
    encoders: Encoders = field(default_factory=lambda: Encoders(1))
    encoded: EncodedRows = field(default_factory=lambda: EncodedRows(0))
    _raised: list[KalamError] = field(default_factory=list)

    def chunks(self) -> "Generator[pa.Schema | pa.RecordBatch | WireChunk]":
        """`WireChunk`s when DataRow messages were asked for; else a schema, then its batches.

        Raises:
            KalamError: The query failed, in PostgreSQL's words.
        """
        try:
            if self.result is not None and self.direct and not self.tables[0].segments:
                yield from direct_chunks(
                    self.tables[0], self.direct, self.result, self.encoders, self.encoded
                )
                return
            stream, schema = self._start()
            if self.result is None:
                yield schema
                for batch in stream:
                    yield batch.to_pyarrow()
            else:
                yield from _encode(stream, self.result, self.encoders)
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


def _encode(stream: RecordBatchStream, wire: WireResult, encoders: Encoders) -> Iterator[WireChunk]:
    encode = encoder(wire)
    pending: list[WireChunk] = []
    size = 0
    chunk_bytes = FIRST_BYTES
    for chunk in encoders.run(partial(encode, part) for part in _bounded(stream)):
        pending.append(chunk)
        size += len(chunk.data)
        if size >= chunk_bytes:
            chunk_bytes = CHUNK_BYTES
            yield _joined(pending)
            pending, size = [], 0
    if pending:
        yield _joined(pending)


def _joined(chunks: Sequence[WireChunk]) -> WireChunk:
    if len(chunks) == 1:
        return chunks[0]
    return WireChunk(b"".join([c.data for c in chunks]), sum(c.rows for c in chunks))


def _bounded(stream: RecordBatchStream) -> Iterator[pa.RecordBatch]:
    """The stream's rows in slices that begin small: the client reads while the next one is encoded."""
    limit = FIRST_BYTES
    for item in stream:
        batch = item.to_pyarrow()
        for start, count in slices(batch.num_rows, batch.nbytes, limit):
            yield batch.slice(start, count)
            limit = grown(limit)


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
