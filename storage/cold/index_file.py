"""Index files: of one segment's live rows what a declared index sorts by, in order, and where each row is.

Such a file is a function of a segment, which never changes, and of an index's definition, of which its name
has a mark. So no manifest names it: where it is missing, or is not what was written, the segment is read as
if there were no index, and the file is made again (decision 0104). Its rows sort by one string of bytes each
(`rank_of`), so that the order of every type, DESC and where NULLs come are settled when it is written.

File: format byte 1, length and crc32 of the head (4 bytes each, big-endian), the head as a msgpack array
(the segment's sha256, whether it has all rows that it should have, then for each block its first key, the
entries before it, where it ends, its crc32), and the blocks: zstd of a msgpack array of keys and of row
numbers within the segment.
"""

import zlib
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import accumulate, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import pyarrow as pa

from storage.cold.manifest import Segment
from storage.errors import DataCorruptedError

FORMAT = 1
PREFIX = "index-"
"""What the names of these files begin with."""

ROWS_MIN = 8192
"""A smaller segment is looked through as quickly."""

KEY_BYTES_MAX = 1024
"""A segment with longer keys has no use of the index: its file says so, and is not made again."""

BLOCK_ENTRIES = 512
"""Entries that are read together: some 50 µs."""

SORTED_TOGETHER = 1 << 18
"""Entries that are sorted as Python objects: some 40 MB."""

_FIXED_BYTES = 9
_CODEC = pa.Codec("zstd")


class Entry(NamedTuple):
    """A row of the segment, by its number, and what it sorts by."""

    key: bytes
    row: int


class Block(NamedTuple):
    """Some entries, in order."""

    keys: list[bytes]
    rows: list[int]


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What a file says of its blocks; `before` has one number more: all entries."""

    sha256: bytes
    usable: bool
    first_keys: tuple[bytes, ...]
    before: tuple[int, ...]
    sizes: tuple[int, ...]
    ends: tuple[int, ...]
    crcs: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """About its memory."""
        return 256 + sum(map(len, self.first_keys)) + 160 * len(self.first_keys)


_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(Head).decode
_decode_block = msgspec.msgpack.Decoder(Block).decode


def name_of(segment: Segment, mark: str) -> str:
    """What the file of an index with this mark is called, beside the segment."""
    return f"{PREFIX}{Path(segment.path).stem.removeprefix('segment-')}-{mark}"


def segment_and_mark(name: str) -> tuple[str, str]:
    """The segment's file name and the mark in the name of an index's file."""
    segment, _, mark = name.removeprefix(PREFIX).rpartition("-")
    return f"segment-{segment}.parquet", mark


class _Packed(NamedTuple):
    """A block as it lies in the file. entries: how many. size: of it when it is decompressed."""

    first_key: bytes
    entries: int
    size: int
    data: bytes


def _packed(entries: Iterable[Entry]) -> Iterator[_Packed]:
    rest = iter(entries)
    while some := list(islice(rest, BLOCK_ENTRIES)):
        plain = _encode(([entry.key for entry in some], [entry.row for entry in some]))
        yield _Packed(some[0].key, len(some), len(plain), _CODEC.compress(plain, asbytes=True))


def _unpacked(blocks: list[_Packed]) -> Iterator[Entry]:
    """The entries of blocks, each of which is let go of."""
    blocks.reverse()
    while blocks:
        block = blocks.pop()
        keys, rows = _decode_block(_CODEC.decompress(block.data, block.size, asbytes=True))
        yield from map(Entry, keys, rows)


class Sorter:
    """Sorts entries in bounded memory: all but the last `SORTED_TOGETHER` are compressed, in sorted runs."""

    def __init__(self) -> None:
        self._runs: list[list[_Packed]] = []
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """One more, in any order."""
        self._entries.append(entry)
        if len(self._entries) >= SORTED_TOGETHER:
            self._entries.sort()
            self._runs.append(list(_packed(self._entries)))
            self._entries = []

    def sorted(self) -> Iterator[Entry]:
        """All of them in order. Once."""
        self._entries.sort()
        if not self._runs:
            return iter(self._entries)
        return merge(*map(_unpacked, self._runs), self._entries)


def encode(segment_sha256: str, entries: Iterable[Entry] | None) -> list[bytes]:
    """The file of these entries, which come in order, in pieces; None: the segment cannot have one."""
    blocks = list(_packed(entries or ()))
    body = _encode(
        Head(
            bytes.fromhex(segment_sha256),
            entries is not None,
            tuple(block.first_key for block in blocks),
            tuple(accumulate((block.entries for block in blocks), initial=0)),
            tuple(block.size for block in blocks),
            tuple(accumulate(len(block.data) for block in blocks)),
            tuple(zlib.crc32(block.data) for block in blocks),
        )
    )
    fixed = len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big")
    return [bytes([FORMAT]) + fixed + body, *(block.data for block in blocks)]


def read_head(stream: BinaryIO, segment: Segment) -> tuple[Head, int]:
    """The head of a file, and where its blocks begin. Raises DataCorruptedError."""
    fixed = stream.read(_FIXED_BYTES)
    if len(fixed) != _FIXED_BYTES or fixed[0] != FORMAT:
        raise _damaged(segment)
    length, crc = int.from_bytes(fixed[1:5], "big"), int.from_bytes(fixed[5:], "big")
    body = stream.read(length)
    if len(body) != length or zlib.crc32(body) != crc:
        raise _damaged(segment)
    try:
        head = _decode_head(body)
    except msgspec.DecodeError as exc:
        raise _damaged(segment) from exc
    if head.sha256.hex() != segment.sha256:
        raise DataCorruptedError(f"an index file of segment {segment.file} is that of another")
    return head, _FIXED_BYTES + length


def read_block(stream: BinaryIO, segment: Segment, head: Head, start: int, number: int) -> Block:
    """One block. start: where the blocks begin. Raises DataCorruptedError."""
    begins = head.ends[number - 1] if number else 0
    stream.seek(start + begins)
    data = stream.read(head.ends[number] - begins)
    if len(data) != head.ends[number] - begins or zlib.crc32(data) != head.crcs[number]:
        raise _damaged(segment)
    plain = _CODEC.decompress(data, head.sizes[number], asbytes=True)
    return _decode_block(plain)


def check(stream: BinaryIO, segment: Segment) -> None:
    """Read all of a file, and that its entries are in order. Raises DataCorruptedError."""
    head, start = read_head(stream, segment)
    last = b""
    for number in range(len(head.first_keys)):
        block = read_block(stream, segment, head, start, number)
        counted = head.before[number + 1] - head.before[number]
        if len(block.keys) != counted or len(block.rows) != counted:
            raise _damaged(segment)
        for key, row in zip(block.keys, block.rows, strict=True):
            if key < last or row >= segment.rows:
                raise DataCorruptedError(f"an index file of segment {segment.file} has no order")
            last = key
    stream.seek(start + (head.ends[-1] if head.ends else 0))
    if stream.read(1):
        raise _damaged(segment)


def _damaged(segment: Segment) -> DataCorruptedError:
    return DataCorruptedError(f"an index file of segment {segment.file} is not what was written")
