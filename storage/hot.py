"""LevelDB: the one module that imports plyvel.

plyvel crashes the process when a handle is closed under a running call, so this wrapper counts what is in
use and closes only when nothing is. Values are not compressed (a scan of 30 hot rows is three times as fast).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import plyvel

from storage.errors import DataCorruptedError, DiskFullError, IoError
from storage.fs import FileSystem

WRITE_BUFFER_BYTES = 64 << 20
CACHE_BYTES = 256 << 20
BLOOM_BITS = 10
"""About 1 % false positives: a key that is absent costs no block read."""


class HotStore:
    """One LevelDB. Reads and iterators from any thread, writes from one."""

    def __init__(self, fs: FileSystem, path: Path, *, create: bool) -> None:
        self._fs = fs
        self._path = path
        self._users = 0
        self._quiet = threading.Condition()
        self._closed = False
        self._unsynced = False
        with self._wrapped():
            self._db: Any = plyvel.DB(
                str(path),
                create_if_missing=create,
                paranoid_checks=True,
                write_buffer_size=WRITE_BUFFER_BYTES,
                lru_cache_size=CACHE_BYTES,
                bloom_filter_bits=BLOOM_BITS,
                compression=None,
                max_open_files=500,
            )

    def get(self, key: bytes) -> bytes | None:
        """The newest value of a key."""
        with self._use():
            value: bytes | None = self._db.get(key, verify_checksums=True)
            return value

    def write(self, puts: list[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """One batch; None deletes. With `sync` it and everything before it is durable afterwards.

        LevelDB starts a new log file without fsync of the one before, so when unsynced batches came
        before this one, every log file is fsynced first.
        """
        with self._use(), self._wrapped():
            if sync and self._unsynced:
                self._sync_logs()
            batch = self._db.write_batch(sync=sync)
            put, delete = batch.put, batch.delete
            for key, value in puts:
                if value is None:
                    delete(key)
                else:
                    put(key, value)
            batch.write()
            self._unsynced = not sync

    def sync(self) -> None:
        """Make every batch written so far durable."""
        with self._use(), self._wrapped():
            if self._unsynced:
                self._sync_logs()
                self._unsynced = False

    def snapshot(self) -> "HotSnapshot":
        """A fixed view of the whole store; close it."""
        with self._use():
            return HotSnapshot(self, self._db.snapshot())

    def compact(self, start: bytes, stop: bytes) -> None:
        """Give back the space of deleted keys in [start, stop)."""
        with self._use(), self._wrapped():
            self._db.compact_range(start=start, stop=stop)

    def close(self) -> None:
        """Close once nothing uses it; later calls of anything raise."""
        with self._quiet:
            if self._closed:
                return
            self._closed = True
            while self._users:
                self._quiet.wait()
        self._db.close()

    @contextmanager
    def _use(self) -> Iterator[None]:
        # Two locked counter changes cost 0.3 us; a crash of the process would cost more.
        with self._quiet:
            if self._closed:
                raise IoError("the store is closed")
            self._users += 1
        try:
            yield
        finally:
            with self._quiet:
                self._users -= 1
                if not self._users and self._closed:
                    self._quiet.notify_all()

    @contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except plyvel.CorruptionError as exc:
            raise DataCorruptedError("the log's store is damaged") from exc
        except plyvel.IOError as exc:
            if "No space left" in str(exc):
                raise DiskFullError("could not write the log: No space left on device") from exc
            raise IoError("could not access the log's store") from exc

    def _sync_logs(self) -> None:
        for name in self._fs.listdir(self._path):
            if name.endswith(".log"):
                try:
                    self._fs.sync_file(self._path / name)
                except FileNotFoundError:
                    continue  # its content has become a table, which LevelDB syncs


class HotSnapshot:
    """A LevelDB snapshot. Gets are cheap calls on the hot path and are not counted: who holds a snapshot
    keeps its store open (`Engine` closes every view first).
    """

    __slots__ = ("_snapshot", "_store", "get")

    def __init__(self, store: HotStore, snapshot: Any) -> None:  # noqa: ANN401 -- plyvel has no types
        self._store = store
        self._snapshot = snapshot
        self.get = snapshot.get

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) in [start, stop), lazily; to be used up or closed in the thread that began."""
        iterator = self._snapshot.iterator(
            start=start, stop=stop, reverse=reverse, verify_checksums=True
        )
        try:
            yield from iterator
        finally:
            iterator.close()

    def close(self) -> None:
        """Let LevelDB forget it."""
        self._snapshot.close()
