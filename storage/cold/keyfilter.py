"""Side files: whether a segment may hold a key, and what its pieces must be, without opening it.

Beside each segment lie a bloom filter of its encoded primary keys and the first key of each row group, so
that an INSERT never opens Parquet to find a key absent, and a point read opens one row group; a checksum
for each piece of the segment's file (`storage.cold.checked`), so that a read need not hash all of it; and
the keys with which it hides rows of older segments (`storage.cold.superseding`), so that a scan need not
read all keys to find these; and for columns of few values in which row groups each of these is
(`storage.cold.occurrences`), and where its pages are (`storage.cold.pages`). The hash is BLAKE2b: the same
in every process and version.

File: format byte 4, length and crc32 of the head (4 bytes each, big-endian), the head as a msgpack array
(the rows of a row group, the first keys, where pieces end, their crc32, the segment's sha256, length and
crc32 of the bloom filter, those of the superseding keys, name, length and crc32 of each column's
occurrences, and length and crc32 of the list of pages, which files written before do not have), then the
superseding keys, the occurrences, the list of pages, and the bloom filter's bytes. The head is read
without the rest. Format 2 has no superseding keys: nothing is known of them. Format 1 has no pieces either:
crc32 of the rest, then a msgpack array of the bloom filter's bytes, the rows of a row group and the first
keys.
"""

import hashlib
import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

import msgspec
from rbloom import Bloom

from storage.cold.checked import Pieces
from storage.errors import DataCorruptedError
from storage.fs import Buffer

FORMAT = 4
"""Format number of the side files written here: no flipped bit makes it one of the others."""

_WITHOUT_SUPERSEDING = 2
"""The format before, which is read like this one."""

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
    superseding_length: int = 0
    superseding_crc: int = 0
    occurrences: tuple[tuple[str, int, int], ...] = ()
    pages_length: int = 0
    pages_crc: int = 0

    @property
    def before_bloom(self) -> int:
        """Bytes between head and bloom filter."""
        occurrences = sum(length for _, length, _ in self.occurrences)
        return self.superseding_length + occurrences + self.pages_length


_encode_msgpack = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(_Head).decode


class Part(NamedTuple):
    """A part of a side file: where it begins, and its crc32."""

    start: int
    length: int
    crc: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the parts of a side file are. superseding: None where nothing is known of them."""

    superseding: Part | None
    occurrences: Mapping[str, Part]
    pages: Part


@dataclass(frozen=True, slots=True)
class Head:
    """What a side file says of row groups and pieces.

    first_keys: encoded key of the first row of each row group; group_rows: rows of each at most. pieces: of
    the segment with this sha256 (in hex); None for format 1. parts: of the file that it was read from.
    """

    group_rows: int
    first_keys: tuple[bytes, ...]
    pieces: Pieces | None = None
    sha256: str = ""
    parts: Parts | None = field(default=None, compare=False)

    def row_group(self, key: bytes) -> int:
        """The row group that holds the key if any does, -1 when it sorts before all."""
        return bisect_right(self.first_keys, key) - 1


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """The side file of one segment, in memory, without its superseding keys."""

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
    return _encode(key_filter.bloom, key_filter.head, b"", {}, b"")


def encode_hashed(
    digests: Buffer,
    head: Head,
    superseding: Buffer = b"",
    occurrences: Mapping[str, Buffer] = MappingProxyType({}),
    pages: Buffer = b"",
) -> bytes:
    """The side file of keys of which only the `digest`s are left, one after the other.

    superseding, occurrences, pages: as these modules encode them; occurrences by the column's name.
    """
    hashes = memoryview(digests)
    count = len(hashes) // _DIGEST_BYTES
    bloom = Bloom(max(1, count), _FALSE_POSITIVES, _number)
    bloom.update(hashes[at : at + _DIGEST_BYTES] for at in range(0, len(hashes), _DIGEST_BYTES))
    return _encode(bloom, head, superseding, occurrences, pages)


def decode(data: bytes) -> KeyFilter:
    """The filter in a side file. Raises DataCorruptedError for anything else."""
    try:
        if data[0] == 1:
            return _decode_first_format(data)
        length, crc = _fixed(data)
        start = _FIXED_BYTES + length
        read = _head(data[_FIXED_BYTES:start], crc)
        bits = data[start + read.before_bloom :]
        if len(bits) != read.bloom_length or zlib.crc32(bits) != read.bloom_crc:
            raise DataCorruptedError("key filter is damaged")
        return KeyFilter(_bloom(bits), _of(read, data))
    except (msgspec.DecodeError, IndexError, ValueError) as exc:
        raise DataCorruptedError("key filter is damaged") from exc


def read_head(stream: BinaryIO) -> Head:
    """The head of a side file, without the rest. Raises DataCorruptedError for anything else."""
    data = stream.read(_HEAD_BYTES)
    try:
        if data[0] == 1:
            return _decode_first_format(data + stream.read()).head
        return _of(_read_head(stream, data), data)
    except (msgspec.DecodeError, IndexError, ValueError) as exc:
        raise DataCorruptedError("key filter is damaged") from exc


def read_superseding(stream: BinaryIO, head: Head) -> bytes | None:
    """The superseding keys of a side file with this head, as `storage.cold.superseding` encodes them.

    b"" where there are none, None where nothing is known of them. Raises DataCorruptedError.
    """
    return None if head.parts is None else _read(stream, head.parts.superseding)


def read_occurrences(stream: BinaryIO, head: Head, column: str) -> bytes | None:
    """The occurrences of a column's values, None where it has none. Raises DataCorruptedError."""
    part = None if head.parts is None else head.parts.occurrences.get(column)
    return None if part is None else _read(stream, part)


def read_pages(stream: BinaryIO, head: Head) -> bytes:
    """The list of pages; b"" where there is none. Raises DataCorruptedError."""
    return b"" if head.parts is None else _read(stream, head.parts.pages) or b""


def _read(stream: BinaryIO, part: Part | None) -> bytes | None:
    """A part of a side file. Raises DataCorruptedError."""
    if part is None or not part.length:
        return None if part is None else b""
    stream.seek(part.start)
    found = stream.read(part.length)
    if len(found) != part.length or zlib.crc32(found) != part.crc:
        raise DataCorruptedError("key filter is damaged")
    return found


def digest(key: bytes) -> bytes:
    """What the filter knows of a key: 16 bytes."""
    return hashlib.blake2b(key, digest_size=_DIGEST_BYTES).digest()


def _encode(
    bloom: Bloom,
    head: Head,
    superseding: Buffer,
    occurrences: Mapping[str, Buffer],
    pages: Buffer,
) -> bytes:
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
            len(superseding),
            zlib.crc32(superseding),
            tuple((name, len(data), zlib.crc32(data)) for name, data in occurrences.items()),
            len(pages),
            zlib.crc32(pages),
        )
    )
    fixed = len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big")
    parts = (superseding, *occurrences.values(), pages, bits)
    return b"".join((bytes([FORMAT]), fixed, body, *parts))


def _fixed(data: bytes) -> tuple[int, int]:
    """Length and checksum of the head."""
    if data[0] not in (FORMAT, _WITHOUT_SUPERSEDING) or len(data) < _FIXED_BYTES:
        raise DataCorruptedError("key filter is damaged")
    return int.from_bytes(data[1:5], "big"), int.from_bytes(data[5:9], "big")


def _read_head(stream: BinaryIO, data: bytes) -> _Head:
    """The head of a side file that begins with `data`."""
    length, crc = _fixed(data)
    end = _FIXED_BYTES + length
    if end > len(data):
        data += stream.read(end - len(data))
    return _head(data[_FIXED_BYTES:end], crc)


def _head(body: bytes, crc: int) -> _Head:
    if zlib.crc32(body) != crc:
        raise DataCorruptedError("key filter is damaged")
    return _decode_head(body)


def _of(read: _Head, data: bytes) -> Head:
    """What the head says of a side file that begins with `data`."""
    pieces = Pieces(read.ends, read.crcs)
    at = _FIXED_BYTES + _fixed(data)[0]
    superseding = Part(at, read.superseding_length, read.superseding_crc)
    at += read.superseding_length
    occurrences: dict[str, Part] = {}
    for name, length, crc in read.occurrences:
        occurrences[name] = Part(at, length, crc)
        at += length
    known = data[0] != _WITHOUT_SUPERSEDING
    pages = Part(at, read.pages_length, read.pages_crc)
    parts = Parts(superseding if known else None, occurrences, pages)
    return Head(read.group_rows, read.first_keys, pieces, read.sha256.hex(), parts)


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
