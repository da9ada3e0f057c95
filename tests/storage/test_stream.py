"""A STREAM table's tablet is a tablet that forgets, and knows what it has forgotten."""

import gc
import weakref
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from storage.arrow import to_rows
from storage.layout import Column, Layout
from storage.log.log_entry import Op
from storage.stream import END, EVICTED_AT_ONCE, HISTORY_MIN, StreamLimits, StreamTablet
from storage.streams import StreamRegistry
from tests.storage.engine_fixtures import (
    LAYOUT,
    OTHER,
    TABLET,
    ManualClock,
    commit,
    delete,
    insert,
    key_of,
    open_engine,
    truncate,
    update,
)

FOREVER = StreamLimits(LAYOUT, 0, 0)
ALL = 2**62


class View:
    """As much of a view as a stream looks at."""

    def __init__(self, seq):
        self.seq = seq


class Timed:
    """A stream whose time is told, with one commit for each call of `put`."""

    def __init__(self, *, ttl_us=0, max_buffer=0):
        self.now_us = 1000
        self.seq = 0
        limits = StreamLimits(LAYOUT, ttl_us, max_buffer)
        self.stream = StreamTablet(TABLET, limits, lambda: self.now_us)

    def put(self, *writes):
        self.seq += 1
        self.stream.append(self.seq, writes, self.now_us)
        return self.seq

    def shown(self, seq=ALL):
        return [version.row for version in self.stream.newest(View(seq))]


def test_rows_are_shown_newest_first_and_found_by_key():
    timed = Timed()
    timed.put(insert(1, "a"), insert(2, "b"))
    timed.put(update(1, "c", "a"))
    timed.put(delete(2, "b"))
    timed.put(insert(3, "d"))
    assert timed.shown() == [(3, "d"), (1, "c")]
    assert timed.stream.get(View(9), key_of(1)).row == (1, "c")
    assert timed.stream.get(View(9), key_of(2)) is None
    assert timed.stream.get(View(9), key_of(7)) is None
    assert next(timed.stream.newest(View(9), [(1, "d")])).row == (3, "d")


def test_an_old_view_sees_what_was_there_then():
    timed = Timed()
    first = timed.put(insert(1, "a"))
    timed.put(update(1, "b", "a"), insert(2, "c"))
    assert timed.shown(first) == [(1, "a")]
    assert timed.stream.get(View(first), key_of(1)).row == (1, "a")
    assert timed.stream.get(View(first), key_of(2)) is None


def test_a_row_is_seen_no_more_when_its_time_is_over_and_then_goes():
    timed = Timed(ttl_us=100)
    timed.put(insert(1, "a"))
    timed.now_us += 60
    timed.put(insert(2, "b"))
    timed.now_us += 40
    assert timed.shown() == [(2, "b")]
    assert timed.stream.get(View(9), key_of(1)) is None
    assert len(timed.stream) == 2
    assert timed.stream.evict(timed.now_us) is False
    assert len(timed.stream) == 1


def test_a_changed_row_lives_from_its_last_change():
    timed = Timed(ttl_us=100)
    timed.put(insert(1, "a"))
    timed.now_us += 60
    timed.put(update(1, "b", "a"))
    timed.now_us += 60
    timed.stream.evict(timed.now_us)
    assert timed.shown() == [(1, "b")]


def test_a_clock_that_steps_back_keeps_rows_no_longer():
    timed = Timed(ttl_us=100)
    timed.put(insert(1, "a"))
    timed.now_us -= 500
    timed.put(insert(2, "b"))
    timed.now_us += 600
    assert timed.shown() == []
    timed.stream.evict(timed.now_us)
    assert len(timed.stream) == 0


def test_a_full_buffer_drops_the_row_that_was_changed_longest_ago():
    timed = Timed(max_buffer=2)
    timed.put(insert(1, "a"), insert(2, "b"), insert(3, "c"))
    assert timed.shown() == [(3, "c"), (2, "b")]
    assert timed.stream.get(View(9), key_of(1)) is None
    timed.put(update(2, "B", "b"))
    timed.put(insert(4, "d"))
    assert timed.shown() == [(4, "d"), (2, "B")]


def test_rows_count_however_often_they_change():
    """Those present tell so again and again, and nobody of them is pushed out by that."""
    timed = Timed(max_buffer=3)
    timed.put(insert(1, "quiet"))
    timed.put(insert(2, ""))
    for beat in range(10 * HISTORY_MIN):
        timed.put(update(2, str(beat), ""))
    assert timed.shown() == [(2, str(beat)), (1, "quiet")]
    assert len(timed.stream) <= 2 * HISTORY_MIN + 3


def test_much_that_is_too_old_goes_piece_by_piece():
    timed = Timed(ttl_us=10)
    timed.put(*[insert(number) for number in range(EVICTED_AT_ONCE + 5)])
    timed.now_us += 10
    assert timed.shown() == []
    assert timed.stream.evict(timed.now_us) is True
    assert len(timed.stream) == 5
    assert timed.stream.evict(timed.now_us) is False
    assert len(timed.stream) == 0


def test_who_reads_while_rows_go_reads_no_row_twice_and_none_that_is_not_there():
    timed = Timed(max_buffer=5000)
    for number in range(5000):
        timed.put(insert(number))
    reader = timed.stream.newest(View(timed.seq))
    read = [next(reader).row[0] for _ in range(10)]
    for number in range(5000, 8000):
        timed.put(insert(number))
    read += [version.row[0] for version in reader]
    assert read == list(range(4999, 2999, -1))


def test_a_scan_is_shaped_as_a_tablets():
    timed = Timed()
    seq = timed.put(insert(1, "a"), insert(2, "b"))
    scan = timed.stream.scan(View(seq))
    ((number, batch),) = scan.batches
    assert number < 0
    assert batch.column("_seq").to_pylist() == [seq, seq]
    assert batch.column("_deleted").to_pylist() == [False, False]
    assert (scan.segments, scan.superseded, scan.overlapping, scan.rows) == ((), None, False, 2)
    assert timed.stream.scan(View(0)).batches == ()
    stats = timed.stream.stats(View(seq))
    assert stats.hot_rows == 2
    assert stats.hot_bytes > 0


def test_columns_of_a_lasting_tablet_are_kept_as_long_as_rows_only_come():
    seq, stream = 0, StreamTablet(TABLET, replace(FOREVER, lasting=True), lambda: 1)

    def scanned(*writes):
        nonlocal seq
        seq += 1
        stream.append(seq, writes, 1)
        scan = stream.scan(View(seq))
        rows = [tuple(row.values())[:2] for _, b in scan.batches for row in b.to_pylist()]
        assert (rows, len(rows)) == ([v.row for v in stream.newest(View(seq))][::-1], scan.rows)
        return [number for number, _ in scan.batches]

    first = scanned(insert(1, "a"), insert(2, "b"))
    assert scanned() == first
    assert scanned(insert(3, "c"))[:1] == first
    for at in range(4, 40):
        scanned(insert(at, "d"))
    size = stream.size
    assert len(scanned(update(1, "e", "a"))) == len(scanned(delete(2, "b"))) == 1
    for _ in range(500):
        scanned(update(1, "f", "e"))
    assert len(stream) < 3 * 64  # Nobody asks for what was.
    assert stream.size < 5 * size
    assert scanned(truncate()) == []
    assert scanned(insert(1, "a")) != first


def test_rows_follow_a_new_column():
    timed = Timed()
    timed.put(insert(1, "a"))
    timed.put(update(1, "b", "a"))
    wider = Layout(2, (*LAYOUT.columns, Column(3, "mood", "text", pa.string(), "calm")), (0,))
    timed.stream.configure(StreamLimits(wider, 0, 0))
    assert timed.shown() == [(1, "b", "calm")]
    assert timed.stream.after((1, END), ALL, 9)[0].old == (1, "a", "calm")


class AnyLife(RuleBasedStateMachine):
    """Any changes at any times, against a list of all of them."""

    @initialize(max_buffer=st.integers(0, 5))
    def begin(self, max_buffer):
        self.timed = Timed(ttl_us=100, max_buffer=max_buffer)
        self.max_buffer = max_buffer
        self.history = []  # (place, at_us, write), nothing forgotten
        self.rows = {}  # key to (at_us, row), least recently changed first

    @rule(
        writes=st.lists(
            st.tuples(st.integers(0, 9), st.sampled_from([Op.INSERT, Op.UPDATE, Op.DELETE])),
            min_size=1,
            max_size=4,
        )
    )
    def put(self, writes):
        made = []
        for number, op in writes:
            body = f"v{len(self.history) + len(made)}"
            made.append(delete(number, body) if op is Op.DELETE else update(number, body, ""))
        self.note(made)

    @rule()
    def truncate(self):
        self.note([truncate()])

    def note(self, writes):
        timed = self.timed
        seq = timed.put(*writes)
        for n, write in enumerate(writes):
            self.history.append(((seq, n), timed.now_us, write))
            if write.op is Op.TRUNCATE:
                self.rows.clear()
                continue
            self.rows.pop(write.key, None)
            if write.op is not Op.DELETE:
                self.rows[write.key] = timed.now_us, write.row
        while self.max_buffer and len(self.rows) > self.max_buffer:
            del self.rows[next(iter(self.rows))]

    @rule(passed_us=st.integers(0, 60), evict=st.booleans())
    def wait(self, passed_us, evict):
        timed = self.timed
        timed.now_us += passed_us
        for key in [k for k, (at, _) in self.rows.items() if at <= timed.now_us - 100]:
            del self.rows[key]
        if evict:
            timed.stream.evict(timed.now_us)
            assert timed.stream.due_us > timed.now_us

    @invariant()
    def its_rows_are_those_that_live(self):
        alive = [row for _, row in self.rows.values()]
        assert self.timed.shown() == alive[::-1]
        batches = self.timed.stream.scan(View(ALL)).batches
        assert [row for _, batch in batches for row in to_rows(batch, LAYOUT)] == alive

    @invariant()
    def it_has_every_change_that_it_has_not_forgotten(self):
        stream = self.timed.stream
        assert stream.size == sum(change.size for change in stream._kept())
        behind = [(place, w.row) for place, _, w in self.history if place > stream.forgotten]
        found = stream.after(stream.forgotten, ALL, 10**6)
        assert [((change.seq, change.n), change.row) for change in found] == behind
        assert stream.count_after(stream.forgotten, ALL) == len(behind)
        for place, _ in behind[:3]:
            assert stream.count_after(place, place[0]) == len(
                [other for other, _ in behind if place < other <= (place[0], END)]
            )
        part = stream.after(stream.forgotten, ALL, 2)
        assert part == found[: len(part)]
        if len(part) < len(found) and found[len(part)].seq == part[-1].seq:
            assert len(part) == 2  # The rest of that commit is more than is read at a time.
            assert len([change for change in found if change.seq == part[-1].seq]) > 2
        assert len(part) <= 4


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


# ------------------------------------------------------------------ all of them


class Registry:
    """A registry whose time is told."""

    def __init__(self, ttl_us=100):
        self.clock = ManualClock(1000)
        self.streams = StreamRegistry(self.clock.now_us, 50)
        self.limits = StreamLimits(LAYOUT, ttl_us, 0)
        self.seq = 50

    def put(self, *writes):
        self.seq += 1
        for write in writes:
            self.streams.tablet(write.tablet, self.limits)
        assert self.streams.append(self.seq, writes, self.clock.us) == []
        return self.seq

    def pass_time(self, us):
        self.clock.us += us
        while self.streams.evict():
            pass


def tablet(user):
    return TABLET._replace(user=user)


def test_what_is_too_old_goes_without_anybody_touching_it_and_an_empty_tablet_takes_nothing():
    registry = Registry()
    for user in range(600):
        registry.put(insert(1, tablet=tablet(user)))
    registry.pass_time(99)
    assert len(registry.streams) == 600
    found = weakref.ref(registry.streams.find(tablet(7)))
    registry.put(insert(2, tablet=tablet(8)))
    registry.pass_time(1)
    assert len(registry.streams) == 1
    gc.collect()
    assert found() is None
    registry.pass_time(99)
    assert (len(registry.streams), registry.streams._due) == (0, [])


def test_a_look_at_the_time_costs_what_is_due():
    registry = Registry(ttl_us=1000)
    for user in range(100):
        registry.put(insert(1, tablet=tablet(user)))
        registry.clock.us += 1
    asked = []
    evict = StreamTablet.evict
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            StreamTablet, "evict", lambda s, now: asked.append(s.id.user) or evict(s, now)
        )
        registry.pass_time(900)
        assert asked == [0]
        registry.pass_time(2)
        assert asked == [0, 1, 2]


def test_new_limits_hold_for_rows_that_are_there():
    registry = Registry()
    registry.put(insert(1))
    registry.limits = StreamLimits(LAYOUT, 1000, 0)
    registry.put(insert(1, tablet=OTHER))
    registry.pass_time(500)
    assert len(registry.streams) == 2
    registry.limits = StreamLimits(LAYOUT, 600, 0)
    found = registry.streams.tablet(TABLET, registry.limits)
    registry.clock.us += 100
    assert list(found.newest(View(ALL))) == []


def test_who_follows_an_emptied_tablet_is_known_to_have_all_of_it(monkeypatch):
    monkeypatch.setattr("storage.streams.EMPTIED_MAX", 10)
    registry = Registry()
    assert registry.streams.forgotten(TABLET) == (50, END)
    seq = registry.put(insert(1))
    registry.put(insert(1, tablet=OTHER))
    registry.pass_time(100)
    gc.collect()
    assert len(registry.streams) == 0
    assert registry.streams.forgotten(TABLET) == (seq, 0)
    for user in range(100, 110):
        registry.put(insert(1, tablet=tablet(user)))
    last = registry.seq
    registry.pass_time(100)
    gc.collect()
    assert registry.streams.forgotten(TABLET) >= (seq, 0)
    assert registry.streams.forgotten(tablet(109)) == (last, 0)
    assert len(registry.streams._emptied) == 10


@pytest.fixture
def engine(tmp_path):
    opened = open_engine(tmp_path / "data")
    yield opened
    opened.close()


def test_a_streams_rows_appear_with_the_transactions_others(engine):
    stream = engine.streams.tablet(TABLET, FOREVER)
    seq = commit(engine, insert(1, "kept", tablet=OTHER), streams=[insert(1, "typing")])
    assert stream.get(engine.current, key_of(1)).seq == seq
    assert engine.current.log_length(TABLET) == 0
    assert engine.current.log_length(OTHER) == 1


def test_a_stream_that_nobody_holds_keeps_its_rows(engine):
    engine.streams.tablet(TABLET, FOREVER)
    commit(engine, streams=[insert(1, "a")])
    found = engine.streams.tablet(TABLET, FOREVER)
    assert found.get(engine.current, key_of(1)).row == (1, "a")
    assert len(engine.streams) == 1


def test_a_dropped_tables_streams_are_gone(engine):
    engine.streams.tablet(TABLET, FOREVER)
    commit(engine, streams=[insert(1, "a")])
    engine.forget_table(TABLET.table)
    assert len(engine.streams) == 0
    commit(engine, streams=[insert(2, "b")])
    assert len(engine.streams) == 0
    assert engine.streams.evict() is False


def test_rows_live_by_the_engines_clock(tmp_path):
    clock = ManualClock()
    with_clock = open_engine(tmp_path / "data", clock=clock)
    stream = with_clock.streams.tablet(TABLET, StreamLimits(LAYOUT, 1_000_000, 0))
    commit(with_clock, streams=[insert(1, "a")])
    assert stream.get(with_clock.current, key_of(1)) is not None
    clock.us += 1_000_000
    assert stream.get(with_clock.current, key_of(1)) is None
    with_clock.streams.evict()
    assert len(with_clock.streams) == 0
    with_clock.close()


def test_a_place_from_before_a_restart_is_forgotten_though_the_log_knows_of_none(tmp_path):
    engine = open_engine(tmp_path)
    commit(engine, insert(1, tablet=OTHER))
    seq = commit(engine, streams=[insert(1)])
    engine.close()
    again = open_engine(tmp_path)
    assert again.current.seq < seq
    assert (seq, END) <= again.streams.forgotten(TABLET) < (commit(again, streams=[insert(1)]), 0)
    again.close()


def texts(registry, user, place=(0, END)):
    """What a tablet still has of its changes."""
    return [
        change.row[1] for change in registry.streams.find(tablet(user)).after(place, ALL, 10**6)
    ]


def test_beyond_the_bytes_of_all_the_oldest_changes_of_the_largest_tablet_go():
    registry = Registry(ttl_us=10**9)
    streams, asked = registry.streams, []
    streams.on_excess = lambda: asked.append(1)
    for user in range(20):
        registry.put(insert(1, "quiet", tablet=tablet(user)))
    streams.bytes_max = streams.size + 50_000
    for number in range(300):
        registry.put(insert(number, f"{number}" + "x" * 1000, tablet=tablet(99)))
    assert asked
    while streams.relieve():
        pass
    assert streams.bytes_max - 2000 < streams.size <= streams.bytes_max
    assert streams.size == sum(t.size for t in streams._filled.values())
    assert all(texts(registry, user) == ["quiet"] for user in range(20))
    left = texts(registry, 99)
    assert left[-1].startswith("299x")
    assert 30 < len(left) < 60
    forgotten = streams.forgotten(tablet(99))
    assert len(texts(registry, 99, forgotten)) == len(left)  # All that it does not admit.
    streams.bytes_max = 1
    while streams.relieve():
        pass
    assert streams.size == 0
    assert streams._by_size == {}
    registry.put(insert(1, "again", tablet=tablet(7)))
    registry.pass_time(10**9)
    assert (len(streams), streams._due, streams.size) == (0, [], 0)


@pytest.mark.parametrize("how", ["truncated", "dropped"])
def test_what_goes_as_a_whole_is_freed_in_parts_and_not_under_a_reader(how, monkeypatch):
    monkeypatch.setattr("storage.streams.FREED_AT_ONCE", 500)
    registry = Registry(ttl_us=10**9)
    streams, count = registry.streams, HISTORY_MIN + 2000
    registry.put(*[insert(number, "x") for number in range(count)])
    reader = streams.find(TABLET).newest(View(ALL))
    assert next(reader).row[0] == count - 1
    if how == "truncated":
        registry.put(truncate())
    else:
        streams.forget_table(TABLET.table)
    assert not streams.relieve()  # It is being read.
    assert sum(1 for _ in reader) == count - 1
    del reader
    parts = 0
    while streams.relieve():
        parts += 1
    assert parts >= count / 500
    assert streams._discarded == []
