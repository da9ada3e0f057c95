"""EXPLAIN SUBSCRIBE: whose changes it would tell, which of them, where it begins, how its rows are read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from catalog.model import TableKind
from catalog.privileges import Action, check_table
from catalog.types.table import PgType
from kalam_pg.query.explain import Explainer
from kalam_pg.query.explain_node import Node
from kalam_pg.query.explain_query import Shower
from kalam_pg.query.prepare import ExplainedSubscription
from kalam_pg.query.waits import Steps
from kalam_pg.sessions.nested import counting_from
from kalam_pg.sql.statements_live import Subscribe, SubscribeOptions
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

_MOVES: Final = "more than the row: each change of a row that does not match is told as a delete"


def explained(
    sql: "SqlSession", statement: Subscribe, declared: Sequence[PgType | None]
) -> ExplainedSubscription:
    """What a subscription is made of. Raises what SUBSCRIBE would."""
    with counting_from(statement.query):
        return sql.cache.explained_subscription(
            statement.query,
            sql.snapshot,
            sql.search_path,
            sql.settings.types,
            declared,
            now_us=sql.begin_implicit().started_us,
            last_rows=statement.options.last_rows,
        )


def node(
    sql: "SqlSession",
    statement: Subscribe,
    params: Sequence[Value],
    types: Sequence[PgType],
    *,
    verbose: bool,
) -> Steps[Node]:
    """The tree of a subscription, which does not begin. Raises what SUBSCRIBE would."""
    found = explained(sql, statement, types)
    query, options = found.planned.query, statement.options
    table = query.table
    check_table(sql.user, Action.SELECT, table)
    show = Shower(found.rows, verbose=verbose)
    where = found.rows.where
    made = Node("Subscribe", show.table(table.namespace, table.name)).with_details(
        Channel="" if options.stream else options.channel or f"{table.namespace}.{table.name}",
        Changes=_whose(sql, per_user=table.per_user, stream=table.kind is TableKind.STREAM),
        Output=tuple(column.name for column in query.columns) if verbose else "",
        Filter="" if where is None else show.text(where),
        Filter_Depends_On=_MOVES if query.moves else "",
        Key=tuple(table.columns[at].name for at in query.key),
        Begins=_beginning(options),
    )
    if options.from_seq or not options.snapshot:
        return made
    x = sql.execution(params)
    try:
        explainer = Explainer(found.rows, found.queries, x, verbose=verbose)
        return made.over((yield from explainer.node(found.planned.plan)))
    finally:
        x.close()


def _whose(sql: "SqlSession", *, per_user: bool, stream: bool) -> str:
    kept = "in memory" if stream else "in the log"
    return f"{sql.user.name}'s own, {kept}" if per_user else f"everybody's, {kept}"


def _beginning(options: SubscribeOptions) -> str:
    if options.from_seq:
        return f"after {options.from_seq}"
    if not options.snapshot:
        return "now"
    return "with all rows" if options.last_rows is None else f"with the newest {options.last_rows}"
