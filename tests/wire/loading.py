"""Many rows for one COPY, and whether they came to their table as segments."""

import psycopg
import pytest

ROWS = 2200
PAD = "x" * 2000
"""So many rows, of so much text, are a large COPY."""

COLUMNS = "id BIGINT PRIMARY KEY, room INT, body TEXT NOT NULL, at TIMESTAMPTZ"


def make_table(root):
    """An empty `t`."""
    root.execute("DROP TABLE IF EXISTS t")
    root.execute(f"CREATE TABLE t ({COLUMNS}) WITH (TYPE = 'SHARED')")


def lines(first=0, rows=ROWS):
    return [
        f"{n}\t{n % 7}\t{n} {PAD}\t2026-11-{1 + n % 28:02} 12:00:00+00\n"
        for n in range(first, first + rows)
    ]


def copy(session, text, statement="COPY t FROM STDIN"):
    cursor = session.cursor()
    with cursor.copy(statement) as stream:
        stream.write("".join(text))
    return cursor.statusmessage


def count(session):
    (found,) = session.execute("SELECT count(*) FROM t").fetchone()
    return found


def is_loaded(session):
    """Whether rows are in segments that nobody has flushed."""
    segments = session.execute("SHOW STATS FOR TABLE t").fetchone()[4]
    return segments > 0


def sqlstate(call, *arguments):
    with pytest.raises(psycopg.Error) as caught:
        call(*arguments)
    return caught.value.sqlstate
