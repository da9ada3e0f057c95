"""What exists is found on disk, and a view holds what it reads, whatever happens to be open."""

import gc
from contextlib import contextmanager
from dataclasses import replace

import pytest

from storage import failpoints
from storage.check import check
from storage.cold.collect import collect, erase
from storage.cold.directories import tablets_in
from storage.cold.flush import flush
from storage.cold.publication import publish
from storage.cold.trim import trim, untrimmed
from storage.engine import Engine
from storage.errors import DataCorruptedError, DiskFullError, IoError
from storage.fs import OS
from storage.ids import TabletId
from storage.keys import meta_key, tablet_ranges
from storage.log.recovery import intent_key
from storage.log.retained import RETAINED, Retained
from storage.schema import Schema
from storage.tablet import ColdNeeded
from tests.storage.crashing_fs import CrashError, CrashingFs
from tests.storage.engine_fixtures import (
    LAYOUT,
    OPTIONS,
    OTHER,
    TABLET,
    commit,
    insert,
    key_of,
    truncate,
    update,
)
from tests.storage.test_engine_model import Host, scan

ONE_OPEN = replace(OPTIONS, tablets_max=1)


@pytest.fixture
def engine(tmp_path):
    engine = Engine.open(tmp_path / "data", options=ONE_OPEN)
    yield engine
    engine.close()


def evict(engine):
    """Another tablet is used: nobody has the first one any more."""
    engine.tablet(OTHER, LAYOUT)
    gc.collect()
    assert TABLET not in {tablet.id for tablet in engine.open_tablets()}


def rows(engine, view):
    """{key: body} that the view sees, by scan and by key."""
    tablet = engine.tablet(TABLET, LAYOUT)
    shown = {key: body for key, (_, body) in scan(tablet, view).items()}
    for key in range(5):
        found = tablet.get(view, key_of(key))
        if isinstance(found, ColdNeeded):
            found = tablet.get_cold(view, key_of(key))
        assert (None if found is None else found.row[1]) == shown.get(key)
    return shown


def to_cold(engine):
    """Flush the tablet, and leave nothing of it in the log."""
    tablet = engine.tablet(TABLET, LAYOUT)
    flush(Host(engine), tablet)
    trim(Host(engine), TABLET, tablet.schema, retained_from=2**63)


def test_a_held_view_reads_on_when_its_tablet_was_evicted_and_opened_again(engine):
    commit(engine, insert(1, "old"))
    to_cold(engine)
    with engine.acquire() as held:
        commit(engine, insert(2, "new"))
        to_cold(engine)
        evict(engine)
        assert rows(engine, held) == {1: "old"}
        assert rows(engine, engine.current) == {1: "old", 2: "new"}


def test_a_held_view_between_two_truncates_reads_on_when_its_tablet_was_evicted(engine):
    commit(engine, insert(1, "first"))
    commit(engine, truncate())
    commit(engine, insert(2, "second"))
    with engine.acquire() as held:
        commit(engine, truncate())
        commit(engine, insert(3, "third"))
        evict(engine)
        assert rows(engine, held) == {2: "second"}
        assert rows(engine, engine.current) == {3: "third"}


def files(engine, tablet=TABLET):
    """Names in the tablet's directory."""
    directory = engine.tablet_directory(tablet)
    return set(OS.listdir(directory)) if OS.exists(directory) else set()


def collected(engine, tablet=TABLET):
    return collect(Host(engine), tablet, engine.tablet_directory(tablet))


def flushed(engine, *writes):
    """Commit and flush; the manifest's files."""
    commit(engine, *writes)
    tablet = engine.tablet(TABLET, LAYOUT)
    flush(Host(engine), tablet)
    return tablet


# Trim.


def test_trim_reaches_what_is_not_open(engine):
    commit(engine, insert(1, "a"))
    flush(Host(engine), engine.tablet(TABLET, LAYOUT))
    evict(engine)
    (found,) = untrimmed(engine.current)
    assert (found.tablet, found.oldest) == (TABLET, 0)
    trim(Host(engine), TABLET, Schema(TABLET, LAYOUT), retained_from=2**63)
    assert engine.current.log_length(TABLET) == 0
    assert list(untrimmed(engine.current)) == []
    assert {tablet.id for tablet in engine.open_tablets()} == {OTHER}
    assert rows(engine, engine.current) == {1: "a"}


def test_a_tablet_has_something_to_trim_until_all_that_is_cold_is_out_of_its_log(engine):
    first = commit(engine, insert(1, "a"))
    second = commit(engine, insert(2, "b"))
    schema = flushed(engine, insert(3, "c")).schema
    trim(Host(engine), TABLET, schema, retained_from=second)
    (found,) = untrimmed(engine.current)
    assert found.oldest == second > first
    noted = engine.system_get(meta_key(TABLET, RETAINED))
    assert noted == Retained(second, second).pack()
    trim(Host(engine), TABLET, schema, retained_from=2**63)
    assert list(untrimmed(engine.current)) == []
    last = commit(engine, insert(4, "d"))
    assert list(untrimmed(engine.current)) == []
    flush(Host(engine), engine.tablet(TABLET, LAYOUT))
    (found,) = untrimmed(engine.current)
    assert found.oldest <= last <= found.through
    assert rows(engine, engine.current) == {1: "a", 2: "b", 3: "c", 4: "d"}


def test_trim_leaves_what_a_held_view_reads_from_the_log_though_its_tablet_is_not_open(engine):
    commit(engine, insert(1, "a"))
    with engine.acquire() as held:
        to_cold(engine)
        evict(engine)
        assert engine.current.log_length(TABLET) == 1
        assert rows(engine, held) == {1: "a"}
    to_cold(engine)
    assert engine.current.log_length(TABLET) == 0


def test_a_truncated_tablet_is_trimmed_too(engine):
    commit(engine, insert(1, "a"))
    commit(engine, truncate())
    to_cold(engine)
    assert engine.current.log_length(TABLET) == 0
    assert rows(engine, engine.current) == {}


# Collect.


def test_files_of_a_held_view_stay_whether_or_not_its_tablet_is_open_and_go_after_it(engine):
    flushed(engine, insert(1, "a"))
    with engine.acquire() as held:
        commit(engine, truncate())
        flushed(engine, insert(2, "b"))
        before = files(engine)
        assert collected(engine) == []
        evict(engine)
        assert collected(engine) == []
        assert files(engine) == before
        assert rows(engine, held) == {1: "a"}
    assert len(collected(engine)) == 2
    assert len(files(engine)) == 2
    assert rows(engine, engine.current) == {2: "b"}


def test_of_many_versions_those_stay_that_a_view_reads(engine):
    views = []
    for number in range(6):
        flushed(engine, insert(number, "a"))
        if number in (1, 3):
            views.append(engine.acquire())
    evict(engine)
    collected(engine)
    manifests = sorted(name for name in files(engine) if name.startswith("manifest-"))
    assert manifests == [f"manifest-{n:010d}.json" for n in (2, 4, 6)]
    assert [len(rows(engine, view)) for view in views] == [2, 4]
    for view in views:
        view.release()
    assert collected(engine) == manifests[:2]


class Replacement:
    """As a compaction does: other files with the same rows, and no other `flushed_through`."""

    def __init__(self, tablet, writer):
        self.tablet, self.writer = tablet, writer
        self.linked, self.published, self.ends_flush = False, None, False

    def next_version(self, base):
        (segment,) = base.segments
        stem = "segment-1-merged"
        path = self.tablet.directory / f"{stem}.parquet"
        self.writer.name(path.name)
        path.write_bytes((self.tablet.directory / segment.file).read_bytes())
        merged = replace(segment, path=str(path))
        return replace(base, version=base.version + 1, segments=(merged,), previous=base.sha256)


def compact(engine, tablet):
    with engine.directories.writer(tablet.id) as writer:
        publish(Host(engine), [Replacement(tablet, writer)])


def test_a_running_statement_keeps_the_files_that_it_chose_when_others_replace_them(engine):
    tablet = flushed(engine, insert(1, "a"))
    with engine.acquire() as running:
        (chosen,) = tablet.scan(running).segments
        compact(engine, tablet)
        assert collected(engine) == []
        assert chosen.file in files(engine)
        assert rows(engine, running) == {1: "a"}
        (merged,) = tablet.manifest.segments
    assert chosen.file in collected(engine)
    assert files(engine) == {"manifest-0000000002.json", merged.file}


def test_a_flush_publishes_upon_what_a_compaction_published_meanwhile(engine):
    tablet = flushed(engine, insert(1, "a"))
    commit(engine, update(1, "b", "a"), insert(2, "c"))
    with failpoints.armed("flush.encoded", lambda: compact(engine, tablet)):
        flush(Host(engine), tablet)
    assert tablet.manifest.version == 3
    assert tablet.manifest.segments[0].file == "segment-1-merged.parquet"
    assert rows(engine, engine.current) == {1: "b", 2: "c"}


def test_a_version_whose_publication_failed_is_taken_up_before_anything_is_collected(engine):
    tablet = flushed(engine, insert(1, "a"))
    with failpoints.armed("publish.manifest_linked", "eio"), pytest.raises(IoError):
        compact(engine, tablet)
    assert tablet.manifest.version == 1
    removed = collected(engine)
    assert tablet.manifest.version == 2
    assert "manifest-0000000001.json" in removed
    assert rows(engine, engine.current) == {1: "a"}


def test_an_empty_directory_goes_but_not_that_of_all_tablets(engine):
    directory = engine.tablet_directory(TABLET)
    OS.mkdir(directory)
    (directory / "tmp-left").write_bytes(b"x")
    assert collected(engine) == ["tmp-left"]
    assert OS.listdir(engine.cold_directory) == []
    assert collected(engine) == []


# Erase.


def dropped(engine):
    """A host whose catalog has lost the table."""
    host = Host(engine)
    host.dropped.add(TABLET)
    return host


def erased(engine):
    """As the erasure of dropped tables does: not while somebody writes. Whether it was done."""
    if engine.directories.written(TABLET):
        return False
    erase(OS, engine.directories, [(TABLET, engine.tablet_directory(TABLET))])
    with engine.acquire() as view:
        keys = [key for start, stop in tablet_ranges(TABLET) for key in view.scan_keys(start, stop)]
    commit(engine, system=[(key, None) for key in keys])
    return True


def nothing_is_left(engine):
    assert TABLET not in set(tablets_in(OS, engine.cold_directory))
    assert TABLET not in set(engine.current.tablets())


def test_a_dropped_tablet_is_found_by_its_log_its_notes_or_its_files_alone(engine):
    in_log, noted, on_disk = (TabletId(user, 5) for user in (1, 2, 3))
    commit(engine, insert(1, tablet=in_log))
    commit(engine, system=[(meta_key(noted), bytes(8))])
    OS.mkdir(engine.tablet_directory(on_disk))
    assert {*engine.current.tablets(), *tablets_in(OS, engine.cold_directory)} == {
        in_log,
        noted,
        on_disk,
    }


FLUSH_STEPS = (
    "flush.intent",
    "flush.encoded",
    "flush.file_written",
    "publish.files_durable",
    "publish.renamed",
    "publish.manifest_written",
    "publish.names_durable",
    "publish.manifest_linked",
    "publish.manifest_durable",
    "publish.swapped",
    "flush.done",
)


@pytest.mark.parametrize("old", [False, True], ids=["first flush", "second flush"])
@pytest.mark.parametrize("step", FLUSH_STEPS)
def test_a_drop_at_any_step_of_a_flush_leaves_nothing(engine, step, old):
    if old:
        flushed(engine, insert(1, "a"))
    commit(engine, insert(2, "b"))
    host = Host(engine)
    tries = []

    def drop():
        host.dropped.add(TABLET)
        engine.forget_table(TABLET.table)
        tries.append(erased(engine))

    with failpoints.armed(step, drop):
        flush(host, engine.tablet(TABLET, LAYOUT))
    assert tries == [False]
    assert erased(engine)
    nothing_is_left(engine)
    flush(host, engine.tablet(TABLET, LAYOUT))  # One that was asked for before.
    trim(host, TABLET, Schema(TABLET, LAYOUT), retained_from=2**63)
    collected(engine)
    nothing_is_left(engine)


@pytest.mark.parametrize("step", FLUSH_STEPS)
def test_a_truncate_at_any_step_of_a_flush_hides_what_it_writes(engine, step):
    flushed(engine, insert(1, "a"))
    commit(engine, insert(2, "b"))
    with engine.acquire() as held:
        with failpoints.armed(step, lambda: commit(engine, truncate())):
            flush(Host(engine), engine.tablet(TABLET, LAYOUT))
        assert rows(engine, held) == {1: "a", 2: "b"}
        assert rows(engine, engine.current) == {}
        evict(engine)
        collected(engine)
        assert rows(engine, held) == {1: "a", 2: "b"}
        assert rows(engine, engine.current) == {}
    commit(engine, insert(3, "c"))
    to_cold(engine)
    collected(engine)
    assert rows(engine, engine.current) == {3: "c"}
    assert len(files(engine)) == 2


def test_a_flush_that_a_truncate_overtook_publishes_nothing(engine):
    commit(engine, insert(1, "a"))
    tablet = engine.tablet(TABLET, LAYOUT)
    with failpoints.armed("flush.encoded", lambda: commit(engine, truncate())):
        assert flush(Host(engine), tablet).version == 0
    assert not OS.exists(tablet.directory)


@pytest.mark.parametrize("step", ["flush.intent", "flush.encoded", "flush.file_written"])
def test_a_flush_that_a_drop_overtook_publishes_nothing_and_leaves_no_directory(engine, step):
    commit(engine, insert(1, "a"))
    host = Host(engine)
    with failpoints.armed(step, lambda: host.dropped.add(TABLET)):
        assert flush(host, engine.tablet(TABLET, LAYOUT)).version == 0
    assert list(tablets_in(OS, engine.cold_directory)) == []
    assert engine.system_get(intent_key(TABLET)) is None


def test_a_flush_of_a_dropped_tablet_does_nothing_at_all(engine):
    commit(engine, insert(1, "a"))
    host = Host(engine)
    host.dropped.add(TABLET)
    before = engine.current.seq
    assert flush(host, engine.tablet(TABLET, LAYOUT)).version == 0
    assert engine.current.seq == before
    assert list(tablets_in(OS, engine.cold_directory)) == []


def test_a_flush_that_the_disk_refuses_leaves_none_of_its_files(engine):
    commit(engine, insert(1, "a"))
    with failpoints.armed("publish.renamed", "enospc"), pytest.raises(DiskFullError):
        flush(Host(engine), engine.tablet(TABLET, LAYOUT))
    assert list(tablets_in(OS, engine.cold_directory)) == []


@pytest.mark.parametrize("step", ["trim.batch"])
def test_a_drop_amid_trim_leaves_nothing(engine, step):
    schema = flushed(engine, insert(1, "a")).schema
    host = Host(engine)

    def drop():
        host.dropped.add(TABLET)
        assert not erased(engine)

    with failpoints.armed(step, drop):
        trim(host, TABLET, schema, retained_from=2**63)
    assert erased(engine)
    nothing_is_left(engine)


@contextmanager
def vanishing(engine, monkeypatch, what):
    """Another collector or eraser removes what `what` says right after it was listed."""
    listed = OS.listdir

    class Racing(type(OS)):
        def listdir(self, path):
            names = listed(path)
            what(path, names)
            return names

    host = Host(engine)
    host.fs = Racing()
    yield host


def test_a_file_that_appears_while_its_directory_is_listed_is_its_writers(engine):
    flushed(engine, insert(1, "a"))
    directory = engine.tablet_directory(TABLET)
    with engine.directories.writer(TABLET) as writer:

        class Racing(type(OS)):
            def listdir(self, path):
                number = len(writer.names)
                (path / writer.name(f"segment-{number}.parquet")).write_bytes(b"x")
                return super().listdir(path)

        host = Host(engine)
        host.fs = Racing()
        assert collect(host, TABLET, directory) == []
        assert len(writer.names) >= 4
    assert len(collected(engine)) >= 2
    assert len(files(engine)) == 2


def test_what_vanishes_while_it_is_collected_is_done(engine, monkeypatch):
    commit(engine, insert(1, "a"))
    for number in range(2, 5):
        flushed(engine, insert(number, "b"))
    directory = engine.tablet_directory(TABLET)

    def older_ones(path, names):
        for name in ("manifest-0000000001.json", "manifest-0000000002.json"):
            (path / name).unlink(missing_ok=True)

    with vanishing(engine, monkeypatch, older_ones) as host:
        collect(host, TABLET, directory)
    assert rows(engine, engine.current) == {1: "a", 2: "b", 3: "b", 4: "b"}

    def all_of_it(path, names):
        for name in names:
            (path / name).unlink(missing_ok=True)
        path.rmdir()

    with vanishing(engine, monkeypatch, all_of_it) as host:
        assert collect(host, TABLET, directory) == []
        assert collect(host, TABLET, directory) == []


def test_a_manifest_that_the_log_knows_and_that_is_gone_is_told(engine, monkeypatch):
    flushed(engine, insert(1, "a"))
    evict(engine)
    directory = engine.tablet_directory(TABLET)

    def manifest_goes(path, names):
        for name in names:
            if name.startswith("manifest-"):
                (path / name).unlink(missing_ok=True)

    with vanishing(engine, monkeypatch, manifest_goes) as host:
        monkeypatch.setattr(engine, "fs", host.fs)
        with pytest.raises(DataCorruptedError, match="lost its newest manifest"):
            engine.tablet(TABLET, LAYOUT)
    with pytest.raises(DataCorruptedError, match="lost its newest manifest"):
        collect(Host(engine), TABLET, directory)
    assert any(name.startswith("segment-") for name in files(engine)), "they may be of use"


def test_erasing_what_is_gone_or_half_gone_is_done(engine):
    flushed(engine, insert(1, "a"))
    with failpoints.armed("erase.unlinked", "eio", at=2), pytest.raises(IoError):
        erased(engine)
    assert not any(name.startswith("manifest-") for name in files(engine))
    for _ in range(2):
        assert erased(engine)
        nothing_is_left(engine)


# Crashes and refusals.


def to_tidy(path):
    """An engine with a flushed tablet that has something to collect."""
    engine = Engine.open(path, options=ONE_OPEN)
    for number in range(1, 4):
        flushed(engine, insert(number, "a"))
    commit(engine, truncate())
    flushed(engine, insert(4, "b"))
    return engine


def collect_with(engine, fs):
    host = Host(engine)
    host.fs = fs
    return collect(host, TABLET, engine.tablet_directory(TABLET))


def erase_with(engine, fs):
    return erase(fs, engine.directories, [(TABLET, engine.tablet_directory(TABLET))])


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("error", "power"), [(CrashError, False), (CrashError, True), (IoError, False)]
)
def test_collection_is_cut_off_at_any_file_operation_and_done_again(tmp_path, error, after, power):
    engine = to_tidy(tmp_path / "counted")
    fs = CrashingFs()
    collect_with(engine, fs)
    engine.close()
    assert fs.changes == 6
    for number in range(1, fs.changes + 1):
        engine = to_tidy(tmp_path / str(number))
        failing = CrashingFs(number, after=after, error=error)
        with pytest.raises(error):
            collect_with(engine, failing)
        if power:
            failing.lose_power()
        engine.close()
        engine = Engine.open(tmp_path / str(number), options=ONE_OPEN)
        assert rows(engine, engine.current) == {4: "b"}
        collected(engine)
        assert len(files(engine)) == 2
        engine.close()
        assert list(check(tmp_path / str(number))) == []


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("error", "power"), [(CrashError, False), (CrashError, True), (IoError, False)]
)
def test_erasure_is_cut_off_at_any_file_operation_and_done_again(tmp_path, error, after, power):
    engine = to_tidy(tmp_path / "counted")
    fs = CrashingFs()
    erase_with(engine, fs)
    engine.close()
    assert fs.changes == 9
    for number in range(1, fs.changes + 1):
        engine = to_tidy(tmp_path / str(number))
        failing = CrashingFs(number, after=after, error=error)
        with pytest.raises(error):
            erase_with(engine, failing)
        if power:
            failing.lose_power()
        engine.close()
        # Nobody misses what is gone of a table that was dropped.
        found = check(tmp_path / str(number), exists=lambda _log, table: table != TABLET.table)
        assert list(found) == []
        engine = Engine.open(tmp_path / str(number), options=ONE_OPEN)
        assert erased(engine)
        nothing_is_left(engine)
        engine.close()
