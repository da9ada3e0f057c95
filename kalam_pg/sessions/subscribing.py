"""SUBSCRIBE: a table's rows, and from then on every change of them, pushed on a channel.

The subscription joins the hub first and reads its snapshot then, so that no commit between the two is
missed; it is told from the end of the statement's transaction on. One channel of a session carries one
stream: SUBSCRIBE on a channel that has one begins it anew. UNSUBSCRIBE, UNLISTEN and DISCARD ALL end it
without a word; whatever else ends it is told as its last object.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from catalog.errors import (
    ActiveSqlTransactionError,
    FeatureNotSupportedError,
    InsufficientPrivilegeError,
    InvalidParameterValueError,
    UndefinedTableError,
)
from catalog.model import TableKind
from catalog.privileges import Action, check_table, table_allows
from catalog.snapshot import Snapshot
from catalog.types.table import PgType
from kalam_pg.live.filter import LiveQuery
from kalam_pg.live.hub import END, Position, Subscriber
from kalam_pg.live.payload import ChangeEncoder
from kalam_pg.live.subscription import Subscription
from kalam_pg.query.database import Database
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.prepare import PlannedSubscription
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions.nested import counting_from
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sql.statements_live import Subscribe, SubscribeOptions
from kalam_pg.sql.subscribe_options import position
from storage.engine import WriteSet
from storage.errors import KalamError
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.query.transaction import Transaction
    from kalam_pg.sessions.sql_session import SqlSession


def prepare(
    sql: "SqlSession", statement: Subscribe, declared: Sequence[PgType | None]
) -> PlannedSubscription:
    """Settle parameter and result types, and what a subscription cannot be. Raises what binding raises."""
    transaction = sql.transaction
    now_us = sql.database.now_us() if transaction is None else transaction.started_us
    with counting_from(statement.query):
        return sql.cache.subscription(
            statement.query,
            sql.snapshot,
            sql.search_path,
            sql.settings.types,
            declared,
            now_us=now_us,
            last_rows=statement.options.last_rows,
        )


def run(
    sql: "SqlSession",
    statement: Subscribe,
    params: Sequence[Value],
    prepared: PreparedStatement,
    form: RowForm | None,
) -> Steps[Result]:
    """SUBSCRIBE: the rows of the snapshot, none for `from_seq` and `snapshot = false`.

    Raises 0A000, 25001, 42501, 72000, and what the query raises.
    """
    options = statement.options
    _check(sql, options)
    transaction = sql.begin_implicit()
    planned = prepare(sql, statement, prepared.param_types)
    if [c.type for c in planned.columns] != [c.type for c in prepared.columns]:
        raise FeatureNotSupportedError("cached plan must not change result type")
    table = planned.query.table
    check_table(sql.user, Action.SELECT, table)
    if table.kind is TableKind.STREAM:
        raise FeatureNotSupportedError("SUBSCRIBE to a STREAM table is not supported yet")
    hub = sql.database.hub
    tablet = sql.database.tablet(table, sql.user).id
    channel = options.channel or f"{table.namespace}.{table.name}"
    ears = sql.ears
    assert ears is not None
    subscriber = hub.subscribe(tablet, ears.wake)
    made = Subscription(
        channel,
        sql.user.id,
        planned.query,
        replace(sql.context(params), params=tuple(params)),
        _encoder(sql, planned.query, options),
        subscriber,
    )
    transaction.opened.append(made)  # From here on its end ends the subscription, or sets it going.
    if options.from_seq:
        _resume(sql, subscriber, options.from_seq)
        return Result("SUBSCRIBE", 0, planned.columns)
    if not options.snapshot:
        subscriber.start(sql.database.engine.current.seq)
        return Result("SUBSCRIBE", 0, planned.columns)
    return (yield from _snapshot(sql, planned, params, form, subscriber, options))


def _check(sql: "SqlSession", options: SubscribeOptions) -> None:
    if sql.ears is None:
        raise FeatureNotSupportedError("SUBSCRIBE needs a client that can be told")
    for asked, name in (
        (options.stream, "stream"),
        (options.progress_ms, "progress"),
        (options.flush, "flush"),
        (options.batch_size, "batch_size"),
    ):
        if asked:
            raise FeatureNotSupportedError(f"SUBSCRIBE option {name} is not supported yet")
    if sql.transaction is not None and sql.transaction.block:
        raise ActiveSqlTransactionError("SUBSCRIBE cannot run inside a transaction block")


def _encoder(sql: "SqlSession", query: LiveQuery, options: SubscribeOptions) -> ChangeEncoder:
    table = query.table
    return ChangeEncoder(
        f"{table.namespace}.{table.name}",
        [(column.name, column.type) for column in query.columns],
        [table.columns[at].type for at in query.key],
        sql.settings.types,
        bigint_numbers=options.bigint_numbers,
        old=options.old,
    )


def _resume(sql: "SqlSession", subscriber: Subscriber, token: str) -> None:
    """Go on from a position of before. Raises 72000 if the log has not all that follows, 22023."""
    seq, n = position(token)
    hub = sql.database.hub
    if seq > hub.published:
        raise InvalidParameterValueError(f'position "{token}" is in the future')
    at = Position(seq, END if n is None else n)
    hub.read(subscriber.tablet, at)
    subscriber.resume(at)


def _snapshot(
    sql: "SqlSession",
    planned: PlannedSubscription,
    params: Sequence[Value],
    form: RowForm | None,
    subscriber: Subscriber,
    options: SubscribeOptions,
) -> Steps[Result]:
    """The rows as of one commit, which is durable; the subscriber goes on behind it."""
    x = sql.execution(params, None if options.last_rows is not None else form)
    return (yield from x.answer(_read(x, planned, subscriber, options)))


def _read(
    x: Execution,
    planned: PlannedSubscription,
    subscriber: Subscriber,
    options: SubscribeOptions,
) -> Steps[Result]:
    database, seq = x.database, x.view.seq
    if seq >= subscriber.since:
        subscriber.start(seq)
    else:  # REPEATABLE READ saw less than what was published when it subscribed.
        subscriber.resume(Position(seq))
    if database.engine.durable_seq < seq:
        yield from run_async(
            lambda: database.committer.commit(WriteSet([], [], [], sync=True)),
            timeout_s=x.statement_timeout_s,
        )
    result = yield from planned.plan.run(x)
    if options.last_rows is None:
        result.tag = "SUBSCRIBE"
        return result
    rows = result.rows if result.source is None else (yield from result.source.every())
    return Result("SUBSCRIBE", len(rows), planned.columns, list(reversed(rows)))


def ended(sql: "SqlSession", transaction: "Transaction", *, committed: bool) -> None:
    """A transaction has ended: what it subscribed to begins or is forgotten, what it left ends."""
    channels = transaction.channels
    if committed and channels is not None:
        for asked in channels.asked:
            if not asked.listen:
                names = tuple(sql.subscriptions) if asked.channel is None else (asked.channel,)
                for name in names:
                    _stop(sql, name)
    for made in transaction.opened:
        if committed and sql.ears is not None:
            _stop(sql, made.channel)
            sql.subscriptions[made.channel] = made
            if made.waits:
                sql.ears.wake()
        else:
            sql.database.hub.stop(made.subscriber)
    transaction.opened.clear()
    recheck(sql, sql.database.catalog)


def _stop(sql: "SqlSession", channel: str) -> None:
    found = sql.subscriptions.pop(channel, None)
    if found is not None:
        sql.database.hub.stop(found.subscriber)


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
        if session.subscriptions:
            recheck(session, catalog)


def recheck(sql: "SqlSession", catalog: Snapshot) -> None:
    """The catalogue, the user or its rights may be others: end what may not go on, with the reason."""
    for one in tuple(sql.subscriptions.values()):
        error = _reason(sql, one, catalog)
        if error is not None:
            sql.database.hub.end(one.subscriber, error)


def _reason(sql: "SqlSession", one: Subscription, catalog: Snapshot) -> KalamError | None:
    table = one.query.table
    found = catalog.table_by_id(table.id)
    if found is None:
        return UndefinedTableError(f'relation "{table.namespace}.{table.name}" does not exist')
    if sql.user.id != one.user:
        return InsufficientPrivilegeError("the session has another role now")
    if not found.per_user and not table_allows(sql.user, Action.SELECT, found):
        return InsufficientPrivilegeError(f"permission denied for table {found.name}")
    return None
