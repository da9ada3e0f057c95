"""pg_terminate_backend and pg_cancel_backend: what one session does to another, and who may.

They act from the loop's thread when this turn is over: an expression may be computed in another thread,
and a session is never called from inside another one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from catalog.errors import (
    AdminShutdownError,
    InsufficientPrivilegeError,
    QueryCanceledError,
)
from catalog.model import Role
from kalam_pg.sessions.session_registry import Connected, SessionRegistry

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession

REASON = "terminating connection due to administrator command"
Soon = Callable[[Callable[[], None]], None]


def functions(
    sql: "SqlSession", registry: SessionRegistry, soon: Soon
) -> dict[str, Callable[..., bool]]:
    """The two functions, for one session; `soon` calls something in the loop's thread."""

    def terminate(process: int) -> bool:
        found = _reached(sql, registry.get(process), process, "process is being terminated")
        if found is None:
            return False
        if found.sql is sql:
            raise AdminShutdownError(REASON)
        soon(lambda: found.terminate(REASON))
        return True

    def cancel(process: int) -> bool:
        found = _reached(sql, registry.get(process), process, "query is being canceled")
        if found is None:
            return False
        error = QueryCanceledError("canceling statement due to user request")
        if found.sql is sql:
            raise error
        soon(lambda: found.cancel(error))
        return True

    return {"pg_terminate_backend": terminate, "pg_cancel_backend": cancel}


def _reached(
    sql: "SqlSession", found: Connected | None, process: int, what: str
) -> Connected | None:
    """What was found, if `sql`'s user may reach it: their own sessions; a dba all but a system user's.

    Raises:
        InsufficientPrivilegeError: 42501.
    """
    if found is None or found.sql is None:
        warning = f"PID {process} is not a PostgreSQL backend process"
        sql.notice(warning, severity="WARNING", sqlstate="01000")
        return None
    other, user = found.sql.session_user, sql.user
    if user.id == other.id or user.role is Role.SYSTEM:
        return found
    if other.role is Role.SYSTEM or user.role.rank < Role.DBA.rank:
        raise InsufficientPrivilegeError(
            f"must be a member of the role whose {what} or member of pg_signal_backend"
        )
    return found
