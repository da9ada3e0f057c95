"""The sessions of this server, by process number: what `system.sessions` lists."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from storage.errors import KalamError

if TYPE_CHECKING:
    from kalam_pg.sessions.sql_session import SqlSession


class Connected(Protocol):
    """A client's connection, as far as others may ask: what is known of it, and how it is ended.

    sql: None before authentication. client_address: "" for a Unix socket's client.
    """

    sql: "SqlSession | None"
    started_us: int

    @property
    def process_id(self) -> int: ...

    @property
    def client_address(self) -> str: ...

    @property
    def is_active(self) -> bool:
        """Whether it has something to answer."""

    @property
    def silence(self) -> str:
        """Why it is told nothing that it did not ask for; "" if it would be."""

    def cancel(self, error: KalamError) -> None:
        """Stop what runs for it with an error; nothing if nothing does."""

    def terminate(self, reason: str) -> None:
        """End it with 57P01."""


class SessionRegistry:
    """Every authenticated session, by its process number."""

    def __init__(self) -> None:
        self._sessions: dict[int, Connected] = {}

    def add(self, session: Connected) -> None:
        """A session was authenticated."""
        self._sessions[session.process_id] = session

    def remove(self, session: Connected) -> None:
        """A session ended."""
        self._sessions.pop(session.process_id, None)

    def __iter__(self) -> Iterator[Connected]:
        return iter(list(self._sessions.values()))

    def get(self, process: int) -> Connected | None:
        """The session of that number."""
        return self._sessions.get(process)

    def __len__(self) -> int:
        return len(self._sessions)
