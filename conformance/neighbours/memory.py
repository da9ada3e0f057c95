"""python -m conformance.neighbours.memory: what one client can make the server keep in memory.

Each attack is run alone, in one server after another attack; then all of them at once, by several users. Told
is the server's resident memory before, at most, when the attack is over and some seconds after its client
has gone, and what a victim waited meanwhile.
"""

# ruff: noqa: E501 -- one statement a line

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import Final

from conformance.neighbours.attacker import Attacker, Outcome, half_bind
from conformance.neighbours.run import Memory, prepare
from conformance.neighbours.victim import Victim, percentile
from tests.wire.raw import SYNC, bind, execute, message, parse, query
from tests.wire.server import KalamServer

MB: Final = 1 << 20
CAP_MB: Final = 6000.0
"""A server that has taken so much is ended."""

HELD_S: Final = 0.5
"""So long an attacker that has sent half of something keeps the server waiting for the rest."""

BEGUN_S: Final = 0.2
"""So long after a statement was sent it is at work on its parameter: then it is cancelled."""

UNREAD_S: Final = 4
"""So long an attacker reads none of its answers. Nothing tells it how many the server keeps."""

USERS: Final = ("mallory", "trudy", "eve")


class Visit:
    """One attacker with its sessions, and how its questions were answered."""

    def __init__(self, server: KalamServer, user: str, random: Random) -> None:
        self.server = server
        self.user = user
        self.random = random
        self.answers: Counter[str] = Counter()
        self._stack = ExitStack()
        self.client = self.another()

    def another(self) -> Attacker:
        """One more session."""
        client = Attacker(self.server, self.user)
        client.socket.settimeout(60)
        return self._stack.enter_context(client)

    def ask(self, text: str, client: Attacker | None = None) -> Outcome:
        """Run a text."""
        return self._noted((client or self.client).ask(text))

    def send(self, data: bytes, client: Attacker | None = None) -> Outcome:
        """Send messages up to a Sync."""
        client = client or self.client
        client.send(data + SYNC)
        return self._noted(client.finish())

    def _noted(self, outcome: Outcome) -> Outcome:
        self.answers[outcome.sqlstate or "ok"] += 1
        return outcome

    def close(self) -> None:
        """The client is gone."""
        self._stack.close()


Attack = Callable[[Visit], object]
ATTACKS: Final[dict[str, Attack]] = {}


def attack(function: Attack) -> Attack:
    """Add one, by its name."""
    ATTACKS[function.__name__.replace("_", " ")] = function
    return function


@attack
def rows_of_repeat(visit: Visit) -> None:
    values = ",".join(f"({n + 5000}, repeat('x', 67000000))" for n in range(40))
    visit.ask(f"INSERT INTO kin.own VALUES {values}")


@attack
def large_inserts(visit: Visit) -> None:
    for n in range(30):
        visit.ask(
            f"INSERT INTO kin.own VALUES ({n + 6000}, repeat('x', 67000000)) ON CONFLICT DO NOTHING"
        )


@attack
def large_rows_in_a_block(visit: Visit) -> None:
    visit.ask("BEGIN")
    for n in range(30):
        visit.ask(
            f"INSERT INTO kin.own VALUES ({n + 7000}, repeat('x', 30000000)) ON CONFLICT DO NOTHING"
        )
    visit.ask("ROLLBACK")


@attack
def small_rows_in_a_block(visit: Visit) -> None:
    visit.ask("BEGIN")
    for n in range(6):
        start = n * 300_000
        visit.ask(
            f"INSERT INTO kin.only SELECT g, 'a' || g, g FROM generate_series({start + 1_000_000}, {start + 1_299_999}) g"
        )
    visit.ask("ROLLBACK")


@attack
def one_row_changed_often(visit: Visit) -> None:
    visit.ask("INSERT INTO kin.own VALUES (7, 'a') ON CONFLICT DO NOTHING")
    visit.ask("BEGIN")
    for _ in range(40):
        visit.ask("UPDATE kin.own SET v = repeat('y', 20000000) WHERE id = 7")
    visit.ask("ROLLBACK")


@attack
def half_sent_binds(visit: Visit) -> None:
    for client in [visit.another() for _ in range(15)]:
        with suppress(OSError):
            client.send(half_bind(260_000_000, 120_000_000))
    time.sleep(HELD_S)


@attack
def half_sent_queries(visit: Visit) -> None:
    whole = query("SELECT '" + "x" * 120_000_000)
    for client in [visit.another() for _ in range(15)]:
        with suppress(OSError):
            client.send(whole[:1] + (260_000_000).to_bytes(4, "big") + whole[5:])
    time.sleep(HELD_S)


@attack
def small_prepared_statements(visit: Visit) -> None:
    form = "SELECT a.id, b.v FROM kin.own a JOIN kin.own b ON a.id = b.id WHERE a.id = {0} OR b.v = $1 OR a.v IN ('x{0}', 'y', 'z')"
    for first in range(0, 20_000, 500):
        visit.send(b"".join(parse(form.format(n), f"n{n}") for n in range(first, first + 500)))


@attack
def large_prepared_statements(visit: Visit) -> None:
    for n in range(40):
        visit.send(parse("VALUES " + ",".join(f"({n * 7919 + j})" for j in range(90_000)), f"s{n}"))


@attack
def statements_prepared_in_sql(visit: Visit) -> None:
    for n in range(6000):
        if (
            visit.ask(
                f"PREPARE q{n} AS SELECT " + ", ".join(f"$1 + {n + m}" for m in range(30))
            ).sqlstate
            == "53200"
        ):
            break


@attack
def portals_with_parameters(visit: Visit) -> None:
    visit.ask("BEGIN")
    visit.send(parse("SELECT $1::text", "p"))
    visit.send(
        b"".join(bind((b"x" * 3_000_000,), statement="p", portal=f"o{n}") for n in range(100))
    )
    visit.ask("ROLLBACK")


@attack
def parameters_of_a_hundred_megabytes(visit: Visit) -> None:
    for _ in range(4):
        visit.send(parse("SELECT length($1)") + bind((b"x" * 100_000_000,)) + execute())


@attack
def large_array_parameters(visit: Visit) -> None:
    array = b"{" + b"1," * 5_000_000 + b"1}"
    for _ in range(4):
        visit.send(parse("SELECT array_length($1::int[], 1)") + bind((array,)) + execute())
    visit.send(parse("INSERT INTO kin.many SELECT 1, $1::int[]") + bind((array,)) + execute())


@attack
def a_cancelled_array_parameter(visit: Visit) -> None:
    array = b"{" + b"1," * 20_000_000 + b"1}"
    for _ in range(3):
        client = visit.another()
        client.send(parse("SELECT array_length($1::int[], 1)") + bind((array,)) + execute() + SYNC)
        time.sleep(BEGUN_S)
        client.cancel()
        with suppress(EOFError):
            visit.answers[client.finish().sqlstate or "ok"] += 1


@attack
def cursors_with_hold(visit: Visit) -> None:
    for n in range(3):
        visit.ask(
            f"BEGIN; DECLARE c{n} SCROLL CURSOR WITH HOLD FOR SELECT g, md5(g::text) FROM generate_series(1, 1000000) g; COMMIT"
        )
    visit.ask("CLOSE ALL")


@attack
def cursors_of_large_rows(visit: Visit) -> None:
    visit.ask("BEGIN")
    for n in range(20):
        visit.ask(
            f"DECLARE c{n} CURSOR FOR SELECT repeat('x', 30000000) FROM generate_series(1, 3) g"
        )
        visit.ask(f"FETCH 1 FROM c{n}")
    visit.ask("ROLLBACK")


@attack
def settings(visit: Visit) -> None:
    value = "y" * 900_000
    for n in range(40):
        visit.ask(f"SET my.x{n} = '{value}'")
    visit.ask("SELECT set_config('my.y', repeat('x', 60000000), false)")


@attack
def large_columns(visit: Visit) -> None:
    visit.ask("SELECT " + ", ".join(["repeat('x', 67000000)"] * 20))


@attack
def unread_answers(visit: Visit) -> None:
    visit.client.send(query("SELECT repeat('x', 50000000)") * 30)
    time.sleep(UNREAD_S)


@attack
def unread_answers_of_a_pipeline(visit: Visit) -> None:
    visit.send(parse("SELECT repeat($1, 50000000)", "e", (25,)))
    visit.client.send((bind((b"x",), statement="e") + execute() + SYNC) * 30)
    time.sleep(UNREAD_S)


@attack
def aggregates(visit: Visit) -> None:
    visit.ask("SELECT length(string_agg(repeat(a.typname::text, 200000), '')) FROM pg_type a")
    visit.ask("SELECT array_length(array_agg(repeat(typname::text, 100000)), 1) FROM pg_type")
    visit.ask("SELECT string_agg(repeat('x', 1000000), '') FROM generate_series(1, 300) g")
    visit.ask("SELECT array_fill(repeat('x', 1000), ARRAY[1000000])::text")
    visit.ask("SELECT lpad('x', 1000000000)")
    visit.ask("SELECT repeat(repeat('x', 100000000), 20)")
    visit.ask("SELECT array_agg(g) FROM generate_series(1, 20000000) g")


@attack
def returning(visit: Visit) -> None:
    visit.ask(
        "INSERT INTO kin.own SELECT g, 'r' FROM generate_series(1000, 1100) g ON CONFLICT DO NOTHING"
    )
    visit.ask(
        "UPDATE kin.own SET v = 'a' WHERE id BETWEEN 1000 AND 1100 RETURNING repeat('x', 20000000)"
    )


@attack
def temporary_tables(visit: Visit) -> None:
    visit.ask("CREATE TEMP TABLE much (id INT PRIMARY KEY, v TEXT)")
    for n in range(12):
        visit.ask(
            f"INSERT INTO much SELECT g, repeat('x', 1000) FROM generate_series({n * 60_000}, {n * 60_000 + 59_999}) g"
        )


@attack
def advisory_locks(visit: Visit) -> None:
    for n in range(4):
        visit.ask(
            f"SELECT count(pg_advisory_lock(g)) FROM generate_series({n * 300_000}, {n * 300_000 + 300_000}) g"
        )


@attack
def rows_locked(visit: Visit) -> None:
    visit.ask(
        "INSERT INTO kin.only SELECT g, 'l' || g, g FROM generate_series(5000, 200000) g ON CONFLICT DO NOTHING"
    )
    for client in [visit.another() for _ in range(3)]:
        visit.ask("BEGIN", client)
        visit.ask("SELECT count(*) FROM (SELECT 1 FROM kin.only FOR SHARE) s", client)


@attack
def notifications(visit: Visit) -> None:
    visit.ask("BEGIN")
    for _ in range(20):
        visit.ask(
            "SELECT count(pg_notify('c' || g, repeat('x', 7000))) FROM generate_series(1, 5000) g"
        )
    visit.ask("ROLLBACK")


@attack
def savepoints(visit: Visit) -> None:
    visit.ask("BEGIN")
    for n in range(40):
        visit.ask(";".join(f"SAVEPOINT s{n}_{m}" for m in range(2000)))
    visit.ask("ROLLBACK")


@attack
def copied_rows(visit: Visit) -> None:
    client = visit.client
    visit.ask("BEGIN")
    client.send(query("COPY kin.own FROM STDIN"))
    line = b"x" * 1000 + b"\n"
    with suppress(OSError):
        for n in range(400):
            lines = b"".join(b"%d\t" % (100_000 + n * 1000 + m) + line for m in range(1000))
            client.send(message(b"d", lines))
        client.send(message(b"c"))
    with suppress(EOFError):
        visit.answers[client.finish().sqlstate or "ok"] += 1
    visit.ask("ROLLBACK")


@attack
def a_copied_line_without_end(visit: Visit) -> None:
    client = visit.client
    client.send(query("COPY kin.own FROM STDIN"))
    with suppress(OSError):
        for _ in range(400):
            client.send(message(b"d", b"x" * 1_000_000))
        client.send(message(b"c"))
    with suppress(EOFError):
        visit.answers[client.finish().sqlstate or "ok"] += 1


@attack
def texts_that_are_kept(visit: Visit) -> None:
    for n in range(600):
        visit.ask("SELECT " + ",".join(f"'{n}a{m}'" for m in range(1200)))


@attack
def channels(visit: Visit) -> None:
    for n in range(20):
        visit.ask(";".join(f"LISTEN c{n}_{m}_" + "x" * 40 for m in range(2000)))


@attack
def updated_rows(visit: Visit) -> None:
    visit.ask(
        "INSERT INTO kin.own SELECT g, 'u' FROM generate_series(2000, 2100) g ON CONFLICT DO NOTHING"
    )
    visit.ask("UPDATE kin.own SET v = repeat('x', 20000000) WHERE id BETWEEN 2000 AND 2100")


def main() -> int:
    """1 when the server had more than it may have, or kept too much."""
    parser = argparse.ArgumentParser(prog="conformance.neighbours.memory", description=__doc__)
    parser.add_argument("names", nargs="*", help="attacks whose names have one of these; all")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--memory-max-mb", type=int, default=0, help="0: the server's default")
    parser.add_argument("--together-s", type=float, default=0, help="all at once, for so long")
    parser.add_argument("--attackers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--rest-s", type=float, default=2.0, help="before memory is looked at again"
    )
    options = parser.parse_args()
    chosen = {
        name: run
        for name, run in ATTACKS.items()
        if not options.names or any(part in name for part in options.names)
    }
    with (
        _server(options) as server,
        Victim(server, "victim", server.directory / "samples") as victim,
    ):
        memory = Memory(server)
        print(f"at rest {memory.now():.0f} MB", flush=True)
        print(
            f"{'attack':36} {'took':>8} {'before':>6} {'most':>6} {'after':>6} {'gone':>6}  {'p50':>7} {'p99':>7} {'max':>7}  answers",
            flush=True,
        )
        if options.together_s:
            _together(server, victim, memory, chosen, options)
        else:
            for name, run in chosen.items():
                if not _alone(server, victim, memory, name, run, options.rest_s):
                    break
        time.sleep(options.rest_s)
        print(f"at the end {memory.now():.0f} MB")
    for line in server.errors:
        if '"level": "error"' in line or "Traceback" in line or "XX000" in line:
            print(line)
    return 0


class _server:  # noqa: N801 -- a context manager of one use
    """A server of its own, with the tables of the attacks."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        given = {"KALAM_MEMORY_MAX": f"{options.memory_max_mb}MB"} if options.memory_max_mb else {}
        self.server = KalamServer(Path(self._scratch.name) / "data", **given)
        self._port = options.port

    def __enter__(self) -> KalamServer:
        self.server.start(self._port)
        prepare(self.server)
        with self.server.root() as root:
            root.execute("CREATE TABLE kin.many (id INT PRIMARY KEY, a INT[]) WITH (TYPE = 'USER')")
        return self.server

    def __exit__(self, *_exc: object) -> None:
        self.server.kill()
        self._scratch.cleanup()


def _alone(
    server: KalamServer, victim: Victim, memory: Memory, name: str, run: Attack, rest_s: float
) -> bool:
    """Run one; whether the server is still there."""
    before, since = memory.now(), time.time()
    with memory.watched(), _capped(server, memory):
        answers = _visit(server, "mallory", run, Random(name))
        until = time.time()
        after = memory.now()
        time.sleep(rest_s)  # What is freed in the background is gone then.
    waits = (
        [sample.waited_s * 1000 for sample in victim.window(since, until)] if memory.now() else []
    )
    shown = " ".join(f"{n} {what}" for what, n in answers.most_common())
    print(
        f"{name:36} {until - since:6.1f} s {before:6.0f} {memory.most:6.0f} {after:6.0f} {memory.now():6.0f}  "
        f"{percentile(waits, 0.5):7.1f} {percentile(waits, 0.99):7.1f} {max(waits, default=0):7.1f}  {shown}",
        flush=True,
    )
    return memory.now() > 0


def _visit(server: KalamServer, user: str, run: Attack, random: Random) -> Counter[str]:
    visit = None
    try:
        visit = Visit(server, user, random)
        run(visit)
    except (OSError, EOFError, AssertionError) as exc:
        found = visit.answers if visit is not None else Counter[str]()
        found[type(exc).__name__] += 1
        return found
    finally:
        if visit is not None:
            visit.close()
    return visit.answers


class _capped:  # noqa: N801 -- a context manager of one use
    """End a server that takes so much that the machine would suffer."""

    def __init__(self, server: KalamServer, memory: Memory) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(server, memory))

    def _watch(self, server: KalamServer, memory: Memory) -> None:
        while not self._over.wait(0.05):
            if memory.now() > CAP_MB and server.process is not None:
                print(f"killed at {memory.now():.0f} MB", flush=True)
                server.process.kill()
                return

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join()


def _together(
    server: KalamServer,
    victim: Victim,
    memory: Memory,
    chosen: dict[str, Attack],
    options: argparse.Namespace,
) -> None:
    """Several users run attack after attack, drawn by seed."""
    answers: Counter[str] = Counter()
    visits: Counter[str] = Counter()
    until = time.time() + options.together_s

    def go(number: int) -> None:
        random = Random(options.seed * 1000 + number)
        while time.time() < until and memory.now():
            name = random.choice(sorted(chosen))
            visits[name] += 1
            answers.update(_visit(server, USERS[number % len(USERS)], chosen[name], random))

    since, before = time.time(), memory.now()
    with memory.watched(), _capped(server, memory):
        threads = [threading.Thread(target=go, args=(n,)) for n in range(options.attackers)]
        for thread in threads:
            thread.start()
        for _ in _ticks(threads):
            print(
                f"  {time.time() - since:5.0f} s: {memory.now():6.0f} MB now, {memory.most:6.0f} at most",
                flush=True,
            )
        ended = time.time()
        after = memory.now()
        time.sleep(options.rest_s)
    waits = [s.waited_s * 1000 for s in victim.window(since, ended)] if memory.now() else []
    print(
        f"{sum(visits.values())} visits of {len(visits)} attacks by {options.attackers} attackers"
    )
    print(
        f"{'together':36} {ended - since:6.1f} s {before:6.0f} {memory.most:6.0f} {after:6.0f} {memory.now():6.0f}  "
        f"{percentile(waits, 0.5):7.1f} {percentile(waits, 0.99):7.1f} {max(waits, default=0):7.1f}  "
        + " ".join(f"{n} {what}" for what, n in answers.most_common()),
        flush=True,
    )


def _ticks(threads: list[threading.Thread]) -> Iterator[None]:
    while any(thread.is_alive() for thread in threads):
        for thread in threads:
            thread.join(10 / len(threads))
        yield


if __name__ == "__main__":
    sys.exit(main())
