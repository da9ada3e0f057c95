"""Log entries as bytes: format byte, crc32 of the rest, then a msgpack array.

    entry = %x01 crc32(4, big-endian, of body) body
    body  = msgpack [operation, schema version, row, previous row or nil]

Rows are arrays of the values in column-id order. A tuple inside a row is an array too; nothing else is.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from zlib import crc32

import msgspec

from storage.errors import DataCorruptedError
from storage.layout import Row

FORMAT = 1
_PREFIX = bytes((FORMAT,))


class Op(IntEnum):
    """What a log entry does. DO NOT CHANGE THESE VALUES: they are on disk."""

    INSERT = 1
    UPDATE = 2
    DELETE = 3
    TRUNCATE = 4
    LOAD = 5


@dataclass(slots=True)
class Entry:
    """One decoded log entry. row: the new row; of DELETE the deleted one. old: the row before."""

    op: Op
    version: int
    row: Row
    old: Row | None


_OPS = {int(op): op for op in Op}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, int, tuple[Any, ...], tuple[Any, ...] | None]).decode


def encode_entry(op: Op, version: int, row: Row, old: Row | None) -> bytes:
    """The bytes of an entry."""
    body = _encode((int(op), version, row, old))
    return _PREFIX + crc32(body).to_bytes(4, "big") + body


def decode_entry(data: bytes) -> Entry:
    """The entry of its bytes. Raises DataCorruptedError when they are not what was written."""
    body = data[5:]
    if data[:1] != _PREFIX or crc32(body) != int.from_bytes(data[1:5], "big"):
        raise DataCorruptedError("a log entry is damaged")
    op, version, row, old = _decode(body)
    return Entry(_OPS[op], version, _tuples(row), None if old is None else _tuples(old))


def _tuples(row: tuple[Any, ...]) -> Row:
    """Arrays inside a row decode as lists; a stored value has tuples."""
    for value in row:
        if type(value) is list:
            return tuple([_tuple(v) if type(v) is list else v for v in row])
    return row


def _tuple(values: list[Any]) -> tuple[Any, ...]:
    return tuple([_tuple(v) if type(v) is list else v for v in values])
