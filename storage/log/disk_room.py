"""Room on the disk: stop writing before it is full, and keep some back to start again with."""

from pathlib import Path

from storage.errors import DiskFullError, KalamError
from storage.fs import FileSystem


class Room:
    """Watches the free space of one directory's disk. For the committer's thread.

    While less than `low_water_bytes` are free, writes are refused before they are tried, so that
    LevelDB is not stopped half-way. The reserve file is given back when it was stopped all the
    same, and made again when there is room.
    """

    def __init__(
        self, fs: FileSystem, directory: Path, *, reserve_bytes: int, low_water_bytes: int
    ) -> None:
        self._fs = fs
        self._directory = directory
        self._reserve = directory / "reserve"
        self._reserve_bytes = reserve_bytes
        self._low_water_bytes = low_water_bytes

    def check(self) -> None:
        """Raise DiskFullError when there is too little room; else see that the reserve is there."""
        free = self._fs.free_bytes(self._directory)
        if free < self._low_water_bytes:
            raise DiskFullError(
                "could not write the log: No space left on device",
                hint=f"{self._low_water_bytes >> 20} MiB must be free; writing then goes on by itself.",
            )
        wanted = self._reserve_bytes
        if wanted and free > 2 * wanted + self._low_water_bytes and not self._exists():
            try:
                self._fs.allocate(self._reserve, wanted)
            except (KalamError, FileExistsError):
                return  # Without it a full disk is only harder to recover from.

    def give_back(self) -> None:
        """Free the reserve: the disk is full and the log must be opened again."""
        if self._exists():
            self._fs.unlink(self._reserve)

    def _exists(self) -> bool:
        return self._fs.exists(self._reserve)
