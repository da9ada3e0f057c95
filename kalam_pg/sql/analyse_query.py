"""Analysed queries, from the syntax tree and what each part of it was bound to."""

from collections.abc import Sequence

from sqlglot import exp

from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.sql import analyse_calls, analyse_predicate, analyse_values, tree
from kalam_pg.sql import analysed as a
from kalam_pg.sql.analyse import BIND, Analysis, Unshown
from kalam_pg.sql.analyse_expr import column_of, settled, typed
from kalam_pg.sql.analyse_from import analyse_from, relations_of
from kalam_pg.sql.analyse_windows import suffix, window_spec
from kalam_pg.sql.bind_order import is_bare_name, output_place
from kalam_pg.sql.bind_setop import output_named
from kalam_pg.sql.bind_targets import is_star
from kalam_pg.sql.recursion import in_order
from kalam_pg.sql.scope import Level, resolve_column

# What they analyse is registered when they are imported.
_PARTS = (analyse_calls, analyse_predicate, analyse_values)

_SET_OPERATIONS = (exp.Union, exp.Intersect, exp.Except)
_CLAUSES = ("order", "limit", "offset", "locks", "with_")


def analyse_query(an: Analysis, node: exp.Expr, kinds: Sequence[PgType] | None = None) -> a.Query:
    """A query. kinds: of its columns, for literals, where a set operation or a WITH item says so."""
    kind = type(node)
    if kind is exp.Subquery and not node.args.get("alias"):
        return analyse_query(an, node.args["this"], kinds)
    found = an.trace.queries.get(id(node))
    if found is None:
        raise Unshown("query")
    _, level, bound = found
    query = a.Query()
    _with(an, node, query)
    if kind is exp.Select:
        assert isinstance(bound, tree.Select)
        _select(an, node, level, bound, query, kinds)
    elif kind is exp.Values:
        _values(an, node, bound, query, kinds)
    elif isinstance(node, _SET_OPERATIONS):
        assert isinstance(bound, tree.SetOp)
        whole = _operation(an, node, bound, top=True)
        assert isinstance(whole, a.SetOf)
        query.operation = whole
        query.columns = tuple([c.name for c in bound.columns])
        _order_by_number(node, bound, query)
    else:
        raise Unshown(kind.__name__)
    _limits(an, node, query)
    return query


BIND.append(analyse_query)


def _with(an: Analysis, node: exp.Expr, query: a.Query) -> None:
    with_ = node.args.get("with_")
    if with_ is None:
        return
    query.recursive = bool(with_.args.get("recursive"))
    items = in_order(with_.expressions) if query.recursive else with_.expressions
    made = []
    for item in items:
        if item.args.get("search") or item.args.get("cycle"):
            raise Unshown("SEARCH")
        alias = item.args["alias"]
        names = tuple([column.args["this"] for column in alias.args.get("columns") or ()])
        inner = analyse_query(an, item.args["this"])
        made.append(a.CteItem(alias.name, names, inner, item.args.get("materialized")))
    query.ctes = tuple(made)


# ------------------------------------------------------------------ SELECT


def _select(
    an: Analysis,
    node: exp.Expr,
    level: Level,
    bound: tree.Select,
    query: a.Query,
    kinds: Sequence[PgType] | None,
) -> None:
    args = node.args
    if args.get("from_") is not None:
        query.from_ = analyse_from(an, args["from_"].args["this"], args.get("joins") or ())
        query.rels = [rel for item in query.from_ for rel in relations_of(item)]
    query.targets = _targets(an, node, bound, kinds)
    query.columns = tuple([name for _, name in query.targets])
    if (where := args.get("where")) is not None:
        query.where = typed(an, where.args["this"], types.BOOL)
    if (having := args.get("having")) is not None:
        query.having = typed(an, having.args["this"], types.BOOL)
    places = _Places(an, level, bound, query)
    if (order := args.get("order")) is not None:
        query.order = tuple(
            [
                a.SortItem(places.by_output(i.args["this"], "ORDER BY"), suffix(i))
                for i in order.expressions
            ]
        )
    if (group := args.get("group")) is not None:
        query.group_distinct = bool(group.args.get("distinct"))
        query.group = tuple([places.grouped(item) for item in group.expressions])
    if (distinct := args.get("distinct")) is not None:
        on = distinct.args.get("on")
        query.distinct = ()
        if on is not None:
            query.distinct = tuple([places.by_output(e, "DISTINCT ON") for e in on.expressions])
    query.windows = tuple(
        [(w.args["this"].name, window_spec(an, w)) for w in args.get("windows") or ()]
    )


def _targets(
    an: Analysis, node: exp.Expr, bound: tree.Select, kinds: Sequence[PgType] | None
) -> list[tuple[a.Node, str]]:
    """The select list; of a star what it stands for."""
    targets: list[tuple[a.Node, str]] = []
    at = 0
    for index, item in enumerate(node.expressions):
        if not _is_star(item):
            inner = item.args["this"] if type(item) is exp.Alias else item
            told = kinds is not None and an.bound(inner).type is types.UNKNOWN
            shown = typed(an, inner, kinds[at]) if kinds and told else settled(an, inner)
            targets.append((shown, bound.targets[at].name))
            at += 1
            continue
        rest = node.expressions[index + 1 :]
        if any(map(_is_star, rest)):
            count = _width(an, item, bound, at)
        else:
            count = len(bound.targets) - at - len(rest)
        spread = bound.targets[at : at + count]
        targets += [(_of_star(an, target.expr), target.name) for target in spread]
        at += count
    return targets


def _is_star(item: exp.Expr) -> bool:
    return type(item) is exp.Star or is_star(item)


def _width(an: Analysis, item: exp.Expr, bound: tree.Select, at: int) -> int:
    """Of a star with another one behind it: columns in a row that are of the same relation."""
    if type(item) is not exp.Column:
        raise Unshown("stars")
    first = bound.targets[at].expr
    if not isinstance(first, tree.ColumnRef):
        raise Unshown("stars")
    seen = an.relations.get(first.relation)
    if seen is None:
        raise Unshown("stars")
    count = sum(place >= 0 for place in seen.places)
    refs = [t.expr for t in bound.targets[at : at + count]]
    if any(not isinstance(r, tree.ColumnRef) or r.relation != first.relation for r in refs):
        raise Unshown("stars")
    return count


def _of_star(an: Analysis, expr: tree.Expr) -> a.Node:
    if isinstance(expr, tree.Call) and id(expr) not in an.merged:
        raise Unshown("fields of a row")
    return column_of(an, expr)


class _Places:
    """What items of ORDER BY, GROUP BY and DISTINCT ON mean: output columns, or expressions."""

    def __init__(self, an: Analysis, level: Level, bound: tree.Select, query: a.Query) -> None:
        self._an = an
        self._level = level
        self._bound = list(bound.targets)
        self._query = query
        shown = [node for node, _ in query.targets]
        self._known = [(t.expr, node) for t, node in zip(bound.targets, shown, strict=True)]

    def by_output(self, node: exp.Expr, clause: str) -> a.Node:
        """An item: what an output column shows, or an expression."""
        place = output_place(self._level, node, self._bound, clause)
        if place is not None:
            return self._query.targets[place][0]
        bound = self._an.bound(node)
        for known, shown in self._known:
            if known == bound:
                return shown
        made = settled(self._an, node)
        self._known.append((bound, made))
        return made

    def grouped(self, node: exp.Expr) -> a.Grouped:
        """An item of GROUP BY."""
        if isinstance(node, exp.GroupingSets):
            inner = tuple(
                [
                    self.grouped(item)
                    if isinstance(item, exp.GroupingSets | exp.Rollup | exp.Cube)
                    else self._set(item)
                    for item in node.expressions
                ]
            )
            return a.Grouped("GROUPING SETS (", None, inner)
        if isinstance(node, exp.Rollup | exp.Cube):
            word = "ROLLUP(" if isinstance(node, exp.Rollup) else "CUBE("
            return a.Grouped(word, None, tuple([self._set(item) for item in node.expressions]))
        if type(node) is exp.Tuple and not node.meta.get("row"):
            return self._set(node)
        return a.Grouped("one", self._key(node))

    def _set(self, node: exp.Expr) -> a.Grouped:
        if type(node) is exp.Tuple and not node.meta.get("row"):
            items = tuple([a.Grouped("one", self._key(item)) for item in node.expressions])
            return a.Grouped("list", None, items)
        return a.Grouped("list", None, (a.Grouped("one", self._key(node)),))

    def _key(self, node: exp.Expr) -> a.Node:
        if (
            is_bare_name(node)
            and resolve_column(self._level, node.args["this"].name, 0) is not None
        ):
            return settled(self._an, node)
        return self.by_output(node, "GROUP BY")


# ------------------------------------------------------------------ VALUES, set operations


def _values(
    an: Analysis,
    node: exp.Expr,
    bound: tree.Query,
    query: a.Query,
    kinds: Sequence[PgType] | None,
) -> None:
    if node.args.get("listed") is not None or not isinstance(bound, tree.ValuesQuery):
        raise Unshown("a long list")
    columns = bound.columns
    wanted = [
        kinds[at] if c.type is types.UNKNOWN and kinds is not None else c.type
        for at, c in enumerate(columns)
    ]
    wanted = [types.TEXT if kind is types.UNKNOWN else kind for kind in wanted]
    query.rows = tuple(
        [
            tuple([typed(an, e, k) for e, k in zip(row.expressions, wanted, strict=True)])
            for row in node.expressions
        ]
    )
    query.columns = tuple([c.name for c in columns])
    rel = a.Rel("values", "", "*VALUES*", [*query.columns], rows=query.rows)
    rel.then = [*query.columns]
    query.rels, query.from_ = [rel], [rel]
    query.targets = [
        (a.Var(rel, at, k), c.name) for (at, c), k in zip(enumerate(columns), wanted, strict=True)
    ]
    if (order := node.args.get("order")) is not None:
        keys = []
        for item in order.expressions:
            at = output_named(item.args["this"], columns)
            keys.append(a.SortItem(query.targets[at][0], suffix(item)))
        query.order = tuple(keys)


def _operation(
    an: Analysis, node: exp.Expr, bound: tree.Query, *, top: bool = False
) -> a.SetOf | a.Query:
    kinds = [c.type for c in bound.columns]
    plain = isinstance(node, _SET_OPERATIONS)
    if not plain or (not top and any(node.args.get(clause) for clause in _CLAUSES)):
        return analyse_query(an, node, kinds)
    found = an.trace.queries.get(id(node))
    if found is None:
        raise Unshown("set operation")
    own = found[2]
    left = _operation(an, node.args["this"], _typed_as(own, bound))
    right = _operation(an, node.args["expression"], _typed_as(own, bound))
    keep = node.args.get("distinct") is False
    return a.SetOf(type(node).__name__.upper(), keep, left, right)


def _typed_as(own: tree.Query, bound: tree.Query) -> tree.Query:
    """The query whose types literals take: the innermost that has one."""
    return bound if any(c.type is types.UNKNOWN for c in own.columns) else own


def _order_by_number(node: exp.Expr, bound: tree.SetOp, query: a.Query) -> None:
    if (order := node.args.get("order")) is not None:
        query.order = tuple(
            [
                a.SortItem(output_named(item.args["this"], bound.columns) + 1, suffix(item))
                for item in order.expressions
            ]
        )


# ------------------------------------------------------------------ LIMIT, FOR UPDATE


def _limits(an: Analysis, node: exp.Expr, query: a.Query) -> None:
    if node.meta.get("limit all"):
        query.limit = a.Constant(None, types.INT8)
    for clause in ("limit", "offset"):
        found = node.args.get(clause)
        if found is None:
            continue
        shown = typed(an, found.args["expression"], types.INT8)
        if clause == "offset":
            query.offset = shown
        else:
            query.limit, query.ties = shown, bool(found.meta.get("ties"))
    locks = []
    for lock in node.args.get("locks") or ():
        strength = str(lock.meta.get("strength") or "UPDATE").upper()
        names = [one.name for one in lock.args.get("expressions") or ()]
        rels = [
            rel
            for rel in query.rels
            if rel.kind in ("relation", "subquery")
            and (not names or (rel.alias or rel.called) in names)
        ]
        wait = {True: "NOWAIT", False: "SKIP LOCKED", None: ""}[lock.args.get("wait")]
        locks.append(
            (strength if strength.startswith("FOR ") else f"FOR {strength}", tuple(rels), wait)
        )
    query.locks = tuple(locks)
