"""The newest rows of segments: the way of a thread beside that of an engine, in one run.

`python -m conformance.bench.cold_first [--rows 200000] [--segments 10]`: a table in milliseconds. The
conversations lie scattered: each row is of another one than the row before it.
"""

import argparse
import time
from statistics import median

import psycopg

from conformance.bench import servers

COLUMNS = "id, author, content, created_at"
QUESTIONS = {
    "newest 50 of a conversation": f"SELECT {COLUMNS} FROM bench.messages"
    " WHERE conversation_id = %s ORDER BY created_at DESC LIMIT 50",
    "the 50 before a time and id": f"SELECT {COLUMNS} FROM bench.messages WHERE conversation_id = %s"
    " AND (created_at, id) < ('2026-01-02', 0) ORDER BY created_at DESC, id DESC LIMIT 50",
    "count(*) of a conversation": "SELECT count(*) FROM bench.messages WHERE conversation_id = %s",
    "top 10 by id": f"SELECT {COLUMNS} FROM bench.messages WHERE %s > 0 ORDER BY id DESC LIMIT 10",
}
FILL = (
    "INSERT INTO bench.messages"
    " SELECT g, g * 7919 %% %s + 1, 'user', 'Message number ' || g::text || ': how are you?',"
    " g / 8.0, timestamptz '2026-01-01' + g * interval '1 s' FROM generate_series(%s::bigint, %s) g"
)
AGAIN = 20
TOGETHER = 10_000
"""Rows of one INSERT: more would become a segment of their own (decision 0115)."""


def main() -> None:
    """Fill, flush, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="rows of a segment")
    parser.add_argument("--segments", type=int, default=10)
    parser.add_argument("--conversations", type=int, default=1000)
    asked = parser.parse_args()
    with servers.kalam() as server, server.connect() as direct, server.connect() as engine:
        for start in range(0, asked.rows * asked.segments, asked.rows):
            # In pieces: a commit of many rows blocks the others for long.
            for first in range(start, start + asked.rows, TOGETHER):
                last = min(first + TOGETHER, start + asked.rows)
                direct.execute(FILL, (asked.conversations, first + 1, last))
            direct.execute("STORAGE FLUSH TABLE bench.messages")
        engine.execute("SET kalam.in_process_queries = off")
        print(f"{'ms':30}{'first':>10}{'others':>10}{'again':>10}{'engine':>10}")
        for name, question in QUESTIONS.items():
            first = asking(direct, question, 1)
            others = median(asking(direct, question, at) for at in range(2, 2 + AGAIN))
            again = median(asking(direct, question, 2) for _ in range(AGAIN))
            theirs = median(asking(engine, question, at) for at in range(2, 2 + AGAIN))
            print(f"{name:30}{first:10.2f}{others:10.2f}{again:10.2f}{theirs:10.2f}")


def asking(connection: psycopg.Connection, question: str, conversation: int) -> float:
    """Milliseconds of one answer."""
    begun = time.perf_counter()
    connection.execute(question, (conversation,)).fetchall()
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main()
