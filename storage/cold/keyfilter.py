"""Side files: whether a segment may hold a key, and what its pieces must be, without opening it.

Beside each segment lie a bloom filter of its encoded primary keys and the first key of each row group, so
that an INSERT never opens Parquet to find a key absent, and a point read opens one row group; and a
checksum for each piece of the segment's file (`storage.cold.checked`), so that a read need not hash all of
it. The hash is BLAKE2b: the same in every process and version.

File: format byte 2, length and crc32 of the head (4 bytes each, big-endian), the head as a msgpack array
(the rows of a row group, the first keys, where pieces end, their crc32, the segment's sha256, length and
crc32 of the bloom filter), then the bloom filter's bytes. The head is read without the rest. Format 1 has no
pieces: crc32 of the rest, then a msgpack array of the bloom filter's bytes, the rows of a row group and
the first keys.
"""

import hashlib
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
from rbloom import Bloom

from storage.cold.checked import Pieces
from storage.errors import DataCorruptedError
from storage.fs import Buffer

FORMAT = 2
"""Format number of the side files written here."""

_DIGEST_BYTES = 16

_FALSE_POSITIVES = 0.01
"""10 bits a key: one needless file read in a hundred absent keys."""

_FIXED_BYTES = 9
"""Before the head: format, its length, its crc32."""

_HEAD_BYTES = 16 << 10
"""Read at once: the head of some million rows."""


class _Head(msgspec.Struct, frozen=True, array_like=True):
    group_rows: int
    first_keys: tuple[bytes, ...]
    ends: tuple[int, ...]
    crcs: tuple[int, ...]
    sha256: bytes
    bloom_length: int
    bloom_crc: int


_encode_msgpack = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(_Head).decode


@dataclass(frozen=True, slots=True)
class Head:
    """What a side file says of row groups and pieces.

    first_keys: encoded key of the first row of each row group; group_rows: rows of each at most. pieces: of
    the segment with this sha256 (in hex); None for format 1.
    """

    group_rows: int
    first_keys: tuple[bytes, ...]
    pieces: Pieces | None = None
    sha256: str = ""

    def row_group(self, key: bytes) -> int:
        """The row group that holds the key if any does, -1 when it sorts before all."""
        return bisect_right(self.first_keys, key) - 1


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """The side file of one segment, in memory."""

    bloom: Bloom
    head: Head

    def may_hold(self, key: bytes) -> bool:
        """False when the segment surely lacks the key."""
        return key in self.bloom

    def row_group(self, key: bytes) -> int:
        """The row group that holds the key if any does, -1 when it sorts before all."""
        return self.head.row_group(key)


def build(keys: Sequence[bytes], group_rows: int) -> KeyFilter:
    """The filter of a segment's keys, which are in order; it knows no pieces."""
    bloom = Bloom(max(1, len(keys)), _FALSE_POSITIVES, _hash)
    bloom.update(keys)
    return KeyFilter(bloom, Head(group_rows, tuple(keys[::group_rows]), Pieces((), ())))


def encode(key_filter: KeyFilter) -> bytes:
    """The side file of a filter with pieces."""
    return _encode(key_filter.bloom, key_filter.head)


def encode_hashed(digests: Buffer, head: Head) -> bytes:
    """The side file of keys of which only the `digest`s are left, one after the other."""
    hashes = memoryview(digests)
    count = len(hashes) // _DIGEST_BYTES
    bloom = Bloom(max(1, count), _FALSE_POSITIVES, _number)
    bloom.update(hashes[at : at + _DIGEST_BYTES] for at in range(0, len(hashes), _DIGEST_BYTES))
    return _encode(bloom, head)


def decode(data: bytes) -> KeyFilter:
    """The filter in a side file. Raises DataCorruptedError for anything else."""
    try:
        if data[0] == 1:
            return _decode_first_format(data)
        length, crc = _fixed(data)
        start = _FIXED_BYTES + length
        head, bloom_length, bloom_crc = _head(data[_FIXED_BYTES:start], crc)
        bits = data[start:]
        if len(bits) != bloom_length or zlib.crc32(bits) != bloom_crc:
            raise DataCorruptedError("key filter is damaged")
        return KeyFilter(_bloom(bits), head)
    except (msgspec.DecodeError, IndexError, ValueError) as exc:
        raise DataCorruptedError("key filter is damaged") from exc


def read_head(stream: BinaryIO) -> Head:
    """The head of a side file, without the rest. Raises DataCorruptedError for anything else."""
    data = stream.read(_HEAD_BYTES)
    try:
        if data[0] == 1:
            return _decode_first_format(data + stream.read()).head
        length, crc = _fixed(data)
        end = _FIXED_BYTES + length
        if end > len(data):
            data += stream.read(end - len(data))
        return _head(data[_FIXED_BYTES:end], crc)[0]
    except (msgspec.DecodeError, IndexError, ValueError) as exc:
        raise DataCorruptedError("key filter is damaged") from exc


def digest(key: bytes) -> bytes:
    """What the filter knows of a key: 16 bytes."""
    return hashlib.blake2b(key, digest_size=_DIGEST_BYTES).digest()


def _encode(bloom: Bloom, head: Head) -> bytes:
    assert head.pieces is not None
    bits = bloom.save_bytes()
    body = _encode_msgpack(
        _Head(
            head.group_rows,
            head.first_keys,
            head.pieces.ends,
            head.pieces.crcs,
            bytes.fromhex(head.sha256),
            len(bits),
            zlib.crc32(bits),
        )
    )
    fixed = len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big")
    return bytes([FORMAT]) + fixed + body + bits


def _fixed(data: bytes) -> tuple[int, int]:
    """Length and checksum of the head."""
    if data[0] != FORMAT or len(data) < _FIXED_BYTES:
        raise DataCorruptedError("key filter is damaged")
    return int.from_bytes(data[1:5], "big"), int.from_bytes(data[5:9], "big")


def _head(body: bytes, crc: int) -> tuple[Head, int, int]:
    """The head, and length and checksum of the bloom filter."""
    if zlib.crc32(body) != crc:
        raise DataCorruptedError("key filter is damaged")
    read = _decode_head(body)
    pieces = Pieces(read.ends, read.crcs)
    head = Head(read.group_rows, read.first_keys, pieces, read.sha256.hex())
    return head, read.bloom_length, read.bloom_crc


def _decode_first_format(data: bytes) -> KeyFilter:
    if zlib.crc32(data[5:]) != int.from_bytes(data[1:5], "big"):
        raise DataCorruptedError("key filter is damaged")
    bits, group_rows, first_keys = msgspec.msgpack.decode(
        data[5:], type=tuple[bytes, int, tuple[bytes, ...]]
    )
    return KeyFilter(_bloom(bits), Head(group_rows, first_keys))


def _bloom(bits: bytes) -> Bloom:
    if len(bits) <= 8:  # The library panics below its header.
        raise DataCorruptedError("key filter is damaged")
    return Bloom.load_bytes(bits, _hash)


def _hash(key: bytes) -> int:
    return _number(digest(key))


def _number(hashed: Buffer) -> int:
    return int.from_bytes(hashed, "big", signed=True)
