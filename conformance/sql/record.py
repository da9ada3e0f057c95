"""Write PostgreSQL's answers into the scripts.

Usage: python -m conformance.sql.record "host=… port=… user=… dbname=…" [SCRIPT …]
"""

import sys
from pathlib import Path

import psycopg

from conformance.sql.cases import Answer, Script, read, scripts, write
from conformance.sql.frontends import Wire


def record(dsn: str, script: Script) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        postgresql = Wire("postgresql", connection)
        for sql in (
            f"DROP SCHEMA IF EXISTS {script.name} CASCADE",
            f"CREATE SCHEMA {script.name}",
            f"SET search_path TO {script.name}",
            "SET timezone TO 'UTC'",
        ):
            postgresql.ask(sql)
        answers: list[Answer] = [postgresql.ask(case.sql) for case in script.cases]
        write(script, answers)


def main(dsn: str, *paths: str) -> None:
    for script in [read(Path(path)) for path in paths] if paths else scripts():
        if not script.kalamdb:
            record(dsn, script)


if __name__ == "__main__":
    main(*sys.argv[1:])
