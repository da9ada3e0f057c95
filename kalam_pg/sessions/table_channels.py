"""LISTEN on a table: the changes of its rows, on the channel that has its name.

The name may say which rows, and where to begin (`sql.channel_names`). Drivers that LISTEN again by
themselves when they have lost their link heal, where the name asks for a snapshot: they are told to forget
what they know (`reset`), the rows, and that these are all (`ready`).
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidParameterValueError,
    UndefinedParameterError,
    UndefinedTableError,
)
from catalog.model import Table
from catalog.privileges import Action, check_table
from kalam_pg.failures import known
from kalam_pg.live import payload
from kalam_pg.live.commits import Commit
from kalam_pg.live.subscription import Subscription
from kalam_pg.query import outcome
from kalam_pg.query.execution import Execution, Result
from kalam_pg.query.perspective import virtual_columns
from kalam_pg.query.prepare import PlannedSubscription
from kalam_pg.query.transaction import Transaction
from kalam_pg.query.waits import Steps
from kalam_pg.sessions import snapshots, subscribing
from kalam_pg.sql import channel_names
from kalam_pg.sql.channel_names import BYTES_MAX, ChannelQuery, TableName
from storage.errors import KalamError

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

ROWS_PER_STEP: Final = 500
"""Rows of a snapshot that are read at a time."""

Tell = Callable[[Iterable[str]], Steps[None]]
"""Tells objects on the stream's channel, no faster than the client reads."""


class TableStream(Subscription):
    """What a LISTEN on a table has opened.

    rows: what is to be told first, None if nothing is, or is any more. last_rows: only so many of the newest,
    which `rows` has newest first.
    fresh: the client may not know yet that it listens.
    """

    __slots__ = ("fresh", "last_rows", "rows")

    fresh: bool
    last_rows: int | None
    rows: PlannedSubscription | None

    def tell(self, commit: Commit) -> bool:
        return not self.fresh and self.rows is None and super().tell(commit)

    @property
    def waits(self) -> bool:
        return not self.fresh and self.rows is None and super().waits


def find(sql: "SqlSession", channel: str) -> tuple[Table, TableName] | None:
    """The table whose channel that is; None: it is nobody's but the user's own.

    Raises 42501 for a table that the user may not read, 0A000 for what has a name and no changes, 42P01 where
    options say that a table is meant, 22023.
    """
    meant = False
    for name in channel_names.possible_tables(channel):
        found = sql.snapshot.find(name.schema, name.table, sql.search_path)
        if isinstance(found, Table):
            if len(channel.encode()) > BYTES_MAX:
                raise InvalidParameterValueError(
                    "channel name too long",
                    detail=f"The channel of a table has at most {BYTES_MAX} bytes.",
                )
            check_table(sql.user, Action.SELECT, found)
            return found, name
        if found is not None or virtual_columns(name.schema, name.table) is not None:
            kind = "a view" if found is not None else "a relation of the catalogue"
            raise FeatureNotSupportedError(
                f'channel "{channel}" is not supported',
                detail=f"It has the name of {kind}, whose changes cannot be told.",
            )
        meant = meant or name.means_a_table
    if meant:
        table = channel.partition("?")[0]
        raise UndefinedTableError(f'relation "{table}" does not exist')
    return None


def listen(sql: "SqlSession", channel: str, table: Table, name: TableName, since: str) -> None:
    """LISTEN "table", as the name says it.

    Raises what SUBSCRIBE raises; where nothing can be told nothing is listened to.
    """
    try:
        _listen(sql, channel, table, name, since)
    except KalamError as error:
        # It counts in a text that the client has not written.
        position, error.position = error.position, 0
        place = channel_names.place_in_where(table.namespace, table.name, name.options, position)
        if place is not None and not error.detail:
            where, at = place
            error.detail = f"At character {at} of the channel's condition: {where}"
        raise


def _listen(sql: "SqlSession", channel: str, table: Table, name: TableName, since: str) -> None:
    query = channel_names.read(table.namespace, table.name, name.options, since)
    asking = sql.begin_implicit().asking()
    held = asking.holder(channel, sql.subscriptions.get(channel))
    replays = query.options.snapshot or bool(query.options.from_seq)
    if held is not None and not (replays and isinstance(held, TableStream)):
        if replays:
            sql.notice(f'channel "{channel}" has a subscription already, which goes on')
        return
    planned = _planned(sql, query)
    about = subscribing.about_it(sql, "listen", channel)
    made = TableStream(channel, about, **subscribing.join(sql, planned.query, query.options))
    made.fresh, made.last_rows, made.rows = True, query.options.last_rows, None
    asking.opens(made)
    subscribing.told_later(sql, channel)
    if not subscribing.begin(sql, made, query.options):
        made.rows = planned


def _planned(sql: "SqlSession", query: ChannelQuery) -> PlannedSubscription:
    planned = sql.cache.subscription(
        query.query,
        sql.snapshot,
        sql.search_path,
        sql.settings.types,
        now_us=sql.begin_implicit().started_us,
        cached=not sql.has_definitions,
        last_rows=query.options.last_rows,
        keyed=True,
    )
    if planned.param_types:
        raise UndefinedParameterError("there is no parameter $1")
    return planned


def tell_rows(sql: "SqlSession", stream: TableStream, tell: Tell) -> Steps[None]:
    """Tell the snapshot of a stream, read in a transaction of its own. What it raises ends the stream."""
    planned, stream.rows = stream.rows, None
    assert planned is not None
    if snapshots.rows_may_be_shared(stream.kind, planned):
        yield from _tell_shared(sql, stream, planned, tell)
        return
    database = sql.database
    transaction = Transaction(database.now_us())
    x = Execution(database, transaction, sql.user, stream.context)
    stream.context.now_us = stream.context.statement_us = transaction.started_us
    try:
        stream.subscriber.check()
        result = yield from x.answer(
            subscribing.read(
                x, planned, stream.subscriber, newest_first=stream.last_rows is not None
            )
        )
        seq = stream.subscriber.seen(x.view)
        yield from tell([payload.reset(seq)])
        yield from _tell_all(stream, result, tell)
        yield from tell([payload.ready(seq)])
    except Exception as exc:  # noqa: BLE001 -- it costs this stream
        yield from tell([stream.end(known(exc))])
    finally:
        x.close()
        outcome.rollback(database, transaction)


def _tell_shared(
    sql: "SqlSession", stream: TableStream, planned: PlannedSubscription, tell: Tell
) -> Steps[None]:
    """The same of a snapshot that is read, and made objects of, for all who ask for it."""
    stream.context.now_us = stream.context.statement_us = sql.database.now_us()
    key = (stream.kind, stream.last_rows)
    taker = snapshots.objects(sql, planned, stream.context, key, stream)
    try:
        stream.subscriber.check()
        seq = yield from taker.begun(0.0)
        stream.subscriber.start(seq)
        piece = yield from taker.next(0.0)  # Nobody forgets anything for one that cannot be read.
        yield from tell([payload.reset(seq)])
        while piece is not None:
            yield from tell(snapshots.unpacked(piece.data))
            stream.delivered += piece.rows
            piece = yield from taker.next(0.0)
        yield from tell([payload.ready(seq)])
    except Exception as exc:  # noqa: BLE001 -- it costs this stream
        yield from tell([stream.end(known(exc))])
    finally:
        taker.close()


def _tell_all(stream: TableStream, result: Result, tell: Tell) -> Steps[None]:
    if result.source is None:
        yield from tell(stream.snapshot(result.rows))
        return
    while len(portion := (yield from result.source.take(ROWS_PER_STEP))):
        yield from tell(stream.snapshot(portion.rows()))
