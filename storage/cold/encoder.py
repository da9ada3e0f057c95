"""What a flush or compaction encodes and what comes of it: segments.

Pure functions over bytes and batches, so that a process of its own can do this work: decoding and
sorting a million rows takes seconds of the interpreter.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from storage.cold.merge import MergeJob, merge
from storage.cold.segment import encode_segments
from storage.cold.segment_builder import EncodedSegment
from storage.errors import KalamError
from storage.ids import TabletId
from storage.layout import Layout, Row
from storage.schema import Schema
from storage.tail.entries import Chunk, fill, split
from storage.tail.frozen import FrozenTail
from storage.tail.tail import Tail


class LogRange(NamedTuple):
    """The part of a tablet's log that a flush reads: after < seq <= upto.

    layouts: schema versions that entries may have; the last is the one to write.
    """

    tablet: TabletId
    layouts: tuple[Layout, ...]
    after: int
    upto: int


@dataclass(frozen=True, slots=True)
class LogJob:
    """One tablet's entries to encode. chunks: come once, from the thread that asks."""

    range: LogRange
    chunks: Iterable[Chunk]
    small: bool = False


Job = LogJob | FrozenTail | MergeJob
"""What to encode: a part of the log, a tail, or runs of segments."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Answer to a job. segments: must be taken before the next job's answer is asked for.

    superseded: live rows up to `after` that these versions replace. truncations: seqs of the
    TRUNCATEs met, of which the newest begins what is in the segments. Of a merge neither is told,
    and its segments are made as they are taken, which may raise what `merge` raises.
    """

    superseded: int
    truncations: tuple[int, ...]
    segments: Iterator[EncodedSegment]


Answers = Generator[Encoded | KalamError, None, None]

Encoder = Callable[[Sequence[Job]], Answers]
"""Answers jobs in their order. An error is one job's own; the others are answered all the same."""


class Taken(NamedTuple):
    """The newest version of each key in a part of the log, tombstones too.

    superseding: keys of them, as values, of which there is a live row at or below `after`.
    """

    batches: list[pa.RecordBatch]
    superseding: Sequence[Row]
    truncations: tuple[int, ...]


def encode(
    jobs: Sequence[Job], encode_batches: Callable[..., Iterator[EncodedSegment]] = encode_segments
) -> Answers:
    """The `Encoder` that works where it is called. encode_batches: tests make segments small."""
    for job in jobs:
        if isinstance(job, MergeJob):
            yield Encoded(0, (), merge(job))
            continue
        try:
            if isinstance(job, FrozenTail):
                layout = job.layout
                taken = Taken(list(job.versions()), job.superseding(), ())
            else:
                layout = job.range.layouts[-1]
                taken = take_log(job.range, job.chunks)
        except KalamError as exc:
            yield exc
            continue
        segments = encode_taken(taken, layout, encode_batches)
        yield Encoded(len(taken.superseding), taken.truncations, segments)


def encode_taken(
    taken: Taken,
    layout: Layout,
    encode_batches: Callable[..., Iterator[EncodedSegment]] = encode_segments,
) -> Iterator[EncodedSegment]:
    """Its segments: none when nothing was taken."""
    if not taken.batches:
        return iter(())
    return encode_batches(taken.batches, layout, taken.superseding)


def take_log(part: LogRange, chunks: Iterable[Chunk]) -> Taken:
    """Decode entries and keep the newest version of each key.

    Raises:
        DataCorruptedError: An entry is not what was written.
    """
    layout = part.layouts[-1]
    tail = Tail(layout, part.after)
    # A row of a newer version is refused: it would lose what this one does not have.
    older = [known for known in part.layouts if known.version < layout.version]
    truncations = tuple(fill(tail, Schema(part.tablet, layout, older), split(chunks)))
    frozen = tail.frozen(max((part.after, *[seq - 1 for seq in truncations])), part.upto)
    return Taken(list(frozen.versions()), frozen.superseding(), truncations)
