"""A number on disk that only grows, in two slots written in turn.

A torn write leaves the other slot, so the number is at worst the one before. Each slot lies on a
page of its own: format (1 byte), number (8 bytes, big-endian), crc32 of both.
"""

from pathlib import Path
from struct import Struct
from zlib import crc32

from storage.errors import DataCorruptedError
from storage.fs import FileSystem

_FORMAT = 1
_BODY = Struct(">BQ")
_SLOT_BYTES = _BODY.size + 4
_PAGE_BYTES = 4096


class SlotFile:
    """The number and its file. For one thread at a time.

    value: the greatest number recorded. `record` alone survives kill -9; `sync` makes it survive
    the loss of power.
    """

    def __init__(self, fs: FileSystem, path: Path) -> None:
        """Open the file, making one with the number 0 if there is none.

        Raises:
            DataCorruptedError: Neither slot is what was written.
        """
        self._file = fs.open_update(path, 2 * _PAGE_BYTES)
        raw = [self._file.read(_SLOT_BYTES, at) for at in (0, _PAGE_BYTES)]
        found = [_decode(data) for data in raw]
        known = [number for number in found if number is not None]
        if not known and any(any(data) for data in raw):
            self._file.close()
            raise DataCorruptedError(f'file "{path.name}" is damaged')
        self.value = max(known, default=0)
        self.damaged = any(
            number is None and any(data) for number, data in zip(found, raw, strict=True)
        )
        """Whether a slot is neither what was written nor as it was made: torn, perhaps, by a crash."""
        self._next = 1 if found[0] == self.value else 0

    def record(self, number: int) -> None:
        """Write a number, in the slot that holds the older one."""
        body = _BODY.pack(_FORMAT, number)
        self._file.write(body + crc32(body).to_bytes(4), self._next * _PAGE_BYTES)
        self._next = 1 - self._next
        self.value = number

    def sync(self) -> None:
        """Make what was recorded durable."""
        self._file.sync()

    def close(self) -> None:
        self._file.close()


def _decode(data: bytes) -> int | None:
    if len(data) < _SLOT_BYTES or crc32(data[:-4]) != int.from_bytes(data[-4:]):
        return None
    number_format, number = _BODY.unpack(data[:-4])
    return number if number_format == _FORMAT else None
