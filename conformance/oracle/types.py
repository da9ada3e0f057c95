"""Ask a running PostgreSQL 15 how it reads and writes the texts of tests/catalog/types/inputs.py.

    python -m conformance.oracle.types "host=127.0.0.1 port=5432 user=postgres" \
        > tests/catalog/types/answers.json

An answer is the type's output, or SQLSTATE, message, detail and hint of the error. Values go through a
column of the type, so that type modifiers apply as they do to an assignment.
"""

import json
import sys

import psycopg
from psycopg import sql

from tests.catalog.types.inputs import INPUTS, Inputs


def ask(connection: psycopg.Connection, inputs: Inputs) -> list[object]:
    """Return the answer to each text."""
    connection.execute("RESET ALL")
    connection.execute("DROP TABLE IF EXISTS probe")
    connection.execute(f"CREATE TEMP TABLE probe (v {inputs.sql})")
    for name, value in {"timezone": "UTC", **inputs.settings}.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    return [_answer(connection, text) for text in inputs.texts]


def _answer(connection: psycopg.Connection, text: str) -> object:
    statement = sql.SQL("INSERT INTO probe VALUES ({}) RETURNING format('%s', v)")
    try:
        row = connection.execute(statement.format(sql.Literal(text))).fetchone()
    except psycopg.Error as exc:
        diagnostic = exc.diag
        return [
            diagnostic.sqlstate,
            diagnostic.message_primary,
            diagnostic.message_detail or "",
            diagnostic.message_hint or "",
        ]
    assert row is not None
    return row[0]


def main() -> None:
    """Write the answers, one list for each entry of INPUTS, one line for each answer."""
    with psycopg.connect(sys.argv[1], autocommit=True) as connection:
        groups = [ask(connection, inputs) for inputs in INPUTS]
    lines = (",\n".join(json.dumps(answer) for answer in group) for group in groups)
    print("[[\n" + "\n],[\n".join(lines) + "\n]]")


if __name__ == "__main__":
    main()
