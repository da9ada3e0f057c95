"""Many rows at once, beside PostgreSQL, and what another session waits meanwhile.

`python -m conformance.bench.many_rows [--rows 1000000] [--rounds 3]`: rows of five columns are copied in,
counted, copied out and inserted from a query, the servers taking turns; then as many come ten thousand at a
time, and are flushed. Told are seconds by the clock, processor time of all of a server's processes, how much
its first process and all of them grew at most, and how long a session that asks `SELECT 1` every 10 ms waited
at the most but for one in a thousand.
"""

import argparse
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import psycopg

from conformance.bench import servers
from conformance.bench.servers import Server

TABLE = "bench.events"
BLOCK_BYTES = 1 << 16
QUESTION_S = 0.01
LOOK_S = 0.02
TOGETHER = 10_000
"""Rows of one INSERT: more would become a segment of their own."""

SELECTED = (
    "SELECT g, g * 7919 % 1000 + 1, 'user', 'Message number ' || g || ': how are you today, and what now?',"
    " timestamptz '2026-01-01' + g * interval '1 s' FROM generate_series({}::bigint, {}) g"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one way took: seconds of the clock and of processors, growth in MB, the longest wait in ms."""

    clock_s: float
    processors_s: float
    first_mb: float
    all_mb: float
    waited_ms: float


def main() -> None:
    """Measure each way in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with (
        tempfile.NamedTemporaryFile("w+b", suffix=".copy") as file,
        servers.postgres() as postgres,
        servers.kalam() as kalam,
    ):
        _write(postgres, Path(file.name), asked.rows)
        print(f"{asked.rows} rows, {Path(file.name).stat().st_size >> 20} MB of text")
        for name, way in _ways(Path(file.name), asked.rows).items():
            taken: dict[str, list[Taken]] = {postgres.name: [], kalam.name: []}
            for _ in range(asked.rounds):
                for server in (postgres, kalam):
                    taken[server.name].append(_measured(server, way))
            for server_name, rounds in taken.items():
                print(_line(name, server_name, rounds), flush=True)
        _flush(kalam, asked.rows)


Way = Callable[[psycopg.Connection], None]


def _ways(file: Path, rows: int) -> dict[str, Way]:
    def copy_in(connection: psycopg.Connection) -> None:
        with (
            file.open("rb") as source,
            connection.cursor() as cursor,
            cursor.copy(f"COPY {TABLE} FROM STDIN".encode()) as copy,
        ):
            while block := source.read(BLOCK_BYTES):
                copy.write(block)

    def count(connection: psycopg.Connection) -> None:
        found = connection.execute(
            f"SELECT count(*), max(created_at) FROM {TABLE}".encode()
        ).fetchone()
        assert found, "no answer"
        assert found[0] == rows, found

    def copy_out(connection: psycopg.Connection) -> None:
        with connection.cursor() as cursor, cursor.copy(f"COPY {TABLE} TO STDOUT".encode()) as copy:
            lines = sum(bytes(block).count(b"\n") for block in copy)
        assert lines == rows, lines

    def insert(connection: psycopg.Connection) -> None:
        connection.execute(f"INSERT INTO {TABLE} {SELECTED.format(1, rows)}".encode())

    def truncate(connection: psycopg.Connection) -> None:
        connection.execute(f"TRUNCATE {TABLE}".encode())

    def emptied(way: Way) -> Way:
        """The way behind a TRUNCATE, which is not what is measured, and takes next to nothing."""

        def run(connection: psycopg.Connection) -> None:
            truncate(connection)
            way(connection)

        return run

    return {
        "COPY FROM": emptied(copy_in),
        "count, max": count,
        "COPY TO": copy_out,
        "INSERT … SELECT": emptied(insert),
    }


def _measured(server: Server, way: Way) -> Taken:
    with server.connect() as connection, _growth(server) as grown, _waits(server) as waits:
        processes = server.processes()
        before_s, begun = server.cpu_s(processes), time.perf_counter()
        way(connection)
        clock_s = time.perf_counter() - begun
        processors_s = server.cpu_s(sorted({*processes, *server.processes()})) - before_s
    ordered = sorted(waits)
    waited_ms = ordered[int(0.999 * (len(ordered) - 1))] * 1000 if ordered else 0.0
    return Taken(clock_s, processors_s, grown[0] / 1024, grown[1] / 1024, waited_ms)


def _line(name: str, server: str, rounds: list[Taken]) -> str:
    def middle(part: Callable[[Taken], float]) -> float:
        return median(map(part, rounds))

    parts = (
        f"{name:18}{server:12}",
        f"{middle(lambda t: t.clock_s):8.2f} s",
        f"{middle(lambda t: t.processors_s):8.2f} s of processors",
        f"{middle(lambda t: t.first_mb):8.0f} MB first",
        f"{middle(lambda t: t.all_mb):8.0f} MB all",
        f"{middle(lambda t: t.waited_ms):8.1f} ms waited",
    )
    return "".join(parts)


@contextmanager
def _growth(server: Server) -> Iterator[list[int]]:
    """How much the first process, and all together, grow at most, in kB; whole when it ends."""
    grown = [0, 0]
    ended = threading.Event()
    first, all_ = _resident_kb([server.pid]), _resident_kb(server.processes())

    def look() -> None:
        while not ended.wait(LOOK_S):
            grown[0] = max(grown[0], _resident_kb([server.pid]) - first)
            grown[1] = max(grown[1], _resident_kb(server.processes()) - all_)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield grown
    finally:
        ended.set()
        looking.join()


def _resident_kb(processes: list[int]) -> int:
    """Memory of these that is theirs alone or anonymous, as the kernel counts it."""
    found = 0
    for pid in processes:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue  # It has ended.
        found += sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
    return found


@contextmanager
def _waits(server: Server) -> Iterator[list[float]]:
    """How long each `SELECT 1` of another process waited, in seconds; whole when it ends."""
    waits: list[float] = []
    here, there = multiprocessing.Pipe()
    asking = multiprocessing.get_context("spawn").Process(target=_ask, args=(server, there))
    asking.start()
    here.recv()
    try:
        yield waits
    finally:
        here.send("enough")
        waits += here.recv()
        asking.join()


def _ask(server: Server, link: Connection) -> None:
    waits = []
    with server.connect() as connection:
        connection.execute("SELECT 1")
        link.send("begun")
        while not link.poll(QUESTION_S):
            begun = time.perf_counter()
            connection.execute("SELECT 1").fetchall()
            waits.append(time.perf_counter() - begun)
    link.send(waits)


def _write(postgres: Server, file: Path, rows: int) -> None:
    """The rows as PostgreSQL's COPY writes them."""
    with (
        postgres.connect() as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({SELECTED.format(1, rows)}) TO STDOUT".encode()) as copy,
        file.open("wb") as out,
    ):
        for block in copy:
            out.write(block)


def _flush(kalam: Server, rows: int) -> None:
    """Rows a second of a flush of what came in ordinary INSERTs."""
    with kalam.connect() as connection:
        connection.execute(f"TRUNCATE {TABLE}".encode())
        for first in range(1, rows, TOGETHER):
            chosen = SELECTED.format(first, first + TOGETHER - 1)
            connection.execute(f"INSERT INTO {TABLE} {chosen}".encode())

    def flush(connection: psycopg.Connection) -> None:
        connection.execute(f"STORAGE FLUSH TABLE {TABLE}".encode())

    print(_line("flush", kalam.name, [_measured(kalam, flush)]))


if __name__ == "__main__":
    main()
