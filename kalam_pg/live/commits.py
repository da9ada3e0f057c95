"""What is told of commits: what they changed in one tablet, where one stands among them, and who has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from storage.errors import FeatureNotSupportedError, SnapshotTooOldError
from storage.ids import TabletId
from storage.layout import Row
from storage.log.log_entry import Op
from storage.schema import Schema

END: Final = (1 << 32) - 1
"""The place behind every change of a transaction."""


class Position(NamedTuple):
    """A place in the commits: behind change `n` of commit `seq`."""

    seq: int
    n: int = END

    @property
    def whole_seq(self) -> int:
        """The newest commit that is wholly before it."""
        return self.seq if self.n == END else self.seq - 1


class RowChange(NamedTuple):
    """One change of one key, as the log has it. n: its place in its transaction.

    version: schema version of both rows, which a reader may know in another one (`seen_in`).
    """

    n: int
    op: Op
    row: Row
    old: Row | None
    version: int = 0


class Commit(NamedTuple):
    """What one transaction changed in one tablet, or (after a token in its middle) the rest of it.

    more: or a part of that, at least one change, and more follows.
    """

    seq: int
    changes: tuple[RowChange, ...]
    more: bool = False

    @property
    def end(self) -> Position:
        """The place behind it."""
        return Position(self.seq, self.changes[-1].n if self.more else END)


class Large(NamedTuple):
    """A commit of so many changes in one tablet that nobody keeps them: they are read where they lie."""

    seq: int
    changes: int


def seen_in(schema: Schema, commit: Commit) -> Commit:
    """A commit as who began in a schema version knows it. All its rows of one tablet have one version."""
    version = commit.changes[0].version
    if not version or version == schema.layout.version:
        return commit
    newest = schema.newest
    changes = tuple(
        [
            change
            if change.op is Op.TRUNCATE
            else change._replace(
                row=newest(change.row, version),
                old=None if change.old is None else newest(change.old, version),
                version=schema.layout.version,
            )
            for change in commit.changes
        ]
    )
    return commit._replace(changes=changes)


@dataclass(frozen=True, slots=True)
class Reading:
    """A version of a table in which rows are told, and what of them is looked at.

    uses: ids of the layout's columns. rewritten: those of them whose values once had another id, and another
    type: in rows from before they are not there.
    """

    schema: Schema
    uses: frozenset[int]
    rewritten: frozenset[int]

    def knows(self, commit: Commit) -> bool:
        """Whether its rows have all that is looked at."""
        version = commit.changes[0].version
        own = self.schema.layout.version
        if not version or version == own:
            return True
        needed = self.uses if version > own else self.rewritten
        return not needed or needed <= {c.id for c in self.schema.known(version).columns}

    def of(self, commit: Commit) -> Commit:
        """The commit in this version. Raises FeatureNotSupportedError, SnapshotTooOldError: not known."""
        if not self.knows(commit):
            if commit.changes[0].version > self.schema.layout.version:
                raise FeatureNotSupportedError("cached plan must not change result type")
            raise SnapshotTooOldError(
                "snapshot too old",
                detail=f"What commit {commit.seq} changed was stored before a column got another type.",
                hint="Subscribe anew, with a snapshot.",
            )
        return seen_in(self.schema, commit)


Told = tuple[tuple[TabletId, Commit | Large], ...]
"""What followers of each tablet are told of one transaction."""


class Gap(NamedTuple):
    """So many changes of a STREAM table are lost to this subscriber."""

    dropped: int


class Feed(Protocol):
    """The retained log."""

    def after(
        self, tablet: TabletId, position: Position, through: int, changes: int
    ) -> Sequence[Commit]:
        """Commits behind a position, up to commit `through`: about so many changes, at most twice as many.

        Only one that has more is given in parts. None only if there are none. Raises
        SnapshotTooOldError when some are there no more.
        """


class Buffer(Feed, Protocol):
    """The changes that STREAM tables still have; `after` gives those and raises nothing."""

    def check(self, tablet: TabletId, position: Position) -> None:
        """Raise SnapshotTooOldError unless everything behind a position is there."""

    def kept_from(self, tablet: TabletId) -> Position:
        """Everything behind this position is there."""

    def count(self, tablet: TabletId, position: Position, through: int) -> int:
        """How many changes are there behind a position, up to commit `through`."""
