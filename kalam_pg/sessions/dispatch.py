"""Which code runs a statement: queries and data changes by their plan, everything else by its kind."""

from collections.abc import Sequence

from catalog.errors import FeatureNotSupportedError, UndefinedParameterError
from catalog.types.table import PgType
from kalam_pg.query.execution import Result
from kalam_pg.query.prepare import Planned
from kalam_pg.query.waits import Steps
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions import (
    blocks,
    bulk,
    copying,
    copying_in,
    creating,
    cursors,
    definitions,
    explaining,
    extending,
    function_runs,
    listening,
    long_texts,
    maintaining,
    operations,
    prepared_sql,
    refreshing,
    roles,
    subscribing,
    table_locking,
    table_locks,
    transactions,
    utility,
)
from kalam_pg.sessions.nested import counting_from
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sessions.validity import Validity
from kalam_pg.sql import statements as st
from kalam_pg.sql.statements import QueryStatement, Statement
from kalam_pg.sql.statements_copy import CopyFrom, CopyTo
from kalam_pg.sql.statements_cursor import DeclareCursor, FetchCursor
from kalam_pg.sql.statements_derived import (
    CreateMaterializedView,
    CreateTableAs,
    LockTable,
    RefreshMaterializedView,
)
from kalam_pg.sql.statements_do import Do
from kalam_pg.sql.statements_functions import CallProcedure
from kalam_pg.sql.statements_live import Subscribe
from kalam_pg.sql.tree import OutputColumn
from storage.errors import KalamError
from storage.layout import Value

_REVALIDATE = ("plancache.c", "730", "RevalidateCachedQuery")
"""By this routine's name drivers know to prepare the statement again."""

_ENDS_FAILED_BLOCK = (st.Commit, st.Rollback, st.RollbackToSavepoint)


def check_allowed(sql: SqlSession, statement: Statement) -> None:
    """Raise 25P02 in a failed block, unless the statement can end it."""
    transaction = sql.transaction
    if transaction is not None and not isinstance(statement, _ENDS_FAILED_BLOCK):
        transaction.check_usable()


def returns_rows(statement: Statement) -> bool:
    """Whether a statement answers with rows even when these have no columns (SELECT FROM t)."""
    if isinstance(statement, Subscribe):
        return True
    return isinstance(statement, QueryStatement) and statement.kind == "select"


def prepare(
    sql: SqlSession, statement: Statement, declared: Sequence[PgType | None]
) -> PreparedStatement:
    """Settle a statement's parameter and result types; nothing is executed.

    Raises what binding raises, positions counted in the text that the statement stands in, and 42P02 for
    parameters where none can be.
    """
    if isinstance(statement, QueryStatement):
        with counting_from(statement):
            planned = sql.plan(statement, declared)
        return PreparedStatement(
            statement,
            planned.param_types,
            planned.columns,
            planned,
            Validity(sql),
        )
    if isinstance(statement, st.Explain):
        return PreparedStatement(statement, *explaining.prepare(sql, statement, declared))
    if isinstance(statement, DeclareCursor):
        return PreparedStatement(statement, cursors.prepare(sql, statement, declared), ())
    if isinstance(statement, Subscribe):
        subscribed = subscribing.prepare(sql, statement, declared)
        columns = subscribing.columns(statement, subscribed)
        return PreparedStatement(statement, subscribed.param_types, columns)
    if isinstance(statement, CallProcedure):
        called = function_runs.prepare_call(sql, statement, declared)
        return PreparedStatement(
            statement, called.param_types, called.columns, called, Validity(sql)
        )
    if declared:
        raise UndefinedParameterError("there is no parameter $1")
    return PreparedStatement(statement, (), _columns(sql, statement))


def prepare_in_turn(
    sql: SqlSession, statement: Statement, declared: Sequence[PgType | None]
) -> Steps[PreparedStatement]:
    """As `prepare`, so that the other sessions are served while a long text is bound."""
    match statement:
        case QueryStatement(text=text) | st.Explain(QueryStatement(text=text)):
            pass
        case DeclareCursor(query=QueryStatement(text=text)):
            pass
        case _:
            return prepare(sql, statement, declared)
    return (yield from long_texts.in_turn(sql, text, lambda: prepare(sql, statement, declared)))


def _columns(sql: SqlSession, statement: Statement) -> tuple[OutputColumn, ...]:
    match statement:
        case st.ExecutePrepared():
            return prepared_sql.columns(sql, statement)
        case st.ExecuteAsUser():
            return roles.columns(sql, statement)
        case FetchCursor():
            return cursors.columns(sql, statement)
        case _:
            return utility.columns(statement)


def run(
    sql: SqlSession,
    statement: Statement,
    params: Sequence[Value],
    prepared: PreparedStatement,
    form: RowForm | None,
    *,
    told: bool = True,
) -> Steps[Result]:
    """Run one statement in the session's transaction; an implicit one is left for the caller to end.

    told: whether the client knows the types of the result's columns already.
    """
    if prepared.given is None:
        return (yield from _run(sql, statement, params, prepared, form, told=told))
    try:
        return (yield from _run(sql, statement, prepared.given.params, prepared, form, told=told))
    except KalamError as exc:
        exc.position = 0  # It would count in the text with parameters, which the client never saw.
        raise


def _run(
    sql: SqlSession,
    statement: Statement,
    params: Sequence[Value],
    prepared: PreparedStatement,
    form: RowForm | None,
    *,
    told: bool,
) -> Steps[Result]:
    if sql.transaction is not None and sql.transaction.loads:
        yield from bulk.before(sql, statement)
    if isinstance(statement, QueryStatement):
        return (yield from _run_query(sql, statement, params, prepared, form, told=told))
    if isinstance(statement, st.Explain):
        return (yield from explaining.run(sql, statement, params, prepared.param_types))
    if isinstance(statement, cursors.STATEMENTS):
        return (yield from cursors.run(sql, statement, params, prepared.param_types))
    if isinstance(statement, Subscribe):
        return (yield from subscribing.run(sql, statement, params, prepared, form))
    if isinstance(statement, CallProcedure):
        return (yield from function_runs.call(sql, statement, params, prepared))
    if isinstance(statement, CopyTo):
        return (yield from copying.run(sql, statement))
    if isinstance(statement, CopyFrom):
        return (yield from copying_in.run(sql, statement))
    if isinstance(statement, st.ExecuteAsUser):
        return (yield from roles.run_as(sql, statement, prepared.given, form))
    return (yield from _run_other(sql, statement, form))


def _run_query(
    sql: SqlSession,
    statement: QueryStatement,
    params: Sequence[Value],
    prepared: PreparedStatement,
    form: RowForm | None,
    *,
    told: bool,
) -> Steps[Result]:
    columns = prepared.columns
    with counting_from(statement):
        planned = _current_plan(sql, statement, prepared, told=told)
        if (planned.reads or planned.locks) and not table_locks.lock_nowait(sql, planned):
            planned = yield from table_locks.wait(
                sql, lambda: _current_plan(sql, statement, prepared, told=told)
            )
        if prepared.columns is not columns:
            form = None  # It was made for columns that have gone: stored values, then.
        return (yield from sql.run_planned(planned, params, form=form))


def _current_plan(
    sql: SqlSession, statement: QueryStatement, prepared: PreparedStatement, *, told: bool
) -> Planned:
    """The plan of a prepared statement, made anew when that it has is not good any more.

    Raises what planning raises, and 0A000 for other columns than the client was `told` of.
    """
    planned = prepared.current(sql)
    if planned is None:
        # The values were read as these types, whatever the columns have become.
        prepared.renew_types(sql.snapshot)
        given = prepared.given
        planned = sql.plan(statement, prepared.param_types if given is None else given.types)
        if _described(planned.columns) != _described(prepared.columns):
            if told:
                raise FeatureNotSupportedError(
                    "cached plan must not change result type", source=_REVALIDATE
                )
            prepared.columns = planned.columns
        prepared.planned = planned
        prepared.validity = Validity(sql)
    return planned


def _described(columns: Sequence[OutputColumn]) -> list[tuple[str, PgType, int]]:
    """What a client is told of a result's columns."""
    return [(column.name, column.type, column.typmod) for column in columns]


def _run_other(sql: SqlSession, statement: Statement, form: RowForm | None) -> Steps[Result]:
    if isinstance(statement, transactions.STATEMENTS):
        return (yield from transactions.run(sql, statement))
    if isinstance(statement, definitions.STATEMENTS):
        return (yield from definitions.run(sql, statement))
    if isinstance(statement, operations.STATEMENTS):
        return (yield from operations.run(sql, statement))
    if isinstance(statement, maintaining.STATEMENTS):
        return (yield from maintaining.run(sql, statement))
    if isinstance(statement, extending.STATEMENTS):
        return extending.run(sql, statement)
    if isinstance(statement, listening.STATEMENTS):
        return listening.run(sql, statement)
    match statement:
        case st.SetRole():
            return roles.set_role(sql, statement)
        case st.Prepare():
            return (yield from prepared_sql.prepare(sql, statement))
        case st.ExecutePrepared():
            return (yield from prepared_sql.execute(sql, statement, form))
        case CreateTableAs():
            return (yield from creating.run(sql, statement))
        case CreateMaterializedView():
            return (yield from refreshing.create(sql, statement))
        case RefreshMaterializedView():
            return (yield from refreshing.refresh(sql, statement))
        case Do():
            return (yield from blocks.run(sql, statement))
        case LockTable():
            return (yield from table_locking.run(sql, statement))
        case st.Deallocate():
            return prepared_sql.deallocate(sql, statement)
        case st.Unsupported():
            raise FeatureNotSupportedError(
                f"{statement.what} is not supported yet", hint=statement.hint
            )
        case _:
            return utility.run(sql, statement)
