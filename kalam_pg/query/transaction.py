"""A transaction: what it has written and not committed, what it has locked, what it may see.

Writes stay in memory, net per key, until COMMIT makes one write set of them. The session's own reads see
them (`overlay`). An undo log takes back a savepoint's worth of them; ROLLBACK just drops everything.
"""

from collections.abc import Callable, Collection, Container, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from catalog import codec
from catalog.changes import stored
from catalog.difference import Difference
from catalog.errors import (
    InFailedSqlTransactionError,
    InvalidSavepointSpecificationError,
    ReadOnlySqlTransactionError,
)
from catalog.model import ForeignKey, Index, NumberSequence
from catalog.snapshot import Snapshot
from kalam_pg.live.channels import Mark, Pending
from kalam_pg.memory import UNBOUNDED, Holding
from kalam_pg.query.deferral import Deferred
from kalam_pg.query.locks.state import LockOwner
from kalam_pg.query.net_change import Emptied, NetChange, net_changes, reformed
from kalam_pg.query.read_set import READS, ReadSet
from kalam_pg.query.sequences import Counter, Counters, Numbers, Place
from kalam_pg.query.sizes import CHANGE_BYTES, ENTRY_BYTES, change_bytes, rows_bytes
from storage.ids import TabletId
from storage.layout import Row, row_bytes
from storage.log.view import View

if TYPE_CHECKING:
    from kalam_pg.query.execution import Execution
    from kalam_pg.query.loads import Loaded
    from kalam_pg.query.temporary import Temporary


_NOBODYS: Final = UNBOUNDED.open(0).holding("changed rows")

READ_COMMITTED = "read committed"
REPEATABLE_READ = "repeatable read"
SERIALIZABLE = "serializable"


_NO_NOTES: Mapping[bytes, bytes | None] = {}


class Transaction(LockOwner):
    """One transaction, implicit (one statement or pipeline) or a block (BEGIN … COMMIT).

    loads: rows that it has brought in segments (`query.loads`), by tablet. lasting: its COMMIT waits for the
    disk, whatever its session asks: something goes that no log brings back.
    """

    __slots__ = (
        "_own",
        "_savepoints",
        "_undo",
        "block",
        "changes",
        "channels",
        "constraint_modes",
        "deferrable",
        "deferred",
        "definitions",
        "emptied",
        "ending",
        "failed",
        "isolation",
        "lasting",
        "leaving",
        "loads",
        "memory",
        "notes",
        "numbers",
        "on_end",
        "puts",
        "queried",
        "read",
        "read_only",
        "reading",
        "reads",
        "snapshot",
        "started_us",
        "temporaries",
        "temporary",
        "view",
    )

    def __init__(self, started_us: int, *, isolation: str = READ_COMMITTED) -> None:
        super().__init__()
        self.started_us = started_us
        self.isolation = isolation
        self.reads: ReadSet | None = ReadSet() if isolation == SERIALIZABLE else None
        """What it has read, at SERIALIZABLE; None at other levels."""
        self.queried = False
        """Whether a query or data change has begun in it: its characteristics are settled then."""
        self.block = self.failed = self.read_only = self.lasting = self.ending = False
        """ending: it has ended, or its COMMIT is the committer's: `query.outcome` alone ends transactions."""
        self.leaving: list[Callable[[], None]] | None = None
        """It has ended, and is giving back what it has: whom to tell when that is done (`query.leaving`)."""
        self.deferrable = False
        """As it was asked for; every snapshot is one that a read-only transaction may have at once."""
        self.view: View | None = None
        self.read: set[int] = set()
        """The tables that it has read; it has no lock of them as long as nobody wants ACCESS EXCLUSIVE."""
        self.reading: set[Execution] = set()
        """What is open for answers that are still being read."""
        self.changes: dict[TabletId, dict[bytes, NetChange]] = {}
        self.emptied: dict[TabletId, Emptied] = {}
        """What it has truncated: `changes` of these came after that."""
        self.loads: dict[TabletId, Loaded] = {}
        self.channels: Pending | None = None
        """What it has asked of LISTEN, NOTIFY and SUBSCRIBE; None: nothing."""
        self.definitions: Difference | None = None
        """What its own definitions have made of the catalog; None: none made."""
        self.snapshot: Snapshot | None = None
        """The catalog that its COMMIT installs; None before that, and when it installs none."""
        self.deferred: dict[Hashable, Deferred] = {}  # By what tells equal questions.
        self.constraint_modes: dict[int, bool] = {}
        """Whether constraints are deferred, as SET CONSTRAINTS said; 0: all of them."""
        self.memory: Holding = _NOBODYS
        """What it keeps for its end, of its session's account."""
        self.puts: list[tuple[bytes, bytes | None]] = []
        self.on_end: list[Callable[[], None]] = []
        """Called when the outcome is known: brings what hangs on the catalogue in line with it."""
        self.numbers: Numbers | None = None
        """What its COMMIT has to write of sequences; None: it has asked for no number."""
        self.notes: Mapping[bytes, bytes | None] = _NO_NOTES
        """What its COMMIT writes about tablets beside their rows, by key (`query.populated`, for one)."""
        self.temporary: Temporary | None = None
        """The temporary objects of its session; None: there are none."""
        self.temporaries: Difference | None = None
        """What its own definitions have made of those; None: none made."""
        self._own: tuple[Snapshot, Difference, Snapshot] | None = None
        """The last answer of `snapshot_over`, behind what it was asked for."""
        self._undo: list[tuple[TabletId, bytes, NetChange | None] | Callable[[], object]] = []
        self._savepoints: list[tuple[str, int, int, Mark]] = []
        """Name, how long `_undo` and `held` were, and how much was asked of channels."""

    @property
    def writes_nothing(self) -> bool:
        """Whether COMMIT would have nothing to write."""
        if self.channels is not None and self.channels.notified:
            return False  # What it sends has its place among the commits.
        if self.numbers is not None and self.numbers:
            return False
        return not self.has_changed and not self.puts and not self.notes

    @property
    def has_changed(self) -> bool:
        """Whether it has changed rows."""
        return bool(self.changes or self.emptied or self.loads)

    @property
    def has_defined(self) -> bool:
        """Whether it has defined something, everybody's or its session's own."""
        return self.definitions is not None or self.temporaries is not None

    def isolate(self, level: str) -> None:
        """Its level, before it has read anything."""
        if level != self.isolation:
            self.isolation = level
            self.reads = ReadSet() if level == SERIALIZABLE else None

    @property
    def is_plain(self) -> bool:
        """Whether it is an open block in which each statement sees all that is committed, and may write."""
        return (
            self.block
            and self.isolation == READ_COMMITTED
            and not self.failed
            and not self.ending
            and not self.read_only
            and self.definitions is None
            and not self.emptied
            and not self.loads
        )

    def asking(self) -> Pending:
        """What it has asked of channels, to ask more."""
        if self.channels is None:
            self.channels = Pending()
        return self.channels

    def numbering(self, counters: Counters) -> Numbers:
        """What it has asked of sequences, to ask more."""
        if self.numbers is None:
            self.numbers = Numbers(counters)
        return self.numbers

    def restart(self, sequence: NumberSequence, place: Place, counter: Counter) -> None:
        """A sequence goes on from a counter of its own, which is everybody's when it is committed."""
        numbers = self.numbers
        assert numbers is not None
        self._undo.append(partial(numbers.restore, place, numbers.restarted.get(place)))
        numbers.restarted[place] = (counter, sequence)

    def stop_reading(self) -> None:
        """It has ended: no answer is read any further, and its view is given back."""
        for execution in list(self.reading):
            execution.close()
        if self.view is not None:
            self.view.release()
            self.view = None

    def forget_some(self, most: int) -> bool:
        """It has ended: forget so much of what it did (a million rows: half a second). True: more is left."""
        if self._undo:
            del self._undo[-most:]
        elif self.changes:
            tablet, changes = next(iter(self.changes.items()))
            for _ in range(min(most, len(changes))):
                changes.popitem()
            if not changes:
                del self.changes[tablet]
        return bool(self._undo or self.changes)

    def forget(self) -> None:
        """It has ended: it keeps neither what it did nor itself, whoever keeps it."""
        if self.reads is not None:
            self.memory.beside(READS).note(0)
        self.changes, self.loads, self._undo, self.reads = {}, {}, [], None
        self.reading.clear()
        self.memory.note(0)
        self.let_go()

    def check_usable(self) -> None:
        """Raise 25P02 in a failed block."""
        if self.failed:
            raise InFailedSqlTransactionError(
                "current transaction is aborted, commands ignored until end of transaction block"
            )

    def fail(self) -> None:
        """A statement raised: what it has read since its last savepoint keeps nobody waiting."""
        self.failed = True
        if not self._savepoints:
            self.read.clear()

    def check_writable(self, command: str) -> None:
        """Raise 25006 in a read-only transaction."""
        if self.read_only:
            raise ReadOnlySqlTransactionError(
                f"cannot execute {command} in a read-only transaction"
            )

    def change_of(self, tablet: TabletId, key: bytes) -> NetChange | None:
        """This transaction's own change of a key."""
        changes = self.changes.get(tablet)
        return changes.get(key) if changes is not None else None

    def put(
        self,
        tablet: TabletId,
        key: bytes,
        row: Row | None,
        *,
        base: Row | None,
        base_seq: int,
        version: int,
        stream: bool = False,
    ) -> None:
        """Record that a key now holds `row`. base and base_seq count at the key's first change only.

        Raises 53200: the session may not hold so much, and nothing is recorded.
        """
        changes = self.changes.get(tablet)
        earlier = None if changes is None else changes.get(key)
        size = change_bytes(row)
        if earlier is None:
            self.memory.add(size if base is None else size + row_bytes(base))
        elif self._savepoints:
            self.memory.add(size)
        else:
            self.memory.add(size - change_bytes(earlier.row))
        if changes is None:
            changes = self.changes[tablet] = {}
        if self._savepoints:
            self._undo.append((tablet, key, earlier))
        if earlier is not None:
            base, base_seq = earlier.base, earlier.base_seq
        changes[key] = NetChange(base, base_seq, row, version, stream)

    def put_all(
        self,
        tablet: TabletId,
        keys: Sequence[bytes],
        rows: Sequence[Row] | None,
        *,
        bases: Sequence[Row] | None,
        seqs: Iterable[int],
        version: int,
    ) -> None:
        """`put` of keys of which it has changed none yet; rows None: all of them are deleted.

        bases: the rows that they replace, None: there are none. Raises 53200, and nothing is recorded.
        """
        size = CHANGE_BYTES * len(keys) + rows_bytes(rows or ()) + rows_bytes(bases or ())
        self.memory.add(size)
        if self._savepoints:
            self._undo += [(tablet, key, None) for key in keys]
        made = net_changes(bases, seqs, rows, version)
        self.changes.setdefault(tablet, {}).update(zip(keys, made, strict=False))

    def truncate(self, tablet: TabletId, emptied: Emptied) -> None:
        """Record that a tablet has no rows any more. What the transaction wrote to it is not written."""
        self._undo.append(partial(self._restore, tablet, *self._forget(tablet)))
        self.emptied[tablet] = emptied

    def _forget(self, tablet: TabletId) -> tuple[dict[bytes, NetChange] | None, Emptied | None]:
        """Drop what it has done to a tablet; for `_restore`."""
        return self.changes.pop(tablet, None), self.emptied.pop(tablet, None)

    def _restore(
        self, tablet: TabletId, changes: dict[bytes, NetChange] | None, emptied: Emptied | None
    ) -> None:
        self._forget(tablet)
        if changes is not None:
            self.changes[tablet] = changes
        if emptied is not None:
            self.emptied[tablet] = emptied

    def note(self, notes: Mapping[bytes, bytes | None]) -> None:
        """Have COMMIT write something about tablets beside their rows, None: remove it."""
        self.restoring("notes")
        self.notes = {**self.notes, **notes}

    def restoring(self, attribute: str) -> None:
        """Have it be again what it is now where what comes next is taken back."""
        self._undo.append(partial(setattr, self, attribute, getattr(self, attribute)))

    def restoring_loads(self) -> None:
        """The same of its loads; but what is written ahead by then is not loaded, too."""
        self._undo.append(partial(self._restore_loads, self.loads))

    def _restore_loads(self, loads: "dict[TabletId, Loaded]") -> None:
        self.loads = {one: at for one, at in loads.items() if not at.is_settled}

    def is_deferred(self, constraint: int, rule: ForeignKey | Index) -> bool:
        """Whether a constraint is looked after at the end of the transaction only."""
        modes = self.constraint_modes
        return rule.deferrable and modes.get(constraint, modes.get(0, rule.deferred))

    def defer(self, name: Hashable, asked: Deferred) -> None:
        """Ask for something at the end; what is asked for already is not asked twice."""
        if name not in self.deferred:
            self.memory.add(ENTRY_BYTES)
            self.deferred[name] = asked
            self._undo.append(lambda: self.deferred.pop(name, None))

    def define(
        self,
        made: Difference,
        puts: Iterable[tuple[bytes, bytes | None]],
        dropped: Collection[int] = (),
    ) -> None:
        """Record a definition: what it makes of the catalog, and how it is stored.

        dropped: tables that are no more, so that what the transaction wrote to them is not written.
        """
        self.unwrite(dropped)
        if dropped:
            self.lasting = True
        self._undo.append(partial(self._undefine, self.definitions, len(self.puts)))
        if made:
            earlier = self.definitions
            self.definitions = made if earlier is None else earlier.then(made)
        self.puts += [put for put in puts if put[0] != codec.CATALOG_KEY]  # `settle` says that last

    def define_temporary(self, made: Difference, dropped: Container[int] = ()) -> None:
        """Record a definition of the session's own; dropped: as for `define`."""
        self.unwrite(dropped)
        self._undo.append(partial(setattr, self, "temporaries", self.temporaries))
        earlier = self.temporaries
        self.temporaries = made if earlier is None else earlier.then(made)

    def unwrite(self, tables: Container[int]) -> None:
        """What it has written to these tables is not written."""
        if self.loads:
            self.restoring_loads()
            self.loads = {one: at for one, at in self.loads.items() if one.table not in tables}
        for tablet in [one for one in {**self.changes, **self.emptied} if one.table in tables]:
            self._undo.append(partial(self._restore, tablet, *self._forget(tablet)))

    def reform(self, table: int, move: Callable[[Row], Row], version: int) -> None:
        """A table has another version: what was written to it is written in its form."""
        for tablet in [one for one in {**self.changes, **self.emptied} if one.table == table]:
            changes, emptied = self._forget(tablet)
            self._undo.append(partial(self._restore, tablet, changes, emptied))
            if emptied is not None:
                self.emptied[tablet] = emptied._replace(version=version)
            if changes is not None:
                self.changes[tablet] = reformed(changes, move, version)

    def _undefine(self, made: Difference | None, puts: int) -> None:
        self.definitions = made
        del self.puts[puts:]

    def snapshot_over(self, catalog: Snapshot) -> Snapshot:
        """A committed catalog with this transaction's own definitions over it."""
        temporary = self.temporary
        made = self._stored_over(catalog)
        return made if temporary is None else temporary.over(made, self.temporaries)

    def _stored_over(self, catalog: Snapshot) -> Snapshot:
        """The same without what is the session's own."""
        made, own = self.definitions, self._own
        if made is None:
            return catalog
        if own is None or own[0] is not catalog or own[1] is not made:
            own = self._own = (catalog, made, made.over(catalog))
        return own[2]

    def settle(self, catalog: Snapshot) -> None:
        """Its COMMIT is next, and nobody else's comes between: it installs a new version of `catalog`."""
        if self.definitions is not None:
            self.snapshot = self._stored_over(catalog)
            self.puts = list(stored(self.snapshot, self.puts).puts)

    def savepoint(self, name: str) -> None:
        """SAVEPOINT. Raises 53200."""
        self.memory.add(ENTRY_BYTES + len(name))
        asked = self.channels.mark() if self.channels is not None else (0, 0)
        self._savepoints.append((name, len(self._undo), len(self.held), asked))

    def release(self, name: str) -> None:
        """RELEASE SAVEPOINT. Raises 3B001."""
        del self._savepoints[self._find_savepoint(name) :]

    def rollback_some(self, name: str, most: int) -> bool:
        """A part of `rollback_to`, which is to follow: until then the block has failed.

        Undoes `most` changes, if there are more of them; whether it did. Raises 3B001.
        """
        at = self._find_savepoint(name)
        del self._savepoints[at + 1 :]
        mark = len(self._undo) - most
        if mark <= self._savepoints[at][1]:
            return False
        self.failed = True
        self._undo_to(mark)
        return True

    def rollback_to(self, name: str) -> None:
        """ROLLBACK TO SAVEPOINT: it stays; later ones go. Raises 3B001."""
        at = self._find_savepoint(name)
        del self._savepoints[at + 1 :]
        _, mark, _, asked = self._savepoints[at]
        if self.channels is not None:
            self.channels.back_to(asked)
        self._undo_to(mark)
        self.failed = False

    def _undo_to(self, mark: int) -> None:
        while len(self._undo) > mark:
            entry = self._undo.pop()
            if not isinstance(entry, tuple):
                entry()
                continue
            tablet, key, earlier = entry
            self.memory.add(-change_bytes(self.changes[tablet][key].row))
            if earlier is None:
                del self.changes[tablet][key]
                if not self.changes[tablet]:
                    del self.changes[tablet]
            else:
                self.changes.setdefault(tablet, {})[key] = earlier

    @property
    def locks_mark(self) -> int:
        """How many locks (`held`) it had at the last savepoint: those since then go when it fails."""
        return self._savepoints[-1][2] if self._savepoints else 0

    def _find_savepoint(self, name: str) -> int:
        for at in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[at][0] == name:
                return at
        raise InvalidSavepointSpecificationError(f'savepoint "{name}" does not exist')
