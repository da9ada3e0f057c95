"""How fast two sessions notify each other while others listen elsewhere, and what one of these costs.

`python -m conformance.bench.notify`: a table over the numbers of idle listeners. PostgreSQL looks through
its queue in every session that listens to anything; here only the listeners of a channel are looked at.
"""

import argparse
import resource
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from conformance.bench import servers
from conformance.bench.servers import Server

POSTGRESQL_MAX = 1000
"""Idle listeners that PostgreSQL is asked for; each is a process."""


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

    def wait(self, kind: bytes) -> None:
        """Until a message of this kind has come."""
        while True:
            while len(self._received) >= 5:
                size = 1 + struct.unpack_from("!i", self._received, 1)[0]
                if len(self._received) < size:
                    break
                found, self._received = self._received[:1], self._received[size:]
                if found == b"E":
                    raise RuntimeError("the server refused")
                if found == kind:
                    return
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


@contextmanager
def _listeners(server: Server, count: int) -> Iterator[None]:
    """So many sessions that listen to a channel on which nothing is sent."""
    sessions = []
    try:
        for _ in range(count):
            sessions.append(Session(server))
            sessions[-1].run("LISTEN elsewhere")
        yield
    finally:
        for session in sessions:
            session.socket.close()


def ping_pong(server: Server, seconds: float, *, idle: int) -> float:
    """Notifications per second between two sessions that wait for each other's."""
    with _listeners(server, idle):
        return _ping_pong(server, seconds)


def _ping_pong(server: Server, seconds: float) -> float:
    one, other = Session(server), Session(server)
    try:
        one.run("LISTEN here")
        other.run("LISTEN there")
        count = 0
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            one.run("NOTIFY there")
            other.wait(b"A")
            other.run("NOTIFY here")
            one.wait(b"A")
            count += 2
        return count / elapsed
    finally:
        one.socket.close()
        other.socket.close()


def resident_bytes(pid: int) -> int:
    """What a process has in memory."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.bench.notify", description=main.__doc__
    )
    parser.add_argument("--idle", default="0,100,1000,10000", help="how many listen elsewhere")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    options = parser.parse_args()
    counts = [int(part) for part in options.idle.split(",")]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        both = (
            stack.enter_context(servers.postgres(POSTGRESQL_MAX + 100)),
            stack.enter_context(servers.kalam(max(counts) + 100)),
        )
        print("| sessions that listen elsewhere | server | to and fro, 1/s | kB each |")
        print("|---:|---|---:|---:|")
        for count in counts:
            for server in both:
                if count <= POSTGRESQL_MAX or server.is_kalam:
                    _line(server, count, options.seconds)


def _line(server: Server, count: int, seconds: float) -> None:
    before = resident_bytes(server.pid)
    with _listeners(server, count):
        kilobytes = (resident_bytes(server.pid) - before) / count / 1000 if count else 0.0
        rate = _ping_pong(server, seconds)
    shown = f"{kilobytes:.1f}" if count and server.is_kalam else "-"
    print(f"| {count} | {server.name} | {rate:,.0f} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
