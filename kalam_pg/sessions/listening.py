"""LISTEN, UNLISTEN, NOTIFY and their functions: what a session asks of channels, and when it counts.

A channel belongs to the user that the session is (`live.channels`). What a transaction asks for counts
when it is committed, in commit order, whatever has become of its client; ROLLBACK takes it back.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from catalog.errors import FeatureNotSupportedError, InsufficientPrivilegeError
from catalog.model import Role
from kalam_pg.live.channels import ANNOUNCED, OVERHEAD_BYTES, Asked, Listener, Pending
from kalam_pg.live.subscription import Subscription
from kalam_pg.query.execution import Result
from kalam_pg.sessions import table_channels
from kalam_pg.sql.lexer import clip
from kalam_pg.sql.statements_live import Listen, Notify, Unlisten, Unsubscribe
from storage.layout import Value

if TYPE_CHECKING:
    from kalam_pg.query.transaction import Transaction
    from kalam_pg.sessions.sql_session import SqlSession

STATEMENTS = (Listen, Unlisten, Notify, Unsubscribe)

LISTENED_BYTES: Final = 500
"""About what a channel takes that a session listens to: its name, of at most 63 bytes, and its places."""


class Ears(Protocol):
    """What carries a session, for what it is told without having asked."""

    def wake(self) -> None:
        """Something has come for the session, which may be asleep."""

    def push(self, bodies: Sequence[bytes]) -> bool:
        """Send these bodies of notifications now, if the client may be told anything; whether it did."""

    def overflow(self) -> None:
        """More has come than is kept for it: end it."""


def run(sql: "SqlSession", statement: Listen | Unlisten | Notify | Unsubscribe) -> Result:
    """Run one of `STATEMENTS`. Raises 22023, 42501, 42P01, 0A000."""
    match statement:
        case Listen():
            _listen(sql, statement)
            return Result("LISTEN")
        case Unlisten(channel):
            _unlisten(sql, channel)
            return Result("UNLISTEN")
        case Unsubscribe(channel):
            _asking(sql).unlisten(sql.user.id, channel)
            return Result("UNSUBSCRIBE")
        case Notify(channel, payload):
            _notify(sql, _cut(sql, channel), payload)
            return Result("NOTIFY")


def unlisten_all(sql: "SqlSession") -> None:
    """UNLISTEN *, as a part of DISCARD ALL."""
    if sql.listener is not None or sql.subscriptions:
        _asking(sql).unlisten(sql.user.id, None)


def ended(sql: "SqlSession", transaction: "Transaction", *, committed: bool) -> None:
    """A transaction has ended, and the session's user is what that made it.

    What it listens to counts before what it sends, so that it hears its own. A session that has closed
    meanwhile listens to nothing, and what it sends is sent all the same.
    """
    pending = transaction.channels
    listener = sql.listener
    listens = committed and pending is not None and any(isinstance(a, Asked) for a in pending.asked)
    if listens and listener is None and sql.ears:
        listener = sql.listener = Listener(
            sql.database.channels, sql.user.id, sql.ears.wake, sql.ears.overflow
        )
    if listener is not None:
        asked = pending.asked if committed and pending is not None else ()
        if asked or listener.user != sql.user.id:
            _settle(sql, listener, listener.commit(sql.user.id, asked))
    if committed and pending is not None and pending.notified:
        sql.database.channels.publish(sql.process, pending)


def _settle(sql: "SqlSession", listener: Listener, lost: tuple[str, ...]) -> None:
    if lost:
        sql.notice(
            f"stopped listening on {', '.join(lost)}",
            severity="WARNING",
            sqlstate="01000",
            detail="These are channels of another role than the session now has.",
        )
    sql.account.holding("channels").note(len(listener.names) * LISTENED_BYTES)
    if not listener.names:
        sql.listener = None


def close(sql: "SqlSession") -> None:
    """The session ends."""
    if sql.listener is not None:
        sql.listener.close()
        sql.listener = None


def functions(sql: "SqlSession") -> dict[str, Callable[..., Value]]:
    """pg_notify and its like, by name."""

    def pg_notify(channel: str | None, payload: str | None) -> str:
        _notify(sql, channel or "", payload or "")
        return ""

    def pg_listening_channels() -> Iterator[str]:
        own = () if sql.listener is None else tuple(sql.listener.names)
        return iter(dict.fromkeys((*own, *sql.subscriptions)))

    def pg_notification_queue_usage() -> float:
        return sql.database.channels.usage(sql.listener)

    return {
        "pg_notify": pg_notify,
        "pg_listening_channels": pg_listening_channels,  # type: ignore[dict-item]  # a set of values
        "pg_notification_queue_usage": pg_notification_queue_usage,
    }


def _asking(sql: "SqlSession") -> Pending:
    return sql.begin_implicit().asking()


def _holder(sql: "SqlSession", channel: str) -> Subscription | None:
    """The stream that a channel has, or will have when the transaction is committed."""
    return _asking(sql).holder(channel, sql.subscriptions.get(channel))


def _listen(sql: "SqlSession", statement: Listen) -> None:
    if sql.ears is None:
        raise FeatureNotSupportedError("LISTEN needs a client that can be told")
    channel = statement.channel
    table = table_channels.find(sql, channel)
    if table is not None:
        table_channels.listen(sql, channel, *table, statement.since)
        return
    if statement.since:
        raise FeatureNotSupportedError(
            "LISTEN ... SINCE needs a table", detail="Notifications are not kept."
        )
    if _holder(sql, channel) is None:  # Else it has a stream already.
        sql.begin_implicit().memory.add(LISTENED_BYTES)
        _asking(sql).listen(sql.user.id, _cut(sql, channel))


def _unlisten(sql: "SqlSession", channel: str | None) -> None:
    if channel is not None and _holder(sql, channel) is None:
        channel = _cut(sql, channel)
    _asking(sql).unlisten(sql.user.id, channel)


def _notify(sql: "SqlSession", channel: str, payload: str) -> None:
    if channel.startswith(ANNOUNCED) and sql.user.role is Role.USER:
        raise InsufficientPrivilegeError(
            f'permission denied for channel "{channel}"',
            detail="Only a service, a dba or the system may tell everybody.",
        )
    if table_channels.find(sql, channel) is not None:
        raise FeatureNotSupportedError(
            f'NOTIFY on "{channel}" is not supported', detail="It is the channel of a table."
        )
    asking = _asking(sql)
    sql.begin_implicit().memory.add(2 * OVERHEAD_BYTES + len(channel) + len(payload))
    asking.notify(sql.user.id, channel, payload)


def _cut(sql: "SqlSession", channel: str) -> str:
    """A channel's name as PostgreSQL cuts it."""
    cut = clip(channel)
    if cut != channel:
        sql.notice(f'identifier "{channel}" will be truncated to "{cut}"', sqlstate="42622")
    return cut
