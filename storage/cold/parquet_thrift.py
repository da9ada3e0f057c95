"""Thrift's compact protocol, as far as Parquet's footers, page indexes and page headers are in it.

Arrow reads and writes these files, but says nothing of where pages are, and reads no single one.
"""

from storage.fs import Buffer

Thing = "bool | int | bytes | list[Thing] | dict[int, Thing]"
"""What is read: structs by the numbers of their fields; floats stay bytes."""

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_LONG_LIST = 15

NUMBER, BINARY, LIST, STRUCT = _I32, _BINARY, _LIST, _STRUCT
"""Types of values."""

NEXT_NUMBER32, NEXT_NUMBER64, NEXT_BINARY = b"\x15", b"\x16", b"\x18"
NEXT_LIST, NEXT_STRUCT = b"\x19", b"\x1c"
SECOND_NUMBER64 = b"\x26"
"""Headers of a struct's fields: how many numbers after the one before, and the type."""

STOP = b"\x00"
"""The end of a struct."""


class CompactReader:
    """Values one after the other. `at`: where the next one begins.

    Raises IndexError or ValueError for what is not in the protocol.
    """

    def __init__(self, data: Buffer, at: int = 0) -> None:
        self._data = memoryview(data).cast("B")
        self.at = at

    def struct(self) -> dict[int, object]:
        """The fields of a struct."""
        found: dict[int, object] = {}
        field = 0
        while True:
            field, kind = self.field(field)
            if not kind:
                return found
            found[field] = self.value(kind)

    def field(self, before: int) -> tuple[int, int]:
        """Number and type of the next field of a struct, behind that numbered `before`; type 0: its end."""
        head = self._byte()
        kind = head & 15
        if not kind:
            return before, 0
        return (before + (head >> 4) if head >> 4 else self._number()), kind

    def value(self, kind: int) -> object:
        """One value of a type, as the header of a field says it."""
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in (_I16, _I32, _I64):
            return self._number()
        if kind == _BINARY:
            return self._take(self._varint())
        if kind == _STRUCT:
            return self.struct()
        if kind in (_LIST, _SET):
            return self._list()
        if kind in (_BYTE, _DOUBLE):
            return self._take(1 if kind == _BYTE else 8)
        raise ValueError(f"Parquet has no values of type {kind}")

    def list_head(self) -> tuple[int, int]:
        """How many values a list has, and of which type."""
        head = self._byte()
        size, kind = head >> 4, head & 15
        return self._varint() if size == _LONG_LIST else size, kind

    def _list(self) -> list[object]:
        size, kind = self.list_head()
        if kind in (_TRUE, _FALSE):
            return [self._byte() == _TRUE for _ in range(size)]
        return [self.value(kind) for _ in range(size)]

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _take(self, size: int) -> bytes:
        self.at += size
        if self.at > len(self._data):
            raise IndexError(self.at)
        return bytes(self._data[self.at - size : self.at])

    def _varint(self) -> int:
        found = shift = 0
        while True:
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
            shift += 7

    def _number(self) -> int:
        found = self._varint()
        return (found >> 1) ^ -(found & 1)


def footer_of(data: Buffer) -> memoryview:
    """The footer of a Parquet file."""
    whole = memoryview(data).cast("B")
    size = int.from_bytes(whole[-8:-4], "little")
    return whole[len(whole) - 8 - size : len(whole) - 8]


def number(value: int) -> bytes:
    """A number of 16 to 64 bits."""
    return varint(value << 1 if value >= 0 else ~(value << 1))


def text(value: bytes) -> bytes:
    """Bytes behind their length."""
    return varint(len(value)) + value


def varint(value: int) -> bytes:
    """A number that is not negative, seven bits a byte."""
    if value < 128:
        return bytes((value,))
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def list_head(size: int, kind: int) -> bytes:
    """What comes before so many values of a type."""
    return bytes((size << 4 | kind,)) if size < _LONG_LIST else bytes((0xF0 | kind,)) + varint(size)
