"""What no message may be is refused before anything recursive reads it."""

import pytest

from catalog.errors import StatementTooComplexError
from kalam_pg.sql.limits import BRACKETS_MAX, DEPTH_MAX, SET_OPERATIONS_MAX, TERMS_MAX, TEXT_MAX
from kalam_pg.sql.parse import parse
from storage.errors import KeyTooLongError

TOO_MUCH = [
    "SELECT " + "(" * 65 + "1" + ")" * 65,
    "SELECT " + "(" * 20_000,
    "SELECT " + "ARRAY[" * 65 + "1" + "]" * 65,
    "SELECT " + "CASE WHEN true THEN " * 70 + "1" + " END" * 70,
    "SELECT 1" + " UNION SELECT 1" * 51,
    "SELECT 1" + "+1" * 20_000,
    "SELECT 1 WHERE a = 1" + " OR a = 1" * 20_000,
    "SELECT 1 WHERE a = 1" + " AND a = 1" * 20_000,
    "SELECT " + "NOT " * 1000 + "true",
    "SELECT " + "- " * 1000 + "1",
    "SELECT 1" + "::int" * 1000,
    "SELECT * FROM t" + " JOIN t ON true" * 1000,
    "SELECT " + "(1+" * 60 + "1" + ")" * 60 + "+1" * 290,
]


@pytest.mark.parametrize("text", TOO_MUCH, ids=range(len(TOO_MUCH)))
def test_too_deep_or_too_long_is_a_statement_too_complex(text):
    with pytest.raises(StatementTooComplexError) as raised:
        parse(text)
    assert raised.value.position > 0


ALLOWED = [
    "SELECT " + "(" * BRACKETS_MAX + "1" + ")" * BRACKETS_MAX,
    "SELECT 1" + " UNION SELECT 1" * SET_OPERATIONS_MAX,
    "SELECT 1" + "+1" * (DEPTH_MAX - 1),
    "SELECT 1 WHERE a = 1" + " OR a = 1 AND b = 2" * 2000,
    "SELECT 1 WHERE a = 1" + " OR a = 1" * TERMS_MAX,
    "INSERT INTO t VALUES (1, 'a' || 'b')" + ", (1, 'a' || 'b')" * 5000,
    "SELECT " + ", ".join(["a + 1"] * 1000),
    "SELECT a IN (" + ",".join(map(str, range(20_000))) + ")",
    "SELECT 1;" * 1000,
]


@pytest.mark.parametrize("text", ALLOWED, ids=range(len(ALLOWED)))
def test_what_is_within_the_limits_is_read(text):
    assert parse(text)


def test_a_message_of_more_than_a_mebibyte_is_refused():
    with pytest.raises(KeyTooLongError):
        parse("SELECT '" + "x" * TEXT_MAX + "'")
    with pytest.raises(KeyTooLongError):
        parse("SELECT '" + "é" * (TEXT_MAX // 2) + "'")
