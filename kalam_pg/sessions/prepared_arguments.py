"""What EXECUTE names and gives: the prepared statement, and the values of its parameters."""

from catalog.errors import InvalidSqlStatementNameError, SqlSyntaxError
from catalog.types.table import PgType
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql.bind import bind_expression
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef
from storage.layout import Value


def find(sql: SqlSession, name: str) -> PreparedStatement:
    """The statement of a name. Raises 26000."""
    prepared = sql.prepared.get(name)
    if prepared is None or prepared.statement is None:
        raise InvalidSqlStatementNameError(f'prepared statement "{name}" does not exist')
    prepared.renew_types(sql.snapshot)
    return prepared


def arguments(
    sql: SqlSession, statement: st.ExecutePrepared, prepared: PreparedStatement
) -> list[Value]:
    """The values of its parameters. Raises 42601 for a wrong number of them."""
    wanted, given = len(prepared.param_types), len(statement.arguments)
    if wanted != given:
        raise SqlSyntaxError(
            f'wrong number of parameters for prepared statement "{statement.name}"',
            detail=f"Expected {wanted} parameters but got {given}.",
        )
    return [
        _evaluate(sql, text, type_)
        for text, type_ in zip(statement.arguments, prepared.param_types, strict=True)
    ]


def _evaluate(sql: SqlSession, text: str, type_: PgType) -> Value:
    scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
    return compile_expr(bind_expression(text, scope, None, type_), _no_columns)((), sql.context())


def _no_columns(reference: ColumnRef) -> int:
    raise SqlSyntaxError(f'column "{reference.name}" does not exist')
