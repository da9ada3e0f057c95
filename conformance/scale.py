"""What a server does among very many users: start, answer one of them, and take no more memory than it must.

    python -m conformance.scale [--users 1000000] [--came 33334] [--rows 20]

`users` users are made (`conformance.populated`), of whom `came` have rows in segments of three tables each.
Told are: how long a start takes until the first answer, after a stop and after kill -9 with writes; what a
user, a tablet and an open tablet take on the disk and in memory; how quick one user's INSERT and SELECT are,
beside a server with ten users, in turns; how long a DROP TABLE takes, and until its tablets are erased.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from conformance.populated import DEFINITION, TABLES, body_of, name_of, populate
from conformance.soak.processes import held
from conformance.soak.waiting import until
from tests.wire.server import PASSWORD, KalamServer

FEW = 10
ROUNDS = 15
ROUND_S = 0.3


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(prog="python -m conformance.scale", description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--came", type=int, default=33_334)
    parser.add_argument("--rows", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kalam-scale-") as directory:
        many = Scale(Path(directory) / "many", given.users, given.came, given.rows)
        few = Scale(Path(directory) / "few", FEW, FEW, given.rows)
        for one in (few, many):
            one.make()
        many.tell_disk()
        with few.running(), many.running("a stop"):
            many.tell_flat(few)
            many.write_much()
            many.server.kill()
            many.start("kill -9 amid writes")
            many.tell_memory()
            many.tell_drop()


class Scale:
    """One server and its directory."""

    def __init__(self, directory: Path, users: int, came: int, rows: int) -> None:
        self.server = KalamServer(directory)
        self.users, self.came, self.rows = users, min(came, users), rows

    def make(self) -> None:
        """The tables, by a server; the users and their rows, without one."""
        self.server.start()
        with self.server.root() as root:
            for name in TABLES:
                root.execute(DEFINITION.format(name=name))
        self.server.stop()
        _, took_s = _timed(
            lambda: populate(self.server.data, users=self.users, came=self.came, rows=self.rows)
        )
        tell(f"made {self.users} users, {self.came} of them with {len(TABLES)} tablets", took_s)

    def tell_disk(self) -> None:
        """What users and tablets take on the disk."""
        tablets = self.came * len(TABLES)
        cold, files = _blocks(self.server.data / "cold")
        log, _ = _blocks(self.server.data / "log")
        print(f"{files / tablets:.2f} files and {cold / tablets / 1024:.1f} kB of disk a tablet")
        print(f"log: {log >> 20} MB for all", flush=True)

    @contextmanager
    def running(self, after: str = "") -> Iterator[None]:
        """The server, from its start to its end."""
        self.start(after)
        try:
            yield
        finally:
            self.server.stop()

    def start(self, after: str) -> None:
        """Start; tell when a user who came has seen their rows."""
        began = time.perf_counter()
        self.server.start()
        ready_s = time.perf_counter() - began
        number = self.came // 2
        with self.server.root() as root:
            found = root.execute(
                f"EXECUTE AS USER '{name_of(number)}' (SELECT id, body FROM notes ORDER BY id)"
            ).fetchall()
        answered_s = time.perf_counter() - began
        assert found[: self.rows] == [(row, body_of(number, row)) for row in range(self.rows)]
        if after:
            tell(f"start after {after}: first answer, ready after {ready_s:.2f} s", answered_s)

    def write_much(self) -> None:
        """Rows of a thousand users that nobody flushes."""
        with self.server.root() as root, root.pipeline():
            for number in range(0, self.came, max(1, self.came // 1000)):
                root.execute(
                    f"EXECUTE AS USER '{name_of(number)}' (INSERT INTO notes VALUES (-1, 'new'))"
                )

    def connect(self, number: int) -> psycopg.Connection[Any]:
        """A connection of one user."""
        name = name_of(number)
        with self.server.root() as root:
            root.execute(f"ALTER USER {name} SET PASSWORD '{PASSWORD}'")
        return self.server.connect(name, options="-c synchronous_commit=off")

    def tell_flat(self, few: "Scale") -> None:
        """One user's INSERT and SELECT among many users, beside among few, in turns."""
        sides = [(one, one.connect(one.came // 2)) for one in (few, self)]
        kinds = {
            "INSERT": "INSERT INTO notes VALUES (%s, 'one more')",
            "SELECT": "SELECT body FROM notes WHERE id = %s",
        }
        for kind, text in kinds.items():
            rates: list[list[float]] = [[], []]
            number = 1000
            for _ in range(ROUNDS):
                for into, (_, connection) in zip(rates, sides, strict=True):
                    count, end = 0, time.perf_counter() + ROUND_S
                    while time.perf_counter() < end:
                        key = number + count if kind == "INSERT" else count % self.rows
                        connection.execute(text, (key,), prepare=True)
                        count += 1
                    into.append(count / ROUND_S)
                number += 100_000
            ratios = [mine / theirs for theirs, mine in zip(*rates, strict=True)]
            print(
                f"{kind} of one user: {statistics.median(rates[1]):.0f}/s among {self.users} users,"
                f" {statistics.median(rates[0]):.0f}/s among {few.users}: ratio"
                f" {statistics.median(ratios):.2f}",
                flush=True,
            )
        for _, connection in sides:
            connection.close()

    def tell_memory(self) -> None:
        """What open tablets take."""
        assert self.server.process is not None
        pid = self.server.process.pid
        before = held(pid).memory_mb
        with self.server.root() as root:
            asked = min(self.came, 5000)
            for at in range(0, asked, 500):
                with root.pipeline():
                    for number in range(at, min(asked, at + 500)):
                        root.execute(
                            f"EXECUTE AS USER '{name_of(number)}'"
                            " (SELECT body FROM notes WHERE id = 3)"
                        )
        after = held(pid).memory_mb
        print(
            f"memory: {before} MB after the start, {after} MB with {asked} more tablets open:"
            f" {(after - before) * 1024 / asked:.1f} kB each",
            flush=True,
        )

    def tell_drop(self) -> None:
        """How long DROP TABLE takes, and until nothing is left of it."""
        with self.server.root() as root:
            _, took_s = _timed(lambda: root.execute("DROP TABLE drafts"))
            tell(f"DROP TABLE of {self.came} tablets", took_s)

            def left() -> str:
                jobs = root.execute(
                    "SELECT status FROM system.jobs WHERE job_type = 'table_cleanup'"
                ).fetchall()
                return "" if jobs and all(job == ("completed",) for job in jobs) else str(jobs)

            _, took_s = _timed(lambda: until(left, 600))
            tell("… until they are erased", took_s)


def tell(what: str, took_s: float) -> None:
    """One line now."""
    print(f"{took_s:8.2f} s  {what}", flush=True)


def _timed(call: Callable[[], object]) -> tuple[object, float]:
    began = time.perf_counter()
    answer = call()
    return answer, time.perf_counter() - began


def _blocks(directory: Path) -> tuple[int, int]:
    size = files = 0
    for path, directories, names in os.walk(directory):
        for name in (*directories, *names):
            size += (Path(path) / name).stat().st_blocks * 512
        files += len(names)
    return size, files


if __name__ == "__main__":
    main()
