"""A tablet: one user's slice of one table, hot and cold read as one.

The log (through a view) holds what is hot, segments what is cold; the manifest that fits the view
says where one ends and the other begins. Point reads go through the log's index first, scans take
record batches from the tail and leave the segments to an engine.

All methods are for the event loop and do no long work, except `get_cold` and `load`, which are for
a worker thread.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from types import MappingProxyType

from storage.answers import COLD_NEEDED, ColdNeeded, Loaded, Scan, TabletStats, stats_of
from storage.cold import manifest
from storage.cold.kept_manifests import NO_READS, KeptManifests, Reads
from storage.cold.key_read import Found, find, find_cached
from storage.cold.manifest import Manifest, Segment
from storage.cold.many_keys import MANY, in_layout, known_in_memory, versions_of
from storage.cold.point_read import NotInMemoryError, SegmentReader
from storage.cold.sight import Sight
from storage.fs import FileSystem
from storage.ids import TabletId
from storage.layout import Layout, Row, Value
from storage.log.log_entry import Op
from storage.log.view import LargeEntryError, Version, View
from storage.readings import Readings
from storage.schema import Schema, Versions
from storage.tail.backwards import Equals
from storage.tail.changes import TabletChange
from storage.tail.encodings import SentRows
from storage.tail.entries import built, fill, take_in
from storage.tail.frozen import FrozenTail
from storage.tail.live_rows import LiveRows
from storage.tail.log_backwards import newest_of_log
from storage.tail.ranked import Ranked
from storage.tail.reach import INLINE, REACH, beginning, short_beginning
from storage.tail.sparse_index import MATCHES_MAX, SparseIndex
from storage.tail.tail import Tail
from storage.tail.unknown import ABSENT, UNKNOWN, Known, Unknown

__all__ = ["COLD_NEEDED", "ColdNeeded", "Loaded", "Scan", "Tablet", "TabletChange", "TabletStats"]

# An enum's attribute costs more than a global.
_INSERT, _DELETE, _TRUNCATE = Op.INSERT, Op.DELETE, Op.TRUNCATE
_USES = count(1)


class Tablet:
    """Reads of one tablet: its tail, its segments, and the manifests that views may still need."""

    def __init__(
        self,
        tablet: TabletId,
        layout: Layout,
        *,
        fs: FileSystem,
        directory: Path,
        current: Callable[[], AbstractContextManager[View]],
        versions: Versions = MappingProxyType({}),
        reads: Reads = NO_READS,
        older: Sequence[Layout] = (),
        shared: Readings | None = None,
    ) -> None:
        """A tablet whose files lie in `directory` (which need not exist).

        Args:
            tablet: Whose rows of which table.
            layout: The schema version that rows are given in; it never changes.
            fs: Where files are.
            directory: The tablet's own directory for segments and manifests.
            current: Gives the published view, reference counted (`Engine.acquire`).
            versions: The schema versions that log entries may have; what others add counts.
            reads: What open views read of it, from when it was open before, and what the log knows.
            older: What another reading knows beside.
            shared: What it has; see `reading`.

        Raises:
            DataCorruptedError: Its newest manifest is damaged or lost.
        """
        self.id = tablet
        self.directory = directory
        if shared is None:
            found = manifest.load_for(fs, directory, tablet, reads.seqs, reads.note)
            shared = Readings(versions, KeptManifests(found))
        self.readings = shared
        self.kept = shared.kept
        self._schema = Schema(tablet, layout, older, shared.versions)
        self._fs = fs
        self._current = current
        self._tail: Tail | None = None
        self._readers: dict[str, SegmentReader] = {}
        self.sent = SentRows()
        """What was made of rows in this layout; only for who reads the published view."""
        self.last_used = 0  # Of the tail, as a number that grows with every use of any tablet's.

    @property
    def layout(self) -> Layout:
        """The schema version in whose form all rows are given."""
        return self._schema.layout

    @property
    def schema(self) -> Schema:
        """The schema version of this tablet, and those that log entries may still have."""
        return self._schema

    def reading(self, layout: Layout) -> "Tablet":
        """The same tablet in another layout; see `storage.readings`."""
        if layout == self.layout:
            return self
        other = Tablet(
            *(self.id, layout),
            fs=self._fs,
            directory=self.directory,
            current=self._current,
            older=self._schema.layouts,
            shared=self.readings,
        )
        self.readings.add(self, other)
        return other

    def newest_reading(self) -> "Tablet":
        """The same tablet in the newest committed layout: what is written cold is written in."""
        return self.reading(self.readings.newest(self.layout))

    @property
    def manifest(self) -> Manifest:
        """The newest published."""
        return self.kept.newest

    def manifest_at(self, seq: int) -> Manifest:
        """The manifest for a view at `seq`."""
        return self.kept.at(seq)

    @property
    def truncations(self) -> tuple[int, ...]:
        """Seqs of the TRUNCATEs known, of which the newest manifest may not know yet."""
        return self.kept.truncations

    def learn_truncations(self, seqs: Sequence[int]) -> None:
        """TRUNCATEs were committed at these seqs: older versions are invisible from there on.

        At a start recovery tells those after flushed_through; later ones come by `append`.
        """
        if seqs:
            self.kept.learn_truncations(seqs)

    def swap(self, manifest: Manifest) -> None:
        """Make a just published manifest the newest; a lower version never replaces a higher."""
        self.kept.swap(manifest)

    def forget_manifests(self, reads: Reads) -> None:
        """Drop manifests that no view reads."""
        kept = self.kept.forget(reads.seqs)
        names = {s.file for manifest in (*kept, *reads.manifests) for s in manifest.segments}
        self._readers = {name: r for name, r in self._readers.items() if name in names}

    # Point reads.

    def get(self, view: View, key: bytes) -> Version | ColdNeeded | None:
        """The live row of `key` as the view sees it; no file is read.

        None: there is none. COLD_NEEDED: a segment may hold it, or it is large; `get_cold` tells.
        """
        manifest = self.kept.at(view.seq)
        tail = self._tail
        if tail is not None and tail.base <= manifest.flushed_through:
            # It has all that the view's log has beyond the segments: the log need not be asked.
            found = tail.get(key, view.seq, manifest.log_begins_behind)
            if not isinstance(found, Unknown):
                return found
            if found is ABSENT and not manifest.segments:
                return None
        try:
            return self._get(view, key, find_cached, manifest, self.readings.large)
        except (NotInMemoryError, LargeEntryError):
            return COLD_NEEDED

    def get_all(self, view: View, keys: Sequence[bytes]) -> list[Version | ColdNeeded | None]:
        """`get` of each of them."""
        manifest, tail = self.kept.at(view.seq), self._tail
        found: list[Known]
        if tail is not None and tail.base <= manifest.flushed_through:
            found = tail.get_all(keys, view.seq, manifest.log_begins_behind)
        else:
            found = [ABSENT if one is None else UNKNOWN for one in view.known(self.id, keys)]
        if manifest.segments and not self.readings.large and len(keys) >= MANY:
            return known_in_memory(view, self._schema, manifest, self._reader, keys, found)
        nowhere = None if manifest.segments else ABSENT
        return [
            None if one is nowhere else self.get(view, key) if isinstance(one, Unknown) else one
            for key, one in zip(keys, found, strict=True)
        ]

    def get_cold(self, view: View, key: bytes) -> Version | None:
        """As `get`, with segments, in a thread; the view holds what it reads. Raises DataCorruptedError."""
        return self._get(view, key, find, self._held_manifest(view))

    def get_all_cold(self, view: View, keys: Sequence[bytes]) -> list[Version | None]:
        """`get_cold` of each of them: of many it takes a fraction."""
        return versions_of(view, self._schema, self._held_manifest(view), self._reader, keys)

    def _get(
        self,
        view: View,
        key: bytes,
        look: Callable[[SegmentReader, bytes, Layout], Found | None],
        manifest: Manifest,
        large: set[bytes] | None = None,
    ) -> Version | None:
        newest = 0  # No segment of a manifest is of an earlier life.
        version = view.find(self.id, key, large)
        if version is not None and version.seq > manifest.hidden_through:
            if version.op != Op.DELETE:
                return in_layout(version, self._schema)
            newest = version.seq
        found: Found | None = None
        for segment in reversed(manifest.segments):
            if segment.max_seq > newest and segment.min_key <= key <= segment.max_key:
                row = look(self._reader(segment), key, self.layout)
                if row is not None and row.seq > newest:
                    newest, found = row.seq, row
        if found is None or found.deleted:
            return None
        return Version(found.seq, 0, Op.INSERT, found.row, self.layout.version, None)

    # Newest-first reads and scans.

    def newest(self, view: View, equals: Equals = ()) -> Iterator[Version] | None:
        """The live versions above `newest_floor(view)`, newest commit first, lazily.

        equals: (position, value) pairs that the rows must have, tested in Arrow where that is
        faster; only for kinds whose equality is that of their stored form.

        From the tail when it is loaded, else from the log backwards (some 3 µs a row): a caller
        that meets too many rows before it has enough should `load` and ask again. Never None.
        """
        tail, manifest = self._tail, self.manifest_at(view.seq)
        if tail is not None and tail.base <= manifest.flushed_through:
            self.last_used = next(_USES)
            floor, version = max(tail.base, manifest.log_begins_behind), self.layout.version
            found = tail.newest(floor, view.seq, equals)
            return (Version(seq, 0, Op.INSERT, row, version, None) for seq, row in found)
        return newest_of_log(view, self._schema, self.id, manifest.flushed_through, equals)

    def newest_floor(self, view: View) -> int:
        """Every live row of the view with `_seq` above this is given by `newest`; 0: all rows are.

        What a tail still holds of rows that were flushed is given too, so reads of recent rows
        stay out of the segments.
        """
        manifest = self.manifest_at(view.seq)
        if not manifest.segments:
            return 0
        tail = self._tail
        if tail is not None and tail.base <= manifest.flushed_through:
            return max(tail.base, manifest.log_begins_behind)
        return manifest.flushed_through

    def ranked(self, view: View, equal: int, value: Value, by: int | None) -> Ranked | None:
        """The view's rows with `value` in column `equal`, in the order of column `by` (None: of commit).

        None when the tail is not loaded (`warm`), or has no such index (yet): then ask `newest`. The
        column's equality must be that of its stored form; value is not NULL.
        """
        tail, manifest = self._tail, self.kept.at(view.seq)
        if tail is None or tail.base > manifest.flushed_through:
            return None
        index = tail.index(equal, by)
        if index is None or (isinstance(index, SparseIndex) and index.count(value) > MATCHES_MAX):
            return None
        self.last_used = next(_USES)
        after = max(tail.base, manifest.log_begins_behind)
        cold = [s for s in manifest.segments if s.min_seq <= after] if manifest.segments else ()
        return Ranked(tail, index, value, tail.cut(after, view.seq), cold)

    def index_is_coming(self, equal: int, by: int | None) -> bool:
        """Whether `ranked` has that index when it has been asked often enough."""
        return self._tail is not None and self._tail.index_is_coming(equal, by)

    def warm(self, view: View) -> bool:
        """Have the tail in memory, made at once when it is short; False: it must be loaded first."""
        tail, after = self._tail, self.manifest_at(view.seq).flushed_through
        return (tail is not None and tail.base <= after) or self._small_tail(after) is not None

    def preparing(self, view: View) -> Iterator[None]:
        """Do what `scan` and `count` would take, some milliseconds at a time; it ends."""
        manifest, tail = self.manifest_at(view.seq), self._tail
        if tail is None or tail.base > manifest.flushed_through:
            return iter(())
        return tail.preparing(manifest.flushed_through, view.seq, cold=bool(manifest.segments))

    def scan(self, view: View) -> Scan | None:
        """Everything that the view sees; None when the tail must be loaded first (`load`).

        As long as somebody holds the view its segments stay, whatever becomes of the table.
        """
        manifest = self._held_manifest(view)
        tail, after = self._tail, manifest.flushed_through
        if tail is None or tail.base > after:
            tail = self._small_tail(after)
            if tail is None:
                return None
        self.last_used = next(_USES)
        batches = tail.live(after, view.seq)
        superseded = tail.superseded(after, view.seq) if manifest.segments else None
        hidden = superseded.num_rows if superseded is not None else 0
        return Scan(
            batches=tuple(batches),
            segments=manifest.segments,
            superseded=superseded,
            overlapping=manifest.merging,
            rows=sum(batch.num_rows for _, batch in batches) + manifest.rows - hidden,
        )

    def is_hot(self, view: View) -> bool:
        """Whether no row of the view is in a segment alone."""
        return self._whole_above(view) is not None

    def live_rows(self, view: View, rows_max: int) -> LiveRows | None:
        """All rows that the view sees, from memory (`warm`), in commit order; None: not all are there.

        Or there are more than `rows_max`.
        """
        after, tail = self._whole_above(view), self._tail
        if after is None or tail is None or tail.base > after:
            return None
        self.last_used = next(_USES)
        return tail.live_rows(after, view.seq, rows_max)

    def count(self, view: View) -> int | None:
        """How many rows the view sees, hot and cold, exactly; None when the tail must be loaded first.

        No row is read: the tail has its versions, and each segment counts what it hides of older ones.
        """
        manifest = self.manifest_at(view.seq)
        after, tail = manifest.flushed_through, self._tail
        if tail is None or tail.base > after:
            return None
        self.last_used = next(_USES)
        hidden = tail.superseded_count(after, view.seq) if manifest.segments else 0
        return tail.count(after, view.seq) + manifest.rows - hidden

    def _whole_above(self, view: View) -> int | None:
        """The seq above which all rows of the view lie that a tail has or will have; None: some do not."""
        manifest = self.manifest_at(view.seq)
        if not manifest.segments:
            return manifest.flushed_through
        tail, begun = self._tail, manifest.hidden_through
        if tail is None or tail.base > begun or manifest.loaded_through > begun:
            return None
        return begun

    def sight(self, view: View, scan: Scan, changes: Mapping[bytes, Row | None]) -> Sight:
        """What `scan` gave for the view, to be read in a thread. changes: see `Sight`."""
        batches = [batch for _, batch in scan.batches]
        readers = [self._reader(segment) for segment in scan.segments]
        return Sight(self.id, view, self.layout, batches, readers, scan.superseded, changes)

    def in_order(self, column_position: int) -> bool:
        """Whether the column was written in non-decreasing order by all rows of the tail.

        False while no tail is loaded. Then `newest` gives descending values of the column.
        """
        return self._tail is not None and self._tail.in_order(column_position)

    @property
    def tail_bytes(self) -> int:
        """Memory held by the tail and by `sent`."""
        return self.sent.size_bytes + (self._tail.size_bytes if self._tail is not None else 0)

    @property
    def has_tail(self) -> bool:
        """Whether the tail is in memory."""
        return self._tail is not None

    def load(self, view: View) -> Loaded:
        """Build the tail that `view` needs from the log. For a worker thread; then `install`."""
        base = beginning(view, self.id, self.manifest_at(view.seq).flushed_through, *REACH)
        tail, truncations = built(view, self.id, self._schema, base)
        return Loaded(tail, view.seq, tuple(truncations))

    def install(self, loaded: Loaded) -> None:
        """Take a loaded tail into use, with what was committed while it was being built."""
        with self._current() as now:
            truncations = fill(loaded.tail, self._schema, now.log(self.id, loaded.upto))
        self.learn_truncations([*loaded.truncations, *truncations])
        self._tail = loaded.tail
        self.last_used = next(_USES)

    def append(self, seq: int, writes: Sequence[TabletChange]) -> None:
        """Take in a published commit's changes of this tablet, in commit order, in every reading."""
        self.readings.append(self, seq, writes)
        self.append_own(seq, writes)

    def append_own(self, seq: int, writes: Sequence[TabletChange]) -> None:
        """For `append`: take them in, in this reading alone."""
        # First of all: whatever becomes of the rest, no old row is sent as the new one.
        if self.sent.size_bytes:
            for write in writes:
                self.sent.written(write.key)
        tail = self._tail
        if tail is not None and tail.last_seq >= seq:
            tail = None  # It was loaded from a view that has this commit already.
        if writes[0].op is _TRUNCATE:
            self.sent.clear()
            self.learn_truncations([seq])
            writes = writes[1:]
        if tail is not None:
            take_in(tail, self._schema, seq, writes)

    def drop_tails(self) -> None:
        """The log may have what nobody has told of: every reading loads its tail again."""
        self.readings.drop_tails(self)
        self.drop_tail()

    def drop_tail(self) -> None:
        """Free the tail's memory and that of `sent`; the next scan loads the tail again."""
        self._tail = None
        self.sent.clear()

    def trimmed(self, through: int) -> None:
        """The log no longer has entries up to `through`: the tail lets go of them too."""
        self.sent.clear()  # Most of it is of these rows, which are read from files from now on.
        if self._tail is not None:
            self._tail.drop_through(through)

    def stats(self, view: View) -> TabletStats:
        """Counts for SHOW STATS; reads what the log has that was not counted before."""
        return stats_of(view, self.manifest_at(view.seq), self.readings.log_count)

    def frozen(self, view: View) -> FrozenTail | None:
        """What a flush up to the view takes of the tail; None when no tail has it all."""
        tail, after = self._tail, self.manifest_at(view.seq).flushed_through
        return None if tail is None or tail.base > after else tail.frozen(after, view.seq)

    def key_of(self, row: Row) -> bytes:
        """The encoded primary key of a row in this layout."""
        return self._schema.key_of(row)

    def _held_manifest(self, view: View) -> Manifest:
        """The view's manifest, with its files held by the view."""
        while True:
            manifest = self.kept.at(view.seq)
            if not manifest.segments:
                return manifest
            # Not by its version: a transaction that has loaded reads the same one with other files.
            view.reads.setdefault(self.id, {})[id(manifest)] = manifest
            if self.kept.at(view.seq) is manifest:
                return manifest  # Otherwise it may have been collected before it was held.

    def _reader(self, segment: Segment) -> SegmentReader:
        reader = self._readers.get(segment.file)
        if reader is None:
            reader = self._readers[segment.file] = SegmentReader(self._fs, segment, self.id)
        return reader

    def _small_tail(self, after: int) -> Tail | None:
        """A tail built at once when the log above `after` is short, None when it is long."""
        if self.readings.large:
            return None  # Only to look at such entries takes long.
        with self._current() as now:
            if (base := short_beginning(now, self.id, after, *INLINE)) is None:
                return None
            tail, truncations = built(now, self.id, self._schema, base)
        self.learn_truncations(truncations)
        self._tail = tail
        return tail
