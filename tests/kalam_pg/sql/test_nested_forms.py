"""Forms that compute an operand several times, one in another: nobody may repeat it without end."""

from collections.abc import Callable

import pytest

from catalog.errors import FeatureNotSupportedError, StatementTooComplexError
from kalam_pg.sql.datafusion_bounds import REPEATING_CHARS
from tests.kalam_pg.sql.oracle import oracle_database

DATABASE = oracle_database()
FORMS: dict[str, tuple[str, Callable[[int], int | None]]] = {
    "abs": ("abs({})", abs),
    "nullif": ("nullif({}, 2)", lambda x: None if x == 2 else x),
    "greatest": ("greatest({}, 2)", lambda x: max(x, 2)),
    "case": ("CASE {} WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE 3 END", lambda x: {1: 2, 2: 1}.get(x, 3)),
    "in": ("(({}) IN (1, 2, 5))::int", lambda x: int(x in {1, 2, 5})),
    "any": ("(({}) = ANY (ARRAY[1, 2, 5]))::int", lambda x: int(x in {1, 2, 5})),
    "between": ("(({}) BETWEEN 1 AND 5)::int", lambda x: int(1 <= x <= 5)),
    "rows": ("((({}), 1) < (2, 5))::int", lambda x: int((x, 1) < (2, 5))),
}
REPEATS = frozenset({"case", "in", "any", "between", "rows"})
"""Their SQL has the operand more than once."""


def nested(form: str, depth: int) -> str:
    text = "id"
    for _ in range(depth):
        text = FORMS[form][0].format(text)
    return text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_few_in_one_another_are_each_computed(form: str, depth: int) -> None:
    for text, answer in DATABASE.query(f"SELECT id, {nested(form, depth)} FROM t ORDER BY id"):
        value: int | None = int(str(text))
        for _ in range(depth):
            value = None if value is None else FORMS[form][1](value)
        assert answer == (None if value is None else str(value))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("depth", [12, 25])
def test_many_in_one_another_are_written_in_bounds_or_not_at_all(form: str, depth: int) -> None:
    try:
        _, emitted = DATABASE.emit(f"SELECT sum({nested(form, depth)}) FROM t")
    except (FeatureNotSupportedError, StatementTooComplexError):
        assert form in REPEATS
    else:
        assert len(emitted.sql) < REPEATING_CHARS


@pytest.mark.parametrize(
    "call",
    [
        "repeat('x', 1000000)",
        "id || repeat('y', 500000)",
        "CASE repeat('z', 300000) WHEN name THEN 1 WHEN name || 'b' THEN 2 WHEN name || 'c' THEN 3 END",
    ],
)
def test_large_constants_are_no_repeats(call: str) -> None:
    _, emitted = DATABASE.emit(f"SELECT {call} FROM t")
    assert len(emitted.sql) > REPEATING_CHARS


def test_calls_in_calls_are_planned_at_once() -> None:
    """DataFusion's parser for PostgreSQL reads the arguments of each call twice."""
    rows = DATABASE.query(f"SELECT id, {nested('abs', 40)} FROM t ORDER BY id")
    assert rows
    assert all(text == answer for text, answer in rows)
