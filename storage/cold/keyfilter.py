"""Key filters: whether a segment may hold a key, without opening it.

A side file beside each segment holds a bloom filter of its encoded primary keys and the first key
of each row group, so that an INSERT never opens Parquet to find a key absent, and a point read
opens one row group. The hash is BLAKE2b: the same in every process and version.

File: format byte, crc32 of the rest (4 bytes, big-endian), then a msgpack array of the bloom
filter's bytes, the rows of a row group and the first keys.
"""

import hashlib
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rbloom import Bloom

from storage.errors import DataCorruptedError
from storage.fs import Buffer

FORMAT = 1
"""Format number of the side files written here."""

_DIGEST_BYTES = 16

_FALSE_POSITIVES = 0.01
"""10 bits a key: one needless file read in a hundred absent keys."""


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """The side file of one segment, in memory.

    first_keys: encoded key of the first row of each row group; group_rows: rows of each at most.
    """

    bloom: Bloom
    group_rows: int
    first_keys: tuple[bytes, ...]

    def may_hold(self, key: bytes) -> bool:
        """False when the segment surely lacks the key."""
        return key in self.bloom

    def row_group(self, key: bytes) -> int:
        """The row group that holds the key if any does, -1 when it sorts before all."""
        return bisect_right(self.first_keys, key) - 1


def build(keys: Sequence[bytes], group_rows: int) -> KeyFilter:
    """The filter of a segment's keys, which are in order."""
    bloom = Bloom(max(1, len(keys)), _FALSE_POSITIVES, _hash)
    bloom.update(keys)
    return KeyFilter(bloom, group_rows, tuple(keys[::group_rows]))


def encode(key_filter: KeyFilter) -> bytes:
    """The side file."""
    return _encode(key_filter.bloom, key_filter.group_rows, key_filter.first_keys)


def encode_hashed(digests: Buffer, group_rows: int, first_keys: Sequence[bytes]) -> bytes:
    """The side file of keys of which only the `digest`s are left, one after the other."""
    hashes = memoryview(digests)
    count = len(hashes) // _DIGEST_BYTES
    bloom = Bloom(max(1, count), _FALSE_POSITIVES, _number)
    bloom.update(hashes[at : at + _DIGEST_BYTES] for at in range(0, len(hashes), _DIGEST_BYTES))
    return _encode(bloom, group_rows, first_keys)


def decode(data: bytes) -> KeyFilter:
    """The filter in a side file. Raises DataCorruptedError for anything else."""
    try:
        if data[0] != FORMAT or zlib.crc32(data[5:]) != int.from_bytes(data[1:5], "big"):
            raise DataCorruptedError("key filter is damaged")
        bits, group_rows, first_keys = msgspec.msgpack.decode(
            data[5:], type=tuple[bytes, int, tuple[bytes, ...]]
        )
        if len(bits) <= 8:  # The library panics below its header.
            raise DataCorruptedError("key filter is damaged")
        return KeyFilter(Bloom.load_bytes(bits, _hash), group_rows, first_keys)
    except (msgspec.DecodeError, IndexError, ValueError) as exc:
        raise DataCorruptedError("key filter is damaged") from exc


def digest(key: bytes) -> bytes:
    """What the filter knows of a key: 16 bytes."""
    return hashlib.blake2b(key, digest_size=_DIGEST_BYTES).digest()


def _encode(bloom: Bloom, group_rows: int, first_keys: Sequence[bytes]) -> bytes:
    body = msgspec.msgpack.encode((bloom.save_bytes(), group_rows, first_keys))
    return bytes([FORMAT]) + zlib.crc32(body).to_bytes(4, "big") + body


def _hash(key: bytes) -> int:
    return _number(digest(key))


def _number(hashed: Buffer) -> int:
    return int.from_bytes(hashed, "big", signed=True)
