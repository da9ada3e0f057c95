"""What comes before a session: requests for encryption, cancel requests, TLS itself.

The order of packets is `pgwire.startup`'s; this adds what only a server knows: whether there is a
certificate, whether TLS is required, and the registry of what can be cancelled.
"""

from dataclasses import dataclass, replace
from typing import Final

from catalog.errors import InvalidAuthorizationSpecificationError
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.startup import (
    ACCEPT,
    DECLINE,
    TLS_HANDSHAKE_BYTE,
    CancelRequest,
    GSSENCRequest,
    SSLRequest,
    StartupRules,
    read_packet,
)
from kalam_pg.server.cancel import CancelRegistry
from kalam_pg.server.tls import ALPN, TlsServer, TlsStream
from kalam_pg.wire.protocols import Peer
from storage.errors import KalamError

TLS_REQUIRED: Final = InvalidAuthorizationSpecificationError(
    "this server requires an encrypted connection", hint="Connect with sslmode=require."
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A StartupMessage came: who sent it, and its bytes with all that followed them."""

    peer: Peer
    data: bytes


class OpeningRefusedError(Exception):
    """The connection ends before a session: with an ErrorResponse, or silently (None)."""

    def __init__(self, error: KalamError | None = None) -> None:
        super().__init__(error)
        self.error = error


class Opening:
    """One connection until its StartupMessage.

    `answer` collects plaintext to send (the caller takes it); `tls` is set as soon as bytes of the
    peer are TLS.
    """

    __slots__ = ("_cancels", "_direct", "_input", "_peer", "_rules", "_tls_required", "_tls_server",
                 "answer", "tls")  # fmt: skip

    def __init__(
        self, peer: Peer, cancels: CancelRegistry, tls_server: TlsServer | None, tls_required: bool
    ) -> None:
        self._peer = peer
        self._cancels = cancels
        # On a Unix socket no one can listen, so PostgreSQL offers no TLS there either.
        self._tls_server = tls_server if peer.kind == "tcp" else None
        self._tls_required = tls_required and peer.kind == "tcp"
        self._rules = StartupRules()
        self._input = b""
        self._direct = False
        self.answer = bytearray()
        self.tls: TlsStream | None = None

    def feed(self, data: bytes) -> Opened | None:
        """Bytes from the socket; None while the StartupMessage is not complete.

        Raises:
            OpeningRefusedError: close, after the error if there is one.
            ssl.SSLError: the peer's TLS is broken.
        """
        if self.tls is not None:
            data = self.tls.feed(data)
            if self._direct and self.tls.established and self.tls.alpn != ALPN:
                # Without ALPN another protocol's client could be led here ("direct" negotiation).
                raise OpeningRefusedError
        self._input += data
        try:
            return self._packets()
        except ProtocolViolationError as exc:
            raise OpeningRefusedError(exc) from exc

    def _packets(self) -> Opened | None:
        while self._input:
            if self._input[0] == TLS_HANDSHAKE_BYTE and self.tls is None:
                return self._direct_tls()
            found = read_packet(self._input)
            if found is None:
                return None
            packet, size = found
            behind = len(self._input) - size
            if behind and isinstance(packet, SSLRequest | GSSENCRequest):
                # Someone in the middle may have put it there (CVE-2021-23214): not even an error.
                raise OpeningRefusedError
            self._rules.admit(packet)
            match packet:
                case SSLRequest():
                    self._input = b""
                    if self._tls_server is not None:
                        self.answer += ACCEPT
                        self.tls = self._tls_server.stream()
                        self._rules.encrypted = True
                    else:
                        self.answer += DECLINE
                case GSSENCRequest():
                    self._input = b""
                    self.answer += DECLINE
                case CancelRequest(process_id, secret_key):
                    self._cancels.request(process_id, secret_key)
                    raise OpeningRefusedError
                case _:
                    return self._opened()
        return None

    def _direct_tls(self) -> Opened | None:
        if self._tls_server is None or self._rules.ssl_seen:
            raise OpeningRefusedError
        self.tls = self._tls_server.stream()
        self._direct = self._rules.encrypted = True
        data, self._input = self._input, b""
        return self.feed(data)

    def _opened(self) -> Opened:
        if self._tls_required and self.tls is None:
            raise OpeningRefusedError(TLS_REQUIRED)
        peer = self._peer if self.tls is None else replace(self._peer, tls=self.tls.info())
        return Opened(peer, self._input)
