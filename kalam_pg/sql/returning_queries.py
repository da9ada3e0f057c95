"""RETURNING whose subqueries ask for the changed rows: as if a query read what the change gives back.

    UPDATE t … RETURNING a, (SELECT … WHERE x = t.b)

is then planned as

    WITH changed AS (UPDATE t … RETURNING a, b) SELECT changed.a, (SELECT … WHERE x = changed.b) FROM changed

with the data change's tag. What asks nothing of the rows runs once, before (`sql.parts`).
"""

from dataclasses import replace

from kalam_pg.sql.tree import (
    Bound,
    ColumnRef,
    Cte,
    CteChange,
    CteScan,
    Dml,
    Expr,
    OutputColumn,
    Query,
    Select,
    Target,
)
from kalam_pg.sql.walk import Node, column_refs, map_children, walk

_TAGS = {"Insert": "INSERT", "Update": "UPDATE", "Delete": "DELETE"}


def apart(bound: Bound) -> Bound:
    """The statement with each such RETURNING as a query of its own, its WITH items that change data too."""
    if not bound.nested:
        return bound
    changes: list[CteChange] = []
    queries: list[Cte] = []
    for item in bound.changes:
        if _asks_for_rows(item.change):
            made, query = _split(item.change, bound, len(changes))
            changes.append(replace(made, before=item.number))
            queries.append(Cte(item.number, item.name, query, item.columns))
        else:
            changes.append(item)
    statement, tag = bound.statement, ""
    if isinstance(statement, Dml) and _asks_for_rows(statement):
        tag = _TAGS[type(statement).__name__]
        made, statement = _split(statement, bound, len(changes))
        changes.append(made)
    if queries:
        statement = replace(statement, with_=(*statement.with_, *queries))
    return replace(bound, statement=statement, changes=tuple(changes), tag=tag)


def _split(change: Dml, bound: Bound, nth: int) -> tuple[CteChange, Select]:
    """A data change that gives back what its RETURNING asks of its rows, and the query that computes that.

    nth: of these in the statement, for numbers that nothing else in it has.
    """
    shown = [target.expr for target in change.returning]
    given = list(dict.fromkeys([_plain(ref) for expr in shown for ref in _own(expr)]))
    columns = tuple([OutputColumn(ref.name, ref.type, ref.typmod) for ref in given])
    changes = [item.change for item in bound.changes]
    everything = [node for one in (bound.statement, *changes) for node in walk(one)]
    everything += bound.changes
    relation = nth + 1 + max([getattr(node, "relation", 0) for node in everything])
    number = nth + 1 + max([getattr(node, "number", 0) for node in everything])
    places = {(ref.relation, ref.column): at for at, ref in enumerate(given)}
    targets = tuple(
        replace(target, expr=_moved(target.expr, places, relation)) for target in change.returning
    )
    scan = CteScan(relation, number, columns)
    query = Select(targets, change.returning_columns, (scan,), with_=change.with_)
    returned = tuple([Target(ref, ref.name) for ref in given])
    part = replace(change, returning=returned, returning_columns=columns, with_=())
    return CteChange(number, "", part, columns), query


def _asks_for_rows(change: Dml) -> bool:
    """Whether a subquery of its RETURNING depends on the row that it is computed for."""
    return any(ref.outer for target in change.returning for ref in _own(target.expr))


def _own(expr: Expr) -> list[ColumnRef]:
    """The references to columns of the data change."""
    return [ref for level, ref in column_refs(expr) if level == 0]


def _plain(ref: ColumnRef) -> ColumnRef:
    return replace(ref, outer=0, position=0)


def _moved(node: Node, places: dict[tuple[int, int], int], relation: int, depth: int = 0) -> Node:
    """A node that asks the query's relation for what the data change gives back."""
    if isinstance(node, ColumnRef):
        if node.outer != depth:
            return node
        return replace(node, relation=relation, column=places[node.relation, node.column])
    inner = depth + isinstance(node, Query)
    return map_children(node, lambda child: _moved(child, places, relation, inner))
