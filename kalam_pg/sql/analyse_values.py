"""Analysed casts, CASE, rows, arrays, fields and subqueries."""

from sqlglot import exp

from catalog.types import registry as types
from catalog.types.composite import composite_of
from catalog.types.domain import DomainDefinition
from catalog.types.table import PgType
from kalam_pg.sql import analysed as a
from kalam_pg.sql import tree
from kalam_pg.sql.analyse import BIND, Analysis, Unshown, cast
from kalam_pg.sql.analyse_expr import (
    analyse,
    column_of,
    constant_of,
    is_of_domain,
    operands,
    passed,
    settled,
    shows,
    typed,
    unified,
)
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.dialect import type_name
from kalam_pg.sql.rule_expr import is_row_type

# ------------------------------------------------------------------ casts, CASE, rows, arrays


@shows(exp.Cast)
def _cast(an: Analysis, node: exp.Cast) -> a.Node:
    scope = an.state.scope
    target, typmod = resolve_type(type_name(node.args["to"]), scope.snapshot, scope.search_path)
    inner = node.args["this"]
    domain = isinstance(target.definition, DomainDefinition)
    if type(inner) is exp.Array and not inner.meta.get("query") and target.element is not None:
        return _array_of(an, inner, target)
    bound = an.bound(inner)
    if bound.type is types.UNKNOWN and isinstance(bound, tree.Const):
        if domain:
            base = target.definition.base  # type: ignore[union-attr]
            return a.Cast(constant_of(an, bound, base), target, -1, by_function=False)
        if target is types.INTERVAL and typmod >= 0:
            shown = constant_of(an, bound, target, typmod)
            return a.Cast(shown, target, typmod)
        if target.element is not None and typmod >= 0:
            raise Unshown("array with a length")
        shown = constant_of(an, bound, target)
        return shown if typmod < 0 else a.Cast(shown, target, typmod)
    shown_arg = analyse(an, inner)
    if isinstance(shown_arg, a.RowOf) and is_row_type(target) and target is not types.RECORD:
        return _row_as(an, inner, target)
    same = bound.type is target and typmod in (-1, bound.typmod)
    if same and not domain and not is_of_domain(an, inner):
        return shown_arg
    return cast(shown_arg, bound.type, target, typmod)


def _row_as(an: Analysis, node: exp.Expr, target: PgType) -> a.Node:
    definition = composite_of(target)
    if definition is None or type(node) is not exp.Tuple:
        raise Unshown("row")
    fields = definition.attributes
    if len(fields) != len(node.expressions):
        raise Unshown("row")
    items = [typed(an, e, f.type) for e, f in zip(node.expressions, fields, strict=True)]
    return a.RowOf(tuple(items), target)


@shows(exp.Case)
def _case(an: Analysis, node: exp.Case) -> a.Node:
    bound, operand = an.bound(node), node.args.get("this")
    if not isinstance(bound, tree.Case):
        raise Unshown("case")
    kind = bound.type
    conditions: list[a.Node] = []
    for branch, (condition, _) in zip(node.args["ifs"], bound.whens, strict=True):
        test = branch.args["this"]
        if operand is None:
            shown = typed(an, test, types.BOOL)
        else:
            if not isinstance(condition, tree.Call):
                raise Unshown("case")
            shown = passed(an, test, condition.args[1].type)
        conditions.append(shown)
    default = node.args.get("default")
    results = [branch.args["true"] for branch in node.args["ifs"]]
    last: a.Node = a.Constant(None, kind)
    if default is None:
        values = [passed(an, result, kind) for result in results]
    else:
        *values, last = unified(an, [*results, default], kind)
    whens = tuple(zip(conditions, values, strict=True))
    return a.CaseOf(None if operand is None else settled(an, operand), whens, last)


@shows(exp.Tuple)
def _row(an: Analysis, node: exp.Tuple) -> a.Node:
    if any(
        type(one) is exp.Column and type(one.args["this"]) is exp.Star for one in node.expressions
    ):
        raise Unshown("row of a star")
    return a.RowOf(tuple([analyse(an, item) for item in node.expressions]))


@shows(exp.Array)
def _array(an: Analysis, node: exp.Array) -> a.Node:
    if node.meta.get("query"):
        return a.Sublink("array", BIND[0](an, node.expressions[0].args["this"]))
    return _array_of(an, node, an.bound(node).type)


def _array_of(an: Analysis, node: exp.Array, kind: PgType) -> a.Node:
    element = kind.element
    if element is None:
        raise Unshown("array")
    items: list[a.Node] = []
    for item in node.expressions:
        if type(item) is exp.Array and not item.meta.get("query"):
            items.append(_array_of(an, item, kind))
            continue
        own = an.bound(item).type
        wanted = element if own.element is None else kind
        shown = typed(an, item, wanted)
        items.append(shown)
    return a.ArrayOf(tuple(items), kind)


@shows(exp.Bracket)
def _subscript(an: Analysis, node: exp.Bracket) -> a.Node:
    written: list[exp.Expr] = []
    base: exp.Expr = node
    while type(base) is exp.Bracket:
        written = [*base.expressions, *written]
        base = base.args["this"]
    own = an.bound(base).type
    sliced = any(type(index) is exp.Slice for index in written)

    def place(index: exp.Expr | None) -> a.Node | None:
        if index is None:
            return None
        if own is types.JSONB:
            unknown = an.bound(index).type is types.UNKNOWN
            return typed(an, index, types.TEXT) if unknown else analyse(an, index)
        return typed(an, index, types.INT4)

    places: list[tuple[a.Node | None, ...]] = []
    for index in written:
        if type(index) is exp.Slice:
            places.append((place(index.args.get("this")), place(index.args.get("expression"))))
        elif sliced:
            places.append((a.Constant(1, types.INT4), place(index)))
        else:
            places.append((place(index),))
    return a.Element(analyse(an, base), tuple(places))


@shows(exp.Dot)
def _field(an: Analysis, node: exp.Dot) -> a.Node:
    name, inner = node.args["expression"], node.args["this"]
    bound = an.bound(node)
    if an.trace.bound(inner) is None:
        return column_of(an, bound)
    shown = analyse(an, inner)
    if isinstance(shown, a.Var) and shown.column is None and isinstance(bound, tree.ColumnRef):
        return an.variable(bound)
    return a.Field(shown, name.name)


@shows(exp.Collate)
def _collated(an: Analysis, node: exp.Collate) -> a.Node:
    return a.Collated(settled(an, node.args["this"]), node.args["expression"].name)


@shows(exp.AtTimeZone)
def _zone(an: Analysis, node: exp.AtTimeZone) -> a.Node:
    kinds = operands(an.bound(node))
    parts = (node.args["zone"], node.args["this"])
    args = [typed(an, p, k) for p, k in zip(parts, kinds, strict=True)]
    return a.Func("timezone", tuple(args), syntax="timezone")


# ------------------------------------------------------------------ subqueries


@shows(exp.Subquery)
def _scalar(an: Analysis, node: exp.Subquery) -> a.Node:
    return a.Sublink("expr", BIND[0](an, node.args["this"]))


@shows(exp.Exists)
def _exists(an: Analysis, node: exp.Exists) -> a.Node:
    query = node.args["this"]
    return a.Sublink(
        "exists", BIND[0](an, query.args["this"] if type(query) is exp.Subquery else query)
    )
