"""Of a segment no more is read and decoded than the pages that rows are in, and these are checked."""

import io
import random
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.arrow import to_array, to_values
from storage.cold import keyfilter, pages
from storage.cold.decoded import DECODED
from storage.cold.key_read import Found, find, find_cached
from storage.cold.outline import outline_of
from storage.cold.page_form import form_of
from storage.cold.pages import Page, PageTable, read_together, table_of
from storage.cold.parquet_thrift import CompactReader, footer_of, list_head, number, varint
from storage.cold.point_read import NotInMemoryError, SegmentReader, forget_file
from storage.cold.row_groups import RowGroups
from storage.cold.segment import encode_segments
from storage.cold.segment_pages import PageAt, read_parts
from storage.errors import DataCorruptedError
from storage.fs import OS
from storage.keys import encode_key
from storage.layout import Column, Layout
from tests.storage.cold.test_checked import Counting
from tests.storage.fake_log import TABLET

COUNT, GROUP = 20_000, 9000
DICE = random.Random(14)


def some(make, nulls=0.1):
    return [None if DICE.random() < nulls else make(n) for n in range(COUNT)]


COLUMNS = {
    "id": ("int", pa.int64(), list(range(COUNT))),
    "repeated": ("text", pa.string(), some(lambda _: DICE.choice(["", "a", "bb" * 90]))),
    "few": ("int", pa.int32(), [n // 4000 for n in range(COUNT)]),
    "text": ("text", pa.string(), some(lambda n: f"message {n * 7919} " * DICE.randrange(9))),
    "long": ("bytes", pa.binary(), some(lambda n: bytes([n % 256]) * DICE.randrange(900))),
    "at": ("int", pa.timestamp("us", "UTC"), some(lambda n: n * 10**6 + DICE.randrange(10**5))),
    "flag": ("bool", pa.bool_(), some(lambda _: DICE.random() < 0.5)),
    "real": ("float", pa.float64(), some(lambda _: DICE.random())),
    "price": ("numeric", pa.decimal128(12, 2), some(lambda n: str(Decimal(n) / 100))),
    "uuid": ("uuid", pa.binary(16), some(lambda n: (n * 7919).to_bytes(16, "big"))),
    "tags": ("none", pa.list_(pa.int32()), some(lambda n: (None, n)[: DICE.randrange(3)])),
    "spot": ("none", pa.list_(pa.float32(), 2), some(lambda n: (n / 2, n / 4))),
    "nothing": ("text", pa.string(), [None] * COUNT),
}
LAYOUT = Layout(
    1,
    tuple(Column(n, name, kind, of) for n, (name, (kind, of, _)) in enumerate(COLUMNS.items(), 1)),
    (0,),
)
NAMES = [f"c{n}" for n in range(1, len(COLUMNS) + 1)]
LATER = Layout(2, (*LAYOUT.columns, Column(99, "later", "int", pa.int64(), missing=7)), (0,))


def encoded():
    arrays = [to_array(values, of) for _, of, values in COLUMNS.values()]
    arrays += [pa.array([5] * COUNT), pa.array([False] * COUNT)]
    batch = pa.record_batch(arrays, names=[*NAMES, "_seq", "_deleted"])
    (segment,) = encode_segments([batch], LAYOUT, group_rows=GROUP)
    return batch, b"".join(segment.pieces), segment.facts


BATCH, DATA, FACTS = encoded()
METADATA = pq.read_metadata(pa.BufferReader(DATA))
TABLE = table_of(DATA, METADATA)
HEAD = keyfilter.read_head(io.BytesIO(FACTS.key_filter))
DIGESTS = b"".join(keyfilter.digest(encode_key([n], ["int"])) for n in range(COUNT))
EVERY = [(group, leaf) for group in range(3) for leaf in range(len(NAMES) + 2)]


@pytest.fixture
def segment(tmp_path):
    """It in a file, and nothing of it in memory."""
    path = tmp_path / "segment-1-a.parquet"
    path.write_bytes(DATA)
    named = FACTS.named(path, "segment-1-a.keys", 0, continues=False)
    named.filter_path.write_bytes(FACTS.key_filter)
    yield named
    forget_file(path)


def groups_of(segment, fs=OS, layout=LAYOUT, **how):
    return RowGroups(SegmentReader(fs, segment, TABLET), layout, **how)


@pytest.mark.parametrize("count", [1, 5, 40, 3000])
def test_rows_are_those_of_the_whole_segment_in_the_order_that_was_asked_for(segment, count):
    dice = random.Random(count)
    for _ in range(3):
        rows = [dice.randrange(COUNT) for _ in range(count)]
        names = dice.sample([*NAMES, "_seq", "_deleted"], 6)
        for _again in range(2):
            found = groups_of(segment).rows_at(rows, names)
            for name in names:
                assert found[name].equals(BATCH.column(name).take(pa.array(rows))), name
                assert found[name].type == BATCH.schema.field(name).type
    assert groups_of(segment).rows_at(rows, NAMES)["c1"].to_pylist() == rows


def test_a_column_that_came_later_has_its_missing_value(segment):
    found = groups_of(segment, layout=LATER).rows_at([4, 19_000], ["c99", "c1"])
    assert [found[name].to_pylist() for name in ("c99", "c1")] == [[7, 7], [4, 19_000]]


def test_a_few_rows_take_a_few_pages_of_the_file(segment):
    fs = Counting()
    groups = groups_of(segment, fs)
    groups.rows_at([5], ["c1"])
    fs.bytes = 0
    groups.rows_at([5, 18_500], ["c4", "c5"])
    whole = sum(
        page.size
        for group in (0, 2)
        for leaf in (3, 4)
        for page in map(TABLE.chunk(group, leaf).page, range(len(TABLE.chunk(group, leaf).firsts)))
    )
    assert 0 < fs.bytes < whole / 3  # one of four pages each, and its dictionary
    fs.bytes = 0
    groups_of(segment, fs, in_memory=True).rows_at([18_500, 5], ["c4", "c5"])
    assert not fs.bytes
    with pytest.raises(NotInMemoryError):
        groups_of(segment, fs, in_memory=True).rows_at([11_000], ["c4"])


def test_most_pages_of_a_column_are_read_as_one(segment):
    groups_of(segment).rows_at(range(0, GROUP, 100), ["c4"])
    assert DECODED.get(segment.path, (0, "c4")) is not None
    assert DECODED.get(segment.path, (1, "c4")) is None


def test_a_kept_page_keeps_no_other_one_in_memory(segment):
    groups_of(segment).rows_at([1, 8000], ["c4"])
    (first,) = (DECODED.get(segment.path, ("c4", 0, 0)),)
    assert sum(part.size for part in first.buffers() if part) < 2 * pages.BYTES


def read_anew(segment, table):
    """All that is told of a segment, and some rows of it, when its list of pages is this one."""
    forget_file(Path(segment.path))
    side = keyfilter.encode_hashed(b"", HEAD, pages=b"" if table is None else table.encode())
    segment.filter_path.write_bytes(side)
    groups = groups_of(segment)
    places = range(len(LAYOUT.columns) + 1)
    extents = [groups.extent_in(group, at) for group in range(3) for at in places]
    rows = [int(row) for row in range(7, COUNT, 1999)]
    return groups.count, extents, groups.rows_at(rows, NAMES), groups.columns(1, NAMES)


def test_of_a_segment_without_list_or_outline_the_same_is_told(segment):
    without = PageTable.decode(TABLE.encode())
    without.outline = None
    expected = read_anew(segment, None)
    assert expected[0] == 3
    assert sum(extent is not None for extent in expected[1]) == 3 * 9
    for table in (TABLE, without):
        found = read_anew(segment, table)
        assert found[:2] == expected[:2]
        for values, right in zip(found[2:], expected[2:], strict=True):
            assert all(values[name].equals(right[name]) for name in NAMES)


def test_the_footer_is_not_read_for_what_the_outline_tells(segment, monkeypatch):
    monkeypatch.setattr(SegmentReader, "read_footer", lambda _self: pytest.fail("it is read"))
    groups = groups_of(segment)
    groups.load([0, 1, 2], ["c2", "c4"])
    assert groups.columns(2, ["c2"])["c2"].equals(BATCH.column("c2").slice(2 * GROUP))
    assert groups.rows_at([5, 18_000], ["c4"])["c4"].equals(
        BATCH.column("c4").take(pa.array([5, 18_000]))
    )
    assert groups.extent_in(1, 0).low == GROUP


def test_a_changed_byte_of_a_column_that_is_read_as_a_whole_is_told(segment):
    page = TABLE.chunk(1, 3).page(2)
    at = page.start + page.size // 2
    Path(segment.path).write_bytes(DATA[:at] + bytes([DATA[at] ^ 4]) + DATA[at + 1 :])
    groups = groups_of(segment)
    assert groups.columns(1, ["c2"])
    with pytest.raises(DataCorruptedError, match="is not what was written"):
        groups.columns(1, ["c4"])


def test_pages_of_several_segments_are_decoded_together(segment, tmp_path):
    """Their dictionaries differ, as do the encodings, and one has a column that the other has not."""
    other = BATCH.set_column(1, "c2", pa.array(["x", None] * (COUNT // 2)))
    other = other.set_column(3, "c4", pa.array(["same text"] * COUNT))
    (made,) = encode_segments([other], LAYOUT, group_rows=GROUP)
    path = tmp_path / "segment-2-b.parquet"
    path.write_bytes(b"".join(made.pieces))
    named = made.facts.named(path, "segment-2-b.keys", 0, continues=False)
    named.filter_path.write_bytes(made.facts.key_filter)
    both = [groups_of(segment), groups_of(named)]
    rows = [19_000, 4, 9001, 5]
    read_parts([one for groups in both for one in groups.lacking(rows, NAMES)], coded=True)
    for groups, batch in zip(both, (BATCH, other), strict=True):
        assert not groups.lacking(rows, NAMES)
        found = groups.rows_at(rows, NAMES)
        for name in NAMES:
            assert found[name].equals(batch.column(name).take(pa.array(rows))), name
    forget_file(path)


def test_texts_that_are_numbers_in_a_dictionary_are_texts_for_who_reads_them(segment):
    groups = groups_of(segment)
    rows = list(range(100, 8900, 40))
    asked = groups.lacking(rows, ["c2"])
    values = read_parts(asked, coded=True)
    assert all(isinstance(one, pa.DictionaryArray) for one in values.values())
    assert groups.rows_at(rows, ["c2"])["c2"].equals(BATCH.column("c2").take(pa.array(rows)))
    assert groups.columns(0, ["c2"])["c2"].equals(BATCH.column("c2").slice(0, GROUP))
    (part,) = groups.lacking([9001], ["c2"])
    assert part[1] == PageAt("c2", 1, 0)
    assert (
        groups.rows_at([9001] * 20, ["c2"])["c2"].to_pylist()
        == BATCH["c2"][9001:9002].to_pylist() * 20
    )


def test_a_segment_without_a_list_of_pages_is_read_by_row_groups(segment):
    segment.filter_path.write_bytes(keyfilter.encode_hashed(b"", HEAD))
    found = groups_of(segment).rows_at([18_500, 5], ["c4"])
    assert found["c4"].equals(BATCH.column("c4").take(pa.array([18_500, 5])))
    assert DECODED.get(segment.path, (0, "c4")) is not None


def test_no_changed_byte_of_a_page_is_read_as_anything_else(segment):
    """In each page of each column: in its header, where Parquet has no checksum, too."""
    path = Path(segment.path)
    reader = SegmentReader(OS, segment, TABLET)
    with path.open("r+b", buffering=0) as file:

        def put(at, byte):
            file.seek(at)
            file.write(bytes([byte]))

        for group, leaf in EVERY:
            chunk = TABLE.chunk(group, leaf)
            page = chunk.page(DICE.randrange(len(chunk.firsts)))
            assert reader.read_pages([page]), "it is right"
            for at in (page.start, page.start + DICE.randrange(page.size)):
                put(at, DATA[at] ^ 1 << DICE.randrange(8))
                with pytest.raises(DataCorruptedError, match="tablet 7/3"):
                    reader.read_pages([page])
                put(at, DATA[at])
    path.write_bytes(DATA[: page.start + page.size - 1])
    with pytest.raises(DataCorruptedError, match="is not what was written"):
        reader.read_pages([page])
    path.unlink()
    with pytest.raises(DataCorruptedError, match="is missing"):
        reader.read_pages([page])


def test_no_changed_byte_of_the_list_of_pages_is_read_as_anything_else(segment):
    side = FACTS.key_filter
    start = side.index(TABLE.encode())
    for at in (start, start + len(TABLE.encode()) - 1, start + DICE.randrange(100)):
        changed = bytearray(side)
        changed[at] ^= 1 << DICE.randrange(8)
        segment.filter_path.write_bytes(changed)
        with pytest.raises(DataCorruptedError, match="damaged key filter"):
            groups_of(segment).rows_at([5], ["c4"])
    segment.filter_path.write_bytes(side[: start + 50])
    with pytest.raises(DataCorruptedError, match="damaged key filter"):
        groups_of(segment).rows_at([5], ["c4"])


def test_check_reads_every_page(segment):
    reader = SegmentReader(OS, segment, TABLET)
    reader.check_pieces()
    wrong = PageTable.decode(TABLE.encode())
    wrong._crcs[-1] ^= 1
    segment.filter_path.write_bytes(keyfilter.encode_hashed(bytes(16), HEAD, pages=wrong.encode()))
    with pytest.raises(DataCorruptedError, match="is not what was written"):
        SegmentReader(OS, segment, TABLET).check_pieces()


def test_a_list_of_pages_is_what_was_put_into_it():
    again = PageTable.decode(TABLE.encode())
    assert [list(part) for part in again.parts()] == [list(part) for part in TABLE.parts()]
    assert again.outline == TABLE.outline == outline_of(METADATA)
    for group, leaf in EVERY:
        assert again.chunk(group, leaf).firsts == TABLE.chunk(group, leaf).firsts
    for data in (b"", b"\x90", TABLE.encode()[:-4], b"\x95\x01\xc4\x00\xc4\x00\x00\xc4\x01x"):
        with pytest.raises(DataCorruptedError):
            PageTable.decode(data)


def test_small_segments_have_no_list():
    few = BATCH.slice(0, pages.ROWS_MIN - 1)
    (segment,) = encode_segments([few], LAYOUT)
    head = keyfilter.read_head(io.BytesIO(segment.facts.key_filter))
    assert head.parts.pages.length == 0
    assert PageTable.decode(FACTS.key_filter[HEAD.parts.pages.start :][: HEAD.parts.pages.length])


def test_pages_near_each_other_are_read_at_once():
    near = [Page(4, 10, 0, 1, 1), Page(14, 5, 0, 1, 1), Page(19 + pages.GAP_BYTES, 7, 0, 1, 1)]
    far = Page(27 + 2 * pages.GAP_BYTES, 7, 0, 1, 1)
    assert read_together([far, *reversed(near), near[0]]) == [near, [far]]
    assert read_together([]) == []


def test_a_column_that_would_be_written_otherwise_now_is_not_read_by_pages():
    sink = pa.BufferOutputStream()
    table = pa.table({"a": pa.array([Decimal("1.5")], pa.decimal128(9, 2))})
    pq.write_table(table, sink, store_decimal_as_integer=True)
    metadata = pq.read_metadata(pa.BufferReader(sink.getvalue()))
    with pytest.raises(ValueError, match="another form"):
        form_of(metadata, table.schema.field("a"), 0)


def test_thrift_is_read_as_arrow_reads_it():
    metadata = pq.read_metadata(pa.BufferReader(DATA))
    footer = CompactReader(footer_of(DATA)).struct()
    assert footer[3] == metadata.num_rows
    assert len(footer[4]) == metadata.num_row_groups == 3
    for group, row_group in enumerate(footer[4]):
        for leaf, chunk in enumerate(row_group[1]):
            theirs = metadata.row_group(group).column(leaf)
            assert chunk[3][5] == theirs.num_values
            assert chunk[3][7] == theirs.total_compressed_size
            assert b".".join(chunk[3][3]).decode() == theirs.path_in_schema


@pytest.mark.parametrize("value", [0, 1, -1, 63, 64, -64, -65, 2**31, -(2**63), 2**63 - 1])
def test_numbers_of_thrift_come_back(value):
    reader = CompactReader(b"\x16" + number(value) + b"\x00")
    assert reader.struct() == {1: value}


@pytest.mark.parametrize("size", [0, 14, 15, 300])
def test_lists_of_thrift_come_back(size):
    data = b"\x19" + list_head(size, 8) + (varint(3) + b"abc") * size + b"\x00"
    assert CompactReader(data).struct() == {1: [b"abc"] * size}
    if size:
        with pytest.raises(IndexError):
            CompactReader(data[:-3]).struct()


def test_bounds_are_kept_of_the_key_and_of_what_is_short():
    """Long values, two beside each page, would take much of the file."""
    chunks = pq.read_metadata(pa.BufferReader(DATA)).row_group(0)
    with_bounds = {
        column.name
        for leaf, column in enumerate(LAYOUT.columns)
        if chunks.column(leaf).is_stats_set and column.kind != "none"
    }
    assert with_bounds == set(COLUMNS) - {"text", "long", "tags", "spot"}


def test_duckdb_reads_a_segment_as_it_lies(segment):
    found = duckdb.sql(
        f"SELECT c1, c4, c11 FROM '{segment.path}' WHERE c1 % 997 = 5"
    ).to_arrow_table()
    expected = BATCH.take(pa.array(range(5, COUNT, 997)))
    assert found.column("c4").combine_chunks().equals(expected.column("c4"))
    assert found.column("c11").to_pylist() == expected.column("c11").to_pylist()


def read_by_key(segment, reads, keys, layout=LAYOUT):
    """Rows found one by one; reads: what of the file may be read."""
    reader = SegmentReader(reads, segment, TABLET)
    reader.load_filter()
    return reader, [find(reader, encode_key([key], ["int"]), layout) for key in keys]


def test_a_row_by_its_key_takes_a_page_of_each_column(segment):
    fs = Counting()
    reader, (found,) = read_by_key(segment, fs, [9_500])
    expected = [to_values(BATCH.column(name))[9_500] for name in NAMES]
    assert found == Found(5, False, tuple(expected))
    assert fs.bytes < segment.size / 5 + segment.filter_path.stat().st_size * 2
    key = encode_key([9_500], ["int"])
    fs.bytes = 0
    assert find_cached(reader, key, LAYOUT) is found
    assert find_cached(reader, key, LATER).row == (*found.row, 7)
    neighbour = find_cached(reader, encode_key([9_501], ["int"]), LAYOUT)
    assert neighbour.row[0] == 9_501
    assert not fs.bytes
    with pytest.raises(NotInMemoryError):
        find_cached(reader, encode_key([19_000], ["int"]), LAYOUT)
    assert find(reader, encode_key([COUNT + 3], ["int"]), LAYOUT) is None


def test_rows_of_a_segment_without_list_are_found_by_row_groups(segment):
    segment.filter_path.write_bytes(keyfilter.encode_hashed(DIGESTS, HEAD))
    reader, (found,) = read_by_key(segment, OS, [9_500])
    assert found.row[0] == 9_500
    assert find_cached(reader, encode_key([9_600], ["int"]), LAYOUT).row[0] == 9_600
    with pytest.raises(NotInMemoryError):
        find_cached(reader, encode_key([4], ["int"]), LAYOUT)
