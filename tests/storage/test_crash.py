"""Real crashes: a process killed at any moment, and a machine that loses power."""

import os
import signal
import subprocess
import sys
import time

import pytest

from storage.check import check
from storage.fs import OsFileSystem
from storage.log.hot import HotStore
from tests.storage.crash_image import crash_image
from tests.storage.engine_fixtures import commit, insert, open_engine, read

WRITER = """
import sys
from pathlib import Path
from storage import failpoints
from tests.storage.engine_fixtures import insert, open_engine, read, write_set
failpoints.arm_from_environment()
engine = open_engine(Path(sys.argv[1]))
number = int(sys.argv[2])
while True:
    sets = [write_set(insert(number + i, "x" * 200), sync=number % 3 == 0) for i in range(2)]
    engine.publish(engine.write_group(sets))
    assert not any(one.error for one in sets)
    number += 2
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def run_until_dead(path, start, *, kill_after_s=None, failpoint=""):
    """Run the writer; returns how far it said it got: rows below that were acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(start)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ".", "KALAM_FAILPOINTS": failpoint},
    )
    data = b""
    kill_at = None
    with process.stdout:
        while chunk := process.stdout.read1(1 << 16):
            data += chunk
            if kill_after_s is not None and kill_at is None:
                kill_at = time.monotonic() + kill_after_s
            if kill_at is not None and time.monotonic() >= kill_at:
                process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    lines = data.split(b"\n")[:-1]
    return int(lines[-1]) if lines else start


def check_prefix(path, acknowledged):
    """Every acknowledged row is there, and what is there is a prefix; returns where it ends."""
    engine = open_engine(path)
    end = acknowledged
    while read(engine, end) is not None:
        end += 1
    assert all(read(engine, number) == "x" * 200 for number in range(end))
    assert all(read(engine, number) is None for number in range(end, end + 10))
    assert end - acknowledged <= 2
    engine.close()
    assert list(check(path)) == []
    return end


@pytest.mark.slow
@pytest.mark.parametrize("kill_after_s", [0.02, 0.1, 0.25])
def test_no_acknowledged_row_is_lost_by_kill_9(tmp_path, kill_after_s):
    end = 0
    for _ in range(2):
        acknowledged = run_until_dead(tmp_path / "data", end, kill_after_s=kill_after_s)
        end = check_prefix(tmp_path / "data", acknowledged)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "written"),
    [("commit.before_batch", 0), ("commit.after_batch", 2), ("commit.before_publish", 2)],
)
def test_a_process_killed_in_a_commit_leaves_all_of_it_or_nothing(tmp_path, point, written):
    acknowledged = run_until_dead(tmp_path / "data", 0, failpoint=f"{point}:kill@20")
    assert acknowledged == 38
    assert check_prefix(tmp_path / "data", acknowledged) == acknowledged + written


class SyncedLengths(OsFileSystem):
    """Knows how much of each log file is on disk: what was there when it was last synced."""

    def __init__(self):
        self.durable = {}

    def sync_file(self, path):
        super().sync_file(path)
        if path.suffix == ".log":
            self.durable[path.name] = path.stat().st_size

    def batch_synced(self, directory):
        """LevelDB has synced the file that it writes to: the newest."""
        newest = max(directory.glob("*.log"))
        self.durable[newest.name] = newest.stat().st_size


def power_loss_image(path, *, tries=400):
    """A directory whose power failed right after a synced commit that began a new log file.

    Returns the image and the number of rows committed, all of them before the synced one or it.
    """
    fs = SyncedLengths()
    engine = open_engine(path / "live", fs=fs)
    log = path / "live" / "log"
    number = 0
    try:
        for attempt in range(tries):
            files = set(log.glob("*.log"))
            for _ in range(25):
                commit(engine, insert(number, "x" * 4000))
                number += 1
            commit(engine, insert(number, "x" * 4000), sync=True)
            number += 1
            fs.batch_synced(log)
            if len(set(log.glob("*.log")) | files) > 1:
                image = path / f"image{attempt}"
                crash_image(path / "live", image, durable=fs.durable)
                if len(list((image / "log").glob("*.log"))) > 1:
                    return image, number
    finally:
        engine.close()
    pytest.fail("LevelDB never had two log files")


@pytest.mark.slow
def test_a_synced_commit_takes_the_unsynced_ones_before_it_through_a_power_loss(tmp_path):
    image, number = power_loss_image(tmp_path)
    engine = open_engine(image)
    assert all(read(engine, n) is not None for n in range(number))
    engine.close()


@pytest.mark.slow
def test_without_the_sync_of_older_log_files_rows_would_be_missing(tmp_path, monkeypatch):
    """Shows that the test above can fail."""
    monkeypatch.setattr(HotStore, "_sync_logs", lambda _store: None)
    for attempt in range(20):
        (tmp_path / str(attempt)).mkdir()
        image, number = power_loss_image(tmp_path / str(attempt))
        engine = open_engine(image)
        there = sum(read(engine, n) is not None for n in range(number))
        newest_is_there = read(engine, number - 1) is not None
        engine.close()
        if newest_is_there and there < number:
            return
    pytest.fail("no image lost a row")
