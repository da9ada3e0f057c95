"""TRUNCATE: every row that the caller's name for a table means goes at once, by one entry of the log.

Nobody else may have changed or locked a row of the tablet and not committed yet, nor may anybody until the
transaction ends. Who reads waits for nothing: a view from before has the rows that it had.
"""

from catalog.errors import WrongObjectTypeError
from catalog.indexes import entry_tables
from catalog.model import Table, TableKind
from catalog.privileges import Action, check_table
from kalam_pg.query.ddl_context import relation_in
from kalam_pg.query.execution import Result
from kalam_pg.query.locks.modes import ACCESS_EXCLUSIVE, ROW_EXCLUSIVE
from kalam_pg.query.transaction import Emptied
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import table_locks
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.statements import TableName, Truncate
from storage.ids import TabletId


def run(sql: SqlSession, statement: Truncate) -> Steps[Result]:
    """Raises 25006, 42P01, 42809, 42501, 55P03, 40P01, 57014."""
    transaction = sql.begin_implicit()
    transaction.check_usable()
    transaction.check_writable("TRUNCATE TABLE")
    for name in statement.names:
        table, tablet = yield from _locked(sql, name)
        stream = table.kind is TableKind.STREAM
        transaction.truncate(tablet, Emptied(table.version, stream))
        for entries in entry_tables(table):
            index = sql.database.tablet(entries, sql.user).id
            transaction.truncate(index, Emptied(entries.version, stream))
    return Result("TRUNCATE TABLE")


def _locked(sql: SqlSession, name: TableName) -> Steps[tuple[Table, TabletId]]:
    """The table and tablet that a name means; nobody else writes there until the transaction ends."""
    deadline = table_locks.statement_deadline(sql)
    while True:
        table = _found(sql, name)
        if (yield from table_locks.lock(sql, table.id, ROW_EXCLUSIVE, deadline)):
            continue  # It may have been dropped meanwhile.
        tablet = sql.database.tablet(table, sql.user).id
        sql.database.locks.guard(tablet)
        if not (yield from table_locks.lock(sql, tablet, ACCESS_EXCLUSIVE, deadline)):
            return table, tablet


def _found(sql: SqlSession, name: TableName) -> Table:
    table = relation_in(sql.snapshot, sql.search_path, name)
    if not isinstance(table, Table):
        raise WrongObjectTypeError(f'"{table.name}" is not a table')
    check_table(sql.user, Action.TRUNCATE, table)
    return table
