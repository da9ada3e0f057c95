"""INSERT … VALUES of one row with ON CONFLICT of its primary key, without the general machinery."""

from catalog.model import User
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.conflict_rule import ConflictRule
from kalam_pg.query.database import Database
from kalam_pg.query.insert import InsertPlan
from kalam_pg.query.locks.modes import FOR_NO_KEY_UPDATE, FOR_UPDATE
from kalam_pg.query.locks.state import RowOwner
from kalam_pg.query.net_change import NetChange
from kalam_pg.query.quick_rows import NotQuickError, row_maker
from kalam_pg.query.quick_writes import QuickWrite
from kalam_pg.query.transaction import Transaction
from kalam_pg.sql.closures import Constant
from storage.engine import Write
from storage.layout import Row
from storage.log.log_entry import Op


class QuickUpsert(QuickWrite):
    """INSERT … ON CONFLICT DO NOTHING, or DO UPDATE that leaves the key as it is; without RETURNING."""

    __slots__ = ("_assignments", "_row", "_where")

    def __init__(
        self,
        plan: InsertPlan,
        conflict: ConflictRule,
        database: Database,
        user: User,
        width: int,
    ) -> None:
        """width: how many parameters the statement has."""
        super().__init__(plan, database, user)
        self._row = row_maker(plan.literal_rows[0], width)
        self._where = conflict.where
        defaults = plan.rules.defaults
        self._assignments = [
            (at, c or defaults[at] or Constant(None)) for at, c in conflict.assignments
        ]

    def write(self, context: EvalContext, owner: RowOwner) -> list[Write] | None:
        proposed = self._proposed(context)
        key = self._key_of(proposed)
        if not self._locks.lock_row_nowait(owner, self._table, (self._id, key)):
            raise NotQuickError
        try:
            found = self._there(key)
            if found is None:
                write = Write(self._id, Op.INSERT, key, proposed, None, self._version, 0)
            else:
                row = self._resolved(found.row, proposed, context)
                if row is None:
                    self._locks.release_row(owner)
                    return None
                write = Write(self._id, Op.UPDATE, key, row, found.row, self._version, found.seq)
            return self._with_entries(write, context, owner)
        except BaseException:
            self._locks.release_row(owner)
            raise

    def put(self, context: EvalContext, transaction: Transaction) -> int:
        proposed = self._proposed(context)
        key = self._key_of(proposed)
        mark = self._lock(transaction, key, FOR_UPDATE)
        try:
            found = transaction.change_of(self._id, key) or self._there(key)
            if found is None or found.row is None:
                self._put_all(transaction, context, key, proposed, None, 0)
                return 1
            # A row that is there is locked for no more than what is done to it.
            self._locks.release_to(transaction, mark)
            if not self._assignments:
                return 0
            self._lock(transaction, key, FOR_NO_KEY_UPDATE)
            row = self._resolved(found.row, proposed, context)
            if row is None:
                return 0  # It stays locked, as in PostgreSQL.
            seq = found.base_seq if isinstance(found, NetChange) else found.seq
            self._put_all(transaction, context, key, row, found.row, seq)
        except BaseException:
            self._locks.release_to(transaction, mark)
            raise
        return 1

    def _proposed(self, context: EvalContext) -> Row:
        """The row of VALUES. Raises what breaks the table's rules."""
        row = self._row(context)
        if self._watched or None in row:
            self._rules.check(row, context)
        return row

    def _resolved(self, there: Row, proposed: Row, context: EvalContext) -> Row | None:
        """What becomes of the row that is there; None: nothing. Raises what breaks the table's rules."""
        if not self._assignments:
            return None
        both = there + proposed
        if self._where is not None and self._where(both, context) is not True:
            return None
        changed = list(there)
        for at, closure in self._assignments:
            changed[at] = closure(both, context)
        row = tuple(changed)
        if self._watched or None in row:
            self._rules.check(row, context)
        return row


def plain_conflict(plan: InsertPlan) -> ConflictRule | None:
    """An INSERT's ON CONFLICT, if it has this form: the primary key decides, and stays as it is."""
    conflict, rules = plan.conflict, plan.rules
    if conflict is None or conflict.asked or plan.numbered:
        return None
    if not conflict.assignments:
        # Of another index's value that is taken the general way makes sure.
        return conflict if conflict.arbiters is None or 0 in conflict.arbiters else None
    if conflict.arbiters != (0,) or rules.referenced:
        return None
    moves = any(at in rules.key for at, _ in conflict.assignments)
    return None if moves else conflict
