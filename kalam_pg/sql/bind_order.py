"""ORDER BY, GROUP BY, DISTINCT and LIMIT: which column or expression an item means."""

from collections.abc import Sequence

from sqlglot import exp

from catalog.errors import (
    AmbiguousColumnError,
    GroupingError,
    InvalidColumnReferenceError,
    SqlSyntaxError,
    WindowingError,
    WrongObjectTypeError,
)
from catalog.types import registry as types
from kalam_pg.sql.alike import known
from kalam_pg.sql.bind_call import equality, ordering
from kalam_pg.sql.bind_expr import bind_expr, consumed, no_operator
from kalam_pg.sql.coerce import settle, to_bigint
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Level, resolve_column
from kalam_pg.sql.tree import (
    Aggregate,
    Expr,
    OuterAggregate,
    Select,
    SetOp,
    SortKey,
    Target,
    ValuesQuery,
    Window,
    WithTies,
)
from kalam_pg.sql.walk import Node, children, column_refs, location


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
        bound = to_bigint(level.state, bind_expr(level, clause.args["expression"]), name)
        level.clause = before
        for up, ref in column_refs(bound):
            if up == 0:
                raise InvalidColumnReferenceError(
                    f"argument of {name} must not contain variables", position=ref.position
                )
        if clause.meta.get("ties"):
            _check_ties(args, clause)
            bound = WithTies(bound, bound.type, bound.typmod, bound.position)
        found.append(bound)
    return found[0], found[1]


def _check_ties(args: dict[str, object], clause: exp.Expr) -> None:
    if args.get("order") is None:
        raise SqlSyntaxError("WITH TIES cannot be specified without ORDER BY clause")
    locks = args.get("locks")
    if isinstance(locks, list) and any(lock.args.get("wait") is False for lock in locks):
        raise SqlSyntaxError("SKIP LOCKED and WITH TIES options cannot be used together")


def order_keys(level: Level, order: exp.Order, targets: list[Target]) -> tuple[SortKey, ...]:
    """ORDER BY of a query: output names, ordinals or expressions."""
    keys = []
    for item in order.expressions:
        consumed(item, "this", "desc", "nulls_first")
        node = item.args["this"]
        expr = _by_output(level, node, targets, "ORDER BY")
        if expr is None:
            before, level.clause = level.clause, "ORDER BY"
            expr = settle(level.state, bind_expr(level, node))
            expr = known(expr, [target.expr for target in targets])
            level.clause = before
        keys.append(sort_key(item, expr))
    return tuple(keys)


def sort_key(item: exp.Expr, expr: Expr) -> SortKey:
    """One item of ORDER BY, its expression being bound. Raises 42883, 42809: it has no such order."""
    ordering(expr.type, position(item.args["this"]))
    symbol, at = item.meta.get("using", ("<", 0))
    if symbol not in _SORTING:
        raise WrongObjectTypeError(
            f"operator {symbol} is not a valid ordering operator",
            hint='Ordering operators must be "<" or ">" members of btree operator families.',
            position=at,
        )
    if symbol in {"~<~", "~>~"} and expr.type.category != "S":
        raise no_operator(symbol, (expr.type, expr.type), at)
    return SortKey(expr, bool(item.args.get("desc")), bool(item.args.get("nulls_first")))


_SORTING = frozenset({"<", ">", "~<~", "~>~"})
"""What USING may name; a text's pattern operators compare as its own do: by bytes."""


def group_item(level: Level, node: exp.Expr, targets: list[Target]) -> tuple[Expr, int | None]:
    """What one GROUP BY item means: a column of FROM, else an output column, else an expression.

    And which output column it is: the one that is named or numbered, else the first that is equal.
    """
    expr: Expr | None = None
    place: int | None = None
    if not (is_bare_name(node) and resolve_column(level, node.args["this"].name, 0) is not None):
        # A column of FROM has precedence over an output name here; an output name over none.
        place = output_place(level, node, targets, "GROUP BY")
    if place is not None:
        expr = settle_target(level, targets, place)
    if expr is None:
        before, level.clause = level.clause, "GROUP BY"
        expr = settle(level.state, bind_expr(level, node))
        level.clause = before
        place = next((n for n, t in enumerate(targets) if t.expr == expr), None)
    elif level.has_aggregates or level.has_windows:
        _check_no_aggregate(expr, position(node))
    equality(expr.type, position(node))
    return expr, place


def _check_no_aggregate(node: Node, at: int, depth: int = 0) -> None:
    """Raise 42803, 42P20 for what is of the groups themselves; subqueries have their own."""
    own = isinstance(node, Aggregate) and not depth
    if own or (isinstance(node, OuterAggregate) and node.up == depth):
        where = location(node) or at
        raise GroupingError("aggregate functions are not allowed in GROUP BY", position=where)
    if isinstance(node, Window) and not depth:
        where = location(node) or at
        raise WindowingError("window functions are not allowed in GROUP BY", position=where)
    inside = depth + isinstance(node, Select | SetOp | ValuesQuery)
    for child in children(node):
        _check_no_aggregate(child, at, inside)


def is_bare_name(node: exp.Expr) -> bool:
    """Whether it is a name without a relation's before it."""
    return (
        type(node) is exp.Column
        and node.args.get("table") is None
        and type(node.args["this"]) is not exp.Star
    )


def settle_target(level: Level, targets: list[Target], index: int) -> Expr:
    """A target's expression, made text there if it still has no type."""
    target = targets[index]
    if target.expr.type is not types.UNKNOWN:
        return target.expr
    expr = settle(level.state, target.expr)
    targets[index] = Target(expr, target.name)
    return expr


def _by_output(level: Level, node: exp.Expr, targets: list[Target], clause: str) -> Expr | None:
    """The output column that a bare name or an ordinal means (SQL92 rules), or None."""
    place = output_place(level, node, targets, clause)
    return None if place is None else settle_target(level, targets, place)


def output_place(level: Level, node: exp.Expr, targets: list[Target], clause: str) -> int | None:
    """Which output column a bare name or an ordinal means."""
    at = position(node)
    if is_bare_name(node):
        name = node.args["this"].args["this"]
        found: int | None = None
        for index, target in enumerate(targets):
            if target.name == name:
                if found is None:
                    found = index
                elif settle_target(level, targets, found) != settle_target(level, targets, index):
                    raise AmbiguousColumnError(f'{clause} "{name}" is ambiguous', position=at)
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
        return index - 1
    if type(node) in (exp.Null, exp.Boolean):
        raise SqlSyntaxError(f"non-integer constant in {clause}", position=at)
    return None


def distinct_exprs(
    level: Level, distinct: exp.Expr, targets: list[Target], keys: Sequence[SortKey]
) -> tuple[Expr, ...]:
    """DISTINCT ON's expressions, () for plain DISTINCT; they must lead ORDER BY."""
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
            expr = known(expr, [*[t.expr for t in targets], *[k.expr for k in keys]])
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


def check_distinct(
    level: Level, targets: list[Target], keys: Sequence[SortKey], on: Sequence[Expr]
) -> None:
    """Refuse a plain DISTINCT that is ordered by what it does not show."""
    if on:
        return
    shown = [settle_target(level, targets, index) for index in range(len(targets))]
    for expr in shown:
        equality(expr.type, location(expr))
    for key in keys:
        if key.expr not in shown:
            raise InvalidColumnReferenceError(
                "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
                position=location(key.expr),
            )
