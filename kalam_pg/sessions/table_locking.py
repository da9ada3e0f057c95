"""LOCK TABLE: the lock that a transaction asks for by name, held until it ends."""

from typing import Final

from catalog.errors import (
    FeatureNotSupportedError,
    LockNotAvailableError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.model import Table
from catalog.privileges import Action, check_table, table_allows
from kalam_pg.query.execution import Result
from kalam_pg.query.locks import modes
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import table_locks
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.statements import TableName
from kalam_pg.sql.statements_derived import LockTable

_MODES: Final = {
    "access share": modes.ACCESS_SHARE,
    "row share": modes.ROW_SHARE,
    "row exclusive": modes.ROW_EXCLUSIVE,
    "share update exclusive": modes.SHARE_UPDATE_EXCLUSIVE,
    "share": modes.SHARE,
    "share row exclusive": modes.SHARE_ROW_EXCLUSIVE,
    "exclusive": modes.EXCLUSIVE,
    "access exclusive": modes.ACCESS_EXCLUSIVE,
}


def run(sql: SqlSession, statement: LockTable) -> Steps[Result]:
    """Lock the tables, one after another. Raises 25P01, 42P01, 42501, 40P01, 55P03, 57014."""
    sql.require_block("LOCK TABLE").check_usable()
    deadline = table_locks.statement_deadline(sql)
    for name in statement.names:
        mode = _MODES[statement.mode]
        while True:
            table = _table(sql, name)
            _check(sql, table, statement.mode)
            if statement.nowait:
                _lock_nowait(sql, table, mode)
                break
            if not (yield from table_locks.lock(sql, table.id, mode, deadline, readers=True)):
                break  # Else the name may mean another one now.
    return Result("LOCK TABLE")


def _lock_nowait(sql: SqlSession, table: Table, mode: modes.Mode) -> None:
    locks, transaction = sql.database.locks, sql.begin_implicit()
    if mode == modes.ACCESS_EXCLUSIVE:
        locks.strengthen(table.id)
    if not locks.lock_nowait(transaction, table.id, mode):
        locks.weaken(table.id)
        raise LockNotAvailableError(f'could not obtain lock on relation "{table.name}"')


def _table(sql: SqlSession, name: TableName) -> Table:
    relation = sql.snapshot.find(name.schema, name.name, sql.search_path)
    if relation is None:
        raise UndefinedTableError(f'relation "{name}" does not exist')
    if not isinstance(relation, Table):
        raise FeatureNotSupportedError("LOCK TABLE of a view is not supported")
    if relation.materialized is not None:
        raise WrongObjectTypeError(
            f'cannot lock relation "{relation.name}"',
            detail="This operation is not supported for materialized views.",
        )
    return relation


def _check(sql: SqlSession, table: Table, mode: str) -> None:
    """Who may not change a table may not keep others from it, as PostgreSQL has it."""
    wanted = [Action.SELECT] if mode == "access share" else [Action.UPDATE, Action.DELETE]
    if mode == "row exclusive":
        wanted.append(Action.INSERT)
    if not any(table_allows(sql.user, action, table) for action in wanted):
        check_table(sql.user, wanted[0], table)
