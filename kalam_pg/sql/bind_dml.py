"""Binding of INSERT, UPDATE and DELETE."""

from collections.abc import Sequence

from sqlglot import exp

from catalog.errors import (
    FeatureNotSupportedError,
    SqlSyntaxError,
    UndefinedColumnError,
)
from catalog.model import Table
from catalog.types import registry as types
from kalam_pg.functions.cursors import current_of
from kalam_pg.sql.bind_elements import PARTS, is_part, parts_of, with_part
from kalam_pg.sql.bind_expr import (
    apply_operator,
    bind_condition,
    bind_expr,
    consumed,
    unsupported,
)
from kalam_pg.sql.bind_from import bind_from
from kalam_pg.sql.bind_query import bind_query
from kalam_pg.sql.bind_setop import column_of
from kalam_pg.sql.bind_target import ChangeTarget, bind_target, check_generated
from kalam_pg.sql.bind_targets import bind_targets, output_columns
from kalam_pg.sql.bind_with import bind_with
from kalam_pg.sql.coerce import assign
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Binding, Level, table_columns
from kalam_pg.sql.tree import (
    Assignment,
    BoolKind,
    BoolOp,
    Call,
    Const,
    Delete,
    Expr,
    FromItem,
    OutputColumn,
    ScalarSubquery,
    Target,
    Update,
)

Rows = tuple[tuple[Expr | None, ...], ...]
_SYSTEM = frozenset(("_seq", "_deleted"))


def is_default(node: exp.Expr) -> bool:
    """Whether an item of VALUES or SET is the word DEFAULT."""
    return type(node) is exp.Var and str(node.args["this"]).upper() == "DEFAULT"


def column_index(table: Table, name: str, at: int) -> int:
    """The index in `table.columns` of a column to be assigned; 42703 when there is none."""
    _, names = table_columns(table)
    index = names.get(name, -1)
    if name in _SYSTEM and index >= len(table.columns):
        raise FeatureNotSupportedError(
            f'cannot assign to system column "{name}"', position=at, column=name
        )
    if not 0 <= index < len(table.columns):
        raise UndefinedColumnError(
            f'column "{name}" of relation "{table.name}" does not exist', position=at
        )
    return index


# ------------------------------------------------------------------------------ UPDATE, DELETE


def bind_update(state: Binding, node: exp.Expr, parent: Level | None = None) -> Update:
    """UPDATE [FROM]."""
    known = ("this", "expressions", "from_", "joins", "where", "current_of", "returning", "with_")
    consumed(node, *known)
    level = Level(state, parent)
    with_ = bind_with(level, node)
    target = bind_target(level, node.args["this"], "UPDATE")
    items = _from(level, node, node.args.get("from_"))
    assignments = target.assigned(bind_assignments(level, target.named, node.expressions))
    condition = target.restricted(_where(level, node, target))
    returned, shown = bind_returning(level, node, target)
    return Update(
        *(target.table, target.relation, assignments, items, condition, returned, shown),
        *(target.columns, with_, target.checks),
    )


def bind_delete(state: Binding, node: exp.Expr, parent: Level | None = None) -> Delete:
    """DELETE [USING]."""
    consumed(node, "this", "from_", "joins", "where", "current_of", "returning", "with_")
    level = Level(state, parent)
    with_ = bind_with(level, node)
    target = bind_target(level, node.args["this"], "DELETE")
    items = _from(level, node, node.args.get("from_"))
    condition = target.restricted(_where(level, node, target))
    returned, shown = bind_returning(level, node, target)
    return Delete(
        *(target.table, target.relation, items, condition, returned, shown),
        *(target.columns, with_),
    )


def _from(level: Level, node: exp.Expr, from_: exp.Expr | None) -> tuple[FromItem, ...]:
    """FROM or USING beside the target, which is visible already."""
    if from_ is None:
        return ()
    own, level.items = level.items, []
    items = bind_from(level, from_.args["this"], node.args.get("joins") or ())
    added, level.items = level.items, own
    for item in added:
        level.add(item)
    return items


def _where(level: Level, node: exp.Expr, target: ChangeTarget) -> Expr | None:
    cursor = node.args.get("current_of")
    if cursor is not None:
        return _current_of(level, cursor.name, target)
    where = node.args.get("where")
    return None if where is None else bind_condition(level, where.args["this"], "WHERE")


def _current_of(level: Level, cursor: str, target: ChangeTarget) -> Expr:
    """WHERE CURRENT OF: the primary key is that of the row that the cursor stands on."""
    if target.places is not None:
        raise FeatureNotSupportedError("WHERE CURRENT OF on a view is not implemented")
    table, terms = target.table, []
    for place, at in enumerate(table.layout.key):
        name = Const(cursor, types.TEXT)
        asked = (name, Const(table.id, types.INT8), Const(place, types.INT4))
        slot = table.columns[at]
        call = Call(current_of(slot.type), asked, slot.type, slot.typmod)
        terms.append(apply_operator(level, "=", (target.item.ref(at, 0), call), 0))
    return terms[0] if len(terms) == 1 else BoolOp(BoolKind.AND, tuple(terms), types.BOOL)


def bind_returning(
    level: Level, node: exp.Expr, target: ChangeTarget
) -> tuple[tuple[Target, ...], tuple[OutputColumn, ...]]:
    """RETURNING, as seen from the level of the data change."""
    clause = node.args.get("returning")
    if clause is None:
        return (), ()
    consumed(clause, "expressions")
    targets = tuple(bind_targets(level, clause.expressions, "RETURNING"))
    return targets, target.shown(targets, output_columns(level.state, targets))


def bind_assignments(
    level: Level, table: Table, nodes: Sequence[exp.Expr]
) -> tuple[Assignment, ...]:
    """SET a = …, (b, c) = (…, …): each column once, cast to its type."""
    level.clause = "UPDATE"
    found: dict[int, Assignment] = {}
    for node in nodes:
        target, value = node.args["this"], node.args["expression"]
        several = type(target) is exp.Tuple
        if is_part(target):
            _assign_part(level, table, node, found)
            continue
        columns = target.expressions if several else [target]
        for column in columns:
            if is_part(column):
                raise unsupported("assignment to a part of a column among several", column)
        indexes = [column_index(table, c.args["this"].args["this"], position(c)) for c in columns]
        for index in indexes:
            if index in found or indexes.count(index) > 1:
                name = table.columns[index].name
                raise SqlSyntaxError(f'multiple assignments to same column "{name}"')
        if several and type(value) is exp.Subquery:
            made = _from_query(level, table, indexes, value)
        else:
            values = _spread(target, value) if several else [value]
            made = [_assignment(level, table, i, v) for i, v in zip(indexes, values, strict=True)]
        found.update(zip(indexes, made, strict=True))
    level.clause = ""
    return tuple(found.values())


def _assign_part(level: Level, table: Table, node: exp.Expr, found: dict[int, Assignment]) -> None:
    """SET a[1] = …, c.f = …: several parts of a column may be assigned to, one after another."""
    target = node.args["this"]
    column, _ = parts_of(target)
    index = column_index(table, column.args["this"].args["this"], position(column))
    slot = table.columns[index]
    check_generated(slot.name, slot.generated, slot.identity, "", insert=False)
    before = found.get(index)
    if before is None:
        now = level.items[0].ref(index, position(column))
    elif isinstance(before.expr, Call) and before.expr.overload in PARTS:
        now = before.expr
    else:
        raise SqlSyntaxError(f'multiple assignments to same column "{slot.name}"')
    value = node.args["expression"]
    if is_default(value):
        what = "an array element" if type(target) is exp.Bracket else "a subfield"
        raise FeatureNotSupportedError(f"cannot set {what} to DEFAULT", position=position(column))
    bound = bind_expr(level, value)
    found[index] = Assignment(index, with_part(level, slot, now, target, bound))


def _assignment(level: Level, table: Table, index: int, node: exp.Expr) -> Assignment:
    if is_default(node):
        return Assignment(index, None)
    return _assigned(level, table, index, bind_expr(level, node), position(node))


def _assigned(level: Level, table: Table, index: int, expr: Expr, at: int) -> Assignment:
    slot = table.columns[index]
    check_generated(slot.name, slot.generated, slot.identity, "", insert=False)
    return Assignment(index, assign(level.state, expr, slot.type, slot.typmod, slot.name, at))


def _from_query(
    level: Level, table: Table, indexes: Sequence[int], node: exp.Subquery
) -> list[Assignment]:
    """(a, b) = (SELECT …): a scalar subquery for each column, all of the same text."""
    made = []
    for place, index in enumerate(indexes):
        query = bind_query(level, node.args["this"])
        if len(query.columns) != len(indexes):
            raise SqlSyntaxError(
                "number of columns does not match number of values", position=position(node)
            )
        column = column_of(level.state, query, place)
        kind, typmod = column.columns[0].type, column.columns[0].typmod
        scalar = ScalarSubquery(column, kind, typmod, position(node))
        made.append(_assigned(level, table, index, scalar, position(node)))
    if level.state.volatile:
        raise unsupported("assignment of a volatile subquery to several columns", node)
    return made


def _spread(target: exp.Expr, value: exp.Expr) -> list[exp.Expr]:
    """The single values of (a, b) = (x, y)."""
    count = len(target.expressions)
    one = type(value) is exp.Tuple and len(value.expressions) == 1 and not value.meta.get("row")
    if type(value) is not exp.Tuple or (one and count > 1):
        if count == 1:
            return [value]
        raise FeatureNotSupportedError(
            "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
            position=position(value),
        )
    if len(value.expressions) != count:
        raise SqlSyntaxError(
            "number of columns does not match number of values", position=position(value)
        )
    return list(value.expressions)
