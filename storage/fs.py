"""The file system: the only place that opens files, and the seam where faults are injected.

LevelDB does its own I/O below `storage.log.hot`; all other files go through a `FileSystem`. Missing
and existing files are told with Python's own errors, since callers decide by them; a disk that
refuses is a `KalamError`.
"""

import ctypes
import errno
import fcntl
import os
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Protocol

from storage.errors import DiskFullError, IoError, KalamError

Buffer = bytes | bytearray | memoryview

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_TMPFILE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})
"""What a file system that has no O_TMPFILE answers."""


class FileSystem(Protocol):
    """What storage asks of the operating system. Safe in several threads.

    Every name that must survive a crash needs `sync_directory` after it; every byte, `write_new` or
    a sync of its own. A refusal is DiskFullError when there is no room, else IoError; missing and
    existing files are FileNotFoundError and FileExistsError.
    """

    def exists(self, path: Path) -> bool: ...

    def stat(self, path: Path) -> os.stat_result: ...

    def size(self, path: Path) -> int:
        """Bytes of a file."""

    def listdir(self, path: Path) -> list[str]:
        """Names in a directory, in no order."""

    def free_bytes(self, path: Path) -> int:
        """Room for an unprivileged user on the disk that holds `path`."""

    def read_bytes(self, path: Path) -> bytes:
        """All of a file."""

    def open_read(self, path: Path) -> BinaryIO:
        """A file opened for reading at any place."""

    def write_new(self, path: Path, data: Buffer) -> None:
        """Write a file that must not exist yet, and fsync it; nothing stays of one that failed."""

    def write_pieces(self, path: Path, pieces: Iterable[Buffer]) -> None:
        """As `write_new`, but not durable: `sync_many` must follow."""

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, which must not exist."""

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name, which must not exist."""

    def unlink(self, path: Path) -> None: ...

    def rmdir(self, path: Path) -> None:
        """Remove an empty directory."""

    def mkdir(self, path: Path, *, durable: bool = True) -> None:
        """Make a directory and those above it, which may be there already.

        Their names are durable, unless `sync_many` is to see to that.
        """

    def sync_directory(self, path: Path) -> None:
        """Make names that were created, changed or removed in a directory durable."""

    def sync_file(self, path: Path) -> None:
        """Make a file's contents durable, whoever wrote them."""

    def sync_many(self, paths: Sequence[Path]) -> None:
        """Make files (contents) and directories (names) of one disk durable, in any order."""

    def open_update(self, path: Path, size: int) -> "UpdateFile":
        """A file to be overwritten in place; if missing it is made of `size` zeros, durably."""

    def allocate(self, path: Path, size: int) -> None:
        """Make a file that occupies `size` bytes of the disk."""

    def open_scratch(self, directory: Path) -> "ScratchFile":
        """An empty file without a name, in a directory that is made if need be."""

    def lock(self, path: Path) -> "LockFile | None":
        """Hold a lock file until it is closed or the process ends; None: another process has it."""


class OsFileSystem:
    """The real one. Directories are made with mode 0700 and files with 0600."""

    def exists(self, path: Path) -> bool:
        return path.exists()

    def size(self, path: Path) -> int:
        return self.stat(path).st_size

    def stat(self, path: Path) -> os.stat_result:
        with translated(path):
            return path.stat()

    def listdir(self, path: Path) -> list[str]:
        with translated(path):
            return os.listdir(path)  # noqa: PTH208 -- names, not paths, are wanted

    def free_bytes(self, path: Path) -> int:
        with translated(path):
            status = os.statvfs(path)
            return status.f_bavail * status.f_frsize

    def read_bytes(self, path: Path) -> bytes:
        with translated(path):
            return path.read_bytes()

    def open_read(self, path: Path) -> BinaryIO:
        with translated(path):
            return path.open("rb")

    def write_new(self, path: Path, data: Buffer) -> None:
        self._write(path, [data], durable=True)

    def write_pieces(self, path: Path, pieces: Iterable[Buffer]) -> None:
        self._write(path, pieces, durable=False)

    def _write(self, path: Path, pieces: Iterable[Buffer], *, durable: bool) -> None:
        with translated(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                for piece in pieces:
                    self._write_all(descriptor, memoryview(piece).cast("B"))
                if durable:
                    os.fsync(descriptor)
            except BaseException:
                os.unlink(path)  # noqa: PTH108 -- as the calls around it
                raise
            finally:
                os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        with translated(target):
            if not _rename_without_replacing(source, target):
                # Some network disks cannot; a crash in between leaves both names.
                os.link(source, target)
                os.unlink(source)  # noqa: PTH108 -- as the calls around it

    def link(self, source: Path, target: Path) -> None:
        with translated(target):
            os.link(source, target)

    def unlink(self, path: Path) -> None:
        with translated(path):
            path.unlink()

    def rmdir(self, path: Path) -> None:
        with translated(path):
            path.rmdir()

    def mkdir(self, path: Path, *, durable: bool = True) -> None:
        with translated(path):
            missing = []
            while not path.is_dir():
                missing.append(path)
                path = path.parent
            for directory in reversed(missing):
                directory.mkdir(mode=0o700, exist_ok=True)
                if durable:
                    self.sync_directory(directory.parent)

    def sync_directory(self, path: Path) -> None:
        self._sync(path, os.O_RDONLY | os.O_DIRECTORY)

    def sync_file(self, path: Path) -> None:
        self._sync(path, os.O_RDONLY)

    def sync_many(self, paths: Sequence[Path]) -> None:
        if len(paths) <= _SYNC_EACH_MAX or not _syncfs_tells_errors():
            for path in paths:
                self.sync_file(path)
            return
        where = paths[0]
        with translated(where):
            descriptor = os.open(where, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _libc.syncfs(descriptor) != 0:
                    code = ctypes.get_errno()
                    raise OSError(code, os.strerror(code), str(where))
            finally:
                os.close(descriptor)

    def open_update(self, path: Path, size: int) -> "UpdateFile":
        with translated(path):
            if not path.exists():
                self.write_new(path, bytes(size))
                self.sync_directory(path.parent)
            return UpdateFile(path, os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def allocate(self, path: Path, size: int) -> None:
        with translated(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, size)
            except OSError:
                os.unlink(path)  # noqa: PTH108 -- as the calls around it
                raise
            finally:
                os.close(descriptor)

    def open_scratch(self, directory: Path) -> "ScratchFile":
        self.mkdir(directory, durable=False)
        with translated(directory):
            try:
                descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
            except OSError as exc:
                if exc.errno not in _NO_TMPFILE:
                    raise
                descriptor, name = tempfile.mkstemp(dir=directory)
                os.unlink(name)  # noqa: PTH108 -- as the calls around it
        return ScratchFile(directory, descriptor)

    def lock(self, path: Path) -> "LockFile | None":
        with translated(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            with suppress(OSError):  # Who has it is for people to see, if the disk has room.
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return LockFile(descriptor)

    def _sync(self, path: Path, flags: int) -> None:
        with translated(path):
            descriptor = os.open(path, flags | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _write_all(self, descriptor: int, data: memoryview) -> None:
        while data:
            data = data[os.write(descriptor, data) :]


class UpdateFile:
    """A file that is overwritten in place: nothing is durable before `sync`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def read(self, count: int, offset: int) -> bytes:
        with translated(self.path):
            return os.pread(self._descriptor, count, offset)

    def write(self, data: bytes, offset: int) -> None:
        with translated(self.path):
            if os.pwrite(self._descriptor, data, offset) != len(data):
                raise OSError(errno.EIO, "short write")

    def sync(self) -> None:
        """Make the contents durable; the length never changes."""
        with translated(self.path):
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class ScratchFile:
    """A file that nobody else can open and that is gone with its descriptor. Safe in several threads."""

    def __init__(self, directory: Path, descriptor: int) -> None:
        self.directory = directory
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._users = 0
        self._closed = False
        self.size = 0

    def append(self, data: Buffer) -> int:
        """Write at the end; where that was. One thread at a time. Raises DiskFullError, IoError."""
        start, rest, at = self.size, memoryview(data).cast("B"), self.size
        with self._using() as descriptor, translated(self.directory):
            while rest:
                written = os.pwrite(descriptor, rest, at)
                rest, at = rest[written:], at + written
        self.size = at
        return start

    def read(self, count: int, offset: int) -> bytes:
        """The bytes there, all of which were written before."""
        with self._using() as descriptor, translated(self.directory):
            return os.pread(descriptor, count, offset)

    def close(self) -> None:
        """At once, or when the thread that uses it is done. Again is no error."""
        with self._lock:
            idle = not self._closed and not self._users
            self._closed = True
        if idle:
            os.close(self._descriptor)

    @contextmanager
    def _using(self) -> Iterator[int]:
        with self._lock:
            if self._closed:
                raise IoError("the file is closed")
            self._users += 1
        try:
            yield self._descriptor
        finally:
            with self._lock:
                self._users -= 1
                last = self._closed and not self._users
            if last:
                os.close(self._descriptor)


class LockFile:
    """A held lock. Its file stays when the lock is let go: removing it would race."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into a KalamError; missing and existing files stay as they are."""
    try:
        yield
    except (FileNotFoundError, FileExistsError, KalamError):
        raise
    except OSError as exc:
        raise disk_error(f'could not access file "{told(path)}"', exc) from exc


_BELOW = re.compile(r"(?:cold(?:/\d+){0,2}|log|spill)/[^/]+$")


def told(path: Path) -> str:
    """What clients may be told of where a file is: its name, and what is above it in the data directory.

    Where that directory is, is nobody's business but the operator's.
    """
    found = _BELOW.search(str(path))
    return path.name if found is None else found[0]


def disk_error(what: str, exc: OSError) -> KalamError:
    """The error for the client: `what`: the system's reason."""
    if exc.errno in _FULL:
        return DiskFullError(f"{what}: {os.strerror(exc.errno)}")
    reason = os.strerror(exc.errno) if exc.errno else str(exc)
    return IoError(f"{what}: {reason}")


OS = OsFileSystem()
"""The real file system: it holds nothing."""

_SYNC_EACH_MAX = 8
"""More files are made durable by one sync of their disk: 256 small ones take 2 ms that way, and
0.25 ms each otherwise. It also writes what others have changed there, so not for a few."""

_libc = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


@lru_cache(maxsize=1)
def _syncfs_tells_errors() -> bool:
    """Whether syncfs(2) is there and fails when writing does: Linux from 5.8 on."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    recent = release is not None and (int(release[1]), int(release[2])) >= (5, 8)
    return recent and hasattr(_libc, "syncfs")


def _rename_without_replacing(source: Path, target: Path) -> bool:
    """renameat2 with RENAME_NOREPLACE; False when this system or disk does not have it."""
    try:
        renameat2 = _libc.renameat2
    except AttributeError:
        return False
    if renameat2(_AT_FDCWD, bytes(source), _AT_FDCWD, bytes(target), _RENAME_NOREPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code in {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}:
        return False
    raise OSError(code, os.strerror(code), str(source), None, str(target))
