"""A tablet reads hot and cold as one: any view, whatever was flushed, trimmed or reloaded."""

import random
from typing import ClassVar

import pyarrow as pa
import pytest

from storage.arrow import to_rows
from storage.flush import clean, flush
from storage.fs import OS
from storage.layout import Column, Layout
from storage.lookup import SegmentReader
from storage.merge import merge_segments
from storage.rows import Op
from storage.tablet import COLD_NEEDED, Tablet
from storage.trim import collect, trim
from tests.storage.fake_log import TABLET, FakeEngine, Write

LAYOUT = Layout(
    1,
    (
        Column(1, "id", "int", pa.int64()),
        Column(2, "body", "text", pa.string()),
        Column(3, "at", "int", pa.timestamp("us")),
    ),
    (0,),
)


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
    assert found.rows == len(rows)
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
        trim(self.engine, self.tablet, retained_from=retained_from)

    def collect(self):
        collect(self.engine, self.tablet, older_than_ns=2**63)

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

    def check(self):
        for view in [*self.held, self.engine.view()]:
            expected = self.states[view.seq]
            if self.random.random() < 0.5:
                assert scan(self.tablet, view) == expected
            for number in range(8):
                key = self.tablet.key_of((number, "", 0))
                assert get(self.tablet, view, key) == expected.get((number,))
            floor = self.tablet.newest_floor(view)
            newest = [(version.seq, version.row) for version in self.tablet.newest(view)]
            assert [seq for seq, _ in newest] == sorted((s for s, _ in newest), reverse=True)
            assert sorted(newest) == sorted(v for v in expected.values() if v[0] > floor)


@pytest.mark.parametrize("seed", range(30))
def test_any_schedule_reads_as_a_replay_of_the_commits(seed, tmp_path):
    Schedule(seed, tmp_path / "cold").run(60)
