"""A transaction's characteristics: its isolation level, and whether it may write."""

from typing import TYPE_CHECKING

from catalog.errors import ActiveSqlTransactionError
from kalam_pg.query.transaction import READ_COMMITTED, REPEATABLE_READ, Transaction
from kalam_pg.sessions.settings_table import check_isolation

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession


def level_of(isolation: str) -> str:
    """The level that is meant by the one that is asked for. Raises 0A000."""
    level = check_isolation(isolation)
    return REPEATABLE_READ if level == REPEATABLE_READ else READ_COMMITTED


def isolate(sql: "SqlSession", isolation: str) -> None:
    """SET TRANSACTION ISOLATION LEVEL. Raises 25001 after the first query, 0A000."""
    transaction = sql.transaction
    if transaction is None:
        level_of(isolation)  # only to say now what is not supported
        return
    if transaction.view is not None or transaction.has_changed:
        raise ActiveSqlTransactionError(
            "SET TRANSACTION ISOLATION LEVEL must be called before any query"
        )
    transaction.isolation = level_of(isolation)
    show(sql, transaction)


def set_read_only(sql: "SqlSession", *, read_only: bool) -> None:
    """SET TRANSACTION READ ONLY | READ WRITE. Raises 25001."""
    transaction = sql.transaction
    if transaction is None:
        return
    if not read_only and transaction.read_only and transaction.view is not None:
        raise ActiveSqlTransactionError("transaction read-write mode must be set before any query")
    transaction.read_only = read_only
    show(sql, transaction)


def show(sql: "SqlSession", transaction: Transaction) -> None:
    """What SHOW says of the transaction."""
    sql.settings.force("transaction_isolation", transaction.isolation)
    sql.settings.force("transaction_read_only", "on" if transaction.read_only else "off")
