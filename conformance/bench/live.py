"""Live changes beside PostgreSQL 15 with a trigger that calls pg_notify: `python -m conformance.bench.live`.

How long a row takes from INSERT (sent, not answered) to each of 1, 100, 1000 subscribers of its table; what
one that stopped reading, or somebody who floods another table, makes of that; how many SUBSCRIBEs of a table
of 10 000 rows are answered at once; what an idle subscription takes of the server's memory. The client is
this one process with an epoll: of 1000 arrivals its own part is some milliseconds for both servers.
"""

import argparse
import multiprocessing
import resource
import select
import statistics
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from conformance.bench import servers
from conformance.bench.notify import Session, resident_bytes
from conformance.bench.servers import Server

POSTGRESQL_MAX = 1000
"""Connections that PostgreSQL is asked for; each is a process."""

ROWS = 10_000
BODY = "How are you today? " * 3

_KALAM = (
    "CREATE SCHEMA live",
    "CREATE TABLE live.rows (id bigint PRIMARY KEY, body text)",
    "CREATE TABLE live.noise (id bigint PRIMARY KEY, body text)",
    "CREATE TABLE live.many (id bigint PRIMARY KEY, body text)",
)
_POSTGRESQL = (
    *_KALAM,
    "CREATE FUNCTION live.told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " PERFORM pg_notify(TG_TABLE_NAME, row_to_json(NEW)::text); RETURN NEW; END $$",
    "CREATE TRIGGER told AFTER INSERT ON live.rows FOR EACH ROW EXECUTE FUNCTION live.told()",
    "CREATE TRIGGER told AFTER INSERT ON live.noise FOR EACH ROW EXECUTE FUNCTION live.told()",
)


class Subscriber:
    """A session that counts the notifications that have come, without blocking."""

    def __init__(self, server: Server, table: str = "rows") -> None:
        self.session = Session(server)
        how = f"SUBSCRIBE TO live.{table} OPTIONS (snapshot = false, channel = '{table}')"
        self.session.run(how if server.is_kalam else f"LISTEN {table}")
        self.socket = self.session.socket
        self.socket.setblocking(False)
        self.heard = 0
        self._rest = b""
        self._skip = 0

    def read(self) -> int:
        """Read what is there; how many notifications were in it."""
        try:
            data = self._rest + self.socket.recv(1 << 18)
        except BlockingIOError:
            return 0
        at = heard = 0
        while len(data) - at >= 5:
            size = 1 + int(struct.unpack_from("!i", data, at + 1)[0])
            if len(data) - at < size:
                break
            heard += data[at] == ord("A")
            at += size
        self._rest = data[at:]
        self.heard += heard
        return heard


@contextmanager
def subscribers(server: Server, count: int) -> Iterator[list[Subscriber]]:
    """So many of them, on one table."""
    found: list[Subscriber] = []
    try:
        found.extend(Subscriber(server) for _ in range(count))
        yield found
    finally:
        for one in found:
            one.socket.close()


def arrivals(server: Server, watched: Sequence[Subscriber], seconds: float) -> list[float]:
    """Seconds from sending an INSERT to each arrival, one INSERT after the other."""
    writer = Session(server)
    poll = select.epoll()
    by_fd = {one.socket.fileno(): one for one in watched}
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    found: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        left = len(watched)
        start = time.perf_counter()
        writer.send(f"INSERT INTO live.rows VALUES ({next_id()}, '{BODY}')")
        while left:
            for fd, _ in poll.poll():
                came = by_fd[fd].read()
                left -= came
                found += [time.perf_counter() - start] * came
        writer.wait(b"Z")
    writer.socket.close()
    poll.close()
    return found


_ids = iter(range(1, 1 << 40))


def next_id() -> int:
    """A key that no other row of this run has."""
    return next(_ids)


def _flood(server: Server, ready: "multiprocessing.synchronize.Event") -> None:
    """Insert into another table, twenty rows at a time and without a pause, until terminated."""
    session = Session(server)
    ready.set()
    at = 0
    while True:
        rows = ", ".join(f"({at + n}, '{BODY}')" for n in range(20))
        session.run(f"INSERT INTO live.noise VALUES {rows}")
        at += 20


@contextmanager
def flood(server: Server) -> Iterator[None]:
    """Somebody who floods another table, as a process of their own."""
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_flood, args=(server, ready), daemon=True)
    process.start()
    ready.wait()
    try:
        yield
    finally:
        process.terminate()
        process.join()


@contextmanager
def stopped_reader(server: Server) -> Iterator[None]:
    """One that has subscribed, was told far more than its socket holds, and never reads."""
    stopped = Subscriber(server)
    writer = Session(server)
    for _ in range(300):
        writer.run(f"INSERT INTO live.rows VALUES ({next_id()}, '{'x' * 7000}')")
    try:
        yield
    finally:
        stopped.socket.close()
        writer.socket.close()


def snapshots(server: Server, count: int) -> list[float]:
    """Seconds until each of so many that subscribe at once has all rows of the table."""
    sessions = [Session(server) for _ in range(count)]
    text = "SUBSCRIBE TO live.many" if server.is_kalam else "SELECT * FROM live.many"
    poll = select.epoll()
    tails = {}
    start = time.perf_counter()
    for session in sessions:
        session.send(text)
        session.socket.setblocking(False)
        poll.register(session.socket.fileno(), select.EPOLLIN)
        tails[session.socket.fileno()] = (session, b"")
    found: list[float] = []
    while tails:
        for fd, _ in poll.poll():
            session, tail = tails[fd]
            tail = (tail + session.socket.recv(1 << 18))[-6:]
            tails[fd] = session, tail
            if tail[:5] == b"Z\0\0\0\5":
                found.append(time.perf_counter() - start)
                poll.unregister(fd)
                del tails[fd]
    for session in sessions:
        session.socket.close()
    poll.close()
    return found


# ------------------------------------------------------------------ the tables


def _ms(values: Sequence[float]) -> str:
    ranked = sorted(values)
    at = [statistics.median(ranked), ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)]]
    return " | ".join(f"{value * 1000:.2f}" for value in at)


def _line(what: str, server: Server, shown: str) -> None:
    print(f"| {what} | {server.name} | {shown} |", flush=True)


def _latencies(both: Sequence[Server], counts: Sequence[int], seconds: float) -> None:
    print("| INSERT to arrival at | server | p50, ms | p99, ms |\n|---|---|---:|---:|", flush=True)
    for count in counts:
        for server in both:
            if server.is_kalam or count < POSTGRESQL_MAX:
                with subscribers(server, count) as watched:
                    arrivals(server, watched, 0.3)
                    _line(f"{count} subscribers", server, _ms(arrivals(server, watched, seconds)))
    beside: tuple[tuple[str, Callable[[Server], object]], ...] = (
        ("10, beside one that stopped reading", stopped_reader),
        ("10, beside a flood into another table", flood),
    )
    for what, trouble in beside:
        for server in both:
            with trouble(server), subscribers(server, 10) as watched:  # type: ignore[attr-defined]
                _line(what, server, _ms(arrivals(server, watched, seconds)))


def _snapshots(both: Sequence[Server], count: int) -> None:
    print(f"\n| a table of {ROWS} rows, asked for by | server | p50, s | p95, s |")
    print("|---|---|---:|---:|")
    for server in both:
        number = count if server.is_kalam else min(count, POSTGRESQL_MAX)
        found = sorted(snapshots(server, number))
        half, most = statistics.median(found), found[len(found) * 95 // 100 - 1]
        _line(f"{number} at once", server, f"{half:.2f} | {most:.2f}")


def _memory(server: Server, count: int) -> None:
    with subscribers(server, 100):
        pass
    before = resident_bytes(server.pid)
    with subscribers(server, count):
        kilobytes = (resident_bytes(server.pid) - before) / count / 1000
    print(f"\n{count} idle subscriptions take {kilobytes:.1f} kB each, with their connections.")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.bench.live", description=main.__doc__
    )
    parser.add_argument("--subscribers", default="1,100,1000", help="how many are told of a row")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--snapshots", type=int, default=2000, help="SUBSCRIBEs at once")
    parser.add_argument("--idle", type=int, default=10_000, help="idle subscriptions")
    options = parser.parse_args()
    counts = [int(part) for part in options.subscribers.split(",")]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = max([*counts, options.snapshots, options.idle]) + 200
    with ExitStack() as stack:
        kalam = stack.enter_context(servers.kalam(most))
        postgres = stack.enter_context(servers.postgres(POSTGRESQL_MAX + 100))
        for server, texts in ((postgres, _POSTGRESQL), (kalam, _KALAM)):
            session = Session(server)
            for text in texts:
                session.run(text)
            for begin in range(0, ROWS, 500):
                rows = ", ".join(f"({n}, '{BODY}')" for n in range(begin, begin + 500))
                session.run(f"INSERT INTO live.many VALUES {rows}")
            session.socket.close()
        both = (postgres, kalam)
        if options.idle:
            _memory(kalam, options.idle)
        if options.seconds:
            _latencies(both, counts, options.seconds)
        if options.snapshots:
            _snapshots(both, options.snapshots)


if __name__ == "__main__":
    main()
