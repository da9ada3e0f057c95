"""Runs made into one: the newest version of each key, in key order, in bounded memory.

All runs are read side by side, some rows at a time. What is below the least key that any of them has
read so far can be told from each other: a key stands at most twice in a run (beside the tombstone of its
old spelling), and newer runs come behind older ones. Of the process's memory a merge takes some
`READ_BYTES`, and what `SegmentBuilder` holds.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.arrow import (
    DELETED,
    SEQ,
    column_name,
    schema_of,
    to_array,
    to_column,
    to_values,
)
from storage.cold import keyfilter
from storage.cold.keysets import Keys
from storage.cold.manifest import Segment, runs, superseding
from storage.cold.point_read import SegmentReader
from storage.cold.segment import damaged, verify
from storage.cold.segment_builder import TINY_BYTES, EncodedSegment, SegmentBuilder
from storage.cold.superseding import Superseding
from storage.cold.tiering import SEGMENT_BYTES
from storage.errors import DataCorruptedError
from storage.fs import OS, FileSystem
from storage.ids import TabletId
from storage.keys import encode_key
from storage.layout import Column, Layout
from storage.shaped import in_form, is_shaped, shaped_columns, with_shaped

READ_BYTES = 64 << 20
"""Arrow bytes of all runs' rows that were read and not yet written."""

ARROW_BYTES_MAX = 8 * SEGMENT_BYTES
"""Arrow bytes of a compacted segment, however well they compress."""

_READ_ROWS_MIN, _READ_ROWS_MAX = 16, 16384

SMALL_ROWS = 4096
SMALL_BYTES = 1 << 20
"""Less than this is merged in some milliseconds."""


@dataclass(frozen=True, slots=True)
class MergeJob:
    """Whole runs of a tablet that lie side by side, to be made into one.

    layout: the schema version to write. older: the segments before them. tombstones_before: those of
    older commits may go, unless an older segment may hold their key. bytes_max: of a file.
    """

    tablet: TabletId
    layout: Layout
    inputs: tuple[Segment, ...]
    older: tuple[Segment, ...]
    tombstones_before: int
    bytes_max: int = SEGMENT_BYTES

    @property
    def rows(self) -> int:
        """Versions to read."""
        return sum(segment.rows for segment in self.inputs)

    @property
    def small(self) -> bool:
        """Whether it is quickly done."""
        return self.rows <= SMALL_ROWS and sum(s.size for s in self.inputs) <= SMALL_BYTES


def merge(job: MergeJob, fs: FileSystem = OS) -> Iterator[EncodedSegment]:
    """The segments of the new run, none if no row is left.

    Raises:
        DataCorruptedError: A segment is not what was written.
        IoError: It cannot be read.
    """
    unbounded = {
        column_name(column)
        for column in job.layout.columns
        if pa.types.is_floating(column.arrow)
        and not all(_is_bounded(segment, column) for segment in job.inputs)
    }
    builder: SegmentBuilder | None = None
    older = _Older(fs, job.tablet, job.older)
    hiding = _Hiding(job, fs, older)
    for keys, table in _merged(job, fs, older):
        if builder is None:
            # Only when it is all that comes: otherwise it has not been read to its end.
            tiny = len(keys) == job.rows and table.nbytes <= TINY_BYTES
            builder = SegmentBuilder(
                job.layout, tiny=tiny, unbounded=unbounded, shaped=shaped_columns(table.schema)
            )
        builder.add(table, keys, hiding.among(keys, table))
        if builder.size >= job.bytes_max or builder.arrow_bytes >= ARROW_BYTES_MAX:
            yield builder.finish()
            builder = None
    if builder is not None:
        yield builder.finish()


def _is_bounded(segment: Segment, column: Column) -> bool:
    """Whether the manifest knows the column's bounds there: then no value of it is NaN."""
    stats = segment.columns.get(column_name(column))
    if stats is None:
        return column.missing == column.missing  # NaN differs from itself.
    return stats.minimum is not None or stats.nulls == segment.rows


def _merged(
    job: MergeJob, fs: FileSystem, older: "_Older"
) -> Iterator[tuple[list[bytes], pa.Table]]:
    """What is to be written, piece by piece: keys in order, and their rows."""
    found = runs(job.inputs)
    bytes_each = READ_BYTES // max(8, len(found))
    schema = with_shaped(schema_of(job.layout), _shaped(job))
    cursors = [_Cursor(_read(job, fs, run, bytes_each, schema), job.layout) for run in found]
    while True:
        ends = [cursor.end for cursor in cursors if cursor.fill()]
        bound = min(ends, default=None)
        parts = [part for cursor in cursors if (part := cursor.take(bound)) is not None]
        if parts:
            keys, table = _newest(parts, job.tombstones_before, older)
            if keys:
                yield keys, table
        if bound is None:
            return


def _newest(
    parts: Sequence[tuple[list[bytes], pa.Table]], tombstones_before: int, older: "_Older"
) -> tuple[list[bytes], pa.Table]:
    """The newest version of each key among rows of several runs, the oldest run first."""
    keys, table = parts[0]
    if len(parts) > 1:
        keys = [key for some, _ in parts for key in some]
        table = pa.concat_tables([some for _, some in parts])
    seqs = table.column(SEQ).to_pylist()
    deleted = table.column(DELETED).to_pylist()
    alone = len(parts) == 1 and all(one != other for one, other in pairwise(keys))
    chosen = list(range(len(keys))) if alone else _winners(keys, seqs, deleted)
    if any(deleted):
        chosen = [
            at
            for at in chosen
            if not deleted[at] or seqs[at] >= tombstones_before or older.may_hold(keys[at])
        ]
    if alone and len(chosen) == len(keys):
        return keys, table
    return [keys[at] for at in chosen], table.take(pa.array(chosen, pa.int64()))


def _winners(keys: Sequence[bytes], seqs: Sequence[int], deleted: Sequence[bool]) -> list[int]:
    """Where the newest version of each key is, in key order.

    Beside the tombstone of a key's old spelling it is the row, of the same commit perhaps.
    """
    chosen: list[int] = []
    last = None
    for at in sorted(range(len(keys)), key=keys.__getitem__):
        key = keys[at]
        if key != last:
            chosen.append(at)
            last = key
        elif (seqs[at], not deleted[at]) >= (seqs[chosen[-1]], not deleted[chosen[-1]]):
            chosen[-1] = at
    return chosen


class _Cursor:
    """How far a run is read: rows in key order of which some wait for other runs."""

    def __init__(self, batches: Iterator[pa.Table], layout: Layout) -> None:
        self._batches = batches
        self._columns = [layout.columns[at] for at in layout.key]
        self._kinds = [column.kind for column in self._columns]
        self._keys: list[bytes] = []
        self._tables: list[pa.Table] = []
        self._ended = False

    @property
    def end(self) -> bytes:
        """The greatest key read: more rows of it may follow."""
        return self._keys[-1]

    def fill(self) -> bool:
        """Read until there is something below `end`; False at the end of the run."""
        while not self._ended and (not self._keys or self._keys[0] == self._keys[-1]):
            table = next(self._batches, None)
            if table is None:
                self._ended = True
                break
            values = [to_values(table.column(column_name(column))) for column in self._columns]
            kinds = self._kinds
            self._keys += [encode_key(key, kinds) for key in zip(*values, strict=True)]
            self._tables.append(table)
        return not self._ended

    def take(self, bound: bytes | None) -> tuple[list[bytes], pa.Table] | None:
        """The rows whose key is less, or all of them; None when there are none."""
        keys = self._keys
        count = len(keys) if bound is None else bisect_left(keys, bound)
        if not count:
            return None
        table = self._tables[0] if len(self._tables) == 1 else pa.concat_tables(self._tables)
        self._keys, self._tables = keys[count:], [table.slice(count)]
        return keys[:count], table.slice(0, count)


class _Older:
    """The keys of older segments, as far as their filters tell."""

    def __init__(self, fs: FileSystem, tablet: TabletId, segments: Sequence[Segment]) -> None:
        self._fs = fs
        self._tablet = tablet
        self._segments = segments
        self._filters: dict[str, keyfilter.KeyFilter] = {}

    def may_hold(self, key: bytes) -> bool:
        """Whether any of them may: False when surely none does."""
        return any(
            segment.min_key <= key <= segment.max_key and self._filter(segment).may_hold(key)
            for segment in self._segments
        )

    def _filter(self, segment: Segment) -> keyfilter.KeyFilter:
        found = self._filters.get(segment.path)
        if found is None:
            try:
                found = keyfilter.decode(segment.keys or self._fs.read_bytes(segment.filter_path))
            except (FileNotFoundError, DataCorruptedError) as exc:
                raise damaged(segment, self._tablet, "has no good key filter") from exc
            self._filters[segment.path] = found
        return found


class _Hiding:
    """The superseding keys of the inputs: those of them stay that an older segment may hold."""

    def __init__(self, job: MergeJob, fs: FileSystem, older: _Older) -> None:
        layout = job.layout
        self._names = [column_name(layout.columns[at]) for at in layout.key]
        self._kinds = [layout.columns[at].kind for at in layout.key]
        self._older = older
        hides = superseding(job.inputs) if job.older else [False] * len(job.inputs)
        self._keys = Superseding.of(
            [
                (1, keys)
                for segment, some in zip(job.inputs, hides, strict=True)
                if some
                and (keys := SegmentReader(fs, segment, job.tablet).superseding(layout)) is not None
            ]
        )

    def among(self, keys: Sequence[bytes], table: pa.Table) -> Sequence[int]:
        """Which of these rows hide one of an older segment."""
        if self._keys is None:
            return ()
        found = self._keys.hide(Keys.of([table.column(n) for n in self._names], self._kinds), 0)
        if found is None:
            return ()
        may_hold = self._older.may_hold
        return [at for at in pc.indices_nonzero(found).to_pylist() if may_hold(keys[at])]


def _read(
    job: MergeJob, fs: FileSystem, run: Sequence[Segment], bytes_each: int, schema: pa.Schema
) -> Iterator[pa.Table]:
    """The rows of a run with the columns of the layout asked for, about so many bytes at a time."""
    for segment in run:
        verify(fs, segment, job.tablet)
        # No row is wider than this on the average, however its column is compressed.
        rows = segment.rows * bytes_each // ARROW_BYTES_MAX
        rows = min(max(rows, _READ_ROWS_MIN), _READ_ROWS_MAX)
        try:
            with fs.open_read(Path(segment.path)) as stream:
                file = pq.ParquetFile(stream, page_checksum_verification=True)
                for batch in file.iter_batches(batch_size=rows, use_threads=False):
                    yield _projected(batch, job.layout, schema)
        except FileNotFoundError as exc:
            raise damaged(segment, job.tablet, "is missing") from exc
        except (pa.ArrowException, OSError) as exc:
            raise damaged(segment, job.tablet, "cannot be read") from exc


def _projected(batch: pa.RecordBatch, layout: Layout, schema: pa.Schema) -> pa.Table:
    """A segment's rows with the columns of a layout: what it was written without is filled in.

    schema: of the layout, with the columns in shaped form that shall be.
    """
    names = set(batch.schema.names)
    columns = [
        _column(batch, column, field.type, there=field.name in names)
        for column, field in zip(layout.columns, schema, strict=False)
    ]
    columns += [batch.column(SEQ), batch.column(DELETED)]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(batch: pa.RecordBatch, column: Column, kind: pa.DataType, *, there: bool) -> pa.Array:
    if not there:
        first = pa.array([0] * batch.num_rows, pa.int64())
        return to_array([column.missing], kind).take(first)
    return in_form(batch.column(column_name(column)), kind)


def _shaped(job: MergeJob) -> Iterator[str]:
    """The columns that have to be in shaped form."""
    for column in job.layout.columns:
        name = column_name(column)
        missing = to_column([column.missing], column.arrow).type
        if is_shaped(missing) or any(name in segment.shaped for segment in job.inputs):
            yield name
