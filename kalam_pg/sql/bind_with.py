"""WITH: common table expressions, recursive ones too."""

from dataclasses import replace

from sqlglot import exp

from catalog.errors import (
    DatatypeMismatchError,
    DuplicateAliasError,
    FeatureNotSupportedError,
    InvalidRecursionError,
    SqlSyntaxError,
)
from catalog.types import registry as types
from catalog.types.table import PgType
from kalam_pg.functions.table import OverloadKind
from kalam_pg.sql.bind_expr import bind_expr, consumed
from kalam_pg.sql.bind_from import BIND_CHANGE, BIND_QUERY, alias_of, check_alias_columns
from kalam_pg.sql.bind_setop import cast_output, combine
from kalam_pg.sql.coerce import unify
from kalam_pg.sql.positions import position
from kalam_pg.sql.recursion import check_step, in_order, mentions
from kalam_pg.sql.scope import CteEntry, Level, renamed
from kalam_pg.sql.search_cycle import added, rewritten
from kalam_pg.sql.tree import (
    Aggregate,
    Call,
    Const,
    Cte,
    CteChange,
    CteScan,
    Expr,
    Query,
    Select,
    Window,
)
from kalam_pg.sql.walk import location, walk

_SET_OPERATIONS = (exp.Union, exp.Intersect, exp.Except)
_NOT_OF_RECURSION = {
    "order": "ORDER BY", "offset": "OFFSET", "limit": "LIMIT", "locks": "FOR UPDATE/SHARE",
}  # fmt: skip
_CHANGES = (exp.Insert, exp.Update, exp.Delete)


def bind_with(level: Level, node: exp.Expr) -> tuple[Cte, ...]:
    """The WITH items of a query or data change; they are then in scope at `level`."""
    with_ = node.args.get("with_")
    if with_ is None:
        return ()
    level.ctes = {}
    return _items(level, with_)


def _items(level: Level, with_: exp.Expr) -> tuple[Cte, ...]:
    """The items of a WITH clause, put among those that the level has already: theirs may have their names."""
    consumed(with_, "expressions", "recursive")
    assert level.ctes is not None
    found: list[Cte] = []
    own: set[str] = set()
    recursive = bool(with_.args.get("recursive"))
    names_twice = len({alias_of(item)[0] for item in with_.expressions}) < len(with_.expressions)
    ordered = in_order(with_.expressions) if recursive and not names_twice else with_.expressions
    for item in ordered:
        consumed(item, "this", "alias", "materialized", "search", "cycle")
        name, names, _ = alias_of(item)
        if name in own:
            raise DuplicateAliasError(
                f'WITH query name "{name}" specified more than once', position=position(item)
            )
        own.add(name)
        query_node = item.args["this"]
        number = level.state.ctes
        level.state.ctes += 1
        if type(query_node) is exp.Merge:
            raise FeatureNotSupportedError(
                "MERGE not supported in WITH query", position=position(item)
            )
        if isinstance(query_node, _CHANGES):
            if recursive and mentions(query_node, name):
                raise InvalidRecursionError(
                    f'recursive query "{name}" must not contain data-modifying statements',
                    position=position(item),
                )
            change = _change(level, item, query_node, number, name, names)
            level.ctes[name] = CteEntry(number, name, change.columns, change)
            level.state.changes.append(change)
            continue
        if recursive and mentions(query_node, name):
            inner, cte = _recursive(level, item, query_node, number, name, names)
            found += inner
        else:
            if item.args.get("search") or item.args.get("cycle"):
                raise SqlSyntaxError("WITH query is not recursive", position=position(item))
            query = BIND_QUERY[0](level, query_node)
            check_alias_columns(name, len(query.columns), names, position(item))
            columns = renamed(query.columns, names)
            level.state.note_derived(query)
            cte = Cte(number, name, query, columns, materialized=item.args.get("materialized"))
        level.ctes[name] = CteEntry(number, name, cte.columns, cte)
        found.append(cte)
    return tuple(found)


def _change(
    level: Level, item: exp.Expr, node: exp.Expr, number: int, name: str, names: list[str]
) -> CteChange:
    at = position(item)
    if level.parent is not None:
        raise FeatureNotSupportedError(
            "WITH clause containing a data-modifying statement must be at the top level",
            position=at,
        )
    change = BIND_CHANGE[0](level, node)
    check_alias_columns(name, len(change.returning_columns), names, at)
    return CteChange(number, name, change, renamed(change.returning_columns, names))


def _recursive(
    level: Level, item: exp.Expr, node: exp.Expr, number: int, name: str, names: list[str]
) -> tuple[tuple[Cte, ...], Cte]:
    """A recursive item, behind those of the WITH that its query has of its own."""
    at = position(item)
    if type(node) is not exp.Union:
        raise InvalidRecursionError(
            f'recursive query "{name}" does not have the form non-recursive-term UNION [ALL] '
            "recursive-term",
            position=at,
        )
    if (early := mentions(node.args["this"], name)) is not None:
        raise InvalidRecursionError(
            f'recursive reference to query "{name}" must not appear within its non-recursive term',
            position=position(early),
        )
    check_step(node.args["expression"], name)
    for key, clause in _NOT_OF_RECURSION.items():
        if node.args.get(key):
            raise FeatureNotSupportedError(
                f"{clause} in a recursive query is not implemented",
                position=0 if key == "locks" else position(node.args[key]),
            )
    outer, own = level.ctes, _items_within(level, node, name)
    inner = Level(level.state, level)
    if item.args.get("search") or item.args.get("cycle"):
        first = BIND_QUERY[0](inner, node.args["this"])
        check_alias_columns(name, len(first.columns), names, at)
        given = [column.name for column in renamed(first.columns, names)]
        _check_marks(inner, item)
        node = rewritten(item, node, name, given)
        names = [*given, *added(item)]
    start: Query = BIND_QUERY[0](inner, node.args["this"])
    check_alias_columns(name, len(start.columns), names, at)
    columns = tuple(replace(c, table_id=0, column_id=0) for c in renamed(start.columns, names))
    assert level.ctes is not None
    more = len(columns) - len(added(item))
    # What SEARCH and CYCLE add is there for their own sake, and not for `*`.
    seen = tuple(replace(c, hidden=c.hidden or at >= more) for at, c in enumerate(columns))
    level.ctes[name] = CteEntry(number, name, seen)
    step: Query = BIND_QUERY[0](inner, node.args["expression"])
    level.ctes = outer
    kinds = [c.type for c in start.columns]
    result = combine(inner, node, start, cast_or_same(level, step, kinds))
    trace = level.state.trace
    if trace is not None:
        trace.queries[id(node)] = node, inner, result
    for index, (before, after) in enumerate(zip(start.columns, result.columns, strict=True)):
        if before.type is not after.type or before.typmod != after.typmod:
            was = types.format_type(before.type, before.typmod)
            now = types.format_type(after.type, after.typmod)
            raise DatatypeMismatchError(
                f'recursive query "{name}" column {index + 1} has type {was} in '
                f"non-recursive term but type {now} overall",
                hint="Cast the output of the non-recursive term to the correct type.",
                position=location(start.targets[index].expr) if isinstance(start, Select) else at,
            )
    if node.args.get("distinct") and any(_is_unhashable(c.type) for c in result.columns):
        raise FeatureNotSupportedError(
            "could not implement recursive UNION", detail="All column datatypes must be hashable."
        )
    made = Cte(number, name, result, columns, recursive=True,
               materialized=item.args.get("materialized"))  # fmt: skip
    return own, made


def _check_marks(level: Level, item: exp.Expr) -> None:
    """Raise 42804 where the two values of a CYCLE clause's mark have no type in common."""
    cycle = item.args.get("cycle")
    if cycle is not None and cycle.args.get("value") is not None:
        marks = [bind_expr(level, cycle.args[key]) for key in ("value", "default")]
        unify(level.state, tuple(marks), "CYCLE")


_UNHASHABLE = frozenset((types.MONEY, types.BIT, types.VARBIT))


def _is_unhashable(kind: PgType) -> bool:
    """Whether PostgreSQL has no hash of a type's values."""
    return (kind.element or kind) in _UNHASHABLE


def _items_within(level: Level, node: exp.Expr, name: str) -> tuple[Cte, ...]:
    """The items of the WITH of a recursive query: they are seen by its terms, and not by it."""
    assert level.ctes is not None
    level.ctes = dict(level.ctes)
    with_ = node.args.get("with_")
    if with_ is None:
        return ()
    for one in with_.expressions:
        if isinstance(one.args["this"], _CHANGES):
            raise FeatureNotSupportedError(
                "WITH clause containing a data-modifying statement must be at the top level",
                position=position(one),
            )
        if (found := mentions(one.args["this"], name)) is not None:
            raise InvalidRecursionError(
                f'recursive reference to query "{name}" must not appear within a subquery',
                position=position(found),
            )
    return _items(level, with_)


def cast_or_same(level: Level, query: Query, kinds: list[PgType]) -> Query:
    """Give the recursive term's untyped columns the types of the first term."""
    if len(kinds) != len(query.columns):
        return query
    wanted = [k if c.type is types.UNKNOWN else c.type
              for c, k in zip(query.columns, kinds, strict=True)]  # fmt: skip
    return cast_output(level.state, query, wanted, "UNION")


def first_rows_alone(query: Select) -> Select:
    """The query, with how many rows of a recursive WITH item it reads where its LIMIT tells.

    PostgreSQL makes rows as they are asked for: a recursion without an end has first rows.
    """
    match query:
        case Select(from_=(CteScan(cte=number),), where=None, grouped=False, distinct=False):
            found = next((item for item in query.with_ if item.number == number), None)
        case _:
            return query
    rows = _rows_read(query)
    if found is None or not found.recursive or rows is None or query.order_by or query.distinct_on:
        return query
    others: list[Expr | Query] = [item.query for item in query.with_ if item is not found]
    others += [target.expr for target in query.targets]
    if any(_reads_more(node, number) for other in others for node in walk(other)):
        return query
    limited = replace(found, rows_max=rows)
    return replace(query, with_=tuple([limited if i is found else i for i in query.with_]))


def _rows_read(query: Select) -> int | None:
    """LIMIT and OFFSET together, where both are constants."""
    counts: list[int] = []
    for bound in (query.limit, query.offset):
        if bound is None:
            continue
        if not isinstance(bound, Const) or not isinstance(bound.value, int) or bound.value < 0:
            return None
        counts.append(bound.value)
    return sum(counts)


def _reads_more(node: object, number: int) -> bool:
    """Whether a node reads the item, makes rows of one, or looks at the other rows."""
    if isinstance(node, CteScan):
        return node.cte == number
    if isinstance(node, Call):
        return node.overload.kind is OverloadKind.SET
    return isinstance(node, Window | Aggregate)
