"""Sort keys: bytes in the order of the values, of whatever length."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.types import registry as types
from kalam_pg.functions.sortkey import key_function

LONG = "x" * 5000  # An index key ends at 2700 bytes.

ORDERED = [
    (types.BPCHAR, [LONG, LONG + "y"]),
    (types.array_of(types.TEXT), [("a", None), (LONG,), (LONG, "a"), (LONG + "a",)]),
    (types.NUMERIC, ["-" + "9" * 5000, "0", "9" * 5000]),
    (types.JSONB, ["null", '"a"', f'"{LONG}"', f'["{LONG}"]', f'{{"{LONG}": 1}}']),
    (types.JSONB, ["[]", "null", '"\\u0001"', '"a"', '"aa"', "1", "false", "true", "[1]", "{}"]),
]


@pytest.mark.parametrize(("of", "values"), ORDERED, ids=lambda value: getattr(value, "name", ""))
def test_keys_are_ordered_as_the_values_and_may_be_long(of, values):
    key = key_function(of)
    assert all(key(a) < key(b) for a, b in pairwise(values))


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4), max_size=3
    ),
    st.data(),
)
def test_keys_of_text_arrays_compare_as_the_arrays_do(first, data):
    second = data.draw(st.lists(st.text("ab\x01é", max_size=4), max_size=3))
    key = key_function(types.array_of(types.TEXT))
    mine, theirs = (tuple(t.encode() for t in items) for items in (first, second))
    assert (key(tuple(first)) < key(tuple(second))) == (mine < theirs)
