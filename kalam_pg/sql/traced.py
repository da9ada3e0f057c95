"""What the binder made of each node of a text's syntax tree: kept where a definition is to be shown.

The typed tree has one form for what SQL can write in many (`tree`); PostgreSQL shows a definition with its
joins, casts and windows as they were written, and every type as it was resolved. The two together tell it:
the syntax tree how it was written, the typed expressions what it means (`analyse_expr`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

    from kalam_pg.sql.scope import Item
    from kalam_pg.sql.tree import Expr, FromItem, Query


@dataclass(slots=True)
class Trace:
    """By nodes' identities. They are kept, so that no other node can get the identity of one.

    exprs: what expressions were bound to; those that were copied for it are found by kind and place
    (`copies`). queries: each with its level. items: of FROM. calls: of functions that people made, by their
    places. using: the names of the columns that a join with USING or NATURAL merges, and what they are.
    """

    exprs: dict[int, tuple[exp.Expr, Expr]] = field(default_factory=dict)
    copies: dict[tuple[type, int], Expr] = field(default_factory=dict)
    queries: dict[int, tuple[exp.Expr, Any, Query]] = field(default_factory=dict)
    items: dict[int, tuple[exp.Expr, FromItem]] = field(default_factory=dict)
    calls: dict[int, Any] = field(default_factory=dict)
    using: dict[int, tuple[exp.Expr, list[str], list[Expr]]] = field(default_factory=dict)

    def note(self, node: exp.Expr, bound: Expr) -> None:
        """An expression was bound."""
        self.exprs[id(node)] = node, bound
        start = node.meta.get("start")
        if start is not None:
            self.copies[type(node), start] = bound

    def bound(self, node: exp.Expr) -> Expr | None:
        """What an expression was bound to; None where it has been bound as something else."""
        found = self.exprs.get(id(node))
        if found is not None:
            return found[1]
        start = node.meta.get("start")
        return None if start is None else self.copies.get((type(node), start))

    def note_using(self, join: exp.Expr, names: Sequence[str], items: Sequence[Item]) -> None:
        """A join has merged columns, which come first in the last item without a name."""
        merged = next(item for item in reversed(items) if not item.alias)
        self.using[id(join)] = join, [*names], [*(merged.exprs or ())][: len(names)]
