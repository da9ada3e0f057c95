"""Rows that are read later, or again: a little of them in memory, the others in a file without a name."""

import threading
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from catalog.errors import ConfigurationLimitExceededError
from kalam_pg.query.portion import NO_ROWS, Portion
from kalam_pg.query.waits import Steps, run_async
from storage.fs import FileSystem, ScratchFile

MEMORY_BYTES_MAX = 256 << 10
"""So much of a store stays in memory, beside the portion that was used last."""


LARGE_BYTES = 1 << 20
"""A larger portion is packed and read in a thread."""

LAST_BYTES_MAX = 4 << 20
"""A larger portion, one of a very large row mostly, is not kept when it has been used."""

FILES_MAX = 500
"""Of all stores: connections need descriptors too."""


@dataclass(slots=True)
class Spills:
    """Where stores put what they cannot keep. Files there have no names, so none is ever left.

    open: how many there are.
    """

    fs: FileSystem
    directory: Path
    memory_bytes: int = MEMORY_BYTES_MAX
    open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def store(self) -> "RowStore":
        """A store without rows."""
        return RowStore(self)

    def take_file(self) -> None:
        """One more file is going to be open. Raises 53400 when there are too many."""
        with self._lock:
            if self.open >= FILES_MAX:
                raise ConfigurationLimitExceededError(
                    "too many cursors and results are kept on disk", hint="Try again later."
                )
            self.open += 1

    def give_file(self) -> None:
        """A file is open no more."""
        with self._lock:
            self.open -= 1

    def file(self) -> ScratchFile:
        """A file, for a thread. Raises 53100, 58030."""
        return self.fs.open_scratch(self.directory)


@dataclass(slots=True)
class _Piece:
    """A portion, packed: in memory, or `size` bytes of the file."""

    unpack: Callable[[bytes | memoryview], Portion]
    packed: bytes | memoryview | None
    size: int
    offset: int = -1


class RowStore:
    """Portions in the order in which they were added; closed by its owner."""

    def __init__(self, spills: Spills) -> None:
        self.rows = 0
        self._spills = spills
        self._pieces: list[_Piece] = []
        self._starts: list[int] = []
        self._held: list[_Piece] = []
        self._held_bytes = 0
        self._file: ScratchFile | None = None
        self._last: tuple[int, Portion] = (-1, NO_ROWS)
        self._closed = False
        self._counted = False
        """Its file is one of those that `Spills.open` counts."""

    def add(self, portion: Portion) -> Steps[None]:
        """Add rows behind the last. Raises 53100: the disk is full."""
        if not len(portion) or self._closed:
            return
        if portion.size > LARGE_BYTES:
            packed = yield from run_async(partial(trio.to_thread.run_sync, portion.pack))
        else:
            packed = portion.pack()
        if self._add(portion, packed):
            yield from run_async(partial(trio.to_thread.run_sync, self._spill))

    def add_here(self, portion: Portion) -> None:
        """As `add`, in a thread that is not the event loop's, while nobody else uses the store."""
        if len(portion) and not self._closed and self._add(portion, portion.pack()):
            self._spill()

    def _add(self, portion: Portion, packed: bytes | memoryview) -> bool:
        """Take a portion in; whether it is time to put what is held on the disk."""
        if self._closed:  # while it was packed
            return False
        piece = _Piece(portion.unpacker, packed, len(packed))
        if piece.size <= LAST_BYTES_MAX:
            self._last = (len(self._pieces), portion)
        self._pieces.append(piece)
        self._starts.append(self.rows)
        self.rows += len(portion)
        self._held.append(piece)
        self._held_bytes += piece.size
        if self._held_bytes <= self._spills.memory_bytes:
            return False
        if not self._counted:
            self._spills.take_file()
            self._counted = True
        return True

    def read(self, at: int, limit: int) -> Steps[Portion]:
        """Some rows from number `at` (0 is the first) on, at least one; none behind the last."""
        if at >= self.rows or limit <= 0:
            return NO_ROWS
        number = bisect_right(self._starts, at) - 1
        portion = yield from self._portion(number)
        start = at - self._starts[number]
        if start == 0 and len(portion) <= limit:
            return portion
        return portion.part(start, min(start + limit, len(portion)))

    def read_back(self, before: int, limit: int) -> Steps[Portion]:
        """Some rows before number `before`, in their order, the nearest at least; none before the first."""
        if before <= 0 or limit <= 0:
            return NO_ROWS
        number = bisect_right(self._starts, before - 1) - 1
        portion = yield from self._portion(number)
        stop = before - self._starts[number]
        return portion.part(max(0, stop - limit), stop)

    def close(self) -> None:
        """Forget the rows. Again is no error."""
        self._closed = True
        self._give_file()
        self._pieces, self._held, self._last = [], [], (-1, NO_ROWS)
        if self._file is not None:
            self._file.close()

    def _give_file(self) -> None:
        if self._counted:
            self._counted = False
            self._spills.give_file()

    def _portion(self, number: int) -> Steps[Portion]:
        if self._last[0] == number:
            return self._last[1]
        piece, data = self._pieces[number], self._pieces[number].packed
        if data is None:
            assert self._file is not None
            read = partial(self._file.read, piece.size, piece.offset)
            data = yield from run_async(partial(trio.to_thread.run_sync, read))
        if piece.size > LARGE_BYTES:
            unpacking = partial(piece.unpack, data)
            portion = yield from run_async(partial(trio.to_thread.run_sync, unpacking))
        else:
            portion = piece.unpack(data)
        if piece.size <= LAST_BYTES_MAX:
            self._last = (number, portion)
        return portion

    def _spill(self) -> None:
        """In a thread, which nothing interrupts: from memory to the file."""
        pieces, self._held, self._held_bytes = self._held, [], 0
        file = self._file
        if file is None:
            file = self._file = self._spills.file()
            if self._closed:  # while the file was being opened
                file.close()
        for piece in pieces:
            assert piece.packed is not None
            piece.offset = file.append(piece.packed)
            piece.packed = None
        if self._closed:
            self._give_file()
