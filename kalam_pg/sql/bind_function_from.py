"""Calls in FROM of functions that people made: each is the query that its body is."""

from collections.abc import Sequence

from sqlglot import exp

from catalog.errors import SqlSyntaxError
from catalog.types import registry as types
from catalog.types.composite import composite_of
from kalam_pg.functions import lookup
from kalam_pg.sql.bind_from import BIND_QUERY, USER_FROM, shown_columns
from kalam_pg.sql.bind_function import (
    behind,
    check_once,
    not_null,
    only_where,
    put_in_place,
    unnest,
    value_of,
)
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.coerce import coerce, with_typmod
from kalam_pg.sql.dialect import type_name
from kalam_pg.sql.function_body import is_scalar
from kalam_pg.sql.function_call import (
    Called,
    arguments_level,
    body_of,
    body_scope,
    called,
    enter,
)
from kalam_pg.sql.function_result import columns_of, fitted, mismatch
from kalam_pg.sql.function_runs import is_run, run_before
from kalam_pg.sql.positions import position
from kalam_pg.sql.row_values import field, fields_of
from kalam_pg.sql.scope import Item, Level, names_of
from kalam_pg.sql.tree import (
    ColumnRef,
    Const,
    FunctionScan,
    OutputColumn,
    Query,
    Select,
    SubqueryScan,
    Target,
    Window,
)
from kalam_pg.sql.walk import column_refs, raise_levels


def _from(
    level: Level,
    node: exp.Expr,
    call: exp.Expr,
    alias: str,
    names: Sequence[str],
    definitions: Sequence[exp.ColumnDef],
) -> SubqueryScan | None:
    """A call in FROM as an item; None where it is of no function that somebody made."""
    if type(call) is not exp.Anonymous:
        return None
    at = position(node) or position(call)
    ordinality = bool(node.args.get("ordinality"))
    here, hidden, clause = level.items, level.hidden, level.clause
    level.items, level.hidden, level.clause = hidden + here, [], "FROM"
    try:
        found = called(level, call)
        if found is None:
            return None
        if definitions:
            _check_defined(found, position(definitions[0]) or at)
        query = _query(level, found)
    finally:
        level.items, level.hidden, level.clause = here, hidden, clause
    if definitions:
        query = _as_defined(level, found, query, definitions)
    elif columns_of(found.chosen) is None:
        raise SqlSyntaxError(
            'a column definition list is required for functions returning "record"', position=at
        )
    return _item(level, found, query, alias, names, at, ordinality=ordinality)


def _check_defined(call: Called, at: int) -> None:
    chosen = call.chosen
    if chosen.function.outputs:
        raise SqlSyntaxError(
            "a column definition list is redundant for a function with OUT parameters", position=at
        )
    if chosen.result is not types.RECORD:
        raise SqlSyntaxError(
            'a column definition list is only allowed for functions returning "record"',
            position=at,
        )


def _query(level: Level, call: Called) -> Query:
    """The rows of a call, as seen from one level below."""
    state, chosen = level.state, call.chosen
    if not chosen.function.returns_set:
        return _one_row(level, call)
    if is_run(call, level):
        return _rows_of_run(level, call)
    enter(level, call)
    with body_scope(state, chosen.function):
        around = arguments_level(state, call)
        query = fitted(state, chosen, BIND_QUERY[0](around, body_of(call)))
        if chosen.result is types.VOID and not chosen.function.outputs:
            query = only_where(state, query, Const(False, types.BOOL))  # It gives back nothing.
        known = not_null(around, call)
        if known is not None:
            query = only_where(state, query, raise_levels(known, 1))
    put, source = put_in_place(state, query, around, call)
    assert isinstance(put, Query)
    if source is None:
        return put
    check_once(level, call)
    return behind(state, put, source)


def _one_row(level: Level, call: Called) -> Query:
    """The one row of a function that gives back no set: NULLs where its body has none."""
    state, chosen = level.state, call.chosen
    value = raise_levels(value_of(level, call), 1)
    if is_scalar(chosen.function, chosen.result):
        (column,) = columns_of(chosen) or (OutputColumn(chosen.function.name, value.type),)
        return Select((Target(value, column.name),), (column,))
    fields = columns_of(chosen) or fields_of(state, value)
    row = OutputColumn("row", value.type, fields=() if composite_of(value.type) else fields)
    inner = Select((Target(raise_levels(value, 1), "row"),), (row,))
    relation = state.relation((row,))
    ref = ColumnRef(relation, 0, "row", value.type)
    targets = tuple([Target(field(ref, at, f), f.name) for at, f in enumerate(fields)])
    return Select(targets, tuple(fields), (SubqueryScan(relation, inner, (row,), "row"),))


def _rows_of_run(level: Level, call: Called) -> Query:
    """The rows of a call that is run before its statement."""
    state, kind = level.state, call.chosen.result
    array = run_before(level, call)
    rows = unnest(array, kind, call.at)
    column = OutputColumn(call.function.name, kind)
    relation = state.relation((column,))
    scan = FunctionScan(relation, rows, (column,), call.function.name)
    ref = ColumnRef(relation, 0, column.name, kind)
    fields = fields_of(state, ref)
    if not fields:
        return Select((Target(ref, column.name),), (column,), (scan,))
    targets = tuple([Target(field(ref, at, f), f.name) for at, f in enumerate(fields)])
    return Select(targets, tuple(fields), (scan,))


def _as_defined(
    level: Level, call: Called, query: Query, definitions: Sequence[exp.ColumnDef]
) -> Query:
    """A query of records with the columns of a definition list. Raises 42P13."""
    state = level.state
    scope = state.scope
    relation = state.relation(query.columns)
    wanted = []
    for definition in definitions:
        kind, typmod = resolve_type(
            type_name(definition.args["kind"]), scope.snapshot, scope.search_path
        )
        wanted.append(OutputColumn(definition.args["this"].name, kind, typmod))
    if len(wanted) != len(query.columns):
        many = "many" if len(query.columns) > len(wanted) else "few"
        raise mismatch(call.chosen, f"Final statement returns too {many} columns.")
    targets = []
    for at, (column, want) in enumerate(zip(query.columns, wanted, strict=True)):
        ref = ColumnRef(relation, at, column.name, column.type, column.typmod)
        cast = coerce(state, ref, want.type, "a")
        if cast is None:
            raise mismatch(
                call.chosen,
                f"Final statement returns {column.type.sql_name} instead of "
                f"{want.type.sql_name} at column {at + 1}.",
            )
        targets.append(Target(with_typmod(cast, want.typmod, explicit=False), want.name))
    scan = SubqueryScan(relation, raise_levels(query, 1), query.columns, "rows")  # type: ignore[arg-type]
    return Select(tuple(targets), tuple(wanted), (scan,))


def _item(
    level: Level,
    call: Called,
    query: Query,
    alias: str,
    names: Sequence[str],
    at: int,
    *,
    ordinality: bool,
) -> SubqueryScan:
    state, function = level.state, call.function
    name = alias or function.name
    scalar = is_scalar(function, call.chosen.result)
    of_type = composite_of(call.chosen.result) is not None
    columns = tuple(
        [
            OutputColumn(c.name, q.type, q.typmod if of_type else -1, fields=q.fields)
            for c, q in zip(columns_of(call.chosen) or query.columns, query.columns, strict=True)
        ]
    )
    if scalar and alias and not function.outputs:
        columns = (OutputColumn(alias, columns[0].type, columns[0].typmod),)
    if ordinality:
        query = _numbered(level, query)
        columns = (*columns, OutputColumn("ordinality", types.INT8))
    shown = shown_columns(columns, name, names)
    relation = state.relation(shown)
    item = Item(name, relation, shown, names_of(shown), single=scalar and len(shown) == 1)
    if composite_of(call.chosen.result) is not None and not ordinality:
        item.row = call.chosen.result
    level.add(item, at)
    state.nested = True
    lateral = any(up >= 0 for up, _ in column_refs(query))
    return SubqueryScan(relation, query, shown, name, lateral)


def _numbered(level: Level, query: Query) -> Query:
    """A query's rows with their numbers, in the order in which they come."""
    state = level.state
    relation = state.relation(query.columns)
    (overload,) = lookup.windows("row_number")
    targets = [
        Target(ColumnRef(relation, i, c.name, c.type, c.typmod), c.name)
        for i, c in enumerate(query.columns)
    ]
    targets.append(Target(Window(overload, (), types.INT8), "ordinality"))
    columns = (*query.columns, OutputColumn("ordinality", types.INT8))
    scan = SubqueryScan(relation, raise_levels(query, 1), query.columns, "rows")  # type: ignore[arg-type]
    return Select(tuple(targets), columns, (scan,))


USER_FROM.append(_from)
