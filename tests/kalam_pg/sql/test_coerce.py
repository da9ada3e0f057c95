"""Giving an expression the type of its place."""

import pytest

from catalog.errors import (
    AmbiguousParameterError,
    CannotCoerceError,
    DatatypeMismatchError,
    InvalidTextRepresentationError,
    StringDataRightTruncationError,
)
from catalog.types import registry as T  # noqa: N812
from kalam_pg.functions.table import EvalContext
from kalam_pg.sql.coerce import assign, coerce, explicit_cast, to_boolean, unify
from kalam_pg.sql.scope import Binding
from kalam_pg.sql.to_python import compile_expr
from kalam_pg.sql.tree import Call, ColumnRef, Const, Param
from tests.kalam_pg.sql.bind_fixtures import scope

VARCHAR_3 = 3 + 4


def state(*params):
    return Binding(scope(), "", list(params))


def literal(text, position=5):
    return Const(text, T.UNKNOWN, -1, position)


def column(kind, typmod=-1):
    return ColumnRef(0, 0, "c", kind, typmod)


def value_of(expr, row=()):
    return compile_expr(expr, lambda ref: ref.column)(row, EvalContext())


def test_a_literal_is_read_by_its_target_and_says_where_it_stands():
    assert coerce(state(), literal("2020-01-01"), T.DATE) == Const(18262, T.DATE)
    with pytest.raises(InvalidTextRepresentationError) as caught:
        coerce(state(), literal("x"), T.INT4)
    assert caught.value.position == 5


def test_null_is_of_every_type():
    for kind in (T.INT4, T.JSONB, T.array_of(T.TEXT)):
        assert coerce(state(), literal(None), kind) == Const(None, kind)


def test_a_parameter_takes_one_type_only():
    known = state(None)
    known.pending[0] = [0, 0]
    unknown = Param(0, T.UNKNOWN)
    assert coerce(known, unknown, T.INT4) == Param(0, T.INT4)
    assert known.params == [T.INT4]
    with pytest.raises(AmbiguousParameterError) as caught:
        coerce(known, unknown, T.TEXT)
    assert caught.value.detail == "integer versus text"


@pytest.mark.parametrize(
    ("source", "target", "contexts"),
    [
        (T.INT4, T.INT8, "iae"),
        (T.INT8, T.INT4, "ae"),
        (T.INT4, T.TEXT, "ae"),
        (T.TEXT, T.INT4, "e"),
        (T.INT4, T.BOOL, "e"),
        (T.INT4, T.DATE, ""),
        (T.array_of(T.INT4), T.array_of(T.INT8), "iae"),
    ],
)
def test_a_cast_needs_its_context(source, target, contexts):
    for context in "iae":
        found = coerce(state(), column(source), target, context)
        assert (found is not None) == (context in contexts)


def test_a_cast_that_does_not_exist_is_42846():
    with pytest.raises(CannotCoerceError, match="cannot cast type integer to date"):
        explicit_cast(state(), column(T.INT4), T.DATE)


def test_an_explicit_cast_cuts_and_an_assignment_refuses():
    cut = explicit_cast(state(), column(T.TEXT), T.VARCHAR, VARCHAR_3)
    assert (value_of(cut, ("abcdef",)), cut.typmod) == ("abc", VARCHAR_3)
    assigned = assign(state(), column(T.TEXT), T.VARCHAR, VARCHAR_3, "c")
    assert value_of(assigned, ("ab ",)) == "ab "
    with pytest.raises(StringDataRightTruncationError):
        value_of(assigned, ("abcdef",))


def test_a_value_that_has_the_typmod_is_left_alone():
    same = column(T.VARCHAR, VARCHAR_3)
    assert assign(state(), same, T.VARCHAR, VARCHAR_3, "c") is same
    assert isinstance(assign(state(), column(T.VARCHAR), T.VARCHAR, VARCHAR_3, "c"), Call)


def test_an_assignment_that_does_not_fit_says_what_to_do():
    with pytest.raises(DatatypeMismatchError) as caught:
        assign(state(), column(T.TEXT), T.INT4, -1, "x")
    assert caught.value.message == ('column "x" is of type integer but expression is of type text')
    assert caught.value.hint == "You will need to rewrite or cast the expression."


def test_a_failing_cast_of_a_constant_waits_for_its_row():
    assert isinstance(explicit_cast(state(), Const(40000, T.INT4), T.INT2), Call)


def test_conditions_must_be_boolean():
    with pytest.raises(DatatypeMismatchError, match="argument of WHERE must be type boolean"):
        to_boolean(state(), column(T.INT4), "WHERE")
    assert to_boolean(state(), literal("yes"), "WHERE") == Const(True, T.BOOL)


def test_unifying_casts_every_branch_and_keeps_a_shared_typmod():
    kind, typmod, cast = unify(state(), [column(T.INT4), Const(1, T.INT8)], "CASE")
    assert (kind, typmod, [e.type for e in cast]) == (T.INT8, -1, [T.INT8, T.INT8])
    both = [column(T.VARCHAR, VARCHAR_3), column(T.VARCHAR, VARCHAR_3)]
    assert unify(state(), both, "CASE")[:2] == (T.VARCHAR, VARCHAR_3)


def test_types_that_do_not_unify_are_named():
    with pytest.raises(DatatypeMismatchError) as caught:
        unify(state(), [column(T.INT4), column(T.BOOL)], "UNION")
    assert caught.value.message == "UNION types integer and boolean cannot be matched"
