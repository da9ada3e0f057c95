"""`check` finds nothing in a directory that is right, and every kind of thing that is not."""

import hashlib
import shutil

import pytest

from storage import failpoints
from storage.check import check
from storage.cold import index_file, new_run
from storage.cold.flush import flush
from storage.cold.trim import trim
from storage.errors import DirectoryInUseError
from storage.fs import OS
from storage.keys import index_key, log_key, pack_position
from storage.log.hot import HotStore
from storage.log.log_entry import Op
from tests.storage.engine_fixtures import (
    LAYOUT,
    OPTIONS,
    OTHER,
    TABLET,
    commit,
    delete,
    insert,
    key_of,
    open_engine,
    truncate,
    update,
)
from tests.storage.test_engine_model import Host


def made(path, *, flushed=False, trimmed=False):
    """A directory with some history; returns its commits."""
    engine = open_engine(path, tablet_factory=None)
    seqs = [
        commit(engine, insert(1, "a"), insert(2, "b"), insert(1, "x", tablet=OTHER)),
        commit(engine, update(1, "c", "a")),
        commit(engine, delete(2, "b"), insert(3, "d")),
    ]
    tablet = engine.tablet(TABLET, LAYOUT)
    if flushed:
        flush(Host(engine), tablet)
    if trimmed:
        trim(Host(engine), tablet.id, tablet.schema, retained_from=2**63)
    engine.close()
    return seqs


def damage(path, *puts):
    store = HotStore(OS, path / "log", create=False, options=OPTIONS.hot)
    store.write(puts, sync=True)
    store.close()


def problems(path):
    return [str(problem) for problem in check(path)]


@pytest.mark.parametrize("how", [{}, {"flushed": True}, {"flushed": True, "trimmed": True}])
def test_a_directory_that_is_right_has_no_problems(tmp_path, how):
    made(tmp_path, **how)
    assert problems(tmp_path) == []
    assert problems(tmp_path) == []


def test_a_tablet_trimmed_after_a_flush_that_never_left_its_hint_is_right_too(tmp_path):
    made(tmp_path)
    engine = open_engine(tmp_path, tablet_factory=None)
    tablet = engine.tablet(TABLET, LAYOUT)
    with failpoints.armed("publish.swapped", "crash"), pytest.raises(failpoints.FailpointError):
        flush(Host(engine), tablet)
    trim(Host(engine), tablet.id, tablet.schema, retained_from=2**63)
    engine.close()
    assert problems(tmp_path) == []


def test_a_truncated_tablet_is_right_too(tmp_path):
    made(tmp_path)
    engine = open_engine(tmp_path)
    commit(engine, truncate())
    commit(engine, insert(1, "n", assumed=0))
    engine.close()
    assert problems(tmp_path) == []


def test_a_missing_log_entry_is_found_by_its_commit_and_its_index_entry(tmp_path):
    seqs = made(tmp_path)
    damage(tmp_path, (log_key(TABLET, seqs[0], 1), None), (log_key(TABLET, seqs[1], 0), None))
    found = problems(tmp_path)
    assert f"log: commit {seqs[0]} has 2 of 3 entries" in found
    assert any("tablet 7/3: the index names" in text and "missing" in text for text in found)


def test_a_missing_index_entry_is_found_by_counting(tmp_path):
    made(tmp_path)
    damage(tmp_path, (index_key(TABLET, key_of(3)), None))
    assert problems(tmp_path) == ["tablet 7/3: the log has 2 live rows, its index names 1"]


def test_an_index_entry_that_says_something_else_is_found(tmp_path):
    seqs = made(tmp_path)
    damage(tmp_path, (index_key(TABLET, key_of(3)), pack_position(seqs[2], 1, Op.UPDATE)))
    assert any("did something else" in text for text in problems(tmp_path))


def test_a_damaged_entry_and_a_commit_from_the_future_are_found(tmp_path):
    seqs = made(tmp_path)
    damage(tmp_path, (log_key(TABLET, seqs[1], 0), b"\x01garbage"))
    damage(tmp_path, (log_key(OTHER, seqs[2] + 1, 0), b"\x01garbage"))
    found = problems(tmp_path)
    assert any(f"entry 0 of commit {seqs[1]}" in text for text in found)
    assert any("after the log's last commit" in text for text in found)


def test_a_flipped_bit_in_a_segment_is_found(tmp_path):
    made(tmp_path, flushed=True)
    (segment,) = (tmp_path / "cold").rglob("*.parquet")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    assert any("is not what was written" in text for text in problems(tmp_path))


def test_a_missing_segment_is_found(tmp_path):
    made(tmp_path, flushed=True)
    for segment in (tmp_path / "cold").rglob("*.parquet"):
        segment.unlink()
    assert any("missing" in text for text in problems(tmp_path))


def test_a_lost_log_is_one_problem(tmp_path):
    made(tmp_path)
    for log in (tmp_path / "log").glob("*"):
        log.unlink()
    assert len(problems(tmp_path)) == 1


def test_what_is_no_data_directory_is_one_problem_and_stays_empty(tmp_path):
    assert len(problems(tmp_path)) == 1
    assert set(OS.listdir(tmp_path)) <= {"server.lock"}


def test_an_open_directory_is_not_checked(tmp_path):
    engine = open_engine(tmp_path)
    with pytest.raises(DirectoryInUseError):
        list(check(tmp_path))
    engine.close()


def cold_files(path, pattern):
    return sorted((path / "cold").rglob(pattern))


@pytest.mark.parametrize("pattern", ["manifest-*", "*.keys", "*.parquet"])
def test_any_changed_byte_of_a_cold_file_is_found(tmp_path, pattern, monkeypatch):
    monkeypatch.setattr(new_run, "INLINE_BYTES", 0)  # Filters of few keys are no files.
    made(tmp_path, flushed=True, trimmed=True)
    (file,) = cold_files(tmp_path, pattern)
    data = file.read_bytes()
    for part in (0, 0.3, 0.6, 0.99):
        changed = bytearray(data)
        changed[int(len(data) * part)] ^= 1
        file.write_bytes(changed)
        assert any("tablet 7/3" in text for text in problems(tmp_path)), part
    file.write_bytes(data)
    assert problems(tmp_path) == []


def test_a_damaged_index_file_is_found_and_one_of_no_segment_is_nobodys(tmp_path):
    made(tmp_path, flushed=True)
    (segment,) = cold_files(tmp_path, "segment-*.parquet")
    sha256 = hashlib.sha256(segment.read_bytes()).hexdigest()
    stem = segment.stem.removeprefix("segment-")
    path = segment.with_name(f"index-{stem}-0123456789abcdef")
    entries = [index_file.Entry(b"a", 0), index_file.Entry(b"b", 1)]
    data = b"".join(index_file.encode(sha256, entries))
    path.write_bytes(data)
    segment.with_name("index-1-ab-0123456789abcdef").write_bytes(b"of a segment that has gone")
    assert problems(tmp_path) == []
    path.write_bytes(data[:-1])
    (problem,) = problems(tmp_path)
    assert problem == f"tablet 7/3: an index file of segment {segment.name} is not what was written"


def test_a_lost_newest_manifest_and_a_lost_directory_are_found(tmp_path):
    made(tmp_path, flushed=True, trimmed=True)
    (manifest,) = cold_files(tmp_path, "manifest-*")
    manifest.unlink()
    assert ["has lost its newest manifest" in text for text in problems(tmp_path)] == [True]
    shutil.rmtree(tmp_path / "cold")
    assert ["has lost its newest manifest" in text for text in problems(tmp_path)] == [True]
    assert [str(p) for p in check(tmp_path, exists=lambda _log, _table: False)] == []


def test_a_damaged_slot_is_found_though_the_other_one_serves(tmp_path):
    made(tmp_path)
    file = tmp_path / "last.seq"
    data = bytearray(file.read_bytes())
    data[4096 + 3] ^= 1
    file.write_bytes(data)
    assert any("last.seq: one of its slots" in text for text in problems(tmp_path))
