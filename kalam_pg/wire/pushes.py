"""What a session is told without having asked: notifications, and the streams that it has opened.

Only while it is idle outside a transaction, after ReadyForQuery ("Asynchronous Operations" in the manual;
some drivers lose rows when they are told anything in between). Its own notifications come just before
ReadyForQuery.
"""

from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING, Final

from kalam_pg.live.channels import Listener
from kalam_pg.pgwire.encode import notification
from kalam_pg.query.waits import Steps, run_async
from kalam_pg.sessions import streams, table_channels
from kalam_pg.sessions.table_channels import TableStream
from kalam_pg.wire.results import UNSENT_BYTES_MAX
from storage.errors import KalamError

if TYPE_CHECKING:
    from kalam_pg.live.subscription import Subscription
    from kalam_pg.sessions.sql_session import SqlSession
    from kalam_pg.wire.session import WireSession

PUSHED_BYTES: Final = 65_536
"""What an idle session is told at a time: what its client does not read stays in the queue."""

FRESH_S: Final = 0.05
"""How long a LISTEN on a table is told nothing: asyncpg drops what comes in one piece with the answer to its
LISTEN, because it notes down who listens only then."""


UNREAD: Final = "its client does not read"
"""Why a session is told nothing that could be told it."""


def has_heard(sql: "SqlSession") -> bool:
    """Whether something waits to be told."""
    if sql.listener is not None and sql.listener.waits:
        return True
    return bool(sql.subscriptions) and any(map(_is_due, sql.subscriptions.values()))


def _is_due(stream: "Subscription") -> bool:
    if isinstance(stream, TableStream) and stream.rows is not None:
        return not stream.fresh
    return stream.waits


def push(session: "WireSession", sql: "SqlSession") -> Steps[None] | None:
    """Queue some of what waits. What is to be told in steps, if there is such a thing."""
    if sql.listener is not None:
        tell(session, sql.listener, PUSHED_BYTES)
    for stream in tuple(sql.subscriptions.values()):
        if isinstance(stream, TableStream) and stream.rows is not None:
            if not stream.fresh:
                return _tell_rows(session, sql, stream)
        elif stream.waits:
            _queue(session, stream, stream.take(PUSHED_BYTES))
            if stream.ended:
                streams.forget(sql, stream)
    return None


def tell(session: "WireSession", listener: Listener, bytes_max: int = 1 << 62) -> None:
    """Queue notifications that have come."""
    for told in listener.take(bytes_max):
        message = notification(told.process_id, told.channel, told.payload)
        session.outbox += session.text.told(message, 9)


def _queue(session: "WireSession", stream: "Subscription", told: Iterable[str]) -> None:
    for one in told:
        message = notification(session.process_id, stream.channel, one)
        session.outbox += session.text.told(message, 9)
    stream.silent_until = 0.0


def _tell_rows(session: "WireSession", sql: "SqlSession", stream: TableStream) -> Steps[None]:
    """A stream begins with rows: tell them no faster than the client reads."""

    def told(objects: Iterable[str]) -> Steps[None]:
        for one in objects:
            _queue(session, stream, (one,))
            if len(session.outbox) > UNSENT_BYTES_MAX:
                yield from run_async(session.transport.drain)

    yield from table_channels.tell_rows(sql, stream, told)
    if stream.ended:
        streams.forget(sql, stream)


def let_begin(session: "WireSession", sql: "SqlSession") -> None:
    """Have streams that were opened just now told soon."""
    fresh = [s for s in sql.subscriptions.values() if isinstance(s, TableStream) and s.fresh]
    if fresh and session.fresh is None:

        def begin() -> None:
            session.fresh = None
            for stream in fresh:
                stream.fresh = False
            session.transport.schedule()

        session.fresh = session.transport.call_later(FRESH_S, begin)


def end_all(session: "WireSession", sql: "SqlSession", error: KalamError) -> None:
    """The session is about to be ended: the last object of every stream is the reason."""
    for stream in tuple(sql.subscriptions.values()):
        _queue(session, stream, (stream.end(error),))
        streams.forget(sql, stream)


def beat(session: "WireSession", sql: "SqlSession") -> None:
    """Tell how far it is what was silent for as long as it may be; come back for the next."""
    beating = [s for s in sql.subscriptions.values() if s.progress_s and s.subscriber.position]
    if not beating:
        return
    now_s = monotonic()
    for stream in beating:
        if stream.silent_until and stream.silent_until <= now_s:
            _queue(session, stream, (stream.progress(),))
        if not stream.silent_until:
            stream.silent_until = now_s + stream.progress_s
    due_s = min(stream.silent_until for stream in beating)
    session.beat_at(due_s, due_s - now_s)
