"""Merging segments is a replay of their versions in order."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.merging import merge_segments, newest_versions

KEYS = [
    (("c1",), (pa.int64(),), st.tuples(st.integers(0, 9))),
    (("c1",), (pa.string(),), st.tuples(st.sampled_from("abcdef"))),
    (("c1",), (pa.binary(2),), st.tuples(st.binary(min_size=2, max_size=2))),
    (
        ("c1", "c2"),
        (pa.int64(), pa.string()),
        st.tuples(st.integers(0, 3), st.sampled_from("abc")),
    ),
    (("c2", "c1"), (pa.int32(), pa.bool_()), st.tuples(st.integers(0, 3), st.booleans())),
]


def table(names, types, rows, size):
    """rows: {key: (seq, deleted)}."""
    keys = [pa.array([key[i] for key in rows], kind) for i, kind in enumerate(types)]
    columns = dict(zip(names, keys, strict=True))
    columns["c9"] = pa.array([seq * 10 for seq, _ in rows.values()], pa.int64())
    columns["_seq"] = pa.array([seq for seq, _ in rows.values()], pa.int64())
    columns["_deleted"] = pa.array([gone for _, gone in rows.values()], pa.bool_())
    made = pa.table(columns)
    return pa.concat_tables([made.slice(0, size), made.slice(size)])


def as_dict(names, merged):
    keys = list(zip(*[merged.column(name).to_pylist() for name in names], strict=True))
    assert len(keys) == len(set(keys))
    assert merged.column("c9").to_pylist() == [s * 10 for s in merged.column("_seq").to_pylist()]
    versions = zip(*(merged.column(n).to_pylist() for n in ("_seq", "_deleted")), strict=True)
    return dict(zip(keys, versions, strict=True))


@pytest.mark.parametrize(("names", "types", "keys"), KEYS, ids=[str(k[1]) for k in KEYS])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_merge_is_a_replay_of_the_versions_in_order(names, types, keys, data):
    """Versions of a key get rising numbers in an order that is not that of the segments."""
    count = data.draw(st.integers(1, 4))
    segments = [{} for _ in range(count)]
    replay = {}
    writes = data.draw(
        st.lists(st.tuples(st.integers(0, count - 1), keys, st.booleans()), max_size=20)
    )
    for seq, (segment, key, gone) in enumerate(writes, 1):
        segments[segment][key] = (seq, gone)
        replay[key] = (seq, gone)
    tables = [table(names, types, rows, data.draw(st.integers(0, 3))) for rows in segments]
    assert as_dict(names, newest_versions(tables, names)) == replay
    live = {key: version for key, version in replay.items() if not version[1]}
    assert as_dict(names, merge_segments(tables, names)) == live
    hot = data.draw(st.lists(st.sampled_from(sorted(replay)) if replay else keys, unique=True))
    columns = [pa.array([key[i] for key in hot], kind) for i, kind in enumerate(types)]
    superseded = pa.record_batch(columns, names=list(names))
    cold = {key: version for key, version in live.items() if key not in hot}
    assert as_dict(names, merge_segments(tables, names, superseded)) == cold


def test_segments_without_a_common_key_are_passed_through():
    tables = [
        table(("c1",), (pa.int64(),), {(k,): (k, False) for k in range(low, low + 5)}, 2)
        for low in (1, 10, 20)
    ]
    merged = merge_segments(tables, ["c1"])
    assert merged.column("c1").to_pylist() == [*range(1, 6), *range(10, 15), *range(20, 25)]


def test_a_column_that_came_later_is_null_in_older_segments():
    old = table(("c1",), (pa.int64(),), {(1,): (1, False)}, 1).drop_columns("c9")
    new = table(("c1",), (pa.int64(),), {(2,): (2, False)}, 1)
    assert sorted(merge_segments([new, old], ["c1"]).select(["c1", "c9"]).to_pylist(), key=str) == [
        {"c1": 1, "c9": None},
        {"c1": 2, "c9": 20},
    ]
