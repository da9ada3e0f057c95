"""Views: what one commit and everything before it looks like.

The committer mints a view right after its batch; the event loop makes it the current one when the
commit is published, and shares it by reference count.
"""

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import msgspec

from storage.errors import DataCorruptedError
from storage.ids import TabletId
from storage.keys import (
    LAST_PLACE,
    index_key,
    index_prefix,
    index_range,
    log_key,
    log_range,
    meta_range,
    numbers_range,
    split_log_key,
    split_tablet_key,
    successor,
    unpack_position,
    user_ranges,
)
from storage.layout import Row
from storage.log.hot import HotSnapshot
from storage.log.log_entry import Entry, Op, decode_entry

if TYPE_CHECKING:
    from storage.cold.manifest import Manifest


LARGE_ENTRY_BYTES: Final = 1 << 20
"""To read a larger entry, check and decode it takes some milliseconds: not on the event loop."""


class LargeEntryError(Exception):
    """An entry is too large for the event loop."""


class Version(msgspec.Struct, gc=False):
    """One version of a row. seq: its commit; n: its place in it. version: schema version of `row`."""

    seq: int
    n: int
    op: Op
    row: Row
    version: int
    old: Row | None


class View:
    """Everything committed up to `seq`, immutable. Any thread may read while somebody holds it.

    catalog_version: the newest commit up to `seq` that changed system records. stored_seq: the newest
    one that the log has; only STREAM tables have changed since, and no start knows of that. `acquire` and
    `release` are for the event loop. When the store is closed under a view, reads raise
    SerializationError. reads: manifests whose files its holders may still open, by tablet and
    identity: the files stay as long as somebody holds the view.
    """

    __slots__ = (
        "_get",
        "_on_close",
        "_references",
        "_snapshot",
        "catalog_version",
        "reads",
        "seq",
        "stored_seq",
    )

    def __init__(
        self,
        seq: int,
        snapshot: HotSnapshot,
        catalog_version: int = 0,
        on_close: "Callable[[View], None] | None" = None,
        stored_seq: int | None = None,
    ) -> None:
        """A view with one holder. on_close: called when nobody holds it any more."""
        self.seq = seq
        self.stored_seq = seq if stored_seq is None else stored_seq
        self.catalog_version = catalog_version
        self._snapshot = snapshot
        self._get = snapshot.get
        self._on_close = on_close
        self._references = 1
        self.reads: dict[TabletId, dict[int, Manifest]] = {}

    def acquire(self) -> "View":
        """One more holder."""
        assert self._references > 0, "acquired after its last release"
        self._references += 1
        return self

    def release(self) -> None:
        """One holder less; the last one frees the snapshot."""
        self._references -= 1
        if not self._references:
            self._snapshot.close()
            if self._on_close is not None:
                self._on_close(self)
        assert self._references >= 0, "released more often than acquired"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    @property
    def shared(self) -> bool:
        """Whether it has two holders or more."""
        return self._references > 1

    @property
    def ended(self) -> bool:
        """Whether the store was closed under it: reads raise SerializationError."""
        return self._snapshot.ended

    @property
    def closed(self) -> bool:
        """Whether nobody holds it any more."""
        return not self._references

    def find(self, tablet: TabletId, key: bytes, large: set[bytes] | None = None) -> Version | None:
        """The key's newest version in the log, a tombstone too; None when the index has none.

        large: for the event loop, keys whose entries are not for it; this one joins them if its is not.

        Raises:
            DataCorruptedError: The index points at nothing, or the entry is damaged.
            LargeEntryError: Ask in a thread, without `large`.
        """
        if large is not None and key in large:
            raise LargeEntryError
        position = self.position(tablet, key)
        if position is None:
            return None
        seq, n, _ = position
        data = self._entry_data(tablet, seq, n)
        if large is not None and len(data) > LARGE_ENTRY_BYTES:
            large.add(key)
            raise LargeEntryError
        entry = decode_entry(data)
        return Version(seq, n, entry.op, entry.row, entry.version, entry.old)

    def known(self, tablet: TabletId, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """What the index has of each key, as bytes; None: the log has no version of it."""
        prefix = index_prefix(tablet)
        return self._snapshot.get_all([prefix + key for key in keys])

    def position(self, tablet: TabletId, key: bytes) -> tuple[int, int, int] | None:
        """(seq, n, operation) of the key's newest version in the log; None when the index has none."""
        found = self._get(index_key(tablet, key))
        return None if found is None else unpack_position(found)

    def entry(self, tablet: TabletId, seq: int, n: int) -> Entry:
        """One log entry. Raises DataCorruptedError when it is missing or damaged."""
        return decode_entry(self._entry_data(tablet, seq, n))

    def _entry_data(self, tablet: TabletId, seq: int, n: int) -> bytes:
        data = self._get(log_key(tablet, seq, n))
        if data is None:
            raise DataCorruptedError(
                f"tablet {tablet.user}/{tablet.table}: the index names a log entry that is missing",
                detail=f"Entry {n} of commit {seq}.",
            )
        return data

    def log(
        self,
        tablet: TabletId,
        after: int = 0,
        *,
        after_n: int = LAST_PLACE,
        upto: int | None = None,
        reverse: bool = False,
    ) -> Iterator[tuple[int, int, bytes]]:
        """(seq, n, entry) behind (after, after_n), oldest first or newest first, lazily.

        after_n: by default all of commit `after` is passed by. upto: not those behind this commit.
        """
        last = self.seq if upto is None else min(upto, self.seq)
        whole = after_n == LAST_PLACE
        start = log_key(tablet, after + 1, 0) if whole else log_key(tablet, after, after_n + 1)
        stop = log_key(tablet, last + 1, 0)
        for key, data in self._snapshot.scan(start, stop, reverse=reverse):
            _, seq, n = split_log_key(key)
            yield seq, n, data

    def log_length(self, tablet: TabletId, after: int = 0) -> int:
        """How many log entries have after < seq: some 0.4 µs each."""
        start, stop = log_key(tablet, after + 1, 0), log_key(tablet, self.seq + 1, 0)
        return sum(1 for _ in self._snapshot.scan_keys(start, stop))

    def keys(
        self, tablet: TabletId, low: bytes | None, high: bytes | None, *, reverse: bool = False
    ) -> Iterator[bytes]:
        """Keys of index entries with low <= key < high, in key order, lazily; tombstones' among them."""
        prefix = index_prefix(tablet)
        skip = len(prefix)
        start = prefix if low is None else prefix + low
        stop = successor(prefix) if high is None else prefix + high
        return (key[skip:] for key in self._snapshot.scan_keys(start, stop, reverse=reverse))

    def system_get(self, key: bytes) -> bytes | None:
        """A system record."""
        return self._get(key)

    def system_scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of the system records with a prefix, in key order."""
        return self._snapshot.scan(prefix, successor(prefix))

    def tablets(self, user: int | None = None) -> Iterator[TabletId]:
        """Every tablet with anything in the log, the index, the meta records or the numbers; one user's.

        Some seeks for each. In order within each of the four, so one may come again.
        """
        everybody = (log_range(), index_range(), meta_range(), numbers_range())
        for start, stop in everybody if user is None else user_ranges(user):
            key = next(self._snapshot.scan_keys(start, stop), None)
            while key is not None:
                tablet, prefix = split_tablet_key(key)
                yield tablet
                key = next(self._snapshot.scan_keys(successor(prefix), stop), None)

    def scan_keys(self, start: bytes, stop: bytes) -> Iterator[bytes]:
        """Raw keys in [start, stop), for recovery and erasure."""
        return self._snapshot.scan_keys(start, stop)

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Raw (key, value) pairs in [start, stop), for recovery and checks."""
        return self._snapshot.scan(start, stop)
