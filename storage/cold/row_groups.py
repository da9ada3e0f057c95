"""A segment's row groups one by one: what their statistics tell, and columns of them decoded.

Columns stay in memory for a while (`storage.cold.decoded`), each by itself: which rows have a value is
seen in one narrow column, and only the row groups that have some are read further.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

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
from storage.cold.pages import PageTable
from storage.cold.point_read import NotInMemoryError, SegmentReader
from storage.cold.segment_pages import Asked, SegmentPages, Whole, plain, read_parts
from storage.cold.some_rows import SomeRows, back
from storage.cold.superseding import ORDERED_KINDS, Hiding
from storage.keys import decode_key
from storage.layout import Column, Layout, Value
from storage.lazy import lazy
from storage.shaped import in_form

_OPENED = "opened"
LOADED_TOGETHER = 8
"""Row groups decoded at once: they share a millisecond, and their memory is given back together."""

READ_TOGETHER = 32
"""Column chunks of which that is true, too."""


class _Opened(NamedTuple):
    """What is known of a segment before any column is read."""

    footer: Footer
    table: PageTable | None


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

    @property
    def has_pages(self) -> bool:
        """Whether single pages of it can be read."""
        return self._opened.table is not None

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
        """Decode several columns or row groups at once, which takes less than one by one.

        Raises:
            DataCorruptedError: The segment is not what was written.
        """
        there = [name for name in names if name in self._footer.index]
        lacking = [
            one
            for group in groups
            for name in there
            if self._pages.kept(one := Whole(group, name)) is None
        ]
        if not self._in_memory and len(lacking) > 1:
            self._read(lacking)

    def _read(self, lacking: Sequence[Whole]) -> dict[Whole, pa.Array]:
        """Decode columns of row groups that are not in memory."""
        if self._in_memory:
            raise NotInMemoryError
        found: dict[Whole, pa.Array] = {}
        others: dict[int, list[str]] = {}
        asked: list[Asked] = []
        for one in lacking:
            if self._pages.chunk(*one) is None:
                others.setdefault(one.group, []).append(one.name)
            else:
                asked.append((self._pages, one))
        asked.sort(key=lambda one: one[1].group)
        for start in range(0, len(asked), READ_TOGETHER):
            for (_, part), values in read_parts(asked[start : start + READ_TOGETHER]).items():
                found[Whole(part.group, part.name)] = values
        groups = sorted(others)
        for start in range(0, len(groups), LOADED_TOGETHER):
            some = groups[start : start + LOADED_TOGETHER]
            names = sorted({name for group in some for name in others[group]})
            found |= self._read_others(some, names)
        return found

    def _read_others(self, groups: Sequence[int], names: Sequence[str]) -> dict[Whole, pa.Array]:
        """The same of columns of which no pages are known."""
        footer, found = self._footer, dict[Whole, pa.Array]()
        table = self._reader.read_groups(groups, footer.metadata, names)
        start = 0
        for group in groups:
            rows = footer.rows[group]
            for name in names:
                values = table.column(name).slice(start, rows).combine_chunks()
                self._pages.keep(Whole(group, name), values)
                found[Whole(group, name)] = values
            start += rows
        return found

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
        kept = {name: self._pages.kept(Whole(group, name)) for name in names}
        for name, values in kept.items():
            if isinstance(values, pa.DictionaryArray):
                kept[name] = self._pages.replace(Whole(group, name), plain(values))
        lacking = [Whole(group, name) for name, values in kept.items() if values is None]
        if lacking:
            kept |= {one.name: values for one, values in self._read(lacking).items()}
        return kept

    def rows_at(self, rows: Sequence[int], names: Sequence[str]) -> dict[str, pa.Array]:
        """Columns of some rows of the segment, by their numbers and in their order.

        No more is read and decoded than the pages that they are in.

        Raises:
            DataCorruptedError: The segment is not what was written.
        """
        places = self.places(rows)
        order = back([place for _, own in places.values() for place in own])
        some = self._some_rows(places, names)
        others = [
            Whole(group, name)
            for key, groups in some.others.items()
            for group in groups
            for name in key
        ]
        some.give(
            read_parts(some.lacking, coded=True) if some.lacking else {},
            self._read(others) if others else {},
        )
        parts = some.columns()
        found: dict[str, pa.Array] = {}
        for name in names:
            if name not in parts:
                found[name] = self._missing(len(rows), name)
                continue
            values = parts[name][0] if len(parts[name]) == 1 else pa.concat_arrays(parts[name])
            found[name] = self._widened(name, values if order is None else values.take(order))
        return found

    def lacking(self, rows: Sequence[int], names: Sequence[str]) -> list[Asked]:
        """What `rows_at` would decode of pages."""
        return self._some_rows(self.places(rows), names).lacking

    def _some_rows(
        self, places: Mapping[int, tuple[list[int], list[int]]], names: Sequence[str]
    ) -> SomeRows:
        there = [name for name in names if name in self._footer.index]
        return SomeRows(self._pages, {group: at for group, (at, _) in places.items()}, there)

    def rows_in(self, group: int, at: pa.Array, names: Sequence[str]) -> dict[str, pa.Array]:
        """The same of some rows of a row group, by their numbers within it."""
        kept: dict[str, pa.Array] = {}
        for name in names:
            if name in self._footer.index:
                values = self._pages.kept(Whole(group, name))
                if values is None:
                    start = self._footer.starts[group]
                    return self.rows_at([start + row for row in at.to_pylist()], names)
                kept[name] = values
        return {
            name: self._widened(name, plain(kept[name].take(at)))
            if name in kept
            else self._missing(len(at), name)
            for name in names
        }

    def number(self, group: int, row: int) -> int:
        """The number within the segment of a row of a row group."""
        return self._footer.starts[group] + row

    @lazy
    def _pages(self) -> SegmentPages:
        opened = self._opened
        return SegmentPages(self._reader, opened.footer, opened.table, in_memory=self._in_memory)

    def _widened(self, name: str, values: pa.Array) -> pa.Array:
        """The values in the type that the column has in the layout, which may be a wider one."""
        kind = self._kinds.get(name)
        return values if kind is None or values.type == kind else in_form(values, kind)

    @lazy
    def _kinds(self) -> dict[str, pa.DataType]:
        return {column_name(column): column.arrow for column in self.layout.columns}

    @property
    def _footer(self) -> Footer:
        return self._opened.footer

    @lazy
    def _opened(self) -> _Opened:
        path = self.segment.path
        opened: _Opened | None = DECODED.get(path, _OPENED)
        if opened is None:
            if self._in_memory:
                raise NotInMemoryError
            table = self._reader.page_table()
            outline = None if table is None else table.outline
            opened = _Opened(Footer(outline, self._reader.read_footer), table)
            size = opened.footer.nbytes + (0 if table is None else table.nbytes)
            DECODED.put(path, _OPENED, opened, size)
        return opened

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


def missing_values(column: Column, rows: int) -> pa.Array:
    """A column of rows that were written without it."""
    if column.missing is None:
        return pa.nulls(rows, column.arrow)
    if pa.types.is_nested(column.arrow):
        return to_column([column.missing] * rows, column.arrow)
    return pa.repeat(to_array([column.missing], column.arrow)[0], rows)
