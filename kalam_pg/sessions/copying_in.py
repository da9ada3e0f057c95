"""COPY … FROM STDIN: which rows of what table the client is to send, and in which format."""

from dataclasses import replace

from catalog.errors import (
    InsufficientPrivilegeError,
    InvalidColumnReferenceError,
    WrongObjectTypeError,
)
from catalog.model import Table
from catalog.privileges import Action, check_table
from catalog.types.registry import BOOL
from kalam_pg.query.copy_in import CopyPlan
from kalam_pg.query.execution import Result
from kalam_pg.query.locks.modes import ROW_EXCLUSIVE
from kalam_pg.query.perspective import virtual_columns
from kalam_pg.query.rules import Closure, slot_of
from kalam_pg.query.waits import Steps
from kalam_pg.rows.copy_reading import CopyReader
from kalam_pg.sessions import bulk, table_locks
from kalam_pg.sessions.copy_ends import check_client, not_there, with_encoding
from kalam_pg.sessions.copying import check_names, check_not_generated
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.bind import bind_expression
from kalam_pg.sql.copy_options import CopyFormat, copy_format
from kalam_pg.sql.statements_copy import CopyFrom
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import ColumnRef
from kalam_pg.sql.walk import walk
from storage.errors import KalamError


def run(sql: SqlSession, statement: CopyFrom) -> Steps[Result]:
    """The table is open for the rows, which the client is to send (`Result.copy_in`).

    Raises 42501, 42P01, 42703, 42809, 25006, what `copy_format` raises, 42P10, and what locks raise.
    """
    check_client(sql, statement.source, reading=True)
    transaction = sql.begin_implicit()
    deadline = table_locks.statement_deadline(sql)
    while True:
        plan = _plan(sql, statement)
        table = plan.rules.table
        check_table(sql.user, Action.INSERT, table)
        transaction.check_writable("COPY FROM")
        if not (yield from table_locks.lock(sql, table.id, ROW_EXCLUSIVE, deadline)):
            break  # Else it may be another one now.
    if copy_format(statement.options, reading=True).freeze:
        sql.notice("COPY FREEZE has no effect: no row is ever rewritten to freeze it")
    x = sql.execution(())
    transaction.queried = x.declared = True  # It reads nothing but whether keys are taken.
    return (yield from x.answer(plan.run(x)))


def _plan(sql: SqlSession, statement: CopyFrom) -> CopyPlan:
    table = _table(sql, statement)
    form = with_encoding(sql, copy_format(statement.options, reading=True))
    sent = _sent(table, statement)
    _check_forced(table, form, sent)
    columns = [table.columns[at] for at in sent]
    types = sql.types_for([column.type for column in columns])
    context = replace(types, now_us=sql.begin_implicit().started_us)
    reader = CopyReader(table.name, columns, form, context)
    where = _where(sql, statement, table)
    return CopyPlan(
        sql.cache.rules(table, sql.snapshot),
        tuple([sent.index(at) if at in sent else None for at in range(len(table.columns))]),
        where,
        reader,
        bulk.road(sql, table, columns, form, context, where),
    )


def _table(sql: SqlSession, statement: CopyFrom) -> Table:
    """The table that is copied to. Raises 3F000, 42P01, 42809, 42501."""
    name = statement.table
    relation = sql.snapshot.find(name.schema, name.name, sql.search_path)
    if isinstance(relation, Table):
        if relation.materialized is not None:
            raise WrongObjectTypeError(f'cannot copy to materialized view "{relation.name}"')
        return relation
    if relation is not None:
        raise WrongObjectTypeError(
            f'cannot copy to view "{relation.name}"',
            hint="To enable copying to a view, provide an INSTEAD OF INSERT trigger.",
        )
    if virtual_columns(name.schema or "pg_catalog", name.name) is not None:
        raise InsufficientPrivilegeError(f"permission denied for table {name.name}")
    raise not_there(sql, name)


def _sent(table: Table, statement: CopyFrom) -> tuple[int, ...]:
    """The columns that the client sends. Raises 42703, 42701."""
    places = {
        column.name: at
        for at, column in enumerate(table.columns)
        if not (table.hidden_key and column.name == "_rowid")
    }
    if not statement.columns:
        return tuple([at for at in places.values() if not table.columns[at].generated])
    names = [name for name, _ in statement.columns]
    check_names(names, list(places), table.name)
    check_not_generated(names, table)
    return tuple([places[name] for name in names])


def _check_forced(table: Table, form: CopyFormat, sent: tuple[int, ...]) -> None:
    """Raise 42703, 42701 or 42P10 unless what is forced is sent."""
    known = [column.name for column in table.columns]
    written = [known[at] for at in sent]
    for option, names in (("FORCE_NOT_NULL", form.force_not_null), ("FORCE_NULL", form.force_null)):
        check_names(names, known, table.name)
        for name in names:
            if name not in written:
                raise InvalidColumnReferenceError(
                    f'{option} column "{name}" not referenced by COPY'
                )


def _where(sql: SqlSession, statement: CopyFrom, table: Table) -> Closure | None:
    if not statement.where:
        return None
    scope = sql.cache.scope(sql.snapshot, sql.search_path, sql.settings.types)
    try:
        bound = bind_expression(
            statement.where, scope, table, BOOL, what="COPY FROM WHERE conditions"
        )
    except KalamError as exc:
        if exc.position:
            exc.position += statement.where_at
        raise
    for node in walk(bound):
        if isinstance(node, ColumnRef) and node.column < len(table.columns):
            there = table.columns[node.column]
            if there.generated:
                raise InvalidColumnReferenceError(
                    "generated columns are not supported in COPY FROM WHERE conditions",
                    detail=f'Column "{there.name}" is a generated column.',
                )
    return compile_expr(bound, slot_of)
