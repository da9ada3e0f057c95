"""What the last query of a function gives, as what the function was declared to give back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from catalog.errors import InvalidFunctionDefinitionError
from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.table import PgType
from kalam_pg.sql.coerce import coerce, settle, with_typmod
from kalam_pg.sql.function_body import is_scalar, result_columns
from kalam_pg.sql.function_choice import Chosen
from kalam_pg.sql.row_values import field, fields_of
from kalam_pg.sql.scope import Binding
from kalam_pg.sql.tree import (
    Call,
    Case,
    Coalesce,
    ColumnRef,
    Const,
    Expr,
    IsNull,
    OutputColumn,
    Query,
    RowExpr,
    ScalarSubquery,
    Select,
    SubqueryScan,
    Target,
)
from kalam_pg.sql.walk import raise_levels


def columns_of(chosen: Chosen) -> tuple[OutputColumn, ...] | None:
    """See `result_columns`."""
    return result_columns(chosen.function, chosen.result, chosen.outputs)


def mismatch(chosen: Chosen, detail: str) -> InvalidFunctionDefinitionError:
    """42P13 in PostgreSQL's words."""
    declared = chosen.result.sql_name
    return InvalidFunctionDefinitionError(
        f"return type mismatch in function declared to return {declared}", detail=detail
    )


def fitted_row(state: Binding, chosen: Chosen, exprs: Sequence[Expr], names: Sequence[str]) -> Expr:
    """The values of a select list as one value. Raises 42P13."""
    if chosen.result is types.VOID and not chosen.outputs:
        return _void(state, exprs)
    if is_scalar(chosen.function, chosen.result):
        if len(exprs) != 1:
            raise mismatch(chosen, "Final statement must return exactly one column.")
        (column,) = columns_of(chosen) or ()
        found = coerce(state, exprs[0], column.type, "a")
        if found is None:
            raise mismatch(chosen, f"Actual return type is {exprs[0].type.sql_name}.")
        return found
    return _row(state, chosen, exprs, names)


def _void(state: Binding, exprs: Sequence[Expr]) -> Expr:
    """Everything is computed, and nothing given back."""
    if len(exprs) == 1 and exprs[0].type is types.VOID:
        return exprs[0]
    none = Const(None, types.VOID)
    tests = [IsNull(settle(state, e), False, types.BOOL, whole=True) for e in exprs]
    return Case(tuple([(test, none) for test in tests]), none, types.VOID) if tests else none


def _row(state: Binding, chosen: Chosen, exprs: Sequence[Expr], names: Sequence[str]) -> Expr:
    columns = columns_of(chosen)
    if len(exprs) == 1 and _is_whole(chosen, exprs[0]):
        return exprs[0]
    if columns is None:
        settled = tuple([settle(state, e) for e in exprs])
        return RowExpr(settled, types.RECORD, names=tuple(names))
    items = as_columns(state, chosen, exprs, columns)
    kind = chosen.result if composite_of(chosen.result) is not None else types.RECORD
    return RowExpr(items, kind, names=tuple([c.name for c in columns]))


def _is_whole(chosen: Chosen, expr: Expr) -> bool:
    """Whether a value is the row itself that the function gives back."""
    if composite_of(chosen.result) is not None:
        return expr.type is chosen.result or expr.type is types.RECORD
    return expr.type is types.RECORD


def as_columns(
    state: Binding, chosen: Chosen, exprs: Sequence[Expr], columns: Sequence[OutputColumn]
) -> tuple[Expr, ...]:
    """Values as the columns that the function gives back. Raises 42P13."""
    found = []
    for at, (expr, column) in enumerate(zip(exprs, columns, strict=False), 1):
        fit = coerce(state, expr, column.type, "a")
        if fit is None:
            raise mismatch(
                chosen,
                f"Final statement returns {expr.type.sql_name} instead of "
                f"{column.type.sql_name} at column {at}.",
            )
        found.append(with_typmod(fit, column.typmod, explicit=False))
    if len(exprs) != len(columns):
        many = "many" if len(exprs) > len(columns) else "few"
        raise mismatch(chosen, f"Final statement returns too {many} columns.")
    return tuple(found)


# ------------------------------------------------------------------ queries


def fitted(state: Binding, chosen: Chosen, query: Query) -> Query:
    """A query with the columns that the function was declared to give back. Raises 42P13.

    Of a function that gives back records of any kind, the query itself.
    """
    shown = [c for c in query.columns if not c.hidden]
    columns = columns_of(chosen)
    if columns is None:
        if len(shown) == 1 and shown[0].fields:
            return _spread(state, query, shown[0].fields)
        return query
    if _are_as(shown, columns) and len(shown) == len(query.columns):
        return query
    if len(shown) == 1 and not is_scalar(chosen.function, chosen.result):
        kind, fields = shown[0].type, shown[0].fields
        if kind is chosen.result and kind is not types.RECORD:
            return _spread(state, query, columns)
        if fields and [f.type for f in fields] == [c.type for c in columns]:
            return _spread(state, query, columns, known=fields)
    relation = state.relation(query.columns)
    refs = _refs(relation, query.columns)
    if is_scalar(chosen.function, chosen.result):
        values: tuple[Expr, ...] = (fitted_row(state, chosen, refs, ()),)
    else:
        values = as_columns(state, chosen, refs, columns)
    targets = tuple([Target(e, c.name) for e, c in zip(values, columns, strict=True)])
    scan = SubqueryScan(relation, _raised(query), query.columns, "rows")
    return Select(targets, columns, (scan,))


def _are_as(shown: Sequence[OutputColumn], columns: Sequence[OutputColumn]) -> bool:
    """Whether columns have the types of others, and their lengths and precisions where these have some."""
    return len(shown) == len(columns) and all(
        one.type is other.type and other.typmod in (-1, one.typmod)
        for one, other in zip(shown, columns, strict=True)
    )


def _spread(
    state: Binding,
    query: Query,
    columns: Sequence[OutputColumn],
    known: Sequence[OutputColumn] = (),
) -> Query:
    """The fields of a query's one column as columns; known: what they are, if not these already."""
    relation = state.relation(query.columns)
    (row,) = _refs(relation, query.columns)
    targets = tuple(
        [
            Target(with_typmod(field(row, at, of), c.typmod, explicit=False), c.name)
            for at, (of, c) in enumerate(zip(known or columns, columns, strict=True))
        ]
    )
    scan = SubqueryScan(relation, _raised(query), query.columns, "rows")
    return Select(targets, tuple(columns), (scan,))


def _raised(query: Query) -> Query:
    return cast("Query", raise_levels(cast("Expr", query), 1))


def _refs(relation: int, columns: Sequence[OutputColumn]) -> list[Expr]:
    return [
        ColumnRef(relation, at, c.name, c.type, c.typmod)
        for at, c in enumerate(columns)
        if not c.hidden
    ]


def one_column(state: Binding, chosen: Chosen, query: Query) -> Query:
    """A fitted query whose rows are values: one column, a row value where there are several."""
    columns = columns_of(chosen)
    if is_scalar(chosen.function, chosen.result):
        return query
    relation = state.relation(query.columns)
    refs = _refs(relation, query.columns)
    names = tuple([c.name for c in (columns or query.columns) if not c.hidden])
    kind = chosen.result if composite_of(chosen.result) is not None else types.RECORD
    row = RowExpr(tuple(refs), kind, names=names)
    fields = () if kind is not types.RECORD else fields_of(state, row)
    column = OutputColumn(chosen.function.name, kind, fields=fields)
    scan = SubqueryScan(relation, _raised(query), query.columns, "rows")
    return Select((Target(row, column.name),), (column,), (scan,))


def first_row(state: Binding, query: Query) -> Query:
    """A query of at most one row: the first one."""
    if isinstance(query, Select) and (_is_one(query) or query.limit == _ONE):
        return query
    if query.limit is None:
        return replace(query, limit=_ONE)
    relation = state.relation(query.columns)
    refs = _refs(relation, query.columns)
    targets = tuple([Target(e, c.name) for e, c in zip(refs, query.columns, strict=True)])
    scan = SubqueryScan(relation, _raised(query), query.columns, "rows")
    return Select(targets, query.columns, (scan,), limit=_ONE)


_ONE = Const(1, types.INT8)


def _is_one(query: Select) -> bool:
    """Whether a query has one row whatever it reads."""
    grouped = query.grouped and not (query.group_by or query.grouping_sets)
    return grouped and query.having is None


def as_value(state: Binding, chosen: Chosen, query: Query) -> Expr:
    """The first row of a function's query as a value."""
    if chosen.result is types.VOID and not chosen.outputs:
        if not query.columns:
            return Const(None, types.VOID)
        kind: PgType = query.columns[0].type
        first = first_row(state, _only_first(state, query))
        return _void(state, [ScalarSubquery(first, kind)])
    made = first_row(state, one_column(state, chosen, fitted(state, chosen, query)))
    column = made.columns[0]
    return ScalarSubquery(made, column.type)


def without_typmod(expr: Expr) -> Expr:
    """A value as a function's result, which is of a type and of no length or precision."""
    if expr.typmod == -1:
        return expr
    if isinstance(expr, Call):
        return Coalesce((expr,), expr.type)  # Its own says what it does.
    return replace(expr, typmod=-1)


def _only_first(state: Binding, query: Query) -> Query:
    if len(query.columns) == 1:
        return query
    relation = state.relation(query.columns)
    ref = _refs(relation, query.columns)[0]
    scan = SubqueryScan(relation, _raised(query), query.columns, "rows")
    return Select((Target(ref, "value"),), query.columns[:1], (scan,))
