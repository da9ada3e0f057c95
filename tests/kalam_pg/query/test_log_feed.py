"""A subscription that reads on in the log finds every change in order, or hears that they are gone."""

import pytest

from kalam_pg.live.commits import Position
from kalam_pg.query.log_feed import READ_BYTES, LogFeed
from storage.engine import Engine, Write, WriteSet
from storage.errors import SnapshotTooOldError
from storage.ids import TabletId
from storage.keys import meta_key
from storage.log.log_entry import Op
from storage.log.retained import RETAINED, Retained

A, B = TabletId(1, 1), TabletId(2, 1)


@pytest.fixture
def engine(tmp_path):
    engine = Engine.open(tmp_path / "data")
    yield engine
    engine.close()


def commit(engine, *keys, tablet=A, system=()):
    writes = [Write(tablet, Op.INSERT, key, (key.decode(),), None, 1, None) for key in keys]
    made = WriteSet(writes, [], list(system), sync=bool(system))
    engine.publish(engine.write_group([made]))
    assert made.error is None
    return made.seq


def found(engine, position, through=1 << 62, changes=100):
    return [
        (commit.seq, [change.row[0] for change in commit.changes])
        for commit in LogFeed(engine).after(A, position, through, changes)
    ]


def test_commits_of_the_tablet_come_whole_and_in_order(engine):
    first = commit(engine, b"a", b"b")
    commit(engine, b"x", tablet=B)
    second, third = commit(engine, b"c"), commit(engine, b"d")
    assert found(engine, Position(0)) == [(first, ["a", "b"]), (second, ["c"]), (third, ["d"])]
    assert found(engine, Position(0), changes=2) == [(first, ["a", "b"])]
    assert found(engine, Position(first)) == [(second, ["c"]), (third, ["d"])]
    assert found(engine, Position(first, 0))[0] == (first, ["b"])
    assert found(engine, Position(first), through=second) == [(second, ["c"])]
    assert found(engine, Position(third)) == []


def test_a_commit_is_given_in_parts_only_if_it_is_larger_than_what_is_read_at_a_time(engine):
    small = commit(engine, b"a", b"b")
    large = commit(engine, *[b"%d" % number for number in range(10)])
    feed, position, read = LogFeed(engine), Position(0), []
    while part := feed.after(A, position, large, 4):
        assert sum(len(one.changes) for one in part) <= 8
        read += [(one.seq, [c.n for c in one.changes], one.more) for one in part]
        position = part[-1].end
    assert read == [
        (small, [0, 1], False),
        (large, [0, 1, 2, 3], True),
        (large, [4, 5, 6, 7], True),
        (large, [8, 9], False),
    ]
    assert position == Position(large)


def test_large_rows_are_read_one_by_one(engine):
    seq = commit(engine, *[bytes([65 + number]) * (READ_BYTES + 1) for number in range(3)])
    position, counts = Position(0), []
    while part := LogFeed(engine).after(A, position, seq, 100):
        counts += [len(one.changes) for one in part]
        position = part[-1].end
    assert counts == [1, 1, 1]


def test_what_trim_has_taken_is_too_old(engine):
    first, second = commit(engine, b"a", b"b"), commit(engine, b"c")
    noted = Retained(second, second).pack()
    commit(engine, b"d", system=[(meta_key(A, RETAINED), noted)])
    assert found(engine, Position(second - 1))[0] == (second, ["c"])
    for position in (Position(0), Position(first, 0), Position(second - 2)):
        with pytest.raises(SnapshotTooOldError) as raised:
            found(engine, position)
        assert raised.value.retained_from == second


def test_what_a_crash_has_taken_is_too_old(tmp_path):
    engine = Engine.open(tmp_path / "data")
    lost = commit(engine, b"a") + 1
    engine.close()
    engine = Engine.open(tmp_path / "data")
    commit(engine, b"b")
    with pytest.raises(SnapshotTooOldError):
        found(engine, Position(lost))
    engine.close()
