"""SUBSCRIBE: a table's rows, and from then on every change of them, pushed on a channel.

The subscription joins the hub first and reads its snapshot then, so that no commit between the two is
missed; it is told from the end of its transaction on (`sessions.streams`). The snapshot is what is
committed: what the transaction itself has written is told when it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from catalog.errors import FeatureNotSupportedError
from catalog.model import TableKind
from catalog.privileges import Action, check_table
from catalog.types.table import PgType
from kalam_pg.functions.table import EvalContext
from kalam_pg.live.alike import Alike
from kalam_pg.live.commits import Position
from kalam_pg.live.filter import LiveQuery
from kalam_pg.live.payload import ChangeEncoder
from kalam_pg.live.subscriber import Subscriber
from kalam_pg.live.subscription import About, LiveQueries, Subscription
from kalam_pg.query import moved, populated
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.prepare import PlannedSubscription
from kalam_pg.query.transaction import READ_COMMITTED, Transaction
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.rows.form import RowForm
from kalam_pg.sessions import following, snapshots
from kalam_pg.sessions.nested import counting_from
from kalam_pg.sessions.prepared import PreparedStatement
from kalam_pg.sql.statements_live import Subscribe, SubscribeOptions
from kalam_pg.sql.tree import OutputColumn
from storage.engine import WriteSet
from storage.layout import Value

if TYPE_CHECKING:
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
            cached=not sql.has_definitions,
            last_rows=statement.options.last_rows,
        )


def columns(statement: Subscribe, planned: PlannedSubscription) -> tuple[OutputColumn, ...]:
    """Of the rows that SUBSCRIBE answers with."""
    if statement.options.stream:
        return following.columns(statement.options, planned)
    return planned.columns


def run(
    sql: "SqlSession",
    statement: Subscribe,
    params: Sequence[Value],
    prepared: PreparedStatement,
    form: RowForm | None,
) -> Steps[Result]:
    """SUBSCRIBE: the rows of the snapshot, none for `from_seq` and `snapshot = false`.

    With `stream` every change follows in the same result. Raises 0A000, 42501, 72000, and what the query
    raises.
    """
    options = statement.options
    planned = prepare(sql, statement, prepared.param_types)
    if [c.type for c in columns(statement, planned)] != [c.type for c in prepared.columns]:
        raise FeatureNotSupportedError("cached plan must not change result type")
    if options.stream:
        return (yield from following.run(sql, statement, planned, params, in_parts=form is None))
    transaction = sql.begin_implicit()
    table = planned.query.table
    channel = options.channel or f"{table.namespace}.{table.name}"
    about = about_it(sql, "subscribe", statement.query.text)
    made = Subscription(channel, about, **join(sql, planned.query, options, params))
    transaction.asking().opens(
        made
    )  # From here on its end ends the subscription, or sets it going.
    told_later(sql, channel)
    if begin(sql, made, options):
        return Result("SUBSCRIBE", 0, planned.columns)
    last_rows = options.last_rows
    if form is not None and snapshots.may_be_shared(sql, planned, form):
        x = sql.execution(params, form)
        steps = snapshots.read(x, planned, made, form, last_rows)
    else:
        x = _committed(sql, made, params, None if last_rows is not None else form)
        steps = read(x, planned, made.subscriber, newest_first=last_rows is not None)
    result = yield from x.answer(steps)
    if result.open:
        transaction.reading.add(x)
    return result


def about_it(sql: "SqlSession", form: str, text: str) -> About:
    """What others may know of a subscription that this session opens now."""
    return About(form, text, sql.user.id, sql.process, sql.database.now_us())


class Parts(TypedDict):
    """What `Subscription` is made of beside its name."""

    query: LiveQuery
    context: EvalContext
    encoder: ChangeEncoder
    alike: Alike
    subscriber: Subscriber
    listed: LiveQueries
    push: Callable[[Sequence[bytes]], bool]
    progress_s: float
    flush: bool


def join(
    sql: "SqlSession", query: LiveQuery, options: SubscribeOptions, params: Sequence[Value] = ()
) -> Parts:
    """Join the hub: from here on nothing is missed. Raises 0A000, 42501."""
    for asked, name in (
        (options.stream, "stream"),
        (options.batch_size, "batch_size"),
    ):
        if asked:
            raise FeatureNotSupportedError(f"SUBSCRIBE option {name} is not supported yet")
    check_table(sql.user, Action.SELECT, query.table)
    if query.table.materialized is not None:
        x = sql.execution(())
        try:
            populated.check(x, (query.table,))
        finally:
            x.close()
    if query.table.stored and sql.begin_implicit().isolation != READ_COMMITTED:
        moved.check(sql.execution(()), (query.table,))
    if sql.ears is None:
        raise FeatureNotSupportedError("a subscription needs a client that can be told")
    database = sql.database
    tablet = database.tablet(query.table, sql.user).id
    form = (sql.settings.types, options.bigint, options.old)
    written = None if query.tree is None else (query.tree, form)
    encoder = database.live_queries.kinds.encoder(written, lambda: _encoder(sql, query, options))
    kind = snapshots.kind_of(sql, query, tablet, params, options)
    alike = database.live_queries.kinds.of(kind)
    if alike.query is None:
        alike.query = query
    subscriber = database.hub.subscribe(
        tablet, sql.ears.wake, stream=query.table.kind is TableKind.STREAM
    )
    subscriber.reading = following.reading_of(database, query, tablet)
    return {
        "query": alike.query,
        "context": replace(sql.context(params), params=tuple(params)),
        "encoder": encoder,
        "alike": alike,
        "subscriber": subscriber,
        "listed": database.live_queries,
        "push": sql.ears.push,
        "progress_s": options.progress_ms / 1000.0,
        "flush": options.flush,
    }


def told_later(sql: "SqlSession", channel: str) -> None:
    """In a block: say from when on changes are told."""
    if sql.status != "I":
        sql.notice(f'changes on channel "{channel}" will be told after COMMIT')


def begin(sql: "SqlSession", made: Subscription, options: SubscribeOptions) -> bool:
    """Set a subscription going where its options say; False if it begins with a snapshot.

    Raises 72000 if the log has not all that follows, 22023.
    """
    if options.from_seq:
        following.resume(sql, made.subscriber, options.from_seq)
    elif not options.snapshot:
        made.subscriber.start(made.subscriber.seen(sql.database.engine.current))
    else:
        return False
    return True


def _committed(
    sql: "SqlSession", made: Subscription, params: Sequence[Value], form: RowForm | None
) -> Execution:
    """A run that sees what is committed where the transaction has changes of its own.

    Its own changes are told at COMMIT. A row that it inserts, shows here and deletes would never be.
    """
    x = sql.execution(params, form)
    own = x.transaction
    if made.subscriber.tablet in own.changes or made.subscriber.tablet in own.emptied:
        x.transaction = Transaction(own.started_us, isolation=own.isolation)
        x.transaction.reads = own.reads
        if own.isolation != READ_COMMITTED:
            own.view = own.view or sql.database.engine.acquire()
            x.transaction.view = own.view
    return x


def _encoder(sql: "SqlSession", query: LiveQuery, options: SubscribeOptions) -> ChangeEncoder:
    table = query.table
    return ChangeEncoder(
        f"{table.namespace}.{table.name}",
        [(column.name, column.type) for column in query.columns],
        [table.columns[at].type for at in query.key],
        sql.settings.types,
        bigint_numbers=options.bigint == "number",
        old=options.old,
    )


def read(
    x: Execution,
    planned: PlannedSubscription,
    subscriber: Subscriber,
    *,
    newest_first: bool,
) -> Steps[Result]:
    """The rows as of one commit, which is durable; the subscriber goes on behind it.

    newest_first: as the plan has them; oldest first is how they are told.
    """
    database, seq = x.database, subscriber.seen(x.view)
    if x.view.seq >= subscriber.since:
        subscriber.start(seq)
    else:  # REPEATABLE READ saw less than what was published when it subscribed.
        database.hub.check(subscriber, Position(seq))
        subscriber.resume(Position(seq))
    if database.engine.durable_seq < seq:
        yield from run_async(
            lambda: database.committer.commit(WriteSet([], [], [], sync=True)),
            timeout_s=x.statement_timeout_s,
        )
    result = yield from planned.plan.run(x)
    if not newest_first:
        result.tag = "SUBSCRIBE"
        return result
    rows = result.rows if result.source is None else (yield from result.source.every())
    return Result("SUBSCRIBE", len(rows), planned.columns, list(reversed(rows)))
