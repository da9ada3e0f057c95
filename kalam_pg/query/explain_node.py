"""What EXPLAIN shows: a tree of nodes, as PostgreSQL's lines or JSON."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

Detail = str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Actual:
    """What ANALYZE measured of a node. seconds None: TIMING OFF."""

    rows: int
    seconds: float | None

    @property
    def text(self) -> str:
        """As PostgreSQL writes it behind a node. All rows of a statement come at once: one time."""
        if self.seconds is None:
            return f"  (actual rows={self.rows} loops=1)"
        ms = self.seconds * 1000
        return f"  (actual time={ms:.3f}..{ms:.3f} rows={self.rows} loops=1)"


@dataclass(frozen=True, slots=True)
class Node:
    """One step. label: what a line before it says (a CTE's or subplan's name).

    on: the relation behind the name ("t", "chat.messages m"). details: lines below, in their order.
    """

    name: str
    on: str = ""
    details: dict[str, Detail] = field(default_factory=dict)
    children: tuple["Node", ...] = ()
    label: str = ""
    actual: Actual | None = None

    def over(self, child: "Node") -> "Node":
        """This node with one more child, the last."""
        return replace(self, children=(*self.children, child))

    def with_details(self, **details: Detail) -> "Node":
        """This node with further lines; a name's underscores are blanks. Empty ones are left out."""
        named = {name.replace("_", " "): value for name, value in details.items() if value != ""}
        return replace(self, details={**self.details, **named})


def lines(node: Node) -> Iterator[str]:
    """The tree as PostgreSQL's text format has it."""
    yield from _lines(node, 0, root=True)


def _lines(node: Node, indent: int, *, root: bool) -> Iterator[str]:
    blanks = " " * indent
    if node.label:
        yield f"{blanks}{node.label}"
        indent += 2
        blanks = " " * indent
    title = f"{node.name} on {node.on}" if node.on else node.name
    arrow, below = ("", 2) if root else ("->  ", 6)
    yield f"{blanks}{arrow}{title}{node.actual.text if node.actual is not None else ''}"
    inner = " " * (indent + below)
    for name, value in node.details.items():
        shown = ", ".join(value) if isinstance(value, tuple) else value
        yield f"{inner}{name}: {shown}"
    for child in node.children:
        yield from _lines(child, indent + below, root=False)


def as_json(node: Node) -> dict[str, Any]:
    """The tree as PostgreSQL's JSON format has it."""
    found: dict[str, Any] = {"Node Type": node.name}
    if node.label:
        found["Subplan Name"] = node.label
    if node.on:
        found["Relation Name"] = node.on
    if node.actual is not None:
        if node.actual.seconds is not None:
            ms = round(node.actual.seconds * 1000, 3)
            found |= {"Actual Startup Time": ms, "Actual Total Time": ms}
        found |= {"Actual Rows": node.actual.rows, "Actual Loops": 1}
    for name, value in node.details.items():
        found[name] = list(value) if isinstance(value, tuple) else value
    if node.children:
        found["Plans"] = [as_json(child) for child in node.children]
    return found
