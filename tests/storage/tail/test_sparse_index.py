"""An index of values that hardly repeat: small, exact whatever the hashes, and given up where it is none."""

import pytest

from storage.log.log_entry import Op
from storage.tail.sparse_index import MATCHES_MAX, RUN_MAX, SparseIndex
from storage.tail.tail import Sizes, Tail
from storage.tail.value_index import Cut, Range, ValueIndex
from tests.storage.tail.test_value_index import AT, LAYOUT, ROOM, fill, rows_at

EVERYTHING = Cut(0, 1 << 60, 1 << 60, {}, whole=True)


def indexed(tail, by=None):
    """The index of the rooms, once it is made."""
    for _ in range(1000):
        index = tail.index(ROOM, by)
        if index is not None:
            return index
    raise AssertionError("it is never ready")


@pytest.mark.parametrize(
    ("rooms", "kind"),
    [(lambda n: f"room {n}", SparseIndex), (lambda n: f"room {n % 100}", ValueIndex)],
)
def test_values_that_hardly_repeat_are_kept_another_way(rooms, kind):
    tail = Tail(LAYOUT, 0, Sizes(sparse=1000))
    fill(tail, 9000, room=rooms)
    index = indexed(tail, AT)
    assert type(index) is kind
    found = rows_at(tail, index.find("room 42", Range(3), tail.cut(0, 9000)))
    assert [row[1] for _, row in found] == ["room 42"] * len(found)
    assert len(found) == (1 if kind is SparseIndex else 3)


def test_it_takes_some_bytes_of_a_row_and_no_more():
    tail = Tail(LAYOUT, 0, Sizes(sparse=0))
    fill(tail, 20_000, room=lambda n: f"room {n}")
    index = indexed(tail)
    assert index.size_bytes == 8 * 20_000
    for n in range(20_000, 30_000):
        tail.append(n + 1, b"%d" % n, (n, f"room {n}", n), Op.INSERT, None)
    assert index.size_bytes < 10 * 30_000 + 200 * 1025
    for n in 0, 12_345, 29_999:
        assert rows_at(tail, index.find(f"room {n}", Range(9), tail.cut(0, 30_000))) == [
            (n + 1, (n, f"room {n}", n))
        ]


def test_rows_of_another_value_with_the_same_hash_are_not_found():
    same = 1 << 32  # An int's hash is itself: these differ in what is left away.
    values = [7, 7 + same, 7 + 2 * same, 8, 7]
    index = SparseIndex(0, None, 0, lambda ordinals, _positions: [(values[o],) for o in ordinals])
    index.take(values, None, None)
    assert index.count(7) == 4
    assert list(index.find(7, Range(9, descending=False), EVERYTHING)) == [0, 4]
    assert list(index.find(7 + same, Range(9), EVERYTHING)) == [1]
    assert index.find(9, Range(9), EVERYTHING) == ()


def test_runs_are_merged_and_none_is_large():
    index = SparseIndex(0, None, 0, lambda ordinals, _positions: [(o,) for o in ordinals])
    for start in range(0, 40 * 4096, 4096):
        index.take(range(start, start + 4096), None, None)
    sizes = [len(run) for run in index._runs]
    assert sum(sizes) == 40 * 4096
    assert max(sizes) <= RUN_MAX
    assert len(sizes) < 10
    for value in 0, 99_999, 40 * 4096 - 1:
        assert list(index.find(value, Range(2), EVERYTHING)) == [value]


def test_a_value_of_very_many_rows_is_counted_before_it_is_looked_at():
    index = SparseIndex(0, None, 0, lambda ordinals, _positions: [(1,) for _ in ordinals])
    index.take([1] * (MATCHES_MAX + 1), None, None)
    assert index.count(1) > MATCHES_MAX


def test_a_null_in_the_order_ends_it():
    index = SparseIndex(0, 1, 0, lambda _ordinals, _positions: [])
    index.take([1, 2], [5, None], [False, True])
    assert index.usable
    index.add(3, None, gone=True)
    assert index.usable
    index.add(3, None, gone=False)
    assert not index.usable
