"""What has one value for a whole statement, and what another each time that it is computed."""

from kalam_pg.functions.casts import volatility_as_text
from kalam_pg.functions.table import OverloadKind, Volatility
from kalam_pg.sql.tree import (
    Aggregate,
    ArraySubquery,
    Call,
    CaseOperand,
    ColumnRef,
    Const,
    Exists,
    Expr,
    Grouping,
    InSubquery,
    Param,
    ScalarSubquery,
    Window,
)
from kalam_pg.sql.walk import walk

_NEVER_CONSTANT = (
    CaseOperand, ColumnRef, Aggregate, Window, Grouping, ScalarSubquery, ArraySubquery, Exists,
    InSubquery,
)  # fmt: skip


def is_constant(expr: Expr, *, once: bool = False) -> bool:
    """Whether the expression has one value for the whole statement.

    once: it is evaluated for one row only, so volatile functions have one value too.
    """
    for node in walk(expr):
        if isinstance(node, _NEVER_CONSTANT):
            return False
        if isinstance(node, Call) and (
            (node.overload.volatility is Volatility.VOLATILE and not once)
            or node.overload.kind is OverloadKind.SET
        ):
            return False
    return True


def is_volatile(node: object) -> bool:
    """Whether anything in it may have another value each time that it is computed."""
    return any(
        isinstance(part, Call) and part.overload.volatility is Volatility.VOLATILE
        for part in walk(node)
    )


def is_immutable(node: object) -> bool:
    """Whether an expression over a row has the same value at any time, in any session."""
    return not any(isinstance(part, Call) and not _is_immutable(part) for part in walk(node))


def is_fixed(expr: Expr) -> bool:
    """Whether it is computed of parameters and constants alone, and always the same of these."""
    leaves = (node for node in walk(expr) if not isinstance(node, Call))
    return all(isinstance(node, Param | Const) for node in leaves) and is_immutable(expr)


_STABLE_THERE = frozenset(
    (
        "to_char",
        "to_number",
        "convert",
        "convert_from",
        "convert_to",
        "enum_first",
        "enum_last",
        "enum_range",
    )
)
"""Stable in PostgreSQL, where a locale or an encoding tells what they mean."""


def _is_immutable(call: Call) -> bool:
    """As its overload says; what `text || anything` is, the other operand's text is."""
    overload = call.overload
    if overload.name in _STABLE_THERE:
        return False
    if overload.name == "||" and overload.volatility is Volatility.STABLE:
        return all(volatility_as_text(arg.type) is Volatility.IMMUTABLE for arg in call.args)
    return overload.volatility is Volatility.IMMUTABLE
