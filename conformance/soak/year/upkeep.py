"""What a server keeps: segments of each tablet, and bytes on the disk beside what they hold."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from conformance.soak.year.life import TABLES
from tests.wire.server import KalamServer

SEGMENTS_MAX = 10
_SIZES = {
    "messages": "24 + octet_length(author) + octet_length(body) + (edited_at IS NOT NULL)::int * 8",
    "marks": "24",
    "pulse": "8 + octet_length(body)",
}
"""The bytes of a row's values: 8 for a number or a time, and a text's own."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes. cold: blocks of the disk under segments and manifests. log: of the log's files. rows: of the
    live rows' values. retained: of the entries that the log has.
    """

    cold: int
    files: int
    log: int
    rows: int
    retained: int

    @property
    def share(self) -> float:
        """Cold, of the live rows' size."""
        return self.cold / max(1, self.rows)

    def __str__(self) -> str:
        return (
            f"{self.files} files, {self.cold >> 10} kB in cold = {self.share:.2f} of the rows,"
            f" log {self.log >> 10} kB, of which retained {self.retained >> 10} kB"
        )


def crowded(server: KalamServer) -> str:
    """Tablets with too many segments, as long as there are any."""
    with server.root() as root:
        found = root.execute("SELECT user_name, table_name FROM system.segments").fetchall()
    worst = [(name, count) for name, count in Counter(found).items() if count > SEGMENTS_MAX]
    return f"tablets with more than {SEGMENTS_MAX} segments: {worst[:5]}" if worst else ""


def kept(server: KalamServer, postgres: psycopg.Connection[Any], names: list[str]) -> Kept:
    """What is kept now."""
    data = server.data
    cold, files = _blocks(data / "cold")
    log, _ = _blocks(data / "log")
    rows = 0
    for name in names:
        for table in TABLES:
            (size,) = postgres.execute(
                f"SELECT coalesce(sum({_SIZES[table]}), 0) FROM {name}.{table}"
            ).fetchone() or (0,)
            rows += int(size)
    with server.root() as root:
        (retained,) = root.execute("SELECT sum(hot_bytes) FROM system.stats").fetchone() or (0,)
    return Kept(cold, files, log, rows, int(retained or 0))


def _blocks(directory: Path) -> tuple[int, int]:
    """Bytes of the disk that the files and directories take, and how many files there are."""
    size = files = 0
    for path, _, names in os.walk(directory):
        for name in (".", *names):
            try:
                size += (Path(path) / name).stat().st_blocks * 512
            except FileNotFoundError:
                continue  # Collected meanwhile.
            files += name != "."
    return size, files
