"""WITH CHECK OPTION: a row that is written through a view must be one that the view shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.errors import FeatureNotSupportedError, WithCheckOptionViolationError
from kalam_pg.query import elsewhere
from kalam_pg.query.execution import Execution
from kalam_pg.query.rules import Closure, RowRules
from kalam_pg.query.waits import Steps
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef, ViewCheck
from storage.layout import Row


@dataclass(frozen=True, slots=True)
class CompiledCheck:
    """What a view asks of a row of its table. It passes when the closure answers True."""

    view: str
    condition: Closure


def compile_checks(
    checks: Sequence[ViewCheck], slot: Callable[[ColumnRef], int]
) -> tuple[CompiledCheck, ...]:
    """Raises 0A000 for a condition that only a query can evaluate."""
    found = []
    for check in checks:
        try:
            found.append(CompiledCheck(check.view, compile_expr(check.condition, slot)))
        except FeatureNotSupportedError as exc:
            raise FeatureNotSupportedError(
                f'the check option of view "{check.view}" is not supported: its condition has a subquery'
            ) from exc
    return tuple(found)


def check_row(
    x: Execution, checks: Sequence[CompiledCheck], rules: RowRules, row: Row
) -> Steps[None]:
    """Raise 44000 unless every view shows a row that was written."""
    for check in checks:
        if (yield from elsewhere.evaluated(x, check.condition, row)) is not True:
            raise WithCheckOptionViolationError(
                f'new row violates check option for view "{check.view}"',
                detail=f"Failing row contains ({rules.shown(row, x.context)}).",
            )
