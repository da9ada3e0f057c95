"""Binding of queries: SELECT, VALUES, set operations and WITH."""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from catalog.errors import (
    AmbiguousColumnError,
    FeatureNotSupportedError,
    InvalidColumnReferenceError,
    SqlSyntaxError,
)
from catalog.types import registry as types
from kalam_pg.sql.bind_call import ordering
from kalam_pg.sql.bind_expr import bind_condition, bind_expr, consumed, unsupported
from kalam_pg.sql.bind_from import BIND_QUERY, bind_from
from kalam_pg.sql.bind_group import bind_group, check_grouped
from kalam_pg.sql.bind_setop import bind_set_operation
from kalam_pg.sql.bind_targets import bind_targets, output_columns
from kalam_pg.sql.bind_with import bind_with
from kalam_pg.sql.coerce import settle, to_bigint, unify
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Level, resolve_column
from kalam_pg.sql.tree import (
    ColumnRef,
    Cte,
    Expr,
    OutputColumn,
    Query,
    Select,
    SortKey,
    Target,
    ValuesQuery,
)
from kalam_pg.sql.walk import column_refs


def bind_query(parent: Level, node: exp.Expr, *, resolve: bool = True) -> Query:
    """A query one level below `parent`. With `resolve`, columns without a type become text."""
    level = Level(parent.state, parent)
    return query_at(level, node, resolve=resolve)


BIND_QUERY.append(bind_query)


def query_at(level: Level, node: exp.Expr, *, resolve: bool = True) -> Query:
    """A query whose own level is `level`."""
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
    targets = bind_targets(level, node.expressions, resolve=resolve)
    where = args.get("where")
    condition = None if where is None else bind_condition(level, where.args["this"], "WHERE")
    having = args.get("having")
    kept = None if having is None else bind_condition(level, having.args["this"], "HAVING")
    order = args.get("order")
    keys = () if order is None else _order(level, order, targets)
    group = args.get("group")
    group_by: tuple[Expr, ...] = ()
    sets: tuple[tuple[int, ...], ...] = ()
    if group is not None:
        consumed(group, "expressions", "distinct")
        group_by, sets = bind_group(group, lambda item: _group_item(level, item, targets))
    distinct = args.get("distinct")
    distinct_on = () if distinct is None else _distinct_on(level, distinct, targets, keys)
    if distinct is not None:
        _check_distinct(node, targets, keys, distinct_on)
    limit, offset = bind_limit(level, args)
    grouped = level.has_aggregates or group is not None or having is not None
    if grouped:
        check_grouped(
            level,
            [*(t.expr for t in targets), *([kept] if kept is not None else []),
             *(k.expr for k in keys), *distinct_on],
            group_by,
        )  # fmt: skip
    return Select(
        tuple(targets), output_columns(state, targets), items, condition, grouped, group_by, sets,
        kept, distinct is not None and not distinct_on, distinct_on, keys, limit, offset,
        _locking(node, grouped=grouped, distinct=distinct is not None) if args.get("locks") else "",
        with_,
    )  # fmt: skip


def _window_twice(name: str, node: exp.Expr) -> Exception:
    from catalog.errors import WindowingError

    return WindowingError(f'window "{name}" is already defined', position=position(node))


def bind_limit(level: Level, args: dict[str, object]) -> tuple[Expr | None, Expr | None]:
    """LIMIT and OFFSET: bigint expressions without columns."""
    found: list[Expr | None] = []
    for key, name in (("limit", "LIMIT"), ("offset", "OFFSET")):
        clause = args.get(key)
        if clause is None:
            found.append(None)
            continue
        assert isinstance(clause, exp.Expr)
        consumed(clause, "expression")
        before, level.clause = level.clause, name
        items, level.items = level.items, []
        hidden, level.hidden = level.hidden, [*level.hidden, *items]
        bound = to_bigint(level.state, bind_expr(level, clause.args["expression"]), name)
        level.clause, level.items, level.hidden = before, items, hidden
        if any(up == 0 for up, _ in column_refs(bound)):
            raise InvalidColumnReferenceError(f"argument of {name} must not contain variables")
        found.append(bound)
    return found[0], found[1]


def _locking(node: exp.Expr, *, grouped: bool, distinct: bool) -> str:
    words: list[str] = []
    for lock in node.args["locks"]:
        strength = str(lock.meta.get("strength") or "UPDATE").upper()
        strength = strength if strength.startswith("FOR ") else f"FOR {strength}"
        for refused, what in ((distinct, "DISTINCT clause"), (grouped, "GROUP BY clause")):
            if refused:
                raise FeatureNotSupportedError(
                    f"{strength} is not allowed with {what}", position=position(lock)
                )
        wait = lock.args.get("wait")
        suffix = {True: " NOWAIT", False: " SKIP LOCKED", None: ""}[wait]
        words.append(strength + suffix)
    return words[-1]


# ------------------------------------------------------- ORDER BY, GROUP BY, DISTINCT: which column


def _order(level: Level, order: exp.Order, targets: Sequence[Target]) -> tuple[SortKey, ...]:
    keys = []
    for item in order.expressions:
        consumed(item, "this", "desc", "nulls_first")
        node = item.args["this"]
        expr = _by_output(level, node, targets, "ORDER BY")
        if expr is None:
            before, level.clause = level.clause, "ORDER BY"
            expr = settle(level.state, bind_expr(level, node))
            level.clause = before
        ordering(expr.type, position(node))
        keys.append(SortKey(expr, bool(item.args.get("desc")), bool(item.args.get("nulls_first"))))
    return tuple(keys)


def _group_item(level: Level, node: exp.Expr, targets: Sequence[Target]) -> Expr:
    expr: Expr | None = None
    if not (_bare_name(node) and resolve_column(level, node.args["this"].name, 0) is not None):
        # A column of FROM has precedence over an output name here; an output name over none.
        expr = _by_output(level, node, targets, "GROUP BY")
    if expr is None:
        before, level.clause = level.clause, "GROUP BY"
        expr = settle(level.state, bind_expr(level, node))
        level.clause = before
    elif level.has_aggregates or level.has_windows:
        _check_no_aggregate(expr, position(node))
    ordering(expr.type, position(node))
    return expr


def _check_no_aggregate(expr: Expr, at: int) -> None:
    from catalog.errors import GroupingError, WindowingError
    from kalam_pg.sql.tree import Aggregate, Window
    from kalam_pg.sql.walk import walk

    for node in walk(expr):
        if isinstance(node, Aggregate):
            raise GroupingError("aggregate functions are not allowed in GROUP BY", position=at)
        if isinstance(node, Window):
            raise WindowingError("window functions are not allowed in GROUP BY", position=at)


def _bare_name(node: exp.Expr) -> bool:
    return (
        type(node) is exp.Column
        and node.args.get("table") is None
        and type(node.args["this"]) is not exp.Star
    )


def _by_output(level: Level, node: exp.Expr, targets: Sequence[Target], clause: str) -> Expr | None:
    """The output column that a bare name or an ordinal means (SQL92 rules), or None."""
    at = position(node)
    if _bare_name(node):
        name = node.args["this"].args["this"]
        found: Expr | None = None
        for target in targets:
            if target.name == name:
                if found is not None and found != target.expr:
                    raise AmbiguousColumnError(f'{clause} "{name}" is ambiguous', position=at)
                found = target.expr
        return found
    if type(node) is exp.Literal:
        text = node.args["this"]
        if node.args["is_string"] or not text.isdigit():
            raise SqlSyntaxError(f"non-integer constant in {clause}", position=at)
        index = int(text)
        if not 1 <= index <= len(targets):
            raise InvalidColumnReferenceError(
                f"{clause} position {index} is not in select list", position=at
            )
        return targets[index - 1].expr
    if type(node) in (exp.Null, exp.Boolean):
        raise SqlSyntaxError(f"non-integer constant in {clause}", position=at)
    return None


def _distinct_on(
    level: Level, distinct: exp.Expr, targets: Sequence[Target], keys: Sequence[SortKey]
) -> tuple[Expr, ...]:
    consumed(distinct, "on")
    on = distinct.args.get("on")
    if on is None:
        return ()
    exprs: list[Expr] = []
    for node in on.expressions:
        expr = _by_output(level, node, targets, "DISTINCT ON")
        if expr is None:
            before, level.clause = level.clause, "DISTINCT ON"
            expr = settle(level.state, bind_expr(level, node))
            level.clause = before
        ordering(expr.type, position(node))
        if expr not in exprs:
            exprs.append(expr)
    lead = [k.expr for k in keys[: len(exprs)]]
    if any(e not in exprs for e in lead):
        raise InvalidColumnReferenceError(
            "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
            position=position(on.expressions[0]),
        )
    return tuple(exprs)


def _check_distinct(
    node: exp.Expr, targets: Sequence[Target], keys: Sequence[SortKey], on: Sequence[Expr]
) -> None:
    if on:
        return
    shown = [t.expr for t in targets]
    for expr in shown:
        ordering(expr.type, position(node))
    for key in keys:
        if key.expr not in shown:
            raise InvalidColumnReferenceError(
                "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
                position=getattr(key.expr, "position", 0),
            )


# ------------------------------------------------------------------------------------- VALUES


def _values(level: Level, node: exp.Expr, with_: tuple[Cte, ...], *, resolve: bool) -> ValuesQuery:
    consumed(node, "with_", "expressions", "order", "limit", "offset")
    rows = bind_rows(level, node.expressions)
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
        columns.append(OutputColumn(f"column{index + 1}", kind, typmod))
        cast.append(done)
    relation = state.relation(tuple(columns))
    refs = [
        Target(ColumnRef(relation, i, c.name, c.type, c.typmod), c.name)
        for i, c in enumerate(columns)
    ]
    order = node.args.get("order")
    keys = () if order is None else _order(level, order, refs)
    limit, offset = bind_limit(level, node.args)
    return ValuesQuery(
        relation, tuple(zip(*cast, strict=True)), tuple(columns), keys, limit, offset, with_
    )


def bind_rows(level: Level, rows: Sequence[exp.Expr]) -> list[list[Expr]]:
    """The rows of VALUES, not yet of common types."""
    before, level.clause = level.clause, "VALUES"
    bound: list[list[Expr]] = []
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
        bound.append([bind_expr(level, item) for item in items])
    level.clause = before
    return bound


def settled(level: Level, query: Query) -> Query:
    """The query with its columns that have no type made text."""
    if all(c.type is not types.UNKNOWN for c in query.columns) or not isinstance(query, Select):
        return query
    targets = tuple(Target(settle(level.state, t.expr), t.name) for t in query.targets)
    return replace(query, targets=targets, columns=output_columns(level.state, targets))
