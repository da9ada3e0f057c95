"""Walking and rewriting the typed tree, for the binder and for whoever reads it."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, Final, TypeAlias, cast

from kalam_pg.sql import tree
from kalam_pg.sql.tree import ColumnRef, Expr

Node: TypeAlias = Any
"""An expression, query, FROM item, sort key or CTE."""

# Field values that are never, and never hold, a node.
_LEAVES = (str, int, float, bool, bytes, type(None))
_CHILDLESS = frozenset((tree.Const, tree.Param, tree.Numbered, ColumnRef, tree.CaseOperand))
_QUERIES = (tree.Select, tree.SetOp, tree.ValuesQuery)


def children(node: Node) -> list[Node]:
    """The nodes directly in a node: expressions, queries, FROM items, sort keys, CTEs."""
    kind = type(node)
    if kind in _CHILDLESS:
        return []
    found: list[Node] = []
    for name in _node_fields(cast("Hashable", kind)):
        _collect(getattr(node, name), found)
    return found


def walk(node: Node) -> Iterator[Node]:
    """The node and everything in it, subqueries too, parents first."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        if type(here) not in _CHILDLESS:
            inside = children(here)
            inside.reverse()
            waiting += inside


def extent(node: Node) -> int:
    """How much there is in it: its nodes, and the elements of its constant arrays."""
    total = 0
    for part in walk(node):
        total += 1
        if type(part) is tree.Numbered:
            total += len(part.indexes)
        elif type(part) is tree.Const and type(part.value) is tuple:
            total += len(part.value)
    return total


def column_refs(node: Node, depth: int = 0) -> Iterator[tuple[int, ColumnRef]]:
    """Every column reference in an expression or query, with the level it means.

    The level is counted from the expression's own query: 0 is that query, 1 the one around it; a
    reference to a subquery's own columns has a negative level.
    """
    if isinstance(node, ColumnRef):
        yield node.outer - depth, node
        return
    inner = depth + 1 if isinstance(node, _QUERIES) else depth
    for child in children(node):
        yield from column_refs(child, inner)


def raise_levels(expr: Expr, up: int) -> Expr:
    """The same expression seen from `up` query levels further in."""
    return cast("Expr", _raised(expr, up, 0))


def _raised(node: Node, up: int, depth: int) -> Node:
    if isinstance(node, ColumnRef):
        return replace(node, outer=node.outer + up) if node.outer >= depth else node
    inner = depth + 1 if isinstance(node, _QUERIES) else depth
    return map_children(node, lambda child: _raised(child, up, inner))


def substituted(node: Node, relation: int, exprs: Sequence[Expr]) -> Node:
    """A node with expressions in the places of a relation's columns, however deep in its subqueries."""
    if isinstance(node, ColumnRef) and node.relation == relation:
        found = exprs[node.column]
        return raise_levels(found, node.outer) if node.outer else found
    return map_children(node, lambda child: substituted(child, relation, exprs))


def map_children(node: Node, change: Callable[[Node], Node]) -> Node:
    """A copy of the node with each direct child changed; the node itself if nothing changed."""
    if type(node) in _CHILDLESS:
        return node
    changed: dict[str, Any] = {}
    for name in _node_fields(cast("Hashable", type(node))):
        old = getattr(node, name)
        new = _mapped(old, change)
        if new is not old:
            changed[name] = new
    return replace(node, **changed) if changed else node


def conjuncts(expr: Expr | None) -> list[Expr]:
    """The terms of a conjunction."""
    if expr is None:
        return []
    if isinstance(expr, tree.BoolOp) and expr.kind is tree.BoolKind.AND:
        return [term for arg in expr.args for term in conjuncts(arg)]
    return [expr]


def location(node: Node) -> int:
    """The leftmost known position in an expression, 0 when none is known (exprLocation)."""
    best: int = getattr(node, "position", 0)
    if isinstance(node, _QUERIES):
        return best
    for child in children(node):
        here = location(child)
        if here and (not best or here < best):
            best = here
    return best


@cache
def _node_fields(kind: Hashable) -> tuple[str, ...]:
    skip = {
        "type",
        "overload",
        "equals",
        "less",
        "operator",
        "operators",
        "columns",
        "table",
        "view",
    }
    skip |= {"typmod", "position", "value", "returning_columns", "target_columns", "locking"}
    return tuple(f.name for f in fields(cast("type[Any]", kind)) if f.name not in skip)


class _Kinds(dict[type[Any], bool]):
    """Whether values of a type are nodes."""

    def __missing__(self, kind: type[Any]) -> bool:
        found = self[kind] = not issubclass(kind, _LEAVES) and is_dataclass(kind)
        return found


_IS_NODE: Final = _Kinds()


def _collect(value: Node, found: list[Node]) -> None:
    if isinstance(value, tuple):
        for item in value:
            _collect(item, found)
    elif _IS_NODE[type(value)]:
        found.append(value)


def _mapped(value: Node, change: Callable[[Node], Node]) -> Node:
    if isinstance(value, tuple):
        new = tuple(_mapped(item, change) for item in value)
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    return change(value) if _IS_NODE[type(value)] else value
