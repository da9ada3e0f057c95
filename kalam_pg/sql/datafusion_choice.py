"""One of several values: CASE, COALESCE, and the form that the branches have in common.

Each value's text stands once in the result: twice would double it with each level of nesting.
"""

import re
from collections.abc import Sequence

import pyarrow as pa

from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.sql import numeric_sql
from kalam_pg.sql.datafusion_state import converted
from kalam_pg.sql.physical import BOOLEAN, Sql, canonical
from kalam_pg.sql.tree import Coalesce, Expr


def choice(whens: Sequence[tuple[Sql, Sql]], default: Sql, pg_type: PgType) -> Sql:
    """CASE: the first value whose test is true."""
    values, physical = unified([*[value for _, value in whens], default], pg_type)
    truths = physical == BOOLEAN
    if truths:
        # DataFusion turns CASE over booleans into AND and OR, and then runs every branch.
        values = [converted(value, pa.int32()) for value in values]
    branches = " ".join(
        [
            f"WHEN {test.text} THEN {_maybe_null(value.text, test.text)}"
            for (test, _), value in zip(whens, values, strict=False)
        ]
    )
    text = f"CASE {branches} ELSE {values[-1].text} END"
    fallible = any(v.fallible for v in values) or any(t.fallible for t, _ in whens)
    return Sql(f"({text} = 1)" if truths else text, physical, fallible)


_COLUMN = re.compile(r"(?:CAST\()*(\"?[\w.\"]+)(?: AS [^)]*\))*")


def _maybe_null(value: str, test: str) -> str:
    """A column that the test asks for, as what may be NULL.

    DataFusion takes it for one that is not, where the test would not be true of a NULL, and forgets that
    when it plans.
    """
    column = _COLUMN.fullmatch(value)
    return f"coalesce({value}, NULL)" if column and column[1] in test else value


def first_not_null(args: Sequence[Sql]) -> Sql:
    """COALESCE, of which DataFusion computes no more arguments than it needs."""
    values, physical = same_form(args)
    fallible = any(value.fallible for value in values)
    return Sql(f"coalesce({', '.join([v.text for v in values])})", physical, fallible)


def unified(values: Sequence[Sql], pg_type: PgType) -> tuple[list[Sql], pa.DataType]:
    """Values of one type in one physical form, the common one if they agree."""
    if all(v.physical == values[0].physical for v in values):
        return list(values), values[0].physical
    if pg_type is types.NUMERIC:
        common = numeric_sql.common(values)
        if common is not None:
            return [converted(v, common) for v in values], common
    physical = canonical(pg_type)
    return [converted(v, physical) for v in values], physical


def same_form(args: Sequence[Sql]) -> tuple[list[Sql], pa.DataType]:
    """As `unified`; only numerics can differ."""
    return unified(args, types.NUMERIC)


def of_coalesce(expr: Coalesce) -> list[Expr]:
    """The arguments of nested COALESCEs as those of one."""
    return [
        inner
        for arg in expr.args
        for inner in (of_coalesce(arg) if isinstance(arg, Coalesce) else [arg])
    ]
