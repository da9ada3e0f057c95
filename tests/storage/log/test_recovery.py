"""Opening a directory: never twice, never anew over data, never older than what was durable."""

import shutil
import stat

import pytest

from storage import failpoints
from storage.errors import DataCorruptedError, DirectoryInUseError, SnapshotTooOldError
from storage.fs import OS
from storage.log.recovery import intent_key
from tests.storage.crash_image import crash_image
from tests.storage.engine_fixtures import (
    LAYOUT,
    OTHER,
    TABLET,
    commit,
    insert,
    open_engine,
    read,
)


def written(path, *, sync=True, rows=3):
    """A directory as kill -9 leaves it: files as they are, nothing closed in order."""
    engine = open_engine(path / "live")
    for number in range(rows):
        commit(engine, insert(number, "x"), sync=sync)
    crash_image(path / "live", path / "data")
    engine.close()
    return path / "data"


def test_a_directory_is_open_once(tmp_path):
    engine = open_engine(tmp_path)
    with pytest.raises(DirectoryInUseError, match="in use by another server"):
        open_engine(tmp_path)
    assert commit(engine, insert(1)) > 0  # The refused opening did no harm.
    engine.close()
    open_engine(tmp_path).close()


def test_a_directory_and_its_log_are_their_owners_alone(tmp_path):
    written(tmp_path)
    for path in (tmp_path / "live").rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize("sync", [True, False])
def test_what_was_written_is_there_after_a_kill(tmp_path, sync):
    engine = open_engine(written(tmp_path, sync=sync))
    assert [read(engine, number) for number in range(3)] == ["x"] * 3
    engine.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: [path.unlink() for path in (data / "log").glob("*.log")],
        lambda data: (data / "log" / "CURRENT").unlink(),
        lambda data: shutil.rmtree(data / "log"),
        lambda data: (data / "catalog.mark").unlink(),
        lambda data: (data / "last.seq").unlink(),
        lambda data: (data / "reserved.seq").unlink(),
        lambda data: (data / "last.seq").write_bytes(b"\xff" * 8192),
        lambda data: [
            path.write_bytes(path.read_bytes()[:-20]) for path in (data / "log").glob("*.log")
        ],
    ],
    ids=["wal", "CURRENT", "log", "mark", "last", "reserved", "last-bits", "torn-wal"],
)
def test_a_directory_that_lost_something_is_refused_and_left_alone(tmp_path, damage):
    data = written(tmp_path)
    damage(data)
    for _ in range(2):
        with pytest.raises(DataCorruptedError):
            open_engine(data)
    shutil.rmtree(data)


def test_an_unsynced_tail_may_be_torn(tmp_path):
    data = written(tmp_path, sync=False)
    (log,) = (data / "log").glob("*.log")
    log.write_bytes(log.read_bytes()[:-20])
    engine = open_engine(data)
    assert [read(engine, number) for number in range(3)] == ["x", "x", None]
    engine.close()


def test_a_directory_whose_making_was_interrupted_is_made(tmp_path):
    for point in ("recovery.locked", "recovery.opened", "recovery.checked", "recovery.epoch"):
        with failpoints.armed(point, "crash"), pytest.raises(failpoints.FailpointError):
            open_engine(tmp_path / point)
        engine = open_engine(tmp_path / point)
        commit(engine, insert(1, "a"))
        engine.close()


@pytest.mark.parametrize(
    "point", ["recovery.locked", "recovery.opened", "recovery.checked", "recovery.epoch"]
)
def test_a_recovery_that_was_interrupted_is_done_again(tmp_path, point):
    data = written(tmp_path)
    with failpoints.armed(point, "eio"), pytest.raises(Exception, match="failpoint"):
        open_engine(data)
    engine = open_engine(data)
    assert [read(engine, number) for number in range(3)] == ["x"] * 3
    engine.close()


def test_a_position_among_lost_commits_is_too_old(tmp_path):
    engine = open_engine(tmp_path / "live")
    kept = commit(engine, insert(1))
    crash_image(tmp_path / "live", tmp_path / "data")
    lost = commit(engine, insert(2))
    engine.close()
    engine = open_engine(tmp_path / "data")
    later = commit(engine, insert(3))
    engine.check_token(kept)
    engine.check_token(later)
    with pytest.raises(SnapshotTooOldError):
        engine.check_token(lost)
    engine.close()
    engine = open_engine(tmp_path / "data")
    assert [epoch.recovered for epoch in engine.epochs] == [0, kept, later]
    with pytest.raises(SnapshotTooOldError):
        engine.check_token(lost)
    engine.close()


def test_an_interrupted_flush_is_cleaned_up(tmp_path):
    engine = open_engine(tmp_path)
    seq = commit(engine, insert(1))
    commit(engine, system=[(intent_key(TABLET), seq.to_bytes(8))])
    directory = engine.tablet_directory(TABLET)
    engine.close()
    OS.mkdir(directory)
    OS.write_new(directory / "tmp-half", b"half a segment")
    OS.write_new(directory / "segment-1-x.parquet", b"whole, but nobody's yet")
    engine = open_engine(tmp_path)
    assert OS.listdir(directory) == ["segment-1-x.parquet"]
    assert engine.system_get(intent_key(TABLET)) is None
    engine.close()


def test_a_tablet_whose_segments_reach_beyond_the_log_is_corruption(tmp_path):
    from storage.cold.manifest import Manifest, encode, manifest_name
    from storage.ids import TabletId

    engine = open_engine(tmp_path, tablet_factory=None)
    seq = commit(engine, insert(1))
    for tablet, through in ((TABLET, seq), (OTHER, seq + 1)):
        directory = engine.tablet_directory(tablet)
        OS.mkdir(directory)
        manifest = Manifest(TabletId(*tablet), version=1, flushed_through=through)
        OS.write_new(directory / manifest_name(1), encode(manifest))
    assert engine.tablet(TABLET, LAYOUT).manifest.flushed_through == seq
    with pytest.raises(DataCorruptedError, match="reach commit"):
        engine.tablet(OTHER, LAYOUT)
    engine.close()
