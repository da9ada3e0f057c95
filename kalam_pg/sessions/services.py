"""What the sessions of one server share, gathered for them once at start."""

import secrets
from dataclasses import dataclass, field
from typing import Protocol

from kalam_pg.jobs.job_list import Jobs
from kalam_pg.query.database import Database
from kalam_pg.query.prepare import StatementCache
from kalam_pg.sessions.session_registry import SessionRegistry


class SessionConfig(Protocol):
    """The settings of the server that sessions ask for."""

    @property
    def tls(self) -> str: ...

    @property
    def message_bytes_max(self) -> int: ...


@dataclass(slots=True)
class Services:
    """Shared by all sessions.

    owner_uid: the operating-system user that owns the data directory. mock_secret: makes an unknown
    user's salt. setting_defaults: the server's own defaults, by lower-case name.
    """

    config: SessionConfig
    database: Database
    cache: StatementCache
    jobs: Jobs
    owner_uid: int
    setting_defaults: dict[str, str] = field(default_factory=dict)
    registry: SessionRegistry = field(default_factory=SessionRegistry)
    mock_secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
