"""Room on the disk: stop writing before it is full, and keep some back to start again with."""

import threading
from pathlib import Path

from storage.errors import DiskFullError, KalamError
from storage.fs import FileSystem

_MARGIN = 4
"""Room for a fourth more than what must be free is wanted before some of it is set aside."""


class Room:
    """Watches the free space of one directory's disk. Safe in several threads.

    While less than `low_water_bytes` are free, writes are refused before they are tried, so that
    LevelDB is not stopped half-way. The reserve file is given back when it was stopped all the
    same, or when a server starts and finds no room, since LevelDB cannot be opened without any. From
    then on writes are refused until there is room to set it aside again: else they would take it.
    """

    def __init__(
        self, fs: FileSystem, directory: Path, *, reserve_bytes: int, low_water_bytes: int
    ) -> None:
        self._fs = fs
        self._directory = directory
        self._reserve = directory / "reserve"
        self._reserve_bytes = reserve_bytes
        self._low_water_bytes = low_water_bytes
        self._given_back = False
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise DiskFullError when there is too little room to write."""
        if self.keep() < self._low_water_bytes:
            raise DiskFullError(
                "could not write the log: No space left on device",
                hint=f"{self._needed() >> 20} MiB must be free; writing then goes on by itself.",
            )

    def keep(self) -> int:
        """See that the reserve is there if there is room for it; how much may be written into."""
        with self._lock:
            free = self._fs.free_bytes(self._directory)
            wanted = self._reserve_bytes
            if not wanted or (not self._given_back and self._exists()):
                return free
            if free >= self._needed():
                try:
                    self._fs.allocate(self._reserve, wanted)
                except (KalamError, FileExistsError):
                    pass  # Without it a full disk is only harder to recover from.
                else:
                    self._given_back = False
                    return free - wanted
            return free - wanted if self._given_back else free

    def prepare(self) -> None:
        """Before the log is opened: give the reserve back if it may be needed for that."""
        if self._fs.free_bytes(self._directory) < self._reserve_bytes:
            self.give_back()

    def give_back(self) -> bool:
        """Free the reserve: the disk is full and the log must be opened. Whether there was one."""
        with self._lock:
            if not self._exists():
                return False
            self._fs.unlink(self._reserve)
            self._given_back = True
            return True

    def _needed(self) -> int:
        """What must be free for the reserve to be made, and writing to go on after it."""
        low = self._low_water_bytes
        return self._reserve_bytes + low + low // _MARGIN

    def _exists(self) -> bool:
        return self._fs.exists(self._reserve)
