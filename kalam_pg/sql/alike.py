"""Which expressions are the same, though their subqueries are bound twice.

Relations and CTEs are numbered over the whole statement, so two subqueries that are written alike
differ in the numbers of their own. GROUP BY, DISTINCT and ORDER BY take such expressions for one, as
PostgreSQL does.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from kalam_pg.sql import tree
from kalam_pg.sql.tree import Expr
from kalam_pg.sql.walk import Node, map_children, walk

_QUERIES = (tree.Select, tree.SetOp, tree.ValuesQuery)


def known(expr: Expr, among: Sequence[Expr]) -> Expr:
    """The one of `among` that is the same expression, or the expression itself."""
    if not _has_query(expr):
        return expr
    wanted = _renumbered(expr)
    return next((e for e in among if _has_query(e) and _renumbered(e) == wanted), expr)


def with_known(node: Expr, among: Sequence[Expr]) -> Expr:
    """The expression with each part that is one of `among` replaced by that one."""
    named = [expr for expr in among if _has_query(expr)]
    return _with(node, named) if named else node


def _with(node: Node, among: Sequence[Expr]) -> Node:
    if isinstance(node, _QUERIES):
        return node
    found = known(node, among)
    return found if found is not node else map_children(node, lambda child: _with(child, among))


def _has_query(node: Node) -> bool:
    return any(isinstance(part, _QUERIES) for part in walk(node))


def _renumbered(expr: Expr) -> Node:
    """The expression with what its subqueries number for themselves counted down from -1."""
    relations: dict[int, int] = {}
    ctes: dict[int, int] = {}
    for node in walk(expr):
        if isinstance(node, tree.Cte):
            ctes.setdefault(node.number, -1 - len(ctes))
        elif hasattr(node, "relation") and not isinstance(node, tree.ColumnRef):
            relations.setdefault(node.relation, -1 - len(relations))

    def change(node: Node) -> Node:
        new: dict[str, Any] = {}
        if (number := getattr(node, "relation", None)) in relations:
            new["relation"] = relations[cast("int", number)]
        if isinstance(node, tree.Cte):
            new["number"] = ctes[node.number]
        elif isinstance(node, tree.CteScan):
            new["cte"] = ctes.get(node.cte, node.cte)
        elif isinstance(node, tree.Select) and node.locking:
            new["locking"] = tuple(
                [
                    replace(lock, relations=tuple([relations.get(r, r) for r in lock.relations]))
                    for lock in node.locking
                ]
            )
        changed = map_children(node, change)
        return replace(changed, **new) if new else changed

    return change(expr)
