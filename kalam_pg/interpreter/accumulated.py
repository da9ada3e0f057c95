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
        state = self.begin(run)
        state.add(rows)
        return state.value()

    def begin(self, run: Run) -> "State":
        """The state before the first row."""
        return State(self, self._initial((), run), run)

    def advanced(self, run: Run, rows: Sequence[Row], state: Value) -> Value:
        """The state after more rows."""
        check, step = run.budget.check, self._step
        for row in rows:
            check()
            state = step((state, *row), run)
        return state

    def ended(self, run: Run, state: Value) -> Value:
        """The value of a state."""
        final = self._final
        if final is None or (self._ends_null and state is None):
            return state
        value: Value = final((state, *self._nothing), run)
        return value

    @property
    def skips_nulls(self) -> bool:
        """See `UserAggregate`."""
        return self._skips_nulls


class State:
    """What rows have come to so far. known: whether there is a state, though it may be NULL."""

    __slots__ = ("_known", "_made", "_run", "_value")

    def __init__(self, made: Accumulated, value: Value, run: Run) -> None:
        self._made = made
        self._run = run
        self._value = value
        self._known = value is not None or not made.skips_nulls

    def add(self, rows: Sequence[Row]) -> None:
        """Take in more rows of arguments, in their order."""
        made = self._made
        if made.skips_nulls:
            rows = [row for row in rows if None not in row]
            if rows and not self._known:
                self._value, self._known = rows[0][0], True
                rows = rows[1:]
            for row in rows:
                if self._value is None:
                    return  # A state that became NULL stays so.
                self._value = made.advanced(self._run, (row,), self._value)
        else:
            self._value = made.advanced(self._run, rows, self._value)

    def value(self) -> Value:
        """The aggregate's value of these rows."""
        return self._made.ended(self._run, self._value)
