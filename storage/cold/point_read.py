"""Point reads of a segment: key filter, row group, then bisection by encoded key.

Row groups that were decoded lately stay in memory, so that a key read again costs no file.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq

from storage.arrow import DELETED, SEQ, column_name, to_rows, value_getter
from storage.cold import keyfilter
from storage.cold.decoded import DECODED
from storage.cold.keyfilter import KeyFilter
from storage.cold.manifest import Segment
from storage.cold.segment import damaged, forget_verified, read_table, verify
from storage.errors import DataCorruptedError
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.keys import encode_key
from storage.layout import Column, Layout, Row

_KEYS = "keys"
"""Part of a decoded row group: its key columns and `_seq`."""


class Found(NamedTuple):
    """A version found in a segment, its row in the layout asked for."""

    seq: int
    deleted: bool
    row: Row


class NotInMemoryError(Exception):
    """Only the file can tell: ask in a worker thread."""


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

    def kept_filter(self) -> KeyFilter:
        """The key filter, once it was loaded. Raises NotInMemoryError."""
        if self._filter is None:
            raise NotInMemoryError
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
        table: pa.Table | None = DECODED.get(self.segment.path, group)
        if table is None:
            table = self.read_group(group).combine_chunks()
            DECODED.put(self.segment.path, group, table, table.nbytes)
        return _find(table, key, layout)

    def find_cached(self, key: bytes, layout: Layout) -> Found | None:
        """As `find`, out of memory. Raises NotInMemoryError when that cannot tell."""
        key_filter = self.kept_filter()
        group = key_filter.row_group(key)
        if group < 0 or not key_filter.may_hold(key):
            return None
        table: pa.Table | None = DECODED.get(self.segment.path, group)
        if table is None:
            raise NotInMemoryError
        return _find(table, key, layout)

    def seq_of(self, key: bytes, layout: Layout) -> int | None:
        """The commit that wrote the version of a key, None when the segment lacks it.

        Cheaper than `find`, for a key that is only asked whether it is newer than another.
        """
        key_filter = self.load_filter()
        group = key_filter.row_group(key)
        if group < 0 or not key_filter.may_hold(key):
            return None
        part = (group, _KEYS)
        table: pa.Table | None = DECODED.get(self.segment.path, part)
        if table is None:
            names = [column_name(layout.columns[position]) for position in layout.key]
            table = self.read_group(group, columns=[*names, SEQ]).combine_chunks()
            DECODED.put(self.segment.path, part, table, table.nbytes)
        at = _position(table, key, layout)
        return None if at < 0 else cast("int", table.column(SEQ)[at].as_py())

    def read_footer(self) -> pq.FileMetaData:
        """What the file says of itself. Raises DataCorruptedError."""
        self.verify()
        with self._fs.open_read(self._path) as stream:
            return pq.ParquetFile(stream).metadata

    def read_group(
        self,
        group: int,
        footer: pq.FileMetaData | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Some columns (None: all) of one row group. Raises DataCorruptedError."""
        self.verify()
        with self._fs.open_read(self._path) as stream:
            file = pq.ParquetFile(stream, metadata=footer, page_checksum_verification=True)
            return file.read_row_group(group, columns=columns, use_threads=columns is None)

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
    DECODED.forget(str(path))


def _find(table: pa.Table, key: bytes, layout: Layout) -> Found | None:
    """The row of a sorted row group that has the key."""
    at = _position(table, key, layout)
    if at < 0:
        return None
    row = table.slice(at, 1)
    return Found(
        row.column(SEQ)[0].as_py(), row.column(DELETED)[0].as_py(), to_rows(row, layout)[0]
    )


def _position(table: pa.Table, key: bytes, layout: Layout) -> int:
    """Where in a sorted row group the key stands, -1 when it does not.

    The last one, should a tombstone stand beside it under another spelling of the same key.
    """
    keys = _Keys(table, [layout.columns[position] for position in layout.key])
    at = bisect_right(keys, key) - 1
    return at if at >= 0 and keys[at] == key else -1


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
