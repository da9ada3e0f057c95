"""The streams that a session is told of: when they begin and end.

One channel of a session carries one stream. A stream begins when the transaction that opened it is
committed; one that is opened on a channel that has one takes its place. UNSUBSCRIBE, UNLISTEN and DISCARD
ALL end it without a word; whatever else ends it is told as its last object.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from catalog.errors import (
    FeatureNotSupportedError,
    InsufficientPrivilegeError,
    UndefinedTableError,
)
from catalog.model import Table
from catalog.privileges import Action, table_allows
from catalog.snapshot import Snapshot
from catalog.types.enum import keeps_labels
from kalam_pg.live.filter import LiveQuery
from kalam_pg.live.subscription import Subscription
from kalam_pg.query.database import Database
from kalam_pg.query.live_rows import LiveRows
from storage.errors import KalamError

if TYPE_CHECKING:
    from kalam_pg.query.transaction import Transaction
    from kalam_pg.sessions.sql_session import SqlSession


def ended(sql: "SqlSession", transaction: "Transaction", *, committed: bool) -> None:
    """A transaction has ended: what it opened begins or is forgotten, what it left ends."""
    asked = () if transaction.channels is None else transaction.channels.asked
    for one in asked:
        if isinstance(one, Subscription):
            if committed and sql.ears is not None:
                _stop(sql, one.channel)
                sql.subscriptions[one.channel] = one
                sql.ears.wake()
            else:
                one.stop()
        elif committed and not one.listen:
            names = tuple(sql.subscriptions) if one.channel is None else (one.channel,)
            for name in names:
                _stop(sql, name)
    recheck(sql, sql.database.catalog)


def _stop(sql: "SqlSession", channel: str) -> None:
    found = sql.subscriptions.pop(channel, None)
    if found is not None:
        found.stop()


def forget(sql: "SqlSession", subscription: Subscription) -> None:
    """The client has been told that it has ended."""
    if sql.subscriptions.get(subscription.channel) is subscription:
        _stop(sql, subscription.channel)


def close(sql: "SqlSession") -> None:
    """The session ends."""
    for channel in tuple(sql.subscriptions):
        _stop(sql, channel)


def catalog_changed(database: Database, catalog: Snapshot) -> None:
    """Definitions have been committed: what may not go on ends."""
    for session in list(database.sessions):
        if session.subscriptions or session.following:
            recheck(session, catalog)


def recheck(sql: "SqlSession", catalog: Snapshot) -> None:
    """The catalogue, the user or its rights may be others: end what may not go on, with the reason."""
    open_: list[Subscription | LiveRows] = [*sql.subscriptions.values(), *sql.following]
    for one in open_:
        error = _reason(sql, one, catalog)
        if error is not None:
            sql.database.hub.end(one.subscriber, error)


def _reason(
    sql: "SqlSession", one: Subscription | LiveRows, catalog: Snapshot
) -> KalamError | None:
    table = one.query.table
    found = catalog.tables.get(table.id)
    if found is None:
        return UndefinedTableError(f'relation "{table.namespace}.{table.name}" does not exist')
    if (found.namespace, found.name) != (table.namespace, table.name):
        return UndefinedTableError(
            f'relation "{table.namespace}.{table.name}" does not exist',
            detail=f"It is {found.namespace}.{found.name} now.",
        )
    if found.storage_id != table.storage_id:
        return FeatureNotSupportedError(
            "cached plan must not change result type",
            detail=f'The primary key of table "{found.name}" has been altered.',
        )
    for changed in _altered(one.query, found):
        return FeatureNotSupportedError(
            "cached plan must not change result type",
            detail=f'Column "{changed}" of table "{found.name}" has been altered.',
        )
    if sql.user.id != one.about.user:
        return InsufficientPrivilegeError("the session has another role now")
    if not found.per_user and not table_allows(sql.user, Action.SELECT, found):
        return InsufficientPrivilegeError(f"permission denied for table {found.name}")
    return None


def _altered(query: LiveQuery, now: Table) -> Iterator[str]:
    """Columns that a subscription uses and that are not what they were when it began.

    What it does not use does not concern it: it goes on in the version of the table that it began with.
    """
    if now.columns is query.table.columns:
        return
    there = {column.id: column for column in now.columns}
    for column in query.table.columns:
        if column.id in query.uses:
            found = there.get(column.id)
            before = (column.name, column.typmod, column.stored)
            if (
                found is None
                or (found.name, found.typmod, found.stored) != before
                or not keeps_labels(column.type, found.type)
            ):
                yield column.name
