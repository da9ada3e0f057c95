"""The timeouts of a session that does nothing, inside a transaction and outside."""

from typing import TYPE_CHECKING

from catalog.errors import IdleInTransactionSessionTimeoutError, IdleSessionTimeoutError

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession
    from kalam_pg.wire.session import WireSession
    from storage.errors import KalamError

_TIMEOUTS = ("idle_session_timeout", "idle_in_transaction_session_timeout")


def watch(session: "WireSession", sql: "SqlSession") -> None:
    """Start the timeout that idling now is subject to, if any is set."""
    settings = sql.settings
    if session.idle_settings != settings.version:
        session.idle_settings = settings.version
        session.has_idle_timeouts = any(settings[name] != "0" for name in _TIMEOUTS)
    if not session.has_idle_timeouts:
        return
    in_block = sql.status != "I"
    if in_block and sql.following:
        return  # A subscription is waited for, and holds nothing that others need.
    name = "idle_in_transaction_session_timeout" if in_block else "idle_session_timeout"
    timeout_ms = int(sql.settings[name])
    if not timeout_ms:
        return
    error: KalamError = (
        IdleInTransactionSessionTimeoutError(
            "terminating connection due to idle-in-transaction timeout"
        )
        if in_block
        else IdleSessionTimeoutError("terminating connection due to idle-session timeout")
    )
    session.idle = session.transport.call_later(
        timeout_ms / 1000.0, lambda: session.transport.terminate(error)
    )
