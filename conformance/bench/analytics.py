"""Questions over many rows of segments, beside PostgreSQL: how long each takes, and bytes on the disk.

`python -m conformance.bench.analytics [--rows 2000000] [--conversations 1000] [--rounds 5]`: both servers
have the same messages, PostgreSQL vacuumed and with a primary key alone, ours flushed. The servers take turns
in every round. The answers are compared. 2 M rows take some two minutes to write, 10 M ten.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import psycopg

from conformance.bench import servers
from conformance.bench.cold_first import FILL
from conformance.bench.servers import Server

OURS, THEIRS = "bench.messages", "plain.messages"
"""PostgreSQL's table has no row level security and no second index: what is quickest there."""

DEFINITION = (
    "CREATE SCHEMA plain; CREATE TABLE plain.messages (id bigint PRIMARY KEY,"
    " conversation_id bigint NOT NULL, author text, content text NOT NULL, score double precision,"
    " created_at timestamptz NOT NULL)"
)
QUESTIONS = {
    "count of all": "SELECT count(*) FROM {t}",
    "sum, average, least and greatest": "SELECT sum(score), avg(score), min(id), max(created_at) FROM {t}",
    "count of a time": "SELECT count(*) FROM {t} WHERE created_at >= timestamptz '2026-01-02'"
    " AND created_at < timestamptz '2026-01-04'",
    "group by conversation, top 10": "SELECT conversation_id, count(*) AS n, max(id) FROM {t}"
    " GROUP BY conversation_id ORDER BY n DESC, conversation_id LIMIT 10",
    "group by hour": "SELECT date_trunc('hour', created_at) AS h, count(*), sum(score) FROM {t}"
    " GROUP BY h ORDER BY h",
    "distinct conversations": "SELECT count(DISTINCT conversation_id) FROM {t} WHERE id % 3 = 0",
    "text that contains a word": "SELECT count(*) FROM {t} WHERE content LIKE '%99%you%'",
    "lengths of texts": "SELECT sum(length(content)), max(length(content)) FROM {t}",
    "filter and arithmetic": "SELECT sum(score * 2 + conversation_id) FROM {t} WHERE conversation_id < 500",
    "newest of each conversation": "SELECT count(*), sum(m) FROM"
    " (SELECT conversation_id, max(created_at) AS at, max(id) AS m FROM {t} GROUP BY conversation_id) x",
    "join with the busiest": "SELECT count(*) FROM {t} m JOIN (SELECT conversation_id FROM {t}"
    " GROUP BY conversation_id ORDER BY count(*) DESC, conversation_id LIMIT 20) b"
    " ON b.conversation_id = m.conversation_id",
}
Rows = list[tuple[object, ...]]

PIECE_ROWS = 50_000
FLUSH_PIECES = 4


def main() -> None:
    """Fill both, ask both, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--conversations", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with (
        servers.postgres() as postgres,
        servers.kalam() as kalam,
        postgres.connect() as theirs,
        kalam.connect() as ours,
    ):
        theirs.execute(DEFINITION)
        for server, connection in ((postgres, theirs), (kalam, ours)):
            _fill(server, connection, asked.rows, asked.conversations)
        theirs.execute(f"VACUUM ANALYZE {THEIRS}".encode())
        print(f"{'ms':36}{'PostgreSQL':>12}{'kalam_pg':>12}{'ratio':>8}", flush=True)
        ratios = [
            _question(name, text, theirs, ours, asked.rounds) for name, text in QUESTIONS.items()
        ]
        print(f"at least 2 x in {sum(r >= 2 for r in ratios)} of {len(ratios)}", end="; ")
        print(f"at least 5 x in {sum(r >= 5 for r in ratios)}; median {median(ratios):.1f} x")
        (size,) = theirs.execute(
            f"SELECT pg_total_relation_size('{THEIRS}')".encode()
        ).fetchone() or (0,)
        cold = sum(path.stat().st_size for path in _segments(kalam))
        print(f"bytes of rows: {size >> 20} MB, {cold >> 20} MB: {size / cold:.1f} x smaller")


def _fill(server: Server, connection: psycopg.Connection, rows: int, conversations: int) -> None:
    fill = FILL if server.is_kalam else FILL.replace(OURS, THEIRS)
    for piece, start in enumerate(range(0, rows, PIECE_ROWS), 1):
        last = min(start + PIECE_ROWS, rows)
        connection.execute(fill.encode(), (conversations, start + 1, last))
        if server.is_kalam and (piece % FLUSH_PIECES == 0 or last == rows):
            connection.execute(f"STORAGE FLUSH TABLE {OURS}".encode())


def _question(
    name: str, text: str, theirs: psycopg.Connection, ours: psycopg.Connection, rounds: int
) -> float:
    """Ask it in turns, print the medians; how many times as fast ours is."""
    asked = [(theirs, text.format(t=THEIRS).encode()), (ours, text.format(t=OURS).encode())]
    for connection, question in asked:  # What is read first is in memory then.
        connection.execute(question).fetchall()
    slow, quick = [], []
    for _ in range(rounds):
        (expected, answer) = (
            _timed(connection, question, taken)
            for (connection, question), taken in zip(asked, (slow, quick), strict=True)
        )
        assert _alike(answer, expected), f"{name}: {answer[:3]} and {expected[:3]}"
    ratio = median(slow) / median(quick)
    print(f"{name:36}{median(slow):12.1f}{median(quick):12.1f}{ratio:8.1f}", flush=True)
    return ratio


def _timed(connection: psycopg.Connection, question: bytes, taken: list[float]) -> Rows:
    begun = time.perf_counter()
    answer = connection.execute(question).fetchall()
    taken.append((time.perf_counter() - begun) * 1000)
    return answer


def _alike(answer: Rows, expected: Rows) -> bool:
    """Whether they are the same, sums of floats by another order of addition aside."""
    return [tuple(map(_rounded, row)) for row in answer] == [
        tuple(map(_rounded, row)) for row in expected
    ]


def _rounded(value: object) -> object:
    return f"{value:.9g}" if isinstance(value, float) else value


def _segments(server: Server) -> list[Path]:
    return list((server.unix_path.parent / "cold").rglob("segment-*"))


if __name__ == "__main__":
    main()
