"""The first rows of one table, in memory and in segments, without an engine.

Newest first, the pages before these, all rows with a value: what few row groups can answer is read in a
thread of this process (`storage.cold.first_rows`). What turns out to need more is left to an engine.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import trio

from catalog.errors import FeatureNotSupportedError
from kalam_pg.functions.table import EvalContext
from kalam_pg.query.execution import Execution
from kalam_pg.query.predicates import implied, is_volatile
from kalam_pg.query.rules import Closure
from kalam_pg.query.scan import scan_tablet
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef, Select, TableScan
from kalam_pg.sql.walk import walk
from storage.cold.extents import Condition, SortKey, is_comparable
from storage.cold.first_rows import Limits, Question, TooMuchError, Work, first_rows
from storage.cold.point_read import NotInMemoryError
from storage.cold.sight import Sight
from storage.layout import Row
from storage.tablet import Tablet

T = TypeVar("T")
_NO_ROW: Row = ()

ROWS_MAX = 2000
"""Most rows that are wanted of a read like this: up to there few row groups may do."""

EVERY_ROWS_MAX = 500
"""Most rows without a LIMIT: more of them an engine encodes better."""

CHANGES_MAX = 1000
"""Own changes of a transaction that are laid over what is read."""

BRIEF = Limits(groups=6, looked_at=300)
"""A read of what is decoded already that takes no more is done at once: about 1 ms, and no thread's 0.1."""

BRIEF_ROWS_MAX = 2000
"""Rows in memory besides, which may have to be sorted."""

_THREADS = trio.CapacityLimiter(4)
"""Each may be decoding a row group: some MB of memory, and a core."""


@dataclass(frozen=True, slots=True)
class Compared:
    """`column operator value` of the WHERE."""

    position: int
    kind: str
    operator: str
    value: Closure


@dataclass(frozen=True, slots=True)
class First:
    """How the rows of a query are found among all rows of its table.

    conditions: what the WHERE says, or at least implies. where: all that it says, None when that is the
    conditions. examined: the columns that `where` sees; given: those that the targets see.
    """

    conditions: tuple[Compared, ...]
    where: Closure | None
    order: tuple[SortKey, ...]
    examined: frozenset[int]
    given: frozenset[int]

    def question(self, end: int | None, context: EvalContext) -> Question | None:
        """What is asked of storage in one run; None when the WHERE compares with NULL.

        end: how many rows are wanted, None: all.
        """
        conditions = values_of(self.conditions, context)
        if conditions is None:
            return None
        where = self.where
        return Question(
            conditions,
            self.order,
            EVERY_ROWS_MAX if end is None else end,
            end is None,
            None if where is None else lambda row: where(row, context) is True,
            self.examined,
            self.given,
        )

    def find(self, x: Execution, tablet: Tablet, end: int | None) -> Steps[Sequence[Row] | None]:
        """The rows with their system columns, in order; None: another way is better."""
        if not self._fits(x, tablet, end):
            return None
        question = self.question(end, x.context)
        if question is None:
            return ()
        found = yield from self._ask(x, tablet, question)
        return found if found is None else found[0]

    def work(self, x: Execution, tablet: Tablet, end: int | None) -> Steps[Work | None]:
        """What finding the rows takes, if each passed what the WHERE says beyond the conditions."""
        question = self.question(end, x.context) if self._fits(x, tablet, end) else None
        if question is None:
            return None
        found = yield from self._ask(x, tablet, replace(question, where=None))
        return found if found is None else found[1]

    def _fits(self, x: Execution, tablet: Tablet, end: int | None) -> bool:
        """Whether few rows are wanted, of a tablet that has some in segments alone."""
        few = bool(self.conditions) if end is None else end <= ROWS_MAX
        return few and reads_few(x, tablet)

    @staticmethod
    def _ask(
        x: Execution, tablet: Tablet, question: Question
    ) -> Steps[tuple[Sequence[Row], Work] | None]:
        sight = yield from sight_of(x, tablet)
        if sight is None:
            return None
        if sum(batch.num_rows for batch in sight.batches) <= BRIEF_ROWS_MAX:
            work = Work(BRIEF)
            with suppress(NotInMemoryError, TooMuchError):
                return first_rows(replace(sight, in_memory=True), question, work, _no_breath), work
        work = Work(Limits())
        try:
            rows = yield from in_thread(x, partial(first_rows, sight, question, work))
        except TooMuchError:
            return None
        return rows, work


def reads_few(x: Execution, tablet: Tablet) -> bool:
    """Whether a thread may read a tablet, of which some rows are in segments alone."""
    return x.in_process and not tablet.is_hot(x.view_of(tablet.id.table))


def values_of(compared: Sequence[Compared], context: EvalContext) -> tuple[Condition, ...] | None:
    """The conditions of one run; None when one of them compares with NULL."""
    found = []
    for one in compared:
        value = one.value(_NO_ROW, context)
        if value is None:
            return None
        found.append(Condition(one.position, one.kind, one.operator, value))
    return tuple(found)


def sight_of(x: Execution, tablet: Tablet) -> Steps[Sight | None]:
    """What the statement sees of a tablet; None when its transaction has changed too much of it."""
    own = x.own_changes(tablet.id) or {}
    if len(own) > CHANGES_MAX:
        return None
    view = x.view_of(tablet.id.table)
    scan = yield from scan_tablet(x, tablet)
    return tablet.sight(view, scan, {key: change.row for key, change in own.items()})


def in_thread(x: Execution, read: Callable[[Callable[[], None]], T]) -> Steps[T]:
    """Run a read of files. It is told how to look whether anybody still waits for it."""

    async def run() -> T:
        return await trio.to_thread.run_sync(
            read, trio.from_thread.check_cancelled, limiter=_THREADS
        )

    return (yield from run_async(run, timeout_s=x.statement_timeout_s))


def _no_breath() -> None:
    """It is over too soon to be ended."""


def plan_first(query: Select, scan: TableScan, where: Closure | None) -> First | None:
    """How the query's rows are found, None when its order or its WHERE is not for this."""
    order = _order(query, scan)
    if order is None or is_volatile(query.where):
        return None
    conditions, exact = compared(query, scan)
    return First(
        conditions,
        None if exact else where,
        order,
        frozenset() if exact else _columns(query.where, scan),
        frozenset().union(*(_columns(target, scan) for target in query.targets)),
    )


def compared(query: Select, scan: TableScan) -> tuple[tuple[Compared, ...], bool]:
    """What the WHERE compares with constants, and whether that is all that it says."""
    layout = scan.table.layout
    found: list[Compared] = []
    parts = implied(query.where, scan.table, scan.relation)
    for part in parts:
        if part.column < 0:
            continue
        column = layout.columns[part.column]
        if column.kind != "numeric" and is_comparable(column):
            # A numeric constant may have more digits than the column has room for.
            value = compile_expr(part.value, _no_column)
            found.append(Compared(part.column, column.kind, part.operator, value))
    return tuple(found), len(found) == len(parts) and all(part.whole for part in parts)


def _order(query: Select, scan: TableScan) -> tuple[SortKey, ...] | None:
    """The ORDER BY by columns of the table; None when it has anything else."""
    columns = scan.table.layout.columns
    keys: list[SortKey] = []
    for key in query.order_by:
        ref = key.expr
        if not isinstance(ref, ColumnRef) or ref.outer or ref.column > len(columns):
            return None
        kind = "int" if ref.column == len(columns) else columns[ref.column].kind
        if kind == "none" or ref.type.name == "bpchar":
            return None  # What is no key; and what is equal whatever blanks it ends with.
        keys.append(SortKey(ref.column, kind, key.descending, key.nulls_first))
    first = keys[0].position if keys else len(columns)
    if first < len(columns) and not is_comparable(columns[first]):
        return None
    return tuple(keys)


def _columns(node: object, scan: TableScan) -> frozenset[int]:
    """Positions of the table's columns that an expression reads; the table's width is `_seq`."""
    return frozenset(
        part.column
        for part in walk(node)
        if isinstance(part, ColumnRef) and part.relation == scan.relation
    )


def _no_column(reference: ColumnRef) -> int:
    raise FeatureNotSupportedError(f'column "{reference.name}" is not constant')
