"""python -m conformance.neighbours.share: how soon one user is served while another does all that they can.

One user opens many sessions that each do one kind of thing again and again: heavy engine queries, what kills
workers, long texts, joins of the catalogue, loads. Beside them a victim asks a small engine query every fifth
of a second and reads a row by its key every hundredth; told is how long each of these took.
"""

# ruff: noqa: E501 -- one statement a line

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

from conformance.neighbours.attacker import Attacker, Outcome
from conformance.neighbours.victim import percentile
from tests.wire.raw import message, query
from tests.wire.server import PASSWORD, KalamServer

BOUND_S: Final = 1.0
"""So soon a small engine query is to be answered, whatever another user does."""

SETTLE_S: Final = 1.0
"""An attack is in full swing before it is measured, and what it left to be done is over before the next."""

ENGINE_EVERY_S: Final = 0.2
POINT_EVERY_S: Final = 0.01
"""The victim asks at this pace, as a person's client would: without a pause it would be a load itself."""

SETUP: Final = (
    "CREATE NAMESPACE kin",
    *(
        f"CREATE TABLE kin.{name} (id BIGINT PRIMARY KEY, g INT, v TEXT) WITH (TYPE = 'USER')"
        for name in ("cold", "hot", "small", "target")
    ),
)
FILL: Final = (
    "INSERT INTO kin.cold SELECT g, g % 97, repeat('text ' || g, 5) FROM generate_series(1, 400000) g",
    "INSERT INTO kin.hot SELECT g, g % 97, 'text number ' || g FROM generate_series(1, 15000) g",
)
SMALL: Final = (
    "INSERT INTO kin.small SELECT g, g % 17, 'text ' || g FROM generate_series(1, 3000) g"
)

ASKED: Final = (
    "SELECT g, count(*), max(v) FROM kin.small GROUP BY g ORDER BY 1",
    "SELECT id, rank() OVER (ORDER BY v) FROM kin.small WHERE g = 3",
    "SELECT count(*) FROM kin.small a JOIN kin.small b ON a.id = b.id",
)
POINT: Final = "SELECT v FROM kin.small WHERE id = 5"

Kind = Callable[[Attacker, Random], Outcome]

_CROSS = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b"
_ROWS = ", ".join(f"({n}, 'abcdef' || {n}, {n} + 5)" for n in range(20_000))


def _text(text: str) -> Kind:
    return lambda client, _random: client.ask(text)


def _fresh(text: str) -> Kind:
    """A text that nobody has sent before."""
    return lambda client, random: client.ask(text.replace("abcdef", str(random.random())))


def _load(client: Attacker, random: Random) -> Outcome:
    first = random.randrange(1 << 40)
    client.send(query("COPY kin.target FROM STDIN"))
    line = b"\t5\t" + b"x" * 300 + b"\n"
    for piece in range(60):
        numbers = range(first + 1000 * piece, first + 1000 * piece + 1000)
        client.send(message(b"d", b"".join([b"%d" % n + line for n in numbers])))
    client.send(message(b"c"))
    return client.finish()


def _mixed(client: Attacker, random: Random) -> Outcome:
    return random.choice(list(KINDS.values()))(client, random)


KINDS: Final[dict[str, Kind]] = {
    "endless joins": _text(_CROSS),
    "a sort": _text("SELECT * FROM generate_series(1, 8000000) g ORDER BY md5(g::text) LIMIT 5"),
    "cold rows joined": _text("SELECT count(*) FROM kin.cold a JOIN kin.cold b ON a.g = b.g WHERE a.v > b.v"),
    "a worker's memory": _text("SELECT length(string_agg(repeat('x', 1000000), '')) FROM generate_series(1, 5000)"),
    "arrays of millions": _text("SELECT array_length(array_agg(g::text), 1) FROM generate_series(1, 30000000) g"),
    "endless recursion": _text("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"),
    "a program": _text("SELECT regexp_replace(repeat('ab', 20000000), 'a(b)', '\\1', 'g')"),
    "what is refused when read": _text("SELECT " + "+".join(["g"] * 1900) + " FROM generate_series(1, 100) g"),
    "the catalogue": _text("SELECT count(*) FROM pg_proc a, pg_proc b, pg_proc c"),
    "long texts": _fresh(f"VALUES {_ROWS}"),
    "large answers": _text("SELECT * FROM kin.cold"),
    "loads": _load,
    "many rows of a query": lambda client, random: client.ask(
        f"INSERT INTO kin.target SELECT g + {random.randrange(1 << 40)}, 1, repeat('x', 100) FROM generate_series(1, 500000) g"
    ),
    "what is given up": _text(f"SET statement_timeout = 150; {_CROSS}"),
    "many changes": _text("UPDATE kin.hot SET g = g + 1"),
}  # fmt: skip


class Attack:
    """One user's sessions, each at it until the end."""

    def __init__(self, server: KalamServer, kind: Kind, sessions: int) -> None:
        self.answers: Counter[str] = Counter()
        self._server = server
        self._kind = kind
        self._over = threading.Event()
        self._links: list[Attacker] = []
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(sessions)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        random = Random(number)
        while not self._over.is_set():
            try:
                client = Attacker(self._server, "mallory")
                self._links.append(client)
                client.socket.settimeout(120)
                client.ask("SET statement_timeout = '20s'")
                while not self._over.is_set():
                    self.answers[self._kind(client, random).sqlstate or "ok"] += 1
            except (OSError, EOFError, AssertionError) as exc:
                if not self._over.is_set():
                    self.answers[type(exc).__name__] += 1

    def end(self) -> None:
        """All sessions are lost."""
        self._over.set()
        for link in self._links:
            with suppress(OSError):
                link.socket.shutdown(2)
        for thread in self._threads:
            thread.join()
        for link in self._links:
            link.socket.close()


class Beside:
    """The victim: engine and points are seconds that each answer took."""

    def __init__(self, server: KalamServer) -> None:
        self.engine: list[float] = []
        self.points: list[float] = []
        self.failed: Counter[str] = Counter()
        self._server = server

    def measure(self, seconds: float) -> None:
        """Ask for so long."""
        with (
            Attacker(self._server, "victim") as client,
            Attacker(self._server, "victim") as other,
        ):
            client.socket.settimeout(120)
            other.socket.settimeout(120)
            client.ask("SET kalam.in_process_queries = off")
            until = time.monotonic() + seconds
            points = threading.Thread(target=self._ask_points, args=(other, until))
            points.start()
            while not self.engine or time.monotonic() < until:
                text = ASKED[len(self.engine) % len(ASKED)]
                self.engine.append(self._took(client, text))
                time.sleep(ENGINE_EVERY_S)
            points.join()

    def _ask_points(self, client: Attacker, until: float) -> None:
        while not self.points or time.monotonic() < until:
            self.points.append(self._took(client, POINT))
            time.sleep(POINT_EVERY_S)

    def _took(self, client: Attacker, text: str) -> float:
        since = time.monotonic()
        outcome = client.ask(text)
        if outcome.sqlstate is not None:
            self.failed[outcome.sqlstate] += 1
        return time.monotonic() - since


def prepare(server: KalamServer) -> None:
    """Users and rows, in a server that has just begun."""
    with server.root() as root:
        for user in ("mallory", "victim"):
            root.execute(f"CREATE USER {user} PASSWORD '{PASSWORD}'")
        for text in SETUP:
            root.execute(text)
    with server.connect("mallory") as mallory, server.connect("victim") as victim:
        for text in FILL:
            mallory.execute(text)
        victim.execute(SMALL)


def _line(name: str, seen: Beside, answers: Counter[str]) -> str:
    engine, points = seen.engine, seen.points
    told = " ".join(f"{n} {what}" for what, n in answers.most_common(5))
    return (
        f"{name[:26]:26} {_ms(percentile(engine, 0.5))} {_ms(max(engine))}  "
        f"{_ms(percentile(points, 0.5))} {_ms(percentile(points, 0.99))} {_ms(max(points))}  "
        f"{len(engine):4} {dict(seen.failed) or ''}  {told}"
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:7.1f}"


def main() -> int:
    """1 when a small engine query took longer than it may, or failed."""
    parser = argparse.ArgumentParser(prog="conformance.neighbours.share", description=__doc__)
    parser.add_argument("names", nargs="*", help="kinds whose names have one of these; all")
    parser.add_argument("--sessions", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each kind")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    bad = 0
    print(f"{'':26} {'engine':>7} {'max':>7}  {'point':>7} {'p99':>7} {'max':>7}  asked (ms)")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        server = KalamServer(Path(scratch) / "data").start(options.port)
        try:
            prepare(server)
            alone = Beside(server)
            alone.measure(2.0)
            print(_line("alone", alone, Counter()), flush=True)
            for name, kind in (KINDS | {"all of these": _mixed}).items():
                if options.names and not any(part in name for part in options.names):
                    continue
                seen, attack = Beside(server), Attack(server, kind, options.sessions)
                time.sleep(SETTLE_S)
                seen.measure(options.seconds)
                attack.end()
                bad += max(seen.engine) > BOUND_S or bool(seen.failed)
                print(_line(name, seen, attack.answers), flush=True)
                time.sleep(SETTLE_S)
        finally:
            server.kill()
    print(f"{bad} kept a small engine query for longer than {BOUND_S} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
