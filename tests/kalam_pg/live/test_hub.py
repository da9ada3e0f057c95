"""Every subscriber sees exactly the commits after its position, in order, none twice, whatever happens."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, precondition, rule

from kalam_pg.live.commits import END, Commit, Gap, Position, RowChange
from kalam_pg.live.hub import READ_CHANGES, Hub
from kalam_pg.live.subscriber import Subscriber
from storage.errors import SnapshotTooOldError
from storage.ids import TabletId
from storage.log.log_entry import Op
from storage.log.writes import Write, WriteSet

A, B, STREAM = TabletId(1, 1), TabletId(2, 1), TabletId(1, 2)


class Buffer:
    """A stream's buffer in memory, and up to where it has forgotten."""

    def __init__(self) -> None:
        self.changes: list[tuple[Position, RowChange]] = []
        self.forgotten = Position(0)
        self.part = READ_CHANGES

    def forget(self, count: int) -> None:
        for place, _ in self.changes[:count]:
            self.forgotten = place
        del self.changes[:count]

    def kept_from(self, _tablet):
        return self.forgotten

    def count(self, _tablet, position, through):
        return sum(position < place <= (through, END) for place, _ in self.changes)

    def check(self, _tablet, position):
        if position < self.forgotten:
            raise SnapshotTooOldError("snapshot too old")

    def after(self, _tablet, position, through, changes):
        found: dict[int, list[RowChange]] = {}
        for place, change in self.changes:
            if position < place <= (through, END):
                if place.seq not in found and sum(map(len, found.values())) >= changes:
                    break
                found.setdefault(place.seq, []).append(change)
        return in_parts([Commit(seq, tuple(told)) for seq, told in found.items()], self.part)


def in_parts(commits: list[Commit], part: int) -> list[Commit]:
    """Those before the first that has more changes than a part, or the first part of it alone."""
    for at, commit in enumerate(commits):
        if len(commit.changes) > part:
            return commits[:at] or [Commit(commit.seq, commit.changes[:part], more=True)]
    return commits


class Log:
    """A log in memory: commits of each tablet, and from where on it has them."""

    def __init__(self) -> None:
        self.commits: dict[TabletId, list[Commit]] = {A: [], B: []}
        self.retained_from = {A: 0, B: 0}
        self.reads = 0
        self.part = READ_CHANGES

    def after(self, tablet, position, through, changes):
        self.reads += 1
        if position.seq < self.retained_from[tablet]:
            raise SnapshotTooOldError("snapshot too old")
        found: list[Commit] = []
        for seq, all_changes, _ in self.commits[tablet]:
            rest = tuple(c for c in all_changes if (seq, c.n) > position)
            if rest and seq <= through and sum(len(c.changes) for c in found) < changes:
                found.append(Commit(seq, rest))
        return in_parts(found, self.part)


def write_set(seq: int, *rows: tuple[TabletId, str]) -> WriteSet:
    writes = [Write(tablet, Op.INSERT, b"k", (text,), None, 1) for tablet, text in rows]
    plain = [write for write in writes if write.tablet != STREAM]
    streams = [write for write in writes if write.tablet == STREAM]
    return WriteSet(plain, streams, [], False, seq=seq)


class Lab:
    """A hub over such a log, and what was asked of it."""

    def __init__(self) -> None:
        self.log = Log()
        self.buffer = Buffer()
        self.syncs = 0
        self.seq = 0
        self.durable = 0
        self.hub = Hub(self.log, self.buffer, self.want_sync)

    def want_sync(self) -> None:
        self.syncs += 1

    def commit(self, *rows: tuple[TabletId, str], synced: bool = True) -> int:
        self.seq += 10
        made = write_set(self.seq, *rows)
        for tablet in {tablet for tablet, _ in rows} - {STREAM}:
            changes = tuple(
                RowChange(n, w.op, w.row, w.old, w.version)
                for n, w in enumerate(made.writes)
                if w.tablet == tablet
            )
            self.log.commits[tablet].append(Commit(self.seq, changes))
        for n, write in enumerate(made.streams):
            change = RowChange(n, write.op, write.row, write.old, write.version)
            self.buffer.changes.append((Position(self.seq, n), change))
        if synced:
            self.durable = self.seq
        self.hub.publish([made], self.durable)
        return self.seq

    def sync(self) -> None:
        self.durable = self.seq
        self.hub.durable(self.seq)

    def follow(self, tablet: TabletId = A, **more) -> Subscriber:
        found = self.hub.subscribe(tablet, lambda: None, **more)
        found.start(self.seq)
        return found


def texts(taken) -> list[str]:
    return [change.row[0] for commit in taken for change in commit.changes]


def drained(subscriber: Subscriber) -> list[str]:
    found: list[str] = []
    while part := subscriber.take(300):
        found += texts(part)
    return found


def test_a_commit_is_taken_at_once_where_nothing_waits_before_it():
    lab, woken, told = Lab(), [], []
    may = True

    def tell(commit):
        if may:
            told.append(commit.seq)
        return may

    reader = lab.hub.subscribe(A, lambda: woken.append(1))
    reader.tell = tell
    before = lab.commit((A, "before it begins"))
    assert not told
    reader.start(0)
    assert [commit.seq for commit in reader.take()] == [before]
    first = lab.commit((A, "a"))
    assert (told, reader.waits, reader.position) == ([first], False, Position(first))
    may = False
    second = lab.commit((A, "b"))
    may = True
    third = lab.commit((A, "c"))  # Not before the second.
    assert told == [first]
    assert [commit.seq for commit in reader.take()] == [second, third]
    fourth = lab.commit((A, "d"), synced=False)
    assert told == [first]
    lab.sync()
    assert told == [first, fourth]
    assert reader.delivered == 5
    assert len(woken) == 3


def test_one_that_cannot_be_told_at_once_costs_nobody_else_anything():
    lab, told = Lab(), []

    def fails(_commit):
        raise RuntimeError("a bug")

    broken, reader = (lab.hub.subscribe(A, lambda: None) for _ in range(2))
    broken.tell, reader.tell = fails, lambda commit: told.append(commit.seq) or True
    broken.start(0)
    reader.start(0)
    assert [lab.commit((A, "a")), lab.commit((A, "b"))] == told
    assert len(lab.hub) == 1


def test_a_commit_is_told_to_the_subscribers_of_its_tablets_and_to_nobody_else():
    lab = Lab()
    one, two, other = lab.follow(), lab.follow(), lab.follow(B)
    seq = lab.commit((A, "x"), (A, "y"))
    expected = [
        Commit(
            seq,
            (RowChange(0, Op.INSERT, ("x",), None, 1), RowChange(1, Op.INSERT, ("y",), None, 1)),
        )
    ]
    assert (one.take(), two.take(), other.take()) == (expected, expected, ())
    assert one.position == Position(seq)
    lab.commit((A, "a"), (B, "b"), (A, "c"))
    assert [c.n for c in one.take()[0].changes] == [0, 2]
    assert [c.n for c in other.take()[0].changes] == [1]


def test_what_is_committed_between_registration_and_snapshot_is_told_once():
    lab = Lab()
    early = lab.hub.subscribe(A, lambda: None)
    lab.commit((A, "in the snapshot"))
    snapshot = lab.seq
    lab.commit((A, "after it"))
    assert (early.waits, early.take()) == (False, ())
    early.start(snapshot)
    assert drained(early) == ["after it"]


def test_nothing_is_told_before_it_is_durable_and_a_sync_is_asked_for():
    lab = Lab()
    follower = lab.follow()
    lab.commit((B, "elsewhere"), synced=False)
    assert lab.syncs == 0
    lab.commit((A, "x"), synced=False)
    assert (lab.syncs, follower.take()) == (1, ())
    lab.sync()
    assert drained(follower) == ["x"]


def test_commits_wait_behind_one_that_is_not_durable():
    lab = Lab()
    follower = lab.follow(STREAM, stream=True)
    lab.commit((B, "x"), (STREAM, "1"), synced=False)
    lab.commit((STREAM, "2"), synced=False)
    assert follower.take() == ()
    lab.sync()
    assert drained(follower) == ["1", "2"]
    lab.commit((STREAM, "3"), synced=False)  # It has nothing to lose.
    assert drained(follower) == ["3"]


def test_a_resumed_subscriber_gets_what_was_published_before_and_durable_later():
    lab = Lab()
    first = lab.commit((A, "1"))
    lab.commit((A, "2"), synced=False)
    woken: list[int] = []
    follower = lab.hub.subscribe(A, lambda: woken.append(1))
    follower.resume(Position(first))
    assert (lab.syncs, drained(follower)) == (1, [])
    lab.sync()
    assert woken
    assert drained(follower) == ["2"]
    assert follower.waits is False
    lab.commit((A, "3"))
    assert drained(follower) == ["3"]


def test_a_slow_subscriber_keeps_its_position_and_reads_on_in_the_log():
    lab = Lab()
    slow = lab.follow(bytes_max=1000)
    for number in range(100):
        lab.commit((A, str(number)))
    assert slow._outbox is None
    assert drained(slow) == [str(number) for number in range(100)]
    reads = lab.log.reads
    lab.commit((A, "new"))
    assert drained(slow) == ["new"]
    assert lab.log.reads == reads, "it has caught up"


@pytest.mark.parametrize("tablet", [A, STREAM])
@pytest.mark.parametrize(("count", "bytes_max"), [(50, 10), (3000, 1 << 40)])
def test_a_commit_larger_than_an_outbox_is_not_kept_and_told_in_parts(tablet, count, bytes_max):
    lab = Lab()
    lab.log.part = lab.buffer.part = count // 5
    follower = lab.follow(tablet, stream=tablet == STREAM, bytes_max=bytes_max)
    seq = lab.commit(*[(tablet, str(number)) for number in range(count)])
    later = lab.commit((tablet, "later"))
    assert (follower._outbox, follower._bytes) == (None, 0)
    told = []
    for part in range(5):
        assert follower.waiting() == (count + 1 - len(told), seq)
        assert follower.told_through < seq
        first, *rest = follower.take()
        assert first.more == (part < 4)
        told += texts([first, *rest])
    told += drained(follower)
    assert told == [*[str(number) for number in range(count)], "later"]
    assert follower.position == Position(later)
    assert follower.take() == ()
    assert follower.told_through == later
    # Another that comes back to a place within it, as a client with a token does.
    again = lab.hub.subscribe(tablet, lambda: None, stream=tablet == STREAM)
    again.resume(Position(seq, 7))
    assert drained(again) == told[8:]


def test_what_the_log_has_no_more_is_told_as_such():
    lab = Lab()
    slow = lab.follow(bytes_max=10)
    for number in range(3):
        lab.commit((A, str(number)))
    lab.log.retained_from[A] = 25
    with pytest.raises(SnapshotTooOldError):
        slow.take()


def test_a_token_in_the_middle_of_a_commit_gets_the_rest_of_it():
    lab = Lab()
    seq = lab.commit((A, "1"), (A, "2"), (A, "3"))
    follower = lab.hub.subscribe(A, lambda: None)
    follower.resume(Position(seq, 0))
    assert drained(follower) == ["2", "3"]


def test_a_slow_subscriber_of_a_stream_reads_on_in_its_buffer():
    lab = Lab()
    slow = lab.follow(STREAM, stream=True, bytes_max=900)
    for number in range(100):
        lab.commit((STREAM, str(number)), (STREAM, f"{number}b"))
    assert slow._bytes <= 900
    assert drained(slow) == [f"{number}{of}" for number in range(100) for of in ("", "b")]
    lab.commit((STREAM, "new"))
    assert drained(slow) == ["new"]


@pytest.mark.parametrize("tablet", [A, STREAM])
@pytest.mark.parametrize("bytes_max", [1, 900, 1 << 20])
def test_what_waits_for_a_subscriber_is_known_without_reading_it(tablet, bytes_max):
    lab = Lab()
    slow = lab.follow(tablet, stream=tablet == STREAM, bytes_max=bytes_max)
    assert slow.waiting() == (0, 0)
    seqs = [lab.commit((tablet, f"{number}"), (tablet, f"{number}b")) for number in range(600)]
    taken = 0
    while left := len(seqs) * 2 - taken:
        assert slow.waiting() == (left, seqs[taken // 2])
        assert (slow.told_through < seqs[-1]) == (left > 0)
        taken += len(texts(slow.take()))
    assert slow.waiting() == (0, 0)
    assert slow.told_through == seqs[-1]
    again = lab.hub.subscribe(tablet, lambda: None, stream=tablet == STREAM)
    again.resume(Position(seqs[0]))
    rows, first = again.waiting()
    assert (0 < rows <= 1198, first) == (True, seqs[1])
    assert len(drained(again)) == 1198
    assert again.waiting() == (0, 0)


def test_what_a_streams_buffer_has_forgotten_is_a_gap_where_it_is_missing():
    lab = Lab()
    slow = lab.follow(STREAM, stream=True, bytes_max=900)
    for number in range(10):
        lab.commit((STREAM, str(number)))
    lab.buffer.forget(7)
    first = texts(slow.take())
    assert 0 < len(first) < 7
    assert slow.take() == [Gap(7 - len(first))]
    lab.buffer.forget(2)
    lab.commit((STREAM, "10"))
    assert slow.take() == [Gap(2)]
    assert drained(slow) == ["9", "10"]
    lab.buffer.forget(100)
    lab.commit((STREAM, "11"))
    assert drained(slow) == ["11"], "who is not late loses nothing"


def test_a_resumed_subscriber_of_a_stream_misses_nothing_without_being_told():
    lab = Lab()
    token = Position(lab.commit((STREAM, "1"), (STREAM, "2"), (STREAM, "3")), 0)
    lab.commit((A, "x"), (STREAM, "4"), synced=False)
    follower = lab.hub.subscribe(STREAM, lambda: None, stream=True)
    follower.resume(token)
    assert (follower.take(), follower.waits) == ((), False)
    lab.buffer.forget(3)
    lab.commit((STREAM, "5"), synced=False)
    lab.sync()
    assert follower.take() == [Gap(2)]
    assert drained(follower) == ["4", "5"]
    with pytest.raises(SnapshotTooOldError):
        lab.hub.check(follower, token)


def test_a_subscriber_that_raises_costs_itself_and_not_the_commit():
    lab = Lab()

    def fail() -> None:
        raise RuntimeError("a bug")

    broken = lab.hub.subscribe(A, fail)
    broken.start(0)
    fine = lab.follow()
    lab.commit((A, "x"))
    assert drained(fine) == ["x"]
    assert len(lab.hub) == 1


def test_an_ended_subscriber_is_told_why_after_what_came_before():
    lab = Lab()
    follower, other = lab.follow(), lab.follow(B)
    lab.commit((A, "x"))
    gone = SnapshotTooOldError("the table is gone")
    lab.hub.end(follower, gone)
    lab.commit((A, "y"), (B, "z"))
    assert texts(follower.take()) == ["x"]
    with pytest.raises(SnapshotTooOldError, match="the table is gone"):
        follower.take()
    assert drained(other) == ["z"]
    lab.hub.stop(other)
    lab.hub.stop(other)
    assert len(lab.hub) == 0


def test_what_nobody_follows_is_not_kept():
    lab = Lab()
    for _ in range(100):
        lab.commit((A, "x"), synced=False)
    follower = lab.follow(B)
    for _ in range(100):
        lab.commit((A, "x"), synced=False)
    assert (lab.syncs, lab.hub.through, len(lab.hub._held)) == (0, 0, 1)
    lab.commit((B, "y"))
    assert (lab.hub.through, len(lab.hub._held)) == (lab.seq, 0)
    assert drained(follower) == ["y"]


def test_a_place_to_go_on_from_is_one_that_the_log_has():
    lab = Lab()
    stored = lab.commit((A, "x"))
    passed = lab.commit((STREAM, "nobody follows"))
    follower, stream = lab.follow(), lab.follow(STREAM, stream=True)
    follower.start(stored)
    assert (follower.told_through, stream.told_through) == (stored, passed)
    newest = lab.commit((STREAM, "a row"))
    assert (follower.told_through, stream.told_through) == (stored, passed)
    assert texts(stream.take()) == ["a row"]
    assert (follower.told_through, stream.told_through) == (stored, newest)
    stored = lab.commit((B, "y"), synced=False)
    newest = lab.commit((STREAM, "told when the other is durable"), synced=False)
    assert follower.told_through < stored
    lab.sync()
    assert follower.told_through == stored
    assert (drained(stream), stream.told_through) == (["told when the other is durable"], newest)


def test_commits_that_were_published_by_nobody_are_read_in_the_log():
    lab = Lab()
    follower, behind = lab.follow(), lab.hub.subscribe(A, lambda: None)
    lab.commit((A, "1"))
    lab.seq += 10
    lab.log.commits[A].append(Commit(lab.seq, (RowChange(0, Op.INSERT, ("in doubt",), None),)))
    lab.hub.reread()
    lab.commit((A, "2"))
    behind.start(0)
    assert drained(follower) == drained(behind) == ["1", "in doubt", "2"]


# ------------------------------------------------------------------ any interleaving


class Reader:
    """A subscriber, what it should be told (from a list of commits), and what it was."""

    def __init__(self, subscriber: Subscriber, tablet: TabletId) -> None:
        self.subscriber = subscriber
        self.tablet = tablet
        self.after = Position(0)
        # What it was late with before its snapshot is counted, though the snapshot may have it.
        self.late_early = False
        self.told: list[tuple[int, int]] = []


class Interleavings(RuleBasedStateMachine):
    """Publish, sync, drain, stop, trim, resume in any order, against a list of commits."""

    waiting = Bundle("waiting")
    readers = Bundle("readers")
    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab()
        self.lab.log.part = self.lab.buffer.part = 2
        self.open: list[Reader] = []
        self.streamed: list[Position] = []

    def expected(self, reader: Reader) -> list[tuple[int, int]]:
        if reader.tablet == STREAM:
            return [place for place in self.streamed if place > reader.after]
        return [
            (seq, change.n)
            for seq, changes, _ in self.lab.log.commits[reader.tablet]
            for change in changes
            if (seq, change.n) > reader.after
        ]

    @rule(
        target=waiting,
        tablet=st.sampled_from([A, B, STREAM]),
        bytes_max=st.sampled_from([1, 900, 1 << 20]),
    )
    def register(self, tablet, bytes_max):
        subscriber = self.lab.hub.subscribe(
            tablet, lambda: None, bytes_max=bytes_max, stream=tablet == STREAM
        )
        return Reader(subscriber, tablet)

    @rule(target=readers, reader=consumes(waiting), synced=st.booleans())
    def read_snapshot(self, reader, synced):
        if synced:
            self.lab.sync()
        reader.after = Position(self.lab.seq)
        reader.late_early = reader.subscriber._behind
        reader.subscriber.start(self.lab.seq)
        self.open.append(reader)
        return reader

    @rule(target=readers, reader=consumes(waiting), token=tokens)
    def resume(self, reader, token):
        if reader.tablet == STREAM and token < self.lab.buffer.forgotten:
            with pytest.raises(SnapshotTooOldError):
                self.lab.hub.check(reader.subscriber, token)
            self.lab.hub.stop(reader.subscriber)
            return reader
        reader.after = token
        reader.subscriber.resume(token)
        self.open.append(reader)
        return reader

    @rule(target=readers, tablet=st.sampled_from([A, B, STREAM]), token=tokens)
    def come_back(self, tablet, token):
        return self.resume(self.register(tablet, 1 << 20), token)

    @rule(
        tablets=st.lists(st.sampled_from([A, A, B, STREAM]), min_size=1, max_size=4),
        synced=st.booleans(),
    )
    def publish(self, tablets, synced):
        seq = self.lab.commit(*[(tablet, "x") for tablet in tablets], synced=synced)
        self.streamed += [Position(seq, n) for n in range(tablets.count(STREAM))]

    @rule(count=st.integers(1, 5))
    def forget(self, count):
        self.lab.buffer.forget(count)

    @rule()
    def sync(self):
        self.lab.sync()

    @rule(
        target=tokens,
        reader=readers,
        bytes_max=st.sampled_from([1, 500, 1 << 20]),
        cut=st.booleans(),
    )
    def drain(self, reader, bytes_max, cut):
        if reader in self.open:
            self.take(reader, bytes_max)
        if cut and reader.told:
            return Position(*reader.told[-1])  # In the middle of what it was told.
        return reader.subscriber.position or Position(0)

    def take(self, reader: Reader, bytes_max: int) -> bool:
        old = reader.subscriber.position
        try:
            taken = reader.subscriber.take(bytes_max)
        except SnapshotTooOldError:
            assert old.seq < self.lab.log.retained_from[reader.tablet]
            self.close(reader)
            return False
        expected = self.expected(reader)
        for commit in taken:
            if isinstance(commit, Gap):
                rest = expected[len(reader.told) :]
                missing = [place for place in rest if place <= reader.subscriber.position]
                assert 0 < len(missing) <= commit.dropped
                assert reader.late_early or len(missing) == commit.dropped
                reader.told += missing
                continue
            if reader.tablet != STREAM:
                assert commit.seq <= self.lab.durable
            reader.told += [(commit.seq, change.n) for change in commit.changes]
        assert reader.told == expected[: len(reader.told)]
        assert reader.subscriber._bytes <= reader.subscriber.bytes_max
        return bool(taken)

    def close(self, reader: Reader) -> None:
        self.lab.hub.stop(reader.subscriber)
        self.open.remove(reader)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def stop(self, data):
        self.close(data.draw(st.sampled_from(self.open)))

    @rule(tablet=st.sampled_from([A, B]), back=st.integers(0, 60))
    def trim(self, tablet, back):
        log = self.lab.log
        log.retained_from[tablet] = max(log.retained_from[tablet], self.lab.durable - back)

    def teardown(self):
        self.lab.sync()
        for reader in list(self.open):
            while self.take(reader, 300):
                pass
            if reader in self.open:
                assert reader.told == self.expected(reader)
                assert not reader.subscriber.waits


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
