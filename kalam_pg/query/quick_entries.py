"""What the unique indexes of a table have of a row that is written in one step.

The short way of `query.row_changes`: an entry goes, comes or moves in the same write set as its row, and its
value is locked before it is looked up. Whatever is not plain (the value is taken, or locked by somebody, or
only a file tells) raises NotQuickError.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from catalog.model import Index, User
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.database import Database
from kalam_pg.query.locks.state import RowOwner
from kalam_pg.query.quick_rows import NotQuickError, own_tablet
from kalam_pg.query.rules import RowRules
from kalam_pg.query.sizes import change_bytes
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.unique import UniqueRule
from storage.engine import Write
from storage.ids import TabletId
from storage.layout import Row, row_bytes
from storage.log.log_entry import Op
from storage.log.view import Version
from storage.tablet import Tablet


@dataclass(frozen=True, slots=True)
class _Index:
    """A unique index, and where the user's entries of it lie."""

    rule: UniqueRule
    tablet: Tablet
    id: TabletId


class _Move(NamedTuple):
    """An entry's value: of one that comes, or goes (`comes` False)."""

    of: _Index
    key: bytes
    entry: Row
    comes: bool


class EntryChange(NamedTuple):
    """What is to be put of an entry that is locked (`Transaction.put`)."""

    tablet: TabletId
    key: bytes
    row: Row | None
    base: Row | None
    base_seq: int
    version: int


class QuickEntries:
    """The entries of one user's rows of a table, in some of its unique indexes."""

    __slots__ = ("_database", "_indexes", "_locks")

    def __init__(self, rules: Iterable[UniqueRule], database: Database, user: User) -> None:
        self._database = database
        self._locks = database.locks
        self._indexes = [
            _Index(rule, tablet, tablet.id)
            for rule in rules
            for tablet in [own_tablet(database, rule.entries, user)]
        ]

    @staticmethod
    def of(
        rules: RowRules, assigned: Iterable[int] | None, database: Database, user: User
    ) -> "QuickEntries | None":
        """Those that a write may move (`moved_by`); None: there are none."""
        some = moved_by(rules, assigned)
        return QuickEntries(some, database, user) if some else None

    def writes(
        self, old: Row | None, row: Row | None, context: EvalContext, owner: RowOwner
    ) -> list[Write]:
        """What is to be committed with a row that is `row` now, and was `old`; None: there is, or was, none.

        The values are locked by `owner`, who has the row. Where one comes, whether the log has it is left to
        the committer (see `QuickInsert.write`).
        """
        made: list[Write] = []
        lock, current = self._locks.lock_entry_nowait, self._database.engine.current
        for index, key, entry, comes in self._moves(old, row, context):
            if not lock(owner, (index.id, key)):
                raise NotQuickError
            version, tablet = index.rule.entries.version, index.tablet
            if comes:
                if tablet.kept.newest.segments and tablet.get(current, key) is not None:
                    raise NotQuickError
                made.append(Write(index.id, Op.INSERT, key, entry, None, version, 0))
                continue
            there = tablet.get(current, key)
            if there is None:
                continue
            if there.__class__ is not Version:
                raise NotQuickError
            if _is_of(index, there.row, entry):
                made.append(
                    Write(index.id, Op.DELETE, key, there.row, there.row, version, there.seq)
                )
        return made

    def changes(
        self,
        old: Row | None,
        row: Row | None,
        context: EvalContext,
        transaction: Transaction,
        key: tuple[TabletId, bytes],
    ) -> Sequence[EntryChange]:
        """The same for an open transaction, which is to put them; it has locked the row, by its name `key`.

        Raises 53200 when it may not hold so much.
        """
        made: list[EntryChange] = []
        size, lock = 0, self._locks.lock_nowait
        for index, at, entry, comes in self._moves(old, row, context):
            if self._locks.is_guarded(index.id) or not lock(transaction, (index.id, at)):
                raise NotQuickError
            if old is not None and index.rule.is_referable and not lock(transaction, key):
                raise NotQuickError  # Who refers to the row by any key keeps it where it is.
            base, seq = self._there(index, at, transaction)
            if comes:
                if base is not None:
                    raise NotQuickError
                change = EntryChange(index.id, at, entry, None, seq, index.rule.entries.version)
            elif base is None or not _is_of(index, base, entry):
                continue
            else:
                change = EntryChange(index.id, at, None, base, seq, index.rule.entries.version)
            size += change_bytes(change.row) + (0 if base is None else row_bytes(base))
            made.append(change)
        transaction.memory.add(size)  # Either all of them can be put, or none.
        transaction.memory.add(-size)
        return made

    def _there(self, index: _Index, key: bytes, transaction: Transaction) -> tuple[Row | None, int]:
        """The entry that a locked value has for this transaction, and of which commit."""
        own = transaction.change_of(index.id, key)
        if own is not None:
            return own.row, own.base_seq
        found = index.tablet.get(self._database.engine.current, key)
        if found is None:
            return None, 0
        if found.__class__ is not Version:
            raise NotQuickError
        return found.row, found.seq

    def _moves(self, old: Row | None, row: Row | None, context: EvalContext) -> Iterator[_Move]:
        """Entries that go and come, in the order in which the general way looks after them."""
        for index in self._indexes:
            rule = index.rule
            before = None if old is None else rule.entry(old, context)
            after = None if row is None else rule.entry(row, context)
            goes = None if before is None else rule.entry_key(before)
            comes = None if after is None else rule.entry_key(after)
            if goes == comes:
                continue
            if before is not None and goes is not None:
                yield _Move(index, goes, before, comes=False)
            if after is not None and comes is not None:
                yield _Move(index, comes, after, comes=True)


def _is_of(index: _Index, there: Row, entry: Row) -> bool:
    """Whether two entries are of the same row."""
    entry_row = index.rule.entry_row
    return entry_row(there) == entry_row(entry)


def moved_by(rules: RowRules, assigned: Iterable[int] | None) -> tuple[UniqueRule, ...]:
    """The unique indexes that may have another entry of a row by an UPDATE that assigns to these columns.

    None: of a row that comes or goes.
    """
    if assigned is None or not rules.unique:
        return rules.unique
    columns = {rules.table.columns[at].id for at in assigned}
    return tuple([rule for rule in rules.unique if _depends(rule.index, columns)])


def _depends(index: Index, columns: set[int]) -> bool:
    """Whether what the index has of a row may depend on these columns."""
    return bool(index.where) or any(not k.column or k.column in columns for k in index.keys)
