"""A bounds-checked reader of one message's body: no decoder can read past its message."""

import struct

from kalam_pg.pgwire.errors import ProtocolViolationError

_INT16 = struct.Struct(">h")
_UINT16 = struct.Struct(">H")
_INT32 = struct.Struct(">i")
_UINT32 = struct.Struct(">I")


class ByteReader:
    """Reads fields in order from `data`, which is one whole message body (or packet).

    Every method raises `ProtocolViolationError` (not fatal: the frame was good) when the field is
    not wholly there. `finish` raises it when bytes are left over.
    """

    __slots__ = ("_data", "_pos")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0

    def byte(self) -> int:
        """One byte, 0..255."""
        return self.take(1)[0]

    def int16(self) -> int:
        """A signed 16-bit integer."""
        value: int = _INT16.unpack(self.take(2))[0]
        return value

    def count(self) -> int:
        """A 16-bit count: 0..65535, as the server reads it."""
        value: int = _UINT16.unpack(self.take(2))[0]
        return value

    def int32(self) -> int:
        """A signed 32-bit integer."""
        value: int = _INT32.unpack(self.take(4))[0]
        return value

    def oid(self) -> int:
        """An unsigned 32-bit integer."""
        value: int = _UINT32.unpack(self.take(4))[0]
        return value

    def string(self) -> str:
        """A zero-terminated UTF-8 string, without its zero."""
        end = self._data.find(0, self._pos)
        if end < 0:
            raise ProtocolViolationError("invalid string in message", fatal=False)
        raw = self._data[self._pos : end]
        self._pos = end + 1
        return text(raw)

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self._pos + size
        if size < 0 or end > len(self._data):
            raise ProtocolViolationError("insufficient data left in message", fatal=False)
        raw = self._data[self._pos : end]
        self._pos = end
        return raw

    def value(self) -> bytes | None:
        """A length and that many bytes; -1 is None, any other negative length an error."""
        size = self.int32()
        return None if size == -1 else self.take(size)

    def rest(self) -> bytes:
        """All that is left."""
        raw = self._data[self._pos :]
        self._pos = len(self._data)
        return raw

    def finish(self) -> None:
        """Raise unless every byte was read."""
        if self._pos != len(self._data):
            raise ProtocolViolationError("invalid message format", fatal=False)


def text(raw: bytes) -> str:
    """UTF-8 bytes of a message as text; 22021 (as ProtocolViolationError) naming the first bad byte."""
    try:
        return raw.decode()
    except UnicodeDecodeError as exc:
        bad = " ".join(f"0x{byte:02x}" for byte in bad_bytes(raw, exc.start))
        raise ProtocolViolationError(
            f'invalid byte sequence for encoding "UTF8": {bad}', fatal=False, sqlstate="22021"
        ) from exc


def bad_bytes(raw: bytes, at: int) -> bytes:
    """What PostgreSQL shows of text that is no UTF-8 from `at` on: as many bytes as the first announces."""
    first = raw[at]
    length = 1 if first >= 0xF8 else 1 + (first >= 0xC0) + (first >= 0xE0) + (first >= 0xF0)
    return raw[at : at + length]
