"""Point reads of a segment: key filter, row group, then bisection by encoded key.

Row groups that were decoded lately stay in memory, so that a key read again costs no file. What is read
is checked piece by piece (`storage.cold.checked`), so the first answer does not wait for all of the file.
"""

import hashlib
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar, cast

import pyarrow as pa
import pyarrow.parquet as pq

from storage.arrow import DELETED, SEQ, column_name, to_rows, value_getter
from storage.cold import keyfilter
from storage.cold.checked import CheckedFile, PieceDamagedError, damaged_piece
from storage.cold.decoded import DECODED
from storage.cold.keyfilter import Head, KeyFilter
from storage.cold.keysets import Keys
from storage.cold.manifest import Segment
from storage.cold.occurrences import Occurrences
from storage.cold.pages import Page, PageTable, read_together
from storage.cold.segment import damaged, forget_verified, read_table, verify
from storage.cold.superseding import decode as decode_superseding
from storage.errors import DataCorruptedError
from storage.fs import FileSystem, translated
from storage.ids import TabletId
from storage.keys import encode_key
from storage.layout import Column, Layout, Row

T = TypeVar("T")


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
        self.fs = fs
        self._path = Path(segment.path)
        self._tablet = tablet
        self._head: Head | None = None
        self._filter: KeyFilter | None = None

    def load_head(self) -> Head:
        """What the side file says of row groups and pieces, read once. Raises DataCorruptedError."""
        if self._head is None:
            head = self._side_file(self._read_head)
            self._check_belongs(head)
            self._head = head
        return self._head

    def kept_head(self) -> Head:
        """The same, once it was loaded. Raises NotInMemoryError."""
        if self._head is None:
            raise NotInMemoryError
        return self._head

    def load_filter(self) -> KeyFilter:
        """The key filter, read at the first call. Raises DataCorruptedError."""
        if self._filter is None:
            found = self._side_file(self._read_filter)
            self._check_belongs(found.head)
            self._filter, self._head = found, found.head
        return self._filter

    def kept_filter(self) -> KeyFilter:
        """The key filter, once it was loaded. Raises NotInMemoryError."""
        if self._filter is None:
            raise NotInMemoryError
        return self._filter

    def _read_filter(self) -> KeyFilter:
        keys = self.segment.keys
        return keyfilter.decode(keys or self.fs.read_bytes(self.segment.filter_path))

    def _read_head(self) -> Head:
        if self.segment.keys:
            return keyfilter.read_head(BytesIO(self.segment.keys))
        path = self.segment.filter_path
        with translated(path), self.fs.open_read(path) as stream:
            return keyfilter.read_head(stream)

    def occurrences(self, column: str) -> Occurrences | None:
        """Where a column's values are; None when nothing is known of that.

        Raises:
            DataCorruptedError: The side file is not what was written.
        """

        def read() -> tuple[Head, bytes | None]:
            path = self.segment.filter_path
            with translated(path), self.fs.open_read(path) as stream:
                return keyfilter.read_occurrences(stream, column)

        if self.segment.keys:
            return None  # So few rows have none.
        head, data = self._side_file(read)
        self._check_belongs(head)
        return None if data is None else Occurrences.decode(data)

    def page_table(self) -> PageTable | None:
        """Where pages are; None where each column chunk is one.

        Raises:
            DataCorruptedError: The side file is not what was written.
        """
        head, data = self._side_file(self._read_page_table)
        self._check_belongs(head)
        if not data:
            return None
        table = self._side_file(partial(PageTable.decode, data))
        if table.size > self.segment.size:
            raise damaged(self.segment, self._tablet, "has the key filter of another")
        return table

    def _read_page_table(self) -> tuple[Head, bytes]:
        if self.segment.keys:
            return keyfilter.read_pages(BytesIO(self.segment.keys))
        path = self.segment.filter_path
        with translated(path), self.fs.open_read(path) as stream:
            return keyfilter.read_pages(stream)

    def read_pages(self, pages: Iterable[Page]) -> dict[int, memoryview]:
        """The bytes of some pages of `page_table`, each checked, by where it begins.

        Raises:
            DataCorruptedError: One of them is not what was written.
        """
        found: dict[int, memoryview] = {}
        try:
            with translated(self._path), self.fs.open_read(self._path) as stream:
                for together in read_together(pages):
                    start, last = together[0].start, together[-1]
                    stream.seek(start)
                    data = memoryview(stream.read(last.start + last.size - start))
                    for page in together:
                        found[page.start] = own = data[page.start - start :][: page.size]
                        if zlib.crc32(own) != page.crc:
                            raise damaged(self.segment, self._tablet, "is not what was written")
        except FileNotFoundError as exc:
            raise damaged(self.segment, self._tablet, "is missing") from exc
        return found

    def _read_superseding(self) -> tuple[Head, bytes | None]:
        if self.segment.keys:
            return keyfilter.read_superseding(BytesIO(self.segment.keys))
        path = self.segment.filter_path
        with translated(path), self.fs.open_read(path) as stream:
            return keyfilter.read_superseding(stream)

    def _check_belongs(self, head: Head) -> None:
        if head.pieces is not None and head.sha256 != self.segment.sha256:
            raise damaged(self.segment, self._tablet, "has the key filter of another")

    def _side_file(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except FileNotFoundError as exc:
            raise damaged(self.segment, self._tablet, "has no key filter") from exc
        except DataCorruptedError as exc:
            raise damaged(self.segment, self._tablet, "has a damaged key filter") from exc

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

    def superseding(self, layout: Layout) -> Keys | None:
        """Keys of the segment, among them all of those whose rows in older segments it hides; None: none.

        Raises:
            DataCorruptedError: The side file is not what was written.
        """
        kinds = [layout.columns[position].kind for position in layout.key]
        head, data = self._side_file(self._read_superseding)
        self._check_belongs(head)
        if data is not None:
            return decode_superseding(data, kinds)
        # It was written when nothing was noted of them: then all of its keys may do so.
        names = [column_name(layout.columns[position]) for position in layout.key]
        table = self.read_groups(range(len(head.first_keys)), columns=names)
        return Keys.of([table.column(name) for name in names], kinds)

    def read_footer(self) -> pq.FileMetaData:
        """What the file says of itself. Raises DataCorruptedError."""
        with self._opened() as stream:
            pieces = self.load_head().pieces
            if pieces is None or len(pieces.ends) == 1:
                return pq.read_metadata(stream)
            # The last piece is all that is needed; of a whole file 64 kB would be read, and checked.
            stream.seek(pieces.ends[-2])
            return pq.read_metadata(pa.BufferReader(stream.read()))

    def read_group(
        self,
        group: int,
        footer: pq.FileMetaData | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Some columns (None: all) of one row group. Raises DataCorruptedError."""
        return self.read_groups([group], footer, columns)

    def read_groups(
        self,
        groups: Sequence[int],
        footer: pq.FileMetaData | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """As `read_group`, of several, one behind the other.

        In this thread alone: each thread that takes part would have memory of its own to touch first.
        """
        with self._opened() as stream:
            file = pq.ParquetFile(
                stream, metadata=footer, pre_buffer=False, page_checksum_verification=True
            )
            return file.read_row_groups(groups, columns=columns, use_threads=False)

    def check_pieces(self) -> None:
        """Read the whole side file, and whether it knows the segment's pieces right.

        Raises:
            DataCorruptedError: One of them is not what was written.
        """
        pieces = self.load_filter().head.pieces
        self._side_file(self._read_superseding)
        for name in self.segment.columns:
            self.occurrences(name)
        table = self.page_table()
        if table is not None:
            for part in table.parts():
                self.read_pages(part)
        if pieces is not None:
            with translated(self._path), self.fs.open_read(self._path) as stream:
                if damaged_piece(stream, pieces):
                    raise damaged(self.segment, self._tablet, "is not what its key filter says")

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The file, of which nothing is read that was not checked. What it raises is translated."""
        pieces = self.load_head().pieces
        if pieces is None:
            verify(self.fs, self.segment, self._tablet)
        try:
            with translated(self._path), self.fs.open_read(self._path) as stream:
                if pieces is None:
                    yield stream
                else:
                    yield cast("BinaryIO", CheckedFile(stream, pieces))
        except FileNotFoundError as exc:
            raise damaged(self.segment, self._tablet, "is missing") from exc
        except PieceDamagedError as exc:
            raise damaged(self.segment, self._tablet, "is not what was written") from exc

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All versions in the segment, verified; columns that it lacks are left out."""
        data = self.fs.read_bytes(self._path)
        if hashlib.sha256(data).hexdigest() != self.segment.sha256:
            raise damaged(self.segment, self._tablet, "is not what was written")
        return read_table(pa.py_buffer(data), columns)


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
