"""Binding of INSERT with ON CONFLICT."""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from catalog.errors import (
    DuplicateColumnError,
    FeatureNotSupportedError,
    InvalidColumnReferenceError,
    SqlSyntaxError,
    UndefinedObjectError,
)
from catalog.indexes import index_of
from catalog.model import (
    Column,
    Table,
)
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.sql.bind_dml import (
    bind_assignments,
    bind_returning,
    column_index,
    is_default,
)
from kalam_pg.sql.bind_elements import is_part, parts_of, with_part
from kalam_pg.sql.bind_expr import PARAMETERS_MAX, bind_condition, bind_expr
from kalam_pg.sql.bind_query import bind_query
from kalam_pg.sql.bind_setop import (
    assign_output,
    assigned_target,
    with_plain_targets,
)
from kalam_pg.sql.bind_target import ChangeTarget, bind_target, check_generated
from kalam_pg.sql.bind_targets import bind_targets, is_star
from kalam_pg.sql.bind_with import bind_with
from kalam_pg.sql.coerce import assign
from kalam_pg.sql.deparse import Deparser, quote_identifier
from kalam_pg.sql.listings import Listing
from kalam_pg.sql.positions import (
    mark,
    position,
)
from kalam_pg.sql.scope import Binding, Level, table_columns
from kalam_pg.sql.tree import (
    LOCKER,
    Const,
    Expr,
    Insert,
    OnConflict,
    OutputColumn,
    Param,
    Query,
    Select,
    Target,
)
from kalam_pg.sql.walk import location

Rows = tuple[tuple[Expr | None, ...], ...]


def bind_insert(state: Binding, node: exp.Expr, parent: Level | None = None) -> Insert:
    """INSERT, its source cast to the columns' types."""
    args = node.args
    level = Level(state, parent)
    with_ = bind_with(level, node)
    this = args["this"]
    written: Sequence[exp.Expr] | None = None
    if type(this) is exp.Schema:
        written, this = this.expressions, this.args["this"]
    target = Level(state, parent, ctes=level.ctes)
    into = bind_target(target, this, "INSERT")
    table = into.named
    columns = insert_columns(table, written)
    level.hidden = target.items  # The table itself is out of reach of what is inserted.
    overriding = str(args.get("overriding") or "").lower()
    source: Rows | Query
    expression = args.get("expression")
    if expression is None:
        columns, source = (), ((),)
    elif type(expression) is exp.Values and _only_rows(expression):
        columns, source = value_rows(level, table, columns, expression, written, overriding)
    else:
        columns, source = _select(level, table, columns, expression, written, overriding)
    if isinstance(source, tuple) and len(source) == 1:
        state.read_anew.pop(into.table.id, None)  # The only row is made before any change.
    columns = into.placed(columns)
    if into.places is not None:
        _check_given(into.table, columns, source, overriding)
    if overriding == "user" and isinstance(source, tuple):
        kept = [not into.table.columns[at].identity for at in columns]
        source = tuple(
            [tuple([e if k else None for k, e in zip(kept, row, strict=True)]) for row in source]
        )
    conflict = args.get("conflict")
    on_conflict = None if conflict is None else _on_conflict(target, into, conflict)
    _add_locker(target, into.table)
    returned, shown = bind_returning(target, node, into)
    return Insert(
        into.table, into.relation, columns, source, on_conflict, returned, shown,
        into.columns, with_, overriding, into.checks,
    )  # fmt: skip


def _add_locker(target: Level, table: Table) -> None:
    for item in target.items:
        if item.table is table:
            item.names = {**item.names, LOCKER: len(item.columns)}
            item.columns = (*item.columns, OutputColumn(LOCKER, types.XID, hidden=True))
            target.state.columns[item.relation] = item.columns


def _check_given(
    table: Table, columns: Sequence[int], source: Rows | Query, overriding: str
) -> None:
    """428C9 for what a table behind a view generates."""
    for place, at in enumerate(columns):
        slot = table.columns[at]
        if not isinstance(source, tuple) or any(row[place] is not None for row in source):
            check_generated(slot.name, slot.generated, slot.identity, overriding, insert=True)


def _only_rows(values: exp.Expr) -> bool:
    return not any(values.args.get(k) for k in ("order", "limit", "offset", "with_"))


def insert_columns(table: Table, written: Sequence[exp.Expr] | None) -> tuple[int, ...]:
    """The columns that an INSERT names, all where it names none. Raises 42703, 42701."""
    if written is None:
        shown, _ = table_columns(table)
        return tuple(i for i in range(len(table.columns)) if not shown[i].hidden)
    found: list[int] = []
    whole: set[int] = set()
    for node in written:
        name = parts_of(node)[0].args["this"] if is_part(node) else node
        index = column_index(table, name.args["this"], position(name))
        if index in whole or (index in found and not is_part(node)):
            raise DuplicateColumnError(
                f'column "{name.name}" specified more than once', position=position(name)
            )
        found.append(index)
        if not is_part(node):
            whole.add(index)
    return tuple(found)


def _parts(written: Sequence[exp.Expr] | None, width: int) -> list[exp.Expr | None]:
    """Which part of its column each of so many targets is; None: all of it."""
    return [node if is_part(node) else None for node in (written or ())[:width]]


def _joined(
    level: Level,
    slots: Sequence[Column],
    parts: Sequence[exp.Expr | None],
    cells: Sequence[Expr | None],
) -> dict[str, Expr | None]:
    """Values by column: of parts of it, a value that has them and is NULL elsewhere."""
    found: dict[str, Expr | None] = {}
    for slot, part, cell in zip(slots, parts, cells, strict=True):
        if part is None or cell is None:
            found[slot.name] = cell
            continue
        now = found.get(slot.name) or Const(None, slot.type, slot.typmod)
        found[slot.name] = with_part(level, slot, now, part, cell)
    return found


def _check_width(
    columns: tuple[int, ...], given: int, written: Sequence[exp.Expr] | None, at: int
) -> tuple[int, ...]:
    """The columns that `given` expressions fill; 42601 when the numbers do not fit."""
    if given > len(columns):
        raise SqlSyntaxError("INSERT has more expressions than target columns", position=at)
    if given < len(columns) and written is not None:
        raise SqlSyntaxError(
            "INSERT has more target columns than expressions", position=position(written[given])
        )
    return columns[:given]


def value_rows(
    level: Level, table: Table, columns: tuple[int, ...], values: exp.Expr,
    written: Sequence[exp.Expr] | None, overriding: str,
) -> tuple[tuple[int, ...], Rows]:  # fmt: skip
    """The columns that VALUES fill, and its rows cast to them. Raises as INSERT does."""
    listed: Listing | None = values.args.get("listed")
    rows: Sequence[exp.Expr] = values.expressions
    if listed is not None:
        rows = [*rows, *listed.rows()]
    level.clause = "VALUES"
    first = rows[0].expressions
    if any(is_star(item) for item in first) or any(len(r.expressions) != len(first) for r in rows):
        rows = [_spread_row(level, row) for row in rows]
    width = len(rows[0].expressions)
    extra = rows[0].expressions[len(columns)] if width > len(columns) else rows[0]
    columns = _check_width(columns, width, written, position(extra))
    slots = [table.columns[i] for i in columns]
    state = level.state
    bound: list[tuple[Expr | None, ...]] = []
    ordinary = {slot.name for slot in slots if not (slot.generated or slot.identity)}
    parts = _parts(written, width)
    several = any(parts)
    for row in rows:
        items = row.expressions
        if len(items) != width:
            raise SqlSyntaxError(
                "VALUES lists must all be the same length",
                position=position(items[0]) if items else position(row),
            )
        cells: list[Expr | None] = []
        for place, (slot, item) in enumerate(zip(slots, items, strict=True)):
            if several and (part := parts[place]) is not None:
                cells.append(_part_value(level, part, item))
                continue
            if is_default(item):
                cells.append(None)
                continue
            plain = _plain(state, item, slot.type) if slot.typmod < 0 else None
            if plain is not None and slot.name in ordinary:
                cells.append(plain)
                continue
            check_generated(slot.name, slot.generated, slot.identity, overriding, insert=True)
            expr = bind_expr(level, item)
            cells.append(assign(state, expr, slot.type, slot.typmod, slot.name, position(item)))
        bound.append(
            tuple(_joined(level, slots, parts, cells).values()) if several else tuple(cells)
        )
    return tuple(dict.fromkeys(columns)), tuple(bound)


def _spread_row(level: Level, row: exp.Expr) -> exp.Expr:
    """A row of VALUES with the fields of rows, each by itself, where a star is written behind one."""
    items: list[exp.Expr] = []
    for item in row.expressions:
        if is_star(item):
            whole = item.args["this"] if type(item) is exp.Dot else item
            names = [target.name for target in bind_targets(level, [item], "VALUES")]
            items += [_field_of(whole, name, item) for name in names]
        else:
            items.append(item)
    return mark(exp.Tuple(expressions=items), row.meta.get("start", -1))


def _field_of(whole: exp.Expr, name: str, at: exp.Expr) -> exp.Expr:
    field = exp.Identifier(this=name, quoted=True)
    if type(whole) is exp.Column:  # `t.*`, of a relation
        made: exp.Expr = exp.Column(this=field, table=whole.args["table"].copy())
    else:
        made = exp.Dot(this=whole.copy(), expression=field)
    return mark(made, at.meta.get("start", -1))


def _part_value(level: Level, part: exp.Expr, item: exp.Expr) -> Expr:
    """What a part is given. Raises 0A000 for DEFAULT."""
    if is_default(item):
        what = "an array element" if type(part) is exp.Bracket else "a subfield"
        at = position(parts_of(part)[0])
        raise FeatureNotSupportedError(f"cannot set {what} to DEFAULT", position=at)
    return bind_expr(level, item)


def _plain(state: Binding, item: exp.Expr, target: PgType) -> Expr | None:
    """What `assign` makes of a parameter without a type, or of an integer; None: it must be asked."""
    kind = type(item)
    if kind is exp.Parameter:
        index, params = int(item.args["this"]) - 1, state.params
        if not 0 <= index < PARAMETERS_MAX:
            return None
        if index >= len(params):
            params.extend([None] * (index + 1 - len(params)))
        known = params[index]
        if known is None and index not in state.pending:
            params[index] = target
        elif known is not target:
            return None
        return Param(index, target, -1, position(item))
    if kind is exp.Literal and target in _INTEGERS and not item.args["is_string"]:
        text = item.args["this"]
        if len(text) <= _INTEGERS[target] and text.isdecimal():
            return Const(int(text), target, -1, position(item))
    return None


_INTEGERS = {types.INT4: 9, types.INT8: 18}
"""Digits of which every number is one of the type."""


def _select(
    level: Level, table: Table, columns: tuple[int, ...], node: exp.Expr,
    written: Sequence[exp.Expr] | None, overriding: str,
) -> tuple[tuple[int, ...], Query]:  # fmt: skip
    query = bind_query(level, node, resolve=False)
    at = position(node)
    if isinstance(query, Select) and len(query.targets) > len(columns):
        at = location(query.targets[len(columns)].expr)
    columns = _check_width(columns, len(query.columns), written, at)
    slots = [table.columns[i] for i in columns]
    for slot in slots:
        check_generated(slot.name, slot.generated, slot.identity, overriding, insert=True)
    parts = _parts(written, len(columns))
    if not any(parts):
        return columns, assign_output(level.state, query, slots)
    select = with_plain_targets(level.state, query)
    cells = [
        t.expr if part is not None else assigned_target(level.state, t, slot).expr
        for t, part, slot in zip(select.targets, parts, slots, strict=True)
    ]
    joined = _joined(level, slots, parts, cells)
    targets = tuple([Target(expr, name) for name, expr in joined.items() if expr is not None])
    shown = tuple([OutputColumn(t.name, t.expr.type, t.expr.typmod) for t in targets])
    return tuple(dict.fromkeys(columns)), replace(select, targets=targets, columns=shown)


def _on_conflict(level: Level, into: ChangeTarget, node: exp.Expr) -> OnConflict:
    args, state, table = node.args, level.state, into.named
    arbiters = _arbiters(level, table, node)
    do_update = "UPDATE" in str(args["action"].name).upper()
    excluded = state.relation(into.columns)
    if not do_update:
        return OnConflict(arbiters, (), None, excluded)
    if arbiters is None:
        raise SqlSyntaxError(
            "ON CONFLICT DO UPDATE requires inference specification or constraint name",
            hint="For example, ON CONFLICT (column_name).",
            position=position(node),
        )
    level.add(into.excluded(excluded))
    assignments = into.assigned(bind_assignments(level, table, node.expressions))
    where = args.get("where")
    condition = None if where is None else bind_condition(level, where.args["this"], "WHERE")
    level.hidden = [level.items.pop()]
    return OnConflict(arbiters, assignments, condition, excluded)


def _arbiters(level: Level, table: Table, node: exp.Expr) -> tuple[int, ...] | None:
    """The unique indexes that ON CONFLICT names, 0 for the primary key; None when it names none.

    Raises 42P10 when there is none such, 42704.
    """
    args = node.args
    named = args.get("constraint")
    if named is not None:
        for constraint in table.constraints:
            if constraint.name == named.name and constraint.kind in ("p", "u"):
                return (constraint.id if index_of(constraint, table) else 0,)
        raise UndefinedObjectError(
            f'constraint "{named.name}" for table "{table.name}" does not exist'
        )
    keys = args.get("conflict_keys")
    if not keys:
        return None
    wanted = {_conflict_key(level, table, key) for key in keys}
    predicate = args.get("index_predicate")
    where = ""
    if predicate is not None:
        where = _text(bind_condition(level, predicate.args["this"], "WHERE"))
    found = [0] if set(table.primary_key) == wanted else []
    found += [
        index.id
        for index in table.indexes
        if index.unique
        and index.where in ("", where)
        and {key.column or key.expression for key in index.keys} == wanted
    ]
    if not found:
        raise InvalidColumnReferenceError(
            "there is no unique or exclusion constraint matching the ON CONFLICT specification",
            position=0,
        )
    return tuple(found)


def _conflict_key(level: Level, table: Table, key: exp.Expr) -> int | str:
    """A column's id, or an expression as an index has it."""
    column = key.args["this"] if type(key) is exp.Ordered else key
    if type(column) is exp.Paren:
        column = column.this
    bare = type(column) is exp.Column and column.args.get("table") is None
    if type(column) is exp.Identifier or bare:
        return table.columns[column_index(table, column.name, position(column))].id
    return _text(bind_expr(level, column))


def _text(expr: Expr) -> str:
    return Deparser(lambda r: quote_identifier(r.name), lambda _query: "").expr(expr)
