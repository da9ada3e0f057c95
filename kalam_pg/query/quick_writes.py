"""INSERT of one row, with ON CONFLICT of its key too, UPDATE and DELETE of one row by its key, without the
general machinery.

Each is a transaction of its own (`write`, of which the committer makes a commit) or a step of an open
block (`put`). Both lock the row first, so what is read of it then stays true.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from catalog.model import TableKind, User
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.change import ChangePlan
from kalam_pg.query.database import Database
from kalam_pg.query.insert import InsertPlan
from kalam_pg.query.locks.modes import FOR_UPDATE, ROW_EXCLUSIVE, Mode
from kalam_pg.query.locks.state import RowOwner
from kalam_pg.query.net_change import NetChange
from kalam_pg.query.quick_entries import QuickEntries, moved_by
from kalam_pg.query.quick_rows import NotQuickError, own_tablet, row_maker
from kalam_pg.query.rules import Closure
from kalam_pg.query.transaction import Transaction
from kalam_pg.sql.closures import Constant
from storage.engine import Write
from storage.keys import key_maker
from storage.layout import Row, row_bytes
from storage.log.log_entry import Op
from storage.log.view import Version

_INSERT, _UPDATE, _DELETE = Op.INSERT, Op.UPDATE, Op.DELETE

_SHORT_KINDS = frozenset({"bool", "int", "float", "uuid", "interval"})
"""Kinds of columns whose values take no more than a few bytes."""

Assignments = Sequence[tuple[int, Closure]]
"""What SET puts where."""


class QuickWrite(ABC):
    """One row of one tablet that is written, with its entries, in a way that need not wait."""

    timed = True
    """Whether it may ask for the time."""

    __slots__ = (
        "_database",
        "_entries",
        "_id",
        "_key_of",
        "_locks",
        "_long",
        "_rules",
        "_table",
        "_tablet",
        "_version",
        "_watched",
        "numbered",
        "tag",
    )

    def __init__(self, plan: InsertPlan | ChangePlan, database: Database, user: User) -> None:
        rules = self._rules = plan.rules
        self._table = plan.table.id
        self._version = plan.table.version
        self._watched = rules.needs_check
        self._key_of = key_maker(rules.key, rules.kinds)
        self._database = database
        self._locks = database.locks
        self._tablet = own_tablet(database, plan.table, user)
        self._id = self._tablet.id
        self._entries = QuickEntries.of(rules, _assigned(plan), database, user)
        columns = self._tablet.layout.columns
        self._long = [at for at, column in enumerate(columns) if column.kind not in _SHORT_KINDS]
        self.tag = "INSERT 0" if isinstance(plan, InsertPlan) else plan.tag
        """What the client is told, without the count."""
        self.numbered = isinstance(plan, InsertPlan) and plan.numbered
        """Whether it takes numbers from sequences."""

    @abstractmethod
    def write(self, context: EvalContext, owner: RowOwner) -> list[Write] | None:
        """What to commit, the row first, its key and table locked by `owner`; None: there is nothing to do.

        Nothing is locked in the end if it is None, or raises NotQuickError or what closures raise.
        """

    def weight(self, write: Write) -> int:
        """About the bytes of what a change writes, as far as they may be many."""
        row, old, long = write.row, write.old, self._long
        size = row_bytes([row[at] for at in long])
        return size if old is None or old is row else size + row_bytes([old[at] for at in long])

    def _with_entries(self, write: Write, context: EvalContext, owner: RowOwner) -> list[Write]:
        """A write of a row that is locked, and what is to be written with it. Raises as `write`."""
        entries = self._entries
        if entries is None:
            return [write]
        row = None if write.op is _DELETE else write.row
        return [write, *entries.writes(write.old, row, context, owner)]

    def _put_all(
        self,
        transaction: Transaction,
        context: EvalContext,
        key: bytes,
        row: Row | None,
        old: Row | None,
        seq: int,
    ) -> None:
        """Put a row that is locked, and its entries. Raises as `put`; the caller gives the locks back."""
        entries = self._entries
        changes = (
            ()
            if entries is None
            else entries.changes(old, row, context, transaction, (self._id, key))
        )
        transaction.put(self._id, key, row, base=old, base_seq=seq, version=self._version)
        for one in changes:
            transaction.put(
                one.tablet,
                one.key,
                one.row,
                base=one.base,
                base_seq=one.base_seq,
                version=one.version,
            )

    @abstractmethod
    def put(self, context: EvalContext, transaction: Transaction) -> int:
        """Write it in an open transaction: how many rows were. Raises as `write`, which leaves no trace."""

    def _lock(self, transaction: Transaction, key: bytes, mode: Mode) -> int:
        """Lock table and row for a transaction. Returns what `release_to` needs to give the row back.

        The table's lock stays, as every statement's does.
        """
        locks = self._locks
        if not locks.lock_nowait(transaction, self._table, ROW_EXCLUSIVE):
            raise NotQuickError
        mark = len(transaction.held)
        name = (self._id, key)
        if locks.is_guarded(self._id) or not locks.lock_nowait(transaction, name, mode):
            raise NotQuickError
        return mark

    def _there(self, key: bytes) -> Version | None:
        """The committed row of a key that is locked. Raises NotQuickError when only a file tells."""
        found = self._tablet.get(self._database.engine.current, key)
        if found is None or found.__class__ is Version:
            return found
        raise NotQuickError


@contextmanager
def _numbering(context: EvalContext) -> Iterator[None]:
    """What is taken of sequences in here, the general way takes if this one comes to nothing."""
    services = context.services
    services["begin_numbers"]()
    try:
        yield
    except BaseException:
        services["spare_numbers"]()
        raise
    finally:
        services["end_numbers"]()


class QuickInsert(QuickWrite):
    """INSERT … VALUES of one row, without ON CONFLICT and RETURNING."""

    __slots__ = ("_kept", "_row")

    def __init__(self, plan: InsertPlan, database: Database, user: User, width: int) -> None:
        """width: how many parameters the statement has."""
        super().__init__(plan, database, user)
        self._row = row_maker(plan.literal_rows[0], width)
        self._kept = self._tablet.kept

    def write(self, context: EvalContext, owner: RowOwner) -> list[Write]:
        """See `QuickWrite.write`.

        Whether the key is in the log already is left to the committer, which looks anyway: its
        SerializationError then means that the statement must go the general way.
        """
        if not self.numbered:
            return self._write(context, owner)
        with _numbering(context):
            return self._write(context, owner)

    def _write(self, context: EvalContext, owner: RowOwner) -> list[Write]:
        row = self._row(context)
        if self._watched or None in row:
            self._rules.check(row, context)
        key = self._key_of(row)
        if not self._locks.lock_row_nowait(owner, self._table, (self._id, key)):
            raise NotQuickError
        try:
            if self._kept.newest.segments:
                self._see_it_free(key)
            write = Write(self._id, _INSERT, key, row, None, self._version, 0)
            return self._with_entries(write, context, owner)
        except BaseException:
            self._locks.release_row(owner)
            raise

    def put(self, context: EvalContext, transaction: Transaction) -> int:
        if not self.numbered:
            return self._put(context, transaction)
        with _numbering(context):
            return self._put(context, transaction)

    def _put(self, context: EvalContext, transaction: Transaction) -> int:
        row = self._row(context)
        if self._watched or None in row:
            self._rules.check(row, context)
        key = self._key_of(row)
        mark = self._lock(transaction, key, FOR_UPDATE)
        try:
            self._see_it_free(key, transaction)
            self._put_all(transaction, context, key, row, None, 0)
        except BaseException:
            self._locks.release_to(transaction, mark)
            raise
        return 1

    def _see_it_free(self, key: bytes, transaction: Transaction | None = None) -> None:
        """Raise NotQuickError unless surely no row has a key that is locked, nor had in the transaction."""
        own = transaction is not None and transaction.change_of(self._id, key) is not None
        if own or self._tablet.get(self._database.engine.current, key) is not None:
            raise NotQuickError


class QuickChange(QuickWrite):
    """UPDATE or DELETE of one row by its whole key, which stays as it is; without RETURNING."""

    __slots__ = ("_ask_fixed", "_assignments", "_key", "_mode", "_recheck")

    def __init__(self, plan: ChangePlan, database: Database, user: User, width: int) -> None:
        """width: how many parameters the statement has."""
        super().__init__(plan, database, user)
        assert plan.key is not None
        self._key = row_maker(plan.key, width)
        self._key_of = key_maker(range(len(plan.key)), plan.rules.kinds)
        self._recheck = plan.recheck
        self._mode = plan.mode
        defaults = plan.rules.defaults
        self._ask_fixed = plan.ask_fixed
        self._assignments = (
            None
            if plan.assignments is None
            else [(at, c or defaults[at] or Constant(None)) for at, c in plan.assignments]
        )

    def write(self, context: EvalContext, owner: RowOwner) -> list[Write] | None:
        values = self._key(context)
        if None in values:
            return None
        key = self._key_of(values)
        locks = self._locks
        if not locks.lock_row_nowait(owner, self._table, (self._id, key)):
            raise NotQuickError
        try:
            found = self._there(key)
            if found is None or not self._is_wanted(found.row, found.seq, context):
                self._ask_fixed(context)
                locks.release_row(owner)
                return None
            old, seq = found.row, found.seq
            if self._assignments is None:
                write = Write(self._id, _DELETE, key, old, old, self._version, seq)
            else:
                row = self._changed(self._assignments, old, seq, context)
                write = Write(self._id, _UPDATE, key, row, old, self._version, seq)
            return self._with_entries(write, context, owner)
        except BaseException:
            locks.release_row(owner)
            raise

    def put(self, context: EvalContext, transaction: Transaction) -> int:
        values = self._key(context)
        if None in values:
            return 0
        key = self._key_of(values)
        mark = self._lock(transaction, key, self._mode)
        try:
            found = transaction.change_of(self._id, key) or self._there(key)
            if found is None or found.row is None:
                self._ask_fixed(context)
                self._locks.release_to(transaction, mark)
                return 0
            old = found.row
            seq = found.base_seq if isinstance(found, NetChange) else found.seq
            if not self._is_wanted(old, seq, context):
                self._ask_fixed(context)
                self._locks.release_to(transaction, mark)
                return 0
            row: Row | None = None
            if self._assignments is not None:
                row = self._changed(self._assignments, old, seq, context)
            self._put_all(transaction, context, key, row, old, seq)
        except BaseException:
            self._locks.release_to(transaction, mark)
            raise
        return 1

    def _is_wanted(self, row: Row, seq: int, context: EvalContext) -> bool:
        """Whether the rest of the WHERE holds of a row."""
        recheck = self._recheck
        return recheck is None or recheck((*row, seq, False), context) is True

    def _changed(self, assignments: Assignments, old: Row, seq: int, context: EvalContext) -> Row:
        """The row as SET makes it. Raises what breaks the table's rules."""
        seen = (*old, seq, False)
        changed = list(old)
        for at, closure in assignments:
            changed[at] = closure(seen, context)
        row = tuple(changed)
        if self._watched or None in row:
            self._rules.check(row, context)
        return row


def _assigned(plan: InsertPlan | ChangePlan) -> Sequence[int] | None:
    """The columns that an UPDATE assigns to; None: it is none."""
    if isinstance(plan, InsertPlan) or plan.assignments is None:
        return None
    return [at for at, _ in plan.assignments]


def is_one_write(plan: InsertPlan | ChangePlan) -> bool:
    """Whether a row of its table is one write of the log with its entries, and asks for nothing else.

    No FOREIGN KEY must be looked after, no unique index later on, nothing is generated, and no view checks
    it.
    """
    rules, assigned = plan.rules, _assigned(plan)
    if plan.checks or plan.table.kind is TableKind.STREAM or rules.generated:
        return False
    if any(rule.index.deferrable for rule in moved_by(rules, assigned)):
        return False
    if isinstance(plan, InsertPlan):
        return not rules.references
    if assigned is None:
        return not rules.referenced
    of_keys = {at for one in rules.references for at in one.columns}
    of_keys |= {at for one in rules.referenced for at in one.parent_columns}
    return of_keys.isdisjoint(assigned)


def is_plain_change(plan: ChangePlan) -> bool:
    """Whether a change has this form: of one row by its key, which stays, and nothing is answered."""
    if plan.key is None or plan.returning:
        return False
    return not any(at in plan.rules.key for at, _ in plan.assignments or ())
