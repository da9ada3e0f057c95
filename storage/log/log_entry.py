"""Log entries as bytes: one change of one key, checked by a CRC.

    format (1 byte) | crc32 of what follows (4 bytes, big-endian) | MessagePack array
    [operation, schema version, row, previous row or nil]

A row is an array of its values in column-id order; a tuple inside it is an array too. An array that does
not begin at 1 is an extension (`storage.shaped.to_extension`), and the entry's format is 2: who reads format
1 only says so.
"""

from enum import IntEnum
from struct import Struct
from struct import error as StructError  # noqa: N812 -- it is an exception class
from typing import Any
from zlib import crc32

import msgspec

from storage.errors import CharacterNotInRepertoireError, DataCorruptedError, KeyTooLongError
from storage.layout import Row
from storage.shaped import from_extension, to_extension

FORMAT = 1
"""Format number of nearly all entries written here."""

BOUNDED_FORMAT = 2
"""Of those with an array that does not begin at 1."""


ENTRY_BYTES_MAX = 1 << 30
"""An Arrow column of texts has room for 2 GiB in a batch, and no value is divided."""


_VIEWED_BYTES = 65_536


class Op(IntEnum):
    """What happened to a key. Stored: DO NOT CHANGE THESE VALUES.

    DELETE keeps the deleted row. TRUNCATE begins a new incarnation of its tablet and has no key: of
    its commit it is the tablet's first entry. LOAD names a segment that was loaded as a whole.
    """

    INSERT = 1
    UPDATE = 2
    DELETE = 3
    TRUNCATE = 4
    LOAD = 5


class Entry(msgspec.Struct, array_like=True, gc=False):
    """One log entry. version: of the schema that `row` and `old` were written with."""

    op: Op
    version: int
    row: tuple[Any, ...]
    old: tuple[Any, ...] | None


_DELETE = Op.DELETE
_HEADER = Struct(">BI")
_pack_header = _HEADER.pack
_unpack_header = _HEADER.unpack_from
_encode = msgspec.msgpack.Encoder().encode
_encode_bounded = msgspec.msgpack.Encoder(enc_hook=to_extension).encode
_decode = msgspec.msgpack.Decoder(Entry, ext_hook=from_extension).decode


def encode_entry(op: Op, version: int, row: Row, old: Row | None) -> bytes:
    """One log entry as bytes.

    Raises:
        CharacterNotInRepertoireError: A text that is not Unicode: it has half of a surrogate pair.
        KeyTooLongError: The row is larger than ENTRY_BYTES_MAX.
    """
    if op is _DELETE and old is row:
        old = None  # `row` says what it takes away.
    number = FORMAT
    try:
        try:
            body = _encode((op, version, row, old))
        except TypeError:
            number, body = BOUNDED_FORMAT, _encode_bounded((op, version, row, old))
    except UnicodeEncodeError as exc:
        raise CharacterNotInRepertoireError(
            'invalid byte sequence for encoding "UTF8": a surrogate by itself'
        ) from exc
    if len(body) > ENTRY_BYTES_MAX:
        raise KeyTooLongError(
            f"row is too big: size {len(body)}, maximum size {ENTRY_BYTES_MAX}",
        )
    return _pack_header(number, crc32(body)) + body


def decode_entry(data: bytes) -> Entry:
    """The entry in `data`.

    Raises:
        DataCorruptedError: These are not the bytes that `encode_entry` made.
    """
    try:
        number, check = _unpack_header(data)
        # A copy of a few bytes costs less than a view of them.
        body = data[5:] if len(data) < _VIEWED_BYTES else memoryview(data)[5:]
        if (number != FORMAT and number != BOUNDED_FORMAT) or crc32(body) != check:  # noqa: PLR1714
            raise DataCorruptedError(_problem(number))
        entry = _decode(body)
    except (msgspec.DecodeError, StructError, ValueError) as exc:
        raise DataCorruptedError("a log entry cannot be read") from exc
    # msgspec cannot be told that arrays within a row are tuples, and hardly any row has one.
    for value in entry.row:
        if value.__class__ is list:
            entry.row = _tuples(entry.row)
            break
    if entry.old is not None:
        for value in entry.old:
            if value.__class__ is list:
                entry.old = _tuples(entry.old)
                break
    elif entry.op is _DELETE:
        entry.old = entry.row
    return entry


def _problem(number: int) -> str:
    if number not in (FORMAT, BOUNDED_FORMAT):
        return f"a log entry has format {number}, this version reads up to {BOUNDED_FORMAT}"
    return "a log entry is not what was written: its checksum differs"


def _tuples(values: Any) -> tuple[Any, ...]:  # noqa: ANN401 -- what msgspec decoded
    if list not in set(map(type, values)):
        return tuple(values)  # Of a million numbers, too, in a few milliseconds.
    return tuple([_tuples(value) if value.__class__ is list else value for value in values])
