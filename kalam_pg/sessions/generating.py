"""What a GENERATED ALWAYS AS … STORED column may be computed by, checked when it is defined."""

from catalog.errors import (
    DatatypeMismatchError,
    InvalidColumnReferenceError,
    InvalidObjectDefinitionError,
)
from catalog.model import Column, Table
from catalog.types.registry import format_type
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.bind import bind_expression
from kalam_pg.sql.constancy import is_immutable
from kalam_pg.sql.deparse import Deparser, quote_identifier
from kalam_pg.sql.kept_calls import calls_people, with_schemas
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef, Expr
from kalam_pg.sql.walk import walk

WHAT = "column generation expressions"


def check(sql: SqlSession, table: Table, column: Column) -> str:
    """A column's expression as the catalogue has it. Raises what binding raises, 42P17, 42P10, 42804."""
    scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
    text = column.generated
    bound = bind_expression(text, scope, table, None, what=WHAT)
    _check_columns(bound, table)
    try:
        assigned = bind_expression(text, scope, table, column.type, column.typmod, what=WHAT)
    except DatatypeMismatchError as exc:
        raise DatatypeMismatchError(
            f'column "{column.name}" is of type {format_type(column.type, column.typmod)} '
            f"but default expression is of type {format_type(bound.type)}",
            hint="You will need to rewrite or cast the expression.",
        ) from exc
    if not is_immutable(assigned):
        raise InvalidObjectDefinitionError("generation expression is not immutable")
    compile_expr(assigned, lambda reference: reference.column)
    kept = with_schemas(text, sql.snapshot, sql.search_path)
    if calls_people(kept, sql.snapshot):
        return kept  # What is bound has the bodies of the functions, which others may replace.
    return Deparser(lambda reference: quote_identifier(reference.name), lambda _: "").expr(bound)


def _check_columns(expr: Expr, table: Table) -> None:
    for node in walk(expr):
        if not isinstance(node, ColumnRef):
            continue
        there = table.columns[node.column] if node.column < len(table.columns) else None
        if there is None or (table.hidden_key and there.id in table.primary_key):
            raise InvalidColumnReferenceError(
                f'cannot use system column "{node.name}" in column generation expression',
                position=node.position,
            )
        if there.generated:
            raise InvalidObjectDefinitionError(
                f'cannot use generated column "{there.name}" in column generation expression',
                detail="A generated column cannot reference another generated column.",
                position=node.position,
            )
