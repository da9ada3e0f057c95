"""Who follows which tablet, and what has been committed there since: every commit once, in order, or an end.

A commit costs O(subscribers of its tablets); without any it costs nothing. What a subscriber raises costs
that subscriber, never the commit. It has a *position* in the commits and an outbox of those it has not
taken; when the outbox is full only the position is kept, and it reads on in the log when it comes back.
What is larger than an outbox it reads there too, in parts: nothing is kept whose size a commit decides.
What the log has no more is 72000. A STREAM table has no log but its buffer, which forgets: what a subscriber
missed of it is counted, and told as a gap.

A commit that is not durable yet is held back with all that follow, so that nobody is told of what a crash
would take; the hub asks for a sync when somebody waits for one.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from kalam_pg.failures import report
from kalam_pg.live.commits import Buffer, Commit, Feed, Gap, Large, Position, RowChange, Told
from storage.errors import KalamError
from storage.ids import TabletId
from storage.log.writes import WriteSet

OUTBOX_BYTES_MAX: Final = 256 << 10
"""What is kept for a subscriber that does not take it; the commits are shared by all who wait for them."""

READ_CHANGES: Final = 500
"""About how many changes are read from the log at a time: 5 ms."""

_CHANGE_BYTES = 200
_LARGE_CHANGES = OUTBOX_BYTES_MAX // _CHANGE_BYTES  # So many are in no outbox.


class Subscriber:
    """One reader of one tablet. `Hub.subscribe` makes it, and `start` or `resume` sets it going.

    wake: there may be something to take. tell: takes a commit at once, if it can; whether it has. position:
    behind the last that was taken. delivered: changes taken. reason: why it was ended, None while it lives.
    since: what was published until this commit was not told to it. stream: it is a STREAM table's tablet.
    """

    __slots__ = (
        "_behind",
        "_bytes",
        "_hub",
        "_missed",
        "_outbox",
        "_stalled",
        "bytes_max",
        "delivered",
        "position",
        "reason",
        "since",
        "stream",
        "tablet",
        "tell",
        "wake",
    )

    def __init__(
        self,
        hub: "Hub",
        tablet: TabletId,
        wake: Callable[[], None],
        *,
        stream: bool,
        bytes_max: int,
    ) -> None:
        self.tablet = tablet
        self.stream = stream
        self.wake = wake
        self.tell: Callable[[Commit], bool] | None = None
        self.bytes_max = bytes_max
        self.position: Position | None = None
        self.delivered = 0
        self.reason: KalamError | None = None
        self._hub = hub
        self._outbox: deque[Commit] | None = None  # An empty deque takes 600 bytes.
        self._bytes = 0
        self._missed = 0  # Changes that are to be read in the log, or in a stream's buffer.
        self._behind = False
        self._stalled = False  # All that may be told was read, and more will be durable soon.
        self.since = hub.published

    def start(self, seq: int) -> None:
        """A snapshot of commit `seq`, at least that of `subscribe`, was read: go on behind it."""
        self.position = Position(seq)
        outbox = self._outbox
        while outbox and outbox[0].seq <= seq:
            self._bytes -= _size(outbox.popleft())

    def resume(self, position: Position) -> None:
        """Go on behind a position of before, as far as the log goes back."""
        self.position = position
        self._outbox = None
        self._bytes = 0
        self._behind = True
        if self.stream:
            heard = max(self.since, self._hub.through)
            self._missed = self._hub.buffer.count(self.tablet, position, heard)
        self._hub.await_durable(self)

    def stop(self) -> None:
        """It wants no more. Again is no error."""
        self._hub.stop(self)

    def reread(self) -> None:
        """For `Hub`: go on in the log, behind the last that was taken."""
        if not self.stream:
            self._drop_outbox()
            self._behind = True
            self._stalled = False

    def check(self) -> None:
        """Raise the reason why it was ended, if it was."""
        if self.reason is not None:
            raise self.reason

    @property
    def is_shown(self) -> bool:
        """Whether all that was published when it subscribed may be told now."""
        return self._hub.through >= self.since

    @property
    def told_through(self) -> int:
        """All commits up to this one have been taken, or do not concern it; 0 before it goes."""
        position = self.position
        if position is None:
            return 0
        if self._behind or self._outbox:
            return position.whole_seq
        return max(position.seq, self._hub.through)

    def waiting(self) -> tuple[int, int]:
        """How many changes may be taken, and the commit of the first; (0, 0) for none.

        Of what was there when it resumed only the first commit is counted: the rest has not been read.
        """
        if self._outbox:
            return _count(self._outbox) + self._missed, self._outbox[0].seq
        if not self._behind or self.position is None:
            return 0, 0
        try:
            first = self._hub.read(self, self.position, changes=1)
        except KalamError:
            return self._missed, 0  # It is told when it takes them.
        return (max(self._missed, _count(first)), first[0].seq) if first else (0, 0)

    @property
    def waits(self) -> bool:
        """Whether `take` may have something."""
        if self.position is None:
            return False
        if self._outbox or self.reason is not None:
            return True
        return self._behind and (self.is_shown or not self._stalled)

    def take(self, bytes_max: int = OUTBOX_BYTES_MAX) -> Sequence[Commit | Gap]:
        """The next commits, or the next part of one; at least one change if there is any.

        Raises:
            SnapshotTooOldError: The log has some of them no more; the subscription ends.
            KalamError: What `Hub.end` gave, when all that came before it was taken.
        """
        if self.position is None:
            return ()
        taken = self._from_outbox(bytes_max)
        if taken:
            return taken
        if self.reason is not None:
            raise self.reason
        if self._behind:
            if self.stream:
                if not self.is_shown:
                    self._stalled = True
                    return ()
                lost = self._lost()
                if lost:
                    return [Gap(lost)]
            found = self._hub.read(self, self.position)
            if found:
                self._passed(found)
                self._missed -= _count(c for c in found if self.stream or c.seq > self.since)
                return found
            # Once it has all that was published when it began, everything more comes by `hear`.
            self._behind = self._stalled = not self.is_shown
            if not self._behind:
                self._missed = 0
        return ()

    def _lost(self) -> int:
        """Go on where a stream's buffer begins now; how many changes are lost by that."""
        buffer, through = self._hub.buffer, self._hub.through
        # What may not be told yet is counted when it may, even if it is forgotten by then.
        kept_from = min(buffer.kept_from(self.tablet), Position(through))
        assert self.position is not None
        if kept_from <= self.position:
            return 0
        self.position = kept_from
        left = buffer.count(self.tablet, kept_from, through)
        lost, self._missed = max(0, self._missed - left), left
        return lost

    def _from_outbox(self, bytes_max: int) -> list[Commit]:
        outbox = self._outbox
        taken: list[Commit] = []
        while outbox and bytes_max > 0:
            commit = outbox.popleft()
            size = _size(commit)
            bytes_max -= size
            self._bytes -= size
            taken.append(commit)
        if taken:
            self._passed(taken)
            self._outbox = outbox or None
        return taken

    def _passed(self, commits: Sequence[Commit]) -> None:
        self.position = commits[-1].end
        self.delivered += _count(commits)

    def hear(self, commit: Commit, behind: Position) -> None:
        """For `Hub`: a commit of the tablet is published and durable. behind: the place behind it."""
        if self._behind or self.reason is not None:
            self._passes_by(commit.seq, len(commit.changes))
            return
        if self.position is not None and commit.seq <= self.position.seq:
            return  # It was not durable when the snapshot was read, which has it.
        tell = None if self._outbox or self.position is None else self.tell
        if tell is not None and tell(commit):
            self.position = behind
            self.delivered += len(commit.changes)
            return
        size = _size(commit)
        if self._bytes + size > self.bytes_max:
            self._overflow(len(commit.changes))
        else:
            if self._outbox is None:
                self._outbox = deque()
            self._outbox.append(commit)
            self._bytes += size
        self.wake()

    def hear_of(self, commit: Large) -> None:
        """For `Hub`: the same of one that is to be read where it lies."""
        if self._behind or self.reason is not None:
            self._passes_by(commit.seq, commit.changes)
        elif self.position is None or commit.seq > self.position.seq:
            self._overflow(commit.changes)
            self.wake()

    def _passes_by(self, seq: int, count: int) -> None:
        if seq > self.since:
            self._missed += count
        self._stalled = False
        self.wake()

    def _overflow(self, count: int) -> None:
        self._behind = True
        self._missed = count
        if not self.stream:  # What a stream's has may be nowhere else.
            self._drop_outbox()

    def _drop_outbox(self) -> None:
        """What it has is to be read in the log."""
        self._missed += _count(self._outbox or ())
        self._outbox = None
        self._bytes = 0


class Hub:
    """Every subscriber, by tablet. Used from the event loop alone.

    published: the newest commit that is visible. through: everything up to this one was told.
    buffer: what STREAM tables have.
    """

    def __init__(self, feed: Feed, buffer: Buffer, want_sync: Callable[[], None]) -> None:
        """want_sync: called when a subscriber waits for a commit that is not durable."""
        self.published = self.through = 0
        self._feed = feed
        self.buffer = buffer
        self._want_sync = want_sync
        self._subscribers: dict[TabletId, dict[Subscriber, None]] = {}
        self._held: deque[tuple[int, Told]] = deque()
        self._waiting: dict[Subscriber, None] = {}

    def __len__(self) -> int:
        return sum(map(len, self._subscribers.values()))

    def subscribe(
        self,
        tablet: TabletId,
        wake: Callable[[], None],
        *,
        stream: bool = False,
        bytes_max: int = OUTBOX_BYTES_MAX,
    ) -> Subscriber:
        """A new subscriber: whatever is committed from now on is kept for it.

        Its snapshot is to be read after this, and then it is to `start`.
        """
        made = Subscriber(self, tablet, wake, stream=stream, bytes_max=bytes_max)
        self._subscribers.setdefault(tablet, {})[made] = None
        return made

    def stop(self, subscriber: Subscriber) -> None:
        """It wants no more. Again is no error."""
        self._waiting.pop(subscriber, None)
        found = self._subscribers.get(subscriber.tablet, {})
        if subscriber in found:
            del found[subscriber]
            if not found:
                del self._subscribers[subscriber.tablet]

    def end(self, subscriber: Subscriber, error: KalamError) -> None:
        """End a subscriber for a reason, which it is told last."""
        if subscriber.reason is None:
            subscriber.reason = error
            self.stop(subscriber)
            self._guarded(subscriber, subscriber.wake)

    def publish(self, sets: Sequence[WriteSet], durable_seq: int) -> None:
        """Commits became visible, in this order. durable_seq: up to which they are durable."""
        if not sets:
            return
        self.published = last = sets[-1].seq
        if not self._subscribers:
            self._held.clear()
            if last <= durable_seq:
                self.through = last
            else:
                self._held.append((last, ()))
            return
        for write_set in sets:
            told = tuple(self._wanted(write_set))
            if not self._held and not write_set.writes:
                self._tell(write_set.seq, told)  # It has nothing that the disk could lose.
            else:
                self._hold(write_set.seq, told)
        self.durable(durable_seq)
        if any(told for _, told in self._held):
            self._want_sync()

    def _hold(self, seq: int, told: Told) -> None:
        """Keep a commit until it is durable; of those that nobody waits for only the newest's number."""
        if not told and self._held and not self._held[-1][1]:
            self._held[-1] = (seq, told)
        else:
            self._held.append((seq, told))

    def durable(self, seq: int) -> None:
        """Everything up to commit `seq` is durable now: tell what was held back."""
        held = self._held
        while held and held[0][0] <= seq:
            self._tell(*held.popleft())
        for subscriber in tuple(self._waiting):
            if subscriber.is_shown:
                del self._waiting[subscriber]
                self._guarded(subscriber, subscriber.wake)

    def reread(self) -> None:
        """Commits may be visible that were not published here: everybody reads them in the log."""
        for subscribers in self._subscribers.values():
            for subscriber in tuple(subscribers):
                subscriber.reread()
                self._guarded(subscriber, subscriber.wake)

    def await_durable(self, subscriber: Subscriber) -> None:
        """Wake a subscriber that reads the log when all that it was not told of is durable."""
        if not subscriber.is_shown:
            self._waiting[subscriber] = None
            self._want_sync()

    def check(self, subscriber: Subscriber, position: Position) -> None:
        """Raise SnapshotTooOldError unless all that is behind a position can be told."""
        if subscriber.stream:
            self.buffer.check(subscriber.tablet, position)
        else:
            self.read(subscriber, position)

    def read(
        self, subscriber: Subscriber, position: Position, changes: int = READ_CHANGES
    ) -> Sequence[Commit]:
        """What the log, or a stream's buffer, has behind a position. Raises SnapshotTooOldError."""
        feed = self.buffer if subscriber.stream else self._feed
        return feed.after(subscriber.tablet, position, self.through, changes)

    def _wanted(self, write_set: WriteSet) -> Iterable[tuple[TabletId, Commit | Large]]:
        """What somebody follows of a commit. An entry's n counts over all its tablets, as in the log;
        a stream's over its own, as in its buffer.
        """
        large = self._large(write_set)
        yield from large.items()
        changes: dict[TabletId, list[RowChange]] = {}
        for n, write in enumerate(write_set.writes):
            if write.tablet in self._subscribers and write.tablet not in large:
                change = RowChange(n, write.op, write.row, write.old)
                changes.setdefault(write.tablet, []).append(change)
        for write in write_set.streams:
            if write.tablet in self._subscribers and write.tablet not in large:
                found = changes.setdefault(write.tablet, [])
                found.append(RowChange(len(found), write.op, write.row, write.old))
        for tablet, told in changes.items():
            commit = Commit(write_set.seq, tuple(told))
            is_large = _size(commit) > OUTBOX_BYTES_MAX
            yield tablet, Large(commit.seq, len(told)) if is_large else commit

    def _large(self, write_set: WriteSet) -> dict[TabletId, Large]:
        """The tablets that somebody follows and of which it has more changes than anybody keeps."""
        writes, streams = write_set.writes, write_set.streams
        if len(writes) + len(streams) <= _LARGE_CHANGES:
            return {}
        counts = Counter([write.tablet for write in (*writes, *streams)])
        return {
            tablet: Large(write_set.seq, count)
            for tablet, count in counts.items()
            if count > _LARGE_CHANGES and tablet in self._subscribers
        }

    def _tell(self, seq: int, told: Told) -> None:
        self.through = max(self.through, seq)
        behind = Position(seq)
        for tablet, commit in told:
            for subscriber in tuple(self._subscribers.get(tablet, ())):
                try:
                    if isinstance(commit, Large):
                        subscriber.hear_of(commit)
                    else:
                        subscriber.hear(commit, behind)
                except Exception as exc:  # noqa: BLE001 -- as in `_guarded`, which costs more
                    self._failed(subscriber, exc)

    def _guarded(self, subscriber: Subscriber, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as exc:  # noqa: BLE001 -- it costs this subscriber, never the commit
            self._failed(subscriber, exc)

    def _failed(self, subscriber: Subscriber, exc: Exception) -> None:
        report("a subscriber could not be told", exc)
        self.stop(subscriber)


def _count(commits: Iterable[Commit]) -> int:
    return sum([len(commit.changes) for commit in commits])


def _size(commit: Commit) -> int:
    """About how many bytes a commit takes."""
    size = 0
    for change in commit.changes:
        size += _CHANGE_BYTES
        for row in (change.row, change.old):
            if row is not None:
                for value in row:
                    if value.__class__ is str or value.__class__ is bytes:
                        size += len(value)
    return size
