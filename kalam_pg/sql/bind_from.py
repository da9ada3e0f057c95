"""Binding of FROM: tables, views, WITH items, subqueries, functions, joins."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlglot import exp

from catalog.changes_depend import NAMELESS
from catalog.errors import (
    FeatureNotSupportedError,
    InvalidColumnReferenceError,
    SqlSyntaxError,
    UndefinedTableError,
)
from catalog.model import Table, View
from catalog.row_types import row_type
from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.table import PgType
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.bind_call import call_name
from kalam_pg.sql.bind_expr import bind_condition, bind_expr, consumed, unsupported
from kalam_pg.sql.bind_records import record_query, records_as, rows_spread
from kalam_pg.sql.bind_using import join_kind, natural, using_condition
from kalam_pg.sql.coerce import settle
from kalam_pg.sql.lateral_sides import refuse_lateral
from kalam_pg.sql.positions import mark, position
from kalam_pg.sql.row_values import never_null
from kalam_pg.sql.scope import (
    Binding,
    CteEntry,
    Item,
    Level,
    Named,
    find_relation,
    names_of,
    renamed,
    table_columns,
)
from kalam_pg.sql.tree import (
    Call,
    Const,
    CteChange,
    CteScan,
    Dml,
    Expr,
    FromItem,
    FunctionScan,
    Join,
    OutputColumn,
    Query,
    RowsFrom,
    SubqueryScan,
    TableScan,
    VirtualScan,
)
from kalam_pg.sql.walk import column_refs

# Filled by `bind_query` and `bind`: a query below a level; a view's text, bound on its own; by
# `bind_function_from`: a call of a function that somebody made, None where it is of another one.
BIND_QUERY: list[Callable[..., Query]] = []  # (level, node, resolve=True)
BIND_CHANGE: list[Callable[[Level, exp.Expr], Dml]] = []
BIND_VIEW: list[Callable[[Binding, View], Query]] = []
USER_FROM: list[Callable[..., SubqueryScan | None]] = []
BIND_SAMPLE: list[Callable[[Level, exp.Expr], SubqueryScan]] = []  # `bind_sample`


def bind_from(
    level: Level, first: exp.Expr | None, joins: Sequence[exp.Join]
) -> tuple[FromItem, ...]:
    """FROM with its joins, in order; `level.items` then holds what is visible."""
    if first is None:
        return ()
    result: list[FromItem] = []
    done: list[Item] = []
    current = _item(level, first)
    for join in joins:
        if join.meta.get("comma"):
            # The joins between two commas see the items before them only through LATERAL.
            result.append(current)
            done, level.items = [*done, *level.items], []
            level.hidden = done
            current = _lateral_item(level, done, join.args["this"])
        else:
            current = _join(level, done, current, join)
    result.append(current)
    level.hidden = []
    items, level.items = level.items, []
    for item in (*done, *items):
        level.add(item)
    return tuple(result)


def _lateral_item(level: Level, before: Sequence[Item], node: exp.Expr) -> FromItem:
    """One FROM item that may look at `before` if it is lateral."""
    here = level.items
    level.items, level.hidden = [], [*before, *here]
    current = _item(level, node)
    added, level.items = level.items, here
    for item in added:
        level.add(item, position(node))
    return current


def _item(level: Level, node: exp.Expr) -> FromItem:
    """Bind one item and add what it makes visible to `level.items`."""
    made = _bound_item(level, node)
    trace = level.state.trace
    if trace is not None:
        trace.items[id(node)] = node, made
    return made


def _bound_item(level: Level, node: exp.Expr) -> FromItem:
    kind = type(node)
    if kind is exp.Table:
        if node.args.get("sample"):
            return BIND_SAMPLE[0](level, node)
        if isinstance(node.args["this"], exp.Identifier):
            return _relation(level, node)
        return _function(level, node.args["this"], node)
    if kind is exp.Subquery:
        return _subquery(level, node.args["this"], node, lateral=False)
    if kind is exp.Lateral:
        inner = node.args["this"]
        if type(inner) is exp.Subquery:
            return _subquery(level, inner.args["this"], node, lateral=True)
        return _function(level, inner, node)
    if kind is exp.Paren:
        return _parenthesised(level, node)
    raise unsupported(f"{kind.__name__.upper()} in FROM", node)


def alias_of(node: exp.Expr) -> tuple[str, list[str], list[exp.ColumnDef]]:
    """The alias, its column names, and the definitions of a column definition list."""
    alias = node.args.get("alias")
    if alias is None:
        return "", [], []
    names, definitions = [], []
    for column in alias.args.get("columns") or ():
        if type(column) is exp.ColumnDef:
            definitions.append(column)
            names.append(column.args["this"].name)
        else:
            names.append(column.args["this"])
    this = alias.args.get("this")
    return (this.args["this"] if this is not None else ""), names, definitions


def check_alias_columns(name: str, count: int, names: Sequence[str], at: int = 0) -> None:
    """42P10 when an alias names more columns than there are; of a WITH item, at its position."""
    if len(names) > count:
        raise InvalidColumnReferenceError(
            f'{"WITH query" if at else "table"} "{name}" has {count} columns available but '
            f"{len(names)} columns specified",
            position=at,
        )


# ----------------------------------------------------------------------------------- relations


def _relation(level: Level, node: exp.Expr) -> FromItem:
    consumed(node, "this", "db", "alias", "only")
    args, at = node.args, position(node)
    name: str = args["this"].args["this"]
    schema: str = args["db"].args["this"] if args.get("db") is not None else ""
    alias, names, _ = alias_of(node)
    state = level.state
    if not schema and (entry := level.find_cte(name)) is not None:
        return _cte(level, entry, alias or name, names, at)
    found = find_relation(state, schema, name)
    if found is None:
        written = f"{schema}.{name}" if schema else name
        raise UndefinedTableError(f'relation "{written}" does not exist', position=at)
    if isinstance(found, Table | View) and not state.views:
        state.relations[found.id] = None
        state.named[at - 1] = Named(found, bool(alias), bool(names), bool(args.get("only")))
    if isinstance(found, Table):
        return scan_table(level, found, alias, names, at)
    if isinstance(found, View):
        query = BIND_VIEW[0](state, found)
        columns = tuple(
            replace(c, name=v.name, table_id=found.id, column_id=v.id)
            for c, v in zip(query.columns, found.columns, strict=True)
        )
        scan = derived(
            *(level, query, columns, alias or name, names, at),
            schema=found.namespace, row=row_type(found),
        )  # fmt: skip
        return replace(scan, view=found)
    virtual_schema, columns = found
    state.virtual[virtual_schema, name] = None
    shown = shown_columns(columns, alias or name, names)
    relation = state.relation(shown)
    item = Item(alias or name, relation, shown, names_of(shown), "" if alias else virtual_schema)
    level.add(item, at)
    return VirtualScan(relation, virtual_schema, name, shown, alias)


def shown_columns(
    columns: tuple[OutputColumn, ...], name: str, names: Sequence[str]
) -> tuple[OutputColumn, ...]:
    """A FROM item's columns, with the first of them called as its alias does."""
    if not names:
        return columns
    check_alias_columns(name, sum(not c.hidden for c in columns), names)
    return renamed(columns, names)


def scan_table(
    level: Level, table: Table, alias: str, names: Sequence[str] = (), at: int = 0
) -> TableScan:
    """A stored table as a FROM item, made visible."""
    state = level.state
    columns, index = table_columns(table)
    if names:
        columns = shown_columns(columns, alias, names)
        index = names_of(columns)
    state.tables[table.id] = table
    relation = state.relation(columns)
    item = Item(
        alias or table.name, relation, columns, index, "" if alias else table.namespace, table=table
    )
    level.add(item, at)
    return TableScan(relation, table, columns, alias)


def _cte(level: Level, entry: CteEntry, alias: str, names: Sequence[str], at: int) -> CteScan:
    if isinstance(entry.cte, CteChange) and not entry.columns:
        raise FeatureNotSupportedError(
            f'WITH query "{entry.name}" does not have a RETURNING clause', position=at
        )
    level.reads_itself = level.reads_itself or entry.cte is None
    columns = shown_columns(entry.columns, alias, names)
    relation = level.state.relation(columns)
    level.add(Item(alias, relation, columns, names_of(columns)), at)
    return CteScan(relation, entry.number, columns, alias if alias != entry.name else "")


# ------------------------------------------------------------------------ subqueries, functions


def _subquery(
    level: Level, query: exp.Expr, node: exp.Expr, *, lateral: bool, row: PgType | None = None
) -> FromItem:
    consumed(node, "this", "alias", "ordinality")
    alias, names, _ = alias_of(node)
    at = position(node)
    if not alias:
        raise SqlSyntaxError(
            "subquery in FROM must have an alias",
            hint="For example, FROM (SELECT ...) [AS] foo.",
            position=at,
        )
    inner = below(level, query, lateral=lateral)
    return derived(level, inner, inner.columns, alias, names, at, lateral=lateral, row=row)


def below(level: Level, query: exp.Expr, *, lateral: bool) -> Query:
    """Bind a derived table: it sees this level's earlier items only when it is lateral."""
    here, hidden = level.items, level.hidden
    if lateral:
        level.items, level.hidden = hidden + here, []
    else:
        level.items, level.hidden = [], hidden + here
    try:
        return BIND_QUERY[0](level, query)
    finally:
        level.items, level.hidden = here, hidden


def derived(
    level: Level, query: Query, columns: tuple[OutputColumn, ...], alias: str,
    names: Sequence[str], at: int, *, schema: str = "", lateral: bool = False,
    row: PgType | None = None,
) -> SubqueryScan:  # fmt: skip
    """A query as a FROM item, made visible."""
    # Of a view, what came later than the text that reads it has no name.
    readable = tuple(replace(c, hidden=c.name == NAMELESS) for c in columns)
    shown = shown_columns(readable, alias, names)
    relation = level.state.relation(shown)
    sure = never_null(query)
    level.state.note_derived(query)
    level.add(Item(alias, relation, shown, names_of(shown), schema, never_null=sure, row=row), at)
    return SubqueryScan(relation, query, shown, alias, lateral)


def _function(level: Level, call: exp.Expr, node: exp.Expr) -> FromItem:
    """A function in FROM; it may always refer to earlier items."""
    consumed(node, "this", "alias", "ordinality", "as_values")
    as_values = bool(node.args.get("as_values"))  # Rows of a composite type, for `rows_spread`.
    alias, names, definitions = alias_of(node)
    at = position(node) or position(call)
    records = record_query(level, call, definitions)
    if records is not None and not node.args.get("ordinality"):
        if not alias:
            alias = call_name(call)[0] if type(call) is exp.Anonymous else ""
        named = exp.TableAlias(this=exp.Identifier(this=alias, quoted=True))
        if not definitions:
            named.set("columns", [exp.Identifier(this=n, quoted=True) for n in names])
        return _subquery(level, records, mark(exp.Subquery(alias=named), at), lateral=True)
    calls = _side_by_side(call)
    of_people = None if as_values else USER_FROM[0](level, node, call, alias, names, definitions)
    if of_people is not None:
        return of_people
    if definitions and (len(calls) > 1 or node.args.get("ordinality")):
        raise unsupported("a column definition list", node)
    here, hidden, clause = level.items, level.hidden, level.clause
    level.items, level.hidden, level.clause = hidden + here, [], "FROM"
    try:
        bound = [settle(level.state, bind_expr(level, one)) for one in calls]
    finally:
        level.items, level.hidden, level.clause = here, hidden, clause
    if len(bound) > 1 and any(composite_of(one.type) is not None for one in bound):
        raise unsupported("a function that gives rows of a composite type beside others", node)
    if definitions:
        _check_defined(bound[0], position(definitions[0]) or at)
        spread = records_as(call, [(d.args["this"].name, d.args["kind"]) for d in definitions])
        known = exp.Identifier(this=alias or _function_name(calls[0]), quoted=True)
        inner = mark(exp.Subquery(alias=exp.TableAlias(this=known)), at)
        return _subquery(level, spread, inner, lateral=True)
    ordinality = bool(node.args.get("ordinality"))
    if len(bound) == 1 and not as_values and composite_of(bound[0].type) is not None:
        spread = rows_spread(call, ordinality=ordinality)
        known = exp.Identifier(this=alias or _function_name(calls[0]), quoted=True)
        renames = [exp.Identifier(this=n, quoted=True) for n in names]
        named = exp.TableAlias(this=known, columns=renames)
        row = None if ordinality else bound[0].type
        inner = mark(exp.Subquery(alias=named), at)
        return _subquery(level, spread, inner, lateral=True, row=row)
    name = _function_name(calls[0])
    columns = _columns_beside(calls, bound, alias, as_values=as_values)
    if ordinality:
        columns = (*columns, OutputColumn("ordinality", types.INT8))
    shown = shown_columns(columns, alias or name, names)
    relation = level.state.relation(shown)
    item = Item(alias or name, relation, shown, names_of(shown), single=len(shown) == 1)
    level.add(item, at)
    if len(bound) > 1:
        return RowsFrom(relation, tuple(bound), shown, alias, ordinality)
    lateral = any(up >= 0 for up, _ in column_refs(bound[0]))
    return FunctionScan(relation, bound[0], shown, alias, ordinality, lateral)


def _columns_beside(
    calls: Sequence[exp.Expr], bound: Sequence[Expr], alias: str, *, as_values: bool
) -> tuple[OutputColumn, ...]:
    """The columns of functions side by side: only a single one's is called as its alias."""
    columns: tuple[OutputColumn, ...] = ()
    for one, made in zip(calls, bound, strict=True):
        called = alias if alias and len(calls) == 1 else _function_name(one)
        columns += _function_columns(made, called, as_values=as_values)
    return columns


def _side_by_side(call: exp.Expr) -> list[exp.Expr]:
    """The functions of ROWS FROM; `unnest` of several arrays is one for each."""
    if type(call) is exp.Tuple:
        return [one for item in call.expressions for one in _side_by_side(item)]
    if type(call) is exp.Anonymous and call.name == "unnest" and len(call.expressions) > 1:
        parts: list[exp.Expr] = []
        for array in call.expressions:
            part = call.copy()
            part.set("expressions", [array.copy()])
            parts.append(part)
        return parts
    return [call]


def _function_name(call: exp.Expr) -> str:
    return call_name(call)[0] if type(call) is exp.Anonymous else "column"


def _check_defined(bound: Expr, at: int) -> None:
    """Raise 42601 where a function needs no column definition list."""
    if bound.type is not types.RECORD:
        raise SqlSyntaxError(
            'a column definition list is only allowed for functions returning "record"',
            position=at,
        )
    if isinstance(bound, Call) and bound.overload.out_names:
        raise SqlSyntaxError(
            "a column definition list is redundant for a function with OUT parameters", position=at
        )


def _function_columns(bound: Expr, name: str, *, as_values: bool) -> tuple[OutputColumn, ...]:
    overload = bound.overload if isinstance(bound, Call) else None
    if overload is not None and overload.out_names:
        if len(overload.out_names) == 1:
            return (OutputColumn(overload.out_names[0], bound.type),)
        out_types = getattr(overload, "out_types", ())
        if len(out_types) != len(overload.out_names):
            raise unsupported(f"{overload.name} in FROM")
        pairs = zip(overload.out_names, out_types, strict=True)
        return tuple(OutputColumn(n, t) for n, t in pairs)
    if bound.type is types.RECORD and not as_values:
        raise SqlSyntaxError(
            'a column definition list is required for functions returning "record"',
            position=bound.position,
        )
    if overload is not None and overload.kind is OverloadKind.CAST:
        name = bound.type.name
    return (OutputColumn(name, bound.type, bound.typmod),)


# -------------------------------------------------------------------------------------- joins


def _parenthesised(level: Level, node: exp.Expr) -> FromItem:
    """A join in parentheses: with an alias, its columns are seen under that name only."""
    alias, names, _ = alias_of(node)
    before = level.items
    level.items = []
    outer_hidden = level.hidden
    level.hidden = [*outer_hidden, *before]
    current = _item(level, node.args["this"])
    for join in node.args.get("joins") or ():
        current = _join(level, level.hidden, current, join)
    added, level.items, level.hidden = level.items, before, outer_hidden
    if alias:
        columns: list[OutputColumn] = []
        exprs: list[Expr] = []
        for item in added:
            if item.cols_visible:
                shown = [i for i, c in enumerate(item.columns) if not c.hidden]
                columns += [item.columns[i] for i in shown]
                exprs += [item.ref(i, 0) for i in shown]
        renamed_columns = shown_columns(tuple(columns), alias, names)
        merged = Item(alias, -1, renamed_columns, names_of(renamed_columns), exprs=tuple(exprs))
        for item in added:
            item.rel_visible = item.cols_visible = False
        added.append(merged)
    for item in added:
        level.add(item, position(node))
    return current


def _join(level: Level, before: Sequence[Item], left: FromItem, join: exp.Join) -> FromItem:
    consumed(join, "this", "side", "kind", "method", "on", "using", "alias")
    args = join.args
    kind = join_kind(args)
    left_items = list(level.items)
    hidden = level.hidden
    right = _lateral_item(level, before, args["this"])
    level.hidden = hidden
    if kind in {"right", "full"}:
        refuse_lateral(left_items, right)
    right_items = level.items[len(left_items) :]
    using = args.get("using")
    names = None
    if using:
        names = [u.args["this"] for u in using]
    elif str(args.get("method") or "").upper() == "NATURAL":
        names = natural(left_items, right_items)
    if names is not None:
        condition = using_condition(
            level, kind, left_items, right_items, names, position(join), args.get("alias")
        )
        if level.state.trace is not None:
            level.state.trace.note_using(join, names, level.items)
    elif args.get("on") is not None:
        # ON sees the two sides of its join, not what stands before a comma.
        level.hidden = [*before]
        condition = bind_condition(level, args["on"], "JOIN/ON")
        level.hidden = hidden
    else:
        condition = None
    if condition is None and kind != "cross":
        condition = Const(value=True, type=types.BOOL)
    for item in left_items if kind in {"right", "full"} else ():
        item.nullable = True
    for item in right_items if kind in {"left", "full"} else ():
        item.nullable = True
    return Join(kind, left, right, condition)
