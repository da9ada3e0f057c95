"""ON CONFLICT, compiled: which unique indexes decide, and what becomes of the row that is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.errors import FeatureNotSupportedError, ObjectNotInPrerequisiteStateError
from kalam_pg.query import asked_anew
from kalam_pg.query.rows import Entries, Target
from kalam_pg.query.rules import Closure
from kalam_pg.query.select import SelectPlan
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import Assignment, ColumnRef, Insert, Query


@dataclass(frozen=True, slots=True)
class ConflictRule:
    """ON CONFLICT: assignments () is DO NOTHING. Closures see (row there ++ row proposed).

    arbiters: ids of the unique indexes that decide, 0 for the primary key; None: all of them do. asked: the
    subqueries that they depend on, and that depend on the rows.
    """

    assignments: tuple[tuple[int, Closure | None], ...]
    where: Closure | None
    arbiters: tuple[int, ...] | None
    asked: tuple[asked_anew.AnewPlan, ...] = ()

    def arbiters_of(self, target: Target) -> list[Entries | None]:
        """Where to look, in the order in which an INSERT does; None is the primary key."""
        found: list[Entries | None] = [None, *target.indexes]
        if self.arbiters is not None:
            ids = self.arbiters
            found = [e for e in found if (0 if e is None else e.rule.index.id) in ids]
        return found


def immediate(arbiters: Sequence[Entries | None]) -> Sequence[Entries | None]:
    """Those before the first deferrable one, which is asked only where no row is in the way of these."""
    deferrable = [entries is not None and entries.rule.index.deferrable for entries in arbiters]
    return arbiters[: deferrable.index(True)] if any(deferrable) else arbiters


def refuse_deferrable() -> ObjectNotInPrerequisiteStateError:
    """55000, where one is asked."""
    return ObjectNotInPrerequisiteStateError(
        "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters"
    )


def conflict_rule(
    statement: Insert, width: int, plan_query: Callable[[Query], SelectPlan]
) -> ConflictRule | None:
    """An INSERT's; None: it has none. width: how many columns its table has."""
    on_conflict = statement.on_conflict
    if on_conflict is None:
        return None

    def slot(reference: ColumnRef) -> int:
        if reference.column >= width:
            raise FeatureNotSupportedError(f'column "{reference.name}" cannot be used here')
        return reference.column + (width if reference.relation == on_conflict.excluded else 0)

    return ConflictRule(
        _compile_assignments(on_conflict.assignments, slot),
        None if on_conflict.where is None else compile_expr(on_conflict.where, slot),
        on_conflict.arbiters,
        asked_anew.plan_anew(statement.asked, slot, plan_query),
    )


def _compile_assignments(
    assignments: Sequence[Assignment], slot: Callable[[ColumnRef], int]
) -> tuple[tuple[int, Closure | None], ...]:
    return tuple(
        (a.column, None if a.expr is None else compile_expr(a.expr, slot)) for a in assignments
    )
