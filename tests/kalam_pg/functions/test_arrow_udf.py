"""Functions over Arrow columns give what their row implementations give."""

import math

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import DivisionByZeroError, NumericValueOutOfRangeError
from catalog.types import registry as types
from kalam_pg.functions.arrow_udf import make_udf_callable
from kalam_pg.functions.lookup import by_key, everything, key_of
from kalam_pg.functions.udf import UdfSpec
from storage.arrow import to_array, to_values
from storage.errors import KalamError

INT64 = pa.int64()


def make(key, arg_types, result_type, context=None):
    physical = tuple(t.arrow(-1) for t in arg_types)
    spec = UdfSpec("f", key, physical, result_type.arrow(-1), arg_types, result_type)
    return make_udf_callable(spec, context or {})


VALUES = {
    types.INT4: st.integers(-(2**31), 2**31 - 1),
    types.TEXT: st.text(max_size=5).filter(lambda s: "\0" not in s),
    types.BYTEA: st.binary(max_size=5),
    types.DATE: st.integers(-(2**31), 2**31 - 1),
    types.TIMESTAMP: st.integers(-(2**63), 2**63 - 1),
    types.TIMESTAMPTZ: st.integers(-(2**63), 2**63 - 1),
    types.TIME: st.integers(0, 86_399_999_999),
    types.INTERVAL: st.binary(min_size=16, max_size=16),
    types.UUID: st.binary(min_size=16, max_size=16),
    types.FLOAT8: st.floats(allow_nan=False),
    types.BOOL: st.booleans(),
    types.by_name("_text"): st.lists(st.none() | st.text(max_size=3)).map(tuple),
    types.by_name("_timestamp"): st.lists(st.none() | st.integers(-5, 5)).map(tuple),
}


@pytest.mark.parametrize("pg_type", VALUES, ids=lambda t: t.name)
def test_values_pass_through_arrow_unchanged(pg_type):
    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.none() | VALUES[pg_type], max_size=5))
    def check(values):
        assert to_values(to_array(values, pg_type.arrow(-1))) == values

    check()


@pytest.mark.parametrize(
    ("symbol", "error"), [("+", NumericValueOutOfRangeError), ("/", DivisionByZeroError)]
)
def test_integer_kernels_check_what_the_rows_check(symbol, error):
    key = f"o:{symbol}(int4,int4)"
    column = make(key, (types.INT4, types.INT4), types.INT4)
    row = by_key(key).row
    left, right = [7, -7, None, 3], [2, 2, 1, None]
    wanted = [
        None if a is None or b is None else row(a, b) for a, b in zip(left, right, strict=True)
    ]
    assert column(pa.array(left, pa.int32()), pa.array(right, pa.int32())).to_pylist() == wanted
    bad = (2**31 - 1, 1) if symbol == "+" else (1, 0)
    with pytest.raises(error):
        column(pa.array([bad[0]], pa.int32()), pa.array([bad[1]], pa.int32()))


UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade")


INTEGERS = {types.INT2: 15, types.INT4: 31, types.INT8: 63}
SMALL_REAL, LEAST_REAL = 1.401298464324817e-45, 1.1754943508222875e-38
FLOATS = [0.0, -0.0, 1.0, -2.5, 1e30, 1e200, 1e308, 5e-324, 1e-200, SMALL_REAL, LEAST_REAL]
FLOATS += [math.inf, -math.inf, math.nan]


def outcome(call):
    try:
        return [repr(value) for value in call()]
    except KalamError as exc:
        return (exc.sqlstate, exc.message)


def check_pairs(key, kinds, result, pairs):
    """Each pair alone, and all that raise nothing together, with NULLs among them."""
    column, row = make(key, kinds, result), by_key(key).row
    good = []
    for pair in pairs:
        arrays = [to_array([v], t.arrow(-1)) for v, t in zip(pair, kinds, strict=True)]
        stored = [to_values(array)[0] for array in arrays]  # A real has fewer bits.
        expected = outcome(lambda stored=stored: [row(*stored)])
        found = outcome(lambda arrays=arrays: to_values(column(*arrays)))
        assert found == expected, (key, pair)
        if isinstance(expected, list):
            good.append(tuple(stored))
    columns = list(zip(*[(None,) * len(kinds), *good], strict=True))
    arrays = [to_array(list(c), t.arrow(-1)) for c, t in zip(columns, kinds, strict=True)]
    together = outcome(lambda: to_values(column(*arrays)))
    assert together == [repr(None), *(repr(row(*pair)) for pair in good)]


@pytest.mark.parametrize("kind", INTEGERS, ids=lambda t: t.name)
@pytest.mark.parametrize("name", ["o:%", "f:mod", "f:abs", "o:@"])
def test_remainders_and_absolute_values_are_those_of_the_rows(kind, name):
    top = 1 << INTEGERS[kind]
    values = [0, 1, -1, 2, -2, 3, -3, 7, -7, top - 1, -top, 1 - top]
    two = name in {"o:%", "f:mod"}
    kinds = (kind,) * (2 if two else 1)
    key = f"{name}({','.join(t.name for t in kinds)})"
    pairs = [(a, b) for a in values for b in values] if two else [(a,) for a in values]
    check_pairs(key, kinds, kind, pairs)


@pytest.mark.parametrize("left", [types.FLOAT4, types.FLOAT8], ids=lambda t: t.name)
@pytest.mark.parametrize("right", [types.FLOAT4, types.FLOAT8], ids=lambda t: t.name)
@pytest.mark.parametrize("symbol", "+-*/")
def test_arithmetic_of_floats_is_that_of_the_rows(left, right, symbol):
    reals = left is right is types.FLOAT4
    values = {
        t: [v for v in FLOATS if t is types.FLOAT8 or not 4e38 < abs(v) < math.inf]
        for t in (left, right)
    }
    pairs = [(a, b) for a in values[left] for b in values[right]]
    key = f"o:{symbol}({left.name},{right.name})"
    check_pairs(key, (left, right), types.FLOAT4 if reals else types.FLOAT8, pairs)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(UNITS),
    st.lists(st.none() | st.integers(-(10**17), 4 * 10**17), min_size=1, max_size=20),
)
def test_date_trunc_over_a_column_is_date_trunc_of_each_row(unit, values):
    key = "f:date_trunc(text,timestamp)"
    column = make(key, (types.TEXT, types.TIMESTAMP), types.TIMESTAMP)
    row = by_key(key).row
    array = to_array(values, pa.timestamp("us"))
    found = to_values(column(pa.array([unit] * len(values)), array))
    assert found == [None if v is None else row(unit, v) for v in values]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.none() | st.sampled_from(["a", "B", "é"]), min_size=70, max_size=90))
def test_repeated_arguments_are_asked_once_and_answered_each(values):
    column = make("f:upper(text)", (types.TEXT,), types.TEXT)
    assert column(pa.array(values, pa.string())).to_pylist() == [
        None if v is None else v.upper() for v in values
    ]
    padded = make("f:lpad(text,int4,text)", (types.TEXT, types.INT4, types.TEXT), types.TEXT)
    count = len(values)
    found = padded(
        pa.array(values, pa.string()), pa.array([3] * count, pa.int32()), pa.array(["-"] * count)
    )
    assert found.to_pylist() == [None if v is None else v.rjust(3, "-") for v in values]


def test_a_volatile_function_is_asked_for_every_row():
    spec = UdfSpec("f", "f:gen_random_uuid()", (INT64,), pa.binary(16), (), types.UUID)
    made = make_udf_callable(spec, {})(pa.array([1] * 100))
    assert len(set(made.to_pylist())) == 100


def test_a_key_names_one_overload_in_every_process():
    keys = [key_of(o) for o in everything()]
    assert len(keys) == len(set(keys))
    assert all(by_key(key_of(o)) is o for o in everything())


def test_casts_made_on_demand_have_keys_too():
    for key in (
        "c:text->int4(text)",
        "c:_int4->_text(_int4)",
        "c:varchar->varchar assignment(varchar)",
    ):
        assert key_of(by_key(key)) == key


NUMERICS = st.one_of(
    st.decimals(-1000, 1000, places=2).map(lambda d: format(d, "f")),
    st.integers(-(10**6), 10**6).map(str),
    st.sampled_from(
        ["0", "0.0", "0.00", "1", "1.0", "1.000", "-1", "123456789012345678901234567890.5"]
    ),
)
ODD = st.sampled_from(["NaN", "Infinity", "-Infinity", "9" * 80, "0." + "1" * 60])


def canonical_numerics(values):
    """As they are stored: no zero has a sign."""
    return [None if v is None else v.removeprefix("-") if not float(v) else v for v in values]


@pytest.mark.parametrize("name", ["sum", "avg", "max", "min"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_aggregates_of_lists_of_numerics_are_those_of_their_rows(name, data):
    number = st.none() | NUMERICS if data.draw(st.booleans()) else st.none() | NUMERICS | ODD
    groups = data.draw(
        st.lists(st.none() | st.lists(number, max_size=60).map(canonical_numerics), max_size=4)
    )
    long = data.draw(st.lists(number, min_size=60, max_size=80).map(canonical_numerics))
    groups.insert(data.draw(st.integers(0, len(groups))), long)
    text = pa.list_(pa.string())
    spec = UdfSpec(
        "f", f"~agg:a:{name}(numeric)", (text,), pa.string(), (types.NUMERIC,), types.NUMERIC
    )
    row = by_key(f"a:{name}(numeric)").row
    expected = [row([(v,) for v in group or ()]) for group in groups]
    lists = pa.array([[], *groups, ["7"]], text).slice(1, len(groups))
    assert make_udf_callable(spec, {})(lists).to_pylist() == expected


@pytest.mark.parametrize("symbol", ["=", "<>", "<", ">", "<=", ">="])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_numerics_of_columns_compare_as_those_of_rows(symbol, data):
    number = st.none() | NUMERICS | (ODD if data.draw(st.booleans()) else NUMERICS)
    pairs = data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=20))
    key = f"o:{symbol}(numeric,numeric)"
    column, row = make(key, (types.NUMERIC,) * 2, types.BOOL), by_key(key).row
    left, right = (canonical_numerics(side) for side in zip(*pairs, strict=True))
    found = column(pa.array(left, pa.string()), pa.array(right, pa.string())).to_pylist()
    assert found == [
        None if a is None or b is None else row(a, b) for a, b in zip(left, right, strict=True)
    ]


SMALL_NUMERICS = st.one_of(
    st.decimals(-10, 10, places=7).map(lambda d: format(d, "f")),
    st.sampled_from(["0." + "0" * 11 + "1", "0." + "0" * 12, "-0.5", "1" * 37, "1" * 38]),
)


@pytest.mark.parametrize("symbol", "+-*")
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_arithmetic_of_columns_of_numerics_is_that_of_the_rows(symbol, data):
    kind = data.draw(st.sampled_from([NUMERICS, NUMERICS | SMALL_NUMERICS, NUMERICS | ODD]))
    pairs = data.draw(
        st.lists(st.tuples(st.none() | kind, st.none() | kind), min_size=1, max_size=12)
    )
    key = f"o:{symbol}(numeric,numeric)"
    column, row = make(key, (types.NUMERIC,) * 2, types.NUMERIC), by_key(key).row
    left, right = (canonical_numerics(side) for side in zip(*pairs, strict=True))
    found = column(pa.array(left, pa.string()), pa.array(right, pa.string())).to_pylist()
    assert found == [
        None if a is None or b is None else row(a, b) for a, b in zip(left, right, strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | NUMERICS | SMALL_NUMERICS | ODD, min_size=1, max_size=12))
def test_columns_of_numerics_are_the_floats_that_the_rows_are(values):
    values = canonical_numerics(values)
    key = "c:numeric->float8(numeric)"
    column, row = make(key, (types.NUMERIC,), types.FLOAT8), by_key(key).row
    found = column(pa.array(values, pa.string())).to_pylist()
    assert list(map(repr, found)) == [repr(None if v is None else row(v)) for v in values]
