"""What is measured: each scenario is a way to get one number, higher is better, from a server."""

import asyncio
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import asyncpg

from conformance.bench.notify import ping_pong
from conformance.bench.servers import Server

SQL = Path(__file__).parent / "sql"
PGBENCH = "/usr/lib/postgresql/15/bin/pgbench"
PSQL = "/usr/lib/postgresql/15/bin/psql"
ROWS = 100_000
CONVERSATIONS = 1000
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the table.

    unit: of what `measure` returns. target: the ratio to PostgreSQL that is wanted now; goal: the one
    that it is to become. measure: (server, seconds that it may take) to a rate. cold: the rows are
    flushed to segments before, where a server has such a thing.
    """

    name: str
    unit: str
    target: float
    goal: float
    measure: Callable[[Server, float], float]
    cold: bool = False


def flush(server: Server) -> None:
    """Make the rows that are read cold."""
    if server.is_kalam:
        with server.connect() as connection:
            connection.execute("STORAGE FLUSH TABLE bench.messages")


def fill(server: Server) -> None:
    """Put the rows that the reading scenarios read into bench.messages."""
    rows = [
        (
            at,
            at * 7919 % CONVERSATIONS + 1,
            "user" if at % 2 else "assistant",
            f"Message number {at}: how are you today?",
            at / 8,
            START + timedelta(seconds=at),
        )
        for at in range(1, ROWS + 1)
    ]
    with server.connect() as connection:
        for start in range(0, ROWS, 5000):
            with connection.cursor() as cursor, connection.transaction():
                cursor.executemany(
                    "INSERT INTO bench.messages"
                    " (id, conversation_id, author, content, score, created_at)"
                    " VALUES (%s, %s, %s, %s, %s, %s)",
                    rows[start : start + 5000],
                )
        if not server.is_kalam:
            connection.execute("ANALYZE bench.messages")


def _pgbench(
    script: str, mode: str, clients: int, *, synchronous: bool = False
) -> Callable[[Server, float], float]:
    def measure(server: Server, seconds: float) -> float:
        done = subprocess.run(
            [
                *(PGBENCH, "-n", "-M", mode, "-c", str(clients), "-j", "1"),
                # At least 2 s: 64 clients take one to authenticate, and pgbench counts it.
                *("-T", str(max(2, round(seconds))), "-f", SQL / script),
            ],
            env=server.environment(synchronous=synchronous),
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"tps = ([0-9.]+) \(without", done.stdout)
        if done.returncode or found is None:
            raise RuntimeError(f"{server.name}: pgbench failed:\n{done.stdout}{done.stderr}")
        return float(found[1])

    return measure


_ALL = "SELECT id, conversation_id, author, content, score, created_at FROM bench.messages"
_GROUPS = (
    "SELECT conversation_id, count(*), avg(score), max(created_at) FROM bench.messages"
    " GROUP BY conversation_id"
)
_TOTALS = "SELECT count(*), sum(score), min(created_at), max(created_at) FROM bench.messages"


def _repeated(once: Callable[[], int], seconds: float) -> float:
    """Rows per second of what is run again and again for about so long."""
    once()
    rows = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        rows += once()
    return rows / elapsed


def _psycopg(query: str, *, binary: bool = False) -> Callable[[Server, float], float]:
    """Only libpq's part: the rows arrive, and no Python value is made of them."""

    def measure(server: Server, seconds: float) -> float:
        with server.connect() as connection:

            def once() -> int:
                with connection.cursor(binary=binary) as cursor:
                    cursor.execute(query.encode())
                    return cursor.rowcount

            return _repeated(once, seconds)

    return measure


def _asyncpg(query: str) -> Callable[[Server, float], float]:
    def measure(server: Server, seconds: float) -> float:
        return asyncio.run(_fetch_repeatedly(server, query, seconds))

    return measure


async def _fetch_repeatedly(server: Server, query: str, seconds: float) -> float:
    connection = await asyncpg.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        database=server.database,
        ssl=False,
    )
    try:
        await connection.fetch(query)
        rows = 0
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            rows += len(await connection.fetch(query))
        return rows / elapsed
    finally:
        await connection.close()


def _psql(query: str) -> Callable[[Server, float], float]:
    """psql's own time would hide the server's, so it prints unaligned and to nowhere."""

    def measure(server: Server, seconds: float) -> float:
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write((query + ";\n") * 3)
            file.flush()

            def once() -> int:
                subprocess.run(
                    [PSQL, "-X", "-q", "-A", "-o", os.devnull, "-f", file.name],
                    env=server.environment(),
                    check=True,
                )
                return 3 * ROWS

            return _repeated(once, seconds)

    return measure


def _inserts() -> list[Scenario]:
    found = []
    for synchronous in (False, True):
        for mode in ("prepared", "simple"):
            for clients in (1, 8, 64):
                name = (
                    f"INSERT, {mode}, {clients} client{'s' if clients > 1 else ''}, "
                    f"synchronous_commit {'on' if synchronous else 'off'}"
                )
                measure = _pgbench("insert.pgbench", mode, clients, synchronous=synchronous)
                target = 0.7 if clients > 1 else 0.0
                found.append(Scenario(name, "1/s", target, 1.0, measure))
    return found


def _points() -> list[Scenario]:
    return [
        Scenario(
            f"point SELECT, {mode}, {clients} client{'s' if clients > 1 else ''}",
            "1/s",
            0.5,
            1.0,
            _pgbench("point.pgbench", mode, clients),
        )
        for mode in ("prepared", "simple")
        for clients in (1, 8, 64)
    ]


SCENARIOS: tuple[Scenario, ...] = (
    *_inserts(),
    *_points(),
    *(
        Scenario(
            f"newest 50 of a conversation, prepared, {clients} client{'s' if clients > 1 else ''}",
            "1/s",
            0.7,
            1.0,
            _pgbench("newest.pgbench", "prepared", clients),
        )
        for clients in (1, 8)
    ),
    Scenario("SELECT of 100 k rows, text, psycopg", "rows/s", 1.0, 1.5, _psycopg(_ALL)),
    Scenario(
        "SELECT of 100 k rows, binary, psycopg", "rows/s", 1.0, 1.5, _psycopg(_ALL, binary=True)
    ),
    Scenario("SELECT of 100 k rows, binary, asyncpg", "rows/s", 1.0, 1.5, _asyncpg(_ALL)),
    Scenario("SELECT of 100 k rows, text, psql", "rows/s", 1.0, 1.5, _psql(_ALL)),
    Scenario("totals over 100 k rows", "1/s", 1.0, 5.0, _psycopg(_TOTALS)),
    Scenario("1000 groups over 100 k rows", "rows/s", 1.0, 5.0, _psycopg(_GROUPS)),
    Scenario(
        "point SELECT of a flushed row, prepared, 8 clients",
        "1/s",
        0.0,
        1.0,
        _pgbench("point.pgbench", "prepared", 8),
        cold=True,
    ),
    Scenario(
        "SELECT of 100 k flushed rows, text, psycopg",
        "rows/s",
        0.0,
        1.5,
        _psycopg(_ALL),
        cold=True,
    ),
    Scenario(
        "1000 groups over 100 k flushed rows",
        "rows/s",
        0.0,
        5.0,
        _psycopg(_GROUPS),
        cold=True,
    ),
    *(
        Scenario(
            f"NOTIFY to and fro, {idle or 'no'} sessions that listen elsewhere",
            "1/s",
            0.0,
            1.0,
            partial(ping_pong, idle=idle),
        )
        for idle in (0, 100)
    ),
)
