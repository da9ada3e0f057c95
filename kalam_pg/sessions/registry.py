"""The sessions of this server: whom to end when a user is dropped, what `system.sessions` lists."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalam_pg.sessions.session import Session


class SessionRegistry:
    """Every authenticated session, by its process number."""

    def __init__(self) -> None:
        self._sessions: dict[int, Session] = {}

    def add(self, session: "Session") -> None:
        """A session was authenticated."""
        self._sessions[session.transport.process_id] = session

    def remove(self, session: "Session") -> None:
        """A session ended."""
        self._sessions.pop(session.transport.process_id, None)

    def __iter__(self) -> Iterator["Session"]:
        return iter(list(self._sessions.values()))

    def __len__(self) -> int:
        return len(self._sessions)

    def end_sessions_of(self, user_id: int, *, but: object = None) -> None:
        """End every session that authenticated as a user, or acts as them."""
        for session in self:
            sql = session.sql
            if sql is None or sql is but:
                continue
            if user_id in (sql.login_user.id, sql.user.id, sql.session_user.id):
                session.terminate("terminating connection because the role was dropped")
