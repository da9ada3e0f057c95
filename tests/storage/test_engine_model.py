"""The engine and its tablets against a dict: whatever is written, flushed, trimmed, crashed, reopened."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storage import failpoints
from storage.arrow import to_batch, to_rows
from storage.check import check
from storage.cold.collect import collect
from storage.cold.compaction import compact_together
from storage.cold.flush import flush, flush_together
from storage.cold.load import Load
from storage.cold.load_keys import is_taken
from storage.cold.manifest import runs
from storage.cold.point_read import SegmentReader
from storage.cold.segment import encode_distinct
from storage.cold.trim import trim
from storage.errors import KalamError, SerializationError
from storage.ids import TabletId
from storage.keys import meta_key
from storage.log.log_entry import Op, decode_entry
from storage.log.recovery import intent_key, load_key, load_puts
from storage.log.retained import RETAINED, unpack_retained
from storage.tablet import ColdNeeded
from tests.storage.crash_image import crash_image
from tests.storage.engine_fixtures import (
    LAYOUT,
    OTHER,
    TABLET,
    commit,
    delete,
    end_flush,
    insert,
    key_of,
    open_engine,
    truncate,
    update,
    write_set,
)
from tests.storage.merging import merge_segments

KEYS = st.integers(0, 5)
TABLETS = st.sampled_from([TABLET, OTHER])
FLUSH_POINTS = ["flush.intent", "publish.renamed", "publish.manifest_linked", "publish.swapped"]
COMPACT_POINTS = ["compact.file_written", "compact.merged", *FLUSH_POINTS[1:]]
LOAD_POINTS = [
    *(
        "load.file_written",
        "publish.files_durable",
        "publish.renamed",
        "load.named",
        "load.entered",
    ),
    *("commit.before_batch", "commit.after_batch", "commit.before_publish", "load.published"),
    *("publish.names_durable", "publish.manifest_linked", "load.linked", "load.noted"),
]
LOADED_FROM = LOAD_POINTS.index("commit.after_batch")
"""From there on it is committed."""
COMMIT_POINTS = ["commit.before_batch", "commit.after_batch", "commit.before_publish"]


@pytest.fixture(autouse=True)
def many_are_three(monkeypatch):
    """Three entries are many: what a loaded tail has of them is not read from the log again.

    And two writes are a large set, which becomes a part of the batch as it is written; three of a tablet are
    more than its tail takes in.
    """
    monkeypatch.setattr("storage.tail.entries.CHUNK_ENTRIES", 2)
    monkeypatch.setattr("storage.log.writes.LARGE_WRITES", 2)
    monkeypatch.setattr("storage.tablets.APPENDED_MAX", 2)


class Host:
    """What flush and trim need, when there is one thread for everything."""

    def __init__(self, engine):
        self.engine = engine
        self.fs = engine.fs
        self.directories = engine.directories
        self.acquire = engine.acquire
        self.opened = engine.opened
        self.reads = engine.reads
        self.flushed_through = engine.flushed_through
        self.before_manifest = engine.sync_slots
        self.noted = engine.noted_manifest
        self.dropped = set()

    def exists(self, tablet):
        return tablet not in self.dropped

    def check(self):
        pass

    def run_on_loop(self, call):
        return call()

    def call_soon(self, call):
        call()

    def unflushed(self, tablet):
        return self.engine.unflushed(tablet)

    def begin_flush(self, tablets, seq):
        commit(self.engine, system=[(intent_key(tablet), seq.to_bytes(8)) for tablet in tablets])

    def note(self, manifests, ended):
        for manifest in manifests:
            if manifest.tablet in ended:
                end_flush(self.engine, manifest.tablet, manifest.note)
            else:
                commit(self.engine, system=[(meta_key(manifest.tablet), manifest.note.pack())])

    def loaded(self, manifest):
        puts = load_puts(manifest.tablet, None)
        if self.noted(manifest.tablet).version < manifest.version:
            puts.append((meta_key(manifest.tablet), manifest.note.pack()))
        commit(self.engine, system=puts)

    def end_flush(self, flushed):
        for tablet, _, entries in flushed:
            self.engine.flushed(tablet, entries)

    def cancel_flush(self, tablets):
        commit(self.engine, system=[(intent_key(tablet), None) for tablet in tablets])

    def delete_entries(self, cuts):
        one = write_set()
        one.validate = lambda _seq: [
            one.system.extend(
                [
                    (key := meta_key(tablet, RETAINED), self.behind(key, retained).pack()),
                    *self.engine.trim_puts(tablet, entries),
                ]
            )
            for tablet, entries, retained in cuts
        ]
        self.engine.publish(self.engine.write_group([one]))
        assert one.error is None

    def behind(self, key, retained):
        return retained.behind(unpack_retained(self.engine.committed(key)))

    def trimmed(self, tablet, through):
        if (opened := self.opened(tablet)) is not None:
            opened.trimmed(through)


class EngineModel(RuleBasedStateMachine):
    """`rows[tablet][key]` is (seq, body) of the newest commit; `kept`: views and what they show."""

    def __init__(self):
        super().__init__()
        self.path = Path(tempfile.mkdtemp(prefix="kalam-model-"))
        self.lives = 0
        self.value = 0
        self.rows = {TABLET: {}, OTHER: {}}
        self.kept = []
        self.resumed = 0

    @initialize()
    def start(self):
        self.open()

    def open(self):
        self.engine = open_engine(self.path / str(self.lives), tablet_factory=None)
        self.tablets = {tablet: self.engine.tablet(tablet, LAYOUT) for tablet in self.rows}
        with self.engine.acquire() as view:
            for tablet, dirty in list(self.engine.uncounted().items()):
                found = self.engine.count_unflushed(view, tablet)
                self.engine.counted(tablet, dirty, found)
                assert self.engine.unflushed(tablet) == max(1, found)
            for tablet in self.rows.keys() - self.engine.dirty_tablets().keys():
                assert not self.engine.count_unflushed(view, tablet), "the list lacks it"

    def teardown(self):
        if hasattr(self, "engine"):
            self.release_all()
            self.engine.close()
            assert list(check(self.path / str(self.lives))) == []
        shutil.rmtree(self.path)

    def release_all(self):
        for view, _ in self.kept:
            view.release()
        self.kept.clear()

    def change_of(self, tablet, key, remove):
        """The write that a session would make of a key, and what the row then is."""
        self.value += 1
        seq, body = self.rows[tablet].get(key, (0, None))
        new = None if remove else f"v{self.value}"
        if body is None:
            return (None if remove else insert(key, new, tablet=tablet, assumed=0)), new
        if remove:
            return delete(key, body, tablet=tablet, assumed=seq), None
        return update(key, new, body, tablet=tablet, assumed=seq), new

    def applied(self, changes, seq):
        for (tablet, key), body in changes.items():
            if body is None:
                self.rows[tablet].pop(key, None)
            else:
                self.rows[tablet][key] = (seq, body)

    def transaction(self, keys, *, sync):
        changes, writes = {}, []
        for (tablet, key), remove in keys.items():
            write, body = self.change_of(tablet, key, remove)
            if write is not None:
                writes.append(write)
                changes[tablet, key] = body
        return write_set(*writes, sync=sync), changes

    @rule(
        sets=st.lists(
            st.dictionaries(st.tuples(TABLETS, KEYS), st.booleans(), min_size=1, max_size=4),
            min_size=1,
            max_size=3,
        ),
        sync=st.booleans(),
    )
    def commit_a_group(self, sets, sync):
        members, taken = [], set()
        for keys in sets:
            if taken & keys.keys():
                continue  # The keys are locked: that transaction waits.
            taken |= keys.keys()
            members.append(self.transaction(keys, sync=sync))
        self.engine.publish(self.engine.write_group([one for one, _ in members]))
        for one, changes in members:
            assert one.error is None
            self.applied(changes, one.seq)

    @rule(tablet=TABLETS, key=KEYS)
    def commit_what_assumed_wrong(self, tablet, key):
        """Right only as long as the log still knows the key, by no version from before a load."""
        found = self.engine.current.find(tablet, key_of(key))
        if found is None or found.seq <= self.tablets[tablet].manifest.loaded_through:
            return
        seq, _ = self.rows[tablet].get(key, (0, None))
        with pytest.raises(SerializationError):
            commit(self.engine, update(key, "wrong", "?", tablet=tablet, assumed=seq + 1))

    @rule(tablet=TABLETS, keys=st.sets(KEYS, max_size=3))
    def truncate_a_tablet(self, tablet, keys):
        """And perhaps write to it in the same transaction."""
        fresh = [insert(key, "fresh", tablet=tablet, assumed=None) for key in sorted(keys)]
        seq = commit(self.engine, truncate(tablet=tablet), *fresh)
        self.rows[tablet] = dict.fromkeys(keys, (seq, "fresh"))

    @rule(tablet=TABLETS)
    def flush_a_tablet(self, tablet):
        flush(Host(self.engine), self.tablets[tablet])

    @rule()
    def flush_both_together(self):
        answers = flush_together(Host(self.engine), list(self.tablets.values()))
        assert not any(isinstance(answer, KalamError) for answer in answers)

    @rule(
        tablet=TABLETS,
        start=st.integers(0, 3),
        length=st.integers(1, 4),
        expired=st.booleans(),
        point=st.sampled_from([None, *COMPACT_POINTS]),
    )
    def compact_a_tablet(self, tablet, start, length, expired, point):
        """Some runs that lie side by side; perhaps the process ends meanwhile."""
        before = self.engine.current.seq + 1 if expired else 0

        def choose(segments, _before):
            return [s for run in runs(segments)[start : start + length] for s in run]

        with failpoints.armed(point or "never", "crash"):
            try:
                (answer,) = compact_together(
                    Host(self.engine), [self.tablets[tablet]], choose, before
                )
            except failpoints.FailpointError:
                self.crash()
            else:
                assert not isinstance(answer, KalamError), answer

    @rule(
        tablet=TABLETS,
        keys=st.sets(KEYS, min_size=1, max_size=3),
        point=st.sampled_from([None, None, *LOAD_POINTS]),
        named=st.booleans(),
        alone=st.booleans(),
    )
    def load_a_tablet(self, tablet, keys, point, named, alone):
        """Rows with free keys, or behind a TRUNCATE; the process may end, or the disk refuse the name."""
        keys = sorted(keys if alone else keys - self.rows[tablet].keys())
        if not keys:
            return
        seq = commit(self.engine)
        self.value += 1
        body, count = f"v{self.value}", len(keys)
        batch = to_batch([(key, body) for key in keys], LAYOUT, [seq] * count, [False] * count)
        load = Load(Host(self.engine), self.tablets[tablet], alone=alone)
        if not alone:
            flush(Host(self.engine), self.tablets[tablet])
        loaded = dict.fromkeys([(tablet, key) for key in keys], body)
        with failpoints.armed(point or "never", "crash"):
            try:
                if not self.load(load, batch, named=named or point is not None):
                    return
            except failpoints.FailpointError:
                if LOAD_POINTS.index(point) < LOADED_FROM or load.manifest is None:
                    # It had no number yet: what was committed noted an earlier load.
                    loaded, alone = {}, False
                self.replaced(tablet, loaded, seq, alone=alone)
                self.crash()
            else:
                self.replaced(tablet, loaded, seq, alone=alone)

    def replaced(self, tablet, loaded, seq, *, alone):
        if alone:
            self.rows[tablet] = {}
        self.applied(loaded, seq)

    def load(self, load, batch, *, named):
        """Whether it was committed: not if a segment has a key, be it of a deleted row."""
        load.write(encode_distinct([batch], LAYOUT))
        there = () if load.alone else load.tablet.manifest.segments
        if is_taken(self.engine.fs, load.id, LAYOUT, load.segments, there):
            load.discard()
            return False
        rows = {} if load.alone else self.rows[load.id]
        seen = scan(load.reading(LAYOUT), self.engine.current)
        assert seen.keys() == rows.keys() | {row[0] for row in to_rows(batch, LAYOUT)}
        load.enter()
        emptied = [truncate(tablet=load.id)] if load.alone else []
        one = write_set(*emptied, sync=True, system=[(load_key(load.id), None)])
        one.loads = [load]
        one.validate = lambda seq: setattr(one, "system", load.number(self.engine, seq))
        self.engine.publish(self.engine.write_group([one]))
        assert one.error is None
        if named:
            load.link()
        else:
            with failpoints.armed("publish.names_durable", "eio"), pytest.raises(KalamError):
                load.link()
        return True

    @rule(tablet=TABLETS)
    def collect_a_tablet(self, tablet):
        collect(Host(self.engine), tablet, self.tablets[tablet].directory)

    @rule(tablet=TABLETS)
    def trim_a_tablet(self, tablet):
        trim(Host(self.engine), tablet, self.tablets[tablet].schema, retained_from=2**63)

    @precondition(lambda self: len(self.kept) < 3)
    @rule()
    def hold_a_view(self):
        shown = {tablet: dict(rows) for tablet, rows in self.rows.items()}
        self.kept.append((self.engine.acquire(), shown))

    @precondition(lambda self: self.kept)
    @rule(at=st.integers(0, 2))
    def look_at_a_held_view_and_release_it(self, at):
        view, shown = self.kept.pop(at % len(self.kept))
        self.compare(view, shown)
        view.release()

    @rule()
    def restart(self):
        self.release_all()
        self.engine.close()
        self.open()

    @rule()
    def crash(self):
        """kill -9: what the files hold is what the next process finds."""
        self.release_all()
        before = self.path / str(self.lives)
        self.lives += 1
        crash_image(before, self.path / str(self.lives))
        self.engine.close()
        shutil.rmtree(before)
        self.open()

    @rule(tablet=TABLETS, point=st.sampled_from(FLUSH_POINTS), both=st.booleans())
    def crash_in_a_flush(self, tablet, point, both):
        tablets = list(self.tablets.values()) if both else [self.tablets[tablet]]
        with failpoints.armed(point, "crash", at=len(tablets) if "ed" in point else 1):
            try:
                flush_together(Host(self.engine), tablets)
            except failpoints.FailpointError:
                self.crash()

    @rule(
        keys=st.dictionaries(st.tuples(TABLETS, KEYS), st.booleans(), min_size=1, max_size=3),
        point=st.sampled_from(COMMIT_POINTS),
    )
    def crash_in_a_commit(self, keys, point):
        one, changes = self.transaction(keys, sync=True)
        with failpoints.armed(point, "crash"):
            try:
                self.engine.publish(self.engine.write_group([one]))
            except failpoints.FailpointError:
                # Nobody was told: all of it or nothing is there, and the batch decides.
                if point != "commit.before_batch":
                    self.applied(changes, one.seq)
                self.crash()
            else:
                self.applied(changes, one.seq)

    @invariant()
    def everything_is_as_in_the_model(self):
        if hasattr(self, "engine"):
            self.compare(self.engine.current, self.rows)

    def compare(self, view, shown):
        for tablet_id, rows in shown.items():
            tablet = self.tablets[tablet_id]
            assert scan(tablet, view) == rows
            for key in range(6):
                found = tablet.get(view, key_of(key))
                if isinstance(found, ColdNeeded):
                    found = tablet.get_cold(view, key_of(key))
                if found is not None and found.op is Op.DELETE:
                    found = None
                assert (None if found is None else (found.seq, found.row[1])) == rows.get(key)
            together = tablet.get_all_cold(view, [key_of(key) for key in range(6)])
            for key, found in enumerate(together):
                assert (None if found is None else (found.seq, found.row[1])) == rows.get(key)


def scan(tablet, view):
    """{key: (seq, body)} of a whole tablet, as an engine would read it."""
    found = tablet.scan(view)
    if found is None:
        tablet.install(tablet.load(view))
        found = tablet.scan(view)
    tables = [batch for _, batch in found.batches]
    cold = [SegmentReader(tablet._fs, s, TabletId(*tablet.id)).read() for s in found.segments]
    if cold:
        tables.append(merge_segments(cold, ["c1"], found.superseded))
    rows = {}
    for table in tables:
        seqs = table.column("_seq").to_pylist()
        for (key, body), seq in zip(to_rows(table, LAYOUT), seqs, strict=True):
            assert key not in rows
            rows[key] = (seq, body)
    assert tablet.count(view) == len(rows)
    live = tablet.live_rows(view, 100)
    if live is not None:
        assert {key: (seq, body) for (key, body), seq in live.whole(2)} == rows
    assert (live is not None) or found.segments
    return rows


EngineModel.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
test_the_engine_is_a_dict_with_a_history = pytest.mark.slow(EngineModel.TestCase)


def test_the_feed_has_every_change_with_what_it_replaced(tmp_path):
    engine = open_engine(tmp_path)
    first = commit(engine, insert(1, "a"))
    commit(engine, update(1, "b", "a"))
    commit(engine, delete(1, "b"))
    feed = [decode_entry(data) for _, _, data in engine.current.log(TABLET, first)]
    assert [(entry.op, entry.old) for entry in feed] == [
        (Op.UPDATE, (1, "a")),
        (Op.DELETE, (1, "b")),
    ]
    engine.close()


def test_a_refused_flush_leaves_the_log_as_it_was(tmp_path):
    engine = open_engine(tmp_path, tablet_factory=None)
    tablet = engine.tablet(TABLET, LAYOUT)
    commit(engine, insert(1, "a"))
    with failpoints.armed("flush.file_written", "enospc"), pytest.raises(KalamError):
        flush(Host(engine), tablet)
    assert {key: body for key, (_, body) in scan(tablet, engine.current).items()} == {1: "a"}
    assert flush(Host(engine), tablet).rows == 1
    engine.close()


def loaded(engine, tablet, key, body):
    """Load one row; the `_seq` that it has."""
    seq = commit(engine)
    load = Load(Host(engine), tablet)
    load.write(encode_distinct([to_batch([(key, body)], LAYOUT, [seq], [False])], LAYOUT))
    flush(Host(engine), tablet)
    assert not is_taken(engine.fs, load.id, LAYOUT, load.segments, tablet.manifest.segments)
    load.enter()
    one = write_set(sync=True, system=[(load_key(load.id), None)])
    one.loads = [load]
    one.validate = lambda number: setattr(one, "system", load.number(engine, number))
    engine.publish(engine.write_group([one]))
    assert one.error is None
    load.link()
    return seq


@pytest.mark.parametrize("gone", ["truncated", "deleted, and no segment knows of it"])
def test_a_key_of_which_the_log_has_older_versions_is_loaded_again(tmp_path, gone):
    engine = open_engine(tmp_path, tablet_factory=None)
    tablet = engine.tablet(TABLET, LAYOUT)
    commit(engine, insert(1, "a"), insert(2, "b"))
    scan(tablet, engine.current)  # Its tail is in memory from here on.
    if gone == "truncated":
        commit(engine, truncate())
    else:
        commit(engine, delete(1, "a"))
        flush(Host(engine), tablet)
        compact_together(Host(engine), [tablet], lambda found, _before: found, 2**62)
    seq = loaded(engine, tablet, 1, "again")
    found = tablet.get(engine.current, key_of(1))
    if isinstance(found, ColdNeeded):
        found = tablet.get_cold(engine.current, key_of(1))
    assert (found.seq, found.row) == (seq, (1, "again"))
    commit(engine, update(1, "edited", "again", assumed=seq))
    assert scan(tablet, engine.current)[1][1] == "edited"
    with pytest.raises(SerializationError):
        commit(engine, update(1, "late", "again", assumed=seq))
    engine.close()
