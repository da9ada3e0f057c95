"""Binding of queries: SELECT, VALUES, set operations and WITH."""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from catalog.errors import (
    InvalidRecursionError,
    SqlSyntaxError,
    WindowingError,
)
from catalog.types import registry as types
from kalam_pg.sql.alike import with_known
from kalam_pg.sql.bind_expr import bind_condition, bind_expr, consumed, unsupported
from kalam_pg.sql.bind_from import BIND_QUERY, bind_from
from kalam_pg.sql.bind_group import bind_group, check_direct_arguments, check_grouped
from kalam_pg.sql.bind_lists import bind_values
from kalam_pg.sql.bind_locking import bind_locking
from kalam_pg.sql.bind_order import (
    bind_limit,
    check_distinct,
    distinct_exprs,
    group_item,
    order_keys,
    settle_target,
)
from kalam_pg.sql.bind_setop import bind_set_operation
from kalam_pg.sql.bind_targets import (
    bind_targets,
    output_columns,
    spread,
)
from kalam_pg.sql.bind_with import bind_with, first_rows_alone
from kalam_pg.sql.coerce import settle, unify
from kalam_pg.sql.listings import Listing
from kalam_pg.sql.positions import position
from kalam_pg.sql.row_values import fields_of
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import (
    Aggregate,
    ColumnRef,
    Cte,
    Expr,
    OutputColumn,
    Query,
    Select,
    Target,
    ValuesQuery,
)
from kalam_pg.sql.walk import location, walk

_READS_ROWS = frozenset(("aggregate", "FILTER", "WHERE", "JOIN/ON", "FROM"))
"""Where a query's rows are read, and not its groups."""


def bind_query(parent: Level, node: exp.Expr, *, resolve: bool = True) -> Query:
    """A query one level below `parent`. With `resolve`, columns without a type become text."""
    level = Level(parent.state, parent)
    level.state.nested = True
    return query_at(level, node, resolve=resolve)


BIND_QUERY.append(bind_query)


def query_at(level: Level, node: exp.Expr, *, resolve: bool = True) -> Query:
    """A query whose own level is `level`."""
    made = _query_at(level, node, resolve=resolve)
    trace = level.state.trace
    if trace is not None:
        trace.queries[id(node)] = node, level, made
    return made


def _query_at(level: Level, node: exp.Expr, *, resolve: bool) -> Query:
    with_ = bind_with(level, node)
    kind = type(node)
    if kind is exp.Select:
        return _select(level, node, with_, resolve=resolve)
    if kind is exp.Values:
        return _values(level, node, with_, resolve=resolve)
    if kind in (exp.Union, exp.Intersect, exp.Except):
        return bind_set_operation(level, node, with_)
    if kind is exp.Subquery and not node.args.get("alias"):
        return query_at(level, node.args["this"], resolve=resolve)
    raise unsupported(kind.__name__.upper(), node)


# ------------------------------------------------------------------------------------- SELECT


def _select(level: Level, node: exp.Expr, with_: tuple[Cte, ...], *, resolve: bool) -> Select:
    consumed(
        node, "with_", "distinct", "expressions", "from_", "joins", "where", "group", "having",
        "windows", "order", "limit", "offset", "locks",
    )  # fmt: skip
    args, state = node.args, level.state
    for window in args.get("windows") or ():
        name = window.args["this"].name
        if name in level.windows:
            raise _window_twice(name, window)
        level.windows[name] = window
    from_node = args.get("from_")
    items = bind_from(level, from_node and from_node.args["this"], args.get("joins") or ())
    targets = bind_targets(level, node.expressions, resolve=False)
    where = args.get("where")
    condition = None if where is None else bind_condition(level, where.args["this"], "WHERE")
    having = args.get("having")
    kept = None if having is None else bind_condition(level, having.args["this"], "HAVING")
    order = args.get("order")
    keys = () if order is None else order_keys(level, order, targets)
    group = args.get("group")
    group_by: tuple[Expr, ...] = ()
    sets: tuple[tuple[int, ...], ...] = ()
    if group is not None:
        consumed(group, "expressions", "distinct")
        group_by, sets, renamed = bind_group(group, lambda item: group_item(level, item, targets))
        if renamed:
            targets = [Target(renamed.get(at, t.expr), t.name) for at, t in enumerate(targets)]
            keys = () if order is None else order_keys(level, order, targets)
        targets = [Target(with_known(t.expr, group_by), t.name) for t in targets]
        kept = None if kept is None else with_known(kept, group_by)
        keys = tuple([replace(k, expr=with_known(k.expr, group_by)) for k in keys])
    distinct = args.get("distinct")
    distinct_on = () if distinct is None else distinct_exprs(level, distinct, targets, keys)
    if distinct is not None:
        check_distinct(level, targets, keys, distinct_on)
    limit, offset = bind_limit(level, args)
    if resolve:
        # Only now: any clause may have given a parameter its type.
        for index in range(len(targets)):
            settle_target(level, targets, index)
    grouped = level.has_aggregates or group is not None or having is not None
    if having is not None and group is None and not level.has_aggregates:
        # There is one row whatever the tables hold: PostgreSQL reads none.
        if condition is not None:
            for up, around in level.levels():
                within = {around.inside, around.suspended, around.clause}
                if within.isdisjoint(_READS_ROWS):
                    around.unread.append((condition, up))
        condition = None
    if level.has_aggregates and level.reads_itself:
        raise InvalidRecursionError(
            "aggregate functions are not allowed in a recursive query's recursive term",
            position=next(
                (location(a) for t in targets for a in walk(t.expr) if type(a) is Aggregate), 0
            ),
        )
    if grouped:
        seen = [
            *(t.expr for t in targets), *([kept] if kept is not None else []),
            *(k.expr for k in keys), *distinct_on,
        ]  # fmt: skip
        check_grouped(level, seen, group_by)
        if sets:
            check_direct_arguments(seen)
    made = bind_locking(
        level, node,
        Select(
            tuple(targets), output_columns(state, targets), items, condition, grouped, group_by, sets,
            kept, distinct is not None and not distinct_on, distinct_on, keys, limit, offset, (), with_,
        ),
        distinct=distinct is not None,
    )  # fmt: skip
    return first_rows_alone(made) if with_ and limit is not None else made


def _window_twice(name: str, node: exp.Expr) -> WindowingError:
    return WindowingError(f'window "{name}" is already defined', position=position(node))


# ------------------------------------------------------------------------------------- VALUES


def _values(
    level: Level, node: exp.Expr, with_: tuple[Cte, ...], *, resolve: bool
) -> ValuesQuery | Select:
    consumed(node, "with_", "expressions", "listed", "order", "limit", "offset")
    rows = bind_rows(level, node.expressions)
    listed: Listing | None = node.args.get("listed")
    if listed is not None:
        if resolve and not (with_ or any(node.args.get(k) for k in ("order", "limit", "offset"))):
            made = bind_values(level, rows, listed, position(node))
            if made is not None:
                return made
        rows = bind_rows(level, listed.rows(), rows)
    state = level.state
    width = len(rows[0])
    columns: list[OutputColumn] = []
    cast: list[tuple[Expr, ...]] = []
    for index in range(width):
        column = [row[index] for row in rows]
        if not resolve and all(e.type is types.UNKNOWN for e in column):
            kind, typmod, done = types.UNKNOWN, -1, tuple(column)
        else:
            kind, typmod, done = unify(state, column, "VALUES")
        fields = fields_of(state, done[0]) if kind is types.RECORD else ()
        columns.append(OutputColumn(f"column{index + 1}", kind, typmod, fields=fields))
        cast.append(done)
    relation = state.relation(tuple(columns))
    refs = [
        Target(ColumnRef(relation, i, c.name, c.type, c.typmod), c.name)
        for i, c in enumerate(columns)
    ]
    order = node.args.get("order")
    keys = () if order is None else order_keys(level, order, refs)
    limit, offset = bind_limit(level, node.args)
    return ValuesQuery(
        relation, tuple(zip(*cast, strict=True)), tuple(columns), keys, limit, offset, with_
    )


def bind_rows(
    level: Level, rows: Sequence[exp.Expr], first: Sequence[list[Expr]] = ()
) -> list[list[Expr]]:
    """The rows of VALUES, not yet of common types; behind those that are bound."""
    before, level.clause = level.clause, "VALUES"
    bound = list(first)
    for row in rows:
        items = row.expressions
        if bound and len(items) != len(bound[0]):
            raise SqlSyntaxError(
                "VALUES lists must all be the same length",
                position=position(items[0]) if items else position(row),
            )
        for item in items:
            if type(item) is exp.Var:
                raise SqlSyntaxError(
                    "DEFAULT is not allowed in this context", position=position(item)
                )
        bound.append(
            [
                bind_expr(level, item) if isinstance(item, exp.Expr) else item
                for item in spread(level, items)
            ]
        )
    level.clause = before
    return bound


def settled(level: Level, query: Query) -> Query:
    """The query with its columns that have no type made text."""
    if all(c.type is not types.UNKNOWN for c in query.columns) or not isinstance(query, Select):
        return query
    targets = tuple(Target(settle(level.state, t.expr), t.name) for t in query.targets)
    return replace(query, targets=targets, columns=output_columns(level.state, targets))
