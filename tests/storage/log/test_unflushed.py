"""A start knows which tablets have something that no segment holds, and looks at no other."""

import pytest

from storage.fs import OS
from storage.keys import successor, system_key
from storage.log import recovery
from storage.log.manifest_note import ManifestNote
from storage.log.recovery import open_directory
from storage.log.unflushed import COMPLETE, note_key
from tests.storage.crash_image import crash_image
from tests.storage.engine_fixtures import (
    OPTIONS,
    OTHER,
    TABLET,
    commit,
    end_flush,
    insert,
    open_engine,
    write_set,
)


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(tmp_path / "data")
    yield engine
    engine.close()


def listed(engine, tmp_path):
    """What a start would find after kill -9 now: each tablet's oldest unflushed commit, or a lower one."""
    crash_image(engine.directory, tmp_path / "image")
    opened = open_directory(tmp_path / "image", OS, hot=OPTIONS.hot)
    try:
        return dict(opened.unflushed)
    finally:
        opened.close()


def test_a_tablet_is_listed_from_its_first_unflushed_commit_on(engine, tmp_path):
    first = commit(engine, insert(1))
    other = commit(engine, insert(1, tablet=OTHER))
    commit(engine, insert(2))
    assert listed(engine, tmp_path) == {TABLET: first, OTHER: other}


def test_what_is_flushed_is_not_listed_any_more(engine, tmp_path):
    through = commit(engine, insert(1), insert(1, tablet=OTHER))
    end_flush(engine, TABLET, ManifestNote(through))
    assert listed(engine, tmp_path) == {OTHER: through}


def test_what_was_committed_while_it_was_flushed_is(engine, tmp_path):
    through = commit(engine, insert(1))
    commit(engine, insert(2))
    end_flush(engine, TABLET, ManifestNote(through))
    assert listed(engine, tmp_path) == {TABLET: through + 1}


def test_so_is_what_is_committed_after_it_in_the_same_group(engine, tmp_path):
    through = commit(engine, insert(1))
    late = write_set(insert(2))
    end_flush(engine, TABLET, ManifestNote(through), late)
    assert listed(engine, tmp_path) == {TABLET: late.seq}


def test_a_group_that_had_to_be_made_anew_lists_its_tablets_all_the_same(engine, tmp_path):
    def fails(_seq):
        raise ZeroDivisionError

    good, bad = write_set(insert(1)), write_set(insert(1, tablet=OTHER), validate=fails)
    engine.publish(engine.write_group([good, bad]))
    assert listed(engine, tmp_path) == {TABLET: good.seq}


def test_a_directory_of_before_there_was_a_list_is_given_one_and_no_start_looks_any_more(
    tmp_path, monkeypatch
):
    engine = open_engine(tmp_path / "data")
    first = commit(engine, insert(1), insert(1, tablet=OTHER))
    second = commit(engine, insert(2))
    end_flush(engine, OTHER, ManifestNote(first))
    prefix = system_key("unflushed")
    notes = engine.current.scan(prefix, successor(prefix))
    commit(engine, system=[(COMPLETE, None), *((key, None) for key, _ in notes)])
    engine.close()
    opened = open_directory(tmp_path / "data", OS, hot=OPTIONS.hot)
    assert (dict(opened.unflushed), opened.listed) == ({TABLET: first}, False)
    opened.close()
    open_engine(tmp_path / "data").close()
    monkeypatch.setattr(recovery, "find_unflushed", lambda _snapshot: pytest.fail("it looks"))
    engine = open_engine(tmp_path / "data")
    assert set(engine.dirty_tablets()) == {TABLET}
    with engine.acquire() as view:
        assert engine.count_unflushed(view, TABLET) == 2
    assert engine.system_get(note_key(TABLET)) == first.to_bytes(8) < second.to_bytes(8)
    engine.close()


def test_entries_that_the_start_found_are_counted_once_whatever_comes_meanwhile(tmp_path):
    engine = open_engine(tmp_path / "data")
    commit(engine, insert(1), insert(2), insert(3), insert(1, tablet=OTHER))
    engine.close()
    engine = open_engine(tmp_path / "data")
    before = dict(engine.uncounted())
    through = commit(engine, insert(4), insert(2, tablet=OTHER))
    assert engine.unflushed(TABLET) == 2  # At least.
    with engine.acquire() as view:
        found = {tablet: engine.count_unflushed(view, tablet) for tablet in before}
    assert found == {TABLET: 3, OTHER: 1}
    end_flush(engine, OTHER, ManifestNote(through))
    engine.flushed(OTHER, engine.unflushed(OTHER))
    for tablet, dirty in before.items():
        engine.counted(tablet, dirty, found[tablet])
        engine.counted(tablet, dirty, found[tablet])
    assert engine.unflushed(TABLET) == 4
    assert OTHER not in engine.dirty_tablets()
    assert not engine.uncounted()
    engine.close()
