"""A segment's row groups one by one: what their statistics tell, and columns of them decoded.

Columns stay in memory for a while (`storage.cold.decoded`), each by itself: which rows have a value is
seen in one narrow column, and only the row groups that have some are read further.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property

import pyarrow as pa

from storage.arrow import SEQ, column_name, to_array, to_column
from storage.cold import index_file
from storage.cold.decoded import DECODED
from storage.cold.extents import Condition, Extent, MaybeExtent, of_missing, of_stats
from storage.cold.footer import Footer
from storage.cold.index_reader import SegmentIndex, open_index
from storage.cold.keysets import Keys
from storage.cold.manifest import Segment
from storage.cold.occurrences import Occurrences
from storage.cold.point_read import NotInMemoryError, SegmentReader
from storage.cold.segment_pages import SegmentPages
from storage.cold.some_rows import Whole, parts_of
from storage.cold.superseding import ORDERED_KINDS, Hiding
from storage.keys import decode_key
from storage.layout import Column, Layout, Value
from storage.shaped import in_form

_FOOTER = "footer"
LOADED_TOGETHER = 8
"""Row groups decoded at once: they share a millisecond, and their memory is given back together."""

_FOOTER_GROWTH = 10
"""Memory of a footer and its extents for each byte of it, roughly."""


class RowGroups:
    """One segment, for rows of `layout`.

    It reads files, so it is for a worker thread; or, with `in_memory`, none: what is not kept of them
    raises NotInMemoryError.
    """

    def __init__(self, reader: SegmentReader, layout: Layout, *, in_memory: bool = False) -> None:
        self.segment: Segment = reader.segment
        self.layout = layout
        self._reader = reader
        self._in_memory = in_memory

    @property
    def count(self) -> int:
        """How many row groups it has."""
        return len(self._footer.rows)

    @property
    def is_large(self) -> bool:
        """Whether it is worth a file for each declared index."""
        return self.segment.rows >= index_file.ROWS_MIN

    def rows(self, group: int) -> int:
        """How many rows, tombstones too, a row group has."""
        return self._footer.rows[group]

    def extent(self, position: int) -> MaybeExtent:
        """What the manifest tells of a column in the whole segment: no file is read."""
        segment, layout = self.segment, self.layout
        if position == len(layout.columns):
            return Extent(segment.min_seq, segment.max_seq, nulls=False)
        if position == layout.key[0]:
            return Extent(
                self._leading(segment.min_key), self._leading(segment.max_key), nulls=False
            )
        column = layout.columns[position]
        name = column_name(column)
        if name not in segment.columns:
            return of_missing(column)
        return of_stats(segment.columns[name], segment.rows)

    def extent_in(self, group: int, position: int) -> MaybeExtent:
        """What the file's footer tells of a column in one row group."""
        layout = self.layout
        if position == len(layout.columns):
            return self._footer.extents(SEQ, "int")[group]
        if position == layout.key[0]:
            return self._key_extent(group)
        column = layout.columns[position]
        if column_name(column) not in self.segment.columns:
            return of_missing(column)
        return self._footer.extents(column_name(column), column.kind)[group]

    def having(self, condition: Condition) -> Mapping[int, int] | None:
        """How many rows that are no tombstones meet a condition, by row group; None: it is not known.

        Raises:
            DataCorruptedError: The side file is not what was written.
        """
        if condition.operator != "=" or condition.position >= len(self.layout.columns):
            return None
        name = column_name(self.layout.columns[condition.position])
        kept: tuple[Occurrences | None] | None = DECODED.get(self.segment.path, ("values", name))
        if kept is None:
            if self._in_memory:
                raise NotInMemoryError
            kept = (self._reader.occurrences(name),)
            size = 64 if kept[0] is None else kept[0].nbytes
            DECODED.put(self.segment.path, ("values", name), kept, size)
        return None if kept[0] is None else kept[0].of(condition.value)

    def index(self, mark: str) -> SegmentIndex | None:
        """The entries of the declared index with this mark, None where there are none.

        Raises:
            IndexLostError: Its file is not what was written.
        """
        return open_index(self._reader.fs, self.segment, mark, in_memory=self._in_memory)

    def places(self, rows: Sequence[int]) -> dict[int, tuple[list[int], list[int]]]:
        """Rows of the segment by row groups: their numbers in these, and their places among `rows`."""
        starts = self._footer.starts
        found: dict[int, tuple[list[int], list[int]]] = {}
        for place, row in enumerate(rows):
            group = bisect_right(starts, row) - 1
            at, places = found.setdefault(group, ([], []))
            at.append(row - starts[group])
            places.append(place)
        return found

    def meets(self, group: int, hidden: Hiding) -> bool:
        """Whether newer segments may hide a row of a row group: its keys are not read."""
        bounds = self.bounds(group)
        return bounds is None or hidden.meets(bounds)

    def bounds(self, group: int) -> Keys | None:
        """Two keys between which those of a row group are, by their first column; None: not in its order."""
        column = self.layout.columns[self.layout.key[0]]
        if column.kind not in ORDERED_KINDS:
            return None
        extent = self._key_extent(group)
        return Keys.of([to_array([extent.low, extent.high], column.arrow)], [column.kind])

    def load(self, groups: Sequence[int], names: Sequence[str]) -> None:
        """Decode columns of several row groups at once, which takes less than one by one.

        Raises:
            DataCorruptedError: The segment is not what was written.
        """
        path, footer = self.segment.path, self._footer
        there = [name for name in names if name in footer.index]
        asked = [
            (group, name)
            for group in groups
            for name in there
            if DECODED.get(path, (group, name)) is None
        ]
        lacking = sorted({group for group, _ in asked})
        if len(lacking) < 2 or self._in_memory:
            return
        there = sorted({name for _, name in asked})
        for start in range(0, len(lacking), LOADED_TOGETHER):
            self._load(lacking[start : start + LOADED_TOGETHER], there)

    def _load(self, groups: Sequence[int], names: Sequence[str]) -> None:
        path, footer = self.segment.path, self._footer
        table = self._reader.read_groups(groups, footer.metadata, names)
        start = 0
        for group in groups:
            rows = footer.rows[group]
            for name in names:
                values = table.column(name).slice(start, rows).combine_chunks()
                DECODED.put(path, (group, name), values, values.nbytes)
            start += rows

    def columns(self, group: int, names: Sequence[str]) -> dict[str, pa.Array]:
        """Columns of a row group, by name.

        Raises:
            DataCorruptedError: The segment is not what was written.
        """
        there = [name for name in names if name in self._footer.index]
        found = self._decoded(group, there)
        if len(there) < len(names):
            rows = self.rows(group)
            found |= {name: self._missing(rows, name) for name in names if name not in found}
        return {name: self._widened(name, values) for name, values in found.items()}

    def _decoded(self, group: int, names: Sequence[str]) -> dict[str, pa.Array]:
        """Columns that the file has, in the types that they have there."""
        path = self.segment.path
        kept = {name: DECODED.get(path, (group, name)) for name in names}
        lacking = [name for name, values in kept.items() if values is None]
        if lacking:
            if self._in_memory:
                raise NotInMemoryError
            table = self._reader.read_group(group, self._footer.metadata, lacking)
            for name in lacking:
                values = kept[name] = table.column(name).combine_chunks()
                DECODED.put(path, (group, name), values, values.nbytes)
        return kept

    def rows_at(self, rows: Sequence[int], names: Sequence[str]) -> dict[str, pa.Array]:
        """Columns of some rows of the segment, by their numbers and in their order.

        No more is read and decoded than the pages that they are in.

        Raises:
            DataCorruptedError: The segment is not what was written.
        """
        places = self.places(rows)
        back = _back([place for _, own in places.values() for place in own])
        there = [name for name in names if name in self._footer.index]
        parts = parts_of(
            self._pages, {group: at for group, (at, _) in places.items()}, there, self._all_of
        )
        found: dict[str, pa.Array] = {}
        for name in names:
            if name not in parts:
                found[name] = self._missing(len(rows), name)
                continue
            values = parts[name][0] if len(parts[name]) == 1 else pa.concat_arrays(parts[name])
            found[name] = self._widened(name, values if back is None else values.take(back))
        return found

    def rows_in(self, group: int, at: pa.Array, names: Sequence[str]) -> dict[str, pa.Array]:
        """The same of some rows of a row group, by their numbers within it."""
        there = [name for name in names if name in self._footer.index]
        if all(self._pages.kept((group, name)) is not None for name in there):
            return {name: values.take(at) for name, values in self.columns(group, names).items()}
        start = self._footer.starts[group]
        return self.rows_at([start + row for row in at.to_pylist()], names)

    def number(self, group: int, row: int) -> int:
        """The number within the segment of a row of a row group."""
        return self._footer.starts[group] + row

    def _all_of(self, groups: Sequence[int], names: Sequence[str]) -> dict[Whole, pa.Array]:
        self.load(groups, names)
        return {
            (group, name): values
            for group in groups
            for name, values in self._decoded(group, names).items()
        }

    @cached_property
    def _pages(self) -> SegmentPages:
        return SegmentPages(self._reader, self._footer, in_memory=self._in_memory)

    def _widened(self, name: str, values: pa.Array) -> pa.Array:
        """The values in the type that the column has in the layout, which may be a wider one."""
        kind = self._kinds.get(name)
        return values if kind is None or values.type == kind else in_form(values, kind)

    @cached_property
    def _kinds(self) -> dict[str, pa.DataType]:
        return {column_name(column): column.arrow for column in self.layout.columns}

    @cached_property
    def _footer(self) -> Footer:
        path = self.segment.path
        footer: Footer | None = DECODED.get(path, _FOOTER)
        if footer is None:
            if self._in_memory:
                raise NotInMemoryError
            metadata = self._reader.read_footer()
            footer = Footer(metadata)
            DECODED.put(path, _FOOTER, footer, metadata.serialized_size * _FOOTER_GROWTH)
        return footer

    def _leading(self, key: bytes) -> Value:
        """The first column's value of an encoded key."""
        return decode_key(key, [self.layout.columns[at].kind for at in self.layout.key])[0]

    def _key_extent(self, group: int) -> Extent:
        """Of the key's first column, by which all row groups are in order."""
        reader = self._reader
        head = reader.kept_head() if self._in_memory else reader.load_head()
        first_keys = head.first_keys
        last = first_keys[group + 1] if group + 1 < len(first_keys) else self.segment.max_key
        return Extent(self._leading(first_keys[group]), self._leading(last), nulls=False)

    def _missing(self, rows: int, name: str) -> pa.Array:
        """A column that the segment was written without."""
        column = next(c for c in self.layout.columns if column_name(c) == name)
        return missing_values(column, rows)


def _back(places: Sequence[int]) -> pa.Array | None:
    """Where each is that was put behind each other by row groups; None: where it was."""
    if all(at == place for at, place in enumerate(places)):
        return None
    order = sorted(range(len(places)), key=places.__getitem__)
    return pa.array(order, pa.int64())


def missing_values(column: Column, rows: int) -> pa.Array:
    """A column of rows that were written without it."""
    if column.missing is None:
        return pa.nulls(rows, column.arrow)
    if pa.types.is_nested(column.arrow):
        return to_column([column.missing] * rows, column.arrow)
    return pa.repeat(to_array([column.missing], column.arrow)[0], rows)
