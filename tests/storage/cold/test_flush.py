"""A flush neither loses nor doubles a row, wherever it is cut off."""

from functools import partial
from io import BytesIO
from itertools import pairwise

import pytest

from storage import failpoints
from storage.cold.collect import collect
from storage.cold.encoder import encode
from storage.cold.flush import SMALL_BYTES, clean, flush
from storage.cold.segment import encode_segments
from storage.cold.trim import trim
from storage.errors import DataCorruptedError, DiskFullError, IoError
from storage.fs import OS
from storage.keys import encode_key
from storage.log.log_entry import Op
from tests.storage.crashing_fs import CrashError, CrashingFs
from tests.storage.fake_log import FakeEngine, Write
from tests.storage.test_tablet import get, open_tablet, scan


@pytest.fixture(autouse=True)
def many_are_three(monkeypatch):
    """Three entries are many: what a loaded tail has of them is not read from the log again."""
    monkeypatch.setattr("storage.tail.entries.CHUNK_ENTRIES", 2)


class House:
    """A tablet with two flushes behind it and changes of cold rows waiting for the third."""

    def __init__(self, root):
        self.engine = FakeEngine(OS)
        self.directory = root / "cold" / "7" / "3"
        self.tablet = open_tablet(self.engine, self.directory)
        self.rows = {}
        for number in range(6):
            self.put(number)
        flush(self.engine, self.tablet)
        self.put(1)
        self.remove(2)
        flush(self.engine, self.tablet)
        trim(self.engine, self.tablet.id, self.tablet.schema, retained_from=self.engine.seq + 1)
        self.put(3)
        self.remove(4)
        self.put(2)
        self.put(9)

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

    def use(self, fs):
        self.engine.fs = fs
        self.tablet._fs = fs

    def reopen(self):
        self.use(OS)
        clean(OS, self.directory)
        self.tablet = open_tablet(self.engine, self.directory)

    def check(self):
        view = self.engine.view()
        assert scan(self.tablet, view) == self.rows
        for number in range(10):
            key = encode_key([number], ["int"])
            assert get(self.tablet, view, key) == self.rows.get((number,))

    def go_on(self):
        """Everything still works: flush, trim, collect, then nothing but what is needed is left."""
        self.check()
        self.put(5)
        flush(self.engine, self.tablet)
        self.check()
        trim(self.engine, self.tablet.id, self.tablet.schema, retained_from=self.engine.seq + 1)
        assert self.engine.entries == {}
        assert self.engine.index == {}
        collect(self.engine, self.tablet.id, self.tablet.directory)
        self.check()
        assert len(OS.listdir(self.directory)) == 1 + len(self.tablet.manifest.segments)
        self.reopen()
        self.check()


def changes_of_a_flush(tmp_path):
    house = House(tmp_path / "counted")
    fs = CrashingFs()
    house.use(fs)
    flush(house.engine, house.tablet)
    return fs.changes


@pytest.mark.parametrize("loaded", [True, False], ids=["from tail", "from log"])
@pytest.mark.parametrize("power", [False, True], ids=["kill", "power loss"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_file_operation_changes_no_row(tmp_path, after, power, loaded):
    count = changes_of_a_flush(tmp_path)
    assert count > 6
    for number in range(1, count + 1):
        house = House(tmp_path / str(number))
        if loaded:
            house.tablet.install(house.tablet.load(house.engine.view()))
        else:
            house.tablet.drop_tail()
        fs = CrashingFs(number, after=after)
        house.use(fs)
        with pytest.raises(CrashError):
            flush(house.engine, house.tablet)
        if power:
            fs.lose_power()
        house.reopen()
        house.go_on()


@pytest.mark.parametrize("error", [IoError, DiskFullError])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_refusal_at_any_file_operation_is_told_and_the_next_flush_succeeds(
    tmp_path, after, error
):
    for number in range(1, changes_of_a_flush(tmp_path) + 1):
        house = House(tmp_path / str(number))
        fs = CrashingFs(number, after=after, error=error)
        house.use(fs)
        try:
            flush(house.engine, house.tablet)
        except error:
            pass
        else:
            assert number == fs.changes, "only the last step, removing a temporary name, may fail"
        house.check()
        house.go_on()


def crash():
    raise CrashError


FAILPOINTS = (
    "flush.intent",
    "flush.encoded",
    "flush.file_written",
    "publish.files_durable",
    "publish.renamed",
    "publish.names_durable",
    "publish.manifest_written",
    "publish.manifest_linked",
    "publish.manifest_durable",
    "publish.swapped",
    "flush.done",
)


@pytest.mark.parametrize("name", FAILPOINTS)
def test_a_crash_at_any_failpoint_changes_no_row(tmp_path, name):
    house = House(tmp_path)
    with failpoints.armed(name, crash), pytest.raises(CrashError):
        flush(house.engine, house.tablet)
    house.reopen()
    house.go_on()


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_a_crash_amid_trim_changes_no_row(tmp_path, monkeypatch, batches):
    monkeypatch.setattr("storage.cold.trim._BATCH_ENTRIES", 1)
    house = House(tmp_path)
    flush(house.engine, house.tablet)
    before = len(house.engine.entries)
    delete, left = house.engine.delete_entries, [batches]

    def delete_some(cuts):
        if not left[0]:
            raise CrashError
        left[0] -= 1
        delete(cuts)

    house.engine.delete_entries = delete_some
    with pytest.raises(CrashError):
        trim(house.engine, house.tablet.id, house.tablet.schema, retained_from=house.engine.seq + 1)
    house.engine.delete_entries = delete
    assert len(house.engine.entries) == before - batches
    house.reopen()
    house.go_on()


def test_a_file_that_does_not_read_back_is_no_segment(tmp_path):
    class Forgetful(CrashingFs):
        def open_read(self, path):
            return BytesIO(path.read_bytes()[:-1]) if path.suffix == ".parquet" else path.open("rb")

    house = House(tmp_path)
    house.use(Forgetful())
    with pytest.raises(DataCorruptedError, match="does not read back"):
        flush(house.engine, house.tablet)
    house.use(OS)
    house.go_on()


def test_nothing_new_is_no_new_version(tmp_path):
    house = House(tmp_path)
    first = flush(house.engine, house.tablet)
    assert (first.version, first.rows, first.deleted, first.segments) == (3, 4, 1, 1)
    assert first.flushed_through == house.engine.seq
    assert flush(house.engine, house.tablet).version == 0
    assert house.tablet.manifest.version == 3


def test_a_flush_of_much_makes_several_segments_with_disjoint_keys(tmp_path):
    house = House(tmp_path)
    for number in range(100, 200):
        house.put(number)
    result = flush(
        house.engine,
        house.tablet,
        encoder=partial(encode, encode_batches=partial(encode_segments, bytes_max=1000)),
    )
    assert result.segments > 3
    parts = house.tablet.manifest.segments[2:]
    assert all(a.max_key < b.min_key for a, b in pairwise(parts))
    house.check()
    house.go_on()


def test_a_view_that_is_held_reads_on_while_flush_trim_and_collect_go_past_it(tmp_path):
    house = House(tmp_path)
    view, rows = house.engine.view(), dict(house.rows)
    house.engine.views.append(view.seq)
    for number in range(6):
        house.put(number)
    flush(house.engine, house.tablet)
    house.remove(0)
    flush(house.engine, house.tablet)
    trim(house.engine, house.tablet.id, house.tablet.schema, retained_from=house.engine.seq + 1)
    collect(house.engine, house.tablet.id, house.tablet.directory)
    assert scan(house.tablet, view) == rows
    house.check()
    house.engine.views.remove(view.seq)
    house.go_on()


def test_the_feed_keeps_what_it_retains(tmp_path):
    house = House(tmp_path)
    flush(house.engine, house.tablet)
    since = house.engine.seq - 1
    result = trim(house.engine, house.tablet.id, house.tablet.schema, retained_from=since)
    assert result.through == since - 1
    assert [seq for seq, _ in sorted(house.engine.entries)] == [since, since + 1]


def test_files_that_nothing_names_are_collected(tmp_path):
    house = House(tmp_path)
    for name in ("segment-1-stray.parquet", "tmp-left", "manifest-0000000001.json.bak"):
        (house.directory / name).write_bytes(b"x")
    removed = collect(house.engine, house.tablet.id, house.directory)
    assert {"segment-1-stray.parquet", "tmp-left", "manifest-0000000001.json.bak"} <= {*removed}
    assert len(OS.listdir(house.directory)) == 1 + len(house.tablet.manifest.segments)
    house.check()


def test_files_that_somebody_writes_are_not_collected(tmp_path):
    house = House(tmp_path)

    def look():
        before = sorted(OS.listdir(house.directory))
        assert any(name.startswith("tmp-") for name in before)
        removed = collect(house.engine, house.tablet.id, house.directory)
        assert removed == ["manifest-0000000001.json"]

    with failpoints.armed("flush.file_written", look):
        flush(house.engine, house.tablet)
    house.check()


def test_a_small_flush_that_is_killed_publishes_nothing_and_is_done_again(tmp_path, monkeypatch):
    house = House(tmp_path)
    version = house.tablet.manifest.version

    def killed():
        raise CrashError

    with (
        failpoints.armed(
            "flush.encoded", lambda: monkeypatch.setattr(house.engine, "check", killed)
        ),
        pytest.raises(CrashError),
    ):
        flush(house.engine, house.tablet)
    assert house.tablet.manifest.version == version
    house.check()
    monkeypatch.undo()
    flush(house.engine, house.tablet)
    assert house.tablet.manifest.version == version + 1
    house.check()


@pytest.mark.parametrize(("size", "small"), [(SMALL_BYTES // 2, True), (SMALL_BYTES, False)])
def test_a_row_that_is_large_is_no_small_job(tmp_path, size, small):
    engine = FakeEngine(OS)
    tablet = open_tablet(engine, tmp_path / "cold" / "7" / "3")
    engine.commit(Write(Op.INSERT, encode_key([1], ["int"]), (1, "x" * size, 1), None))
    told = []

    def encoder(jobs):
        told.extend(job.small for job in jobs)
        yield from encode(jobs)

    assert flush(engine, tablet, encoder=encoder).rows == 1
    assert told == [small]
