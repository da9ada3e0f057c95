"""Groups of many rows by Arrow: what plain Python answers, bit by bit."""

import math
import random

import pytest

from kalam_pg.interpreter import number_groups
from kalam_pg.interpreter.program import compiled
from storage.errors import KalamError
from storage.tail.live_rows import LiveRows
from tests.kalam_pg.sql.oracle import Database, make_context, make_table

TABLE = make_table(
    "t",
    (
        ("id", "int8", -1),
        ("a", "int2", -1),
        ("b", "int4", -1),
        ("c", "int8", -1),
        ("f", "float8", -1),
        ("g", "float4", -1),
        ("s", "text", -1),
        ("t", "bool", -1),
    ),
)
AGGREGATES = [
    "count(*)",
    *[f"{name}({of})" for name in ("count", "sum", "avg", "min", "max") for of in "abcfg"],
]
KEYS = ["a", "b", "c", "s", "t"]
ORDINARY = (None, 0.0, 0.1, -2.5, 3e7, 1e-9)
SPECIAL = (math.nan, math.inf, -math.inf, -0.0, 1.7e308)


def made_rows(rnd, count):
    floats = ORDINARY + SPECIAL if rnd.random() < 0.5 else ORDINARY
    large = rnd.choice((10, 2**40, 2**62))
    return [
        (
            n,
            rnd.choice((None, 1, 2, -3)),
            rnd.choice((None, *range(5))),
            rnd.choice((None, 7, large, -large)),
            rnd.choice(floats),
            rnd.choice((None, 0.5, -1.25, 3.0e38)),
            rnd.choice((None, "", "a", "ä", "a ")),
            rnd.choice((None, True, False)),
        )
        for n in range(count)
    ]


def answer(query, rows):
    program = compiled(Database((TABLE, [])).bind(query).statement)
    (use,) = program.uses
    live = LiveRows((), rows, [1] * len(rows))
    try:
        return repr(program.run({use.relation: use.rows(live)}, make_context(), seconds=10))
    except KalamError as error:
        return error.sqlstate, error.message


@pytest.fixture
def by_arrow(monkeypatch):
    """Both ways of a query; and how many of its groupings were Arrow's."""
    taken = []
    real = number_groups.NumberGroups.__call__

    def counted(self, relation):
        found = real(self, relation)
        taken.append(found is not None)
        return found

    monkeypatch.setattr(number_groups.NumberGroups, "__call__", counted)

    def both(query, rows):
        monkeypatch.setattr(number_groups, "ROWS_MIN", len(rows) + 1)
        plain = answer(query, rows)
        taken.clear()
        monkeypatch.setattr(number_groups, "ROWS_MIN", 0)
        return plain, answer(query, rows), sum(taken)

    return both


def test_random_groups_are_the_same(by_arrow):
    rnd = random.Random(3)
    by_it = 0
    for _ in range(300):
        keys = rnd.sample(KEYS, rnd.randint(1, 2))
        asked = rnd.sample(AGGREGATES, rnd.randint(1, 4))
        query = f"SELECT {', '.join(keys + asked)} FROM t GROUP BY {', '.join(keys)}"
        plain, found, taken = by_arrow(query, made_rows(rnd, rnd.choice((1, 7, 300, 2500))))
        assert found == plain, query
        by_it += taken
    assert by_it > 100


@pytest.mark.parametrize(
    "rows",
    [
        [(1, 1, 1, 2**62, 0.0, 0.0, "", True)] * 3,
        [(1, 1, 1, 1, 1.7e308, 3.0e38, "", True)] * 3,
        [(1, 1, 1, 1, -0.0, -0.0, "", True)] * 3,
        [(1, 1, 1, None, math.nan, None, "", True), (1, 1, 1, None, 1.0, None, "", True)],
    ],
    ids=["sum of bigint", "overflow", "minus zero", "NaN"],
)
@pytest.mark.parametrize("what", AGGREGATES)
def test_what_arrow_reckons_otherwise(by_arrow, rows, what):
    plain, found, _ = by_arrow(f"SELECT a, {what} FROM t GROUP BY a", rows)
    assert found == plain


def test_a_column_that_the_key_decides_comes_with_its_group(by_arrow):
    rows = [(n, 1, n % 7, n, 0.5, 0.5, f"row {n}", True) for n in range(50)]
    plain, found, taken = by_arrow("SELECT id, s, sum(b) FROM t GROUP BY id", rows)
    assert found == plain
    assert taken == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a, count(DISTINCT b) FROM t GROUP BY a",
        "SELECT a, sum(b) FILTER (WHERE t) FROM t GROUP BY a",
        "SELECT f, count(*) FROM t GROUP BY f",
        "SELECT a, max(s) FROM t GROUP BY a",
        "SELECT a + 1, count(*) FROM t GROUP BY a + 1",
        "SELECT a, count(*) FROM t GROUP BY ROLLUP (a)",
        "SELECT count(*) FROM t",
    ],
)
def test_what_is_more_than_columns_and_numbers_is_pythons(by_arrow, query):
    plain, found, taken = by_arrow(query, made_rows(random.Random(5), 40))
    assert found == plain
    assert taken == 0
