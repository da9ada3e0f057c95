"""Where a node stands in its statement, for ErrorResponse's position field."""

from typing import TypeVar

from sqlglot import exp

E = TypeVar("E", bound=exp.Expr)


def position(node: exp.Expr | None) -> int:
    """The 1-based character PostgreSQL would point at, 0 when the node has none."""
    if node is None:
        return 0
    start = node.meta.get("start")
    return start + 1 if isinstance(start, int) else 0


def mark(node: E, start: int) -> E:
    """Note where `node` stands (0-based) and return it."""
    node.meta["start"] = start
    return node
