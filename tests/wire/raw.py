"""A client that speaks bytes: what a driver would never send, and every byte that comes back."""

import base64
import hashlib
import hmac
import secrets
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from tests.wire.server import PASSWORD, KalamServer

TIMEOUT_S = 20.0


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A protocol message: type byte (b"" for none), length, body."""
    return kind + struct.pack("!i", len(body) + 4) + body


def startup(user: str, minor: int = 0, **options: str) -> bytes:
    """A StartupMessage for database kalam."""
    pairs = {"user": user, "database": "kalam", **options}
    body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in pairs.items())
    return message(b"", struct.pack("!hh", 3, minor) + body + b"\0")


def query(text: str) -> bytes:
    """A Query message."""
    return message(b"Q", text.encode() + b"\0")


def parse(text: str, name: str = "", types: Sequence[int] = ()) -> bytes:
    """A Parse message."""
    oids = struct.pack(f"!h{len(types)}I", len(types), *types)
    return message(b"P", name.encode() + b"\0" + text.encode() + b"\0" + oids)


def bind(
    parameters: Sequence[bytes | None] = (),
    *,
    statement: str = "",
    portal: str = "",
    formats: Sequence[int] = (),
    results: Sequence[int] = (),
) -> bytes:
    """A Bind message."""
    body = portal.encode() + b"\0" + statement.encode() + b"\0"
    body += struct.pack(f"!h{len(formats)}h", len(formats), *formats)
    body += struct.pack("!H", len(parameters))
    for value in parameters:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message(b"B", body + struct.pack(f"!h{len(results)}h", len(results), *results))


def execute(max_rows: int = 0, portal: str = "") -> bytes:
    """An Execute message."""
    return message(b"E", portal.encode() + b"\0" + struct.pack("!i", max_rows))


DESCRIBE = message(b"D", b"P\0")
SYNC = message(b"S")
TERMINATE = message(b"X")


@dataclass
class Answer:
    """What came back until ReadyForQuery or the end: `kinds` its message types in order."""

    raw: bytes = b""
    kinds: str = ""
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    notices: list[dict[str, str]] = field(default_factory=list)
    notifications: list[tuple[str, str]] = field(default_factory=list)
    """(channel, payload) of each NotificationResponse."""

    @property
    def sqlstate(self) -> str | None:
        """Of the first error."""
        return self.errors[0]["C"] if self.errors else None


class RawClient:
    """One connection. `received` keeps every byte that the server ever sent on it."""

    def __init__(
        self, server: KalamServer, user: str = "root", *, login: bool = True, source: str = ""
    ) -> None:
        """source: the address to come from, by TCP."""
        if user == "root":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(TIMEOUT_S)
            try:
                self.socket.connect(str(server.directory / f".s.PGSQL.{server.port}"))
            except OSError:
                self.socket.close()
                raise
        else:
            own = (source, 0) if source else None
            self.socket = socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S, own)
        self.user = user
        self.received = bytearray()
        self.key = b""
        self._read = 0
        """How much of `received` has been taken as messages."""
        if login:
            self.send(startup(user))
            answer = self.authenticate(PASSWORD)
            assert answer.sqlstate is None, answer.errors

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def receive(self) -> tuple[str, bytes]:
        """The next message: type and body; ("", b"") at the end of the connection."""
        while True:
            start, there = self._read, len(self.received) - self._read
            if there >= 5:
                size = 1 + struct.unpack_from("!i", self.received, start + 1)[0]
                if there >= size:
                    self._read += size
                    return chr(self.received[start]), bytes(self.received[start + 5 : start + size])
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionError:
                data = b""
            if not data:
                return "", b""
            self.received += data

    def answer(self, *, ready: int = 1) -> Answer:
        """Everything up to the `ready`th ReadyForQuery, or to the end of the connection."""
        start, answer = self._read, Answer()
        while ready:
            kind, body = self.receive()
            answer.kinds += kind
            match kind:
                case "Z":
                    ready -= 1
                case "":
                    break
                case "D":
                    answer.rows.append(row_values(body))
                case "C":
                    answer.tags.append(body[:-1].decode())
                case "E":
                    answer.errors.append(_fields(body))
                case "N":
                    answer.notices.append(_fields(body))
                case "A":
                    channel, payload, _ = body[4:].decode().split("\0")
                    answer.notifications.append((channel, payload))
                case "K":
                    self.key = body
        answer.raw = bytes(self.received[start : self._read])
        return answer

    def authenticate(self, password: str) -> Answer:
        """Answer the server's SCRAM-SHA-256 demand, if it makes one (RFC 5802)."""
        last = self.prove(password)
        if isinstance(last, Answer):
            return last
        self.send(last)
        return self.answer()

    def prove(self, password: str) -> bytes | Answer:
        """The exchange up to its last message, which is returned; or what ended it before."""
        kind, body = self.receive()
        code = struct.unpack("!i", body[:4])[0] if kind == "R" else -1
        if code != 10:
            return self.answer() if kind == "R" else Answer(errors=[_fields(body)])
        nonce = base64.b64encode(secrets.token_bytes(18)).decode()
        bare = f"n=,r={nonce}"
        first = b"n,," + bare.encode()
        self.send(message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
        kind, body = self.receive()
        if kind != "R":
            return Answer(kinds=kind, errors=[_fields(body)])
        server_first = body[4:].decode()
        given = dict(part.split("=", 1) for part in server_first.split(","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", password.encode(), base64.b64decode(given["s"]), int(given["i"])
        )
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        final = f"c=biws,r={given['r']}"
        signed = f"{bare},{server_first},{final}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return message(b"p", f"{final},p={base64.b64encode(proof).decode()}".encode())

    def simple(self, text: str) -> Answer:
        """Run a text by the simple protocol."""
        self.send(query(text))
        return self.answer()

    def extended(self, text: str, *parameters: bytes | None) -> Answer:
        """Run one statement by the extended protocol, described, with text parameters."""
        self.send(parse(text) + bind(parameters) + DESCRIBE + execute() + SYNC)
        return self.answer()

    def closed_by_server(self) -> bool:
        """Whether the server has ended the connection; whatever it still says is read."""
        while True:
            kind, _ = self.receive()
            if not kind:
                return True

    def close(self) -> None:
        """Close without a word."""
        self.socket.close()


def row_values(body: bytes) -> tuple[str | None, ...]:
    """The values of a DataRow message, as text."""
    (count,) = struct.unpack_from("!h", body)
    at, values = 2, list[str | None]()
    for _ in range(count):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        if size < 0:
            values.append(None)
            continue
        values.append(body[at : at + size].decode(errors="backslashreplace"))
        at += size
    return tuple(values)


def _fields(body: bytes) -> dict[str, str]:
    return {chr(part[0]): part[1:].decode() for part in body.split(b"\0") if part}
