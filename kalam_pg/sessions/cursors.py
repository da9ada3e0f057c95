"""Cursors in SQL: DECLARE, FETCH, MOVE, CLOSE."""

from collections.abc import Sequence

from catalog.errors import (
    DuplicateCursorError,
    FeatureNotSupportedError,
)
from catalog.types.table import PgType
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import long_texts, table_locks
from kalam_pg.sessions.cursor_rows import Cursor
from kalam_pg.sessions.nested import counting_from
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.statements_cursor import CloseCursor, DeclareCursor, FetchCursor
from kalam_pg.sql.tree import OutputColumn
from storage.layout import Value

STATEMENTS = (DeclareCursor, FetchCursor, CloseCursor)


def prepare(
    sql: SqlSession, statement: DeclareCursor, declared: Sequence[PgType | None]
) -> tuple[PgType, ...]:
    """Types of the parameters of a cursor's query. Raises what binding raises."""
    with counting_from(statement.query):
        return sql.plan(statement.query, declared).param_types


def columns(sql: SqlSession, statement: FetchCursor) -> tuple[OutputColumn, ...]:
    """Result columns of FETCH. Raises 34000."""
    cursor = sql.cursors.find(statement.name)
    return () if statement.move else cursor.columns


def run(
    sql: SqlSession,
    statement: DeclareCursor | FetchCursor | CloseCursor,
    params: Sequence[Value],
    types: Sequence[PgType],
) -> Steps[Result]:
    """Run one of `STATEMENTS`. Raises 34000, 42P03, 25P01, 55000, and what the query raises."""
    match statement:
        case DeclareCursor():
            return (yield from _declare(sql, statement, params, types))
        case FetchCursor(name, direction, count, move):
            cursor = sql.cursors.find(name)
            rows = cursor.fetch(direction, count)
            if move:
                return Result("MOVE", len(rows))
            return Result("FETCH", len(rows), cursor.columns, rows)
        case CloseCursor(None):
            sql.cursors.clear()
            return Result("CLOSE CURSOR ALL")
        case CloseCursor(name):
            assert name is not None
            sql.cursors.find(name)
            del sql.cursors[name]
            return Result("CLOSE CURSOR")


def _declare(
    sql: SqlSession, statement: DeclareCursor, params: Sequence[Value], types: Sequence[PgType]
) -> Steps[Result]:
    if not statement.hold:
        sql.require_block("DECLARE CURSOR")
    with counting_from(statement.query):
        query = statement.query
        planned = yield from long_texts.in_turn(query.text, lambda: sql.plan(query, types))
        locking = any(action.value == "UPDATE" for _, action in planned.needs)
        if statement.hold and locking:
            raise FeatureNotSupportedError(
                "DECLARE CURSOR WITH HOLD ... FOR UPDATE is not supported",
                detail="Holdable cursors must be READ ONLY.",
            )
        if statement.name in sql.cursors:
            raise DuplicateCursorError(f'cursor "{statement.name}" already exists')
        if planned.locks and not table_locks.lock_nowait(sql, planned):
            planned = yield from table_locks.wait(sql, lambda: sql.plan(query, types))
        result = yield from sql.run_planned(planned, params)
        if result.source is not None:
            result.rows = yield from result.source.every()
            result.close()
    sql.cursors[statement.name] = Cursor(
        planned.columns,
        result.rows,
        statement.scroll is False,
        statement.hold,
        sql.savepoints_deep,
    )
    return Result("DECLARE CURSOR")
