"""Declared indexes over segments: equality, ranges, the first N and counts, first, others and again.

`python -m conformance.bench.cold_indexes [--rows 200000] [--segments 10] [--without]`: milliseconds by the
clock, and of the main process's processor. `--without` makes no index: the same questions without one.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import psycopg

from conformance.bench import servers
from conformance.bench.cold_first import TOGETHER
from conformance.bench.servers import Server

TABLE = (
    "CREATE USER TABLE bench.mails (id bigint PRIMARY KEY, conversation int, thread int, email text,"
    " n int, at timestamptz, doc jsonb, content text)"
)
INDEXES = (
    "(email)", "(lower(email))", "((doc->>'k'))", "(n)", "(conversation, at)", "(thread, at DESC)"
)  # fmt: skip
FILL = (
    "INSERT INTO bench.mails SELECT g, g * 7919 %% 1000 + 1, g * 104729 %% 20000,"
    " 'U' || g * 31 %% {rows} || '@x.org', g * 48271 %% {rows},"
    " timestamptz '2026-01-01' + g * interval '1 s',"
    " jsonb_build_object('k', 'k' || g * 17 %% {rows}), 'Message number ' || g::text || ': how are you?'"
    " FROM generate_series(%s::bigint, %s) g"
)
AGAIN = 20

Question = tuple[str, Callable[[int], tuple[object, ...]]]


def questions(rows: int) -> dict[str, Question]:
    """Name, statement and how its parameters are made of a number."""
    mails = "SELECT id, email, at FROM bench.mails WHERE"
    return {
        "email": (f"{mails} email = %s", lambda k: (f"U{k * 31 * 7919 % rows}@x.org",)),
        "lower(email)": (
            f"{mails} lower(email) = %s",
            lambda k: (f"u{k * 31 * 7919 % rows}@x.org",),
        ),
        "doc->>'k'": (f"{mails} doc->>'k' = %s", lambda k: (f"k{k * 17 * 7919 % rows}",)),
        "first 10 by n": (f"{mails} %s > 0 ORDER BY n LIMIT 10", lambda k: (k,)),
        "20 by n": (f"{mails} n >= %s AND n < %s", lambda k: (k * 1000, k * 1000 + 20)),
        "newest 50, 1000": (
            f"{mails} conversation = %s ORDER BY at DESC LIMIT 50",
            lambda k: (k,),
        ),
        "newest 50, 20000": (f"{mails} thread = %s ORDER BY at DESC LIMIT 50", lambda k: (k,)),
        "count, 1000": (
            "SELECT count(*) FROM bench.mails WHERE conversation = %s",
            lambda k: (k,),
        ),
        "count, 20000": ("SELECT count(*) FROM bench.mails WHERE thread = %s", lambda k: (k,)),
    }


def main() -> None:
    """Fill, flush, wait for the index files, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="rows of a segment")
    parser.add_argument("--segments", type=int, default=10)
    parser.add_argument("--without", action="store_true", help="make no index")
    asked = parser.parse_args()
    rows = asked.rows * asked.segments
    with servers.kalam() as server, _root(server) as connection:
        connection.execute(TABLE)
        for index in () if asked.without else INDEXES:
            connection.execute(f"CREATE INDEX ON bench.mails {index}".encode())
        _fill(connection, rows, asked.rows)
        while not asked.without and _is_busy(connection):
            time.sleep(1)  # It is somebody else's work, of many seconds.
        print(f"{'ms':20}{'first':>9}{'others':>9}{'again':>9}{'processor, again':>18}")
        for name, question in questions(rows).items():
            first = _asking(connection, question, 1)
            others = median(_asking(connection, question, at) for at in range(2, 2 + AGAIN))
            begun = server.cpu_s([server.pid])
            again = median(_asking(connection, question, 2) for _ in range(AGAIN))
            cpu = (server.cpu_s([server.pid]) - begun) / AGAIN * 1000
            print(f"{name:20}{first:9.2f}{others:9.2f}{again:9.2f}{cpu:18.2f}")


def _root(server: Server) -> psycopg.Connection:
    """A connection of who may make tables in the schema."""
    return psycopg.connect(
        host=str(server.unix_path.parent), port=server.port, user="root", dbname="kalam",
        autocommit=True, options="-c synchronous_commit=off",
    )  # fmt: skip


def _fill(connection: psycopg.Connection, rows: int, segment: int) -> None:
    statement = FILL.format(rows=rows).encode()
    for start in range(0, rows, segment):
        # In pieces: a commit of many rows blocks the others for long.
        for first in range(start, start + segment, TOGETHER):
            connection.execute(statement, (first + 1, min(first + TOGETHER, start + segment)))
        connection.execute("STORAGE FLUSH TABLE bench.mails")


def _is_busy(connection: psycopg.Connection) -> bool:
    """Whether index files are made, or were a moment ago."""
    return bool(
        connection.execute(
            "SELECT 1 FROM system.jobs WHERE job_type IN ('index', 'compact')"
            " AND (status = 'running' OR finished_at > now() - interval '5 s')"
        ).fetchall()
    )


def _asking(connection: psycopg.Connection, question: Question, number: int) -> float:
    """Milliseconds of one answer."""
    statement, parameters = question
    begun = time.perf_counter()
    connection.execute(statement.encode(), parameters(number)).fetchall()
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main()
