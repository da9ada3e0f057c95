"""The log as subscriptions read on in it (`live.commits.Feed`): commits of one tablet, oldest first."""

from collections.abc import Sequence
from typing import Final

from kalam_pg.live.commits import END, Commit, Position, RowChange
from kalam_pg.query.committer import Committer
from storage.engine import Engine, WriteSet
from storage.errors import SnapshotTooOldError
from storage.ids import TabletId
from storage.keys import meta_key
from storage.log.log_entry import decode_entry
from storage.log.retained import RETAINED, unpack_retained
from storage.log.view import View

READ_BYTES: Final = 1 << 20
"""About so many bytes of entries are read at a time, or one entry."""


class LogFeed:
    """See `live.commits.Feed`. On the event loop, so it reads little at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def after(
        self, tablet: TabletId, position: Position, through: int, changes: int
    ) -> Sequence[Commit]:
        """Commits behind a position; see `Feed`. Raises SnapshotTooOldError, DataCorruptedError."""
        view = self._engine.current
        self._check(view, tablet, position)
        found: list[Commit] = []
        part = _Part(changes)
        whole = 0  # Bytes and changes of the commits before it.
        size = 0
        for seq, n, data in view.log(tablet, after=position.seq, after_n=position.n, upto=through):
            if seq != part.seq:
                if part.changes:
                    found.append(part.commit())
                    whole, size = whole + len(part.changes), size + part.size
                    if whole >= changes or size >= READ_BYTES:
                        return found
                part = _Part(changes, seq)
            elif part.is_full:
                found.append(part.commit(more=True))
                return found
            part.add(n, data)
        if part.changes:
            found.append(part.commit())
        return found

    def _check(self, view: View, tablet: TabletId, position: Position) -> None:
        """Raise unless every change behind the position is in the log."""
        self._engine.check_token(position.seq)
        kept = unpack_retained(view.system_get(meta_key(tablet, RETAINED))).complete_from
        first = position.seq + 1 if position.n == END else position.seq
        if first < kept:
            raise SnapshotTooOldError.behind(position.seq, kept)


class _Part:
    """What is read of one commit. changes_max: it is given in parts if it has more, or READ_BYTES."""

    def __init__(self, changes_max: int, seq: int = 0) -> None:
        self.seq = seq
        self.changes: list[RowChange] = []
        self.size = 0
        self._changes_max = changes_max

    @property
    def is_full(self) -> bool:
        return len(self.changes) >= self._changes_max or self.size >= READ_BYTES

    def add(self, n: int, data: bytes) -> None:
        entry = decode_entry(data)
        self.changes.append(RowChange(n, entry.op, entry.row, entry.old, entry.version))
        self.size += len(data)

    def commit(self, *, more: bool = False) -> Commit:
        return Commit(self.seq, tuple(self.changes), more)


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
