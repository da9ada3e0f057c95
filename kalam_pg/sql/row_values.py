"""Rows as values in the binder: a relation's row, what fields a row has, and one of them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from catalog.errors import FeatureNotSupportedError
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions.records import FIELD
from kalam_pg.sql.scope import Binding, Item
from kalam_pg.sql.tree import (
    Aggregate,
    Call,
    Case,
    Coalesce,
    ColumnRef,
    Const,
    Expr,
    FromItem,
    Join,
    OutputColumn,
    Query,
    RowExpr,
    ScalarSubquery,
    Select,
    SubqueryScan,
    TableScan,
)
from kalam_pg.sql.walk import raise_levels


def row_of(item: Item, up: int, at: int) -> Expr:
    """The row of a relation's visible columns; of a function that gives values, the value."""
    if item.single:
        value = item.ref(0, at)
        return raise_levels(value, up) if up else value
    shown = [i for i, c in enumerate(item.columns) if not c.hidden]
    items = [item.ref(i, at) for i in shown]
    names = tuple([item.columns[i].name for i in shown])
    present = _present(item, at)
    if up:
        items = [raise_levels(e, up) for e in items]
        present = present and raise_levels(present, up)
    return RowExpr(tuple(items), types.RECORD, -1, at, names, whole=True, present=present)


def _present(item: Item, at: int) -> Expr | None:
    """What is NULL only where an outer join has made up the relation's row."""
    if not item.nullable:
        return None
    if item.table is not None:
        key = item.table.primary_key[0]
        return item.ref(next(i for i, c in enumerate(item.columns) if c.column_id == key), at)
    for index in item.never_null:
        return item.ref(index, at)
    return _UNTOLD


_UNTOLD = Const(None, types.BOOL)
"""Stands for `present` where nothing tells a row of NULLs from none."""


def no_array_of_rows(kind: PgType, at: int) -> None:
    """Raise 0A000 for an array of rows: no value here tells a row from an array's dimension."""
    if kind.element is types.RECORD:
        raise FeatureNotSupportedError("an array of row values is not supported", position=at)


def is_written_row(expr: Expr) -> bool:
    """Whether it is ROW(…) as written, which is compared field by field."""
    return type(expr) is RowExpr and not expr.whole


def as_value(row: RowExpr) -> RowExpr:
    """The row, where it matters whether there is one. Raises 0A000 where nothing tells."""
    if row.present == _UNTOLD:
        raise FeatureNotSupportedError(
            "a row value of this side of an outer join is not supported", position=row.position
        )
    return row


def fields_of(state: Binding, expr: Expr) -> tuple[OutputColumn, ...]:
    """The fields of a row value, () where they are not known."""
    match expr:
        case RowExpr(items):
            return tuple(
                [
                    OutputColumn(n, e.type, e.typmod, fields=fields_of(state, e))
                    for n, e in zip(expr.names, items, strict=True)
                ]
            )
        case ColumnRef():
            return state.columns[expr.relation][expr.column].fields
        case ScalarSubquery(query) if isinstance(query, Select):
            return query.columns[0].fields
        case Case():
            return fields_of(state, expr.default) or fields_of(state, expr.whens[0][1])
        case Coalesce(args):
            return fields_of(state, args[0])
        case Call(overload) if overload is FIELD:
            place = expr.args[1]
            assert isinstance(place, Const)
            return fields_of(state, expr.args[0])[int(str(place.value))].fields
        case Call(overload) if len(overload.out_names) > 1:
            pairs = zip(overload.out_names, overload.out_types, strict=False)
            return tuple([OutputColumn(n, t) for n, t in pairs])
        case _:
            return ()


def field(row: Expr, index: int, column: OutputColumn, at: int = 0) -> Expr:
    """One field of a row value."""
    if type(row) is RowExpr:
        return replace(row.items[index], position=at) if at else row.items[index]
    place = Const(index, types.INT4)
    return Call(FIELD, (row, place), column.type, column.typmod, at)


def never_null(query: Query) -> tuple[int, ...]:
    """Columns of a query that are NULL in no row, as far as is easily seen."""
    if not isinstance(query, Select) or query.grouping_sets:
        return ()
    sure = set(_sure_columns(query.from_))
    found = []
    for index, target in enumerate(query.targets):
        expr = target.expr
        if (
            (isinstance(expr, Const) and expr.value is not None)
            or (isinstance(expr, ColumnRef) and (expr.relation, expr.column) in sure)
            or (isinstance(expr, Aggregate) and expr.overload.name == "count")
        ):
            found.append(index)
    return tuple(found)


def _sure_columns(items: Iterable[FromItem]) -> Iterator[tuple[int, int]]:
    """Relation and column of what is NULL in no row of FROM."""
    for item in items:
        match item:
            case TableScan(relation, table, columns):
                sure = {c.id for c in table.columns if c.not_null} | set(table.primary_key)
                yield from [(relation, i) for i, c in enumerate(columns) if c.column_id in sure]
            case SubqueryScan(relation, query):
                yield from [(relation, i) for i in never_null(query)]
            case Join(kind, left, right):
                if kind in {"inner", "cross", "left"}:
                    yield from _sure_columns((left,))
                if kind in {"inner", "cross", "right"}:
                    yield from _sure_columns((right,))
            case _:
                pass
