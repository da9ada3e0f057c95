"""One reader of one tablet: its position in the commits, and an outbox of those it has not taken.

When the outbox is full only the position is kept, and it reads on in the log when it comes back. What is
larger than an outbox it reads there too, in parts.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from kalam_pg.live.commits import Commit, Gap, Large, Position, Reading
from storage.errors import KalamError
from storage.ids import TabletId
from storage.log.view import View

if TYPE_CHECKING:
    from kalam_pg.live.hub import Hub

OUTBOX_BYTES_MAX: Final = 256 << 10
"""What is kept for a subscriber that does not take it; the commits are shared by all who wait for them."""

CHANGE_BYTES: Final = 200
"""That a change takes beside its texts."""


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
        "reading",
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
        self.reading: Reading | None = None
        """The version of its table that it began with: rows are told in this one. None: as they come."""
        self._hub = hub
        self._outbox: deque[Commit] | None = None  # An empty deque takes 600 bytes.
        self._bytes = 0
        self._missed = 0  # Changes that are to be read in the log, or in a stream's buffer.
        self._behind = False
        self._stalled = False  # All that may be told was read, and more will be durable soon.
        self.since = hub.published

    def start(self, seq: int) -> None:
        """A snapshot of commit `seq` (`seen`), at least that of `subscribe`, was read: go on behind it."""
        self.position = Position(seq)
        outbox = self._outbox
        while outbox and outbox[0].seq <= seq:
            self._bytes -= size_of(outbox.popleft())

    def seen(self, view: View) -> int:
        """The commit that a view is of for who goes on behind it, also after the server has ended.

        What STREAM tables alone have is no commit that a later start knows.
        """
        return view.seq if self.stream else view.stored_seq

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
        """All commits up to this one have been taken, or do not concern it; 0 before it goes.

        Like `seen`, it is a place to go on from.
        """
        position = self.position
        if position is None:
            return 0
        if self._behind or self._outbox:
            return position.whole_seq
        return max(position.seq, self._hub.through if self.stream else self._hub.stored)

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
            SnapshotTooOldError: The log has some of them no more, or not as they are asked for; the
                subscription ends.
            KalamError: What `Hub.end` gave, when all that came before it was taken.
        """
        if self.position is None:
            return ()
        taken = self._from_outbox(bytes_max)
        if taken:
            return [self._seen(commit) for commit in taken]
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
                return [self._seen(commit) for commit in found]
            # Once it has all that was published when it began, everything more comes by `hear`.
            self._behind = self._stalled = not self.is_shown
            if not self._behind:
                self._missed = 0
        return ()

    def _seen(self, commit: Commit) -> Commit:
        return commit if self.reading is None else self.reading.of(commit)

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
            size = size_of(commit)
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
        known = self.reading is None or self.reading.knows(
            commit
        )  # Else `take` says that it is not.
        if tell is not None and known and tell(self._seen(commit)):
            self.position = behind
            self.delivered += len(commit.changes)
            return
        size = size_of(commit)
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


def _count(commits: Iterable[Commit]) -> int:
    return sum([len(commit.changes) for commit in commits])


def size_of(commit: Commit) -> int:
    """About how many bytes a commit takes."""
    size = 0
    for change in commit.changes:
        size += CHANGE_BYTES
        for row in (change.row, change.old):
            if row is not None:
                for value in row:
                    if value.__class__ is str or value.__class__ is bytes:
                        size += len(value)
    return size
