"""The way of large results out of a worker: memory that it shares with the server.

A worker lays encoded rows down in its `Area` and says where; the server sends them from there to the
client's socket, and says when it is done with the oldest. So the bytes are copied once between the two
processes, and only what is whole is ever announced: a worker that is killed leaves no half message.

The server maps what a worker may write to at any time. It reads it as bytes for this worker's client
and nothing else, and the file is sealed against shrinking, which would make reading it a SIGBUS.
"""

import fcntl
import mmap
import os
from collections import deque
from dataclasses import dataclass, field
from struct import Struct
from typing import Self

AREA_BYTES = 8 << 20
"""So much a worker may be ahead of the client: some six pieces."""

_COUNT = Struct("<Q")
_FILE_BYTES = AREA_BYTES + _COUNT.size
"""Behind the pieces stands how many queries the worker has begun: what it has not begun when it is
lost, it is not to blame for."""

PIECE_BYTES_MIN = 32 << 10
"""Less than this travels in a frame: that costs a copy more, and no answer."""

PIECE_BYTES_MAX = AREA_BYTES // 2
"""More (one row may have a gigabyte) travels in a frame too."""

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


def create() -> int:
    """A descriptor of a new area, for both processes to map."""
    fd = os.memfd_create("kalam-rows", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, _FILE_BYTES)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd


@dataclass(frozen=True, slots=True)
class Mapped:
    """The server's view of an area; it lasts as long as somebody holds it, or a part of `rows`."""

    _file: memoryview

    @classmethod
    def to_read(cls, fd: int) -> Self:
        """Map the area."""
        return cls(memoryview(mmap.mmap(fd, _FILE_BYTES, prot=mmap.PROT_READ)))

    @property
    def rows(self) -> memoryview:
        """Where the pieces lie."""
        return self._file[:AREA_BYTES]

    @property
    def begun(self) -> int:
        """How many queries the worker has begun."""
        count: int = _COUNT.unpack_from(self._file, AREA_BYTES)[0]
        return count


@dataclass(slots=True)
class Area:
    """The worker's side: pieces are laid down in turn, and freed in the same order.

    count: where it says how many queries it has begun.
    """

    memory: memoryview
    count: memoryview = field(default_factory=lambda: memoryview(bytearray(_COUNT.size)))
    _begun: int = 0
    _placed: "deque[tuple[int, int]]" = field(default_factory=deque)

    @classmethod
    def map(cls, fd: int) -> Self:
        """Map the area and close `fd`."""
        try:
            file = memoryview(mmap.mmap(fd, _FILE_BYTES))
        finally:
            os.close(fd)
        return cls(file[:AREA_BYTES], file[AREA_BYTES:])

    def begin(self) -> None:
        """A query begins: no piece is needed any more."""
        self._placed.clear()
        self._begun += 1
        _COUNT.pack_into(self.count, 0, self._begun)

    def place(self, data: bytes | memoryview) -> int | None:
        """Lay `data` down; where it lies, or None when there is no room now."""
        size = len(data)
        start = self._room(size)
        if start is not None:
            self.memory[start : start + size] = data
            self._placed.append((start, start + size))
        return start

    def taken(self) -> None:
        """The oldest piece is no longer needed."""
        self._placed.popleft()

    def _room(self, size: int) -> int | None:
        if not self._placed:
            # From the start again: that memory is in the processor's cache.
            return 0 if size <= len(self.memory) else None
        oldest, end = self._placed[0][0], self._placed[-1][1]
        if end > oldest:
            if end + size <= len(self.memory):
                return end
            end = 0
        return end if end + size < oldest else None
