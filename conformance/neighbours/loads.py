"""python -m conformance.neighbours.loads: loads of rows of ten megabytes: alone, given up, on a full disk.

Each kind of load runs to its end, then is cancelled, or loses its client, at times drawn by seed within
what it takes; with `--disk` it runs where there is no room, too, which is given back afterwards. After each
all of its rows are there, or none; told are the memory of the server and of its other processes, how soon
cancels acted, and what a victim waited.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Final

from conformance.neighbours.attacker import Attacker, Outcome
from conformance.neighbours.run import Memory, prepare
from conformance.neighbours.victim import Victim, percentile
from conformance.soak.disk import Disk
from tests.wire.raw import message, query
from tests.wire.server import PASSWORD, KalamServer

MB: Final = 1 << 20
PATIENCE_S: Final = 120.0

SETUP: Final = (
    f"CREATE USER maker PASSWORD '{PASSWORD}' ROLE dba",
    "CREATE TABLE kin.loaded (id BIGINT PRIMARY KEY, batch INT, v TEXT) WITH (TYPE = 'USER')",
    "CREATE TABLE kin.owner (id BIGINT PRIMARY KEY) WITH (TYPE = 'USER')",
    "CREATE TABLE kin.bound (id BIGINT PRIMARY KEY, batch INT REFERENCES kin.owner, v TEXT, code INT UNIQUE) "
    "WITH (TYPE = 'USER')",
)


class Batch:
    """Rows of one load. first: their first id."""

    def __init__(self, number: int, rows: int, size: int) -> None:
        self.number = number
        self.rows = rows
        self.size = size
        self.first = number * 1_000_000

    def query(self, columns: str = "{first} + g, {number}, {text}") -> str:
        """What answers them."""
        text = f"repeat(md5((g + {self.number})::text), {self.size // 32})"
        made = columns.format(first=self.first, number=self.number, text=text)
        return f"SELECT {made} FROM generate_series(1, {self.rows}) g"

    def lines(self) -> Iterator[bytes]:
        """The same as COPY sends them."""
        for n in range(1, self.rows + 1):
            yield b"%d\t%d\t" % (self.first + n, self.number)
            for at in range(0, self.size, MB):
                yield (b"%08x" % (self.number * 7919 + n)) * (min(MB, self.size - at) // 8)
            yield b"\n"


def copied(client: Attacker, batch: Batch, table: str = "kin.loaded (id, batch, v)") -> Outcome:
    """COPY FROM."""
    client.send(query(f"COPY {table} FROM STDIN"))
    for piece in batch.lines():
        client.send(message(b"d", piece))
    client.send(message(b"c"))
    client.on_sent()
    return client.finish()


def of_a_query(client: Attacker, batch: Batch) -> Outcome:
    """INSERT … SELECT."""
    return client.ask(f"INSERT INTO kin.loaded {batch.query()}")


def a_table(client: Attacker, batch: Batch) -> Outcome:
    """CREATE TABLE AS, which then is renamed, so that the next has the name again."""
    made = batch.query("{first} + g AS id, {number} AS batch, {text} AS v")
    return client.ask(f"CREATE TABLE kin.made{batch.number} AS {made}")


def in_a_block(client: Attacker, batch: Batch) -> Outcome:
    """Loaded, read and committed in a block."""
    client.send(query("BEGIN"))
    client.finish()
    outcome = copied(client, batch)
    if outcome.sqlstate is None:
        outcome = client.ask(f"SELECT sum(length(v)) FROM kin.loaded WHERE batch = {batch.number}")
    ended = client.ask("COMMIT")
    return outcome if outcome.sqlstate else ended


def changed_in_a_block(client: Attacker, batch: Batch) -> Outcome:
    """Loaded, and then put row by row, since one of them is changed."""
    client.ask("BEGIN")
    outcome = of_a_query(client, batch)
    if outcome.sqlstate is None:
        outcome = client.ask(f"UPDATE kin.loaded SET batch = batch WHERE id = {batch.first + 1}")
    ended = client.ask("COMMIT")
    return outcome if outcome.sqlstate else ended


def with_constraints(client: Attacker, batch: Batch) -> Outcome:
    """Rows that refer to others and have a unique index."""
    client.ask(f"INSERT INTO kin.owner VALUES ({batch.number}) ON CONFLICT DO NOTHING")
    made = batch.query("{first} + g, {number}, {text}, ({first} + g)::int")
    return client.ask(f"INSERT INTO kin.bound {made}")


def twice(client: Attacker, batch: Batch) -> Outcome:
    """The last row's key is that of the first."""
    made = batch.query(f"{{first}} + g % {batch.rows - 1}, {{number}}, {{text}}")
    return client.ask(f"INSERT INTO kin.loaded {made}")


Load = Callable[[Attacker, Batch], Outcome]
KINDS: Final[dict[str, tuple[Load, str]]] = {
    "COPY": (copied, "kin.loaded"),
    "INSERT … SELECT": (of_a_query, "kin.loaded"),
    "CREATE TABLE AS": (a_table, "kin.made{}"),
    "in a block": (in_a_block, "kin.loaded"),
    "changed in a block": (changed_in_a_block, "kin.loaded"),
    "constraints": (with_constraints, "kin.bound"),
    "a key twice": (twice, "kin.loaded"),
}


def _user(name: str) -> str:
    return "maker" if name == "CREATE TABLE AS" else "mallory"


class Processes:
    """The memory of a server's other processes, sampled."""

    def __init__(self, server: KalamServer) -> None:
        assert server.process is not None
        self._pid = server.process.pid
        self.most = 0.0
        self._over = threading.Event()

    def _all(self) -> list[int]:
        parents: dict[int, int] = {}
        for one in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                parents[int(one.parent.name)] = int(one.read_text().rpartition(")")[2].split()[1])
        found = [self._pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found[1:]

    def now(self) -> float:
        """Megabytes of all together, without pages of files."""
        total = 0
        for pid in self._all():
            with suppress(OSError):
                text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
                if "RssAnon:" in text:
                    total += int(text.split("RssAnon:")[1].split()[0])
        return total / 1024

    @contextmanager
    def watched(self) -> Iterator[None]:
        """`most` is the most meanwhile."""
        self.most, self._over = self.now(), threading.Event()
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.most = max(self.most, self.now())


class Run:
    """One server with its victim."""

    def __init__(self, server: KalamServer, victim: Victim, options: argparse.Namespace) -> None:
        self.server = server
        self.victim = victim
        self.options = options
        self.random = Random(options.seed)
        self.memory, self.others = Memory(server), Processes(server)
        self.wrong: list[str] = []
        self._numbers = iter(range(1, 100_000))

    def batch(self) -> Batch:
        """The next one."""
        return Batch(next(self._numbers), self.options.rows, int(self.options.row_mb * MB))

    def client(self, name: str) -> Attacker:
        """A session of the attacker: who makes tables has the rank for it."""
        client = Attacker(self.server, _user(name))
        client.socket.settimeout(PATIENCE_S)
        return client

    def told(self, name: str, how: str, act: Callable[[], str]) -> None:
        """Do something, and tell what came of it."""
        before, since = self.memory.now(), time.time()
        with self.memory.watched(), self.others.watched():
            answer = act()
            until = time.time()
        time.sleep(self.options.rest_s)  # What is freed in the background is gone then.
        waits = [one.waited_s * 1000 for one in self.victim.window(since, until)]
        print(
            f"{name:20} {how:10} {until - since:6.1f} s  server {before:5.0f} {self.memory.most:5.0f} "
            f"{self.memory.now():5.0f}  others {self.others.most:5.0f}  victim {percentile(waits, 0.5):6.1f} "
            f"{percentile(waits, 0.99):6.1f} {max(waits, default=0):7.1f}  {answer}",
            flush=True,
        )

    def check(self, name: str, how: str, batch: Batch, outcome: str | None) -> str:
        """All of its rows are there, or none. outcome: of the load, None is unknown, "" went well."""
        table = KINDS[name][1].format(batch.number)
        text = f"SELECT count(*), sum(length(v)) FROM {table} WHERE batch = {batch.number}"
        expected = (batch.rows, batch.rows * batch.size)
        found: tuple[object, ...] | None = None
        with self.server.connect(_user(name)) as client:
            with suppress(Exception):
                found = client.execute(text).fetchone()
            if found is None and table.startswith("kin.made"):
                found = (0, None)
            allowed = {None: ((0, None), expected), "": (expected,)}.get(outcome, ((0, None),))
            if found not in allowed:
                self.wrong.append(f"{name} {how} {batch.number}: {outcome!r} and {found}")
            client.execute(f"TRUNCATE {table}" if found != (0, None) else "SELECT 1")
            if found != (0, None) and table.startswith("kin.made"):
                client.execute(f"DROP TABLE {table}")
        return f"{outcome!r} {found}"

    def whole(self, name: str) -> float:
        """Run to the end; how long it takes."""
        took = 0.0

        def act() -> str:
            nonlocal took
            batch, since = self.batch(), time.monotonic()
            with self.client(name) as client:
                outcome = KINDS[name][0](client, batch)
            took = time.monotonic() - since
            return (
                self.check(name, "whole", batch, outcome.sqlstate or "")
                + " "
                + outcome.message[:60]
            )

        self.told(name, "whole", act)
        return took

    def given_up(self, name: str, took: float, *, lost: bool) -> None:
        """Cancel it, or lose its client, somewhere."""
        how = "lost" if lost else "cancelled"

        def act() -> str:
            batch, delay = self.batch(), self.random.uniform(0.0, 1.1 * took)
            asked: list[float] = []
            with self.client(name) as client:

                def give_up() -> None:
                    asked.append(time.monotonic())
                    if lost:
                        with suppress(OSError):
                            client.socket.shutdown(2)
                    else:
                        client.cancel()

                timer = threading.Timer(delay, give_up)
                timer.start()
                outcome: str | None = None
                with suppress(OSError, EOFError):
                    outcome = KINDS[name][0](client, batch).sqlstate or ""
                late = time.monotonic() - asked[0] if asked and not lost else 0.0
                timer.cancel()
                timer.join()
            if lost:
                self._wait_gone()
            found = self.check(name, how, batch, outcome)
            return f"after {delay:4.1f} s, answered {1000 * late:4.0f} ms later: {found}"

        self.told(name, how, act)

    def _wait_gone(self) -> None:
        """Until nobody of the attacker's is there any more."""
        until = time.monotonic() + 20
        asked = "SELECT count(*) FROM system.sessions WHERE user_name IN ('mallory', 'maker')"
        with self.server.root() as root:
            while root.execute(asked).fetchone() != (0,):
                if time.monotonic() > until:
                    self.wrong.append("a session without a client is there for 20 s")
                    return
                time.sleep(0.05)  # Nobody is told when another session ends.

    def without_room(self, name: str, disk: Disk) -> None:
        """Where the disk has too little room."""
        room = int(
            self.random.choice((0.1, 0.5, 0.9, 1.2, 2.0)) * self.options.rows * self.options.row_mb
        )

        def act() -> str:
            batch = self.batch()
            disk.fill(room * MB)
            try:
                with self.client(name) as client:
                    outcome = KINDS[name][0](client, batch)
            finally:
                disk.empty()
            with self.server.connect("mallory") as client:
                for _ in range(100):  # Writes wait until somebody has seen that there is room.
                    with suppress(Exception):
                        client.execute("INSERT INTO kin.owner VALUES (0) ON CONFLICT DO NOTHING")
                        break
                    time.sleep(0.1)
                else:
                    self.wrong.append("nothing is written 10 s after there is room")
            found = self.check(name, "full", batch, outcome.sqlstate or "")
            return f"{room} MB of room: {found} {outcome.message[:50]}"

        self.told(name, "full", act)


def main() -> int:
    """1 when rows were lost, or there in part."""
    parser = argparse.ArgumentParser(prog="conformance.neighbours.loads", description=__doc__)
    parser.add_argument("names", nargs="*", help="kinds whose names have one of these; all")
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--row-mb", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3, help="of each way to give it up")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--disk", action="store_true", help="on a small disk, which is filled, too")
    parser.add_argument("--rest-s", type=float, default=1.0)
    options = parser.parse_args()
    names = [n for n in KINDS if not options.names or any(part in n for part in options.names)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        disk = Disk(Path(scratch) / "d")
        server = KalamServer((disk.directory if options.disk else Path(scratch)) / "data")
        try:
            server.start()
            prepare(server)
            with server.root() as root:
                for text in SETUP:
                    root.execute(text)
            with Victim(server, "victim", Path(scratch) / "samples") as victim:
                run = Run(server, victim, options)
                for name in names:
                    took = run.whole(name)
                    for _ in range(options.rounds):
                        run.given_up(name, took, lost=False)
                        run.given_up(name, took, lost=True)
                        if options.disk and disk.small:
                            run.without_room(name, disk)
        finally:
            server.kill()
            disk.close()
        told = Counter(line for line in server.errors if "XX000" in line or "Traceback" in line)
    for line in [*run.wrong, *told]:
        print(line)
    return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
