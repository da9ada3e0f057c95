"""Tuples to Arrow and back."""

import time
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.arrow import (
    project,
    projector,
    schema_of,
    to_array,
    to_batch,
    to_rows,
    to_values,
    value_getter,
)
from storage.errors import FeatureNotSupportedError
from storage.layout import Column, Layout

INT64 = st.integers(-(2**63), 2**63 - 1)
MONEY = st.decimals(-(10**8), 10**8, places=2).map(lambda value: format(value, "f"))
CASES = [
    (pa.bool_(), st.booleans()),
    (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    (pa.int64(), INT64),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.decimal128(12, 2), MONEY),
    (pa.string(), st.text(st.characters(exclude_categories=["Cs"]))),
    (pa.binary(), st.binary()),
    (pa.binary(16), st.binary(min_size=16, max_size=16)),
    (pa.date32(), st.integers(-(2**31), 2**31 - 1)),
    (pa.time64("us"), st.integers(0, 86_400_000_000 - 1)),
    (pa.timestamp("us"), INT64),
    (pa.timestamp("us", "UTC"), INT64),
    (pa.list_(pa.int32()), st.lists(st.none() | st.integers(-9, 9)).map(tuple)),
    (pa.list_(pa.timestamp("us")), st.lists(st.none() | INT64).map(tuple)),
    (pa.list_(pa.list_(pa.decimal128(12, 2))), st.lists(st.lists(MONEY).map(tuple)).map(tuple)),
    (pa.list_(pa.float32(), 2), st.tuples(st.just(0.5), st.just(-2.0))),
]


@pytest.mark.parametrize(("kind", "values"), CASES, ids=[str(kind) for kind, _ in CASES])
@settings(max_examples=20)
@given(data=st.data())
def test_every_stored_form_survives_arrow_sliced_or_whole(kind, values, data):
    stored = data.draw(st.lists(st.none() | values, max_size=8))
    array = to_array(stored, kind)
    assert array.type == kind
    assert to_values(array) == stored
    assert to_values(array[1:]) == stored[1:]
    assert to_values(pa.chunked_array([array, array])) == stored * 2
    value = value_getter(array[1:])
    assert [value(at) for at in range(len(stored[1:]))] == stored[1:]


def test_a_small_decimal_has_no_exponent():
    (text,) = to_values(to_array(["0.0000001"], pa.decimal128(20, 9)))
    assert text == "0.000000100"
    assert Decimal(text) == Decimal("0.0000001")


OLD = Layout(1, (Column(1, "id", "int", pa.int64()), Column(2, "a", "text", pa.string())), (0,))
NEW = Layout(
    2,
    (
        Column(1, "id", "int", pa.int64()),
        Column(3, "b", "int", pa.timestamp("us"), missing=7),
        Column(4, "c", "text", pa.string()),
    ),
    (0,),
)


def test_rows_of_an_older_schema_get_missing_values_and_lose_dropped_columns():
    batch = to_batch([(1, "x"), (2, None)], OLD, [10, 11], [False, True])
    assert batch.schema == schema_of(OLD)
    assert to_rows(batch, OLD) == [(1, "x"), (2, None)]
    assert to_rows(batch, NEW) == [(1, 7, None), (2, 7, None)]
    assert [project(row, OLD, NEW) for row in to_rows(batch, OLD)] == to_rows(batch, NEW)
    assert projector(OLD, OLD) is None


@pytest.mark.parametrize(
    "item", [pa.int64(), pa.timestamp("us"), pa.decimal128(12, 2), pa.string()]
)
def test_an_array_of_two_dimensions_is_refused_and_not_flattened(item):
    for values in ([((1, 2), (3, 4))], [None, ((1,),)], [(), ((),)]):
        with pytest.raises(FeatureNotSupportedError):
            to_array(values, pa.list_(item))
    assert to_values(to_array([(((0.5, 1.0),)), None], pa.list_(pa.list_(pa.float32(), 2)))) == [
        ((0.5, 1.0),),
        None,
    ]


def test_a_struct_gives_tuples_of_its_fields():
    kind = pa.struct([("at", pa.timestamp("us")), ("of", pa.list_(pa.int32()))])
    values = [(5, (1, 2)), (None, None), (7, ())]
    assert to_values(to_array(values, kind)) == values
    assert to_values(to_array([((5, (1,)),)], pa.list_(kind))) == [((5, (1,)),)]
    assert to_values(to_array([], kind)) == []


def test_no_rows_still_have_columns():
    assert to_batch([], OLD, [], []).schema == schema_of(OLD)
    assert to_rows(to_batch([], OLD, [], []), OLD) == []


@pytest.mark.slow
def test_a_hundred_thousand_rows_convert_without_objects_per_time():
    columns = (pa.int64(), pa.string(), pa.timestamp("us"), pa.string(), pa.decimal128(10, 2))
    layout = Layout(
        1, tuple(Column(i, f"c{i}", "none", kind) for i, kind in enumerate(columns, 1)), (0,)
    )
    rows = [(i, f"user{i}", i * 1000, f"message number {i}", "1.50") for i in range(100_000)]
    numbers, flags = range(100_000), [False] * 100_000
    start = time.perf_counter()
    batch = to_batch(rows, layout, numbers, flags)
    assert time.perf_counter() - start < 2  # 0.1 s; room for a machine that does other things
    assert to_rows(batch, layout) == rows
