"""Statements that PostgreSQL answers and we refuse by name (0A000, 42883). The list only shrinks.

`refused.sql`: one statement a line. A listed statement that is answered fails the tests, as does an
unlisted one that is refused. Wrong answers are never listed.
"""

from pathlib import Path

REFUSED = frozenset(
    line
    for line in (Path(__file__).parent / "refused.sql").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("-- ")
)
