"""LevelDB: the one module that imports plyvel.

plyvel crashes the process when a handle is closed under a running call. So every call is counted
while it runs, iterators read in short counted turns, and `close` lets no new call begin and waits
for those that run. Values are not compressed (a scan of 30 hot rows is three times as fast), and
every block read from disk is checked: `paranoid_checks` alone would return flipped bits as data.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import plyvel

from storage.errors import (
    DataCorruptedError,
    DiskFullError,
    IoError,
    KalamError,
    SerializationError,
)
from storage.fs import FileSystem

Put = tuple[bytes, bytes | None]
"""A key and its new value; None deletes."""

_CHUNK_FIRST, _CHUNK_MAX, _CHUNK_BYTES_MAX = 16, 256, 1 << 20
"""Pairs that an iterator reads in one turn: few at first, since many readers want only some."""

_CLOSE_WAIT_S = 30.0
"""No call takes this long; if one does, closing would crash the process."""


@dataclass(frozen=True, slots=True)
class HotOptions:
    """LevelDB's settings, as measured with chat rows (decision 0016).

    bloom_bits: 10 find about 99 % of absent keys without reading a block.
    """

    write_buffer_bytes: int = 16 << 20
    cache_bytes: int = 256 << 20
    bloom_bits: int = 10
    open_files_max: int = 500


class HotStore:
    """One LevelDB. Reads from any thread, writes from one.

    failed: the error of a write whose outcome is unknown. From then on every write fails with it,
    until the store is closed and another is opened on the same directory.
    """

    def __init__(
        self,
        fs: FileSystem,
        path: Path,
        *,
        create: bool,
        options: HotOptions = HotOptions(),
    ) -> None:
        """Open a store.

        Raises:
            DataCorruptedError: Files are missing or damaged.
            DiskFullError, IoError: The disk refuses.
        """
        self._fs = fs
        self._path = path
        self._calls: deque[None] = deque()  # One for each running call: its length is their number.
        self.closed = False
        self.failed: KalamError | None = None
        self.unsynced = False
        with _translated("open"):
            self._db: Any = plyvel.DB(
                str(path),
                create_if_missing=create,
                paranoid_checks=True,
                write_buffer_size=options.write_buffer_bytes,
                lru_cache_size=options.cache_bytes,
                bloom_filter_bits=options.bloom_bits,
                compression=None,
                max_open_files=options.open_files_max,
            )
        self._get: Callable[..., bytes | None] = self._db.get

    def get(self, key: bytes) -> bytes | None:
        """The newest value of a key."""
        calls = self._calls
        calls.append(None)
        try:
            if self.closed:
                raise _ended()
            return self._get(key, verify_checksums=True)
        except plyvel.Error as exc:
            raise _error("read", exc) from exc
        finally:
            calls.pop()

    def get_all(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """`get` of each of them."""
        get = self._get
        with self.counted(), _translated("read"):
            return [get(key, verify_checksums=True) for key in keys]

    def write(self, puts: Iterable[Put], *, sync: bool) -> None:
        """One batch. With `sync`, it and everything before it is durable afterwards.

        LevelDB begins a new log file without fsync of the one before. So when unsynced batches
        came before a synced one, every log file is fsynced first.

        Raises:
            DiskFullError, IoError: The outcome is unknown, and the store has failed.
        """
        calls = self._calls
        calls.append(None)  # As `counted`, spelled out: every commit comes by here.
        try:
            self._check_writable()
            if sync and self.unsynced:
                self._sync_logs()
            batch = self._db.write_batch(sync=sync)
            put, delete = batch.put, batch.delete
            for key, value in puts:
                if value is None:
                    delete(key)
                else:
                    put(key, value)
            batch.write()
            self.unsynced = not sync
        except (plyvel.Error, KalamError) as exc:
            raise self._write_failed(exc) from exc
        finally:
            calls.pop()

    def sync(self) -> None:
        """Make every batch written so far durable. From the writing thread."""
        if self.unsynced:
            with self.counted():
                try:
                    self._check_writable()
                    self._sync_logs()
                except KalamError as exc:
                    raise self._write_failed(exc) from exc
                self.unsynced = False

    def snapshot(self) -> "HotSnapshot":
        """A fixed view of the whole store; close it."""
        calls = self._calls
        calls.append(None)
        try:
            if self.closed:
                raise _ended()
            return HotSnapshot(self, self._db.snapshot(), calls)
        finally:
            calls.pop()

    def compact(self, start: bytes, stop: bytes) -> None:
        """Give back the space of what was deleted in [start, stop)."""
        with self.counted(), _translated("compact"):
            self._db.compact_range(start=start, stop=stop)

    def size(self, start: bytes, stop: bytes) -> int:
        """About how many bytes of disk [start, stop) takes."""
        with self.counted():
            size: int = self._db.approximate_size(start, stop)
            return size

    def tables(self) -> set[int]:
        """The numbers of LevelDB's tables that whoever reads from now on may read."""
        with self.counted():
            listed: bytes = self._db.get_property(b"leveldb.sstables")
        lines = [line for line in listed.splitlines() if line.startswith(b" ")]
        return {int(line.partition(b":")[0]) for line in lines}

    @property
    def idle(self) -> bool:
        """Whether no call runs."""
        return not self._calls

    def close(self) -> None:
        """End every view, wait for running calls and close. Later calls raise SerializationError."""
        if self.closed:
            return
        self.closed = True
        give_up = time.monotonic() + _CLOSE_WAIT_S
        while self._calls:
            if time.monotonic() > give_up:
                raise IoError("the log's store is still in use and cannot be closed")
            time.sleep(0.0005)
        self._db.close()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """A call runs, of this store or of a snapshot of it: `close` waits for its end."""
        self._calls.append(None)
        try:
            if self.closed:
                raise _ended()
            yield
        finally:
            self._calls.pop()

    def _check_writable(self) -> None:
        if self.closed:
            raise _ended()
        if self.failed is not None:
            raise self.failed

    def _write_failed(self, exc: Exception) -> KalamError:
        """The error of a write; whether it was done is not known before the store is opened again."""
        error = exc if isinstance(exc, KalamError) else _error("write", exc)
        if not self.closed:
            self.failed = error
        return error

    def _sync_logs(self) -> None:
        for name in self._fs.listdir(self._path):
            if name.endswith(".log"):
                try:
                    self._fs.sync_file(self._path / name)
                except FileNotFoundError:
                    continue  # Its content has become a table, which LevelDB has synced.


class HotSnapshot:
    """A fixed view of a store. Any thread may read, as long as somebody holds it."""

    __slots__ = ("_calls", "_get", "_snapshot", "_store")

    def __init__(self, store: HotStore, snapshot: Any, calls: "deque[None]") -> None:  # noqa: ANN401
        self._store = store
        self._snapshot = snapshot
        self._calls = calls
        self._get: Callable[..., bytes | None] = snapshot.get

    @property
    def ended(self) -> bool:
        """Whether the store was closed."""
        return self._store.closed

    def get(self, key: bytes) -> bytes | None:
        """A key's value.

        Raises:
            SerializationError: The store was closed.
            DataCorruptedError, IoError: It cannot be read.
        """
        calls = self._calls
        calls.append(None)
        try:
            if self._store.closed:
                raise _ended()
            return self._get(key, verify_checksums=True)
        except plyvel.Error as exc:
            raise _error("read", exc) from exc
        finally:
            calls.pop()

    def get_all(self, keys: Iterable[bytes]) -> list[bytes | None]:
        """`get` of each of them."""
        get = self._get
        with self._store.counted(), _translated("read"):
            return [get(key, verify_checksums=True) for key in keys]

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) in [start, stop), lazily. To be used in one thread; raises as `get`."""
        found = self._iterate(start, stop, reverse=reverse, include_value=True)
        return takewhile(lambda pair: pair[0] >= start, found) if reverse else found

    def scan_keys(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[bytes]:
        """The keys in [start, stop), lazily. To be used in one thread; raises as `get`."""
        found = self._iterate(start, stop, reverse=reverse, include_value=False)
        return takewhile(start.__le__, found) if reverse else found

    def _iterate(
        self, start: bytes, stop: bytes, *, reverse: bool, include_value: bool
    ) -> Iterator[Any]:
        """As `scan`. Backwards it goes on below `start`, at which plyvel 1.5 misses a key that is alone."""
        iterator: Any = None
        how = {"reverse": reverse, "include_value": include_value}
        bounds = {"stop": stop} if reverse else {"start": start, "stop": stop}
        size = _CHUNK_FIRST
        try:
            while True:
                with self._store.counted(), _translated("read"):
                    if iterator is None:
                        iterator = self._snapshot.iterator(verify_checksums=True, **bounds, **how)
                    chunk, whole = _some(iterator, size, include_value=include_value)
                yield from chunk
                if whole and len(chunk) < size:
                    return
                size = min(size * 4, _CHUNK_MAX)
        finally:
            if iterator is not None and not self._store.closed:
                self._calls.append(None)
                try:
                    if not self._store.closed:
                        iterator.close()
                finally:
                    self._calls.pop()

    def close(self) -> None:
        """Let LevelDB forget it."""
        self._calls.append(None)
        try:
            if not self._store.closed:
                self._snapshot.close()
        finally:
            self._calls.pop()


def _some(found: Iterator[Any], most: int, *, include_value: bool) -> tuple[list[Any], bool]:
    """The next of an iterator, and whether it was not their bytes that made them so few."""
    if not include_value:
        return list(islice(found, most)), True
    chunk, held = [], 0
    for pair in islice(found, most):
        chunk.append(pair)
        held += len(pair[1])
        if held > _CHUNK_BYTES_MAX:
            return chunk, False
    return chunk, True


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except plyvel.Error as exc:
        raise _error(doing, exc) from exc


def _error(doing: str, exc: Exception) -> KalamError:
    """The client's error. LevelDB's own text holds paths: it stays in the chained exception."""
    text = str(exc)
    if isinstance(exc, plyvel.CorruptionError):
        return DataCorruptedError(f"could not {doing} the log: its files are damaged")
    if "No space left" in text or "quota exceeded" in text:
        return DiskFullError(f"could not {doing} the log: No space left on device")
    if "does not exist" in text or "No such file" in text:
        return DataCorruptedError(f"could not {doing} the log: files of it are missing")
    return IoError(f"could not {doing} the log: {text.rpartition(': ')[2]}")


def _ended() -> SerializationError:
    return SerializationError(
        "could not serialize access: the log was closed while this transaction ran",
        hint="The transaction might succeed if retried.",
    )
