"""Binding of INSERT, UPDATE and DELETE."""

from collections.abc import Sequence

from sqlglot import exp

from catalog.errors import (
    DuplicateColumnError,
    FeatureNotSupportedError,
    GeneratedAlwaysError,
    InvalidColumnReferenceError,
    SqlSyntaxError,
    UndefinedColumnError,
    UndefinedObjectError,
    UndefinedTableError,
    WrongObjectTypeError,
)
from catalog.model import Table, View
from kalam_pg.sql.bind_expr import bind_condition, bind_expr, consumed, unsupported
from kalam_pg.sql.bind_from import alias_of, bind_from, scan_table
from kalam_pg.sql.bind_query import bind_query
from kalam_pg.sql.bind_setop import assign_output
from kalam_pg.sql.bind_targets import bind_targets, output_columns
from kalam_pg.sql.bind_with import bind_with
from kalam_pg.sql.coerce import assign
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Item, Level, State, find_relation, table_columns
from kalam_pg.sql.tree import (
    Assignment,
    Delete,
    Expr,
    FromItem,
    Insert,
    OnConflict,
    OutputColumn,
    Query,
    TableScan,
    Target,
    Update,
)

Rows = tuple[tuple[Expr | None, ...], ...]
_SYSTEM = frozenset(("_seq", "_deleted"))


def find_target(state: State, node: exp.Expr) -> tuple[Table, str]:
    """The stored table that a data change is for, and its alias."""
    consumed(node, "this", "db", "catalog", "alias", "only")
    at = position(node)
    name = node.args["this"].args["this"]
    schema = node.args["db"].args["this"] if node.args.get("db") is not None else ""
    alias, names, _ = alias_of(node)
    if names:
        raise SqlSyntaxError("column aliases are not allowed here", position=at)
    found = find_relation(state, schema, name)
    if found is None:
        written = f"{schema}.{name}" if schema else name
        raise UndefinedTableError(f'relation "{written}" does not exist', position=at)
    if isinstance(found, View):
        raise WrongObjectTypeError(f'cannot change view "{name}"', position=at)
    if not isinstance(found, Table):
        raise WrongObjectTypeError(f'cannot change catalog relation "{name}"', position=at)
    return found, alias


def is_default(node: exp.Expr) -> bool:
    """Whether an item of VALUES or SET is the word DEFAULT."""
    return type(node) is exp.Var and str(node.args["this"]).upper() == "DEFAULT"


# ------------------------------------------------------------------------------------- INSERT


def bind_insert(state: State, node: exp.Expr) -> Insert:
    """INSERT, its source cast to the columns' types."""
    args = node.args
    level = Level(state)
    with_ = bind_with(level, node)
    this = args["this"]
    written: Sequence[exp.Expr] | None = None
    if type(this) is exp.Schema:
        written, this = this.expressions, this.args["this"]
    table, alias = find_target(state, this)
    columns = _insert_columns(table, written)
    overriding = str(args.get("overriding") or "").lower()
    source: Rows | Query
    expression = args.get("expression")
    if expression is None:
        columns, source = (), ((),)
    elif type(expression) is exp.Values and _only_rows(expression):
        columns, source = _values(level, table, columns, expression, written, overriding)
    else:
        columns, source = _select(level, table, columns, expression, written, overriding)
    target = Level(state)
    target.ctes = level.ctes
    scan = scan_table(target, table, alias)
    conflict = args.get("conflict")
    on_conflict = None if conflict is None else _on_conflict(target, table, conflict)
    returning, shown = _returning(target, node)
    return Insert(
        table, scan.relation, columns, source, on_conflict, returning, shown, scan.columns, with_,
        overriding,
    )  # fmt: skip


def _only_rows(values: exp.Expr) -> bool:
    return not any(values.args.get(k) for k in ("order", "limit", "offset", "with_"))


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


def _insert_columns(table: Table, written: Sequence[exp.Expr] | None) -> tuple[int, ...]:
    if written is None:
        shown, _ = table_columns(table)
        return tuple(i for i in range(len(table.columns)) if not shown[i].hidden)
    found: list[int] = []
    for node in written:
        if type(node) is not exp.Identifier:
            raise unsupported("assignment to a part of a column", node)
        index = column_index(table, node.args["this"], position(node))
        if index in found:
            raise DuplicateColumnError(
                f'column "{node.name}" specified more than once', position=position(node)
            )
        found.append(index)
    return tuple(found)


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


def _values(
    level: Level, table: Table, columns: tuple[int, ...], values: exp.Expr,
    written: Sequence[exp.Expr] | None, overriding: str,
) -> tuple[tuple[int, ...], Rows]:  # fmt: skip
    rows = values.expressions
    width = len(rows[0].expressions)
    level.clause = "VALUES INSERT"
    extra = rows[0].expressions[len(columns)] if width > len(columns) else rows[0]
    columns = _check_width(columns, width, written, position(extra))
    slots = [table.columns[i] for i in columns]
    state = level.state
    bound: list[tuple[Expr | None, ...]] = []
    for row in rows:
        items = row.expressions
        if len(items) != width:
            raise SqlSyntaxError(
                "VALUES lists must all be the same length",
                position=position(items[0]) if items else position(row),
            )
        cells: list[Expr | None] = []
        for slot, item in zip(slots, items, strict=True):
            if is_default(item):
                cells.append(None)
                continue
            _check_generated(slot.name, slot.generated, slot.identity, overriding, insert=True)
            expr = bind_expr(level, item)
            cells.append(assign(state, expr, slot.type, slot.typmod, slot.name, position(item)))
        bound.append(tuple(cells))
    return columns, tuple(bound)


def _check_generated(
    name: str, generated: str, identity: str, overriding: str, *, insert: bool
) -> None:
    """428C9 for a value given to a generated column, or to one that is identity ALWAYS."""
    word = "insert a non-DEFAULT value into column" if insert else "update column"
    if generated:
        message = (
            f'cannot {word} "{name}"'
            if insert
            else f'column "{name}" can only be updated to DEFAULT'
        )
        raise GeneratedAlwaysError(message, detail=f'Column "{name}" is a generated column.')
    if identity == "a" and (not insert or not overriding):
        message = (
            f'cannot {word} "{name}"'
            if insert
            else f'column "{name}" can only be updated to DEFAULT'
        )
        raise GeneratedAlwaysError(
            message,
            detail=f'Column "{name}" is an identity column defined as GENERATED ALWAYS.',
            hint="Use OVERRIDING SYSTEM VALUE to override." if insert else "",
        )


def _select(
    level: Level, table: Table, columns: tuple[int, ...], node: exp.Expr,
    written: Sequence[exp.Expr] | None, overriding: str,
) -> tuple[tuple[int, ...], Query]:  # fmt: skip
    query = bind_query(level, node, resolve=False)
    columns = _check_width(columns, len(query.columns), written, position(node))
    slots = [table.columns[i] for i in columns]
    for slot in slots:
        _check_generated(slot.name, slot.generated, slot.identity, overriding, insert=True)
    return columns, assign_output(level.state, query, slots)


def _on_conflict(level: Level, table: Table, node: exp.Expr) -> OnConflict:
    args, state = node.args, level.state
    columns = _arbiter(level, table, node)
    do_update = "UPDATE" in str(args["action"].name).upper()
    excluded_columns, names = table_columns(table)
    excluded = state.relation(excluded_columns)
    if not do_update:
        return OnConflict(columns, (), None, excluded)
    if not columns:
        raise SqlSyntaxError(
            "ON CONFLICT DO UPDATE requires inference specification or constraint name",
            hint="For example, ON CONFLICT (column_name).",
            position=position(node),
        )
    level.add(Item("excluded", excluded, excluded_columns, names))
    assignments = bind_assignments(level, table, node.expressions)
    where = args.get("where")
    condition = None if where is None else bind_condition(level, where.args["this"], "WHERE")
    level.items.pop()
    return OnConflict(columns, assignments, condition, excluded)


def _arbiter(level: Level, table: Table, node: exp.Expr) -> tuple[int, ...]:
    """Column ids of the unique or primary key constraint that ON CONFLICT names; 42P10 if none."""
    args = node.args
    named = args.get("constraint")
    if named is not None:
        for constraint in table.constraints:
            if constraint.name == named.name and constraint.kind in ("p", "u"):
                return constraint.columns
        raise UndefinedObjectError(
            f'constraint "{named.name}" for table "{table.name}" does not exist',
            position=position(named),
        )
    if args.get("index_predicate"):
        raise unsupported("WHERE of a conflict target", node)
    keys = args.get("conflict_keys")
    if not keys:
        return ()
    ids = set()
    for key in keys:
        column = key.args["this"] if type(key) is exp.Ordered else key
        bare = type(column) is exp.Column and column.args.get("table") is None
        if type(column) is not exp.Identifier and not bare:
            raise unsupported("an expression as conflict target", node)
        name = column.name
        ids.add(table.columns[column_index(table, name, position(column))].id)
    unique = [table.primary_key, *(c.columns for c in table.constraints if c.kind in ("p", "u"))]
    for columns in unique:
        if columns and set(columns) == ids:
            return columns
    raise InvalidColumnReferenceError(
        "there is no unique or exclusion constraint matching the ON CONFLICT specification",
        position=0,
    )


# ------------------------------------------------------------------------------ UPDATE, DELETE


def bind_update(state: State, node: exp.Expr) -> Update:
    """UPDATE [FROM]."""
    consumed(node, "this", "expressions", "from_", "joins", "where", "returning", "with_")
    level = Level(state)
    with_ = bind_with(level, node)
    table, alias = find_target(state, node.args["this"])
    scan, items = _target_and_from(level, table, alias, node, node.args.get("from_"))
    assignments = bind_assignments(level, table, node.expressions)
    condition = _where(level, node)
    returning, shown = _returning(level, node)
    return Update(
        table, scan.relation, assignments, items, condition, returning, shown, scan.columns, with_
    )


def bind_delete(state: State, node: exp.Expr) -> Delete:
    """DELETE [USING]."""
    consumed(node, "this", "from_", "joins", "where", "returning", "with_")
    level = Level(state)
    with_ = bind_with(level, node)
    table, alias = find_target(state, node.args["this"])
    scan, items = _target_and_from(level, table, alias, node, node.args.get("from_"))
    condition = _where(level, node)
    returning, shown = _returning(level, node)
    return Delete(table, scan.relation, items, condition, returning, shown, scan.columns, with_)


def _target_and_from(
    level: Level, table: Table, alias: str, node: exp.Expr, from_: exp.Expr | None
) -> tuple[TableScan, tuple[FromItem, ...]]:
    scan = scan_table(level, table, alias)
    if from_ is None:
        return scan, ()
    own, level.items = level.items, []
    items = bind_from(level, from_.args["this"], node.args.get("joins") or ())
    added, level.items = level.items, own
    for item in added:
        level.add(item, position(node))
    return scan, items


def _where(level: Level, node: exp.Expr) -> Expr | None:
    where = node.args.get("where")
    return None if where is None else bind_condition(level, where.args["this"], "WHERE")


def _returning(level: Level, node: exp.Expr) -> tuple[tuple[Target, ...], tuple[OutputColumn, ...]]:
    clause = node.args.get("returning")
    if clause is None:
        return (), ()
    consumed(clause, "expressions")
    targets = tuple(bind_targets(level, clause.expressions, "RETURNING"))
    return targets, output_columns(level.state, targets)


def bind_assignments(
    level: Level, table: Table, nodes: Sequence[exp.Expr]
) -> tuple[Assignment, ...]:
    """SET a = …, (b, c) = (…, …): each column once, cast to its type."""
    level.clause = "UPDATE"
    found: dict[int, Assignment] = {}
    for node in nodes:
        target, value = node.args["this"], node.args["expression"]
        if type(target) is exp.Tuple:
            pairs = _spread(target, value)
        else:
            pairs = [(target, value)]
        for column_node, value_node in pairs:
            name, at = column_node.args["this"].args["this"], position(column_node)
            index = column_index(table, name, at)
            if index in found:
                raise SqlSyntaxError(f'multiple assignments to same column "{name}"', position=at)
            found[index] = _assignment(level, table, index, value_node)
    level.clause = ""
    return tuple(found.values())


def _assignment(level: Level, table: Table, index: int, node: exp.Expr) -> Assignment:
    if is_default(node):
        return Assignment(index, None)
    slot = table.columns[index]
    _check_generated(slot.name, slot.generated, slot.identity, "", insert=False)
    expr = bind_expr(level, node)
    return Assignment(
        index, assign(level.state, expr, slot.type, slot.typmod, slot.name, position(node))
    )


def _spread(target: exp.Tuple, value: exp.Expr) -> list[tuple[exp.Expr, exp.Expr]]:
    """(a, b) = (x, y) as its single assignments."""
    if type(value) is exp.Subquery:
        raise unsupported("assignment of a subquery to several columns", value)
    if type(value) is not exp.Tuple:
        if len(target.expressions) == 1:
            return [(target.expressions[0], value)]
        raise FeatureNotSupportedError(
            "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
            position=position(value),
        )
    if len(value.expressions) != len(target.expressions):
        raise SqlSyntaxError(
            "number of columns does not match number of values", position=position(value)
        )
    return list(zip(target.expressions, value.expressions, strict=True))
