"""A tablet's Arrow cache: immutable record batches, then a short tail of Python rows.

Every version since the base is kept, so that any view above it can be read: rows are cut at a
sequence number by bisection, and a row counts until the version that replaced it. Batches are
never changed; what changes is which of their rows live, and a batch without dead rows is handed
out as it is.

Rows are numbered in the order of appending (*ordinals*). A tail belongs to the event loop; the
batches that it gives out may go anywhere.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import repeat

import pyarrow as pa
import pyarrow.compute as pc

from storage.arrow import DELETED, to_batches, to_values
from storage.layout import VALUE_BYTES, Layout, Row, Value, row_bytes
from storage.log.log_entry import Op
from storage.log.view import Version
from storage.tail.backwards import Equals, newest_kept, newest_of
from storage.tail.changes import TabletChange, rows_sizes
from storage.tail.encodings import Encodings
from storage.tail.frozen import FrozenTail
from storage.tail.indexes import Columns, Indexes, TailIndex
from storage.tail.live_rows import KEPT_ROWS_MAX, LastRows, LiveRows, picked
from storage.tail.order import Orders
from storage.tail.sizes import DEFAULT_SIZES, Sizes
from storage.tail.superseded import Changes
from storage.tail.unknown import ABSENT, UNKNOWN, Known
from storage.tail.value_index import Cut
from storage.tail.versions import BatchWithId, VersionBatch, coalesce, dead_among, make_batch

_INSERT, _DELETE = Op.INSERT, Op.DELETE  # An enum's attribute costs more than all the rest.

_ROW_OVERHEAD_BYTES = 220  # Measured: key, dict slot, ordinal of one row in `_newest`.
_RECENT_OVERHEAD_BYTES = 200  # Measured: of one decoded row, beside its values.

_CHANGES_AT_ONCE = 4000  # Looked at in one step: some 4 ms.
_LIVE_BYTES_MAX = 8 << 20
"""More is not given as rows: to decode it holds the event loop for long."""

_ALL = 1 << 63

_VERSIONS_OF_A_ROW = 4
"""So many of each row, on average, may have to be passed over to find all that live."""


class Tail:
    """Every version of one tablet with seq > `base`, up to the newest published.

    `append` is called in commit order. All reads take (after, upto): the manifest's
    `flushed_through` and the view's seq.
    """

    def __init__(self, layout: Layout, base: int, sizes: Sizes = DEFAULT_SIZES) -> None:
        self.layout = layout
        self._sizes = sizes
        self.base = base
        self.last_seq = base
        self._batches: list[VersionBatch] = []
        self._batch_bytes = 0
        # Recent rows, ordinals from `_recent`; those below `_sealed` are in a batch too.
        self._recent = 0
        self._sealed = 0
        self._seqs: list[int] = []
        self._rows: list[Row] = []
        self._row_sizes: list[int] = []  # About their bytes, of which `_recent_bytes` is the sum.
        self._recent_bytes = 0
        self._unsealed_bytes = 0
        self._gone: list[bool] = []
        self._newest: dict[bytes, int] = {}
        self._deaths: dict[int, int] = {}
        self._any_gone = False
        self._changes = Changes()
        self._orders = Orders(layout)
        self._above_base = 0  # The first ordinal with seq > base.
        self._indexes = Indexes(layout, self._columns, self._read, sizes.index, sizes.sparse)
        self.encodings = Encodings()
        self._last = LastRows()
        self._whole = Cut(0, _ALL, _ALL, self._deaths, whole=True)

    @property
    def size_bytes(self) -> int:
        """Memory in use, near enough to choose which tail to drop."""
        made = self._indexes.size_bytes + self.encodings.size_bytes + self._last.size_bytes
        return self._rows_bytes + made

    @property
    def _rows_bytes(self) -> int:
        return (
            self._batch_bytes
            + len(self._newest) * _ROW_OVERHEAD_BYTES
            + len(self._rows) * _RECENT_OVERHEAD_BYTES
            + self._recent_bytes
            + len(self._deaths) * 100
        )

    def append(
        self, seq: int, key: bytes, row: Row, op: Op, old: Row | None, entry_bytes: int = 0
    ) -> None:
        """Add one version; `seq` is not below the last one's.

        Args:
            seq: Its commit.
            key: Encoded primary key.
            row: In the tail's layout.
            op: INSERT, UPDATE or DELETE. The last two say that a live older version exists, here
                or in cold; DELETE makes this one a tombstone.
            old: The row that it replaces, in the tail's layout; its key is spelt as cold has it.
            entry_bytes: Of its log entry, which tells its size; 0: it is measured.
        """
        rows = self._rows
        ordinal = self._recent + len(rows)
        before = self._newest.get(key, -1)
        self._newest[key] = ordinal
        if before >= 0:
            self._bury(before, seq)
        if op is not _INSERT:
            before_seq = self._seq_of(before) if before >= 0 else 0
            source = row if old is None else old
            self._changes.add(seq, before_seq, tuple([source[i] for i in self.layout.key]))
        self._seqs.append(seq)
        # Such an entry has this row and no other.
        known = (old is None or old is row) and entry_bytes
        size = entry_bytes + VALUE_BYTES * len(row) if known else row_bytes(row)
        self._row_sizes.append(size)
        self._recent_bytes += size
        self._unsealed_bytes += size
        rows.append(row)
        deleted = op is _DELETE
        self._gone.append(deleted)
        if deleted:
            self._any_gone = True
        elif self._orders:
            self._orders.check(row)
        if self._indexes:
            self._indexes.add(ordinal, row, gone=deleted)
        self.last_seq = seq
        sizes = self._sizes
        if ordinal + 1 - self._sealed >= sizes.seal or self._unsealed_bytes > sizes.seal_bytes:
            self._seal()

    def extend(self, seq: int, changes: Sequence[TabletChange]) -> None:
        """`append` of all that one commit has changed, in this layout: a third of its time."""
        newest, first = self._newest, self._recent + len(self._rows)
        for ordinal, change in enumerate(changes, first):
            key, op = change.key, change.op
            before = newest.get(key, -1)
            newest[key] = ordinal
            if before >= 0:
                self._bury(before, seq)
            if op is not _INSERT:
                before_seq = self._seq_of(before) if before >= 0 else 0
                source = change.row if change.old is None else change.old
                self._changes.add(seq, before_seq, tuple([source[i] for i in self.layout.key]))
        most, rows = self._sizes, [change.row for change in changes]
        gone = [change.op is _DELETE for change in changes]
        sizes = rows_sizes(changes, len(self.layout.columns))
        self._seqs += repeat(seq, len(rows))
        self._rows += rows
        self._gone += gone
        self._row_sizes += sizes
        self._recent_bytes += sum(sizes)
        self._unsealed_bytes += sum(sizes)
        self._any_gone = self._any_gone or True in gone
        if self._orders or self._indexes:
            for ordinal, (row, deleted) in enumerate(zip(rows, gone, strict=True), first):
                if self._orders and not deleted:
                    self._orders.check(row)
                self._indexes.add(ordinal, row, gone=deleted)
        self.last_seq = seq
        if first + len(rows) - self._sealed >= most.seal or self._unsealed_bytes > most.seal_bytes:
            self._seal()

    def live(self, after: int, upto: int) -> list[BatchWithId]:
        """Batches of the rows that a view at `upto` sees, of versions newer than `after`."""
        if self._recent + len(self._rows) > self._sealed:
            self._seal()
        return self._sealed_live(after, upto)

    def frozen(self, after: int, upto: int) -> FrozenTail:
        """What a flush writes, the newest version of every key with after < seq <= upto."""
        if self._recent + len(self._rows) > self._sealed:
            self._seal()
        parts = [
            batch for batch in self._batches if batch.seqs[0] <= upto and batch.seqs[-1] > after
        ]
        return FrozenTail(self.layout, after, upto, parts, self._changes.until_now())

    def superseded(self, after: int, upto: int) -> pa.RecordBatch | None:
        """Keys of live rows at or below `after` that versions in (after, upto] replaced."""
        return self._changes.keys(after, upto, self.layout)

    def preparing(self, after: int, upto: int, *, cold: bool) -> Iterator[None]:
        """Do what `live` and, cold, `superseded` take, some ms at a time; it ends whatever others do."""
        for batch in tuple(self._batches):
            if batch.seqs[0] <= upto and batch.seqs[-1] > after and batch.prepare(after, upto):
                yield
        for _ in range(len(self._changes) // _CHANGES_AT_ONCE if cold else 0):
            if not self._changes.prepare(after, self.layout, _CHANGES_AT_ONCE):
                yield

    def superseded_count(self, after: int, upto: int) -> int:
        """How many keys `superseded` gives."""
        found = self._changes.keys(after, upto, self.layout)
        return 0 if found is None else int(found.num_rows)

    def newest(self, after: int, upto: int, equals: Equals = ()) -> Iterator[tuple[int, Row]]:
        """(seq, row) of the live rows that a view at `upto` sees, newest commit first, lazily.

        equals: (position, value) pairs; rows that differ from one are left out, in Arrow where a
        row is not decoded anyway. Only for kinds whose equality is that of their stored form.
        """
        first, deaths, batches = self._recent, self._deaths, list(self._batches)
        recent = self._seqs, self._rows, self._gone
        yield from newest_kept(*recent, deaths, (first, after, upto), equals)
        for batch in reversed(batches):
            if batch.first < first:
                within = (first, after, upto)
                most = self._sizes.decode
                yield from newest_of(batch, self.layout, deaths, within, equals, most)
            if batch.seqs[0] <= after:
                return

    def get(self, key: bytes, upto: int, hidden: int) -> Known:
        """The row of a key that a view at `upto` sees, of a commit after `hidden`; None: it is deleted.

        UNKNOWN: what is kept here as tuples does not tell. ABSENT: nor has it any version here.
        """
        if self.last_seq > upto:
            return UNKNOWN
        ordinal = self._newest.get(key)
        if ordinal is None:
            return ABSENT
        at = ordinal - self._recent
        if at < 0:
            return UNKNOWN
        if self._seqs[at] <= hidden:
            return ABSENT
        if self._gone[at]:
            return None
        return Version(self._seqs[at], 0, _INSERT, self._rows[at], self.layout.version, None)

    def get_all(self, keys: Sequence[bytes], upto: int, hidden: int) -> list[Known]:
        """`get` of each of them."""
        if self.last_seq > upto:
            return [UNKNOWN] * len(keys)
        recent, seqs, rows, gone = self._recent, self._seqs, self._rows, self._gone
        version, none = self.layout.version, _ALL
        found: list[Known] = []
        for ordinal in map(self._newest.get, keys, repeat(none)):
            at = ordinal - recent
            if at < 0:
                found.append(UNKNOWN)
            elif ordinal == none or seqs[at] <= hidden:
                found.append(ABSENT)
            elif gone[at]:
                found.append(None)
            else:
                found.append(Version(seqs[at], 0, _INSERT, rows[at], version, None))
        return found

    def count(self, after: int, upto: int) -> int:
        """How many live rows a view at `upto` sees, of versions newer than `after`."""
        first, end = self._end_of(after), self._end_of(upto)
        begin = max(first, self._sealed) - self._recent
        sealed = sum(batch.count(after, upto) for batch in self._batches)
        return sealed + len(self._live_places(begin, end - self._recent, upto))

    def live_rows(self, after: int, upto: int, rows_max: int) -> LiveRows | None:
        """All live rows that a view at `upto` sees, of versions newer than `after`, in commit order.

        None when there are more than `rows_max`, or several times as many versions, or many bytes of them.
        """
        upto = min(
            upto, self.last_seq
        )  # So it is the same for views that others' commits have made.
        state = (after, upto, self._recent, self._sealed, len(self._rows), len(self._deaths))
        known = self._last.get(state)
        if known is not None:
            return known if len(known) <= rows_max else None
        first, end = self._end_of(after), self._end_of(upto)
        if end - first > rows_max * _VERSIONS_OF_A_ROW or self._recent_bytes > _LIVE_BYTES_MAX:
            return None
        decoded = first >= self._recent
        batches = [] if decoded else [batch for _, batch in self._sealed_live(after, upto)]
        if sum(batch.nbytes for batch in batches) > _LIVE_BYTES_MAX:
            return None
        begin = max(first if decoded else self._sealed, first) - self._recent
        places = self._live_places(begin, end - self._recent, upto)
        rows, seqs, numbers = picked(places, self._rows, self._seqs, self._recent)
        few = len(rows) + sum([batch.num_rows for batch in batches]) <= KEPT_ROWS_MAX
        columns: dict[int, Sequence[Value]] | None = {} if few else None
        found = LiveRows(batches, rows, seqs, numbers, self.encodings, columns)
        return self._last.keep(state, found) if len(found) <= rows_max else None

    def _sealed_live(self, after: int, upto: int) -> list[BatchWithId]:
        found = (
            batch.live(after, upto)
            for batch in self._batches
            if batch.seqs[0] <= upto and batch.seqs[-1] > after
        )
        return [batch for batch in found if batch is not None]

    def _live_places(self, start: int, stop: int, upto: int) -> Sequence[int]:
        """Which of the rows kept as tuples a view at `upto` sees, from place `start` to before `stop`."""
        deaths, gone, first = self._deaths, self._gone, self._recent
        if not deaths and not self._any_gone:
            return range(start, max(start, stop))
        return [
            at
            for at in range(start, stop)
            if not gone[at] and not 0 < deaths.get(first + at, 0) <= upto
        ]

    def in_order(self, position: int) -> bool:
        """Whether the column was never below an earlier row's value (nor null) in the whole tail.

        The first question of a column reads it all; from then on `append` keeps the answer.
        """
        return self._orders.holds(position, lambda: self._alive_values(position))

    def index(self, equal: int, by: int | None) -> TailIndex | None:
        """The rows by column `equal` in the order of column `by`, None if not (yet) to be had."""
        end = self._recent + len(self._rows)
        return self._indexes.find(equal, by, self._above_base, end, self._rows_bytes)

    def index_is_coming(self, equal: int, by: int | None) -> bool:
        """Whether `index` gives one when it has been asked often enough."""
        return self._indexes.is_coming(equal, by, self._recent + len(self._rows))

    def cut(self, after: int, upto: int) -> Cut:
        """Which ordinals a view at `upto` sees, of versions newer than `after`."""
        if after <= self.base and upto >= self.last_seq:
            return self._whole
        return Cut(self._end_of(after), self._end_of(upto), upto, self._deaths, whole=False)

    def rows_at(self, ordinals: Sequence[int], positions: Sequence[int]) -> list[tuple[int, Row]]:
        """(seq, values of the columns at `positions`) of each."""
        recent, seqs, rows = self._recent, self._seqs, self._rows
        whole = len(positions) == len(self.layout.columns)
        found: list[tuple[int, Row]] = []
        older: dict[int, list[int]] = {}  # Places in `found`, by batch.
        within, places = range(0), list[int]()
        for place, ordinal in enumerate(ordinals):
            if ordinal >= recent:
                row = rows[ordinal - recent]
                values = row if whole else tuple([row[at] for at in positions])
                found.append((seqs[ordinal - recent], values))
                continue
            if ordinal not in within:
                number = self._batch_index(ordinal)
                batch = self._batches[number]
                within = range(batch.first, batch.first + len(batch.seqs))
                places = older.setdefault(number, [])
            places.append(place)
            found.append((0, ()))
        for number, places in older.items():
            batch = self._batches[number]
            at = [ordinals[place] - batch.first for place in places]
            for place, one in zip(places, batch.take(at, positions), strict=True):
                found[place] = one
        return found

    def drop_through(self, base: int) -> None:
        """Forget versions with seq <= base: they are in cold and no view reads them from here."""
        if base <= self.base:
            return
        if self._recent + len(self._rows) > self._sealed:
            self._seal()
        kept = [batch for batch in self._batches if batch.seqs[-1] > base]
        self.base = base
        self._above_base = self._end_of(base)
        self._indexes.clear()
        if len(kept) == len(self._batches):
            return
        first = kept[0].first if kept else self._sealed
        self._batches = kept
        self._batch_bytes = sum(batch.batch.nbytes for batch in kept)
        self._forget_recent(first)
        self._newest = {key: at for key, at in self._newest.items() if at >= first}
        self._deaths = {at: seq for at, seq in self._deaths.items() if at >= first}
        self._changes = self._changes.since(base)
        self.encodings.since(first)
        self._whole = Cut(0, _ALL, _ALL, self._deaths, whole=True)

    # How rows die and become batches.

    def _bury(self, ordinal: int, seq: int) -> None:
        self._deaths[ordinal] = seq
        if ordinal < self._sealed:
            batch = self._batches[self._batch_index(ordinal)]
            batch.dead.append(ordinal - batch.first)
            batch.dead_at.append(seq)

    def _batch_index(self, ordinal: int) -> int:
        return bisect_right(self._batches, ordinal, key=lambda batch: batch.first) - 1

    def _seq_of(self, ordinal: int) -> int:
        if ordinal >= self._recent:
            return self._seqs[ordinal - self._recent]
        batch = self._batches[self._batch_index(ordinal)]
        return batch.seqs[ordinal - batch.first]

    def _seal(self) -> None:
        """Make the rows that are in no batch one, then merge while sizes are alike."""
        start = self._sealed - self._recent
        seqs, rows, gone = self._seqs[start:], self._rows[start:], self._gone[start:]
        for record in to_batches(rows, self.layout, seqs, gone):
            self._add_batch(record)
        if self._indexes:
            self._indexes.limit(self._rows_bytes)
        self._unsealed_bytes, sizes = 0, self._sizes
        if len(self._rows) > 2 * sizes.recent or self._recent_bytes > sizes.recent_bytes:
            self._forget_recent(self._sealed - sizes.kept(self._row_sizes))

    def _add_batch(self, record: pa.RecordBatch) -> None:
        """The next rows that are in no batch yet, as one."""
        first, rows = self._sealed, record.num_rows
        dead = dead_among(self._deaths, first, rows)
        tombstones = self._any_gone and pc.any(record.column(DELETED)).as_py()
        self._batches.append(make_batch(first, record, dead, tombstones=tombstones))
        self._sealed += rows
        self._batch_bytes += record.nbytes
        coalesce(self._batches, self._sizes)

    def _forget_recent(self, first: int) -> None:
        """Drop decoded rows below ordinal `first`; new lists, since a reader may hold the old ones."""
        drop = first - self._recent
        if drop <= 0:
            return
        self._recent_bytes -= sum(self._row_sizes[:drop])
        self._last.clear()
        self._seqs, self._rows = self._seqs[drop:], self._rows[drop:]
        self._gone, self._row_sizes = self._gone[drop:], self._row_sizes[drop:]
        self._recent = first

    # For indexes and orders.

    def _read(self, ordinals: Sequence[int], positions: Sequence[int]) -> list[Row]:
        return [row for _, row in self.rows_at(ordinals, positions)]

    def _alive_values(self, position: int) -> list[Value]:
        """A column's values in all rows but tombstones, in the order of writing."""
        values: list[Value] = []
        for batch in self._batches:
            alive = batch.batch
            if batch.tombstones:
                alive = alive.filter(pc.invert(alive.column(DELETED)))
            values += to_values(alive.column(position))
        start = self._sealed - self._recent
        values += [
            row[position]
            for row, gone in zip(self._rows[start:], self._gone[start:], strict=True)
            if not gone
        ]
        return values

    def _columns(self, first: int, most: int, positions: Sequence[int]) -> Columns:
        """Some columns of up to `most` rows from an ordinal on, and which are tombstones."""
        if first < self._sealed:
            batch = self._batches[self._batch_index(first)]
            part = batch.batch.slice(first - batch.first, most)
            gone = part.column(DELETED).to_pylist() if batch.tombstones else None
            return [to_values(part.column(position)) for position in positions], gone
        start = first - self._recent
        rows = self._rows[start : start + most]
        return [[row[at] for row in rows] for at in positions], self._gone[start : start + most]

    def _end_of(self, seq: int) -> int:
        """The first ordinal of a row that was written after commit `seq`."""
        if self._seqs and self._seqs[0] <= seq:
            return self._recent + bisect_right(self._seqs, seq)
        for batch in reversed(self._batches):
            if batch.seqs[0] <= seq:
                return batch.first + bisect_right(batch.seqs, seq)
        return self._batches[0].first if self._batches else self._recent
