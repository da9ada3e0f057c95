"""A client that asks for too much, and throws away what it is answered."""

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.wire.raw import SYNC, RawClient, bind, execute, message, parse, query, startup
from tests.wire.server import KalamServer

PATIENCE_S: Final = 15.0
"""Longer than any answer may take; who waits so long gives the server up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a statement ended. sqlstate: None when it was answered."""

    sqlstate: str | None
    message: str
    seconds: float
    bytes: int

    def __str__(self) -> str:
        return f"{self.sqlstate} {self.message[:40]}" if self.sqlstate else "ok"


class Attacker(RawClient):
    """One session; answers are counted and not kept."""

    def __init__(self, server: KalamServer, user: str) -> None:
        self.server = server
        super().__init__(server, user, login=False)
        self.socket.settimeout(PATIENCE_S)
        self.on_sent: Callable[[], None] = lambda: None
        """Called when what it asks has been sent: a cancel that comes before that cancels nothing."""
        self.process, self.secret = 0, b""
        self.send(startup(user))
        answer = self.authenticate("a password")
        assert answer.sqlstate is None, answer.errors
        self.process, self.secret = struct.unpack("!i", self.key[:4])[0], self.key[4:]

    def cancel(self) -> None:
        """Send a CancelRequest for what it runs."""
        body = struct.pack("!iii", 12 + len(self.secret), 80877102, self.process) + self.secret
        with socket.create_connection(("127.0.0.1", self.server.port), 20) as link:
            link.sendall(body)
            link.recv(1)

    def finish(self) -> Outcome:
        """Read up to ReadyForQuery; raises EOFError at the end of the connection."""
        since, total, first, pending = time.monotonic(), 0, None, bytearray()
        while True:
            piece = self.socket.recv(1 << 18)
            if not piece:
                raise EOFError
            pending += piece
            at = 0
            while len(pending) >= at + 5:
                size = int.from_bytes(pending[at + 1 : at + 5], "big") + 1
                if len(pending) < at + size:
                    break
                kind = pending[at]
                if kind == ord("E") and first is None:
                    body = bytes(pending[at + 5 : at + size])
                    first = {chr(p[0]): p[1:].decode() for p in body.split(b"\0") if p}
                at += size
                total += size
                if kind == ord("Z"):
                    took = time.monotonic() - since
                    if first is None:
                        return Outcome(None, "", took, total)
                    return Outcome(first["C"], first["M"], took, total)
            del pending[:at]

    def ask(self, text: str) -> Outcome:
        """Run a text by the simple protocol."""
        self.send(query(text))
        self.on_sent()
        return self.finish()

    def ask_with(self, text: str, parameters: tuple[bytes, ...]) -> Outcome:
        """Run a statement with parameters in text."""
        self.send(parse(text) + bind(parameters) + execute() + SYNC)
        self.on_sent()
        return self.finish()


def half_bind(size: int, sent: int) -> bytes:
    """The beginning of a Bind that says to be longer than it is."""
    whole = message(b"B", b"\0\0" + b"x" * sent)
    return whole[:1] + struct.pack("!i", size) + whole[5:]
