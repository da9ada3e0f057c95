"""BEGIN, COMMIT, ROLLBACK, savepoints and SET TRANSACTION."""

from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql.statements import Statement

STATEMENTS = (
    st.Begin,
    st.Commit,
    st.Rollback,
    st.Savepoint,
    st.ReleaseSavepoint,
    st.RollbackToSavepoint,
    st.SetTransaction,
)


def run(sql: SqlSession, statement: Statement) -> Steps[Result]:
    """Run one of `STATEMENTS`. Raises 25P01, 3B001, and what a commit raises."""
    match statement:
        case st.Begin():
            sql.begin(statement)
            return Result(statement.tag)
        case st.Commit():
            return (yield from _commit(sql, chain=statement.chain))
        case st.Rollback():
            return _rollback(sql, chain=statement.chain)
        case st.Savepoint():
            sql.savepoint(statement.name)
            return Result("SAVEPOINT")
        case st.ReleaseSavepoint():
            sql.release(statement.name)
            return Result("RELEASE")
        case st.RollbackToSavepoint():
            sql.rollback_to(statement.name)
            return Result("ROLLBACK")
        case st.SetTransaction():
            return _set_transaction(sql, statement)
        case _:
            raise AssertionError(statement)


def _commit(sql: SqlSession, *, chain: bool) -> Steps[Result]:
    transaction = sql.transaction
    if transaction is None or not transaction.block:
        sql.notice("there is no transaction in progress", severity="WARNING", sqlstate="25P01")
        yield from sql.commit()
        return Result("COMMIT")
    isolation, read_only = transaction.isolation, transaction.read_only
    kept = yield from sql.commit()
    if chain:
        sql.begin(st.Begin(isolation, read_only))
    return Result("COMMIT" if kept else "ROLLBACK")


def _rollback(sql: SqlSession, *, chain: bool) -> Result:
    transaction = sql.transaction
    if transaction is None or not transaction.block:
        sql.notice("there is no transaction in progress", severity="WARNING", sqlstate="25P01")
        sql.rollback()
        return Result("ROLLBACK")
    isolation, read_only = transaction.isolation, transaction.read_only
    sql.rollback()
    if chain:
        sql.begin(st.Begin(isolation, read_only))
    return Result("ROLLBACK")


def _set_transaction(sql: SqlSession, statement: st.SetTransaction) -> Result:
    if statement.session:
        sql.begin_implicit()
        if statement.isolation:
            sql.settings.set("default_transaction_isolation", statement.isolation)
        if statement.read_only is not None:
            sql.settings.set(
                "default_transaction_read_only", "on" if statement.read_only else "off"
            )
        return Result("SET")
    if sql.transaction is None or not sql.transaction.block:
        sql.notice(
            "SET TRANSACTION can only be used in transaction blocks",
            severity="WARNING",
            sqlstate="25P01",
        )
        return Result("SET")
    if statement.isolation:
        sql.isolate(statement.isolation)
    if statement.read_only is not None:
        sql.set_read_only(read_only=statement.read_only)
    return Result("SET")
