"""One run of a program: what it reads, what it has worked out so far, and how long it may go on."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from time import perf_counter, thread_time
from typing import Any

from kalam_pg.functions.table import EvalContext
from kalam_pg.interpreter.relation import Relation
from storage.layout import Row

STRIDE = 256
"""Rows between two looks at the clock, at most: some 50 µs."""

REMEMBERED_ROWS_MAX = 50_000
"""Rows, and bindings that have any or none, of one subquery that are kept in a run."""

_FIRST = 16
"""Rows before the first look: what one costs is not known yet."""

_SURROUNDINGS = tuple([field.name for field in fields(EvalContext)])


class TooLargeError(Exception):
    """It takes longer than the event loop may be held: an engine should answer."""


def spans(count: int) -> Iterator[slice]:
    """So many rows in pieces that grow, with a look at the clock before each."""
    start, size = 0, _FIRST
    while start < count:
        yield slice(start, start + size)
        start += size
        size = min(2 * size, STRIDE)


class Budget:
    """Time of the thread that a run may take: what others do to the machine does not count.

    Asking for a thread's time is a call of the kernel's, asking what time it is is none. The thread cannot
    have had more than has passed, so until then nobody asks.
    """

    __slots__ = ("_soonest_s", "_until_s")

    def __init__(self, seconds: float) -> None:
        self._until_s = thread_time() + seconds
        self._soonest_s = perf_counter() + seconds

    def check(self) -> None:
        """Raise TooLargeError when it is used up."""
        now_s = perf_counter()
        if now_s < self._soonest_s:
            return
        left_s = self._until_s - thread_time()
        if left_s < 0:
            raise TooLargeError
        self._soonest_s = now_s + left_s


class Remembered:
    """Rows of a subquery by what they depend on, as many as there is room for."""

    __slots__ = ("_left", "_rows")

    def __init__(self) -> None:
        self._rows: dict[Row, Sequence[Row]] = {}
        self._left = REMEMBERED_ROWS_MAX

    def get(self, binding: Row) -> Sequence[Row] | None:
        """The rows, if they are known."""
        return self._rows.get(binding)

    def put(self, binding: Row, rows: Sequence[Row]) -> None:
        """Remember the rows; all others are forgotten when there is no more room."""
        self._left -= 1 + len(rows)
        if self._left < 0:
            self._rows.clear()
            self._left = REMEMBERED_ROWS_MAX
        self._rows[binding] = rows


class Run(EvalContext):
    """The surroundings of a statement's expressions, and the state of its one run.

    tables: what there is of each scan, by relation number. outer: by depth, the row of that query for
    which a subquery runs. ctes: rows of WITH items, by number. kept: what is the same for the whole run
    (rows of a subquery, a hash of its values), by whose it is.
    """

    __slots__ = ("_remembered", "budget", "ctes", "kept", "outer", "tables")

    def __init__(
        self, context: EvalContext, tables: dict[int, Relation], budget: Budget, depth: int
    ) -> None:
        super().__init__(*[getattr(context, name) for name in _SURROUNDINGS])
        self.tables = tables
        self.budget = budget
        self.outer: list[Row] = [()] * depth
        self.ctes: dict[int, Any] = {}
        self.kept: dict[Any, Any] = {}
        self._remembered: dict[Any, Remembered] = {}

    def remembered(self, whose: object) -> Remembered:
        """What has been worked out so far for some rows of the queries around."""
        found = self._remembered.get(whose)
        if found is None:
            found = self._remembered[whose] = Remembered()
        return found
