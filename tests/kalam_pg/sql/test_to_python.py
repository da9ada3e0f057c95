"""Closures over rows: three-valued logic, what is evaluated and what not, agreement with the engine."""

import timeit
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import DivisionByZeroError, FeatureNotSupportedError
from catalog.types import registry as types
from kalam_pg.functions import lookup
from kalam_pg.functions.table import EvalContext, Volatility
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import (
    BoolKind,
    BoolOp,
    Call,
    Case,
    Coalesce,
    ColumnRef,
    Const,
    InList,
    IsNull,
    Param,
    RowExpr,
    Select,
)
from storage.errors import KalamError
from tests.kalam_pg.sql.oracle import Database, make_context, make_table

CONTEXT = EvalContext()
A = ColumnRef(0, 0, "a", types.INT4)
B = ColumnRef(0, 1, "b", types.INT4)
TRUTH = st.sampled_from([True, False, None])


def slot(column):
    return column.column


def operator(symbol, *kinds):
    return next(o for o in lookup.operators(symbol) if o.args == kinds)


def call(symbol, left, right, result=types.BOOL):
    return Call(operator(symbol, left.type, right.type), (left, right), result)


def run(expr, row=(), context=CONTEXT):
    return compile_expr(expr, slot)(row, context)


def logic(kind, values):
    columns = tuple(ColumnRef(0, i, "c", types.BOOL) for i in range(len(values)))
    return run(BoolOp(kind, columns, types.BOOL), tuple(values))


@given(st.lists(TRUTH, min_size=2, max_size=4))
def test_and_is_false_before_it_is_null(values):
    wanted = False if False in values else None if None in values else True
    assert logic(BoolKind.AND, values) is wanted


@given(st.lists(TRUTH, min_size=2, max_size=4))
def test_or_is_true_before_it_is_null(values):
    wanted = True if True in values else None if None in values else False
    assert logic(BoolKind.OR, values) is wanted


def test_and_stops_at_the_first_false():
    fails = call("=", call("/", Const(1, types.INT4), B, types.INT4), Const(1, types.INT4))
    guarded = BoolOp(BoolKind.AND, (call("<>", B, Const(0, types.INT4)), fails), types.BOOL)
    assert run(guarded, (1, 0)) is False
    with pytest.raises(DivisionByZeroError):
        run(fails, (1, 0))


def test_case_evaluates_only_the_branch_it_takes():
    fails = call("/", Const(1, types.INT4), B, types.INT4)
    chosen = Case(((call("=", B, Const(0, types.INT4)), Const(7, types.INT4)),), fails, types.INT4)
    assert run(chosen, (0, 0)) == 7
    assert run(chosen, (0, 1)) == 1


def test_coalesce_stops_at_the_first_value():
    fails = call("/", Const(1, types.INT4), Const(0, types.INT4), types.INT4)
    assert run(Coalesce((A, fails), types.INT4), (5,)) == 5


def test_a_strict_function_is_not_called_with_null():
    assert run(call("+", A, B, types.INT4), (None, 1)) is None
    assert run(call("+", A, B, types.INT4), (1, None)) is None


def test_a_parameter_is_read_when_the_closure_runs():
    closure = compile_expr(call("=", A, Param(0, types.INT4)), slot)
    assert closure((3,), EvalContext(params=(3,))) is True
    assert closure((3,), EvalContext(params=(4,))) is False
    assert closure((3,), EvalContext(params=(None,))) is None


@given(
    st.none() | st.integers(0, 3),
    st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=4),
    st.booleans(),
)
def test_in_is_null_when_only_a_null_could_decide(value, items, negated):
    constants = tuple(Const(i, types.INT4) for i in items)
    wanted = None if value is None else True if value in items else None if None in items else False
    if negated and wanted is not None:
        wanted = not wanted
    equals = operator("=", types.INT4, types.INT4)
    columns = tuple(ColumnRef(0, 1 + i, "c", types.INT4) for i in range(len(items)))
    assert run(InList(A, constants, equals, negated, types.BOOL), (value,)) is wanted
    assert run(InList(A, columns, equals, negated, types.BOOL), (value, *items)) is wanted


def test_a_row_is_null_when_all_of_it_is_and_not_null_when_none_of_it_is():
    row = RowExpr((A, B), types.RECORD)
    assert run(IsNull(row, False, types.BOOL), (None, 1)) is False
    assert run(IsNull(row, True, types.BOOL), (None, 1)) is False
    assert run(IsNull(row, False, types.BOOL), (None, None)) is True
    assert run(IsNull(row, True, types.BOOL), (1, 1)) is True


def test_subqueries_and_aggregates_are_refused():
    database = Database(make_pair())
    for text in ("(SELECT 1)", "count(*)", "row_number() OVER ()"):
        statement = database.bind(f"SELECT {text} FROM p").statement
        assert isinstance(statement, Select)
        with pytest.raises(FeatureNotSupportedError):
            compile_expr(statement.targets[0].expr, slot)


def test_a_simple_predicate_costs_less_than_a_microsecond():
    predicate = BoolOp(
        BoolKind.AND,
        (call("=", A, Param(0, types.INT4)), call(">", B, Const(5, types.INT4))),
        types.BOOL,
    )
    closure = compile_expr(predicate, slot)
    context = EvalContext(params=(1,))
    best = min(timeit.repeat(lambda: closure((1, 9), context), number=2000, repeat=5)) / 2000
    assert best < 3e-6  # 0.4 us alone; room for a busy machine


# ------------------------------------------------------------------ agreement with the engine

EXPRESSIONS = (
    "x + 1", "x - y", "x * y", "-x", "x = y", "x < y", "x >= 2", "x IN (1, 2)", "x NOT IN (1, NULL)",
    "x BETWEEN y AND 3", "coalesce(x, y, 0)", "nullif(x, y)", "greatest(x, y)", "least(x, y, 1)",
    "CASE WHEN x > y THEN s WHEN x = y THEN 'same' END", "s || 'z'", "s < 'b'", "upper(s)", "length(s)",
    "s LIKE 'a%'", "s IS NULL", "x IS DISTINCT FROM y", "n + 1.5", "n * n", "n / 3", "n > 2", "n = x",
    "round(n)", "f + 0.5", "f > 1", "f = -0.0", "f::int", "n::int", "x::text || s", "x = ANY('{1,2}')",
    "x > 1 AND y < 2", "x > 1 OR y IS NULL", "NOT (x > 1)", "(x > 1) IS NOT TRUE", "x % 2 = 0",
    "d + x", "d > '2024-01-02'", "d::timestamp", "n::text", "length(s) + x", "x::numeric",
    "x::float8 / 2",
    "array[x, y]", "(array[x, y])[1]",
    "position('a' in s)", "split_part(s, 'b', 1)", "i = '1 day'", "i",
)  # fmt: skip
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-3, 3),
        st.none() | st.integers(-3, 3),
        st.none() | st.sampled_from(["", "a", "ab", "b", "A", "é", "ba'"]),
        st.none() | st.sampled_from(["0.00", "1.50", "-2.25", "2.00", "99.99"]),
        st.none() | st.sampled_from([0.0, -0.0, 1.5, -2.5, 2.5, 1e10]),
        st.none() | st.integers(19720, 19730),
        st.none() | st.sampled_from([bytes(16), bytes.fromhex("00000000000000010000000000000000"),
                                     bytes.fromhex("0000000000000000000000141dd76000")]),
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


def make_pair():
    columns = (
        ("k", "int4", -1), ("x", "int4", -1), ("y", "int4", -1), ("s", "text", -1),
        ("n", "numeric", ((10 << 16) | 2) + 4), ("f", "float8", -1), ("d", "date", -1),
        ("i", "interval", -1),
    )  # fmt: skip
    return make_table("p", columns), []


@settings(max_examples=25, deadline=None)
@given(ROWS, st.sampled_from(EXPRESSIONS))
def test_the_engine_and_the_closures_agree(rows, expression):
    table, _ = make_pair()
    stored = [(k, *row) for k, row in enumerate(rows)]
    database = Database((table, stored))
    text = f"SELECT {expression} FROM p ORDER BY k"
    from_engine = outcome(lambda: [v for (v,) in database.values(text)[1]])
    bound = database.bind(text)
    assert isinstance(bound.statement, Select)
    closure = compile_expr(bound.statement.targets[0].expr, slot)
    context = make_context()
    assert from_engine == outcome(lambda: [closure(row, context) for row in stored])


def outcome(values):
    """What comes out: the values, or the SQLSTATE of an error."""
    try:
        return [repr(value) for value in values()]
    except KalamError as error:
        return error.sqlstate


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_of_the_agreement_runs_in_both(expression):
    table, _ = make_pair()
    stored = [(1, 2, 1, "ab", "1.50", 2.5, 19723, bytes(16)), (2, *[None] * 7)]
    database = Database((table, stored))
    bound, rows = database.values(f"SELECT {expression} FROM p ORDER BY k")
    assert isinstance(bound.statement, Select)
    closure = compile_expr(bound.statement.targets[0].expr, slot)
    assert [v for (v,) in rows] == [closure(row, make_context()) for row in stored]


def counted(overload, calls, volatility=Volatility.IMMUTABLE):
    """The same overload, which notes what it is called with."""

    def row(*values):
        calls.append(values)
        return overload.row(*values)

    return replace(overload, row=row, volatility=volatility)


def upper_of(calls, arg, volatility=Volatility.IMMUTABLE):
    overload = next(o for o in lookup.functions("upper") if o.args == (types.TEXT,))
    return Call(counted(overload, calls, volatility), (arg,), types.TEXT)


LONG = Const("a" * 100_000, types.TEXT)
"""What is made of it takes too long to be folded."""


@pytest.mark.parametrize(
    ("arg", "volatility", "times"),
    [
        (LONG, Volatility.IMMUTABLE, 1),
        (LONG, Volatility.STABLE, 1),
        (LONG, Volatility.VOLATILE, 3),
        (Param(0, types.TEXT), Volatility.IMMUTABLE, 1),
        (ColumnRef(0, 0, "a", types.TEXT), Volatility.IMMUTABLE, 3),
    ],
)
def test_what_is_the_same_for_all_rows_is_computed_once_in_a_worker(arg, volatility, times):
    calls = []
    closure = compile_expr(upper_of(calls, upper_of([], arg, volatility), volatility), slot)
    for value in ("x", "y"):
        context = EvalContext(params=(value * 9,))
        calls.clear()
        found = [closure((value * 9,), context) for _ in range(3)]
        assert found == [(LONG.value if arg is LONG else value * 9).upper()] * 3
        assert len(calls) == times


def test_what_raises_is_reached_first_and_raises_each_time():
    bad = call("/", Const("1", types.NUMERIC), Const("0", types.NUMERIC), types.NUMERIC)
    text = next(o for o in lookup.functions("sqrt") if o.args == (types.NUMERIC,))
    shown = Call(text, (bad,), types.NUMERIC)
    case = Case(((IsNull(A, False, types.BOOL), shown),), Const("7", types.NUMERIC), types.NUMERIC)
    closure = compile_expr(case, slot)
    assert closure((1,), CONTEXT) == "7"
    for _ in range(2):
        with pytest.raises(DivisionByZeroError):
            closure((None,), CONTEXT)
