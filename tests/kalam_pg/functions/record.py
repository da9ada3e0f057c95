"""Ask PostgreSQL 15 for the answers to constant expressions, as rows of `postgresql15.csv`.

    python -m tests.kalam_pg.functions.record < expressions >> tests/kalam_pg/functions/postgresql15.csv

One expression a line.
"""

import csv
import sys
import tempfile
from pathlib import Path

import psycopg

from tests.wire import postgresql


def main() -> None:
    """Read expressions, write rows."""
    out = csv.writer(sys.stdout)
    with (
        tempfile.TemporaryDirectory() as directory,
        postgresql.running(Path(directory)) as oracle,
        psycopg.connect(oracle, autocommit=True) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        for line in sys.stdin:
            expression = line.rstrip("\n")
            if expression:
                out.writerow((expression, *_answer(connection, expression)))


def _answer(connection: "psycopg.Connection[object]", expression: str) -> tuple[str, str]:
    cursor = connection.cursor()
    result = cursor.connection.pgconn.exec_(f"SELECT {expression}".encode())
    if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
        fields = psycopg.pq.DiagnosticField
        state = (result.error_field(fields.SQLSTATE) or b"").decode()
        return state, "V" + (result.error_field(fields.MESSAGE_PRIMARY) or b"").decode()
    value = result.get_value(0, 0)
    return "ok", "" if value is None else "V" + value.decode()


if __name__ == "__main__":
    main()
