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
from typing import Final, NamedTuple

from kalam_pg.failures import report
from kalam_pg.live.commits import Buffer, Commit, Feed, Large, Position, RowChange, Told
from kalam_pg.live.subscriber import CHANGE_BYTES, OUTBOX_BYTES_MAX, Subscriber, size_of
from storage.errors import KalamError
from storage.ids import TabletId
from storage.log.writes import WriteSet

READ_CHANGES: Final = 500
"""About how many changes are read from the log at a time: 5 ms."""

_LARGE_CHANGES = OUTBOX_BYTES_MAX // CHANGE_BYTES  # So many are in no outbox.


class _Held(NamedTuple):
    """A commit that is not durable yet. stored: the newest up to it that the log has."""

    seq: int
    stored: int
    told: Told


class Hub:
    """Every subscriber, by tablet. Used from the event loop alone.

    published: the newest commit that is visible. through: everything up to this one was told. stored:
    the newest up to there that the log has. buffer: what STREAM tables have.
    """

    def __init__(self, feed: Feed, buffer: Buffer, want_sync: Callable[[], None]) -> None:
        """want_sync: called when a subscriber waits for a commit that is not durable."""
        self.published = self.through = self.stored = 0
        self._feed = feed
        self.buffer = buffer
        self._want_sync = want_sync
        self._subscribers: dict[TabletId, dict[Subscriber, None]] = {}
        self._held: deque[_Held] = deque()
        self._waiting: dict[Subscriber, None] = {}
        self._newest_stored = 0

    def begin(self, seq: int) -> None:
        """Commits up to this one were there at the start."""
        self.published = self.through = self.stored = self._newest_stored = seq

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

    def follows(self, tablet: TabletId) -> bool:
        """Whether anybody follows a tablet."""
        return tablet in self._subscribers

    def is_followed(self, write_set: WriteSet) -> bool:
        """Whether anybody is told of what a set writes to the log."""
        followed = self._subscribers
        return bool(followed) and any(write.tablet in followed for write in write_set.writes)

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
            for write_set in reversed(sets):
                if write_set.writes or write_set.system:
                    self._newest_stored = write_set.seq
                    break
            if last <= durable_seq:
                self.through, self.stored = last, self._newest_stored
            else:
                self._hold(last, ())
            return
        for write_set in sets:
            told = tuple(self._wanted(write_set))
            if write_set.writes or write_set.system:
                self._newest_stored = write_set.seq
            if not self._held and not write_set.writes and not write_set.loads:
                self._tell(write_set.seq, told)  # It has nothing that the disk could lose.
            else:
                self._hold(write_set.seq, told)
        self.durable(durable_seq)
        if any(held.told for held in self._held):
            self._want_sync()

    def _hold(self, seq: int, told: Told) -> None:
        """Keep a commit until it is durable; of those that nobody waits for only the newest's number."""
        held = self._held
        if not told and held and not held[-1].told:
            held.pop()
        held.append(_Held(seq, self._newest_stored, told))

    def durable(self, seq: int) -> None:
        """Everything up to commit `seq` is durable now: tell what was held back."""
        held = self._held
        while held and held[0].seq <= seq:
            next_one = held.popleft()
            self.stored = next_one.stored
            self._tell(next_one.seq, next_one.told)
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
        for load in write_set.loads:
            if (
                load.id in self._subscribers
            ):  # Since the commit was handed over: the log tells them.
                large[load.id] = Large(write_set.seq, load.rows)
        yield from large.items()
        changes: dict[TabletId, list[RowChange]] = {}
        for n, write in enumerate(write_set.writes):
            if write.tablet in self._subscribers and write.tablet not in large:
                change = RowChange(n, write.op, write.row, write.old, write.version)
                changes.setdefault(write.tablet, []).append(change)
        for write in write_set.streams:
            if write.tablet in self._subscribers and write.tablet not in large:
                found = changes.setdefault(write.tablet, [])
                found.append(RowChange(len(found), write.op, write.row, write.old, write.version))
        for tablet, told in changes.items():
            commit = Commit(write_set.seq, tuple(told))
            is_large = size_of(commit) > OUTBOX_BYTES_MAX
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
