"""Lives of a tablet, written and flushed by the real storage, as an engine reads them: a dict's answers."""

import math
import shutil
import tempfile
import zlib
from functools import partial
from pathlib import Path
from struct import pack

import msgspec
import pyarrow as pa
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from kalam_pg.engines import merging
from kalam_pg.engines.request import ArrowResult, BatchRef, EngineQuery, Limits, TableInput
from kalam_pg.engines.segments import VerifiedSegments
from kalam_pg.query.scan import segment_refs
from storage.arrow import key_batch, to_rows
from storage.cold import keyfilter
from storage.cold.compaction import CompactionResult, compact_together
from storage.cold.encoder import encode
from storage.cold.flush import flush
from storage.cold.keysets import Keys, KeySet
from storage.cold.manifest import runs, superseding
from storage.cold.merge import MergeJob
from storage.cold.segment import SEGMENT_BYTES_MAX, encode_segments
from storage.engine import Write
from storage.keys import encode_key
from storage.layout import Column, Layout
from storage.log.log_entry import Op
from tests.kalam_pg.engines.inprocess import InProcess
from tests.storage.engine_fixtures import TABLET, commit, open_engine
from tests.storage.test_engine_model import Host


def interval(months, days, us):
    return pack(">iiq", months, days, us)


COLUMNS = {
    "int": ("int", pa.int64(), [-(2**63), -1, 0, 7, 2**63 - 1]),
    "text": ("text", pa.string(), ["", "a", "a:b", "1:a", "ä", "z" * 70]),
    "bytes": ("bytes", pa.binary(), [b"", b"\0", b"1:", b"\xff"]),
    "uuid": ("uuid", pa.binary(16), [b"\0" * 16, b"\1" * 16, b"\xff" * 16]),
    "numeric": ("numeric", pa.string(), ["0", "0.00", "1", "1.0", "1.50", "1.5", "10", "100", "NaN"]),
    "decimal": ("numeric", pa.decimal128(10, 2), ["1.50", "-2.00", "0.00"]),
    "float": ("float", pa.float64(), [0.0, -0.0, -1.5, math.inf, math.nan]),
    "real": ("float", pa.float32(), [0.0, -0.0, 0.5, math.nan]),
    "interval": ("interval", pa.binary(16), [interval(1, 0, 0), interval(0, 30, 0), interval(0, 1, 5)]),
    "date": ("int", pa.date32(), [-(2**31), 0, 2**31 - 1]),
    "timestamp": ("int", pa.timestamp("us"), [-(2**63), 0, 2**63 - 1]),
    "bool": ("bool", pa.bool_(), [False, True]),
}  # fmt: skip
KEYS = [
    *((name,) for name in COLUMNS),
    ("text", "text"),
    ("int", "int"),
    ("bool", "numeric"),
    ("interval", "float", "bytes"),
    ("uuid", "date", "decimal"),
]
CHANGE = st.tuples(st.integers(0, 9), st.sampled_from([False, False, True]))
CHANGES = st.lists(CHANGE, min_size=1, max_size=8)
AFTER = st.sampled_from(
    ["flush", "flush", "flush", "flush_and_compact", "compact", "hold", "look", "truncate", "write"]
)
STEPS = st.lists(st.tuples(CHANGES, AFTER), min_size=4, max_size=15)
"""What is written, and what then happens (or more is written)."""


class Life:
    """One tablet with a primary key of some columns, and what it should hold."""

    def __init__(self, path, key):
        columns = [Column(at, f"k{at}", *COLUMNS[name][:2]) for at, name in enumerate(key, 1)]
        self.body = len(columns) + 1
        columns.append(Column(self.body, "body", "text", pa.string()))
        self.layout = Layout(1, tuple(columns), tuple(range(len(key))))
        self.kinds = [column.kind for column in columns[:-1]]
        self.values = [COLUMNS[name][2] for name in key]
        self.storage = open_engine(path, tablet_factory=None)
        self.tablet = self.storage.tablet(TABLET, self.layout)
        self.rows = {}
        self.held = []
        self.engine = InProcess()
        self.count = 0
        self.part = SEGMENT_BYTES_MAX

    def close(self):
        for view, _ in self.held:
            view.release()
        self.storage.close()

    def write(self, changes):
        writes = {}
        for number, remove in changes:
            self.count += 1
            values, rest = [], number
            for some in self.values:
                rest, at = divmod(rest, len(some))
                values.append(some[at])
            key = encode_key(values, self.kinds)
            old, new = self.rows.get(key), None if remove else (*values, f"v{self.count}")
            if key in writes or (old is None and new is None):
                continue
            op = Op.DELETE if new is None else Op.INSERT if old is None else Op.UPDATE
            writes[key] = Write(TABLET, op, key, new or old, old, 1)
        commit(self.storage, *writes.values())
        for key, write in writes.items():
            self.rows[key] = write.row
            if write.op is Op.DELETE:
                del self.rows[key]

    def flush(self):
        cut = partial(encode_segments, bytes_max=self.part)
        flush(Host(self.storage), self.tablet, encoder=partial(encode, encode_batches=cut))

    def flush_and_compact(self):
        self.flush()
        self.compact()

    def compact(self):
        """Some runs that lie side by side, by the number of what was written; or all."""
        found = runs(self.tablet.manifest.segments)
        start = self.count % (len(found) + 1)
        end = start + 1 + self.count // 7 % 4 if self.count % 3 else len(found)
        chosen = [segment for run in found[start:end] for segment in run]
        newest = self.tablet.manifest.flushed_through
        before = (0, newest // 2, newest + 1)[self.count % 3]
        small = partial(MergeJob, bytes_max=self.part)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("storage.cold.compaction.MergeJob", small)
            patch.setattr("storage.cold.merge._READ_ROWS_MAX", 1 + self.count % 3)
            patch.setattr("storage.cold.merge._READ_ROWS_MIN", 1)
            (answer,) = compact_together(
                Host(self.storage), [self.tablet], lambda *_: chosen, before
            )
        assert isinstance(answer, CompactionResult), answer
        assert (answer.version > 0) == bool(chosen)

    def truncate(self):
        commit(self.storage, Write(TABLET, Op.TRUNCATE, b"", (), None, 1))
        self.rows = {}

    def hold(self):
        self.held.append((self.storage.acquire(), dict(self.rows)))

    def look(self):
        for view, rows in [*self.held, (self.storage.current, self.rows)]:
            self.compare(view, rows)

    def compare(self, view, rows):
        names = [*(f"c{at}" for at in range(1, self.body + 1)), "_seq"]
        expected = sorted((key, row[-1]) for key, row in rows.items())
        found = [row for batch in self.ask(view, names, "SELECT * FROM t") for row in
                 to_rows(batch, self.layout)]  # fmt: skip
        keys = [encode_key(row[:-1], self.kinds) for row in found]
        assert sorted(zip(keys, [row[-1] for row in found], strict=True)) == expected
        # The key is not among the columns read.
        [counted] = self.ask(view, [], "SELECT count(*) AS n FROM t")
        assert counted.column("n").to_pylist() == [len(rows)]
        some = expected[len(expected) // 2][1] if expected else "?"
        body = f"c{self.body}"
        [one] = self.ask(view, [body], f"SELECT count(*) AS n FROM t WHERE {body} <= '{some}'")
        assert one.column("n").to_pylist() == [sum(value <= some for _, value in expected)]

    def merged(self):
        """What a worker finds that newer segments hide of the newest view."""
        segments = segment_refs(self.tablet.manifest.segments)
        names = tuple(f"c{at}" for at in range(1, self.body))
        verified = VerifiedSegments()
        footers = {one.path: verified.open(one, {*names}) for one in segments}
        return merging.Merges().merged(segments, footers, names, self.kinds, overlapping=True)

    def ask(self, view, names, sql):
        found = self.tablet.scan(view)
        if found is None:
            self.tablet.install(self.tablet.load(view))
            found = self.tablet.scan(view)
        fields = {f"c{column.id}": column.arrow for column in self.layout.columns}
        fields["_seq"] = pa.int64()
        table = TableInput(
            name="t",
            schema=pa.schema([(name, fields[name]) for name in names]),
            hot=tuple(BatchRef(number, batch) for number, batch in found.batches),
            segments=segment_refs(found.segments),
            key_columns=tuple(f"c{at}" for at in range(1, self.body)),
            key_kinds=tuple(self.kinds),
            superseded=found.superseded,
            overlapping=found.overlapping,
        )

        async def main():
            query = EngineQuery(sql, (table,), (), ArrowResult())
            return [batch async for batch in await self.engine.run(query, Limits())]

        return trio.run(main)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(
    key=st.sampled_from(KEYS),
    steps=STEPS,
    small=st.sampled_from([0, 2300, 64 << 10]),
    part=st.sampled_from([100, 128 << 20]),
    kept=st.sampled_from([0, 64 << 20]),
)
def test_a_scan_of_any_life_is_a_dict(key, steps, small, part, kept):
    """small: files kept whole, up to this. part: bytes of a segment. kept: bytes that a worker keeps."""
    directory = Path(tempfile.mkdtemp(prefix="kalam-merging-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kalam_pg.engines.segments.SMALL_BYTES", small)
        life = Life(directory, key)
        life.part = part
        life.engine._merges.bytes_max = kept
        try:
            for changes, after in steps:
                life.write(changes)
                if after != "write":
                    getattr(life, after)()
            life.look()
        finally:
            life.close()
            shutil.rmtree(directory)


@pytest.fixture
def life(tmp_path):
    life = Life(tmp_path, ("int",))
    life.values = [range(100_000)]
    yield life
    life.close()


def reads(monkeypatch):
    """What is read from files to merge: (segment, columns), as it comes."""
    seen = []
    read = merging._read

    def noted(segment, columns):
        seen.append((segment.path, columns))
        return read(segment, columns)

    monkeypatch.setattr(merging, "_read", noted)
    return seen


def test_each_small_file_is_read_once_for_many_edits_and_not_again(life, monkeypatch):
    seen = reads(monkeypatch)
    life.write([(number, False) for number in range(1000)])
    life.flush()
    for number in range(20):
        life.write([(number * 7, False)])
        life.flush()
    life.look()
    assert len(seen) == len({path for path, _ in seen}) == 20
    assert all(columns is None for _, columns in seen)
    life.look()
    assert len(seen) == 20
    life.write([(5, False)])
    life.flush()
    life.look()
    assert len(seen) == 21


def test_large_segments_are_not_read_to_merge(life, monkeypatch):
    monkeypatch.setattr("kalam_pg.engines.segments.SMALL_BYTES", 0)
    seen = reads(monkeypatch)
    for numbers in (range(0, 100, 2), range(1, 101, 2), range(1000, 1100), [1050, 3]):
        life.write([(number, False) for number in numbers])
        life.flush()
    life.look()
    assert not seen
    life.count += (1 - life.count) % 3  # so that not all runs are compacted
    life.compact()
    life.look()
    assert not seen


def test_of_segments_that_nothing_meets_no_key_is_asked(life, monkeypatch):
    monkeypatch.setattr("kalam_pg.engines.segments.SMALL_BYTES", 0)
    for numbers in (range(100), range(100, 200), [3]):
        life.write([(number, False) for number in numbers])
        life.flush()
    merged = life.merged()
    assert [one.hidden is not None for one in merged.large] == [True, False, False]


@pytest.mark.parametrize("filters", ["gone", "damaged", "old"])
def test_without_its_superseding_keys_a_segment_hides_what_it_hid(life, monkeypatch, filters):
    monkeypatch.setattr("kalam_pg.engines.segments.SMALL_BYTES", 0)
    for numbers in (range(2000), range(1000, 3000, 2)):
        life.write([(number, False) for number in numbers])
        life.flush()
    side = life.tablet.manifest.segments[1].filter_path
    good = side.read_bytes()
    keyfilter.decode(good)
    length = int.from_bytes(good[1:5], "big")
    head = msgspec.msgpack.decode(good[9 : 9 + length])
    if filters == "gone":
        side.unlink()
    elif filters == "damaged":
        at = 9 + length + 100  # among the keys
        side.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    else:
        body = msgspec.msgpack.encode(head[:7])
        fixed = len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big")
        side.write_bytes(b"\2" + fixed + body + good[9 + length + head[7] :])
        assert keyfilter.decode(side.read_bytes()).may_hold(encode_key((1000,), ("int",)))
    life.look()


def test_the_later_segments_of_a_flush_that_hides_rows_may_hide_some(life):
    life.write([(number, False) for number in range(100)])
    life.flush()
    life.part = 200
    life.write([(number, False) for number in range(100)])
    life.flush()
    assert sum(segment.superseded > 0 for segment in life.tablet.manifest.segments) == 1
    first, *others = superseding(life.tablet.manifest.segments)
    assert not first
    assert len(others) > 5
    assert all(others)
    life.look()


@pytest.mark.parametrize("small", [0, 64 << 10])
def test_a_key_spelled_anew_is_seen_beside_the_tombstone_of_its_old_spelling(
    tmp_path, monkeypatch, small
):
    monkeypatch.setattr("kalam_pg.engines.segments.SMALL_BYTES", small)
    life = Life(tmp_path, ("numeric",))
    for spelling in (0, 0, 1):  # "0" in cold, "0" again in the log, and then "0.00".
        life.write([(spelling, False), (2, False)])
        if not life.tablet.manifest.segments:
            life.flush()
    life.flush()
    life.write([(2, False)])
    life.flush()
    life.look()
    life.close()


def test_a_key_spelled_anew_where_two_segments_of_a_flush_meet_ends_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("kalam_pg.engines.segments.SMALL_BYTES", 0)
    life = Life(tmp_path, ("interval", "float", "bytes"))
    life.part = 100  # about a row a segment
    for changes in ([(0, False)], [(0, False)], [(7, False)], [(0, False), (6, False), (8, False)]):
        life.write(changes)
        life.flush()
    life.look()
    life.close()


@pytest.mark.parametrize("small", [0, 64 << 10])
def test_a_key_that_is_not_a_number_is_found_beside_one_that_is(tmp_path, monkeypatch, small):
    monkeypatch.setattr("kalam_pg.engines.segments.SMALL_BYTES", small)
    life = Life(tmp_path, ("float",))
    one, nan = 2, 4  # -1.5, and NaN, which bounds of the column would leave out
    life.write([(one, False), (nan, False)])
    life.flush()
    life.look()
    life.write([(nan, False)])
    life.look()
    life.close()


def test_keys_are_found_in_the_part_of_a_set_where_they_may_be():
    kinds = ("int", "text")
    columns = [pa.array([3, 1, 2]), pa.array(["c", "a", "b"])]
    found = KeySet.of(Keys.of(columns, kinds))
    batch = [pa.array([2, 2, 3]), pa.array(["b", "c", "c"])]
    assert found.has(Keys.of(batch, kinds)).to_pylist() == [True, False, True]
    assert found.has(Keys.of([pa.array([7]), pa.array(["a"])], kinds)) is None
    none = key_batch([], Layout(1, (Column(1, "k", "int", pa.int64()),), (0,)))
    assert found.has(Keys.of([none.column(0), pa.array([], pa.string())], kinds)) is None
