"""The buffers of STREAM tables as subscriptions read on in them (`live.commits.Buffer`)."""

from collections.abc import Sequence
from itertools import groupby

from kalam_pg.live.commits import Commit, Position, RowChange
from storage.errors import SnapshotTooOldError
from storage.ids import TabletId
from storage.streams import StreamRegistry


class StreamFeed:
    """See `live.commits.Buffer`."""

    def __init__(self, streams: StreamRegistry) -> None:
        self._streams = streams

    def after(
        self, tablet: TabletId, position: Position, through: int, changes: int
    ) -> Sequence[Commit]:
        """See `Buffer`."""
        found = self._streams.find(tablet)
        if found is None:
            return ()
        version = found.layout.version
        commits = [
            Commit(seq, tuple([RowChange(c.n, c.op, c.row, c.old, version) for c in commit]))
            for seq, commit in groupby(found.after(position, through, changes), lambda c: c.seq)
        ]
        if commits:
            seq, told, _ = commits[-1]
            commits[-1] = Commit(seq, told, found.count_after((seq, told[-1].n), seq) > 0)
        return commits

    def check(self, tablet: TabletId, position: Position) -> None:
        """See `Buffer`. Raises SnapshotTooOldError."""
        kept_from = self.kept_from(tablet)
        if position < kept_from:
            # Of that commit itself some changes may be gone: a place behind it is certain.
            raise SnapshotTooOldError.behind(position.seq, kept_from.seq + 1)

    def kept_from(self, tablet: TabletId) -> Position:
        """See `Buffer`."""
        return Position(*self._streams.forgotten(tablet))

    def count(self, tablet: TabletId, position: Position, through: int) -> int:
        """See `Buffer`."""
        found = self._streams.find(tablet)
        return 0 if found is None else found.count_after(position, through)
