"""What a session does before a COMMIT is handed over, while it may still fail: nothing of it is kept then."""

from typing import TYPE_CHECKING

from kalam_pg.query import validation
from kalam_pg.query.locks.modes import ACCESS_EXCLUSIVE
from kalam_pg.query.locks.state import CATALOGUE
from kalam_pg.query.locks.waits import Patience, take
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import temporary

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession


def prepare(sql: "SqlSession", transaction: Transaction) -> Steps[None]:
    """Do what is deferred, and make what COMMIT writes of definitions. Raises 23503, 40001, 53200, 0A000."""
    if transaction.deferred:
        yield from settle_deferred(sql, transaction)
    if sql.portals:
        yield from sql.portals.keep_held(sql.database.spills)
    if transaction.reads is not None and not transaction.writes_nothing:
        yield from validation.look(sql.database, transaction)
    if transaction.temporary is not None:
        temporary.before_commit(sql, transaction)
    if transaction.definitions is not None:
        # Take the catalogue, so that nobody else commits one before this one is everybody's.
        locks = sql.database.locks
        yield from take(locks, transaction, CATALOGUE, ACCESS_EXCLUSIVE, Patience())
        transaction.settle(sql.database.catalog)


def settle_deferred(sql: "SqlSession", transaction: Transaction) -> Steps[None]:
    """Do what deferred constraints ask for. Raises 23503 and its like."""
    x = sql.execution(())
    x.declared = True  # What is asked of rows that are locked is so until the end.
    try:
        while transaction.deferred:
            x.events, transaction.deferred = transaction.deferred, {}
            yield from x.settle()
    finally:
        x.close()
