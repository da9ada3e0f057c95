"""The statements that a chat app lives on, without the general machinery: INSERT, UPDATE and DELETE of one
row (`quick_writes`, `quick_upsert`), SELECT of one row by its key or by a unique index, of the newest rows
with a value, and of whatever is answered from memory. Each is a transaction of its own, or a step of a block.

What is short is the way, not the meaning: same closures, same rules, same locks, same committer. Whatever
is not plain (a lock that is taken, a row that breaks a rule, a key in a segment) is *not done* here and
leaves no trace: the caller runs the statement the general way, which waits or raises as it should.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from catalog.model import Table, TableKind, User
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.change import ChangePlan
from kalam_pg.query.constant_plan import ConstantPlan
from kalam_pg.query.counting import CountPlan
from kalam_pg.query.database import Database
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.filtered_count import FilteredCountPlan
from kalam_pg.query.indexed import Newest, plain_slots
from kalam_pg.query.insert import InsertPlan
from kalam_pg.query.local.plan import LocalPlan
from kalam_pg.query.plan import Plan
from kalam_pg.query.quick_rows import NotQuickError, own_tablet, picker, row_maker
from kalam_pg.query.quick_upsert import QuickUpsert, plain_conflict
from kalam_pg.query.quick_writes import (
    QuickChange,
    QuickInsert,
    is_one_write,
    is_plain_change,
)
from kalam_pg.query.select import AtHand, HotPlan, PointPlan
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.unique_lookup import UniqueLookup
from kalam_pg.rows.form import RowForm
from kalam_pg.sql.closures import Slot, is_given
from storage.keys import key_maker
from storage.layout import Row, Value
from storage.log.view import Version


class QuickPoint:
    """SELECT of one row by its whole key."""

    __slots__ = ("_engine", "_key", "_key_of", "_plain", "_plan", "_slots", "_tablet", "timed")

    def __init__(self, plan: PointPlan, database: Database, user: User, width: int) -> None:
        """width: how many parameters the statement has."""
        self._plan: PointPlan | HotPlan = plan
        self._engine = database.engine
        self._key = row_maker(plan.key, width)
        self._key_of = key_maker(range(len(plan.key)), plan.rules.kinds)
        slots = plain_slots(plan.targets, plan.columns, len(plan.table.columns))
        self._slots = slots if plan.where is None else None
        self._plain = None if self._slots is None else picker(self._slots)
        self.timed = self._slots is None or not all(map(is_given, plan.key))
        self._tablet = own_tablet(database, plan.table, user)

    def is_apart(self, transaction: Transaction) -> bool:
        """Whether it reads nothing that the transaction has changed."""
        return self._tablet.id not in transaction.changes

    def sender(self, form: RowForm) -> Callable[[EvalContext], bytes | None]:
        """What gives the row asked for as a DataRow message, None when there is none.

        It raises NotQuickError, and what closures raise. What it has made of a row it gives again
        until the row is written: a look into a dictionary once the key is made.
        """
        values_of, key_of, sent = self._key, self._finder(), self._tablet.sent
        if self._slots is None:
            shape, encode = None, form.encode
        else:
            shape = form.shape(self._slots)
            encode = shape.encode
        shapes = sent.shapes

        def send(context: EvalContext) -> bytes | None:
            values = values_of(context)
            if None in values:
                return None
            key = key_of(values)
            if key is None:
                return None
            known = shapes.get(shape)
            message = None if known is None else known.get(key)
            if message is None:
                row = self._row(key, context)
                if row is None:
                    return None
                message = encode(row)
                if shape is not None:
                    sent.put(shape, key, message)
            return message

        return send

    def _finder(self) -> Callable[[Sequence[Value]], bytes | None]:
        """What tells the row's key by the values that are asked for, None: there is none."""
        return self._key_of

    def _row(self, key: bytes, context: EvalContext) -> Row | None:
        found = self._tablet.get(self._engine.current, key)
        if found is None:
            return None
        if found.__class__ is not Version:
            raise NotQuickError
        if self._plain is not None:
            return self._plain(found.row)
        plan = self._plan
        row = (*found.row, found.seq, False)
        if plan.where is not None and plan.where(row, context) is not True:
            return None
        return tuple([closure(row, context) for closure in plan.targets])


class QuickUnique(QuickPoint):
    """SELECT of one row by the value of a unique index: its entry says which key the row has."""

    __slots__ = ("_entries", "_entry_row")

    def __init__(
        self, plan: HotPlan, unique: UniqueLookup, database: Database, user: User, width: int
    ) -> None:
        """width: how many parameters the statement has."""
        self._plan = plan
        self._engine = database.engine
        self._key = row_maker(unique.values, width)
        self._key_of = key_maker(range(len(unique.values)), unique.rule.kinds)
        self._entry_row = unique.rule.entry_row
        self._entries = own_tablet(database, unique.rule.entries, user)
        self._slots = plan.slots if unique.exact else None
        self._plain = None if self._slots is None else picker(self._slots)
        self.timed = self._slots is None or not all(map(is_given, unique.values))
        self._tablet = own_tablet(database, plan.table, user)

    def _finder(self) -> Callable[[Sequence[Value]], bytes | None]:
        """See `QuickPoint._finder`."""
        entries, engine = self._entries, self._engine
        entry_key, row_of = self._key_of, self._entry_row

        def find(values: Sequence[Value]) -> bytes | None:
            entry = entries.get(engine.current, entry_key(values))
            if entry is None:
                return None
            if entry.__class__ is not Version:
                raise NotQuickError
            return row_of(entry.row)

        return find


class QuickNewest:
    """SELECT of columns WHERE column = value, with what an index has of ORDER BY and bounds."""

    __slots__ = ("_engine", "_newest", "_tablet", "timed")

    def __init__(self, newest: Newest, table: Table, database: Database, user: User) -> None:
        self._newest = newest
        self._engine = database.engine
        self.timed = newest.timed
        self._tablet = own_tablet(database, table, user)

    def is_apart(self, transaction: Transaction) -> bool:
        """See `QuickPoint.is_apart`."""
        return self._tablet.id not in transaction.changes

    def sender(self, form: RowForm) -> Callable[[EvalContext], Sequence[bytes]]:
        """What gives the rows asked for as DataRow messages. It raises as `QuickPoint.sender`'s."""
        read, engine, tablet = self._newest.read, self._engine, self._tablet
        shape = form.shape(self._newest.slots)

        def send(context: EvalContext) -> Sequence[bytes]:
            found = read(tablet, engine.current, context, shape)
            if found is None:
                raise NotQuickError
            return found

        return send


class QuickRead:
    """Any SELECT that is answered at once by what is in memory, of no transaction's own changes."""

    timed = True

    __slots__ = ("_execution", "_plan", "_skip")

    def __init__(self, plan: AtHand, database: Database, user: User) -> None:
        self._plan = plan
        # No transaction: a statement by itself at READ COMMITTED, which sees what is committed.
        self._execution = Execution(database, Transaction(0), user, EvalContext())
        self._skip = 0

    def is_apart(self, transaction: Transaction) -> bool:
        """See `QuickPoint.is_apart`."""
        return not transaction.changes

    def sender(self, form: RowForm) -> Callable[[EvalContext], tuple[bytes, int]]:
        """What gives the rows as DataRow messages, and their number. It raises as `QuickPoint.sender`'s."""

        def send(context: EvalContext) -> tuple[bytes, int]:
            result = self._result(form, context)
            if result.messages is not None:
                return result.messages, result.count or 0
            return b"".join(map(form.encode, result.rows)), len(result.rows)

        return send

    def _result(self, form: RowForm, context: EvalContext) -> Result:
        if self._skip:
            self._skip -= 1
            raise NotQuickError
        x = self._execution
        x.context, x.form = context, form
        steps = self._plan.at_hand(x)
        try:
            next(steps)
        except StopIteration as end:
            found: Result | None = end.value
            if found is not None and not found.open:
                return found
        finally:
            steps.close()
            x.close()
        self._skip = _SKIPPED
        raise NotQuickError


_SKIPPED = 64
"""Runs that are not tried after one that was in vain."""

QuickReading: TypeAlias = QuickPoint | QuickNewest | QuickRead
QuickForm: TypeAlias = QuickInsert | QuickUpsert | QuickChange | QuickReading


def quick_form(plan: Plan, database: Database, user: User, width: int) -> QuickForm | None:
    """The short way of a plan with `width` parameters for one user, if it has one."""
    match plan:
        case InsertPlan(source=None, returning=()) if len(plan.literal_rows) == 1:
            conflict = plain_conflict(plan)
            if conflict is not None and is_one_write(plan):
                return QuickUpsert(plan, conflict, database, user, width)
            if plan.conflict is None and is_one_write(plan):
                return QuickInsert(plan, database, user, width)
        case ChangePlan() if is_plain_change(plan):
            if is_one_write(plan):
                return QuickChange(plan, database, user, width)
        case PointPlan() if plan.bounds.limit is None and plan.bounds.offset is None:
            if plan.table.kind is not TableKind.STREAM:
                return QuickPoint(plan, database, user, width)
        case HotPlan(unique=UniqueLookup() as unique) if _asks_for_all(plan):
            return QuickUnique(plan, unique, database, user, width)
        case HotPlan(newest=Newest() as newest):
            return QuickNewest(newest, plan.table, database, user)
        case ConstantPlan() | CountPlan() | FilteredCountPlan() | HotPlan() | LocalPlan():
            return QuickRead(plan, database, user)
        case _:
            pass
    return None


def _asks_for_all(plan: HotPlan) -> bool:
    """Whether it has no LIMIT and OFFSET, and orders by nothing that could fail."""
    bounds = plan.bounds
    if bounds.limit is not None or bounds.offset is not None:
        return False
    return all(isinstance(item.closure, Slot) for item in plan.order)
