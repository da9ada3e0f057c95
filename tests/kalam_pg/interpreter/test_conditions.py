"""Comparisons of many rows by Arrow: what plain Python answers."""

import math
import random

import pytest

from kalam_pg.interpreter import conditions
from kalam_pg.interpreter.program import compiled
from storage.tail.encodings import Encodings
from storage.tail.live_rows import LiveRows
from tests.kalam_pg.sql.oracle import Database, make_context, make_table

TABLE = make_table(
    "t",
    (
        ("id", "int8", -1),
        ("a", "int2", -1),
        ("c", "int8", -1),
        ("f", "float8", -1),
        ("g", "float4", -1),
        ("d", "date", -1),
        ("at", "timestamptz", -1),
    ),
)
GIVEN = {
    "a": ("1", "2::bigint", "NULL::int", "-3::smallint"),
    "c": ("1", "9223372036854775807", "-9223372036854775808"),
    "f": ("0", "'-0'::float8", "'NaN'::float8", "0.5::float4", "'Infinity'::float8"),
    "g": ("0.5::float8", "'NaN'::float4"),
    "d": ("'2000-01-01'::date", "'infinity'::date"),
    "at": ("'2000-01-01 00:00+00'::timestamptz", "'-infinity'::timestamptz"),
}
FLOATS = (None, 0.0, -0.0, 0.5, math.inf)


def made_rows(rnd):
    floats = (*FLOATS, math.nan) if rnd.random() < 0.5 else FLOATS
    numbers = (1, 2, -3, None) if rnd.random() < 0.5 else (1, 2, -3)
    return [
        (
            n,
            rnd.choice(numbers),
            rnd.choice((1, 2**63 - 1, -(2**63))),
            rnd.choice(floats),
            rnd.choice(floats),
            rnd.choice((None, 0, 1, -1)),
            rnd.choice((0, 1, -1)),
        )
        for n in range(rnd.choice((1, 30)))
    ]


@pytest.mark.parametrize("column", GIVEN)
def test_random_comparisons_are_the_same(column, monkeypatch):
    rnd = random.Random(column)
    by_it = set()
    real = conditions._places

    def counted(*given):
        found = real(*given)
        by_it.add(found is not None)
        return found

    monkeypatch.setattr(conditions, "_places", counted)
    for _ in range(150):
        given, sign = rnd.choice(GIVEN[column]), rnd.choice(("=", "<>", "<", ">", "<=", ">="))
        sides = (column, given) if rnd.random() < 0.6 else (given, column)
        bound = Database((TABLE, [])).bind(f"SELECT id FROM t WHERE {sides[0]} {sign} {sides[1]}")
        program = compiled(bound.statement)
        (use,) = program.uses
        rows = made_rows(rnd)
        live = LiveRows((), rows, [1] * len(rows), range(3, 3 + len(rows)), Encodings())
        answers = []
        for rows_min in (len(rows) + 1, 0):
            monkeypatch.setattr(conditions, "ROWS_MIN", rows_min)
            tables = {use.relation: use.rows(live)}
            answers.append(program.run(tables, make_context(), seconds=10))
        assert answers[0] == answers[1], (sides, sign, rows)
    assert True in by_it
