"""The items of an analysed FROM: relations under today's names, joins with the columns that they merge."""

from collections.abc import Iterator, Sequence

from sqlglot import exp

from catalog.changes_depend import NAMELESS
from catalog.model import Relation
from catalog.pg_catalog.text import qualified
from catalog.types import registry as types
from kalam_pg.sql import analysed as a
from kalam_pg.sql import tree
from kalam_pg.sql.analyse import BIND, Analysis, Seen, Unshown
from kalam_pg.sql.analyse_expr import analyse, typed
from kalam_pg.sql.bind_from import alias_of
from kalam_pg.sql.bind_records import RECORDS_DEFINED
from kalam_pg.sql.bind_types import resolve_type
from kalam_pg.sql.bind_using import join_kind
from kalam_pg.sql.deparse import quote_identifier
from kalam_pg.sql.dialect import type_name
from kalam_pg.sql.function_call import Called
from kalam_pg.sql.positions import position
from kalam_pg.sql.rule_names import written_names
from kalam_pg.sql.type_text import type_text
from kalam_pg.sql.walk import column_refs

Item = a.Rel | a.JoinItem


def relations_of(item: Item) -> Iterator[a.Rel]:
    """The range table's entries of an item, in PostgreSQL's order: a join's comes behind its sides'."""
    if isinstance(item, a.JoinItem):
        yield from relations_of(item.left)
        yield from relations_of(item.right)
        yield item.rel
    else:
        yield item


def analyse_from(an: Analysis, first: exp.Expr, joins: Sequence[exp.Expr]) -> list[Item]:
    """FROM with its joins."""
    found: list[Item] = []
    current = _item(an, first)
    for join in joins:
        if join.meta.get("comma"):
            found.append(current)
            current = _item(an, join.args["this"])
        else:
            current = _join(an, current, join)
    return [*found, current]


def _item(an: Analysis, node: exp.Expr) -> Item:
    kind = type(node)
    if kind is exp.Paren:
        return _parenthesised(an, node)
    made = an.trace.items.get(id(node))
    if made is None:
        raise Unshown("item")
    bound = made[1]
    if isinstance(bound, tree.Join):
        raise Unshown("join")
    if kind is exp.Table and isinstance(node.args["this"], exp.Identifier):
        return _relation(an, node, bound)
    lateral = kind is exp.Lateral
    inner = node.args["this"]
    if lateral and type(inner) is exp.Subquery:
        return _subquery(an, node, inner.args["this"], bound, lateral=True)
    if kind is exp.Subquery:
        return _subquery(an, node, inner, bound, lateral=False)
    return _function(an, node, inner, bound, lateral=lateral)


Leaf = (
    tree.TableScan | tree.VirtualScan | tree.SubqueryScan | tree.CteScan | tree.FunctionScan
    | tree.RowsFrom | tree.ValuesScan
)  # fmt: skip


def _seen(an: Analysis, bound: Leaf, rel: a.Rel, places: Sequence[int]) -> a.Rel:
    an.relations[bound.relation] = Seen(rel, places, [c.name for c in bound.columns])
    rel.then = [None] * len(rel.columns)
    for column, place in zip(bound.columns, places, strict=True):
        if place >= 0:
            rel.then[place] = column.name
    return rel


def _columns(bound: Leaf) -> tuple[list[str | None], list[int]]:
    """The names of the columns that are to be seen, and where each column is among them."""
    names: list[str | None] = []
    places = []
    for column in bound.columns:
        places.append(-1 if column.hidden else len(names))
        if not column.hidden:
            names.append(column.name)
    return names, places


def _aliases(node: exp.Expr) -> tuple[str, tuple[str, ...]]:
    alias, names, _ = alias_of(node)
    return alias, tuple(names)


def _relation(an: Analysis, node: exp.Expr, bound: Leaf) -> a.Rel:
    alias, aliases = _aliases(node)
    name: str = node.args["this"].args["this"]
    if node.args.get("sample"):
        return _sampled(an, node, bound, alias)
    only = bool(node.args.get("only"))
    match bound:
        case tree.CteScan():
            names, places = _columns(bound)
            rel = a.Rel("cte", alias, name, names, aliases)
            rel.source = rel.bare = quote_identifier(name)
            return _seen(an, bound, rel, places)
        case tree.VirtualScan(schema=schema, name=called):
            if schema not in ("pg_catalog", "information_schema", "system"):
                raise Unshown("sequence")
            names, places = _columns(bound)
            real = an.state.scope.virtual(schema, called) or bound.columns
            names = [column.name for column in real if not column.hidden]
            rel = a.Rel("relation", alias, called, names, aliases)
            rel.source = qualified(schema, called)
            hidden = schema == "information_schema" or (
                schema == "system" and schema not in an.search_path
            )
            rel.bare = rel.source if hidden else quote_identifier(called)
            return _seen(an, bound, rel, places)
        case tree.TableScan(table=table):
            now: Relation | None = an.snapshot.tables.get(table.id)
        case tree.SubqueryScan(view=view) if view is not None:
            now = an.snapshot.views.get(view.id)
        case _:
            raise Unshown("relation")
    if now is None:
        raise Unshown("relation")
    rel = _stored(an, now, alias, aliases)
    rel.only = only
    return _seen(an, bound, rel, _places_in(now, bound))


def _stored(an: Analysis, now: Relation, alias: str, aliases: tuple[str, ...]) -> a.Rel:
    columns: list[str | None] = [c.name for c in now.columns if c.name != "_rowid"]
    rel = a.Rel("relation", alias, now.name, columns, aliases)
    rel.source = qualified(now.namespace, now.name)
    visible = an.snapshot.find("", now.name, an.search_path) is now
    rel.bare = quote_identifier(now.name) if visible else rel.source
    return rel


def _places_in(now: Relation, bound: Leaf) -> list[int]:
    ids = [c.id for c in now.columns if c.name != "_rowid"]
    hidden = {"_rowid", "_seq", "_deleted"}
    return [
        ids.index(c.column_id)
        if c.column_id in ids and not (c.hidden and c.name in hidden) and c.name != NAMELESS
        else -1
        for c in bound.columns
    ]


def _sampled(an: Analysis, node: exp.Expr, bound: Leaf, alias: str) -> a.Rel:
    query = bound.query if isinstance(bound, tree.SubqueryScan) else None
    scan = query.from_[0] if isinstance(query, tree.Select) else None
    if not isinstance(scan, tree.TableScan):
        raise Unshown("sample")
    now = an.snapshot.tables.get(scan.table.id)
    if now is None:
        raise Unshown("sample")
    _, aliases = _aliases(node)
    rel = _stored(an, now, alias, aliases)
    sample = node.args["sample"]
    seed = sample.args.get("seed")
    rel.sample = (
        sample.args["this"],
        typed(an, sample.expressions[0], types.FLOAT4),
        None if seed is None else typed(an, seed, types.FLOAT8),
    )
    return _seen(an, bound, rel, _places_in(now, bound))


def _subquery(
    an: Analysis, node: exp.Expr, query: exp.Expr, bound: Leaf, *, lateral: bool
) -> a.Rel:
    alias, aliases = _aliases(node)
    names, places = _columns(bound)
    rel = a.Rel("subquery", alias, alias, names, aliases, lateral=lateral)
    rel.query = BIND[0](an, query)
    return _seen(an, bound, rel, places)


# ------------------------------------------------------------------ functions


def _function(an: Analysis, node: exp.Expr, call: exp.Expr, bound: Leaf, *, lateral: bool) -> a.Rel:
    alias, names, definitions = alias_of(node)
    calls = list(call.expressions) if type(call) is exp.Tuple else [call]
    shown: list[a.Node] = []
    for one in calls:
        shown += _calls(an, one)
        lateral = lateral or _looks_around(an, one)
    columns, places = _columns(bound)
    called = bound.alias or (columns[0] or "" if len(columns) == 1 else "")
    first = calls[0]
    if type(first) is exp.Anonymous:
        name = first.args["this"]
        called = name if type(name) is str else name.name
    rel = a.Rel("function", alias, called, columns, tuple(names), calls=tuple(shown))
    rel.lateral = lateral
    rel.ordinality = bool(node.args.get("ordinality"))
    scope = an.state.scope
    kinds = []
    for definition in definitions:
        kind, typmod = resolve_type(
            type_name(definition.args["kind"]), scope.snapshot, scope.search_path
        )
        kinds.append(type_text(kind, typmod, an.search_path))
    rel.definitions = tuple(kinds)
    return _seen(an, bound, rel, places)


def _calls(an: Analysis, call: exp.Expr) -> list[a.Node]:
    """A call; `unnest` of several arrays is one for each."""
    several = type(call) is exp.Anonymous and call.name == "unnest" and len(call.expressions) > 1
    if several:
        return [a.Func("unnest", (analyse(an, array),)) for array in call.expressions]
    if (
        type(call) is exp.Anonymous
        and call.name in RECORDS_DEFINED
        and id(call) not in an.trace.exprs
    ):
        document = types.JSONB if call.name.startswith("jsonb") else types.JSON
        return [a.Func(call.name, (typed(an, call.expressions[0], document),))]
    shown = analyse(an, call)
    if not isinstance(shown, a.Func | a.Words | a.Listed | a.Cast):
        raise Unshown("function")
    return [shown]


def _looks_around(an: Analysis, call: exp.Expr) -> bool:
    """Whether it has columns of the items before it."""
    people = an.trace.calls.get(position(call))
    if isinstance(people, Called):
        exprs = list(people.values)
    else:
        exprs = [e for item in call.expressions if (e := an.trace.bound(item)) is not None]
    return any(up == 0 for e in exprs for up, _ in column_refs(e))


# ------------------------------------------------------------------ joins


def _parenthesised(an: Analysis, node: exp.Expr) -> Item:
    current = _item(an, node.args["this"])
    for join in node.args.get("joins") or ():
        current = _join(an, current, join)
    alias, aliases = _aliases(node)
    if not alias:
        return current
    if not isinstance(current, a.JoinItem):
        raise Unshown("alias")
    current.rel.alias = current.rel.called = alias
    current.rel.aliases = aliases
    _see_through(an, current)
    return current


def _see_through(an: Analysis, join: a.JoinItem) -> None:
    """From here on the columns of a join with a name are its own, and no longer those of its sides."""
    under = {id(rel) for rel in relations_of(join) if rel is not join.rel}
    for merged in [
        key for key, var in an.merged.items() if var.rel is join.rel or id(var.rel) in under
    ]:
        at = an.merged[merged].column
        assert at is not None
        an.merged[merged] = a.Var(join.rel, at, types.UNKNOWN)
    leaves = {(id(rel), place): at for at, of in enumerate(_leaves(join)) for rel, place in of}
    for number, seen in an.relations.items():
        if id(seen.rel) not in under:
            continue
        for column, place in enumerate(seen.places):
            at = leaves.get((id(seen.rel), place))
            if at is not None:
                an.through[number, column] = a.Var(join.rel, at, types.UNKNOWN)


def _leaves(item: Item) -> list[list[tuple[a.Rel, int]]]:
    """What each column of an item is: of which relation, and which there; a merged one is of both sides."""
    if isinstance(item, a.Rel):
        return [[(item, at)] for at in range(len(item.columns))]
    left, right = _leaves(item.left), _leaves(item.right)
    return [
        [*(left[here] if here >= 0 else ()), *(right[there] if there >= 0 else ())]
        for here, there in item.sides
    ]


def _join(an: Analysis, left: Item, join: exp.Expr) -> a.JoinItem:
    args = join.args
    right = _item(an, args["this"])
    kind = join_kind(args)
    one, other = _names(left), _names(right)
    using: tuple[str, ...] = ()
    exprs: list[tree.Expr] = []
    noted = an.trace.using.get(id(join))
    if noted is not None:
        using, exprs = tuple(noted[1]), noted[2]
    sides = [
        (one.index(name), other.index(name)) for name in using if name in one and name in other
    ]
    if len(sides) < len(using):
        raise Unshown("USING of columns that are called otherwise now")
    merged_left, merged_right = {here for here, _ in sides}, {there for _, there in sides}
    sides += [(at, -1) for at in range(len(one)) if at not in merged_left]
    sides += [(-1, at) for at in range(len(other)) if at not in merged_right]
    then = [one[here] if here >= 0 else other[there] for here, there in sides]
    then[: len(using)] = using
    rel = a.Rel("join", "", "", [*then], then=then)
    made = a.JoinItem(kind, left, right, None, rel, using, "", sides)
    made.dangerous = any(not isinstance(e, tree.ColumnRef) for e in exprs)
    for at, expr in enumerate(exprs):
        if not isinstance(expr, tree.ColumnRef):
            an.merged[id(expr)] = a.Var(rel, at, expr.type)
    alias = args.get("alias")
    if alias is not None:
        made.using_alias = alias.name
    if args.get("on") is not None:
        made.condition = typed(an, args["on"], types.BOOL)
    return made


def _names(item: Item) -> list[str | None]:
    """The columns of an item as the text names them, None for those that came later."""
    rel = item if isinstance(item, a.Rel) else item.rel
    return written_names(rel)
