"""The statements that a chat app lives on, without the general machinery: INSERT of one row, SELECT of
one row by its key and of the newest rows with a value, each a transaction of its own.

What is short is the way, not the meaning: same closures, same rules, same locks, same committer. Whatever
is not plain (a lock that is taken, a row that breaks a rule, a key in a segment) is *not done* here and
leaves no trace: the caller runs the statement the general way, which waits or raises as it should.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TypeAlias

from catalog.model import Table, TableKind, User
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.database import Database
from kalam_pg.query.indexed import Newest, plain_slots
from kalam_pg.query.insert import InsertPlan
from kalam_pg.query.locks.state import RowOwner
from kalam_pg.query.plan import Plan
from kalam_pg.query.rules import Closure
from kalam_pg.query.select import HotPlan, PointPlan
from kalam_pg.rows.form import RowForm
from kalam_pg.sql.closures import Constant, Parameter, is_given
from storage.engine import Write
from storage.keys import key_maker
from storage.layout import Row, Value
from storage.log.log_entry import Op
from storage.log.view import Version
from storage.tablet import Tablet

_NO_ROW: Row = ()
_INSERT = Op.INSERT


class NotQuickError(Exception):
    """The statement must go the general way. Nothing has changed."""


class QuickInsert:
    """INSERT … VALUES of one row, without ON CONFLICT and RETURNING."""

    timed = True
    """Whether it may ask for the time."""

    __slots__ = (
        "_database",
        "_id",
        "_kept",
        "_key_of",
        "_locks",
        "_row",
        "_rules",
        "_table",
        "_tablet",
        "_version",
        "_watched",
    )

    def __init__(self, plan: InsertPlan, database: Database, user: User, width: int) -> None:
        """width: how many parameters the statement has."""
        rules = self._rules = plan.rules
        self._table = plan.table.id
        self._version = plan.table.version
        self._row = _row_maker(plan.literal_rows[0], width)
        self._watched = rules.needs_check
        self._key_of = key_maker(rules.key, rules.kinds)
        self._database = database
        self._locks = database.locks
        self._tablet = _tablet(database, plan.table, user)
        self._id = self._tablet.id
        self._kept = self._tablet.kept

    def write(self, context: EvalContext, owner: RowOwner) -> Write:
        """The row to commit, its key and table locked by `owner`. Raises NotQuickError, and any.

        Whether the key is in the log already is left to the committer, which looks anyway: its
        SerializationError then means that the statement must go the general way.
        """
        row = self._row(context)
        if self._watched or None in row:
            self._rules.check(row, context)
        key = self._key_of(row)
        if not self._locks.lock_row_nowait(owner, self._table, (self._id, key)):
            raise NotQuickError
        if self._kept.newest.segments:
            self._look_in_segments(key, owner)
        return Write(self._id, _INSERT, key, row, None, self._version, 0)

    def _look_in_segments(self, key: bytes, owner: RowOwner) -> None:
        try:
            found = self._tablet.get(self._database.engine.current, key)
        except BaseException:
            self._locks.release_row(owner)
            raise
        if found is not None:
            self._locks.release_row(owner)
            raise NotQuickError


class QuickPoint:
    """SELECT of one row by its whole key."""

    __slots__ = ("_engine", "_key", "_key_of", "_plain", "_plan", "_slots", "_tablet", "timed")

    def __init__(self, plan: PointPlan, database: Database, user: User, width: int) -> None:
        """width: how many parameters the statement has."""
        self._plan = plan
        self._engine = database.engine
        self._key = _row_maker(plan.key, width)
        self._key_of = key_maker(range(len(plan.key)), plan.rules.kinds)
        slots = plain_slots(plan.targets, plan.columns, len(plan.table.columns))
        self._slots = slots if plan.where is None else None
        self._plain = None if self._slots is None else _picker(self._slots)
        self.timed = self._slots is None or not all(map(is_given, plan.key))
        self._tablet = _tablet(database, plan.table, user)

    def sender(self, form: RowForm) -> Callable[[EvalContext], bytes | None]:
        """What gives the row asked for as a DataRow message, None when there is none.

        It raises NotQuickError, and what closures raise. What it has made of a row it gives again
        until the row is written: a look into a dictionary once the key is made.
        """
        values_of, key_of, sent = self._key, self._key_of, self._tablet.sent
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


class QuickNewest:
    """SELECT of columns WHERE column = value, with what an index has of ORDER BY and bounds."""

    __slots__ = ("_engine", "_newest", "_tablet", "timed")

    def __init__(self, newest: Newest, table: Table, database: Database, user: User) -> None:
        self._newest = newest
        self._engine = database.engine
        self.timed = newest.timed
        self._tablet = _tablet(database, table, user)

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


QuickForm: TypeAlias = QuickInsert | QuickPoint | QuickNewest


def quick_form(plan: Plan, database: Database, user: User, width: int) -> QuickForm | None:
    """The short way of a plan with `width` parameters for one user, if it has one."""
    match plan:
        case InsertPlan(source=None, conflict=None, returning=()) if len(plan.literal_rows) == 1:
            if plan.table.kind is not TableKind.STREAM and not plan.rules.unique:
                return QuickInsert(plan, database, user, width)
        case PointPlan() if plan.bounds.limit is None and plan.bounds.offset is None:
            if plan.table.kind is not TableKind.STREAM:
                return QuickPoint(plan, database, user, width)
        case HotPlan(newest=Newest() as newest):
            return QuickNewest(newest, plan.table, database, user)
        case _:
            pass
    return None


def _tablet(database: Database, table: Table, user: User) -> Tablet:
    tablet = database.tablet(table, user)
    assert isinstance(tablet, Tablet), "a STREAM table's has no quick form"
    return tablet


def _row_maker(closures: Sequence[Closure | None], width: int) -> Callable[[EvalContext], Row]:
    """Evaluates closures that see no row (None: NULL), of a statement with `width` parameters.

    Parameters and constants, mostly all there is, are put in their places by one call.
    """
    constants: list[Value] = [None]
    computed: list[Closure] = []
    found: list[tuple[int, int]] = []  # (0 constant, 1 parameter or 2 computed; which of them)
    for closure in closures:
        match closure:
            case None:
                found.append((0, 0))
            case Constant():
                found.append((0, len(constants)))
                constants.append(closure.value)
            case Parameter():
                found.append((1, closure.index))
            case _:
                found.append((2, len(computed)))
                computed.append(closure)
    begin = (0, len(constants), len(constants) + width)
    return _arranger(tuple(constants), computed, [begin[what] + which for what, which in found])


def _arranger(
    constants: Row, computed: Sequence[Closure], places: Sequence[int]
) -> Callable[[EvalContext], Row]:
    """Makes rows of constants, then parameters, then what is computed: the value of each place."""
    pick = _picker(places)
    if not computed:
        return lambda context: pick((*constants, *context.params))
    if len(computed) == 1:
        only = computed[0]
        return lambda context: pick((*constants, *context.params, only(_NO_ROW, context)))

    def arranged(context: EvalContext) -> Row:
        values = [closure(_NO_ROW, context) for closure in computed]
        return pick((*constants, *context.params, *values))

    return arranged


def _picker(places: Sequence[int]) -> Callable[[Row], Row]:
    """The values of a row at these places."""
    if len(places) == 1:
        only = places[0]
        return lambda row: (row[only],)
    return itemgetter(*places)
