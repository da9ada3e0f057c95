"""The store's wrapper: closing under a reader is safe, and a synced batch takes older ones along."""

import threading

import pytest

from storage.errors import DataCorruptedError, IoError, SerializationError
from storage.fs import OS, OsFileSystem
from storage.log.hot import HotOptions, HotStore

SMALL = HotOptions(write_buffer_bytes=64 << 10, cache_bytes=1 << 20)


def rows(count, size=20):
    return [(b"k%06d" % number, b"v" * size) for number in range(count)]


@pytest.fixture
def store(tmp_path):
    opened = HotStore(OS, tmp_path / "log", create=True, options=SMALL)
    yield opened
    opened.close()


def test_a_batch_is_read_back_and_a_snapshot_does_not_change(store):
    store.write(rows(3), sync=False)
    snapshot = store.snapshot()
    store.write([(b"k000001", None), (b"k000002", b"new")], sync=True)
    assert [store.get(key) for key, _ in rows(3)] == [b"v" * 20, None, b"new"]
    assert list(snapshot.scan(b"k", b"l")) == rows(3)
    assert snapshot.get(b"k000001") == b"v" * 20
    snapshot.close()


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 80, 81, 1000])
def test_a_scan_gives_everything_once_in_both_directions(store, count):
    store.write(rows(count), sync=False)
    snapshot = store.snapshot()
    assert list(snapshot.scan(b"k", b"l")) == rows(count)
    assert list(snapshot.scan(b"k", b"l", reverse=True)) == rows(count)[::-1]
    assert list(snapshot.scan_keys(b"k", b"l")) == [key for key, _ in rows(count)]
    snapshot.close()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 40])
def test_a_scan_begins_and_ends_at_keys_that_are_there_in_both_directions(store, count):
    store.write([*rows(200), (b"j", b""), (b"l", b"")], sync=False)
    snapshot = store.snapshot()
    for first in (0, 7):
        wanted = rows(200)[first : first + count]
        start, stop = (b"k%06d" % (first + more) for more in (0, count))
        assert list(snapshot.scan(start, stop)) == wanted
        assert list(snapshot.scan(start, stop, reverse=True)) == wanted[::-1]
        keys = list(snapshot.scan_keys(start, stop, reverse=True))
        assert keys == [key for key, _ in wanted[::-1]]
    snapshot.close()


def test_a_scan_of_large_values_takes_few_at_a_time(store, monkeypatch):
    monkeypatch.setattr("storage.log.hot._CHUNK_BYTES_MAX", 100)
    wanted = [(b"k%03d" % number, b"v" * (number % 7) * 20) for number in range(100)]
    store.write(wanted, sync=False)
    snapshot = store.snapshot()
    assert list(snapshot.scan(b"k", b"l")) == wanted
    assert list(snapshot.scan(b"k", b"l", reverse=True)) == wanted[::-1]
    snapshot.close()


def test_a_scan_may_be_left_half_way(store):
    store.write(rows(500), sync=False)
    snapshot = store.snapshot()
    scan = snapshot.scan(b"k", b"l")
    assert next(scan) == rows(1)[0]
    scan.close()
    snapshot.close()


def test_after_closing_every_read_is_a_serialization_failure(store):
    store.write(rows(100), sync=False)
    snapshot = store.snapshot()
    scan = snapshot.scan(b"k", b"l")
    next(scan)
    store.close()
    store.close()
    for read in (
        lambda: snapshot.get(b"k000001"),
        lambda: list(scan),
        lambda: list(snapshot.scan(b"k", b"l")),
        lambda: store.get(b"k000001"),
        store.snapshot,
        lambda: store.write(rows(1), sync=True),
    ):
        with pytest.raises(SerializationError):
            read()
    snapshot.close()


@pytest.mark.slow
def test_closing_under_running_readers_ends_them_and_not_the_process(store):
    store.write(rows(5000), sync=False)
    snapshot = store.snapshot()
    started, ended = threading.Barrier(5), []

    def read():
        started.wait()
        try:
            while True:
                for key, _ in snapshot.scan(b"k", b"l"):
                    snapshot.get(key)
        except SerializationError as exc:
            ended.append(exc)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    started.wait()
    store.close()
    for reader in readers:
        reader.join(timeout=10)
    assert len(ended) == 4


class CountingFs(OsFileSystem):
    """Remembers which files were synced."""

    def __init__(self):
        self.synced = []

    def sync_file(self, path):
        self.synced.append(path.name)
        super().sync_file(path)


def test_a_synced_batch_after_unsynced_ones_syncs_every_log_file_first(tmp_path):
    fs = CountingFs()
    store = HotStore(fs, tmp_path / "log", create=True, options=SMALL)
    store.write(rows(1), sync=True)
    assert fs.synced == []  # Nothing came before: LevelDB's own fsync is enough.
    store.write(rows(1), sync=False)
    store.write(rows(1), sync=True)
    assert len(fs.synced) == 1
    assert fs.synced[0].endswith(".log")
    store.write(rows(1), sync=False)
    store.sync()
    store.sync()
    assert len(fs.synced) == 2
    store.write(rows(1), sync=True)
    assert len(fs.synced) == 2
    store.close()


class BrokenFs(OsFileSystem):
    def sync_file(self, path):
        raise IoError("the disk is gone")


def test_after_a_failed_sync_nothing_is_written_any_more(tmp_path):
    store = HotStore(BrokenFs(), tmp_path / "log", create=True, options=SMALL)
    store.write(rows(1), sync=False)
    for _ in range(2):  # A second fsync would succeed, and lie.
        with pytest.raises(IoError, match="the disk is gone"):
            store.write(rows(2), sync=True)
    assert store.failed is not None
    assert store.get(b"k000000") is not None
    store.close()


def test_only_a_directory_known_to_be_new_is_created(tmp_path):
    with pytest.raises(DataCorruptedError, match="missing"):
        HotStore(OS, tmp_path / "log", create=False, options=SMALL)


def test_a_flipped_bit_in_a_table_is_reported_and_not_returned(tmp_path):
    store = HotStore(OS, tmp_path / "log", create=True, options=SMALL)
    store.write([(b"a%05d" % n, bytes(100)) for n in range(2000)], sync=True)
    store.compact(b"a", b"b")
    store.close()
    table = max((tmp_path / "log").glob("*.ldb"), key=lambda path: path.stat().st_size)
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 1
    table.write_bytes(data)
    store = HotStore(OS, tmp_path / "log", create=False, options=SMALL)
    snapshot = store.snapshot()
    with pytest.raises(DataCorruptedError):
        dict(snapshot.scan(b"a", b"b"))
    snapshot.close()
    store.close()
