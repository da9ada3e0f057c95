"""Ask a running PostgreSQL what its parser says of statements; see README.md.

Statements come one a line on standard input, the table comes on standard output.
"""

import csv
import sys

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus

SETUP = """
DROP VIEW IF EXISTS vw; DROP TABLE IF EXISTS t, g, u;
CREATE TABLE t(id int primary key, name text, grp text, amt numeric(12,2), val float8, ts timestamp,
  tstz timestamptz, d date, flag boolean, tags text[], j jsonb, u uuid, b bytea);
CREATE TABLE g(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
  b int GENERATED ALWAYS AS (a * 2) STORED, v varchar(5), c char(3), n numeric(6,2), ts3 timestamp(3));
CREATE TABLE u(x int8, y text, id int PRIMARY KEY, UNIQUE (x, y));
CREATE VIEW vw AS SELECT id, name AS n, count(*) OVER () FROM t;
"""


def main(conninfo: str) -> None:
    connection = psycopg.connect(conninfo, autocommit=True)
    connection.execute(SETUP)  # type: ignore[arg-type]
    rows = connection.execute("SELECT oid::int, typname FROM pg_type").fetchall()
    names = {oid: str(name) for oid, name in rows}
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("query", "columns", "params", "error"))
    pg = connection.pgconn
    for line in sys.stdin:
        query = line.strip()
        if not query:
            continue
        result = pg.prepare(b"", query.encode())
        if result.status == ExecStatus.FATAL_ERROR:
            fields = (
                DiagnosticField.SQLSTATE,
                DiagnosticField.MESSAGE_PRIMARY,
                DiagnosticField.STATEMENT_POSITION,
            )
            error = [(result.error_field(f) or b"0").decode() for f in fields]
            out.writerow((query, "", "", "|".join(error)))
            continue
        result = pg.describe_prepared(b"")
        columns = [
            f"{(result.fname(i) or b'').decode()}:{names[result.ftype(i)]}:{result.fmod(i)}"
            for i in range(result.nfields)
        ]
        params = [names[result.param_type(i)] for i in range(result.nparams)]
        out.writerow((query, ", ".join(columns), ", ".join(params), ""))


main(sys.argv[1])
