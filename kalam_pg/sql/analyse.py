"""From a bound text to its analysed form: what both halves of it know (`analyse_expr`, `analyse_query`).

`Unshown` is raised for what has no form there yet; the text is then shown as it was written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from sqlglot import exp

from catalog.pg_catalog.fixed import column, fixed_rows
from catalog.snapshot import Snapshot
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.sql import analysed as a
from kalam_pg.sql import tree
from kalam_pg.sql.scope import Binding
from kalam_pg.sql.traced import Trace


class Unshown(Exception):  # noqa: N818 - an answer for the caller, which shows the text itself
    """There is no analysed form of something."""


@dataclass(slots=True)
class Seen:
    """A relation that columns are of: its entry, and which of the entry's columns each column is.

    -1: it is one that `*` does not have; its name is its own.
    """

    rel: a.Rel
    places: Sequence[int]
    names: Sequence[str]


@dataclass(slots=True)
class Analysis:
    """One text. relations: by the binder's numbers. through: of a join with a name, what its columns are.

    merged: how columns that USING merges are called, by the identity of what they were bound to.
    """

    state: Binding
    trace: Trace
    snapshot: Snapshot
    search_path: Sequence[str]
    relations: dict[int, Seen] = field(default_factory=dict)
    through: dict[tuple[int, int], a.Var] = field(default_factory=dict)
    merged: dict[int, a.Var] = field(default_factory=dict)
    windows: list[dict[str, exp.Expr]] = field(default_factory=list)

    def bound(self, node: exp.Expr) -> tree.Expr:
        """What an expression was bound to."""
        found = self.trace.bound(node)
        if found is None:
            raise Unshown(type(node).__name__)
        return found

    def variable(self, ref: tree.ColumnRef) -> a.Var:
        """A column."""
        known = self.through.get((ref.relation, ref.column))
        if known is not None:
            return known
        seen = self.relations.get(ref.relation)
        if seen is None:
            raise Unshown("column")
        place = seen.places[ref.column]
        name = seen.names[ref.column] if place < 0 else ""
        return a.Var(seen.rel, place, ref.type, name)


BIND: list[Callable[..., a.Query]] = []
"""Filled by `analyse_query`: a query below, from the analysis, its node and types for its literals."""


@cache
def _by_function() -> dict[tuple[int, int], bool]:
    at = [column("pg_cast", name) for name in ("castsource", "casttarget", "castfunc")]
    rows = [[row[n] for n in at] for row in fixed_rows("pg_cast")]
    return {(int(str(s)), int(str(t))): bool(f) for s, t, f in rows}


def cast(
    node: a.Node, source: PgType, target: PgType, typmod: int = -1, *, implicit: bool = False
) -> a.Cast:
    """A cast, with whether PostgreSQL calls a function for it."""
    calls = _by_function().get((source.oid, target.oid), False) or typmod >= 0
    if target.element is not None or target is types.UNKNOWN:
        calls = False
    return a.Cast(node, target, typmod, implicit, calls)
