"""Which rows of a tablet's segments newer segments have replaced, found once and kept.

A row of a segment is hidden when a newer run hides its key (`storage.cold.superseding`): the keys that do
so lie beside each segment, are read once and brought together. So the work grows with the edits since the
last compaction, and memory holds their keys and no contents. The smallest files, which a flush writes as
they are, are kept whole: their live rows are one table in memory.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kalam_pg.engines.request import SegmentRef
from kalam_pg.engines.segments import Footer
from storage.arrow import to_array
from storage.cold.keyfilter import read_head, read_superseding
from storage.cold.keysets import Keys
from storage.cold.superseding import ORDERED_KINDS, Hidden, Superseding, decode
from storage.errors import DataCorruptedError, IoError
from storage.keys import decode_key

SEQ = "_seq"
DELETED = "_deleted"

KEPT_BYTES_MAX = 64 << 20
"""What a worker keeps of keys and small files, least lately used going first."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Large:
    """A segment to scan. hidden: what newer segments hide of it, None: nothing."""

    segment: SegmentRef
    hidden: Hidden | None


@dataclass(frozen=True, slots=True)
class Merged:
    """A tablet's cold rows. small: live rows of small files, with all of their columns, and the keys
    of each batch. large: the segments to scan. superseding: the keys that hide rows of these.
    """

    small: tuple[tuple[pa.RecordBatch, Keys], ...]
    large: tuple[Large, ...]
    superseding: Superseding | None = None


@dataclass(slots=True)
class Merges:
    """What this process knows of merges, by the segments' paths: their files never change."""

    bytes_max: int = KEPT_BYTES_MAX
    _kept: "OrderedDict[Hashable, tuple[object, int]]" = field(default_factory=OrderedDict)
    _size: int = 0

    def merged(
        self,
        segments: Sequence[SegmentRef],
        footers: Mapping[str, Footer],
        key_columns: Sequence[str],
        key_kinds: Sequence[str],
        *,
        overlapping: bool,
    ) -> Merged:
        """Of one tablet's segments; see `request.TableInput` for what the arguments are.

        Raises:
            IoError: A segment cannot be read.
        """
        key = ("merged", overlapping, tuple((segment.path, segment.run) for segment in segments))

        def make() -> tuple[Merged, int]:
            merge = _Merge(self, footers, key_columns, key_kinds)
            merged = merge.of(segments, overlapping=overlapping)
            sizes = [batch.nbytes + keys.nbytes for batch, keys in merged.small]
            if merged.superseding is not None:
                sizes.append(merged.superseding.nbytes)
            return merged, sum(sizes) + 256 * len(segments)

        return self.keep(key, make)

    def keep(self, key: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """What is kept under `key`, else made: a value and its size in bytes."""
        if (found := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return cast("T", found[0])
        value, size = make()
        if size > self.bytes_max:
            return value
        self._kept[key] = value, size
        self._size += size
        while self._size > self.bytes_max:
            _, (_, gone) = self._kept.popitem(last=False)
            self._size -= gone
        return value


@dataclass(slots=True)
class _Merge:
    """One tablet's merge."""

    _merges: Merges
    _footers: Mapping[str, Footer]
    _key_columns: Sequence[str]
    _key_kinds: Sequence[str]

    def of(self, segments: Sequence[SegmentRef], *, overlapping: bool) -> Merged:
        hiding = [segment for segment in segments if segment.supersedes] if overlapping else []
        found = [(segment.run, keys) for segment in hiding if (keys := self._keys(segment))]
        superseding = Superseding.of(found)
        small = [segment for segment in segments if self._footers[segment.path].small]
        large = [
            Large(segment, self._hidden(segment, superseding))
            for segment in segments
            if not self._footers[segment.path].small
        ]
        return Merged(tuple(self._small(small, superseding)), tuple(large), superseding)

    def _hidden(self, segment: SegmentRef, superseding: Superseding | None) -> Hidden | None:
        """What hides rows of a segment, if anything does."""
        if superseding is None:
            return None
        hidden = Hidden(superseding, segment.run)
        kind = self._key_kinds[0] if self._key_kinds else ""
        if kind in ORDERED_KINDS and kind != "":
            of = self._footers[segment.path].types[self._key_columns[0]]
            ends = (segment.min_key, segment.max_key)
            lead = [decode_key(key, self._key_kinds)[0] for key in ends]
            if not hidden.meets(Keys.of([to_array(lead, of)], [kind])):
                return None
        return hidden

    def _keys(self, segment: SegmentRef) -> Keys | None:
        """The superseding keys of a segment; all of its keys where nothing else is known."""

        def read() -> tuple[Keys | None, int]:
            data = _superseding(segment)
            if data is not None:
                keys = decode(data, self._key_kinds)
            else:
                table = _read(segment, self._key_columns)
                keys = Keys.of([table.column(n) for n in self._key_columns], self._key_kinds)
            return keys, 256 if keys is None else keys.nbytes

        return self._merges.keep(("keys", segment.path), read)

    def _small(
        self, segments: Sequence[SegmentRef], superseding: Superseding | None
    ) -> Iterable[tuple[pa.RecordBatch, Keys]]:
        """Live rows that nothing hides, of files that were written with the same columns together."""
        alike: dict[tuple[tuple[str, pa.DataType], ...], list[pa.Table]] = {}
        for segment in segments:
            table = self._table(segment)
            keep = pc.invert(table.column(DELETED))
            if superseding is not None:
                hidden = superseding.hide(self._keys_of(table), segment.run)
                keep = keep if hidden is None else pc.and_not(keep, hidden)
            columns = tuple((item.name, item.type) for item in table.schema)
            alike.setdefault(columns, []).append(table.filter(keep))
        for columns, tables in alike.items():
            schema = pa.schema([pa.field(name, of) for name, of in columns])
            whole = pa.concat_tables([pa.table(t.columns, schema=schema) for t in tables])
            for batch in whole.combine_chunks().to_batches():
                yield batch, self._keys_of(batch)

    def _keys_of(self, rows: pa.Table | pa.RecordBatch) -> Keys:
        return Keys.of([rows.column(name) for name in self._key_columns], self._key_kinds)

    def _table(self, segment: SegmentRef) -> pa.Table:
        def read() -> tuple[pa.Table, int]:
            table = _read(segment, None)
            return table, table.nbytes + 4096

        return self._merges.keep(("table", segment.path), read)


def _superseding(segment: SegmentRef) -> bytes | None:
    """What the segment's side file says of its superseding keys; None when that is nothing.

    Nor when it is another's, or damaged: the segment itself has been verified.
    """
    try:
        if segment.keys:
            return _superseding_in(BytesIO(segment.keys), segment)
        if segment.key_filter:
            with Path(segment.path).with_name(segment.key_filter).open("rb") as file:
                return _superseding_in(file, segment)
    except (FileNotFoundError, DataCorruptedError):
        pass
    return None


def _superseding_in(stream: BinaryIO, segment: SegmentRef) -> bytes | None:
    head = read_head(stream)
    return read_superseding(stream, head) if head.sha256 == segment.sha256 else None


def _read(segment: SegmentRef, columns: Sequence[str] | None) -> pa.Table:
    path = Path(segment.path)
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=columns, use_threads=False)
    except OSError as exc:
        raise IoError(f"could not read segment {path.name}: {exc.strerror}") from exc
