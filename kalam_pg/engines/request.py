"""What an engine is asked, and what it answers. Values only: they cross a process boundary."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from catalog.types.table import PgType, TypeContext
from kalam_pg.functions.udf import UdfSpec
from kalam_pg.memory import Holding
from storage.layout import Row

__all__ = [
    "ArrowResult", "BatchRef", "DeletedRows", "Engine", "EngineQuery", "EngineSettings", "Limits",
    "Program", "ResultStream", "SegmentRef", "TableInput", "UdfSpec", "WireChunk", "WireResult",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What is the same for every query of a worker.

    partitions: how many cores a large query uses. pool_bytes: memory that sorts, joins and
    groupings share before they spill to `spill_directory` (or fail with 53200 without one).
    """

    partitions: int = 2
    pool_bytes: int = 1 << 30
    spill_directory: Path | None = None


@dataclass(frozen=True, slots=True)
class BatchRef:
    """An immutable record batch. `id` is unique for the life of the server process, so that a worker
    may keep it between queries; the batch itself is handed over once per worker.
    """

    id: int
    batch: pa.RecordBatch = field(compare=False)


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """A Parquet segment to read. path: absolute. size, mtime_ns, sha256 verify it before first use.

    min_key, max_key: encoded primary keys (order-preserving bytes) of its first and last row.
    deleted: how many of its rows are tombstones, -1 when that is not known. supersedes: whether any of
    its rows may hide one of an older segment. key_filter: name of its side file, which tells what its pieces
    must be; without one the whole file is verified. keys: what the side file holds, if it is no file.
    run: what one flush or compaction wrote has one number, what a newer one wrote a greater.
    """

    path: str
    rows: int
    size: int
    sha256: str
    min_key: bytes
    max_key: bytes
    min_seq: int
    max_seq: int
    deleted: int = -1
    supersedes: bool = True
    key_filter: str = ""
    keys: bytes = field(default=b"", repr=False)
    run: int = 0


@dataclass(frozen=True, slots=True)
class DeletedRows:
    """Deleted rows are asked for too, those of commits since `since`. hot: what is in memory of them."""

    hot: tuple[pa.RecordBatch, ...]
    since: int


@dataclass(frozen=True, slots=True)
class TableInput:
    """One tablet, as one view sees it, under the name that the SQL uses.

    schema: the columns that the query reads, named `c<column id>` (`_seq`, `_deleted` by those names).
    missing: stored values of columns that older segments lack, by column name.
    hot: live rows only, newest version per key; columns may be a superset of `schema`.
    segments: cold files, oldest first, possibly overlapping. key_columns: names of the primary key's
        columns, in key order. superseded: one column per key column: keys whose newest version is in
        the log (live or tombstone), so that no cold row with such a key may be returned.
    overlapping: whether any key may stand in two of `segments` (then the newest `_seq` wins, and a
        row with `_deleted` hides it).
    key_kinds: `storage.layout.Column.kind` of each key column; with it, equality of float and numeric
        keys is SQL's (-0 is 0, 1.50 is 1.5).
    prefix: what the SQL puts before a column's name, so that no two tables of a statement have a column
        of one name: DataFusion hands filters down through outer joins and into files by name alone.
    deleted: which deleted rows are among the table's; None: none.
    """

    name: str
    schema: pa.Schema
    hot: tuple[BatchRef, ...] = ()
    segments: tuple[SegmentRef, ...] = ()
    key_columns: tuple[str, ...] = ()
    superseded: pa.RecordBatch | None = None
    overlapping: bool = False
    missing: dict[str, Any] = field(default_factory=dict)
    key_kinds: tuple[str, ...] = ()
    prefix: str = ""
    deleted: DeletedRows | None = None


@dataclass(frozen=True, slots=True)
class WireResult:
    """Ask for ready DataRow messages: types and formats (0 text, 1 binary) by column."""

    types: tuple[PgType, ...]
    typmods: tuple[int, ...]
    formats: tuple[int, ...]
    context: TypeContext


@dataclass(frozen=True, slots=True)
class ArrowResult:
    """Ask for record batches. Columns are those of the SQL, in order."""


@dataclass(frozen=True, slots=True)
class Program:
    """A query to be run as a program over rows (`kalam_pg.interpreter`).

    query: the typed tree, as `interpreter.shipping` packs it. reads: for each stored table the SQL of its
    rows, by relation number, whose columns are those that the program reads, in their order. rows: those
    of other relations, by number. In Arrow the answer comes as `programs.ROWS_SCHEMA` says.
    """

    query: bytes
    reads: tuple[tuple[int, str], ...]
    rows: tuple[tuple[int, tuple[Row, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class EngineQuery:
    """One query for a worker: SQL text out of the typed tree, and everything it may touch.

    steps: queries that are computed first, once each and in order, as tables of those names.

    context: values that UDFs may need: user, now_us, settings, TypeContext … (picklable).
    direct: names of columns of the one table; not empty when the result is just these of every row,
        in the order of `hot`: where there are no segments a worker then needs no DataFusion.
    program: what is run instead of `sql`; its reads are of `tables`.
    """

    sql: str
    tables: tuple[TableInput, ...]
    udfs: tuple[UdfSpec, ...]
    result: WireResult | ArrowResult
    context: dict[str, Any] = field(default_factory=dict)
    direct: tuple[str, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()
    program: Program | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """timeout_s 0 is none. memory_bytes bounds what a query adds to its worker's memory. user: on whose
    behalf it runs, by which workers are shared. answers: where large pieces of the answer are held as they
    come (53200 when there is no room for one); None: nobody counts them. It stays in this process.
    """

    timeout_s: float = 0.0
    memory_bytes: int = 4 << 30
    user: int = 0
    answers: Holding | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class WireChunk:
    """Some DataRow messages in one piece, and how many."""

    data: bytes | memoryview
    rows: int


class ResultStream(Protocol):
    """An answer that arrives in chunks: `WireChunk`s or record batches, as the request asked."""

    def __aiter__(self) -> AsyncIterator[Any]: ...

    def lend(self) -> AsyncIterator[WireChunk]:
        """Iterate over chunks whose data is good only until the task waits for anything: it need not
        be copied out of memory that is shared with a worker.
        """

    async def aclose(self) -> None:
        """Stop the query (if it still runs) and free its worker."""


class Engine(Protocol):
    """Somewhere to run an `EngineQuery`. Raises KalamError (57014, 54001, 53200 …)."""

    async def run(self, query: EngineQuery, limits: Limits) -> ResultStream: ...
