"""Aggregates that people made, as the tree has them: what is done with each row, and with the last state.

Programs alone can do it (`kalam_pg.interpreter`); other engines refuse such a query.
"""

from dataclasses import dataclass

from catalog.errors import FeatureNotSupportedError
from catalog.types.registry import INT4
from kalam_pg.functions.table import Overload
from kalam_pg.sql.tree import Const, Expr

_NULL = Const(None, INT4)


@dataclass(frozen=True, slots=True, eq=False)
class UserAggregate(Overload):
    """Its steps are expressions over the columns of a relation: the state, then the arguments.

    relation: the number of that relation in `step`. initial: the state before the first row. step: the next
    state. skips_nulls: the transition function is STRICT: rows with a NULL change nothing, the first other
    one is the state if there is none yet, and a state that became NULL stays NULL. ends: the number of the
    relation in `final`, whose columns are the state and NULLs of the arguments' types; final: the value,
    None: it is the state. ends_null: a NULL state is a NULL value, the final function being STRICT.
    """

    relation: int = 0
    initial: Expr = _NULL
    step: Expr = _NULL
    skips_nulls: bool = False
    ends: int = 0
    final: Expr | None = None
    ends_null: bool = False

    @property
    def steps(self) -> tuple[Expr, ...]:
        """All expressions of it."""
        return (self.initial, self.step, *(() if self.final is None else (self.final,)))


def refuse_of_people(overload: Overload) -> None:
    """Raise 0A000 for an aggregate that no engine knows."""
    if isinstance(overload, UserAggregate):
        raise FeatureNotSupportedError(f"aggregate {overload.name} is not supported here")
