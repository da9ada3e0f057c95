"""PREPARE, EXECUTE and DEALLOCATE: the same statements that the protocol's Parse makes."""

from catalog.errors import (
    DuplicatePreparedStatementError,
    FeatureNotSupportedError,
    InvalidSqlStatementNameError,
    SqlSyntaxError,
)
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions import dispatch
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql.bind import bind_expression
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef, OutputColumn
from storage.layout import Value


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
    return _find(sql, statement.name).columns


def execute(sql: SqlSession, statement: st.ExecutePrepared, form: RowForm | None) -> Steps[Result]:
    """EXECUTE. Raises 26000, and 42601 for the wrong number of arguments."""
    prepared = _find(sql, statement.name)
    assert prepared.statement is not None
    wanted, given = len(prepared.param_types), len(statement.arguments)
    if wanted != given:
        raise SqlSyntaxError(
            f'wrong number of parameters for prepared statement "{statement.name}"',
            detail=f"Expected {wanted} parameters but got {given}.",
        )
    params = [
        _evaluate(sql, text, type_)
        for text, type_ in zip(statement.arguments, prepared.param_types, strict=True)
    ]
    return (yield from dispatch.run(sql, prepared.statement, params, prepared, form))


def deallocate(sql: SqlSession, statement: st.Deallocate) -> Result:
    """DEALLOCATE name | ALL. Raises 26000."""
    if statement.name is None:
        sql.prepared.clear()
        return Result("DEALLOCATE ALL")
    _find(sql, statement.name)
    del sql.prepared[statement.name]
    return Result("DEALLOCATE")


def _find(sql: SqlSession, name: str) -> PreparedStatement:
    prepared = sql.prepared.get(name)
    if prepared is None or prepared.statement is None:
        raise InvalidSqlStatementNameError(f'prepared statement "{name}" does not exist')
    prepared.renew_types(sql.snapshot)
    return prepared


def _type(sql: SqlSession, name: st.TypeName) -> PgType:
    found, _ = resolve_type(name, sql.snapshot, sql.search_path)
    if isinstance(found.definition, DomainDefinition):
        raise FeatureNotSupportedError(f"a parameter of domain {name.name} is not supported")
    return found


def _evaluate(sql: SqlSession, text: str, type_: PgType) -> Value:
    scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
    return compile_expr(bind_expression(text, scope, None, type_), _no_columns)((), sql.context())


def _no_columns(reference: ColumnRef) -> int:
    raise SqlSyntaxError(f'column "{reference.name}" does not exist')
