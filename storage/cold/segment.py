"""Segments: immutable Parquet files of one tablet, sorted by primary key.

Encoding is a pure function from record batches to bytes, so that a worker process can do it. A
segment's sha256 is verified before its first read in a process, since a flipped bit can pass through
Parquet readers as a wrong answer. Point reads are in `storage.cold.point_read`.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.arrow import DELETED, SEQ, column_name, to_values
from storage.cold import keyfilter
from storage.cold.manifest import ColumnStats, Segment
from storage.errors import DataCorruptedError
from storage.fs import Buffer, FileSystem
from storage.ids import TabletId
from storage.keys import encode_key
from storage.layout import Column, Layout

SEGMENT_BYTES_MAX = 128 << 20
"""A segment's Arrow bytes at most; its Parquet file is smaller."""

PIECE_BYTES = 1 << 20
"""Bytes of a segment that are handed on at a time."""

_GROUP_ROWS = 16384
"""Rows of a row group: a point read decodes one (some 2 ms), a scan prunes by them."""

_TINY_BYTES = 8 << 10
"""Arrow bytes of a segment that is not worth compressing."""

_STAT_LENGTH_MAX = 64
"""A longer text as minimum or maximum would bloat the manifest."""

_STAT_KINDS = frozenset({"bool", "int", "float", "text"})


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """A segment not yet in a file. size: bytes of the Parquet file. key_filter: its side file."""

    key_filter: bytes
    rows: int
    deleted: int
    size: int
    sha256: str
    min_seq: int
    max_seq: int
    min_key: bytes
    max_key: bytes
    columns: dict[str, ColumnStats]

    def named(self, path: Path, filter_file: str, superseded: int) -> Segment:
        """Its entry in a manifest, once it lies at `path`."""
        return Segment(
            path=str(path),
            rows=self.rows,
            size=self.size,
            sha256=self.sha256,
            min_seq=self.min_seq,
            max_seq=self.max_seq,
            min_key=self.min_key,
            max_key=self.max_key,
            deleted=self.deleted,
            superseded=superseded,
            filter_file=filter_file,
            columns=self.columns,
        )


@dataclass(frozen=True, slots=True)
class EncodedSegment:
    """A segment and its bytes, in pieces that come once."""

    facts: SegmentFacts
    pieces: Iterable[Buffer]


def encode_segments(
    batches: Sequence[pa.RecordBatch],
    layout: Layout,
    *,
    bytes_max: int = SEGMENT_BYTES_MAX,
    group_rows: int = _GROUP_ROWS,
) -> Iterator[EncodedSegment]:
    """Versions of distinct keys as segments with disjoint key ranges, in key order, one at a time.

    Args:
        batches: With the schema of `layout`, in any order; at least one row in all.
        layout: The schema version to write.
        bytes_max: Arrow bytes of one segment at most.
        group_rows: Rows of a row group.
    """
    table = pa.Table.from_batches(batches)
    columns = [to_values(table.column(position)) for position in layout.key]
    kinds = [layout.columns[position].kind for position in layout.key]
    keys = [encode_key(values, kinds) for values in zip(*columns, strict=True)]
    step = max(1, len(keys) * bytes_max // max(bytes_max, table.nbytes))
    if any(key > following for key, following in pairwise(keys)):
        order = sorted(range(len(keys)), key=keys.__getitem__)
        parts = _in_order(batches, order, step, bytes_max)
    else:
        order = list(range(len(keys)))
        starts = range(0, len(keys), step)
        parts = ((order[start : start + step], table.slice(start, step)) for start in starts)
    for numbers, part in parts:
        named = pa.Table.from_arrays(part.columns, schema=_file_schema(layout))
        yield _encode(named, [keys[number] for number in numbers], layout, group_rows)


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


def _encode(
    table: pa.Table, keys: Sequence[bytes], layout: Layout, group_rows: int
) -> EncodedSegment:
    sink = pa.BufferOutputStream()
    tiny = table.nbytes <= _TINY_BYTES
    positions = [table.schema.get_field_index(column_name(layout.columns[p])) for p in layout.key]
    pq.write_table(
        table,
        sink,
        row_group_size=group_rows,
        # To set up the compressor for each column takes twice as long as all the rest of a tiny
        # file, which occupies a block of the disk anyway.
        compression="none" if tiny else "zstd",
        use_dictionary=not tiny,
        write_statistics=[name for name in table.schema.names if not _has_nan(table.column(name))],
        write_page_index=True,
        write_page_checksum=True,
        sorting_columns=[pq.SortingColumn(position) for position in positions],
    )
    data = sink.getvalue()
    assert pq.read_metadata(pa.BufferReader(data)).num_rows == table.num_rows
    seqs = pc.min_max(table.column(SEQ)).as_py()
    facts = SegmentFacts(
        key_filter=keyfilter.encode(keyfilter.build(keys, group_rows)),
        rows=table.num_rows,
        deleted=pc.sum(table.column(DELETED)).as_py(),
        size=data.size,
        sha256=hashlib.sha256(data).hexdigest(),
        min_seq=seqs["min"],
        max_seq=seqs["max"],
        min_key=keys[0],
        max_key=keys[-1],
        columns={column_name(c): _stats(table.column(column_name(c)), c) for c in layout.columns},
    )
    whole = memoryview(data)
    return EncodedSegment(
        facts, (whole[at : at + PIECE_BYTES] for at in range(0, len(whole), PIECE_BYTES))
    )


def _has_nan(values: pa.ChunkedArray) -> bool:
    """Whether Parquet's bounds of the column would leave values out: readers trust them for all."""
    return pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py() is True


def _stats(values: pa.ChunkedArray, column: Column) -> ColumnStats:
    if column.kind not in _STAT_KINDS or values.null_count == len(values):
        return ColumnStats(None, None, values.null_count)
    bounds = pc.min_max(values)
    low, high = (to_values(pa.array([bounds[name]], values.type))[0] for name in ("min", "max"))
    if any(isinstance(bound, str) and len(bound) > _STAT_LENGTH_MAX for bound in (low, high)):
        low = high = None
    if _has_nan(values):
        low = high = None  # NaN is above all, and Arrow leaves it out.
    return ColumnStats(
        cast("bool | int | float | str | None", low),
        cast("bool | int | float | str | None", high),
        values.null_count,
    )


@lru_cache(maxsize=4096)
def _file_schema(layout: Layout) -> pa.Schema:
    """Fields carry the column's id (also as Parquet's own field id) and its name when written."""
    fields = [
        pa.field(
            column_name(column),
            column.arrow,
            metadata={
                "column_id": str(column.id),
                "column_name": column.name,
                "PARQUET:field_id": str(column.id),
            },
        )
        for column in layout.columns
    ]
    fields += [
        pa.field(SEQ, pa.int64(), nullable=False),
        pa.field(DELETED, pa.bool_(), nullable=False),
    ]
    return pa.schema(fields, metadata={"schema_version": str(layout.version)})


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
