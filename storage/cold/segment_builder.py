"""One segment out of rows that come in key order, some at a time: never all of them in memory.

What it holds is the Parquet file that grows, a row group's rows, and 16 bytes of every key.
"""

import hashlib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.arrow import DELETED, SEQ, column_name, to_values
from storage.cold import keyfilter, occurrences, pages, superseding
from storage.cold.checked import pieces_of
from storage.cold.manifest import ColumnStats, Segment
from storage.cold.occurrences import Counted, counted_columns
from storage.fs import Buffer
from storage.layout import Column, Layout
from storage.shaped import is_shaped, with_shaped

PIECE_BYTES = 1 << 20
"""Bytes of a segment that are handed on at a time."""

GROUP_ROWS = 16384
"""Rows of a row group: a point read decodes one (some 2 ms), a scan prunes by them."""

GROUP_BYTES = 16 << 20
"""Arrow bytes of a row group: wide rows make fewer."""

TINY_BYTES = 8 << 10
"""Arrow bytes of a segment that is not worth compressing."""

_REPEATED_MIN = 4
"""How often values come on the average for a dictionary of them."""

_STAT_LENGTH_MAX = 64
"""A longer text as minimum or maximum would bloat the manifest."""

_STAT_KINDS = frozenset({"bool", "int", "float", "text"})


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """A segment not yet in a file. size: bytes of the Parquet file. key_filter: its side file.

    shaped: names of columns in shaped form.
    """

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
    shaped: frozenset[str] = frozenset()

    def named(self, path: Path, filter_file: str, superseded: int, *, continues: bool) -> Segment:
        """Its entry in a manifest, once it lies at `path`. filter_file: "" puts its key filter there, too."""
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
            keys=b"" if filter_file else self.key_filter,
            continues=continues,
            columns=self.columns,
            shaped=self.shaped,
        )


@dataclass(frozen=True, slots=True)
class EncodedSegment:
    """A segment and its bytes, in pieces that come once."""

    facts: SegmentFacts
    pieces: Iterable[Buffer]


class SegmentBuilder:
    """`add` rows, then `finish`. Versions of distinct keys, in key order."""

    def __init__(
        self,
        layout: Layout,
        *,
        group_rows: int = GROUP_ROWS,
        tiny: bool = False,
        unbounded: AbstractSet[str] = frozenset(),
        shaped: AbstractSet[str] = frozenset(),
    ) -> None:
        """An empty segment of a schema version.

        Args:
            layout: The schema version to write.
            group_rows: Rows of a row group at most.
            tiny: To set up the compressor for each column takes twice as long as all the rest of a
                tiny file, which occupies a block of the disk anyway.
            unbounded: Columns of whose values Parquet's bounds may leave some out (see `has_nan`).
            shaped: Columns that are in shaped form in all that is added (`storage.shaped`).
        """
        self._group_rows = group_rows
        self._tiny = tiny
        self._schema = with_shaped(_file_schema(layout), shaped)
        self._shaped = frozenset(shaped)
        self._unbounded = unbounded
        self._sink = pa.BufferOutputStream()
        self._writer: pq.ParquetWriter | None = None  # Made when the first rows are known.
        self._waiting: list[pa.Table] = []
        self._waiting_keys: list[bytes] = []
        self._waiting_bytes = 0
        self._first_keys: list[bytes] = []
        self._last_key = b""
        self._hashes = bytearray()
        self._key_names = [column_name(layout.columns[at]) for at in layout.key]
        self._superseding: list[pa.Table] = []
        self._layout = layout
        self._counted: list[Counted] = []
        self._bounds = {column_name(c): _Bounds(c) for c in layout.columns}
        self._deleted = 0
        self._seqs: tuple[int, int] | None = None
        self.rows = 0
        self.arrow_bytes = 0

    @property
    def size(self) -> int:
        """Bytes that the file takes as far as it is written: what still waits comes to less."""
        return int(self._sink.tell()) + self._waiting_bytes

    def add(self, table: pa.Table, keys: Sequence[bytes], superseding: Sequence[int] = ()) -> None:
        """Add rows with the columns of the layout, `_seq` and `_deleted`.

        keys: encoded, in order. superseding: which of them hide a row of an older segment.
        """
        if superseding:
            own = table.select(self._key_names)
            self._superseding.append(own.take(pa.array(superseding, pa.int64())))
        self._waiting.append(table)
        self._waiting_keys += keys
        self._waiting_bytes += table.nbytes
        self.rows += len(keys)
        self.arrow_bytes += table.nbytes
        if len(self._waiting_keys) >= self._group_rows or self._waiting_bytes >= GROUP_BYTES:
            self._write_groups()

    def finish(self) -> EncodedSegment:
        """The segment; at least one row was added."""
        self._write_groups(all_of_them=True)
        assert self._writer is not None
        self._writer.close()
        data = self._sink.getvalue()
        metadata = pq.read_metadata(pa.BufferReader(data))
        assert metadata.num_rows == self.rows
        assert self._seqs is not None
        sha256 = hashlib.sha256(data).hexdigest()
        # A tiny file is read whole anyway.
        checked = pieces_of(data, None if self._tiny else metadata)
        group_rows = min(self.rows, self._group_rows)
        head = keyfilter.Head(group_rows, tuple(self._first_keys), checked, sha256)
        facts = SegmentFacts(
            key_filter=keyfilter.encode_hashed(
                self._hashes,
                head,
                superseding.encode(self._superseding),
                self._occurrences(data.size),
                pages.table_of(data, metadata).encode() if self.rows >= pages.ROWS_MIN else b"",
            ),
            rows=self.rows,
            deleted=self._deleted,
            size=data.size,
            sha256=sha256,
            min_seq=self._seqs[0],
            max_seq=self._seqs[1],
            min_key=self._first_keys[0],
            max_key=self._last_key,
            columns={name: bounds.stats() for name, bounds in self._bounds.items()},
            shaped=self._shaped,
        )
        whole = memoryview(data)
        return EncodedSegment(
            facts, (whole[at : at + PIECE_BYTES] for at in range(0, len(whole), PIECE_BYTES))
        )

    def _occurrences(self, size: int) -> dict[str, bytes]:
        """By the columns' names. size: of the file."""
        if self.rows < occurrences.ROWS_MIN:
            return {}
        found = {column_name(one.column): one.encode(size) for one in self._counted}
        return {name: data for name, data in found.items() if data is not None}

    def _write_groups(self, *, all_of_them: bool = False) -> None:
        """Write row groups of what waits; of the last rows only when no more will come."""
        keys, table = self._waiting_keys, pa.concat_tables(self._waiting)
        step = min(self._group_rows, max(1, len(keys) * GROUP_BYTES // max(1, table.nbytes)))
        at = 0
        while len(keys) - at >= (1 if all_of_them else step):
            self._write_group(table.slice(at, step), keys[at : at + step])
            at += step
        left = table.slice(at)
        self._waiting, self._waiting_keys = [left], keys[at:]
        self._waiting_bytes = left.nbytes

    def _open(self, rows: pa.Table) -> pq.ParquetWriter:
        """The writer of a file that begins with these rows."""
        names = self._schema.names
        repeated, delta = ([], []) if self._tiny else encodings_of(rows)
        self._counted = [Counted(column) for column in counted_columns(self._layout, repeated)]
        return pq.ParquetWriter(
            self._sink,
            self._schema,
            compression="none" if self._tiny else "zstd",
            use_dictionary=repeated,
            column_encoding=dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
            write_statistics=[
                name
                for name in names
                if name not in self._unbounded
                and (name in self._key_names or not _is_long(rows.column(name)))
            ],
            write_page_index=True,
            write_page_checksum=True,
            max_rows_per_page=pages.ROWS,
            data_page_size=pages.BYTES,
            write_batch_size=pages.BATCH_ROWS,
            sorting_columns=[pq.SortingColumn(names.index(name)) for name in self._key_names],
        )

    def _write_group(self, table: pa.Table, keys: Sequence[bytes]) -> None:
        named = pa.Table.from_arrays(table.columns, schema=self._schema)
        if self._writer is None:
            self._writer = self._open(named)
        self._writer.write_table(named, row_group_size=len(keys))
        self._first_keys.append(keys[0])
        self._last_key = keys[-1]
        self._hashes += b"".join(map(keyfilter.digest, keys))
        for name, bounds in self._bounds.items():
            bounds.add(named.column(name))
        for counted in self._counted:
            counted.add(named)
        self._deleted += pc.sum(named.column(DELETED)).as_py()
        seqs = pc.min_max(named.column(SEQ)).as_py()
        low, high = self._seqs or (seqs["min"], seqs["max"])
        self._seqs = (min(low, seqs["min"]), max(high, seqs["max"]))


def encodings_of(rows: pa.Table) -> tuple[list[str], list[str]]:
    """Columns to write as a dictionary, by their Parquet paths, and those of integers as deltas.

    A dictionary of values that are mostly distinct doubles the file, and the time to decode it; ids and
    times that follow each other take a fraction as deltas. All others are written as they are.
    """
    repeated: list[str] = []
    delta: list[str] = []
    for name in rows.column_names:
        column = rows.column(name)
        of = column.type
        if is_shaped(of):
            repeated += [f"{name}.{part.name}.list.element" for part in of]
        elif pa.types.is_nested(of):
            repeated.append(f"{name}.list.element")
        elif pa.types.is_boolean(of):
            continue
        elif pc.count_distinct(column).as_py() * _REPEATED_MIN <= len(column):
            repeated.append(name)
        elif pa.types.is_integer(of) or pa.types.is_temporal(of):
            delta.append(name)
    return repeated, delta


def _is_long(values: pa.ChunkedArray) -> bool:
    """Whether two of the values, beside each page, would take much of the file's room."""
    of = values.type
    if not (pa.types.is_string(of) or pa.types.is_binary(of)):
        return False
    return bool(values.nbytes > _STAT_LENGTH_MAX * len(values))


def has_nan(values: pa.ChunkedArray) -> bool:
    """Whether Parquet's bounds of the column would leave values out: readers trust them for all."""
    return pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py() is True


@dataclass(slots=True)
class _Bounds:
    """Of a column so far. known: no value is left out, and none is too long to be a bound."""

    column: Column
    low: bool | int | float | str | None = None
    high: bool | int | float | str | None = None
    nulls: int = 0
    known: bool = field(init=False)

    def __post_init__(self) -> None:
        self.known = self.column.kind in _STAT_KINDS

    def add(self, values: pa.ChunkedArray) -> None:
        self.nulls += values.null_count
        if not self.known or values.null_count == len(values):
            return
        bounds = pc.min_max(values)
        low, high = (
            cast("bool | int | float | str", to_values(pa.array([bounds[name]], values.type))[0])
            for name in ("min", "max")
        )
        too_long = any(isinstance(b, str) and len(b) > _STAT_LENGTH_MAX for b in (low, high))
        if too_long or has_nan(values):  # NaN is above all, and Arrow leaves it out.
            self.known = False
            return
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)

    def stats(self) -> ColumnStats:
        if not self.known:
            return ColumnStats(None, None, self.nulls)
        return ColumnStats(self.low, self.high, self.nulls)


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
