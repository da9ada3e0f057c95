"""The typed tree as DataFusion SQL.

`emit` and `emit_reads` are all that others need. The parts: `physical` (types and literals),
`datafusion_expr`, `datafusion_from`, `datafusion_group`, `datafusion_aggregate`, `datafusion_window`,
`datafusion_subquery` and `datafusion_query`. What is not proven to answer as PostgreSQL is refused
with 0A000.
"""

from collections.abc import Sequence

from kalam_pg.functions.table import EvalContext
from kalam_pg.functions.udf import UdfSpec
from kalam_pg.sql.datafusion_query import Queries
from kalam_pg.sql.datafusion_state import Emitted, Order, Relation, Rendering, ScanNeed
from kalam_pg.sql.tree import Query

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
    relation = Queries(state).emit(query, order=Order.ROWS)
    return _emitted(state, relation)


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
