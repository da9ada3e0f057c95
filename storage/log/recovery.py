"""Opening a data directory: lock it, open the log, hold it against what was recorded as durable.

    server.lock    flocked by the one process that has the directory open
    catalog.mark   made once the log exists: the log of a directory with it is never created anew
    last.seq       the newest synced commit (`storage.log.slot_file`), written after each synced batch
    reserved.seq   sequence numbers up to here may have been given
    reserve        room that is given back when the disk is full, so that the log can be reopened
    log/           LevelDB, whose own LOCK file is never touched: closing a copy would drop its lock
    cold/<user id>/<table id>/   segments and manifests

LevelDB opens cleanly after it has lost its newest log file or part of its manifest. What the log
itself says is its last commit is therefore compared with last.seq: a log that ends earlier is not
opened. After a loss of power the last second of last.seq may be missing, and a log that lost as
much looks like one that never had it.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from storage import failpoints
from storage.errors import (
    DataCorruptedError,
    DirectoryInUseError,
    DiskFullError,
    SnapshotTooOldError,
)
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.keys import meta_key, successor, system_key
from storage.log.disk_room import Room
from storage.log.hot import HotOptions, HotSnapshot, HotStore, Put
from storage.log.slot_file import SlotFile
from storage.log.unflushed import COMPLETE, find_unflushed, read_list, tablet_of
from storage.log.view import View

LAST = system_key("last")
"""System record: the seq of the batch that it was written in, 8 bytes."""

INCARNATION = "incarnation"
"""Name of the meta record that holds the seq of a tablet's last TRUNCATE, 8 bytes."""

LOAD = "load"
"""Name of the meta record of a load (`load_key`): the text of the manifest that it makes the newest."""

MARK = "catalog.mark"
LOG = "log"
"""LevelDB's directory."""

RESERVE = "reserve"

_EPOCH = Struct(">BQQ")
_EPOCH_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Epoch:
    """One opening of the directory. Commits in (recovered, first) were lost or never were."""

    number: int
    recovered: int
    first: int


@dataclass(slots=True)
class Opened:
    """An open directory.

    last: the newest commit in the log. reserved: sequence numbers up to here may have been given.
    unflushed: tablets with entries that no segment holds, with the oldest one's seq or a lower one; listed:
    whether the log has them as a list (`storage.log.unflushed`). intents: flushes that did not end, with
    the commit that they were to reach. loads: texts of manifests that were committed and perhaps not linked,
    b"" of those that are erased.
    """

    directory: Path
    fs: FileSystem
    store: HotStore
    last: int
    reserved: int
    epochs: tuple[Epoch, ...]
    unflushed: Mapping[TabletId, int]
    listed: bool
    intents: Mapping[TabletId, int]
    loads: Mapping[TabletId, bytes]
    last_file: SlotFile
    reserved_file: SlotFile
    room: Room
    resources: ExitStack

    def close(self) -> None:
        """Close everything, the store first; the lock falls last."""
        self.resources.close()


def open_directory(
    path: Path,
    fs: FileSystem,
    *,
    create: bool = True,
    hot: HotOptions | None = None,
    reserve_bytes: int = 0,
    low_water_bytes: int = 0,
) -> Opened:
    """Lock, open and check a directory; a new one is made if `create`.

    reserve_bytes, low_water_bytes: see `storage.log.disk_room`. On a full disk the reserve is given
    back for the log to be opened.

    Raises:
        DirectoryInUseError: Another process has it open.
        DataCorruptedError: Files are missing or damaged, or the log lost commits that were durable.
    """
    os.umask(0o077)  # LevelDB makes its files itself.
    if create:
        fs.mkdir(path)
    with ExitStack() as resources:
        lock = fs.lock(path / "server.lock")
        if lock is None:
            raise DirectoryInUseError(
                f'data directory "{path}" is in use by another server',
                hint="Only one server may use a data directory at a time.",
            )
        resources.callback(lock.close)
        failpoints.hit("recovery.locked")
        known = fs.exists(path / MARK)
        if not known and not create:
            raise DataCorruptedError(f'"{path}" is not a data directory: it has no {MARK}')
        for name in ("last.seq", "reserved.seq"):
            if known and not fs.exists(path / name):
                raise DataCorruptedError(f'data directory "{path}" has no file {name}', hint=_HINT)
        last_file = SlotFile(fs, path / "last.seq")
        resources.callback(last_file.close)
        reserved_file = SlotFile(fs, path / "reserved.seq")
        resources.callback(reserved_file.close)
        if not known and last_file.value:
            raise DataCorruptedError(f'data directory "{path}" has lost its {MARK}', hint=_HINT)
        room = Room(fs, path, reserve_bytes=reserve_bytes, low_water_bytes=low_water_bytes)
        room.prepare()
        store = open_store(fs, path, room, create=not known, hot=hot or HotOptions())
        resources.callback(store.close)
        failpoints.hit("recovery.opened")
        last = recovered_last(store, last_file.value)
        snapshot = store.snapshot()
        try:
            epochs = _read_epochs(snapshot)
            listed = snapshot.get(COMPLETE) is not None
            unflushed = read_list(snapshot) if listed else dict(find_unflushed(snapshot))
            intents, loads = _read_intents(snapshot), _read_loads(snapshot)
        finally:
            snapshot.close()
        if not known:
            fs.sync_directory(path / LOG)
            fs.write_new(path / MARK, b"kalam_pg data directory, format 1\n")
            fs.sync_directory(path)
        failpoints.hit("recovery.checked")
        return Opened(
            directory=path,
            fs=fs,
            store=store,
            last=last,
            reserved=max(reserved_file.value, last),
            epochs=epochs,
            unflushed=unflushed,
            listed=listed,
            intents=intents,
            loads=loads,
            last_file=last_file,
            reserved_file=reserved_file,
            room=room,
            resources=resources.pop_all(),
        )
    raise AssertionError("not reached: the block above returns or raises")


def open_store(
    fs: FileSystem, directory: Path, room: Room, *, create: bool, hot: HotOptions
) -> HotStore:
    """Open the log's store, with the room of the reserve file if that takes it.

    Raises:
        DiskFullError: There is no room even so.
        DataCorruptedError, IoError: As `HotStore`.
    """
    path = directory / LOG
    try:
        return HotStore(fs, path, create=create, options=hot)
    except DiskFullError:
        if not room.give_back():
            raise
    return HotStore(fs, path, create=create, options=hot)


def recovered_last(store: HotStore, recorded: int) -> int:
    """The newest commit of a store. Raises DataCorruptedError if it is below `recorded`."""
    data = store.get(LAST)
    last = int.from_bytes(data) if data is not None else 0
    if last < recorded:
        raise DataCorruptedError(
            f"the log ends at commit {last}, but commit {recorded} was durable", hint=_HINT
        )
    return last


def epoch_record(epoch: Epoch) -> tuple[bytes, bytes]:
    """The system record of an epoch."""
    value = _EPOCH.pack(_EPOCH_FORMAT, epoch.recovered, epoch.first)
    return system_key("epoch", epoch.number), value


def check_token(epochs: tuple[Epoch, ...], seq: int) -> None:
    """Raise SnapshotTooOldError if a position in the change feed belongs to commits that were lost."""
    for epoch in epochs:
        if epoch.recovered < seq < epoch.first:
            raise SnapshotTooOldError(
                "the position is in a part of the log that a crash has taken",
                hint="Read a new snapshot and continue from there.",
            )


def truncations(current: View, views: Iterable[View], tablet: TabletId) -> list[int]:
    """The newest TRUNCATE that each view sees of a tablet. current: the newest of them."""
    key = meta_key(tablet, INCARNATION)
    if current.system_get(key) is None:
        return []  # There was none before, either.
    found = {view.system_get(key) for view in views if not view.ended}
    return sorted(int.from_bytes(seq) for seq in found if seq is not None)


def intent_key(tablet: TabletId) -> bytes:
    """System record of a flush that has begun: the commit it reaches, 8 bytes."""
    return system_key("intent", tablet.user, tablet.table)


def load_key(tablet: TabletId) -> bytes:
    """System record of a load that is committed and whose manifest may have no name yet: 01."""
    return system_key("load", tablet.user, tablet.table)


def load_puts(tablet: TabletId, text: bytes | None) -> list[Put]:
    """What says so; None: it has its name. The text, which tells of rows, lies with what its user has."""
    return [
        (load_key(tablet), None if text is None else b"\x01"),
        (meta_key(tablet, LOAD), text),
    ]


def _read_epochs(snapshot: HotSnapshot) -> tuple[Epoch, ...]:
    prefix = system_key("epoch")
    epochs: list[Epoch] = []
    for _, value in snapshot.scan(prefix, successor(prefix)):
        _, recovered, first = _EPOCH.unpack(value)
        epochs.append(Epoch(len(epochs), recovered, first))
    return tuple(epochs)


def _read_intents(snapshot: HotSnapshot) -> dict[TabletId, int]:
    prefix = system_key("intent")
    scanned = snapshot.scan(prefix, successor(prefix))
    return {tablet_of(key): int.from_bytes(value[:8]) for key, value in scanned}


def _read_loads(snapshot: HotSnapshot) -> dict[TabletId, bytes]:
    prefix = system_key("load")
    tablets = [tablet_of(key) for key, _ in snapshot.scan(prefix, successor(prefix))]
    return {tablet: snapshot.get(meta_key(tablet, LOAD)) or b"" for tablet in tablets}


_HINT = "Files are missing or damaged. Restore them, or a backup; do not delete what is left."
