"""Functions, operators and casts answer as PostgreSQL 15 did.

`postgresql15.csv` holds constant expressions with PostgreSQL 15.18's answer (TimeZone = UTC): state is
`ok` with the value in text format ("V…", or NULL), or a SQLSTATE with the primary message.
"""

import csv
from pathlib import Path

import pytest

from catalog.types.table import DEFAULT_CONTEXT
from kalam_pg.sql.to_python import evaluate
from kalam_pg.sql.tree import Select
from storage.errors import KalamError
from tests.kalam_pg.sql.oracle import Database, make_context

with (Path(__file__).parent / "postgresql15.csv").open(newline="", encoding="utf-8") as _file:
    ANSWERS = [
        (r["expression"], r["state"], r["answer"][:1] == "V", r["answer"][1:])
        for r in csv.DictReader(_file)
    ]

DATABASE = Database()


@pytest.mark.parametrize(("expression", "state", "is_value", "answer"), ANSWERS)
def test_an_expression_has_postgresqls_answer(expression, state, is_value, answer):
    try:
        bound = DATABASE.bind(f"SELECT {expression}")
        assert isinstance(bound.statement, Select)
        value = evaluate(bound.statement.targets[0].expr, make_context())
    except KalamError as error:
        outcome = error.sqlstate, error.message
    else:
        outcome = "ok", ""
    if state != "ok" or outcome[0] != "ok":
        assert outcome == (state, answer)
        return
    text = None if value is None else bound.columns[0].type.output(value, DEFAULT_CONTEXT)
    assert text == (answer if is_value else None)
