"""What a chat app and its dashboards ask is answered as PostgreSQL 15 answers it, hot and cold: names,
types, rows, command tags; and errors by SQLSTATE, text and position.
"""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.wire import postgresql
from tests.wire.server import KalamServer

STATEMENTS = Path(__file__).parents[2] / "conformance" / "sql" / "dashboard.sql"

SET_UP = [
    "SET timezone TO 'UTC'",
    "DROP SCHEMA IF EXISTS d CASCADE",
    "CREATE SCHEMA d",
    """CREATE TABLE d.c (id bigint PRIMARY KEY, title text NOT NULL, kind text,
         created_at timestamptz) {with_}""",
    """CREATE TABLE d.m (id bigint PRIMARY KEY, conv bigint NOT NULL, author text, body text, tokens int,
         cost numeric(10,4), score float8, meta jsonb, tags text[], at timestamptz,
         edited boolean DEFAULT false) {with_}""",
    """INSERT INTO d.c SELECT g, 'conv ' || g::text, CASE WHEN g % 2 = 0 THEN 'ai' ELSE 'group' END,
         timestamptz '2024-01-01 00:00+00' + g * interval '1 day' FROM generate_series(1, 10) g""",
    """INSERT INTO d.m SELECT g, g % 10 + 1, 'user' || (g % 7)::text, 'message number ' || g::text,
         CASE WHEN g % 11 = 0 THEN NULL ELSE g * 3 % 100 END, (g % 50) * 0.1234, g / 7.0,
         ('{{"n": ' || g::text || ', "k": "v' || (g % 3)::text || '"}}')::jsonb,
         ARRAY['t' || (g % 4)::text, 'x'], timestamptz '2024-03-01 08:00+00' + g * interval '37 minutes',
         g % 13 = 0 FROM generate_series(1, 500) g""",
]


def statements() -> list[str]:
    lines = STATEMENTS.read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("--"))
    return [part.strip() for part in text.split(";\n") if part.strip()]


def answer(connection: psycopg.Connection, statement: str) -> Any:
    try:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
    except psycopg.Error as exc:
        return exc.sqlstate, exc.diag.message_primary, exc.diag.statement_position
    if cursor.description is None:
        return cursor.statusmessage
    rows = [tuple(str(value) for value in row) for row in cursor.fetchall()]
    if "order by" not in statement.lower() or statement.lower().startswith(("update", "delete")):
        rows.sort()
    return [(column.name, column.type_code) for column in cursor.description], rows


@pytest.mark.slow
@pytest.mark.skipif(not postgresql.installed(), reason="needs Debian's package postgresql-15")
def test_a_chat_app_and_its_dashboards_get_postgresqls_answers(tmp_path):
    server = KalamServer(tmp_path / "kalam").start()
    try:
        with (
            postgresql.running(tmp_path) as oracle,
            psycopg.connect(oracle, autocommit=True) as theirs,
        ):
            for cold in (False, True):
                with server.root() as ours:
                    for statement in SET_UP:
                        theirs.execute(statement.format(with_=""))  # type: ignore[call-overload]
                        ours.execute(statement.format(with_="WITH (TYPE = 'USER')"))  # type: ignore[call-overload]
                    if cold:
                        ours.execute("STORAGE FLUSH ALL IN d")
                    for statement in statements():
                        expected = answer(theirs, statement)
                        for in_process in ("on", "off"):
                            ours.execute(f"SET kalam.in_process_queries = {in_process}")  # type: ignore[call-overload]
                            found = answer(ours, statement)
                            assert found == expected, (statement, cold, in_process)
                            if not statement.lower().startswith(("select", "with", "values")):
                                break  # Once is enough to change something.
    finally:
        server.stop()
