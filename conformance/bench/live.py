"""Live changes beside PostgreSQL 15 with a trigger that calls pg_notify: `python -m conformance.bench.live`.

The whole table takes some five minutes on two quiet cores; `--only WORD` runs the scenarios that have the
word in their name, `--list` names them. The client is one process with an epoll: of 1000 arrivals its own
part is some milliseconds for both servers. A session of PostgreSQL's is a process, so it is asked for 1000
of them at most.
"""

import argparse
import multiprocessing
import select
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import psycopg

from conformance.bench import servers
from conformance.bench.followers import (
    Follower,
    Session,
    allow_sockets,
    followers,
    resident_bytes,
)
from conformance.bench.notify import ping_pong
from conformance.bench.servers import Server

POSTGRESQL_MAX = 1000
"""Connections that PostgreSQL is asked for."""

ROWS = 10_000
TABLES = 40
FEW = 1000
MISSED = 10
BODY = "How are you today? " * 3
_next_id = count(1)

_TABLES = ("rows", "noise", "many", "few", "idle", *[f"own{n}" for n in range(TABLES)])
_KALAM = (
    "CREATE SCHEMA live",
    *[f"CREATE TABLE live.{name} (id bigint PRIMARY KEY, body text)" for name in _TABLES],
)
_POSTGRESQL = (
    *_KALAM,
    "CREATE FUNCTION live.told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " PERFORM pg_notify(TG_TABLE_NAME, row_to_json(NEW)::text); RETURN NEW; END $$",
    *[
        f"CREATE TRIGGER told AFTER INSERT ON live.{name} FOR EACH ROW EXECUTE FUNCTION live.told()"
        for name in ("rows", "noise", "few")
    ],
)

Measure = Callable[[Server, float], str]
"""Measures one server for about so many seconds; what is shown of it."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the table. unit: of what `measure` shows. sessions: so many of them are needed.

    alone: PostgreSQL has nothing of the kind, and this server is one that has done nothing before.
    """

    name: str
    unit: str
    measure: Measure
    sessions: int = 10
    alone: bool = False


# ------------------------------------------------------------------ arrivals


def arrivals(server: Server, watched: Sequence[Follower], seconds: float) -> list[float]:
    """Seconds from sending an INSERT to each arrival, one INSERT after the other."""
    writer = Session(server)
    poll = select.epoll()
    by_fd = {one.socket.fileno(): one for one in watched}
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    found: list[float] = []
    now = time.perf_counter
    end = now() + seconds
    while now() < end:
        left = len(watched)
        start = now()
        writer.send(f"INSERT INTO live.rows VALUES ({next(_next_id)}, '{BODY}')")
        while left:
            for fd, _ in poll.poll():
                came = by_fd[fd].read()
                left -= came
                found += [now() - start] * came
        writer.wait(b"Z")
    writer.close()
    poll.close()
    return found


def _arrivals(number: int, beside: Callable[[Server], Any] = nullcontext) -> Measure:
    """At so many followers of a table, beside what may trouble them."""

    def measure(server: Server, seconds: float) -> str:
        with beside(server), followers(server, number) as watched:
            arrivals(server, watched, seconds / 10)
            return _ms(arrivals(server, watched, seconds))

    return measure


def _flood(server: Server, ready: "multiprocessing.synchronize.Event") -> None:
    """Insert into another table, twenty rows at a time and without a pause, until terminated."""
    session = Session(server)
    ready.set()
    for at in count(0, 20):
        rows = ", ".join(f"({at + n}, '{BODY}')" for n in range(20))
        session.run(f"INSERT INTO live.noise VALUES {rows} ON CONFLICT DO NOTHING")


@contextmanager
def _flooded(server: Server) -> Iterator[None]:
    """Somebody floods another table, as a process of their own."""
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
def _stopped(server: Server) -> Iterator[None]:
    """One has subscribed, was told far more than its socket holds, and never reads."""
    stopped, writer = Follower(server), Session(server)
    for _ in range(300):
        writer.run(f"INSERT INTO live.rows VALUES ({next(_next_id)}, '{'x' * 7000}')")
    try:
        yield
    finally:
        stopped.session.close()
        writer.close()


@contextmanager
def _idle(number: int, server: Server) -> Iterator[None]:
    """So many follow another table, of which nothing is told."""
    with followers(server, number, "idle"):
        yield


# ------------------------------------------------------------------ what a subscription begins with


def _snapshots(number: int, tables: Sequence[str]) -> Measure:
    """So many that ask for all rows at once, of these tables in turn."""

    def measure(server: Server, _seconds: float) -> str:
        verb = "SUBSCRIBE TO live.{}" if server.is_kalam else "SELECT * FROM live.{}"
        sessions = [Session(server) for _ in range(number)]
        poll = select.epoll()
        tails: dict[int, tuple[Session, bytes]] = {}
        start = time.perf_counter()
        for at, session in enumerate(sessions):
            session.send(verb.format(tables[at % len(tables)]))
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
            session.close()
        poll.close()
        found.sort()
        return f"{statistics.median(found):.2f}, {found[len(found) * 95 // 100 - 1]:.2f}"

    return measure


def _initial_load(server: Server, seconds: float) -> str:
    """One that subscribes to a table of 1000 rows, again and again."""
    session = Session(server)
    found = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        if not server.is_kalam:
            session.run("LISTEN few")
        session.run("SUBSCRIBE TO live.few" if server.is_kalam else "SELECT * FROM live.few")
        found.append(time.perf_counter() - start)
        session.run("UNLISTEN few" if not server.is_kalam else 'UNLISTEN "live.few"')
    session.close()
    return _ms(found)


def _reconnect(server: Server, seconds: float) -> str:
    """From connect() to the last of ten changes that were missed, by a token, or by a key that is known."""
    writer = Session(server)
    found = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        first = next(_next_id)
        writer.run(f"INSERT INTO live.rows VALUES ({first}, 'seen')")
        mark = "_seq" if server.is_kalam else "id"
        writer.send(f"SELECT {mark} FROM live.rows WHERE id = {first}")
        seen = writer.wait(b"D")[6:].decode()
        writer.wait(b"Z")
        for _ in range(MISSED):
            writer.run(f"INSERT INTO live.rows VALUES ({next(_next_id)}, '{BODY}')")
        start = time.perf_counter()
        session = Session(server)
        if server.is_kalam:
            session.run(f"SUBSCRIBE TO live.rows OPTIONS (from_seq = {seen})")
            for _ in range(MISSED):
                session.wait(b"A")
        else:
            session.run("LISTEN rows")
            session.run(f"SELECT * FROM live.rows WHERE id > {seen} ORDER BY id")
        found.append(time.perf_counter() - start)
        session.close()
    writer.close()
    return _ms(found)


# ------------------------------------------------------------------ memory


def _memory(number: int, server: Server, _seconds: float) -> str:
    """Of the server, for each of so many idle subscriptions with their connections."""
    with followers(server, 100, "idle"):
        pass
    before = resident_bytes(server.pid)
    with followers(server, number, "idle"):
        return f"{(resident_bytes(server.pid) - before) / number / 1000:.1f}"


def _memory_tls(number: int, server: Server, _seconds: float) -> str:
    """The same over TLS, with a driver's connections."""
    with ExitStack() as stack:

        def subscribe(count: int) -> None:
            for _ in range(count):
                connection = stack.enter_context(
                    psycopg.connect(
                        host=server.host,
                        port=server.port,
                        user=server.user,
                        password=server.password,
                        dbname=server.database,
                        sslmode="require",
                        autocommit=True,
                    )
                )
                connection.execute("SUBSCRIBE TO live.idle OPTIONS (snapshot = false)")

        subscribe(100)
        before = resident_bytes(server.pid)
        subscribe(number)
        return f"{(resident_bytes(server.pid) - before) / number / 1000:.1f}"


# ------------------------------------------------------------------ the table


def _ms(values: Sequence[float]) -> str:
    ranked = sorted(values)
    found = [statistics.median(ranked), ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)]]
    return ", ".join(f"{value * 1000:.2f}" for value in found)


def _rate(idle: int, server: Server, seconds: float) -> str:
    return f"{ping_pong(server, seconds, idle=idle):,.0f}".replace(",", " ")


_LATENCY = "p50, p99, ms"
SCENARIOS = (
    *[
        Scenario(f"INSERT to arrival at {n} of a SHARED table", _LATENCY, _arrivals(n), n)
        for n in (1, 10, 100, 1000)
    ],
    Scenario("INSERT to arrival at 10, one stopped reading", _LATENCY, _arrivals(10, _stopped)),
    Scenario("INSERT to arrival at 10, one floods a table", _LATENCY, _arrivals(10, _flooded)),
    *[
        Scenario(
            f"INSERT to arrival at 1, {n} follow another table",
            _LATENCY,
            _arrivals(1, partial(_idle, n)),
            n + 10,
        )
        for n in (900, 10_000)
    ],
    *[
        Scenario(f"NOTIFY to and fro, {n} listen elsewhere", "1/s", partial(_rate, n), n)
        for n in (0, 100, 990, 10_000)
    ],
    Scenario("first 1000 rows of a subscription", _LATENCY, _initial_load),
    Scenario("reconnect, and ten changes that were missed", _LATENCY, _reconnect),
    *[
        Scenario(
            f"10 000 rows, {n} at once, one table", "p50, p95, s", _snapshots(n, ["many"]), n + 10
        )
        for n in (900, 2000)
    ],
    *[
        Scenario(
            f"10 000 rows, {TABLES} at once, a table each, {when}",
            "p50, p95, s",
            _snapshots(TABLES, [f"own{n}" for n in range(TABLES)]),
        )
        for when in ("for the first time", "again")
    ],
    Scenario(
        "memory of an idle subscription, 10 000",
        "kB",
        partial(_memory, 10_000),
        10_100,
        alone=True,
    ),
    Scenario(
        "memory of an idle subscription, TLS, 1000",
        "kB",
        partial(_memory_tls, 1000),
        1200,
        alone=True,
    ),
)


def _fill(server: Server) -> None:
    session = Session(server)
    for text in _KALAM if server.is_kalam else _POSTGRESQL:
        session.run(text)
    for table, rows in (("many", ROWS), ("few", FEW), *[(f"own{n}", ROWS) for n in range(TABLES)]):
        session.run(
            f"INSERT INTO live.{table} SELECT i, '{BODY}' FROM generate_series(1, {rows}) AS s(i)"
        )
    session.close()


def _line(scenario: Scenario, postgres: Server, kalam: Server, seconds: float) -> str:
    theirs = "-"
    if scenario.alone:
        with servers.kalam(scenario.sessions + 100, tls=True) as fresh:
            _define_idle(fresh)
            ours = scenario.measure(fresh, seconds)
    else:
        if scenario.sessions <= POSTGRESQL_MAX:
            theirs = scenario.measure(postgres, seconds)
        ours = scenario.measure(kalam, seconds)
    return f"| {scenario.name} | {scenario.unit} | {theirs} | {ours} |"


def _define_idle(server: Server) -> None:
    session = Session(server)
    session.run("CREATE SCHEMA live")
    session.run("CREATE TABLE live.idle (id bigint PRIMARY KEY, body text)")
    session.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.bench.live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", help="scenarios whose name has all these words")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a measurement")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    options = parser.parse_args()
    words = options.only.lower().split()
    chosen = [s for s in SCENARIOS if all(word in s.name.lower() for word in words)]
    if options.list or not chosen:
        print("\n".join(scenario.name for scenario in SCENARIOS))
        return
    may = allow_sockets(max(scenario.sessions for scenario in chosen))
    with ExitStack() as stack:
        postgres = stack.enter_context(servers.postgres(POSTGRESQL_MAX + 100))
        kalam = stack.enter_context(servers.kalam(may + 100, tls=True))
        for server in (postgres, kalam):
            _fill(server)
        print("| scenario | unit | PostgreSQL 15 | kalam_pg |\n|---|---|---:|---:|", flush=True)
        for scenario in chosen:
            if scenario.sessions > may:
                print(f"| {scenario.name} | - | - | only {may} sockets are allowed |", flush=True)
            else:
                print(_line(scenario, postgres, kalam, options.seconds), flush=True)


if __name__ == "__main__":
    main()
