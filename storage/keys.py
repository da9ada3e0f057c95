"""Keys: tuples of values as bytes that sort as SQL sorts the values, and the keys of LevelDB.

Every encoded value begins with %x01, a NULL is %x02 alone and so sorts last. What follows, by kind:

    bool      one byte                  int    8 bytes big-endian, sign bit flipped
    float     8 bytes, IEEE order; -0 is 0, NaN (one) above all
    numeric   class byte, then exponent and digits; no trailing zeros; negatives inverted
    text      UTF-8 and %x00            bytes  %x00 written %x00FF, end %x0000
    uuid      16 bytes                  interval  its normalised length, 16 bytes

Equal SQL values have equal bytes (1.0 and 1.00, '1 mon' and '30 days'), and no encoding is a prefix of
another. LevelDB's keys are a format byte, a letter and fixed-width ids, user first: one range is one person.
"""

import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import cast

from storage.errors import DataCorruptedError, KeyTooLongError
from storage.ids import TabletId
from storage.layout import Value

KINDS = frozenset(
    ("bool", "int", "float", "numeric", "text", "bytes", "uuid", "interval", "none")
)
KEY_BYTES_MAX = 2700
"""PostgreSQL's limit for a B-tree entry is about this; a message should not name a longer key."""

_NULL = b"\x02"
_SIGN = 1 << 63
_INT = struct.Struct(">BQ").pack
_FLOAT = struct.Struct(">d")
_EXPONENT_BIAS = 1 << 31
_DAY_US = 86_400_000_000
_INTERVAL = struct.Struct(">iiq")
_INTERVAL_BIAS = 1 << 127
_INVERT = bytes(255 - byte for byte in range(256))


def encode_key(values: Sequence[Value], kinds: Sequence[str]) -> bytes:
    """The values, of these kinds, as one key. Raises KeyTooLongError above 2700 bytes."""
    if len(values) == 1 and kinds[0] == "int":
        value = values[0]
        return _NULL if value is None else _INT(1, cast("int", value) + _SIGN)
    key = b"".join(
        [
            _NULL if value is None else _ENCODERS[kind](value)
            for value, kind in zip(values, kinds, strict=True)
        ]
    )
    if len(key) > KEY_BYTES_MAX:
        raise KeyTooLongError(f"index row size {len(key)} exceeds maximum {KEY_BYTES_MAX}")
    return key


def decode_key(data: bytes, kinds: Sequence[str]) -> tuple[Value, ...]:
    """Values whose key this is: equal in SQL to those it was made of. Raises DataCorruptedError."""
    values: list[Value] = []
    at = 0
    try:
        for kind in kinds:
            marker = data[at]
            at += 1
            if marker == 2:
                values.append(None)
                continue
            if marker != 1:
                raise DataCorruptedError("a key is damaged")
            value, at = _DECODERS[kind](data, at)
            values.append(value)
    except (IndexError, ValueError, struct.error) as exc:
        raise DataCorruptedError("a key is damaged") from exc
    if at != len(data):
        raise DataCorruptedError("a key is damaged")
    return tuple(values)


def _bool(value: Value) -> bytes:
    return b"\x01\x01" if value else b"\x01\x00"


def _int(value: Value) -> bytes:
    return _INT(1, cast("int", value) + _SIGN)


def _float(value: Value) -> bytes:
    number = cast("float", value)
    if number != number:  # noqa: PLR0124 -- the one value unlike itself is NaN
        return b"\x01\xff\xff\xff\xff\xff\xff\xff\xff"
    (bits,) = struct.unpack(">Q", _FLOAT.pack(number + 0.0))
    bits = bits ^ 0xFFFFFFFFFFFFFFFF if bits & _SIGN else bits | _SIGN
    return _INT(1, bits)


def _numeric(value: Value) -> bytes:
    text = cast("str", value)
    special = {"NaN": b"\x01\x05", "Infinity": b"\x01\x04", "-Infinity": b"\x01\x00"}.get(text)
    if special is not None:
        return special
    sign, digits, exponent = Decimal(text).as_tuple()
    significant = "".join(map(str, digits)).lstrip("0").rstrip("0")
    if not significant:
        return b"\x01\x02"
    leading = len("".join(map(str, digits)).lstrip("0"))
    adjusted = leading + cast("int", exponent) - 1
    body = (adjusted + _EXPONENT_BIAS).to_bytes(4, "big") + significant.encode() + b"\x00"
    return b"\x01\x01" + body.translate(_INVERT) if sign else b"\x01\x03" + body


def _text(value: Value) -> bytes:
    return b"\x01" + cast("str", value).encode() + b"\x00"


def _bytes(value: Value) -> bytes:
    return b"\x01" + cast("bytes", value).replace(b"\x00", b"\x00\xff") + b"\x00\x00"


def _uuid(value: Value) -> bytes:
    return b"\x01" + cast("bytes", value)


def _interval(value: Value) -> bytes:
    months, days, microseconds = _INTERVAL.unpack(cast("bytes", value))
    total = (months * 30 + days) * _DAY_US + microseconds
    return b"\x01" + (total + _INTERVAL_BIAS).to_bytes(16, "big")


def _to_bool(data: bytes, at: int) -> tuple[Value, int]:
    return data[at] == 1, at + 1


def _to_int(data: bytes, at: int) -> tuple[Value, int]:
    return struct.unpack_from(">Q", data, at)[0] - _SIGN, at + 8


def _to_float(data: bytes, at: int) -> tuple[Value, int]:
    (bits,) = struct.unpack_from(">Q", data, at)
    bits = bits ^ _SIGN if bits & _SIGN else bits ^ 0xFFFFFFFFFFFFFFFF
    return _FLOAT.unpack(bits.to_bytes(8, "big"))[0], at + 8


def _to_numeric(data: bytes, at: int) -> tuple[Value, int]:
    head = data[at]
    special = {5: "NaN", 4: "Infinity", 0: "-Infinity", 2: "0"}.get(head)
    if special is not None:
        return special, at + 1
    negative = head == 1
    end = data.index(b"\xff" if negative else b"\x00", at + 5)
    body = data[at + 1 : end]
    if negative:
        body = body.translate(_INVERT)
    exponent = int.from_bytes(body[:4], "big") - _EXPONENT_BIAS
    digits = tuple(byte - 48 for byte in body[4:])
    number = Decimal((1 if negative else 0, digits, exponent - len(digits) + 1))
    return f"{number:f}", end + 1


def _to_text(data: bytes, at: int) -> tuple[Value, int]:
    end = data.index(b"\x00", at)
    return data[at:end].decode(), end + 1


def _to_bytes(data: bytes, at: int) -> tuple[Value, int]:
    end = at
    while True:
        end = data.index(b"\x00", end)
        if data[end + 1] == 0:
            return data[at:end].replace(b"\x00\xff", b"\x00"), end + 2
        end += 2


def _to_uuid(data: bytes, at: int) -> tuple[Value, int]:
    if len(data) < at + 16:
        raise IndexError
    return data[at : at + 16], at + 16


def _to_interval(data: bytes, at: int) -> tuple[Value, int]:
    total = int.from_bytes(data[at : at + 16], "big") - _INTERVAL_BIAS
    days, microseconds = divmod(total, _DAY_US)
    months = 0
    if not -(1 << 31) <= days < 1 << 31:
        months = days // 30 - (1 << 30) if days > 0 else days // 30 + (1 << 30)
        months = max(-(1 << 31), min((1 << 31) - 1, months))
        days -= months * 30
    return _INTERVAL.pack(months, days, microseconds), at + 16


_ENCODERS: dict[str, Callable[[Value], bytes]] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "numeric": _numeric,
    "text": _text,
    "bytes": _bytes,
    "uuid": _uuid,
    "interval": _interval,
}
_DECODERS: dict[str, Callable[[bytes, int], tuple[Value, int]]] = {
    "bool": _to_bool,
    "int": _to_int,
    "float": _to_float,
    "numeric": _to_numeric,
    "text": _to_text,
    "bytes": _to_bytes,
    "uuid": _to_uuid,
    "interval": _to_interval,
}

# ------------------------------------------------------------------ LevelDB's keys

FORMAT = 1
_TABLET = struct.Struct(">BcQI").pack
_LOG = struct.Struct(">BcQIQI")
_SEQ_N = struct.Struct(">QI")
LOG_KEY_BYTES = _LOG.size


def log_key(tablet: TabletId, seq: int, n: int) -> bytes:
    """Key of one log entry."""
    return _LOG.pack(FORMAT, b"L", tablet.user, tablet.table, seq, n)


def log_prefix(tablet: TabletId) -> bytes:
    """What all of a tablet's log keys begin with."""
    return _TABLET(FORMAT, b"L", tablet.user, tablet.table)


def split_log_key(key: bytes) -> tuple[TabletId, int, int]:
    """(tablet, seq, n) of a log key."""
    _, _, user, table, seq, n = _LOG.unpack(key)
    return TabletId(user, table), seq, n


def index_key(tablet: TabletId, key: bytes) -> bytes:
    """Key of a primary key's index entry."""
    return _TABLET(FORMAT, b"K", tablet.user, tablet.table) + key


def index_prefix(tablet: TabletId) -> bytes:
    """What all of a tablet's index keys begin with."""
    return _TABLET(FORMAT, b"K", tablet.user, tablet.table)


def meta_key(tablet: TabletId) -> bytes:
    """Key of a tablet's hints."""
    return _TABLET(FORMAT, b"M", tablet.user, tablet.table)


def system_key(*parts: str | int | bytes) -> bytes:
    """A key of the system range: strings and bytes are zero-terminated, ints 8 bytes big-endian."""
    out = [bytes((FORMAT,)), b"S"]
    for part in parts:
        if isinstance(part, int):
            out.append(part.to_bytes(8, "big"))
        else:
            data = part.encode() if isinstance(part, str) else part
            out.append(data.replace(b"\x00", b"\x00\xff") + b"\x00\x00")
    return b"".join(out)


def successor(prefix: bytes) -> bytes:
    """The least key above every key with this prefix."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes((trimmed[-1] + 1,))


def pack_position(seq: int, n: int) -> bytes:
    """(seq, n) as index entries hold it."""
    return _SEQ_N.pack(seq, n)


def unpack_position(data: bytes) -> tuple[int, int]:
    """(seq, n) of an index entry."""
    seq, n = _SEQ_N.unpack_from(data)
    return seq, n
