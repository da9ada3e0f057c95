"""What the committer writes: write sets, checked and turned into one batch of the store."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, repeat
from operator import attrgetter
from typing import Any, Final, Protocol

import msgspec

from storage.errors import KalamError, SerializationError
from storage.ids import TabletId
from storage.keys import (
    index_key,
    index_prefix,
    log_commit,
    log_key,
    log_prefix,
    meta_key,
    pack_position,
    split_log_key,
    successor,
    unpack_position,
)
from storage.layout import Layout, Row
from storage.log.absent_keys import AbsentKeys
from storage.log.clock import HybridClock
from storage.log.hot import HotStore, Put
from storage.log.log_entry import Op, encode_entry
from storage.log.recovery import INCARNATION, LAST
from storage.log.retained import RETAINED, unpack_retained
from storage.log.unflushed import Noted, note_key
from storage.log.view import LARGE_ENTRY_BYTES, View

LARGE_WRITES: Final = 10_000
"""A set of so many is turned into pairs of the batch as it is written: to have all of them before takes as
much memory again as the batch."""

_TRUNCATE = Op.TRUNCATE  # An enum's attribute costs more than a global.


class Write(msgspec.Struct, gc=False):
    """The net change of one key by one transaction.

    row: what it holds now; of DELETE the row deleted. old: what it held before, if there was a
    row. version: schema version of both. assumed: `_seq` of the version this replaces, a
    tombstone's too, 0 when there was no row, None to skip the check.

    TRUNCATE begins a new incarnation of the tablet: no key, no rows, the first write to the
    tablet in its set. Those that follow it assume nothing: what they would is hidden by it.

    size: bytes of its log entry, once that is made: whoever needs to know about how large it is, knows then.
    """

    tablet: TabletId
    op: Op
    key: bytes
    row: Row
    old: Row | None
    version: int
    assumed: int | None = None
    size: int = 0


class Part(msgspec.Struct):
    """What a large set writes to one tablet. size: bytes of its entries. large: keys of those that are not
    for the event loop. truncates: it empties the tablet first.
    """

    writes: list[Write]
    size: int = 0
    large: list[bytes] = []
    truncates: bool = False


class LoadedRows(Protocol):
    """Rows of one tablet that are committed and that segments have already (`storage.cold.load`)."""

    @property
    def id(self) -> TabletId:
        """Of the tablet."""
        ...

    rows: int
    """How many."""

    def publish(self) -> None:
        """They are visible from here on; on the event loop."""
        ...


class WriteSet(msgspec.Struct):
    """What one transaction commits. `write_group` fills in seq, or error if it was left out.

    numbers: how far sequences have counted, which goes with the batch and asks for nothing. erased: users
    of whom nobody writes anything after it. weight: bytes of its rows, about, where they may be many.

    validate: called in the committer's thread with the `_seq` about to be given; may raise a
    KalamError, and may still add system records; called again if the group has to be made anew.
    context: the submitter's own. layouts: schema versions, by table, that it commits. system_sync: whether
    its system records make the group wait for the disk, as they do if nobody has said that they need not.
    parts: of a large set that is written, its writes by tablet. loads: what it commits of rows that are in
    segments already; what is written of these comes from `validate`.
    """

    writes: list[Write]
    streams: list[Write]
    system: list[Put]
    sync: bool
    validate: Callable[[int], None] | None = None
    seq: int = 0
    error: KalamError | None = None
    context: Any = None
    layouts: "Sequence[tuple[int, Sequence[Layout]]]" = ()
    numbers: list[Put] = []
    erased: frozenset[int] = frozenset()
    weight: int = 0
    system_sync: bool = True
    parts: dict[TabletId, Part] = {}
    loads: Sequence[LoadedRows] = ()


class Group(msgspec.Struct, frozen=True):
    """Sets written as one batch, in `_seq` order, and the view that shows them.

    synced: they, and all before them, are durable.
    """

    sets: tuple[WriteSet, ...]
    view: View
    synced: bool


class GroupWriter:
    """Makes one batch out of write sets; for one group, in the committer's thread.

    puts: the batch so far, without what large sets write. written: the sets in it. sync: one of them asks
    for it. last: the newest one's sequence number, 0 before the first. system_seq: of the newest that has
    system records. erased: users of whom nothing is written any more.
    """

    def __init__(
        self,
        store: HotStore,
        sequence: HybridClock,
        absent: AbsentKeys,
        noted: Noted,
        erased: frozenset[int] = frozenset(),
    ) -> None:
        self._store = store
        self._sequence = sequence
        self._absent = absent
        self._noted = noted.tablets
        self.erased = erased
        self._newest: dict[bytes, tuple[int, int, int]] = {}
        self._truncated: dict[TabletId, int] = {}
        self._large: list[tuple[int, Iterator[Put]]] = []
        self._unlisted: WriteSet | None = None
        self.puts: list[Put] = []
        self.written: list[WriteSet] = []
        self.sync = False
        self.last = 0
        self.system_seq = 0

    def add(self, write_set: WriteSet) -> None:
        """Check a set, number it and add it to the batch; if it fails, nothing of it is added.

        The n of a log entry counts a transaction's writes over all its tablets.

        Raises:
            SerializationError: Something it assumed holds no more, or it writes for a user who is erased.
            CharacterNotInRepertoireError, KeyTooLongError: A row cannot be written.
            KalamError: What `validate` raised.
        """
        self._list_newest()
        writes = write_set.writes
        if self.erased:
            self._check_owners(write_set)
        if len(writes) == 1:
            # As below, without its loops: most transactions are one row.
            (write,) = writes
            key = index_key(write.tablet, write.key)
            self._check(write, key)
            entry = encode_entry(write.op, write.version, write.row, write.old)
            seq = self._number(write_set)
            self._note(seq, write, entry)
            self.puts += _pairs(seq, 0, write, key, entry)
            self._newest[key] = (seq, 0, write.op)
        else:
            keys = self._checked(writes)
            entries = [encode_entry(w.op, w.version, w.row, w.old) for w in writes]
            seq = self._number(write_set)
            if len(writes) < LARGE_WRITES:
                self._put_all(seq, writes, keys, entries)
            else:
                self._put_later(seq, write_set, keys, entries)
        self.written.append(write_set)
        write_set.seq = self.last = seq
        if write_set.erased:
            self.erased |= write_set.erased
        if write_set.numbers:
            self.puts += write_set.numbers
        if write_set.system:
            self.puts += write_set.system
            self.system_seq = seq
            if write_set.system_sync:
                self.sync = True
        if write_set.sync:
            self.sync = True

    def _number(self, write_set: WriteSet) -> int:
        """The set's number. Nothing fails from here on: the set belongs to the group."""
        # The sets of a group become visible together: one look at the clock is enough for them.
        seq = self._sequence.follow() if self.last else self._sequence.next()
        if write_set.validate is not None:
            write_set.validate(seq)
        return seq

    def _put_all(
        self, seq: int, writes: Sequence[Write], keys: Sequence[bytes], entries: Sequence[bytes]
    ) -> None:
        newest, puts, tablet, prefix = self._newest, self.puts, None, b""
        for n, (write, key, entry) in enumerate(zip(writes, keys, entries, strict=True)):
            op = write.op
            if write.tablet is not tablet or op is _TRUNCATE:
                self._note(seq, write, entry)
                tablet, prefix = write.tablet, log_commit(write.tablet, seq)
                if op is _TRUNCATE:
                    puts += _pairs(seq, n, write, key, entry)
                    newest[key] = (seq, n, op)
                    continue
            write.size = len(entry)
            puts.append((prefix + n.to_bytes(4), entry))
            puts.append((key, pack_position(seq, n, op)))
            newest[key] = (seq, n, op)

    def _put_later(
        self, seq: int, write_set: WriteSet, keys: list[bytes], entries: list[bytes]
    ) -> None:
        """The same of a large set, whose keys and entries go as they are written."""
        for write, entry in zip(write_set.writes, entries, strict=True):
            self._note(seq, write, entry)
        self._large.append((len(self.puts), _drained(seq, write_set.writes, keys, entries)))
        self._unlisted = write_set
        write_set.parts = _parts(write_set.writes)

    def _note(self, seq: int, write: Write, entry: bytes) -> None:
        tablet = write.tablet
        write.size = len(entry)
        if tablet not in self._noted:
            self._noted.add(tablet)
            self.puts.append((note_key(tablet), seq.to_bytes(8)))
        if write.op is _TRUNCATE:
            self._truncated[tablet] = seq

    def _list_newest(self) -> None:
        """Somebody asks where keys have been written, or is going to write some: a large set's count."""
        write_set, self._unlisted = self._unlisted, None
        if write_set is not None:
            for n, write in enumerate(write_set.writes):
                self._newest[index_key(write.tablet, write.key)] = (write_set.seq, n, write.op)

    @property
    def writes_nothing(self) -> bool:
        """Whether no set has anything for the store."""
        return not self.puts and not self._large

    def batch(self) -> Iterable[Put]:
        """Everything to write, once; empty when no set has anything for the store."""
        if self._large:
            return self._batch_with_large()
        return [*self.puts, (LAST, self.last.to_bytes(8))] if self.puts else ()

    def _batch_with_large(self) -> Iterator[Put]:
        at = 0
        for end, pairs in self._large:
            yield from self.puts[at:end]
            yield from pairs
            at = end
        yield from self.puts[at:]
        yield LAST, self.last.to_bytes(8)

    def position(self, key: bytes) -> tuple[int, int, int] | None:
        """(seq, n, op) of an index entry, as the batch leaves it."""
        self._list_newest()
        found = self._newest.get(key)
        if found is None:
            data = self._store.get(key)
            return None if data is None else unpack_position(data)
        return found

    def newest_commit(self, tablet: TabletId) -> int:
        """The newest commit of a tablet that the log knows, earlier sets of the group included."""
        for write_set in reversed(self.written):
            if any(write.tablet == tablet for write in write_set.writes):
                return write_set.seq
        prefix = log_prefix(tablet)
        snapshot = self._store.snapshot()
        try:
            key = next(snapshot.scan_keys(prefix, successor(prefix), reverse=True), None)
        finally:
            snapshot.close()
        return 0 if key is None else split_log_key(key)[1]

    def _check_owners(self, write_set: WriteSet) -> None:
        """Raise if some of it is for a user who is erased."""
        tablets = [write.tablet for write in write_set.writes] + [one.id for one in write_set.loads]
        if any(tablet.user in self.erased for tablet in tablets):
            raise SerializationError(
                "could not serialize access due to a concurrent DROP USER ... PURGE",
                hint="The transaction might succeed if retried.",
            )

    def _checked(self, writes: Sequence[Write]) -> list[bytes]:
        """The key of each write's index entry. Raises as `_check`, of all of them at once."""
        keys: list[bytes] = []
        for tablet, some in groupby(writes, _tablet_of):
            prefix, these = index_prefix(tablet), list(some)
            ours = [prefix + write.key for write in these]
            keys += ours
            assume = these[0].assumed is not None  # Behind a TRUNCATE nothing is assumed.
            unsure = self._absent.claim_all(tablet, ours) if assume else set(ours)
            told = [(w, key) for w, key in zip(these, ours, strict=True) if key in unsure]
            stored = self._store.get_all([key for _, key in told]) if assume else repeat(None)
            for (write, key), data in zip(told, stored, strict=False):
                if write.assumed is None:
                    self._absent.wrote(tablet, key)
                    continue
                position = self._newest.get(key)
                if position is None and data is not None:
                    position = unpack_position(data)
                if position is not None:
                    self._agree(write, position)
        return keys

    def _check(self, write: Write, key: bytes) -> None:
        """Raise unless what a write assumes holds."""
        if write.assumed is None:
            self._absent.wrote(write.tablet, key)
            return
        position = self._newest.get(key)
        if position is None and not self._absent.claim(write.tablet, key):
            data = self._store.get(key)
            if data is not None:
                position = unpack_position(data)
        if position is None:
            # Absent, or only in a segment. Then what was read there still holds: the key is locked,
            # and flush, trim and compaction change no row.
            return
        self._agree(write, position)

    def _agree(self, write: Write, position: tuple[int, int, int]) -> None:
        """Raise unless what a write assumes is what the index has."""
        seq, _, op = position
        if seq == write.assumed or (op == Op.DELETE and not write.assumed):
            return
        if not write.assumed and seq < self._truncated_at(write.tablet):
            return
        if write.assumed and seq < write.assumed < self._complete_from(write.tablet):
            return  # A load has brought that version, and the index knows older ones alone.
        raise SerializationError(
            "could not serialize access due to concurrent update",
            hint="The transaction might succeed if retried.",
        )

    def _complete_from(self, tablet: TabletId) -> int:
        """From which commit on the log has all that was written to a tablet."""
        return unpack_retained(self._store.get(meta_key(tablet, RETAINED))).complete_from

    def _truncated_at(self, tablet: TabletId) -> int:
        found = self._truncated.get(tablet)
        if found is None:
            data = self._store.get(meta_key(tablet, INCARNATION))
            found = 0 if data is None else int.from_bytes(data)
        return found


_tablet_of = attrgetter("tablet")


def _pairs(seq: int, n: int, write: Write, key: bytes, entry: bytes) -> tuple[Put, Put]:
    """What the store gets of a write. key: of its index entry."""
    tablet, op = write.tablet, write.op
    if op is _TRUNCATE:
        entry_key = meta_key(tablet, INCARNATION)
        return (log_key(tablet, seq, n), entry), (entry_key, seq.to_bytes(8))
    return (log_key(tablet, seq, n), entry), (key, pack_position(seq, n, op))


def _drained(
    seq: int, writes: Sequence[Write], keys: list[bytes], entries: list[bytes]
) -> Iterator[Put]:
    """The same of many; keys and entries are let go of on the way."""
    for n, write in enumerate(writes):
        key, entry = keys[n], entries[n]
        keys[n] = entries[n] = b""
        yield from _pairs(seq, n, write, key, entry)


def _parts(writes: Sequence[Write]) -> dict[TabletId, Part]:
    """The writes of each tablet, whose sizes are known."""
    parts = {tablet: Part(some) for tablet, some in by_tablet(writes).items()}
    for part in parts.values():
        part.size = sum([write.size for write in part.writes])
        part.large = [write.key for write in part.writes if write.size > LARGE_ENTRY_BYTES]
        part.truncates = part.writes[0].op is _TRUNCATE
    return parts


def by_tablet(writes: Sequence[Write]) -> dict[TabletId, list[Write]]:
    """Writes of each tablet, in their order."""
    if len(writes) == 1:
        return {writes[0].tablet: list(writes)}
    found: dict[TabletId, list[Write]] = {}
    for write in writes:
        known = found.get(write.tablet)
        if known is None:
            found[write.tablet] = [write]
        else:
            known.append(write)
    return found


__all__ = ["Group", "GroupWriter", "Part", "Write", "WriteSet", "by_tablet"]
