"""Analysed calls of functions."""

from collections.abc import Sequence

from sqlglot import exp

from catalog.types import registry as types
from kalam_pg.functions import lookup
from kalam_pg.functions.argument_names import argument_names
from kalam_pg.functions.table import Overload, OverloadKind
from kalam_pg.functions.user_ranges import CONSTRUCTORS
from kalam_pg.sql import analysed as a
from kalam_pg.sql import tree
from kalam_pg.sql.analyse import Analysis, Unshown, cast
from kalam_pg.sql.analyse_expr import (
    analyse,
    passed,
    shows,
    typed,
    unified,
)
from kalam_pg.sql.analyse_names import people_name, system_name
from kalam_pg.sql.analyse_windows import aggregate_call
from kalam_pg.sql.deparse import quote_identifier
from kalam_pg.sql.function_call import Called
from kalam_pg.sql.positions import position

# ------------------------------------------------------------------ calls
from kalam_pg.sql.type_text import type_text
from kalam_pg.sql.user_aggregates import UserAggregate


@shows(exp.Anonymous)
def _call(an: Analysis, node: exp.Anonymous) -> a.Node:
    bound = an.trace.bound(node)
    name = node.args["this"]
    name = name if type(name) is str else name.name
    inner = bound.aggregate if isinstance(bound, tree.OuterAggregate) else bound
    if isinstance(inner, tree.Aggregate | tree.Window):
        # Of an aggregate that somebody made the binder calls the functions, where the aggregate stands.
        return aggregate_call(an, node)
    called = an.trace.calls.get(position(node))
    if isinstance(called, Called) and called.function.name == name:
        return _of_people(an, node, called)
    if bound is None:
        raise Unshown("call")
    if node.meta.get("keyword"):
        return _words(name, node)
    match bound:
        case tree.Coalesce() | tree.MinMax() | tree.NullIf() | tree.Grouping():
            return _listed(an, name, node, bound)
        case tree.OuterAggregate(aggregate=tree.Grouping() as inner):
            return _listed(an, name, node, inner)
        case tree.Call(overload) if not isinstance(overload, UserAggregate):
            return _built_in(an, name, node, bound)
        case _:
            raise Unshown("call")


def _words(name: str, node: exp.Anonymous) -> a.Node:
    digits = f"({node.expressions[0].name})" if node.expressions else ""
    return a.Words(name.upper() + digits, call=True)


def _listed(an: Analysis, name: str, node: exp.Anonymous, bound: tree.Expr) -> a.Node:
    if isinstance(bound, tree.Grouping):
        return a.Listed("GROUPING", tuple([analyse(an, e) for e in node.expressions]))
    if isinstance(bound, tree.NullIf):
        kinds = [bound.left.type, bound.right.type]
        args = [passed(an, e, k) for e, k in zip(node.expressions, kinds, strict=True)]
        return a.Listed("NULLIF", tuple(args))
    return a.Listed(name.upper(), tuple(unified(an, node.expressions, bound.type)))


def _built_in(an: Analysis, name: str, node: exp.Anonymous, bound: tree.Call) -> a.Node:
    overload, nodes = bound.overload, node.expressions
    if overload.kind is OverloadKind.CAST and len(nodes) == 1:
        made = cast(analyse(an, nodes[0]), bound.args[0].type, bound.type)
        return a.Func(quote_identifier(name), (made.arg,)) if made.by_function else made
    if overload.name in CONSTRUCTORS and len(nodes) == len(bound.args) - 1:
        pairs = zip(nodes, bound.args[1:], strict=True)
        named = type_text(bound.type, -1, an.search_path)
        return a.Func(named, tuple([passed(an, e, x.type) for e, x in pairs]))
    if overload.name.removeprefix(lookup.SPREAD) != name:
        raise Unshown("call")
    syntax = ""
    if node.meta.get("syntax"):
        syntax = name
        if name == "substring" and len(nodes) == 3 and bound.args[1].type is types.TEXT:
            syntax = "similar"
        elif name == "substring" and bound.args[1].type is not types.INT4:
            syntax = ""
    shown = system_name(an, name, node)
    if any(type(item) is exp.Kwarg for item in nodes):
        return _by_name(an, shown, name, nodes, bound)
    if overload.name.startswith(lookup.SPREAD) or not overload.variadic:
        if len(nodes) != len(bound.args):
            raise Unshown("call")
        args = [passed(an, e, x.type) for e, x in zip(nodes, bound.args, strict=True)]
        return a.Func(shown, tuple(args), variadic=bool(node.args.get("variadic")), syntax=syntax)
    return _variadic(an, shown, node, bound, overload)


def _by_name(
    an: Analysis, shown: str, name: str, nodes: Sequence[exp.Expr], bound: tree.Call
) -> a.Node:
    """A call with arguments that are given by name, in the order in which they were written."""
    places = {argument.name: at for at, argument in enumerate(argument_names(name))}
    args: list[a.Node] = []
    names: list[str] = []
    for at, item in enumerate(nodes):
        given = item.args["this"].name if type(item) is exp.Kwarg else ""
        inner = item.args["expression"] if given else item
        args.append(typed(an, inner, bound.args[places[given] if given else at].type))
        names.append(given)
    return a.Func(shown, tuple(args), tuple(names))


def _variadic(
    an: Analysis, shown: str, node: exp.Anonymous, bound: tree.Call, overload: Overload
) -> a.Node:
    nodes = node.expressions
    if node.args.get("variadic") or len(nodes) != len(bound.args):
        raise Unshown("variadic")
    if overload.args[-1] is types.ANY:
        args = [typed(an, e, x.type) for e, x in zip(nodes, bound.args, strict=True)]
        return a.Func(shown, tuple(args))
    args = [passed(an, e, x.type) for e, x in zip(nodes, bound.args, strict=True)]
    first = len(overload.args) - 1
    kind = types.array_of(bound.args[-1].type)
    if (
        kind is None
        or len(overload.args) > len(nodes)
        or any(x.type is not bound.args[-1].type for x in bound.args[first:])
    ):
        raise Unshown("variadic")
    array = a.ArrayOf(tuple(args[first:]), kind)
    return a.Func(shown, (*args[:first], array), variadic=True)


def _of_people(an: Analysis, node: exp.Anonymous, called: Called) -> a.Node:
    function, chosen = called.function, called.chosen
    if len(node.expressions) != len(chosen.types):
        raise Unshown("call")
    args: list[a.Node] = []
    names: list[str] = []
    for item, kind in zip(node.expressions, chosen.types, strict=True):
        named = type(item) is exp.Kwarg
        args.append(typed(an, item.args["expression"] if named else item, kind))
        names.append(item.args["this"].name if named else "")
    variadic = bool(node.args.get("variadic"))
    if chosen.packed:
        first = len(function.inputs) - 1
        kind = chosen.inputs[first]
        args[first:] = [a.ArrayOf(tuple(args[first:]), kind)]
        names, variadic = names[: first + 1], True
    return a.Func(
        people_name(an, function.namespace, function.name), tuple(args),
        tuple(names) if any(names) else (), variadic,
    )  # fmt: skip
