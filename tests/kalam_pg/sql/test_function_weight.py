"""How long a statement is with the functions that it calls (`kalam_pg.sql.function_weight`)."""

import time

from catalog.functions import Function
from catalog.snapshot import Snapshot
from kalam_pg.sql.function_weight import weight


def _function(number: int, name: str, body: str) -> Function:
    return Function(number, "public", name, (), 25, body, 1)


def _weight(text: str, *functions: Function) -> int:
    return weight(text, Snapshot(1, {}, {}, {}, functions={one.id: one for one in functions}))


def test_counts_bodies_within_bodies() -> None:
    one, two = _function(1, "one", "select two()"), _function(2, "two", "x" * 50)
    assert _weight("select one()", one, two) == 12 + (100 + 12) + (100 + 50)
    assert _weight("select 1", one, two) == 8


def test_heaviest_of_a_name_counts() -> None:
    few, many = _function(1, "one", "x"), _function(2, "one", "x" * 70)
    assert _weight('select "one" ()', few, many) == 15 + 170


def test_functions_may_name_each_other_in_a_circle() -> None:
    one, two = _function(1, "one", "two()"), _function(2, "two", "one()")
    assert _weight("one()", one, two) >= 5 + 105  # Binding refuses it where the circle closes.


def test_as_deep_as_there_are_functions() -> None:
    """Also where what looks like a call is a text: binding does not find these too deep."""
    chain = [_function(n, f"f{n}", f"select 'f{n + 1}('") for n in range(5000)]
    assert _weight("select f0()", *chain) > 5000 * 100
    assert _weight("select f0()", *reversed(chain)) > 5000 * 100


def test_long_words_are_looked_at_once() -> None:
    word = "a" * 200_000
    began = time.process_time()
    assert _weight(f"'{word}'", _function(1, "one", word)) == len(word) + 2
    assert time.process_time() - began < 1.0  # By way of all their ends it takes minutes.
