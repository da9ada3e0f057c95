"""Which views can be written through, as PostgreSQL decides it: a SELECT of one table or view, and no more.

A view's column can be assigned where it is a column of that relation and nothing else.
"""

from dataclasses import dataclass

from catalog.model import View
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.tree import (
    Call,
    ColumnRef,
    Expr,
    Query,
    RowExpr,
    Select,
    SubqueryScan,
    TableScan,
    Window,
)
from kalam_pg.sql.walk import Node, children

_QUERIES = Query


@dataclass(frozen=True, slots=True)
class Refused:
    """A column that cannot be assigned, of which view, and why in PostgreSQL's words."""

    column: str
    view: str
    reason: str


def base_of(query: Query) -> TableScan | SubqueryScan | str:
    """The one relation that a view's query is of, or why the view cannot be written through."""
    why = _reason(query)
    if why:
        return f"Views {why} are not automatically updatable."
    assert isinstance(query, Select)
    base = query.from_[0] if len(query.from_) == 1 else None
    if isinstance(base, TableScan) and base.table.materialized is None:
        return base
    if isinstance(base, SubqueryScan) and base.view is not None:
        return base
    return "Views that do not select from a single table or view are not automatically updatable."


NO_COLUMNS = "Views that have no updatable columns are not automatically updatable."


def why_not(view: View, query: Query) -> str:
    """Why rows cannot be put through a view of that query, "" if they can."""
    base = base_of(query)
    if isinstance(base, str):
        return base
    assert isinstance(query, Select)
    places = places_of(view, tuple([target.expr for target in query.targets]), base)
    return NO_COLUMNS if all(isinstance(place, Refused) for place in places) else ""


def _reason(query: Query) -> str:
    if not isinstance(query, Select):
        if query.with_:
            return "containing WITH"
        kind = "containing UNION, INTERSECT, or EXCEPT"
        one = "that do not select from a single table or view"
        return kind if hasattr(query, "left") else one
    for present, why in (
        (query.distinct or query.distinct_on, "containing DISTINCT"),
        (query.group_by or query.grouping_sets, "containing GROUP BY"),
        (query.having is not None, "containing HAVING"),
        (query.with_, "containing WITH"),
        (query.limit is not None or query.offset is not None, "containing LIMIT or OFFSET"),
        (query.grouped, "that return aggregate functions"),
    ):
        if present:
            return why
    nodes = [node for target in query.targets for node in _own(target.expr)]
    if any(isinstance(node, Window) for node in nodes):
        return "that return window functions"
    if any(isinstance(n, Call) and n.overload.kind is OverloadKind.SET for n in nodes):
        return "that return set-returning functions"
    return ""


def _own(expr: Expr) -> list[Node]:
    """An expression's nodes, those of its subqueries left out."""
    found: list[Node] = []
    waiting: list[Node] = [expr]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, _QUERIES):
            found.append(node)
            waiting += children(node)
    return found


def places_of(
    view: View, exprs: tuple[Expr, ...], base: TableScan | SubqueryScan
) -> tuple[int | Refused, ...]:
    """Where in the base relation each column of a view is, or why it is not updatable."""
    width = len(base.table.columns) if isinstance(base, TableScan) else len(base.columns)
    return tuple(
        [
            _place(view, c.name, e, base.relation, width)
            for c, e in zip(view.columns, exprs, strict=True)
        ]
    )


def _place(view: View, name: str, expr: Expr, relation: int, width: int) -> int | Refused:
    what = "are not columns of their base relation"
    if isinstance(expr, ColumnRef) and expr.relation == relation:
        if expr.column < width:
            return expr.column
        what = "refer to system columns"
    elif isinstance(expr, RowExpr) and expr.whole:
        what = "return whole-row references"
    return Refused(name, view.name, f"View columns that {what} are not updatable.")
