"""Select lists: expansion of `*`, and the output names PostgreSQL chooses (FigureColname)."""

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from catalog.errors import SqlSyntaxError
from catalog.types import registry as types
from kalam_pg.sql.bind_expr import bind_expr, unsupported
from kalam_pg.sql.coerce import settle
from kalam_pg.sql.dialect import type_name
from kalam_pg.sql.positions import position
from kalam_pg.sql.row_values import field, fields_of
from kalam_pg.sql.scope import Binding, Item, Level, resolve_item
from kalam_pg.sql.tree import ColumnRef, Expr, OutputColumn, RowExpr, Target
from kalam_pg.sql.walk import raise_levels

UNNAMED = "?column?"


def bind_targets(
    level: Level, nodes: Sequence[exp.Expr], clause: str = "SELECT", *, resolve: bool = True
) -> list[Target]:
    """A select list (or RETURNING). With `resolve`, columns without a type become text."""
    before, level.clause = level.clause, clause
    targets: list[Target] = []
    for node in nodes:
        kind = type(node)
        if kind is exp.Star:
            targets += _all(level, position(node))
        elif kind is exp.Column and type(node.args["this"]) is exp.Star:
            targets += _all_of(level, node)
        elif kind is exp.Dot and type(node.args["expression"]) is exp.Star:
            targets += _all_of_row(level, node)
        else:
            inner, name = node, ""
            if kind is exp.Alias:
                inner, name = node.args["this"], node.args["alias"].args["this"]
            expr = bind_expr(level, inner)
            if type(expr) is RowExpr:
                expr = settle(level.state, expr)
            targets.append(Target(expr, name or output_name(inner)))
    level.clause = before
    if resolve and any(t.expr.type is types.UNKNOWN for t in targets):
        return [Target(settle(level.state, t.expr), t.name) for t in targets]
    return targets


def _all(level: Level, at: int) -> list[Target]:
    items = [item for item in level.items if item.cols_visible]
    if not level.items:
        raise SqlSyntaxError("SELECT * with no tables specified is not valid", position=at)
    return [target for item in items for target in _columns_of(item, at)]


def _columns_of(item: Item, at: int, up: int = 0) -> list[Target]:
    found = []
    for index, column in enumerate(item.columns):
        if not column.hidden:
            ref = item.ref(index, at)
            found.append(Target(raise_levels(ref, up) if up else ref, column.name))
    return found


def _all_of(level: Level, node: exp.Expr) -> list[Target]:
    args, at = node.args, position(node)
    path = [args["table"].args["this"]]
    if args.get("db") is not None:
        path.insert(0, args["db"].args["this"])
    up, item = resolve_item(level, path, at)
    return _columns_of(item, at, up)


def _all_of_row(level: Level, node: exp.Expr) -> list[Target]:
    row = bind_expr(level, node.args["this"])
    fields = fields_of(level.state, row)
    if not fields:
        raise unsupported("expansion of a row value", node)
    return [Target(field(row, i, f), f.name) for i, f in enumerate(fields)]


def is_star(node: exp.Expr) -> bool:
    """Whether it is `t.*` or `(row).*`."""
    if type(node) is exp.Column:
        return type(node.args["this"]) is exp.Star
    return type(node) is exp.Dot and type(node.args["expression"]) is exp.Star


def spread(level: Level, items: Sequence[exp.Expr]) -> list[exp.Expr | Expr]:
    """The items of a list, with the fields of rows where a star is written behind one."""
    if not any(is_star(item) for item in items):
        return [*items]
    found: list[exp.Expr | Expr] = []
    for item in items:
        if type(item) is exp.Dot and type(item.args["expression"]) is exp.Star:
            found += [target.expr for target in _all_of_row(level, item)]
        elif type(item) is exp.Column and type(item.args["this"]) is exp.Star:
            found += [target.expr for target in _all_of(level, item)]
        else:
            found.append(item)
    return found


def output_columns(state: Binding, targets: Sequence[Target]) -> tuple[OutputColumn, ...]:
    """The output of a select list; columns that come straight from a table say which."""
    return tuple([output_column(state, target) for target in targets])


def output_column(state: Binding, target: Target) -> OutputColumn:
    """One output column of a select list."""
    expr = target.expr
    fields = fields_of(state, expr) if expr.type is types.RECORD else ()
    if type(expr) is ColumnRef:
        source = state.columns[expr.relation][expr.column]
        return OutputColumn(
            target.name, expr.type, expr.typmod, source.table_id, source.column_id, fields=fields
        )
    return OutputColumn(target.name, expr.type, expr.typmod, fields=fields)


def output_name(node: exp.Expr) -> str:
    """What PostgreSQL calls a column that has no alias."""
    return _name(node)[0]


_STRONG, _WEAK, _NONE = 2, 1, 0
_FIXED: dict[type[exp.Expr], str] = {
    exp.Array: "array", exp.Exists: "exists", exp.AtTimeZone: "timezone",
}  # fmt: skip


def _name(node: exp.Expr) -> tuple[str, int]:
    """A name and how strongly it holds against the name of a cast around it."""
    kind = type(node)
    args: dict[str, Any] = node.args
    if kind is exp.Column and type(args["this"]) is exp.Star:
        return args["table"].args["this"], _STRONG
    if kind is exp.Column:
        return args["this"].args["this"], _STRONG
    if kind is exp.Anonymous:
        name = args["this"]
        return (name if type(name) is str else name.name), _STRONG
    if kind is exp.Cast:
        name, strength = _name(args["this"])
        if strength <= _WEAK:
            return type_name(args["to"]).name, _WEAK
        return name, strength
    if kind in (exp.Filter, exp.WithinGroup, exp.Window, exp.Bracket, exp.Collate):
        return _name(args["this"])
    if kind is exp.Case:
        default = args.get("default")
        name, strength = _name(default) if default is not None else (UNNAMED, _NONE)
        return (name, strength) if strength > _WEAK else ("case", _WEAK)
    if kind is exp.Dot:
        return args["expression"].name, _STRONG
    if kind is exp.Tuple:
        return "row", _STRONG
    if kind is exp.Subquery:
        return _subquery_name(args["this"])
    if kind in _FIXED:
        return _FIXED[kind], _STRONG
    return UNNAMED, _NONE


def _subquery_name(query: exp.Expr) -> tuple[str, int]:
    while type(query) in (exp.Union, exp.Except, exp.Intersect):
        query = query.args["this"]
    if type(query) is exp.Values:
        return "column1", _STRONG
    items = query.expressions
    if not items:
        return UNNAMED, _NONE
    first = items[0]
    if type(first) is exp.Alias:
        return first.args["alias"].args["this"], _STRONG
    # "?column?" too is the name that the subquery's column has.
    return _name(first)[0], _STRONG
