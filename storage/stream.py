"""A STREAM table's tablet: its rows, and the newest changes that made them, in memory for a while.

Changes come at publish with their transaction's seq and never touch the disk. A row is there until its
time to live is over, counted from its last change, or more rows than the buffer holds have come or changed
after it. A change that has no row to show (a superseded version, a deletion) is kept a while longer for
those who follow the table and are late; there are never many more of these than rows.

Reads are cut at the view's seq, but what has gone is gone for older views too.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, NamedTuple
from weakref import ref

import msgspec
import pyarrow as pa

from storage.answers import Scan, TabletStats
from storage.arrow import projector, to_batch
from storage.ids import TabletId
from storage.layout import Layout, Row, Value, row_bytes
from storage.log.log_entry import Op
from storage.log.view import Version, View
from storage.shaped import alike
from storage.tail.changes import TabletChange
from storage.tail.live_rows import LiveRows

HISTORY_MIN: Final = 1024
"""Changes without a row that are kept however few rows there are."""

EVICTED_AT_ONCE: Final = 5000
"""Changes that one look at the time drops: some 3 ms."""

NEVER: Final = 1 << 62
"""Later than every time."""

END: Final = (1 << 32) - 1
"""The place behind every change of a transaction."""

_HOLE_MIN = 1024

_CHANGE_BYTES: Final = 300
"""That a change takes beside its values: itself, two tuples, its places in the list and by key."""

_BATCHES_MAX: Final = 16
"""Batches that are kept of a tablet before they are made one: each costs a question something."""

_CELL_BYTES: Final = 16
"""That a value takes in a column, about."""

_batch_ids = count(-1_000_000_000, -1)
"""Below every other batch id: a stream's batches are made for one statement each."""

Place = tuple[int, int]
"""(seq, n): a change's transaction, and its place among those of it in this tablet."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What a STREAM table's definition says of each of its tablets.

    ttl_us: how long a row lives, 0 for ever. max_buffer: rows that are kept, 0 for no limit. lasting: no
    row ever goes by itself, and nobody follows the tablet or reads it as it was: a temporary table's.
    """

    layout: Layout
    ttl_us: int
    max_buffer: int
    lasting: bool = False

    @property
    def history_min(self) -> int:
        """Changes without a row that are kept however few rows there are."""
        return 64 if self.lasting else HISTORY_MIN


class StreamChange(msgspec.Struct, gc=False):
    """One change of one key; row and old as in `log_entry.Entry`.

    at_us: when it was published. size: about how many bytes it takes.
    """

    seq: int
    n: int
    op: Op
    key: bytes
    row: Row
    old: Row | None
    at_us: int
    size: int


class _Reading:
    """Alive as long as somebody may go on in a list of changes."""

    __slots__ = ("__weakref__",)


class Discarded(NamedTuple):
    """Changes that a tablet has let go of as a whole: to free many takes long.

    changes: in a list that nobody else has once all `readers` are gone. newest: of them, by key.
    """

    changes: list[StreamChange | None]
    newest: dict[bytes, StreamChange]
    readers: "tuple[ref[object], ...]"

    @property
    def is_read(self) -> bool:
        """Whether somebody may go on in them."""
        return any(reader() is not None for reader in self.readers)

    def free_some(self, count: int) -> bool:
        """Free so many of them; whether there are more."""
        for _ in range(min(count, len(self.newest))):
            self.newest.popitem()
        del self.changes[-count:]
        return bool(self.newest or self.changes)


def _cell_bytes(rows: int, batch: pa.RecordBatch) -> int:
    """About what so many rows of a batch take."""
    return _CELL_BYTES * int(batch.num_columns) * rows


class Columns:
    """Rows of a lasting tablet as columns, kept as long as all that comes are more rows.

    through: the newest commit of which they have the rows; 0: nothing is kept.
    """

    __slots__ = ("batches", "rows", "through")

    def __init__(self) -> None:
        self.batches: tuple[tuple[int, pa.RecordBatch], ...] = ()
        self.rows = 0
        self.through = 0

    def add(self, batch: pa.RecordBatch, through: int) -> int:
        """More rows came, with commits up to `through`; by how many bytes it grew."""
        self.through = through
        if not batch.num_rows:
            return 0
        if len(self.batches) == _BATCHES_MAX:
            whole = pa.Table.from_batches(alike([*[one for _, one in self.batches], batch]))
            (batch,) = whole.combine_chunks().to_batches()
            self.batches = ()
        self.batches = (*self.batches, (next(_batch_ids), batch))
        before, self.rows = self.rows, sum([one.num_rows for _, one in self.batches])
        return _cell_bytes(self.rows - before, batch)

    def forget(self) -> int:
        """Some of them have gone or changed; how many bytes are free."""
        freed = sum(_cell_bytes(one.num_rows, one) for _, one in self.batches)
        self.batches, self.rows, self.through = (), 0, 0
        return freed


class StreamTablet:
    """The same reads as `storage.tablet.Tablet`; for the event loop. Its length is its changes.

    forgotten: of a change up to here nothing may be known any more; of all later ones everything is.
    size: about how many bytes its changes take. discarded: what is to be freed.
    """

    def __init__(
        self,
        tablet: TabletId,
        limits: StreamLimits,
        now_us: Callable[[], int],
        forgotten: Place = (0, 0),
    ) -> None:
        """An empty tablet. now_us: the time, in µs since 1970."""
        self.id = tablet
        self.limits = limits
        self.forgotten = forgotten
        self.size = 0
        self.discarded: list[Discarded] = []
        self._now_us = now_us
        self._reading = _Reading()
        # Those before `_begin` are None: a list finds by bisection, which a deque does not.
        self._changes: list[StreamChange | None] = []
        self._begin = 0
        self._newest: dict[bytes, StreamChange] = {}
        self._rows = 0
        self._begun = 0  # The commit of the newest TRUNCATE.
        self._columns = Columns()

    def __len__(self) -> int:
        return len(self._changes) - self._begin

    def __bool__(self) -> bool:
        return True

    @property
    def layout(self) -> Layout:
        """The newest schema version."""
        return self.limits.layout

    @property
    def newest_change(self) -> int:
        """The commit of the newest change that is kept, 0: there is none. From any thread."""
        newest = next(reversed(self._changes), None)
        return 0 if newest is None else newest.seq

    @property
    def due_us(self) -> int:
        """When its oldest change is too old."""
        if not len(self) or not self.limits.ttl_us:
            return NEVER
        oldest = self._changes[self._begin]
        assert oldest is not None
        return oldest.at_us + self.limits.ttl_us

    def configure(self, limits: StreamLimits) -> None:
        """The table's definition has changed."""
        move = projector(self.layout, limits.layout)
        self.limits = limits
        self.size -= self._columns.forget()
        if move is not None:
            for change in self._kept():
                if change.op is Op.TRUNCATE:
                    continue
                change.row = move(change.row)
                change.old = None if change.old is None else move(change.old)

    def reading(self, layout: Layout) -> "StreamTablet":
        """What is in it now, in another layout: later changes are not told to it."""
        if layout == self.layout:
            return self
        other = StreamTablet(self.id, self.limits, self._now_us, self.forgotten)
        for change in self._kept():
            other._add(msgspec.structs.replace(change))
        other._begun = self._begun
        other.configure(replace(self.limits, layout=layout))
        return other

    # ------------------------------------------------------------------ what comes and goes

    def append(self, seq: int, writes: Sequence[TabletChange], now_us: int) -> None:
        """Take in a published commit's changes, in commit order."""
        if len(self):
            # The clock may step back; what is too old is always at the front.
            newest = self._changes[-1]
            assert newest is not None
            now_us = max(now_us, newest.at_us)
        if self._columns.through and any(w.op is not Op.INSERT for w in writes):
            self.size -= self._columns.forget()
        for n, write in enumerate(writes):
            key, row, old = write.key, write.row, write.old
            size = change_bytes(key, row, old)
            self._add(StreamChange(seq, n, write.op, key, row, old, now_us, size))
        if self.limits.max_buffer:
            while self._rows > self.limits.max_buffer:
                self._drop_oldest()
        history = len(self) - self._rows
        if history > 2 * max(self.limits.history_min, self._rows):
            self._thin(history // 2)

    def _add(self, change: StreamChange) -> None:
        if change.op is Op.TRUNCATE:
            self._empty(change.seq)
        else:
            before = self._newest.get(change.key)
            self._rows += (change.op is not Op.DELETE) - (
                before is not None and before.op is not Op.DELETE
            )
            self._newest[change.key] = change
        self._changes.append(change)
        self.size += change.size

    def drop(self, count: int, bytes_max: int) -> None:
        """Drop the oldest changes, at most so many, until they take no more than that."""
        for _ in range(min(count, len(self))):
            if self.size <= bytes_max:
                break
            self._drop_oldest()

    def evict(self, now_us: int) -> bool:
        """Drop some of what is too old; whether there is more."""
        for _ in range(EVICTED_AT_ONCE):
            if self.due_us > now_us:
                return False
            self._drop_oldest()
        return self.due_us <= now_us

    def _drop_oldest(self) -> None:
        change = self._changes[self._begin]
        assert change is not None
        self._changes[self._begin] = None
        self._begin += 1
        if self._begin > _HOLE_MIN and 2 * self._begin > len(self._changes):
            # Another list: somebody may be reading this one.
            self._changes, self._begin = self._changes[self._begin :], 0
        self.size -= change.size
        self.forgotten = max(self.forgotten, (change.seq, change.n))
        if self._newest.get(change.key) is change:
            del self._newest[change.key]
            self._rows -= change.op is not Op.DELETE

    def _empty(self, seq: int) -> None:
        """Let all rows go. Of the changes that made them the newest stay, for those who are late."""
        newest, self._newest = self._newest, {}
        self._rows = 0
        self._begun = seq
        kept = self.limits.history_min
        if len(self) > kept:
            changes = self._changes
            last = changes[-kept - 1]
            assert last is not None
            self.forgotten = max(self.forgotten, (last.seq, last.n))
            self.discarded.append(Discarded(changes, newest, (ref(self._reading),)))
            self._changes, self._begin, self._reading = changes[-kept:], 0, _Reading()
            self.size = sum([change.size for change in self._kept()])

    def discard(self) -> Discarded:
        """Its table is no more: everything, for when whoever reads it is gone, and it with them."""
        return Discarded(self._changes, self._newest, (ref(self._reading), ref(self)))

    def _thin(self, excess: int) -> None:
        """Drop the oldest changes that have no row to show, so many of them."""
        kept: list[StreamChange | None] = []
        for change in self._kept():
            is_newest = self._newest.get(change.key) is change
            if not excess or (is_newest and change.op is not Op.DELETE):
                kept.append(change)
                continue
            excess -= 1
            self.size -= change.size
            if is_newest:
                del self._newest[change.key]
            self.forgotten = max(self.forgotten, (change.seq, change.n))
        self._changes, self._begin = kept, 0

    # ------------------------------------------------------------------ what followers read

    def after(self, place: Place, through: int, most: int) -> list[StreamChange]:
        """The changes behind a place, up to commit `through`, oldest first: about so many.

        At most twice as many: only a commit that has more is given in parts.
        """
        begin, end = self._behind(place), self._behind((through, END))
        if begin + most < end:
            last = self._changes[begin + most - 1]
            assert last is not None
            end = self._behind((last.seq, END))
            if end - begin > 2 * most:
                end = begin + most
        return [change for change in self._changes[begin:end] if change is not None]

    def count_after(self, place: Place, through: int) -> int:
        """How many changes are there behind a place, up to commit `through`."""
        return max(0, self._behind((through, END)) - self._behind(place))

    def _behind(self, place: Place) -> int:
        return bisect_right(self._changes, place, lo=self._begin, key=_place)

    # ------------------------------------------------------------------ what statements read

    def get(self, view: View, key: bytes) -> Version | None:
        """The live row of a key."""
        change = self._newest.get(key)
        if view.seq < (self._begun if change is None else change.seq):
            change = next((c for c in self._seen(view) if c.key == key), None)
        if change is None or change.op is Op.DELETE or change.at_us <= self._expired_us():
            return None
        return self._version(change)

    def newest(self, view: View, equals: Sequence[tuple[int, Value]] = ()) -> Iterator[Version]:
        """Live versions with these values at these positions, newest commit first."""
        expired_us = self._expired_us()
        seen: set[bytes] = set()
        for change in self._seen(view):
            if change.at_us <= expired_us:
                return
            if change.key not in seen:
                seen.add(change.key)
                row = change.row
                if change.op is not Op.DELETE and all(row[at] == value for at, value in equals):
                    yield self._version(change)

    def newest_floor(self, view: View) -> int:
        """0: `newest` gives every row there is."""
        return 0

    def in_order(self, column_position: int) -> bool:
        """No column is known to be in order."""
        return False

    def scan(self, view: View) -> Scan:
        """Everything that the view sees, in commit order."""
        newest = self._changes[-1] if len(self) else None
        if self.limits.lasting and newest is not None and view.seq >= newest.seq:
            columns = self._columns
            if columns.through:  # Nothing but rows has come since, or they would not be kept.
                came = self.after((columns.through, END), newest.seq, len(self))
                rows = [(change.row, change.seq) for change in came]
            else:
                rows = [(version.row, version.seq) for version in self.newest(view)][::-1]
            self.size += columns.add(self._batch(rows), newest.seq)
        else:
            columns = Columns()
            rows = [(version.row, version.seq) for version in self.newest(view)][::-1]
            columns.add(self._batch(rows), view.seq)
        return Scan(columns.batches, (), None, overlapping=False, rows=columns.rows)

    def _batch(self, rows: Sequence[tuple[Row, int]]) -> pa.RecordBatch:
        """Rows and their commits as columns."""
        seqs = [seq for _, seq in rows]
        return to_batch([row for row, _ in rows], self.layout, seqs, [False] * len(rows))

    def count(self, view: View) -> int:
        """How many rows the view sees."""
        return sum(1 for _ in self.newest(view))

    def live_rows(self, view: View, rows_max: int) -> LiveRows | None:
        """Everything that the view sees, in commit order; None when it may be more than `rows_max`."""
        if len(self._newest) > rows_max:
            return None
        versions = list(self.newest(view))
        versions.reverse()
        return LiveRows((), [v.row for v in versions], [v.seq for v in versions])

    def hot_rows(self, view: View) -> int:
        """At most how many rows `newest` gives."""
        return len(self._newest)

    def stats(self, view: View) -> TabletStats:
        """Counts for SHOW STATS. Bytes are those of the rows as columns."""
        batches = [batch for _, batch in self.scan(view).batches]
        rows, size = sum(b.num_rows for b in batches), sum(b.nbytes for b in batches)
        return TabletStats(rows, size, 0, 0, 0)

    def _kept(self) -> Iterator[StreamChange]:
        return (change for change in self._changes if change is not None)

    def _seen(self, view: View) -> Iterator[StreamChange]:
        """What a view sees, newest first, as long as it is there: nothing from before a TRUNCATE."""
        changes, _reading = self._changes, self._reading
        for at in range(self._behind((view.seq, END)) - 1, self._begin - 1, -1):
            change = changes[at]
            if change is None or change.op is Op.TRUNCATE:
                return
            yield change

    def _expired_us(self) -> int:
        """What was published at this time or before is seen no more."""
        return self._now_us() - self.limits.ttl_us if self.limits.ttl_us else -1

    def _version(self, change: StreamChange) -> Version:
        return Version(change.seq, 0, change.op, change.row, self.layout.version, None)


def empty(tablet: TabletId, layout: Layout) -> StreamTablet:
    """What is read of a tablet, whatever its table's kind, when it is known to have no rows."""
    return StreamTablet(tablet, StreamLimits(layout, 0, 0), lambda: 0)


def change_bytes(key: bytes, row: Row, old: Row | None) -> int:
    """About how many bytes a change takes."""
    return _CHANGE_BYTES + len(key) + row_bytes(row) + (0 if old is None else row_bytes(old))


def _place(change: StreamChange | None) -> Place:
    assert change is not None
    return change.seq, change.n
