"""Which rows of a tablet's segments newer segments have replaced, found once and kept.

A row of a segment is hidden when another segment has its key with a greater `_seq` (live or a
tombstone), or a later segment the same version once more. To find these, the keys and `_seq` of the
segments that hide anything are read, once, and brought down to the newest of each key; the keys of a
segment that they meet are looked up there. So the work grows with the keys that are read, not with
pairs of segments, and memory holds keys but no contents. The smallest files, which a flush writes as
they are, are kept whole: their live rows are one table in memory.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kalam_pg.engines.keysets import Keys, KeySet
from kalam_pg.engines.request import SegmentRef
from kalam_pg.engines.segments import Footer
from storage.errors import IoError

SEQ = "_seq"
DELETED = "_deleted"

KEPT_BYTES_MAX = 64 << 20
"""What a worker keeps of keys and small files, least lately used going first."""

LOOKED_UP_ROWS = 1 << 20
"""Rows that are looked up together: the newest keys are made into a table once for so many."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Large:
    """A segment to scan. hidden: keys of it that are not to be seen, None when there are none."""

    segment: SegmentRef
    hidden: KeySet | None


@dataclass(frozen=True, slots=True)
class Merged:
    """A tablet's cold rows. small: live rows of small files, with all of their columns, and the keys
    of each batch. large: the segments of which any row may be seen.
    """

    small: tuple[tuple[pa.RecordBatch, Keys], ...]
    large: tuple[Large, ...]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The keys of a segment's rows, in its order, and the commits that wrote them."""

    keys: Keys
    seqs: pa.Array


@dataclass(frozen=True, slots=True)
class _Newest:
    """The newest version of each key: the commit that wrote it, and which segment has it."""

    codes: pa.Array
    seqs: pa.Array
    numbers: pa.Array

    @classmethod
    def of(cls, rows: _Rows, numbers: pa.Array) -> "_Newest":
        """Of some rows. numbers: which segment each is of."""
        table = pa.table({"key": rows.keys.codes, "seq": rows.seqs, "number": numbers})
        last = table.group_by("key", use_threads=False).aggregate([("seq", "max")])
        of = pc.index_in(table.column("key"), value_set=last.column("key").combine_chunks())
        newest = table.filter(pc.equal(last.column("seq_max").take(of), table.column("seq")))
        once = newest.group_by("key", use_threads=False).aggregate(
            [("seq", "max"), ("number", "max")]
        )
        return cls(
            *(once.column(name).combine_chunks() for name in ("key", "seq_max", "number_max"))
        )

    def hides(self, rows: _Rows, numbers: pa.Array) -> pa.Array:
        """For each row whether another segment has a newer version of its key.

        Not the same segment: it may hold a tombstone for a key's old spelling beside the row.
        """
        at = pc.index_in(rows.keys.codes, value_set=self.codes)
        seqs, others = self.seqs.take(at), self.numbers.take(at)
        again = pc.and_(pc.equal(seqs, rows.seqs), pc.greater(others, numbers))
        newer = pc.or_(pc.greater(seqs, rows.seqs), again)
        return pc.fill_null(pc.and_(newer, pc.not_equal(others, numbers)), False)


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
        key = ("merged", overlapping, tuple(segment.path for segment in segments))

        def make() -> tuple[Merged, int]:
            numbers = {segment.path: number for number, segment in enumerate(segments)}
            merge = _Merge(self, footers, key_columns, key_kinds, numbers)
            merged = merge.of(segments, overlapping=overlapping)
            sizes = [batch.nbytes + keys.nbytes for batch, keys in merged.small]
            sizes += [one.hidden.keys.nbytes for one in merged.large if one.hidden is not None]
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
    """One tablet's merge. Segments that hide nothing are not read unless one that does meets them."""

    _merges: Merges
    _footers: Mapping[str, Footer]
    _key_columns: Sequence[str]
    _key_kinds: Sequence[str]
    _numbers: Mapping[str, int]

    def of(self, segments: Sequence[SegmentRef], *, overlapping: bool) -> Merged:
        small = [segment for segment in segments if self._footers[segment.path].small]
        large = [segment for segment in segments if not self._footers[segment.path].small]
        hiding = [segment for segment in segments if segment.supersedes] if overlapping else []
        meeting = {segment.path: _meeting(segment, hiding) for segment in large}
        needed = {other.path for others in meeting.values() for other in others}
        for other in hiding:
            if other.path not in needed and (
                self._footers[other.path].small or _meets_any(other, small)
            ):
                needed.add(other.path)
        newest = self._newest([segment for segment in hiding if segment.path in needed])
        hidden = self._hidden(large, meeting, newest)
        seen = [
            Large(segment, None if keys is None else KeySet.of(keys))
            for segment in large
            if (keys := hidden.get(segment.path)) is None or len(keys.codes) < segment.rows
        ]
        return Merged(tuple(self._small(small, newest)), tuple(seen))

    def _newest(self, hiding: Sequence[SegmentRef]) -> "_Newest | None":
        """Each key of these segments once, with its greatest `_seq`."""
        if not hiding:
            return None
        return _Newest.of(*self._together([(one, self._rows(one)) for one in hiding]))

    def _hidden(
        self,
        segments: Sequence[SegmentRef],
        meeting: Mapping[str, Sequence[SegmentRef]],
        newest: "_Newest | None",
    ) -> dict[str, Keys | None]:
        """The hidden keys of each of these segments that has any."""
        hidden: dict[str, Keys | None] = {}
        waiting: list[tuple[SegmentRef, _Rows]] = []
        asked = [segment for segment in segments if meeting[segment.path]]
        for number, segment in enumerate(asked, 1):
            waiting.append((segment, self._rows(segment)))
            if sum(s.rows for s, _ in waiting) >= LOOKED_UP_ROWS or number == len(asked):
                assert newest is not None
                mask = newest.hides(*self._together(waiting))
                start = 0
                for one, rows in waiting:
                    found = rows.keys.filter(mask.slice(start, len(rows.seqs)))
                    hidden[one.path] = found if len(found.codes) else None
                    start += len(rows.seqs)
                waiting = []
        return hidden

    def _small(
        self, segments: Sequence[SegmentRef], newest: "_Newest | None"
    ) -> Iterable[tuple[pa.RecordBatch, Keys]]:
        """Live rows that nothing hides, of files that were written with the same columns together."""
        alike: dict[tuple[tuple[str, pa.DataType], ...], list[tuple[SegmentRef, pa.Table]]] = {}
        for segment in segments:
            table = self._table(segment)
            columns = tuple((item.name, item.type) for item in table.schema)
            alike.setdefault(columns, []).append((segment, table))
        for columns, tables in alike.items():
            schema = pa.schema([pa.field(name, of) for name, of in columns])
            whole = pa.concat_tables([pa.table(t.columns, schema=schema) for _, t in tables])
            whole = whole.combine_chunks()
            keep = pc.invert(whole.column(DELETED)).combine_chunks()
            if newest is not None:
                rows = [(segment, self._rows_of(table)) for segment, table in tables]
                keep = pc.and_not(keep, newest.hides(*self._together(rows)))
            kept = whole.filter(keep).combine_chunks()
            for batch in kept.to_batches():
                yield (
                    batch,
                    Keys.of([batch.column(name) for name in self._key_columns], self._key_kinds),
                )

    def _rows(self, segment: SegmentRef) -> "_Rows":
        if self._footers[segment.path].small:
            return self._rows_of(self._table(segment))

        def read() -> tuple[_Rows, int]:
            table = _read(segment, [*self._key_columns, SEQ])
            rows = self._rows_of(table)
            return rows, rows.keys.nbytes + rows.seqs.nbytes

        return self._merges.keep(("keys", segment.path), read)

    def _rows_of(self, table: pa.Table) -> "_Rows":
        keys = Keys.of([table.column(name) for name in self._key_columns], self._key_kinds)
        return _Rows(keys, table.column(SEQ).combine_chunks())

    def _together(self, found: Sequence[tuple[SegmentRef, _Rows]]) -> tuple[_Rows, pa.Array]:
        """The rows of some segments, and the number of each row's segment."""
        codes = pa.concat_arrays([rows.keys.codes for _, rows in found])
        seqs = pa.concat_arrays([rows.seqs for _, rows in found])
        numbers = pa.concat_arrays(
            [pa.repeat(self._numbers[segment.path], len(rows.seqs)) for segment, rows in found]
        )
        return _Rows(Keys(codes, codes), seqs), numbers

    def _table(self, segment: SegmentRef) -> pa.Table:
        def read() -> tuple[pa.Table, int]:
            table = _read(segment, None)
            return table, table.nbytes + 4096

        return self._merges.keep(("table", segment.path), read)


def _read(segment: SegmentRef, columns: Sequence[str] | None) -> pa.Table:
    path = Path(segment.path)
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=columns, use_threads=False)
    except OSError as exc:
        raise IoError(f"could not read segment {path.name}: {exc.strerror}") from exc


def _meeting(segment: SegmentRef, others: Sequence[SegmentRef]) -> list[SegmentRef]:
    """Those of `others` that may hide a row of `segment`."""
    return [
        other
        for other in others
        if other.max_seq >= segment.min_seq
        and other.min_key <= segment.max_key
        and segment.min_key <= other.max_key
        and other.path != segment.path
    ]


def _meets_any(segment: SegmentRef, others: Sequence[SegmentRef]) -> bool:
    return any(_meeting(other, [segment]) for other in others)
