"""Views: what one commit and everything before it looks like. Minted by the committer, shared by count."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from storage.errors import DataCorruptedError
from storage.hot import HotSnapshot
from storage.ids import TabletId
from storage.keys import (
    index_key,
    index_prefix,
    log_key,
    log_prefix,
    successor,
    unpack_position,
)
from storage.layout import Row
from storage.rows import Entry, Op, decode_entry


@dataclass(slots=True)
class Version:
    """One version of a row. seq: its commit; n: its place in it. version: schema version of `row`."""

    seq: int
    n: int
    op: Op
    row: Row
    version: int
    old: Row | None


class View:
    """Everything committed up to `seq`. Reference counted: `acquire` … `release`, on the event loop."""

    __slots__ = ("_get", "_references", "_snapshot", "seq")

    def __init__(self, seq: int, snapshot: HotSnapshot) -> None:
        self.seq = seq
        self._snapshot = snapshot
        self._get = snapshot.get
        self._references = 1

    def acquire(self) -> "View":
        """One more holder."""
        self._references += 1
        return self

    def release(self) -> None:
        """One holder less; the last one frees the snapshot."""
        self._references -= 1
        if not self._references:
            self._snapshot.close()

    def __enter__(self) -> "View":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    @property
    def closed(self) -> bool:
        """Whether nobody holds it any more."""
        return not self._references

    def find(self, tablet: TabletId, key: bytes) -> Version | None:
        """The key's newest version in the log, a tombstone too; None when the index has none."""
        position = self._get(index_key(tablet, key))
        if position is None:
            return None
        seq, n = unpack_position(position)
        entry = self.entry(tablet, seq, n)
        return Version(seq, n, entry.op, entry.row, entry.version, entry.old)

    def entry(self, tablet: TabletId, seq: int, n: int) -> Entry:
        """One log entry. Raises DataCorruptedError when the index points at nothing."""
        data = self._get(log_key(tablet, seq, n))
        if data is None:
            raise DataCorruptedError(
                f"tablet {tablet.user}/{tablet.table}: log entry {seq}.{n} is lost"
            )
        return decode_entry(data)

    def log(
        self, tablet: TabletId, after: int = 0, *, reverse: bool = False
    ) -> Iterator[tuple[int, int, bytes]]:
        """(seq, n, entry) with after < seq, oldest first (or newest), lazily."""
        start = log_key(tablet, after + 1, 0)
        stop = successor(log_prefix(tablet))
        for key, data in self._snapshot.scan(start, stop, reverse=reverse):
            seq, n = unpack_position(key[-12:])
            yield seq, n, data

    def keys(
        self, tablet: TabletId, low: bytes | None, high: bytes | None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, int, int]]:
        """(primary key, seq, n) of index entries with low <= key < high, in key order, lazily."""
        prefix = index_prefix(tablet)
        start = prefix + (low or b"")
        stop = successor(prefix) if high is None else prefix + high
        for key, position in self._snapshot.scan(start, stop, reverse=reverse):
            seq, n = unpack_position(position)
            yield key[len(prefix) :], seq, n

    def system_get(self, key: bytes) -> bytes | None:
        """A value of the system range."""
        value: bytes | None = self._get(key)
        return value

    def system_scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of everything with a prefix, in order."""
        return self._snapshot.scan(prefix, successor(prefix))

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Raw (key, value) pairs, for recovery and checks."""
        return self._snapshot.scan(start, stop)
