"""The file system: the one module that opens files, and the seam where faults are put in."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from storage.errors import DiskFullError, IoError

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


class FileSystem(Protocol):
    """What storage asks of the operating system.

    Every method raises DiskFullError when there is no room and IoError for any other refusal, except
    that reading what is not there raises FileNotFoundError.
    """

    def exists(self, path: Path) -> bool: ...
    def listdir(self, path: Path) -> list[str]: ...
    def stat(self, path: Path) -> os.stat_result: ...
    def size(self, path: Path) -> int: ...
    def read_bytes(self, path: Path) -> bytes: ...
    def open_read(self, path: Path) -> BinaryIO: ...

    def write_new(self, path: Path, data: bytes) -> None:
        """Write a file that must not exist yet, and fsync it."""

    def rename(self, source: Path, target: Path) -> None:
        """Move a file to a name that nothing has."""

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name; never replaces."""

    def unlink(self, path: Path) -> None: ...
    def mkdir(self, path: Path) -> None: ...

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""

    def sync_file(self, path: Path) -> None:
        """Make a file's content durable."""

    def open_slots(self, path: Path, size: int) -> int:
        """Open (creating it at `size` bytes of zeros) a file for `write_at`; its descriptor."""

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None: ...
    def sync_descriptor(self, descriptor: int) -> None: ...
    def close_descriptor(self, descriptor: int) -> None: ...

    def lock(self, path: Path) -> int | None:
        """Lock a file for this process's life; its descriptor, None if another process has it."""


@contextmanager
def _translated(path: object) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as exc:
        name = getattr(path, "name", path)
        if exc.errno in _FULL:
            raise DiskFullError(f'could not write file "{name}": No space left on device') from exc
        raise IoError(f'could not access file "{name}": {exc.strerror}') from exc


class OsFileSystem:
    """The real one."""

    def exists(self, path: Path) -> bool:
        return path.exists()

    def listdir(self, path: Path) -> list[str]:
        with _translated(path):
            return os.listdir(path)  # noqa: PTH208 -- names are wanted, not paths

    def stat(self, path: Path) -> os.stat_result:
        with _translated(path):
            return path.stat()

    def size(self, path: Path) -> int:
        return self.stat(path).st_size

    def read_bytes(self, path: Path) -> bytes:
        with _translated(path):
            return path.read_bytes()

    def open_read(self, path: Path) -> BinaryIO:
        with _translated(path):
            return path.open("rb")

    def write_new(self, path: Path, data: bytes) -> None:
        with _translated(path), path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, source: Path, target: Path) -> None:
        with _translated(target):
            if target.exists():
                raise IoError(f'file "{target.name}" already exists')
            source.rename(target)

    def link(self, source: Path, target: Path) -> None:
        with _translated(target):
            os.link(source, target)

    def unlink(self, path: Path) -> None:
        with _translated(path):
            path.unlink()

    def mkdir(self, path: Path) -> None:
        with _translated(path):
            path.mkdir(parents=True, exist_ok=True)

    def sync_directory(self, path: Path) -> None:
        self.sync_file(path)

    def sync_file(self, path: Path) -> None:
        with _translated(path):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def open_slots(self, path: Path, size: int) -> int:
        with _translated(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.fstat(descriptor).st_size < size:
                os.write(descriptor, bytes(size))
                os.fsync(descriptor)
            return descriptor

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        with _translated("slots"):
            os.pwrite(descriptor, data, offset)

    def sync_descriptor(self, descriptor: int) -> None:
        with _translated("slots"):
            os.fdatasync(descriptor)

    def close_descriptor(self, descriptor: int) -> None:
        os.close(descriptor)

    def lock(self, path: Path) -> int | None:
        with _translated(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            return descriptor


OS = OsFileSystem()
