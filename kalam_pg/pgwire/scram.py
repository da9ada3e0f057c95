"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677): the server's half, and verifiers.

No I/O and no clock. The slow part, 4096 rounds of HMAC for a new password, is `make_verifier`; a
login costs the server a few hashes only, since the client does the rounds.

An unknown user gets the same exchange with a mock verifier, whose salt depends on the name and a
secret of this server only, so that asking twice does not show that it was invented.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.saslprep import prepare

MECHANISM: Final = "SCRAM-SHA-256"
MECHANISM_PLUS: Final = "SCRAM-SHA-256-PLUS"

ITERATIONS: Final = 4096
"""PostgreSQL's scram_iterations and RFC 7677's minimum."""

ITERATIONS_MAX: Final = 1_000_000
"""A verifier given as text may not ask the client for more."""

SALT_BYTES: Final = 16
NONCE_BYTES: Final = 18
"""18 bytes are 24 characters of base64, as PostgreSQL sends."""

CHANNEL_BINDING: Final = "tls-server-end-point"


@dataclass(frozen=True, slots=True)
class Verifier:
    """What is kept of a password: enough to check a proof, not enough to make one."""

    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes

    def __str__(self) -> str:
        """PostgreSQL's text form, as in pg_authid.rolpassword."""
        keys = f"{_encode(self.stored_key)}:{_encode(self.server_key)}"
        return f"{MECHANISM}${self.iterations}:{_encode(self.salt)}${keys}"


def make_verifier(
    password: str, *, salt: bytes | None = None, iterations: int = ITERATIONS
) -> Verifier:
    """The verifier of a new password. Takes about 2 ms: not for the event loop."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", prepare(password), salt, iterations)
    client_key = _hmac(salted, b"Client Key")
    return Verifier(
        iterations, salt, hashlib.sha256(client_key).digest(), _hmac(salted, b"Server Key")
    )


def parse_verifier(text: str) -> Verifier | None:
    """The verifier of its text form; None when `text` is not one (then it is a password)."""
    try:
        mechanism, parameters, keys = text.split("$")
        iterations_text, salt_text = parameters.split(":")
        stored_text, server_text = keys.split(":")
        iterations = int(iterations_text)
        salt, stored, server = map(_decode, (salt_text, stored_text, server_text))
    except ValueError:
        return None
    if mechanism != MECHANISM or not 1 <= iterations <= ITERATIONS_MAX:
        return None
    if not iterations_text.isdecimal() or not salt or len(stored) != 32 or len(server) != 32:
        return None
    return Verifier(iterations, salt, stored, server)


def mock_verifier(user: str, secret: bytes) -> Verifier:
    """A verifier for a user that does not exist (or may not log in): no password fits it.

    secret: random, the same for as long as names should get the same salt.
    """
    salt = _hmac(secret, b"salt" + user.encode(errors="replace"))[:SALT_BYTES]
    return Verifier(ITERATIONS, salt, secrets.token_bytes(32), secrets.token_bytes(32))


def mechanisms(*, channel_binding: bool) -> tuple[str, ...]:
    """What to offer, best first; channel binding exists under TLS only."""
    return (MECHANISM_PLUS, MECHANISM) if channel_binding else (MECHANISM,)


def password_failed(user: str) -> str:
    """What every failure says, with SQLSTATE 28P01."""
    return f'password authentication failed for user "{user}"'


class ScramServer:
    """One exchange: `first` answers the client's first message, `final` its last.

    verifier: the user's, or a mock. `known` False makes `final` fail whatever is proved, for
    a mock and for a user who may not log in: the exchange looks the same.
    channel_binding: the hash of the server's certificate under TLS, None without.
    """

    def __init__(
        self,
        mechanism: str,
        verifier: Verifier,
        *,
        known: bool = True,
        channel_binding: bytes | None = None,
        nonce: str | None = None,
    ) -> None:
        if mechanism not in mechanisms(channel_binding=channel_binding is not None):
            raise ProtocolViolationError("client selected an invalid SASL authentication mechanism")
        self._plus = mechanism == MECHANISM_PLUS
        self._verifier = verifier
        self._known = known
        self._binding = channel_binding
        self._nonce = nonce or _encode(secrets.token_bytes(NONCE_BYTES))
        self._header = b""
        self._client_first_bare = ""
        self._server_first = ""

    def first(self, message: bytes) -> bytes:
        """The server-first-message to a client-first-message.

        Raises:
            ProtocolViolationError: malformed, or its channel binding flag does not fit.
        """
        text = _text(message)
        header, bare = self._split_header(text)
        self._header = header.encode()
        # The user name in here is ignored, as in PostgreSQL: the startup packet's counts.
        if bare.startswith("m="):
            raise _malformed("client requires an unsupported SCRAM extension")
        attributes = bare.split(",")
        if len(attributes) < 2 or not attributes[0].startswith("n="):
            raise _malformed("user name expected")
        if not attributes[1].startswith("r="):
            raise _malformed("nonce expected")
        client_nonce = attributes[1][2:]
        if not client_nonce or not all(" " < char < "\x7f" for char in client_nonce):
            raise _malformed("non-printable characters in SCRAM nonce")
        self._client_first_bare = bare
        self._nonce = client_nonce + self._nonce
        salt = _encode(self._verifier.salt)
        self._server_first = f"r={self._nonce},s={salt},i={self._verifier.iterations}"
        return self._server_first.encode()

    def final(self, message: bytes) -> bytes | None:
        """The server-final-message to a client-final-message; None: the proof is wrong.

        Raises:
            ProtocolViolationError: malformed, another nonce, or bound to another channel.
        """
        text = _text(message)
        without_proof, found, proof_text = text.rpartition(",p=")
        attributes = without_proof.split(",")
        if not found or len(attributes) < 2:
            raise _malformed("proof expected")
        if not attributes[0].startswith("c=") or not attributes[1].startswith("r="):
            raise _malformed("channel binding and nonce expected")
        try:
            proof = _decode(proof_text)
        except ValueError as exc:
            raise _malformed("malformed proof") from exc
        bound = self._header + (self._binding or b"" if self._plus else b"")
        if not hmac.compare_digest(attributes[0][2:].encode(), _encode(bound).encode()):
            raise ProtocolViolationError("SCRAM channel binding check failed")
        if not hmac.compare_digest(attributes[1][2:].encode(), self._nonce.encode()):
            raise _malformed("nonce does not match")
        return self._check(without_proof, proof)

    def _check(self, without_proof: str, proof: bytes) -> bytes | None:
        signed = f"{self._client_first_bare},{self._server_first},{without_proof}".encode()
        signature = _hmac(self._verifier.stored_key, signed)
        if len(proof) != len(signature):
            raise _malformed("malformed proof")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        right = hmac.compare_digest(hashlib.sha256(client_key).digest(), self._verifier.stored_key)
        if not (right and self._known):
            return None
        return b"v=" + _encode(_hmac(self._verifier.server_key, signed)).encode()

    def _split_header(self, text: str) -> tuple[str, str]:
        """The GS2 header with its last comma, and the rest."""
        flag, _, rest = text.partition(",")
        authzid, comma, bare = rest.partition(",")
        if not comma:
            raise _malformed("GS2 header expected")
        if authzid:
            raise _malformed("client uses authorization identity, but it is not supported")
        if self._plus:
            if flag != f"p={CHANNEL_BINDING}":
                raise _malformed("SCRAM-SHA-256-PLUS without its channel binding")
        elif flag == "y" and self._binding is not None:
            # The client could bind, and believes that we cannot: someone took -PLUS off the list.
            raise ProtocolViolationError(
                "SCRAM channel binding negotiation error",
                detail="The client supports SCRAM channel binding but thinks the server does not.",
            )
        elif flag not in ("n", "y"):
            raise _malformed("unexpected channel binding flag")
        return f"{flag},{authzid},", bare


def _text(message: bytes) -> str:
    try:
        text = message.decode()
    except UnicodeDecodeError as exc:
        raise _malformed("not UTF-8") from exc
    if not text or "\0" in text:
        raise _malformed("empty, or with a zero byte")
    return text


def _malformed(detail: str) -> ProtocolViolationError:
    return ProtocolViolationError(
        "malformed SCRAM message", detail=detail[:1].upper() + detail[1:] + "."
    )


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decode(text: str) -> bytes:
    """Strict base64: the one spelling that encoding gives (ValueError otherwise)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise ValueError(text) from exc
    if _encode(raw) != text:
        raise ValueError(text)
    return raw
