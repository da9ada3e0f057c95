"""The typed tree as DataFusion SQL.

`emit` and `emit_reads` are all that others need. The parts: `physical` (types and literals),
`datafusion_expr`, `datafusion_from`, `datafusion_group`, `datafusion_aggregate`, `datafusion_window`,
`datafusion_subquery` and `datafusion_query`. What is not proven to answer as PostgreSQL is refused
with 0A000.
"""

from collections.abc import Sequence
from typing import cast

from catalog.types.registry import BOOL
from kalam_pg.functions.table import EvalContext
from kalam_pg.functions.udf import UdfSpec
from kalam_pg.sql.datafusion_query import Queries
from kalam_pg.sql.datafusion_state import Emitted, Order, Relation, Rendering, ScanNeed
from kalam_pg.sql.tree import Const, Param, Query, Select, SetOp, Target, ValuesQuery
from kalam_pg.sql.walk import Node, map_children, walk

__all__ = ["Emitted", "ScanNeed", "UdfSpec", "emit", "emit_reads"]


def emit(query: Query, context: EvalContext) -> Emitted:
    """Translate a bound query.

    Args:
        query: As the binder made it. Parameters are taken from `context.params`, as literals.
        context: The statement's surroundings; what does not depend on rows is computed with it.

    Returns:
        The SQL, whose columns c0, c1 … are the query's in order; the tables and functions it uses.

    Raises:
        FeatureNotSupportedError: Something in it has no translation that is known to be right.
        KalamError: A constant expression failed (division by zero, a bad cast …).
    """
    state = Rendering(context)
    relation = Queries(state).emit(_asked_for(query, context), order=Order.ROWS)
    return _emitted(state, relation)


def _asked_for(query: Query, context: EvalContext) -> Query:
    """The query, in which what has LIMIT 0 is of nothing: no row of it is computed, so none is an error."""

    def is_empty(node: Node) -> bool:
        if not isinstance(node, Select | SetOp | ValuesQuery):
            return False
        limit = node.limit
        if isinstance(limit, Param):
            return limit.index < len(context.params) and context.params[limit.index] == 0
        return isinstance(limit, Const) and limit.value == 0

    def emptied(node: Node) -> Node:
        if not is_empty(node):
            return map_children(node, emptied)
        nothing = tuple([Target(Const(None, c.type), c.name) for c in node.columns])
        return Select(nothing, node.columns, where=Const(False, BOOL))

    return cast("Query", emptied(query)) if any(map(is_empty, walk(query))) else query


def emit_reads(queries: Sequence[Query], context: EvalContext) -> tuple[tuple[str, ...], Emitted]:
    """The SQL of each of some queries that one session runs, and what they need together.

    Raises as `emit`.
    """
    state = Rendering(context)
    made = [Queries(state).emit(query) for query in queries]
    return tuple([relation.sql for relation in made]), _emitted(state, Relation("", ()))


def _emitted(state: Rendering, relation: Relation) -> Emitted:
    return Emitted(
        relation.sql, state.needs(), state.functions(), relation.physical, state.steps(),
        state.given_rows(),
    )  # fmt: skip
