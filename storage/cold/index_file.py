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
from collections.abc import Sequence
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


def encode(segment_sha256: str, entries: Sequence[Entry] | None) -> bytes:
    """The file of these entries, which are in order; None: the segment cannot have one."""
    blocks: list[bytes] = []
    sizes: list[int] = []
    found = entries or ()
    starts = range(0, len(found), BLOCK_ENTRIES)
    for start in starts:
        some = found[start : start + BLOCK_ENTRIES]
        plain = _encode(([entry.key for entry in some], [entry.row for entry in some]))
        sizes.append(len(plain))
        blocks.append(_CODEC.compress(plain, asbytes=True))
    ends: list[int] = []
    for block in blocks:
        ends.append(len(block) + (ends[-1] if ends else 0))
    body = _encode(
        Head(
            bytes.fromhex(segment_sha256),
            entries is not None,
            tuple(found[start].key for start in starts),
            (*starts, len(found)),
            tuple(sizes),
            tuple(ends),
            tuple(map(zlib.crc32, blocks)),
        )
    )
    fixed = len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big")
    return b"".join((bytes([FORMAT]), fixed, body, *blocks))


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


def _damaged(segment: Segment) -> DataCorruptedError:
    return DataCorruptedError(f"an index file of segment {segment.file} is not what was written")
