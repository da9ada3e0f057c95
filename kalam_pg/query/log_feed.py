"""The log as subscriptions read on in it (`live.hub.Feed`): whole commits of one tablet, oldest first."""

from collections.abc import Iterator, Sequence

from kalam_pg.live.commits import END, Commit, Position, RowChange
from kalam_pg.query.committer import Committer
from storage.engine import Engine, WriteSet
from storage.errors import SnapshotTooOldError
from storage.ids import TabletId
from storage.keys import meta_key
from storage.log.log_entry import decode_entry
from storage.log.retained import RETAINED, unpack_retained
from storage.log.view import View


class LogFeed:
    """See `live.hub.Feed`. On the event loop, so it reads little at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def after(
        self, tablet: TabletId, position: Position, through: int, changes: int
    ) -> Sequence[Commit]:
        """Commits behind a position; see `Feed`. Raises SnapshotTooOldError, DataCorruptedError."""
        view = self._engine.current
        self._check(view, tablet, position)
        found: list[Commit] = []
        count = 0
        for commit in _commits(view, tablet, position, through):
            found.append(commit)
            count += len(commit.changes)
            if count >= changes:
                break
        return found

    def _check(self, view: View, tablet: TabletId, position: Position) -> None:
        """Raise unless every change behind the position is in the log."""
        self._engine.check_token(position.seq)
        noted = view.system_get(meta_key(tablet, RETAINED))
        first = position.seq + 1 if position.n == END else position.seq
        if noted is not None and first < unpack_retained(noted).complete_from:
            raise SnapshotTooOldError(
                "snapshot too old",
                detail=f"The changes after {position.seq} are not kept any more.",
                hint="Subscribe anew, with a snapshot.",
            )


def _commits(view: View, tablet: TabletId, position: Position, through: int) -> Iterator[Commit]:
    seq, changes = 0, list[RowChange]()
    for at, n, data in view.log(tablet, after=position.seq - 1):
        if at > through:
            break
        if (at, n) <= position:
            continue
        if at != seq:
            if changes:
                yield Commit(seq, tuple(changes))
            seq, changes = at, []
        entry = decode_entry(data)
        changes.append(RowChange(n, entry.op, entry.row, entry.old))
    if changes:
        yield Commit(seq, tuple(changes))


class SyncSoon:
    """Makes what was committed durable while somebody waits for it: one sync at a time."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self._under_way = False

    def __call__(self) -> None:
        """Ask for a sync. The commits that come while it is under way are for the next one."""
        if not self._under_way:
            self._under_way = True
            self._committer.submit(WriteSet([], [], [], sync=True), self._done)

    def _done(self, _write_set: WriteSet) -> None:
        self._under_way = False
