"""Point reads of a segment: key filter, row group, then bisection by encoded key.

Row groups that were decoded lately stay in memory, so that a key read again costs no file.
"""

import hashlib
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from storage.arrow import DELETED, SEQ, column_name, to_rows, value_getter
from storage.cold import keyfilter
from storage.cold.keyfilter import KeyFilter
from storage.cold.manifest import Segment
from storage.cold.segment import damaged, forget_verified, read_table, verify
from storage.errors import DataCorruptedError
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.keys import encode_key
from storage.layout import Column, Layout, Row


class Found(NamedTuple):
    """A version found in a segment, its row in the layout asked for."""

    seq: int
    deleted: bool
    row: Row


class NotInMemoryError(Exception):
    """Only the file can tell: ask in a worker thread."""


class RowGroups:
    """Row groups that point reads have decoded lately, the least used going first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._tables: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()
        self._groups: dict[str, set[int]] = {}  # By path: many files go when a table is dropped.
        self._bytes = 0

    def get(self, path: str, group: int) -> pa.Table | None:
        with self._lock:
            table = self._tables.get((path, group))
            if table is not None:
                self._tables.move_to_end((path, group))
            return table

    def put(self, path: str, group: int, table: pa.Table) -> None:
        with self._lock:
            if (path, group) in self._tables:
                return
            self._tables[path, group] = table
            self._groups.setdefault(path, set()).add(group)
            self._bytes += table.nbytes
            while self._bytes > self._bytes_max:
                self._drop(*next(iter(self._tables)))

    def forget(self, path: str) -> None:
        with self._lock:
            for group in tuple(self._groups.get(path, ())):
                self._drop(path, group)

    def _drop(self, path: str, group: int) -> None:
        self._bytes -= self._tables.pop((path, group)).nbytes
        groups = self._groups[path]
        groups.remove(group)
        if not groups:
            del self._groups[path]


_GROUPS = RowGroups(64 << 20)  # One for the process: some 40 row groups of messages.


class SegmentReader:
    """One segment of a tablet, and what of it is in memory: at most its key filter.

    `find_cached` is for the event loop; all else reads files. Safe in several threads: the worst is
    that two load the same filter.
    """

    def __init__(self, fs: FileSystem, segment: Segment, tablet: TabletId) -> None:
        self.segment = segment
        self._fs = fs
        self._path = Path(segment.path)
        self._tablet = tablet
        self._filter: KeyFilter | None = None

    def load_filter(self) -> KeyFilter:
        """The key filter, read at the first call. Raises DataCorruptedError."""
        if self._filter is None:
            path = self._path.with_name(self.segment.filter_file)
            try:
                self._filter = keyfilter.decode(self._fs.read_bytes(path))
            except FileNotFoundError as exc:
                raise damaged(self.segment, self._tablet, "has no key filter") from exc
            except DataCorruptedError as exc:
                raise damaged(self.segment, self._tablet, "has a damaged key filter") from exc
        return self._filter

    def find(self, key: bytes, layout: Layout) -> Found | None:
        """The version of a key, None when the segment lacks it.

        Raises:
            DataCorruptedError: The segment or its filter is not what was written.
        """
        key_filter = self.load_filter()
        group = key_filter.row_group(key)
        if group < 0 or not key_filter.may_hold(key):
            return None
        table = _GROUPS.get(self.segment.path, group)
        if table is None:
            self.verify()
            with self._fs.open_read(self._path) as stream:
                file = pq.ParquetFile(stream, page_checksum_verification=True)
                table = file.read_row_group(group).combine_chunks()
            _GROUPS.put(self.segment.path, group, table)
        return _find(table, key, layout)

    def find_cached(self, key: bytes, layout: Layout) -> Found | None:
        """As `find`, out of memory. Raises NotInMemoryError when that cannot tell."""
        if self._filter is None:
            raise NotInMemoryError
        group = self._filter.row_group(key)
        if group < 0 or not self._filter.may_hold(key):
            return None
        table = _GROUPS.get(self.segment.path, group)
        if table is None:
            raise NotInMemoryError
        return _find(table, key, layout)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All versions in the segment, verified; columns that it lacks are left out."""
        data = self._fs.read_bytes(self._path)
        if hashlib.sha256(data).hexdigest() != self.segment.sha256:
            raise damaged(self.segment, self._tablet, "is not what was written")
        return read_table(pa.py_buffer(data), columns)

    def verify(self) -> None:
        """Check the sha256, unless this very file was found right before in this process.

        Raises:
            DataCorruptedError: The file is missing or is not what was written.
        """
        verify(self._fs, self.segment, self._tablet)


def forget_file(path: Path) -> None:
    """A segment's file was removed."""
    forget_verified(path)
    _GROUPS.forget(str(path))


def _find(table: pa.Table, key: bytes, layout: Layout) -> Found | None:
    """The row of a sorted row group that has the key.

    The last one, should a tombstone stand beside it under another spelling of the same key.
    """
    keys = _Keys(table, [layout.columns[position] for position in layout.key])
    at = bisect_right(keys, key) - 1
    if at < 0 or keys[at] != key:
        return None
    row = table.slice(at, 1)
    return Found(
        row.column(SEQ)[0].as_py(), row.column(DELETED)[0].as_py(), to_rows(row, layout)[0]
    )


class _Keys(Sequence[bytes]):
    """The encoded keys of a row group's rows, each encoded when bisection asks for it."""

    def __init__(self, table: pa.Table, columns: Sequence[Column]) -> None:
        self._values = [value_getter(table.column(column_name(c)).chunk(0)) for c in columns]
        self._kinds = [column.kind for column in columns]
        self._rows: int = table.num_rows

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, at: int) -> bytes:  # type: ignore[override]
        if at >= self._rows:
            raise IndexError(at)
        return encode_key([value(at) for value in self._values], self._kinds)
