"""Clients of the measurements of live changes: sessions by the Unix socket, and who follows a table."""

import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.bench.servers import Server

SPARE_FILES = 200
"""Descriptors that a process needs for anything but its connections."""


class Session:
    """A connection by the Unix socket, nearly without a client's own cost."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(server.unix_path))
        user = "root" if server.is_kalam else server.user
        body = b"\0\3\0\0user\0%b\0database\0%b\0\0" % (user.encode(), server.database.encode())
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self._received = b""
        self.wait(b"Z")

    def wait(self, kind: bytes) -> bytes:
        """Until a message of this kind has come; its body."""
        while True:
            while len(self._received) >= 5:
                size = 1 + struct.unpack_from("!i", self._received, 1)[0]
                if len(self._received) < size:
                    break
                found, body = self._received[:1], self._received[5:size]
                self._received = self._received[size:]
                if found == b"E":
                    raise RuntimeError(f"the server refused: {body!r}")
                if found == kind:
                    return body
            data = self.socket.recv(65536)
            if not data:
                raise RuntimeError("the server has closed the connection")
            self._received += data

    def run(self, text: str) -> None:
        """A text, and its answer up to ReadyForQuery."""
        self.send(text)
        self.wait(b"Z")

    def send(self, text: str) -> None:
        """A text whose answer is waited for later."""
        self.socket.sendall(b"Q" + struct.pack("!i", len(text) + 5) + text.encode() + b"\0")

    def close(self) -> None:
        """The end, without a word."""
        self.socket.close()


class Follower:
    """A session that counts the notifications that have come, without blocking."""

    def __init__(self, server: Server, table: str = "rows") -> None:
        self.session = Session(server)
        how = f"SUBSCRIBE TO live.{table} OPTIONS (snapshot = false, channel = '{table}')"
        self.session.run(how if server.is_kalam else f"LISTEN {table}")
        self.socket = self.session.socket
        self.socket.setblocking(False)
        self._rest = b""

    def read(self) -> int:
        """Read what is there; how many notifications were in it."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return 0
        if self._rest:
            data = self._rest + data
        at = heard = 0
        end = len(data)
        while end - at >= 5:
            size = 1 + int.from_bytes(data[at + 1 : at + 5])
            if end - at < size:
                break
            heard += data[at] == 65  # NotificationResponse
            at += size
        self._rest = data[at:]
        return heard


@contextmanager
def followers(server: Server, count: int, table: str = "rows") -> Iterator[list[Follower]]:
    """So many of them, on one table."""
    found: list[Follower] = []
    try:
        found.extend(Follower(server, table) for _ in range(count))
        yield found
    finally:
        for one in found:
            one.session.close()


def resident_bytes(pid: int) -> int:
    """What a process has in memory."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


def allow_sockets(wanted: int) -> int:
    """Let this process, and those that it starts, have so many; how many it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, needed))  # Root may.
        except (ValueError, PermissionError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            return hard - SPARE_FILES
    elif soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return wanted
