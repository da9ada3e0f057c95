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
from kalam_pg.query.index_definitions import IndexDefinition
from kalam_pg.query.index_use import IndexUse, TooManyValuesError, index_uses
from kalam_pg.query.predicates import conjuncts, implied, is_volatile
from kalam_pg.query.rules import Closure
from kalam_pg.query.scan import scan_tablet
from kalam_pg.query.user_threads import UserThreads
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef, Select, TableScan
from kalam_pg.sql.walk import walk
from storage.cold.extents import Condition, SortKey, is_comparable
from storage.cold.first_rows import Limits, Question, TooMuchError, Work, first_rows
from storage.cold.index_reader import IndexLostError
from storage.cold.indexed_rows import Walk, rows_by_index
from storage.cold.indexing import drop_index_file
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

BRIEF_BY_INDEX = Limits(groups=64, looked_at=300)
"""The same of what an index finds: of a row group it is a row or two."""

BRIEF_ROWS_MAX = 2000
"""Rows in memory besides, which may have to be sorted."""

HOT_ROWS_MIN = 4096
"""Fewer rows that are all in memory have a quicker way."""

_THREADS = UserThreads(4)
"""Each may be decoding a row group: some MB of memory, and a core."""


@dataclass(frozen=True, slots=True)
class Compared:
    """`column operator value` of the WHERE. number: of the conjunct that it is of."""

    number: int
    position: int
    kind: str
    operator: str
    value: Closure


@dataclass(frozen=True, slots=True)
class First:
    """How the rows of a query are found among all rows of its table.

    conditions: what the WHERE says, or at least implies. where: all that it says, None when that is the
    conditions. examined: the columns that `where` sees; given: those that the targets see. uses: declared
    indexes, the most promising first. by_columns: the conditions, and with a LIMIT the order, leave so few
    rows that `where` has little to do: rows in memory are found so, too.
    """

    conditions: tuple[Compared, ...]
    where: Closure | None
    order: tuple[SortKey, ...]
    examined: frozenset[int]
    given: frozenset[int]
    uses: tuple[IndexUse, ...] = ()
    by_columns: bool = False

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
        """Whether few rows are wanted, of a tablet that has some in segments alone, or by columns alone."""
        few = bool(self.conditions or self.uses) if end is None else end <= ROWS_MAX
        if not few or not x.in_process:
            return False
        view = x.view_of(tablet.id.table)
        if not tablet.is_hot(view):
            return True
        return self.by_columns and (tablet.count(view) or 0) >= HOT_ROWS_MIN

    def _ask(
        self, x: Execution, tablet: Tablet, question: Question
    ) -> Steps[tuple[Sequence[Row], Work] | None]:
        walks = self._walks(question, x.context)
        if walks is None:
            return (), Work(Limits())
        sight = yield from sight_of(x, tablet)
        if sight is None:
            return None
        asked = _Asked(question, walks)
        few = sum(batch.num_rows for batch in sight.batches) <= BRIEF_ROWS_MAX
        if few and sight.was_read_lately:
            with suppress(NotInMemoryError, TooMuchError):
                memory = replace(sight, in_memory=True)
                return asked.read(memory, (BRIEF_BY_INDEX, BRIEF), _no_breath)
        try:
            return (yield from in_thread(x, partial(asked.read, sight, _LIMITS)))
        except TooMuchError:
            return None
        finally:
            if asked.lacking:
                x.database.unindexed.add(tablet.id)

    def _walks(self, question: Question, context: EvalContext) -> "_Walks | None":
        """What is read of each index; None when the WHERE compares with NULL."""
        numbers = [one.number for one in self.conditions]
        conditions = list(zip(numbers, question.conditions, strict=True))
        walks: list[tuple[str, Walk]] = []
        for use in self.uses:
            try:
                part = use.walk(conditions, context)
            except TooManyValuesError:
                continue
            if part is None:
                return None
            walks.append((use.definition.name, part))
        return walks


_Walks = Sequence[tuple[str, Walk]]
"""Indexes by their names, and what is read of each."""

_LIMITS = Limits(), Limits()


@dataclass(slots=True)
class _Asked:
    """A question, and the indexes that may answer it. lacking: a large segment has no file of one."""

    question: Question
    walks: _Walks
    lacking: bool = False

    def read(
        self, sight: Sight, limits: tuple[Limits, Limits], breathe: Callable[[], None]
    ) -> tuple[list[Row], Work]:
        """The rows, and what it took: by an index where there is one, else by what statistics promise.

        limits: of the one way and of the other. Raises as `storage.cold.first_rows.first_rows`.
        """
        question = self.question
        for name, part in self.walks:
            work = Work(limits[0], index=name)
            rows = self._by_index(sight, part, work, breathe)
            if rows is not None:
                return rows, work
        if question.order and not question.order[0].comparable:
            raise TooMuchError
        work = Work(limits[1])
        return first_rows(sight, question, work, breathe), work

    def _by_index(
        self, sight: Sight, part: Walk, work: Work, breathe: Callable[[], None]
    ) -> list[Row] | None:
        try:
            return rows_by_index(sight, self.question, part, work, breathe)
        except TooMuchError:
            if sight.in_memory:
                raise  # In a thread it may take more.
            return None
        except IndexLostError as exc:
            self.lacking = drop_index_file(sight, exc) or self.lacking
            return None
        finally:
            self.lacking = self.lacking or work.lacking


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
        reading = partial(read, trio.from_thread.check_cancelled)
        return await _THREADS.run(x.payer, reading, abandon=False)

    return (yield from run_async(run, timeout_s=x.statement_timeout_s))


def _no_breath() -> None:
    """It is over too soon to be ended."""


def plan_first(
    query: Select,
    scan: TableScan,
    where: Closure | None,
    indexes: Sequence[IndexDefinition],
) -> First | None:
    """How the query's rows are found, None when its order or its WHERE is not for this.

    indexes: of the table.
    """
    order = _order(query, scan)
    if order is None or is_volatile(query.where):
        return None
    conditions, exact = compared(query, scan)
    uses = index_uses(query, scan, indexes)
    by_arrow = not order or order[0].comparable
    if not by_arrow:
        uses = tuple(use for use in uses if use.ordered)
        if not uses:
            return None
    narrows = bool(uses) or (query.limit is not None and bool(order))
    return First(
        conditions,
        None if exact else where,
        order,
        frozenset() if exact else _columns(query.where, scan),
        frozenset().union(*(_columns(target, scan) for target in query.targets)),
        uses,
        by_arrow and narrows and len(conditions) == len(conjuncts(query.where)),
    )


def compared(query: Select, scan: TableScan) -> tuple[tuple[Compared, ...], bool]:
    """What the WHERE compares with constants, and whether that is all that it says."""
    layout = scan.table.layout
    found: list[Compared] = []
    parts = implied(query.where, scan.table, scan.relation)
    for number, part in enumerate(parts):
        if part.column < 0:
            continue
        column = layout.columns[part.column]
        if column.kind != "numeric" and is_comparable(column):
            # A numeric constant may have more digits than the column has room for.
            value = compile_expr(part.value, _no_column)
            found.append(Compared(number, part.column, column.kind, part.operator, value))
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
        comparable = ref.column == len(columns) or is_comparable(columns[ref.column])
        keys.append(SortKey(ref.column, kind, key.descending, key.nulls_first, comparable))
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
