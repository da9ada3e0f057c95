"""Segments: immutable Parquet files of one tablet, sorted by primary key.

Encoding is a pure function from record batches to bytes, so that a worker process can do it. A
segment's sha256 is verified before its first read in a process, since a flipped bit can pass through
Parquet readers as a wrong answer. Point reads are in `storage.cold.point_read`.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, islice, pairwise
from operator import eq
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.arrow import to_values
from storage.cold.manifest import Segment
from storage.cold.segment_builder import (
    GROUP_ROWS,
    PIECE_BYTES,
    TINY_BYTES,
    EncodedSegment,
    SegmentBuilder,
    has_nan,
)
from storage.errors import DataCorruptedError
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.keys import encode_key
from storage.layout import Layout, Row
from storage.shaped import alike, shaped_columns

SEGMENT_BYTES_MAX = 128 << 20
"""A segment's Arrow bytes at most; its Parquet file is smaller."""


def encode_segments(
    batches: Sequence[pa.RecordBatch],
    layout: Layout,
    superseding: Iterable[Row] = (),
    *,
    bytes_max: int = SEGMENT_BYTES_MAX,
    group_rows: int = GROUP_ROWS,
    check: Callable[[Sequence[bytes], Sequence[int]], object] = lambda _keys, _order: None,
) -> Iterator[EncodedSegment]:
    """Versions of distinct keys as segments with disjoint key ranges, in key order, one at a time.

    Args:
        batches: With the columns of `layout`, in any order; at least one row in all.
        layout: The schema version to write.
        superseding: Those of the keys, as values, of which older segments have a row.
        bytes_max: Arrow bytes of one segment at most.
        group_rows: Rows of a row group at most.
        check: Called with the encoded keys and their order before the first segment; may raise.
    """
    batches = alike(batches)
    table = pa.Table.from_batches(batches)
    columns = [to_values(table.column(position)) for position in layout.key]
    kinds = [layout.columns[position].kind for position in layout.key]
    keys = [encode_key(values, kinds) for values in zip(*columns, strict=True)]
    hiding = {encode_key(values, kinds) for values in superseding}
    step = max(1, len(keys) * bytes_max // max(bytes_max, table.nbytes))
    if any(key > following for key, following in pairwise(keys)):
        order = sorted(range(len(keys)), key=keys.__getitem__)
        parts = _in_order(batches, order, step, bytes_max)
    else:
        order = list(range(len(keys)))
        starts = range(0, len(keys), step)
        parts = ((order[start : start + step], table.slice(start, step)) for start in starts)
    check(keys, order)
    for numbers, part in parts:
        builder = SegmentBuilder(
            layout,
            group_rows=group_rows,
            tiny=part.nbytes <= TINY_BYTES,
            unbounded={name for name in part.column_names if has_nan(part.column(name))},
            shaped=shaped_columns(part.schema),
        )
        own = [keys[number] for number in numbers]
        builder.add(
            part, own, [at for at, key in enumerate(own) if key in hiding] if hiding else ()
        )
        yield builder.finish()


class DuplicateKeyError(Exception):
    """Two rows that are to be of one segment have one key."""


def encode_distinct(
    batches: Sequence[pa.RecordBatch], layout: Layout, superseding: Iterable[Row] = ()
) -> Iterator[EncodedSegment]:
    """As `encode_segments`, of rows that may have one key. Raises DuplicateKeyError, before all else."""
    return encode_segments(batches, layout, superseding, check=_check_distinct)


def _check_distinct(keys: Sequence[bytes], order: Sequence[int]) -> None:
    if any(map(eq, map(keys.__getitem__, order), map(keys.__getitem__, islice(order, 1, None)))):
        raise DuplicateKeyError


def read_table(data: pa.Buffer, columns: Sequence[str] | None = None) -> pa.Table:
    """A segment's rows out of its bytes; columns that it lacks are left out."""
    file = pq.ParquetFile(data, page_checksum_verification=True)
    if columns is not None:
        there = set(file.schema_arrow.names)
        columns = [name for name in columns if name in there]
    return file.read(columns=columns)


_VERIFIED: dict[str, tuple[int, int, int]] = {}
"""Segments found right, by path: (inode, size, mtime in ns) at that time."""


def verify(fs: FileSystem, segment: Segment, tablet: TabletId) -> None:
    """Check a segment's sha256, unless the same inode, size and mtime were found right before."""
    path = Path(segment.path)
    try:
        status = fs.stat(path)
        mark = (status.st_ino, status.st_size, status.st_mtime_ns)
        if _VERIFIED.get(segment.path) == mark:
            return
        if status.st_size != segment.size or sha256_of(fs, path) != segment.sha256:
            raise damaged(segment, tablet, "is not what was written")
    except FileNotFoundError as exc:
        raise damaged(segment, tablet, "is missing") from exc
    _VERIFIED[segment.path] = mark


def forget_verified(path: Path) -> None:
    """A segment's file was removed."""
    _VERIFIED.pop(str(path), None)


def _in_order(
    batches: Sequence[pa.RecordBatch], order: Sequence[int], step: int, bytes_max: int
) -> Iterator[tuple[Sequence[int], pa.Table]]:
    """The rows numbered by `order`, some `step` at a time, with their numbers.

    Never all of them in one array: Arrow's texts have room for 2 GiB in one, and a tablet for more.
    Rows that are large together come in smaller parts.
    """
    starts = list(accumulate((batch.num_rows for batch in batches), initial=0))
    waiting = [order[start : start + step] for start in range(0, len(order), step)]
    waiting.reverse()
    while waiting:
        numbers = waiting.pop()
        found: dict[int, list[int]] = {}
        places: dict[int, list[int]] = {}
        for place, number in enumerate(numbers):
            at = bisect_right(starts, number) - 1
            found.setdefault(at, []).append(number - starts[at])
            places.setdefault(at, []).append(place)
        taken = [batches[at].take(pa.array(rows, pa.int64())) for at, rows in found.items()]
        if len(numbers) > 1 and sum(batch.nbytes for batch in taken) > 2 * bytes_max:
            half = len(numbers) // 2
            waiting += (numbers[half:], numbers[:half])
            continue
        back = pa.array([place for one in places.values() for place in one], pa.int64())
        yield numbers, pa.Table.from_batches(taken).take(pc.sort_indices(back))


def sha256_of(fs: FileSystem, path: Path) -> str:
    """A file's sha256, read piece by piece: all of it at once would be memory to give back."""
    digest = hashlib.sha256()
    with fs.open_read(path) as stream:
        while piece := stream.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def damaged(segment: Segment, tablet: TabletId, what: str) -> DataCorruptedError:
    """The error to raise: which segment of whose tablet, and what is wrong with it."""
    return DataCorruptedError(
        f"segment {segment.file} of tablet {tablet.user}/{tablet.table} {what}"
    )
