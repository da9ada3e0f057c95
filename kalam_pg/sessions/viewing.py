"""What a definition asks of a view's query, in a thread where that takes long."""

from collections.abc import Sequence
from dataclasses import replace

from catalog.errors import FeatureNotSupportedError
from catalog.model import View
from catalog.types.definitions import user_types_of
from kalam_pg.query.ddl import DdlContext
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import long_texts
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.bind import bind
from kalam_pg.sql.statements import QueryStatement, Statement
from kalam_pg.sql.statements_views import CreateView
from kalam_pg.sql.tree import Call, Const, OutputColumn, Query
from kalam_pg.sql.updatable import why_not
from kalam_pg.sql.walk import walk


def describe(sql: SqlSession, query: QueryStatement) -> Sequence[OutputColumn]:
    """The columns of a query."""
    return sql.plan(query).columns


def not_updatable(sql: SqlSession, view: View, query: QueryStatement) -> str:
    """Why a view cannot be written through; "": it can."""
    bound = bind(query, sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types))
    assert isinstance(bound.statement, Query)
    return why_not(view, bound.statement)


def reads(sql: SqlSession, query: QueryStatement) -> tuple[int, ...]:
    """The ids of what a view's query names. Raises 0A000."""
    scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
    bound = bind(query, scope)
    if bound.changes:
        raise FeatureNotSupportedError("views must not contain data-modifying statements in WITH")
    named = {
        made: None
        for node in walk(bound.statement)
        if isinstance(node, Const | Call)
        for made in user_types_of(node.type)
    }
    return (*bound.relations, *named)


def looked_at(sql: SqlSession, statement: Statement, context: DdlContext) -> Steps[DdlContext]:
    """A context that knows what a view is made of, if that takes long to find out."""
    if not isinstance(statement, CreateView):
        return context
    query = statement.query
    if not long_texts.is_long_here(sql, query.text):
        return context
    columns, read = yield from long_texts.in_turn(
        sql, query.text, lambda: (describe(sql, query), reads(sql, query))
    )
    return replace(context, describe=lambda _query: columns, reads=lambda _query: read)
