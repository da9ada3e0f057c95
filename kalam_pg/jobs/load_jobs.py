"""What the process that encodes is asked of rows that are to be loaded: they become segments there."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from kalam_pg.interpreter.loaded_rows import RowMaker, RowsRecipe
from kalam_pg.query.row_spool import SentRows
from kalam_pg.rows.copy_columns import RefusedError
from kalam_pg.rows.copy_pieces import CopyText
from storage.cold.manifest import Segment
from storage.cold.segment import DuplicateKeyError, encode_distinct, verify
from storage.cold.segment_builder import EncodedSegment
from storage.errors import KeyTooLongError
from storage.fs import OS
from storage.ids import TabletId

CHUNK_BYTES: Final = 128 << 20
CHUNK_ROWS: Final = 1 << 20
"""So much is in memory before segments are made of it, and some objects a row while they are."""


_ROWS_AT_ONCE: Final = 1 << 16


class SegmentColumns(NamedTuple):
    """Columns of what is in segments already, by name. It travels to another process."""

    tablet: TabletId
    segments: tuple[Segment, ...]
    columns: tuple[str, ...]

    def read(self, _pieces: Iterable[bytes]) -> Iterator[list[pa.Array]]:
        """The columns of some rows each. Raises DataCorruptedError."""
        names = list(dict.fromkeys(self.columns))
        for segment in self.segments:
            verify(OS, segment, self.tablet)
            with pq.ParquetFile(segment.path, page_checksum_verification=True) as file:
                for batch in file.iter_batches(_ROWS_AT_ONCE, columns=names, use_threads=False):
                    yield [batch.column(name) for name in self.columns]


class LoadJob(NamedTuple):
    """How what is sent is read, and what becomes of it.

    seq: of all rows. given: columns that the server gives them, as an IPC stream; b"": none. sparse: perhaps
    there are no rows.
    """

    form: CopyText | SentRows | SegmentColumns
    recipe: RowsRecipe
    seq: int
    given: bytes = b""
    sparse: bool = False


def segments_of(job: LoadJob, pieces: Iterable[bytes]) -> Iterator[EncodedSegment]:
    """The segments, those of one chunk of rows after the other's.

    Raises:
        RefusedError: A row is wrong, a key is twice in a chunk or too long, or there are no rows.
    """
    maker = RowMaker(job.recipe, job.seq, _given(job.given))
    layout, empty = job.recipe.layout, True
    try:
        for batches in _chunks(maker.batches(job.form.read(pieces))):
            empty = False
            yield from encode_distinct(batches, layout)
    except (DuplicateKeyError, KeyTooLongError) as exc:
        raise RefusedError(type(exc).__name__) from exc
    if empty and not job.sparse:
        raise RefusedError("no rows")


def _chunks(batches: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    chunk: list[pa.RecordBatch] = []
    size = rows = 0
    for batch in batches:
        chunk.append(batch)
        size += batch.nbytes
        rows += batch.num_rows
        if size >= CHUNK_BYTES or rows >= CHUNK_ROWS:
            yield chunk
            chunk, size, rows = [], 0, 0
    if chunk:
        yield chunk


def _given(data: bytes) -> Sequence[pa.Array]:
    if not data:
        return ()
    with pa.ipc.open_stream(data) as stream:
        columns = stream.read_all().columns
    return [column.combine_chunks() for column in columns]
