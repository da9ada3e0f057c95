"""What a COPY sends, until all of it is there: a little in memory, the others in a file without a name."""

from collections.abc import Iterator
from functools import partial
from typing import Final, Protocol

import trio

from kalam_pg.query.row_store import Spills
from kalam_pg.query.waits import Steps, run_async
from storage.fs import ScratchFile

HELD_BYTES: Final = 1 << 20
"""So much is in memory before it is written, in a thread."""

PIECE_BYTES: Final = 4 << 20
"""So much is read at a time."""


class Sent(Protocol):
    """What a statement puts into a table, when all of it is there. lines: at least as many as its rows."""

    @property
    def lines(self) -> int: ...

    def pieces(self) -> Iterator[bytes]:
        """All of it; in a thread."""
        ...


class Spool:
    """Bytes in the order in which they come. size: how many."""

    def __init__(self, spills: Spills) -> None:
        self.size = 0
        self._newlines = 0
        self._begun = False
        self._spills = spills
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._file: ScratchFile | None = None
        self._closed = False

    def add(self, data: bytes) -> Steps[None]:
        """Keep what comes next. Raises 53100, 53400, 58030: it is kept all the same."""
        self._held.append(data)
        self._held_bytes += len(data)
        self.size += len(data)
        if self._held_bytes >= HELD_BYTES:
            yield from self.write()

    def write(self) -> Steps[None]:
        """Have all of it in the file. Raises as `add`."""
        if not self._held:
            return
        if self._file is None:
            self._spills.take_file()
            try:
                self._file = yield from run_async(partial(trio.to_thread.run_sync, self._opened))
            except BaseException:
                self._spills.give_file()
                raise
        data = b"".join(self._held)
        yield from run_async(partial(trio.to_thread.run_sync, self._append, data))
        self._held, self._held_bytes = [], 0

    def _opened(self) -> ScratchFile:
        file = self._spills.file()
        if self._closed:  # while it was being opened
            file.close()
        return file

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        self._file.append(data)
        self._newlines += data.count(b"\n")
        self._begun = not data.endswith(b"\n")

    @property
    def lines(self) -> int:
        """How many lines are in the file, the last of which may have no end."""
        return self._newlines + self._begun

    def read(self, at: int, size: int = PIECE_BYTES) -> Steps[bytes]:
        """A piece that begins there; b"" behind the last. size: of it, where the file has so much."""
        file = self._file
        written = 0 if file is None else file.size
        if file is None or at >= written:
            return b"".join(self._held)[at - written :]
        read: bytes = yield from run_async(partial(trio.to_thread.run_sync, file.read, size, at))
        return read

    def cut(self, at: int, size: int) -> bytes:
        """Some bytes of it, when it was written; in a thread."""
        assert self._file is not None
        return self._file.read(size, at)

    def pieces(self) -> Iterator[bytes]:
        """All of it, when it was written; in a thread."""
        assert self._file is not None
        at = 0
        while piece := self._file.read(PIECE_BYTES, at):
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Forget it. Again is no error."""
        if self._closed:
            return
        self._closed = True
        self._held = []
        if self._file is not None:
            self._file.close()
            self._spills.give_file()
