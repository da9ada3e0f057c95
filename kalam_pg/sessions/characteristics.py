"""A transaction's characteristics: its isolation level, whether it may write, whether it may be deferred."""

from typing import TYPE_CHECKING

from catalog.errors import ActiveSqlTransactionError
from kalam_pg.query.transaction import READ_COMMITTED, Transaction

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession


READ_UNCOMMITTED = "read uncommitted"
"""READ COMMITTED by another name, as in PostgreSQL."""


def level_of(isolation: str) -> str:
    """The level that is meant by the one that is asked for."""
    return READ_COMMITTED if isolation == READ_UNCOMMITTED else isolation


def isolate(sql: "SqlSession", isolation: str) -> None:
    """SET TRANSACTION ISOLATION LEVEL. Raises 25001 after the first query, and behind a savepoint."""
    transaction = sql.transaction
    if transaction is None:
        return
    level = level_of(isolation)
    if level != transaction.isolation:
        if _is_settled(transaction):
            raise ActiveSqlTransactionError(
                "SET TRANSACTION ISOLATION LEVEL must be called before any query"
            )
        if sql.savepoints_deep:
            raise ActiveSqlTransactionError(
                "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction"
            )
    transaction.isolate(level)
    show(sql, transaction, isolation)


def set_read_only(sql: "SqlSession", *, read_only: bool) -> None:
    """SET TRANSACTION READ ONLY | READ WRITE. Raises 25001."""
    transaction = sql.transaction
    if transaction is None:
        return
    if not read_only and transaction.read_only:
        if sql.savepoints_deep:
            raise ActiveSqlTransactionError(
                "cannot set transaction read-write mode inside a read-only transaction"
            )
        if _is_settled(transaction):
            raise ActiveSqlTransactionError(
                "transaction read-write mode must be set before any query"
            )
    transaction.read_only = read_only
    show(sql, transaction)


def set_deferrable(sql: "SqlSession", *, deferrable: bool) -> None:
    """SET TRANSACTION [NOT] DEFERRABLE, which changes nothing but what SHOW says. Raises 25001."""
    transaction = sql.transaction
    if transaction is None:
        return
    if sql.savepoints_deep:
        raise ActiveSqlTransactionError(
            "SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction"
        )
    if _is_settled(transaction):
        raise ActiveSqlTransactionError(
            "SET TRANSACTION [NOT] DEFERRABLE must be called before any query"
        )
    transaction.deferrable = deferrable
    show(sql, transaction)


def show(sql: "SqlSession", transaction: Transaction, asked: str = "") -> None:
    """What SHOW says of the transaction. asked: the level that it was given now, by its name."""
    named = asked or sql.settings["transaction_isolation"]
    sql.settings.begin_block(
        named if level_of(named) == transaction.isolation else transaction.isolation,
        read_only=transaction.read_only,
        deferrable=transaction.deferrable,
    )


def _is_settled(transaction: Transaction) -> bool:
    """Whether it has a snapshot, in PostgreSQL's sense: its characteristics stay what they are."""
    if transaction.queried or transaction.view is not None:
        return True
    return transaction.has_changed or transaction.has_defined
