"""The file system promises durable names and bytes, and says what the disk refuses."""

import errno
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from storage.cold.manifest import decode
from storage.errors import DataCorruptedError, DiskFullError, IoError
from storage.fs import OS, OsFileSystem, disk_error, told
from storage.log.slot_file import SlotFile


def test_a_new_file_never_replaces_another(tmp_path):
    OS.write_new(tmp_path / "a", b"one")
    with pytest.raises(FileExistsError):
        OS.write_new(tmp_path / "a", b"two")
    assert OS.read_bytes(tmp_path / "a") == b"one"


@pytest.mark.parametrize("move", ["rename", "link"])
def test_a_second_name_never_replaces_another(tmp_path, move):
    OS.write_new(tmp_path / "a", b"one")
    OS.write_new(tmp_path / "b", b"two")
    with pytest.raises(FileExistsError):
        getattr(OS, move)(tmp_path / "a", tmp_path / "b")
    assert OS.read_bytes(tmp_path / "b") == b"two"
    getattr(OS, move)(tmp_path / "a", tmp_path / "c")
    assert OS.read_bytes(tmp_path / "c") == b"one"
    assert OS.exists(tmp_path / "a") == (move == "link")


def test_what_is_missing_is_said_to_be_missing(tmp_path):
    missing = tmp_path / "none"
    for call in (OS.read_bytes, OS.open_read, OS.unlink, OS.listdir, OS.size, OS.sync_file):
        with pytest.raises(FileNotFoundError):
            call(missing)
    with pytest.raises(FileNotFoundError):
        OS.rename(missing, tmp_path / "other")


def test_files_and_directories_are_their_owners_alone(tmp_path):
    OS.mkdir(tmp_path / "a" / "b")
    OS.mkdir(tmp_path / "a" / "b")
    OS.write_new(tmp_path / "a" / "b" / "c", memoryview(b"x"))
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "a", tmp_path / "a/b")]
    assert modes == [0o700, 0o700]
    assert stat.S_IMODE((tmp_path / "a/b/c").stat().st_mode) == 0o600


class RefusingFs(OsFileSystem):
    """The disk refuses in the middle of a file."""

    def __init__(self, code):
        self.code = code

    def _write_all(self, descriptor, data):
        os.write(descriptor, data[:1])
        raise OSError(self.code, os.strerror(self.code))


@pytest.mark.parametrize(
    ("code", "error"),
    [(errno.ENOSPC, DiskFullError), (errno.EDQUOT, DiskFullError), (errno.EIO, IoError)],
)
def test_a_refused_write_says_why_and_leaves_no_half_a_file(tmp_path, code, error):
    with pytest.raises(error, match="could not access file"):
        RefusingFs(code).write_new(tmp_path / "a", b"12345")
    assert OS.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("cold/12/34/manifest-7.json", "cold/12/34/manifest-7.json"),
        ("cold/12/34", "cold/12/34"),
        ("log/000123.log", "log/000123.log"),
        ("spill", "spill"),
        ("last.seq", "last.seq"),
    ],
)
def test_clients_are_told_where_a_file_is_in_the_data_directory_alone(path, shown):
    for home in ("/srv/kalam", "/log/somebody", "/cold/9/data"):
        assert told(Path(home) / path) == shown


def test_a_refusal_tells_nobody_where_the_data_directory_is(tmp_path):
    with pytest.raises(DiskFullError) as caught:
        RefusingFs(errno.ENOSPC).write_new(tmp_path / "cold", b"12345")
    assert caught.value.message == 'could not access file "cold": No space left on device'
    with pytest.raises(DataCorruptedError) as damaged:
        decode(b"{}", tmp_path / "cold" / "1" / "2")
    assert damaged.value.message == "manifest in cold/1/2 cannot be read"


def test_an_error_without_a_number_still_has_its_text():
    assert "odd" in disk_error("could not", OSError("odd")).message


def test_a_lock_is_held_until_it_is_closed(tmp_path):
    lock = OS.lock(tmp_path / "lock")
    assert lock is not None
    assert OS.lock(tmp_path / "lock") is None
    assert OS.read_bytes(tmp_path / "lock") == f"{os.getpid()}\n".encode()
    lock.close()
    lock.close()
    again = OS.lock(tmp_path / "lock")
    assert again is not None
    again.close()


def test_allocated_room_is_really_taken(tmp_path):
    OS.allocate(tmp_path / "reserve", 1 << 20)
    status = OS.stat(tmp_path / "reserve")
    assert status.st_size == 1 << 20
    assert status.st_blocks * 512 >= 1 << 20
    assert OS.free_bytes(tmp_path) > 0


# Slots: a number that only grows.


def test_a_recorded_number_is_there_after_reopening(tmp_path):
    for number in range(1, 6):
        slots = SlotFile(OS, tmp_path / "n")
        assert slots.value == number - 1
        slots.record(number)
        slots.sync()
        slots.close()


def damage(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek(page * 4096 + 3)
        file.write(b"\xff\xff")


def test_a_torn_slot_leaves_the_number_before(tmp_path):
    slots = SlotFile(OS, tmp_path / "n")
    for number in (7, 8, 9):
        slots.record(number)
    slots.close()
    damage(tmp_path / "n", 0)  # 7, then 9, were written here.
    slots = SlotFile(OS, tmp_path / "n")
    assert slots.value == 8
    slots.record(10)
    slots.close()
    damage(tmp_path / "n", 1)
    slots = SlotFile(OS, tmp_path / "n")
    assert slots.value == 10
    slots.close()


def test_two_torn_slots_are_corruption(tmp_path):
    slots = SlotFile(OS, tmp_path / "n")
    slots.record(7)
    slots.record(8)
    slots.close()
    damage(tmp_path / "n", 0)
    damage(tmp_path / "n", 1)
    with pytest.raises(DataCorruptedError):
        SlotFile(OS, tmp_path / "n")


@pytest.mark.slow
def test_a_file_size_limit_is_an_error_and_not_a_signal(tmp_path):
    program = (
        "import resource, signal, pathlib; from storage.fs import OS\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"path = pathlib.Path({str(tmp_path)!r}) / 'a'\n"
        "try: OS.write_new(path, bytes(5000))\n"
        "except Exception as exc: print(type(exc).__name__, path.exists())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "IoError False\n"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000
