"""CREATE TABLE AS and SELECT INTO: a table is made, and filled by the same transaction."""

from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import definitions, table_locks
from kalam_pg.sessions.nested import counting_from
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql.derived import filling
from kalam_pg.sql.statements_derived import CreateTableAs


def run(sql: SqlSession, statement: CreateTableAs) -> Steps[Result]:
    """Make the table, and put what the query gives. Raises what both raise."""
    with counting_from(statement.query):
        before = sql.snapshot.tables.keys()
        made = yield from definitions.run(sql, statement)
        if made.tag != "SELECT":
            return made
        table = sql.snapshot.tables[max(sql.snapshot.tables.keys() - before)]  # Its id is new.
        columns = [column.name for column in table.columns if column.name != "_rowid"]
        planned = sql.plan(filling(table.namespace, table.name, columns, statement.query))
        if not table_locks.lock_nowait(sql, planned):
            planned = yield from table_locks.wait(sql, lambda: planned)
        put = yield from sql.run_planned(planned)
    return Result("SELECT", put.count)
