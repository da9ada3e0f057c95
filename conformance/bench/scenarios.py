"""What is measured: the lines of the table, and the rows that they read."""

from datetime import UTC, datetime, timedelta
from functools import partial

from conformance.bench.changes import CHANGES, fill_entries
from conformance.bench.measuring import (
    Scenario,
    by_asyncpg,
    by_psql,
    by_psycopg,
    pgbench,
)
from conformance.bench.notify import ping_pong
from conformance.bench.servers import Server

ROWS = 100_000
CONVERSATIONS = 1000
START = datetime(2026, 1, 1, tzinfo=UTC)


def flush(server: Server) -> None:
    """Make the rows that are read cold."""
    if server.is_kalam:
        with server.connect() as connection:
            connection.execute("STORAGE FLUSH TABLE bench.messages")


def fill(server: Server) -> None:
    """Put the rows that the reading scenarios read into bench.messages, and those that are changed."""
    fill_entries(server)
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


_ALL = "SELECT id, conversation_id, author, content, score, created_at FROM bench.messages"
_GROUPS = (
    "SELECT conversation_id, count(*), avg(score), max(created_at) FROM bench.messages"
    " GROUP BY conversation_id"
)
_TOTALS = "SELECT count(*), sum(score), min(created_at), max(created_at) FROM bench.messages"


def _inserts() -> list[Scenario]:
    found = []
    for synchronous in (False, True):
        for mode in ("prepared", "simple"):
            for clients in (1, 8, 64):
                name = (
                    f"INSERT, {mode}, {clients} client{'s' if clients > 1 else ''}, "
                    f"synchronous_commit {'on' if synchronous else 'off'}"
                )
                measure = pgbench("insert.pgbench", mode, clients, synchronous=synchronous)
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
            pgbench("point.pgbench", mode, clients),
        )
        for mode in ("prepared", "simple")
        for clients in (1, 8, 64)
    ]


SCENARIOS: tuple[Scenario, ...] = (
    *_inserts(),
    *CHANGES,
    *_points(),
    *(
        Scenario(
            f"newest 50 of a conversation, prepared, {clients} client{'s' if clients > 1 else ''}",
            "1/s",
            0.7,
            1.0,
            pgbench("newest.pgbench", "prepared", clients),
        )
        for clients in (1, 8)
    ),
    Scenario("SELECT of 100 k rows, text, psycopg", "rows/s", 1.0, 1.5, by_psycopg(_ALL)),
    Scenario(
        "SELECT of 100 k rows, binary, psycopg", "rows/s", 1.0, 1.5, by_psycopg(_ALL, binary=True)
    ),
    Scenario("SELECT of 100 k rows, binary, asyncpg", "rows/s", 1.0, 1.5, by_asyncpg(_ALL)),
    Scenario("SELECT of 100 k rows, text, psql", "rows/s", 1.0, 1.5, by_psql(_ALL, ROWS)),
    Scenario("totals over 100 k rows", "1/s", 1.0, 5.0, by_psycopg(_TOTALS)),
    Scenario("1000 groups over 100 k rows", "rows/s", 1.0, 5.0, by_psycopg(_GROUPS)),
    Scenario(
        "point SELECT of a flushed row, prepared, 8 clients",
        "1/s",
        0.0,
        1.0,
        pgbench("point.pgbench", "prepared", 8),
        cold=True,
    ),
    Scenario(
        "SELECT of 100 k flushed rows, text, psycopg",
        "rows/s",
        0.0,
        1.5,
        by_psycopg(_ALL),
        cold=True,
    ),
    Scenario(
        "1000 groups over 100 k flushed rows",
        "rows/s",
        0.0,
        5.0,
        by_psycopg(_GROUPS),
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
