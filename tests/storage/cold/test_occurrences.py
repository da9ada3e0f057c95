"""Counts of values beside a segment: what they answer, and where there are none."""

import pyarrow as pa
import pytest

from storage.arrow import schema_of
from storage.cold.counting import count_rows
from storage.cold.extents import Condition, SortKey
from storage.cold.first_rows import Limits, Question, Work, first_rows
from storage.cold.occurrences import Occurrences
from storage.cold.point_read import SegmentReader
from storage.cold.segment import encode_segments
from storage.cold.sight import Sight
from storage.errors import DataCorruptedError
from storage.fs import OS
from storage.ids import TabletId
from storage.layout import Column, Layout

LAYOUT = Layout(
    1,
    (
        Column(1, "id", "int", pa.int64()),
        Column(2, "room", "int", pa.int64()),
        Column(3, "author", "text", pa.string()),
        Column(4, "content", "text", pa.string()),
        Column(5, "score", "float", pa.float64()),
    ),
    (0,),
)
TABLET = TabletId(7, 3)
ROWS = 3000


@pytest.fixture
def reader(tmp_path):
    """A segment of three row groups; in the second alone room 77 and NULL, in each a tombstone of room 1."""
    numbers = range(ROWS)
    columns = [
        list(numbers),
        [77 if at == 1500 else None if at == 1501 else at % 10 for at in numbers],
        [f"user {at % 3}" for at in numbers],
        [f"message {at}" for at in numbers],
        [float(at % 2) for at in numbers],
        [5] * ROWS,
        [at % 1000 == 1 for at in numbers],
    ]
    arrays = [
        pa.array(values, field.type)
        for values, field in zip(columns, schema_of(LAYOUT), strict=True)
    ]
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema_of(LAYOUT))
    (encoded,) = encode_segments([batch], LAYOUT, group_rows=1000)
    path = tmp_path / "segment-1.parquet"
    path.write_bytes(b"".join(encoded.pieces))
    path.with_suffix(".keys").write_bytes(encoded.facts.key_filter)
    segment = encoded.facts.named(path, "segment-1.keys", 0, continues=False)
    return SegmentReader(OS, segment, TABLET)


@pytest.fixture
def edited(reader, tmp_path):
    """The same segment, and newer ones that hide rows of it; a row that was deleted is back."""
    changes = {0: [(11, 2), (1, 1)], 1: [(1500, 77), (1501, 1), (11, 3)]}
    readers = [reader]
    for number, rows in changes.items():
        columns = [
            [key for key, _ in rows],
            [room for _, room in rows],
            *([None] * len(rows) for _ in range(3)),
            [6 + number] * len(rows),
            [False] * len(rows),
        ]
        arrays = [
            pa.array(values, field.type)
            for values, field in zip(columns, schema_of(LAYOUT), strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema_of(LAYOUT)).sort_by("c1")
        hiding = [(key,) for key, _ in rows]
        (encoded,) = encode_segments([batch], LAYOUT, superseding=hiding)
        path = tmp_path / f"segment-{2 + number}.parquet"
        path.write_bytes(b"".join(encoded.pieces))
        path.with_suffix(".keys").write_bytes(encoded.facts.key_filter)
        named = encoded.facts.named(path, path.with_suffix(".keys").name, 2, continues=False)
        readers.append(SegmentReader(OS, named, TABLET))
    return readers


def sight(*readers):
    return Sight(TABLET, None, LAYOUT, [], readers, None, {})


def test_values_are_told_with_their_row_groups_and_live_rows(reader):
    rooms = reader.occurrences("c2")
    assert rooms.of(77) == {1: 1}
    assert rooms.of(1) == {0: 99, 1: 98, 2: 99}
    assert rooms.of(11) == {}
    assert reader.occurrences("c3").of("user 2") == {0: 333, 1: 332, 2: 334}


@pytest.mark.parametrize("column", ["c1", "c4", "c5", "_seq"])
def test_none_are_kept_of_what_is_mostly_distinct_or_no_value_to_look_for(reader, column):
    assert reader.occurrences(column) is None


def test_those_of_earlier_versions_are_read(reader):
    """They were a stream of Arrow IPC."""
    lists = pa.list_(pa.uint16())
    for values, first in ((pa.array([-2, 7]), -2), (pa.array(["a", "é"]), "a")):
        table = pa.table(
            {
                "value": values,
                "group": pa.array([[0, 3], [1]], lists),
                "rows": pa.array([[5, 1], [9]], lists),
            }
        )
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        found = Occurrences.decode(sink.getvalue().to_pybytes())
        assert found == Occurrences.decode(found.encode())
        assert found.of(first) == {0: 5, 3: 1}
        assert found.of(values[1].as_py()) == {1: 9}
        assert found.of(8 if first == -2 else "b") == {}
    for data in (b"", b"\x90", found.encode()[:-3], b"\xff\xff\xff\xff\x10"):
        with pytest.raises(DataCorruptedError, match="damaged"):
            Occurrences.decode(data)


def test_a_count_by_them_opens_no_segment(reader, monkeypatch):
    monkeypatch.setattr(SegmentReader, "read_footer", lambda _self: pytest.fail("it is opened"))
    for value, rows in ((77, 1), (1, 296), (2, 300), (11, 0)):
        condition = Condition(1, "int", "=", value)
        assert count_rows(sight(reader), [condition], Work(Limits()), lambda: None) == rows


def test_a_count_where_rows_are_hidden_reads_what_hides_them_once(edited, monkeypatch):
    counts = ((77, 1), (1, 297), (2, 300), (3, 301), (11, 0))
    for _ in range(2):
        for value, rows in counts:
            condition = Condition(1, "int", "=", value)
            found = count_rows(sight(*edited), [condition], Work(Limits()), lambda: None)
            assert (value, found) == (value, rows)
        for how in ("read_groups", "read_pages"):
            monkeypatch.setattr(SegmentReader, how, lambda *_: pytest.fail("it is read again"))


def test_newest_rows_ask_only_the_segments_that_are_newer_than_these(edited, monkeypatch):
    asked = []
    keys = SegmentReader.superseding

    def superseding(reader, layout):
        asked.append(reader)
        return keys(reader, layout)

    monkeypatch.setattr(SegmentReader, "superseding", superseding)
    order = (SortKey(len(LAYOUT.columns), "int", descending=True, nulls_first=True),)
    for wanted, needed in ((3, []), (4, edited[2:]), (5, edited[1:])):
        question = Question((), order, wanted, False, None, frozenset(), frozenset({0}))
        found = first_rows(sight(*edited), question, Work(Limits()), lambda: None)
        assert [row[0] for row in found][:4] == [11, 1500, 1501, 1][:wanted]
        assert {reader.segment.file for reader in asked} == {r.segment.file for r in needed}


def test_row_groups_without_the_value_are_not_read(reader):
    question = Question(
        (Condition(1, "int", "=", 77),),
        (SortKey(0, "int", descending=True, nulls_first=True),),
        *(50, False, None, frozenset(), frozenset({0, 3})),
    )
    work = Work(Limits())
    ((key, _, _, content, *_),) = first_rows(sight(reader), question, work, lambda: None)
    assert (key, content, work.groups) == (1500, "message 1500", 1)


def test_damage_to_them_is_told(reader):
    path = reader.segment.filter_path
    data = bytearray(path.read_bytes())
    data[reader.load_head().parts.occurrences["c2"].start + 30] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataCorruptedError, match="damaged key filter"):
        reader.check_pieces()
