"""Aggregates that people made: a state that a function makes anew of each row."""

from collections.abc import Sequence

from kalam_pg.interpreter.running import Run
from kalam_pg.sql.closures import Run as Closure
from kalam_pg.sql.user_aggregates import UserAggregate
from storage.layout import Row, Value


class Accumulated:
    """Its value for rows of arguments, in their order."""

    __slots__ = ("_ends_null", "_final", "_initial", "_nothing", "_skips_nulls", "_step")

    def __init__(
        self, made: UserAggregate, initial: Closure, step: Closure, final: Closure | None
    ) -> None:
        self._initial = initial
        self._step = step
        self._final = final
        self._skips_nulls = made.skips_nulls
        self._ends_null = made.ends_null
        self._nothing = (None,) * len(made.args)

    def __call__(self, run: Run, rows: Sequence[Row]) -> Value:
        """As PostgreSQL's `advance_transition_function` and `finalize_aggregate`."""
        state = self._initial((), run)
        state = (
            self._strictly(run, rows, state) if self._skips_nulls else self._all(run, rows, state)
        )
        final = self._final
        if final is None or (self._ends_null and state is None):
            return state
        value: Value = final((state, *self._nothing), run)
        return value

    def _all(self, run: Run, rows: Sequence[Row], state: Value) -> Value:
        check, step = run.budget.check, self._step
        for row in rows:
            check()
            state = step((state, *row), run)
        return state

    def _strictly(self, run: Run, rows: Sequence[Row], state: Value) -> Value:
        check, step = run.budget.check, self._step
        begun = state is not None
        for row in rows:
            if None in row:
                continue
            if not begun:
                state, begun = row[0], True
                continue
            if state is None:
                break
            check()
            state = step((state, *row), run)
        return state
