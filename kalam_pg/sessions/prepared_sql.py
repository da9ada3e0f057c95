"""PREPARE, EXECUTE and DEALLOCATE: the same statements that the protocol's Parse makes."""

from catalog.errors import (
    DuplicatePreparedStatementError,
    FeatureNotSupportedError,
)
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions import dispatch
from kalam_pg.sessions.prepared_arguments import arguments, find
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.tree import OutputColumn


def prepare(sql: SqlSession, statement: st.Prepare) -> Steps[Result]:
    """PREPARE. Raises 42P05 for a name in use."""
    if statement.name in sql.prepared:
        raise DuplicatePreparedStatementError(
            f'prepared statement "{statement.name}" already exists'
        )
    declared = [_type(sql, name) for name in statement.types]
    inner = statement.statement
    prepared = yield from dispatch.prepare_in_turn(sql, inner, declared)
    prepared.text, prepared.from_sql, prepared.prepared_us = sql.text, True, sql.database.now_us()
    sql.prepared[statement.name] = prepared
    return Result("PREPARE")


def columns(sql: SqlSession, statement: st.ExecutePrepared) -> tuple[OutputColumn, ...]:
    """Result columns of what EXECUTE would run."""
    return find(sql, statement.name).columns


def execute(sql: SqlSession, statement: st.ExecutePrepared, form: RowForm | None) -> Steps[Result]:
    """EXECUTE. Raises 26000, and 42601 for the wrong number of arguments."""
    prepared = find(sql, statement.name)
    assert prepared.statement is not None
    params = arguments(sql, statement, prepared)
    return (yield from dispatch.run(sql, prepared.statement, params, prepared, form))


def deallocate(sql: SqlSession, statement: st.Deallocate) -> Result:
    """DEALLOCATE name | ALL. Raises 26000."""
    if statement.name is None:
        sql.prepared.clear()
        return Result("DEALLOCATE ALL")
    find(sql, statement.name)
    del sql.prepared[statement.name]
    return Result("DEALLOCATE")


def _type(sql: SqlSession, name: st.TypeName) -> PgType:
    found, _ = resolve_type(name, sql.snapshot, sql.search_path)
    if isinstance(found.definition, DomainDefinition):
        raise FeatureNotSupportedError(f"a parameter of domain {name.name} is not supported")
    return found
