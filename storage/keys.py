"""Keys as bytes that sort as their values do, and the layout of the store's key space.

An encoded key is its columns' encodings one after another. Each is self-delimiting, so no key is a
prefix of another of the same kinds, and two keys are equal bytewise exactly when SQL finds the
values equal. A column is PRESENT and its value, or NULL alone, which sorts last:

    bool      1 byte                     uuid      16 bytes
    int       8 bytes, offset by 2**63   float     8 bytes: IEEE 754 made to sort; -0 is 0, one NaN on top
    text      UTF-8, zero-terminated     bytes     zero is escaped as 00 ff, ends with 00 01
    interval  16 bytes: microseconds with months of 30 and days of 24 hours, offset by 2**127
    trimmed   as bytes, without what a value ends with that does not count (`keycodes.trimmed`)
    numeric   class, exponent, digits without trailing zeros (see `_numeric`)

The store's keys begin with a format number and the letter of their part. The user comes next, so
that all that one person has is one range of each part:

    L | user | table | seq | n   log         K | user | table | key        index
    M | user | table | name      meta        Q | user | table | sequence   where numbers stand
    S | parts                    system
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct
from struct import error as StructError  # noqa: N812 -- it is an exception class

from storage.errors import DataCorruptedError, KeyTooLongError
from storage.ids import TabletId
from storage.keycodes import DECODERS, ENCODERS, NULL, PRESENT
from storage.layout import Value

KINDS = frozenset(
    {"bool", "int", "float", "numeric", "text", "bytes", "trimmed", "uuid", "interval", "none"}
)
"""How the values of a column sort. "none": the column can be in no key."""

BEHIND_ALL = (b"\xff", b"\xff\xff")
"""A range of the store behind all that may be in it: each key begins with a format number."""

KEY_BYTES_MAX = 2700
"""An encoded key may be this long: PostgreSQL's btree takes about as much."""

_INT = Struct(">BQ")
_pack_int = _INT.pack
_INT_OFFSET = 1 << 63


def encode_key(values: Sequence[Value], kinds: Sequence[str]) -> bytes:
    """The key of `values`, one of `kinds` each.

    Raises:
        KeyTooLongError: It is longer than `KEY_BYTES_MAX`.
    """
    if len(kinds) == 1:
        value = values[0]
        if kinds[0] == "int" and value is not None:
            return _pack_int(1, value + _INT_OFFSET)  # type: ignore[operator]
    key = _encoder(tuple(kinds))(values)
    if len(key) > KEY_BYTES_MAX:
        raise KeyTooLongError(f"index row size {len(key)} exceeds maximum {KEY_BYTES_MAX}")
    return key


def encode_sort_key(values: Sequence[Value], kinds: Sequence[str]) -> bytes:
    """As `encode_key`, of any length: for sorting and grouping, never for the store."""
    return _encoder(tuple(kinds))(values)


def key_maker(positions: Sequence[int], kinds: Sequence[str]) -> Callable[[Sequence[Value]], bytes]:
    """How to make a row's key from its columns at `positions`, of `kinds`: as `encode_key` does."""
    key_kinds = tuple(kinds)
    if len(positions) == 1 and key_kinds[0] == "int":
        (position,) = positions

        def of_int(row: Sequence[Value]) -> bytes:
            value = row[position]
            if value is None:
                return encode_key((None,), key_kinds)
            return _pack_int(1, value + _INT_OFFSET)  # type: ignore[operator]

        return of_int
    return lambda row: encode_key([row[position] for position in positions], key_kinds)


def decode_key(data: bytes, kinds: Sequence[str]) -> tuple[Value, ...]:
    """Values equal (as SQL compares) to those that `encode_key` was given.

    Not always the same: numerics lose trailing zeros, -0.0 its sign, an interval its split into
    months, days and microseconds.

    Raises:
        DataCorruptedError: `data` is not a key of these kinds.
    """
    values: list[Value] = []
    at = 0
    try:
        for kind in kinds:
            tag = data[at]
            if tag == NULL:
                values.append(None)
                at += 1
            elif tag == PRESENT:
                value, at = DECODERS[kind](data, at + 1)
                values.append(value)
            else:
                raise DataCorruptedError("a key cannot be read")
    except (IndexError, ValueError, StructError) as exc:
        raise DataCorruptedError("a key cannot be read") from exc
    if at != len(data):
        raise DataCorruptedError("a key has bytes after its last column")
    return tuple(values)


@lru_cache(maxsize=1024)
def _encoder(kinds: tuple[str, ...]) -> Callable[[Sequence[Value]], bytes]:
    encoders = [ENCODERS[kind] for kind in kinds]
    if len(encoders) == 1:
        only = encoders[0]

        def encode_one(values: Sequence[Value]) -> bytes:
            value = values[0]
            return b"\xff" if value is None else only(value)

        return encode_one

    def encode(values: Sequence[Value]) -> bytes:
        return b"".join(
            [
                b"\xff" if value is None else one(value)
                for one, value in zip(encoders, values, strict=True)
            ]
        )

    return encode


# The store's key space.

FORMAT = 1
"""First byte of every key in the store, and of every index entry."""

_LOG, _INDEX, _META, _NUMBERS, _SYSTEM = b"L", b"K", b"M", b"Q", b"S"
_OF_TABLET = (_LOG, _INDEX, _META, _NUMBERS)
_TABLET = Struct(">BcQI")
_COMMIT = Struct(">BcQIQ")
_ENTRY = Struct(">BcQIQI")
_POSITION = Struct(">BQIB")
_pack_tablet = _TABLET.pack
_pack_commit = _COMMIT.pack
_pack_entry = _ENTRY.pack
_unpack_entry = _ENTRY.unpack
_pack_position = _POSITION.pack
_unpack_position = _POSITION.unpack
_TABLET_BYTES = _TABLET.size


LAST_PLACE = (1 << 32) - 1
"""An n that no entry has: the place behind all of a commit's."""


def log_key(tablet: TabletId, seq: int, n: int) -> bytes:
    """Key of a log entry: the n-th write of the commit `seq`."""
    return _pack_entry(FORMAT, _LOG, tablet[0], tablet[1], seq, n)


def log_commit(tablet: TabletId, seq: int) -> bytes:
    """What the log keys of a commit begin with: n follows, in four bytes."""
    return _pack_commit(FORMAT, _LOG, tablet[0], tablet[1], seq)


def log_prefix(tablet: TabletId) -> bytes:
    """What all of a tablet's log keys begin with."""
    return _pack_tablet(FORMAT, _LOG, tablet[0], tablet[1])


def log_range() -> tuple[bytes, bytes]:
    """[start, stop) of the whole log."""
    return _prefix_range(bytes((FORMAT,)) + _LOG)


def index_range() -> tuple[bytes, bytes]:
    """[start, stop) of the whole index."""
    return _prefix_range(bytes((FORMAT,)) + _INDEX)


def meta_range() -> tuple[bytes, bytes]:
    """[start, stop) of what is noted about tablets."""
    return _prefix_range(bytes((FORMAT,)) + _META)


def split_log_key(key: bytes) -> tuple[TabletId, int, int]:
    """(tablet, seq, n) of a log entry's key. Raises DataCorruptedError."""
    try:
        _, _, user, table, seq, n = _unpack_entry(key)
    except StructError as exc:
        raise DataCorruptedError("a log key cannot be read") from exc
    return TabletId(user, table), seq, n


def index_key(tablet: TabletId, key: bytes) -> bytes:
    """Key of the index entry of an encoded primary key."""
    return _pack_tablet(FORMAT, _INDEX, tablet[0], tablet[1]) + key


def index_prefix(tablet: TabletId) -> bytes:
    """What all of a tablet's index keys begin with."""
    return _pack_tablet(FORMAT, _INDEX, tablet[0], tablet[1])


def split_index_key(key: bytes) -> tuple[TabletId, bytes]:
    """(tablet, the rest) of a key of the index or of meta. Raises DataCorruptedError."""
    try:
        _, _, user, table = _TABLET.unpack_from(key)
    except StructError as exc:
        raise DataCorruptedError("an index key cannot be read") from exc
    return TabletId(user, table), key[_TABLET_BYTES:]


def split_tablet_key(key: bytes) -> tuple[TabletId, bytes]:
    """(tablet, the prefix of all its keys) of a key of log, index or meta. Raises DataCorruptedError."""
    return split_index_key(key)[0], key[:_TABLET_BYTES]


def pack_position(seq: int, n: int, op: int) -> bytes:
    """Value of an index entry: where the key's newest version is, and what it did."""
    return _pack_position(FORMAT, seq, n, op)


def unpack_position(data: bytes) -> tuple[int, int, int]:
    """(seq, n, operation) of an index entry's value. Raises DataCorruptedError."""
    try:
        number, seq, n, op = _unpack_position(data)
    except StructError as exc:
        raise DataCorruptedError("an index entry cannot be read") from exc
    if number != FORMAT:
        raise DataCorruptedError(f"an index entry has format {number}")
    return seq, n, op


def meta_key(tablet: TabletId, name: str = "") -> bytes:
    """Key of something noted about a tablet; without a name, of its flushed_through hint."""
    return _pack_tablet(FORMAT, _META, tablet[0], tablet[1]) + name.encode()


def numbers_key(tablet: TabletId, sequence: int) -> bytes:
    """Key of how far a sequence has counted in a tablet; table 0 is that of sequences on their own."""
    return _pack_tablet(FORMAT, _NUMBERS, tablet[0], tablet[1]) + sequence.to_bytes(4)


def numbers_range() -> tuple[bytes, bytes]:
    """[start, stop) of where all sequences stand."""
    return _prefix_range(bytes((FORMAT,)) + _NUMBERS)


def tablet_ranges(tablet: TabletId) -> list[tuple[bytes, bytes]]:
    """[start, stop) of all that the store holds of one tablet."""
    tail = tablet.user.to_bytes(8) + tablet.table.to_bytes(4)
    return [_prefix_range(bytes((FORMAT,)) + part + tail) for part in _OF_TABLET]


def row_ranges(tablet: TabletId) -> list[tuple[bytes, bytes]]:
    """The same without how far sequences have counted in it."""
    return tablet_ranges(tablet)[:-1]


def user_ranges(user: int) -> list[tuple[bytes, bytes]]:
    """[start, stop) of all that the store holds of one user's tablets."""
    tail = user.to_bytes(8)
    return [_prefix_range(bytes((FORMAT,)) + part + tail) for part in _OF_TABLET]


def system_key(*parts: str | int | bytes) -> bytes:
    """Key of a system record. Keys sort as their parts do; fewer parts are a prefix.

    Strings and bytes sort as bytes and may contain anything; ints are signed, of 64 bits.
    """
    encoded = [bytes((FORMAT,)), _SYSTEM]
    for part in parts:
        if isinstance(part, str):
            encoded.append(b"\x02" + ENCODERS["bytes"](part.encode())[1:])
        elif isinstance(part, int):
            encoded.append(_pack_int(3, part + _INT_OFFSET))
        else:
            encoded.append(b"\x04" + ENCODERS["bytes"](part)[1:])
    return b"".join(encoded)


def successor(prefix: bytes) -> bytes:
    """The least key above all that begin with `prefix`, which is not all ff."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,))


def _prefix_range(prefix: bytes) -> tuple[bytes, bytes]:
    return prefix, successor(prefix)
