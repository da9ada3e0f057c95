"""GROUP BY with its grouping sets, and which columns may then be used outside aggregates."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from sqlglot import exp

from catalog.errors import FeatureNotSupportedError, GroupingError, StatementTooComplexError
from catalog.model import Table
from kalam_pg.sql.alike import known
from kalam_pg.sql.positions import position
from kalam_pg.sql.scope import Level
from kalam_pg.sql.tree import (
    Aggregate,
    Coalesce,
    ColumnRef,
    Const,
    Expr,
    Grouping,
    OuterAggregate,
    Select,
    SetOp,
    ValuesQuery,
)
from kalam_pg.sql.walk import Node, children, location, raise_levels, walk

SETS_MAX = 4096  # PostgreSQL's limit too
_SPECIAL = (exp.Rollup, exp.Cube, exp.GroupingSets)
BindItem = Callable[[exp.Expr], tuple[Expr, int | None]]


def bind_group(
    group: exp.Group, bind_item: BindItem
) -> tuple[tuple[Expr, ...], tuple[tuple[int, ...], ...], dict[int, Expr]]:
    """GROUP BY: its distinct expressions, its grouping sets as indexes into them, and which output columns
    are other keys than their expression says.

    The sets are () when there is only a plain list. bind_item resolves one expression, ordinal or
    output name, and tells which output column it is.
    """
    items: list[exp.Expr] = list(group.expressions)
    plain = all(map(_is_plain, items))
    keys = _Keys(bind_item, apart=not plain)
    sets_of = [_sets(item, keys.index_of) for item in items]
    if plain:
        return tuple(keys.exprs), (), {}
    count = 1
    for sets in sets_of:
        count *= len(sets)
        if count > SETS_MAX:
            raise StatementTooComplexError(
                f"too many grouping sets present (maximum {SETS_MAX})", position=position(group)
            )
    merged = [_merged(combination) for combination in product(*sets_of)]
    if group.args.get("distinct"):
        merged = list(dict.fromkeys(merged))
    return tuple(keys.exprs), tuple(merged), keys.renamed


class _Keys:
    """The grouping expressions so far. places: the output column that each was first given as.

    apart: of two output columns that are equal each is a key of its own, since in one grouping set the
    one is NULL and the other is not. The second is then written otherwise (`renamed`), so that who looks
    for a key by its expression finds the right one.
    """

    def __init__(self, bind_item: BindItem, *, apart: bool) -> None:
        self._bind_item = bind_item
        self._apart = apart
        self._places: list[int | None] = []
        self.exprs: list[Expr] = []
        self.renamed: dict[int, Expr] = {}

    def index_of(self, node: exp.Expr) -> int:
        """The number of the key that an item means."""
        item, place = self._bind_item(node)
        expr = known(item, self.exprs)
        if place in self.renamed:
            expr = self.renamed[place]
        elif expr in self.exprs:
            same = self._places[self.exprs.index(expr)] == place
            if self._apart and not same and place is not None:
                while expr in self.exprs:
                    expr = Coalesce((expr,), expr.type, expr.typmod, location(expr))
                self.renamed[place] = expr
        if expr not in self.exprs:
            self.exprs.append(expr)
            self._places.append(place)
        return self.exprs.index(expr)


def _is_plain(item: exp.Expr) -> bool:
    return not isinstance(item, _SPECIAL) and not (type(item) is exp.Tuple and not item.expressions)


def _merged(combination: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(i for part in combination for i in part))


def _sets(item: exp.Expr, index_of: Callable[[exp.Expr], int]) -> list[tuple[int, ...]]:
    """The grouping sets one item stands for."""
    if isinstance(item, exp.GroupingSets):
        return [s for inner in item.expressions for s in _sets(inner, index_of)]
    if isinstance(item, exp.Rollup | exp.Cube):
        parts = [_columns(inner, index_of) for inner in item.expressions]
        if isinstance(item, exp.Rollup):
            return [_merged(parts[:n]) for n in range(len(parts), -1, -1)]
        picks = product((True, False), repeat=len(parts))
        return [
            _merged([p for p, taken in zip(parts, pick, strict=True) if taken]) for pick in picks
        ]
    return [_columns(item, index_of)]


def _columns(item: exp.Expr, index_of: Callable[[exp.Expr], int]) -> tuple[int, ...]:
    if type(item) is exp.Tuple and not item.meta.get("row"):
        return tuple(index_of(inner) for inner in item.expressions)
    return (index_of(item),)


def check_grouped(level: Level, exprs: Sequence[Expr], group_by: Sequence[Expr]) -> None:
    """42803 for a column of this query that is neither grouped nor inside an aggregate."""
    determined = _determined(level, group_by)
    unread = [(expr, depth) for expr, depth in level.unread if depth]
    for expr, depth in (*((expr, 0) for expr in exprs), *unread):
        for ref, inner in _ungrouped(expr, group_by, depth):
            if ref.relation in determined:
                continue
            name = _described(level, ref)
            if inner:
                raise GroupingError(
                    f'subquery uses ungrouped column "{name}" from outer query',
                    position=ref.position,
                )
            raise GroupingError(
                f'column "{name}" must appear in the GROUP BY clause or be used in an aggregate '
                "function",
                position=ref.position,
            )


def check_direct_arguments(exprs: Sequence[Node]) -> None:
    """0A000 for a column that an ordered-set aggregate is given as it is, beside grouping sets.

    It is NULL in the sets that it is no key of, while the column in the aggregate's ORDER BY is not.
    """
    for node in exprs:
        if isinstance(node, Aggregate) and node.within_group:
            column = next((c for a in node.args for c in walk(a) if isinstance(c, ColumnRef)), None)
            if column is not None:
                raise FeatureNotSupportedError(
                    "a column as a direct argument is not supported with grouping sets",
                    position=column.position,
                )
        if not isinstance(node, Select | SetOp | ValuesQuery):
            check_direct_arguments(tuple(children(node)))


def _ungrouped(node: Node, group_by: Sequence[Expr], depth: int) -> Iterator[tuple[ColumnRef, int]]:
    if depth == 0 and (isinstance(node, Const) or node in group_by):
        return
    if isinstance(node, OuterAggregate):
        if isinstance(node.aggregate, Grouping) and node.up == depth:
            _check_grouping(node.aggregate, [raise_levels(key, depth) for key in group_by])
        return
    if isinstance(node, ColumnRef):
        if node.outer == depth and not (depth and _inner(node) in group_by):
            yield node, depth
        return
    if isinstance(node, Aggregate) and depth == 0:
        # The direct arguments of an ordered-set aggregate are not aggregated.
        for arg in node.args if node.within_group else ():
            yield from _ungrouped(arg, group_by, depth)
        return
    if isinstance(node, Grouping) and depth == 0:
        _check_grouping(node, group_by)
        return
    below = depth + 1 if isinstance(node, Select | SetOp | ValuesQuery) else depth
    for child in children(node):
        yield from _ungrouped(child, group_by, below)


def _check_grouping(node: Grouping, group_by: Sequence[Expr]) -> None:
    for arg in node.args:
        if arg not in group_by:
            raise GroupingError(
                "arguments to GROUPING must be grouping expressions of the associated query level",
                position=location(arg),
            )


def _inner(ref: ColumnRef) -> ColumnRef:
    """The reference as its own query would write it."""
    return ColumnRef(ref.relation, ref.column, ref.name, ref.type, ref.typmod)


def _determined(level: Level, group_by: Sequence[Expr]) -> set[int]:
    """Relations whose primary key is all in GROUP BY: their other columns depend on it."""
    found: set[int] = set()
    for item in level.items:
        table: Table | None = item.table
        if table is None or not table.primary_key or item.relation < 0:
            continue
        ids = {
            item.columns[e.column].column_id
            for e in group_by
            if type(e) is ColumnRef and e.relation == item.relation and not e.outer
        }
        if ids.issuperset(table.primary_key):
            found.add(item.relation)
    return found


def _described(level: Level, ref: ColumnRef) -> str:
    for item in level.items:
        if item.relation == ref.relation and item.alias:
            return f"{item.alias}.{ref.name}"
    return ref.name
