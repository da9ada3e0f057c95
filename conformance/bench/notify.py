"""How fast two sessions notify each other while others listen elsewhere, and what one of these costs.

`python -m conformance.bench.notify`: a table over the numbers of idle listeners. PostgreSQL looks through
its queue in every session that listens to anything; here only the listeners of a channel are looked at.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from conformance.bench import servers
from conformance.bench.followers import Session, allow_sockets, resident_bytes
from conformance.bench.servers import Server

POSTGRESQL_MAX = 1000
"""Idle listeners that PostgreSQL is asked for; each is a process."""


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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.bench.notify", description=main.__doc__
    )
    parser.add_argument("--idle", default="0,100,1000,10000", help="how many listen elsewhere")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    options = parser.parse_args()
    counts = [int(part) for part in options.idle.split(",")]
    allow_sockets(max(counts))
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
