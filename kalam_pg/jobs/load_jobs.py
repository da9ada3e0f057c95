"""What the process that encodes is asked of a COPY: its text becomes segments there."""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from kalam_pg.rows.copy_columns import ColumnReader, CopyColumns, RefusedError
from storage.cold.encoder import Taken, encode_taken
from storage.cold.segment import DuplicateKeyError, encode_distinct
from storage.cold.segment_builder import EncodedSegment
from storage.errors import KeyTooLongError
from storage.layout import Layout


class LoadJob(NamedTuple):
    """How the text is read, and what becomes of it. seq: of all rows. ids: new ones, 8 bytes each."""

    columns: CopyColumns
    layout: Layout
    seq: int
    ids: bytes = b""


def read_text(job: LoadJob, texts: Iterator[bytes]) -> Taken:
    """The rows of a text. Raises RefusedError."""
    ids = array("q", job.ids)
    reader = ColumnReader(job.columns, job.layout, job.seq, memoryview(ids))
    return Taken(list(reader.read(texts)), (), ())


def encode_text(taken: Taken, layout: Layout) -> Iterator[EncodedSegment]:
    """Its segments. Raises RefusedError before the first of them: a key is there twice, or too long."""
    try:
        segments = encode_taken(taken, layout, encode_distinct)
        first = next(segments, None)
    except (DuplicateKeyError, KeyTooLongError) as exc:
        raise RefusedError(type(exc).__name__) from exc
    if first is None:
        raise RefusedError("no rows")
    return _again(first, segments)


def _again(first: EncodedSegment, others: Iterator[EncodedSegment]) -> Iterator[EncodedSegment]:
    yield first
    yield from others
