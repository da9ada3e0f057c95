"""What sqlite can do by itself, and questions about the tree that its back end asks."""

import operator as py
from collections.abc import Iterator

from kalam_pg.functions.table import Overload, OverloadKind, Volatility
from kalam_pg.sql.tree import BoolKind, BoolOp, Call, Const, Expr, Query, Select, SetOp, ValuesQuery
from kalam_pg.sql.walk import children, walk

COMPARISONS = {py.eq: "=", py.ne: "<>", py.lt: "<", py.le: "<=", py.gt: ">", py.ge: ">="}
"""The operators of sqlite that compare as the functions of our comparison operators do."""

_NATIVE_KINDS = frozenset(("bool", "int", "text", "bytes", "uuid"))


def conjuncts(where: Expr | None) -> Iterator[Expr]:
    """What must all be true."""
    if isinstance(where, BoolOp) and where.kind is BoolKind.AND:
        for arg in where.args:
            yield from conjuncts(arg)
    elif where is not None:
        yield where


def is_native(overload: Overload) -> bool:
    """A comparison that sqlite makes as PostgreSQL does."""
    return overload.row in COMPARISONS and all(
        a.key_kind in _NATIVE_KINDS and a.element is None for a in overload.args
    )


def is_stable(e: Expr) -> bool:
    """Whether an expression has the same value whenever it is asked."""
    return not any(
        isinstance(node, Call) and node.overload.volatility is Volatility.VOLATILE
        for node in walk(e)
    )


def is_single(query: Query) -> bool:
    """Whether a query gives at most one row by its form."""
    if isinstance(query.limit, Const) and query.limit.value in {0, 1}:
        return True
    if not isinstance(query, Select):
        return False
    sets = any(
        isinstance(node, Call) and node.overload.kind is OverloadKind.SET
        for target in query.targets
        for node in own_nodes(target.expr)
    )
    return not sets and (not query.from_ or (query.grouped and not query.group_by))


def own_nodes(node: object) -> Iterator[object]:
    """The node and what is in it, but for subqueries."""
    yield node
    for child in children(node):
        if not isinstance(child, Select | SetOp | ValuesQuery):
            yield from own_nodes(child)
