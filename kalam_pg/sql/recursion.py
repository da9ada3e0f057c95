"""WITH RECURSIVE before it is bound: the order of its items, and where one may refer to itself.

Source: PostgreSQL's parse_cte.c, makeDependencyGraph and checkWellFormedRecursion.
"""

from collections.abc import Iterable, Iterator

from sqlglot import exp

from catalog.errors import FeatureNotSupportedError, InvalidRecursionError
from kalam_pg.sql.bind_from import alias_of
from kalam_pg.sql.positions import position

_OK = ""
_SUBQUERY, _OUTER_JOIN = "a subquery", "an outer join"
_INTERSECT, _EXCEPT = "INTERSECT", "EXCEPT"
_FROM_KEYS = frozenset({"from_", "joins", "with_"})


def in_order(items: Iterable[exp.Expr]) -> list[exp.Expr]:
    """The items, each behind those that it refers to. Raises 0A000: two refer to each other."""
    waiting = {alias_of(item)[0]: item for item in items}
    needs = {
        name: {other for other in waiting if other != name and mentions(item.args["this"], other)}
        for name, item in waiting.items()
    }
    found: list[exp.Expr] = []
    while waiting:
        ready = next((name for name in waiting if not needs[name] & waiting.keys()), None)
        if ready is None:
            raise FeatureNotSupportedError(
                "mutual recursion between WITH items is not implemented",
                position=position(next(iter(waiting.values()))),
            )
        found.append(waiting.pop(ready))
    return found


def mentions(query: exp.Expr, name: str) -> exp.Expr | None:
    """The first place where a query refers to the relation of a name that no WITH in it has taken."""
    return next((table for table, _ in _references(query, name, _OK)), None)


def is_reference(node: exp.Expr, name: str) -> bool:
    """Whether a FROM item is the relation of this name, without a schema."""
    this = node.args.get("this")
    return type(this) is exp.Identifier and this.name == name and node.args.get("db") is None


def check_step(step: exp.Expr, name: str) -> None:
    """The recursive term may refer to itself once, where each of its rows is joined with others.

    Raises:
        InvalidRecursionError: 42P19, within a subquery, an outer join, EXCEPT or INTERSECT ALL, or twice.
    """
    for number, (table, place) in enumerate(_references(step, name, _OK)):
        if place:
            raise _not_within(name, place, table)
        if number:
            raise InvalidRecursionError(
                f'recursive reference to query "{name}" must not appear more than once',
                position=position(table),
            )


def _not_within(name: str, place: str, at: exp.Expr) -> InvalidRecursionError:
    return InvalidRecursionError(
        f'recursive reference to query "{name}" must not appear within {place}',
        position=position(at),
    )


Reference = tuple[exp.Expr, str]
"""A place where the query refers to the name, and within what that is not allowed."""


def _references(query: exp.Expr, name: str, place: str) -> Iterator[Reference]:
    """Where a query refers to the name."""
    with_ = query.args.get("with_")
    if with_ is not None:
        for item in with_.expressions:
            yield from _references(item.args["this"], name, place)
            if alias_of(item)[0] == name:
                return  # From here on the name is another's.
    kind = type(query)
    if kind is exp.Subquery:
        yield from _references(query.args["this"], name, place)
    elif kind in (exp.Union, exp.Intersect, exp.Except):
        left = right = place
        if not place and kind is not exp.Union:
            every = not query.args.get("distinct")
            what = _INTERSECT if kind is exp.Intersect else _EXCEPT
            left = what if every else _OK
            right = what if every or kind is exp.Except else _OK
        yield from _references(query.args["this"], name, left)
        yield from _references(query.args["expression"], name, right)
    else:
        if (first := query.args.get("from_")) is not None:
            yield from _from(first.args["this"], query.args.get("joins") or (), name, place)
        yield from _expressions(query, _FROM_KEYS, name, place)


def _from(first: exp.Expr, joins: Iterable[exp.Expr], name: str, place: str) -> Iterator[Reference]:
    """Where the items of FROM refer to it."""
    begun: list[list[Reference]] = [list(_item(first, name, place))]
    for join in joins:
        side = "" if join.meta.get("comma") else str(join.args.get("side") or "").lower()
        if join.meta.get("comma"):
            begun.append([])
        if side in {"right", "full"}:
            begun[-1] = [(table, within or _OUTER_JOIN) for table, within in begun[-1]]
        inner = place or (_OUTER_JOIN if side in {"left", "full"} else _OK)
        begun[-1] += _item(join.args["this"], name, inner)
        if (on := join.args.get("on")) is not None:
            begun[-1] += _expressions(on, frozenset(), name, place)
    for part in begun:
        yield from part


def _item(node: exp.Expr, name: str, place: str) -> Iterator[Reference]:
    kind = type(node)
    if kind is exp.Table:
        if is_reference(node, name):
            yield node, place
        else:
            yield from _expressions(node, frozenset({"alias"}), name, place)
    elif kind is exp.Paren:
        yield from _from(node.args["this"], node.args.get("joins") or (), name, place)
    elif kind is exp.Lateral:
        yield from _item(node.args["this"], name, place)
    elif kind is exp.Subquery:
        yield from _references(node.args["this"], name, place)


def _expressions(
    node: exp.Expr, without: frozenset[str], name: str, place: str
) -> Iterator[Reference]:
    """Where subqueries in a node's expressions refer to it."""
    for key, value in node.args.items():
        if key in without:
            continue
        for child in value if isinstance(value, list) else (value,):
            if not isinstance(child, exp.Expr):
                continue
            if isinstance(child, exp.Select | exp.SetOperation | exp.Values):
                yield from _references(child, name, place or _SUBQUERY)
            else:
                yield from _expressions(child, frozenset(), name, place)
