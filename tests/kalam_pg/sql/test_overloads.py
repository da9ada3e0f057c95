"""Which overload a call means: the manual's rules, chapter "Type Conversion"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import DatatypeMismatchError
from catalog.types import registry as T  # noqa: N812
from kalam_pg.functions import lookup
from kalam_pg.sql.overloads import (
    Ambiguous,
    NotBuilt,
    can_coerce,
    common_type,
    resolve_aggregate,
    resolve_function,
    resolve_operator,
)

INT_ARRAY, TEXT_ARRAY = T.array_of(T.INT4), T.array_of(T.TEXT)
SCALARS = st.sampled_from(
    [T.INT2, T.INT4, T.INT8, T.FLOAT4, T.FLOAT8, T.NUMERIC, T.TEXT, T.VARCHAR, T.BPCHAR, T.NAME,
     T.BOOL, T.DATE, T.TIMESTAMP, T.TIMESTAMPTZ, T.UUID, T.UNKNOWN]
)  # fmt: skip

OPERATORS = [  # symbol, operands, the operator's own types (None: none, "?": ambiguous)
    ("+", (T.INT4, T.INT4), (T.INT4, T.INT4)),
    ("+", (T.INT4, T.INT8), (T.INT4, T.INT8)),
    ("+", (T.INT4, T.NUMERIC), (T.NUMERIC, T.NUMERIC)),
    # float8 + real beats real + real: its first operand is the preferred type.
    ("+", (T.INT8, T.FLOAT4), (T.FLOAT8, T.FLOAT4)),
    # An unknown operand is taken to have the other's type first.
    ("+", (T.INT4, T.UNKNOWN), (T.INT4, T.INT4)),
    ("<", (T.UNKNOWN, T.DATE), (T.DATE, T.DATE)),
    # All unknown: the string category wins where it is possible.
    ("=", (T.UNKNOWN, T.UNKNOWN), (T.TEXT, T.TEXT)),
    ("+", (T.UNKNOWN, T.UNKNOWN), "?"),
    # varchar has no operators: text is the preferred type of its category.
    ("=", (T.VARCHAR, T.VARCHAR), (T.TEXT, T.TEXT)),
    ("||", (T.VARCHAR, T.UNKNOWN), (T.TEXT, T.TEXT)),
    ("=", (T.INT4, T.TEXT), None),
    ("+", (T.BOOL, T.BOOL), None),
    ("-", (T.INT4,), (T.INT4,)),
]


@pytest.mark.parametrize(("symbol", "operands", "chosen"), OPERATORS)
def test_an_operator_is_chosen_by_postgresqls_rules(symbol, operands, chosen):
    if chosen == "?":
        with pytest.raises(Ambiguous):
            resolve_operator(symbol, operands)
        return
    found = resolve_operator(symbol, operands)
    assert (found.args if found else None) == chosen


def test_arrays_are_compared_by_the_polymorphic_operators():
    found = resolve_operator("=", (INT_ARRAY, INT_ARRAY))
    assert found.args == (INT_ARRAY, INT_ARRAY)
    assert resolve_operator("=", (INT_ARRAY, TEXT_ARRAY)) is None


def test_an_exact_match_wins_over_preferred_types():
    assert resolve_function("abs", (T.INT2,)).args == (T.INT2,)
    assert resolve_function("abs", (T.NUMERIC,)).args == (T.NUMERIC,)


def test_an_unknown_argument_takes_the_preferred_type():
    assert resolve_function("abs", (T.UNKNOWN,)).args == (T.FLOAT8,)
    assert resolve_function("upper", (T.UNKNOWN,)).args == (T.TEXT,)


def test_a_variadic_function_takes_its_last_type_any_number_of_times():
    found = resolve_function("concat", (T.INT4, T.TEXT, T.DATE))
    assert len(found.args) == 3


def test_an_argument_of_any_is_left_alone():
    found = resolve_aggregate("count", (T.UNKNOWN,))
    assert found.args == (T.ANY,)


def test_polymorphic_results_follow_the_arguments():
    found = resolve_aggregate("array_agg", (T.DATE,))
    assert found.result is T.array_of(T.DATE)


def test_polymorphic_arguments_must_say_their_type():
    with pytest.raises(DatatypeMismatchError, match="could not determine polymorphic type"):
        resolve_function("array_length", (T.UNKNOWN, T.INT4))
    with pytest.raises(Ambiguous):  # Of an array, or of something else?
        resolve_aggregate("array_agg", (T.UNKNOWN,))


def test_a_signature_that_is_not_built_is_not_replaced_by_another():
    for name, args in (("gcd", (T.NUMERIC, T.NUMERIC)), ("ltrim", (T.BYTEA, T.BYTEA))):
        if args in {o.args for o in lookup.functions(name)}:
            continue  # Built since: nothing to refuse.
        with pytest.raises(NotBuilt):
            resolve_function(name, args)


COMMON = [
    ((T.INT4, T.INT4), T.INT4),
    ((T.INT4, T.INT8, T.INT2), T.INT8),
    ((T.INT4, T.NUMERIC), T.NUMERIC),
    ((T.NUMERIC, T.FLOAT8, T.INT4), T.FLOAT8),
    ((T.UNKNOWN, T.DATE), T.DATE),
    ((T.UNKNOWN, T.UNKNOWN), T.TEXT),
    ((T.DATE, T.TIMESTAMP), T.TIMESTAMP),
    # Each casts to the other, so the first stays.
    ((T.VARCHAR, T.TEXT), T.VARCHAR),
    ((T.TEXT, T.VARCHAR), T.TEXT),
    ((T.INT4, T.TEXT), None),
    ((T.INT4, T.BOOL), None),
]


@pytest.mark.parametrize(("kinds", "common"), COMMON)
def test_union_and_case_unify_by_postgresqls_rules(kinds, common):
    assert common_type(kinds) is common


@given(st.lists(SCALARS, min_size=1, max_size=5))
def test_what_types_unify_to_takes_all_of_them_or_an_error(kinds):
    common = common_type(kinds)
    if common is not None:
        assert common is T.TEXT or common in kinds
        assert {k.category for k in kinds} <= {common.category, T.UNKNOWN.category}


@given(SCALARS, SCALARS)
def test_a_chosen_operator_takes_what_it_was_chosen_for(left, right):
    try:
        found = resolve_operator("=", (left, right))
    except Ambiguous:
        return
    if found is not None:
        assert can_coerce(left, found.args[0])
        assert can_coerce(right, found.args[1])
        assert found.result is T.BOOL
