"""Ways to get one number, higher is better, from a server: by pgbench, psycopg, asyncpg, psql."""

import asyncio
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from conformance.bench.servers import POSTGRES_BIN, Server

SQL = Path(__file__).parent / "sql"
PSQL_TIMES = 3
"""How often one psql asks, so that its start weighs little."""

Measure = Callable[[Server, float], float]
"""(server, seconds that it may take) to a rate."""


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
    measure: Measure
    cold: bool = False


def pgbench(script: str | Path, mode: str, clients: int, *, synchronous: bool = False) -> Measure:
    """Runs of a script a second; a name is that of a file in `sql`, another file has its whole path."""

    def measure(server: Server, seconds: float) -> float:
        done = subprocess.run(
            [
                *(POSTGRES_BIN / "pgbench", "-n", "-M", mode, "-c", str(clients), "-j", "1"),
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


def repeated(once: Callable[[], int], seconds: float) -> float:
    """Rows per second of what is run again and again for about so long."""
    once()
    rows = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        rows += once()
    return rows / elapsed


def by_psycopg(query: str, *, binary: bool = False) -> Measure:
    """Only libpq's part: the rows arrive, and no Python value is made of them."""

    def measure(server: Server, seconds: float) -> float:
        with server.connect() as connection:

            def once() -> int:
                with connection.cursor(binary=binary) as cursor:
                    cursor.execute(query.encode())
                    return cursor.rowcount

            return repeated(once, seconds)

    return measure


def by_asyncpg(query: str) -> Measure:
    """With the driver's own values, in its binary form."""

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


def by_psql(query: str, rows: int) -> Measure:
    """psql's own time would hide the server's, so it prints unaligned and to nowhere."""

    def measure(server: Server, seconds: float) -> float:
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write((query + ";\n") * PSQL_TIMES)
            file.flush()

            def once() -> int:
                subprocess.run(
                    [POSTGRES_BIN / "psql", "-X", "-q", "-A", "-o", os.devnull, "-f", file.name],
                    env=server.environment(),
                    check=True,
                )
                return PSQL_TIMES * rows

            return repeated(once, seconds)

    return measure
