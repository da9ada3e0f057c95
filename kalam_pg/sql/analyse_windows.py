"""Analysed calls of aggregates and window functions, with what stands behind them."""

from sqlglot import exp

from catalog.types import registry as types
from kalam_pg.sql import analysed as a
from kalam_pg.sql import tree
from kalam_pg.sql.analyse import Analysis, Unshown
from kalam_pg.sql.analyse_expr import (
    passed,
    settled,
    shows,
    typed,
)
from kalam_pg.sql.analyse_names import people_name
from kalam_pg.sql.bind_window import RANGE_OFFSETS
from kalam_pg.sql.deparse import quote_identifier
from kalam_pg.sql.user_aggregates import UserAggregate


@shows(exp.Filter, exp.WithinGroup, exp.Window)
def aggregate_call(an: Analysis, node: exp.Expr) -> a.Node:
    """An aggregate or a window function, with what stands behind it."""
    bound = an.bound(node)
    over: exp.Expr | None = None
    condition: exp.Expr | None = None
    within: exp.Expr | None = None
    call = node
    while type(call) is not exp.Anonymous:
        if type(call) is exp.Window:
            over = call
        elif type(call) is exp.Filter:
            condition = call.args["expression"].args["this"]
        elif type(call) is exp.WithinGroup:
            within = call.args["expression"]
        call = call.args["this"]
    if isinstance(bound, tree.OuterAggregate):
        bound = bound.aggregate
    if not isinstance(bound, tree.Aggregate | tree.Window) or call.args.get("variadic"):
        raise Unshown("aggregate")
    overload = bound.overload
    if isinstance(overload, UserAggregate):
        name = people_name(an, *overload.name.split(".", 1))
    else:
        name = call.args["this"]
        name = quote_identifier(name if type(name) is str else name.name)
    star = bool(call.expressions) and type(call.expressions[0]) is exp.Star
    nodes = [] if star else call.expressions
    if len(nodes) != len(bound.args):
        raise Unshown("aggregate")
    args = [passed(an, e, x.type) for e, x in zip(nodes, bound.args, strict=True)]
    order = within or call.args.get("order")
    keys = bound.order_by if isinstance(bound, tree.Aggregate) else ()
    items: tuple[a.SortItem, ...] = ()
    if order is not None:
        items = tuple([
            a.SortItem(typed(an, item.args["this"], key.expr.type), suffix(item))
            for item, key in zip(order.expressions, keys, strict=True)
        ])  # fmt: skip
    bare = star or (not nodes and within is None and over is None)
    return a.AggregateOf(
        name, tuple(args), bare, bool(call.args.get("distinct")), items,
        within is not None, None if condition is None else typed(an, condition, types.BOOL),
        over=None if over is None else _over(an, over, bound),
    )  # fmt: skip


def suffix(item: exp.Expr) -> str:
    """What stands behind an item of ORDER BY."""
    descending, first = bool(item.args.get("desc")), bool(item.args.get("nulls_first"))
    using = item.meta.get("using", ("", 0))[0]
    if using in ("~<~", "~>~"):
        return f" USING {using} NULLS {'FIRST' if first else 'LAST'}"
    if descending:
        return " DESC" if first else " DESC NULLS LAST"
    return " NULLS FIRST" if first else ""


def _over(an: Analysis, over: exp.Expr, bound: tree.Expr) -> str | a.WindowSpec:
    assert isinstance(bound, tree.Window)
    alias = over.args.get("alias")
    plain = not any(over.args.get(key) for key in ("partition_by", "order", "spec"))
    if alias is not None and plain and not over.meta.get("parenthesised"):
        return str(alias.name)
    return window_spec(an, over)


def window_spec(an: Analysis, over: exp.Expr) -> a.WindowSpec:
    """What stands in the parentheses of a window's definition."""
    alias, order, spec = (over.args.get(key) for key in ("alias", "order", "spec"))
    items: tuple[a.SortItem, ...] = ()
    if order is not None:
        items = tuple(
            [a.SortItem(settled(an, i.args["this"]), suffix(i)) for i in order.expressions]
        )
    partition = tuple([settled(an, e) for e in over.args.get("partition_by") or ()])
    frame: list[str | a.Node] = []
    if spec is not None:
        frame = _frame(an, spec, order)
    return a.WindowSpec("" if alias is None else alias.name, partition, items, tuple(frame))


def _frame(an: Analysis, spec: exp.Expr, order: exp.Expr | None) -> list[str | a.Node]:
    mode = str(spec.args["kind"])
    parts: list[str | a.Node] = [mode]
    between = bool(spec.meta.get("between"))

    def bound(which: str) -> None:
        value, side = spec.args.get(which), spec.args.get(f"{which}_side")
        if isinstance(value, exp.Expr):
            own = an.bound(value).type
            if own is types.UNKNOWN and mode == "RANGE":
                parts.append(_range_offset(an, value, order))
            else:
                parts.append(typed(an, value, own if mode == "RANGE" else types.INT8))
            parts.append(str(side))
        else:
            parts.append("CURRENT ROW" if value in (None, "CURRENT ROW") else f"UNBOUNDED {side}")

    if between:
        parts.append("BETWEEN")
    bound("start")
    if between:
        parts.append("AND")
        bound("end")
    exclude = spec.args.get("exclude")
    if exclude is not None and str(exclude.name).upper() != "NO OTHERS":
        parts.append(f"EXCLUDE {str(exclude.name).upper()}")
    whole = parts == ["RANGE", "UNBOUNDED PRECEDING"]
    return parts if not whole or spec.meta.get("start") is not None else []


def _range_offset(an: Analysis, value: exp.Expr, order: exp.Expr | None) -> a.Node:
    if order is None:
        raise Unshown("frame")
    kind = RANGE_OFFSETS.get(an.bound(order.expressions[0].args["this"]).type)
    if kind is None:
        raise Unshown("frame")
    return typed(an, value, kind)
