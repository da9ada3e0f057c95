"""A compaction changes no answer, wherever it is cut off, and leaves few segments."""

import math
import shutil
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pyarrow as pa
import pytest

from storage import failpoints
from storage.arrow import to_batch
from storage.cold.collect import collect
from storage.cold.compaction import compact_together
from storage.cold.encoder import encode
from storage.cold.flush import clean, flush
from storage.cold.manifest import superseding
from storage.cold.merge import MergeJob, merge
from storage.cold.segment import encode_segments, read_table
from storage.cold.tiering import due, everything
from storage.cold.trim import trim
from storage.errors import DataCorruptedError, DiskFullError, IoError, KalamError
from storage.fs import OS
from storage.keys import encode_key
from storage.layout import Column, Layout
from storage.log.log_entry import Op
from tests.storage.cold.test_flush import FAILPOINTS as FLUSH_POINTS
from tests.storage.crashing_fs import CrashError, CrashingFs
from tests.storage.fake_log import TABLET, FakeEngine, Write
from tests.storage.test_tablet import get, open_tablet, scan

FAILPOINTS = (
    "compact.chosen",
    "compact.file_written",
    "compact.merged",
    *(name for name in FLUSH_POINTS if name.startswith("publish.")),
    "compact.done",
)


def all_of(segments, _tombstones_before):
    return segments


def stretch(start, end):
    return lambda segments, _tombstones_before: segments[start:end]


class House:
    """A tablet of six flushes, and changes of cold rows that wait in the log."""

    def __init__(self, root):
        self.engine = FakeEngine(OS)
        self.directory = root / "cold" / "7" / "3"
        self.rows = {}
        self.part = 128 << 20

    def build(self):
        self.tablet = open_tablet(self.engine, self.directory)
        for numbers, removed in (
            (range(6), ()),
            ((1, 7), (2,)),
            ((2, 20), (7,)),
            ((21, 22), (0,)),
            ((0, 3), (21, 4)),
            ((30, 31), ()),
        ):
            for number in numbers:
                self.put(number)
            for number in removed:
                self.remove(number)
            self.flush()
        trim(self.engine, self.tablet.id, self.tablet.schema, retained_from=self.engine.seq + 1)
        self.put(3)
        self.remove(20)

    def copy(self, root):
        """The same house elsewhere."""
        other = House(root)
        shutil.copytree(self.directory, other.directory)
        for name in ("seq", "entries", "index", "system", "hints"):
            setattr(other.engine, name, copy(getattr(self.engine, name)))
        other.rows = dict(self.rows)
        other.tablet = open_tablet(other.engine, other.directory)
        return other

    def put(self, number):
        old = self.rows.get((number,))
        seq = self.engine.seq + 1
        row = (number, f"v{seq}", seq)
        op = Op.UPDATE if old else Op.INSERT
        self.engine.commit(Write(op, encode_key([number], ["int"]), row, old and old[1]))
        self.rows[number,] = (seq, row)

    def remove(self, number):
        _, old = self.rows.pop((number,))
        self.engine.commit(Write(Op.DELETE, encode_key([number], ["int"]), old, old))

    def flush(self):
        cut = partial(encode_segments, bytes_max=self.part)
        flush(self.engine, self.tablet, encoder=partial(encode, encode_batches=cut))

    def compact(self, choose=all_of, tombstones_before=0):
        (answer,) = compact_together(self.engine, [self.tablet], choose, tombstones_before)
        if isinstance(answer, KalamError):
            raise answer
        return answer

    def use(self, fs):
        self.engine.fs = fs
        self.tablet._fs = fs

    def reopen(self):
        self.use(OS)
        clean(OS, self.directory)
        self.tablet = open_tablet(self.engine, self.directory)

    def check(self):
        assert scan(self.tablet, self.engine.view()) == self.rows
        for number in range(32):
            key = encode_key([number], ["int"])
            assert get(self.tablet, self.engine.view(), key) == self.rows.get((number,))

    def cold_rows(self):
        """What the manifest counts, once all is flushed."""
        self.flush()
        assert self.tablet.manifest.rows == len(self.rows)

    def go_on(self):
        """Everything still works, and at last one segment without tombstones is left, and its files."""
        self.check()
        self.put(5)
        self.cold_rows()
        self.check()
        self.compact(tombstones_before=2**62)
        self.check()
        trim(self.engine, self.tablet.id, self.tablet.schema, retained_from=self.engine.seq + 1)
        collect(self.engine, self.tablet.id, self.tablet.directory)
        (segment,) = self.tablet.manifest.segments
        assert (segment.rows, segment.deleted, segment.superseded) == (len(self.rows), 0, 0)
        assert len(OS.listdir(self.directory)) == 2
        self.reopen()
        self.check()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("house"))
    house.build()
    return house


@pytest.fixture
def house(built, tmp_path):
    return built.copy(tmp_path)


STRETCHES = [(0, 2), (0, 6), (1, 3), (1, 6), (2, 5)]


@pytest.mark.parametrize(("start", "end"), STRETCHES)
@pytest.mark.parametrize("tombstones_before", [0, 2**62])
def test_any_stretch_of_runs_can_be_made_one(house, start, end, tombstones_before):
    house.compact(stretch(start, end), tombstones_before)
    house.check()
    house.compact(stretch(0, 2), tombstones_before)
    house.check()
    house.go_on()


@pytest.fixture
def changes(house):
    """How many file operations a compaction of it takes."""
    fs = CrashingFs()
    house.use(fs)
    house.compact()
    assert fs.changes > 6
    return fs.changes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("after", "power"), [(False, True), (True, False)], ids=["power loss before", "kill after"]
)
def test_a_crash_at_any_file_operation_changes_no_row(built, changes, tmp_path, after, power):
    for number in range(1, changes + 1):
        house = built.copy(tmp_path / str(number))
        fs = CrashingFs(number, after=after)
        house.use(fs)
        with pytest.raises(CrashError):
            house.compact()
        if power:
            fs.lose_power()
        house.reopen()
        house.go_on()


@pytest.mark.slow
@pytest.mark.parametrize(("after", "error"), [(False, DiskFullError), (True, IoError)])
def test_a_refusal_at_any_file_operation_is_told_and_the_next_one_succeeds(
    built, changes, tmp_path, after, error
):
    for number in range(1, changes + 1):
        house = built.copy(tmp_path / str(number))
        fs = CrashingFs(number, after=after, error=error)
        house.use(fs)
        try:
            house.compact()
        except error:
            pass
        else:
            assert number == fs.changes, "only the last step, removing a temporary name, may fail"
        house.check()
        house.use(OS)
        house.go_on()


def crash():
    raise CrashError


@pytest.mark.parametrize("name", FAILPOINTS)
def test_a_crash_at_any_failpoint_changes_no_row(house, name):
    with failpoints.armed(name, crash), pytest.raises(CrashError):
        house.compact()
    house.check()
    house.reopen()
    house.go_on()


@pytest.mark.parametrize(
    "name", ["compact.chosen", "compact.merged", "publish.renamed", "compact.done"]
)
def test_a_flush_a_view_and_a_collection_beside_it_do_not_disturb_it(house, name):
    held = []

    def meanwhile():
        held.append((house.engine.acquire(), dict(house.rows)))
        scan(house.tablet, held[0][0])
        house.put(29)
        house.flush()
        collect(house.engine, house.tablet.id, house.directory)

    with failpoints.armed(name, meanwhile):
        assert house.compact().segments_before == 6
    house.check()
    house.put(1)
    house.flush()
    house.compact()
    collect(house.engine, house.tablet.id, house.directory)
    [(view, rows)] = held
    assert scan(house.tablet, view) == rows
    view.release()
    house.go_on()


def test_nothing_is_published_of_segments_that_a_truncate_has_taken(house):

    def truncated():
        house.engine.commit(Write(Op.TRUNCATE, b"", (), None))
        house.rows.clear()
        house.put(1)
        house.flush()

    with failpoints.armed("compact.merged", truncated):
        assert house.compact().version == 0
    house.go_on()


def test_a_key_stays_hidden_when_what_hides_it_is_made_one_with_newer_runs(house):
    """2 is in the first run, a tombstone in the second, and back in the third."""
    house.compact(stretch(1, 3))
    first, second, *_ = house.tablet.manifest.segments
    assert (first.superseded, second.superseded) == (0, 2)
    house.check()


def test_tombstones_stay_as_long_as_they_are_kept_or_an_older_segment_may_hold_their_key(house):
    house.flush()

    def tombstones():
        return sum(segment.deleted for segment in house.tablet.manifest.segments)

    before = tombstones()
    house.compact(stretch(1, 7), tombstones_before=2**62)
    assert 0 < tombstones() < before, "those of 2 and 4 hide rows of the first run"
    house.compact(tombstones_before=0)
    assert tombstones() > 0, "they are to be kept"
    house.compact(tombstones_before=2**62)
    assert tombstones() == 0
    house.check()


def test_what_cannot_be_seen_any_more_may_leave_nothing(house):
    for (number,) in list(house.rows):
        house.remove(number)
    house.flush()
    house.compact(tombstones_before=2**62)
    assert house.tablet.manifest.segments == ()
    house.check()
    house.put(3)
    house.go_on()


def test_a_run_of_several_segments_is_replaced_as_a_whole_and_hides_as_a_whole(house, monkeypatch):
    house.part = 60
    for number in range(6):
        house.put(number)
    house.flush()
    at = [segment.continues for segment in house.tablet.manifest.segments].index(True) - 1
    assert len(house.tablet.manifest.segments) - at > 3
    house.check()
    with monkeypatch.context() as patch:
        patch.setattr("storage.cold.compaction.MergeJob", partial(MergeJob, bytes_max=1))
        house.compact(stretch(1, None))
    _, second, *others = house.tablet.manifest.segments
    assert not second.continues
    assert all(segment.continues and not segment.superseded for segment in others)
    assert superseding(house.tablet.manifest.segments)[1:] == [second.superseded > 0] * (
        1 + len(others)
    )
    house.check()
    house.go_on()


def test_counts_that_cannot_be_right_are_damage_and_nothing_is_published(house):
    newest = house.tablet.manifest
    wrong = replace(newest.segments[0], superseded=3)
    house.tablet.kept.newest = replace(newest, segments=(wrong, *newest.segments[1:]))
    with pytest.raises(DataCorruptedError, match="are said to have"):
        house.compact()
    house.reopen()
    house.go_on()


def test_a_damaged_input_is_its_tablets_own_trouble_and_changes_nothing(house):
    path = house.directory / house.tablet.manifest.segments[2].file
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    with pytest.raises(DataCorruptedError, match="not what was written"):
        house.compact()
    assert len(house.tablet.manifest.segments) == 6
    path.write_bytes(whole)
    house.go_on()


def test_a_disk_without_room_is_not_filled(house):
    class Full(CrashingFs):
        def free_bytes(self, path):
            return 64 << 20

    house.use(Full())
    with pytest.raises(DiskFullError):
        house.compact()
    house.use(OS)
    house.go_on()


# What a merge makes of rows.


def segments_of(tmp_path, layout, parts, **how):
    """Segments in files, oldest first: rows of each as (row, seq, deleted)."""
    found = []
    for number, rows in enumerate(parts):
        batch = to_batch(
            [r for r, _, _ in rows], layout, [s for _, s, _ in rows], [d for *_, d in rows]
        )
        for part, encoded in enumerate(encode_segments([batch], layout, **how)):
            path = tmp_path / f"segment-{number}-{part}.parquet"
            path.write_bytes(b"".join(encoded.pieces))
            keys = path.with_suffix(".keys")
            keys.write_bytes(encoded.facts.key_filter)
            found.append(encoded.facts.named(path, keys.name, 0, continues=part > 0))
    return tuple(found)


def merged(tmp_path, layout, parts, *, into=None, **how):
    inputs = segments_of(tmp_path, layout, parts)
    job = MergeJob(TABLET, into or layout, inputs, (), 0, **how)
    return [(one.facts, read_table(pa.py_buffer(b"".join(one.pieces)))) for one in merge(job)]


def values(found):
    return [
        row
        for _, table in found
        for row in zip(*(c.to_pylist() for c in table.columns), strict=True)
    ]


def test_no_number_is_lost_to_the_bounds_of_a_column_and_bounds_come_back(tmp_path):
    layout = Layout(
        1, (Column(1, "k", "float", pa.float64()), Column(2, "v", "float", pa.float64())), (0,)
    )
    parts = [
        [((1.0, math.nan), 1, False), ((math.nan, 1.0), 1, False)],
        [((-0.0, 2.0), 2, False), ((math.nan, 5.0), 2, True)],
        [((0.0, 3.0), 3, False)],
    ]
    [(facts, table)] = merged(tmp_path, layout, parts)
    keys = [str(key) for key in table.column("c1").to_pylist()]
    assert keys == ["0.0", "1.0", "nan"]
    assert facts.columns["c2"].minimum is None
    [(facts, table)] = merged(tmp_path, layout, [parts[2], [((1.0, 4.0), 4, False)]])
    assert (facts.columns["c2"].minimum, facts.columns["c2"].maximum) == (3.0, 4.0)


def test_of_spellings_of_one_key_the_newest_stays_and_no_tombstone_beside_it(tmp_path):
    layout = Layout(
        1, (Column(1, "k", "numeric", pa.string()), Column(2, "v", "int", pa.int64())), (0,)
    )
    parts = [
        [(("1.0", 1), 1, False), (("2", 1), 1, False)],
        [(("1.0", None), 5, True), (("1.00", 2), 5, False)],
        [(("2.0", 3), 6, True)],
    ]
    found = merged(tmp_path, layout, parts)
    assert values(found) == [("1.00", 2, 5, False), ("2.0", 3, 6, True)]


@pytest.mark.parametrize("rows", [16, 1])
def test_a_key_and_the_tombstone_of_its_old_spelling_may_lie_on_both_sides_of_a_segments_end(
    tmp_path, monkeypatch, rows
):
    monkeypatch.setattr("storage.cold.merge._READ_ROWS_MIN", rows)
    monkeypatch.setattr("storage.cold.merge._READ_ROWS_MAX", rows)
    layout = Layout(
        1, (Column(1, "k", "numeric", pa.string()), Column(2, "v", "int", pa.int64())), (0,)
    )
    new = [
        (("1", 0), 2, False),
        (("2.0", None), 3, True),
        (("2.00", 2), 3, False),
        (("3", 0), 3, False),
    ]
    old = [((str(n), 9), 1, False) for n in range(5)]
    inputs = (
        (
            *segments_of(tmp_path / "old", layout, [old]),
            *segments_of(tmp_path / "new", layout, [new], bytes_max=1),
        )
        if [(tmp_path / name).mkdir() for name in ("old", "new")]
        else ()
    )
    assert [segment.rows for segment in inputs[1:]] == [1, 1, 1, 1]
    found = [
        (o.facts, read_table(pa.py_buffer(b"".join(o.pieces))))
        for o in merge(MergeJob(TABLET, layout, inputs, (), 0))
    ]
    assert values(found) == [
        ("0", 9, 1, False),
        ("1", 0, 2, False),
        ("2.00", 2, 3, False),
        ("3", 0, 3, False),
        ("4", 9, 1, False),
    ]


def test_rows_of_older_schema_versions_are_written_in_the_newest(tmp_path):
    old = Layout(
        1, (Column(1, "k", "int", pa.int32()), Column(2, "gone", "text", pa.string())), (0,)
    )
    new = Layout(
        2,
        (
            Column(1, "k", "int", pa.int64()),
            Column(3, "v", "int", pa.int64(), missing=7),
            Column(4, "tags", "none", pa.list_(pa.string()), missing=("a",)),
        ),
        (0,),
    )
    found = merged(tmp_path, old, [[((1, "x"), 1, False), ((2, "y"), 1, False)]], into=new)
    assert values(found) == [(1, 7, ["a"], 1, False), (2, 7, ["a"], 1, False)]
    assert found[0][1].schema.metadata[b"schema_version"] == b"2"


def test_wide_rows_make_small_row_groups_and_several_segments(tmp_path):
    layout = Layout(
        1, (Column(1, "k", "int", pa.int64()), Column(2, "v", "text", pa.string())), (0,)
    )
    wide = "".join(chr(97 + n % 26) for n in range(1 << 16))
    parts = [
        [((n, f"{n}{wide}"), 1 + n % 2, False) for n in range(start, 48, 2)] for start in (0, 1)
    ]
    found = merged(tmp_path, layout, parts, bytes_max=1 << 17)
    assert len(found) > 1
    assert [row[0] for row in values(found)] == list(range(48))
    assert all(one.max_key < other.min_key for (one, _), (other, _) in pairwise(found))


# Which segments to compact.


def flushed(sizes, **how):
    return [segment(size, **how) for size in sizes]


def segment(size, rows=1000, **how):
    layout_free = {"sha256": "", "min_seq": 1, "max_seq": 1, "min_key": b"", "max_key": b"\xff"}
    from storage.cold.manifest import Segment

    return Segment(
        path="/x", rows=rows, size=size, deleted=how.get("deleted", 0),
        superseded=how.get("superseded", 0), filter_file="", continues=how.get("continues", False),
        **layout_free,
    )  # fmt: skip


@pytest.mark.parametrize("size", [4 << 10, 300 << 10, 3 << 20, 40 << 20])
def test_a_thousand_flushes_leave_ten_runs_and_every_row_is_written_five_times_at_most(size):
    found, written, flushes = [], 0, 1000
    full = set()
    for _ in range(flushes):
        found.append(segment(size))
        chosen = due(found, 0)
        if chosen:
            at = next(n for n, one in enumerate(found) if one is chosen[0])
            total = sum(one.size for one in chosen)
            written += total
            found[at : at + len(chosen)] = [segment(total)]
        full = {id(one) for one in found if one.size >= 64 << 20}
        assert len(found) - len(full) <= 10
    assert 1 + written / (flushes * size) <= 5
    assert len(full) <= flushes * size / (64 << 20)


def test_a_tablet_is_rewritten_when_much_of_it_is_hidden():
    segments = [segment(100 << 20, rows=1000), segment(5 << 20, rows=300, superseded=300)]
    assert due(segments, 0) == ()
    segments.append(segment(2 << 20, rows=100, superseded=100))
    assert due(segments, 0) == segments
    assert everything(segments[:1], 0) == ()
    assert everything(segments[:2], 0) == segments[:2]
    assert everything([segment(100 << 20), segment(1), segment(2)], 0) == [segment(1), segment(2)]
    assert due([segment(10 << 20, deleted=500)], 2) != ()
    assert due([segment(10 << 20, deleted=500)], 1) == ()
