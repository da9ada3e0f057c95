"""currval() and lastval() in statements that take no number: they have one value from begin to end.

So they are asked once, before, and a row is found by them as by any other value.
"""

from dataclasses import replace

from catalog.uses import sequences_used
from kalam_pg.functions.sequences import NEXTVAL
from kalam_pg.functions.table import Overload, Volatility
from kalam_pg.sql.tree import Bound, Call, Delete, Dml, Query
from kalam_pg.sql.walk import Node, map_children, walk

_LAST = frozenset(("currval", "lastval"))
_TAKE = frozenset((NEXTVAL, "setval"))
_stable: dict[Overload, Overload] = {}


def settled(bound: Bound, text: str) -> Bound:
    """The statement with them as stable functions, where they are that. text: its own."""
    lowered = text.lower()
    if not any(name in lowered for name in _LAST) or bound.changes:
        return bound
    statement = bound.statement
    if _may_by_default(statement):
        return bound
    if takes_numbers(statement):
        return bound
    return replace(bound, statement=_changed(statement))


def takes_numbers(node: Node) -> bool:
    """Whether a sequence has another number after it is computed: nextval() and setval()."""
    return any(isinstance(part, Call) and part.overload.name in _TAKE for part in walk(node))


def _may_by_default(statement: Query | Dml) -> bool:
    """Whether a default of the table may take one."""
    if isinstance(statement, Query | Delete):
        return False
    return any(sequences_used(column.default) for column in statement.table.columns)


def _changed(node: Node) -> Node:
    if isinstance(node, Call) and node.overload.name in _LAST:
        overload = node.overload
        if overload not in _stable:
            _stable[overload] = replace(overload, volatility=Volatility.STABLE)
        node = replace(node, overload=_stable[overload])
    return map_children(node, _changed)
