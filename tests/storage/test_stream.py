"""A STREAM table's tablet is a tablet that forgets."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.arrow import to_rows
from storage.layout import Column, Layout
from storage.log.log_entry import Op
from storage.stream import StreamTablet
from tests.storage.engine_fixtures import (
    LAYOUT,
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


class View:
    """As much of a view as a stream looks at."""

    def __init__(self, seq):
        self.seq = seq


class Timed:
    """A stream whose time is told, with one commit for each call of `put`."""

    def __init__(self, *, ttl_us=0, max_buffer=0):
        self.now_us = 1000
        self.seq = 0
        self.stream = StreamTablet(TABLET, LAYOUT, ttl_us, max_buffer, lambda: self.now_us)

    def put(self, *writes):
        self.seq += 1
        self.stream.append(self.seq, writes, self.now_us)
        return self.seq

    def shown(self, seq=2**62):
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
    assert timed.stream.evict(timed.now_us) == 1
    assert len(timed.stream) == 1
    assert timed.stream.evicted == 1


def test_a_clock_that_steps_back_keeps_rows_no_longer():
    timed = Timed(ttl_us=100)
    timed.put(insert(1, "a"))
    timed.now_us -= 500
    timed.put(insert(2, "b"))
    timed.now_us += 600
    assert timed.shown() == []
    assert timed.stream.evict(timed.now_us) == 2


def test_a_full_buffer_drops_the_oldest():
    timed = Timed(max_buffer=2)
    timed.put(insert(1, "a"), insert(2, "b"), insert(3, "c"))
    assert timed.shown() == [(3, "c"), (2, "b")]
    assert timed.stream.get(View(9), key_of(1)) is None


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(Op), st.integers(0, 40)), max_size=30),
    st.integers(0, 5),
)
def test_a_stream_is_the_end_of_its_history(steps, max_buffer):
    timed = Timed(ttl_us=100, max_buffer=max_buffer)
    history = []
    for number, op, passed_us in steps:
        timed.now_us += passed_us
        if op is Op.TRUNCATE:
            timed.put(truncate())
            history.clear()
        else:
            body = f"v{len(history)}"
            write = delete(number, body) if op is Op.DELETE else update(number, body, "")
            timed.put(write)
            history.append((timed.now_us, write))
    if max_buffer:
        history = history[-max_buffer:]
    alive, seen = [], set()
    for at_us, write in reversed(history):
        if at_us > timed.now_us - 100 and write.key not in seen:
            seen.add(write.key)
            if write.op is not Op.DELETE:
                alive.append(write.row)
    assert timed.shown() == alive
    batches = timed.stream.scan(View(2**62)).batches
    assert [row for _, batch in batches for row in to_rows(batch, LAYOUT)] == alive[::-1]


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
    assert timed.stream.stats(View(seq)).hot_rows == 2


def test_rows_follow_a_new_column():
    timed = Timed()
    timed.put(insert(1, "a"))
    wider = Layout(2, (*LAYOUT.columns, Column(3, "mood", "text", pa.string(), "calm")), (0,))
    timed.stream.configure(wider, 0, 0)
    assert timed.shown() == [(1, "a", "calm")]


# In the engine.


@pytest.fixture
def engine(tmp_path):
    opened = open_engine(tmp_path / "data")
    yield opened
    opened.close()


def test_a_streams_rows_appear_with_the_transactions_others(engine):
    stream = engine.stream(TABLET, LAYOUT, 0, 0)
    seq = commit(engine, insert(1, "kept", tablet=OTHER), streams=[insert(1, "typing")])
    assert stream.get(engine.current, key_of(1)).seq == seq
    assert engine.current.log_length(TABLET) == 0
    assert engine.current.log_length(OTHER) == 1


def test_a_stream_that_nobody_holds_keeps_its_rows(engine):
    engine.stream(TABLET, LAYOUT, 0, 0)
    commit(engine, streams=[insert(1, "a")])
    found = engine.stream(TABLET, LAYOUT, 0, 0)
    assert found.get(engine.current, key_of(1)).row == (1, "a")
    assert list(engine.open_streams()) == [found]


def test_an_empty_stream_is_let_go_of_and_comes_back(engine):
    engine.stream(TABLET, LAYOUT, 10, 0)
    commit(engine, streams=[insert(1, "a")])
    for stream in engine.open_streams():
        assert stream.evict(2**62) == 1
    del stream
    assert list(engine.open_streams()) == []
    commit(engine, streams=[insert(2, "b")])
    (stream,) = engine.open_streams()
    assert len(stream) == 1


def test_a_dropped_tables_streams_are_gone(engine):
    engine.stream(TABLET, LAYOUT, 0, 0)
    commit(engine, streams=[insert(1, "a")])
    engine.forget_table(TABLET.table)
    assert list(engine.open_streams()) == []
    commit(engine, streams=[insert(2, "b")])
    assert list(engine.open_streams()) == []
