"""The Arrow cache of a tablet, held against a replay of the versions in order."""

from itertools import groupby

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import arrow
from storage.arrow import to_rows
from storage.ids import TabletId
from storage.layout import Column, Layout
from storage.log.log_entry import Op
from storage.log.writes import Write
from storage.tail import tail as tail_module
from storage.tail import versions as versions_module
from storage.tail.sizes import Sizes
from storage.tail.tail import Tail
from storage.tail.unknown import Unknown

LAYOUT = Layout(
    1, (Column(1, "id", "int", pa.int64()), Column(2, "body", "text", pa.string())), (0,)
)

# Commits, each of net changes: (key, None for a delete). What the key held decides the operation.
COMMITS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 6), st.none() | st.integers(5, 8)),
        max_size=3,
        unique_by=lambda c: c[0],
    ),
    max_size=25,
)


class Replay:
    """The same commits in a dict: state after each, and what each change replaced."""

    def __init__(self, commits):
        self.states = [{}]
        self.versions = []
        for seq, commit in enumerate(commits, 1):
            state = dict(self.states[-1])
            for key, value in commit:
                old = state.get(key)
                if value is None and old is None:
                    continue
                if value is None:
                    del state[key]
                else:
                    state[key] = (seq, (key, str(value)))
                self.versions.append((seq, key, value, old))
            self.states.append(state)

    def fill(self, tail, *, scan_every=0):
        above = [version for version in self.versions if version[0] > tail.base]
        for number, (seq, versions) in enumerate(groupby(above, lambda version: version[0])):
            writes = [self.write(*version[1:]) for version in versions]
            if len(writes) > 1:
                tail.extend(seq, writes)
            for write in writes if len(writes) == 1 else ():
                tail.append(seq, write.key, write.row, write.op, write.old)
            if scan_every and number % scan_every == 0:
                tail.live(tail.base, seq)

    @staticmethod
    def write(key, value, old):
        before = None if old is None else old[1]
        row = before if value is None else (key, str(value))
        op = Op.DELETE if value is None else Op.UPDATE if old else Op.INSERT
        return Write(TabletId(1, 1), op, b"%d" % key, row, before, 1)

    def hot(self, after, upto):
        return {key: v for key, v in self.states[upto].items() if v[0] > after}

    def superseded(self, after, upto):
        cold, now = self.states[after], self.states[upto]
        return sorted(key for key, version in cold.items() if now.get(key) != version)


def rows_of(batches):
    found = [row for _, batch in batches for row in to_rows(batch, LAYOUT)]
    seqs = [seq for _, batch in batches for seq in batch.column("_seq").to_pylist()]
    return {row[0]: (seq, row) for seq, row in zip(seqs, found, strict=True)}


# Small batches, so that sealing, merging and decoding in chunks all happen in small tests.
SIZES = st.builds(
    Sizes,
    st.sampled_from([1, 3, 50]),
    st.sampled_from([4, 50]),
    st.integers(1, 4),
    st.just(2),
    recent_bytes=st.sampled_from([0, 200, 1000, 1 << 24]),
)


@settings(max_examples=120, deadline=None)
@given(commits=COMMITS, sizes=SIZES, data=st.data())
def test_rows_that_are_asked_for_between_commits_are_those_of_the_moment(commits, sizes, data):
    replay = Replay(commits)
    tail = Tail(LAYOUT, 0, sizes)
    forgotten = 0
    for seq, versions in groupby(replay.versions, lambda version: version[0]):
        for write in [replay.write(*version[1:]) for version in versions]:
            tail.append(seq, write.key, write.row, write.op, write.old)
        if data.draw(st.integers(0, 4)) == 0:
            forgotten = data.draw(st.integers(forgotten, seq))
            tail.drop_through(forgotten)
        for _ in range(data.draw(st.integers(0, 3))):
            upto = data.draw(st.integers(forgotten, seq + 2))
            after = data.draw(st.integers(forgotten, min(upto, seq)))
            expected = replay.hot(after, min(upto, seq))
            live = tail.live_rows(after, upto, 100)
            assert {row[0]: (of, row) for row, of in live.whole(2)} == expected
            for at in range(2):
                assert sorted(live.column(at)) == sorted(row[at] for _, row in expected.values())


def test_few_rows_are_given_again_until_a_commit_changes_them():
    tail = Tail(LAYOUT, 0)
    for seq in (1, 2):
        tail.append(seq, b"%d" % seq, (seq, "row"), Op.INSERT, None)
    first = tail.live_rows(0, 2, 10)
    assert tail.live_rows(0, 7, 10) is first  # Others' commits are none of its.
    assert first.column(1) is first.column(1)
    assert tail.live_rows(0, 1, 10) is not first
    assert tail.live_rows(0, 2, 1) is None
    held = tail.size_bytes
    tail.append(8, b"1", (1, "other"), Op.UPDATE, (1, "row"))
    assert [row for row, _ in tail.live_rows(0, 8, 10).whole(2)] == [(2, "row"), (1, "other")]
    assert [row for row, _ in tail.live_rows(0, 7, 10).whole(2)] == [(1, "row"), (2, "row")]
    assert tail.size_bytes > held


@settings(max_examples=120, deadline=None)
@given(
    commits=COMMITS,
    sizes=SIZES,
    base=st.integers(0, 5),
    scan_every=st.integers(0, 4),
    data=st.data(),
)
def test_any_view_sees_exactly_the_newest_versions_up_to_it(commits, base, scan_every, data, sizes):
    replay = Replay(commits)
    base = min(base, len(commits))
    tail = Tail(LAYOUT, base, sizes)
    replay.fill(tail, scan_every=scan_every)
    for _ in range(4):
        upto = data.draw(st.integers(base, len(commits)))
        after = data.draw(st.integers(base, upto))
        expected = replay.hot(after, upto)
        whole = tail.live_rows(after, upto, 100)
        assert whole is not None
        rows = list(whole.whole(2))
        assert {row[0]: (seq, row) for row, seq in rows} == expected
        assert len(whole) == len(rows)
        assert [seq for _, seq in rows] == sorted(seq for _, seq in rows) == whole.seqs()
        assert list(whole.column(1)) == [row[1] for row, _ in rows]
        batches = tail.live(after, upto)
        assert sum(batch.num_rows for _, batch in batches) == len(expected)
        assert rows_of(batches) == expected
        newest = list(tail.newest(after, upto))
        assert [seq for seq, _ in newest] == sorted((s for s, _ in newest), reverse=True)
        assert {row[0]: (seq, row) for seq, row in newest} == expected
        equal = [(seq, row) for seq, row in newest if row[1] == "7"]
        assert list(tail.newest(after, upto, [(1, "7")])) == equal
        keys = tail.superseded(after, upto)
        assert sorted(keys.column(0).to_pylist() if keys else []) == replay.superseded(after, upto)
        asked = [b"%d" % key for key in range(7)]
        found = tail.get_all(asked, upto, after)
        assert found == [tail.get(key, upto, after) for key in asked]
        for key, version in enumerate(found):
            if not isinstance(version, Unknown):
                known = None if version is None else (version.seq, version.row)
                assert known == expected.get(key)


@settings(max_examples=80, deadline=None)
@given(commits=COMMITS, sizes=SIZES, data=st.data())
def test_what_a_flush_takes_is_the_newest_version_of_each_key_tombstones_too(commits, data, sizes):
    replay = Replay(commits)
    tail = Tail(LAYOUT, 0, sizes)
    replay.fill(tail, scan_every=2)
    upto = data.draw(st.integers(0, len(commits)))
    after = data.draw(st.integers(0, upto))
    expected = {}
    for seq, key, value, _ in replay.versions:
        if after < seq <= upto:
            expected[key] = (seq, value is None)
    taken = {}
    for batch in tail.frozen(after, upto).versions():
        for row, seq, gone in zip(
            to_rows(batch, LAYOUT),
            *(batch.column(n).to_pylist() for n in ("_seq", "_deleted")),
            strict=True,
        ):
            assert row[0] not in taken
            taken[row[0]] = (seq, gone)
    assert taken == expected


@settings(max_examples=80, deadline=None)
@given(commits=COMMITS, sizes=SIZES, data=st.data())
def test_dropping_what_is_in_cold_changes_nothing_above_it(commits, data, sizes):
    replay = Replay(commits)
    tail = Tail(LAYOUT, 0, sizes)
    replay.fill(tail, scan_every=3)
    base = data.draw(st.integers(0, len(commits)))
    upto = data.draw(st.integers(base, len(commits)))
    tail.drop_through(base)
    assert rows_of(tail.live(base, upto)) == replay.hot(base, upto)
    assert {row[0]: (seq, row) for seq, row in tail.newest(base, upto)} == replay.hot(base, upto)
    keys = tail.superseded(base, upto)
    assert sorted(keys.column(0).to_pylist() if keys else []) == replay.superseded(base, upto)


def fill(tail, values, start=1):
    for seq, value in enumerate(values, start):
        tail.append(seq, b"%d" % seq, (value, "x"), Op.INSERT, None)


def test_a_batch_keeps_its_id_until_it_changes_and_ids_never_return():
    tail = Tail(LAYOUT, 0)
    fill(tail, range(3000))
    first = tail.live(0, 3000)
    assert first == tail.live(0, 3000)
    assert first == tail.live(0, 10_000)
    fill(tail, [1], start=3001)
    second = tail.live(0, 3001)
    assert second[0] == first[0]
    tail.append(3002, b"5", (5, "new"), Op.UPDATE, (5, "x"))
    third = tail.live(0, 3002)
    assert third[0][0] not in {number for number, _ in first + second}
    assert sum(batch.num_rows for _, batch in third) == 3001


def test_small_batches_are_merged_so_that_their_number_stays_small():
    tail = Tail(LAYOUT, 0)
    for seq in range(1, 2001):
        fill(tail, [seq], start=seq)
        tail.live(0, seq)
    assert len(tail.live(0, 2000)) <= 11


def test_in_order_holds_until_a_late_value_comes():
    tail = Tail(LAYOUT, 0)
    assert tail.in_order(0)
    fill(tail, [1, 1, 5])
    assert tail.in_order(0)
    fill(tail, [6], start=4)
    assert tail.in_order(0)
    tail.append(5, b"5", (6, "x"), Op.DELETE, (6, "x"))
    assert tail.in_order(0)
    fill(tail, [5], start=6)
    assert not tail.in_order(0)
    fill(tail, [7], start=7)
    assert not tail.in_order(0)


def test_a_null_is_not_in_order():
    tail = Tail(LAYOUT, 0)
    fill(tail, [1, None, 2])
    assert not tail.in_order(0)


def test_its_size_grows_with_rows_and_falls_when_they_go():
    tail = Tail(LAYOUT, 0)
    fill(tail, range(5000))
    full = tail.size_bytes
    assert full > 5000 * 100
    tail.drop_through(5000)
    assert tail.size_bytes < full / 10


def test_rows_are_given_as_they_were_written_whatever_their_columns():
    kinds = [
        ("int", pa.int64()), ("int", pa.int32()), ("int", pa.int16()), ("float", pa.float64()),
        ("float", pa.float32()), ("bool", pa.bool_()), ("text", pa.string()), ("bytes", pa.binary()),
        ("int", pa.timestamp("us", tz="UTC")), ("int", pa.date32()), ("int", pa.time64("us")),
        ("numeric", pa.decimal128(9, 2)), ("none", pa.list_(pa.int32())),
    ]  # fmt: skip
    columns = [Column(1, "id", "int", pa.int64())]
    columns += [Column(at, f"c{at}", kind, arrow) for at, (kind, arrow) in enumerate(kinds, 2)]
    values = [-5, 7, 1, 2.5, 0.5, True, "ä", b"\0", 10**15, -3, 5, "1.50", (1, 2)]
    other = [0, 0, 0, 0.0, 0.0, False, "", b"", 0, 0, 0, "0.00", ()]
    written = [(0, *values), (1, *other), (2, *values)]
    written += [
        (3 + at, *(None if at == i else v for i, v in enumerate(values))) for at in range(13)
    ]
    tail = Tail(Layout(1, tuple(columns), (0,)), 0, Sizes(seal=5, batch=10, recent=1, decode=2))
    for number, row in enumerate(written):
        tail.append(number + 1, b"%d" % number, row, Op.INSERT, None)
    ordinals = [3, 15, 0, *range(16)]
    expected = [(at + 1, written[at]) for at in ordinals]
    assert tail.rows_at(ordinals, range(14)) == expected
    assert [row for _, row in tail.rows_at(ordinals, (5,))] == [(row[5],) for _, row in expected]


def test_batches_are_not_merged_beyond_a_number_of_bytes():
    tail = Tail(LAYOUT, 0, Sizes(seal=2, batch=1000, batch_bytes=2000))
    for number in range(40):
        tail.append(number + 1, b"%04d" % number, (number, "x" * 300), Op.INSERT, None)
    batches = [batch for _, batch in tail.live(0, 40)]
    assert [row for batch in batches for row in to_rows(batch, LAYOUT)] == [
        (number, "x" * 300) for number in range(40)
    ]
    assert max(batch.nbytes for batch in batches) < 2000


def test_large_rows_are_counted_and_few_of_them_kept_as_tuples():
    tail = Tail(LAYOUT, 0, Sizes(recent_bytes=50_000, seal_bytes=50_000))
    rows = [(number, f"{number}" + "x" * 10_000) for number in range(40)]
    for row in rows:
        tail.append(row[0] + 1, b"%d" % row[0], row, Op.INSERT, None)
        assert sum(len(kept[1]) for kept in tail._rows) <= 70_000
    assert tail.size_bytes > 40 * 10_000
    assert [row for _, row in tail.newest(0, 40)] == rows[::-1]
    assert [row for _, batch in tail.live(0, 40) for row in to_rows(batch, LAYOUT)] == rows
    tail.drop_through(40)
    assert tail.size_bytes < 100_000


def test_rows_of_too_many_bytes_are_not_given_as_rows(monkeypatch):
    tail = Tail(LAYOUT, 0, Sizes(seal=4))
    for number in range(20):
        tail.append(number + 1, b"%d" % number, (number, "x" * 1000), Op.INSERT, None)
    found = tail.live_rows(0, 20, 100)
    assert found is not None
    assert len(found) == 20
    monkeypatch.setattr("storage.tail.tail._LIVE_BYTES_MAX", 10_000)
    tail.append(21, b"20", (20, "x"), Op.INSERT, None)  # Else it would be given again.
    assert tail.live_rows(0, 21, 100) is None


def test_rows_larger_together_than_arrows_arrays_become_several_batches(monkeypatch):
    together = arrow.to_batch

    def small(rows, *others):
        if sum(len(body) for _, body in rows) > 10:
            raise TypeError("Cannot convert pyarrow.lib.ChunkedArray to pyarrow.lib.Array")
        return together(rows, *others)

    monkeypatch.setattr(arrow, "to_batch", small)
    rows = [(number, "x" * number) for number in range(9)]
    batches = list(arrow.to_batches(rows, LAYOUT, range(9), [False] * 9))
    assert [row for batch in batches for row in to_rows(batch, LAYOUT)] == rows
    assert len(batches) > 3


def test_two_views_that_are_prepared_in_turns_both_come_to_an_end(monkeypatch):
    monkeypatch.setattr(tail_module, "_CHANGES_AT_ONCE", 2)
    monkeypatch.setattr(versions_module, "_LARGE_BYTES", 0)
    replay = Replay([[(key, 5)] for key in range(6)] + [[(n % 6, 6)] for n in range(30)])
    tail = Tail(LAYOUT, base=0, sizes=Sizes(seal=4, batch=8))
    replay.fill(tail)
    views = [(6, 36), (9, 20)]
    turns = [tail.preparing(*view, cold=True) for view in views]
    for _ in range(100):
        turns = [turn for turn in turns if next(turn, "ended") != "ended"]
    assert turns == []
    for after, upto in views:
        keys = tail.superseded(after, upto)
        assert sorted(keys.column(0).to_pylist()) == replay.superseded(after, upto)
