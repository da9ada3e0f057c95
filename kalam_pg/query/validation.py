"""Whether a SERIALIZABLE transaction may commit: nothing that it has read may have changed since.

Its place among the others is its commit. So what it saw in its snapshot must be what it would see there, and
it is when no commit between the two has changed a row that it asked for (`read_set`). The commits between
are read where they are kept: in the log, which has everything behind the snapshot of an open view, and
in the buffers of STREAM tables. Who has written nothing stands at its snapshot, and is never asked.

Most of that is done before the commit is handed over (`look`), in turns with other sessions; the committer,
which owns the outcome, looks at the few that have come since, and at earlier members of its group (`check`).
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from kalam_pg.live.commits import Buffer, Commit, Feed, Position, RowChange, seen_in
from kalam_pg.query.database import Database
from kalam_pg.query.log_feed import LogFeed
from kalam_pg.query.read_set import ReadSet, TabletReads, conflict
from kalam_pg.query.stream_feed import StreamFeed
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Steps, breathe
from storage.engine import WriteSet
from storage.errors import SnapshotTooOldError
from storage.ids import TabletId

AT_ONCE: Final = 200
"""Changes that are looked at before other sessions have a turn: a millisecond or two."""

LATE_MAX: Final = 2000
"""Changes of one tablet that the committer looks at for one transaction: more count as one of what was read.

While it does nobody commits. Only a commit of so many rows in the same instant comes to that.
"""


def look(database: Database, transaction: Transaction) -> Steps[None]:
    """Hold what was read against all that is published. Raises 40001."""
    reads = transaction.reads
    if reads is None or not reads.tablets:
        return
    engine = database.engine
    log, buffers = LogFeed(engine), StreamFeed(engine.streams)
    while reads.through < (through := engine.current.seq):
        looked = 0
        for tablet, one in reads.tablets.items():
            for commit in _commits(one, log, buffers, tablet, reads.through, through):
                if any(map(one.has_read, commit.changes)):
                    raise conflict()
                looked += len(commit.changes)
                if looked >= AT_ONCE:
                    looked = 0
                    yield from breathe()
            looked += 1
        reads.through = through


def checked(database: Database, transaction: Transaction, write_set: WriteSet) -> WriteSet:
    """A transaction's write set, for the committer to check before it has a place."""
    if transaction.reads is not None and transaction.reads.tablets:
        write_set.validate = partial(check, database, transaction.reads)
    return write_set


def check(database: Database, reads: ReadSet, _seq: int) -> None:
    """In the committer's thread: what has come since `look`. Raises 40001."""
    engine = database.engine
    through = engine.current.seq  # All before this group: it is the next to be published.
    log = LogFeed(engine)
    earlier = engine.earlier_sets()
    for tablet, one in reads.tablets.items():
        if through > reads.through:
            if not one.stream:
                _check_log(log, tablet, one, reads.through, through)
            elif engine.streams.newest_change(tablet) > reads.through:
                raise conflict()  # Its buffer is the event loop's.
        _check_changes(one, _changes_of(earlier, tablet, one))


def _check_log(log: Feed, tablet: TabletId, one: TabletReads, after: int, through: int) -> None:
    try:
        commits = log.after(tablet, Position(after), through, LATE_MAX)
    except SnapshotTooOldError as exc:
        raise conflict() from exc
    if commits and (commits[-1].more or commits[-1].seq < through):
        rest = log.after(tablet, commits[-1].end, through, 1)
        if rest:
            raise conflict()
    _check_changes(
        one, (change for commit in commits for change in seen_in(one.schema, commit).changes)
    )


def _check_changes(one: TabletReads, changes: Iterable[RowChange]) -> None:
    for number, change in enumerate(changes):
        if number == LATE_MAX or one.has_read(change):
            raise conflict()


def _changes_of(
    earlier: Iterable[WriteSet], tablet: TabletId, one: TabletReads
) -> Iterator[RowChange]:
    """What earlier sets of the group change in a tablet."""
    newest = one.schema.newest
    for write_set in earlier:
        if any(load.id == tablet for load in write_set.loads):
            raise conflict()  # So many rows count as one of what was read.
        for write in (*write_set.writes, *write_set.streams):
            if write.tablet == tablet:
                row, old, version = write.row, write.old, write.version
                if version != one.schema.layout.version and write.key:
                    row = newest(row, version)
                    old = None if old is None else newest(old, version)
                yield RowChange(0, write.op, row, old, version)


def _commits(
    one: TabletReads, log: Feed, buffers: Buffer, tablet: TabletId, after: int, through: int
) -> Iterator[Commit]:
    """The commits of a tablet in (after, through], as who read it knows their rows. Raises 40001."""
    feed = buffers if one.stream else log
    position = Position(after)
    while True:
        try:
            if one.stream:
                buffers.check(tablet, position)
            commits = feed.after(tablet, position, through, AT_ONCE)
        except SnapshotTooOldError as exc:
            raise conflict() from exc
        if not commits:
            return
        for commit in commits:
            yield seen_in(one.schema, commit)
        position = commits[-1].end
