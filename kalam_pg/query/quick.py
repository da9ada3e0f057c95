"""The two statements that a chat app lives on, without the general machinery: INSERT of one row, and
SELECT of one row by its key, each a transaction of its own.

What is short is the way, not the meaning: same closures, same rules, same locks, same committer. Whatever
is not plain (a lock that is taken, a row that breaks a rule, a key in a segment) is *not done* here and
leaves no trace: the caller runs the statement the general way, which waits or raises as it should.
"""

from collections.abc import Callable
from operator import itemgetter

from catalog.model import TableKind, User
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.database import Database
from kalam_pg.query.insert import InsertPlan
from kalam_pg.query.locks import LockOwner
from kalam_pg.query.plan import Plan
from kalam_pg.query.select import PointPlan
from kalam_pg.sql.closures import Slot
from storage.engine import Write
from storage.ids import NO_USER, TabletId
from storage.keys import encode_key
from storage.layout import Row
from storage.rows import Op
from storage.view import Version

_NO_ROW: Row = ()


class NotQuickError(Exception):
    """The statement must go the general way. Nothing has changed."""


class QuickInsert:
    """INSERT … VALUES of one row, without ON CONFLICT and RETURNING."""

    __slots__ = ("_builders", "_database", "_id", "_plan", "_rules", "_table")

    def __init__(self, plan: InsertPlan, database: Database, user: User) -> None:
        self._plan = plan
        self._rules = plan.rules
        self._table = plan.table
        self._builders = plan.literal_rows[0]
        self._database = database
        self._id = _tablet_id(plan, user)

    def write(self, context: EvalContext, owner: LockOwner) -> Write:
        """The row to commit, its key and table locked by `owner`. Raises NotQuickError, and any."""
        rules = self._rules
        row = tuple([None if b is None else b(_NO_ROW, context) for b in self._builders])
        rules.check(row, context)
        database, tablet_id, table = self._database, self._id, self._table
        key = rules.key_of(row)
        locks = database.locks
        if not locks.lock_row_nowait(owner, table.id, (tablet_id, key)):
            raise NotQuickError
        try:
            tablet = database.tablet(table, tablet_id)
            if tablet.get(database.engine.current, key) is None:
                return Write(tablet_id, Op.INSERT, key, row, None, table.version, 0)
        except BaseException:
            locks.release_all(owner)
            raise
        locks.release_all(owner)
        raise NotQuickError


class QuickPoint:
    """SELECT of one row by its whole key."""

    __slots__ = ("_database", "_id", "_key", "_plain", "_plan", "_table")

    def __init__(self, plan: PointPlan, database: Database, user: User) -> None:
        self._plan = plan
        self._table = plan.table
        self._database = database
        self._id = _tablet_id(plan, user)
        self._key = plan.key
        self._plain = _plain_columns(plan)

    def row(self, context: EvalContext) -> Row | None:
        """The row asked for, None when there is none. Raises NotQuickError, and what closures raise."""
        values = [closure(_NO_ROW, context) for closure in self._key]
        if None in values:
            return None
        plan, database = self._plan, self._database
        tablet = database.tablet(self._table, self._id)
        found = tablet.get(database.engine.current, encode_key(values, plan.rules.kinds))
        if found is None:
            return None
        if not isinstance(found, Version):
            raise NotQuickError
        if self._plain is not None:
            row = self._plain(found.row)
            return row
        row = (*found.row, found.seq, False)
        if plan.where is not None and plan.where(row, context) is not True:
            return None
        return tuple([closure(row, context) for closure in plan.targets])


def quick_form(plan: Plan, database: Database, user: User) -> QuickInsert | QuickPoint | None:
    """The short way of a plan for one user, if it has one."""
    match plan:
        case InsertPlan(source=None, conflict=None, returning=()) if len(plan.literal_rows) == 1:
            if plan.table.kind is not TableKind.STREAM:
                return QuickInsert(plan, database, user)
        case PointPlan() if plan.bounds.limit is None and plan.bounds.offset is None:
            if plan.table.kind is not TableKind.STREAM:
                return QuickPoint(plan, database, user)
        case _:
            pass
    return None


def _tablet_id(plan: InsertPlan | PointPlan, user: User) -> TabletId:
    return TabletId(user.id if plan.table.per_user else NO_USER, plan.table.id)


def _plain_columns(plan: PointPlan) -> Callable[[Row], Row] | None:
    """How to take the answer from the stored row, when it is just some of its columns."""
    width = len(plan.table.columns)
    slots = [t.index for t in plan.targets if isinstance(t, Slot) and t.index < width]
    if plan.where is not None or len(slots) < len(plan.targets) or not slots:
        return None
    if len(slots) == 1:
        only = slots[0]
        return lambda row: (row[only],)
    return itemgetter(*slots)
