"""TLS over memory: ciphertext in, plaintext out, and back; the loop alone has the socket.

`TlsStream` has the shape of a session (`feed`, `outbox`), so it stands between socket and session
without either knowing.
"""

import contextlib
import ssl
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from kalam_pg.config import ConfigError
from kalam_pg.wire.protocols import TlsInfo

ALPN: Final = "postgresql"

_PLAINTEXT_READ_BYTES: Final = 65_536


class TlsServer:
    """A certificate and what to do with it.

    Raises:
        ConfigError: the files are missing, do not fit together or are no certificate.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        # No tickets and no renegotiation: nothing is resumed here, and both cost attack surface.
        self.context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
        self.context.num_tickets = 0
        self.context.set_alpn_protocols([ALPN])
        try:
            self.context.load_cert_chain(certificate, key)
            pem = certificate.read_bytes()
            self.channel_binding = end_point_hash(x509.load_pem_x509_certificate(pem))
        except (OSError, ssl.SSLError, ValueError) as exc:
            raise ConfigError(f"TLS certificate {certificate} cannot be used: {exc}") from exc

    def stream(self) -> "TlsStream":
        """A new connection's TLS state."""
        return TlsStream(self)


class TlsStream:
    """One connection's TLS, as server.

    `feed` takes ciphertext and returns what plaintext it held; `outbox` holds ciphertext to send:
    answers of the handshake, and what `write` was given.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "_server", "ended", "established", "outbox")

    def __init__(self, server: TlsServer) -> None:
        self._server = server
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = server.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.outbox = bytearray()
        self.established = False
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        """Ciphertext from the peer; returns the plaintext that is complete.

        `ended` is set when the peer said that it sends no more.

        Raises:
            ssl.SSLError: this is not TLS, or broken; `outbox` may hold an alert for the peer.
        """
        self._incoming.write(data)
        try:
            if not self.established:
                self._object.do_handshake()
                self.established = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        finally:
            self._collect()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt `data` into the outbox. Only after the handshake."""
        view = memoryview(data)
        while view:
            view = view[self._object.write(view) :]
        self._collect()

    def close(self) -> None:
        """Say that nothing more is sent."""
        with contextlib.suppress(ssl.SSLError):  # The peer's own goodbye is not waited for.
            self._object.unwrap()
        self._collect()

    def info(self) -> TlsInfo:
        """How this connection is encrypted. Only after the handshake."""
        cipher = self._object.cipher()
        name, bits = (cipher[0], cipher[2]) if cipher else ("", 0)
        version = self._object.version() or ""
        return TlsInfo(version, name, bits, self._server.channel_binding)

    @property
    def alpn(self) -> str | None:
        """The application protocol agreed on, None when the client named none of ours."""
        return self._object.selected_alpn_protocol()

    def _read(self) -> bytes:
        parts: list[bytes] = []
        try:
            while True:
                part = self._object.read(_PLAINTEXT_READ_BYTES)
                if not part:
                    self.ended = True
                    break
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return b"".join(parts)

    def _collect(self) -> None:
        if self._outgoing.pending:
            self.outbox += self._outgoing.read()


def end_point_hash(certificate: x509.Certificate) -> bytes:
    """`tls-server-end-point` (RFC 5929, 4.1): the certificate hashed as it is signed.

    MD5 and SHA-1 are replaced by SHA-256, as are signatures that name no hash (Ed25519).
    """
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None or isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    digest = hashes.Hash(algorithm)
    digest.update(certificate.public_bytes(Encoding.DER))
    return digest.finalize()
