"""When the log cannot be written: the facts decide what is said, and nothing is lost or doubled."""

from dataclasses import replace

import pytest

from storage.errors import (
    DiskFullError,
    IoError,
    KeyTooLongError,
    OutcomeUnknownError,
    SerializationError,
)
from storage.fs import OsFileSystem
from storage.log.hot import HotStore
from storage.log.log_entry import encode_entry
from tests.storage.engine_fixtures import (
    OPTIONS,
    commit,
    insert,
    open_engine,
    read,
    update,
    write_set,
)


@pytest.fixture
def engine(tmp_path):
    opened = open_engine(tmp_path / "data")
    yield opened
    opened.close()


class Failing:
    """Lets the store's next write fail, before or after it is done."""

    def __init__(self, monkeypatch, *, after, error):
        original = HotStore.write

        def write(store, puts, *, sync):
            monkeypatch.setattr(HotStore, "write", original)
            if after:
                original(store, puts, sync=sync)
            store.failed = error
            raise error

        monkeypatch.setattr(HotStore, "write", write)


def test_a_batch_that_did_not_reach_the_log_is_an_error(engine, monkeypatch):
    commit(engine, insert(1, "a"))
    Failing(monkeypatch, after=False, error=IoError("refused"))
    with pytest.raises(IoError, match="refused"):
        commit(engine, insert(2, "b"), sync=True)
    assert (read(engine, 1), read(engine, 2)) == ("a", None)
    assert commit(engine, insert(2, "c"), sync=True)
    assert read(engine, 2) == "c"


def test_a_batch_that_reached_the_log_after_all_is_a_commit(engine, monkeypatch):
    Failing(monkeypatch, after=True, error=IoError("refused"))
    seq = commit(engine, insert(1, "a"), sync=True)
    assert read(engine, 1) == "a"
    assert engine.durable_seq == seq


def test_when_the_log_cannot_be_opened_again_the_outcome_is_unknown(engine, monkeypatch):
    commit(engine, insert(1, "a"))
    opened, original = [], HotStore.__init__

    def refuse_once(store, *args, **how):
        if not opened:
            opened.append(1)
            raise IoError("still refused")
        original(store, *args, **how)

    Failing(monkeypatch, after=False, error=IoError("refused"))
    monkeypatch.setattr(HotStore, "__init__", refuse_once)
    with pytest.raises(OutcomeUnknownError):
        commit(engine, insert(2, "b"), sync=True)
    with pytest.raises(SerializationError):
        read(engine, 1)
    # The next group opens it, and everything goes on.
    commit(engine, insert(3, "c"))
    assert [read(engine, number) for number in (1, 2, 3)] == ["a", None, "c"]


def test_a_view_held_over_a_failure_ends(engine, monkeypatch):
    commit(engine, insert(1, "a"))
    view = engine.acquire()
    Failing(monkeypatch, after=False, error=IoError("refused"))
    with pytest.raises(IoError):
        commit(engine, insert(2, "b"))
    with pytest.raises(SerializationError):
        read(view, 1)
    view.release()
    assert read(engine, 1) == "a"
    assert engine.oldest_view_seq() == engine.current.seq


def test_unsynced_commits_before_a_failure_stay(engine, monkeypatch):
    for number in range(50):
        commit(engine, insert(number, "x"))
    Failing(monkeypatch, after=False, error=IoError("refused"))
    with pytest.raises(IoError):
        commit(engine, insert(99))
    assert all(read(engine, number) == "x" for number in range(50))
    assert engine.durable_seq == engine.current.seq


class SmallDisk(OsFileSystem):
    """A disk with as much room as it is told."""

    free = 100 << 20

    def free_bytes(self, path):
        return self.free


def test_a_full_disk_refuses_writes_and_resumes_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("storage.log.log._ROOM_CHECK_S", 0.0)
    disk = SmallDisk()
    options = replace(OPTIONS, low_water_bytes=10 << 20, reserve_bytes=1 << 20)
    engine = open_engine(tmp_path / "data", fs=disk, options=options)
    commit(engine, insert(1, "a"))
    assert disk.size(tmp_path / "data" / "reserve") == 1 << 20
    disk.free = 5 << 20
    with pytest.raises(DiskFullError):
        commit(engine, insert(2, "b"))
    assert read(engine, 1) == "a"
    disk.free = 100 << 20
    commit(engine, insert(2, "b"))
    assert read(engine, 2) == "b"
    engine.close()


def test_a_disk_that_fills_up_in_a_write_gives_the_reserve_back(tmp_path, monkeypatch):
    monkeypatch.setattr("storage.log.log._ROOM_CHECK_S", 0.0)
    options = replace(OPTIONS, reserve_bytes=1 << 20)
    engine = open_engine(tmp_path / "data", options=options)
    commit(engine, insert(1, "a"))
    Failing(monkeypatch, after=False, error=DiskFullError("full"))
    with pytest.raises(DiskFullError):
        commit(engine, insert(2, "b"))
    assert not (tmp_path / "data" / "reserve").exists()
    commit(engine, insert(2, "b"))
    assert (tmp_path / "data" / "reserve").exists()
    engine.close()


def test_a_stream_only_commit_is_no_debt_of_the_log(tmp_path):
    engine = open_engine(tmp_path / "data")
    commit(engine, insert(1, "a"), sync=True)
    commit(engine, streams=[insert(1, "typing")], sync=True)
    engine.close()
    engine = open_engine(tmp_path / "data")
    assert read(engine, 1) == "a"
    engine.close()


def test_a_group_that_cannot_be_written_answers_every_member(engine, monkeypatch):
    refused = write_set(insert(1, "z", assumed=77), insert(2))
    commit(engine, insert(1, "a"))
    Failing(monkeypatch, after=False, error=IoError("refused"))
    sets = [write_set(insert(3)), refused, write_set(insert(4))]
    engine.publish(engine.write_group(sets))
    kinds = [type(one.error) for one in sets]
    assert kinds == [IoError, SerializationError, IoError]


@pytest.mark.parametrize("body", ["\ud800", object()], ids=["half a character", "a bug"])
def test_a_row_that_cannot_be_encoded_fails_its_own_set_and_no_other(engine, body):
    sets = [write_set(insert(1)), write_set(insert(2), insert(3, body)), write_set(insert(4))]
    engine.publish(engine.write_group(sets))
    assert [one.error is None for one in sets] == [True, False, True]
    assert sets[1].error.sqlstate == ("22021" if body == "\ud800" else "XX000")
    assert [read(engine, number) for number in (1, 2, 3, 4)] == ["", None, None, ""]


def test_a_row_larger_than_any_segment_could_hold_is_refused(engine, monkeypatch):
    monkeypatch.setattr("storage.log.log_entry.ENTRY_BYTES_MAX", 1000)
    commit(engine, insert(1, "x" * 900))
    with pytest.raises(KeyTooLongError, match="row is too big"):
        commit(engine, insert(2, "x" * 1000))
    assert read(engine, 2) is None


def test_a_large_set_counts_for_those_behind_it_in_its_group(engine, monkeypatch):
    monkeypatch.setattr("storage.log.writes.LARGE_WRITES", 3)
    large = write_set(*[insert(number, "a") for number in range(5)])
    again, over = write_set(insert(3, "b")), write_set(update(4, "c", "a"))
    engine.publish(engine.write_group([write_set(insert(9, "d")), large, again, over]))
    assert isinstance(again.error, SerializationError)
    assert [read(engine, number) for number in (0, 3, 4, 9)] == ["a", "a", "c", "d"]


class Counted(bytes):
    """A log entry that is counted while it is in memory."""

    there = 0

    def __init__(self, _data):
        Counted.there += 1

    def __del__(self):
        Counted.there -= 1


def test_what_a_large_set_writes_is_let_go_of_as_it_is_written(engine, monkeypatch):
    monkeypatch.setattr("storage.log.writes.LARGE_WRITES", 50)
    monkeypatch.setattr("storage.log.writes.encode_entry", lambda *of: Counted(encode_entry(*of)))
    there = []

    def write(_store, puts, *, sync):
        there.extend(Counted.there for _ in puts)

    monkeypatch.setattr(HotStore, "write", write)
    engine.publish(engine.write_group([write_set(*[insert(number) for number in range(50)])]))
    assert there[0] == 50 or there[1] == 50
    assert all(count <= 51 - at // 2 for at, count in enumerate(there[2:]))
