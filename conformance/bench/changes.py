"""Changes by key, blocks of many statements, many rows of one text, a second index: lines of the table."""

import tempfile
import time
from itertools import count

from conformance.bench.measuring import Measure, Scenario, pgbench, repeated
from conformance.bench.servers import Server

ROWS = 100_000
IN_A_BLOCK = 50
IN_A_TEXT = 1000
TOGETHER = 10_000
"""Rows of one INSERT of those that are there before: more would become a segment of their own."""


def fill_entries(server: Server) -> None:
    """Put the rows that are changed into bench.entries; their codes are seven times their ids."""
    with server.connect() as connection:
        for start in range(0, ROWS, TOGETHER):
            connection.execute(
                "INSERT INTO bench.entries"
                " SELECT g, g * 7, 'entry ' || g FROM generate_series(%s::bigint, %s) g",
                (start + 1, start + TOGETHER),
            )
        if not server.is_kalam:
            connection.execute("ANALYZE bench.entries")


def _block() -> Measure:
    """Transactions a second."""

    def measure(server: Server, seconds: float) -> float:
        insert = (
            "\\set id random(1000000, 9000000000000000000)\n"
            "INSERT INTO bench.entries (id, content) VALUES (:id, 'one of fifty');\n"
        )
        with tempfile.NamedTemporaryFile("w", suffix=".pgbench") as file:
            file.write(f"BEGIN;\n{insert * IN_A_BLOCK}COMMIT;\n")
            file.flush()
            return pgbench(file.name, "prepared", 1)(server, seconds)

    return measure


def _one_text() -> Measure:
    """Rows a second, their values as parameters of one INSERT."""
    text = "INSERT INTO bench.entries (id, content) VALUES " + ", ".join(["(%s, %s)"] * IN_A_TEXT)

    def measure(server: Server, seconds: float) -> float:
        with server.connect() as connection:
            taken = count(time.time_ns())  # Ids that no round before has given.

            def once() -> int:
                rows = [value for _ in range(IN_A_TEXT) for value in (next(taken), "one of many")]
                return connection.execute(text.encode(), rows).rowcount

            return repeated(once, seconds)

    return measure


CHANGES: tuple[Scenario, ...] = (
    *(
        Scenario(
            f"{name}, prepared, {clients} client{'s' if clients > 1 else ''}",
            "1/s",
            0.0,
            1.0,
            pgbench(script, "prepared", clients),
        )
        for name, script in (
            ("UPDATE by key", "update.pgbench"),
            ("INSERT and DELETE by key", "delete.pgbench"),
            ("INSERT … ON CONFLICT DO UPDATE", "upsert.pgbench"),
            ("SELECT by a second, unique column", "second.pgbench"),
        )
        for clients in (1, 8)
    ),
    Scenario(f"block of {IN_A_BLOCK} INSERTs, prepared, 1 client", "1/s", 0.0, 1.5, _block()),
    Scenario(f"INSERT of {IN_A_TEXT} rows, psycopg", "rows/s", 0.0, 1.5, _one_text()),
)
