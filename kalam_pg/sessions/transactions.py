"""BEGIN, COMMIT, ROLLBACK, savepoints and SET TRANSACTION."""

from catalog.errors import (
    NoActiveSqlTransactionError,
    UndefinedObjectError,
    WrongObjectTypeError,
)
from catalog.indexes import deferral
from kalam_pg.query import leaving
from kalam_pg.query.execution import Result
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import characteristics, committing
from kalam_pg.sessions.sql_session import SqlSession
from kalam_pg.sql import statements as st
from kalam_pg.sql.statements import Statement
from kalam_pg.sql.statements_constraints import SetConstraints

STATEMENTS = (
    st.Begin,
    st.Commit,
    st.Rollback,
    st.Savepoint,
    st.ReleaseSavepoint,
    st.RollbackToSavepoint,
    st.SetTransaction,
    SetConstraints,
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
            return (yield from _rollback(sql, chain=statement.chain))
        case st.Savepoint():
            sql.savepoint(statement.name)
            return Result("SAVEPOINT")
        case st.ReleaseSavepoint():
            sql.release(statement.name)
            return Result("RELEASE")
        case st.RollbackToSavepoint():
            yield from sql.rollback_to(statement.name)
            return Result("ROLLBACK")
        case st.SetTransaction():
            return _set_transaction(sql, statement)
        case SetConstraints():
            return (yield from set_constraints(sql, statement))
        case _:
            raise AssertionError(statement)


def _commit(sql: SqlSession, *, chain: bool) -> Steps[Result]:
    transaction = sql.transaction
    if transaction is None or not transaction.block:
        _refuse_chain("COMMIT", chain=chain)
        sql.notice("there is no transaction in progress", severity="WARNING", sqlstate="25P01")
        yield from sql.commit()
        return Result("COMMIT")
    again = st.Begin(transaction.isolation, transaction.read_only, transaction.deferrable)
    kept = yield from sql.commit()
    if chain:
        sql.begin(again)
    return Result("COMMIT" if kept else "ROLLBACK")


def _refuse_chain(command: str, *, chain: bool) -> None:
    """Raise 25P01 where there is no block that another one could follow."""
    if chain:
        raise NoActiveSqlTransactionError(
            f"{command} AND CHAIN can only be used in transaction blocks"
        )


def _rollback(sql: SqlSession, *, chain: bool) -> Steps[Result]:
    transaction = sql.transaction
    if transaction is None or not transaction.block:
        _refuse_chain("ROLLBACK", chain=chain)
        sql.notice("there is no transaction in progress", severity="WARNING", sqlstate="25P01")
        sql.rollback()
        return Result("ROLLBACK")
    again = st.Begin(transaction.isolation, transaction.read_only, transaction.deferrable)
    sql.rollback()
    yield from leaving.left(transaction)
    if chain:
        sql.begin(again)
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
        if statement.deferrable is not None:
            sql.settings.set(
                "default_transaction_deferrable", "on" if statement.deferrable else "off"
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
        characteristics.isolate(sql, statement.isolation)
    if statement.read_only is not None:
        characteristics.set_read_only(sql, read_only=statement.read_only)
    if statement.deferrable is not None:
        characteristics.set_deferrable(sql, deferrable=statement.deferrable)
    return Result("SET")


def set_constraints(
    sql: SqlSession, statement: SetConstraints, *, inside: bool = False
) -> Steps[Result]:
    """SET CONSTRAINTS: what becomes immediate is looked after at once. Raises 42704, 42809, 23503.

    inside: another statement, whose transaction it is about.
    """
    transaction = sql.transaction
    if transaction is None or not (transaction.block or inside):
        sql.notice(
            "SET CONSTRAINTS can only be used in transaction blocks",
            severity="WARNING",
            sqlstate="25P01",
        )
        for name in statement.names:
            _constraints_named(sql, name)
        return Result("SET CONSTRAINTS")
    modes = transaction.constraint_modes.copy() if statement.names else {0: statement.deferred}
    for name in statement.names:
        for constraint in _constraints_named(sql, name):
            modes[constraint] = statement.deferred
    transaction.restoring("constraint_modes")
    transaction.constraint_modes = modes
    if not statement.deferred:
        yield from committing.settle_deferred(sql, transaction, all_of_it=False)
    return Result("SET CONSTRAINTS")


def _constraints_named(sql: SqlSession, name: st.TableName) -> list[int]:
    """The deferrable constraints of that name, in the first namespace that has one."""
    for namespace in (name.schema,) if name.schema else sql.search_path:
        found = [
            (table, constraint)
            for table in sql.snapshot.tables.values()
            if table.namespace == namespace
            for constraint in table.constraints
            if constraint.name == name.name
        ]
        if found:
            for table, constraint in found:
                if not deferral(table, constraint)[0]:
                    raise WrongObjectTypeError(f'constraint "{name.name}" is not deferrable')
            return [constraint.id for _, constraint in found]
    raise UndefinedObjectError(f'constraint "{name}" does not exist')
