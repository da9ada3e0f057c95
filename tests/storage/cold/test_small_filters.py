"""A segment of few rows has its key filter in the manifest: a tablet is two files on the disk."""

import pytest

from storage.cold import new_run
from storage.cold.flush import flush
from storage.cold.key_read import find
from storage.cold.manifest import load
from storage.cold.point_read import SegmentReader
from storage.fs import OS
from tests.storage.engine_fixtures import LAYOUT, TABLET, commit, insert, key_of, open_engine
from tests.storage.test_engine_model import Host


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(tmp_path / "data", tablet_factory=None)
    yield engine
    engine.close()


def flushed(engine, count):
    tablet = engine.tablet(TABLET, LAYOUT)
    commit(engine, *(insert(number, f"row {number}") for number in range(0, 2 * count, 2)))
    flush(Host(engine), tablet)
    (segment,) = tablet.manifest.segments
    return tablet, segment


def names(engine):
    return sorted(name.partition("-")[0] for name in OS.listdir(engine.tablet_directory(TABLET)))


def test_a_tablet_of_twenty_rows_is_two_files(engine):
    tablet, segment = flushed(engine, 20)
    assert names(engine) == ["manifest", "segment"]
    assert segment.filter_file == ""
    assert load(OS, tablet.directory, TABLET).segments[0].keys == segment.keys != b""


def test_a_filter_of_many_keys_has_a_file(engine):
    _, segment = flushed(engine, 2000)
    assert names(engine) == ["manifest", "segment", "segment"]
    assert segment.filter_file.endswith(".keys")
    assert segment.keys == b""


def test_keys_are_found_by_it_and_absent_ones_told_without_opening_the_segment(engine, monkeypatch):
    tablet, segment = flushed(engine, 20)
    reader = SegmentReader(OS, segment, TABLET)
    monkeypatch.setattr(OS, "read_bytes", lambda _path: pytest.fail("it reads"), raising=False)
    kept = reader.load_filter()
    assert all(kept.may_hold(key_of(number)) for number in range(0, 40, 2))
    assert sum(kept.may_hold(key_of(number)) for number in range(1, 41, 2)) < 5
    assert reader.load_head() == kept.head
    assert find(reader, key_of(4), LAYOUT).row == (4, "row 4")
    assert find(reader, key_of(5), LAYOUT) is None
    assert tablet.get_cold(engine.current, key_of(4)).row == (4, "row 4")


def test_how_small_is_one_number(engine, monkeypatch):
    monkeypatch.setattr(new_run, "INLINE_BYTES", 0)
    flushed(engine, 20)
    assert names(engine) == ["manifest", "segment", "segment"]
