"""What a session does before a COMMIT is handed over, while it may still fail: nothing of it is kept then."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from catalog.errors import ObjectInUseError, UniqueViolationError
from kalam_pg.query import validation, written
from kalam_pg.query.locks.modes import ACCESS_EXCLUSIVE
from kalam_pg.query.locks.state import CATALOGUE
from kalam_pg.query.locks.waits import Patience, take
from kalam_pg.query.row_changes import Late
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import bulk, temporary

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession


def prepare(sql: "SqlSession", transaction: Transaction) -> Steps[None]:
    """Do what is deferred, and make what COMMIT writes of definitions. Raises 23503, 40001, 53200, 0A000."""
    while True:
        if transaction.loads:
            yield from bulk.before_commit(sql, transaction)
        if not transaction.deferred:
            break
        # It may change what was loaded, and rows that are put may ask for more.
        yield from settle_deferred(sql, transaction, all_of_it=True)
    if sql.portals:
        yield from sql.portals.keep_held(sql.database.spills)
    if transaction.reads is not None and not transaction.writes_nothing:
        yield from validation.look(sql.database, transaction)
    if transaction.temporary is not None:
        temporary.before_commit(sql, transaction)
    if transaction.loads:
        yield from bulk.enter(sql, transaction)
    if transaction.definitions is not None:
        # Take the catalogue, so that nobody else commits one before this one is everybody's.
        locks = sql.database.locks
        yield from take(locks, transaction, CATALOGUE, ACCESS_EXCLUSIVE, Patience())
        transaction.settle(sql.database.catalog)


def writes(sql: "SqlSession", transaction: Transaction) -> Steps[written.Written | None]:
    """The writes of a large transaction, made in turns; None: they are made at once. Raises 57014."""
    if transaction.definitions is not None or not written.is_large(transaction):
        return None  # Nobody else's commit comes between definitions and its own.
    try:
        return (yield from written.in_turns(transaction))
    except BaseException:
        sql.rollback()
        raise


def settle_tables(
    sql: "SqlSession", transaction: Transaction, tables: Collection[int], command: str
) -> Steps[None]:
    """Have the unique indexes of tables right before they are altered. Raises 55006 where that cannot be."""
    late = {
        name: one.event
        for name, one in transaction.deferred.items()
        if isinstance(one.event, Late) and one.event.target.rules.table.id in tables
    }
    if not late:
        return
    transaction.restoring("deferred")
    asked = transaction.deferred
    transaction.deferred = {name: event for name, event in asked.items() if name not in late}
    table = next(iter(late.values())).target.rules.table
    x = sql.execution(())
    x.declared = True
    x.events = dict(late)
    try:
        yield from x.settle()
    except UniqueViolationError as exc:
        raise ObjectInUseError(
            f'cannot {command} "{table.name}" because it has pending trigger events'
        ) from exc
    finally:
        x.close()


def settle_deferred(sql: "SqlSession", transaction: Transaction, *, all_of_it: bool) -> Steps[None]:
    """Do what deferred constraints ask for. Raises 23503 and its like.

    all_of_it: not only of those that are deferred no longer.
    """
    x = sql.execution(())
    x.declared = True  # What is asked of rows that are locked is so until the end.
    try:
        while due := {
            name: one
            for name, one in transaction.deferred.items()
            if all_of_it or not transaction.is_deferred(one.constraint, one.rule)
        }:
            transaction.restoring("deferred")
            asked = transaction.deferred
            transaction.deferred = {name: one for name, one in asked.items() if name not in due}
            x.events = {name: one.event for name, one in due.items()}
            yield from x.settle()
    finally:
        x.close()
