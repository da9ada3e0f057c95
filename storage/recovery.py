"""Opening a data directory: lock it, open the log, check it against what was recorded, find what is dirty.

server.lock   flocked by the one process that has the directory open; LevelDB's LOCK is never touched
catalog.mark  made once the log exists: a directory with it is never created anew
last.seq      two slots of (seq, crc): the newest durable commit, written after every synced batch
log/          LevelDB
cold/<user id>/<table id>/   segments and manifests
"""

import os
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from storage.errors import DataCorruptedError, DirectoryInUseError
from storage.fs import FileSystem
from storage.hot import HotStore
from storage.ids import TabletId
from storage.keys import FORMAT, log_key, log_prefix, meta_key, split_log_key, successor, system_key

_SLOT_BYTES = 12
_PAGE = 4096


class Slots:
    """The newest durable seq, in two slots written in turn, so that a torn write leaves the other."""

    def __init__(self, fs: FileSystem, path: Path) -> None:
        self._fs = fs
        self._file = fs.open_slots(path, 2 * _PAGE)
        self._turn = 0
        data = fs.read_bytes(path)
        found = [self._read(data, slot) for slot in (0, 1)]
        self.recorded = max(found)
        self._turn = 1 - found.index(self.recorded)

    @staticmethod
    def _read(data: bytes, slot: int) -> int:
        raw = data[slot * _PAGE : slot * _PAGE + _SLOT_BYTES]
        seq = int.from_bytes(raw[:8], "big")
        return seq if crc32(raw[:8]) == int.from_bytes(raw[8:], "big") else 0

    def record(self, seq: int) -> None:
        """Write a seq; survives a crash of the process, of the machine only after `sync`."""
        raw = seq.to_bytes(8, "big")
        self._fs.write_at(self._file, raw + crc32(raw).to_bytes(4, "big"), self._turn * _PAGE)
        self._turn = 1 - self._turn

    def sync(self) -> None:
        """Make what was recorded durable."""
        self._fs.sync_descriptor(self._file)

    def close(self) -> None:
        """Close the file."""
        self._fs.close_descriptor(self._file)


@dataclass(slots=True)
class Opened:
    """An open directory. dirty: tablets with entries above their last flush, and how many."""

    store: HotStore
    last: int
    reserved: int
    dirty: dict[TabletId, int]
    slots: Slots
    lock: int
    fs: FileSystem

    def close(self) -> None:
        """Close all but the store."""
        self.slots.close()
        self.fs.close_descriptor(self.lock)


def open_directory(path: Path, fs: FileSystem) -> Opened:
    """Lock, open and check a directory, creating it if it is new.

    Raises:
        DirectoryInUseError: Another process has it.
        DataCorruptedError: The log has lost commits that were recorded as durable.
    """
    os.umask(0o077)
    fs.mkdir(path)
    lock = fs.lock(path / "server.lock")
    if lock is None:
        raise DirectoryInUseError(
            f'data directory "{path}" is in use by another server',
            hint="Only one server may serve a data directory at a time.",
        )
    mark = path / "catalog.mark"
    new = not fs.exists(mark)
    store = HotStore(fs, path / "log", create=new)
    slots = Slots(fs, path / "last.seq")
    last = int.from_bytes(store.get(system_key("last")) or b"", "big")
    reserved = int.from_bytes(store.get(system_key("reserved")) or b"", "big")
    if last < slots.recorded:
        store.close()
        slots.close()
        fs.close_descriptor(lock)
        raise DataCorruptedError(
            f"the log ends at commit {last}, but commit {slots.recorded} was durable",
            hint="Files of the log are missing or damaged; restore them or a backup.",
        )
    if new:
        fs.write_new(mark, b"kalam_pg data directory, format 1\n")
        fs.sync_directory(path)
    return Opened(store, last, reserved, find_dirty(store), slots, lock, fs)


def find_dirty(store: HotStore) -> dict[TabletId, int]:
    """Tablets whose log goes beyond their flush hint, with the number of entries: one seek a tablet."""
    dirty: dict[TabletId, int] = {}
    snapshot = store.snapshot()
    try:
        start = bytes((FORMAT,)) + b"L"
        stop = successor(start)
        while True:
            first = next(snapshot.scan(start, stop), None)
            if first is None:
                return dirty
            tablet, _, _ = split_log_key(first[0])
            end = successor(log_prefix(tablet))
            hint = store.get(meta_key(tablet))
            through = int.from_bytes(hint[:8], "big") if hint else 0
            rows = sum(1 for _ in snapshot.scan(log_key(tablet, through + 1, 0), end))
            if rows:
                dirty[tablet] = rows
            start = end
    finally:
        snapshot.close()
