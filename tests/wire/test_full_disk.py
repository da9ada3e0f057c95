"""A disk that is really full: a small one, in a mount namespace of the server's own (no privilege needed).

`tests/storage/log/test_disk_room.py` has the same rules over a file system that only says so.
"""

import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import psycopg
import pytest

from tests.wire.loading import ROWS, copy, count, lines, make_table
from tests.wire.server import KalamServer, files_of

pytestmark = pytest.mark.slow

DISK_MIB = 160


class Disk:
    """A tmpfs that only processes run by `within` see under its own path; here it is at `path`."""

    def __init__(self, at: Path) -> None:
        at.mkdir()
        self.at = at
        mount = (
            f'mount -t tmpfs -o size={DISK_MIB}m tmpfs "$0" && echo ready && exec sleep infinity'
        )
        self.holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(at)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.works = self.holder.stdout.readline() == "ready\n"
        pid = self.holder.pid
        self.within = ("nsenter", f"--target={pid}", "--user", "--mount", "--preserve-credentials")
        self.path = Path(f"/proc/{pid}/root") / at.relative_to("/")

    def close(self) -> None:
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()

    @property
    def filler(self) -> Path:
        return self.path / "filler"

    def fill(self) -> None:
        """Write until nothing is free."""
        for size in (1 << 20, 4096, 1):
            with self.filler.open("ab", buffering=0) as file:
                try:
                    while file.write(b"x" * size):
                        pass
                except OSError:
                    continue

    def filled(self) -> bool:
        """Fill it; whether it is full now."""
        self.fill()
        return self.free() < 4096

    def free(self) -> int:
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize


@pytest.fixture
def disk():
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("util-linux is not installed")
    # A short path: seen from outside it is longer still, and a socket's has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="kalam-") as directory:
        disk = Disk(Path(directory) / "disk")
        try:
            if not disk.works:
                pytest.skip(
                    "this system lets nobody mount a tmpfs, not even in a namespace of their own"
                )
            yield disk
        finally:
            disk.close()


@pytest.fixture
def server(disk):
    server = KalamServer(disk.path / "data")
    server.within, server.data = disk.within, disk.at / "data"
    yield server.start()
    server.stop()


def state_of(root: psycopg.Connection, statement: str) -> str | None:
    try:
        root.execute(statement)
    except psycopg.Error as exc:
        return exc.sqlstate
    return None


def until(condition) -> None:
    """Wait for what the server does by itself, every second."""
    pause = threading.Event()
    for _ in range(150):
        if condition():
            return
        pause.wait(0.2)
    raise AssertionError("it did not happen")


def make(root: psycopg.Connection) -> None:
    for table in ("t", "gone", "cold"):
        root.execute(
            f"CREATE TABLE {table} (id INT PRIMARY KEY, v TEXT)"
            " WITH (TYPE = 'USER', FLUSH_POLICY = 'interval:1')"
        )
        root.execute(f"INSERT INTO {table} SELECT g, 'x' FROM generate_series(1, 500) AS g")
    root.execute("STORAGE FLUSH TABLE cold")
    root.execute("STORAGE FLUSH TABLE gone")


def counts(root: psycopg.Connection) -> tuple:
    return root.execute("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM cold)").fetchone()


def test_a_full_disk_refuses_writes_and_nothing_else_and_frees_itself(disk, server):
    with server.root() as root:
        make(root)
        assert counts(root) == (500, 500)
        until(disk.filled)  # The server may just have given room back, its reserve for one.
        written = 0  # There may be room in a file for some rows.

        def is_refused() -> bool:
            nonlocal written
            state = state_of(root, f"INSERT INTO t VALUES ({-written}, 'a')")
            written += state is None
            return state == "53100"

        until(is_refused)
        assert state_of(root, "DROP TABLE gone") == "53100"
        assert state_of(root, "UPDATE t SET v = 'y' WHERE id = 1") == "53100"
        assert counts(root) == (500 + written, 500)
        assert root.execute("SELECT v FROM t WHERE id = 1").fetchone() == ("x",)
        disk.filler.unlink()
        until(lambda: state_of(root, f"INSERT INTO t VALUES ({-written}, 'a')") is None)
        assert state_of(root, "STORAGE FLUSH TABLE t") is None
        assert counts(root) == (501 + written, 500)


def test_a_server_starts_with_nothing_free_and_writes_once_there_is_room(disk, server):
    with server.root() as root:
        make(root)
    server.kill()
    disk.fill()
    assert disk.free() == 0
    server.start()
    reserve = disk.path / "data" / "reserve"
    with server.root() as root:
        assert not reserve.exists()
        assert counts(root) == (500, 500)
        for _ in range(3):
            assert state_of(root, "INSERT INTO t VALUES (0, 'a')") == "53100"
        assert counts(root) == (500, 500)
        disk.filler.unlink()
        until(reserve.exists)
        assert state_of(root, "INSERT INTO t VALUES (0, 'a')") is None
        assert counts(root) == (501, 500)


def test_orphans_are_erased_on_a_full_disk_as_far_as_that_needs_no_room(disk, server):
    server.stop()
    server.start(KALAM_FAILPOINTS="erase.unlinked:kill")
    with server.root() as root:
        make(root)
        root.execute("STORAGE FLUSH TABLE t")
        state_of(root, "DROP TABLE gone")  # Acknowledged or not: the server dies of its cleanup.
    server.process.wait(timeout=30)
    server.process = None
    disk.fill()
    server.start()
    with server.root() as root:
        cold = disk.path / "data" / "cold"
        until(lambda: len({f.rpartition("/")[0] for f in files_of(cold) if "/segment-" in f}) == 2)
        assert counts(root) == (500, 500)
        disk.filler.unlink()
        until(lambda: state_of(root, "INSERT INTO t VALUES (0, 'a')") is None)
        done = "SELECT count(*) FROM system.jobs WHERE job_type = 'table_cleanup' AND status = 'completed'"
        until(lambda: root.execute(done).fetchone() != (0,))


def test_what_was_loaded_and_not_yet_named_is_there_when_a_server_starts_with_nothing_free(
    disk, server
):
    server.stop()
    server.start(KALAM_FAILPOINTS="load.published:kill")
    with server.root() as root:
        make_table(root)
        copy(root, lines())
        with pytest.raises(psycopg.OperationalError):
            root.execute("SELECT pg_sleep(20)")  # What was told has its name soon: it dies of that.
    server.process.wait(timeout=30)
    server.process = None
    disk.fill()
    assert disk.free() == 0
    server.start(KALAM_FAILPOINTS="")
    with server.root() as root:
        assert count(root) == ROWS
        assert state_of(root, "INSERT INTO t VALUES (-1, 1, 'a')") == "53100"
        disk.filler.unlink()
        until(lambda: state_of(root, "INSERT INTO t VALUES (-1, 1, 'a')") is None)
        root.execute("STORAGE FLUSH TABLE t")
        assert count(root) == ROWS + 1
