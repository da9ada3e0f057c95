"""TRUNCATE: every row that the caller's name for a table means goes at once, by one entry of the log.

Nobody else may have changed or locked a row of the tablet and not committed yet, nor may anybody until the
transaction ends. Who reads waits for nothing: a view from before has the rows that it had.
"""

from collections.abc import Callable
from functools import partial

from catalog.errors import FeatureNotSupportedError, WrongObjectTypeError
from catalog.indexes import entry_tables
from catalog.model import Table, TableKind, User
from catalog.privileges import Action, check_table
from kalam_pg.query.ddl_context import relation_in
from kalam_pg.query.execution import Result
from kalam_pg.query.locks.modes import ACCESS_EXCLUSIVE, ROW_EXCLUSIVE
from kalam_pg.query.net_change import Emptied
from kalam_pg.query.owners import owners_of
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import table_locks
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.statements import TableName, Truncate


def run(sql: SqlSession, statement: Truncate) -> Steps[Result]:
    """Raises 25006, 42P01, 42809, 42501, 0A000, 55P03, 40P01, 57014."""
    transaction = sql.begin_implicit()
    transaction.check_usable()
    transaction.check_writable("TRUNCATE TABLE")
    for name in statement.names:
        table = yield from lock_table(sql, partial(_found, sql, name))
        yield from empty(sql, table, sql.user)
        if statement.restart_identity:
            sql.sequences.restart_of(table, sql.user)
    named = {_found(sql, name).id for name in statement.names}
    referring = _referring(sql, named)
    if referring and not statement.cascade:
        parent, table = referring[0]
        raise FeatureNotSupportedError(
            "cannot truncate a table referenced in a foreign key constraint",
            detail=f'Table "{table.name}" references "{parent.name}".',
            hint=f'Truncate table "{table.name}" at the same time, or use TRUNCATE ... CASCADE.',
        )
    for _, table in referring:
        sql.notice(f'truncate cascades to table "{table.name}"')
        check_table(sql.user, Action.TRUNCATE, table)
        yield from lock_table(sql, partial(_by_id, sql, table))
        # Rows of all users may refer to rows that all have.
        for user in (yield from owners_of(sql.database, transaction, table, sql.user)):
            yield from empty(sql, table, user)
            if statement.restart_identity:
                sql.sequences.restart_of(table, user)
    return Result("TRUNCATE TABLE")


def _referring(sql: SqlSession, named: set[int]) -> list[tuple[Table, Table]]:
    """What refers to these tables, and to what refers to them: each with the first that it refers to."""
    found: dict[int, tuple[Table, Table]] = {}
    todo = sorted(named)
    for one in todo:
        for table, _ in sql.snapshot.referring_to(one):
            if table.id not in named and table.id not in found:
                found[table.id] = sql.snapshot.tables[one], table
                todo.append(table.id)
    return list(found.values())


def empty(sql: SqlSession, table: Table, user: User) -> Steps[None]:
    """Truncate a user's tablet of a locked table; nobody else writes there until the transaction ends."""
    transaction = sql.begin_implicit()
    stream = table.kind is TableKind.STREAM
    tablet = sql.database.tablet(table, user).id
    sql.database.locks.guard(tablet)
    deadline = table_locks.statement_deadline(sql)
    while (yield from table_locks.lock(sql, tablet, ACCESS_EXCLUSIVE, deadline)):
        pass
    transaction.truncate(tablet, Emptied(table.version, stream))
    for entries in entry_tables(table):
        index = sql.database.tablet(entries, user).id
        transaction.truncate(index, Emptied(entries.version, stream))


def lock_table(sql: SqlSession, find: Callable[[], Table]) -> Steps[Table]:
    """The table that `find` finds, locked against definitions. Raises what that raises, 55P03, 40P01."""
    deadline = table_locks.statement_deadline(sql)
    while True:
        table = find()
        if not (yield from table_locks.lock(sql, table.id, ROW_EXCLUSIVE, deadline)):
            return table  # Else it may have been dropped meanwhile.


def _by_id(sql: SqlSession, table: Table) -> Table:
    return sql.snapshot.tables.get(table.id) or table


def _found(sql: SqlSession, name: TableName) -> Table:
    table = relation_in(sql.snapshot, sql.search_path, name)
    if not isinstance(table, Table) or table.materialized is not None:
        raise WrongObjectTypeError(f'"{table.name}" is not a table')
    check_table(sql.user, Action.TRUNCATE, table)
    return table
