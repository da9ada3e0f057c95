"""Subscriptions that are read as rows: what COPY (SUBSCRIBE …), cursors and endless result sets pull.

They join the hub first and read their snapshot then, as SUBSCRIBE does. What is read is what is committed,
whatever the session's own transaction has done or sees.
"""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidParameterValueError,
    ObjectNotInPrerequisiteStateError,
)
from catalog.model import TableKind
from catalog.privileges import Action, check_table
from kalam_pg.live.commits import END, Position, Reading
from kalam_pg.live.filter import LiveQuery
from kalam_pg.live.subscriber import Subscriber
from kalam_pg.live.subscription import About
from kalam_pg.query.database import Database
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.live_rows import LiveRows, Shown, live_columns
from kalam_pg.query.prepare import PlannedSubscription
from kalam_pg.query.row_source import RowSource, Stored, Whole
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import STRIDE, Steps, run_async
from kalam_pg.sessions import snapshots
from kalam_pg.sql.statements_live import Subscribe, SubscribeOptions
from kalam_pg.sql.subscribe_options import position
from kalam_pg.sql.tree import OutputColumn
from storage.engine import WriteSet
from storage.ids import TabletId
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession


def columns(options: SubscribeOptions, planned: PlannedSubscription) -> tuple[OutputColumn, ...]:
    """Of a subscription's rows."""
    return live_columns(planned.query, _shown(options))


def _shown(options: SubscribeOptions) -> Shown:
    """What the options say of the rows."""
    progress_s = options.progress_ms / 1000.0 if options.progress_ms else inf
    page = min(options.batch_size or STRIDE, STRIDE)
    return Shown(progress_s, options.bigint == "string", options.old, options.flush, page)


def run(
    sql: "SqlSession",
    statement: Subscribe,
    planned: PlannedSubscription,
    params: Sequence[Value],
    *,
    in_parts: bool,
) -> Steps[Result]:
    """SUBSCRIBE with `stream`: a result without an end. See `open_rows`."""
    check_options(statement.options, "an endless result")
    sql.begin_implicit()
    source = yield from open_rows(
        sql, statement, planned, params, form="subscribe", in_parts=in_parts
    )
    return Result("SUBSCRIBE", None, columns(statement.options, planned), source=source)


def check_options(options: SubscribeOptions, where: str) -> None:
    """Raise 0A000 for one that is about notifications. where: what is read, for the message."""
    if options.channel:
        raise FeatureNotSupportedError(f"SUBSCRIBE option channel is not supported in {where}")


def open_rows(
    sql: "SqlSession",
    statement: Subscribe,
    planned: PlannedSubscription,
    params: Sequence[Value],
    *,
    form: str,
    in_parts: bool,
) -> Steps[LiveRows]:
    """A subscription's rows; whoever pulls them closes them.

    form: by which statement, in lower case.

    in_parts: they are pulled by several statements. The snapshot is read now, into a store, so that no
    view is held between them.

    Raises 0A000, 42501, 55000, 72000, 22023, and what the query raises.
    """
    options, table = statement.options, planned.query.table
    check_table(sql.user, Action.SELECT, table)
    if table.id not in sql.database.catalog.tables:
        raise ObjectNotInPrerequisiteStateError(
            f'table "{table.name}" is not committed yet',
            detail="A subscription reads what is committed.",
        )
    database = sql.database
    tablet = database.tablet(table, sql.user).id
    subscriber = database.hub.subscribe(tablet, _nobody, stream=table.kind is TableKind.STREAM)
    subscriber.reading = reading_of(database, planned.query, tablet)
    made = LiveRows(
        database.hub,
        subscriber,
        planned.query,
        About(form, statement.query.text, sql.user.id, sql.process, sql.database.now_us()),
        replace(sql.context(params), params=tuple(params)),
        _shown(options),
        sql.database.live_queries,
        lambda rows: sql.following.pop(rows, None),
    )
    sql.following[made] = None
    try:
        yield from _begin(sql, made, options, planned, params, in_parts=in_parts)
    except BaseException:
        made.close()
        raise
    made.allow(statement_s=int(sql.settings["statement_timeout"]) / 1000.0)
    return made


def reading_of(database: Database, query: LiveQuery, tablet: TabletId) -> Reading:
    """The version of its table that a subscription is told in, and what it looks at."""
    used = [column for column in query.table.columns if column.id in query.uses]
    return Reading(
        database.schema(query.table, tablet),
        frozenset([column.stored or column.id for column in used]),
        frozenset([column.stored for column in used if column.stored]),
    )


def resume(sql: "SqlSession", subscriber: Subscriber, token: str) -> None:
    """Go on from a position of before. Raises 72000 if the log has not all that follows, 22023."""
    seq, n = position(token)
    hub = sql.database.hub
    sql.database.engine.check_token(seq)
    if seq > hub.published:
        raise InvalidParameterValueError(f'position "{token}" is in the future')
    at = Position(seq, END if n is None else n)
    hub.check(subscriber, at)
    subscriber.resume(at)


def _nobody() -> None:
    """Nobody waits yet."""


def _begin(
    sql: "SqlSession",
    made: LiveRows,
    options: SubscribeOptions,
    planned: PlannedSubscription,
    params: Sequence[Value],
    *,
    in_parts: bool,
) -> Steps[None]:
    if options.from_seq:
        resume(sql, made.subscriber, options.from_seq)
        made.begin(None, _nobody)
        return
    if not options.snapshot:
        made.subscriber.start(made.subscriber.seen(sql.database.engine.current))
        made.begin(None, _nobody)
        return
    kind = snapshots.kind_of(sql, planned.query, made.subscriber.tablet, params, options)
    if snapshots.rows_may_be_shared(kind, planned):
        yield from _begin_shared(
            sql, made, planned, params, (kind, options.last_rows), in_parts=in_parts
        )
        return
    # Of a transaction of its own: neither what this one sees nor what it has written counts.
    x = Execution(
        sql.database,
        Transaction(sql.database.now_us()),
        sql.user,
        replace(sql.context(params), params=tuple(params)),
        statement_timeout_s=int(sql.settings["statement_timeout"]) / 1000.0,
    )
    try:
        snapshot = yield from _read(x, made, options, planned)
        if in_parts:
            snapshot = Stored((yield from snapshot.keep(sql.database.spills)))
            x.close()
    except BaseException:
        x.close()
        raise
    made.begin(snapshot, x.close)


def _begin_shared(
    sql: "SqlSession",
    made: LiveRows,
    planned: PlannedSubscription,
    params: Sequence[Value],
    key: tuple[Hashable, int | None],
    *,
    in_parts: bool,
) -> Steps[None]:
    """The same with a snapshot that is read for all who ask for it, as of a commit of its own."""
    context = replace(sql.context(params), params=tuple(params))
    found = snapshots.rows(sql, planned, context, key, made.subscriber.tablet)
    snapshot: RowSource = found
    try:
        made.subscriber.start((yield from found.taker.begun(found.timeout_s)))
        if in_parts and not found.taker.is_there:
            # Whoever pulls may take its time, and a read that is under way holds a view.
            snapshot = Stored((yield from found.keep(sql.database.spills)))
    except BaseException:
        found.close()
        raise
    made.begin(snapshot, _nobody)


def _read(
    x: Execution, made: LiveRows, options: SubscribeOptions, planned: PlannedSubscription
) -> Steps[RowSource]:
    """The rows as of one commit, which is durable; the subscriber goes on behind it."""
    database, seq = x.database, made.subscriber.seen(x.view)
    made.subscriber.start(seq)
    if database.engine.durable_seq < seq:
        yield from run_async(
            lambda: database.committer.commit(WriteSet([], [], [], sync=True)),
            timeout_s=x.statement_timeout_s,
        )
    result = yield from planned.plan.run(x)
    if options.last_rows is None:
        return result.source or Whole(result.rows)
    rows = result.rows if result.source is None else (yield from result.source.every())
    return Whole(list(reversed(rows)))


def close(sql: "SqlSession") -> None:
    """The session ends."""
    for rows in tuple(sql.following):
        rows.close()
