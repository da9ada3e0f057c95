"""Many keys of a tablet, wherever they lie: each row group is looked into once, for all of them together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from storage.answers import COLD_NEEDED, ColdNeeded
from storage.arrow import DELETED, SEQ, column_name, key_batch, to_rows, to_values
from storage.cold.key_read import Found, position_of, table_of
from storage.cold.keysets import Keys
from storage.cold.manifest import Manifest, Segment
from storage.cold.point_read import NotInMemoryError, SegmentReader
from storage.cold.row_groups import RowGroups
from storage.keys import decode_key
from storage.layout import Layout
from storage.log.log_entry import Op
from storage.log.view import LargeEntryError, Version, View
from storage.schema import Schema
from storage.tail.unknown import Known, Unknown

_SEARCHED: Final = 1800
"""For so many rows of a row group one key at most is searched by itself: to hash as many takes as long."""

_WHOLE: Final = 64
"""For so many keys all of a row group is decoded, and kept."""

_BRIEF: Final = 32
"""So many row groups are looked into on the event loop: some milliseconds."""


MANY: Final = 8
"""Fewer are asked for one by one."""


def known_in_memory(
    view: View,
    schema: Schema,
    manifest: Manifest,
    reader: Callable[[Segment], SegmentReader],
    keys: Sequence[bytes],
    found: Sequence[Known],
) -> list[Version | ColdNeeded | None]:
    """For each key what its tail has found, or what the log and memory know of it."""
    unknown = [key for key, one in zip(keys, found, strict=True) if isinstance(one, Unknown)]
    search = _Search(view, schema, manifest, reader, in_memory=True)
    rows = iter(search.versions(unknown))
    return [next(rows) if isinstance(one, Unknown) else one for one in found]


def versions_of(
    view: View,
    schema: Schema,
    manifest: Manifest,
    reader: Callable[[Segment], SegmentReader],
    keys: Sequence[bytes],
) -> list[Version | None]:
    """For each key the live row that the view sees, in the schema's layout. It reads files, for a thread.

    manifest: the view's, which it holds. Raises DataCorruptedError.
    """
    found = _Search(view, schema, manifest, reader, in_memory=False).versions(keys)
    return [one for one in found if not isinstance(one, ColdNeeded)]


@dataclass(frozen=True, slots=True)
class _Search:
    """in_memory: no file is read, and no entry of the log that is large: those are COLD_NEEDED."""

    view: View
    schema: Schema
    manifest: Manifest
    reader: Callable[[Segment], SegmentReader]
    in_memory: bool

    def versions(self, keys: Sequence[bytes]) -> list[Version | ColdNeeded | None]:
        """For each key its row, None: it has none."""
        found: dict[bytes, Version | ColdNeeded] = {}
        newest: dict[bytes, int] = {}
        tablet = self.manifest.tablet
        for key, known in zip(keys, self.view.known(tablet, keys), strict=True):
            newest[key] = 0
            if known is not None:
                self._look_in_log(key, found, newest)
        layout = self.schema.layout
        for segment in reversed(self.manifest.segments):
            some = [
                key
                for key, seq in newest.items()
                if seq < segment.max_seq and segment.min_key <= key <= segment.max_key
            ]
            for key, row in self._in_segment(self.reader(segment), some) if some else ():
                if row is None:
                    found[key] = COLD_NEEDED
                    del newest[key]
                elif row.seq > newest[key]:
                    newest[key] = row.seq
                    found.pop(key, None)
                    if not row.deleted:
                        found[key] = Version(row.seq, 0, Op.INSERT, row.row, layout.version, None)
        return [found.get(key) for key in keys]

    def _look_in_log(
        self, key: bytes, found: dict[bytes, Version | ColdNeeded], newest: dict[bytes, int]
    ) -> None:
        try:
            large: set[bytes] | None = set() if self.in_memory else None
            version = self.view.find(self.manifest.tablet, key, large)
        except LargeEntryError:
            found[key] = COLD_NEEDED
            del newest[key]
            return
        if version is None or version.seq <= self.manifest.hidden_through:
            return
        if version.op == Op.DELETE:
            newest[key] = version.seq
            return
        found[key] = in_layout(version, self.schema)
        del newest[key]  # It is the newest, whatever segments have.

    def _in_segment(
        self, reader: SegmentReader, keys: Sequence[bytes]
    ) -> Iterator[tuple[bytes, Found | None]]:
        """Those of the keys that a segment has; None: only its files can tell."""
        groups: dict[int, list[bytes]] = {}
        try:
            key_filter = reader.kept_filter() if self.in_memory else reader.load_filter()
        except NotInMemoryError:
            yield from zip(keys, repeat(None))
            return
        for key in keys:
            group = key_filter.row_group(key)
            if group >= 0 and key_filter.may_hold(key):
                groups.setdefault(group, []).append(key)
        read = RowGroups(reader, self.schema.layout, in_memory=self.in_memory)
        if self.in_memory and len(groups) > _BRIEF:
            yield from zip(chain.from_iterable(groups.values()), repeat(None))
            return
        for group, some in groups.items():
            try:
                found = _in_group(reader, read, group, some, in_memory=self.in_memory)
            except NotInMemoryError:
                yield from zip(some, repeat(None))
            else:
                yield from found


def _in_group(
    reader: SegmentReader, read: RowGroups, group: int, keys: Sequence[bytes], *, in_memory: bool
) -> list[tuple[bytes, Found]]:
    layout = read.layout
    columns = [layout.columns[position] for position in layout.key]
    names = [column_name(column) for column in columns]
    if not read.has_pages:
        table = table_of(reader, group, in_memory=in_memory)
        kept, places = _places([table.column(name).chunk(0) for name in names], keys, layout)
        rows = table.take(places)
        seqs, deleted = rows.column(SEQ).to_pylist(), rows.column(DELETED).to_pylist()
        return list(zip(kept, map(Found, seqs, deleted, to_rows(rows, layout)), strict=True))
    there = read.columns(group, names)
    kept, places = _places([there[name] for name in names], keys, layout)
    if not kept:
        return []
    names = [*(column_name(column) for column in layout.columns), SEQ, DELETED]
    if len(keys) >= _WHOLE:  # Others of it are asked for next, as a rule.
        values = {name: of.take(places) for name, of in read.columns(group, names).items()}
    else:
        values = read.rows_in(group, places, names)
    *own, seqs, deleted = [to_values(values[name]) for name in names]
    made = map(Found, seqs, deleted, zip(*own, strict=True))  # type: ignore[arg-type]  # of `_seq`
    return list(zip(kept, made, strict=True))


def in_layout(version: Version, schema: Schema) -> Version:
    """A version of a row as the schema has it."""
    if version.version == schema.layout.version:
        return version
    row = schema.newest(version.row, version.version)
    old = None if version.old is None else schema.newest(version.old, version.version)
    return Version(version.seq, version.n, version.op, row, schema.layout.version, old)


def _places(
    there: Sequence[pa.Array], keys: Sequence[bytes], layout: Layout
) -> tuple[Sequence[bytes], pa.Array]:
    """Those of the keys that a row group has, and where. there: the columns of its keys."""
    columns = [layout.columns[position] for position in layout.key]
    if len(keys) * _SEARCHED > len(there[0]):
        kinds = [column.kind for column in columns]
        try:
            own = Keys.of(there, kinds).codes
            wanted = key_batch([decode_key(key, kinds) for key in keys], layout)
            places = pc.index_in(Keys.of(wanted.columns, kinds).codes, value_set=own)
            distinct = pc.count_distinct(own, mode="all").as_py() == len(own)
        except pa.ArrowException:
            distinct, places = False, None  # It was written when the column had another type.
        if distinct:  # Else a tombstone is beside its key in another spelling.
            has = pc.is_valid(places)
            kept = [key for key, is_there in zip(keys, has.to_pylist(), strict=True) if is_there]
            return kept, places.filter(has)
    found = [(key, position_of(there, columns, key)) for key in keys]
    found = [(key, at) for key, at in found if at >= 0]
    return [key for key, _ in found], pa.array([at for _, at in found], pa.int64())
