"""A segment's file read in pieces, each checked against its checksum before anything is made of it.

A flipped bit can pass through Parquet readers as a wrong answer, and to hash a whole file before a first
answer takes longer than to answer. So every byte of the file is in one piece with a crc32 of its own: what
is before the first column chunk and each column chunk, in the order of the file, then page index and
footer. The segment's side file has them (`storage.cold.keyfilter`).
"""

import io
import zlib
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow.parquet as pq

from storage.fs import Buffer


@dataclass(frozen=True, slots=True)
class Pieces:
    """Where each piece of a file ends, in order, and its crc32."""

    ends: tuple[int, ...]
    crcs: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self.ends[-1] if self.ends else 0

    def piece(self, at: int) -> tuple[int, int, int]:
        """The number of the piece that has the byte at `at`, its start and its end."""
        number = bisect_right(self.ends, at)
        return number, self.ends[number - 1] if number else 0, self.ends[number]


class PieceDamagedError(Exception):
    """A piece is not what was written."""


def pieces_of(data: Buffer, metadata: pq.FileMetaData | None) -> Pieces:
    """The pieces of a Parquet file; one in all without its metadata."""
    ends: list[int] = []
    whole = memoryview(data)
    if metadata is not None:
        for group in range(metadata.num_row_groups):
            row_group = metadata.row_group(group)
            for number in range(metadata.num_columns):
                chunk = row_group.column(number)
                first = chunk.dictionary_page_offset or chunk.data_page_offset
                ends.append(first + chunk.total_compressed_size)
        assert ends == sorted(ends), "chunks lie in the order of groups and columns"
    ends.append(len(whole))
    starts = (0, *ends[:-1])
    crcs = [zlib.crc32(whole[start:end]) for start, end in zip(starts, ends, strict=True)]
    return Pieces(tuple(ends), tuple(crcs))


def damaged_piece(stream: BinaryIO, pieces: Pieces) -> bool:
    """Whether any piece of a file is not what was written."""
    start = 0
    for end, crc in zip(pieces.ends, pieces.crcs, strict=True):
        if zlib.crc32(stream.read(end - start)) != crc:
            return True
        start = end
    return False


class CheckedFile(io.RawIOBase):
    """A file of which only checked bytes are read. For one thread; the piece read last is kept.

    Its `read` raises PieceDamagedError, which readers of Parquet pass on.
    """

    def __init__(self, stream: BinaryIO, pieces: Pieces) -> None:
        super().__init__()
        self._stream = stream
        self._pieces = pieces
        self._at = 0
        self._kept: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set where the next read begins."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._pieces.size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next bytes; fewer at the end of the file."""
        size_of_file = self._pieces.size
        end = size_of_file if size < 0 else min(size_of_file, self._at + size)
        found: list[bytes] = []
        while self._at < end:
            number, start, piece_end = self._pieces.piece(self._at)
            data = self._piece(number, start, piece_end)
            upto = min(end, piece_end)
            whole = self._at == start and upto == piece_end
            found.append(data if whole else data[self._at - start : upto - start])
            self._at = upto
        return found[0] if len(found) == 1 else b"".join(found)

    def _piece(self, number: int, start: int, end: int) -> bytes:
        if self._kept[0] == number:
            return self._kept[1]
        self._stream.seek(start)
        data = self._stream.read(end - start)
        if zlib.crc32(data) != self._pieces.crcs[number]:
            raise PieceDamagedError
        self._kept = number, data
        return data


def check_columns(
    stream: BinaryIO,
    pieces: Pieces,
    metadata: pq.FileMetaData,
    columns: Collection[str] | None,
) -> None:
    """Check the chunks of some columns (None: all), by the names of their leaves' roots.

    Raises:
        PieceDamagedError: One of them is not what was written.
    """
    file = CheckedFile(stream, pieces)
    if len(pieces.ends) == 1:
        file.read(1)
        return
    schema = metadata.schema
    wanted = [
        number
        for number in range(metadata.num_columns)
        if columns is None or schema.column(number).path.split(".")[0] in columns
    ]
    for group in range(metadata.num_row_groups):
        for number in wanted:
            file.seek(pieces.ends[group * metadata.num_columns + number] - 1)
            file.read(1)
