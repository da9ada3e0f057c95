"""Rows that come column by column, by places or as tuples are the same rows."""

import math

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from catalog.types.registry import FLOAT8
from kalam_pg.functions.comparison import compare_floats
from kalam_pg.functions.pythonkey import python_key
from kalam_pg.interpreter.relation import Columns, Joined, Relation, StoredRows
from storage.tail.live_rows import LiveRows

VALUE = st.none() | st.integers(0, 3)
ROWS = st.lists(st.tuples(VALUE, VALUE), max_size=6)


@st.composite
def relations(draw):
    """A relation of two columns in any form, and its rows."""
    rows = draw(ROWS)
    columns = {at: [row[at] for row in rows] for at in range(2)}
    match draw(st.sampled_from(["rows", "columns", "tuples", "batches"])):
        case "rows":
            return Relation(rows), rows
        case "columns":
            return Columns(columns, 2, len(rows)), rows
        case "tuples":
            return StoredRows(LiveRows((), rows, [1] * len(rows)), 2, 2, {0, 1}), rows
    cut = draw(st.integers(0, len(rows)))
    batch = pa.record_batch(
        [pa.array(columns[at][:cut], pa.int64()) for at in range(2)], ["a", "b"]
    )
    return StoredRows(LiveRows((batch,), rows[cut:], [1] * (len(rows) - cut)), 2, 2, {0, 1}), rows


@st.composite
def any_relations(draw):
    """The same, and joins of two of them."""
    left, rows = draw(relations())
    if not rows or draw(st.booleans()):
        return left, rows
    right, others = draw(relations())
    place = st.tuples(st.integers(0, len(rows) - 1), st.integers(-1, len(others) - 1))
    pairs = draw(st.lists(place, max_size=8))
    mine, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    whole = [rows[a] + ((None, None) if b < 0 else others[b]) for a, b in pairs]
    return Joined(left, right, (mine, theirs), (2, 2)), whole


@given(any_relations(), st.data())
def test_a_relation_is_its_rows_however_it_is_read(found, data):
    relation, rows = found
    width = len(rows[0]) if rows else 2
    assert len(relation) == len(rows)
    if data.draw(st.booleans()):  # Which also asks a relation before its rows were made.
        assert list(relation.rows) == rows
    for at in range(width):
        assert list(relation.column(at)) == [row[at] for row in rows]
        assert not relation.is_full(at) or None not in relation.column(at)
    slots = data.draw(st.lists(st.integers(0, width - 1), min_size=1, max_size=4))
    assert list(relation.picked(slots)) == [tuple([row[at] for at in slots]) for row in rows]
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=5)) if rows else []
    taken = relation.taken(places)
    assert list(taken.column(width - 1)) == [rows[at][width - 1] for at in places]
    assert list(taken.rows) == [rows[at] for at in places]


FLOATS = st.floats() | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 1.0])


@given(st.lists(FLOATS, max_size=6))
def test_what_stands_for_a_float_is_equal_hashed_and_sorted_as_sql_has_it(values):
    key = python_key(FLOAT8)
    made = [key(value) for value in values]
    for a, b in ((i, j) for i in range(len(values)) for j in range(len(values))):
        order = compare_floats(values[a], values[b])
        found = made[a], made[b]
        assert (found[0] == found[1], found[0] < found[1], found[0] > found[1]) == (
            order == 0,
            order < 0,
            order > 0,
        )
        assert (found[0] <= found[1], found[0] >= found[1]) == (order <= 0, order >= 0)
        assert order or hash(found[0]) == hash(found[1])
