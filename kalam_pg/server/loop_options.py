"""What the event loop of connections is told by its owner."""

from dataclasses import dataclass
from typing import Final

from kalam_pg.server.tls import TlsServer

READER_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """Times in seconds."""

    tls: TlsServer | None = None
    tls_required: bool = False
    authentication_timeout_s: float = 60.0
    reader_patience_s: float = READER_PATIENCE_S
