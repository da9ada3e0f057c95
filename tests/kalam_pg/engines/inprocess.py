"""The engine without processes: queries run in a thread. For tests and for embedding in scripts.

It has no memory limit, a crash takes the process with it, and a query that is cancelled stops at
its next batch only. Everything else is as in `pool`.
"""

import math
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self

import pyarrow as pa
import trio

from kalam_pg.engines.context import Sessions
from kalam_pg.engines.errors import canceled
from kalam_pg.engines.execution import Execution
from kalam_pg.engines.inputs import Input
from kalam_pg.engines.merging import Merges
from kalam_pg.engines.request import (
    EngineQuery,
    EngineSettings,
    Limits,
    TableInput,
    WireChunk,
    WireResult,
)
from kalam_pg.engines.segments import VerifiedSegments


class InProcess:
    """Implements `request.Engine`; may be used as an async context manager in place of `Pool`."""

    def __init__(self, *, settings: EngineSettings | None = None) -> None:
        self._settings = settings or EngineSettings(partitions=1)
        self._verified = VerifiedSegments()
        self._merges = Merges()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    async def run(self, query: EngineQuery, limits: Limits) -> "ThreadStream":
        """Start `query`; nothing is computed before the first chunk is asked for."""
        await trio.lowlevel.checkpoint()
        execution = Execution(
            query.sql,
            tuple(_input(table) for table in query.tables),
            query.udfs,
            query.result if isinstance(query.result, WireResult) else None,
            query.context,
            Sessions(self._settings),
            self._verified,
            query.direct,
            merges=self._merges,
            steps=query.steps,
            program=query.program,
        )
        return ThreadStream(execution.chunks(), limits.timeout_s)


class ThreadStream:
    """An answer computed chunk by chunk in trio's threads."""

    def __init__(
        self, chunks: "Iterator[pa.Schema | pa.RecordBatch | WireChunk]", timeout_s: float
    ) -> None:
        self._chunks: Iterator[pa.Schema | pa.RecordBatch | WireChunk] | None = chunks
        self._deadline = trio.current_time() + timeout_s if timeout_s else math.inf
        self._canceled = ""
        self.schema: pa.Schema | None = None

    def __aiter__(self) -> AsyncIterator[WireChunk | pa.RecordBatch]:
        return self

    def cancel(self, reason: str = "user request") -> None:
        """End the query before its next chunk: whoever iterates gets 57014."""
        self._canceled = self._canceled or reason

    def lend(self) -> "ThreadStream":
        """See `request.ResultStream`; nothing is shared here."""
        return self

    async def __anext__(self) -> WireChunk | pa.RecordBatch:
        while True:
            chunk = await self._next()
            if not isinstance(chunk, pa.Schema):
                return chunk
            self.schema = chunk

    async def read_schema(self) -> pa.Schema:
        """The schema of an Arrow result, which comes before its batches."""
        if self.schema is None:
            self.schema = await self._next()
        return self.schema

    async def aclose(self) -> None:
        """Drop the stream, which stops DataFusion."""
        self._chunks = None
        await trio.lowlevel.checkpoint()

    async def _next(self) -> "pa.Schema | pa.RecordBatch | WireChunk":
        chunks, self._chunks = self._chunks, None
        if chunks is None:
            raise StopAsyncIteration
        if self._canceled:
            raise canceled(self._canceled)
        with trio.CancelScope(deadline=self._deadline) as scope:
            chunk = await trio.to_thread.run_sync(next, chunks, None, abandon_on_cancel=True)
        if scope.cancelled_caught:
            raise canceled("statement timeout")
        if chunk is None:
            raise StopAsyncIteration
        self._chunks = chunks
        return chunk


def _input(table: TableInput) -> Input:
    return Input(
        table.name,
        table.schema,
        tuple(ref.batch for ref in table.hot),
        table.segments,
        table.key_columns,
        table.key_kinds,
        table.superseded,
        table.overlapping,
        table.missing,
        prefix=table.prefix,
        deleted=table.deleted,
    )
