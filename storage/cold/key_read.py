"""Point reads of a segment: key filter, row group, bisection by encoded key, and the pages of that row.

Rows that were found lately stay in memory by their keys, and the columns of the keys by row groups: so a key
read again costs no file, and its neighbours one page of each column.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, cast

import pyarrow as pa

from storage.arrow import DELETED, SEQ, column_name, to_rows, to_values, value_getter
from storage.cold.decoded import DECODED
from storage.cold.point_read import NotInMemoryError, SegmentReader
from storage.cold.row_groups import RowGroups
from storage.keys import encode_key
from storage.layout import Column, Layout, Row


class Found(NamedTuple):
    """A version found in a segment, its row in the layout asked for."""

    seq: int
    deleted: bool
    row: Row


def find(reader: SegmentReader, key: bytes, layout: Layout) -> Found | None:
    """The version of a key, None when the segment lacks it. It reads files.

    Raises:
        DataCorruptedError: The segment or its filter is not what was written.
    """
    key_filter = reader.load_filter()
    group = key_filter.row_group(key)
    if group < 0 or not key_filter.may_hold(key):
        return None
    return _find(reader, group, key, layout, in_memory=False)


def find_cached(reader: SegmentReader, key: bytes, layout: Layout) -> Found | None:
    """As `find`, out of memory. Raises NotInMemoryError when that cannot tell."""
    key_filter = reader.kept_filter()
    group = key_filter.row_group(key)
    if group < 0 or not key_filter.may_hold(key):
        return None
    return _find(reader, group, key, layout, in_memory=True)


_ROW_BYTES = 1024
"""About what a row that is kept takes beside its values."""


class _Kept(NamedTuple):
    """What was found of a key, for a layout."""

    layout: Layout
    found: Found | None


def _find(
    reader: SegmentReader, group: int, key: bytes, layout: Layout, *, in_memory: bool
) -> Found | None:
    path, part = reader.segment.path, ("row", key)
    kept: _Kept | None = DECODED.get(path, part)
    if kept is not None and kept.layout is layout:
        return kept.found
    groups = RowGroups(reader, layout, in_memory=in_memory)
    if not groups.has_pages:
        return _find_in(table_of(reader, group, in_memory=in_memory), key, layout)
    columns = [layout.columns[position] for position in layout.key]
    names = [column_name(column) for column in columns]
    keys = groups.columns(group, names)
    at = position_of([keys[name] for name in names], columns, key)
    found, size = None, _ROW_BYTES
    if at >= 0:
        names = [*(column_name(column) for column in layout.columns), SEQ, DELETED]
        values = groups.rows_at([groups.number(group, at)], names)
        *row, seq, deleted = [to_values(values[name])[0] for name in names]
        found = Found(cast("int", seq), cast("bool", deleted), tuple(row))
        size += sum(one.nbytes for one in values.values())
    DECODED.replace(path, part, _Kept(layout, found), size)
    return found


def table_of(reader: SegmentReader, group: int, *, in_memory: bool) -> pa.Table:
    """All of a row group of which no pages are known."""
    table: pa.Table | None = DECODED.get(reader.segment.path, group)
    if table is None:
        if in_memory:
            raise NotInMemoryError
        table = reader.read_group(group).combine_chunks()
        DECODED.put(reader.segment.path, group, table, table.nbytes)
    return table


def _find_in(table: pa.Table, key: bytes, layout: Layout) -> Found | None:
    """The row of a sorted row group that has the key."""
    columns = [layout.columns[position] for position in layout.key]
    at = position_of([table.column(column_name(c)).chunk(0) for c in columns], columns, key)
    if at < 0:
        return None
    row = table.slice(at, 1)
    return Found(
        row.column(SEQ)[0].as_py(), row.column(DELETED)[0].as_py(), to_rows(row, layout)[0]
    )


def position_of(values: Sequence[pa.Array], columns: Sequence[Column], key: bytes) -> int:
    """Where in a sorted row group the key stands, -1 when it does not.

    The last one, should a tombstone stand beside it under another spelling of the same key.
    """
    keys = _Keys(values, columns)
    at = bisect_right(keys, key) - 1
    return at if at >= 0 and keys[at] == key else -1


class _Keys(Sequence[bytes]):
    """The encoded keys of a row group's rows, each encoded when bisection asks for it."""

    def __init__(self, values: Sequence[pa.Array], columns: Sequence[Column]) -> None:
        self._values = [value_getter(one) for one in values]
        self._kinds = [column.kind for column in columns]
        self._rows = len(values[0])

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, at: int) -> bytes:  # type: ignore[override]
        if at >= self._rows:
            raise IndexError(at)
        return encode_key([value(at) for value in self._values], self._kinds)
