"""Running one query in this process, from registered inputs to encoded chunks.

`worker` does it in a process of its own.
"""

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa
from datafusion import RecordBatchStream, udaf, udf

from kalam_pg.engines import inputs
from kalam_pg.engines.context import Session, Sessions, plan, register_batches
from kalam_pg.engines.direct import direct_chunks
from kalam_pg.engines.encoded import EncodedRows
from kalam_pg.engines.encoding import FIRST_BYTES, encoder, grown, slices
from kalam_pg.engines.errors import from_datafusion
from kalam_pg.engines.merging import Merges
from kalam_pg.engines.programs import program_chunks
from kalam_pg.engines.request import Program, UdfSpec, WireChunk, WireResult
from kalam_pg.engines.segments import VerifiedSegments
from kalam_pg.functions import arrow_udf
from storage.errors import KalamError

_MARK = "kalam-error#"


@dataclass(slots=True)
class Execution:
    """One query. `chunks` may be iterated once; dropping the iterator stops DataFusion.

    direct, steps, program: see `request.EngineQuery`. encoded: where the rows of immutable batches are kept.
    merges: where it is kept which cold rows are hidden.
    """

    sql: str
    tables: tuple[inputs.Input, ...]
    udfs: tuple[UdfSpec, ...]
    result: WireResult | None
    context: dict[str, Any]
    sessions: Sessions
    verified: VerifiedSegments
    direct: tuple[str, ...] = ()
    encoded: EncodedRows = field(default_factory=lambda: EncodedRows(0))
    merges: Merges = field(default_factory=Merges)
    steps: tuple[tuple[str, str], ...] = ()
    program: Program | None = None
    _raised: list[KalamError] = field(default_factory=list)

    def chunks(self) -> "Generator[pa.Schema | pa.RecordBatch | WireChunk]":
        """`WireChunk`s when DataRow messages were asked for; else a schema, then its batches.

        Raises:
            KalamError: The query failed, in PostgreSQL's words.
        """
        try:
            if self.result is not None and self.direct and not self.tables[0].segments:
                yield from direct_chunks(self.tables[0], self.direct, self.result, self.encoded)
                return
            with self.sessions.session(sum(table.rows() for table in self.tables)) as session:
                yield from self._answer(session)
        except GeneratorExit:
            raise
        except BaseException as exc:
            raise self._translate(exc) from exc

    def _answer(self, session: Session) -> "Iterator[pa.Schema | pa.RecordBatch | WireChunk]":
        for spec in self.udfs:
            _register_function(session, spec, self.context, self._raised)
        for table in self.tables:
            inputs.register(session, table, self.verified, self.merges, session.partitions)
        if self.program is not None:
            context = arrow_udf.evaluation_context(self.context)
            yield from program_chunks(self.program, partial(plan, session), self.result, context)
            return
        stream, schema = self._start(session)
        if self.result is None:
            yield schema
            yield from _regrouped(stream)
        else:
            yield from map(encoder(self.result), _regrouped(stream))

    def _start(self, session: Session) -> tuple[RecordBatchStream, pa.Schema]:
        partitions = session.partitions
        for name, sql in self.steps:
            step = plan(session, sql)
            register_batches(session, name, step.schema(), step.collect(), partitions)
        frame = plan(session, self.sql)
        return frame.execute_stream(), frame.schema()

    def _translate(self, exc: BaseException) -> BaseException:
        if isinstance(exc, KalamError | KeyboardInterrupt | SystemExit):
            return exc
        # DataFusion turns a function's exception into text; the mark in it says which one it was.
        if found := re.search(rf"{_MARK}(\d+)#", str(exc)):
            return self._raised[int(found[1])]
        return from_datafusion(exc)


def _regrouped(stream: RecordBatchStream) -> Iterator[pa.RecordBatch]:
    """The stream's rows in slices that begin small, small batches put together.

    What is done for each slice, here and in the event loop, takes as long as some thousand rows.
    """
    limit, held, size = FIRST_BYTES, [], 0
    for item in stream:
        batch = item.to_pyarrow()
        held.append(batch)
        size += max(batch.nbytes, batch.num_rows)
        if size >= limit or not batch.num_columns:
            whole = _whole(held)
            for start, count in slices(whole.num_rows, size, limit):
                yield whole.slice(start, count)
                limit = grown(limit)
            held, size = [], 0
    if held:
        yield _whole(held)


def _whole(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    first = batches[0]
    if len(batches) == 1:
        return first
    # By column: two parts of a union may differ in what they say of nulls.
    columns = [
        pa.concat_arrays([batch.column(at) for batch in batches]) for at in range(first.num_columns)
    ]
    return pa.RecordBatch.from_arrays(columns, names=first.schema.names)


def _register_function(
    session: Session, spec: UdfSpec, context: dict[str, Any], raised: list[KalamError]
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
