"""Binding of MERGE."""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from catalog.errors import DuplicateAliasError, SqlSyntaxError
from catalog.model import Table
from kalam_pg.sql.bind_dml import bind_assignments
from kalam_pg.sql.bind_expr import bind_condition, consumed
from kalam_pg.sql.bind_from import bind_from
from kalam_pg.sql.bind_insert import insert_columns, value_rows
from kalam_pg.sql.bind_target import bind_target
from kalam_pg.sql.bind_with import bind_with
from kalam_pg.sql.scope import Binding, Item, Level
from kalam_pg.sql.tree import Assignment, Merge, When


def bind_merge(state: Binding, node: exp.Expr, parent: Level | None = None) -> Merge:
    """MERGE INTO … USING … ON … WHEN …."""
    consumed(node, "this", "using", "joins", "on", "whens", "with_")
    args = node.args
    level = Level(state, parent)
    with_ = args.get("with_")
    if with_ is not None and with_.args.get("recursive"):
        raise SqlSyntaxError("WITH RECURSIVE is not supported for MERGE statement")
    ctes = bind_with(level, node)
    _check_reachable(args["whens"])
    target = bind_target(level, args["this"], "MERGE")
    table = target.table
    own, level.items = level.items, []
    using = bind_from(level, args["using"], args["joins"])
    source = level.items
    _check_names(own[0], source)
    level.items = [*own, *source]
    on = bind_condition(level, args["on"], "JOIN/ON")
    whens = []
    for when in args["whens"]:
        if when.args["matched"]:
            level.items, level.hidden = [*own, *source], []
        else:
            level.items, level.hidden = source, own
        whens.append(_when(level, table, when))
    return Merge(table, target.relation, using, on, tuple(whens), target.columns, ctes)


def _check_reachable(whens: Sequence[exp.Expr]) -> None:
    last = {True: False, False: False}
    for when in whens:
        matched = when.args["matched"]
        if last[matched]:
            raise SqlSyntaxError(
                "unreachable WHEN clause specified after unconditional WHEN clause"
            )
        last[matched] = when.args.get("condition") is None


def _check_names(target: Item, source: Sequence[Item]) -> None:
    for item in source:
        if item.rel_visible and item.alias == target.alias:
            raise DuplicateAliasError(
                f'name "{item.alias}" specified more than once',
                detail="The name is used both as MERGE target table and data source.",
            )


def _when(level: Level, table: Table, node: exp.Expr) -> When:
    written = node.args.get("condition")
    condition = None if written is None else bind_condition(level, written, "WHEN")
    matched, then = node.args["matched"], node.args["then"]
    match then:
        case exp.Update():
            assignments = bind_assignments(level, table, then.expressions)
            return When(matched, condition, "update", assignments)
        case exp.Delete():
            return When(matched, condition, "delete")
        case exp.Insert():
            return When(matched, condition, "insert", _inserted(level, table, then))
        case _:
            return When(matched, condition, "nothing")


def _inserted(level: Level, table: Table, node: exp.Insert) -> tuple[Assignment, ...]:
    """What an INSERT gives to which columns."""
    values = node.args.get("expression")
    if values is None:
        return ()
    this = node.args.get("this")
    written = None if this is None else this.expressions
    overriding = str(node.args.get("overriding") or "").lower()
    named = insert_columns(table, written)
    columns, (row,) = value_rows(level, table, named, values, written, overriding)
    level.clause = ""
    given = tuple([Assignment(at, expr) for at, expr in zip(columns, row, strict=True)])
    if overriding != "user":
        return given
    # Of an identity column the number that it would have without a value.
    return tuple([replace(a, expr=None) if table.columns[a.column].identity else a for a in given])
