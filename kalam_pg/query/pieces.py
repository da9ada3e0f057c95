"""An answer in pieces that several take, each at its own pace: in memory, or in a file if there are many."""

from functools import partial
from typing import NamedTuple

import trio

from kalam_pg.query.row_store import Spills
from kalam_pg.query.waits import Steps, run_async
from storage.fs import ScratchFile


class Piece(NamedTuple):
    """Some DataRow messages, and how many."""

    data: bytes | memoryview
    rows: int


class PieceMemory:
    """What all pieces that are kept have in memory together; files take what is beyond `bytes_max`."""

    def __init__(self, spills: Spills, bytes_max: int) -> None:
        self.spills = spills
        self.bytes_max = bytes_max
        self.bytes_held = 0


class Pieces:
    """The pieces of one answer, and by how many takers each is still wanted.

    bytes_made: of all that were added. keeps: those that nobody waits for stay, for who comes later.
    """

    __slots__ = ("_data", "_file", "_memory", "_places", "_rows", "_wanted", "bytes_made", "keeps")

    def __init__(self, memory: PieceMemory) -> None:
        self.bytes_made = 0
        self.keeps = True
        self._memory = memory
        self._data: list[bytes | memoryview | None] = []  # None: dropped, or in the file.
        self._rows: list[int] = []
        self._wanted: list[int] = []
        self._places: dict[int, tuple[int, int]] = {}
        self._file: ScratchFile | None = None

    def __len__(self) -> int:
        return len(self._data)

    @property
    def in_memory(self) -> bool:
        """Whether none of them is in a file."""
        return self._file is None

    def add(self, data: bytes | memoryview, rows: int, takers: int) -> Steps[None]:
        """One more, which so many wait for. Raises 53100, 53400."""
        memory = self._memory
        kept: bytes | memoryview | None = data
        if self._file is None and memory.bytes_held + len(data) <= memory.bytes_max:
            memory.bytes_held += len(data)
        else:
            put = partial(self._put_away, len(self._data), data)
            yield from run_async(partial(trio.to_thread.run_sync, put))
            kept = None
        self.bytes_made += len(data)
        self._data.append(kept)
        self._rows.append(rows)
        self._wanted.append(takers)

    def _put_away(self, number: int, data: bytes | memoryview) -> None:
        spills = self._memory.spills
        if self._file is None:
            spills.take_file()
            try:
                self._file = spills.file()
            except BaseException:
                spills.give_file()
                raise
        self._places[number] = (self._file.append(data), len(data))

    def get(self, number: int) -> Steps[Piece]:
        """One that the caller has been waiting for."""
        data = self._data[number]
        if data is None:
            offset, size = self._places[number]
            assert self._file is not None
            read = partial(self._file.read, size, offset)
            data = yield from run_async(partial(trio.to_thread.run_sync, read))
        return Piece(data, self._rows[number])

    def one_more(self) -> None:
        """Another one waits for all of them."""
        self._wanted = [wanted + 1 for wanted in self._wanted]

    def one_less(self, start: int, stop: int | None = None) -> None:
        """One who waited for these does so no more."""
        wanted = self._wanted
        for number in range(start, len(wanted) if stop is None else stop):
            wanted[number] -= 1
            if not wanted[number] and not self.keeps:
                self._drop(number)

    def keep_no_more(self) -> None:
        """Nobody comes later."""
        self.keeps = False
        for number, wanted in enumerate(self._wanted):
            if not wanted:
                self._drop(number)

    def _drop(self, number: int) -> None:
        data, self._data[number] = self._data[number], None
        if data is not None:
            self._memory.bytes_held -= len(data)

    def close(self) -> None:
        """Nobody takes any. Again is no error."""
        for number in range(len(self._data)):
            self._drop(number)
        if self._file is not None:
            self._file.close()
            self._file = None
            self._memory.spills.give_file()
