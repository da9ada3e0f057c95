"""A view or derived table whose rows are to be locked is a part of the query that names it.

Its tables stand in FROM then, its WHERE is asked beside the query's, and its columns are what it gives, so
that finding, locking and looking again is that of tables. PostgreSQL takes in such queries, too, and locks
the rows of others before they are combined: these are refused.
"""

from dataclasses import replace

from catalog.types import registry as types
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.constancy import is_volatile
from kalam_pg.sql.tree import (
    BoolKind,
    BoolOp,
    Call,
    Expr,
    FromItem,
    Join,
    Select,
    SubqueryScan,
    TableScan,
    Window,
)
from kalam_pg.sql.walk import column_refs, substituted, walk


def taken_in(query: Select, relation: int) -> tuple[Select, list[TableScan]] | None:
    """The query with what a derived table in its FROM is made of in the place of that, and the tables.

    None: that would be another query.
    """
    scan = next(one for one in map(_scan, _leaves(query.from_)) if one and one.relation == relation)
    inner = _plain(scan)
    if inner is None:
        return None
    exprs = tuple([target.expr for target in inner.targets])
    made: Select = substituted(replace(query, from_=()), relation, exprs)
    around = tuple([_replaced(item, relation, inner) for item in query.from_])
    around = tuple([substituted(item, relation, exprs) for item in around])
    where = _both(inner.where, made.where)
    # A view's order is that of a query which has no other, and no other rows.
    order = made.order_by or (inner.order_by if query.from_ == (scan,) else ())
    made, found = replace(made, from_=around, where=where, order_by=order), []
    for leaf in _leaves(inner.from_):
        if isinstance(leaf, TableScan):
            found.append(leaf)
            continue
        further = taken_in(made, leaf.relation) if isinstance(leaf, SubqueryScan) else None
        if further is None:
            return None
        made, more = further
        found += more
    return made, found


def _plain(scan: SubqueryScan) -> Select | None:
    """Its query, if each of its rows is one of each of its tables; None: it is not."""
    query = scan.query
    if not isinstance(query, Select) or query.grouped or query.distinct or query.distinct_on:
        return None
    if query.limit or query.offset or query.locking or query.with_:
        return None
    if not query.from_ or any(_joins_outside(item) for item in query.from_):
        return None
    if any(up > 0 for up, _ in column_refs(query, -1)):
        return None  # It is about a row of the query around it.
    exprs = [target.expr for target in query.targets]
    if any(is_volatile(one) or _computes_over_rows(one) for one in exprs):
        return None
    return query


def _computes_over_rows(expr: Expr) -> bool:
    return any(
        isinstance(node, Window)
        or (
            isinstance(node, Call) and node.overload.kind in (OverloadKind.SET, OverloadKind.WINDOW)
        )
        for node in walk(expr)
    )


def _joins_outside(item: FromItem) -> bool:
    """Whether an outer join may put NULLs in a row's place."""
    if not isinstance(item, Join):
        return False
    outer = item.kind not in ("inner", "cross")
    return outer or _joins_outside(item.left) or _joins_outside(item.right)


def _leaves(items: tuple[FromItem, ...]) -> list[FromItem]:
    found: list[FromItem] = []
    for item in items:
        found += _leaves((item.left, item.right)) if isinstance(item, Join) else [item]
    return found


def _scan(item: FromItem) -> SubqueryScan | None:
    return item if isinstance(item, SubqueryScan) else None


def _replaced(item: FromItem, relation: int, inner: Select) -> FromItem:
    """A FROM item with the tables of a derived one in its place, joined."""
    if isinstance(item, Join):
        left, right = (_replaced(one, relation, inner) for one in (item.left, item.right))
        return replace(item, left=left, right=right)
    if not isinstance(item, SubqueryScan) or item.relation != relation:
        return item
    first, *others = inner.from_
    for other in others:
        first = Join("cross", first, other, None)
    return first


def _both(one: Expr | None, other: Expr | None) -> Expr | None:
    if one is None or other is None:
        return one or other
    return BoolOp(BoolKind.AND, (one, other), types.BOOL)
