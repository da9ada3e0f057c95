"""A tablet reads hot and cold as one: any view, whatever was flushed, trimmed or reloaded."""

import random
from itertools import islice
from typing import ClassVar

import pyarrow as pa
import pytest

from storage.arrow import to_rows
from storage.cold.collect import collect, erase
from storage.cold.flush import clean, flush
from storage.cold.point_read import SegmentReader
from storage.cold.trim import trim
from storage.errors import DataCorruptedError
from storage.fs import OS
from storage.ids import TabletId
from storage.layout import Column, Layout
from storage.log.log_entry import Op
from storage.log.retained import is_whole
from storage.log.view import Version
from storage.tablet import COLD_NEEDED, Tablet
from storage.tablets import shrink_tails
from tests.storage.fake_log import TABLET, FakeEngine, Write
from tests.storage.merging import merge_segments

LAYOUT = Layout(
    1,
    (
        Column(1, "id", "int", pa.int64()),
        Column(2, "body", "text", pa.string()),
        Column(3, "at", "int", pa.timestamp("us")),
    ),
    (0,),
)


@pytest.fixture(autouse=True)
def many_are_three(monkeypatch):
    """Three entries are many: what a loaded tail has of them is not read from the log again."""
    monkeypatch.setattr("storage.tail.entries.CHUNK_ENTRIES", 2)


def open_tablet(engine, directory, layout=LAYOUT):
    tablet = Tablet(TABLET, layout, fs=engine.fs, directory=directory, current=engine.acquire)
    engine.tablet = tablet
    return tablet


def scan(tablet, view):
    """Scan as an engine would: {key: (seq, row)}."""
    found = tablet.scan(view)
    if found is None:
        tablet.install(tablet.load(view))
        found = tablet.scan(view)
    names = [f"c{tablet.layout.columns[position].id}" for position in tablet.layout.key]
    pieces = [pa.Table.from_batches([batch]) for _, batch in found.batches]
    readers = [SegmentReader(OS, segment, TABLET) for segment in found.segments]
    if cold := [reader.read() for reader in readers]:
        if found.overlapping:
            pieces.append(merge_segments(cold, names, found.superseded))
        else:
            # Nothing was replaced or deleted in cold, so nobody looks at `_deleted`.
            assert not any(any(table.column("_deleted").to_pylist()) for table in cold)
            pieces += [merge_segments([table], names, found.superseded) for table in cold]
    rows = {}
    for piece in pieces:
        for row, seq in zip(
            to_rows(piece, tablet.layout), piece.column("_seq").to_pylist(), strict=True
        ):
            key = tuple(row[position] for position in tablet.layout.key)
            assert key not in rows
            rows[key] = (seq, row)
    assert found.rows == tablet.count(view) == len(rows)
    return rows


def get(tablet, view, key):
    found = tablet.get(view, key)
    if found is COLD_NEEDED:
        found = tablet.get_cold(view, key)
    return None if found is None else (found.seq, found.row)


class Schedule:
    """Commits, flushes, trims, old views and restarts at random, against a dict per commit."""

    ACTIONS: ClassVar = {  # How often each comes.
        "commit": 40,
        "hold_a_view": 6,
        "release_a_view": 5,
        "flush": 10,
        "trim": 6,
        "collect": 4,
        "drop_the_tail": 3,
        "load_the_tail": 3,
        "restart": 3,
        "truncate": 1,
    }

    def __init__(self, seed, directory):
        self.random = random.Random(seed)
        self.directory = directory
        self.engine = FakeEngine(OS)
        self.tablet = open_tablet(self.engine, directory)
        self.states = {0: {}}
        self.held = []

    def run(self, steps):
        names = self.random.choices(list(self.ACTIONS), list(self.ACTIONS.values()), k=steps)
        for name in names:
            getattr(self, name)()
            self.check()

    def commit(self):
        state = dict(self.states[self.engine.seq])
        seq = self.engine.seq + 1
        writes = []
        for number in self.random.sample(range(8), self.random.randint(1, 3)):
            old = state.get((number,))
            row = (number, f"v{seq}", seq * 10)
            key = self.tablet.key_of(row)
            if old and self.random.random() < 0.4:
                writes.append(Write(Op.DELETE, key, old[1], old[1]))
                del state[number,]
            else:
                writes.append(Write(Op.UPDATE if old else Op.INSERT, key, row, old and old[1]))
                state[number,] = (seq, row)
        self.states[self.engine.commit(*writes)] = state

    def truncate(self):
        self.states[self.engine.commit(Write(Op.TRUNCATE, b"", (), None))] = {}

    def hold_a_view(self):
        view = self.engine.view()
        self.held.append(view)
        self.engine.views.append(view.seq)

    def release_a_view(self):
        if self.held:
            view = self.held.pop(self.random.randrange(len(self.held)))
            self.engine.views.remove(view.seq)

    def flush(self):
        before = self.tablet.manifest.version
        result = flush(self.engine, self.tablet)
        assert not self.engine.intents
        if result.version:
            assert result.version == before + 1
            assert self.tablet.manifest.flushed_through == self.engine.seq
        assert flush(self.engine, self.tablet).version == 0

    def trim(self):
        retained_from = self.engine.seq + 1 - self.random.choice((0, 0, 2, 5))
        trim(self.engine, self.tablet.id, self.tablet.schema, retained_from=retained_from)

    def collect(self):
        collect(self.engine, self.tablet.id, self.tablet.directory)

    def drop_the_tail(self):
        self.tablet.drop_tail()

    def load_the_tail(self):
        loaded = self.tablet.load(self.engine.view())
        self.commit()
        self.tablet.install(loaded)

    def restart(self):
        truncations = self.tablet.truncations
        self.held.clear()
        self.engine.views.clear()
        clean(self.engine.fs, self.directory)
        self.tablet = open_tablet(self.engine, self.directory)
        self.tablet.learn_truncations(truncations)

    def send(self):
        """As who sends the newest rows and keeps what it sent does."""
        newest = self.states[self.engine.seq]
        for number in range(8):
            key = self.tablet.key_of((number, "", 0))
            row = newest.get((number,))
            sent = self.tablet.sent.of("row").get(key)
            assert sent is None or sent == repr(row).encode()
            if row is not None:
                self.tablet.sent.put("row", key, repr(row).encode())

    def check(self):
        self.send()
        for view in [*self.held, self.engine.view()]:
            expected = self.states[view.seq]
            if self.random.random() < 0.5:
                assert scan(self.tablet, view) == expected
            keys = [self.tablet.key_of((number, "", 0)) for number in range(8)]
            together = self.tablet.get_all(view, keys)
            assert together == [self.tablet.get(view, key) for key in keys]
            for number, key in enumerate(keys):
                assert get(self.tablet, view, key) == expected.get((number,))
            if not self.tablet.manifest_at(view.seq).segments or is_whole(view, self.tablet.id):
                assert along_keys(self.tablet, view) == [expected[one] for one in sorted(expected)]
            floor = self.tablet.newest_floor(view)
            newest = [(version.seq, version.row) for version in self.tablet.newest(view)]
            assert [seq for seq, _ in newest] == sorted((s for s, _ in newest), reverse=True)
            assert sorted(newest) == sorted(v for v in expected.values() if v[0] > floor)


def along_keys(tablet, view):
    """(seq, row) of the live rows, in the order of the index."""
    found = [tablet.get(view, key) for key in view.keys(tablet.id, None, None)]
    return [(one.seq, one.row) for one in found if isinstance(one, Version)]


@pytest.mark.parametrize("seed", range(30))
def test_any_schedule_reads_as_a_replay_of_the_commits(seed, tmp_path):
    Schedule(seed, tmp_path / "cold").run(60)


def filled(tmp_path, count, layout=LAYOUT):
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path / "cold", layout)
    for number in range(count):
        row = (number, f"text {number}", number * 10)
        engine.commit(Write(Op.INSERT, tablet.key_of(row), row, None))
    return engine, tablet


def test_a_short_log_is_read_at_once_and_a_long_one_asks_to_be_loaded(tmp_path):
    engine, tablet = filled(tmp_path / "a", 256)
    assert tablet.scan(engine.view()).rows == 256
    engine, tablet = filled(tmp_path / "b", 257)
    assert tablet.scan(engine.view()) is None
    tablet.install(tablet.load(engine.view()))
    assert tablet.scan(engine.view()).rows == 257
    tablet.drop_tail()
    assert tablet.scan(engine.view()) is None


def test_what_trim_takes_out_of_the_index_is_not_looked_for_there(tmp_path, monkeypatch):
    engine, tablet = filled(tmp_path, 20)
    tablet.install(tablet.load(engine.view()))
    flush(engine, tablet)
    older = engine.view()
    monkeypatch.setattr(
        engine, "trimmed", lambda _tablet, _through: None
    )  # Not yet: it comes after.
    trim(engine, tablet.id, tablet.schema, retained_from=engine.seq + 1)
    view = engine.view()
    assert tablet.newest_floor(view) == 0, "the tail has all rows"
    assert not is_whole(view, tablet.id)
    assert is_whole(older, tablet.id)
    assert [row[0] for _, row in along_keys(tablet, older)] == list(range(20))


def test_rows_come_newest_first_with_and_without_a_tail(tmp_path):
    engine, tablet = filled(tmp_path, 300)
    view = engine.view()
    cold = [version.row[0] for version in islice(tablet.newest(view), 3)]
    assert not tablet.in_order(0), "not known while no tail is loaded"
    tablet.install(tablet.load(view))
    assert cold == [version.row[0] for version in islice(tablet.newest(view), 3)] == [299, 298, 297]
    assert tablet.in_order(0)
    assert tablet.newest_floor(view) == 0
    for loaded in (True, False):
        assert [v.row[0] for v in tablet.newest(view, [(1, "text 7")])] == [7], loaded
        tablet.drop_tail()


def test_recent_rows_stay_out_of_the_segments_until_the_log_is_trimmed(tmp_path):
    engine, tablet = filled(tmp_path, 20)
    tablet.install(tablet.load(engine.view()))
    flush(engine, tablet)
    view = engine.view()
    assert tablet.newest_floor(view) == 0
    assert next(tablet.newest(view)).row[0] == 19
    trim(engine, tablet.id, tablet.schema, retained_from=11)
    view = engine.view()
    assert tablet.newest_floor(view) == 10
    assert [version.row[0] for version in tablet.newest(view)] == list(range(19, 9, -1))


def test_rows_of_an_older_schema_are_read_in_the_newest_one_hot_and_cold(tmp_path):
    engine, tablet = filled(tmp_path, 2)
    flush(engine, tablet)
    row = (2, "hot", 5)
    engine.commit(Write(Op.INSERT, tablet.key_of(row), row, None))
    newer = Layout(
        2,
        (*LAYOUT.columns[:1], LAYOUT.columns[2], Column(4, "new", "text", pa.string(), "given")),
        (0,),
    )
    tablet = tablet.reading(newer)
    row = (3, 77, "written")
    engine.commit(Write(Op.INSERT, tablet.key_of(row), row, None, version=2))
    view = engine.view()
    expected = {0: (0, 0, "given"), 1: (1, 10, "given"), 2: (2, 5, "given"), 3: row}
    assert {key[0]: found for key, (_, found) in scan(tablet, view).items()} == expected
    for number in range(4):
        assert get(tablet, view, tablet.key_of((number, 0, "")))[1] == expected[number]
    newest = [version.row for version in tablet.newest(view)]
    assert newest == [expected[number] for number in (3, 2, 1, 0)]
    flush(engine, tablet)
    assert {key[0]: row for key, (_, row) in scan(tablet, engine.view()).items()} == expected


def test_a_row_of_a_schema_that_nobody_knows_is_damage(tmp_path):
    engine, tablet = filled(tmp_path, 1)
    row = (5, "x", 1)
    engine.commit(Write(Op.INSERT, tablet.key_of(row), row, None, version=9))
    with pytest.raises(DataCorruptedError, match="unknown schema version 9"):
        tablet.scan(engine.view())


def test_the_tails_least_lately_used_go_first(tmp_path):
    tablets = []
    for number in range(3):
        engine, tablet = filled(tmp_path / str(number), 300)
        tablet.install(tablet.load(engine.view()))
        tablets.append(tablet)
    tablets[0].scan(engine.view())
    sizes = [tablet.tail_bytes for tablet in tablets]
    assert shrink_tails(tablets, sum(sizes)) == sum(sizes)
    assert shrink_tails(tablets, sum(sizes) - 1) == sum(sizes) - sizes[1]
    assert [tablet.tail_bytes > 0 for tablet in tablets] == [True, False, True]
    assert shrink_tails(tablets, 0) == 0


def test_statistics_count_what_is_hot_and_what_is_cold(tmp_path):
    engine, tablet = filled(tmp_path, 5)
    stats = tablet.stats(engine.view())
    assert (stats.hot_rows, stats.cold_rows, stats.segments) == (5, 0, 0)
    flush(engine, tablet)
    engine.commit(Write(Op.DELETE, tablet.key_of((1, "", 0)), (1, "text 1", 10), (1, "text 1", 10)))
    stats = tablet.stats(engine.view())
    assert (stats.hot_rows, stats.cold_rows, stats.segments) == (1, 5, 1)
    assert stats.cold_bytes == tablet.manifest.size > 0
    assert tablet.scan(engine.view()).rows == 4


def test_statistics_read_what_was_not_counted_before(tmp_path, monkeypatch):
    engine, tablet = filled(tmp_path, 5)
    view = engine.view()
    first = tablet.stats(view)
    read = []
    log = type(view).log
    monkeypatch.setattr(
        type(view),
        "log",
        lambda self, *args, **more: (
            read.append(entry) or entry for entry in log(self, *args, **more)
        ),
    )
    row = (7, "text 7", 70)
    engine.commit(Write(Op.INSERT, tablet.key_of(row), row, None))
    later = tablet.stats(engine.view())
    assert len(read) == 1
    assert (later.hot_rows, later.hot_bytes) == (6, first.hot_bytes + len(read[0][2]))
    # A view from before is counted by itself, and does not disturb what is known.
    assert tablet.stats(view) == first
    assert tablet.stats(engine.view()) == later
    flush(engine, tablet)
    assert tablet.stats(engine.view()).hot_rows == 0


def test_a_dropped_tablet_leaves_no_file(tmp_path):
    engine, tablet = filled(tmp_path, 5)
    flush(engine, tablet)
    other = tablet.directory.parent / "4"
    OS.mkdir(other)
    gone = [(TABLET, tablet.directory), (TabletId(8, 3), tmp_path / "never" / "3")]
    for _ in range(2):  # What is gone already was to go.
        erase(OS, engine.directories, gone)
        assert OS.listdir(tablet.directory.parent) == ["4"]
    erase(OS, engine.directories, [(TabletId(7, 4), other)])
    assert not OS.exists(other.parent)
    assert OS.exists(other.parent.parent)


def commit_some(engine, tablet, numbers):
    """One commit of new rows."""
    rows = [(number, f"v{number}", number) for number in numbers]
    engine.commit(*[Write(Op.INSERT, tablet.key_of(row), row, None) for row in rows])


def test_a_tail_that_is_made_anew_begins_with_what_was_flushed_and_is_in_the_log(tmp_path):
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path)
    commit_some(engine, tablet, range(3))
    commit_some(engine, tablet, range(3, 5))
    flush(engine, tablet)
    commit_some(engine, tablet, [5])
    tablet = open_tablet(engine, tmp_path)
    view = engine.view()
    assert tablet.warm(view)
    assert tablet.is_hot(view)
    assert tablet.newest_floor(view) == 0
    assert [version.row[0] for version in tablet.newest(view)] == [5, 4, 3, 2, 1, 0]
    assert sorted(scan(tablet, view)) == [(number,) for number in range(6)]


def test_a_tail_reaches_back_by_whole_commits_and_so_many_rows(tmp_path, monkeypatch):
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path)
    for first in range(0, 9, 3):
        commit_some(engine, tablet, range(first, first + 3))
    flush(engine, tablet)
    for most, reached in ((9, 0), (8, 1), (5, 2), (3, 2), (2, 3), (0, 3)):
        monkeypatch.setattr("storage.tablet.INLINE", (most, 1 << 20))
        tablet = open_tablet(engine, tmp_path)
        view = engine.view()
        assert tablet.warm(view)
        assert tablet.newest_floor(view) == reached
        newest = [version.row[0] for version in tablet.newest(view)]
        assert newest == list(range(8, 3 * reached - 1, -1))


def test_a_tail_of_large_rows_is_not_built_at_once_and_reaches_back_by_bytes(tmp_path, monkeypatch):
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path)
    commit_some(engine, tablet, range(6))
    entry = max(len(entry) for _, _, entry in engine.view().log(TABLET))
    monkeypatch.setattr("storage.tablet.INLINE", (256, 4 * entry))
    tablet = open_tablet(engine, tmp_path)
    assert not tablet.warm(engine.view())
    tablet.install(tablet.load(engine.view()))
    assert [version.row[0] for version in tablet.newest(engine.view())] == [5, 4, 3, 2, 1, 0]
    flush(engine, tablet)
    for number in range(6, 9):
        commit_some(engine, tablet, [number])
    flush(engine, tablet)
    tablet = open_tablet(engine, tmp_path)
    assert tablet.warm(engine.view())
    assert tablet.newest_floor(engine.view()) > 0


def test_a_tail_reaches_back_no_further_than_the_log(tmp_path):
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path)
    for first in range(0, 9, 3):
        commit_some(engine, tablet, range(first, first + 3))
    flush(engine, tablet)
    trim(engine, TABLET, tablet.schema, retained_from=3)
    tablet = open_tablet(engine, tmp_path)
    view = engine.view()
    assert tablet.warm(view)
    assert not tablet.is_hot(view)
    assert [version.row[0] for version in tablet.newest(view)] == [8, 7, 6]
    assert sorted(scan(tablet, view)) == [(number,) for number in range(9)]
