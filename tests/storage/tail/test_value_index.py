"""A tail's indexes, held against the live rows of every view, filtered and sorted."""

import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from storage.layout import Column, Layout
from storage.log.log_entry import Op
from storage.tail.indexes import Indexes
from storage.tail.tail import Sizes, Tail
from storage.tail.value_index import Range

LAYOUT = Layout(
    1,
    (
        Column(1, "id", "int", pa.int64()),
        Column(2, "room", "text", pa.string()),
        Column(3, "at", "int", pa.timestamp("us")),
    ),
    (0,),
)
ROOM, AT = 1, 2

SIZES = st.builds(
    Sizes,
    st.sampled_from([1, 3, 50]),
    st.sampled_from([4, 50]),
    st.integers(1, 4),
    st.just(2),
    st.sampled_from([2, 5, 100]),
    sparse=st.sampled_from([0, 16384]),
)
CHANGE = st.tuples(
    st.integers(0, 8),
    st.none() | st.tuples(st.sampled_from("aab") | st.none(), st.integers(0, 4)),
)
COMMIT = st.lists(CHANGE, min_size=1, max_size=4, unique_by=lambda change: change[0])


def rows_at(tail, ordinals):
    found = tail.rows_at(ordinals, (0, 1, 2))
    part = tail.rows_at(ordinals, (2, 0))
    assert part == [(seq, (row[2], row[0])) for seq, row in found]
    return found


class AnyHistory(RuleBasedStateMachine):
    """Commits, flushed tails and reads of old and new views in any order."""

    @initialize(sizes=SIZES, base=st.integers(0, 3))
    def start(self, sizes, base):
        self.seq = self.base = base
        self.tail = Tail(LAYOUT, base, sizes)
        self.states = {base: {}}

    @rule(commit=COMMIT)
    def commit(self, commit):
        state = dict(self.states[self.seq])
        self.seq += 1
        for number, change in commit:
            old = state.get(number)
            if change is None and old is None:
                continue
            row = old[2] if change is None else (number, *change)
            op = Op.DELETE if change is None else Op.UPDATE if old else Op.INSERT
            self.tail.append(self.seq, b"%d" % number, row, op, old and old[2])
            # Among equal keys the order is that of writing, which the place tells.
            state[number] = (self.seq, len(self.states) * 100 + commit.index((number, change)), row)
            if change is None:
                del state[number]
        self.states[self.seq] = state

    @rule(data=st.data())
    def flush(self, data):
        self.base = data.draw(st.integers(self.base, self.seq))
        self.tail.drop_through(self.base)

    @precondition(lambda self: self.seq > self.base)
    @rule(
        data=st.data(),
        room=st.sampled_from("ab?"),
        by=st.sampled_from([None, AT]),
        wanted=st.integers(0, 5) | st.just(100),
        low=st.none() | st.integers(0, 4),
        high=st.none() | st.integers(0, 5),
        descending=st.booleans(),
    )
    def read(self, data, room, by, wanted, low, high, descending):
        index = self.tail.index(ROOM, by)
        if index is None:
            return
        newest = data.draw(st.booleans())
        upto = self.seq if newest else data.draw(st.integers(self.base, self.seq))
        after = self.base if newest else data.draw(st.integers(self.base, upto))
        if by is None:
            low = high = None
        live = [
            (row[AT] if by is not None else 0, place, seq, row)
            for seq, place, row in self.states[upto].values()
            if seq > after and row[ROOM] == room
        ]
        live.sort(reverse=descending)
        expected = [
            (seq, row)
            for key, _, seq, row in live
            if (low is None or key >= low) and (high is None or key < high)
        ]
        found = index.find(room, Range(wanted, low, high, descending), self.tail.cut(after, upto))
        assert rows_at(self.tail, found) == expected[:wanted]
        assert index.count(room) >= len(found)

    @rule(by=st.sampled_from([None, AT]))
    def ready(self, by):
        for _ in range(200):
            if self.tail.index(ROOM, by) is not None:
                return
        raise AssertionError("an index is never ready")


AnyHistory.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestAnyHistory = AnyHistory.TestCase


def fill(tail, count, room=lambda number: "a", at=lambda number: number):
    for number in range(count):
        row = (number, room(number), at(number))
        tail.append(number + 1, b"%d" % number, row, Op.INSERT, None)


def test_a_row_that_is_changed_again_and_again_is_not_passed_again_and_again():
    tail = Tail(LAYOUT, 0)
    fill(tail, 1)
    index = tail.index(ROOM, AT)
    for seq in range(2, 1002):
        tail.append(seq, b"0", (0, "a", 0), Op.UPDATE, (0, "a", 0))
    assert index.count("a") == 1001
    assert rows_at(tail, index.find("a", Range(5), tail.cut(0, 1001))) == [(1001, (0, "a", 0))]
    assert index.count("a") == 1
    for upto in (1, 500, 1000):  # Old views find what the read of the new one passed.
        found = rows_at(tail, index.find("a", Range(5), tail.cut(0, upto)))
        assert found == [(upto, (0, "a", 0))]


def test_no_index_is_made_in_the_order_of_a_column_that_has_a_null_nor_of_text():
    tail = Tail(LAYOUT, 0)
    fill(tail, 5, at=lambda number: None if number == 3 else number)
    assert tail.index(ROOM, AT) is None
    assert tail.index(ROOM, ROOM) is None
    assert tail.index(ROOM, None) is not None
    tail = Tail(LAYOUT, 0)
    fill(tail, 5)
    assert tail.index(ROOM, AT) is not None
    tail.append(6, b"6", (6, "a", None), Op.INSERT, None)
    assert tail.index(ROOM, AT) is None


def test_an_index_counts_in_the_tails_size():
    tail = Tail(LAYOUT, 0)
    fill(tail, 3000, room=str)
    before = tail.size_bytes
    assert tail.index(ROOM, AT) is not None
    assert tail.size_bytes > before + 3000 * 100


def test_an_index_that_takes_too_much_is_let_go_of_and_not_made_again():
    tail = Tail(LAYOUT, 0)
    fill(tail, 5000, room=lambda number: f"{number:500}")
    indexes = Indexes(LAYOUT, tail._columns, tail._read, 2000, 1 << 60)
    assert indexes.find(ROOM, None, 0, 5000, 500_000) is None
    assert indexes.size_bytes
    assert indexes.find(ROOM, None, 0, 5000, 500_000) is None
    assert not indexes.size_bytes
    assert indexes.find(ROOM, None, 0, 5000, 1 << 30) is None
    assert not indexes.size_bytes
