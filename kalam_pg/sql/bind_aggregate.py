"""Binding of aggregates and window functions, and where each may stand."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp

from catalog.errors import (
    FeatureNotSupportedError,
    GroupingError,
    InvalidColumnReferenceError,
    SqlSyntaxError,
    UndefinedObjectError,
    WindowingError,
    WrongObjectTypeError,
)
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions import lookup
from kalam_pg.functions.table import Overload, Volatility
from kalam_pg.sql.alike import known
from kalam_pg.sql.bind_call import (
    AGGREGATE,
    USER_AGGREGATE,
    ambiguous_call,
    arguments,
    call_name,
    no_function,
    ordering,
)
from kalam_pg.sql.bind_expr import bind_expr, consumed, handles, unsupported
from kalam_pg.sql.bind_hypothetical import NAMES as HYPOTHETICAL
from kalam_pg.sql.bind_hypothetical import hypothetical
from kalam_pg.sql.bind_order import sort_key
from kalam_pg.sql.bind_user_aggregate import user_aggregate
from kalam_pg.sql.bind_window import bind_frame
from kalam_pg.sql.coerce import argument, settle, to_boolean
from kalam_pg.sql.overloads import Ambiguous, NotBuilt, Resolved, resolve_aggregate, resolve_window
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import (
    Aggregate,
    Expr,
    OuterAggregate,
    Select,
    SetOp,
    SortKey,
    ValuesQuery,
    Window,
)
from kalam_pg.sql.walk import Node, children, column_refs, location

_AGGREGATES_ALLOWED = frozenset(
    ("SELECT", "HAVING", "ORDER BY", "DISTINCT ON", "window definitions")
)
_ORDERED_SETS = frozenset(("percentile_cont", "percentile_disc", "mode"))
_WINDOWS_ALLOWED = frozenset(("SELECT", "ORDER BY", "DISTINCT ON"))
_PLACES = {
    "JOIN/ON": "JOIN conditions", "FROM": "functions in FROM", "WHEN": "MERGE WHEN conditions",
}  # fmt: skip


@handles(exp.Filter)
def _filter(level: Level, node: exp.Filter) -> Expr:
    return _dispatch(level, node, None)


@handles(exp.WithinGroup)
def _within(level: Level, node: exp.WithinGroup) -> Expr:
    return _dispatch(level, node, None)


@handles(exp.Window)
def _over(level: Level, node: exp.Window) -> Expr:
    return _dispatch(level, node.args["this"], node)


def _plain(level: Level, node: exp.Anonymous) -> Expr:
    return _dispatch(level, node, None)


def _plain_of_people(level: Level, node: exp.Anonymous) -> Expr | None:
    return _of_people(level, node, None, None, None)


AGGREGATE.append(_plain)
USER_AGGREGATE.append(_plain_of_people)


def _dispatch(level: Level, node: exp.Expr, over: exp.Window | None) -> Expr:
    """Take FILTER, WITHIN GROUP and OVER off the call they are around."""
    condition: exp.Expr | None = None
    within: exp.Order | None = None
    while type(node) is not exp.Anonymous:
        if type(node) is exp.Filter:
            condition = node.args["expression"].args["this"]
        elif type(node) is exp.WithinGroup:
            within = node.args["expression"]
        else:
            raise unsupported(type(node).__name__.upper(), node)
        node = node.args["this"]
    own = _of_people(level, node, condition, within, over)
    if own is not None:
        return own
    name, _ = call_name(node)
    at = position(node)
    if over is not None:
        if within is not None:
            raise FeatureNotSupportedError(
                f"OVER is not supported for ordered-set aggregate {name}", position=at
            )
        return _window(level, node, name, condition, over)
    if within is not None and name in HYPOTHETICAL:
        return _aggregate(level, node, name, condition, within)
    if not lookup.aggregates(name):
        what = "FILTER" if condition is not None else "WITHIN GROUP"
        if lookup.windows(name):
            raise WrongObjectTypeError(
                f"window function {name} requires an OVER clause", position=at
            )
        if not lookup.functions(name):
            raise no_function(name, arguments(level, node), at)
        raise WrongObjectTypeError(
            f"{what} specified, but {name} is not an aggregate function", position=at
        )
    return _aggregate(level, node, name, condition, within)


# -------------------------------------------------------------------------------- aggregates


def _aggregate(
    level: Level, node: exp.Anonymous, name: str, condition: exp.Expr | None,
    within: exp.Order | None,
) -> Expr:  # fmt: skip
    consumed(node, "this", "schema", "expressions", "distinct", "order", "variadic")
    at = position(node)
    place = _place(level, at)
    before, level.inside = level.inside, "aggregate"
    operands = _operands(level, node, name)
    order = node.args.get("order")
    keys = () if order is None else sort_keys(level, order)
    filter_ = None if condition is None else _condition(level, condition)
    if within is not None:
        keys = sort_keys(level, within)
    level.inside = before
    distinct = bool(node.args.get("distinct"))
    if within is not None and name in HYPOTHETICAL:
        result = hypothetical(level, name, operands, keys, filter_, at)
        return _of_its_level(level, result, place, at)
    found = _resolve(name, operands, keys if within is not None else (), at)
    _check_ordered_set(name, node, within=within is not None)
    overload, state = found.overload, level.state
    if overload.volatility is Volatility.VOLATILE:
        state.volatile = True
    cast = tuple(
        argument(state, e, d) for e, d in zip(operands, found.args[: len(operands)], strict=True)
    )
    if within is not None:
        declared = found.args[len(operands) :]
        keys = tuple(
            SortKey(argument(state, k.expr, d), k.descending, k.nulls_first)
            for k, d in zip(keys, declared, strict=True)
        )
    elif distinct:
        # A literal that count() takes as it is has to be compared with others.
        cast = tuple([settle(state, e) for e in cast])
        for arg in cast:
            ordering(arg.type, at)
        keys = tuple([_among_arguments(key, operands, cast) for key in keys])
    result = Aggregate(
        overload, cast, found.result, -1, at, distinct, filter_, keys, within is not None
    )
    return _of_its_level(level, result, place, at)


def _place(level: Level, at: int) -> str:
    """Where it stands, in the words of messages. Raises 42803 where no aggregate may."""
    place = _PLACES.get(level.clause, level.clause)
    if level.inside == "aggregate":
        raise GroupingError("aggregate function calls cannot be nested", position=at)
    if level.clause not in _AGGREGATES_ALLOWED and level.parent is None:
        raise GroupingError(f"aggregate functions are not allowed in {place}", position=at)
    return place


def _of_people(
    level: Level, node: exp.Anonymous, condition: exp.Expr | None, within: exp.Order | None,
    over: exp.Window | None,
) -> Expr | None:  # fmt: skip
    """The call of an aggregate that somebody made; None where it is of something else."""
    found = user_aggregate(level, node, "aggregate" if over is None else "window")
    if found is None:
        return None
    consumed(node, "this", "schema", "expressions", "distinct", "order", "variadic")
    at, aggregate = position(node), found.aggregate
    if within is not None:  # What it sorts by would be arguments.
        raise no_function(
            found.name, (*found.operands, *[k.expr for k in sort_keys(level, within)]), at
        )
    if over is not None:
        _check_window(level, node, at)
        if not found.keeps_state:
            called = f"{found.name}({','.join([kind.sql_name for kind in aggregate.args])})"
            raise FeatureNotSupportedError(
                f"aggregate function {called} does not support use as a window function",
                position=at,
            )
        made = _over_parts(level, over, aggregate, found.values, aggregate.result, condition, at)
        if found.moves and made.frame is not None and made.frame.start != "unbounded preceding":
            raise FeatureNotSupportedError(
                f"the moving form of aggregate {found.name} is not supported", position=at
            )
        return made
    place = _place(level, at)
    before, level.inside = level.inside, "aggregate"
    order = node.args.get("order")
    keys = () if order is None else sort_keys(level, order)
    filter_ = None if condition is None else _condition(level, condition)
    level.inside = before
    distinct = bool(node.args.get("distinct"))
    if distinct:
        for arg in found.values:
            ordering(arg.type, at)
        keys = tuple([_among_arguments(key, found.operands, found.values) for key in keys])
    result = Aggregate(aggregate, found.values, aggregate.result, -1, at, distinct, filter_, keys)
    return _of_its_level(level, result, place, at)


def _of_its_level(level: Level, result: Aggregate, place: str, at: int) -> Expr:
    """The aggregate, of the query whose columns it reads."""
    up = _levels_up(level, result, place, at)
    if not up:
        level.has_aggregates = True
        return result
    for inner, levels in _outer_within(result, 0):
        if levels == up:
            where = inner.aggregate.position or at
            raise GroupingError("aggregate function calls cannot be nested", position=where)
    _outer_level(level, up, at).has_aggregates = True
    return OuterAggregate(result, up, result.type, -1, at)


def _outer_within(node: Node, depth: int) -> Iterator[tuple[OuterAggregate, int]]:
    """Aggregates of queries around it, with how far out, of a node that stands in so many subqueries."""
    for child in children(node):
        if isinstance(child, OuterAggregate):
            yield child, child.up - depth
        inside = depth + isinstance(child, Select | SetOp | ValuesQuery)
        yield from _outer_within(child, inside)


def _among_arguments(key: SortKey, operands: Sequence[Expr], cast: Sequence[Expr]) -> SortKey:
    """A sort key of an aggregate with DISTINCT: an argument as written, and sorted as it is passed."""
    expr = known(key.expr, operands)
    for written, passed in zip(operands, cast, strict=True):
        if expr == (passed if written.type is types.UNKNOWN else written):
            return replace(key, expr=passed)
    raise InvalidColumnReferenceError(
        "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list",
        position=location(key.expr),
    )


def _check_ordered_set(name: str, node: exp.Anonymous, *, within: bool) -> None:
    """Only ordered-set aggregates have WITHIN GROUP, and they have no other order."""
    at = position(node)
    if within and name not in _ORDERED_SETS:
        raise WrongObjectTypeError(
            f"{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP", position=at
        )
    if not within and name in _ORDERED_SETS:
        raise WrongObjectTypeError(
            f"WITHIN GROUP is required for ordered-set aggregate {name}", position=at
        )
    if within and node.args.get("distinct"):
        raise SqlSyntaxError("cannot use DISTINCT with WITHIN GROUP", position=at)
    if within and node.args.get("order") is not None:
        raise SqlSyntaxError("cannot use multiple ORDER BY clauses with WITHIN GROUP", position=at)


def _operands(level: Level, node: exp.Anonymous, name: str) -> tuple[Expr, ...]:
    items = node.expressions
    if items and type(items[0]) is exp.Star:
        return ()
    if not items and any(not o.args for o in lookup.aggregates(name)):
        raise WrongObjectTypeError(
            f"{name}(*) must be used to call a parameterless aggregate function",
            position=position(node),
        )
    return arguments(level, node)


def _resolve(name: str, operands: tuple[Expr, ...], keys: tuple[SortKey, ...], at: int) -> Resolved:
    every = (*operands, *(k.expr for k in keys))
    try:
        found = resolve_aggregate(name, tuple(e.type for e in every))
    except Ambiguous:
        raise ambiguous_call(name, every, at) from None
    except NotBuilt as missing:
        raise unsupported(f"function {missing}", at=at) from None
    if found is None:
        raise no_function(name, every, at)
    return found


def _levels_up(level: Level, aggregate: Aggregate, place: str, at: int) -> int:
    """How far out the query is that an aggregate belongs to: the innermost whose columns it reads."""
    if level.parent is None:
        return 0
    given = level.state.arguments
    direct = aggregate.args if aggregate.within_group else ()
    body = replace(aggregate, args=()) if direct else aggregate
    refs = [up for up, ref in column_refs(body) if ref.relation not in given]
    up = min([up for up in refs if up >= 0], default=0)
    for arg in direct:
        for lower, ref in column_refs(arg):
            if 0 <= lower < up:
                raise GroupingError(
                    "outer-level aggregate cannot contain a lower-level variable in its direct "
                    "arguments",
                    position=ref.position,
                )
    if not up and level.clause not in _AGGREGATES_ALLOWED:
        raise GroupingError(f"aggregate functions are not allowed in {place}", position=at)
    return up


def _outer_level(level: Level, up: int, at: int) -> Level:
    """The level of that query. Raises 42803: no aggregate may stand there."""
    outer = next(found for n, found in level.levels() if n == up)
    if "aggregate" in (outer.inside, outer.suspended):
        raise GroupingError("aggregate function calls cannot be nested", position=at)
    if outer.clause not in _AGGREGATES_ALLOWED:
        place = _PLACES.get(outer.clause, outer.clause)
        raise GroupingError(f"aggregate functions are not allowed in {place}", position=at)
    return outer


def _condition(level: Level, node: exp.Expr) -> Expr:
    before, level.clause = level.clause, "FILTER"
    inside, level.inside = level.inside, ""
    result = to_boolean(level.state, bind_expr(level, node), "FILTER")
    level.clause, level.inside = before, inside
    return result


def sort_keys(level: Level, order: exp.Order) -> tuple[SortKey, ...]:
    """ORDER BY of an aggregate or a window: expressions only, no ordinals or output names."""
    keys = []
    for item in order.expressions:
        expr = settle(level.state, bind_expr(level, item.args["this"]))
        keys.append(sort_key(item, expr))
    return tuple(keys)


# ----------------------------------------------------------------------------------- windows


def _check_window(level: Level, node: exp.Anonymous, at: int) -> None:
    """Raise where no window function may stand, or has what it may not have."""
    if level.inside == "aggregate":
        raise GroupingError(
            "aggregate function calls cannot contain window function calls", position=at
        )
    if level.inside == "window":
        raise WindowingError("window function calls cannot be nested", position=at)
    if level.clause not in _WINDOWS_ALLOWED:
        place = _PLACES.get(level.clause, level.clause)
        raise WindowingError(f"window functions are not allowed in {place}", position=at)
    for flag, word in (("distinct", "DISTINCT"), ("order", "aggregate ORDER BY")):
        if node.args.get(flag):
            raise FeatureNotSupportedError(
                f"{word} is not implemented for window functions", position=at
            )


def _window(
    level: Level, node: exp.Anonymous, name: str, condition: exp.Expr | None, over: exp.Window
) -> Expr:
    at, state = position(node), level.state
    _check_window(level, node, at)
    is_aggregate = bool(lookup.aggregates(name)) and not lookup.windows(name)
    before, level.inside = level.inside, "window"
    operands = _operands(level, node, name) if is_aggregate else arguments(level, node)
    level.inside = before
    kinds = tuple(e.type for e in operands)
    try:
        found = (resolve_aggregate if is_aggregate else resolve_window)(name, kinds)
    except Ambiguous:
        raise ambiguous_call(name, operands, at) from None
    if found is None:
        if lookup.functions(name):
            raise WrongObjectTypeError(
                f"OVER specified, but {name} is not a window function nor an aggregate function",
                position=at,
            )
        raise no_function(name, operands, at)
    if condition is not None and not is_aggregate:
        raise FeatureNotSupportedError(
            "FILTER is not implemented for non-aggregate window functions", position=at
        )
    cast = tuple(argument(state, e, d) for e, d in zip(operands, found.args, strict=True))
    return _over_parts(level, over, found.overload, cast, found.result, condition, at)


def _over_parts(
    level: Level, over: exp.Window, overload: Overload, cast: tuple[Expr, ...], kind: PgType,
    condition: exp.Expr | None, at: int,
) -> Window:  # fmt: skip
    """The call with FILTER and what stands in OVER."""
    state = level.state
    filter_ = None if condition is None else _condition(level, condition)
    parts = _definition(level, over)
    before_clause, level.clause = level.clause, "window definitions"
    inside, level.inside = level.inside, ""
    partition = tuple(settle(state, bind_expr(level, e)) for e in parts["partition_by"])
    for expr in partition:
        ordering(expr.type, at)
    keys = () if parts["order"] is None else sort_keys(level, parts["order"])
    frame = None if parts["spec"] is None else bind_frame(level, parts["spec"], keys)
    level.clause, level.inside = before_clause, inside
    level.has_windows = True
    return Window(overload, cast, kind, -1, at, partition, keys, frame, filter_)


def _definition(level: Level, over: exp.Window) -> dict[str, Any]:
    """PARTITION BY, ORDER BY and frame, with those of the named window it starts from."""
    args = over.args
    own: dict[str, Any] = {
        "partition_by": args.get("partition_by") or [],
        "order": args.get("order"),
        "spec": args.get("spec"),
    }
    alias = args.get("alias")
    if alias is None:
        return own
    name = alias.name
    base_node = level.windows.get(name)
    if base_node is None:
        raise UndefinedObjectError(f'window "{name}" does not exist', position=position(alias))
    assert isinstance(base_node, exp.Window)
    base = _definition(level, base_node)
    if own["partition_by"]:
        raise WindowingError(
            f'cannot override PARTITION BY clause of window "{name}"', position=position(alias)
        )
    if own["order"] is not None and base["order"] is not None:
        raise WindowingError(
            f'cannot override ORDER BY clause of window "{name}"', position=position(alias)
        )
    if base["spec"] is not None and (own["order"] is not None or own["spec"] is not None):
        raise WindowingError(
            f'cannot copy window "{name}" because it has a frame clause', position=position(alias)
        )
    return {
        "partition_by": base["partition_by"],
        "order": own["order"] or base["order"],
        "spec": own["spec"] or base["spec"],
    }
