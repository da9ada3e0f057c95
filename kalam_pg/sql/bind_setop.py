"""UNION, INTERSECT and EXCEPT: both sides cast to common types."""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from catalog.errors import (
    FeatureNotSupportedError,
    InvalidColumnReferenceError,
    SqlSyntaxError,
    UndefinedColumnError,
)
from catalog.model import Column
from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.table import PgType
from kalam_pg.sql.bind_call import equality, ordering
from kalam_pg.sql.bind_expr import consumed
from kalam_pg.sql.bind_from import BIND_QUERY
from kalam_pg.sql.bind_locking import strength_of
from kalam_pg.sql.bind_order import bind_limit
from kalam_pg.sql.coerce import assign, coerce, mismatch, no_record_cast, settle
from kalam_pg.sql.overloads import common_type
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Binding, Level
from kalam_pg.sql.tree import (
    ColumnRef,
    Cte,
    Expr,
    OutputColumn,
    Query,
    RowExpr,
    Select,
    SetOp,
    SortKey,
    SubqueryScan,
    Target,
)
from kalam_pg.sql.walk import location


def bind_set_operation(level: Level, node: exp.Expr, with_: tuple[Cte, ...]) -> SetOp:
    """A set operation whose own level is `level`; its operands are one level below."""
    bind_query = BIND_QUERY[0]
    left = bind_query(level, node.args["this"], resolve=False)
    right = bind_query(level, node.args["expression"], resolve=False)
    return combine(level, node, left, right, with_)


def combine(
    level: Level, node: exp.Expr, left: Query, right: Query, with_: tuple[Cte, ...] = ()
) -> SetOp:
    """Two bound operands as one query, with the ORDER BY and LIMIT of the whole."""
    consumed(node, "this", "expression", "distinct", "with_", "order", "limit", "offset", "locks")
    word = type(node).__name__.upper()
    state, args = level.state, node.args
    strengths = [strength_of(lock) for lock in args.get("locks") or ()]
    for side in (left, right):
        if isinstance(side, Select):
            strengths += [clause.strength for clause in side.locking]
    if strengths:
        raise FeatureNotSupportedError(f"{strengths[0]} is not allowed with UNION/INTERSECT/EXCEPT")
    if len(left.columns) != len(right.columns):
        raise SqlSyntaxError(
            f"each {word} query must have the same number of columns",
            position=location(_output(right, 0)) if right.columns else 0,
        )
    keep_all = args.get("distinct") is False
    columns: list[OutputColumn] = []
    kinds: list[PgType] = []
    for index, (a, b) in enumerate(zip(left.columns, right.columns, strict=True)):
        kind = common_type([a.type, b.type])
        if kind is None:
            raise mismatch([_output(left, index), _output(right, index)], word)
        if not keep_all:
            equality(kind, location(_output(left, index)))
        kinds.append(kind)
        typmod = a.typmod if a.typmod == b.typmod and a.type is b.type else -1
        columns.append(OutputColumn(a.name, kind, typmod))
    shown = tuple(columns)
    left, right = cast_output(state, left, kinds, word), cast_output(state, right, kinds, word)
    relation = state.relation(shown)
    order = args.get("order")
    keys = () if order is None else _order(order, relation, shown)
    limit, offset = bind_limit(level, args)
    return SetOp(word.lower(), keep_all, left, right, relation, shown, keys, limit, offset, with_)


def _output(query: Query, index: int) -> Expr:
    """An expression that stands for an output column in an error message."""
    if isinstance(query, Select):
        return query.targets[index].expr
    column = query.columns[index]
    return ColumnRef(0, index, column.name, column.type, column.typmod)


def cast_output(state: Binding, query: Query, kinds: Sequence[PgType], word: str) -> Query:
    """The query with its output columns cast to these types."""
    if all(c.type is k for c, k in zip(query.columns, kinds, strict=True)):
        return query
    simple = isinstance(query, Select) and not (
        query.distinct or query.distinct_on or query.order_by
    )
    if not simple:
        query = _wrapped(state, query)
    assert isinstance(query, Select)
    targets: list[Target] = []
    columns: list[OutputColumn] = []
    for target, column, kind in zip(query.targets, query.columns, kinds, strict=True):
        expr = target.expr if kind is types.UNKNOWN else coerce(state, target.expr, kind)
        if expr is None:
            raise mismatch([target.expr, ColumnRef(0, 0, "", kind)], word)
        targets.append(Target(expr, target.name))
        if expr is target.expr:
            columns.append(column)
        else:
            columns.append(OutputColumn(column.name, kind, expr.typmod))
    return replace(query, targets=tuple(targets), columns=tuple(columns))


def assign_output(state: Binding, query: Query, slots: Sequence[Column]) -> Query:
    """The query with its output columns cast to table columns, as INSERT does (assignment)."""
    if all(
        c.type is slot.type and slot.typmod in (-1, c.typmod)
        for c, slot in zip(query.columns, slots, strict=True)
    ):
        return query
    select = with_plain_targets(state, query)
    targets = tuple(
        assigned_target(state, t, slot) for t, slot in zip(select.targets, slots, strict=True)
    )
    columns = tuple(OutputColumn(t.name, t.expr.type, t.expr.typmod) for t in targets)
    return replace(select, targets=targets, columns=columns)


def with_plain_targets(state: Binding, query: Query) -> Select:
    """The query as one whose targets may be changed, and it gives the same rows in the same order."""
    if isinstance(query, Select) and not (query.distinct or query.distinct_on or query.order_by):
        return query
    return _wrapped(state, query)


def assigned_target(state: Binding, target: Target, slot: Column) -> Target:
    """An output column as a table's column takes it. Raises 42846 for ROW(…), which is a query's record."""
    expr = target.expr
    if type(expr) is RowExpr and expr.type is types.RECORD and composite_of(slot.type) is not None:
        raise no_record_cast(expr, slot.type)
    return Target(assign(state, target.expr, slot.type, slot.typmod, slot.name), target.name)


def column_of(state: Binding, query: Query, index: int) -> Query:
    """The query reduced to one of its output columns; its rows stay the same."""
    if not isinstance(query, Select) or query.distinct:
        query = _wrapped(state, query)
    return replace(query, targets=(query.targets[index],), columns=(query.columns[index],))


def _wrapped(state: Binding, query: Query) -> Select:
    """SELECT * FROM (query), so that casts do not change its DISTINCT or ORDER BY."""
    if isinstance(query, Select):
        settled = tuple(Target(settle(state, t.expr), t.name) for t in query.targets)
        shown = tuple(
            replace(c, type=t.expr.type) for c, t in zip(query.columns, settled, strict=True)
        )
        query = replace(query, targets=settled, columns=shown)
    relation = state.relation(query.columns)
    targets = tuple(
        Target(ColumnRef(relation, i, c.name, c.type, c.typmod), c.name)
        for i, c in enumerate(query.columns)
    )
    scan = SubqueryScan(relation, query, query.columns, f"q{relation}")
    return Select(targets, query.columns, (scan,))


def _order(order: exp.Order, relation: int, columns: Sequence[OutputColumn]) -> tuple[SortKey, ...]:
    keys = []
    for item in order.expressions:
        node = item.args["this"]
        index = output_named(node, columns)
        column = columns[index]
        ordering(column.type, position(node))
        ref = ColumnRef(relation, index, column.name, column.type, column.typmod, position(node))
        keys.append(SortKey(ref, bool(item.args.get("desc")), bool(item.args.get("nulls_first"))))
    return tuple(keys)


def output_named(node: exp.Expr, columns: Sequence[OutputColumn]) -> int:
    """Which output column an item of ORDER BY means. Raises 42P10, 42703, 0A000."""
    at = position(node)
    if type(node) is exp.Literal and not node.args["is_string"] and node.args["this"].isdigit():
        index = int(node.args["this"])
        if not 1 <= index <= len(columns):
            raise InvalidColumnReferenceError(
                f"ORDER BY position {index} is not in select list", position=at
            )
        return index - 1
    if type(node) is exp.Column and node.args.get("table") is None:
        name = node.args["this"].name
        for index, column in enumerate(columns):
            if column.name == name:
                return index
        raise UndefinedColumnError(f'column "{name}" does not exist', position=at)
    raise FeatureNotSupportedError(
        "invalid UNION/INTERSECT/EXCEPT ORDER BY clause",
        detail="Only result column names can be used, not expressions or functions.",
        hint="Add the expression/function to every SELECT, or move the UNION into a FROM clause.",
        position=at,
    )
