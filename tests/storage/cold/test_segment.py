"""Segments: what is written is read, found by key, and damage never passes for data."""

import datetime as dt
import hashlib
from functools import partial
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.arrow import schema_of, to_batch, to_rows
from storage.cold import new_run
from storage.cold.encoder import encode
from storage.cold.flush import flush
from storage.cold.key_read import find
from storage.cold.point_read import SegmentReader
from storage.cold.segment import encode_segments, read_table
from storage.errors import DataCorruptedError
from storage.fs import OS
from storage.keys import encode_key
from storage.layout import Column, Layout
from storage.log.log_entry import Op
from storage.tablet import COLD_NEEDED
from tests.storage.fake_log import TABLET, FakeEngine, Write
from tests.storage.test_tablet import LAYOUT, get, open_tablet, scan

DAY = (dt.date(2026, 1, 1) - dt.date(1970, 1, 1)).days

INFINITY = float("inf")
KEYS = {  # Key columns, and eight keys in order.
    "int": ([("int", pa.int32())], [(n,) for n in (-9, -1, 0, 1, 2, 7, 8, 2**31 - 1)]),
    "uuid": (
        [("uuid", pa.binary(16))],
        [(bytes([n]) * 16,) for n in (0, 1, 2, 9, 99, 127, 128, 255)],
    ),
    "date": ([("int", pa.date32())], [(DAY + n,) for n in range(-4, 4)]),
    "timestamptz": (
        [("int", pa.timestamp("us", "UTC"))],
        [(n * 10**15,) for n in range(-4, 4)],
    ),
    "bytea": (
        [("bytes", pa.binary())],
        [(b,) for b in (b"", b"\0", b"\0\0", b"\0\1", b"a", b"a\0", b"ab", b"\xff")],
    ),
    "text": (
        [("text", pa.string())],
        [(t,) for t in ("", "A", "B", "a", "aa", "b", "\u00e9", "\u65e5")],
    ),
    "numeric(9,2)": (
        [("numeric", pa.decimal128(9, 2))],
        [(f"{n}.50",) for n in (-100, -99, -2, 0, 3, 10, 11, 100)],
    ),
    "numeric": (
        [("numeric", pa.string())],
        [(t,) for t in ("-Infinity", "-10.5", "-9", "0", "0.001", "9", "10", "NaN")],
    ),
    "float": (
        [("float", pa.float64())],
        [(f,) for f in (-INFINITY, -2.5, -0.5, 0.0, 1e-9, 3.0, 1e300, INFINITY)],
    ),
    "bool and text": (
        [("bool", pa.bool_()), ("text", pa.string())],
        [(b, t) for b in (False, True) for t in ("", "a", "aa", "b")],
    ),
    "int and uuid": (
        [("int", pa.int64()), ("uuid", pa.binary(16))],
        [(n, bytes([m]) * 16) for n in (-1, 5) for m in range(4)],
    ),
}


@pytest.fixture(autouse=True)
def filters_have_files(monkeypatch):
    """Those of few keys have none otherwise."""
    monkeypatch.setattr(new_run, "INLINE_BYTES", 0)


@pytest.mark.parametrize("name", KEYS)
def test_cold_rows_are_found_and_replaced_whatever_the_type_of_their_key(name, tmp_path):
    kinds, keys = KEYS[name]
    columns = [Column(n, f"k{n}", kind, arrow) for n, (kind, arrow) in enumerate(kinds, 2)]
    # The key need not be the first column, nor lie in column order.
    layout = Layout(
        1, (Column(1, "v", "int", pa.int64()), *columns), tuple(range(len(columns), 0, -1))
    )
    names = [kind for kind, _ in reversed(kinds)]
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path / "cold", layout)
    rows = {}

    def write(op, number, value):
        row = (value, *keys[number])
        code = encode_key(tuple(reversed(keys[number])), names)
        old = rows.pop(code, (0, None))[1]
        seq = engine.commit(Write(op, code, old if op is Op.DELETE else row, old))
        if op is not Op.DELETE:
            rows[code] = (seq, row)

    def check():
        view = engine.view()
        assert sorted(map(str, scan(tablet, view).values())) == sorted(map(str, rows.values()))
        for key in keys:
            code = encode_key(tuple(reversed(key)), names)
            assert get(tablet, view, code) == rows.get(code)

    for number in (6, 0, 3, 4, 1):
        write(Op.INSERT, number, number)
    flush(engine, tablet)
    engine.entries.clear()
    engine.index.clear()  # As after a trim: only cold can answer.
    tablet = open_tablet(engine, tmp_path / "cold", layout)
    check()
    write(Op.UPDATE, 3, 33)
    write(Op.DELETE, 1, None)
    write(Op.INSERT, 2, 22)
    check()
    flush(engine, tablet)
    engine.entries.clear()
    engine.index.clear()
    check()
    write(Op.INSERT, 1, 11)
    write(Op.DELETE, 3, None)
    check()
    flush(engine, tablet)
    tablet = open_tablet(engine, tmp_path / "cold", layout)
    check()


def big_segment(tmp_path, rows=500, group_rows=64):
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path / "cold")
    for number in range(rows):
        row = (number * 2, f"text {number}" * 3, number)
        engine.commit(Write(Op.INSERT, tablet.key_of(row), row, None))
    flush(
        engine,
        tablet,
        encoder=partial(encode, encode_batches=partial(encode_segments, group_rows=group_rows)),
    )
    engine.entries.clear()
    engine.index.clear()
    return engine, tablet


def test_every_key_is_found_in_its_row_group_and_no_other_key_is(tmp_path):
    engine, tablet = big_segment(tmp_path)
    view = engine.view()
    for number in range(-2, 1002):
        found = tablet.get_cold(view, encode_key([number], ["int"]))
        if number % 2 or not 0 <= number < 1000:
            assert found is None
        else:
            assert (found.seq, found.row[2]) == (number // 2 + 1, number // 2)
    keys = [encode_key([number], ["int"]) for number in range(-2, 1002)]
    assert tablet.get_all_cold(view, keys) == [tablet.get_cold(view, key) for key in keys]


def test_the_filter_answers_for_most_absent_keys_without_the_file(tmp_path):
    engine, tablet = big_segment(tmp_path)
    view = engine.view()
    outside = encode_key([-1], ["int"])
    inside = encode_key([1], ["int"])
    assert tablet.get(view, outside) is None, "min and max key are in the manifest"
    assert tablet.get(view, inside) is COLD_NEEDED, "the filter is not in memory yet"
    assert tablet.get_cold(view, inside) is None
    answers = [tablet.get(view, encode_key([n], ["int"])) for n in range(1, 1000, 2)]
    assert answers.count(None) > 450
    assert {tablet.get(view, encode_key([n], ["int"])) for n in range(0, 1000, 2)} == {COLD_NEEDED}


def test_a_segment_is_parquet_that_other_tools_read(tmp_path):
    _, tablet = big_segment(tmp_path)
    (segment,) = tablet.manifest.segments
    file = pq.ParquetFile(segment.path)
    assert file.schema_arrow.names == ["c1", "c2", "c3", "_seq", "_deleted"]
    assert file.schema_arrow.field("c2").metadata[b"column_id"] == b"2"
    assert file.schema_arrow.field("c2").metadata[b"column_name"] == b"body"
    assert file.metadata.num_row_groups == 8
    group = file.metadata.row_group(0)
    assert group.sorting_columns == (pq.SortingColumn(0),)
    assert group.column(0).compression == "ZSTD"
    assert (group.column(0).statistics.min, group.column(0).statistics.max) == (0, 126)
    assert group.column(0).has_column_index
    assert (segment.rows, segment.deleted, segment.superseded) == (500, 0, 0)
    assert (segment.min_seq, segment.max_seq) == (1, 500)
    assert (segment.columns["c3"].minimum, segment.columns["c3"].maximum) == (0, 499)
    assert segment.columns["c2"].nulls == 0
    assert hashlib.sha256(OS.read_bytes(Path(segment.path))).hexdigest() == segment.sha256


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_one_flipped_bit_in_a_segment_is_told_by_its_tablet_and_never_read(tmp_path, part):
    engine, tablet = big_segment(tmp_path)
    (segment,) = tablet.manifest.segments
    flip(tmp_path / "cold" / segment.file, int(segment.size * part))
    with pytest.raises(DataCorruptedError, match="tablet 7/3") as caught:
        tablet.get_cold(engine.view(), encode_key([40], ["int"]))
    assert caught.value.sqlstate == "XX001"
    with pytest.raises(DataCorruptedError):
        SegmentReader(OS, segment, TABLET).read()


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
def test_one_flipped_bit_in_a_key_filter_is_told(tmp_path, part):
    engine, tablet = big_segment(tmp_path)
    path = tmp_path / "cold" / tablet.manifest.segments[0].filter_file
    flip(path, int(path.stat().st_size * part))
    with pytest.raises(DataCorruptedError, match="tablet 7/3"):
        tablet.get_cold(engine.view(), encode_key([40], ["int"]))


def test_a_missing_segment_or_filter_is_damage(tmp_path):
    engine, tablet = big_segment(tmp_path)
    (segment,) = tablet.manifest.segments
    (tmp_path / "cold" / segment.file).unlink()
    with pytest.raises(DataCorruptedError, match="is missing"):
        tablet.get_cold(engine.view(), encode_key([40], ["int"]))
    (tmp_path / "cold" / segment.filter_file).unlink()
    with pytest.raises(DataCorruptedError, match="no key filter"):
        open_tablet_again(engine, tablet)


def open_tablet_again(engine, tablet):
    reader = SegmentReader(OS, tablet.manifest.segments[0], TABLET)
    return find(reader, encode_key([40], ["int"]), LAYOUT)


def test_a_read_of_some_columns_leaves_out_what_the_segment_lacks():
    batch = to_batch([(2, "b", 5), (1, None, 6)], LAYOUT, [10, 11], [False, True])
    (encoded,) = encode_segments([batch.slice(0, 1), batch.slice(1, 1)], LAYOUT)
    data = pa.py_buffer(b"".join(encoded.pieces))
    table = read_table(data, ["c1", "c77", "_seq"])
    assert table.to_pydict() == {"c1": [1, 2], "_seq": [11, 10]}
    whole = read_table(data)
    assert to_rows(whole, LAYOUT) == [(1, None, 6), (2, "b", 5)]
    assert whole.schema.equals(schema_of(LAYOUT))
    assert (encoded.facts.deleted, encoded.facts.columns["c2"].nulls) == (1, 1)


def test_bounds_that_are_long_or_not_comparable_are_left_out():
    layout = Layout(
        1,
        (
            Column(1, "id", "int", pa.int64()),
            Column(2, "long", "text", pa.string()),
            Column(3, "number", "float", pa.float64()),
            Column(4, "json", "none", pa.string()),
        ),
        (0,),
    )
    rows = [(1, "x" * 100, float("nan"), "{}"), (2, "y", 1.0, "[]")]
    (encoded,) = encode_segments([to_batch(rows, layout, [1, 2], [False, False])], layout)
    assert [encoded.facts.columns[name].maximum for name in ("c1", "c2", "c3", "c4")] == [
        2,
        None,
        None,
        None,
    ]


def test_a_key_read_again_needs_no_file(tmp_path):
    engine, tablet = big_segment(tmp_path)
    view = engine.view()
    near, far = encode_key([40], ["int"]), encode_key([900], ["int"])
    assert tablet.get(view, near) is COLD_NEEDED
    found = tablet.get_cold(view, near)
    assert tablet.get(view, near) == found
    assert tablet.get(view, encode_key([42], ["int"])).row[0] == 42, "of the same row group"
    assert tablet.get(view, far) is COLD_NEEDED


SPELLINGS = [
    ("numeric", pa.string(), ["1.0", "1.00", "1"]),
    ("float", pa.float64(), [0.0, -0.0, 0.0]),
    ("trimmed", pa.binary(), [b"aX\0\0\0\1", b"aXY\0\0\0\2", b"a\0\0\0\0"]),
    ("interval", pa.binary(16), [bytes([0] * 7 + [1] + [0] * 8), (86_400_000_000).to_bytes(16)]),
]


@pytest.mark.parametrize(("kind", "arrow", "spellings"), SPELLINGS, ids=[s[0] for s in SPELLINGS])
def test_a_key_that_is_written_anew_in_another_way_is_still_one_key(
    kind, arrow, spellings, tmp_path
):
    layout = Layout(1, (Column(1, "k", kind, arrow), Column(2, "v", "int", pa.int64())), (0,))
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path / "cold", layout)
    key = encode_key([spellings[0]], [kind])
    old = None
    for value, spelling in enumerate(spellings * 2):
        row = (spelling, value)
        op = Op.INSERT if old is None else Op.UPDATE
        seq = engine.commit(Write(op, key, row, old))
        for _ in range(2):  # Hot over cold, then cold over cold.
            assert list(scan(tablet, engine.view()).values()) == [(seq, row)]
            assert get(tablet, engine.view(), key) == (seq, row)
            flush(engine, tablet)
            engine.index.clear()
        old = row
    engine.commit(Write(Op.DELETE, key, old, old))
    flush(engine, tablet)
    engine.index.clear()
    assert scan(tablet, engine.view()) == {}
    assert get(tablet, engine.view(), key) is None


@given(st.data())
@settings(max_examples=60)
def test_segments_come_in_order_of_keys_and_none_is_far_too_large(data):
    sizes = st.sampled_from([1, 1, 1, 1, 2000])
    ids = data.draw(st.lists(st.integers(-50, 50), unique=True, min_size=1, max_size=40))
    rows = [(number, "x" * data.draw(sizes), number) for number in ids]
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=3))
    edges = [0, *sorted(cuts), len(rows)]
    batches = [
        to_batch(rows[start:stop], LAYOUT, range(start + 1, stop + 1), [False] * (stop - start))
        for start, stop in pairwise(edges)
    ]
    segments = list(encode_segments(batches, LAYOUT, bytes_max=1500))
    found = []
    for segment in segments:
        table = read_table(pa.py_buffer(b"".join(map(bytes, segment.pieces))))
        assert table.num_rows == segment.facts.rows
        assert table.num_rows == 1 or table.nbytes <= 4 * 1500 + 2000
        found += to_rows(table, LAYOUT)
    assert found == sorted(rows)
    assert [s.facts.max_key for s in segments] == sorted(s.facts.max_key for s in segments)
