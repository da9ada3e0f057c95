"""CASE value WHEN … whose value is computed once, as the searched form that computes it each time."""

from dataclasses import replace
from typing import Any

from catalog.errors import FeatureNotSupportedError
from kalam_pg.sql.constancy import is_volatile
from kalam_pg.sql.tree import Case, CaseOperand
from kalam_pg.sql.walk import map_children


def searched(case: Case) -> Case:
    """The same with the operand in each place where its value is asked for.

    Raises:
        FeatureNotSupportedError: The operand would have another value each time.
    """
    operand = case.operand
    if operand is None:
        return case
    if is_volatile(operand):
        raise FeatureNotSupportedError("CASE of a volatile value is not supported here")

    def fill(node: Any) -> Any:  # noqa: ANN401 - whatever is in an expression
        if isinstance(node, CaseOperand):
            return operand
        if isinstance(node, Case) and node.operand is not None:
            return node  # What is in it is its own.
        return map_children(node, fill)

    whens = tuple((fill(condition), fill(value)) for condition, value in case.whens)
    return replace(case, whens=whens, operand=None)
