"""LIKE by segments answers what one expression for the whole pattern would, and answers soon."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import InvalidEscapeSequenceError
from kalam_pg.functions.patterns import matcher, part_of

PATTERNS = st.text("ab%_A", max_size=9)
VALUES = st.text("abA\n", max_size=10)


@given(PATTERNS, VALUES, st.booleans())
def test_a_pattern_matches_as_its_regular_expression_does(
    pattern: str, value: str, ignore_case: bool
):
    words = "".join({"%": ".*", "_": "."}.get(c, c) for c in pattern)
    expected = re.fullmatch(words, value, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
    assert bool(matcher(pattern, ignore_case=ignore_case)(value)) == (expected is not None)


@given(PATTERNS, VALUES)
def test_what_matches_a_pattern_contains_its_rarest_text(pattern: str, value: str):
    part = part_of(pattern)
    assert part in pattern
    if matcher(pattern)(value):
        assert part in value
    assert (part == "") == (len([t for t in re.split("[%_]", pattern) if t]) < 2)


def test_digits_and_capitals_are_rarer_than_letters():
    parts = {"%99%you%": "99", "a%bc": "bc", "the_Z%": "the", "%é%on%": "é", "%no%on": "no"}
    assert {pattern: part_of(pattern) for pattern in parts} == parts


def test_many_wildcards_take_one_pass():
    # Sharing 5000 letters out among ten wildcards in every way would not end.
    assert not matcher("%a" * 10 + "b")("a" * 5000)
    assert matcher("%a" * 10 + "_%")("a" * 5000)


# What PostgreSQL 15 says.
@pytest.mark.parametrize(
    ("value", "pattern"),
    [("x", "zz\\"), ("", "%\\"), ("zz", "zz\\"), ("a", "a%\\"), ("a", "%__\\"), ("ab", "%b%\\")],
)
def test_an_escape_at_the_end_matches_nothing(value, pattern):
    assert not matcher(pattern)(value)


@pytest.mark.parametrize(
    ("value", "pattern"),
    [("ab", "a\\"), ("a", "%_\\"), ("ab", "a%_\\"), ("xbb", "%b\\"), ("a", "%_%%\\"), ("a", "\\")],
)
def test_an_escape_at_the_end_is_an_error_where_a_value_gets_so_far(value, pattern):
    with pytest.raises(InvalidEscapeSequenceError, match="must not end with escape character"):
        matcher(pattern)(value)
