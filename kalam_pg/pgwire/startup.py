"""The packets that open a connection, before any message has a type byte.

The manual's "Start-up" and "SSL Session Encryption" say what may come in which order; `StartupRules`
holds that order. What a server answers to SSLRequest and GSSENCRequest is one byte without
a frame (`ACCEPT`, `DECLINE`).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from kalam_pg.pgwire.byte_reader import ByteReader
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.messages import NegotiateProtocolVersion

PACKET_BYTES_MIN: Final = 8
PACKET_BYTES_MAX: Final = 10_000
"""PostgreSQL's MAX_STARTUP_PACKET_LENGTH."""

ACCEPT: Final = b"S"
DECLINE: Final = b"N"

MINOR_MAX: Final = 2
"""The newest protocol served is 3.2: 3.0 with cancel keys of up to 256 bytes."""

TLS_HANDSHAKE_BYTE: Final = 0x16
"""First byte of a TLS record of type handshake; no startup packet of legal length begins so."""


@dataclass(frozen=True, slots=True)
class SSLRequest:
    """The client would like TLS."""


@dataclass(frozen=True, slots=True)
class GSSENCRequest:
    """The client would like GSSAPI encryption."""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Cancel what the backend of that number runs; nothing is answered."""

    process_id: int
    secret_key: bytes


@dataclass(frozen=True, slots=True)
class StartupMessage:
    """Begin a session. `parameters` holds at least `user`; names are the client's."""

    major: int
    minor: int
    parameters: Mapping[str, str] = field(hash=False)


StartupPacket = SSLRequest | GSSENCRequest | CancelRequest | StartupMessage


def read_packet(data: bytes) -> tuple[StartupPacket, int] | None:
    """The packet at the start of `data` and its size in bytes, or None while it is incomplete.

    Raises:
        ProtocolViolationError: the length is not 8..10000 (checked as soon as its four bytes are
            there), or what is inside is malformed; always fatal.
    """
    if len(data) < 4:
        return None
    (size,) = struct.unpack_from(">i", data)
    if not PACKET_BYTES_MIN <= size <= PACKET_BYTES_MAX:
        raise ProtocolViolationError("invalid length of startup packet")
    if len(data) < size:
        return None
    try:
        return _packet(data[4:size]), size
    except ProtocolViolationError as exc:
        # Before a session exists there is nothing to go on with.
        raise ProtocolViolationError(
            "invalid startup packet layout", detail=exc.message or exc.detail
        ) from exc


def _packet(body: bytes) -> StartupPacket:
    major, minor = struct.unpack_from(">HH", body)
    cursor = ByteReader(body)
    cursor.take(4)
    match (major, minor):  # Codes chosen to look like no version there will ever be.
        case (1234, 5679):
            cursor.finish()
            return SSLRequest()
        case (1234, 5680):
            cursor.finish()
            return GSSENCRequest()
        case (1234, 5678):
            return _cancel_request(cursor)
        case _:
            return StartupMessage(major, minor, _parameters(cursor) if major == 3 else {})


def _cancel_request(cursor: ByteReader) -> CancelRequest:
    process_id = cursor.int32()
    secret_key = cursor.rest()
    if not 4 <= len(secret_key) <= 256:
        raise ProtocolViolationError("invalid length of cancel request", fatal=False)
    return CancelRequest(process_id, secret_key)


def _parameters(cursor: ByteReader) -> dict[str, str]:
    parameters: dict[str, str] = {}
    while name := cursor.string():
        parameters[name] = cursor.string()
    cursor.finish()
    return parameters


def supported(message: StartupMessage) -> bool:
    """Whether this server speaks the version asked for, maybe after negotiation."""
    return message.major == 3


def negotiation(message: StartupMessage) -> NegotiateProtocolVersion | None:
    """What to tell a client that asked for more than there is, None when nothing.

    A newer minor version is answered with ours, options named `_pq_.` with the list of those not
    known (all of them); the session then goes on at the lower version ("Protocol negotiation").
    """
    unknown = tuple(name for name in message.parameters if name.startswith("_pq_."))
    if message.minor > MINOR_MAX or unknown:
        return NegotiateProtocolVersion(min(message.minor, MINOR_MAX), unknown)
    return None


@dataclass(slots=True)
class StartupRules:
    """Which requests a connection has made so far: at most one of each kind.

    `encrypted` is set by the owner when TLS is up: no request for encryption is legal inside it.
    Bytes received behind such a request were sent in clear and must never be read: the owner
    closes the connection then (CVE-2021-23214).
    """

    ssl_seen: bool = False
    gssenc_seen: bool = False
    encrypted: bool = False

    def admit(self, packet: StartupPacket) -> None:
        """Take note of `packet`.

        Raises:
            ProtocolViolationError: such a request was made before, or is made inside TLS.
        """
        match packet:
            case SSLRequest():
                if self.ssl_seen or self.encrypted:
                    raise ProtocolViolationError("unexpected SSL request")
                self.ssl_seen = True
            case GSSENCRequest():
                if self.gssenc_seen or self.encrypted:
                    raise ProtocolViolationError("unexpected GSSAPI encryption request")
                self.gssenc_seen = True
            case _:
                pass
