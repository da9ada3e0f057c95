"""What is added up for all groups in one pass is what each group's own aggregate makes, bit by bit."""

import random

import pytest

from kalam_pg.interpreter import number_groups
from kalam_pg.interpreter.aggregates import Computed
from kalam_pg.interpreter.membership import Membership
from tests.kalam_pg.interpreter.test_number_groups import AGGREGATES, KEYS, answer, made_rows


@pytest.fixture
def both_ways(monkeypatch):
    """A query's answer by single groups, by all of them at once, and how many aggregates were made so."""
    monkeypatch.setattr(number_groups, "ROWS_MIN", 1 << 62)
    real = Computed.of_groups

    def both(query, rows):
        taken = []

        def counted(self, *given):
            found = real(self, *given)
            taken.append(found is not None)
            return found

        monkeypatch.setattr(Computed, "of_groups", lambda *_: None)
        one_by_one = answer(query, rows)
        monkeypatch.setattr(Computed, "of_groups", counted)
        return one_by_one, answer(query, rows), sum(taken)

    return both


def _given(value, default):
    return default if value is None else value


def test_random_groups_are_the_same(both_ways):
    rnd, by_it = random.Random(11), 0
    for _ in range(400):
        keys = rnd.sample(KEYS, rnd.randint(1, 2))
        asked = rnd.sample(AGGREGATES, rnd.randint(1, 4))
        grouping = rnd.choice(("{}", "ROLLUP ({})")).format(", ".join(keys))
        query = f"SELECT {', '.join(keys + asked)} FROM t GROUP BY {grouping}"
        rows = made_rows(rnd, rnd.choice((1, 7, 300)))
        if rnd.random() < 0.7:  # Else nearly every column has a NULL.
            rows = [tuple(map(_given, row, (0, 1, 7, 7, 0.25, 0.25, "a", True))) for row in rows]
        plain, found, taken = both_ways(query, rows)
        assert found == plain, query
        by_it += taken
    assert by_it > 200


@pytest.mark.parametrize("what", AGGREGATES)
@pytest.mark.parametrize(
    "row",
    [
        (1, 1, 1, 2**62, 0.0, 0.0, "", True),
        (1, 1, 2**31 - 1, 1, 1.7e308, 3.0e38, "", True),
        (1, 1, 1, -(2**63), -0.0, -0.0, "", True),
    ],
    ids=["sum of bigint", "overflow", "minus zero"],
)
def test_what_is_not_plain_is_the_same(both_ways, row, what):
    plain, found, _ = both_ways(f"SELECT a, {what} FROM t GROUP BY a", [row] * 3)
    assert found == plain


@pytest.mark.parametrize(
    "what", ["sum(DISTINCT b)", "sum(b) FILTER (WHERE t)", "sum(b + 1)", "max(b)"]
)
def test_what_is_more_than_a_sum_of_a_column_is_asked_of_each_group(both_ways, what):
    rows = [(n, n % 3, n % 5, n, 0.5, 0.5, "", n % 2 == 0) for n in range(30)]
    plain, found, taken = both_ways(f"SELECT a, {what} FROM t GROUP BY a", rows)
    assert found == plain
    assert taken == 0


def test_groups_come_in_the_order_of_their_first_rows():
    groups = Membership(["b", "a", "b", None, "a", "b"])
    assert groups.numbers == [0, 1, 0, 2, 1, 0]
    assert groups.keys == ["b", "a", None]
    assert groups.first == [0, 1, 3]
    assert groups.places == [[0, 2, 5], [1, 4], [3]]
    assert groups.sizes == [3, 2, 1]
    assert Membership([]).first == []
