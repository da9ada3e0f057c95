"""Room on the disk: what is kept back is there when a server must start on a full one, and comes back."""

from dataclasses import replace

import pytest

from storage.errors import DiskFullError
from storage.fs import OsFileSystem
from storage.log import recovery
from storage.log.disk_room import Room
from storage.log.hot import HotStore
from tests.storage.engine_fixtures import OPTIONS, commit, insert, open_engine, read

MIB = 1 << 20


class Disk(OsFileSystem):
    """Says how much is free. The reserve file takes of it, and nothing else does."""

    def __init__(self, free):
        self.free = free

    def free_bytes(self, path):
        return self.free

    def allocate(self, path, size):
        if size > self.free:
            raise DiskFullError("could not make room")
        super().allocate(path, size)
        self.free -= size

    def unlink(self, path):
        size = path.stat().st_size if path.name == "reserve" else 0
        super().unlink(path)
        self.free += size


@pytest.fixture
def disk():
    return Disk(100 * MIB)


@pytest.fixture
def room(tmp_path, disk):
    return Room(disk, tmp_path, reserve_bytes=4 * MIB, low_water_bytes=8 * MIB)


def reserve(path):
    return path / "reserve"


def refused(room):
    try:
        room.check()
    except DiskFullError:
        return True
    return False


def test_a_reserve_is_set_aside_when_writing_can_go_on_after_it(tmp_path, disk, room):
    disk.free = 13 * MIB
    assert not refused(room)
    assert not reserve(tmp_path).exists()
    disk.free = 14 * MIB
    assert not refused(room)
    assert reserve(tmp_path).stat().st_size == 4 * MIB
    assert disk.free == 10 * MIB
    disk.free = 8 * MIB - 1
    assert refused(room)
    assert reserve(tmp_path).exists()


def test_what_was_given_back_is_not_for_writing(tmp_path, disk, room):
    room.check()
    disk.free = 7 * MIB
    assert room.give_back()
    assert not room.give_back()
    assert disk.free == 11 * MIB
    assert refused(room)  # More than the low water mark, but it is for opening the log.
    disk.free = 12 * MIB
    assert not refused(room)
    disk.free = 14 * MIB
    assert not refused(room)
    assert reserve(tmp_path).exists()


def test_the_reserve_comes_back_also_when_nobody_writes(tmp_path, disk, room):
    room.check()
    room.give_back()
    disk.free = 50 * MIB
    room.keep()
    assert reserve(tmp_path).exists()


def test_a_disk_on_which_it_never_had_room_has_no_reserve(tmp_path, disk, room):
    disk.free = 9 * MIB
    assert not refused(room)
    assert not reserve(tmp_path).exists()
    disk.free = 7 * MIB
    assert refused(room)


ROOM = replace(OPTIONS, reserve_bytes=4 * MIB, low_water_bytes=8 * MIB)


def opened(path, disk):
    engine = open_engine(path, fs=disk, options=ROOM)
    engine._log._next_room_check = 0
    return engine


def put(engine, number, body):
    engine._log._next_room_check = 0.0  # Look each time.
    commit(engine, insert(number, body))


def test_a_start_on_a_full_disk_takes_the_reserve_and_writes_when_there_is_room(tmp_path, disk):
    path = tmp_path / "data"
    engine = opened(path, disk)
    put(engine, 1, "a")
    assert reserve(path).exists()
    engine.close()
    disk.free = 0
    engine = opened(path, disk)
    assert not reserve(path).exists()
    assert read(engine, 1) == "a"
    with pytest.raises(DiskFullError):
        put(engine, 2, "b")
    assert read(engine, 2) is None
    disk.free = 100 * MIB
    put(engine, 2, "b")
    assert read(engine, 2) == "b"
    assert reserve(path).exists()
    engine.close()


@pytest.fixture
def opening(monkeypatch):
    """How often opening the store fails for want of room, while the reserve is there or not."""
    original = HotStore.__init__
    plan = []

    def init(store, fs, path, **how):
        if plan and plan.pop(0):
            raise DiskFullError("could not open the log: No space left on device")
        original(store, fs, path, **how)

    monkeypatch.setattr(recovery.HotStore, "__init__", init)
    return plan


def test_a_log_that_finds_no_room_to_open_gets_the_reserve(tmp_path, disk, opening):
    path = tmp_path / "data"
    engine = opened(path, disk)
    put(engine, 1, "a")
    engine.close()
    disk.free = 5 * MIB  # It looks like enough.
    opening += [True, False]
    engine = opened(path, disk)
    assert not reserve(path).exists()
    assert read(engine, 1) == "a"
    engine.close()


def test_without_a_reserve_the_error_says_why_it_cannot_start(tmp_path, disk, opening):
    path = tmp_path / "data"
    opened(path, disk).close()
    disk.free = 0
    reserve(path).unlink(missing_ok=True)
    opening += [True]
    with pytest.raises(DiskFullError, match="No space left on device"):
        opened(path, disk)
    engine = opened(path, disk)  # The lock was let go.
    engine.close()


def test_a_log_that_cannot_be_opened_again_is_tried_with_every_group(tmp_path, disk, opening):
    path = tmp_path / "data"
    engine = opened(path, disk)
    put(engine, 1, "a")
    room = engine._log._room
    room.give_back()
    engine._log.store.close()  # As after a write that failed, when reopening did too.
    assert engine.broken
    opening += [True, True, False]
    for _ in range(2):
        with pytest.raises(DiskFullError):
            put(engine, 2, "b")
    put(engine, 2, "b")
    assert not engine.broken
    assert read(engine, 2) == "b"
    engine.close()
