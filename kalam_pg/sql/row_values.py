"""Rows as values in the binder: a relation's row, what fields a row has, and one of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from catalog.errors import CannotCoerceError, FeatureNotSupportedError
from catalog.row_types import row_type
from catalog.types import registry as types
from catalog.types.composite import composite_of, require_composite
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.functions.records import ALL_NULL, ATTRIBUTE, FIELD, NONE_NULL
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
    IsNull,
    Join,
    OutputColumn,
    Query,
    RowExpr,
    ScalarSubquery,
    Select,
    SubqueryScan,
    TableScan,
)
from kalam_pg.sql.walk import location, raise_levels


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
    kind = _row_type(item, items)
    return RowExpr(tuple(items), kind, -1, at, names, whole=True, present=present)


def _row_type(item: Item, items: Sequence[Expr]) -> PgType:
    """The type of a relation's row: record, where its columns are not those of its row type."""
    kind = item.row if item.table is None else row_type(item.table)
    definition = None if kind is None else composite_of(kind)
    if kind is None or definition is None:
        return types.RECORD
    same = [a.type for a in definition.attributes] == [e.type for e in items]
    return kind if same else types.RECORD


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


def is_written_row(expr: Expr) -> bool:
    """Whether it is ROW(…) as written, which is compared field by field."""
    return type(expr) is RowExpr and not expr.whole and expr.type is types.RECORD


def as_value(row: RowExpr) -> RowExpr:
    """The row, where it matters whether there is one. Raises 0A000 where nothing tells."""
    if row.present == _UNTOLD:
        raise FeatureNotSupportedError(
            "a row value of this side of an outer join is not supported", position=row.position
        )
    return row


def fields_of(state: Binding, expr: Expr) -> tuple[OutputColumn, ...]:
    """The fields of a row value, () where they are not known."""
    definition = composite_of(expr.type)
    if definition is not None:
        return tuple(
            [OutputColumn(a.name, as_base(a.type), a.typmod) for a in definition.attributes]
        )
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


def as_base(kind: PgType) -> PgType:
    """What an expression's type is that has values of a type: of a domain its base (decision 0037)."""
    return kind.definition.base if isinstance(kind.definition, DomainDefinition) else kind


def field(row: Expr, index: int, column: OutputColumn, at: int = 0) -> Expr:
    """One field of a row value."""
    if type(row) is RowExpr:
        return replace(row.items[index], position=at) if at else row.items[index]
    place = Const(index, types.INT4)
    overload = FIELD if row.type is types.RECORD else ATTRIBUTE
    return Call(overload, (row, place), column.type, column.typmod, at)


def cast_row(
    row: RowExpr, target: PgType, fit: Callable[[Expr, PgType, int], Expr | None]
) -> RowExpr:
    """ROW(…) as a composite type. fit: an expression as a type with a typmod, None where it is none.

    Raises:
        CannotCoerceError: 42846, it has another number of fields, or one is none of its type.
    """
    definition = require_composite(target)
    attributes = definition.attributes
    message = f"cannot cast type record to {target.sql_name}"
    at = location(row)
    if len(row.items) < len(attributes):
        raise CannotCoerceError(message, detail="Input has too few columns.", position=at)
    if len(row.items) > len(attributes):
        raise CannotCoerceError(message, detail="Input has too many columns.", position=at)
    items: list[Expr] = []
    for number, (item, attribute) in enumerate(zip(row.items, attributes, strict=True), 1):
        made = fit(item, attribute.type, attribute.typmod)
        if made is None:
            raise CannotCoerceError(
                message,
                detail=f"Cannot cast type {item.type.sql_name} to {attribute.type.sql_name} "
                f"in column {number}.",
                position=location(item),
            )
        items.append(made)
    names = tuple([a.name for a in attributes])
    return replace(row, items=tuple(items), type=target, names=names)


def null_test(arg: Expr, at: int, *, negated: bool) -> Expr:
    """`arg IS [NOT] NULL`, which of a row is said of its fields."""
    if type(arg) is RowExpr or composite_of(arg.type) is None:
        return IsNull(arg, negated, types.BOOL, -1, at)
    return Call(NONE_NULL if negated else ALL_NULL, (arg,), types.BOOL, -1, at)


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
