"""The newest rows with a value, without the general machinery: see `query.quick`, `query.indexed`.

An index of the tail says which rows, and what was sent of a row before is sent again: rows do not
change, newer versions are other rows.
"""

from collections.abc import Sequence

from catalog.model import TableKind, User
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.database import Database
from kalam_pg.query.indexed import ROWS_MAX, encoded_rows, plain_slots
from kalam_pg.query.plan import Plan
from kalam_pg.query.quick import NotQuickError
from kalam_pg.query.rules import Closure
from kalam_pg.query.select import HotPlan
from kalam_pg.rows.form import RowForm
from kalam_pg.sql.closures import Constant
from storage.errors import KalamError
from storage.layout import Row
from storage.tablet import Tablet
from storage.tail.value_index import Range

_NO_ROW: Row = ()


class QuickNewest:
    """SELECT of columns WHERE column = value, with what an index has of ORDER BY and bounds."""

    __slots__ = (
        "_by",
        "_engine",
        "_equal",
        "_how",
        "_offset",
        "_plan",
        "_range",
        "_slots",
        "_tablet",
        "_value",
    )

    def __init__(self, plan: HotPlan, database: Database, user: User) -> None:
        """Raises NotQuickError when the plan asks for more, and what its LIMIT raises."""
        how, table = plan.indexed, plan.table
        if how is None or not (how.exact and how.ordered) or table.kind is TableKind.STREAM:
            raise NotQuickError
        assert how.along is not None, "ordered says that the index has the order"
        self._plan, self._how = plan, how
        self._by = how.along.position
        self._equal, self._value = plan.equals[0]
        slots = plain_slots(plan.targets, plan.columns, len(table.columns))
        if slots is None:
            raise NotQuickError
        self._slots = slots
        self._engine = database.engine
        tablet = database.tablet(table, database.tablet_id(table, user))
        assert isinstance(tablet, Tablet), "not a STREAM table's"
        self._tablet = tablet
        self._offset = 0
        self._range: Range | None = None  # While it is the same each time.
        bounds = plan.bounds
        if _is_settled(bounds.limit) and _is_settled(bounds.offset) and not how.lows + how.highs:
            self._range, self._offset = self._ask(EvalContext())

    def messages(self, context: EvalContext, form: RowForm) -> Sequence[bytes]:
        """The rows asked for as DataRow messages. Raises NotQuickError, and what closures raise."""
        value = self._value(_NO_ROW, context)
        if value is None:
            return ()
        ranked = self._tablet.ranked(self._engine.current, self._equal, value, self._by)
        if ranked is None:
            raise NotQuickError
        within, offset = self._range, self._offset
        if within is None:
            within, offset = self._ask(context)
        made = encoded_rows(ranked, within, offset, self._slots, form.encode)
        if made is None:
            raise NotQuickError
        return made

    def _ask(self, context: EvalContext) -> tuple[Range, int]:
        """Which rows, and how many of them are skipped."""
        limit, offset = self._plan.bounds.values(context)
        end = ROWS_MAX + 1 if limit is None else min(limit + offset, ROWS_MAX + 1)
        within = self._how.range(end, context)
        return (Range(0) if within is None else within), offset


def quick_newest(plan: Plan, database: Database, user: User) -> QuickNewest | None:
    """The short way of such a plan for one user, if it has one."""
    if isinstance(plan, HotPlan):
        try:
            return QuickNewest(plan, database, user)
        except (NotQuickError, KalamError):
            pass  # The general way raises what is wrong with its LIMIT.
    return None


def _is_settled(closure: Closure | None) -> bool:
    return closure is None or isinstance(closure, Constant)
