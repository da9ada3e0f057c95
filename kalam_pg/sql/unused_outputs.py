"""Columns of queries in FROM that nothing asks for: PostgreSQL never computes them, so they may not fail.

    SELECT count(*) FROM (SELECT a, 1 / a AS inverse FROM t) s

is an answer even where `a` is 0, and so is `SELECT a FROM v` of a view with a column that fails.
"""

from collections import Counter
from dataclasses import replace

from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.constancy import is_volatile
from kalam_pg.sql.tree import (
    Aggregate,
    ArraySubquery,
    Bound,
    Call,
    ColumnRef,
    Const,
    Cte,
    CteScan,
    Grouping,
    OuterAggregate,
    Query,
    ScalarSubquery,
    Select,
    SetOp,
    SubqueryScan,
    Target,
    Window,
)
from kalam_pg.sql.walk import Node, map_children, walk


def without_unused(bound: Bound) -> Bound:
    """The statement with NULL in the place of what it never asks for and might fail to compute."""
    if not bound.derives:
        return bound
    while True:
        changes = tuple([replace(c, change=c.change) for c in bound.changes])
        nodes = list(walk(bound.statement))
        for item in changes:
            nodes += walk(item.change)
        pruning = _Pruning(nodes)
        if not pruning.found:
            return bound
        bound = replace(
            bound,
            statement=pruning.rewritten(bound.statement),
            changes=tuple([replace(c, change=pruning.rewritten(c.change)) for c in changes]),
        )


class _Pruning:
    """What is unused in a statement of these nodes. found: by the scan's relation, the columns."""

    def __init__(self, nodes: list[Node]) -> None:
        asked = {(node.relation, node.column) for node in nodes if isinstance(node, ColumnRef)}
        scans = Counter([node.cte for node in nodes if isinstance(node, CteScan)])
        ctes = {node.number: node for node in nodes if isinstance(node, Cte)}
        self.found: dict[int, set[int]] = {}
        self._ctes: dict[int, int] = {}
        for node in nodes:
            if isinstance(node, SubqueryScan):
                self._look(node.relation, node.query, asked)
            elif isinstance(node, CteScan) and scans[node.cte] == 1 and node.cte in ctes:
                cte = ctes[node.cte]
                if not (cte.recursive or cte.materialized or is_volatile(cte.query)):
                    self._ctes[cte.number] = node.relation
                    self._look(node.relation, cte.query, asked)

    def _look(self, relation: int, query: Query, asked: set[tuple[int, int]]) -> None:
        unused = {
            at for at in range(len(query.columns)) if (relation, at) not in asked
        } & _removable(query)
        if unused:
            self.found[relation] = unused

    def rewritten(self, node: Node) -> Node:
        """The node without it."""
        if isinstance(node, SubqueryScan) and node.relation in self.found:
            node = replace(node, query=_nulled(node.query, self.found[node.relation]))
        elif isinstance(node, Cte) and (relation := self._ctes.get(node.number)) in self.found:
            assert relation is not None
            node = replace(node, query=_nulled(node.query, self.found[relation]))
        return map_children(node, self.rewritten)


def _removable(query: Query) -> set[int]:
    """The columns of a query, by their places, that may fail and need not be computed if nothing asks."""
    if isinstance(query, SetOp):
        if query.kind != "union" or not query.all or query.order_by:
            return set()
        return _removable(query.left) | _removable(query.right)
    if not isinstance(query, Select) or query.grouped or query.distinct or query.distinct_on:
        return set()
    return {at for at, target in enumerate(query.targets) if _may_fail(target)}


_KEPT = Aggregate | Grouping | OuterAggregate | Window


def _may_fail(target: Target) -> bool:
    nodes = list(walk(target.expr))
    if not any(isinstance(node, Call | ScalarSubquery | ArraySubquery) for node in nodes):
        return False
    if any(isinstance(node, _KEPT) or _is_set(node) for node in nodes):
        return False
    return not is_volatile(target.expr)


def _is_set(node: Node) -> bool:
    return isinstance(node, Call) and node.overload.kind is OverloadKind.SET


def _nulled(query: Query, places: set[int]) -> Query:
    """The query with NULL in these places, as far as each of its parts has some that is removable."""
    places = places & _removable(query)
    if not places:
        return query
    if isinstance(query, SetOp):
        left, right = _nulled(query.left, places), _nulled(query.right, places)
        return replace(query, left=left, right=right)
    assert isinstance(query, Select)  # Nothing is removable of any other.
    targets = tuple(
        [
            replace(t, expr=Const(None, t.expr.type, t.expr.typmod)) if at in places else t
            for at, t in enumerate(query.targets)
        ]
    )
    return replace(query, targets=targets)
