"""How long what was made of a statement may be used: a plan, a form of its rows, a short way to run it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession


class Validity:
    """What a session was when something was made: its catalogue, its settings, who it acted as.

    Names mean what they did, text is read and written as it was, rights and rows are the same user's,
    for as long as it holds. Definitions of an open transaction are a catalogue of their own; a user whose
    rights were changed is another user.
    """

    __slots__ = ("_catalog", "_user", "_version")

    def __init__(self, sql: "SqlSession") -> None:
        """What the session is now."""
        self._catalog = sql.snapshot
        self._user = sql.user
        self._version = sql.settings.version  # It only grows, ROLLBACK counts too.

    def holds(self, sql: "SqlSession") -> bool:
        """Whether the session still is that. Some 0.2 µs, at every statement."""
        return (
            self._version == sql.settings.version
            and self._user is sql.user
            and self._catalog
            is (
                sql.database.catalog
                if sql.transaction is None and sql.temporary is None
                else sql.snapshot
            )
        )
