"""PostgreSQL 15's answers to single statements over one table, as cases.

They are `tests/kalam_pg/sql/answers/postgresql15.csv`; the table is the one that `SETUP` makes.
"""

import ast
import csv
from pathlib import Path

from catalog.types.registry import by_name
from conformance.sql.cases import Answer, Case

ANSWERS = Path(__file__).parents[2] / "tests/kalam_pg/sql/answers/postgresql15.csv"
SETUP = r"""
CREATE TABLE t (
  id int PRIMARY KEY, name text, grp text, amt numeric(12,2), val float8, ts timestamp,
  tstz timestamptz, d date, flag boolean, tags text[], j jsonb, u uuid, b bytea
);
INSERT INTO t VALUES
(1, 'Alice', 'a', 10.50, 1.5, '2024-01-15 10:00', '2024-01-15 10:00+00', '2024-01-15', true,
 '{x,y}', '{"k":"v1","n":1}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\x0102'),
(2, 'Bob', 'b', 20.25, 2.5, '2024-02-15 11:30:15.123456', '2024-02-15 11:30+00', '2024-02-15',
 false, '{}', '{"k":"v2","n":2}', 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\xdead'),
(3, 'Carol', 'a', 30.00, 3.5, '2024-01-20 12:00', '2024-01-20 12:00+00', '2024-01-20', true,
 '{x}', '{"k":"v1"}', NULL, NULL),
(4, NULL, 'b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
(5, 'Eve', NULL, 0.01, -1, '2023-12-31 23:59:59', '2023-12-31 23:59:59+00', '2023-12-31', false,
 '{NULL,z}', '{"n":5}', 'c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\x');
"""


def cases() -> list[Case]:
    """Every statement with its answer."""
    with ANSWERS.open(newline="", encoding="utf-8") as file:
        return [
            Case("oracle", line, row["group"], row["query"], _answer(row))
            for line, row in enumerate(csv.DictReader(file), 2)
        ]


def _answer(row: dict[str, str]) -> Answer:
    if row["sqlstate"]:
        message = row["answer"].strip("'").removeprefix("ERROR:").strip()
        return Answer(error=(row["sqlstate"], message.replace("\\'", "'")))
    names, types = ast.literal_eval(row["names"]), ast.literal_eval(row["types"])
    # A table's row is of the table's own type, which `frontends` calls a record.
    known = [type_ if by_name(type_) is not None else "record" for type_ in types]
    columns = tuple(zip(names, known, strict=True))
    return Answer(columns, tuple(tuple(r) for r in ast.literal_eval(row["answer"])))
