"""Columns of numbers: what the rows have, also when part of it was kept from before."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.tail.encodings import Encodings
from storage.tail.live_rows import LiveRows


def numbers_of(live):
    return [live.numbers(0, "q").to_pylist(), live.numbers(1, "d").to_pylist()]


@settings(max_examples=60, deadline=None)
@given(
    windows=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 3000)), min_size=1, max_size=6),
    gone=st.integers(0, 3000),
)
def test_numbers_are_those_of_the_rows_wherever_a_view_begins_and_ends(windows, gone):
    kept = Encodings()
    tail = [(at * 7 - 100, at / 8) for at in range(8000)]
    for start, length in windows:
        part = tail[start : start + length]
        live = LiveRows((), part, [1] * length, range(start, start + length), kept)
        assert numbers_of(live) == [[row[0] for row in part], [row[1] for row in part]]
        kept.since(gone)


def test_what_was_kept_is_not_taken_out_of_the_rows_again():
    kept = Encodings()
    numbers_of(LiveRows((), [(1, 0.5)] * 2048, [1] * 2048, range(2048), kept))
    held = kept.size_bytes
    assert held >= 2 * 2048 * 8
    others = LiveRows((), [(2, 1.5)] * 2048, [1] * 2048, range(2048), kept)  # No row ever changes.
    assert numbers_of(others)[0][:1] == [1]
    assert kept.size_bytes == held


def test_those_in_batches_come_first():
    batch = pa.record_batch(
        {"a": pa.array([5, 6], pa.int32()), "b": pa.array([1.5, 2.5], pa.float32())}
    )
    live = LiveRows([batch], [(7, 3.5)], [9], range(1), Encodings())
    assert numbers_of(live) == [[5, 6, 7], [1.5, 2.5, 3.5]]


@pytest.mark.parametrize(
    "live",
    [
        LiveRows((), [(1, 0.5), (None, None)], [1, 2], range(2), Encodings()),
        LiveRows((), [(1, 0.5), (None, None)], [1, 2]),
        LiveRows([pa.record_batch({"a": [1, None], "b": [None, 0.5]})], [(1, 0.5)], [1]),
    ],
    ids=["kept", "own", "batches"],
)
def test_there_are_none_of_a_column_with_nulls(live):
    assert live.numbers(0, "q") is None
    assert live.numbers(1, "d") is None
