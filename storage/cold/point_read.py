"""What is read of a segment's files, and checked: the parts of its side file, footer, row groups and pages.

Each is checked by itself (`storage.cold.checked`), so the first answer does not wait for all of the file.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

import pyarrow as pa
import pyarrow.parquet as pq

from storage.arrow import column_name
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
from storage.layout import Layout

T = TypeVar("T")


class NotInMemoryError(Exception):
    """Only the file can tell: ask in a worker thread."""


class _NotItsError(Exception):
    """A side file is that of another segment."""


class SegmentReader:
    """One segment of a tablet, and what of it is in memory: at most its key filter.

    What is `kept` is for the event loop; all else reads files. Safe in several threads: the worst is
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
            self._of_side_file(lambda _stream, head: head)
            assert self._head is not None, "it was read just now"
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
            self._filter, self._head = found, found.head
        return self._filter

    def kept_filter(self) -> KeyFilter:
        """The key filter, once it was loaded. Raises NotInMemoryError."""
        if self._filter is None:
            raise NotInMemoryError
        return self._filter

    def _read_filter(self) -> KeyFilter:
        keys = self.segment.keys
        found = keyfilter.decode(keys or self.fs.read_bytes(self.segment.filter_path))
        self._check_belongs(found.head)
        return found

    def occurrences(self, column: str) -> Occurrences | None:
        """Where a column's values are; None when nothing is known of that.

        Raises:
            DataCorruptedError: The side file is not what was written.
        """
        if self.segment.keys:
            return None  # So few rows have none.
        return self._of_side_file(partial(_read_occurrences, column=column))

    def page_table(self) -> PageTable | None:
        """Where pages are; None where each column chunk is one.

        Raises:
            DataCorruptedError: The side file is not what was written.
        """
        table = self._of_side_file(_read_page_table)
        if table is not None and table.size > self.segment.size:
            raise damaged(self.segment, self._tablet, "has the key filter of another")
        return table

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

    def _check_belongs(self, head: Head) -> None:
        if head.pieces is not None and head.sha256 != self.segment.sha256:
            raise _NotItsError("it is of another segment")

    def _of_side_file(self, read: Callable[[BinaryIO, Head], T]) -> T:
        """Something of the side file, of which the head is read once."""

        def read_it() -> T:
            if self.segment.keys:
                return self._with_head(BytesIO(self.segment.keys), read)
            path = self.segment.filter_path
            with translated(path), self.fs.open_read(path) as stream:
                return self._with_head(stream, read)

        return self._side_file(read_it)

    def _with_head(self, stream: BinaryIO, read: Callable[[BinaryIO, Head], T]) -> T:
        head = self._head
        if head is None:
            head = keyfilter.read_head(stream)
            self._check_belongs(head)
            self._head = head
        return read(stream, head)

    def _side_file(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except FileNotFoundError as exc:
            raise damaged(self.segment, self._tablet, "has no key filter") from exc
        except _NotItsError as exc:
            raise damaged(self.segment, self._tablet, "has the key filter of another") from exc
        except DataCorruptedError as exc:
            raise damaged(self.segment, self._tablet, "has a damaged key filter") from exc

    def superseding(self, layout: Layout) -> Keys | None:
        """Keys of the segment, among them all of those whose rows in older segments it hides; None: none.

        Raises:
            DataCorruptedError: The side file is not what was written.
        """
        kinds = [layout.columns[position].kind for position in layout.key]
        data = self._of_side_file(keyfilter.read_superseding)
        if data is not None:
            return decode_superseding(data, kinds)
        # It was written when nothing was noted of them: then all of its keys may do so.
        names = [column_name(layout.columns[position]) for position in layout.key]
        table = self.read_groups(range(len(self.load_head().first_keys)), columns=names)
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
        self._of_side_file(keyfilter.read_superseding)
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


def _read_occurrences(stream: BinaryIO, head: Head, *, column: str) -> Occurrences | None:
    data = keyfilter.read_occurrences(stream, head, column)
    return None if data is None else Occurrences.decode(data)


def _read_page_table(stream: BinaryIO, head: Head) -> PageTable | None:
    data = keyfilter.read_pages(stream, head)
    return PageTable.decode(data) if data else None


def forget_file(path: Path) -> None:
    """A segment's file was removed."""
    forget_verified(path)
    DECODED.forget(str(path))
